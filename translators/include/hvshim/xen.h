/*
 * Options of the Xen personality: hvs_slot_config.options points to one, for as long as the VM lives.
 *
 * A field that is zero or NULL means its default, so {.size = sizeof(struct hvs_xen_options)} is all defaults, as is
 * NULL in place of the whole.
 */
#ifndef HVSHIM_XEN_H
#define HVSHIM_XEN_H

#include <hvshim/base.h>

/* One range of the memory map that XENMEM_memory_map answers; type as in E820: 1 RAM, 2 reserved, 3 ACPI, 4 NVS. */
struct hvs_xen_memory {
    uint64_t gpa, bytes;
    uint32_t type;
    uint32_t pad;
};

struct hvs_xen_options {
    uint32_t size;              /* sizeof(struct hvs_xen_options): lets it grow */
    uint16_t version_major, version_minor;      /* default 4.17 */
    /* What xen_version says. A longer text is cut at the interface's limit. */
    const char *extra_version;  /* 15 bytes; default ".7-hvshim" */
    const char *changeset;      /* 63; default "unavailable" */
    const char *compiler;       /* 63; default "hvshim" */
    const char *compile_by;     /* 15; default empty */
    const char *compile_domain; /* 31; default empty */
    const char *compile_date;   /* 31; default empty */
    uint16_t domid;             /* 1..0x7fef; default 1 */
    uint16_t pad[3];
    const struct hvs_xen_memory *memory_map;    /* NULL: XENMEM_memory_map is not there */
    uint32_t nr_memory_map;     /* at most 128 are told */
    uint32_t pad1;
};

#endif
