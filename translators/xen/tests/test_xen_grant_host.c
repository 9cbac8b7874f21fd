/* Grants as the host uses them: what the guest allows, in both versions, while the guest may change its mind. */
#include "grant_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

static int host_copy(struct mock *mock, uint32_t ref, uint16_t offset, uint16_t bytes, bool to_guest, void *buffer)
{
    struct hvs_xen_grant_copy args = {
        .ref = ref, .offset = offset, .bytes = bytes, .to_guest = to_guest, .buffer = buffer};

    return host_asks(mock, HVS_XEN_GRANT_COPY, &args);
}

static void test_what_the_guest_allows(void **state)
{
    static const struct {
        uint32_t ref;
        uint16_t domid, flags;
        uint64_t gpa;
        int read, write;
    } t[] = {
        {GRANT_REF, 0, GTF_permit_access, PAGE_GPA, HVS_OK, HVS_OK},
        {GRANT_REF, 0, GTF_permit_access | GTF_readonly, PAGE_GPA, HVS_OK, HVS_EINVAL},
        {GRANT_REF, 0, GTF_invalid, PAGE_GPA, HVS_EINVAL, HVS_EINVAL},
        {GRANT_REF, 0, GTF_accept_transfer, PAGE_GPA, HVS_EINVAL, HVS_EINVAL},
        {GRANT_REF, OWN_DOMID, GTF_permit_access, PAGE_GPA, HVS_EINVAL, HVS_EINVAL},
        {GRANT_REF, DOMID_SELF, GTF_permit_access, PAGE_GPA, HVS_EINVAL, HVS_EINVAL},
        {GRANT_REF, 0, GTF_permit_access, BAD_GPA, HVS_EFAULT, HVS_EFAULT},
        {512, 0, GTF_permit_access, PAGE_GPA, HVS_ENOENT, HVS_ENOENT},
        {UINT32_MAX, 0, GTF_permit_access, PAGE_GPA, HVS_ENOENT, HVS_ENOENT},
    };
    struct hvs_xen_grant_map map;
    struct mock mock;

    (void)state;
    for (uint32_t v = 1; v <= 2; v++) {
        start_grants(&mock, v);
        for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
            char buffer[8] = "buffer";

            grant(&mock, v, GRANT_REF, t[i].domid, t[i].flags, t[i].gpa);
            assert_int_equal(host_copy(&mock, t[i].ref, 0, 8, false, buffer), t[i].read);
            assert_int_equal(host_copy(&mock, t[i].ref, 0, 8, true, buffer), t[i].write);
            assert_int_equal(host_map(&mock, t[i].ref, false, &map), t[i].read);
            if (!t[i].read)
                assert_int_equal(host_unmap(&mock, map.handle), HVS_OK);
            assert_int_equal(host_map(&mock, t[i].ref, true, &map), t[i].write);
            if (!t[i].write)
                assert_int_equal(host_unmap(&mock, map.handle), HVS_OK);
            assert_int_equal(in_use(&mock, v, GRANT_REF), 0);
        }
        mock_stop(&mock);
    }
}

/* The entry says for as long as it must that it is read, and that it is written. */
static void test_entry_says_that_it_is_in_use(void **state)
{
    struct hvs_xen_grant_map reader, writer, second;
    struct mock mock;

    (void)state;
    for (uint32_t v = 1; v <= 2; v++) {
        start_grants(&mock, v);
        grant(&mock, v, GRANT_REF, 0, GTF_permit_access, PAGE_GPA);
        assert_int_equal(host_map(&mock, GRANT_REF, false, &reader), HVS_OK);
        assert_int_equal(reader.gpa, PAGE_GPA);
        assert_int_equal(in_use(&mock, v, GRANT_REF), GTF_reading);
        assert_int_equal(host_map(&mock, GRANT_REF, true, &writer), HVS_OK);
        assert_int_equal(host_map(&mock, GRANT_REF, true, &second), HVS_OK);
        assert_int_equal(in_use(&mock, v, GRANT_REF), GTF_reading | GTF_writing);
        assert_int_equal(host_unmap(&mock, writer.handle), HVS_OK);
        assert_int_equal(in_use(&mock, v, GRANT_REF), GTF_reading | GTF_writing);
        assert_int_equal(host_unmap(&mock, writer.handle), HVS_ENOENT);
        assert_int_equal(host_unmap(&mock, second.handle), HVS_OK);
        assert_int_equal(in_use(&mock, v, GRANT_REF), GTF_reading);
        assert_int_equal(host_unmap(&mock, reader.handle), HVS_OK);
        assert_int_equal(in_use(&mock, v, GRANT_REF), 0);
        assert_int_equal(host_unmap(&mock, reader.handle), HVS_ENOENT);
        assert_int_equal(host_unmap(&mock, UINT32_MAX), HVS_ENOENT);
        mock_stop(&mock);
    }
}

/* What the guest changes while it is in use changes nothing, but that it may not be written any more. */
static void test_guest_breaks_the_rules(void **state)
{
    struct hvs_xen_grant_map reader, map;
    struct mock mock;
    char buffer[8] = "x";

    (void)state;
    for (uint32_t v = 1; v <= 2; v++) {
        start_grants(&mock, v);
        grant(&mock, v, GRANT_REF, 0, GTF_permit_access, PAGE_GPA);
        mock.ram[PAGE_GPA] = 0x11;
        mock.ram[OTHER_GPA] = 0x22;
        assert_int_equal(host_map(&mock, GRANT_REF, false, &reader), HVS_OK);
        grant(&mock, v, GRANT_REF, 0, GTF_permit_access, OTHER_GPA);
        assert_int_equal(host_copy(&mock, GRANT_REF, 0, 1, false, buffer), HVS_OK);
        assert_int_equal(buffer[0], 0x11);
        assert_int_equal(host_copy(&mock, GRANT_REF, 0, 1, true, buffer), HVS_EINVAL);
        assert_int_equal(mock.ram[OTHER_GPA], 0x22);
        assert_int_equal(host_map(&mock, GRANT_REF, true, &map), HVS_OK);
        assert_int_equal(map.gpa, PAGE_GPA);
        assert_int_equal(host_unmap(&mock, map.handle), HVS_OK);
        grant(&mock, v, GRANT_REF, 0, GTF_permit_access | GTF_readonly, PAGE_GPA);
        assert_int_equal(host_map(&mock, GRANT_REF, true, &map), HVS_EINVAL);
        grant(&mock, v, GRANT_REF, 5, GTF_invalid, BAD_GPA);
        assert_int_equal(host_map(&mock, GRANT_REF, false, &map), HVS_OK);
        assert_int_equal(map.gpa, PAGE_GPA);
        assert_int_equal(host_unmap(&mock, map.handle), HVS_OK);
        assert_int_equal(host_unmap(&mock, reader.handle), HVS_OK);
        assert_int_equal(host_map(&mock, GRANT_REF, false, &map), HVS_EINVAL);
        mock_stop(&mock);
    }
}

static void test_copy_bounds(void **state)
{
    static uint8_t buffer[4096];
    struct hvs_xen_grant_map map;
    struct mock mock;

    (void)state;
    start_grants(&mock, 2);
    grant(&mock, 2, GRANT_REF, 0, GTF_permit_access, PAGE_GPA);
    for (uint32_t i = 0; i < sizeof(buffer); i++)
        buffer[i] = (uint8_t)(i * 7);
    assert_int_equal(host_copy(&mock, GRANT_REF, 0, 4096, true, buffer), HVS_OK);
    assert_memory_equal(mock.ram + PAGE_GPA, buffer, sizeof(buffer));
    assert_int_equal(host_copy(&mock, GRANT_REF, 4090, 6, false, buffer), HVS_OK);
    assert_memory_equal(mock.ram + PAGE_GPA + 4090, buffer, 6);
    assert_int_equal(host_copy(&mock, GRANT_REF, 4090, 7, false, buffer), HVS_EINVAL);
    assert_int_equal(host_copy(&mock, GRANT_REF, UINT16_MAX, UINT16_MAX, false, buffer), HVS_EINVAL);
    *entry_v2(&mock, GRANT_REF) = (union grant_entry_v2){.sub_page = {
        .hdr = {.flags = GTF_permit_access | GTF_sub_page}, .page_off = 16, .length = 16, .frame = PAGE_GPA >> 12}};
    assert_int_equal(host_copy(&mock, GRANT_REF, 16, 16, false, buffer), HVS_OK);
    assert_int_equal(host_copy(&mock, GRANT_REF, 15, 1, false, buffer), HVS_EINVAL);
    assert_int_equal(host_copy(&mock, GRANT_REF, 17, 16, true, buffer), HVS_EINVAL);
    assert_int_equal(host_map(&mock, GRANT_REF, false, &map), HVS_EINVAL);
    entry_v2(&mock, GRANT_REF)->hdr.flags = GTF_transitive;
    assert_int_equal(host_copy(&mock, GRANT_REF, 16, 16, false, buffer), HVS_EINVAL);
    assert_int_equal(host_map(&mock, GRANT_REF, false, &map), HVS_EINVAL);
    assert_int_equal(in_use(&mock, 2, GRANT_REF), 0);
    mock_stop(&mock);
}

/* 255 uses of one entry for each kind, 1024 in all; a copy still works then. */
static void test_too_many(void **state)
{
    struct hvs_xen_grant_map map;
    struct mock mock;
    char buffer[8];

    (void)state;
    start_grants(&mock, 1);
    for (uint32_t ref = 0; ref < 10; ref++)
        grant(&mock, 1, ref, 0, GTF_permit_access, PAGE_GPA);
    for (uint32_t i = 0; i < 255; i++)
        assert_int_equal(host_map(&mock, 0, true, &map), HVS_OK);
    assert_int_equal(host_map(&mock, 0, true, &map), HVS_EINVAL);
    assert_int_equal(host_copy(&mock, 0, 0, 8, true, buffer), HVS_EINVAL);
    for (uint32_t i = 255; i < 1024; i++)
        assert_int_equal(host_map(&mock, 1 + i % 8, false, &map), HVS_OK);
    assert_int_equal(host_map(&mock, 9, false, &map), HVS_ENOSPC);
    assert_int_equal(host_copy(&mock, 9, 0, 8, true, buffer), HVS_OK);
    assert_int_equal(host_unmap(&mock, 17), HVS_OK);
    assert_int_equal(host_map(&mock, 9, false, &map), HVS_OK);
    assert_int_equal(map.handle, 17);
    assert_int_equal(mock_reset(&mock, 0), HVS_HANDLED);
    assert_int_equal(host_unmap(&mock, 17), HVS_ENOENT);
    mock_stop(&mock);
}

static void test_saved(void **state)
{
    struct hvs_xen_grant_map map[3];
    struct mock mock;

    (void)state;
    for (uint32_t v = 1; v <= 2; v++) {
        start_grants(&mock, v);
        for (uint32_t i = 0; i < 3; i++) {
            grant(&mock, v, 50 + i, 0, GTF_permit_access, PAGE_GPA);
            assert_int_equal(host_map(&mock, 50 + i, i & 1, &map[i]), HVS_OK);
        }
        assert_int_equal(host_unmap(&mock, map[0].handle), HVS_OK);
        mock_save_load_save(&mock);
        assert_int_equal(host_unmap(&mock, map[0].handle), HVS_ENOENT);
        assert_int_equal(in_use(&mock, v, 51), GTF_reading | GTF_writing);
        assert_int_equal(host_unmap(&mock, map[1].handle), HVS_OK);
        assert_int_equal(in_use(&mock, v, 51), 0);
        assert_int_equal(host_unmap(&mock, map[2].handle), HVS_OK);
        assert_int_equal(in_use(&mock, v, 52), 0);
        mock_stop(&mock);
    }
}

#define PAIR(low, high) ((uint64_t)(high) << 32 | (low))

/* Replaces the word behind `before` where it is `was`, and says whether that stream loads still. */
static int load_changed(struct mock *mock, uint64_t before, uint64_t was, uint64_t is)
{
    const uint64_t words[2] = {before, was};
    size_t bytes = 0, at = 0;
    uint8_t *stream;
    int err;

    assert_int_equal(hvs_vm_save(mock->vm, NULL, 0, &bytes), HVS_ENOSPC);
    stream = malloc(bytes);
    assert_non_null(stream);
    assert_int_equal(hvs_vm_save(mock->vm, stream, bytes, &bytes), HVS_OK);
    while (memcmp(stream + at, words, sizeof(words))) {
        at += sizeof(uint64_t);
        assert_true(at + sizeof(words) <= bytes);
    }
    memcpy(stream + at + sizeof(before), &is, sizeof(is));
    assert_int_equal(mock_reset(mock, 0), HVS_HANDLED);
    err = hvs_vm_load(mock->vm, stream, bytes);
    free(stream);
    return err;
}

static void test_damaged(void **state)
{
    enum { GFN = PAGE_GPA >> 12, FRAMES = 11 };
    const uint64_t table_head = PAIR(0, 8), table = PAIR(1, FRAMES), pin = PAIR(0, GRANT_REF);
    const struct {
        uint64_t before, was, is;
        int err;
    } t[] = {
        {GFN, pin, PAIR(1023, GRANT_REF), HVS_OK},
        {GFN, pin, PAIR(1024, GRANT_REF), HVS_EFORMAT},
        {GFN, pin, PAIR(0, FRAMES * 512 - 1), HVS_OK},
        {GFN, pin, PAIR(0, FRAMES * 512), HVS_EFORMAT},
        {pin, 1, 0, HVS_OK},
        {pin, 1, 2, HVS_EFORMAT},
        {table_head, table, PAIR(2, FRAMES), HVS_OK},
        {table_head, table, PAIR(0, FRAMES), HVS_EFORMAT},
        {table_head, table, PAIR(3, FRAMES), HVS_EFORMAT},
        {table_head, table, PAIR(1, 64), HVS_OK},
        {table_head, table, PAIR(1, 65), HVS_EFORMAT},
        {table_head, table, PAIR(1, 0), HVS_EFORMAT},
    };
    struct mock mock;

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        struct hvs_xen_grant_map map;

        start_grants(&mock, 1);
        assert_int_equal(map_page(&mock, DOMID_SELF, XENMAPSPACE_grant_table, FRAMES - 1, OTHER_GPA >> 12), 0);
        grant(&mock, 1, GRANT_REF, 0, GTF_permit_access, PAGE_GPA);
        assert_int_equal(host_map(&mock, GRANT_REF, true, &map), HVS_OK);
        assert_int_equal(load_changed(&mock, t[i].before, t[i].was, t[i].is), t[i].err);
        mock_stop(&mock);
    }
}

/* --- a guest that changes its mind at any time -------------------------------------------------------------------- */

struct racer {
    struct mock *mock;
    uint32_t version;
    _Atomic uint32_t *header, *frame;
    atomic_bool is_done;
};

/* By the rules: takes the grant back only where it is not in use. */
static bool revoke(struct racer *racer, _Atomic uint32_t *header)
{
    _Atomic uint16_t *status = (_Atomic uint16_t *)(racer->mock->ram + STATUS_GPA) + GRANT_REF;
    uint32_t old = GTF_permit_access;

    if (racer->version == 1)
        return atomic_compare_exchange_strong(header, &old, 0);
    atomic_store(header, 0);
    atomic_thread_fence(memory_order_seq_cst);
    if (!(atomic_load(status) & (GTF_reading | GTF_writing)))
        return true;
    atomic_store(header, GTF_permit_access);
    return false;
}

/* Then it grants another page. */
static void *take_back(void *arg)
{
    struct racer *racer = arg;
    uint32_t page = 0;

    while (!atomic_load(&racer->is_done)) {
        if (!revoke(racer, racer->header))
            continue;
        page ^= 1;
        atomic_store(racer->frame, (PAGE_GPA >> 12) + page);
        atomic_store(racer->header, GTF_permit_access);
    }
    return NULL;
}

static void test_racing_guest(void **state)
{
    (void)state;
    for (uint32_t v = 1; v <= 2; v++) {
        struct racer racer = {.version = v};
        struct hvs_xen_grant_map map;
        struct mock mock;
        pthread_t thread;

        start_grants(&mock, v);
        grant(&mock, v, GRANT_REF, 0, GTF_permit_access, PAGE_GPA);
        racer.mock = &mock;
        racer.header = v == 1 ? (void *)entry_v1(&mock, GRANT_REF) : (void *)entry_v2(&mock, GRANT_REF);
        racer.frame = racer.header + (v == 1 ? 1 : 2);
        assert_int_equal(pthread_create(&thread, NULL, take_back, &racer), 0);
        for (uint32_t i = 0; i < 20000; i++) {
            if (host_map(&mock, GRANT_REF, i & 1, &map))
                continue;
            for (uint32_t n = 0; n < 10; n++)   /* the guest may not have changed it since */
                assert_int_equal(atomic_load(racer.frame), map.gpa >> 12);
            assert_int_equal(host_unmap(&mock, map.handle), HVS_OK);
        }
        atomic_store(&racer.is_done, true);
        pthread_join(thread, NULL);
        assert_int_equal(in_use(&mock, v, GRANT_REF), 0);
        mock_stop(&mock);
    }
}

static void test_without_the_feature(void **state)
{
    struct hvs_xen_grant_map map;
    struct mock mock;

    (void)state;
    start(&mock, 1);            /* this backend cannot have an instruction executed again */
    assert_int_equal(host_map(&mock, 0, false, &map), HVS_ENOTSUP);
    assert_int_equal(host_unmap(&mock, 0), HVS_ENOTSUP);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_the_guest_allows),
        cmocka_unit_test(test_entry_says_that_it_is_in_use),
        cmocka_unit_test(test_guest_breaks_the_rules),
        cmocka_unit_test(test_copy_bounds),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_saved),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_racing_guest),
        cmocka_unit_test(test_without_the_feature),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
