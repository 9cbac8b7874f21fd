/*
 * --hyperv-echo: what a Hyper-V guest posts or signals to connection N + s comes back on SINTs of the same vCPU.
 *
 * The smallest use of the host's side of the SynIC (<hvshim/hyperv.h>): callbacks note what came, a thread of its own
 * sends it back, in order for each slot, and waits with what finds its slot taken. A guest that never frees a slot, or
 * posts faster than it reads, finds the service out of buffers.
 *
 * Lock order: the callbacks run under a vCPU's lock and take ours; the thread holds ours never across a dispatch.
 */
#include "machine.h"

#include <stdlib.h>
#include <string.h>

#include <hvshim/hyperv.h>

enum { NR_SINTS = 16, MAX_ITEMS = 32 };

struct item {
    uint32_t vp;
    bool is_event;
    bool is_waiting;                    /* for slot_freed */
    struct hvs_hv_message message;
    struct hvs_hv_event event;
};

struct echo {
    struct machine *machine;
    struct hvs_hv_host host;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock;               /* for what follows */
    pthread_cond_t changed;
    bool is_ending;
    struct item item[MAX_ITEMS];        /* oldest first */
    size_t nr_items;
};

/* --- callbacks, in a vCPU's exit -------------------------------------------------------------------------------- */

static enum hvs_hv_status note(struct echo *echo, const struct item *item)
{
    enum hvs_hv_status status = HVS_HV_INSUFFICIENT_BUFFERS;
    pthread_mutex_lock(&echo->lock);
    if (echo->nr_items < MAX_ITEMS) {
        echo->item[echo->nr_items++] = *item;
        status = HVS_HV_SUCCESS;
    }
    pthread_cond_signal(&echo->changed);
    pthread_mutex_unlock(&echo->lock);
    return status;
}

/* The SINT of a connection; NR_SINTS or more where it is none of ours. */
static uint32_t sint_of(const struct echo *echo, uint32_t connection)
{
    return connection - echo->machine->options->hyperv_echo;
}

static enum hvs_hv_status message_posted(void *ctx, uint32_t vp, uint32_t connection, uint32_t type,
                                         const void *payload, uint32_t payload_bytes)
{
    struct item item = {.vp = vp};
    if (sint_of(ctx, connection) >= NR_SINTS)
        return HVS_HV_INVALID_CONNECTION_ID;
    item.message = (struct hvs_hv_message){
        .sint = sint_of(ctx, connection), .type = type, .port_id = connection, .payload_bytes = payload_bytes,
    };
    memcpy(item.message.payload, payload, payload_bytes);
    return note(ctx, &item);
}

static enum hvs_hv_status event_signalled(void *ctx, uint32_t vp, uint32_t connection, uint32_t flag)
{
    const struct item item = {.vp = vp, .is_event = true, .event = {.sint = sint_of(ctx, connection), .flag = flag}};
    return item.event.sint < NR_SINTS ? note(ctx, &item) : HVS_HV_INVALID_CONNECTION_ID;
}

static bool is_for(const struct item *item, uint32_t vp, uint32_t sint)
{
    return !item->is_event && item->vp == vp && item->message.sint == sint;
}

static void slot_freed(void *ctx, uint32_t vp, uint32_t sint)
{
    struct echo *echo = ctx;
    pthread_mutex_lock(&echo->lock);
    for (size_t i = 0; i < echo->nr_items; i++)
        if (is_for(&echo->item[i], vp, sint))
            echo->item[i].is_waiting = false;
    pthread_cond_signal(&echo->changed);
    pthread_mutex_unlock(&echo->lock);
}

/* --- the thread ------------------------------------------------------------------------------------------------- */

/* Messages overtake none that is for the same slot. Lock held. */
static bool is_ready(const struct echo *echo, size_t index)
{
    const struct item *item = &echo->item[index];
    for (size_t i = 0; i <= index; i++)
        if (echo->item[i].is_waiting && is_for(&echo->item[i], item->vp, item->message.sint))
            return item->is_event;
    return true;
}

static size_t first_ready(const struct echo *echo)
{
    size_t i = 0;
    while (i < echo->nr_items && !is_ready(echo, i))
        i++;
    return i;
}

static uint64_t send(struct echo *echo, struct item *item)
{
    struct hvs_exit exit = item->is_event ? hvs_hv_signal_exit(&item->event) : hvs_hv_post_exit(&item->message);
    uint64_t answer = HVS_HV_REFUSED;
    hvs_kvm_dispatch(echo->machine->shim, item->vp, &exit, &answer);
    return answer;
}

/* Lock held, dropped while it sends. */
static void serve(struct echo *echo, size_t index)
{
    struct item copy = echo->item[index];
    echo->item[index].is_waiting = true;        /* already: the slot may be freed before we have the answer */
    pthread_mutex_unlock(&echo->lock);
    uint64_t answer = send(echo, &copy);
    pthread_mutex_lock(&echo->lock);
    if (answer == HVS_HV_BUSY)
        return;
    echo->nr_items--;                           /* the callbacks only append, so it is where it was */
    memmove(&echo->item[index], &echo->item[index + 1], (echo->nr_items - index) * sizeof(echo->item[0]));
}

static void *run(void *argument)
{
    struct echo *echo = argument;
    pthread_mutex_lock(&echo->lock);
    while (!echo->is_ending) {
        size_t index = first_ready(echo);
        if (index < echo->nr_items)
            serve(echo, index);
        else
            pthread_cond_wait(&echo->changed, &echo->lock);
    }
    pthread_mutex_unlock(&echo->lock);
    return NULL;
}

/* --- making ----------------------------------------------------------------------------------------------------- */

int vmm_echo_create(struct machine *m)
{
    if (!m->options->hyperv_echo)
        return 0;
    m->echo = calloc(1, sizeof(*m->echo));
    if (!m->echo)
        return vmm_fail("no memory for the echo service");
    m->echo->machine = m;
    m->echo->host = (struct hvs_hv_host){
        .size = sizeof(m->echo->host), .ctx = m->echo, .message_posted = message_posted,
        .event_signalled = event_signalled, .slot_freed = slot_freed,
    };
    pthread_mutex_init(&m->echo->lock, NULL);
    pthread_cond_init(&m->echo->changed, NULL);
    return 0;
}

const struct hvs_hv_host *vmm_echo_host(const struct machine *m)
{
    return m->echo ? &m->echo->host : NULL;
}

int vmm_echo_start(struct machine *m)
{
    if (!m->echo)
        return 0;
    int err = pthread_create(&m->echo->thread, NULL, run, m->echo);
    if (err)
        return vmm_fail("cannot start the thread of the echo service: %s", strerror(err));
    m->echo->has_thread = true;
    return 0;
}

void vmm_echo_stop(struct machine *m)
{
    if (!m->echo || !m->echo->has_thread)
        return;
    pthread_mutex_lock(&m->echo->lock);
    m->echo->is_ending = true;
    pthread_cond_signal(&m->echo->changed);
    pthread_mutex_unlock(&m->echo->lock);
    pthread_join(m->echo->thread, NULL);
    m->echo->has_thread = false;
}

void vmm_echo_destroy(struct machine *m)
{
    if (!m->echo)
        return;
    pthread_cond_destroy(&m->echo->changed);
    pthread_mutex_destroy(&m->echo->lock);
    free(m->echo);
}
