/*
 * What Hyper-V's operations cost [TLFS hypercall-interface, timers, virtual-interrupts, virtual-mmu].
 *
 * The event that is sent needs a host that takes it: connection 1002 (hvshim vm --hyperv-echo 1000); only the call is
 * timed, and what comes back sets a flag that nobody looks at. Left out: messages.
 */
#include "bench.h"

#include "boot.h"
#include "conform.h"
#include "cpu.h"
#include "env.h"

#include "hv_abi.h"

enum { UNKNOWN_CODE = 0x7fff, SINT = 2, CONNECTION = 1002, MAX_TRIES = 1000 };
#define OS_ID (HV_GUEST_OS_ID_OPEN_SOURCE | 0x7f01ull << HV_GUEST_OS_ID_VENDOR_SHIFT | 0x62656e63ull)

enum { PAGE_HYPERCALL, PAGE_TSC, PAGE_ASSIST, PAGE_INPUT, PAGE_FLAGS, NR_PAGES };
static _Alignas(BENCH_PAGE_BYTES) uint8_t pages[NR_PAGES][BENCH_PAGE_BYTES];
static uint64_t vp_mask[BOOT_MAX_CPUS];         /* of the first CPUs, one more in each */

/* --- the interface ------------------------------------------------------------------------------------------------ */

static struct env_cpuid leaf(uint32_t number)
{
    struct env_cpuid regs;

    cpu_cpuid(number, 0, &regs);
    return regs;
}

static bool has_privilege(uint32_t bit)
{
    return leaf(HV_CPUID_FEATURES).eax >> bit & 1;
}

static bool is_recommended(uint32_t bit)
{
    return leaf(HV_CPUID_ENLIGHTENMENT_INFORMATION).eax >> bit & 1;
}

/* Whether it did not fault. */
static bool write_msr(uint32_t index, uint64_t value)
{
    struct conform_work work = {.order = CONFORM_WRMSR, .index = index, .value = value};

    conform_cpus_do(boot_apic_id(), &work);
    return work.fault == ENV_NO_FAULT;
}

static bool read_msr(uint32_t apic_id, uint32_t index, uint64_t *value)
{
    struct conform_work work = {.order = CONFORM_RDMSR, .index = index};

    conform_cpus_do(apic_id, &work);
    *value = work.value;
    return work.fault == ENV_NO_FAULT;
}

static bool lay_page(uint32_t msr, uint32_t page)
{
    return write_msr(msr, (uintptr_t)pages[page] | HV_X64_MSR_PAGE_ENABLE);
}

static bool begin(uint64_t *tsc_khz)
{
    uint64_t hz, vp, mask = 0;

    if (leaf(HV_CPUID_VENDOR_AND_MAX_FUNCTION).eax < HV_CPUID_MIN_FUNCTION ||
        leaf(HV_CPUID_INTERFACE).eax != HV_INTERFACE_SIGNATURE)
        return false;
    if (read_msr(boot_apic_id(), HV_X64_MSR_TSC_FREQUENCY, &hz))
        *tsc_khz = hz / 1000;
    for (uint32_t cpu = 0; cpu < bench.nr_cpus; cpu++) {
        if (!read_msr(cpu, HV_X64_MSR_VP_INDEX, &vp) || vp >= 64)
            return false;
        mask |= 1ull << vp;
        vp_mask[cpu] = mask;
    }
    return write_msr(HV_X64_MSR_GUEST_OS_ID, OS_ID) && lay_page(HV_X64_MSR_HYPERCALL, PAGE_HYPERCALL);
}

/* `second` is where output goes, or the second half of a fast call's input. */
static uint64_t call(uint64_t control, uint64_t input, uint64_t second)
{
    uint64_t result;
    register uint64_t r8 __asm__("r8") = second;

    __asm__ volatile("call *%[page]"
                     : "=a"(result), "+c"(control), "+d"(input), "+r"(r8)
                     : [page] "r"(pages[PAGE_HYPERCALL])
                     : "r9", "r10", "r11", "memory", "cc");
    return result;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* In 100 ns; 0 while the page must not be used. */
static uint64_t read_tsc_page(void)
{
    const volatile struct hv_reference_tsc_page *page = (void *)pages[PAGE_TSC];

    for (uint32_t try = 0; try < MAX_TRIES; try++) {
        uint32_t sequence = page->tsc_sequence;

        if (sequence == HV_REFERENCE_TSC_SEQUENCE_INVALID || sequence == HV_REFERENCE_TSC_SEQUENCE_INVALID_OLD)
            return 0;
        cpu_barrier();
        uint64_t time = (uint64_t)((unsigned __int128)cpu_rdtsc() * page->tsc_scale >> 64) + (uint64_t)page->tsc_offset;
        cpu_barrier();
        if (page->tsc_sequence == sequence)
            return time;
    }
    return 0;
}

static bool has_clock(uint32_t number)
{
    (void)number;
    return has_privilege(HV_ACCESS_PARTITION_REFERENCE_TSC) && lay_page(HV_X64_MSR_REFERENCE_TSC, PAGE_TSC) &&
           read_tsc_page();
}

static uint64_t read_clock(uint32_t number)
{
    (void)number;
    read_tsc_page();
    return 0;
}

static bool has_counter(uint32_t number)
{
    (void)number;
    return has_privilege(HV_ACCESS_PARTITION_REFERENCE_COUNTER);
}

static uint64_t read_one_msr(uint32_t index)
{
    cpu_rdmsr(index);
    return 0;
}

static uint64_t call_unknown(uint32_t number)
{
    (void)number;
    call(UNKNOWN_CODE | HV_HYPERCALL_FAST, 0, 0);
    return 0;
}

/* --- interrupts --------------------------------------------------------------------------------------------------- */

static void end_by_msr(void)
{
    cpu_wrmsr(HV_X64_MSR_EOI, 0);
}

/* [TLFS virtual-interrupts, EOI assist] */
static void end_lazily(void)
{
    struct hv_vp_assist_page *page = (void *)pages[PAGE_ASSIST];

    if (!(__atomic_fetch_and(&page->apic_assist, ~HV_APIC_ASSIST_NO_EOI_REQUIRED, __ATOMIC_SEQ_CST) &
          HV_APIC_ASSIST_NO_EOI_REQUIRED))
        end_by_msr();
}

static bool has_apic_msrs(uint32_t number)
{
    (void)number;
    return has_privilege(HV_ACCESS_INTR_CTRL_REGS);
}

static uint64_t interrupt_self(uint32_t is_lazy)
{
    bench.end_interrupt = is_lazy ? end_lazily : end_by_msr;
    bench_arm();
    env_interrupt_send();
    bench_wait();
    return 0;
}

/* The page stays, so this comes after the rows that want every EOI said. */
static bool has_lazy_end(uint32_t number)
{
    return has_apic_msrs(number) && lay_page(HV_X64_MSR_VP_ASSIST_PAGE, PAGE_ASSIST);
}

static bool has_ipi(uint32_t nr_cpus)
{
    return is_recommended(HV_USE_SYNTHETIC_CLUSTER_IPI) && bench_has_cpus(nr_cpus);
}

static uint64_t send_ipi(uint32_t nr_cpus)
{
    bench.end_interrupt = boot_apic_eoi;
    bench_arm();
    call(HvCallSendSyntheticClusterIpi | HV_HYPERCALL_FAST, BOOT_VECTOR_TEST, vp_mask[nr_cpus - 1] & ~vp_mask[0]);
    bench_wait();
    return 0;
}

static bool has_flush(uint32_t nr_cpus)
{
    return is_recommended(HV_USE_HYPERCALL_FOR_REMOTE_FLUSH) && bench_has_cpus(nr_cpus);
}

static uint64_t flush(uint32_t nr_cpus)
{
    volatile struct hv_input_flush_virtual_address_space *input = (void *)pages[PAGE_INPUT];

    input->address_space = 0;
    input->flags = HV_FLUSH_ALL_VIRTUAL_ADDRESS_SPACES;
    input->processor_mask = vp_mask[nr_cpus - 1];
    call(HvCallFlushVirtualAddressSpace, (uintptr_t)input, 0);
    return 0;
}

/* --- events and timers -------------------------------------------------------------------------------------------- */

static uint64_t send_event(uint32_t number)
{
    (void)number;
    return call(HvCallSignalEvent | HV_HYPERCALL_FAST, CONNECTION, 0);
}

static bool has_event(uint32_t number)
{
    return has_privilege(HV_ACCESS_SYNIC_REGS) && leaf(HV_CPUID_FEATURES).ebx >> HV_SIGNAL_EVENTS & 1 &&
           lay_page(HV_X64_MSR_SIEFP, PAGE_FLAGS) && write_msr(HV_X64_MSR_SCONTROL, HV_SYNIC_CONTROL_ENABLE) &&
           send_event(number) == HV_STATUS_SUCCESS;
}

static bool has_timer(uint32_t number)
{
    return bench.tsc_khz && has_clock(number) && has_privilege(HV_ACCESS_SYNTHETIC_TIMER_REGS) &&
           leaf(HV_CPUID_FEATURES).edx >> HV_DIRECT_SYNTHETIC_TIMERS & 1 &&
           write_msr(HV_X64_MSR_STIMER0_CONFIG, HV_STIMER_DIRECT_MODE | HV_STIMER_AUTO_ENABLE |
                                                    (uint64_t)BOOT_VECTOR_TEST << HV_STIMER_APIC_VECTOR_SHIFT);
}

static uint64_t set_timer(uint32_t number)
{
    (void)number;
    bench.end_interrupt = boot_apic_eoi;
    bench_arm();
    uint64_t now_tsc = cpu_rdtsc();
    cpu_wrmsr(HV_X64_MSR_STIMER0_COUNT, read_tsc_page() + BENCH_DELAY_NS / 100);
    bench_wait();
    return bench_late(now_tsc, BENCH_DELAY_NS);
}

const struct bench_interface bench_hyperv = {
    .name = "hyperv", .begin = begin, .operation = {
        {.name = "clock read, TSC page", .begin = has_clock, .act = read_clock},
        {.name = "clock read, TIME_REF_COUNT", .begin = has_counter, .act = read_one_msr,
         .number = HV_X64_MSR_TIME_REF_COUNT},
        {.name = "MSR exit (VP_INDEX)", .begin = bench_always, .act = read_one_msr, .number = HV_X64_MSR_VP_INDEX},
        {.name = "hypercall (an unknown one)", .begin = bench_always, .act = call_unknown},
        {.name = "IPI by hypercall", .begin = has_ipi, .act = send_ipi, .number = 2},
        {.name = "TLB flush of 1 CPU", .begin = has_flush, .act = flush, .number = 1},
        {.name = "TLB flush of 2 CPUs", .begin = has_flush, .act = flush, .number = 2},
        {.name = "TLB flush of 4 CPUs", .begin = has_flush, .act = flush, .number = 4},
        {.name = "TLB flush of 8 CPUs", .begin = has_flush, .act = flush, .number = 8},
        {.name = "event send", .begin = has_event, .act = send_event},
        {.name = "timer latency, synthetic", .begin = has_timer, .act = set_timer, .is_timer = true},
        {.name = "interrupt to self, EOI by MSR", .begin = has_apic_msrs, .act = interrupt_self},
        {.name = "interrupt to self, lazy EOI", .begin = has_lazy_end, .act = interrupt_self, .number = 1},
    }};
