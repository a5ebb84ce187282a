/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const int64_t CLOCK = 1795557300; /* 2026-11-24T21:55:00Z */

static char line[LOG_LINE_MAX + 1];

static const char *format(enum log_level level, const struct log_field *fields, size_t count)
{
    line[log_format(line, CLOCK, 7, level, fields, count)] = '\0';
    return line;
}

static const char *format_text(struct view text)
{
    struct log_field fields[] = {log_say("m"), log_text("f", text)};
    return format(LOG_INFO, fields, 2);
}

static void log_line_has_time_level_message_and_fields(void **state)
{
    (void)state;
    struct log_field fields[] = {log_say("snapshot in force"), log_number("generation", 8),
                                 log_text("path", VIEW("/etc/p"))};
    assert_string_equal(format(LOG_WARN, fields, 3),
                        "2026-11-24T21:55:00.007Z warn  snapshot in force generation=8 path=\"/etc/p\"\n");
}

static void log_escapes_what_could_forge_a_line_or_a_field(void **state)
{
    (void)state;
    assert_string_equal(format_text(VIEW("a\nb\" c=\"\\")) + 31, "m f=\"a\\x0ab\\\" c=\\\"\\\\\"\n");
    assert_string_equal(format_text(VIEW("\033[2J\0\x7f")) + 31, "m f=\"\\x1b[2J\\x00\\x7f\"\n");
}

static void log_keeps_utf8_and_escapes_what_is_none(void **state)
{
    (void)state;
    assert_string_equal(format_text(VIEW("k\xc3\xb6nig \xf0\x9f\x94\x91")) + 31,
                        "m f=\"k\xc3\xb6nig \xf0\x9f\x94\x91\"\n");
    assert_string_equal(format_text(VIEW("\xc3")) + 31, "m f=\"\\xc3\"\n");
    assert_string_equal(format_text(VIEW("\xc0\xaf")) + 31, "m f=\"\\xc0\\xaf\"\n");
    assert_string_equal(format_text(VIEW("\xed\xa0\x80")) + 31, "m f=\"\\xed\\xa0\\x80\"\n");
}

static void log_escapes_c1_controls_and_characters_that_reorder_text(void **state)
{
    (void)state;
    assert_string_equal(format_text(VIEW("\xc2\x9b")) + 31, "m f=\"\\xc2\\x9b\"\n");
    assert_string_equal(format_text(VIEW("\xe2\x80\xae")) + 31, "m f=\"\\xe2\\x80\\xae\"\n");
    assert_string_equal(format_text(VIEW("\xe2\x81\xa7")) + 31, "m f=\"\\xe2\\x81\\xa7\"\n");
    assert_string_equal(format_text(VIEW("\xe2\x80\x93")) + 31, "m f=\"\xe2\x80\x93\"\n");
}

static void log_shows_an_absent_text_as_a_dash(void **state)
{
    (void)state;
    assert_string_equal(format_text((struct view){0}) + 31, "m f=\"-\"\n");
}

static void log_cuts_a_long_line_and_says_so(void **state)
{
    (void)state;
    static char text[2 * LOG_LINE_MAX];
    memset(text, '\n', sizeof text);
    const char *out = format_text((struct view){text, sizeof text});
    size_t size = strlen(out);
    assert_true(size <= LOG_LINE_MAX);
    assert_string_equal(out + size - 4, "...\n");
    assert_int_equal(strchr(out, '\n') - out, size - 1);
}

static void log_levels_are_exactly_four(void **state)
{
    (void)state;
    enum log_level level = LOG_ERROR;
    assert_true(log_level_parse(VIEW("debug"), &level));
    assert_int_equal(level, LOG_DEBUG);
    assert_false(log_level_parse(VIEW("DEBUG"), &level));
    assert_false(log_level_parse(VIEW(""), &level));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_line_has_time_level_message_and_fields),
        cmocka_unit_test(log_escapes_what_could_forge_a_line_or_a_field),
        cmocka_unit_test(log_keeps_utf8_and_escapes_what_is_none),
        cmocka_unit_test(log_escapes_c1_controls_and_characters_that_reorder_text),
        cmocka_unit_test(log_shows_an_absent_text_as_a_dash),
        cmocka_unit_test(log_cuts_a_long_line_and_says_so),
        cmocka_unit_test(log_levels_are_exactly_four),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
