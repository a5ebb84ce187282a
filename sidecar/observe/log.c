/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include "rfc3339.h"
#include "utf8.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static const char *const level_names[] = {"error", "warn", "info", "debug"};
enum { LEVELS = sizeof level_names / sizeof level_names[0] };

/* The one process-wide setting: chosen once on the command line, read everywhere. */
static atomic_uint threshold = LOG_INFO;

struct line {
    char *bytes;
    size_t size, capacity;
    bool is_cut;
};

/* A piece is written whole or not at all, so no escape is cut in two. */
static void put(struct line *line, const char *piece, size_t size)
{
    if (line->is_cut || size > line->capacity - line->size) {
        line->is_cut = true;
        return;
    }
    memcpy(line->bytes + line->size, piece, size);
    line->size += size;
}

static void put_view(struct line *line, struct view v)
{
    if (v.size > LOG_LINE_MAX) /* of ours, never this long */
        v.size = LOG_LINE_MAX;
    put(line, v.data, v.size);
}

static void put_escaped(struct line *line, struct view text, bool is_quoted)
{
    for (size_t i = 0; i < text.size && !line->is_cut;) {
        const unsigned char *p = (const unsigned char *)text.data + i;
        uint32_t code;
        size_t length = utf8_decode(text, i, &code);
        if (is_quoted && (p[0] == '"' || p[0] == '\\')) {
            char pair[2] = {'\\', (char)p[0]};
            put(line, pair, sizeof pair);
        } else if (length > 0 && !utf8_is_hidden(code)) {
            put(line, text.data + i, length);
        } else {
            for (size_t k = 0; k < (length ? length : 1); k++) {
                char hex[5];
                snprintf(hex, sizeof hex, "\\x%02x", p[k]);
                put(line, hex, 4);
            }
        }
        i += length ? length : 1;
    }
}

size_t log_escape(struct view text, char *buffer, size_t size)
{
    struct line line = {.bytes = buffer, .capacity = size};
    put_escaped(&line, text, false);
    return line.size;
}

static void put_field(struct line *line, const struct log_field *field)
{
    put(line, " ", 1);
    if (!view_is_present(field->name)) {
        put_escaped(line, field->text, true);
        return;
    }
    put_view(line, field->name);
    if (view_is_present(field->text)) {
        put(line, "=\"", 2);
        put_escaped(line, field->text, true);
        put(line, "\"", 1);
    } else {
        char number[24];
        int size = snprintf(number, sizeof number, "=%" PRIu64, field->number);
        put(line, number, (size_t)size);
    }
}

bool log_level_parse(struct view name, enum log_level *out)
{
    for (size_t i = 0; i < LEVELS; i++) {
        if (view_equals(name, view_of(level_names[i]))) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&threshold, (unsigned)level, memory_order_relaxed);
}

size_t log_format(char buffer[LOG_LINE_MAX], int64_t seconds, uint32_t milliseconds, enum log_level level,
                  const struct log_field *fields, size_t count)
{
    struct line line = {.bytes = buffer, .capacity = LOG_LINE_MAX - sizeof "..."}; /* room for the end of a cut line */
    char instant[RFC3339_BYTES] = "0000-00-00T00:00:00Z"; /* kept by a clock beyond the calendar */
    char head[64];
    (void)rfc3339_write(seconds, instant);
    size_t name = (size_t)level < LEVELS ? (size_t)level : (size_t)LOG_ERROR;
    int size = snprintf(head, sizeof head, "%.*s.%03uZ %-5s", RFC3339_BYTES - 1, instant, milliseconds % 1000,
                        level_names[name]);
    put(&line, head, (size_t)size);
    for (size_t i = 0; i < count; i++)
        put_field(&line, &fields[i]);
    if (line.is_cut) {
        memcpy(buffer + line.size, "...", 3);
        line.size += 3;
    }
    buffer[line.size++] = '\n';
    return line.size;
}

void log_write(enum log_level level, const struct log_field *fields, size_t count)
{
    if ((unsigned)level > atomic_load_explicit(&threshold, memory_order_relaxed))
        return;
    char buffer[LOG_LINE_MAX];
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    size_t size = log_format(buffer, now.tv_sec, (uint32_t)(now.tv_nsec / 1000000), level, fields, count);
    ssize_t written = write(STDERR_FILENO, buffer, size);
    (void)written;
}
