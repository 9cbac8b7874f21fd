/* What the parts of the VMware matrix share. */
#ifndef MATRIX_VMWARE_H
#define MATRIX_VMWARE_H

#include "matrix.h"

/* Registers for IN EAX with a command, with upper halves that no command may change. */
struct matrix_regs matrix_vmw_regs(uint32_t command, uint8_t cpl);
int matrix_vmw_port(struct matrix *matrix, struct matrix_regs *regs, enum matrix_port how);
bool matrix_vmw_keeps_upper_halves(const struct matrix_regs *regs);

/* vmware_rpc.c */
void matrix_vmw_ask_guestrpc(struct matrix *matrix, uint8_t cpl);

#endif
