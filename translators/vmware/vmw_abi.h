/*
 * The numbers and layouts of VMware's guest interface, and nothing else; the guest probe uses them too.
 *
 * There is no specification. The names are those of VMware's open headers, which are the reference that comments
 * call [BDOOR] backdoor_def.h, [MSG] guest_msg_def.h, [BALLOON] balloon_def.h, [CPUID] x86cpuid.h (open-vm-tools
 * 13.1). Left out: sub-commands of firmware, guest integrity and other commands that only VMware's own firmware uses.
 */
#ifndef VMW_ABI_H
#define VMW_ABI_H

#include <stddef.h>
#include <stdint.h>

/* --- CPUID: leaves from 0x40000000, nowhere else [CPUID] ---------------------------------------------------------- */

#define VMW_CPUID_SIGNATURE_EBX 0x61774d56u     /* "VMwareVMware" */
#define VMW_CPUID_SIGNATURE_ECX 0x4d566572u
#define VMW_CPUID_SIGNATURE_EDX 0x65726177u

enum {
    VMW_CPUID_SIGNATURE = 0x40000000,           /* EAX: highest leaf */
    VMW_CPUID_TIMING = 0x40000010,              /* EAX: TSC kHz, EBX: local APIC timer kHz, ECX: bits below */
    /* A guest that sees both of the first two bits uses neither: set one at most. */
    VMW_CPUID_VMMCALL_BACKDOOR = 1 << 0,
    VMW_CPUID_VMCALL_BACKDOOR = 1 << 1,
    VMW_CPUID_TDX_API_ENABLED = 1 << 3,
};

/* --- Backdoor: EAX magic, ECX command, EDX port; arguments in EBX ECX EDX ESI EDI EBP [BDOOR] --------------------- */

#define BDOOR_MAGIC 0x564d5868u                 /* "VMXh" */
#define BDOOR_PORT 0x5658u
#define BDOORHB_PORT 0x5659u
#define BDOOR_CMD(ecx) ((ecx) & 0xffffu)
#define BDOOR_UNSUPPORTED 0xffffffffu           /* in EAX; the other registers stay */

/* Of the VMCALL and VMMCALL form, in DX. */
enum {
    BDOOR_FLAGS_LB = 0,
    BDOOR_FLAGS_READ = 0,
    BDOOR_FLAGS_HB = 1 << 0,
    BDOOR_FLAGS_WRITE = 1 << 1,
};

/* C0: from CPL 0 only. Numbers that are missing were never in use, or are no more. */
enum {
    BDOOR_CMD_GETMHZ = 1,
    BDOOR_CMD_APMFUNCTION = 2,                  /* C0 */
    BDOOR_CMD_GETDISKGEO = 3,
    BDOOR_CMD_GETPTRLOCATION = 4,
    BDOOR_CMD_SETPTRLOCATION = 5,
    BDOOR_CMD_GETSELLENGTH = 6,
    BDOOR_CMD_GETNEXTPIECE = 7,
    BDOOR_CMD_SETSELLENGTH = 8,
    BDOOR_CMD_SETNEXTPIECE = 9,
    BDOOR_CMD_GETVERSION = 10,
    BDOOR_CMD_GETDEVICELISTELEMENT = 11,
    BDOOR_CMD_TOGGLEDEVICE = 12,
    BDOOR_CMD_GETGUIOPTIONS = 13,
    BDOOR_CMD_SETGUIOPTIONS = 14,
    BDOOR_CMD_GETSCREENSIZE = 15,
    BDOOR_CMD_MONITOR_CONTROL = 16,
    BDOOR_CMD_GETHWVERSION = 17,
    BDOOR_CMD_OSNOTFOUND = 18,                  /* C0 */
    BDOOR_CMD_GETUUID = 19,
    BDOOR_CMD_GETMEMSIZE = 20,
    BDOOR_CMD_GETTIME = 23,
    BDOOR_CMD_STOPCATCHUP = 24,
    BDOOR_CMD_PUTCHR = 25,
    BDOOR_CMD_ENABLE_MSG = 26,
    BDOOR_CMD_INITPCIOPROM = 28,                /* C0 */
    BDOOR_CMD_MESSAGE = 30,
    BDOOR_CMD_SIDT = 31,
    BDOOR_CMD_SGDT = 32,
    BDOOR_CMD_SLDT_STR = 33,
    BDOOR_CMD_ISACPIDISABLED = 34,
    BDOOR_CMD_ISMOUSEABSOLUTE = 36,
    BDOOR_CMD_PATCH_SMBIOS_STRUCTS = 37,        /* C0 */
    BDOOR_CMD_MAPMEM = 38,
    BDOOR_CMD_ABSPOINTER_DATA = 39,
    BDOOR_CMD_ABSPOINTER_STATUS = 40,
    BDOOR_CMD_ABSPOINTER_COMMAND = 41,
    BDOOR_CMD_GETHZ = 45,                       /* C0, as VMware answers it */
    BDOOR_CMD_GETTIMEFULL = 46,
    BDOOR_CMD_CHECKFORCEBIOSSETUP = 48,         /* C0 */
    BDOOR_CMD_LAZYTIMEREMULATION = 49,          /* C0 */
    BDOOR_CMD_BIOSBBS = 50,                     /* C0 */
    BDOOR_CMD_ISGOSDARWIN = 52,
    BDOOR_CMD_DEBUGEVENT = 53,
    BDOOR_CMD_OSNOTMACOSXSERVER = 54,           /* C0 */
    BDOOR_CMD_GETTIMEFULL_WITH_LAG = 55,
    BDOOR_CMD_ACPI_HOTPLUG_DEVICE = 56,
    BDOOR_CMD_ACPI_HOTPLUG_MEMORY = 57,
    BDOOR_CMD_ACPI_HOTPLUG_CBRET = 58,
    BDOOR_CMD_ACPI_HOTPLUG_CPU = 60,
    BDOOR_CMD_XPMODE = 62,                      /* C0 */
    BDOOR_CMD_NESTING_CONTROL = 63,
    BDOOR_CMD_FIRMWARE_INIT = 64,               /* C0 */
    BDOOR_CMD_FIRMWARE_ACPI_SERVICES = 65,      /* C0 */
    BDOOR_CMD_SENDPSHAREHINTS = 66,
    BDOOR_CMD_ENABLE_USB_MOUSE = 67,
    BDOOR_CMD_GET_VCPU_INFO = 68,
    BDOOR_CMD_EFI_SERIALCON_CONFIG = 69,        /* C0 */
    BDOOR_CMD_BUG328986 = 70,                   /* C0 */
    BDOOR_CMD_FIRMWARE_ERROR = 71,              /* C0 */
    BDOOR_CMD_VMK_INFO = 72,
    BDOOR_CMD_EFI_BOOT_CONFIG = 73,             /* C0 */
    BDOOR_CMD_GET_HW_MODEL = 74,                /* C0 */
    BDOOR_CMD_GET_SVGA_CAPABILITIES = 75,       /* C0 */
    BDOOR_CMD_GET_FORCE_X2APIC = 76,            /* C0 */
    BDOOR_CMD_SET_PCI_HOLE = 77,                /* C0 */
    BDOOR_CMD_GET_PCI_HOLE = 78,                /* C0 */
    BDOOR_CMD_GET_PCI_BAR = 79,                 /* C0 */
    BDOOR_CMD_SHOULD_GENERATE_SYSTEMID = 80,    /* C0 */
    BDOOR_CMD_READ_DEBUG_FILE = 81,
    BDOOR_CMD_SCREENSHOT = 82,
    BDOOR_CMD_INJECT_KEY = 83,
    BDOOR_CMD_INJECT_MOUSE = 84,
    BDOOR_CMD_MKS_GUEST_STATS = 85,             /* C0 */
    BDOOR_CMD_ABSPOINTER_RESTRICT = 86,
    BDOOR_CMD_GUEST_INTEGRITY = 87,
    BDOOR_CMD_MKSTEST = 88,
    BDOOR_CMD_SECUREBOOT = 89,
    BDOOR_CMD_COPY_PHYSMEM = 90,
    BDOOR_CMD_STEALCLOCK = 91,                  /* C0 */
    BDOOR_CMD_GUEST_PAGE_HINTS = 92,            /* C0 */
    BDOOR_CMD_FIRMWARE_UPDATE = 93,             /* C0 */
    BDOOR_CMD_FUZZER_HELPER = 94,
    BDOOR_CMD_PUTCHR12 = 95,
    BDOOR_CMD_GMM = 96,
    BDOOR_CMD_PRECISIONCLOCK = 97,
    BDOOR_CMD_COREDUMP_UNSYNC = 98,
    BDOOR_CMD_APPLE_GPU_RES_SET = 99,
    BDOOR_CMD_GETBUILDNUM = 100,
    BDOOR_CMD_GETENTROPY = 101,
    BDOOR_CMD_REPORTGUESTCRASH = 102,
    BDOOR_CMD_PK_UPDATE = 103,                  /* C0 */
    BDOOR_CMD_GET_FWTRCLOG_MASK = 104,
    BDOOR_CMD_MAX = 105,
};

/* GETVERSION: EAX version, EBX magic, ECX the product. */
enum {
    VERSION_MAGIC = 6,
    VMX_TYPE_UNSET = 0,
    VMX_TYPE_EXPRESS = 1,
    VMX_TYPE_SCALABLE_SERVER = 2,               /* ESX */
    VMX_TYPE_WGS = 3,
    VMX_TYPE_WORKSTATION = 4,
    VMX_TYPE_WORKSTATION_ENTERPRISE = 5,
};

/* GETGUIOPTIONS and SETGUIOPTIONS: EAX out, EBX in. */
enum {
    VMWARE_GUI_SYNC_TIME = 0x400,
};

/* GET_VCPU_INFO: bit numbers of EAX. */
enum {
    BDOOR_CMD_VCPU_SYNC_VTSCS = 1,              /* the vCPUs' TSCs are in step */
    BDOOR_CMD_VCPU_LEGACY_X2APIC_OK = 3,        /* x2APIC mode works without interrupt remapping */
    BDOOR_CMD_VCPU_MMIO_HONORS_PAT = 4,
    BDOOR_CMD_VCPU_RESERVED = 31,               /* 0 where the command exists */
};

/* ABSPOINTER_COMMAND: EBX. */
#define VMMOUSE_CMD_ENABLE 0x45414552u          /* also: read the version id */
#define VMMOUSE_CMD_DISABLE 0x000000f5u
#define VMMOUSE_CMD_REQUEST_RELATIVE 0x4c455252u
#define VMMOUSE_CMD_REQUEST_ABSOLUTE 0x53424152u
#define VMMOUSE_VERSION_ID 0x3442554au
#define VMMOUSE_ERROR 0xffff0000u
#define VMMOUSE_RELATIVE_PACKET 0x00010000u

enum {
    VMMOUSE_MIDDLE_BUTTON = 0x08,
    VMMOUSE_RIGHT_BUTTON = 0x10,
    VMMOUSE_LEFT_BUTTON = 0x20,
    /* ABSPOINTER_RESTRICT: EBX. */
    VMMOUSE_RESTRICT_ANY = 0,
    VMMOUSE_RESTRICT_CPL0 = 1,
    VMMOUSE_RESTRICT_IOPL = 2,
};

/* NESTING_CONTROL: EBX. */
enum {
    NESTING_CONTROL_RESTRICT_BACKDOOR = 0,
    NESTING_CONTROL_OPEN_BACKDOOR = 1,
    NESTING_CONTROL_QUERY = 2,
};

/* MKS_GUEST_STATS and PRECISIONCLOCK: sub-commands, in the high half of ECX. */
enum {
    BDOOR_CMD_MKSGS_RESET = 0,
    BDOOR_CMD_MKSGS_ADD_PPN = 1,
    BDOOR_CMD_MKSGS_REMOVE_PPN = 2,
    BDOOR_CMD_PRECISIONCLOCK_GETTIME = 0,
    BDOOR_CMD_PRECISIONCLOCK_SETTIME = 1,
    BDOOR_CMD_PRECISIONCLOCK_ADJTIME = 2,
    BDOOR_CMD_PRECISIONCLOCK_ADJFREQ = 3,
};

/* RDPMC indices that give times. */
enum {
    BDOOR_PMC_HW_TSC = 0x10000,
    BDOOR_PMC_REAL_NS = 0x10001,
    BDOOR_PMC_APPARENT_NS = 0x10002,
    BDOOR_PMC_PSEUDO_TSC = 0x10003,
};

/* --- Steal clock: STEALCLOCK with ESI:EDI the address, (0, 1) to switch it off ------------------------------------ */

enum {
    BDOOR_STEALCLOCK_STATUS_DISABLED = 0,
    BDOOR_STEALCLOCK_STATUS_ENABLED = 1,
};

struct vmware_steal_time {
    uint64_t clock;                             /* ticks of the virtual TSC that were stolen */
    uint64_t reserved[7];
};
_Static_assert(sizeof(struct vmware_steal_time) == 64, "the steal clock fills one aligned line of 64 bytes");

/* --- GuestRPC: MESSAGE with the type in the high half of ECX [MSG] ------------------------------------------------ */

enum {
    MESSAGE_TYPE_OPEN = 0,
    MESSAGE_TYPE_SENDSIZE = 1,
    MESSAGE_TYPE_SENDPAYLOAD = 2,
    MESSAGE_TYPE_RECVSIZE = 3,
    MESSAGE_TYPE_RECVPAYLOAD = 4,
    MESSAGE_TYPE_RECVSTATUS = 5,
    MESSAGE_TYPE_CLOSE = 6,
    /* The reply's high half of ECX. */
    MESSAGE_STATUS_SUCCESS = 0x0001,
    MESSAGE_STATUS_DORECV = 0x0002,
    MESSAGE_STATUS_CLOSED = 0x0004,
    MESSAGE_STATUS_UNSENT = 0x0008,
    MESSAGE_STATUS_CPT = 0x0010,
    MESSAGE_STATUS_POWEROFF = 0x0020,
    MESSAGE_STATUS_TIMEOUT = 0x0040,
    MESSAGE_STATUS_HB = 0x0080,
    MESSAGE_STATUS_GUEST_MASK = MESSAGE_STATUS_SUCCESS,
    GUESTMSG_MAX_CHANNEL = 128,
    GUESTMSG_MAX_IN_SIZE = 64 * 1024,
    /* EBX on the high-bandwidth port. */
    BDOORHB_CMD_MESSAGE = 0,
    BDOORHB_CMD_VASSERT = 1,
};

#define GUESTMSG_FLAG_COOKIE 0x80000000u
#define RPCI_PROTOCOL_NUM 0x49435052u           /* "RPCI" */
#define TCLO_PROTOCOL_NUM 0x4f4c4354u           /* "TCLO" */

/* --- Balloon: a port of its own; ECX command, EBX argument [BALLOON] ---------------------------------------------- */

#define BALLOON_BDOOR_PORT 0x5670u
#define BALLOON_BDOOR_MAGIC 0x456c6d6fu

enum {
    BALLOON_BDOOR_CMD_START = 0,
    BALLOON_BDOOR_CMD_TARGET = 1,
    BALLOON_BDOOR_CMD_LOCK = 2,
    BALLOON_BDOOR_CMD_UNLOCK = 3,
    BALLOON_BDOOR_CMD_GUEST_ID = 4,
    BALLOON_BDOOR_CMD_BATCHED_LOCK = 6,
    BALLOON_BDOOR_CMD_BATCHED_UNLOCK = 7,
    BALLOON_BDOOR_CMD_BATCHED_2M_LOCK = 8,
    BALLOON_BDOOR_CMD_BATCHED_2M_UNLOCK = 9,
    BALLOON_BDOOR_CMD_VMCI_DOORBELL_SET = 10,
    /* Capabilities: START, in and out. */
    BALLOON_BASIC_CMDS = 1 << 1,
    BALLOON_BATCHED_CMDS = 1 << 2,
    BALLOON_BATCHED_2M_CMDS = 1 << 3,
    BALLOON_SIGNALED_WAKEUP_CMD = 1 << 4,
    BALLOON_64_BIT_TARGET = 1 << 5,
    /* Status, in EAX. */
    BALLOON_SUCCESS = 0,
    BALLOON_FAILURE = -1,
    BALLOON_ERROR_CMD_INVALID = 1,
    BALLOON_ERROR_PPN_INVALID = 2,
    BALLOON_ERROR_PPN_LOCKED = 3,
    BALLOON_ERROR_PPN_UNLOCKED = 4,
    BALLOON_ERROR_PPN_PINNED = 5,
    BALLOON_ERROR_PPN_NOTNEEDED = 6,
    BALLOON_ERROR_RESET = 7,
    BALLOON_ERROR_BUSY = 8,
    BALLOON_SUCCESS_WITH_CAPABILITIES = 0x03000000,
    /* A batch is one page of entries: page address, with the status in its low bits. */
    BALLOON_BATCH_MAX_ENTRIES = 4096 / 8,
    BALLOON_BATCH_STATUS_MASK = 0x1f,
};

#endif
