#!/bin/sh
# Ends a watch by SIGINT, as Ctrl-C does: the summary still comes, and the exit status is 0.
#
# usage: interrupted.sh guest-probe
set -eu
out=$(mktemp)
trap 'rm -f "$out"' EXIT

# A shell has its background jobs ignore SIGINT, so timeout sends it.
status=0
timeout --preserve-status --signal=INT --kill-after=5 2 "$1" --watch 600 --json >"$out" </dev/null || status=$?
cat "$out"
[ "$status" -eq 0 ]
[ "$(wc -l <"$out")" -eq 2 ]
tail -n 1 "$out" | grep -q '^{"type":"watch_total","intervals":1,'
