/*
 * The boot loader's information, by multiboot 1 [0.6.96 3.3] or 2 [2.0 3.6], copied before anything is moved.
 *
 * Left out: frame buffers, ELF sections, the EFI tags (a UEFI machine's ACPI tables are found by none of our ways yet).
 */
#include "metal.h"

#define MULTIBOOT1_BOOTED 0x2badb002u
#define MULTIBOOT2_BOOTED 0x36d76289u

struct multiboot1 {
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4], mmap_length, mmap_addr;
};
struct multiboot1_module {
    uint32_t mod_start, mod_end, string, reserved;
};
struct multiboot1_mmap {
    uint32_t size;              /* of what follows */
    uint32_t base[2], length[2], type;
};
enum { HAS_CMDLINE = 1 << 2, HAS_MODULES = 1 << 3, HAS_MMAP = 1 << 6 };

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
    };
};
struct multiboot2_mmap {
    uint32_t base[2], length[2], type, reserved;
};
enum { TAG_END = 0, TAG_CMDLINE = 1, TAG_MODULE = 3, TAG_MMAP = 6 };

static void copy_command_line(struct boot *boot, const char *text)
{
    uint32_t i = 0;

    for (; text[i]; i++) {
        if (i == sizeof(boot->command_line) - 1)
            die("the command line is longer than %u bytes", i);
        boot->command_line[i] = text[i];
    }
    boot->command_line[i] = '\0';
}

static void add_module(struct boot *boot, uint32_t begin, uint32_t end)
{
    if (boot->nr_modules == HVS_ARRAY_SIZE(boot->module) || end <= begin)
        die("there must be one module, the kernel, or two: the kernel and its initrd");
    boot->module[boot->nr_modules++] = (struct module){.gpa = begin, .bytes = end - begin};
}

static void add_memory(struct boot *boot, const uint32_t base[2], const uint32_t length[2], uint32_t type)
{
    if (boot->nr_memory == MAX_MEMORY_RANGES - 2)
        die("the memory map has more than %u ranges", boot->nr_memory);
    boot->memory[boot->nr_memory++] = (struct memory_range){
        .gpa = (uint64_t)base[1] << 32 | base[0], .bytes = (uint64_t)length[1] << 32 | length[0], .type = type};
}

static void read_multiboot1(const struct multiboot1 *info, struct boot *boot)
{
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
        for (uint32_t at = 16; at + tag->mmap.entry_size <= tag->size; at += tag->mmap.entry_size) {
            const struct multiboot2_mmap *m = (const void *)((const uint8_t *)tag + at);

            add_memory(boot, m->base, m->length, m->type);
        }
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
    if (magic == MULTIBOOT1_BOOTED)
        read_multiboot1((const void *)info, boot);
    else if (magic == MULTIBOOT2_BOOTED)
        read_multiboot2((const void *)info, boot);
    else
        die("started by something else than a multiboot loader (magic 0x%x)", magic);
    if (boot->nr_memory == 0)
        die("the boot loader gave no memory map");
    if (boot->nr_modules == 0)
        die("the boot loader gave no module: the kernel to start");
}
