/*
 * CPUID leaves 0x40000000, 2, 4 and 0x80-82: what depends on options and configuration [TLFS feature-discovery].
 *
 * The other leaves are fixed or made of feature bits: hv_rows.c. The version is told before the guest has said who
 * it is (TLFS 6.0b would hide it until then): on most hosts CPUID does not exit, so it cannot change.
 */
#include <hvshim/hyperv.h>
#include <hvshim/translators.h>

#include "hv_state.h"

enum { STACK_LEAF = HV_CPUID_VIRTUALIZATION_STACK_VENDOR - HV_CPUID_VENDOR_AND_MAX_FUNCTION };

/* The virtualization stack's leaves are a range of their own, which leaf 0x40000000 does not count. */
static uint32_t max_leaf(void)
{
    uint32_t max = 0;

    for (uint32_t i = 0; i < hvs_hv_personality.nr_cpuid; i++) {
        if (hvs_hv_personality.cpuid[i].leaf < STACK_LEAF)
            max = hvs_hv_personality.cpuid[i].leaf;
    }
    return max;
}

void hv_cpuid_vendor(struct hvs_ctx *ctx, struct hvs_cpuid_regs *regs)
{
    struct hvs_hv_options o = hv_options(ctx);

    regs->reg[HVS_EAX] = hvs_ctx_base(ctx) + max_leaf();
    memcpy(&regs->reg[HVS_EBX], o.vendor_id, sizeof(o.vendor_id));     /* EBX, ECX, EDX */
}

void hv_cpuid_version(struct hvs_ctx *ctx, struct hvs_cpuid_regs *regs)
{
    struct hvs_hv_options o = hv_options(ctx);

    regs->reg[HVS_EAX] = o.build_number;
    regs->reg[HVS_EBX] = (uint32_t)o.major_version << 16 | o.minor_version;
    regs->reg[HVS_ECX] = o.service_pack;
    regs->reg[HVS_EDX] = (uint32_t)o.service_branch << 24 | (o.service_number & 0xffffff);
}

void hv_cpuid_enlightenments(struct hvs_ctx *ctx, struct hvs_cpuid_regs *regs)
{
    bool wants_notice = hvs_ctx_feature(ctx, HV_FEATURE_SPINLOCKS);
    bool can_auto_eoi = hvs_ctx_config(ctx)->caps & HVS_CAP_PAST_APIC;

    if (hvs_ctx_feature(ctx, HV_FEATURE_SYNIC) && !can_auto_eoi)
        regs->reg[HVS_EAX] |= 1u << HV_DEPRECATE_AUTO_EOI;
    if (hvs_ctx_feature(ctx, HV_FEATURE_TLBFLUSH) || hvs_ctx_feature(ctx, HV_FEATURE_IPI))
        regs->reg[HVS_EAX] |= 1u << HV_USE_EX_PROCESSOR_MASKS;
    regs->reg[HVS_EBX] = wants_notice ? hv_options(ctx).spinlock_retries : HV_SPIN_RETRIES_NEVER_NOTIFY;
    regs->reg[HVS_ECX] = hvs_ctx_config(ctx)->phys_bits & HV_IMPLEMENTED_PHYSICAL_ADDRESS_BITS_MASK;
}

/* As QEMU has them: where there is no debug device they are as leaves that do not exist. */
void hv_cpuid_stack_vendor(struct hvs_ctx *ctx, struct hvs_cpuid_regs *regs)
{
    if (hvs_ctx_feature(ctx, HV_FEATURE_SYNDBG))
        memcpy(&regs->reg[HVS_EBX], "Microsoft VS", 3 * sizeof(uint32_t));
}

void hv_cpuid_stack_interface(struct hvs_ctx *ctx, struct hvs_cpuid_regs *regs)
{
    if (hvs_ctx_feature(ctx, HV_FEATURE_SYNDBG))
        regs->reg[HVS_EAX] = HV_VS_INTERFACE_SIGNATURE;
}

void hv_cpuid_stack_properties(struct hvs_ctx *ctx, struct hvs_cpuid_regs *regs)
{
    if (hvs_ctx_feature(ctx, HV_FEATURE_SYNDBG))
        regs->reg[HVS_EAX] = 1u << HV_VS_PROPERTIES_DEBUG_DEVICE_PRESENT;
}
