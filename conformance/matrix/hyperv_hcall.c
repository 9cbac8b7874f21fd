/*
 * The hypercalls of the TLFS, a row of facts each, with a sample call that a guest may make at any time; and samples
 * with one field changed [doc hypercalls/; 6.0b App. A and the section of each call].
 *
 * Where the specification leaves the order of errors open ("the hypervisor must choose which error condition to
 * report"), each of those that apply is right.
 */
#include "hyperv_hcall.h"

#include "hv_abi.h"

enum {
    REGISTER_GUEST_OS_ID = 0x00090002,
    REGISTER_VP_INDEX = 0x00090003,
    REGISTER_VP_ASSIST_PAGE = 0x00090013,
    REGISTER_NONE = 0x00ff0000,
    NO_CONNECTION = 0x00fffff0,
    NO_VP = 0x0000fff0,
};
#define NO_PARTITION 0x1234ull
#define VTL(byte) ((uint64_t)(byte) << 32)      /* in the upper half of a qword */

/* --- samples ------------------------------------------------------------------------------------------------------ */

static void sample_switch(const struct matrix *matrix, struct hv_request *r)
{
    (void)matrix;
    r->in[0] = 1ull << 63;      /* not a valid CR3: it must not really switch */
}

static void sample_flush(const struct matrix *matrix, struct hv_request *r)
{
    (void)matrix;
    r->in[0] = 0x1000;
    r->in[1] = HV_FLUSH_ALL_PROCESSORS | HV_FLUSH_ALL_VIRTUAL_ADDRESS_SPACES;
    r->in[2] = 0;
}

static void sample_flush_list(const struct matrix *matrix, struct hv_request *r)
{
    sample_flush(matrix, r);
    r->in[3] = 0x200000 | 3;
    r->in[4] = 0x400000;
    r->rep_count = 2;
}

static void sample_flush_ex(const struct matrix *matrix, struct hv_request *r)
{
    (void)matrix;
    r->in[0] = 0x1000;
    r->in[1] = HV_FLUSH_ALL_VIRTUAL_ADDRESS_SPACES;
    r->in[2] = HV_GENERIC_SET_SPARSE_4K;
    r->in[3] = 1;
    r->in[4] = 1;
    r->nr_var = 1;
}

static void sample_flush_list_ex(const struct matrix *matrix, struct hv_request *r)
{
    sample_flush_ex(matrix, r);
    r->in[5] = 0x200000 | 3;
    r->in[6] = 0x400000;
    r->rep_count = 2;
}

static void sample_spin(const struct matrix *matrix, struct hv_request *r)
{
    (void)matrix;
    r->in[0] = 0x1000;
}

static void sample_ipi(const struct matrix *matrix, struct hv_request *r)
{
    r->in[0] = matrix->env->vector;
    r->in[1] = 1;
}

static void sample_ipi_ex(const struct matrix *matrix, struct hv_request *r)
{
    r->in[0] = matrix->env->vector;
    r->in[1] = HV_GENERIC_SET_SPARSE_4K;
    r->in[2] = 1;
    r->in[3] = 1;
    r->nr_var = 1;
}

static void sample_nothing(const struct matrix *matrix, struct hv_request *r)
{
    (void)matrix;
    (void)r;
}

static void sample_get_registers(const struct matrix *matrix, struct hv_request *r)
{
    uint64_t name = hv_has(matrix, HV_NEED_VP_INDEX) ? REGISTER_VP_INDEX : REGISTER_GUEST_OS_ID;

    r->in[0] = HV_PARTITION_ID_SELF;
    r->in[1] = HV_VP_INDEX_SELF;
    r->in[2] = name | name << 32;
    r->rep_count = 2;
}

static void sample_set_registers(const struct matrix *matrix, struct hv_request *r)
{
    (void)matrix;
    r->in[0] = HV_PARTITION_ID_SELF;
    r->in[1] = HV_VP_INDEX_SELF;
    for (uint32_t i = 0; i < 2; i++)
        r->in[2 + 4 * i] = REGISTER_VP_ASSIST_PAGE;
    r->rep_count = 2;
}

static void sample_translate(const struct matrix *matrix, struct hv_request *r)
{
    r->in[0] = HV_PARTITION_ID_SELF;
    r->in[1] = HV_VP_INDEX_SELF;
    r->in[2] = HV_TRANSLATE_GVA_VALIDATE_READ;
    r->in[3] = matrix->env->page[HV_IN_PAGE].gpa >> HV_PAGE_SHIFT;
}

static void sample_post(const struct matrix *matrix, struct hv_request *r)
{
    (void)matrix;
    r->in[0] = NO_CONNECTION;
    r->in[1] = 1 | (uint64_t)8 << 32;
    r->in[2] = 0x1122334455667788;
}

static void sample_signal(const struct matrix *matrix, struct hv_request *r)
{
    (void)matrix;
    r->in[0] = NO_CONNECTION;
}

static void sample_retarget(const struct matrix *matrix, struct hv_request *r)
{
    r->in[0] = HV_PARTITION_ID_SELF;
    r->in[1] = 0x0badd;
    r->in[2] = HV_INTERRUPT_SOURCE_MSI;
    r->in[3] = 0xfee00000ull | (uint64_t)matrix->env->vector << 32;
    r->in[5] = matrix->env->vector;
    r->in[6] = 1;
}

/* Itself, in long mode: a VP that runs cannot be started. */
static void sample_start(const struct matrix *matrix, struct hv_request *r)
{
    uint64_t index = 0;
    uint8_t *bytes = (uint8_t *)r->in;
    struct hv_initial_vp_context *context =
        (struct hv_initial_vp_context *)(void *)(bytes + offsetof(struct hv_input_start_virtual_processor, vp_context));

    matrix->env->rdmsr(matrix->env->ctx, 0, HV_X64_MSR_VP_INDEX, &index);
    r->in[0] = HV_PARTITION_ID_SELF;
    r->in[1] = (uint32_t)index;
    context->rip = matrix->env->page[HV_IN_PAGE].gpa;
    context->rsp = matrix->env->page[HV_OUT_PAGE].gpa;
    context->rflags = 2;
    context->cs = (struct hv_x64_segment_register){.limit = 0xffffffff, .selector = 8, .attributes = 0xa09b};
    context->ss = (struct hv_x64_segment_register){.limit = 0xffffffff, .selector = 16, .attributes = 0xc093};
    context->ds = context->es = context->fs = context->gs = context->ss;
    context->tr = (struct hv_x64_segment_register){.limit = 0xffff, .attributes = 0x8b};
    context->ldtr = (struct hv_x64_segment_register){.limit = 0xffff, .attributes = 0x82};
    context->efer = 0x500;
    context->cr0 = 0x80000031;
    context->cr3 = 0x1000;
    context->cr4 = 0x20;
    context->msr_cr_pat = 0x0007040600070406;
}

static void sample_from_apic_id(const struct matrix *matrix, struct hv_request *r)
{
    r->in[0] = HV_PARTITION_ID_SELF;
    r->in[2] = matrix->env->apic_id;
    r->rep_count = 1;
}

/* --- rows --------------------------------------------------------------------------------------------------------- */

/* For a call that a conforming hypervisor need not have: "the specified hypercall code is not supported". */
#define UNKNOWN HV_IS(HV_STATUS_INVALID_HYPERCALL_CODE)
#define ROW(call, where, needed, flags_, in_, out_, elem_in_, elem_out_, absent_, want_, sample_)                    \
    {                                                                                                               \
        .code = call, .name = #call, .ref = where, .need = needed, .flags = flags_, .in_bytes = in_,                \
        .out_bytes = out_, .elem_in = elem_in_, .elem_out = elem_out_, .absent = absent_, .want = want_,            \
        .sample = sample_,                                                                                          \
    }
#define DENY(call, where, needed) \
    ROW(call, where, needed, HV_CALL_ABSENT_ONLY, 0, 0, 0, 0, HV_DENIED, 0, sample_nothing)
#define PARENT(call) DENY(call, "6.0b App. A: caller parent or root", HV_NEED_NEVER)

const struct hv_hcall hv_hcalls[] = {
    ROW(HvCallSwitchVirtualAddressSpace, "6.0b 9.4.1", HV_NEED_ADDRESS_SPACE_SWITCH, HV_CALL_FAST, 8, 0, 0, 0,
        HV_DENIED, HV_IS(HV_STATUS_INVALID_PARAMETER), sample_switch),
    ROW(HvCallFlushVirtualAddressSpace, "doc HvCallFlushVirtualAddressSpace", HV_NEED_FLUSH, 0, 24, 0, 0, 0, HV_DENIED,
        HV_OK, sample_flush),
    ROW(HvCallFlushVirtualAddressList, "doc HvCallFlushVirtualAddressList", HV_NEED_FLUSH, HV_CALL_REP, 24, 0, 8, 0,
        HV_DENIED, HV_OK, sample_flush_list),
    DENY(HvCallGetLogicalProcessorRunTime, "6.0b App. A: CpuManagement", HV_NEED_CPU_MANAGEMENT),
    ROW(HvCallNotifyLongSpinWait, "doc HvCallNotifyLongSpinWait", HV_NEED_SPIN_WAIT, HV_CALL_FAST, 8, 0, 0, 0,
        HV_DENIED | HV_OK, HV_OK, sample_spin),
    DENY(HvCallParkedVirtualProcessors, "6.0b App. A: CpuManagement", HV_NEED_CPU_MANAGEMENT),
    ROW(HvCallSendSyntheticClusterIpi, "doc HvCallSendSyntheticClusterIpi", HV_NEED_IPI, HV_CALL_FAST, 16, 0, 0, 0,
        HV_DENIED, HV_OK, sample_ipi),
    DENY(HvCallEnablePartitionVtl, "doc vsm: AccessVSM", HV_NEED_NEVER),
    DENY(HvCallEnableVpVtl, "doc vsm: AccessVSM", HV_NEED_NEVER),
    ROW(HvCallFlushVirtualAddressSpaceEx, "doc HvCallFlushVirtualAddressSpaceEx", HV_NEED_FLUSH_EX, HV_CALL_VAR, 32, 0,
        0, 0, HV_DENIED, HV_OK, sample_flush_ex),
    ROW(HvCallFlushVirtualAddressListEx, "doc HvCallFlushVirtualAddressListEx", HV_NEED_FLUSH_EX,
        HV_CALL_REP | HV_CALL_VAR, 32, 0, 8, 0, HV_DENIED, HV_OK, sample_flush_list_ex),
    ROW(HvCallSendSyntheticClusterIpiEx, "doc HvCallSendSyntheticClusterIpiEx", HV_NEED_IPI_EX, HV_CALL_VAR, 24, 0, 0,
        0, HV_DENIED, HV_OK, sample_ipi_ex),
    PARENT(HvCallCreatePartition),
    PARENT(HvCallInitializePartition),
    PARENT(HvCallFinalizePartition),
    PARENT(HvCallDeletePartition),
    PARENT(HvCallGetPartitionProperty),
    PARENT(HvCallSetPartitionProperty),
    ROW(HvCallGetPartitionId, "6.0b 4.2.2: AccessPartitionId", HV_NEED_PARTITION_ID, 0, 0, 8, 0, 0, HV_DENIED, HV_OK,
        sample_nothing),
    PARENT(HvCallGetNextChildPartition),
    PARENT(HvCallDepositMemory),
    PARENT(HvCallWithdrawMemory),
    PARENT(HvCallGetMemoryBalance),
    PARENT(HvCallMapGpaPages),
    PARENT(HvCallUnmapGpaPages),
    PARENT(HvCallInstallIntercept),
    PARENT(HvCallCreateVp),
    PARENT(HvCallDeleteVp),
    ROW(HvCallGetVpRegisters, "doc HvCallGetVpRegisters", HV_NEED_VP_REGISTERS, HV_CALL_REP, 16, 0, 4, 16, HV_DENIED,
        HV_OK, sample_get_registers),
    ROW(HvCallSetVpRegisters, "doc HvCallSetVpRegisters", HV_NEED_VP_REGISTERS, HV_CALL_REP, 16, 0, 32, 0, HV_DENIED,
        HV_OK, sample_set_registers),
    ROW(HvCallTranslateVirtualAddress, "doc HvCallTranslateVirtualAddress; 6.0b 9.4.6", HV_NEED_NOTHING, HV_CALL_ASK,
        32, 16, 0, 0, HV_DENIED, HV_OK, sample_translate),
    PARENT(HvCallReadGpa),
    PARENT(HvCallWriteGpa),
    PARENT(HvCallClearVirtualInterrupt),
    PARENT(HvCallDeletePort),
    PARENT(HvCallGetPortProperty),
    PARENT(HvCallDisconnectPort),
    ROW(HvCallPostMessage, "doc HvCallPostMessage", HV_NEED_POST_MESSAGES, 0, 256, 0, 0, 0, HV_DENIED,
        HV_IS(HV_STATUS_INVALID_CONNECTION_ID), sample_post),
    ROW(HvCallSignalEvent, "doc HvCallSignalEvent", HV_NEED_SIGNAL_EVENTS, HV_CALL_FAST, 8, 0, 0, 0, HV_DENIED,
        HV_IS(HV_STATUS_INVALID_CONNECTION_ID), sample_signal),
    PARENT(HvCallSavePartitionState),
    PARENT(HvCallRestorePartitionState),
    DENY(HvCallPostDebugData, "6.0b App. A: Debugging", HV_NEED_DEBUGGING),
    DENY(HvCallRetrieveDebugData, "6.0b App. A: Debugging", HV_NEED_DEBUGGING),
    DENY(HvCallResetDebugSession, "6.0b App. A: Debugging", HV_NEED_DEBUGGING),
    PARENT(HvCallMapStatsPage),
    PARENT(HvCallUnmapStatsPage),
    PARENT(HvCallMapSparseGpaPages),
    PARENT(HvCallSetSystemProperty),
    PARENT(HvCallSetPortProperty),
    PARENT(HvCallAddLogicalProcessor),
    DENY(HvCallGetSystemProperty, "6.0b App. A: CpuManagement", HV_NEED_CPU_MANAGEMENT),
    PARENT(HvCallMapDeviceInterrupt),
    PARENT(HvCallUnmapDeviceInterrupt),
    ROW(HvCallRetargetDeviceInterrupt, "doc HvCallRetargetDeviceInterrupt; 6.0b 10.5", HV_NEED_NOTHING,
        HV_CALL_ASK | HV_CALL_VAR, 56, 0, 0, 0, HV_DENIED,
        HV_OK | HV_IS(HV_STATUS_INVALID_PARAMETER) | HV_IS(HV_STATUS_OPERATION_DENIED) | HV_IS(0x57), sample_retarget),
    PARENT(HvCallNotifyPartitionEvent),
    PARENT(HvCallDisableHypervisor),
    PARENT(HvCallModifySparseGpaPages),
    PARENT(HvCallRegisterInterceptResult),
    PARENT(HvCallUnregisterInterceptResult),
    PARENT(HvCallCreatePort),
    PARENT(HvCallConnectPort),
    PARENT(HvCallGetSpaPageList),
    ROW(HvCallStartVirtualProcessor, "doc HvCallStartVirtualProcessor", HV_NEED_START_VP, 0, 240, 0, 0, 0, HV_DENIED,
        HV_IS(HV_STATUS_INVALID_VP_STATE), sample_start),
    ROW(HvCallGetVpIndexFromApicId, "doc HvCallGetVpIndexFromApicId", HV_NEED_START_VP, HV_CALL_REP, 16, 0, 4, 4,
        HV_DENIED | HV_OK, HV_OK, sample_from_apic_id),
    DENY(HvCallFlushGuestPhysicalAddressSpace, "doc nested-virtualization: leaf 0x4000000A", HV_NEED_FLUSH_GPA),
    DENY(HvCallFlushGuestPhysicalAddressList, "doc nested-virtualization: leaf 0x4000000A", HV_NEED_FLUSH_GPA),
    PARENT(HvCallSignalEventDirect),
    PARENT(HvCallPostMessageDirect),
    ROW(HvExtCallQueryCapabilities, "doc HvExtCallQueryCapabilities", HV_NEED_EXTENDED_CALLS, 0, 0, 8, 0, 0, HV_DENIED,
        HV_OK, sample_nothing),
    DENY(HvExtCallGetBootZeroedMemory, "doc HvExtCallGetBootZeroedMemory", HV_NEED_EXTENDED_CALLS),
    DENY(HvExtCallMemoryHeatHint, "doc HvExtCallQueryCapabilities", HV_NEED_EXTENDED_CALLS),
    DENY(HvExtCallEpfSetup, "doc HvExtCallQueryCapabilities", HV_NEED_EXTENDED_CALLS),
};
const uint32_t hv_nr_hcalls = sizeof(hv_hcalls) / sizeof(hv_hcalls[0]);

/* --- one field changed -------------------------------------------------------------------------------------------- */

#define BAD HV_IS(HV_STATUS_INVALID_PARAMETER)
#define NO_VP_INDEX HV_IS(HV_STATUS_INVALID_VP_INDEX)
/* A partition that is not its own: it is not there, or not this caller's business. */
#define FOREIGN (HV_IS(HV_STATUS_INVALID_PARTITION_ID) | HV_IS(HV_STATUS_ACCESS_DENIED))
#define NO_VTL (BAD | HV_IS(HV_STATUS_ACCESS_DENIED) | HV_IS(HV_STATUS_INVALID_VTL_STATE))
#define NO_REGISTER (BAD | HV_IS(HV_STATUS_UNKNOWN_REGISTER))
/* A count of banks that is not that of the mask. */
#define NO_BANKS (BAD | HV_IS(HV_STATUS_INVALID_HYPERCALL_INPUT))
/* VPs that do not exist are in a set: nothing is said. */
#define ANY_OF_VPS (HV_OK | BAD | NO_VP_INDEX)
#define NO_CONNECTION_ID HV_IS(HV_STATUS_INVALID_CONNECTION_ID)

/* The flushes: flags at 8; `list` for those that take ranges */
#define FLUSHES(call, all, list)                                                                                       \
    {call, "reserved flag 5", 8, 8, (all) | 1ull << 5, BAD, 0},                                                        \
    {call, "reserved flag 31", 8, 8, (all) | 1ull << 31, BAD, 0},                                                      \
    {call, "reserved flag 63", 8, 8, (all) | 1ull << 63, BAD, 0},                                                      \
    {call, "non-global mappings only", 8, 8, (all) | HV_FLUSH_NON_GLOBAL_MAPPINGS_ONLY, (list) ? BAD : HV_OK, 0},      \
    {call, "one address space", 8, 8, (all) & ~HV_FLUSH_ALL_VIRTUAL_ADDRESS_SPACES, HV_OK, 0}

const struct hv_variation hv_variations[] = {
    FLUSHES(HvCallFlushVirtualAddressSpace, HV_FLUSH_ALL_PROCESSORS | HV_FLUSH_ALL_VIRTUAL_ADDRESS_SPACES, false),
    {HvCallFlushVirtualAddressSpace, "an unused mask is ignored", 16, 8, UINT64_MAX, HV_OK, 0},
    {HvCallFlushVirtualAddressSpace, "an unused address space is ignored", 0, 8, UINT64_MAX, HV_OK, 0},
    /* 6.0b 9.4.2 has an error for it; Windows Server 2012 makes such calls and means all */
    {HvCallFlushVirtualAddressSpace, "an empty mask", 8, 8, HV_FLUSH_ALL_VIRTUAL_ADDRESS_SPACES, HV_OK | BAD, 0},
    FLUSHES(HvCallFlushVirtualAddressList, HV_FLUSH_ALL_PROCESSORS | HV_FLUSH_ALL_VIRTUAL_ADDRESS_SPACES, true),
    {HvCallFlushVirtualAddressList, "an unused mask is ignored", 16, 8, UINT64_MAX, HV_OK, 0},
    {HvCallFlushVirtualAddressList, "an unused address space is ignored", 0, 8, UINT64_MAX, HV_OK, 0},
    {HvCallFlushVirtualAddressList, "4096 pages", 24, 8, 0x200fff, HV_OK, 0},
    {HvCallFlushVirtualAddressList, "a GVA that is not canonical is ignored", 24, 8, 0x8000000000000fff, HV_OK, 0},
    {HvCallFlushVirtualAddressList, "ranges in the extended format", 8, 8,
     HV_FLUSH_ALL_PROCESSORS | HV_FLUSH_ALL_VIRTUAL_ADDRESS_SPACES | HV_FLUSH_USE_EXTENDED_RANGE_FORMAT, HV_OK,
     HV_NEED_EXTENDED_GVA},
    FLUSHES(HvCallFlushVirtualAddressSpaceEx, HV_FLUSH_ALL_VIRTUAL_ADDRESS_SPACES, false),
    {HvCallFlushVirtualAddressSpaceEx, "an unknown format of the set", 16, 8, 2, BAD, 0},
    {HvCallFlushVirtualAddressSpaceEx, "more banks in the mask than given", 24, 8, 3, NO_BANKS, 0},
    {HvCallFlushVirtualAddressSpaceEx, "fewer banks in the mask than given", 24, 8, 0, NO_BANKS | HV_OK, 0},
    {HvCallFlushVirtualAddressSpaceEx, "a bank without VPs", 32, 8, 0, HV_OK | BAD, 0},
    {HvCallFlushVirtualAddressSpaceEx, "VPs that do not exist", 32, 8, UINT64_MAX, ANY_OF_VPS, 0},
    {HvCallFlushVirtualAddressSpaceEx, "the last bank of all", 24, 8, 1ull << 63, ANY_OF_VPS, 0},
    FLUSHES(HvCallFlushVirtualAddressListEx, HV_FLUSH_ALL_VIRTUAL_ADDRESS_SPACES, true),
    {HvCallFlushVirtualAddressListEx, "an unknown format of the set", 16, 8, 2, BAD, 0},
    {HvCallFlushVirtualAddressListEx, "more banks in the mask than given", 24, 8, 3, NO_BANKS, 0},
    {HvCallFlushVirtualAddressListEx, "VPs that do not exist", 32, 8, UINT64_MAX, ANY_OF_VPS, 0},
    {HvCallFlushVirtualAddressListEx, "4096 pages", 40, 8, 0x200fff, HV_OK, 0},
    {HvCallSendSyntheticClusterIpi, "vector 0", 0, 4, 0, BAD, 0},
    {HvCallSendSyntheticClusterIpi, "vector 0xf", 0, 4, 0xf, BAD, 0},
    {HvCallSendSyntheticClusterIpi, "vector 0x100", 0, 4, 0x100, BAD, 0},
    {HvCallSendSyntheticClusterIpi, "vector 0xffffffff", 0, 4, 0xffffffff, BAD, 0},
    {HvCallSendSyntheticClusterIpi, "VTL 1", 4, 1, 0x11, NO_VTL, 0},
    {HvCallSendSyntheticClusterIpi, "reserved bits of the VTL", 4, 1, 0x20, BAD, 0},
    {HvCallSendSyntheticClusterIpi, "padding is ignored", 5, 2, 0xffff, HV_OK, 0},
    {HvCallSendSyntheticClusterIpi, "an empty mask", 8, 8, 0, HV_OK | BAD, 0},
    {HvCallSendSyntheticClusterIpi, "VPs that do not exist", 8, 8, 1ull << 63 | 1, ANY_OF_VPS, 0},
    {HvCallSendSyntheticClusterIpiEx, "vector 0xf", 0, 4, 0xf, BAD, 0},
    {HvCallSendSyntheticClusterIpiEx, "vector 0x100", 0, 4, 0x100, BAD, 0},
    {HvCallSendSyntheticClusterIpiEx, "VTL 1", 4, 1, 0x11, NO_VTL, 0},
    {HvCallSendSyntheticClusterIpiEx, "reserved bits of the VTL", 4, 1, 0x20, BAD, 0},
    {HvCallSendSyntheticClusterIpiEx, "an unknown format of the set", 8, 8, 2, BAD, 0},
    {HvCallSendSyntheticClusterIpiEx, "more banks in the mask than given", 16, 8, 3, NO_BANKS, 0},
    {HvCallSendSyntheticClusterIpiEx, "VPs that do not exist", 24, 8, 1ull << 63 | 1, ANY_OF_VPS, 0},
    {HvCallNotifyLongSpinWait, "any count", 0, 4, 0xffffffff, HV_OK, 0},
    {HvCallNotifyLongSpinWait, "no count", 0, 4, 0, HV_OK, 0},
    {HvCallNotifyLongSpinWait, "reserved bytes: there is no error status", 4, 4, 0xffffffff, HV_OK, 0},
    {HvCallGetVpRegisters, "another partition", 0, 8, NO_PARTITION, FOREIGN, 0},
    {HvCallGetVpRegisters, "a VP that does not exist", 8, 4, NO_VP, NO_VP_INDEX, 0},
    {HvCallGetVpRegisters, "any VP", 8, 4, HV_ANY_VP, NO_VP_INDEX, 0},
    {HvCallGetVpRegisters, "VTL 1", 12, 1, 0x11, NO_VTL, 0},
    {HvCallGetVpRegisters, "reserved bits of the VTL", 12, 1, 0x20, BAD, 0},
    {HvCallGetVpRegisters, "reserved bytes", 13, 1, 1, HV_OK | BAD, 0},
    {HvCallGetVpRegisters, "a register that does not exist", 16, 4, REGISTER_NONE, NO_REGISTER, 0},
    {HvCallGetVpRegisters, "the second register does not exist", 20, 4, REGISTER_NONE, NO_REGISTER, 0},
    {HvCallSetVpRegisters, "another partition", 0, 8, NO_PARTITION, FOREIGN, 0},
    {HvCallSetVpRegisters, "a VP that does not exist", 8, 4, NO_VP, NO_VP_INDEX, 0},
    {HvCallSetVpRegisters, "any VP", 8, 4, HV_ANY_VP, NO_VP_INDEX, 0},
    {HvCallSetVpRegisters, "VTL 1", 12, 1, 0x11, NO_VTL, 0},
    {HvCallSetVpRegisters, "reserved bits of the VTL", 12, 1, 0x20, BAD, 0},
    {HvCallSetVpRegisters, "a read-only register", 16, 4, REGISTER_VP_INDEX, BAD, HV_NEED_VP_INDEX},
    {HvCallSetVpRegisters, "a register that does not exist", 16, 4, REGISTER_NONE, NO_REGISTER, 0},
    {HvCallSetVpRegisters, "the second register does not exist", 48, 4, REGISTER_NONE, NO_REGISTER, 0},
    {HvCallTranslateVirtualAddress, "another partition", 0, 8, NO_PARTITION, FOREIGN, 0},
    {HvCallTranslateVirtualAddress, "a VP that does not exist", 8, 4, NO_VP, NO_VP_INDEX, 0},
    {HvCallTranslateVirtualAddress, "no access to validate", 16, 8, 0, BAD, 0},
    {HvCallTranslateVirtualAddress, "reserved control flags", 16, 8, HV_TRANSLATE_GVA_VALIDATE_READ | 1ull << 40, BAD,
     0},
    /* the connection is none: of two errors either may be reported */
    {HvCallPostMessage, "a reserved byte of the connection", 0, 4, 0xff000001, NO_CONNECTION_ID | BAD, 0},
    {HvCallPostMessage, "reserved bytes", 4, 4, 0xffffffff, NO_CONNECTION_ID | BAD, 0},
    {HvCallPostMessage, "message type 0", 8, 4, 0, NO_CONNECTION_ID | BAD, 0},
    {HvCallPostMessage, "a message type of the hypervisor's", 8, 4, 0x80000001, NO_CONNECTION_ID | BAD, 0},
    {HvCallPostMessage, "240 bytes", 12, 4, 240, NO_CONNECTION_ID, 0},
    {HvCallPostMessage, "no bytes", 12, 4, 0, NO_CONNECTION_ID, 0},
    {HvCallPostMessage, "241 bytes", 12, 4, 241, NO_CONNECTION_ID | BAD, 0},
    {HvCallPostMessage, "0xffffffff bytes", 12, 4, 0xffffffff, NO_CONNECTION_ID | BAD, 0},
    {HvCallPostMessage, "connection 0", 0, 4, 0, NO_CONNECTION_ID, 0},
    {HvCallSignalEvent, "a reserved byte of the connection", 0, 4, 0xff000001, NO_CONNECTION_ID | BAD, 0},
    {HvCallSignalEvent, "flag 2047", 4, 2, 2047, NO_CONNECTION_ID, 0},
    {HvCallSignalEvent, "flag 2048", 4, 2, 2048, NO_CONNECTION_ID | BAD, 0},
    {HvCallSignalEvent, "flag 65535", 4, 2, 65535, NO_CONNECTION_ID | BAD, 0},
    {HvCallSignalEvent, "reserved bytes", 6, 2, 0xffff, NO_CONNECTION_ID | BAD, 0},
    {HvCallSignalEvent, "connection 0", 0, 4, 0, NO_CONNECTION_ID, 0},
    {HvCallRetargetDeviceInterrupt, "another partition", 0, 8, NO_PARTITION, FOREIGN, 0},
    {HvCallRetargetDeviceInterrupt, "an unknown source", 16, 4, 9, BAD | HV_IS(0x57), 0},
    {HvCallRetargetDeviceInterrupt, "vector 0xf", 40, 4, 0xf, BAD | HV_IS(0x57), 0},
    {HvCallRetargetDeviceInterrupt, "reserved flags", 44, 4, 0x80000000, BAD | HV_IS(0x57), 0},
    {HvCallStartVirtualProcessor, "another partition", 0, 8, NO_PARTITION, FOREIGN, 0},
    {HvCallStartVirtualProcessor, "a VP that does not exist", 8, 4, NO_VP, NO_VP_INDEX, 0},
    {HvCallStartVirtualProcessor, "any VP", 8, 4, HV_ANY_VP, NO_VP_INDEX, 0},
    {HvCallStartVirtualProcessor, "VTL 1", 12, 1, 1, NO_VTL | HV_IS(HV_STATUS_INVALID_VP_STATE), 0},
    {HvCallStartVirtualProcessor, "VTL 16", 12, 1, 16, NO_VTL | HV_IS(HV_STATUS_INVALID_VP_STATE), 0},
    {HvCallStartVirtualProcessor, "reserved bits of CR0", 208, 8, UINT64_MAX,
     HV_IS(HV_STATUS_INVALID_REGISTER_VALUE) | HV_IS(HV_STATUS_INVALID_VP_STATE), 0},
    {HvCallGetVpIndexFromApicId, "another partition", 0, 8, NO_PARTITION, FOREIGN, 0},
    {HvCallGetVpIndexFromApicId, "VTL 1", 8, 1, 1, NO_VTL, 0},
    {HvCallGetVpIndexFromApicId, "an APIC id that does not exist", 16, 4, 0xfffffff0,
     BAD | NO_VP_INDEX | HV_IS(HV_STATUS_INVALID_REGISTER_VALUE), 0},
};
const uint32_t hv_nr_variations = sizeof(hv_variations) / sizeof(hv_variations[0]);
