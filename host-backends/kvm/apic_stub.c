/*
 * Registers of a local APIC in xAPIC mode, written by the vCPU itself: for kernels without Hyper-V code, which have no
 * MSRs for it (apic.c). A page of ours holds a store and an OUT; the vCPU runs these two in flat 32-bit mode, and is
 * then put back to where it was. The APIC sees what it would from the guest, EOIs reach the IOAPIC, and nothing that arrives
 * meanwhile is lost. It takes a dozen system calls, which is why guests are not advised to use those MSRs there.
 *
 * The page lies in a memory slot of ours, read-only to the guest, where MSIs go and so no PC has memory.
 * NMIs wait meanwhile. Left out: a vCPU that runs a guest of its own.
 */
#include "backend.h"

#include <string.h>
#include <sys/mman.h>

#define APIC_BASE_ADDRESS 0xfffff000u
#define CR0_ET (1u << 4)
#define CR0_NE (1u << 5)
#define RFLAGS_FIXED 2u
#define PORT HVS_KVM_PORT_RAW

enum { TYPE_CODE = 11, TYPE_DATA = 3, MAX_EXITS = 1000 };

static const uint8_t code[] = {0x89, 0x07, 0xe6, PORT};        /* mov [edi], eax; out PORT, al */

int hvs_kvm_stub_start(struct hvs_kvm *kvm)
{
    struct hvs_kvm_stub *stub = &kvm->stub;
    struct kvm_userspace_memory_region region = {
        .flags = KVM_MEM_READONLY, .guest_phys_addr = kvm->config.stub_gpa, .memory_size = HVS_PAGE_BYTES};
    void *page = mmap(NULL, HVS_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return HVS_ENOTSUP;
    memcpy(page, code, sizeof(code));
    stub->slot = region.slot = hvs_kvm_own_slot(kvm->config.kvm_fd, HVS_KVM_OWN_STUB);
    region.userspace_addr = (uintptr_t)page;
    if (ioctl(kvm->config.vm_fd, KVM_SET_USER_MEMORY_REGION, &region) < 0) {
        munmap(page, HVS_PAGE_BYTES);
        return HVS_ENOTSUP;
    }
    stub->page = page;
    return HVS_OK;
}

void hvs_kvm_stub_destroy(struct hvs_kvm *kvm)
{
    struct kvm_userspace_memory_region none = {.slot = kvm->stub.slot, .guest_phys_addr = kvm->config.stub_gpa};

    if (!kvm->stub.page)
        return;
    ioctl(kvm->config.vm_fd, KVM_SET_USER_MEMORY_REGION, &none);
    munmap(kvm->stub.page, HVS_PAGE_BYTES);
}

/* The guest sees nothing of it before its instruction is complete, so that is when it is done. */
int hvs_kvm_stub_write(struct hvs_kvm_vcpu *vcpu, uint32_t reg, uint32_t value)
{
    if (vcpu->nr_apic_writes == HVS_KVM_MAX_APIC_WRITES)
        return HVS_EINVAL;
    vcpu->apic_write[vcpu->nr_apic_writes++] = (struct hvs_kvm_apic_write){reg, value};
    atomic_fetch_or(&vcpu->work, HVS_KVM_WORK_APIC);
    return HVS_OK;
}

/* --- the vCPU's own thread, between two instructions -------------------------------------------------------------- */

struct state {
    struct kvm_regs regs;
    struct kvm_sregs sregs;
    struct kvm_vcpu_events events;
};

static bool get_state(const struct hvs_kvm_vcpu *vcpu, struct state *state)
{
    return ioctl(vcpu->fd, KVM_GET_REGS, &state->regs) == 0 && ioctl(vcpu->fd, KVM_GET_SREGS, &state->sregs) == 0 &&
           ioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &state->events) == 0;
}

static bool set_state(const struct hvs_kvm_vcpu *vcpu, struct state *state)
{
    return ioctl(vcpu->fd, KVM_SET_SREGS, &state->sregs) == 0 && ioctl(vcpu->fd, KVM_SET_REGS, &state->regs) == 0 &&
           ioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &state->events) == 0;
}

static struct kvm_segment flat(uint8_t type)
{
    return (struct kvm_segment){
        .limit = UINT32_MAX, .selector = 8, .type = type, .present = 1, .db = 1, .s = 1, .g = 1};
}

static struct state at_stub(const struct hvs_kvm_vcpu *vcpu, const struct state *guest)
{
    struct state state = *guest;

    state.sregs.cr0 = HVS_CR0_PE | CR0_ET | CR0_NE;
    state.sregs.cr4 = state.sregs.efer = 0;
    state.sregs.cs = flat(TYPE_CODE);
    state.sregs.ds = state.sregs.es = state.sregs.fs = state.sregs.gs = state.sregs.ss = flat(TYPE_DATA);
    state.regs = (struct kvm_regs){.rflags = RFLAGS_FIXED, .rip = vcpu->kvm->config.stub_gpa};
    state.events.nmi.masked = 1;
    return state;
}

/* Both instructions, whatever signals come; what the VMM wants by immediate_exit is kept for the next KVM_RUN. */
static bool run_stub(struct hvs_kvm_vcpu *vcpu)
{
    struct kvm_run *run = vcpu->run;
    uint8_t wanted = 0;
    bool is_done = false;

    for (int i = 0; i < MAX_EXITS && !is_done; i++) {
        wanted |= __atomic_exchange_n(&run->immediate_exit, 0, __ATOMIC_SEQ_CST);
        is_done = ioctl(vcpu->fd, KVM_RUN, 0) == 0 && run->exit_reason == KVM_EXIT_IO && run->io.port == PORT;
    }
    if (is_done)
        hvs_kvm_complete(vcpu);
    __atomic_fetch_or(&run->immediate_exit, wanted, __ATOMIC_SEQ_CST);
    return is_done;
}

static bool write_all(struct hvs_kvm_vcpu *vcpu, struct state *stub)
{
    uint32_t base = (uint32_t)stub->sregs.apic_base & APIC_BASE_ADDRESS;
    bool is_done = true;

    for (uint32_t i = 0; i < vcpu->nr_apic_writes && is_done; i++) {
        stub->regs.rdi = base + vcpu->apic_write[i].reg;
        stub->regs.rax = vcpu->apic_write[i].value;
        is_done = set_state(vcpu, stub) && run_stub(vcpu);
    }
    return is_done;
}

void hvs_kvm_stub_own(struct hvs_kvm_vcpu *vcpu)
{
    struct state guest, stub;

    if (get_state(vcpu, &guest)) {
        stub = at_stub(vcpu, &guest);
        write_all(vcpu, &stub);
        set_state(vcpu, &guest);
        vcpu->run->s.regs.regs = guest.regs;
        vcpu->run->s.regs.sregs = guest.sregs;
    }
    vcpu->nr_apic_writes = 0;
}

int hvs_kvm_stub_set_tpr(struct hvs_kvm_vcpu *vcpu, uint8_t tpr)
{
    vcpu->run->s.regs.sregs.cr8 = tpr >> 4;
    vcpu->run->kvm_dirty_regs |= KVM_SYNC_X86_SREGS;
    return HVS_OK;
}
