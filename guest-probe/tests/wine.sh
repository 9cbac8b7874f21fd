#!/bin/sh
# Runs the Windows program under Wine, in a prefix of its own: all that program.sh wants of a program, the faults that
# it must survive, and the same interfaces as the Linux program sees.
#
# usage: wine.sh guest-probe.exe guest-probe
set -eu
exe=$1
native=$2
here=$(dirname "$0")

# Debian's package wine64 alone puts no command into PATH.
PATH=$PATH:/usr/lib/wine
if ! wine=$(command -v wine64 || command -v wine); then
    echo "skipped: there is no Wine (Debian package wine64)"
    exit 77
fi
work=$(mktemp -d)
finish() {
    wineserver -k 2>/dev/null || true
    wineserver -w 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
export WINEPREFIX="$work/prefix" WINEDEBUG=-all WINEDLLOVERRIDES="mscoree,mshtml="

"$here/program.sh" "$wine" "$exe"

"$wine" "$exe" --json </dev/null | tr -d '\r' >"$work/windows"
"$native" --json </dev/null >"$work/linux"
grep -q '"kernel":"Windows [0-9.]*, by Wine ' "$work/windows" || { echo "FAILED: it does not see Wine"; exit 1; }
for out in windows linux; do
    grep '^{"type":"interface"' "$work/$out" >"$work/$out.interfaces" || true
done
diff "$work/linux.interfaces" "$work/windows.interfaces"
