#!/usr/bin/env bash
# Real clients against the program given as argument, a line for each client, transport and era.
# Everything it needs is installed under target/ and kept there. The packages are pinned: after a change of
# package.json, `npm install --package-lock-only --omit-lockfile-registry-resolved` renews the lock file.
set -euo pipefail
binary=$(realpath "${1:?usage: run.sh PATH/TO/mindcache}")
cd "$(dirname "$0")/../.."

# The Inspector needs Node 22.19.
new_enough() {
  node -e 'const [major, minor] = process.versions.node.split(".").map(Number);
    process.exit(major > 22 || (major === 22 && minor >= 19) ? 0 : 1)' 2>/dev/null
}
has_venv() { python3 -c 'import ensurepip, venv' 2>/dev/null; }

missing=()
has_venv || missing+=(python3 python3-venv)
command -v npm >/dev/null || missing+=(nodejs npm)
if ((${#missing[@]})); then
  apt-get update -q
  apt-get install -qy "${missing[@]}"
fi

export PATH="$PWD/target/node/node_modules/.bin:$PATH"
new_enough || npm install --prefix target/node --no-audit --no-fund --silent node@22.23.3
hash -r

mkdir -p target/clients
if ! cmp -s tests/clients/package-lock.json target/clients/installed; then
  cp tests/clients/package.json tests/clients/package-lock.json target/clients/
  npm ci --prefix target/clients --ignore-scripts --no-audit --no-fund --silent
  cp tests/clients/package-lock.json target/clients/installed
fi
# Node looks for packages beside the scripts.
cp tests/clients/*.mjs target/clients/

wanted=mcp==1.30.0
python=target/python-client/bin/python
if [[ "$(cat target/python-client/installed 2>/dev/null)" != "$wanted" ]]; then
  python3 -m venv target/python-client
  "$python" -m pip install --quiet --disable-pip-version-check "$wanted"
  echo "$wanted" >target/python-client/installed
fi

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
