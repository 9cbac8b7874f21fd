/*
 * A persona in a domain's XML: what must be there so that its guest sees it, and how it was before.
 *
 * The library comes in by the environment of QEMU (qemu:commandline), which libvirt keeps with the domain. The rest is
 * what fits: no Hyper-V of QEMU's own, timers, and for VMware SMBIOS. Each place that is changed is kept, as it was, in
 * <metadata>; disabling puts exactly those places back and leaves the others as they are by then.
 */
#ifndef HVSHIM_VIRT_EDIT_H
#define HVSHIM_VIRT_EDIT_H

#include "xml.h"

enum { PERSONA_TEXT_BYTES = 4096 };

struct persona {
    char present[64];           /* as --present; empty with an interface of the kernel's */
    char interfaces[64];        /* as --kernel-interface: the domain itself says what is presented */
    char settings[PERSONA_TEXT_BYTES];      /* as --set, separated by commas; empty: none */
    char library[PERSONA_TEXT_BYTES];       /* of libhvshim-preload.so */
    bool has_hyperv, has_vmware;
};

/* Fills has_* by `present`. */
void persona_name_parts(struct persona *persona);
/* Whether `doc` was enabled, and as what. */
bool persona_read(xmlDoc *doc, struct persona *persona);
/* Whether QEMU will be started with it: libvirt's driver or a user may have dropped the environment. */
bool persona_is_in_effect(xmlDoc *doc);
/* What is presented, in one phrase; empty where nothing is. Returns `text`. */
const char *persona_phrase(const struct persona *persona, char *text, size_t text_bytes);
/* Enables it, in the place of what may be enabled already. */
void persona_enable(xmlDoc *doc, const struct persona *persona);
/* False, and nothing is changed, where it was not enabled. */
bool persona_disable(xmlDoc *doc);

#endif
