/*
 * Xen's interface to HVM guests: leaves, the hypercall page, shared pages and the clock in them.
 *
 * [XEN] the public headers and docs/guest-guide of Xen 4.17. Event channels and timers are in probe_xen_event.c and
 * probe_xen_fifo.c, grants in probe_xen_grant.c, consoles in probe_xen_console.c, other calls in probe_xen_vcpu.c. Left
 * out: xenstore, 32-bit guests.
 */
#include "probe_xen.h"

#include "cpu.h"
#include "env.h"
#include "pvclock.h"

enum {
    PATTERN = 0x5a,
    UNUSED_NUMBER = 63,
    VCPU_INFO_OFFSET = 0x80,            /* anywhere in a page */
    PAGE_CODE_BYTES = 8,
};

_Static_assert(sizeof(struct pvclock) == sizeof(struct vcpu_time_info), "pvclock is Xen's vcpu_time_info");

struct probe_xen probe_xen_state;

static void read_leaf(const struct probe_interface *face, uint32_t leaf, uint32_t subleaf, struct env_cpuid *regs)
{
    env_cpuid(face->base + leaf, subleaf, regs);
}

static bool has_leaf(const struct probe_interface *face, uint32_t leaf)
{
    return face->max_leaf - face->base >= leaf;
}

static void begin(const struct probe_interface *face)
{
    struct env_cpuid regs;

    probe_xen_state = (struct probe_xen){.hypercall_page = env_page()};
    if (!has_leaf(face, 4))
        return;
    read_leaf(face, 4, 0, &regs);
    if (regs.eax & XEN_HVM_CPUID_VCPU_ID_PRESENT)
        probe_xen_state.vcpu_id = regs.ebx;
}

static void end(const struct probe_interface *face)
{
    (void)face;
    probe_xen_close_ports();
    probe_xen_take_grants_away();
}

static bool always(const struct probe_interface *face)
{
    (void)face;
    return true;
}

/* --- leaves ------------------------------------------------------------------------------------------------------- */

static uint32_t version_leaf(const struct probe_interface *face)
{
    struct env_cpuid regs;
    read_leaf(face, 1, 0, &regs);
    return regs.eax;
}

static enum probe_state test_leaves(const struct probe_interface *face, struct text *evidence)
{
    struct env_cpuid regs;
    uint32_t version = version_leaf(face);
    if (!has_leaf(face, 2))
        return probe_say(PROBE_BROKEN, evidence, "no leaf for the hypercall page");
    read_leaf(face, 2, 0, &regs);
    text_add(evidence, "version %u.%u, %u hypercall page by MSR 0x%x", version >> 16, version & 0xffff, regs.eax,
             regs.ebx);
    return regs.eax == 1 ? PROBE_WORKS : PROBE_BROKEN;
}

static void read_version_leaf(const struct probe_interface *face)
{
    version_leaf(face);
}

static bool has_time_leaf(const struct probe_interface *face)
{
    struct env_cpuid regs;
    if (!has_leaf(face, 3))
        return false;
    read_leaf(face, 3, 0, &regs);
    return regs.ecx != 0;
}

static enum probe_state test_time_leaf(const struct probe_interface *face, struct text *evidence)
{
    const char *source;
    struct env_cpuid regs;
    uint64_t tsc_khz = env_tsc_khz(&source);
    read_leaf(face, 3, 0, &regs);
    if (tsc_khz == 0)
        return probe_say(PROBE_UNTESTED, evidence, "TSC %u kHz, nothing to compare with", regs.ecx);
    text_add(evidence, "TSC %u kHz (%s %" PRIu64 ")", regs.ecx, source, tsc_khz);
    return probe_is_near(regs.ecx, tsc_khz) ? PROBE_WORKS : PROBE_BROKEN;
}

/* --- hypercalls --------------------------------------------------------------------------------------------------- */

struct call {
    const void *entry;
    uint64_t number, argument[3];
    int64_t result;
};

static void do_call(void *arg)
{
    struct call *call = arg;
    uint64_t result = call->number, first = call->argument[0], second = call->argument[1], third = call->argument[2];

    __asm__ volatile("call *%[entry]"
                     : "+a"(result), "+D"(first), "+S"(second), "+d"(third)
                     : [entry] "r"(call->entry)
                     : "rcx", "r8", "r9", "r10", "r11", "memory", "cc");
    call->result = (int64_t)result;
}

static int64_t result_of(struct call *call)
{
    return env_try(do_call, call) == ENV_NO_FAULT ? call->result : PROBE_XEN_NO_CALL;
}

static const void *stub(uint32_t number)
{
    return probe_xen_state.hypercall_page + number * XEN_STUB_BYTES;
}

int64_t probe_xen_list_call(uint32_t number, uint64_t command, void *list, uint32_t nr)
{
    struct call call = {stub(number), number, {command, (uintptr_t)list, nr}, 0};
    return probe_xen_state.has_page_code ? result_of(&call) : PROBE_XEN_NO_CALL;
}

int64_t probe_xen_call(uint32_t number, uint64_t command, void *structure)
{
    return probe_xen_list_call(number, command, structure, 0);
}

int64_t probe_xen_call3(uint32_t number, uint64_t command, uint64_t second, void *structure)
{
    struct call call = {stub(number), number, {command, second, (uintptr_t)structure}, 0};
    return probe_xen_state.has_page_code ? result_of(&call) : PROBE_XEN_NO_CALL;
}

int64_t probe_xen_vcpu_op(uint32_t command, void *structure)
{
    struct call call = {stub(__HYPERVISOR_vcpu_op), __HYPERVISOR_vcpu_op,
                        {command, probe_xen_state.vcpu_id, (uintptr_t)structure}, 0};
    return probe_xen_state.has_page_code ? result_of(&call) : PROBE_XEN_NO_CALL;
}

enum probe_state probe_xen_failed(struct text *evidence, const char *call, int64_t error)
{
    if (error == PROBE_XEN_NO_CALL)
        return probe_say(PROBE_BROKEN, evidence, "%s: %s", call,
                         probe_xen_state.has_page_code ? "raised an exception" : "no hypercall page");
    return probe_say(PROBE_BROKEN, evidence, "%s: %" PRId64, call, error);
}

static bool is_zero(const uint8_t *bytes, uint32_t nr)
{
    while (nr > 0 && bytes[nr - 1] == 0)
        nr--;
    return nr == 0;
}

static enum probe_state test_hypercall_page(const struct probe_interface *face, struct text *evidence)
{
    uint8_t *page = probe_xen_state.hypercall_page;
    struct env_cpuid regs;
    if (page == NULL)
        return probe_say(PROBE_UNTESTED, evidence, "no page");
    read_leaf(face, 2, 0, &regs);
    enum env_answer answer = env_wrmsr(regs.ebx, (uintptr_t)page);
    if (answer != ENV_DONE)
        return probe_refused(answer, evidence, "writing the page MSR");
    if (is_zero(page + __HYPERVISOR_xen_version * XEN_STUB_BYTES, XEN_STUB_BYTES))
        return probe_say(PROBE_BROKEN, evidence, "the page stays empty");
    probe_xen_state.has_page_code = true;
    text_add(evidence, "stub %u is ", __HYPERVISOR_xen_version);
    for (uint32_t i = 0; i < PAGE_CODE_BYTES; i++)
        text_add(evidence, "%02x", page[__HYPERVISOR_xen_version * XEN_STUB_BYTES + i]);
    return PROBE_WORKS;
}

/* The extra version is the one place where Xen's makers put a word of their own. */
static void note_version(uint32_t version)
{
    char extra[sizeof(xen_extraversion_t) + 1] = {0};
    struct text text = TEXT_IN(probe_xen_state.version);
    if (probe_xen_call(__HYPERVISOR_xen_version, XENVER_extraversion, extra) == 0)
        text_add(&text, "%u.%u%s", version >> 16, version & 0xffff, extra);
}

static const char *found_version(void)
{
    return probe_xen_state.version[0] != '\0' ? probe_xen_state.version : NULL;
}

static enum probe_state test_version(const struct probe_interface *face, struct text *evidence)
{
    int64_t version = probe_xen_call(__HYPERVISOR_xen_version, XENVER_version, NULL);
    if (version < 0)
        return probe_xen_failed(evidence, "version", version);
    text_add(evidence, "0x%" PRIx64 ", leaf 0x%x", (uint64_t)version, version_leaf(face));
    note_version((uint32_t)version);
    if (probe_xen_state.version[0] != '\0')
        text_add(evidence, ", %s", probe_xen_state.version);
    return version == version_leaf(face) ? PROBE_WORKS : PROBE_BROKEN;
}

static void call_version(const struct probe_interface *face)
{
    struct call call = {stub(__HYPERVISOR_xen_version), __HYPERVISOR_xen_version, {XENVER_version}, 0};
    (void)face;
    do_call(&call);
}

static enum probe_state test_features(const struct probe_interface *face, struct text *evidence)
{
    struct xen_feature_info info = {.submap_idx = 0};
    struct xen_feature_info beyond = {.submap_idx = XENFEAT_NR_SUBMAPS};
    (void)face;
    int64_t error = probe_xen_call(__HYPERVISOR_xen_version, XENVER_get_features, &info);
    if (error != 0)
        return probe_xen_failed(evidence, "get_features", error);
    text_add(evidence, "0x%x", info.submap);
    error = probe_xen_call(__HYPERVISOR_xen_version, XENVER_get_features, &beyond);
    if (error != -XEN_EINVAL)
        return probe_say(PROBE_BROKEN, evidence, ", but submap %u gives %" PRId64, XENFEAT_NR_SUBMAPS, error);
    return info.submap & 1u << XENFEAT_auto_translated_physmap ? PROBE_WORKS : PROBE_BROKEN;
}

static enum probe_state test_unused(const struct probe_interface *face, struct text *evidence)
{
    (void)face;
    int64_t error = probe_xen_call(UNUSED_NUMBER, 0, NULL);
    if (error != -XEN_ENOSYS)
        return probe_xen_failed(evidence, "not -ENOSYS", error);
    return probe_say(PROBE_WORKS, evidence, "number %u gives %" PRId64, UNUSED_NUMBER, error);
}

/* As in Linux since XSA-466: the guest issues the instruction itself, and its choice is the processor vendor's. */
__asm__(".text\n"
        ".balign 16\n"
        "probe_xen_vmmcall: vmmcall\n"
        "ret\n"
        ".balign 16\n"
        "probe_xen_vmcall: vmcall\n"
        "ret\n");
extern const uint8_t probe_xen_vmmcall[], probe_xen_vmcall[];

#define VENDOR_AMD_EBX 0x68747541u      /* "Auth" */
#define VENDOR_HYGON_EBX 0x6f677948u    /* "Hygo" */

static struct call direct_call(void)
{
    struct env_cpuid vendor;
    env_cpuid(0, 0, &vendor);
    bool is_amd = vendor.ebx == VENDOR_AMD_EBX || vendor.ebx == VENDOR_HYGON_EBX;
    return (struct call){is_amd ? probe_xen_vmmcall : probe_xen_vmcall, __HYPERVISOR_xen_version, {XENVER_version}, 0};
}

static enum probe_state test_direct(const struct probe_interface *face, struct text *evidence)
{
    if (!probe_current_options()->allows_vmcall)
        return probe_say(PROBE_UNTESTED, evidence, "only with option vmcall: on some hosts it never returns");
    struct call call = direct_call();
    int64_t version = result_of(&call);
    if (version < 0)
        return probe_say(PROBE_BROKEN, evidence, "xen_version fails: %" PRId64, version);
    text_add(evidence, "xen_version 0x%" PRIx64, (uint64_t)version);
    return version == version_leaf(face) ? PROBE_WORKS : PROBE_BROKEN;
}

static void call_direct(const struct probe_interface *face)
{
    struct call call = direct_call();
    (void)face;
    do_call(&call);
}

/* --- shared pages ------------------------------------------------------------------------------------------------- */

static enum probe_state test_shared_info(const struct probe_interface *face, struct text *evidence)
{
    volatile struct shared_info *shared = env_page();
    struct xen_add_to_physmap map = {.domid = DOMID_SELF, .space = XENMAPSPACE_shared_info};
    (void)face;
    if (shared == NULL)
        return probe_say(PROBE_UNTESTED, evidence, "no page");
    map.gpfn = (uintptr_t)shared / XEN_PAGE_BYTES;
    shared->wc_version = PATTERN;
    shared->evtchn_mask[0] = PATTERN;
    int64_t error = probe_xen_call(__HYPERVISOR_memory_op, XENMEM_add_to_physmap, &map);
    if (error != 0)
        return probe_xen_failed(evidence, "add_to_physmap", error);
    if (shared->wc_version == PATTERN && shared->evtchn_mask[0] == PATTERN)
        return probe_say(PROBE_BROKEN, evidence, "the page was not laid over the guest's RAM");
    probe_xen_state.shared = shared;
    if (probe_xen_state.vcpu_id < XEN_LEGACY_MAX_VCPUS)
        probe_xen_state.vcpu = &shared->vcpu_info[probe_xen_state.vcpu_id];
    return probe_say(PROBE_WORKS, evidence, "laid over page 0x%" PRIx64, (uint64_t)map.gpfn);
}

static enum probe_state test_wall_clock(const struct probe_interface *face, struct text *evidence)
{
    const volatile struct shared_info *shared = probe_xen_state.shared;
    (void)face;
    if (shared == NULL)
        return probe_say(PROBE_BROKEN, evidence, "no shared_info to read it from");
    text_add(evidence, "booted %u s after 1970, version %u", shared->wc_sec, shared->wc_version);
    return shared->wc_version != 0 && shared->wc_version % 2 == 0 && shared->wc_sec != 0 ? PROBE_WORKS : PROBE_BROKEN;
}

/* Possible once for each vCPU. */
static enum probe_state test_vcpu_info(const struct probe_interface *face, struct text *evidence)
{
    uint8_t *page = env_page();
    struct vcpu_register_vcpu_info where = {.offset = VCPU_INFO_OFFSET};
    (void)face;
    if (page == NULL)
        return probe_say(PROBE_UNTESTED, evidence, "no page");
    where.mfn = (uintptr_t)page / XEN_PAGE_BYTES;
    int64_t error = probe_xen_vcpu_op(VCPUOP_register_vcpu_info, &where);
    if (error != 0)
        return probe_xen_failed(evidence, "register_vcpu_info", error);
    probe_xen_state.vcpu = (void *)(page + VCPU_INFO_OFFSET);
    uint32_t version = probe_xen_state.vcpu->time.version;
    error = probe_xen_vcpu_op(VCPUOP_register_vcpu_info, &where);
    text_add(evidence, "clock version %u, a second time gives %" PRId64, version, error);
    return version != 0 && error == -XEN_EINVAL ? PROBE_WORKS : PROBE_BROKEN;
}

static enum probe_state test_clock(const struct probe_interface *face, struct text *evidence)
{
    (void)face;
    if (probe_xen_state.vcpu == NULL)
        return probe_say(PROBE_BROKEN, evidence, "no vcpu_info to read it from");
    return pvclock_test((const volatile void *)&probe_xen_state.vcpu->time, evidence);
}

static void read_clock(const struct probe_interface *face)
{
    uint64_t tsc;
    (void)face;
    pvclock_read((const volatile void *)&probe_xen_state.vcpu->time, &tsc);
}

static const struct probe_feature features[] = {
    {"leaves", always, test_leaves, read_version_leaf, PROBE_FROM_ANY_CPL, NULL, "arch-x86/cpuid.h"},
    {"time leaf", has_time_leaf, test_time_leaf, NULL, PROBE_FROM_ANY_CPL, NULL, "arch-x86/cpuid.h leaf 4"},
    {"hypercall page", always, test_hypercall_page, NULL, PROBE_FROM_CPL0, NULL, "guest-guide/x86/hypercall-abi"},
    {"xen_version", always, test_version, call_version, PROBE_FROM_CPL0, NULL, "version.h"},
    {"get_features", always, test_features, NULL, PROBE_FROM_CPL0, NULL, "version.h, features.h"},
    {"unused hypercall", always, test_unused, NULL, PROBE_FROM_CPL0, NULL, "xen.h"},
    {"direct VMCALL", always, test_direct, call_direct, PROBE_FROM_CPL0, NULL, "XSA-466"},
    {"shared_info", always, test_shared_info, NULL, PROBE_FROM_CPL0, NULL, "memory.h, xen.h"},
    {"wall clock", always, test_wall_clock, NULL, PROBE_FROM_CPL0, NULL, "xen.h shared_info"},
    {"vcpu_info", always, test_vcpu_info, NULL, PROBE_FROM_CPL0, NULL, "vcpu.h"},
    {"pvclock", always, test_clock, read_clock, PROBE_FROM_CPL0, "xen", "xen.h vcpu_time_info"},
    {"multicall", always, probe_xen_test_multicall, NULL, PROBE_FROM_CPL0, NULL, "xen.h"},
    {"memory", always, probe_xen_test_memory, NULL, PROBE_FROM_CPL0, NULL, "memory.h"},
    {"run state", always, probe_xen_test_runstate, NULL, PROBE_FROM_CPL0, NULL, "vcpu.h"},
    {"callback vector", probe_xen_has_callback_vector, probe_xen_test_callback_vector, NULL, PROBE_FROM_CPL0, NULL,
     "hvm/params.h"},
    {"upcall vector", probe_xen_has_upcall_vector, probe_xen_test_upcall_vector, NULL, PROBE_FROM_CPL0, NULL,
     "hvm/hvm_op.h"},
    {"HVM parameters", always, probe_xen_test_params, NULL, PROBE_FROM_CPL0, NULL, "hvm/params.h"},
    {"event channel ports", always, probe_xen_test_ports, NULL, PROBE_FROM_CPL0, NULL, "event_channel.h"},
    {"event to self", always, probe_xen_test_ipi, probe_xen_send_ipi, PROBE_FROM_CPL0, NULL, "event_channel.h"},
    {"singleshot timer", always, probe_xen_test_timer, probe_xen_set_timer, PROBE_FROM_CPL0, NULL, "vcpu.h"},
    {"periodic timer", always, probe_xen_test_periodic_timer, NULL, PROBE_FROM_CPL0, NULL, "vcpu.h"},
    {"grant table", probe_xen_has_grants, probe_xen_test_grant_table, NULL, PROBE_FROM_CPL0, NULL, "grant_table.h"},
    {"grant copy", probe_xen_has_grants, probe_xen_test_grant_copy, NULL, PROBE_FROM_CPL0, NULL, "grant_table.h"},
    {"console_io", always, probe_xen_test_console_io, NULL, PROBE_FROM_CPL0, NULL, "xen.h"},
    {"console", always, probe_xen_test_console, NULL, PROBE_FROM_CPL0, NULL, "io/console.h"},
    {"FIFO channels", always, probe_xen_test_fifo, NULL, PROBE_FROM_CPL0, NULL, "event_channel.h"},
};

const struct probe_suite probe_xen = {
    .name = "xen",
    .title = "Xen",
    .begin = begin,
    .end = end,
    .feature = features,
    .nr_features = sizeof(features) / sizeof(features[0]),
    .clock = {"pvclock"},
    .version = found_version,
};
