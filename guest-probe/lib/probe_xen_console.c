/*
 * Xen's consoles: the ring of hvc0, and what a guest may say to the hypervisor.
 *
 * [XEN] public io/console.h, hvm/params.h, xen.h. Left out: input, which nobody types here.
 */
#include "probe_xen.h"

#include "env.h"

static int64_t get_param(uint32_t index, uint64_t *value)
{
    struct xen_hvm_param param = {.domid = DOMID_SELF, .index = index};
    int64_t error = probe_xen_call(__HYPERVISOR_hvm_op, HVMOP_get_param, &param);
    *value = param.value;
    return error;
}

/* Returns the position behind it. The ring has room. */
static uint32_t write_ring(volatile struct xencons_interface *ring, const char *text)
{
    uint32_t prod = ring->out_prod;
    for (; *text; text++)
        ring->out[prod++ % sizeof(ring->out)] = *text;
    __atomic_store_n(&ring->out_prod, prod, __ATOMIC_RELEASE);
    return prod;
}

enum probe_state probe_xen_test_console(const struct probe_interface *face, struct text *evidence)
{
    uint64_t page, port;
    (void)face;
    int64_t error = get_param(HVM_PARAM_CONSOLE_PFN, &page);
    if (error != 0)
        return probe_xen_failed(evidence, "get_param CONSOLE_PFN", error);
    error = get_param(HVM_PARAM_CONSOLE_EVTCHN, &port);
    if (error != 0)
        return probe_xen_failed(evidence, "get_param CONSOLE_EVTCHN", error);
    if (page == 0 || port == 0 || probe_xen_state.shared == NULL)
        return probe_say(PROBE_UNTESTED, evidence, "this domain has none");

    volatile struct xencons_interface *ring = (void *)(uintptr_t)(page * XEN_PAGE_BYTES);
    uint32_t end = write_ring(ring, "guest-probe says hello on hvc0\n");
    error = probe_xen_send((evtchn_port_t)port);
    if (error != 0)
        return probe_xen_failed(evidence, "send", error);
    for (uint32_t i = 0; i < 1000 && ring->out_cons != end; i++)
        probe_xen_settle();             /* a console in another domain takes its time */
    probe_xen_forget((evtchn_port_t)port);
    text_add(evidence, "page 0x%" PRIx64 ", port %" PRIu64 ", %u bytes not taken", page, port, end - ring->out_cons);
    return ring->out_cons == end ? PROBE_WORKS : PROBE_BROKEN;
}

/* Refused, or (by a Xen that was built for finding bugs) obeyed. */
enum probe_state probe_xen_test_console_io(const struct probe_interface *face, struct text *evidence)
{
    static char text[] = "guest-probe says hello to the hypervisor\n";
    (void)face;
    int64_t error = probe_xen_call3(__HYPERVISOR_console_io, CONSOLEIO_write, sizeof(text) - 1, text);
    if (error != 0 && error != -XEN_EPERM)
        return probe_xen_failed(evidence, "write", error);
    text_add(evidence, "write gives %" PRId64, error);
    return PROBE_WORKS;
}
