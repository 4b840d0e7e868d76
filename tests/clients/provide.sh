# What the scripts that run real clients need, for them to source at the root of the repository: Python with venv, a Node
# that is new enough, the npm packages of this folder in target/clients, and `provide_python`.
# Everything is kept under target/. The packages are pinned: after a change of package.json,
# `npm install --package-lock-only --omit-lockfile-registry-resolved` renews the lock file.

# The Inspector needs Node 22.19; from 22.18 on Node runs TypeScript.
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

# provide_python NAME REQUIREMENTS [CONSTRAINTS]: a virtual environment with these packages; its Python is in `python`.
provide_python() {
  local folder=target/$1 requirements=$2 wanted
  wanted=$(cat "${@:2}")
  python=$folder/bin/python
  if [[ "$(cat "$folder/installed" 2>/dev/null)" != "$wanted" ]]; then
    python3 -m venv --clear "$folder"
    "$python" -m pip install --quiet --no-compile --disable-pip-version-check -r "$requirements" ${3:+-c "$3"}
    echo "$wanted" >"$folder/installed"
  fi
}
