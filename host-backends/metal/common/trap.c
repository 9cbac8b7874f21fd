/* Exceptions in the hypervisor itself. Each is a bug: it is told, and this CPU stops. */
#include "metal.h"

enum { NR_STUBS = 32, STUB_BYTES = 16, GATE_INTERRUPT = 0x8e };

struct gate {
    uint16_t offset_0, selector;
    uint8_t ist, type;
    uint16_t offset_16;
    uint32_t offset_32, reserved;
};
HVS_STATIC_ASSERT(sizeof(struct gate) == 16, "a gate is 16 bytes");

struct trap_frame {
    uint64_t vector, code, rip, cs, rflags, rsp, ss;
};

extern uint8_t trap_stubs[];
_Noreturn void trap_fatal(const struct trap_frame *frame);

static struct gate idt[NR_STUBS];

static void set_gate(uint32_t vector, const uint8_t *stub)
{
    uint64_t at = (uintptr_t)stub;

    idt[vector] = (struct gate){.offset_0 = (uint16_t)at, .selector = SELECTOR_CODE64, .type = GATE_INTERRUPT,
                                .offset_16 = (uint16_t)(at >> 16), .offset_32 = (uint32_t)(at >> 32)};
}

void trap_set_nmi(const uint8_t *stub)
{
    set_gate(VECTOR_NMI, stub);
}

void trap_init(void)
{
    const struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } pointer = {sizeof(idt) - 1, (uintptr_t)idt};

    for (uint32_t i = 0; i < NR_STUBS && !idt[i].type; i++)
        set_gate(i, trap_stubs + i * STUB_BYTES);
    __asm__ volatile("lidt %0" : : "m"(pointer));
}

void trap_fatal(const struct trap_frame *frame)
{
    uint64_t cr2;

    __asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
    die("bug: exception %lu, code 0x%lx, rip 0x%lx, rsp 0x%lx, cr2 0x%lx", frame->vector, frame->code, frame->rip,
        frame->rsp, cr2);
}
