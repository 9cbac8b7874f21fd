/*
 * Starts Linux by its own boot protocol: a bzImage at 1 MiB, entered in 64-bit mode (in 32-bit mode where it has no
 * 64-bit entry), or a 64-bit vmlinux where its ELF header says. [Linux Documentation/x86/boot.rst and zero-page.rst]
 *
 * Left out: the real-mode part of a bzImage, kernels before protocol 2.10 (Linux 2.6.31), setup_data, EFI.
 */
#include "machine.h"

#include <asm/bootparam.h>
#include <elf.h>
#include <string.h>

enum { SECTOR_BYTES = 512, HEADER_OFFSET = 0x1f1, ENTRY64_OFFSET = 0x200, OLDEST_PROTOCOL = 0x20a };
enum { LOADER_UNKNOWN = 0xff };

static bool is_bzimage(const struct image *image)
{
    return image->nr_bytes >= 2 * SECTOR_BYTES && vmm_get32(image, 0x202) == 0x53726448 /* "HdrS" */ &&
           image->bytes[0x1fe] == 0x55 && image->bytes[0x1ff] == 0xaa;
}

bool vmm_linux_probe(const struct image *image)
{
    if (is_bzimage(image))
        return true;
    if (!vmm_is_elf(image) || image->bytes[EI_CLASS] != ELFCLASS64)
        return false;
    Elf64_Ehdr head;
    memcpy(&head, image->bytes, sizeof(head));
    return head.e_type == ET_EXEC && head.e_machine == EM_X86_64;
}

/* Writes the zero page for a kernel with this setup header. Needs the initrd in place. */
static void write_boot_params(struct machine *m, const struct setup_header *header)
{
    struct boot_params params = {.hdr = *header};
    struct vmm_range map[VMM_MAP_MAX];
    uint32_t nr = vmm_memory_map(m, map);
    for (uint32_t i = 0; i < nr; i++) {
        params.e820_table[i].addr = map[i].gpa;
        params.e820_table[i].size = map[i].bytes;
        params.e820_table[i].type = map[i].type;
    }
    params.e820_entries = (uint8_t)nr;
    params.acpi_rsdp_addr = VMM_ACPI_GPA;
    params.hdr.type_of_loader = LOADER_UNKNOWN;
    params.hdr.cmd_line_ptr = VMM_CMDLINE_GPA;
    params.hdr.ramdisk_image = (uint32_t)m->boot.initrd_gpa;
    params.hdr.ramdisk_size = (uint32_t)m->boot.initrd_bytes;
    memcpy(vmm_ram(m, VMM_BOOT_INFO_GPA, sizeof(params)), &params, sizeof(params));
    m->boot.rsi = VMM_BOOT_INFO_GPA;
}

static int load_bzimage(struct machine *m, const struct image *image)
{
    struct setup_header header = {0};
    size_t header_bytes = 0x202u + image->bytes[0x201] - HEADER_OFFSET;
    memcpy(&header, image->bytes + HEADER_OFFSET, header_bytes < sizeof(header) ? header_bytes : sizeof(header));
    if (header.version < OLDEST_PROTOCOL || !(header.loadflags & LOADED_HIGH))
        return vmm_fail("%s is too old: boot protocol %u.%02u, and 2.10 is needed", image->path, header.version >> 8,
                        header.version & 0xff);
    if (strlen(m->options->append) > header.cmdline_size)
        return vmm_fail("--append is longer than the %u bytes that %s takes", header.cmdline_size, image->path);
    /* A file without a count of setup sectors has 4 [boot.rst setup_sects]. */
    uint64_t offset = (header.setup_sects ? header.setup_sects + 1u : 5u) * SECTOR_BYTES;
    if (offset >= image->nr_bytes)
        return vmm_fail("%s is damaged: it ends before its kernel begins", image->path);
    uint64_t bytes = image->nr_bytes - offset;
    if (vmm_load_bytes(m, image, offset, bytes, VMM_IMAGE_GPA, bytes))
        return -1;
    /* The kernel unpacks itself to there. */
    if (!vmm_ram(m, header.pref_address, header.init_size))
        return vmm_fail("%s needs at least %llu MiB of --memory", image->path,
                        (unsigned long long)((header.pref_address + header.init_size + 0xfffff) >> 20));
    if (header.pref_address + header.init_size > m->boot.image_end_gpa)
        m->boot.image_end_gpa = header.pref_address + header.init_size;
    m->boot.is_long_mode = header.version >= 0x20c && header.xloadflags & XLF_KERNEL_64;
    m->boot.rip = VMM_IMAGE_GPA + (m->boot.is_long_mode ? ENTRY64_OFFSET : 0u);
    if (vmm_load_initrd(m))
        return -1;
    header.code32_start = VMM_IMAGE_GPA;
    write_boot_params(m, &header);
    return 0;
}

/* A vmlinux has no setup header: this is what a boot loader fills in. */
static int load_vmlinux(struct machine *m, const struct image *image)
{
    const struct setup_header header = {
        .boot_flag = 0xaa55, .header = 0x53726448, .version = 0x20c, .loadflags = LOADED_HIGH,
    };
    if (vmm_load_elf(m, image, &m->boot.rip) || vmm_load_initrd(m))
        return -1;
    m->boot.is_long_mode = true;
    write_boot_params(m, &header);
    return 0;
}

int vmm_linux_load(struct machine *m, const struct image *image)
{
    return is_bzimage(image) ? load_bzimage(m, image) : load_vmlinux(m, image);
}
