/* SPDX-License-Identifier: Apache-2.0 */
#include "spiffe_id.h"

static bool is_domain_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

static bool is_segment_byte(char c)
{
    return is_domain_byte(c) || (c >= 'A' && c <= 'Z');
}

bool trust_domain_is_valid(struct view text)
{
    if (text.size == 0 || text.size > TRUST_DOMAIN_MAX)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (!is_domain_byte(text.data[i]))
            return false;
    }
    return true;
}

/* A path segment without its slash. */
static bool is_segment(struct view segment)
{
    if (segment.size == 0 || view_equals(segment, VIEW(".")) || view_equals(segment, VIEW("..")))
        return false;
    for (size_t i = 0; i < segment.size; i++) {
        if (!is_segment_byte(segment.data[i]))
            return false;
    }
    return true;
}

/* `path` is empty or starts with a slash. */
static bool is_path(struct view path)
{
    for (size_t at = 0; at < path.size;) {
        size_t end = view_index_of(path, '/', at + 1);
        if (!is_segment(view_slice(path, at + 1, end)))
            return false;
        at = end;
    }
    return true;
}

enum err spiffe_id_parse(struct view text, struct spiffe_id *out)
{
    struct view scheme = VIEW("spiffe://");
    if (text.size > SPIFFE_ID_MAX || !view_starts_with(text, scheme))
        return ERR_MALFORMED;
    size_t slash = view_index_of(text, '/', scheme.size);
    struct view domain = view_slice(text, scheme.size, slash);
    struct view path = view_slice(text, slash, text.size);
    if (!trust_domain_is_valid(domain) || !is_path(path))
        return ERR_MALFORMED;
    *out = (struct spiffe_id){.text = text, .trust_domain = domain, .path = path};
    return ERR_NONE;
}
