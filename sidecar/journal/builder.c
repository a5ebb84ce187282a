/* SPDX-License-Identifier: Apache-2.0 */
#include "builder.h"

#include "rfc3339.h"

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

/* The character at `at`, RFC 3629 section 4; its length, or 0 when there is none. */
static size_t decode(struct view text, size_t at, uint32_t *out)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t lead = (uint8_t)text.data[at];
    size_t size = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    if (size == 0 || size > text.size - at)
        return 0;
    uint32_t code = size == 1 ? lead : lead & (0x7fU >> size);
    for (size_t i = 1; i < size; i++) {
        uint8_t byte = (uint8_t)text.data[at + i];
        if ((byte & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (byte & 0x3fU);
    }
    *out = code;
    return code >= least[size] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) ? size : 0;
}

static bool is_hidden(uint32_t code)
{
    static const struct {
        uint32_t from, to;
    } hidden[] = {{0, 0x1f},        {0x7f, 0x9f},     {0xad, 0xad},      {0x61c, 0x61c},
                  {0x180e, 0x180e}, {0x200b, 0x200f}, {0x2028, 0x202e},  {0x2060, 0x206f},
                  {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f}};
    for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
        if (code >= hidden[i].from && code <= hidden[i].to)
            return true;
    }
    return false;
}

void builder_add_escaped(struct builder *builder, struct view text)
{
    size_t size;
    for (size_t at = 0; at < text.size; at += size) {
        uint32_t code = 0;
        size = decode(text, at, &code);
        if (size == 0) {
            builder_print(builder, "\\x%02x", (unsigned)(uint8_t)text.data[at]);
            size = 1;
        } else if (code == '\\') {
            builder_add(builder, VIEW("\\\\"));
        } else if (is_hidden(code)) {
            builder_print(builder, "\\u{%x}", (unsigned)code);
        } else {
            builder_add(builder, (struct view){text.data + at, size});
        }
    }
}

static void add_json_code(struct builder *builder, uint32_t code)
{
    if (code < 0x10000) {
        builder_print(builder, "\\u%04x", (unsigned)code);
        return;
    }
    uint32_t rest = code - 0x10000;
    builder_print(builder, "\\u%04x\\u%04x", (unsigned)(0xd800 + (rest >> 10)), (unsigned)(0xdc00 + (rest & 0x3ff)));
}

void builder_add_json(struct builder *builder, struct view text)
{
    size_t size;
    builder_add(builder, VIEW("\""));
    for (size_t at = 0; at < text.size; at += size) {
        uint32_t code = 0;
        size = decode(text, at, &code);
        if (size == 0) {
            builder_add(builder, VIEW("\\ufffd"));
            size = 1;
        } else if (code == '"' || code == '\\') {
            builder_print(builder, "\\%c", (int)code);
        } else if (is_hidden(code)) {
            add_json_code(builder, code);
        } else {
            builder_add(builder, (struct view){text.data + at, size});
        }
    }
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
