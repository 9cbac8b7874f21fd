/*
 * Fuzz target: streams of exits against the core and all translators.
 *
 * The input chooses personalities, features, capabilities and then what the vCPUs and the host do (stream.h). The
 * backend (machine.c) changes guest memory behind the reader's back and checks the rules of the seam after each exit.
 */
#include "machine.h"
#include "stream.h"

#include <stdlib.h>
#include <string.h>

#include <hvshim/hyperv.h>
#include <hvshim/trace.h>
#include <hvshim/translators.h>
#include <hvshim/vmware.h>
#include <hvshim/xen.h>

#include "../../translators/xen/xen_abi.h"

enum {
    XEN_NR_REQUESTS = HVS_XEN_CONSOLE_LOOK + 1,
    MAX_OPS = 400,
    MAX_PAYLOAD = 512,
    PORT_FIRST = 0xe4,
    VMW_MAGIC = 0x564d5868,
    VMW_PORT = 0x5658,
    VMW_BLOCK_PORT = 0x5659,
    VMW_MESSAGE = 0x1e,
    VMW_BALLOON_MAGIC = 0x456c6d6f,
    VMW_BALLOON_PORT = 0x5670,
    NR_RPC = 4,
    STORE_BYTES = 320 << 10,    /* small, so that it gets full */
    SPECIAL_GFN = FUZZ_RAM_BYTES / HVS_PAGE_BYTES - HVS_XEN_NR_SPECIAL_PAGES,
};
#define ALL_CAPS                                                                                                   \
    (HVS_CAP_RAW_HYPERCALL | HVS_CAP_TSC_STABLE | HVS_CAP_INJECT | HVS_CAP_TIMER | HVS_CAP_FLUSH | HVS_CAP_BLOCK |  \
     HVS_CAP_XMM | HVS_CAP_STOP | HVS_CAP_RING3_PIO | HVS_CAP_APIC | HVS_CAP_PAST_APIC | HVS_CAP_EOI_ASSIST |       \
     HVS_CAP_VCPU_TIME | HVS_CAP_VCPU_START | HVS_CAP_VCPU_GO_ON | HVS_CAP_GSI | HVS_CAP_STRINGS)

struct input {
    const uint8_t *at, *end;
};

struct fuzz {
    struct input input;
    struct fuzz_machine machine;
    struct hvs_regs mode;       /* what decides how registers are read */
    struct {
        uint16_t channel;
        uint32_t cookie_high, cookie_low;
    } rpc[NR_RPC];              /* GuestRPC's channels that were opened */
};

/* --- reading the input -------------------------------------------------------------------------------------------- */

static uint64_t take(struct input *input, uint32_t bytes)
{
    uint64_t value = 0;

    for (uint32_t i = 0; i < bytes && input->at < input->end; i++)
        value |= (uint64_t)*input->at++ << (8 * i);
    return value;
}

static uint64_t take_number(struct input *input)
{
    switch (take(input, 1) % FUZZ_NR_NUMBERS) {
    case FUZZ_BYTE:
        return take(input, 1);
    case FUZZ_WORD:
        return take(input, 2);
    case FUZZ_RAM:
        return take(input, 2) * 8 % (FUZZ_RAM_BYTES + 0x1000);
    case FUZZ_PAGE:
        return take(input, 1) << HVS_PAGE_SHIFT | 1;
    case FUZZ_LONG:
        return take(input, 4);
    case FUZZ_QUAD:
        return take(input, 8);
    case FUZZ_HIGH:
        return 1ull << take(input, 1) % 64;
    default:
        return UINT64_MAX;
    }
}

/* --- the host's side ---------------------------------------------------------------------------------------------- */

/* Hyper-V's callbacks read what they are given, and answer by the connection's number. */
static enum hvs_hv_status answer(uint32_t connection)
{
    static const enum hvs_hv_status answers[] = {
        HVS_HV_SUCCESS, HVS_HV_INVALID_PARAMETER, HVS_HV_INVALID_CONNECTION_ID, HVS_HV_INSUFFICIENT_BUFFERS,
    };

    return answers[connection % HVS_ARRAY_SIZE(answers)];
}

static enum hvs_hv_status message_posted(void *ctx, uint32_t vp, uint32_t connection, uint32_t type,
                                         const void *payload, uint32_t payload_bytes)
{
    static uint8_t copy[HVS_HV_MESSAGE_BYTES];

    (void)ctx;
    FUZZ_MUST(vp < FUZZ_MAX_VPS && type >= 1 && type < 0x80000000 && payload_bytes <= sizeof(copy));
    memcpy(copy, payload, payload_bytes);
    return answer(connection);
}

static enum hvs_hv_status event_signalled(void *ctx, uint32_t vp, uint32_t connection, uint32_t flag)
{
    (void)ctx;
    FUZZ_MUST(vp < FUZZ_MAX_VPS && flag < 2048);
    return answer(connection);
}

static void slot_freed(void *ctx, uint32_t vp, uint32_t sint)
{
    (void)ctx;
    FUZZ_MUST(vp < FUZZ_MAX_VPS && sint < 16);
}

static enum hvs_hv_status interrupt_retargeted(void *ctx, uint32_t vp, const struct hvs_hv_device_interrupt *to)
{
    (void)ctx;
    FUZZ_MUST(vp < FUZZ_MAX_VPS && to->vector >= 16 && to->vector <= 255);
    FUZZ_MUST(hvs_vpset_next(to->targets, 0) < FUZZ_MAX_VPS);
    return to->device_id & 1 ? HVS_HV_INVALID_PARAMETER : HVS_HV_SUCCESS;
}

static uint8_t debug_data[HVS_PAGE_BYTES];

static uint32_t debug_sent(void *ctx, uint32_t vp, bool is_frame, const void *data, uint32_t bytes)
{
    (void)ctx, (void)vp, (void)is_frame;
    FUZZ_MUST(bytes <= sizeof(debug_data));
    memcpy(debug_data, data, bytes);
    return bytes / 2;
}

static uint32_t debug_wanted(void *ctx, uint32_t vp, bool is_frame, void *data, uint32_t capacity)
{
    (void)ctx, (void)vp;
    FUZZ_MUST(capacity <= sizeof(debug_data));
    memcpy(data, debug_data, capacity);
    return is_frame ? capacity : capacity / 2;
}

static void debug_reset(void *ctx, uint32_t vp, bool drop_incoming, bool drop_outgoing,
                        struct hvs_hv_debug_peers *peers)
{
    (void)ctx, (void)vp, (void)drop_incoming, (void)drop_outgoing;
    *peers = (struct hvs_hv_debug_peers){.host_ip = 1, .guest_ip = 2, .host_port = 3, .guest_port = 4};
}

static const struct hvs_hv_zeroed_range zeroed[300];
static const struct hvs_hv_host hv_host = {
    .size = sizeof(hv_host),
    .message_posted = message_posted,
    .event_signalled = event_signalled,
    .slot_freed = slot_freed,
    .interrupt_retargeted = interrupt_retargeted,
    .debug_sent = debug_sent,
    .debug_wanted = debug_wanted,
    .debug_reset = debug_reset,
    .zeroed_range = zeroed,
    .nr_zeroed_ranges = HVS_ARRAY_SIZE(zeroed),
    .partition_id = 7,
};
static const struct hvs_hv_options hv_options = {.size = sizeof(hv_options), .host = &hv_host};

/* VMware's callbacks read what they are given. */
static void read_text(struct hvs_text text)
{
    static char copy[64 << 10];

    FUZZ_MUST(text.bytes <= sizeof(copy));
    memcpy(copy, text.text, text.bytes);
}

static void rpci_came(void *ctx, struct hvs_text request)
{
    (void)ctx;
    read_text(request);
}

static void guestinfo_set(void *ctx, struct hvs_text key, struct hvs_text value)
{
    (void)ctx;
    FUZZ_MUST(key.bytes > 0 && key.bytes <= HVS_STORE_KEY_BYTES);
    read_text(key);
    read_text(value);
}

static void tclo_answered(void *ctx, bool ok, struct hvs_text reply)
{
    (void)ctx, (void)ok;
    read_text(reply);
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

static const struct hvs_vmw_options vmw_options = {
    .size = sizeof(vmw_options),
    .machine_id = "fuzz",
    .on_rpci = rpci_came,
    .on_guestinfo = guestinfo_set,
    .on_tclo_reply = tclo_answered,
    .on_balloon = page_given,
    .on_pointer_mode = pointer_wanted,
};

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

/* Xen's: meanwhile other vCPUs change the indices of the ring. */
static struct fuzz_machine *running;

static void store_changed(void *ctx, struct hvs_text path)
{
    (void)ctx;
    FUZZ_MUST(path.bytes > 0 && path.text[0] == '/');
    read_text(path);
    for (uint32_t i = 2048; running->race && i < 2048 + sizeof(uint32_t) * 7; i += 3)
        running->ram[SPECIAL_GFN * HVS_PAGE_BYTES + i] ^= running->race;
}

static const struct hvs_xen_options xen_options = {
    .size = sizeof(xen_options),
    .special_gfn = SPECIAL_GFN,
    .unplug = unplugged,
    .allows_drivers = drivers_allowed,
    .on_console = console_written,
    .on_console_room = console_has_room,
    .on_store = store_changed,
};

/* --- the configuration -------------------------------------------------------------------------------------------- */

static const struct hvs_personality *const sets[FUZZ_NR_SETS][HVS_MAX_SLOTS] = {
    [FUZZ_HYPERV] = {&hvs_hv_personality},
    [FUZZ_XEN] = {&hvs_xen_personality},
    [FUZZ_VMWARE] = {&hvs_vmw_personality},
    [FUZZ_HYPERV_XEN] = {&hvs_hv_personality, &hvs_xen_personality},
    [FUZZ_HYPERV_VMWARE] = {&hvs_hv_personality, &hvs_vmw_personality},
    [FUZZ_ALL] = {&hvs_hv_personality, &hvs_xen_personality, &hvs_vmw_personality},
};

static void choose_features(struct hvs_slot_config *slot, uint32_t how, uint64_t mask)
{
    uint32_t nr = slot->personality->nr_features;
    uint64_t all = nr < 64 ? (1ull << nr) - 1 : UINT64_MAX;

    switch (how) {
    case FUZZ_EVERYTHING:
        slot->features_on = all;
        break;
    case FUZZ_SOME_OFF:
        slot->features_off = mask & all;
        break;
    case FUZZ_SOME_ON:
        slot->features_on = mask & all;
        break;
    default:
        break;
    }
}

static void choose_slots(struct hvs_vm_config *config, uint32_t set, uint32_t how, const uint64_t mask[HVS_MAX_SLOTS])
{
    for (uint32_t s = 0; s < HVS_MAX_SLOTS && sets[set][s]; s++) {
        config->slot[s] = (struct hvs_slot_config){.personality = sets[set][s]};
        if (sets[set][s] == &hvs_hv_personality)
            config->slot[s].options = &hv_options;
        if (sets[set][s] == &hvs_vmw_personality)
            config->slot[s].options = &vmw_options;
        if (sets[set][s] == &hvs_xen_personality)
            config->slot[s].options = &xen_options;
        choose_features(&config->slot[s], how, mask[s]);
        config->hypercall_insn[s] = (struct hvs_insn){2, {0xe6, (uint8_t)(PORT_FIRST + s)}};
        config->nr_slots = s + 1;
    }
}

static bool configure(struct fuzz *fuzz)
{
    struct fuzz_machine *machine = &fuzz->machine;
    struct input *input = &fuzz->input;
    uint32_t set = (uint32_t)take(input, 1) % FUZZ_NR_SETS, nr_vps = 1 + (uint32_t)take(input, 1) % FUZZ_MAX_VPS;
    uint32_t how = (uint32_t)take(input, 1) % FUZZ_NR_FEATURES, kind = (uint32_t)take(input, 1);
    uint64_t mask[HVS_MAX_SLOTS];

    for (uint32_t s = 0; s < HVS_MAX_SLOTS; s++)
        mask[s] = take(input, 8);
    machine->config = (struct hvs_vm_config){
        .size = sizeof(machine->config), .nr_vps = nr_vps, .caps = ALL_CAPS | (kind & 1 ? HVS_CAP_RETRY : 0),
        .tsc_khz = 2500000, .apic_hz = 1000000000, .memory_bytes = FUZZ_RAM_BYTES, .phys_bits = 40,
    };
    if (kind & 2)
        machine->config.caps &= ~(1u << (kind >> 4));
    machine->config.store_bytes = STORE_BYTES;
    if (kind & 4)
        machine->config.apic_id = machine->apic_id;
    if (kind & 8) {
        machine->config.trace = machine->trace;
        machine->config.trace_bytes = sizeof(machine->trace);
    }
    for (uint32_t vp = 0; vp < FUZZ_MAX_VPS; vp++)
        machine->apic_id[vp] = 3 * vp + 1;
    choose_slots(&machine->config, set, how, mask);
    if (fuzz_start(machine))
        return true;
    choose_slots(&machine->config, set, FUZZ_DEFAULT, mask);
    return fuzz_start(machine);
}

/* --- exits of the guest ------------------------------------------------------------------------------------------- */

/* The `which`-th number of the live ranges: most at their beginnings. */
static uint32_t in_ranges(const struct hvs_range *range, uint32_t nr, uint32_t which)
{
    if (nr == 0)
        return which;
    const struct hvs_range *r = &range[which % nr];
    return r->first + which / nr % (r->last - r->first + 2);    /* one behind the end too */
}

static uint32_t choose_msr(struct fuzz *fuzz)
{
    struct hvs_range range[64];
    uint32_t nr = 64, which = (uint32_t)take(&fuzz->input, 2);

    if (hvs_vm_msr_ranges(fuzz->machine.vm, range, &nr) != HVS_OK)
        nr = 0;
    return in_ranges(range, nr, which);
}

static void msr_read(struct fuzz *fuzz, uint32_t vp, uint32_t index)
{
    fuzz_exit(&fuzz->machine, vp, &(struct hvs_exit){.kind = HVS_EXIT_MSR_READ, .msr = {.index = index}}, NULL);
}

static void msr_write(struct fuzz *fuzz, uint32_t vp, uint32_t index, uint64_t value)
{
    fuzz_exit(&fuzz->machine, vp, &(struct hvs_exit){.kind = HVS_EXIT_MSR_WRITE, .msr = {index, value}}, NULL);
}

static void cpuid(struct fuzz *fuzz, uint32_t vp)
{
    struct hvs_regs regs = fuzz->mode;

    regs.rax = HVS_CPUID_FIRST + take(&fuzz->input, 2);
    regs.rcx = take(&fuzz->input, 1);
    fuzz_exit(&fuzz->machine, vp, &(struct hvs_exit){.kind = HVS_EXIT_CPUID}, &regs);
}

static uint8_t choose_slot(struct fuzz *fuzz)
{
    uint8_t slot = (uint8_t)take(&fuzz->input, 1);

    return slot == FUZZ_SLOT_RAW ? HVS_SLOT_RAW : (uint8_t)(slot % (fuzz->machine.config.nr_slots + 1));
}

static const struct hvs_personality *personality_of(const struct fuzz *fuzz, uint8_t slot)
{
    return fuzz->machine.config.slot[slot < fuzz->machine.config.nr_slots ? slot : 0].personality;
}

static void hypercall(struct fuzz *fuzz, uint32_t vp, uint8_t slot, struct hvs_regs *regs)
{
    fuzz_exit(&fuzz->machine, vp, &(struct hvs_exit){.kind = HVS_EXIT_HYPERCALL, .hypercall = {.slot = slot}}, regs);
}

static uint32_t choose_code(struct fuzz *fuzz, uint8_t slot)
{
    const struct hvs_personality *p = personality_of(fuzz, slot);
    uint32_t row = (uint32_t)take(&fuzz->input, 1);

    return p->nr_hcall ? p->hcall[row % p->nr_hcall].code : row;
}

/* By Hyper-V's convention. */
static void call(struct fuzz *fuzz, uint32_t vp)
{
    struct input *input = &fuzz->input;
    struct hvs_regs regs = fuzz->mode;
    uint8_t slot = choose_slot(fuzz);
    uint64_t code = choose_code(fuzz, slot) & 0xffff, flags = take(input, 1), var = take(input, 1) & 0x7f;
    uint64_t count = take(input, 2) & 0xfff, first = take(input, 2) & 0xfff;
    uint64_t in = take_number(input), out = take_number(input);

    if (flags & FUZZ_CALL_OTHER_CODE)
        code ^= 0x8000 | flags;
    uint64_t control = code | (flags & FUZZ_CALL_FAST ? 1ull << 16 : 0) | var << 17 |
                       (flags & FUZZ_CALL_NESTED ? 1ull << 31 : 0) | count << 32 | first << 48 |
                       (flags & FUZZ_CALL_RESERVED ? 1ull << (44 + (flags >> 6)) : 0);
    if (regs.code_bits == 64) {
        regs.rcx = control;
        regs.rdx = in;
        regs.r8 = out;
    } else {
        regs.rdx = control >> 32;
        regs.rax = (uint32_t)control;
        regs.rbx = in >> 32;
        regs.rcx = (uint32_t)in;
        regs.rdi = out >> 32;
        regs.rsi = (uint32_t)out;
    }
    hypercall(fuzz, vp, slot, &regs);
    if (flags & 0x10)           /* the guest executes the instruction again, as after HVS_RETRY */
        hypercall(fuzz, vp, slot, &regs);
}

static void call_raw(struct fuzz *fuzz, uint32_t vp)
{
    struct hvs_regs regs = fuzz->mode;
    uint8_t slot = choose_slot(fuzz);
    uint64_t *reg = &regs.rax;

    for (uint32_t i = 0; i < 16; i++)
        reg[i] = take_number(&fuzz->input);
    hypercall(fuzz, vp, slot, &regs);
}

/* By Xen's convention: the number, then the sub-operation where there is one. */
static void xen_call(struct fuzz *fuzz, uint32_t vp)
{
    struct input *input = &fuzz->input;
    struct hvs_regs regs = fuzz->mode;
    uint8_t slot = choose_slot(fuzz);
    uint32_t code = choose_code(fuzz, slot);
    uint64_t flags = take(input, 1), arg[5];

    for (uint32_t i = 0; i < 5; i++)
        arg[i] = take_number(input);
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
    hypercall(fuzz, vp, slot, &regs);
}

static void backdoor(struct fuzz *fuzz, uint32_t vp)
{
    struct input *input = &fuzz->input;
    struct hvs_regs regs = fuzz->mode;
    uint8_t slot = (uint8_t)(fuzz->machine.config.nr_slots - 1);
    uint32_t code = choose_code(fuzz, slot);
    uint64_t flags = take(input, 1);

    regs.rax = VMW_MAGIC;
    regs.rcx = code | (uint64_t)(flags >> 4) << 16;
    regs.rdx = VMW_PORT + (flags & 1);
    if (flags & FUZZ_BALLOON) {
        regs.rax = VMW_BALLOON_MAGIC;
        regs.rcx = flags >> 4;
        regs.rdx = VMW_BALLOON_PORT;
    }
    regs.rbx = take_number(input);
    regs.rsi = take_number(input);
    regs.rdi = take_number(input);
    regs.rbp = take_number(input);
    fuzz_exit(&fuzz->machine, vp,
              &(struct hvs_exit){.kind = HVS_EXIT_PIO, .pio = {.port = (uint16_t)regs.rdx, .size_bytes = 4,
                                 .is_in = !(flags & 2), .is_string = (flags & 4) != 0,
                                 .count = flags & 4 ? (uint32_t)regs.rcx : 1}},
              &regs);
}

/* A step of GuestRPC by who has the cookies, which cannot be guessed: words, or a block. */
static void rpc(struct fuzz *fuzz, uint32_t vp)
{
    struct input *input = &fuzz->input;
    struct hvs_regs regs = fuzz->mode;
    uint32_t type = (uint32_t)take(input, 1) % 8, flags = (uint32_t)take(input, 1);
    uint64_t number = take_number(input), gva = take_number(input);
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

static void pio(struct fuzz *fuzz, uint32_t vp)
{
    struct hvs_range range[16];
    uint32_t nr = 16, which = (uint32_t)take(&fuzz->input, 1);
    struct hvs_regs regs = fuzz->mode;

    if (hvs_vm_pio_ranges(fuzz->machine.vm, range, &nr) != HVS_OK)
        nr = 0;
    uint16_t at = (uint16_t)in_ranges(range, nr, which);
    uint8_t size = (uint8_t)(1u << take(&fuzz->input, 1) % 3);
    uint64_t flags = take(&fuzz->input, 1);
    uint32_t count = (uint32_t)take(&fuzz->input, 2);
    regs.rax = take_number(&fuzz->input);
    regs.rsi = take_number(&fuzz->input);
    regs.rdx = at;
    fuzz_exit(&fuzz->machine, vp,
              &(struct hvs_exit){.kind = HVS_EXIT_PIO, .pio = {.port = at, .size_bytes = size, .is_in = flags & 1,
                                 .is_string = (flags & 2) != 0, .count = flags & 2 ? count : 1}},
              &regs);
}

/* --- time, memory, host ------------------------------------------------------------------------------------------- */

static void timer(struct fuzz *fuzz, uint32_t vp)
{
    fuzz_exit(&fuzz->machine, vp, &(struct hvs_exit){.kind = HVS_EXIT_TIMER}, NULL);
}

static void time_passes(struct fuzz *fuzz, uint32_t vp)
{
    struct fuzz_machine *machine = &fuzz->machine;

    machine->now_ns += take(&fuzz->input, 4) << 8;
    for (vp = 0; vp < machine->config.nr_vps; vp++)
        if (hvs_vcpu_deadline_ns(hvs_vm_vcpu(machine->vm, vp)) <= hvs_vm_now_ns(machine->vm))
            timer(fuzz, vp);
}

static void memory(struct fuzz *fuzz, uint32_t vp)
{
    uint64_t gpa = take(&fuzz->input, 3);
    uint32_t bytes = (uint32_t)take(&fuzz->input, 1);

    (void)vp;
    for (uint32_t i = 0; i < bytes; i++, gpa++)
        fuzz->machine.ram[gpa % FUZZ_RAM_BYTES] = (uint8_t)take(&fuzz->input, 1);
}

static void reset(struct fuzz *fuzz, uint32_t vp)
{
    struct hvs_exit exit = {.kind = HVS_EXIT_RESET};

    if (take(&fuzz->input, 1) & 1) {
        fuzz_exit(&fuzz->machine, vp, &exit, NULL);
        return;
    }
    for (vp = 0; vp < fuzz->machine.config.nr_vps; vp++)
        fuzz_exit(&fuzz->machine, vp, &exit, NULL);
}

/* Requests of the Hyper-V personality: structures without pointers. */
static void host(struct fuzz *fuzz, uint32_t vp)
{
    _Alignas(16) uint8_t data[MAX_PAYLOAD] = {0};
    uint8_t slot = choose_slot(fuzz);
    uint32_t request = (uint32_t)take(&fuzz->input, 1), bytes = (uint32_t)take(&fuzz->input, 1);

    for (uint32_t i = 0; i < bytes; i++)
        data[i] = (uint8_t)take(&fuzz->input, 1);
    if (slot >= fuzz->machine.config.nr_slots || personality_of(fuzz, slot) != &hvs_hv_personality)
        return;
    fuzz_exit(&fuzz->machine, vp,
              &(struct hvs_exit){.kind = HVS_EXIT_HOST, .host = {&hvs_hv_personality, request % 8, data}}, NULL);
}

/* Requests of the VMware personality: the text is key and value, or a command. */
static void vmw_host(struct fuzz *fuzz, uint32_t vp)
{
    struct input *input = &fuzz->input;
    char text[MAX_PAYLOAD] = {0}, buffer[MAX_PAYLOAD];
    uint32_t request = (uint32_t)take(input, 1) % HVS_VMW_NR_REQUESTS;
    uint64_t a = take_number(input), b = take_number(input);
    uint32_t bytes = (uint32_t)take(input, 1), key_bytes = (uint32_t)(a % (bytes + 1));
    uint8_t slot = (uint8_t)(fuzz->machine.config.nr_slots - 1);

    for (uint32_t i = 0; i < bytes; i++)
        text[i] = (char)take(input, 1);

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

    if (personality_of(fuzz, slot) == &hvs_vmw_personality)
        fuzz_exit(&fuzz->machine, vp,
                  &(struct hvs_exit){.kind = HVS_EXIT_HOST, .host = {&hvs_vmw_personality, request, data[request]}},
                  NULL);
}

/* Channels, events and grants, by any numbers. */
static void xen_host(struct fuzz *fuzz, uint32_t vp)
{
    static uint8_t buffer[HVS_PAGE_BYTES];
    struct input *input = &fuzz->input;
    uint32_t request = (uint32_t)take(input, 1) % XEN_NR_REQUESTS;
    uint64_t a = take_number(input), b = take_number(input), c = take_number(input);
    struct hvs_xen_channel channel = {.guest_port = (uint32_t)a, .host_port = (uint32_t)b};
    struct hvs_xen_virq virq = {.virq = (uint32_t)a, .vcpu = (uint32_t)b};
    struct hvs_xen_grant_map map = {.ref = (uint32_t)a, .is_writable = b & 1, .handle = (uint32_t)c};
    struct hvs_xen_grant_copy copy = {
        .ref = (uint32_t)a, .offset = (uint16_t)b, .bytes = (uint16_t)(b >> 16), .to_guest = c & 1, .buffer = buffer};
    struct hvs_xen_input typed = {.text = (const char *)buffer, .bytes = (uint32_t)a % sizeof(buffer)};
    void *const data[XEN_NR_REQUESTS] = {
        [HVS_XEN_CHANNEL_OFFER] = &channel, [HVS_XEN_CHANNEL_ACCEPT] = &channel, [HVS_XEN_CHANNEL_CLOSE] = &channel,
        [HVS_XEN_CHANNEL_SEND] = &channel, [HVS_XEN_VIRQ_SEND] = &virq, [HVS_XEN_GRANT_MAP] = &map,
        [HVS_XEN_GRANT_UNMAP] = &map, [HVS_XEN_GRANT_COPY] = &copy,
        [HVS_XEN_CONSOLE_INPUT] = &typed,
    };

    for (uint8_t slot = 0; slot < fuzz->machine.config.nr_slots; slot++) {
        if (personality_of(fuzz, slot) == &hvs_xen_personality)
            fuzz_exit(&fuzz->machine, vp,
                      &(struct hvs_exit){.kind = HVS_EXIT_HOST, .host = {&hvs_xen_personality, request, data[request]}},
                      NULL);
    }
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
    hypercall(fuzz, vp, slot, &regs);
}

/* The store's channel is on the first port, if the guest has not closed it. */
static void store_request(struct fuzz *fuzz, uint32_t vp)
{
    struct xenstore_domain_interface *ring = (void *)(fuzz->machine.ram + SPECIAL_GFN * HVS_PAGE_BYTES);
    struct input *input = &fuzz->input;
    uint32_t flags = (uint32_t)take(input, 1);
    struct xsd_sockmsg head = {.type = (uint32_t)take(input, 1) % XS_TYPE_COUNT, .tx_id = (uint32_t)take(input, 1) % 8};
    uint8_t message[sizeof(head) + 255], slot = xen_slot(fuzz);

    head.len = (uint32_t)take(input, 1);
    for (uint32_t i = 0; i < head.len; i++)
        message[sizeof(head) + i] = (uint8_t)take(input, 1);
    if (slot == HVS_MAX_SLOTS)
        return;
    uint32_t bytes = (uint32_t)sizeof(head) + head.len;
    if (flags & FUZZ_STORE_OTHER_TYPE)
        head.type = (uint32_t)take(input, 4);
    if (flags & FUZZ_STORE_OTHER_LENGTH)
        head.len = (uint32_t)take(input, 2);
    memcpy(message, &head, sizeof(head));
    for (uint32_t i = 0; i < bytes; i++)
        ring->req[MASK_XENSTORE_IDX(ring->req_prod++)] = (char)message[i];
    if (flags & FUZZ_STORE_OTHER_INDEX)
        (&ring->req_cons)[take(input, 1) % 7] ^= (uint32_t)take_number(input);
    if (!(flags & FUZZ_STORE_KEEP_REPLIES))
        ring->rsp_cons = ring->rsp_prod;
    if (flags & FUZZ_STORE_RECONNECT)
        ring->connection = XENSTORE_RECONNECT;
    if (!(flags & FUZZ_STORE_NO_EVENT))
        send_event(fuzz, vp, slot, 1);
}

static void store_host(struct fuzz *fuzz, uint32_t vp)
{
    struct input *input = &fuzz->input;
    char text[256], buffer[256];
    uint32_t request = HVS_XEN_STORE_READ + (uint32_t)take(input, 1) % 5;
    uint64_t split = take_number(input);
    uint32_t bytes = (uint32_t)take(input, 1), path_bytes = (uint32_t)(split % (bytes + 1));

    for (uint32_t i = 0; i < bytes; i++)
        text[i] = (char)take(input, 1);

    struct hvs_xen_store args = {.path = {text, path_bytes}, .value = {text + path_bytes, bytes - path_bytes},
                                 .buffer = buffer, .buffer_bytes = (uint32_t)(split >> 8 & 0xff)};

    if (xen_slot(fuzz) != HVS_MAX_SLOTS)
        fuzz_exit(&fuzz->machine, vp,
                  &(struct hvs_exit){.kind = HVS_EXIT_HOST, .host = {&hvs_xen_personality, request, &args}}, NULL);
}

static void look(struct fuzz *fuzz, uint32_t vp)
{
    struct fuzz_machine *machine = &fuzz->machine;
    static struct hvs_cpuid_leaf leaf[64];
    static struct hvs_crash crash;
    struct hvs_trace_record record;
    struct hvs_stat stat;
    uint32_t nr = (uint32_t)take(&fuzz->input, 1) % 65;
    uint64_t unhandled;

    int err = hvs_vcpu_cpuid(hvs_vm_vcpu(machine->vm, vp), leaf, &nr);
    FUZZ_MUST(err == HVS_OK || err == HVS_ENOSPC);
    size_t used;
    uint8_t small[64];
    err = hvs_vm_save(machine->vm, small, nr % sizeof(small), &used);
    FUZZ_MUST(err == (used > nr % sizeof(small) ? HVS_ENOSPC : HVS_OK));
    hvs_vm_crash(machine->vm, &crash);
    hvs_vm_trace_read(machine->vm, nr, &record);
    for (uint32_t i = 0; hvs_vm_stat(machine->vm, i, &stat) == HVS_OK; i++)
        FUZZ_MUST(stat.name && stat.personality);
    hvs_vm_exits(machine->vm, HVS_EXIT_MSR_READ, &unhandled);
    hvs_vm_next_leaf(machine->vm);
    hvs_vm_expects_raw(machine->vm);
    FUZZ_MUST(machine->nr_pinned == 0);
}

static void clock_set(struct fuzz *fuzz, uint32_t vp)
{
    uint64_t how = take(&fuzz->input, 1);

    (void)vp;
    if (how & 1)
        FUZZ_MUST(hvs_vm_start_clock(fuzz->machine.vm) == HVS_OK);
    if (how & 2)
        hvs_vm_set_wall_clock(fuzz->machine.vm, how << 53);
    fuzz->machine.fails = (how & 4) != 0;
    FUZZ_MUST(fuzz->machine.nr_pinned == 0);
}

static void mode(struct fuzz *fuzz, uint32_t vp)
{
    uint64_t how = take(&fuzz->input, 1), cr3 = take(&fuzz->input, 3);
    static const uint8_t bits[4] = {64, 64, 32, 16};

    (void)vp;
    fuzz->mode = (struct hvs_regs){
        .rip = 0x1000, .rsp = 0x2000, .rflags = 2, .cr0 = HVS_CR0_PE, .code_bits = bits[how & 3],
        .cpl = how & 4 ? 3 : 0,
        .cr3 = cr3 % FUZZ_RAM_BYTES,
    };
    if ((how & 3) == 3)
        fuzz->mode.cr0 = 0;
    if ((how & 3) < 2)
        fuzz->mode.efer = HVS_EFER_LMA;
    if (how & 8)
        fuzz->mode.cr0 |= HVS_CR0_PG;
    if (how & 0x10)
        fuzz->mode.cr4 |= HVS_CR4_PAE;
    if (how & 0x20)
        fuzz->mode.cr4 |= HVS_CR4_PSE;
    if (how & 0x40)
        fuzz->mode.cr4 |= HVS_CR4_LA57;
}

/* --- the loop ----------------------------------------------------------------------------------------------------- */

static void op_msr_read(struct fuzz *fuzz, uint32_t vp)
{
    msr_read(fuzz, vp, choose_msr(fuzz));
}

static void op_msr_write(struct fuzz *fuzz, uint32_t vp)
{
    uint32_t index = choose_msr(fuzz);

    msr_write(fuzz, vp, index, take_number(&fuzz->input));
}

static void op_msr_raw(struct fuzz *fuzz, uint32_t vp)
{
    uint32_t index = (uint32_t)take(&fuzz->input, 4);

    msr_write(fuzz, vp, index, take_number(&fuzz->input));
    msr_read(fuzz, vp, index);
}

static void op_race(struct fuzz *fuzz, uint32_t vp)
{
    (void)vp;
    fuzz->machine.race = (uint8_t)take(&fuzz->input, 1);
}

static void op_save_load(struct fuzz *fuzz, uint32_t vp)
{
    (void)vp;
    fuzz_save_load(&fuzz->machine, take(&fuzz->input, 1) ? take(&fuzz->input, 8) : 0);
}

static void op_xmm(struct fuzz *fuzz, uint32_t vp)
{
    (void)vp;
    for (uint32_t i = 0; i < sizeof(fuzz->machine.xmm); i++)
        ((uint8_t *)fuzz->machine.xmm)[i] = (uint8_t)take(&fuzz->input, 1);
}

static void (*const ops[FUZZ_NR_OPS])(struct fuzz *fuzz, uint32_t vp) = {
    [FUZZ_MSR_READ] = op_msr_read,
    [FUZZ_MSR_WRITE] = op_msr_write,
    [FUZZ_MSR_RAW] = op_msr_raw,
    [FUZZ_CPUID] = cpuid,
    [FUZZ_CALL] = call,
    [FUZZ_CALL_RAW] = call_raw,
    [FUZZ_XEN_CALL] = xen_call,
    [FUZZ_BACKDOOR] = backdoor,
    [FUZZ_RPC] = rpc,
    [FUZZ_PIO] = pio,
    [FUZZ_TIME] = time_passes,
    [FUZZ_TIMER] = timer,
    [FUZZ_MEMORY] = memory,
    [FUZZ_RACE] = op_race,
    [FUZZ_SAVE_LOAD] = op_save_load,
    [FUZZ_RESET] = reset,
    [FUZZ_HOST] = host,
    [FUZZ_VMW_HOST] = vmw_host,
    [FUZZ_CLOCK] = clock_set,
    [FUZZ_LOOK] = look,
    [FUZZ_XMM] = op_xmm,
    [FUZZ_MODE] = mode,
    [FUZZ_XEN_HOST] = xen_host,
    [FUZZ_STORE] = store_request,
    [FUZZ_STORE_HOST] = store_host,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct fuzz fuzz;

    memset(&fuzz, 0, sizeof(fuzz));
    fuzz.input = (struct input){data, data + bytes};
    running = &fuzz.machine;
    if (!configure(&fuzz))
        return 0;
    fuzz.mode = (struct hvs_regs){
        .rip = 0x1000, .rsp = 0x2000, .rflags = 2, .cr0 = HVS_CR0_PE, .efer = HVS_EFER_LMA, .code_bits = 64};
    for (uint32_t op = 0; op < MAX_OPS && fuzz.input.at < fuzz.input.end; op++) {
        uint32_t kind = (uint32_t)take(&fuzz.input, 1) % FUZZ_NR_OPS;
        uint32_t vp = (uint32_t)take(&fuzz.input, 1) % fuzz.machine.config.nr_vps;

        ops[kind](&fuzz, vp);
    }
    fuzz_save_load(&fuzz.machine, 0);
    fuzz_stop(&fuzz.machine);
    return 0;
}
