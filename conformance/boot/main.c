/*
 * hvshim-conform: a kernel that runs the matrices on the machine it finds itself on.
 *
 * Boots by multiboot or PVH. A line for each point that did not go as the specification says, then the count, on the
 * serial port; the status goes to the isa-debug-exit port. Words of the command line:
 *   all            a line for every point
 *   names          a line before each point, with its number, and one for each chapter
 *   only=TEXT      only points whose "chapter: subject: check" has TEXT in it; a + in TEXT is a space
 *   from=N         begins at the point of this number
 *   acts           also what could change the machine
 *   vmport         asks VMware's port also where CPUID does not speak of VMware
 *   vmcall         asks KVM's hypercalls, by an instruction that does not come back on hosts without hardware beneath
 *   bench          measures what operations cost, and asks nothing; bench=NUMBER,TIMES: see bench.c
 *   rpc-words, rpc-blocks      only reads guestinfo.bench, 10 times
 *   tell           at the end tells of ERRORs, FAILUREs and the count by the interface's own channel; a Hyper-V guest
 *                  crashes by that
 *   screen         says it on the screen as well, which must be in VGA's text mode
 *   stay           waits at the end, where a machine without that port would be reset
 * Without a command line they are taken from behind "hvshim-words:" in the image.
 * Pages and registers that the matrices change are put back as far as they can be.
 *
 * Below 3 GiB of RAM it takes the address 0xd0000000 for a place where neither RAM nor a device is.
 */
#include "conform.h"

#include "bench.h"
#include "boot.h"
#include "cpu.h"
#include "env.h"
#include "text.h"

enum { NR_READINGS = 10, LAST_LINE = 160 };
enum { CR4_SSE = 0x600, CR0_EM = 4, CR0_TS = 8, VECTORS_OF_EXCEPTIONS = 32 };
#define HOLE_GPA 0xd0000000ull
#define PORT_UNUSED 0x80
#define PORT_DEBUG_EXIT 0xf4

static struct {
    bool is_wordy, has_names;
    const char *only;           /* up to a space; NULL: all */
    const char *chapter;        /* that was said last */
    uint32_t from;              /* number of the first point that runs */
    uint32_t nr;                /* points that were begun */
    bool has_screen, stays, tells;
} asked;

/* What is to be told at the end: as many lines as fit, and the last. */
static struct {
    char text[4096];
    uint32_t bytes;
} told;

void env_print(const char *text, size_t bytes)
{
    boot_serial_write(text, bytes);
    if (asked.has_screen)
        conform_screen_write(text, bytes);
}

static void note(const char *line, uint32_t bytes, uint32_t room)
{
    if (told.bytes + bytes > room)
        return;
    for (uint32_t i = 0; i < bytes; i++)
        told.text[told.bytes++] = line[i];
}

static void enable_sse(void)
{
    uint64_t cr0, cr4;

    __asm__ volatile("mov %%cr0, %0; mov %%cr4, %1" : "=r"(cr0), "=r"(cr4));
    __asm__ volatile("mov %0, %%cr0; mov %1, %%cr4" : : "r"(cr0 & ~(uint64_t)(CR0_EM | CR0_TS)), "r"(cr4 | CR4_SSE));
}

/* --- the machine -------------------------------------------------------------------------------------------------- */

static void machine_cpuid(void *ctx, uint32_t vp, uint32_t leaf, uint32_t regs[4])
{
    struct conform_work work = {.order = CONFORM_CPUID, .index = leaf};

    (void)ctx;
    conform_cpus_do(vp, &work);
    for (uint32_t i = 0; i < 4; i++)
        regs[i] = work.regs[i];
}

static int machine_rdmsr(void *ctx, uint32_t vp, uint32_t index, uint64_t *value)
{
    struct conform_work work = {.order = CONFORM_RDMSR, .index = index};

    (void)ctx;
    conform_cpus_do(vp, &work);
    *value = work.value;
    return work.fault;
}

static int machine_wrmsr(void *ctx, uint32_t vp, uint32_t index, uint64_t value)
{
    struct conform_work work = {.order = CONFORM_WRMSR, .index = index, .value = value};

    (void)ctx;
    conform_cpus_do(vp, &work);
    return work.fault;
}

struct call {
    struct matrix_regs *regs;
    uint64_t page;
};

static void call_page(void *arg)
{
    const struct call *call = arg;

    if (call->regs->code_bits == 32)
        conform_call32(call->regs, call->page);
    else
        conform_call(call->regs, call->page);
}

/* The matrix has put the hypercall page where its third page is. */
static int machine_hypercall(void *ctx, struct matrix_regs *regs)
{
    const struct matrix_env *env = ctx;
    uint64_t page = env->page[2].gpa + regs->call_offset;

    if (regs->cpl == 3)
        return conform_user_call(regs, page);
    return env_try(call_page, &(struct call){regs, page});
}

static int machine_wrmsr32(void *ctx, uint32_t index, uint64_t value)
{
    struct matrix_regs regs = {.rax = (uint32_t)value, .rcx = index, .rdx = value >> 32, .code_bits = 32};

    (void)ctx;
    return env_try(call_page, &(struct call){&regs, (uintptr_t)conform_wrmsr32});
}

static uint8_t *machine_memory(void *ctx, uint64_t gpa)
{
    (void)ctx;
    return gpa < 1ull << 32 ? (uint8_t *)(uintptr_t)gpa : NULL;
}

struct port {
    struct matrix_regs *regs;
    enum matrix_port how;
};

static void do_port(void *arg)
{
    const struct port *port = arg;

    conform_port(port->regs, port->how);
}

static int machine_port(void *ctx, struct matrix_regs *regs, enum matrix_port how)
{
    (void)ctx;
    if (regs->cpl == 3)
        return conform_user_port(regs, how);
    return env_try(do_port, &(struct port){regs, how});
}

/* Some hypervisors let programs reach no port, whatever the guest's IOPL says. */
static bool has_user_ports(void)
{
    struct matrix_regs regs = {.rdx = PORT_UNUSED, .cpl = 3};

    return conform_user_port(&regs, MATRIX_IN_8) == MATRIX_NO_FAULT;
}

struct counter {
    uint32_t index;
    uint64_t value;
};

static void read_counter(void *arg)
{
    struct counter *counter = arg;
    uint32_t low, high;

    __asm__ volatile("rdpmc" : "=a"(low), "=d"(high) : "c"(counter->index));
    counter->value = (uint64_t)high << 32 | low;
}

static int machine_rdpmc(void *ctx, uint32_t index, uint64_t *value)
{
    struct counter counter = {.index = index};
    int fault = env_try(read_counter, &counter);

    (void)ctx;
    *value = counter.value;
    return fault;
}

static uint64_t machine_tsc(void *ctx)
{
    (void)ctx;
    return cpu_rdtsc();
}

static void machine_wait(void *ctx, uint64_t ns)
{
    const char *source;
    uint64_t khz = env_tsc_khz(&source);
    uint64_t begin = cpu_rdtsc();

    (void)ctx;
    __asm__ volatile("sti" : : : "memory");
    while (cpu_rdtsc() - begin < ns / 1000 * (khz != 0 ? khz : 4000000) / 1000)
        cpu_relax();
    __asm__ volatile("cli" : : : "memory");
}

static uint32_t machine_interrupts(void *ctx, uint32_t vp, uint8_t vector)
{
    (void)ctx;
    (void)vector;
    return boot_interrupts(conform_cpus_apic_id(vp));
}

struct store {
    uint64_t gpa, value;
};

static void store_word(void *arg)
{
    const struct store *store = arg;

    *(volatile uint64_t *)(uintptr_t)store->gpa = store->value;
}

static int machine_store(void *ctx, uint64_t gpa, uint64_t value)
{
    (void)ctx;
    return env_try(store_word, &(struct store){gpa, value});
}

/* Whether `text`, which ends at a space, is in `line`. */
static bool is_in(const char *line, const char *text)
{
    for (; *line; line++) {
        uint32_t n = 0;

        while (text[n] && text[n] != ' ' && line[n] == (text[n] == '+' ? ' ' : text[n]))
            n++;
        if (!text[n] || text[n] == ' ')
            return true;
    }
    return false;
}

static uint32_t read_number(const char *text)
{
    uint32_t number = 0;

    for (; text && *text >= '0' && *text <= '9'; text++)
        number = number * 10 + (uint32_t)(*text - '0');
    return number;
}

static bool machine_begin(void *ctx, const struct matrix_result *r)
{
    char line[400];
    struct text text = TEXT_IN(line);

    (void)ctx;
    asked.nr++;
    if (asked.nr < asked.from)
        return false;
    text_add(&text, "%s: %s: %s%s", r->chapter, r->subject, r->check, r->variant ? r->variant : "");
    if (asked.only && !is_in(line, asked.only))
        return false;
    if (!asked.has_names)
        return true;
    text.used = 0;
    if (!asked.chapter)
        text_add(&text, "\n");         /* whoever wrote before may not have ended the line */
    if (r->chapter != asked.chapter)
        text_add(&text, "CHAPTER %s\n", r->chapter);
    text_add(&text, "POINT %u %s: %s%s\n", asked.nr, r->subject, r->check, r->variant ? r->variant : "");
    asked.chapter = r->chapter;
    env_print(line, text.used);
    return true;
}

static void machine_report(void *ctx, const struct matrix_result *r)
{
    static const char *const word[MATRIX_NR_VERDICTS] = {"SUCCESS", "SKIP", "ERROR", "FAILURE"};
    char line[400];
    struct text text = TEXT_IN(line);

    (void)ctx;
    if (!asked.is_wordy && r->verdict != MATRIX_ERROR && r->verdict != MATRIX_FAILURE)
        return;
    text_add(&text, "%s %s: %s%s", word[r->verdict], r->subject, r->check, r->variant ? r->variant : "");
    if (r->why)
        text_add(&text, " | %s", r->why);
    if (r->verdict == MATRIX_FAILURE)
        text_add(&text, ", at 0x%" PRIx64 ", got 0x%" PRIx64, r->at, r->got);
    if (asked.is_wordy || r->verdict == MATRIX_FAILURE)
        text_add(&text, " [%s]", r->ref);
    text_add(&text, "\n");
    env_print(line, text.used);
    if (r->verdict == MATRIX_ERROR || r->verdict == MATRIX_FAILURE)
        note(line, (uint32_t)text.used, sizeof(told.text) - LAST_LINE);
}

/* --- the run ------------------------------------------------------------------------------------------------------ */

/* Where a word that is `word`, or begins with it if that ends in =, ends in the line; NULL: there is none. */
static const char *find_word(const char *line, const char *word)
{
    while (*line) {
        uint32_t n = 0;

        while (word[n] && line[n] == word[n])
            n++;
        if (!word[n] && (word[n - 1] == '=' || line[n] == ' ' || !line[n]))
            return line + n;
        while (*line && *line != ' ')
            line++;
        while (*line == ' ')
            line++;
    }
    return NULL;
}

static uint32_t physical_bits(void)
{
    struct env_cpuid regs;

    cpu_cpuid(0x80000008, 0, &regs);
    return regs.eax & 0xff;
}

static uint32_t apic_id_in_cpuid(void)
{
    struct env_cpuid regs;

    cpu_cpuid(1, 0, &regs);
    return regs.ebx >> 24;
}

static bool say_count(const struct matrix *matrix, uint32_t nr_cpus)
{
    char line[LAST_LINE];
    struct text text = TEXT_IN(line);

    if (asked.has_names && !asked.chapter)
        text_add(&text, "\n");         /* as in machine_begin */
    text_add(&text, "conform: %u points on %u CPUs: %u SUCCESS, %u SKIP, %u ERROR, %u FAILURE\n", matrix_points(matrix),
             nr_cpus, matrix->nr[MATRIX_SUCCESS], matrix->nr[MATRIX_SKIP], matrix->nr[MATRIX_ERROR],
             matrix->nr[MATRIX_FAILURE]);
    env_print(line, text.used);
    note(line, (uint32_t)text.used, sizeof(told.text));
    return matrix->nr[MATRIX_ERROR] == 0 && matrix->nr[MATRIX_FAILURE] == 0;
}

static int read_guestinfo(bool by_blocks)
{
    char line[80];
    struct text text = TEXT_IN(line);
    uint32_t bytes = conform_read_guestinfo(NR_READINGS, by_blocks);

    text_add(&text, "conform: guestinfo of %u bytes read %u times\n", bytes, NR_READINGS);
    env_print(line, text.used);
    return bytes ? BOOT_SOUND : BOOT_LIES;
}

/* Found and written in the image's file for loaders that give no command line; not static, lest it count as constant. */
char conform_words[256] = "hvshim-words: ";

static const char *read_words(uint32_t how, uint32_t information)
{
    const char *words = boot_command_line(how, information);

    if (!*words)
        words = conform_words;
    asked.is_wordy = find_word(words, "all");
    asked.has_names = find_word(words, "names");
    asked.only = find_word(words, "only=");
    asked.from = read_number(find_word(words, "from="));
    asked.has_screen = find_word(words, "screen");
    asked.stays = find_word(words, "stay");
    asked.tells = find_word(words, "tell");
    return words;
}

static void stay(int status)
{
    boot_out8(PORT_DEBUG_EXIT, (uint8_t)status);
    for (;;)
        __asm__ volatile("cli; hlt");
}

int boot_main(uint32_t how, uint32_t information)
{
    static _Alignas(4096) uint8_t pages[MATRIX_NR_PAGES][MATRIX_PAGE_BYTES];
    static struct matrix_env env = {
        .can = MATRIX_CAN_CPL3 | MATRIX_CAN_CALL32 | MATRIX_CAN_BLOCK | MATRIX_IS_FRESH | MATRIX_HAS_LEAF_1,
        .hole_gpa = HOLE_GPA, .vector = BOOT_VECTOR_TEST,
        .cpuid = machine_cpuid, .rdmsr = machine_rdmsr, .wrmsr = machine_wrmsr, .wrmsr32 = machine_wrmsr32,
        .hypercall = machine_hypercall, .memory = machine_memory,
        .port = machine_port, .rdpmc = machine_rdpmc, .tsc = machine_tsc, .wait = machine_wait,
        .interrupts = machine_interrupts,
        .store = machine_store, .begin = machine_begin, .report = machine_report,
    };
    struct matrix matrix;

    boot_serial_init();
    const char *words = read_words(how, information);
    if (find_word(words, "acts"))
        env.can |= MATRIX_MAY_ACT;
    if (find_word(words, "vmport"))
        env.can |= MATRIX_HAS_VMPORT;
    if (find_word(words, "vmcall"))
        env.can |= MATRIX_CAN_VMCALL;
    if (find_word(words, "rpc-words") || find_word(words, "rpc-blocks"))
        return read_guestinfo(find_word(words, "rpc-blocks"));
    boot_trap_init();
    boot_apic_init();
    enable_sse();
    env.nr_vps = conform_cpus_start();
    if (find_word(words, "bench") || find_word(words, "bench=")) {
        bench_run(env.nr_vps, find_word(words, "bench="));
        return BOOT_SOUND;
    }
    conform_user_init();
    if (has_user_ports())
        env.can |= MATRIX_CAN_CPL3_PORT;
    env.ctx = &env;
    env.phys_bits = physical_bits();
    env.apic_id = apic_id_in_cpuid();
    for (uint32_t i = 0; i < MATRIX_NR_PAGES; i++)
        env.page[i] = (struct matrix_page){(uintptr_t)pages[i], pages[i]};
    matrix_init(&matrix, &env);
    matrix_hyperv(&matrix);
    matrix_vmware(&matrix);
    matrix_xen(&matrix);
    matrix_kvm(&matrix);
    int status = say_count(&matrix, env.nr_vps) ? BOOT_SOUND : BOOT_LIES;
    if (asked.tells)
        conform_tell(&env, told.text, told.bytes);
    if (asked.stays)
        stay(status);
    return status;
}
