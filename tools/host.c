/*
 * All that can be known to fail before a VMM runs: the library in it speaks only when it makes a VM.
 */
#include "host.h"

#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <hvshim/kvm.h>
#include <hvshim/translators.h>
#include <hvshim/xen.h>

#include "persona.h"

static int try_to_present(int kvm_fd, int vm_fd, const struct hvs_vm_config *persona, char *text, size_t bytes)
{
    struct hvs_kvm_config config = {
        .size = sizeof(config), .kvm_fd = kvm_fd, .vm_fd = vm_fd, .vm = *persona, .kick_signal = SIGRTMAX,
    };
    static const struct hvs_xen_options xen = {.size = sizeof(xen), .special_gfn = HVS_XEN_SPECIAL_GFN};
    struct hvs_kvm_caps caps;
    struct hvs_kvm *kvm;
    char why[512];
    int err = hvs_kvm_probe(kvm_fd, &caps);

    if (err) {
        snprintf(text, bytes, "cannot ask /dev/kvm for its capabilities: %s", hvs_strerror(err));
        return -1;
    }
    config.vm.size = sizeof(config.vm);
    config.vm.nr_vps = 1;
    config.vm.memory_bytes = 1 << 30;
    config.vm.phys_bits = 36;
    for (uint32_t i = 0; i < config.vm.nr_slots; i++) {
        if (config.vm.slot[i].personality == &hvs_xen_personality)
            config.vm.slot[i].options = &xen;   /* as the library gives it */
    }
    err = hvs_kvm_create(&config, &kvm);
    if (!err) {
        hvs_kvm_destroy(kvm);
        return 0;
    }
    hvs_kvm_why_not(&caps, &config.vm, err, why, sizeof(why));
    snprintf(text, bytes, "--present or --set: %s", why);
    return -1;
}

int host_can_present(const struct hvs_vm_config *persona, char *why, size_t bytes)
{
    int kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm_fd, answer = -1;

    if (kvm_fd < 0) {
        vmm_why_no_kvm(errno, why, bytes);
        return -1;
    }
    vm_fd = ioctl(kvm_fd, KVM_CREATE_VM, 0);
    if (vm_fd < 0) {
        snprintf(why, bytes, "KVM_CREATE_VM: %s (is another hypervisor running?)", strerror(errno));
    } else {
        answer = try_to_present(kvm_fd, vm_fd, persona, why, bytes);
        close(vm_fd);
    }
    close(kvm_fd);
    return answer;
}

int host_find_library(char *path, char *why, size_t bytes)
{
    if (program_beside(PRELOAD_INSTALLED, PRELOAD_BUILT, path)) {
        snprintf(why, bytes, "libhvshim-preload.so is not where it belongs (%s from this program): install hvshim again",
                 PRELOAD_INSTALLED);
        return -1;
    }
    if (strpbrk(path, " :")) {
        snprintf(why, bytes, "%s: LD_PRELOAD takes no path with a space or a colon: install hvshim elsewhere", path);
        return -1;
    }
    return 0;
}
