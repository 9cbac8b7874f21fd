/*
 * The Xen matrix: CPUID leaves [arch-x86/cpuid.h], the hypercall page and its MSR [doc guest-guide/x86/hypercall-abi],
 * and the rules for callers.
 */
#include "xen_matrix.h"

#include <xen/arch-x86/cpuid.h>
#include <xen/hvm/hvm_op.h>
#include <xen/version.h>

enum { EAX, EBX, ECX, EDX, NR_STUBS = 128, STUB_BYTES = 32, OP_MOV_EAX = 0xb8 };

static uint32_t leaf(const struct xen *x, uint32_t offset, uint32_t reg)
{
    return matrix_cpuid(x->matrix, x->base + offset, reg);
}

/* --- leaves ------------------------------------------------------------------------------------------------------- */

static enum matrix_verdict max_leaf(struct xen *x)
{
    uint32_t max = leaf(x, 0, EAX) - x->base;

    return max >= 2 && max <= XEN_CPUID_MAX_NUM_LEAVES
               ? MATRIX_SUCCESS : matrix_fail(x->matrix, "not from 2 to 5", XEN_CPUID_MAX_NUM_LEAVES, max);
}

static enum matrix_verdict version_leaf(struct xen *x)
{
    int64_t call = xm_call(x, __HYPERVISOR_xen_version, XENVER_version, 0, 0);

    if (leaf(x, 1, EBX) || leaf(x, 1, ECX) || leaf(x, 1, EDX))
        return matrix_fail(x->matrix, "a reserved register is set", leaf(x, 1, EBX), leaf(x, 1, ECX));
    return xm_expect(x, leaf(x, 1, EAX), call);
}

static enum matrix_verdict pages_leaf(struct xen *x)
{
    if (leaf(x, 2, EAX) != 1)
        return matrix_fail(x->matrix, "not one hypercall page", 1, leaf(x, 2, EAX));
    if (leaf(x, 2, EBX) < 0x40000000 || leaf(x, 2, EBX) >= 0x40010000)
        return matrix_fail(x->matrix, "no range of MSRs", 0x40000000, leaf(x, 2, EBX));
    if ((leaf(x, 2, ECX) & ~XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD) || leaf(x, 2, EDX))
        return matrix_fail(x->matrix, "an unused bit is set", leaf(x, 2, ECX), leaf(x, 2, EDX));
    return MATRIX_SUCCESS;
}

static enum matrix_verdict no_pv_feature(struct xen *x)
{
    return leaf(x, 2, ECX) & XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD
               ? matrix_fail(x->matrix, "it is for PV guests", 0, leaf(x, 2, ECX)) : MATRIX_SUCCESS;
}

static enum matrix_verdict time_leaf(struct xen *x)
{
    if (leaf(x, 0, EAX) < x->base + 3)
        return matrix_skip(x->matrix, "it is not there");
    if (leaf(x, 3, EAX) & ~7u)
        return matrix_fail(x->matrix, "an unknown bit is set", 7, leaf(x, 3, EAX));
    if (leaf(x, 3, EBX) > 3)
        return matrix_fail(x->matrix, "no mode of the TSC", 3, leaf(x, 3, EBX));
    return leaf(x, 3, ECX) ? MATRIX_SUCCESS : matrix_fail(x->matrix, "no rate of the TSC", 1, 0);
}

static enum matrix_verdict hvm_leaf(struct xen *x)
{
    const uint32_t known = XEN_HVM_CPUID_APIC_ACCESS_VIRT | XEN_HVM_CPUID_X2APIC_VIRT | XEN_HVM_CPUID_IOMMU_MAPPINGS |
                           XEN_HVM_CPUID_VCPU_ID_PRESENT | XEN_HVM_CPUID_DOMID_PRESENT | XEN_HVM_CPUID_EXT_DEST_ID |
                           XEN_HVM_CPUID_UPCALL_VECTOR;

    if (leaf(x, 0, EAX) < x->base + 4)
        return matrix_skip(x->matrix, "it is not there");
    if (leaf(x, 4, EAX) & ~known)
        return matrix_fail(x->matrix, "an unknown bit is set", known, leaf(x, 4, EAX));
    return leaf(x, 4, EDX) ? matrix_fail(x->matrix, "EDX is not used", 0, leaf(x, 4, EDX)) : MATRIX_SUCCESS;
}

static enum matrix_verdict vcpu_ids(struct xen *x)
{
    uint32_t regs[4];

    if (leaf(x, 0, EAX) < x->base + 4 || !(leaf(x, 4, EAX) & XEN_HVM_CPUID_VCPU_ID_PRESENT))
        return matrix_skip(x->matrix, "they are not told");
    for (uint32_t vp = 0; vp < x->env->nr_vps; vp++) {
        x->env->cpuid(x->env->ctx, vp, x->base + 4, regs);
        if (regs[EBX] != vp)
            return matrix_fail(x->matrix, "another vCPU", vp, regs[EBX]);
    }
    return MATRIX_SUCCESS;
}

static enum matrix_verdict domid(struct xen *x)
{
    if (leaf(x, 0, EAX) < x->base + 4 || !(leaf(x, 4, EAX) & XEN_HVM_CPUID_DOMID_PRESENT))
        return matrix_skip(x->matrix, "it is not told");
    return leaf(x, 4, ECX) > 0 && leaf(x, 4, ECX) < DOMID_FIRST_RESERVED
               ? MATRIX_SUCCESS : matrix_fail(x->matrix, "no number of a guest", 1, leaf(x, 4, ECX));
}

static enum matrix_verdict pv_leaf(struct xen *x)
{
    if (leaf(x, 0, EAX) < x->base + 5)
        return matrix_skip(x->matrix, "it is not there");
    return leaf(x, 5, EAX) | leaf(x, 5, EBX) | leaf(x, 5, ECX) | leaf(x, 5, EDX)
               ? matrix_fail(x->matrix, "it is for PV guests", 0, leaf(x, 5, EAX)) : MATRIX_SUCCESS;
}

static enum matrix_verdict same_everywhere(struct xen *x)
{
    uint32_t first[4], other[4];

    for (uint32_t vp = 1; vp < x->env->nr_vps; vp++)
        for (uint32_t offset = 0; offset < 3; offset++) {
            x->env->cpuid(x->env->ctx, 0, x->base + offset, first);
            x->env->cpuid(x->env->ctx, vp, x->base + offset, other);
            for (uint32_t i = 0; i < 4; i++)
                if (first[i] != other[i])
                    return matrix_fail(x->matrix, "another value there", first[i], other[i]);
        }
    return x->env->nr_vps > 1 ? MATRIX_SUCCESS : matrix_skip(x->matrix, "there is one vCPU");
}

static enum matrix_verdict upcall_bit(struct xen *x)
{
    if (leaf(x, 0, EAX) < x->base + 4 || !(leaf(x, 4, EAX) & XEN_HVM_CPUID_UPCALL_VECTOR))
        return matrix_skip(x->matrix, "it is not told");
    return xm_expect(x, 0, XEN_OP(x, __HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, "41", 0, x->env->vector));
}

static const struct xen_point leaves[] = {
    {"leaf 0", "the last leaf is one of Xen's", "arch-x86/cpuid.h", max_leaf},
    {"leaf 2", "one page, a range of MSRs, nothing else", "arch-x86/cpuid.h", pages_leaf},
    {"leaf 2", "no feature of PV", "arch-x86/cpuid.h", no_pv_feature},
    {"leaf 3", "known bits and a rate", "arch-x86/cpuid.h", time_leaf},
    {"leaf 4", "known bits", "arch-x86/cpuid.h", hvm_leaf},
    {"leaf 4", "the number of the vCPU", "arch-x86/cpuid.h", vcpu_ids},
    {"leaf 4", "the number of the domain", "arch-x86/cpuid.h", domid},
    {"leaf 5", "is empty for HVM", "arch-x86/cpuid.h", pv_leaf},
    {"leaves", "are the same on all vCPUs", "arch-x86/cpuid.h", same_everywhere},
};

void xm_ask_cpuid(struct xen *x)
{
    XEN_RUN(x, leaves);
}

/* --- the MSR ------------------------------------------------------------------------------------------------------ */

static int write_msr(struct xen *x, uint32_t offset, uint64_t value)
{
    uint32_t msr = leaf(x, 2, EBX) + offset;

    return x->bits == 64 ? x->env->wrmsr(x->env->ctx, 0, msr, value) : x->env->wrmsr32(x->env->ctx, msr, value);
}

static enum matrix_verdict faults(struct xen *x, uint32_t offset, uint64_t value)
{
    int fault = write_msr(x, offset, value);

    return fault == MATRIX_GP ? MATRIX_SUCCESS : matrix_fail(x->matrix, "no #GP", value, (uint64_t)fault);
}

static enum matrix_verdict reads_zero(struct xen *x)
{
    uint64_t value = 1;
    int fault = x->env->rdmsr(x->env->ctx, 0, leaf(x, 2, EBX), &value);

    return fault == MATRIX_NO_FAULT && value == 0
               ? MATRIX_SUCCESS : matrix_fail(x->matrix, "not 0", (uint64_t)fault, value);
}

static enum matrix_verdict second_page(struct xen *x)
{
    return faults(x, 0, xm_gpa(x, XEN_PAGE_STUBS) | 1);
}

static enum matrix_verdict page_4095(struct xen *x)
{
    return faults(x, 0, xm_gpa(x, XEN_PAGE_STUBS) | 0xfff);
}

static enum matrix_verdict no_ram(struct xen *x)
{
    return faults(x, 0, x->env->hole_gpa);
}

static enum matrix_verdict beyond_space(struct xen *x)
{
    if (x->env->phys_bits < 32 || x->env->phys_bits > 62)
        return matrix_skip(x->matrix, "the end of the GPA space is not known");
    return faults(x, 0, 1ull << x->env->phys_bits);
}

static enum matrix_verdict next_msr(struct xen *x)
{
    uint64_t value;
    int fault = x->env->rdmsr(x->env->ctx, 0, leaf(x, 2, EBX) + 0xff, &value);

    if (x->base != 0x40000000)
        return matrix_skip(x->matrix, "another interface is here as well");
    return fault == MATRIX_GP ? faults(x, 0xff, 0)
                              : matrix_fail(x->matrix, "no #GP", leaf(x, 2, EBX) + 0xff, (uint64_t)fault);
}

/* --- the page ----------------------------------------------------------------------------------------------------- */

/* Call numbers are where the architecture has them: each stub begins by loading its own. */
static enum matrix_verdict stubs(struct xen *x)
{
    const uint8_t *page = xm_page(x, XEN_PAGE_STUBS);

    for (uint32_t i = 0; i < NR_STUBS; i++) {
        const volatile uint8_t *stub = page + i * STUB_BYTES;

        if (i == __HYPERVISOR_iret)
            continue;
        if (stub[0] != OP_MOV_EAX || stub[1] != i || stub[2] || stub[3] || stub[4])
            return matrix_fail(x->matrix, "it does not load its number", i, stub[0] | (uint64_t)stub[1] << 8);
    }
    return MATRIX_SUCCESS;
}

static enum matrix_verdict iret_stub(struct xen *x)
{
    const volatile uint8_t *stub = xm_page(x, XEN_PAGE_STUBS) + __HYPERVISOR_iret * STUB_BYTES;

    return stub[0] == 0x0f && stub[1] == 0x0b
               ? MATRIX_SUCCESS : matrix_fail(x->matrix, "no UD2", stub[0], stub[1]);
}

static enum matrix_verdict every_stub_calls(struct xen *x)
{
    for (uint32_t i = 43; i < NR_STUBS; i++) {
        if (i == __HYPERVISOR_arch_1)
            continue;
        int64_t got = xm_call(x, i, 0, 0, 0);

        if (got != -XEN_ENOSYS)
            return matrix_fail(x->matrix, "another result", i, (uint64_t)got);
    }
    return MATRIX_SUCCESS;
}

/* The same page again, and another: all of them work. */
static enum matrix_verdict again(struct xen *x)
{
    if (xm_lay_page(x) != MATRIX_NO_FAULT || xm_lay_page(x) != MATRIX_NO_FAULT)
        return matrix_fail(x->matrix, "it faults", xm_gpa(x, XEN_PAGE_STUBS), 0);
    return stubs(x);
}

static enum matrix_verdict another(struct xen *x)
{
    uint64_t page = xm_gpa(x, XEN_PAGE_DATA);

    if (write_msr(x, 0, page) != MATRIX_NO_FAULT)
        return matrix_fail(x->matrix, "it faults", page, 0);
    bool is_there = xm_page(x, XEN_PAGE_DATA)[0] == OP_MOV_EAX && stubs(x) == MATRIX_SUCCESS;
    int64_t got = xm_call(x, __HYPERVISOR_xen_version, XENVER_version, 0, 0);
    return is_there && got > 0 ? MATRIX_SUCCESS
                               : matrix_fail(x->matrix, "they are not both there", page, (uint64_t)got);
}

/* --- callers ------------------------------------------------------------------------------------------------------ */

static struct matrix_regs version_regs(const struct xen *x)
{
    return (struct matrix_regs){
        .rax = __HYPERVISOR_xen_version, .rbx = x->bits == 64 ? 0x1111111111111111 : XENVER_version,
        .rbp = 0x2222222222222222, .r12 = 0x3333333333333333, .r13 = 0x4444444444444444, .r14 = 0x5555555555555555,
        .r15 = 0x6666666666666666, .r9 = 0x7777777777777777, .r11 = 0x8888888888888888,
        .code_bits = x->bits, .call_offset = __HYPERVISOR_xen_version * STUB_BYTES,
    };
}

static enum matrix_verdict from_cpl3(struct xen *x)
{
    struct matrix_regs regs = version_regs(x);

    if (!(x->env->can & MATRIX_CAN_CPL3) || (x->bits == 32 && !(x->env->can & MATRIX_CAN_CALL32_CPL3)))
        return matrix_skip(x->matrix, "CPL 3 cannot be had here");
    regs.cpl = 3;
    int fault = x->env->hypercall(x->env->ctx, &regs);
    if (fault != MATRIX_NO_FAULT)
        return matrix_fail(x->matrix, "it faults", 3, (uint64_t)fault);
    return xm_expect(x, -XEN_EPERM, x->bits == 64 ? (int64_t)regs.rax : (int32_t)regs.rax);
}

/* Parameters may be lost, other registers may not. */
static enum matrix_verdict keeps_registers(struct xen *x)
{
    struct matrix_regs regs = version_regs(x), before = regs;

    if (x->env->hypercall(x->env->ctx, &regs) != MATRIX_NO_FAULT)
        return matrix_fail(x->matrix, "it faults", 0, 0);
    if (x->bits == 64 && regs.rbx != before.rbx)
        return matrix_fail(x->matrix, "RBX changed", before.rbx, regs.rbx);
    if (x->bits == 64 && (regs.rbp != before.rbp || regs.r12 != before.r12 || regs.r13 != before.r13 ||
                          regs.r14 != before.r14 || regs.r15 != before.r15))
        return matrix_fail(x->matrix, "RBP or R12 to R15 changed", before.rbp, regs.rbp);
    return (uint32_t)regs.rbp == (uint32_t)before.rbp ? MATRIX_SUCCESS
                                                      : matrix_fail(x->matrix, "EBP changed", before.rbp, regs.rbp);
}

static enum matrix_verdict negative_is_wide(struct xen *x)
{
    struct matrix_regs regs = version_regs(x);

    regs.rax = 127;
    regs.call_offset = 127 * STUB_BYTES;
    x->env->hypercall(x->env->ctx, &regs);
    return x->bits == 64 ? xm_expect(x, -XEN_ENOSYS, (int64_t)regs.rax)
                         : xm_expect(x, -XEN_ENOSYS, (int32_t)regs.rax);
}

/* Only the register of that width counts; what is above is no part of the arguments of 32-bit code. */
static enum matrix_verdict command_is_32_bits(struct xen *x)
{
    return x->bits == 32 ? matrix_skip(x->matrix, "there is nothing above")
                         : xm_expect(x, 4096, xm_call(x, __HYPERVISOR_xen_version,
                                                        0xabcd00000000 | XENVER_pagesize, 0, 0));
}

static enum matrix_verdict crosses_pages(struct xen *x)
{
    uint8_t *at = xm_page(x, XEN_PAGE_ARG) + MATRIX_PAGE_BYTES - 4;

    xm_store32(at, 0);
    xm_store32(at + 4, 0x77777777);
    int64_t got = xm_call(x, __HYPERVISOR_xen_version, XENVER_get_features, xm_gpa(x, XEN_PAGE_ARG) + 4092, 0);
    if (got != 0)
        return xm_expect(x, 0, got);
    return xm_load(at + 4) != 0x77777777 ? MATRIX_SUCCESS
                                           : matrix_fail(x->matrix, "the half in the next page is not written", 0, 0);
}

static enum matrix_verdict unaligned(struct xen *x)
{
    uint8_t *at = xm_page(x, XEN_PAGE_ARG) + 1;

    for (uint32_t i = 0; i < 8; i++)
        ((volatile uint8_t *)at)[i] = i < 4 ? 0 : 0x77;
    int64_t got = xm_call(x, __HYPERVISOR_xen_version, XENVER_get_features, xm_gpa(x, XEN_PAGE_ARG) + 1, 0);
    return got == 0 && at[4] != 0x77 ? MATRIX_SUCCESS : matrix_fail(x->matrix, "another result", 0, (uint64_t)got);
}

static const struct xen_point pages[] = {
    {"leaf 1", "the version, as the call has it", "arch-x86/cpuid.h", version_leaf},
    {"leaf 4", "UPCALL_VECTOR is kept", "arch-x86/cpuid.h", upcall_bit},
    {"hypercall MSR", "reads as zero", "src guest_rdmsr_xen", reads_zero},
    {"hypercall MSR", "a page with index 1", "src guest_wrmsr_xen", second_page},
    {"hypercall MSR", "a page with index 4095", "src guest_wrmsr_xen", page_4095},
    {"hypercall MSR", "where no RAM is", "src guest_wrmsr_xen", no_ram},
    {"hypercall MSR", "beyond the GPA space", "src guest_wrmsr_xen", beyond_space},
    {"hypercall MSR", "the others of its range fault", "src guest_rdmsr_xen, guest_wrmsr_xen", next_msr},
    {"hypercall page", "each stub loads its number", "src hypercall_page_initialise", stubs},
    {"hypercall page", "iret is no call", "src hvm hypercall_page", iret_stub},
    {"hypercall page", "stubs of no call answer", "xen.h", every_stub_calls},
    {"hypercall page", "is written again", "doc guest-guide/x86/hypercall-abi", again},
    {"hypercall page", "a second one", "doc guest-guide/x86/hypercall-abi", another},
    {"hypercall", "from CPL 3", "src hvm_hypercall", from_cpl3},
    {"hypercall", "keeps registers", "doc guest-guide/x86/hypercall-abi", keeps_registers},
    {"hypercall", "an error fills the result", "doc guest-guide/x86/hypercall-abi", negative_is_wide},
    {"hypercall", "a command has 32 bits", "src do_xen_version(int)", command_is_32_bits},
    {"hypercall", "a structure over two pages", "doc guest-guide/x86/hypercall-abi", crosses_pages},
    {"hypercall", "a structure that is not aligned", "doc guest-guide/x86/hypercall-abi", unaligned},
};

void xm_ask_page(struct xen *x)
{
    XEN_RUN(x, pages);
}
