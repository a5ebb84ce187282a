/* SPDX-License-Identifier: Apache-2.0 */
#include "json.h"

#include "digest.h"
#include "utf8.h"

/* What is left of the text. Reading stops at `end`; no byte behind it is touched. */
struct reader {
    const char *next;
    const char *end;
    struct arena *arena;
};

static enum err read_value(struct reader *r, unsigned depth, struct json *out);

static void skip_space(struct reader *r)
{
    while (r->next < r->end && (*r->next == ' ' || *r->next == '\n' || *r->next == '\t' || *r->next == '\r'))
        r->next++;
}

static bool take(struct reader *r, char c)
{
    if (r->next == r->end || *r->next != c)
        return false;
    r->next++;
    return true;
}

static bool is_digit(const struct reader *r)
{
    return r->next < r->end && *r->next >= '0' && *r->next <= '9';
}

/* ---- strings ---- */

static bool read_hex4(struct reader *r, uint32_t *out)
{
    uint8_t bytes[2];
    if (r->end - r->next < 4 || !hex_decode((struct view){r->next, 4}, bytes, sizeof bytes))
        return false;
    *out = (uint32_t)bytes[0] << 8 | bytes[1];
    r->next += 4;
    return true;
}

/* The code point of a \u escape, a surrogate pair taken together; NUL and a lone
 * surrogate are refused. */
static bool read_unicode_escape(struct reader *r, uint32_t *out)
{
    uint32_t low;
    if (!read_hex4(r, out) || *out == 0 || (*out >= 0xdc00 && *out <= 0xdfff))
        return false;
    if (*out < 0xd800 || *out > 0xdbff)
        return true;
    if (!take(r, '\\') || !take(r, 'u') || !read_hex4(r, &low) || low < 0xdc00 || low > 0xdfff)
        return false;
    *out = 0x10000 + ((*out - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

static char *utf8_put(char *out, uint32_t c)
{
    if (c < 0x80) {
        *out++ = (char)c;
        return out;
    }
    if (c < 0x800) {
        *out++ = (char)(0xc0 | c >> 6);
    } else if (c < 0x10000) {
        *out++ = (char)(0xe0 | c >> 12);
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
    } else {
        *out++ = (char)(0xf0 | c >> 18);
        *out++ = (char)(0x80 | (c >> 12 & 0x3f));
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
    }
    *out++ = (char)(0x80 | (c & 0x3f));
    return out;
}

/* The escape behind a backslash, written to *out. */
static bool read_escape(struct reader *r, char **out)
{
    static const char NAMES[] = "\"\\/bfnrt", MEANT[] = "\"\\/\b\f\n\r\t";
    uint32_t code;
    if (r->next == r->end)
        return false;
    char name = *r->next++;
    if (name == 'u') {
        if (!read_unicode_escape(r, &code))
            return false;
        *out = utf8_put(*out, code);
        return true;
    }
    const char *hit = memchr(NAMES, name, sizeof NAMES - 1);
    if (hit == NULL)
        return false;
    *(*out)++ = MEANT[hit - NAMES];
    return true;
}

/* Passes over a run that stands for itself; stops at a quote, a backslash or the end. */
static bool skip_plain(struct reader *r)
{
    while (r->next < r->end && *r->next != '"' && *r->next != '\\') {
        if ((uint8_t)*r->next < 0x20)
            return false;
        r->next++;
    }
    return r->next < r->end;
}

/* The rest of a string that has escapes: `start` is its first byte, r->next at the
 * first backslash. What an escape stands for is never longer than the escape. */
static enum err read_escaped(struct reader *r, const char *start, struct view *out)
{
    struct reader probe = *r;
    while (skip_plain(&probe) && *probe.next == '\\') {
        if (probe.end - probe.next < 2)
            return ERR_MALFORMED;
        probe.next += 2;
    }
    if (probe.next >= probe.end || *probe.next != '"')
        return ERR_MALFORMED;
    char *text = arena_take(r->arena, (size_t)(probe.next - start) + 1);
    if (text == NULL)
        return ERR_NO_MEMORY;
    char *end = text;
    const char *run = start;
    for (;;) {
        if (!skip_plain(r))
            return ERR_MALFORMED;
        memcpy(end, run, (size_t)(r->next - run));
        end += r->next - run;
        if (take(r, '"'))
            break;
        r->next++;
        if (!read_escape(r, &end))
            return ERR_MALFORMED;
        run = r->next;
    }
    *out = (struct view){.data = text, .size = (size_t)(end - text)};
    return ERR_NONE;
}

/* A string, the opening quote already taken. */
static enum err read_string(struct reader *r, struct view *out)
{
    const char *start = r->next;
    if (!skip_plain(r))
        return ERR_MALFORMED;
    if (*r->next == '\\')
        return read_escaped(r, start, out);
    *out = (struct view){.data = start, .size = (size_t)(r->next - start)};
    r->next++;
    return ERR_NONE;
}

/* ---- numbers and words ---- */

/* RFC 8259 section 6. */
static enum err read_number(struct reader *r, struct json *out)
{
    const char *start = r->next;
    (void)take(r, '-');
    if (!is_digit(r))
        return ERR_MALFORMED;
    if (!take(r, '0'))
        while (is_digit(r))
            r->next++;
    if (take(r, '.')) {
        if (!is_digit(r))
            return ERR_MALFORMED;
        while (is_digit(r))
            r->next++;
    }
    if (take(r, 'e') || take(r, 'E')) {
        if (!take(r, '+'))
            (void)take(r, '-');
        if (!is_digit(r))
            return ERR_MALFORMED;
        while (is_digit(r))
            r->next++;
    }
    *out = (struct json){.kind = JSON_NUMBER, .text = {start, (size_t)(r->next - start)}};
    return ERR_NONE;
}

static enum err read_word(struct reader *r, struct view word, enum json_kind kind, struct json *out)
{
    struct view rest = {r->next, (size_t)(r->end - r->next)};
    if (!view_starts_with(rest, word))
        return ERR_MALFORMED;
    r->next += word.size;
    *out = (struct json){.kind = kind};
    return ERR_NONE;
}

/* ---- arrays and objects ---- */

/* The number of elements of the container whose opening bracket was just taken,
 * exact for well-formed text, so that they can stand in one array. */
static size_t count_elements(const struct reader *r)
{
    const char *text = r->next;
    size_t size = (size_t)(r->end - r->next), commas = 0, open = 1;
    bool is_empty = true;
    for (size_t i = 0; i < size; i++) {
        switch (text[i]) {
        case '"':
            for (i++; i < size && text[i] != '"'; i++)
                i += text[i] == '\\';
            is_empty = false;
            break;
        case '[':
        case '{':
            open++;
            is_empty = false;
            break;
        case ']':
        case '}':
            if (--open == 0)
                return is_empty ? 0 : commas + 1;
            break;
        case ',': commas += open == 1; break;
        case ' ':
        case '\n':
        case '\t':
        case '\r': break;
        default: is_empty = false; break;
        }
    }
    return 0;
}

/* From the opening bracket to the closing one, which were both taken. */
static struct view taken_since(const struct reader *r, const char *first)
{
    return (struct view){.data = first - 1, .size = (size_t)(r->next - first) + 1};
}

static enum err read_array(struct reader *r, unsigned depth, struct json *out)
{
    const char *first = r->next;
    size_t count = count_elements(r);
    struct json *items = count > 0 ? arena_take_array(r->arena, count, sizeof *items) : NULL;
    if (count > 0 && items == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        TRY(read_value(r, depth, &items[i]));
        skip_space(r);
        if (i + 1 < count && !take(r, ','))
            return ERR_MALFORMED;
    }
    skip_space(r);
    if (!take(r, ']'))
        return ERR_MALFORMED;
    *out = (struct json){.kind = JSON_ARRAY, .text = taken_since(r, first), .items = items, .count = count};
    return ERR_NONE;
}

static bool has_name(const struct view *names, size_t count, struct view name)
{
    for (size_t i = 0; i < count; i++)
        if (view_equals(names[i], name))
            return true;
    return false;
}

/* A member name and the colon behind it. */
static enum err read_name(struct reader *r, struct view *out)
{
    skip_space(r);
    if (!take(r, '"'))
        return ERR_MALFORMED;
    TRY(read_string(r, out));
    skip_space(r);
    return take(r, ':') ? ERR_NONE : ERR_MALFORMED;
}

static enum err read_object(struct reader *r, unsigned depth, struct json *out)
{
    const char *first = r->next;
    size_t count = count_elements(r);
    if (count > JSON_MEMBERS_MAX)
        return ERR_LIMIT;
    struct json *items = count > 0 ? arena_take_array(r->arena, count, sizeof *items) : NULL;
    struct view *names = count > 0 ? arena_take_array(r->arena, count, sizeof *names) : NULL;
    if (count > 0 && (items == NULL || names == NULL))
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        TRY(read_name(r, &names[i]));
        if (has_name(names, i, names[i])) /* unescaped: "a" and "\u0061" are one name */
            return ERR_MALFORMED;
        TRY(read_value(r, depth, &items[i]));
        skip_space(r);
        if (i + 1 < count && !take(r, ','))
            return ERR_MALFORMED;
    }
    skip_space(r);
    if (!take(r, '}'))
        return ERR_MALFORMED;
    *out = (struct json){
        .kind = JSON_OBJECT, .text = taken_since(r, first), .items = items, .names = names, .count = count};
    return ERR_NONE;
}

/* `depth` is that of the container around the value; the top has 0. */
static enum err read_value(struct reader *r, unsigned depth, struct json *out)
{
    skip_space(r);
    if (r->next == r->end)
        return ERR_MALFORMED;
    switch (*r->next) {
    case '{':
    case '[': {
        bool is_object = *r->next++ == '{';
        if (depth == JSON_DEPTH_MAX)
            return ERR_LIMIT;
        return is_object ? read_object(r, depth + 1, out) : read_array(r, depth + 1, out);
    }
    case '"':
        r->next++;
        *out = (struct json){.kind = JSON_STRING};
        return read_string(r, &out->text);
    case 't': return read_word(r, VIEW("true"), JSON_TRUE, out);
    case 'f': return read_word(r, VIEW("false"), JSON_FALSE, out);
    case 'n': return read_word(r, VIEW("null"), JSON_NULL, out);
    default: return read_number(r, out);
    }
}

static enum err read_text(struct reader *r, struct json *out)
{
    struct json value;
    if (!utf8_is_text((struct view){r->next, (size_t)(r->end - r->next)})) /* once for all strings */
        return ERR_MALFORMED;
    TRY(read_value(r, 0, &value));
    skip_space(r);
    if (r->next != r->end)
        return ERR_MALFORMED;
    *out = value;
    return ERR_NONE;
}

enum err json_parse_located(struct view text, struct arena *arena, struct json *out, size_t *offset)
{
    struct view nothing = VIEW("");
    struct view bytes = text.size > 0 ? text : nothing;
    struct reader reader = {.next = bytes.data, .end = bytes.data + bytes.size, .arena = arena};
    enum err e = read_text(&reader, out);
    *offset = (size_t)(reader.next - bytes.data);
    return e;
}

enum err json_parse(struct view text, struct arena *arena, struct json *out)
{
    size_t offset;
    return json_parse_located(text, arena, out, &offset);
}

const struct json *json_get(const struct json *object, struct view name)
{
    if (object == NULL || object->kind != JSON_OBJECT)
        return NULL;
    for (size_t i = 0; i < object->count; i++)
        if (view_equals(object->names[i], name))
            return &object->items[i];
    return NULL;
}

bool json_to_u64(const struct json *value, uint64_t *out)
{
    uint64_t n = 0;
    if (value == NULL || value->kind != JSON_NUMBER)
        return false;
    for (size_t i = 0; i < value->text.size; i++) {
        char digit = value->text.data[i];
        if (digit < '0' || digit > '9' || __builtin_mul_overflow(n, UINT64_C(10), &n) ||
            __builtin_add_overflow(n, (uint64_t)(digit - '0'), &n))
            return false;
    }
    *out = n;
    return true;
}
