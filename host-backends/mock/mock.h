/*
 * The mock backend: flat guest memory, a clock that the test turns, and a record of what the core asked for.
 *
 * A test fills struct mock, calls mock_start(), then drives exits with the helpers below and looks at `out`.
 */
#ifndef HVSHIM_MOCK_H
#define HVSHIM_MOCK_H

#include <hvshim/hvshim.h>
#include <hvshim/personality.h>

enum {
    MOCK_RAM_BYTES = 1 << 20,           /* guest-physical 0..1 MiB */
    MOCK_MAX_VPS = 8,
    MOCK_NR_SIGNALS = 128,
    MOCK_TSC_KHZ = 2500000,             /* 2.5 GHz: 5 ticks are 2 ns */
};

struct mock {
    struct hvs_vm_config config;        /* mock_config() gives the defaults; change them before mock_start() */
    struct hvs_vm *vm;
    struct hvs_outcome out;             /* of the last exit */
    struct hvs_regs regs;               /* CPL 0, 64-bit code, paging off; hypercalls and ports take them from here */
    _Atomic uint64_t now_ns;            /* the clock; the TSC follows */
    struct hvs_xmm xmm[6];
    uint8_t *ram;                       /* MOCK_RAM_BYTES */
    void (*on_pin)(uint64_t gfn);       /* called behind each page_pin, for what other vCPUs do meanwhile; or NULL */
    _Atomic uint32_t nr_pinned;         /* pages pinned and not yet unpinned */
    uint64_t apic[MOCK_MAX_VPS][64];    /* local APIC registers by offset / 16 */
    uint32_t nr_apic_writes;
    bool apic_refuses;                  /* every access to the local APIC */
    uint64_t eoi_assist[MOCK_MAX_VPS];  /* as eoi_assist() was last told; 0: never */
    struct hvs_vcpu_time vcpu_time[MOCK_MAX_VPS];
    int signal[MOCK_NR_SIGNALS];        /* by number: as signal() was last told, plus 1; 0: none */
    void *memory;
};

/* Everything a backend can do, one slot for each of `personality` (NULL-terminated list). */
void mock_config(struct mock *mock, const struct hvs_personality *const *personality, uint32_t nr_vps);
/* Makes the VM and starts its clock. Returns what hvs_vm_init returns. */
int mock_start(struct mock *mock);
void mock_stop(struct mock *mock);
/* mock_config + mock_start for one personality; fails the test when that fails. */
void mock_start_one(struct mock *mock, const struct hvs_personality *personality, uint32_t nr_vps);

struct hvs_vcpu *mock_vcpu(struct mock *mock, uint32_t vp);
void mock_advance(struct mock *mock, uint64_t ns);
uint64_t mock_tsc(const struct mock *mock);

/* One exit each; the verdict is returned, the rest is in mock->out and mock->regs. */
enum hvs_verdict mock_rdmsr(struct mock *mock, uint32_t vp, uint32_t index, uint64_t *value);
enum hvs_verdict mock_wrmsr(struct mock *mock, uint32_t vp, uint32_t index, uint64_t value);
enum hvs_verdict mock_hypercall(struct mock *mock, uint32_t vp, uint8_t slot);
enum hvs_verdict mock_in(struct mock *mock, uint32_t vp, uint16_t port, uint8_t size_bytes);
enum hvs_verdict mock_out(struct mock *mock, uint32_t vp, uint16_t port, uint8_t size_bytes);
enum hvs_verdict mock_timer(struct mock *mock, uint32_t vp);
enum hvs_verdict mock_host(struct mock *mock, uint32_t vp, const struct hvs_personality *to, uint32_t request,
                           void *data);
enum hvs_verdict mock_reset(struct mock *mock, uint32_t vp);
struct hvs_cpuid_regs mock_cpuid(struct mock *mock, uint32_t vp, uint32_t leaf, uint32_t subleaf);

/* How many effects of `kind` the last exit had; *first is the first of them. */
uint32_t mock_effects(const struct mock *mock, enum hvs_effect_kind kind, const struct hvs_effect **first);

/* Saves, makes a fresh VM of the same configuration over the same RAM, loads, saves again, and fails the test unless
   both streams are equal byte by byte. The VM in `mock` is then the loaded one. */
void mock_save_load_save(struct mock *mock);

#endif
