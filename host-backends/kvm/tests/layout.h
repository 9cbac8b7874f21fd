/* Where things lie in the test guest's memory. Included by C and by assembly. */
#ifndef TEST_LAYOUT_H
#define TEST_LAYOUT_H

#define G_PML4 0x1000
#define G_PDPT 0x2000
#define G_PDPT_HIGH 0x3000
#define G_GDT 0x4000
#define G_STACK_TOP 0x5ff0
#define G_IDT 0x7000
#define G_PD 0x10000            /* four pages: the first 4 GiB */
#define G_HCALL_PAGE 0x14000
#define G_PT 0x15000            /* of G_REMAPPED alone */
#define G_PAGE_A 0x18000        /* two pages that hold their own address, one at a time seen at G_REMAPPED */
#define G_PAGE_B 0x19000
#define G_CODE 0x20000
#define G_REMAPPED 0x40000000
#define G_MEMORY_BYTES 0x400000

/* What guest and test tell each other: a qword each. */
#define G_RESULT 0x6000         /* 32 of them */
#define G_RESUME_AT 0x6100      /* where traps go on */
#define G_TRAP_VECTOR 0x6108
#define G_TRAP_RIP 0x6110
#define G_TRAP_CODE 0x6118
#define G_NR_TRAPS 0x6120
#define G_NR_IRQS 0x6128        /* of vectors 0x40 and 0x41 */
#define G_READY 0x6138
#define G_STOP 0x6140
#define G_NR_NO_EOI 0x6148      /* interrupts of vector 0x42, whose handler makes no EOI */
#define G_NR_ASSISTED 0x6150    /* of vector 0x43, those whose EOI the host did not want */
#define G_ASSIST 0x6158         /* bit 0: it does not */
#define G_READER 0x6200         /* 16 bytes for each VP: what it read last, and how often it has */

#define G_PORT_DONE 0xf4
#define G_PORT_FOREIGN 0x80
#define G_HIGH 0xffffffff80000000

#endif
