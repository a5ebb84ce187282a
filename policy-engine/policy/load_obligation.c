/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

enum { HEADERS_MAX = 32, PARTS_MAX = 16 };

/* ---- value templates ----------------------------------------------------------- */

static const struct {
    struct view name;
    enum template_kind kind;
} VARIABLES[] = {
    {WORD("user.sub"), TEMPLATE_USER_SUB},
    {WORD("user.issuer"), TEMPLATE_USER_ISSUER},
    {WORD("workload.spiffe"), TEMPLATE_WORKLOAD_SPIFFE},
    {WORD("resource.id"), TEMPLATE_RESOURCE_ID},
    {WORD("decision.id"), TEMPLATE_DECISION_ID},
};

static bool is_variable_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
}

/* The variable that begins behind the dollar at `at`; returns the place behind it,
 * or 0 for one that does not exist. A claim's name ends where no name goes on. */
static size_t read_variable(struct load *load, const struct node *node, struct view text, size_t at,
                            struct template_part *out)
{
    size_t end = at + 1;
    while (end < text.size && is_variable_byte(text.data[end]))
        end++;
    while (end > at + 1 && text.data[end - 1] == '.') /* a full stop that ends a sentence */
        end--;
    struct view name = view_slice(text, at + 1, end);
    struct view claim = VIEW("claim.");
    if (view_starts_with(name, claim) && name.size > claim.size) {
        out->kind = TEMPLATE_CLAIM;
        load_claim_text(load, node, view_slice(name, claim.size, name.size), &out->claim);
        return end;
    }
    for (size_t i = 0; i < COUNT_OF(VARIABLES); i++) {
        if (!view_equals(VARIABLES[i].name, name))
            continue;
        out->kind = VARIABLES[i].kind;
        return end;
    }
    load_refuse(
        load, CODE_TEMPLATE, node,
        "$user.sub, $user.issuer, $workload.spiffe, $resource.id, $claim.NAME, $decision.id; write $$ for a dollar",
        "`$%.*s` is not a variable", VIEW_ARG(name));
    return 0;
}

/* Literal text up to the next variable, `$$` read as one dollar. */
static size_t read_literal(struct load *load, struct view text, size_t at, struct template_part *out)
{
    char *bytes = load_take(load, text.size - at, 1);
    size_t size = 0;
    while (bytes != NULL && at < text.size) {
        bool is_dollar = text.data[at] == '$';
        if (is_dollar && !(at + 1 < text.size && text.data[at + 1] == '$'))
            break;
        bytes[size++] = text.data[at];
        at += is_dollar ? 2 : 1;
    }
    *out = (struct template_part){.kind = TEMPLATE_TEXT, .text = {.data = bytes, .size = size}};
    return bytes != NULL ? at : text.size;
}

static void read_template(struct load *load, const struct node *node, struct template *out)
{
    if (!load_is(load, node, NODE_SCALAR, "the value"))
        return;
    struct view text = node->text;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] >= 0x20 && text.data[i] < 0x7f)
            continue;
        load_refuse(load, CODE_TEMPLATE, node, NULL,
                    "the value holds what cannot stand in a header: printable ASCII only");
        return;
    }
    struct template_part *parts = load_take(load, PARTS_MAX, sizeof(*parts));
    size_t count = 0;
    for (size_t at = 0; parts != NULL && at < text.size; count++) {
        if (count == PARTS_MAX) {
            load_refuse(load, CODE_LIMIT, node, NULL, "a value has at most %d parts", PARTS_MAX);
            return;
        }
        bool is_variable = text.data[at] == '$' && !(at + 1 < text.size && text.data[at + 1] == '$');
        at = is_variable ? read_variable(load, node, text, at, &parts[count])
                         : read_literal(load, text, at, &parts[count]);
        if (at == 0)
            return;
    }
    *out = (struct template){.parts = parts, .count = parts != NULL ? count : 0};
}

/* ---- headers --------------------------------------------------------------------- */

/* What Envoy routes, frames or guards by; x-forwarded-client-cert is who the next
 * hop believes the caller to be. */
static bool is_guarded(struct view name)
{
    static const struct view names[] = {
        WORD("host"),
        WORD("connection"),
        WORD("content-length"),
        WORD("transfer-encoding"),
        WORD("te"),
        WORD("upgrade"),
        WORD("keep-alive"),
        WORD("trailer"),
        WORD("proxy-connection"),
        WORD("x-forwarded-client-cert"),
        WORD("x-forwarded-for"),
        WORD("x-forwarded-host"),
        WORD("x-forwarded-proto"),
        WORD("x-bartizan-decision"),
    };
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (view_equals(names[i], name))
            return true;
    return view_starts_with(name, VIEW("x-envoy-"));
}

static bool read_settable(struct load *load, const struct node *key, struct view *out)
{
    if (view_starts_with(key->text, VIEW(":"))) {
        load_refuse(load, CODE_HEADER_ROUTING, key, NULL, "`%.*s` is what Envoy routes by: a policy never changes it",
                    VIEW_ARG(key->text));
        return false;
    }
    load_header_name(load, key, out);
    if (!is_guarded(*out))
        return true;
    load_refuse(load, CODE_HEADER_ROUTING, key, NULL,
                "`%.*s` belongs to Envoy or to the connection: a policy never changes it", VIEW_ARG(key->text));
    return false;
}

static size_t map_count(struct load *load, const struct node *node, const char *what)
{
    if (node == NULL || !load_is(load, node, NODE_MAP, what))
        return 0;
    if (node->count <= HEADERS_MAX)
        return node->count;
    load_refuse(load, CODE_LIMIT, node, NULL, "%s has more than %d entries", what, HEADERS_MAX);
    return 0;
}

static void read_headers(struct load *load, const struct node *node, enum header_action action,
                         struct header_template *headers, size_t *made)
{
    for (size_t i = 0; i < node->count; i++) {
        struct header_template *header = &headers[*made];
        header->action = action;
        if (!read_settable(load, node->keys[i], &header->name))
            continue;
        for (size_t j = 0; j < *made; j++)
            if (view_equals(headers[j].name, header->name) && headers[j].action == action)
                load_refuse(load, CODE_DUPLICATE, node->keys[i], "header names ignore case",
                            "the header is there already");
        read_template(load, node->items[i], &header->value);
        (*made)++;
    }
}

static void read_removed(struct load *load, const struct node *node, void *out)
{
    (void)read_settable(load, node, out);
}

static const struct shape TEMPLATE = {.kind = SHAPE_VALUE, .title = "value with $variables"};

static const struct field REQUEST_HEADERS_FIELDS[] = {
    FIELD_SEEN("set", ENTRIES_OF(HEADER, &TEMPLATE), "Given in place of what the caller sent."),
    FIELD_SEEN("append", ENTRIES_OF(HEADER, &TEMPLATE), "Given beside what the caller sent."),
    FIELD_SEEN("remove", MANY_OR_NONE(HEADER), "Taken away."),
};
static const struct block REQUEST_HEADERS = BLOCK("requestHeaders", "requestHeaders", REQUEST_HEADERS_FIELDS);

static void read_request_headers(struct load *load, const struct node *node, void *out)
{
    struct obligation_set *obligations = out;
    if (!load_map(load, node, &REQUEST_HEADERS, obligations))
        return;
    const struct node *set = node_get(node, VIEW("set")), *append = node_get(node, VIEW("append")),
                      *removed = node_get(node, VIEW("remove"));
    size_t set_count = map_count(load, set, "set"), append_count = map_count(load, append, "append");
    struct header_template *headers = load_take(load, set_count + append_count, sizeof(*headers));
    if (headers == NULL)
        return;
    if (set_count > 0)
        read_headers(load, set, HEADER_SET, headers, &obligations->request_header_count);
    if (append_count > 0)
        read_headers(load, append, HEADER_APPEND, headers, &obligations->request_header_count);
    obligations->request_headers = headers;
    if (removed != NULL)
        obligations->remove_headers.items =
            load_array(load, removed, sizeof(struct view), read_removed, &obligations->remove_headers.count);
}

static const struct field RESPONSE_HEADERS_FIELDS[] = {
    FIELD_SEEN("set", ENTRIES_OF(HEADER, &TEMPLATE), "Given to the caller in place of what the upstream sent."),
};
static const struct block RESPONSE_HEADERS = BLOCK("responseHeaders", "responseHeaders", RESPONSE_HEADERS_FIELDS);

static void read_response_headers(struct load *load, const struct node *node, void *out)
{
    struct obligation_set *obligations = out;
    if (!load_map(load, node, &RESPONSE_HEADERS, obligations))
        return;
    const struct node *set = node_get(node, VIEW("set"));
    size_t count = map_count(load, set, "set");
    struct header_template *headers = load_take(load, count, sizeof(*headers));
    if (headers != NULL && count > 0)
        read_headers(load, set, HEADER_SET, headers, &obligations->response_header_count);
    obligations->response_headers = headers;
}

static void read_metadata(struct load *load, const struct node *node, void *out)
{
    struct obligation_set *obligations = out;
    size_t count = map_count(load, node, "metadata");
    struct header_template *entries = load_take(load, count, sizeof(*entries));
    for (size_t i = 0; entries != NULL && i < count; i++) {
        load_name(load, node->keys[i], &entries[i].name);
        read_template(load, node->items[i], &entries[i].value);
    }
    obligations->metadata = entries;
    obligations->metadata_count = entries != NULL ? count : 0;
}

/* ---- query parameters ------------------------------------------------------------- */

/* Unreserved (RFC 3986 section 2.3): a name that is written in one way only, so that
 * Envoy, which compares names byte for byte, finds the caller's own. */
static void read_query_name(struct load *load, const struct node *node, void *out)
{
    struct view *name = out;
    load_text(load, node, name);
    for (size_t i = 0; i < name->size; i++) {
        char c = name->data[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                        c == '.' || c == '_' || c == '~';
        if (is_plain && name->size <= 128)
            continue;
        load_refuse(load, CODE_QUERY, node, "A-Z a-z 0-9 - . _ ~, at most 128",
                    "`%.*s` is not a query parameter that can be set", VIEW_ARG(*name));
        return;
    }
}

static const struct shape QUERY_NAME = {.title = "parameter", .pattern = "^[A-Za-z0-9._~-]{1,128}$"};
static const struct field QUERY_PARAMS_FIELDS[] = {
    FIELD_SEEN("set", ENTRIES_OF(&QUERY_NAME, &TEMPLATE), "Given in place of what the caller sent, percent-encoded."),
    FIELD_SEEN("remove", MANY_OR_NONE(&QUERY_NAME), "Taken away."),
};
static const struct block QUERY_PARAMS = BLOCK("queryParams", "queryParams", QUERY_PARAMS_FIELDS);

static void read_query_params(struct load *load, const struct node *node, void *out)
{
    struct obligation_set *obligations = out;
    if (!load_map(load, node, &QUERY_PARAMS, obligations))
        return;
    const struct node *set = node_get(node, VIEW("set")), *removed = node_get(node, VIEW("remove"));
    size_t count = map_count(load, set, "set");
    struct header_template *params = load_take(load, count, sizeof(*params));
    for (size_t i = 0; params != NULL && i < count; i++) {
        read_query_name(load, set->keys[i], &params[i].name);
        read_template(load, set->items[i], &params[i].value);
    }
    obligations->query_params = params;
    obligations->query_param_count = params != NULL ? count : 0;
    if (removed != NULL)
        obligations->remove_queries.items =
            load_array(load, removed, sizeof(struct view), read_query_name, &obligations->remove_queries.count);
}

/* ---- denials ---------------------------------------------------------------------- */

enum { DENIAL_TEXT_MAX = 1024 };

/* A denial that looks like a success, or sends the caller elsewhere, is none. */
static void read_status(struct load *load, const struct node *node, void *out)
{
    uint64_t status;
    if (load_number(load, node, 400, 599, &status))
        *(uint16_t *)out = (uint16_t)status;
}

static void read_denial_text(struct load *load, const struct node *node, void *out)
{
    struct view *text = out;
    load_text(load, node, text);
    if (text->size > DENIAL_TEXT_MAX)
        load_refuse(load, CODE_LIMIT, node, NULL, "the text of a denial has at most %d bytes", DENIAL_TEXT_MAX);
}

/* It travels in a header. */
static void read_grpc_message(struct load *load, const struct node *node, void *out)
{
    struct view *text = out;
    read_denial_text(load, node, text);
    for (size_t i = 0; i < text->size; i++) {
        if (text->data[i] >= 0x20 && text->data[i] < 0x7f)
            continue;
        load_refuse(load, CODE_VALUE, node, NULL, "grpcMessage travels in a header: printable ASCII only");
        return;
    }
}

static const struct field DENIAL_FIELDS[] = {
    FIELD("status", read_status, struct denial, status, NUMBER(400, 599), "The HTTP status; 403 when left out."),
    FIELD("body", read_denial_text, struct denial, body, TEXT, "What the caller reads, the same for everybody."),
    FIELD("grpcMessage", read_grpc_message, struct denial, grpc_message, TEXT,
          "In place of the body for a gRPC caller."),
};
const struct block load_denial_block = BLOCK_SOME("denial", "deny", DENIAL_FIELDS);

void load_denial(struct load *load, const struct node *node, void *out)
{
    if (load_map(load, node, &load_denial_block, out) && node->count == 0)
        load_refuse(load, CODE_EMPTY, node, "leave `deny` out for 403", "a denial that says nothing");
}

/* ---- the whole -------------------------------------------------------------------- */

static const struct view LEVELS[] = {
    [AUDIT_MINIMAL] = WORD("minimal"), [AUDIT_SUMMARY] = WORD("summary"), [AUDIT_FULL] = WORD("full")};
static const struct view STREAM_WORDS[] = {WORD("credentials")};

const struct shape load_audit_shape = {.kind = SHAPE_WORDS, .words = LEVELS, .word_count = COUNT_OF(LEVELS)};
const struct shape load_max_stream_shape = {.kind = SHAPE_EITHER, .of = ONE_WORD(STREAM_WORDS), .other = DURATION};

void load_audit(struct load *load, const struct node *node, void *out)
{
    *(enum audit_level *)out =
        (enum audit_level)load_word(load, node, "an audit level", LEVELS, COUNT_OF(LEVELS), AUDIT_SUMMARY);
}

void load_max_stream(struct load *load, const struct node *node, void *out)
{
    struct obligation_set *obligations = out;
    if (node->kind == NODE_SCALAR && view_equals(node->text, STREAM_WORDS[0])) {
        obligations->max_stream_by_credentials = true;
        return;
    }
    obligations->has_max_stream = true;
    load_duration(load, node, &obligations->max_stream);
    if (node->kind == NODE_SCALAR && obligations->max_stream == 0)
        load_refuse(load, CODE_DURATION, node, "Envoy reads 0 as no limit", "maxStream must be longer than nothing");
}

static const struct field OBLIGATION_FIELDS[] = {
    FIELD_WHOLE("requestHeaders", read_request_headers, KEYS(REQUEST_HEADERS),
                "What the upstream is given; allow only."),
    FIELD_WHOLE("responseHeaders", read_response_headers, KEYS(RESPONSE_HEADERS),
                "What the caller is given; allow only."),
    FIELD_WHOLE("queryParams", read_query_params, KEYS(QUERY_PARAMS), "What becomes of the query; allow only."),
    FIELD_WHOLE("metadata", read_metadata, NAMED(&TEMPLATE), "Dynamic metadata for Envoy's later filters; allow only."),
    FIELD("audit", load_audit, struct obligation_set, audit, &load_audit_shape,
          "How much the record keeps; minimal not on resources."),
    FIELD_WHOLE("maxStream", load_max_stream, &load_max_stream_shape,
                "How long the answer may stream; credentials: as long as they hold; allow only."),
    FIELD("deny", load_denial, struct obligation_set, denial, KEYS(load_denial_block),
          "How the denial looks; deny only."),
};
const struct block load_obligation_block = BLOCK("obligations", "obligations", OBLIGATION_FIELDS);

void load_obligations(struct load *load, const struct node *node, void *out)
{
    (void)load_map(load, node, &load_obligation_block, out);
}
