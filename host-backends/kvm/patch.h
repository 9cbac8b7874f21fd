/* Private: finds and patches a guest kernel's own hypercall instructions. Pure. */
#ifndef HVSHIM_KVM_PATCH_H
#define HVSHIM_KVM_PATCH_H

#include <hvshim/base.h>

/*
 * Patches each pair of hypercall functions in `text`: a VMCALL and a VMMCALL, 16, 32 or 64 bytes apart, each followed
 * by the same return (RET, or JMP to the same target). Other such instructions are left alone.
 * Returns the number of pairs.
 */
uint32_t hvs_kvm_patch_text(uint8_t *text, size_t bytes);

#endif
