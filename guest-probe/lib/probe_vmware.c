/*
 * VMware's interface: the timing leaf and the backdoor port [open-vm-tools backdoor_def.h, x86cpuid.h].
 *
 * A backdoor command is an IN that may change six registers, and of each the low half only. Left out: the host's
 * messages to the guest, the high-bandwidth port, the balloon, the steal clock, the VMCALL form.
 */
#include "env.h"
#include "probe.h"

#include "vmw_abi.h"

enum { UNKNOWN_COMMAND = 0x7e };

#define UPPER_HALVES 0xa5a5a5a500000000ull
#define UPPER_MASK 0xffffffff00000000ull

static enum env_answer command(uint32_t number, struct env_regs *regs)
{
    *regs = (struct env_regs){
        .rax = BDOOR_MAGIC,
        .rbx = UPPER_HALVES,
        .rcx = UPPER_HALVES | number,
        .rdx = UPPER_HALVES | BDOOR_PORT,
        .rsi = UPPER_HALVES,
        .rdi = UPPER_HALVES,
    };
    return env_in32(regs);
}

static enum probe_state port_refused(enum env_answer answer, struct text *evidence)
{
    if (answer == ENV_CANNOT)
        return probe_say(PROBE_UNTESTED, evidence, "needs CPL 0 or IOPL 3");
    return probe_say(PROBE_BROKEN, evidence, "IN from port 0x%x raised an exception", BDOOR_PORT);
}

bool probe_vmware_by_port(struct probe_interface *face)
{
    struct env_regs regs;
    if (command(BDOOR_CMD_GETVERSION, &regs) != ENV_DONE || (uint32_t)regs.rbx != BDOOR_MAGIC)
        return false;
    *face = (struct probe_interface){.suite = &probe_vmware, .title = probe_vmware.title};
    return true;
}

static bool always(const struct probe_interface *face)
{
    (void)face;
    return true;
}

/* --- timing leaf -------------------------------------------------------------------------------------------------- */

static struct env_cpuid timing_leaf(const struct probe_interface *face)
{
    struct env_cpuid regs = {0};
    uint32_t leaf = face->base + (VMW_CPUID_TIMING - VMW_CPUID_SIGNATURE);
    if (face->base != 0 && face->max_leaf >= leaf)
        env_cpuid(leaf, 0, &regs);
    return regs;
}

static bool has_timing_leaf(const struct probe_interface *face)
{
    return timing_leaf(face).eax != 0;
}

static void read_timing_leaf(const struct probe_interface *face)
{
    timing_leaf(face);
}

/* What leaf and GETHZ both tell, against the clocks of the machine. */
static enum probe_state compare_rates(uint64_t tsc_khz, uint64_t apic_khz, struct text *evidence)
{
    const char *source;
    uint64_t real_tsc_khz = env_tsc_khz(&source);
    uint64_t real_apic_khz = env_apic_khz();

    text_add(evidence, "TSC %" PRIu64 " kHz (%s %" PRIu64 "), APIC timer %" PRIu64 " kHz", tsc_khz, source,
             real_tsc_khz, apic_khz);
    if (real_apic_khz != 0)
        text_add(evidence, " (measured %" PRIu64 ")", real_apic_khz);
    if (real_tsc_khz == 0)
        return PROBE_UNTESTED;
    if (!probe_is_near(tsc_khz, real_tsc_khz))
        return PROBE_BROKEN;
    return real_apic_khz == 0 || probe_is_near(apic_khz, real_apic_khz) ? PROBE_WORKS : PROBE_BROKEN;
}

static enum probe_state test_timing_leaf(const struct probe_interface *face, struct text *evidence)
{
    struct env_cpuid regs = timing_leaf(face);
    return compare_rates(regs.eax, regs.ebx, evidence);
}

/* --- backdoor commands -------------------------------------------------------------------------------------------- */

static enum probe_state test_version(const struct probe_interface *face, struct text *evidence)
{
    struct env_regs regs;
    (void)face;
    enum env_answer answer = command(BDOOR_CMD_GETVERSION, &regs);
    if (answer != ENV_DONE)
        return port_refused(answer, evidence);
    if ((uint32_t)regs.rbx != BDOOR_MAGIC)
        return probe_say(PROBE_BROKEN, evidence, "no answer: EAX 0x%x, EBX 0x%x", (uint32_t)regs.rax,
                         (uint32_t)regs.rbx);
    text_add(evidence, "version %u, product %u", (uint32_t)regs.rax, (uint32_t)regs.rcx);
    return (uint32_t)regs.rax == VERSION_MAGIC ? PROBE_WORKS : PROBE_BROKEN;
}

static void get_version(const struct probe_interface *face)
{
    struct env_regs regs;
    (void)face;
    command(BDOOR_CMD_GETVERSION, &regs);
}

/*
 * VMware answers it at CPL 0 only: elsewhere nothing can be said. EBX says too that there is none [Linux
 * arch/x86/kernel/cpu/vmware.c].
 */
static bool has_hz(const struct probe_interface *face)
{
    struct env_regs regs;
    (void)face;
    if (!env_is_cpl0() || command(BDOOR_CMD_GETHZ, &regs) != ENV_DONE)
        return true;
    return (uint32_t)regs.rax != BDOOR_UNSUPPORTED && (uint32_t)regs.rbx != UINT32_MAX;
}

static enum probe_state test_hz(const struct probe_interface *face, struct text *evidence)
{
    struct env_regs regs;
    (void)face;
    enum env_answer answer = command(BDOOR_CMD_GETHZ, &regs);
    if (answer != ENV_DONE)
        return port_refused(answer, evidence);
    uint64_t tsc_hz = (uint64_t)(uint32_t)regs.rbx << 32 | (uint32_t)regs.rax;
    return compare_rates(tsc_hz / 1000, (uint32_t)regs.rcx / 1000, evidence);
}

static void get_hz(const struct probe_interface *face)
{
    struct env_regs regs;
    (void)face;
    command(BDOOR_CMD_GETHZ, &regs);
}

/* The command advertises itself. What cannot be asked from here is left to the test. */
static bool has_vcpu_info(const struct probe_interface *face)
{
    struct env_regs regs;
    (void)face;
    return command(BDOOR_CMD_GET_VCPU_INFO, &regs) != ENV_DONE || (uint32_t)regs.rax != BDOOR_UNSUPPORTED;
}

static enum probe_state test_vcpu_info(const struct probe_interface *face, struct text *evidence)
{
    struct env_regs regs;
    (void)face;
    enum env_answer answer = command(BDOOR_CMD_GET_VCPU_INFO, &regs);
    if (answer != ENV_DONE)
        return port_refused(answer, evidence);
    uint32_t info = (uint32_t)regs.rax;
    text_add(evidence, "0x%x", info);
    if (info & 1u << BDOOR_CMD_VCPU_RESERVED)
        return probe_say(PROBE_BROKEN, evidence, ": the reserved bit is set");
    return probe_say(PROBE_WORKS, evidence, "%s%s", info & 1u << BDOOR_CMD_VCPU_SYNC_VTSCS ? " TSCs in step" : "",
                     info & 1u << BDOOR_CMD_VCPU_LEGACY_X2APIC_OK ? " legacy x2APIC" : "");
}

static void get_vcpu_info(const struct probe_interface *face)
{
    struct env_regs regs;
    (void)face;
    command(BDOOR_CMD_GET_VCPU_INFO, &regs);
}

/* --- register rules ----------------------------------------------------------------------------------------------- */

static const char *changed_upper_half(const struct env_regs *regs)
{
    const struct {
        const char *name;
        uint64_t value;
    } reg[] = {{"RBX", regs->rbx}, {"RCX", regs->rcx}, {"RDX", regs->rdx}, {"RSI", regs->rsi}, {"RDI", regs->rdi}};

    for (uint32_t i = 0; i < sizeof(reg) / sizeof(reg[0]); i++)
        if ((reg[i].value & UPPER_MASK) != UPPER_HALVES)
            return reg[i].name;
    return NULL;
}

static enum probe_state test_upper_halves(const struct probe_interface *face, struct text *evidence)
{
    static const uint32_t number[] = {BDOOR_CMD_GETVERSION, BDOOR_CMD_GETHZ, BDOOR_CMD_GET_VCPU_INFO};
    (void)face;

    for (uint32_t i = 0; i < sizeof(number) / sizeof(number[0]); i++) {
        struct env_regs regs;
        enum env_answer answer = command(number[i], &regs);
        if (answer != ENV_DONE)
            return port_refused(answer, evidence);
        const char *changed = changed_upper_half(&regs);
        if (changed != NULL)
            return probe_say(PROBE_BROKEN, evidence, "command %u changes the upper half of %s", number[i], changed);
    }
    return probe_say(PROBE_WORKS, evidence, "preserved in RBX RCX RDX RSI RDI");
}

static enum probe_state test_unknown(const struct probe_interface *face, struct text *evidence)
{
    struct env_regs regs;
    (void)face;
    enum env_answer answer = command(UNKNOWN_COMMAND, &regs);
    if (answer != ENV_DONE)
        return port_refused(answer, evidence);
    text_add(evidence, "command %u gives EAX 0x%x", UNKNOWN_COMMAND, (uint32_t)regs.rax);
    if ((uint32_t)regs.rbx != 0 || (uint32_t)regs.rsi != 0 || (uint32_t)regs.rdi != 0)
        return probe_say(PROBE_BROKEN, evidence, " and changes other registers");
    return (uint32_t)regs.rax == BDOOR_UNSUPPORTED ? PROBE_WORKS : PROBE_BROKEN;
}

/* --- GuestRPC ----------------------------------------------------------------------------------------------------- */

struct channel {
    uint16_t number;
    uint32_t cookie_high, cookie_low;
};

/* One step of a message. Says whether it succeeded. */
static bool step(const struct channel *channel, uint32_t type, uint32_t ebx, struct env_regs *regs)
{
    *regs = (struct env_regs){
        .rax = BDOOR_MAGIC,
        .rbx = ebx,
        .rcx = type << 16 | BDOOR_CMD_MESSAGE,
        .rdx = (uint32_t)channel->number << 16 | BDOOR_PORT,
        .rsi = channel->cookie_high,
        .rdi = channel->cookie_low,
    };
    return env_in32(regs) == ENV_DONE && regs->rcx >> 16 & MESSAGE_STATUS_SUCCESS;
}

static bool open_channel(struct channel *channel)
{
    struct env_regs regs;
    *channel = (struct channel){0};
    if (!step(channel, MESSAGE_TYPE_OPEN, RPCI_PROTOCOL_NUM | GUESTMSG_FLAG_COOKIE, &regs))
        return false;
    *channel = (struct channel){(uint16_t)(regs.rdx >> 16), (uint32_t)regs.rsi, (uint32_t)regs.rdi};
    return true;
}

static void close_channel(const struct channel *channel)
{
    struct env_regs regs;
    step(channel, MESSAGE_TYPE_CLOSE, 0, &regs);
}

/* What cannot be asked from here is left to the test. */
static bool has_guestrpc(const struct probe_interface *face)
{
    struct channel channel;
    struct env_regs regs;
    (void)face;
    if (command(BDOOR_CMD_GETVERSION, &regs) != ENV_DONE)
        return true;
    if (!open_channel(&channel))
        return false;
    close_channel(&channel);
    return true;
}

/* Hosts that do not know the request say so by a message too. */
static const char *ask(const struct channel *channel, const char request[12], uint32_t reply[2])
{
    struct env_regs regs;
    if (!step(channel, MESSAGE_TYPE_SENDSIZE, 12, &regs))
        return "SENDSIZE";
    for (uint32_t at = 0; at < 12; at += 4) {
        uint32_t word;
        __builtin_memcpy(&word, request + at, 4);
        if (!step(channel, MESSAGE_TYPE_SENDPAYLOAD, word, &regs))
            return "SENDPAYLOAD";
    }
    if (!step(channel, MESSAGE_TYPE_RECVSIZE, 0, &regs) || !(regs.rcx >> 16 & MESSAGE_STATUS_DORECV))
        return "RECVSIZE";
    reply[0] = (uint32_t)regs.rbx;
    if (!step(channel, MESSAGE_TYPE_RECVPAYLOAD, MESSAGE_STATUS_SUCCESS, &regs))
        return "RECVPAYLOAD";
    reply[1] = (uint32_t)regs.rbx;
    return NULL;
}

static enum probe_state test_guestrpc(const struct probe_interface *face, struct text *evidence)
{
    struct channel channel;
    struct env_regs regs;
    uint32_t reply[2] = {0};
    (void)face;
    enum env_answer answer = command(BDOOR_CMD_GETVERSION, &regs);
    if (answer != ENV_DONE)
        return port_refused(answer, evidence);
    if (!open_channel(&channel))
        return probe_say(PROBE_BROKEN, evidence, "no channel opens any more");
    const char *refused = ask(&channel, "info-get  no", reply);
    close_channel(&channel);
    if (refused)
        return probe_say(PROBE_BROKEN, evidence, "%s fails", refused);
    text_add(evidence, "channel %u, a reply of %u bytes", channel.number, reply[0]);
    /* "0 " or "1 ", and a text */
    if (reply[0] < 2 || ((reply[1] & 0xffff) != ('0' | ' ' << 8) && (reply[1] & 0xffff) != ('1' | ' ' << 8)))
        return probe_say(PROBE_BROKEN, evidence, " that begins with 0x%x", reply[1]);
    return PROBE_WORKS;
}

static void begin(const struct probe_interface *face)
{
    (void)face;
}

static const struct probe_feature features[] = {
    {"timing leaf", has_timing_leaf, test_timing_leaf, read_timing_leaf, PROBE_FROM_ANY_CPL, NULL,
     "x86cpuid.h leaf 0x40000010"},
    {"GETVERSION", always, test_version, get_version, PROBE_FROM_ANY_CPL, NULL, "backdoor_def.h 10"},
    {"GETHZ", has_hz, test_hz, get_hz, PROBE_FROM_CPL0, NULL, "backdoor_def.h 45"},
    {"GET_VCPU_INFO", has_vcpu_info, test_vcpu_info, get_vcpu_info, PROBE_FROM_ANY_CPL, NULL, "backdoor_def.h 68"},
    {"GuestRPC", has_guestrpc, test_guestrpc, NULL, PROBE_FROM_ANY_CPL, NULL, "backdoor_def.h 30, guest_msg_def.h"},
    {"upper register halves", always, test_upper_halves, NULL, PROBE_FROM_ANY_CPL, NULL, "backdoor_def.h"},
    {"unknown command", always, test_unknown, NULL, PROBE_FROM_ANY_CPL, NULL, "backdoor_def.h"},
};

const struct probe_suite probe_vmware = {
    .name = "vmware",
    .title = "VMware",
    .begin = begin,
    .feature = features,
    .nr_features = sizeof(features) / sizeof(features[0]),
    .clock = {"timing leaf", "GETHZ"},
    .clock_is_tsc = true,
};
