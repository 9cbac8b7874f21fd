/*
 * VMware under the fuzzer: backdoor, GuestRPC by one who has its cookies, the host's callbacks and requests.
 */
#include "fuzz.h"

#include <hvshim/translators.h>
#include <hvshim/vmware.h>

enum {
    VMW_MAGIC = 0x564d5868,
    VMW_PORT = 0x5658,
    VMW_BLOCK_PORT = 0x5659,
    VMW_MESSAGE = 0x1e,
    VMW_BALLOON_MAGIC = 0x456c6d6f,
    VMW_BALLOON_PORT = 0x5670,
};

/* --- callbacks ---------------------------------------------------------------------------------------------------- */

static void rpci_came(void *ctx, struct hvs_text request)
{
    (void)ctx;
    fuzz_read_text(request);
}

static void guestinfo_set(void *ctx, struct hvs_text key, struct hvs_text value)
{
    (void)ctx;
    FUZZ_MUST(key.bytes > 0 && key.bytes <= HVS_STORE_KEY_BYTES);
    fuzz_read_text(key);
    fuzz_read_text(value);
}

static void tclo_answered(void *ctx, bool ok, struct hvs_text reply)
{
    (void)ctx, (void)ok;
    fuzz_read_text(reply);
}

static void page_given(void *ctx, uint64_t gfn, uint32_t nr_pages, bool gives)
{
    (void)ctx, (void)gives;
    FUZZ_MUST(nr_pages == 1 || (nr_pages == 512 && gfn % 512 == 0));
}

static void pointer_wanted(void *ctx, enum hvs_vmw_pointer_mode how)
{
    (void)ctx;
    FUZZ_MUST((uint32_t)how <= HVS_VMW_POINTER_ABSOLUTE);
}

const struct hvs_vmw_options fuzz_vmw_options = {
    .size = sizeof(fuzz_vmw_options),
    .machine_id = "fuzz",
    .on_rpci = rpci_came,
    .on_guestinfo = guestinfo_set,
    .on_tclo_reply = tclo_answered,
    .on_balloon = page_given,
    .on_pointer_mode = pointer_wanted,
};

/* --- the guest ---------------------------------------------------------------------------------------------------- */

void fuzz_vmw_backdoor(struct fuzz *fuzz, uint32_t vp)
{
    struct fuzz_input *input = &fuzz->input;
    struct hvs_regs regs = fuzz->mode;
    uint8_t slot = (uint8_t)(fuzz->machine.config.nr_slots - 1);
    uint32_t code = fuzz_choose_code(fuzz, slot);
    uint64_t flags = fuzz_take(input, 1);

    regs.rax = VMW_MAGIC;
    regs.rcx = code | (uint64_t)(flags >> 4) << 16;
    regs.rdx = VMW_PORT + (flags & 1);
    if (flags & FUZZ_BALLOON) {
        regs.rax = VMW_BALLOON_MAGIC;
        regs.rcx = flags >> 4;
        regs.rdx = VMW_BALLOON_PORT;
    }
    regs.rbx = fuzz_take_number(input);
    regs.rsi = fuzz_take_number(input);
    regs.rdi = fuzz_take_number(input);
    regs.rbp = fuzz_take_number(input);
    fuzz_exit(&fuzz->machine, vp,
              &(struct hvs_exit){.kind = HVS_EXIT_PIO, .pio = {.port = (uint16_t)regs.rdx, .size_bytes = 4,
                                 .is_in = !(flags & 2), .is_string = (flags & 4) != 0,
                                 .count = flags & 4 ? (uint32_t)regs.rcx : 1}},
              &regs);
}

/* A step of GuestRPC by who has the cookies, which cannot be guessed: words, or a block. */
void fuzz_vmw_rpc(struct fuzz *fuzz, uint32_t vp)
{
    struct fuzz_input *input = &fuzz->input;
    struct hvs_regs regs = fuzz->mode;
    uint32_t type = (uint32_t)fuzz_take(input, 1) % 8, flags = (uint32_t)fuzz_take(input, 1);
    uint64_t number = fuzz_take_number(input), gva = fuzz_take_number(input);
    bool is_block = flags & FUZZ_RPC_BLOCK, is_in = !is_block || (flags & FUZZ_RPC_IN);
    uint32_t which = flags & FUZZ_RPC_CHANNEL, channel = fuzz->rpc[which].channel;
    uint32_t high = fuzz->rpc[which].cookie_high;
    uint32_t low = fuzz->rpc[which].cookie_low ^ (flags & FUZZ_RPC_OTHER_COOKIE ? 1 : 0);

    channel ^= flags & FUZZ_RPC_OTHER_CHANNEL ? 1 : 0;
    regs.rax = VMW_MAGIC;
    regs.rdx = (is_block ? VMW_BLOCK_PORT : VMW_PORT) | channel << 16;
    regs.rcx = is_block ? number & 0x1ffff : VMW_MESSAGE | type << 16;
    regs.rbx = is_block ? 1 << 16 : number;
    regs.rbp = is_in ? low : high;
    regs.rsi = !is_block || is_in ? high : gva;
    regs.rdi = is_block && is_in ? gva : low;

    enum hvs_verdict verdict = fuzz_exit(
        &fuzz->machine, vp,
        &(struct hvs_exit){.kind = HVS_EXIT_PIO, .pio = {.port = (uint16_t)regs.rdx, .size_bytes = is_block ? 1 : 4,
                           .is_in = is_in, .is_string = is_block, .count = is_block ? (uint32_t)regs.rcx : 1}},
        &regs);
    if (verdict != HVS_HANDLED || is_block || type != 0 || !(regs.rcx >> 16 & 1))
        return;
    fuzz->rpc[which].channel = (uint16_t)(regs.rdx >> 16);
    fuzz->rpc[which].cookie_high = (uint32_t)regs.rsi;
    fuzz->rpc[which].cookie_low = (uint32_t)regs.rdi;
}

/* --- the host ----------------------------------------------------------------------------------------------------- */

/* The text is key and value, or a command. */
void fuzz_vmw_host(struct fuzz *fuzz, uint32_t vp)
{
    struct fuzz_input *input = &fuzz->input;
    char text[FUZZ_MAX_PAYLOAD] = {0}, buffer[FUZZ_MAX_PAYLOAD];
    uint32_t request = (uint32_t)fuzz_take(input, 1) % HVS_VMW_NR_REQUESTS;
    uint64_t a = fuzz_take_number(input), b = fuzz_take_number(input);
    uint32_t bytes = (uint32_t)fuzz_take(input, 1), key_bytes = (uint32_t)(a % (bytes + 1));

    for (uint32_t i = 0; i < bytes; i++)
        text[i] = (char)fuzz_take(input, 1);

    struct hvs_vmw_guestinfo info = {
        .key = {text, key_bytes}, .value = {text + key_bytes, bytes - key_bytes}, .buffer = buffer,
        .buffer_bytes = (uint32_t)(b % sizeof(buffer)),
    };
    struct hvs_vmw_command command = {.text = {text, bytes}};
    struct hvs_vmw_balloon balloon = {.target_pages = a};
    struct hvs_vmw_pointer pointer = {
        .x = (int32_t)a, .y = (int32_t)b, .z = (int32_t)(b >> 32), .is_relative = bytes & 1, .left = bytes & 2,
    };
    void *const data[HVS_VMW_NR_REQUESTS] = {
        [HVS_VMW_GUESTINFO_SET] = &info, [HVS_VMW_GUESTINFO_GET] = &info, [HVS_VMW_TCLO_SEND] = &command,
        [HVS_VMW_BALLOON] = &balloon, [HVS_VMW_POINTER] = &pointer, [HVS_VMW_GUESTINFO_KEYS] = &info,
    };

    fuzz_request(fuzz, vp, &hvs_vmw_personality, request, data[request]);
}
