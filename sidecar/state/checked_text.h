/* SPDX-License-Identifier: Apache-2.0 */
/* Small files of ours that are lines and a checksum: a head that names the form and its
 * version, lines of KEY VALUE, and "sha256 " with 64 lower-case hex digits of every byte before.
 * Who reads one takes what was written, whole, or nothing. The parsers are total. */
#ifndef BARTIZAN_CHECKED_TEXT_H
#define BARTIZAN_CHECKED_TEXT_H

#include "arena.h"

#include <sys/types.h>

enum { CHECKED_TEXT_SUM = 7 + 64 + 1 /* bytes of the last line */ };

/* *body is what stands between `head` and a checksum that is its own. */
bool checked_text_take_body(struct view text, struct view head, struct view *body);

/* Takes the line `key` VALUE from *rest. */
bool checked_text_take_line(struct view *rest, struct view key, struct view *value);

/* The same for a decimal of at most 2^63 - 1, as printed: one way to write a number. */
bool checked_text_take_number(struct view *rest, struct view key, uint64_t *out);

/* The folder of such files. ERR_NOT_FOUND, ERR_IO. */
MUST_CHECK enum err checked_text_folder(const char *path, int *out);

/* Puts `body` and its checksum in place of the file, as folder_file_replace does. ERR_LIMIT: longer than
 * 128 KiB; ERR_IO, ERR_NO_MEMORY. */
MUST_CHECK enum err checked_text_write(int folder, const char *name, mode_t mode, struct view body);

#endif
