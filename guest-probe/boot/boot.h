/*
 * What the files of the freestanding front share. Also included by start.S.
 */
#ifndef PROBE_BOOT_H
#define PROBE_BOOT_H

#define BOOT_BY_MULTIBOOT 1
#define BOOT_BY_PVH 2
#define BOOT_CODE_SELECTOR 0x08
#define BOOT_DATA_SELECTOR 0x10
#define BOOT_STACK_BYTES 65536
#define BOOT_STUB_BYTES 16
#define BOOT_NR_VECTORS 64
#define BOOT_MAX_CPUS 8

/* Vectors of the local APIC; the low four bits of the spurious one are set, as old APICs want it. */
#define BOOT_VECTOR_TEST 0x30
#define BOOT_VECTOR_SPURIOUS 0x3f

#ifndef __ASSEMBLER__

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Values written to the isa-debug-exit port; a VMM ends with (value << 1) | 1. */
enum boot_status {
    BOOT_SOUND = 0,             /* everything that is advertised works */
    BOOT_LIES = 1,              /* something advertised does not work */
    BOOT_CRASHED = 2,           /* the probe itself met an exception that it did not provoke */
};

/* start.S */
extern const uint8_t boot_stubs[BOOT_NR_VECTORS * BOOT_STUB_BYTES];
extern uint64_t boot_recovery;  /* stack pointer of the env_try in progress; 0: none */
__attribute__((noreturn)) void boot_recover(int vector);

/* main.c; `how` is BOOT_BY_*, `information` what the loader left in EBX */
int boot_main(uint32_t how, uint32_t information);

/* loader.c */
const char *boot_command_line(uint32_t how, uint32_t information);
__attribute__((noreturn)) void boot_exit(int status);

/* trap.c */
struct boot_frame {
    uint64_t r11, r10, r9, r8, rdi, rsi, rdx, rcx, rax;
    uint64_t vector, error_code;
    uint64_t rip, cs, rflags, rsp, ss;
};
void boot_trap_init(void);
void boot_trap_load(void);      /* on each other CPU */
void boot_trap(struct boot_frame *frame);
/* How many interrupts came at BOOT_VECTOR_TEST to the CPU of this APIC id (below BOOT_MAX_CPUS) since the last call. */
uint32_t boot_interrupts(uint32_t apic_id);
/* What takes these interrupts in place of counting, and ends them itself; NULL: nothing. */
extern void (*boot_test_handler)(void);

/* apic.c: the local APIC, in xAPIC or x2APIC mode as found */
void boot_apic_init(void);
void boot_apic_eoi(void);
uint32_t boot_apic_id(void);
/* Lets all other CPUs start in real mode at `page` << 12. */
void boot_apic_start_others(uint8_t page);
/* Whether BOOT_VECTOR_TEST waits to be let in. */
bool boot_apic_has_pending(void);
/* Sends BOOT_VECTOR_TEST to the CPU of this id. */
void boot_apic_send(uint32_t apic_id);
/* Has BOOT_VECTOR_TEST come once, after so many ticks of the local APIC's timer (env_apic_khz). */
void boot_apic_set_timer(uint32_t ticks);

/* serial.c: COM1, polled */
void boot_serial_init(void);
void boot_serial_write(const char *text, size_t bytes);

static inline void boot_out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline uint8_t boot_in8(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

#endif
#endif
