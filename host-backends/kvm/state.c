/*
 * A saved state, before it is loaded: whose it is. The stream's text is docs/save-format.md.
 *
 * Left out: features. A state with MSRs that the VM does not have is found when it is loaded.
 */
#include "backend.h"

#include <hvshim/personality.h>
#include <hvshim/save.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

struct record_head {
    uint32_t personality;
    uint16_t id, version;
    uint32_t vp, bytes;
};

static bool presents(const struct hvs_kvm *kvm, uint32_t personality)
{
    for (uint32_t slot = 0; slot < kvm->config.vm.nr_slots; slot++) {
        if (kvm->config.vm.slot[slot].personality->id == personality)
            return true;
    }
    return personality == 0;    /* the core */
}

static void say_foreign(uint32_t personality, char *why, size_t why_bytes)
{
    char name[5] = "";

    for (uint32_t i = 0; i < 4; i++) {
        uint8_t letter = (uint8_t)(personality >> 8 * i);

        name[i] = (char)(isprint(letter) ? letter : '?');
    }
    snprintf(why, why_bytes, "the state has a part of '%s', which this VM does not present", name);
}

/* The record at *at, which it steps over. False at the end; what is damaged otherwise is found by hvs_vm_load. */
static bool next_record(const uint8_t *state, size_t bytes, size_t *at, struct hvs_record *record)
{
    struct record_head head;

    if (bytes - *at < sizeof(head))
        return false;
    memcpy(&head, state + *at, sizeof(head));
    *at += sizeof(head);
    *record = (struct hvs_record){head.personality, head.id, head.version, head.vp, head.bytes, state + *at};
    if (bytes - *at < ((uint64_t)head.bytes + 7) / 8 * 8)
        return false;
    *at += ((size_t)head.bytes + 7) / 8 * 8;
    return true;
}

static bool has_foreign(const struct hvs_kvm *kvm, const uint8_t *state, size_t bytes, char *why, size_t why_bytes)
{
    struct hvs_record record;

    for (size_t at = sizeof(struct hvs_save_header); next_record(state, bytes, &at, &record);) {
        if (!presents(kvm, record.personality)) {
            say_foreign(record.personality, why, why_bytes);
            return true;
        }
    }
    return false;
}

bool hvs_kvm_find_record(const void *state, size_t bytes, struct hvs_record *record)
{
    const struct hvs_record wanted = *record;

    for (size_t at = sizeof(struct hvs_save_header); next_record(state, bytes, &at, record);) {
        if (record->personality == wanted.personality && record->id == wanted.id)
            return true;
    }
    return false;
}

bool hvs_kvm_is_foreign_state(struct hvs_kvm *kvm, const void *state, size_t bytes, char *why, size_t why_bytes)
{
    struct hvs_save_header header = {0};

    if (bytes >= sizeof(header))
        memcpy(&header, state, sizeof(header));
    if (header.magic != HVS_SAVE_MAGIC)
        snprintf(why, why_bytes, "it is no state of hvshim");
    else if (header.version != HVS_SAVE_VERSION)
        snprintf(why, why_bytes, "the state's format is %u, and %u is known here", header.version, HVS_SAVE_VERSION);
    else if (header.bytes != bytes)
        snprintf(why, why_bytes, "the state is not whole: %zu bytes of %u", bytes, header.bytes);
    else if (header.nr_vps != kvm->config.vm.nr_vps)
        snprintf(why, why_bytes, "the state is of a VM with %u vCPUs, and this one has %u (with those that --max-cpus "
                 "leaves room for)", header.nr_vps, kvm->config.vm.nr_vps);
    else
        return has_foreign(kvm, state, bytes, why, why_bytes);
    return true;
}
