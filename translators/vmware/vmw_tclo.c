/*
 * TCLO: what the host says to programs in the guest [MSG; open-vm-tools lib/rpcIn, services/vmtoolsd/toolsRpc.c].
 *
 * A program opens a channel and polls it: an empty message or its answer to the last command, then a request for a
 * message. It is first told "reset" and answers "OK ATR" and its name; then it is told to register what it can do and
 * the tools options; then whatever the host has for a program of this name. A command that the program did not receive
 * as a whole is told again.
 */
#include "vmw_state.h"

enum {
    TELL_RESET = 1 << 0,
    TELL_CAPABILITIES = 1 << 1,
    FIRST_OPTION = 2,                   /* bit number; one for each of the options */
};
#define TELL_HOST (1u << 31)            /* the host's own command; never in `untold` */

/* Tools options: the host tells them by Set_Option, the guest may change them by vmx.set_option. */
static const struct {
    const char *name;
    bool is_on_at_reset;                /* synctime: as the VMM says */
} option[] = {
    {"synctime", false},
    {"broadcastIP", true},              /* "say guestinfo.ip now" */
};
enum { OPTION_SYNCTIME = 0, NR_OPTIONS = HVS_ARRAY_SIZE(option) };
HVS_STATIC_ASSERT(FIRST_OPTION + NR_OPTIONS < 31, "a bit for each option");

static bool is_daemon(const struct vmw_channel *channel)
{
    return memcmp(channel->name, "toolbox", sizeof("toolbox")) == 0;
}

/* --- options ------------------------------------------------------------------------------------------------------ */

void vmw_tools_options_reset(struct hvs_ctx *ctx)
{
    struct vmw_vm *vm = ctx->vm_state;

    vm->tools_options = 0;
    for (uint32_t i = 0; i < NR_OPTIONS; i++)
        vm->tools_options |= (uint32_t)option[i].is_on_at_reset << i;
    vm->tools_options |= (uint32_t)vmw_options(ctx)->syncs_time << OPTION_SYNCTIME;
}

static void set_option(struct vmw_vm *vm, uint32_t i, bool is_on)
{
    vm->tools_options = (vm->tools_options & ~(1u << i)) | (uint32_t)is_on << i;
    for (uint32_t c = 0; c < VMW_NR_CHANNELS; c++) {
        if (vm->channel[c].protocol == TCLO_PROTOCOL_NUM && is_daemon(&vm->channel[c]))
            vm->channel[c].untold |= 1u << (FIRST_OPTION + i);
    }
}

bool vmw_tools_option_set(struct hvs_ctx *ctx, struct hvs_text name, bool is_on)
{
    for (uint32_t i = 0; i < NR_OPTIONS; i++) {
        if (!vmw_text_is(name, option[i].name))
            continue;
        set_option(ctx->vm_state, i, is_on);
        return true;
    }
    return false;
}

int64_t vmw_getguioptions(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct vmw_vm *vm = ctx->vm_state;

    (void)call;
    return vm->tools_options >> OPTION_SYNCTIME & 1 ? VMWARE_GUI_SYNC_TIME : 0;
}

int64_t vmw_setguioptions(struct hvs_ctx *ctx, struct hvs_call *call)
{
    set_option(ctx->vm_state, OPTION_SYNCTIME, call->arg[VMW_EBX] & VMWARE_GUI_SYNC_TIME);
    return BDOOR_MAGIC;
}

/* --- telling ------------------------------------------------------------------------------------------------------ */

static void begin_option(const struct vmw_vm *vm, struct vmw_channel *channel, uint32_t i)
{
    vmw_message_begin(channel, vmw_text("Set_Option "));
    vmw_message_append(channel, vmw_text(option[i].name));
    vmw_message_append(channel, vmw_text(vm->tools_options >> i & 1 ? " 1" : " 0"));
}

static bool host_command_is_for(const struct vmw_vm *vm, const struct vmw_channel *channel)
{
    return vm->command.bytes && channel->name[0] &&
           memcmp(vm->command.channel, channel->name, sizeof(channel->name)) == 0;
}

/* Another channel of that name may be at it already. */
static bool is_being_told(const struct vmw_vm *vm)
{
    for (uint32_t c = 0; c < VMW_NR_CHANNELS; c++) {
        if (vm->channel[c].protocol == TCLO_PROTOCOL_NUM && vm->channel[c].telling == TELL_HOST)
            return true;
    }
    return false;
}

void vmw_tclo_poll(struct hvs_ctx *ctx, struct vmw_channel *channel)
{
    const struct vmw_vm *vm = ctx->vm_state;
    uint32_t tell = channel->untold & -channel->untold;

    if (channel->telling)
        return;
    if (tell == TELL_RESET)
        vmw_message_begin(channel, vmw_text("reset"));
    else if (tell == TELL_CAPABILITIES)
        vmw_message_begin(channel, vmw_text("Capabilities_Register"));
    for (uint32_t i = 0; i < NR_OPTIONS; i++) {
        if (tell == 1u << (FIRST_OPTION + i))
            begin_option(vm, channel, i);
    }
    if (!tell && host_command_is_for(vm, channel) && !is_being_told(vm)) {
        vmw_message_begin(channel, (struct hvs_text){vm->command.text, vm->command.bytes});
        tell = TELL_HOST;
    }
    channel->telling = tell;
}

void vmw_tclo_received(struct vmw_channel *channel, bool is_whole)
{
    if (!is_whole) {
        channel->telling = 0;
        return;
    }
    channel->untold &= ~channel->telling;
    channel->is_told = true;
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

void vmw_tclo_opened(struct vmw_channel *channel)
{
    channel->untold = TELL_RESET;
}

static void answer_host(struct hvs_ctx *ctx, bool ok, struct hvs_text reply)
{
    const struct hvs_vmw_options *options = vmw_options(ctx);
    struct vmw_vm *vm = ctx->vm_state;

    vm->command.bytes = 0;
    if (options->on_tclo_reply)
        options->on_tclo_reply(options->ctx, ok, reply);
}

/* What it was told it will not answer any more; what it was not told, the next one of its name will be. */
void vmw_tclo_closed(struct hvs_ctx *ctx, struct vmw_channel *channel)
{
    if (channel->telling == TELL_HOST && channel->is_told)
        answer_host(ctx, false, vmw_text("channel closed"));
    channel->telling = 0;
}

static void take_name(struct vmw_channel *channel, struct hvs_text name)
{
    uint32_t most = (uint32_t)sizeof(channel->name) - 1;

    memset(channel->name, 0, sizeof(channel->name));
    memcpy(channel->name, name.text, name.bytes < most ? name.bytes : most);
    channel->untold |= TELL_CAPABILITIES;
    if (is_daemon(channel))
        channel->untold |= ((1u << NR_OPTIONS) - 1) << FIRST_OPTION;
}

/* An answer that nobody asked for is heard only where it is a name: vmt gives its own before it is asked. */
void vmw_tclo_answered(struct hvs_ctx *ctx, struct vmw_channel *channel)
{
    struct hvs_text answer = {(const char *)channel->message, channel->message_bytes}, status;
    uint32_t told = channel->is_told ? channel->telling : 0;

    answer = vmw_text_trim(answer, '\0');
    if (told) {
        channel->telling = 0;
        channel->is_told = false;
    }
    status = vmw_text_word(&answer);
    if (told == TELL_HOST)
        answer_host(ctx, vmw_text_is(status, "OK"), answer);
    else if (told <= TELL_RESET && vmw_text_is(status, "OK") && vmw_text_begins(answer, "ATR "))
        take_name(channel, (struct hvs_text){answer.text + 4, answer.bytes - 4});
}

/* --- the host's own command --------------------------------------------------------------------------------------- */

int vmw_tclo_send(struct hvs_ctx *ctx, const struct hvs_vmw_command *command)
{
    struct hvs_text name = vmw_text(command->channel ? command->channel : "toolbox");
    struct vmw_vm *vm = ctx->vm_state;

    if (name.bytes == 0 || name.bytes >= sizeof(vm->command.channel))
        return HVS_EINVAL;
    if (command->text.bytes == 0 || command->text.bytes > sizeof(vm->command.text))
        return HVS_EINVAL;
    if (vm->command.bytes)
        return HVS_ENOSPC;
    memset(vm->command.channel, 0, sizeof(vm->command.channel));
    memcpy(vm->command.channel, name.text, name.bytes);
    memcpy(vm->command.text, command->text.text, command->text.bytes);
    vm->command.bytes = command->text.bytes;
    return HVS_OK;
}

/* The guest that is just receiving it learns that it is gone; what it answers to one that it has, nobody hears. */
int vmw_tclo_cancel(struct hvs_ctx *ctx)
{
    struct vmw_vm *vm = ctx->vm_state;

    if (!vm->command.bytes)
        return HVS_ENOENT;
    vm->command.bytes = 0;
    for (uint32_t c = 0; c < VMW_NR_CHANNELS; c++) {
        struct vmw_channel *channel = &vm->channel[c];

        if (channel->protocol != TCLO_PROTOCOL_NUM || channel->telling != TELL_HOST)
            continue;
        if (!channel->is_told && channel->flow != VMW_FLOW_SENDING) {
            channel->flow = VMW_FLOW_IDLE;
            channel->interrupted = VMW_BY_HOST;
        }
        channel->telling = 0;
        channel->is_told = false;
    }
    return HVS_OK;
}
