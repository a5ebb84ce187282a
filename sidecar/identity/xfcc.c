/* SPDX-License-Identifier: Apache-2.0 */
#include "xfcc.h"

/* What is left to read. */
struct cursor {
    const char *at;
    const char *end;
};

/* What an element of XFCC says, in the order in which Envoy writes it. */
enum pair_kind { PAIR_OTHER = 0, PAIR_BY, PAIR_HASH, PAIR_CERT, PAIR_CHAIN, PAIR_SUBJECT, PAIR_URI, PAIR_DNS };

static enum pair_kind pair_kind(struct view key)
{
    static const char *const names[] = {
        [PAIR_BY] = "by",           [PAIR_HASH] = "hash", [PAIR_CERT] = "cert", [PAIR_CHAIN] = "chain",
        [PAIR_SUBJECT] = "subject", [PAIR_URI] = "uri",   [PAIR_DNS] = "dns",
    };
    for (enum pair_kind kind = PAIR_BY; kind <= PAIR_DNS; kind++) {
        if (view_equals_ignoring_case(key, view_of(names[kind])))
            return kind;
    }
    return PAIR_OTHER;
}

/* 1*ALPHA. Envoy writes no other key, so other bytes mean that the text has been
 * split at another place than its writer meant. */
static bool read_key(struct cursor *in, struct view *out)
{
    const char *start = in->at;
    while (in->at < in->end && ((*in->at >= 'a' && *in->at <= 'z') || (*in->at >= 'A' && *in->at <= 'Z')))
        in->at++;
    *out = (struct view){.data = start, .size = (size_t)(in->at - start)};
    if (out->size == 0 || in->at == in->end || *in->at != '=')
        return false;
    in->at++;
    return true;
}

/* After the opening quote. The value keeps its backslashes: only Subject can have
 * any, and nothing compares it. */
static bool read_quoted(struct cursor *in, struct view *out)
{
    const char *start = in->at;
    for (; in->at < in->end; in->at++) {
        if (*in->at == '"') {
            *out = (struct view){.data = start, .size = (size_t)(in->at - start)};
            in->at++;
            return true;
        }
        if (*in->at == '\\' && in->at + 1 < in->end && (in->at[1] == '"' || in->at[1] == '\\'))
            in->at++;
    }
    return false;
}

/* A quote inside an unquoted value is a literal byte to Envoy's own reader and a
 * quote to others: refused. */
static bool read_token(struct cursor *in, struct view *out)
{
    const char *start = in->at;
    while (in->at < in->end && *in->at != ',' && *in->at != ';') {
        if (*in->at == '"')
            return false;
        in->at++;
    }
    *out = (struct view){.data = start, .size = (size_t)(in->at - start)};
    return true;
}

static bool read_value(struct cursor *in, struct view *out)
{
    if (in->at < in->end && *in->at == '"') {
        in->at++;
        return read_quoted(in, out);
    }
    return read_token(in, out);
}

/* The value goes to *field, which must not have one yet. */
static bool set_once(struct view *field, struct view value)
{
    if (view_is_present(*field))
        return false;
    *field = value;
    return true;
}

static bool set_first(struct view *field, size_t *count, struct view value)
{
    if ((*count)++ == 0)
        *field = value;
    return true;
}

static bool is_hash(struct view value)
{
    if (value.size != 64)
        return false;
    for (size_t i = 0; i < value.size; i++) {
        char c = value.data[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')))
            return false;
    }
    return true;
}

static bool take_pair(struct xfcc_element *element, enum pair_kind kind, struct view value)
{
    switch (kind) {
    case PAIR_BY: return set_first(&element->by, &element->by_count, value);
    case PAIR_URI: return set_first(&element->uri, &element->uri_count, value);
    case PAIR_HASH: return is_hash(value) && set_once(&element->hash, value);
    case PAIR_CERT: return set_once(&element->cert, value);
    case PAIR_CHAIN: return set_once(&element->chain, value);
    case PAIR_SUBJECT: return set_once(&element->subject, value);
    case PAIR_DNS:
    case PAIR_OTHER: return true;
    }
    return false;
}

/* At most one pair and the separator behind it: *separator is ',', ';' or NUL at the end.
 * *last is the kind of the pair before, and of this one then. */
static bool read_pair(struct cursor *in, struct xfcc_element *element, enum pair_kind *last, char *separator)
{
    struct view key, value;
    if (!read_key(in, &key) || !read_value(in, &value))
        return false;
    enum pair_kind kind = pair_kind(key);
    if (!take_pair(element, kind, value))
        return false;
    element->is_as_written = element->is_as_written && kind != PAIR_OTHER && kind >= *last;
    *last = kind;
    *separator = '\0';
    if (in->at == in->end)
        return true;
    *separator = *in->at++;
    if (*separator != ',' && *separator != ';')
        return false;
    while (in->at < in->end && *in->at == ' ')
        in->at++;
    return true;
}

static bool read_element(struct cursor *in, struct xfcc_element *element, bool *is_last)
{
    char separator;
    enum pair_kind last = PAIR_OTHER;
    *element = (struct xfcc_element){.is_as_written = true};
    do {
        if (!read_pair(in, element, &last, &separator))
            return false;
    } while (separator == ';');
    *is_last = separator == '\0';
    return true;
}

enum reason xfcc_parse(struct view text, struct xfcc *out)
{
    out->count = 0;
    if (text.size == 0 || text.size > XFCC_BYTES_MAX)
        return REASON_XFCC_MALFORMED;
    struct cursor in = {.at = text.data, .end = text.data + text.size};
    for (bool is_last = false; !is_last;) {
        if (out->count == XFCC_ELEMENTS_MAX)
            return REASON_XFCC_HOPS;
        if (!read_element(&in, &out->elements[out->count], &is_last))
            return REASON_XFCC_MALFORMED;
        out->count++;
    }
    return REASON_NONE;
}
