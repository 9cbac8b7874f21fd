/*
 * The control socket of a process that runs VMs: their statistics and their strings, for the process's owner and root.
 *
 * One thread serves it, with all signals blocked, one client at a time and none for long; so it is out of the way of a
 * VMM that does not know about it. It is there while there is a VM.
 */
#ifndef HVSHIM_CONTROL_H
#define HVSHIM_CONTROL_H

#include <hvshim/kvm.h>

/*
 * From now on `kvm` can be asked, until control_remove, which comes before its destruction. Any thread, but not from
 * callbacks of the library. Where no directory takes the socket there is none, and the VM runs without.
 */
void control_add(struct hvs_kvm *kvm);
/* Harmless for one that was not added. */
void control_remove(struct hvs_kvm *kvm);

#endif
