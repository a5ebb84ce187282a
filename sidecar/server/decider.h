/* SPDX-License-Identifier: Apache-2.0 */
/* The process that decides: everything it is made of, from start to end. */
#ifndef BARTIZAN_DECIDER_H
#define BARTIZAN_DECIDER_H

#include "config.h"

struct decider_config {
    const struct config *config;
    const char *version;
    const int *listener_fds; /* listening sockets, one per config->listeners, in order */
    int admin_socket_fd;     /* -1: none */
    int admin_address_fd;    /* -1: none */
    int compile_fd;          /* to the supervisor that starts compiles; -1: none, all are compiled here */
    int64_t started_ns;      /* CLOCK_BOOTTIME when the process was started, for `ready in N ms` */
};

/* Decides until SIGTERM or SIGINT; SIGHUP reads the files again. The calling thread
 * has all of these blocked already. Findings of files go to standard error.
 * ERR_NONE after an orderly end; ERR_INVALID, ERR_IO, ERR_CONFLICT (the journal is
 * in use) when it could not start. */
MUST_CHECK enum err decider_run(const struct decider_config *config);

#endif
