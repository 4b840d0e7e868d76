#!/usr/bin/env bash
# The JavaScript client as the program given as argument hands it out: alone, in a simulation (SEEDS=1000 for more runs of
# it, SEED=17 for that one), and against the program's own server; its types, and the samples of the specification.
set -euo pipefail
binary=$(realpath "${1:?usage: run.sh PATH/TO/mindcache}")
cd "$(dirname "$0")/../.."

source tests/clients/provide.sh
rm -rf target/client
mkdir -p target/client
# Node looks for packages beside the scripts.
cp -r tests/client/*.mjs tests/client/*.ts tests/client/samples target/client/
"$binary" client --out target/client/node_modules/mindcache >/dev/null
# Its own test of what it overwrites: what it wrote, and nothing else.
"$binary" client --out target/client/node_modules/mindcache >/dev/null
if "$binary" client --out target/client 2>/dev/null; then
  echo "client --out wrote into a folder with other files" >&2
  exit 1
fi

target/clients/node_modules/.bin/tsc --ignoreConfig --noEmit --strict --module nodenext --target es2024 --lib es2024,dom \
  --types node --typeRoots target/clients/node_modules/@types target/client/types.ts target/client/samples/*.ts
echo "types: ok"

MINDCACHE_BINARY=$binary node --test --test-timeout=300000 --test-reporter=spec target/client/*.test.mjs
