/*
 * What a host does for a domain of Xen's: its memory map, the pages of xenstore and console, the strings of the command
 * line in xenstore, and what the guest writes to hvc0 on the serial port, as far as its letters are harmless there.
 *
 * Left out: input to hvc0, as what comes by the serial port is the guest's own, and backends, as it has the devices.
 */
#include "metal.h"

#include <hvshim/translators.h>
#include <hvshim/xen.h>

static struct hvs_xen_memory memory_told[MAX_MEMORY_RANGES];

/* A piece on its way to the serial port, so that nothing waits for that under the core's locks. */
static struct {
    char text[128];
    _Atomic uint32_t bytes;     /* 0: it may be filled */
    _Atomic bool is_more_there; /* in the guest's ring */
    atomic_flag taken;
} out = {.taken = ATOMIC_FLAG_INIT};

static uint32_t on_console(void *ctx, const char *text, uint32_t bytes)
{
    uint32_t taken = bytes < sizeof(out.text) ? bytes : sizeof(out.text);

    (void)ctx;
    if (atomic_load(&out.bytes))
        taken = 0;
    memcpy(out.text, text, taken);
    if (taken)
        atomic_store(&out.bytes, taken);
    if (taken < bytes)
        atomic_store(&out.is_more_there, true);
    return taken;
}

/* Once the flag is dropped what has come meanwhile is looked for again: whoever finds it taken can leave it at that. */
bool domain_serve(struct cpu *self)
{
    if (!atomic_load(&out.bytes) && !atomic_load(&out.is_more_there))
        return false;
    if (atomic_flag_test_and_set(&out.taken))
        return false;
    for (uint32_t i = 0; i < atomic_load(&out.bytes); i++)
        console_guest_byte((uint8_t)out.text[i]);
    atomic_store(&out.bytes, 0);
    atomic_flag_clear(&out.taken);
    if (atomic_exchange(&out.is_more_there, false))
        vm_request(self, &hvs_xen_personality, HVS_XEN_CONSOLE_LOOK, NULL);
    return true;
}

static struct hvs_xen_options options = {
    .size = sizeof(options), .memory_map = memory_told, .on_console = on_console};

void *domain_options(void)
{
    options.special_gfn = (uintptr_t)lent.xen >> HVS_PAGE_SHIFT;
    return &options;
}

void domain_tell_memory(void)
{
    struct memory_range map[MAX_MEMORY_RANGES];

    options.nr_memory_map = memory_map(map);
    for (uint32_t i = 0; i < options.nr_memory_map; i++)
        memory_told[i] = (struct hvs_xen_memory){.gpa = map[i].gpa, .bytes = map[i].bytes, .type = map[i].type};
}

int domain_give(struct hvs_text key, struct hvs_text value)
{
    static const char directory[] = "vm-data/";
    char path[COMMAND_LINE_BYTES];
    struct hvs_xen_store node = {.path = {path, sizeof(directory) - 1 + key.bytes}, .value = value};

    memcpy(path, directory, sizeof(directory) - 1);
    memcpy(path + sizeof(directory) - 1, key.text, key.bytes);
    return vm_request(machine.cpu[0], &hvs_xen_personality, HVS_XEN_STORE_WRITE, &node);
}
