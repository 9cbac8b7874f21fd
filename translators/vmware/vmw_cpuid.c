/*
 * The CPUID leaves [CPUID].
 *
 * The backdoor bits of the timing leaf stay clear: a guest that sees one leaves the port and issues VMCALL or VMMCALL,
 * which few hosts can see, while the port works everywhere.
 */
#include "vmw_state.h"

void vmw_cpuid_signature(struct hvs_ctx *ctx, struct hvs_cpuid_regs *regs)
{
    regs->reg[HVS_EAX] = hvs_ctx_max_leaf(ctx);
}

void vmw_cpuid_timing(struct hvs_ctx *ctx, struct hvs_cpuid_regs *regs)
{
    const struct hvs_vm_config *config = hvs_ctx_config(ctx);

    if (!hvs_ctx_feature(ctx, VMW_FEATURE_FREQ))
        return;
    regs->reg[HVS_EAX] = (uint32_t)config->tsc_khz;
    regs->reg[HVS_EBX] = (uint32_t)(config->apic_hz / 1000);
}
