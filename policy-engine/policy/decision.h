/* SPDX-License-Identifier: Apache-2.0 */
/* What an evaluation answers. Zeroed, it denies for an internal error. */
#ifndef BARTIZAN_DECISION_H
#define BARTIZAN_DECISION_H

#include "reason.h"

#include <stdint.h>

enum audit_level { AUDIT_MINIMAL = 0, AUDIT_SUMMARY, AUDIT_FULL };

/* What to ask of the user, RFC 9470: the whole requirement of the rule. */
struct challenge {
    const struct view *acr_values; /* in order of preference; may be none */
    size_t acr_count;
    bool has_max_age;
    uint32_t max_age; /* seconds */
};

enum header_action {
    HEADER_SET = 0, /* overwrite or add */
    HEADER_APPEND,
};

struct header_obligation {
    enum header_action action;
    struct view name;  /* lower case */
    struct view value; /* filled in, bytes [\x21-\x7e ] only */
};

struct obligations {
    const struct header_obligation *request_headers;
    size_t request_header_count;
    const struct view *remove_headers; /* the rule's own removals, and every header that any rule of
                                          the policy can set and this answer does not */
    size_t remove_header_count;
    const struct header_obligation *response_headers;
    size_t response_header_count;
    const struct header_obligation *metadata; /* name and value of dynamic metadata strings */
    size_t metadata_count;
    const struct header_obligation *query_params; /* set; names and values as they are, not encoded */
    size_t query_param_count;
    const struct view *remove_queries; /* as remove_headers */
    size_t remove_query_count;
    bool has_max_stream;
    uint32_t max_stream;            /* seconds */
    bool max_stream_by_credentials; /* also bounded by token exp and certificate notAfter */
};

/* How a denial looks where the deciding rule says so. */
struct denial {
    uint16_t status;          /* 400 to 599; 0: that of the reason */
    struct view body;         /* absent: that of the reason */
    struct view grpc_message; /* in place of the body for a gRPC caller; absent: the body */
};

enum { DECISION_LABELS_MAX = 8 };

struct decision {
    enum verdict verdict;
    enum reason reason;
    struct view rule;           /* the deciding rule's name; absent on a default deny or a failure before any rule */
    struct view closest;        /* on a refusal: the allow rule that came closest; may be absent */
    struct view missing;        /* on a refusal: the fact that was missing or wrong, in words with values,
                                   e.g. "auth_time is 1200 s old, the rule allows 300 s"; may be absent.
                                   For the operator and the record only, never for the client */
    struct view attribute;      /* REASON_INDETERMINATE: what could not be judged */
    struct challenge challenge; /* VERDICT_CHALLENGE */
    struct obligations obligations; /* VERDICT_ALLOW */
    struct denial denial;           /* REASON_DENY_RULE */
    enum audit_level audit;
    struct view scope; /* REASON_SCOPE: scopes the rule names, space separated; may be absent */

    /* What the request was found to be, for the record; absent when unknown. */
    struct view action; /* name of a matching action of the policy */
    struct view resource_type;
    struct view resource_id;
    struct pair_of_views {
        struct view name, value;
    } resource_labels[DECISION_LABELS_MAX];
    size_t resource_label_count;
    struct view purpose;      /* where a matching rule names one */
    struct view path;         /* canonical path without query */
    uint32_t candidate_tests; /* rules whose conditions were tested: the work counter */
};

/* The HTTP status that a refusal has. */
static inline int decision_http_status(const struct decision *decision)
{
    return decision->denial.status != 0 ? decision->denial.status : reason_info(decision->reason)->http_status;
}

#endif
