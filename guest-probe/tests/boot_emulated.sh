#!/bin/sh
# Boots the probe kernel under QEMU without KVM, by one of its two entries, and checks what it says of the one
# interface there: QEMU's VMware port, which works but for the upper halves of registers (QEMU issue 3293).
#
# usage: boot_emulated.sh multiboot|pvh guest-probe.elf
set -eu
loader=$1
kernel=$2
if ! command -v qemu-system-x86_64 >/dev/null; then
    echo "skipped: qemu-system-x86_64 is missing (Debian package qemu-system-x86)"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# QEMU prefers multiboot: without that header's magic number it takes the PVH note.
cp "$kernel" "$work/kernel"
if [ "$loader" = pvh ]; then
    at=$(LC_ALL=C grep -obaP '\x02\xb0\xad\x1b' "$kernel" | head -n 1 | cut -d: -f1)
    printf '\0\0\0\0' | dd of="$work/kernel" bs=1 seek="$at" conv=notrunc status=none
fi

status=0
timeout 60 qemu-system-x86_64 -accel tcg -M pc,vmport=on -m 64 -display none -no-reboot -serial stdio -monitor none \
    -device isa-debug-exit,iobase=0xf4,iosize=0x04 -kernel "$work/kernel" -append both >"$work/out" </dev/null ||
    status=$?
cat "$work/out"

fail() {
    echo "FAILED: $*"
    exit 1
}
state_of() {
    sed -n "s/.*\"interface\":\"vmware\".*\"feature\":\"$1\".*\"state\":\"\([a-z]*\)\".*/\1/p" "$work/out"
}
[ "$(state_of GETVERSION)" = works ] || fail "GETVERSION does not work"
[ "$(state_of 'unknown command')" = works ] || fail "the unknown command does not work"
[ "$(state_of 'timing leaf')" = absent ] || fail "a timing leaf appeared"
[ "$(state_of GETHZ)" = absent ] || fail "GETHZ appeared"
halves=$(state_of 'upper register halves')
case $halves in
works) [ "$status" -eq 1 ] || fail "exit status $status, not 1, although everything works" ;;
broken) [ "$status" -eq 3 ] || fail "exit status $status, not 3, although a row is broken" ;;
*) fail "upper register halves: '$halves'" ;;
esac
tail -n 1 "$work/out" | grep -q '^{"type":"total",' || fail "the last line is not the total"
