/* SPDX-License-Identifier: Apache-2.0 */
/* A path template of the policy, the shape of google.api.http.
 *
 *   pattern := "/" segment *( "/" segment )
 *   segment := literal | "{" name "}" [ ":" verb ] | "{*}" | "{**}"
 *   literal := *( pchar except "{" and "}" )          may be empty only as the last one
 *   name    := [A-Za-z_][A-Za-z0-9_]*                  unique in the pattern
 *   verb    := [A-Za-z0-9._-]+                         only on the last segment
 *
 * `{name}` and `{*}` stand for one segment that is not empty, colons included;
 * `{**}` stands last, for zero or more segments, an empty trailing one included.
 * Percent escapes of a literal are canonical (request_path.h) and decoded here:
 * patterns are compared with decoded segments, so hex case does not matter. An
 * encoded slash cannot stand in a literal. */
#ifndef BARTIZAN_PATH_PATTERN_H
#define BARTIZAN_PATH_PATTERN_H

#include "arena.h"
#include "request_path.h"

enum {
    PATTERN_BYTES_MAX = 1024,
    PATTERN_VARIABLES_MAX = 8,
};

enum pattern_segment_kind {
    PATTERN_LITERAL = 0,
    PATTERN_VARIABLE, /* {name} */
    PATTERN_ANY,      /* {*} */
    PATTERN_REST,     /* {**} */
};

struct pattern_segment {
    enum pattern_segment_kind kind;
    struct view text; /* LITERAL: decoded text; VARIABLE: its name; else absent */
};

struct path_pattern {
    struct view text; /* as written */
    const struct pattern_segment *segments;
    struct view verb; /* suffix of the last segment, without the colon; absent when none */
    uint32_t segment_count, variable_count;
};

/* What the variables of a pattern stand for in one request, in their order. */
struct pattern_captures {
    struct view values[PATTERN_VARIABLES_MAX]; /* decoded */
};

/* Reads `text`, which it borrows, into *out; what is more lives in `arena`. ERR_MALFORMED or ERR_LIMIT: *problem says
 * in words what is wrong. */
MUST_CHECK enum err path_pattern_parse(struct view text, struct arena *arena, struct path_pattern *out,
                                       const char **problem);

/* True when the decoded `segments` fit, with the variables in *captures (NULL: not wanted). */
bool path_pattern_matches(const struct path_pattern *pattern, const struct view *segments, size_t count,
                          struct pattern_captures *captures);

/* The index of the variable called `name`, or pattern->variable_count. */
size_t path_pattern_variable(const struct path_pattern *pattern, struct view name);

/* True when some path fits both patterns. */
bool path_pattern_overlaps(const struct path_pattern *a, const struct path_pattern *b);

#endif
