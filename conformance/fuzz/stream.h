/*
 * The form of the fuzzer's input: a configuration, then operations. The seeds are written in it too.
 *
 * Everything is little-endian and any bytes are a valid input: what is missing at the end is zero, numbers out of range
 * wrap. The form may change; seeds are made anew by the build.
 */
#ifndef FUZZ_STREAM_H
#define FUZZ_STREAM_H

#include <stdint.h>

/* Bytes of the configuration: personalities, VPs, how features are chosen, kinds of caps; then three 64-bit masks. */
enum fuzz_set { FUZZ_HYPERV, FUZZ_XEN, FUZZ_VMWARE, FUZZ_HYPERV_XEN, FUZZ_HYPERV_VMWARE, FUZZ_ALL, FUZZ_NR_SETS };
enum fuzz_features { FUZZ_DEFAULT, FUZZ_EVERYTHING, FUZZ_SOME_OFF, FUZZ_SOME_ON, FUZZ_NR_FEATURES };

/* Each operation begins with its kind and a VP. */
enum fuzz_op {
    FUZZ_MSR_READ,              /* which u16 */
    FUZZ_MSR_WRITE,             /* which u16, value */
    FUZZ_MSR_RAW,               /* index u32, value: written, then read */
    FUZZ_CPUID,                 /* leaf u16 (bit 15: raw offset), subleaf u8 */
    FUZZ_CALL,                  /* slot u8, row u8, flags u8, var u8, count u16, start u16, two addresses */
    FUZZ_CALL_RAW,              /* slot u8, 16 registers */
    FUZZ_XEN_CALL,              /* slot u8, row u8, flags u8, five arguments */
    FUZZ_BACKDOOR,              /* row u8, flags u8, RBX RSI RDI RBP */
    FUZZ_RPC,                   /* step u8, flags u8, RBX or length, address: with the cookies of an open channel */
    FUZZ_PIO,                   /* which u8, size u8, flags u8, count u16, RAX */
    FUZZ_TIME,                  /* ns u32 << 8: then the timers that are due */
    FUZZ_TIMER,
    FUZZ_MEMORY,                /* gpa u24, bytes u8, bytes */
    FUZZ_RACE,                  /* u8 */
    FUZZ_SAVE_LOAD,             /* u8: 0 as it is, else damage u64 */
    FUZZ_RESET,                 /* u8: this VP, or all */
    FUZZ_HOST,                  /* request u8, bytes u8, bytes: Hyper-V's */
    FUZZ_VMW_HOST,              /* request u8, number, number, bytes u8, bytes */
    FUZZ_CLOCK,                 /* u8 */
    FUZZ_LOOK,                  /* u8: calls of the host that only look */
    FUZZ_XMM,                   /* 96 bytes */
    FUZZ_MODE,                  /* u8: code bits, CPL, paging; cr3 u24 */
    FUZZ_XEN_HOST,              /* request u8 (one more than those of grants and console: a signal), three numbers */
    FUZZ_STORE,                 /* flags u8, type u8, transaction u8, bytes u8, bytes: a xenstore request */
    FUZZ_STORE_HOST,            /* request u8, number, bytes u8, bytes */
    FUZZ_NR_OPS,
};

/* A number: its first byte says how it is made. */
enum fuzz_number {
    FUZZ_BYTE,                  /* u8 */
    FUZZ_WORD,                  /* u16 */
    FUZZ_RAM,                   /* u16: a guest-physical address, in units of 8 */
    FUZZ_PAGE,                  /* u8: the MSR of a page that is on */
    FUZZ_LONG,                  /* u32 */
    FUZZ_QUAD,                  /* u64 */
    FUZZ_ALL_ONES,
    FUZZ_HIGH,                  /* u8: 1 << n */
    FUZZ_NR_NUMBERS,
};

/* FUZZ_CALL and FUZZ_XEN_CALL */
#define FUZZ_CALL_FAST 0x01
#define FUZZ_CALL_OTHER_CODE 0x02
#define FUZZ_CALL_NESTED 0x04
#define FUZZ_CALL_RESERVED 0x08
#define FUZZ_XEN_CALL_SIGNAL 0x40       /* by signal_insn: what would be the call's number is that of no signal */
#define FUZZ_SLOT_RAW 0xff

/* FUZZ_BACKDOOR */
#define FUZZ_BALLOON 0x08

/* FUZZ_STORE */
#define FUZZ_STORE_NO_EVENT 0x01
#define FUZZ_STORE_OTHER_TYPE 0x02
#define FUZZ_STORE_OTHER_LENGTH 0x04
#define FUZZ_STORE_KEEP_REPLIES 0x08
#define FUZZ_STORE_RECONNECT 0x10
#define FUZZ_STORE_OTHER_INDEX 0x20

/* FUZZ_RPC: which channel, and how */
#define FUZZ_RPC_CHANNEL 0x03
#define FUZZ_RPC_OTHER_COOKIE 0x04
#define FUZZ_RPC_OTHER_CHANNEL 0x08
#define FUZZ_RPC_BLOCK 0x10
#define FUZZ_RPC_IN 0x20

#endif
