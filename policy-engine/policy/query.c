/* SPDX-License-Identifier: Apache-2.0 */
#include "query.h"

#include "utf8.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return (c >= 'a' && c <= 'f') ? c - 'a' + 10 : (c >= 'A' && c <= 'F') ? c - 'A' + 10 : -1;
}

/* The octet of the escape at `at`, or -1 for one that is bad or that a second decoding
 * would turn into another. */
static int escape_at(struct view text, size_t at)
{
    int high = at + 2 < text.size ? hex_digit(text.data[at + 1]) : -1;
    int low = at + 2 < text.size ? hex_digit(text.data[at + 2]) : -1;
    int octet = high < 0 || low < 0 ? -1 : high * 16 + low;
    bool is_twice =
        octet == '%' && at + 4 < text.size && hex_digit(text.data[at + 3]) >= 0 && hex_digit(text.data[at + 4]) >= 0;
    return is_twice || (octet >= 0 && octet < 0x20) || octet == 0x7f ? -1 : octet;
}

/* Decodes `text` into `room`; false when that cannot be done, or not in one way.
 * `plus` is what `+` is taken for. */
static bool decode(struct view text, bool is_raw, char plus, char *room, struct view *out)
{
    size_t size = 0;
    for (size_t i = 0; i < text.size; size++) {
        unsigned char c = (unsigned char)text.data[i];
        int octet = c == '%' ? escape_at(text, i) : c == '+' ? plus : c;
        if (size == QUERY_VALUE_MAX || octet < 0 || c >= 0x80 || (c == '!' && !is_raw))
            return false;
        room[size] = (char)octet;
        i += c == '%' ? 3 : 1;
    }
    *out = (struct view){.data = room, .size = size};
    return utf8_is_text(*out);
}

static bool has_byte(struct view text, char byte)
{
    return view_index_of(text, byte, 0) < text.size;
}

struct search {
    struct view name;
    bool is_raw;
    struct query_param *out;
};

/* Takes one piece into account, which some readers cut otherwise when `is_doubtful`. */
static void add_piece(const struct search *search, struct view piece, bool is_doubtful)
{
    struct query_param *out = search->out;
    size_t equals = view_index_of(piece, '=', 0);
    struct view raw_name = view_slice(piece, 0, equals), raw = view_slice(piece, equals + 1, piece.size), name;
    char room[QUERY_VALUE_MAX];
    bool is_name = false;
    if (piece.size == 0)
        return;
    for (size_t i = 0; i < 2; i++) {
        if (!decode(raw_name, search->is_raw, "+ "[i], room, &name)) {
            out->is_unknown = true;
            out->is_odd = true;
            return;
        }
        is_name = is_name || view_equals(name, search->name);
    }
    if (!is_name)
        return;
    bool is_good = !is_doubtful && !has_byte(raw_name, '+') && !has_byte(raw, '+') &&
                   decode(raw, search->is_raw, '+', out->room, &out->value);
    out->is_unknown = out->is_unknown || !is_good || out->count > 0;
    out->is_odd = out->is_odd || is_doubtful || !view_equals(raw_name, search->name);
    out->count++;
}

/* Both readings of a piece with `;` in it. */
static void add_doubtful(const struct search *search, struct view piece)
{
    for (size_t from = 0; from <= piece.size;) {
        size_t to = view_index_of(piece, ';', from);
        add_piece(search, view_slice(piece, from, to), true);
        from = to + 1;
    }
    add_piece(search, piece, true);
}

void query_find(struct view target, bool is_raw, struct view name, struct query_param *out)
{
    struct search search = {.name = name, .is_raw = is_raw, .out = out};
    size_t mark = view_index_of(target, '?', 0);
    struct view query = view_slice(target, mark + 1, target.size);
    out->count = 0;
    out->is_unknown = false;
    out->is_odd = false;
    out->value = (struct view){0};
    for (size_t from = 0; from <= query.size;) {
        size_t to = view_index_of(query, '&', from);
        struct view piece = view_slice(query, from, to);
        if (has_byte(piece, ';'))
            add_doubtful(&search, piece);
        else
            add_piece(&search, piece, false);
        from = to + 1;
    }
    if (out->is_unknown)
        out->value = (struct view){0};
}
