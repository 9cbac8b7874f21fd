/*
 * Options of the Xen personality, and what the VMM, as domain 0, may ask of it.
 *
 * hvs_slot_config.options points to struct hvs_xen_options, for as long as the VM lives. A field that is zero or NULL
 * means its default, so {.size = sizeof(struct hvs_xen_options)} is all defaults, as is NULL in place of the whole.
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
    /*
     * The guest has sent an event to a port of the host. Called by any vCPU's thread while it handles the exit, under
     * the core's locks: it must neither wait nor call back; writing to an eventfd is what it is for.
     */
    void (*on_event)(void *ctx, uint32_t host_port);
    /*
     * The interrupt line, 1..255, that pin 0..3 (INTA..INTD) of PCI device 0..31 on bus 0 drives; 0: none. NULL: the
     * guest cannot have its callback by a pin. The line should be no other device's of the VMM. Called as on_event.
     */
    uint32_t (*intx_gsi)(void *ctx, uint32_t device, uint32_t pin);
    /*
     * The guest gives the RAM at gfn back, or wants RAM there again: nr pages. The VMM says whether it is so. NULL: RAM
     * stays where it is, and the guest may take back what it has given. Called as on_event; guest memory must not be
     * added or removed from here, but may be given to the host (MADV_DONTNEED).
     */
    bool (*release)(void *ctx, uint64_t gfn, uint32_t nr);
    bool (*populate)(void *ctx, uint64_t gfn, uint32_t nr);
    void *ctx;
};

/*
 * Requests by HVS_EXIT_HOST, of any vCPU and from any thread. The answer is HVS_OK or a negative enum hvs_err, in
 * outcome.value; the effects are to be applied as those of any exit. A reset of VP 0 closes all channels.
 */
enum hvs_xen_request {
    /* Makes a port of the guest and one of the host that are connected, as a toolstack does for xenstore and console:
       both are told. HVS_ENOSPC. Data of this and the next three: struct hvs_xen_channel. */
    HVS_XEN_CHANNEL_OFFER,
    /* Takes up the channel that the guest has prepared for domain 0 at guest_port; host_port is told. HVS_ENOENT where
       there is none such, HVS_ENOSPC. */
    HVS_XEN_CHANNEL_ACCEPT,
    HVS_XEN_CHANNEL_CLOSE,      /* HVS_ENOENT where host_port is not open */
    HVS_XEN_CHANNEL_SEND,       /* likewise; nothing happens where the guest has closed its end */
    HVS_XEN_VIRQ_SEND,          /* data: struct hvs_xen_virq. HVS_EINVAL */
    /*
     * The guest that has suspended itself (HVS_STOP_SUSPEND) goes on, as in a new domain: all that it had registered is
     * gone, but for the channels that were offered. Before its vCPUs run again; none may be in an exit. Without this
     * request the guest's suspend is as good as cancelled, but it does not know unless the VMM puts 1 into RAX of the
     * vCPU that made the call.
     */
    HVS_XEN_RESUME,
};

struct hvs_xen_channel {
    uint32_t guest_port, host_port;
};

struct hvs_xen_virq {
    uint32_t virq;              /* VIRQ_* [XEN public/xen.h] */
    uint32_t vcpu;              /* 0 for a global one */
};

#endif
