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

static const char domain_bytes[] = "abcdefghijklmnopqrstuvwxyz0123456789-._";
static const char path_bytes[] = "abcdefghijklmnopqrstuvwxyz0123456789-._ABCDEFGHIJKLMNOPQRSTUVWXYZ";

struct tally {
    size_t valid, invalid;
};

/* go-spiffe's spiffeid/id_test.go and trustdomain_test.go, regenerated: what stands in its loops and between them.
 * `is_good` is what they want. */
static void want(struct tally *tally, bool is_accepted, bool is_good, struct view text)
{
    if (is_accepted != is_good)
        fail_msg("%.*s is %s", VIEW_ARG(text), is_accepted ? "accepted" : "refused");
    *(is_good ? &tally->valid : &tally->invalid) += 1;
}

/* `before`, a code point as UTF-8, `after`. */
static struct view with_point(const char *before, unsigned int point, const char *after, char out[64])
{
    size_t size = strlen(before);
    memcpy(out, before, size);
    size += utf8(point, out + size);
    memcpy(out + size, after, strlen(after));
    return (struct view){.data = out, .size = size + strlen(after)};
}

/* TestFromString: 108 valid IDs and 427 invalid ones. */
static void spiffe_id_agrees_with_go_spiffe_on_its_ids(void **state)
{
    (void)state;
    static const char *const good[] = {"spiffe://trustdomain", "spiffe://trustdomain/.path",
                                       "spiffe://trustdomain/..path", "spiffe://trustdomain/..."};
    static const char *const bad[] = {"",
                                      "s",
                                      "spiffe:/",
                                      "Spiffe://",
                                      "spiffe://",
                                      "spiffe:///",
                                      "spiffe://trustdomain/",
                                      "spiffe://trustdomain//",
                                      "spiffe://trustdomain//path",
                                      "spiffe://trustdomain/path/",
                                      "spiffe://trustdomain/.",
                                      "spiffe://trustdomain/./path",
                                      "spiffe://trustdomain/path/./other",
                                      "spiffe://trustdomain/path/..",
                                      "spiffe://trustdomain/..",
                                      "spiffe://trustdomain/../path",
                                      "spiffe://trustdomain/path/../other",
                                      "spiffe://%F0%9F%A4%AF/path",
                                      "spiffe://trustdomain/%F0%9F%A4%AF",
                                      "spiffe://%62%61%64/path",
                                      "spiffe://trustdomain/%62%61%64"};
    struct tally tally = {0};
    char text[64];
    for (unsigned int point = 0; point < 256; point++) {
        if (point == '/') /* parts segments */
            continue;
        struct view domain = with_point("spiffe://trustdomain", point, "/path", text);
        want(&tally, accepts(domain), is_one_of(point, domain_bytes), domain);
        struct view path = with_point("spiffe://trustdomain/path", point, "", text);
        want(&tally, accepts(path), is_one_of(point, path_bytes), path);
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        want(&tally, accepts(view_of(good[i])), true, view_of(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        want(&tally, accepts(view_of(bad[i])), false, view_of(bad[i]));
    assert_int_equal(tally.valid, 108);
    assert_int_equal(tally.invalid, 427);
}

/* TestTrustDomainFromString: 39 + 2 valid ones, 217 + 8 invalid. It takes a whole ID for a trust domain as well; here
 * an ID is one (spiffe_id_parse) and a name is another (trust_domain_is_valid). */
static void trust_domain_agrees_with_go_spiffe_on_its_names(void **state)
{
    (void)state;
    static const char *const ids[] = {"spiffe://trustdomain", "spiffe://trustdomain/path"};
    static const char *const bad[] = {"",
                                      "spiffe:/trustdomain/path",
                                      "spiffe://",
                                      "spiffe:///path",
                                      "spiffe://trustdomain/",
                                      "spiffe://trustdomain/path/",
                                      "spiffe://%F0%9F%A4%AF/path",
                                      "spiffe://trustdomain/%F0%9F%A4%AF"};
    struct tally tally = {0};
    char text[64];
    for (unsigned int point = 0; point < 256; point++) {
        struct view name = with_point("trustdomain", point, "", text);
        want(&tally, trust_domain_is_valid(name), is_one_of(point, domain_bytes), name);
        struct spiffe_id id;
        struct view whole = with_point("spiffe://trustdomain", point, "", text);
        if (is_one_of(point, domain_bytes))
            assert_true(spiffe_id_parse(whole, &id) == ERR_NONE && view_ends_with(whole, id.trust_domain) &&
                        id.trust_domain.size == 12);
    }
    for (size_t i = 0; i < 2; i++) {
        struct spiffe_id id;
        bool is_accepted = spiffe_id_parse(view_of(ids[i]), &id) == ERR_NONE;
        want(&tally, is_accepted && view_equals(id.trust_domain, VIEW("trustdomain")), true, view_of(ids[i]));
        assert_false(trust_domain_is_valid(view_of(ids[i])));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        want(&tally, accepts(view_of(bad[i])) || trust_domain_is_valid(view_of(bad[i])), false, view_of(bad[i]));
    assert_int_equal(tally.valid, 39 + 2);
    assert_int_equal(tally.invalid, 217 + 8);
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
        cmocka_unit_test(spiffe_id_agrees_with_go_spiffe_on_its_ids),
        cmocka_unit_test(trust_domain_agrees_with_go_spiffe_on_its_names),
        cmocka_unit_test(spiffe_id_holds_its_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
