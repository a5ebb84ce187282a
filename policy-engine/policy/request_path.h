/* SPDX-License-Identifier: Apache-2.0 */
/* The request target in canonical form, or the reason for which it is refused.
 *
 * Nothing is normalised and then allowed: what we decide about must be what the
 * upstream gets, so a path that is not canonical is refused (ADR 2). Sources:
 * RFC 3986 sections 3.3 and 6.2.2; the bypass history in SECURITY.md. */
#ifndef BARTIZAN_REQUEST_PATH_H
#define BARTIZAN_REQUEST_PATH_H

#include "reason.h"

enum {
    PATH_BYTES_MAX = 8192,
    PATH_SEGMENTS_MAX = 64,
    PATH_SEGMENT_BYTES_MAX = 255,
};

/* Both refuse: anything but pchar of RFC 3986, `;` (some servers cut it off, also
 * where a proxy has just created `..;`), `!` that may stand for lost bytes, `//`,
 * dot segments (between escaped slashes too), escaped controls, `%5C`, `%25` before two hex digits, bad escapes,
 * escapes that are not UTF-8, `#`, absolute forms, anything over the limits. */
enum path_mode {
    PATH_STRICT = 0, /* refuse whatever a normaliser would change: also an escaped unreserved octet */
    PATH_ENVOY,      /* the mesh has merged slashes and resolved dots already; an escaped unreserved octet
                        is taken for the octet itself */
};

struct request_path {
    struct view path;  /* before the first `?` */
    struct view query; /* after it; absent without `?` */
    struct view
        segments[PATH_SEGMENTS_MAX]; /* split at `/`, still percent-encoded; a trailing `/` gives a last empty one */
    size_t segment_count;
    bool has_escape;        /* some segment holds a percent escape: it has to be decoded */
    bool has_encoded_slash; /* %2F stands in some segment: refused unless the operation says it is data */
};

/* REASON_NONE and *out, or REASON_REQUEST_PATH, REASON_REQUEST_PATH_LENGTH.
 * `is_raw` as in facts.h. Views of *out borrow from `target`. */
enum reason request_path_parse(struct view target, enum path_mode mode, bool is_raw, struct request_path *out);

/* Writes the octets that `segment` of a parsed path stands for to `out` (at least
 * segment.size bytes) and returns their number. */
size_t request_path_decode(struct view segment, char *out);

/* S12. REASON_NONE with the lower-cased host in `buffer` (at least host.size
 * bytes) and its port (0 when none), or REASON_REQUEST_HOST for a trailing dot,
 * userinfo, an empty host, a comma, a control byte or anything outside the grammar. */
enum reason request_host_parse(struct view host, char *buffer, struct view *name, uint16_t *port);

/* REASON_NONE when `method` is [A-Z]+ of at most 32 bytes, else REASON_REQUEST_METHOD. */
enum reason request_method_check(struct view method);

#endif
