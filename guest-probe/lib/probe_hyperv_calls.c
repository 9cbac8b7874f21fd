/*
 * Hyper-V's hypercalls for a guest: flushes, interrupts, registers, other VPs, and arguments in XMM registers
 * [TLFS hypercall-interface, virtual-mmu, virtual-interrupts, vp-properties].
 *
 * Left out: whether a flush reaches other processors; this kernel keeps no stale translation that would show it.
 */
#include "probe_hyperv.h"

#include "cpu.h"
#include "env.h"

enum {
    OWN_BANK_BITS = 64,
    BAD_VECTOR = 0x0f,
    TOO_HIGH_VP = 0x0fffffff,
    NO_APIC_ID = 0x7ffffffe,
    WAIT_NS = 100000000,
    HEADER_QWORDS = 2,          /* of the calls on VP registers and APIC ids */
    CPUID_APIC = 1,
    MSR_EFER = 0xc0000080,
    MSR_PAT = 0x277,
    CR0_EMULATE = 1 << 2,
    CR0_TASK_SWITCHED = 1 << 3,
    CR4_OSFXSR = 1 << 9,
    ATTRIBUTES_TSS = 0x8b,
};
#define REPS(n) ((uint64_t)(n) << HV_HYPERCALL_REP_COUNT_SHIFT)
#define VARIABLE(n) ((uint64_t)(n) << HV_HYPERCALL_VARIABLE_HEADER_SHIFT)

static struct {
    volatile uint64_t *in, *out;        /* a page each */
    uint64_t vp;                        /* this one */
} state;

static bool recommends(const struct probe_interface *face, uint32_t bit)
{
    struct env_cpuid regs;
    probe_hyperv_leaf(face, HV_CPUID_ENLIGHTENMENT_INFORMATION, &regs);
    return (regs.eax & 1u << bit) != 0;
}

/* Pages for arguments, and the own index. False, with the last word of the test in *verdict, where calls cannot be. */
static bool prepare(struct text *evidence, enum probe_state *verdict)
{
    if (!probe_hyperv_has_page()) {
        *verdict = probe_say(PROBE_BROKEN, evidence, "no hypercall page to call");
        return false;
    }
    if (state.out == NULL) {
        state.in = env_page();
        state.out = env_page();
    }
    *verdict = PROBE_UNTESTED;
    if (state.out == NULL || env_rdmsr(HV_X64_MSR_VP_INDEX, &state.vp) != ENV_DONE)
        *verdict = probe_say(PROBE_UNTESTED, evidence, "no page, or no VP_INDEX");
    return state.out != NULL && evidence->used == 0;
}

static uint64_t slow_call(uint64_t control)
{
    struct probe_hypercall call = {
        .control = control, .input = (uintptr_t)state.in, .output = (uintptr_t)state.out};
    return probe_hyperv_try(&call, false);
}

static void set_input(uint64_t a, uint64_t b, uint64_t c)
{
    state.in[0] = a;
    state.in[1] = b;
    state.in[2] = c;
}

static uint32_t status_of(uint64_t result)
{
    return (uint32_t)(result & HV_HYPERCALL_STATUS_MASK);
}

static uint32_t reps_of(uint64_t result)
{
    return (uint32_t)(result >> HV_HYPERCALL_REPS_COMPLETED_SHIFT & HV_HYPERCALL_REPS_COMPLETED_MASK);
}

/* --- flushes ------------------------------------------------------------------------------------------------------ */

bool probe_hyperv_has_flush(const struct probe_interface *face)
{
    return recommends(face, HV_USE_HYPERCALL_FOR_REMOTE_FLUSH);
}

bool probe_hyperv_has_flush_ex(const struct probe_interface *face)
{
    return probe_hyperv_has_flush(face) && recommends(face, HV_USE_EX_PROCESSOR_MASKS);
}

static void set_flush_input(void)
{
    set_input(0, HV_FLUSH_ALL_PROCESSORS | HV_FLUSH_ALL_VIRTUAL_ADDRESS_SPACES, 0);
}

enum probe_state probe_hyperv_test_flush(const struct probe_interface *face, struct text *evidence)
{
    enum probe_state verdict;
    (void)face;
    if (!prepare(evidence, &verdict))
        return verdict;
    set_flush_input();
    uint64_t all = slow_call(HvCallFlushVirtualAddressSpace);
    set_input(0, 0, state.vp < OWN_BANK_BITS ? 1ull << state.vp : 1);
    uint64_t own = slow_call(HvCallFlushVirtualAddressSpace);
    text_add(evidence, "of all status 0x%x, of this VP 0x%x", status_of(all), status_of(own));
    set_flush_input();
    return all == HV_STATUS_SUCCESS && own == HV_STATUS_SUCCESS ? PROBE_WORKS : PROBE_BROKEN;
}

void probe_hyperv_flush(const struct probe_interface *face)
{
    struct probe_hypercall call = {.control = HvCallFlushVirtualAddressSpace, .input = (uintptr_t)state.in};
    (void)face;
    probe_hyperv_do(&call);
}

enum probe_state probe_hyperv_test_flush_list(const struct probe_interface *face, struct text *evidence)
{
    enum probe_state verdict;
    (void)face;
    if (!prepare(evidence, &verdict))
        return verdict;
    set_input(0, HV_FLUSH_ALL_VIRTUAL_ADDRESS_SPACES, HV_GENERIC_SET_SPARSE_4K);
    state.in[3] = 1ull << state.vp / OWN_BANK_BITS;
    state.in[4] = 1ull << state.vp % OWN_BANK_BITS;
    state.in[5] = (uintptr_t)state.in;
    state.in[6] = (uintptr_t)state.out | 1;
    uint64_t good = slow_call(HvCallFlushVirtualAddressListEx | VARIABLE(1) | REPS(2));
    uint64_t bad = slow_call(HvCallFlushVirtualAddressListEx | REPS(2));
    text_add(evidence, "%u of 2 ranges, status 0x%x; without the bank 0x%x", reps_of(good), status_of(good),
             status_of(bad));
    bool is_good = status_of(good) == HV_STATUS_SUCCESS && reps_of(good) == 2;
    return is_good && status_of(bad) != HV_STATUS_SUCCESS ? PROBE_WORKS : PROBE_BROKEN;
}

/* --- interrupts --------------------------------------------------------------------------------------------------- */

bool probe_hyperv_has_ipi(const struct probe_interface *face)
{
    return recommends(face, HV_USE_SYNTHETIC_CLUSTER_IPI);
}

/* Windows sends it fast. */
static uint64_t send_ipi(uint8_t vector)
{
    struct probe_hypercall call = {
        .control = HvCallSendSyntheticClusterIpi | HV_HYPERCALL_FAST, .input = vector, .output = 1ull << state.vp};
    return probe_hyperv_try(&call, false);
}

enum probe_state probe_hyperv_test_ipi(const struct probe_interface *face, struct text *evidence)
{
    enum probe_state verdict;
    (void)face;
    if (!prepare(evidence, &verdict))
        return verdict;
    if (env_vector() == 0 || state.vp >= OWN_BANK_BITS)
        return probe_say(PROBE_UNTESTED, evidence, "takes no interrupts");
    env_interrupt_arm();
    uint64_t sent = send_ipi(env_vector());
    bool has_arrived = env_interrupt_wait(WAIT_NS);
    uint64_t bad = send_ipi(BAD_VECTOR);
    text_add(evidence, "to this VP: status 0x%x, %s; vector 0x%x gives 0x%x", status_of(sent),
             has_arrived ? "arrived" : "DID NOT ARRIVE", BAD_VECTOR, status_of(bad));
    return sent == HV_STATUS_SUCCESS && has_arrived && bad != HV_STATUS_SUCCESS ? PROBE_WORKS : PROBE_BROKEN;
}

void probe_hyperv_ipi(const struct probe_interface *face)
{
    struct probe_hypercall call = {.control = HvCallSendSyntheticClusterIpi | HV_HYPERCALL_FAST,
                                     .input = env_vector()};
    (void)face;
    probe_hyperv_do(&call);
}

/* --- XMM registers ------------------------------------------------------------------------------------------------ */

static void allow_sse(void *unused)
{
    uint64_t cr0, cr4;
    (void)unused;
    __asm__ volatile("mov %%cr0, %0\n\tmov %%cr4, %1" : "=r"(cr0), "=r"(cr4));
    __asm__ volatile("mov %0, %%cr0\n\tmov %1, %%cr4"
                     :
                     : "r"(cr0 & ~(uint64_t)(CR0_EMULATE | CR0_TASK_SWITCHED)), "r"(cr4 | CR4_OSFXSR)
                     : "memory");
}

static bool prepare_xmm(struct text *evidence, enum probe_state *verdict)
{
    if (!prepare(evidence, verdict))
        return false;
    if (env_try(allow_sse, NULL) == ENV_NO_FAULT)
        return true;
    *verdict = probe_say(PROBE_UNTESTED, evidence, "no SSE");
    return false;
}

bool probe_hyperv_has_xmm_input(const struct probe_interface *face)
{
    return probe_hyperv_has_feature(face, HV_XMM_REGISTERS_FOR_FAST_HYPERCALL_AVAILABLE);
}

/* Vector and format in RDX and R8; which banks, and the bank, in XMM0. */
static struct probe_hypercall xmm_ipi(uint8_t vector)
{
    return (struct probe_hypercall){
        .control = HvCallSendSyntheticClusterIpiEx | HV_HYPERCALL_FAST | VARIABLE(1),
        .input = vector,
        .output = HV_GENERIC_SET_SPARSE_4K,
        .xmm = {1ull << state.vp / OWN_BANK_BITS, 1ull << state.vp % OWN_BANK_BITS},
    };
}

static enum probe_state test_xmm_flush(struct text *evidence)
{
    struct probe_hypercall call = {.control = HvCallFlushVirtualAddressSpace | HV_HYPERCALL_FAST,
                                     .output = HV_FLUSH_ALL_PROCESSORS};
    uint64_t result = probe_hyperv_try(&call, true);
    text_add(evidence, "flush with 24 bytes of input: status 0x%x", status_of(result));
    return result == HV_STATUS_SUCCESS ? PROBE_WORKS : PROBE_BROKEN;
}

enum probe_state probe_hyperv_test_xmm_input(const struct probe_interface *face, struct text *evidence)
{
    enum probe_state verdict;
    if (!prepare_xmm(evidence, &verdict))
        return verdict;
    if (!probe_hyperv_has_ipi(face) || !recommends(face, HV_USE_EX_PROCESSOR_MASKS) || env_vector() == 0)
        return probe_hyperv_has_flush(face) ? test_xmm_flush(evidence)
                                            : probe_say(PROBE_UNTESTED, evidence, "no call here needs it");
    struct probe_hypercall call = xmm_ipi(env_vector());
    env_interrupt_arm();
    uint64_t result = probe_hyperv_try(&call, true);
    bool has_arrived = env_interrupt_wait(WAIT_NS);
    text_add(evidence, "SendSyntheticClusterIpiEx to this VP: status 0x%x, %s", status_of(result),
             has_arrived ? "arrived" : "DID NOT ARRIVE");
    return result == HV_STATUS_SUCCESS && has_arrived ? PROBE_WORKS : PROBE_BROKEN;
}

void probe_hyperv_xmm_input(const struct probe_interface *face)
{
    struct probe_hypercall call = xmm_ipi(env_vector());
    (void)face;
    call.xmm[1] = 0;            /* to nobody */
    probe_hyperv_try(&call, true);
}

bool probe_hyperv_has_xmm_output(const struct probe_interface *face)
{
    return probe_hyperv_has_feature(face, HV_FAST_HYPERCALL_OUTPUT_AVAILABLE);
}

/* 20 bytes of input, so the output begins in XMM1. */
static struct probe_hypercall xmm_registers(void)
{
    return (struct probe_hypercall){
        .control = HvCallGetVpRegisters | HV_HYPERCALL_FAST | REPS(1),
        .input = HV_PARTITION_ID_SELF,
        .output = HV_VP_INDEX_SELF,
        .xmm = {HvRegisterVpIndex, 0, UINT64_MAX, UINT64_MAX},
    };
}

enum probe_state probe_hyperv_test_xmm_output(const struct probe_interface *face, struct text *evidence)
{
    enum probe_state verdict;
    if (!prepare_xmm(evidence, &verdict))
        return verdict;
    if (!probe_hyperv_has_registers(face))
        return probe_say(PROBE_UNTESTED, evidence, "no call here needs it");
    struct probe_hypercall call = xmm_registers();
    uint64_t result = probe_hyperv_try(&call, true);
    text_add(evidence, "GetVpRegisters: status 0x%x, VP index %" PRIu64, status_of(result), call.xmm[2]);
    bool is_good = status_of(result) == HV_STATUS_SUCCESS && call.xmm[2] == state.vp && call.xmm[3] == 0;
    return is_good ? PROBE_WORKS : PROBE_BROKEN;
}

void probe_hyperv_xmm_output(const struct probe_interface *face)
{
    struct probe_hypercall call = xmm_registers();
    (void)face;
    probe_hyperv_try(&call, true);
}

/* --- registers and other VPs -------------------------------------------------------------------------------------- */

bool probe_hyperv_has_registers(const struct probe_interface *face)
{
    return probe_hyperv_has_privilege_high(face, HV_ACCESS_VP_REGISTERS);
}

static bool is_version_leaf(const struct probe_interface *face, uint64_t low, uint64_t high)
{
    struct env_cpuid regs;
    probe_hyperv_leaf(face, HV_CPUID_VERSION, &regs);
    return low == ((uint64_t)regs.ebx << 32 | regs.eax) && high == ((uint64_t)regs.edx << 32 | regs.ecx);
}

enum probe_state probe_hyperv_test_registers(const struct probe_interface *face, struct text *evidence)
{
    enum probe_state verdict;
    if (!prepare(evidence, &verdict))
        return verdict;
    set_input(HV_PARTITION_ID_SELF, HV_VP_INDEX_SELF, HvRegisterVpIndex | (uint64_t)HvRegisterHypervisorVersion << 32);
    state.in[3] = UINT32_MAX;                           /* no register has that name */
    uint64_t good = slow_call(HvCallGetVpRegisters | REPS(2));
    bool is_right = state.out[0] == state.vp && is_version_leaf(face, state.out[2], state.out[3]);
    uint64_t bad = slow_call(HvCallGetVpRegisters | REPS(3));
    text_add(evidence, "status 0x%x, VP index %" PRIu64 ", build %u; an unknown name gives 0x%x", status_of(good),
             state.out[0], (uint32_t)state.out[2], status_of(bad));
    bool is_good = status_of(good) == HV_STATUS_SUCCESS && reps_of(good) == 2 && is_right;
    return is_good && status_of(bad) != HV_STATUS_SUCCESS && reps_of(bad) == 2 ? PROBE_WORKS : PROBE_BROKEN;
}

void probe_hyperv_registers(const struct probe_interface *face)
{
    struct probe_hypercall call = {.control = HvCallGetVpRegisters | REPS(1), .input = (uintptr_t)state.in,
                                     .output = (uintptr_t)state.out};
    (void)face;
    probe_hyperv_do(&call);
}

bool probe_hyperv_has_start(const struct probe_interface *face)
{
    return probe_hyperv_has_privilege_high(face, HV_START_VIRTUAL_PROCESSOR);
}

enum probe_state probe_hyperv_test_apic_id(const struct probe_interface *face, struct text *evidence)
{
    enum probe_state verdict;
    struct env_cpuid regs;
    (void)face;
    if (!prepare(evidence, &verdict))
        return verdict;
    env_cpuid(CPUID_APIC, 0, &regs);
    uint32_t apic_id = regs.ebx >> 24;
    set_input(HV_PARTITION_ID_SELF, 0, apic_id | (uint64_t)NO_APIC_ID << 32);
    uint64_t result = slow_call(HvCallGetVpIndexFromApicId | REPS(2));
    uint32_t vp = (uint32_t)state.out[0];
    text_add(evidence, "APIC %u is VP %u; 0x%x gives 0x%x", apic_id, vp, NO_APIC_ID, status_of(result));
    bool has_stopped = status_of(result) != HV_STATUS_SUCCESS && reps_of(result) == 1;
    return has_stopped && vp == state.vp ? PROBE_WORKS : PROBE_BROKEN;
}

void probe_hyperv_apic_id(const struct probe_interface *face)
{
    struct probe_hypercall call = {.control = HvCallGetVpIndexFromApicId | REPS(1), .input = (uintptr_t)state.in,
                                     .output = (uintptr_t)state.out};
    (void)face;
    probe_hyperv_do(&call);
}

/* What the started VP runs: it says so at the address in RSP, and sleeps for good. */
__attribute__((naked, noreturn)) static void started_vp(void)
{
    __asm__("movl $1, (%rsp)\n1:\tcli\n\thlt\n\tjmp 1b");
}

static struct hv_x64_segment_register segment(uint16_t selector, uint16_t attributes)
{
    return (struct hv_x64_segment_register){.limit = UINT32_MAX, .selector = selector, .attributes = attributes};
}

/* The state of this VP, as far as code without a stack needs it. */
static void fill_context(struct hv_initial_vp_context *context, volatile uint32_t *said)
{
    struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } gdt;
    uint16_t cs, ss;
    uint64_t cr0, cr3, cr4;
    __asm__ volatile("sgdt %0\n\tmov %%cs, %1\n\tmov %%ss, %2" : "=m"(gdt), "=r"(cs), "=r"(ss));
    __asm__ volatile("mov %%cr0, %0\n\tmov %%cr3, %1\n\tmov %%cr4, %2" : "=r"(cr0), "=r"(cr3), "=r"(cr4));
    struct hv_x64_segment_register code = segment(cs, 0xa09b), data = segment(ss, 0xc093);
    *context = (struct hv_initial_vp_context){
        .rip = (uintptr_t)started_vp, .rsp = (uintptr_t)said, .rflags = 2,
        .cs = code, .ds = data, .es = data, .fs = data, .gs = data, .ss = data,
        .tr = {.limit = 0x67, .attributes = ATTRIBUTES_TSS},
        .gdtr = {.limit = gdt.limit, .base = gdt.base},
        .efer = cpu_rdmsr(MSR_EFER), .cr0 = cr0, .cr3 = cr3, .cr4 = cr4, .msr_cr_pat = cpu_rdmsr(MSR_PAT),
    };
}

static bool wait_for(const volatile uint32_t *said)
{
    const char *source;
    uint64_t khz = env_tsc_khz(&source), begin = cpu_rdtsc();
    uint64_t ticks = WAIT_NS / 1000000 * (khz != 0 ? khz : 4000000);
    while (*said == 0 && cpu_rdtsc() - begin < ticks)
        cpu_relax();
    return *said != 0;
}

static uint32_t start_vp(uint32_t vp)
{
    volatile struct hv_input_start_virtual_processor *in = (void *)state.in;
    in->vp_index = vp;
    return status_of(slow_call(HvCallStartVirtualProcessor));
}

enum probe_state probe_hyperv_test_start(const struct probe_interface *face, struct text *evidence)
{
    struct hv_input_start_virtual_processor *in;
    volatile uint32_t *said;
    enum probe_state verdict;
    (void)face;
    if (!prepare(evidence, &verdict))
        return verdict;
    in = (void *)(uintptr_t)state.in;
    said = (volatile uint32_t *)state.out;
    *said = 0;
    *in = (struct hv_input_start_virtual_processor){.partition_id = HV_PARTITION_ID_SELF};
    fill_context(&in->vp_context, said);
    uint32_t own = start_vp((uint32_t)state.vp), high = start_vp(TOO_HIGH_VP);
    uint32_t next = start_vp((uint32_t)state.vp + 1);
    if (own == HV_STATUS_SUCCESS || high != HV_STATUS_INVALID_VP_INDEX)
        return probe_say(PROBE_BROKEN, evidence, "this VP gives 0x%x, one that is not there 0x%x", own, high);
    if (next == HV_STATUS_INVALID_VP_INDEX)
        return probe_say(PROBE_UNTESTED, evidence, "there is no other VP to start; this one gives 0x%x", own);
    bool runs = next == HV_STATUS_SUCCESS && wait_for(said);
    text_add(evidence, "the next VP: status 0x%x, %s; this one gives 0x%x", next, runs ? "runs" : "DOES NOT RUN", own);
    return runs ? PROBE_WORKS : PROBE_BROKEN;
}
