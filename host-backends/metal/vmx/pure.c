/* VMX's arithmetic: control words, XCR0, MSRs that are kept, the timer's ticks, and memory types by the MTRRs. */
#include "pure.h"

bool vmx_controls(uint64_t capability, uint32_t wanted, uint32_t optional, uint32_t *value)
{
    uint32_t must = (uint32_t)capability, may = (uint32_t)(capability >> 32);

    *value = must | wanted | (optional & may);
    return !(wanted & ~may);
}

bool vmx_xcr0_is_valid(uint64_t value, uint64_t supported)
{
    enum { X87 = 1 << 0, SSE = 1 << 1, AVX = 1 << 2, MPX = 3 << 3, AVX512 = 7 << 5, AMX = 3 << 17 };

    if (value & ~supported || !(value & X87))
        return false;
    if (value & AVX && !(value & SSE))
        return false;
    if (value & AVX512 && ((value & AVX512) != AVX512 || !(value & AVX)))
        return false;
    if (value & MPX && (value & MPX) != MPX)
        return false;
    return !(value & AMX) || (value & AMX) == AMX;
}

bool vmx_msr_is_kept(uint32_t index)
{
    static const struct {
        uint16_t first, last;
    } kept[] = {{0x3a, 0x3a},           /* FEATURE_CONTROL */
                {0x9b, 0x9b},           /* SMM_MONITOR_CTL */
                {0x3f1, 0x3f5},         /* PEBS_ENABLE, PEBS_DATA_CFG, PEBS_BASE, PEBS_INDEX */
                {0x480, 0x493},         /* VMX_BASIC to VMX_EXIT_CTLS2 */
                {0x560, 0x587},         /* RTIT_OUTPUT_BASE to RTIT_ADDR3_B */
                {0x600, 0x600},         /* DS_AREA */
                {0x981, 0x984},         /* TME_CAPABILITY to TME_EXCLUDE_BASE */
                {0x17d0, 0x17d1}};      /* HW_FEEDBACK_PTR, HW_FEEDBACK_CONFIG */
    bool is_kept = false;

    for (uint32_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        is_kept |= index >= kept[i].first && index <= kept[i].last;
    return is_kept;
}

uint32_t vmx_timer_ticks(uint64_t wait_ns, uint64_t tsc_khz, uint32_t shift)
{
    const uint64_t longest_ns = 1000000000;
    uint64_t ns = wait_ns < longest_ns ? wait_ns : longest_ns;
    uint64_t tsc = (ns * tsc_khz + 999999) / 1000000;
    uint64_t ticks = (tsc + (1ull << shift) - 1) >> shift;

    return ticks < UINT32_MAX ? (uint32_t)ticks : UINT32_MAX;
}

/* --- memory types ------------------------------------------------------------------------------------------------- */

#define MTRR_ENABLED (1u << 11)
#define MTRR_FIXED_ENABLED (1u << 10)
#define MTRR_VALID (1u << 11)
#define ADDRESS_MASK 0x000ffffffffff000ull
enum { FIXED_END = 0x100000, FIXED_16K = 0x80000, FIXED_4K = 0xc0000 };

static bool has_fixed(const struct mtrrs *mtrrs, uint64_t hpa)
{
    return mtrrs->default_type & MTRR_FIXED_ENABLED && hpa < FIXED_END;
}

/* Each register has eight types, one byte each. */
static enum memory_type fixed_type(const struct mtrrs *mtrrs, uint64_t hpa)
{
    uint64_t nr = hpa >> 16;

    if (hpa >= FIXED_4K)
        nr = 24 + ((hpa - FIXED_4K) >> 12);
    else if (hpa >= FIXED_16K)
        nr = 8 + ((hpa - FIXED_16K) >> 14);
    return (enum memory_type)(mtrrs->fixed[nr / 8] >> nr % 8 * 8 & 7);
}

/* Where ranges overlap [12.11.4.1]; undefined combinations are taken as the safest. */
static enum memory_type both(enum memory_type a, enum memory_type b)
{
    if (a == b)
        return a;
    if ((a == TYPE_WT && b == TYPE_WB) || (a == TYPE_WB && b == TYPE_WT))
        return TYPE_WT;
    return TYPE_UC;
}

enum memory_type mtrr_type(const struct mtrrs *mtrrs, uint64_t hpa)
{
    enum memory_type type = TYPE_UC;
    bool is_found = false;

    if (!(mtrrs->default_type & MTRR_ENABLED))
        return TYPE_UC;
    if (has_fixed(mtrrs, hpa))
        return fixed_type(mtrrs, hpa);
    for (uint32_t i = 0; i < mtrrs->nr_variable; i++) {
        uint64_t mask = mtrrs->variable[i].mask & ADDRESS_MASK;
        enum memory_type of_range = (enum memory_type)(mtrrs->variable[i].base & 7);

        if (!(mtrrs->variable[i].mask & MTRR_VALID) || (hpa ^ mtrrs->variable[i].base) & mask)
            continue;
        type = is_found ? both(type, of_range) : of_range;
        is_found = true;
    }
    return is_found ? type : (enum memory_type)(mtrrs->default_type & 7);
}

bool mtrr_is_uniform(const struct mtrrs *mtrrs, uint64_t hpa, uint64_t bytes)
{
    if (!(mtrrs->default_type & MTRR_ENABLED))
        return true;
    if (has_fixed(mtrrs, hpa))
        return false;
    for (uint32_t i = 0; i < mtrrs->nr_variable; i++) {
        uint64_t mask = mtrrs->variable[i].mask & ADDRESS_MASK;
        bool touches = !((hpa ^ mtrrs->variable[i].base) & mask & ~(bytes - 1));

        if (mtrrs->variable[i].mask & MTRR_VALID && touches && mask & (bytes - 1))
            return false;
    }
    return true;
}
