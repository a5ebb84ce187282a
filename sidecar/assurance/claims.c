/* SPDX-License-Identifier: Apache-2.0 */
#include "claims.h"

enum { DIGITS_MAX = 40 };

/* digits * 10^(point - count): the digits without leading and trailing zeros, the
 * decimal point before digit `point`. Zero has no digits. */
struct decimal {
    bool is_negative;
    bool is_exact; /* false: more digits than we keep, or an exponent out of any sense */
    char digits[DIGITS_MAX];
    size_t count;
    long point;
};

/* The exponent of a JSON number, 0 where it has none; clamped, which only happens
 * far outside every range in use. */
static long read_exponent(struct view text, size_t at)
{
    long value = 0;
    size_t i = at + 1;
    bool is_negative = i < text.size && text.data[i] == '-';
    if (i < text.size && (text.data[i] == '-' || text.data[i] == '+'))
        i++;
    for (; i < text.size; i++)
        if (value < 100000)
            value = value * 10 + (text.data[i] - '0');
    return is_negative ? -value : value;
}

/* `text` obeys the JSON grammar for numbers. */
static struct decimal decimal_of(struct view text)
{
    struct decimal d = {.is_exact = true};
    long integer_digits = 0;
    size_t i = 0, pending = 0; /* zeros that count only if another digit follows */
    bool is_fraction = false;
    if (text.data[0] == '-') {
        d.is_negative = true;
        i++;
    }
    for (; i < text.size && text.data[i] != 'e' && text.data[i] != 'E'; i++) {
        char c = text.data[i];
        if (c == '.') {
            is_fraction = true;
            continue;
        }
        bool is_leading = d.count == 0 && c == '0';
        if (!is_fraction)
            integer_digits += !is_leading;
        else if (is_leading)
            integer_digits--; /* 0.001: the point stands before the first digit */
        if (is_leading)
            continue;
        if (c == '0') {
            pending++;
            continue;
        }
        for (; pending > 0 && d.count < DIGITS_MAX; pending--)
            d.digits[d.count++] = '0';
        if (d.count < DIGITS_MAX)
            d.digits[d.count++] = c;
        else
            d.is_exact = false;
    }
    d.point = integer_digits + (i < text.size ? read_exponent(text, i) : 0);
    return d;
}

/* At most DIGITS_MAX digits on either side of the point. */
static bool is_printable(const struct decimal *d)
{
    return d->is_exact && d->point <= DIGITS_MAX && d->point >= -(long)DIGITS_MAX;
}

static struct view print_decimal(const struct decimal *d, struct arena *arena)
{
    if (d->count == 0)
        return VIEW("0");
    char text[3 * DIGITS_MAX + 8], *p = text;
    if (d->is_negative)
        *p++ = '-';
    if (d->point <= 0) {
        *p++ = '0';
        *p++ = '.';
    }
    for (long i = d->point; i < 0; i++)
        *p++ = '0';
    for (size_t i = 0; i < d->count; i++) {
        if (i > 0 && (long)i == d->point)
            *p++ = '.';
        *p++ = d->digits[i];
    }
    for (long i = (long)d->count; i < d->point; i++)
        *p++ = '0';
    return arena_copy(arena, (struct view){text, (size_t)(p - text)});
}

static bool is_plain_integer(struct view text)
{
    size_t start = text.data[0] == '-';
    for (size_t i = start; i < text.size; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    return text.data[start] != '0' || (start == 0 && text.size == 1);
}

static enum err build_number(struct view text, struct arena *arena, struct value *out)
{
    *out = (struct value){.kind = VALUE_NUMBER, .text = text};
    if (is_plain_integer(text)) /* JSON has no leading zeros: canonical as it is */
        return ERR_NONE;
    struct decimal decimal = decimal_of(text);
    if (is_printable(&decimal) || decimal.count == 0)
        out->text = print_decimal(&decimal, arena);
    return view_is_present(out->text) ? ERR_NONE : ERR_NO_MEMORY;
}

static enum err build_container(const struct json *json, struct arena *arena, struct value *out)
{
    struct value *items = json->count > 0 ? arena_take_array(arena, json->count, sizeof *items) : NULL;
    if (json->count > 0 && items == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < json->count; i++)
        TRY(claims_build(&json->items[i], arena, &items[i])); /* as deep as JSON_DEPTH_MAX */
    *out = (struct value){.kind = json->kind == JSON_OBJECT ? VALUE_MAP : VALUE_LIST,
                          .items = items,
                          .names = json->names,
                          .count = json->count};
    return ERR_NONE;
}

enum err claims_build(const struct json *json, struct arena *arena, struct value *out)
{
    switch (json->kind) {
    case JSON_NULL: *out = (struct value){.kind = VALUE_NULL}; return ERR_NONE;
    case JSON_FALSE: *out = (struct value){.kind = VALUE_BOOL, .text = VIEW("false")}; return ERR_NONE;
    case JSON_TRUE: *out = (struct value){.kind = VALUE_BOOL, .text = VIEW("true")}; return ERR_NONE;
    case JSON_NUMBER: return build_number(json->text, arena, out);
    case JSON_STRING: *out = (struct value){.kind = VALUE_STRING, .text = json->text}; return ERR_NONE;
    case JSON_ARRAY:
    case JSON_OBJECT: return build_container(json, arena, out);
    }
    return ERR_MALFORMED;
}

bool claims_read_date(const struct json *json, int64_t *out)
{
    enum { DIGITS_OF_2_53 = 16 };
    if (json == NULL || json->kind != JSON_NUMBER)
        return false;
    struct decimal decimal = decimal_of(json->text);
    if (decimal.is_negative || (decimal.count > 0 && decimal.point > DIGITS_OF_2_53))
        return false;
    int64_t value = 0;
    for (long i = 0; i < decimal.point && decimal.count > 0; i++)
        value = value * 10 + ((size_t)i < decimal.count ? decimal.digits[i] - '0' : 0);
    *out = value;
    return value <= INT64_C(1) << 53;
}

bool claims_has_control(struct view text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = (uint8_t)text.data[i];
        if (c < 0x20 || c == 0x7f)
            return true;
        if (c == 0xc2 && i + 1 < text.size && (uint8_t)text.data[i + 1] < 0xa0) /* U+0080 to U+009F */
            return true;
    }
    return false;
}
