/*
 * What a host does for VMware's tools: guestinfo from the command line, and what the guest says goes to the serial
 * port, as far as its letters are harmless there.
 *
 * Left out: the balloon, as nobody else wants the memory, and commands to the guest.
 */
#include "metal.h"

#include <hvshim/translators.h>
#include <hvshim/vmware.h>

enum { SHOWN_BYTES = 400, CPUID_RDRAND = 30 };

static int shown(struct hvs_text text)
{
    return text.bytes < SHOWN_BYTES ? (int)text.bytes : SHOWN_BYTES;
}

static bool begins(struct hvs_text text, struct hvs_text with)
{
    return text.bytes >= with.bytes && !memcmp(text.text, with.text, with.bytes);
}

static void on_rpci(void *ctx, struct hvs_text request)
{
    struct hvs_text log = text_of("log ");

    (void)ctx;
    if (begins(request, log))
        say("vmware: log: %.*s", shown(request) - (int)log.bytes, request.text + log.bytes);
    else if (begins(request, text_of("tools.")))
        say("vmware: %.*s", shown(request), request.text);
}

static void on_guestinfo(void *ctx, struct hvs_text key, struct hvs_text value)
{
    (void)ctx;
    say("vmware: guestinfo.%.*s=%.*s", shown(key), key.text, shown(value), value.text);
}

/* Where there is no randomness, programs in the guest must trust each other. */
static uint64_t random_number(void)
{
    uint64_t number = rdtsc();

    if (cpuid(1, 0).ecx >> CPUID_RDRAND & 1)
        __asm__ volatile("rdrand %0" : "+r"(number) : : "cc");
    return number;
}

static struct hvs_vmw_options options = {
    .size = sizeof(options), .on_rpci = on_rpci, .on_guestinfo = on_guestinfo};

void *vmware_options(void)
{
    options.cookie_seed = random_number();
    return &options;
}

void guestinfo_start(void)
{
    for (uint32_t i = 0; i < machine.options.nr_guestinfo; i++) {
        struct hvs_vmw_guestinfo info = {.key = text_of(machine.options.guestinfo[i].key),
                                         .value = text_of(machine.options.guestinfo[i].value)};
        int err = vm_request(machine.cpu[0], &hvs_vmw_personality, HVS_VMW_GUESTINFO_SET, &info);

        if (err == HVS_ENOTSUP)
            err = domain_give(info.key, info.value);
        if (err)
            die("guestinfo.%s: %s", machine.options.guestinfo[i].key,
                err == HVS_ENOTSUP ? "only guests of VMware and Xen read it" : hvs_strerror(err));
    }
}
