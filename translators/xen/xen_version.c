/*
 * xen_version, hypercall 17: what this Xen says of itself [XEN public/version.h; common/kernel.c].
 *
 * Of a guest without privileges Xen hides the command line and the build id; so does this.
 */
#include "xen_state.h"

enum { MAX_TEXT_BYTES = 64 };

/* Copies `text` cut to fit `bytes` with its end, the rest zero. */
static void put_text(char *to, size_t bytes, const char *text)
{
    size_t i = 0;

    for (; i < bytes - 1 && text[i]; i++)
        to[i] = text[i];
    memset(to + i, 0, bytes - i);
}

static int64_t copy_text(struct hvs_ctx *ctx, const struct hvs_call *call, const char *text, size_t bytes)
{
    char out[MAX_TEXT_BYTES];

    put_text(out, bytes, text);
    return xen_copy_out(ctx, call, out, bytes);
}

int64_t xen_version_version(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct hvs_xen_options options = xen_options(ctx);

    (void)call;
    return (int64_t)options.version_major << 16 | options.version_minor;
}

int64_t xen_version_extraversion(struct hvs_ctx *ctx, struct hvs_call *call)
{
    return copy_text(ctx, call, xen_options(ctx).extra_version, sizeof(xen_extraversion_t));
}

int64_t xen_version_compile_info(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct hvs_xen_options options = xen_options(ctx);
    struct xen_compile_info info;

    put_text(info.compiler, sizeof(info.compiler), options.compiler);
    put_text(info.compile_by, sizeof(info.compile_by), options.compile_by);
    put_text(info.compile_domain, sizeof(info.compile_domain), options.compile_domain);
    put_text(info.compile_date, sizeof(info.compile_date), options.compile_date);
    return xen_copy_out(ctx, call, &info, sizeof(info));
}

/* The kinds of guest that can run here: no PV guests. */
int64_t xen_version_capabilities(struct hvs_ctx *ctx, struct hvs_call *call)
{
    static const xen_capabilities_info_t info = "hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64 ";

    return xen_copy_out(ctx, call, info, sizeof(info));
}

int64_t xen_version_changeset(struct hvs_ctx *ctx, struct hvs_call *call)
{
    return copy_text(ctx, call, xen_options(ctx).changeset, sizeof(xen_changeset_info_t));
}

/* Where Xen lies in a PV guest's address space; in this guest's it is not. */
int64_t xen_version_platform_parameters(struct hvs_ctx *ctx, struct hvs_call *call)
{
    static const struct xen_platform_parameters none = {0};

    return xen_copy_out(ctx, call, &none, xen_caller_is_32bit(ctx) ? sizeof(uint32_t) : sizeof(none));
}

/*
 * XENFEAT_hvm_safe_pvclock makes Linux take clock and timer both, and stop for good where one fails.
 */
int64_t xen_version_get_features(struct hvs_ctx *ctx, struct hvs_call *call)
{
    struct xen_feature_info *info = call->out;

    if (info->submap_idx != 0)
        return -XEN_EINVAL;
    info->submap = 1u << XENFEAT_writable_page_tables | 1u << XENFEAT_auto_translated_physmap |
                   1u << XENFEAT_not_direct_mapped;
    if (hvs_ctx_feature(ctx, XEN_FEATURE_CALLBACK_VECTOR))
        info->submap |= 1u << XENFEAT_hvm_callback_vector;
    if (hvs_ctx_feature(ctx, XEN_FEATURE_PVCLOCK))
        info->submap |= 1u << XENFEAT_hvm_safe_pvclock;
    return 0;
}

int64_t xen_version_pagesize(struct hvs_ctx *ctx, struct hvs_call *call)
{
    (void)ctx;
    return call->arg[XEN_ARG_HANDLE] ? -XEN_EINVAL : XEN_PAGE_BYTES;
}

int64_t xen_version_guest_handle(struct hvs_ctx *ctx, struct hvs_call *call)
{
    return xen_copy_out(ctx, call, hvs_ctx_config(ctx)->uuid, sizeof(xen_domain_handle_t));
}

int64_t xen_version_commandline(struct hvs_ctx *ctx, struct hvs_call *call)
{
    static const char denied[] = "<denied>";

    return xen_copy_out(ctx, call, denied, sizeof(denied));
}

int64_t xen_version_build_id(struct hvs_ctx *ctx, struct hvs_call *call)
{
    (void)ctx, (void)call;
    return -XEN_EPERM;
}
