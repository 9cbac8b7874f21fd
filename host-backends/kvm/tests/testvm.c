#include "testvm.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>

#include <cmocka.h>

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define LONG_MODE ((1u << 8) | (1u << 10))
#define PAGING ((1u << 31) | (1u << 16) | 1u)
#define PRESENT_WRITABLE 3u
#define LARGE (1u << 7)

extern const uint8_t guest_trap_2[], guest_trap_6[], guest_trap_13[], guest_trap_14[], guest_irq_64[], guest_irq_65[],
    guest_irq_66[], guest_irq_67[];

uint64_t testvm_gpa(const uint8_t *in_blob)
{
    return G_CODE + (uint64_t)(in_blob - guest_begin);
}

uint64_t testvm_word(const struct testvm *vm, uint64_t gpa)
{
    uint64_t value;

    memcpy(&value, vm->memory + gpa, sizeof(value));
    return value;
}

void testvm_set_word(struct testvm *vm, uint64_t gpa, uint64_t value)
{
    memcpy(vm->memory + gpa, &value, sizeof(value));
}

static void map_memory(struct testvm *vm)
{
    testvm_set_word(vm, G_PML4, G_PDPT | PRESENT_WRITABLE);
    testvm_set_word(vm, G_PML4 + 511 * 8, G_PDPT_HIGH | PRESENT_WRITABLE);
    testvm_set_word(vm, G_PDPT_HIGH + 510 * 8, G_PD | PRESENT_WRITABLE);
    for (uint64_t i = 0; i < 4; i++)
        testvm_set_word(vm, G_PDPT + i * 8, (G_PD + i * 4096) | PRESENT_WRITABLE);
    for (uint64_t i = 0; i < 4 * 512; i++)
        testvm_set_word(vm, G_PD + i * 8, i << 21 | LARGE | PRESENT_WRITABLE);
}

static void set_gate(struct testvm *vm, uint32_t vector, const uint8_t *handler)
{
    uint64_t at = testvm_gpa(handler);

    testvm_set_word(vm, G_IDT + vector * 16, (at & 0xffff) | 8u << 16 | 0x8e00ull << 32 | (at >> 16 & 0xffff) << 48);
}

static void load(struct testvm *vm)
{
    memcpy(vm->memory + G_CODE, guest_begin, (size_t)(guest_end - guest_begin));
    map_memory(vm);
    testvm_set_word(vm, G_GDT + 8, 0x00af9b000000ffff);
    testvm_set_word(vm, G_GDT + 16, 0x00cf93000000ffff);
    set_gate(vm, 2, guest_trap_2);
    set_gate(vm, 6, guest_trap_6);
    set_gate(vm, 13, guest_trap_13);
    set_gate(vm, 14, guest_trap_14);
    set_gate(vm, 0x40, guest_irq_64);
    set_gate(vm, 0x41, guest_irq_65);
    set_gate(vm, 0x42, guest_irq_66);
    set_gate(vm, 0x43, guest_irq_67);
}

static void on_stop(void *ctx, enum hvs_stop_reason reason)
{
    struct testvm *vm = ctx;

    vm->stopped = reason;
    vm->nr_stops++;
}

static void on_log(void *ctx, uint8_t byte)
{
    struct testvm *vm = ctx;

    vm->logged = byte;
    vm->nr_logs++;
}

static void make_kvm(struct testvm *vm, const struct hvs_slot_config *slot)
{
    struct hvs_kvm_config config = {
        .size = sizeof(config),
        .kvm_fd = vm->kvm_fd,
        .vm_fd = vm->vm_fd,
        .vm = {
            .size = sizeof(config.vm),
            .nr_vps = vm->nr_vps,
            .nr_slots = 1,
            .slot = {*slot},
            .phys_bits = 36,
            .memory_bytes = G_MEMORY_BYTES,
        },
        .kick_signal = vm->kick_signal,
        .on_stop = on_stop,
        .on_log = on_log,
        .ctx = vm,
    };

    assert_int_equal(hvs_kvm_create(&config, &vm->kvm), HVS_OK);
    assert_int_equal(hvs_kvm_add_memory(vm->kvm, 0, vm->memory, G_MEMORY_BYTES), HVS_OK);
}

static void set_cpuid(struct testvm *vm, uint32_t vp)
{
    struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + 256 * sizeof(cpuid->entries[0]));

    assert_non_null(cpuid);
    cpuid->nent = 256;
    assert_int_equal(ioctl(vm->kvm_fd, KVM_GET_SUPPORTED_CPUID, cpuid), 0);
    assert_int_equal(hvs_kvm_set_cpuid(vm->vcpu[vp], cpuid), HVS_OK);
    free(cpuid);
}

static void make_vcpu(struct testvm *vm, uint32_t vp)
{
    int bytes = ioctl(vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);

    vm->vcpu_fd[vp] = ioctl(vm->vm_fd, KVM_CREATE_VCPU, vp);
    assert_true(vm->vcpu_fd[vp] >= 0);
    vm->run[vp] = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vm->vcpu_fd[vp], 0);
    assert_true(vm->run[vp] != MAP_FAILED);
    assert_int_equal(hvs_kvm_add_vcpu(vm->kvm, vp, vm->vcpu_fd[vp], vm->run[vp], &vm->vcpu[vp]), HVS_OK);
    set_cpuid(vm, vp);
}

/* `slot` is NULL for the personality of the tests. */
static void make(struct testvm *vm, uint32_t nr_vps, int kick_signal, const struct hvs_slot_config *slot)
{
    const struct hvs_slot_config own = {.personality = &test_personality, .options = &vm->options};
    struct kvm_userspace_memory_region region = {.memory_size = G_MEMORY_BYTES};

    *vm = (struct testvm){.nr_vps = nr_vps, .kick_signal = kick_signal};
    vm->options.see = &vm->seen;
    vm->kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    vm->vm_fd = ioctl(vm->kvm_fd, KVM_CREATE_VM, 0);
    assert_true(vm->vm_fd >= 0);
    assert_int_equal(ioctl(vm->vm_fd, KVM_CREATE_IRQCHIP, 0), 0);
    vm->memory = mmap(NULL, G_MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(vm->memory != MAP_FAILED);
    region.userspace_addr = (uintptr_t)vm->memory;
    assert_int_equal(ioctl(vm->vm_fd, KVM_SET_USER_MEMORY_REGION, &region), 0);
    load(vm);
    make_kvm(vm, slot ? slot : &own);
    for (uint32_t vp = 0; vp < nr_vps; vp++)
        make_vcpu(vm, vp);
}

void testvm_make(struct testvm *vm, uint32_t nr_vps)
{
    make(vm, nr_vps, SIGUSR1, NULL);
}

void testvm_make_plain(struct testvm *vm, uint32_t nr_vps)
{
    make(vm, nr_vps, 0, NULL);
}

void testvm_make_with(struct testvm *vm, const struct hvs_slot_config *slot)
{
    make(vm, 1, SIGUSR1, slot);
}

void testvm_start(struct testvm *vm)
{
    assert_int_equal(hvs_kvm_start(vm->kvm), HVS_OK);
}

void testvm_free(struct testvm *vm)
{
    int bytes = ioctl(vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);

    hvs_kvm_destroy(vm->kvm);
    for (uint32_t vp = 0; vp < vm->nr_vps; vp++) {
        munmap(vm->run[vp], (size_t)bytes);
        close(vm->vcpu_fd[vp]);
    }
    close(vm->vm_fd);
    close(vm->kvm_fd);
    munmap(vm->memory, G_MEMORY_BYTES);
}

static struct kvm_segment segment(uint8_t selector, bool is_code)
{
    return (struct kvm_segment){
        .limit = 0xffffffff, .selector = selector, .type = is_code ? 11 : 3, .present = 1, .s = 1, .g = 1,
        .l = is_code, .db = !is_code};
}

void testvm_enter(struct testvm *vm, uint32_t vp, const uint8_t *entry, const struct kvm_regs *given)
{
    struct kvm_mp_state running = {.mp_state = KVM_MP_STATE_RUNNABLE};
    struct kvm_regs regs = given ? *given : (struct kvm_regs){0};
    struct kvm_sregs sregs;

    assert_int_equal(ioctl(vm->vcpu_fd[vp], KVM_GET_SREGS, &sregs), 0);
    sregs.cs = segment(8, true);
    sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = segment(16, false);
    sregs.gdt = (struct kvm_dtable){.base = G_GDT, .limit = 23};
    sregs.idt = (struct kvm_dtable){.base = G_IDT, .limit = 0xfff};
    sregs.cr3 = G_PML4;
    sregs.cr4 = 1u << 5;
    sregs.cr0 = PAGING;
    sregs.efer = LONG_MODE;
    assert_int_equal(ioctl(vm->vcpu_fd[vp], KVM_SET_SREGS, &sregs), 0);
    regs.rip += testvm_gpa(entry);
    regs.rsp = G_STACK_TOP;
    regs.rflags = 2;
    assert_int_equal(ioctl(vm->vcpu_fd[vp], KVM_SET_REGS, &regs), 0);
    assert_int_equal(ioctl(vm->vcpu_fd[vp], KVM_SET_MP_STATE, &running), 0);
}

/* Returns false when the guest is done. */
static bool handle(struct testvm *vm, const struct kvm_run *run)
{
    if (run->exit_reason != KVM_EXIT_IO)
        fail_msg("exit %u (suberror %u) at rip %#llx, %llu traps, the last %llu at %#llx", run->exit_reason,
                 run->internal.suberror, run->s.regs.regs.rip, (unsigned long long)testvm_word(vm, G_NR_TRAPS),
                 (unsigned long long)testvm_word(vm, G_TRAP_VECTOR), (unsigned long long)testvm_word(vm, G_TRAP_RIP));
    if (run->io.port == G_PORT_DONE)
        return false;
    if (run->io.port != G_PORT_FOREIGN && !(run->io.port == T_PORT_STRINGS && vm->strings_are_foreign))
        fail_msg("port %#x", run->io.port);
    vm->nr_foreign_pio++;
    vm->foreign_value = *((const uint8_t *)run + run->io.data_offset);
    return true;
}

void testvm_run(struct testvm *vm, uint32_t vp)
{
    struct kvm_run *run = vm->run[vp];

    for (;;) {
        int result = vm->kick_signal ? hvs_kvm_run(vm->vcpu[vp]) : ioctl(vm->vcpu_fd[vp], KVM_RUN, 0);

        assert_int_equal(result, 0);
        if (hvs_kvm_exit(vm->vcpu[vp]) == HVS_KVM_DONE)
            continue;
        if (!handle(vm, run))
            return;
    }
}

static void *run_thread(void *argument)
{
    struct testvm_thread *thread = argument;

    testvm_run(thread->vm, thread->vp);
    return NULL;
}

void testvm_run_in(struct testvm_thread *thread, struct testvm *vm, uint32_t vp)
{
    *thread = (struct testvm_thread){.vm = vm, .vp = vp};
    assert_int_equal(pthread_create(&thread->thread, NULL, run_thread, thread), 0);
}

void testvm_await(const struct testvm *vm, uint64_t gpa)
{
    while (!__atomic_load_n((uint64_t *)(vm->memory + gpa), __ATOMIC_SEQ_CST))
        sched_yield();
}
