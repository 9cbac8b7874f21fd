/*
 * Private to the VMware translator: its features, the convention of its commands, and their handlers.
 *
 * A command is a hypercall row. Its handler finds the guest's EBX ECX EDX ESI EDI EBP in call->arg by enum vmw_arg,
 * 32 bits each, writes its results there, and returns EAX. Results that do not fit 32 bits cannot be: the upper
 * halves of the guest's registers stay as they are, whatever the width of the guest.
 */
#ifndef VMW_STATE_H
#define VMW_STATE_H

#include <hvshim/personality.h>

#include "vmw_abi.h"

enum vmw_feature {
    VMW_FEATURE_VMPORT,
    VMW_FEATURE_FREQ,
    VMW_FEATURE_VMCALL,
    VMW_NR_FEATURES,
};

enum vmw_arg { VMW_EBX, VMW_ECX, VMW_EDX, VMW_ESI, VMW_EDI, VMW_EBP, VMW_NR_ARGS };

/* hvs_hcall_row.flags, above those of the core: from other CPLs the command is as if it did not exist. */
#define VMW_ROW_CPL0 (1u << 7)

/* vmw_rows.c: the VMM's options, or NULL */
struct hvs_vmw_options;
const struct hvs_vmw_options *vmw_options(const struct hvs_ctx *ctx);

/* vmw_backdoor.c: the transports */
enum hvs_verdict vmw_port(struct hvs_ctx *ctx);
enum hvs_verdict vmw_hypercall(struct hvs_ctx *ctx);
bool vmw_claims_raw(const struct hvs_regs *regs);

/* vmw_cpuid.c */
void vmw_cpuid_signature(struct hvs_ctx *ctx, struct hvs_cpuid_regs *regs);
void vmw_cpuid_timing(struct hvs_ctx *ctx, struct hvs_cpuid_regs *regs);

/* vmw_info.c: what the VM is */
hvs_hcall_fn vmw_getversion, vmw_gethwversion, vmw_getuuid, vmw_getmemsize, vmw_get_vcpu_info;

/* vmw_time.c: frequencies and the time of day */
hvs_hcall_fn vmw_getmhz, vmw_gethz, vmw_gettime, vmw_gettimefull, vmw_gettimefull_with_lag;

#endif
