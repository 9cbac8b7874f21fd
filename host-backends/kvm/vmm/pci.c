/*
 * PCI, which the machine has only for Xen's platform device: bus 0 with a host bridge and that device, reached by
 * configuration mechanism #1. [PCI 3.0 chapters 3.2.2.3.2 and 6; XEN docs/misc/hvm-emulated-unplug.pandoc; QEMU
 * docs/specs: 5853:0001]
 *
 * The device is how a kernel as HVM finds Xen's drivers' place: its memory is where Linux lays the grant table, its
 * interrupt may be the callback. So its memory BAR is RAM, which moves with it. Its I/O BAR has nothing behind it. Left
 * out: other buses, capabilities, ECAM, interrupts by messages.
 */
#include "machine.h"

#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

enum { PCI_COMMAND = 1, PCI_CLASS = 2, PCI_BAR0 = 4, PCI_BAR1 = 5, PCI_SUBSYSTEM = 11, PCI_INTERRUPT = 15 };
enum { COMMAND_IO = 1, COMMAND_MEMORY = 2, COMMAND_MASTER = 4, COMMAND_NO_INTX = 0x400 };
enum { BAR_IS_IO = 1, BAR_IS_PREFETCHABLE = 8, IO_BYTES = 0x100 };
enum { BRIDGE_DEVICE = 0, REGISTERS_BYTES = 0x40 };
#define ENABLE (1u << 31)
#define PLATFORM_BAR_BYTES (1u << 20)

/* Which bits of the platform device's registers the guest may write. */
static const uint32_t platform_writable[REGISTERS_BYTES / 4] = {
    [PCI_COMMAND] = COMMAND_IO | COMMAND_MEMORY | COMMAND_MASTER | COMMAND_NO_INTX,
    [PCI_BAR0] = ~(IO_BYTES - 1u),
    [PCI_BAR1] = ~(PLATFORM_BAR_BYTES - 1u),
    [PCI_INTERRUPT] = 0xff,
};

/* As some firmware would leave it. */
static const uint32_t platform_at_reset[REGISTERS_BYTES / 4] = {
    [0] = 0x00015853,
    [PCI_COMMAND] = COMMAND_IO | COMMAND_MEMORY,
    [PCI_CLASS] = 0xff800001,                   /* no class that has a number; revision 1 */
    [PCI_BAR0] = VMM_PCI_IO_PORT | BAR_IS_IO,
    [PCI_BAR1] = VMM_PCI_MEMORY_GPA | BAR_IS_PREFETCHABLE,
    [PCI_SUBSYSTEM] = 0x00015853,
    [PCI_INTERRUPT] = 1 << 8 | VMM_PCI_GSI,     /* pin INTA; a line, which PICs have too */
};

/* One that nothing has a driver or a quirk for. */
static const uint32_t bridge[REGISTERS_BYTES / 4] = {[0] = 0x0d578086, [PCI_CLASS] = 0x06000000};

/* --- the memory behind BAR 1 ------------------------------------------------------------------------------------ */

static int set_slot(struct machine *m, uint64_t gpa, uint64_t bytes)
{
    struct kvm_userspace_memory_region region = {
        .slot = VMM_PCI_SLOT, .guest_phys_addr = gpa, .memory_size = bytes, .userspace_addr = (uintptr_t)m->pci.memory,
    };
    return vmm_ioctl(m->vm_fd, KVM_SET_USER_MEMORY_REGION, "KVM_SET_USER_MEMORY_REGION", &region) < 0 ? -1 : 0;
}

/* Where the memory ought to be; 0: nowhere. Only in the window that the guest was told, so never over anything else. */
static uint64_t wanted_gpa(const struct pci *pci)
{
    uint64_t gpa = pci->platform[PCI_BAR1] & platform_writable[PCI_BAR1];
    bool is_inside = gpa >= VMM_PCI_MEMORY_GPA && gpa <= VMM_PCI_MEMORY_GPA + VMM_PCI_MEMORY_BYTES - PLATFORM_BAR_BYTES;
    return pci->platform[PCI_COMMAND] & COMMAND_MEMORY && is_inside ? gpa : 0;
}

static int place_memory(struct machine *m)
{
    struct pci *pci = &m->pci;
    uint64_t gpa = wanted_gpa(pci);
    if (gpa == pci->memory_gpa)
        return 0;
    if (pci->memory_gpa && (hvs_kvm_remove_memory(m->shim, pci->memory_gpa) || set_slot(m, pci->memory_gpa, 0)))
        return -1;
    pci->memory_gpa = gpa;
    if (!gpa)
        return 0;
    return set_slot(m, gpa, PLATFORM_BAR_BYTES) || hvs_kvm_add_memory(m->shim, gpa, pci->memory, PLATFORM_BAR_BYTES)
               ? vmm_fail("cannot place the memory of the PCI device") : 0;
}

int vmm_pci_create(struct machine *m)
{
    void *memory = mmap(NULL, PLATFORM_BAR_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return vmm_fail("no memory for the PCI device");
    m->pci.memory = memory;
    memcpy(m->pci.platform, platform_at_reset, sizeof(m->pci.platform));
    return place_memory(m);
}

void vmm_pci_destroy(struct machine *m)
{
    if (m->pci.memory)
        munmap(m->pci.memory, PLATFORM_BAR_BYTES);
}

/* --- configuration space: board_lock held ----------------------------------------------------------------------- */

/* The registers of the function that the address names; NULL where none is. */
static const uint32_t *function(const struct machine *m)
{
    uint32_t bus_device_function = m->pci.address >> 8 & 0xffff;
    if (!m->pci.memory || !(m->pci.address & ENABLE))
        return NULL;
    if (bus_device_function == BRIDGE_DEVICE << 3)
        return bridge;
    return bus_device_function == VMM_PCI_PLATFORM << 3 ? m->pci.platform : NULL;
}

static uint32_t read_config(const struct machine *m)
{
    const uint32_t *registers = function(m);
    uint32_t at = m->pci.address & 0xfc;
    if (!registers)
        return ~0u;
    return at < REGISTERS_BYTES ? registers[at / 4] : 0;
}

static void write_config(struct machine *m, uint32_t value)
{
    uint32_t index = (m->pci.address & 0xfc) / 4;
    if (function(m) != m->pci.platform || index >= REGISTERS_BYTES / 4)
        return;
    uint32_t mask = platform_writable[index];
    m->pci.platform[index] = (m->pci.platform[index] & ~mask) | (value & mask);
    if (place_memory(m))
        vmm_end(m, VMM_END_KVM);
}

/* The address register takes accesses of 32 bits only, which leaves its other ports to other devices. */
uint32_t vmm_pci_in(struct machine *m, uint16_t port, uint32_t size)
{
    uint32_t value = ~0u;
    pthread_mutex_lock(&m->board_lock);
    if (port >= VMM_PCI_PORT + 4)
        value = read_config(m) >> port % 4 * 8;
    else if (m->pci.memory && port == VMM_PCI_PORT && size == 4)
        value = m->pci.address;
    pthread_mutex_unlock(&m->board_lock);
    return value;
}

void vmm_pci_out(struct machine *m, uint16_t port, uint32_t size, uint32_t value)
{
    uint32_t shift = port % 4 * 8, mask = (size == 4 ? ~0u : (1u << size * 8) - 1) << shift;
    pthread_mutex_lock(&m->board_lock);
    if (port >= VMM_PCI_PORT + 4)
        write_config(m, (read_config(m) & ~mask) | (value << shift & mask));
    else if (port == VMM_PCI_PORT && size == 4)
        m->pci.address = value;
    pthread_mutex_unlock(&m->board_lock);
}

uint32_t vmm_pci_intx_gsi(void *ctx, uint32_t device, uint32_t pin)
{
    (void)ctx;
    return device == VMM_PCI_PLATFORM && pin == 0 ? VMM_PCI_GSI : 0;
}
