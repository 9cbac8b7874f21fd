/*
 * Save and load: open channels with the messages that are complete, and what the other chapters keep.
 *
 * An operation that was under way is not: its next command is answered MESSAGE_STATUS_CPT, and the guest begins it
 * anew, as VMware has it. So a half sent message is not in the stream, and a half received one is there from its beginning.
 */
#include "vmw_state.h"

enum {
    RECORD_VM = 1,
    RECORD_CHANNEL = 2,
    RECORD_COMMAND = 3,
    RECORD_VCPU = 4,
    RECORD_MESSAGE = 0x100,     /* + number of the channel, whose own record came before */
};

struct saved_vm {
    uint64_t nr_opened;
    uint32_t tools_options;
    uint32_t balloon_capabilities, balloon_target, balloon_nr_locked;
    struct vmw_pointer pointer;
};

struct saved_channel {
    uint32_t index;
    uint32_t protocol, cookie_high, cookie_low;
    uint8_t has_cookie, has_expired, has_message, is_interrupted;
    uint32_t message_bytes;
    uint64_t used_ns;
    uint32_t untold, telling;
    uint8_t is_told;
    uint8_t pad[7];
    char name[HVS_VMW_CHANNEL_NAME_BYTES];
};

struct saved_vcpu {
    uint64_t steal_gpa;
    uint64_t steal_ticks;
    uint8_t is_steal_on;
    uint8_t pad[7];
};

/* --- save --------------------------------------------------------------------------------------------------------- */

static void save_vm(const struct vmw_vm *vm, struct hvs_writer *writer)
{
    const struct saved_vm saved = {
        .nr_opened = vm->nr_opened,
        .tools_options = vm->tools_options,
        .balloon_capabilities = atomic_load_explicit(&vm->balloon.capabilities, memory_order_relaxed),
        .balloon_target = atomic_load_explicit(&vm->balloon.target, memory_order_relaxed),
        .balloon_nr_locked = atomic_load_explicit(&vm->balloon.nr_locked, memory_order_relaxed),
        .pointer = vm->pointer,
    };

    hvs_writer_put(writer, RECORD_VM, 1, &saved, sizeof(saved));
    if (vm->command.bytes)
        hvs_writer_put(writer, RECORD_COMMAND, 1, &vm->command, sizeof(vm->command));
}

static void save_channel(const struct vmw_channel *channel, uint32_t index, struct hvs_writer *writer)
{
    bool has_message = channel->flow == VMW_FLOW_WAITING || channel->flow == VMW_FLOW_RECEIVING;
    struct saved_channel saved = {
        .index = index,
        .protocol = channel->protocol,
        .cookie_high = channel->cookie_high,
        .cookie_low = channel->cookie_low,
        .has_cookie = channel->has_cookie,
        .has_expired = channel->has_expired,
        .has_message = has_message,
        .is_interrupted = channel->flow == VMW_FLOW_SENDING || channel->flow == VMW_FLOW_RECEIVING ||
                          channel->interrupted == VMW_BY_CHECKPOINT,
        .message_bytes = has_message ? channel->message_bytes : 0,
        .used_ns = channel->used_ns,
        .untold = channel->untold,
        .telling = channel->telling,
        .is_told = channel->is_told,
    };

    if (!channel->protocol && !channel->has_expired)
        return;
    memcpy(saved.name, channel->name, sizeof(saved.name));
    hvs_writer_put(writer, RECORD_CHANNEL, 1, &saved, sizeof(saved));
    if (has_message)
        hvs_writer_put(writer, (uint16_t)(RECORD_MESSAGE + index), 1, channel->message, channel->message_bytes);
}

int vmw_save(struct hvs_ctx *ctx, enum hvs_phase phase, struct hvs_writer *writer)
{
    const struct vmw_vm *vm = ctx->vm_state;
    const struct vmw_vcpu *own = ctx->vcpu_state;

    if (phase == HVS_PHASE_MESSAGES && ctx->vp == 0) {
        save_vm(vm, writer);
        for (uint32_t i = 0; i < VMW_NR_CHANNELS; i++)
            save_channel(&vm->channel[i], i, writer);
    }
    if (phase == HVS_PHASE_TIMERS && (own->is_steal_on || own->steal_ticks)) {
        const struct saved_vcpu saved = {own->steal_gpa, own->steal_ticks, own->is_steal_on, {0}};

        hvs_writer_put(writer, RECORD_VCPU, 1, &saved, sizeof(saved));
    }
    return HVS_OK;
}

/* --- load --------------------------------------------------------------------------------------------------------- */

static int load_vm(struct hvs_ctx *ctx, const struct hvs_record *record)
{
    struct vmw_vm *vm = ctx->vm_state;
    struct saved_vm saved;

    if (hvs_record_get(record, &saved, sizeof(saved)))
        return HVS_EFORMAT;
    if (saved.pointer.nr_words > HVS_ARRAY_SIZE(saved.pointer.word) ||
        saved.pointer.mode > HVS_VMW_POINTER_ABSOLUTE || saved.pointer.restriction > VMMOUSE_RESTRICT_IOPL)
        return HVS_EFORMAT;
    vm->nr_opened = saved.nr_opened;
    vm->tools_options = saved.tools_options;
    atomic_store_explicit(&vm->balloon.capabilities, saved.balloon_capabilities, memory_order_relaxed);
    atomic_store_explicit(&vm->balloon.target, saved.balloon_target, memory_order_relaxed);
    atomic_store_explicit(&vm->balloon.nr_locked, saved.balloon_nr_locked, memory_order_relaxed);
    vm->pointer = saved.pointer;
    return HVS_OK;
}

static bool channel_is_sane(const struct saved_channel *saved)
{
    bool is_open = saved->protocol == RPCI_PROTOCOL_NUM || saved->protocol == TCLO_PROTOCOL_NUM;

    return saved->index < VMW_NR_CHANNELS && saved->has_expired <= 1 && (is_open || saved->protocol == 0) &&
           is_open != saved->has_expired && saved->has_cookie <= 1 && saved->has_message <= 1 &&
           saved->is_interrupted <= 1 && saved->is_told <= 1 && saved->message_bytes <= GUESTMSG_MAX_IN_SIZE &&
           saved->name[sizeof(saved->name) - 1] == '\0';
}

static int load_channel(struct vmw_vm *vm, const struct hvs_record *record)
{
    struct saved_channel saved;
    struct vmw_channel *channel;

    if (hvs_record_get(record, &saved, sizeof(saved)) || !channel_is_sane(&saved))
        return HVS_EFORMAT;
    channel = &vm->channel[saved.index];
    channel->protocol = saved.protocol;
    channel->cookie_high = saved.cookie_high;
    channel->cookie_low = saved.cookie_low;
    channel->has_cookie = saved.has_cookie;
    channel->has_expired = saved.has_expired;
    channel->flow = saved.has_message ? VMW_FLOW_WAITING : VMW_FLOW_IDLE;
    channel->interrupted = saved.is_interrupted ? VMW_BY_CHECKPOINT : VMW_NOT_INTERRUPTED;
    channel->used_ns = saved.used_ns;
    channel->message_bytes = saved.message_bytes;
    channel->untold = saved.untold;
    channel->telling = saved.telling;
    channel->is_told = saved.is_told;
    memcpy(channel->name, saved.name, sizeof(channel->name));
    return HVS_OK;
}

static int load_message(struct vmw_vm *vm, const struct hvs_record *record)
{
    struct vmw_channel *channel = &vm->channel[record->id - RECORD_MESSAGE];

    if (channel->flow != VMW_FLOW_WAITING || channel->message_bytes != record->bytes)
        return HVS_EFORMAT;
    memcpy(channel->message, record->payload, record->bytes);
    return HVS_OK;
}

static int load_command(struct vmw_vm *vm, const struct hvs_record *record)
{
    if (hvs_record_get(record, &vm->command, sizeof(vm->command)) || vm->command.bytes > sizeof(vm->command.text))
        return HVS_EFORMAT;
    return HVS_OK;
}

static int load_vcpu(struct hvs_ctx *ctx, const struct hvs_record *record)
{
    struct saved_vcpu saved;

    if (hvs_record_get(record, &saved, sizeof(saved)) || saved.is_steal_on > 1)
        return HVS_EFORMAT;
    vmw_steal_go_on(ctx, saved.steal_ticks);
    if (saved.is_steal_on && !vmw_steal_on(ctx, saved.steal_gpa))
        return HVS_EFORMAT;
    return HVS_OK;
}

int vmw_load(struct hvs_ctx *ctx, const struct hvs_record *record)
{
    struct vmw_vm *vm = ctx->vm_state;

    switch (record->id) {
    case RECORD_VM:
        return load_vm(ctx, record);
    case RECORD_CHANNEL:
        return load_channel(vm, record);
    case RECORD_COMMAND:
        return load_command(vm, record);
    case RECORD_VCPU:
        return load_vcpu(ctx, record);
    default:
        break;
    }
    if (record->id >= RECORD_MESSAGE && record->id < RECORD_MESSAGE + VMW_NR_CHANNELS)
        return load_message(vm, record);
    return HVS_OK;
}
