/*
 * What the parts of the fuzz target share: the input, what is under test, and operations (stream.h) of one interface.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include "machine.h"
#include "stream.h"

#include <hvshim/store.h>

struct hvs_hv_options;
struct hvs_vmw_options;
struct hvs_xen_options;

enum { FUZZ_NR_RPC = 4, FUZZ_MAX_PAYLOAD = 512 };

struct fuzz_input {
    const uint8_t *at, *end;
};

struct fuzz {
    struct fuzz_input input;
    struct fuzz_machine machine;
    struct hvs_regs mode;       /* what decides how registers are read */
    struct {
        uint16_t channel;
        uint32_t cookie_high, cookie_low;
    } rpc[FUZZ_NR_RPC];         /* GuestRPC's channels that were opened */
};

uint64_t fuzz_take(struct fuzz_input *input, uint32_t bytes);
uint64_t fuzz_take_number(struct fuzz_input *input);
uint8_t fuzz_choose_slot(struct fuzz *fuzz);
/* Of a row of the slot's personality. */
uint32_t fuzz_choose_code(struct fuzz *fuzz, uint8_t slot);
const struct hvs_personality *fuzz_personality(const struct fuzz *fuzz, uint8_t slot);
void fuzz_hypercall(struct fuzz *fuzz, uint32_t vp, uint8_t slot, struct hvs_regs *regs);
/* One of the host's. The personality need not be there. */
void fuzz_request(struct fuzz *fuzz, uint32_t vp, const struct hvs_personality *to, uint32_t request, void *data);
/* What a callback is given can be read. */
void fuzz_read_text(struct hvs_text text);

extern const struct hvs_hv_options fuzz_hv_options;
extern const struct hvs_vmw_options fuzz_vmw_options;
extern const struct hvs_xen_options fuzz_xen_options;
/* The one that runs now: in callbacks other vCPUs change its memory. */
extern struct fuzz_machine *fuzz_running;

void fuzz_hv_host(struct fuzz *fuzz, uint32_t vp);
void fuzz_vmw_backdoor(struct fuzz *fuzz, uint32_t vp);
void fuzz_vmw_rpc(struct fuzz *fuzz, uint32_t vp);
void fuzz_vmw_host(struct fuzz *fuzz, uint32_t vp);
void fuzz_xen_call(struct fuzz *fuzz, uint32_t vp);
void fuzz_xen_host(struct fuzz *fuzz, uint32_t vp);
void fuzz_store_request(struct fuzz *fuzz, uint32_t vp);
void fuzz_store_host(struct fuzz *fuzz, uint32_t vp);

#endif
