/* SPDX-License-Identifier: Apache-2.0 */
/* Is it text? UTF-8 as RFC 3629 section 4 has it: no overlong form, no
 * surrogate, nothing above U+10FFFF; and no NUL, where C strings end early and
 * two readers see two values. */
#ifndef BARTIZAN_UTF8_H
#define BARTIZAN_UTF8_H

#include "view.h"

#include <stdio.h>

enum { UTF8_JSON_MAX = sizeof "\\ud83d\\ude00" };

/* True for valid UTF-8 without NUL; true for the absent and the empty view. */
bool utf8_is_text(struct view v);

/* The length of the character at `at` and *code its code point; 0: none begins there. */
size_t utf8_decode(struct view v, size_t at, uint32_t *code);

/* True for what acts on a terminal or a reader unseen: controls, and what reorders text or takes no room
 * (Unicode TR 36, "Trojan Source"). */
bool utf8_is_hidden(uint32_t code);

/* True for valid UTF-8 in which nothing is hidden, so that it can stand on a line as it is; false for
 * the absent and the empty view. */
bool utf8_is_line(struct view v);

/* The character at *at as a JSON string holds it: itself, or an escape in `room`; *at moves past it.
 * What is hidden is escaped, and a byte that is no text is U+FFFD. */
struct view utf8_json(struct view v, size_t *at, char room[UTF8_JSON_MAX]);

/* All of `v` as a JSON string with its quotes. */
void utf8_print_json(struct view v, FILE *out);

#endif
