/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "utf8.h"

static struct view raw(const char *bytes, size_t size)
{
    return (struct view){.data = bytes, .size = size};
}

static void text_is_utf8_without_nul(void **state)
{
    static const struct {
        struct view good, bad;
    } pairs[] = {
        {{"abc", 3}, {"a\0c", 3}},
        {{"\xc2\x80", 2}, {"\xc1\xbf", 2}},                 /* shortest two bytes, overlong */
        {{"\xdf\xbf", 2}, {"\xdf\x7f", 2}},                 /* tail */
        {{"\xe0\xa0\x80", 3}, {"\xe0\x9f\xbf", 3}},         /* overlong */
        {{"\xed\x9f\xbf", 3}, {"\xed\xa0\x80", 3}},         /* surrogate */
        {{"\xef\xbf\xbf", 3}, {"\xef\xbf", 2}},             /* cut off */
        {{"\xf0\x90\x80\x80", 4}, {"\xf0\x8f\xbf\xbf", 4}}, /* overlong */
        {{"\xf4\x8f\xbf\xbf", 4}, {"\xf4\x90\x80\x80", 4}}, /* above U+10FFFF */
        {{"\x7f", 1}, {"\x80", 1}},
    };

    (void)state;
    assert_true(utf8_is_text((struct view){0}));
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        assert_true(utf8_is_text(pairs[i].good));
        assert_false(utf8_is_text(pairs[i].bad));
    }
}

static void text_is_checked_at_every_place_of_a_long_run(void **state)
{
    (void)state;
    for (size_t size = 1; size <= 80; size++) {
        for (size_t at = 0; at < size; at++) {
            char *run = malloc(size);

            assert_non_null(run);
            memset(run, 'a', size);
            assert_true(utf8_is_text(raw(run, size)));
            run[at] = '\0';
            assert_false(utf8_is_text(raw(run, size)));
            run[at] = (char)0xff;
            assert_false(utf8_is_text(raw(run, size)));
            run[at] = 1; /* next to the bytes that a borrow could touch */
            assert_true(utf8_is_text(raw(run, size)));
            if (at + 1 < size) {
                memcpy(run + at, "\xc3\xa9", 2);
                assert_true(utf8_is_text(raw(run, size)));
                run[at + 1] = 'a';
                assert_false(utf8_is_text(raw(run, size)));
            }
            free(run);
        }
    }
}

static void a_character_is_its_length_and_code_point(void **state)
{
    static const struct {
        struct view text;
        uint32_t code;
    } characters[] = {{{"\0", 1}, 0},
                      {{"a", 1}, 'a'},
                      {{"\xc2\x80", 2}, 0x80},
                      {{"\xe2\x82\xac", 3}, 0x20ac},
                      {{"\xf4\x8f\xbf\xbf", 4}, 0x10ffff}};

    (void)state;
    for (size_t i = 0; i < sizeof characters / sizeof characters[0]; i++) {
        uint32_t code = UINT32_MAX;
        assert_int_equal(utf8_decode(characters[i].text, 0, &code), characters[i].text.size);
        assert_int_equal(code, characters[i].code);
        if (characters[i].text.size > 1)
            assert_int_equal(utf8_decode(raw(characters[i].text.data, characters[i].text.size - 1), 0, &code), 0);
    }
}

static void json_escapes_what_is_hidden_or_no_text(void **state)
{
    static const struct {
        struct view text;
        const char *json;
    } strings[] = {{{"", 0}, "\"\""},
                   {{"a\"\\b", 4}, "\"a\\\"\\\\b\""},
                   {{"\0\n\x7f", 3}, "\"\\u0000\\u000a\\u007f\""},
                   {{"\xe2\x80\xae", 3}, "\"\\u202e\""},
                   {{"\xf3\xa0\x81\x81", 4}, "\"\\udb40\\udc41\""}, /* a tag character, U+E0041 */
                   {{"\xc3\xa9\xff\xf0\x9f\x98\x80", 7}, "\"\xc3\xa9\\ufffd\xf0\x9f\x98\x80\""}};

    (void)state;
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) {
        char *written = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&written, &size);
        assert_non_null(out);
        utf8_print_json(strings[i].text, out);
        assert_int_equal(fclose(out), 0);
        assert_string_equal(written, strings[i].json);
        free(written);
    }
}

static void a_line_hides_nothing(void **state)
{
    (void)state;
    assert_true(utf8_is_line(VIEW("plain, and \xc3\xa9")));
    assert_false(utf8_is_line(VIEW("")));
    assert_false(utf8_is_line((struct view){0}));
    assert_false(utf8_is_line(VIEW("a\nb")));
    assert_false(utf8_is_line(VIEW("a\0b")));
    assert_false(utf8_is_line(VIEW("a\xff")));
    assert_false(utf8_is_line(VIEW("\xe2\x80\xae")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_utf8_without_nul),
        cmocka_unit_test(text_is_checked_at_every_place_of_a_long_run),
        cmocka_unit_test(a_character_is_its_length_and_code_point),
        cmocka_unit_test(a_line_hides_nothing),
        cmocka_unit_test(json_escapes_what_is_hidden_or_no_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
