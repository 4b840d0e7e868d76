# Node and npm for the scripts that need them, to be sourced at the root of the repository, and `provide_npm`.
# Everything is kept under target/.

if ! command -v npm >/dev/null; then
  apt-get update -q
  apt-get install -qy nodejs npm
fi

# The Inspector needs Node 22.19; from 22.18 on Node runs TypeScript.
export PATH="$PWD/target/node/node_modules/.bin:$PATH"
if ! node -e 'const [major, minor] = process.versions.node.split(".").map(Number);
    process.exit(major > 22 || (major === 22 && minor >= 19) ? 0 : 1)' 2>/dev/null; then
  npm install --prefix target/node --no-audit --no-fund --silent node@22.23.3
  hash -r
fi

# provide_npm FOLDER OF: installs what OF/package-lock.json pins into FOLDER. After a change of OF/package.json,
# `npm install --package-lock-only --omit-lockfile-registry-resolved` renews the lock file.
provide_npm() {
  mkdir -p "$1"
  if ! cmp -s "$2/package-lock.json" "$1/installed"; then
    cp "$2/package.json" "$2/package-lock.json" "$1"
    npm ci --prefix "$1" --ignore-scripts --no-audit --no-fund --silent
    cp "$2/package-lock.json" "$1/installed"
  fi
}
