/*
 * The balloon: a port of its own by which the guest gives pages to the host and takes them back [BALLOON; Linux
 * drivers/misc/vmw_balloon.c].
 *
 * EBX carries the argument in and the target, in pages, out. The guest asks for the target each second and gives or
 * takes pages until it has that many. Which pages it gave is its own and the VMM's affair; here is only their number. A
 * start, with which each reset begins, lets all of them go.
 *
 * Left out: the doorbell, which needs VMCI, and page numbers above 32 bits (16 TiB). There is no balloon where the VMM
 * does not want the pages.
 */
#include "vmw_state.h"

enum {
    CAPABILITIES = BALLOON_BASIC_CMDS | BALLOON_BATCHED_CMDS | BALLOON_BATCHED_2M_CMDS,
    PAGES_PER_2M = 512,
};

struct balloon_call {
    struct hvs_ctx *ctx;
    struct vmw_balloon *balloon;
    uint32_t ebx, esi;
};

static uint32_t load(const _Atomic uint32_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

static bool is_ram(const struct hvs_ctx *ctx, uint64_t gfn)
{
    void *page = hvs_page_pin(ctx, gfn);

    if (page)
        hvs_page_unpin(ctx, gfn, page, false);
    return page;
}

/* Counts pages in or out: never more than the guest has, never less than none. */
static bool count(const struct balloon_call *call, uint32_t nr_pages, bool locks)
{
    uint64_t most = hvs_ctx_config(call->ctx)->memory_bytes >> HVS_PAGE_SHIFT;
    uint32_t now = load(&call->balloon->nr_locked), next;

    do {
        if (locks ? now + (uint64_t)nr_pages > most : now < nr_pages)
            return false;
        next = locks ? now + nr_pages : now - nr_pages;
    } while (!atomic_compare_exchange_weak_explicit(&call->balloon->nr_locked, &now, next, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

static uint32_t move_pages(const struct balloon_call *call, uint64_t gfn, uint32_t nr_pages, bool locks)
{
    const struct hvs_vmw_options *options = vmw_options(call->ctx);

    if (gfn % nr_pages || !is_ram(call->ctx, gfn) || !is_ram(call->ctx, gfn + nr_pages - 1))
        return BALLOON_ERROR_PPN_INVALID;
    if (!count(call, nr_pages, locks))
        return locks ? BALLOON_ERROR_PPN_NOTNEEDED : BALLOON_ERROR_PPN_UNLOCKED;
    options->on_balloon(options->ctx, gfn, nr_pages, locks);
    return BALLOON_SUCCESS;
}

/* A page of page addresses, each of which gets its own status in its low bits. */
static uint32_t move_batch(const struct balloon_call *call, uint32_t nr_pages, bool locks)
{
    uint64_t batch_gpa = (uint64_t)call->ebx << HVS_PAGE_SHIFT, entry[BALLOON_BATCH_MAX_ENTRIES];
    size_t bytes = call->esi * sizeof(entry[0]);

    if (call->esi == 0 || call->esi > BALLOON_BATCH_MAX_ENTRIES)
        return BALLOON_ERROR_CMD_INVALID;
    if (hvs_gpa_read(call->ctx, batch_gpa, entry, bytes))
        return BALLOON_ERROR_PPN_INVALID;
    for (uint32_t i = 0; i < call->esi; i++) {
        entry[i] &= ~(uint64_t)(HVS_PAGE_BYTES - 1);
        entry[i] |= move_pages(call, entry[i] >> HVS_PAGE_SHIFT, nr_pages, locks);
    }
    return hvs_gpa_write(call->ctx, batch_gpa, entry, bytes) ? BALLOON_ERROR_PPN_INVALID : BALLOON_SUCCESS;
}

/* How each command that moves pages does it, and the capability that the guest must have asked for. */
static const struct {
    uint32_t capability;        /* 0: no such command */
    uint16_t nr_pages;
    bool is_batch, locks;
} moving[] = {
    [BALLOON_BDOOR_CMD_LOCK] = {BALLOON_BASIC_CMDS, 1, false, true},
    [BALLOON_BDOOR_CMD_UNLOCK] = {BALLOON_BASIC_CMDS, 1, false, false},
    [BALLOON_BDOOR_CMD_BATCHED_LOCK] = {BALLOON_BATCHED_CMDS, 1, true, true},
    [BALLOON_BDOOR_CMD_BATCHED_UNLOCK] = {BALLOON_BATCHED_CMDS, 1, true, false},
    [BALLOON_BDOOR_CMD_BATCHED_2M_LOCK] = {BALLOON_BATCHED_2M_CMDS, PAGES_PER_2M, true, true},
    [BALLOON_BDOOR_CMD_BATCHED_2M_UNLOCK] = {BALLOON_BATCHED_2M_CMDS, PAGES_PER_2M, true, false},
};

static uint32_t run_moving(const struct balloon_call *call, uint32_t command)
{
    if (command >= HVS_ARRAY_SIZE(moving) || !(moving[command].capability & load(&call->balloon->capabilities)))
        return BALLOON_ERROR_CMD_INVALID;
    if (moving[command].is_batch)
        return move_batch(call, moving[command].nr_pages, moving[command].locks);
    return move_pages(call, call->ebx, 1, moving[command].locks);
}

/* Returns EAX; EBX and ECX are written where the command has results there. */
static uint32_t run(const struct balloon_call *call, uint32_t command, struct hvs_regs *regs)
{
    struct vmw_balloon *balloon = call->balloon;
    uint32_t status;

    if (command == BALLOON_BDOOR_CMD_START) {
        atomic_store_explicit(&balloon->capabilities, call->ebx & CAPABILITIES, memory_order_relaxed);
        atomic_store_explicit(&balloon->nr_locked, 0, memory_order_relaxed);
        regs->rcx = (regs->rcx & ~(uint64_t)UINT32_MAX) | (call->ebx & CAPABILITIES);
        return BALLOON_SUCCESS_WITH_CAPABILITIES;
    }
    if (load(&balloon->capabilities) == 0)
        return BALLOON_ERROR_RESET;
    if (command == BALLOON_BDOOR_CMD_GUEST_ID)
        return BALLOON_SUCCESS;
    status = command == BALLOON_BDOOR_CMD_TARGET ? BALLOON_SUCCESS : run_moving(call, command);
    if (status == BALLOON_SUCCESS)
        regs->rbx = (regs->rbx & ~(uint64_t)UINT32_MAX) | load(&balloon->target);
    return status;
}

enum hvs_verdict vmw_balloon_port(struct hvs_ctx *ctx)
{
    struct hvs_regs *regs = ctx->regs;
    struct balloon_call call = {
        .ctx = ctx,
        .balloon = &((struct vmw_vm *)ctx->vm_state)->balloon,
        .ebx = (uint32_t)regs->rbx,
        .esi = (uint32_t)regs->rsi,
    };

    if (!vmw_options(ctx)->on_balloon || (uint32_t)regs->rax != BALLOON_BDOOR_MAGIC || regs->cpl != 0 ||
        !ctx->exit->pio.is_in || ctx->exit->pio.size_bytes != 4)
        return HVS_UNHANDLED;
    regs->rax = run(&call, BDOOR_CMD((uint32_t)regs->rcx), regs);
    ctx->out->regs_changed = true;
    return HVS_HANDLED;
}

int vmw_balloon_request(struct hvs_ctx *ctx, struct hvs_vmw_balloon *request)
{
    struct vmw_balloon *balloon = &((struct vmw_vm *)ctx->vm_state)->balloon;

    if (request->target_pages > UINT32_MAX)
        return HVS_EINVAL;
    atomic_store_explicit(&balloon->target, (uint32_t)request->target_pages, memory_order_relaxed);
    request->locked_pages = load(&balloon->nr_locked);
    request->is_there = load(&balloon->capabilities) != 0;
    return HVS_OK;
}
