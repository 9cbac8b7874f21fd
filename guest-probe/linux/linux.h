/*
 * What the files of the Linux front share.
 */
#ifndef PROBE_LINUX_H
#define PROBE_LINUX_H

/* Pins the program to CPU 0, opens its MSRs, asks for port access and catches faults; what fails is reported by row. */
void linux_init(void);

#endif
