/* SPDX-License-Identifier: Apache-2.0 */
#include "request_path.h"

#include <arpa/inet.h>

enum { HOST_BYTES_MAX = 255, METHOD_BYTES_MAX = 32 };

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool is_alnum(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* RFC 3986 section 2.3 */
static bool is_unreserved(unsigned char c)
{
    return is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

/* The bytes of a set, as bits by their number. */
#define BYTE(c) ((uint64_t)1 << ((c)&63))
#define DIGITS ((uint64_t)0x3ff << '0')
#define LETTERS ((uint64_t)0x3ffffff << ('A' & 63) | (uint64_t)0x3ffffff << ('a' & 63))

/* Of pchar of RFC 3986 section 3.3 all without `;`, `!` and the escapes. */
static const uint64_t plain_pchar[4] = {
    DIGITS | BYTE('$') | BYTE('&') | BYTE('\'') | BYTE('(') | BYTE(')') | BYTE('*') | BYTE('+') | BYTE(',') |
        BYTE('-') | BYTE('.') | BYTE(':') | BYTE('='),
    LETTERS | BYTE('@') | BYTE('_') | BYTE('~'),
};

/* Of the names of hosts. */
static const uint64_t host_byte[4] = {DIGITS | BYTE('-') | BYTE('.'), LETTERS | BYTE('_')};

static inline bool is_in(const uint64_t *set, unsigned char c)
{
    return set[c / 64] >> (c % 64) & 1;
}

/* The octet of the escape at `at`, or -1. */
static int escape_at(struct view path, size_t at)
{
    if (at + 2 >= path.size || path.data[at] != '%')
        return -1;
    int high = hex_value(path.data[at + 1]), low = hex_value(path.data[at + 2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* The bytes of the escaped UTF-8 sequence (RFC 3629 section 4) that begins with
 * the octet `lead` at `at`, or 0. A raw octet cannot continue it. */
static size_t escaped_utf8(struct view path, size_t at, int lead)
{
    size_t more = lead >= 0xc2 && lead <= 0xdf ? 1 : (lead & 0xf0) == 0xe0 ? 2 : lead >= 0xf0 && lead <= 0xf4 ? 3 : 0;
    if (more == 0)
        return 0;
    int low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    int high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    for (size_t i = 1; i <= more; i++) {
        int octet = escape_at(path, at + 3 * i);
        if (octet < low || octet > high)
            return 0;
        low = 0x80;
        high = 0xbf;
    }
    return 3 * (more + 1);
}

/* The length of the escape at `at` when it is canonical, or 0. */
static size_t escape_check(struct view path, size_t at, enum path_mode mode, bool *is_slash)
{
    int octet = escape_at(path, at);
    if (octet < 0x20 || octet == 0x7f || octet == '\\')
        return 0;
    if (octet >= 0x80)
        return escaped_utf8(path, at, octet);
    if (mode == PATH_STRICT && is_unreserved((unsigned char)octet))
        return 0;
    /* What a second decoding would turn into another escape. */
    if (octet == '%' && at + 4 < path.size && hex_value(path.data[at + 3]) >= 0 && hex_value(path.data[at + 4]) >= 0)
        return 0;
    *is_slash = *is_slash || octet == '/';
    return 3;
}

/* Where segments end, as far as there may be so many. */
struct slashes {
    uint16_t at[PATH_SEGMENTS_MAX + 1]; /* below PATH_BYTES_MAX */
    size_t count;
};

/* Sets has_escape and has_encoded_slash of *out. */
static enum reason octets_check(struct view path, enum path_mode mode, bool is_raw, struct slashes *slashes,
                                struct request_path *out)
{
    for (size_t i = 0; i < path.size;) {
        unsigned char c = (unsigned char)path.data[i];
        size_t step = 1;
        if (c == '/') {
            if (slashes->count <= PATH_SEGMENTS_MAX)
                slashes->at[slashes->count++] = (uint16_t)i;
        } else if (c == '%') {
            out->has_escape = true;
            step = escape_check(path, i, mode, &out->has_encoded_slash);
        } else if (!is_in(plain_pchar, c) && !(c == '!' && is_raw)) {
            step = 0;
        }
        if (step == 0)
            return REASON_REQUEST_PATH;
        i += step;
    }
    return REASON_NONE;
}

/* `.` or `..`, escaped or not (PATH_ENVOY lets an escaped dot come this far), as the
 * segment or between slashes that it has as data: whoever decodes them sees segments. */
static bool has_dot_piece(struct view segment)
{
    size_t dots = 0, others = 0;
    for (size_t i = 0; i < segment.size;) {
        int octet = escape_at(segment, i);
        bool is_slash = octet == '/', is_dot = octet == '.' || segment.data[i] == '.';
        if (is_slash && others == 0 && (dots == 1 || dots == 2))
            return true;
        dots = is_slash ? 0 : dots + is_dot;
        others = is_slash ? 0 : others + !is_dot;
        i += octet < 0 ? 1 : 3;
    }
    return others == 0 && (dots == 1 || dots == 2);
}

static bool is_dots(struct view segment, bool has_escape)
{
    if (has_escape)
        return has_dot_piece(segment);
    return segment.size > 0 && segment.size <= 2 && segment.data[0] == '.' && segment.data[segment.size - 1] == '.';
}

static enum reason segments_split(struct view path, const struct slashes *slashes, struct request_path *out)
{
    for (size_t i = 0; i < slashes->count; i++) {
        bool is_last = i + 1 == slashes->count;
        size_t from = slashes->at[i] + 1, to = is_last ? path.size : slashes->at[i + 1];
        struct view segment = {.data = path.data + from, .size = to - from};
        if (i == PATH_SEGMENTS_MAX || segment.size > PATH_SEGMENT_BYTES_MAX)
            return REASON_REQUEST_PATH_LENGTH;
        if ((segment.size == 0 && !is_last) || is_dots(segment, out->has_escape))
            return REASON_REQUEST_PATH;
        out->segments[i] = segment;
        out->segment_count = i + 1;
    }
    return REASON_NONE;
}

/* What is in a query is for whoever asks (query.h); what could end the request line
 * early, or begin a fragment, is refused whoever asks. */
static bool query_is_plain(struct view query)
{
    for (size_t i = 0; i < query.size; i++) {
        unsigned char c = (unsigned char)query.data[i];
        if (c <= 0x20 || c == 0x7f || c == '#')
            return false;
    }
    return true;
}

enum reason request_path_parse(struct view target, enum path_mode mode, bool is_raw, struct request_path *out)
{
    size_t mark = view_index_of(target, '?', 0);
    out->path = view_slice(target, 0, mark);
    out->query = mark < target.size ? view_slice(target, mark + 1, target.size) : (struct view){0};
    out->segment_count = 0;
    out->has_escape = false;
    out->has_encoded_slash = false;
    if (out->path.size == 0 || out->path.data[0] != '/')
        return REASON_REQUEST_PATH;
    if (out->path.size > PATH_BYTES_MAX)
        return REASON_REQUEST_PATH_LENGTH;
    struct slashes slashes = {.count = 0};
    enum reason reason = octets_check(out->path, mode, is_raw, &slashes, out);
    if (reason == REASON_NONE)
        reason = segments_split(out->path, &slashes, out);
    if (reason == REASON_NONE && !query_is_plain(out->query))
        reason = REASON_REQUEST_PATH;
    return reason;
}

size_t request_path_decode(struct view segment, char *out)
{
    size_t size = 0;
    for (size_t i = 0; i < segment.size; size++) {
        int octet = escape_at(segment, i);
        out[size] = octet < 0 ? segment.data[i] : (char)octet;
        i += octet < 0 ? 1 : 3;
    }
    return size;
}

/* ":" port of RFC 3986 section 3.2.3, 1 to 65535 without leading zeros. */
static bool port_parse(struct view text, uint16_t *port)
{
    uint64_t number = 0;
    if (text.size < 2 || text.size > 6 || text.data[0] != ':' || text.data[1] == '0' ||
        !view_to_u64(view_slice(text, 1, text.size), &number) || number > 65535)
        return false;
    *port = (uint16_t)number;
    return true;
}

/* The text of an address, in the one form that RFC 5952 gives it. */
static bool is_canonical_ipv6(struct view text)
{
    char input[INET6_ADDRSTRLEN], output[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (text.size == 0 || text.size >= sizeof input || memchr(text.data, '\0', text.size))
        return false;
    memcpy(input, text.data, text.size);
    input[text.size] = '\0';
    return inet_pton(AF_INET6, input, &address) == 1 && inet_ntop(AF_INET6, &address, output, sizeof output) &&
           view_equals(view_of(output), text);
}

static bool is_name(struct view name)
{
    char before = '.'; /* neither first nor last, nor beside another */
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        if (!is_in(host_byte, (unsigned char)c) || (c == '.' && before == '.'))
            return false;
        before = c;
    }
    return before != '.';
}

enum reason request_host_parse(struct view host, char *buffer, struct view *name, uint16_t *port)
{
    *name = (struct view){0};
    *port = 0;
    if (host.size == 0 || host.size > HOST_BYTES_MAX)
        return REASON_REQUEST_HOST;
    for (size_t i = 0; i < host.size; i++)
        buffer[i] = host.data[i] >= 'A' && host.data[i] <= 'Z' ? (char)(host.data[i] | 0x20) : host.data[i];
    struct view lower = {.data = buffer, .size = host.size};
    bool is_literal = lower.data[0] == '[';
    size_t end = is_literal ? view_index_of(lower, ']', 0) + 1 : view_index_of(lower, ':', 0);
    if (end > lower.size)
        return REASON_REQUEST_HOST;
    struct view rest = view_slice(lower, end, lower.size);
    struct view text = view_slice(lower, 0, end);
    bool is_good = is_literal ? is_canonical_ipv6(view_slice(text, 1, end - 1)) : is_name(text);
    if (!is_good || (rest.size != 0 && !port_parse(rest, port)))
        return REASON_REQUEST_HOST;
    *name = text;
    return REASON_NONE;
}

enum reason request_method_check(struct view method)
{
    if (method.size == 0 || method.size > METHOD_BYTES_MAX)
        return REASON_REQUEST_METHOD;
    for (size_t i = 0; i < method.size; i++)
        if (method.data[i] < 'A' || method.data[i] > 'Z')
            return REASON_REQUEST_METHOD;
    return REASON_NONE;
}
