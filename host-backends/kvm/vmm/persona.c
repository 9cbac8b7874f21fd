/*
 * --present, --set and --list-features, and what is wrong with them.
 */
#include "persona.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hvshim/personality.h>
#include <hvshim/translators.h>

#include "setting.h"

enum key {
    KEY_PRESENT = 0x100,
    KEY_SET,
    KEY_LIST_FEATURES,
};

static const struct argp_option option_table[] = {
    {"present", KEY_PRESENT, "NAME[,NAME]", 0, "What the guest sees: hyperv, xen, vmware, or none (default), which is "
     "KVM itself", 0},
    {"set", KEY_SET, "FEATURE=on|off", 0, "Switch a feature of what is presented, or set another of its words: see "
     "hvshim vm --help (repeatable)", 0},
    {"list-features", KEY_LIST_FEATURES, NULL, 0, "List what can be presented and its features, and end", 0},
    {0},
};

static void list_known_names(char *text, size_t bytes)
{
    size_t used = 0;
    for (size_t i = 0; hvs_personalities[i] && used < bytes; i++)
        used += (size_t)snprintf(text + used, bytes - used, "%s, ", hvs_personality_name(hvs_personalities[i]));
    if (used < bytes)
        snprintf(text + used, bytes - used, "none");
}

static void set_present(struct argp_state *state, struct hvs_vm_config *config, const char *list)
{
    char known[256];
    size_t bad_at = 0;
    switch (hvs_present_parse(config, list, &bad_at)) {
    case HVS_OK:
        return;
    case HVS_ENOENT:
        list_known_names(known, sizeof(known));
        argp_error(state, "--present: '%.*s' is not known (known: %s)", (int)strcspn(list + bad_at, ","),
                   list + bad_at, known);
        return;
    default:
        argp_error(state, "--present %s: at most %d, and each only once", list, HVS_MAX_SLOTS);
    }
}

static void print_features(FILE *out, const struct hvs_personality *personality)
{
    for (uint32_t i = 0; i < personality->nr_features; i++) {
        const struct hvs_feature *feature = &personality->feature[i];
        fprintf(out, "  %s.%-24s %-4s %s\n", personality->name, feature->name,
                feature->is_off_by_default ? "off" : "on", feature->ref ? feature->ref : "");
    }
    for (uint32_t i = 0; i < personality->nr_profiles; i++)
        fprintf(out, "  %s.profile=%-21s %s\n", personality->name, personality->profile[i].name,
                personality->profile[i].summary);
}

static void list_features(void)
{
    for (size_t i = 0; hvs_personalities[i]; i++) {
        printf("%s (%s)\n", hvs_personality_name(hvs_personalities[i]), hvs_personality_title(hvs_personalities[i]));
        print_features(stdout, hvs_personalities[i]);
    }
}

static void set(struct argp_state *state, struct vmm_persona *persona, const char *setting)
{
    const struct hvs_vm_config *config = &persona->config;
    const char *why;
    int err = vmm_set(&persona->config, &persona->hyperv, setting, &why);
    if (!err)
        return;
    if (err == HVS_EINVAL)
        argp_error(state, "--set %s: %s", setting, why);
    fprintf(state->err_stream, "%s: --set %s: %s%s\n", state->name, setting, why,
            config->nr_slots ? "; these are known:" : ": nothing is presented");
    for (uint32_t i = 0; i < config->nr_slots; i++)
        print_features(state->err_stream, config->slot[i].personality);
    exit(argp_err_exit_status);
}

static void add_setting(struct argp_state *state, struct vmm_persona *persona, char *setting)
{
    char **grown = realloc(persona->settings, (persona->nr_settings + 1) * sizeof(*grown));
    if (!grown)
        argp_failure(state, EXIT_FAILURE, errno, "--set");
    persona->settings = grown;
    persona->settings[persona->nr_settings++] = setting;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct vmm_persona *persona = state->input;
    switch (key) {
    case KEY_PRESENT:
        persona->present = text;
        set_present(state, &persona->config, text);
        return 0;
    case KEY_SET:
        add_setting(state, persona, text);
        return 0;
    case KEY_LIST_FEATURES:
        list_features();
        exit(EXIT_SUCCESS);
    case ARGP_KEY_END:
        for (size_t i = 0; i < persona->nr_settings; i++)      /* now that --present is known */
            set(state, persona, persona->settings[i]);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp vmm_persona_argp = {.options = option_table, .parser = parse};

int vmm_persona_settings(const struct vmm_persona *persona, char *text, size_t bytes, char *why, size_t why_bytes)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < persona->nr_settings; i++) {
        const char *setting = persona->settings[i];
        if (strchr(setting, ',')) {
            snprintf(why, why_bytes, "--set %s: it cannot have a comma in it here", setting);
            return -1;
        }
        used += (size_t)snprintf(text + used, bytes - used, "%s%s", i ? "," : "", setting);
        if (used >= bytes) {
            snprintf(why, why_bytes, "too many --set");
            return -1;
        }
    }
    return 0;
}

void vmm_why_no_kvm(int error, char *text, size_t bytes)
{
    if (error == EACCES)
        snprintf(text, bytes, "no permission to use /dev/kvm: join its group (usermod -aG kvm NAME, then log in "
                 "again)");
    else if (error == ENOENT || error == ENODEV || error == ENXIO)
        snprintf(text, bytes, "there is no KVM (/dev/kvm: %s): switch virtualization on in the firmware or in the "
                 "outer hypervisor and load kvm_intel or kvm_amd, or use the emulated host in conformance/rig",
                 strerror(error));
    else
        snprintf(text, bytes, "/dev/kvm: %s", strerror(error));
}
