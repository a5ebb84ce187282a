/* SPDX-License-Identifier: Apache-2.0 */
#include "request_read.h"

#include "ext_authz.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct arena arena;
static struct diag_list diags;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, (size_t)8 << 20);
    diag_list_init(&diags, &arena);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

/* The request as protobuf-c reads what we wrote. */
static Envoy__Service__Auth__V3__CheckRequest *read_back(const char *text)
{
    struct view bytes = {0};
    enum err err = request_read(VIEW("r.json"), view_of(text), &arena, &diags, &bytes);
    diag_list_print(&diags, stderr);
    assert_int_equal(err, ERR_NONE);
    Envoy__Service__Auth__V3__CheckRequest *request =
        envoy__service__auth__v3__check_request__unpack(NULL, bytes.size, (const uint8_t *)bytes.data);
    assert_non_null(request);
    return request;
}

static void request_in_json_is_what_protobuf_reads(void **state)
{
    (void)state;
    Envoy__Service__Auth__V3__CheckRequest *request = read_back(
        "{\"attributes\": {\"source\": {\"address\": {\"socketAddress\": {\"address\": \"10.0.0.1\", \"portValue\": "
        "443}},"
        " \"labels\": {\"a\": \"b\"}}, \"request\": {\"time\": \"1970-01-01T00:01:00Z\", \"http\": {\"method\": "
        "\"GET\","
        " \"headers\": {\"x\": \"y\", \":path\": \"/\"}, \"size\": \"-1\", \"rawBody\": \"AP-_\","
        " \"headerMap\": {\"headers\": [{\"key\": \"k\", \"rawValue\": \"dg==\"}]}}},"
        " \"tls_session\": {\"sni\": \"s\"}, \"metadataContext\": {\"filterMetadata\": {\"f\":"
        " {\"n\": 1.5, \"s\": \"t\", \"b\": true, \"z\": null, \"l\": [1, \"x\"], \"m\": {\"k\": \"v\"}}}}}}");
    const Envoy__Service__Auth__V3__AttributeContext *a = request->attributes;
    assert_string_equal(a->source->address->socket_address->address, "10.0.0.1");
    assert_int_equal(a->source->address->socket_address->port_value, 443);
    assert_string_equal(a->source->labels[0]->value, "b");
    assert_int_equal(a->request->time->seconds, 60);
    assert_string_equal(a->request->http->method, "GET");
    assert_int_equal(a->request->http->n_headers, 2);
    assert_int_equal(a->request->http->size, -1);
    assert_int_equal(a->request->http->raw_body.len, 3);
    assert_memory_equal(a->request->http->raw_body.data, "\x00\xff\xbf", 3);
    assert_memory_equal(a->request->http->header_map->headers[0]->raw_value.data, "v", 1);
    assert_string_equal(a->tls_session->sni, "s");
    const Envoy__Service__Auth__V3__Struct *f = a->metadata_context->filter_metadata[0]->value;
    assert_int_equal(f->n_fields, 6);
    for (size_t i = 0; i < f->n_fields; i++) {
        if (strcmp(f->fields[i]->key, "n") == 0)
            assert_true(f->fields[i]->value->number_value >= 1.5 && f->fields[i]->value->number_value <= 1.5);
        if (strcmp(f->fields[i]->key, "l") == 0)
            assert_string_equal(f->fields[i]->value->list_value->values[1]->string_value, "x");
        if (strcmp(f->fields[i]->key, "m") == 0)
            assert_string_equal(f->fields[i]->value->struct_value->fields[0]->key, "k");
    }
    envoy__service__auth__v3__check_request__free_unpacked(request, NULL);
}

static void request_of_null_and_nothing_is_empty(void **state)
{
    (void)state;
    Envoy__Service__Auth__V3__CheckRequest *request = read_back("{\"attributes\": null}");
    assert_null(request->attributes);
    envoy__service__auth__v3__check_request__free_unpacked(request, NULL);
}

static void request_that_is_no_json_is_taken_as_bytes(void **state)
{
    (void)state;
    struct view bytes = {0};
    assert_int_equal(request_read(VIEW("r"), VIEW("\x0a\x7b"), &arena, &diags, &bytes), ERR_NONE);
    assert_true(view_equals(bytes, VIEW("\x0a\x7b")));
    assert_int_equal(request_read(VIEW("r"), VIEW("{"), &arena, &diags, &bytes), ERR_INVALID);
}

static void request_with_many_small_parts_still_fits(void **state)
{
    (void)state;
    Envoy__Service__Auth__V3__CheckRequest *request =
        read_back("{\"attributes\":{\"request\":{\"http\":{\"headerMap\":{\"headers\":["
                  "{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}"
                  "]}}}}}");
    assert_int_equal(request->attributes->request->http->header_map->n_headers, 28);
    envoy__service__auth__v3__check_request__free_unpacked(request, NULL);
}

static void request_says_where_it_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text, *path;
    } bad[] = {
        {"{\"attributes\": 1}", "attributes"},
        {"{\"attributes\": {\"request\": {\"http\": {\"metod\": \"GET\"}}}}", "attributes.request.http.metod"},
        {"{\"attributes\": {\"request\": {\"http\": {\"method\": 1}}}}", "attributes.request.http.method"},
        {"{\"attributes\": {\"request\": {\"http\": {\"headers\": {\"a\": 1}}}}}", "attributes.request.http.headers.a"},
        {"{\"attributes\": {\"request\": {\"http\": {\"headers\": 1}}}}", "attributes.request.http.headers"},
        {"{\"attributes\": {\"request\": {\"http\": {\"rawBody\": \"A\"}}}}", "attributes.request.http.rawBody"},
        {"{\"attributes\": {\"request\": {\"http\": {\"size\": 1.5}}}}", "attributes.request.http.size"},
        {"{\"attributes\": {\"source\": {\"address\": {\"socketAddress\": {\"portValue\": 4294967296}}}}}",
         "attributes.source.address.socketAddress.portValue"},
        {"{\"attributes\": {\"tlsSession\": {}, \"tls_session\": {}}}", "attributes.tls_session"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct view bytes = {0};
        diag_list_init(&diags, &arena);
        assert_int_equal(request_read(VIEW("r"), view_of(bad[i].text), &arena, &diags, &bytes), ERR_INVALID);
        assert_int_equal(diags.errors, 1);
        if (!view_equals(diags.items[0].path, view_of(bad[i].path)))
            fail_msg("%.*s, not %s", VIEW_ARG(diags.items[0].path), bad[i].path);
    }
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(request_in_json_is_what_protobuf_reads),
        CASE(request_of_null_and_nothing_is_empty),
        CASE(request_that_is_no_json_is_taken_as_bytes),
        CASE(request_with_many_small_parts_still_fits),
        CASE(request_says_where_it_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
