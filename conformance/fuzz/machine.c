/* The backend beneath the fuzzer. See machine.h. */
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fuzz_breach(const char *fact, const char *file, int line)
{
    fprintf(stderr, "%s:%d: broken: %s\n", file, line, fact);
    abort();
}

enum { MAX_STREAM = 2 << 20 };

/* --- ports -------------------------------------------------------------------------------------------------------- */

static bool in_ram(uint64_t gpa, size_t bytes)
{
    return gpa <= FUZZ_RAM_BYTES && bytes <= FUZZ_RAM_BYTES - gpa;
}

/* Another vCPU writes what was just read. */
static void change_behind(struct fuzz_machine *machine, uint64_t gpa, size_t bytes)
{
    for (size_t i = 0; machine->race && i < bytes; i++)
        machine->ram[gpa + i] ^= machine->race;
}

static int gpa_read(void *ctx, uint64_t gpa, void *buffer, size_t bytes)
{
    struct fuzz_machine *machine = ctx;

    if (!in_ram(gpa, bytes))
        return HVS_EFAULT;
    memcpy(buffer, machine->ram + gpa, bytes);
    change_behind(machine, gpa, bytes);
    return HVS_OK;
}

static int gpa_write(void *ctx, uint64_t gpa, const void *buffer, size_t bytes)
{
    struct fuzz_machine *machine = ctx;

    if (!in_ram(gpa, bytes))
        return HVS_EFAULT;
    memcpy(machine->ram + gpa, buffer, bytes);
    return HVS_OK;
}

static void *page_pin(void *ctx, uint64_t gfn)
{
    struct fuzz_machine *machine = ctx;

    if (gfn >= FUZZ_RAM_BYTES >> HVS_PAGE_SHIFT)
        return NULL;
    FUZZ_MUST(machine->nr_pinned < FUZZ_MAX_PINS);
    machine->nr_pinned++;
    change_behind(machine, (gfn << HVS_PAGE_SHIFT) + machine->race % 16 * 16, 16);
    return machine->ram + (gfn << HVS_PAGE_SHIFT);
}

static void page_unpin(void *ctx, uint64_t gfn, void *page, bool was_written)
{
    struct fuzz_machine *machine = ctx;

    (void)was_written;
    FUZZ_MUST(machine->nr_pinned > 0);
    FUZZ_MUST(gfn < FUZZ_RAM_BYTES >> HVS_PAGE_SHIFT && page == machine->ram + (gfn << HVS_PAGE_SHIFT));
    machine->nr_pinned--;
}

static void time_now(void *ctx, struct hvs_instant *now)
{
    const struct fuzz_machine *machine = ctx;

    *now = (struct hvs_instant){.ns = machine->now_ns, .tsc = machine->now_ns * 5 / 2};
}

static int xmm_read(void *ctx, uint32_t vp, uint32_t first, uint32_t count, struct hvs_xmm *xmm)
{
    const struct fuzz_machine *machine = ctx;

    FUZZ_MUST(vp < machine->config.nr_vps);
    FUZZ_MUST(first <= 6 && count <= 6 - first);
    memcpy(xmm, &machine->xmm[first], count * sizeof(*xmm));
    return machine->fails ? HVS_EINVAL : HVS_OK;
}

static int xmm_write(void *ctx, uint32_t vp, uint32_t first, uint32_t count, const struct hvs_xmm *xmm)
{
    struct fuzz_machine *machine = ctx;

    FUZZ_MUST(vp < machine->config.nr_vps);
    FUZZ_MUST(first <= 6 && count <= 6 - first);
    memcpy(&machine->xmm[first], xmm, count * sizeof(*xmm));
    return machine->fails ? HVS_EINVAL : HVS_OK;
}

static int apic_read(void *ctx, uint32_t vp, uint32_t reg, uint64_t *value)
{
    const struct fuzz_machine *machine = ctx;

    FUZZ_MUST(vp < machine->config.nr_vps && reg < 0x400 && reg % 16 == 0);
    *value = machine->apic[vp][reg / 16];
    return machine->fails ? HVS_EINVAL : HVS_OK;
}

static int apic_write(void *ctx, uint32_t vp, uint32_t reg, uint64_t value)
{
    struct fuzz_machine *machine = ctx;

    FUZZ_MUST(vp < machine->config.nr_vps && reg < 0x400 && reg % 16 == 0);
    machine->apic[vp][reg / 16] = value;
    return machine->fails ? HVS_EINVAL : HVS_OK;
}

static int eoi_assist(void *ctx, uint32_t vp, uint64_t gpa)
{
    const struct fuzz_machine *machine = ctx;

    FUZZ_MUST(vp < machine->config.nr_vps);
    return machine->fails || (gpa != UINT64_MAX && !in_ram(gpa, 4)) ? HVS_EFAULT : HVS_OK;
}

static void vcpu_time(void *ctx, uint32_t vp, struct hvs_vcpu_time *time)
{
    const struct fuzz_machine *machine = ctx;

    FUZZ_MUST(vp < machine->config.nr_vps);
    *time = (struct hvs_vcpu_time){.ran_ns = machine->now_ns / 2, .stolen_ns = machine->now_ns / 8};
}

static void set_signal(void *ctx, uint32_t slot, uint32_t number, int signal)
{
    const struct fuzz_machine *machine = ctx;

    FUZZ_MUST(slot < machine->config.nr_slots && machine->config.caps & HVS_CAP_SIGNAL);
    FUZZ_MUST(signal >= HVS_NO_SIGNAL && (number != HVS_ALL_NUMBERS || signal == HVS_NO_SIGNAL));
}

static const struct hvs_port port = {
    .gpa_read = gpa_read,
    .gpa_write = gpa_write,
    .page_pin = page_pin,
    .page_unpin = page_unpin,
    .time_now = time_now,
    .xmm_read = xmm_read,
    .xmm_write = xmm_write,
    .apic_read = apic_read,
    .apic_write = apic_write,
    .eoi_assist = eoi_assist,
    .vcpu_time = vcpu_time,
    .signal = set_signal,
};

/* There is one thread only: whoever waits for a lock waits for one that was never given back. */
static void waits_for_lock(void)
{
    fuzz_breach("no lock is held after an exit", __FILE__, __LINE__);
}

/* --- the VM ------------------------------------------------------------------------------------------------------- */

static bool make_vm(struct fuzz_machine *machine)
{
    size_t bytes;

    if (hvs_vm_size(&machine->config, &bytes) != HVS_OK)
        return false;
    /* not zeroed: the library must not rely on it */
    machine->memory = aligned_alloc(HVS_PAGE_BYTES, (bytes + HVS_PAGE_BYTES - 1) / HVS_PAGE_BYTES * HVS_PAGE_BYTES);
    if (!machine->memory)
        abort();
    memset(machine->memory, 0xa5, bytes);
    int err = hvs_vm_init(machine->memory, bytes, &machine->config, &port, machine, &machine->vm);
    if (err == HVS_OK)
        err = hvs_vm_start_clock(machine->vm);
    if (err == HVS_OK)
        return true;
    free(machine->memory);
    machine->memory = NULL;
    return false;
}

bool fuzz_start(struct fuzz_machine *machine)
{
    machine->config.relax = waits_for_lock;
    machine->ram = calloc(1, FUZZ_RAM_BYTES);
    if (!machine->ram)
        abort();
    if (make_vm(machine))
        return true;
    free(machine->ram);
    machine->ram = NULL;
    return false;
}

void fuzz_stop(struct fuzz_machine *machine)
{
    FUZZ_MUST(machine->nr_pinned == 0);
    free(machine->memory);
    free(machine->ram);
}

/* --- invariants --------------------------------------------------------------------------------------------------- */

static void check_effect(const struct fuzz_machine *machine, const struct hvs_outcome *out,
                         const struct hvs_effect *effect)
{
    uint32_t nr_vps = machine->config.nr_vps;

    FUZZ_MUST((uint32_t)effect->kind < HVS_NR_EFFECT_KINDS);
    FUZZ_MUST(effect->target == HVS_TARGET_VP || effect->target == HVS_TARGET_SET);
    if (effect->target == HVS_TARGET_VP)
        FUZZ_MUST(effect->vp < nr_vps);
    else
        FUZZ_MUST(hvs_vpset_next(&out->set, nr_vps) == HVS_MAX_VPS);
    if (effect->kind == HVS_EFFECT_INJECT)
        FUZZ_MUST(effect->vector >= 16);
    if (effect->kind == HVS_EFFECT_VM_STOP)
        FUZZ_MUST((uint32_t)effect->reason <= HVS_STOP_SUSPEND);
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* What the rows that may own the exit say. */
static uint32_t most_effects(const struct hvs_personality *p, const struct hvs_exit *exit)
{
    uint32_t most = 0;

    if (exit->kind == HVS_EXIT_MSR_READ || exit->kind == HVS_EXIT_MSR_WRITE)
        for (uint32_t i = 0; i < p->nr_msr; i++)
            if (exit->msr.index >= p->msr[i].first && exit->msr.index <= p->msr[i].last)
                most = larger(most, p->msr[i].max_effects);
    if (exit->kind == HVS_EXIT_PIO)
        for (uint32_t i = 0; i < p->nr_pio; i++)
            if (exit->pio.port >= p->pio[i].first && exit->pio.port <= p->pio[i].last)
                most = larger(most, p->pio[i].max_effects);
    if (exit->kind == HVS_EXIT_HYPERCALL || exit->kind == HVS_EXIT_PIO)
        for (uint32_t i = 0; i < p->nr_hcall; i++)
            most = larger(most, p->hcall[i].max_effects);
    return most;
}

static uint32_t effects_allowed(const struct fuzz_machine *machine, const struct hvs_exit *exit)
{
    uint32_t most = 0;

    if (exit->kind == HVS_EXIT_TIMER || exit->kind == HVS_EXIT_RESET || exit->kind == HVS_EXIT_HOST)
        return HVS_MAX_EFFECTS;
    for (uint32_t s = 0; s < machine->config.nr_slots; s++)
        most = larger(most, most_effects(machine->config.slot[s].personality, exit));
    return most;
}

static bool same_beyond_general(const struct hvs_regs *a, const struct hvs_regs *b)
{
    return a->rip == b->rip && a->rflags == b->rflags && a->cr0 == b->cr0 && a->cr3 == b->cr3 && a->cr4 == b->cr4 &&
           a->efer == b->efer && a->cpl == b->cpl && a->code_bits == b->code_bits;
}

static void check_outcome(const struct fuzz_machine *machine, enum hvs_verdict verdict, const struct hvs_outcome *out,
                          const struct hvs_regs *before, const struct hvs_regs *after)
{
    FUZZ_MUST(machine->nr_pinned == 0);
    FUZZ_MUST(!out->effects_lost);
    FUZZ_MUST(out->nr_effects <= HVS_MAX_EFFECTS);
    for (uint32_t i = 0; i < out->nr_effects; i++)
        check_effect(machine, out, &out->effect[i]);
    FUZZ_MUST(verdict == HVS_HANDLED || verdict == HVS_UNHANDLED || verdict == HVS_FAULT || verdict == HVS_RETRY);
    if (verdict == HVS_RETRY)
        FUZZ_MUST(machine->config.caps & HVS_CAP_RETRY);
    if (verdict == HVS_FAULT)
        FUZZ_MUST(out->fault_vector == HVS_VECTOR_UD || out->fault_vector == HVS_VECTOR_GP ||
                  (out->fault_vector == HVS_VECTOR_PF && (machine->config.caps & HVS_CAP_STRINGS)));
    if (verdict == HVS_FAULT || verdict == HVS_UNHANDLED)
        FUZZ_MUST(!out->regs_changed && out->nr_effects == 0);
    if (!before)
        return;
    FUZZ_MUST(same_beyond_general(before, after));
    if (!out->regs_changed)
        FUZZ_MUST(memcmp(before, after, offsetof(struct hvs_regs, rip)) == 0);
}

enum hvs_verdict fuzz_exit(struct fuzz_machine *machine, uint32_t vp, const struct hvs_exit *exit,
                           struct hvs_regs *regs)
{
    static struct hvs_outcome out;      /* large, and the library fills it from the start */
    struct hvs_regs before;

    if (regs)
        before = *regs;
    memset(&out, 0x5a, sizeof(out));
    enum hvs_verdict verdict = hvs_vcpu_exit(hvs_vm_vcpu(machine->vm, vp), exit, regs, &out);
    check_outcome(machine, verdict, &out, regs ? &before : NULL, regs);
    FUZZ_MUST(out.nr_effects <= effects_allowed(machine, exit));
    return verdict;
}

/* --- save and load ------------------------------------------------------------------------------------------------ */

/* The stream in memory of just its size, so that reading past its end is seen. */
static uint8_t *save(struct fuzz_machine *machine, size_t *bytes)
{
    static uint8_t buffer[MAX_STREAM];

    FUZZ_MUST(hvs_vm_save(machine->vm, buffer, sizeof(buffer), bytes) == HVS_OK);
    uint8_t *stream = malloc(*bytes);
    if (!stream)
        abort();
    memcpy(stream, buffer, *bytes);
    return stream;
}

static void renew_vm(struct fuzz_machine *machine)
{
    free(machine->memory);
    FUZZ_MUST(make_vm(machine));
}

static void load_damaged(struct fuzz_machine *machine, uint8_t *stream, size_t bytes, uint64_t damage)
{
    renew_vm(machine);
    stream[(damage >> 16) % bytes] ^= (uint8_t)(damage | 1);
    if (damage >> 8 & 1)
        bytes -= (damage >> 40) % bytes;
    uint8_t *cut = malloc(bytes ? bytes : 1);
    if (!cut)
        abort();
    memcpy(cut, stream, bytes);
    int err = hvs_vm_load(machine->vm, cut, bytes);
    FUZZ_MUST(err == HVS_OK || err == HVS_EFORMAT || err == HVS_EVERSION);
    free(cut);
    size_t again_bytes;
    free(save(machine, &again_bytes));
    /* What was taken need not fit together (a page that is on, its register that says off): not for a guest to meet. */
    renew_vm(machine);
}

/*
 * Of pages, load writes anew what is the interface's own: code, a clock. The guest may have spoilt it, in a page which
 * another covers, and whose contents therefore are in the stream.
 */
static bool differ_in_pages_alone(const uint8_t *a, const uint8_t *b, size_t bytes)
{
    enum { HEAD_BYTES = 16, ID_AT = 4, BYTES_AT = 12, ID_OVERLAY = 0xff01, PAGE_AT = HEAD_BYTES + 16 };

    for (size_t at = sizeof(struct hvs_save_header); at < bytes;) {
        uint32_t payload_bytes;
        uint16_t id;

        memcpy(&id, a + at + ID_AT, sizeof(id));
        memcpy(&payload_bytes, a + at + BYTES_AT, sizeof(payload_bytes));
        size_t record_bytes = HEAD_BYTES + (((size_t)payload_bytes + 7) & ~(size_t)7);

        if (memcmp(a + at, b + at, id == ID_OVERLAY ? PAGE_AT : record_bytes) != 0)
            return false;
        at += record_bytes;
    }
    return true;
}

/* A new VM from the stream, and the stream that comes of it. */
static uint8_t *load_save(struct fuzz_machine *machine, const uint8_t *stream, size_t bytes)
{
    size_t again_bytes;

    renew_vm(machine);
    FUZZ_MUST(hvs_vm_load(machine->vm, stream, bytes) == HVS_OK);
    uint8_t *again = save(machine, &again_bytes);
    FUZZ_MUST(again_bytes == bytes);
    return again;
}

static void load_whole(struct fuzz_machine *machine, const uint8_t *before, size_t bytes)
{
    uint8_t *after = load_save(machine, before, bytes);

    if (memcmp(before, after, bytes) != 0) {
        FUZZ_MUST(differ_in_pages_alone(before, after, bytes));
        uint8_t *again = load_save(machine, after, bytes);
        FUZZ_MUST(memcmp(after, again, bytes) == 0);
        free(again);
    }
    free(after);
}

void fuzz_save_load(struct fuzz_machine *machine, uint64_t damage)
{
    size_t before_bytes;
    uint8_t race = machine->race;

    machine->race = 0;
    uint8_t *before = save(machine, &before_bytes);
    if (damage)
        load_damaged(machine, before, before_bytes, damage);
    else
        load_whole(machine, before, before_bytes);
    FUZZ_MUST(machine->nr_pinned == 0);
    free(before);
    machine->race = race;
}
