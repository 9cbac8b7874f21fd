/*
 * The host's end of the PV console: two rings of bytes in one page, to and from the VMM's console
 * [XEN public/io/console.h; tools/console/daemon/io.c].
 *
 * All four indices lie in the guest's memory and are the guest's to change, also while they are looked at here: each is
 * read once, positions are taken modulo the ring, and a ring that holds more than it can is left alone, as xenconsoled
 * does. So nothing has to be remembered here, and nothing be saved, but whether the VMM waits for room.
 */
#include "xen_state.h"

enum {
    IN_BYTES = sizeof(((struct xencons_interface *)0)->in),
    OUT_BYTES = sizeof(((struct xencons_interface *)0)->out),
};

/* What the other side has done to the ring, before its index is seen here. */
static uint32_t read_theirs(const uint32_t *index)
{
    return atomic_load_explicit((const _Atomic uint32_t *)index, memory_order_acquire);
}

static uint32_t read_ours(const uint32_t *index)
{
    return atomic_load_explicit((const _Atomic uint32_t *)index, memory_order_relaxed);
}

static void write_ours(uint32_t *index, uint32_t value)
{
    atomic_store_explicit((_Atomic uint32_t *)index, value, memory_order_release);
}

/* Gives the VMM what is in the ring, of which it may take less. Returns how much it took. */
static uint32_t drain(struct hvs_ctx *ctx, struct xencons_interface *ring)
{
    const struct hvs_xen_options options = xen_options(ctx);
    const uint32_t cons = read_ours(&ring->out_cons), size = read_theirs(&ring->out_prod) - cons;
    const uint32_t at = cons % OUT_BYTES;
    char text[OUT_BYTES];
    uint32_t taken;

    if (size == 0 || size > OUT_BYTES)
        return 0;

    const uint32_t before_end = size < OUT_BYTES - at ? size : OUT_BYTES - at;

    memcpy(text, ring->out + at, before_end);
    memcpy(text + before_end, ring->out, size - before_end);
    taken = options.on_console(options.ctx, text, size);
    if (taken > size)
        taken = size;
    write_ours(&ring->out_cons, cons + taken);
    return taken;
}

/* Puts as much of `text` into the ring as fits. Returns how much that was. */
static uint32_t fill(struct xencons_interface *ring, const char *text, uint32_t bytes)
{
    const uint32_t prod = read_ours(&ring->in_prod), used = prod - read_theirs(&ring->in_cons);
    const uint32_t at = prod % IN_BYTES;

    if (used > IN_BYTES)
        return 0;
    if (bytes > IN_BYTES - used)
        bytes = IN_BYTES - used;

    const uint32_t before_end = bytes < IN_BYTES - at ? bytes : IN_BYTES - at;

    memcpy(ring->in + at, text, before_end);
    memcpy(ring->in, text + before_end, bytes - before_end);
    write_ours(&ring->in_prod, prod + bytes);
    return bytes;
}

static bool has_room(const struct xencons_interface *ring)
{
    return read_ours(&ring->in_prod) - read_theirs(&ring->in_cons) < IN_BYTES;
}

void xen_console_look(struct hvs_ctx *ctx)
{
    const struct hvs_xen_options options = xen_options(ctx);
    struct xencons_interface *ring = xen_special_open(ctx, XEN_SPECIAL_CONSOLE);
    bool has_taken, is_ready;

    if (!ring)
        return;
    has_taken = drain(ctx, ring) > 0;
    is_ready = xen_vm(ctx)->is_console_full && has_room(ring);
    xen_special_close(ctx, XEN_SPECIAL_CONSOLE, ring);
    if (has_taken)
        xen_special_notify(ctx, XEN_SPECIAL_CONSOLE);
    if (!is_ready)
        return;
    xen_vm(ctx)->is_console_full = false;
    if (options.on_console_room)
        options.on_console_room(options.ctx);
}

int xen_console_input(struct hvs_ctx *ctx, struct hvs_xen_input *input)
{
    struct xencons_interface *ring = xen_special_open(ctx, XEN_SPECIAL_CONSOLE);

    input->done = 0;
    if (!ring)
        return HVS_ENOTSUP;
    input->done = fill(ring, input->text, input->bytes);
    xen_special_close(ctx, XEN_SPECIAL_CONSOLE, ring);
    xen_vm(ctx)->is_console_full = input->done < input->bytes;
    if (input->done)
        xen_special_notify(ctx, XEN_SPECIAL_CONSOLE);
    return HVS_OK;
}

uint64_t xen_console_lacking(const void *options)
{
    const struct hvs_xen_options *given = options;
    const size_t bytes = offsetof(struct hvs_xen_options, on_console) + sizeof(given->on_console);

    return given && given->size >= bytes && given->on_console ? 0 : 1ull << XEN_FEATURE_CONSOLE;
}
