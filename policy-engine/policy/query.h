/* SPDX-License-Identifier: Apache-2.0 */
/* One parameter of a request's query, as a rule may read it.
 *
 * The query is `name=value` pieces between `&` (WHATWG URL, application/x-www-form-
 * urlencoded); a name without `=` is there and empty. Names and values are
 * percent-decoded once. Servers do not agree on how the rest is read, and what they
 * do not agree on cannot be judged:
 *   - a name that is given twice;
 *   - `+`, a space to some and a plus to others;
 *   - `;`, which separates like `&` to some;
 *   - a bad escape, an escaped control, `%25` before two hex digits, what does not
 *     decode to UTF-8, a raw octet outside of ASCII, `!` that may stand for lost bytes;
 *   - a value over the limit.
 * A piece whose name cannot be read could be any parameter. */
#ifndef BARTIZAN_QUERY_H
#define BARTIZAN_QUERY_H

#include "view.h"

enum { QUERY_VALUE_MAX = 2048 };

struct query_param {
    size_t count;      /* how often the name is there, in any reading */
    bool is_unknown;   /* its value cannot be judged */
    bool is_odd;       /* it is, or may be, there in another writing than `name` byte for byte between `&` and `=` */
    struct view value; /* decoded, in `room`; absent when the name is not there or unknown */
    char room[QUERY_VALUE_MAX];
};

/* Looks up `name` in the query of `target`. `is_raw` as in facts.h. */
void query_find(struct view target, bool is_raw, struct view name, struct query_param *out);

#endif
