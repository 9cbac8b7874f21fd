/*
 * CPUID leaves base+0..4 [XEN public/arch-x86/cpuid.h; arch/x86/cpuid.c].
 *
 * Left out: base+3.2 (the host's own TSC rate, which is nobody's business here), base+5 (PV guests only).
 */
#include "xen_state.h"

void xen_cpuid_signature(struct hvs_ctx *ctx, struct hvs_cpuid_regs *regs)
{
    regs->reg[HVS_EAX] = hvs_ctx_max_leaf(ctx);
}

void xen_cpuid_version(struct hvs_ctx *ctx, struct hvs_cpuid_regs *regs)
{
    const struct hvs_xen_options options = xen_options(ctx);

    regs->reg[HVS_EAX] = (uint32_t)options.version_major << 16 | options.version_minor;
}

void xen_cpuid_hypercall(struct hvs_ctx *ctx, struct hvs_cpuid_regs *regs)
{
    regs->reg[HVS_EBX] = xen_page_msr(ctx);
}

/* EBX is the mode "default": Linux from 6.2 on drops Xen's clock where it reads "never emulate". */
void xen_cpuid_time(struct hvs_ctx *ctx, struct hvs_cpuid_regs *regs)
{
    enum { HOST_TSC_IS_RELIABLE = 1 << 1 };

    if (hvs_ctx_config(ctx)->caps & HVS_CAP_TSC_STABLE)
        regs->reg[HVS_EAX] |= HOST_TSC_IS_RELIABLE;
    regs->reg[HVS_ECX] = (uint32_t)hvs_ctx_config(ctx)->tsc_khz;
}

/* EAX and EBX, the TSC offset, stay 0: what RDTSC gives the guest has it already. */
void xen_cpuid_time_scale(struct hvs_ctx *ctx, struct hvs_cpuid_regs *regs)
{
    const struct hvs_clock *clock = hvs_ctx_clock(ctx);

    regs->reg[HVS_ECX] = clock->mul;
    regs->reg[HVS_EDX] = (uint32_t)(int32_t)clock->shift;
}

void xen_cpuid_hvm(struct hvs_ctx *ctx, struct hvs_cpuid_regs *regs)
{
    regs->reg[HVS_EBX] = ctx->vp;
    regs->reg[HVS_ECX] = xen_options(ctx).domid;
}
