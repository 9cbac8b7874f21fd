/* How kernels are started: multiboot 1 [0.6.96 3], multiboot 2 [2.0 3.6], Linux's boot_params [Linux zero-page.rst]. */
#ifndef HVSHIM_METAL_BOOT_ABI_H
#define HVSHIM_METAL_BOOT_ABI_H

#include "metal.h"

/* --- multiboot 1 -------------------------------------------------------------------------------------------------- */

#define MULTIBOOT1_HEADER 0x1badb002u
#define MULTIBOOT1_BOOTED 0x2badb002u
enum { MULTIBOOT1_SEARCH_BYTES = 8192, HAS_ADDRESSES = 1 << 16 };

struct multiboot1_header {
    uint32_t magic, flags, checksum, header_gpa, load_gpa, load_end_gpa, bss_end_gpa, entry_gpa;
};

struct multiboot1 {
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4], mmap_length, mmap_addr;
};
HVS_STATIC_ASSERT(offsetof(struct multiboot1, mmap_length) == 44, "multiboot mmap_length");
enum { HAS_BOOT_DEVICE = 1 << 1, HAS_CMDLINE = 1 << 2, HAS_MODULES = 1 << 3, HAS_MMAP = 1 << 6 };

struct multiboot1_module {
    uint32_t mod_start, mod_end, string, reserved;
};

struct multiboot1_mmap {
    uint32_t size;              /* of what follows */
    uint32_t base[2], length[2], type;
};

/* --- multiboot 2 -------------------------------------------------------------------------------------------------- */

#define MULTIBOOT2_BOOTED 0x36d76289u

struct multiboot2_tag {
    uint32_t type, size;
    union {
        char cmdline[1];
        struct {
            uint32_t mod_start, mod_end;
        } module;
        struct {
            uint32_t entry_size, entry_version;
        } mmap;
        struct {
            uint32_t biosdev;
        } boot_device;
        struct {
            uint32_t addr[2], pitch, width, height;
            uint8_t bpp, type;
            uint16_t reserved;
            uint8_t field[6];   /* position and size of red, green, blue */
        } framebuffer;
        struct {
            uint32_t pointer[2];
        } efi64;
        struct {
            uint32_t descr_size, descr_vers;
        } efi_mmap;
    };
};
struct multiboot2_mmap {
    uint32_t base[2], length[2], type, reserved;
};
enum { TAG_END = 0, TAG_CMDLINE = 1, TAG_MODULE = 3, TAG_BOOT_DEVICE = 5, TAG_MMAP = 6, TAG_FRAMEBUFFER = 8,
       TAG_EFI64 = 12, TAG_ACPI_OLD = 14, TAG_ACPI_NEW = 15, TAG_EFI_MMAP = 17, TAG_HEAD_BYTES = 8,
       TAG_MMAP_HEAD_BYTES = 16 };

/* --- Linux -------------------------------------------------------------------------------------------------------- */

enum {
    HEADER = 0x1f1, SETUP_SECTS = 0x1f1, BOOT_FLAG = 0x1fe, HEADER_LENGTH = 0x201, MAGIC = 0x202, VERSION = 0x206,
    TYPE_OF_LOADER = 0x210, LOADFLAGS = 0x211, CODE32_START = 0x214, RAMDISK_IMAGE = 0x218, RAMDISK_SIZE = 0x21c,
    CMD_LINE_PTR = 0x228, INITRD_ADDR_MAX = 0x22c, PREF_ADDRESS = 0x258, INIT_SIZE = 0x260,
};
/* Of boot_params, before the setup header. */
enum { VIDEO_MODE = 0x06, VIDEO_COLS = 0x07, VIDEO_LINES = 0x0e, VIDEO_IS_VGA = 0x0f, VIDEO_POINTS = 0x10,
       LFB_WIDTH = 0x12, LFB_HEIGHT = 0x14, LFB_DEPTH = 0x16, LFB_BASE = 0x18, LFB_SIZE = 0x1c, LFB_LINELENGTH = 0x24,
       LFB_FIELDS = 0x26, LFB_CAPABILITIES = 0x36, LFB_BASE_HIGH = 0x3a, VIDEO_TYPE_VLFB = 0x23, VIDEO_TYPE_EFI = 0x70,
       CAPABILITY_64BIT_BASE = 2,
       EFI_INFO = 0x1c0, E820_ENTRIES = 0x1e8, E820_TABLE = 0x2d0, MAX_E820 = 128 };
struct efi_info {
    uint32_t signature, systab, memdesc_size, memdesc_version, memmap, memmap_size, systab_high, memmap_high;
};
enum { SECTOR_BYTES = 512, DEFAULT_SETUP_SECTS = 4, MAGIC_HDRS = 0x53726448, EFI64_SIGNATURE = 0x34364c45,
       OLDEST_PROTOCOL = 0x20a, LOADED_HIGH = 1, LOADER_UNKNOWN = 0xff };

#endif
