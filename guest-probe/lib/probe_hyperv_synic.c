/*
 * Hyper-V's SynIC: its registers and pages, synthetic timers in their modes, messages and events by connections.
 *
 * [TLFS] inter-partition-communication and timers. Where the host has an echo service (hvshim vm --hyperv-echo 1000),
 * what is posted and signalled to connection 1000 + n comes back on SINTn; elsewhere the calls must say that there is
 * no such connection. Left out: AutoEOI, polling, more than one vCPU.
 */
#include "probe_hyperv.h"

#include "cpu.h"
#include "env.h"

enum {
    SINT = 2,
    BAD_VECTOR = 15,
    ECHO_CONNECTION = 1000 + SINT,
    NO_CONNECTION = 0xfffffe,
    MESSAGE_TYPE = 0x1234,
    EVENT_FLAG = 1234,
    PATTERN = 0xa5,
    ONE_SHOT_100NS = 20000,
    FAR_100NS = 10000000,
    PERIOD_100NS = 10000,
    NR_PERIODS = 8,
    WAIT_MS = 3000,
    SETTLE_NS = 2000000,
    MAX_STRAYS = 16,                    /* interrupts that were on their way when their cause was switched off */
};

#define WAIT_NS (WAIT_MS * 1000000ull)
#define DIRECT (HV_STIMER_DIRECT_MODE | (uint64_t)env_vector() << HV_STIMER_APIC_VECTOR_SHIFT)
#define TO_SINT ((uint64_t)SINT << HV_STIMER_SINTX_SHIFT)

static struct {
    struct hv_message_page *messages;
    struct hv_synic_event_flags_page *flags;
    struct hv_input_post_message *input;
    bool is_on;
    bool has_message_echo, has_event_echo;
} synic;

void probe_hyperv_synic_begin(const struct probe_interface *face)
{
    synic.is_on = synic.has_message_echo = synic.has_event_echo = false;
    if (!probe_hyperv_has_synic(face))
        return;
    synic.messages = env_page();
    synic.flags = env_page();
    synic.input = env_page();
}

static uint64_t read_msr(uint32_t index)
{
    uint64_t value;
    return env_rdmsr(index, &value) == ENV_DONE ? value : UINT64_MAX;
}

static uint64_t now_100ns(void)
{
    return read_msr(HV_X64_MSR_TIME_REF_COUNT);
}

/* --- registers ---------------------------------------------------------------------------------------------------- */

bool probe_hyperv_has_synic(const struct probe_interface *face)
{
    return probe_hyperv_has_privilege(face, HV_ACCESS_SYNIC_REGS);
}

static void fill(void *page, uint8_t value)
{
    for (uint32_t i = 0; i < ENV_PAGE_BYTES; i++)
        ((volatile uint8_t *)page)[i] = value;
}

static bool is_filled(const void *page, uint8_t value)
{
    for (uint32_t i = 0; i < ENV_PAGE_BYTES; i++)
        if (((const volatile uint8_t *)page)[i] != value)
            return false;
    return true;
}

static enum env_answer lay_page(uint32_t msr, void *page)
{
    fill(page, PATTERN);
    return env_wrmsr(msr, (uintptr_t)page | HV_X64_MSR_PAGE_ENABLE);
}

enum probe_state probe_hyperv_test_synic(const struct probe_interface *face, struct text *evidence)
{
    uint64_t version;
    (void)face;
    if (synic.input == NULL || env_vector() == 0)
        return probe_say(PROBE_UNTESTED, evidence, "takes no interrupts");
    enum env_answer answer = env_rdmsr(HV_X64_MSR_SVERSION, &version);
    if (answer != ENV_DONE)
        return probe_refused(answer, evidence, "reading SVERSION");
    for (uint32_t sint = 0; sint < HV_SYNIC_SINT_COUNT; sint++)
        if (read_msr(HV_X64_MSR_SINT0 + sint) != HV_SYNIC_SINT_MASKED)
            return probe_say(PROBE_BROKEN, evidence, "SINT%u begins unmasked", sint);
    if (env_wrmsr(HV_X64_MSR_SINT0 + SINT, BAD_VECTOR) == ENV_DONE)
        return probe_say(PROBE_BROKEN, evidence, "a SINT takes vector %u", BAD_VECTOR);
    answer = lay_page(HV_X64_MSR_SIMP, synic.messages);
    if (answer == ENV_DONE)
        answer = lay_page(HV_X64_MSR_SIEFP, synic.flags);
    if (answer == ENV_DONE)
        answer = env_wrmsr(HV_X64_MSR_SINT0 + SINT, env_vector());
    if (answer == ENV_DONE)
        answer = env_wrmsr(HV_X64_MSR_SCONTROL, HV_SYNIC_CONTROL_ENABLE);
    if (answer != ENV_DONE)
        return probe_refused(answer, evidence, "enabling it");
    synic.is_on = is_filled(synic.messages, 0) && is_filled(synic.flags, 0);
    text_add(evidence, "version %" PRIu64 ", SINTs masked, vector %u faults, pages %s", version, BAD_VECTOR,
             synic.is_on ? "zero" : "NOT ZERO");
    return version == HV_SYNIC_VERSION && synic.is_on ? PROBE_WORKS : PROBE_BROKEN;
}

void probe_hyperv_write_eom(const struct probe_interface *face)
{
    (void)face;
    cpu_wrmsr(HV_X64_MSR_EOM, 0);
}

static bool gives_back(uint32_t msr, const void *page)
{
    return env_wrmsr(msr, 0) == ENV_DONE && is_filled(page, PATTERN);
}

enum probe_state probe_hyperv_test_synic_off(const struct probe_interface *face, struct text *evidence)
{
    (void)face;
    if (!synic.is_on)
        return probe_say(PROBE_UNTESTED, evidence, "the SynIC is not on");
    env_wrmsr(HV_X64_MSR_SINT0 + SINT, HV_SYNIC_SINT_MASKED);
    env_wrmsr(HV_X64_MSR_SCONTROL, 0);
    bool is_sim_good = gives_back(HV_X64_MSR_SIMP, synic.messages);
    bool is_sief_good = gives_back(HV_X64_MSR_SIEFP, synic.flags);
    text_add(evidence, "SIM page %s, SIEF page %s", is_sim_good ? "does" : "DOES NOT",
             is_sief_good ? "does" : "DOES NOT");
    return is_sim_good && is_sief_good ? PROBE_WORKS : PROBE_BROKEN;
}

void probe_hyperv_synic_end(const struct probe_interface *face)
{
    for (uint32_t timer = 0; probe_hyperv_has_stimer(face) && timer < HV_SYNIC_STIMER_COUNT; timer++)
        env_wrmsr(HV_X64_MSR_STIMER0_CONFIG + 2 * timer, 0);
    if (!probe_hyperv_has_synic(face))
        return;
    env_wrmsr(HV_X64_MSR_SINT0 + SINT, HV_SYNIC_SINT_MASKED);
    env_wrmsr(HV_X64_MSR_SCONTROL, 0);
    env_wrmsr(HV_X64_MSR_SIMP, 0);
    env_wrmsr(HV_X64_MSR_SIEFP, 0);
}

/* --- messages in the SIM page ------------------------------------------------------------------------------------- */

static volatile struct hv_message *slot(void)
{
    return &synic.messages->sint_message[SINT];
}

/* Gives the slot back, and asks for the next message where one waits. */
static void take_message(void)
{
    slot()->header.message_type = HV_MESSAGE_TYPE_NONE;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (slot()->header.message_flags & HV_MESSAGE_FLAG_PENDING)
        cpu_wrmsr(HV_X64_MSR_EOM, 0);
}

/* Waits for an interrupt with a message of this type, and takes others that were on their way. Arm before its cause. */
static bool wait_message(uint32_t type)
{
    for (uint32_t strays = 0; strays < MAX_STRAYS; strays++) {
        if (!env_interrupt_wait(WAIT_NS))
            return false;
        env_interrupt_arm();
        if (slot()->header.message_type == type)
            return true;
        take_message();
    }
    return false;
}

/* --- timers ------------------------------------------------------------------------------------------------------- */

static bool has_reference_counter(const struct probe_interface *face)
{
    return probe_hyperv_has_privilege(face, HV_ACCESS_PARTITION_REFERENCE_COUNTER);
}

bool probe_hyperv_has_stimer(const struct probe_interface *face)
{
    return probe_hyperv_has_privilege(face, HV_ACCESS_SYNTHETIC_TIMER_REGS) && has_reference_counter(face);
}

bool probe_hyperv_has_direct_stimer(const struct probe_interface *face)
{
    return probe_hyperv_has_stimer(face) && probe_hyperv_has_feature(face, HV_DIRECT_SYNTHETIC_TIMERS);
}

static enum env_answer set_timer(uint32_t timer, uint64_t config, uint64_t count)
{
    enum env_answer answer = env_wrmsr(HV_X64_MSR_STIMER0_CONFIG + 2 * timer, config | HV_STIMER_AUTO_ENABLE);
    return answer == ENV_DONE ? env_wrmsr(HV_X64_MSR_STIMER0_COUNT + 2 * timer, count) : answer;
}

/* Stops all timers, lets everything that is underway arrive, and begins anew. */
static void settle(void)
{
    bool is_quiet = false;
    for (uint32_t timer = 0; timer < HV_SYNIC_STIMER_COUNT; timer++)
        env_wrmsr(HV_X64_MSR_STIMER0_CONFIG + 2 * timer, 0);
    for (uint32_t strays = 0; !is_quiet && strays < MAX_STRAYS; strays++) {
        env_interrupt_arm();
        is_quiet = !env_interrupt_wait(SETTLE_NS);
        if (synic.is_on)
            take_message();
    }
    env_interrupt_arm();
}

static bool is_enabled(uint32_t timer)
{
    return (read_msr(HV_X64_MSR_STIMER0_CONFIG + 2 * timer) & HV_STIMER_ENABLE) != 0;
}

/* Waits for an interrupt, and until the timer has disabled itself: before that it was another's. */
static bool wait_expired(uint32_t timer)
{
    for (uint32_t strays = 0; strays < MAX_STRAYS; strays++) {
        if (!env_interrupt_wait(WAIT_NS))
            return false;
        if (!is_enabled(timer))
            return true;
        env_interrupt_arm();
    }
    return false;
}

/* Sets a one-shot timer and waits for its interrupt. Returns PROBE_WORKS with the time it came, or what is wrong. */
static enum probe_state run_one_shot(uint32_t timer, uint64_t mode, uint64_t *deadline, uint64_t *fired,
                                     struct text *evidence)
{
    settle();
    *deadline = now_100ns() + ONE_SHOT_100NS;
    enum env_answer answer = set_timer(timer, mode, *deadline);
    if (answer != ENV_DONE)
        return probe_refused(answer, evidence, "setting the timer");
    if (!wait_expired(timer))
        return probe_say(PROBE_BROKEN, evidence, "no interrupt within %u ms, or still enabled", WAIT_MS);
    *fired = now_100ns();
    if (*fired < *deadline)
        return probe_say(PROBE_BROKEN, evidence, "%" PRIu64 " x 100 ns too early", *deadline - *fired);
    return PROBE_WORKS;
}

enum probe_state probe_hyperv_test_stimer_direct(const struct probe_interface *face, struct text *evidence)
{
    uint64_t deadline, fired;
    (void)face;
    if (env_vector() == 0)
        return probe_say(PROBE_UNTESTED, evidence, "takes no interrupts");
    enum probe_state state = run_one_shot(0, DIRECT, &deadline, &fired, evidence);
    if (state == PROBE_WORKS)
        text_add(evidence, "interrupt %" PRIu64 " ns after its time", (fired - deadline) * 100);
    return state;
}

/* As a guest's clock event does for each tick. */
void probe_hyperv_set_stimer(const struct probe_interface *face)
{
    (void)face;
    cpu_wrmsr(HV_X64_MSR_STIMER0_COUNT, cpu_rdmsr(HV_X64_MSR_TIME_REF_COUNT) + FAR_100NS);
}

/* Starts timer 2. Returns PROBE_WORKS with the moments of `nr` interrupts, by the TSC, or what is wrong. */
static enum probe_state run_periodic(uint64_t period_100ns, uint64_t *tick, uint32_t nr, struct text *evidence)
{
    enum env_answer answer = set_timer(2, DIRECT | HV_STIMER_PERIODIC, period_100ns);
    if (answer != ENV_DONE)
        return probe_refused(answer, evidence, "setting the timer");
    for (uint32_t i = 0; i < nr; i++) {
        if (!env_interrupt_wait(WAIT_NS))
            return probe_say(PROBE_BROKEN, evidence, "%u interrupts, then none within %u ms", i, WAIT_MS);
        tick[i] = cpu_rdtsc();
        env_interrupt_arm();
    }
    env_wrmsr(HV_X64_MSR_STIMER0_CONFIG + 4, 0);
    return PROBE_WORKS;
}

enum probe_state probe_hyperv_test_stimer_periodic(const struct probe_interface *face, struct text *evidence)
{
    uint64_t tick[PROBE_LONG_NR_TICKS];
    (void)face;
    if (env_vector() == 0)
        return probe_say(PROBE_UNTESTED, evidence, "takes no interrupts");
    settle();
    if (probe_current_options()->is_long) {
        enum probe_state state = run_periodic(PROBE_LONG_PERIOD_MS * 10000, tick, PROBE_LONG_NR_TICKS, evidence);
        return state == PROBE_WORKS ? probe_judge_ticks(tick, evidence) : state;
    }
    uint64_t begin = now_100ns();
    enum probe_state state = run_periodic(PERIOD_100NS, tick, NR_PERIODS, evidence);
    uint64_t spent = now_100ns() - begin;
    if (state != PROBE_WORKS)
        return state;
    text_add(evidence, "%u periods of %u us in %" PRIu64 " us", NR_PERIODS, PERIOD_100NS / 10, spent / 10);
    return spent >= PERIOD_100NS * (NR_PERIODS - 1) ? PROBE_WORKS : PROBE_BROKEN;
}

enum probe_state probe_hyperv_test_stimer_message(const struct probe_interface *face, struct text *evidence)
{
    uint64_t deadline, fired;
    (void)face;
    if (!synic.is_on)
        return probe_say(PROBE_UNTESTED, evidence, "the SynIC is not on");
    enum probe_state state = run_one_shot(1, TO_SINT, &deadline, &fired, evidence);
    if (state != PROBE_WORKS)
        return state;

    const volatile struct hv_timer_message_payload *payload = (const volatile void *)slot()->payload;
    bool is_right = slot()->header.message_type == HV_MESSAGE_TYPE_TIMER_EXPIRED && payload->timer_index == 1 &&
                    payload->expiration_time == deadline && payload->delivery_time >= deadline;
    text_add(evidence, "message %s %" PRIu64 " ns after its time", is_right ? "delivered" : "WRONG,",
             (payload->delivery_time - deadline) * 100);
    take_message();
    return is_right ? PROBE_WORKS : PROBE_BROKEN;
}

/* A timer whose time has passed: from setting it to the end of the handler. */
void probe_hyperv_stimer_message(const struct probe_interface *face)
{
    (void)face;
    env_interrupt_arm();
    cpu_wrmsr(HV_X64_MSR_STIMER0_COUNT + 2, 1);
    if (wait_message(HV_MESSAGE_TYPE_TIMER_EXPIRED))
        take_message();
}

/* --- connections -------------------------------------------------------------------------------------------------- */

static uint32_t status_of(uint64_t result)
{
    return (uint32_t)(result & HV_HYPERCALL_STATUS_MASK);
}

/* The last line where nobody echoes: the calls must have said so. */
static enum probe_state without_echo(uint64_t unknown, uint64_t echo, struct text *evidence)
{
    text_add(evidence, "unknown connection gives status 0x%x", status_of(unknown));
    if (echo != HV_STATUS_SUCCESS)
        text_add(evidence, ", no echo service");
    return unknown == HV_STATUS_INVALID_CONNECTION_ID && echo == unknown ? PROBE_WORKS : PROBE_BROKEN;
}

typedef uint64_t call_fn(uint64_t control, uint64_t input);

static uint64_t post(call_fn *call, uint32_t connection)
{
    *synic.input = (struct hv_input_post_message){
        .connection_id = connection, .message_type = MESSAGE_TYPE, .payload_size = 5, .message = "hello"};
    return call(HvCallPostMessage, (uintptr_t)synic.input);
}

bool probe_hyperv_has_post_message(const struct probe_interface *face)
{
    return probe_hyperv_has_synic(face) && probe_hyperv_has_privilege_high(face, HV_POST_MESSAGES);
}

static bool is_echo(void)
{
    static const char text[] = "hello";
    for (uint32_t i = 0; i < sizeof(text) - 1; i++)
        if (((const volatile char *)slot()->payload)[i] != text[i])
            return false;
    return slot()->header.payload_size == sizeof(text) - 1;
}

enum probe_state probe_hyperv_test_post_message(const struct probe_interface *face, struct text *evidence)
{
    (void)face;
    if (!synic.is_on)
        return probe_say(PROBE_UNTESTED, evidence, "the SynIC is not on");
    settle();
    uint64_t unknown = post(probe_hyperv_call, NO_CONNECTION);
    uint64_t echo = post(probe_hyperv_call, ECHO_CONNECTION);
    if (echo != HV_STATUS_SUCCESS || unknown != HV_STATUS_INVALID_CONNECTION_ID)
        return without_echo(unknown, echo, evidence);
    if (!wait_message(MESSAGE_TYPE))
        return probe_say(PROBE_BROKEN, evidence, "posted, no echo within %u ms", WAIT_MS);
    synic.has_message_echo = is_echo();
    text_add(evidence, "echo %s, unknown connection gives status 0x%x",
             synic.has_message_echo ? "came back" : "IS ANOTHER MESSAGE", status_of(unknown));
    take_message();
    return synic.has_message_echo ? PROBE_WORKS : PROBE_BROKEN;
}

/* To the echo service and back, or just the call. */
void probe_hyperv_post_message(const struct probe_interface *face)
{
    (void)face;
    env_interrupt_arm();
    post(probe_hyperv_call_unchecked, synic.has_message_echo ? ECHO_CONNECTION : NO_CONNECTION);
    if (synic.has_message_echo && wait_message(MESSAGE_TYPE))
        take_message();
}

static uint64_t signal_event(call_fn *call, uint32_t connection)
{
    return call(HvCallSignalEvent | HV_HYPERCALL_FAST, connection | (uint64_t)EVENT_FLAG << 32);
}

/* Clears the flag; says whether it was set. */
static bool take_flag(void)
{
    uint8_t bit = 1u << EVENT_FLAG % 8;
    return __atomic_fetch_and(&synic.flags->sint_flags[SINT][EVENT_FLAG / 8], (uint8_t)~bit, __ATOMIC_SEQ_CST) & bit;
}

/* Waits for an interrupt with the flag, and clears it. Arm before its cause. */
static bool wait_flag(void)
{
    for (uint32_t strays = 0; strays < MAX_STRAYS; strays++) {
        if (!env_interrupt_wait(WAIT_NS))
            return false;
        env_interrupt_arm();
        if (take_flag())
            return true;
    }
    return false;
}

bool probe_hyperv_has_signal_event(const struct probe_interface *face)
{
    return probe_hyperv_has_synic(face) && probe_hyperv_has_privilege_high(face, HV_SIGNAL_EVENTS);
}

enum probe_state probe_hyperv_test_signal_event(const struct probe_interface *face, struct text *evidence)
{
    (void)face;
    if (!synic.is_on)
        return probe_say(PROBE_UNTESTED, evidence, "the SynIC is not on");
    settle();
    uint64_t unknown = signal_event(probe_hyperv_call, NO_CONNECTION);
    uint64_t echo = signal_event(probe_hyperv_call, ECHO_CONNECTION);
    if (echo != HV_STATUS_SUCCESS || unknown != HV_STATUS_INVALID_CONNECTION_ID)
        return without_echo(unknown, echo, evidence);
    synic.has_event_echo = wait_flag();
    if (!synic.has_event_echo)
        return probe_say(PROBE_BROKEN, evidence, "signalled, no echo within %u ms", WAIT_MS);
    return probe_say(PROBE_WORKS, evidence, "flag %u came back, unknown connection gives status 0x%x", EVENT_FLAG,
                     status_of(unknown));
}

void probe_hyperv_signal_event(const struct probe_interface *face)
{
    (void)face;
    env_interrupt_arm();
    signal_event(probe_hyperv_call_unchecked, synic.has_event_echo ? ECHO_CONNECTION : NO_CONNECTION);
    if (synic.has_event_echo)
        wait_flag();
}
