/*
 * What one vCPU, or the host, wants of another that runs: on this machine's /dev/kvm, with guests that do not exit by
 * themselves. Skipped (status 77) where there is no /dev/kvm.
 */
#include "backend.h"
#include "testvm.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>

#include <cmocka.h>

#include <unistd.h>

extern const uint8_t guest_flush_reader[], guest_flush_writer[], guest_write_msr_often[], guest_spin[], guest_wait[],
    guest_timer[];

#define MSR_FLUSH 0x40000085u

struct runner {
    struct testvm *vm;
    uint32_t vp;
    pthread_t thread;
};

static void *run(void *argument)
{
    struct runner *runner = argument;

    testvm_run(runner->vm, runner->vp);
    return NULL;
}

static void start(struct runner *runner, struct testvm *vm, uint32_t vp)
{
    *runner = (struct runner){.vm = vm, .vp = vp};
    assert_int_equal(pthread_create(&runner->thread, NULL, run, runner), 0);
}

static void await(const struct testvm *vm, uint64_t gpa)
{
    while (!__atomic_load_n((uint64_t *)(vm->memory + gpa), __ATOMIC_SEQ_CST))
        sched_yield();
}

static void stop_spinning(struct testvm *vm)
{
    __atomic_store_n((uint64_t *)(vm->memory + G_STOP), 1, __ATOMIC_SEQ_CST);
}

/* testvm_run fails the test when hvs_kvm_run shows an EINTR. */
static void test_kick(void **state)
{
    struct runner runner;
    struct testvm vm;

    (void)state;
    testvm_make(&vm, 1);
    testvm_start(&vm);
    testvm_enter(&vm, 0, guest_spin, NULL);
    assert_int_equal(hvs_kvm_post(vm.vcpu[0], HVS_KVM_WORK_FLUSH), 0);  /* outside: nothing to wait for */
    start(&runner, &vm, 0);
    await(&vm, G_READY);
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
            await(&vm, G_READY);
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
    assert_int_equal(vm.kvm->config.vm.caps, hvs_kvm_vm_caps(&vm.kvm->caps));
    assert_int_not_equal(vm.kvm->config.vm.caps & HVS_CAP_FLUSH, 0);
    testvm_free(&vm);
}

/* A host request comes from no vCPU, and what it asks for reaches one that sleeps. */
static void test_dispatch(void **state)
{
    const struct kvm_regs interrupts_on = {.rax = 1};
    uint64_t data = 5, value = 0;
    struct hvs_exit exit = {.kind = HVS_EXIT_HOST, .host = {&test_personality, 37, &data}};
    struct runner runner;
    struct testvm vm;

    (void)state;
    testvm_make(&vm, 1);
    testvm_start(&vm);
    testvm_enter(&vm, 0, guest_wait, &interrupts_on);
    start(&runner, &vm, 0);
    await(&vm, G_READY);
    assert_int_equal(hvs_kvm_dispatch(vm.kvm, 0, &exit, &value), HVS_OK);
    assert_int_equal(value, 42);
    pthread_join(runner.thread, NULL);
    assert_int_equal(testvm_word(&vm, G_NR_IRQS + 8), 1);

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
    struct runner runner[T_MAX_VPS];
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
        start(&runner[vp], &vm, vp);
    for (uint32_t vp = 0; vp < nr_vps; vp++)
        pthread_join(runner[vp].thread, NULL);
    assert_int_equal(testvm_word(&vm, G_RESULT), 0);
    testvm_free(&vm);
}

/* A reader that goes on without an exit sees the new page as soon as the flush returns. */
static void test_flush(void **state)
{
    (void)state;
    flush_rounds(2, 3000);
}

/* More vCPUs than processors: some are preempted. */
static void test_flush_many(void **state)
{
    (void)state;
    flush_rounds(4, 1000);
}

static void test_flush_each_other(void **state)
{
    const struct kvm_regs regs = {.rcx = MSR_FLUSH, .rbx = 7, .r12 = 2000};
    struct runner runner[3];
    struct testvm vm;

    (void)state;
    testvm_make(&vm, 3);
    testvm_start(&vm);
    for (uint32_t vp = 0; vp < 3; vp++)
        testvm_enter(&vm, vp, guest_write_msr_often, &regs);
    for (uint32_t vp = 0; vp < 3; vp++)
        start(&runner[vp], &vm, vp);
    for (uint32_t vp = 0; vp < 3; vp++)
        pthread_join(runner[vp].thread, NULL);
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
    };

    if (access("/dev/kvm", R_OK | W_OK)) {
        print_message("no /dev/kvm: skipped\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
