/* SPDX-License-Identifier: Apache-2.0 */
#include "check_request_builder.h"

#include "ext_authz.pb-c.h"

#include <stdlib.h>

#define EXT(name) Envoy__Service__Auth__V3__##name

/* Blocks that live until the message is packed. */
struct pool {
    void *blocks[1024];
    size_t count;
};

static void *pool_take(struct pool *pool, size_t size)
{
    void *block = calloc(1, size);

    if (block == NULL || pool->count == sizeof pool->blocks / sizeof pool->blocks[0])
        abort();
    pool->blocks[pool->count++] = block;
    return block;
}

/* protobuf-c wants char *; it does not write through it. */
static char *text(const char *value)
{
    return (char *)(uintptr_t)(value != NULL ? value : "");
}

static EXT(AttributeContext__Peer) * build_peer(struct pool *pool, const char *address, uint32_t port)
{
    EXT(AttributeContext__Peer) *peer = pool_take(pool, sizeof *peer);
    EXT(Address) *outer = pool_take(pool, sizeof *outer);
    EXT(SocketAddress) *socket = pool_take(pool, sizeof *socket);

    envoy__service__auth__v3__attribute_context__peer__init(peer);
    envoy__service__auth__v3__address__init(outer);
    envoy__service__auth__v3__socket_address__init(socket);
    if (address == NULL)
        return peer;
    socket->address = text(address);
    socket->port_specifier_case = ENVOY__SERVICE__AUTH__V3__SOCKET_ADDRESS__PORT_SPECIFIER_PORT_VALUE;
    socket->port_value = port;
    outer->address_case = ENVOY__SERVICE__AUTH__V3__ADDRESS__ADDRESS_SOCKET_ADDRESS;
    outer->socket_address = socket;
    peer->address = outer;
    return peer;
}

/* All headers in one list: pseudo headers first, as Envoy has them. */
static size_t list_headers(const struct check_request_parts *parts, struct check_request_pair *out)
{
    const struct check_request_pair pseudo[] = {
        {":authority", parts->host}, {":path", parts->path}, {":method", parts->method}, {":scheme", parts->scheme}};
    size_t count = 0;

    for (size_t i = 0; i < 4 && !parts->has_no_pseudo_headers; i++)
        if (pseudo[i].value != NULL)
            out[count++] = pseudo[i];
    for (size_t i = 0; i < parts->header_count; i++)
        out[count++] = parts->headers[i];
    return count;
}

static void build_header_strings(struct pool *pool, const struct check_request_pair *pairs, size_t count,
                                 EXT(AttributeContext__HttpRequest) * http)
{
    http->headers = pool_take(pool, (count + 1) * sizeof *http->headers);
    http->n_headers = count;
    for (size_t i = 0; i < count; i++) {
        http->headers[i] = pool_take(pool, sizeof *http->headers[i]);
        envoy__service__auth__v3__attribute_context__http_request__headers_entry__init(http->headers[i]);
        http->headers[i]->key = text(pairs[i].name);
        http->headers[i]->value = text(pairs[i].value);
    }
}

static void build_header_map(struct pool *pool, const struct check_request_pair *pairs, size_t count,
                             EXT(AttributeContext__HttpRequest) * http)
{
    EXT(HeaderMap) *map = pool_take(pool, sizeof *map);

    envoy__service__auth__v3__header_map__init(map);
    map->headers = pool_take(pool, (count + 1) * sizeof *map->headers);
    map->n_headers = count;
    for (size_t i = 0; i < count; i++) {
        map->headers[i] = pool_take(pool, sizeof *map->headers[i]);
        envoy__service__auth__v3__header_value__init(map->headers[i]);
        map->headers[i]->key = text(pairs[i].name);
        map->headers[i]->raw_value.data = (uint8_t *)text(pairs[i].value);
        map->headers[i]->raw_value.len = strlen(pairs[i].value);
    }
    http->header_map = map;
}

static EXT(AttributeContext__HttpRequest) * build_http(struct pool *pool, const struct check_request_parts *parts)
{
    EXT(AttributeContext__HttpRequest) *http = pool_take(pool, sizeof *http);
    struct check_request_pair *pairs = pool_take(pool, (parts->header_count + 4) * sizeof *pairs);
    size_t count = list_headers(parts, pairs);

    envoy__service__auth__v3__attribute_context__http_request__init(http);
    http->id = text(parts->id);
    http->method = text(parts->method);
    http->path = text(parts->path);
    http->host = text(parts->host);
    http->scheme = text(parts->scheme);
    http->protocol = text(parts->protocol);
    http->size = parts->size;
    http->body = text(parts->body);
    http->raw_body.data = (uint8_t *)text(parts->raw_body.data);
    http->raw_body.len = parts->raw_body.size;
    if (parts->is_header_map)
        build_header_map(pool, pairs, count, http);
    else
        build_header_strings(pool, pairs, count, http);
    return http;
}

static EXT(Metadata) * build_metadata(struct pool *pool, const struct check_request_parts *parts)
{
    EXT(Metadata) *metadata = pool_take(pool, sizeof *metadata);
    EXT(Metadata__FilterMetadataEntry) *filter = pool_take(pool, sizeof *filter);
    EXT(Struct) *members = pool_take(pool, sizeof *members);

    envoy__service__auth__v3__metadata__init(metadata);
    envoy__service__auth__v3__metadata__filter_metadata_entry__init(filter);
    envoy__service__auth__v3__struct__init(members);
    members->n_fields = parts->metadata_count;
    members->fields = pool_take(pool, (parts->metadata_count + 1) * sizeof *members->fields);
    for (size_t i = 0; i < parts->metadata_count; i++) {
        EXT(Struct__FieldsEntry) *entry = pool_take(pool, sizeof *entry);
        EXT(Value) *value = pool_take(pool, sizeof *value);

        envoy__service__auth__v3__struct__fields_entry__init(entry);
        envoy__service__auth__v3__value__init(value);
        value->kind_case = ENVOY__SERVICE__AUTH__V3__VALUE__KIND_STRING_VALUE;
        value->string_value = text(parts->metadata[i].value);
        entry->key = text(parts->metadata[i].name);
        entry->value = value;
        members->fields[i] = entry;
    }
    filter->key = text(parts->metadata_filter.data);
    filter->value = members;
    metadata->n_filter_metadata = 1;
    metadata->filter_metadata = pool_take(pool, sizeof *metadata->filter_metadata);
    metadata->filter_metadata[0] = filter;
    return metadata;
}

static void build_context(struct pool *pool, const struct check_request_parts *parts, EXT(AttributeContext) * context)
{
    context->n_context_extensions = parts->context_count;
    context->context_extensions = pool_take(pool, (parts->context_count + 1) * sizeof *context->context_extensions);
    for (size_t i = 0; i < parts->context_count; i++) {
        EXT(AttributeContext__ContextExtensionsEntry) *entry = pool_take(pool, sizeof *entry);

        envoy__service__auth__v3__attribute_context__context_extensions_entry__init(entry);
        entry->key = text(parts->context[i].name);
        entry->value = text(parts->context[i].value);
        context->context_extensions[i] = entry;
    }
}

static EXT(AttributeContext) * build_attributes(struct pool *pool, const struct check_request_parts *parts)
{
    EXT(AttributeContext) *context = pool_take(pool, sizeof *context);
    EXT(AttributeContext__Request) *request = pool_take(pool, sizeof *request);
    EXT(Timestamp) *time = pool_take(pool, sizeof *time);
    EXT(AttributeContext__TLSSession) *session = pool_take(pool, sizeof *session);

    envoy__service__auth__v3__attribute_context__init(context);
    envoy__service__auth__v3__attribute_context__request__init(request);
    envoy__service__auth__v3__timestamp__init(time);
    envoy__service__auth__v3__attribute_context__tlssession__init(session);
    context->source = build_peer(pool, parts->source_address, parts->source_port);
    context->source->principal = text(parts->principal);
    context->source->certificate = text(parts->certificate);
    context->destination = build_peer(pool, parts->destination_address, parts->destination_port);
    time->seconds = parts->time_seconds;
    if (parts->time_seconds != 0)
        request->time = time;
    request->http = build_http(pool, parts);
    context->request = request;
    session->sni = text(parts->sni);
    if (parts->sni != NULL)
        context->tls_session = session;
    if (view_is_present(parts->metadata_filter))
        context->metadata_context = build_metadata(pool, parts);
    build_context(pool, parts, context);
    return context;
}

struct view check_request_builder_build(const struct check_request_parts *parts)
{
    static struct pool pool;
    EXT(CheckRequest) request;
    size_t size;
    uint8_t *bytes;

    pool.count = 0;
    envoy__service__auth__v3__check_request__init(&request);
    request.attributes = build_attributes(&pool, parts);
    size = envoy__service__auth__v3__check_request__get_packed_size(&request);
    bytes = malloc(size + 1);
    if (bytes == NULL)
        abort();
    envoy__service__auth__v3__check_request__pack(&request, bytes);
    for (size_t i = 0; i < pool.count; i++)
        free(pool.blocks[i]);
    return (struct view){.data = (char *)bytes, .size = size};
}
