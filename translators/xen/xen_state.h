/*
 * Private to the Xen translator: its features, its state, and what its files offer each other.
 *
 * All state is under the VM lock: ports and shared_info belong to the VM, and any vCPU may register another one's
 * vcpu_info or raise its events. So struct xen_vcpu is reached by xen_vcpu(ctx, vp), never by ctx->vcpu_state alone.
 */
#ifndef XEN_STATE_H
#define XEN_STATE_H

#include <hvshim/personality.h>
#include <hvshim/xen.h>

#include "xen_abi.h"
#include "xen_store.h"

enum xen_feature {
    XEN_FEATURE_EVTCHN,
    XEN_FEATURE_UPCALL_VECTOR,
    XEN_FEATURE_CALLBACK_VECTOR,
    XEN_FEATURE_CALLBACK_LINE,
    XEN_FEATURE_TIMER,
    XEN_FEATURE_PVCLOCK,
    XEN_FEATURE_BLOCK,
    XEN_FEATURE_SHUTDOWN,
    XEN_FEATURE_WATCHDOG,
    XEN_FEATURE_VCPU_START,
    XEN_FEATURE_VCPU_DOWN,
    XEN_FEATURE_MULTICALL,
    XEN_FEATURE_FLUSH_TLBS,
    XEN_FEATURE_GRANTS,
    XEN_FEATURE_STORE,
    XEN_FEATURE_CONSOLE,
    XEN_FEATURE_CONSOLE_IO,
    XEN_FEATURE_DEBUG_PORT,
    XEN_FEATURE_UNPLUG,
    XEN_FEATURE_SIGNAL,
    XEN_NR_FEATURES,
};

enum { XEN_NR_WATCHDOGS = 2 };
enum xen_timer {
    XEN_TIMER_SINGLESHOT,
    XEN_TIMER_PERIODIC,
    XEN_TIMER_LINE,
    XEN_TIMER_WATCHDOG,
    XEN_TIMER_WATCHDOG_LAST = XEN_TIMER_WATCHDOG + XEN_NR_WATCHDOGS - 1,
    XEN_TIMER_POLL,
    XEN_TIMER_STORE,
    XEN_NR_TIMERS,
};
enum {
    XEN_MAX_GRANT_FRAMES = XEN_DEFAULT_GRANT_FRAMES,
    XEN_MAX_STATUS_FRAMES = XEN_MAX_GRANT_FRAMES * XEN_GRANTS_PER_FRAME2 / XEN_GRANTS_PER_STATUS_FRAME,
    XEN_MAX_GRANT_PINS = 1024,  /* by the host; a guest's own call takes two more */
};
enum {
    XEN_OVERLAY_SHARED_INFO,
    XEN_OVERLAY_GRANTS,
    XEN_OVERLAY_GRANT_STATUS = XEN_OVERLAY_GRANTS + XEN_MAX_GRANT_FRAMES,
    XEN_NR_VM_OVERLAYS = XEN_OVERLAY_GRANT_STATUS + XEN_MAX_STATUS_FRAMES,
};
/* Host ports from 1 on, in this order. */
enum xen_special { XEN_SPECIAL_STORE, XEN_SPECIAL_CONSOLE, XEN_NR_SPECIALS };
enum { XEN_DOMID_HOST = 0 };    /* the only domain besides the guest */

enum { XEN_NR_HOST_PORTS = 1024, XEN_MAX_MAP_ENTRIES = 128 };
enum { XEN_CALLBACK_TYPE_SHIFT = 56 };          /* in HVM_PARAM_CALLBACK_IRQ */
/* Of one exit, besides one set: see xen_upcall_waiting. */
enum {
    XEN_LINE_EFFECTS = 3,       /* one line falls, another rises, and its timer is set */
    XEN_RAISE_EFFECTS = XEN_LINE_EFFECTS + 1,   /* of an event: an upcall, and those that poll */
    XEN_MAX_SINGLE_UPCALLS = 8,
    XEN_MAX_UPCALL_EFFECTS = XEN_MAX_SINGLE_UPCALLS + 1 + XEN_LINE_EFFECTS,
};

enum xen_port_state {
    XEN_PORT_FREE,
    XEN_PORT_UNBOUND,
    XEN_PORT_INTERDOMAIN,
    XEN_PORT_VIRQ,
    XEN_PORT_IPI,
    XEN_PORT_PIRQ,
    XEN_PORT_RESERVED,          /* while it is being bound */
    XEN_NR_PORT_STATES,
};

struct xen_port {
    uint8_t state;              /* enum xen_port_state */
    uint8_t virq;               /* VIRQ */
    uint16_t pirq;              /* PIRQ */
    uint16_t remote_domid;      /* UNBOUND, INTERDOMAIN */
    uint16_t remote_port;       /* INTERDOMAIN: of the guest or of the host */
    uint16_t vcpu;              /* who is told: below HVS_MAX_VPS */
    /* FIFO channels only. */
    uint16_t last_vcpu;         /* the queue where it was put last */
    uint8_t last_priority;
    uint8_t priority;           /* the queue for its next event */
    bool is_pending;            /* while there is no word to say so */
};

struct xen_host_port {
    bool is_open;
    bool is_offered;            /* by the host, unasked: it outlives what the guest has made */
    uint16_t guest_port;        /* 0: the guest has closed its end */
    bool has_signal;
    int signal;                 /* what the guest's events raise, where it sends them by the page; not saved */
};

struct xen_fifo {
    bool is_on;                 /* else 2-level channels */
    uint32_t nr_pages;
    uint64_t page_gfn[XEN_FIFO_MAX_PAGES];      /* of the event array */
};

/* An entry of the grant table that is in use by the host, or by the call that is being handled. */
struct xen_grant_pin {
    bool is_used;
    bool is_writable;
    bool is_sub_page;
    uint16_t domid;             /* who uses it: the host or the guest itself */
    uint32_t ref;
    uint64_t gfn;
    uint32_t offset, bytes;     /* what of the page may be used */
};

/* As zeros say: version 1, one frame, nothing in use. */
struct xen_grants {
    bool is_v2;
    uint32_t nr_more_frames;    /* besides the first */
    uint32_t nr_pins;           /* of `pin`; some may be free */
    struct xen_grant_pin pin[XEN_MAX_GRANT_PINS + 2];
};

/* What the guest has said at the ports of the platform device. */
struct xen_platform {
    uint16_t product;           /* of its drivers; with build 0: not known */
    uint16_t unplugged;         /* HVS_XEN_UNPLUG_* */
    uint32_t build;
};

struct xen_vm {
    bool has_32bit_shinfo;      /* layout of shared_info and vcpu_info: as wide as who set it up */
    bool has_runstate_flag;     /* the guest knows of XEN_RUNSTATE_UPDATE */
    bool has_shutdown_code;     /* the guest has said for what reason it will shut down */
    uint8_t shutdown_code;
    uint32_t line_gsi;          /* the callback's line that is high; 0: none */
    uint64_t line_look_ns;      /* when to look again whether it may fall */
    uint64_t watchdog_ns[XEN_NR_WATCHDOGS];     /* deadlines; 0: not in use */
    bool has_memory_map;        /* one that the guest has set */
    uint32_t nr_memory_map;
    struct hvs_xen_memory memory_map[XEN_MAX_MAP_ENTRIES];
    bool may_poll;              /* some vCPU polls, or has */
    uint64_t nr_released_pages; /* that the guest has given back */
    uint64_t param[HVM_NR_PARAMS];
    uint32_t clean_specials;    /* bits of enum xen_special: the page was cleared since the reset */
    uint32_t nr_valid_ports;    /* of `port`; they may be closed */
    struct xen_port port[XEN_NR_PORTS];
    struct xen_host_port host_port[XEN_NR_HOST_PORTS];
    struct xen_fifo fifo;
    struct xen_grants grants;
    struct xen_platform platform;
    bool is_console_full;       /* the VMM waits for room */
    struct xen_store store;
};

/* A structure in guest RAM, within one page. */
struct xen_place {
    bool is_set;
    uint64_t gpa;
};

/* A structure in guest RAM that may straddle two pages, in the layout of who registered it. */
struct xen_area {
    bool is_set;
    bool is_32bit;
    uint64_t gpa[2];            /* where it begins, and where the second page does */
    uint64_t updated_ns;
};

struct xen_vcpu {
    struct xen_place info;      /* else in shared_info, for vCPUs 0..31 */
    struct xen_place time;      /* a second copy of vcpu_info.time */
    struct xen_area runstate;
    uint8_t upcall_vector;      /* 0: none */
    _Atomic bool is_initialised;        /* it has begun to run, or has the context to begin with */
    bool is_up;
    bool has_start;             /* it has not run yet: `start` is its context */
    struct hvs_vcpu_context start;
    bool is_polling;            /* it sleeps, or has slept, in SCHEDOP_poll */
    uint16_t poll_port;         /* the one that it waits for; 0: any */
    uint64_t period_ns;         /* of the periodic timer; 0: stopped */
    uint64_t period_began_ns;
    uint16_t virq_port[NR_VIRQS];       /* 0: not bound. Of global VIRQs: vCPU 0's */
    struct xen_place fifo_control;
    uint32_t fifo_tail[XEN_FIFO_NR_QUEUES];     /* the last port of each queue, 0 where it is empty for sure */
};

/* Where the handlers of xen_hcall.c's convention find things in struct hvs_call. */
enum {
    XEN_NR_REGISTER_ARGS = 5,
    XEN_ARG_HANDLE = XEN_NR_REGISTER_ARGS,      /* arg[5]: the guest address of the structure */
    XEN_NR_ARGS,
};
/* A result that no call has: the guest is to execute the instruction again, with the arguments that the handler has put
   into its struct hvs_call. HVS_CAP_RETRY only. */
#define XEN_AGAIN INT64_MIN

static inline struct xen_vm *xen_vm(const struct hvs_ctx *ctx)
{
    return ctx->vm_state;
}

/* `vp` is below hvs_ctx_nr_vps(). VM lock held. */
static inline struct xen_vcpu *xen_vcpu(const struct hvs_ctx *ctx, uint32_t vp)
{
    return hvs_ctx_peer(ctx, vp);
}

/* The caller's width, which decides the form of what its handles point to. */
static inline bool xen_caller_is_32bit(const struct hvs_ctx *ctx)
{
    return ctx->regs->code_bits != 64;
}

/* --- xen_rows.c */
struct hvs_xen_options xen_options(const struct hvs_ctx *ctx);  /* with the defaults filled in */
/* 0 when `domid` names the caller; -EPERM for the host, which exists; -ESRCH for all others. */
int64_t xen_check_domid(const struct hvs_ctx *ctx, uint16_t domid);

/* Says whether a guest may name this frame as one of its own pages. */
bool xen_is_page(const struct hvs_ctx *ctx, uint64_t gfn);

/* --- xen_cpuid.c */
void xen_cpuid_signature(struct hvs_ctx *ctx, struct hvs_cpuid_regs *regs);
void xen_cpuid_version(struct hvs_ctx *ctx, struct hvs_cpuid_regs *regs);
void xen_cpuid_hypercall(struct hvs_ctx *ctx, struct hvs_cpuid_regs *regs);
void xen_cpuid_time(struct hvs_ctx *ctx, struct hvs_cpuid_regs *regs);
void xen_cpuid_time_scale(struct hvs_ctx *ctx, struct hvs_cpuid_regs *regs);
void xen_cpuid_hvm(struct hvs_ctx *ctx, struct hvs_cpuid_regs *regs);

/* --- xen_hcall.c: the calling convention */
enum hvs_verdict xen_hypercall(struct hvs_ctx *ctx);
bool xen_claims_raw(const struct hvs_regs *regs);
/* One call, by number and arguments. The guest is in ring 0. With XEN_AGAIN, `arg` is what the call goes on with. */
int64_t xen_call(struct hvs_ctx *ctx, uint64_t nr, uint64_t arg[XEN_NR_ARGS]);
/* An address of the caller's width, which is what the handle points to. */
uint64_t xen_read_address(const struct hvs_ctx *ctx, const struct hvs_call *call);
/* Copies to where the handle points. Returns 0 or -EFAULT. */
int64_t xen_copy_out(const struct hvs_ctx *ctx, const struct hvs_call *call, const void *from, size_t bytes);

/* --- xen_page.c: the hypercall page */
uint32_t xen_page_msr(const struct hvs_ctx *ctx);
hvs_msr_read_fn xen_page_msr_read;
hvs_msr_write_fn xen_page_msr_write;

/* --- xen_shared.c: shared_info and vcpu_info. VM lock held for all of it. */
/* One vCPU's vcpu_info, pinned. Opened by xen_info_open, which returns false where there is none. */
struct xen_info {
    uint8_t *at;
    uint8_t *page;
    uint64_t gfn;
    bool is_shared;             /* in shared_info */
};
bool xen_info_open(struct hvs_ctx *ctx, uint32_t vp, struct xen_info *info);
void xen_info_close(struct hvs_ctx *ctx, const struct xen_info *info);
/* Takes the caller's width for the layout, and puts the wall clock where that layout has it. */
void xen_shared_latch(struct hvs_ctx *ctx);
void xen_shared_publish_wallclock(struct hvs_ctx *ctx);
/* Both clocks, of all vCPUs. */
void xen_shared_publish(struct hvs_ctx *ctx);
/* Writes the clock to every place that the guest reads for vCPU `vp`. */
void xen_shared_publish_time(struct hvs_ctx *ctx, uint32_t vp);
/* Moves the vcpu_info of `vp` to `gpa`, contents and all. Returns 0, or -EINVAL where that is not RAM. */
int64_t xen_shared_move_info(struct hvs_ctx *ctx, uint32_t vp, uint64_t gpa);

/* --- xen_port.c: the port table. VM lock held for all of it. */
void xen_port_reset(struct hvs_ctx *ctx);
/* The port that a guest names, in any state; NULL where there is none. */
struct xen_port *xen_port_find(const struct hvs_ctx *ctx, uint32_t nr);
/* Takes a free port. Returns 0 with *nr, or -ENOSPC. */
int64_t xen_port_bind(struct hvs_ctx *ctx, const struct xen_port *as, uint32_t *nr);
/* `nr` is in use, for all that follow. */
void xen_port_close(struct hvs_ctx *ctx, uint32_t nr);
void xen_port_raise(struct hvs_ctx *ctx, uint32_t nr);
void xen_port_unmask(struct hvs_ctx *ctx, uint32_t nr);
bool xen_port_is_pending(struct hvs_ctx *ctx, uint32_t nr);

/* --- xen_2l.c, xen_fifo.c: the words of a port. Raise and unmask return whether its vCPU is to be interrupted. */
bool xen_2l_raise(struct hvs_ctx *ctx, uint32_t port);
bool xen_2l_unmask(struct hvs_ctx *ctx, uint32_t port);
void xen_2l_clear_pending(struct hvs_ctx *ctx, uint32_t port);
bool xen_2l_is_pending(struct hvs_ctx *ctx, uint32_t port);
/* Says that every word of `pending` may have something. */
void xen_2l_select_all(struct hvs_ctx *ctx, struct xen_info *info);
bool xen_fifo_raise(struct hvs_ctx *ctx, uint32_t nr);
bool xen_fifo_unmask(struct hvs_ctx *ctx, uint32_t nr);
void xen_fifo_clear_pending(struct hvs_ctx *ctx, uint32_t nr);
bool xen_fifo_is_pending(struct hvs_ctx *ctx, uint32_t nr);
bool xen_fifo_is_busy(struct hvs_ctx *ctx, uint32_t nr);        /* still in a queue, so it cannot be taken anew */
void xen_fifo_end(struct hvs_ctx *ctx);                         /* back to 2-level channels */
hvs_hcall_fn xen_evtchn_init_control, xen_evtchn_expand_array;

/* --- xen_upcall.c: VM lock held for all of it. */
/* Sets upcall_pending where `is_new`. Returns whether it is set: then the vCPU is to be interrupted. */
bool xen_info_mark(const struct xen_info *info, bool is_new);
bool xen_upcall_mark(struct hvs_ctx *ctx, uint32_t vp, bool is_new);
/* Interrupts the vCPU in the way that the guest has chosen; nothing before it has. One effect. */
void xen_upcall(struct hvs_ctx *ctx, uint32_t vp);
/* Interrupts all vCPUs that have upcall_pending. XEN_MAX_UPCALL_EFFECTS. */
void xen_upcall_waiting(struct hvs_ctx *ctx);
/* Says that this vCPU may have events on all ports, and interrupts. */
void xen_upcall_all(struct hvs_ctx *ctx, uint32_t vp);

/* --- xen_line.c: the callback by a line. VM lock held for all of it. */
/* The line that a value of HVM_PARAM_CALLBACK_IRQ means; 0 where it means none, or none can be driven. */
uint32_t xen_line_of(const struct hvs_ctx *ctx, uint64_t via);
/* Drives the line as it ought to be now. XEN_LINE_EFFECTS. */
void xen_line_update(struct hvs_ctx *ctx);
void xen_line_poll(struct hvs_ctx *ctx);

/* --- xen_evtchn.c */
hvs_hcall_fn xen_evtchn_bind_interdomain, xen_evtchn_bind_virq, xen_evtchn_bind_pirq, xen_evtchn_close,
    xen_evtchn_send, xen_evtchn_status, xen_evtchn_alloc_unbound, xen_evtchn_bind_ipi, xen_evtchn_bind_vcpu,
    xen_evtchn_unmask, xen_evtchn_reset, xen_evtchn_set_priority;
bool xen_virq_is_global(uint32_t virq);
/* Raises a VIRQ, a global one with vCPU 0; nothing when it is not bound. VM lock held. */
void xen_virq_raise(struct hvs_ctx *ctx, uint32_t vp, uint32_t virq);

/* --- xen_host.c: ports of the host. VM lock held, but for xen_host and xen_host_lacking. */
uint64_t xen_host_lacking(const void *options);
void xen_host(struct hvs_ctx *ctx);
/* The guest binds to a port of the host that waits for it. Returns false where `nr` is no such port. */
bool xen_host_connect(struct hvs_ctx *ctx, uint32_t nr, uint32_t guest_port);
void xen_host_disconnect(struct hvs_ctx *ctx, uint32_t nr);
void xen_host_notify(struct hvs_ctx *ctx, uint32_t nr);

/* --- xen_special.c: pages and channels that the guest has from the start. VM lock held, but for xen_lacking. */
uint64_t xen_lacking(const void *options);
void xen_special_reset(struct hvs_ctx *ctx);
/* The guest has sent an event to it. XEN_LINE_EFFECTS. */
void xen_special_event(struct hvs_ctx *ctx, enum xen_special special);
void xen_special_renew(struct hvs_ctx *ctx);
/* Before the ports of a save stream come. */
void xen_special_forget(struct hvs_ctx *ctx);
bool xen_special_is_on(const struct hvs_ctx *ctx, enum xen_special special);
/* Says whether this port of the host is one of them. */
bool xen_special_of(const struct hvs_ctx *ctx, uint32_t host_port, enum xen_special *special);
/* The guest asks for a parameter. */
void xen_special_asked(struct hvs_ctx *ctx, uint32_t param);
/* The page, or NULL. Pair them within one handler. The guest writes to it at any time. */
void *xen_special_open(const struct hvs_ctx *ctx, enum xen_special special);
void xen_special_close(const struct hvs_ctx *ctx, enum xen_special special, void *page);
/* Sends the guest an event. XEN_LINE_EFFECTS. */
void xen_special_notify(struct hvs_ctx *ctx, enum xen_special special);

/* --- xen_hvm.c */
hvs_hcall_fn xen_hvm_set_param, xen_hvm_get_param, xen_hvm_pagetable_dying, xen_hvm_get_time,
    xen_hvm_set_evtchn_upcall_vector, xen_hvm_flush_tlbs, xen_hvm_get_mem_type, xen_hvm_xentrace,
    xen_hvm_guest_request_vm_event, xen_hvm_altp2m;

/* --- xen_memory.c */
hvs_hcall_fn xen_memory_add_to_physmap, xen_memory_add_to_physmap_batch, xen_memory_remove_from_physmap,
    xen_memory_memory_map, xen_memory_set_memory_map;

/* --- xen_reservation.c */
hvs_hcall_fn xen_memory_increase_reservation, xen_memory_decrease_reservation, xen_memory_populate_physmap,
    xen_memory_current_reservation, xen_memory_maximum_reservation, xen_memory_maximum_gpfn,
    xen_memory_maximum_ram_page;
/* The guest gives pages back. Returns false where they are not RAM or the VMM does not want them. VM lock held. */
bool xen_release_pages(struct hvs_ctx *ctx, uint64_t gfn, uint32_t nr);

/* --- xen_grant.c: the grant table. VM lock held for all of it. */
uint32_t xen_grant_nr_frames(const struct hvs_ctx *ctx);
uint32_t xen_grant_nr_status_frames(const struct hvs_ctx *ctx);
uint32_t xen_grant_nr_entries(const struct hvs_ctx *ctx);
uint32_t xen_grant_max_frames(const struct hvs_ctx *ctx);
/* There are at least nr_frames, which is not above the maximum, from now on. */
void xen_grant_grow(struct hvs_ctx *ctx, uint32_t nr_frames);
/* The page that XENMAPSPACE_grant_table names by `idx`, made where it can be; NULL where there is none. */
struct hvs_overlay *xen_grant_frame(struct hvs_ctx *ctx, uint64_t idx);
/* The page of ours that lies on gfn, or NULL. */
struct hvs_overlay *xen_grant_frame_at(struct hvs_ctx *ctx, uint64_t gfn);
/* Returns 0, -EBUSY, -EAGAIN (part of a page is in use), or -ERANGE where version 1 cannot say what version 2 does. */
int64_t xen_grant_set_version(struct hvs_ctx *ctx, bool is_v2);
/* Returns a GNTST_*. */
int16_t xen_grant_swap(struct hvs_ctx *ctx, uint32_t ref_a, uint32_t ref_b);
/* As in a new domain. What the host had in use is not any more. */
void xen_grant_renew(struct hvs_ctx *ctx);

/* One entry, with the pages that it is in pinned; the guest may change it at any time. */
struct xen_grant_entry {
    uint8_t *at;
    _Atomic uint32_t *header;   /* flags, and domid above them */
    _Atomic uint16_t *status;   /* version 2 only, else NULL */
    struct hvs_overlay *overlay, *status_overlay;
    uint8_t *page, *status_page;
};
/* `ref` is below xen_grant_nr_entries(). False where the VMM took the page away. */
bool xen_grant_open(struct hvs_ctx *ctx, uint32_t ref, struct xen_grant_entry *entry);
void xen_grant_close(struct hvs_ctx *ctx, const struct xen_grant_entry *entry);

/* --- xen_grant_pin.c: entries in use. VM lock held for all of it. */
struct xen_grant_use {
    uint32_t ref;
    uint16_t domid;             /* who wants to use it */
    bool is_write;
    bool is_map;                /* for as long as it likes: not where only a part of the page may be used */
};
/* Returns a GNTST_*; with okay, *handle names what is to be unpinned. */
int16_t xen_grant_pin(struct hvs_ctx *ctx, const struct xen_grant_use *use, uint32_t *handle);
void xen_grant_unpin(struct hvs_ctx *ctx, uint32_t handle);
bool xen_grant_is_pinned(const struct hvs_ctx *ctx, uint32_t ref);
/* What there is of the host's own grants: none. */
int16_t xen_grant_of_host(uint32_t ref);

/* --- xen_grant_op.c, xen_grant_copy.c: grant_table_op */
hvs_hcall_fn xen_gnttab_map_grant_ref, xen_gnttab_unmap_grant_ref, xen_gnttab_setup_table, xen_gnttab_copy,
    xen_gnttab_query_size, xen_gnttab_set_version, xen_gnttab_get_version, xen_gnttab_swap_grant_ref;
/* One element of an array; returns the GNTST_* for it. VM lock held. */
typedef int16_t xen_gnttab_fn(struct hvs_ctx *ctx, const void *element);
/* Does `fn` for each element, and tells its status at offset status_at. A long array goes on in another exit. */
int64_t xen_gnttab_each(struct hvs_ctx *ctx, struct hvs_call *call, size_t bytes, size_t status_at, xen_gnttab_fn *fn);

/* --- xen_grant_host.c: requests of the host. VM lock held. */
int xen_grant_host(struct hvs_ctx *ctx, uint32_t request, void *data);

/* --- xen_console.c: VM lock held, but for xen_console_lacking. */
uint64_t xen_console_lacking(const void *options);
/* Takes what the guest has written, and sees whether it has read. XEN_LINE_EFFECTS. */
void xen_console_look(struct hvs_ctx *ctx);
int xen_console_input(struct hvs_ctx *ctx, struct hvs_xen_input *input);

/* --- xen_debug.c */
hvs_hcall_fn xen_console_io;
/* A byte or text is sent to a port: HVS_HANDLED, HVS_RETRY, HVS_FAULT; HVS_UNHANDLED where it is something else. */
hvs_pio_fn xen_debug_say;

/* --- xen_platform.c */
uint64_t xen_platform_lacking(const void *options);
hvs_pio_fn xen_platform_port;
void xen_platform_save(struct hvs_ctx *ctx, struct hvs_writer *writer);
int xen_platform_load(struct hvs_ctx *ctx, const struct hvs_record *record);

/* --- xen_physdev.c, xen_multicall.c */
hvs_hcall_fn xen_physdev_map_pirq, xen_physdev_unmap_pirq, xen_multicall;

/* --- xen_sched.c */
hvs_hcall_fn xen_sched_yield, xen_sched_block, xen_sched_shutdown, xen_sched_remote_shutdown, xen_sched_shutdown_code,
    xen_sched_pin_override;
/* The vCPU gives its time away: emits `how`. */
void xen_give_way(struct hvs_ctx *ctx, enum hvs_effect_kind how);
/* Ends the VM for this reason, or for what the guest has said before. One effect. VM lock held. */
void xen_shutdown(struct hvs_ctx *ctx, uint8_t reason);

/* --- xen_poll.c: VM lock held for all of it. */
hvs_hcall_fn xen_sched_poll;
/* The port is pending: wakes who polls for it. One effect. */
void xen_poll_wake(struct hvs_ctx *ctx, uint32_t port);
/* This vCPU's timeout has come. One effect. */
void xen_poll_expire(struct hvs_ctx *ctx);

/* --- xen_watchdog.c */
hvs_hcall_fn xen_sched_watchdog;
/* Its timer has fired, or one that was set for it before. VM lock held. */
void xen_watchdog_bark(struct hvs_ctx *ctx, uint32_t dog);

/* --- xen_renew.c: forgets what the guest has set up, as in a new domain. XEN_LINE_EFFECTS. VM lock held. */
void xen_renew(struct hvs_ctx *ctx);

/* --- xen_time.c */
hvs_hcall_fn xen_set_timer_op, xen_vcpu_set_periodic_timer, xen_vcpu_stop_periodic_timer, xen_vcpu_set_singleshot_timer,
    xen_vcpu_stop_singleshot_timer;
void xen_timer(struct hvs_ctx *ctx, uint32_t timer);

/* --- xen_vcpu.c */
hvs_hcall_fn xen_vcpu_register_vcpu_info, xen_vcpu_register_vcpu_time_memory_area;

/* --- xen_runstate.c */
hvs_hcall_fn xen_vcpu_get_runstate_info, xen_vcpu_register_runstate_memory_area, xen_vm_assist;
/* Writes this vCPU's area anew, unless it was written just now. VM lock held. */
void xen_runstate_update(struct hvs_ctx *ctx);

/* --- xen_power.c */
hvs_hcall_fn xen_vcpu_initialise, xen_vcpu_up, xen_vcpu_down, xen_vcpu_is_up, xen_vcpu_send_nmi, xen_vcpu_get_physid;
void xen_vcpu_reset(struct hvs_ctx *ctx);
/* This vCPU has made a hypercall, so it runs. */
void xen_vcpu_seen(struct hvs_ctx *ctx);

/* --- xen_version.c */
hvs_hcall_fn xen_version_version, xen_version_extraversion, xen_version_compile_info, xen_version_capabilities,
    xen_version_changeset, xen_version_platform_parameters, xen_version_get_features, xen_version_pagesize,
    xen_version_guest_handle, xen_version_commandline, xen_version_build_id;

/* --- xen_save.c */
/* Ids of our records. They are in saved streams, so numbers stay. */
enum xen_record {
    XEN_RECORD_VM = 1,
    XEN_RECORD_VCPU = 2,
    XEN_RECORD_PORT = 3,
    XEN_RECORD_TIMER = 4,
    XEN_RECORD_HOST_PORT = 5,
    XEN_RECORD_FIFO = 6,
    XEN_RECORD_FIFO_VCPU = 7,
    XEN_RECORD_START = 8,
    XEN_RECORD_MEMORY = 9,
    XEN_RECORD_GRANTS = 20,
    XEN_RECORD_GRANT_PIN = 21,
    XEN_RECORD_PLATFORM = 22,
    XEN_RECORD_STORE = 10,
    XEN_RECORD_STORE_IN = 11,
    XEN_RECORD_STORE_OUT = 12,
};
int xen_save(struct hvs_ctx *ctx, enum hvs_phase phase, struct hvs_writer *writer);
int xen_load(struct hvs_ctx *ctx, const struct hvs_record *record);
/* A place as a guest could have set it up. */
bool xen_place_is_good(uint8_t is_set, uint64_t gpa, size_t bytes);

/* --- xen_save_port.c. VM lock held for loading. */
void xen_save_ports(struct hvs_ctx *ctx, struct hvs_writer *writer);
int xen_load_port(struct hvs_ctx *ctx, const struct hvs_record *record);
int xen_load_host_port(struct hvs_ctx *ctx, const struct hvs_record *record);
int xen_load_fifo(struct hvs_ctx *ctx, const struct hvs_record *record);
int xen_load_fifo_vcpu(struct hvs_ctx *ctx, const struct hvs_record *record);

/* --- xen_save_grant.c. VM lock held for loading. */
void xen_save_grants(struct hvs_ctx *ctx, struct hvs_writer *writer);
int xen_load_grants(struct hvs_ctx *ctx, const struct hvs_record *record);
int xen_load_grant_pin(struct hvs_ctx *ctx, const struct hvs_record *record);

#endif
