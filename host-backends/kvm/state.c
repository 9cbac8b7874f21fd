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

/* Walks the records. What is damaged otherwise is found by hvs_vm_load. */
static bool has_foreign(const struct hvs_kvm *kvm, const uint8_t *state, size_t bytes, char *why, size_t why_bytes)
{
    struct record_head head;

    for (size_t at = sizeof(struct hvs_save_header); bytes - at >= sizeof(head);) {
        memcpy(&head, state + at, sizeof(head));
        at += sizeof(head);
        if (!presents(kvm, head.personality)) {
            say_foreign(head.personality, why, why_bytes);
            return true;
        }
        if (bytes - at < ((uint64_t)head.bytes + 7) / 8 * 8)
            break;
        at += ((size_t)head.bytes + 7) / 8 * 8;
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
