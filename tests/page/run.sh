#!/usr/bin/env bash
# The live page of the program given as argument, in Debian's Chromium: a line for each thing that it must do.
# Everything it needs is installed under target/ and kept there; screenshots go to target/page/shots.
set -euo pipefail
binary=$(realpath "${1:?usage: run.sh PATH/TO/mindcache [NAME OF A PART]}")
cd "$(dirname "$0")/../.."

if [[ ! -x /usr/bin/chromium ]]; then
  apt-get update -q
  apt-get install -qy chromium
fi
source tests/node.sh
provide_npm target/page tests/page
mkdir -p target/page/shots
# Node looks for packages beside the scripts.
cp tests/page/*.mjs target/page/
node target/page/run.mjs "$binary" "${2:-}"
