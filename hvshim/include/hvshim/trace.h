/*
 * The trace: fixed records in a ring of caller-given memory, never format strings.
 *
 * Writers of several vCPUs take a position by an atomic counter; a reader copies a record and takes it when its
 * sequence is the same before and after.
 */
#ifndef HVSHIM_TRACE_H
#define HVSHIM_TRACE_H

#include <hvshim/base.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hvs_trace_record {
    uint64_t sequence;          /* position + 1 when complete, 0 while being written */
    uint64_t ns;                /* age of the VM */
    uint32_t vp;
    uint8_t kind;               /* enum hvs_exit_kind */
    uint8_t verdict;            /* enum hvs_verdict */
    uint8_t slot;               /* of the row, or 0xff when no row owned it */
    uint8_t nr_effects;
    uint64_t key;               /* MSR index, leaf, hypercall code, port */
    uint64_t value;             /* MSR value, result */
};
HVS_STATIC_ASSERT(sizeof(struct hvs_trace_record) == 40, "one trace record is 40 bytes");

struct hvs_vm;

/* Copies record `position` (counted from the VM's start). Returns HVS_OK; HVS_ENOENT when it is not written yet or
   already overwritten. Any thread. */
HVS_API int hvs_vm_trace_read(const struct hvs_vm *vm, uint64_t position, struct hvs_trace_record *record);
/* The position that the next record will have. Any thread. */
HVS_API uint64_t hvs_vm_trace_next(const struct hvs_vm *vm);

/* A record in words, which live as long as the personalities; "-" where there is none. */
struct hvs_trace_words {
    const char *personality;    /* that owned it */
    const char *kind;           /* "cpuid" "rdmsr" "wrmsr" "hypercall" "pio" "timer" "reset" "host" */
    const char *name;           /* of its row: the spec's spelling */
    const char *verdict;        /* "handled" "unhandled" "fault" "retry" */
};
/* Any thread. */
HVS_API void hvs_vm_trace_words(const struct hvs_vm *vm, const struct hvs_trace_record *record,
                                struct hvs_trace_words *words);

#ifdef __cplusplus
}
#endif

#endif
