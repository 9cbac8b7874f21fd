/* Private: INS and OUTS as whole instructions. */
#ifndef HVSHIM_KVM_STRING_H
#define HVSHIM_KVM_STRING_H

#include <hvshim/exit.h>
#include <hvshim/hvshim.h>

#include <linux/kvm.h>

/* What instruction lies at `code`, at most 15 bytes of it. Pure. */
struct hvs_kvm_string {
    bool is_string;             /* INS or OUTS of bytes, with REP, by registers of the code's own address size */
    bool is_in;
};
struct hvs_kvm_string hvs_kvm_string_decode(const uint8_t *code, uint32_t bytes, uint8_t code_bits);

/*
 * At a PIO exit of a port that takes strings: where this is a REP INSB or OUTSB, has the exit say so, with `regs` and
 * count as before the instruction. Returns whether it is. What is not (no REP, another size, a segment with a base)
 * stays as it is.
 */
struct hvs_kvm_vcpu;
bool hvs_kvm_string_begin(struct hvs_kvm_vcpu *vcpu, struct hvs_exit *exit, struct hvs_regs *regs);
/* Afterwards: gives the guest `regs`, as behind the instruction that began with `before`. */
void hvs_kvm_string_end(struct hvs_kvm_vcpu *vcpu, const struct hvs_regs *before, struct hvs_regs *regs);

#endif
