#!/usr/bin/env bash
# Writes docs/terminal.md: what commands show on a terminal, from real runs in a fresh store.
#
#   docs/capture.sh BINARY            all but bench, whose figures stay as they are
#   docs/capture.sh BINARY --bench    bench too, for a minute: best with a release build, on a quiet machine
#   docs/capture.sh BINARY --check    writes nothing, fails if something shows otherwise now (but for bench)
#
# What differs from run to run and from user to user is replaced: times, the folder, sizes, what doctor may look at.
set -euo pipefail
binary=$(realpath "${1:?usage: capture.sh BINARY [--bench | --check]}")
what=${2:-}
cd "$(dirname "$0")/.."
if ! command -v script >/dev/null; then
  apt-get update -q
  apt-get install -qy bsdutils
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/bin"
ln -s "$binary" "$scratch/bin/mindcache"
document=docs/terminal.md
# Nothing of this machine but the program: no configuration, no clients, no colours.
clean=(env -i "HOME=$scratch" "PATH=$scratch/bin:/usr/bin:/bin" "MINDCACHE_DATA_DIR=$scratch/data" TERM=dumb NO_COLOR=1)

# on_terminal COMMAND: runs it as on a terminal, which some commands write for in another way than for a pipe. What a line
# showed before it was cleared (progress) is left out.
on_terminal() { "${clean[@]}" script -qec "stty cols 120; $1" /dev/null </dev/null | sed -u -e 's/\r$//' -e 's/.*\x1b\[K//'; }

# show COMMAND...: each command as it is typed, and what it shows; one may fail.
show() {
  local command
  for command in "$@"; do
    printf '$ %s\n' "$command"
    on_terminal "$command" || true
  done
}

# agent TOOL ARGUMENTS: a call of an agent whose client calls itself claude-code.
agent() {
  local hello='{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"claude-code","version":"2"}}'
  printf '{"jsonrpc":"2.0",%s}\n' "\"id\":1,\"method\":\"initialize\",\"params\":$hello" \
    '"method":"notifications/initialized"' \
    "\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":\"$1\",\"arguments\":$2}" |
    "${clean[@]}" mindcache mcp >"$scratch/agent"
  grep -q '"isError":false' "$scratch/agent"
}

normalised() {
  sed -E -e "s#$scratch/data#/home/you/.local/share/mindcache#g" \
    -e 's/[0-9]+ MiB free/36798 MiB free/' -e 's/records, [0-9]+ KiB/records, 32 KiB/' \
    -e 's/ \(of those that this user may look at\)//' \
    -e 's/[0-9]+ (second|minute)s? ago/just now/' \
    -e 's/\b[0-9]{2}:[0-9]{2}:[0-9]{2}\b/09:30:00/'
}

watched() {
  local line
  echo '$ mindcache watch --count 5'
  exec {watch}< <(on_terminal 'mindcache watch --count 5')
  # It is listening once it has said so.
  IFS= read -r -t 60 -u "$watch" line
  printf '%s\n' "$line"
  agent write_key '{"key":"plan","value":"Ship on Friday."}'
  agent append_key '{"key":"plan","text":"\nAsk Mira first."}'
  on_terminal 'mindcache set plan "Ship on Monday."' >/dev/null
  agent write_key '{"key":"scratch","value":"step 3","ttl_ms":3600000}'
  agent delete_key '{"key":"scratch"}'
  timeout 60 cat <&"$watch"
}

bench() {
  if [[ $what == --bench ]]; then
    show 'mindcache bench --quick'
  else
    awk '/^## bench$/ { on = 1 } on && /^```$/ { exit } on && shown; /^```text$/ { shown = on }' "$document"
  fi
}

# section TITLE TEXT FUNCTION...: a heading, a sentence or two, and what a command shows.
section() {
  printf '\n## %s\n\n%s\n\n```text\n' "$1" "$2"
  "${@:3}" | normalised
  printf '```\n'
}

{
  cat <<'END'
# On a terminal

What some commands show, from real runs in a fresh store. `docs/capture.sh` writes this page; CI runs it again and fails
when a command shows something else. Times, the data folder and sizes are replaced. On a terminal there are
colours, unless `NO_COLOR` is set; into a pipe go lines for programs, and with `--json` structured results.
END
  section watch "An agent writes a plan, adds to it, a person changes it, and the agent makes and deletes a note." watched
  section history "Who made it what it is, and how to get back." show \
    'mindcache history plan' 'mindcache diff plan 2 3' 'mindcache restore plan 2' 'mindcache get plan'
  section doctor "Whether the store is well and clients would be answered." show 'mindcache doctor'
  section bench \
    "What it costs, beside baselines of the same run. These are of a debug build on a busy machine: they
show the form, not the speed. Run your own." bench
} >"$scratch/terminal.md"

if [[ $what == --check ]]; then
  diff -u "$document" "$scratch/terminal.md" || { echo "$document: renew it with docs/capture.sh" >&2; exit 1; }
else
  cp "$scratch/terminal.md" "$document"
fi
