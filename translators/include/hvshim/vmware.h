/*
 * What a VMM may tell the VMware personality, what it may ask of it while the guest runs, and what it is told.
 *
 * Requests are exits of kind HVS_EXIT_HOST to hvs_vmw_personality, by any vCPU (VP 0 will do) and from any thread:
 *
 *   struct hvs_vmw_guestinfo info = {.key = {"metadata", 8}, .value = {text, bytes}};
 *   struct hvs_exit exit = {.kind = HVS_EXIT_HOST,
 *                           .host = {&hvs_vmw_personality, HVS_VMW_GUESTINFO_SET, &info}};
 *   hvs_vcpu_exit(hvs_vm_vcpu(vm, 0), &exit, NULL, &out);       (int64_t)out.value is 0 or an enum hvs_err
 *
 * They have no effects that a backend would have to apply. Callbacks come on a vCPU's thread inside its exit, under the
 * VM lock: they may copy what they are given and must not call hvs_* functions.
 */
#ifndef HVSHIM_VMWARE_H
#define HVSHIM_VMWARE_H

#include <hvshim/base.h>
#include <hvshim/store.h>

/* The default of hw_version: that of ESXi 6.5. */
#define HVS_VMW_HW_VERSION 13u

enum {
    HVS_VMW_COMMAND_BYTES = 4096,       /* of a TCLO command, at most */
    HVS_VMW_CHANNEL_NAME_BYTES = 16,
};

/* The caller owns it; it lives as long as the VM. One whose `size` is too small is taken as absent. */
struct hvs_vmw_options {
    uint32_t size;              /* sizeof(struct hvs_vmw_options) */
    uint32_t hw_version;        /* virtual hardware version that the guest is told; 0: HVS_VMW_HW_VERSION */
    uint64_t cookie_seed;       /* random: makes the cookies of GuestRPC channels hard to guess for other programs */
    const char *machine_id;     /* what machine.id.get answers; NULL: there is none */
    bool syncs_time;            /* the tools are to keep the guest's clock; the guest may change that */
    uint8_t pad[7];
    /* Callbacks; each may be NULL. */
    void *ctx;
    /* The guest has sent a request over RPCI, known or not. */
    void (*on_rpci)(void *ctx, struct hvs_text request);
    /* The guest has set guestinfo.`key`. */
    void (*on_guestinfo)(void *ctx, struct hvs_text key, struct hvs_text value);
    /* The guest has answered the command that HVS_VMW_TCLO_SEND sent: `ok`, and the rest of its words. */
    void (*on_tclo_reply)(void *ctx, bool ok, struct hvs_text reply);
};

enum hvs_vmw_request {
    HVS_VMW_GUESTINFO_SET,      /* struct hvs_vmw_guestinfo; as hvs_store_set */
    HVS_VMW_GUESTINFO_GET,      /* struct hvs_vmw_guestinfo; HVS_ENOENT, HVS_ENOSPC */
    HVS_VMW_TCLO_SEND,          /* struct hvs_vmw_command; HVS_EINVAL, HVS_ENOSPC (one is under way) */
    HVS_VMW_TCLO_CANCEL,        /* NULL; HVS_ENOENT (none is under way); its reply will not be told */
    HVS_VMW_NR_REQUESTS,
};

struct hvs_vmw_guestinfo {
    struct hvs_text key;        /* without "guestinfo." */
    struct hvs_text value;      /* for SET */
    char *buffer;               /* for GET: gets the value, and value.bytes its size */
    uint32_t buffer_bytes;
};

/*
 * A command for a program in the guest: "OS_Halt", "OS_Reboot", "ping", "Set_Option synctime 1", ... It waits until the
 * program asks for commands, and is forgotten when the VM is reset.
 */
struct hvs_vmw_command {
    const char *channel;        /* the program's name, terminated; NULL: "toolbox", the tools' daemon */
    struct hvs_text text;
};

#endif
