/*
 * Options of the Hyper-V personality: hvs_slot_config.options points to one, for as long as the VM lives. And the
 * host's side of its SynIC: what guest and host say to each other by messages and event flags, as a VMBus server does.
 *
 * A field that is zero means its default, so {.size = sizeof(struct hvs_hv_options)} is all defaults, as is NULL.
 */
#ifndef HVSHIM_HYPERV_H
#define HVSHIM_HYPERV_H

#include <hvshim/base.h>
#include <hvshim/exit.h>
#include <hvshim/vpset.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hvs_hv_host;

struct hvs_hv_options {
    uint32_t size;              /* sizeof(struct hvs_hv_options): lets it grow */
    uint32_t spinlock_retries;  /* attempts at a lock before the guest says so; default 4095, 0xffffffff: never */
    char vendor_id[12];         /* default "Microsoft Hv"; Linux believes no other */
    /* What leaf 0x40000002 says; all of it is Windows Server 2016's when build_number is 0. */
    uint32_t build_number;
    uint16_t major_version, minor_version;
    uint32_t service_pack;
    uint32_t service_number;    /* 24 bits */
    uint8_t service_branch;
    bool has_synic_pages;       /* the VMM lays SIM and SIEF over guest memory itself, as for KVM_CAP_HYPERV_SYNIC2 */
    uint8_t pad[2];
    const struct hvs_hv_host *host;     /* NULL: what needs the host is not there */
};

/* --- from the guest to the host ----------------------------------------------------------------------------------- */

enum { HVS_HV_MESSAGE_BYTES = 240 };

/* HV_STATUS_* that a callback may give to the guest. */
enum hvs_hv_status {
    HVS_HV_SUCCESS = 0x00,
    HVS_HV_INVALID_PARAMETER = 0x05,    /* the flag is beyond the port's; no such device or interrupt */
    HVS_HV_INVALID_VP_INDEX = 0x0e,
    HVS_HV_INVALID_PORT_ID = 0x11,      /* the connection is for the other of messages and events */
    HVS_HV_INVALID_CONNECTION_ID = 0x12,        /* there is no such connection */
    HVS_HV_INSUFFICIENT_BUFFERS = 0x13, /* no room now: the guest tries again later */
    HVS_HV_INVALID_SYNIC_STATE = 0x18,
};

/* HvCallRetargetDeviceInterrupt: where a device's message-signalled interrupt is to go from now on. */
struct hvs_hv_device_interrupt {
    uint64_t device_id;         /* as the host told the guest */
    uint32_t msi_address, msi_data;     /* which of the device's interrupts */
    uint32_t vector;            /* 16..255 */
    bool is_multicast;          /* to all targets, not to one of them */
    const struct hvs_vpset *targets;    /* not empty; valid during the call */
};

/* Guest-physical pages that hold zeros when the guest asks, because nobody has written to them since boot. */
struct hvs_hv_zeroed_range {
    uint64_t first_gfn, nr_pages;
};

/* Who is at the two ends of a debug session, in host byte order. */
struct hvs_hv_debug_peers {
    uint32_t host_ip, guest_ip;
    uint16_t host_port, guest_port;
};

/*
 * Called in the exit of vCPU `vp` that caused it, from several threads at once. They must not call hvshim and should be
 * short: take note, and wake another thread. Each may be NULL: there are no such connections, nothing to be told, or the
 * feature of that name is not there.
 */
struct hvs_hv_host {
    uint32_t size;              /* sizeof(struct hvs_hv_host): lets it grow */
    void *ctx;
    /* HvCallPostMessage: `type` is 1..0x7fffffff, `payload` is the caller's copy and valid during the call. */
    enum hvs_hv_status (*message_posted)(void *ctx, uint32_t vp, uint32_t connection, uint32_t type,
                                         const void *payload, uint32_t payload_bytes);
    /* HvCallSignalEvent: `flag` is below 2048. */
    enum hvs_hv_status (*event_signalled)(void *ctx, uint32_t vp, uint32_t connection, uint32_t flag);
    /* The slot that was HVS_HV_BUSY is free: post again. Once per such answer; a reset of the vCPU forgets it. */
    void (*slot_freed)(void *ctx, uint32_t vp, uint32_t sint);
    /* Feature "retarget". INVALID_PARAMETER: no such device or interrupt. */
    enum hvs_hv_status (*interrupt_retargeted)(void *ctx, uint32_t vp, const struct hvs_hv_device_interrupt *to);
    /*
     * Feature "syndbg", which needs all three. `is_frame`: an Ethernet frame with UDP over IPv4, else what is in UDP.
     * The first returns how many of the bytes it took, the second how many it gave, 0: none now. Neither waits.
     */
    uint32_t (*debug_sent)(void *ctx, uint32_t vp, bool is_frame, const void *data, uint32_t bytes);
    uint32_t (*debug_wanted)(void *ctx, uint32_t vp, bool is_frame, void *data, uint32_t capacity);
    void (*debug_reset)(void *ctx, uint32_t vp, bool drop_incoming, bool drop_outgoing,
                        struct hvs_hv_debug_peers *peers);
    /* Feature "ext-hypercalls": the largest first; at most 255 are told. */
    const struct hvs_hv_zeroed_range *zeroed_range;
    uint32_t nr_zeroed_ranges;
    /* Feature "partition-id". 0: there is none. */
    uint64_t partition_id;
};

/* --- from the host to the guest: exits of the vCPU that is to get it, from any thread ----------------------------- */

enum hvs_hv_request { HVS_HV_POST_MESSAGE, HVS_HV_SIGNAL_EVENT, HVS_HV_RAISE_SINT };

/* outcome.value of such an exit. */
enum hvs_hv_answer {
    HVS_HV_DONE,
    HVS_HV_BUSY,                /* the SINT's slot still holds a message; slot_freed() will say when to try again */
    HVS_HV_NOT_ENABLED,         /* the SynIC or its page is off, for a flag also: the SINT is masked */
    HVS_HV_REFUSED,             /* a field is out of its range */
};

struct hvs_hv_message {
    uint32_t sint;              /* 0..15 */
    uint32_t type;              /* not 0; the guest's own meaning below 0x80000000 */
    uint64_t port_id;           /* what the guest sees as the sender */
    uint32_t payload_bytes;     /* at most HVS_HV_MESSAGE_BYTES */
    uint32_t pad;
    uint8_t payload[HVS_HV_MESSAGE_BYTES];
};

struct hvs_hv_event {
    uint32_t sint;              /* 0..15 */
    uint32_t flag;              /* 0..2047 */
};

/* The exit that brings it. What it points to is read during the exit and not changed. */
HVS_API struct hvs_exit hvs_hv_post_exit(struct hvs_hv_message *message);
HVS_API struct hvs_exit hvs_hv_signal_exit(struct hvs_hv_event *event);
/* Only raises event->sint: of a host that writes into the pages itself. The flag is not looked at. */
HVS_API struct hvs_exit hvs_hv_raise_exit(struct hvs_hv_event *event);

/*
 * Sets an option by a user's words: "spinlocks=8191" (attempts, also as 0x1fff), "vendor_id=TEXT" (1 to 12 bytes),
 * "version=ws2016", ws2019, ws2022 or ws2025.
 * Returns HVS_OK; HVS_ENOENT (no such option); HVS_EINVAL (not a value of it).
 */
HVS_API int hvs_hv_options_parse(struct hvs_hv_options *options, const char *setting);

#ifdef __cplusplus
}
#endif

#endif
