/*
 * The boot loader's information, by multiboot 1 [0.6.96 3.3] or 2 [2.0 3.6], copied before anything is moved.
 *
 * Left out: ELF sections, network, the 32-bit EFI tags. Of a frame buffer only what multiboot 2 tells.
 */
#include "boot_abi.h"

static void copy_command_line(struct boot *boot, const char *text)
{
    uint32_t bytes = text_of(text).bytes;

    if (bytes >= sizeof(boot->command_line))
        die("the command line is longer than %u bytes", (uint32_t)sizeof(boot->command_line) - 1);
    memcpy(boot->command_line, text, bytes + 1);
}

static void add_module(struct boot *boot, uint32_t begin, uint32_t end)
{
    if (boot->nr_modules == HVS_ARRAY_SIZE(boot->module) || end <= begin)
        die("there must be one module, the kernel, or two: the kernel and its initrd");
    boot->module[boot->nr_modules++] = (struct module){.gpa = begin, .bytes = end - begin};
}

/* Types that neither loader nor guest has agreed on, such as GRUB's own for UEFI's code, are no RAM. */
static void add_memory(struct boot *boot, const uint32_t base[2], const uint32_t length[2], uint32_t type)
{
    enum { RESERVED = 2, LAST_TYPE = 5 };

    if (boot->nr_memory == MAX_MEMORY_RANGES - 3)
        die("the memory map has more than %u ranges", boot->nr_memory);
    boot->memory[boot->nr_memory++] = (struct memory_range){
        .gpa = (uint64_t)base[1] << 32 | base[0], .bytes = (uint64_t)length[1] << 32 | length[0],
        .type = type <= LAST_TYPE ? type : RESERVED};
}

static void read_multiboot1(const struct multiboot1 *info, struct boot *boot)
{
    if (info->flags & HAS_BOOT_DEVICE)
        boot->bios_disk = (uint8_t)(info->boot_device >> 24);
    if (info->flags & HAS_CMDLINE)
        copy_command_line(boot, (const char *)(uintptr_t)info->cmdline);
    for (uint32_t i = 0; info->flags & HAS_MODULES && i < info->mods_count; i++) {
        const struct multiboot1_module *m = (const struct multiboot1_module *)(uintptr_t)info->mods_addr + i;

        add_module(boot, m->mod_start, m->mod_end);
    }
    if (!(info->flags & HAS_MMAP))
        return;
    for (uint32_t at = 0; at < info->mmap_length;) {
        const struct multiboot1_mmap *m = (const struct multiboot1_mmap *)(uintptr_t)(info->mmap_addr + at);

        add_memory(boot, m->base, m->length, m->type);
        at += m->size + (uint32_t)sizeof(m->size);
    }
}

static void read_framebuffer(const struct multiboot2_tag *tag, struct screen *screen)
{
    *screen = (struct screen){
        .gpa = (uint64_t)tag->framebuffer.addr[1] << 32 | tag->framebuffer.addr[0], .pitch = tag->framebuffer.pitch,
        .width = tag->framebuffer.width, .height = tag->framebuffer.height, .bits = tag->framebuffer.bpp,
        .kind = (enum screen_kind)tag->framebuffer.type};
    if (tag->size >= offsetof(struct multiboot2_tag, framebuffer.field) + sizeof(screen->field))
        memcpy(screen->field, tag->framebuffer.field, sizeof(screen->field));
}

static void read_efi_map(const struct multiboot2_tag *tag, struct boot_efi *efi)
{
    uint32_t bytes = tag->size - TAG_MMAP_HEAD_BYTES;

    if (bytes > sizeof(efi->map))
        die("the EFI memory map is longer than %u bytes", (uint32_t)sizeof(efi->map));
    memcpy(efi->map, (const uint8_t *)tag + TAG_MMAP_HEAD_BYTES, bytes);
    efi->map_bytes = bytes;
    efi->entry_bytes = tag->efi_mmap.descr_size;
    efi->entry_version = tag->efi_mmap.descr_vers;
}

/* A copy of the structure; the new one of ACPI 2.0 is preferred. */
static void read_rsdp(const struct multiboot2_tag *tag, struct boot *boot)
{
    uint32_t bytes = tag->size - TAG_HEAD_BYTES;

    if (boot->has_rsdp && tag->type == TAG_ACPI_OLD)
        return;
    memcpy(boot->rsdp, (const uint8_t *)tag + TAG_HEAD_BYTES, bytes < sizeof(boot->rsdp) ? bytes : sizeof(boot->rsdp));
    boot->has_rsdp = true;
}

static void read_tag(const struct multiboot2_tag *tag, struct boot *boot)
{
    switch (tag->type) {
    case TAG_CMDLINE:
        copy_command_line(boot, tag->cmdline);
        break;
    case TAG_MODULE:
        add_module(boot, tag->module.mod_start, tag->module.mod_end);
        break;
    case TAG_MMAP:
        for (uint32_t at = TAG_MMAP_HEAD_BYTES; at + tag->mmap.entry_size <= tag->size; at += tag->mmap.entry_size) {
            const struct multiboot2_mmap *m = (const void *)((const uint8_t *)tag + at);

            add_memory(boot, m->base, m->length, m->type);
        }
        break;
    case TAG_BOOT_DEVICE:
        boot->bios_disk = (uint8_t)tag->boot_device.biosdev;
        break;
    case TAG_FRAMEBUFFER:
        read_framebuffer(tag, &boot->screen);
        break;
    case TAG_EFI64:
        boot->efi.systab_gpa = (uint64_t)tag->efi64.pointer[1] << 32 | tag->efi64.pointer[0];
        break;
    case TAG_EFI_MMAP:
        read_efi_map(tag, &boot->efi);
        break;
    case TAG_ACPI_OLD:
    case TAG_ACPI_NEW:
        read_rsdp(tag, boot);
        break;
    default:
        break;
    }
}

static void read_multiboot2(const uint8_t *info, struct boot *boot)
{
    uint32_t total_bytes = *(const uint32_t *)info;

    for (uint32_t at = 8; at < total_bytes;) {
        const struct multiboot2_tag *tag = (const void *)(info + at);

        if (tag->type == TAG_END || tag->size < 8)
            return;
        read_tag(tag, boot);
        at += (tag->size + 7) & ~7u;
    }
}

void boot_read(uint32_t magic, uint64_t info, struct boot *boot)
{
    boot->screen = (struct screen){.kind = SCREEN_TEXT, .gpa = TEXT_GPA, .width = 80, .height = 25};
    if (magic == MULTIBOOT1_BOOTED)
        read_multiboot1((const void *)info, boot);
    else if (magic == MULTIBOOT2_BOOTED)
        read_multiboot2((const void *)info, boot);
    else
        die("started by something else than a multiboot loader (magic 0x%x)", magic);
    if (boot->nr_memory == 0)
        die("the boot loader gave no memory map");
}
