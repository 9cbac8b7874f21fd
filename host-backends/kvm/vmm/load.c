/*
 * Loading: which kind of kernel a file holds, and what all kinds share: the file, ELF, initrd, command line.
 *
 * Each kind has a file of its own: load_linux.c, load_pvh.c (with flat), load_multiboot.c. Everything read from a
 * file is checked where it is used; a damaged file gives a message.
 */
#include "machine.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <hvshim/translators.h>

/* In the order in which a file is asked. */
static const struct {
    const char *name;
    bool (*probe)(const struct image *image);
    int (*load)(struct machine *m, const struct image *image);
    const char *lacks;
} formats[] = {
    {"pvh", vmm_pvh_probe, vmm_pvh_load, "no ELF note with a PVH entry (a bzImage never has it: give the vmlinux)"},
    {"multiboot", vmm_multiboot_probe, vmm_multiboot_load, "no multiboot header in its first 8 KiB"},
    {"linux", vmm_linux_probe, vmm_linux_load, "no Linux boot header, and is no 64-bit ELF executable"},
    {"flat", vmm_flat_probe, vmm_flat_load, "nothing in it"},
};

bool vmm_load_knows(const char *name)
{
    for (size_t i = 0; i < HVS_ARRAY_SIZE(formats); i++)
        if (!strcmp(name, formats[i].name))
            return true;
    return false;
}

/* --- files ------------------------------------------------------------------------------------------------------ */

static int open_image(const char *path, const char *what, struct image *image)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st)) {
        vmm_fail("cannot read the %s %s: %s", what, path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    void *bytes = MAP_FAILED;
    if (S_ISREG(st.st_mode) && st.st_size > 0)
        bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (bytes == MAP_FAILED)
        return vmm_fail("cannot read the %s %s: %s", what, path,
                        !S_ISREG(st.st_mode) ? "not a regular file" : !st.st_size ? "it is empty" : strerror(errno));
    *image = (struct image){.path = path, .bytes = bytes, .nr_bytes = (uint64_t)st.st_size};
    return 0;
}

static void close_image(struct image *image)
{
    munmap((void *)image->bytes, image->nr_bytes);
}

uint32_t vmm_get32(const struct image *image, uint64_t offset)
{
    uint32_t value;
    memcpy(&value, image->bytes + offset, sizeof(value));
    return value;
}

int vmm_load_bytes(struct machine *m, const struct image *image, uint64_t offset, uint64_t file_bytes, uint64_t gpa,
                   uint64_t memory_bytes)
{
    if (offset > image->nr_bytes || file_bytes > image->nr_bytes - offset || file_bytes > memory_bytes)
        return vmm_fail("%s is damaged: a part of it lies behind its end", image->path);
    if (gpa < VMM_IMAGE_GPA)
        return vmm_fail("%s wants to be loaded at %#llx, but the first MiB is the firmware's", image->path,
                        (unsigned long long)gpa);
    void *ram = vmm_ram(m, gpa, memory_bytes);
    if (!ram)
        return vmm_fail("%s needs RAM at %#llx..%#llx: give more --memory", image->path, (unsigned long long)gpa,
                        (unsigned long long)(gpa + memory_bytes - 1));
    memcpy(ram, image->bytes + offset, file_bytes);
    if (gpa + memory_bytes > m->boot.image_end_gpa)
        m->boot.image_end_gpa = gpa + memory_bytes;
    return 0;
}

/* --- ELF -------------------------------------------------------------------------------------------------------- */

bool vmm_is_elf(const struct image *image)
{
    return image->nr_bytes >= sizeof(Elf64_Ehdr) && !memcmp(image->bytes, ELFMAG, SELFMAG) &&
           image->bytes[EI_DATA] == ELFDATA2LSB;
}

/* Reads program header `index`, of either class, as a 64-bit one. Returns false past the last. */
static bool elf_segment(const struct image *image, uint32_t index, Elf64_Phdr *segment)
{
    if (image->bytes[EI_CLASS] == ELFCLASS64) {
        Elf64_Ehdr head;
        memcpy(&head, image->bytes, sizeof(head));
        uint64_t offset = (uint64_t)index * sizeof(*segment);
        if (index >= head.e_phnum || head.e_phoff > image->nr_bytes ||
            offset + sizeof(*segment) > image->nr_bytes - head.e_phoff)
            return false;
        memcpy(segment, image->bytes + head.e_phoff + offset, sizeof(*segment));
        return true;
    }
    Elf32_Ehdr head;
    Elf32_Phdr narrow;
    memcpy(&head, image->bytes, sizeof(head));
    uint64_t offset = head.e_phoff + (uint64_t)index * sizeof(narrow);
    if (index >= head.e_phnum || offset + sizeof(narrow) > image->nr_bytes)
        return false;
    memcpy(&narrow, image->bytes + offset, sizeof(narrow));
    *segment = (Elf64_Phdr){
        .p_type = narrow.p_type, .p_offset = narrow.p_offset, .p_paddr = narrow.p_paddr, .p_align = narrow.p_align,
        .p_filesz = narrow.p_filesz, .p_memsz = narrow.p_memsz,
    };
    return true;
}

int vmm_load_elf(struct machine *m, const struct image *image, uint64_t *entry)
{
    uint32_t nr_loaded = 0;
    Elf64_Phdr segment;
    for (uint32_t i = 0; elf_segment(image, i, &segment); i++) {
        if (segment.p_type != PT_LOAD || !segment.p_memsz)
            continue;
        if (vmm_load_bytes(m, image, segment.p_offset, segment.p_filesz, segment.p_paddr, segment.p_memsz))
            return -1;
        nr_loaded++;
    }
    if (!nr_loaded)
        return vmm_fail("%s is an ELF file with nothing to load", image->path);
    Elf64_Ehdr head;
    memcpy(&head, image->bytes, sizeof(head));
    /* Not compressed: hypercall instructions in it can be found now. */
    hvs_kvm_image_loaded(m->shim, VMM_IMAGE_GPA, m->boot.image_end_gpa - VMM_IMAGE_GPA);
    *entry = head.e_ident[EI_CLASS] == ELFCLASS64 ? head.e_entry : vmm_get32(image, offsetof(Elf32_Ehdr, e_entry));
    return 0;
}

/* Looks through the notes in bytes [at, end) of the file. [XEN public/elfnote.h XEN_ELFNOTE_PHYS32_ENTRY] */
static bool find_pvh_note(const struct image *image, uint64_t at, uint64_t end, uint32_t *entry)
{
    enum { PHYS32_ENTRY = 18 };
    while (end - at >= sizeof(Elf64_Nhdr)) {
        Elf64_Nhdr note;
        memcpy(&note, image->bytes + at, sizeof(note));
        at += sizeof(note);
        uint64_t name_bytes = ((uint64_t)note.n_namesz + 3) & ~3ull;
        uint64_t desc_bytes = ((uint64_t)note.n_descsz + 3) & ~3ull;
        if (name_bytes + desc_bytes > end - at)
            return false;
        bool is_ours = note.n_type == PHYS32_ENTRY && note.n_namesz == 4 && !memcmp(image->bytes + at, "Xen", 4);
        if (is_ours && desc_bytes >= 4) {
            *entry = vmm_get32(image, at + name_bytes);
            return true;
        }
        at += name_bytes + desc_bytes;
    }
    return false;
}

bool vmm_elf_pvh_entry(const struct image *image, uint32_t *entry)
{
    Elf64_Phdr segment;
    for (uint32_t i = 0; vmm_is_elf(image) && elf_segment(image, i, &segment); i++) {
        bool is_inside = segment.p_offset <= image->nr_bytes && segment.p_filesz <= image->nr_bytes - segment.p_offset;
        if (segment.p_type == PT_NOTE && is_inside &&
            find_pvh_note(image, segment.p_offset, segment.p_offset + segment.p_filesz, entry))
            return true;
    }
    return false;
}

/* --- what every kernel gets ------------------------------------------------------------------------------------- */

/* At the top of what even old 32-bit kernels can reach, page-aligned. */
int vmm_load_initrd(struct machine *m)
{
    enum { INITRD_MAX_GPA = 0x37fff000 };
    struct image image;
    if (!m->options->initrd)
        return 0;
    if (open_image(m->options->initrd, "initrd", &image))
        return -1;
    uint64_t top = m->low_bytes < INITRD_MAX_GPA ? m->low_bytes : INITRD_MAX_GPA;
    bool fits = image.nr_bytes <= top && top - image.nr_bytes >= m->boot.image_end_gpa + HVS_PAGE_BYTES;
    uint64_t gpa = fits ? (top - image.nr_bytes) & ~(HVS_PAGE_BYTES - 1ull) : 0;
    if (fits) {
        memcpy(vmm_ram(m, gpa, image.nr_bytes), image.bytes, image.nr_bytes);
        m->boot.initrd_gpa = gpa;
        m->boot.initrd_bytes = image.nr_bytes;
    } else {
        vmm_fail("the initrd %s (%llu MiB) does not fit beside the kernel: give more --memory", image.path,
                 (unsigned long long)(image.nr_bytes >> 20));
    }
    close_image(&image);
    return fits ? 0 : -1;
}

static int load_image(struct machine *m, const struct image *image)
{
    const char *wanted = m->options->entry;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(formats); i++) {
        bool is_asked = wanted ? !strcmp(wanted, formats[i].name) : formats[i].load != vmm_flat_load;
        if (!is_asked)
            continue;
        if (formats[i].probe(image))
            return formats[i].load(m, image);
        if (wanted)
            return vmm_fail("%s cannot start by --entry %s: it has %s", image->path, wanted, formats[i].lacks);
    }
    return vmm_fail("%s is not a kernel: it has no Linux boot header, PVH note or multiboot header "
                    "(--entry flat starts any file)", image->path);
}

int vmm_load(struct machine *m)
{
    struct image image;
    if (open_image(m->options->kernel, "kernel", &image))
        return -1;
    m->boot.image_end_gpa = VMM_IMAGE_GPA;
    memcpy(vmm_ram(m, VMM_CMDLINE_GPA, VMM_CMDLINE_BYTES), m->options->append, strlen(m->options->append) + 1);
    int err = load_image(m, &image);
    close_image(&image);
    /* A guest that is entered by PVH knows of Xen by that, and expects no PC [XEN docs/misc/pvh.pandoc]. */
    if (!err && vmm_presents(&m->options->persona, &hvs_xen_personality) && !m->boot.is_pvh)
        err = vmm_pci_create(m);
    vmm_acpi_write(m);
    return err;
}
