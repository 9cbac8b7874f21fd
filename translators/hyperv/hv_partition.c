/*
 * How a partition ends by its own word: the reset register, and the crash report [TLFS partition-properties].
 *
 * As QEMU does on KVM, a crash notification stops the VM for the host to look at; what then happens is the VMM's
 * choice.
 */
#include "hv_state.h"

enum hvs_verdict hv_reset_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    (void)ctx;
    (void)index;
    *value = 0;
    return HVS_HANDLED;
}

static void stop_vm(struct hvs_ctx *ctx, enum hvs_stop_reason reason)
{
    hvs_emit(ctx, (struct hvs_effect){.kind = HVS_EFFECT_VM_STOP, .vp = ctx->vp, .reason = reason});
}

enum hvs_verdict hv_reset_write(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    (void)index;
    if (value & HV_X64_MSR_RESET_NOW)
        stop_vm(ctx, HVS_STOP_REBOOT);
    return HVS_HANDLED;
}

enum hvs_verdict hv_crash_parameter_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    const struct hv_vm *hv = ctx->vm_state;

    *value = hv->crash_parameter[index - HV_X64_MSR_CRASH_P0];
    return HVS_HANDLED;
}

enum hvs_verdict hv_crash_parameter_write(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    struct hv_vm *hv = ctx->vm_state;

    hv->crash_parameter[index - HV_X64_MSR_CRASH_P0] = value;
    return HVS_HANDLED;
}

enum hvs_verdict hv_crash_ctl_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    (void)ctx;
    (void)index;
    *value = HV_CRASH_CTL_CRASH_NOTIFY | HV_CRASH_CTL_CRASH_MESSAGE;
    return HVS_HANDLED;
}

/* P3 is the message's address, P4 its length. Of a long one the end is kept: guests send the tail of their log. */
static void read_message(struct hvs_ctx *ctx, struct hvs_crash *crash)
{
    uint64_t gpa = crash->parameter[3], bytes = crash->parameter[4];

    if (bytes > HV_CRASH_MAX_MESSAGE_SIZE || gpa > UINT64_MAX - bytes)
        return;
    if (bytes > sizeof(crash->message)) {
        gpa += bytes - sizeof(crash->message);
        bytes = sizeof(crash->message);
    }
    if (hvs_gpa_read(ctx, gpa, crash->message, bytes) == HVS_OK)
        crash->message_bytes = (uint32_t)bytes;
}

enum hvs_verdict hv_crash_ctl_write(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    const struct hv_vm *hv = ctx->vm_state;
    struct hvs_crash crash = {.message_bytes = 0};

    (void)index;
    if (!(value & HV_CRASH_CTL_CRASH_NOTIFY))
        return HVS_HANDLED;
    memcpy(crash.parameter, hv->crash_parameter, sizeof(crash.parameter));
    if (value & HV_CRASH_CTL_CRASH_MESSAGE)
        read_message(ctx, &crash);
    hvs_crash_report(ctx, &crash);
    stop_vm(ctx, HVS_STOP_CRASH);
    return HVS_HANDLED;
}
