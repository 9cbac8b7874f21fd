/*
 * Save and load. See save.h for the stream, docs/save-format.md for its text.
 *
 * Order: clock, the guest's crash if there was one, the string store, overlay pages (their contents are in guest RAM
 * already, so only what lies beneath is put back), then each phase: the saved MSR rows of every vCPU, then the
 * personality's own records. Load takes records as they come and replays MSRs through the guest's own setters.
 */
#include "core.h"

enum { CORE_CLOCK = 1, CORE_CRASH, CORE_STORE };        /* ids of personality 0 */
enum { RECORD_MSR = 0xff00, RECORD_OVERLAY = 0xff01 };  /* ids that the core uses in every personality's name */
#define VP_NONE UINT32_MAX                              /* an overlay of the VM */

struct stream_record {
    uint32_t personality;
    uint16_t id;
    uint16_t version;
    uint32_t vp;
    uint32_t bytes;
};
HVS_STATIC_ASSERT(sizeof(struct stream_record) == 16, "a record header is 16 bytes");

struct saved_msr {
    uint32_t index;
    uint32_t pad;
    uint64_t value;
};

struct saved_overlay {
    uint32_t index;
    uint32_t is_on;
    uint64_t gfn;
    uint8_t page[HVS_PAGE_BYTES];
};

void hvs_writer_append(struct hvs_writer *writer, const void *from, size_t bytes)
{
    if (writer->used <= writer->capacity && bytes <= writer->capacity - writer->used)
        memcpy(writer->buffer + writer->used, from, bytes);
    writer->used += bytes;
}

void hvs_writer_begin(struct hvs_writer *writer, uint16_t id, uint16_t version, uint32_t bytes)
{
    const struct stream_record record = {writer->personality, id, version, writer->vp, bytes};

    hvs_writer_append(writer, &record, sizeof(record));
}

/* Records begin at multiples of 8: so does the first. */
void hvs_writer_end(struct hvs_writer *writer)
{
    static const uint8_t zeros[8];

    hvs_writer_append(writer, zeros, -writer->used & 7);
}

void hvs_writer_put(struct hvs_writer *writer, uint16_t id, uint16_t version, const void *payload, uint32_t bytes)
{
    hvs_writer_begin(writer, id, version, bytes);
    hvs_writer_append(writer, payload, bytes);
    hvs_writer_end(writer);
}

int hvs_record_get(const struct hvs_record *record, void *into, size_t bytes)
{
    if (record->bytes > bytes)
        return HVS_EFORMAT;
    memset(into, 0, bytes);
    memcpy(into, record->payload, record->bytes);
    return HVS_OK;
}

static bool is_zero(const uint8_t *byte, size_t bytes)
{
    return bytes == 0 || (byte[0] == 0 && memcmp(byte, byte + 1, bytes - 1) == 0);
}

/* --- save --------------------------------------------------------------------------------------------------------- */

static void save_overlay(struct hvs_writer *writer, uint32_t index, const struct hvs_overlay *overlay)
{
    struct saved_overlay saved = {.index = index, .is_on = overlay->is_on, .gfn = overlay->is_on ? overlay->gfn : 0};

    memcpy(saved.page, overlay->page, sizeof(saved.page));
    hvs_writer_put(writer, RECORD_OVERLAY, 1, &saved, sizeof(saved));
}

/* Is it in no list of those that are on, but to be saved? */
static bool is_saved_apart(const struct hvs_overlay *overlay)
{
    return overlay->is_bare || (!overlay->is_on && !is_zero(overlay->page, HVS_PAGE_BYTES));
}

/* Saves those of `overlay` that are `wanted`, or, where `wanted` is NULL, those that are off but have contents. */
static void save_overlays_of(struct hvs_writer *writer, const struct hvs_overlay *overlay, uint32_t nr,
                             const struct hvs_overlay *wanted)
{
    for (uint32_t i = 0; i < nr; i++) {
        if (wanted ? &overlay[i] == wanted : is_saved_apart(&overlay[i]))
            save_overlay(writer, i, &overlay[i]);
    }
}

static void save_overlays(struct hvs_vm *vm, struct hvs_writer *writer, const struct hvs_overlay *wanted)
{
    for (uint32_t s = 0; s < vm->config.nr_slots; s++) {
        const struct hvs_personality *p = vm->slot[s].personality;

        writer->personality = p->id;
        writer->vp = VP_NONE;
        save_overlays_of(writer, vm->slot[s].overlay, p->nr_vm_overlays, wanted);
        for (uint32_t vp = 0; vp < vm->config.nr_vps; vp++) {
            writer->vp = vp;
            save_overlays_of(writer, vm->vcpu[vp].slot[s].overlay, p->nr_vcpu_overlays, wanted);
        }
    }
}

/* Oldest first, so that load lays them in the same order. */
static void save_overlays_on(struct hvs_vm *vm, struct hvs_writer *writer)
{
    const struct hvs_overlay *last = NULL;

    while (vm->overlays != last) {
        const struct hvs_overlay *o = vm->overlays;

        while (o->below != last)
            o = o->below;
        save_overlays(vm, writer, o);
        last = o;
    }
}

static void save_crash(struct hvs_vm *vm, struct hvs_writer *writer)
{
    const uint32_t bytes = (uint32_t)offsetof(struct hvs_crash, message) + vm->crash.message_bytes;

    if (vm->has_crashed)
        hvs_writer_put(writer, CORE_CRASH, 1, &vm->crash, bytes);
}

static void save_store(const struct hvs_vm *vm, struct hvs_writer *writer)
{
    if (vm->store.nr_entries == 0)
        return;
    hvs_writer_begin(writer, CORE_STORE, 1, hvs_store_saved_bytes(&vm->store));
    hvs_store_save(&vm->store, writer);
    hvs_writer_end(writer);
}

static void save_msr_row(struct hvs_ctx *ctx, const struct hvs_msr_row *row, struct hvs_writer *writer)
{
    for (uint32_t index = row->first; index <= row->last; index++) {
        struct saved_msr saved = {.index = index};

        if (row->read && row->read(ctx, index, &saved.value) == HVS_HANDLED)
            hvs_writer_put(writer, RECORD_MSR, 1, &saved, sizeof(saved));
    }
}

static int save_phase(struct hvs_ctx *ctx, enum hvs_phase phase, struct hvs_writer *writer)
{
    const struct hvs_slot *slot = &ctx->vm->slot[ctx->slot];
    const struct hvs_personality *p = slot->personality;

    writer->personality = p->id;
    writer->vp = ctx->vp;
    for (uint32_t i = 0; i < p->nr_msr; i++) {
        const struct hvs_msr_row *row = &p->msr[i];

        if (row->save != phase || !hvs_slot_row_is_live(slot, row->feature))
            continue;
        if (row->scope == HVS_SCOPE_VCPU || ctx->vp == 0)
            save_msr_row(ctx, row, writer);
    }
    return p->save ? p->save(ctx, phase, writer) : HVS_OK;
}

static int save_all_phases(struct hvs_vm *vm, struct hvs_writer *writer, struct hvs_outcome *scratch)
{
    int err = HVS_OK;

    for (uint32_t phase = HVS_PHASE_CONTROL; phase < HVS_NR_PHASES; phase++) {
        for (uint32_t vp = 0; vp < vm->config.nr_vps; vp++) {
            for (uint8_t s = 0; !err && s < vm->config.nr_slots; s++) {
                struct hvs_ctx ctx = hvs_ctx_make(&vm->vcpu[vp], s);

                ctx.from_host = true;
                ctx.out = scratch;
                err = save_phase(&ctx, phase, writer);
            }
        }
    }
    return err;
}

int hvs_vm_save(struct hvs_vm *vm, void *buffer, size_t bytes, size_t *used)
{
    struct hvs_writer writer = {.buffer = buffer, .capacity = bytes, .used = sizeof(struct hvs_save_header)};
    struct hvs_outcome scratch = {.nr_effects = 0};
    const uint64_t age_ns = hvs_vm_now_ns(vm);
    int err;

    hvs_writer_put(&writer, CORE_CLOCK, 1, &age_ns, sizeof(age_ns));
    save_crash(vm, &writer);
    save_store(vm, &writer);
    save_overlays(vm, &writer, NULL);
    save_overlays_on(vm, &writer);
    err = save_all_phases(vm, &writer, &scratch);
    if (err)
        return err;
    *used = writer.used;
    if (writer.used > bytes || writer.used > UINT32_MAX)
        return HVS_ENOSPC;

    const struct hvs_save_header header = {
        .magic = HVS_SAVE_MAGIC,
        .version = HVS_SAVE_VERSION,
        .nr_vps = vm->config.nr_vps,
        .bytes = (uint32_t)writer.used,
    };

    memcpy(buffer, &header, sizeof(header));
    return HVS_OK;
}

/* --- load --------------------------------------------------------------------------------------------------------- */

/* The record at `at`; advances it. HVS_EFORMAT where it does not fit. */
static int next_record(const uint8_t *stream, size_t bytes, size_t *at, struct hvs_record *record)
{
    struct stream_record head;

    if (bytes - *at < sizeof(head))
        return HVS_EFORMAT;
    memcpy(&head, stream + *at, sizeof(head));
    *at += sizeof(head);

    size_t padded = ((size_t)head.bytes + 7) & ~(size_t)7;

    if (bytes - *at < padded || !is_zero(stream + *at + head.bytes, padded - head.bytes))
        return HVS_EFORMAT;
    *record = (struct hvs_record){head.personality, head.id, head.version, head.vp, head.bytes, stream + *at};
    *at += padded;
    return HVS_OK;
}

static int check_stream(const struct hvs_vm *vm, const uint8_t *stream, size_t bytes)
{
    struct hvs_save_header header;
    struct hvs_record record;
    size_t at = sizeof(header);
    int err = HVS_OK;

    if (bytes < sizeof(header))
        return HVS_EFORMAT;
    memcpy(&header, stream, sizeof(header));
    if (header.magic != HVS_SAVE_MAGIC || header.bytes != bytes || header.nr_vps != vm->config.nr_vps)
        return HVS_EFORMAT;
    if (header.version != HVS_SAVE_VERSION)
        return HVS_EVERSION;
    while (!err && at < bytes)
        err = next_record(stream, bytes, &at, &record);
    return err;
}

static int load_clock(struct hvs_vm *vm, const struct hvs_record *record)
{
    uint64_t age_ns;

    if (hvs_record_get(record, &age_ns, sizeof(age_ns)))
        return HVS_EFORMAT;
    return hvs_vm_start_clock_at(vm, age_ns);
}

static int load_crash(struct hvs_vm *vm, const struct hvs_record *record)
{
    if (hvs_record_get(record, &vm->crash, sizeof(vm->crash)))
        return HVS_EFORMAT;
    if (vm->crash.message_bytes > sizeof(vm->crash.message))
        return HVS_EFORMAT;
    vm->has_crashed = true;
    return HVS_OK;
}

static int load_in_core(struct hvs_vm *vm, const struct hvs_record *record)
{
    switch (record->id) {
    case CORE_CLOCK:
        return load_clock(vm, record);
    case CORE_CRASH:
        return load_crash(vm, record);
    case CORE_STORE:
        return hvs_store_load(&vm->store, record->payload, record->bytes);
    default:
        return HVS_OK;
    }
}

static int load_overlay(struct hvs_ctx *ctx, const struct hvs_record *record)
{
    const struct hvs_personality *p = ctx->vm->slot[ctx->slot].personality;
    bool is_of_vm = record->vp == VP_NONE;
    struct saved_overlay saved;

    if (hvs_record_get(record, &saved, sizeof(saved)))
        return HVS_EFORMAT;
    if (saved.index >= (is_of_vm ? p->nr_vm_overlays : p->nr_vcpu_overlays) || saved.is_on > 1)
        return HVS_EFORMAT;

    struct hvs_overlay *overlay =
        is_of_vm ? hvs_vm_overlay(ctx, saved.index) : hvs_vcpu_overlay(ctx, ctx->vp, saved.index);

    hvs_vm_lock(ctx);
    hvs_overlay_restore(ctx->vm, overlay, saved.is_on, saved.gfn, saved.page);
    hvs_vm_unlock(ctx);
    return HVS_OK;
}

static int load_msr(struct hvs_ctx *ctx, const struct hvs_record *record)
{
    enum hvs_verdict verdict = HVS_HANDLED;
    const struct hvs_msr_row *row;
    struct saved_msr saved;

    if (hvs_record_get(record, &saved, sizeof(saved)) || saved.pad)
        return HVS_EFORMAT;
    row = hvs_msr_row_find(&ctx->vm->slot[ctx->slot], saved.index);
    if (!row || row->save == HVS_PHASE_NONE || !row->write)
        return HVS_EFORMAT;
    if (saved.value & row->reserved)
        return HVS_EFORMAT;
    if (row->scope == HVS_SCOPE_VM)
        hvs_vm_lock(ctx);
    verdict = row->write(ctx, saved.index, saved.value);
    if (row->scope == HVS_SCOPE_VM)
        hvs_vm_unlock(ctx);
    return verdict == HVS_HANDLED ? HVS_OK : HVS_EFORMAT;
}

static int load_in_slot(struct hvs_vm *vm, uint8_t slot, const struct hvs_record *record)
{
    uint32_t vp = record->vp == VP_NONE ? 0 : record->vp;
    struct hvs_outcome scratch = {.nr_effects = 0};

    if (vp >= vm->config.nr_vps)
        return HVS_EFORMAT;

    struct hvs_ctx ctx = hvs_ctx_make(&vm->vcpu[vp], slot);

    ctx.from_host = true;
    ctx.out = &scratch;
    if (record->id == RECORD_MSR)
        return load_msr(&ctx, record);
    if (record->id == RECORD_OVERLAY)
        return load_overlay(&ctx, record);

    int (*load)(struct hvs_ctx *, const struct hvs_record *) = vm->slot[slot].personality->load;

    return load ? load(&ctx, record) : HVS_OK;
}

static int load_record(struct hvs_vm *vm, const struct hvs_record *record)
{
    if (record->personality == 0)
        return load_in_core(vm, record);
    for (uint8_t s = 0; s < vm->config.nr_slots; s++) {
        if (vm->slot[s].personality->id == record->personality)
            return load_in_slot(vm, s, record);
    }
    return HVS_EFORMAT;
}

static void reset_all(struct hvs_vm *vm)
{
    for (uint32_t vp = 0; vp < vm->config.nr_vps; vp++)
        hvs_vcpu_reset(&vm->vcpu[vp], NULL);
}

int hvs_vm_load(struct hvs_vm *vm, const void *buffer, size_t bytes)
{
    const uint64_t ns_bias = vm->ns_bias;
    const struct hvs_clock clock = vm->clock;
    size_t at = sizeof(struct hvs_save_header);
    int err = check_stream(vm, buffer, bytes);

    if (err)
        return err;
    hvs_store_clear(&vm->store);
    while (!err && at < bytes) {
        struct hvs_record record;

        err = next_record(buffer, bytes, &at, &record);
        if (!err)
            err = load_record(vm, &record);
    }
    if (err) {
        vm->ns_bias = ns_bias;
        vm->clock = clock;
        hvs_store_clear(&vm->store);
        reset_all(vm);
        return err;
    }
    hvs_vm_clock_moved(vm);     /* pages that were not there yet when the clock's record came */
    return HVS_OK;
}
