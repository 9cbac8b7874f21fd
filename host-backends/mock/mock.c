/* The mock backend. See mock.h. */
#include "mock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int gpa_read(void *ctx, uint64_t gpa, void *buffer, size_t bytes)
{
    struct mock *mock = ctx;

    if (gpa > MOCK_RAM_BYTES || bytes > MOCK_RAM_BYTES - gpa)
        return HVS_EFAULT;
    memcpy(buffer, mock->ram + gpa, bytes);
    return HVS_OK;
}

static int gpa_write(void *ctx, uint64_t gpa, const void *buffer, size_t bytes)
{
    struct mock *mock = ctx;

    if (gpa > MOCK_RAM_BYTES || bytes > MOCK_RAM_BYTES - gpa)
        return HVS_EFAULT;
    memcpy(mock->ram + gpa, buffer, bytes);
    return HVS_OK;
}

static void *page_pin(void *ctx, uint64_t gfn)
{
    struct mock *mock = ctx;

    if (gfn >= MOCK_RAM_BYTES >> HVS_PAGE_SHIFT)
        return NULL;
    mock->nr_pinned++;
    if (mock->on_pin)
        mock->on_pin(gfn);
    return mock->ram + (gfn << HVS_PAGE_SHIFT);
}

static void page_unpin(void *ctx, uint64_t gfn, void *page, bool was_written)
{
    struct mock *mock = ctx;

    (void)was_written;
    assert_ptr_equal(page, mock->ram + (gfn << HVS_PAGE_SHIFT));
    mock->nr_pinned--;
}

static void time_now(void *ctx, struct hvs_instant *now)
{
    const struct mock *mock = ctx;

    *now = (struct hvs_instant){.ns = mock->now_ns, .tsc = mock_tsc(mock)};
}

static int xmm_read(void *ctx, uint32_t vp, uint32_t first, uint32_t count, struct hvs_xmm *xmm)
{
    const struct mock *mock = ctx;

    (void)vp;
    if (first + count > 6)
        return HVS_EINVAL;
    memcpy(xmm, &mock->xmm[first], count * sizeof(*xmm));
    return HVS_OK;
}

static int xmm_write(void *ctx, uint32_t vp, uint32_t first, uint32_t count, const struct hvs_xmm *xmm)
{
    struct mock *mock = ctx;

    (void)vp;
    if (first + count > 6)
        return HVS_EINVAL;
    memcpy(&mock->xmm[first], xmm, count * sizeof(*xmm));
    return HVS_OK;
}

static int apic_read(void *ctx, uint32_t vp, uint32_t reg, uint64_t *value)
{
    const struct mock *mock = ctx;

    if (vp >= MOCK_MAX_VPS || reg / 16 >= 64 || mock->apic_refuses)
        return HVS_EINVAL;
    *value = mock->apic[vp][reg / 16];
    return HVS_OK;
}

static int apic_write(void *ctx, uint32_t vp, uint32_t reg, uint64_t value)
{
    struct mock *mock = ctx;

    if (vp >= MOCK_MAX_VPS || reg / 16 >= 64 || mock->apic_refuses)
        return HVS_EINVAL;
    mock->apic[vp][reg / 16] = value;
    mock->nr_apic_writes++;
    return HVS_OK;
}

static int eoi_assist(void *ctx, uint32_t vp, uint64_t gpa)
{
    struct mock *mock = ctx;

    if (gpa != UINT64_MAX && gpa >= MOCK_RAM_BYTES)
        return HVS_EFAULT;
    mock->eoi_assist[vp] = gpa;
    return HVS_OK;
}

static void vcpu_time(void *ctx, uint32_t vp, struct hvs_vcpu_time *time)
{
    const struct mock *mock = ctx;

    *time = mock->vcpu_time[vp];
}

static void set_signal(void *ctx, uint32_t slot, uint32_t number, int signal)
{
    struct mock *mock = ctx;

    assert_true(slot < mock->config.nr_slots && number < MOCK_NR_SIGNALS);
    if (number == HVS_ALL_NUMBERS)
        memset(mock->signal, 0, sizeof(mock->signal));
    else
        mock->signal[number] = signal + 1;
}

static const struct hvs_port mock_port = {
    .gpa_read = gpa_read,
    .gpa_write = gpa_write,
    .page_pin = page_pin,
    .page_unpin = page_unpin,
    .time_now = time_now,
    .xmm_read = xmm_read,
    .xmm_write = xmm_write,
    .apic_read = apic_read,
    .apic_write = apic_write,
    .eoi_assist = eoi_assist,
    .vcpu_time = vcpu_time,
    .signal = set_signal,
};

void mock_config(struct mock *mock, const struct hvs_personality *const *personality, uint32_t nr_vps)
{
    memset(mock, 0, sizeof(*mock));
    mock->config = (struct hvs_vm_config){
        .size = sizeof(mock->config),
        .nr_vps = nr_vps,
        .caps = HVS_CAP_RAW_HYPERCALL | HVS_CAP_TSC_STABLE | HVS_CAP_INJECT | HVS_CAP_TIMER | HVS_CAP_FLUSH |
                HVS_CAP_BLOCK | HVS_CAP_XMM | HVS_CAP_STOP | HVS_CAP_RING3_PIO | HVS_CAP_APIC | HVS_CAP_PAST_APIC |
                HVS_CAP_EOI_ASSIST | HVS_CAP_VCPU_TIME | HVS_CAP_VCPU_START | HVS_CAP_VCPU_GO_ON | HVS_CAP_GSI |
                HVS_CAP_STRINGS | HVS_CAP_POLL | HVS_CAP_SIGNAL,
        .tsc_khz = MOCK_TSC_KHZ,
        .apic_hz = 1000000000,
        .memory_bytes = MOCK_RAM_BYTES,
        .phys_bits = 40,
    };
    for (uint32_t s = 0; personality[s]; s++) {
        mock->config.slot[s].personality = personality[s];
        mock->config.hypercall_insn[s] = (struct hvs_insn){2, {0xe6, (uint8_t)(0xe4 + s)}};
        mock->config.signal_insn[s] = (struct hvs_insn){2, {0xe7, (uint8_t)(0xe4 + s)}};
        mock->config.nr_slots = s + 1;
    }
}

static int make_vm(struct mock *mock)
{
    size_t bytes;
    int err = hvs_vm_size(&mock->config, &bytes);

    if (err)
        return err;
    mock->memory = aligned_alloc(HVS_PAGE_BYTES, (bytes + HVS_PAGE_BYTES - 1) / HVS_PAGE_BYTES * HVS_PAGE_BYTES);
    assert_non_null(mock->memory);
    memset(mock->signal, 0, sizeof(mock->signal));
    err = hvs_vm_init(mock->memory, bytes, &mock->config, &mock_port, mock, &mock->vm);
    if (!err)
        err = hvs_vm_start_clock(mock->vm);
    if (err) {
        free(mock->memory);
        mock->memory = NULL;
        mock->vm = NULL;
    }
    return err;
}

int mock_start(struct mock *mock)
{
    mock->ram = calloc(1, MOCK_RAM_BYTES);
    assert_non_null(mock->ram);
    mock->regs = (struct hvs_regs){.cr0 = HVS_CR0_PE, .code_bits = 64};
    for (uint32_t vp = 0; vp < MOCK_MAX_VPS; vp++)
        mock->apic[vp][0xf0 / 16] = 0x1ff;      /* software-enabled, as every guest of ours does */

    int err = make_vm(mock);

    if (err) {
        free(mock->ram);
        mock->ram = NULL;
    }
    return err;
}

void mock_stop(struct mock *mock)
{
    assert_int_equal(mock->nr_pinned, 0);
    free(mock->memory);
    free(mock->ram);
    memset(mock, 0, sizeof(*mock));
}

void mock_start_one(struct mock *mock, const struct hvs_personality *personality, uint32_t nr_vps)
{
    const struct hvs_personality *const list[] = {personality, NULL};

    mock_config(mock, list, nr_vps);
    assert_int_equal(mock_start(mock), HVS_OK);
}

struct hvs_vcpu *mock_vcpu(struct mock *mock, uint32_t vp)
{
    return hvs_vm_vcpu(mock->vm, vp);
}

void mock_advance(struct mock *mock, uint64_t ns)
{
    mock->now_ns += ns;
}

uint64_t mock_tsc(const struct mock *mock)
{
    return mock->now_ns * 5 / 2;
}

static enum hvs_verdict run(struct mock *mock, uint32_t vp, const struct hvs_exit *exit)
{
    enum hvs_verdict verdict = hvs_vcpu_exit(mock_vcpu(mock, vp), exit, &mock->regs, &mock->out);

    assert_int_equal(mock->nr_pinned, 0);
    assert_false(mock->out.effects_lost);
    return verdict;
}

enum hvs_verdict mock_rdmsr(struct mock *mock, uint32_t vp, uint32_t index, uint64_t *value)
{
    enum hvs_verdict verdict = run(mock, vp, &(struct hvs_exit){.kind = HVS_EXIT_MSR_READ, .msr = {.index = index}});

    if (value)
        *value = mock->out.value;
    return verdict;
}

enum hvs_verdict mock_wrmsr(struct mock *mock, uint32_t vp, uint32_t index, uint64_t value)
{
    return run(mock, vp, &(struct hvs_exit){.kind = HVS_EXIT_MSR_WRITE, .msr = {index, value}});
}

enum hvs_verdict mock_hypercall(struct mock *mock, uint32_t vp, uint8_t slot)
{
    return run(mock, vp, &(struct hvs_exit){.kind = HVS_EXIT_HYPERCALL, .hypercall = {slot}});
}

enum hvs_verdict mock_in(struct mock *mock, uint32_t vp, uint16_t port, uint8_t size_bytes)
{
    return run(mock, vp, &(struct hvs_exit){
        .kind = HVS_EXIT_PIO, .pio = {.port = port, .size_bytes = size_bytes, .is_in = true, .count = 1}});
}

enum hvs_verdict mock_out(struct mock *mock, uint32_t vp, uint16_t port, uint8_t size_bytes)
{
    return run(mock, vp, &(struct hvs_exit){
        .kind = HVS_EXIT_PIO, .pio = {.port = port, .size_bytes = size_bytes, .count = 1}});
}

enum hvs_verdict mock_timer(struct mock *mock, uint32_t vp)
{
    return run(mock, vp, &(struct hvs_exit){.kind = HVS_EXIT_TIMER});
}

enum hvs_verdict mock_host(struct mock *mock, uint32_t vp, const struct hvs_personality *to, uint32_t request,
                           void *data)
{
    struct hvs_exit exit = {.kind = HVS_EXIT_HOST, .host = {.to = to, .request = request, .data = data}};

    return run(mock, vp, &exit);
}

enum hvs_verdict mock_reset(struct mock *mock, uint32_t vp)
{
    return run(mock, vp, &(struct hvs_exit){.kind = HVS_EXIT_RESET});
}

struct hvs_cpuid_regs mock_cpuid(struct mock *mock, uint32_t vp, uint32_t leaf, uint32_t subleaf)
{
    struct hvs_regs saved = mock->regs;
    struct hvs_cpuid_regs r = {{0}};

    mock->regs.rax = leaf;
    mock->regs.rcx = subleaf;
    if (run(mock, vp, &(struct hvs_exit){.kind = HVS_EXIT_CPUID}) == HVS_HANDLED)
        r = (struct hvs_cpuid_regs){{(uint32_t)mock->regs.rax, (uint32_t)mock->regs.rbx, (uint32_t)mock->regs.rcx,
                                     (uint32_t)mock->regs.rdx}};
    mock->regs = saved;
    return r;
}

uint32_t mock_effects(const struct mock *mock, enum hvs_effect_kind kind, const struct hvs_effect **first)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < mock->out.nr_effects; i++) {
        if (mock->out.effect[i].kind != kind)
            continue;
        if (count++ == 0 && first)
            *first = &mock->out.effect[i];
    }
    return count;
}

static uint8_t *save(struct mock *mock, size_t *bytes)
{
    uint8_t *stream;

    assert_int_equal(hvs_vm_save(mock->vm, NULL, 0, bytes), HVS_ENOSPC);
    stream = malloc(*bytes);
    assert_non_null(stream);
    assert_int_equal(hvs_vm_save(mock->vm, stream, *bytes, bytes), HVS_OK);
    return stream;
}

void mock_save_load_save(struct mock *mock)
{
    size_t before_bytes, after_bytes;
    uint8_t *before = save(mock, &before_bytes), *after;

    free(mock->memory);
    assert_int_equal(make_vm(mock), HVS_OK);
    assert_int_equal(hvs_vm_load(mock->vm, before, before_bytes), HVS_OK);
    after = save(mock, &after_bytes);
    assert_int_equal(after_bytes, before_bytes);
    assert_memory_equal(after, before, before_bytes);
    free(before);
    free(after);
}
