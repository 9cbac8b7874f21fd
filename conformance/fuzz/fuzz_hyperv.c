/*
 * The host of a Hyper-V guest under the fuzzer: its callbacks, and its requests.
 */
#include "fuzz.h"

#include <string.h>

#include <hvshim/hyperv.h>
#include <hvshim/translators.h>

/* The callbacks read what they are given, and answer by the connection's number. */
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
const struct hvs_hv_options fuzz_hv_options = {.size = sizeof(fuzz_hv_options), .host = &hv_host};

/* Structures without pointers. */
void fuzz_hv_host(struct fuzz *fuzz, uint32_t vp)
{
    _Alignas(16) uint8_t data[FUZZ_MAX_PAYLOAD] = {0};
    uint32_t request = (uint32_t)fuzz_take(&fuzz->input, 1), bytes = (uint32_t)fuzz_take(&fuzz->input, 1);

    for (uint32_t i = 0; i < bytes; i++)
        data[i] = (uint8_t)fuzz_take(&fuzz->input, 1);
    fuzz_request(fuzz, vp, &hvs_hv_personality, request % 8, data);
}
