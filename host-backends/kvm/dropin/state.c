/*
 * The state of what is presented, for a VMM whose own stream does not have it: saved and loaded beside it, while the
 * VMM has stopped the machine.
 *
 * No VMM says when it does. It has where no vCPU has been in KVM_RUN for a while; from then on they are kept out, by
 * the VM's lock, until all is done. One that handles an exit of its own takes less than that.
 */
#include "dropin.h"

#include "../backend.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { STILL_NS = 100000000 };
/* What other threads have left for a vCPU, and the state does not have. Flushes are not needed, timers are in it. */
enum { UNSAVED_WORK = HVS_KVM_WORK_START | HVS_KVM_WORK_STOP | HVS_KVM_WORK_WAKE | HVS_KVM_WORK_PAST_APIC };

struct words {
    char *text;
    size_t bytes;
};

static int say(const struct words *why, int err, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int say(const struct words *why, int err, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    vsnprintf(why->text, why->bytes, format, list);
    va_end(list);
    return err;
}

/* --- a machine that stands still ---------------------------------------------------------------------------------- */

/* How often vCPUs have run; *runs: one does now. VM's lock held. */
static uint64_t count_runs(const struct hvs_dropin_vm *vm, bool *runs)
{
    uint64_t nr = 0;

    *runs = false;
    for (uint32_t vp = 0; vp < vm->nr_vcpus; vp++) {
        nr += atomic_load(&vm->vcpu[vp]->nr_runs);
        *runs |= atomic_load(&vm->vcpu[vp]->is_running);
    }
    return nr;
}

static bool has_unsaved_work(const struct hvs_dropin_vm *vm)
{
    for (uint32_t vp = 0; vp < vm->nr_vcpus; vp++) {
        struct hvs_kvm_vcpu *shim = vm->vcpu[vp]->shim;

        if (shim && (atomic_load(&shim->work) & UNSAVED_WORK || hvs_kvm_has_past_apic(shim)))
            return true;
    }
    return false;
}

static int check(const struct hvs_dropin_vm *vm, const struct words *why)
{
    if (vm && vm->has_interface)
        return say(why, HVS_ENOTSUP, "with --kernel-interface the VMM saves all of it by itself");
    if (!vm)
        return say(why, HVS_ENOTSUP, "this VMM cannot be stopped, and has nothing that restores its guest");
    return vm->has_failed ? say(why, HVS_EINVAL, "what it presents could not be started") : HVS_OK;
}

/* VM's lock held. */
static int keep_out(struct hvs_dropin_vm *vm, const struct words *why)
{
    const struct timespec still = {.tv_nsec = STILL_NS};
    uint64_t before, after;
    bool runs;

    before = count_runs(vm, &runs);
    if (!runs) {
        pthread_mutex_unlock(&vm->lock);
        nanosleep(&still, NULL);
        pthread_mutex_lock(&vm->lock);
    }
    atomic_store(&vm->is_held, true);
    after = count_runs(vm, &runs);
    if (!runs && before == after)
        return HVS_OK;
    atomic_store(&vm->is_held, false);
    return say(why, HVS_EBUSY, "the guest runs: stop it first (QEMU's monitor: stop)");
}

/* HVS_OK: no vCPU runs, and the VM's lock is held, until let_go. */
static int hold(struct hvs_dropin_vm *vm, const struct words *why)
{
    int err = check(vm, why);

    if (err)
        return err;
    pthread_mutex_lock(&vm->lock);
    err = keep_out(vm, why);
    if (err)
        pthread_mutex_unlock(&vm->lock);
    return err;
}

static void let_go(struct hvs_dropin_vm *vm)
{
    atomic_store(&vm->is_held, false);
    pthread_mutex_unlock(&vm->lock);
}

/* --- save ------------------------------------------------------------------------------------------------------- */

static int write_state(const struct hvs_dropin_vm *vm, void **state, size_t *bytes)
{
    struct hvs_vm *core = hvs_kvm_vm(vm->kvm);
    int err = hvs_vm_save(core, NULL, 0, bytes);
    size_t room = *bytes + HVS_DROPIN_SPECIAL_SAVED_BYTES;

    if (err != HVS_ENOSPC)
        return err;
    *state = malloc(room);
    err = *state ? hvs_vm_save(core, *state, *bytes, bytes) : HVS_ENOSPC;
    if (!err)
        hvs_dropin_special_save(vm, *state, room, bytes);
    return err;
}

static int save(struct hvs_dropin_vm *vm, void **state, size_t *bytes, const struct words *why)
{
    int err = HVS_OK;

    if (has_unsaved_work(vm))
        return say(why, HVS_EBUSY, "vCPUs were stopped while they had to do with each other: let the guest run, stop "
                   "it once more, and save all of it then");
    if (atomic_load(&vm->needs_reset))
        err = hvs_dropin_vm_reset(vm);
    if (!err)
        err = write_state(vm, state, bytes);
    return err ? say(why, err, "%s", hvs_strerror(err)) : HVS_OK;
}

int hvs_kvm_dropin_save(struct hvs_kvm *kvm, void **state, size_t *bytes, char *why, size_t why_bytes)
{
    struct hvs_dropin_vm *vm = hvs_dropin_vm_of(kvm);
    const struct words words = {why, why_bytes};
    int err = hold(vm, &words);

    *state = NULL;
    if (err)
        return err;
    err = save(vm, state, bytes, &words);
    let_go(vm);
    return err;
}

/* --- load ------------------------------------------------------------------------------------------------------- */

int hvs_dropin_state_load(struct hvs_dropin_vm *vm, const void *state, size_t bytes, char *why, size_t why_bytes)
{
    const struct words words = {why, why_bytes};
    int err;

    if (hvs_kvm_is_foreign_state(vm->kvm, state, bytes, why, why_bytes))
        return HVS_EFORMAT;
    if (hvs_dropin_special_load(vm, state, bytes))
        return say(&words, HVS_EFORMAT, "the state has the pages of Xen's rings, for which there is no room here");
    err = hvs_kvm_load(vm->kvm, state, bytes);
    atomic_store(&vm->stop, 0);
    atomic_store(&vm->needs_reset, false);      /* the VMM puts the machine to power-on before it loads its own part */
    if (!err)
        return HVS_OK;
    return say(&words, err, "%s", err == HVS_EFORMAT ? "the state is damaged, or of a VM with other features (--set)" :
                                                     hvs_strerror(err));
}

int hvs_kvm_dropin_load(struct hvs_kvm *kvm, const void *state, size_t bytes, char *why, size_t why_bytes)
{
    struct hvs_dropin_vm *vm = hvs_dropin_vm_of(kvm);
    const struct words words = {why, why_bytes};
    int err = hold(vm, &words);

    if (err)
        return err;
    err = hvs_dropin_state_load(vm, state, bytes, why, why_bytes);
    let_go(vm);
    return err;
}
