/*
 * What went otherwise, told through the channel of the interface itself: VMware's log by GuestRPC [open-vm-tools 13.1:
 * guest_msg_def.h], Xen's console by hypercall [XEN xen.h, CONSOLEIO_write] or by its debug port, Hyper-V's crash message
 * [6.0b 2.3.5; HV_X64_MSR_CRASH_*], which may end the VM.
 */
#include "conform.h"

#include "boot.h"
#include "cpu.h"
#include "env.h"
#include "hv_abi.h"

enum {
    XEN_CONSOLE_IO = 18,
    XEN_STUB_BYTES = 32,
    DEBUG_PORT = 0xe9,
    CHANNEL_PAGE = 2,           /* where env.hypercall calls */
};

static bool has_signature(uint32_t base, const char *signature)
{
    struct env_cpuid regs;

    cpu_cpuid(base, 0, &regs);
    const uint32_t words[3] = {regs.ebx, regs.ecx, regs.edx};
    for (uint32_t i = 0; i < sizeof(words); i++)
        if ((char)(words[i / 4] >> i % 4 * 8) != signature[i])
            return false;
    return true;
}

/* The begin of the leaves with this signature, or 0. */
static uint32_t base_of(const char *signature)
{
    for (uint32_t base = 0x40000000; base < 0x40010000; base += 0x100)
        if (has_signature(base, signature))
            return base;
    return 0;
}

static uint32_t line_length(const char *text, uint32_t bytes)
{
    uint32_t length = 0;

    while (length < bytes && text[length] != '\n')
        length++;
    return length;
}

/* A message for each line. */
static void tell_vmware(const char *text, uint32_t bytes)
{
    for (uint32_t at = 0; at < bytes;) {
        uint32_t length = line_length(text + at, bytes - at);

        conform_log(text + at, length);
        at += length + 1;
    }
}

static void tell_xen(const struct matrix_env *env, uint32_t base, const char *text, uint32_t bytes)
{
    struct env_cpuid regs;
    struct matrix_regs call = {
        .rax = XEN_CONSOLE_IO, .rdi = 0, .rsi = bytes, .rdx = (uintptr_t)text, .code_bits = 64,
        .call_offset = XEN_CONSOLE_IO * XEN_STUB_BYTES,
    };

    cpu_cpuid(base + 2, 0, &regs);
    cpu_wrmsr(regs.ebx, env->page[CHANNEL_PAGE].gpa);
    if (env->hypercall(env->ctx, &call) == MATRIX_NO_FAULT && (int64_t)call.rax >= 0)
        return;
    for (uint32_t i = 0; i < bytes; i++)
        boot_out8(DEBUG_PORT, (uint8_t)text[i]);
}

static void tell_hyperv(const char *text, uint32_t bytes)
{
    struct env_cpuid regs;

    cpu_cpuid(HV_CPUID_FEATURES, 0, &regs);
    if (!(regs.edx >> HV_GUEST_CRASH_REGS_AVAILABLE & 1))
        return;
    cpu_wrmsr(HV_X64_MSR_CRASH_P3, (uintptr_t)text);
    cpu_wrmsr(HV_X64_MSR_CRASH_P4, bytes);
    cpu_wrmsr(HV_X64_MSR_CRASH_CTL, HV_CRASH_CTL_CRASH_NOTIFY | HV_CRASH_CTL_CRASH_MESSAGE);
}

void conform_tell(const struct matrix_env *env, const char *text, uint32_t bytes)
{
    uint32_t xen = base_of("XenVMMXenVMM");

    if (base_of("VMwareVMware"))
        tell_vmware(text, bytes);
    if (xen)
        tell_xen(env, xen, text, bytes);
    if (base_of("Microsoft Hv"))
        tell_hyperv(text, bytes);
}
