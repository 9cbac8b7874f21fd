/*
 * What VMware's operations cost [open-vm-tools 13.1: backdoor_def.h, guest_msg_def.h]. Its clock is the TSC itself.
 */
#include "bench.h"

#include "conform.h"
#include "cpu.h"
#include "env.h"

#include "vmw_abi.h"

static struct env_regs get_version(void)
{
    struct env_regs regs = {.rax = BDOOR_MAGIC, .rcx = BDOOR_CMD_GETVERSION, .rdx = BDOOR_PORT};

    cpu_in32(&regs);
    return regs;
}

static bool begin(uint64_t *tsc_khz)
{
    struct env_cpuid regs;

    if ((uint32_t)get_version().rbx != BDOOR_MAGIC)
        return false;
    cpu_cpuid(VMW_CPUID_SIGNATURE, 0, &regs);
    if (regs.eax < VMW_CPUID_TIMING || regs.ebx != VMW_CPUID_SIGNATURE_EBX)
        return true;
    cpu_cpuid(VMW_CPUID_TIMING, 0, &regs);
    *tsc_khz = regs.eax;
    return true;
}

static uint64_t ask_version(uint32_t number)
{
    (void)number;
    get_version();
    return 0;
}

static bool has_rpc(uint32_t by_blocks)
{
    return conform_read_guestinfo(1, by_blocks) != 0;
}

static uint64_t ask_rpc(uint32_t by_blocks)
{
    return conform_read_guestinfo(1, by_blocks);
}

const struct bench_interface bench_vmware = {
    .name = "vmware", .begin = begin, .operation = {
        {.name = "backdoor command (GETVERSION)", .begin = bench_always, .act = ask_version},
        {.name = "GuestRPC request, in words", .begin = has_rpc, .act = ask_rpc},
        {.name = "GuestRPC request, in blocks", .begin = has_rpc, .act = ask_rpc, .number = 1},
    }};
