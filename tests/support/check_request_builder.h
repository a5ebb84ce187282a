/* SPDX-License-Identifier: Apache-2.0 */
/* CheckRequests as Envoy writes them, encoded by protobuf-c: for tests and the
 * load generator. Link the target `proto`. */
#ifndef BARTIZAN_CHECK_REQUEST_BUILDER_H
#define BARTIZAN_CHECK_REQUEST_BUILDER_H

#include "view.h"

struct check_request_pair {
    const char *name;
    const char *value;
};

/* NULL and 0 leave a field out. */
struct check_request_parts {
    const char *id;
    const char *method;
    const char *path;
    const char *host;
    const char *scheme;
    const char *protocol;
    const struct check_request_pair *headers; /* without pseudo headers */
    size_t header_count;
    bool is_header_map;         /* header_map with raw_value (encode_raw_headers), else the map `headers` */
    bool has_no_pseudo_headers; /* else :authority, :method, :path, :scheme are written from the fields above */
    const char *certificate;    /* source.certificate: URL-encoded PEM */
    const char *principal;      /* source.principal */
    const char *source_address; /* textual IP */
    uint32_t source_port;
    const char *destination_address;
    uint32_t destination_port;
    const char *sni;
    const struct check_request_pair *context; /* context_extensions */
    size_t context_count;
    int64_t size;
    const char *body;     /* string form */
    struct view raw_body; /* bytes form */
    int64_t time_seconds;
    struct view metadata_filter;               /* the one filter of metadata_context ... */
    const struct check_request_pair *metadata; /* ... and its string members */
    size_t metadata_count;
};

/* The encoded request; the caller frees its data with free(). Aborts when memory is out. */
struct view check_request_builder_build(const struct check_request_parts *parts);

#endif
