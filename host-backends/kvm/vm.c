/*
 * A VM from its making to its end: the core's VM, with KVM beneath it.
 *
 * Left out: pausing (the clock goes on while vCPUs do not run).
 */
#include "backend.h"

#include <hvshim/personality.h>

#include <sched.h>
#include <stdlib.h>

#define APIC_TIMER_HZ 1000000000u       /* KVM's local APIC timer counts ns */
#define MAX_XAPIC_ID 254u

static const struct hvs_port port = {
    .gpa_read = hvs_kvm_gpa_read,
    .gpa_write = hvs_kvm_gpa_write,
    .page_pin = hvs_kvm_page_pin,
    .page_unpin = hvs_kvm_page_unpin,
    .time_now = hvs_kvm_time_now,
    .xmm_read = hvs_kvm_xmm_read,
    .xmm_write = hvs_kvm_xmm_write,
    .apic_read = hvs_kvm_apic_read,
    .apic_write = hvs_kvm_apic_write,
    .eoi_assist = hvs_kvm_eoi_assist,
    .vcpu_time = hvs_kvm_vcpu_time,
    .signal = hvs_kvm_signal,
};

static void relax(void)
{
    sched_yield();
}

/* What takes a kick, and therefore hvs_kvm_run. */
enum { KICK_CAPS = HVS_CAP_FLUSH | HVS_CAP_PAST_APIC | HVS_CAP_VCPU_START | HVS_CAP_VCPU_GO_ON |
                 HVS_CAP_POLL };

uint32_t hvs_kvm_vm_caps(const struct hvs_kvm_caps *host)
{
    uint32_t caps = KICK_CAPS | HVS_CAP_RETRY | HVS_CAP_STRINGS | HVS_CAP_RAW_HYPERCALL | HVS_CAP_INJECT |
                    HVS_CAP_TIMER | HVS_CAP_BLOCK | HVS_CAP_XMM | HVS_CAP_STOP | HVS_CAP_VCPU_TIME |
                    HVS_CAP_SIGNAL;

    if (host->has_stable_tsc)
        caps |= HVS_CAP_TSC_STABLE;
    if (host->has_vmware_backdoor)
        caps |= HVS_CAP_RING3_PIO;
    if (host->has_apic_write)
        caps |= HVS_CAP_APIC;
    if (host->has_eoi_assist)
        caps |= HVS_CAP_EOI_ASSIST;
    return caps;
}

/* KVM_IRQ_LINE drives lines only where the kernel has the I/O APIC too. */
static bool has_lines(int vm_fd)
{
    struct kvm_irqchip chip = {.chip_id = KVM_IRQCHIP_IOAPIC};

    return ioctl(vm_fd, KVM_GET_IRQCHIP, &chip) == 0;
}

static void fill_vm_config(struct hvs_kvm *kvm)
{
    struct hvs_vm_config *vm = &kvm->config.vm;

    vm->caps = hvs_kvm_vm_caps(&kvm->caps);
    if (!kvm->config.kick_signal)
        vm->caps &= ~(uint32_t)KICK_CAPS;
    if (kvm->stub.page)
        vm->caps |= HVS_CAP_APIC;
    if (kvm->config.keep_kvm_leaves && !kvm->config.shares_eoi_assist)
        vm->caps &= ~(uint32_t)HVS_CAP_EOI_ASSIST;      /* the guest may use it itself */
    if (has_lines(kvm->config.vm_fd))
        vm->caps |= HVS_CAP_GSI;
    for (uint32_t slot = 0; slot < HVS_MAX_SLOTS; slot++) {
        vm->hypercall_insn[slot] =
            (struct hvs_insn){.length = HVS_KVM_PAGE_OUT_BYTES,
                              .byte = {HVS_KVM_PREFIX, 0xe6, (uint8_t)(HVS_KVM_PORT_SLOT + slot)}};
        vm->signal_insn[slot] = (struct hvs_insn){
            .length = HVS_KVM_OUT_BYTES, .byte = {0xe7, (uint8_t)(HVS_KVM_PORT_SLOT + slot)}};
    }
    if (!vm->tsc_khz)
        vm->tsc_khz = kvm->caps.tsc_khz;
    if (!vm->apic_hz)
        vm->apic_hz = APIC_TIMER_HZ;
    if (!vm->relax)
        vm->relax = relax;
}

static int make_vm(struct hvs_kvm *kvm)
{
    size_t bytes;
    int err = hvs_vm_size(&kvm->config.vm, &bytes);

    if (err)
        return err;
    bytes = (bytes + HVS_PAGE_BYTES - 1) & ~(size_t)(HVS_PAGE_BYTES - 1);
    kvm->vm_memory = aligned_alloc(HVS_PAGE_BYTES, bytes);
    if (!kvm->vm_memory)
        return HVS_ENOSPC;
    return hvs_vm_init(kvm->vm_memory, bytes, &kvm->config.vm, &port, kvm, &kvm->vm);
}

static int claim_ports(struct hvs_kvm *kvm)
{
    struct hvs_kvm_claims *claims = &kvm->claims;

    hvs_vm_pio_ranges(kvm->vm, NULL, &claims->nr_pio);
    claims->pio = malloc((claims->nr_pio + 1) * sizeof(*claims->pio));
    if (!claims->pio)
        return HVS_ENOSPC;
    return hvs_vm_pio_ranges(kvm->vm, claims->pio, &claims->nr_pio);
}

static int claim(struct hvs_kvm *kvm)
{
    const struct hvs_vm_config *vm = &kvm->config.vm;
    int err;

    kvm->claims.nr_slots = vm->nr_slots;
    kvm->claims.has_raw = hvs_vm_expects_raw(kvm->vm);
    kvm->patch.is_needed = kvm->claims.has_raw && !kvm->caps.has_kernel_xen;
    kvm->patch.is_armed = kvm->patch.is_needed;
    err = claim_ports(kvm);
    return err ? err : hvs_kvm_claim_msrs(kvm);
}

/* APIC ids above what an xAPIC message can name need the wide form of MSI addresses, which is off by default. */
static int widen_apic_ids(struct hvs_kvm *kvm)
{
    struct kvm_enable_cap cap = {
        .cap = KVM_CAP_X2APIC_API,
        .args = {KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK},
    };

    for (uint32_t vp = 0; vp < kvm->config.vm.nr_vps; vp++) {
        if (hvs_kvm_apic_id(kvm, vp) > MAX_XAPIC_ID)
            return ioctl(kvm->config.vm_fd, KVM_ENABLE_CAP, &cap) < 0 ? HVS_ENOTSUP : HVS_OK;
    }
    return HVS_OK;
}

static int init(struct hvs_kvm *kvm)
{
    int err = hvs_kvm_probe(kvm->config.kvm_fd, &kvm->caps);

    if (!err && hvs_kvm_missing(&kvm->caps))
        err = HVS_ENOTSUP;
    if (err)
        return err;
    if (!kvm->caps.has_apic_write && kvm->config.stub_gpa && kvm->config.kick_signal)
        hvs_kvm_stub_start(kvm);        /* or without */
    fill_vm_config(kvm);
    err = make_vm(kvm);
    if (!err)
        err = claim(kvm);
    if (!err)
        err = widen_apic_ids(kvm);
    if (!err)
        err = hvs_kvm_kick_init(kvm->config.kick_signal);
    if (!err)
        err = hvs_kvm_timer_init(&kvm->timer, kvm->config.vm.nr_vps);
    if (err)
        return err;
    kvm->vcpu = calloc(kvm->config.vm.nr_vps, sizeof(struct hvs_kvm_vcpu *));
    return kvm->vcpu ? HVS_OK : HVS_ENOSPC;
}

int hvs_kvm_create(const struct hvs_kvm_config *config, struct hvs_kvm **made)
{
    struct hvs_kvm *kvm;
    int err;

    if (config->size != sizeof(*config))
        return HVS_EVERSION;
    kvm = calloc(1, sizeof(*kvm));
    if (!kvm)
        return HVS_ENOSPC;
    kvm->config = *config;
    kvm->timer.fd = -1;
    pthread_mutex_init(&kvm->timer.lock, NULL);
    pthread_mutex_init(&kvm->patch.lock, NULL);
    hvs_kvm_memory_init(&kvm->memory);
    hvs_kvm_clock_init(&kvm->clock);
    hvs_kvm_signals_init(&kvm->signals);
    err = init(kvm);
    if (err)
        hvs_kvm_destroy(kvm);
    else
        *made = kvm;
    return err;
}

static void free_vcpu(struct hvs_kvm_vcpu *vcpu)
{
    if (!vcpu)
        return;
    hvs_kvm_run_time_destroy(&vcpu->time);
    pthread_mutex_destroy(&vcpu->start_lock);
    free(vcpu);
}

void hvs_kvm_destroy(struct hvs_kvm *kvm)
{
    hvs_kvm_timer_destroy(&kvm->timer);
    pthread_mutex_destroy(&kvm->timer.lock);
    pthread_mutex_destroy(&kvm->patch.lock);
    hvs_kvm_memory_destroy(&kvm->memory);
    hvs_kvm_signals_destroy(kvm);
    for (uint32_t vp = 0; kvm->vcpu && vp < kvm->config.vm.nr_vps; vp++)
        free_vcpu(kvm->vcpu[vp]);
    hvs_kvm_steal_destroy(kvm);
    hvs_kvm_stub_destroy(kvm);
    free(kvm->vcpu);
    free(kvm->claims.deny);
    free(kvm->claims.pio);
    free(kvm->wanted.bitmaps);
    free(kvm->vm_memory);
    free(kvm);
}

struct hvs_vm *hvs_kvm_vm(struct hvs_kvm *kvm)
{
    return kvm->vm;
}

static bool has_local_apic(int vcpu_fd)
{
    struct kvm_lapic_state state;

    return ioctl(vcpu_fd, KVM_GET_LAPIC, &state) == 0;
}

int hvs_kvm_add_vcpu(struct hvs_kvm *kvm, uint32_t vp, int vcpu_fd, struct kvm_run *run, struct hvs_kvm_vcpu **added)
{
    struct hvs_kvm_vcpu *vcpu;

    if (vp >= kvm->config.vm.nr_vps || kvm->vcpu[vp])
        return HVS_EINVAL;
    if (!has_local_apic(vcpu_fd))
        return HVS_ENOTSUP;
    vcpu = calloc(1, sizeof(*vcpu));
    if (!vcpu)
        return HVS_ENOSPC;
    vcpu->kvm = kvm;
    vcpu->vcpu = hvs_vm_vcpu(kvm->vm, vp);
    vcpu->run = run;
    vcpu->fd = vcpu_fd;
    vcpu->vp = vp;
    if (kvm->is_started && hvs_kvm_clock_join(vcpu)) {
        free(vcpu);
        return HVS_ENOTSUP;
    }
    hvs_kvm_run_time_init(&vcpu->time);
    pthread_mutex_init(&vcpu->start_lock, NULL);
    run->kvm_valid_regs |= KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;
    kvm->vcpu[vp] = vcpu;
    *added = vcpu;
    return HVS_OK;
}

/* What is the same at start and at reset. */
static int begin(struct hvs_kvm *kvm)
{
    int err = hvs_kvm_filter_install(kvm, kvm->patch.is_armed);

    if (!err)
        err = hvs_kvm_clock_sync(kvm);
    if (!err)
        err = hvs_vm_start_clock(kvm->vm);
    if (!err)
        hvs_vm_set_wall_clock(kvm->vm, hvs_kvm_utc_ns());
    return err;
}

int hvs_kvm_start(struct hvs_kvm *kvm)
{
    int err = HVS_OK;

    for (uint32_t vp = 0; vp < kvm->config.vm.nr_vps; vp++) {
        if (!kvm->vcpu[vp] && (vp == 0 || !kvm->config.may_add_vcpus))
            return HVS_EINVAL;
    }
    if (kvm->is_started)
        return HVS_EINVAL;
    if (kvm->claims.has_raw && kvm->caps.has_kernel_xen)
        err = hvs_kvm_intercept_raw(kvm);
    if (!err)
        err = begin(kvm);
    if (!err)
        hvs_kvm_steal_start(kvm);       /* or without */
    if (!err)
        err = hvs_kvm_timer_start(kvm);
    for (uint32_t vp = 0; !err && vp < kvm->config.vm.nr_vps; vp++)
        hvs_kvm_timer_update(kvm, vp);  /* a state that was loaded has deadlines */
    kvm->is_started = !err;
    return err;
}

int hvs_kvm_get_msr(struct hvs_kvm_vcpu *vcpu, uint32_t index, uint64_t *value)
{
    return hvs_vcpu_msr_get(vcpu->vcpu, index, value);
}

int hvs_kvm_set_msr(struct hvs_kvm_vcpu *vcpu, uint32_t index, uint64_t value)
{
    int err = hvs_vcpu_msr_set(vcpu->vcpu, index, value);

    hvs_kvm_timer_update(vcpu->kvm, vcpu->vp);
    return err;
}

uint64_t hvs_kvm_age(struct hvs_kvm *kvm)
{
    return hvs_vm_now_ns(kvm->vm);
}

int hvs_kvm_set_age(struct hvs_kvm *kvm, uint64_t age_ns)
{
    int err = hvs_kvm_clock_sync(kvm);

    if (!err)
        err = hvs_vm_start_clock_at(kvm->vm, age_ns);
    for (uint32_t vp = 0; vp < kvm->config.vm.nr_vps; vp++)
        hvs_kvm_timer_update(kvm, vp);
    return err;
}

static void forget_work(struct hvs_kvm_vcpu *vcpu)
{
    hvs_kvm_drop_past_apic(vcpu);
    atomic_store(&vcpu->is_stopped, false);
    atomic_store(&vcpu->work, 0);
    vcpu->nr_apic_writes = 0;
}

/*
 * The core's VM is made anew in its place: a reset would give back to the guest what lay beneath overlays, in RAM that
 * is not of that time.
 */
int hvs_kvm_load(struct hvs_kvm *kvm, const void *state, size_t bytes)
{
    size_t vm_bytes;
    int err = hvs_vm_size(&kvm->config.vm, &vm_bytes);

    for (uint32_t vp = 0; vp < kvm->config.vm.nr_vps; vp++) {
        if (!kvm->vcpu[vp])
            continue;
        if (kvm->config.vm.caps & HVS_CAP_EOI_ASSIST)
            hvs_kvm_eoi_assist(kvm, vp, UINT64_MAX);
        forget_work(kvm->vcpu[vp]);
    }
    for (uint32_t slot = 0; slot < kvm->config.vm.nr_slots; slot++)
        hvs_kvm_signal(kvm, slot, HVS_ALL_NUMBERS, HVS_NO_SIGNAL);
    if (!err)
        err = hvs_vm_init(kvm->vm_memory, vm_bytes, &kvm->config.vm, &port, kvm, &kvm->vm);
    kvm->patch.is_armed = kvm->patch.is_needed;
    if (!err)
        err = begin(kvm);
    if (!err)
        err = hvs_vm_load(kvm->vm, state, bytes);
    hvs_vm_set_wall_clock(kvm->vm, hvs_kvm_utc_ns());   /* of the age that it has now */
    for (uint32_t vp = 0; vp < kvm->config.vm.nr_vps; vp++)
        hvs_kvm_timer_update(kvm, vp);
    return err;
}

int hvs_kvm_reset(struct hvs_kvm *kvm)
{
    const struct hvs_exit exit = {.kind = HVS_EXIT_RESET};

    for (uint32_t vp = 0; vp < kvm->config.vm.nr_vps; vp++)
        hvs_kvm_dispatch(kvm, vp, &exit, NULL);
    for (uint32_t vp = 0; vp < kvm->config.vm.nr_vps; vp++) {
        if (kvm->vcpu[vp])
            forget_work(kvm->vcpu[vp]);
    }
    kvm->patch.is_armed = kvm->patch.is_needed;
    return begin(kvm);
}
