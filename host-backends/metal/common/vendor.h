/*
 * The seam between what every machine needs and what SVM and VMX do each in its own way.
 *
 * A vendor turns virtualisation on, enters the guest, and says in neutral words why the guest came back. What is then
 * to be done, common/ decides. While a guest is not running, its general registers, RIP and RFLAGS are in cpu->regs and
 * are taken from there at the next entry; CR0, CR3, CR4, EFER, cpl and code_bits there are copies.
 */
#ifndef HVSHIM_METAL_VENDOR_H
#define HVSHIM_METAL_VENDOR_H

#include <hvshim/hvshim.h>

#include "x86.h"

#define PORT_VMWARE 0x5658u             /* and the next */

/* Events, as VMCB and VMCS write them alike [APM 2, 15.20; SDM 3, 25.8.3]. */
#define EVENT_VECTOR 0xffu
#define EVENT_KIND (7u << 8)
#define EVENT_NMI (2u << 8)
#define EVENT_EXCEPTION (3u << 8)
#define EVENT_HAS_CODE (1u << 11)
#define EVENT_VALID (1u << 31)

struct cpu;

enum trap_kind {
    TRAP_EXIT,                  /* trap.exit, for the core: CPUID, MSR, hypercall, port */
    TRAP_NESTED_FAULT,          /* the guest touched trap.gpa, which nested paging does not let it */
    TRAP_STEP,                  /* the one instruction that vendor.step asked for is done */
    TRAP_TIMER,                 /* what vendor.set_timer asked for */
    TRAP_NMI,
    TRAP_INIT,
    TRAP_INVD,
    TRAP_FORBIDDEN,             /* an instruction that this guest's CPU does not have: #UD */
    TRAP_FAULT,                 /* #GP of the guest's own, which exit_take_gp() has raised */
    TRAP_SHUTDOWN,              /* triple fault */
    TRAP_BROKEN,                /* trap.code: the vendor's own number; a bug of ours or of the CPU */
};

struct trap {
    enum trap_kind kind;
    uint8_t insn_bytes;         /* of the instruction, for EXIT and INVD */
    bool is_in_shadow;          /* NMI: between STI and the instruction behind it */
    bool is_refused;            /* EXIT: the guest's CPU has raised #GP for it */
    bool is_odd_string;         /* EXIT: INS or OUTS with segments or addresses that the core does not follow */
    uint64_t gpa, code;
    struct hvs_exit exit;
};

/* How a CPU begins: where a start-up IPI says, or in flat 32-bit protected mode at `eip` with these registers. */
struct start {
    bool is_protected;
    uint8_t sipi_vector;
    uint32_t eip, eax, ebx, esi;
};

enum nested_entry { NESTED_TABLE, NESTED_PAGE, NESTED_LARGE, NESTED_PAGE_READ_ONLY };

struct vendor {
    const char *name;
    struct hvs_insn hypercall;  /* the instruction that a hypercall page holds */
    /* Whether CPUs of this kind are its own; if so, NULL, or why this one cannot be used. */
    bool (*is_mine)(void);
    const char *(*missing)(void);
    /* Builds what all CPUs share, before any of them is initialised: I/O and MSR maps in which nothing is caught but
       what the vendor guards itself. */
    void (*init)(void);
    void (*catch_port)(uint16_t port);
    /* Has no effect on an index outside of the vendor's map: those are always caught. */
    void (*catch_msr)(uint32_t index, bool reads, bool writes);
    /* An entry of the nested page tables, of four levels. */
    uint64_t (*nested_entry)(uint64_t hpa, enum nested_entry kind);
    /* How many of the top bits of an address choose the key by which memory is encrypted: the same memory again. */
    uint32_t (*nr_key_bits)(void);
    /* Whether one entry can map that many bytes. NULL: always. */
    bool (*nested_is_uniform)(uint64_t hpa, uint64_t bytes);

    /* The rest concerns the CPU that calls it. */
    void (*cpu_init)(struct cpu *cpu);
    void (*start)(struct cpu *cpu, const struct start *start);     /* all but the general registers, RIP and RFLAGS */
    void (*enter)(struct cpu *cpu, struct trap *trap);
    /* The next entry raises an exception, or an NMI. */
    void (*raise)(struct cpu *cpu, uint8_t vector, bool has_code, uint32_t code);
    void (*raise_nmi)(struct cpu *cpu);
    /* What a page fault that is raised goes with. */
    void (*set_cr2)(struct cpu *cpu, uint64_t address);
    /* RIP is behind an instruction that was done for the guest, or by a step: what else goes with that. */
    void (*advanced)(struct cpu *cpu);
    void (*flush_tlb)(struct cpu *cpu);
    /* Switches on or off that the guest leaves after one instruction, to whose end RFLAGS.TF leads. */
    void (*step)(struct cpu *cpu, bool on);
    /* The guest is left when so many ns have gone by; UINT64_MAX: never. NULL: the CPU has no timer for that. */
    void (*set_timer)(struct cpu *cpu, uint64_t wait_ns);
    /* Sleeps until an NMI, and takes it; takes one that is pending. */
    void (*sleep)(void);
    void (*take_nmi)(void);
    /* Removes from a leaf what the guest's CPU shall not have. */
    void (*hide)(uint32_t leaf, uint32_t subleaf, struct cpuid *r);
    /* Answers for the MSRs that the vendor guards. HVS_UNHANDLED: it is none of those. */
    enum hvs_verdict (*msr)(struct cpu *cpu, const struct hvs_exit *exit, uint64_t *value);
};

extern const struct vendor svm, vmx;

#endif
