/*
 * What a front that is a program of some operating system gives its main().
 */
#ifndef PROBE_PROGRAM_H
#define PROBE_PROGRAM_H

/* Pins the program to one CPU, catches faults and Ctrl-C, asks for what the system lets programs have. */
void program_init(void);

#endif
