/* Rows of facts about hypercalls, and how the matrix makes calls. */
#ifndef MATRIX_HYPERV_HCALL_H
#define MATRIX_HYPERV_HCALL_H

#include "hyperv.h"

enum { HV_IN_PAGE = 0, HV_OUT_PAGE = 1, HV_CALL_PAGE = 2, HV_MAX_IN_QWORDS = 34 };

/* Sets of statuses that are right: a bit each, 63 for all that no row names. */
#define HV_IS(status)                                                                                           \
    (1ull << ((status) < 0x34 ? (status) : (status) == 0x50 ? 0x34 : (status) == 0x51 ? 0x35 : (status) == 0x57 ? 0x36 \
              : (status) == 0x87 ? 0x37 : 63))
#define HV_OK HV_IS(HV_STATUS_SUCCESS)
#define HV_DENIED (HV_IS(HV_STATUS_ACCESS_DENIED) | HV_IS(HV_STATUS_INVALID_HYPERCALL_CODE))

enum hv_hcall_flag {
    HV_CALL_REP = 1u << 0,
    HV_CALL_VAR = 1u << 1,
    HV_CALL_FAST = 1u << 2,     /* marked fast in 6.0b App. A, or guests make it so */
    HV_CALL_ASK = 1u << 3,      /* no bit tells whether it is there: a call does */
    HV_CALL_ABSENT_ONLY = 1u << 4,      /* no layout to test it with */
};

/* One call as a caller prepares it. */
struct hv_request {
    uint64_t in[HV_MAX_IN_QWORDS];
    uint32_t nr_var;
    uint32_t rep_count;
};

struct hv_hcall {
    uint16_t code;
    const char *name, *ref;
    uint8_t need;               /* enum hv_need */
    uint8_t flags;              /* enum hv_hcall_flag */
    uint16_t in_bytes, out_bytes, elem_in, elem_out;
    uint64_t absent;            /* right statuses where it is not advertised */
    uint64_t want;              /* right statuses of the sample */
    void (*sample)(const struct matrix *matrix, struct hv_request *request);
};
extern const struct hv_hcall hv_hcalls[];
extern const uint32_t hv_nr_hcalls;

/* The sample with one field changed. */
struct hv_variation {
    uint16_t code;
    const char *check;
    uint16_t offset, bytes;
    uint64_t value;
    uint64_t want;              /* right statuses */
    uint8_t also;               /* enum hv_need: needed beside the call's own */
};
extern const struct hv_variation hv_variations[];
extern const uint32_t hv_nr_variations;

const struct hv_hcall *hv_hcall_row(uint16_t code);
bool hv_hcall_is_there(struct matrix *matrix, const struct hv_hcall *row);

/* How a call is made; zero is the ordinary way. */
struct hv_way {
    uint64_t control;           /* bits to add to the control word */
    uint64_t clear;             /* bits to clear in it first */
    uint64_t in_gpa, out_gpa;   /* 0: the pages of the matrix */
    bool is_fast, is_32, is_real_mode;
    uint8_t cpl;
};
struct hv_answer {
    int fault;
    uint64_t result;
    struct matrix_regs before, after;
};
uint16_t hv_status(const struct hv_answer *answer);
uint32_t hv_reps(const struct hv_answer *answer);

/* Makes the hypercall page available. */
enum matrix_verdict hv_establish(struct matrix *matrix);
/* Bytes of the input block: header, variable header, elements. */
uint32_t hv_in_bytes(const struct hv_hcall *row, const struct hv_request *request);
uint32_t hv_out_bytes(const struct hv_hcall *row, const struct hv_request *request);
void hv_call(struct matrix *matrix, const struct hv_hcall *row, const struct hv_request *request,
             const struct hv_way *way, struct hv_answer *answer);
/* Makes the call and compares its status with a set. */
enum matrix_verdict hv_expect(struct matrix *matrix, const struct hv_hcall *row, const struct hv_request *request,
                              const struct hv_way *way, uint64_t want);

#endif
