/*
 * Which of KVM's memory slots are the library's: the last ones, since VMMs count from the first.
 */
#include "backend.h"

uint32_t hvs_kvm_own_slot(int kvm_fd, enum hvs_kvm_own_slot which)
{
    int nr_slots = ioctl(kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_NR_MEMSLOTS);

    return nr_slots >= HVS_KVM_NR_OWN_SLOTS ? (uint32_t)nr_slots - 1 - which : which;
}
