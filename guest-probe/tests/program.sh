#!/bin/sh
# Runs the probe as a program on this machine, whatever it is: its lines, its exit statuses, --watch and its end.
#
# usage: program.sh COMMAND...      the program, with what runs it (wine) before it
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    cat "$work/out"
    echo "FAILED: $*"
    exit 1
}
# expect STATUS WORD...
expect() {
    wanted=$1
    shift
    status=0
    "$@" >"$work/raw" 2>"$work/err" </dev/null || status=$?
    tr -d '\r' <"$work/raw" >"$work/out"
    [ "$status" -eq "$wanted" ] || fail "exit status $status, not $wanted, of: $*"
}
nr_of() {
    grep -c "^{\"type\":\"$1\"," "$work/out" || true
}

expect 0 "$@" --help
grep -q '^usage: guest-probe' "$work/out" || fail "no usage"
for wrong in --nonsense "--watch 0" "--watch soon" "--watch-count 1" "--watch --stats" "--watch --watch-count 0" \
    "--watch --watch-count"; do
    # shellcheck disable=SC2086 # words
    expect 2 "$@" $wrong
done

# What the machine is worth is not this test's matter: that the exit status says the same as the last line is.
status=0
"$@" --both >"$work/raw" </dev/null || status=$?
tr -d '\r' <"$work/raw" >"$work/out"
cat "$work/out"
case $status in
0) sound=true ;;
1) sound=false ;;
*) fail "exit status $status" ;;
esac
[ "$(nr_of machine)" -eq 1 ] || fail "no machine"
[ "$(nr_of interface)" -eq "$(nr_of verdict)" ] || fail "not one verdict for each interface"
tail -n 1 "$work/out" | grep -q '^{"type":"total",.*"sound":'$sound'}$' || fail "the last line does not say $sound"
! grep -q '"cpl":0' "$work/out" || fail "a program is not at CPL 0"

expect 0 "$@" --watch 0.05 --watch-count 3 --both
cat "$work/out"
[ "$(nr_of watch)" -eq 3 ] || fail "not three intervals"
[ "$(nr_of watch_total)" -eq 1 ] || fail "no total"
grep -q '^3 intervals, ns$' "$work/out" || fail "no total in the table"
grep -q '"exit":{"min":[1-9]' "$work/out" || fail "an exit costs nothing"
