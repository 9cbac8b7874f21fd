/* What other threads left for a vCPU's own thread to do. */
#include "backend.h"

void hvs_kvm_work(struct hvs_kvm_vcpu *vcpu, uint32_t work)
{
    if (work & HVS_KVM_WORK_APIC)
        hvs_kvm_stub_own(vcpu);
    if (work & HVS_KVM_WORK_START)
        hvs_kvm_start_own(vcpu);
    /* One that is to stop right after its start may hear of both in any order, and goes on from that start. */
    if (work & HVS_KVM_WORK_STOP || (work & HVS_KVM_WORK_START && hvs_vcpu_is_to_stop(vcpu->vcpu)))
        hvs_kvm_stop_own(vcpu);
    if (work & HVS_KVM_WORK_WAKE)
        hvs_kvm_poll_end(vcpu);
    if (work & HVS_KVM_WORK_FLUSH)
        hvs_kvm_flush_own(vcpu);
    if (work & HVS_KVM_WORK_TIMER)
        hvs_kvm_timer_own(vcpu);
    if (work & HVS_KVM_WORK_PAST_APIC)
        hvs_kvm_past_apic_own(vcpu);
}
