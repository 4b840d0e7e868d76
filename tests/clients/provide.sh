# What the scripts that run real clients need, for them to source at the root of the repository: Python with venv, Node,
# the npm packages of this folder in target/clients, and `provide_python`. Everything is kept under target/.

if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
  apt-get update -q
  apt-get install -qy python3 python3-venv
fi
source tests/node.sh
provide_npm target/clients tests/clients

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
