/* SPDX-License-Identifier: Apache-2.0 */
/* What the request itself says, as facts: everything but who asks.
 *
 * Header rules (SECURITY.md, "Headers"): `authorization` and a configured
 * x-forwarded-client-cert stand at most once; a name such as `x_role` that some server
 * would read as a header we rely on, and a `connection` that names one, refuse the
 * request; what facts_is_hearsay is no fact at all. Any other header that repeats is
 * unknown, and so is one with a comma where repeated lines arrive joined. */
#ifndef BARTIZAN_REQUEST_FACTS_H
#define BARTIZAN_REQUEST_FACTS_H

#include "check_request.h"
#include "facts.h"
#include "header_names.h"

struct request_facts_input {
    const struct check_request *request;
    enum reason failure; /* of check_request_parse */
    const struct policy *policy;
    const struct header_names *names; /* that the policy relies on */
    bool uses_xfcc;                   /* x-forwarded-client-cert is a configured source */
};

/* The headers that prove something; absent views when they are not there. */
struct request_credentials {
    struct view authorization;
    struct view xfcc;
    struct view request_id; /* x-request-id */
    struct view trace_id;   /* 32 hex digits of traceparent */
};

/* Fills *facts but for workload, user, their failures, now and decision_id. Views
 * borrow from the request, arrays from `arena`. */
void request_facts_fill(const struct request_facts_input *input, struct arena *arena, struct facts *facts,
                        struct request_credentials *credentials);

/* What the body says: for a policy that reads it, where the one of request_facts_fill
 * does not. */
void request_facts_read_body(const struct check_request *request, struct arena *arena, struct facts *facts);

/* A textual IP address; family 0 when it is none. An IPv4-mapped one is its IPv4 address. */
struct address_fact request_facts_address(struct view text);

/* True for a caller to whom a refusal goes as a gRPC status. */
bool request_facts_is_grpc(const struct check_request *request);

#endif
