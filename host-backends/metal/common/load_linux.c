/*
 * Starts Linux by its 32-bit boot protocol, which every x86 bzImage has [Linux Documentation/x86/boot.rst 1, 1.10].
 *
 * The kernel goes to the address that it prefers, the initrd to the top of the RAM that it may lie in. Left out:
 * kernels before protocol 2.10 (Linux 2.6.31), UEFI of 32 bits.
 */
#include "boot_abi.h"

HVS_STATIC_ASSERT((int)MAX_MEMORY_RANGES <= (int)MAX_E820, "the memory map fits boot_params");

static uint8_t *const boot_params = (uint8_t *)LOW_BOOT_PARAMS;
static uint64_t kernel_gpa;

static void put32(uint32_t offset, uint64_t value)
{
    memcpy(boot_params + offset, &value, sizeof(uint32_t));
}

static bool is_mine(const struct module *kernel)
{
    const uint8_t *image = (const uint8_t *)kernel->gpa;

    return kernel->bytes >= 2 * SECTOR_BYTES && get32(image + MAGIC) == MAGIC_HDRS && image[BOOT_FLAG] == 0x55;
}

/* Copies the setup header and checks it. */
static void read_header(const struct module *kernel)
{
    const uint8_t *image = (const uint8_t *)kernel->gpa;

    memset(boot_params, 0, HVS_PAGE_BYTES);
    memcpy(boot_params + HEADER, image + HEADER, MAGIC + image[HEADER_LENGTH] - HEADER);
    if ((get32(boot_params + VERSION) & 0xffff) < OLDEST_PROTOCOL || !(boot_params[LOADFLAGS] & LOADED_HIGH))
        die("the kernel is older than boot protocol 2.10");
}

/* The highest place in RAM below the kernel's limit. */
static uint64_t place_initrd(const struct boot *boot, uint64_t bytes)
{
    uint64_t limit = (uint64_t)get32(boot_params + INITRD_ADDR_MAX) + 1, best = 0;

    for (uint32_t i = 0; i < boot->nr_memory; i++) {
        const struct memory_range *r = &boot->memory[i];
        uint64_t end = r->gpa + r->bytes < limit ? r->gpa + r->bytes : limit;
        uint64_t at = (end - bytes) & ~(HVS_PAGE_BYTES - 1ull);

        if (r->type == 1 && end >= bytes && at >= r->gpa && at > best)
            best = at;
    }
    return best;
}

static void move_initrd(const struct boot *boot, uint64_t kernel_bytes)
{
    const struct module *kernel = &boot->module[0], *initrd = &boot->module[1];
    uint64_t to = place_initrd(boot, initrd->bytes);
    bool overlap = to < kernel->gpa + kernel->bytes && kernel->gpa < to + initrd->bytes;

    if (!memory_is_ram(to, initrd->bytes) || to < kernel_gpa + kernel_bytes || overlap)
        die("memory is too small for this kernel and its initrd of %lu KiB", initrd->bytes >> 10);
    memmove((void *)to, (const void *)initrd->gpa, initrd->bytes);
    put32(RAMDISK_IMAGE, to);
    put32(RAMDISK_SIZE, initrd->bytes);
}

static void move_kernel(const struct module *kernel)
{
    uint32_t sects = boot_params[SETUP_SECTS] ? boot_params[SETUP_SECTS] : DEFAULT_SETUP_SECTS;
    uint64_t skip = (sects + 1ull) * SECTOR_BYTES;

    if (skip >= kernel->bytes)
        die("the kernel is damaged: it ends before it begins");
    memmove((void *)kernel_gpa, (const void *)(kernel->gpa + skip), kernel->bytes - skip);
}

static void describe_text(void)
{
    boot_params[VIDEO_MODE] = 3;
    boot_params[VIDEO_COLS] = 80;
    boot_params[VIDEO_LINES] = 25;
    boot_params[VIDEO_IS_VGA] = 1;
    boot_params[VIDEO_POINTS] = 16;
}

/* Multiboot has position and size of each colour, boot_params size and position. LFB_SIZE is in 64 KiB but for UEFI. */
static void describe_pixels(const struct boot *boot)
{
    const struct screen *screen = &boot->screen;
    uint64_t bytes = (uint64_t)screen->pitch * screen->height;

    boot_params[VIDEO_IS_VGA] = boot->efi.systab_gpa ? VIDEO_TYPE_EFI : VIDEO_TYPE_VLFB;
    put32(LFB_WIDTH, screen->width | screen->height << 16);
    boot_params[LFB_DEPTH] = screen->bits;
    put32(LFB_BASE, screen->gpa);
    put32(LFB_BASE_HIGH, screen->gpa >> 32);
    put32(LFB_CAPABILITIES, screen->gpa >> 32 ? CAPABILITY_64BIT_BASE : 0);
    put32(LFB_SIZE, boot->efi.systab_gpa ? bytes : (bytes + 0xffff) >> 16);
    boot_params[LFB_LINELENGTH] = (uint8_t)screen->pitch;
    boot_params[LFB_LINELENGTH + 1] = (uint8_t)(screen->pitch >> 8);
    for (uint32_t i = 0; i < sizeof(screen->field); i++)
        boot_params[LFB_FIELDS + i] = screen->field[i ^ 1];
}

/* What a guest of UEFI needs to call it: as if it had left the boot services by itself. */
static void describe_efi(const struct boot_efi *efi)
{
    struct memory_range ours = memory_reserved();
    uint32_t bytes;

    if (!efi->systab_gpa || !efi->map_bytes)
        return;
    bytes = efi_map_hide(efi, ours.gpa, ours.gpa + ours.bytes, (uint8_t *)LOW_EFI_MAP, LOW_EFI_END - LOW_EFI_MAP);
    if (!bytes || !memory_is_ram(LOW_EFI_MAP, LOW_EFI_END - LOW_EFI_MAP))
        die("there is no room below 1 MiB for UEFI's memory map of %u bytes", efi->map_bytes);
    *(struct efi_info *)(boot_params + EFI_INFO) = (struct efi_info){
        .signature = EFI64_SIGNATURE, .systab = (uint32_t)efi->systab_gpa, .memdesc_size = efi->entry_bytes,
        .memdesc_version = efi->entry_version, .memmap = LOW_EFI_MAP, .memmap_size = bytes,
        .systab_high = (uint32_t)(efi->systab_gpa >> 32)};
}

static uint64_t load(const struct boot *boot)
{
    const struct module *kernel = &boot->module[0];
    uint64_t bytes;

    read_header(kernel);
    kernel_gpa = get32(boot_params + PREF_ADDRESS);
    bytes = get32(boot_params + INIT_SIZE) > kernel->bytes ? get32(boot_params + INIT_SIZE) : kernel->bytes;
    if (get32(boot_params + PREF_ADDRESS + 4) || !memory_is_ram(kernel_gpa, bytes))
        die("memory is too small: the kernel needs %lu KiB of RAM at 0x%lx", bytes >> 10, kernel_gpa);
    if (boot->nr_modules > 1)
        move_initrd(boot, bytes);
    move_kernel(kernel);
    if (boot->screen.kind == SCREEN_PIXELS)
        describe_pixels(boot);
    else
        describe_text();
    put32(CMD_LINE_PTR, LOW_COMMAND_LINE);
    boot_params[TYPE_OF_LOADER] = LOADER_UNKNOWN;
    put32(CODE32_START, kernel_gpa);
    return kernel_gpa;
}

static void finish(struct start *start)
{
    boot_params[E820_ENTRIES] = (uint8_t)memory_write_e820(boot_params + E820_TABLE);
    describe_efi(&machine.boot.efi);
    *start = (struct start){.is_protected = true, .eip = (uint32_t)kernel_gpa, .esi = LOW_BOOT_PARAMS};
}

const struct loader linux_loader = {.is_mine = is_mine, .load = load, .finish = finish};
