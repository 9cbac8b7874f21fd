/* Numbers of AMD-Vi [AMD 48882 3.08, 2.2, 2.4, 3.4] and VT-d [Intel D51397 4.1, 9, 11.4], as far as they are used. */
#ifndef HVSHIM_METAL_IOMMU_ABI_H
#define HVSHIM_METAL_IOMMU_ABI_H

/* An IVHD or DRHD: the type, which stands for each structure in its table, and what is told of one IOMMU. */
enum { IVHD_FLAGS = 1, DRHD_SIZE = 5, DRHD_SIZE_MASK = 15, IOMMU_REGISTERS = 8 };

/* --- AMD-Vi ------------------------------------------------------------------------------------------------------- */

enum { AMDVI_BYTES = 0x4000, AMDVI_DEVICE_TABLE = 0x00, AMDVI_COMMAND_BASE = 0x08, AMDVI_CONTROL = 0x18,
       AMDVI_EXCLUSION_BASE = 0x20, AMDVI_FEATURES = 0x30, AMDVI_COMMAND_TAIL = 0x2008 };
#define AMDVI_ENABLE (1ull << 0)
#define AMDVI_COHERENT (1ull << 10)
#define AMDVI_COMMANDS (1ull << 12)
/* HtTunEn, PassPW, ResPassPW, Isoc, as the IVHD wants them */
#define AMDVI_CONTROL_BY_FLAGS(flags) (((flags) & 1ull) << 1 | ((flags) & 6ull) << 7 | ((flags) & 8ull) << 8)
#define AMDVI_CAN_INVALIDATE_ALL (1ull << 6)    /* of the features */
#define AMDVI_256_COMMANDS (8ull << 56)         /* of the command buffer */
#define AMDVI_INVALIDATE_ALL (8ull << 60)
#define AMDVI_COMPLETION_WAIT (1ull << 60)
#define AMDVI_COMPLETION_STORE (1ull << 0)

/* A device table entry: four words. */
enum { AMDVI_NR_DEVICES = 0x10000, AMDVI_DEVICE_BYTES = 32 };
#define AMDVI_DEVICE_VALID (3ull << 0)          /* V, TV */
#define AMDVI_DEVICE_FOUR_LEVELS (4ull << 9)
#define AMDVI_DEVICE_DOMAIN (1ull << 0)         /* word 1 */
#define AMDVI_DEVICE_SYSTEM_WRITES (1ull << 40)
#define AMDVI_DEVICE_EXTINT_NMI (3ull << 57)    /* word 2 */
#define AMDVI_DEVICE_LINTS (3ull << 62)

/* A page table entry. Read and write stand at the same place in a device table entry. */
#define AMDVI_PRESENT (1ull << 0)
#define AMDVI_NEXT_LEVEL (1ull << 9)
#define AMDVI_READ (1ull << 61)
#define AMDVI_WRITE (1ull << 62)

/* --- VT-d --------------------------------------------------------------------------------------------------------- */

enum { VTD_CAP = 0x08, VTD_ECAP = 0x10, VTD_COMMAND = 0x18, VTD_STATUS = 0x1c, VTD_ROOT_TABLE = 0x20,
       VTD_CONTEXT_COMMAND = 0x28, VTD_PROTECTED = 0x64 };
#define VTD_CAP_48_BITS (1ull << 10)
#define VTD_CAP_LARGE (3ull << 34)              /* pages of 2 MiB and 1 GiB */
#define VTD_CAP_PROTECTED (3ull << 5)
enum { VTD_ECAP_IOTLB_SHIFT = 8, VTD_ECAP_IOTLB_MASK = 0x3ff, VTD_IOTLB_UNIT = 16, VTD_IOTLB_COMMAND = 8 };
/* Of command and status: VTD_SWITCHES are those that stay. */
#define VTD_TRANSLATION (1u << 31)
#define VTD_ROOT_POINTER (1u << 30)
#define VTD_QUEUE (1u << 26)
#define VTD_SWITCHES 0x96ffffffu
#define VTD_INVALIDATE (1ull << 63)
#define VTD_INVALIDATE_CONTEXTS (VTD_INVALIDATE | 1ull << 61)
#define VTD_INVALIDATE_IOTLB (VTD_INVALIDATE | 1ull << 60 | 3ull << 48)  /* DR, DW: drains, too */

/* Root, context and page table entries. */
#define VTD_PRESENT (1ull << 0)
#define VTD_CONTEXT_QUIET (1ull << 1)           /* faults are not reported */
#define VTD_CONTEXT_48_BITS (2ull << 0)         /* word 1 */
#define VTD_CONTEXT_DOMAIN (1ull << 8)
#define VTD_READ (1ull << 0)
#define VTD_WRITE (1ull << 1)
#define VTD_LARGE (1ull << 7)

#endif
