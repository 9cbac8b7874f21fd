/*
 * GuestRPC's channels [BDOOR BDOOR_CMD_MESSAGE; MSG; open-vm-tools lib/message].
 *
 * An operation is a sequence of commands: the guest sends a size and the payload by 4 bytes, or asks for a size,
 * fetches the payload by 4 bytes and says how it went. The reply's status is the high half of ECX and its low half is
 * zero, as is that of EDX where EDX has a result: iPXE and OpenBSD's vmt compare whole registers.
 *
 * Left out: MESSAGE_STATUS_POWEROFF, since no device powers off beneath a running guest.
 */
#include "vmw_state.h"

enum { EXPIRY_S = 60 };         /* an idle channel may be taken from its owner then, if all are in use */
#define NS_PER_S 1000000000ull

/* One command of the guest and its reply. */
struct request {
    struct vmw_channel *channel;
    uint64_t *arg;              /* by enum vmw_arg */
};

typedef uint32_t request_fn(struct hvs_ctx *ctx, struct request *request);

static void set_edx(struct request *request, uint32_t high)
{
    request->arg[VMW_EDX] = high << 16;
}

/* The bit that says that the high-bandwidth port may be used for what comes next. */
static uint32_t high_bandwidth(const struct hvs_ctx *ctx)
{
    return hvs_ctx_feature(ctx, VMW_FEATURE_GUESTRPC_HB) ? MESSAGE_STATUS_HB : 0;
}

/* --- messages to the guest ---------------------------------------------------------------------------------------- */

void vmw_message_append(struct vmw_channel *channel, struct hvs_text text)
{
    uint32_t room = (uint32_t)sizeof(channel->message) - channel->message_bytes;
    uint32_t bytes = text.bytes < room ? text.bytes : room;

    if (bytes > 0)
        memmove(channel->message + channel->message_bytes, text.text, bytes);
    channel->message_bytes += bytes;
}

void vmw_message_begin(struct vmw_channel *channel, struct hvs_text text)
{
    channel->flow = VMW_FLOW_WAITING;
    channel->message_bytes = 0;
    channel->done_bytes = 0;
    vmw_message_append(channel, text);
}

/* --- opening and closing ------------------------------------------------------------------------------------------ */

/* The finaliser of a good hash: neighbouring inputs give unrelated outputs. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* Keeps programs in the guest from using each other's channels by accident, and by guessing if the VMM gave a seed. */
static void make_cookie(struct hvs_ctx *ctx, struct vmw_channel *channel)
{
    struct vmw_vm *vm = ctx->vm_state;
    struct hvs_instant now;
    uint64_t cookie;

    hvs_ctx_now(ctx, &now);
    cookie = mix(mix(vmw_options(ctx)->cookie_seed + now.tsc) + vm->nr_opened);
    channel->cookie_high = (uint32_t)(cookie >> 32) | 1;        /* vmt takes all zeros for a closed channel */
    channel->cookie_low = (uint32_t)cookie;
}

static void close_channel(struct hvs_ctx *ctx, struct vmw_channel *channel)
{
    if (channel->protocol == TCLO_PROTOCOL_NUM)
        vmw_tclo_closed(ctx, channel);
    channel->protocol = 0;
}

static void expire_idle(struct hvs_ctx *ctx, uint64_t now_ns)
{
    struct vmw_vm *vm = ctx->vm_state;

    for (uint32_t i = 0; i < VMW_NR_CHANNELS; i++) {
        struct vmw_channel *channel = &vm->channel[i];

        if (channel->protocol == 0 || now_ns - channel->used_ns < EXPIRY_S * NS_PER_S)
            continue;
        close_channel(ctx, channel);
        channel->has_expired = true;
    }
}

/* VMW_NR_CHANNELS where all are open. */
static uint32_t find_closed(const struct vmw_vm *vm)
{
    uint32_t i = 0;

    while (i < VMW_NR_CHANNELS && vm->channel[i].protocol)
        i++;
    return i;
}

static uint32_t open_channel(struct hvs_ctx *ctx, struct request *request)
{
    uint32_t protocol = (uint32_t)request->arg[VMW_EBX] & ~GUESTMSG_FLAG_COOKIE, index;
    bool has_cookie = request->arg[VMW_EBX] & GUESTMSG_FLAG_COOKIE;
    uint64_t now_ns = hvs_ctx_now_ns(ctx);
    struct vmw_vm *vm = ctx->vm_state;
    struct vmw_channel *channel;

    if (protocol != RPCI_PROTOCOL_NUM && protocol != TCLO_PROTOCOL_NUM)
        return 0;
    if (find_closed(vm) == VMW_NR_CHANNELS)
        expire_idle(ctx, now_ns);
    index = find_closed(vm);
    if (index == VMW_NR_CHANNELS)
        return 0;
    channel = &vm->channel[index];
    memset(channel, 0, offsetof(struct vmw_channel, message));
    channel->protocol = protocol;
    channel->used_ns = now_ns;
    channel->has_cookie = has_cookie;
    vm->nr_opened++;
    if (has_cookie) {
        make_cookie(ctx, channel);
        request->arg[VMW_ESI] = channel->cookie_high;
        request->arg[VMW_EDI] = channel->cookie_low;
    }
    if (protocol == TCLO_PROTOCOL_NUM)
        vmw_tclo_opened(channel);
    set_edx(request, index);
    return MESSAGE_STATUS_SUCCESS;
}

static uint32_t close_by_guest(struct hvs_ctx *ctx, struct request *request)
{
    close_channel(ctx, request->channel);
    return MESSAGE_STATUS_SUCCESS;
}

/* --- from the guest ----------------------------------------------------------------------------------------------- */

void vmw_message_whole(struct hvs_ctx *ctx, struct vmw_channel *channel)
{
    channel->flow = VMW_FLOW_IDLE;
    if (channel->protocol == RPCI_PROTOCOL_NUM)
        vmw_rpci(ctx, channel);
    else
        vmw_tclo_answered(ctx, channel);
}

/* A message that the guest did not fetch is dropped: it goes on with another. */
static uint32_t send_size(struct hvs_ctx *ctx, struct request *request)
{
    struct vmw_channel *channel = request->channel;
    uint32_t bytes = (uint32_t)request->arg[VMW_EBX];

    if ((channel->flow == VMW_FLOW_WAITING || channel->flow == VMW_FLOW_RECEIVING) &&
        channel->protocol == TCLO_PROTOCOL_NUM)
        vmw_tclo_received(channel, false);
    channel->flow = VMW_FLOW_IDLE;
    channel->interrupted = VMW_NOT_INTERRUPTED;
    if (bytes > GUESTMSG_MAX_IN_SIZE)
        return 0;
    channel->message_bytes = bytes;
    channel->done_bytes = 0;
    channel->flow = VMW_FLOW_SENDING;
    if (bytes == 0)
        vmw_message_whole(ctx, channel);
    return MESSAGE_STATUS_SUCCESS | high_bandwidth(ctx);
}

uint32_t vmw_message_out_of_step(struct vmw_channel *channel)
{
    static const uint8_t status[] = {
        [VMW_NOT_INTERRUPTED] = 0,
        [VMW_BY_CHECKPOINT] = MESSAGE_STATUS_CPT,
        [VMW_BY_HOST] = MESSAGE_STATUS_UNSENT,
    };
    uint8_t interrupted = channel->interrupted;

    channel->interrupted = VMW_NOT_INTERRUPTED;
    return status[interrupted];
}

static uint32_t send_payload(struct hvs_ctx *ctx, struct request *request)
{
    struct vmw_channel *channel = request->channel;
    uint32_t word = (uint32_t)request->arg[VMW_EBX];
    uint32_t left = channel->message_bytes - channel->done_bytes;
    uint32_t bytes = left < sizeof(word) ? left : (uint32_t)sizeof(word);

    if (channel->flow != VMW_FLOW_SENDING)
        return vmw_message_out_of_step(channel);
    memcpy(channel->message + channel->done_bytes, &word, bytes);
    channel->done_bytes += bytes;
    if (channel->done_bytes == channel->message_bytes)
        vmw_message_whole(ctx, channel);
    return MESSAGE_STATUS_SUCCESS;
}

/* --- to the guest ------------------------------------------------------------------------------------------------- */

/* Asked again in the middle of a message, it begins anew: so does a guest after a checkpoint. */
static uint32_t receive_size(struct hvs_ctx *ctx, struct request *request)
{
    struct vmw_channel *channel = request->channel;

    channel->interrupted = VMW_NOT_INTERRUPTED;
    if (channel->flow == VMW_FLOW_IDLE && channel->protocol == TCLO_PROTOCOL_NUM)
        vmw_tclo_poll(ctx, channel);
    if (channel->flow != VMW_FLOW_WAITING && channel->flow != VMW_FLOW_RECEIVING)
        return MESSAGE_STATUS_SUCCESS;
    channel->flow = VMW_FLOW_RECEIVING;
    channel->done_bytes = 0;
    request->arg[VMW_EBX] = channel->message_bytes;
    set_edx(request, MESSAGE_TYPE_SENDSIZE);
    return MESSAGE_STATUS_SUCCESS | MESSAGE_STATUS_DORECV | high_bandwidth(ctx);
}

static void end_message(struct vmw_channel *channel, bool is_whole)
{
    channel->flow = VMW_FLOW_IDLE;
    if (channel->protocol == TCLO_PROTOCOL_NUM)
        vmw_tclo_received(channel, is_whole);
}

/* EBX says whether the guest could use what came before. */
static uint32_t receive_payload(struct hvs_ctx *ctx, struct request *request)
{
    struct vmw_channel *channel = request->channel;
    uint32_t left = channel->message_bytes - channel->done_bytes;
    uint32_t word = 0, bytes = left < sizeof(word) ? left : (uint32_t)sizeof(word);

    (void)ctx;
    if (channel->flow != VMW_FLOW_RECEIVING)
        return vmw_message_out_of_step(channel);
    if (!(request->arg[VMW_EBX] & MESSAGE_STATUS_SUCCESS)) {
        end_message(channel, false);
        return MESSAGE_STATUS_SUCCESS;
    }
    if (bytes == 0)
        return 0;
    memcpy(&word, channel->message + channel->done_bytes, bytes);
    channel->done_bytes += bytes;
    request->arg[VMW_EBX] = word;
    set_edx(request, MESSAGE_TYPE_SENDPAYLOAD);
    return MESSAGE_STATUS_SUCCESS;
}

/* A guest may stop short of the end, as vmt does with what is too long for it, and still be content. */
static uint32_t receive_status(struct hvs_ctx *ctx, struct request *request)
{
    struct vmw_channel *channel = request->channel;

    (void)ctx;
    if (channel->flow != VMW_FLOW_RECEIVING)
        return vmw_message_out_of_step(channel);
    end_message(channel, request->arg[VMW_EBX] & MESSAGE_STATUS_SUCCESS);
    return MESSAGE_STATUS_SUCCESS;
}

/* --- the command -------------------------------------------------------------------------------------------------- */

struct vmw_channel *vmw_message_channel(struct hvs_ctx *ctx, uint32_t index, uint32_t cookie_high, uint32_t cookie_low,
                                        uint32_t *status)
{
    struct vmw_vm *vm = ctx->vm_state;
    struct vmw_channel *channel;

    *status = MESSAGE_STATUS_CLOSED;
    if (index >= VMW_NR_CHANNELS)
        return NULL;
    channel = &vm->channel[index];
    if (!channel->protocol && !channel->has_expired)
        return NULL;
    *status = 0;
    if (channel->has_cookie && (channel->cookie_high != cookie_high || channel->cookie_low != cookie_low))
        return NULL;
    if (channel->has_expired) {
        *status = MESSAGE_STATUS_CLOSED | MESSAGE_STATUS_TIMEOUT;
        channel->has_expired = false;
        return NULL;
    }
    channel->used_ns = hvs_ctx_now_ns(ctx);
    return channel;
}

static request_fn *const by_type[] = {
    [MESSAGE_TYPE_OPEN] = open_channel,
    [MESSAGE_TYPE_SENDSIZE] = send_size,
    [MESSAGE_TYPE_SENDPAYLOAD] = send_payload,
    [MESSAGE_TYPE_RECVSIZE] = receive_size,
    [MESSAGE_TYPE_RECVPAYLOAD] = receive_payload,
    [MESSAGE_TYPE_RECVSTATUS] = receive_status,
    [MESSAGE_TYPE_CLOSE] = close_by_guest,
};

int64_t vmw_message(struct hvs_ctx *ctx, struct hvs_call *call)
{
    uint32_t type = (uint32_t)call->arg[VMW_ECX] >> 16, status = 0;
    struct request request = {.arg = call->arg};

    if (type < HVS_ARRAY_SIZE(by_type) && type != MESSAGE_TYPE_OPEN)
        request.channel = vmw_message_channel(ctx, (uint32_t)call->arg[VMW_EDX] >> 16, (uint32_t)call->arg[VMW_ESI],
                                              (uint32_t)call->arg[VMW_EDI], &status);
    if (type < HVS_ARRAY_SIZE(by_type) && (request.channel || type == MESSAGE_TYPE_OPEN))
        status = by_type[type](ctx, &request);
    call->arg[VMW_ECX] = status << 16;
    return BDOOR_MAGIC;
}
