/* The strings that host and guest share, by the host's requests of the personality that shows them. */
#ifndef HVSHIM_CONTROL_GUEST_STRINGS_H
#define HVSHIM_CONTROL_GUEST_STRINGS_H

#include <hvshim/kvm.h>
#include <hvshim/store.h>

/* All return HVS_OK or what the request returns, and HVS_ENOTSUP where the VM shows no strings. */

int control_strings_set(struct hvs_kvm *kvm, struct hvs_text key, struct hvs_text value);
/* *value is malloc'ed; the caller frees it, whatever this returns. */
int control_strings_get(struct hvs_kvm *kvm, struct hvs_text key, char **value, size_t *bytes);
/* The keys, each terminated; likewise. */
int control_strings_list(struct hvs_kvm *kvm, char **keys, size_t *bytes);

#endif
