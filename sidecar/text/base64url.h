/* SPDX-License-Identifier: Apache-2.0 */
/* Base64url without padding, strict: RFC 4648 section 5, RFC 7515 section 2. */
#ifndef BARTIZAN_BASE64URL_H
#define BARTIZAN_BASE64URL_H

#include "err.h"
#include "view.h"

/* Decodes into `out` of `capacity` bytes, *size of them written. Refused
 * (ERR_MALFORMED): any byte outside the alphabet, padding, a length of 1 mod 4,
 * non-zero trailing bits. ERR_LIMIT: does not fit. */
MUST_CHECK enum err base64url_decode(struct view text, uint8_t *out, size_t capacity, size_t *size);

/* The way back: ceil(size * 4 / 3) characters to `out`; returns their number. */
size_t base64url_encode(const uint8_t *bytes, size_t size, char *out);

#endif
