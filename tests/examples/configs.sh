#!/usr/bin/env bash
# Holds examples/configs/ to what `mindcache print-config` prints: a file for each client of `install --list`, no other.
#
#   tests/examples/configs.sh BINARY            fails if one differs
#   tests/examples/configs.sh BINARY --write    writes them
set -euo pipefail
binary=$(realpath "${1:?usage: configs.sh BINARY [--write]}")
what=${2:-}
cd "$(dirname "$0")/../.."

# A home without configurations, so that the list has nothing of this machine's in it.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
clean=(env -i "HOME=$scratch" PATH=/usr/bin:/bin)
mkdir "$scratch/configs"

"${clean[@]}" "$binary" install --list >"$scratch/list"
while read -r client rest; do
  # Each is named like the file that it goes into ends.
  "${clean[@]}" "$binary" print-config --client "$client" |
    sed "s#$binary#mindcache#" >"$scratch/configs/$client.${rest##*.}"
done <"$scratch/list"

if [[ $what == --write ]]; then
  rm -rf examples/configs
  cp -r "$scratch/configs" examples/configs
fi
diff -ru examples/configs "$scratch/configs" ||
  { echo "examples/configs: renew it with tests/examples/configs.sh BINARY --write" >&2; exit 1; }
echo "configs        ok, $(wc -l <"$scratch/list") clients"
