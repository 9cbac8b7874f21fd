/*
 * The CPUID leaves [CPUID].
 *
 * A guest that sees one of the backdoor bits leaves the port and issues VMCALL or VMMCALL. So there is one only where
 * the host says that this very instruction leaves the guest, and the user wants it.
 */
#include "vmw_state.h"

void vmw_cpuid_signature(struct hvs_ctx *ctx, struct hvs_cpuid_regs *regs)
{
    const char *signature = vmw_options(ctx)->signature;

    regs->reg[HVS_EAX] = hvs_ctx_max_leaf(ctx);
    if (signature[0])
        memcpy(&regs->reg[HVS_EBX], signature, 12);
}

static uint32_t backdoor_bit(const struct hvs_ctx *ctx)
{
    static const uint8_t vmcall[] = {0x0f, 0x01, 0xc1}, vmmcall[] = {0x0f, 0x01, 0xd9};
    uint8_t code[8];

    if (!hvs_ctx_feature(ctx, VMW_FEATURE_VMCALL) || hvs_ctx_hypercall_code(ctx, code) != sizeof(vmcall))
        return 0;
    if (memcmp(code, vmcall, sizeof(vmcall)) == 0)
        return VMW_CPUID_VMCALL_BACKDOOR;
    return memcmp(code, vmmcall, sizeof(vmmcall)) == 0 ? VMW_CPUID_VMMCALL_BACKDOOR : 0;
}

void vmw_cpuid_timing(struct hvs_ctx *ctx, struct hvs_cpuid_regs *regs)
{
    const struct hvs_vm_config *config = hvs_ctx_config(ctx);

    regs->reg[HVS_ECX] = backdoor_bit(ctx);
    if (!hvs_ctx_feature(ctx, VMW_FEATURE_FREQ))
        return;
    regs->reg[HVS_EAX] = (uint32_t)config->tsc_khz;
    regs->reg[HVS_EBX] = (uint32_t)(config->apic_hz / 1000);
}
