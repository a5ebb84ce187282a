/* SPDX-License-Identifier: Apache-2.0 */
#include "builder.h"

#include "rfc3339.h"
#include "utf8.h"

#include <stdarg.h>
#include <stdio.h>

enum { FIRST_CAPACITY = 1024 };

void builder_init(struct builder *builder, struct arena *arena)
{
    *builder = (struct builder){.arena = arena};
}

/* Room for `size` more bytes and a NUL. */
static char *grow(struct builder *builder, size_t size)
{
    size_t capacity = builder->capacity == 0 ? FIRST_CAPACITY : builder->capacity;
    while (!builder->is_failed && capacity - builder->size < size + 1) {
        builder->is_failed = capacity > SIZE_MAX / 2;
        capacity *= 2;
    }
    if (!builder->is_failed && capacity != builder->capacity) {
        char *moved = arena_take(builder->arena, capacity);
        if (moved != NULL && builder->size > 0)
            memcpy(moved, builder->data, builder->size);
        builder->is_failed = moved == NULL;
        builder->data = moved;
        builder->capacity = capacity;
    }
    return builder->is_failed ? NULL : builder->data + builder->size;
}

void builder_add(struct builder *builder, struct view text)
{
    char *at = grow(builder, text.size);
    if (at == NULL || text.size == 0)
        return;
    memcpy(at, text.data, text.size);
    builder->size += text.size;
}

void builder_print(struct builder *builder, const char *format, ...)
{
    char text[128];
    va_list list;
    va_start(list, format);
    int size = vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    if (size < 0 || (size_t)size >= sizeof(text))
        builder->is_failed = true;
    else
        builder_add(builder, (struct view){text, (size_t)size});
}

void builder_add_escaped(struct builder *builder, struct view text)
{
    size_t size;
    for (size_t at = 0; at < text.size; at += size) {
        uint32_t code;
        size = utf8_decode(text, at, &code);
        if (size == 0) {
            builder_print(builder, "\\x%02x", (unsigned)(uint8_t)text.data[at]);
            size = 1;
        } else if (code == '\\') {
            builder_add(builder, VIEW("\\\\"));
        } else if (utf8_is_hidden(code)) {
            builder_print(builder, "\\u{%x}", (unsigned)code);
        } else {
            builder_add(builder, (struct view){text.data + at, size});
        }
    }
}

void builder_add_json(struct builder *builder, struct view text)
{
    char room[UTF8_JSON_MAX];
    builder_add(builder, VIEW("\""));
    for (size_t at = 0; at < text.size;)
        builder_add(builder, utf8_json(text, &at, room));
    builder_add(builder, VIEW("\""));
}

void builder_add_hex(struct builder *builder, struct view bytes)
{
    for (size_t i = 0; i < bytes.size; i++)
        builder_print(builder, "%02x", (unsigned)(uint8_t)bytes.data[i]);
}

void builder_add_time(struct builder *builder, int64_t realtime_ns)
{
    char text[RFC3339_BYTES];
    if (realtime_ns < 0 || !rfc3339_write(realtime_ns / 1000000000, text)) {
        builder_print(builder, "%lld", (long long)realtime_ns);
        return;
    }
    builder_print(builder, "%.*s.%09uZ", RFC3339_BYTES - 1, text, (unsigned)(realtime_ns % 1000000000));
}

struct view builder_view(struct builder *builder)
{
    char *end = grow(builder, 0);
    if (end == NULL)
        return (struct view){0};
    *end = '\0';
    return (struct view){builder->data, builder->size};
}
