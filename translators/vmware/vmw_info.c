/* Commands by which a guest learns what VM it is in [BDOOR]. */
#include "vmw_state.h"

int64_t vmw_getversion(struct hvs_ctx *ctx, struct hvs_call *call)
{
    (void)ctx;
    call->arg[VMW_EBX] = BDOOR_MAGIC;
    call->arg[VMW_ECX] = VMX_TYPE_SCALABLE_SERVER;
    return VERSION_MAGIC;
}

int64_t vmw_gethwversion(struct hvs_ctx *ctx, struct hvs_call *call)
{
    uint32_t version = vmw_options(ctx)->hw_version;

    call->arg[VMW_EBX] = BDOOR_MAGIC;
    return version ? version : HVS_VMW_HW_VERSION;
}

/* Byte 0 of the UUID comes first: lowest in EAX. */
int64_t vmw_getuuid(struct hvs_ctx *ctx, struct hvs_call *call)
{
    uint32_t part[4];

    memcpy(part, hvs_ctx_config(ctx)->uuid, sizeof(part));
    call->arg[VMW_EBX] = part[1];
    call->arg[VMW_ECX] = part[2];
    call->arg[VMW_EDX] = part[3];
    return part[0];
}

/* In MiB, as vmware-toolbox-cmd prints it; QEMU's answer in bytes wraps at 4 GiB. */
int64_t vmw_getmemsize(struct hvs_ctx *ctx, struct hvs_call *call)
{
    (void)call;
    return (uint32_t)(hvs_ctx_config(ctx)->memory_bytes >> 20);
}

/* Without interrupt remapping, a device's interrupt carries 8 bits of APIC id, and 255 means all. */
static bool interrupts_reach_every_apic(const struct hvs_ctx *ctx)
{
    for (uint32_t vp = 0; vp < hvs_ctx_nr_vps(ctx); vp++) {
        if (hvs_ctx_apic_id(ctx, vp) >= 255)
            return false;
    }
    return true;
}

int64_t vmw_get_vcpu_info(struct hvs_ctx *ctx, struct hvs_call *call)
{
    uint32_t info = 0;

    (void)call;
    if (hvs_ctx_config(ctx)->caps & HVS_CAP_TSC_STABLE)
        info |= 1u << BDOOR_CMD_VCPU_SYNC_VTSCS;
    if (interrupts_reach_every_apic(ctx))
        info |= 1u << BDOOR_CMD_VCPU_LEGACY_X2APIC_OK;
    return info;
}

/* As VMware prints a UUID: bytes in hexadecimal, with a dash in the middle. */
void hvs_vmw_serial(const uint8_t uuid[16], char text[HVS_VMW_SERIAL_BYTES])
{
    static const char digit[] = "0123456789abcdef", head[] = "VMware-";
    char *at = text + sizeof(head) - 1;

    memcpy(text, head, sizeof(head) - 1);
    for (uint32_t i = 0; i < 16; i++) {
        *at++ = digit[uuid[i] >> 4];
        *at++ = digit[uuid[i] & 15];
        *at++ = i == 7 ? '-' : ' ';
    }
    at[-1] = '\0';
}
