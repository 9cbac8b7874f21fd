/*
 * What hvshim-metal's exits were for (stats=page), and the last of them (trace=page), in memory that its guest reads.
 *
 * CPUID leaf HVS_METAL_STATS_LEAF answers EAX = HVS_METAL_STATS_SIGNATURE, EBX = the bytes, EDX:ECX = the address, in
 * a range that the guest's map reserves, and writes the counters there as they are then. Without stats=page, and
 * elsewhere, EAX is something else. While another CPU does the same, some counters may be as of then.
 *
 * HVS_METAL_TRACE_LEAF answers likewise with trace=page. There lies an array of struct hvs_metal_record, a ring into
 * which each exit is written that may be a personality's.
 */
#ifndef HVSHIM_METAL_STATS_H
#define HVSHIM_METAL_STATS_H

#include <stdint.h>

#define HVS_METAL_STATS_LEAF 0x4fff0000u
#define HVS_METAL_TRACE_LEAF 0x4fff0001u
#define HVS_METAL_STATS_SIGNATURE 0x54535648u   /* "HVST" */
#define HVS_METAL_STATS_VERSION 1u

/* All texts end with a NUL. */
struct hvs_metal_stats_row {
    char personality[8];        /* or "metal": why CPUs left the guest, all rows' exits among them ("for the core") */
    char kind[12];              /* "cpuid" "msr" "hypercall" "pio"; "exit" */
    char name[52];
    uint64_t hits;              /* since the start, of all CPUs */
    uint64_t cycles;            /* of the TSC, that the hypervisor took for them, without the switch between worlds */
};

struct hvs_metal_stats {
    uint32_t signature, version;
    uint32_t nr_rows, row_bytes;
    uint64_t tsc_khz, tsc;      /* the rate; when this was written */
    struct hvs_metal_stats_row row[];
};

/* struct hvs_trace_record of the core. */
struct hvs_metal_record {
    uint64_t sequence;          /* from 1; 0 while it is being written, or never was */
    uint64_t ns;                /* since the start */
    uint32_t cpu;
    uint8_t kind, verdict;      /* enum hvs_exit_kind, enum hvs_verdict */
    uint8_t slot, nr_effects;   /* the personality, by its place in present=; 0xff: none's */
    uint64_t key, value;        /* leaf, MSR, hypercall or port; what was read, written or answered, if that is told */
};

#endif
