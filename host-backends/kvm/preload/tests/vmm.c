/*
 * A small VMM that knows nothing of hvshim: what it sees when it runs by itself, and what it sees under `hvshim run
 * --present hyperv`, is compared by the scenarios that its argument names. Status 0: all was as it must be.
 */
#include "vm.h"

#define VP_INDEX 0x40000002u
#define RESET 0x40000003u
#define PLATFORM_ID 0x17u       /* MSRs that the scenarios filter: any that the kernel has */
#define UCODE_REV 0x8bu
#define NOWHERE 0x12345u        /* no MSR at all */

static bool is_hyperv(struct vm *vm, int cpu)
{
    check(start_op(vm, cpu, OP_CPUID, 0, 0x40000000));
    return mail(vm, MAIL_B) == 0x7263694d && mail(vm, MAIL_C) == 0x666f736f && mail(vm, MAIL_D) == 0x76482074;
}

static const uint8_t page_code[] = {0x3e, 0xe6, 0xe4, 0xc3};

static bool is_hypercall_page(const uint8_t *page)
{
    return !memcmp(page, page_code, sizeof(page_code));
}

/* --- scenarios -------------------------------------------------------------------------------------------------- */

static void plain(struct vm *vm)
{
    make(vm, true);
    check(!is_hyperv(vm, 0));
    end(vm);
}

static void persona(struct vm *vm)
{
    make(vm, true);
    check(is_hyperv(vm, 0));
    wrmsr(vm, GUEST_OS_ID, 0x8100000000000001);
    check(rdmsr(vm, GUEST_OS_ID) == 0x8100000000000001);
    wrmsr(vm, HYPERCALL, MORE_GPA | 1);
    check(is_hypercall_page(vm->more));
    check(faults(vm, OP_RDMSR, 0x4b564d01, 0));         /* KVM's own are gone */
    check(faults(vm, OP_WRMSR, HYPERCALL, 0x200000 | 1));       /* no memory there */
    check(faults(vm, OP_WRMSR, HYPERCALL, ROM_GPA | 1));
    check(mail(vm, MAIL_NR_FAULTS) == 3);
    end(vm);
}

static void set_filter(struct vm *vm, uint32_t msr)
{
    uint8_t none[1] = {0};
    struct kvm_msr_filter filter = {
        .ranges[0] = {.flags = KVM_MSR_FILTER_READ, .base = msr, .nmsrs = 1, .bitmap = none}};

    check(ioctl(vm->fd, KVM_X86_SET_MSR_FILTER, &filter) == 0);
    none[0] = 0xff;             /* the kernel has its own copy */
}

static void set_reasons(struct vm *vm, uint64_t reasons)
{
    struct kvm_enable_cap cap = {.cap = KVM_CAP_X86_USER_SPACE_MSR, .args = {reasons}};

    check(ioctl(vm->fd, KVM_ENABLE_CAP, &cap) == 0);
}

static void expect_msr_exit(struct vm *vm, uint32_t msr, uint32_t reason)
{
    check(!start_op(vm, 0, OP_RDMSR, msr, 0));
    check(vm->run[0]->exit_reason == KVM_EXIT_X86_RDMSR && vm->run[0]->msr.index == msr);
    check(vm->run[0]->msr.reason == reason);
    vm->run[0]->msr.data = 0x123456789;
    check(go_on(vm, 0));
    check(mail(vm, MAIL_A) == 0x23456789 && mail(vm, MAIL_D) == 1);
}

/* The VMM's filter, before and after the first run, with and without exits asked for; ours stays. */
static void filter(struct vm *vm)
{
    make(vm, true);
    set_filter(vm, PLATFORM_ID);
    check(faults(vm, OP_RDMSR, PLATFORM_ID, 0));
    wrmsr(vm, GUEST_OS_ID, 7);
    set_reasons(vm, KVM_MSR_EXIT_REASON_FILTER);
    expect_msr_exit(vm, PLATFORM_ID, KVM_MSR_EXIT_REASON_FILTER);
    set_filter(vm, UCODE_REV);
    expect_msr_exit(vm, UCODE_REV, KVM_MSR_EXIT_REASON_FILTER);
    check(!faults(vm, OP_RDMSR, PLATFORM_ID, 0));
    check(rdmsr(vm, GUEST_OS_ID) == 7);
    check(faults(vm, OP_RDMSR, NOWHERE, 0));
    set_reasons(vm, KVM_MSR_EXIT_REASON_UNKNOWN);
    expect_msr_exit(vm, NOWHERE, KVM_MSR_EXIT_REASON_UNKNOWN);
    check(faults(vm, OP_RDMSR, UCODE_REV, 0));
    set_reasons(vm, 0);
    check(rdmsr(vm, GUEST_OS_ID) == 7);
    end(vm);
}

static void *remake(void *argument)
{
    struct vm *vm = argument;

    for (int i = 0; i < 300; i++) {
        check(set_slot(vm, 1, 0, MORE_GPA, NULL, 0) == 0);
        check(set_slot(vm, 1, 0, MORE_GPA, vm->more, MORE_BYTES) == 0);
    }
    return NULL;
}

/* Slots come and go while the guest uses them; other memory in the same place; slots of SMM are others. */
static void slots(struct vm *vm)
{
    pthread_t thread;
    uint8_t *other;

    make(vm, true);
    wrmsr(vm, GUEST_OS_ID, 7);
    check(pthread_create(&thread, NULL, remake, vm) == 0);
    for (int i = 0; i < 100; i++) {
        start_op(vm, 0, OP_WRMSR, HYPERCALL, MORE_GPA | 1);     /* or a fault */
        start_op(vm, 0, OP_WRMSR, HYPERCALL, 0);
    }
    pthread_join(thread, NULL);
    wrmsr(vm, HYPERCALL, 0);
    other = map(MORE_BYTES);
    check(set_slot(vm, 1, 0, MORE_GPA, NULL, 0) == 0);
    munmap(vm->more, MORE_BYTES);
    check(faults(vm, OP_WRMSR, HYPERCALL, MORE_GPA | 1));
    check(set_slot(vm, 1, 0, MORE_GPA + 0x1000, other, MORE_BYTES) == 0);
    wrmsr(vm, HYPERCALL, (MORE_GPA + 0x1000) | 1);
    check(is_hypercall_page(other));
    wrmsr(vm, HYPERCALL, 0);
    check(set_slot(vm, 1, 0, MORE_GPA, other, MORE_BYTES) == 0);        /* moved */
    wrmsr(vm, HYPERCALL, (MORE_GPA + 0x1000) | 1);
    check(is_hypercall_page(other + 0x1000));
    end(vm);
}

static uint64_t get_dirty(struct vm *vm)
{
    uint64_t bitmap = 0;
    struct kvm_dirty_log log = {.slot = 1, .dirty_bitmap = &bitmap};

    check(ioctl(vm->fd, KVM_GET_DIRTY_LOG, &log) == 0);
    return bitmap;
}

static void dirty(struct vm *vm)
{
    struct kvm_enable_cap by_hand = {.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, .args = {1}};
    uint64_t page_1 = 1 << 1;
    struct kvm_clear_dirty_log clear = {.slot = 1, .num_pages = MORE_BYTES / 4096, .dirty_bitmap = &page_1};

    make(vm, true);
    wrmsr(vm, GUEST_OS_ID, 7);
    check(set_slot(vm, 1, KVM_MEM_LOG_DIRTY_PAGES, MORE_GPA, vm->more, MORE_BYTES) == 0);
    check(get_dirty(vm) == 0);
    wrmsr(vm, HYPERCALL, (MORE_GPA + 0x2000) | 1);
    check(get_dirty(vm) == 1 << 2);
    check(get_dirty(vm) == 0);
    check(ioctl(vm->fd, KVM_ENABLE_CAP, &by_hand) == 0);
    wrmsr(vm, HYPERCALL, (MORE_GPA + 0x1000) | 1);
    check(get_dirty(vm) == (1 << 1 | 1 << 2));          /* given back to the guest, and taken */
    check(get_dirty(vm) == (1 << 1 | 1 << 2));
    check(ioctl(vm->fd, KVM_CLEAR_DIRTY_LOG, &clear) == 0);
    check(get_dirty(vm) == 1 << 2);
    check(ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_DIRTY_LOG_RING) == 0);
    end(vm);
}

static void resets(struct vm *vm)
{
    make(vm, true);
    for (int i = 0; i < 3; i++) {
        check(rdmsr(vm, GUEST_OS_ID) == 0);
        wrmsr(vm, GUEST_OS_ID, 7);
        check(rdmsr(vm, GUEST_OS_ID) == 7);
        reset(vm, 0);
    }
    end(vm);
}

static void several(struct vm *vm)
{
    struct vm other = {0};
    int number;

    make(vm, true);
    make(&other, true);
    wrmsr(vm, GUEST_OS_ID, 7);
    wrmsr(&other, GUEST_OS_ID, 8);
    check(rdmsr(vm, GUEST_OS_ID) == 7);
    number = vm->fd;
    end(vm);
    while (open("/dev/null", O_RDONLY) < number)
        ;
    check(ioctl(number, KVM_CREATE_VCPU, 5) == -1 && errno == ENOTTY);
    check(rdmsr(&other, GUEST_OS_ID) == 8);
    make(vm, true);
    check(rdmsr(vm, GUEST_OS_ID) == 0);
    check(rdmsr(&other, GUEST_OS_ID) == 8);
    end(&other);
    end(vm);
}

static void dups(struct vm *vm)
{
    int before, copy;

    make(vm, true);
    copy = fcntl(vm->fd, F_DUPFD_CLOEXEC, 100);
    check(copy >= 100 && close(vm->fd) == 0);
    vm->fd = copy;
    before = vm->vcpu_fd[0];
    check(dup2(before, 200) == 200);
    vm->vcpu_fd[0] = 200;
    wrmsr(vm, GUEST_OS_ID, 7);
    check(close(before) == 0);
    check(rdmsr(vm, GUEST_OS_ID) == 7);
    check(set_slot(vm, 1, 0, MORE_GPA, NULL, 0) == 0);
    check(faults(vm, OP_WRMSR, HYPERCALL, MORE_GPA | 1));
    check(dup2(vm->kvm_fd, 200) == 200);        /* the vCPU is gone */
    check(ioctl(200, KVM_RUN, 0) == -1);
    check(close(vm->fd) == 0);
}

/* A child that closes everything, or ends, takes nothing from its parent. */
static void forks(struct vm *vm)
{
    int status;
    pid_t child;

    make(vm, true);
    wrmsr(vm, GUEST_OS_ID, 7);
    child = fork();
    if (child == 0) {
        check(ioctl(vm->vcpu_fd[0], KVM_RUN, 0) == -1 && errno == EIO);
        end(vm);
        exit(5);
    }
    check(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 5);
    check(rdmsr(vm, GUEST_OS_ID) == 7);
    end(vm);
}

static void no_irqchip(struct vm *vm)
{
    make(vm, false);
    check(ioctl(vm->vcpu_fd[0], KVM_RUN, 0) == -1 && errno == EINVAL);
    check(ioctl(vm->vcpu_fd[0], KVM_RUN, 0) == -1 && errno == EINVAL);
}

static pthread_t vcpu_thread;

static void *interrupt(void *unused)
{
    (void)unused;
    usleep(100000);
    pthread_kill(vcpu_thread, SIGUSR1);
    return NULL;
}

static void ignore(int signal)
{
    (void)signal;
}

/* Both ways to get a vCPU out: immediate_exit, and a signal that only KVM_RUN lets in. */
static void signals(struct vm *vm)
{
    struct sigaction action = {.sa_handler = ignore};
    struct {
        struct kvm_signal_mask head;
        uint64_t set;
    } __attribute__((packed)) inside = {.head.len = 8, .set = ~(1ull << (SIGUSR1 - 1))};
    sigset_t all, pending;
    pthread_t thread;

    make(vm, true);
    wrmsr(vm, GUEST_OS_ID, 7);
    vm->run[0]->immediate_exit = 1;
    check(!start_op(vm, 0, OP_RDMSR, GUEST_OS_ID, 0) && errno == EINTR);
    check(!go_on(vm, 0) && errno == EINTR);
    vm->run[0]->immediate_exit = 0;
    check(go_on(vm, 0) && mail(vm, MAIL_A) == 7);

    sigaction(SIGUSR1, &action, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    check(ioctl(vm->vcpu_fd[0], KVM_SET_SIGNAL_MASK, &inside) == 0);
    vcpu_thread = pthread_self();
    check(pthread_create(&thread, NULL, interrupt, NULL) == 0);
    check(!start_op(vm, 0, OP_SPIN, 0, 0) && errno == EINTR);
    sigpending(&pending);
    check(sigismember(&pending, SIGUSR1));
    pthread_join(thread, NULL);
    end(vm);
}

static void plug(struct vm *vm)
{
    make(vm, true);
    check(is_hyperv(vm, 0));
    add_vcpu(vm, 1);
    check(vm->vcpu_fd[1] >= 0);
    check(is_hyperv(vm, 1));
    check(start_op(vm, 1, OP_RDMSR, VP_INDEX, 0) && mail(vm, MAIL_A) == 1);
    check(rdmsr(vm, VP_INDEX) == 0);
    end(vm);
}

static void plug_too_many(struct vm *vm)
{
    make(vm, true);
    check(is_hyperv(vm, 0));
    add_vcpu(vm, 1);
    check(vm->vcpu_fd[1] == -1 && errno == EINVAL);
    check(is_hyperv(vm, 0));
    end(vm);
}

/* The guest ends by the interface: an exit that VMMs know, and the instruction is done. */
static void stops(struct vm *vm)
{
    make(vm, true);
    check(!start_op(vm, 0, OP_WRMSR, RESET, 1));
    check(vm->run[0]->exit_reason == KVM_EXIT_SYSTEM_EVENT);
    check(vm->run[0]->system_event.type == KVM_SYSTEM_EVENT_RESET);
    check(go_on(vm, 0) && mail(vm, MAIL_NR_FAULTS) == 0);
    reset(vm, 0);
    check(is_hyperv(vm, 0));
    end(vm);
}

/* Ends with its VMs open. */
static void leaves(struct vm *vm)
{
    make(vm, true);
    wrmsr(vm, GUEST_OS_ID, 7);
}

/* Runs until its input ends, so that others can look at it. */
static void waits(struct vm *vm)
{
    make(vm, true);
    wrmsr(vm, GUEST_OS_ID, 7);
    puts("runs");
    fflush(stdout);
    while (getchar() != EOF)
        wrmsr(vm, GUEST_OS_ID, 8);
    end(vm);
}

/* --- stopped and saved, restored in another process --------------------------------------------------------------- */

#define TSC_MSR 0x10u
#define TIME_REF_COUNT 0x40000020u
#define REFERENCE_TSC 0x40000021u
#define SCONTROL 0x40000080u
#define SIMP 0x40000083u
#define SINT2 0x40000092u
#define STIMER0_CONFIG 0x400000b0u
#define STIMER0_COUNT 0x400000b1u
#define TIMER_EXPIRED 0x80000010u
#define PAST_100NS 2000000u     /* of the first guest's life: more than the second one's until it is asked */

enum { SEED = 0x5a, MARK = 0x2000 + 5 * 256 };   /* in the message page, where no message is */

static uint64_t vmm_tsc(struct vm *vm, const uint64_t *set)
{
    struct {
        struct kvm_msrs head;
        struct kvm_msr_entry entry;
    } msrs = {.head = {.nmsrs = 1}, .entry = {.index = TSC_MSR}};

    if (set)
        msrs.entry.data = *set;
    check(ioctl(vm->vcpu_fd[0], set ? KVM_SET_MSRS : KVM_GET_MSRS, &msrs) == 1);
    return msrs.entry.data;
}

/* The VMM's own stream: RAM, the TSC. The guest's registers are as after a reset, which is as good a place as any. */
static void stream(struct vm *vm, FILE *file, size_t (*pass)(void *, size_t, size_t, FILE *))
{
    check(pass(vm->ram, RAM_BYTES, 1, file) == 1 && pass(vm->more, MORE_BYTES, 1, file) == 1);
}

static size_t put_out(void *bytes, size_t size, size_t nr, FILE *file)
{
    return fwrite(bytes, size, nr, file);
}

static void write_stream(struct vm *vm, const char *path)
{
    FILE *file = fopen(path, "w");
    uint64_t tsc = vmm_tsc(vm, NULL);

    check(file);
    stream(vm, file, put_out);
    check(fwrite(&tsc, sizeof(tsc), 1, file) == 1 && fclose(file) == 0);
}

static void read_stream(struct vm *vm, const char *path)
{
    FILE *file = fopen(path, "r");
    uint64_t tsc;

    check(file);
    stream(vm, file, fread);
    check(fread(&tsc, sizeof(tsc), 1, file) == 1 && fclose(file) == 0);
    vmm_tsc(vm, &tsc);
}

static void stand_still(void)
{
    puts("stands");
    fflush(stdout);
}

static const char *path;

static uint64_t use_hyperv(struct vm *vm)
{
    uint64_t count;

    memset(vm->more, SEED, 0x1000);
    wrmsr(vm, GUEST_OS_ID, 7);
    wrmsr(vm, HYPERCALL, MORE_GPA | 1);
    wrmsr(vm, REFERENCE_TSC, (MORE_GPA + 0x1000) | 1);
    wrmsr(vm, SCONTROL, 1);
    wrmsr(vm, SIMP, (MORE_GPA + 0x2000) | 1);
    wrmsr(vm, SINT2, 0x51);
    vm->more[MARK] = SEED;
    do
        count = rdmsr(vm, TIME_REF_COUNT);
    while (count < PAST_100NS);
    wrmsr(vm, STIMER0_CONFIG, 2ull << 16 | 1);
    wrmsr(vm, STIMER0_COUNT, count + PAST_100NS);
    put(vm, MAIL_CODE - 16, (uint32_t)count);
    return count;
}

static void expect_hyperv(struct vm *vm)
{
    uint32_t type = 0, sequence;
    uint64_t count = rdmsr(vm, TIME_REF_COUNT);

    check(count >= mail(vm, MAIL_CODE - 16));
    check(rdmsr(vm, GUEST_OS_ID) == 7 && rdmsr(vm, HYPERCALL) == (MORE_GPA | 1));
    check(rdmsr(vm, SIMP) == ((MORE_GPA + 0x2000) | 1) && rdmsr(vm, SINT2) == 0x51);
    check(is_hypercall_page(vm->more) && vm->more[MARK] == SEED);
    memcpy(&sequence, vm->more + 0x1000, sizeof(sequence));
    check(sequence != 0 || !(rdmsr(vm, REFERENCE_TSC) & 1));
    for (int i = 0; i < 20000 && type != TIMER_EXPIRED; i++) {
        usleep(1000);
        rdmsr(vm, TIME_REF_COUNT);
        memcpy(&type, vm->more + 0x2000 + 2 * 256, sizeof(type));
    }
    check(type == TIMER_EXPIRED);
    wrmsr(vm, HYPERCALL, 0);
    check(vm->more[0] == SEED && !memcmp(vm->more, vm->more + 1, 0xfff));     /* what lay beneath */
    check(mail(vm, MAIL_NR_FAULTS) == 0);
}

static void leaves_state(struct vm *vm)
{
    make(vm, true);
    use_hyperv(vm);
    write_stream(vm, path);
    stand_still();
    check(getchar() == EOF);
    end(vm);
}

static void takes_state(struct vm *vm)
{
    make(vm, true);
    read_stream(vm, path);
    expect_hyperv(vm);
    reset(vm, 0);
    check(rdmsr(vm, GUEST_OS_ID) == 0);
    end(vm);
}

/* In the same process: goes on, is reset, lives another life, and goes back to what it was. */
static void goes_back(struct vm *vm)
{
    make(vm, true);
    use_hyperv(vm);
    write_stream(vm, path);
    stand_still();
    check(getchar() == '\n');
    wrmsr(vm, HYPERCALL, (MORE_GPA + 0x3000) | 1);
    reset(vm, 0);
    wrmsr(vm, GUEST_OS_ID, 9);
    wrmsr(vm, HYPERCALL, MORE_GPA | 1);
    wrmsr(vm, SIMP, (MORE_GPA + 0x2000) | 1);
    reset(vm, 0);
    read_stream(vm, path);
    stand_still();
    check(getchar() == '\n');
    expect_hyperv(vm);
    end(vm);
}

/* Is never out of KVM_RUN for long. */
static void never_stops(struct vm *vm)
{
    make(vm, true);
    wrmsr(vm, GUEST_OS_ID, 7);
    stand_still();
    start_op(vm, 0, OP_SPIN, 0, 0);
}

/* --- VMware's GuestRPC -------------------------------------------------------------------------------------------- */

#define BACKDOOR 0x564d5868u
#define BACKDOOR_PORT 0x5658u
#define RPCI 0x49435052u
enum { CMD_MESSAGE = 0x1e, MESSAGE_OPEN = 0, MESSAGE_SENDSIZE = 1, MESSAGE_DONE = 1 };

static uint32_t message(struct vm *vm, uint32_t type, uint32_t channel, uint32_t b)
{
    put(vm, MAIL_B, b);
    check(start_op(vm, 0, OP_IN, type << 16 | CMD_MESSAGE, (uint64_t)(channel << 16 | BACKDOOR_PORT) << 32 | BACKDOOR));
    return mail(vm, MAIL_C) >> 16;
}

static void leaves_channel(struct vm *vm)
{
    make(vm, true);
    check(message(vm, MESSAGE_OPEN, 0, RPCI) & MESSAGE_DONE);
    put(vm, MAIL_CODE - 16, mail(vm, MAIL_D) >> 16);
    write_stream(vm, path);
    stand_still();
    check(getchar() == EOF);
    end(vm);
}

/* The first command after the load says that it is to begin anew; then the channel is there. */
static void takes_channel(struct vm *vm)
{
    uint32_t channel, status;

    make(vm, true);
    read_stream(vm, path);
    channel = mail(vm, MAIL_CODE - 16);
    status = message(vm, MESSAGE_SENDSIZE, channel, 4);
    if (!(status & MESSAGE_DONE))
        status = message(vm, MESSAGE_SENDSIZE, channel, 4);
    check(status & MESSAGE_DONE);
    check(!(message(vm, MESSAGE_SENDSIZE, channel + 1, 4) & MESSAGE_DONE));
    end(vm);
}

/* --- xenstore ----------------------------------------------------------------------------------------------------- */

#define STORE_GPA 0xfeff8000u
#define PARAM_GPA 0x7000u
#define DOMID_SELF 0x7ff0u
enum { EVENT_CHANNEL_OP = 32, HVM_OP = 34, EVTCHNOP_SEND = 4, HVMOP_GET_PARAM = 1 };
enum { PARAM_STORE_PFN = 1, PARAM_STORE_EVTCHN = 2, XS_READ = 2, XS_WRITE = 11, XS_ERROR = 16 };
enum { RING_BYTES = 1024, REQUEST_PROD = 2052, REPLY = 1024, REPLY_CONS = 2056, REPLY_PROD = 2060 };

static uint32_t load32(struct vm *vm, uint32_t gpa)
{
    put(vm, MAIL_B, gpa);
    check(start_op(vm, 0, OP_LOAD, 0, 0));
    return mail(vm, MAIL_A);
}

static void store32(struct vm *vm, uint32_t gpa, uint32_t value)
{
    put(vm, MAIL_B, gpa);
    check(start_op(vm, 0, OP_STORE, 0, value));
}

static uint32_t hypercall(struct vm *vm, uint32_t number, uint32_t op)
{
    put(vm, MAIL_CALL, MORE_GPA + number * 32);
    put(vm, MAIL_B, op);
    check(start_op(vm, 0, OP_CALL, PARAM_GPA, 0));
    return mail(vm, MAIL_A);
}

static uint32_t get_param(struct vm *vm, uint32_t index)
{
    put(vm, PARAM_GPA, DOMID_SELF);
    put(vm, PARAM_GPA + 4, index);
    check(hypercall(vm, HVM_OP, HVMOP_GET_PARAM) == 0);
    return mail(vm, PARAM_GPA + 8);
}

static void notify(struct vm *vm)
{
    uint32_t port = get_param(vm, PARAM_STORE_EVTCHN);

    put(vm, PARAM_GPA, port);
    check(hypercall(vm, EVENT_CHANNEL_OP, EVTCHNOP_SEND) == 0);
}

static void use_xen(struct vm *vm)
{
    enter_32(vm, 0);
    wrmsr(vm, GUEST_OS_ID, MORE_GPA);           /* Xen's hypercall MSR has the same number */
    check(get_param(vm, PARAM_STORE_PFN) == STORE_GPA >> 12);
}

/* Words from `from` on of a request to read or write `text`, at the ring's producer, which is a multiple of 4. */
static void send_part(struct vm *vm, uint32_t type, const char *text, uint32_t bytes, uint32_t from, uint32_t to)
{
    uint32_t request[32] = {type, 77, 0, bytes}, at = load32(vm, STORE_GPA + REQUEST_PROD);

    memcpy(&request[4], text, bytes);
    for (uint32_t i = from; i < to; i += 4, at += 4)
        store32(vm, STORE_GPA + at % RING_BYTES, request[i / 4]);
    store32(vm, STORE_GPA + REQUEST_PROD, at);
    notify(vm);
}

static void expect_reply(struct vm *vm, uint32_t type, const char *text, uint32_t bytes)
{
    uint32_t reply[32] = {0}, at = load32(vm, STORE_GPA + REPLY_CONS);
    uint32_t nr = load32(vm, STORE_GPA + REPLY_PROD) - at;

    check(nr == 16 + bytes);
    for (uint32_t i = 0; i < (nr + 3) / 4; i++)
        reply[i] = load32(vm, STORE_GPA + REPLY + (at + 4 * i) % RING_BYTES);
    check(reply[0] == type && reply[1] == 77 && reply[3] == bytes && !memcmp(&reply[4], text, bytes));
    store32(vm, STORE_GPA + REPLY_CONS, at + nr);
    notify(vm);
}

/* Paths are such that requests are whole words, replies that are followed by others too. */
static const char role[] = "vm-data/role/in", written[] = "data/ab\0text";

static void store(struct vm *vm)
{
    make(vm, true);
    for (int life = 0; life < 2; life++) {
        use_xen(vm);
        send_part(vm, XS_READ, written, 8, 0, 24);
        expect_reply(vm, XS_ERROR, "ENOENT", 7);
        send_part(vm, XS_WRITE, written, 12, 0, 28);
        expect_reply(vm, XS_WRITE, "OK", 3);
        reset(vm, 0);
        check(start_op(vm, 0, OP_CPUID, 0, 0));
    }
    end(vm);
}

/* What the user gave is there, also after a reset, and in a store that is made anew by it. */
static void store_given(struct vm *vm)
{
    make(vm, true);
    for (int life = 0; life < 2; life++) {
        use_xen(vm);
        send_part(vm, XS_READ, role, sizeof(role), 0, 32);
        expect_reply(vm, XS_READ, "web server", 10);
        send_part(vm, XS_READ, "attr/ti", 8, 0, 24);
        expect_reply(vm, XS_READ, "a=1", 3);
        reset(vm, 0);
        check(start_op(vm, 0, OP_CPUID, 0, 0));
    }
    end(vm);
}

/* The VMM has memory there. */
static void store_taken(struct vm *vm)
{
    make(vm, true);
    check(set_slot(vm, 3, 0, STORE_GPA + 0x3000, map(0x1000), 0x1000) == 0);
    enter_32(vm, 0);
    wrmsr(vm, GUEST_OS_ID, MORE_GPA);
    check(get_param(vm, PARAM_STORE_PFN) == 0);
    end(vm);
}

/* A reply that is not read yet, and half a request. */
static void leaves_store(struct vm *vm)
{
    make(vm, true);
    use_xen(vm);
    send_part(vm, XS_READ, role, sizeof(role), 0, 32);
    send_part(vm, XS_READ, role, sizeof(role), 0, 20);
    write_stream(vm, path);
    stand_still();
    check(getchar() == EOF);
    end(vm);
}

static void expect_store(struct vm *vm)
{
    enter_32(vm, 0);
    check(load32(vm, STORE_GPA + REPLY_PROD) == 16 + 10);
    expect_reply(vm, XS_READ, "web server", 10);
    send_part(vm, XS_READ, role, sizeof(role), 20, 32);
    expect_reply(vm, XS_READ, "web server", 10);
}

static void takes_store(struct vm *vm)
{
    make(vm, true);
    read_stream(vm, path);
    expect_store(vm);
    end(vm);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(struct vm *vm);
    } scenario[] = {
        {"plain", plain},     {"persona", persona},   {"filter", filter},   {"slots", slots}, {"dirty", dirty},
        {"reset", resets},    {"several", several},   {"dup", dups},        {"fork", forks},  {"stop", stops},
        {"signals", signals}, {"plug", plug},         {"leave", leaves},    {"no-irqchip", no_irqchip},
        {"plug-too-many", plug_too_many}, {"wait", waits},
        {"leave-state", leaves_state}, {"take-state", takes_state}, {"go-back", goes_back}, {"never-stop", never_stops},
        {"leave-channel", leaves_channel}, {"take-channel", takes_channel},
        {"store", store}, {"store-given", store_given}, {"store-taken", store_taken}, {"leave-store", leaves_store},
        {"take-store", takes_store},
    };
    struct vm vm = {0};

    path = argc > 2 ? argv[2] : NULL;
    for (size_t i = 0; argc > 1 && i < sizeof(scenario) / sizeof(scenario[0]); i++) {
        if (strcmp(scenario[i].name, argv[1]))
            continue;
        scenario[i].run(&vm);
        return 0;
    }
    return 64;
}
