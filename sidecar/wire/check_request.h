/* SPDX-License-Identifier: Apache-2.0 */
/* A CheckRequest (envoy.service.auth.v3) read without a copy.
 *
 * One pass over the protobuf bytes; every view borrows from them. Proto3 rules:
 * last value wins for scalars, repeated messages merge, unknown fields are
 * skipped. Strings with NUL or that are not UTF-8 are refused, as are groups,
 * wire types that do not fit, truncation, and anything over the limits below.
 * Source: envoy/service/auth/v3/external_auth.proto, attribute_context.proto;
 * protobuf encoding specification. */
#ifndef BARTIZAN_CHECK_REQUEST_H
#define BARTIZAN_CHECK_REQUEST_H

#include "err.h"
#include "reason.h"
#include "view.h"

enum {
    CHECK_REQUEST_BYTES_MAX = 1024 * 1024, /* unless configured */
    CHECK_HEADERS_MAX = 100,               /* without pseudo headers */
    CHECK_HEADER_BYTES_MAX = 64 * 1024,    /* names and values together */
    CHECK_CONTEXT_MAX = 32,
};

struct check_header {
    struct view name; /* as received */
    struct view value;
};

struct check_peer {
    struct view address; /* textual IP, or absent */
    uint32_t port;
    struct view service;     /* client-controlled text; never decided on */
    struct view principal;   /* Envoy's word: proves nothing (caller_proof_is_of_peer) */
    struct view certificate; /* URL-encoded PEM of the leaf; absent when none */
};

struct check_request {
    bool has_http;
    struct check_peer source;
    struct check_peer destination;
    struct view id; /* http.id: a stream number */
    struct view method;
    struct view path;
    struct view host;
    struct view scheme;
    struct view protocol;
    struct view query;    /* always empty from Envoy; non-empty is refused above */
    struct view fragment; /* likewise */
    int64_t size;
    struct view body;     /* string form */
    struct view raw_body; /* bytes form */
    struct check_header headers[CHECK_HEADERS_MAX];
    size_t header_count;
    struct view pseudo_path, pseudo_method, pseudo_authority,
        pseudo_scheme;  /* from the headers, absent when not there */
    bool is_header_map; /* headers came one entry a line in header_map (encode_raw_headers) */
    bool is_raw_path;   /* pseudo_path came as raw_value and equals path byte for byte */
    struct check_header context[CHECK_CONTEXT_MAX];
    size_t context_count;
    struct view sni;
    int64_t time_seconds; /* attributes.request.time; 0 when absent */
    struct view metadata; /* attributes.metadata_context as bytes that check_metadata_is_valid; absent when none */
    struct view route_metadata; /* attributes.route_metadata_context, likewise */
};

struct check_limits {
    uint32_t headers;      /* 1 to CHECK_HEADERS_MAX */
    uint32_t header_bytes; /* 1 to CHECK_HEADER_BYTES_MAX */
    uint32_t request_bytes;
};

/* Reads `bytes`. REASON_NONE and *out; else one of these, and *out holds what was
 * read up to there (for the record; arrays up to their counts):
 * REASON_REQUEST_SIZE: over request_bytes (nothing is read then), or more than
 *   CHECK_CONTEXT_MAX context extensions.
 * REASON_REQUEST_HEADER_SIZE: over limits->headers or limits->header_bytes; a limit
 *   of 0 admits none, one above the maxima means the maximum.
 * REASON_REQUEST_HEADER: a name that is no lower-case token, a pseudo header that
 *   repeats or that no request has, NUL, CR or LF in a value.
 * REASON_REQUEST_MALFORMED: not a CheckRequest, or one that contradicts itself: both
 *   header forms filled, value and raw_value both set, body and raw_body both set,
 *   pseudo headers that differ from the http fields, a query or fragment field, no
 *   HTTP part, metadata given twice.
 * A string field that is empty is absent. Header values are present, maybe empty.
 * Repeated ordinary headers and context extensions are kept, one entry each. */
enum reason check_request_parse(struct view bytes, const struct check_limits *limits, struct check_request *out);

#endif
