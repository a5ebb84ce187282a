/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* accept4, struct ucred */
#include "accept_loop.h"

#include "clock.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS_MAX = 32, DESCRIPTORS_MAX = 4096, TICK_MILLISECONDS = 1000, ACCEPT_BURST = 64 };

/* Peers: 0 unknown, 1 TCP, uid + 2 on a unix socket. */
enum { PEER_UNKNOWN = 0, PEER_TCP = 1, PEER_UID = 2 };

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
enum { PREFACE_BYTES = sizeof(preface) - 1 };

enum watched_kind { WATCHED_FREE = 0, WATCHED_WAKE, WATCHED_LISTENER, WATCHED_SILENT, WATCHED_SERVED };

/* One descriptor of the epoll set. */
struct watched {
    enum watched_kind kind;
    int fd; /* SERVED: our own duplicate, which sees the end of the connection */
    size_t listener;
    int64_t deadline; /* SILENT: CLOCK_MONOTONIC milliseconds */
};

struct accept_loop {
    struct accept_loop_config config;
    struct accept_listener listeners[ACCEPT_LISTENERS_MAX];
    int epoll, wake, reserve;
    atomic_bool is_stopping;
    atomic_uint open[ACCEPT_LISTENERS_MAX];
    atomic_uint_fast64_t common; /* a peer; UINT64_MAX: there were different ones */
    atomic_uint_fast64_t peers[DESCRIPTORS_MAX];
    size_t count; /* of connections */
    size_t capacity;
    struct watched *connections; /* `capacity` of them */
    struct watched fixed[ACCEPT_LISTENERS_MAX + 1];
    pthread_t thread;
};

static bool watch(struct accept_loop *loop, struct watched *watched, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watched};
    return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, watched->fd, &event) == 0;
}

/* Closing our descriptor does not end the watch while gRPC holds the connection by its
 * own: an event would then reach whoever has this place next. */
static void forget(struct accept_loop *loop, struct watched *w)
{
    (void)epoll_ctl(loop->epoll, EPOLL_CTL_DEL, w->fd, NULL);
    (void)close(w->fd);
    atomic_fetch_sub(&loop->open[w->listener], 1);
    loop->count--;
    metrics_set(loop->config.metrics, METRIC_CONNECTIONS, loop->count);
    *w = (struct watched){0};
}

/* ---- peers --------------------------------------------------------------- */

/* Who connected; false: not one whom the listener admits. */
static bool identify(const struct listener_config *listener, int fd, uint64_t *peer)
{
    *peer = PEER_TCP;
    if (listener->kind != LISTENER_UNIX)
        return true;
    struct ucred credentials;
    socklen_t size = sizeof(credentials);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
        return false;
    *peer = (uint64_t)credentials.uid + PEER_UID;
    for (size_t i = 0; i < listener->allow_uid_count; i++)
        if (listener->allow_uids[i] == credentials.uid)
            return true;
    return listener->allow_uid_count == 0;
}

static void remember_peer(struct accept_loop *loop, int fd, uint64_t peer)
{
    uint_fast64_t none = PEER_UNKNOWN;
    if (fd < DESCRIPTORS_MAX)
        atomic_store(&loop->peers[fd], peer);
    if (!atomic_compare_exchange_strong(&loop->common, &none, peer) && none != peer)
        atomic_store(&loop->common, UINT64_MAX);
}

static struct view peer_label(uint64_t peer, char buffer[ACCEPT_LABEL_MAX])
{
    if (peer == PEER_UNKNOWN)
        return VIEW("unknown");
    if (peer == PEER_TCP)
        return VIEW("tcp-unauthenticated");
    static const struct view prefix = {.data = "uid:", .size = 4};
    char digits[VIEW_U64_DIGITS];
    struct view number = view_of_u64(peer - PEER_UID, digits);
    _Static_assert(sizeof("uid:") - 1 + VIEW_U64_DIGITS <= ACCEPT_LABEL_MAX, "every number fits");
    memcpy(buffer, prefix.data, prefix.size);
    memcpy(buffer + prefix.size, number.data, number.size);
    return (struct view){.data = buffer, .size = prefix.size + number.size};
}

struct view accept_loop_peer(const struct accept_loop *loop, int fd, char buffer[ACCEPT_LABEL_MAX])
{
    bool is_known = fd >= 0 && fd < DESCRIPTORS_MAX;
    return peer_label(is_known ? atomic_load(&loop->peers[fd]) : PEER_UNKNOWN, buffer);
}

bool accept_loop_common_peer(const struct accept_loop *loop, char buffer[ACCEPT_LABEL_MAX], struct view *label)
{
    uint64_t peer = atomic_load_explicit(&loop->common, memory_order_acquire);
    if (peer == PEER_UNKNOWN || peer == UINT64_MAX)
        return false;
    *label = peer_label(peer, buffer);
    return true;
}

/* ---- connections --------------------------------------------------------- */

static struct watched *free_place(struct accept_loop *loop)
{
    for (size_t i = 0; i < loop->capacity; i++)
        if (loop->connections[i].kind == WATCHED_FREE)
            return &loop->connections[i];
    return NULL;
}

static void take(struct accept_loop *loop, size_t listener, int fd)
{
    uint64_t peer;
    struct watched *place = free_place(loop);
    if (place == NULL || !identify(loop->listeners[listener].config, fd, &peer)) {
        (void)close(fd);
        return;
    }
    if (loop->listeners[listener].config->kind == LISTENER_TCP) {
        int one = 1;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    }
    *place = (struct watched){.kind = WATCHED_SILENT,
                              .fd = fd,
                              .listener = listener,
                              .deadline = clock_ms(CLOCK_MONOTONIC) + ACCEPT_PREFACE_SECONDS * INT64_C(1000)};
    if (!watch(loop, place, EPOLLIN | EPOLLET)) { /* half a preface does not wake us again by itself */
        *place = (struct watched){0};
        (void)close(fd);
        return;
    }
    atomic_fetch_add(&loop->open[listener], 1);
    loop->count++;
    metrics_set(loop->config.metrics, METRIC_CONNECTIONS, loop->count);
    remember_peer(loop, fd, peer);
}

/* Out of descriptors: gives up the reserved one for a moment, so that the waiting
 * peer is refused instead of spinning in the backlog. */
static void refuse_one(struct accept_loop *loop, int listener)
{
    if (loop->reserve >= 0)
        (void)close(loop->reserve);
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        (void)close(fd);
    loop->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void accept_burst(struct accept_loop *loop, size_t listener)
{
    int from = loop->listeners[listener].fd;
    for (int i = 0; i < ACCEPT_BURST; i++) {
        int fd = accept4(from, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0)
            take(loop, listener, fd);
        else if (errno == EMFILE || errno == ENFILE)
            refuse_one(loop, from);
        else if (errno != EINTR && errno != ECONNABORTED)
            return; /* EAGAIN, or an error of this connection alone: the listener stays armed */
    }
}

/* Hands the connection on; a duplicate stays here until the connection ends. */
static void hand_on(struct accept_loop *loop, struct watched *w)
{
    int fd = w->fd;
    int duplicate = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    (void)epoll_ctl(loop->epoll, EPOLL_CTL_DEL, fd, NULL);
    if (duplicate < 0) {
        forget(loop, w);
        return;
    }
    w->fd = duplicate;
    w->kind = WATCHED_SERVED;
    if (!watch(loop, w, EPOLLET)) { /* EPOLLHUP comes unasked */
        (void)close(fd);
        forget(loop, w);
        return;
    }
    loop->config.serve(loop->config.context, fd);
}

static void hear(struct accept_loop *loop, struct watched *w)
{
    char first[PREFACE_BYTES];
    ssize_t size = recv(w->fd, first, sizeof(first), MSG_PEEK | MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size <= 0 || memcmp(first, preface, (size_t)size) != 0)
        forget(loop, w);
    else if (size == PREFACE_BYTES)
        hand_on(loop, w);
}

static void drop_silent(struct accept_loop *loop)
{
    int64_t now = clock_ms(CLOCK_MONOTONIC);
    for (size_t i = 0; i < loop->capacity; i++)
        if (loop->connections[i].kind == WATCHED_SILENT && loop->connections[i].deadline < now)
            forget(loop, &loop->connections[i]);
}

/* ---- the loop ------------------------------------------------------------ */

static void handle(struct accept_loop *loop, struct watched *w, uint32_t events)
{
    switch (w->kind) {
    case WATCHED_LISTENER: accept_burst(loop, w->listener); break;
    case WATCHED_SILENT: hear(loop, w); break;
    case WATCHED_SERVED:
        if ((events & (EPOLLHUP | EPOLLERR)) != 0)
            forget(loop, w);
        break;
    case WATCHED_WAKE:
    case WATCHED_FREE: break;
    }
}

static bool has_silent(const struct accept_loop *loop)
{
    for (size_t i = 0; i < loop->capacity; i++)
        if (loop->connections[i].kind == WATCHED_SILENT)
            return true;
    return false;
}

static void *run(void *argument)
{
    struct accept_loop *loop = argument;
    struct epoll_event events[EVENTS_MAX];
    while (!atomic_load(&loop->is_stopping)) {
        int count = epoll_wait(loop->epoll, events, EVENTS_MAX, has_silent(loop) ? TICK_MILLISECONDS : -1);
        for (int i = 0; i < count; i++)
            handle(loop, events[i].data.ptr, events[i].events);
        drop_silent(loop);
    }
    return NULL;
}

static enum err prepare(struct accept_loop *loop)
{
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
    loop->connections = calloc(loop->capacity, sizeof(*loop->connections));
    if (loop->connections == NULL)
        return ERR_NO_MEMORY;
    if (loop->epoll < 0 || loop->wake < 0)
        return ERR_IO;
    loop->fixed[0] = (struct watched){.kind = WATCHED_WAKE, .fd = loop->wake};
    if (!watch(loop, &loop->fixed[0], EPOLLIN))
        return ERR_IO;
    for (size_t i = 0; i < loop->config.listener_count; i++) {
        loop->listeners[i] = loop->config.listeners[i];
        loop->fixed[i + 1] = (struct watched){.kind = WATCHED_LISTENER, .fd = loop->listeners[i].fd, .listener = i};
        if (!watch(loop, &loop->fixed[i + 1], EPOLLIN))
            return ERR_IO;
    }
    return ERR_NONE;
}

static void close_open(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}

static void release(struct accept_loop *loop)
{
    for (size_t i = 0; loop->connections != NULL && i < loop->capacity; i++)
        if (loop->connections[i].kind != WATCHED_FREE)
            (void)close(loop->connections[i].fd);
    close_open(loop->epoll);
    close_open(loop->wake);
    close_open(loop->reserve);
    free(loop->connections);
    free(loop);
}

enum err accept_loop_open(const struct accept_loop_config *config, struct accept_loop **out)
{
    if (config->listener_count > ACCEPT_LISTENERS_MAX)
        return ERR_LIMIT;
    struct accept_loop *loop = calloc(1, sizeof(*loop));
    if (loop == NULL)
        return ERR_NO_MEMORY;
    loop->config = *config;
    loop->capacity = config->connections;
    enum err result = prepare(loop);
    if (result == ERR_NONE && pthread_create(&loop->thread, NULL, run, loop) != 0)
        result = ERR_IO;
    if (result != ERR_NONE) {
        release(loop);
        return result;
    }
    *out = loop;
    return ERR_NONE;
}

void accept_loop_stop(struct accept_loop *loop)
{
    uint64_t one = 1;
    if (atomic_exchange(&loop->is_stopping, true))
        return;
    ssize_t ignored = write(loop->wake, &one, sizeof(one));
    (void)ignored;
    (void)pthread_join(loop->thread, NULL);
}

void accept_loop_close(struct accept_loop *loop)
{
    if (loop == NULL)
        return;
    accept_loop_stop(loop);
    release(loop);
}

uint32_t accept_loop_connections(const struct accept_loop *loop, size_t listener)
{
    return listener < ACCEPT_LISTENERS_MAX ? atomic_load(&loop->open[listener]) : 0;
}
