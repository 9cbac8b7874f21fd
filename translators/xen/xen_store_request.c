/*
 * xenstore requests of the guest: their payloads, and the replies [XEN docs/misc/xenstore.txt; public/io/xs_wire.h].
 *
 * A request was copied once from the ring; nothing here looks at guest memory.
 */
#include "xen_state.h"

struct request {
    struct xsd_sockmsg head;
    struct hvs_text payload;
    struct xs_caller who;
    bool has_reply;             /* one is being made, or was sent */
};

static const struct {
    int error;
    const char *name;
} errors[] = {
    {XEN_EINVAL, "EINVAL"}, {XEN_EACCES, "EACCES"}, {XEN_EEXIST, "EEXIST"}, {XEN_ENOENT, "ENOENT"},
    {XEN_ENOSPC, "ENOSPC"}, {XEN_ENOSYS, "ENOSYS"}, {XEN_EBUSY, "EBUSY"}, {XEN_EAGAIN, "EAGAIN"},
    {XEN_E2BIG, "E2BIG"}, {XEN_EPERM, "EPERM"},
};

/* --- replies ------------------------------------------------------------------------------------------------------ */

static void begin_reply(struct hvs_ctx *ctx, struct request *rq)
{
    rq->has_reply = true;
    xen_store_queue_begin(xen_store_of(ctx), rq->head.type, rq->head.req_id, rq->head.tx_id);
}

/* Returns false where it gets too long. */
static bool add(struct hvs_ctx *ctx, const void *bytes, uint32_t nr_bytes)
{
    return xen_store_queue_add(xen_store_of(ctx), bytes, nr_bytes);
}

static int end_reply(struct hvs_ctx *ctx)
{
    xen_store_queue_end(xen_store_of(ctx));
    return 0;
}

static int reply_bytes(struct hvs_ctx *ctx, struct request *rq, const void *bytes, uint32_t nr_bytes)
{
    begin_reply(ctx, rq);
    return add(ctx, bytes, nr_bytes) ? end_reply(ctx) : XEN_E2BIG;
}

static int reply_text(struct hvs_ctx *ctx, struct request *rq, const char *text)
{
    return reply_bytes(ctx, rq, text, xen_store_text(text).bytes + 1);
}

static void reply_error(struct hvs_ctx *ctx, struct request *rq, int error)
{
    const char *name = errors[0].name;

    for (uint32_t i = 0; i < HVS_ARRAY_SIZE(errors); i++) {
        if (errors[i].error == error)
            name = errors[i].name;
    }
    rq->head.type = XS_ERROR;
    reply_text(ctx, rq, name);
}

/* --- payloads ----------------------------------------------------------------------------------------------------- */

/* Takes what is before the first NUL. */
static bool take_text(struct hvs_text *from, struct hvs_text *text)
{
    *text = (struct hvs_text){from->text, 0};
    while (text->bytes < from->bytes && text->text[text->bytes])
        text->bytes++;
    if (text->bytes == from->bytes)
        return false;
    from->text += text->bytes + 1;
    from->bytes -= text->bytes + 1;
    return true;
}

/* The payload is one text. */
static bool take_only(const struct request *rq, struct hvs_text *text)
{
    struct hvs_text rest = rq->payload;

    return take_text(&rest, text) && rest.bytes == 0;
}

static int take_only_path(struct hvs_ctx *ctx, const struct request *rq)
{
    struct hvs_text text;

    return take_only(rq, &text) ? xen_store_path_parse(ctx, text, false) : XEN_EINVAL;
}

/* The payload begins with a path; *rest is what follows. */
static int take_path(struct hvs_ctx *ctx, const struct request *rq, bool may_be_special, struct hvs_text *rest)
{
    struct hvs_text text;

    *rest = rq->payload;
    return take_text(rest, &text) ? xen_store_path_parse(ctx, text, may_be_special) : XEN_EINVAL;
}

static bool take_number(struct hvs_text text, uint32_t *number)
{
    uint64_t value = 0;

    for (uint32_t i = 0; i < text.bytes; i++) {
        if (text.text[i] < '0' || text.text[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(text.text[i] - '0');
        if (value > UINT32_MAX)
            return false;
    }
    *number = (uint32_t)value;
    return text.bytes > 0;
}

/* --- nodes -------------------------------------------------------------------------------------------------------- */

static int get_for_reading(struct hvs_ctx *ctx, struct request *rq, struct xs_node *node)
{
    int err = take_only_path(ctx, rq);

    return err ? err : xen_store_access_get(ctx, rq->who, XS_MAY_READ, node);
}

static int do_directory(struct hvs_ctx *ctx, struct request *rq)
{
    struct xs_children children;
    struct hvs_text name;
    struct xs_node node;
    int err = get_for_reading(ctx, rq, &node);

    if (err)
        return err;
    begin_reply(ctx, rq);
    for (xen_store_children_begin(ctx, rq->who.tx, &children); xen_store_children_next(ctx, &children, &name);) {
        if (!add(ctx, name.text, name.bytes) || !add(ctx, "", 1))
            return XEN_E2BIG;
    }
    return end_reply(ctx);
}

/* The names from byte `offset` of all on, as many as fit. An empty one follows the last. */
static int list_part(struct hvs_ctx *ctx, struct request *rq, uint32_t offset)
{
    char generation[XS_NUMBER_BYTES];
    const uint32_t bytes = xen_store_number(xen_store_of(ctx)->nr_changes, generation) + 1;
    uint32_t left = XENSTORE_PAYLOAD_MAX - 1 - bytes, at = 0;
    struct xs_children children;
    struct hvs_text name;

    begin_reply(ctx, rq);
    add(ctx, generation, bytes);
    xen_store_children_begin(ctx, rq->who.tx, &children);
    for (; xen_store_children_next(ctx, &children, &name); at += name.bytes + 1) {
        if (at < offset)
            continue;
        if (name.bytes + 1 > left)
            return end_reply(ctx);
        add(ctx, name.text, name.bytes);
        add(ctx, "", 1);
        left -= name.bytes + 1;
    }
    add(ctx, "", 1);
    return end_reply(ctx);
}

static int do_directory_part(struct hvs_ctx *ctx, struct request *rq)
{
    struct hvs_text rest, number;
    struct xs_node node;
    uint32_t offset;
    int err = take_path(ctx, rq, false, &rest);

    if (!err && (!take_text(&rest, &number) || rest.bytes || !take_number(number, &offset)))
        err = XEN_EINVAL;
    if (!err)
        err = xen_store_access_get(ctx, rq->who, XS_MAY_READ, &node);
    return err ? err : list_part(ctx, rq, offset);
}

static int do_read(struct hvs_ctx *ctx, struct request *rq)
{
    struct xs_node node;
    int err = get_for_reading(ctx, rq, &node);

    return err ? err : reply_bytes(ctx, rq, node.value.text, node.value.bytes);
}

static int do_get_perms(struct hvs_ctx *ctx, struct request *rq)
{
    char text[XS_PERM_TEXT_BYTES];
    struct xs_perms perms;
    struct xs_node node;
    int err = get_for_reading(ctx, rq, &node);

    if (err)
        return err;
    perms = xen_store_perms_of(ctx, node.tag);
    begin_reply(ctx, rq);
    for (uint32_t i = 0; i < perms.nr; i++)
        add(ctx, text, xen_store_perms_text(&perms, i, text));
    return end_reply(ctx);
}

static int do_write(struct hvs_ctx *ctx, struct request *rq)
{
    struct hvs_text value;
    int err = take_path(ctx, rq, false, &value);

    return err ? err : xen_store_access_write(ctx, rq->who, value);
}

static int do_mkdir(struct hvs_ctx *ctx, struct request *rq)
{
    int err = take_only_path(ctx, rq);

    return err ? err : xen_store_access_mkdir(ctx, rq->who);
}

static int do_rm(struct hvs_ctx *ctx, struct request *rq)
{
    int err = take_only_path(ctx, rq);

    return err ? err : xen_store_access_remove(ctx, rq->who);
}

static int do_set_perms(struct hvs_ctx *ctx, struct request *rq)
{
    struct xs_perms perms;
    struct hvs_text texts;
    int err = take_path(ctx, rq, false, &texts);

    if (!err)
        err = xen_store_perms_parse(texts, &perms);
    return err ? err : xen_store_access_set_perms(ctx, rq->who, &perms);
}

/* --- watches and transactions ------------------------------------------------------------------------------------- */

static int do_watch(struct hvs_ctx *ctx, struct request *rq)
{
    struct hvs_text rest, token;
    int err = take_path(ctx, rq, true, &rest);

    if (!err && !take_text(&rest, &token))
        err = XEN_EINVAL;
    if (!err)
        err = xen_store_watch_add(ctx, token);
    if (err)
        return err;
    reply_text(ctx, rq, "OK");
    xen_store_watch_tell_first(ctx, token);
    return 0;
}

static int do_unwatch(struct hvs_ctx *ctx, struct request *rq)
{
    struct hvs_text rest, token;
    int err = take_path(ctx, rq, true, &rest);

    if (!err && !take_text(&rest, &token))
        err = XEN_EINVAL;
    return err ? err : xen_store_watch_remove(ctx, token);
}

static int do_transaction_start(struct hvs_ctx *ctx, struct request *rq)
{
    char text[XS_NUMBER_BYTES];
    uint32_t id;
    int err = rq->who.tx ? XEN_EBUSY : xen_store_tx_begin(ctx, &id);

    if (err)
        return err;
    xen_store_number(id, text);
    return reply_text(ctx, rq, text);
}

static int do_transaction_end(struct hvs_ctx *ctx, struct request *rq)
{
    struct hvs_text text;

    if (!take_only(rq, &text) || text.bytes != 1 || (text.text[0] != 'T' && text.text[0] != 'F'))
        return XEN_EINVAL;
    if (!rq->who.tx)
        return XEN_ENOENT;
    return xen_store_tx_end(ctx, rq->who.tx, text.text[0] == 'T');
}

static int do_reset_watches(struct hvs_ctx *ctx, struct request *rq)
{
    (void)rq;
    xen_store_watch_remove_all(ctx);
    xen_store_tx_end_all(ctx);
    return 0;
}

/* --- domains ------------------------------------------------------------------------------------------------------ */

static int take_domid(const struct request *rq, uint32_t *domid)
{
    struct hvs_text text;

    return take_only(rq, &text) && take_number(text, domid) ? 0 : XEN_EINVAL;
}

static int do_get_domain_path(struct hvs_ctx *ctx, struct request *rq)
{
    static const char begin[] = "/local/domain/";
    char text[sizeof(begin) + XS_NUMBER_BYTES];
    uint32_t domid;
    int err = take_domid(rq, &domid);

    if (err)
        return err;
    memcpy(text, begin, sizeof(begin));
    xen_store_number(domid, text + sizeof(begin) - 1);
    return reply_text(ctx, rq, text);
}

static int do_is_domain_introduced(struct hvs_ctx *ctx, struct request *rq)
{
    uint32_t domid;
    int err = take_domid(rq, &domid);

    if (err)
        return err;
    return reply_text(ctx, rq, domid == XEN_DOMID_HOST || domid == DOMID_SELF || domid == xen_options(ctx).domid ?
                      "T" : "F");
}

static int do_privileged(struct hvs_ctx *ctx, struct request *rq)
{
    (void)ctx, (void)rq;
    return XEN_EACCES;
}

/* --- which is which ----------------------------------------------------------------------------------------------- */

static const struct {
    int (*fn)(struct hvs_ctx *ctx, struct request *rq);
    bool has_no_tx;             /* tx_id means nothing */
} kinds[XS_TYPE_COUNT] = {
    [XS_CONTROL] = {do_privileged, true},
    [XS_DIRECTORY] = {do_directory, false},
    [XS_READ] = {do_read, false},
    [XS_GET_PERMS] = {do_get_perms, false},
    [XS_WATCH] = {do_watch, true},
    [XS_UNWATCH] = {do_unwatch, true},
    [XS_TRANSACTION_START] = {do_transaction_start, false},
    [XS_TRANSACTION_END] = {do_transaction_end, false},
    [XS_INTRODUCE] = {do_privileged, true},
    [XS_RELEASE] = {do_privileged, true},
    [XS_GET_DOMAIN_PATH] = {do_get_domain_path, true},
    [XS_WRITE] = {do_write, false},
    [XS_MKDIR] = {do_mkdir, false},
    [XS_RM] = {do_rm, false},
    [XS_SET_PERMS] = {do_set_perms, false},
    [XS_IS_DOMAIN_INTRODUCED] = {do_is_domain_introduced, true},
    [XS_RESUME] = {do_privileged, true},
    [XS_SET_TARGET] = {do_privileged, true},
    [XS_RESET_WATCHES] = {do_reset_watches, true},
    [XS_DIRECTORY_PART] = {do_directory_part, false},
};

static int answer(struct hvs_ctx *ctx, struct request *rq)
{
    if (rq->head.type >= XS_TYPE_COUNT || !kinds[rq->head.type].fn)
        return XEN_ENOSYS;
    if (!kinds[rq->head.type].has_no_tx && rq->head.tx_id) {
        rq->who.tx = xen_store_tx_find(ctx, rq->head.tx_id);
        if (!rq->who.tx)
            return XEN_ENOENT;
    }
    return kinds[rq->head.type].fn(ctx, rq);
}

void xen_store_request(struct hvs_ctx *ctx)
{
    const struct xen_store *store = xen_store_of(ctx);
    struct request rq = {.has_reply = false};
    int err;

    memcpy(&rq.head, store->in, sizeof(rq.head));
    rq.payload = (struct hvs_text){(const char *)store->in + sizeof(rq.head), rq.head.len};
    err = answer(ctx, &rq);
    if (err)
        reply_error(ctx, &rq, err);     /* what was begun of another reply has been taken back */
    else if (!rq.has_reply)
        reply_text(ctx, &rq, "OK");
}
