/*
 * Matrices: what an interface must answer, written from its specification, and the small engine that asks.
 *
 * A matrix is const tables and functions in freestanding C. It touches the machine only through struct matrix_env, so
 * the same tables run against a translator on the mock backend and inside a guest on any hypervisor. What the guest
 * sees in CPUID decides what is expected: of a feature that is not advertised, that it is absent.
 *
 * Includes ABI headers only; knows nothing of the implementation under test.
 */
#ifndef MATRIX_H
#define MATRIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What an access ended in: no fault, or the vector of the exception. */
#define MATRIX_NO_FAULT (-1)
#define MATRIX_UD 6
#define MATRIX_GP 13

enum { MATRIX_NR_PAGES = 16, MATRIX_PAGE_BYTES = 4096, MATRIX_NR_XMM = 6 };

/* The caller's registers at a hypercall, before and after. */
struct matrix_regs {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t xmm[MATRIX_NR_XMM][2];
    uint8_t cpl;
    uint8_t code_bits;          /* 32 or 64 */
    bool is_real_mode;
    uint16_t call_offset;       /* where in the hypercall page to call; 32-bit code must lie below 4 GiB */
};

/* Instructions at the port in DX. */
enum matrix_port { MATRIX_IN_32, MATRIX_IN_16, MATRIX_IN_8, MATRIX_OUT_32, MATRIX_OUT_8, MATRIX_INS_8, MATRIX_OUTS_8 };

enum matrix_can {
    MATRIX_CAN_CPL3 = 1u << 0,          /* hypercall: cpl 3 */
    MATRIX_CAN_CALL32 = 1u << 1,        /* hypercall: code_bits 32 */
    MATRIX_CAN_REAL_MODE = 1u << 2,     /* hypercall: is_real_mode */
    MATRIX_CAN_CALL_EARLY = 1u << 3,    /* hypercall before there is a hypercall page */
    MATRIX_IS_FRESH = 1u << 4,          /* nobody used the interface since power-on */
    MATRIX_HAS_LEAF_1 = 1u << 5,        /* CPUID leaf 1 is the guest's */
    MATRIX_CAN_CPL3_PORT = 1u << 6,     /* port: cpl 3 */
    MATRIX_MAY_ACT = 1u << 7,           /* calls with nonsense for arguments may change the machine */
    MATRIX_CAN_CALL32_CPL3 = 1u << 8,   /* hypercall: both at once */
    MATRIX_CAN_BLOCK = 1u << 9,         /* hypercall: one that waits does so */
    MATRIX_CAN_VMCALL = 1u << 11,       /* hypercall: VMCALL and VMMCALL come back, which KVM's own calls need */
    MATRIX_HAS_VMPORT = 1u << 10,       /* VMware's port is to be asked also where CPUID does not speak of it */
};

/* A page of guest RAM that the matrix may use, below 4 GiB; pages 0 and 1 follow each other. */
struct matrix_page {
    uint64_t gpa;
    uint8_t *at;
};

struct matrix_result;

/* The machine under test. Members marked (optional) may be NULL: the points that need them are skipped. */
struct matrix_env {
    void *ctx;
    uint32_t nr_vps;            /* on which MSRs can be accessed, from VP 0 on */
    uint32_t can;               /* enum matrix_can */
    uint32_t phys_bits;         /* the GPA space ends at 1 << phys_bits */
    uint64_t hole_gpa;          /* a page in the GPA space that is neither RAM nor a device; 0: not known */
    uint32_t apic_id;           /* of VP 0 */
    const uint8_t *uuid;        /* of the VM, 16 bytes; (optional) */
    uint8_t vector;             /* that interrupts of the test may have */
    struct matrix_page page[MATRIX_NR_PAGES];
    void (*cpuid)(void *ctx, uint32_t vp, uint32_t leaf, uint32_t regs[4]);
    int (*rdmsr)(void *ctx, uint32_t vp, uint32_t index, uint64_t *value);
    int (*wrmsr)(void *ctx, uint32_t vp, uint32_t index, uint64_t value);
    /* WRMSR by 32-bit code on VP 0. (optional) */
    int (*wrmsr32)(void *ctx, uint32_t index, uint64_t value);
    /* Calls the hypercall page, which is to be at page 2, on VP 0. */
    int (*hypercall)(void *ctx, struct matrix_regs *regs);
    /* Guest memory, to be looked at; NULL where nothing is. (optional) */
    uint8_t *(*memory)(void *ctx, uint64_t gpa);
    /* One port instruction on VP 0; INS and OUTS with REP. At CPL 3 all ports are open. (optional) */
    int (*port)(void *ctx, struct matrix_regs *regs, enum matrix_port how);
    /* RDPMC on VP 0 at CPL 0. (optional) */
    int (*rdpmc)(void *ctx, uint32_t index, uint64_t *value);
    uint64_t (*tsc)(void *ctx);
    /* Lets `ns` pass with interrupts open. (optional) */
    void (*wait)(void *ctx, uint64_t ns);
    /* How many interrupts came to `vp` at `vector` since the last call. (optional) */
    uint32_t (*interrupts)(void *ctx, uint32_t vp, uint8_t vector);
    /* Writes 8 bytes as the guest's own code. (optional) */
    int (*store)(void *ctx, uint64_t gpa, uint64_t value);
    /* Whether the VM was asked to end since it was renewed. (optional) */
    bool (*has_ended)(void *ctx);
    /* Brings the machine back to power-on. (optional) */
    void (*renew)(void *ctx);
    /* Told of each point before it runs; false leaves it out. (optional) */
    bool (*begin)(void *ctx, const struct matrix_result *result);
    void (*report)(void *ctx, const struct matrix_result *result);
};

enum matrix_verdict {
    MATRIX_SUCCESS,
    MATRIX_SKIP,                /* not advertised, or this front cannot do it */
    MATRIX_ERROR,               /* the test could not be carried out */
    MATRIX_FAILURE,             /* the answer is not what the specification says */
    MATRIX_NR_VERDICTS,
};

struct matrix_result {
    enum matrix_verdict verdict;
    const char *chapter;        /* of the matrix, as a heading */
    const char *subject;        /* what is asked: a register, a call */
    const char *check;          /* what is asked of it */
    const char *variant;        /* of a check that is asked in several ways, begins with a space; NULL: none */
    const char *ref;            /* where the specification says it */
    const char *why;            /* of a verdict other than SUCCESS */
    uint64_t at;                /* the value or bit that was tried */
    uint64_t got;
};

enum { MATRIX_MAX_UNDO = 24 };

struct matrix {
    const struct matrix_env *env;
    uint32_t nr[MATRIX_NR_VERDICTS];
    const char *chapter;
    bool is_left_out;
    /* of the point that runs */
    struct matrix_result result;
    struct {
        uint32_t vp, index;
        uint64_t value;
    } undo[MATRIX_MAX_UNDO];
    uint32_t nr_undo;
};

void matrix_init(struct matrix *matrix, const struct matrix_env *env);

/* The points that follow belong to it. */
void matrix_chapter(struct matrix *matrix, const char *chapter);

/*
 * Between these two a point runs; the second counts and reports it, and puts back the MSRs that it wrote. The first
 * returns false where the point is left out: then it need not run, nor be ended.
 */
bool matrix_begin(struct matrix *matrix, const char *subject, const char *check, const char *ref);
bool matrix_begin_variant(struct matrix *matrix, const char *subject, const char *check, const char *variant,
                          const char *ref);
void matrix_end(struct matrix *matrix, enum matrix_verdict verdict);

enum matrix_verdict matrix_skip(struct matrix *matrix, const char *why);
enum matrix_verdict matrix_error(struct matrix *matrix, const char *why);
enum matrix_verdict matrix_fail(struct matrix *matrix, const char *why, uint64_t at, uint64_t got);

/* Puts back, in between or outside of a point, what was written since the last time. */
void matrix_put_back(struct matrix *matrix);
/* Power-on (env.renew): there is nothing to put back then. */
void matrix_renew(struct matrix *matrix);

/* The machine, and what is to be put back noted. */
int matrix_read(struct matrix *matrix, uint32_t vp, uint32_t index, uint64_t *value);
int matrix_write(struct matrix *matrix, uint32_t vp, uint32_t index, uint64_t value);
uint32_t matrix_cpuid(const struct matrix *matrix, uint32_t leaf, uint32_t reg);
void matrix_fill(const struct matrix *matrix, uint32_t page, uint8_t byte);
/* Says whether each byte of a page is `byte`. */
bool matrix_is_filled(const struct matrix *matrix, uint32_t page, uint8_t byte);

/* Waits for `nr` interrupts to `vp`, at most a second (a vCPU may be held up that long), and a moment for more of them.
   Returns how many came. Needs env.wait and env.interrupts. */
uint32_t matrix_await(const struct matrix *matrix, uint32_t vp, uint32_t nr);

uint32_t matrix_points(const struct matrix *matrix);

/* --- the matrices ------------------------------------------------------------------------------------------------- */

void matrix_hyperv(struct matrix *matrix);
void matrix_kvm(struct matrix *matrix);
void matrix_vmware(struct matrix *matrix);
void matrix_xen(struct matrix *matrix);

#endif
