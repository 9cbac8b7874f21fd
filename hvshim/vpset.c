/* VP sets. See vpset.h. */
#include <hvshim/vpset.h>

void hvs_vpset_clear(struct hvs_vpset *set)
{
    for (uint32_t b = 0; b < HVS_VPSET_BANKS; b++)
        set->bank[b] = 0;
}

void hvs_vpset_fill(struct hvs_vpset *set, uint32_t nr_vps)
{
    if (nr_vps > HVS_MAX_VPS)
        nr_vps = HVS_MAX_VPS;
    for (uint32_t b = 0; b < nr_vps / 64; b++)
        set->bank[b] = UINT64_MAX;
    if (nr_vps % 64)
        set->bank[nr_vps / 64] |= (1ull << nr_vps % 64) - 1;
}

bool hvs_vpset_add(struct hvs_vpset *set, uint32_t vp)
{
    if (vp >= HVS_MAX_VPS)
        return false;
    set->bank[vp / 64] |= 1ull << vp % 64;
    return true;
}

bool hvs_vpset_has(const struct hvs_vpset *set, uint32_t vp)
{
    return vp < HVS_MAX_VPS && (set->bank[vp / 64] >> vp % 64 & 1);
}

/* Without POPCNT, which a freestanding build may not assume. */
static uint32_t count_bits(uint64_t bits)
{
    uint32_t count = 0;

    for (; bits; bits &= bits - 1)
        count++;
    return count;
}

uint32_t hvs_vpset_count(const struct hvs_vpset *set)
{
    uint32_t count = 0;

    for (uint32_t b = 0; b < HVS_VPSET_BANKS; b++)
        count += count_bits(set->bank[b]);
    return count;
}

uint32_t hvs_vpset_next(const struct hvs_vpset *set, uint32_t from)
{
    if (from >= HVS_MAX_VPS)
        return HVS_MAX_VPS;

    uint64_t bits = set->bank[from / 64] & (UINT64_MAX << from % 64);

    for (uint32_t b = from / 64;;) {
        if (bits)
            return b * 64 + (uint32_t)__builtin_ctzll(bits);
        if (++b == HVS_VPSET_BANKS)
            return HVS_MAX_VPS;
        bits = set->bank[b];
    }
}

bool hvs_vpset_limit(struct hvs_vpset *set, uint32_t nr_vps)
{
    bool has_dropped = false;

    for (uint32_t b = 0; b < HVS_VPSET_BANKS; b++) {
        uint64_t keep = UINT64_MAX;

        if (b >= nr_vps / 64)
            keep = b == nr_vps / 64 ? (1ull << nr_vps % 64) - 1 : 0;
        has_dropped |= (set->bank[b] & ~keep) != 0;
        set->bank[b] &= keep;
    }
    return has_dropped;
}

int hvs_vpset_from_sparse(struct hvs_vpset *set, uint64_t valid_banks, const uint64_t *banks, uint32_t nr_banks)
{
    hvs_vpset_clear(set);
    if (count_bits(valid_banks) != nr_banks)
        return HVS_EINVAL;
    for (; valid_banks; valid_banks &= valid_banks - 1)
        set->bank[__builtin_ctzll(valid_banks)] = *banks++;
    return HVS_OK;
}
