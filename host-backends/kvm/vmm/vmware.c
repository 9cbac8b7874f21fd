/*
 * What a VMM does for VMware's tools: fills guestinfo, shows what the guest logs, asks it to power off, and takes pages
 * of its RAM by the balloon.
 *
 * Left out: a pointer, since this machine has no PS/2 mouse.
 */
#include "machine.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include <hvshim/translators.h>

#include "guestinfo.h"

enum { SHOWN_BYTES = 400 };

static struct hvs_text text_of(const char *terminated, size_t bytes)
{
    return (struct hvs_text){terminated, (uint32_t)bytes};
}

/* --- what the guest says ---------------------------------------------------------------------------------------- */

/* One line on stderr. The terminal is not the guest's to steer. */
static void show(const char *what, struct hvs_text text)
{
    char line[SHOWN_BYTES + 1];
    uint32_t bytes = text.bytes < SHOWN_BYTES ? text.bytes : SHOWN_BYTES;
    for (uint32_t i = 0; i < bytes; i++)
        line[i] = text.text[i] >= ' ' && text.text[i] < 0x7f ? text.text[i] : '?';
    line[bytes] = '\0';
    fprintf(stderr, "vmware: %s%s%s\n", what, line, bytes < text.bytes ? "..." : "");
}

static bool begins(struct hvs_text text, const char *with)
{
    size_t bytes = strlen(with);
    return text.bytes >= bytes && memcmp(text.text, with, bytes) == 0;
}

/* What the guest logs, and what its tools say that they can do: "tools.capability.statechange 1" */
static void on_rpci(void *ctx, struct hvs_text request)
{
    (void)ctx;
    if (begins(request, "log "))
        show("log: ", (struct hvs_text){request.text + 4, request.bytes - 4});
    else if (begins(request, "tools."))
        show("", request);
}

static void on_guestinfo(void *ctx, struct hvs_text key, struct hvs_text value)
{
    char what[HVS_STORE_KEY_BYTES + 16];
    (void)ctx;
    snprintf(what, sizeof(what), "guestinfo.%.*s=", (int)key.bytes, key.text);
    show(what, value);
}

static void on_tclo_reply(void *ctx, bool ok, struct hvs_text reply)
{
    (void)ctx;
    if (!ok)
        show("the guest refuses: ", reply);
}

/* The host's memory is private and anonymous: what is dropped comes back as zeros. */
static void on_balloon(void *ctx, uint64_t gfn, uint32_t nr_pages, bool gives)
{
    uint64_t bytes = (uint64_t)nr_pages * HVS_PAGE_BYTES;
    void *ram = vmm_ram(ctx, gfn * HVS_PAGE_BYTES, bytes);
    if (ram && gives)
        madvise(ram, bytes, MADV_DONTNEED);
}

/* --- what it is told -------------------------------------------------------------------------------------------- */

void vmm_vmware_options(struct machine *m, struct hvs_vmw_options *options)
{
    *options = (struct hvs_vmw_options){
        .size = sizeof(*options), .ctx = m, .on_rpci = on_rpci, .on_guestinfo = on_guestinfo,
        .on_tclo_reply = on_tclo_reply, .on_balloon = on_balloon,
    };
    /* Where there is no randomness, programs in the guest must trust each other. */
    if (getrandom(&options->cookie_seed, sizeof(options->cookie_seed), 0) < 0)
        options->cookie_seed = 0;
}

static int request(struct machine *m, enum hvs_vmw_request number, void *data)
{
    return hvs_kvm_request(m->shim, &hvs_vmw_personality, number, data);
}

static int set_guestinfo(struct machine *m, const char *setting)
{
    struct vmm_guestinfo guestinfo;
    char why[512];
    int err = vmm_guestinfo_read(&guestinfo, setting, why, sizeof(why));
    if (!err)
        err = vmm_guestinfo_give(&guestinfo, m->shim, why, sizeof(why));
    vmm_guestinfo_free(&guestinfo);
    return err ? vmm_fail("--guestinfo %s", why) : 0;
}

int vmm_vmware_start(struct machine *m)
{
    struct hvs_vmw_balloon balloon = {.target_pages = m->options->balloon_bytes / HVS_PAGE_BYTES};
    if (!vmm_presents(&m->options->persona, &hvs_vmw_personality))
        return 0;
    for (size_t i = 0; i < m->options->nr_guestinfo; i++)
        if (set_guestinfo(m, m->options->guestinfo[i]))
            return -1;
    return request(m, HVS_VMW_BALLOON, &balloon) ? vmm_fail("--balloon: too much") : 0;
}

int vmm_vmware_poweroff(struct machine *m)
{
    struct hvs_vmw_command halt = {.text = text_of("OS_Halt", strlen("OS_Halt"))};
    return vmm_presents(&m->options->persona, &hvs_vmw_personality) ? request(m, HVS_VMW_TCLO_SEND, &halt) : HVS_ENOENT;
}
