/*
 * What the files of the Xen matrix share: the caller, structures in both widths, and tables of calls.
 *
 * Everything is asked twice, by 64-bit and by 32-bit code, for the interface has a layout for each. References are the
 * public headers of Xen 4.17 (libxen-dev) by name; [src] is a function of that release where the headers are silent,
 * [doc] a file under docs/ of it.
 */
#ifndef XEN_MATRIX_H
#define XEN_MATRIX_H

#include "matrix.h"

#define __XEN_INTERFACE_VERSION__ 0x00040e00

#include <xen/xen.h>
#include <xen/errno.h>

/* What the pages of struct matrix_env are for. */
enum xen_use {
    XEN_PAGE_ARG,               /* and the page behind it */
    XEN_PAGE_STUBS = 2,
    XEN_PAGE_SHARED,
    XEN_PAGE_ARRAY,
    XEN_PAGE_AREA,              /* runstate, time and vcpu_info */
    XEN_PAGE_CONTROL,
    XEN_PAGE_EVENTS,
    XEN_PAGE_GRANTS,
    XEN_PAGE_GRANT_STATUS,
    XEN_PAGE_DATA,
    XEN_PAGE_DATA_TO,
    XEN_PAGE_PLACE,             /* RAM to lay something over */
};

/* Channels that a point may need: see xm_make_channels(). */
enum xen_channel {
    XEN_CHANNEL_ZERO,           /* port 0 */
    XEN_CHANNEL_CLOSED,
    XEN_CHANNEL_HUGE,           /* no such port */
    XEN_CHANNEL_MINUS,          /* port ~0 */
    XEN_CHANNEL_UNBOUND,        /* for ourselves */
    XEN_CHANNEL_UNBOUND_0,      /* for domain 0 */
    XEN_CHANNEL_LOOP,           /* connected to x->peer, as the next */
    XEN_CHANNEL_PEER,
    XEN_CHANNEL_VIRQ,           /* VIRQ_DEBUG of vCPU 0 */
    XEN_CHANNEL_GLOBAL,         /* VIRQ_DOM_EXC */
    XEN_CHANNEL_IPI,            /* to vCPU 0 */
    XEN_CHANNEL_PIRQ,
    XEN_NR_CHANNELS,
};

enum { XEN_MAX_PORTS = 48, XEN_MAX_WORDS = 12 };

/* One run of the matrix. */
struct xen {
    struct matrix *matrix;
    const struct matrix_env *env;
    uint32_t base;              /* of the CPUID leaves */
    uint8_t bits;               /* of the code that calls: 64 or 32 */
    bool is_fifo;               /* ABI of event channels */
    bool has_shared;            /* shared_info is at XEN_PAGE_SHARED */
    bool has_pirqs;
    uint32_t domid;
    uint32_t peer, spare;       /* other ports of the point */
    uint8_t *store;             /* xenstore's ring */
    uint32_t store_port, store_host_port;
    uint32_t nr_store_events;   /* of watches, that were read on the way */
    uint32_t port[XEN_MAX_PORTS];       /* that the point has opened */
    uint32_t nr_ports;
};

struct xen_point {
    const char *subject, *check, *ref;
    enum matrix_verdict (*run)(struct xen *x);
};
void xm_run_points(struct xen *x, const struct xen_point *point, uint32_t nr);
#define XEN_RUN(x, list) xm_run_points(x, list, sizeof(list) / sizeof((list)[0]))
/* Points that others need: what is left out of them is done all the same, but not told. */
void xm_run_needed(struct xen *x, const struct xen_point *point, uint32_t nr);
#define XEN_RUN_NEEDED(x, list) xm_run_needed(x, list, sizeof(list) / sizeof((list)[0]))

/* A point of one's own making: between these two, which close what it opened. */
/* As matrix_begin and matrix_end. */
bool xm_begin(struct xen *x, const char *subject, const char *check, const char *ref);
void xm_end(struct xen *x, enum matrix_verdict verdict);

/* --- calls -------------------------------------------------------------------------------------------------------- */

/* In place of a result: the call faulted. */
#define XEN_FAULTED INT64_MIN

/* The call with number `nr` and up to five arguments, through the stub of that number. */
int64_t xm_call(struct xen *x, uint32_t nr, uint64_t a, uint64_t b, uint64_t c);
int64_t xm_call5(struct xen *x, uint32_t nr, const uint64_t arg[5]);

/*
 * Structures are given by a form, a letter for each field: 1 2 4 8 for so many bytes, l for an unsigned long or a
 * pointer. Fields are aligned as the compiler of that width does it: 8 has 4 in 32-bit code.
 */
void xm_put(const struct xen *x, uint8_t *at, const char *form, const uint64_t *value);
uint64_t xm_get(const struct xen *x, const uint8_t *at, const char *form, uint32_t field);
uint32_t xm_size(const struct xen *x, const char *form);

/* nr(cmd, structure); the structure is at the begin of XEN_PAGE_ARG, to be read with xm_out(). */
int64_t xm_op(struct xen *x, uint32_t nr, uint32_t cmd, const char *form, const uint64_t *value);
uint64_t xm_out(const struct xen *x, const char *form, uint32_t field);
#define XEN_OP(x, nr, cmd, form, ...) xm_op(x, nr, cmd, form, (const uint64_t[]){__VA_ARGS__})

uint64_t xm_gpa(const struct xen *x, uint32_t page);
uint64_t xm_gfn(const struct xen *x, uint32_t page);
uint8_t *xm_page(const struct xen *x, uint32_t page);
uint32_t xm_load(const uint8_t *at);           /* 32 bits */
uint64_t xm_load64(const uint8_t *at);
void xm_store32(uint8_t *at, uint32_t value);
/* The system time as HVMOP_get_time tells it. */
uint64_t xm_now(struct xen *x);

/* --- tables of calls ---------------------------------------------------------------------------------------------- */

/* Values in rows that are known at run time only. */
#define XEN_TAG 0x7e5a000000000000ull
#define XEN_ARG (XEN_TAG | 1)           /* address of the structure */
#define XEN_NOWHERE (XEN_TAG | 2)       /* address, and below frame, where nothing is */
#define XEN_NOWHERE_GFN (XEN_TAG | 3)
#define XEN_NR_VPS (XEN_TAG | 4)
#define XEN_CALL32(bits32, bits64) (XEN_TAG | 0x4000 | (bits32) << 7 | (bits64))        /* by width, below 128 */
#define XEN_GFN(page) (XEN_TAG | 0x100 | (page))
#define XEN_GPA(page) (XEN_TAG | 0x200 | (page))
#define XEN_END(page) (XEN_TAG | 0x300 | (page))        /* 4 bytes before its end */
#define XEN_OWN_DOMID (XEN_TAG | 5)

/* What is wanted, when it is no number. */
enum { XEN_IS_REFUSED = 10001, XEN_IS_POSITIVE, XEN_IS_NO_ENOSYS };

struct xen_row {
    const char *subject, *check, *ref;
    uint32_t nr;
    uint64_t reg[3];
    const char *form;           /* of the structure at XEN_ARG; NULL: none */
    uint64_t value[XEN_MAX_WORDS];
    int32_t want;
    int32_t or_want;            /* 0: only that; else this is right as well */
};
void xm_run_rows(struct xen *x, const struct xen_row *row, uint32_t nr);
#define XEN_ROWS(x, list) xm_run_rows(x, list, sizeof(list) / sizeof((list)[0]))

enum matrix_verdict xm_expect(struct xen *x, int64_t want, int64_t got);

/* --- event channels ----------------------------------------------------------------------------------------------- */

/* Ports that the end of the point closes. A negative errno for a port that could not be had. */
int64_t xm_make_channel(struct xen *x, enum xen_channel which);
int64_t xm_bind_ipi(struct xen *x, uint32_t vcpu);
int64_t xm_bind_virq(struct xen *x, uint32_t virq, uint32_t vcpu);
int64_t xm_alloc_unbound(struct xen *x, uint32_t remote);
int64_t xm_bind_interdomain(struct xen *x, uint32_t remote, uint32_t remote_port);
void xm_owns(struct xen *x, uint32_t port);
int64_t xm_send(struct xen *x, uint32_t port);
int64_t xm_close(struct xen *x, uint32_t port);
/* EVTCHNSTAT_*, or a negative errno; fields are then in xm_out(x, XEN_STATUS_FORM, ...). */
int64_t xm_status(struct xen *x, uint32_t port);
#define XEN_STATUS_FORM "244444"        /* dom port status vcpu u u */

/* Words of shared_info, in the width of the caller, which latched it. */
bool xm_is_pending(const struct xen *x, uint32_t port);
bool xm_is_masked(const struct xen *x, uint32_t port);
void xm_mask(const struct xen *x, uint32_t port, bool is_masked);
void xm_clear_pending(const struct xen *x, uint32_t port);
/* vcpu_info of vCPU 0 */
uint8_t *xm_vcpu_info(const struct xen *x, uint32_t vcpu);
bool xm_upcall_pending(const struct xen *x, uint32_t vcpu);
uint64_t xm_selector(const struct xen *x, uint32_t vcpu);
/* Nothing is pending afterwards. */
void xm_calm(struct xen *x);

/* --- chapters ----------------------------------------------------------------------------------------------------- */

void xm_ask_cpuid(struct xen *x);
void xm_ask_page(struct xen *x);
void xm_ask_rows(struct xen *x);
void xm_ask_misc(struct xen *x);
void xm_ask_hvm(struct xen *x);
void xm_ask_memory(struct xen *x);
void xm_ask_evtchn(struct xen *x);
void xm_ask_states(struct xen *x);
void xm_ask_fifo(struct xen *x);
void xm_ask_time(struct xen *x);
/* There is no way back from these two. A PVH guest of Xen keeps its callback vector, and is interrupted for as long as its
   upcall_pending is set, which nobody clears here: no waiting afterwards. */
void xm_ask_callback(struct xen *x);
void xm_ask_info(struct xen *x);
void xm_ask_grants(struct xen *x);
void xm_ask_store(struct xen *x);
void xm_ask_console(struct xen *x);

/* Maps `idx` of a space (XENMAPSPACE_*) over a page. */
int64_t xm_map(struct xen *x, uint32_t space, uint64_t idx, uint32_t page);
/* The hypercall page, written as by code of x->bits, which latches the width. */
int xm_lay_page(struct xen *x);

#endif
