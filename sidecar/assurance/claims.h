/* SPDX-License-Identifier: Apache-2.0 */
/* Claims as the policy engine reads them, from the JSON of a token. */
#ifndef BARTIZAN_CLAIMS_H
#define BARTIZAN_CLAIMS_H

#include "facts.h"
#include "json.h"

/* The tree of facts.h; texts borrow from the JSON's. Numbers become canonical decimal:
 * no exponent, no plus, no leading or trailing zeros, no minus before zero, so that
 * 42, 42.0 and 4.2e1 are all "42"; one of more than 40 digits stays as written. */
MUST_CHECK enum err claims_build(const struct json *json, struct arena *arena, struct value *out);

/* A NumericDate (RFC 7519 section 2) in whole seconds: a number from 0 to 2^53, its
 * fraction cut off, exponent forms understood; false for everything else. */
bool claims_read_date(const struct json *json, int64_t *out);

/* A control character of Unicode (category Cc) stands in the UTF-8 text. */
bool claims_has_control(struct view text);

#endif
