/* SPDX-License-Identifier: Apache-2.0 */
#include "check_request_oracle.h"

#include "ext_authz.pb-c.h"

#include <ctype.h>

#define EXT(name) Envoy__Service__Auth__V3__##name

/* ---- What protobuf-c does not tell: a walk over the bytes with a schema, plain and slow ---- */

enum kind {
    CHECK = 1,
    ATTRIBUTES,
    PEER,
    ADDRESS,
    SOCKET,
    PIPE,
    REQUEST,
    TIME,
    HTTP,
    HEADER_MAP,
    HEADER,
    ENTRY,
    METADATA,
    FILTER,
    STRUCT,
    MEMBER,
    VALUE,
    LIST,
    TLS,
    TEXT
};

struct schema {
    enum kind message;
    uint32_t field;
    enum kind holds;
    bool is_repeated;
};

static const struct schema schemas[] = {
    {CHECK, 1, ATTRIBUTES, false}, {ATTRIBUTES, 1, PEER, false},
    {ATTRIBUTES, 2, PEER, false},  {ATTRIBUTES, 4, REQUEST, false},
    {ATTRIBUTES, 10, ENTRY, true}, {ATTRIBUTES, 11, METADATA, false},
    {ATTRIBUTES, 12, TLS, false},  {ATTRIBUTES, 13, METADATA, false},
    {PEER, 1, ADDRESS, false},     {PEER, 2, TEXT, false},
    {PEER, 3, ENTRY, true},        {PEER, 4, TEXT, false},
    {PEER, 5, TEXT, false},        {ADDRESS, 1, SOCKET, false},
    {ADDRESS, 2, PIPE, false},     {SOCKET, 2, TEXT, false},
    {SOCKET, 4, TEXT, false},      {SOCKET, 5, TEXT, false},
    {PIPE, 1, TEXT, false},        {REQUEST, 1, TIME, false},
    {REQUEST, 2, HTTP, false},     {HTTP, 1, TEXT, false},
    {HTTP, 2, TEXT, false},        {HTTP, 3, ENTRY, true},
    {HTTP, 4, TEXT, false},        {HTTP, 5, TEXT, false},
    {HTTP, 6, TEXT, false},        {HTTP, 7, TEXT, false},
    {HTTP, 8, TEXT, false},        {HTTP, 10, TEXT, false},
    {HTTP, 11, TEXT, false},       {HTTP, 13, HEADER_MAP, false},
    {HEADER_MAP, 1, HEADER, true}, {HEADER, 1, TEXT, false},
    {HEADER, 2, TEXT, false},      {ENTRY, 1, TEXT, false},
    {ENTRY, 2, TEXT, false},       {METADATA, 1, FILTER, true},
    {FILTER, 1, TEXT, false},      {FILTER, 2, STRUCT, false},
    {STRUCT, 1, MEMBER, true},     {MEMBER, 1, TEXT, false},
    {MEMBER, 2, VALUE, false},     {VALUE, 3, TEXT, false},
    {VALUE, 5, STRUCT, false},     {VALUE, 6, LIST, false},
    {LIST, 1, VALUE, true},        {TLS, 1, TEXT, false},
};

struct findings {
    bool has_bad_text;
    bool has_odd_encoding;     /* one that protobuf-c takes and ours refuses */
    bool has_repeated_message; /* a message twice where one is expected */
};

static bool is_text(const uint8_t *at, size_t size)
{
    for (size_t i = 0; i < size;) {
        uint32_t code = at[i];
        size_t length = code < 0x80 ? 1 : code >> 5 == 6 ? 2 : code >> 4 == 14 ? 3 : code >> 3 == 30 ? 4 : 0;
        static const uint32_t least[] = {0, 1, 0x80, 0x800, 0x10000};

        if (length == 0 || length > size - i)
            return false;
        code &= length == 1 ? 0x7fu : 0x7fu >> length;
        for (size_t j = 1; j < length; j++) {
            if (at[i + j] >> 6 != 2)
                return false;
            code = code << 6 | (at[i + j] & 0x3f);
        }
        if (code < least[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
            return false;
        i += length;
    }
    return true;
}

static const struct schema *find_schema(enum kind message, uint32_t field)
{
    for (size_t i = 0; i < sizeof schemas / sizeof schemas[0]; i++)
        if (schemas[i].message == message && schemas[i].field == field)
            return &schemas[i];
    return NULL;
}

/* The varint at *at; what does not fit in 64 bits is noted. */
static uint64_t walk_varint(const uint8_t *bytes, size_t size, size_t *at, struct findings *out)
{
    uint64_t value = 0;

    for (unsigned i = 0; *at < size; i++) {
        uint8_t byte = bytes[(*at)++];

        if (i > 9 || (i == 9 && byte > 1))
            out->has_odd_encoding = true;
        if (i < 10)
            value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80)
            break;
    }
    return value;
}

static void walk(const uint8_t *bytes, size_t size, enum kind message, unsigned containers, struct findings *out)
{
    size_t at = 0, choices = 0;
    uint32_t seen = 0;

    if (containers > 16)
        out->has_odd_encoding = true;
    while (at < size) {
        uint64_t tag = walk_varint(bytes, size, &at, out), length = 0;
        uint32_t field = (uint32_t)(tag >> 3);
        const struct schema *schema = find_schema(message, field);

        if (tag > UINT32_MAX || field == 0)
            out->has_odd_encoding = true;
        /* protobuf-c reads a bool of any wire type. */
        if ((tag & 7) != 0 && ((message == SOCKET && field == 6) || (message == VALUE && field == 4)))
            out->has_odd_encoding = true;
        if (message == VALUE && field >= 1 && field <= 6 && choices++ > 0)
            out->has_odd_encoding = true;
        switch (tag & 7) {
        case 0: (void)walk_varint(bytes, size, &at, out); continue;
        case 1: at += 8; continue;
        case 5: at += 4; continue;
        case 2: length = walk_varint(bytes, size, &at, out); break;
        default: return;
        }
        if (at > size || length > size - at)
            return;
        if (schema != NULL && schema->holds == TEXT) {
            if (!is_text(bytes + at, length) || memchr(bytes + at, 0, length) != NULL)
                out->has_bad_text = true;
        } else if (schema != NULL) {
            if (!schema->is_repeated && field < 32 && (seen & 1u << field) != 0)
                out->has_repeated_message = true;
            seen |= field < 32 ? 1u << field : 0;
            walk(bytes + at, length, schema->holds,
                 containers + (schema->holds == STRUCT || schema->holds == LIST ? 1 : 0), out);
        }
        at += length;
    }
}

/* ---- protobuf-c's reading as one list of headers ---- */

struct their_header {
    const char *name;
    struct view value;
    bool is_raw, is_double;
};

struct theirs {
    EXT(AttributeContext__HttpRequest) * http;
    struct their_header headers[512];
    size_t count;
    size_t ordinary;
    size_t bytes;
};

static bool is_empty(const char *text)
{
    return text == NULL || text[0] == '\0';
}

static void add(struct theirs *theirs, struct their_header header)
{
    if (theirs->count < sizeof theirs->headers / sizeof theirs->headers[0])
        theirs->headers[theirs->count++] = header;
    theirs->ordinary += header.name[0] != ':';
    theirs->bytes += strlen(header.name) + header.value.size;
}

static void list(struct theirs *theirs, EXT(AttributeContext__HttpRequest) * http)
{
    *theirs = (struct theirs){.http = http};
    for (size_t i = 0; http != NULL && i < http->n_headers; i++)
        add(theirs, (struct their_header){.name = http->headers[i]->key, .value = view_of(http->headers[i]->value)});
    for (size_t i = 0; http != NULL && http->header_map != NULL && i < http->header_map->n_headers; i++) {
        const EXT(HeaderValue) *header = http->header_map->headers[i];
        struct view raw = {.data = (const char *)header->raw_value.data, .size = header->raw_value.len};

        add(theirs, (struct their_header){.name = header->key,
                                          .value = is_empty(header->value) ? raw : view_of(header->value),
                                          .is_raw = is_empty(header->value),
                                          .is_double = !is_empty(header->value) && raw.size > 0});
    }
}

static const struct their_header *find_header(const struct theirs *theirs, const char *name)
{
    for (size_t i = 0; i < theirs->count; i++)
        if (strcmp(theirs->headers[i].name, name) == 0)
            return &theirs->headers[i];
    return NULL;
}

/* ---- Why ours may refuse what protobuf-c reads ---- */

static bool is_bad_header(const struct theirs *theirs, size_t index)
{
    const struct their_header *header = &theirs->headers[index];
    static const char *const pseudo[] = {":path", ":method", ":authority", ":scheme"};
    bool is_pseudo = false;

    for (size_t i = 0; i < header->value.size; i++)
        if (memchr("\r\n", header->value.data[i], 3) != NULL)
            return true;
    for (size_t i = 0; i < 4; i++)
        is_pseudo |= strcmp(header->name, pseudo[i]) == 0;
    if (is_pseudo)
        return find_header(theirs, header->name) != header;
    for (const char *at = header->name; *at != '\0'; at++)
        if (isupper((unsigned char)*at) || !isgraph((unsigned char)*at) || strchr("\"(),/:;<=>?@[\\]{}", *at) != NULL)
            return true;
    return header->name[0] == '\0';
}

static bool differs(const struct theirs *theirs, const char *name, const char *field)
{
    const struct their_header *header = find_header(theirs, name);

    return header != NULL && !view_equals(header->value, view_of(field));
}

static bool is_contradictory(const struct theirs *theirs)
{
    const EXT(AttributeContext__HttpRequest) *http = theirs->http;

    if (http == NULL || !is_empty(http->query) || !is_empty(http->fragment))
        return true;
    if (http->n_headers > 0 && http->header_map != NULL && http->header_map->n_headers > 0)
        return true;
    if (!is_empty(http->body) && http->raw_body.len > 0)
        return true;
    for (size_t i = 0; i < theirs->count; i++)
        if (theirs->headers[i].is_double)
            return true;
    return differs(theirs, ":path", http->path) || differs(theirs, ":method", http->method) ||
           differs(theirs, ":authority", http->host) || differs(theirs, ":scheme", http->scheme);
}

static bool may_refuse(enum reason reason, struct view bytes, const EXT(AttributeContext) * attributes,
                       const struct theirs *theirs, const struct findings *findings)
{
    if (reason == REASON_REQUEST_SIZE)
        return bytes.size > CHECK_REQUEST_BYTES_MAX ||
               (attributes != NULL && attributes->n_context_extensions > CHECK_CONTEXT_MAX);
    if (reason == REASON_REQUEST_HEADER_SIZE)
        return theirs->ordinary > CHECK_HEADERS_MAX || theirs->bytes > CHECK_HEADER_BYTES_MAX;
    if (reason == REASON_REQUEST_HEADER) {
        for (size_t i = 0; i < theirs->count; i++)
            if (is_bad_header(theirs, i))
                return true;
        return false;
    }
    return reason == REASON_REQUEST_MALFORMED && (findings->has_bad_text || findings->has_odd_encoding ||
                                                  findings->has_repeated_message || is_contradictory(theirs));
}

/* ---- Field by field ---- */

static bool is_same(struct view ours, const char *theirs)
{
    return view_equals(ours, view_of(theirs)) && view_is_present(ours) == !is_empty(theirs);
}

static const char *compare_peer(const struct check_peer *ours, const EXT(AttributeContext__Peer) * theirs)
{
    static const EXT(AttributeContext__Peer) none = ENVOY__SERVICE__AUTH__V3__ATTRIBUTE_CONTEXT__PEER__INIT;
    const EXT(AttributeContext__Peer) *peer = theirs != NULL ? theirs : &none;
    const EXT(SocketAddress) *socket = NULL;
    uint32_t port = 0;

    if (peer->address != NULL &&
        peer->address->address_case == ENVOY__SERVICE__AUTH__V3__ADDRESS__ADDRESS_SOCKET_ADDRESS)
        socket = peer->address->socket_address;
    if (socket != NULL &&
        socket->port_specifier_case == ENVOY__SERVICE__AUTH__V3__SOCKET_ADDRESS__PORT_SPECIFIER_PORT_VALUE)
        port = socket->port_value;
    if (!is_same(ours->address, socket != NULL ? socket->address : "") || ours->port != port)
        return "a peer's address differs";
    if (!is_same(ours->service, peer->service) || !is_same(ours->principal, peer->principal) ||
        !is_same(ours->certificate, peer->certificate))
        return "a peer's text differs";
    return NULL;
}

static const char *compare_headers(const struct check_request *ours, const struct theirs *theirs)
{
    const struct {
        const char *name;
        struct view ours;
    } pseudo[] = {{":path", ours->pseudo_path},
                  {":method", ours->pseudo_method},
                  {":authority", ours->pseudo_authority},
                  {":scheme", ours->pseudo_scheme}};
    size_t at = 0;

    for (size_t i = 0; i < theirs->count; i++) {
        const struct their_header *header = &theirs->headers[i];

        if (header->name[0] == ':')
            continue;
        if (at == ours->header_count || !view_equals(ours->headers[at].name, view_of(header->name)) ||
            !view_equals(ours->headers[at].value, header->value) || !view_is_present(ours->headers[at].value))
            return "a header differs";
        at++;
    }
    for (size_t i = 0; i < 4; i++) {
        const struct their_header *header = find_header(theirs, pseudo[i].name);

        if (view_is_present(pseudo[i].ours) != (header != NULL) ||
            (header != NULL && !view_equals(pseudo[i].ours, header->value)))
            return "a pseudo header differs";
    }
    if (ours->is_raw_path != (find_header(theirs, ":path") != NULL && find_header(theirs, ":path")->is_raw))
        return "is_raw_path differs";
    if (ours->is_header_map != (theirs->http->header_map != NULL && theirs->http->header_map->n_headers > 0))
        return "is_header_map differs";
    return at == ours->header_count ? NULL : "the number of headers differs";
}

static const char *compare_http(const struct check_request *ours, const struct theirs *theirs)
{
    const EXT(AttributeContext__HttpRequest) *http = theirs->http;

    if (!ours->has_http || !is_same(ours->id, http->id) || !is_same(ours->method, http->method) ||
        !is_same(ours->path, http->path) || !is_same(ours->host, http->host) || !is_same(ours->scheme, http->scheme) ||
        !is_same(ours->protocol, http->protocol) || !is_same(ours->body, http->body) || ours->size != http->size)
        return "an http field differs";
    if (!view_equals(ours->raw_body,
                     (struct view){.data = (const char *)http->raw_body.data, .size = http->raw_body.len}))
        return "raw_body differs";
    return compare_headers(ours, theirs);
}

static const char *compare(const struct check_request *ours, const EXT(AttributeContext) * attributes,
                           const struct theirs *theirs)
{
    const char *difference = compare_peer(&ours->source, attributes->source);

    if (difference == NULL)
        difference = compare_peer(&ours->destination, attributes->destination);
    if (difference != NULL)
        return difference;
    if (ours->context_count != attributes->n_context_extensions)
        return "the number of context extensions differs";
    for (size_t i = 0; i < ours->context_count; i++)
        if (!view_equals(ours->context[i].name, view_of(attributes->context_extensions[i]->key)) ||
            !view_equals(ours->context[i].value, view_of(attributes->context_extensions[i]->value)))
            return "a context extension differs";
    if (!is_same(ours->sni, attributes->tls_session != NULL ? attributes->tls_session->sni : ""))
        return "sni differs";
    if (ours->time_seconds != (attributes->request->time != NULL ? attributes->request->time->seconds : 0))
        return "time differs";
    if (view_is_present(ours->metadata) != (attributes->metadata_context != NULL) ||
        view_is_present(ours->route_metadata) != (attributes->route_metadata_context != NULL))
        return "metadata differs";
    return compare_http(ours, theirs);
}

const char *check_request_oracle_disagreement(struct view bytes)
{
    static const struct check_limits limits = {CHECK_HEADERS_MAX, CHECK_HEADER_BYTES_MAX, CHECK_REQUEST_BYTES_MAX};
    static struct check_request ours;
    static struct theirs theirs;
    struct findings findings = {0};
    const char *difference = NULL;
    enum reason reason = check_request_parse(bytes, &limits, &ours);
    EXT(CheckRequest) *request =
        envoy__service__auth__v3__check_request__unpack(NULL, bytes.size, (const uint8_t *)bytes.data);
    EXT(AttributeContext) *attributes = request != NULL ? request->attributes : NULL;

    walk((const uint8_t *)bytes.data, bytes.size, CHECK, 0, &findings);
    if (request == NULL) /* protobuf-c cannot merge a message into one whose oneof is empty */
        return reason == REASON_NONE && !findings.has_repeated_message ? "ours reads what protobuf-c refuses" : NULL;
    list(&theirs, attributes != NULL && attributes->request != NULL ? attributes->request->http : NULL);
    if (reason != REASON_NONE)
        difference = may_refuse(reason, bytes, attributes, &theirs, &findings) ? NULL : "ours refuses without a cause";
    else if (findings.has_bad_text || findings.has_odd_encoding)
        difference = "ours reads what it should refuse";
    else if (!findings.has_repeated_message)
        difference = compare(&ours, attributes, &theirs);
    envoy__service__auth__v3__check_request__free_unpacked(request, NULL);
    return difference;
}
