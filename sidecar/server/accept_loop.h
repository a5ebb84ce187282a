/* SPDX-License-Identifier: Apache-2.0 */
/* Accepts connections itself and hands them on when they speak HTTP/2.
 *
 * gRPC's own listener (1.51) stops for good after an accept error such as "too
 * many open files" (CVE-2023-4785), has no cap and no look at the peer. Here: a
 * cap over all listeners, SO_PEERCRED against allow_uids, a descriptor in reserve
 * for EMFILE, and a deadline by which the HTTP/2 preface (RFC 9113 section 3.4)
 * must have come, so that a silent peer holds a place only for a moment. */
#ifndef BARTIZAN_ACCEPT_LOOP_H
#define BARTIZAN_ACCEPT_LOOP_H

#include "config.h"
#include "metrics.h"

struct accept_loop;

enum { ACCEPT_LISTENERS_MAX = 8, ACCEPT_LABEL_MAX = 24, ACCEPT_PREFACE_SECONDS = 5 };

struct accept_listener {
    int fd; /* listening, non-blocking; stays the caller's */
    const struct listener_config *config;
};

struct accept_loop_config {
    const struct accept_listener *listeners;
    size_t listener_count;
    uint32_t connections; /* most at once */
    struct metrics *metrics;
    void (*serve)(void *context, int fd); /* takes the connected, non-blocking descriptor over */
    void *context;
};

/* Starts the thread. */
MUST_CHECK enum err accept_loop_open(const struct accept_loop_config *config, struct accept_loop **out);

/* Accepts no more; connections handed on stay. */
void accept_loop_stop(struct accept_loop *loop);
void accept_loop_close(struct accept_loop *loop);

/* Connections that listener number `listener` has open now. From any thread. */
uint32_t accept_loop_connections(const struct accept_loop *loop, size_t listener);

/* Who is at the other end of `fd`: "uid:1337" or "tcp-unauthenticated", written to
 * `buffer`; "unknown" for a descriptor that is not a connection. From any thread. */
struct view accept_loop_peer(const struct accept_loop *loop, int fd, char buffer[ACCEPT_LABEL_MAX]);

/* True with *label when every connection so far had the same peer: the usual case
 * in a pod, which saves asking each call. */
bool accept_loop_common_peer(const struct accept_loop *loop, char buffer[ACCEPT_LABEL_MAX], struct view *label);

#endif
