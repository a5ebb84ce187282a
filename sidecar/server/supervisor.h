/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps processes running: started again when they die, with growing pauses, and
 * ended in order. Without threads; the calling process gives it its signals. */
#ifndef BARTIZAN_SUPERVISOR_H
#define BARTIZAN_SUPERVISOR_H

#include "compile_broker.h"

#include <stdbool.h>
#include <stddef.h>

enum { SUPERVISOR_CHILDREN_MAX = 4, SUPERVISOR_TIME_MAX = 24 };

struct supervisor_child {
    const char *name;        /* for the log */
    const char *program;     /* path to execute */
    const char *const *argv; /* ends with NULL */
    const int *fds;          /* descriptors that it inherits */
    size_t fd_count;
    char *started;     /* SUPERVISOR_TIME_MAX bytes that argv names: receives CLOCK_BOOTTIME in ns at each start; may be
                          NULL */
    bool is_vital;     /* its refusal to start (exit 2 to 4 the first time) ends the supervisor */
    bool takes_hangup; /* SIGHUP is passed on to it */
};

/* Starts the children, the first of which is ended first, serves `broker`, and keeps them until
 * SIGTERM or SIGINT, which it passes on. The exit code of the whole: 0, or that
 * of a vital child that refused to start. */
int supervisor_run(const struct supervisor_child *children, size_t count, struct compile_broker *broker);

#endif
