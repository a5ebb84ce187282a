/* SPDX-License-Identifier: Apache-2.0 */
#include "utf8.h"

#define EACH_BYTE(byte) (0x0101010101010101u * (uint64_t)(byte))

enum { WORD = 8, BLOCK = 32 };

/* Eight bytes of ASCII without NUL. In a byte below 0x80, subtracting one sets the
 * top bit only for 0 (or after the borrow of a 0 below it), so one mask finds both
 * NUL and non-ASCII. */
static bool is_plain_word(const char *at)
{
    uint64_t w;

    memcpy(&w, at, sizeof w);
    return (((w - EACH_BYTE(1)) | w) & EACH_BYTE(0x80)) == 0;
}

/* The same of a block; a fixed count without an exit in between is what compilers
 * turn into vector instructions. */
static bool is_plain_block(const char *at)
{
    uint8_t bad = 0;

    for (int i = 0; i < BLOCK; i++)
        bad |= (uint8_t)((int8_t)at[i] < 1);
    return bad == 0;
}

/* The length of a leading run of ASCII without NUL, or a part of it. */
static size_t plain_run(const char *at, size_t size)
{
    size_t i = 0;

    while (size - i >= BLOCK && is_plain_block(at + i))
        i += BLOCK;
    while (size - i >= WORD && is_plain_word(at + i))
        i += WORD;
    /* What is left is less than a word: one that ends at the end covers it. */
    if (size - i < WORD && size >= WORD && is_plain_word(at + size - WORD))
        i = size;
    return i;
}

static bool is_tail(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

/* The length of one character, 0 when there is none. RFC 3629 section 4. */
static size_t character(const uint8_t *at, size_t left)
{
    uint8_t lead = at[0];

    if (lead > 0 && lead < 0x80)
        return 1;
    if (lead >= 0xc2 && lead <= 0xdf)
        return left >= 2 && is_tail(at[1]) ? 2 : 0;
    if (lead >= 0xe0 && lead <= 0xef) {
        uint8_t low = lead == 0xe0 ? 0xa0 : 0x80;
        uint8_t high = lead == 0xed ? 0x9f : 0xbf;

        return left >= 3 && at[1] >= low && at[1] <= high && is_tail(at[2]) ? 3 : 0;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        uint8_t low = lead == 0xf0 ? 0x90 : 0x80;
        uint8_t high = lead == 0xf4 ? 0x8f : 0xbf;

        return left >= 4 && at[1] >= low && at[1] <= high && is_tail(at[2]) && is_tail(at[3]) ? 4 : 0;
    }
    return 0;
}

bool utf8_is_text(struct view v)
{
    size_t i = 0;

    while (i < v.size) {
        size_t step = plain_run(v.data + i, v.size - i);

        if (step == 0)
            step = character((const uint8_t *)v.data + i, v.size - i);
        if (step == 0)
            return false;
        i += step;
    }
    return true;
}

size_t utf8_decode(struct view v, size_t at, uint32_t *code)
{
    const uint8_t *bytes = (const uint8_t *)v.data + at;
    size_t size = bytes[0] == 0 ? 1 : character(bytes, v.size - at);

    *code = size < 2 ? bytes[0] : bytes[0] & (0x7fU >> size);
    for (size_t i = 1; i < size; i++)
        *code = *code << 6 | (bytes[i] & 0x3fU);
    return size;
}

bool utf8_is_hidden(uint32_t code)
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

bool utf8_is_line(struct view v)
{
    uint32_t code;
    size_t step = 0;

    for (size_t at = 0; at < v.size; at += step) {
        step = 1;
        if (v.data[at] >= ' ' && v.data[at] <= '~') /* nearly all there is: not worth a walk through the ranges */
            continue;
        step = utf8_decode(v, at, &code);
        if (step == 0 || utf8_is_hidden(code))
            return false;
    }
    return v.size > 0;
}

struct view utf8_json(struct view v, size_t *at, char room[UTF8_JSON_MAX])
{
    uint32_t code;
    size_t size = utf8_decode(v, *at, &code);
    struct view plain = {.data = v.data + *at, .size = size};
    int written;

    *at += size > 0 ? size : 1;
    if (size == 0)
        return VIEW("\\ufffd");
    if (code == '"' || code == '\\')
        written = snprintf(room, UTF8_JSON_MAX, "\\%c", (int)code);
    else if (!utf8_is_hidden(code))
        return plain;
    else if (code < 0x10000)
        written = snprintf(room, UTF8_JSON_MAX, "\\u%04x", (unsigned)code);
    else
        written = snprintf(room, UTF8_JSON_MAX, "\\u%04x\\u%04x", (unsigned)(0xd7c0 + (code >> 10)),
                           (unsigned)(0xdc00 + (code & 0x3ff)));
    return (struct view){.data = room, .size = (size_t)written};
}

void utf8_print_json(struct view v, FILE *out)
{
    char room[UTF8_JSON_MAX];

    (void)fputc('"', out);
    for (size_t at = 0; at < v.size;) {
        struct view piece = utf8_json(v, &at, room);
        (void)fwrite(piece.data, 1, piece.size, out);
    }
    (void)fputc('"', out);
}
