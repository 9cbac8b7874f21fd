/*
 * From the loader's information to the end of the machine.
 */
#include "boot.h"

enum {
    ISA_DEBUG_EXIT = 0xf4,
    MULTIBOOT_HAS_CMDLINE = 1u << 2,
};
#define PVH_MAGIC 0x336ec578u
#define ABOVE_MAPPING ((volatile uint8_t *)(1ull << 39))

/* What the two loaders leave [Multiboot 0.6.96 3.3; Xen public/arch-x86/hvm/start_info.h], as far as it is used. */
struct multiboot_info {
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline;
};
struct pvh_start_info {
    uint32_t magic, version, flags, nr_modules;
    uint64_t modlist_paddr, cmdline_paddr;
};

const char *boot_command_line(uint32_t how, uint32_t information)
{
    if (how == BOOT_BY_MULTIBOOT) {
        const struct multiboot_info *info = (const void *)(uintptr_t)information;
        return info->flags & MULTIBOOT_HAS_CMDLINE ? (const char *)(uintptr_t)info->cmdline : "";
    }
    const struct pvh_start_info *info = (const void *)(uintptr_t)information;
    if (info->magic != PVH_MAGIC || info->cmdline_paddr == 0 || info->cmdline_paddr > UINT32_MAX)
        return "";
    return (const char *)(uintptr_t)info->cmdline_paddr;
}

void boot_exit(int status)
{
    static const struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } no_idt = {0, 0};

    boot_out8(ISA_DEBUG_EXIT, (uint8_t)status);
    /* No such device: a page fault without an IDT shuts the CPU down, which resets the machine. */
    __asm__ volatile("lidt %0" : : "m"(no_idt));
    for (;;)
        *ABOVE_MAPPING = 0;
}
