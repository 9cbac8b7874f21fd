/*
 * What Xen's operations cost to an HVM guest: hypercalls, the clock in vcpu_info, 2-level events by a vector
 * [XEN public event_channel.h, vcpu.h, hvm/hvm_op.h].
 */
#include "bench.h"

#include "boot.h"
#include "conform.h"
#include "cpu.h"
#include "env.h"

#include "xen_abi.h"

enum { LAST_BASE = 0x40010000, BASE_STEP = 0x100, WORD_BITS = 64, MAX_TRIES = 1000 };
#define SIGNATURE_EBX 0x566e6558u       /* "XenV" */

static _Alignas(BENCH_PAGE_BYTES) uint8_t hypercalls[BENCH_PAGE_BYTES];
static _Alignas(BENCH_PAGE_BYTES) uint8_t shared_page[BENCH_PAGE_BYTES];
static struct shared_info *shared = (void *)shared_page;
static evtchn_port_t port_of_cpu[2], timer_port;

/* --- the interface ------------------------------------------------------------------------------------------------ */

static int64_t call(uint32_t number, uint64_t first, uint64_t second, uint64_t third)
{
    uint64_t result = number;

    __asm__ volatile("call *%[entry]"
                     : "+a"(result), "+D"(first), "+S"(second), "+d"(third)
                     : [entry] "r"(hypercalls + number * XEN_STUB_BYTES)
                     : "rcx", "r8", "r9", "r10", "r11", "memory", "cc");
    return (int64_t)result;
}

static uint32_t find_base(void)
{
    struct env_cpuid regs;

    for (uint32_t base = 0x40000000; base < LAST_BASE; base += BASE_STEP) {
        cpu_cpuid(base, 0, &regs);
        if (regs.ebx == SIGNATURE_EBX && regs.eax >= base + 3)
            return base;
    }
    return 0;
}

static bool begin(uint64_t *tsc_khz)
{
    struct xen_add_to_physmap map = {.domid = DOMID_SELF, .space = XENMAPSPACE_shared_info};
    uint32_t base = find_base();
    struct env_cpuid regs;

    if (!base)
        return false;
    cpu_cpuid(base + 3, 0, &regs);
    *tsc_khz = regs.ecx;
    cpu_cpuid(base + 2, 0, &regs);
    struct conform_work work = {.order = CONFORM_WRMSR, .index = regs.ebx, .value = (uintptr_t)hypercalls};
    conform_cpus_do(boot_apic_id(), &work);
    map.gpfn = (uintptr_t)shared / XEN_PAGE_BYTES;
    return work.fault == ENV_NO_FAULT && call(__HYPERVISOR_memory_op, XENMEM_add_to_physmap, (uintptr_t)&map, 0) == 0;
}

static uint64_t call_version(uint32_t number)
{
    (void)number;
    call(__HYPERVISOR_xen_version, XENVER_version, 0, 0);
    return 0;
}

/* In ns [XEN public xen.h vcpu_time_info]. */
static uint64_t now_ns(void)
{
    const volatile struct vcpu_time_info *time = &shared->vcpu_info[0].time;

    for (uint32_t try = 0; try < MAX_TRIES; try++) {
        uint32_t version = time->version;
        cpu_barrier();
        uint64_t delta = cpu_rdtsc() - time->tsc_timestamp;
        int8_t shift = time->tsc_shift;
        uint64_t scaled = shift >= 0 ? delta << shift : delta >> -shift;
        uint64_t ns = time->system_time + (uint64_t)((unsigned __int128)scaled * time->tsc_to_system_mul >> 32);
        cpu_barrier();
        if (version != 0 && version % 2 == 0 && version == time->version)
            return ns;
    }
    return 0;
}

static bool has_clock(uint32_t number)
{
    (void)number;
    return now_ns() != 0;
}

static uint64_t read_clock(uint32_t number)
{
    (void)number;
    now_ns();
    return 0;
}

/* --- events ------------------------------------------------------------------------------------------------------- */

static void take_event(uint32_t vcpu, evtchn_port_t port)
{
    struct vcpu_info *info = &shared->vcpu_info[vcpu];

    __atomic_exchange_n(&info->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST);
    __atomic_exchange_n(&info->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
    __atomic_fetch_and(&shared->evtchn_pending[port / WORD_BITS], ~(1ul << port % WORD_BITS), __ATOMIC_SEQ_CST);
}

/* A vector raises the upcall, lest an event be lost: it is taken before the first event. */
static bool open_port(uint32_t vcpu, evtchn_port_t port)
{
    struct xen_hvm_evtchn_upcall_vector upcall = {.vcpu = vcpu, .vector = BOOT_VECTOR_TEST};

    bench.end_interrupt = boot_apic_eoi;
    bench_arm();
    if (call(__HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, (uintptr_t)&upcall, 0))
        return false;
    take_event(vcpu, port);
    __atomic_fetch_and(&shared->evtchn_mask[port / WORD_BITS], ~(1ul << port % WORD_BITS), __ATOMIC_SEQ_CST);
    return true;
}

static bool has_event_to(uint32_t vcpu)
{
    struct evtchn_bind_ipi bind = {.vcpu = vcpu};

    if (!bench_has_cpus(vcpu + 1) || call(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, (uintptr_t)&bind, 0))
        return false;
    port_of_cpu[vcpu] = bind.port;
    return open_port(vcpu, bind.port);
}

/* From sending to the end of the handler. */
static uint64_t send_event_to(uint32_t vcpu)
{
    struct evtchn_send send = {.port = port_of_cpu[vcpu]};

    bench_arm();
    call(__HYPERVISOR_event_channel_op, EVTCHNOP_send, (uintptr_t)&send, 0);
    bench_wait();
    take_event(vcpu, send.port);
    return 0;
}

static bool has_timer(uint32_t number)
{
    struct evtchn_bind_virq bind = {.virq = VIRQ_TIMER, .vcpu = 0};

    if (!bench.tsc_khz || !has_clock(number) ||
        call(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq, (uintptr_t)&bind, 0))
        return false;
    timer_port = bind.port;
    return open_port(0, timer_port);
}

static uint64_t set_timer(uint32_t number)
{
    bench_arm();
    uint64_t now_tsc = cpu_rdtsc();
    struct vcpu_set_singleshot_timer timer = {.timeout_abs_ns = now_ns() + BENCH_DELAY_NS};
    call(__HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, number, (uintptr_t)&timer);
    bench_wait();
    take_event(0, timer_port);
    return bench_late(now_tsc, BENCH_DELAY_NS);
}

/* --- flushes ------------------------------------------------------------------------------------------------------ */

static uint64_t flush(uint32_t number)
{
    (void)number;
    return (uint64_t)call(__HYPERVISOR_hvm_op, HVMOP_flush_tlbs, 0, 0);
}

/* The call knows no set: it is of all there are. */
static bool has_flush(uint32_t nr_cpus)
{
    return bench.nr_cpus == nr_cpus && flush(0) == 0;
}

const struct bench_interface bench_xen = {
    .name = "xen", .begin = begin, .operation = {
        {.name = "clock read, pvclock", .begin = has_clock, .act = read_clock},
        {.name = "hypercall (xen_version)", .begin = bench_always, .act = call_version},
        {.name = "event send to self", .begin = has_event_to, .act = send_event_to},
        {.name = "IPI by an event", .begin = has_event_to, .act = send_event_to, .number = 1},
        {.name = "TLB flush of 1 CPU", .begin = has_flush, .act = flush, .number = 1},
        {.name = "TLB flush of 2 CPUs", .begin = has_flush, .act = flush, .number = 2},
        {.name = "TLB flush of 4 CPUs", .begin = has_flush, .act = flush, .number = 4},
        {.name = "TLB flush of 8 CPUs", .begin = has_flush, .act = flush, .number = 8},
        {.name = "timer latency, singleshot", .begin = has_timer, .act = set_timer, .is_timer = true},
    }};
