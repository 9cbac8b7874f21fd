/*
 * FIFO event channels: one word for each port in an array that the guest gives page by page, and for each vCPU a
 * control block with the heads of 16 queues [XEN common/event_fifo.c; public/event_channel.h].
 *
 * A queue is a list through the link fields of the words: the guest takes from its head, this appends to its tail.
 * The tail is known only here. The guest may change any word at any time; what it breaks are its own queues, because
 * a link is only ever written, never followed. Pages are looked up at each use: one that the VMM took away counts as
 * not given.
 *
 * Left out: ports from XEN_NR_PORTS on, which do not exist (a Xen with event_channels=4095); the array may be larger.
 */
#include "xen_state.h"

enum { HEADS = offsetof(struct evtchn_fifo_control_block, head) / sizeof(uint32_t) };   /* the ready word is 0 */

/* A 32-bit word of a guest page, pinned. */
struct word {
    _Atomic uint32_t *at;
    uint8_t *page;
    uint64_t gfn;
};

static bool open_word(struct hvs_ctx *ctx, uint64_t gpa, struct word *word)
{
    word->gfn = gpa >> HVS_PAGE_SHIFT;
    word->page = hvs_page_pin(ctx, word->gfn);
    word->at = word->page ? (_Atomic uint32_t *)(word->page + gpa % HVS_PAGE_BYTES) : NULL;
    return word->page;
}

static void close_word(struct hvs_ctx *ctx, const struct word *word)
{
    hvs_page_unpin(ctx, word->gfn, word->page, true);
}

/* The event word of `port`; false where the guest has not given its page yet. */
static bool open_event(struct hvs_ctx *ctx, uint32_t port, struct word *word)
{
    const struct xen_fifo *fifo = &xen_vm(ctx)->fifo;
    uint32_t page = port / XEN_FIFO_WORDS_PER_PAGE;

    if (page >= fifo->nr_pages)
        return false;
    return open_word(ctx, (fifo->page_gfn[page] << HVS_PAGE_SHIFT) + port % XEN_FIFO_WORDS_PER_PAGE * sizeof(uint32_t),
                     word);
}

/*
 * Puts `port` behind the event of `word`, if that is still in a queue. The guest may take it out, mask it, or end it
 * meanwhile; it may not unmask what is BUSY, so a guest by the rules makes this fail four times at most. Of one that
 * breaks them the event is lost to the queue, as in Xen.
 */
static bool link_behind(_Atomic uint32_t *word, uint32_t port)
{
    enum { MAX_TRIES = 5 };
    uint32_t old = atomic_load(word);

    for (uint32_t i = 0; i < MAX_TRIES && old & XEN_FIFO_LINKED; i++) {
        if (atomic_compare_exchange_strong(word, &old, (old & ~(XEN_FIFO_BUSY | EVTCHN_FIFO_LINK_MASK)) | port))
            return true;
        if (i == 0)
            old = atomic_fetch_or(word, XEN_FIFO_BUSY) | XEN_FIFO_BUSY;
    }
    atomic_fetch_and(word, ~XEN_FIFO_BUSY);
    return old & XEN_FIFO_LINKED;
}

/* Appends a port, which is LINKED now, to its queue. Returns true where the queue was empty, and its head is new. */
static bool append(struct hvs_ctx *ctx, uint32_t nr, _Atomic uint32_t *control)
{
    struct xen_port *port = &xen_vm(ctx)->port[nr];
    uint32_t *old_tail = &xen_vcpu(ctx, port->last_vcpu)->fifo_tail[port->last_priority];
    uint32_t *tail = &xen_vcpu(ctx, port->vcpu)->fifo_tail[port->priority];
    bool is_behind = false;
    struct word last;

    if (*old_tail == nr)
        *old_tail = 0;          /* the guest has taken it out, so that queue is empty */
    port->last_vcpu = port->vcpu;
    port->last_priority = port->priority;
    if (*tail && open_event(ctx, *tail, &last)) {
        is_behind = link_behind(last.at, nr);
        close_word(ctx, &last);
    }
    if (!is_behind)
        atomic_store(control + HEADS + port->priority, nr);
    *tail = nr;
    return !is_behind;
}

/* The vCPU has a control block: sets PENDING, and queues the port where it is neither masked nor queued already. */
static bool raise(struct hvs_ctx *ctx, uint32_t nr, _Atomic uint32_t *word, _Atomic uint32_t *control)
{
    const struct xen_port *port = &xen_vm(ctx)->port[nr];
    const uint32_t ready = 1u << port->priority;
    bool is_new;

    atomic_fetch_or(word, XEN_FIFO_PENDING);
    if (atomic_load(word) & XEN_FIFO_MASKED || atomic_fetch_or(word, XEN_FIFO_LINKED) & XEN_FIFO_LINKED)
        return false;
    is_new = append(ctx, nr, control) && !(atomic_fetch_or(control, ready) & ready);
    return xen_upcall_mark(ctx, port->vcpu, is_new);
}

/* What comes before there is a word is kept until there is one; before there is a control block, it is lost. */
bool xen_fifo_raise(struct hvs_ctx *ctx, uint32_t nr)
{
    struct xen_port *port = &xen_vm(ctx)->port[nr];
    const struct xen_place *place = &xen_vcpu(ctx, port->vcpu)->fifo_control;
    struct word word, control;
    bool is_wanted = false;

    port->is_pending = !open_event(ctx, nr, &word);
    if (port->is_pending)
        return false;
    if (place->is_set && open_word(ctx, place->gpa, &control)) {
        is_wanted = raise(ctx, nr, word.at, control.at);
        close_word(ctx, &control);
    }
    close_word(ctx, &word);
    return is_wanted;
}

bool xen_fifo_unmask(struct hvs_ctx *ctx, uint32_t nr)
{
    struct word word;
    uint32_t old;

    if (!open_event(ctx, nr, &word))
        return false;
    atomic_fetch_and(word.at, ~XEN_FIFO_MASKED);
    old = atomic_load(word.at);
    close_word(ctx, &word);
    return old & XEN_FIFO_PENDING && xen_fifo_raise(ctx, nr);
}

/* It stays in its queue: the guest finds it not pending, and passes on. */
void xen_fifo_clear_pending(struct hvs_ctx *ctx, uint32_t nr)
{
    struct word word;

    xen_vm(ctx)->port[nr].is_pending = false;
    if (!open_event(ctx, nr, &word))
        return;
    atomic_fetch_and(word.at, ~XEN_FIFO_PENDING);
    close_word(ctx, &word);
}

static bool has_flag(struct hvs_ctx *ctx, uint32_t nr, uint32_t flag)
{
    struct word word;
    bool is_set;

    if (!open_event(ctx, nr, &word))
        return false;
    is_set = atomic_load(word.at) & flag;
    close_word(ctx, &word);
    return is_set;
}

bool xen_fifo_is_pending(struct hvs_ctx *ctx, uint32_t nr)
{
    return has_flag(ctx, nr, XEN_FIFO_PENDING);
}

bool xen_fifo_is_busy(struct hvs_ctx *ctx, uint32_t nr)
{
    return has_flag(ctx, nr, XEN_FIFO_LINKED);
}

void xen_fifo_end(struct hvs_ctx *ctx)
{
    xen_vm(ctx)->fifo = (struct xen_fifo){.is_on = false};
    for (uint32_t vp = 0; vp < hvs_ctx_nr_vps(ctx); vp++) {
        struct xen_vcpu *vcpu = xen_vcpu(ctx, vp);

        vcpu->fifo_control = (struct xen_place){.is_set = false};
        memset(vcpu->fifo_tail, 0, sizeof(vcpu->fifo_tail));
    }
}

/* What is pending by the old way is raised by the new one when the guest gives the page for it. */
static void begin(struct hvs_ctx *ctx)
{
    struct xen_vm *vm = xen_vm(ctx);

    for (uint32_t nr = 1; nr < vm->nr_valid_ports; nr++) {
        if (xen_2l_is_pending(ctx, nr))
            vm->port[nr].is_pending = true;
        vm->port[nr].priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
    }
    vm->fifo.is_on = true;
}

int64_t xen_evtchn_init_control(struct hvs_ctx *ctx, struct hvs_call *call)
{
    struct evtchn_init_control *args = call->out;
    struct xen_place *place;

    args->link_bits = EVTCHN_FIFO_LINK_BITS;
    if (args->vcpu >= hvs_ctx_nr_vps(ctx))
        return -XEN_ENOENT;
    if (args->offset > HVS_PAGE_BYTES - XEN_FIFO_CONTROL_BYTES || args->offset % 8)
        return -XEN_EINVAL;
    place = &xen_vcpu(ctx, args->vcpu)->fifo_control;
    if (place->is_set || !xen_is_page(ctx, args->control_gfn))
        return -XEN_EINVAL;
    *place = (struct xen_place){.is_set = true, .gpa = (args->control_gfn << HVS_PAGE_SHIFT) + args->offset};
    if (!xen_vm(ctx)->fifo.is_on)
        begin(ctx);
    return 0;
}

int64_t xen_evtchn_expand_array(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct evtchn_expand_array *args = call->in;
    struct xen_vm *vm = xen_vm(ctx);
    struct xen_fifo *fifo = &vm->fifo;
    uint32_t nr = fifo->nr_pages * XEN_FIFO_WORDS_PER_PAGE;

    if (!fifo->is_on)
        return -XEN_EOPNOTSUPP;
    if (fifo->nr_pages == XEN_FIFO_MAX_PAGES)
        return -XEN_ENOSPC;
    if (!xen_is_page(ctx, args->array_gfn))
        return -XEN_EINVAL;
    fifo->page_gfn[fifo->nr_pages++] = args->array_gfn;
    for (; nr < fifo->nr_pages * XEN_FIFO_WORDS_PER_PAGE && nr < vm->nr_valid_ports; nr++) {
        if (vm->port[nr].is_pending)
            xen_fifo_raise(ctx, nr);
    }
    xen_upcall_waiting(ctx);
    return 0;
}
