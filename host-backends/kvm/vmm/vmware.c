/*
 * What a VMM does for VMware's tools: fills guestinfo, shows what the guest logs, asks it to power off, and takes pages
 * of its RAM by the balloon.
 *
 * Left out: a pointer, since this machine has no PS/2 mouse.
 */
#include "machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include <hvshim/translators.h>

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

static void on_rpci(void *ctx, struct hvs_text request)
{
    (void)ctx;
    if (request.bytes >= 4 && memcmp(request.text, "log ", 4) == 0)
        show("log: ", (struct hvs_text){request.text + 4, request.bytes - 4});
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

bool vmm_presents_vmware(const struct hvs_vm_config *persona)
{
    for (uint32_t i = 0; i < persona->nr_slots; i++)
        if (persona->slot[i].personality == &hvs_vmw_personality)
            return true;
    return false;
}

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
    const struct hvs_exit exit = {.kind = HVS_EXIT_HOST, .host = {&hvs_vmw_personality, number, data}};
    uint64_t value = 0;
    int err = hvs_kvm_dispatch(m->shim, 0, &exit, &value);
    return err ? err : (int)(int64_t)value;
}

/* Reads all of a file that may be as long as a value may be. Returns its size, or -1. */
static ssize_t read_value(const char *path, char value[HVS_STORE_VALUE_BYTES + 1])
{
    FILE *file = fopen(path, "re");
    if (!file)
        return vmm_fail("cannot read %s: %s", path, strerror(errno));
    size_t bytes = fread(value, 1, HVS_STORE_VALUE_BYTES + 1, file);
    bool is_bad = ferror(file);
    fclose(file);
    return is_bad ? vmm_fail("cannot read %s: %s", path, strerror(errno)) : (ssize_t)bytes;
}

/* KEY=VALUE, or KEY=@FILE. */
static int set_guestinfo(struct machine *m, const char *setting)
{
    static char value[HVS_STORE_VALUE_BYTES + 1];       /* one machine at a time */
    size_t key_bytes = strcspn(setting, "=");
    const char *given = setting + key_bytes + 1;
    struct hvs_vmw_guestinfo info = {.key = text_of(setting, key_bytes), .value = text_of(given, strlen(given))};
    if (given[0] == '@') {
        ssize_t bytes = read_value(given + 1, value);
        if (bytes < 0)
            return -1;
        info.value = text_of(value, (size_t)bytes);
    }
    int err = request(m, HVS_VMW_GUESTINFO_SET, &info);
    if (err == HVS_EINVAL)
        return vmm_fail("--guestinfo %.*s: a key has at most %d bytes, a value at most %d", (int)key_bytes, setting,
                        HVS_STORE_KEY_BYTES, HVS_STORE_VALUE_BYTES);
    if (err)
        return vmm_fail("--guestinfo %.*s: all together have at most %d KiB", (int)key_bytes, setting,
                        HVS_STORE_BYTES / 1024);
    return 0;
}

int vmm_vmware_start(struct machine *m)
{
    struct hvs_vmw_balloon balloon = {.target_pages = m->options->balloon_bytes / HVS_PAGE_BYTES};
    if (!vmm_presents_vmware(&m->options->persona))
        return 0;
    for (size_t i = 0; i < m->options->nr_guestinfo; i++)
        if (set_guestinfo(m, m->options->guestinfo[i]))
            return -1;
    return request(m, HVS_VMW_BALLOON, &balloon) ? vmm_fail("--balloon: too much") : 0;
}

void vmm_soft_poweroff(struct machine *m)
{
    struct hvs_vmw_command halt = {.text = text_of("OS_Halt", strlen("OS_Halt"))};
    int err = vmm_presents_vmware(&m->options->persona) ? request(m, HVS_VMW_TCLO_SEND, &halt) : HVS_ENOENT;
    if (err == HVS_ENOENT)
        vmm_fail("nothing that is presented can ask the guest to power off");
    if (err == HVS_ENOSPC)
        vmm_fail("the guest has not answered the last request yet");
}
