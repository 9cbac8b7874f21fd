/* Private to VMX: what its files share. A CPU's VMCS is current from its first start on, and for good. */
#ifndef HVSHIM_METAL_VMX_H
#define HVSHIM_METAL_VMX_H

#include "../common/metal.h"
#include "pure.h"
#include "vmcs.h"

enum vmx_entry { VMX_LEFT, VMX_NMI_FIRST, VMX_FAILED };

struct vmx_cpu {
    uint64_t nmi_came;          /* first: vmx/enter.S finds it at the base of GS */
    void *vmcs;
    bool is_launched, nmi_wanted;
    bool has_nmi_window, is_timed;      /* what the VMCS's controls say: each VMWRITE may be an exit to a host below */
};
HVS_STATIC_ASSERT(offsetof(struct vmx_cpu, nmi_came) == 0, "entry code takes nmi_came to be first");

/* What all CPUs are taken to have: the first one's capabilities. */
struct vmx_caps {
    uint32_t pin, primary, secondary, exit, entry;
    uint32_t timer_shift;
};

extern struct vmx_caps vmx_caps;
extern uint8_t *vmx_io_bitmaps, *vmx_msr_bitmap;

/* --- setup.c ------------------------------------------------------------------------------------------------------ */

bool vmx_is_mine(void);
const char *vmx_missing(void);
void vmx_init(void);
void vmx_catch_port(uint16_t port);
void vmx_catch_msr(uint32_t index, bool reads, bool writes);
void vmx_cpu_init(struct cpu *cpu);
uint64_t vmx_nested_entry(uint64_t hpa, enum nested_entry kind);
uint32_t vmx_nr_key_bits(void);
bool vmx_nested_is_uniform(uint64_t hpa, uint64_t bytes);

/* --- guest.c ------------------------------------------------------------------------------------------------------ */

void vmx_start(struct cpu *cpu, const struct start *start);
void vmx_flush_tlb(struct cpu *cpu);

/* --- enter.S ------------------------------------------------------------------------------------------------------ */

enum vmx_entry vmx_enter(struct hvs_regs *regs, bool is_launched);
extern const uint8_t vmx_left[], vmx_nmi[];
void vmx_unblock_nmi(void);
void vmx_sleep(void);

static inline struct vmx_cpu *vmx_of(const struct cpu *cpu)
{
    return cpu->vendor_state;
}

static inline uint64_t vmread(uint32_t field)
{
    uint64_t value;

    __asm__ volatile("vmread %1, %0" : "=r"(value) : "r"((uint64_t)field) : "cc");
    return value;
}

/* Dies where the CPU has no such field. */
void vmwrite(uint32_t field, uint64_t value);

#endif
