/* Which features a VM has: the user's words, dependencies, and what the backend can do. */
#include "core.h"

static uint64_t known(const struct hvs_personality *p)
{
    return p->nr_features == HVS_MAX_FEATURES ? UINT64_MAX : (1ull << p->nr_features) - 1;
}

static uint64_t base(const struct hvs_slot_config *config)
{
    const struct hvs_personality *p = config->personality;
    uint64_t mask = 0;

    if (config->profile)
        return config->profile->features & known(p);
    for (uint32_t f = 0; f < p->nr_features; f++)
        mask |= (uint64_t)!p->feature[f].is_off_by_default << f;
    return mask;
}

/* Features that were not asked for go silently when what they need is not there. */
static uint64_t drop_unmet(const struct hvs_personality *p, uint64_t features, uint32_t caps)
{
    for (uint64_t before = ~features; before != features;) {
        before = features;
        for (uint32_t f = 0; f < p->nr_features; f++) {
            if ((p->feature[f].needs & ~features) || (p->feature[f].caps & ~caps))
                features &= ~(1ull << f);
        }
    }
    return features;
}

static bool has_row(const struct hvs_personality *p, uint8_t feature)
{
    for (uint32_t i = 0; i < p->nr_msr; i++) {
        if (p->msr[i].feature == feature)
            return true;
    }
    for (uint32_t i = 0; i < p->nr_hcall; i++) {
        if (p->hcall[i].feature == feature)
            return true;
    }
    for (uint32_t i = 0; i < p->nr_pio; i++) {
        if (p->pio[i].feature == feature)
            return true;
    }
    return false;
}

static uint64_t wanted(const struct hvs_slot_config *config)
{
    const struct hvs_personality *p = config->personality;
    uint64_t lacking = p->lacking ? p->lacking(config->options) : 0;

    return (base(config) | config->features_on) & ~config->features_off & ~lacking;
}

/* Adds what they need, what that needs, and so on. */
static uint64_t with_needs(const struct hvs_personality *p, uint64_t features)
{
    for (uint64_t before = ~features; before != features;) {
        before = features;
        for (uint32_t f = 0; f < p->nr_features; f++) {
            if (features >> f & 1)
                features |= p->feature[f].needs;
        }
    }
    return features;
}

uint32_t hvs_slot_missing_caps(const struct hvs_slot_config *config, uint32_t caps)
{
    const struct hvs_personality *p = config->personality;
    uint64_t needed = with_needs(p, config->features_on);
    uint32_t missing = p->caps & ~caps;

    for (uint32_t f = 0; f < p->nr_features; f++) {
        if (needed >> f & 1)
            missing |= p->feature[f].caps & ~caps;
    }
    return missing;
}

static uint32_t first_of(uint64_t features)
{
    uint32_t f = 0;

    while (!(features >> f & 1))
        f++;
    return f;
}

bool hvs_slot_unmet(const struct hvs_slot_config *config, uint32_t caps, struct hvs_unmet *unmet)
{
    const struct hvs_personality *p = config->personality;
    uint64_t features = drop_unmet(p, wanted(config), caps);
    uint32_t asked, f;

    if (!(config->features_on & ~features))
        return false;
    f = asked = first_of(config->features_on & ~features);
    /* The end of the chain; each step leads to another feature that was dropped or is off. */
    for (uint32_t steps = 0; steps < p->nr_features && (p->feature[f].needs & ~features); steps++)
        f = first_of(p->feature[f].needs & ~features);
    *unmet = (struct hvs_unmet){
        .personality = p->name,
        .feature = p->feature[asked].name,
        .needs = f == asked ? NULL : p->feature[f].name,
    };
    return true;
}

int hvs_slot_resolve(struct hvs_slot *slot, const struct hvs_slot_config *config, uint32_t caps)
{
    const struct hvs_personality *p = config->personality;

    if ((config->features_on | config->features_off | config->features_offloaded) & ~known(p))
        return HVS_EINVAL;
    if (config->features_on & config->features_off)
        return HVS_EINVAL;
    if (hvs_slot_missing_caps(config, caps))
        return HVS_ENOTSUP;
    slot->features = drop_unmet(p, wanted(config), caps);
    if (config->features_on & ~slot->features)
        return HVS_EINVAL;
    slot->rows_of = slot->features & ~config->features_offloaded;
    slot->shown = slot->features & config->features_offloaded;
    for (uint32_t f = 0; f < p->nr_features; f++) {
        if (p->feature[f].is_hint || has_row(p, (uint8_t)f))
            slot->shown |= slot->features & (1ull << f);
    }
    return HVS_OK;
}

int hvs_feature_find(const struct hvs_personality *personality, const char *name)
{
    for (uint32_t f = 0; f < personality->nr_features; f++) {
        if (hvs_names_equal(personality->feature[f].name, name))
            return (int)f;
    }
    return HVS_ENOENT;
}

const struct hvs_profile *hvs_profile_find(const struct hvs_personality *personality, const char *name)
{
    for (uint32_t i = 0; i < personality->nr_profiles; i++) {
        if (hvs_names_equal(personality->profile[i].name, name))
            return &personality->profile[i];
    }
    return NULL;
}

const char *hvs_personality_name(const struct hvs_personality *personality)
{
    return personality->name;
}

const char *hvs_personality_title(const struct hvs_personality *personality)
{
    return personality->title;
}
