#!/usr/bin/env bash
# Runs the conformance suite of the Model Context Protocol, in both eras of the protocol, against the fixture server
# and against the product itself. Fails if a check fails that the lists beside this file do not name, or passes
# although they name it.
#
#   tests/conformance/run.sh BINARY EXAMPLE_BINARY
#
# BINARY is `mindcache`, EXAMPLE_BINARY the example `conformance_server`. Node and the suite are fetched with npm when
# they are not there. What the runs print and find stays in target/conformance/results.
set -euo pipefail

readonly version=0.2.0-alpha.12
readonly eras=(2025-11-25 2026-07-28)

if [[ $# -ne 2 ]]; then
    echo "usage: $0 BINARY EXAMPLE_BINARY" >&2
    exit 2
fi
product=$(realpath "$1")
example=$(realpath "$2")
cd "$(dirname "$0")/../.."
source tests/node.sh
lists=$PWD/tests/conformance
tools=$PWD/target/conformance
results=$tools/results
scratch=$(mktemp -d)
servers=()

clean_up() {
    for server in ${servers[@]+"${servers[@]}"}; do
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    done
    rm -rf "$scratch"
}
trap clean_up EXIT

# start NAME COMMAND...: starts a server and waits for the line with its address, which is then in `url`.
start() {
    local name=$1 output line
    shift
    exec {output}< <(exec "$@" 2>"$results/$name.stderr")
    servers+=("$!")
    while IFS= read -r -t 60 -u "$output" line; do
        if [[ $line =~ listening\ on\ (http://[^[:space:]]+) ]]; then
            url=${BASH_REMATCH[1]}
            return
        fi
    done
    echo "$name did not say where it listens:" >&2
    cat "$results/$name.stderr" >&2
    exit 1
}

# required ERA: the scenarios that count for an era.
required() {
    local list=$suite/@modelcontextprotocol/conformance/requirements/$1.yaml
    awk '/^[a-z_]+:/ { part = $1 } part == "server:" && $1 == "-" { printf "%s ", $2 }' "$list"
}

# score LOG SCENARIOS: what the summary of a run says of these scenarios, or of all if none is named.
score() {
    awk -v only="$2" '
        BEGIN { count = split(only, names, " "); for (i in names) wanted[names[i]] }
        $4 == "passed," && $6 == "failed" {
            name = $2
            sub(/:$/, "", name)
            if (count && !(name in wanted)) next
            scenarios += 1
            whole += $5 == 0
            passed += $3
            checks += $3 + $5
        }
        END { printf "%d of %d scenarios, %d of %d checks", whole, scenarios, passed, checks }
    ' "$1"
}

# run NAME ERA URL LIST SCENARIOS ARGUMENT...: one run and its closing line.
run() {
    local name=$1-$2 target=$3/mcp list=$4 only=$5
    shift 5
    local log=$results/$name.log
    if conformance server --url "$target" "$@" --expected-failures "$lists/$list" -o "$results/$name" >"$log" 2>&1; then
        echo "$name: $(score "$log" "$only") pass, nothing unexpected"
    else
        sed -n '/Stale baseline entries\|Unexpected failures (/,$p' "$log" | grep . >&2 || tail -n 20 "$log" >&2
        echo "$name: $(score "$log" "$only") pass, FAILED: see $log"
        failed=1
    fi
}

suite=$tools/suite-$version/node_modules
if [[ ! -x $suite/.bin/conformance ]]; then
    npm install --prefix "$tools/suite-$version" --no-audit --no-fund --silent "@modelcontextprotocol/conformance@$version"
fi
PATH=$suite/.bin:$PATH
rm -rf "$results"
mkdir -p "$results"

failed=0
start example "$example" --listen 127.0.0.1:0
for era in "${eras[@]}"; do
    run example "$era" "$url" example.yml "$(required "$era")" --requirements "$era"
done
# All scenarios of an era, not only those that count: some of the others test the transport.
start product "$product" --data-dir "$scratch" serve --listen 127.0.0.1:0 --no-auth
for era in "${eras[@]}"; do
    run product "$era" "$url" "product-$era.yml" "" --suite all --spec-version "$era"
done
exit "$failed"
