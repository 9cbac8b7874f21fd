/*
 * A small VMM that speaks KVM's own interface for Hyper-V, under `hvshim run --kernel-interface hyperv` or on a kernel
 * that has it: each scenario is a part of that interface, in the words of Documentation/virt/kvm/api.rst.
 * Status 0: all was as it must be.
 */
#include "vm.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>

#define VP_INDEX 0x40000002u
#define VP_RUNTIME 0x40000010u
#define TIME_REF_COUNT 0x40000020u
#define REFERENCE_TSC 0x40000021u
#define VP_ASSIST_PAGE 0x40000073u
#define SCONTROL 0x40000080u
#define SVERSION 0x40000081u
#define SIEFP 0x40000082u
#define SIMP 0x40000083u
#define EOM 0x40000084u
#define SINT2 0x40000092u
#define STIMER0_CONFIG 0x400000b0u
#define STIMER0_COUNT 0x400000b1u
#define CRASH_P0 0x40000100u
#define TSC 0x10u
#define NOWHERE 0x400001f0u

#define HV_SIGNATURE 0x31237648u
#define SIM_GPA (MORE_GPA + 0x2000)
#define VECTOR 0x51u
#define STATUS_EARLY 0x12u      /* HV_STATUS_INVALID_CONNECTION_ID: any, as the VMM's answer */
#define CODE_32 0x2000u         /* of a guest in protected mode */
#define PORT_DONE 0x80u

/* Bits of leaf 3 and 4. */
#define FEATURE_TIME (1u << 1 | 1u << 9)
#define FEATURE_SYNIC (1u << 2)
#define FEATURE_STIMER (1u << 3)
#define FEATURE_HYPERCALL (1u << 5)
#define FEATURE_VP_INDEX (1u << 6)
#define FEATURE_RUNTIME (1u << 0)
#define FEATURE_MESSAGES (1u << 4 | 1u << 5)    /* EBX */
#define ALL (FEATURE_TIME | FEATURE_SYNIC | FEATURE_STIMER | FEATURE_VP_INDEX | FEATURE_RUNTIME)

/* --- a VM with Hyper-V in its CPUID ------------------------------------------------------------------------------- */

static struct kvm_cpuid_entry2 leaf(uint32_t n, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    return (struct kvm_cpuid_entry2){.function = 0x40000000 + n, .eax = a, .ebx = b, .ecx = c, .edx = d};
}

static void set_cpuid(struct vm *vm, int cpu, uint32_t features)
{
    struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + 256 * sizeof(cpuid->entries[0]));
    uint32_t nr = 0;

    cpuid->nent = 240;
    check(ioctl(vm->kvm_fd, KVM_GET_SUPPORTED_CPUID, cpuid) == 0);
    for (uint32_t i = 0; i < cpuid->nent; i++) {
        if (cpuid->entries[i].function >> 16 != 0x4000)
            cpuid->entries[nr++] = cpuid->entries[i];
    }
    cpuid->entries[nr++] = leaf(0, 0x40000005, 0x11111111, 0x22222222, 0x33333333);
    cpuid->entries[nr++] = leaf(1, HV_SIGNATURE, 0, 0, 0);
    cpuid->entries[nr++] = leaf(2, 77, 0, 0, 0);
    cpuid->entries[nr++] = leaf(3, features | FEATURE_HYPERCALL, features & FEATURE_SYNIC ? FEATURE_MESSAGES : 0, 0, 0);
    cpuid->entries[nr++] = leaf(4, 0, 0xffffffff, 0, 0);
    cpuid->entries[nr++] = leaf(5, 64, 64, 0, 0);
    cpuid->nent = nr;
    check(ioctl(vm->vcpu_fd[cpu], KVM_SET_CPUID2, cpuid) == 0);
    free(cpuid);
}

static void enable(struct vm *vm, int cpu, uint32_t cap)
{
    struct kvm_enable_cap enable = {.cap = cap};

    check(ioctl(vm->vcpu_fd[cpu], KVM_ENABLE_CAP, &enable) == 0);
}

static void make_hv(struct vm *vm, uint32_t features)
{
    struct kvm_enable_cap enforce = {.cap = KVM_CAP_HYPERV_ENFORCE_CPUID, .args = {1}};

    make(vm, true);
    set_cpuid(vm, 0, features);
    if (features & FEATURE_SYNIC)
        enable(vm, 0, KVM_CAP_HYPERV_SYNIC2);
    check(ioctl(vm->vcpu_fd[0], KVM_ENABLE_CAP, &enforce) == 0);
}

struct msrs {
    struct kvm_msrs head;
    struct kvm_msr_entry entry[8];
};

static int get_msrs(struct vm *vm, int cpu, struct msrs *msrs)
{
    return ioctl(vm->vcpu_fd[cpu], KVM_GET_MSRS, msrs);
}

static uint64_t get(struct vm *vm, int cpu, uint32_t index)
{
    struct msrs msrs = {.head = {.nmsrs = 1}, .entry = {{.index = index}}};

    check(get_msrs(vm, cpu, &msrs) == 1);
    return msrs.entry[0].data;
}

static int try_set(struct vm *vm, int cpu, uint32_t index, uint64_t value)
{
    struct msrs msrs = {.head = {.nmsrs = 1}, .entry = {{.index = index, .data = value}}};

    return ioctl(vm->vcpu_fd[cpu], KVM_SET_MSRS, &msrs);
}

static void set(struct vm *vm, int cpu, uint32_t index, uint64_t value)
{
    check(try_set(vm, cpu, index, value) == 1);
}

/* --- what can be had ---------------------------------------------------------------------------------------------- */

static void caps(struct vm *vm)
{
    static const uint32_t there[] = {
        KVM_CAP_HYPERV, KVM_CAP_HYPERV_VAPIC, KVM_CAP_HYPERV_SPIN, KVM_CAP_HYPERV_TIME, KVM_CAP_HYPERV_SYNIC,
        KVM_CAP_HYPERV_SYNIC2, KVM_CAP_HYPERV_VP_INDEX, KVM_CAP_HYPERV_EVENTFD, KVM_CAP_HYPERV_TLBFLUSH,
        KVM_CAP_HYPERV_SEND_IPI, KVM_CAP_HYPERV_CPUID, KVM_CAP_SYS_HYPERV_CPUID, KVM_CAP_HYPERV_ENFORCE_CPUID};

    make(vm, true);
    for (size_t i = 0; i < sizeof(there) / sizeof(there[0]); i++) {
        check(ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, there[i]) == 1);
        check(ioctl(vm->fd, KVM_CHECK_EXTENSION, there[i]) == 1);
    }
    end(vm);
}

static void supported(struct vm *vm)
{
    struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + 32 * sizeof(cpuid->entries[0]));
    uint32_t nr;

    make(vm, true);
    cpuid->nent = 1;
    check(ioctl(vm->kvm_fd, KVM_GET_SUPPORTED_HV_CPUID, cpuid) == -1 && errno == E2BIG);
    cpuid->nent = 32;
    check(ioctl(vm->kvm_fd, KVM_GET_SUPPORTED_HV_CPUID, cpuid) == 0);
    nr = cpuid->nent;
    check(nr >= 6 && nr < 32);
    check(cpuid->entries[0].function == 0x40000000 && !memcmp(&cpuid->entries[0].ebx, "Linux KVM Hv", 12));
    check(cpuid->entries[1].eax == HV_SIGNATURE);
    check((cpuid->entries[3].eax & (ALL | FEATURE_HYPERCALL)) == (ALL | FEATURE_HYPERCALL));
    check(cpuid->entries[3].edx & 1u << 19);            /* stimers in direct mode */
    check(cpuid->entries[4].eax & 1u << 11);            /* Ex processor masks */
    cpuid->nent = 32;
    check(ioctl(vm->vcpu_fd[0], KVM_GET_SUPPORTED_HV_CPUID, cpuid) == 0 && cpuid->nent == nr);
    free(cpuid);
    end(vm);
}

static void index_list(struct vm *vm)
{
    struct kvm_msr_list *list = calloc(1, sizeof(*list) + 1024 * sizeof(list->indices[0]));
    uint32_t nr, found = 0;

    make(vm, true);
    list->nmsrs = 0;
    check(ioctl(vm->kvm_fd, KVM_GET_MSR_INDEX_LIST, list) == -1 && errno == E2BIG);
    nr = list->nmsrs;
    check(nr > 0 && nr < 1024);
    check(ioctl(vm->kvm_fd, KVM_GET_MSR_INDEX_LIST, list) == 0 && list->nmsrs == nr);
    for (uint32_t i = 0; i < nr; i++) {
        uint32_t index = list->indices[i];

        found += index == TSC || index == GUEST_OS_ID || index == SCONTROL || index == STIMER0_CONFIG;
    }
    check(found == 4);
    list->nmsrs = nr - 1;
    check(ioctl(vm->kvm_fd, KVM_GET_MSR_INDEX_LIST, list) == -1 && errno == E2BIG && list->nmsrs == nr);
    free(list);
    end(vm);
}

/* The guest sees the leaves that the VMM made, and finds what they say and nothing else. */
static void chosen(struct vm *vm)
{
    make_hv(vm, FEATURE_VP_INDEX | FEATURE_TIME);
    check(start_op(vm, 0, OP_CPUID, 0, 0x40000000));
    check(mail(vm, MAIL_A) == 0x40000005 && mail(vm, MAIL_B) == 0x11111111 && mail(vm, MAIL_D) == 0x33333333);
    wrmsr(vm, GUEST_OS_ID, 7);
    check(rdmsr(vm, VP_INDEX) == 0);
    rdmsr(vm, TIME_REF_COUNT);
    check(mail(vm, MAIL_NR_FAULTS) == 0);
    check(faults(vm, OP_RDMSR, SCONTROL, 0));
    check(faults(vm, OP_RDMSR, VP_RUNTIME, 0));
    check(faults(vm, OP_WRMSR, STIMER0_COUNT, 1));
    check(get(vm, 0, SCONTROL) == 0);                   /* the VMM may ask for it all the same */
    end(vm);
}

/* CPUID has no Hyper-V: the VM is the kernel's. */
static void without(struct vm *vm)
{
    make(vm, true);
    set(vm, 0, GUEST_OS_ID, 0);
    check(start_op(vm, 0, OP_CPUID, 0, 0x40000000));
    check(mail(vm, MAIL_B) != 0x11111111);
    check(faults(vm, OP_WRMSR, GUEST_OS_ID, 7));
    check(get(vm, 0, CRASH_P0) == 0);
    end(vm);
}

/* --- MSRs --------------------------------------------------------------------------------------------------------- */

/* What is only to be read, is: a list of constants, say. */
static void set_constants(struct vm *vm, const struct msrs *list, int nr)
{
    struct msrs *constant = mmap(NULL, sizeof(*list), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    check(constant != MAP_FAILED);
    *constant = *list;
    check(mprotect(constant, sizeof(*constant), PROT_READ) == 0);
    check(ioctl(vm->vcpu_fd[0], KVM_SET_MSRS, constant) == nr);
    munmap(constant, sizeof(*constant));
}

/* Lists that mix whose they are, in order, up to the first that is not there; before the guest runs and afterwards. */
static void msrs(struct vm *vm)
{
    struct msrs list = {.head = {.nmsrs = 6}, .entry = {
        {.index = 0x174, .data = 0x10}, {.index = GUEST_OS_ID, .data = 5}, {.index = CRASH_P0, .data = 9},
        {.index = 0x175, .data = 0x2000}, {.index = 0x176, .data = 0x3000}, {.index = VP_RUNTIME, .data = 100000000}}};

    make_hv(vm, ALL);
    set_constants(vm, &list, 6);
    memset(&list.entry[0].data, 0, 8);
    for (int i = 0; i < 2; i++) {
        for (int e = 0; e < 6; e++)
            list.entry[e].data = 0;
        check(get_msrs(vm, 0, &list) == 6);
        check(list.entry[0].data == 0x10 && list.entry[1].data == 5 && list.entry[2].data == 9);
        check(list.entry[3].data == 0x2000 && list.entry[4].data == 0x3000);
        check(list.entry[5].data >= (i ? 100000000 : 0));
        check(rdmsr(vm, GUEST_OS_ID) == 5);
    }
    list.entry[3].index = NOWHERE;
    check(get_msrs(vm, 0, &list) == 3);
    list.entry[1].data = 6;
    check(ioctl(vm->vcpu_fd[0], KVM_SET_MSRS, &list) == 3 && rdmsr(vm, GUEST_OS_ID) == 6);
    list.entry[1].index = 0x12345;
    check(get_msrs(vm, 0, &list) == 1);
    check(get(vm, 0, SINT2) == 0x10000 && get(vm, 0, SVERSION) == 1);
    set(vm, 0, VP_INDEX, 0);
    set(vm, 0, SVERSION, 1);
    set(vm, 0, TIME_REF_COUNT, 12345);                  /* not set, and no error */
    check(get(vm, 0, VP_INDEX) == 0);
    end(vm);
}

/* What QEMU sets for a guest that it restores, before it runs. */
static void restored(struct vm *vm)
{
    struct kvm_clock_data clock = {.clock = 5000000000};
    uint32_t sequence = 41;
    uint64_t before, count;

    make_hv(vm, ALL);
    memcpy(vm->more + 0x1000, &sequence, sizeof(sequence));
    vm->more[0x2000] = 0x77;
    check(ioctl(vm->fd, KVM_SET_CLOCK, &clock) == 0);
    set(vm, 0, GUEST_OS_ID, 7);
    set(vm, 0, HYPERCALL, MORE_GPA | 1);
    set(vm, 0, REFERENCE_TSC, (MORE_GPA + 0x1000) | 1);
    set(vm, 0, SCONTROL, 1);
    set(vm, 0, SIMP, SIM_GPA | 1);
    set(vm, 0, SINT2, VECTOR);
    set(vm, 0, STIMER0_CONFIG, 2ull << 16 | 1);
    set(vm, 0, STIMER0_COUNT, 1ull << 60);
    before = rdmsr(vm, TIME_REF_COUNT);
    check(before >= 50000000 && before < 50000000 + 600000000);
    check(vm->more[0] != 0 && vm->more[0x2000] == 0x77);
    memcpy(&sequence, vm->more + 0x1000, sizeof(sequence));
    check(sequence != 41 && sequence != 0);
    check(rdmsr(vm, SIMP) == (SIM_GPA | 1) && rdmsr(vm, SINT2) == VECTOR && rdmsr(vm, HYPERCALL) == (MORE_GPA | 1));
    check(rdmsr(vm, STIMER0_CONFIG) == (2ull << 16 | 1) && rdmsr(vm, STIMER0_COUNT) == 1ull << 60);
    check(ioctl(vm->fd, KVM_GET_CLOCK, &clock) == 0);
    count = rdmsr(vm, TIME_REF_COUNT);
    check(clock.clock / 100 >= before && clock.clock / 100 <= count);
    clock = (struct kvm_clock_data){.clock = 1000000000};
    check(ioctl(vm->fd, KVM_SET_CLOCK, &clock) == 0);
    count = rdmsr(vm, TIME_REF_COUNT);
    check(count >= 10000000 && count < before);
    set(vm, 0, TSC, 1ull << 40);                        /* and the reference counter goes on */
    check(rdmsr(vm, TIME_REF_COUNT) >= count && rdmsr(vm, TIME_REF_COUNT) < before);
    for (uint32_t index = GUEST_OS_ID; index <= HYPERCALL; index++)
        set(vm, 0, index, 0);
    check(!(rdmsr(vm, HYPERCALL) & 1) && mail(vm, MAIL_NR_FAULTS) == 0);
    end(vm);
}

static void *stay_inside(void *ctx)
{
    struct vm *vm = ctx;

    ioctl(vm->vcpu_fd[0], KVM_RUN, 0);
    return NULL;
}

/* A TSC is written, as for a vCPU that is plugged in, while another one sleeps in KVM_RUN for good: that stays there. */
static void plugged(struct vm *vm)
{
    struct kvm_mp_state waits = {.mp_state = KVM_MP_STATE_INIT_RECEIVED};
    uint64_t before, count;
    pthread_t thread;

    make_hv(vm, ALL);
    before = rdmsr(vm, TIME_REF_COUNT);
    add_vcpu(vm, 1);
    set_cpuid(vm, 1, ALL);
    check(start_op(vm, 1, OP_RDMSR, VP_INDEX, 0) && mail(vm, MAIL_A) == 1);
    check(ioctl(vm->vcpu_fd[0], KVM_SET_MP_STATE, &waits) == 0);
    check(pthread_create(&thread, NULL, stay_inside, vm) == 0);
    usleep(100000);
    set(vm, 1, TSC, 1ull << 50);
    check(start_op(vm, 1, OP_RDMSR, TIME_REF_COUNT, 0));
    count = mail(vm, MAIL_A) | (uint64_t)mail(vm, MAIL_D) << 32;
    check(count >= before && count < before + 600000000);
    check(start_op(vm, 1, OP_RDMSR, TSC, 0) && mail(vm, MAIL_D) < 1u << 17);
    exit(0);                    /* and the thread ends */
}

static void forget_irqs(struct vm *vm)
{
    struct kvm_lapic_state apic;

    check(ioctl(vm->vcpu_fd[0], KVM_GET_LAPIC, &apic) == 0);
    memset(apic.regs + 0x200, 0, 0x80);
    apic.regs[0xf1] = 1;        /* SVR: on */
    check(ioctl(vm->vcpu_fd[0], KVM_SET_LAPIC, &apic) == 0);
}

/* A timer that is due expires once the guest runs, and not while it stands. */
static void timer(struct vm *vm)
{
    uint32_t type;

    make_hv(vm, ALL);
    forget_irqs(vm);            /* KVM's own counts a message as delivered only where its interrupt is */
    set(vm, 0, SCONTROL, 1);
    set(vm, 0, SIMP, SIM_GPA | 1);
    set(vm, 0, SINT2, VECTOR);
    rdmsr(vm, TIME_REF_COUNT);
    set(vm, 0, STIMER0_CONFIG, 2ull << 16 | 1);
    set(vm, 0, STIMER0_COUNT, 1);
    usleep(50000);
    memcpy(&type, vm->more + 0x2000 + 2 * 256, sizeof(type));
    check(type == 0 && get(vm, 0, STIMER0_CONFIG) == (2ull << 16 | 1));
    for (int i = 0; i < 1000 && type == 0; i++) {
        rdmsr(vm, TIME_REF_COUNT);
        memcpy(&type, vm->more + 0x2000 + 2 * 256, sizeof(type));
    }
    check(type == 0x80000010);
    check(get(vm, 0, STIMER0_CONFIG) == 2ull << 16);
    end(vm);
}

/* --- exits -------------------------------------------------------------------------------------------------------- */

static void expect_synic_exit(struct vm *vm, uint32_t msr, uint64_t value)
{
    const struct kvm_hyperv_exit *seen = &vm->run[0]->hyperv;

    check(!start_op(vm, 0, OP_WRMSR, msr, value));
    check(vm->run[0]->exit_reason == KVM_EXIT_HYPERV && seen->type == KVM_EXIT_HYPERV_SYNIC);
    check(seen->u.synic.msr == msr);
    check(seen->u.synic.control == get(vm, 0, SCONTROL) && seen->u.synic.msg_page == get(vm, 0, SIMP));
    check(seen->u.synic.evt_page == get(vm, 0, SIEFP) && get(vm, 0, msr) == value);
    check(go_on(vm, 0) && mail(vm, MAIL_NR_FAULTS) == 0);
}

/* The VMM is told, and with KVM_CAP_HYPERV_SYNIC2 memory is its own. */
static void synic(struct vm *vm)
{
    make_hv(vm, ALL);
    memset(vm->more + 0x2000, 0x77, 0x1000);
    expect_synic_exit(vm, SCONTROL, 1);
    expect_synic_exit(vm, SIMP, SIM_GPA | 1);
    check(vm->more[0x2000] == 0x77 && vm->more[0x2fff] == 0x77);
    expect_synic_exit(vm, SIEFP, MORE_GPA | 1);
    wrmsr(vm, SINT2, VECTOR);
    wrmsr(vm, EOM, 0);
    expect_synic_exit(vm, SIMP, 0);
    check(vm->more[0x2000] == 0x77);
    end(vm);
}

/* Without KVM_CAP_HYPERV_SYNIC(2) there is no SynIC, whatever CPUID says. */
static void synic_not_enabled(struct vm *vm)
{
    make(vm, true);
    set_cpuid(vm, 0, ALL);
    wrmsr(vm, GUEST_OS_ID, 7);
    check(faults(vm, OP_RDMSR, SCONTROL, 0));
    end(vm);
}

/* From here on in flat 32-bit mode: one hypercall, by what the page has, then an OUT that ends it. */
static void enter_protected_mode(struct vm *vm)
{
    static const uint8_t out_and_stop[] = {0xe6, PORT_DONE, 0xeb, 0xfe};
    struct kvm_segment code = {.limit = 0xffffffff, .selector = 8, .type = 11, .present = 1, .db = 1, .s = 1, .g = 1};
    struct kvm_segment data = {.limit = 0xffffffff, .selector = 16, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1};
    struct kvm_sregs sregs;
    uint32_t length = 0;

    wrmsr(vm, GUEST_OS_ID, 7);
    wrmsr(vm, HYPERCALL, MORE_GPA | 1);
    while (vm->more[length] != 0xc3)
        length++;
    memcpy(vm->ram + CODE_32, vm->more, length);
    memcpy(vm->ram + CODE_32 + length, out_and_stop, sizeof(out_and_stop));
    check(ioctl(vm->vcpu_fd[0], KVM_GET_SREGS, &sregs) == 0);
    sregs.cr0 |= 1;
    sregs.cs = code;
    sregs.ds = sregs.es = sregs.ss = data;
    check(ioctl(vm->vcpu_fd[0], KVM_SET_SREGS, &sregs) == 0);
}

static uint64_t result(struct vm *vm)
{
    struct kvm_regs regs;

    check(ioctl(vm->vcpu_fd[0], KVM_GET_REGS, &regs) == 0);
    return regs.rdx << 32 | (uint32_t)regs.rax;
}

static bool is_done(const struct vm *vm)
{
    return vm->run[0]->exit_reason == KVM_EXIT_IO && vm->run[0]->io.port == PORT_DONE;
}

/* Starts a call; whether it ended without the VMM. */
static bool call(struct vm *vm, uint64_t control, uint64_t in)
{
    struct kvm_regs regs = {.rip = CODE_32, .rflags = 2, .rsp = 0x5000};

    regs.rdx = control >> 32, regs.rax = (uint32_t)control;
    regs.rbx = in >> 32, regs.rcx = (uint32_t)in;
    check(ioctl(vm->vcpu_fd[0], KVM_SET_REGS, &regs) == 0);
    check(ioctl(vm->vcpu_fd[0], KVM_RUN, 0) == 0);
    return is_done(vm);
}

static void expect_call_exit(struct vm *vm, uint64_t control, uint64_t in)
{
    struct kvm_hyperv_exit *seen = &vm->run[0]->hyperv;

    check(!call(vm, control, in));
    check(vm->run[0]->exit_reason == KVM_EXIT_HYPERV && seen->type == KVM_EXIT_HYPERV_HCALL);
    check(seen->u.hcall.input == control && seen->u.hcall.params[0] == in);
    seen->u.hcall.result = STATUS_EARLY;
}

static void calls(struct vm *vm)
{
    make_hv(vm, ALL);
    enter_protected_mode(vm);
    expect_call_exit(vm, 0x5c, 0x3000);
    check(ioctl(vm->vcpu_fd[0], KVM_RUN, 0) == 0 && is_done(vm) && result(vm) == STATUS_EARLY);
    expect_call_exit(vm, 0x1005d, 5);
    vm->run[0]->immediate_exit = 1;
    check(ioctl(vm->vcpu_fd[0], KVM_RUN, 0) == -1 && errno == EINTR);
    check(result(vm) == STATUS_EARLY);                  /* may be saved now */
    vm->run[0]->immediate_exit = 0;
    check(ioctl(vm->vcpu_fd[0], KVM_RUN, 0) == 0 && is_done(vm) && result(vm) == STATUS_EARLY);
    check(call(vm, 0x1ull << 32 | 0x5c, 0x3000) && result(vm) == 3);    /* no rep call */
    check(call(vm, 0x7777, 0) && result(vm) == 2);
    end(vm);
}

static void connect_to(struct vm *vm, uint32_t id, int fd, uint32_t flags, int err)
{
    struct kvm_hyperv_eventfd asked = {.conn_id = id, .fd = fd, .flags = flags};

    errno = 0;
    check(ioctl(vm->fd, KVM_HYPERV_EVENTFD, &asked) == (err ? -1 : 0) && errno == err);
}

static bool was_signalled(int fd, int wait_ms)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    uint64_t count;

    return poll(&poll_fd, 1, wait_ms) == 1 && read(fd, &count, sizeof(count)) == sizeof(count);
}

static void connections(struct vm *vm)
{
    const uint64_t in_memory = 9;
    int fd = eventfd(0, EFD_CLOEXEC);

    make_hv(vm, ALL);
    connect_to(vm, 0x1000000, fd, 0, EINVAL);
    connect_to(vm, 9, fd, 2, EINVAL);
    connect_to(vm, 9, fd, 0, 0);
    connect_to(vm, 9, fd, 0, EEXIST);
    connect_to(vm, 8, fd, KVM_HYPERV_EVENTFD_DEASSIGN, ENOENT);
    enter_protected_mode(vm);
    check(call(vm, 0x1005d, 9) && result(vm) == 0 && was_signalled(fd, 0));
    memcpy(vm->ram + 0x3000, &in_memory, sizeof(in_memory));
    check(call(vm, 0x5d, 0x3000) && result(vm) == 0 && was_signalled(fd, 0));
    check(call(vm, 0x5d, 0x3001) && result(vm) == 4);
    expect_call_exit(vm, 0x1005d, 8);
    check(ioctl(vm->vcpu_fd[0], KVM_RUN, 0) == 0 && is_done(vm) && !was_signalled(fd, 0));
    connect_to(vm, 9, -1, KVM_HYPERV_EVENTFD_DEASSIGN, 0);
    expect_call_exit(vm, 0x1005d, 9);
    close(fd);
    end(vm);
}

/* --- routes ------------------------------------------------------------------------------------------------------- */

struct routing {
    struct kvm_irq_routing head;
    struct kvm_irq_routing_entry entry[2];
};

static int set_routes(struct vm *vm, uint32_t sint)
{
    struct routing routing = {.head = {.nr = 2}, .entry = {
        {.gsi = 30, .type = KVM_IRQ_ROUTING_HV_SINT, .u.hv_sint = {.vcpu = 0, .sint = sint}},
        {.gsi = 31, .type = KVM_IRQ_ROUTING_MSI, .u.msi = {.address_lo = 0xfee00000, .data = VECTOR + 1}}}};

    return ioctl(vm->fd, KVM_SET_GSI_ROUTING, &routing);
}

static int set_irqfd(struct vm *vm, uint32_t gsi, int fd, int ack_fd, uint32_t flags)
{
    struct kvm_irqfd irqfd = {.fd = (uint32_t)fd, .gsi = gsi, .flags = flags, .resamplefd = (uint32_t)ack_fd};

    return ioctl(vm->fd, KVM_IRQFD, &irqfd);
}

static bool has_irq(struct vm *vm, uint32_t vector)
{
    struct kvm_lapic_state apic;

    check(ioctl(vm->vcpu_fd[0], KVM_GET_LAPIC, &apic) == 0);
    return (uint8_t)apic.regs[0x200 + vector / 32 * 16 + vector % 32 / 8] >> vector % 8 & 1;
}

/* Comes within a second. */
static bool gets_irq(struct vm *vm, int fd, uint32_t vector)
{
    uint64_t one = 1;

    forget_irqs(vm);
    check(write(fd, &one, sizeof(one)) == sizeof(one));
    for (int i = 0; i < 1000; i++) {
        if (has_irq(vm, vector))
            return true;
        usleep(1000);
    }
    return false;
}

static void routes(struct vm *vm)
{
    int fd = eventfd(0, EFD_CLOEXEC), ack_fd = eventfd(0, EFD_CLOEXEC), msi_fd = eventfd(0, EFD_CLOEXEC);
    int again_fd = dup(fd);
    struct kvm_irq_level line = {.irq = 30, .level = 1};

    make_hv(vm, ALL);
    check(set_routes(vm, 2) == 0);
    check(set_irqfd(vm, 30, fd, ack_fd, KVM_IRQFD_FLAG_RESAMPLE) == 0);
    check(set_irqfd(vm, 31, msi_fd, 0, 0) == 0);
    check(set_irqfd(vm, 30, fd, 0, 0) == -1 && errno == EBUSY);
    check(set_irqfd(vm, 31, again_fd, 0, 0) == -1 && errno == EBUSY);
    wrmsr(vm, GUEST_OS_ID, 7);
    wrmsr(vm, SINT2, VECTOR);
    check(gets_irq(vm, fd, VECTOR));
    check(gets_irq(vm, msi_fd, VECTOR + 1) && !has_irq(vm, VECTOR));
    wrmsr(vm, EOM, 0);
    check(was_signalled(ack_fd, 1000));
    forget_irqs(vm);
    check(ioctl(vm->fd, KVM_IRQ_LINE, &line) == 0 && has_irq(vm, VECTOR));
    wrmsr(vm, SINT2, 0x10000 | VECTOR);
    check(set_irqfd(vm, 30, fd, 0, KVM_IRQFD_FLAG_DEASSIGN) == 0);
    wrmsr(vm, SINT2, VECTOR);
    wrmsr(vm, EOM, 0);
    check(!was_signalled(ack_fd, 10));
    close(fd);
    close(again_fd);
    close(ack_fd);
    close(msi_fd);
    end(vm);
}

/* The VMM may take back what it has signalled, where the kernel leaves it, and nothing waits for more because of that. */
static void taken_back(struct vm *vm)
{
    int fd = eventfd(0, EFD_CLOEXEC);
    uint64_t count = 1;
    struct iovec into = {&count, sizeof(count)};

    make_hv(vm, ALL);
    check(set_routes(vm, 2) == 0 && set_irqfd(vm, 30, fd, 0, 0) == 0);
    wrmsr(vm, GUEST_OS_ID, 7);
    for (int i = 0; i < 20000; i++) {
        count = 1;
        check(write(fd, &count, sizeof(count)) == sizeof(count));
        for (int spins = 0; spins < i % 2000; spins++)
            __builtin_ia32_pause();
        preadv2(fd, &into, 1, -1, RWF_NOWAIT);
        check(set_routes(vm, 2) == 0);
    }
    check(set_irqfd(vm, 30, fd, 0, KVM_IRQFD_FLAG_DEASSIGN) == 0);
    close(fd);
    end(vm);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(struct vm *vm);
    } scenario[] = {
        {"caps", caps},         {"supported", supported}, {"index-list", index_list}, {"chosen", chosen},
        {"without", without},   {"msrs", msrs},           {"restored", restored},     {"timer", timer},
        {"synic", synic},       {"calls", calls},         {"connections", connections},
        {"synic-not-enabled", synic_not_enabled},         {"routes", routes},           {"plugged", plugged},
        {"taken-back", taken_back},
    };
    struct vm vm = {0};

    for (size_t i = 0; argc == 2 && i < sizeof(scenario) / sizeof(scenario[0]); i++) {
        if (strcmp(scenario[i].name, argv[1]))
            continue;
        scenario[i].run(&vm);
        return 0;
    }
    return 64;
}
