/*
 * RPCI: requests of programs in the guest, "name arguments", answered "1 result" or "0 reason" [open-vm-tools
 * services/vmtoolsd, toolbox, services/plugins].
 *
 * Left out: shared folders, drag and drop, clipboard, deployment, Vix, the guest store. Programs that ask for them are
 * told "Unknown command", which they take for a host without them.
 */
#include "vmw_state.h"

typedef void rpci_fn(struct hvs_ctx *ctx, struct vmw_channel *channel, struct hvs_text args);

/* For what the host merely hears: it is told of every request. */
static void accept(struct hvs_ctx *ctx, struct vmw_channel *channel, struct hvs_text args)
{
    (void)ctx, (void)args;
    vmw_message_begin(channel, vmw_text("1 "));
}

static void answer_no(struct hvs_ctx *ctx, struct vmw_channel *channel, struct hvs_text args)
{
    (void)ctx, (void)args;
    vmw_message_begin(channel, vmw_text("1 0"));
}

static void machine_id_get(struct hvs_ctx *ctx, struct vmw_channel *channel, struct hvs_text args)
{
    const char *machine_id = vmw_options(ctx)->machine_id;

    (void)args;
    vmw_message_begin(channel, vmw_text(machine_id ? "1 " : "0 No machine id"));
    if (machine_id)
        vmw_message_append(channel, vmw_text(machine_id));
}

/* NAME OLD NEW */
static void vmx_set_option(struct hvs_ctx *ctx, struct vmw_channel *channel, struct hvs_text args)
{
    struct hvs_text name = vmw_text_word(&args);
    bool is_known;

    vmw_text_word(&args);
    is_known = (vmw_text_is(args, "0") || vmw_text_is(args, "1")) &&
               vmw_tools_option_set(ctx, name, vmw_text_is(args, "1"));
    vmw_message_begin(channel, vmw_text(is_known ? "1 " : "0 Unknown option"));
}

/* A name that ends in a dot stands for all that begin with it. */
static const struct {
    const char *name;
    rpci_fn *fn;
} command[] = {
    {"info-get", vmw_info_get},
    {"info-set", vmw_info_set},
    {"log", accept},
    {"guestlib.info.get", vmw_guestlib_info_get},
    {"machine.id.get", machine_id_get},
    {"vmx.set_option", vmx_set_option},
    {"vmx.capability.unified_loop", accept},
    {"vmx.capability.tools_is_upgradable", answer_no},
    {"tools.set.version", accept},
    {"tools.set.versiontype", accept},
    {"tools.capability.", accept},
    {"tools.os.statechange.status", accept},
    {"update.tools.health", accept},
    {"SetGuestInfo", accept},
    {"disk.wiper.enable", answer_no},
};

static bool name_fits(struct hvs_text name, const char *row)
{
    struct hvs_text text = vmw_text(row);

    return text.text[text.bytes - 1] == '.' ? vmw_text_begins(name, row) : vmw_text_is(name, row);
}

/* Strings come with their zero, and vmt fills up its whole buffer with them. */
void vmw_rpci(struct hvs_ctx *ctx, struct vmw_channel *channel)
{
    const struct hvs_vmw_options *options = vmw_options(ctx);
    struct hvs_text args = {(const char *)channel->message, channel->message_bytes}, name;

    args = vmw_text_trim(args, '\0');
    if (options->on_rpci)
        options->on_rpci(options->ctx, args);
    name = vmw_text_word(&args);
    for (uint32_t i = 0; i < HVS_ARRAY_SIZE(command); i++) {
        if (!name_fits(name, command[i].name))
            continue;
        command[i].fn(ctx, channel, args);
        return;
    }
    vmw_message_begin(channel, vmw_text("0 Unknown command"));
}
