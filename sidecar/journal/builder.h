/* SPDX-License-Identifier: Apache-2.0 */
/* A text that grows in an arena, and the two ways in which bytes from outside may
 * enter it: escaped for a terminal, or as the inside of a JSON string.
 *
 * Failure is sticky: at the arena's ceiling the result is the absent view. */
#ifndef BARTIZAN_BUILDER_H
#define BARTIZAN_BUILDER_H

#include "arena.h"

struct builder {
    struct arena *arena;
    char *data;
    size_t size;
    size_t capacity;
    bool is_failed;
};

void builder_init(struct builder *builder, struct arena *arena);

/* Text of our own, as it is. */
void builder_add(struct builder *builder, struct view text);
void builder_print(struct builder *builder, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Text from outside on a terminal. Written as they are: printable characters of
 * UTF-8. Escaped: `\` as `\\`; control characters (C0, C1, DEL) and what cannot be
 * seen or turns the direction of text (U+00AD, U+061C, U+180E, U+200B to U+200F,
 * U+2028 to U+202E, U+2060 to U+206F, U+FEFF, U+FFF9 to U+FFFB, U+E0000 to U+E007F)
 * as `\u{HEX}`; a byte that is no UTF-8 as `\xHH`. */
void builder_add_escaped(struct builder *builder, struct view text);

/* A JSON string with its quotes, RFC 8259 section 7. The same characters as above
 * are escaped, as \uXXXX; a byte that is no UTF-8 reads U+FFFD. */
void builder_add_json(struct builder *builder, struct view text);

/* Lower-case hex. */
void builder_add_hex(struct builder *builder, struct view bytes);

/* "2026-11-24T09:14:02.123456789Z", RFC 3339. Outside the years
 * 1970 to 9999: the number of nanoseconds. */
void builder_add_time(struct builder *builder, int64_t realtime_ns);

/* The whole text with a NUL behind it, or the absent view. */
struct view builder_view(struct builder *builder);

#endif
