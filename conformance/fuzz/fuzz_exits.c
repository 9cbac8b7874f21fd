/*
 * Fuzz target: streams of exits against the core and all translators.
 *
 * The input chooses personalities, features, capabilities and then what the vCPUs and the host do (stream.h). The
 * backend (machine.c) changes guest memory behind the reader's back and checks the rules of the seam after each exit.
 */
#include "fuzz.h"

#include <string.h>

#include <hvshim/trace.h>
#include <hvshim/translators.h>

enum {
    MAX_OPS = 400,
    PORT_FIRST = 0xe4,
    STORE_BYTES = 320 << 10,    /* small, so that it gets full */
};
#define ALL_CAPS                                                                                                   \
    (HVS_CAP_RAW_HYPERCALL | HVS_CAP_TSC_STABLE | HVS_CAP_INJECT | HVS_CAP_TIMER | HVS_CAP_FLUSH | HVS_CAP_BLOCK |  \
     HVS_CAP_XMM | HVS_CAP_STOP | HVS_CAP_RING3_PIO | HVS_CAP_APIC | HVS_CAP_PAST_APIC | HVS_CAP_EOI_ASSIST |       \
     HVS_CAP_VCPU_TIME | HVS_CAP_VCPU_START | HVS_CAP_VCPU_GO_ON | HVS_CAP_GSI | HVS_CAP_STRINGS |       \
     HVS_CAP_POLL | HVS_CAP_SIGNAL)

/* --- reading the input -------------------------------------------------------------------------------------------- */

uint64_t fuzz_take(struct fuzz_input *input, uint32_t bytes)
{
    uint64_t value = 0;

    for (uint32_t i = 0; i < bytes && input->at < input->end; i++)
        value |= (uint64_t)*input->at++ << (8 * i);
    return value;
}

uint64_t fuzz_take_number(struct fuzz_input *input)
{
    switch (fuzz_take(input, 1) % FUZZ_NR_NUMBERS) {
    case FUZZ_BYTE:
        return fuzz_take(input, 1);
    case FUZZ_WORD:
        return fuzz_take(input, 2);
    case FUZZ_RAM:
        return fuzz_take(input, 2) * 8 % (FUZZ_RAM_BYTES + 0x1000);
    case FUZZ_PAGE:
        return fuzz_take(input, 1) << HVS_PAGE_SHIFT | 1;
    case FUZZ_LONG:
        return fuzz_take(input, 4);
    case FUZZ_QUAD:
        return fuzz_take(input, 8);
    case FUZZ_HIGH:
        return 1ull << fuzz_take(input, 1) % 64;
    default:
        return UINT64_MAX;
    }
}

struct fuzz_machine *fuzz_running;

void fuzz_read_text(struct hvs_text text)
{
    static char copy[64 << 10];

    FUZZ_MUST(text.bytes <= sizeof(copy));
    memcpy(copy, text.text, text.bytes);
}

/* --- the configuration -------------------------------------------------------------------------------------------- */

static const struct hvs_personality *const sets[FUZZ_NR_SETS][HVS_MAX_SLOTS] = {
    [FUZZ_HYPERV] = {&hvs_hv_personality},
    [FUZZ_XEN] = {&hvs_xen_personality},
    [FUZZ_VMWARE] = {&hvs_vmw_personality},
    [FUZZ_HYPERV_XEN] = {&hvs_hv_personality, &hvs_xen_personality},
    [FUZZ_HYPERV_VMWARE] = {&hvs_hv_personality, &hvs_vmw_personality},
    [FUZZ_ALL] = {&hvs_hv_personality, &hvs_xen_personality, &hvs_vmw_personality},
};

static void choose_features(struct hvs_slot_config *slot, uint32_t how, uint64_t mask)
{
    uint32_t nr = slot->personality->nr_features;
    uint64_t all = nr < 64 ? (1ull << nr) - 1 : UINT64_MAX;

    switch (how) {
    case FUZZ_EVERYTHING:
        slot->features_on = all;
        break;
    case FUZZ_SOME_OFF:
        slot->features_off = mask & all;
        break;
    case FUZZ_SOME_ON:
        slot->features_on = mask & all;
        break;
    default:
        break;
    }
}

static void choose_slots(struct hvs_vm_config *config, uint32_t set, uint32_t how, const uint64_t mask[HVS_MAX_SLOTS])
{
    for (uint32_t s = 0; s < HVS_MAX_SLOTS && sets[set][s]; s++) {
        config->slot[s] = (struct hvs_slot_config){.personality = sets[set][s]};
        if (sets[set][s] == &hvs_hv_personality)
            config->slot[s].options = &fuzz_hv_options;
        if (sets[set][s] == &hvs_vmw_personality)
            config->slot[s].options = &fuzz_vmw_options;
        if (sets[set][s] == &hvs_xen_personality)
            config->slot[s].options = &fuzz_xen_options;
        choose_features(&config->slot[s], how, mask[s]);
        config->hypercall_insn[s] = (struct hvs_insn){2, {0xe6, (uint8_t)(PORT_FIRST + s)}};
        config->signal_insn[s] = (struct hvs_insn){2, {0xe7, (uint8_t)(PORT_FIRST + s)}};
        config->nr_slots = s + 1;
    }
}

static bool configure(struct fuzz *fuzz)
{
    struct fuzz_machine *machine = &fuzz->machine;
    struct fuzz_input *input = &fuzz->input;
    uint32_t set = (uint32_t)fuzz_take(input, 1) % FUZZ_NR_SETS;
    uint32_t nr_vps = 1 + (uint32_t)fuzz_take(input, 1) % FUZZ_MAX_VPS;
    uint32_t how = (uint32_t)fuzz_take(input, 1) % FUZZ_NR_FEATURES, kind = (uint32_t)fuzz_take(input, 1);
    uint64_t mask[HVS_MAX_SLOTS];

    for (uint32_t s = 0; s < HVS_MAX_SLOTS; s++)
        mask[s] = fuzz_take(input, 8);
    machine->config = (struct hvs_vm_config){
        .size = sizeof(machine->config), .nr_vps = nr_vps, .caps = ALL_CAPS | (kind & 1 ? HVS_CAP_RETRY : 0),
        .tsc_khz = 2500000, .apic_hz = 1000000000, .memory_bytes = FUZZ_RAM_BYTES, .phys_bits = 40,
    };
    if (kind & 2)
        machine->config.caps &= ~(1u << (kind >> 4));
    machine->config.store_bytes = STORE_BYTES;
    if (kind & 4)
        machine->config.apic_id = machine->apic_id;
    if (kind & 8) {
        machine->config.trace = machine->trace;
        machine->config.trace_bytes = sizeof(machine->trace);
    }
    for (uint32_t vp = 0; vp < FUZZ_MAX_VPS; vp++)
        machine->apic_id[vp] = 3 * vp + 1;
    choose_slots(&machine->config, set, how, mask);
    if (fuzz_start(machine))
        return true;
    choose_slots(&machine->config, set, FUZZ_DEFAULT, mask);
    return fuzz_start(machine);
}

/* --- exits of the guest ------------------------------------------------------------------------------------------- */

/* The `which`-th number of the live ranges: most at their beginnings. */
static uint32_t in_ranges(const struct hvs_range *range, uint32_t nr, uint32_t which)
{
    if (nr == 0)
        return which;
    const struct hvs_range *r = &range[which % nr];
    return r->first + which / nr % (r->last - r->first + 2);    /* one behind the end too */
}

static uint32_t choose_msr(struct fuzz *fuzz)
{
    struct hvs_range range[64];
    uint32_t nr = 64, which = (uint32_t)fuzz_take(&fuzz->input, 2);

    if (hvs_vm_msr_ranges(fuzz->machine.vm, range, &nr) != HVS_OK)
        nr = 0;
    return in_ranges(range, nr, which);
}

void fuzz_request(struct fuzz *fuzz, uint32_t vp, const struct hvs_personality *to, uint32_t request, void *data)
{
    fuzz_exit(&fuzz->machine, vp, &(struct hvs_exit){.kind = HVS_EXIT_HOST, .host = {to, request, data}}, NULL);
}

static void msr_read(struct fuzz *fuzz, uint32_t vp, uint32_t index)
{
    fuzz_exit(&fuzz->machine, vp, &(struct hvs_exit){.kind = HVS_EXIT_MSR_READ, .msr = {.index = index}}, NULL);
}

static void msr_write(struct fuzz *fuzz, uint32_t vp, uint32_t index, uint64_t value)
{
    fuzz_exit(&fuzz->machine, vp, &(struct hvs_exit){.kind = HVS_EXIT_MSR_WRITE, .msr = {index, value}}, NULL);
}

static void cpuid(struct fuzz *fuzz, uint32_t vp)
{
    struct hvs_regs regs = fuzz->mode;

    regs.rax = HVS_CPUID_FIRST + fuzz_take(&fuzz->input, 2);
    regs.rcx = fuzz_take(&fuzz->input, 1);
    fuzz_exit(&fuzz->machine, vp, &(struct hvs_exit){.kind = HVS_EXIT_CPUID}, &regs);
}

uint8_t fuzz_choose_slot(struct fuzz *fuzz)
{
    uint8_t slot = (uint8_t)fuzz_take(&fuzz->input, 1);

    return slot == FUZZ_SLOT_RAW ? HVS_SLOT_RAW : (uint8_t)(slot % (fuzz->machine.config.nr_slots + 1));
}

const struct hvs_personality *fuzz_personality(const struct fuzz *fuzz, uint8_t slot)
{
    return fuzz->machine.config.slot[slot < fuzz->machine.config.nr_slots ? slot : 0].personality;
}

void fuzz_hypercall(struct fuzz *fuzz, uint32_t vp, uint8_t slot, struct hvs_regs *regs)
{
    fuzz_exit(&fuzz->machine, vp, &(struct hvs_exit){.kind = HVS_EXIT_HYPERCALL, .hypercall = {.slot = slot}}, regs);
}

uint32_t fuzz_choose_code(struct fuzz *fuzz, uint8_t slot)
{
    const struct hvs_personality *p = fuzz_personality(fuzz, slot);
    uint32_t row = (uint32_t)fuzz_take(&fuzz->input, 1);

    return p->nr_hcall ? p->hcall[row % p->nr_hcall].code : row;
}

/* By Hyper-V's convention. */
static void call(struct fuzz *fuzz, uint32_t vp)
{
    struct fuzz_input *input = &fuzz->input;
    struct hvs_regs regs = fuzz->mode;
    uint8_t slot = fuzz_choose_slot(fuzz);
    uint64_t code = fuzz_choose_code(fuzz, slot) & 0xffff;
    uint64_t flags = fuzz_take(input, 1), var = fuzz_take(input, 1) & 0x7f;
    uint64_t count = fuzz_take(input, 2) & 0xfff, first = fuzz_take(input, 2) & 0xfff;
    uint64_t in = fuzz_take_number(input), out = fuzz_take_number(input);

    if (flags & FUZZ_CALL_OTHER_CODE)
        code ^= 0x8000 | flags;
    uint64_t control = code | (flags & FUZZ_CALL_FAST ? 1ull << 16 : 0) | var << 17 |
                       (flags & FUZZ_CALL_NESTED ? 1ull << 31 : 0) | count << 32 | first << 48 |
                       (flags & FUZZ_CALL_RESERVED ? 1ull << (44 + (flags >> 6)) : 0);
    if (regs.code_bits == 64) {
        regs.rcx = control;
        regs.rdx = in;
        regs.r8 = out;
    } else {
        regs.rdx = control >> 32;
        regs.rax = (uint32_t)control;
        regs.rbx = in >> 32;
        regs.rcx = (uint32_t)in;
        regs.rdi = out >> 32;
        regs.rsi = (uint32_t)out;
    }
    fuzz_hypercall(fuzz, vp, slot, &regs);
    if (flags & 0x10)           /* the guest executes the instruction again, as after HVS_RETRY */
        fuzz_hypercall(fuzz, vp, slot, &regs);
}

static void call_raw(struct fuzz *fuzz, uint32_t vp)
{
    struct hvs_regs regs = fuzz->mode;
    uint8_t slot = fuzz_choose_slot(fuzz);
    uint64_t *reg = &regs.rax;

    for (uint32_t i = 0; i < 16; i++)
        reg[i] = fuzz_take_number(&fuzz->input);
    fuzz_hypercall(fuzz, vp, slot, &regs);
}

static void pio(struct fuzz *fuzz, uint32_t vp)
{
    struct hvs_range range[16];
    uint32_t nr = 16, which = (uint32_t)fuzz_take(&fuzz->input, 1);
    struct hvs_regs regs = fuzz->mode;

    if (hvs_vm_pio_ranges(fuzz->machine.vm, range, &nr) != HVS_OK)
        nr = 0;
    uint16_t at = (uint16_t)in_ranges(range, nr, which);
    uint8_t size = (uint8_t)(1u << fuzz_take(&fuzz->input, 1) % 3);
    uint64_t flags = fuzz_take(&fuzz->input, 1);
    uint32_t count = (uint32_t)fuzz_take(&fuzz->input, 2);
    regs.rax = fuzz_take_number(&fuzz->input);
    regs.rsi = fuzz_take_number(&fuzz->input);
    regs.rdx = at;
    fuzz_exit(&fuzz->machine, vp,
              &(struct hvs_exit){.kind = HVS_EXIT_PIO, .pio = {.port = at, .size_bytes = size, .is_in = flags & 1,
                                 .is_string = (flags & 2) != 0, .count = flags & 2 ? count : 1}},
              &regs);
}

/* --- time, memory, host ------------------------------------------------------------------------------------------- */

static void timer(struct fuzz *fuzz, uint32_t vp)
{
    fuzz_exit(&fuzz->machine, vp, &(struct hvs_exit){.kind = HVS_EXIT_TIMER}, NULL);
}

static void time_passes(struct fuzz *fuzz, uint32_t vp)
{
    struct fuzz_machine *machine = &fuzz->machine;

    machine->now_ns += fuzz_take(&fuzz->input, 4) << 8;
    for (vp = 0; vp < machine->config.nr_vps; vp++)
        if (hvs_vcpu_deadline_ns(hvs_vm_vcpu(machine->vm, vp)) <= hvs_vm_now_ns(machine->vm))
            timer(fuzz, vp);
}

static void memory(struct fuzz *fuzz, uint32_t vp)
{
    uint64_t gpa = fuzz_take(&fuzz->input, 3);
    uint32_t bytes = (uint32_t)fuzz_take(&fuzz->input, 1);

    (void)vp;
    for (uint32_t i = 0; i < bytes; i++, gpa++)
        fuzz->machine.ram[gpa % FUZZ_RAM_BYTES] = (uint8_t)fuzz_take(&fuzz->input, 1);
}

static void reset(struct fuzz *fuzz, uint32_t vp)
{
    struct hvs_exit exit = {.kind = HVS_EXIT_RESET};

    if (fuzz_take(&fuzz->input, 1) & 1) {
        fuzz_exit(&fuzz->machine, vp, &exit, NULL);
        return;
    }
    for (vp = 0; vp < fuzz->machine.config.nr_vps; vp++)
        fuzz_exit(&fuzz->machine, vp, &exit, NULL);
}

static void look(struct fuzz *fuzz, uint32_t vp)
{
    struct fuzz_machine *machine = &fuzz->machine;
    static struct hvs_cpuid_leaf leaf[64];
    static struct hvs_crash crash;
    struct hvs_trace_record record;
    struct hvs_stat stat;
    uint32_t nr = (uint32_t)fuzz_take(&fuzz->input, 1) % 65;
    uint64_t unhandled;

    int err = hvs_vcpu_cpuid(hvs_vm_vcpu(machine->vm, vp), leaf, &nr);
    FUZZ_MUST(err == HVS_OK || err == HVS_ENOSPC);
    size_t used;
    uint8_t small[64];
    err = hvs_vm_save(machine->vm, small, nr % sizeof(small), &used);
    FUZZ_MUST(err == (used > nr % sizeof(small) ? HVS_ENOSPC : HVS_OK));
    hvs_vm_crash(machine->vm, &crash);
    hvs_vm_trace_read(machine->vm, nr, &record);
    for (uint32_t i = 0; hvs_vm_stat(machine->vm, i, &stat) == HVS_OK; i++)
        FUZZ_MUST(stat.name && stat.personality);
    hvs_vm_exits(machine->vm, HVS_EXIT_MSR_READ, &unhandled);
    hvs_vm_next_leaf(machine->vm);
    hvs_vm_expects_raw(machine->vm);
    FUZZ_MUST(machine->nr_pinned == 0);
}

static void clock_set(struct fuzz *fuzz, uint32_t vp)
{
    uint64_t how = fuzz_take(&fuzz->input, 1);

    (void)vp;
    if (how & 1)
        FUZZ_MUST(hvs_vm_start_clock(fuzz->machine.vm) == HVS_OK);
    if (how & 2)
        hvs_vm_set_wall_clock(fuzz->machine.vm, how << 53);
    fuzz->machine.fails = (how & 4) != 0;
    FUZZ_MUST(fuzz->machine.nr_pinned == 0);
}

static void mode(struct fuzz *fuzz, uint32_t vp)
{
    uint64_t how = fuzz_take(&fuzz->input, 1), cr3 = fuzz_take(&fuzz->input, 3);
    static const uint8_t bits[4] = {64, 64, 32, 16};

    (void)vp;
    fuzz->mode = (struct hvs_regs){
        .rip = 0x1000, .rsp = 0x2000, .rflags = 2, .cr0 = HVS_CR0_PE, .code_bits = bits[how & 3],
        .cpl = how & 4 ? 3 : 0,
        .cr3 = cr3 % FUZZ_RAM_BYTES,
    };
    if ((how & 3) == 3)
        fuzz->mode.cr0 = 0;
    if ((how & 3) < 2)
        fuzz->mode.efer = HVS_EFER_LMA;
    if (how & 8)
        fuzz->mode.cr0 |= HVS_CR0_PG;
    if (how & 0x10)
        fuzz->mode.cr4 |= HVS_CR4_PAE;
    if (how & 0x20)
        fuzz->mode.cr4 |= HVS_CR4_PSE;
    if (how & 0x40)
        fuzz->mode.cr4 |= HVS_CR4_LA57;
}

/* --- the loop ----------------------------------------------------------------------------------------------------- */

static void op_msr_read(struct fuzz *fuzz, uint32_t vp)
{
    msr_read(fuzz, vp, choose_msr(fuzz));
}

static void op_msr_write(struct fuzz *fuzz, uint32_t vp)
{
    uint32_t index = choose_msr(fuzz);

    msr_write(fuzz, vp, index, fuzz_take_number(&fuzz->input));
}

static void op_msr_raw(struct fuzz *fuzz, uint32_t vp)
{
    uint32_t index = (uint32_t)fuzz_take(&fuzz->input, 4);

    msr_write(fuzz, vp, index, fuzz_take_number(&fuzz->input));
    msr_read(fuzz, vp, index);
}

static void op_race(struct fuzz *fuzz, uint32_t vp)
{
    (void)vp;
    fuzz->machine.race = (uint8_t)fuzz_take(&fuzz->input, 1);
}

static void op_save_load(struct fuzz *fuzz, uint32_t vp)
{
    (void)vp;
    fuzz_save_load(&fuzz->machine, fuzz_take(&fuzz->input, 1) ? fuzz_take(&fuzz->input, 8) : 0);
}

static void op_xmm(struct fuzz *fuzz, uint32_t vp)
{
    (void)vp;
    for (uint32_t i = 0; i < sizeof(fuzz->machine.xmm); i++)
        ((uint8_t *)fuzz->machine.xmm)[i] = (uint8_t)fuzz_take(&fuzz->input, 1);
}

static void (*const ops[FUZZ_NR_OPS])(struct fuzz *fuzz, uint32_t vp) = {
    [FUZZ_MSR_READ] = op_msr_read,
    [FUZZ_MSR_WRITE] = op_msr_write,
    [FUZZ_MSR_RAW] = op_msr_raw,
    [FUZZ_CPUID] = cpuid,
    [FUZZ_CALL] = call,
    [FUZZ_CALL_RAW] = call_raw,
    [FUZZ_XEN_CALL] = fuzz_xen_call,
    [FUZZ_BACKDOOR] = fuzz_vmw_backdoor,
    [FUZZ_RPC] = fuzz_vmw_rpc,
    [FUZZ_PIO] = pio,
    [FUZZ_TIME] = time_passes,
    [FUZZ_TIMER] = timer,
    [FUZZ_MEMORY] = memory,
    [FUZZ_RACE] = op_race,
    [FUZZ_SAVE_LOAD] = op_save_load,
    [FUZZ_RESET] = reset,
    [FUZZ_HOST] = fuzz_hv_host,
    [FUZZ_VMW_HOST] = fuzz_vmw_host,
    [FUZZ_CLOCK] = clock_set,
    [FUZZ_LOOK] = look,
    [FUZZ_XMM] = op_xmm,
    [FUZZ_MODE] = mode,
    [FUZZ_XEN_HOST] = fuzz_xen_host,
    [FUZZ_STORE] = fuzz_store_request,
    [FUZZ_STORE_HOST] = fuzz_store_host,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct fuzz fuzz;

    memset(&fuzz, 0, sizeof(fuzz));
    fuzz.input = (struct fuzz_input){data, data + bytes};
    fuzz_running = &fuzz.machine;
    if (!configure(&fuzz))
        return 0;
    fuzz.mode = (struct hvs_regs){
        .rip = 0x1000, .rsp = 0x2000, .rflags = 2, .cr0 = HVS_CR0_PE, .efer = HVS_EFER_LMA, .code_bits = 64};
    for (uint32_t op = 0; op < MAX_OPS && fuzz.input.at < fuzz.input.end; op++) {
        uint32_t kind = (uint32_t)fuzz_take(&fuzz.input, 1) % FUZZ_NR_OPS;
        uint32_t vp = (uint32_t)fuzz_take(&fuzz.input, 1) % fuzz.machine.config.nr_vps;

        ops[kind](&fuzz, vp);
    }
    fuzz_save_load(&fuzz.machine, 0);
    fuzz_stop(&fuzz.machine);
    return 0;
}
