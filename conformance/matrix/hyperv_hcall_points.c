/*
 * Hypercalls: what is peculiar to one of them, and calls that nobody defined or nobody may make yet.
 */
#include "hyperv_hcall.h"

#include "hv_abi.h"

enum { REGISTER_NONE = 0x00ff0000, FILL_OUT = 0xcc };

static const volatile uint64_t *output(const struct matrix *matrix)
{
    return (const volatile uint64_t *)(const void *)matrix->env->page[HV_OUT_PAGE].at;
}

/* The sample of a call, with the hypercall page there. */
static enum matrix_verdict prepare(struct matrix *matrix, uint16_t code, struct hv_request *request)
{
    *request = (struct hv_request){{0}, 0, 0};
    if (hv_establish(matrix) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    hv_hcall_row(code)->sample(matrix, request);
    matrix_fill(matrix, HV_OUT_PAGE, FILL_OUT);
    return MATRIX_SUCCESS;
}

static enum matrix_verdict expect(struct matrix *matrix, uint16_t code, const struct hv_request *request, uint64_t want)
{
    return hv_expect(matrix, hv_hcall_row(code), request, &(struct hv_way){0}, want);
}

/* --- no such call ------------------------------------------------------------------------------------------------- */

static enum matrix_verdict undefined(struct matrix *matrix, uint16_t first, uint16_t last)
{
    static const struct hv_request nothing;
    struct hv_hcall row = {.name = "undefined"};

    if (hv_establish(matrix) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    for (uint32_t code = first; code <= last; code++) {
        row.code = (uint16_t)code;
        if (hv_expect(matrix, &row, &nothing, &(struct hv_way){0},
                      HV_IS(HV_STATUS_INVALID_HYPERCALL_CODE)) != MATRIX_SUCCESS)
            return MATRIX_FAILURE;
        if (hv_expect(matrix, &row, &nothing, &(struct hv_way){.is_fast = true},
                       HV_IS(HV_STATUS_INVALID_HYPERCALL_CODE)) != MATRIX_SUCCESS)
            return MATRIX_FAILURE;
    }
    return MATRIX_SUCCESS;
}

static enum matrix_verdict undefined_0(struct matrix *matrix)
{
    return undefined(matrix, 0, 0);
}

static enum matrix_verdict undefined_5(struct matrix *matrix)
{
    return undefined(matrix, 5, 7);
}

static enum matrix_verdict undefined_16(struct matrix *matrix)
{
    return undefined(matrix, 0x16, 0x3f);
}

static enum matrix_verdict undefined_98(struct matrix *matrix)
{
    return undefined(matrix, 0x98, 0x98);
}

static enum matrix_verdict undefined_4000(struct matrix *matrix)
{
    return undefined(matrix, 0x4000, 0x4010);
}

static enum matrix_verdict undefined_7fff(struct matrix *matrix)
{
    return undefined(matrix, 0x7ff0, 0x7fff);
}

static enum matrix_verdict undefined_ffff(struct matrix *matrix)
{
    return undefined(matrix, 0xfff0, 0xffff);
}

static enum matrix_verdict undefined_extended(struct matrix *matrix)
{
    if (hv_has(matrix, HV_NEED_EXTENDED_CALLS))
        return undefined(matrix, 0x8100, 0x8110);
    return undefined(matrix, 0x8001, 0x8008);
}

/* --- not yet ------------------------------------------------------------------------------------------------------ */

/* Whatever happens (#UD is not guaranteed), it is not that a call is done. */
static enum matrix_verdict nothing_is_done(struct matrix *matrix)
{
    static const struct hv_request request = {{1}, 0, 0};
    struct hv_hcall row = {.code = HvCallNotifyLongSpinWait, .in_bytes = 8};
    struct hv_answer answer;

    if (!(matrix->env->can & MATRIX_CAN_CALL_EARLY))
        return matrix_skip(matrix, "there is nothing to call without a page");
    hv_call(matrix, &row, &request, &(struct hv_way){0}, &answer);
    if (answer.fault == MATRIX_NO_FAULT && hv_status(&answer) == HV_STATUS_SUCCESS)
        return matrix_fail(matrix, "it is done", answer.result, 0);
    return MATRIX_SUCCESS;
}

static enum matrix_verdict before_identity(struct matrix *matrix)
{
    if (hv_set(matrix, 0, HV_X64_MSR_GUEST_OS_ID, 0) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    return nothing_is_done(matrix);
}

static enum matrix_verdict after_identity(struct matrix *matrix)
{
    if (hv_establish(matrix) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    if (hv_set(matrix, 0, HV_X64_MSR_GUEST_OS_ID, 0) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    return nothing_is_done(matrix);
}

/* "An attempt to invoke a hypercall within an illegal processor mode will generate a #UD" [doc hypercall-interface]. */
static enum matrix_verdict illegal_mode(struct matrix *matrix, const struct hv_way *way)
{
    static const struct hv_request request = {{1}, 0, 0};
    struct hv_hcall row = {.code = HvCallNotifyLongSpinWait, .in_bytes = 8};
    struct hv_answer answer;

    if (hv_establish(matrix) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    hv_call(matrix, &row, &request, way, &answer);
    return answer.fault == MATRIX_UD ? MATRIX_SUCCESS
                                     : matrix_fail(matrix, "no #UD", answer.result, (uint64_t)answer.fault);
}

static enum matrix_verdict from_cpl3(struct matrix *matrix)
{
    if (!(matrix->env->can & MATRIX_CAN_CPL3))
        return matrix_skip(matrix, "CPL 3 cannot be had here");
    return illegal_mode(matrix, &(struct hv_way){.cpl = 3});
}

static enum matrix_verdict from_cpl3_in_32_bits(struct matrix *matrix)
{
    if (!(matrix->env->can & MATRIX_CAN_CALL32_CPL3))
        return matrix_skip(matrix, "32-bit code cannot be run at CPL 3 here");
    return illegal_mode(matrix, &(struct hv_way){.cpl = 3, .is_32 = true});
}

static enum matrix_verdict from_real_mode(struct matrix *matrix)
{
    if (!(matrix->env->can & MATRIX_CAN_REAL_MODE))
        return matrix_skip(matrix, "real mode cannot be had here");
    return illegal_mode(matrix, &(struct hv_way){.is_real_mode = true, .is_32 = true});
}

/* --- interrupts to others ----------------------------------------------------------------------------------------- */

static uint32_t came(struct matrix *matrix, uint32_t vp)
{
    return matrix->env->interrupts(matrix->env->ctx, vp, matrix->env->vector);
}

/* Calls, and says whether the interrupt came once to each VP of the mask and to no other. */
static enum matrix_verdict interrupts(struct matrix *matrix, uint16_t code, const struct hv_request *request,
                                      uint64_t mask)
{
    const struct matrix_env *env = matrix->env;

    if (!env->interrupts || !env->wait)
        return matrix_skip(matrix, "interrupts cannot be seen here");
    env->wait(env->ctx, 1000000);
    for (uint32_t vp = 0; vp < env->nr_vps; vp++)
        came(matrix, vp);
    if (expect(matrix, code, request, HV_OK) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    for (uint32_t vp = 0; vp < env->nr_vps && vp < 64; vp++) {
        uint32_t want = mask >> vp & 1, nr = matrix_await(matrix, vp, want);
        if (nr != want)
            return matrix_fail(matrix, "the interrupt did not come once, or came to another", vp, nr);
    }
    return MATRIX_SUCCESS;
}

static enum matrix_verdict ipi_self(struct matrix *matrix)
{
    struct hv_request r;

    if (prepare(matrix, HvCallSendSyntheticClusterIpi, &r) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    return interrupts(matrix, HvCallSendSyntheticClusterIpi, &r, 1);
}

static enum matrix_verdict ipi_other(struct matrix *matrix)
{
    struct hv_request r;

    if (matrix->env->nr_vps < 2)
        return matrix_skip(matrix, "one VP only");
    if (prepare(matrix, HvCallSendSyntheticClusterIpi, &r) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    r.in[1] = 2;
    return interrupts(matrix, HvCallSendSyntheticClusterIpi, &r, 2);
}

static enum matrix_verdict ipi_ex_all(struct matrix *matrix)
{
    struct hv_request r;

    if (prepare(matrix, HvCallSendSyntheticClusterIpiEx, &r) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    r.in[1] = HV_GENERIC_SET_ALL;
    r.in[2] = 0;
    r.nr_var = 0;
    return interrupts(matrix, HvCallSendSyntheticClusterIpiEx, &r, UINT64_MAX);
}

static enum matrix_verdict ipi_ex_some(struct matrix *matrix)
{
    struct hv_request r;
    uint64_t mask = 1ull << (matrix->env->nr_vps - 1);

    if (prepare(matrix, HvCallSendSyntheticClusterIpiEx, &r) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    r.in[3] = mask;
    return interrupts(matrix, HvCallSendSyntheticClusterIpiEx, &r, mask);
}

static enum matrix_verdict ipi_ex_none(struct matrix *matrix)
{
    struct hv_request r;

    if (prepare(matrix, HvCallSendSyntheticClusterIpiEx, &r) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    r.in[2] = 0;
    r.nr_var = 0;
    return expect(matrix, HvCallSendSyntheticClusterIpiEx, &r, HV_OK | HV_IS(HV_STATUS_INVALID_PARAMETER));
}

/* --- flushes ------------------------------------------------------------------------------------------------------ */

static enum matrix_verdict flush_one_vp(struct matrix *matrix)
{
    struct hv_request r;

    if (prepare(matrix, HvCallFlushVirtualAddressSpace, &r) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    r.in[1] = HV_FLUSH_ALL_VIRTUAL_ADDRESS_SPACES;
    r.in[2] = 1;
    return expect(matrix, HvCallFlushVirtualAddressSpace, &r, HV_OK);
}

/* "One or more reserved bits in the specified address space ID (as defined by the x64 architecture) were set." */
static enum matrix_verdict flush_bad_space(struct matrix *matrix)
{
    struct hv_request r;

    if (prepare(matrix, HvCallFlushVirtualAddressSpace, &r) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    r.in[0] = 1ull << 62;
    r.in[1] = HV_FLUSH_ALL_PROCESSORS;
    return expect(matrix, HvCallFlushVirtualAddressSpace, &r, HV_IS(HV_STATUS_INVALID_PARAMETER));
}

static enum matrix_verdict flush_extended_flag(struct matrix *matrix)
{
    struct hv_request r;

    if (hv_has(matrix, HV_NEED_EXTENDED_GVA))
        return matrix_skip(matrix, "the format is advertised");
    if (prepare(matrix, HvCallFlushVirtualAddressList, &r) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    r.in[1] |= HV_FLUSH_USE_EXTENDED_RANGE_FORMAT;
    return expect(matrix, HvCallFlushVirtualAddressList, &r, HV_IS(HV_STATUS_INVALID_PARAMETER));
}

/* The longest list that a page holds, then one more: it spans pages, or its rep count is incorrect. */
static enum matrix_verdict flush_list_length(struct matrix *matrix)
{
    const struct hv_hcall *row = hv_hcall_row(HvCallFlushVirtualAddressList);
    const uint32_t most = (MATRIX_PAGE_BYTES - 24) / 8;
    struct hv_request r;
    struct hv_answer answer;

    if (prepare(matrix, HvCallFlushVirtualAddressList, &r) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    matrix_fill(matrix, HV_IN_PAGE, 0);
    r.rep_count = most;
    hv_call(matrix, row, &r, &(struct hv_way){0}, &answer);
    if (answer.fault != MATRIX_NO_FAULT || hv_status(&answer) != HV_STATUS_SUCCESS || hv_reps(&answer) != most)
        return matrix_fail(matrix, "a list that fills the page is not taken", most, answer.result);
    r.rep_count = most + 1;
    return expect(matrix, HvCallFlushVirtualAddressList, &r,
                  HV_IS(HV_STATUS_INVALID_ALIGNMENT) | HV_IS(HV_STATUS_INVALID_HYPERCALL_INPUT));
}

static enum matrix_verdict flush_ex_all(struct matrix *matrix)
{
    struct hv_request r;

    if (prepare(matrix, HvCallFlushVirtualAddressSpaceEx, &r) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    r.in[2] = HV_GENERIC_SET_ALL;
    r.in[3] = 0;
    r.nr_var = 0;
    return expect(matrix, HvCallFlushVirtualAddressSpaceEx, &r, HV_OK);
}

static enum matrix_verdict flush_list_ex_all(struct matrix *matrix)
{
    struct hv_request r;

    if (prepare(matrix, HvCallFlushVirtualAddressListEx, &r) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    r.in[2] = HV_GENERIC_SET_ALL;
    r.in[3] = 0;
    r.in[4] = r.in[5];
    r.in[5] = r.in[6];
    r.nr_var = 0;
    return expect(matrix, HvCallFlushVirtualAddressListEx, &r, HV_OK);
}

static enum matrix_verdict flush_ex_all_flag(struct matrix *matrix)
{
    struct hv_request r;

    if (prepare(matrix, HvCallFlushVirtualAddressSpaceEx, &r) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    r.in[1] |= HV_FLUSH_ALL_PROCESSORS;
    return expect(matrix, HvCallFlushVirtualAddressSpaceEx, &r, HV_OK);
}

/* --- output ------------------------------------------------------------------------------------------------------- */

static enum matrix_verdict partition_id(struct matrix *matrix)
{
    struct hv_request r;

    if (prepare(matrix, HvCallGetPartitionId, &r) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    if (expect(matrix, HvCallGetPartitionId, &r, HV_OK) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    uint64_t id = *output(matrix);
    if (id == HV_PARTITION_ID_INVALID || id == HV_PARTITION_ID_SELF)
        return matrix_fail(matrix, "that is no partition", 0, id);
    return MATRIX_SUCCESS;
}

static enum matrix_verdict get_vp_index(struct matrix *matrix)
{
    struct hv_request r;
    uint64_t index;

    if (!hv_has(matrix, HV_NEED_VP_INDEX))
        return matrix_skip(matrix, "absent as advertised");
    if (prepare(matrix, HvCallGetVpRegisters, &r) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    if (expect(matrix, HvCallGetVpRegisters, &r, HV_OK) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    matrix_read(matrix, 0, HV_X64_MSR_VP_INDEX, &index);
    for (uint32_t i = 0; i < 2; i++)
        if (output(matrix)[2 * i] != index || output(matrix)[2 * i + 1] != 0)
            return matrix_fail(matrix, "the register is not that of the MSR", index, output(matrix)[2 * i]);
    return MATRIX_SUCCESS;
}

/* "an appropriate status code is provided along with a reps completed count" [doc hypercall-interface]. */
static enum matrix_verdict get_half_by(struct matrix *matrix, const struct hv_way *way)
{
    struct hv_request r;
    struct hv_answer answer;

    if (prepare(matrix, HvCallGetVpRegisters, &r) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    r.in[2] = (uint32_t)r.in[2] | (uint64_t)REGISTER_NONE << 32;
    hv_call(matrix, hv_hcall_row(HvCallGetVpRegisters), &r, way, &answer);
    if (answer.fault != MATRIX_NO_FAULT || hv_status(&answer) == HV_STATUS_SUCCESS)
        return matrix_fail(matrix, "no error", REGISTER_NONE, answer.result);
    return hv_reps(&answer) == 1 ? MATRIX_SUCCESS
                                 : matrix_fail(matrix, "another number of reps completed", 1, answer.result);
}

static enum matrix_verdict get_half(struct matrix *matrix)
{
    return get_half_by(matrix, &(struct hv_way){0});
}

static enum matrix_verdict get_half_in_32_bits(struct matrix *matrix)
{
    if (!(matrix->env->can & MATRIX_CAN_CALL32))
        return matrix_skip(matrix, "32-bit code cannot be run here");
    return get_half_by(matrix, &(struct hv_way){.is_32 = true});
}

static enum matrix_verdict get_fast(struct matrix *matrix)
{
    struct hv_request r;
    struct hv_answer answer;
    uint64_t index;

    if (!hv_has(matrix, HV_NEED_XMM_OUTPUT) || !hv_has(matrix, HV_NEED_XMM_INPUT) || !hv_has(matrix, HV_NEED_VP_INDEX))
        return matrix_skip(matrix, "absent as advertised");
    if (prepare(matrix, HvCallGetVpRegisters, &r) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    hv_call(matrix, hv_hcall_row(HvCallGetVpRegisters), &r, &(struct hv_way){.is_fast = true}, &answer);
    if (answer.fault != MATRIX_NO_FAULT || hv_status(&answer) != HV_STATUS_SUCCESS)
        return matrix_fail(matrix, "another status", HvCallGetVpRegisters, answer.result);
    matrix_read(matrix, 0, HV_X64_MSR_VP_INDEX, &index);
    /* 24 bytes of input end in XMM0: the output begins in XMM1 */
    for (uint32_t i = 1; i <= 2; i++)
        if (answer.after.xmm[i][0] != index || answer.after.xmm[i][1] != 0)
            return matrix_fail(matrix, "the register is not in XMM1 and XMM2", index, answer.after.xmm[i][0]);
    for (uint32_t i = 3; i < MATRIX_NR_XMM; i++)
        if (answer.after.xmm[i][0] != answer.before.xmm[i][0] || answer.after.xmm[i][1] != answer.before.xmm[i][1])
            return matrix_fail(matrix, "a register behind the output changed", i, answer.after.xmm[i][0]);
    return answer.after.rdx == answer.before.rdx && answer.after.r8 == answer.before.r8 &&
                   answer.after.xmm[0][0] == answer.before.xmm[0][0]
               ? MATRIX_SUCCESS
               : matrix_fail(matrix, "an input register changed", 0, answer.after.rdx);
}

static enum matrix_verdict own_apic_id(struct matrix *matrix)
{
    struct hv_request r;
    uint64_t index;

    if (prepare(matrix, HvCallGetVpIndexFromApicId, &r) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    if (expect(matrix, HvCallGetVpIndexFromApicId, &r, HV_OK) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    matrix_read(matrix, 0, HV_X64_MSR_VP_INDEX, &index);
    uint32_t got = (uint32_t)*output(matrix);
    return got == index ? MATRIX_SUCCESS : matrix_fail(matrix, "another VP", index, got);
}

static enum matrix_verdict capabilities(struct matrix *matrix)
{
    struct hv_request r;

    if (prepare(matrix, HvExtCallQueryCapabilities, &r) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    if (expect(matrix, HvExtCallQueryCapabilities, &r, HV_OK) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    uint64_t bits = *output(matrix);
    return bits >> 5 == 0 ? MATRIX_SUCCESS : matrix_fail(matrix, "reserved bits are set", ~0x1full, bits);
}

/* What the capabilities have is there, what they have not is not. */
static enum matrix_verdict boot_zeroed(struct matrix *matrix)
{
    static const struct hv_hcall row = {.code = HvExtCallGetBootZeroedMemory, .name = "", .out_bytes = 0xff8};
    struct hv_request r;
    struct hv_answer answer;

    if (prepare(matrix, HvExtCallQueryCapabilities, &r) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    if (expect(matrix, HvExtCallQueryCapabilities, &r, HV_OK) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    bool has = *output(matrix) >> HV_EXT_CAPABILITY_BOOT_ZEROED_MEMORY & 1;
    hv_call(matrix, &row, &r, &(struct hv_way){0}, &answer);
    if (!has)
        return answer.fault == MATRIX_NO_FAULT && (HV_IS(hv_status(&answer)) & HV_DENIED)
                   ? MATRIX_SUCCESS
                   : matrix_fail(matrix, "it is not denied", row.code, answer.result);
    if (answer.fault != MATRIX_NO_FAULT || hv_status(&answer) != HV_STATUS_SUCCESS)
        return matrix_fail(matrix, "another status", row.code, answer.result);
    uint64_t nr = output(matrix)[0];
    if (nr > HV_EXT_MAX_BOOT_ZEROED_RANGES)
        return matrix_fail(matrix, "more ranges than fit", HV_EXT_MAX_BOOT_ZEROED_RANGES, nr);
    for (uint64_t i = 0; i < nr; i++)
        if (output(matrix)[2 + 2 * i] == 0)
            return matrix_fail(matrix, "an empty range", i, 0);
    return MATRIX_SUCCESS;
}

static enum matrix_verdict translates(struct matrix *matrix)
{
    struct hv_request r;

    if (!hv_hcall_is_there(matrix, hv_hcall_row(HvCallTranslateVirtualAddress)))
        return matrix_skip(matrix, "absent as advertised");
    if (prepare(matrix, HvCallTranslateVirtualAddress, &r) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    if (expect(matrix, HvCallTranslateVirtualAddress, &r, HV_OK) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    if ((uint32_t)output(matrix)[0] != HvTranslateGvaSuccess)
        return matrix_fail(matrix, "a page that is mapped", HvTranslateGvaSuccess, output(matrix)[0]);
    uint64_t want = matrix->env->page[HV_IN_PAGE].gpa >> HV_PAGE_SHIFT;
    return output(matrix)[1] == want ? MATRIX_SUCCESS : matrix_fail(matrix, "another page", want, output(matrix)[1]);
}

#define UNDEFINED_REF "doc hypercall-interface: common status codes; 6.0b App. A"

static const struct hv_point points[] = {
    {"call code 0", "is not recognized", UNDEFINED_REF, HV_NEED_HYPERCALL, undefined_0},
    {"call codes 5 to 7", "are not recognized", UNDEFINED_REF, HV_NEED_HYPERCALL, undefined_5},
    {"call codes 0x16 to 0x3f", "are not recognized", UNDEFINED_REF, HV_NEED_HYPERCALL, undefined_16},
    {"call code 0x98", "is not recognized", UNDEFINED_REF, HV_NEED_HYPERCALL, undefined_98},
    {"call codes from 0x4000", "are not recognized", UNDEFINED_REF, HV_NEED_HYPERCALL, undefined_4000},
    {"call codes to 0x7fff", "are not recognized", UNDEFINED_REF, HV_NEED_HYPERCALL, undefined_7fff},
    {"call codes to 0xffff", "are not recognized", UNDEFINED_REF, HV_NEED_HYPERCALL, undefined_ffff},
    {"extended call codes", "are not recognized", UNDEFINED_REF, HV_NEED_HYPERCALL, undefined_extended},
    {"a hypercall", "before the guest's identity", "doc hypercall-interface: reporting the identity", HV_NEED_HYPERCALL,
     before_identity},
    {"a hypercall", "after the identity was taken back", "doc hypercall-interface: reporting the identity",
     HV_NEED_HYPERCALL, after_identity},
    {"a hypercall", "from CPL 3", "doc hypercall-interface: legal environments", HV_NEED_HYPERCALL, from_cpl3},
    {"a hypercall", "from CPL 3 in 32 bits", "doc hypercall-interface: legal environments", HV_NEED_HYPERCALL,
     from_cpl3_in_32_bits},
    {"a hypercall", "from real mode", "doc hypercall-interface: legal environments", HV_NEED_HYPERCALL, from_real_mode},
    {"HvCallSendSyntheticClusterIpi", "to itself", "doc virtual-interrupts", HV_NEED_IPI, ipi_self},
    {"HvCallSendSyntheticClusterIpi", "to another VP", "doc virtual-interrupts", HV_NEED_IPI, ipi_other},
    {"HvCallSendSyntheticClusterIpiEx", "to all", "doc HV_VP_SET", HV_NEED_IPI_EX, ipi_ex_all},
    {"HvCallSendSyntheticClusterIpiEx", "to one", "doc HV_VP_SET", HV_NEED_IPI_EX, ipi_ex_some},
    {"HvCallSendSyntheticClusterIpiEx", "to none", "doc HV_VP_SET", HV_NEED_IPI_EX, ipi_ex_none},
    {"HvCallFlushVirtualAddressSpace", "one VP", "doc HvCallFlushVirtualAddressSpace", HV_NEED_FLUSH, flush_one_vp},
    {"HvCallFlushVirtualAddressSpace", "reserved bits of the address space", "6.0b 9.4.2", HV_NEED_FLUSH,
     flush_bad_space},
    {"HvCallFlushVirtualAddressList", "the extended format is not advertised", "doc HvCallFlushVirtualAddressList",
     HV_NEED_FLUSH, flush_extended_flag},
    {"HvCallFlushVirtualAddressList", "the longest list", "doc hypercall-interface", HV_NEED_FLUSH, flush_list_length},
    {"HvCallFlushVirtualAddressSpaceEx", "all VPs by the set", "doc HV_VP_SET", HV_NEED_FLUSH_EX, flush_ex_all},
    {"HvCallFlushVirtualAddressSpaceEx", "all VPs by the flag", "doc HvCallFlushVirtualAddressSpace", HV_NEED_FLUSH_EX,
     flush_ex_all_flag},
    {"HvCallFlushVirtualAddressListEx", "all VPs by the set", "doc HV_VP_SET", HV_NEED_FLUSH_EX, flush_list_ex_all},
    {"HvCallGetPartitionId", "gives an id", "6.0b 4.2.2", HV_NEED_PARTITION_ID, partition_id},
    {"HvCallGetVpRegisters", "gives the VP index", "doc HvCallGetVpRegisters", HV_NEED_VP_REGISTERS, get_vp_index},
    {"HvCallGetVpRegisters", "counts what was done before an error", "doc hypercall-interface", HV_NEED_VP_REGISTERS,
     get_half},
    {"HvCallGetVpRegisters", "counts it in 32 bits too", "doc hypercall-interface", HV_NEED_VP_REGISTERS,
     get_half_in_32_bits},
    {"HvCallGetVpRegisters", "gives its output in XMM registers", "doc hypercall-interface: XMM fast output",
     HV_NEED_VP_REGISTERS, get_fast},
    {"HvCallGetVpIndexFromApicId", "gives its own index", "doc HvCallGetVpIndexFromApicId", HV_NEED_START_VP,
     own_apic_id},
    {"HvExtCallQueryCapabilities", "reserved bits are clear", "doc HvExtCallQueryCapabilities", HV_NEED_EXTENDED_CALLS,
     capabilities},
    {"HvExtCallGetBootZeroedMemory", "is there as the capabilities say", "doc HvExtCallGetBootZeroedMemory",
     HV_NEED_EXTENDED_CALLS, boot_zeroed},
    {"HvCallTranslateVirtualAddress", "finds a page", "doc HvCallTranslateVirtualAddress", HV_NEED_HYPERCALL,
     translates},
};

void hv_matrix_hcall_points(struct matrix *matrix)
{
    hv_run_points(matrix, points, sizeof(points) / sizeof(points[0]));
}
