/*
 * The VMware matrix: the leaves, and each backdoor command at CPL 0 and CPL 3 [open-vm-tools 13.1: backdoor_def.h,
 * x86cpuid.h; the rules for registers: list xen-devel, "Add vmport" v14; Linux arch/x86/kernel/cpu/vmware.c].
 *
 * There is no specification. What guests rely on is asked of the commands that they use; of the others, that they obey
 * the rules for registers whether they are there or not. Commands that would change the machine are asked where they must
 * be refused, and elsewhere only if the front says that it may.
 */
#include "vmware.h"

#include "vmw_abi.h"

enum { EAX, EBX, ECX, EDX };
enum { CPUID_1_ECX_X2APIC = 21 };
#define UPPER_MASK 0xffffffff00000000ull

/* --- one access --------------------------------------------------------------------------------------------------- */

static uint64_t upper_half(uint32_t reg)
{
    return (uint64_t)(0x11111111u * (reg + 1)) << 32;
}

struct matrix_regs matrix_vmw_regs(uint32_t command, uint8_t cpl)
{
    return (struct matrix_regs){
        .rax = BDOOR_MAGIC,
        .rbx = upper_half(1) | 0x0b0b0b0b,
        .rcx = upper_half(2) | command,
        .rdx = upper_half(3) | BDOOR_PORT,
        .rsi = upper_half(4) | 0x05050505,
        .rdi = upper_half(5) | 0x07070707,
        .rbp = upper_half(6) | 0x09090909,
        .cpl = cpl,
        .code_bits = 64,
    };
}

int matrix_vmw_port(struct matrix *matrix, struct matrix_regs *regs, enum matrix_port how)
{
    return matrix->env->port(matrix->env->ctx, regs, how);
}

bool matrix_vmw_keeps_upper_halves(const struct matrix_regs *r)
{
    const uint64_t reg[] = {r->rbx, r->rcx, r->rdx, r->rsi, r->rdi, r->rbp};

    for (uint32_t i = 0; i < sizeof(reg) / sizeof(reg[0]); i++)
        if ((reg[i] & UPPER_MASK) != upper_half(i + 1))
            return false;
    return true;
}

static bool others_are_equal(const struct matrix_regs *a, const struct matrix_regs *b)
{
    return a->rbx == b->rbx && a->rcx == b->rcx && a->rdx == b->rdx && a->rsi == b->rsi && a->rdi == b->rdi &&
           a->rbp == b->rbp;
}

/* --- commands ----------------------------------------------------------------------------------------------------- */

enum rule {
    ANY = 0,                    /* may be asked from everywhere, changes nothing */
    CPL0 = 1 << 0,              /* is refused elsewhere */
    ACTS = 1 << 1,              /* would change the machine: asked where it must be refused, or MATRIX_MAY_ACT */
};

struct command {
    uint32_t number;
    const char *name;
    uint32_t rule;
};
#define ROW(name, rule) {BDOOR_CMD_##name, #name, rule}
static const struct command commands[] = {
    ROW(GETMHZ, ANY), ROW(APMFUNCTION, CPL0 | ACTS), ROW(GETDISKGEO, ANY), ROW(GETPTRLOCATION, ANY),
    ROW(SETPTRLOCATION, ACTS), ROW(GETSELLENGTH, ANY), ROW(GETNEXTPIECE, ACTS), ROW(SETSELLENGTH, ACTS),
    ROW(SETNEXTPIECE, ACTS), ROW(GETVERSION, ANY), ROW(GETDEVICELISTELEMENT, ANY), ROW(TOGGLEDEVICE, ACTS),
    ROW(GETGUIOPTIONS, ANY), ROW(SETGUIOPTIONS, ACTS), ROW(GETSCREENSIZE, ANY), ROW(GETHWVERSION, ANY),
    ROW(OSNOTFOUND, CPL0 | ACTS), ROW(GETUUID, ANY), ROW(GETMEMSIZE, ANY), ROW(GETTIME, ANY), ROW(STOPCATCHUP, ACTS),
    ROW(INITPCIOPROM, CPL0 | ACTS), ROW(ISACPIDISABLED, ANY), ROW(ISMOUSEABSOLUTE, ANY),
    ROW(PATCH_SMBIOS_STRUCTS, CPL0 | ACTS), ROW(ABSPOINTER_STATUS, ANY), ROW(GETHZ, CPL0), ROW(GETTIMEFULL, ANY),
    ROW(CHECKFORCEBIOSSETUP, CPL0 | ACTS), ROW(LAZYTIMEREMULATION, CPL0 | ACTS), ROW(BIOSBBS, CPL0 | ACTS),
    ROW(OSNOTMACOSXSERVER, CPL0 | ACTS), ROW(GETTIMEFULL_WITH_LAG, ANY), ROW(FIRMWARE_INIT, CPL0 | ACTS),
    ROW(FIRMWARE_ACPI_SERVICES, CPL0 | ACTS), ROW(GET_VCPU_INFO, ANY), ROW(EFI_SERIALCON_CONFIG, CPL0 | ACTS),
    ROW(FIRMWARE_ERROR, CPL0 | ACTS), ROW(EFI_BOOT_CONFIG, CPL0 | ACTS), ROW(GET_HW_MODEL, CPL0),
    ROW(GET_SVGA_CAPABILITIES, CPL0), ROW(GET_FORCE_X2APIC, CPL0), ROW(SET_PCI_HOLE, CPL0 | ACTS),
    ROW(GET_PCI_HOLE, CPL0), ROW(GET_PCI_BAR, CPL0), ROW(SHOULD_GENERATE_SYSTEMID, CPL0),
    ROW(MKS_GUEST_STATS, CPL0 | ACTS),
    ROW(MONITOR_CONTROL, ACTS), ROW(PUTCHR, ACTS), ROW(ENABLE_MSG, ACTS), ROW(MESSAGE, ANY), ROW(SIDT, ANY),
    ROW(SGDT, ANY), ROW(SLDT_STR, ANY), ROW(MAPMEM, ACTS), ROW(ABSPOINTER_DATA, ACTS), ROW(ABSPOINTER_COMMAND, ANY),
    ROW(ISGOSDARWIN, ANY), ROW(DEBUGEVENT, ACTS), ROW(ACPI_HOTPLUG_DEVICE, ACTS), ROW(ACPI_HOTPLUG_MEMORY, ACTS),
    ROW(ACPI_HOTPLUG_CBRET, ACTS), ROW(ACPI_HOTPLUG_CPU, ACTS), ROW(XPMODE, CPL0 | ACTS), ROW(NESTING_CONTROL, ANY),
    ROW(SENDPSHAREHINTS, ACTS), ROW(ENABLE_USB_MOUSE, ACTS), ROW(BUG328986, CPL0 | ACTS), ROW(VMK_INFO, ANY),
    ROW(READ_DEBUG_FILE, ACTS), ROW(SCREENSHOT, ACTS), ROW(INJECT_KEY, ACTS), ROW(INJECT_MOUSE, ACTS),
    ROW(ABSPOINTER_RESTRICT, ANY), ROW(GUEST_INTEGRITY, ACTS), ROW(MKSTEST, ACTS), ROW(COPY_PHYSMEM, ACTS),
    ROW(FUZZER_HELPER, ACTS), ROW(PUTCHR12, ACTS), ROW(GMM, ACTS), ROW(PRECISIONCLOCK, ANY),
    ROW(COREDUMP_UNSYNC, ACTS), ROW(APPLE_GPU_RES_SET, ACTS), ROW(GETENTROPY, ANY), ROW(REPORTGUESTCRASH, ACTS),
    ROW(SECUREBOOT, ANY), ROW(STEALCLOCK, CPL0 | ACTS), ROW(GUEST_PAGE_HINTS, CPL0 | ACTS),
    ROW(FIRMWARE_UPDATE, CPL0 | ACTS), ROW(GETBUILDNUM, ANY), ROW(PK_UPDATE, CPL0 | ACTS), ROW(GET_FWTRCLOG_MASK, ANY),
    {BDOOR_CMD_MAX, "the first number behind all", ANY}, {0x7ffe, "0x7ffe", ANY}, {0xffff, "0xffff", ANY},
    {0, "0", ANY},
};
#undef ROW

static enum matrix_verdict keeps_rules(struct matrix *matrix, const struct command *c, uint8_t cpl)
{
    struct matrix_regs regs = matrix_vmw_regs(c->number, cpl), before = regs;

    if (matrix_vmw_port(matrix, &regs, MATRIX_IN_32) != MATRIX_NO_FAULT)
        return matrix_fail(matrix, "it faults", c->number, cpl);
    if (!matrix_vmw_keeps_upper_halves(&regs))
        return matrix_fail(matrix, "the upper half of a register changed", c->number, regs.rbx);
    if (regs.rax & UPPER_MASK)
        return matrix_fail(matrix, "the upper half of RAX is not zero", c->number, regs.rax);
    if (regs.rax == BDOOR_UNSUPPORTED && !others_are_equal(&regs, &before) && c->number != BDOOR_CMD_GETHZ)
        return matrix_fail(matrix, "not there, but a register changed", c->number, regs.rbx);
    return MATRIX_SUCCESS;
}

static enum matrix_verdict is_refused(struct matrix *matrix, const struct command *c)
{
    struct matrix_regs regs = matrix_vmw_regs(c->number, 3), before = regs;

    if (matrix_vmw_port(matrix, &regs, MATRIX_IN_32) != MATRIX_NO_FAULT)
        return matrix_fail(matrix, "it faults", c->number, 3);
    if (regs.rax != BDOOR_UNSUPPORTED)
        return matrix_fail(matrix, "CPL 3 gets an answer", c->number, regs.rax);
    return others_are_equal(&regs, &before) ? MATRIX_SUCCESS
                                            : matrix_fail(matrix, "a register changed", c->number, regs.rbx);
}

/* Programs get the same answer as the kernel. Times go on in between, so only whether there is one. */
static enum matrix_verdict is_there_alike(struct matrix *matrix, const struct command *c)
{
    struct matrix_regs kernel = matrix_vmw_regs(c->number, 0), user = matrix_vmw_regs(c->number, 3);

    if (matrix_vmw_port(matrix, &kernel, MATRIX_IN_32) != MATRIX_NO_FAULT ||
        matrix_vmw_port(matrix, &user, MATRIX_IN_32) != MATRIX_NO_FAULT)
        return matrix_fail(matrix, "it faults", c->number, 0);
    if ((kernel.rax == BDOOR_UNSUPPORTED) != (user.rax == BDOOR_UNSUPPORTED))
        return matrix_fail(matrix, "CPL 3 gets another answer", kernel.rax, user.rax);
    return MATRIX_SUCCESS;
}

static void ask_command(struct matrix *matrix, const struct command *c)
{
    bool has_cpl3 = matrix->env->can & MATRIX_CAN_CPL3_PORT;
    bool may_ask = !(c->rule & ACTS) || (matrix->env->can & MATRIX_MAY_ACT);

    if (may_ask) {
        if (matrix_begin(matrix, c->name, "keeps the rules for registers at CPL 0", "backdoor_def.h"))
            matrix_end(matrix, keeps_rules(matrix, c, 0));
    }
    if (c->rule & CPL0) {
        if (matrix_begin(matrix, c->name, "is refused at CPL 3", "backdoor_def.h: CPL 0 only"))
            matrix_end(matrix, has_cpl3 ? is_refused(matrix, c) : matrix_skip(matrix, "no ports at CPL 3 here"));
    } else if (may_ask) {
        if (matrix_begin(matrix, c->name, "keeps the rules for registers at CPL 3", "backdoor_def.h"))
            matrix_end(matrix, has_cpl3 ? keeps_rules(matrix, c, 3) : matrix_skip(matrix, "no ports at CPL 3 here"));
        if (matrix_begin(matrix, c->name, "is there for CPL 3 as for CPL 0", "backdoor_def.h"))
            matrix_end(matrix, has_cpl3 ? is_there_alike(matrix, c) : matrix_skip(matrix, "no ports at CPL 3 here"));
    }
}

/* --- what guests rely on ------------------------------------------------------------------------------------------ */

static bool is_vmware(const struct matrix *matrix)
{
    uint32_t signature[4];

    matrix->env->cpuid(matrix->env->ctx, 0, VMW_CPUID_SIGNATURE, signature);
    return signature[EBX] == VMW_CPUID_SIGNATURE_EBX && signature[ECX] == VMW_CPUID_SIGNATURE_ECX &&
           signature[EDX] == VMW_CPUID_SIGNATURE_EDX;
}

static enum matrix_verdict leaves(struct matrix *matrix)
{
    uint32_t both = VMW_CPUID_VMMCALL_BACKDOOR | VMW_CPUID_VMCALL_BACKDOOR;

    if (!is_vmware(matrix))
        return matrix_skip(matrix, "the port alone is there");
    if (matrix_cpuid(matrix, VMW_CPUID_SIGNATURE, EAX) < VMW_CPUID_TIMING)
        return matrix_fail(matrix, "the timing leaf is not within", VMW_CPUID_SIGNATURE,
                           matrix_cpuid(matrix, VMW_CPUID_SIGNATURE, EAX));
    if ((matrix_cpuid(matrix, VMW_CPUID_TIMING, ECX) & both) == both)
        return matrix_fail(matrix, "both instructions are named, so guests take neither", VMW_CPUID_TIMING, both);
    return MATRIX_SUCCESS;
}

static enum matrix_verdict version(struct matrix *matrix)
{
    struct matrix_regs regs = matrix_vmw_regs(0xffff0000 | BDOOR_CMD_GETVERSION, 0);

    matrix_vmw_port(matrix, &regs, MATRIX_IN_32);
    if (regs.rax != VERSION_MAGIC || (uint32_t)regs.rbx != BDOOR_MAGIC)
        return matrix_fail(matrix, "vmware-checkvm would not believe it", regs.rax, regs.rbx);
    return (uint32_t)regs.rcx >= VMX_TYPE_EXPRESS && (uint32_t)regs.rcx <= VMX_TYPE_WORKSTATION_ENTERPRISE
               ? MATRIX_SUCCESS
               : matrix_fail(matrix, "no product", 0, regs.rcx);
}

static enum matrix_verdict hz(struct matrix *matrix)
{
    struct matrix_regs regs = matrix_vmw_regs(BDOOR_CMD_GETHZ, 0);

    matrix_vmw_port(matrix, &regs, MATRIX_IN_32);
    if ((uint32_t)regs.rbx == UINT32_MAX)
        return matrix_skip(matrix, "the rates are not told");
    uint64_t khz = ((uint64_t)(uint32_t)regs.rbx << 32 | (uint32_t)regs.rax) / 1000;
    uint32_t leaf = matrix_cpuid(matrix, VMW_CPUID_TIMING, EAX);
    if (leaf && khz != leaf)
        return matrix_fail(matrix, "it is not what the leaf says", leaf, khz);
    if (!(uint32_t)regs.rcx)
        return matrix_fail(matrix, "no rate of the APIC timer", 0, 0);
    leaf = matrix_cpuid(matrix, VMW_CPUID_TIMING, EBX);
    return !is_vmware(matrix) || !leaf || (uint32_t)regs.rcx / 1000 == leaf
               ? MATRIX_SUCCESS : matrix_fail(matrix, "the APIC timer's is not what the leaf says", leaf, regs.rcx);
}

static enum matrix_verdict mhz(struct matrix *matrix)
{
    struct matrix_regs regs = matrix_vmw_regs(BDOOR_CMD_GETMHZ, 0);
    uint32_t khz = is_vmware(matrix) ? matrix_cpuid(matrix, VMW_CPUID_TIMING, EAX) : 0;

    matrix_vmw_port(matrix, &regs, MATRIX_IN_32);
    if (regs.rax == BDOOR_UNSUPPORTED || !khz)
        return matrix_skip(matrix, "one of them is not there");
    return regs.rax == khz / 1000 ? MATRIX_SUCCESS
                                  : matrix_fail(matrix, "it is not what the leaf says", khz, regs.rax);
}

/* The pages that we may use are within it, and it is less than the GPA space, where the APIC has its place too. */
static enum matrix_verdict memory_size(struct matrix *matrix)
{
    const struct matrix_env *env = matrix->env;
    struct matrix_regs regs = matrix_vmw_regs(BDOOR_CMD_GETMEMSIZE, 0);

    matrix_vmw_port(matrix, &regs, MATRIX_IN_32);
    if (regs.rax == BDOOR_UNSUPPORTED)
        return matrix_skip(matrix, "not there");
    return regs.rax > env->page[0].gpa >> 20 && regs.rax << 20 < 1ull << env->phys_bits
               ? MATRIX_SUCCESS : matrix_fail(matrix, "not so many MiB can be there", env->phys_bits, regs.rax);
}

static enum matrix_verdict uuid(struct matrix *matrix)
{
    struct matrix_regs regs = matrix_vmw_regs(BDOOR_CMD_GETUUID, 0);

    if (!matrix->env->uuid)
        return matrix_skip(matrix, "it is not known here");
    matrix_vmw_port(matrix, &regs, MATRIX_IN_32);
    const uint64_t part[] = {regs.rax, regs.rbx, regs.rcx, regs.rdx};
    for (uint32_t i = 0; i < 16; i++)
        if ((uint8_t)(part[i / 4] >> i % 4 * 8) != matrix->env->uuid[i])
            return matrix_fail(matrix, "another byte", i, part[i / 4]);
    return MATRIX_SUCCESS;
}

static enum matrix_verdict time_of_day(struct matrix *matrix)
{
    struct matrix_regs full = matrix_vmw_regs(BDOOR_CMD_GETTIMEFULL, 0), old = matrix_vmw_regs(BDOOR_CMD_GETTIME, 0);

    matrix_vmw_port(matrix, &full, MATRIX_IN_32);
    matrix_vmw_port(matrix, &old, MATRIX_IN_32);
    if (full.rax == BDOOR_UNSUPPORTED)
        return matrix_skip(matrix, "the time is not told");
    if (full.rax != BDOOR_MAGIC)
        return matrix_fail(matrix, "EAX is not the magic", 0, full.rax);
    uint64_t seconds = (uint64_t)(uint32_t)full.rsi << 32 | (uint32_t)full.rdx;
    if (old.rax - seconds > 1)
        return matrix_fail(matrix, "GETTIME says another second", seconds, old.rax);
    return (uint32_t)full.rbx < 1000000 ? MATRIX_SUCCESS : matrix_fail(matrix, "microseconds", 0, full.rbx);
}

static uint64_t full_time_us(struct matrix *matrix)
{
    struct matrix_regs regs = matrix_vmw_regs(BDOOR_CMD_GETTIMEFULL, 0);

    matrix_vmw_port(matrix, &regs, MATRIX_IN_32);
    return regs.rax == BDOOR_MAGIC
               ? ((uint64_t)(uint32_t)regs.rsi << 32 | (uint32_t)regs.rdx) * 1000000 + (uint32_t)regs.rbx : 0;
}

static enum matrix_verdict time_goes_on(struct matrix *matrix)
{
    enum { WAIT_US = 2000 };
    uint64_t before = full_time_us(matrix), after;

    if (!before || !matrix->env->wait)
        return matrix_skip(matrix, "the time is not told, or nothing to wait by");
    matrix->env->wait(matrix->env->ctx, WAIT_US * 1000);
    after = full_time_us(matrix);
    return after >= before + WAIT_US / 2 ? MATRIX_SUCCESS : matrix_fail(matrix, "it stands", before, after);
}

static enum matrix_verdict reserved_bit(struct matrix *matrix)
{
    struct matrix_regs regs = matrix_vmw_regs(BDOOR_CMD_GET_VCPU_INFO, 0);

    matrix_vmw_port(matrix, &regs, MATRIX_IN_32);
    if (regs.rax == BDOOR_UNSUPPORTED)
        return matrix_skip(matrix, "not there");
    return regs.rax >> BDOOR_CMD_VCPU_RESERVED & 1 ? matrix_fail(matrix, "it is set", 0, regs.rax) : MATRIX_SUCCESS;
}

/* Linux switches x2APIC off without it, where no device's interrupt has to find an APIC of a number above 254. */
static enum matrix_verdict x2apic_bit(struct matrix *matrix)
{
    struct matrix_regs regs = matrix_vmw_regs(BDOOR_CMD_GET_VCPU_INFO, 0);
    bool has_leaf = matrix->env->can & MATRIX_HAS_LEAF_1;

    matrix_vmw_port(matrix, &regs, MATRIX_IN_32);
    if (regs.rax == BDOOR_UNSUPPORTED || (has_leaf && !(matrix_cpuid(matrix, 1, ECX) >> CPUID_1_ECX_X2APIC & 1)))
        return matrix_skip(matrix, "the command or x2APIC is not there");
    return regs.rax >> BDOOR_CMD_VCPU_LEGACY_X2APIC_OK & 1 ? MATRIX_SUCCESS
                                                           : matrix_fail(matrix, "it is clear", 0, regs.rax);
}

static uint64_t set_steal_clock(struct matrix *matrix, uint64_t gpa)
{
    struct matrix_regs regs = matrix_vmw_regs(BDOOR_CMD_STEALCLOCK, 0);

    regs.rsi = (regs.rsi & UPPER_MASK) | gpa >> 32;
    regs.rdi = (regs.rdi & UPPER_MASK) | (uint32_t)gpa;
    matrix_vmw_port(matrix, &regs, MATRIX_IN_32);
    return regs.rax;
}

static enum matrix_verdict steal_clock(struct matrix *matrix)
{
    enum { OFF = 1 };
    static const uint32_t misaligned[] = {8, 32, 63, 1};
    uint64_t gpa = matrix->env->page[0].gpa, got;

    if (!(matrix->env->can & MATRIX_MAY_ACT))
        return matrix_skip(matrix, "it would change the machine");
    if (set_steal_clock(matrix, gpa) != BDOOR_STEALCLOCK_STATUS_ENABLED)
        return matrix_skip(matrix, "not there");
    for (uint32_t i = 0; i < 4; i++) {
        got = set_steal_clock(matrix, gpa + misaligned[i]);
        set_steal_clock(matrix, OFF);
        if (got != BDOOR_STEALCLOCK_STATUS_DISABLED)
            return matrix_fail(matrix, "it is kept there", misaligned[i], got);
    }
    return MATRIX_SUCCESS;
}

static uint64_t gui_options(struct matrix *matrix, uint32_t command, uint32_t options)
{
    struct matrix_regs regs = matrix_vmw_regs(command, 0);

    regs.rbx = (regs.rbx & UPPER_MASK) | options;
    matrix_vmw_port(matrix, &regs, MATRIX_IN_32);
    return regs.rax;
}

static enum matrix_verdict sync_option(struct matrix *matrix)
{
    uint64_t before = gui_options(matrix, BDOOR_CMD_GETGUIOPTIONS, 0), got;

    if (!(matrix->env->can & MATRIX_MAY_ACT) || before == BDOOR_UNSUPPORTED)
        return matrix_skip(matrix, "not there, or it would change the machine");
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t wanted = ((uint32_t)before & VMWARE_GUI_SYNC_TIME) ^ (i == 0 ? VMWARE_GUI_SYNC_TIME : 0);

        gui_options(matrix, BDOOR_CMD_SETGUIOPTIONS, wanted);
        got = gui_options(matrix, BDOOR_CMD_GETGUIOPTIONS, 0);
        if ((got & VMWARE_GUI_SYNC_TIME) != wanted)
            return matrix_fail(matrix, "it is not what was set", wanted, got);
    }
    return MATRIX_SUCCESS;
}

/* Of hosts that have them: the three that KVM's kernel knows are all there, and go on. */
static enum matrix_verdict pseudo_counters(struct matrix *matrix)
{
    static const uint32_t index[] = {BDOOR_PMC_HW_TSC, BDOOR_PMC_REAL_NS, BDOOR_PMC_APPARENT_NS};
    uint64_t before, after;

    if (!matrix->env->rdpmc || !matrix->env->wait)
        return matrix_skip(matrix, "no RDPMC or no clock here");
    if (matrix->env->rdpmc(matrix->env->ctx, BDOOR_PMC_HW_TSC, &before) != MATRIX_NO_FAULT)
        return matrix_skip(matrix, "this host has none");
    for (uint32_t i = 0; i < 3; i++) {
        if (matrix->env->rdpmc(matrix->env->ctx, index[i], &before) != MATRIX_NO_FAULT)
            return matrix_fail(matrix, "one of three is missing", index[i], 0);
        matrix->env->wait(matrix->env->ctx, 1000000);
        matrix->env->rdpmc(matrix->env->ctx, index[i], &after);
        if (after <= before)
            return matrix_fail(matrix, "it does not go on", index[i], after);
    }
    return MATRIX_SUCCESS;
}

/* --- transports --------------------------------------------------------------------------------------------------- */

static enum matrix_verdict out_leaves_eax(struct matrix *matrix)
{
    static const enum matrix_port how[] = {MATRIX_OUT_32, MATRIX_OUT_8};

    for (uint32_t i = 0; i < 2; i++) {
        struct matrix_regs regs = matrix_vmw_regs(BDOOR_CMD_GETVERSION, 0);

        regs.rax |= upper_half(7);
        if (matrix_vmw_port(matrix, &regs, how[i]) != MATRIX_NO_FAULT)
            return matrix_fail(matrix, "it faults", i, 0);
        if (regs.rax != (upper_half(7) | BDOOR_MAGIC))
            return matrix_fail(matrix, "RAX changed", i, regs.rax);
        if (regs.rbx != (upper_half(1) | BDOOR_MAGIC))
            return matrix_fail(matrix, "EBX is not what IN gives", i, regs.rbx);
    }
    return MATRIX_SUCCESS;
}

static enum matrix_verdict narrow_in(struct matrix *matrix)
{
    struct matrix_regs regs = matrix_vmw_regs(BDOOR_CMD_GETVERSION, 0);

    regs.rax |= upper_half(7);
    matrix_vmw_port(matrix, &regs, MATRIX_IN_8);
    if (regs.rax != (upper_half(7) | (BDOOR_MAGIC & ~0xffu) | VERSION_MAGIC))
        return matrix_fail(matrix, "IN AL changes more than AL", 1, regs.rax);
    regs = matrix_vmw_regs(BDOOR_CMD_GETVERSION, 0);
    regs.rax |= upper_half(7);
    matrix_vmw_port(matrix, &regs, MATRIX_IN_16);
    if (regs.rax != (upper_half(7) | (BDOOR_MAGIC & ~0xffffu) | VERSION_MAGIC))
        return matrix_fail(matrix, "IN AX changes more than AX", 2, regs.rax);
    return MATRIX_SUCCESS;
}

static enum matrix_verdict no_magic(struct matrix *matrix)
{
    struct matrix_regs regs = matrix_vmw_regs(BDOOR_CMD_GETVERSION, 0), before;

    regs.rax = BDOOR_MAGIC ^ 1;
    before = regs;
    if (matrix_vmw_port(matrix, &regs, MATRIX_IN_32) != MATRIX_NO_FAULT || regs.rax != UINT32_MAX)
        return matrix_fail(matrix, "the bus does not float", 0, regs.rax);
    return others_are_equal(&regs, &before) ? MATRIX_SUCCESS : matrix_fail(matrix, "a register changed", 0, regs.rbx);
}

static const struct {
    const char *subject, *check, *ref;
    enum matrix_verdict (*ask)(struct matrix *matrix);
} points[] = {
    {"CPUID", "leaves and instruction bits", "x86cpuid.h", leaves},
    {"GETVERSION", "is what tools believe", "vmcheck.c", version},
    {"GETHZ", "agrees with the timing leaf", "Linux vmware.c", hz},
    {"GETMHZ", "agrees with the timing leaf", "toolboxcmd-stat.c; Linux vmware.c", mhz},
    {"GETMEMSIZE", "is in MiB", "toolboxcmd-stat.c", memory_size},
    {"GETUUID", "has the VM's bytes in their order", "backdoor_def.h", uuid},
    {"GETTIMEFULL", "agrees with GETTIME", "timeSync.c", time_of_day},
    {"GETTIMEFULL", "goes on", "timeSync.c", time_goes_on},
    {"GET_VCPU_INFO", "leaves the reserved bit clear", "Linux vmware.c", reserved_bit},
    {"GET_VCPU_INFO", "allows x2APIC without remapping", "Linux vmware.c", x2apic_bit},
    {"STEALCLOCK", "wants a line of 64 bytes", "Linux vmware.c", steal_clock},
    {"GETGUIOPTIONS", "says what SETGUIOPTIONS has set of the clock", "backdoor_def.h", sync_option},
    {"RDPMC", "pseudo counters go on", "backdoor_def.h BDOOR_PMC", pseudo_counters},
    {"backdoor", "OUT leaves RAX", "xen-devel, vmport v14", out_leaves_eax},
    {"backdoor", "a narrow IN changes no more than its own", "xen-devel, vmport v14", narrow_in},
    {"backdoor", "without the magic nobody answers", "backdoor_def.h", no_magic},
};

void matrix_vmware(struct matrix *matrix)
{
    matrix_chapter(matrix, "VMware CPUID and port");
    if (!matrix->env->port || !(is_vmware(matrix) || (matrix->env->can & MATRIX_HAS_VMPORT))) {
        if (matrix_begin(matrix, "VMware", "is there", "x86cpuid.h"))
            matrix_end(matrix, matrix_skip(matrix, "no signature VMwareVMware at 0x40000000"));
        return;
    }
    for (uint32_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        if (matrix_begin(matrix, points[i].subject, points[i].check, points[i].ref))
            matrix_end(matrix, points[i].ask(matrix));
    }
    matrix_chapter(matrix, "VMware commands");
    for (uint32_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        ask_command(matrix, &commands[i]);
    matrix_chapter(matrix, "VMware GuestRPC");
    matrix_vmw_ask_guestrpc(matrix, 0);
    if (matrix->env->can & MATRIX_CAN_CPL3_PORT)
        matrix_vmw_ask_guestrpc(matrix, 3);
}
