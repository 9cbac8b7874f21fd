/*
 * Memory slots: KVM_SET_USER_MEMORY_REGION and the dirty log.
 *
 * A VMM deletes slots and makes them again while vCPUs run (firmware that moves its shadow does it by the dozen). We
 * follow the kernel: between both calls there is no memory, for us as for the guest.
 *
 * Left out: address spaces but the first (SMM), and memory of which the host has no view (guest_memfd).
 */
#include "dropin.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define SPACE_SHIFT 16
#ifndef KVM_MEM_GUEST_MEMFD
#define KVM_MEM_GUEST_MEMFD (1u << 2)   /* Linux 6.8 */
#endif
#define LOW_RAM_GPA 0x100000ull         /* RAM goes on here behind what a PC has below 1 MiB */
#define HIGH_RAM_GPA 0x100000000ull

static struct hvs_dropin_slot *find(const struct hvs_dropin_slots *slots, uint32_t id)
{
    for (size_t i = 0; i < slots->nr; i++) {
        if (slots->slot[i].id == id)
            return &slots->slot[i];
    }
    return NULL;
}

/* Returns the slot `id`, or a new one of no bytes, or NULL where memory is short. */
static struct hvs_dropin_slot *find_or_make(struct hvs_dropin_slots *slots, uint32_t id)
{
    struct hvs_dropin_slot *slot = find(slots, id);

    if (slot)
        return slot;
    slot = realloc(slots->slot, (slots->nr + 1) * sizeof(*slot));
    if (!slot)
        return NULL;
    slots->slot = slot;
    slot[slots->nr] = (struct hvs_dropin_slot){.id = id};
    return &slot[slots->nr++];
}

static int give(struct hvs_dropin_vm *vm, const struct hvs_dropin_slot *slot)
{
    int err = HVS_OK;

    if (!vm->kvm || !slot->is_ram || slot->bytes == 0)
        return HVS_OK;
    err = hvs_kvm_add_memory(vm->kvm, slot->gpa, slot->host, slot->bytes);
    if (!err && slot->is_logged)
        err = hvs_kvm_log_dirty(vm->kvm, slot->gpa, true);
    return err;
}

/* Brings the library from `old` to `new`, without a gap where only the logging changes. */
static int change(struct hvs_dropin_vm *vm, const struct hvs_dropin_slot *old, const struct hvs_dropin_slot *new)
{
    bool is_same = old->gpa == new->gpa && old->bytes == new->bytes && old->host == new->host &&
                   old->is_ram == new->is_ram;

    if (!vm->kvm)
        return HVS_OK;
    if (is_same)
        return new->is_ram ? hvs_kvm_log_dirty(vm->kvm, new->gpa, new->is_logged) : HVS_OK;
    if (old->is_ram && old->bytes)
        hvs_kvm_remove_memory(vm->kvm, old->gpa);
    return give(vm, new);
}

static int note(struct hvs_dropin_vm *vm, const struct kvm_userspace_memory_region *region)
{
    const uint32_t not_ram = KVM_MEM_READONLY | KVM_MEM_GUEST_MEMFD;
    struct hvs_dropin_slot *slot = find_or_make(&vm->slots, region->slot);
    struct hvs_dropin_slot new = {
        .id = region->slot,
        .gpa = region->guest_phys_addr,
        .bytes = region->memory_size,
        .host = (uint8_t *)(uintptr_t)region->userspace_addr,
        .is_ram = !(region->flags & not_ram),
        .is_logged = region->flags & KVM_MEM_LOG_DIRTY_PAGES,
    };
    int err;

    if (!slot)
        return HVS_ENOSPC;
    err = change(vm, slot, &new);
    *slot = new;
    if (new.bytes == 0)
        *slot = vm->slots.slot[--vm->slots.nr];
    return err;
}

int hvs_dropin_slots_set(struct hvs_dropin_vm *vm, int fd, unsigned long request,
                         const struct kvm_userspace_memory_region *region)
{
    int answer, err = HVS_OK;

    if (region->slot >> SPACE_SHIFT)
        return ioctl(fd, request, region);
    pthread_mutex_lock(&vm->lock);
    answer = ioctl(fd, request, region);
    if (answer == 0)
        err = note(vm, region);
    pthread_mutex_unlock(&vm->lock);
    if (err)
        return hvs_dropin_fail(&vm->config, "cannot follow memory slot %u: %s", region->slot, hvs_strerror(err));
    return answer;
}

int hvs_dropin_slots_get_dirty(struct hvs_dropin_vm *vm, int fd, struct kvm_dirty_log *log)
{
    const struct hvs_dropin_slot *slot;
    int answer;

    pthread_mutex_lock(&vm->lock);
    answer = ioctl(fd, KVM_GET_DIRTY_LOG, log);
    slot = answer == 0 ? find(&vm->slots, log->slot) : NULL;
    if (slot && slot->is_ram && vm->kvm)
        hvs_kvm_get_dirty(vm->kvm, slot->gpa, !vm->slots.is_cleared_by_hand, log->dirty_bitmap);
    pthread_mutex_unlock(&vm->lock);
    return answer;
}

int hvs_dropin_slots_clear_dirty(struct hvs_dropin_vm *vm, int fd, struct kvm_clear_dirty_log *log)
{
    const struct hvs_dropin_slot *slot;
    int answer;

    pthread_mutex_lock(&vm->lock);
    slot = find(&vm->slots, log->slot);
    if (slot && slot->is_ram && vm->kvm)
        hvs_kvm_clear_dirty(vm->kvm, slot->gpa, log->first_page, log->num_pages, log->dirty_bitmap);
    answer = ioctl(fd, KVM_CLEAR_DIRTY_LOG, log);
    pthread_mutex_unlock(&vm->lock);
    return answer;
}

int hvs_dropin_slots_give(struct hvs_dropin_vm *vm)
{
    int err = HVS_OK;

    for (size_t i = 0; !err && i < vm->slots.nr; i++)
        err = give(vm, &vm->slots.slot[i]);
    return err;
}

/* Where RAM ends that goes on without a hole from `gpa`; `gpa` itself where there is none. */
static uint64_t end_of_ram(const struct hvs_dropin_slots *slots, uint64_t gpa)
{
    for (size_t i = 0; i < slots->nr; i++) {
        const struct hvs_dropin_slot *slot = &slots->slot[i];

        if (!slot->is_ram || gpa < slot->gpa || gpa - slot->gpa >= slot->bytes)
            continue;
        gpa = slot->gpa + slot->bytes;
        i = (size_t)-1;         /* again from the first: they are in no order */
    }
    return gpa;
}

uint64_t hvs_dropin_slots_memory_bytes(const struct hvs_dropin_slots *slots)
{
    uint64_t low = end_of_ram(slots, LOW_RAM_GPA);

    if (low == LOW_RAM_GPA)
        low = end_of_ram(slots, 0);
    return low >= HIGH_RAM_GPA ? low : low + end_of_ram(slots, HIGH_RAM_GPA) - HIGH_RAM_GPA;
}
