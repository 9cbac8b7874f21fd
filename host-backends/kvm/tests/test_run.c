/*
 * The backend on this machine's /dev/kvm, with guests of a few instructions: what enters, what leaves, and what the
 * guest then sees. Skipped (status 77) where there is no /dev/kvm.
 */
#include "backend.h"
#include "testvm.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>

#include <cmocka.h>

#include <string.h>
#include <unistd.h>

extern const uint8_t guest_cpuid[], guest_msr[], guest_msr_fault[], guest_rdmsr_at[], guest_wrmsr_at[],
    guest_hypercall[], guest_pio[], guest_strings[], guest_single[], guest_outs_at[], guest_ins_at[],
    guest_raw[], guest_raw_fault[], guest_raw_pair[], guest_time[], guest_timer[],
    guest_block[], guest_nap[], guest_wait[], guest_send[], guest_real[];

static uint64_t result(const struct testvm *vm, uint32_t index)
{
    return testvm_word(vm, G_RESULT + 8 * (uint64_t)index);
}

static void assert_leaf(const struct testvm *vm, uint32_t index, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    assert_int_equal(result(vm, index), a);
    assert_int_equal(result(vm, index + 1), b);
    assert_int_equal(result(vm, index + 2), c);
    assert_int_equal(result(vm, index + 3), d);
}

static void test_cpuid(void **state)
{
    struct testvm vm;

    (void)state;
    testvm_make(&vm, 1);
    testvm_start(&vm);
    testvm_enter(&vm, 0, guest_cpuid, NULL);
    testvm_run(&vm, 0);
    assert_leaf(&vm, 0, 0x40000003, 0x74736554, 0x74736554, 0x74736554);
    assert_leaf(&vm, 4, 0xffffffff, 0x31, 0x32, 0x33);
    assert_leaf(&vm, 8, 0x40, 0x41, 0x42, 0x43);
    assert_true(result(&vm, 14) >> 31 & 1);
    assert_int_not_equal(result(&vm, 17), 0x4b4d564b);  /* KVM's own leaves are gone */
    testvm_free(&vm);
}

static void test_msr(void **state)
{
    struct testvm vm;

    (void)state;
    testvm_make(&vm, 1);
    testvm_start(&vm);
    testvm_enter(&vm, 0, guest_msr, NULL);
    testvm_run(&vm, 0);
    assert_int_equal(result(&vm, 0), 0x89abcdef);
    assert_int_equal(result(&vm, 1), 0x01234567);
    assert_int_equal(hvs_kvm_foreign_exits(vm.kvm, KVM_EXIT_IO), 1);
    assert_int_equal(hvs_kvm_foreign_exits(vm.kvm, KVM_EXIT_X86_WRMSR), 0);
    testvm_free(&vm);
}

static void test_msr_fault(void **state)
{
    static const struct {
        uint64_t is_write, index, high;
    } row[] = {
        {1, 0x40000000, 1u << 31},      /* a reserved bit */
        {0, 0x40000001, 0},             /* write-only */
        {1, 0x40000020, 0},             /* read-only */
        {0, 0x40000002, 0},             /* nobody's, but the kernel may know it: VP_INDEX, STIMER0, STIMER0_COUNT */
        {0, 0x400000b0, 0},
        {1, 0x400000b1, 0},
        {0, 0x40000050, 0},
        {0, 0x4b564d01, 0},             /* kvmclock */
        {1, 0x4b564d00, 0},
        {0, 0x12, 0},
    };
    struct testvm vm;

    (void)state;
    testvm_make(&vm, 1);
    testvm_start(&vm);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(row); i++) {
        const struct kvm_regs regs = {.rax = row[i].is_write, .rcx = row[i].index, .rdx = row[i].high};

        testvm_enter(&vm, 0, guest_msr_fault, &regs);
        testvm_run(&vm, 0);
        assert_int_equal(testvm_word(&vm, G_NR_TRAPS), i + 1);
        assert_int_equal(testvm_word(&vm, G_TRAP_VECTOR), 13);
        assert_int_equal(testvm_word(&vm, G_TRAP_CODE), 0);
        assert_int_equal(testvm_word(&vm, G_TRAP_RIP), testvm_gpa(row[i].is_write ? guest_wrmsr_at : guest_rdmsr_at));
    }
    testvm_free(&vm);
}

/* Has the guest place the hypercall page, then make one call. */
static void call(struct testvm *vm, uint64_t rax, const struct kvm_regs *regs)
{
    const struct kvm_regs page = {.rax = G_HCALL_PAGE, .rcx = 0x40000001};

    testvm_set_word(vm, G_READY, 1);
    testvm_enter(vm, 0, guest_send, &page);
    testvm_run(vm, 0);
    testvm_set_word(vm, G_RESULT + 8 * 31, rax);
    testvm_enter(vm, 0, guest_hypercall, regs);
    testvm_run(vm, 0);
}

static const struct kvm_regs all_regs = {
    .rbx = 0xb0b0b0b0b0b0b0b0, .rcx = 0xc0, .rdx = 0xd0d0d0d0d0d0d0d0, .rsi = 0x50, .rdi = 0x60, .rbp = 0x70,
    .r8 = 8, .r9 = 0x9999999999999999, .r10 = 10, .r12 = 12, .r13 = 13, .r14 = 14, .r15 = 0xffffffffffffff00};

static void test_hypercall(void **state)
{
    struct testvm vm;

    (void)state;
    testvm_make(&vm, 1);
    testvm_start(&vm);
    call(&vm, T_REGS, &all_regs);
    assert_int_equal(vm.memory[G_HCALL_PAGE], 0x3e);
    assert_int_equal(vm.memory[G_HCALL_PAGE + 1], 0xe6);
    assert_int_equal(vm.memory[G_HCALL_PAGE + 2], 0xe4);
    assert_int_equal(result(&vm, 0), 64 << 8);
    assert_int_equal(result(&vm, 1), all_regs.rbx + 1);
    assert_int_equal(result(&vm, 2), all_regs.rcx + 1);
    assert_int_equal(result(&vm, 3), all_regs.rdx + 1);
    assert_int_equal(result(&vm, 4), all_regs.rsi + 1);
    assert_int_equal(result(&vm, 5), all_regs.rdi + 1);
    assert_int_equal(result(&vm, 6), all_regs.rbp + 1);
    assert_int_equal(result(&vm, 7), all_regs.r8 + 1);
    assert_int_equal(result(&vm, 8), all_regs.r9 + 1);
    assert_int_equal(result(&vm, 9), all_regs.r10 + 1);
    assert_int_equal(result(&vm, 10), all_regs.r12 + 1);
    assert_int_equal(result(&vm, 11), all_regs.r13 + 1);
    assert_int_equal(result(&vm, 12), all_regs.r14 + 1);
    assert_int_equal(result(&vm, 13), all_regs.r15 + 1);
    testvm_free(&vm);
}

static void test_hypercall_fault(void **state)
{
    static const struct {
        uint64_t rax;
        uint32_t vector, code;
    } row[] = {{T_UD, 6, 0}, {T_GP, 13, 0x123}, {T_UNKNOWN, 6, 0}};
    struct testvm vm;

    (void)state;
    testvm_make(&vm, 1);
    testvm_start(&vm);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(row); i++) {
        testvm_set_word(&vm, G_TRAP_CODE, 0);
        call(&vm, row[i].rax, &all_regs);
        assert_int_equal(testvm_word(&vm, G_NR_TRAPS), i + 1);
        assert_int_equal(testvm_word(&vm, G_TRAP_VECTOR), row[i].vector);
        assert_int_equal(testvm_word(&vm, G_TRAP_CODE), row[i].code);
        assert_int_equal(testvm_word(&vm, G_TRAP_RIP), G_HCALL_PAGE);
    }
    testvm_free(&vm);
}

static void test_hypercall_retry(void **state)
{
    const struct kvm_regs regs = {.rcx = 5, .r8 = 100, .r15 = 15};
    struct testvm vm;

    (void)state;
    testvm_make(&vm, 1);
    testvm_start(&vm);
    call(&vm, T_RETRY, &regs);
    assert_int_equal(result(&vm, 0), T_RETRY);
    assert_int_equal(result(&vm, 2), 0);
    assert_int_equal(result(&vm, 7), 105);
    assert_int_equal(result(&vm, 13), 15);
    assert_int_equal(testvm_word(&vm, G_NR_TRAPS), 0);
    testvm_free(&vm);
}

/* 16-bit code, paging off: the page's instruction and its fault address. */
static void test_real_mode(void **state)
{
    struct kvm_regs regs = {.rflags = 2};
    struct kvm_sregs sregs;
    struct testvm vm;

    (void)state;
    testvm_make(&vm, 1);
    testvm_start(&vm);
    assert_int_equal(ioctl(vm.vcpu_fd[0], KVM_GET_SREGS, &sregs), 0);
    sregs.cs.base = G_CODE;
    sregs.cs.selector = G_CODE >> 4;
    assert_int_equal(ioctl(vm.vcpu_fd[0], KVM_SET_SREGS, &sregs), 0);
    regs.rip = testvm_gpa(guest_real) - G_CODE;
    assert_int_equal(ioctl(vm.vcpu_fd[0], KVM_SET_REGS, &regs), 0);
    testvm_run(&vm, 0);
    assert_int_equal(result(&vm, 0), 16 << 8);
    testvm_free(&vm);
}

static void test_pio(void **state)
{
    const struct kvm_regs regs = {.rbx = 0xaaaaaaaabbbbbbbb};
    struct testvm vm;

    (void)state;
    testvm_make(&vm, 1);
    testvm_start(&vm);
    testvm_enter(&vm, 0, guest_pio, &regs);
    testvm_run(&vm, 0);
    assert_int_equal(result(&vm, 0), 6);
    assert_int_equal(result(&vm, 1), 0xaaaaaaaa564d5868);
    assert_int_equal(result(&vm, 2), 2);
    assert_int_equal(vm.nr_foreign_pio, 1);
    assert_int_equal(vm.foreign_value, 0xa5);
    testvm_free(&vm);
}

enum { DATA = 0x30ffd /* a page's end is near */, UNMAPPED = 0x40000000 };

static void run_strings(struct testvm *vm, bool is_in, uint64_t at, uint32_t bytes)
{
    const struct kvm_regs regs = {.rax = is_in, .rcx = bytes, .rdx = T_PORT_STRINGS, .rbx = 100, .rsi = is_in ? 5 : at,
                                  .rdi = is_in ? at : 5};

    vm->seen.nr_string = vm->seen.nr_string_exits = 0;
    testvm_enter(vm, 0, guest_strings, &regs);
    testvm_run(vm, 0);
}

static void assert_string_done(const struct testvm *vm, bool is_in, uint64_t at, uint32_t bytes)
{
    assert_int_equal(result(vm, 1), 0);
    assert_int_equal(result(vm, 2), is_in ? 5 : at + bytes);
    assert_int_equal(result(vm, 3), is_in ? at + bytes : 5);
    assert_int_equal(vm->seen.nr_string, bytes);
    assert_memory_equal(vm->memory + at, vm->seen.string, bytes);
}

/* Sizes about what the kernel does at a time: an item for OUTS; for INS 1024 of them, or what is left in the page. */
static void test_strings_come_whole(void **state)
{
    static const uint32_t size[] = {1, 2, 3, 4, 100, 1023, 1024, 1025, 2048, 4096, 8192};
    struct testvm vm;

    (void)state;
    testvm_make(&vm, 1);
    testvm_start(&vm);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(size); i++) {
        for (uint32_t is_in = 0; is_in < 2; is_in++) {
            uint8_t *from = is_in ? vm.seen.string : vm.memory + DATA;

            for (uint32_t b = 0; b < size[i]; b++)
                from[b] = (uint8_t)(b * 7 + i);
            run_strings(&vm, is_in, DATA, size[i]);
            assert_int_equal(vm.seen.nr_string_exits, 1);
            assert_int_equal(result(&vm, 0), 101);
            assert_string_done(&vm, is_in, DATA, size[i]);
        }
    }
    assert_int_equal(hvs_kvm_foreign_exits(vm.kvm, KVM_EXIT_IO), 2 * HVS_ARRAY_SIZE(size));  /* "done" */
    testvm_free(&vm);
}

/* A string of none does not leave; one without REP, and other accesses to the port, are the VMM's. */
static void test_strings_that_are_none(void **state)
{
    struct testvm vm;

    (void)state;
    testvm_make(&vm, 1);
    testvm_start(&vm);
    run_strings(&vm, false, DATA, 0);
    run_strings(&vm, true, DATA, 0);
    assert_int_equal(vm.seen.nr_string_exits, 0);
    vm.strings_are_foreign = true;
    testvm_enter(&vm, 0, guest_single, &(struct kvm_regs){.rcx = 7, .rdx = T_PORT_STRINGS, .rsi = DATA});
    testvm_run(&vm, 0);
    assert_int_equal(vm.seen.nr_string_exits, 0);
    assert_int_equal(vm.nr_foreign_pio, 1);
    assert_int_equal(result(&vm, 1), 7);
    assert_int_equal(result(&vm, 2), DATA + 1);
    testvm_free(&vm);
}

static void test_strings_to_where_nothing_is_mapped(void **state)
{
    struct kvm_sregs sregs;
    struct testvm vm;

    (void)state;
    testvm_make(&vm, 1);
    testvm_set_word(&vm, G_PD + 512 * 8, 0);    /* 2 MiB at 1 GiB */
    testvm_start(&vm);
    for (uint32_t is_in = 0; is_in < 2; is_in++) {
        run_strings(&vm, is_in, UNMAPPED + 0x123, 10);
        assert_int_equal(testvm_word(&vm, G_NR_TRAPS), is_in + 1);
        assert_int_equal(testvm_word(&vm, G_TRAP_VECTOR), 14);
        assert_int_equal(testvm_word(&vm, G_TRAP_CODE), is_in ? 2 : 0);
        assert_int_equal(testvm_word(&vm, G_TRAP_RIP), testvm_gpa(is_in ? guest_ins_at : guest_outs_at));
        assert_int_equal(ioctl(vm.vcpu_fd[0], KVM_GET_SREGS, &sregs), 0);
        assert_int_equal(sregs.cr2, UNMAPPED + 0x123);
        assert_int_equal(result(&vm, 0), 100);
        assert_int_equal(result(&vm, 1), 10);
        assert_int_equal(result(&vm, is_in ? 3 : 2), UNMAPPED + 0x123);
    }
    testvm_free(&vm);
}

/* The guest's own reading of its TSC, around the host's: right to the tick, or the offset is wrong. */
static void test_time(void **state)
{
    struct testvm vm;

    (void)state;
    testvm_make(&vm, 1);
    testvm_start(&vm);
    for (int i = 0; i < 10; i++) {
        testvm_enter(&vm, 0, guest_time, NULL);
        testvm_run(&vm, 0);
        assert_true(result(&vm, 0) < vm.seen.tsc);
        assert_true(vm.seen.tsc < result(&vm, 1));
    }
    testvm_free(&vm);
}

static void test_tsc_offsets(void **state)
{
    uint64_t offset[2] = {0}, measured, moved;
    struct kvm_device_attr attribute = {.group = 0, .attr = 0, .addr = (uintptr_t)&moved};
    struct testvm vm;
    uint64_t second;

    (void)state;
    testvm_make(&vm, 2);
    second = vm.kvm->caps.tsc_khz * 1000ull;
    if (ioctl(vm.vcpu_fd[1], KVM_HAS_DEVICE_ATTR, &attribute)) {
        testvm_free(&vm);
        skip();
    }
    attribute.addr = (uintptr_t)&offset[1];
    assert_int_equal(ioctl(vm.vcpu_fd[1], KVM_GET_DEVICE_ATTR, &attribute), 0);
    moved = offset[1] + 12345678901;
    attribute.addr = (uintptr_t)&moved;
    assert_int_equal(ioctl(vm.vcpu_fd[1], KVM_SET_DEVICE_ATTR, &attribute), 0);
    testvm_start(&vm);
    for (uint32_t vp = 0; vp < 2; vp++) {
        attribute.addr = (uintptr_t)&offset[vp];
        assert_int_equal(ioctl(vm.vcpu_fd[vp], KVM_GET_DEVICE_ATTR, &attribute), 0);
    }
    assert_int_equal(offset[0], offset[1]);
    assert_int_equal(offset[0], vm.kvm->clock.tsc_offset);

    /* The way for older kernels, to within a second. */
    assert_int_equal(hvs_kvm_measure_tsc_offset(vm.vcpu_fd[0], &measured), HVS_OK);
    assert_in_range(measured - offset[0] + second, 0, 2 * second);
    testvm_free(&vm);
}

static void test_timer(void **state)
{
    struct testvm vm;

    (void)state;
    testvm_make(&vm, 1);
    testvm_start(&vm);
    for (uint64_t i = 1; i <= 3; i++) {
        testvm_enter(&vm, 0, guest_timer, NULL);
        testvm_run(&vm, 0);
        assert_int_equal(testvm_word(&vm, G_NR_IRQS), i);
    }
    testvm_free(&vm);
}

/* A state that was loaded may have timers: what the core knows of them when it starts counts. */
static void test_timer_from_before(void **state)
{
    const struct hvs_exit arm = {.kind = HVS_EXIT_MSR_WRITE, .msr = {0x40000073, 2000000}};
    const struct kvm_regs interrupts_on = {.rax = 1};
    struct kvm_lapic_state apic;
    struct hvs_outcome out;
    struct testvm vm;

    (void)state;
    testvm_make(&vm, 1);
    assert_int_equal(ioctl(vm.vcpu_fd[0], KVM_GET_LAPIC, &apic), 0);
    apic.regs[0xf1] = 1;                /* on: it comes before the guest can do that */
    assert_int_equal(ioctl(vm.vcpu_fd[0], KVM_SET_LAPIC, &apic), 0);
    assert_int_equal(hvs_vcpu_exit(hvs_vm_vcpu(hvs_kvm_vm(vm.kvm), 0), &arm, NULL, &out), HVS_HANDLED);
    testvm_start(&vm);
    testvm_enter(&vm, 0, guest_wait, &interrupts_on);
    testvm_run(&vm, 0);
    assert_int_equal(testvm_word(&vm, G_NR_IRQS), 1);
    testvm_free(&vm);
}

static void test_block(void **state)
{
    struct testvm vm;

    (void)state;
    testvm_make(&vm, 1);
    testvm_start(&vm);
    call(&vm, T_RAW, &all_regs);        /* puts the page in place */
    testvm_set_word(&vm, G_READY, 0);
    testvm_enter(&vm, 0, guest_block, NULL);
    testvm_run(&vm, 0);
    assert_int_equal(testvm_word(&vm, G_NR_IRQS), 1);
    assert_int_equal(testvm_word(&vm, G_READY), 0);
    testvm_free(&vm);
}

/* Halted, it would never wake up: with interrupts off there is none that KVM would give it. */
static void test_block_with_interrupts_off(void **state)
{
    struct testvm vm;

    (void)state;
    testvm_make(&vm, 1);
    testvm_start(&vm);
    call(&vm, T_RAW, &all_regs);        /* puts the page in place */
    testvm_set_word(&vm, G_READY, 0);
    testvm_enter(&vm, 0, guest_nap, NULL);
    testvm_run(&vm, 0);
    assert_int_equal(testvm_word(&vm, G_NR_IRQS), 1);
    assert_int_equal(testvm_word(&vm, G_READY), 3);
    testvm_free(&vm);
}

static void *run_vp1(void *vm)
{
    testvm_run(vm, 1);
    return NULL;
}

/* VP 0 writes `value` to `msr`, and VP 1 is out of its sleep. */
static void send_to_vp1(struct testvm *vm, uint64_t msr, uint64_t interrupts_on)
{
    const struct kvm_regs waiter = {.rax = interrupts_on}, sender = {.rax = 1, .rcx = msr};
    pthread_t thread;

    testvm_set_word(vm, G_READY, 0);
    testvm_enter(vm, 1, guest_wait, &waiter);
    testvm_enter(vm, 0, guest_send, &sender);
    assert_int_equal(pthread_create(&thread, NULL, run_vp1, vm), 0);
    testvm_run(vm, 0);
    pthread_join(thread, NULL);
}

static void test_inject(void **state)
{
    struct testvm vm;

    (void)state;
    testvm_make(&vm, 2);
    testvm_start(&vm);
    send_to_vp1(&vm, 0x40000080, 1);
    assert_int_equal(testvm_word(&vm, G_NR_IRQS + 8), 1);
    send_to_vp1(&vm, 0x40000081, 1);    /* to a set */
    assert_int_equal(testvm_word(&vm, G_NR_IRQS + 8), 2);
    send_to_vp1(&vm, 0x40000082, 0);    /* NMI, interrupts off */
    assert_int_equal(testvm_word(&vm, G_TRAP_VECTOR), 2);
    testvm_free(&vm);
}

/* Effects that no row of the test personality has. */
static void test_other_effects(void **state)
{
    struct kvm_irqchip chip = {.chip_id = KVM_IRQCHIP_IOAPIC};
    struct hvs_outcome out = {.nr_effects = 1};
    struct testvm vm;

    (void)state;
    testvm_make(&vm, 2);
    testvm_start(&vm);
    out.effect[0] = (struct hvs_effect){.kind = HVS_EFFECT_GSI, .gsi = 9, .level = true};
    hvs_kvm_apply(vm.kvm, NULL, &out);
    assert_int_equal(ioctl(vm.vm_fd, KVM_GET_IRQCHIP, &chip), 0);
    assert_int_equal(chip.chip.ioapic.irr >> 9 & 1, 1);
    out.effect[0].level = false;
    hvs_kvm_apply(vm.kvm, NULL, &out);
    assert_int_equal(ioctl(vm.vm_fd, KVM_GET_IRQCHIP, &chip), 0);
    assert_int_equal(chip.chip.ioapic.irr >> 9 & 1, 0);
    testvm_free(&vm);
}

static void test_callbacks(void **state)
{
    const struct kvm_regs stop = {.rcx = 0x40000083}, log = {.rcx = 0x40000084, .rax = 'x'};
    struct testvm vm;

    (void)state;
    testvm_make(&vm, 1);
    testvm_start(&vm);
    testvm_set_word(&vm, G_READY, 1);
    testvm_enter(&vm, 0, guest_send, &stop);
    testvm_run(&vm, 0);
    assert_int_equal(vm.nr_stops, 1);
    assert_int_equal(vm.stopped, HVS_STOP_REBOOT);
    testvm_enter(&vm, 0, guest_send, &log);
    testvm_run(&vm, 0);
    assert_int_equal(vm.nr_logs, 1);
    assert_int_equal(vm.logged, 'x');
    testvm_free(&vm);
}

static void run_raw(struct testvm *vm)
{
    const struct kvm_regs high = {.rip = G_HIGH};

    testvm_enter(vm, 0, guest_raw, &high);
    testvm_run(vm, 0);
    assert_int_equal(result(vm, 0), 0x11223344);
    assert_int_equal(result(vm, 1), 101);
    assert_int_equal(result(vm, 2), 201);
}

static bool kernel_shows_raw(const struct testvm *vm)
{
    return vm->kvm->caps.has_kernel_xen;
}

static void test_raw_found_while_running(void **state)
{
    struct testvm vm;

    (void)state;
    testvm_make(&vm, 1);
    testvm_start(&vm);
    run_raw(&vm);
    assert_int_equal(hvs_kvm_patched_pairs(vm.kvm), kernel_shows_raw(&vm) ? 0 : 1);
    assert_false(vm.kvm->patch.is_armed);

    /* After a reset, and with the kernel as it was loaded, it is found again. */
    memcpy(vm.memory + G_CODE, guest_begin, (size_t)(guest_end - guest_begin));
    assert_int_equal(hvs_kvm_reset(vm.kvm), HVS_OK);
    run_raw(&vm);
    assert_int_equal(hvs_kvm_patched_pairs(vm.kvm), kernel_shows_raw(&vm) ? 0 : 2);
    testvm_free(&vm);
}

static void test_raw_found_at_load(void **state)
{
    struct testvm vm;
    int expected;

    (void)state;
    testvm_make(&vm, 1);
    expected = kernel_shows_raw(&vm) ? 0 : 1;
    assert_int_equal(hvs_kvm_image_loaded(vm.kvm, G_CODE, (uint64_t)(guest_end - guest_begin)), expected);
    assert_int_equal(hvs_kvm_image_loaded(vm.kvm, G_CODE, (uint64_t)(guest_end - guest_begin)), 0);
    testvm_start(&vm);
    assert_false(vm.kvm->patch.is_armed);
    run_raw(&vm);
    testvm_free(&vm);
}

static void test_raw_that_nobody_claims(void **state)
{
    struct testvm vm;

    (void)state;
    testvm_make(&vm, 1);
    testvm_start(&vm);
    run_raw(&vm);
    for (uint64_t second = 0; second < 2; second++) {
        const struct kvm_regs regs = {.rax = T_UNKNOWN, .rcx = second};

        testvm_enter(&vm, 0, guest_raw_fault, &regs);
        testvm_run(&vm, 0);
        assert_int_equal(testvm_word(&vm, G_NR_TRAPS), second + 1);
        assert_int_equal(testvm_word(&vm, G_TRAP_VECTOR), 6);
        assert_int_equal(testvm_word(&vm, G_TRAP_RIP), testvm_gpa(guest_raw_pair) + 16 * second);
    }
    testvm_free(&vm);
}

static void test_reset(void **state)
{
    const struct kvm_regs read_stored = {.rcx = 0x40000000};
    struct testvm vm;

    (void)state;
    testvm_make(&vm, 1);
    testvm_start(&vm);
    testvm_enter(&vm, 0, guest_msr, NULL);
    testvm_run(&vm, 0);
    assert_int_equal(hvs_kvm_reset(vm.kvm), HVS_OK);
    testvm_enter(&vm, 0, guest_msr_fault, &read_stored);
    testvm_run(&vm, 0);
    ioctl(vm.vcpu_fd[0], KVM_GET_REGS, &vm.run[0]->s.regs.regs);
    assert_int_equal(testvm_word(&vm, G_NR_TRAPS), 0);
    assert_int_equal(vm.run[0]->s.regs.regs.rdx, 0);
    testvm_free(&vm);
}

static void test_xmm(void **state)
{
    struct kvm_fpu fpu;
    struct hvs_xmm xmm[2];
    struct testvm vm;

    (void)state;
    testvm_make(&vm, 1);
    assert_int_equal(ioctl(vm.vcpu_fd[0], KVM_GET_FPU, &fpu), 0);
    memset(fpu.xmm[0], 0x11, 16);
    memset(fpu.xmm[1], 0x22, 16);
    assert_int_equal(ioctl(vm.vcpu_fd[0], KVM_SET_FPU, &fpu), 0);
    assert_int_equal(hvs_kvm_xmm_read(vm.kvm, 0, 0, 2, xmm), HVS_OK);
    assert_int_equal(xmm[0].byte[15], 0x11);
    assert_int_equal(xmm[1].byte[0], 0x22);
    assert_int_equal(hvs_kvm_xmm_write(vm.kvm, 0, 1, 1, &xmm[0]), HVS_OK);
    assert_int_equal(ioctl(vm.vcpu_fd[0], KVM_GET_FPU, &fpu), 0);
    assert_int_equal(fpu.xmm[1][7], 0x11);
    assert_int_equal(fpu.xmm[2][0], 0);
    assert_int_equal(hvs_kvm_xmm_read(vm.kvm, 0, 16, 1, xmm), HVS_EINVAL);
    testvm_free(&vm);
}

/* What a VMM author may get wrong. */
static void test_bad_use(void **state)
{
    struct hvs_kvm_config config = {.size = sizeof(config) - 1};
    struct hvs_kvm_caps caps;
    struct hvs_kvm_vcpu *vcpu;
    struct hvs_kvm *kvm;
    struct testvm vm;

    (void)state;
    assert_int_equal(hvs_kvm_create(&config, &kvm), HVS_EVERSION);
    config.size = sizeof(config);
    config.kvm_fd = -1;
    assert_int_equal(hvs_kvm_create(&config, &kvm), HVS_EINVAL);
    assert_int_equal(hvs_kvm_probe(STDIN_FILENO, &caps), HVS_EINVAL);
    testvm_make(&vm, 2);
    config.kvm_fd = vm.kvm_fd;
    config.vm_fd = vm.vm_fd;
    assert_int_equal(hvs_kvm_create(&config, &kvm), HVS_EVERSION);      /* of the inner configuration */
    assert_int_equal(hvs_kvm_add_vcpu(vm.kvm, 1, vm.vcpu_fd[1], vm.run[1], &vcpu), HVS_EINVAL);
    assert_int_equal(hvs_kvm_add_vcpu(vm.kvm, 2, vm.vcpu_fd[1], vm.run[1], &vcpu), HVS_EINVAL);
    testvm_free(&vm);
}

static void test_no_local_apic(void **state)
{
    struct hvs_kvm_vcpu *vcpu;
    struct testvm vm;
    int vm_fd, vcpu_fd;

    (void)state;
    testvm_make(&vm, 1);
    vm_fd = ioctl(vm.kvm_fd, KVM_CREATE_VM, 0);
    vcpu_fd = ioctl(vm_fd, KVM_CREATE_VCPU, 0);
    vm.kvm->vcpu[0] = NULL;
    assert_int_equal(hvs_kvm_add_vcpu(vm.kvm, 0, vcpu_fd, vm.run[0], &vcpu), HVS_ENOTSUP);
    assert_int_equal(hvs_kvm_start(vm.kvm), HVS_EINVAL);
    vm.kvm->vcpu[0] = vm.vcpu[0];
    close(vcpu_fd);
    close(vm_fd);
    testvm_free(&vm);
}

static void print_caps(int kvm_fd)
{
    struct hvs_kvm_caps caps;

    assert_int_equal(hvs_kvm_probe(kvm_fd, &caps), HVS_OK);
    print_message("host: kernel's Hyper-V %d, kernel's Xen %d, backdoor in ring 3 %d, stable TSC %d at %u kHz\n",
                  caps.has_kernel_hyperv, caps.has_kernel_xen, caps.has_vmware_backdoor, caps.has_stable_tsc,
                  caps.tsc_khz);
    print_message("host: APIC writes %d, EOI assist %d, flush of preempted vCPUs %d\n", caps.has_apic_write,
                  caps.has_eoi_assist, caps.has_steal_flush);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cpuid),
        cmocka_unit_test(test_msr),
        cmocka_unit_test(test_msr_fault),
        cmocka_unit_test(test_hypercall),
        cmocka_unit_test(test_hypercall_fault),
        cmocka_unit_test(test_hypercall_retry),
        cmocka_unit_test(test_real_mode),
        cmocka_unit_test(test_pio),
        cmocka_unit_test(test_strings_come_whole),
        cmocka_unit_test(test_strings_that_are_none),
        cmocka_unit_test(test_strings_to_where_nothing_is_mapped),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_tsc_offsets),
        cmocka_unit_test(test_timer),
        cmocka_unit_test(test_timer_from_before),
        cmocka_unit_test(test_block),
        cmocka_unit_test(test_block_with_interrupts_off),
        cmocka_unit_test(test_inject),
        cmocka_unit_test(test_other_effects),
        cmocka_unit_test(test_callbacks),
        cmocka_unit_test(test_raw_found_while_running),
        cmocka_unit_test(test_raw_found_at_load),
        cmocka_unit_test(test_raw_that_nobody_claims),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_xmm),
        cmocka_unit_test(test_bad_use),
        cmocka_unit_test(test_no_local_apic),
    };
    int kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

    if (kvm_fd < 0) {
        print_message("no /dev/kvm: skipped\n");
        return 77;
    }
    print_caps(kvm_fd);
    close(kvm_fd);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
