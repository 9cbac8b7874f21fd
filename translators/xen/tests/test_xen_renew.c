/* A guest that goes on as in a new domain: after a suspend by the VMM's request, after a soft reset by its own. */
#include "xen_test.h"

enum { CONTROL_GPA = 0x40000 };

static uint32_t nr_told;

static void on_event(void *ctx, uint32_t host_port)
{
    (void)ctx, (void)host_port;
    nr_told++;
}

static const struct hvs_xen_options options = {.size = sizeof(options), .on_event = on_event};

static int64_t ask(struct mock *mock, uint32_t request, void *data)
{
    assert_int_equal(mock_host(mock, 0, &hvs_xen_personality, request, data), HVS_HANDLED);
    return (int64_t)mock->out.value;
}

static void resume(struct mock *mock)
{
    assert_int_equal(ask(mock, HVS_XEN_RESUME, NULL), HVS_OK);
}

static void soft_reset(struct mock *mock)
{
    struct sched_shutdown args = {.reason = SHUTDOWN_soft_reset};

    assert_int_equal(xen_op(mock, 0, __HYPERVISOR_sched_op, SCHEDOP_shutdown, &args, sizeof(args)), 0);
    assert_int_equal(mock_effects(mock, HVS_EFFECT_VM_STOP, NULL), 0);
}

static void test_all_is_forgotten(void **state)
{
    static void (*const how[])(struct mock *) = {resume, soft_reset};

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(how); i++) {
        struct vcpu_register_vcpu_info info = {.mfn = INFO_GPA >> 12, .offset = INFO_GPA & 0xfff};
        struct evtchn_init_control control = {.control_gfn = CONTROL_GPA >> 12};
        struct xen_hvm_param param = {.domid = DOMID_SELF, .index = HVM_PARAM_CALLBACK_IRQ, .value = 1};
        struct evtchn_expand_array expand = {.array_gfn = 1};
        uint64_t area = 0x6000, far[2] = {1000000000, 0};
        struct hvs_xen_channel offered, accepted;
        struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF};
        struct mock mock;

        nr_told = 0;
        start_with(&mock, 2, &options);
        mock.ram[SHARED_GPA] = 0x77;
        map_shared(&mock);
        set_vector(&mock, 0);
        assert_int_equal(HVM(&mock, set_param, &param), 0);
        assert_int_equal(xen_vcpu_op(&mock, 0, VCPUOP_register_vcpu_info, 1, &info, sizeof(info)), 0);
        assert_int_equal(xen_vcpu_op(&mock, 0, VCPUOP_register_runstate_memory_area, 0, &area, 8), 0);
        assert_int_equal(ask(&mock, HVS_XEN_CHANNEL_OFFER, &offered), HVS_OK);
        assert_int_equal(EVTCHN(&mock, alloc_unbound, &alloc), 0);
        accepted.guest_port = alloc.port;
        assert_int_equal(ask(&mock, HVS_XEN_CHANNEL_ACCEPT, &accepted), HVS_OK);
        bind_virq(&mock, VIRQ_TIMER, 0);
        assert_int_equal(EVTCHN(&mock, init_control, &control), 0);
        assert_int_equal(xen_vcpu_op(&mock, 0, VCPUOP_set_singleshot_timer, 0, far, sizeof(far)), 0);
        how[i](&mock);

        assert_int_equal(mock.ram[SHARED_GPA], 0x77);           /* the RAM beneath */
        assert_int_equal(hvs_vcpu_deadline_ns(mock_vcpu(&mock, 0)), UINT64_MAX);
        assert_int_equal(EVTCHN(&mock, expand_array, &expand), -XEN_EOPNOTSUPP);
        assert_int_equal(HVM(&mock, get_param, &param), 0);
        assert_int_equal(param.value, 0);
        assert_int_equal(xen_vcpu_op(&mock, 0, VCPUOP_register_vcpu_info, 1, &info, sizeof(info)), 0);
        assert_int_equal(bind_virq(&mock, VIRQ_TIMER, 0), accepted.guest_port);
        map_shared(&mock);
        assert_int_equal(ram64(&mock, SHARED_GPA + xen_layout64.pending), 0);
        assert_int_equal(status_of(&mock, offered.guest_port).u.interdomain.port, offered.host_port);
        nr_told = 0;
        assert_int_equal(send(&mock, offered.guest_port), 0);
        assert_int_equal(nr_told, 1);
        assert_int_equal(ask(&mock, HVS_XEN_CHANNEL_SEND, &accepted), HVS_OK);
        assert_int_equal(ram64(&mock, SHARED_GPA + xen_layout64.pending), 0);
        assert_int_equal(ask(&mock, HVS_XEN_CHANNEL_SEND, &offered), HVS_OK);
        assert_int_equal(interrupted(&mock), NOBODY);           /* it has not set its vector yet */
        assert_true(ram64(&mock, SHARED_GPA + xen_layout64.pending) >> offered.guest_port & 1);
        mock_save_load_save(&mock);
        mock_stop(&mock);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_is_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
