/*
 * The thread behind the control socket. See control.h.
 *
 * Nobody waits for a client: it has CLIENT_MS for all that it does, and the end of the last VM cuts it short. There are
 * two locks: `life` over adding and removing, `lock` over the list of VMs and so over each answer.
 */
#include "control.h"

#include "place.h"
#include "protocol.h"
#include "guest_strings.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <hvshim/kvm_dropin.h>
#include <hvshim/kvm_stats.h>

enum { MOST_VMS = 64, CLIENT_MS = 2000, REST_MS = 100, BACKLOG = 8, WHY_BYTES = 256 };

static pthread_mutex_t life = PTHREAD_MUTEX_INITIALIZER, lock = PTHREAD_MUTEX_INITIALIZER;
static struct hvs_kvm *vms[MOST_VMS];
static size_t nr_vms;
static bool is_running;
static pid_t owner;             /* its children have neither thread nor VMs */
static pthread_t thread;
static int listen_fd, end_fd;
static struct sockaddr_un address;

/* --- answers ---------------------------------------------------------------------------------------------------- */

struct answer {
    int status;
    char *bytes;                /* malloc'ed, or NULL */
    size_t nr_bytes;
};

static int print_stats(struct answer *answer)
{
    FILE *out = open_memstream(&answer->bytes, &answer->nr_bytes);

    if (!out)
        return HVS_ENOSPC;
    for (size_t i = 0; i < nr_vms; i++)
        hvs_kvm_stats_print(vms[i], HVS_KVM_STATS_JSON, out);
    return fclose(out) ? HVS_ENOSPC : HVS_OK;
}

static int ask_strings(struct hvs_kvm *kvm, enum control_op op, struct hvs_text key, struct hvs_text value,
                       struct answer *answer)
{
    switch (op) {
    case CONTROL_STRING_GET:
        return control_strings_get(kvm, key, &answer->bytes, &answer->nr_bytes);
    case CONTROL_STRING_SET:
        return control_strings_set(kvm, key, value);
    case CONTROL_STRING_LIST:
        return control_strings_list(kvm, &answer->bytes, &answer->nr_bytes);
    case CONTROL_STATS:
    case CONTROL_SAVE:
    case CONTROL_LOAD:
    case CONTROL_NR_OPS:
    default:
        return HVS_EINVAL;
    }
}

static int answer_why(struct answer *answer, int status, const char *why)
{
    if (status) {
        free(answer->bytes);
        answer->bytes = strdup(why);
        answer->nr_bytes = answer->bytes ? strlen(why) : 0;
    }
    return status;
}

static int save_or_load(enum control_op op, struct hvs_text state, struct answer *answer)
{
    char why[WHY_BYTES] = "";
    void *saved = NULL;
    int status;

    if (nr_vms != 1)
        return answer_why(answer, HVS_EINVAL, "the process has several VMs: which is meant, cannot be said");
    if (op == CONTROL_LOAD)
        return answer_why(answer, hvs_kvm_dropin_load(vms[0], state.text, state.bytes, why, sizeof(why)), why);
    status = hvs_kvm_dropin_save(vms[0], &saved, &answer->nr_bytes, why, sizeof(why));
    answer->bytes = saved;
    return answer_why(answer, status, why);
}

/* Of several VMs the first one that shows strings is meant. */
static void answer_request(const struct control_request *request, const char *payload, struct answer *answer)
{
    struct hvs_text key = {payload, request->key_bytes}, value = {payload + request->key_bytes, request->value_bytes};

    pthread_mutex_lock(&lock);
    if (request->op == CONTROL_STATS) {
        answer->status = print_stats(answer);
    } else if (request->op == CONTROL_SAVE || request->op == CONTROL_LOAD) {
        answer->status = save_or_load((enum control_op)request->op, value, answer);
    } else {
        answer->status = HVS_ENOTSUP;
        for (size_t i = 0; i < nr_vms && answer->status == HVS_ENOTSUP; i++) {
            free(answer->bytes);
            *answer = (struct answer){.bytes = NULL};
            answer->status = ask_strings(vms[i], (enum control_op)request->op, key, value, answer);
        }
    }
    pthread_mutex_unlock(&lock);
}

/* --- one client ------------------------------------------------------------------------------------------------- */

struct client {
    int fd;
    int64_t until_ms;
};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* False: its time is over, or ours. */
static bool wait_for(const struct client *client, short events)
{
    struct pollfd fds[] = {{.fd = client->fd, .events = events}, {.fd = end_fd, .events = POLLIN}};
    int64_t left_ms = client->until_ms - now_ms();

    return left_ms > 0 && poll(fds, HVS_ARRAY_SIZE(fds), (int)left_ms) > 0 && !fds[1].revents;
}

static bool receive(const struct client *client, void *buffer, size_t bytes)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t got;

        if (!wait_for(client, POLLIN))
            return false;
        got = recv(client->fd, (char *)buffer + done, bytes - done, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN))
            return false;
        done += got > 0 ? (size_t)got : 0;
    }
    return true;
}

static bool put(const struct client *client, const void *buffer, size_t bytes)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t sent;

        if (!wait_for(client, POLLOUT))
            return false;
        sent = send(client->fd, (const char *)buffer + done, bytes - done, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN)
            return false;
        done += sent > 0 ? (size_t)sent : 0;
    }
    return true;
}

/* The file's mode says so too, but the process may have changed its user since. */
static bool is_welcome(int fd)
{
    struct ucred who;
    socklen_t bytes = sizeof(who);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &bytes) == 0 && (who.uid == geteuid() || who.uid == 0);
}

static bool is_sound(const struct control_request *request)
{
    uint32_t most = request->op == CONTROL_LOAD ? CONTROL_MAX_STATE_BYTES : HVS_STORE_VALUE_BYTES;

    return request->magic == CONTROL_MAGIC && request->op < CONTROL_NR_OPS &&
           request->key_bytes <= HVS_STORE_KEY_BYTES && request->value_bytes <= most;
}

static void reply(const struct client *client, const struct answer *answer)
{
    struct control_reply head = {.magic = CONTROL_MAGIC, .status = answer->status, .bytes = (uint32_t)answer->nr_bytes};

    if (answer->nr_bytes > CONTROL_MAX_REPLY_BYTES)
        head = (struct control_reply){.magic = CONTROL_MAGIC, .status = HVS_ENOSPC};
    if (put(client, &head, sizeof(head)))
        put(client, answer->bytes, head.bytes);
}

/* Returns false where the client does not deliver. */
static bool take(const struct client *client, const struct control_request *request, struct answer *answer)
{
    size_t bytes = (size_t)request->key_bytes + request->value_bytes;
    char *payload = malloc(bytes + 1);
    bool is_there = payload && receive(client, payload, bytes);

    if (is_there)
        answer_request(request, payload, answer);
    free(payload);
    return is_there;
}

static void serve(const struct client *client)
{
    struct answer answer = {.status = HVS_EINVAL};
    struct control_request request;

    if (!is_welcome(client->fd) || !receive(client, &request, sizeof(request)))
        return;
    if (is_sound(&request) && !take(client, &request, &answer))
        return;
    reply(client, &answer);
    free(answer.bytes);
}

/* --- the thread ------------------------------------------------------------------------------------------------- */

static void *run(void *unused)
{
    struct pollfd fds[] = {{.fd = listen_fd, .events = POLLIN}, {.fd = end_fd, .events = POLLIN}};

    (void)unused;
    while (poll(fds, HVS_ARRAY_SIZE(fds), -1) < 0 || !fds[1].revents) {
        struct client client = {.fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC), .until_ms = now_ms() + CLIENT_MS};

        if (client.fd < 0) {
            poll(&fds[1], 1, REST_MS);  /* a process that is out of descriptors shall not be busy with it */
            continue;
        }
        serve(&client);
        close(client.fd);
    }
    return NULL;
}

static bool start_thread(void)
{
    sigset_t all, before;
    int err;

    sigfillset(&all);           /* the VMM's signals are for its own threads */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    err = pthread_create(&thread, NULL, run, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err == 0;
}

static void start(void)
{
    end_fd = eventfd(0, EFD_CLOEXEC);
    listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (end_fd >= 0 && listen_fd >= 0 && control_bind(listen_fd, &address) == 0) {
        is_running = listen(listen_fd, BACKLOG) == 0 && start_thread();
        if (is_running)
            return;
        unlink(address.sun_path);
    }
    if (listen_fd >= 0)
        close(listen_fd);
    if (end_fd >= 0)
        close(end_fd);
}

static void stop(void)
{
    eventfd_write(end_fd, 1);
    pthread_join(thread, NULL);
    unlink(address.sun_path);
    close(listen_fd);
    close(end_fd);
    is_running = false;
}

/* --- VMs -------------------------------------------------------------------------------------------------------- */

void control_add(struct hvs_kvm *kvm)
{
    pthread_mutex_lock(&life);
    pthread_mutex_lock(&lock);
    if (owner != getpid()) {
        is_running = false;
        nr_vms = 0;
        owner = getpid();
    }
    if (nr_vms < MOST_VMS)
        vms[nr_vms++] = kvm;
    pthread_mutex_unlock(&lock);
    if (!is_running)
        start();
    pthread_mutex_unlock(&life);
}

void control_remove(struct hvs_kvm *kvm)
{
    size_t i = 0;

    pthread_mutex_lock(&life);
    pthread_mutex_lock(&lock);
    while (i < nr_vms && vms[i] != kvm)
        i++;
    if (i < nr_vms)
        vms[i] = vms[--nr_vms];
    pthread_mutex_unlock(&lock);
    if (nr_vms == 0 && is_running)
        stop();
    pthread_mutex_unlock(&life);
}
