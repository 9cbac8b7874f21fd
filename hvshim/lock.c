/* The core's spin locks. Held for bounded work only, so spinning is right; `relax` helps where the holder may have
   been descheduled. */
#include "core.h"

void hvs_lock_take(const struct hvs_vm *vm, struct hvs_lock *lock)
{
    while (atomic_flag_test_and_set_explicit(&lock->taken, memory_order_acquire)) {
        if (vm->config.relax)
            vm->config.relax();
    }
}

void hvs_lock_drop(struct hvs_lock *lock)
{
    atomic_flag_clear_explicit(&lock->taken, memory_order_release);
}

void hvs_vcpu_lock_vm(struct hvs_vcpu *vcpu)
{
    if (vcpu->vm_lock_depth++ == 0)
        hvs_lock_take(vcpu->vm, &vcpu->vm->lock);
}

void hvs_vcpu_unlock_vm(struct hvs_vcpu *vcpu)
{
    if (--vcpu->vm_lock_depth == 0)
        hvs_lock_drop(&vcpu->vm->lock);
}

void hvs_vm_lock(struct hvs_ctx *ctx)
{
    hvs_vcpu_lock_vm(ctx->vcpu);
}

void hvs_vm_unlock(struct hvs_ctx *ctx)
{
    hvs_vcpu_unlock_vm(ctx->vcpu);
}
