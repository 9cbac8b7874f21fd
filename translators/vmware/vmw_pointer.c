/*
 * The absolute pointer (vmmouse): packets of four words beside the PS/2 mouse [BDOOR ABSPOINTER; Linux
 * drivers/input/mouse/vmmouse.c; X.org's vmmouse].
 *
 * The guest is told by a byte from its PS/2 mouse, which is the VMM's, and then empties the queue. Motion that it has
 * not fetched yet is one packet however often the host moves the pointer, so that a lost PS/2 byte leaves no backlog;
 * what has other buttons is another packet. There is none of this where the VMM does not want to hear the mode.
 */
#include "vmw_state.h"

enum { PACKET_WORDS = 4, MAX_DATA_WORDS = 6 };
enum word { WORD_FLAGS, WORD_X, WORD_Y, WORD_Z };

#define RFLAGS_IOPL_SHIFT 12

static void tell_mode(const struct hvs_ctx *ctx, const struct vmw_pointer *pointer)
{
    const struct hvs_vmw_options *options = vmw_options(ctx);

    options->on_pointer_mode(options->ctx, (enum hvs_vmw_pointer_mode)pointer->mode);
}

/* Whether this CPL may use the pointer: the kernel may keep it from programs. */
static bool may_use(const struct hvs_ctx *ctx)
{
    const struct vmw_vm *vm = ctx->vm_state;
    uint8_t cpl = ctx->regs->cpl;

    if (!vmw_options(ctx)->on_pointer_mode)
        return false;
    if (vm->pointer.restriction == VMMOUSE_RESTRICT_CPL0)
        return cpl == 0;
    if (vm->pointer.restriction == VMMOUSE_RESTRICT_IOPL)
        return cpl <= (ctx->regs->rflags >> RFLAGS_IOPL_SHIFT & 3);
    return true;
}

static void set_mode(struct hvs_ctx *ctx, enum hvs_vmw_pointer_mode mode)
{
    struct vmw_pointer *pointer = &((struct vmw_vm *)ctx->vm_state)->pointer;

    pointer->nr_words = 0;
    pointer->mode = (uint8_t)mode;
    tell_mode(ctx, pointer);
}

int64_t vmw_abspointer_command(struct hvs_ctx *ctx, struct hvs_call *call)
{
    struct vmw_pointer *pointer = &((struct vmw_vm *)ctx->vm_state)->pointer;

    if (!may_use(ctx))
        return BDOOR_UNSUPPORTED;
    switch ((uint32_t)call->arg[VMW_EBX]) {
    case VMMOUSE_CMD_ENABLE:
        set_mode(ctx, HVS_VMW_POINTER_RELATIVE);
        pointer->word[pointer->nr_words++] = VMMOUSE_VERSION_ID;
        break;
    case VMMOUSE_CMD_DISABLE:
        set_mode(ctx, HVS_VMW_POINTER_OFF);
        break;
    case VMMOUSE_CMD_REQUEST_RELATIVE:
    case VMMOUSE_CMD_REQUEST_ABSOLUTE:
        if (pointer->mode == HVS_VMW_POINTER_OFF)
            break;
        set_mode(ctx, call->arg[VMW_EBX] == VMMOUSE_CMD_REQUEST_ABSOLUTE ? HVS_VMW_POINTER_ABSOLUTE
                                                                         : HVS_VMW_POINTER_RELATIVE);
        break;
    default:
        break;
    }
    return BDOOR_MAGIC;
}

int64_t vmw_abspointer_status(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct vmw_pointer *pointer = &((struct vmw_vm *)ctx->vm_state)->pointer;

    (void)call;
    if (!may_use(ctx))
        return BDOOR_UNSUPPORTED;
    return pointer->mode == HVS_VMW_POINTER_OFF ? VMMOUSE_ERROR : pointer->nr_words;
}

/* EBX words, in EAX EBX ECX EDX ESI EDI. Asking for what is not there ends the service, until it is enabled again. */
int64_t vmw_abspointer_data(struct hvs_ctx *ctx, struct hvs_call *call)
{
    static const enum vmw_arg reg[MAX_DATA_WORDS] = {
        [1] = VMW_EBX, [2] = VMW_ECX, [3] = VMW_EDX, [4] = VMW_ESI, [5] = VMW_EDI};
    struct vmw_pointer *pointer = &((struct vmw_vm *)ctx->vm_state)->pointer;
    uint32_t nr = (uint32_t)call->arg[VMW_EBX], eax;

    if (!may_use(ctx))
        return BDOOR_UNSUPPORTED;
    if (nr == 0 || nr > MAX_DATA_WORDS || nr > pointer->nr_words) {
        set_mode(ctx, HVS_VMW_POINTER_OFF);
        return VMMOUSE_ERROR;
    }
    eax = pointer->word[0];
    for (uint32_t i = 1; i < nr; i++)
        call->arg[reg[i]] = pointer->word[i];
    pointer->nr_words -= nr;
    memmove(pointer->word, pointer->word + nr, pointer->nr_words * sizeof(pointer->word[0]));
    return eax;
}

int64_t vmw_abspointer_restrict(struct hvs_ctx *ctx, struct hvs_call *call)
{
    struct vmw_pointer *pointer = &((struct vmw_vm *)ctx->vm_state)->pointer;

    if (!may_use(ctx) || call->arg[VMW_EBX] > VMMOUSE_RESTRICT_IOPL)
        return BDOOR_UNSUPPORTED;
    pointer->restriction = (uint8_t)call->arg[VMW_EBX];
    return BDOOR_MAGIC;
}

int64_t vmw_ismouseabsolute(struct hvs_ctx *ctx, struct hvs_call *call)
{
    (void)call;
    return ((const struct vmw_vm *)ctx->vm_state)->pointer.mode == HVS_VMW_POINTER_ABSOLUTE;
}

/* --- the host's side ---------------------------------------------------------------------------------------------- */

static uint32_t flags_of(const struct hvs_vmw_pointer *event)
{
    return (event->left ? VMMOUSE_LEFT_BUTTON : 0) | (event->right ? VMMOUSE_RIGHT_BUTTON : 0) |
           (event->middle ? VMMOUSE_MIDDLE_BUTTON : 0) | (event->is_relative ? VMMOUSE_RELATIVE_PACKET : 0);
}

/* NULL where there is none; a guest may also have read half of a packet, and what is left then is not one. */
static uint32_t *last_packet(struct vmw_pointer *pointer)
{
    if (pointer->nr_words == 0 || pointer->nr_words % PACKET_WORDS)
        return NULL;
    return pointer->word + pointer->nr_words - PACKET_WORDS;
}

int vmw_pointer_event(struct hvs_ctx *ctx, const struct hvs_vmw_pointer *event)
{
    struct vmw_pointer *pointer = &((struct vmw_vm *)ctx->vm_state)->pointer;
    uint32_t *last = last_packet(pointer);
    bool is_full = pointer->nr_words + PACKET_WORDS > HVS_ARRAY_SIZE(pointer->word);

    if (pointer->mode == HVS_VMW_POINTER_OFF)
        return HVS_ENOENT;
    if (event->is_relative != (pointer->mode == HVS_VMW_POINTER_RELATIVE))
        return HVS_EINVAL;
    if (!is_full && !(last && last[WORD_FLAGS] == flags_of(event))) {
        last = pointer->word + pointer->nr_words;
        memset(last, 0, PACKET_WORDS * sizeof(*last));
        pointer->nr_words += PACKET_WORDS;
    }
    if (!last)
        return HVS_ENOSPC;
    last[WORD_FLAGS] = flags_of(event);
    last[WORD_X] = (event->is_relative ? last[WORD_X] : 0) + (uint32_t)event->x;
    last[WORD_Y] = (event->is_relative ? last[WORD_Y] : 0) + (uint32_t)event->y;
    last[WORD_Z] += (uint32_t)event->z;
    return HVS_OK;
}
