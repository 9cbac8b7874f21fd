/*
 * The rows of every personality in the list: that they are well formed, that CPUID shows what they serve, and what
 * follows from an MSR row alone, tried for each. A new personality is tested here without a line of its own.
 *
 * What a row's handler does is its folder's tests' business.
 */
#include <hvshim/translators.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mock.h"

enum {
    CORE_RECORD_IDS = 0xff00,           /* from here on, record ids are the core's [docs/save-format.md] */
    NR_VPS = 2,
};
/* assert_true that names the row. */
#define CHECK(p, row, fact) check(fact, #fact, __LINE__, (p)->name, (row)->name)

static void check(bool is_so, const char *fact, int line, const char *owner, const char *row)
{
    if (!is_so)
        fail_msg("line %d: not so of %s in %s: %s", line, row ? row : "a row without a name", owner, fact);
}

typedef void check_fn(const struct hvs_personality *p);

static void for_each_personality(check_fn *try)
{
    for (const struct hvs_personality *const *p = hvs_personalities; *p; p++)
        try(*p);
}

#define FOR_EACH_PERSONALITY(name) \
    static void test_##name(void **state) \
    { \
        (void)state; \
        for_each_personality(name); \
    }

static bool has_text(const char *text)
{
    return text && *text;
}

/* --- form --------------------------------------------------------------------------------------------------------- */

static bool feature_exists(const struct hvs_personality *p, uint8_t feature)
{
    return feature == HVS_FEATURE_ALWAYS || feature < p->nr_features;
}

static void personality_is_well_formed(const struct hvs_personality *p)
{
    CHECK(p, p, has_text(p->name) && has_text(p->title) && p->id != 0);
    CHECK(p, p, p->place == HVS_PLACE_FIRST || p->place == HVS_PLACE_NEXT);
    CHECK(p, p, p->nr_features <= HVS_MAX_FEATURES);
    CHECK(p, p, p->nr_timers <= HVS_MAX_TIMERS && (p->nr_timers == 0 || p->timer));
    CHECK(p, p, !p->save == !p->load);
    CHECK(p, p, !p->claims_raw || p->hypercall);
    CHECK(p, p, !p->claims_raw || p->raw_feature == HVS_FEATURE_NEVER || feature_exists(p, p->raw_feature));
    for (const struct hvs_personality *const *other = hvs_personalities; *other; other++) {
        if (*other != p)
            CHECK(p, p, strcmp((*other)->name, p->name) != 0 && (*other)->id != p->id);
    }
}
FOR_EACH_PERSONALITY(personality_is_well_formed)

static void msr_rows_are_well_formed(const struct hvs_personality *p)
{
    for (uint32_t i = 0; i < p->nr_msr; i++) {
        const struct hvs_msr_row *row = &p->msr[i];

        CHECK(p, row, has_text(row->name) && has_text(row->ref));
        CHECK(p, row, row->first <= row->last && row->last < UINT32_MAX);
        CHECK(p, row, i == 0 || row[-1].last < row->first);
        CHECK(p, row, feature_exists(p, row->feature));
        CHECK(p, row, row->scope == HVS_SCOPE_VCPU || row->scope == HVS_SCOPE_VM);
        CHECK(p, row, row->max_effects <= HVS_MAX_EFFECTS);
        CHECK(p, row, row->read || row->write);
        CHECK(p, row, row->write || row->reserved == 0);
        CHECK(p, row, row->save < HVS_NR_PHASES);
        CHECK(p, row, row->save == HVS_PHASE_NONE || (row->read && row->write));
    }
}
FOR_EACH_PERSONALITY(msr_rows_are_well_formed)

static void hcall_rows_are_well_formed(const struct hvs_personality *p)
{
    CHECK(p, p, p->nr_hcall == 0 || p->hypercall || p->nr_pio);
    for (uint32_t i = 0; i < p->nr_hcall; i++) {
        const struct hvs_hcall_row *row = &p->hcall[i];
        bool is_rep = row->kind == HVS_HCALL_REP;

        CHECK(p, row, has_text(row->name) && has_text(row->ref) && row->fn);
        CHECK(p, row, i == 0 || row[-1].code < row->code);
        CHECK(p, row, feature_exists(p, row->feature));
        CHECK(p, row, row->scope == HVS_SCOPE_VCPU || row->scope == HVS_SCOPE_VM);
        CHECK(p, row, row->max_effects <= HVS_MAX_EFFECTS);
        CHECK(p, row, is_rep || row->kind == HVS_HCALL_SIMPLE);
        CHECK(p, row, is_rep == (row->elem_in_bytes || row->elem_out_bytes));
        /* the generic routine gives the output block to the elements alone */
        CHECK(p, row, !is_rep || row->out_bytes == 0);
        /* the variable header is read as qwords behind the fixed one */
        CHECK(p, row, !(row->flags & HVS_HCALL_VAR) || row->in_bytes % 8 == 0);
        CHECK(p, row, row->in_bytes <= HVS_PAGE_BYTES && row->out_bytes <= HVS_PAGE_BYTES);
    }
}
FOR_EACH_PERSONALITY(hcall_rows_are_well_formed)

static void pio_rows_are_well_formed(const struct hvs_personality *p)
{
    for (uint32_t i = 0; i < p->nr_pio; i++) {
        const struct hvs_pio_row *row = &p->pio[i];

        CHECK(p, row, has_text(row->name) && has_text(row->ref) && row->fn);
        CHECK(p, row, row->first <= row->last);
        CHECK(p, row, i == 0 || row[-1].last < row->first);
        CHECK(p, row, feature_exists(p, row->feature));
        CHECK(p, row, row->scope == HVS_SCOPE_VCPU || row->scope == HVS_SCOPE_VM);
        CHECK(p, row, row->max_effects <= HVS_MAX_EFFECTS);
    }
}
FOR_EACH_PERSONALITY(pio_rows_are_well_formed)

static const struct hvs_cpuid_row *leaf_of(const struct hvs_personality *p, const struct hvs_cpuid_bit *bit)
{
    for (uint32_t i = 0; i < p->nr_cpuid; i++) {
        if (p->cpuid[i].leaf == bit->leaf && p->cpuid[i].subleaf == bit->subleaf)
            return &p->cpuid[i];
    }
    return NULL;
}

static void cpuid_rows_are_well_formed(const struct hvs_personality *p)
{
    CHECK(p, p, p->nr_cpuid > 0 && p->cpuid[0].leaf == 0 && p->cpuid[0].subleaf == 0);
    for (uint32_t i = 0; i < p->nr_cpuid; i++) {
        const struct hvs_cpuid_row *row = &p->cpuid[i];

        CHECK(p, row, has_text(row->name) && has_text(row->ref));
        CHECK(p, row, i == 0 || row[-1].leaf < row->leaf ||
                          (row[-1].leaf == row->leaf && row[-1].subleaf + 1 == row->subleaf));
        CHECK(p, row, row->subleaf == 0 || i > 0);
    }
}
FOR_EACH_PERSONALITY(cpuid_rows_are_well_formed)

static bool has_row(const struct hvs_personality *p, uint32_t feature)
{
    for (uint32_t i = 0; i < p->nr_msr; i++) {
        if (p->msr[i].feature == feature)
            return true;
    }
    for (uint32_t i = 0; i < p->nr_hcall; i++) {
        if (p->hcall[i].feature == feature)
            return true;
    }
    for (uint32_t i = 0; i < p->nr_pio; i++) {
        if (p->pio[i].feature == feature)
            return true;
    }
    return false;
}

static uint32_t nr_bits(const struct hvs_feature *feature)
{
    uint32_t nr = 0;

    while (nr < HVS_ARRAY_SIZE(feature->bit) && feature->bit[nr].leaf)
        nr++;
    return nr;
}

static bool bit_is_of(const struct hvs_cpuid_bit *bit, const struct hvs_feature *feature)
{
    for (uint32_t b = 0; b < nr_bits(feature); b++) {
        if (&feature->bit[b] != bit && memcmp(&feature->bit[b], bit, sizeof(*bit)) == 0)
            return true;
    }
    return false;
}

static void features_are_well_formed(const struct hvs_personality *p)
{
    uint64_t known = p->nr_features == HVS_MAX_FEATURES ? UINT64_MAX : (1ull << p->nr_features) - 1;

    for (uint32_t f = 0; f < p->nr_features; f++) {
        const struct hvs_feature *feature = &p->feature[f];

        CHECK(p, feature, has_text(feature->name) && has_text(feature->ref));
        CHECK(p, feature, hvs_feature_find(p, feature->name) == (int)f);
        CHECK(p, feature, (feature->needs & ~(known & ~(1ull << f))) == 0);
        CHECK(p, feature, !feature->is_hint || (!has_row(p, f) && nr_bits(feature)));
        /* bits of a feature that has neither rows nor is a hint would never be shown */
        CHECK(p, feature, nr_bits(feature) == 0 || feature->is_hint || has_row(p, f));
        for (uint32_t b = 0; b < nr_bits(feature); b++) {
            const struct hvs_cpuid_bit *bit = &feature->bit[b];
            const struct hvs_cpuid_row *leaf = leaf_of(p, bit);

            CHECK(p, feature, bit->reg <= HVS_EDX && bit->bit < 32);
            CHECK(p, feature, leaf && !(leaf->fixed.reg[bit->reg] >> bit->bit & 1));
            for (uint32_t other = 0; other < p->nr_features; other++)
                CHECK(p, feature, !bit_is_of(bit, &p->feature[other]));
        }
    }
}
FOR_EACH_PERSONALITY(features_are_well_formed)

static void profiles_are_well_formed(const struct hvs_personality *p)
{
    for (uint32_t i = 0; i < p->nr_profiles; i++) {
        CHECK(p, &p->profile[i], has_text(p->profile[i].name) && has_text(p->profile[i].summary));
        CHECK(p, &p->profile[i], hvs_profile_find(p, p->profile[i].name) == &p->profile[i]);
        /* with what each of its features needs, or that feature would go */
        for (uint32_t f = 0; f < p->nr_features; f++) {
            if (p->profile[i].features >> f & 1)
                CHECK(p, &p->feature[f], (p->feature[f].needs & ~p->profile[i].features) == 0);
        }
    }
}
FOR_EACH_PERSONALITY(profiles_are_well_formed)

/* --- VMs to try rows in ------------------------------------------------------------------------------------------- */

/* Says whether a VM without options can have this feature. */
static bool can_have(const struct hvs_personality *p, uint32_t feature)
{
    return feature >= p->nr_features || !p->lacking || !(p->lacking(NULL) >> feature & 1);
}

/* A VM with this personality alone; `on` and `off` beside what is on by default. */
static void start(struct mock *mock, const struct hvs_personality *p, uint64_t on, uint64_t off)
{
    mock_config(mock, (const struct hvs_personality *const[]){p, NULL}, NR_VPS);
    mock->config.caps |= HVS_CAP_RETRY;         /* no exit here runs long enough to be cut */
    mock->config.slot[0].features_on = on;
    mock->config.slot[0].features_off = off;
    assert_int_equal(mock_start(mock), HVS_OK);
    mock_advance(mock, 1000000);
}

static uint64_t all_features(const struct hvs_personality *p)
{
    uint64_t mask = 0;

    for (uint32_t f = 0; f < p->nr_features; f++)
        mask |= (uint64_t)can_have(p, f) << f;
    return mask;
}

static struct hvs_ctx ctx_of(struct mock *mock)
{
    return (struct hvs_ctx){.vm = mock->vm, .vcpu = mock_vcpu(mock, 0), .out = &mock->out};
}

struct stream {
    uint8_t *bytes;
    size_t size;
};

static struct stream save(struct mock *mock)
{
    struct stream stream;

    assert_int_equal(hvs_vm_save(mock->vm, NULL, 0, &stream.size), HVS_ENOSPC);
    stream.bytes = malloc(stream.size);
    assert_non_null(stream.bytes);
    assert_int_equal(hvs_vm_save(mock->vm, stream.bytes, stream.size, &stream.size), HVS_OK);
    return stream;
}

/* The whole state is as it was; frees the earlier picture. */
static bool is_unchanged(struct mock *mock, struct stream before)
{
    struct stream now = save(mock);
    bool is_same = now.size == before.size && memcmp(now.bytes, before.bytes, now.size) == 0;

    free(now.bytes);
    free(before.bytes);
    return is_same;
}

/* --- what a feature takes away and gives -------------------------------------------------------------------------- */

static void without_a_feature_its_rows_are_not_there(const struct hvs_personality *p)
{
    for (uint32_t f = 0; f < p->nr_features; f++) {
        struct mock mock;
        struct hvs_ctx ctx;

        start(&mock, p, 0, 1ull << f);
        ctx = ctx_of(&mock);
        for (uint32_t i = 0; i < p->nr_msr; i++) {
            const struct hvs_msr_row *row = &p->msr[i];

            if (row->feature != f)
                continue;
            CHECK(p, row, mock_rdmsr(&mock, 0, row->first, NULL) == HVS_UNHANDLED);
            CHECK(p, row, mock_rdmsr(&mock, 0, row->last, NULL) == HVS_UNHANDLED);
            CHECK(p, row, mock_wrmsr(&mock, 0, row->first, 0) == HVS_UNHANDLED);
            CHECK(p, row, mock_wrmsr(&mock, 0, row->last, 0) == HVS_UNHANDLED);
        }
        for (uint32_t i = 0; i < p->nr_hcall; i++)
            CHECK(p, &p->hcall[i], p->hcall[i].feature != f || !hvs_hcall_find(&ctx, p->hcall[i].code));
        for (uint32_t i = 0; i < p->nr_pio; i++) {
            if (p->pio[i].feature == f)
                CHECK(p, &p->pio[i], mock_in(&mock, 0, p->pio[i].first, 4) == HVS_UNHANDLED);
        }
        mock_stop(&mock);
    }
}
FOR_EACH_PERSONALITY(without_a_feature_its_rows_are_not_there)

static void with_all_features_every_row_is_there(const struct hvs_personality *p)
{
    struct mock mock;
    struct hvs_ctx ctx;

    start(&mock, p, all_features(p), 0);
    ctx = ctx_of(&mock);
    for (uint32_t i = 0; i < p->nr_hcall; i++) {
        const struct hvs_hcall_row *row = &p->hcall[i];

        CHECK(p, row, hvs_hcall_find(&ctx, row->code) == (can_have(p, row->feature) ? row : NULL));
    }
    mock_stop(&mock);
}
FOR_EACH_PERSONALITY(with_all_features_every_row_is_there)

static bool bit_is_shown(struct mock *mock, const struct hvs_cpuid_bit *bit)
{
    struct hvs_cpuid_regs regs = mock_cpuid(mock, 1, HVS_CPUID_FIRST + bit->leaf, bit->subleaf);

    return regs.reg[bit->reg] >> bit->bit & 1;
}

static void cpuid_shows_what_is_on(const struct hvs_personality *p)
{
    for (uint32_t f = 0; f < p->nr_features; f++) {
        struct mock with, without;

        start(&with, p, all_features(p), 0);
        start(&without, p, 0, 1ull << f);
        for (uint32_t b = 0; b < nr_bits(&p->feature[f]); b++) {
            CHECK(p, &p->feature[f], bit_is_shown(&with, &p->feature[f].bit[b]) == can_have(p, f));
            CHECK(p, &p->feature[f], !bit_is_shown(&without, &p->feature[f].bit[b]));
        }
        mock_stop(&with);
        mock_stop(&without);
    }
}
FOR_EACH_PERSONALITY(cpuid_shows_what_is_on)

/* --- each MSR row ------------------------------------------------------------------------------------------------- */

/* A row may own an index that its VM does not use (Xen's second hypercall page MSR): then nothing of this holds. */
static bool is_in_use(struct mock *mock, const struct hvs_msr_row *row, uint32_t index)
{
    return (row->read ? mock_rdmsr(mock, 0, index, NULL) : mock_wrmsr(mock, 0, index, row->reserved)) !=
           HVS_UNHANDLED;
}

static void wrong_directions_fault(const struct hvs_personality *p)
{
    struct mock mock;

    start(&mock, p, all_features(p), 0);
    for (uint32_t i = 0; i < p->nr_msr; i++) {
        const struct hvs_msr_row *row = &p->msr[i];
        struct stream before;

        if (!can_have(p, row->feature))
            continue;
        before = save(&mock);
        if (!row->read)
            CHECK(p, row, mock_rdmsr(&mock, 0, row->first, NULL) == HVS_FAULT);
        if (!row->write)
            CHECK(p, row, mock_wrmsr(&mock, 0, row->first, 0) == HVS_FAULT);
        CHECK(p, row, (row->read && row->write) || (mock.out.fault_vector == HVS_VECTOR_GP && !mock.out.nr_effects));
        CHECK(p, row, is_unchanged(&mock, before));
    }
    mock_stop(&mock);
}
FOR_EACH_PERSONALITY(wrong_directions_fault)

static void each_reserved_bit_faults(const struct hvs_personality *p)
{
    struct mock mock;

    start(&mock, p, all_features(p), 0);
    for (uint32_t i = 0; i < p->nr_msr; i++) {
        const struct hvs_msr_row *row = &p->msr[i];

        for (uint32_t bit = 0; bit < 64; bit++) {
            struct stream before;

            if (!(row->reserved >> bit & 1) || !can_have(p, row->feature))
                continue;
            before = save(&mock);
            CHECK(p, row, mock_wrmsr(&mock, 1, row->last, 1ull << bit) == HVS_FAULT);
            CHECK(p, row, mock.out.fault_vector == HVS_VECTOR_GP && mock.out.fault_has_code && !mock.out.fault_code);
            CHECK(p, row, mock.out.nr_effects == 0);
            CHECK(p, row, is_unchanged(&mock, before));
        }
    }
    mock_stop(&mock);
}
FOR_EACH_PERSONALITY(each_reserved_bit_faults)

/*
 * Values that a guest may try: done within the row's bound of effects, or refused with nothing changed; and what is
 * state can be loaded again.
 */
static void any_write_is_done_or_refused(const struct hvs_personality *p)
{
    static const uint64_t values[] = {0, 1, 2, 0x1001, 0x20001, 0x30003, 0xff, 1ull << 31, 1ull << 40 | 1, 1ull << 63,
                                      0xfffffffffffff001, UINT64_MAX};
    struct mock mock;

    start(&mock, p, all_features(p), 0);
    for (uint32_t i = 0; i < p->nr_msr * HVS_ARRAY_SIZE(values); i++) {
        const struct hvs_msr_row *row = &p->msr[i / HVS_ARRAY_SIZE(values)];
        uint64_t value = values[i % HVS_ARRAY_SIZE(values)] & ~row->reserved;
        struct stream before;
        enum hvs_verdict verdict;

        if (!row->write || !is_in_use(&mock, row, row->first))
            continue;
        before = save(&mock);
        verdict = mock_wrmsr(&mock, 0, row->first, value);
        CHECK(p, row, verdict == HVS_HANDLED || verdict == HVS_FAULT);
        CHECK(p, row, mock.out.nr_effects <= row->max_effects);
        if (verdict == HVS_HANDLED)
            free(before.bytes);
        else
            CHECK(p, row, is_unchanged(&mock, before));
        mock_save_load_save(&mock);
    }
    mock_stop(&mock);
}
FOR_EACH_PERSONALITY(any_write_is_done_or_refused)

/* --- records ------------------------------------------------------------------------------------------------------ */

static void records_keep_out_of_the_cores_ids(const struct hvs_personality *p)
{
    struct mock mock;
    struct stream stream;

    start(&mock, p, all_features(p), 0);
    stream = save(&mock);
    for (size_t at = sizeof(struct hvs_save_header); at < stream.size;) {
        struct {
            uint32_t personality;
            uint16_t id, version;
            uint32_t vp, bytes;
        } head;

        memcpy(&head, stream.bytes + at, sizeof(head));
        CHECK(p, p, head.personality == 0 || head.personality == p->id);
        CHECK(p, p, head.id < CORE_RECORD_IDS || head.id - CORE_RECORD_IDS <= 1);
        CHECK(p, p, head.id != CORE_RECORD_IDS || head.bytes == 16);
        CHECK(p, p, head.id != CORE_RECORD_IDS + 1 || head.bytes == 16 + HVS_PAGE_BYTES);
        at += sizeof(head) + (head.bytes + 7) / 8 * 8;
    }
    free(stream.bytes);
    mock_stop(&mock);
}
FOR_EACH_PERSONALITY(records_keep_out_of_the_cores_ids)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_personality_is_well_formed),
        cmocka_unit_test(test_msr_rows_are_well_formed),
        cmocka_unit_test(test_hcall_rows_are_well_formed),
        cmocka_unit_test(test_pio_rows_are_well_formed),
        cmocka_unit_test(test_cpuid_rows_are_well_formed),
        cmocka_unit_test(test_features_are_well_formed),
        cmocka_unit_test(test_profiles_are_well_formed),
        cmocka_unit_test(test_without_a_feature_its_rows_are_not_there),
        cmocka_unit_test(test_with_all_features_every_row_is_there),
        cmocka_unit_test(test_cpuid_shows_what_is_on),
        cmocka_unit_test(test_wrong_directions_fault),
        cmocka_unit_test(test_each_reserved_bit_faults),
        cmocka_unit_test(test_any_write_is_done_or_refused),
        cmocka_unit_test(test_records_keep_out_of_the_cores_ids),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
