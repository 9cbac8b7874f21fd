/*
 * The local APIC of the vCPU whose exit is being handled, and who may leave out an EOI.
 *
 * KVM_SET_LAPIC is of no use while others run: it puts back all registers, so an interrupt that comes between reading
 * and writing is lost, and an EOI that it makes reaches no IOAPIC. What writes single registers as the guest would,
 * with all that follows, is MSRs: those of x2APIC mode, and in xAPIC mode those which Hyper-V has for EOI, ICR and TPR,
 * where the kernel has them for its own guests; else apic_stub.c does it. Other registers cannot be written in xAPIC
 * mode.
 */
#include "backend.h"

#include <string.h>

#define APIC_BASE_X2APIC (1ull << 10)
#define APIC_BASE_ENABLE (1ull << 11)
#define MSR_X2APIC 0x800u
#define HV_X64_MSR_EOI 0x40000070u
#define HV_X64_MSR_ICR 0x40000071u
#define HV_X64_MSR_TPR 0x40000072u
#define MSR_KVM_PV_EOI_EN 0x4b564d04u
#define ENABLED 1u

enum { REG_TPR = 0x80, REG_EOI = 0xb0, REG_ICR = 0x300, REG_ICR2 = 0x310, REG_STEP = 0x10 };

enum mode { APIC_OFF, APIC_X, APIC_X2 };

/* NULL while the core is being made and resets itself. */
static struct hvs_kvm_vcpu *find(struct hvs_kvm *kvm, uint32_t vp)
{
    return kvm->vcpu ? kvm->vcpu[vp] : NULL;
}

static enum mode mode_of(const struct hvs_kvm_vcpu *vcpu)
{
    uint64_t base = vcpu->run->s.regs.sregs.apic_base;

    if (!(base & APIC_BASE_ENABLE))
        return APIC_OFF;
    return base & APIC_BASE_X2APIC ? APIC_X2 : APIC_X;
}

static bool is_reg(uint32_t reg)
{
    return reg < KVM_APIC_REG_SIZE && reg % REG_STEP == 0;
}

static int read_xapic(int vcpu_fd, uint32_t reg, uint64_t *value)
{
    struct kvm_lapic_state state;
    uint32_t low, high = 0;

    if (ioctl(vcpu_fd, KVM_GET_LAPIC, &state) < 0)
        return HVS_EINVAL;
    memcpy(&low, state.regs + reg, sizeof(low));
    if (reg == REG_ICR)
        memcpy(&high, state.regs + REG_ICR2, sizeof(high));
    *value = (uint64_t)high << 32 | low;
    return HVS_OK;
}

int hvs_kvm_apic_read(void *ctx, uint32_t vp, uint32_t reg, uint64_t *value)
{
    const struct hvs_kvm_vcpu *vcpu = find(ctx, vp);
    enum mode mode = vcpu ? mode_of(vcpu) : APIC_OFF;

    if (mode == APIC_OFF || !is_reg(reg))
        return HVS_EINVAL;
    if (mode == APIC_X2)
        return hvs_kvm_msr_get(vcpu->fd, MSR_X2APIC + reg / REG_STEP, value);
    return read_xapic(vcpu->fd, reg, value);
}

static int write_xapic(int vcpu_fd, uint32_t reg, uint64_t value)
{
    switch (reg) {
    case REG_EOI:
        return hvs_kvm_msr_set(vcpu_fd, HV_X64_MSR_EOI, value);
    case REG_ICR:
        return hvs_kvm_msr_set(vcpu_fd, HV_X64_MSR_ICR, value);
    case REG_TPR:
        return hvs_kvm_msr_set(vcpu_fd, HV_X64_MSR_TPR, value);
    default:
        return HVS_EINVAL;
    }
}

/* ICR2 first: writing ICR sends. */
static int write_by_stub(struct hvs_kvm_vcpu *vcpu, uint32_t reg, uint64_t value)
{
    switch (reg) {
    case REG_EOI:
        return hvs_kvm_stub_write(vcpu, reg, (uint32_t)value);
    case REG_ICR:
        return hvs_kvm_stub_write(vcpu, REG_ICR2, (uint32_t)(value >> 32)) ||
               hvs_kvm_stub_write(vcpu, REG_ICR, (uint32_t)value) ? HVS_EINVAL : HVS_OK;
    case REG_TPR:
        return hvs_kvm_stub_set_tpr(vcpu, (uint8_t)value);
    default:
        return HVS_EINVAL;
    }
}

int hvs_kvm_apic_write(void *ctx, uint32_t vp, uint32_t reg, uint64_t value)
{
    struct hvs_kvm_vcpu *vcpu = find(ctx, vp);
    enum mode mode = vcpu ? mode_of(vcpu) : APIC_OFF;

    if (mode == APIC_OFF || !is_reg(reg))
        return HVS_EINVAL;
    if (mode == APIC_X2)
        return hvs_kvm_msr_set(vcpu->fd, MSR_X2APIC + reg / REG_STEP, value);
    if (vcpu->kvm->stub.page)
        return write_by_stub(vcpu, reg, value);
    return write_xapic(vcpu->fd, reg, value);
}

/* KVM's own protocol is the same: bit 0 set by the host, cleared by the guest in place of the EOI [Linux
   Documentation/virt/kvm/x86/msr.rst, MSR_KVM_EOI_EN]. It forgets the address at INIT, as the translators do. */
int hvs_kvm_eoi_assist(void *ctx, uint32_t vp, uint64_t gpa)
{
    const struct hvs_kvm_vcpu *vcpu = find(ctx, vp);
    uint64_t value = gpa == UINT64_MAX ? 0 : gpa | ENABLED;

    if (!vcpu)
        return value ? HVS_EFAULT : HVS_OK;
    return hvs_kvm_msr_set(vcpu->fd, MSR_KVM_PV_EOI_EN, value) ? HVS_EFAULT : HVS_OK;
}

bool hvs_kvm_try_eoi_assist(int vcpu_fd)
{
    return hvs_kvm_msr_set(vcpu_fd, MSR_KVM_PV_EOI_EN, 0) == HVS_OK;
}

bool hvs_kvm_try_apic_write(int vcpu_fd)
{
    uint64_t before, after;

    if (read_xapic(vcpu_fd, REG_TPR, &before) || write_xapic(vcpu_fd, REG_TPR, before ^ 0x50))
        return false;
    if (read_xapic(vcpu_fd, REG_TPR, &after))
        return false;
    write_xapic(vcpu_fd, REG_TPR, before);
    return after == (before ^ 0x50);
}
