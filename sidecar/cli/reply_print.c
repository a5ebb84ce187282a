/* SPDX-License-Identifier: Apache-2.0 */
#include "reply_print.h"

#include "cli.h"
#include "commands.h"
#include "ext_authz.pb-c.h"
#include "json_print.h"

static void print_headers(const char *name, size_t count, Envoy__Service__Auth__V3__HeaderValueOption *const *headers,
                          struct arena *arena)
{
    for (size_t i = 0; i < count; i++)
        if (headers[i]->header != NULL)
            line_print(name, arena_print(arena, "%s: %s", headers[i]->header->key, headers[i]->header->value), arena);
}

static void print_reply(const Envoy__Service__Auth__V3__CheckResponse *reply, struct arena *arena)
{
    const Envoy__Service__Auth__V3__DeniedHttpResponse *denied = reply->denied_response;
    bool is_denied =
        reply->http_response_case == ENVOY__SERVICE__AUTH__V3__CHECK_RESPONSE__HTTP_RESPONSE_DENIED_RESPONSE;
    bool is_ok = reply->http_response_case == ENVOY__SERVICE__AUTH__V3__CHECK_RESPONSE__HTTP_RESPONSE_OK_RESPONSE;
    printf("\nto Envoy: %s\n", reply->status == NULL || reply->status->code == 0 ? "let it through" : "refuse it");
    if (is_denied && denied->status != NULL)
        line_print("http status", arena_print(arena, "%d", denied->status->code), arena);
    if (is_denied)
        print_headers("response header", denied->n_headers, denied->headers, arena);
    if (!is_ok)
        return;
    const Envoy__Service__Auth__V3__OkHttpResponse *ok = reply->ok_response;
    print_headers("request header", ok->n_headers, ok->headers, arena);
    for (size_t i = 0; i < ok->n_headers_to_remove; i++)
        line_print("removed header", view_of(ok->headers_to_remove[i]), arena);
    print_headers("response header", ok->n_response_headers_to_add, ok->response_headers_to_add, arena);
    for (size_t i = 0; i < ok->n_query_parameters_to_set; i++)
        line_print(
            "query parameter",
            arena_print(arena, "%s=%s", ok->query_parameters_to_set[i]->key, ok->query_parameters_to_set[i]->value),
            arena);
    for (size_t i = 0; i < ok->n_query_parameters_to_remove; i++)
        line_print("removed query parameter", view_of(ok->query_parameters_to_remove[i]), arena);
}

static json_t *headers_json(size_t count, Envoy__Service__Auth__V3__HeaderValueOption *const *headers,
                            struct arena *arena)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        if (headers[i]->header != NULL)
            json_array_append_new(list,
                                  json_pack("{s:o, s:o}", "name", json_of_view(view_of(headers[i]->header->key), arena),
                                            "value", json_of_view(view_of(headers[i]->header->value), arena)));
    return list;
}

static json_t *reply_json(const Envoy__Service__Auth__V3__CheckResponse *reply, struct arena *arena)
{
    json_t *object = json_pack("{s:i}", "code", reply->status ? reply->status->code : 0);
    if (reply->http_response_case == ENVOY__SERVICE__AUTH__V3__CHECK_RESPONSE__HTTP_RESPONSE_DENIED_RESPONSE) {
        const Envoy__Service__Auth__V3__DeniedHttpResponse *denied = reply->denied_response;
        json_object_set_new(object, "http_status", json_integer(denied->status ? denied->status->code : 0));
        json_object_set_new(object, "response_headers", headers_json(denied->n_headers, denied->headers, arena));
    } else if (reply->http_response_case == ENVOY__SERVICE__AUTH__V3__CHECK_RESPONSE__HTTP_RESPONSE_OK_RESPONSE) {
        const Envoy__Service__Auth__V3__OkHttpResponse *ok = reply->ok_response;
        json_t *removed = json_array();
        for (size_t i = 0; i < ok->n_headers_to_remove; i++)
            json_array_append_new(removed, json_of_view(view_of(ok->headers_to_remove[i]), arena));
        json_object_set_new(object, "request_headers", headers_json(ok->n_headers, ok->headers, arena));
        json_object_set_new(object, "remove_headers", removed);
        json_t *queries = json_array(), *removed_queries = json_array();
        for (size_t i = 0; i < ok->n_query_parameters_to_set; i++)
            json_array_append_new(queries,
                                  json_pack("{s:o, s:o}", "name",
                                            json_of_view(view_of(ok->query_parameters_to_set[i]->key), arena), "value",
                                            json_of_view(view_of(ok->query_parameters_to_set[i]->value), arena)));
        for (size_t i = 0; i < ok->n_query_parameters_to_remove; i++)
            json_array_append_new(removed_queries, json_of_view(view_of(ok->query_parameters_to_remove[i]), arena));
        json_object_set_new(object, "query_params", queries);
        json_object_set_new(object, "remove_query_params", removed_queries);
        json_object_set_new(object, "response_headers",
                            headers_json(ok->n_response_headers_to_add, ok->response_headers_to_add, arena));
    }
    return object;
}

int reply_print(const struct audit_event *event, struct view reply, bool is_json, struct arena *arena)
{
    Envoy__Service__Auth__V3__CheckResponse *message =
        envoy__service__auth__v3__check_response__unpack(NULL, reply.size, (const uint8_t *)reply.data);
    if (message == NULL) {
        fputs("bartizan: the answer is no CheckResponse\n", stderr);
        return EXIT_FAILED;
    }
    if (is_json) {
        struct view record = audit_event_json(event, arena);
        json_t *parsed = json_loadb(record.data ? record.data : "", record.size, 0, NULL);
        json_print(
            json_pack("{s:o, s:o}", "record", parsed ? parsed : json_null(), "response", reply_json(message, arena)));
    } else {
        struct view text = audit_event_explanation(event, arena);
        printf("%.*s%s", VIEW_ARG(text), view_ends_with(text, VIEW("\n")) ? "" : "\n");
        print_reply(message, arena);
    }
    envoy__service__auth__v3__check_response__free_unpacked(message, NULL);
    return EXIT_GOOD;
}
