/*
 * A test kernel for the VMM: says on COM1 what its loader and the machine show it, then ends as its command line says.
 *
 * One source for all ways to start: 32-bit code behind start32.S, 64-bit code behind start64.S. Written from the
 * specifications, without the VMM's headers. Everything runs by polling, without interrupts and page tables of its
 * own, so it also runs where KVM emulates guest kernels.
 *
 * Words of the command line: pci (looks for Xen's platform device), xen-suspend (by Xen's hypercalls), poweroff,
 * reboot-8042, reboot-cf9, triple-fault, echo (a line from COM1 to COM1, then status 7); otherwise it writes 21 to the
 * test port, which makes status 43.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What start*.S saw: how we were entered, and the register that points to the boot information. */
void guest_main(char kind, uintptr_t info);

enum { COM1 = 0x3f8, CMOS = 0x70, TEST = 0xf4, PCI = 0xcf8, NOBODY = 0x1234, I8042 = 0x64, RESET = 0xcf9 };

static uint8_t in8(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static uint32_t in32(uint16_t port)
{
    uint32_t value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static void out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static void out16(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static void out32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

/* --- printing --------------------------------------------------------------------------------------------------- */

static void print(const char *text)
{
    for (; *text; text++)
        out8(COM1, (uint8_t)*text);
}

static void print_number(const char *name, uint64_t value)
{
    char digits[20];
    int nr = 0;
    print(name);
    do
        digits[nr++] = "0123456789abcdef"[value & 15];
    while (value >>= 4);
    while (nr)
        out8(COM1, (uint8_t)digits[--nr]);
    print("\n");
}

static void print_text(const char *name, const char *text)
{
    print(name);
    print(text);
    print("\n");
}

static bool has_word(const char *text, const char *word)
{
    for (; *text; text++) {
        size_t i = 0;
        while (word[i] && text[i] == word[i])
            i++;
        if (!word[i])
            return true;
    }
    return false;
}

static uint64_t get(uintptr_t at, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value |= (uint64_t)((const volatile uint8_t *)at)[i] << (8 * i);
    return value;
}

/* --- boot information: the three formats brought to one --------------------------------------------------------- */

struct boot {
    const char *cmdline;
    uintptr_t module, module_end, rsdp;
    uintptr_t map;              /* entries of `stride` bytes: address at `at`, length and type behind it */
    uint32_t nr_map, stride, at;
};

/* [XEN public/arch-x86/hvm/start_info.h] */
static struct boot read_start_info(uintptr_t info)
{
    struct boot boot = {
        .cmdline = (const char *)(uintptr_t)get(info + 24, 8), .rsdp = (uintptr_t)get(info + 32, 8),
        .map = (uintptr_t)get(info + 40, 8), .nr_map = (uint32_t)get(info + 48, 4), .stride = 24,
    };
    print_number("magic: ", get(info, 4));
    if (get(info + 12, 4)) {
        uintptr_t list = (uintptr_t)get(info + 16, 8);
        boot.module = (uintptr_t)get(list, 8);
        boot.module_end = boot.module + (uintptr_t)get(list + 8, 8);
    }
    return boot;
}

/* [Multiboot 0.6.96, 3.3] */
static struct boot read_multiboot(uintptr_t info)
{
    struct boot boot = {
        .cmdline = (const char *)(uintptr_t)get(info + 16, 4), .map = (uintptr_t)get(info + 48, 4),
        .nr_map = (uint32_t)get(info + 44, 4) / 24, .stride = 24, .at = 4,
    };
    print_number("upper memory KiB: ", get(info + 8, 4));
    if (get(info + 20, 4)) {
        uintptr_t list = (uintptr_t)get(info + 24, 4);
        boot.module = (uintptr_t)get(list, 4);
        boot.module_end = (uintptr_t)get(list + 4, 4);
    }
    for (uintptr_t at = 0xe0000; at < 0x100000 && !boot.rsdp; at += 16)
        if (get(at, 8) == 0x2052545020445352)   /* "RSD PTR " */
            boot.rsdp = at;
    return boot;
}

/* [Linux Documentation/x86/zero-page.rst] */
static struct boot read_boot_params(uintptr_t info)
{
    struct boot boot = {
        .cmdline = (const char *)(uintptr_t)get(info + 0x228, 4), .rsdp = (uintptr_t)get(info + 0x70, 8),
        .module = (uintptr_t)get(info + 0x218, 4), .map = info + 0x2d0, .nr_map = (uint32_t)get(info + 0x1e8, 1),
        .stride = 20,
    };
    print_number("header: ", get(info + 0x202, 4));
    boot.module_end = boot.module + (uintptr_t)get(info + 0x21c, 4);
    return boot;
}

static void print_memory(const struct boot *boot)
{
    for (uint32_t i = 0; i < boot->nr_map; i++) {
        uintptr_t entry = boot->map + i * boot->stride + boot->at;
        print_number("map from ", get(entry, 8));
        print_number("   bytes ", get(entry + 8, 8));
        print_number("    type ", get(entry + 16, 4));
    }
}

/* --- ACPI ------------------------------------------------------------------------------------------------------- */

static bool sums_to_zero(uintptr_t table, uint32_t bytes)
{
    uint8_t sum = 0;
    for (uint32_t i = 0; i < bytes; i++)
        sum = (uint8_t)(sum + get(table + i, 1));
    return sum == 0;
}

/* Finds a table through the XSDT; 0 where it, or the way to it, is damaged. */
static uintptr_t find_table(uintptr_t rsdp, uint32_t signature)
{
    if (!sums_to_zero(rsdp, 20) || !sums_to_zero(rsdp, 36))
        return 0;
    uintptr_t xsdt = (uintptr_t)get(rsdp + 24, 8);
    if (!sums_to_zero(xsdt, (uint32_t)get(xsdt + 4, 4)))
        return 0;
    for (uint32_t at = 36; at < get(xsdt + 4, 4); at += 8) {
        uintptr_t table = (uintptr_t)get(xsdt + at, 8);
        if (get(table, 4) == signature)
            return sums_to_zero(table, (uint32_t)get(table + 4, 4)) ? table : 0;
    }
    return 0;
}

static uint32_t count_cpus(uintptr_t madt)
{
    uint32_t nr = 0;
    for (uint32_t at = 44; at < get(madt + 4, 4); at += (uint32_t)get(madt + at + 1, 1))
        nr += get(madt + at, 1) == 0 && get(madt + at + 4, 4) & 1;
    return nr;
}

/* Finds \_S5 in the DSDT as a simple kernel does, and writes it where the FADT says. */
static void power_off(uintptr_t rsdp)
{
    uintptr_t fadt = find_table(rsdp, 0x50434146);      /* "FACP" */
    uintptr_t dsdt = (uintptr_t)get(fadt + 40, 4);
    for (uint32_t at = 36; at < get(dsdt + 4, 4); at++)
        if (get(dsdt + at, 4) == 0x5f35535f)            /* "_S5_" */
            out16((uint16_t)get(fadt + 64, 4), (uint16_t)(get(dsdt + at + 8, 1) << 10 | 1 << 13));
}

/* --- other CPUs ------------------------------------------------------------------------------------------------- */

#define APIC_ICR 0xfee00300u
#define APIC_SVR 0xfee000f0u
enum { TRAMPOLINE = 0x1000, COUNTER = 0x2000, ID_SUM = 0x2004, PM_TIMER_HZ = 3579545 };

static void wait_ms(uint16_t timer, uint32_t ms)
{
    uint32_t start = in32(timer);
    while (((in32(timer) - start) & 0xffffff) < PM_TIMER_HZ / 1000 * ms)
        ;
}

/* Starts them all by INIT and SIPI; each adds its APIC id to the sum, one to the counter, and halts. */
static uint32_t start_cpus(uintptr_t rsdp, uint32_t nr_others)
{
    static const uint8_t code[] = {
        0x31, 0xc0, 0x8e, 0xd8,                         /* xor %ax,%ax; mov %ax,%ds */
        0x66, 0xb8, 0x01, 0x00, 0x00, 0x00,             /* mov $1,%eax */
        0x0f, 0xa2, 0x66, 0xc1, 0xeb, 0x18,             /* cpuid; shr $24,%ebx */
        0xf0, 0x00, 0x1e, 0x04, 0x20,                   /* lock addb %bl,ID_SUM */
        0xf0, 0xfe, 0x06, 0x00, 0x20,                   /* lock incb COUNTER */
        0xfa, 0xf4, 0xeb, 0xfc,                         /* cli; hlt; jmp to the cli */
    };
    volatile uint32_t *icr = (volatile uint32_t *)APIC_ICR;
    volatile uint8_t *counter = (volatile uint8_t *)COUNTER;
    uint16_t timer = (uint16_t)get(find_table(rsdp, 0x50434146) + 76, 4);
    for (size_t i = 0; i < sizeof(code); i++)
        ((volatile uint8_t *)TRAMPOLINE)[i] = code[i];
    *counter = 0;
    *(volatile uint8_t *)ID_SUM = 0;
    *(volatile uint32_t *)APIC_SVR = 0x1ff;
    *icr = 0xc4500;                                     /* INIT to all but this one */
    wait_ms(timer, 10);
    *icr = 0xc4600 | TRAMPOLINE >> 12;                  /* SIPI */
    for (int i = 0; i < 1000 && *counter < nr_others; i++)
        wait_ms(timer, 1);
    return *counter;
}

/* --- devices ---------------------------------------------------------------------------------------------------- */

static uint8_t cmos(uint8_t index)
{
    out8(CMOS, index);
    return in8(CMOS + 1);
}

/* The transmitter's interrupt is announced and reaches the PIC; loopback brings bytes back. */
static bool serial_works(void)
{
    out8(COM1 + 4, 0x08);                               /* OUT2 */
    out8(COM1 + 1, 0x02);                               /* interrupt when there is room to send */
    out8(0x20, 0x0a);                                   /* PIC: show the request register */
    bool is_requested = in8(0x20) & 1 << 4;
    bool is_announced = (in8(COM1 + 2) & 0xf) == 0x02 && (in8(COM1 + 2) & 0xf) == 0x01;
    out8(COM1 + 1, 0);
    out8(COM1 + 4, 0x10);                               /* loopback */
    out8(COM1, 'x');
    bool is_back = (in8(COM1 + 5) & 1) && in8(COM1) == 'x' && !(in8(COM1 + 5) & 1);
    out8(COM1 + 4, 0);
    return is_requested && is_announced && is_back;
}

static void echo_line(void)
{
    uint8_t byte;
    do {
        while (!(in8(COM1 + 5) & 1))
            ;
        byte = in8(COM1);
        out8(COM1, byte);
    } while (byte != '\n');
}

static void triple_fault(void)
{
    static const struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) nothing = {0};
    __asm__ volatile("lidt %0; ud2" : : "m"(nothing));
}

/* --- PCI: Xen's platform device at 00:02.0 ---------------------------------------------------------------------- */

enum { HOST_BRIDGE = 0, PLATFORM = 2, COMMAND = 4, BAR1 = 0x14, INTERRUPT = 0x3c };

static uint32_t config(uint32_t device, uint32_t at)
{
    out32(PCI, 0x80000000 | device << 11 | at);
    return in32(PCI + 4);
}

static void set_config(uint32_t device, uint32_t at, uint32_t value)
{
    out32(PCI, 0x80000000 | device << 11 | at);
    out32(PCI + 4, value);
}

/* Its memory holds what it is given, moves with its BAR, and is nowhere without decoding. */
static void try_platform_memory(void)
{
    uintptr_t old = config(PLATFORM, BAR1) & ~15u, new = old + 0x200000;
    *(volatile uint32_t *)old = 0x12345678;
    set_config(PLATFORM, COMMAND, 0);
    set_config(PLATFORM, BAR1, 0xffffffff);
    print_number("platform memory: ", ~(config(PLATFORM, BAR1) & ~15u) + 1);
    print_number("without decoding: ", get(old, 4));
    set_config(PLATFORM, BAR1, (uint32_t)new);
    set_config(PLATFORM, COMMAND, 2);
    print_number("moved: ", get(new, 4));
    print_number("where it was: ", get(old, 4));
}

static void try_pci(void)
{
    print_number("host bridge: ", config(HOST_BRIDGE, 0));
    print_number("platform device: ", config(PLATFORM, 0));
    print_number("interrupt: ", config(PLATFORM, INTERRUPT));
    if (config(PLATFORM, 0) != 0xffffffff)
        try_platform_memory();
}

/* --- Xen [XEN public/sched.h, public/event_channel.h] ----------------------------------------------------------- */

static int32_t xen_call(const uint8_t *page, uint32_t nr, uintptr_t op, void *argument)
{
    uintptr_t answer;
#ifdef __x86_64__
    __asm__ volatile("call *%1" : "=a"(answer) : "r"(page + 32 * nr), "D"(op), "S"(argument) : "memory");
#else
    __asm__ volatile("call *%1" : "=a"(answer) : "r"(page + 32 * nr), "b"(op), "c"(argument) : "memory");
#endif
    return (int32_t)answer;
}

/* An event channel is there before, and gone behind it. */
static void xen_suspend(void)
{
    enum { SCHED_OP = 29, SHUTDOWN = 2, SUSPEND = 2 };
    enum { EVENT_CHANNEL_OP = 32, ALLOC_UNBOUND = 6, STATUS = 5, SELF = 0x7ff0 };
    static uint8_t page[4096] __attribute__((aligned(4096)));
    struct { uint16_t dom, remote_dom; uint32_t port; } channel = {.dom = SELF};
    struct { uint16_t dom; uint32_t port, status, vcpu, more[3]; } status = {.dom = SELF};
    uint32_t reason = SUSPEND;

    __asm__ volatile("wrmsr" : : "c"(0x40000000), "a"((uint32_t)(uintptr_t)page), "d"(0) : "memory");
    print_number("port: ", xen_call(page, EVENT_CHANNEL_OP, ALLOC_UNBOUND, &channel) ? 0 : channel.port);
    print_number("suspend: ", (uint32_t)xen_call(page, SCHED_OP, SHUTDOWN, &reason));
    status.port = channel.port;
    print_number("port's status: ", xen_call(page, EVENT_CHANNEL_OP, STATUS, &status) ? 99 : status.status);
}

void guest_main(char kind, uintptr_t info)
{
    static const char *const names[] = {"flat", "pvh", "multiboot", "linux, 64-bit", "linux, 32-bit"};
    print_text("entered as: ", names[(uint8_t)kind]);
    struct boot boot = kind == 2 ? read_multiboot(info) : kind > 2 ? read_boot_params(info) : read_start_info(info);
    print_text("cmdline: ", boot.cmdline);
    print_memory(&boot);
    if (boot.module) {
        print_number("module bytes: ", boot.module_end - boot.module);
        print_number("module: ", get(boot.module, 8));
    }
    uintptr_t madt = find_table(boot.rsdp, 0x43495041); /* "APIC" */
    uint32_t nr_cpus = count_cpus(madt);
    print_number("cpus in tables: ", nr_cpus);
    if (nr_cpus > 1) {
        print_number("other cpus started: ", start_cpus(boot.rsdp, nr_cpus - 1));
        print_number("sum of their APIC ids: ", get(ID_SUM, 1));
    }
    print_number("year: ", (uint64_t)cmos(0x32) << 8 | cmos(9));
    if (!has_word(boot.cmdline, "echo"))                /* what is typed already would be in the way */
        print_text("serial: ", serial_works() ? "works" : "fails");
    out32(PCI, 0x80000604);                             /* covers the reset port, and must not reset */
    print_number("pci: ", in32(PCI + 4));
    if (has_word(boot.cmdline, "pci"))
        try_pci();
    print_number("nobody: ", in32(NOBODY));
    print_number("nothing at 3 GiB: ", get(0xc0000000, 4));

    if (has_word(boot.cmdline, "poweroff"))
        power_off(boot.rsdp);
    if (has_word(boot.cmdline, "reboot-8042"))
        out8(I8042, 0xfe);
    if (has_word(boot.cmdline, "reboot-cf9"))
        out8(RESET, 6);
    if (has_word(boot.cmdline, "xen-suspend"))
        xen_suspend();
    if (has_word(boot.cmdline, "triple-fault"))
        triple_fault();
    if (has_word(boot.cmdline, "echo")) {
        echo_line();
        out8(TEST, 3);
    }
    out8(TEST, 21);
    for (;;)
        ;
}
