/*
 * Xen under the fuzzer: hypercalls by its convention, xenstore's ring, the host's callbacks and requests.
 */
#include "fuzz.h"

#include <string.h>

#include <hvshim/translators.h>
#include <hvshim/xen.h>

#include "../../translators/xen/xen_abi.h"

enum {
    SPECIAL_GFN = FUZZ_RAM_BYTES / HVS_PAGE_BYTES - HVS_XEN_NR_SPECIAL_PAGES,
    NR_PLAIN_REQUESTS = HVS_XEN_CONSOLE_LOOK + 1,       /* xenstore's, behind them, are an operation of their own */
    MOST_HOST_PORTS = 4096,
};

/* --- callbacks ---------------------------------------------------------------------------------------------------- */

static void unplugged(void *ctx, uint16_t what)
{
    (void)ctx;
    FUZZ_MUST(what && what < HVS_XEN_UNPLUG_NVME << 1);
}

static bool drivers_allowed(void *ctx, uint16_t product, uint32_t build)
{
    (void)ctx;
    return (product ^ build) & 1;
}

static uint32_t console_written(void *ctx, const char *text, uint32_t bytes)
{
    (void)ctx;
    FUZZ_MUST(bytes > 0 && bytes <= 2048);
    return text[0] & 1 ? bytes : bytes - (uint8_t)text[bytes - 1] % bytes;
}

static void console_has_room(void *ctx)
{
    (void)ctx;
}

static void event_came(void *ctx, uint32_t host_port)
{
    (void)ctx;
    FUZZ_MUST(host_port > 0 && host_port < MOST_HOST_PORTS);
}

/* Meanwhile other vCPUs change the indices of the ring. */
static void store_changed(void *ctx, struct hvs_text path)
{
    (void)ctx;
    FUZZ_MUST(path.bytes > 0 && path.text[0] == '/');
    fuzz_read_text(path);
    for (uint32_t i = 2048; fuzz_running->race && i < 2048 + sizeof(uint32_t) * 7; i += 3)
        fuzz_running->ram[SPECIAL_GFN * HVS_PAGE_BYTES + i] ^= fuzz_running->race;
}

const struct hvs_xen_options fuzz_xen_options = {
    .size = sizeof(fuzz_xen_options),
    .special_gfn = SPECIAL_GFN,
    .unplug = unplugged,
    .allows_drivers = drivers_allowed,
    .on_event = event_came,
    .on_console = console_written,
    .on_console_room = console_has_room,
    .on_store = store_changed,
};

/* --- hypercalls --------------------------------------------------------------------------------------------------- */

/* By Xen's convention: the number, then the sub-operation where there is one. */
void fuzz_xen_call(struct fuzz *fuzz, uint32_t vp)
{
    struct fuzz_input *input = &fuzz->input;
    struct hvs_regs regs = fuzz->mode;
    uint8_t slot = fuzz_choose_slot(fuzz);
    uint32_t code = fuzz_choose_code(fuzz, slot);
    uint64_t flags = fuzz_take(input, 1), arg[5];

    for (uint32_t i = 0; i < 5; i++)
        arg[i] = fuzz_take_number(input);
    if (flags & FUZZ_CALL_OTHER_CODE)
        code ^= (uint32_t)flags << 13;
    if ((code & 0xffff) != HVS_NO_SUBOP)
        arg[flags & 0x20 ? 1 : 0] = code & 0xffff;
    regs.rax = code >> 16;
    if (regs.code_bits == 64) {
        regs.rdi = arg[0];
        regs.rsi = arg[1];
        regs.rdx = arg[2];
        regs.r10 = arg[3];
        regs.r8 = arg[4];
    } else {
        regs.rbx = arg[0];
        regs.rcx = arg[1];
        regs.rdx = arg[2];
        regs.rsi = arg[3];
        regs.rdi = arg[4];
    }
    if (flags & FUZZ_XEN_CALL_SIGNAL && slot != HVS_SLOT_RAW)
        fuzz_exit(&fuzz->machine, vp, &(struct hvs_exit){.kind = HVS_EXIT_HYPERCALL,
                                                         .hypercall = {.slot = slot, .is_signal = true}}, &regs);
    else
        fuzz_hypercall(fuzz, vp, slot, &regs);
}

/* --- the host, and xenstore --------------------------------------------------------------------------------------- */

/* Channels, events and grants, by any numbers. */
void fuzz_xen_host(struct fuzz *fuzz, uint32_t vp)
{
    static uint8_t buffer[HVS_PAGE_BYTES];
    struct fuzz_input *input = &fuzz->input;
    uint32_t which = (uint32_t)fuzz_take(input, 1) % (NR_PLAIN_REQUESTS + 1);
    uint32_t request = which < NR_PLAIN_REQUESTS ? which : HVS_XEN_CHANNEL_SIGNAL;
    uint64_t a = fuzz_take_number(input), b = fuzz_take_number(input), c = fuzz_take_number(input);
    struct hvs_xen_channel channel = {.guest_port = (uint32_t)a, .host_port = (uint32_t)b};
    struct hvs_xen_signal signal = {.host_port = (uint32_t)b, .signal = (int)(c % 8) - 1};
    struct hvs_xen_virq virq = {.virq = (uint32_t)a, .vcpu = (uint32_t)b};
    struct hvs_xen_grant_map map = {.ref = (uint32_t)a, .is_writable = b & 1, .handle = (uint32_t)c};
    struct hvs_xen_grant_copy copy = {
        .ref = (uint32_t)a, .offset = (uint16_t)b, .bytes = (uint16_t)(b >> 16), .to_guest = c & 1, .buffer = buffer};
    struct hvs_xen_input typed = {.text = (const char *)buffer, .bytes = (uint32_t)a % sizeof(buffer)};
    void *const data[HVS_XEN_CHANNEL_SIGNAL + 1] = {
        [HVS_XEN_CHANNEL_OFFER] = &channel, [HVS_XEN_CHANNEL_ACCEPT] = &channel, [HVS_XEN_CHANNEL_CLOSE] = &channel,
        [HVS_XEN_CHANNEL_SEND] = &channel, [HVS_XEN_VIRQ_SEND] = &virq, [HVS_XEN_GRANT_MAP] = &map,
        [HVS_XEN_GRANT_UNMAP] = &map, [HVS_XEN_GRANT_COPY] = &copy,
        [HVS_XEN_CONSOLE_INPUT] = &typed, [HVS_XEN_CHANNEL_SIGNAL] = &signal,
    };

    fuzz_request(fuzz, vp, &hvs_xen_personality, request, data[request]);
}

/* The slot of the Xen personality, or HVS_MAX_SLOTS. */
static uint8_t xen_slot(const struct fuzz *fuzz)
{
    uint8_t slot = 0;

    while (slot < fuzz->machine.config.nr_slots && fuzz->machine.config.slot[slot].personality != &hvs_xen_personality)
        slot++;
    return slot < fuzz->machine.config.nr_slots ? slot : HVS_MAX_SLOTS;
}

static void send_event(struct fuzz *fuzz, uint32_t vp, uint8_t slot, uint32_t port)
{
    enum { ARG_GPA = 0x7f00 };
    struct hvs_regs regs = {.rax = __HYPERVISOR_event_channel_op, .rdi = EVTCHNOP_send, .rsi = ARG_GPA,
                            .cr0 = HVS_CR0_PE, .efer = HVS_EFER_LMA, .code_bits = 64};

    memcpy(fuzz->machine.ram + ARG_GPA, &port, sizeof(port));
    fuzz_hypercall(fuzz, vp, slot, &regs);
}

/* The store's channel is on the first port, if the guest has not closed it. */
void fuzz_store_request(struct fuzz *fuzz, uint32_t vp)
{
    struct xenstore_domain_interface *ring = (void *)(fuzz->machine.ram + SPECIAL_GFN * HVS_PAGE_BYTES);
    struct fuzz_input *input = &fuzz->input;
    uint32_t flags = (uint32_t)fuzz_take(input, 1);
    struct xsd_sockmsg head = {.type = (uint32_t)fuzz_take(input, 1) % XS_TYPE_COUNT};
    uint8_t message[sizeof(head) + 255], slot = xen_slot(fuzz);

    head.tx_id = (uint32_t)fuzz_take(input, 1) % 8;
    head.len = (uint32_t)fuzz_take(input, 1);
    for (uint32_t i = 0; i < head.len; i++)
        message[sizeof(head) + i] = (uint8_t)fuzz_take(input, 1);
    if (slot == HVS_MAX_SLOTS)
        return;
    uint32_t bytes = (uint32_t)sizeof(head) + head.len;
    if (flags & FUZZ_STORE_OTHER_TYPE)
        head.type = (uint32_t)fuzz_take(input, 4);
    if (flags & FUZZ_STORE_OTHER_LENGTH)
        head.len = (uint32_t)fuzz_take(input, 2);
    memcpy(message, &head, sizeof(head));
    for (uint32_t i = 0; i < bytes; i++)
        ring->req[MASK_XENSTORE_IDX(ring->req_prod++)] = (char)message[i];
    if (flags & FUZZ_STORE_OTHER_INDEX)
        (&ring->req_cons)[fuzz_take(input, 1) % 7] ^= (uint32_t)fuzz_take_number(input);
    if (!(flags & FUZZ_STORE_KEEP_REPLIES))
        ring->rsp_cons = ring->rsp_prod;
    if (flags & FUZZ_STORE_RECONNECT)
        ring->connection = XENSTORE_RECONNECT;
    if (!(flags & FUZZ_STORE_NO_EVENT))
        send_event(fuzz, vp, slot, 1);
}

void fuzz_store_host(struct fuzz *fuzz, uint32_t vp)
{
    struct fuzz_input *input = &fuzz->input;
    char text[256], buffer[256];
    uint32_t request = HVS_XEN_STORE_READ + (uint32_t)fuzz_take(input, 1) % 5;
    uint64_t split = fuzz_take_number(input);
    uint32_t bytes = (uint32_t)fuzz_take(input, 1), path_bytes = (uint32_t)(split % (bytes + 1));

    for (uint32_t i = 0; i < bytes; i++)
        text[i] = (char)fuzz_take(input, 1);

    struct hvs_xen_store args = {.path = {text, path_bytes}, .value = {text + path_bytes, bytes - path_bytes},
                                 .buffer = buffer, .buffer_bytes = (uint32_t)(split >> 8 & 0xff)};

    fuzz_request(fuzz, vp, &hvs_xen_personality, request, &args);
}
