/* SPDX-License-Identifier: Apache-2.0 */
/* One blocking HTTP request over the decider's admin socket (docs/admin-api.md).
 *
 * HTTP/1.0 with `Connection: close`, so that the answer ends where the stream
 * does: RFC 9112 section 6.3. What comes back is bounded and parsed strictly; a
 * hostile or broken peer is an error, never a hang. */
#ifndef BARTIZAN_ADMIN_CLIENT_H
#define BARTIZAN_ADMIN_CLIENT_H

#include "arena.h"

enum { ADMIN_ANSWER_MAX = 1024 * 1024, ADMIN_TIMEOUT_MS = 15000 };

struct admin_answer {
    int status; /* 100 to 599 */
    struct view body;
};

/* Sends `method path` to the unix socket at `socket` and reads the answer into
 * `arena`, within `timeout_ms` in all.
 *   ERR_NOT_FOUND  no socket there, or nobody listens: no decider is running
 *   ERR_IO         it broke off, took too long, or may not be asked (errno)
 *   ERR_MALFORMED  the answer is no HTTP
 *   ERR_LIMIT      the answer is over ADMIN_ANSWER_MAX
 *   ERR_NO_MEMORY */
MUST_CHECK enum err admin_request(const char *socket, const char *method, const char *path, int timeout_ms,
                                  struct arena *arena, struct admin_answer *out);

/* Reads a whole HTTP/1.x answer. `body` borrows. ERR_MALFORMED. */
MUST_CHECK enum err admin_answer_parse(struct view bytes, struct admin_answer *out);

#endif
