/* SPDX-License-Identifier: Apache-2.0 */
/* Instants as text: RFC 3339 section 5.6, whole seconds, UTC or with an offset. */
#ifndef BARTIZAN_RFC3339_H
#define BARTIZAN_RFC3339_H

#include "view.h"

enum { RFC3339_BYTES = 20 }; /* "2027-01-15T08:00:00Z" */

/* True and unix seconds. A fraction is refused, and so are leap seconds. */
bool rfc3339_parse(struct view text, int64_t *out);

/* `seconds` in UTC, without NUL; years 0 to 9999 only: false otherwise. */
bool rfc3339_write(int64_t seconds, char out[RFC3339_BYTES]);

#endif
