/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets, opened once by the supervisor and kept across restarts. */
#ifndef BARTIZAN_LISTEN_SOCKET_H
#define BARTIZAN_LISTEN_SOCKET_H

#include "config.h"

enum { LISTEN_WHY_MAX = 512 };

struct listen_socket {
    int fd; /* listening, non-blocking, close-on-exec */
    const struct listener_config *config;
    uint64_t device, inode; /* of the socket file that is ours; 0 for TCP */
};

/* A unix socket file that nobody answers at is replaced; its folder is made when it
 * is missing. Errors come with a sentence in `why`: ERR_CONFLICT when a live server
 * has the address or something that is no socket stands there, ERR_NOT_FOUND for an
 * unknown group, ERR_IO. */
MUST_CHECK enum err listen_socket_open(const struct listener_config *config, struct listen_socket *out,
                                       char why[LISTEN_WHY_MAX]);

/* Closes it, and removes the socket file if it is still ours. */
void listen_socket_close(struct listen_socket *socket);

#endif
