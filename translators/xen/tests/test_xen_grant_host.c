/* Grants as the host uses them: what the guest allows, in both versions, while the guest may change its mind. */
#define _GNU_SOURCE
#include "grant_test.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <ucontext.h>

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

/* --- a guest that changes its mind at any instruction of ours ---------------------------------------------------- */

/* It takes the grant back by the rules, in steps, and then grants another page. */
static struct {
    struct mock *mock;
    uint32_t version;
    uint32_t begin, gap;        /* our instructions before its first step, and before its third */
    uint32_t clock;             /* of our instructions since the entry was pinned */
    uint32_t step;
    uint32_t nr_revoked;
} guest;

static void guest_steps(void)
{
    const bool is_v1 = guest.version == 1;
    void *entry = is_v1 ? (void *)entry_v1(guest.mock, GRANT_REF) : (void *)entry_v2(guest.mock, GRANT_REF);
    _Atomic uint32_t *header = entry, *frame = header + (is_v1 ? 1 : 2);
    _Atomic uint16_t *status = (_Atomic uint16_t *)(guest.mock->ram + STATUS_GPA) + GRANT_REF;
    uint32_t old = GTF_permit_access;

    switch (guest.step) {
    case 0:
        if (!is_v1)
            atomic_store(header, 0);
        else if (!atomic_compare_exchange_strong(header, &old, 0))
            return;
        guest.step = 1;
        break;
    case 1:
        guest.step = !is_v1 && atomic_load(status) & (GTF_reading | GTF_writing) ? 3 : 2;
        break;
    case 2:
        atomic_store(frame, atomic_load(frame) ^ 1);
        guest.nr_revoked++;
        guest.step = 3;
        break;
    default:
        atomic_store(header, GTF_permit_access);
        guest.step = 0;
    }
}

enum { TRAP_FLAG = 0x100 };

static void on_trap(int number, siginfo_t *info, void *context)
{
    const uint32_t now = guest.clock++;

    (void)number, (void)info;
    if (now == guest.begin + 2 + 2 * guest.gap)         /* it is through */
        ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
    if (now == guest.begin || now == guest.begin + 2 || now == guest.begin + 2 + guest.gap ||
        now == guest.begin + 2 + 2 * guest.gap)
        guest_steps();
}

/* The processor traps behind each instruction from here on. Below the stack pointer is the compiler's. */
static inline void trap_each_instruction(bool is_on)
{
    if (is_on)
        __asm__ volatile("sub $128, %%rsp; pushfq; orq $0x100, (%%rsp); popfq; add $128, %%rsp" ::: "memory", "cc");
    else
        __asm__ volatile("sub $128, %%rsp; pushfq; andq $~0x100, (%%rsp); popfq; add $128, %%rsp" ::: "memory", "cc");
}

static void on_pin(uint64_t gfn)
{
    if (gfn << 12 == (uint64_t)(guest.version == 1 ? TABLE_GPA : STATUS_GPA))
        trap_each_instruction(true);
}

/* What was mapped is what the entry says, it says that it is in use, and the guest cannot take it back. */
static void check_mapped(const struct hvs_xen_grant_map *map)
{
    const uint32_t nr_revoked = guest.nr_revoked;
    uint64_t frame;

    for (uint32_t i = 0; i < 12; i++)
        guest_steps();
    assert_int_equal(guest.nr_revoked, nr_revoked);
    frame = guest.version == 1 ? entry_v1(guest.mock, GRANT_REF)->frame
                               : entry_v2(guest.mock, GRANT_REF)->full_page.frame;
    assert_int_equal(map->gpa >> 12, frame);
    assert_int_equal(in_use(guest.mock, guest.version, GRANT_REF),
                     map->is_writable ? GTF_reading | GTF_writing : GTF_reading);
}

/* Returns false where the guest came first. */
static bool map_meanwhile(uint32_t begin, bool is_writable)
{
    struct hvs_xen_grant_map map;
    int err;

    guest.begin = begin;
    guest.clock = guest.step = guest.nr_revoked = 0;
    guest.mock->on_pin = on_pin;
    err = host_map(guest.mock, GRANT_REF, is_writable, &map);
    trap_each_instruction(false);
    guest.mock->on_pin = NULL;
    while (guest.step)
        guest_steps();
    assert_true(err == HVS_OK || err == HVS_EINVAL);
    if (err) {
        assert_int_equal(in_use(guest.mock, guest.version, GRANT_REF), 0);
        return false;
    }
    check_mapped(&map);
    assert_int_equal(host_unmap(guest.mock, map.handle), HVS_OK);
    while (guest.step)
        guest_steps();
    return true;
}

static void race(uint32_t version, uint32_t gap, bool is_writable)
{
    enum { MAX = 2000, WINDOW = 100 };  /* instructions: before the first at which it matters, and from that on */
    uint32_t nr_mapped = 0, nr_refused = 0;
    struct mock mock;

    start_grants(&mock, version);
    grant(&mock, version, GRANT_REF, 0, GTF_permit_access, PAGE_GPA);
    guest.mock = &mock;
    guest.version = version;
    guest.gap = gap;
    for (uint32_t begin = 0, left = WINDOW; left > 0 && begin < MAX; begin++) {
        if (map_meanwhile(begin, is_writable))
            nr_mapped++;
        else
            nr_refused++;
        left -= nr_refused > 0;
    }
    assert_true(nr_mapped > 0 && nr_refused > 0);
    mock_stop(&mock);
}

static void test_racing_guest(void **state)
{
    struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};

    (void)state;
    assert_int_equal(sigaction(SIGTRAP, &action, NULL), 0);
    for (uint32_t v = 1; v <= 2; v++) {
        race(v, 2, true);
        race(v, 40, false);
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
