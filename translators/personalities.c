/*
 * The personalities that come with hvshim, and the words by which users choose them and their features.
 *
 * To add a personality: its folder, and one line in the list.
 */
#include <hvshim/personality.h>
#include <hvshim/translators.h>

const struct hvs_personality *const hvs_personalities[] = {
    &hvs_hv_personality,
    &hvs_xen_personality,
    &hvs_vmw_personality,
    NULL,
};

/* A part of a caller's string. */
struct word {
    const char *text;
    size_t length;
};

static bool word_is(struct word word, const char *name)
{
    size_t i = 0;

    while (i < word.length && name[i] && name[i] == word.text[i])
        i++;
    return i == word.length && !name[i];
}

/* Splits off what comes before `separator`; *rest is then what follows it, or NULL where there is none. */
static struct word word_until(const char *text, char separator, const char **rest)
{
    struct word word = {.text = text, .length = 0};

    while (text[word.length] && text[word.length] != separator)
        word.length++;
    *rest = text[word.length] ? text + word.length + 1 : NULL;
    return word;
}

static struct word word_whole(const char *text)
{
    const char *rest;

    return word_until(text, '\0', &rest);
}

static const struct hvs_personality *find(struct word name)
{
    for (const struct hvs_personality *const *p = hvs_personalities; *p; p++) {
        if (word_is(name, (*p)->name))
            return *p;
    }
    return NULL;
}

const struct hvs_personality *hvs_personality_find(const char *name)
{
    return find(word_whole(name));
}

static bool is_present(const struct hvs_slot_config *slot, uint32_t nr_slots, const struct hvs_personality *wanted)
{
    for (uint32_t i = 0; i < nr_slots; i++) {
        if (slot[i].personality == wanted)
            return true;
    }
    return false;
}

int hvs_present_parse(struct hvs_vm_config *config, const char *list, size_t *bad_at)
{
    struct hvs_slot_config slot[HVS_MAX_SLOTS] = {{0}};
    uint32_t nr_slots = 0;
    const char *next = list;

    if (word_is(word_whole(list), "none"))
        next = NULL;
    while (next) {
        struct word name = word_until(next, ',', &next);
        const struct hvs_personality *personality = find(name);

        *bad_at = (size_t)(name.text - list);
        if (!personality)
            return HVS_ENOENT;
        if (nr_slots == HVS_MAX_SLOTS || is_present(slot, nr_slots, personality))
            return HVS_EINVAL;
        slot[nr_slots++].personality = personality;
    }
    memcpy(config->slot, slot, sizeof(slot));
    config->nr_slots = nr_slots;
    return HVS_OK;
}

static bool find_feature(struct hvs_slot_config *slot, struct word name, uint64_t *bit)
{
    for (uint32_t f = 0; f < slot->personality->nr_features; f++) {
        if (word_is(name, slot->personality->feature[f].name)) {
            *bit = 1ull << f;
            return true;
        }
    }
    return false;
}

/* `owner` is a personality's name, or empty: then the first slot that has the feature. */
static struct hvs_slot_config *find_owner(struct hvs_vm_config *config, struct word owner, struct word name,
                                          uint64_t *bit)
{
    for (uint32_t i = 0; i < config->nr_slots; i++) {
        if (owner.length && !word_is(owner, config->slot[i].personality->name))
            continue;
        if (find_feature(&config->slot[i], name, bit))
            return &config->slot[i];
    }
    return NULL;
}

static int set_profile(struct hvs_vm_config *config, struct word owner, const char *name)
{
    for (uint32_t i = 0; i < config->nr_slots; i++) {
        struct hvs_slot_config *slot = &config->slot[i];
        const struct hvs_profile *profile = hvs_profile_find(slot->personality, name);

        if (!profile || (owner.length && !word_is(owner, slot->personality->name)))
            continue;
        slot->profile = profile;
        return HVS_OK;
    }
    return HVS_ENOENT;
}

int hvs_feature_parse(struct hvs_vm_config *config, const char *setting)
{
    const char *value, *behind_dot;
    struct word name = word_until(setting, '=', &value);
    struct word owner = word_until(setting, '.', &behind_dot);
    struct hvs_slot_config *slot;
    uint64_t bit;

    if (behind_dot && owner.length < name.length)
        name = (struct word){behind_dot, name.length - owner.length - 1};
    else
        owner.length = 0;
    if (value && word_is(name, "profile"))
        return set_profile(config, owner, value);
    slot = find_owner(config, owner, name, &bit);
    if (!slot)
        return HVS_ENOENT;
    if (!value || word_is(word_whole(value), "on")) {
        slot->features_on |= bit;
        slot->features_off &= ~bit;
        return HVS_OK;
    }
    if (word_is(word_whole(value), "off")) {
        slot->features_off |= bit;
        slot->features_on &= ~bit;
        return HVS_OK;
    }
    return HVS_EINVAL;
}
