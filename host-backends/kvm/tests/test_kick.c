/*
 * What one vCPU, or the host, wants of another that runs: on this machine's /dev/kvm, with guests that do not exit by
 * themselves. Skipped (status 77) where there is no /dev/kvm.
 */
#include "backend.h"
#include "testvm.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>

#include <cmocka.h>

#include <unistd.h>

extern const uint8_t guest_flush_reader[], guest_flush_writer[], guest_write_msr_often[], guest_spin[],
    guest_spin_off[], guest_spin_on[], guest_started[], guest_wait[], guest_timer[], guest_count[], guest_poll[],
    guest_send[];

#define MSR_FLUSH 0x40000085u

static void stop_spinning(struct testvm *vm)
{
    __atomic_store_n((uint64_t *)(vm->memory + G_STOP), 1, __ATOMIC_SEQ_CST);
}

/* testvm_run fails the test when hvs_kvm_run shows an EINTR. */
static void test_kick(void **state)
{
    struct testvm_thread runner;
    struct testvm vm;

    (void)state;
    testvm_make(&vm, 1);
    testvm_start(&vm);
    testvm_enter(&vm, 0, guest_spin, NULL);
    assert_int_equal(hvs_kvm_post(vm.vcpu[0], HVS_KVM_WORK_FLUSH), 0);  /* outside: nothing to wait for */
    testvm_run_in(&runner, &vm, 0);
    testvm_await(&vm, G_READY);
    for (int i = 0; i < 1000; i++) {
        uint32_t place = hvs_kvm_post(vm.vcpu[0], HVS_KVM_WORK_FLUSH);

        hvs_kvm_wait_outside(vm.vcpu[0], place);
        assert_true(!(place & 1) || atomic_load(&vm.vcpu[0]->place) != place);
    }
    stop_spinning(&vm);
    pthread_join(runner.thread, NULL);
    assert_int_equal(atomic_load(&vm.vcpu[0]->work), 0);
    assert_int_equal(vm.run[0]->immediate_exit, 0);
    testvm_free(&vm);
}

struct outsider {
    struct testvm *vm;
    int result, err;
};

static void *run_once(void *argument)
{
    struct outsider *outsider = argument;

    outsider->result = hvs_kvm_run(outsider->vm->vcpu[0]);
    outsider->err = errno;
    return NULL;
}

/* The VMM's own way out is not lost, whatever the library does at the same time. */
static void test_vmm_wants_out(void **state)
{
    struct outsider outsider = {0};
    struct testvm vm;
    pthread_t thread;

    (void)state;
    testvm_make(&vm, 1);
    testvm_start(&vm);
    testvm_enter(&vm, 0, guest_spin, NULL);
    outsider.vm = &vm;
    for (int i = 0; i < 200; i++) {
        assert_int_equal(pthread_create(&thread, NULL, run_once, &outsider), 0);
        if (i % 2)
            testvm_await(&vm, G_READY);
        hvs_kvm_post(vm.vcpu[0], HVS_KVM_WORK_FLUSH);
        __atomic_store_n(&vm.run[0]->immediate_exit, 1, __ATOMIC_SEQ_CST);
        pthread_kill(thread, SIGUSR1);
        hvs_kvm_post(vm.vcpu[0], HVS_KVM_WORK_FLUSH);
        pthread_join(thread, NULL);
        assert_int_equal(outsider.result, -1);
        assert_int_equal(outsider.err, EINTR);
        assert_int_equal(vm.run[0]->immediate_exit & 0x7f, 1);
        vm.run[0]->immediate_exit = 0;
    }
    testvm_free(&vm);
}

/* A VMM that knows nothing of all this. */
static void test_plain_run(void **state)
{
    struct testvm vm;

    (void)state;
    testvm_make_plain(&vm, 1);
    assert_int_equal(vm.kvm->config.vm.caps & HVS_CAP_FLUSH, 0);
    testvm_start(&vm);
    testvm_enter(&vm, 0, guest_timer, NULL);
    testvm_run(&vm, 0);
    assert_int_equal(testvm_word(&vm, G_NR_IRQS), 1);
    testvm_free(&vm);
    testvm_make(&vm, 1);
    assert_int_equal(vm.kvm->config.vm.caps, hvs_kvm_vm_caps(&vm.kvm->caps) | HVS_CAP_GSI);
    assert_int_not_equal(vm.kvm->config.vm.caps & HVS_CAP_FLUSH, 0);
    testvm_free(&vm);
}

/* A host request comes from no vCPU, and what it asks for reaches one that sleeps. */
static void test_dispatch(void **state)
{
    const struct kvm_regs interrupts_on = {.rax = 1};
    uint64_t data = 5, value = 0;
    struct hvs_exit exit = {.kind = HVS_EXIT_HOST, .host = {&test_personality, 37, &data}};
    struct testvm_thread runner;
    struct testvm vm;

    (void)state;
    testvm_make(&vm, 1);
    testvm_start(&vm);
    testvm_enter(&vm, 0, guest_wait, &interrupts_on);
    testvm_run_in(&runner, &vm, 0);
    testvm_await(&vm, G_READY);
    assert_int_equal(hvs_kvm_dispatch(vm.kvm, 0, &exit, &value), HVS_OK);
    assert_int_equal(value, 42);
    pthread_join(runner.thread, NULL);
    assert_int_equal(testvm_word(&vm, G_NR_IRQS + 8), 1);

    assert_int_equal(hvs_kvm_request(vm.kvm, &test_personality, 37, &data), 42);
    assert_int_equal(hvs_kvm_request(vm.kvm, NULL, 37, &data), HVS_ENOTSUP);
    assert_int_equal(hvs_kvm_dispatch(vm.kvm, 1, &exit, NULL), HVS_EINVAL);
    exit.host.to = NULL;
    assert_int_equal(hvs_kvm_dispatch(vm.kvm, 0, &exit, NULL), HVS_ENOENT);
    exit.kind = HVS_EXIT_MSR_READ;
    assert_int_equal(hvs_kvm_dispatch(vm.kvm, 0, &exit, NULL), HVS_EINVAL);
    testvm_free(&vm);
}

static void flush_rounds(uint32_t nr_vps, uint64_t rounds)
{
    const struct kvm_regs writer = {
        .rcx = MSR_FLUSH, .rbx = (1u << nr_vps) - 1, .r12 = rounds, .r13 = nr_vps - 1};
    struct testvm_thread runner[T_MAX_VPS];
    struct testvm vm;

    testvm_make(&vm, nr_vps);
    testvm_start(&vm);
    testvm_set_word(&vm, G_PD + (G_REMAPPED >> 21) * 8, G_PT | 3);
    testvm_set_word(&vm, G_PT, G_PAGE_A | 3);
    testvm_set_word(&vm, G_PAGE_A, G_PAGE_A);
    testvm_set_word(&vm, G_PAGE_B, G_PAGE_B);
    testvm_enter(&vm, 0, guest_flush_writer, &writer);
    for (uint32_t vp = 1; vp < nr_vps; vp++) {
        const struct kvm_regs reader = {.rdi = G_READER + 16 * vp};

        testvm_enter(&vm, vp, guest_flush_reader, &reader);
    }
    for (uint32_t vp = 0; vp < nr_vps; vp++)
        testvm_run_in(&runner[vp], &vm, vp);
    for (uint32_t vp = 0; vp < nr_vps; vp++)
        pthread_join(runner[vp].thread, NULL);
    assert_int_equal(testvm_word(&vm, G_RESULT), 0);
    print_message("%u vCPUs: %llu kicks, %llu flushes left to the kernel\n", nr_vps,
                  (unsigned long long)hvs_kvm_kicks(vm.kvm),
                  (unsigned long long)atomic_load(&vm.kvm->steal.nr_flushes));
    testvm_free(&vm);
}

/* A reader that goes on without an exit sees the new page as soon as the flush returns. */
static void test_flush(void **state)
{
    (void)state;
    flush_rounds(2, 2000);
}

/* More vCPUs than processors: some are preempted. */
static void test_flush_many(void **state)
{
    (void)state;
    flush_rounds(4, 500);
}

static void test_flush_each_other(void **state)
{
    const struct kvm_regs regs = {.rcx = MSR_FLUSH, .rbx = 7, .r12 = 500};
    struct testvm_thread runner[3];
    struct testvm vm;

    (void)state;
    testvm_make(&vm, 3);
    testvm_start(&vm);
    for (uint32_t vp = 0; vp < 3; vp++)
        testvm_enter(&vm, vp, guest_write_msr_often, &regs);
    for (uint32_t vp = 0; vp < 3; vp++)
        testvm_run_in(&runner[vp], &vm, vp);
    for (uint32_t vp = 0; vp < 3; vp++)
        pthread_join(runner[vp].thread, NULL);
    testvm_free(&vm);
}

static void inject_past_apic(struct testvm *vm)
{
    const struct hvs_outcome out = {
        .nr_effects = 1, .effect = {{.kind = HVS_EFFECT_INJECT, .vp = 0, .vector = 0x42, .past_apic = true}}};

    hvs_kvm_apply(vm->kvm, NULL, &out);
}

/* Whatever the guest does, it takes the interrupt once, and the local APIC knows nothing of it. */
static void test_past_apic(void **state)
{
    static const struct {
        const uint8_t *entry;
        uint64_t rax;
        bool is_stopped;
    } row[] = {{guest_spin_on, 0, false}, {guest_wait, 1, false}, {guest_spin_off, 0, true}};
    struct testvm_thread runner;
    struct kvm_lapic_state apic;
    struct testvm vm;

    (void)state;
    testvm_make(&vm, 1);
    testvm_start(&vm);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(row); i++) {
        const struct kvm_regs regs = {.rax = row[i].rax};

        testvm_set_word(&vm, G_READY, 0);
        testvm_enter(&vm, 0, row[i].entry, &regs);
        testvm_run_in(&runner, &vm, 0);
        testvm_await(&vm, G_READY);
        inject_past_apic(&vm);
        if (row[i].is_stopped) {
            usleep(5000);
            assert_int_equal(testvm_word(&vm, G_NR_NO_EOI), i);
            stop_spinning(&vm);
        }
        pthread_join(runner.thread, NULL);
        assert_int_equal(testvm_word(&vm, G_NR_NO_EOI), i + 1);
        assert_false(hvs_kvm_has_past_apic(vm.vcpu[0]));
        assert_int_equal(ioctl(vm.vcpu_fd[0], KVM_GET_LAPIC, &apic), 0);
        assert_int_equal(apic.regs[0x120], 0);          /* in service: vectors 0x40.. */
    }
    testvm_free(&vm);
}

/* A vCPU that waits for INIT has no use for it, and a reset forgets it. */
static void test_past_apic_dropped(void **state)
{
    const struct kvm_mp_state waiting = {.mp_state = KVM_MP_STATE_INIT_RECEIVED};
    struct testvm vm;

    (void)state;
    testvm_make(&vm, 1);
    testvm_start(&vm);
    assert_int_equal(ioctl(vm.vcpu_fd[0], KVM_SET_MP_STATE, &waiting), 0);
    inject_past_apic(&vm);
    hvs_kvm_work(vm.vcpu[0], HVS_KVM_WORK_PAST_APIC);
    assert_false(hvs_kvm_has_past_apic(vm.vcpu[0]));
    inject_past_apic(&vm);
    assert_int_equal(hvs_kvm_reset(vm.kvm), HVS_OK);
    assert_false(hvs_kvm_has_past_apic(vm.vcpu[0]));
    assert_int_equal(atomic_load(&vm.vcpu[0]->work), 0);
    testvm_free(&vm);
}

static void start_vp(struct testvm *vm, uint32_t vp, uint64_t rax)
{
    const struct hvs_segment data = {.limit = 0xffffffff, .selector = 16, .attributes = 0xc093};
    struct hvs_outcome out = {.nr_effects = 1, .effect = {{.kind = HVS_EFFECT_VCPU_START, .vp = vp}}};

    out.start = (struct hvs_vcpu_context){
        .gpr = {rax, 1, 2, 3, 0x4440, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
        .rip = testvm_gpa(guest_started), .rflags = 2,
        .cs = {.limit = 0xffffffff, .selector = 8, .attributes = 0xa09b},
        .ds = data, .es = data, .fs = data, .gs = data, .ss = data,
        .tr = {.limit = 0x67, .attributes = 0x8b}, .ldtr = {.attributes = 0},
        .idtr = {G_IDT, 0xfff}, .gdtr = {G_GDT, 23},
        .efer = 0x500, .cr0 = 0x80010001, .cr3 = G_PML4, .cr4 = 0x20, .pat = 0x0007010600070106,
    };
    hvs_kvm_apply(vm->kvm, NULL, &out);
}

static void test_start(void **state)
{
    struct testvm_thread runner;
    struct testvm vm;

    (void)state;
    testvm_make(&vm, 2);
    testvm_start(&vm);
    testvm_run_in(&runner, &vm, 1);     /* waits for INIT in KVM_RUN, or is about to */
    usleep(2000);
    start_vp(&vm, 1, 0x1234567890abcdef);
    pthread_join(runner.thread, NULL);
    assert_int_equal(testvm_word(&vm, G_RESULT), 0x1234567890abcdef);
    for (uint64_t i = 1; i < 9; i++)
        assert_int_equal(testvm_word(&vm, G_RESULT + 8 * i), i == 4 ? 0x4440 : i);
    assert_int_equal(testvm_word(&vm, G_RESULT + 8 * 9), 15);
    assert_int_equal(testvm_word(&vm, G_RESULT + 8 * 10), 0x00070106);
    assert_int_equal(testvm_word(&vm, G_RESULT + 8 * 11), 0x00070106);

    /* One that runs is left alone. */
    testvm_enter(&vm, 1, guest_spin, NULL);
    testvm_set_word(&vm, G_READY, 0);
    testvm_run_in(&runner, &vm, 1);
    testvm_await(&vm, G_READY);
    start_vp(&vm, 1, 99);
    stop_spinning(&vm);
    pthread_join(runner.thread, NULL);
    assert_int_equal(testvm_word(&vm, G_RESULT), 0x1234567890abcdef);
    testvm_free(&vm);
}

static struct hvs_outcome ask(struct testvm *vm, uint32_t request)
{
    const struct hvs_exit exit = {.kind = HVS_EXIT_HOST, .host = {&test_personality, request, NULL}};
    struct hvs_outcome out;

    assert_int_equal(hvs_vcpu_exit(hvs_vm_vcpu(hvs_kvm_vm(vm->kvm), 0), &exit, NULL, &out), HVS_HANDLED);
    return out;
}

static void stop_or_go_on(struct testvm *vm, uint32_t request)
{
    const struct hvs_outcome out = ask(vm, request);

    hvs_kvm_apply(vm->kvm, NULL, &out);
}

static void stop(struct testvm *vm)
{
    stop_or_go_on(vm, TEST_HOST_STOP);
    while (!atomic_load(&vm->vcpu[0]->is_stopped))
        usleep(100);
}

static void count_on(struct testvm *vm)
{
    testvm_set_word(vm, G_RESULT, 0);
    testvm_await(vm, G_RESULT);
}

static void test_stop_and_go_on(void **state)
{
    struct testvm_thread runner;
    struct testvm vm;
    uint64_t count;

    (void)state;
    testvm_make(&vm, 1);
    testvm_start(&vm);
    testvm_enter(&vm, 0, guest_count, NULL);
    testvm_run_in(&runner, &vm, 0);
    for (int i = 0; i < 20; i++) {
        count_on(&vm);
        stop(&vm);
        count = testvm_word(&vm, G_RESULT);
        hvs_kvm_post(vm.vcpu[0], HVS_KVM_WORK_FLUSH);   /* other work does not wake it for good */
        usleep(2000);
        assert_int_equal(testvm_word(&vm, G_RESULT), count);
        stop_or_go_on(&vm, TEST_HOST_GO_ON);
        count_on(&vm);
        stop_or_go_on(&vm, TEST_HOST_GO_ON);      /* one that runs is left alone */
        stop_or_go_on(&vm, TEST_HOST_STOP);       /* the last word counts */
        stop_or_go_on(&vm, TEST_HOST_GO_ON);
    }
    stop_spinning(&vm);
    pthread_join(runner.thread, NULL);
    testvm_free(&vm);
}

/* Two exits of different vCPUs: what the first one asked for may be applied after what the second one did. */
static void test_stop_applied_late(void **state)
{
    struct testvm_thread runner;
    struct hvs_outcome first, second;
    struct testvm vm;

    (void)state;
    testvm_make(&vm, 1);
    testvm_start(&vm);
    testvm_enter(&vm, 0, guest_count, NULL);
    testvm_run_in(&runner, &vm, 0);
    count_on(&vm);
    first = ask(&vm, TEST_HOST_STOP);
    second = ask(&vm, TEST_HOST_GO_ON);
    hvs_kvm_apply(vm.kvm, NULL, &second);
    hvs_kvm_apply(vm.kvm, NULL, &first);
    usleep(5000);
    count_on(&vm);
    first = ask(&vm, TEST_HOST_GO_ON);
    second = ask(&vm, TEST_HOST_STOP);
    hvs_kvm_apply(vm.kvm, NULL, &second);
    hvs_kvm_apply(vm.kvm, NULL, &first);
    while (!atomic_load(&vm.vcpu[0]->is_stopped))
        usleep(100);
    stop_or_go_on(&vm, TEST_HOST_GO_ON);
    stop_spinning(&vm);
    pthread_join(runner.thread, NULL);
    testvm_free(&vm);
}

/* Another vCPU has started this one and thought better of it, before its thread has done anything about it. */
static void test_started_and_stopped(void **state)
{
    const struct kvm_mp_state waiting = {.mp_state = KVM_MP_STATE_INIT_RECEIVED};
    struct testvm_thread runner;
    struct testvm vm;

    (void)state;
    for (uint32_t is_late = 0; is_late < 2; is_late++) {
        testvm_make(&vm, 1);
        testvm_start(&vm);
        assert_int_equal(ioctl(vm.vcpu_fd[0], KVM_SET_MP_STATE, &waiting), 0);
        if (!is_late)
            start_vp(&vm, 0, 77);
        stop_or_go_on(&vm, TEST_HOST_STOP);
        testvm_run_in(&runner, &vm, 0);
        usleep(2000);
        if (is_late)
            start_vp(&vm, 0, 77);
        while (!atomic_load(&vm.vcpu[0]->is_stopped))
            usleep(100);
        usleep(5000);
        assert_int_equal(testvm_word(&vm, G_RESULT), 0);
        stop_or_go_on(&vm, TEST_HOST_GO_ON);
        pthread_join(runner.thread, NULL);
        assert_int_equal(testvm_word(&vm, G_RESULT), 77);
        testvm_free(&vm);
    }
}

static void send_0x41(struct testvm *vm)
{
    const struct hvs_outcome out = {.nr_effects = 1, .effect = {{.kind = HVS_EFFECT_INJECT, .vp = 0, .vector = 0x41}}};

    hvs_kvm_apply(vm->kvm, NULL, &out);
}

static uint64_t cpu_time_ns(pthread_t thread)
{
    struct timespec time;
    clockid_t clock;

    assert_int_equal(pthread_getcpuclockid(thread, &clock), 0);
    assert_int_equal(clock_gettime(clock, &time), 0);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* One that could take it does neither wake up nor keep the host's CPU busy, and takes it when it goes on. */
static void test_stopped_with_interrupt(void **state)
{
    const struct kvm_regs interrupts_on = {.rbx = 1};
    struct testvm_thread runner;
    struct testvm vm;
    uint64_t before_ns;

    (void)state;
    for (int past_apic = 0; past_apic < 2; past_apic++) {
        const uint64_t counter = past_apic ? G_NR_NO_EOI : G_NR_IRQS + 8;

        testvm_make(&vm, 1);
        testvm_start(&vm);
        testvm_enter(&vm, 0, guest_count, &interrupts_on);
        testvm_run_in(&runner, &vm, 0);
        count_on(&vm);
        stop(&vm);
        before_ns = cpu_time_ns(runner.thread);
        if (past_apic)
            inject_past_apic(&vm);
        else
            send_0x41(&vm);
        usleep(100000);
        assert_in_range(cpu_time_ns(runner.thread) - before_ns, 0, 50000000);
        assert_int_equal(testvm_word(&vm, counter), 0);
        stop_or_go_on(&vm, TEST_HOST_GO_ON);
        pthread_join(runner.thread, NULL);
        assert_int_equal(testvm_word(&vm, counter), 1);
        testvm_free(&vm);
    }
}

static void put_hypercall_page(struct testvm *vm)
{
    const struct kvm_regs page = {.rax = G_HCALL_PAGE, .rcx = 0x40000001};

    testvm_set_word(vm, G_READY, 1);
    testvm_enter(vm, 0, guest_send, &page);
    testvm_run(vm, 0);
    testvm_set_word(vm, G_READY, 0);
}

static void wake(struct testvm *vm)
{
    const struct hvs_outcome out = {.nr_effects = 1, .effect = {{.kind = HVS_EFFECT_WAKE, .vp = 0}}};

    hvs_kvm_apply(vm->kvm, NULL, &out);
}

static void await_poll(struct testvm *vm, uint64_t nr)
{
    while (testvm_word(vm, G_READY) < nr)
        usleep(100);
    usleep(2000);
    assert_int_equal(testvm_word(vm, G_RESULT), nr - 1);
}

/* Interrupts off: only a WAKE ends it. */
static void test_poll(void **state)
{
    struct testvm_thread runner;
    struct testvm vm;

    (void)state;
    testvm_make(&vm, 1);
    testvm_start(&vm);
    put_hypercall_page(&vm);
    testvm_enter(&vm, 0, guest_poll, NULL);
    testvm_run_in(&runner, &vm, 0);
    for (uint64_t nr = 1; nr <= 20; nr++) {
        await_poll(&vm, nr);
        if (nr == 1)
            send_0x41(&vm);
        if (nr == 2)
            hvs_kvm_post(vm.vcpu[0], HVS_KVM_WORK_FLUSH);
        if (nr <= 2)
            await_poll(&vm, nr);
        if (nr == 20)
            stop_spinning(&vm);
        wake(&vm);
    }
    pthread_join(runner.thread, NULL);
    assert_int_equal(testvm_word(&vm, G_NR_IRQS + 8), 0);
    testvm_free(&vm);
}

static void test_poll_ends_by_interrupt(void **state)
{
    const struct kvm_regs interrupts_on = {.rbx = 1};
    struct testvm_thread runner;
    struct testvm vm;

    (void)state;
    testvm_make(&vm, 1);
    testvm_start(&vm);
    put_hypercall_page(&vm);
    testvm_enter(&vm, 0, guest_poll, &interrupts_on);
    testvm_run_in(&runner, &vm, 0);
    await_poll(&vm, 1);
    send_0x41(&vm);
    pthread_join(runner.thread, NULL);
    assert_int_equal(testvm_word(&vm, G_NR_IRQS + 8), 1);
    assert_int_equal(testvm_word(&vm, G_RESULT), 0);
    testvm_free(&vm);
}

/* It is not lost on a vCPU that is about to sleep. */
static void test_early_wake(void **state)
{
    const struct hvs_outcome out = {
        .nr_effects = 2, .effect = {{.kind = HVS_EFFECT_WAKE, .vp = 0}, {.kind = HVS_EFFECT_POLL, .vp = 0}}};
    struct testvm vm;

    (void)state;
    testvm_make(&vm, 1);
    testvm_start(&vm);
    testvm_enter(&vm, 0, guest_spin, NULL);
    stop_spinning(&vm);
    hvs_kvm_apply(vm.kvm, vm.vcpu[0], &out);
    testvm_run(&vm, 0);
    testvm_free(&vm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kick),
        cmocka_unit_test(test_vmm_wants_out),
        cmocka_unit_test(test_plain_run),
        cmocka_unit_test(test_dispatch),
        cmocka_unit_test(test_flush),
        cmocka_unit_test(test_flush_many),
        cmocka_unit_test(test_flush_each_other),
        cmocka_unit_test(test_past_apic),
        cmocka_unit_test(test_past_apic_dropped),
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_stop_and_go_on),
        cmocka_unit_test(test_stop_applied_late),
        cmocka_unit_test(test_started_and_stopped),
        cmocka_unit_test(test_stopped_with_interrupt),
        cmocka_unit_test(test_poll),
        cmocka_unit_test(test_poll_ends_by_interrupt),
        cmocka_unit_test(test_early_wake),
    };

    if (access("/dev/kvm", R_OK | W_OK)) {
        print_message("no /dev/kvm: skipped\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
