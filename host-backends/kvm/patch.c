/*
 * Raw hypercalls on a kernel that does not show them: the guest's 3-byte VMCALL and VMMCALL become OUT imm8,AL and NOP.
 *
 * Linux issues all its Xen hypercalls from one pair of functions (XSA-466). A kernel that was loaded uncompressed is
 * patched where it lies. One that unpacks itself is patched when it first writes GS_BASE from kernel space, which it
 * does before its first hypercall: the MSR filter shows that write, once. A guest without such a pair loses nothing.
 */
#include "patch.h"

#include "backend.h"

#include <string.h>

#define KERNEL_SPACE 0xffffffff80000000ull
#define NEAR_BYTES (64ull << 20)        /* a kernel's image lies around its entry */
#define FAR_BYTES (1ull << 30)          /* elsewhere, no more than this is searched: it stops the guest for so long */

enum { INSN_BYTES = 3, RET = 0xc3, JMP_REL32 = 0xe9, JMP_BYTES = 5 };

static bool is_hypercall(const uint8_t *at)
{
    return at[0] == 0x0f && at[1] == 0x01 && (at[2] == 0xc1 || at[2] == 0xd9);
}

/* Where the return behind `at` goes, relative to `base`; false when there is no return. */
static bool return_target(const uint8_t *base, const uint8_t *at, uint32_t *target)
{
    uint32_t relative;

    at += INSN_BYTES;
    *target = UINT32_MAX;
    if (*at == RET)
        return true;
    if (*at != JMP_REL32)
        return false;
    memcpy(&relative, at + 1, sizeof(relative));
    *target = (uint32_t)(at - base) + JMP_BYTES + relative;
    return true;
}

static bool is_pair(const uint8_t *a, const uint8_t *b)
{
    uint32_t target_a, target_b;

    return is_hypercall(b) && a[2] != b[2] && a[INSN_BYTES] == b[INSN_BYTES] && return_target(a, a, &target_a) &&
           return_target(a, b, &target_b) && target_a == target_b;
}

static uint8_t *find_second(uint8_t *a, const uint8_t *end)
{
    for (size_t distance = 16; distance <= 64; distance *= 2) {
        if (distance + INSN_BYTES + JMP_BYTES <= (size_t)(end - a) && is_pair(a, a + distance))
            return a + distance;
    }
    return NULL;
}

uint32_t hvs_kvm_patch_text(uint8_t *text, size_t bytes)
{
    static const uint8_t out[INSN_BYTES] = {0xe6, HVS_KVM_PORT_RAW, 0x90};
    uint8_t *end = text + bytes;
    uint32_t nr_pairs = 0;

    for (uint8_t *a = text; end - a >= INSN_BYTES; a++) {
        a = memmem(a, (size_t)(end - a), "\x0f\x01", 2);
        if (!a || end - a < INSN_BYTES)
            break;

        uint8_t *b = is_hypercall(a) ? find_second(a, end) : NULL;

        if (!b)
            continue;
        memcpy(a, out, sizeof(out));
        memcpy(b, out, sizeof(out));
        nr_pairs++;
    }
    return nr_pairs;
}

/* Patches what lies in [gpa, gpa + bytes), region by region. Counts down *budget. */
static uint32_t patch_memory(struct hvs_kvm *kvm, uint64_t gpa, uint64_t bytes, uint64_t *budget)
{
    struct hvs_kvm_memory *memory = &kvm->memory;
    uint64_t last = bytes - 1 > UINT64_MAX - gpa ? UINT64_MAX : gpa + (bytes - 1);
    uint32_t nr_pairs = 0;

    pthread_rwlock_rdlock(&memory->lock);
    for (size_t i = 0; i < memory->nr_regions; i++) {
        struct hvs_kvm_region *r = &memory->region[i];
        uint64_t r_last = r->gpa + (r->bytes - 1);
        uint64_t from = r->gpa > gpa ? r->gpa : gpa;
        uint64_t to = r_last < last ? r_last : last;

        if (from > to || *budget == 0)
            continue;

        uint64_t size = to - from + 1 < *budget ? to - from + 1 : *budget;
        uint32_t nr = hvs_kvm_patch_text(r->host + (from - r->gpa), size);

        if (nr > 0)
            hvs_kvm_mark_dirty(r, from, size);  /* rare, so it does not matter which page it was */
        nr_pairs += nr;
        *budget -= size;
    }
    pthread_rwlock_unlock(&memory->lock);
    atomic_fetch_add(&kvm->patch.nr_pairs, nr_pairs);
    return nr_pairs;
}

/* Returns the number of pairs. */
static uint32_t patch_running_kernel(struct hvs_kvm_vcpu *vcpu, uint64_t rip)
{
    struct kvm_translation at = {.linear_address = rip};
    uint64_t budget = FAR_BYTES, from;
    uint32_t nr_pairs;

    if (ioctl(vcpu->fd, KVM_TRANSLATE, &at) < 0 || !at.valid)
        at.physical_address = 0;
    from = at.physical_address > NEAR_BYTES ? at.physical_address - NEAR_BYTES : 0;
    nr_pairs = patch_memory(vcpu->kvm, from, 2 * NEAR_BYTES, &budget);
    return nr_pairs ? nr_pairs : patch_memory(vcpu->kvm, 0, UINT64_MAX, &budget);
}

void hvs_kvm_gs_base_written(struct hvs_kvm_vcpu *vcpu)
{
    struct hvs_kvm_patch *patch = &vcpu->kvm->patch;
    struct kvm_run *run = vcpu->run;

    run->msr.error = hvs_kvm_msr_set(vcpu->fd, HVS_KVM_MSR_GS_BASE, run->msr.data) != HVS_OK;
    if (run->s.regs.regs.rip < KERNEL_SPACE)
        return;
    pthread_mutex_lock(&patch->lock);
    if (patch->is_armed) {
        patch_running_kernel(vcpu, run->s.regs.regs.rip);
        patch->is_armed = false;
        hvs_kvm_filter_install(vcpu->kvm, false);
    }
    pthread_mutex_unlock(&patch->lock);
}

int hvs_kvm_image_loaded(struct hvs_kvm *kvm, uint64_t gpa, uint64_t bytes)
{
    uint64_t budget = UINT64_MAX;
    uint32_t nr_pairs = 0;

    if (!kvm->patch.is_needed || bytes == 0)
        return 0;
    pthread_mutex_lock(&kvm->patch.lock);
    nr_pairs = patch_memory(kvm, gpa, bytes, &budget);
    if (nr_pairs > 0 && kvm->patch.is_armed) {
        kvm->patch.is_armed = false;
        if (kvm->is_started)
            hvs_kvm_filter_install(kvm, false);
    }
    pthread_mutex_unlock(&kvm->patch.lock);
    return (int)nr_pairs;
}

int hvs_kvm_patch_again(struct hvs_kvm_vcpu *vcpu, bool is_under_way)
{
    struct hvs_kvm_patch *patch = &vcpu->kvm->patch;
    struct kvm_regs regs;
    int err = HVS_OK;

    if (!patch->is_needed)
        return HVS_OK;
    pthread_mutex_lock(&patch->lock);
    patch->is_armed = !is_under_way || ioctl(vcpu->fd, KVM_GET_REGS, &regs) < 0 ||
                      patch_running_kernel(vcpu, regs.rip) == 0;
    err = hvs_kvm_filter_install(vcpu->kvm, patch->is_armed);
    pthread_mutex_unlock(&patch->lock);
    return err;
}

uint32_t hvs_kvm_patched_pairs(const struct hvs_kvm *kvm)
{
    return atomic_load(&kvm->patch.nr_pairs);
}
