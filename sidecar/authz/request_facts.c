/* SPDX-License-Identifier: Apache-2.0 */
#include "request_facts.h"

#include "check_metadata.h"
#include "request_body.h"

#include <arpa/inet.h>

enum { NAME_MAX_COMPARED = 128, TRACEPARENT_SIZE = 55 };

static const struct view xfcc_name = {.data = "x-forwarded-client-cert", .size = 23};

struct address_fact request_facts_address(struct view text)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct address_fact address = {0};
    char buffer[INET6_ADDRSTRLEN];
    if (text.size == 0 || text.size >= sizeof(buffer) || memchr(text.data, '\0', text.size) != NULL)
        return address;
    memcpy(buffer, text.data, text.size);
    buffer[text.size] = '\0';
    if (memchr(buffer, ':', text.size) == NULL) {
        address.family = inet_pton(AF_INET, buffer, address.bytes) == 1 ? 4 : 0;
        return address;
    }
    if (inet_pton(AF_INET6, buffer, address.bytes) != 1)
        return (struct address_fact){0};
    address.family = 6;
    if (memcmp(address.bytes, mapped, sizeof(mapped)) == 0) {
        memmove(address.bytes, address.bytes + sizeof(mapped), 4);
        memset(address.bytes + 4, 0, sizeof(address.bytes) - 4);
        address.family = 4;
    }
    return address;
}

static bool is_relied_on(const struct request_facts_input *in, struct view name)
{
    return view_equals(name, VIEW("authorization")) || view_equals(name, xfcc_name) ||
           header_names_has(in->names, name);
}

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* A twin is as long as what it is taken for. */
static bool may_be_twin(const struct request_facts_input *in, size_t size)
{
    return size == sizeof("authorization") - 1 || size == xfcc_name.size || header_names_has_size(in->names, size);
}

/* `name` with dashes for other marks, if it has any, is a name that is relied on. */
static bool is_relied_on_dashed(const struct request_facts_input *in, struct view name)
{
    char dashed[NAME_MAX_COMPARED];
    bool is_changed = false;
    if (name.size > sizeof(dashed))
        return false;
    for (size_t i = 0; i < name.size; i++) {
        dashed[i] = is_alphanumeric(name.data[i]) ? name.data[i] : '-';
        is_changed = is_changed || dashed[i] != name.data[i];
    }
    return is_changed && is_relied_on(in, (struct view){.data = dashed, .size = name.size});
}

/* CGI and its heirs read `x_role` and `x-role` as one name; RFC 3875 section 4.1.18
 * leaves to them what becomes of other marks, as in `x.role`. */
static bool is_twin(const struct request_facts_input *in, struct view name)
{
    return may_be_twin(in, name.size) && is_relied_on_dashed(in, name);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* Without the white space around it, which is no part of a field value (RFC 9110
 * section 5.5): HTTP/2 carries it, and an HTTP/1 upstream takes it off. */
static struct view trimmed(struct view value)
{
    while (value.size > 0 && is_space(value.data[0]))
        value = view_slice(value, 1, value.size);
    while (value.size > 0 && is_space(value.data[value.size - 1]))
        value.size--;
    return value;
}

/* RFC 9110 section 7.6.1: what `connection` names is taken off on the way. */
static bool connection_names_relied_on(const struct request_facts_input *in, struct view value)
{
    char lower[NAME_MAX_COMPARED];
    for (size_t from = 0; from <= value.size;) {
        size_t to = view_index_of(value, ',', from);
        struct view name = trimmed(view_slice(value, from, to));
        from = to + 1;
        if (name.size == 0 || name.size > sizeof(lower))
            continue;
        for (size_t i = 0; i < name.size; i++)
            lower[i] = (char)(name.data[i] >= 'A' && name.data[i] <= 'Z' ? name.data[i] | 0x20 : name.data[i]);
        if (is_relied_on(in, (struct view){.data = lower, .size = name.size}))
            return true;
    }
    return false;
}

static bool is_trace_id(struct view traceparent)
{
    if (traceparent.size < TRACEPARENT_SIZE || traceparent.data[2] != '-' || traceparent.data[35] != '-')
        return false;
    for (size_t i = 3; i < 35; i++) {
        char c = traceparent.data[i];
        if ((c < '0' || c > '9') && (c < 'a' || c > 'f'))
            return false;
    }
    return true;
}

/* Takes a header that proves something; false when it stands there a second time. */
static bool take_once(struct view *slot, struct view value)
{
    if (view_is_present(*slot))
        return false;
    *slot = value.data != NULL ? value : VIEW("");
    return true;
}

/* Notes what the header is to us. REASON_REQUEST_HEADER when it must not be there. */
static enum reason note_header(const struct request_facts_input *in, const struct check_header *header,
                               struct request_credentials *credentials)
{
    struct view name = header->name;
    bool is_first = true;
    if (view_equals(name, VIEW("authorization")))
        is_first = take_once(&credentials->authorization, header->value);
    else if (in->uses_xfcc && view_equals(name, xfcc_name))
        is_first = take_once(&credentials->xfcc, header->value);
    else if (view_equals(name, VIEW("x-request-id")))
        credentials->request_id = header->value;
    else if (view_equals(name, VIEW("traceparent")) && is_trace_id(header->value))
        credentials->trace_id = view_slice(header->value, 3, 35);
    bool is_bad = !is_first || is_twin(in, name) ||
                  (view_equals(name, VIEW("connection")) && connection_names_relied_on(in, header->value));
    return is_bad ? REASON_REQUEST_HEADER : REASON_NONE;
}

/* The map `headers` has one entry for all lines of a name, joined by commas. */
static bool may_be_joined(const struct check_request *request, struct view value)
{
    return !request->is_header_map && value.size > 0 && memchr(value.data, ',', value.size) != NULL;
}

static bool is_repeated(const struct check_header *headers, size_t count, size_t at)
{
    for (size_t i = 0; i < count; i++)
        if (i != at && headers[i].name.size == headers[at].name.size && view_equals(headers[i].name, headers[at].name))
            return true;
    return false;
}

static enum reason fill_headers(const struct request_facts_input *in, struct arena *arena, struct facts *facts,
                                struct request_credentials *credentials)
{
    const struct check_request *request = in->request;
    struct pair *pairs = arena_take_array(arena, request->header_count, sizeof(*pairs));
    if (pairs == NULL)
        return REASON_INTERNAL;
    enum reason failure = REASON_NONE;
    size_t count = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        const struct check_header *header = &request->headers[i];
        if (note_header(in, header, credentials) != REASON_NONE)
            failure = REASON_REQUEST_HEADER;
        if (!facts_is_hearsay(header->name))
            pairs[count++] = (struct pair){.name = header->name,
                                           .value = trimmed(header->value),
                                           .is_repeated = is_repeated(request->headers, request->header_count, i) ||
                                                          may_be_joined(request, header->value)};
    }
    facts->headers = pairs;
    facts->header_count = count;
    return failure;
}

static enum reason fill_context(const struct check_request *request, struct arena *arena, struct facts *facts)
{
    struct pair *pairs = arena_take_array(arena, request->context_count, sizeof(*pairs));
    if (pairs == NULL)
        return REASON_INTERNAL;
    for (size_t i = 0; i < request->context_count; i++)
        pairs[i] = (struct pair){.name = request->context[i].name,
                                 .value = request->context[i].value,
                                 .is_repeated = is_repeated(request->context, request->context_count, i)};
    facts->context = pairs;
    facts->context_count = request->context_count;
    return REASON_NONE;
}

/* A comma, which stands for joined lines, when there is more than one. */
static struct view content_type(const struct check_request *request)
{
    struct view found = {0};
    for (size_t i = 0; i < request->header_count; i++) {
        if (!view_equals(request->headers[i].name, VIEW("content-type")))
            continue;
        if (view_is_present(found))
            return VIEW(",");
        found = request->headers[i].value;
    }
    return found;
}

/* As Envoy tells: it maps the status and makes the body a grpc-message for these. */
bool request_facts_is_grpc(const struct check_request *request)
{
    struct view type = content_type(request), grpc = VIEW("application/grpc");
    return view_starts_with(type, grpc) && (type.size == grpc.size || type.data[grpc.size] == '+');
}

static bool is_partial_body(const struct check_request *request)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (view_equals(request->headers[i].name, VIEW("x-envoy-auth-partial-body")) &&
            !view_equals(request->headers[i].value, VIEW("false")))
            return true;
    return false;
}

void request_facts_read_body(const struct check_request *request, struct arena *arena, struct facts *facts)
{
    bool is_raw = !view_is_empty(request->raw_body);
    struct request_body body = {
        .bytes = is_raw ? request->raw_body : request->body,
        .content_type = content_type(request),
        .path = request->path,
        .size = request->size,
        .is_partial = is_partial_body(request),
        .is_lossy = !is_raw && !view_is_empty(request->body),
    };
    request_body_read(&body, arena, &facts->body);
}

/* What cannot be read must not pass for absent. */
static enum reason fill_metadata(const struct check_request *request, struct arena *arena, struct facts *facts)
{
    if (view_is_empty(request->metadata))
        return REASON_NONE;
    struct value *metadata = arena_take(arena, sizeof(*metadata));
    enum err error = metadata != NULL ? check_metadata_parse(request->metadata, arena, metadata) : ERR_NO_MEMORY;
    if (error != ERR_NONE)
        return error == ERR_NO_MEMORY ? REASON_INTERNAL : REASON_REQUEST_MALFORMED;
    facts->metadata = metadata;
    return REASON_NONE;
}

void request_facts_fill(const struct request_facts_input *input, struct arena *arena, struct facts *facts,
                        struct request_credentials *credentials)
{
    const struct check_request *request = input->request;
    *credentials = (struct request_credentials){0};
    facts->method = request->method;
    facts->host = request->host;
    facts->path = request->path;
    facts->is_raw_path = request->is_raw_path;
    facts->source_ip = request_facts_address(request->source.address);
    facts->port = request->destination.port <= UINT16_MAX ? (uint16_t)request->destination.port : 0;
    facts->sni = !view_is_empty(request->sni) ? request->sni : (struct view){0};
    enum reason failures[] = {input->failure, fill_headers(input, arena, facts, credentials),
                              fill_context(request, arena, facts), fill_metadata(request, arena, facts)};
    facts->request_failure = REASON_NONE;
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]) && facts->request_failure == REASON_NONE; i++)
        facts->request_failure = failures[i];
    if (facts->request_failure == REASON_NONE && policy_reads_body(input->policy))
        request_facts_read_body(request, arena, facts);
}
