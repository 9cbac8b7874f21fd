/*
 * Save and load. Contents of shared_info and of vcpu_info travel in guest RAM; here is where they lie, and what is
 * only ours: parameters, upcall vectors, timers. Event channels: xen_save_port.c. docs/save-format.md is the text.
 *
 * A stream may be damaged: what a guest could not have set up is HVS_EFORMAT.
 */
#include "xen_state.h"

struct saved_vm {
    uint8_t has_32bit_shinfo;
    uint8_t pad[3];
    uint32_t nr_valid_ports;
    uint64_t param[HVM_NR_PARAMS];
};

struct saved_vcpu {
    uint64_t info_gpa, time_gpa;        /* 0 where not set */
    uint8_t has_info, has_time;
    uint8_t upcall_vector;
    uint8_t pad[5];
};

struct saved_timer {
    uint64_t deadline_ns;
};

static void save_vm(struct hvs_ctx *ctx, struct hvs_writer *writer)
{
    struct saved_vm saved = {
        .has_32bit_shinfo = xen_vm(ctx)->has_32bit_shinfo,
        .nr_valid_ports = xen_vm(ctx)->nr_valid_ports,
    };

    memcpy(saved.param, xen_vm(ctx)->param, sizeof(saved.param));
    hvs_writer_put(writer, XEN_RECORD_VM, 1, &saved, sizeof(saved));
}

static void save_vcpu(struct hvs_ctx *ctx, struct hvs_writer *writer)
{
    const struct xen_vcpu *vcpu = xen_vcpu(ctx, ctx->vp);
    const struct saved_vcpu saved = {
        .info_gpa = vcpu->info.is_set ? vcpu->info.gpa : 0,
        .time_gpa = vcpu->time.is_set ? vcpu->time.gpa : 0,
        .has_info = vcpu->info.is_set,
        .has_time = vcpu->time.is_set,
        .upcall_vector = vcpu->upcall_vector,
    };

    hvs_writer_put(writer, XEN_RECORD_VCPU, 1, &saved, sizeof(saved));
}

static void save_timer(struct hvs_ctx *ctx, struct hvs_writer *writer)
{
    const struct saved_timer saved = {.deadline_ns = hvs_timer_deadline(ctx, XEN_TIMER_SINGLESHOT)};

    if (saved.deadline_ns != UINT64_MAX)
        hvs_writer_put(writer, XEN_RECORD_TIMER, 1, &saved, sizeof(saved));
}

int xen_save(struct hvs_ctx *ctx, enum hvs_phase phase, struct hvs_writer *writer)
{
    switch (phase) {
    case HVS_PHASE_CONTROL:
        if (ctx->vp == 0)
            save_vm(ctx, writer);
        break;
    case HVS_PHASE_PAGES:
        save_vcpu(ctx, writer);
        break;
    case HVS_PHASE_ROUTES:
        xen_save_ports(ctx, writer);
        break;
    case HVS_PHASE_TIMERS:
        save_timer(ctx, writer);
        break;
    case HVS_PHASE_NONE:
    case HVS_PHASE_MESSAGES:
    case HVS_NR_PHASES:
        break;
    }
    return HVS_OK;
}

static int load_vm(struct hvs_ctx *ctx, const struct hvs_record *record)
{
    struct saved_vm saved;

    if (hvs_record_get(record, &saved, sizeof(saved)) || saved.has_32bit_shinfo > 1)
        return HVS_EFORMAT;
    if (saved.nr_valid_ports == 0 || saved.nr_valid_ports > XEN_NR_PORTS)
        return HVS_EFORMAT;
    xen_vm(ctx)->nr_valid_ports = saved.nr_valid_ports;
    xen_vm(ctx)->has_32bit_shinfo = saved.has_32bit_shinfo;
    memcpy(xen_vm(ctx)->param, saved.param, sizeof(saved.param));
    xen_shared_publish_wallclock(ctx);
    return HVS_OK;
}

bool xen_place_is_good(uint8_t is_set, uint64_t gpa, size_t bytes)
{
    return is_set <= 1 && gpa % 4 == 0 && gpa % HVS_PAGE_BYTES <= HVS_PAGE_BYTES - bytes;
}

/* System time goes on from the saved age by another TSC, so what the guest reads is written anew. */
static int load_vcpu(struct hvs_ctx *ctx, const struct hvs_record *record)
{
    struct xen_vcpu *vcpu = xen_vcpu(ctx, ctx->vp);
    struct saved_vcpu saved;

    if (hvs_record_get(record, &saved, sizeof(saved)))
        return HVS_EFORMAT;
    if (!xen_place_is_good(saved.has_info, saved.info_gpa, XEN_VCPU_INFO_BYTES) ||
        !xen_place_is_good(saved.has_time, saved.time_gpa, sizeof(struct vcpu_time_info)))
        return HVS_EFORMAT;
    vcpu->info = (struct xen_place){.is_set = saved.has_info, .gpa = saved.info_gpa};
    vcpu->time = (struct xen_place){.is_set = saved.has_time, .gpa = saved.time_gpa};
    vcpu->upcall_vector = saved.upcall_vector;
    xen_shared_publish_time(ctx, ctx->vp);
    return HVS_OK;
}

static int load_timer(struct hvs_ctx *ctx, const struct hvs_record *record)
{
    struct saved_timer saved;

    if (hvs_record_get(record, &saved, sizeof(saved)))
        return HVS_EFORMAT;
    hvs_timer_arm(ctx, XEN_TIMER_SINGLESHOT, saved.deadline_ns);
    return HVS_OK;
}

static int load(struct hvs_ctx *ctx, const struct hvs_record *record)
{
    switch ((enum xen_record)record->id) {
    case XEN_RECORD_VM:
        return load_vm(ctx, record);
    case XEN_RECORD_VCPU:
        return load_vcpu(ctx, record);
    case XEN_RECORD_TIMER:
        return load_timer(ctx, record);
    case XEN_RECORD_PORT:
        return xen_load_port(ctx, record);
    case XEN_RECORD_HOST_PORT:
        return xen_load_host_port(ctx, record);
    case XEN_RECORD_FIFO:
        return xen_load_fifo(ctx, record);
    case XEN_RECORD_FIFO_VCPU:
        return xen_load_fifo_vcpu(ctx, record);
    }
    return HVS_OK;              /* an id that is not known is from a later version */
}

int xen_load(struct hvs_ctx *ctx, const struct hvs_record *record)
{
    int err;

    hvs_vm_lock(ctx);
    err = load(ctx, record);
    hvs_vm_unlock(ctx);
    return err;
}
