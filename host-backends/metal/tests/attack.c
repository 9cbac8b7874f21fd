/*
 * A guest that attacks the hypervisor beneath it, and says on the first serial port what came of it: a line "ok NAME"
 * or "FAIL NAME" for each attack, and then "attack: N failed". It ends by what must end the machine: Hyper-V's reset,
 * Xen's power-off, a triple fault, or with one CPU INIT to itself.
 *
 * It is started as a Linux kernel would be; its command line is the number of CPUs. With more than one it also attacks
 * by INIT and start-up IPIs to the others. With "cost" it does not attack a Hyper-V, but says what three kinds of exits
 * cost.
 */
#include "attack.h"

enum { COM1 = 0x3f8, COM1_STATUS = 0x3fd, COM1_EMPTY = 0x20 };
enum { AP_GPA = 0x20000, AP_COUNT = 0x7f0, AP_LEAF1_ECX = 0x7f8, AP_SVM_ECX = 0x7fc };
enum { APIC_ID = 0x20, APIC_SPURIOUS = 0xf0, APIC_ICR_LOW = 0x300, APIC_ICR_HIGH = 0x310, INIT = 0x4500 };
enum { MSR_APIC_BASE = 0x1b, HV_X64_MSR_GUEST_OS_ID = 0x40000000, HV_X64_MSR_HYPERCALL = 0x40000001,
       HV_X64_MSR_RESET = 0x40000003, HV_X64_MSR_REFERENCE_TSC = 0x40000021 };
enum { XEN_MEMORY_OP = 12, XEN_ADD_TO_PHYSMAP = 7, XEN_SCHED_OP = 29, XEN_SCHEDOP_SHUTDOWN = 2, XEN_EINVAL = 22,
       XEN_EFAULT = 14 };
#define MSR_EFER 0xc0000080u
#define MSR_FEATURE_CONTROL 0x3au
#define MSR_VMX_FIRST 0x480u
#define MSR_VMX_LAST 0x491u
#define MSR_TSC_RATIO 0xc0000104u
#define MSR_VM_CR 0xc0010114u
#define MSR_VM_HSAVE_PA 0xc0010117u
#define CR0_NE 0x20u
#define CR4_PAE 0x20u
#define CR4_VMXE 0x2000u
#define CR4_OSXSAVE 0x40000u

void attack_main(const uint8_t *boot_params);

extern const uint8_t stubs[], ap_begin[], ap_end[];
volatile int caught;
volatile uint32_t nr_caught, recover;
static uint32_t nr_failed;
static bool is_amd;

static void out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static uint8_t in8(uint16_t port)
{
    uint8_t value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static void put_byte(char byte)
{
    while (!(in8(COM1_STATUS) & COM1_EMPTY))
        ;
    out8(COM1, (uint8_t)byte);
}

static void put(const char *text)
{
    for (; *text; text++)
        put_byte(*text);
}

void check(const char *name, bool holds)
{
    put(holds ? "ok " : "FAIL ");
    put(name);
    put("\r\n");
    nr_failed += !holds;
}

static uint64_t rdmsr(uint32_t index)
{
    uint32_t low = 0, high = 0;

    TRY("rdmsr", : "+a"(low), "+d"(high) : "c"(index) : "memory");
    return (uint64_t)high << 32 | low;
}

static int wrmsr(uint32_t index, uint64_t value)
{
    TRY("wrmsr", : : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
    return caught;
}

struct leaf {
    uint32_t eax, ebx, ecx, edx;
};

static struct leaf cpuid(uint32_t leaf)
{
    struct leaf r;

    __asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(0));
    return r;
}

static bool is_intel(void)
{
    return cpuid(0).ebx == 0x756e6547;
}

static uint32_t hypercall(uint32_t eax, uint32_t ebx, uint32_t ecx)
{
    if (is_amd)
        TRY(".byte 0x0f, 0x01, 0xd9", : "+a"(eax) : "b"(ebx), "c"(ecx), "d"(0), "S"(0), "D"(0) : "memory");
    else
        TRY(".byte 0x0f, 0x01, 0xc1", : "+a"(eax) : "b"(ebx), "c"(ecx), "d"(0), "S"(0), "D"(0) : "memory");
    return eax;
}

static uint32_t idt[32][2];

static void load_idt(void)
{
    struct __attribute__((packed)) {
        uint16_t limit;
        uint32_t base;
    } pointer = {sizeof(idt) - 1, (uint32_t)idt};

    for (uint32_t i = 0; i < 32; i++) {
        uint32_t at = (uint32_t)stubs + i * 32;

        idt[i][0] = 0x10u << 16 | (at & 0xffff);
        idt[i][1] = (at & 0xffff0000u) | 0x8e00;
    }
    __asm__ volatile("lidt %0" : : "m"(pointer));
}

static void try_svm(void)
{
    check("cpuid says nothing of SVM", !(cpuid(0x80000001).ecx & 1u << 2) && !cpuid(0x8000000a).eax);
    check("EFER shows no SVME", !(rdmsr(MSR_EFER) & 1u << 12));
    check("EFER.SVME cannot be set", wrmsr(MSR_EFER, 1u << 12) == GP);
    check("EFER's reserved bits are refused", wrmsr(MSR_EFER, 1u << 1) == GP && wrmsr(MSR_EFER, 1ull << 40) == GP);
    check("EFER.NXE can be set", wrmsr(MSR_EFER, 1u << 11) == NONE && rdmsr(MSR_EFER) == 1u << 11);
    check("VM_CR does not exist", wrmsr(MSR_VM_CR, 0) == GP && (rdmsr(MSR_VM_CR), caught == GP));
    check("VM_HSAVE_PA does not exist", wrmsr(MSR_VM_HSAVE_PA, 0x1000) == GP);
    check("the TSC's ratio does not exist",
          wrmsr(MSR_TSC_RATIO, 1ull << 31) == GP && (rdmsr(MSR_TSC_RATIO), caught == GP));
    TRY("vmrun", : : "a"(0x3000) : "memory");
    check("VMRUN is no instruction", caught == UD);
    TRY("vmload", : : "a"(0x3000) : "memory");
    check("VMLOAD is no instruction", caught == UD);
    TRY("clgi", : : : "memory");
    check("CLGI is no instruction", caught == UD);
    TRY("stgi", : : : "memory");
    check("STGI is no instruction", caught == UD);
    TRY("invlpga %%eax, %%ecx", : : "a"(0), "c"(0) : "memory");
    check("INVLPGA is no instruction", caught == UD);
}

static uint32_t cr4(void)
{
    uint32_t value;

    __asm__ volatile("movl %%cr4, %0" : "=r"(value));
    return value;
}

static int set_cr4(uint32_t value)
{
    TRY("movl %0, %%cr4", : : "r"(value) : "memory");
    return caught;
}

static int xsetbv(uint32_t index, uint32_t value)
{
    TRY("xsetbv", : : "c"(index), "a"(value), "d"(0) : "memory");
    return caught;
}

/* The hypervisor executes XSETBV for the guest: what the CPU would refuse must not become a fault of its own. */
static void try_xcr0(void)
{
    if (!(cpuid(1).ecx & 1u << 26))
        return;
    check("XSETBV is no instruction without CR4.OSXSAVE", xsetbv(0, 1) == UD);
    check("CR4.OSXSAVE can be set, and CPUID shows it",
          set_cr4(cr4() | CR4_OSXSAVE) == NONE && cpuid(1).ecx & 1u << 27);
    check("XCR0 takes what it may hold", xsetbv(0, 3) == NONE && xsetbv(0, 1) == NONE);
    check("and nothing else", xsetbv(0, 0) == GP && xsetbv(0, 1u << 31 | 1) == GP && xsetbv(0, 5) == GP);
    check("there is no XCR1", xsetbv(1, 1) == GP);
}

static void try_vmx(void)
{
    uint32_t nr_seen = 0, cr0, changed;

    for (uint32_t index = MSR_VMX_FIRST; index <= MSR_VMX_LAST; index++)
        nr_seen += (rdmsr(index), caught != GP);
    check("cpuid says nothing of VMX", !(cpuid(1).ecx & 1u << 5));
    check("VMX's MSRs do not exist", nr_seen == 0);
    check("the feature control is locked without it", (rdmsr(MSR_FEATURE_CONTROL) & 7) == 1);
    check("and stays so", wrmsr(MSR_FEATURE_CONTROL, 4) == GP);
    check("CR4.VMXE cannot be set, nor seen", set_cr4(cr4() | CR4_VMXE) == GP && !(cr4() & CR4_VMXE));
    check("other bits of CR4 can", set_cr4(cr4() | CR4_PAE) == NONE && cr4() & CR4_PAE);
    TRY("vmxon (%0)", : : "r"(0x3000) : "memory");
    check("VMXON is no instruction", caught == UD);
    TRY("vmlaunch", : : : "memory");
    check("VMLAUNCH is no instruction", caught == UD);
    TRY("vmread %%eax, %%ecx", : : "a"(0), "c"(0) : "memory");
    check("VMREAD is no instruction", caught == UD);
    TRY("vmptrst (%0)", : : "r"(0x3000) : "memory");
    check("VMPTRST is no instruction", caught == UD);
    __asm__ volatile("movl %%cr0, %0" : "=r"(cr0));
    __asm__ volatile("movl %1, %%cr0\n\tmovl %%cr0, %0\n\tmovl %2, %%cr0" : "=&r"(changed)
                     : "r"(cr0 ^ CR0_NE), "r"(cr0));
    check("CR0.NE is as the guest sets it", (cr0 ^ changed) == CR0_NE);
    try_xcr0();
}

static void try_virtualisation(void)
{
    if (is_amd)
        try_svm();
    else
        try_vmx();
    check("an MSR that nobody has is refused", wrmsr(0x12345678, 1) == GP && (rdmsr(0x12345678), caught == GP));
}

/* --- memory past the nested tables: what a CPU reaches there, or takes for memory, by the word of an MSR ---------- */

struct named_msr {
    uint32_t index;
    const char *name;
};

static void try_msrs(const struct named_msr *msr)
{
    for (; msr->name; msr++)
        check(msr->name, wrmsr(msr->index, HYPERVISOR_GPA) == GP);
}

/* The state of processor trace is among those that XRSTORS loads, so its MSRs need not be written one by one. */
static bool trace_comes_by_xrstors(void)
{
    enum { MSR_XSS = 0xda0, TRACE = 1 << 8, XSAVES = 1 << 3 };
    static _Alignas(64) const uint8_t area[1024];
    uint32_t eax = 0xd, ecx = 1;

    __asm__ volatile("cpuid" : "+a"(eax), "+c"(ecx) : : "ebx", "edx");
    if (ecx & TRACE)
        return true;
    if (!(eax & XSAVES) || wrmsr(MSR_XSS, TRACE) != NONE)
        return false;
    set_cr4(cr4() | CR4_OSXSAVE);
    TRY("xrstors (%0)", : : "r"(area), "a"(TRACE), "d"(0) : "memory");
    return caught != UD;
}

static void try_intel_past_nested(void)
{
    static const struct named_msr msrs[] = {
        {0x560, "processor trace has no output's base"}, {0x570, "nor can it be switched on"},
        {0x3f1, "samples of events cannot be switched on"}, {0x600, "there is no debug store"},
        {0x982, "encryption by keys cannot be switched on"}, {0x17d0, "hardware feedback has no place"}, {0, 0}};
    struct leaf features = cpuid(7);

    try_msrs(msrs);
    check("CPUID has none of them", !(cpuid(1).edx & 1u << 21) && !(cpuid(6).eax & (1u << 19 | 1u << 23)) &&
          !(features.ebx & 1u << 25) && !(features.ecx & 1u << 13) && !(features.edx & 1u << 18) && !cpuid(0x14).ebx);
    check("processor trace does not come by XRSTORS", !trace_comes_by_xrstors());
    TRY(".byte 0x0f, 0x37", : : "a"(0), "b"(0) : "memory");
    check("GETSEC is no instruction", caught == UD);
}

static void try_amd_past_nested(void)
{
    enum { MSR_SYSCFG = 0xc0010010, MSR_HWCR = 0xc0010015 };
    static const struct named_msr msrs[] = {
        {MSR_SYSCFG, "encryption by keys cannot be switched on"}, {0xc0010016, "no device over memory, by IORR"},
        {0xc0010019, "nor by the other"}, {0xc001001a, "memory ends where it did"},
        {0xc001001d, "and above 4 GiB, too"}, {0xc0010058, "no configuration space over memory"},
        {0xc0010111, "SMM begins where it did"}, {0xc0010113, "and its memory stays closed"},
        {0xc0010116, "it cannot be entered by hand"}, {0, 0}};

    try_msrs(msrs);
    check("how memory lies can be read", (rdmsr(MSR_SYSCFG), caught == NONE));
    check("and what is next to it, written", wrmsr(MSR_HWCR, rdmsr(MSR_HWCR)) == NONE);
}

/* The hypervisor's own accesses are uncached then, and the guest's still its nested tables'. */
static void try_mtrrs(void)
{
    enum { MSR_BASE = 0x200, MSR_MASK = 0x201, MTRR = 1 << 12, VALID = 1 << 11 };
    uint64_t base = rdmsr(MSR_BASE), mask = rdmsr(MSR_MASK);

    if (!(cpuid(1).edx & MTRR))
        return;
    wrmsr(MSR_MASK, 0);
    wrmsr(MSR_BASE, HYPERVISOR_GPA);
    wrmsr(MSR_MASK, 0xffe00000u | VALID);
    TRY("movl $0, (%0)", : : "r"(HYPERVISOR_GPA) : "memory");
    check("an MTRR over the hypervisor opens nothing", caught == GP && *(volatile uint32_t *)HYPERVISOR_GPA == ONES);
    wrmsr(MSR_MASK, 0);
    wrmsr(MSR_BASE, base);
    wrmsr(MSR_MASK, mask);
}

/*
 * The firmware's handler runs beside the hypervisor, and ignores commands that it does not know. Not on VMX: Bochs
 * switches paging on when RSM returns to a guest, as is right for a restricted guest, and fails for want of tables.
 */
static void try_smi(void)
{
    uint32_t ebx = 0x11111111, esi = 0x22222222, edi = 0x33333333;

    __asm__ volatile("outb %%al, $0xb2; pause" : "+b"(ebx), "+S"(esi), "+D"(edi) : "a"(0) : "memory");
    check("after an SMI the guest goes on", ebx == 0x11111111 && esi == 0x22222222 && edi == 0x33333333 &&
          cpuid(1).eax);
}

static void try_past_nested(void)
{
    if (is_amd) {
        try_amd_past_nested();
        try_smi();
    } else {
        try_intel_past_nested();
    }
    try_mtrrs();
}

static void try_memory(void)
{
    volatile uint32_t *ours = (volatile uint32_t *)HYPERVISOR_GPA;
    uint64_t base = rdmsr(MSR_APIC_BASE);
    uint32_t seen = 0;

    for (uint32_t i = 0; i < 0x200000 / 4; i += 1021)
        seen |= ~ours[i];
    check("the hypervisor's memory reads as ones", seen == 0);
    TRY("movl $0, (%0)", : : "r"(HYPERVISOR_GPA) : "memory");
    check("the hypervisor's memory cannot be written", caught == GP && ours[0] == ONES);
    TRY("lock incl (%0)", : : "r"(HYPERVISOR_GPA + 0x10000) : "memory");
    check("nor by a locked instruction", caught == GP);
    TRY("rep stosl", : : "D"(HYPERVISOR_GPA - 16), "c"(64), "a"(0x55555555) : "memory");
    check("nor by a string that begins below it", caught == GP && ours[0] == ONES);
    check("the memory below it can", *(uint32_t *)(HYPERVISOR_GPA - 4) == 0x55555555);
    check("the local APIC cannot be laid over it", wrmsr(MSR_APIC_BASE, (base & 0xfff) | HYPERVISOR_GPA) == GP);
    TRY("invd", : : : "memory");
    check("INVD does not lose the hypervisor's writes", caught == NONE && cpuid(1).eax);
}

static bool has_hyperv(void)
{
    return cpuid(0x40000000).ebx == 0x7263694d;
}

static bool has_xen(void)
{
    return cpuid(0x40000000).ebx == 0x566e6558;
}

static void try_interfaces(void)
{
    uint64_t page = HYPERVISOR_GPA | 1, first_page = 0x3001;
    /* Xen: add_to_physmap of shared_info to the hypervisor's frame [public/memory.h, 32-bit]. */
    struct {
        uint16_t domid, size;
        uint32_t space, idx, gpfn;
    } add = {0x7ff0, 0, 0, 0, HYPERVISOR_GPA >> 12};
    uint32_t nr_answers = 0;

    if (has_hyperv()) {
        wrmsr(HV_X64_MSR_GUEST_OS_ID, 1);
        check("no hypercall page over the hypervisor", wrmsr(HV_X64_MSR_HYPERCALL, page) == GP);
        wrmsr(HV_X64_MSR_REFERENCE_TSC, page);
        check("no TSC page over the hypervisor", *(volatile uint32_t *)HYPERVISOR_GPA == ONES);
        check("but over other memory", wrmsr(HV_X64_MSR_HYPERCALL, first_page) == NONE);
    }
    if (has_xen()) {
        check("no shared_info over the hypervisor",
              (int)hypercall(XEN_MEMORY_OP, XEN_ADD_TO_PHYSMAP, (uint32_t)&add) == -XEN_EINVAL);
        check("no structure out of the hypervisor",
              (int)hypercall(XEN_MEMORY_OP, XEN_ADD_TO_PHYSMAP, HYPERVISOR_GPA) == -XEN_EFAULT);
    }
    for (uint32_t i = 0; i < 20000; i++) {
        hypercall(i * 2654435761u, i, ~i);
        nr_answers += caught == NONE || caught == UD || caught == GP;
    }
    check("a flood of hypercalls is answered", nr_answers == 20000);
}

static bool has_vmware(void)
{
    return cpuid(0x40000000).ebx == 0x61774d56;
}

/* One command of VMware's backdoor that is a step of a message [open-vm-tools lib/message]. */
struct channel {
    uint32_t number, cookie[2];
};

static uint32_t backdoor(struct channel *channel, uint32_t type, uint32_t ebx)
{
    enum { MAGIC = 0x564d5868, MESSAGE = 30, PORT = 0x5658, OPEN = 0 };
    uint32_t eax = MAGIC, ecx = type << 16 | MESSAGE, edx = channel->number << 16 | PORT;
    uint32_t esi = channel->cookie[0], edi = channel->cookie[1];

    __asm__ volatile("in %%dx, %%eax" : "+a"(eax), "+b"(ebx), "+c"(ecx), "+d"(edx), "+S"(esi), "+D"(edi) : : "memory");
    if (type == OPEN)
        *channel = (struct channel){.number = edx >> 16, .cookie = {esi, edi}};
    return ebx;
}

/* Sends a request, and says whether its answer is the one that is wanted. */
static bool ask(const char *request, const char *wanted)
{
    enum { OPEN, SEND_SIZE, SEND, RECEIVE_SIZE, RECEIVE, RECEIVED, CLOSE, DONE = 1 };
    struct channel channel = {0};
    uint32_t bytes = 0, size;
    bool is_same = true;

    while (request[bytes])
        bytes++;
    backdoor(&channel, OPEN, 0x49435052 | 0x80000000);
    backdoor(&channel, SEND_SIZE, bytes);
    for (uint32_t i = 0; i < bytes; i += 4) {
        uint32_t word = 0;

        for (uint32_t b = 0; b < 4 && i + b < bytes; b++)
            word |= (uint32_t)(uint8_t)request[i + b] << b * 8;
        backdoor(&channel, SEND, word);
    }
    size = backdoor(&channel, RECEIVE_SIZE, 0);
    for (uint32_t i = 0; i < size; i += 4) {
        uint32_t word = backdoor(&channel, RECEIVE, DONE);

        for (uint32_t b = 0; b < 4 && i + b < size; b++)
            is_same = is_same && wanted[i + b] && (uint8_t)wanted[i + b] == (uint8_t)(word >> b * 8);
    }
    backdoor(&channel, RECEIVED, DONE);
    backdoor(&channel, CLOSE, 0);
    return is_same && size && !wanted[size];
}

/* All of a message by one string instruction at the port for that. Returns EBX, whose upper half is a status. */
static uint32_t move(const struct channel *channel, void *buffer, uint32_t bytes, bool is_in)
{
    enum { MAGIC = 0x564d5868, PORT = 0x5659, SUCCESS = 1 << 16 };
    uint32_t ebx = SUCCESS, edx = channel->number << 16 | PORT, high = channel->cookie[0], low = channel->cookie[1];
    uint32_t esi = is_in ? high : (uint32_t)buffer, edi = is_in ? (uint32_t)buffer : low, ebp = is_in ? low : high;

    if (is_in)
        __asm__ volatile("push %%ebp; mov %%eax, %%ebp; mov %5, %%eax; rep insb; pop %%ebp"
                         : "+b"(ebx), "+c"(bytes), "+S"(esi), "+D"(edi), "+a"(ebp) : "i"(MAGIC), "d"(edx) : "memory");
    else
        __asm__ volatile("push %%ebp; mov %%eax, %%ebp; mov %5, %%eax; rep outsb; pop %%ebp"
                         : "+b"(ebx), "+c"(bytes), "+S"(esi), "+D"(edi), "+a"(ebp) : "i"(MAGIC), "d"(edx) : "memory");
    return bytes ? 0 : ebx;
}

static void try_blocks(void)
{
    enum { OPEN, SEND_SIZE, RECEIVE_SIZE = 3, RECEIVED = 5, CLOSE, STATUS = 1 << 16 };
    static char request[] = "info-get guestinfo.colour", reply[32];
    struct channel channel = {0};
    uint32_t size, status;

    backdoor(&channel, OPEN, 0x49435052 | 0x80000000);
    backdoor(&channel, SEND_SIZE, sizeof(request) - 1);
    status = move(&channel, request, sizeof(request) - 1, false);
    size = backdoor(&channel, RECEIVE_SIZE, 0);
    check("a message goes as one block", status & STATUS && size == 16);
    status = move(&channel, (void *)HYPERVISOR_GPA, size, true);
    check("no reply to the hypervisor's memory", !(status & STATUS) && *(volatile uint32_t *)HYPERVISOR_GPA == ONES);
    status = move(&channel, reply, size, true);
    check("but one to other memory", status & STATUS && reply[2] == 'g' && reply[15] == 'e' && !reply[16]);
    backdoor(&channel, RECEIVED, 1);
    backdoor(&channel, CLOSE, 0);
}

extern uint32_t gdt[][2], tss[];
extern const uint8_t user_in[], user_in_elsewhere[], user_cli[];
int user_run(const void *code, struct leaf *registers);

/* Programs, which this kernel lets at no port, with VMware's in DX. */
static void try_programs(void)
{
    enum { MAGIC = 0x564d5868, GET_VERSION = 10, PORT = 0x5658, TASK = 6 };
    struct leaf r = {MAGIC, 0, GET_VERSION, PORT}, other = {MAGIC, 0, GET_VERSION, PORT - 1};
    bool is_let = has_vmware();
    uint32_t at = (uint32_t)tss;
    int end;

    gdt[TASK][0] |= at << 16;
    gdt[TASK][1] |= (at & 0xff000000u) | (at >> 16 & 0xff);
    __asm__ volatile("ltr %w0" : : "r"(TASK * 8));
    end = user_run(user_in, &r);
    check("a program is let at VMware's port, if there is one", is_let ? end == UD && r.ebx == MAGIC : end == GP);
    check("and at no other", user_run(user_in, &other) == GP && user_run(user_in_elsewhere, &r) == GP);
    check("nor may it do anything else", user_run(user_cli, &r) == GP);
    r = (struct leaf){~MAGIC, 0, GET_VERSION, PORT};
    end = user_run(user_in, &r);
    check("nonsense there is not answered", is_let ? end == UD && r.eax == ONES : end == GP);
}

static void try_strings(void)
{
    if (!has_vmware())
        return;
    check("a string of the command line is read", ask("info-get guestinfo.colour", "1 green and blue"));
    try_blocks();
    check("a line is logged", ask("log a guest was \x1b[31mhere", "1 "));
    check("a string is set", ask("info-set guestinfo.answer 42", "1 ") && ask("info-get guestinfo.answer", "1 42"));
}

static volatile uint32_t *apic(uint32_t reg)
{
    return (volatile uint32_t *)(uint32_t)((rdmsr(MSR_APIC_BASE) & 0xfffff000) + reg);
}

static void send(uint32_t to, uint32_t low)
{
    *apic(APIC_ICR_HIGH) = to << 24;
    *apic(APIC_ICR_LOW) = low;
}

/* #GP itself, which the hypervisor catches where programs are let at ports, and #GP on the way to #GP's handler. */
static void try_faults(void)
{
    const uint32_t nowhere = 0xfff8, gate = idt[GP][1];

    TRY("movw %w0, %%fs", : : "r"(nowhere) : "memory");
    check("a fault of the guest's own comes", caught == GP);
    idt[GP][1] = gate & ~0x0f00u;       /* no kind of gate */
    TRY("movw %w0, %%fs", : : "r"(nowhere) : "memory");
    check("and two of them as a double fault", caught == DF);
    idt[GP][1] = gate;
}

/* What the trap flag that it sets lets run is the instruction behind it. */
#define STEP "movl $0, recover\n\tpushf\n\torl $0x100, (%%esp)\n\tpopf\n\t"

static void try_traps(void)
{
    uint32_t before = nr_caught, nr_then;

    *apic(APIC_SPURIOUS) = 0x1ff;
    caught = NONE;
    send(*apic(APIC_ID) >> 24, 0x4400);
    for (uint32_t i = 0; i < 100000 && caught == NONE; i++)
        __asm__ volatile("pause" : : : "memory");
    check("an NMI of the guest's own comes, once", caught == NMI && nr_caught == before + 1);
    caught = NONE;
    __asm__ volatile(STEP "cpuid\n\tmovl nr_caught, %%esi" : "=S"(nr_then) : "a"(0)
                     : "ebx", "ecx", "edx", "memory", "cc");
    check("a debugger steps over CPUID", caught == DB && nr_then == before + 2);
    caught = NONE;
    __asm__ volatile(STEP "movl %1, (%2)\n\tmovl nr_caught, %0"
                     : "=&r"(nr_then) : "r"(0x1ff), "r"(apic(APIC_SPURIOUS)) : "memory", "cc");
    check("and over a write to the APIC", caught == DB && nr_then == before + 3);
}

/* Says whether the other CPU has begun so many times, and no more. */
static bool ap_started(uint32_t times)
{
    volatile uint32_t *count = (volatile uint32_t *)AP_COUNT;

    for (uint32_t i = 0; i < 200000000 && *count < times; i++)
        __asm__ volatile("pause" : : : "memory");
    return *count == times;
}

/* What the other CPU has seen of itself. */
static bool ap_is_guest(void)
{
    uint32_t leaf1 = *(volatile uint32_t *)AP_LEAF1_ECX, extended = *(volatile uint32_t *)AP_SVM_ECX;

    return leaf1 >> 31 == cpuid(1).ecx >> 31 && !(leaf1 & 1u << 5) && !(extended & 1u << 2);
}

static void try_other_cpu(void)
{
    enum { INIT_OTHERS = 0xc4500, STARTUP = 0x4600 | AP_GPA >> 12 };
    uint32_t other = !(*apic(APIC_ID) >> 24);

    for (uint32_t i = 0; i < (uint32_t)(ap_end - ap_begin); i++)
        ((volatile uint8_t *)AP_GPA)[i] = ap_begin[i];
    *(volatile uint32_t *)AP_COUNT = 0;
    send(other, INIT);
    send(other, STARTUP);
    send(other, STARTUP);
    check("the other CPU starts", ap_started(1));
    check("it is a guest too", ap_is_guest());
    send(other, STARTUP);
    check("a start-up IPI to a running CPU does nothing", ap_started(1));
    for (uint32_t i = 2; i < 12; i++) {
        send(other, i % 2 ? INIT : INIT_OTHERS);
        send(other, STARTUP);
        if (!ap_started(i))
            break;
    }
    check("INIT and start-up again and again", ap_started(11) && ap_is_guest());
}

/* --- what exits cost ---------------------------------------------------------------------------------------------- */

static void call_page(void)
{
    enum { NOTIFY_LONG_SPIN_WAIT_FAST = 0x10008 };
    uint32_t high = 0, low = NOTIFY_LONG_SPIN_WAIT_FAST, in[2] = {0, 0};

    __asm__ volatile("call *%%esi" : "+d"(high), "+a"(low), "+b"(in[0]), "+c"(in[1]) : "S"(0x3000) : "edi", "memory");
}

static void read_counter(void)
{
    enum { HV_X64_MSR_TIME_REF_COUNT = 0x40000020 };

    rdmsr(HV_X64_MSR_TIME_REF_COUNT);
}

static void read_leaf(void)
{
    cpuid(0x40000000);
}

static uint32_t tsc(void)
{
    uint32_t low;

    __asm__ volatile("rdtsc" : "=a"(low) : : "edx", "memory");
    return low;
}

/* The median of many, as others use the machine too. */
static void tell_cost(const char *name, void (*operation)(void))
{
    enum { NR = 999 };
    static uint32_t took[NR];
    char digits[11], *at = &digits[10];

    for (uint32_t i = 0; i < NR; i++) {
        uint32_t begin = tsc(), place = i;

        operation();
        begin = tsc() - begin;
        for (; place > 0 && took[place - 1] > begin; place--)
            took[place] = took[place - 1];
        took[place] = begin;
    }
    *at = '\0';
    for (uint32_t rest = took[NR / 2]; rest || !*at; rest /= 10)
        *--at = (char)('0' + rest % 10);
    put("cost: ");
    put(name);
    put(": ");
    put(at);
    put(" cycles\r\n");
}

static void tell_costs(void)
{
    wrmsr(HV_X64_MSR_GUEST_OS_ID, 1);
    wrmsr(HV_X64_MSR_HYPERCALL, 0x3001);
    tell_cost("CPUID", read_leaf);
    tell_cost("MSR", read_counter);
    tell_cost("hypercall", call_page);
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

/* As the interface has it that is there, else by what hardware has. */
static void end(bool has_other_cpu)
{
    static const struct __attribute__((packed)) {
        uint16_t limit;
        uint32_t base;
    } nothing = {0, 0};
    static const uint32_t poweroff = 0;

    if (has_hyperv())
        wrmsr(HV_X64_MSR_RESET, 1);
    if (has_xen())
        hypercall(XEN_SCHED_OP, XEN_SCHEDOP_SHUTDOWN, (uint32_t)&poweroff);
    if (has_hyperv() || has_xen()) {
        put("FAIL the machine goes on\r\n");
        return;
    }
    if (!has_other_cpu)
        send(*apic(APIC_ID) >> 24, INIT);
    __asm__ volatile("lidt %0; ud2" : : "m"(nothing));
}

void attack_main(const uint8_t *boot_params)
{
    enum { CMD_LINE_PTR = 0x228 };
    const char *words = *(const char *const *)(boot_params + CMD_LINE_PTR);
    bool has_other_cpu = *words > '1' && *words <= '9';

    is_amd = !is_intel();
    load_idt();
    if (*words == 'c') {
        tell_costs();
        end(has_other_cpu);
        return;
    }
    try_virtualisation();
    try_past_nested();
    try_memory();
    try_interfaces();
    try_strings();
    try_programs();
    try_faults();
    try_traps();
    try_dma();
    if (has_other_cpu)
        try_other_cpu();
    put("attack: ");
    put_byte((char)('0' + (nr_failed > 9 ? 9 : nr_failed)));
    put(" failed\r\n");
    end(has_other_cpu);
}
