/*
 * Two small personalities for the core's own tests: "toy" has one of everything that a row can be, "trinket" stands
 * behind it in the stack. Neither resembles a real interface, so a test here says something about the core only.
 *
 * Tests look into VM and vCPU (core.h) where the public interface does not show what they need.
 */
#ifndef HVSHIM_TESTS_TOY_H
#define HVSHIM_TESTS_TOY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core.h"
#include "mock.h"

enum toy_feature {
    TOY_FEATURE_CALLS,          /* leaf 1 EAX 0, leaf 2.1 ECX 31 */
    TOY_FEATURE_XMM,            /* leaf 1 EAX 1; hint; needs CALLS and HVS_CAP_XMM */
    TOY_FEATURE_PAGES,          /* leaf 1 EAX 2 */
    TOY_FEATURE_TIMERS,         /* leaf 1 EAX 3; needs HVS_CAP_TIMER */
    TOY_FEATURE_PORT,           /* leaf 1 EAX 4 */
    TOY_FEATURE_HINT,           /* leaf 1 EAX 5 */
    TOY_FEATURE_RARE,           /* leaf 1 EAX 6; off by default; needs PAGES and TIMERS */
    TOY_FEATURE_HOLLOW,         /* leaf 1 EAX 7; neither rows nor hint: shown only where the host kernel serves it */
    TOY_NR_FEATURES,
};

enum {
    TOY_MSR_RO = 0x500,
    TOY_MSR_WO = 0x501,
    TOY_MSR_RW = 0x502,
    TOY_MSR_BANK = 0x510,       /* TOY_NR_BANK of them */
    TOY_MSR_SHARED = 0x520,     /* VM scope */
    TOY_MSR_BUDGET = 0x521,     /* VM scope; elements that a rep call does at a time, 0: all */
    TOY_MSR_PICKY = 0x522,      /* its handler refuses odd values */
    TOY_MSR_PAGE = 0x530,       /* TOY_NR_PAGES of them: gfn << 12 | on */
    TOY_MSR_VM_PAGE = 0x532,    /* VM scope; likewise */
    TOY_MSR_TIMER = 0x540,      /* TOY_NR_TIMERS of them: deadline in ns, 0: idle */
    TOY_MSR_IRQ = 0x550,        /* injects this vector into this vCPU */
    TOY_MSR_RARE = 0x560,
    TRINKET_MSR = 0x600,
    TRINKET_MSR_PAGE = 0x601,

    TOY_NR_BANK = 4,
    TOY_NR_PAGES = 2,
    TOY_NR_TIMERS = 2,
    TOY_RO_VALUE = 0x600d,
    TOY_PORT_FIRST = 0x700,     /* ..TOY_PORT_LAST: IN gives the VP number, OUT stores RAX */
    TOY_PORT_LAST = 0x707,
    TOY_PORT_PASS = 0x706,      /* passed on to the next personality */
    TOY_PORT_LOCKED = 0x710,    /* VM scope; takes strings */
    TRINKET_PORT = 0x706,
};
#define TOY_RW_RESERVED 0xffffffff00000000ull

/*
 * Hypercalls. Every handler is the same: the sum of header and variable header, plus for each element the sum of its
 * bytes; output byte i is that sum plus i. A first byte of TOY_POISON makes the call, or the element, fail.
 */
enum toy_call {
    TOY_CALL_REGS = 0x01,       /* simple: 16 in */
    TOY_CALL_XMM_IN = 0x02,     /* simple: 48 in */
    TOY_CALL_XMM_OUT = 0x03,    /* simple: 16 in, 16 out */
    TOY_CALL_XMM_BOTH = 0x04,   /* simple: 40 in, 24 out */
    TOY_CALL_OUT = 0x05,        /* simple: 16 out */
    TOY_CALL_VAR = 0x06,        /* simple with variable header: 8 in, 8 out */
    TOY_CALL_REP_REGS = 0x11,   /* rep: 8 in, 4 an element */
    TOY_CALL_REP_XMM_IN = 0x12, /* rep: 8 in, 8 an element */
    TOY_CALL_REP_OUT = 0x13,    /* rep: 8 an element out */
    TOY_CALL_REP_BOTH = 0x14,   /* rep: 8 in, 4 an element in, 8 out */
    TOY_CALL_REP_VAR = 0x15,    /* rep with variable header: 8 in, 8 an element in, 4 out */
    TOY_CALL_SLOW = 0x20,       /* simple: 8 in, 8 out, not fast */
    TOY_CALL_LOCKED = 0x21,     /* VM scope, nothing in or out */
    TOY_CALL_PAGE = 0x22,       /* simple: a whole page in and one out */
    TOY_CALL_STUCK = 0x23,      /* rep: succeeds without doing an element */
    TOY_CALL_IDLE = 0x24,       /* simple: 16 out, of which its handler writes nothing */
    TOY_CALL_RARE = 0x30,       /* belongs to TOY_FEATURE_RARE */
};

enum {
    TOY_POISON = 0xbd,
    TOY_STATUS_CODE = 2,        /* no such call */
    TOY_STATUS_INPUT = 3,
    TOY_STATUS_ALIGNMENT = 4,
    TOY_STATUS_POISON = 0x50,
};

/* RCX of a toy hypercall; RDX and R8 are the addresses, or the first 16 bytes. RAX: status | reps done << 32. */
#define TOY_CONTROL_FAST (1ull << 16)
#define TOY_CONTROL_VAR_SHIFT 17
#define TOY_CONTROL_COUNT_SHIFT 32
#define TOY_CONTROL_FIRST_SHIFT 48
#define TOY_RAW_MARK 0x79bull   /* in RSI: a VMCALL of the guest's own code is for toy */

struct toy_vm {
    uint64_t shared;
    uint64_t budget;
    uint64_t page_msr;
    uint32_t was_reset;         /* set by toy's reset, after the core zeroed the rest */
    uint32_t bell;              /* saved by toy's own record */
};

struct toy_vcpu {
    uint64_t last;              /* what was written to TOY_MSR_WO or a port */
    uint64_t rw, picky, rare;
    uint64_t bank[TOY_NR_BANK];
    uint64_t page_msr[TOY_NR_PAGES];
    uint32_t was_reset;
    uint32_t nr_calls;          /* of hypercall handlers */
    uint32_t nr_fired[TOY_NR_TIMERS];
    bool was_locked;            /* the VM lock was held in the last row of VM scope */
    uint8_t pad[7];
};

enum { TOY_RECORD_BELL = 1, TOY_RECORD_FIRED = 2 };
struct toy_fired {
    uint32_t nr_fired[TOY_NR_TIMERS];
    uint32_t pad;
};

struct trinket_vcpu {
    uint64_t value;
    uint64_t page_msr;
    uint32_t nr_fired;
};

/* Its host requests add the VP number to the uint64_t at `data`, and answer and inject their own number. */
extern const struct hvs_personality toy;        /* at 0x40000000 */
extern const struct hvs_personality trinket;    /* behind it */

/* A context on this vCPU's toy, as a handler has it; effects go to mock->out, which is emptied. */
struct hvs_ctx toy_ctx(struct mock *mock, uint32_t vp);
struct toy_vm *toy_vm_state(struct mock *mock);
struct toy_vcpu *toy_vcpu_state(struct mock *mock, uint32_t vp);

/* For cmocka: *state is a struct mock with toy and trinket on three VPs, and every capability but HVS_CAP_RETRY. */
int toy_setup(void **state);
int toy_teardown(void **state);
/* Makes the VM of toy_setup again, with other capabilities or features. */
void toy_restart(struct mock *mock, uint32_t caps, uint64_t features_on, uint64_t features_off);

/* A port of the test's own instead of the mock's: copy, change, and give it here. It must outlive the VM. */
void toy_use_port(struct mock *mock, const struct hvs_port *port);

#define TOY_MAIN(tests) \
    int main(void) \
    { \
        return cmocka_run_group_tests(tests, NULL, NULL); \
    }
#define TOY_TEST(function) cmocka_unit_test_setup_teardown(function, toy_setup, toy_teardown)

#endif
