/*
 * The backend beneath the fuzzer: guest memory that may change while it is read, and a host that checks how it is used.
 *
 * Every breach of a rule ends the process, so that the fuzzer keeps the input.
 */
#ifndef FUZZ_MACHINE_H
#define FUZZ_MACHINE_H

#include <hvshim/hvshim.h>
#include <hvshim/personality.h>

enum { FUZZ_RAM_BYTES = 256 << 10, FUZZ_MAX_VPS = 4, FUZZ_MAX_PINS = 64, FUZZ_TRACE_BYTES = 40 * 16 };

struct fuzz_machine {
    struct hvs_vm_config config;
    struct hvs_vm *vm;
    void *memory;               /* of the VM, as many bytes as it asked for */
    uint8_t *ram;
    uint64_t now_ns;
    uint8_t race;               /* what guest memory is changed by behind each reading; 0: it stays */
    bool fails;                 /* ports that may fail do so */
    struct hvs_xmm xmm[6];
    uint64_t apic[FUZZ_MAX_VPS][64];
    uint32_t apic_id[FUZZ_MAX_VPS];
    uint32_t nr_pinned;
    bool in_port;
    uint8_t trace[FUZZ_TRACE_BYTES];
};

#define FUZZ_MUST(fact)                                   \
    do {                                                  \
        if (!(fact))                                      \
            fuzz_breach(#fact, __FILE__, __LINE__);       \
    } while (0)
__attribute__((noreturn)) void fuzz_breach(const char *fact, const char *file, int line);

/* Makes the VM by `config`; false where the library refuses the configuration. */
bool fuzz_start(struct fuzz_machine *machine);
void fuzz_stop(struct fuzz_machine *machine);

/* One exit, with the invariants checked behind it. */
enum hvs_verdict fuzz_exit(struct fuzz_machine *machine, uint32_t vp, const struct hvs_exit *exit,
                           struct hvs_regs *regs);
/* Saves, makes a fresh VM, loads, saves again: both must be equal. `damage`, if not 0, is applied to the stream before
   it is loaded; then only survival is asked for. */
void fuzz_save_load(struct fuzz_machine *machine, uint64_t damage);

#endif
