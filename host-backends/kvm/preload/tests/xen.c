/*
 * A small VMM that speaks KVM's own interface for Xen, under `hvshim run --kernel-interface xen` or on a kernel that
 * has it: each scenario is a part of that interface, in the words of Documentation/virt/kvm/api.rst.
 * Status 0: all was as it must be.
 */
#include "vm.h"

#include <sys/eventfd.h>
#include <sys/time.h>
#include <time.h>

#define PAGE_MSR 0x40000000u
#define NOWHERE UINT64_MAX
#define PRIO_2LEVEL KVM_IRQ_ROUTING_XEN_EVTCHN_PRIO_2LEVEL
#define VECTOR 0x51u

/* Places, and what is in them for a 32-bit guest [XEN public/xen.h]. */
#define SHARED_GPA (MORE_GPA + 0x1000)
#define INFO_GPA 0x3000u
#define GONE_GPA (MORE_GPA + 0x2000)
#define TIME_GPA 0x3100u
#define RUNSTATE_GPA 0x3200u
#define STRADDLING_GPA 0x3ff0u
#define CAN_STRADDLE (1 << 6)   /* KVM_XEN_HVM_CONFIG_RUNSTATE_UPDATE_FLAG: kernels before that cannot do either */
#define ARGS 0x5400u
#define CODE_32 0x2000u         /* of a guest in protected mode */
#define UPCALL_CODE 0x2100u
#define PORT_DONE 0x80u

enum { PENDING = 0x800, MASK = 0x880, WC_VERSION = 0x900, UPCALL_PENDING = 0, SELECTOR = 4, TIME = 0x20 };
enum { SET_TIMER_OP = 15, XEN_VERSION = 17, EVENT_CHANNEL_OP = 32, SCHED_OP = 29, VCPU_OP = 24 };
enum { EVTCHNOP_SEND = 4, EVTCHNSTAT_INTERDOMAIN = 2, EVTCHNSTAT_IPI = 5, SCHEDOP_YIELD = 0, SCHEDOP_POLL = 3,
       SET_SINGLESHOT = 8 };

/* --- a VM with Xen ------------------------------------------------------------------------------------------------ */

static void configure(struct vm *vm)
{
    struct kvm_xen_hvm_config config = {
        .flags = KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL | KVM_XEN_HVM_CONFIG_EVTCHN_SEND, .msr = PAGE_MSR};

    make(vm, true);
    check(ioctl(vm->fd, KVM_XEN_HVM_CONFIG, &config) == 0);
}

/* A call that fails with this errno. */
#define refused(call, error) (errno = 0, (call) == -1 && errno == (error))

static int set_vm(struct vm *vm, struct kvm_xen_hvm_attr attr)
{
    return ioctl(vm->fd, KVM_XEN_HVM_SET_ATTR, &attr);
}

static struct kvm_xen_hvm_attr get_vm(struct vm *vm, uint16_t type)
{
    struct kvm_xen_hvm_attr attr = {.type = type};

    check(ioctl(vm->fd, KVM_XEN_HVM_GET_ATTR, &attr) == 0);
    return attr;
}

static int set_vcpu(struct vm *vm, struct kvm_xen_vcpu_attr attr)
{
    return ioctl(vm->vcpu_fd[0], KVM_XEN_VCPU_SET_ATTR, &attr);
}

static struct kvm_xen_vcpu_attr get_vcpu(struct vm *vm, uint16_t type)
{
    struct kvm_xen_vcpu_attr attr = {.type = type};

    check(ioctl(vm->vcpu_fd[0], KVM_XEN_VCPU_GET_ATTR, &attr) == 0);
    return attr;
}

static int set_gpa(struct vm *vm, uint16_t type, uint64_t gpa)
{
    return set_vcpu(vm, (struct kvm_xen_vcpu_attr){.type = type, .u.gpa = gpa});
}

static int set_shared(struct vm *vm, uint64_t gfn)
{
    return set_vm(vm, (struct kvm_xen_hvm_attr){.type = KVM_XEN_ATTR_TYPE_SHARED_INFO, .u.shared_info.gfn = gfn});
}

static void set_pages(struct vm *vm)
{
    check(set_shared(vm, SHARED_GPA >> 12) == 0);
    check(set_gpa(vm, KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO, INFO_GPA) == 0);
}

static uint8_t *shared(struct vm *vm, uint32_t at)
{
    return vm->more + (SHARED_GPA - MORE_GPA) + at;
}

static bool has_bit(const uint8_t *bitmap, uint32_t bit)
{
    return bitmap[bit / 8] >> bit % 8 & 1;
}

static bool has_irq(struct vm *vm, uint32_t vector)
{
    struct kvm_lapic_state apic;

    check(ioctl(vm->vcpu_fd[0], KVM_GET_LAPIC, &apic) == 0);
    return (uint8_t)apic.regs[0x200 + vector / 32 * 16 + vector % 32 / 8] >> vector % 8 & 1;
}

/* The APIC is on, has no interrupt, and the guest has taken all events. */
static void begin_anew(struct vm *vm)
{
    struct kvm_lapic_state apic;

    check(ioctl(vm->vcpu_fd[0], KVM_GET_LAPIC, &apic) == 0);
    memset(apic.regs + 0x200, 0, 0x80);
    apic.regs[0xf1] = 1;
    check(ioctl(vm->vcpu_fd[0], KVM_SET_LAPIC, &apic) == 0);
    memset(shared(vm, PENDING), 0, 0x100);
    memset(vm->ram + INFO_GPA, 0, 8);
}

static bool was_raised(struct vm *vm, uint32_t port)
{
    return has_bit(shared(vm, PENDING), port) && has_bit(vm->ram + INFO_GPA + SELECTOR, port / 32) &&
           vm->ram[INFO_GPA + UPCALL_PENDING] == 1 && has_irq(vm, VECTOR);
}

/* --- what can be had ---------------------------------------------------------------------------------------------- */

static void caps(struct vm *vm)
{
    const int wanted = KVM_XEN_HVM_CONFIG_HYPERCALL_MSR | KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL |
                       KVM_XEN_HVM_CONFIG_SHARED_INFO | KVM_XEN_HVM_CONFIG_RUNSTATE |
                       KVM_XEN_HVM_CONFIG_EVTCHN_2LEVEL | KVM_XEN_HVM_CONFIG_EVTCHN_SEND;
    struct kvm_xen_hvm_config blob = {
        .flags = KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL, .msr = PAGE_MSR, .blob_size_64 = 1};

    make(vm, true);
    check((ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_XEN_HVM) & wanted) == wanted);
    check((ioctl(vm->fd, KVM_CHECK_EXTENSION, KVM_CAP_XEN_HVM) & wanted) == wanted);
    check(refused(ioctl(vm->fd, KVM_XEN_HVM_CONFIG, &blob), EINVAL));
    blob = (struct kvm_xen_hvm_config){.flags = 1u << 31};
    check(refused(ioctl(vm->fd, KVM_XEN_HVM_CONFIG, &blob), EINVAL));
    end(vm);
}

/* A VMM that does not ask for Xen has none; one that names no MSR has no page. */
static void without(struct vm *vm)
{
    struct kvm_xen_hvm_config config = {.flags = KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL};

    make(vm, true);
    check(faults(vm, OP_WRMSR, PAGE_MSR, MORE_GPA));
    end(vm);
    make(vm, true);
    check(ioctl(vm->fd, KVM_XEN_HVM_CONFIG, &config) == 0);
    check(faults(vm, OP_WRMSR, 0, MORE_GPA) && faults(vm, OP_WRMSR, PAGE_MSR, MORE_GPA));
    end(vm);
}

static void check_vm_attrs(struct vm *vm)
{
    struct kvm_xen_hvm_attr vector = {.type = KVM_XEN_ATTR_TYPE_UPCALL_VECTOR, .u.vector = VECTOR};
    struct kvm_xen_hvm_attr mode = {.type = KVM_XEN_ATTR_TYPE_LONG_MODE, .u.long_mode = 1};
    struct kvm_xen_hvm_attr version = {.type = KVM_XEN_ATTR_TYPE_XEN_VERSION, .u.xen_version = 0x40011};

    check(get_vm(vm, KVM_XEN_ATTR_TYPE_SHARED_INFO).u.shared_info.gfn == NOWHERE);
    check(set_vm(vm, mode) == 0 && get_vm(vm, mode.type).u.long_mode == 1);
    mode.u.long_mode = 0;
    check(set_vm(vm, mode) == 0 && get_vm(vm, mode.type).u.long_mode == 0);
    check(set_vm(vm, version) == 0 && get_vm(vm, version.type).u.xen_version == 0x40011);
    check(set_vm(vm, vector) == 0 && get_vm(vm, vector.type).u.vector == VECTOR);
    vector.u.vector = 0xf;
    check(refused(set_vm(vm, vector), EINVAL));
    vector.u.vector = 0;
    check(set_vm(vm, vector) == 0);
    check(set_shared(vm, 0xfffff) == -1);
    check(set_shared(vm, SHARED_GPA >> 12) == 0);
    check(get_vm(vm, KVM_XEN_ATTR_TYPE_SHARED_INFO).u.shared_info.gfn == SHARED_GPA >> 12);
    check(set_shared(vm, NOWHERE) == 0);
    check(refused(set_vm(vm, (struct kvm_xen_hvm_attr){.type = 0x7fff}), ENOENT));
}

static void check_places(struct vm *vm)
{
    for (uint16_t type = KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO; type <= KVM_XEN_VCPU_ATTR_TYPE_VCPU_TIME_INFO; type++) {
        check(get_vcpu(vm, type).u.gpa == NOWHERE);
        check(set_gpa(vm, type, 0xfffff000) == -1);
        check(set_gpa(vm, type, INFO_GPA) == 0 && get_vcpu(vm, type).u.gpa == INFO_GPA);
        check(set_gpa(vm, type, NOWHERE) == 0 && get_vcpu(vm, type).u.gpa == NOWHERE);
    }
}

static void check_vcpu_attrs(struct vm *vm)
{
    struct kvm_xen_vcpu_attr vector = {.type = KVM_XEN_VCPU_ATTR_TYPE_UPCALL_VECTOR, .u.vector = VECTOR};
    struct kvm_xen_vcpu_attr id = {.type = KVM_XEN_VCPU_ATTR_TYPE_VCPU_ID, .u.vcpu_id = 7};
    struct kvm_xen_vcpu_attr timer = {.type = KVM_XEN_VCPU_ATTR_TYPE_TIMER, .u.timer = {
        .port = 5, .priority = PRIO_2LEVEL, .expires_ns = 1ull << 60}};

    check_places(vm);
    check(get_vcpu(vm, id.type).u.vcpu_id == 0);
    check(set_vcpu(vm, id) == 0 && get_vcpu(vm, id.type).u.vcpu_id == 7);
    id.u.vcpu_id = 0;
    check(set_vcpu(vm, id) == 0);
    check(set_vcpu(vm, vector) == 0 && get_vcpu(vm, vector.type).u.vector == VECTOR);
    vector.u.vector = 1;
    check(refused(set_vcpu(vm, vector), EINVAL));
    check(set_vcpu(vm, timer) == 0 && get_vcpu(vm, timer.type).u.timer.expires_ns == 1ull << 60);
    check(get_vcpu(vm, timer.type).u.timer.port == 5);
    timer.u.timer.priority = 1;
    check(refused(set_vcpu(vm, timer), EINVAL));
    timer.u.timer.port = 0;
    check(set_vcpu(vm, timer) == 0);
    check(refused(set_vcpu(vm, (struct kvm_xen_vcpu_attr){.type = 0x7fff}), ENOENT));
}

static void attrs(struct vm *vm)
{
    configure(vm);
    check_vm_attrs(vm);
    check_vcpu_attrs(vm);
    check(start_op(vm, 0, OP_CPUID, 0, 0));
    check_vm_attrs(vm);
    check_vcpu_attrs(vm);
    end(vm);
}

/* --- hypercalls --------------------------------------------------------------------------------------------------- */

/* The hypercall page lies at the start of MORE; the guest calls by EDI and says when it is done. */
static void enter_protected_mode(struct vm *vm)
{
    static const uint8_t code[] = {0xff, 0xd7, 0xe6, PORT_DONE, 0xf4};
    const struct kvm_segment text = {
        .limit = 0xffffffff, .selector = 8, .type = 0xb, .present = 1, .db = 1, .s = 1, .g = 1};
    const struct kvm_segment data = {
        .limit = 0xffffffff, .selector = 16, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1};
    struct kvm_sregs sregs;

    wrmsr(vm, PAGE_MSR, MORE_GPA);
    memcpy(vm->ram + CODE_32, code, sizeof(code));
    check(ioctl(vm->vcpu_fd[0], KVM_GET_SREGS, &sregs) == 0);
    sregs.cr0 |= 1;
    sregs.cs = text;
    sregs.ds = sregs.es = sregs.ss = data;
    check(ioctl(vm->vcpu_fd[0], KVM_SET_SREGS, &sregs) == 0);
}

/* Starts a call; says whether it ended without the VMM. */
static bool call(struct vm *vm, uint32_t nr, uint64_t a, uint64_t b, uint64_t c)
{
    struct kvm_regs regs = {.rip = CODE_32, .rflags = 2, .rsp = 0x5000, .rdi = MORE_GPA + nr * 32,
                            .rbx = a, .rcx = b, .rdx = c, .rsi = 4};

    check(ioctl(vm->vcpu_fd[0], KVM_SET_REGS, &regs) == 0);
    check(ioctl(vm->vcpu_fd[0], KVM_RUN, 0) == 0);
    return vm->run[0]->exit_reason == KVM_EXIT_IO && vm->run[0]->io.port == PORT_DONE;
}

static int32_t result(struct vm *vm)
{
    struct kvm_regs regs;

    check(ioctl(vm->vcpu_fd[0], KVM_GET_REGS, &regs) == 0);
    return (int32_t)regs.rax;
}

static bool goes_on(struct vm *vm, int32_t wanted)
{
    return ioctl(vm->vcpu_fd[0], KVM_RUN, 0) == 0 && vm->run[0]->exit_reason == KVM_EXIT_IO &&
           vm->run[0]->io.port == PORT_DONE && result(vm) == wanted;
}

static void expect_call_exit(struct vm *vm, uint32_t nr, uint32_t a)
{
    struct kvm_xen_exit *seen = &vm->run[0]->xen;

    check(!call(vm, nr, a, 2, 3) && vm->run[0]->exit_reason == KVM_EXIT_XEN);
    check(seen->type == KVM_EXIT_XEN_HCALL && !seen->u.hcall.longmode && seen->u.hcall.cpl == 0);
    check(seen->u.hcall.input == nr && seen->u.hcall.params[0] == a && seen->u.hcall.params[1] == 2 &&
          seen->u.hcall.params[2] == 3 && seen->u.hcall.params[3] == 4);
    seen->u.hcall.result = (uint64_t)-38;
}

static void calls(struct vm *vm)
{
    struct kvm_regs elsewhere = {.rip = CODE_32 + 2, .rflags = 2, .rsp = 0x5000, .rax = 99};

    configure(vm);
    enter_protected_mode(vm);
    expect_call_exit(vm, 12, 1);
    check(goes_on(vm, -38));
    expect_call_exit(vm, XEN_VERSION, 0);               /* of which nobody has said what it is */
    vm->run[0]->immediate_exit = 1;
    check(ioctl(vm->vcpu_fd[0], KVM_RUN, 0) == -1 && errno == EINTR);
    check(result(vm) == -38);                           /* may be saved now */
    vm->run[0]->immediate_exit = 0;
    check(goes_on(vm, -38));
    expect_call_exit(vm, 12, 1);
    check(ioctl(vm->vcpu_fd[0], KVM_SET_REGS, &elsewhere) == 0);
    check(goes_on(vm, 99));
    check(set_vm(vm, (struct kvm_xen_hvm_attr){.type = KVM_XEN_ATTR_TYPE_XEN_VERSION, .u.xen_version = 0x40011}) == 0);
    check(call(vm, XEN_VERSION, 0, 0, 0) && result(vm) == 0x40011);
    check(call(vm, SCHED_OP, SCHEDOP_YIELD, 0, 0) && result(vm) == 0);
    expect_call_exit(vm, SET_TIMER_OP, 1);              /* no port for its event */
    check(goes_on(vm, -38));
    end(vm);
}

/* Within a second. What is due waits until the vCPU runs. */
static bool becomes_raised(struct vm *vm, uint32_t port)
{
    for (int i = 0; i < 1000 && !was_raised(vm, port); i++) {
        usleep(1000);
        check(call(vm, SCHED_OP, SCHEDOP_YIELD, 0, 0));
    }
    return was_raised(vm, port);
}

/* --- events ------------------------------------------------------------------------------------------------------- */

static int send_event(struct vm *vm, uint32_t port, uint32_t vcpu)
{
    struct kvm_irq_routing_xen_evtchn event = {.port = port, .vcpu = vcpu, .priority = PRIO_2LEVEL};

    return ioctl(vm->fd, KVM_XEN_HVM_EVTCHN_SEND, &event);
}

static void set_vector(struct vm *vm, uint8_t vector)
{
    check(set_vcpu(vm, (struct kvm_xen_vcpu_attr){
        .type = KVM_XEN_VCPU_ATTR_TYPE_UPCALL_VECTOR, .u.vector = vector}) == 0);
}

static void events(struct vm *vm)
{
    configure(vm);
    set_vector(vm, VECTOR);
    check(start_op(vm, 0, OP_CPUID, 0, 0));
    check(refused(send_event(vm, 40, 0), EINVAL));      /* no vcpu_info */
    set_pages(vm);
    begin_anew(vm);
    check(refused(send_event(vm, 0, 0), EINVAL) && refused(send_event(vm, 1024, 0), EINVAL));
    check(refused(send_event(vm, 40, 1), EINVAL));
    check(send_event(vm, 40, 0) == 0 && was_raised(vm, 40));
    begin_anew(vm);
    shared(vm, MASK)[41 / 8] |= 1u << 41 % 8;
    check(send_event(vm, 41, 0) == 0 && has_bit(shared(vm, PENDING), 41));
    check(vm->ram[INFO_GPA + UPCALL_PENDING] == 0 && !has_irq(vm, VECTOR));
    check(send_event(vm, 42, 0) == 0 && was_raised(vm, 42));
    end(vm);
}

/* The VMM takes memory away in which there are places, and puts it back. */
static void gone(struct vm *vm)
{
    configure(vm);
    set_vector(vm, VECTOR);
    check(start_op(vm, 0, OP_CPUID, 0, 0));
    check(set_shared(vm, SHARED_GPA >> 12) == 0);
    check(set_gpa(vm, KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO, INFO_GPA) == 0);
    check(set_gpa(vm, KVM_XEN_VCPU_ATTR_TYPE_VCPU_TIME_INFO, GONE_GPA + 0x100) == 0);
    begin_anew(vm);
    check(set_slot(vm, 1, 0, MORE_GPA, vm->more, 0) == 0);
    check(refused(send_event(vm, 46, 0), EFAULT));
    check(start_op(vm, 0, OP_CPUID, 0, 0));
    check(set_slot(vm, 1, 0, MORE_GPA, vm->more, MORE_BYTES) == 0);
    check(send_event(vm, 46, 0) == 0 && was_raised(vm, 46));
    check(set_gpa(vm, KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO, GONE_GPA) == 0);
    check(set_slot(vm, 1, 0, MORE_GPA, vm->more, 0) == 0);
    check(set_slot(vm, 3, 0, SHARED_GPA, shared(vm, 0), 0x1000) == 0);
    check(refused(send_event(vm, 47, 0), EFAULT) && has_bit(shared(vm, PENDING), 47));
    end(vm);
}

struct routing {
    struct kvm_irq_routing head;
    struct kvm_irq_routing_entry entry[2];
};

static int set_routes(struct vm *vm, uint32_t port, uint32_t priority)
{
    struct routing routing = {.head = {.nr = 2}, .entry = {
        {.gsi = 30, .type = KVM_IRQ_ROUTING_XEN_EVTCHN,
         .u.xen_evtchn = {.port = port, .vcpu = 0, .priority = priority}},
        {.gsi = 31, .type = KVM_IRQ_ROUTING_MSI, .u.msi = {.address_lo = 0xfee00000, .data = VECTOR + 1}}}};

    return ioctl(vm->fd, KVM_SET_GSI_ROUTING, &routing);
}

static void routes(struct vm *vm)
{
    struct kvm_irqfd irqfd = {.gsi = 30};
    int fd = eventfd(0, EFD_CLOEXEC);
    uint64_t one = 1;

    irqfd.fd = (uint32_t)fd;
    configure(vm);
    set_vector(vm, VECTOR);
    check(refused(set_routes(vm, 50, 7), EINVAL));
    check(set_routes(vm, 5000, PRIO_2LEVEL) == 0);      /* there may be such ports later */
    check(set_routes(vm, 50, PRIO_2LEVEL) == 0 && ioctl(vm->fd, KVM_IRQFD, &irqfd) == 0);
    enter_protected_mode(vm);
    set_pages(vm);
    begin_anew(vm);
    check(write(fd, &one, sizeof(one)) == sizeof(one) && becomes_raised(vm, 50));
    irqfd.flags = KVM_IRQFD_FLAG_DEASSIGN;
    check(ioctl(vm->fd, KVM_IRQFD, &irqfd) == 0);
    close(fd);
    end(vm);
}

static int set_send(struct vm *vm, uint32_t port, uint32_t type, uint32_t flags, uint32_t to, int32_t vcpu_or_fd)
{
    struct kvm_xen_hvm_attr attr = {.type = KVM_XEN_ATTR_TYPE_EVTCHN};

    attr.u.evtchn.send_port = port;
    attr.u.evtchn.type = type;
    attr.u.evtchn.flags = flags;
    attr.u.evtchn.deliver.port.port = to;
    attr.u.evtchn.deliver.port.vcpu = (uint32_t)vcpu_or_fd;     /* in the place of eventfd.fd */
    attr.u.evtchn.deliver.port.priority = to ? PRIO_2LEVEL : 0;
    return set_vm(vm, attr);
}

static bool guest_sends(struct vm *vm, uint32_t port)
{
    put(vm, ARGS, port);
    return call(vm, EVENT_CHANNEL_OP, EVTCHNOP_SEND, ARGS, 0);
}

static void sends(struct vm *vm)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    uint64_t count = 0;

    configure(vm);
    set_vector(vm, VECTOR);
    enter_protected_mode(vm);
    set_pages(vm);
    check(!guest_sends(vm, 60) && vm->run[0]->exit_reason == KVM_EXIT_XEN);     /* nobody said where it goes */
    vm->run[0]->xen.u.hcall.result = 5;
    check(goes_on(vm, 5));
    check(refused(set_send(vm, 0, EVTCHNSTAT_IPI, 0, 0, 0), EINVAL));
    check(refused(set_send(vm, 60, EVTCHNSTAT_IPI, 0, 61, 0), EINVAL));
    check(refused(set_send(vm, 60, 1, 0, 60, 0), EINVAL));
    check(set_send(vm, 60, EVTCHNSTAT_IPI, 0, 60, 0) == 0);
    check(refused(set_send(vm, 60, EVTCHNSTAT_IPI, 0, 60, 0), EEXIST));
    check(set_send(vm, 61, EVTCHNSTAT_INTERDOMAIN, 0, 0, fd) == 0);
    check(set_send(vm, 62, EVTCHNSTAT_INTERDOMAIN, 0, 63, 0) == 0);
    begin_anew(vm);
    check(guest_sends(vm, 60) && result(vm) == 0 && was_raised(vm, 60));
    check(guest_sends(vm, 61) && result(vm) == 0 && read(fd, &count, sizeof(count)) == sizeof(count) && count == 1);
    begin_anew(vm);
    check(guest_sends(vm, 62) && result(vm) == 0 && was_raised(vm, 63));
    check(refused(set_send(vm, 64, EVTCHNSTAT_IPI, KVM_XEN_EVTCHN_UPDATE, 64, 0), ENOENT));
    check(refused(set_send(vm, 61, EVTCHNSTAT_INTERDOMAIN, KVM_XEN_EVTCHN_UPDATE, 0, 0), EINVAL));
    check(set_send(vm, 60, EVTCHNSTAT_IPI, KVM_XEN_EVTCHN_UPDATE, 60, 0) == 0);
    check(set_send(vm, 60, 0, KVM_XEN_EVTCHN_DEASSIGN, 0, 0) == 0);
    check(!guest_sends(vm, 60) && vm->run[0]->exit_reason == KVM_EXIT_XEN);
    vm->run[0]->xen.u.hcall.result = 6;
    check(goes_on(vm, 6));
    check(set_send(vm, 0, 0, KVM_XEN_EVTCHN_RESET, 0, 0) == 0);
    check(!guest_sends(vm, 61) && vm->run[0]->exit_reason == KVM_EXIT_XEN);
    close(fd);
    end(vm);
}

/* The callback by vector: past the local APIC, as long as upcall_pending says so. */
static void callback(struct vm *vm)
{
    static const uint8_t upcall[] = {
        0xc6, 0x06, INFO_GPA & 0xff, INFO_GPA >> 8, 0,          /* movb $0, INFO_GPA */
        0xe6, MAIL_PORT,                                        /* out %al, $MAIL_PORT */
        0xcf};                                                  /* iret */
    const uint16_t vector[2] = {UPCALL_CODE, 0};
    struct kvm_regs regs;

    configure(vm);
    memcpy(vm->ram + UPCALL_CODE, upcall, sizeof(upcall));
    memcpy(vm->ram + VECTOR * 4, vector, sizeof(vector));
    check(set_vm(vm, (struct kvm_xen_hvm_attr){.type = KVM_XEN_ATTR_TYPE_UPCALL_VECTOR, .u.vector = VECTOR}) == 0);
    set_pages(vm);
    check(start_op(vm, 0, OP_CPUID, 0, 0));
    check(ioctl(vm->vcpu_fd[0], KVM_GET_REGS, &regs) == 0);
    regs.rflags |= 1u << 9;
    check(ioctl(vm->vcpu_fd[0], KVM_SET_REGS, &regs) == 0);
    vm->ram[INFO_GPA + UPCALL_PENDING] = 1;             /* by the VMM itself */
    check(start_op(vm, 0, OP_SPIN, 0, 0) && vm->ram[INFO_GPA + UPCALL_PENDING] == 0);
    check(ioctl(vm->vcpu_fd[0], KVM_GET_REGS, &regs) == 0 && regs.rip >= UPCALL_CODE &&
          regs.rip < UPCALL_CODE + sizeof(upcall));
    check(send_event(vm, 70, 0) == 0 && go_on(vm, 0) && vm->ram[INFO_GPA + UPCALL_PENDING] == 0);
    end(vm);
}

/* --- polling ------------------------------------------------------------------------------------------------------ */

static void ignore(int signal)
{
    (void)signal;
}

/* From now on a signal comes every 50 ms, or none. */
static void interrupt_often(bool on)
{
    const struct itimerval often = {.it_value.tv_usec = on ? 50000 : 0, .it_interval.tv_usec = on ? 50000 : 0};
    const struct sigaction action = {.sa_handler = ignore};

    check(sigaction(SIGALRM, &action, NULL) == 0 && setitimer(ITIMER_REAL, &often, NULL) == 0);
}

static void *send_later(void *ctx)
{
    usleep(50000);
    check(send_event(ctx, 45, 0) == 0);
    return NULL;
}

/* For a port that is masked, as waiters for a lock do; and again until any signal, as then the vCPU may be saved. */
static void polls(struct vm *vm)
{
    const struct kvm_regs regs = {.rip = CODE_32, .rflags = 2, .rsp = 0x5000, .rdi = MORE_GPA + SCHED_OP * 32,
                                   .rax = 99, .rbx = SCHEDOP_POLL, .rcx = ARGS};
    const uint32_t args[] = {ARGS + 16, 1, 0, 0, 45};
    struct kvm_mp_state state;
    pthread_t thread;

    configure(vm);
    enter_protected_mode(vm);
    set_pages(vm);
    begin_anew(vm);
    memcpy(vm->ram + ARGS, args, sizeof(args));
    shared(vm, MASK)[45 / 8] |= 1u << 45 % 8;
    check(pthread_create(&thread, NULL, send_later, vm) == 0);
    check(call(vm, SCHED_OP, SCHEDOP_POLL, ARGS, 0) && result(vm) == 0 && has_bit(shared(vm, PENDING), 45));
    check(pthread_join(thread, NULL) == 0);
    check(call(vm, SCHED_OP, SCHEDOP_POLL, ARGS, 0) && result(vm) == 0);        /* it is there already */
    begin_anew(vm);
    check(ioctl(vm->vcpu_fd[0], KVM_SET_REGS, &regs) == 0);
    interrupt_often(true);
    check(refused(ioctl(vm->vcpu_fd[0], KVM_RUN, 0), EINTR));
    interrupt_often(false);
    check(ioctl(vm->vcpu_fd[0], KVM_GET_MP_STATE, &state) == 0 && state.mp_state == KVM_MP_STATE_RUNNABLE);
    check(goes_on(vm, 0));
    end(vm);
}

/* --- time --------------------------------------------------------------------------------------------------------- */

static uint64_t now_ns(struct vm *vm)
{
    struct kvm_clock_data clock;

    check(ioctl(vm->fd, KVM_GET_CLOCK, &clock) == 0);
    return clock.clock;
}

static bool is_published(const uint8_t *version)
{
    return *version != 0 && *version % 2 == 0;
}

static void timer(struct vm *vm)
{
    struct kvm_xen_vcpu_attr attr = {.type = KVM_XEN_VCPU_ATTR_TYPE_TIMER, .u.timer = {
        .port = 80, .priority = PRIO_2LEVEL}};
    struct timespec real;
    uint32_t seconds;
    uint64_t deadline_ns;

    configure(vm);
    set_vector(vm, VECTOR);
    enter_protected_mode(vm);
    set_pages(vm);
    check(set_gpa(vm, KVM_XEN_VCPU_ATTR_TYPE_VCPU_TIME_INFO, TIME_GPA) == 0);
    check(call(vm, SCHED_OP, SCHEDOP_YIELD, 0, 0));
    check(is_published(vm->ram + INFO_GPA + TIME) && is_published(vm->ram + TIME_GPA));
    check(!memcmp(vm->ram + INFO_GPA + TIME + 24, vm->ram + TIME_GPA + 24, 5));     /* rate and shift */
    check(is_published(shared(vm, WC_VERSION)));
    memcpy(&seconds, shared(vm, WC_VERSION + 4), sizeof(seconds));
    clock_gettime(CLOCK_REALTIME, &real);
    check(seconds <= real.tv_sec && seconds + 120 > real.tv_sec);

    begin_anew(vm);
    attr.u.timer.expires_ns = now_ns(vm) + 1000000;
    check(set_vcpu(vm, attr) == 0 && becomes_raised(vm, 80));
    check(get_vcpu(vm, attr.type).u.timer.expires_ns == 0);
    begin_anew(vm);
    deadline_ns = now_ns(vm) + 1000000;
    check(call(vm, SET_TIMER_OP, (uint32_t)deadline_ns, deadline_ns >> 32, 0) && result(vm) == 0);
    check(becomes_raised(vm, 80));
    begin_anew(vm);
    deadline_ns = now_ns(vm) + 1000000;
    put(vm, ARGS, (uint32_t)deadline_ns);
    put(vm, ARGS + 4, (uint32_t)(deadline_ns >> 32));
    put(vm, ARGS + 8, 0);
    check(call(vm, VCPU_OP, SET_SINGLESHOT, 1, ARGS) && result(vm) == -22);     /* another vCPU's */
    check(call(vm, VCPU_OP, SET_SINGLESHOT, 0, ARGS) && result(vm) == 0 && becomes_raised(vm, 80));
    check(call(vm, SET_TIMER_OP, 0xffffffff, 0x00ffffff, 0));                   /* far away: 100 ms */
    check(get_vcpu(vm, attr.type).u.timer.expires_ns < now_ns(vm) + 110000000);
    check(call(vm, SET_TIMER_OP, 0, 0, 0) && get_vcpu(vm, attr.type).u.timer.expires_ns == 0);
    end(vm);
}

/* All of it is set before the guest runs for the first time here. */
static void restored(struct vm *vm)
{
    struct kvm_xen_vcpu_attr attr = {.type = KVM_XEN_VCPU_ATTR_TYPE_TIMER, .u.timer = {
        .port = 90, .priority = PRIO_2LEVEL}};

    configure(vm);
    set_vector(vm, VECTOR);
    set_pages(vm);
    begin_anew(vm);
    attr.u.timer.expires_ns = now_ns(vm) + 50000000;
    check(set_vcpu(vm, attr) == 0);
    check(set_send(vm, 91, EVTCHNSTAT_IPI, 0, 91, 0) == 0);
    enter_protected_mode(vm);
    check(is_published(vm->ram + INFO_GPA + TIME) && is_published(shared(vm, WC_VERSION)));
    check(becomes_raised(vm, 90));
    begin_anew(vm);
    check(guest_sends(vm, 91) && was_raised(vm, 91));
    end(vm);
}

static void runstate(struct vm *vm)
{
    struct kvm_xen_vcpu_attr data = {.type = KVM_XEN_VCPU_ATTR_TYPE_RUNSTATE_DATA, .u.runstate = {
        .state = 0, .state_entry_time = 600, .time_running = 100, .time_runnable = 200, .time_offline = 300}};
    struct kvm_xen_vcpu_attr got;
    uint64_t gpa = RUNSTATE_GPA;
    uint32_t entry[2];

    configure(vm);
    if (ioctl(vm->fd, KVM_CHECK_EXTENSION, KVM_CAP_XEN_HVM) & CAN_STRADDLE)
        gpa = STRADDLING_GPA;
    check(set_gpa(vm, KVM_XEN_VCPU_ATTR_TYPE_RUNSTATE_ADDR, gpa) == 0);
    check(get_vcpu(vm, KVM_XEN_VCPU_ATTR_TYPE_RUNSTATE_ADDR).u.gpa == gpa);
    check(set_vcpu(vm, data) == 0);
    got = get_vcpu(vm, data.type);
    check(!memcmp(&got.u.runstate, &data.u.runstate, sizeof(data.u.runstate)));
    data.u.runstate.time_blocked = 1;
    check(refused(set_vcpu(vm, data), EINVAL));         /* it does not add up */
    data.u.runstate.state = 4;
    check(refused(set_vcpu(vm, data), EINVAL));
    for (int i = 0; i < 20; i++) {
        usleep(1000);
        check(start_op(vm, 0, OP_CPUID, 0, 0));
    }
    check(set_gpa(vm, KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO, INFO_GPA) == 0);
    got = get_vcpu(vm, data.type);
    check(got.u.runstate.state_entry_time > 600 && got.u.runstate.time_running >= 100);
    check(got.u.runstate.state_entry_time == got.u.runstate.time_running + got.u.runstate.time_runnable +
                                                 got.u.runstate.time_blocked + got.u.runstate.time_offline);
    memcpy(entry, vm->ram + gpa + 4, sizeof(entry));
    check(entry[0] || entry[1]);
    data = (struct kvm_xen_vcpu_attr){.type = KVM_XEN_VCPU_ATTR_TYPE_RUNSTATE_ADJUST};
    data.u.runstate.state = UINT64_MAX;
    check(set_vcpu(vm, data) == 0);
    errno = 0;
    check(ioctl(vm->vcpu_fd[0], KVM_XEN_VCPU_GET_ATTR, &data) == -1 && errno == EINVAL);
    end(vm);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(struct vm *vm);
    } scenario[] = {
        {"caps", caps},     {"without", without}, {"attrs", attrs},       {"calls", calls}, {"events", events},
        {"routes", routes}, {"sends", sends},     {"callback", callback}, {"timer", timer}, {"runstate", runstate},
        {"restored", restored}, {"polls", polls}, {"gone", gone},
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
