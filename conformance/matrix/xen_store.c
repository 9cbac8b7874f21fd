/*
 * The Xen matrix: xenstore over the guest's ring [io/xs_wire.h; doc misc/xenstore.txt, xenstore-ring.txt].
 *
 * What a guest may read and write, transactions, watches, and requests that are wrong. Nodes of ours are below `data`,
 * which guests may write, and are removed again. Without a ring all is skipped. Left out: payloads beyond the ring.
 */
#include "xen_matrix.h"

#include <xen/event_channel.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/io/xs_wire.h>

enum { RING_BYTES = 1024, RSP_AT = 1024, REQ_PROD_AT = 2052, RSP_CONS_AT = 2056, RSP_PROD_AT = 2060,
       CONNECTION_AT = 2068, HEADER_BYTES = 16, MAX_TEXT = 256, MS_NS = 1000000, PATIENCE_MS = 1000, A_REQUEST = 77 };
#define NODE "data/conform"

struct reply {
    uint32_t type, req_id, tx_id, bytes;
    char text[MAX_TEXT + 1];
};

/* --- the wire ----------------------------------------------------------------------------------------------------- */

static uint32_t length(const char *text)
{
    uint32_t n = 0;

    while (text[n])
        n++;
    return n;
}

static bool equal(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

static void put_bytes(struct xen *x, const void *from, uint32_t bytes)
{
    uint32_t prod = xm_load(x->store + REQ_PROD_AT);

    for (uint32_t i = 0; i < bytes; i++)
        ((volatile uint8_t *)x->store)[(prod + i) % RING_BYTES] = ((const uint8_t *)from)[i];
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    xm_store32(x->store + REQ_PROD_AT, prod + bytes);
    xm_send(x, x->store_port);
}

static uint32_t available(const struct xen *x)
{
    return xm_load(x->store + RSP_PROD_AT) - xm_load(x->store + RSP_CONS_AT);
}

static uint8_t peek(const struct xen *x, uint32_t at)
{
    return ((volatile uint8_t *)x->store)[RSP_AT + (xm_load(x->store + RSP_CONS_AT) + at) % RING_BYTES];
}

static uint32_t peek_word(const struct xen *x, uint32_t at)
{
    return peek(x, at) | (uint32_t)peek(x, at + 1) << 8 | (uint32_t)peek(x, at + 2) << 16 |
           (uint32_t)peek(x, at + 3) << 24;
}

static bool is_whole(const struct xen *x)
{
    return available(x) >= HEADER_BYTES && available(x) >= HEADER_BYTES + peek_word(x, 12);
}

static bool take(struct xen *x, struct reply *reply, uint32_t patience_ms)
{
    for (uint32_t ms = 0; !is_whole(x) && ms < patience_ms; ms++)
        x->env->wait(x->env->ctx, MS_NS);
    if (!is_whole(x))
        return false;
    *reply = (struct reply){peek_word(x, 0), peek_word(x, 4), peek_word(x, 8), peek_word(x, 12), {0}};
    for (uint32_t i = 0; i < reply->bytes && i < MAX_TEXT; i++)
        reply->text[i] = (char)peek(x, HEADER_BYTES + i);
    xm_store32(x->store + RSP_CONS_AT, xm_load(x->store + RSP_CONS_AT) + HEADER_BYTES + reply->bytes);
    xm_send(x, x->store_port);
    return true;
}

/* The answer to a request; events of watches that come before it are counted. */
static bool ask_bytes(struct xen *x, uint32_t type, uint32_t tx, const void *from, uint32_t bytes, struct reply *reply)
{
    const uint32_t header[] = {type, A_REQUEST, tx, bytes};

    put_bytes(x, header, HEADER_BYTES);
    if (bytes > 0)
        put_bytes(x, from, bytes);
    do {
        *reply = (struct reply){.type = XS_INVALID};
        if (!take(x, reply, PATIENCE_MS))
            return false;
        x->nr_store_events += reply->type == XS_WATCH_EVENT;
    } while (reply->type == XS_WATCH_EVENT);
    return true;
}

/* Of one text with its end, or of two, the second without it. */
static struct reply ask(struct xen *x, uint32_t type, uint32_t tx, const char *first, const char *second)
{
    char payload[MAX_TEXT];
    uint32_t bytes = 0;
    struct reply reply;

    for (uint32_t i = 0; i <= length(first); i++)
        payload[bytes++] = first[i];
    for (uint32_t i = 0; second && second[i]; i++)
        payload[bytes++] = second[i];
    ask_bytes(x, type, tx, payload, bytes, &reply);
    return reply;
}

static enum matrix_verdict fails(struct xen *x, const struct reply *r, const char *want)
{
    if (r->type != XS_ERROR)
        return matrix_fail(x->matrix, "no error", XS_ERROR, r->type);
    return equal(r->text, want) ? MATRIX_SUCCESS
                                : matrix_fail(x->matrix, "another error", (uint8_t)want[1], (uint8_t)r->text[1]);
}

static enum matrix_verdict is(struct xen *x, const struct reply *r, uint32_t type, const char *want)
{
    if (r->type != type)
        return matrix_fail(x->matrix, "another type", type, r->type);
    return !want || equal(r->text, want) ? MATRIX_SUCCESS
                                         : matrix_fail(x->matrix, "another text", length(want), length(r->text));
}

static uint32_t number(const char *text)
{
    uint32_t value = 0;

    for (; *text >= '0' && *text <= '9'; text++)
        value = value * 10 + (uint32_t)(*text - '0');
    return value;
}

/* --- nodes -------------------------------------------------------------------------------------------------------- */

static enum matrix_verdict own_domid(struct xen *x)
{
    struct reply r = ask(x, XS_READ, 0, "domid", NULL);

    return r.type != XS_READ ? is(x, &r, XS_READ, NULL) : xm_expect(x, x->domid, number(r.text));
}

static enum matrix_verdict echoes(struct xen *x)
{
    struct reply r = ask(x, XS_READ, 0, "domid", NULL);

    return r.req_id == A_REQUEST && r.tx_id == 0 ? MATRIX_SUCCESS
                                                 : matrix_fail(x->matrix, "another request", r.req_id, r.tx_id);
}

static enum matrix_verdict own_path(struct xen *x)
{
    struct reply path = ask(x, XS_READ, 0, "domid", NULL);
    char full[MAX_TEXT];
    uint32_t n = 0;

    path = ask(x, XS_GET_DOMAIN_PATH, 0, path.text, NULL);
    if (path.type != XS_GET_DOMAIN_PATH)
        return is(x, &path, XS_GET_DOMAIN_PATH, NULL);
    for (; path.text[n]; n++)
        full[n] = path.text[n];
    for (const char *tail = "/domid"; n < MAX_TEXT - 1 && *tail; tail++)
        full[n++] = *tail;
    full[n] = '\0';
    struct reply r = ask(x, XS_READ, 0, full, NULL);
    return r.type != XS_READ ? is(x, &r, XS_READ, NULL) : xm_expect(x, x->domid, number(r.text));
}

static enum matrix_verdict writes(struct xen *x)
{
    struct reply r = ask(x, XS_WRITE, 0, NODE, "a value");

    if (r.type != XS_WRITE)
        return is(x, &r, XS_WRITE, NULL);
    r = ask(x, XS_READ, 0, NODE, NULL);
    enum matrix_verdict verdict = is(x, &r, XS_READ, "a value");
    ask(x, XS_RM, 0, NODE, NULL);
    return verdict;
}

static enum matrix_verdict removes(struct xen *x)
{
    ask(x, XS_WRITE, 0, NODE "/a/b", "x");
    ask(x, XS_RM, 0, NODE, NULL);
    struct reply r = ask(x, XS_READ, 0, NODE "/a/b", NULL);
    return fails(x, &r, "ENOENT");
}

static enum matrix_verdict makes(struct xen *x)
{
    struct reply first = ask(x, XS_MKDIR, 0, NODE, NULL), again = ask(x, XS_MKDIR, 0, NODE, NULL);

    ask(x, XS_RM, 0, NODE, NULL);
    return first.type == XS_MKDIR ? is(x, &again, XS_MKDIR, NULL) : is(x, &first, XS_MKDIR, NULL);
}

static enum matrix_verdict lists(struct xen *x)
{
    ask(x, XS_WRITE, 0, NODE "/only", "");
    struct reply r = ask(x, XS_DIRECTORY, 0, NODE, NULL);
    ask(x, XS_RM, 0, NODE, NULL);
    return is(x, &r, XS_DIRECTORY, "only");
}

struct wrong {
    const char *subject, *check;
    uint32_t type, tx;
    const char *first, *second, *error;
};
static const struct wrong wrongs[] = {
    {"XS_READ", "a node that is not there", XS_READ, 0, NODE "/none", NULL, "ENOENT"},
    {"XS_DIRECTORY", "a node that is not there", XS_DIRECTORY, 0, NODE "/none", NULL, "ENOENT"},
    {"XS_GET_PERMS", "a node that is not there", XS_GET_PERMS, 0, NODE "/none", NULL, "ENOENT"},
    {"XS_WRITE", "a node of domain 0", XS_WRITE, 0, "/local/domain/0/conform", "x", "EACCES"},
    {"XS_WRITE", "what the toolstack has written", XS_WRITE, 0, "domid", "9", "EACCES"},
    {"XS_RM", "what the toolstack has written", XS_RM, 0, "domid", NULL, "EACCES"},
    {"XS_READ", "a path with an empty part", XS_READ, 0, "data//x", NULL, "EINVAL"},
    {"XS_READ", "a path that ends with a slash", XS_READ, 0, "data/", NULL, "EINVAL"},
    {"XS_WRITE", "a path with a letter that may not be", XS_WRITE, 0, "data/a b", "x", "EINVAL"},
    {"XS_READ", "no path", XS_READ, 0, "", NULL, "EINVAL"},
    {"XS_INTRODUCE", "is for the toolstack", XS_INTRODUCE, 0, "1", NULL, "EACCES"},
    {"XS_SET_TARGET", "is for the toolstack", XS_SET_TARGET, 0, "1", NULL, "EACCES"},
    {"xenstore", "a type that is not there", XS_TYPE_COUNT + 20, 0, "x", NULL, "ENOSYS"},
    {"XS_READ", "in a transaction that is not there", XS_READ, 99999, "domid", NULL, "ENOENT"},
    {"XS_TRANSACTION_END", "of one that is not there", XS_TRANSACTION_END, 99999, "T", NULL, "ENOENT"},
    {"XS_TRANSACTION_END", "of none", XS_TRANSACTION_END, 0, "T", NULL, "ENOENT"},
    {"XS_UNWATCH", "a token without its end", XS_UNWATCH, 0, "data", "token", "EINVAL"},
};

static void ask_wrongs(struct xen *x)
{
    for (uint32_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
        const struct wrong *w = &wrongs[i];

        if (!xm_begin(x, w->subject, w->check, "doc misc/xenstore.txt"))
            continue;
        struct reply r = ask(x, w->type, w->tx, w->first, w->second);
        xm_end(x, fails(x, &r, w->error));
    }
}

/* Nothing comes before the request is whole. */
static enum matrix_verdict in_parts(struct xen *x)
{
    static const uint32_t header[] = {XS_READ, A_REQUEST, 0, 6};
    struct reply r;

    put_bytes(x, header, 7);
    if (take(x, &r, 5))
        return matrix_fail(x->matrix, "an answer to a part", 7, r.type);
    put_bytes(x, (const uint8_t *)header + 7, HEADER_BYTES - 7);
    put_bytes(x, "domid", 3);
    if (take(x, &r, 5))
        return matrix_fail(x->matrix, "an answer to a part", 19, r.type);
    put_bytes(x, "id", 3);
    return take(x, &r, PATIENCE_MS) ? is(x, &r, XS_READ, NULL) : matrix_fail(x->matrix, "no answer", 6, 0);
}

static enum matrix_verdict around_the_end(struct xen *x)
{
    for (uint32_t i = 0; i < 60; i++) {
        struct reply r = ask(x, XS_READ, 0, "domid", NULL);

        if (r.type != XS_READ || number(r.text) != x->domid)
            return matrix_fail(x->matrix, "another answer", i, r.type);
    }
    return MATRIX_SUCCESS;
}

static const struct xen_point nodes[] = {
    {"XS_READ", "the domain's number", "doc misc/xenstore-paths", own_domid},
    {"xenstore", "requests are echoed", "io/xs_wire.h", echoes},
    {"XS_GET_DOMAIN_PATH", "leads to the same node", "doc misc/xenstore.txt", own_path},
    {"XS_WRITE", "is read again", "doc misc/xenstore.txt", writes},
    {"XS_RM", "takes what is below", "doc misc/xenstore.txt", removes},
    {"XS_MKDIR", "twice", "doc misc/xenstore.txt", makes},
    {"XS_DIRECTORY", "lists what is below", "doc misc/xenstore.txt", lists},
    {"xenstore", "a request in parts", "doc misc/xenstore-ring.txt", in_parts},
    {"xenstore", "goes on around the ring's end", "doc misc/xenstore-ring.txt", around_the_end},
};

/* --- transactions ------------------------------------------------------------------------------------------------- */

static uint32_t start(struct xen *x)
{
    struct reply r = ask(x, XS_TRANSACTION_START, 0, "", NULL);

    return r.type == XS_TRANSACTION_START ? number(r.text) : 0;
}

static enum matrix_verdict is_apart(struct xen *x)
{
    uint32_t tx = start(x);

    if (tx == 0)
        return matrix_fail(x->matrix, "no transaction", 0, 0);
    ask(x, XS_WRITE, tx, NODE, "x");
    struct reply within = ask(x, XS_READ, tx, NODE, NULL), without = ask(x, XS_READ, 0, NODE, NULL);
    ask(x, XS_TRANSACTION_END, tx, "F", NULL);
    return within.type != XS_READ ? is(x, &within, XS_READ, "x") : fails(x, &without, "ENOENT");
}

static enum matrix_verdict ended(struct xen *x, const char *how, bool is_kept)
{
    uint32_t tx = start(x);

    ask(x, XS_WRITE, tx, NODE, "x");
    struct reply end = ask(x, XS_TRANSACTION_END, tx, how, NULL), after = ask(x, XS_READ, 0, NODE, NULL);
    ask(x, XS_RM, 0, NODE, NULL);
    if (end.type != XS_TRANSACTION_END)
        return is(x, &end, XS_TRANSACTION_END, NULL);
    return is_kept ? is(x, &after, XS_READ, "x") : fails(x, &after, "ENOENT");
}

static enum matrix_verdict committed(struct xen *x)
{
    return ended(x, "T", true);
}

static enum matrix_verdict dropped(struct xen *x)
{
    return ended(x, "F", false);
}

static enum matrix_verdict conflict(struct xen *x)
{
    ask(x, XS_WRITE, 0, NODE, "old");
    uint32_t tx = start(x);
    ask(x, XS_READ, tx, NODE, NULL);
    ask(x, XS_WRITE, tx, NODE, "within");
    ask(x, XS_WRITE, 0, NODE, "without");
    struct reply end = ask(x, XS_TRANSACTION_END, tx, "T", NULL), after = ask(x, XS_READ, 0, NODE, NULL);
    ask(x, XS_RM, 0, NODE, NULL);
    enum matrix_verdict verdict = fails(x, &end, "EAGAIN");
    return verdict == MATRIX_SUCCESS ? is(x, &after, XS_READ, "without") : verdict;
}

static enum matrix_verdict ended_twice(struct xen *x)
{
    uint32_t tx = start(x);

    ask(x, XS_TRANSACTION_END, tx, "F", NULL);
    struct reply r = ask(x, XS_TRANSACTION_END, tx, "T", NULL);
    return fails(x, &r, "ENOENT");
}

/* "a domain may have so many at a time": then ENOSPC. */
static enum matrix_verdict too_many(struct xen *x)
{
    enum { MOST = 64 };
    uint32_t tx[MOST], nr = 0;
    struct reply r = {.type = XS_INVALID};

    while (nr < MOST) {
        r = ask(x, XS_TRANSACTION_START, 0, "", NULL);
        if (r.type != XS_TRANSACTION_START)
            break;
        tx[nr++] = number(r.text);
    }
    for (uint32_t i = 0; i < nr; i++)
        ask(x, XS_TRANSACTION_END, tx[i], "F", NULL);
    return nr == MOST ? matrix_skip(x->matrix, "there is no limit near") : fails(x, &r, "ENOSPC");
}

static const struct xen_point transactions[] = {
    {"XS_TRANSACTION_START", "what is in it is not outside", "doc misc/xenstore.txt", is_apart},
    {"XS_TRANSACTION_START", "one too many", "doc misc/xenstore.txt", too_many},
    {"XS_TRANSACTION_END", "T keeps it", "doc misc/xenstore.txt", committed},
    {"XS_TRANSACTION_END", "F drops it", "doc misc/xenstore.txt", dropped},
    {"XS_TRANSACTION_END", "after another's write", "doc misc/xenstore.txt", conflict},
    {"XS_TRANSACTION_END", "twice", "doc misc/xenstore.txt", ended_twice},
};

/* --- watches ------------------------------------------------------------------------------------------------------ */

/* "path", end, "token", end */
static struct reply watch(struct xen *x, uint32_t type, const char *path, const char *token)
{
    char payload[MAX_TEXT];
    uint32_t bytes = 0;
    struct reply reply;

    for (uint32_t i = 0; i <= length(path); i++)
        payload[bytes++] = path[i];
    for (uint32_t i = 0; i <= length(token); i++)
        payload[bytes++] = token[i];
    ask_bytes(x, type, 0, payload, bytes, &reply);
    return reply;
}

/* Events that were counted, and those that come yet. */
static uint32_t events(struct xen *x)
{
    struct reply r;
    uint32_t nr = x->nr_store_events;

    while (take(x, &r, nr ? 5 : 100))
        nr += r.type == XS_WATCH_EVENT;
    x->nr_store_events = 0;
    return nr;
}

static enum matrix_verdict fires_at_once(struct xen *x)
{
    x->nr_store_events = 0;
    struct reply r = watch(x, XS_WATCH, NODE, "token");
    uint32_t nr = events(x);
    watch(x, XS_UNWATCH, NODE, "token");
    return r.type != XS_WATCH ? is(x, &r, XS_WATCH, NULL) : xm_expect(x, 1, nr);
}

static enum matrix_verdict fires_below(struct xen *x)
{
    x->nr_store_events = 0;
    watch(x, XS_WATCH, NODE, "token");
    events(x);
    ask(x, XS_WRITE, 0, NODE "/below", "x");
    uint32_t nr = events(x);
    watch(x, XS_UNWATCH, NODE, "token");
    ask(x, XS_RM, 0, NODE, NULL);
    return nr > 0 ? MATRIX_SUCCESS : matrix_fail(x->matrix, "no event", 1, nr);
}

static enum matrix_verdict watched_twice(struct xen *x)
{
    watch(x, XS_WATCH, NODE, "token");
    struct reply r = watch(x, XS_WATCH, NODE, "token");
    watch(x, XS_UNWATCH, NODE, "token");
    events(x);
    return fails(x, &r, "EEXIST");
}

static enum matrix_verdict ends(struct xen *x)
{
    watch(x, XS_WATCH, NODE, "token");
    struct reply r = watch(x, XS_UNWATCH, NODE, "token");
    events(x);
    ask(x, XS_WRITE, 0, NODE, "x");
    uint32_t nr = events(x);
    ask(x, XS_RM, 0, NODE, NULL);
    return r.type != XS_UNWATCH ? is(x, &r, XS_UNWATCH, NULL) : xm_expect(x, 0, nr);
}

static enum matrix_verdict no_such_watch(struct xen *x)
{
    struct reply r = watch(x, XS_UNWATCH, NODE, "never");

    return fails(x, &r, "ENOENT");
}

static enum matrix_verdict reset_watches(struct xen *x)
{
    watch(x, XS_WATCH, NODE, "token");
    struct reply r = ask(x, XS_RESET_WATCHES, 0, "", NULL);
    if (r.type != XS_RESET_WATCHES)
        return is(x, &r, XS_RESET_WATCHES, NULL);
    events(x);
    r = watch(x, XS_UNWATCH, NODE, "token");
    return fails(x, &r, "ENOENT");
}

static const struct xen_point watches[] = {
    {"XS_WATCH", "fires at once", "doc misc/xenstore.txt", fires_at_once},
    {"XS_WATCH", "fires for what is below", "doc misc/xenstore.txt", fires_below},
    {"XS_WATCH", "twice", "doc misc/xenstore.txt", watched_twice},
    {"XS_UNWATCH", "ends it", "doc misc/xenstore.txt", ends},
    {"XS_UNWATCH", "of another token", "doc misc/xenstore.txt", no_such_watch},
    {"XS_RESET_WATCHES", "ends them all", "doc misc/xenstore.txt", reset_watches},
};

/* --- the ring ----------------------------------------------------------------------------------------------------- */

static uint64_t param(struct xen *x, uint32_t index)
{
    int64_t got = XEN_OP(x, __HYPERVISOR_hvm_op, HVMOP_get_param, "2248", DOMID_SELF, 0, index, 0);

    return got == 0 ? xm_out(x, "2248", 3) : 0;
}

/* A reset of event channels has closed the port: the host's end waits where it was. */
static bool find_ring(struct xen *x)
{
    uint64_t gfn = param(x, HVM_PARAM_STORE_PFN);

    x->store_port = (uint32_t)param(x, HVM_PARAM_STORE_EVTCHN);
    if (!x->env->memory || !x->env->wait || gfn == 0 || x->store_port == 0)
        return false;
    x->store = x->env->memory(x->env->ctx, gfn * MATRIX_PAGE_BYTES);
    if (!x->store || xm_load(x->store + CONNECTION_AT) != 0)
        return false;
    int64_t state = xm_status(x, x->store_port);
    if (state == EVTCHNSTAT_interdomain)
        x->store_host_port = (uint32_t)xm_out(x, XEN_STATUS_FORM, 5);
    if (state == EVTCHNSTAT_closed && x->store_host_port != 0) {
        if (XEN_OP(x, __HYPERVISOR_event_channel_op, EVTCHNOP_bind_interdomain, "244", 0, x->store_host_port, 0) != 0)
            return false;
        x->store_port = (uint32_t)xm_out(x, "244", 2);
        XEN_OP(x, __HYPERVISOR_hvm_op, HVMOP_set_param, "2248", DOMID_SELF, 0, HVM_PARAM_STORE_EVTCHN, x->store_port);
        return true;
    }
    return state == EVTCHNSTAT_interdomain;
}

void xm_ask_store(struct xen *x)
{
    if (!find_ring(x)) {
        if (xm_begin(x, "xenstore", "is there", "hvm/params.h, HVM_PARAM_STORE_PFN"))
            xm_end(x, matrix_skip(x->matrix, "no ring here"));
        return;
    }
    XEN_RUN(x, nodes);
    ask_wrongs(x);
    XEN_RUN(x, transactions);
    XEN_RUN(x, watches);
}
