#!/usr/bin/env bash
# Requests made of the document of the routes, against the program given as argument: no answer is a fault of the server,
# or another than the document tells of, and what is wrong is refused. Bounded, and with the same seed at each run.
set -euo pipefail
binary=$(realpath "${1:?usage: run.sh PATH/TO/mindcache}")
cd "$(dirname "$0")/../.."

source tests/clients/provide.sh
provide_python openapi tests/openapi/requirements.txt
schemathesis=$PWD/$(dirname "$python")/schemathesis

scratch=$(mktemp -d)
server=
trap '[[ -z $server ]] || kill "$server"; rm -rf "$scratch"' EXIT
mindcache() { "$binary" --data-dir "$scratch/data" "$@"; }
# The id of what an operation makes.
make() { mindcache --json call "$1" "$2" | "$python" -c 'import json, sys; print(json.load(sys.stdin)["id"])'; }

mindcache set notes hello
# The shortest name that there is, which is the one that requests are made with first.
for name in 0 1; do make instance_create "{\"name\": \"$name\"}" >/dev/null; done
PROJECT=$(make project_create '{"name": "0"}')
INSTANCE=$(make instance_create "{\"name\": \"main\", \"project\": \"$PROJECT\"}")
DELEGATE=$(make delegate_create '{"name": "0"}')
GROUP=$(make group_create '{"name": "0"}')
export PROJECT INSTANCE DELEGATE GROUP

admin=token-of-who-runs-the-server
ADMIN_TOKEN=$admin "$binary" --data-dir "$scratch/data" serve --listen 127.0.0.1:0 >"$scratch/told" 2>"$scratch/log" &
server=$!
until grep -q "^client config" "$scratch/told"; do
  kill -0 "$server" || { cat "$scratch/log" >&2; exit 1; }
  sleep 0.1
done
url=$(sed -n '1s/.* listening on //p' "$scratch/told")
token=$(<"$scratch/data/token")

# What follows changes does not end. Who runs the server has another token, which other routes do not look at.
# It leaves a folder where it runs.
cp tests/openapi/schemathesis.toml tests/openapi/hooks.py "$scratch"
cd "$scratch"
try() {
  "$schemathesis" --config-file schemathesis.toml run "$url/openapi.json" \
    --header "Authorization: Bearer $token" --header "X-Admin-Token: $admin" --exclude-operation-id followChanges "$@"
}
start=$SECONDS
try --phases examples,coverage
try --phases fuzzing,stateful --max-time 60
echo "the document took $((SECONDS - start)) s"
kill -0 "$server"
