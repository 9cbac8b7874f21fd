/*
 * One vCPU: its thread, the loop around KVM_RUN, and the state in which the boot CPU starts.
 *
 * The library is asked first about each exit; what it leaves is port and memory-mapped I/O, and the ways in which a
 * guest ends. To stop, the main thread sends a signal: its handler sets immediate_exit, so a signal that comes just
 * before KVM_RUN is not lost.
 */
#include "machine.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { KICK_SIGNAL = SIGUSR1 };

static _Thread_local struct kvm_run *thread_run;

static void on_kick(int signal)
{
    (void)signal;
    if (thread_run)
        thread_run->immediate_exit = 1;
}

/* --- making ----------------------------------------------------------------------------------------------------- */

/* Firmware's work: without it guests believe that no memory may be cached, and drop PAT. */
static int set_mtrr(struct cpu *cpu)
{
    struct {
        struct kvm_msrs head;
        struct kvm_msr_entry entry[1];
    } msrs = {.head.nmsrs = 1, .entry = {{.index = 0x2ff /* MTRRdefType */, .data = 0x800 /* on */ | 6 /* WB */}}};
    return vmm_ioctl(cpu->fd, KVM_SET_MSRS, "KVM_SET_MSRS", &msrs) < 0 ? -1 : 0;
}

int vmm_cpu_create(struct cpu *cpu)
{
    struct machine *m = cpu->machine;
    cpu->fd = vmm_ioctl(m->vm_fd, KVM_CREATE_VCPU, "KVM_CREATE_VCPU", (void *)(uintptr_t)cpu->index);
    if (cpu->fd < 0)
        return -1;
    void *run = mmap(NULL, m->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, cpu->fd, 0);
    if (run == MAP_FAILED)
        return vmm_fail("cannot map the state of vCPU %u: %s", cpu->index, strerror(errno));
    cpu->run = run;
    int err = hvs_kvm_add_vcpu(m->shim, cpu->index, cpu->fd, cpu->run, &cpu->shim);
    if (err)
        return vmm_fail("cannot add vCPU %u: %s", cpu->index, hvs_strerror(err));
    return vmm_cpuid_set(cpu) || set_mtrr(cpu) ? -1 : 0;
}

void vmm_cpu_destroy(struct cpu *cpu)
{
    if (cpu->run)
        munmap(cpu->run, cpu->machine->run_bytes);
    if (cpu->fd >= 0)
        close(cpu->fd);
}

/* --- the boot CPU's first state --------------------------------------------------------------------------------- */

/* Selectors as the Linux boot protocol wants them; the others do not mind. */
enum { CODE_SELECTOR = 0x10, DATA_SELECTOR = 0x18, TSS_SELECTOR = 0x20 };

static void write_gdt(struct machine *m, bool is_long_mode, struct kvm_dtable *gdt)
{
    const uint64_t entries[] = {
        [CODE_SELECTOR / 8] = is_long_mode ? 0x00af9b000000ffff : 0x00cf9b000000ffff,
        [DATA_SELECTOR / 8] = 0x00cf93000000ffff,
        [TSS_SELECTOR / 8] = 0x00008b0000000067,
    };
    memcpy(vmm_ram(m, VMM_GDT_GPA, sizeof(entries)), entries, sizeof(entries));
    *gdt = (struct kvm_dtable){.base = VMM_GDT_GPA, .limit = sizeof(entries) - 1};
}

/* The first 4 GiB, mapped to themselves in pages of 2 MiB. */
static void write_page_tables(struct machine *m)
{
    enum { NR_DIRECTORIES = 4, PRESENT = 1, WRITABLE = 2, LARGE = 0x80 };
    uint64_t *table = vmm_ram(m, VMM_PAGE_TABLES_GPA, (2 + NR_DIRECTORIES) * HVS_PAGE_BYTES);
    uint64_t *pointers = table + 512, *directory = pointers + 512;
    table[0] = (VMM_PAGE_TABLES_GPA + HVS_PAGE_BYTES) | PRESENT | WRITABLE;
    for (uint64_t i = 0; i < NR_DIRECTORIES; i++)
        pointers[i] = (VMM_PAGE_TABLES_GPA + (2 + i) * HVS_PAGE_BYTES) | PRESENT | WRITABLE;
    for (uint64_t i = 0; i < NR_DIRECTORIES * 512; i++)
        directory[i] = i << 21 | PRESENT | WRITABLE | LARGE;
}

static void set_segments(struct kvm_sregs *sregs, bool is_long_mode)
{
    struct kvm_segment data = {
        .limit = 0xffffffff, .selector = DATA_SELECTOR, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1,
    };
    struct kvm_segment code = data;
    code.selector = CODE_SELECTOR;
    code.type = 0xb;
    code.db = !is_long_mode;
    code.l = is_long_mode;
    sregs->cs = code;
    sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = data;
    sregs->tr = (struct kvm_segment){.limit = 0x67, .selector = TSS_SELECTOR, .type = 0xb, .present = 1};
}

int vmm_cpu_boot(struct cpu *cpu)
{
    struct machine *m = cpu->machine;
    const struct boot *boot = &m->boot;
    struct kvm_sregs sregs;
    if (vmm_ioctl(cpu->fd, KVM_GET_SREGS, "KVM_GET_SREGS", &sregs) < 0)
        return -1;
    write_gdt(m, boot->is_long_mode, &sregs.gdt);
    sregs.idt.limit = 0;        /* the guest brings its own; until then a fault ends it */
    set_segments(&sregs, boot->is_long_mode);
    sregs.cr0 = HVS_CR0_PE | 1u << 4 /* ET, always set */;
    if (boot->is_long_mode) {
        write_page_tables(m);
        sregs.cr0 |= HVS_CR0_PG;
        sregs.cr3 = VMM_PAGE_TABLES_GPA;
        sregs.cr4 = HVS_CR4_PAE;
        sregs.efer = HVS_EFER_LMA | 1u << 8 /* LME */;
    }
    struct kvm_regs regs = {
        .rip = boot->rip, .rflags = 2 /* always set */, .rax = boot->rax, .rbx = boot->rbx, .rsi = boot->rsi,
    };
    if (vmm_ioctl(cpu->fd, KVM_SET_SREGS, "KVM_SET_SREGS", &sregs) < 0)
        return -1;
    return vmm_ioctl(cpu->fd, KVM_SET_REGS, "KVM_SET_REGS", &regs);
}

/* --- exits ------------------------------------------------------------------------------------------------------ */

static void handle_io(struct machine *m, struct kvm_run *run)
{
    uint8_t *data = (uint8_t *)run + run->io.data_offset;
    uint32_t size = run->io.size;
    for (uint32_t i = 0; i < run->io.count; i++, data += size) {
        uint32_t value = 0;
        if (run->io.direction == KVM_EXIT_IO_IN) {
            value = vmm_port_in(m, run->io.port, size);
            memcpy(data, &value, size);
        } else {
            memcpy(&value, data, size);
            vmm_port_out(m, run->io.port, size, value);
        }
    }
}

/* For whoever debugs a guest that KVM could not run on. */
static void print_registers(struct cpu *cpu)
{
    struct kvm_regs r;
    struct kvm_sregs s;
    if (ioctl(cpu->fd, KVM_GET_REGS, &r) || ioctl(cpu->fd, KVM_GET_SREGS, &s))
        return;
    fprintf(stderr, "  vCPU %u  rip %04x:%016llx  rflags %08llx\n", cpu->index, s.cs.selector, r.rip, r.rflags);
    fprintf(stderr, "  rax %016llx  rbx %016llx  rcx %016llx  rdx %016llx\n", r.rax, r.rbx, r.rcx, r.rdx);
    fprintf(stderr, "  rsi %016llx  rdi %016llx  rsp %016llx  rbp %016llx\n", r.rsi, r.rdi, r.rsp, r.rbp);
    fprintf(stderr, "  r8  %016llx  r9  %016llx  r10 %016llx  r11 %016llx\n", r.r8, r.r9, r.r10, r.r11);
    fprintf(stderr, "  r12 %016llx  r13 %016llx  r14 %016llx  r15 %016llx\n", r.r12, r.r13, r.r14, r.r15);
    fprintf(stderr, "  cr0 %016llx  cr2 %016llx  cr3 %016llx  cr4 %016llx\n", s.cr0, s.cr2, s.cr3, s.cr4);
    fprintf(stderr, "  efer %llx  cs.base %llx  gdt %llx+%x  idt %llx+%x\n", s.efer, s.cs.base, s.gdt.base,
            s.gdt.limit, s.idt.base, s.idt.limit);
}

static void print_internal_error(struct cpu *cpu)
{
    const struct kvm_run *run = cpu->run;
    vmm_fail("KVM internal error, suberror %u", run->internal.suberror);
    bool has_bytes = run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION && run->emulation_failure.ndata >= 3 &&
                     run->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES;
    if (has_bytes) {
        fputs("  KVM could not emulate the instruction", stderr);
        for (uint32_t i = 0; i < run->emulation_failure.insn_size && i < 15; i++)
            fprintf(stderr, " %02x", run->emulation_failure.insn_bytes[i]);
        fputs("\n", stderr);
    }
    print_registers(cpu);
}

static void handle_exit(struct cpu *cpu)
{
    struct machine *m = cpu->machine;
    struct kvm_run *run = cpu->run;
    switch (run->exit_reason) {
    case KVM_EXIT_IO:
        handle_io(m, run);
        break;
    case KVM_EXIT_MMIO:         /* nothing is there */
        if (!run->mmio.is_write)
            memset(run->mmio.data, 0xff, sizeof(run->mmio.data));
        break;
    case KVM_EXIT_X86_RDMSR:
    case KVM_EXIT_X86_WRMSR:    /* no MSR of ours, nor of the personas: #GP */
        run->msr.error = 1;
        break;
    case KVM_EXIT_SHUTDOWN:
        vmm_end(m, VMM_END_TRIPLE_FAULT);
        break;
    case KVM_EXIT_INTERNAL_ERROR:
        print_internal_error(cpu);
        vmm_end(m, VMM_END_KVM);
        break;
    case KVM_EXIT_FAIL_ENTRY:
        vmm_fail("the processor refused to enter the guest, reason %#llx",
                 run->fail_entry.hardware_entry_failure_reason);
        print_registers(cpu);
        vmm_end(m, VMM_END_KVM);
        break;
    default:
        vmm_fail("KVM gave the unexpected exit reason %u", run->exit_reason);
        print_registers(cpu);
        vmm_end(m, VMM_END_KVM);
    }
}

/* --- the thread ------------------------------------------------------------------------------------------------- */

static void run_once(struct cpu *cpu)
{
    if (hvs_kvm_run(cpu->shim) == 0) {
        if (hvs_kvm_exit(cpu->shim) == HVS_KVM_NOT_OURS)
            handle_exit(cpu);
        vmm_xen_back_serve(cpu->machine);
        return;
    }
    int err = errno;
    cpu->run->immediate_exit = 0;
    if (err == EINTR || err == EAGAIN)  /* EAGAIN: another vCPU has just started this one */
        return;
    vmm_fail("KVM_RUN: %s", strerror(err));
    print_registers(cpu);
    vmm_end(cpu->machine, VMM_END_KVM);
}

static void *run_thread(void *argument)
{
    struct cpu *cpu = argument;
    sigset_t kick;
    sigemptyset(&kick);
    sigaddset(&kick, KICK_SIGNAL);
    thread_run = cpu->run;
    pthread_sigmask(SIG_UNBLOCK, &kick, NULL);
    while (!vmm_has_ended(cpu->machine)) {
        if (atomic_load(&cpu->machine->pause.is_wanted))
            vmm_pause_wait(cpu->machine);
        else
            run_once(cpu);
    }
    return NULL;
}

int vmm_cpu_start(struct cpu *cpu)
{
    struct sigaction action = {.sa_handler = on_kick};  /* no SA_RESTART: a blocked write() must come back too */
    sigset_t kick;
    sigemptyset(&kick);
    sigaddset(&kick, KICK_SIGNAL);
    sigaction(KICK_SIGNAL, &action, NULL);
    pthread_sigmask(SIG_BLOCK, &kick, NULL);    /* inherited: the thread takes it when it is ready for it */
    int err = pthread_create(&cpu->thread, NULL, run_thread, cpu);
    if (err)
        return vmm_fail("cannot start the thread of vCPU %u: %s", cpu->index, strerror(err));
    cpu->has_thread = true;
    return 0;
}

void vmm_cpus_kick(struct machine *m)
{
    for (uint32_t i = 0; i < m->options->nr_cpus; i++)
        if (m->cpu[i].has_thread)
            pthread_kill(m->cpu[i].thread, KICK_SIGNAL);
}

/* A kick can come just before a write() that then waits, so they are repeated. */
void vmm_cpus_join(struct machine *m)
{
    for (uint32_t i = 0; m->cpu && i < m->options->nr_cpus; i++) {
        struct timespec until;
        while (m->cpu[i].has_thread) {
            vmm_cpus_kick(m);
            clock_gettime(CLOCK_REALTIME, &until);
            until.tv_sec++;
            m->cpu[i].has_thread = pthread_timedjoin_np(m->cpu[i].thread, NULL, &until) == ETIMEDOUT;
        }
    }
}
