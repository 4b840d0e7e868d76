#!/usr/bin/env bash
# The live page of the program given as argument, in Debian's Chromium: a line for each thing that it must do.
# Everything it needs is installed under target/ and kept there; screenshots go to target/page/shots. The packages are
# pinned: after a change of package.json, `npm install --package-lock-only --omit-lockfile-registry-resolved` renews the
# lock file.
set -euo pipefail
binary=$(realpath "${1:?usage: run.sh PATH/TO/mindcache [NAME OF A PART]}")
cd "$(dirname "$0")/../.."

missing=()
[[ -x /usr/bin/chromium ]] || missing+=(chromium)
command -v npm >/dev/null || missing+=(nodejs npm)
if ((${#missing[@]})); then
  apt-get update -q
  apt-get install -qy "${missing[@]}"
fi

# Playwright needs Node 20; the one of the clients' tests does.
export PATH="$PWD/target/node/node_modules/.bin:$PATH"
if ! node -e 'process.exit(process.versions.node.split(".")[0] >= 20 ? 0 : 1)' 2>/dev/null; then
  npm install --prefix target/node --no-audit --no-fund --silent node@22.23.3
  hash -r
fi

mkdir -p target/page/shots
if ! cmp -s tests/page/package-lock.json target/page/installed; then
  cp tests/page/package.json tests/page/package-lock.json target/page/
  npm ci --prefix target/page --ignore-scripts --no-audit --no-fund --silent
  cp tests/page/package-lock.json target/page/installed
fi
# Node looks for packages beside the scripts.
cp tests/page/*.mjs target/page/
node target/page/run.mjs "$binary" "${2:-}"
