#!/usr/bin/env bash
# Real clients against the program given as argument, a line for each client, transport and era.
# `provide.sh` installs what they need.
set -euo pipefail
binary=$(realpath "${1:?usage: run.sh PATH/TO/mindcache}")
cd "$(dirname "$0")/../.."

source tests/clients/provide.sh
provide_python python-client tests/clients/requirements.txt
# Node looks for packages beside the scripts.
cp tests/clients/*.mjs target/clients/

start=$SECONDS
failed=()
"$python" tests/clients/python.py "$binary" || failed+=(python)
for client in typescript1 typescript2 inspector; do
  node "target/clients/$client.mjs" "$binary" || failed+=("$client")
done
echo "all clients took $((SECONDS - start)) s"
if ((${#failed[@]})); then
  echo "failed: ${failed[*]}" >&2
  exit 1
fi
