/*
 * The Hyper-V interface: identification, the hypercall page, clocks, crash registers, the assist page. The processor's
 * own registers are in probe_hyperv_vp.c.
 *
 * [TLFS] Hypervisor Top Level Functional Specification 6.0b and the pages that continue it. The SynIC and what
 * needs it is in probe_hyperv_synic.c, most hypercalls are in probe_hyperv_calls.c. Left out: VSM, nesting.
 */
#include "probe_hyperv.h"

#include "cpu.h"
#include "env.h"

enum {
    NR_READINGS = 16,
    MAX_TRIES = 1000,
    CLOCK_TOLERANCE_100NS = 10,         /* of two readings of the clock, besides their order */
    UNKNOWN_CODE = 0x7fff,
    UNKNOWN_MSR = 0x4000005f,
    PATTERN = 0x5a,
    SPINS = 1,
    PAGE_CODE_BYTES = 8,                /* shown as evidence */
};

#define OS_ID (HV_GUEST_OS_ID_OPEN_SOURCE | 0x7f01ull << HV_GUEST_OS_ID_VENDOR_SHIFT | 0x68767368ull)

static struct {
    uint8_t *hypercall_page;
    uint8_t *tsc_page;
    uint8_t *assist_page;
} state;

static void fill(uint8_t *page, uint8_t value)
{
    for (uint32_t i = 0; page != NULL && i < ENV_PAGE_BYTES; i += sizeof(uint64_t))
        *(volatile uint64_t *)(page + i) = value * 0x0101010101010101ull;
}

static bool is_filled(const uint8_t *page, uint8_t value)
{
    for (uint32_t i = 0; i < ENV_PAGE_BYTES; i += sizeof(uint64_t))
        if (*(const volatile uint64_t *)(page + i) != value * 0x0101010101010101ull)
            return false;
    return true;
}

static void begin(const struct probe_interface *face)
{
    state.hypercall_page = env_page();
    state.tsc_page = env_page();
    state.assist_page = env_page();
    fill(state.hypercall_page, PATTERN);
    fill(state.tsc_page, PATTERN);
    fill(state.assist_page, PATTERN);
    probe_hyperv_synic_begin(face);
}

void probe_hyperv_leaf(const struct probe_interface *face, uint32_t leaf, struct env_cpuid *regs)
{
    env_cpuid(face->base + (leaf - HV_CPUID_VENDOR_AND_MAX_FUNCTION), 0, regs);
}

bool probe_hyperv_has_privilege(const struct probe_interface *face, uint32_t bit)
{
    struct env_cpuid regs;
    probe_hyperv_leaf(face, HV_CPUID_FEATURES, &regs);
    return (regs.eax & 1u << bit) != 0;
}

bool probe_hyperv_has_privilege_high(const struct probe_interface *face, uint32_t bit)
{
    struct env_cpuid regs;
    probe_hyperv_leaf(face, HV_CPUID_FEATURES, &regs);
    return (regs.ebx & 1u << bit) != 0;
}

bool probe_hyperv_has_feature(const struct probe_interface *face, uint32_t bit)
{
    struct env_cpuid regs;
    probe_hyperv_leaf(face, HV_CPUID_FEATURES, &regs);
    return (regs.edx & 1u << bit) != 0;
}

static bool always(const struct probe_interface *face)
{
    (void)face;
    return true;
}

/* --- leaves ------------------------------------------------------------------------------------------------------- */

static enum probe_state test_leaves(const struct probe_interface *face, struct text *evidence)
{
    struct env_cpuid version, privileges;
    probe_hyperv_leaf(face, HV_CPUID_VERSION, &version);
    probe_hyperv_leaf(face, HV_CPUID_FEATURES, &privileges);
    text_add(evidence, "version %u.%u.%u, privileges 0x%x, features 0x%x", version.ebx >> 16, version.ebx & 0xffff,
             version.eax, privileges.eax, privileges.edx);
    return face->max_leaf - face->base >= HV_CPUID_MIN_FUNCTION - HV_CPUID_VENDOR_AND_MAX_FUNCTION ? PROBE_WORKS
                                                                                                   : PROBE_BROKEN;
}

static void read_features(const struct probe_interface *face)
{
    struct env_cpuid regs;
    probe_hyperv_leaf(face, HV_CPUID_FEATURES, &regs);
}

/* --- hypercalls --------------------------------------------------------------------------------------------------- */

static bool has_hypercalls(const struct probe_interface *face)
{
    return probe_hyperv_has_privilege(face, HV_ACCESS_HYPERCALL_MSRS);
}

static enum probe_state test_os_id(const struct probe_interface *face, struct text *evidence)
{
    uint64_t value = 0;
    (void)face;
    enum env_answer answer = env_wrmsr(HV_X64_MSR_GUEST_OS_ID, OS_ID);
    if (answer == ENV_DONE)
        answer = env_rdmsr(HV_X64_MSR_GUEST_OS_ID, &value);
    if (answer != ENV_DONE)
        return probe_refused(answer, evidence, "the MSR");
    return probe_say(value == OS_ID ? PROBE_WORKS : PROBE_BROKEN, evidence, "reads back 0x%" PRIx64, value);
}

static void read_os_id(const struct probe_interface *face)
{
    (void)face;
    cpu_rdmsr(HV_X64_MSR_GUEST_OS_ID);
}

static void do_hypercall(void *arg)
{
    struct probe_hypercall *call = arg;
    uint64_t control = call->control, input = call->input;
    register uint64_t output __asm__("r8") = call->output;

    __asm__ volatile("call *%[page]"
                     : "=a"(call->result), "+c"(control), "+d"(input), "+r"(output)
                     : [page] "r"(state.hypercall_page)
                     : "r9", "r10", "r11", "memory", "cc");
}

void probe_hyperv_do(struct probe_hypercall *call)
{
    do_hypercall(call);
}

/* XMM0-5 from and to memory; no other code here uses them. */
static void do_xmm_hypercall(void *arg)
{
    struct probe_hypercall *call = arg;
    uint64_t control = call->control, input = call->input;
    register uint64_t output __asm__("r8") = call->output;

    __asm__ volatile("movups (%[xmm]), %%xmm0\n\tmovups 16(%[xmm]), %%xmm1\n\tmovups 32(%[xmm]), %%xmm2\n\t"
                     "movups 48(%[xmm]), %%xmm3\n\tmovups 64(%[xmm]), %%xmm4\n\tmovups 80(%[xmm]), %%xmm5\n\t"
                     "call *%[page]\n\t"
                     "movups %%xmm0, (%[xmm])\n\tmovups %%xmm1, 16(%[xmm])\n\tmovups %%xmm2, 32(%[xmm])\n\t"
                     "movups %%xmm3, 48(%[xmm])\n\tmovups %%xmm4, 64(%[xmm])\n\tmovups %%xmm5, 80(%[xmm])"
                     : "=a"(call->result), "+c"(control), "+d"(input), "+r"(output)
                     : [page] "D"(state.hypercall_page), [xmm] "S"(call->xmm)
                     : "r9", "r10", "r11", "memory", "cc");
    call->input = input;
    call->output = output;
}

uint64_t probe_hyperv_try(struct probe_hypercall *call, bool has_xmm)
{
    return env_try(has_xmm ? do_xmm_hypercall : do_hypercall, call) == ENV_NO_FAULT ? call->result : UINT64_MAX;
}

/* A fast call. Returns the result value, or UINT64_MAX when it raised an exception. */
static uint64_t fast_hypercall(uint16_t code, uint64_t input)
{
    struct probe_hypercall call = {.control = code | HV_HYPERCALL_FAST, .input = input};
    return probe_hyperv_try(&call, false);
}

uint64_t probe_hyperv_call_unchecked(uint64_t control, uint64_t input)
{
    struct probe_hypercall call = {.control = control, .input = input};
    do_hypercall(&call);
    return call.result;
}

uint64_t probe_hyperv_call(uint64_t control, uint64_t input)
{
    struct probe_hypercall call = {.control = control, .input = input};
    return !probe_hyperv_has_page() ? UINT64_MAX : probe_hyperv_try(&call, false);
}

static uint32_t status_of(uint64_t result)
{
    return (uint32_t)(result & HV_HYPERCALL_STATUS_MASK);
}

static enum probe_state test_hypercall_page(const struct probe_interface *face, struct text *evidence)
{
    const uint8_t *page = state.hypercall_page;
    (void)face;
    if (page == NULL)
        return probe_say(PROBE_UNTESTED, evidence, "no page");
    enum env_answer answer = env_wrmsr(HV_X64_MSR_HYPERCALL, (uintptr_t)page | HV_X64_MSR_HYPERCALL_ENABLE);
    if (answer != ENV_DONE)
        return probe_refused(answer, evidence, "enabling the page");
    if (is_filled(page, PATTERN))
        return probe_say(PROBE_BROKEN, evidence, "the page was not laid over the guest's RAM");
    uint64_t result = fast_hypercall(UNKNOWN_CODE, 0);
    text_add(evidence, "code ");
    for (uint32_t i = 0; i < PAGE_CODE_BYTES; i++)
        text_add(evidence, "%02x", page[i]);
    text_add(evidence, ", call 0x%x gives status 0x%x", UNKNOWN_CODE, status_of(result));
    return result == HV_STATUS_INVALID_HYPERCALL_CODE ? PROBE_WORKS : PROBE_BROKEN;
}

static void call_unknown(const struct probe_interface *face)
{
    struct probe_hypercall call = {.control = UNKNOWN_CODE | HV_HYPERCALL_FAST};
    (void)face;
    do_hypercall(&call);
}

static uint32_t spin_retries(const struct probe_interface *face)
{
    struct env_cpuid regs;
    probe_hyperv_leaf(face, HV_CPUID_ENLIGHTENMENT_INFORMATION, &regs);
    return regs.ebx;
}

static bool has_spin_wait(const struct probe_interface *face)
{
    return has_hypercalls(face) && spin_retries(face) != HV_SPIN_RETRIES_NEVER_NOTIFY;
}

bool probe_hyperv_has_page(void)
{
    uint64_t value;
    return env_rdmsr(HV_X64_MSR_HYPERCALL, &value) == ENV_DONE && (value & HV_X64_MSR_HYPERCALL_ENABLE) != 0;
}

static enum probe_state test_spin_wait(const struct probe_interface *face, struct text *evidence)
{
    if (!probe_hyperv_has_page())
        return probe_say(PROBE_BROKEN, evidence, "no hypercall page to call");
    uint64_t result = fast_hypercall(HvCallNotifyLongSpinWait, SPINS);
    text_add(evidence, "status 0x%x, asked for after %u spins", status_of(result), spin_retries(face));
    return result == HV_STATUS_SUCCESS ? PROBE_WORKS : PROBE_BROKEN;
}

static void spin_wait(const struct probe_interface *face)
{
    struct probe_hypercall call = {.control = HvCallNotifyLongSpinWait | HV_HYPERCALL_FAST, .input = SPINS};
    (void)face;
    do_hypercall(&call);
}

/* --- registers ---------------------------------------------------------------------------------------------------- */

static bool has_vp_index(const struct probe_interface *face)
{
    return probe_hyperv_has_privilege(face, HV_ACCESS_VP_INDEX);
}

static enum probe_state test_vp_index(const struct probe_interface *face, struct text *evidence)
{
    struct env_cpuid limits;
    uint64_t index;
    enum env_answer answer = env_rdmsr(HV_X64_MSR_VP_INDEX, &index);
    if (answer != ENV_DONE)
        return probe_refused(answer, evidence, "reading the MSR");
    probe_hyperv_leaf(face, HV_CPUID_IMPLEMENTATION_LIMITS, &limits);
    text_add(evidence, "%" PRIu64 " of at most %u", index, limits.eax);
    return limits.eax == 0 || index < limits.eax ? PROBE_WORKS : PROBE_BROKEN;
}

static void read_vp_index(const struct probe_interface *face)
{
    (void)face;
    cpu_rdmsr(HV_X64_MSR_VP_INDEX);
}

static bool has_crash_msrs(const struct probe_interface *face)
{
    return probe_hyperv_has_feature(face, HV_GUEST_CRASH_REGS_AVAILABLE);
}

static uint64_t crash_value(uint32_t i)
{
    return 0x0123456789abcdefull + i;
}

/* The parameters only: a write to CRASH_CTL would report a crash. */
static enum probe_state test_crash_msrs(const struct probe_interface *face, struct text *evidence)
{
    uint64_t value, actions;
    (void)face;
    for (uint32_t i = 0; i < HV_X64_NR_CRASH_PARAMETERS; i++) {
        enum env_answer answer = env_wrmsr(HV_X64_MSR_CRASH_P0 + i, crash_value(i));
        if (answer != ENV_DONE)
            return probe_refused(answer, evidence, "writing a parameter");
    }
    for (uint32_t i = 0; i < HV_X64_NR_CRASH_PARAMETERS; i++) {
        if (env_rdmsr(HV_X64_MSR_CRASH_P0 + i, &value) != ENV_DONE || value != crash_value(i))
            return probe_say(PROBE_BROKEN, evidence, "P%u does not read back", i);
        env_wrmsr(HV_X64_MSR_CRASH_P0 + i, 0);
    }
    enum env_answer answer = env_rdmsr(HV_X64_MSR_CRASH_CTL, &actions);
    if (answer != ENV_DONE)
        return probe_refused(answer, evidence, "reading CRASH_CTL");
    text_add(evidence, "P0-P4 read back, actions 0x%" PRIx64, actions);
    return actions & HV_CRASH_CTL_CRASH_NOTIFY ? PROBE_WORKS : PROBE_BROKEN;
}

static void write_crash_parameter(const struct probe_interface *face)
{
    (void)face;
    cpu_wrmsr(HV_X64_MSR_CRASH_P0, 0);
}

static bool has_assist_page(const struct probe_interface *face)
{
    return probe_hyperv_has_privilege(face, HV_ACCESS_INTR_CTRL_REGS);
}

static enum probe_state test_assist_page(const struct probe_interface *face, struct text *evidence)
{
    volatile struct hv_vp_assist_page *page = (void *)state.assist_page;
    uint64_t wanted = (uintptr_t)page | HV_X64_MSR_PAGE_ENABLE;
    uint64_t value = 0;
    (void)face;
    if (page == NULL)
        return probe_say(PROBE_UNTESTED, evidence, "no page");
    enum env_answer answer = env_wrmsr(HV_X64_MSR_VP_ASSIST_PAGE, wanted);
    if (answer == ENV_DONE)
        answer = env_rdmsr(HV_X64_MSR_VP_ASSIST_PAGE, &value);
    if (answer != ENV_DONE)
        return probe_refused(answer, evidence, "enabling the page");
    text_add(evidence, "APIC assist 0x%x, MSR 0x%" PRIx64, page->apic_assist, value);
    return value == wanted && (page->apic_assist & ~HV_APIC_ASSIST_NO_EOI_REQUIRED) == 0 ? PROBE_WORKS : PROBE_BROKEN;
}

/* --- time --------------------------------------------------------------------------------------------------------- */

static bool has_reference_counter(const struct probe_interface *face)
{
    return probe_hyperv_has_privilege(face, HV_ACCESS_PARTITION_REFERENCE_COUNTER);
}

static enum probe_state test_reference_counter(const struct probe_interface *face, struct text *evidence)
{
    uint64_t first, last;
    (void)face;
    enum env_answer answer = env_rdmsr(HV_X64_MSR_TIME_REF_COUNT, &first);
    if (answer != ENV_DONE)
        return probe_refused(answer, evidence, "reading the MSR");
    last = first;
    for (uint32_t i = 0; i < NR_READINGS; i++) {
        uint64_t next = 0;
        if (env_rdmsr(HV_X64_MSR_TIME_REF_COUNT, &next) != ENV_DONE || next < last)
            return probe_say(PROBE_BROKEN, evidence, "went back from %" PRIu64 " to %" PRIu64, last, next);
        last = next;
    }
    text_add(evidence, "%" PRIu64 " x 100 ns, and %" PRIu64 " more in %u readings", first, last - first, NR_READINGS);
    return last != first ? PROBE_WORKS : PROBE_BROKEN;
}

static void read_reference_counter(const struct probe_interface *face)
{
    (void)face;
    cpu_rdmsr(HV_X64_MSR_TIME_REF_COUNT);
}

static bool has_reference_tsc(const struct probe_interface *face)
{
    return probe_hyperv_has_privilege(face, HV_ACCESS_PARTITION_REFERENCE_TSC);
}

static bool is_valid_sequence(uint32_t sequence)
{
    return sequence != HV_REFERENCE_TSC_SEQUENCE_INVALID && sequence != HV_REFERENCE_TSC_SEQUENCE_INVALID_OLD;
}

/* The time by the page, in 100 ns [TLFS timers]. Returns 0 while the page says that it must not be used, or changes. */
static uint64_t read_tsc_page(void)
{
    const volatile struct hv_reference_tsc_page *page = (void *)state.tsc_page;
    for (uint32_t try = 0; try < MAX_TRIES; try++) {
        uint32_t sequence = page->tsc_sequence;
        if (!is_valid_sequence(sequence))
            return 0;
        cpu_barrier();
        uint64_t scaled = (uint64_t)((unsigned __int128)cpu_rdtsc() * page->tsc_scale >> 64);
        uint64_t time = scaled + (uint64_t)page->tsc_offset;
        cpu_barrier();
        if (page->tsc_sequence == sequence)
            return time;
    }
    return 0;
}

static void read_tsc_page_once(const struct probe_interface *face)
{
    (void)face;
    read_tsc_page();
}

/* Whether each reading of the page lies between readings of the counter around it. */
static enum probe_state compare_with_counter(struct text *evidence)
{
    uint64_t before, after = 0;
    for (uint32_t i = 0; i < NR_READINGS; i++) {
        if (env_rdmsr(HV_X64_MSR_TIME_REF_COUNT, &before) != ENV_DONE)
            return probe_say(PROBE_UNTESTED, evidence, "no reference counter to compare with");
        uint64_t time = read_tsc_page();
        env_rdmsr(HV_X64_MSR_TIME_REF_COUNT, &after);
        if (time + CLOCK_TOLERANCE_100NS < before || time > after + CLOCK_TOLERANCE_100NS)
            return probe_say(PROBE_BROKEN, evidence, "page %" PRIu64 ", counter %" PRIu64 " to %" PRIu64, time, before,
                             after);
    }
    return probe_say(PROBE_WORKS, evidence, "agrees with TIME_REF_COUNT");
}

static enum probe_state test_reference_tsc(const struct probe_interface *face, struct text *evidence)
{
    const volatile struct hv_reference_tsc_page *page = (void *)state.tsc_page;
    (void)face;
    if (page == NULL)
        return probe_say(PROBE_UNTESTED, evidence, "no page");
    enum env_answer answer = env_wrmsr(HV_X64_MSR_REFERENCE_TSC, (uintptr_t)page | HV_X64_MSR_PAGE_ENABLE);
    if (answer != ENV_DONE)
        return probe_refused(answer, evidence, "enabling the page");
    if (is_filled(state.tsc_page, PATTERN))
        return probe_say(PROBE_BROKEN, evidence, "the page was not laid over the guest's RAM");
    if (!is_valid_sequence(page->tsc_sequence))
        return probe_say(PROBE_BROKEN, evidence, "sequence 0x%x sends the guest to the MSR", page->tsc_sequence);
    text_add(evidence, "sequence %u, ", page->tsc_sequence);
    return compare_with_counter(evidence);
}

static bool has_frequencies(const struct probe_interface *face)
{
    return probe_hyperv_has_privilege(face, HV_ACCESS_FREQUENCY_REGS) &&
           probe_hyperv_has_feature(face, HV_FREQUENCY_REGS_AVAILABLE);
}

static enum probe_state compare_frequency(uint32_t msr, uint64_t real_khz, const char *source, struct text *evidence)
{
    uint64_t hz;
    enum env_answer answer = env_rdmsr(msr, &hz);
    if (answer != ENV_DONE)
        return probe_refused(answer, evidence, "reading the MSR");
    if (real_khz == 0)
        return probe_say(PROBE_UNTESTED, evidence, "%" PRIu64 " Hz, nothing to compare with", hz);
    text_add(evidence, "%" PRIu64 " Hz (%s %" PRIu64 " kHz)", hz, source, real_khz);
    return probe_is_near(hz / 1000, real_khz) ? PROBE_WORKS : PROBE_BROKEN;
}

static enum probe_state test_tsc_frequency(const struct probe_interface *face, struct text *evidence)
{
    const char *source;
    (void)face;
    uint64_t khz = env_tsc_khz(&source);
    return compare_frequency(HV_X64_MSR_TSC_FREQUENCY, khz, source, evidence);
}

static enum probe_state test_apic_frequency(const struct probe_interface *face, struct text *evidence)
{
    (void)face;
    return compare_frequency(HV_X64_MSR_APIC_FREQUENCY, env_apic_khz(), "measured", evidence);
}

/* --- what must fail, what must come back -------------------------------------------------------------------------- */

static enum probe_state test_unknown_msr(const struct probe_interface *face, struct text *evidence)
{
    uint64_t value;
    (void)face;
    enum env_answer answer = env_rdmsr(UNKNOWN_MSR, &value);
    if (answer == ENV_CANNOT)
        return probe_refused(answer, evidence, "");
    if (answer == ENV_DONE)
        return probe_say(PROBE_BROKEN, evidence, "0x%x reads 0x%" PRIx64, UNKNOWN_MSR, value);
    return probe_say(PROBE_WORKS, evidence, "reading 0x%x raises #GP", UNKNOWN_MSR);
}

static enum probe_state test_read_only_msr(const struct probe_interface *face, struct text *evidence)
{
    (void)face;
    if (env_wrmsr(HV_X64_MSR_VP_INDEX, 0) == ENV_DONE)
        return probe_say(PROBE_BROKEN, evidence, "VP_INDEX can be written");
    return probe_say(PROBE_WORKS, evidence, "writing VP_INDEX raises #GP");
}

/* Switches a page off. Returns whether the guest's own bytes are there again. */
static bool gives_back(uint32_t msr, const uint8_t *page)
{
    return env_wrmsr(msr, 0) == ENV_DONE && is_filled(page, PATTERN);
}

static enum probe_state test_give_back(const struct probe_interface *face, struct text *evidence)
{
    uint64_t hypercall = 0;
    if (state.hypercall_page == NULL)
        return probe_say(PROBE_UNTESTED, evidence, "no page");
    env_rdmsr(HV_X64_MSR_HYPERCALL, &hypercall);
    bool is_good = hypercall & HV_X64_MSR_HYPERCALL_LOCKED || gives_back(HV_X64_MSR_HYPERCALL, state.hypercall_page);
    text_add(evidence, "hypercall page %s", is_good ? "does" : "DOES NOT");
    if (has_reference_tsc(face)) {
        bool is_tsc_good = gives_back(HV_X64_MSR_REFERENCE_TSC, state.tsc_page);
        text_add(evidence, ", TSC page %s", is_tsc_good ? "does" : "DOES NOT");
        is_good = is_good && is_tsc_good;
    }
    return is_good ? PROBE_WORKS : PROBE_BROKEN;
}

static void end(const struct probe_interface *face)
{
    probe_hyperv_synic_end(face);
    if (has_assist_page(face))
        env_wrmsr(HV_X64_MSR_VP_ASSIST_PAGE, 0);
    if (has_hypercalls(face))
        env_wrmsr(HV_X64_MSR_GUEST_OS_ID, 0);
}

static const struct probe_feature features[] = {
    {"leaves", always, test_leaves, read_features, PROBE_FROM_ANY_CPL, NULL, "TLFS feature-discovery"},
    {"GUEST_OS_ID", has_hypercalls, test_os_id, read_os_id, PROBE_FROM_CPL0, NULL, "TLFS hypercall-interface"},
    {"hypercall page", has_hypercalls, test_hypercall_page, call_unknown, PROBE_FROM_CPL0, NULL,
     "TLFS hypercall-interface"},
    {"NotifyLongSpinWait", has_spin_wait, test_spin_wait, spin_wait, PROBE_FROM_CPL0, NULL, "TLFS App. A"},
    {"FlushVirtualAddressSpace", probe_hyperv_has_flush, probe_hyperv_test_flush, probe_hyperv_flush, PROBE_FROM_CPL0,
     NULL, "TLFS virtual-mmu"},
    {"FlushVirtualAddressListEx", probe_hyperv_has_flush_ex, probe_hyperv_test_flush_list, NULL, PROBE_FROM_CPL0, NULL,
     "TLFS virtual-mmu"},
    {"SendSyntheticClusterIpi", probe_hyperv_has_ipi, probe_hyperv_test_ipi, probe_hyperv_ipi, PROBE_FROM_CPL0, NULL,
     "TLFS virtual-interrupts"},
    {"XMM input", probe_hyperv_has_xmm_input, probe_hyperv_test_xmm_input, probe_hyperv_xmm_input, PROBE_FROM_CPL0,
     NULL, "TLFS hypercall-interface"},
    {"GetVpRegisters", probe_hyperv_has_registers, probe_hyperv_test_registers, probe_hyperv_registers,
     PROBE_FROM_CPL0, NULL, "TLFS vp-properties"},
    {"XMM output", probe_hyperv_has_xmm_output, probe_hyperv_test_xmm_output, probe_hyperv_xmm_output, PROBE_FROM_CPL0,
     NULL, "TLFS hypercall-interface"},
    {"GetVpIndexFromApicId", probe_hyperv_has_start, probe_hyperv_test_apic_id, probe_hyperv_apic_id, PROBE_FROM_CPL0,
     NULL, "TLFS vp-properties"},
    {"StartVirtualProcessor", probe_hyperv_has_start, probe_hyperv_test_start, NULL, PROBE_FROM_CPL0, NULL,
     "TLFS vp-properties"},
    {"VP_INDEX", has_vp_index, test_vp_index, read_vp_index, PROBE_TEST_FROM_ANY_CPL, NULL, "TLFS vp-properties"},
    {"VP_RUNTIME", probe_hyperv_has_runtime, probe_hyperv_test_runtime, probe_hyperv_read_runtime,
     PROBE_TEST_FROM_ANY_CPL, NULL, "TLFS vp-properties"},
    {"TIME_REF_COUNT", has_reference_counter, test_reference_counter, read_reference_counter, PROBE_TEST_FROM_ANY_CPL,
     NULL, "TLFS timers"},
    {"REFERENCE_TSC page", has_reference_tsc, test_reference_tsc, read_tsc_page_once, PROBE_FROM_CPL0,
     "hyperv_clocksource_tsc_page", "TLFS timers"},
    {"TSC_FREQUENCY", has_frequencies, test_tsc_frequency, NULL, PROBE_TEST_FROM_ANY_CPL, NULL, "TLFS timers"},
    {"APIC_FREQUENCY", has_frequencies, test_apic_frequency, NULL, PROBE_TEST_FROM_ANY_CPL, NULL, "TLFS timers"},
    {"reenlightenment", probe_hyperv_has_reenlightenment, probe_hyperv_test_reenlightenment,
     probe_hyperv_read_reenlightenment, PROBE_FROM_CPL0, NULL, "TLFS nested-virtualization"},
    {"TSC_INVARIANT_CONTROL", probe_hyperv_has_invariant_control, probe_hyperv_test_invariant_control, NULL,
     PROBE_FROM_CPL0, NULL, "TLFS App. C"},
    {"crash MSRs", has_crash_msrs, test_crash_msrs, write_crash_parameter, PROBE_FROM_CPL0, NULL, "TLFS App. C"},
    {"VP assist page", has_assist_page, test_assist_page, NULL, PROBE_FROM_CPL0, NULL, "TLFS virtual-interrupts"},
    {"APIC MSRs (EOI)", probe_hyperv_has_apic_msrs, probe_hyperv_test_apic_msrs, probe_hyperv_write_eoi,
     PROBE_FROM_CPL0, NULL, "TLFS virtual-interrupts"},
    {"GUEST_IDLE", probe_hyperv_has_guest_idle, probe_hyperv_test_guest_idle, probe_hyperv_read_guest_idle,
     PROBE_FROM_CPL0, NULL, "TLFS vp-properties"},
    {"time-unhalted timer", probe_hyperv_has_unhalted_timer, probe_hyperv_test_unhalted_timer, NULL, PROBE_FROM_CPL0,
     NULL, "TLFS timers"},
    {"SynIC", probe_hyperv_has_synic, probe_hyperv_test_synic, probe_hyperv_write_eom, PROBE_FROM_CPL0, NULL,
     "TLFS inter-partition-communication"},
    {"stimer, direct", probe_hyperv_has_direct_stimer, probe_hyperv_test_stimer_direct, probe_hyperv_set_stimer,
     PROBE_FROM_CPL0, NULL, "TLFS timers"},
    {"stimer, periodic", probe_hyperv_has_direct_stimer, probe_hyperv_test_stimer_periodic, NULL, PROBE_FROM_CPL0, NULL,
     "TLFS timers"},
    {"stimer, message", probe_hyperv_has_stimer, probe_hyperv_test_stimer_message, probe_hyperv_stimer_message,
     PROBE_FROM_CPL0, NULL, "TLFS timers"},
    {"PostMessage", probe_hyperv_has_post_message, probe_hyperv_test_post_message, probe_hyperv_post_message,
     PROBE_FROM_CPL0, NULL, "TLFS inter-partition-communication"},
    {"SignalEvent", probe_hyperv_has_signal_event, probe_hyperv_test_signal_event, probe_hyperv_signal_event,
     PROBE_FROM_CPL0, NULL, "TLFS inter-partition-communication"},
    {"SynIC pages give RAM back", probe_hyperv_has_synic, probe_hyperv_test_synic_off, NULL, PROBE_FROM_CPL0, NULL,
     "TLFS 5.2.1"},
    {"unknown MSR faults", always, test_unknown_msr, NULL, PROBE_TEST_FROM_ANY_CPL, NULL, "TLFS App. C"},
    {"read-only MSR faults", has_vp_index, test_read_only_msr, NULL, PROBE_FROM_CPL0, NULL, "TLFS vp-properties"},
    {"pages give RAM back", has_hypercalls, test_give_back, NULL, PROBE_FROM_CPL0, NULL, "TLFS 5.2.1"},
};

const struct probe_suite probe_hyperv = {
    .name = "hyperv",
    .title = "Microsoft Hyper-V",
    .begin = begin,
    .end = end,
    .feature = features,
    .nr_features = sizeof(features) / sizeof(features[0]),
    .clock = {"REFERENCE_TSC page", "TIME_REF_COUNT"},
};
