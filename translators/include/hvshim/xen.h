/*
 * Options of the Xen personality, and what the VMM, as domain 0, may ask of it.
 *
 * hvs_slot_config.options points to struct hvs_xen_options, for as long as the VM lives. A field that is zero or NULL
 * means its default, so {.size = sizeof(struct hvs_xen_options)} is all defaults, as is NULL in place of the whole.
 */
#ifndef HVSHIM_XEN_H
#define HVSHIM_XEN_H

#include <hvshim/base.h>
#include <hvshim/store.h>

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
    uint16_t max_grant_frames;  /* 1..64; default 64, which is 32768 grants of version 1 and 16384 of version 2 */
    uint8_t max_grant_version;  /* 1 or 2; default 2 */
    uint8_t pad2[5];
    /*
     * The guest wants a page of the interface at gfn, where no RAM is: Linux takes such places for its grant table.
     * Returns whether RAM will be there before this vCPU enters the guest again, which then asks again; where it is not
     * there by then, this is called anew, for ever. It need not be in the memory map. A guest may ask for any place and
     * any number of them, so the VMM has to say no at some point. NULL: pages lie on RAM only. Called as on_event, so
     * the RAM is to be added later, by the vCPU's thread. Needs HVS_CAP_RETRY.
     */
    bool (*back)(void *ctx, uint64_t gfn);
    /*
     * HVS_XEN_NR_SPECIAL_PAGES pages that the host has for the rings of xenstore and console: memory like RAM to the
     * backend, but reserved in every map that the guest is told. 0: there are none, and neither xenstore nor console.
     */
    uint64_t special_gfn;
    /*
     * The guest has drivers of its own for disks and network cards, and what the VMM emulates of them is to go: bits
     * of enum hvs_xen_unplug. It comes back with a reset. NULL: there is no platform device, and without one Linux as HVM
     * does not look for such drivers; the VMM's PCI device 5853:0001 belongs to it. Called as on_event.
     */
    void (*unplug)(void *ctx, uint16_t what);
    /* Whether the guest may have drivers of this product and build. NULL: all may. Called as on_event. */
    bool (*allows_drivers)(void *ctx, uint16_t product, uint32_t build);
    /*
     * The guest has written to its console, hvc0: text as it is, which may mean anything to a terminal. Returns how
     * many of the bytes, at most 2048, were taken; the rest stays with the guest until HVS_XEN_CONSOLE_LOOK. NULL: there
     * is no such console. Called as on_event.
     */
    uint32_t (*on_console)(void *ctx, const char *text, uint32_t bytes);
    /* The guest has read, and takes input again: the last HVS_XEN_CONSOLE_INPUT was not taken whole. As on_event. */
    void (*on_console_room)(void *ctx);
    const char *name;           /* of the domain; default "guest" */
    /*
     * The guest has written to, made or removed (with all that was below) this node of xenstore, or changed its
     * permissions. Called as on_event; the path is absolute.
     */
    void (*on_store)(void *ctx, struct hvs_text path);
};

enum hvs_xen_unplug {
    HVS_XEN_UNPLUG_DISKS = 1u << 0,     /* IDE and SCSI */
    HVS_XEN_UNPLUG_NICS = 1u << 1,
    HVS_XEN_UNPLUG_AUX_DISKS = 1u << 2, /* all IDE disks but the first */
    HVS_XEN_UNPLUG_NVME = 1u << 3,
};

enum hvs_xen_page { HVS_XEN_PAGE_STORE, HVS_XEN_PAGE_CONSOLE, HVS_XEN_NR_SPECIAL_PAGES = 4 };
/* A frame that is free for them in the machines that QEMU calls pc and q35: behind the APICs, below what KVM wants. */
#define HVS_XEN_SPECIAL_GFN 0xfeff8u

/*
 * Requests by HVS_EXIT_HOST, of any vCPU and from any thread. The answer is HVS_OK or a negative enum hvs_err, in
 * outcome.value; the effects are to be applied as those of any exit. A reset of VP 0 closes all channels that
 * were asked for here.
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
    /*
     * Grants, as a backend of the guest's devices uses them. The host is domain 0: what the guest has granted to it may
     * be used, and only in the way that the guest allows. Whether it does is looked at when it is mapped or copied; the
     * guest sees that it is in use meanwhile, and one by the rules leaves the grant alone then.
     *
     * A mapping is a gpa: the page's content is read and written where the VMM has its guest RAM, with care, since the
     * guest may change it at any time. It holds until it is unmapped, or until a reset of VP 0, HVS_XEN_RESUME or the
     * guest's soft reset, all of which end all mappings (unmapping one then is HVS_ENOENT, or ends another one if there
     * is a new one by that handle already). A backend must have stopped using the gpa before the first two. Nothing
     * tells it of the third: it may then write into RAM that the new kernel uses, unless the old one had closed its
     * devices. A mapping does not hold RAM that the VMM itself takes away. Mappings are saved and loaded, with their
     * handles.
     *
     * HVS_ENOENT (no such grant), HVS_EINVAL (not granted, or not for that; offset and length), HVS_EFAULT (what was
     * granted is not RAM), HVS_ENOSPC (more than 1024 mappings).
     */
    HVS_XEN_GRANT_MAP,          /* data: struct hvs_xen_grant_map */
    HVS_XEN_GRANT_UNMAP,        /* data: struct hvs_xen_grant_map, of which only the handle is used. HVS_ENOENT */
    HVS_XEN_GRANT_COPY,         /* data: struct hvs_xen_grant_copy */
    /* Somebody types on the guest's console. HVS_ENOTSUP where it has none. Data: struct hvs_xen_input. */
    HVS_XEN_CONSOLE_INPUT,
    HVS_XEN_CONSOLE_LOOK,       /* the VMM takes more of the guest's words; also after a load. HVS_ENOTSUP */
    /*
     * xenstore, as domain 0. Data of all: struct hvs_xen_store. HVS_ENOTSUP without the feature; HVS_EINVAL for what is
     * no path. The guest's watches are told.
     */
    HVS_XEN_STORE_READ,         /* HVS_ENOENT, HVS_ENOSPC */
    HVS_XEN_STORE_WRITE,        /* makes what is missing above, too. HVS_EINVAL (more than 4096 bytes), HVS_ENOSPC */
    HVS_XEN_STORE_REMOVE,       /* with all that is below. HVS_ENOENT where there is not even a parent */
    HVS_XEN_STORE_LIST,         /* the names right below, each with a NUL. HVS_ENOENT, HVS_ENOSPC */
    HVS_XEN_STORE_SET_PERMS,    /* value: "n0", "r1", ..., each with a NUL. HVS_EINVAL, HVS_ENOENT, HVS_ENOSPC */
    /*
     * Events that the guest sends to host_port by the hypercall page raise this signal of the host's, without an exit,
     * where it can be; by any other way on_event is still called, which is to do the same. Until host_port is closed,
     * or HVS_NO_SIGNAL; over the guest's closing and binding of its end. Not saved: ask again after a load. HVS_ENOTSUP
     * (send-signal is off: needs HVS_CAP_SIGNAL and on_event), HVS_ENOENT. Data: struct hvs_xen_signal.
     */
    HVS_XEN_CHANNEL_SIGNAL,
};

struct hvs_xen_grant_map {
    uint32_t ref;
    bool is_writable;           /* what is wanted: else to be read only */
    uint8_t pad[3];
    uint32_t handle;            /* out */
    uint32_t pad1;
    uint64_t gpa;               /* out */
};

struct hvs_xen_grant_copy {
    uint32_t ref;
    uint16_t offset;            /* in the page that was granted */
    uint16_t bytes;             /* offset + bytes is at most 4096 */
    bool to_guest;              /* else from it */
    uint8_t pad[7];
    void *buffer;               /* of `bytes`, the host's */
};

struct hvs_xen_store {
    struct hvs_text path;       /* absolute, or relative to the guest's home */
    struct hvs_text value;      /* for WRITE and SET_PERMS; what READ and LIST put into `buffer`, or needed there */
    char *buffer;
    uint32_t buffer_bytes;
};

struct hvs_xen_channel {
    uint32_t guest_port, host_port;
};

struct hvs_xen_signal {
    uint32_t host_port;
    int signal;                 /* what the backend calls so: on KVM the descriptor of an eventfd */
};

struct hvs_xen_input {
    const char *text;
    uint32_t bytes;
    uint32_t done;              /* out: how many the guest has room for */
};

struct hvs_xen_virq {
    uint32_t virq;              /* VIRQ_* [XEN public/xen.h] */
    uint32_t vcpu;              /* 0 for a global one */
};

#endif
