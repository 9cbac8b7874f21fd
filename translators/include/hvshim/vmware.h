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

#ifdef __cplusplus
extern "C" {
#endif

/* The default of hw_version: that of ESXi 6.5. */
#define HVS_VMW_HW_VERSION 13u

enum {
    HVS_VMW_COMMAND_BYTES = 4096,       /* of a TCLO command, at most */
    HVS_VMW_CHANNEL_NAME_BYTES = 16,
};

enum hvs_vmw_pointer_mode {
    HVS_VMW_POINTER_OFF,
    HVS_VMW_POINTER_RELATIVE,
    HVS_VMW_POINTER_ABSOLUTE,
};

/* The caller owns it; it lives as long as the VM. One whose `size` is too small is taken as absent. */
struct hvs_vmw_options {
    uint32_t size;              /* sizeof(struct hvs_vmw_options) */
    uint32_t hw_version;        /* virtual hardware version that the guest is told; 0: HVS_VMW_HW_VERSION */
    uint64_t cookie_seed;       /* random: makes the cookies of GuestRPC channels hard to guess for other programs */
    const char *machine_id;     /* what machine.id.get answers; NULL: there is none */
    char signature[12];         /* in leaf 0x40000000, for guests that want the timing leaf but are not to find VMware;
                                   default "VMwareVMware" */
    bool syncs_time;            /* the tools are to keep the guest's clock; the guest may change that */
    uint8_t pad[3];
    /* Callbacks; each may be NULL. */
    void *ctx;
    /* The guest has sent a request over RPCI, known or not. */
    void (*on_rpci)(void *ctx, struct hvs_text request);
    /* The guest has set guestinfo.`key`. */
    void (*on_guestinfo)(void *ctx, struct hvs_text key, struct hvs_text value);
    /* The guest has answered the command that HVS_VMW_TCLO_SEND sent: `ok`, and the rest of its words. */
    void (*on_tclo_reply)(void *ctx, bool ok, struct hvs_text reply);
    /*
     * The guest gives the pages of [gfn, gfn + nr_pages) or takes them back, 1 or 512 of them. What they held is of no
     * use to it. A guest that starts anew has them all, without saying so: memory that was given back to the host must
     * come back, zero, when it is touched. May come from several vCPUs at once, without the VM lock. NULL: no balloon.
     */
    void (*on_balloon)(void *ctx, uint64_t gfn, uint32_t nr_pages, bool gives);
    /* The guest wants pointer events of this kind from now on. NULL: vmmouse's commands go to the VMM, unhandled. */
    void (*on_pointer_mode)(void *ctx, enum hvs_vmw_pointer_mode mode);
};

enum hvs_vmw_request {
    HVS_VMW_GUESTINFO_SET,      /* struct hvs_vmw_guestinfo; as hvs_store_set */
    HVS_VMW_GUESTINFO_GET,      /* struct hvs_vmw_guestinfo; HVS_ENOENT, HVS_ENOSPC */
    HVS_VMW_TCLO_SEND,          /* struct hvs_vmw_command; HVS_EINVAL, HVS_ENOSPC (one is under way) */
    HVS_VMW_TCLO_CANCEL,        /* NULL; HVS_ENOENT (none is under way); its reply will not be told */
    HVS_VMW_BALLOON,            /* struct hvs_vmw_balloon; HVS_EINVAL */
    HVS_VMW_POINTER,            /* struct hvs_vmw_pointer; HVS_ENOENT (the guest wants none), HVS_EINVAL (or of the
                                   other kind), HVS_ENOSPC (it reads none). The VMM then has its PS/2 mouse send something. */
    HVS_VMW_GUESTINFO_KEYS,     /* struct hvs_vmw_guestinfo: its value is all keys, a zero behind each; HVS_ENOSPC */
    HVS_VMW_NR_REQUESTS,
};

struct hvs_vmw_balloon {
    uint64_t target_pages;      /* what the guest is to give, below 2^32; a reset sets it to 0 */
    uint64_t locked_pages;      /* out: what it has given, and whether it has a driver for it */
    bool is_there;
};

/* Motion, and the buttons that are down. Down and to the right is positive; so is a wheel that turns to the user. */
struct hvs_vmw_pointer {
    int32_t x, y;               /* absolute: 0..0xffff; relative: by how much */
    int32_t z;                  /* the wheel, relative */
    bool is_relative;
    bool left, right, middle;
};

/* What VMware's own machines say in SMBIOS and guests look for. */
#define HVS_VMW_SMBIOS_BIOS_VENDOR "VMware, Inc."
#define HVS_VMW_SMBIOS_MANUFACTURER "VMware, Inc."
#define HVS_VMW_SMBIOS_PRODUCT "VMware Virtual Platform"
enum { HVS_VMW_SERIAL_BYTES = 55 };
/* The system's serial number, "VMware-56 4d ...", terminated, which is made of hvs_vm_config.uuid. */
HVS_API void hvs_vmw_serial(const uint8_t uuid[16], char text[HVS_VMW_SERIAL_BYTES]);

struct hvs_vmw_guestinfo {
    struct hvs_text key;        /* without "guestinfo." */
    struct hvs_text value;      /* for SET */
    char *buffer;               /* for GET and KEYS: gets the value, and value.bytes its size */
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

#ifdef __cplusplus
}
#endif

#endif
