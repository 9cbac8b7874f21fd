/*
 * What comes to a guest's SynIC from outside, and what goes out of it without the VMM: HV_SINT routes with irqfds on
 * them, KVM_HYPERV_EVENTFD [api.rst 4.52 KVM_SET_GSI_ROUTING, 4.75 KVM_IRQFD, 4.112 KVM_HYPERV_EVENTFD]; and routes to
 * Xen's event channels.
 *
 * The kernel gets all other routes. Irqfds that are made for a GSI with such a route are ours: one thread for the VM
 * waits for all of them and raises the SINT. Who asked to be told (resamplefd) is when the guest writes EOM, as it does
 * where a message had to wait; the kernel tells at each EOI of the SINT's vector too, which nobody sees here.
 */
#include "dropin.h"

#include <errno.h>
#include <linux/kcmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

void hvs_dropin_hv_events_init(struct hvs_dropin_hv_events *events)
{
    pthread_mutex_init(&events->lock, NULL);
    events->epoll_fd = events->end_fd = -1;
}

static int refuse(int err)
{
    errno = err;
    return -1;
}

/* --- raising SINTs ------------------------------------------------------------------------------------------------ */

/* Lock held. */
static const struct hvs_dropin_hv_route *find_route(const struct hvs_dropin_hv_events *events, uint32_t gsi)
{
    for (size_t i = 0; i < events->nr_routes; i++) {
        if (events->route[i].gsi == gsi)
            return &events->route[i];
    }
    return NULL;
}

/* Likewise. Says whether the GSI is one of ours. */
static bool raise_gsi(struct hvs_dropin_hv_events *events, uint32_t gsi)
{
    const struct hvs_dropin_hv_route *route = find_route(events, gsi);
    struct hvs_hv_event event;
    struct hvs_exit exit;

    if (!route)
        return false;
    if (route->is_xen) {
        hvs_dropin_xen_event(events->xen, &route->event);
        return true;
    }
    event = (struct hvs_hv_event){.sint = route->sint};
    exit = hvs_hv_raise_exit(&event);
    if (events->kvm)
        hvs_kvm_dispatch(events->kvm, route->vp, &exit, NULL);
    return true;
}

/* The VMM may have taken it back since, and its descriptor may be one that waits. */
static bool take(int fd)
{
    uint64_t count;
    struct iovec into = {&count, sizeof(count)};

    return preadv2(fd, &into, 1, -1, RWF_NOWAIT) == sizeof(count);
}

/* The list may have changed since epoll_wait(): only what is still in it is read. */
static void serve(struct hvs_dropin_hv_events *events, const struct hvs_dropin_hv_irqfd *ready)
{
    const struct hvs_dropin_hv_irqfd *irqfd;

    pthread_mutex_lock(&events->lock);
    for (irqfd = events->irqfd; irqfd && irqfd != ready;)
        irqfd = irqfd->next;
    if (irqfd && take(irqfd->fd))
        raise_gsi(events, irqfd->gsi);
    pthread_mutex_unlock(&events->lock);
}

static void *run(void *ctx)
{
    struct hvs_dropin_hv_events *events = ctx;
    struct epoll_event ready;

    for (;;) {
        if (epoll_wait(events->epoll_fd, &ready, 1, -1) < 1)
            continue;
        if (!ready.data.ptr)
            return NULL;
        serve(events, ready.data.ptr);
    }
}

static bool watch(struct hvs_dropin_hv_events *events, int fd, void *what)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = what}};

    return epoll_ctl(events->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* Lock held. The VMM's signals are for its own threads. */
static bool start_thread(struct hvs_dropin_hv_events *events)
{
    sigset_t all, before;

    if (events->is_running)
        return true;
    if (events->epoll_fd < 0)
        events->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (events->end_fd < 0)
        events->end_fd = eventfd(0, EFD_CLOEXEC);
    if (events->epoll_fd < 0 || events->end_fd < 0)
        return false;
    epoll_ctl(events->epoll_fd, EPOLL_CTL_DEL, events->end_fd, NULL);
    if (!watch(events, events->end_fd, NULL))
        return false;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    events->is_running = pthread_create(&events->thread, NULL, run, events) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return events->is_running;
}

void hvs_dropin_hv_events_start(struct hvs_dropin_hv_events *events, struct hvs_kvm *kvm)
{
    pthread_mutex_lock(&events->lock);
    events->kvm = kvm;
    pthread_mutex_unlock(&events->lock);
}

/* --- routes ------------------------------------------------------------------------------------------------------- */

static bool is_event(const struct hvs_dropin_hv_events *events, const struct kvm_irq_routing_entry *e)
{
    return events->xen && e->type == KVM_IRQ_ROUTING_XEN_EVTCHN;
}

/* Returns false where one of ours cannot be. */
static bool count_ours(const struct hvs_dropin_hv_events *events, const struct kvm_irq_routing *routing, size_t *nr)
{
    *nr = 0;
    for (uint32_t i = 0; i < routing->nr; i++) {
        const struct kvm_irq_routing_entry *e = &routing->entries[i];

        if (is_event(events, e) && !hvs_dropin_xen_event_is_sane(&e->u.xen_evtchn))
            return false;
        *nr += e->type == KVM_IRQ_ROUTING_HV_SINT || is_event(events, e);
    }
    return true;
}

/* Splits what the VMM wants. A SINT that there is not is never raised. */
static void split(const struct hvs_dropin_hv_events *events, const struct kvm_irq_routing *all,
                  struct kvm_irq_routing *others, struct hvs_dropin_hv_route *ours)
{
    size_t nr = 0;

    for (uint32_t i = 0; i < all->nr; i++) {
        const struct kvm_irq_routing_entry *e = &all->entries[i];

        if (is_event(events, e))
            ours[nr++] = (struct hvs_dropin_hv_route){.gsi = e->gsi, .is_xen = true, .event = e->u.xen_evtchn};
        else if (e->type == KVM_IRQ_ROUTING_HV_SINT)
            ours[nr++] = (struct hvs_dropin_hv_route){
                .gsi = e->gsi, .vp = e->u.hv_sint.vcpu, .sint = e->u.hv_sint.sint};
        else
            others->entries[others->nr++] = *e;
    }
}

/* Returns those that were there. */
static struct hvs_dropin_hv_route *exchange_routes(struct hvs_dropin_hv_events *events,
                                                   struct hvs_dropin_hv_route *route, size_t nr)
{
    struct hvs_dropin_hv_route *before;

    pthread_mutex_lock(&events->lock);
    before = events->route;
    events->route = route;
    events->nr_routes = nr;
    pthread_mutex_unlock(&events->lock);
    return before;
}

int hvs_dropin_hv_set_routing(struct hvs_dropin_hv_events *events, int fd, const struct kvm_irq_routing *routing)
{
    struct kvm_irq_routing *others;
    struct hvs_dropin_hv_route *ours;
    int answer = -1;
    size_t nr;

    if (!count_ours(events, routing, &nr))
        return refuse(EINVAL);
    others = calloc(1, sizeof(*others) + routing->nr * sizeof(others->entries[0]));
    ours = calloc(nr + 1, sizeof(*ours));
    errno = ENOMEM;
    if (others && ours) {
        split(events, routing, others, ours);
        others->flags = routing->flags;
        answer = ioctl(fd, KVM_SET_GSI_ROUTING, others);
    }
    if (answer == 0)
        ours = exchange_routes(events, ours, nr);
    free(others);
    free(ours);
    return answer;
}

int hvs_dropin_hv_set_line(struct hvs_dropin_hv_events *events, int fd, unsigned long request,
                           struct kvm_irq_level *line)
{
    uint32_t gsi = line->irq;
    bool is_ours;

    pthread_mutex_lock(&events->lock);
    is_ours = line->level ? raise_gsi(events, gsi) : find_route(events, gsi) != NULL;
    pthread_mutex_unlock(&events->lock);
    if (!is_ours)
        return ioctl(fd, request, line);
    if (request == KVM_IRQ_LINE_STATUS)
        line->status = 1;
    return 0;
}

/* --- irqfds ------------------------------------------------------------------------------------------------------- */

static void free_irqfd(struct hvs_dropin_hv_irqfd *irqfd)
{
    if (irqfd->fd >= 0)
        close(irqfd->fd);
    if (irqfd->ack_fd >= 0)
        close(irqfd->ack_fd);
    free(irqfd);
}

/* By whatever number the VMM calls it. Where the kernel does not tell (kcmp), none is. */
static bool is_same_eventfd(int fd, int other)
{
    return syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, fd, other) == 0;
}

/* Lock held. */
static bool has_eventfd(const struct hvs_dropin_hv_events *events, int fd)
{
    for (const struct hvs_dropin_hv_irqfd *irqfd = events->irqfd; irqfd; irqfd = irqfd->next) {
        if (is_same_eventfd(irqfd->fd, fd))
            return true;
    }
    return false;
}

/* Likewise. */
static int add_irqfd(struct hvs_dropin_hv_events *events, const struct kvm_irqfd *asked)
{
    bool is_told = asked->flags & KVM_IRQFD_FLAG_RESAMPLE;
    struct hvs_dropin_hv_irqfd *irqfd = calloc(1, sizeof(*irqfd));

    if (!irqfd)
        return refuse(ENOMEM);
    irqfd->number = (int)asked->fd;
    irqfd->gsi = asked->gsi;
    irqfd->fd = hvs_dropin_file_keep((int)asked->fd);
    irqfd->ack_fd = is_told ? hvs_dropin_file_keep((int)asked->resamplefd) : -1;
    if (irqfd->fd < 0 || (is_told && irqfd->ack_fd < 0) || !start_thread(events) || !watch(events, irqfd->fd, irqfd)) {
        int err = errno;

        free_irqfd(irqfd);
        return refuse(err);
    }
    irqfd->next = events->irqfd;
    events->irqfd = irqfd;
    return 0;
}

/* Likewise. Returns whether there was one. */
static bool remove_irqfd(struct hvs_dropin_hv_events *events, const struct kvm_irqfd *asked)
{
    for (struct hvs_dropin_hv_irqfd **link = &events->irqfd; *link; link = &(*link)->next) {
        struct hvs_dropin_hv_irqfd *irqfd = *link;

        if (irqfd->number != (int)asked->fd || irqfd->gsi != asked->gsi)
            continue;
        *link = irqfd->next;
        epoll_ctl(events->epoll_fd, EPOLL_CTL_DEL, irqfd->fd, NULL);
        free_irqfd(irqfd);
        return true;
    }
    return false;
}

int hvs_dropin_hv_set_irqfd(struct hvs_dropin_hv_events *events, int fd, const struct kvm_irqfd *irqfd)
{
    bool is_ours;
    int answer = 0;

    pthread_mutex_lock(&events->lock);
    if (irqfd->flags & KVM_IRQFD_FLAG_DEASSIGN) {
        is_ours = remove_irqfd(events, irqfd);
    } else if (has_eventfd(events, (int)irqfd->fd)) {
        is_ours = true;         /* an eventfd is for one GSI, whoever has that */
        answer = refuse(EBUSY);
    } else {
        is_ours = find_route(events, irqfd->gsi);
        answer = is_ours ? add_irqfd(events, irqfd) : 0;
    }
    pthread_mutex_unlock(&events->lock);
    return is_ours ? answer : ioctl(fd, KVM_IRQFD, irqfd);
}

static void tell(int fd)
{
    uint64_t one = 1;

    if (write(fd, &one, sizeof(one)) < 0)
        return;                 /* it is full: whoever waits for it has been told */
}

void hvs_dropin_hv_ack(struct hvs_dropin_hv_events *events, uint32_t vp)
{
    pthread_mutex_lock(&events->lock);
    for (struct hvs_dropin_hv_irqfd *irqfd = events->irqfd; irqfd; irqfd = irqfd->next) {
        const struct hvs_dropin_hv_route *route = irqfd->ack_fd < 0 ? NULL : find_route(events, irqfd->gsi);

        if (route && route->vp == vp)
            tell(irqfd->ack_fd);
    }
    pthread_mutex_unlock(&events->lock);
}

/* --- connections -------------------------------------------------------------------------------------------------- */

/* Lock held: the link to it, or to the end. */
static struct hvs_dropin_hv_connection **find_connection(struct hvs_dropin_hv_events *events, uint32_t id)
{
    struct hvs_dropin_hv_connection **link = &events->connection;

    while (*link && (*link)->id != id)
        link = &(*link)->next;
    return link;
}

/* Likewise. */
static int connect_eventfd(struct hvs_dropin_hv_events *events, const struct kvm_hyperv_eventfd *asked)
{
    struct hvs_dropin_hv_connection **link = find_connection(events, asked->conn_id), *made;

    if (*link)
        return refuse(EEXIST);
    made = calloc(1, sizeof(*made));
    if (!made)
        return refuse(ENOMEM);
    made->id = asked->conn_id;
    made->fd = hvs_dropin_file_keep(asked->fd);
    if (made->fd < 0) {
        free(made);
        return -1;
    }
    *link = made;
    return 0;
}

static int disconnect(struct hvs_dropin_hv_events *events, uint32_t id)
{
    struct hvs_dropin_hv_connection **link = find_connection(events, id), *gone = *link;

    if (!gone)
        return refuse(ENOENT);
    *link = gone->next;
    close(gone->fd);
    free(gone);
    return 0;
}

int hvs_dropin_hv_set_eventfd(struct hvs_dropin_hv_events *events, const struct kvm_hyperv_eventfd *eventfd)
{
    int answer;

    if ((eventfd->flags & ~(uint32_t)KVM_HYPERV_EVENTFD_DEASSIGN) || (eventfd->conn_id & ~KVM_HYPERV_CONN_ID_MASK))
        return refuse(EINVAL);
    pthread_mutex_lock(&events->lock);
    if (eventfd->flags & KVM_HYPERV_EVENTFD_DEASSIGN)
        answer = disconnect(events, eventfd->conn_id);
    else
        answer = connect_eventfd(events, eventfd);
    pthread_mutex_unlock(&events->lock);
    return answer;
}

bool hvs_dropin_hv_signal(struct hvs_dropin_hv_events *events, uint32_t connection)
{
    const struct hvs_dropin_hv_connection *found;

    pthread_mutex_lock(&events->lock);
    found = *find_connection(events, connection);
    if (found)
        tell(found->fd);
    pthread_mutex_unlock(&events->lock);
    return found;
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

void hvs_dropin_hv_events_destroy(struct hvs_dropin_hv_events *events)
{
    if (events->is_running) {
        tell(events->end_fd);
        pthread_join(events->thread, NULL);
    }
    while (events->irqfd) {
        struct hvs_dropin_hv_irqfd *irqfd = events->irqfd;

        events->irqfd = irqfd->next;
        free_irqfd(irqfd);
    }
    while (events->connection)
        disconnect(events, events->connection->id);
    if (events->epoll_fd >= 0)
        close(events->epoll_fd);
    if (events->end_fd >= 0)
        close(events->end_fd);
    free(events->route);
    pthread_mutex_destroy(&events->lock);
}
