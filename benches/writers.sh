#!/usr/bin/env bash
# Many processes that write one file: `baseline update` of one run, and `report -o` to one place. Prints how many failed,
# and how often a reader saw a file that was not whole.
#
#     benches/writers.sh LOADGATE [ROUNDS [WRITERS]]      10 rounds of 8
set -euo pipefail

binary=$(realpath "${1:?the path of loadgate}") rounds=${2:-10} writers=${3:-8}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat >config.yaml <<'YAML'
version: 1
name: writers
environments:
  here: {target: {command: [loadgate, demo-api, --listen, "{{ address }}"], ready: /health}, users: 2, run_time: 2s}
thresholds: {error_rate: 50%}
baseline: {budget: 10%}
scenarios:
  s: {users: {u: {wait: 5ms, steps: [{get: /health}]}}}
YAML
"$binary" run --quiet >/dev/null 2>&1 || true
run=$(realpath reports/latest/result.json)

# Reads what is there again and again, until it is told to stop; one line for every file that is not whole. A file may have
# been removed before it is read.
watch() {
    local pattern=$1 check=$2 file text
    while [ ! -e stop ]; do
        for file in $pattern; do
            text=$(cat "$file" 2>/dev/null) || continue
            $check <<<"$text" || echo "$file" >>torn
        done
    done
}
json() { python3 -c 'import json, sys; json.load(sys.stdin)' 2>/dev/null; }
html() { tail -c 16 | grep -q '</html>'; }

# Starts the writers of each round at once.
campaign() {
    local name=$1 pattern=$2 check=$3 round pids pid failed=0
    shift 3
    rm -f stop
    : >torn
    watch "$pattern" "$check" &
    local watcher=$!
    for ((round = 0; round < rounds; round++)); do
        rm -rf baselines
        pids=()
        for ((writer = 0; writer < writers; writer++)); do
            "$binary" "$@" >"log.$writer" 2>&1 &
            pids+=($!)
        done
        for pid in "${pids[@]}"; do wait "$pid" || failed=$((failed + 1)); done
    done
    touch stop
    wait "$watcher"
    local left
    left=$(find . -name '*.tmp' -o -name '.probe' | wc -l)
    printf '%s: %s of %s failed, %s torn, %s left over\n' "$name" "$failed" "$((rounds * writers))" \
        "$(wc -l <torn)" "$left"
}

campaign 'baseline update' 'baselines/*/*.json' json baseline update "$run" --allow-busy-machine
mkdir -p out
campaign 'report -o' 'out/report.html' html report "$run" --format html -o out/report.html
