/* SPDX-License-Identifier: Apache-2.0 */
/* Filter metadata of a CheckRequest: envoy.config.core.v3.Metadata, a map from
 * filter name to google.protobuf.Struct.
 *
 * Apart from check_request because few policies read it: the request path pays
 * for values only where one does. */
#ifndef BARTIZAN_CHECK_METADATA_H
#define BARTIZAN_CHECK_METADATA_H

#include "arena.h"
#include "facts.h"

enum { CHECK_METADATA_DEPTH_MAX = 16, CHECK_METADATA_MEMBERS_MAX = 256 };

/* True when `bytes` is a Metadata message: well-formed, text where strings stand,
 * at most CHECK_METADATA_DEPTH_MAX levels of Struct and ListValue. */
bool check_metadata_is_valid(struct view bytes);

/* The metadata as a VALUE_MAP of VALUE_MAPs, as facts.h wants it; names and strings
 * borrow from `bytes`. Numbers become the shortest decimal text that reads back
 * the same. ERR_MALFORMED also for a name given twice in one map and for numbers
 * that JSON has not (NaN, infinities); ERR_LIMIT for too many members;
 * ERR_NO_MEMORY. */
MUST_CHECK enum err check_metadata_parse(struct view bytes, struct arena *arena, struct value *out);

#endif
