/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "spiffe_id.h"

#include <stdio.h>

static bool accepts(struct view text)
{
    struct spiffe_id id;
    return spiffe_id_parse(text, &id) == ERR_NONE;
}

static void spiffe_id_splits_domain_and_path(void **state)
{
    (void)state;
    struct spiffe_id id;
    assert_int_equal(spiffe_id_parse(VIEW("spiffe://prod.example/ns/a/sa/b"), &id), ERR_NONE);
    assert_true(view_equals(id.trust_domain, VIEW("prod.example")));
    assert_true(view_equals(id.path, VIEW("/ns/a/sa/b")));
    assert_int_equal(spiffe_id_parse(VIEW("spiffe://prod.example"), &id), ERR_NONE);
    assert_true(view_is_empty(id.path));
}

static void spiffe_id_takes_what_the_grammar_has(void **state)
{
    (void)state;
    const struct view good[] = {
        VIEW("spiffe://a"),         VIEW("spiffe://1.2.3.4/a"), VIEW("spiffe://a_b-c.d/x"), VIEW("spiffe://td/..."),
        VIEW("spiffe://td/.x/..x"), VIEW("spiffe://td/A.-_z9"), VIEW("spiffe://.../a"),
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(accepts(good[i]));
}

static void spiffe_id_refuses_what_the_grammar_lacks(void **state)
{
    (void)state;
    const struct view bad[] = {
        VIEW(""),
        VIEW("spiffe"),
        VIEW("spiffe:/"),
        VIEW("spiffe://"),
        VIEW("spiffe:///a"),
        VIEW("Spiffe://td/a"),
        VIEW("SPIFFE://td/a"),
        VIEW("https://td/a"),
        VIEW("spiffe:td/a"),
        VIEW("spiffe://TD/a"),
        VIEW("spiffe://td:80/a"),
        VIEW("spiffe://u@td/a"),
        VIEW("spiffe://td/"),
        VIEW("spiffe://td/a/"),
        VIEW("spiffe://td//a"),
        VIEW("spiffe://td/a//b"),
        VIEW("spiffe://td/."),
        VIEW("spiffe://td/.."),
        VIEW("spiffe://td/./a"),
        VIEW("spiffe://td/a/../b"),
        VIEW("spiffe://td/a?b"),
        VIEW("spiffe://td/a#b"),
        VIEW("spiffe://td?b"),
        VIEW("spiffe://td/a%20b"),
        VIEW("spiffe://t%64/a"),
        VIEW("spiffe://[::1]/a"),
        VIEW("spiffe://td/a\0.evil"),
        VIEW("spiffe://td\0/a"),
        VIEW(" spiffe://td/a"),
        VIEW("spiffe://td/a "),
        VIEW("spiffe://td/a;URI=spiffe://td/b"),
        VIEW("spiffe://td/a,By=b"),
        VIEW("spiffe://example.org:x@evil.org/w"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(accepts(bad[i]));
}

/* A code point as UTF-8; returns the bytes. */
static size_t utf8(unsigned int point, char out[2])
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    out[0] = (char)(0xC0 | point >> 6);
    out[1] = (char)(0x80 | (point & 0x3F));
    return 2;
}

static bool is_one_of(unsigned int point, const char *bytes)
{
    return point != 0 && point < 0x80 && strchr(bytes, (int)point) != NULL;
}

/* The loops of go-spiffe's id_test.go: every code point from 0 to 255 in the
 * domain and in the path. 39 and 65 of them are legal. */
static void spiffe_id_agrees_with_go_spiffe_on_every_character(void **state)
{
    (void)state;
    int domains = 0, paths = 0;
    for (unsigned int point = 0; point < 256; point++) {
        char text[64], bytes[2];
        size_t size = utf8(point, bytes);
        bool is_in_domain = is_one_of(point, "abcdefghijklmnopqrstuvwxyz0123456789-._");
        bool is_in_path = is_in_domain || is_one_of(point, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        if (point == '/')
            continue;
        memcpy(text, "spiffe://trustdomain", 20);
        memcpy(text + 20, bytes, size);
        memcpy(text + 20 + size, "/path", 5);
        assert_int_equal(accepts((struct view){.data = text, .size = 25 + size}), is_in_domain);
        memcpy(text, "spiffe://trustdomain/path", 25);
        memcpy(text + 25, bytes, size);
        assert_int_equal(accepts((struct view){.data = text, .size = 25 + size}), is_in_path);
        domains += is_in_domain;
        paths += is_in_path;
    }
    assert_int_equal(domains, 39);
    assert_int_equal(paths, 65);
}

static void spiffe_id_holds_its_lengths(void **state)
{
    (void)state;
    char text[2100];
    memset(text, 'a', sizeof text);
    memcpy(text, "spiffe://td/", 12);
    assert_true(accepts((struct view){.data = text, .size = 2048}));
    assert_false(accepts((struct view){.data = text, .size = 2049}));
    memset(text, 'a', sizeof text);
    memcpy(text, "spiffe://", 9);
    assert_true(accepts((struct view){.data = text, .size = 9 + 255}));
    assert_false(accepts((struct view){.data = text, .size = 9 + 256}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spiffe_id_splits_domain_and_path),
        cmocka_unit_test(spiffe_id_takes_what_the_grammar_has),
        cmocka_unit_test(spiffe_id_refuses_what_the_grammar_lacks),
        cmocka_unit_test(spiffe_id_agrees_with_go_spiffe_on_every_character),
        cmocka_unit_test(spiffe_id_holds_its_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
