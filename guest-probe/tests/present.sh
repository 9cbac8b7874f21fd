#!/bin/sh
# Runs the probe kernel under one persona and checks which interfaces it finds and that all their features work.
#
# usage: present.sh hvshim guest-probe.elf PERSONA[,PERSONA] [OPTION...]      options are for hvshim vm
set -eu
hvshim=$1
kernel=$2
personas=$3
shift 3
if ! [ -r /dev/kvm ] || ! [ -w /dev/kvm ]; then
    echo "skipped: no access to /dev/kvm"
    exit 77
fi
out=$(mktemp)
trap 'rm -f "$out"' EXIT

# What must work under each persona: the issue's list. Whatever else is advertised must work too.
required_of() {
    case $1 in
    hyperv) printf '%s\n' 'leaves' 'GUEST_OS_ID' 'hypercall page' 'VP_INDEX' 'TIME_REF_COUNT' 'REFERENCE_TSC page' \
        'TSC_FREQUENCY' 'APIC_FREQUENCY' 'crash MSRs' 'SynIC' 'stimer, direct' 'stimer, periodic' 'stimer, message' \
        'PostMessage' 'SignalEvent' 'SynIC pages give RAM back' 'reenlightenment' \
        'unknown MSR faults' 'read-only MSR faults' \
        'pages give RAM back' \
        'SendSyntheticClusterIpi' 'GetVpRegisters' ;;
    xen) printf '%s\n' 'leaves' 'time leaf' 'hypercall page' 'xen_version' 'get_features' 'unused hypercall' \
        'shared_info' 'wall clock' 'vcpu_info' 'pvclock' 'upcall vector' 'HVM parameters' 'event channel ports' \
        'event to self' 'singleshot timer' 'multicall' 'memory' 'run state' 'periodic timer' 'FIFO channels' \
        'grant table' 'grant copy' 'console_io' 'console' ;;
    vmware) printf '%s\n' 'timing leaf' 'GETVERSION' 'GETHZ' 'GET_VCPU_INFO' 'GuestRPC' 'upper register halves' \
        'unknown command' ;;
    esac
}

status=0
timeout 60 "$hvshim" vm --present "$personas" --hyperv-echo 1000 "$@" --append both "$kernel" >"$out" </dev/null || status=$?
cat "$out"

fail() {
    echo "FAILED: $*"
    exit 1
}
case $personas in
*hyperv*) [ "$(grep -c 'echo came back\|flag 1234 came back' "$out")" -ge 2 ] || fail "no echo" ;;
esac
case $personas in
*xen*) grep -q 'guest-probe says hello on hvc0' "$out" || fail "nothing on hvc0" ;;
esac
for persona in hyperv xen vmware; do
    case ,$personas, in
    *,$persona,*) is_wanted=yes ;;
    *) is_wanted=no ;;
    esac
    is_there=no
    ! grep -q "^{\"type\":\"interface\",\"interface\":\"$persona\"" "$out" || is_there=yes
    [ $is_wanted = $is_there ] || fail "$persona: wanted $is_wanted, found $is_there"
    [ $is_wanted = yes ] || continue
    required_of $persona | while read -r feature; do
        grep -q "\"interface\":\"$persona\".*\"feature\":\"$feature\".*\"state\":\"works\"" "$out" ||
            fail "$persona: $feature does not work"
    done
done
[ "$status" -eq 1 ] || fail "exit status $status, not 1 (0 written to the test port)"
