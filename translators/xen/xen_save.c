/*
 * Save and load. Contents of shared_info and of vcpu_info travel in guest RAM; here is where they lie, and what is
 * only ours: parameters, upcall vectors, timers. Event channels: xen_save_port.c; grants: xen_save_grant.c; xenstore:
 * xen_store_save.c. docs/save-format.md is the text.
 *
 * A stream may be damaged: what a guest could not have set up is HVS_EFORMAT.
 */
#include "xen_state.h"

struct saved_vm {
    uint8_t has_32bit_shinfo;
    uint8_t has_runstate_flag;
    uint8_t has_shutdown_code;
    uint8_t shutdown_code;
    uint32_t nr_valid_ports;
    uint64_t param[HVM_NR_PARAMS];
    uint64_t watchdog_ns[XEN_NR_WATCHDOGS];
    uint64_t line_look_ns;
    uint32_t line_gsi;
    uint32_t clean_specials;
};

struct saved_vcpu {
    uint64_t info_gpa, time_gpa;        /* 0 where not set */
    uint8_t has_info, has_time;
    uint8_t upcall_vector;
    uint8_t is_initialised, is_up;
    uint8_t has_runstate, has_32bit_runstate;
    uint8_t is_polling;                 /* after a load, for any port */
    uint64_t runstate_gpa[2], runstate_updated_ns;
    uint64_t period_ns, period_began_ns;
};

struct saved_segment {
    uint64_t base;
    uint32_t limit;
    uint16_t attributes;
    uint16_t pad;
};

/* What a vCPU begins with; the rest is as xen_power.c always has it. */
struct saved_start {
    uint64_t gpr[8];
    uint64_t rip, rflags, efer, cr0, cr3, cr4, pat;
    struct saved_segment cs, ds, es, ss, tr;
};

struct saved_memory {
    uint64_t nr_released_pages;
    uint32_t has_map;
    uint32_t nr_map;
    struct hvs_xen_memory map[XEN_MAX_MAP_ENTRIES];
};

struct saved_timer {
    uint64_t deadline_ns;
    uint32_t timer;
    uint32_t pad;
};

static void save_vm(struct hvs_ctx *ctx, struct hvs_writer *writer)
{
    struct saved_vm saved = {
        .has_32bit_shinfo = xen_vm(ctx)->has_32bit_shinfo,
        .has_runstate_flag = xen_vm(ctx)->has_runstate_flag,
        .has_shutdown_code = xen_vm(ctx)->has_shutdown_code,
        .shutdown_code = xen_vm(ctx)->shutdown_code,
        .nr_valid_ports = xen_vm(ctx)->nr_valid_ports,
        .line_look_ns = xen_vm(ctx)->line_look_ns,
        .line_gsi = xen_vm(ctx)->line_gsi,
        .clean_specials = xen_vm(ctx)->clean_specials,
    };

    memcpy(saved.param, xen_vm(ctx)->param, sizeof(saved.param));
    memcpy(saved.watchdog_ns, xen_vm(ctx)->watchdog_ns, sizeof(saved.watchdog_ns));
    hvs_writer_put(writer, XEN_RECORD_VM, 1, &saved, sizeof(saved));
}

static void save_memory(struct hvs_ctx *ctx, struct hvs_writer *writer)
{
    const struct xen_vm *vm = xen_vm(ctx);
    struct saved_memory saved = {
        .nr_released_pages = vm->nr_released_pages, .has_map = vm->has_memory_map, .nr_map = vm->nr_memory_map};

    memcpy(saved.map, vm->memory_map, sizeof(saved.map));
    if (saved.nr_released_pages || saved.has_map)
        hvs_writer_put(writer, XEN_RECORD_MEMORY, 1, &saved, sizeof(saved));
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
        .is_initialised = vcpu->is_initialised,
        .is_up = vcpu->is_up,
        .has_runstate = vcpu->runstate.is_set,
        .has_32bit_runstate = vcpu->runstate.is_32bit,
        .is_polling = vcpu->is_polling,
        .runstate_gpa = {vcpu->runstate.gpa[0], vcpu->runstate.gpa[1]},
        .runstate_updated_ns = vcpu->runstate.updated_ns,
        .period_ns = vcpu->period_ns,
        .period_began_ns = vcpu->period_began_ns,
    };

    hvs_writer_put(writer, XEN_RECORD_VCPU, 1, &saved, sizeof(saved));
}

static struct saved_segment save_segment(const struct hvs_segment *from)
{
    return (struct saved_segment){.base = from->base, .limit = from->limit, .attributes = from->attributes};
}

static void save_start(struct hvs_ctx *ctx, struct hvs_writer *writer)
{
    const struct hvs_vcpu_context *from = &xen_vcpu(ctx, ctx->vp)->start;
    struct saved_start saved = {
        .rip = from->rip, .rflags = from->rflags, .efer = from->efer,
        .cr0 = from->cr0, .cr3 = from->cr3, .cr4 = from->cr4, .pat = from->pat,
        .cs = save_segment(&from->cs),
        .ds = save_segment(&from->ds),
        .es = save_segment(&from->es),
        .ss = save_segment(&from->ss),
        .tr = save_segment(&from->tr),
    };

    memcpy(saved.gpr, from->gpr, sizeof(saved.gpr));
    if (xen_vcpu(ctx, ctx->vp)->has_start)
        hvs_writer_put(writer, XEN_RECORD_START, 1, &saved, sizeof(saved));
}

static void save_timers(struct hvs_ctx *ctx, struct hvs_writer *writer)
{
    for (uint32_t timer = 0; timer < XEN_NR_TIMERS; timer++) {
        const struct saved_timer saved = {.deadline_ns = hvs_timer_deadline(ctx, timer), .timer = timer};

        if (saved.deadline_ns != UINT64_MAX)
            hvs_writer_put(writer, XEN_RECORD_TIMER, 1, &saved, sizeof(saved));
    }
}

int xen_save(struct hvs_ctx *ctx, enum hvs_phase phase, struct hvs_writer *writer)
{
    switch (phase) {
    case HVS_PHASE_CONTROL:
        if (ctx->vp == 0) {
            save_vm(ctx, writer);
            save_memory(ctx, writer);
            xen_save_grants(ctx, writer);
            xen_platform_save(ctx, writer);
        }
        break;
    case HVS_PHASE_PAGES:
        save_vcpu(ctx, writer);
        save_start(ctx, writer);
        break;
    case HVS_PHASE_ROUTES:
        xen_save_ports(ctx, writer);
        if (ctx->vp == 0)
            xen_store_save(ctx, writer);
        break;
    case HVS_PHASE_TIMERS:
        save_timers(ctx, writer);
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
    if (saved.nr_valid_ports == 0 || saved.nr_valid_ports > XEN_NR_PORTS || saved.has_runstate_flag > 1 ||
        saved.has_shutdown_code > 1)
        return HVS_EFORMAT;
    xen_special_forget(ctx);
    xen_vm(ctx)->clean_specials = saved.clean_specials;
    xen_vm(ctx)->has_runstate_flag = saved.has_runstate_flag;
    xen_vm(ctx)->has_shutdown_code = saved.has_shutdown_code;
    xen_vm(ctx)->shutdown_code = saved.shutdown_code;
    xen_vm(ctx)->line_gsi = saved.line_gsi;
    xen_vm(ctx)->line_look_ns = saved.line_look_ns;
    memcpy(xen_vm(ctx)->watchdog_ns, saved.watchdog_ns, sizeof(saved.watchdog_ns));
    xen_vm(ctx)->nr_valid_ports = saved.nr_valid_ports;
    xen_vm(ctx)->has_32bit_shinfo = saved.has_32bit_shinfo;
    memcpy(xen_vm(ctx)->param, saved.param, sizeof(saved.param));
    xen_shared_publish_wallclock(ctx);
    return HVS_OK;
}

static int load_memory(struct hvs_ctx *ctx, const struct hvs_record *record)
{
    struct xen_vm *vm = xen_vm(ctx);
    struct saved_memory saved;

    if (hvs_record_get(record, &saved, sizeof(saved)) || saved.has_map > 1 || saved.nr_map > XEN_MAX_MAP_ENTRIES)
        return HVS_EFORMAT;
    vm->nr_released_pages = saved.nr_released_pages;
    vm->has_memory_map = saved.has_map;
    vm->nr_memory_map = saved.nr_map;
    memcpy(vm->memory_map, saved.map, sizeof(saved.map));
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
    if (saved.has_runstate > 1 || saved.has_32bit_runstate > 1 || saved.is_initialised > 1 ||
        saved.is_polling > 1 || saved.is_up > saved.is_initialised)
        return HVS_EFORMAT;
    vcpu->info = (struct xen_place){.is_set = saved.has_info, .gpa = saved.info_gpa};
    vcpu->time = (struct xen_place){.is_set = saved.has_time, .gpa = saved.time_gpa};
    vcpu->upcall_vector = saved.upcall_vector;
    vcpu->is_initialised = saved.is_initialised;
    vcpu->is_up = saved.is_up;
    vcpu->runstate = (struct xen_area){
        .is_set = saved.has_runstate,
        .is_32bit = saved.has_32bit_runstate,
        .gpa = {saved.runstate_gpa[0], saved.runstate_gpa[1]},
        .updated_ns = saved.runstate_updated_ns,
    };
    vcpu->is_polling = saved.is_polling;
    vcpu->poll_port = 0;
    xen_vm(ctx)->may_poll = xen_vm(ctx)->may_poll || saved.is_polling;
    vcpu->period_ns = saved.period_ns;
    vcpu->period_began_ns = saved.period_began_ns;
    xen_shared_publish_time(ctx, ctx->vp);
    return HVS_OK;
}

static struct hvs_segment load_segment(const struct saved_segment *from)
{
    return (struct hvs_segment){.base = from->base, .limit = from->limit, .attributes = from->attributes};
}

/* What it begins with is the guest's own choice, whether it comes from a stream or from the guest. */
static int load_start(struct hvs_ctx *ctx, const struct hvs_record *record)
{
    struct xen_vcpu *vcpu = xen_vcpu(ctx, ctx->vp);
    struct saved_start saved;

    if (hvs_record_get(record, &saved, sizeof(saved)) || !vcpu->is_initialised || vcpu->is_up)
        return HVS_EFORMAT;
    vcpu->has_start = true;
    vcpu->start = (struct hvs_vcpu_context){
        .rip = saved.rip, .rflags = saved.rflags, .efer = saved.efer,
        .cr0 = saved.cr0, .cr3 = saved.cr3, .cr4 = saved.cr4, .pat = saved.pat,
        .cs = load_segment(&saved.cs),
        .ds = load_segment(&saved.ds),
        .es = load_segment(&saved.es),
        .ss = load_segment(&saved.ss),
        .tr = load_segment(&saved.tr),
    };
    memcpy(vcpu->start.gpr, saved.gpr, sizeof(saved.gpr));
    return HVS_OK;
}

static int load_timer(struct hvs_ctx *ctx, const struct hvs_record *record)
{
    struct saved_timer saved;

    if (hvs_record_get(record, &saved, sizeof(saved)) || saved.timer >= XEN_NR_TIMERS)
        return HVS_EFORMAT;
    hvs_timer_arm(ctx, saved.timer, saved.deadline_ns);
    return HVS_OK;
}

static int load(struct hvs_ctx *ctx, const struct hvs_record *record)
{
    switch ((enum xen_record)record->id) {
    case XEN_RECORD_VM:
        return load_vm(ctx, record);
    case XEN_RECORD_VCPU:
        return load_vcpu(ctx, record);
    case XEN_RECORD_MEMORY:
        return load_memory(ctx, record);
    case XEN_RECORD_PLATFORM:
        return xen_platform_load(ctx, record);
    case XEN_RECORD_START:
        return load_start(ctx, record);
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
    case XEN_RECORD_GRANTS:
        return xen_load_grants(ctx, record);
    case XEN_RECORD_GRANT_PIN:
        return xen_load_grant_pin(ctx, record);
    case XEN_RECORD_STORE:
        return xen_store_load(ctx, record);
    case XEN_RECORD_STORE_IN:
        return xen_store_load_in(ctx, record);
    case XEN_RECORD_STORE_OUT:
        return xen_store_load_out(ctx, record);
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
