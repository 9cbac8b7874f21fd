/* Private: a KVM exit as a struct hvs_exit with registers. Pure, so that it is tested without a VM. */
#ifndef HVSHIM_KVM_NORMALISE_H
#define HVSHIM_KVM_NORMALISE_H

#include <hvshim/exit.h>
#include <hvshim/hvshim.h>

#include <linux/kvm.h>

enum {
    /*
     * OUT imm8,AL to these is a hypercall: 0xe4 + slot from that personality's hypercall page, 0xe7 from a patched
     * VMCALL or VMMCALL. No PC device is there, and OUT leaves all registers as they are. OUT imm8,EAX to a slot's is
     * its signal_insn: the kernel tells them apart by their width.
     */
    HVS_KVM_PORT_SLOT = 0xe4,
    HVS_KVM_PORT_RAW = HVS_KVM_PORT_SLOT + HVS_MAX_SLOTS,
    /*
     * In the pages it has a prefix without meaning, and so the length of VMCALL and VMMCALL: a vCPU that is stopped in
     * a page, and goes on where KVM's own code writes it, or the other way round, finds the next instruction there.
     */
    HVS_KVM_PREFIX = 0x3e,
    HVS_KVM_OUT_BYTES = 2,
    HVS_KVM_PAGE_OUT_BYTES = 3,
    HVS_KVM_SIGNAL_BYTES = 4,   /* what signal_insn writes */
};

/* Which exits are ours. */
struct hvs_kvm_claims {
    uint32_t nr_slots;
    bool has_raw;               /* a personality claims raw hypercalls */
    uint32_t nr_deny, nr_pio;
    struct hvs_range *deny;     /* MSRs that the guest reaches by us or not at all */
    struct hvs_range *pio;
};

/*
 * Returns true, with *exit, when the exit in `run` is ours; `regs` is filled for kinds that carry registers.
 * Needs the synchronised registers and special registers in `run`.
 */
bool hvs_kvm_normalise(const struct kvm_run *run, const struct hvs_kvm_claims *claims, struct hvs_exit *exit,
                       struct hvs_regs *regs);
/* Puts RAX..R15, and nothing else, back. */
void hvs_kvm_put_regs(struct kvm_run *run, const struct hvs_regs *regs);

#endif
