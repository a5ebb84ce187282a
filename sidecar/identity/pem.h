/* SPDX-License-Identifier: Apache-2.0 */
/* PEM blocks of one label, strictly: RFC 7468.
 *
 *   block = "-----BEGIN " label "-----" EOL 1*( 1*base64 EOL ) "-----END " label "-----" [ EOL ]
 *   EOL   = LF / CRLF
 * No headers, no blank lines, no text before a block; base64 is RFC 4648 section 4
 * with its padding and zero trailing bits. */
#ifndef BARTIZAN_PEM_H
#define BARTIZAN_PEM_H

#include "err.h"
#include "view.h"

/* Undoes Envoy's escapes, %XX only: a plus sign stays one. Writes at most
 * text.size bytes to `out` and returns true, or false at a bad or cut escape. */
bool pem_unescape(struct view text, char *out, size_t *size);

/* Takes the block of `label` ("CERTIFICATE") that *text starts with: its DER into `out` of `capacity` bytes
 * (3/4 of the text always suffice), *text moved behind it. ERR_MALFORMED, ERR_LIMIT. */
MUST_CHECK enum err pem_take(struct view *text, struct view label, uint8_t *out, size_t capacity, size_t *size);

/* `text` without the spaces, tabs and line ends that it begins with. */
struct view pem_skip_space(struct view text);

/* The line, from 1, in which byte `at` of `text` stands. */
uint32_t pem_line(struct view text, size_t at);

/* The same for bytes of one text asked for in order, which reads it once. Zeroed at first. */
struct pem_place {
    size_t at;
    uint32_t lines; /* that end before `at` */
};
uint32_t pem_place_move(struct pem_place *place, struct view text, size_t at);

/* Base64 of one line, as x5c has it (RFC 7517 section 4.7). The same errors. */
MUST_CHECK enum err pem_base64_decode(struct view text, uint8_t *out, size_t capacity, size_t *size);

#endif
