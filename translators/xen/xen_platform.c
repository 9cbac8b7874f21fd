/*
 * The ports of the platform device, by which a guest with drivers of its own asks for the emulated devices to go
 * [XEN docs/misc/hvm-emulated-unplug.pandoc; QEMU's xen_platform as the other side of it]. Its PCI function is the
 * VMM's, which has the bus.
 *
 *   0x10 in 2: magic         0x12 in 1: version of the protocol
 *   0x12 out 2: product      0x10 out 4: build; drivers that are not allowed then find another magic
 *   0x10 out 2: what to unplug           0x12 out 1: text for the log
 *
 * Left out: the flag by which firmware locks its ROM (0x10, one byte), since the ROM is not ours.
 */
#include "xen_state.h"

struct saved_platform {
    uint16_t product;
    uint16_t unplugged;
    uint32_t build;
};

uint64_t xen_platform_lacking(const void *options)
{
    const struct hvs_xen_options *given = options;
    const size_t bytes = offsetof(struct hvs_xen_options, unplug) + sizeof(given->unplug);

    return given && given->size >= bytes && given->unplug ? 0 : 1ull << XEN_FEATURE_UNPLUG;
}

static bool are_drivers_allowed(const struct hvs_ctx *ctx)
{
    const struct hvs_xen_options options = xen_options(ctx);
    const struct xen_platform *platform = &xen_vm(ctx)->platform;

    return !options.allows_drivers || !platform->build ||
           options.allows_drivers(options.ctx, platform->product, platform->build);
}

static enum hvs_verdict read_port(struct hvs_ctx *ctx, uint16_t at, uint8_t bytes)
{
    uint64_t *rax = &ctx->regs->rax;

    if (at == 0 && bytes == 2)
        *rax = (*rax & ~0xffffull) | (are_drivers_allowed(ctx) ? XEN_PLATFORM_MAGIC : XEN_PLATFORM_MAGIC_BLACKLISTED);
    else if (at == 2 && bytes == 1)
        *rax = (*rax & ~0xffull) | XEN_PLATFORM_PROTOCOL;
    else
        return HVS_UNHANDLED;
    ctx->out->regs_changed = true;
    return HVS_HANDLED;
}

/* Told once: a guest that has resumed asks again. */
static void unplug(struct hvs_ctx *ctx, uint16_t what)
{
    const struct hvs_xen_options options = xen_options(ctx);
    struct xen_platform *platform = &xen_vm(ctx)->platform;
    const uint16_t known = HVS_XEN_UNPLUG_DISKS | HVS_XEN_UNPLUG_NICS | HVS_XEN_UNPLUG_AUX_DISKS | HVS_XEN_UNPLUG_NVME;
    const uint16_t more = what & known & ~platform->unplugged;

    platform->unplugged |= more;
    if (more && options.unplug)
        options.unplug(options.ctx, more);
}

static enum hvs_verdict write_port(struct hvs_ctx *ctx, uint16_t at, uint8_t bytes)
{
    struct xen_platform *platform = &xen_vm(ctx)->platform;
    uint32_t value = (uint32_t)ctx->regs->rax;

    if (at == 0 && bytes == 2)
        unplug(ctx, (uint16_t)value);
    else if (at == 0 && bytes == 4)
        platform->build = value;
    else if (at == 2 && bytes == 2)
        platform->product = (uint16_t)value;
    else
        return HVS_UNHANDLED;
    return HVS_HANDLED;
}

enum hvs_verdict xen_platform_port(struct hvs_ctx *ctx)
{
    const uint16_t at = ctx->exit->pio.port - XEN_PLATFORM_PORT;
    const uint8_t bytes = ctx->exit->pio.size_bytes;

    if (at == 2 && bytes == 1 && !ctx->exit->pio.is_in)
        return xen_debug_say(ctx);
    if (ctx->exit->pio.is_string)
        return HVS_UNHANDLED;
    return ctx->exit->pio.is_in ? read_port(ctx, at, bytes) : write_port(ctx, at, bytes);
}

void xen_platform_save(struct hvs_ctx *ctx, struct hvs_writer *writer)
{
    const struct xen_platform *platform = &xen_vm(ctx)->platform;
    const struct saved_platform saved = {
        .product = platform->product, .unplugged = platform->unplugged, .build = platform->build};

    if (saved.product || saved.unplugged || saved.build)
        hvs_writer_put(writer, XEN_RECORD_PLATFORM, 1, &saved, sizeof(saved));
}

/* The VMM that loads makes its devices anew, so it is told what is unplugged. */
int xen_platform_load(struct hvs_ctx *ctx, const struct hvs_record *record)
{
    struct xen_platform *platform = &xen_vm(ctx)->platform;
    struct saved_platform saved;

    if (hvs_record_get(record, &saved, sizeof(saved)))
        return HVS_EFORMAT;
    platform->product = saved.product;
    platform->build = saved.build;
    unplug(ctx, saved.unplugged);
    return platform->unplugged == saved.unplugged ? HVS_OK : HVS_EFORMAT;
}
