/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a CheckRequest with protobuf-c and with check_request_parse, and says where
 * they differ. Link the targets `wire` and `proto`. */
#ifndef BARTIZAN_CHECK_REQUEST_ORACLE_H
#define BARTIZAN_CHECK_REQUEST_ORACLE_H

#include "check_request.h"

/* What differs, in a static phrase, or NULL when both agree:
 *
 * - What ours accepts, protobuf-c accepts with the same value in every field.
 * - What protobuf-c accepts, ours accepts or refuses for a reason that the oracle
 *   finds in protobuf-c's own reading: a limit, text that is none, a contradiction,
 *   a header that cannot be; or for one of the encodings that ours refuses and
 *   protobuf-c takes (pb_reader.h), found by walking the bytes.
 *
 * Messages that stand twice where one is expected are merged by both, but not alike:
 * protobuf-c takes an empty string for absent and refuses some oneofs. There only
 * what ours refuses is held to a cause. */
const char *check_request_oracle_disagreement(struct view bytes);

#endif
