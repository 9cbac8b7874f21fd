/*
 * A personality for tests of the backend: its rows do what the backend must carry, so these tests need no translator.
 */
#ifndef TEST_PERSONALITY_H
#define TEST_PERSONALITY_H

#include <hvshim/personality.h>

/* Requests to the host that stop VP 0, and let it go on. */
enum { TEST_HOST_STOP = 1000, TEST_HOST_GO_ON };

extern const struct hvs_personality test_personality;

/* Hypercalls, by RAX. */
enum {
    T_REGS = 1,         /* adds 1 to each register but RAX, RSP and R11; RAX = code_bits << 8 | cpl */
    T_UD = 2,
    T_GP = 3,           /* with error code 0x123 */
    T_RETRY = 4,        /* counts RCX down, one at a time, and R8 up */
    T_BLOCK = 5,
    T_RAW = 6,          /* RAX = RBX + 1 */
    T_POLL = 7,
    T_UNKNOWN = 99,     /* unhandled */
};

#define T_PORT_STRINGS 0x5660

struct test_vm_state {
    uint64_t tsc;       /* what the clock said at the last read of MSR 0x40000020 */
    uint32_t nr_string_exits, nr_string;        /* T_PORT_STRINGS: how often it was asked, for how many bytes, */
    uint8_t string[8192];       /* and the bytes, which OUTS gave or INS is to get */
};
/* Options of the personality: where tests see its state. */
struct test_options {
    struct test_vm_state *see;
};

#endif
