/*
 * One key of guestinfo, from its text to the VM.
 */
#include "guestinfo.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hvshim/translators.h>

static int fail(char *why, size_t why_bytes, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int fail(char *why, size_t why_bytes, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(why, why_bytes, format, list);
    va_end(list);
    return -1;
}

/* All of a file that may be as long as a value may be, or one byte more. */
static int read_file(struct vmm_guestinfo *guestinfo, const char *path, char *why, size_t why_bytes)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return fail(why, why_bytes, "%s: cannot read %s: %s", guestinfo->key, path, strerror(errno));
    guestinfo->value = malloc(HVS_STORE_VALUE_BYTES + 1);
    if (guestinfo->value)
        guestinfo->info.value.bytes = (uint32_t)fread(guestinfo->value, 1, HVS_STORE_VALUE_BYTES + 1, file);
    bool is_bad = !guestinfo->value || ferror(file);
    fclose(file);
    return is_bad ? fail(why, why_bytes, "%s: cannot read %s: %s", guestinfo->key, path, strerror(errno)) : 0;
}

int vmm_guestinfo_read(struct vmm_guestinfo *guestinfo, const char *setting, char *why, size_t why_bytes)
{
    size_t key_bytes = strcspn(setting, "=");
    const char *given = setting + key_bytes + 1;
    *guestinfo = (struct vmm_guestinfo){.key = NULL};
    if (key_bytes == 0 || !setting[key_bytes])
        return fail(why, why_bytes, "'%s' is not KEY=VALUE", setting);
    guestinfo->key = strndup(setting, key_bytes);
    if (!guestinfo->key)
        return fail(why, why_bytes, "%s", strerror(errno));
    if (given[0] == '@') {
        if (read_file(guestinfo, given + 1, why, why_bytes))
            return -1;
    } else {
        guestinfo->value = strdup(given);
        if (!guestinfo->value)
            return fail(why, why_bytes, "%s", strerror(errno));
        guestinfo->info.value.bytes = (uint32_t)strlen(given);
    }
    guestinfo->info.key = (struct hvs_text){guestinfo->key, (uint32_t)key_bytes};
    guestinfo->info.value.text = guestinfo->value;
    return 0;
}

int vmm_guestinfo_give(struct vmm_guestinfo *guestinfo, struct hvs_kvm *kvm, char *why, size_t why_bytes)
{
    int err = hvs_kvm_request(kvm, &hvs_vmw_personality, HVS_VMW_GUESTINFO_SET, &guestinfo->info);
    if (err == HVS_EINVAL)
        return fail(why, why_bytes, "%s: a key has at most %d bytes, a value at most %d", guestinfo->key,
                    HVS_STORE_KEY_BYTES, HVS_STORE_VALUE_BYTES);
    if (err)
        return fail(why, why_bytes, "%s: all together have at most %d KiB", guestinfo->key, HVS_STORE_BYTES / 1024);
    return 0;
}

void vmm_guestinfo_free(struct vmm_guestinfo *guestinfo)
{
    free(guestinfo->key);
    free(guestinfo->value);
    *guestinfo = (struct vmm_guestinfo){.key = NULL};
}
