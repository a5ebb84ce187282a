/* SPDX-License-Identifier: Apache-2.0 */
/* The way back from base64url_decode, which the product does not need. */
#ifndef BARTIZAN_BASE64URL_ENCODE_H
#define BARTIZAN_BASE64URL_ENCODE_H

#include <stddef.h>
#include <stdint.h>

/* Writes ceil(size * 4 / 3) characters to `out`; returns their number. */
size_t base64url_encode(const uint8_t *bytes, size_t size, char *out);

#endif
