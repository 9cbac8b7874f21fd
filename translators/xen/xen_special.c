/*
 * What a toolstack gives a domain before it runs: one page and one channel each for xenstore and console, of which the
 * guest learns by HVM parameters [XEN public/hvm/params.h; tools/libs/guest xg_dom_x86.c, hvm special pages].
 *
 * The pages are the VMM's choice (hvs_xen_options.special_gfn), memory that the guest's map does not call RAM. They are
 * no overlays: an overlay lies where the guest has put it, and nobody but the VMM knows a frame that the guest will not
 * take for its own. What they hold is cleared when the guest asks for the first time after a reset: before, there may
 * be no memory yet.
 */
#include <hvshim/xen.h>

#include "xen_state.h"

static const struct {
    uint8_t page;               /* enum hvs_xen_page */
    uint8_t feature;
    uint8_t pfn_param, port_param;
    void (*event)(struct hvs_ctx *ctx);
    void (*asked)(struct hvs_ctx *ctx);         /* after the page was cleared */
    void (*renew)(struct hvs_ctx *ctx);
} kinds[XEN_NR_SPECIALS] = {
    [XEN_SPECIAL_STORE] = {HVS_XEN_PAGE_STORE, XEN_FEATURE_STORE, HVM_PARAM_STORE_PFN, HVM_PARAM_STORE_EVTCHN,
                           xen_store_event, xen_store_asked, xen_store_disconnect},
    [XEN_SPECIAL_CONSOLE] = {HVS_XEN_PAGE_CONSOLE, XEN_FEATURE_CONSOLE, HVM_PARAM_CONSOLE_PFN,
                             HVM_PARAM_CONSOLE_EVTCHN, xen_console_look, NULL, NULL},
};

uint64_t xen_lacking(const void *options)
{
    const struct hvs_xen_options *given = options;

    if (given && given->size >= offsetof(struct hvs_xen_options, special_gfn) + sizeof(given->special_gfn) &&
        given->special_gfn)
        return 0;
    return 1ull << XEN_FEATURE_STORE | 1ull << XEN_FEATURE_CONSOLE;
}

static uint32_t host_port_of(enum xen_special special)
{
    return 1 + (uint32_t)special;
}

bool xen_special_is_on(const struct hvs_ctx *ctx, enum xen_special special)
{
    return hvs_ctx_feature(ctx, kinds[special].feature);
}

bool xen_special_of(const struct hvs_ctx *ctx, uint32_t host_port, enum xen_special *special)
{
    for (uint32_t i = 0; i < XEN_NR_SPECIALS; i++) {
        if (host_port_of(i) == host_port && xen_special_is_on(ctx, i)) {
            *special = i;
            return true;
        }
    }
    return false;
}

static uint64_t gfn_of(const struct hvs_ctx *ctx, enum xen_special special)
{
    return xen_options(ctx).special_gfn + kinds[special].page;
}

void *xen_special_open(const struct hvs_ctx *ctx, enum xen_special special)
{
    return xen_special_is_on(ctx, special) ? hvs_page_pin(ctx, gfn_of(ctx, special)) : NULL;
}

void xen_special_close(const struct hvs_ctx *ctx, enum xen_special special, void *page)
{
    hvs_page_unpin(ctx, gfn_of(ctx, special), page, true);
}

void xen_special_notify(struct hvs_ctx *ctx, enum xen_special special)
{
    const struct xen_host_port *port = &xen_vm(ctx)->host_port[host_port_of(special)];

    if (port->is_open && port->guest_port)
        xen_port_raise(ctx, port->guest_port);
}

/* Binds a port of the guest where it has none, and tells it the numbers. The first ones of a table always are free. */
static void give(struct hvs_ctx *ctx, enum xen_special special)
{
    struct xen_vm *vm = xen_vm(ctx);
    struct xen_host_port *host = &vm->host_port[host_port_of(special)];
    const struct xen_port as = {.state = XEN_PORT_INTERDOMAIN, .remote_domid = XEN_DOMID_HOST,
                                .remote_port = (uint16_t)host_port_of(special)};
    uint32_t guest_port = host->guest_port;

    if (guest_port == 0 && xen_port_bind(ctx, &as, &guest_port))
        return;
    *host = (struct xen_host_port){.is_open = true, .is_offered = true, .guest_port = (uint16_t)guest_port};
    vm->param[kinds[special].pfn_param] = gfn_of(ctx, special);
    vm->param[kinds[special].port_param] = guest_port;
}

void xen_special_reset(struct hvs_ctx *ctx)
{
    for (uint32_t i = 0; i < XEN_NR_SPECIALS; i++) {
        if (xen_special_is_on(ctx, i))
            give(ctx, i);
    }
}

void xen_special_event(struct hvs_ctx *ctx, enum xen_special special)
{
    kinds[special].event(ctx);
}

void xen_special_forget(struct hvs_ctx *ctx)
{
    struct xen_vm *vm = xen_vm(ctx);

    for (uint32_t i = 0; i < XEN_NR_SPECIALS; i++) {
        struct xen_host_port *host = &vm->host_port[host_port_of(i)];

        if (host->guest_port)
            vm->port[host->guest_port] = (struct xen_port){.state = XEN_PORT_FREE};
        *host = (struct xen_host_port){.is_open = false};
    }
}

static void clear(struct hvs_ctx *ctx, enum xen_special special)
{
    void *page = xen_special_open(ctx, special);

    if (!page)
        return;
    memset(page, 0, HVS_PAGE_BYTES);
    xen_special_close(ctx, special, page);
    xen_vm(ctx)->clean_specials |= 1u << special;
    if (kinds[special].asked)
        kinds[special].asked(ctx);
}

void xen_special_asked(struct hvs_ctx *ctx, uint32_t param)
{
    for (uint32_t i = 0; i < XEN_NR_SPECIALS; i++) {
        if (kinds[i].pfn_param == param && xen_special_is_on(ctx, i) && !(xen_vm(ctx)->clean_specials >> i & 1))
            clear(ctx, i);
    }
}

/* The guest knows the pages, and may not ask again. */
void xen_special_renew(struct hvs_ctx *ctx)
{
    for (uint32_t i = 0; i < XEN_NR_SPECIALS; i++) {
        if (!xen_special_is_on(ctx, i))
            continue;
        give(ctx, i);
        if (kinds[i].renew)
            kinds[i].renew(ctx);
        clear(ctx, i);
    }
}
