/*
 * The options by which users of several commands choose what a guest sees: --present, --set, --list-features.
 */
#ifndef HVSHIM_VMM_PERSONA_H
#define HVSHIM_VMM_PERSONA_H

#include <argp.h>
#include <stddef.h>

#include <hvshim/hvshim.h>
#include <hvshim/hyperv.h>

/* The input of vmm_persona_argp, which is a child of a command's own parser. Begins as zeros. */
struct vmm_persona {
    struct hvs_vm_config config;        /* slot and nr_slots */
    struct hvs_hv_options hyperv;       /* what --set said of it */
    const char *present;                /* as given, or NULL */
    char **settings;                    /* likewise, to be freed */
    size_t nr_settings;
};

extern const struct argp vmm_persona_argp;

/* All that --set said, separated by commas as HVSHIM_SET has it. Returns 0, or -1 with `why` it cannot be. */
int vmm_persona_settings(const struct vmm_persona *persona, char *text, size_t bytes, char *why, size_t why_bytes);

/* What to do where /dev/kvm could not be opened for the reason `error` (an errno). */
void vmm_why_no_kvm(int error, char *text, size_t bytes);

#endif
