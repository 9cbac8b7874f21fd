/*
 * From struct kvm_run to struct hvs_exit.
 *
 * At a PIO exit RIP lies on or behind the instruction, as the kernel took it by its fast path or by its emulator, so
 * nothing here looks at the instruction.
 */
#include "normalise.h"

#include "filter.h"

#include <string.h>

#define RFLAGS_VM (1ull << 17)

static uint8_t code_bits(const struct kvm_regs *regs, const struct kvm_sregs *sregs)
{
    if (!(sregs->cr0 & HVS_CR0_PE) || (regs->rflags & RFLAGS_VM))
        return 16;
    if ((sregs->efer & HVS_EFER_LMA) && sregs->cs.l)
        return 64;
    return sregs->cs.db ? 32 : 16;
}

static uint8_t privilege(const struct kvm_regs *regs, const struct kvm_sregs *sregs)
{
    if (!(sregs->cr0 & HVS_CR0_PE))
        return 0;
    return regs->rflags & RFLAGS_VM ? 3 : sregs->ss.dpl;
}

static void get_regs(const struct kvm_run *run, struct hvs_regs *to)
{
    const struct kvm_regs *from = &run->s.regs.regs;
    const struct kvm_sregs *sregs = &run->s.regs.sregs;

    *to = (struct hvs_regs){
        .rax = from->rax, .rbx = from->rbx, .rcx = from->rcx, .rdx = from->rdx,
        .rsi = from->rsi, .rdi = from->rdi, .rsp = from->rsp, .rbp = from->rbp,
        .r8 = from->r8, .r9 = from->r9, .r10 = from->r10, .r11 = from->r11,
        .r12 = from->r12, .r13 = from->r13, .r14 = from->r14, .r15 = from->r15,
        .rip = from->rip, .rflags = from->rflags,
        .cr0 = sregs->cr0, .cr3 = sregs->cr3, .cr4 = sregs->cr4, .efer = sregs->efer,
        .cpl = privilege(from, sregs),
        .code_bits = code_bits(from, sregs),
    };
}

void hvs_kvm_put_regs(struct kvm_run *run, const struct hvs_regs *from)
{
    struct kvm_regs *to = &run->s.regs.regs;

    to->rax = from->rax, to->rbx = from->rbx, to->rcx = from->rcx, to->rdx = from->rdx;
    to->rsi = from->rsi, to->rdi = from->rdi, to->rsp = from->rsp, to->rbp = from->rbp;
    to->r8 = from->r8, to->r9 = from->r9, to->r10 = from->r10, to->r11 = from->r11;
    to->r12 = from->r12, to->r13 = from->r13, to->r14 = from->r14, to->r15 = from->r15;
    run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
}

static bool msr(const struct kvm_run *run, const struct hvs_kvm_claims *claims, struct hvs_exit *exit)
{
    bool is_read = run->exit_reason == KVM_EXIT_X86_RDMSR;

    if (!hvs_kvm_ranges_have(claims->deny, claims->nr_deny, run->msr.index))
        return false;
    exit->kind = is_read ? HVS_EXIT_MSR_READ : HVS_EXIT_MSR_WRITE;
    exit->msr.index = run->msr.index;
    exit->msr.value = is_read ? 0 : run->msr.data;
    return true;
}

/* Ring 3 may have been given the port; a hypercall is only what ring 0 does there. */
static bool hypercall(const struct kvm_run *run, const struct hvs_kvm_claims *claims, const struct hvs_regs *regs,
                      struct hvs_exit *exit)
{
    uint16_t port = run->io.port;
    bool is_slot = port >= HVS_KVM_PORT_SLOT && port < HVS_KVM_PORT_SLOT + claims->nr_slots;
    bool is_raw = port == HVS_KVM_PORT_RAW && claims->has_raw;

    if (!is_slot && !is_raw)
        return false;
    if (run->io.direction != KVM_EXIT_IO_OUT || run->io.count != 1 || regs->cpl != 0)
        return false;
    if (run->io.size != 1 && !(is_slot && run->io.size == HVS_KVM_SIGNAL_BYTES))
        return false;
    exit->kind = HVS_EXIT_HYPERCALL;
    exit->hypercall.is_signal = run->io.size != 1;
    exit->hypercall.slot = is_raw ? HVS_SLOT_RAW : (uint8_t)(port - HVS_KVM_PORT_SLOT);
    return true;
}

/* OUT writes what is in RAX; OUTS something from memory. A single INS cannot be told from IN. */
static bool is_string(const struct kvm_run *run, const struct hvs_regs *regs)
{
    if (run->io.count != 1)
        return true;
    return run->io.direction == KVM_EXIT_IO_OUT &&
           memcmp((const uint8_t *)run + run->io.data_offset, &regs->rax, run->io.size);
}

static bool pio(const struct kvm_run *run, const struct hvs_kvm_claims *claims, struct hvs_exit *exit,
                struct hvs_regs *regs)
{
    bool is_row = hvs_kvm_ranges_have(claims->pio, claims->nr_pio, run->io.port);

    if (!is_row && (run->io.port < HVS_KVM_PORT_SLOT || run->io.port > HVS_KVM_PORT_RAW))
        return false;
    get_regs(run, regs);
    if (hypercall(run, claims, regs, exit))
        return true;
    if (!is_row)
        return false;
    exit->kind = HVS_EXIT_PIO;
    exit->pio.port = run->io.port;
    exit->pio.size_bytes = run->io.size;
    exit->pio.is_in = run->io.direction == KVM_EXIT_IO_IN;
    exit->pio.is_string = is_string(run, regs);
    exit->pio.count = run->io.count;
    return true;
}

static bool xen(const struct kvm_run *run, const struct hvs_kvm_claims *claims, struct hvs_exit *exit,
                struct hvs_regs *regs)
{
    if (!claims->has_raw || run->xen.type != KVM_EXIT_XEN_HCALL)
        return false;
    get_regs(run, regs);
    exit->kind = HVS_EXIT_HYPERCALL;
    exit->hypercall.slot = HVS_SLOT_RAW;
    return true;
}

bool hvs_kvm_normalise(const struct kvm_run *run, const struct hvs_kvm_claims *claims, struct hvs_exit *exit,
                       struct hvs_regs *regs)
{
    *exit = (struct hvs_exit){0};
    switch (run->exit_reason) {
    case KVM_EXIT_X86_RDMSR:
    case KVM_EXIT_X86_WRMSR:
        return msr(run, claims, exit);
    case KVM_EXIT_IO:
        return pio(run, claims, exit, regs);
    case KVM_EXIT_XEN:
        return xen(run, claims, exit, regs);
    default:
        return false;
    }
}
