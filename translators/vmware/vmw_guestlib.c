/*
 * guestlib.info.get: what the host knows of the VM's share of it, for vmware-toolbox-cmd stat and libguestlib
 * [open-vm-tools libguestlib/vmGuestLibInt.h, version 2].
 *
 * Each figure says of itself whether it is valid. Left out, so not valid: reservations, limits, shares, and what only a
 * host with overcommitted memory of its own could know.
 */
#include "vmw_state.h"

enum { GUESTLIB_VERSION = 2 };
#define NS_PER_MS 1000000u

struct stat32 {
    uint32_t is_valid;          /* 0 or 1 in its first byte */
    uint32_t value;
};

struct __attribute__((packed)) stat64 {
    uint32_t is_valid;
    uint64_t value;
};

struct __attribute__((packed)) guestlib_data {
    uint32_t version;
    uint64_t session_id;        /* not 0 */
    struct stat32 cpu_reservation_mhz, cpu_limit_mhz, cpu_shares;
    struct stat64 cpu_used_ms;
    struct stat32 host_mhz;
    struct stat32 mem_reservation_mb, mem_limit_mb, mem_shares, mem_mapped_mb, mem_active_mb, mem_overhead_mb,
        mem_ballooned_mb, mem_swapped_mb, mem_shared_mb, mem_shared_saved_mb, mem_used_mb;
    struct stat64 elapsed_ms;
    uint8_t has_resource_pool_path;
    char resource_pool_path[512];
};
_Static_assert(sizeof(struct guestlib_data) == 669, "libguestlib compares the size of the whole");
_Static_assert(offsetof(struct guestlib_data, mem_ballooned_mb) == 104, "guestlib mem_ballooned_mb");
_Static_assert(offsetof(struct guestlib_data, elapsed_ms) == 144, "guestlib elapsed_ms");

static struct stat32 valid32(uint64_t value)
{
    return (struct stat32){1, (uint32_t)value};
}

static struct stat64 valid64(uint64_t value)
{
    return (struct stat64){1, value};
}

static uint64_t used_ns(const struct hvs_ctx *ctx)
{
    uint64_t sum = 0;

    for (uint32_t vp = 0; vp < hvs_ctx_nr_vps(ctx); vp++)
        sum += hvs_ctx_vcpu_time(ctx, vp).ran_ns;
    return sum;
}

static void fill(const struct hvs_ctx *ctx, struct guestlib_data *data)
{
    const struct hvs_vm_config *config = hvs_ctx_config(ctx);
    const struct vmw_vm *vm = ctx->vm_state;
    uint64_t ballooned_mb = atomic_load_explicit(&vm->balloon.nr_locked, memory_order_relaxed) / 256;

    *data = (struct guestlib_data){.version = GUESTLIB_VERSION};
    memcpy(&data->session_id, config->uuid, sizeof(data->session_id));
    data->session_id |= 1;
    data->host_mhz = valid32(config->tsc_khz / 1000);
    if (config->caps & HVS_CAP_VCPU_TIME)
        data->cpu_used_ms = valid64(used_ns(ctx) / NS_PER_MS);
    data->mem_ballooned_mb = valid32(ballooned_mb);
    data->mem_used_mb = valid32((config->memory_bytes >> 20) - ballooned_mb);
    data->elapsed_ms = valid64(hvs_ctx_now_ns(ctx) / NS_PER_MS);
}

void vmw_guestlib_info_get(struct hvs_ctx *ctx, struct vmw_channel *channel, struct hvs_text args)
{
    struct guestlib_data data;

    if (!vmw_text_is(args, "2")) {
        vmw_message_begin(channel, vmw_text("0 Unsupported version"));
        return;
    }
    fill(ctx, &data);
    vmw_message_begin(channel, vmw_text("1 "));
    vmw_message_append(channel, (struct hvs_text){(const char *)&data, sizeof(data)});
}
