/* A client of xenstore over the mock: the guest's end of the ring. */
#ifndef XS_TEST_H
#define XS_TEST_H

#include "xen_test.h"

#include <hvshim/vmware.h>

#include <stdio.h>
#include <stdlib.h>

enum { SPECIAL_GFN = 0xf0, MAX_EVENTS = 64 };

struct reply {
    struct xsd_sockmsg head;
    char payload[XENSTORE_PAYLOAD_MAX + 1];     /* with a NUL */
};

struct client {
    struct mock mock;
    uint32_t port;
    uint32_t nr_events;
    struct reply event[MAX_EVENTS];
    struct reply reply;
};

static inline struct xenstore_domain_interface *ring_of(struct client *c)
{
    return (struct xenstore_domain_interface *)(c->mock.ram + SPECIAL_GFN * HVS_PAGE_BYTES);
}

static inline uint64_t get_param(struct mock *mock, uint32_t index)
{
    struct xen_hvm_param get = {.domid = DOMID_SELF, .index = index};

    assert_int_equal(HVM(mock, get_param, &get), 0);
    return get.value;
}

static inline void start_client_with(struct client *c, const struct hvs_xen_options *options)
{
    c->nr_events = 0;
    start_with(&c->mock, 2, options);
    map_shared(&c->mock);
    set_vector(&c->mock, 0);
    assert_int_equal(get_param(&c->mock, HVM_PARAM_STORE_PFN), SPECIAL_GFN);
    c->port = (uint32_t)get_param(&c->mock, HVM_PARAM_STORE_EVTCHN);
}

static inline void start_client(struct client *c)
{
    static const struct hvs_xen_options options = {.size = sizeof(options), .special_gfn = SPECIAL_GFN};

    start_client_with(c, &options);
}

/* The one of a test. */
static struct client client;

static inline int setup(void **state)
{
    (void)state;
    start_client(&client);
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    mock_stop(&client.mock);
    return 0;
}

static inline void kick(struct client *c)
{
    assert_int_equal(send(&c->mock, c->port), 0);
    assert_false(c->mock.out.effects_lost);
    while (hvs_vcpu_deadline_ns(mock_vcpu(&c->mock, 0)) <= c->mock.now_ns)
        mock_timer(&c->mock, 0);
    assert_int_equal(c->mock.nr_pinned, 0);
}

/* As much as fits. Returns how much. */
static inline uint32_t push(struct client *c, const void *from, uint32_t bytes)
{
    struct xenstore_domain_interface *ring = ring_of(c);
    uint32_t nr = 0;

    for (; nr < bytes && ring->req_prod - ring->req_cons < XENSTORE_RING_SIZE; nr++)
        ring->req[MASK_XENSTORE_IDX(ring->req_prod++)] = ((const char *)from)[nr];
    return nr;
}

static inline void push_all(struct client *c, const void *from, uint32_t bytes)
{
    for (uint32_t done = 0; done < bytes; kick(c)) {
        uint32_t nr = push(c, (const char *)from + done, bytes - done);

        assert_true(nr > 0);
        done += nr;
    }
}

static inline void pull(struct client *c, void *to, uint32_t bytes)
{
    struct xenstore_domain_interface *ring = ring_of(c);

    for (uint32_t nr = 0; nr < bytes; nr++) {
        if (ring->rsp_prod == ring->rsp_cons)
            kick(c);
        assert_true(ring->rsp_prod - ring->rsp_cons - 1 < XENSTORE_RING_SIZE);
        ((char *)to)[nr] = ring->rsp[MASK_XENSTORE_IDX(ring->rsp_cons++)];
    }
}

static inline void pull_message(struct client *c, struct reply *reply)
{
    pull(c, &reply->head, sizeof(reply->head));
    assert_in_range(reply->head.len, 0, XENSTORE_PAYLOAD_MAX);
    pull(c, reply->payload, reply->head.len);
    reply->payload[reply->head.len] = '\0';
}

static inline void take_event(struct client *c, const struct reply *event)
{
    assert_true(c->nr_events < MAX_EVENTS);
    assert_int_equal(event->head.req_id, 0);
    c->event[c->nr_events++] = *event;
}

/* All events that are there. */
static inline void pull_events(struct client *c)
{
    struct reply event;

    kick(c);
    while (ring_of(c)->rsp_prod != ring_of(c)->rsp_cons) {
        pull_message(c, &event);
        assert_int_equal(event.head.type, XS_WATCH_EVENT);
        take_event(c, &event);
        kick(c);
    }
}

static inline const char *ask_bytes(struct client *c, uint32_t type, uint32_t tx, const void *payload, uint32_t bytes)
{
    static uint32_t req_id;
    const struct xsd_sockmsg head = {.type = type, .req_id = ++req_id, .tx_id = tx, .len = bytes};

    push_all(c, &head, sizeof(head));
    push_all(c, payload, bytes);
    for (;;) {
        pull_message(c, &c->reply);
        if (c->reply.head.type != XS_WATCH_EVENT)
            break;
        take_event(c, &c->reply);
    }
    assert_int_equal(c->reply.head.req_id, req_id);
    assert_int_equal(c->reply.head.tx_id, tx);
    assert_true(c->reply.head.type == type || c->reply.head.type == XS_ERROR);
    return c->reply.payload;
}

/* The payload's strings are separated by '|', which stands for NUL; so does the end, where it is '|'. */
static inline const char *ask_in(struct client *c, uint32_t tx, uint32_t type, const char *payload)
{
    char bytes[XENSTORE_PAYLOAD_MAX];
    uint32_t nr = 0;

    for (; payload[nr]; nr++)
        bytes[nr] = payload[nr] == '|' ? '\0' : payload[nr];
    return ask_bytes(c, type, tx, bytes, nr);
}

static inline const char *ask(struct client *c, uint32_t type, const char *payload)
{
    return ask_in(c, 0, type, payload);
}

/* The reply, NULs as '|'. */
static inline const char *shown(struct client *c)
{
    for (uint32_t i = 0; i < c->reply.head.len; i++) {
        if (!c->reply.payload[i])
            c->reply.payload[i] = '|';
    }
    return c->reply.payload;
}

#define assert_reply(c, what, payload, expected) \
    do { \
        ask(c, what, payload); \
        assert_string_equal(shown(c), expected); \
    } while (0)
#define assert_reply_in(c, tx, what, payload, expected) \
    do { \
        ask_in(c, tx, what, payload); \
        assert_string_equal(shown(c), expected); \
    } while (0)
#define assert_error(c, what, payload, expected) \
    do { \
        assert_string_equal(ask(c, what, payload), expected); \
        assert_int_equal((c)->reply.head.type, XS_ERROR); \
    } while (0)

static inline void assert_event(struct client *c, uint32_t nr, const char *path, const char *token)
{
    assert_true(nr < c->nr_events);
    assert_string_equal(c->event[nr].payload, path);
    assert_string_equal(c->event[nr].payload + strlen(path) + 1, token);
}

static inline uint32_t begin_tx(struct client *c)
{
    return (uint32_t)atoi(ask(c, XS_TRANSACTION_START, "|"));
}

static inline int64_t host_store(struct client *c, uint32_t request, const char *path, struct hvs_text value,
                                 char *buffer, uint32_t buffer_bytes)
{
    struct hvs_xen_store args = {.path = {path, (uint32_t)strlen(path)}, .value = value, .buffer = buffer,
                                 .buffer_bytes = buffer_bytes};

    assert_int_equal(mock_host(&c->mock, 0, &hvs_xen_personality, request, &args), HVS_HANDLED);
    if (buffer && args.value.bytes < buffer_bytes)
        buffer[args.value.bytes] = '\0';
    return (int64_t)c->mock.out.value;
}

static inline int64_t host_write(struct client *c, const char *path, const char *value)
{
    return host_store(c, HVS_XEN_STORE_WRITE, path, (struct hvs_text){value, (uint32_t)strlen(value)}, NULL, 0);
}

#endif
