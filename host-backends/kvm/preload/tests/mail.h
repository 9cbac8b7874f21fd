/* What the test VMM and its guest tell each other. Included by C and by assembly. */
#ifndef TEST_MAIL_H
#define TEST_MAIL_H

#define MAIL_CODE 0x1000
#define MAIL_OP 0x600           /* all of 4 bytes */
#define MAIL_A 0x604
#define MAIL_B 0x608
#define MAIL_C 0x60c
#define MAIL_D 0x610
#define MAIL_NR_FAULTS 0x614
#define MAIL_CALL 0x618
#define MAIL_PORT 0x80          /* OUT to it: the op is done */

#define OP_CPUID 1
#define OP_RDMSR 2
#define OP_WRMSR 3
#define OP_SPIN 4
#define OP_IN 5
/* In 32-bit mode (see enter_32), besides: */
#define OP_CALL 6               /* the code at MAIL_CALL */
#define OP_LOAD 7               /* A from where B points, */
#define OP_STORE 8              /* and to there */

#endif
