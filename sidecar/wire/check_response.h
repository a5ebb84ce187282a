/* SPDX-License-Identifier: Apache-2.0 */
/* A decision as the bytes of a CheckResponse (envoy.service.auth.v3).
 *
 * Never empty: to Envoy an empty CheckResponse is an allow. A refusal is always
 * status.code 7 or 16 with a denied_response whose HTTP status is explicit.
 * What a client sees of a refusal: status, WWW-Authenticate, Retry-After, the
 * opaque decision id in `x-bartizan-decision`. Nothing the client sent is echoed. */
#ifndef BARTIZAN_CHECK_RESPONSE_H
#define BARTIZAN_CHECK_RESPONSE_H

#include "decision.h"
#include "err.h"

enum { CHECK_RESPONSE_BYTES_MIN = 4, CHECK_RESPONSE_BYTES_MAX = 16 * 1024 };

struct check_answer {
    const struct decision *decision;
    struct view decision_id;       /* printable ASCII */
    struct view challenge_scheme;  /* "Bearer" or "DPoP" */
    struct view resource_metadata; /* RFC 9728 URL; absent when not configured */
    uint32_t stream_seconds;       /* x-envoy-upstream-stream-duration-ms; 0: none */
    bool is_report_only;           /* enforcement: report. The answer is an allow whatever the verdict */
    const struct view *settable;   /* with is_report_only: the request headers that some rule can set */
    size_t settable_count;
    const struct view *settable_queries; /* likewise the query parameters */
    size_t settable_query_count;
    bool is_grpc; /* the caller speaks gRPC: a body becomes its grpc-message */
};

/* Writes into `buffer` of `size` bytes. The bytes written, never 0: what does not
 * fit or cannot be written (a header value with a control byte, a routing header, a
 * verdict and a reason that contradict each other) becomes check_response_denial(),
 * and that, where it does not fit, its status alone. A buffer under
 * CHECK_RESPONSE_BYTES_MIN is a bug of the caller: no message that short denies.
 *
 * An allow: every header of the obligations in both forms that Envoys read
 * (`append` and append_action), no removal of a header that is also set (Envoy
 * removes last), query parameters percent-encoded (Envoy writes them as they come),
 * dynamic metadata with `decision_id`. What only `report`
 * allows carries no obligation but the removal of every settable header: an
 * upstream would take a client's own for ours. A gRPC caller of the upstream gets Envoy's
 * mapping of the HTTP status (401 to 16, 403 to 7, 503 to 14, 400 to 13, 414 to 2). */
size_t check_response_write(const struct check_answer *answer, char *buffer, size_t size);

/* The WWW-Authenticate value of a decision, or the absent view when it has none. */
struct view check_response_challenge(const struct check_answer *answer, char *buffer, size_t size);

/* The static denial (7, 503) for when nothing else can be said. */
struct view check_response_denial(void);

/* True for what check_response_write wrote in place of an answer that it could not write. */
bool check_response_is_denial(struct view response);

#endif
