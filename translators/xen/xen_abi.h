/*
 * Xen's guest ABI: the public headers of Xen 4.17 (Debian libxen-dev) for 64-bit callers, and what they do not say:
 * the layouts for 32-bit callers, the two layouts of shared_info side by side, and the hypercall page.
 *
 * Pure ABI: no library types, so that guest programs can include it. Xen builds its own 32-bit layouts by a script
 * from the same headers; ours are held by the asserts below.
 */
#ifndef XEN_ABI_H
#define XEN_ABI_H

#include <stddef.h>
#include <stdint.h>

#define __XEN_INTERFACE_VERSION__ 0x00040e00

#ifdef _WIN64           /* where long has 32 bits, and Xen's headers mean 64 */
#define long long long
#endif
#include <xen/xen.h>
#include <xen/arch-x86/cpuid.h>
#include <xen/errno.h>
#include <xen/event_channel.h>
#include <xen/features.h>
#include <xen/grant_table.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/hvm_vcpu.h>
#include <xen/hvm/params.h>
#include <xen/io/console.h>
#include <xen/io/xs_wire.h>
#include <xen/memory.h>
#include <xen/physdev.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>
#ifdef _WIN64
#undef long
#endif

#define XEN_ASSERT_SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type " has " #bytes " bytes")
#define XEN_ASSERT_AT(type, field, at) _Static_assert(offsetof(type, field) == (at), #type "." #field " is at " #at)

/* --- hypercall page and its MSR [XEN docs/guest-guide/x86/hypercall-abi.rst; arch/x86/msr.c] --------------------- */

#define XEN_MSR_HYPERCALL_PAGE 0x40000000u              /* where Xen's leaves begin at 0x40000000 */
#define XEN_MSR_HYPERCALL_PAGE_STACKED 0x40000200u      /* where another interface has that place */

enum {
    XEN_PAGE_BYTES = 4096,
    XEN_NR_STUBS = 128,
    XEN_STUB_BYTES = 32,
};

/* The hypercall number that a VMware backdoor call seems to have. Bit 31 marks a Hyper-V call to Xen. */
#define XEN_NOT_A_CALL_VMWARE 0x564d5868u
#define XEN_NOT_A_CALL_VIRIDIAN 0x80000000u

/* memory_op: bits above the command say where a preempted call goes on [XEN xen/hypercall.h] */
enum {
    XEN_MEMOP_EXTENT_SHIFT = 6,
    XEN_MEMOP_CMD_MASK = (1 << XEN_MEMOP_EXTENT_SHIFT) - 1,
};

/* --- shared_info and vcpu_info [XEN public/xen.h, public/arch-x86/xen.h] ------------------------------------------ */

enum { XEN_VCPU_INFO_BYTES = 64 };

struct xen_vcpu_info32 {
    uint8_t evtchn_upcall_pending;
    uint8_t evtchn_upcall_mask;
    uint8_t pad0[2];
    uint32_t evtchn_pending_sel;
    uint32_t cr2;
    uint32_t pad1[5];
    struct vcpu_time_info time;
};
XEN_ASSERT_SIZE(struct xen_vcpu_info32, 64);
XEN_ASSERT_AT(struct xen_vcpu_info32, evtchn_pending_sel, 4);
XEN_ASSERT_AT(struct xen_vcpu_info32, cr2, 8);
XEN_ASSERT_AT(struct xen_vcpu_info32, time, 0x20);

XEN_ASSERT_SIZE(struct vcpu_time_info, 32);
XEN_ASSERT_SIZE(struct vcpu_info, 64);
XEN_ASSERT_AT(struct vcpu_info, evtchn_upcall_pending, 0);
XEN_ASSERT_AT(struct vcpu_info, evtchn_pending_sel, 8);
XEN_ASSERT_AT(struct vcpu_info, arch, 0x10);
XEN_ASSERT_AT(struct vcpu_info, time, 0x20);

struct xen_shared_info32 {
    struct xen_vcpu_info32 vcpu_info[XEN_LEGACY_MAX_VCPUS];
    uint32_t evtchn_pending[32];
    uint32_t evtchn_mask[32];
    uint32_t wc_version;
    uint32_t wc_sec;
    uint32_t wc_nsec;
    uint32_t max_pfn;
    uint32_t pfn_to_mfn_frame_list_list;
    uint32_t nmi_reason;
    uint32_t p2m_cr3;
    uint32_t p2m_vaddr;
    uint32_t p2m_generation;
    uint32_t wc_sec_hi;
};
XEN_ASSERT_SIZE(struct xen_shared_info32, 0x928);
XEN_ASSERT_AT(struct xen_shared_info32, evtchn_pending, 0x800);
XEN_ASSERT_AT(struct xen_shared_info32, evtchn_mask, 0x880);
XEN_ASSERT_AT(struct xen_shared_info32, wc_version, 0x900);
XEN_ASSERT_AT(struct xen_shared_info32, wc_sec, 0x904);
XEN_ASSERT_AT(struct xen_shared_info32, wc_nsec, 0x908);
XEN_ASSERT_AT(struct xen_shared_info32, wc_sec_hi, 0x924);

XEN_ASSERT_SIZE(struct shared_info, 0xc40);
XEN_ASSERT_AT(struct shared_info, evtchn_pending, 0x800);
XEN_ASSERT_AT(struct shared_info, evtchn_mask, 0xa00);
XEN_ASSERT_AT(struct shared_info, wc_version, 0xc00);
XEN_ASSERT_AT(struct shared_info, wc_sec, 0xc04);
XEN_ASSERT_AT(struct shared_info, wc_nsec, 0xc08);
XEN_ASSERT_AT(struct shared_info, wc_sec_hi, 0xc0c);

enum { XEN_NR_PORTS = 4096, XEN_NR_PORTS32 = 1024 };    /* 2-level */
_Static_assert(XEN_NR_PORTS == EVTCHN_2L_NR_CHANNELS, "4096 ports of a 64-bit guest");

/* Where things lie in shared_info and vcpu_info, by the width that Xen latched. */
struct xen_layout {
    uint16_t nr_ports;
    uint16_t pending, mask;     /* bitmaps of nr_ports, in shared_info */
    uint16_t wc_version, wc_sec, wc_nsec, wc_sec_hi;
    uint16_t sel;               /* in vcpu_info: bit n says that word n of `pending` has something */
    uint16_t sel_shift;         /* port >> sel_shift is that bit */
};

static const struct xen_layout xen_layout64 = {
    .nr_ports = XEN_NR_PORTS,
    .pending = offsetof(struct shared_info, evtchn_pending),
    .mask = offsetof(struct shared_info, evtchn_mask),
    .wc_version = offsetof(struct shared_info, wc_version),
    .wc_sec = offsetof(struct shared_info, wc_sec),
    .wc_nsec = offsetof(struct shared_info, wc_nsec),
    .wc_sec_hi = offsetof(struct shared_info, wc_sec_hi),
    .sel = offsetof(struct vcpu_info, evtchn_pending_sel),
    .sel_shift = 6,
};
static const struct xen_layout xen_layout32 = {
    .nr_ports = XEN_NR_PORTS32,
    .pending = offsetof(struct xen_shared_info32, evtchn_pending),
    .mask = offsetof(struct xen_shared_info32, evtchn_mask),
    .wc_version = offsetof(struct xen_shared_info32, wc_version),
    .wc_sec = offsetof(struct xen_shared_info32, wc_sec),
    .wc_nsec = offsetof(struct xen_shared_info32, wc_nsec),
    .wc_sec_hi = offsetof(struct xen_shared_info32, wc_sec_hi),
    .sel = offsetof(struct xen_vcpu_info32, evtchn_pending_sel),
    .sel_shift = 5,
};

static inline const struct xen_layout *xen_layout(_Bool is_32bit)
{
    return is_32bit ? &xen_layout32 : &xen_layout64;
}

/* --- what hypercalls point to: the 64-bit form is in Xen's headers, the 32-bit form is here ----------------------- */

struct xen_add_to_physmap32 {
    uint16_t domid;
    uint16_t size;
    uint32_t space;
    uint32_t idx;
    uint32_t gpfn;
};
XEN_ASSERT_SIZE(struct xen_add_to_physmap, 0x18);
XEN_ASSERT_SIZE(struct xen_add_to_physmap32, 0x10);
XEN_ASSERT_AT(struct xen_add_to_physmap, idx, 8);
XEN_ASSERT_AT(struct xen_add_to_physmap, gpfn, 16);

struct xen_memory_map32 {
    uint32_t nr_entries;
    uint32_t buffer;
};
XEN_ASSERT_SIZE(struct xen_memory_map, 0x10);
XEN_ASSERT_SIZE(struct xen_memory_map32, 8);
XEN_ASSERT_AT(struct xen_memory_map, buffer, 8);

struct xen_foreign_memory_map32 {
    uint16_t domid;
    uint16_t pad;
    struct xen_memory_map32 map;
};
XEN_ASSERT_SIZE(struct xen_foreign_memory_map, 0x18);
XEN_ASSERT_AT(struct xen_foreign_memory_map, map, 8);
XEN_ASSERT_SIZE(struct xen_foreign_memory_map32, 0xc);

struct xen_add_to_physmap_batch32 {
    uint16_t domid;
    uint16_t space;
    uint16_t size;
    uint16_t foreign_domid;
    uint32_t idxs, gpfns, errs;
};
XEN_ASSERT_SIZE(struct xen_add_to_physmap_batch, 0x20);
XEN_ASSERT_AT(struct xen_add_to_physmap_batch, size, 4);
XEN_ASSERT_AT(struct xen_add_to_physmap_batch, idxs, 8);
XEN_ASSERT_AT(struct xen_add_to_physmap_batch, errs, 24);
XEN_ASSERT_SIZE(struct xen_add_to_physmap_batch32, 0x14);

struct xen_remove_from_physmap32 {
    uint16_t domid;
    uint16_t pad;
    uint32_t gpfn;
};
XEN_ASSERT_SIZE(struct xen_remove_from_physmap, 0x10);
XEN_ASSERT_AT(struct xen_remove_from_physmap, gpfn, 8);
XEN_ASSERT_SIZE(struct xen_remove_from_physmap32, 8);

struct xen_memory_reservation32 {
    uint32_t extent_start;
    uint32_t nr_extents;
    uint32_t extent_order;
    uint32_t mem_flags;
    uint16_t domid;
    uint16_t pad;
};
XEN_ASSERT_SIZE(struct xen_memory_reservation, 0x20);
XEN_ASSERT_AT(struct xen_memory_reservation, extent_order, 16);
XEN_ASSERT_AT(struct xen_memory_reservation, domid, 24);
XEN_ASSERT_SIZE(struct xen_memory_reservation32, 0x14);

struct physdev_map_pirq32 {
    uint16_t domid;
    uint16_t pad;
    int32_t type, index, pirq, bus, devfn, entry_nr;
    uint32_t table_base[2];
};
XEN_ASSERT_SIZE(struct physdev_map_pirq, 0x28);
XEN_ASSERT_AT(struct physdev_map_pirq, type, 4);
XEN_ASSERT_AT(struct physdev_map_pirq, table_base, 32);
XEN_ASSERT_SIZE(struct physdev_map_pirq32, 0x24);
XEN_ASSERT_AT(struct physdev_map_pirq32, table_base, 28);
XEN_ASSERT_SIZE(struct physdev_unmap_pirq, 8);

struct xen_multicall_entry32 {
    uint32_t op;
    uint32_t result;
    uint32_t args[6];
};
XEN_ASSERT_SIZE(struct multicall_entry, 0x40);
XEN_ASSERT_AT(struct multicall_entry, result, 8);
XEN_ASSERT_AT(struct multicall_entry, args, 16);
XEN_ASSERT_SIZE(struct xen_multicall_entry32, 0x20);

struct xen_e820_entry {
    uint32_t addr[2];           /* low half first */
    uint32_t size[2];
    uint32_t type;
};
XEN_ASSERT_SIZE(struct xen_e820_entry, 20);

struct xen_sched_poll32 {
    uint32_t ports;
    uint32_t nr_ports;
    uint32_t timeout[2];
};
XEN_ASSERT_SIZE(struct sched_poll, 0x18);
XEN_ASSERT_SIZE(struct xen_sched_poll32, 0x10);
XEN_ASSERT_AT(struct sched_poll, nr_ports, 8);

/* A 32-bit caller's is cut at its last field: 8-byte fields are aligned to 4 there. */
enum { XEN_SET_SINGLESHOT_TIMER32_BYTES = 12, XEN_RUNSTATE32_BYTES = 44 };
XEN_ASSERT_SIZE(struct vcpu_set_singleshot_timer, 0x10);
XEN_ASSERT_AT(struct vcpu_set_singleshot_timer, flags, 8);

struct xen_runstate32 {
    uint32_t state;
    uint32_t state_entry_time[2];
    uint32_t time[4][2];
};
XEN_ASSERT_SIZE(struct xen_runstate32, XEN_RUNSTATE32_BYTES);
XEN_ASSERT_AT(struct xen_runstate32, time, 0xc);
XEN_ASSERT_SIZE(struct vcpu_runstate_info, 0x30);
XEN_ASSERT_AT(struct vcpu_runstate_info, state_entry_time, 8);
XEN_ASSERT_AT(struct vcpu_runstate_info, time, 0x10);

struct xen_gnttab_setup_table32 {
    uint16_t dom;
    uint16_t pad0;
    uint32_t nr_frames;
    int16_t status;
    uint16_t pad1;
    uint32_t frame_list;
};
XEN_ASSERT_SIZE(struct gnttab_setup_table, 0x18);
XEN_ASSERT_AT(struct gnttab_setup_table, nr_frames, 4);
XEN_ASSERT_AT(struct gnttab_setup_table, status, 8);
XEN_ASSERT_AT(struct gnttab_setup_table, frame_list, 16);
XEN_ASSERT_SIZE(struct xen_gnttab_setup_table32, 0x10);
XEN_ASSERT_AT(struct xen_gnttab_setup_table32, status, 8);
XEN_ASSERT_AT(struct xen_gnttab_setup_table32, frame_list, 12);

struct xen_gnttab_copy32 {
    struct {
        uint32_t ref_or_gmfn;
        uint16_t domid;
        uint16_t offset;
    } source, dest;
    uint16_t len;
    uint16_t flags;
    int16_t status;
    uint16_t pad;
};
XEN_ASSERT_SIZE(struct gnttab_copy, 0x28);
XEN_ASSERT_AT(struct gnttab_copy, dest, 16);
XEN_ASSERT_AT(struct gnttab_copy, dest.domid, 24);
XEN_ASSERT_AT(struct gnttab_copy, len, 32);
XEN_ASSERT_AT(struct gnttab_copy, status, 36);
XEN_ASSERT_SIZE(struct xen_gnttab_copy32, 0x18);
XEN_ASSERT_AT(struct xen_gnttab_copy32, dest, 8);
XEN_ASSERT_AT(struct xen_gnttab_copy32, len, 16);
XEN_ASSERT_AT(struct xen_gnttab_copy32, status, 20);

/* The same for both widths. */
XEN_ASSERT_SIZE(struct gnttab_map_grant_ref, 0x20);
XEN_ASSERT_AT(struct gnttab_map_grant_ref, status, 18);
XEN_ASSERT_SIZE(struct gnttab_unmap_grant_ref, 0x18);
XEN_ASSERT_AT(struct gnttab_unmap_grant_ref, status, 20);
XEN_ASSERT_SIZE(struct gnttab_query_size, 0x10);
XEN_ASSERT_AT(struct gnttab_query_size, nr_frames, 4);
XEN_ASSERT_AT(struct gnttab_query_size, status, 12);
XEN_ASSERT_SIZE(struct gnttab_set_version, 4);
XEN_ASSERT_SIZE(struct gnttab_get_version, 8);
XEN_ASSERT_AT(struct gnttab_get_version, version, 4);
XEN_ASSERT_SIZE(struct gnttab_swap_grant_ref, 0xc);
XEN_ASSERT_AT(struct gnttab_swap_grant_ref, status, 8);
XEN_ASSERT_SIZE(struct vcpu_hvm_context, 0x80);
XEN_ASSERT_AT(struct vcpu_hvm_context, cpu_regs, 8);
XEN_ASSERT_AT(struct vcpu_hvm_x86_32, efer, 0x38);
XEN_ASSERT_AT(struct vcpu_hvm_x86_32, cs_ar, 0x68);
XEN_ASSERT_SIZE(struct vcpu_hvm_x86_32, 0x78);
XEN_ASSERT_SIZE(struct vcpu_hvm_x86_64, 0x70);
XEN_ASSERT_SIZE(struct vcpu_set_periodic_timer, 8);
XEN_ASSERT_SIZE(struct sched_watchdog, 8);
XEN_ASSERT_SIZE(struct sched_remote_shutdown, 8);
XEN_ASSERT_SIZE(struct xen_hvm_param, 16);
XEN_ASSERT_SIZE(struct xen_hvm_evtchn_upcall_vector, 8);
XEN_ASSERT_SIZE(struct xen_hvm_pagetable_dying, 16);
XEN_ASSERT_SIZE(struct vcpu_register_vcpu_info, 16);
XEN_ASSERT_SIZE(struct xen_feature_info, 8);
XEN_ASSERT_SIZE(struct evtchn_status, 24);
XEN_ASSERT_SIZE(struct evtchn_alloc_unbound, 8);
XEN_ASSERT_SIZE(struct evtchn_bind_interdomain, 12);
XEN_ASSERT_SIZE(struct evtchn_bind_virq, 12);
XEN_ASSERT_SIZE(struct evtchn_bind_ipi, 8);
XEN_ASSERT_SIZE(struct evtchn_bind_vcpu, 8);
XEN_ASSERT_SIZE(struct evtchn_reset, 2);
XEN_ASSERT_SIZE(struct evtchn_bind_pirq, 12);
XEN_ASSERT_SIZE(struct evtchn_init_control, 24);
XEN_ASSERT_AT(struct evtchn_init_control, link_bits, 16);
XEN_ASSERT_SIZE(struct evtchn_expand_array, 8);
XEN_ASSERT_SIZE(struct evtchn_set_priority, 8);

/* --- the console's page [XEN public/io/console.h], the same for both widths --------------------------------------- */

XEN_ASSERT_SIZE(struct xencons_interface, 0xc10);
XEN_ASSERT_AT(struct xencons_interface, out, 0x400);
XEN_ASSERT_AT(struct xencons_interface, in_cons, 0xc00);
XEN_ASSERT_AT(struct xencons_interface, out_cons, 0xc08);

/* --- ports of the platform device [XEN docs/misc/hvm-emulated-unplug.pandoc] -------------------------------------- */

#define XEN_PLATFORM_MAGIC 0x49d2u
#define XEN_PLATFORM_MAGIC_BLACKLISTED 0xd249u
enum { XEN_PLATFORM_PORT = 0x10, XEN_PLATFORM_PROTOCOL = 1 };

/* --- FIFO event channels [XEN public/event_channel.h] ------------------------------------------------------------- */

/* The names of the header are bit numbers. */
#define XEN_FIFO_PENDING (1u << EVTCHN_FIFO_PENDING)
#define XEN_FIFO_MASKED (1u << EVTCHN_FIFO_MASKED)
#define XEN_FIFO_LINKED (1u << EVTCHN_FIFO_LINKED)
#define XEN_FIFO_BUSY (1u << EVTCHN_FIFO_BUSY)

enum {
    XEN_FIFO_WORDS_PER_PAGE = XEN_PAGE_BYTES / 4,
    XEN_FIFO_MAX_PAGES = EVTCHN_FIFO_NR_CHANNELS / XEN_FIFO_WORDS_PER_PAGE,
    XEN_FIFO_NR_QUEUES = EVTCHN_FIFO_MAX_QUEUES,
    XEN_FIFO_CONTROL_BYTES = sizeof(struct evtchn_fifo_control_block),
};
XEN_ASSERT_SIZE(struct evtchn_fifo_control_block, 72);
XEN_ASSERT_AT(struct evtchn_fifo_control_block, head, 8);

/* --- grants [XEN public/grant_table.h; common/grant_table.c] ------------------------------------------------------ */

XEN_ASSERT_SIZE(struct grant_entry_v1, 8);
XEN_ASSERT_AT(struct grant_entry_v1, domid, 2);
XEN_ASSERT_AT(struct grant_entry_v1, frame, 4);
XEN_ASSERT_SIZE(union grant_entry_v2, 16);
XEN_ASSERT_AT(union grant_entry_v2, full_page.frame, 8);
XEN_ASSERT_AT(union grant_entry_v2, sub_page.page_off, 4);
XEN_ASSERT_AT(union grant_entry_v2, sub_page.length, 6);
XEN_ASSERT_AT(union grant_entry_v2, sub_page.frame, 8);
XEN_ASSERT_AT(union grant_entry_v2, transitive.trans_domid, 4);
XEN_ASSERT_AT(union grant_entry_v2, transitive.gref, 8);

enum {
    XEN_GRANTS_PER_FRAME1 = XEN_PAGE_BYTES / sizeof(struct grant_entry_v1),
    XEN_GRANTS_PER_FRAME2 = XEN_PAGE_BYTES / sizeof(union grant_entry_v2),
    XEN_GRANTS_PER_STATUS_FRAME = XEN_PAGE_BYTES / sizeof(grant_status_t),
    XEN_DEFAULT_GRANT_FRAMES = 64,      /* gnttab_max_frames of a Xen that was not told */
};

#endif
