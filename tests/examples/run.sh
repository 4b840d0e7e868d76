#!/usr/bin/env bash
# Runs the examples as examples/README.md tells people to, against the program given, a line for each. An example fails
# when it exits non-zero, when it takes over a minute, and when it does not print what the README shows of it.
#
#   tests/examples/run.sh BINARY RUST_EXAMPLE
#
# BINARY is `mindcache`, RUST_EXAMPLE the cargo example `client`.
set -euo pipefail
if [[ $# -ne 2 ]]; then
  echo "usage: $0 BINARY RUST_EXAMPLE" >&2
  exit 2
fi
binary=$(realpath "$1")
rust=$(realpath "$2")
cd "$(dirname "$0")/../.."

source tests/clients/provide.sh
provide_python python-examples examples/requirements.txt tests/examples/constraints.txt
# Node looks for packages beside the scripts: those of tests/clients, with what the example names among them.
cp examples/client.ts target/clients/
node -e 'const [sdk, ...files] = process.argv.slice(1);
  const [a, b] = files.map(file => require(file).dependencies[sdk]);
  if (a !== b) { throw Error(`${sdk} is ${a} in examples/package.json, but ${b} in tests/clients/package.json`); }' \
  @modelcontextprotocol/sdk "$PWD/examples/package.json" "$PWD/tests/clients/package.json"

# Whatever an example or its server looks for besides the folder that it makes is in a home of its own.
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
failed=()

# example NAME COMMAND...: runs one, and shows what it said only if it failed.
example() {
  local name=$1 start=$EPOCHREALTIME said outcome=ok
  shift
  said=$(HOME=$home XDG_DATA_HOME=$home timeout 60 "$@" 2>"$home/stderr") || outcome="FAILED with $?"
  if [[ $outcome == ok && $name == two_agents.py && $(<examples/README.md) != *"$said"* ]]; then
    outcome="FAILED: examples/README.md shows something else"
  fi
  printf '%-14s %s, %d ms\n' "$name" "$outcome" $(((${EPOCHREALTIME/./} - ${start/./}) / 1000))
  if [[ $outcome != ok ]]; then
    printf '%s\n' "$said"
    cat "$home/stderr"
    failed+=("$name")
  fi
}

for script in client two_agents agent; do
  example "$script.py" "$python" "examples/$script.py" "$binary"
done
example "types of ts" target/clients/node_modules/.bin/tsc --ignoreConfig --noEmit --strict --skipLibCheck \
  --module nodenext --target es2024 --types node --typeRoots target/clients/node_modules/@types target/clients/client.ts
example client.ts node target/clients/client.ts "$binary"
example client.rs "$rust" "$binary"

if ((${#failed[@]})); then
  echo "failed: ${failed[*]}" >&2
  exit 1
fi
