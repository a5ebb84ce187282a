/* SPDX-License-Identifier: Apache-2.0 */
/* The log: one line an event on standard error, for people first.
 *
 *   2026-11-24T21:55:00.123Z info  snapshot in force generation=8 path="/etc/bartizan/policy"
 *
 * Time in UTC with milliseconds, level, what happened, then fields. Text in
 * fields is quoted, and quotes, backslashes, control bytes and bytes that are not
 * UTF-8 are escaped, so that no field can forge a line or a field. A line is one
 * write(2), so lines of threads and processes do not mix. Safe from any thread.
 *
 * This is an edge: it reads the wall clock and writes. Nothing logs per request. */
#ifndef BARTIZAN_LOG_H
#define BARTIZAN_LOG_H

#include "view.h"

enum log_level { LOG_ERROR = 0, LOG_WARN, LOG_INFO, LOG_DEBUG };

enum { LOG_LINE_MAX = 4096 }; /* bytes of a line; what is longer is cut and ends with "..." */

struct log_field {
    struct view name; /* ours, printable; absent: `text` is the message itself */
    struct view text; /* escaped; absent: `number` is meant */
    uint64_t number;
};

/* The message; name no outside data in it. */
static inline struct log_field log_say(const char *message)
{
    return (struct log_field){.text = view_of(message)};
}

/* A text, from anywhere. An absent view shows as `-`. */
static inline struct log_field log_text(const char *name, struct view text)
{
    return (struct log_field){.name = view_of(name), .text = view_is_present(text) ? text : VIEW("-")};
}

static inline struct log_field log_number(const char *name, uint64_t number)
{
    return (struct log_field){.name = view_of(name), .number = number};
}

/* log_line(LOG_WARN, log_say("policy refused"), log_text("file", file), log_number("line", 12)); */
#define log_line(level, ...)                                                                                           \
    log_write((level), (const struct log_field[]){__VA_ARGS__},                                                        \
              sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

/* "error", "warn", "info", "debug": true and *out, or false. */
bool log_level_parse(struct view name, enum log_level *out);

/* Lines above `level` are dropped from now on; LOG_INFO before the first call. */
void log_set_level(enum log_level level);

/* Writes one line to standard error; what cannot be written is lost. */
void log_write(enum log_level level, const struct log_field *fields, size_t count);

/* `text` as a line has it, but that quotes and backslashes stay: safe for a
 * terminal. Cut at `size`; the bytes written to `buffer`, at most 4 for one of `text`. */
size_t log_escape(struct view text, char *buffer, size_t size);

/* The line as log_write writes it, with its newline, for the clock `seconds` and
 * `milliseconds`: the bytes written, at most LOG_LINE_MAX. */
size_t log_format(char buffer[LOG_LINE_MAX], int64_t seconds, uint32_t milliseconds, enum log_level level,
                  const struct log_field *fields, size_t count);

#endif
