/* Locks: exits from several threads, the VM lock and its nesting. Worth most under a thread sanitizer. */
#include <pthread.h>
#include <sched.h>

#include "toy.h"

enum { NR_THREADS = 3, NR_ROUNDS = 5000, FRAME = 0x30 };

struct worker {
    struct mock *mock;
    uint32_t vp;
    pthread_t thread;
};

static void run_threads(struct mock *mock, bool has_own_vp, void *(*body)(void *))
{
    struct worker worker[NR_THREADS];

    for (uint32_t i = 0; i < NR_THREADS; i++) {
        worker[i] = (struct worker){.mock = mock, .vp = has_own_vp ? i : 1};
        assert_int_equal(pthread_create(&worker[i].thread, NULL, body, &worker[i]), 0);
    }
    for (uint32_t i = 0; i < NR_THREADS; i++)
        assert_int_equal(pthread_join(worker[i].thread, NULL), 0);
}

static void yield(void)
{
    sched_yield();
}

static struct hvs_trace_record ring[64];

static int setup(void **state)
{
    int err = toy_setup(state);
    struct mock *mock = *state;

    mock_stop(mock);
    mock_config(mock, (const struct hvs_personality *const[]){&toy, NULL}, NR_THREADS);
    mock->config.relax = yield;
    mock->config.trace = ring;
    mock->config.trace_bytes = sizeof(ring);
    return err ? err : mock_start(mock);
}

static enum hvs_verdict exit_of(const struct worker *worker, struct hvs_exit exit)
{
    struct hvs_outcome out;

    return hvs_vcpu_exit(mock_vcpu(worker->mock, worker->vp), &exit, NULL, &out);
}

/* Adds in two steps, which only a lock makes one. */
static void *add_under_lock(void *arg)
{
    const struct worker *worker = arg;
    struct hvs_ctx ctx = hvs_ctx_make(mock_vcpu(worker->mock, worker->vp), 0);
    struct toy_vm *vm = ctx.vm_state;

    for (uint32_t i = 0; i < NR_ROUNDS; i++) {
        uint64_t before;

        hvs_vm_lock(&ctx);
        hvs_vm_lock(&ctx);
        before = vm->shared;
        hvs_vm_unlock(&ctx);
        vm->shared = before + 1;
        hvs_vm_unlock(&ctx);
    }
    return NULL;
}

static void test_vm_lock_excludes_and_nests(void **state)
{
    run_threads(*state, true, add_under_lock);
    assert_int_equal(toy_vm_state(*state)->shared, NR_THREADS * NR_ROUNDS);
}

/* Exits of one vCPU from several threads: a timer thread beside the vCPU's own. */
static void *exits_of_one_vcpu(void *arg)
{
    const struct worker *worker = arg;

    for (uint32_t i = 0; i < NR_ROUNDS; i++) {
        exit_of(worker, (struct hvs_exit){.kind = HVS_EXIT_TIMER});
        exit_of(worker, (struct hvs_exit){.kind = HVS_EXIT_MSR_WRITE, .msr = {TOY_MSR_TIMER, i + 1}});
        (void)hvs_vcpu_deadline_ns(mock_vcpu(worker->mock, worker->vp));
    }
    return NULL;
}

static void test_exits_of_one_vcpu_are_serialised(void **state)
{
    struct mock *mock = *state;
    struct hvs_stat stat = {.hits = 0};
    uint64_t unhandled;

    run_threads(mock, false, exits_of_one_vcpu);
    assert_int_equal(hvs_vm_exits(mock->vm, HVS_EXIT_TIMER, &unhandled), NR_THREADS * NR_ROUNDS);
    assert_int_equal(unhandled, 0);
    assert_int_equal(hvs_vm_exits(mock->vm, HVS_EXIT_MSR_WRITE, &unhandled), NR_THREADS * NR_ROUNDS);
    for (uint32_t i = 0; strcmp(stat.name ? stat.name : "", "TOY_MSR_TIMER"); i++)
        assert_int_equal(hvs_vm_stat(mock->vm, i, &stat), HVS_OK);
    assert_int_equal(stat.hits, NR_THREADS * NR_ROUNDS);
}

static void *lay_and_take(void *arg)
{
    const struct worker *worker = arg;

    for (uint32_t i = 0; i < NR_ROUNDS / 10; i++) {
        exit_of(worker, (struct hvs_exit){.kind = HVS_EXIT_MSR_WRITE, .msr = {TOY_MSR_PAGE, FRAME << 12 | 1}});
        exit_of(worker, (struct hvs_exit){.kind = HVS_EXIT_MSR_WRITE, .msr = {TOY_MSR_VM_PAGE, FRAME << 12 | (i & 1)}});
        exit_of(worker, (struct hvs_exit){.kind = HVS_EXIT_MSR_WRITE, .msr = {TOY_MSR_PAGE, 0}});
    }
    exit_of(worker, (struct hvs_exit){.kind = HVS_EXIT_MSR_WRITE, .msr = {TOY_MSR_VM_PAGE, 0}});
    return NULL;
}

static void test_overlays_of_all_vcpus_on_one_frame(void **state)
{
    struct mock *mock = *state;
    uint8_t *ram = mock->ram + (FRAME << HVS_PAGE_SHIFT);

    memset(ram, 0x11, HVS_PAGE_BYTES);
    run_threads(mock, true, lay_and_take);
    for (uint32_t i = 0; i < HVS_PAGE_BYTES; i++)
        assert_int_equal(ram[i], 0x11);
    assert_null(mock->vm->overlays);
}

/* What any thread may call while vCPUs run. */
static void *exits_and_readings(void *arg)
{
    const struct worker *worker = arg;
    struct hvs_trace_record record;
    struct hvs_crash crash;
    struct hvs_stat stat;

    for (uint32_t i = 0; i < NR_ROUNDS; i++) {
        exit_of(worker, (struct hvs_exit){.kind = HVS_EXIT_MSR_WRITE, .msr = {TOY_MSR_SHARED, i}});
        exit_of(worker, (struct hvs_exit){.kind = HVS_EXIT_MSR_READ, .msr = {.index = TOY_MSR_RO}});
        hvs_vm_stat(worker->mock->vm, i % 8, &stat);
        hvs_vm_exits(worker->mock->vm, HVS_EXIT_MSR_READ, NULL);
        hvs_vm_crash(worker->mock->vm, &crash);
        hvs_vm_trace_read(worker->mock->vm, i, &record);
        hvs_vm_now_ns(worker->mock->vm);
    }
    return NULL;
}

static void test_readers_beside_running_vcpus(void **state)
{
    struct mock *mock = *state;
    struct hvs_trace_record record;

    run_threads(mock, true, exits_and_readings);
    assert_int_equal(hvs_vm_exits(mock->vm, HVS_EXIT_MSR_READ, NULL), NR_THREADS * NR_ROUNDS);
    assert_int_equal(hvs_vm_trace_read(mock->vm, 2 * NR_THREADS * NR_ROUNDS - 1, &record), HVS_OK);
}

static uint32_t nr_relaxed;
static struct hvs_lock held;

static void relax_until_free(void)
{
    if (++nr_relaxed == 3)
        hvs_lock_drop(&held);
}

static void test_a_waiting_thread_relaxes(void **state)
{
    struct mock *mock = *state;

    mock->vm->config.relax = relax_until_free;
    nr_relaxed = 0;
    hvs_lock_take(mock->vm, &held);
    assert_int_equal(nr_relaxed, 0);
    hvs_lock_take(mock->vm, &held);
    assert_int_equal(nr_relaxed, 3);
    hvs_lock_drop(&held);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, toy_teardown)

static const struct CMUnitTest tests[] = {
    TEST(test_vm_lock_excludes_and_nests),
    TEST(test_exits_of_one_vcpu_are_serialised),
    TEST(test_overlays_of_all_vcpus_on_one_frame),
    TEST(test_readers_beside_running_vcpus),
    TEST(test_a_waiting_thread_relaxes),
};
TOY_MAIN(tests)
