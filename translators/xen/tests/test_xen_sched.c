/* sched_op: yield, block, the end of the VM, and polls. */
#include "xen_test.h"

static int64_t sched(struct mock *mock, uint32_t cmd, uint64_t gpa)
{
    return xen_call(mock, 0, __HYPERVISOR_sched_op, cmd, gpa, 0);
}

static void test_yield_and_block(void **state)
{
    struct mock mock;

    (void)state;
    start(&mock, 1);
    assert_int_equal(sched(&mock, SCHEDOP_yield, 0), 0);
    assert_int_equal(mock_effects(&mock, HVS_EFFECT_YIELD, NULL), 1);
    assert_int_equal(sched(&mock, SCHEDOP_block, 0), 0);
    assert_int_equal(mock_effects(&mock, HVS_EFFECT_BLOCK, NULL), 1);
    assert_int_equal(mock.out.nr_effects, 1);
    mock_stop(&mock);
}

static void test_shutdown(void **state)
{
    static const struct {
        uint32_t reason;
        enum hvs_stop_reason stop;
    } t[] = {
        {SHUTDOWN_poweroff, HVS_STOP_POWEROFF}, {SHUTDOWN_reboot, HVS_STOP_REBOOT},
        {SHUTDOWN_suspend, HVS_STOP_SUSPEND},   {SHUTDOWN_crash, HVS_STOP_CRASH},
        {SHUTDOWN_watchdog, HVS_STOP_REBOOT},   {255, HVS_STOP_CRASH},
        {6, HVS_STOP_CRASH},
        {0x101, HVS_STOP_REBOOT},               /* 8 bits of it */
    };
    struct mock mock;

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        struct sched_shutdown args = {.reason = t[i].reason};
        const struct hvs_effect *effect = NULL;

        start(&mock, 1);
        assert_int_equal(xen_op(&mock, 0, __HYPERVISOR_sched_op, SCHEDOP_shutdown, &args, sizeof(args)), 0);
        assert_int_equal(mock_effects(&mock, HVS_EFFECT_VM_STOP, &effect), 1);
        assert_int_equal(effect->reason, t[i].stop);
        mock_stop(&mock);
    }
}

static int64_t shut_down(struct mock *mock, uint32_t cmd, uint32_t reason)
{
    struct sched_shutdown args = {.reason = reason};

    return xen_op(mock, 0, __HYPERVISOR_sched_op, cmd, &args, sizeof(args));
}

/* What the guest has said first is why it ends; a suspended guest may end for another reason later. */
static void test_first_reason_counts(void **state)
{
    const struct hvs_effect *effect = NULL;
    struct mock mock;

    (void)state;
    start(&mock, 1);
    assert_int_equal(shut_down(&mock, SCHEDOP_shutdown, SHUTDOWN_suspend), 0);
    assert_int_equal(shut_down(&mock, SCHEDOP_shutdown_code, SHUTDOWN_crash), 0);
    assert_int_equal(mock.out.nr_effects, 0);
    assert_int_equal(shut_down(&mock, SCHEDOP_shutdown_code, SHUTDOWN_poweroff), 0);
    mock_save_load_save(&mock);
    assert_int_equal(shut_down(&mock, SCHEDOP_shutdown, SHUTDOWN_reboot), 0);
    assert_int_equal(mock_effects(&mock, HVS_EFFECT_VM_STOP, &effect), 1);
    assert_int_equal(effect->reason, HVS_STOP_CRASH);
    mock_stop(&mock);
}

static void test_not_for_guests(void **state)
{
    static const struct {
        uint16_t domid;
        int64_t result;
    } t[] = {{0, -XEN_EPERM}, {1, -XEN_EPERM}, {2, -XEN_ESRCH}, {DOMID_SELF, -XEN_ESRCH}};
    struct mock mock;

    (void)state;
    start(&mock, 1);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        struct sched_remote_shutdown args = {.domain_id = t[i].domid};

        assert_int_equal(xen_op(&mock, 0, __HYPERVISOR_sched_op, SCHEDOP_remote_shutdown, &args, sizeof(args)),
                         t[i].result);
    }
    assert_int_equal(sched(&mock, SCHEDOP_pin_override, BAD_GPA), -XEN_EPERM);
    mock_stop(&mock);
}

static int64_t watchdog(struct mock *mock, uint32_t vp, uint32_t id, uint32_t timeout_s)
{
    struct sched_watchdog args = {.id = id, .timeout = timeout_s};

    return xen_op(mock, vp, __HYPERVISOR_sched_op, SCHEDOP_watchdog, &args, sizeof(args));
}

static uint32_t nr_barks(struct mock *mock)
{
    uint32_t nr = 0;

    for (uint32_t vp = 0; vp < 2; vp++) {
        assert_int_equal(mock_timer(mock, vp), HVS_HANDLED);
        nr += mock_effects(mock, HVS_EFFECT_VM_STOP, NULL);
    }
    return nr;
}

/* Two of them; any vCPU may set again what another has set. */
static void test_watchdog(void **state)
{
    const uint64_t second = 1000000000;
    struct mock mock;

    (void)state;
    start(&mock, 2);
    assert_int_equal(watchdog(&mock, 0, 3, 1), -XEN_EINVAL);
    assert_int_equal(watchdog(&mock, 0, UINT32_MAX, 1), -XEN_EINVAL);
    assert_int_equal(watchdog(&mock, 0, 1, 1), -XEN_EINVAL);
    assert_int_equal(watchdog(&mock, 0, 0, 10), 1);
    assert_int_equal(watchdog(&mock, 0, 0, 20), 2);
    assert_int_equal(watchdog(&mock, 0, 0, 20), -XEN_ENOSPC);
    assert_int_equal(watchdog(&mock, 0, 2, 0), 0);
    mock_advance(&mock, 9 * second);
    assert_int_equal(nr_barks(&mock), 0);
    assert_int_equal(watchdog(&mock, 1, 1, 10), 0);
    mock_save_load_save(&mock);
    mock_advance(&mock, 9 * second);
    assert_int_equal(nr_barks(&mock), 0);               /* vCPU 0's timer was for an earlier deadline */
    mock_advance(&mock, 4 * second);
    assert_int_equal(nr_barks(&mock), 1);
    mock_advance(&mock, 100 * second);
    assert_int_equal(nr_barks(&mock), 0);
    assert_int_equal(watchdog(&mock, 1, 1, 0), 0);
    assert_int_equal(watchdog(&mock, 1, 1, 1), -XEN_EINVAL);
    mock_stop(&mock);
}

static int64_t poll_until(struct mock *mock, uint32_t vp, uint64_t ports_gpa, uint32_t nr_ports, uint64_t timeout_ns)
{
    struct xen_sched_poll32 narrow = {.ports = (uint32_t)ports_gpa, .nr_ports = nr_ports};
    uint64_t wide[3] = {ports_gpa, nr_ports, timeout_ns};
    bool is_wide = mock->regs.code_bits == 64;

    memcpy(narrow.timeout, &timeout_ns, sizeof(timeout_ns));
    return xen_op(mock, vp, __HYPERVISOR_sched_op, SCHEDOP_poll, is_wide ? (void *)wide : &narrow,
                  is_wide ? sizeof(wide) : sizeof(narrow));
}

static int64_t poll(struct mock *mock, uint64_t ports_gpa, uint32_t nr_ports)
{
    return poll_until(mock, 0, ports_gpa, nr_ports, 0);
}

static void put_ports(struct mock *mock, const uint32_t *port, uint32_t nr)
{
    memcpy(mock->ram + 0x3000, port, nr * sizeof(*port));
}

/* Says whether the last exit woke exactly the vCPUs in `vps`. */
static bool woke(const struct mock *mock, uint64_t vps)
{
    const struct hvs_effect *effect = NULL;
    uint32_t nr = mock_effects(mock, HVS_EFFECT_WAKE, &effect);

    if (vps == 0)
        return nr == 0;
    if (nr != 1)
        return false;
    return effect->target == HVS_TARGET_SET ? mock->out.set.bank[0] == vps : 1ull << effect->vp == vps;
}

static bool slept(const struct mock *mock)
{
    return mock_effects(mock, HVS_EFFECT_POLL, NULL) == 1;
}

static void test_poll(void **state)
{
    (void)state;
    for (uint8_t bits = 32; bits <= 64; bits += 32) {
        const struct xen_layout *at = xen_layout(bits == 32);
        struct mock mock;
        uint32_t port[2];

        start(&mock, 1);
        mock.regs.code_bits = bits;
        map_shared(&mock);
        port[0] = bind_ipi(&mock, 0);
        port[1] = bind_ipi(&mock, 0);
        memset(mock.ram + SHARED_GPA + at->mask, 0xff, 16);     /* as pv spinlocks have theirs */
        put_ports(&mock, port, 2);
        assert_int_equal(poll(&mock, 0x3000, 2), 0);
        assert_true(slept(&mock));
        assert_int_equal(send(&mock, port[1]), 0);
        assert_true(woke(&mock, 1));
        assert_int_equal(send(&mock, port[1]), 0);
        assert_true(woke(&mock, 0));                            /* once */
        assert_int_equal(poll(&mock, 0x3000, 1), 0);
        assert_true(slept(&mock));
        assert_int_equal(poll(&mock, 0x3000, 2), 0);
        assert_int_equal(mock.out.nr_effects, 0);
        assert_int_equal(poll(&mock, 0x3000, 0), 0);
        assert_true(slept(&mock));
        mock_stop(&mock);
    }
}

/* Of one port: by that; of several or none: by any. Whose vCPU the port is does not matter. */
static void test_poll_is_woken(void **state)
{
    struct mock mock;
    uint32_t port[3];

    (void)state;
    start(&mock, 4);
    map_shared(&mock);
    for (uint32_t i = 0; i < 3; i++)
        port[i] = bind_ipi(&mock, 3);
    put_ports(&mock, port, 3);
    assert_int_equal(poll_until(&mock, 0, 0x3000, 1, 0), 0);
    assert_int_equal(poll_until(&mock, 1, 0x3004, 1, 0), 0);
    assert_int_equal(poll_until(&mock, 2, 0x3000, 2, 0), 0);
    assert_int_equal(send(&mock, port[2]), 0);
    assert_true(woke(&mock, 1u << 2));
    assert_int_equal(poll_until(&mock, 3, 0x3004, 1, 0), 0);
    mock_save_load_save(&mock);
    assert_int_equal(send(&mock, port[1]), 0);
    assert_true(woke(&mock, 1u << 0 | 1u << 1 | 1u << 3));      /* after a load, by any */
    mock_stop(&mock);
}

static void test_poll_timeout(void **state)
{
    const uint64_t ms = 1000000;
    struct mock mock;
    uint32_t port;
    uint64_t now_ns;

    (void)state;
    start(&mock, 2);
    map_shared(&mock);
    port = bind_ipi(&mock, 1);
    put_ports(&mock, &port, 1);
    mock_advance(&mock, ms);
    now_ns = hvs_vm_now_ns(mock.vm);
    assert_int_equal(poll_until(&mock, 1, 0x3000, 1, now_ns - 1), 0);
    assert_int_equal(mock.out.nr_effects, 0);
    assert_int_equal(poll_until(&mock, 1, 0x3000, 1, now_ns + ms), 0);
    assert_true(slept(&mock));
    mock_advance(&mock, 2 * ms);
    mock_timer(&mock, 1);
    assert_true(woke(&mock, 1u << 1));

    assert_int_equal(poll_until(&mock, 1, 0x3000, 1, now_ns + 3 * ms), 0);      /* woken before its time */
    assert_int_equal(send(&mock, port), 0);
    assert_true(woke(&mock, 1u << 1));
    mock_advance(&mock, 2 * ms);
    mock_timer(&mock, 1);
    assert_true(woke(&mock, 0));
    mock_stop(&mock);
}

/* A backend that cannot be asked to sleep. */
static void test_poll_without_sleep(void **state)
{
    const struct hvs_personality *const list[] = {&hvs_xen_personality, NULL};
    struct mock mock;

    (void)state;
    mock_config(&mock, list, 1);
    mock.config.caps &= ~(uint32_t)HVS_CAP_POLL;
    assert_int_equal(mock_start(&mock), HVS_OK);
    assert_int_equal(poll(&mock, 0x3000, 0), 0);
    assert_int_equal(mock_effects(&mock, HVS_EFFECT_YIELD, NULL), 1);
    mock_stop(&mock);
}

static void test_bad_poll(void **state)
{
    static const struct {
        uint64_t gpa;
        uint32_t nr_ports;
        int64_t result;
    } t[] = {
        {0x4000, 128, 0},
        {0x4000, 129, -XEN_EINVAL},
        {0x4000, UINT32_MAX, -XEN_EINVAL},
        {BAD_GPA, 1, -XEN_EFAULT},
        {MOCK_RAM_BYTES - 4, 2, -XEN_EFAULT},
        {0x3000, 1, -XEN_EINVAL},               /* port 0 */
        {0x3004, 1, -XEN_EINVAL},               /* port 4096 */
        {0x3008, 1, -XEN_EINVAL},               /* port 2^32 - 1 */
        {0x300c, 1, -XEN_EINVAL},               /* a closed port */
    };
    static const uint32_t port[] = {0, 4096, UINT32_MAX, 2};
    struct mock mock;

    (void)state;
    start(&mock, 1);
    bind_ipi(&mock, 0);
    put_ports(&mock, port, HVS_ARRAY_SIZE(port));
    for (uint32_t i = 0; i < 200; i++)
        memcpy(mock.ram + 0x4000 + i * 4, &(uint32_t){1}, 4);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        assert_int_equal(poll(&mock, t[i].gpa, t[i].nr_ports), t[i].result);
        assert_int_equal(mock.out.nr_effects, t[i].result == 0);
    }
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_yield_and_block),
        cmocka_unit_test(test_shutdown),
        cmocka_unit_test(test_first_reason_counts),
        cmocka_unit_test(test_not_for_guests),
        cmocka_unit_test(test_watchdog),
        cmocka_unit_test(test_poll),
        cmocka_unit_test(test_poll_is_woken),
        cmocka_unit_test(test_poll_timeout),
        cmocka_unit_test(test_poll_without_sleep),
        cmocka_unit_test(test_bad_poll),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
