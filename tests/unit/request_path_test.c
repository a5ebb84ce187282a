/* SPDX-License-Identifier: Apache-2.0 */
#include "request_path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static enum reason parse(struct view target, enum path_mode mode, bool is_raw)
{
    struct request_path path;
    return request_path_parse(target, mode, is_raw, &path);
}

static void refuses(const char *target)
{
    if (parse(view_of(target), PATH_STRICT, true) != REASON_REQUEST_PATH)
        fail_msg("strict takes %s", target);
    if (parse(view_of(target), PATH_ENVOY, true) != REASON_REQUEST_PATH)
        fail_msg("envoy takes %s", target);
}

static void takes(const char *target)
{
    if (parse(view_of(target), PATH_STRICT, false) != REASON_NONE)
        fail_msg("strict refuses %s", target);
    if (parse(view_of(target), PATH_ENVOY, false) != REASON_NONE)
        fail_msg("envoy refuses %s", target);
}

static void path_refuses_what_does_not_begin_with_one_slash(void **state)
{
    (void)state;
    refuses("");
    refuses("*");
    refuses("admin");
    refuses("http://h/admin");
    refuses("//h/admin");
    refuses("?x");
    takes("/");
    takes("/admin");
}

static void path_refuses_empty_segments_but_keeps_a_trailing_slash(void **state)
{
    (void)state;
    refuses("/a//b");
    refuses("/a//");
    refuses("//");
    struct request_path with, without;
    assert_int_equal(request_path_parse(VIEW("/a/"), PATH_STRICT, false, &with), REASON_NONE);
    assert_int_equal(request_path_parse(VIEW("/a"), PATH_STRICT, false, &without), REASON_NONE);
    assert_int_equal(with.segment_count, 2);
    assert_int_equal(with.segments[1].size, 0);
    assert_int_equal(without.segment_count, 1);
}

static void path_refuses_dot_segments_in_every_spelling(void **state)
{
    (void)state;
    const char *const bad[] = {"/a/./b",    "/a/../b", "/..",       "/.",       "/a/..",      "/a/.",       "/%2e",
                               "/%2E%2e/a", "/a/.%2e", "/a/%2e./b", "/a/..;/b", "/a/%2e%2e;", "/..;x/admin"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        refuses(bad[i]);
    takes("/.../a");
    takes("/a..b");
    takes("/.well-known/x");
    takes("/..a");
}

static void path_takes_an_escaped_unreserved_octet_only_where_the_mesh_normalises(void **state)
{
    (void)state;
    const char *const escaped[] = {"/%61dmin", "/a%2db", "/a%5Fb", "/a%7eb", "/%41", "/v%31", "/a%2eb"};
    for (size_t i = 0; i < sizeof escaped / sizeof escaped[0]; i++) {
        assert_int_equal(parse(view_of(escaped[i]), PATH_STRICT, true), REASON_REQUEST_PATH);
        assert_int_equal(parse(view_of(escaped[i]), PATH_ENVOY, true), REASON_NONE);
    }
}

static void path_takes_escaped_reserved_octets_as_data(void **state)
{
    (void)state;
    takes("/a%20b");
    takes("/a%3Fb");
    takes("/a%23b");
    takes("/a%26b");
    takes("/a%3bb");
    takes("/100%25");
    takes("/a%25zz");
}

/* Which octets may stand escaped in a strict path: ASCII that is neither a control
 * nor unreserved nor a backslash. */
static bool octet_is_data(unsigned octet)
{
    bool is_alnum = (octet >= '0' && octet <= '9') || (octet >= 'a' && octet <= 'z') || (octet >= 'A' && octet <= 'Z');
    bool is_unreserved = is_alnum || octet == '-' || octet == '.' || octet == '_' || octet == '~';
    return octet >= 0x20 && octet < 0x7f && octet != '\\' && !is_unreserved;
}

static void path_judges_every_escaped_octet_alike_in_both_hex_cases(void **state)
{
    (void)state;
    for (unsigned octet = 0; octet < 256; octet++) {
        char lower[16], upper[16];
        (void)snprintf(lower, sizeof lower, "/a%%%02xz", octet);
        (void)snprintf(upper, sizeof upper, "/a%%%02Xz", octet);
        enum reason want = octet_is_data(octet) ? REASON_NONE : REASON_REQUEST_PATH;
        assert_int_equal(parse(view_of(lower), PATH_STRICT, false), want);
        assert_int_equal(parse(view_of(upper), PATH_STRICT, false), want);
        if (want == REASON_NONE)
            assert_int_equal(parse(view_of(lower), PATH_ENVOY, false), want);
    }
}

static void path_judges_every_raw_octet(void **state)
{
    (void)state;
    for (unsigned octet = 0; octet < 256; octet++) {
        char text[] = {'/', 'a', (char)octet, 'z'};
        bool is_alnum =
            (octet >= '0' && octet <= '9') || (octet >= 'a' && octet <= 'z') || (octet >= 'A' && octet <= 'Z');
        bool takes_it = is_alnum || (octet != 0 && octet < 0x80 && strchr("-._~$&'()*+,=:@/?", (int)octet));
        struct view target = {.data = text, .size = sizeof text};
        assert_int_equal(parse(target, PATH_STRICT, false), takes_it ? REASON_NONE : REASON_REQUEST_PATH);
        assert_int_equal(parse(target, PATH_ENVOY, false), takes_it ? REASON_NONE : REASON_REQUEST_PATH);
    }
}

static void path_marks_an_encoded_slash_and_refuses_a_backslash(void **state)
{
    (void)state;
    struct request_path path;
    assert_int_equal(request_path_parse(VIEW("/m/org%2fmodel"), PATH_STRICT, false, &path), REASON_NONE);
    assert_true(path.has_encoded_slash);
    assert_true(path.has_escape);
    assert_int_equal(path.segment_count, 2);
    assert_int_equal(request_path_parse(VIEW("/m/org%2Fmodel"), PATH_STRICT, false, &path), REASON_NONE);
    assert_true(path.has_encoded_slash);
    assert_int_equal(request_path_parse(VIEW("/m/model"), PATH_STRICT, false, &path), REASON_NONE);
    assert_false(path.has_encoded_slash || path.has_escape);
    assert_int_equal(request_path_parse(VIEW("/m/a%20b"), PATH_STRICT, false, &path), REASON_NONE);
    assert_true(path.has_escape && !path.has_encoded_slash);
    refuses("/a%5Cb");
    refuses("/a%5cb");
    refuses("/a\\b");
}

static void path_refuses_double_escapes_and_bad_ones(void **state)
{
    (void)state;
    const char *const bad[] = {"/%252f", "/%25c0%25ae", "/%2541", "/%", "/a%2", "/%g1", "/%2g", "/%u002f", "/a%"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        refuses(bad[i]);
    takes("/0x2e0x2e");
}

static void path_takes_escaped_utf8_and_nothing_that_only_looks_like_it(void **state)
{
    (void)state;
    takes("/%c3%a9");
    takes("/%E2%82%AC");
    takes("/%f0%9f%98%80");
    takes("/%ed%9f%bf");
    takes("/%f4%8f%bf%bf");
    const char *const bad[] = {"/%c0%ae",   "/%c0%af",       "/%c1%9c",       "/%e0%80%af",    "/%ed%a0%80",
                               "/%ff",      "/%c3",          "/%c3a",         "/%c3%29",       "/%e2%82",
                               "/%80",      "/%f4%90%80%80", "/%f5%80%80%80", "/%f0%80%80%af", "/%c3\xa9",
                               "/\xc3\xa9", "/%e2%82/%ac"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        refuses(bad[i]);
}

static void path_refuses_a_semicolon_in_both_modes(void **state)
{
    (void)state;
    refuses("/admin;a=b");
    refuses("/;/a");
    refuses("/..;/admin");
}

static void path_takes_an_exclamation_mark_only_as_raw_bytes(void **state)
{
    (void)state;
    assert_int_equal(parse(VIEW("/a!b"), PATH_STRICT, true), REASON_NONE);
    assert_int_equal(parse(VIEW("/a!b"), PATH_STRICT, false), REASON_REQUEST_PATH);
    assert_int_equal(parse(VIEW("/a!b"), PATH_ENVOY, false), REASON_REQUEST_PATH);
    takes("/a%21b");
}

static void path_splits_at_the_first_question_mark_and_folds_nothing(void **state)
{
    (void)state;
    struct request_path path;
    assert_int_equal(request_path_parse(VIEW("/Admin%3f?x=/../?y"), PATH_STRICT, false, &path), REASON_NONE);
    assert_true(view_equals(path.path, VIEW("/Admin%3f")));
    assert_true(view_equals(path.query, VIEW("x=/../?y")));
    assert_true(view_equals(path.segments[0], VIEW("Admin%3f")));
    assert_int_equal(request_path_parse(VIEW("/a?"), PATH_STRICT, false, &path), REASON_NONE);
    assert_true(view_is_present(path.query));
    assert_int_equal(request_path_parse(VIEW("/a"), PATH_STRICT, false, &path), REASON_NONE);
    assert_false(view_is_present(path.query));
}

static void path_refuses_a_fragment_anywhere(void **state)
{
    (void)state;
    refuses("/a#");
    refuses("/a#x");
    refuses("/a?x#y");
    refuses("/a?x\ry");
    refuses("/a?x y");
}

static void path_is_limited_in_bytes_segments_and_segment_bytes(void **state)
{
    (void)state;
    char text[PATH_BYTES_MAX + 8];
    size_t size = 0;
    while (size + 129 <= PATH_BYTES_MAX) {
        text[size] = '/';
        memset(text + size + 1, 'a', 127);
        size += 128;
    }
    struct view longest = {.data = text, .size = size};
    assert_int_equal(parse(longest, PATH_STRICT, false), REASON_NONE);
    memset(text + size, 'a', sizeof text - size);
    assert_int_equal(parse((struct view){text, PATH_BYTES_MAX + 1}, PATH_STRICT, false), REASON_REQUEST_PATH_LENGTH);

    char slashes[2 * (PATH_SEGMENTS_MAX + 1)];
    for (size_t i = 0; i < sizeof slashes; i++)
        slashes[i] = i % 2 == 0 ? '/' : 'a';
    assert_int_equal(parse((struct view){slashes, sizeof slashes - 2}, PATH_STRICT, false), REASON_NONE);
    assert_int_equal(parse((struct view){slashes, sizeof slashes}, PATH_STRICT, false), REASON_REQUEST_PATH_LENGTH);

    char segment[PATH_SEGMENT_BYTES_MAX + 2];
    memset(segment, 'a', sizeof segment);
    segment[0] = '/';
    assert_int_equal(parse((struct view){segment, sizeof segment - 1}, PATH_STRICT, false), REASON_NONE);
    assert_int_equal(parse((struct view){segment, sizeof segment}, PATH_STRICT, false), REASON_REQUEST_PATH_LENGTH);
}

static void path_decodes_a_segment_to_the_octets_it_stands_for(void **state)
{
    (void)state;
    char out[16];
    assert_int_equal(request_path_decode(VIEW("org%2fm%c3%A9"), out), 7);
    assert_memory_equal(out, "org/m\xc3\xa9", 7);
}

static enum reason host_parse(struct view host, char *name, uint16_t *port)
{
    char buffer[512];
    struct view out;
    enum reason reason = request_host_parse(host, buffer, &out, port);
    if (reason == REASON_NONE) {
        memcpy(name, out.data, out.size);
        name[out.size] = '\0';
    }
    return reason;
}

static void host_is_lower_cased_and_its_port_split_off(void **state)
{
    (void)state;
    char name[512];
    uint16_t port = 0;
    assert_int_equal(host_parse(VIEW("EU.Models.Example:8443"), name, &port), REASON_NONE);
    assert_string_equal(name, "eu.models.example");
    assert_int_equal(port, 8443);
    assert_int_equal(host_parse(VIEW("secret.com"), name, &port), REASON_NONE);
    assert_int_equal(port, 0);
    assert_int_equal(host_parse(VIEW("[2001:DB8::1]:80"), name, &port), REASON_NONE);
    assert_string_equal(name, "[2001:db8::1]");
    assert_int_equal(port, 80);
    assert_int_equal(host_parse(VIEW("127.0.0.1:65535"), name, &port), REASON_NONE);
}

static void host_refuses_what_is_not_one_plain_name(void **state)
{
    (void)state;
    char name[512];
    uint16_t port = 0;
    const char *const bad[] = {"",          "secret.com.", "u@secret.com", "a.com,secret.com",
                               "a..b",      ".a",          "a b",          "a:",
                               "a:0",       "a:080",       "a:65536",      "a:80:80",
                               "a:x",       "[::1",        "[::1]x",       "[]",
                               "[0:0::1]",  "[::g]",       "a%2eb",        "a;x",
                               "*",         "a/b",         "a?b",          "a#b",
                               "h\xc3\xa9", "a\tb",        "[::1%lo]",     "::1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (host_parse(view_of(bad[i]), name, &port) != REASON_REQUEST_HOST)
            fail_msg("takes host %s", bad[i]);
    assert_int_equal(host_parse(VIEW("a\0b"), name, &port), REASON_REQUEST_HOST);
    assert_int_equal(host_parse(VIEW("[::1]"), name, &port), REASON_NONE);
}

static void method_is_capital_letters_only(void **state)
{
    (void)state;
    assert_int_equal(request_method_check(VIEW("GET")), REASON_NONE);
    assert_int_equal(request_method_check(VIEW("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF")), REASON_NONE);
    assert_int_equal(request_method_check(VIEW("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG")), REASON_REQUEST_METHOD);
    assert_int_equal(request_method_check(VIEW("get")), REASON_REQUEST_METHOD);
    assert_int_equal(request_method_check(VIEW("FOO-BAR")), REASON_REQUEST_METHOD);
    assert_int_equal(request_method_check(VIEW("GET\0")), REASON_REQUEST_METHOD);
    assert_int_equal(request_method_check(VIEW("")), REASON_REQUEST_METHOD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(path_refuses_what_does_not_begin_with_one_slash),
        cmocka_unit_test(path_refuses_empty_segments_but_keeps_a_trailing_slash),
        cmocka_unit_test(path_refuses_dot_segments_in_every_spelling),
        cmocka_unit_test(path_takes_an_escaped_unreserved_octet_only_where_the_mesh_normalises),
        cmocka_unit_test(path_takes_escaped_reserved_octets_as_data),
        cmocka_unit_test(path_judges_every_escaped_octet_alike_in_both_hex_cases),
        cmocka_unit_test(path_judges_every_raw_octet),
        cmocka_unit_test(path_marks_an_encoded_slash_and_refuses_a_backslash),
        cmocka_unit_test(path_refuses_double_escapes_and_bad_ones),
        cmocka_unit_test(path_takes_escaped_utf8_and_nothing_that_only_looks_like_it),
        cmocka_unit_test(path_refuses_a_semicolon_in_both_modes),
        cmocka_unit_test(path_takes_an_exclamation_mark_only_as_raw_bytes),
        cmocka_unit_test(path_splits_at_the_first_question_mark_and_folds_nothing),
        cmocka_unit_test(path_refuses_a_fragment_anywhere),
        cmocka_unit_test(path_is_limited_in_bytes_segments_and_segment_bytes),
        cmocka_unit_test(path_decodes_a_segment_to_the_octets_it_stands_for),
        cmocka_unit_test(host_is_lower_cased_and_its_port_split_off),
        cmocka_unit_test(host_refuses_what_is_not_one_plain_name),
        cmocka_unit_test(method_is_capital_letters_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
