/* SPDX-License-Identifier: Apache-2.0 */
#include "check_response.h"

#include "header_name.h"
#include "pb_writer.h"
#include "utf8.h"

#include <assert.h>
#include <stdio.h>

/* Field numbers of envoy.service.auth.v3 and what it uses. */
enum { RESPONSE_STATUS = 1, RESPONSE_DENIED = 2, RESPONSE_OK = 3, RESPONSE_METADATA = 4 };
enum { STATUS_CODE = 1 };
enum { DENIED_STATUS = 1, DENIED_HEADERS = 2, DENIED_BODY = 3, HTTP_STATUS_CODE = 1 };
enum { OK_HEADERS = 2, OK_REMOVE = 5, OK_RESPONSE_HEADERS = 6, OK_SET_QUERY = 7, OK_REMOVE_QUERY = 8 };
enum { QUERY_KEY = 1, QUERY_VALUE = 2 };
enum { OPTION_HEADER = 1, OPTION_APPEND = 2, OPTION_APPEND_ACTION = 3, OPTION_KEEP_EMPTY = 4 };
enum { HEADER_KEY = 1, HEADER_VALUE = 2, BOOL_VALUE = 1 };
enum { APPEND_IF_EXISTS_OR_ADD = 0, OVERWRITE_IF_EXISTS_OR_ADD = 2 };
enum { STRUCT_FIELDS = 1, ENTRY_KEY = 1, ENTRY_VALUE = 2, VALUE_STRING_FIELD = 3 };

enum { RPC_PERMISSION_DENIED = 7, RPC_UNAUTHENTICATED = 16, HTTP_FORBIDDEN = 403, HTTP_UNAVAILABLE = 503 };

enum { CHALLENGE_BYTES_MAX = 4096, QUERY_BYTES_MAX = 6144, HTTP_UNAUTHORIZED = 401 };

#define DECISION_HEADER VIEW("x-bartizan-decision")

/* status {code: 7}: the shortest message that denies. */
#define SHORTEST_DENIAL VIEW("\x0a\x02\x08\x07")

struct view check_response_denial(void)
{
    /* status {code: 7} denied_response {status {code: 503} body: "..."} */
    return VIEW("\x0a\x02\x08\x07\x12\x25\x0a\x03\x08\xf7\x03\x1a\x1e"
                "authorization is not available");
}

/* What a client may read of a refusal: its family in plain words. */
static struct view body_of(const struct reason_info *info)
{
    static const struct {
        const char *family;
        const char *body;
    } bodies[] = {
        {"assurance", "stronger or more recent authentication is required"},
        {"no_user", "authentication is required"},
        {"invalid_token", "the token is not valid here"},
        {"binding", "the token is not valid here"},
        {"scope", "the token does not permit this"},
        {"request", "the request is not acceptable"},
        {"unavailable", "authorization is not available"},
        {"internal", "authorization is not available"},
    };

    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        if (view_equals(info->family, view_of(bodies[i].family)))
            return view_of(bodies[i].body);
    return VIEW("access is denied");
}

/* A rule's own words where it has some: they are the operator's, never the caller's. */
static struct view denied_body(const struct check_answer *answer)
{
    const struct denial *denial = &answer->decision->denial;

    if (answer->is_grpc && view_is_present(denial->grpc_message))
        return denial->grpc_message;
    return view_is_present(denial->body) ? denial->body : body_of(reason_info(answer->decision->reason));
}

/* Text that only grows; overflow and forbidden bytes are sticky. */
struct text {
    char *start;
    size_t size, capacity;
    bool is_bad;
};

static void put(struct text *text, struct view v)
{
    if (text->is_bad || v.size > text->capacity - text->size) {
        text->is_bad = true;
        return;
    }
    if (v.size > 0)
        memcpy(text->start + text->size, v.data, v.size);
    text->size += v.size;
}

/* A byte that may stand in a header value of ours: no control, nothing above ASCII. */
static bool is_value_byte(char byte)
{
    return byte >= ' ' && byte <= '~';
}

static bool is_value(struct view v)
{
    for (size_t i = 0; i < v.size; i++)
        if (!is_value_byte(v.data[i]))
            return false;
    return true;
}

/* The inside of a quoted-string, RFC 9110 section 5.6.4. */
static void put_escaped(struct text *text, struct view v)
{
    for (size_t i = 0; i < v.size; i++) {
        if (!is_value_byte(v.data[i]))
            text->is_bad = true;
        if (v.data[i] == '"' || v.data[i] == '\\')
            put(text, VIEW("\\"));
        put(text, view_slice(v, i, i + 1));
    }
}

/* One auth-param with a quoted value. The first follows the scheme after a space. */
static void put_param(struct text *text, bool *is_first, struct view name, struct view value)
{
    put(text, *is_first ? VIEW(" ") : VIEW(", "));
    *is_first = false;
    put(text, name);
    put(text, VIEW("=\""));
    put_escaped(text, value);
    put(text, VIEW("\""));
}

/* RFC 9470 section 3: acr_values are space separated, in order of preference. */
static void put_step_up(struct text *text, bool *is_first, const struct challenge *challenge)
{
    put_param(text, is_first, VIEW("error"), VIEW("insufficient_user_authentication"));
    if (challenge->acr_count > 0 && challenge->has_max_age)
        put_param(text, is_first, VIEW("error_description"), VIEW("Stronger and recent authentication is required"));
    else if (challenge->has_max_age)
        put_param(text, is_first, VIEW("error_description"), VIEW("More recent authentication is required"));
    else
        put_param(text, is_first, VIEW("error_description"), VIEW("Stronger authentication is required"));
    if (challenge->acr_count > 0) {
        put(text, VIEW(", acr_values=\""));
        for (size_t i = 0; i < challenge->acr_count; i++) {
            if (i > 0)
                put(text, VIEW(" "));
            put_escaped(text, challenge->acr_values[i]);
        }
        put(text, VIEW("\""));
    }
    if (challenge->has_max_age) {
        char number[32];
        int size = snprintf(number, sizeof number, ", max_age=%u", (unsigned)challenge->max_age);

        put(text, (struct view){.data = number, .size = (size_t)size});
    }
}

struct view check_response_challenge(const struct check_answer *answer, char *buffer, size_t size)
{
    const struct decision *decision = answer->decision;
    struct view scheme = answer->challenge_scheme;
    struct text text = {.start = buffer, .capacity = size};
    bool is_first = true;
    enum www_authenticate www = reason_info(decision->reason)->www;

    if (www == WWW_NONE)
        return (struct view){0};
    put(&text, view_equals(scheme, VIEW("DPoP")) ? scheme : VIEW("Bearer"));
    switch (www) {
    case WWW_NONE:
    case WWW_BEARER: break;
    case WWW_INVALID_TOKEN: put_param(&text, &is_first, VIEW("error"), VIEW("invalid_token")); break;
    case WWW_INSUFFICIENT_SCOPE:
        put_param(&text, &is_first, VIEW("error"), VIEW("insufficient_scope"));
        if (!view_is_empty(decision->scope))
            put_param(&text, &is_first, VIEW("scope"), decision->scope);
        break;
    case WWW_STEP_UP: put_step_up(&text, &is_first, &decision->challenge); break;
    }
    if (!view_is_empty(answer->resource_metadata))
        put_param(&text, &is_first, VIEW("resource_metadata"), answer->resource_metadata);
    return !text.is_bad ? (struct view){.data = buffer, .size = text.size} : (struct view){0};
}

/* envoy.config.core.v3.HeaderValueOption. Some Envoys read only the old `append`
 * (in ok_response.headers), others only append_action: both say the same. */
static void put_header(struct pb_writer *writer, uint32_t field, const struct header_obligation *header)
{
    bool is_append = header->action == HEADER_APPEND;
    size_t option = pb_writer_open(writer, field);
    size_t pair = pb_writer_open(writer, OPTION_HEADER);
    size_t append;

    pb_writer_bytes(writer, HEADER_KEY, header->name);
    pb_writer_bytes(writer, HEADER_VALUE, header->value);
    pb_writer_close(writer, pair);
    append = pb_writer_open(writer, OPTION_APPEND);
    if (is_append)
        pb_writer_varint(writer, BOOL_VALUE, 1);
    pb_writer_close(writer, append);
    pb_writer_varint(writer, OPTION_APPEND_ACTION, is_append ? APPEND_IF_EXISTS_OR_ADD : OVERWRITE_IF_EXISTS_OR_ADD);
    if (view_is_empty(header->value))
        pb_writer_varint(writer, OPTION_KEEP_EMPTY, 1);
    pb_writer_close(writer, option);
}

static void put_set_header(struct pb_writer *writer, uint32_t field, struct view name, struct view value)
{
    put_header(writer, field, &(struct header_obligation){.action = HEADER_SET, .name = name, .value = value});
}

static void put_status(struct pb_writer *writer, int code)
{
    size_t status = pb_writer_open(writer, RESPONSE_STATUS);

    pb_writer_varint(writer, STATUS_CODE, (uint64_t)code);
    pb_writer_close(writer, status);
}

/* One string member of the Struct that becomes dynamic metadata. */
static void put_member(struct pb_writer *writer, struct view name, struct view value)
{
    size_t entry = pb_writer_open(writer, STRUCT_FIELDS);
    size_t inner;

    pb_writer_bytes(writer, ENTRY_KEY, name);
    inner = pb_writer_open(writer, ENTRY_VALUE);
    pb_writer_bytes(writer, VALUE_STRING_FIELD, value);
    pb_writer_close(writer, inner);
    pb_writer_close(writer, entry);
}

/* A member of the policy's called like ours is left out: the id is not a policy's to set. */
static void put_metadata(struct pb_writer *writer, const struct check_answer *answer,
                         const struct obligations *obligations)
{
    size_t metadata = pb_writer_open(writer, RESPONSE_METADATA);

    for (size_t i = 0; i < obligations->metadata_count; i++)
        if (!view_equals(obligations->metadata[i].name, VIEW("decision_id")))
            put_member(writer, obligations->metadata[i].name, obligations->metadata[i].value);
    put_member(writer, VIEW("decision_id"), answer->decision_id);
    pb_writer_close(writer, metadata);
}

/* A header that an answer may touch: a lower-case token, and neither a pseudo
 * header nor `host`, which route the request. */
static bool is_settable(struct view name)
{
    return header_name_is_valid(name) && !view_equals(name, VIEW("host"));
}

static bool are_headers_good(const struct header_obligation *headers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!is_settable(headers[i].name) || !is_value(headers[i].value))
            return false;
    return true;
}

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

/* A name that is its own encoding: Envoy compares it with the caller's byte for byte. */
static bool is_query_name(struct view name)
{
    for (size_t i = 0; i < name.size; i++)
        if (!is_unreserved(name.data[i]))
            return false;
    return name.size > 0;
}

static bool are_queries_good(const struct obligations *obligations)
{
    for (size_t i = 0; i < obligations->query_param_count; i++)
        if (!is_query_name(obligations->query_params[i].name) || !is_value(obligations->query_params[i].value))
            return false;
    for (size_t i = 0; i < obligations->remove_query_count; i++)
        if (!is_query_name(obligations->remove_queries[i]))
            return false;
    return true;
}

static bool are_obligations_good(const struct obligations *obligations)
{
    if (!are_headers_good(obligations->request_headers, obligations->request_header_count) ||
        !are_headers_good(obligations->response_headers, obligations->response_header_count) ||
        !are_queries_good(obligations))
        return false;
    for (size_t i = 0; i < obligations->remove_header_count; i++)
        if (!is_settable(obligations->remove_headers[i]))
            return false;
    for (size_t i = 0; i < obligations->metadata_count; i++)
        if (!utf8_is_text(obligations->metadata[i].name) || !utf8_is_text(obligations->metadata[i].value))
            return false;
    return true;
}

static bool sets_header(const struct obligations *obligations, struct view name)
{
    for (size_t i = 0; i < obligations->request_header_count; i++)
        if (view_equals(obligations->request_headers[i].name, name))
            return true;
    return false;
}

static bool sets_query(const struct obligations *obligations, struct view name)
{
    for (size_t i = 0; i < obligations->query_param_count; i++)
        if (view_equals(obligations->query_params[i].name, name))
            return true;
    return false;
}

/* Every octet but the unreserved ones, RFC 3986 section 2.1. */
static void put_encoded(struct text *text, struct view v)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < v.size; i++) {
        unsigned char octet = (unsigned char)v.data[i];
        const char escape[] = {'%', digits[octet >> 4], digits[octet & 15]};

        if (is_unreserved(v.data[i]))
            put(text, view_slice(v, i, i + 1));
        else
            put(text, (struct view){.data = escape, .size = sizeof escape});
    }
}

/* What does not fit is as bad as what cannot be written: false. */
static bool put_queries(struct pb_writer *writer, const struct obligations *obligations)
{
    char buffer[QUERY_BYTES_MAX];

    for (size_t i = 0; i < obligations->query_param_count; i++) {
        struct text text = {.start = buffer, .capacity = sizeof buffer};
        size_t param = pb_writer_open(writer, OK_SET_QUERY);

        put_encoded(&text, obligations->query_params[i].value);
        pb_writer_bytes(writer, QUERY_KEY, obligations->query_params[i].name);
        pb_writer_bytes(writer, QUERY_VALUE, (struct view){.data = buffer, .size = text.size});
        pb_writer_close(writer, param);
        if (text.is_bad)
            return false;
    }
    /* Here too Envoy removes after it sets. */
    for (size_t i = 0; i < obligations->remove_query_count; i++)
        if (!sets_query(obligations, obligations->remove_queries[i]))
            pb_writer_bytes(writer, OK_REMOVE_QUERY, obligations->remove_queries[i]);
    return true;
}

static bool is_allow(const struct check_answer *answer)
{
    return answer->decision->verdict == VERDICT_ALLOW && answer->decision->reason == REASON_RULE;
}

static bool put_ok(struct pb_writer *writer, const struct check_answer *answer, const struct obligations *obligations)
{
    size_t ok = pb_writer_open(writer, RESPONSE_OK);

    for (size_t i = 0; i < obligations->request_header_count; i++)
        put_header(writer, OK_HEADERS, &obligations->request_headers[i]);
    if (answer->stream_seconds > 0 && is_allow(answer)) {
        char digits[VIEW_U64_DIGITS];

        put_set_header(writer, OK_HEADERS, VIEW("x-envoy-upstream-stream-duration-ms"),
                       view_of_u64((uint64_t)answer->stream_seconds * 1000, digits));
    }
    /* Envoy removes after it sets: what is set here must not be removed. */
    for (size_t i = 0; i < obligations->remove_header_count; i++)
        if (!sets_header(obligations, obligations->remove_headers[i]))
            pb_writer_bytes(writer, OK_REMOVE, obligations->remove_headers[i]);
    for (size_t i = 0; i < obligations->response_header_count; i++)
        put_header(writer, OK_RESPONSE_HEADERS, &obligations->response_headers[i]);
    put_set_header(writer, OK_RESPONSE_HEADERS, DECISION_HEADER, answer->decision_id);
    bool is_good = put_queries(writer, obligations);
    pb_writer_close(writer, ok);
    return is_good;
}

static bool put_allow(struct pb_writer *writer, const struct check_answer *answer)
{
    const struct obligations removals = {.remove_headers = answer->settable,
                                         .remove_header_count = answer->settable_count,
                                         .remove_queries = answer->settable_queries,
                                         .remove_query_count = answer->settable_query_count};
    const struct obligations *obligations = is_allow(answer) ? &answer->decision->obligations : &removals;

    if (!are_obligations_good(obligations))
        return false;
    put_status(writer, 0);
    if (!put_ok(writer, answer, obligations))
        return false;
    put_metadata(writer, answer, obligations);
    return true;
}

/* The HTTP status stands there always: without it Envoy sends 403, and a status
 * outside 400 to 599 would let a refusal look like a success. */
static bool put_refusal(struct pb_writer *writer, const struct check_answer *answer)
{
    static const struct obligations none;
    const struct reason_info *info = reason_info(answer->decision->reason);
    int code = info->rpc_code == RPC_UNAUTHENTICATED ? RPC_UNAUTHENTICATED : RPC_PERMISSION_DENIED;
    int wanted = decision_http_status(answer->decision);
    int status = wanted >= 400 && wanted <= 599 ? wanted : HTTP_FORBIDDEN;
    char buffer[CHALLENGE_BYTES_MAX];
    struct view challenge = check_response_challenge(answer, buffer, sizeof buffer);
    size_t denied, inner;

    if (info->www != WWW_NONE && !view_is_present(challenge))
        return false;
    put_status(writer, code);
    denied = pb_writer_open(writer, RESPONSE_DENIED);
    inner = pb_writer_open(writer, DENIED_STATUS);
    pb_writer_varint(writer, HTTP_STATUS_CODE, (uint64_t)status);
    pb_writer_close(writer, inner);
    if (view_is_present(challenge))
        put_set_header(writer, DENIED_HEADERS, VIEW("www-authenticate"), challenge);
    else if (status == HTTP_UNAUTHORIZED) /* never without one: RFC 9110 section 15.5.2 */
        put_set_header(writer, DENIED_HEADERS, VIEW("www-authenticate"), VIEW("Bearer"));
    if (status == HTTP_UNAVAILABLE)
        put_set_header(writer, DENIED_HEADERS, VIEW("retry-after"), VIEW("1"));
    put_set_header(writer, DENIED_HEADERS, DECISION_HEADER, answer->decision_id);
    pb_writer_bytes(writer, DENIED_BODY, denied_body(answer));
    pb_writer_close(writer, denied);
    put_metadata(writer, answer, &none);
    return true;
}

static size_t put_static_denial(char *buffer, size_t size)
{
    struct view denial = check_response_denial();

    if (denial.size > size)
        denial = SHORTEST_DENIAL;
    assert(denial.size <= size);
    memcpy(buffer, denial.data, denial.size);
    return denial.size;
}

/* Any other answer names its decision, and so is none of these bytes. */
bool check_response_is_denial(struct view response)
{
    return view_equals(response, check_response_denial()) || view_equals(response, SHORTEST_DENIAL);
}

size_t check_response_write(const struct check_answer *answer, char *buffer, size_t size)
{
    struct pb_writer writer;
    bool is_good = answer->decision != NULL && view_is_present(answer->decision_id) && is_value(answer->decision_id);

    pb_writer_init(&writer, buffer, size);
    if (is_good)
        is_good =
            is_allow(answer) || answer->is_report_only ? put_allow(&writer, answer) : put_refusal(&writer, answer);
    if (!is_good || pb_writer_is_full(&writer))
        return put_static_denial(buffer, size);
    return writer.size;
}
