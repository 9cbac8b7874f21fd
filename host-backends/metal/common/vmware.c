/*
 * What a host does for VMware's tools: guestinfo from the command line, and what the guest says goes to the serial port,
 * as far as its letters are harmless there.
 *
 * Left out: the balloon, as nobody else wants the memory, and commands to the guest.
 */
#include "metal.h"

#include <hvshim/translators.h>
#include <hvshim/vmware.h>

enum { SHOWN_BYTES = 400, CPUID_RDRAND = 30 };

static struct hvs_text text_of(const char *text)
{
    uint32_t bytes = 0;

    while (text[bytes])
        bytes++;
    return (struct hvs_text){text, bytes};
}

static void show(const char *what, struct hvs_text name, struct hvs_text text)
{
    char line[2][SHOWN_BYTES + 1];
    const struct hvs_text texts[] = {name, text};

    for (uint32_t t = 0; t < HVS_ARRAY_SIZE(texts); t++) {
        uint32_t bytes = texts[t].bytes < SHOWN_BYTES ? texts[t].bytes : SHOWN_BYTES;

        for (uint32_t i = 0; i < bytes; i++)
            line[t][i] = texts[t].text[i] >= ' ' && texts[t].text[i] < 0x7f ? texts[t].text[i] : '?';
        line[t][bytes] = '\0';
    }
    say("vmware: %s%s%s%s", what, line[0], name.bytes ? "=" : "", line[1]);
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
        show("log: ", text_of(""), (struct hvs_text){request.text + log.bytes, request.bytes - log.bytes});
    else if (begins(request, text_of("tools.")))
        show("", text_of(""), request);
}

static void on_guestinfo(void *ctx, struct hvs_text key, struct hvs_text value)
{
    (void)ctx;
    show("guestinfo.", key, value);
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
