/* physdev_op: what a guest without PIRQs is told. */
#include "xen_test.h"

static void test_refusals(void **state)
{
    static const struct {
        uint16_t domid;
        int32_t type;
        bool has_table;
        int64_t result;
    } t[] = {
        {DOMID_SELF, MAP_PIRQ_TYPE_GSI, false, -XEN_EPERM},
        {1, MAP_PIRQ_TYPE_MSI, true, -XEN_EPERM},
        {0, MAP_PIRQ_TYPE_GSI, false, -XEN_EPERM},
        {2, MAP_PIRQ_TYPE_GSI, false, -XEN_ESRCH},
        {2, MAP_PIRQ_TYPE_MULTI_MSI, false, -XEN_ESRCH},
        {2, MAP_PIRQ_TYPE_MULTI_MSI, true, -XEN_EINVAL},
        {DOMID_SELF, INT32_MAX, true, -XEN_EPERM},
    };
    struct mock mock;

    (void)state;
    start(&mock, 1);
    for (uint8_t bits = 32; bits <= 64; bits += 32) {
        mock.regs.code_bits = bits;
        for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
            struct physdev_map_pirq wide = {.domid = t[i].domid, .type = t[i].type, .table_base = t[i].has_table};
            struct physdev_map_pirq32 narrow = {
                .domid = t[i].domid, .type = t[i].type, .table_base = {0, t[i].has_table}};
            struct physdev_unmap_pirq unmap = {.domid = t[i].domid, .pirq = 16};

            assert_int_equal(xen_op(&mock, 0, __HYPERVISOR_physdev_op, PHYSDEVOP_map_pirq,
                                    bits == 64 ? (void *)&wide : &narrow, bits == 64 ? sizeof(wide) : sizeof(narrow)),
                             t[i].result);
            assert_int_equal(xen_op(&mock, 0, __HYPERVISOR_physdev_op, PHYSDEVOP_unmap_pirq, &unmap, sizeof(unmap)),
                             t[i].domid == 2 ? -XEN_ESRCH : -XEN_EPERM);
        }
    }
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
