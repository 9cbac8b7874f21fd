/*
 * What the Xen rows share: hypercalls through the page, and the pages that the first rows set up for the later ones.
 */
#ifndef PROBE_XEN_H
#define PROBE_XEN_H

#include <stdbool.h>
#include <stdint.h>

#include "probe.h"

#include "xen_abi.h"

struct probe_xen {
    uint8_t *hypercall_page;
    bool has_page_code;         /* the hypervisor has filled it */
    volatile struct shared_info *shared;        /* NULL until it is mapped */
    volatile struct vcpu_info *vcpu;    /* where this vCPU's is now; NULL until there is one */
    uint32_t vcpu_id;
    evtchn_port_t ipi_port;     /* 0: none */
    evtchn_port_t timer_port;
    char version[32];           /* "4.17.5-pre"; empty until it is known */
};
extern struct probe_xen probe_xen_state;

/* What a call returns that could not be made, or raised an exception. */
#define PROBE_XEN_NO_CALL INT64_MIN
/* One hypercall through the page. `number` is __HYPERVISOR_*, `command` the first argument. */
int64_t probe_xen_call(uint32_t number, uint64_t command, void *structure);
int64_t probe_xen_list_call(uint32_t number, uint64_t command, void *list, uint32_t nr);
int64_t probe_xen_call3(uint32_t number, uint64_t command, uint64_t second, void *structure);
int64_t probe_xen_vcpu_op(uint32_t command, void *structure);      /* on this vCPU */
/* The last line of a test whose `call` should have succeeded. Returns PROBE_BROKEN. */
enum probe_state probe_xen_failed(struct text *evidence, const char *call, int64_t error);

/* probe_xen_event.c: event channels and the timers that use them */
#define PROBE_XEN_WAIT_NS 3000000000ull
int64_t probe_xen_event_op(uint32_t command, void *structure);
int64_t probe_xen_send(evtchn_port_t port);
/*
 * Lets everything that is underway arrive, and forgets it: registering a vcpu_info and setting a vector both raise the
 * upcall, lest an event be lost.
 */
void probe_xen_settle(void);
/* The event of a port that nobody listens to. */
void probe_xen_forget(evtchn_port_t port);
/* Returns false with *state and why where this front takes no events. */
bool probe_xen_can_take_events(struct text *evidence, enum probe_state *state);
bool probe_xen_has_callback_vector(const struct probe_interface *face);
enum probe_state probe_xen_test_callback_vector(const struct probe_interface *face, struct text *evidence);
bool probe_xen_has_upcall_vector(const struct probe_interface *face);
enum probe_state probe_xen_test_upcall_vector(const struct probe_interface *face, struct text *evidence);
enum probe_state probe_xen_test_params(const struct probe_interface *face, struct text *evidence);
enum probe_state probe_xen_test_ports(const struct probe_interface *face, struct text *evidence);
enum probe_state probe_xen_test_ipi(const struct probe_interface *face, struct text *evidence);
void probe_xen_send_ipi(const struct probe_interface *face);
enum probe_state probe_xen_test_timer(const struct probe_interface *face, struct text *evidence);
enum probe_state probe_xen_test_periodic_timer(const struct probe_interface *face, struct text *evidence);
void probe_xen_set_timer(const struct probe_interface *face);
void probe_xen_close_ports(void);

/* probe_xen_fifo.c */
enum probe_state probe_xen_test_fifo(const struct probe_interface *face, struct text *evidence);

/* probe_xen_grant.c */
bool probe_xen_has_grants(const struct probe_interface *face);
enum probe_state probe_xen_test_grant_table(const struct probe_interface *face, struct text *evidence);
enum probe_state probe_xen_test_grant_copy(const struct probe_interface *face, struct text *evidence);
void probe_xen_take_grants_away(void);

/* probe_xen_console.c */
enum probe_state probe_xen_test_console(const struct probe_interface *face, struct text *evidence);
enum probe_state probe_xen_test_console_io(const struct probe_interface *face, struct text *evidence);

/* probe_xen_vcpu.c */
enum probe_state probe_xen_test_runstate(const struct probe_interface *face, struct text *evidence);
enum probe_state probe_xen_test_multicall(const struct probe_interface *face, struct text *evidence);
enum probe_state probe_xen_test_memory(const struct probe_interface *face, struct text *evidence);

#endif
