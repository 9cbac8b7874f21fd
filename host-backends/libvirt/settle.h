/* A domain of another hypervisor, as libvirt's converters give it, made one of QEMU on KVM. */
#ifndef HVSHIM_VIRT_SETTLE_H
#define HVSHIM_VIRT_SETTLE_H

#include "xml.h"

/*
 * `directory` is where the configuration was, and so where files belong whose place is the other host's own. Network
 * cards go to libvirt's network `network`, or with "user" through QEMU itself.
 */
void settle_on_kvm(xmlDoc *doc, const char *directory, const char *network);

#endif
