/* Save and load: nothing is lost, the guest goes on, and damaged records are refused. */
#include "xen_test.h"

#include <stdlib.h>

enum { TIME_GPA = 0x5000, IPI_PORT = 1, TIMER_PORT, LOCAL_PORT, REMOTE_PORT, CONSOLE_PORT };

static void make_guest(struct mock *mock, uint8_t bits)
{
    const uint64_t time_gpa = TIME_GPA;
    struct vcpu_register_vcpu_info info = {.mfn = INFO_GPA >> 12, .offset = INFO_GPA & 0xfff};
    struct xen_hvm_param param = {.domid = DOMID_SELF, .index = HVM_PARAM_STORE_EVTCHN, .value = 9};
    struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF, .remote_dom = DOMID_SELF};
    struct evtchn_bind_interdomain connect = {.remote_dom = DOMID_SELF, .remote_port = LOCAL_PORT};
    uint64_t deadline[2] = {5000000, 0};

    start(mock, 2);
    mock->regs.code_bits = bits;
    map_shared(mock);
    set_vector(mock, 0);
    set_vector(mock, 1);
    assert_int_equal(xen_vcpu_op(mock, 0, VCPUOP_register_vcpu_info, 1, &info, sizeof(info)), 0);
    assert_int_equal(xen_vcpu_op(mock, 0, VCPUOP_register_vcpu_time_memory_area, 1, &time_gpa, 8), 0);
    assert_int_equal(HVM(mock, set_param, &param), 0);
    assert_int_equal(bind_ipi(mock, 1), IPI_PORT);
    assert_int_equal(bind_virq(mock, VIRQ_TIMER, 1), TIMER_PORT);
    assert_int_equal(EVTCHN(mock, alloc_unbound, &alloc), 0);
    assert_int_equal(EVTCHN(mock, bind_interdomain, &connect), 0);
    assert_int_equal(bind_virq(mock, VIRQ_CONSOLE, 0), CONSOLE_PORT);
    assert_int_equal(xen_vcpu_op(mock, 1, VCPUOP_set_singleshot_timer, 1, deadline, sizeof(deadline)), 0);
    mock_advance(mock, 1000000);
}

static void test_guest_goes_on(void **state)
{
    (void)state;
    for (uint8_t bits = 32; bits <= 64; bits += 32) {
        struct evtchn_bind_virq again = {.virq = VIRQ_TIMER, .vcpu = 1};
        struct xen_hvm_param param = {.domid = DOMID_SELF, .index = HVM_PARAM_STORE_EVTCHN};
        struct mock mock;

        make_guest(&mock, bits);
        memset(mock.ram + INFO_GPA + 0x20, 0, 32);              /* the host writes the time anew */
        memset(mock.ram + TIME_GPA, 0, 32);
        mock_save_load_save(&mock);
        mock_advance(&mock, 1000);
        assert_in_range(pvclock_ns(&mock, INFO_GPA + 0x20), 1000998, 1001001);
        assert_in_range(pvclock_ns(&mock, TIME_GPA), 1000998, 1001001);
        assert_in_range(pvclock_ns(&mock, SHARED_GPA + 0x20), 1000998, 1001001);

        memset(mock.ram + INFO_GPA, 0, 16);
        assert_int_equal(send(&mock, IPI_PORT), 0);
        assert_int_equal(interrupted(&mock), 1);
        assert_int_equal(mock.ram[INFO_GPA], 1);
        assert_int_equal(ram32(&mock, INFO_GPA + (bits == 64 ? 8 : 4)), 1);
        assert_int_equal(status_of(&mock, LOCAL_PORT).u.interdomain.port, REMOTE_PORT);
        assert_int_equal(status_of(&mock, CONSOLE_PORT).u.virq, VIRQ_CONSOLE);
        assert_int_equal(EVTCHN(&mock, bind_virq, &again), -XEN_EEXIST);
        assert_int_equal(HVM(&mock, get_param, &param), 0);
        assert_int_equal(param.value, 9);
        mock_advance(&mock, 5000000);
        assert_int_equal(mock_timer(&mock, 1), HVS_HANDLED);
        assert_true(ram32(&mock, SHARED_GPA + 0x800) >> TIMER_PORT & 1);
        mock_stop(&mock);
    }
}

static void test_empty_guest(void **state)
{
    struct mock mock;

    (void)state;
    start(&mock, 2);
    mock_save_load_save(&mock);
    map_shared(&mock);
    assert_int_equal(bind_ipi(&mock, 0), 1);
    mock_stop(&mock);
}

struct stream {
    uint8_t *bytes;
    size_t size;
};

static struct stream save(struct mock *mock)
{
    struct stream s = {0};

    assert_int_equal(hvs_vm_save(mock->vm, NULL, 0, &s.size), HVS_ENOSPC);
    s.bytes = malloc(s.size);
    assert_non_null(s.bytes);
    assert_int_equal(hvs_vm_save(mock->vm, s.bytes, s.size, &s.size), HVS_OK);
    return s;
}

/* The payload of the n-th record with this id of the personality. */
static uint8_t *find_record(const struct stream *s, uint16_t id, uint32_t n)
{
    for (size_t at = sizeof(struct hvs_save_header); at + 16 <= s->size;) {
        uint32_t personality, bytes;
        uint16_t record_id;

        memcpy(&personality, s->bytes + at, 4);
        memcpy(&record_id, s->bytes + at + 4, 2);
        memcpy(&bytes, s->bytes + at + 12, 4);
        if (personality == hvs_xen_personality.id && record_id == id && n-- == 0)
            return s->bytes + at + 16;
        at += 16 + (bytes + 7) / 8 * 8;
    }
    fail_msg("no such record");
    return NULL;
}

static void test_damaged_records(void **state)
{
    enum { VM = 1, VCPU, PORT, TIMER };
    static const struct {
        uint16_t id, n, at;
        uint16_t value;
    } t[] = {
        {VM, 0, 0, 2},                          /* width */
        {VCPU, 1, 0, 0x41},                     /* vcpu_info: alignment, and over the page's end */
        {VCPU, 1, 0, 0xffc4},
        {VCPU, 1, 8, 0x5002},                   /* time area */
        {VCPU, 1, 8, 0x5fe4},
        {VCPU, 1, 16, 2},
        {VCPU, 1, 23, 2},                       /* polls, or not */
        {PORT, 0, 0, 0},                        /* number */
        {PORT, 0, 0, 4096},
        {PORT, 1, 0, IPI_PORT},                 /* twice */
        {PORT, 2, 4, 4096},                     /* remote port */
        {PORT, 0, 6, 2},                        /* vCPU */
        {PORT, 0, 8, 0},                        /* state */
        {PORT, 0, 8, 6},
        {PORT, 1, 8, 3 | NR_VIRQS << 8},        /* VIRQ number */
        {TIMER, 0, 8, 7},                       /* no such timer */
        {PORT, 4, 8, 3 | VIRQ_TIMER << 8},      /* fine: vCPU 0's timer, though it was the console */
    };
    struct mock mock;
    struct stream s;

    (void)state;
    make_guest(&mock, 64);
    s = save(&mock);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        uint8_t *payload = find_record(&s, t[i].id, t[i].n) + t[i].at;
        uint16_t before;

        memcpy(&before, payload, 2);
        memcpy(payload, &t[i].value, 2);
        assert_int_equal(mock_reset(&mock, 0), HVS_HANDLED);
        assert_int_equal(mock_reset(&mock, 1), HVS_HANDLED);
        assert_int_equal(hvs_vm_load(mock.vm, s.bytes, s.size), i + 1 < HVS_ARRAY_SIZE(t) ? HVS_EFORMAT : HVS_OK);
        memcpy(payload, &before, 2);
    }
    free(s.bytes);
    mock_stop(&mock);
}

/* A pair of ports that do not know each other: closing one leaves the other alone. */
static void test_broken_pair(void **state)
{
    enum { PORT = 3 };
    const uint16_t wrong = IPI_PORT;
    struct evtchn_close args = {.port = LOCAL_PORT};
    struct mock mock;
    struct stream s;

    (void)state;
    make_guest(&mock, 64);
    s = save(&mock);
    memcpy(find_record(&s, PORT, LOCAL_PORT - 1) + 4, &wrong, 2);
    assert_int_equal(mock_reset(&mock, 0), HVS_HANDLED);
    assert_int_equal(mock_reset(&mock, 1), HVS_HANDLED);
    assert_int_equal(hvs_vm_load(mock.vm, s.bytes, s.size), HVS_OK);
    assert_int_equal(EVTCHN(&mock, close, &args), 0);
    assert_int_equal(status_of(&mock, IPI_PORT).status, EVTCHNSTAT_ipi);
    free(s.bytes);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_guest_goes_on),
        cmocka_unit_test(test_empty_guest),
        cmocka_unit_test(test_damaged_records),
        cmocka_unit_test(test_broken_pair),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
