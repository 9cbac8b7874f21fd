/* XMM0..5 are the guest's own, in the CPU: nothing here uses them. */
#include "metal.h"

#define EACH(op) op(0) op(1) op(2) op(3) op(4) op(5)
#define STORE(n) case n: __asm__ volatile("movups %%xmm" #n ", %0" : "=m"(*xmm)); break;
#define LOAD(n) case n: __asm__ volatile("movups %0, %%xmm" #n : : "m"(*xmm)); break;
#define PORT_XMM(name, type, op) \
    int name(void *ctx, uint32_t vp, uint32_t first, uint32_t count, type *xmm) \
    { \
        (void)ctx, (void)vp; \
        if (first > 6 || count > 6 - first) \
            return HVS_EINVAL; \
        for (uint32_t i = first; i < first + count; i++, xmm++) { \
            switch (i) { \
                EACH(op) \
            } \
        } \
        return HVS_OK; \
    }

PORT_XMM(port_xmm_read, struct hvs_xmm, STORE)
PORT_XMM(port_xmm_write, const struct hvs_xmm, LOAD)
