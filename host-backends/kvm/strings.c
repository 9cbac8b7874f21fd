/*
 * INS and OUTS as whole instructions, though KVM leaves for each item or for a few [Linux arch/x86/kvm/emulate.c,
 * x86.c].
 *
 * KVM emulates a REP string instruction piece by piece: RIP stays on it, and with RCX at 0 it is executed once more, to
 * no effect. So RIP need not be touched.
 *   OUTS: an exit comes behind each item; RCX and RSI are as behind it. The registers of the end can be given at once.
 *   INS: an exit comes before some items, which the kernel takes from the data page afterwards, stores where RDI was at
 *   the exit, and counts. How many it counts it finds out anew from RCX. So the guest gets registers one item
 *   short of the end, and the data page what is to be in memory there anyway.
 */
#include "backend.h"
#include "strings.h"

enum { MAX_INSN_BYTES = 15, INSB = 0x6c, OUTSB = 0x6e, REP = 0xf3, REPNE = 0xf2, OPERAND_SIZE = 0x66, REX = 0x40 };
#define RFLAGS_DF (1ull << 10)

/* A segment other than the default is seen by its prefix; it may have a base. */
struct hvs_kvm_string hvs_kvm_string_decode(const uint8_t *code, uint32_t bytes, uint8_t code_bits)
{
    bool has_rep = false;
    uint32_t i = 0;

    for (; i < bytes && (code[i] == REP || code[i] == REPNE || code[i] == OPERAND_SIZE); i++)
        has_rep |= code[i] != OPERAND_SIZE;
    if (i < bytes && code_bits == 64 && (code[i] & 0xf0) == REX)
        i++;
    if (i == bytes || !has_rep)
        return (struct hvs_kvm_string){.is_string = false};
    return (struct hvs_kvm_string){.is_string = code[i] == INSB || code[i] == OUTSB, .is_in = code[i] == INSB};
}

static uint64_t address_mask(const struct hvs_regs *regs)
{
    return regs->code_bits == 64 ? UINT64_MAX : regs->code_bits == 32 ? UINT32_MAX : UINT16_MAX;
}

/* Adds within the address size; a 32-bit result clears the upper half, as the instruction's own would. */
static uint64_t moved(const struct hvs_regs *regs, uint64_t value, uint64_t by)
{
    uint64_t mask = address_mask(regs);

    return (mask == UINT16_MAX ? value & ~mask : 0) | ((value + by) & mask);
}

static bool is_flat(const struct kvm_run *run, const struct hvs_regs *regs)
{
    const struct kvm_sregs *sregs = &run->s.regs.sregs;

    return regs->code_bits == 64 || (sregs->ds.base == 0 && sregs->es.base == 0);
}

/* The bytes at RIP; fewer where the next page is not there. */
static uint32_t read_insn(struct hvs_kvm_vcpu *vcpu, const struct hvs_regs *regs, uint8_t code[MAX_INSN_BYTES])
{
    uint64_t base = regs->code_bits == 64 ? 0 : vcpu->run->s.regs.sregs.cs.base;
    uint32_t left = HVS_PAGE_BYTES - ((base + regs->rip) & (HVS_PAGE_BYTES - 1));
    uint32_t bytes = left < MAX_INSN_BYTES ? left : MAX_INSN_BYTES;

    if (hvs_vcpu_gva_read(vcpu->vcpu, regs, base + regs->rip, code, bytes))
        return 0;
    if (bytes < MAX_INSN_BYTES &&
        !hvs_vcpu_gva_read(vcpu->vcpu, regs, base + regs->rip + bytes, code + bytes, MAX_INSN_BYTES - bytes))
        return MAX_INSN_BYTES;
    return bytes;
}

bool hvs_kvm_string_begin(struct hvs_kvm_vcpu *vcpu, struct hvs_exit *exit, struct hvs_regs *regs)
{
    struct hvs_kvm_string found;
    uint8_t code[MAX_INSN_BYTES];
    uint64_t left;

    if (exit->pio.size_bytes != 1 || (regs->rflags & RFLAGS_DF) || !is_flat(vcpu->run, regs))
        return false;
    found = hvs_kvm_string_decode(code, read_insn(vcpu, regs, code), regs->code_bits);
    if (!found.is_string || found.is_in != exit->pio.is_in)
        return false;
    if (!exit->pio.is_in) {
        regs->rcx = moved(regs, regs->rcx, 1);
        regs->rsi = moved(regs, regs->rsi, UINT64_MAX);
    }
    left = regs->rcx & address_mask(regs);
    exit->pio.is_string = true;
    exit->pio.count = left < UINT32_MAX ? (uint32_t)left : UINT32_MAX;
    return true;
}

void hvs_kvm_string_end(struct hvs_kvm_vcpu *vcpu, const struct hvs_regs *before, struct hvs_regs *regs)
{
    struct kvm_run *run = vcpu->run;
    uint8_t *data = (uint8_t *)run + run->io.data_offset;

    if (run->io.direction == KVM_EXIT_IO_IN) {
        if (hvs_vcpu_gva_read(vcpu->vcpu, before, before->rdi & address_mask(before), data, 1))
            *data = UINT8_MAX;
        regs->rcx = moved(regs, regs->rcx, 1);
        regs->rdi = moved(regs, regs->rdi, UINT64_MAX);
    }
    hvs_kvm_put_regs(run, regs);
}
