/* The tables as data: order and completeness. What the features stand for: test_hv_features.c. */
#include "hv_test.h"

static void rows_are_sorted_and_disjoint(void **state)
{
    const struct hvs_personality *p = &hvs_hv_personality;

    (void)state;
    for (uint32_t i = 0; i < p->nr_msr; i++) {
        assert_true(p->msr[i].first <= p->msr[i].last);
        assert_true(i == 0 || p->msr[i].first > p->msr[i - 1].last);
    }
    for (uint32_t i = 1; i < p->nr_hcall; i++)
        assert_true(p->hcall[i].code > p->hcall[i - 1].code);
}

static void rows_are_complete(void **state)
{
    const struct hvs_personality *p = &hvs_hv_personality;

    (void)state;
    for (uint32_t i = 0; i < p->nr_msr; i++) {
        assert_non_null(p->msr[i].name);
        assert_non_null(p->msr[i].ref);
        assert_true(p->msr[i].read || p->msr[i].write);
        /* what is saved is restored through its setter */
        assert_true(p->msr[i].save == HVS_PHASE_NONE || (p->msr[i].read && p->msr[i].write));
        assert_true(p->msr[i].feature == HVS_FEATURE_ALWAYS || p->msr[i].feature < p->nr_features);
    }
    for (uint32_t i = 0; i < p->nr_hcall; i++) {
        assert_non_null(p->hcall[i].name);
        assert_non_null(p->hcall[i].fn);
        assert_non_null(p->hcall[i].ref);
    }
    for (uint32_t i = 0; i < p->nr_cpuid; i++)
        assert_non_null(p->cpuid[i].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_sorted_and_disjoint),
        cmocka_unit_test(rows_are_complete),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
