/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "diag.h"

#include <stdlib.h>

struct printed {
    struct arena arena;
    struct diag_list list;
    char *text;
    size_t size;
};

static int set_up(void **state)
{
    struct printed *printed = calloc(1, sizeof(*printed));
    if (printed == NULL)
        return -1;
    arena_init(&printed->arena, 1 << 22);
    diag_list_init(&printed->list, &printed->arena);
    *state = printed;
    return 0;
}

static int tear_down(void **state)
{
    struct printed *printed = *state;
    arena_free(&printed->arena);
    free(printed->text);
    free(printed);
    return 0;
}

static const char *print(struct printed *printed, void (*write)(const struct diag_list *list, FILE *out))
{
    free(printed->text);
    printed->text = NULL;
    FILE *out = open_memstream(&printed->text, &printed->size);
    assert_non_null(out);
    write(&printed->list, out);
    assert_int_equal(fclose(out), 0);
    return printed->text;
}

static struct span at(struct view text, uint32_t line, uint32_t column, uint32_t end)
{
    return (struct span){.file = VIEW("policy.yaml"), .text = text, .line = line, .column = column, .end_column = end};
}

static void a_finding_shows_its_place_a_caret_and_a_hint(void **state)
{
    struct printed *printed = *state;
    struct diag diag = {.code = VIEW("E0214"),
                        .span = at(VIEW("a: 1\n  user: [ml-operater]\nb: 2\n"), 2, 10, 21),
                        .path = VIEW("spec.rules[2].subjects.user[0]"),
                        .message = VIEW("unknown role `ml-operater`"),
                        .hint = VIEW("did you mean `ml-operator`?")};
    diag_add(&printed->list, &diag);
    assert_string_equal(print(printed, diag_list_print), "error[E0214]: unknown role `ml-operater`\n"
                                                         "  --> policy.yaml:2:10   spec.rules[2].subjects.user[0]\n"
                                                         "2 |   user: [ml-operater]\n"
                                                         "  |          ^^^^^^^^^^^ did you mean `ml-operator`?\n");
}

static void a_warning_is_no_error(void **state)
{
    struct printed *printed = *state;
    struct diag diag = {.severity = DIAG_WARNING, .code = VIEW("W0001"), .message = VIEW("look")};
    diag_add(&printed->list, &diag);
    assert_int_equal(printed->list.errors, 0);
    assert_string_equal(print(printed, diag_list_print), "warning[W0001]: look\n");
    diag.severity = DIAG_ERROR;
    diag_add(&printed->list, &diag);
    assert_int_equal(printed->list.errors, 1);
}

static void a_caret_stands_under_its_word_behind_tabs_and_wide_text(void **state)
{
    struct printed *printed = *state;
    struct span span = at(VIEW("\tn\xc3\xa9: bad"), 1, 6, 9);
    diag_error(&printed->list, "E0001", &span, "wrong");
    assert_string_equal(print(printed, diag_list_print), "error[E0001]: wrong\n"
                                                         "  --> policy.yaml:1:6\n"
                                                         "1 | \tn\xc3\xa9: bad\n"
                                                         "  | \t    ^^^\n");
}

static void a_finding_never_prints_control_bytes_of_a_file(void **state)
{
    struct printed *printed = *state;
    struct span span = at(VIEW("a: \x1b[2J\xe2\x80\xae\xff x"), 1, 11, 12);
    diag_error(&printed->list, "E0001", &span, "saw %s", "\x1b[31m");
    const char *text = print(printed, diag_list_print);
    assert_null(strchr(text, 0x1b));
    assert_null(strstr(text, "\xe2\x80\xae"));
    assert_non_null(strstr(text, "a: \\x1b[2J\\u{202e}\\xff x\n"));
    assert_non_null(strstr(text, "saw \\x1b[31m"));
    assert_non_null(strstr(text, "\n  |                        ^\n"));
}

static void a_long_line_is_shown_around_its_caret(void **state)
{
    struct printed *printed = *state;
    char line[5000];
    memset(line, 'x', sizeof(line));
    line[4000] = 'Y';
    struct span span = at((struct view){line, sizeof(line)}, 1, 4001, 4002);
    diag_error(&printed->list, "E0001", &span, "wrong");
    const char *text = print(printed, diag_list_print);
    assert_in_range(printed->size, 100, 600);
    const char *mark = strchr(text, '^'), *letter = strchr(text, 'Y');
    assert_non_null(letter);
    assert_int_equal(letter - strstr(text, "1 |"), mark - strstr(text, "  | "));
}

static void findings_over_the_cap_are_counted(void **state)
{
    struct printed *printed = *state;
    struct span span = {0};
    for (int i = 0; i < DIAG_CAP + 3; i++)
        diag_error(&printed->list, "E0001", &span, "number %d", i);
    assert_int_equal(printed->list.count, DIAG_CAP);
    assert_int_equal(printed->list.errors, DIAG_CAP + 3);
    assert_non_null(strstr(print(printed, diag_list_print), "and 3 more\n"));
}

static void findings_as_json_escape_what_json_must(void **state)
{
    struct printed *printed = *state;
    struct diag diag = {.code = VIEW("E0001"), .span = at(VIEW("a"), 1, 1, 2), .message = VIEW("a\"b\\c\x01\xff")};
    diag_add(&printed->list, &diag);
    assert_string_equal(print(printed, diag_list_print_json),
                        "[{\"severity\":\"error\",\"code\":\"E0001\",\"file\":\"policy.yaml\",\"line\":1,\"column\":1,"
                        "\"path\":null,\"message\":\"a\\\"b\\\\c\\u0001\\ufffd\",\"hint\":null}]\n");
}

static void a_near_word_is_suggested_and_a_far_one_is_not(void **state)
{
    static const struct view words[] = {{"subjects", 8}, {"resources", 9}, {"when", 4}};
    (void)state;
    assert_true(view_equals(diag_nearest(VIEW("subject"), words, 3), VIEW("subjects")));
    assert_true(view_equals(diag_nearest(VIEW("resuorces"), words, 3), VIEW("resources")));
    assert_false(view_is_present(diag_nearest(VIEW("unrelated"), words, 3)));
    assert_false(view_is_present(diag_nearest(VIEW(""), words, 3)));
    assert_false(view_is_present(diag_nearest(VIEW("subject"), words, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_finding_shows_its_place_a_caret_and_a_hint, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_warning_is_no_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_caret_stands_under_its_word_behind_tabs_and_wide_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_finding_never_prints_control_bytes_of_a_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_long_line_is_shown_around_its_caret, set_up, tear_down),
        cmocka_unit_test_setup_teardown(findings_over_the_cap_are_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(findings_as_json_escape_what_json_must, set_up, tear_down),
        cmocka_unit_test(a_near_word_is_suggested_and_a_far_one_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
