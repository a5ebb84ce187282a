/* SPDX-License-Identifier: Apache-2.0 */
#include "path_pattern.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct arena arena;

static struct path_pattern pattern_of(const char *text)
{
    struct path_pattern pattern = {0};
    const char *problem = NULL;
    if (path_pattern_parse(view_of(text), &arena, &pattern, &problem) != ERR_NONE)
        fail_msg("%s: %s", text, problem);
    return pattern;
}

static bool matches(const char *pattern, const char *target, struct pattern_captures *captures)
{
    struct path_pattern parsed = pattern_of(pattern);
    struct request_path path;
    struct view segments[PATH_SEGMENTS_MAX];
    static char decoded[PATH_SEGMENTS_MAX][PATH_SEGMENT_BYTES_MAX];
    assert_int_equal(request_path_parse(view_of(target), PATH_STRICT, true, &path), REASON_NONE);
    for (size_t i = 0; i < path.segment_count; i++)
        segments[i] = (struct view){.data = decoded[i], .size = request_path_decode(path.segments[i], decoded[i])};
    return path_pattern_matches(&parsed, segments, path.segment_count, captures);
}

static void pattern_matches_literals_whole_and_exactly(void **state)
{
    (void)state;
    assert_true(matches("/admin", "/admin", NULL));
    assert_false(matches("/admin", "/Admin", NULL));
    assert_false(matches("/admin", "/admin/", NULL));
    assert_false(matches("/admin", "/admin/x", NULL));
    assert_false(matches("/admin", "/adminx", NULL));
    assert_true(matches("/admin/", "/admin/", NULL));
    assert_true(matches("/", "/", NULL));
    assert_false(matches("/", "/a", NULL));
}

static void pattern_compares_decoded_octets_whatever_their_hex_case(void **state)
{
    (void)state;
    assert_true(matches("/a%3Fb", "/a%3fb", NULL));
    assert_false(matches("/a%3Fb", "/a", NULL));
    assert_true(matches("/a@b", "/a%40b", NULL));
}

static void pattern_variable_takes_one_segment_that_is_not_empty(void **state)
{
    (void)state;
    struct pattern_captures captures;
    assert_true(matches("/v1/models/{model}", "/v1/models/a:b:predict", &captures));
    assert_true(view_equals(captures.values[0], VIEW("a:b:predict")));
    assert_false(matches("/v1/models/{model}", "/v1/models/", NULL));
    assert_false(matches("/v1/models/{model}", "/v1/models", NULL));
    assert_false(matches("/v1/models/{model}", "/v1/models/a/b", NULL));
    assert_true(matches("/{a}/x/{b}", "/1/x/2%26", &captures));
    assert_true(view_equals(captures.values[0], VIEW("1")));
    assert_true(view_equals(captures.values[1], VIEW("2&")));
}

static void pattern_star_takes_any_one_segment_even_with_an_equals_sign(void **state)
{
    (void)state;
    assert_true(matches("/x/{*}", "/x/a=b", NULL));
    assert_true(matches("/x/{*}", "/x/*", NULL));
    assert_false(matches("/x/{*}", "/x/", NULL));
    assert_false(matches("/x/{*}", "/x/a/b", NULL));
}

static void pattern_rest_takes_zero_or_more_segments(void **state)
{
    (void)state;
    assert_true(matches("/api/{**}", "/api", NULL));
    assert_true(matches("/api/{**}", "/api/", NULL));
    assert_true(matches("/api/{**}", "/api/a/b/", NULL));
    assert_false(matches("/api/{**}", "/apix", NULL));
    assert_true(matches("/{**}", "/", NULL));
}

static void pattern_verb_is_cut_off_the_last_segment(void **state)
{
    (void)state;
    struct pattern_captures captures;
    assert_true(matches("/v1/models/{model}:predict", "/v1/models/fraud-v3:predict", &captures));
    assert_true(view_equals(captures.values[0], VIEW("fraud-v3")));
    assert_true(matches("/v1/models/{model}:predict", "/v1/models/a:b:predict", &captures));
    assert_true(view_equals(captures.values[0], VIEW("a:b")));
    assert_false(matches("/v1/models/{model}:predict", "/v1/models/:predict", NULL));
    assert_false(matches("/v1/models/{model}:predict", "/v1/models/fraud-v3:explain", NULL));
    assert_false(matches("/v1/models/{model}:predict", "/v1/models/fraud-v3", NULL));
    assert_false(matches("/v1/models/{model}:predict", "/v1/models/predict", NULL));
}

static void pattern_keeps_an_encoded_slash_inside_its_segment(void **state)
{
    (void)state;
    struct pattern_captures captures;
    assert_true(matches("/m/{model}/infer", "/m/org%2Fmodel/infer", &captures));
    assert_true(view_equals(captures.values[0], VIEW("org/model")));
    assert_false(matches("/m/org/model/infer", "/m/org%2Fmodel/infer", NULL));
}

static void pattern_refuses_what_no_request_could_have_or_nobody_means(void **state)
{
    (void)state;
    static const struct {
        const char *text, *problem;
    } bad[] = {{"", "begins with `/`"},
               {"a", "begins with `/`"},
               {"/a//b", "`//` is never"},
               {"//", "`//` is never"},
               {"/{}", "names nothing"},
               {"/{a", "not closed"},
               {"/a}", "enclose a whole segment"},
               {"/x{a}", "enclose a whole segment"},
               {"/{a}x", "only `:verb` may follow"},
               {"/{a}xy", "only `:verb` may follow"},
               {"/{a}.y", "only `:verb` may follow"},
               {"/{a}:", "only `:verb` may follow"},
               {"/{a}:b/c", "last segment only"},
               {"/{*}:b", "needs a named variable"},
               {"/{**}:b", "needs a named variable"},
               {"/{**}/a", "stands last only"},
               {"/*", "is written"},
               {"/a*", "is written"},
               {"/{1a}", "a variable is"},
               {"/{a b}", "a variable is"},
               {"/{a}/{a}", "same name"},
               {"/a/../b", "not canonical"},
               {"/%41", "not canonical"},
               {"/a%2fb", "not canonical"},
               {"/a;b", "not canonical"},
               {"/a?b", "not canonical"},
               {"/a#b", "not canonical"},
               {"/a b", "not canonical"},
               {"/{a}:b:c", "a verb is made of"},
               {"/.", "not canonical"},
               {"/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}", "at most 8"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct path_pattern pattern;
        const char *problem = NULL;
        if (path_pattern_parse(view_of(bad[i].text), &arena, &pattern, &problem) != ERR_MALFORMED)
            fail_msg("takes %s", bad[i].text);
        if (!problem || !strstr(problem, bad[i].problem))
            fail_msg("of %s says \"%s\"", bad[i].text, problem);
    }
    (void)pattern_of("/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}");
    (void)pattern_of("/a!b");
}

static void pattern_refuses_more_than_its_limits(void **state)
{
    (void)state;
    char text[PATTERN_BYTES_MAX + 1];
    struct path_pattern pattern;
    const char *problem = NULL;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 128 == 0 ? '/' : 'a';
    assert_int_equal(path_pattern_parse((struct view){text, sizeof text}, &arena, &pattern, &problem), ERR_LIMIT);
    assert_string_equal(problem, "a path template is over 1024 bytes");
    assert_int_equal(path_pattern_parse((struct view){text, sizeof text - 1}, &arena, &pattern, &problem), ERR_NONE);
    for (size_t i = 0; i < 2 * (PATH_SEGMENTS_MAX + 1); i++)
        text[i] = i % 2 == 0 ? '/' : 'a';
    struct view many = {text, 2 * (PATH_SEGMENTS_MAX + 1)};
    assert_int_equal(path_pattern_parse(many, &arena, &pattern, &problem), ERR_LIMIT);
    assert_string_equal(problem, "a path template has more than 64 segments");
    many.size -= 2;
    assert_int_equal(path_pattern_parse(many, &arena, &pattern, &problem), ERR_NONE);
    memset(text + 1, 'a', PATH_SEGMENT_BYTES_MAX + 1);
    struct view wide = {text, PATH_SEGMENT_BYTES_MAX + 2};
    assert_int_equal(path_pattern_parse(wide, &arena, &pattern, &problem), ERR_MALFORMED);
    assert_string_equal(problem, "a segment is over 255 bytes");
    wide.size--;
    assert_int_equal(path_pattern_parse(wide, &arena, &pattern, &problem), ERR_NONE);
}

static bool overlap(const char *a, const char *b)
{
    struct path_pattern x = pattern_of(a), y = pattern_of(b);
    bool result = path_pattern_overlaps(&x, &y);
    assert_int_equal(result, path_pattern_overlaps(&y, &x));
    return result;
}

static void patterns_overlap_when_some_path_fits_both(void **state)
{
    (void)state;
    assert_true(overlap("/a/{x}", "/{y}/b"));
    assert_true(overlap("/a/{x}", "/a/{x}:predict"));
    assert_true(overlap("/a/b:predict", "/a/{x}:predict"));
    assert_true(overlap("/a/{**}", "/a"));
    assert_true(overlap("/{**}", "/x/y/z"));
    assert_true(overlap("/a/{x}/{y}:predict", "/a/b/{y}"));
    assert_true(overlap("/{x}/b:predict", "/a/{y}:predict"));
    assert_true(overlap("/{x}/{**}", "/a"));
    assert_false(overlap("/{x}/{y}:predict", "/a/b"));
    assert_false(overlap("/{x}/{**}", "/"));
    assert_false(overlap("/a/{x}:predict", "/a/{x}:explain"));
    assert_false(overlap("/a/b:explain", "/a/{x}:predict"));
    assert_false(overlap("/a/{x}", "/a/"));
    assert_false(overlap("/a/{x}", "/b/{x}"));
    assert_false(overlap("/a/{x}", "/a/{x}/b"));
}

static void pattern_finds_its_variables_by_name(void **state)
{
    (void)state;
    struct path_pattern pattern = pattern_of("/{ns}/x/{model}:go");
    assert_int_equal(pattern.variable_count, 2);
    assert_int_equal(path_pattern_variable(&pattern, VIEW("ns")), 0);
    assert_int_equal(path_pattern_variable(&pattern, VIEW("model")), 1);
    assert_int_equal(path_pattern_variable(&pattern, VIEW("x")), 2);
}

static int open_arena(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 20);
    return 0;
}

static int close_arena(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pattern_matches_literals_whole_and_exactly),
        cmocka_unit_test(pattern_compares_decoded_octets_whatever_their_hex_case),
        cmocka_unit_test(pattern_variable_takes_one_segment_that_is_not_empty),
        cmocka_unit_test(pattern_star_takes_any_one_segment_even_with_an_equals_sign),
        cmocka_unit_test(pattern_rest_takes_zero_or_more_segments),
        cmocka_unit_test(pattern_verb_is_cut_off_the_last_segment),
        cmocka_unit_test(pattern_keeps_an_encoded_slash_inside_its_segment),
        cmocka_unit_test(pattern_refuses_what_no_request_could_have_or_nobody_means),
        cmocka_unit_test(pattern_refuses_more_than_its_limits),
        cmocka_unit_test(patterns_overlap_when_some_path_fits_both),
        cmocka_unit_test(pattern_finds_its_variables_by_name),
    };
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
