/*
 * For the tests of SynIC, messages, events and timers: a vCPU whose SynIC is on, and a guest's and a host's part in it.
 */
#ifndef SYNIC_TEST_H
#define SYNIC_TEST_H

#include "hv_test.h"

enum { SIM_GFN = 0x50, SIEF_GFN = 0x58, SINT = 2, VECTOR = 0x50 };      /* of VP n: + n */

static inline struct hv_message *synic_slot(const struct mock *mock, uint32_t vp, uint32_t sint)
{
    struct hv_message_page *page = (struct hv_message_page *)(void *)(mock->ram + (SIM_GFN + vp) * HV_PAGE_SIZE);

    return &page->sint_message[sint];
}

static inline uint8_t *synic_flags(const struct mock *mock, uint32_t vp, uint32_t sint)
{
    return mock->ram + (SIEF_GFN + vp) * HV_PAGE_SIZE + sint * (HV_SYNIC_EVENT_FLAGS_COUNT / 8);
}

/* SynIC and pages on, SINT2 unmasked. */
static inline void synic_on(struct mock *mock, uint32_t vp)
{
    hv_test_write(mock, vp, HV_X64_MSR_SCONTROL, 1);
    hv_test_write(mock, vp, HV_X64_MSR_SIMP, HV_TEST_PAGE_MSR(SIM_GFN + vp));
    hv_test_write(mock, vp, HV_X64_MSR_SIEFP, HV_TEST_PAGE_MSR(SIEF_GFN + vp));
    hv_test_write(mock, vp, HV_X64_MSR_SINT0 + SINT, VECTOR);
}

/* The guest takes the message as the TLFS recommends; EOM only where it was asked for. Says whether it was. */
static inline bool synic_take(struct mock *mock, uint32_t vp, uint32_t sint)
{
    struct hv_message *slot = synic_slot(mock, vp, sint);

    slot->header.message_type = HV_MESSAGE_TYPE_NONE;
    if (!(slot->header.message_flags & HV_MESSAGE_FLAG_PENDING))
        return false;
    hv_test_write(mock, vp, HV_X64_MSR_EOM, 0);
    return true;
}

/* The last exit raised `vector` on `vp` once and nothing else; 0: nothing at all. */
static inline void synic_expect_interrupt(const struct mock *mock, uint32_t vp, uint8_t vector)
{
    const struct hvs_effect *effect = NULL;

    assert_int_equal(mock_effects(mock, HVS_EFFECT_INJECT, &effect), vector != 0);
    if (!vector)
        return;
    assert_int_equal(effect->target, HVS_TARGET_VP);
    assert_int_equal(effect->vp, vp);
    assert_int_equal(effect->vector, vector);
    assert_false(effect->past_apic);
}

static inline struct hvs_hv_message synic_message(uint32_t sint, const char *text)
{
    struct hvs_hv_message message = {.sint = sint, .type = 1, .port_id = 77};

    message.payload_bytes = (uint32_t)strlen(text);
    memcpy(message.payload, text, message.payload_bytes);
    return message;
}

static inline enum hvs_hv_answer synic_host(struct mock *mock, uint32_t vp, struct hvs_exit exit)
{
    assert_int_equal(mock_host(mock, vp, exit.host.to, exit.host.request, exit.host.data), HVS_HANDLED);
    return (enum hvs_hv_answer)mock->out.value;
}

static inline enum hvs_hv_answer synic_post(struct mock *mock, uint32_t vp, uint32_t sint, const char *text)
{
    struct hvs_hv_message message = synic_message(sint, text);

    return synic_host(mock, vp, hvs_hv_post_exit(&message));
}

static inline enum hvs_hv_answer synic_signal(struct mock *mock, uint32_t vp, uint32_t sint, uint32_t flag)
{
    struct hvs_hv_event event = {.sint = sint, .flag = flag};

    return synic_host(mock, vp, hvs_hv_signal_exit(&event));
}

#endif
