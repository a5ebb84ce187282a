/* SPDX-License-Identifier: Apache-2.0 */
#include "check_request.h"
#include "check_request_builder.h"
#include "check_request_oracle.h"
#include "pb_writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct check_limits limits = {CHECK_HEADERS_MAX, CHECK_HEADER_BYTES_MAX, CHECK_REQUEST_BYTES_MAX};
static struct check_request request;

/* Parses, and holds our reading to protobuf-c's on the way. */
static enum reason parse(struct view bytes)
{
    const char *difference = check_request_oracle_disagreement(bytes);

    if (difference != NULL)
        fail_msg("%s", difference);
    return check_request_parse(bytes, &limits, &request);
}

static struct view header(const char *name)
{
    for (size_t i = 0; i < request.header_count; i++)
        if (view_equals(request.headers[i].name, view_of(name)))
            return request.headers[i].value;
    return (struct view){0};
}

static const struct check_request_pair usual_headers[] = {
    {"authorization", "Bearer abc"},
    {"user-agent", "curl"},
    {"x-empty", ""},
    {"x-forwarded-client-cert", "Hash=00;Cert=\"-----BEGIN%20CERTIFICATE-----\""},
};

static const struct check_request_pair usual_context[] = {{"route", "models"}, {"tier", ""}};

static struct check_request_parts usual(void)
{
    return (struct check_request_parts){
        .id = "17",
        .method = "POST",
        .path = "/v2/models/fraud/infer?x=1",
        .host = "models.example:8443",
        .scheme = "https",
        .protocol = "HTTP/2",
        .headers = usual_headers,
        .header_count = sizeof usual_headers / sizeof usual_headers[0],
        .certificate = "-----BEGIN%20CERTIFICATE-----%0AMIIB%0A-----END%20CERTIFICATE-----%0A",
        .principal = "spiffe://prod.example/ns/a/sa/b",
        .source_address = "10.1.2.3",
        .source_port = 40000,
        .destination_address = "fd00::1",
        .destination_port = 8443,
        .sni = "models.example",
        .context = usual_context,
        .context_count = sizeof usual_context / sizeof usual_context[0],
        .size = 5,
        .raw_body = VIEW("a\0b!c"),
        .time_seconds = 1790000000,
        .metadata_filter = VIEW("envoy.filters.http.jwt_authn"),
        .metadata = usual_context,
        .metadata_count = 2,
    };
}

static void assert_usual(bool is_header_map)
{
    assert_true(request.has_http);
    assert_true(view_equals(request.method, VIEW("POST")));
    assert_true(view_equals(request.path, VIEW("/v2/models/fraud/infer?x=1")));
    assert_true(view_equals(request.host, VIEW("models.example:8443")));
    assert_true(view_equals(request.scheme, VIEW("https")));
    assert_true(view_equals(request.protocol, VIEW("HTTP/2")));
    assert_true(view_equals(request.id, VIEW("17")));
    assert_int_equal(request.size, 5);
    assert_true(view_equals(request.raw_body, VIEW("a\0b!c")));
    assert_false(view_is_present(request.body));
    assert_int_equal(request.header_count, 4);
    assert_true(view_equals(header("authorization"), VIEW("Bearer abc")));
    assert_true(view_is_present(header("x-empty")) && view_is_empty(header("x-empty")));
    assert_true(view_equals(request.pseudo_path, request.path));
    assert_int_equal(request.is_header_map, is_header_map);
    assert_int_equal(request.is_raw_path, is_header_map);
    assert_true(view_equals(request.source.address, VIEW("10.1.2.3")));
    assert_int_equal(request.source.port, 40000);
    assert_true(view_equals(request.source.principal, VIEW("spiffe://prod.example/ns/a/sa/b")));
    assert_true(view_starts_with(request.source.certificate, VIEW("-----BEGIN%20")));
    assert_int_equal(request.destination.port, 8443);
    assert_true(view_equals(request.sni, VIEW("models.example")));
    assert_int_equal(request.context_count, 2);
    assert_true(view_equals(request.context[0].value, VIEW("models")));
    assert_true(request.time_seconds == 1790000000);
    assert_true(view_is_present(request.metadata));
    assert_false(view_is_present(request.route_metadata));
}

static struct view build_usual(bool is_header_map)
{
    struct check_request_parts parts = usual();

    parts.is_header_map = is_header_map;
    return check_request_builder_build(&parts);
}

static void check_request_reads_what_envoy_writes_in_both_header_forms(void **state)
{
    (void)state;
    for (int is_header_map = 0; is_header_map < 2; is_header_map++) {
        struct view bytes = build_usual(is_header_map);

        assert_int_equal(parse(bytes), REASON_NONE);
        assert_usual(is_header_map);
        for (size_t i = 0; i < request.header_count; i++) /* no copy: views borrow */
            assert_true(request.headers[i].name.data > bytes.data &&
                        request.headers[i].name.data < bytes.data + bytes.size);
        free((void *)(uintptr_t)bytes.data);
    }
}

static void check_request_is_refused_or_valid_at_every_prefix(void **state)
{
    (void)state;
    for (int is_header_map = 0; is_header_map < 2; is_header_map++) {
        struct view bytes = build_usual(is_header_map);

        for (size_t size = 0; size < bytes.size; size++) {
            char *copy = malloc(size + 1);

            assert_non_null(copy);
            memcpy(copy, bytes.data, size);
            /* One outer message holds all: every proper prefix is cut off inside it. */
            assert_int_not_equal(parse((struct view){.data = copy, .size = size}), REASON_NONE);
            free(copy);
        }
        free((void *)(uintptr_t)bytes.data);
    }
}

/* ---- Hand-made requests ---- */

struct craft {
    char buffer[256 * 1024];
    struct pb_writer writer;
    size_t attributes, outer, http;
};
static struct craft craft;

/* Opens attributes.request.http with method, path, host and scheme filled. */
static void craft_begin(void)
{
    pb_writer_init(&craft.writer, craft.buffer, sizeof craft.buffer);
    craft.attributes = pb_writer_open(&craft.writer, 1);
    craft.outer = pb_writer_open(&craft.writer, 4);
    craft.http = pb_writer_open(&craft.writer, 2);
    pb_writer_bytes(&craft.writer, 2, VIEW("GET"));
    pb_writer_bytes(&craft.writer, 4, VIEW("/a"));
    pb_writer_bytes(&craft.writer, 5, VIEW("h"));
    pb_writer_bytes(&craft.writer, 6, VIEW("http"));
}

static void craft_end_http(void)
{
    pb_writer_close(&craft.writer, craft.http);
    pb_writer_close(&craft.writer, craft.outer);
}

static enum reason craft_parse(void)
{
    pb_writer_close(&craft.writer, craft.attributes);
    assert_false(pb_writer_is_full(&craft.writer));
    return parse(pb_writer_view(&craft.writer));
}

static enum reason craft_end(void)
{
    craft_end_http();
    return craft_parse();
}

static void put_pair(uint32_t field, struct view name, struct view value)
{
    size_t mark = pb_writer_open(&craft.writer, field);

    pb_writer_bytes(&craft.writer, 1, name);
    pb_writer_bytes(&craft.writer, 2, value);
    pb_writer_close(&craft.writer, mark);
}

static void put_raw(struct view name, struct view value, struct view raw)
{
    size_t map = pb_writer_open(&craft.writer, 13), mark = pb_writer_open(&craft.writer, 1);

    pb_writer_bytes(&craft.writer, 1, name);
    if (view_is_present(value))
        pb_writer_bytes(&craft.writer, 2, value);
    if (view_is_present(raw))
        pb_writer_bytes(&craft.writer, 3, raw);
    pb_writer_close(&craft.writer, mark);
    pb_writer_close(&craft.writer, map);
}

static enum reason with_header(struct view name, struct view value)
{
    craft_begin();
    put_pair(3, name, value);
    return craft_end();
}

static enum reason with_raw_header(struct view name, struct view raw)
{
    craft_begin();
    put_raw(name, (struct view){0}, raw);
    return craft_end();
}

static enum reason with_http_text(uint32_t field, struct view text)
{
    craft_begin();
    pb_writer_bytes(&craft.writer, field, text);
    return craft_end();
}

static void check_request_refuses_a_missing_http_part(void **state)
{
    size_t attributes, source;

    (void)state;
    craft_begin();
    assert_int_equal(craft_end(), REASON_NONE);
    assert_int_equal(parse((struct view){0}), REASON_REQUEST_MALFORMED);
    pb_writer_init(&craft.writer, craft.buffer, sizeof craft.buffer);
    attributes = pb_writer_open(&craft.writer, 1);
    source = pb_writer_open(&craft.writer, 1);
    pb_writer_bytes(&craft.writer, 4, VIEW("spiffe://x/y"));
    pb_writer_close(&craft.writer, source);
    pb_writer_close(&craft.writer, attributes);
    assert_int_equal(parse(pb_writer_view(&craft.writer)), REASON_REQUEST_MALFORMED);
    assert_false(request.has_http);
    assert_true(view_equals(request.source.principal, VIEW("spiffe://x/y"))); /* kept for the record */
}

static void check_request_refuses_nul_and_what_is_not_utf8_in_every_string(void **state)
{
    static const uint32_t fields[] = {1, 2, 4, 5, 6, 10, 11};

    (void)state;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        assert_int_equal(with_http_text(fields[i], VIEW("\xc3\xa9")), REASON_NONE);
        assert_int_equal(with_http_text(fields[i], VIEW("/a\0")), REASON_REQUEST_MALFORMED);
        assert_int_equal(with_http_text(fields[i], VIEW("\xc0\xae")), REASON_REQUEST_MALFORMED);
    }
    assert_int_equal(with_header(VIEW("x-role"), VIEW("\xc3\xa9")), REASON_NONE);
    assert_int_equal(with_header(VIEW("x-role"), VIEW("admin\0")), REASON_REQUEST_MALFORMED);
    assert_int_equal(with_header(VIEW("x-role\0"), VIEW("admin")), REASON_REQUEST_MALFORMED);
    assert_int_equal(with_header(VIEW("x-role"), VIEW("\xff")), REASON_REQUEST_MALFORMED);
}

static void check_request_refuses_nul_cr_lf_in_a_raw_value(void **state)
{
    (void)state;
    assert_int_equal(with_raw_header(VIEW("x-role"), VIEW("a\tb\xff\x01")), REASON_NONE);
    assert_true(view_equals(header("x-role"), VIEW("a\tb\xff\x01")));
    assert_int_equal(with_raw_header(VIEW("x-role"), VIEW("admin\0")), REASON_REQUEST_HEADER);
    assert_int_equal(with_raw_header(VIEW("x-role"), VIEW("0123456789abcdef\r")), REASON_REQUEST_HEADER);
    assert_int_equal(with_header(VIEW("x-role"), VIEW("a\nx-admin: 1")), REASON_REQUEST_HEADER);
}

static void check_request_checks_every_place_of_a_long_value(void **state)
{
    char value[80];

    (void)state;
    for (size_t at = 0; at < sizeof value; at++) {
        memset(value, 'v', sizeof value);
        value[at] = '\t';
        assert_int_equal(with_raw_header(VIEW("x"), (struct view){.data = value, .size = sizeof value}), REASON_NONE);
        value[at] = "\0\r\n"[at % 3];
        assert_int_equal(with_raw_header(VIEW("x"), (struct view){.data = value, .size = sizeof value}),
                         REASON_REQUEST_HEADER);
    }
}

static void check_request_refuses_a_header_name_that_is_no_lower_case_token(void **state)
{
    static const char *const bad[] = {"X-Role", "x role", "x:role", "", "x-r\xc3\xb6le", "x\"y", "x\x7f", ":status"};

    (void)state;
    assert_int_equal(with_header(VIEW("x_role-1.~!#$%&'*+^`|"), VIEW("a")), REASON_NONE);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(with_header(view_of(bad[i]), VIEW("a")), REASON_REQUEST_HEADER);
        assert_int_equal(with_raw_header(view_of(bad[i]), VIEW("a")), REASON_REQUEST_HEADER);
    }
}

static void check_request_keeps_repeated_headers_one_entry_each(void **state)
{
    (void)state;
    craft_begin();
    put_raw(VIEW("x-role"), (struct view){0}, VIEW("user"));
    put_raw(VIEW("x-role"), (struct view){0}, VIEW("admin"));
    assert_int_equal(craft_end(), REASON_NONE);
    assert_int_equal(request.header_count, 2);
    assert_true(view_equals(request.headers[0].value, VIEW("user")));
    assert_true(view_equals(request.headers[1].value, VIEW("admin")));
}

static void check_request_refuses_both_header_forms_filled(void **state)
{
    (void)state;
    craft_begin();
    put_pair(3, VIEW("a"), VIEW("1"));
    pb_writer_bytes(&craft.writer, 13, VIEW("")); /* an empty header_map is no second form */
    assert_int_equal(craft_end(), REASON_NONE);
    craft_begin();
    put_pair(3, VIEW("a"), VIEW("1"));
    put_raw(VIEW("b"), (struct view){0}, VIEW("2"));
    assert_int_equal(craft_end(), REASON_REQUEST_MALFORMED);
    craft_begin(); /* also where one form holds a pseudo header alone */
    put_pair(3, VIEW(":path"), VIEW("/a"));
    put_raw(VIEW("b"), (struct view){0}, VIEW("2"));
    assert_int_equal(craft_end(), REASON_REQUEST_MALFORMED);
}

static void check_request_refuses_value_and_raw_value_both_set(void **state)
{
    (void)state;
    craft_begin();
    put_raw(VIEW("a"), VIEW("1"), (struct view){0});
    put_raw(VIEW("b"), VIEW(""), VIEW("2"));
    put_raw(VIEW("c"), (struct view){0}, (struct view){0});
    assert_int_equal(craft_end(), REASON_NONE);
    assert_true(view_equals(header("a"), VIEW("1")));
    assert_true(view_equals(header("b"), VIEW("2")));
    assert_true(view_is_present(header("c")));
    craft_begin();
    put_raw(VIEW("a"), VIEW("1"), VIEW("1"));
    assert_int_equal(craft_end(), REASON_REQUEST_MALFORMED);
}

static void check_request_refuses_pseudo_headers_that_differ_or_repeat(void **state)
{
    static const char *const names[] = {":path", ":method", ":authority", ":scheme"};
    static const char *const values[] = {"/a", "GET", "h", "http"};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(with_header(view_of(names[i]), view_of(values[i])), REASON_NONE);
        assert_int_equal(request.header_count, 0);
        assert_int_equal(with_header(view_of(names[i]), VIEW("/A")), REASON_REQUEST_MALFORMED);
        assert_int_equal(with_header(view_of(names[i]), VIEW("")), REASON_REQUEST_MALFORMED);
        craft_begin();
        put_pair(3, view_of(names[i]), view_of(values[i]));
        put_pair(3, view_of(names[i]), view_of(values[i]));
        assert_int_equal(craft_end(), REASON_REQUEST_HEADER);
    }
}

static void check_request_knows_a_raw_path_only_from_raw_value(void **state)
{
    (void)state;
    assert_int_equal(with_raw_header(VIEW(":path"), VIEW("/a")), REASON_NONE);
    assert_true(request.is_raw_path);
    craft_begin();
    put_raw(VIEW(":path"), VIEW("/a"), (struct view){0});
    assert_int_equal(craft_end(), REASON_NONE);
    assert_false(request.is_raw_path);
    assert_int_equal(with_header(VIEW(":path"), VIEW("/a")), REASON_NONE);
    assert_false(request.is_raw_path);
    assert_int_equal(with_raw_header(VIEW("x"), VIEW("/a")), REASON_NONE);
    assert_false(request.is_raw_path);
    /* What Envoy shows as `!` and forwards as bytes. */
    assert_int_equal(with_raw_header(VIEW(":path"), VIEW("/\xc0")), REASON_REQUEST_MALFORMED);
}

static void check_request_refuses_a_query_or_fragment_field(void **state)
{
    (void)state;
    for (uint32_t field = 7; field <= 8; field++) {
        assert_int_equal(with_http_text(field, VIEW("")), REASON_NONE);
        assert_int_equal(with_http_text(field, VIEW("x")), REASON_REQUEST_MALFORMED);
    }
}

static void check_request_refuses_two_bodies(void **state)
{
    (void)state;
    assert_int_equal(with_http_text(11, VIEW("text")), REASON_NONE);
    assert_true(view_equals(request.body, VIEW("text")));
    assert_int_equal(with_http_text(12, VIEW("\0\xff")), REASON_NONE);
    assert_true(view_equals(request.raw_body, VIEW("\0\xff")));
    craft_begin();
    pb_writer_bytes(&craft.writer, 11, VIEW("text"));
    pb_writer_bytes(&craft.writer, 12, VIEW("text"));
    assert_int_equal(craft_end(), REASON_REQUEST_MALFORMED);
}

static void check_request_takes_the_last_of_a_repeated_scalar(void **state)
{
    (void)state;
    assert_int_equal(with_http_text(4, VIEW("/b")), REASON_NONE);
    assert_true(view_equals(request.path, VIEW("/b")));
    assert_int_equal(with_http_text(4, VIEW("")), REASON_NONE);
    assert_false(view_is_present(request.path));
}

static void check_request_merges_a_message_that_comes_in_two_pieces(void **state)
{
    (void)state;
    craft_begin();
    craft_end_http();
    craft.outer = pb_writer_open(&craft.writer, 4);
    craft.http = pb_writer_open(&craft.writer, 2);
    pb_writer_bytes(&craft.writer, 5, VIEW("other"));
    assert_int_equal(craft_end(), REASON_NONE);
    assert_true(view_equals(request.host, VIEW("other")));
    assert_true(view_equals(request.path, VIEW("/a")));
}

static void check_request_skips_unknown_fields_and_refuses_groups(void **state)
{
    (void)state;
    craft_begin();
    pb_writer_varint(&craft.writer, 99, 1);
    pb_writer_fixed64(&craft.writer, 98, 1);
    pb_writer_bytes(&craft.writer, 97, VIEW("\0\xff"));
    assert_int_equal(craft_end(), REASON_NONE);
    craft_begin();
    pb_writer_bytes(&craft.writer, 97, VIEW(""));
    craft.buffer[craft.writer.size - 3] ^= 1; /* wire type 3, a group's start ... */
    craft.writer.size--;                      /* ... which has no length */
    assert_int_equal(craft_end(), REASON_REQUEST_MALFORMED);
}

static void check_request_refuses_a_wire_type_that_does_not_fit(void **state)
{
    (void)state;
    for (uint32_t field = 1; field <= 13; field++) {
        craft_begin();
        if (field == 9)
            pb_writer_bytes(&craft.writer, field, VIEW(""));
        else
            pb_writer_varint(&craft.writer, field, 0);
        assert_int_equal(craft_end(), REASON_REQUEST_MALFORMED);
    }
    craft_begin();
    pb_writer_int64(&craft.writer, 9, -1);
    assert_int_equal(craft_end(), REASON_NONE);
    assert_int_equal(request.size, -1);
}

static void check_request_takes_100_headers_and_not_101(void **state)
{
    (void)state;
    for (int count = CHECK_HEADERS_MAX; count <= CHECK_HEADERS_MAX + 1; count++) {
        craft_begin();
        put_pair(3, VIEW(":path"), VIEW("/a")); /* pseudo headers are not counted */
        for (int i = 0; i < count; i++) {
            char name[16];

            snprintf(name, sizeof name, "x-%d", i);
            put_pair(3, view_of(name), VIEW("v"));
        }
        assert_int_equal(craft_end(), count == CHECK_HEADERS_MAX ? REASON_NONE : REASON_REQUEST_HEADER_SIZE);
        assert_int_equal(request.header_count, CHECK_HEADERS_MAX);
    }
}

static void check_request_takes_64_kib_of_headers_and_not_a_byte_more(void **state)
{
    static char value[CHECK_HEADER_BYTES_MAX];

    (void)state;
    memset(value, 'v', sizeof value);
    for (size_t extra = 0; extra <= 1; extra++)
        assert_int_equal(
            with_header(VIEW("x"), (struct view){.data = value, .size = CHECK_HEADER_BYTES_MAX - 1 + extra}),
            extra == 0 ? REASON_NONE : REASON_REQUEST_HEADER_SIZE);
}

static void check_request_takes_32_context_extensions_and_not_33(void **state)
{
    (void)state;
    for (int count = CHECK_CONTEXT_MAX; count <= CHECK_CONTEXT_MAX + 1; count++) {
        craft_begin();
        craft_end_http();
        for (int i = 0; i < count; i++)
            put_pair(10, VIEW("k"), VIEW("v"));
        assert_int_equal(craft_parse(), count == CHECK_CONTEXT_MAX ? REASON_NONE : REASON_REQUEST_SIZE);
    }
}

static void check_request_holds_to_configured_limits(void **state)
{
    struct view bytes = build_usual(true);
    struct check_limits tight = {4, CHECK_HEADER_BYTES_MAX, (uint32_t)bytes.size};

    (void)state;
    assert_int_equal(check_request_parse(bytes, &tight, &request), REASON_NONE);
    tight.headers = 3;
    assert_int_equal(check_request_parse(bytes, &tight, &request), REASON_REQUEST_HEADER_SIZE);
    tight = (struct check_limits){4, 240, (uint32_t)bytes.size};
    assert_int_equal(check_request_parse(bytes, &tight, &request), REASON_NONE);
    tight.header_bytes = 100;
    assert_int_equal(check_request_parse(bytes, &tight, &request), REASON_REQUEST_HEADER_SIZE);
    tight = limits;
    tight.request_bytes = (uint32_t)bytes.size - 1;
    assert_int_equal(check_request_parse(bytes, &tight, &request), REASON_REQUEST_SIZE);
    assert_false(request.has_http);
    free((void *)(uintptr_t)bytes.data);
}

/* One peer: address message by hand. */
static enum reason with_address(void (*write)(void))
{
    size_t peer, address;

    craft_begin();
    craft_end_http();
    peer = pb_writer_open(&craft.writer, 1);
    address = pb_writer_open(&craft.writer, 1);
    write();
    pb_writer_close(&craft.writer, address);
    pb_writer_close(&craft.writer, peer);
    return craft_parse();
}

static void write_socket(void)
{
    size_t socket = pb_writer_open(&craft.writer, 1);

    pb_writer_bytes(&craft.writer, 2, VIEW("10.0.0.1"));
    pb_writer_varint(&craft.writer, 3, 80);
    pb_writer_close(&craft.writer, socket);
}

static void write_pipe(void)
{
    size_t pipe = pb_writer_open(&craft.writer, 2);

    pb_writer_bytes(&craft.writer, 1, VIEW("@envoy"));
    pb_writer_close(&craft.writer, pipe);
}

static void write_socket_then_pipe(void)
{
    write_socket();
    write_pipe();
}

static void write_pipe_then_socket(void)
{
    write_pipe();
    write_socket();
}

static void write_named_port(void)
{
    size_t socket = pb_writer_open(&craft.writer, 1);

    pb_writer_varint(&craft.writer, 3, 80);
    pb_writer_bytes(&craft.writer, 4, VIEW("http"));
    pb_writer_close(&craft.writer, socket);
}

static void check_request_takes_the_last_member_of_an_address(void **state)
{
    (void)state;
    assert_int_equal(with_address(write_socket_then_pipe), REASON_NONE);
    assert_false(view_is_present(request.source.address));
    assert_int_equal(request.source.port, 0);
    assert_int_equal(with_address(write_pipe_then_socket), REASON_NONE);
    assert_true(view_equals(request.source.address, VIEW("10.0.0.1")));
    assert_int_equal(request.source.port, 80);
    assert_int_equal(with_address(write_named_port), REASON_NONE);
    assert_int_equal(request.source.port, 0);
}

static void check_request_refuses_metadata_twice_or_malformed(void **state)
{
    (void)state;
    for (int count = 1; count <= 2; count++) {
        craft_begin();
        craft_end_http();
        for (int i = 0; i < count; i++)
            pb_writer_bytes(&craft.writer, 11, VIEW(""));
        assert_int_equal(craft_parse(), count == 1 ? REASON_NONE : REASON_REQUEST_MALFORMED);
    }
    craft_begin();
    craft_end_http();
    pb_writer_bytes(&craft.writer, 13, VIEW("\x0a\x05x"));
    assert_int_equal(craft_parse(), REASON_REQUEST_MALFORMED);
}

/* ---- Differential: many changed and generated requests ---- */

static uint64_t random_state = 0x9e3779b97f4a7c15u;

static uint32_t next_random(uint32_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 33) % below;
}

static void check_request_agrees_with_protobuf_c_on_changed_bytes(void **state)
{
    size_t accepted = 0, refused = 0;

    (void)state;
    for (int round = 0; round < 60000; round++) {
        struct view bytes = build_usual(round % 2 == 0);
        char *data = (char *)(uintptr_t)bytes.data;

        for (uint32_t changes = 1 + next_random(3); changes > 0; changes--) {
            size_t at = next_random((uint32_t)bytes.size);

            switch (next_random(3)) {
            case 0: data[at] = (char)next_random(256); break;
            case 1: data[at] = (char)(data[at] ^ 1 << next_random(8)); break;
            default: memmove(data + at, data + at + 1, bytes.size - at - 1); bytes.size--;
            }
        }
        if (parse(bytes) == REASON_NONE)
            accepted++;
        else
            refused++;
        free(data);
    }
    /* Both must happen, else the comparison proves little. */
    assert_true(accepted > 1000 && refused > 1000);
}

static struct view random_view(void)
{
    static const char *const texts[] = {"",      "/a",      "GET",      "h", "http", "x-a",
                                        ":path", ":method", "\xc3\xa9", "X", "v\n",  "\xff"};

    return view_of(texts[next_random(next_random(4) == 0 ? 12 : 9)]);
}

/* Random fields of random types; deeper half of the time. */
static void write_random_message(int depth)
{
    for (uint32_t fields = next_random(6); fields > 0; fields--) {
        uint32_t number = 1 + next_random(14);

        switch (next_random(depth > 0 ? 8 : 4)) {
        case 0: pb_writer_varint(&craft.writer, number, next_random(70000)); break;
        case 1:
        case 2:
        case 3: pb_writer_bytes(&craft.writer, number, random_view()); break;
        default: {
            size_t mark = pb_writer_open(&craft.writer, number);

            write_random_message(depth - 1);
            pb_writer_close(&craft.writer, mark);
        }
        }
    }
}

static void write_random_http(void)
{
    static const uint32_t texts[] = {1, 2, 4, 5, 6, 10, 11, 12};

    for (uint32_t count = next_random(8); count > 0; count--) {
        struct view name = random_view(), value = random_view();

        switch (next_random(4)) {
        case 0: pb_writer_bytes(&craft.writer, texts[next_random(8)], value); break;
        case 1: put_pair(3, name, value); break;
        case 2: put_raw(name, (struct view){0}, value); break;
        default: pb_writer_varint(&craft.writer, 9, next_random(1000));
        }
    }
}

static void check_request_agrees_with_protobuf_c_on_generated_messages(void **state)
{
    size_t accepted = 0;

    (void)state;
    for (int round = 0; round < 100000; round++) {
        craft_begin();
        write_random_http();
        craft_end_http();
        write_random_message(4);
        accepted += craft_parse() == REASON_NONE;
    }
    assert_true(accepted > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_request_reads_what_envoy_writes_in_both_header_forms),
        cmocka_unit_test(check_request_is_refused_or_valid_at_every_prefix),
        cmocka_unit_test(check_request_refuses_a_missing_http_part),
        cmocka_unit_test(check_request_refuses_nul_and_what_is_not_utf8_in_every_string),
        cmocka_unit_test(check_request_refuses_nul_cr_lf_in_a_raw_value),
        cmocka_unit_test(check_request_checks_every_place_of_a_long_value),
        cmocka_unit_test(check_request_refuses_a_header_name_that_is_no_lower_case_token),
        cmocka_unit_test(check_request_keeps_repeated_headers_one_entry_each),
        cmocka_unit_test(check_request_refuses_both_header_forms_filled),
        cmocka_unit_test(check_request_refuses_value_and_raw_value_both_set),
        cmocka_unit_test(check_request_refuses_pseudo_headers_that_differ_or_repeat),
        cmocka_unit_test(check_request_knows_a_raw_path_only_from_raw_value),
        cmocka_unit_test(check_request_refuses_a_query_or_fragment_field),
        cmocka_unit_test(check_request_refuses_two_bodies),
        cmocka_unit_test(check_request_takes_the_last_of_a_repeated_scalar),
        cmocka_unit_test(check_request_merges_a_message_that_comes_in_two_pieces),
        cmocka_unit_test(check_request_skips_unknown_fields_and_refuses_groups),
        cmocka_unit_test(check_request_refuses_a_wire_type_that_does_not_fit),
        cmocka_unit_test(check_request_takes_100_headers_and_not_101),
        cmocka_unit_test(check_request_takes_64_kib_of_headers_and_not_a_byte_more),
        cmocka_unit_test(check_request_takes_32_context_extensions_and_not_33),
        cmocka_unit_test(check_request_holds_to_configured_limits),
        cmocka_unit_test(check_request_takes_the_last_member_of_an_address),
        cmocka_unit_test(check_request_refuses_metadata_twice_or_malformed),
        cmocka_unit_test(check_request_agrees_with_protobuf_c_on_changed_bytes),
        cmocka_unit_test(check_request_agrees_with_protobuf_c_on_generated_messages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
