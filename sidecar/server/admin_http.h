/* SPDX-License-Identifier: Apache-2.0 */
/* The administration API of docs/admin-api.md: everything on a unix socket, and
 * health, readiness and metrics alone on a TCP address. */
#ifndef BARTIZAN_ADMIN_HTTP_H
#define BARTIZAN_ADMIN_HTTP_H

#include "decider_state.h"

struct admin_http;

struct admin_http_config {
    struct decider_state *state;
    int socket_fd;  /* listening unix socket; -1: none. Taken over */
    int address_fd; /* listening TCP socket; -1: none. Taken over */
};

MUST_CHECK enum err admin_http_open(const struct admin_http_config *config, struct admin_http **out);
void admin_http_close(struct admin_http *admin);

#endif
