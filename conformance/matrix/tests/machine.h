/*
 * The mock backend as the machine under test of a matrix, and the deviations that are known.
 *
 * Deviations that we know and have an opinion of are in the file MATRIX_EXPECTED, a line "subject: check" each.
 */
#ifndef MACHINE_H
#define MACHINE_H

#include "matrix.h"

#include <mock.h>

enum { MACHINE_NR_VPS = 4 };

struct machine {
    struct mock mock;
    uint32_t came[MACHINE_NR_VPS][256]; /* interrupts, by vector */
    bool has_ended;
    uint32_t nr_unexpected;
};

/* A machine whose mock was started. */
void machine_env(struct machine *machine, struct matrix_env *env);
/* Stops it and says what came out; the number of points that went wrong and are not known. */
uint32_t machine_end(struct machine *machine, const struct matrix *matrix, const char *what);

/* Set-up of the group of tests: reads MATRIX_EXPECTED. */
int machine_read_known(void **state);
/* Runs last: all that is known still happens. */
void machine_test_known(void **state);

#endif
