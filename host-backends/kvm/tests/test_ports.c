/*
 * Port functions that ask the kernel: local APIC, EOI assist, run time. On this machine's /dev/kvm; what this host
 * lacks is skipped. Skipped (status 77) where there is no /dev/kvm.
 */
#include "backend.h"
#include "testvm.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>

#include <cmocka.h>

#include <unistd.h>

extern const uint8_t guest_msr[], guest_spin[], guest_wait[];

enum { TPR = 0x80, EOI = 0xb0, ISR_64_TO_95 = 0x120, ICR = 0x300 };

/* Runs something, so that the registers of an exit are there. */
static void make_with_exit(struct testvm *vm, uint32_t nr_vps)
{
    testvm_make(vm, nr_vps);
    testvm_start(vm);
    testvm_enter(vm, 0, guest_msr, NULL);
    testvm_run(vm, 0);
}

static void skip_without(struct testvm *vm, uint32_t cap)
{
    if (vm->kvm->config.vm.caps & cap)
        return;
    testvm_free(vm);
    print_message("this host's KVM lacks it\n");
    skip();
}

static uint64_t apic(struct testvm *vm, uint32_t reg)
{
    uint64_t value = ~0ull;

    assert_int_equal(hvs_kvm_apic_read(vm->kvm, 0, reg, &value), HVS_OK);
    return value;
}

/* The guest sleeps on VP 0 until a vector comes, which leaves it in service. */
static void take_interrupt(struct testvm *vm, uint8_t vector)
{
    const struct kvm_regs interrupts_on = {.rax = 1};
    const struct hvs_outcome out = {.nr_effects = 1, .effect = {{.kind = HVS_EFFECT_INJECT, .vector = vector}}};
    struct testvm_thread thread;

    testvm_set_word(vm, G_READY, 0);
    testvm_enter(vm, 0, guest_wait, &interrupts_on);
    testvm_run_in(&thread, vm, 0);
    testvm_await(vm, G_READY);
    hvs_kvm_apply(vm->kvm, NULL, &out);
    pthread_join(thread.thread, NULL);
}

static void test_apic_bad_use(void **state)
{
    uint64_t value;
    struct testvm vm;

    (void)state;
    make_with_exit(&vm, 1);
    assert_int_equal(hvs_kvm_apic_read(vm.kvm, 0, 0x400, &value), HVS_EINVAL);
    assert_int_equal(hvs_kvm_apic_read(vm.kvm, 0, 0x84, &value), HVS_EINVAL);
    assert_int_equal(hvs_kvm_apic_write(vm.kvm, 0, 0x400, 0), HVS_EINVAL);
    assert_int_equal(hvs_kvm_apic_write(vm.kvm, 0, 0xd0, 0), HVS_EINVAL);
    vm.run[0]->s.regs.sregs.apic_base &= ~(1ull << 11);
    assert_int_equal(hvs_kvm_apic_read(vm.kvm, 0, TPR, &value), HVS_EINVAL);
    testvm_free(&vm);
}

static void test_apic_xapic(void **state)
{
    struct testvm vm;

    (void)state;
    make_with_exit(&vm, 1);
    skip_without(&vm, HVS_CAP_APIC);
    assert_int_equal(hvs_kvm_apic_write(vm.kvm, 0, TPR, 0x53), HVS_OK);
    assert_int_equal(apic(&vm, TPR), 0x53);
    assert_int_equal(hvs_kvm_apic_write(vm.kvm, 0, TPR, 0), HVS_OK);
    take_interrupt(&vm, 0x42);
    assert_int_equal(apic(&vm, ISR_64_TO_95), 1u << 2);
    assert_int_equal(hvs_kvm_apic_write(vm.kvm, 0, EOI, 0), HVS_OK);
    assert_int_equal(apic(&vm, ISR_64_TO_95), 0);
    testvm_free(&vm);
}

#define LEVEL_TRIGGERED (1u << 15)
#define REMOTE_IRR (1u << 14)

static void drive_pin_9(struct testvm *vm, bool level)
{
    const struct hvs_outcome out = {
        .nr_effects = 1, .effect = {{.kind = HVS_EFFECT_GSI, .gsi = 9, .level = level}}};

    hvs_kvm_apply(vm->kvm, NULL, &out);
}

static void get_ioapic(const struct testvm *vm, struct kvm_irqchip *chip)
{
    *chip = (struct kvm_irqchip){.chip_id = KVM_IRQCHIP_IOAPIC};
    assert_int_equal(ioctl(vm->vm_fd, KVM_GET_IRQCHIP, chip), 0);
}

/* It would give GSI 9 to the guest as well. */
static void mask_pics(const struct testvm *vm)
{
    for (uint32_t id = KVM_IRQCHIP_PIC_MASTER; id <= KVM_IRQCHIP_PIC_SLAVE; id++) {
        struct kvm_irqchip chip = {.chip_id = id};

        assert_int_equal(ioctl(vm->vm_fd, KVM_GET_IRQCHIP, &chip), 0);
        chip.chip.pic.imr = 0xff;
        assert_int_equal(ioctl(vm->vm_fd, KVM_SET_IRQCHIP, &chip), 0);
    }
}

/* The EOI of a level-triggered interrupt must reach the IOAPIC, or no other will ever come. */
static void test_apic_level(void **state)
{
    const struct kvm_regs interrupts_on = {.rax = 1};
    struct testvm_thread thread;
    struct kvm_irqchip chip;
    struct testvm vm;

    (void)state;
    make_with_exit(&vm, 1);
    skip_without(&vm, HVS_CAP_APIC);
    mask_pics(&vm);
    get_ioapic(&vm, &chip);
    chip.chip.ioapic.redirtbl[9].bits = 0x42 | LEVEL_TRIGGERED;
    assert_int_equal(ioctl(vm.vm_fd, KVM_SET_IRQCHIP, &chip), 0);
    testvm_enter(&vm, 0, guest_wait, &interrupts_on);
    testvm_run_in(&thread, &vm, 0);
    testvm_await(&vm, G_READY);
    drive_pin_9(&vm, true);
    pthread_join(thread.thread, NULL);
    assert_int_equal(testvm_word(&vm, G_NR_NO_EOI), 1);
    get_ioapic(&vm, &chip);
    assert_true(chip.chip.ioapic.redirtbl[9].bits & REMOTE_IRR);
    drive_pin_9(&vm, false);
    assert_int_equal(hvs_kvm_apic_write(vm.kvm, 0, EOI, 0), HVS_OK);
    get_ioapic(&vm, &chip);
    assert_false(chip.chip.ioapic.redirtbl[9].bits & REMOTE_IRR);
    testvm_free(&vm);
}

static void test_apic_icr(void **state)
{
    const struct kvm_regs interrupts_on = {.rax = 1};
    struct testvm_thread thread;
    struct testvm vm;

    (void)state;
    make_with_exit(&vm, 2);
    skip_without(&vm, HVS_CAP_APIC);
    testvm_enter(&vm, 1, guest_wait, &interrupts_on);
    testvm_run_in(&thread, &vm, 1);
    testvm_await(&vm, G_READY);
    assert_int_equal(hvs_kvm_apic_write(vm.kvm, 0, ICR, 1ull << 56 | 0x41), HVS_OK);
    pthread_join(thread.thread, NULL);
    assert_int_equal(testvm_word(&vm, G_NR_IRQS + 8), 1);
    assert_int_equal(apic(&vm, ICR) & ~0x1000ull, 1ull << 56 | 0x41);
    testvm_free(&vm);
}

static void test_apic_x2apic(void **state)
{
    struct kvm_sregs sregs;
    struct testvm vm;

    (void)state;
    make_with_exit(&vm, 1);
    assert_int_equal(ioctl(vm.vcpu_fd[0], KVM_GET_SREGS, &sregs), 0);
    sregs.apic_base |= 1u << 10;
    if (ioctl(vm.vcpu_fd[0], KVM_SET_SREGS, &sregs)) {
        testvm_free(&vm);
        skip();
    }
    testvm_enter(&vm, 0, guest_msr, NULL);
    testvm_run(&vm, 0);
    assert_int_equal(hvs_kvm_apic_write(vm.kvm, 0, TPR, 0x50), HVS_OK);
    assert_int_equal(apic(&vm, TPR), 0x50);
    assert_int_equal(hvs_kvm_apic_write(vm.kvm, 0, TPR, 1ull << 32), HVS_EINVAL);
    assert_int_equal(hvs_kvm_apic_write(vm.kvm, 0, EOI, 0), HVS_OK);
    testvm_free(&vm);
}

/* Interrupts come one after the other, and the guest gives an EOI only where it is asked to. */
static void test_eoi_assist(void **state)
{
    enum { NR = 20 };
    struct testvm vm;

    (void)state;
    make_with_exit(&vm, 1);
    skip_without(&vm, HVS_CAP_EOI_ASSIST);
    assert_int_equal(hvs_kvm_eoi_assist(vm.kvm, 0, 1ull << 35), HVS_EFAULT);
    assert_int_equal(hvs_kvm_eoi_assist(vm.kvm, 0, G_ASSIST), HVS_OK);
    for (int i = 0; i < NR; i++)
        take_interrupt(&vm, 0x43);
    print_message("%llu of %d interrupts needed no EOI\n", (unsigned long long)testvm_word(&vm, G_NR_ASSISTED), NR);
    assert_int_equal(hvs_kvm_eoi_assist(vm.kvm, 0, UINT64_MAX), HVS_OK);
    testvm_set_word(&vm, G_NR_ASSISTED, 0);
    for (int i = 0; i < NR; i++)
        take_interrupt(&vm, 0x43);
    assert_int_equal(testvm_word(&vm, G_NR_ASSISTED), 0);
    testvm_free(&vm);
}

static struct hvs_vcpu_time time_of(struct testvm *vm)
{
    struct hvs_vcpu_time time;

    hvs_kvm_vcpu_time(vm->kvm, 0, &time);
    return time;
}

static void test_vcpu_time(void **state)
{
    struct hvs_vcpu_time first, second, third;
    struct testvm_thread thread;
    struct testvm vm;

    (void)state;
    testvm_make(&vm, 1);
    testvm_start(&vm);
    first = time_of(&vm);
    assert_int_equal(first.ran_ns | first.stolen_ns, 0);
    testvm_enter(&vm, 0, guest_spin, NULL);
    testvm_run_in(&thread, &vm, 0);
    testvm_await(&vm, G_READY);
    do {
        first = time_of(&vm);
    } while (first.ran_ns < 1000000);
    testvm_set_word(&vm, G_STOP, 1);
    pthread_join(thread.thread, NULL);
    second = time_of(&vm);              /* the thread is no more */
    assert_true(second.ran_ns >= first.ran_ns);

    /* The next goes on from there, whatever it did before. */
    testvm_enter(&vm, 0, guest_msr, NULL);
    testvm_run(&vm, 0);
    third = time_of(&vm);
    assert_true(third.ran_ns >= second.ran_ns && third.stolen_ns >= second.stolen_ns);
    assert_true(third.ran_ns - second.ran_ns < 1000000000u);
    testvm_free(&vm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_apic_bad_use),
        cmocka_unit_test(test_apic_xapic),
        cmocka_unit_test(test_apic_level),
        cmocka_unit_test(test_apic_icr),
        cmocka_unit_test(test_apic_x2apic),
        cmocka_unit_test(test_eoi_assist),
        cmocka_unit_test(test_vcpu_time),
    };

    if (access("/dev/kvm", R_OK | W_OK)) {
        print_message("no /dev/kvm: skipped\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
