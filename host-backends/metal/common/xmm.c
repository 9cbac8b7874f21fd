/* XMM0..5 are the guest's own, in the CPU: nothing here uses them. */
#include "metal.h"

#define EACH(op) op(0) op(1) op(2) op(3) op(4) op(5)
#define STORE(n) case n: __asm__ volatile("movups %%xmm" #n ", %0" : "=m"(*xmm)); break;
#define LOAD(n) case n: __asm__ volatile("movups %0, %%xmm" #n : : "m"(*xmm)); break;

int port_xmm_read(void *ctx, uint32_t vp, uint32_t first, uint32_t count, struct hvs_xmm *xmm)
{
    (void)ctx, (void)vp;
    if (first > 6 || count > 6 - first)
        return HVS_EINVAL;
    for (uint32_t i = first; i < first + count; i++, xmm++) {
        switch (i) {
            EACH(STORE)
        }
    }
    return HVS_OK;
}

int port_xmm_write(void *ctx, uint32_t vp, uint32_t first, uint32_t count, const struct hvs_xmm *xmm)
{
    (void)ctx, (void)vp;
    if (first > 6 || count > 6 - first)
        return HVS_EINVAL;
    for (uint32_t i = first; i < first + count; i++, xmm++) {
        switch (i) {
            EACH(LOAD)
        }
    }
    return HVS_OK;
}
