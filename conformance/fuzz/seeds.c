/*
 * Writes the seeds of the fuzzer: for every row of every personality a short life of a guest that uses it.
 *
 * usage: fuzz_seeds DIRECTORY
 */
#include "machine.h"
#include "stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hvshim/personality.h>
#include <hvshim/translators.h>
#include <hvshim/xen.h>
#include <hvshim/vmware.h>
#include <hvshim/xen.h>

#include "../../translators/xen/xen_abi.h"

enum { RETRY_CAP = 1 };         /* in the fourth byte */
enum { MAX_SEED = 4096, IN_GPA = 0x8000, OUT_GPA = 0x9000, HYPERCALL_PAGE = 5 };

struct seed {
    uint8_t byte[MAX_SEED];
    size_t used;
};
static const char *directory;
static uint32_t nr_seeds;

static void put(struct seed *seed, uint64_t value, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes && seed->used < MAX_SEED; i++)
        seed->byte[seed->used++] = (uint8_t)(value >> (8 * i));
}

static void put_number(struct seed *seed, uint64_t value)
{
    put(seed, FUZZ_QUAD, 1);
    put(seed, value, 8);
}

static void op(struct seed *seed, enum fuzz_op kind, uint32_t vp)
{
    put(seed, kind, 1);
    put(seed, vp, 1);
}

static void wrmsr(struct seed *seed, uint32_t vp, uint32_t index, uint64_t value)
{
    op(seed, FUZZ_MSR_RAW, vp);
    put(seed, index, 4);
    put_number(seed, value);
}

static void pass(struct seed *seed, uint32_t ms)
{
    op(seed, FUZZ_TIME, 0);
    put(seed, (uint64_t)ms * 1000000 >> 8, 4);
}

static void fill(struct seed *seed, uint32_t gpa, const void *from, uint32_t bytes)
{
    op(seed, FUZZ_MEMORY, 0);
    put(seed, gpa, 3);
    put(seed, bytes, 1);
    for (uint32_t i = 0; i < bytes; i++)
        put(seed, ((const uint8_t *)from)[i], 1);
}

static void save_load(struct seed *seed)
{
    op(seed, FUZZ_SAVE_LOAD, 0);
    put(seed, 0, 1);
}

static struct seed begin(enum fuzz_set set)
{
    struct seed seed = {.used = 0};

    put(&seed, set, 1);
    put(&seed, 1, 1);           /* two VPs */
    put(&seed, FUZZ_EVERYTHING, 1);
    put(&seed, 0, 1);
    for (uint32_t i = 0; i < HVS_MAX_SLOTS; i++)
        put(&seed, 0, 8);
    return seed;
}

static void end(const struct seed *seed)
{
    char name[512];

    snprintf(name, sizeof(name), "%s/seed-%03u", directory, nr_seeds++);
    FILE *file = fopen(name, "wb");
    if (!file || fwrite(seed->byte, 1, seed->used, file) != seed->used || fclose(file) != 0) {
        perror(name);
        exit(1);
    }
}

/* --- Hyper-V ------------------------------------------------------------------------------------------------------ */

static void hv_guest(struct seed *seed)
{
    wrmsr(seed, 0, 0x40000000, 0x8100060100000000);
    wrmsr(seed, 0, 0x40000001, HYPERCALL_PAGE << 12 | 1);
    for (uint32_t vp = 0; vp < 2; vp++) {
        wrmsr(seed, vp, 0x40000073, (uint64_t)(0x10 + vp) << 12 | 1);
        wrmsr(seed, vp, 0x40000082, (uint64_t)(0x12 + vp) << 12 | 1);
        wrmsr(seed, vp, 0x40000083, (uint64_t)(0x14 + vp) << 12 | 1);
        wrmsr(seed, vp, 0x40000092, 0x30);
        wrmsr(seed, vp, 0x40000080, 1);
    }
}

static void hv_msrs(void)
{
    const struct hvs_personality *p = &hvs_hv_personality;

    for (uint32_t i = 0; i < p->nr_msr; i++) {
        struct seed seed = begin(FUZZ_HYPERV);
        hv_guest(&seed);
        for (uint32_t index = p->msr[i].first; index <= p->msr[i].last; index++) {
            wrmsr(&seed, 0, index, 0x30);
            wrmsr(&seed, 1, index, 6 << 12 | 1);
        }
        pass(&seed, 20);
        save_load(&seed);
        end(&seed);
    }
}

static void hv_call(struct seed *seed, uint32_t row, uint32_t flags, uint32_t var, uint32_t count)
{
    op(seed, FUZZ_CALL, 0);
    put(seed, 0, 1);
    put(seed, row, 1);
    put(seed, flags, 1);
    put(seed, var, 1);
    put(seed, count, 2);
    put(seed, 0, 2);
    put_number(seed, flags & FUZZ_CALL_FAST ? 3 : IN_GPA);
    put_number(seed, flags & FUZZ_CALL_FAST ? 1 : OUT_GPA);
}

static void hv_calls(void)
{
    static const uint64_t plain[] = {0x1000, 3, 1, 1, 1, 0x200003, 0x400000};
    static const uint64_t self[] = {UINT64_MAX, 0xfffffffe, 0x0009000300090003, 0, 0, 0, 0};
    static const uint64_t ipi[] = {0x30, 1, 1, 1, 1};
    const struct hvs_personality *p = &hvs_hv_personality;

    for (uint32_t i = 0; i < p->nr_hcall; i++) {
        const struct hvs_hcall_row *row = &p->hcall[i];
        uint32_t count = row->kind == HVS_HCALL_REP ? 2 : 0, var = row->flags & HVS_HCALL_VAR ? 1 : 0;
        struct seed seed = begin(FUZZ_HYPERV);

        hv_guest(&seed);
        fill(&seed, IN_GPA, plain, sizeof(plain));
        hv_call(&seed, i, 0, var, count);
        fill(&seed, IN_GPA, self, sizeof(self));
        hv_call(&seed, i, 0, var, count);
        fill(&seed, IN_GPA, ipi, sizeof(ipi));
        hv_call(&seed, i, 0, var, count);
        op(&seed, FUZZ_XMM, 0);
        for (uint32_t k = 0; k < 12; k++)
            put(&seed, plain[2 + k % 4], 8);
        hv_call(&seed, i, FUZZ_CALL_FAST, var, count);
        save_load(&seed);
        end(&seed);
    }
}

static void hv_timers(void)
{
    for (uint32_t n = 0; n < 4; n++) {
        struct seed seed = begin(FUZZ_HYPERV);

        hv_guest(&seed);
        wrmsr(&seed, 0, 0x400000b1 + 2 * n, 100000);
        wrmsr(&seed, 0, 0x400000b0 + 2 * n, 0x1301);            /* direct, vector 0x30 */
        wrmsr(&seed, 1, 0x400000b1 + 2 * n, 50000);
        wrmsr(&seed, 1, 0x400000b0 + 2 * n, 0x20003);           /* periodic, to SINT 2 */
        pass(&seed, 7);
        pass(&seed, 7);
        save_load(&seed);
        wrmsr(&seed, 1, 0x40000084, 0);
        pass(&seed, 20);
        wrmsr(&seed, 0, 0x400000b1 + 2 * n, 10000000);
        wrmsr(&seed, 0, 0x400000b0 + 2 * n, 0x1309);            /* again, and then at once */
        wrmsr(&seed, 0, 0x400000b1 + 2 * n, 1);
        wrmsr(&seed, 0, 0x40000092, 0x9);
        wrmsr(&seed, 0, 0x400000b0 + 2 * n, 0x20008);
        wrmsr(&seed, 0, 0x400000b1 + 2 * n, 1);
        end(&seed);
    }
}

static void hv_host(void)
{
    struct seed seed = begin(FUZZ_HYPERV);
    uint8_t message[64] = {2, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 16};

    hv_guest(&seed);
    for (uint32_t request = 0; request < 8; request++) {
        op(&seed, FUZZ_HOST, request & 1);
        put(&seed, request, 1);
        put(&seed, sizeof(message), 1);
        for (uint32_t i = 0; i < sizeof(message); i++)
            put(&seed, message[i], 1);
    }
    save_load(&seed);
    wrmsr(&seed, 0, 0x40000084, 0);
    end(&seed);
}

/* --- Xen, VMware -------------------------------------------------------------------------------------------------- */

static void xen_calls(enum fuzz_set set, uint32_t slot)
{
    const struct hvs_personality *p = &hvs_xen_personality;
    static const uint64_t structure[] = {0x7ff0, 1, 0x8000, 2, 3, 4};

    for (uint32_t i = 0; i < p->nr_hcall; i++) {
        struct seed seed = begin(set);

        seed.byte[3] = RETRY_CAP;
        wrmsr(&seed, 0, slot ? 0x40000200 : 0x40000000, HYPERCALL_PAGE << 12);
        for (uint32_t round = 0; round < 4; round++) {
            fill(&seed, IN_GPA, structure, sizeof(structure));
            op(&seed, FUZZ_XEN_CALL, round & 1);
            put(&seed, slot, 1);
            put(&seed, i, 1);
            put(&seed, round == 2 ? 0x20 : round == 3 ? FUZZ_XEN_CALL_SIGNAL : 0, 1);
            put_number(&seed, round);
            put_number(&seed, round == 2 ? 0 : IN_GPA);
            put_number(&seed, round == 1 ? 1 : IN_GPA);
            put_number(&seed, 1);
            put_number(&seed, 0);
        }
        pass(&seed, 10);
        save_load(&seed);
        end(&seed);
    }
}

/* One call by its number, with a structure at IN_GPA. */
static void xen_call(struct seed *seed, uint32_t code, const void *structure, uint32_t bytes, uint32_t flags)
{
    const struct hvs_personality *p = &hvs_xen_personality;
    uint32_t row = 0;

    while (row < p->nr_hcall && p->hcall[row].code != code)
        row++;
    fill(seed, IN_GPA, structure, bytes);
    op(seed, FUZZ_XEN_CALL, 0);
    put(seed, 0, 1);
    put(seed, row, 1);
    put(seed, flags, 1);
    put_number(seed, 0);
    put_number(seed, IN_GPA);
    put_number(seed, 1);
    put_number(seed, 0);
    put_number(seed, 0);
}

static void xen_host(struct seed *seed, uint32_t request, uint64_t a, uint64_t b, uint64_t c)
{
    op(seed, FUZZ_XEN_HOST, 0);
    put(seed, request, 1);
    put_number(seed, a);
    put_number(seed, b);
    put_number(seed, c);
}

/* A channel whose events raise a signal, sent to by the instruction for that when it does not, and closed. */
static void xen_signals(void)
{
    enum { SIGNAL = HVS_XEN_CONSOLE_LOOK + 1, GUEST_PORT = 3, HOST_PORT = 3 };
    const uint32_t port = GUEST_PORT;
    struct seed seed = begin(FUZZ_XEN);

    seed.byte[3] = RETRY_CAP;
    xen_host(&seed, HVS_XEN_CHANNEL_OFFER, 0, 0, 0);
    xen_host(&seed, SIGNAL, 0, HOST_PORT, 2);
    xen_call(&seed, 32 << 16 | 4, &port, sizeof(port), FUZZ_XEN_CALL_SIGNAL);
    xen_host(&seed, SIGNAL, 0, HOST_PORT, 0);
    save_load(&seed);
    xen_host(&seed, SIGNAL, 0, HOST_PORT, 3);
    xen_call(&seed, 32 << 16 | 3, &port, sizeof(port), 0);
    xen_host(&seed, HVS_XEN_CHANNEL_CLOSE, 0, HOST_PORT, 0);
    end(&seed);
}

/* A grant table in place, a grant in it, and the host at work with it while the guest changes it. */
static void xen_grants(uint32_t version)
{
    enum { MEMORY = 12 << 16, GRANTS = 20 << 16, TABLE = 0x20, STATUS = 0x22, PAGE = 0x30, REF = 3 };
    const uint64_t shared[] = {0x7ff0 | 1ull << 32, 0, TABLE};
    const uint64_t status[] = {0x7ff0 | 1ull << 32, 1u << 31, STATUS};
    const uint64_t entry1 = 1 | (uint64_t)PAGE << 32, entry2[] = {1, PAGE};
    const uint64_t copy[] = {REF, 0x7ff0, PAGE + 1, 0x7ff0, 16 | 1u << 16};
    const uint32_t swap[] = {REF, REF + 1, 0};
    struct seed seed = begin(FUZZ_XEN);

    seed.byte[3] = RETRY_CAP;
    xen_call(&seed, GRANTS | 8, &version, sizeof(version), 0);
    xen_call(&seed, MEMORY | 7, shared, sizeof(shared), 0);
    xen_call(&seed, MEMORY | 7, status, sizeof(status), 0);
    fill(&seed, TABLE << 12 | REF * (version == 1 ? 8 : 16), version == 1 ? &entry1 : entry2, version == 1 ? 8 : 16);
    for (uint32_t race = 0; race < 4; race++) {
        op(&seed, FUZZ_RACE, 0);
        put(&seed, race, 1);
        xen_host(&seed, HVS_XEN_GRANT_MAP, REF, 1, 0);
        xen_host(&seed, HVS_XEN_GRANT_COPY, REF, 64 << 16, race);
        save_load(&seed);
        xen_call(&seed, GRANTS | 5, copy, sizeof(copy), 0);
        xen_call(&seed, GRANTS | 11, swap, sizeof(swap), 0);
        xen_host(&seed, HVS_XEN_GRANT_UNMAP, 0, 0, 0);
        xen_call(&seed, GRANTS | 11, swap, sizeof(swap), 0);
    }
    end(&seed);
}

/* '|' stands for NUL. */
static void put_text(struct seed *seed, const char *text)
{
    put(seed, strlen(text), 1);
    for (; *text; text++)
        put(seed, *text == '|' ? 0 : (uint8_t)*text, 1);
}

static void store_request(struct seed *seed, uint32_t flags, uint32_t type, uint32_t tx, const char *payload)
{
    op(seed, FUZZ_STORE, 0);
    put(seed, flags, 1);
    put(seed, type, 1);
    put(seed, tx, 1);
    put_text(seed, payload);
}

static void store_host(struct seed *seed, uint32_t request, uint32_t path_bytes, const char *text)
{
    op(seed, FUZZ_STORE_HOST, 0);
    put(seed, request - HVS_XEN_STORE_READ, 1);
    put_number(seed, path_bytes | 0xff00);
    put_text(seed, text);
}

static void xen_store(enum fuzz_set set)
{
    static const struct {
        uint32_t type;
        const char *payload;
    } t[] = {
        {XS_WATCH, "data|token|"}, {XS_WATCH, "@releaseDomain|t|"}, {XS_WRITE, "data/a/b|value"},
        {XS_READ, "data/a/b|"}, {XS_WRITE, "vm-data/x|shared"}, {XS_MKDIR, "data/c|"}, {XS_DIRECTORY, "data|"},
        {XS_DIRECTORY, "vm-data|"},
        {XS_DIRECTORY_PART, "/local/domain/1|3|"}, {XS_GET_PERMS, "data/a|"}, {XS_SET_PERMS, "data/a|n1|r0|b2|"},
        {XS_RM, "data/a|"}, {XS_RM, "vm-data|"}, {XS_GET_DOMAIN_PATH, "1|"}, {XS_IS_DOMAIN_INTRODUCED, "0|"},
        {XS_UNWATCH, "data|token|"}, {XS_CONTROL, "help|"}, {XS_WRITE, "name|not allowed"},
    };
    struct seed seed = begin(set);

    seed.byte[3] = RETRY_CAP;
    for (uint32_t tx = 0; tx < 2; tx++) {
        for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
            store_request(&seed, 0, t[i].type, tx, t[i].payload);
        save_load(&seed);
        store_request(&seed, 0, XS_TRANSACTION_START, 0, "|");
        store_request(&seed, 0, XS_TRANSACTION_START, 0, "|");
    }
    store_host(&seed, HVS_XEN_STORE_WRITE, 4, "attr1");
    store_request(&seed, 0, XS_READ, 2, "attr|");
    store_host(&seed, HVS_XEN_STORE_WRITE, 4, "attr2");
    save_load(&seed);
    store_request(&seed, 0, XS_TRANSACTION_END, 1, "T|");
    store_request(&seed, 0, XS_TRANSACTION_END, 2, "T|");
    for (uint32_t request = HVS_XEN_STORE_READ; request <= HVS_XEN_STORE_SET_PERMS; request++)
        store_host(&seed, request, 4, "data|n1|");
    end(&seed);

    seed = begin(set);
    for (uint32_t i = 0; i < 40; i++)
        store_request(&seed, FUZZ_STORE_KEEP_REPLIES | (i % 8 ? FUZZ_STORE_NO_EVENT : 0), XS_DIRECTORY, 0, "/|");
    op(&seed, FUZZ_RACE, 0);
    put(&seed, 0x11, 1);
    store_request(&seed, 0, XS_WRITE, 0, "data/x|1");
    store_request(&seed, FUZZ_STORE_OTHER_INDEX, XS_READ, 0, "data/x|");
    put(&seed, 1, 1);
    put_number(&seed, 0x5000);
    store_request(&seed, FUZZ_STORE_RECONNECT, XS_READ, 0, "name|");
    store_request(&seed, FUZZ_STORE_OTHER_LENGTH, XS_READ, 0, "name|");
    put(&seed, 0x1001, 2);
    pass(&seed, 1);
    end(&seed);
}

static void vmware_calls(void)
{
    const struct hvs_personality *p = &hvs_vmw_personality;

    for (uint32_t i = 0; i < p->nr_hcall; i++) {
        struct seed seed = begin(FUZZ_VMWARE);

        pass(&seed, 10);                        /* so that clocks tell something */
        for (uint32_t flags = 0; flags < 0x60; flags += 0x11) {
            op(&seed, FUZZ_BACKDOOR, 0);
            put(&seed, i, 1);
            put(&seed, flags, 1);
            put_number(&seed, 0x49435052);      /* what opens a channel, elsewhere any number */
            put_number(&seed, IN_GPA);
            put_number(&seed, flags);
            put_number(&seed, 0);
        }
        save_load(&seed);
        end(&seed);
    }
}

static void rpc(struct seed *seed, uint32_t type, uint32_t flags, uint64_t number, uint64_t gva)
{
    op(seed, FUZZ_RPC, 0);
    put(seed, type, 1);
    put(seed, flags, 1);
    put_number(seed, number);
    put_number(seed, gva);
}

/* A request in words or as a block, and its reply likewise. */
static void rpci(struct seed *seed, uint32_t channel, const char *request, bool is_block)
{
    uint32_t bytes = (uint32_t)strlen(request), word = 0;

    rpc(seed, 1, channel, bytes, 0);
    if (is_block) {
        fill(seed, IN_GPA, request, bytes);
        rpc(seed, 0, channel | FUZZ_RPC_BLOCK, bytes, IN_GPA);
    }
    for (uint32_t at = 0; !is_block && at < bytes; at += 4, word = 0) {
        memcpy(&word, request + at, bytes - at < 4 ? bytes - at : 4);
        rpc(seed, 2, channel, word, 0);
    }
    rpc(seed, 3, channel, 0, 0);
    if (is_block)
        rpc(seed, 0, channel | FUZZ_RPC_BLOCK | FUZZ_RPC_IN, 2, OUT_GPA);
    else
        rpc(seed, 4, channel, 1, 0);
    rpc(seed, 5, channel, 1, 0);
}

static void vmw_host(struct seed *seed, uint32_t request, uint64_t a, uint64_t b, const char *text)
{
    op(seed, FUZZ_VMW_HOST, 0);
    put(seed, request, 1);
    put_number(seed, a);
    put_number(seed, b);
    put(seed, strlen(text), 1);
    for (; *text; text++)
        put(seed, (uint8_t)*text, 1);
}

static void vmware_rpcs(void)
{
    static const char *const requests[] = {
        "log hello", "info-set guestinfo.a b", "info-get guestinfo.a", "machine.id.get",
        "tools.capability.statechange ", "Capabilities_Register", "vmx.capability.unified_loop toolbox",
        "SetGuestInfo  4 1.2.3", "nonsense",
    };

    for (uint32_t how = 0; how < 2; how++) {
        struct seed seed = begin(FUZZ_VMWARE);

        rpc(&seed, 0, 0, 0xc9435052, 0);
        for (size_t i = 0; i < HVS_ARRAY_SIZE(requests); i++)
            rpci(&seed, 0, requests[i], how);
        save_load(&seed);
        rpci(&seed, 0, requests[0], how);
        rpc(&seed, 6, 0, 0, 0);
        end(&seed);

        seed = begin(FUZZ_VMWARE);
        vmw_host(&seed, HVS_VMW_GUESTINFO_SET, 1, 0, "kv");
        vmw_host(&seed, HVS_VMW_GUESTINFO_GET, 1, 100, "k");
        rpc(&seed, 0, 1, 0xcf4c4354, 0);
        rpci(&seed, 1, "", how);
        vmw_host(&seed, HVS_VMW_TCLO_SEND, 0, 0, "OS_Halt");
        rpci(&seed, 1, "", how);
        save_load(&seed);
        vmw_host(&seed, HVS_VMW_TCLO_CANCEL, 0, 0, "");
        rpci(&seed, 1, "OK ", how);
        end(&seed);
    }
}

static void vmware_devices(void)
{
    struct seed seed = begin(FUZZ_VMWARE);

    vmw_host(&seed, HVS_VMW_BALLOON, 600, 0, "");
    for (uint32_t command = 0; command < 10; command++) {
        op(&seed, FUZZ_BACKDOOR, 0);
        put(&seed, 0, 1);
        put(&seed, command << 4 | FUZZ_BALLOON, 1);
        put_number(&seed, command ? OUT_GPA >> 12 : 0x6);
        put_number(&seed, 1);
        put_number(&seed, 0);
        put_number(&seed, 0);
    }
    vmw_host(&seed, HVS_VMW_POINTER, 100, 200, "12");
    vmw_host(&seed, HVS_VMW_POINTER, 1, 2, "123");
    save_load(&seed);
    end(&seed);
}

/* The console's ring, and the ports. */
static void xen_devices(void)
{
    enum { OUT_PROD_GPA = FUZZ_RAM_BYTES - 3 * HVS_PAGE_BYTES + 0xc0c };
    struct seed seed = begin(FUZZ_XEN);

    seed.byte[3] = RETRY_CAP;
    op(&seed, FUZZ_MEMORY, 0);
    put(&seed, OUT_PROD_GPA, 3);
    put(&seed, 4, 1);
    put(&seed, 5, 4);
    for (uint32_t request = HVS_XEN_CHANNEL_OFFER; request <= HVS_XEN_CONSOLE_LOOK; request++) {
        op(&seed, FUZZ_XEN_HOST, 0);
        put(&seed, request, 1);
        for (uint32_t i = 0; i < 3; i++)
            put_number(&seed, 1);
    }
    for (uint32_t which = 0; which < 8; which++) {
        op(&seed, FUZZ_PIO, 0);
        put(&seed, which, 1);
        put(&seed, which / 2, 1);
        put(&seed, which % 4, 1);
        put(&seed, 20, 2);
        put_number(&seed, 'x');
        put_number(&seed, 0x1000);
    }
    save_load(&seed);
    end(&seed);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
        return 2;
    }
    directory = argv[1];
    hv_msrs();
    hv_calls();
    hv_timers();
    hv_host();
    xen_calls(FUZZ_XEN, 0);
    xen_calls(FUZZ_HYPERV_XEN, 1);
    xen_signals();
    xen_grants(1);
    xen_grants(2);
    xen_devices();
    xen_store(FUZZ_XEN);
    xen_store(FUZZ_ALL);
    vmware_calls();
    vmware_rpcs();
    vmware_devices();
    return 0;
}
