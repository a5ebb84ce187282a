/* SPDX-License-Identifier: Apache-2.0 */
#include "check_request.h"

#include "check_metadata.h"
#include "header_name.h"
#include "pb_reader.h"
#include "utf8.h"

/* One pass. Every function returns false with `failure` set, and leaves in *out
 * what it read until then. */
struct decoder {
    const struct check_limits *limits;
    struct check_request *out;
    enum reason failure;
    size_t header_bytes;
    bool has_header_strings; /* an entry of `headers` was seen */
    bool is_path_raw;        /* pseudo_path came as raw_value */
};

/* One header as it stands in either form. */
struct raw_header {
    struct view name;
    struct view value;
    bool is_raw; /* value is raw_value: bytes, not text */
};

static bool fail(struct decoder *decoder, enum reason reason)
{
    decoder->failure = reason;
    return false;
}

static bool malformed(struct decoder *decoder)
{
    return fail(decoder, REASON_REQUEST_MALFORMED);
}

/* After the loop over a message's fields. */
static bool at_end(struct decoder *decoder, const struct pb_reader *reader)
{
    return !reader->is_broken || malformed(decoder);
}

static bool is_wire(struct decoder *decoder, const struct pb_field *field, enum pb_wire wire)
{
    return field->wire == wire || malformed(decoder);
}

/* A proto3 string: empty and absent are one thing, so both become absent. */
static bool read_text(struct decoder *decoder, const struct pb_field *field, struct view *out)
{
    if (field->wire != PB_BYTES || !utf8_is_text(field->bytes))
        return malformed(decoder);
    *out = !view_is_empty(field->bytes) ? field->bytes : (struct view){0};
    return true;
}

static bool read_map_entry(struct decoder *decoder, const struct pb_field *entry, struct check_header *out)
{
    struct pb_reader reader;
    struct pb_field field;

    *out = (struct check_header){.name = VIEW(""), .value = VIEW("")};
    if (!is_wire(decoder, entry, PB_BYTES))
        return false;
    pb_reader_init(&reader, entry->bytes);
    while (pb_reader_next(&reader, &field)) {
        struct view *to = field.number == 1 ? &out->name : &out->value;

        if (field.number > 2)
            continue;
        if (!read_text(decoder, &field, to))
            return false;
        if (!view_is_present(*to))
            *to = VIEW("");
    }
    return at_end(decoder, &reader);
}

/* envoy.config.core.v3.SocketAddress. A named port has no number for us. */
static bool read_socket_address(struct decoder *decoder, const struct pb_field *message, struct check_peer *peer)
{
    struct pb_reader reader;
    struct pb_field field;
    struct view unused;

    if (!is_wire(decoder, message, PB_BYTES))
        return false;
    pb_reader_init(&reader, message->bytes);
    while (pb_reader_next(&reader, &field)) {
        bool is_good = true;

        switch (field.number) {
        case 1:
        case 6: is_good = is_wire(decoder, &field, PB_VARINT); break;
        case 2: is_good = read_text(decoder, &field, &peer->address); break;
        case 3:
            is_good = is_wire(decoder, &field, PB_VARINT);
            peer->port = (uint32_t)field.scalar;
            break;
        case 4: peer->port = 0; __attribute__((fallthrough));
        case 5: is_good = read_text(decoder, &field, &unused); break;
        default: break;
        }
        if (!is_good)
            return false;
    }
    return at_end(decoder, &reader);
}

/* envoy.config.core.v3.Pipe: checked, and of no use to a decision. */
static bool read_pipe(struct decoder *decoder, const struct pb_field *message)
{
    struct pb_reader reader;
    struct pb_field field;
    struct view unused;

    if (!is_wire(decoder, message, PB_BYTES))
        return false;
    pb_reader_init(&reader, message->bytes);
    while (pb_reader_next(&reader, &field)) {
        if (field.number == 1 && !read_text(decoder, &field, &unused))
            return false;
        if (field.number == 2 && !is_wire(decoder, &field, PB_VARINT))
            return false;
    }
    return at_end(decoder, &reader);
}

static bool read_address(struct decoder *decoder, const struct pb_field *message, struct check_peer *peer)
{
    struct pb_reader reader;
    struct pb_field field;

    if (!is_wire(decoder, message, PB_BYTES))
        return false;
    pb_reader_init(&reader, message->bytes);
    while (pb_reader_next(&reader, &field)) {
        if (field.number == 1 && !read_socket_address(decoder, &field, peer))
            return false;
        if (field.number == 2) { /* the other member of the oneof: the last one counts */
            if (!read_pipe(decoder, &field))
                return false;
            peer->address = (struct view){0};
            peer->port = 0;
        }
    }
    return at_end(decoder, &reader);
}

static bool read_peer(struct decoder *decoder, const struct pb_field *message, struct check_peer *peer)
{
    struct pb_reader reader;
    struct pb_field field;
    struct check_header unused;

    if (!is_wire(decoder, message, PB_BYTES))
        return false;
    pb_reader_init(&reader, message->bytes);
    while (pb_reader_next(&reader, &field)) {
        bool is_good = true;

        switch (field.number) {
        case 1: is_good = read_address(decoder, &field, peer); break;
        case 2: is_good = read_text(decoder, &field, &peer->service); break;
        case 3: is_good = read_map_entry(decoder, &field, &unused); break;
        case 4: is_good = read_text(decoder, &field, &peer->principal); break;
        case 5: is_good = read_text(decoder, &field, &peer->certificate); break;
        default: break;
        }
        if (!is_good)
            return false;
    }
    return at_end(decoder, &reader);
}

enum { VALUE_BLOCK = 32 };

/* No byte below a space. A fixed count without an exit in between is what compilers
 * turn into vector instructions. */
static bool is_plain_block(const char *at)
{
    uint8_t bad = 0;

    for (int i = 0; i < VALUE_BLOCK; i++)
        bad |= (uint8_t)((uint8_t)at[i] < ' ');
    return bad == 0;
}

/* NUL, CR and LF never stand in a field value (RFC 9110 section 5.5). */
static bool is_header_value(struct view value)
{
    size_t i = 0;

    while (i < value.size) {
        if (value.size - i >= VALUE_BLOCK && is_plain_block(value.data + i)) {
            i += VALUE_BLOCK;
            continue;
        }
        if (value.data[i] == '\0' || value.data[i] == '\r' || value.data[i] == '\n')
            return false;
        i++;
    }
    return true;
}

/* Where a pseudo header goes; NULL for one that no request has (RFC 9113 section 8.3.1). */
static struct view *pseudo_header(struct check_request *out, struct view name)
{
    if (view_equals(name, VIEW(":path")))
        return &out->pseudo_path;
    if (view_equals(name, VIEW(":method")))
        return &out->pseudo_method;
    if (view_equals(name, VIEW(":authority")))
        return &out->pseudo_authority;
    if (view_equals(name, VIEW(":scheme")))
        return &out->pseudo_scheme;
    return NULL;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool add_header(struct decoder *decoder, const struct raw_header *header)
{
    struct check_request *out = decoder->out;

    decoder->header_bytes += header->name.size + header->value.size; /* each at most the message's size */
    if (decoder->header_bytes > smaller(decoder->limits->header_bytes, CHECK_HEADER_BYTES_MAX))
        return fail(decoder, REASON_REQUEST_HEADER_SIZE);
    if (!is_header_value(header->value))
        return fail(decoder, REASON_REQUEST_HEADER);
    if (header->name.size > 0 && header->name.data[0] == ':') {
        struct view *to = pseudo_header(out, header->name);

        if (to == NULL || view_is_present(*to))
            return fail(decoder, REASON_REQUEST_HEADER);
        *to = header->value;
        if (to == &out->pseudo_path)
            decoder->is_path_raw = header->is_raw;
        return true;
    }
    if (!header_name_is_valid(header->name))
        return fail(decoder, REASON_REQUEST_HEADER);
    if (out->header_count >= smaller(decoder->limits->headers, CHECK_HEADERS_MAX))
        return fail(decoder, REASON_REQUEST_HEADER_SIZE);
    out->headers[out->header_count++] = (struct check_header){.name = header->name, .value = header->value};
    return true;
}

static bool read_header_string(struct decoder *decoder, const struct pb_field *entry)
{
    struct check_header header;

    decoder->has_header_strings = true;
    return read_map_entry(decoder, entry, &header) &&
           add_header(decoder, &(struct raw_header){.name = header.name, .value = header.value});
}

/* envoy.config.core.v3.HeaderValue */
static bool read_header_value(struct decoder *decoder, const struct pb_field *message)
{
    struct raw_header header = {.name = VIEW("")};
    struct view text = {0}, raw = {0};
    struct pb_reader reader;
    struct pb_field field;

    if (!is_wire(decoder, message, PB_BYTES))
        return false;
    pb_reader_init(&reader, message->bytes);
    while (pb_reader_next(&reader, &field)) {
        bool is_good = true;

        switch (field.number) {
        case 1: is_good = read_text(decoder, &field, &header.name); break;
        case 2: is_good = read_text(decoder, &field, &text); break;
        case 3:
            is_good = is_wire(decoder, &field, PB_BYTES);
            raw = field.bytes;
            break;
        default: break;
        }
        if (!is_good)
            return false;
    }
    if (!at_end(decoder, &reader))
        return false;
    if (!view_is_empty(text) && !view_is_empty(raw))
        return malformed(decoder); /* two values: which one the upstream gets is anybody's guess */
    header.is_raw = view_is_empty(text);
    header.value = !header.is_raw ? text : view_is_present(raw) ? raw : VIEW("");
    return add_header(decoder, &header);
}

static bool read_header_map(struct decoder *decoder, const struct pb_field *message)
{
    struct pb_reader reader;
    struct pb_field field;

    if (!is_wire(decoder, message, PB_BYTES))
        return false;
    pb_reader_init(&reader, message->bytes);
    while (pb_reader_next(&reader, &field)) {
        if (field.number != 1)
            continue;
        decoder->out->is_header_map = true;
        if (!read_header_value(decoder, &field))
            return false;
    }
    return at_end(decoder, &reader);
}

static bool read_http_field(struct decoder *decoder, const struct pb_field *field)
{
    struct check_request *out = decoder->out;

    switch (field->number) {
    case 1: return read_text(decoder, field, &out->id);
    case 2: return read_text(decoder, field, &out->method);
    case 3: return read_header_string(decoder, field);
    case 4: return read_text(decoder, field, &out->path);
    case 5: return read_text(decoder, field, &out->host);
    case 6: return read_text(decoder, field, &out->scheme);
    case 7: return read_text(decoder, field, &out->query);
    case 8: return read_text(decoder, field, &out->fragment);
    case 9: out->size = (int64_t)field->scalar; return is_wire(decoder, field, PB_VARINT);
    case 10: return read_text(decoder, field, &out->protocol);
    case 11: return read_text(decoder, field, &out->body);
    case 12:
        out->raw_body = !view_is_empty(field->bytes) ? field->bytes : (struct view){0};
        return is_wire(decoder, field, PB_BYTES);
    case 13: return read_header_map(decoder, field);
    default: return true;
    }
}

static bool read_http(struct decoder *decoder, const struct pb_field *message)
{
    struct pb_reader reader;
    struct pb_field field;

    if (!is_wire(decoder, message, PB_BYTES))
        return false;
    decoder->out->has_http = true;
    pb_reader_init(&reader, message->bytes);
    while (pb_reader_next(&reader, &field))
        if (!read_http_field(decoder, &field))
            return false;
    return at_end(decoder, &reader);
}

/* google.protobuf.Timestamp */
static bool read_time(struct decoder *decoder, const struct pb_field *message)
{
    struct pb_reader reader;
    struct pb_field field;

    if (!is_wire(decoder, message, PB_BYTES))
        return false;
    pb_reader_init(&reader, message->bytes);
    while (pb_reader_next(&reader, &field)) {
        if (field.number <= 2 && !is_wire(decoder, &field, PB_VARINT))
            return false;
        if (field.number == 1)
            decoder->out->time_seconds = (int64_t)field.scalar;
    }
    return at_end(decoder, &reader);
}

static bool read_request(struct decoder *decoder, const struct pb_field *message)
{
    struct pb_reader reader;
    struct pb_field field;

    if (!is_wire(decoder, message, PB_BYTES))
        return false;
    pb_reader_init(&reader, message->bytes);
    while (pb_reader_next(&reader, &field)) {
        if (field.number == 1 && !read_time(decoder, &field))
            return false;
        if (field.number == 2 && !read_http(decoder, &field))
            return false;
    }
    return at_end(decoder, &reader);
}

static bool read_context(struct decoder *decoder, const struct pb_field *entry)
{
    struct check_request *out = decoder->out;

    if (out->context_count == CHECK_CONTEXT_MAX)
        return fail(decoder, REASON_REQUEST_SIZE);
    return read_map_entry(decoder, entry, &out->context[out->context_count]) && ++out->context_count > 0;
}

static bool read_tls_session(struct decoder *decoder, const struct pb_field *message)
{
    struct pb_reader reader;
    struct pb_field field;

    if (!is_wire(decoder, message, PB_BYTES))
        return false;
    pb_reader_init(&reader, message->bytes);
    while (pb_reader_next(&reader, &field))
        if (field.number == 1 && !read_text(decoder, &field, &decoder->out->sni))
            return false;
    return at_end(decoder, &reader);
}

/* Kept as bytes. Two of them would have to be merged, which takes a copy, and no
 * encoder writes them: refused. */
static bool read_metadata(struct decoder *decoder, const struct pb_field *message, struct view *out)
{
    if (message->wire != PB_BYTES || view_is_present(*out) || !check_metadata_is_valid(message->bytes))
        return malformed(decoder);
    *out = message->bytes;
    return true;
}

static bool read_attributes_field(struct decoder *decoder, const struct pb_field *field)
{
    struct check_request *out = decoder->out;

    switch (field->number) {
    case 1: return read_peer(decoder, field, &out->source);
    case 2: return read_peer(decoder, field, &out->destination);
    case 4: return read_request(decoder, field);
    case 10: return read_context(decoder, field);
    case 11: return read_metadata(decoder, field, &out->metadata);
    case 12: return read_tls_session(decoder, field);
    case 13: return read_metadata(decoder, field, &out->route_metadata);
    default: return true;
    }
}

static bool read_attributes(struct decoder *decoder, const struct pb_field *message)
{
    struct pb_reader reader;
    struct pb_field field;

    if (!is_wire(decoder, message, PB_BYTES))
        return false;
    pb_reader_init(&reader, message->bytes);
    while (pb_reader_next(&reader, &field))
        if (!read_attributes_field(decoder, &field))
            return false;
    return at_end(decoder, &reader);
}

static bool read_check_request(struct decoder *decoder, struct view bytes)
{
    struct pb_reader reader;
    struct pb_field field;

    pb_reader_init(&reader, bytes);
    while (pb_reader_next(&reader, &field))
        if (field.number == 1 && !read_attributes(decoder, &field))
            return false;
    return at_end(decoder, &reader);
}

static bool is_same_when_present(struct view pseudo, struct view field)
{
    return !view_is_present(pseudo) || view_equals(pseudo, field);
}

/* What one part says and another denies: an upstream would believe one of them,
 * and we cannot know which. */
static bool check_contradictions(struct decoder *decoder)
{
    struct check_request *out = decoder->out;

    if (!out->has_http || !view_is_empty(out->query) || !view_is_empty(out->fragment))
        return malformed(decoder);
    if (decoder->has_header_strings && out->is_header_map)
        return malformed(decoder);
    if (!view_is_empty(out->body) && !view_is_empty(out->raw_body))
        return malformed(decoder);
    if (!is_same_when_present(out->pseudo_path, out->path) || !is_same_when_present(out->pseudo_method, out->method) ||
        !is_same_when_present(out->pseudo_authority, out->host) ||
        !is_same_when_present(out->pseudo_scheme, out->scheme))
        return malformed(decoder);
    out->is_raw_path = decoder->is_path_raw; /* and equal, as just found */
    return true;
}

/* Zeroed but for the arrays, which their counts cover: they are most of the bytes. */
static void clear(struct check_request *out)
{
    memset(out, 0, offsetof(struct check_request, headers));
    memset(&out->header_count, 0,
           offsetof(struct check_request, context) - offsetof(struct check_request, header_count));
    memset(&out->context_count, 0, sizeof *out - offsetof(struct check_request, context_count));
}

enum reason check_request_parse(struct view bytes, const struct check_limits *limits, struct check_request *out)
{
    struct decoder decoder = {.limits = limits, .out = out, .failure = REASON_NONE};

    clear(out);
    if (bytes.size > limits->request_bytes)
        return REASON_REQUEST_SIZE;
    if (read_check_request(&decoder, bytes) && check_contradictions(&decoder))
        return REASON_NONE;
    return decoder.failure;
}
