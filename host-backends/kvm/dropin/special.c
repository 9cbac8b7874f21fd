/*
 * The pages of Xen's rings (docs/xen.md, "Special pages") under a VMM that has none for them: a memory slot of ours, at
 * a frame where no PC has anything. Where the VMM has memory there all the same, its guests have no xenstore.
 *
 * They are not in the RAM that the VMM saves, so they go into the state beside it, as a record behind all others.
 */
#include "dropin.h"

#include "../backend.h"

#include <hvshim/save.h>
#include <hvshim/translators.h>

#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define GPA ((uint64_t)HVS_XEN_SPECIAL_GFN << HVS_PAGE_SHIFT)

struct saved_pages {
    uint64_t gfn;
    uint8_t page[HVS_XEN_NR_SPECIAL_PAGES][HVS_PAGE_BYTES];
};

static struct hvs_slot_config *find_xen(struct hvs_vm_config *config)
{
    for (uint32_t i = 0; i < config->nr_slots; i++) {
        if (config->slot[i].personality == &hvs_xen_personality)
            return &config->slot[i];
    }
    return NULL;
}

static int set_slot(const struct hvs_dropin_vm *vm, void *pages, uint64_t bytes)
{
    struct kvm_userspace_memory_region region = {
        .slot = hvs_kvm_own_slot(vm->kvm_fd, HVS_KVM_OWN_SPECIAL), .guest_phys_addr = GPA, .memory_size = bytes,
        .userspace_addr = (uintptr_t)pages,
    };

    return ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region);
}

static void *make_pages(const struct hvs_dropin_vm *vm)
{
    void *pages = mmap(NULL, HVS_DROPIN_SPECIAL_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (pages == MAP_FAILED)
        return NULL;
    if (set_slot(vm, pages, HVS_DROPIN_SPECIAL_BYTES) == 0)
        return pages;
    munmap(pages, HVS_DROPIN_SPECIAL_BYTES);
    return NULL;
}

void hvs_dropin_special_make(struct hvs_dropin_vm *vm, struct hvs_vm_config *config)
{
    struct hvs_dropin_special *special = &vm->special;
    struct hvs_slot_config *xen = find_xen(config);
    const struct hvs_xen_options *given = xen ? xen->options : NULL;

    if (!xen)
        return;
    if (given)
        memcpy(&special->options, given, given->size < sizeof(*given) ? given->size : sizeof(*given));
    if (special->options.special_gfn)
        return;                 /* the VMM has some of its own */
    special->pages = make_pages(vm);
    if (!special->pages)
        return;
    special->options.size = sizeof(special->options);
    special->options.special_gfn = HVS_XEN_SPECIAL_GFN;
    xen->options = &special->options;
}

int hvs_dropin_special_give(struct hvs_dropin_vm *vm)
{
    return vm->special.pages ? hvs_kvm_add_memory(vm->kvm, GPA, vm->special.pages, HVS_DROPIN_SPECIAL_BYTES) : HVS_OK;
}

void hvs_dropin_special_destroy(struct hvs_dropin_vm *vm)
{
    if (!vm->special.pages)
        return;
    set_slot(vm, NULL, 0);
    munmap(vm->special.pages, HVS_DROPIN_SPECIAL_BYTES);
}

/* --- in the state ------------------------------------------------------------------------------------------------- */

void hvs_dropin_special_save(const struct hvs_dropin_vm *vm, void *state, size_t room, size_t *bytes)
{
    struct hvs_writer writer = {.buffer = state, .capacity = room, .used = *bytes, .vp = UINT32_MAX};
    struct hvs_save_header header;
    struct saved_pages saved = {.gfn = HVS_XEN_SPECIAL_GFN};

    if (!vm->special.pages)
        return;
    memcpy(saved.page, vm->special.pages, sizeof(saved.page));
    hvs_writer_put(&writer, HVS_SAVE_HOST_PAGES, 1, &saved, sizeof(saved));
    *bytes = writer.used;
    memcpy(&header, state, sizeof(header));
    header.bytes = (uint32_t)writer.used;
    memcpy(state, &header, sizeof(header));
}

int hvs_dropin_special_load(struct hvs_dropin_vm *vm, const void *state, size_t bytes)
{
    struct hvs_record record = {.personality = 0, .id = HVS_SAVE_HOST_PAGES};
    struct saved_pages saved;

    if (!hvs_kvm_find_record(state, bytes, &record)) {
        if (vm->special.pages)
            memset(vm->special.pages, 0, HVS_DROPIN_SPECIAL_BYTES);
        return HVS_OK;
    }
    if (!vm->special.pages || hvs_record_get(&record, &saved, sizeof(saved)) || saved.gfn != HVS_XEN_SPECIAL_GFN)
        return HVS_EFORMAT;
    memcpy(vm->special.pages, saved.page, sizeof(saved.page));
    return HVS_OK;
}
