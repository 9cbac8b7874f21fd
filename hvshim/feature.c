/* Which features a VM has: the user's words, dependencies, and what the backend can do. */
#include "core.h"

static uint64_t defaults(const struct hvs_personality *p)
{
    uint64_t mask = 0;

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

uint32_t hvs_slot_missing_caps(const struct hvs_slot_config *config, uint32_t caps)
{
    const struct hvs_personality *p = config->personality;
    uint32_t missing = p->caps & ~caps;

    for (uint32_t f = 0; f < p->nr_features; f++) {
        if (config->features_on >> f & 1)
            missing |= p->feature[f].caps & ~caps;
    }
    return missing;
}

int hvs_slot_resolve(struct hvs_slot *slot, const struct hvs_slot_config *config, uint32_t caps)
{
    const struct hvs_personality *p = config->personality;
    uint64_t known = p->nr_features == HVS_MAX_FEATURES ? UINT64_MAX : (1ull << p->nr_features) - 1;

    if ((config->features_on | config->features_off | config->features_offloaded) & ~known)
        return HVS_EINVAL;
    if (config->features_on & config->features_off)
        return HVS_EINVAL;
    if (hvs_slot_missing_caps(config, caps))
        return HVS_ENOTSUP;

    uint64_t lacking = p->lacking ? p->lacking(config->options) : 0;

    slot->features = drop_unmet(p, (defaults(p) | config->features_on) & ~config->features_off & ~lacking, caps);
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

const char *hvs_personality_name(const struct hvs_personality *personality)
{
    return personality->name;
}

const char *hvs_personality_title(const struct hvs_personality *personality)
{
    return personality->title;
}
