/*
 * What hvshim-metal's exits were for, in memory that its guest reads (stats=page on its command line).
 *
 * CPUID leaf HVS_METAL_STATS_LEAF answers EAX = HVS_METAL_STATS_SIGNATURE, EBX = the bytes, EDX:ECX = the address, in
 * a range that the guest's map reserves, and writes the counters there as they are then. Without stats=page, and
 * elsewhere, EAX is something else. While another CPU does the same, some counters may be as of then.
 */
#ifndef HVSHIM_METAL_STATS_H
#define HVSHIM_METAL_STATS_H

#include <stdint.h>

#define HVS_METAL_STATS_LEAF 0x4fff0000u
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

#endif
