/* multicall: many calls in one, each with its answer, bounded by breaks that the guest does not see. */
#include "xen_test.h"

enum { LIST_GPA = 0x8000, ENTRIES = 200 };

static void start_retry(struct mock *mock)
{
    const struct hvs_personality *const list[] = {&hvs_xen_personality, NULL};

    mock_config(mock, list, 2);
    mock->config.caps |= HVS_CAP_RETRY;
    assert_int_equal(mock_start(mock), HVS_OK);
}

static size_t entry_bytes(const struct mock *mock)
{
    return mock->regs.code_bits == 64 ? sizeof(struct multicall_entry) : sizeof(struct xen_multicall_entry32);
}

static void put_entry(struct mock *mock, uint32_t i, uint64_t op, uint64_t a, uint64_t b)
{
    const struct multicall_entry wide = {.op = op, .result = 0x77, .args = {a, b}};
    const struct xen_multicall_entry32 narrow = {
        .op = (uint32_t)op, .result = 0x77, .args = {(uint32_t)a, (uint32_t)b}};
    bool is_wide = mock->regs.code_bits == 64;

    memcpy(mock->ram + LIST_GPA + i * entry_bytes(mock), is_wide ? (const void *)&wide : &narrow, entry_bytes(mock));
}

static int64_t result_of(const struct mock *mock, uint32_t i)
{
    uint64_t gpa = LIST_GPA + i * entry_bytes(mock);

    return mock->regs.code_bits == 64 ? (int64_t)ram64(mock, gpa + 8) : (int32_t)ram32(mock, gpa + 4);
}

/* As the processor does: again for as long as it is told. *nr_exits counts. */
static int64_t multicall(struct mock *mock, uint64_t list, uint64_t nr, uint32_t *nr_exits)
{
    struct hvs_regs *r = &mock->regs;
    enum hvs_verdict verdict = HVS_RETRY;

    r->rax = __HYPERVISOR_multicall;
    *(r->code_bits == 64 ? &r->rdi : &r->rbx) = list;
    *(r->code_bits == 64 ? &r->rsi : &r->rcx) = nr;
    for (*nr_exits = 0; verdict == HVS_RETRY; ++*nr_exits) {
        verdict = mock_hypercall(mock, 0, 0);
        assert_true(mock->out.regs_changed);
        assert_false(mock->out.effects_lost);
    }
    assert_int_equal(verdict, HVS_HANDLED);
    return r->code_bits == 64 ? (int64_t)r->rax : (int32_t)r->rax;
}

static void test_each_has_its_answer(void **state)
{
    (void)state;
    for (uint8_t bits = 32; bits <= 64; bits += 32) {
        struct evtchn_bind_ipi ipi = {.vcpu = 1};
        struct mock mock;
        uint32_t nr_exits;

        start_retry(&mock);
        mock.regs.code_bits = bits;
        memcpy(mock.ram + ARG_GPA, &ipi, sizeof(ipi));
        put_entry(&mock, 0, __HYPERVISOR_xen_version, XENVER_version, 0);
        put_entry(&mock, 1, __HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, ARG_GPA);
        put_entry(&mock, 2, __HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, BAD_GPA);
        put_entry(&mock, 3, __HYPERVISOR_multicall, LIST_GPA, 1);
        put_entry(&mock, 4, 127, 0, 0);
        put_entry(&mock, 5, __HYPERVISOR_xen_version, XENVER_version, 0);
        assert_int_equal(multicall(&mock, LIST_GPA, 5, &nr_exits), 0);
        assert_int_equal(nr_exits, 1);
        assert_int_equal(result_of(&mock, 0), 4 << 16 | 17);
        assert_int_equal(result_of(&mock, 1), 0);
        assert_int_equal(ram32(&mock, ARG_GPA + 4), 1);
        assert_int_equal(result_of(&mock, 2), -XEN_EFAULT);
        assert_int_equal(result_of(&mock, 3), -XEN_EINVAL);
        assert_int_equal(result_of(&mock, 4), -XEN_ENOSYS);
        assert_int_equal(result_of(&mock, 5), 0x77);
        assert_int_equal(multicall(&mock, LIST_GPA, 0, &nr_exits), 0);
        assert_int_equal(multicall(&mock, BAD_GPA, 1, &nr_exits), -XEN_EFAULT);
        assert_int_equal(multicall(&mock, MOCK_RAM_BYTES - 8, 1, &nr_exits), -XEN_EFAULT);
        mock_stop(&mock);
    }
}

/* A long list takes several exits; what was done is not done again. */
static void test_long_list(void **state)
{
    (void)state;
    for (uint8_t bits = 32; bits <= 64; bits += 32) {
        struct evtchn_bind_ipi ipi = {.vcpu = 0};
        struct mock mock;
        uint32_t nr_exits;

        start_retry(&mock);
        mock.regs.code_bits = bits;
        memcpy(mock.ram + ARG_GPA, &ipi, sizeof(ipi));
        for (uint32_t i = 0; i < ENTRIES; i++)
            put_entry(&mock, i, __HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, ARG_GPA);
        assert_int_equal(multicall(&mock, LIST_GPA, ENTRIES, &nr_exits), 0);
        assert_in_range(nr_exits, 2, ENTRIES / 2);
        assert_int_equal(ram32(&mock, ARG_GPA + 4), ENTRIES);   /* the last port */
        for (uint32_t i = 0; i < ENTRIES; i++)
            assert_int_equal(result_of(&mock, i), 0);
        mock_stop(&mock);
    }
}

/* Calls with effects: none is lost, however many there are. */
static void test_many_effects(void **state)
{
    struct mock mock;
    uint32_t nr_exits;

    (void)state;
    start_retry(&mock);
    for (uint32_t i = 0; i < ENTRIES; i++)
        put_entry(&mock, i, __HYPERVISOR_sched_op, SCHEDOP_yield, 0);
    assert_int_equal(multicall(&mock, LIST_GPA, ENTRIES, &nr_exits), 0);
    assert_in_range(nr_exits, ENTRIES / HVS_MAX_EFFECTS, ENTRIES);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_has_its_answer),
        cmocka_unit_test(test_long_list),
        cmocka_unit_test(test_many_effects),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
