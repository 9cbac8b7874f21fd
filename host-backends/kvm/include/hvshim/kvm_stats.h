/*
 * What a VM's exits were for, as text.
 */
#ifndef HVSHIM_KVM_STATS_H
#define HVSHIM_KVM_STATS_H

#include <hvshim/kvm.h>

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

enum hvs_kvm_stats_form {
    HVS_KVM_STATS_TABLE,        /* what was used, with rates, for people */
    HVS_KVM_STATS_JSON,         /* all, in one line */
};

/* Prints the counters as they are now. Any thread; vCPUs may run. Errors are those of `out` (ferror). */
HVS_API void hvs_kvm_stats_print(const struct hvs_kvm *kvm, enum hvs_kvm_stats_form form, FILE *out);

#ifdef __cplusplus
}
#endif

#endif
