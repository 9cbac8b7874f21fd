/*
 * Xen's console on ours: what the guest writes to hvc0 appears beside what COM1 sends, and from its first word there on
 * what is typed goes there too.
 *
 * The library calls under its locks, where nothing may wait, so words are put down here and the main thread carries
 * them on. When there is no more room the guest keeps the rest.
 */
#include "machine.h"

#include <string.h>

/* --- callbacks -------------------------------------------------------------------------------------------------- */

static uint32_t on_console(void *ctx, const char *text, uint32_t bytes)
{
    struct machine *m = ctx;
    struct xen_console *x = &m->xen_console;
    pthread_mutex_lock(&x->lock);
    uint32_t room = (uint32_t)sizeof(x->out) - x->nr_out, taken = bytes < room ? bytes : room;
    memcpy(x->out + x->nr_out, text, taken);
    x->nr_out += taken;
    x->has_more = taken < bytes;
    pthread_mutex_unlock(&x->lock);
    atomic_store(&x->is_used, true);
    vmm_wake(m);
    return taken;
}

static void on_console_room(void *ctx)
{
    struct machine *m = ctx;
    atomic_store(&m->xen_console.has_room, true);
    vmm_wake(m);
}

void vmm_xen_console_options(struct machine *m, struct hvs_xen_options *options)
{
    options->on_console = on_console;
    options->on_console_room = on_console_room;
    options->ctx = m;
    atomic_store(&m->xen_console.has_room, true);
}

/* --- the main thread -------------------------------------------------------------------------------------------- */

bool vmm_xen_console_is_used(const struct machine *m)
{
    return atomic_load(&m->xen_console.is_used);
}

static void send_input(struct machine *m)
{
    struct xen_console *x = &m->xen_console;
    if (!x->nr_in || !atomic_exchange(&x->has_room, false))
        return;
    struct hvs_xen_input input = {.text = (const char *)x->in, .bytes = x->nr_in};
    vmm_xen_ask(m, HVS_XEN_CONSOLE_INPUT, &input);
    x->nr_in -= input.done;
    memmove(x->in, x->in + input.done, x->nr_in);
    if (!x->nr_in)
        atomic_store(&x->has_room, true);
}

bool vmm_xen_console_has_room(const struct machine *m)
{
    return m->xen_console.nr_in < sizeof(m->xen_console.in);
}

void vmm_xen_console_receive(struct machine *m, uint8_t byte)
{
    struct xen_console *x = &m->xen_console;
    if (x->nr_in < sizeof(x->in))
        x->in[x->nr_in++] = byte;
    send_input(m);
}

bool vmm_xen_console_serve(struct machine *m)
{
    struct xen_console *x = &m->xen_console;
    send_input(m);
    pthread_mutex_lock(&x->lock);
    uint32_t moved = vmm_console_add(m->console, x->out, x->nr_out);
    x->nr_out -= moved;
    memmove(x->out, x->out + moved, x->nr_out);
    bool is_left = x->nr_out > 0, has_more = moved > 0 && x->has_more;
    pthread_mutex_unlock(&x->lock);
    if (has_more)
        vmm_xen_ask(m, HVS_XEN_CONSOLE_LOOK, NULL);
    return is_left || has_more;
}
