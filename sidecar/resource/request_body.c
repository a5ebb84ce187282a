/* SPDX-License-Identifier: Apache-2.0 */
#include "request_body.h"

#include "json.h"
#include "pb_reader.h"
#include "utf8.h"

enum { GRPC_PREFIX_BYTES = 5 }; /* compressed flag, length: "gRPC over HTTP2" */

enum body_protocol { BODY_OTHER = 0, BODY_JSON, BODY_GRPC };

/* The media type before its parameters, RFC 9110 section 8.3.1. A comma is what
 * joining two such headers leaves: readers take the first or the last of them. */
static enum body_protocol protocol_of(struct view content_type)
{
    struct view type = view_slice(content_type, 0, view_index_of(content_type, ';', 0));

    if (view_index_of(content_type, ',', 0) < content_type.size)
        return BODY_OTHER;
    while (type.size > 0 && (type.data[type.size - 1] == ' ' || type.data[type.size - 1] == '\t'))
        type.size--;
    while (type.size > 0 && (type.data[0] == ' ' || type.data[0] == '\t'))
        type = view_slice(type, 1, type.size);
    if (view_equals_ignoring_case(type, VIEW("application/json")))
        return BODY_JSON;
    if (view_equals_ignoring_case(type, VIEW("application/grpc")) ||
        view_equals_ignoring_case(type, VIEW("application/grpc+proto")))
        return BODY_GRPC;
    return BODY_OTHER;
}

/* The byte that case folding makes of the character at `at`; *step is its length.
 * U+017F folds to `s` and U+212A to `k`: some JSON readers match names so. */
static char folded(struct view v, size_t at, size_t *step)
{
    char byte = v.data[at];

    *step = 1;
    if (view_starts_with(view_slice(v, at, v.size), VIEW("\xc5\xbf"))) {
        *step = 2;
        return 's';
    }
    if (view_starts_with(view_slice(v, at, v.size), VIEW("\xe2\x84\xaa"))) {
        *step = 3;
        return 'k';
    }
    return byte >= 'A' && byte <= 'Z' ? (char)(byte + ('a' - 'A')) : byte;
}

/* `name` is lower-case ASCII. */
static bool is_lookalike(struct view v, struct view name)
{
    size_t i = 0, step = 0, at = 0;

    if (view_equals(v, name))
        return false;
    for (; i < name.size && at < v.size; i++, at += step)
        if (folded(v, at, &step) != name.data[i])
            return false;
    return i == name.size && at == v.size;
}

static bool has_lookalike(const struct json *object, struct view name)
{
    for (size_t i = 0; i < object->count; i++)
        if (is_lookalike(object->names[i], name))
            return true;
    return false;
}

/* True with *out the string, or with *out absent for no such member or null. */
static bool read_string(const struct json *object, struct view name, struct view *out)
{
    const struct json *member = json_get(object, name);

    *out = (struct view){0};
    if (has_lookalike(object, name))
        return false;
    if (member == NULL || member->kind == JSON_NULL)
        return true;
    *out = member->text;
    return member->kind == JSON_STRING;
}

/* JSON-RPC 2.0 sections 4 and 5; MCP, "Tools". An object without `jsonrpc` may be
 * any API's: its `method` counts when it is a string and says nothing otherwise. */
static bool read_json_rpc(const struct json *object, struct body_facts *out)
{
    const struct json *params = json_get(object, VIEW("params"));
    struct view version;

    if (!read_string(object, VIEW("jsonrpc"), &version))
        return false;
    if (view_is_present(version) && !view_equals(version, VIEW("2.0")))
        return false;
    if (!read_string(object, VIEW("method"), &out->call)) {
        out->call = (struct view){0};
        return !view_is_present(version) && !has_lookalike(object, VIEW("method"));
    }
    if (!view_equals(out->call, VIEW("tools/call")))
        return true;
    return !has_lookalike(object, VIEW("params")) && params != NULL && params->kind == JSON_OBJECT &&
           read_string(params, VIEW("name"), &out->tool) && view_is_present(out->tool);
}

static bool read_json(const struct request_body *body, struct arena *arena, struct body_facts *out)
{
    struct json root;

    if (json_parse(body->bytes, arena, &root) != ERR_NONE || root.kind != JSON_OBJECT)
        return false;
    return read_string(&root, VIEW("model"), &out->model) && read_json_rpc(&root, out);
}

/* The number of the field that names the model in a method's request, 0 for none. */
static uint32_t model_field(struct view method)
{
    static const char *const first[] = {"ModelInfer",    "ModelStreamInfer", "ModelReady",
                                        "ModelMetadata", "ModelConfig",      "ModelStatistics"};

    for (size_t i = 0; i < sizeof first / sizeof first[0]; i++)
        if (view_equals(method, view_of(first[i])))
            return 1;
    if (view_equals(method, VIEW("RepositoryModelLoad")) || view_equals(method, VIEW("RepositoryModelUnload")))
        return 2;
    return 0;
}

/* The one length-prefixed message of the body. */
static bool read_grpc_message(struct view bytes, struct view *out)
{
    const uint8_t *at = (const uint8_t *)bytes.data;
    size_t size;

    if (bytes.size < GRPC_PREFIX_BYTES || at[0] != 0)
        return false;
    size = (size_t)at[1] << 24 | (size_t)at[2] << 16 | (size_t)at[3] << 8 | at[4];
    *out = view_slice(bytes, GRPC_PREFIX_BYTES, bytes.size);
    return size == bytes.size - GRPC_PREFIX_BYTES;
}

static bool read_grpc(const struct request_body *body, uint32_t number, struct body_facts *out)
{
    struct view message;
    struct pb_reader reader;
    struct pb_field field;

    if (!read_grpc_message(body->bytes, &message))
        return false;
    pb_reader_init(&reader, message);
    while (pb_reader_next(&reader, &field)) {
        if (field.number != number)
            continue;
        if (field.wire != PB_BYTES || view_is_present(out->model) || !utf8_is_text(field.bytes))
            return false;
        out->model = field.bytes;
    }
    if (view_is_empty(out->model))
        out->model = (struct view){0};
    return !reader.is_broken;
}

static bool is_whole(const struct request_body *body)
{
    if (body->is_partial || (body->size > 0 && (uint64_t)body->size > body->bytes.size))
        return false;
    return !body->is_lossy || view_index_of(body->bytes, '!', 0) == body->bytes.size;
}

void request_body_read(const struct request_body *body, struct arena *arena, struct body_facts *out)
{
    const struct view service = VIEW("/inference.GRPCInferenceService/");
    enum body_protocol protocol = protocol_of(body->content_type);
    bool is_read = false;

    *out = (struct body_facts){.state = BODY_ABSENT};
    if (view_is_empty(body->bytes) && body->size <= 0 && !body->is_partial)
        return;
    /* Whoever names a body otherwise may still be read: many servers parse JSON whatever its
     * type says, and some take JSON for a gRPC method, under other names of its members. */
    bool is_ours = protocol == (view_starts_with(body->path, service) ? BODY_GRPC : BODY_JSON);
    if (is_ours && is_whole(body)) {
        struct view method = view_slice(body->path, service.size, view_index_of(body->path, '?', 0));

        is_read = protocol == BODY_JSON ? read_json(body, arena, out) : read_grpc(body, model_field(method), out);
    }
    *out = is_read ? (struct body_facts){.state = BODY_READ, .model = out->model, .tool = out->tool, .call = out->call}
                   : (struct body_facts){.state = BODY_UNREADABLE};
}
