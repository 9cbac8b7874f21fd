/*
 * Save and load. Contents of shared_info and of vcpu_info travel in guest RAM; here is where they lie, and what is
 * only ours: parameters, the port table, upcall vectors, timers. docs/save-format.md is the text.
 *
 * A stream may be damaged: what a guest could not have set up is HVS_EFORMAT.
 */
#include "xen_state.h"

enum { RECORD_VM = 1, RECORD_VCPU, RECORD_PORT, RECORD_TIMER };

struct saved_vm {
    uint8_t has_32bit_shinfo;
    uint8_t pad[7];
    uint64_t param[HVM_NR_PARAMS];
};

struct saved_vcpu {
    uint64_t info_gpa, time_gpa;        /* 0 where not set */
    uint8_t has_info, has_time;
    uint8_t upcall_vector;
    uint8_t pad[5];
};

struct saved_port {
    uint16_t port;
    uint16_t remote_domid;
    uint16_t remote_port;
    uint16_t vcpu;
    uint8_t state;
    uint8_t virq;
    uint8_t pad[6];
};

struct saved_timer {
    uint64_t deadline_ns;
};

static void save_vm(struct hvs_ctx *ctx, struct hvs_writer *writer)
{
    struct saved_vm saved = {.has_32bit_shinfo = xen_vm(ctx)->has_32bit_shinfo};

    memcpy(saved.param, xen_vm(ctx)->param, sizeof(saved.param));
    hvs_writer_put(writer, RECORD_VM, 1, &saved, sizeof(saved));
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

    hvs_writer_put(writer, RECORD_VCPU, 1, &saved, sizeof(saved));
}

static void save_ports(struct hvs_ctx *ctx, struct hvs_writer *writer)
{
    for (uint32_t nr = 1; nr < XEN_NR_PORTS; nr++) {
        const struct xen_port *port = &xen_vm(ctx)->port[nr];
        const struct saved_port saved = {
            .port = (uint16_t)nr,
            .remote_domid = port->remote_domid,
            .remote_port = port->remote_port,
            .vcpu = port->vcpu,
            .state = port->state,
            .virq = port->virq,
        };

        if (port->state != XEN_PORT_FREE)
            hvs_writer_put(writer, RECORD_PORT, 1, &saved, sizeof(saved));
    }
}

static void save_timer(struct hvs_ctx *ctx, struct hvs_writer *writer)
{
    const struct saved_timer saved = {.deadline_ns = hvs_timer_deadline(ctx, XEN_TIMER_SINGLESHOT)};

    if (saved.deadline_ns != UINT64_MAX)
        hvs_writer_put(writer, RECORD_TIMER, 1, &saved, sizeof(saved));
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
        if (ctx->vp == 0)
            save_ports(ctx, writer);
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
    xen_vm(ctx)->has_32bit_shinfo = saved.has_32bit_shinfo;
    memcpy(xen_vm(ctx)->param, saved.param, sizeof(saved.param));
    xen_shared_publish_wallclock(ctx);
    return HVS_OK;
}

static bool place_is_good(uint8_t is_set, uint64_t gpa, size_t bytes)
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
    if (!place_is_good(saved.has_info, saved.info_gpa, XEN_VCPU_INFO_BYTES) ||
        !place_is_good(saved.has_time, saved.time_gpa, sizeof(struct vcpu_time_info)))
        return HVS_EFORMAT;
    vcpu->info = (struct xen_place){.is_set = saved.has_info, .gpa = saved.info_gpa};
    vcpu->time = (struct xen_place){.is_set = saved.has_time, .gpa = saved.time_gpa};
    vcpu->upcall_vector = saved.upcall_vector;
    xen_shared_publish_time(ctx, ctx->vp);
    return HVS_OK;
}

static bool port_is_good(const struct hvs_ctx *ctx, const struct saved_port *saved)
{
    if (saved->port == 0 || saved->port >= XEN_NR_PORTS || xen_vm(ctx)->port[saved->port].state != XEN_PORT_FREE)
        return false;
    if (saved->state == XEN_PORT_FREE || saved->state >= XEN_NR_PORT_STATES || saved->vcpu >= hvs_ctx_nr_vps(ctx))
        return false;
    return saved->remote_port < XEN_NR_PORTS && saved->virq < NR_VIRQS;
}

static int load_port(struct hvs_ctx *ctx, const struct hvs_record *record)
{
    struct saved_port saved;
    uint16_t *slot;

    if (hvs_record_get(record, &saved, sizeof(saved)) || !port_is_good(ctx, &saved))
        return HVS_EFORMAT;
    xen_vm(ctx)->port[saved.port] = (struct xen_port){
        .state = saved.state,
        .virq = saved.virq,
        .remote_domid = saved.remote_domid,
        .remote_port = saved.remote_port,
        .vcpu = saved.vcpu,
    };
    if (saved.state != XEN_PORT_VIRQ)
        return HVS_OK;
    slot = &xen_vcpu(ctx, xen_virq_is_global(saved.virq) ? 0 : saved.vcpu)->virq_port[saved.virq];
    if (*slot)
        return HVS_EFORMAT;
    *slot = saved.port;
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

/* An id that is not known is from a later version, and is skipped. */
int xen_load(struct hvs_ctx *ctx, const struct hvs_record *record)
{
    int err = HVS_OK;

    hvs_vm_lock(ctx);
    if (record->id == RECORD_VM)
        err = load_vm(ctx, record);
    else if (record->id == RECORD_VCPU)
        err = load_vcpu(ctx, record);
    else if (record->id == RECORD_PORT)
        err = load_port(ctx, record);
    else if (record->id == RECORD_TIMER)
        err = load_timer(ctx, record);
    hvs_vm_unlock(ctx);
    return err;
}
