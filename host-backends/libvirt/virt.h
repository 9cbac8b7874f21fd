/*
 * The parts of `hvshim virt`. Functions that can fail print why and return a status of the program; messages begin with
 * "hvshim virt: ".
 */
#ifndef HVSHIM_VIRT_VIRT_H
#define HVSHIM_VIRT_VIRT_H

#include <libvirt/libvirt.h>
#include <stdbool.h>

#include "edit.h"

enum { VIRT_DONE = 0, VIRT_FAILED = 1, VIRT_NOT_SO = 3, VIRT_WRONG_USAGE = 64 };

struct virt {
    virConnectPtr connection;
    struct persona persona;     /* present is empty where none was named */
    bool is_yes, is_dry_run;
};

int virt_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The last error of libvirt, after what was being done. */
int virt_fail_by_libvirt(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* --- domain.c --------------------------------------------------------------------------------------------------- */

/* By name or UUID; the caller frees it. NULL, and has said so. */
virDomainPtr virt_domain(struct virt *virt, const char *name);
/* How it is to start next time. NULL, and has said so. */
xmlDoc *virt_domain_xml(virDomainPtr domain);
/* Shows what would be changed, asks, and defines it. `before` is NULL for a new one. */
int virt_define(struct virt *virt, xmlDoc *before, xmlDoc *after);

int virt_list(struct virt *virt);
int virt_enable(struct virt *virt, const char *name);
int virt_disable(struct virt *virt, const char *name);
/* VIRT_NOT_SO: it is not enabled, or not in effect. */
int virt_status(struct virt *virt, const char *name);

/* --- check.c ---------------------------------------------------------------------------------------------------- */

/* What stands in the way of it, if anything. VIRT_NOT_SO: something does. */
int virt_check(struct virt *virt, const char *name);
/* Why a persona cannot be put into this domain at all; NULL: it can. */
const char *virt_cannot_enable(xmlDoc *doc);

/* --- diff.c ----------------------------------------------------------------------------------------------------- */

/* Prints what changes, by diff(1). Returns whether anything does; without diff(1) it says that it cannot show it. */
bool virt_show_change(xmlDoc *before, xmlDoc *after, const char *name);

/* --- import.c --------------------------------------------------------------------------------------------------- */

int virt_import(struct virt *virt, const char *file, const char *network);

#endif
