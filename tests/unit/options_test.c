/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include "commands.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { ARGUMENTS_MAX = 8 };

struct fixture {
    const char *format, *quiet;
    const char *operands[2];
    size_t count;
};

static int read_arguments(struct fixture *f, const char *const *arguments)
{
    *f = (struct fixture){0};
    const struct option_spec options[] = {
        {.name = "format", .metavar = "FORM", .help = "the form", .value = &f->format},
        {.name = "quiet", .help = "says less", .value = &f->quiet},
    };
    const struct usage usage = {.line = "tool PATH",
                                .summary = "A tool.",
                                .options = options,
                                .option_count = 2,
                                .operands_least = 1,
                                .operands_most = 2};
    char *argv[ARGUMENTS_MAX + 2] = {(char *)(uintptr_t) "tool"};
    int argc = 1;
    for (; arguments[argc - 1] != NULL; argc++)
        argv[argc] = (char *)(uintptr_t)arguments[argc - 1];
    return options_read(&usage, argc, argv, f->operands, &f->count);
}

#define READ(f, ...) read_arguments(f, (const char *const[]){__VA_ARGS__, NULL})

static void a_value_stands_behind_a_space_or_a_sign_and_may_not_be_missing(void **state)
{
    struct fixture f;
    (void)state;
    assert_int_equal(READ(&f, "--format", "json", "p"), OPTIONS_GO_ON);
    assert_string_equal(f.format, "json");
    assert_int_equal(READ(&f, "p", "--format=a=b"), OPTIONS_GO_ON);
    assert_string_equal(f.format, "a=b");
    assert_int_equal(READ(&f, "p", "--format="), OPTIONS_GO_ON);
    assert_string_equal(f.format, "");
    assert_int_equal(READ(&f, "p", "--format"), EXIT_USAGE);
}

static void a_flag_takes_no_value_and_is_given_once(void **state)
{
    struct fixture f;
    (void)state;
    assert_int_equal(READ(&f, "--quiet", "p"), OPTIONS_GO_ON);
    assert_string_equal(f.quiet, "");
    assert_int_equal(READ(&f, "--quiet=yes", "p"), EXIT_USAGE);
    assert_int_equal(READ(&f, "--quiet", "--quiet", "p"), EXIT_USAGE);
}

static void an_unknown_option_is_refused_and_behind_two_dashes_an_operand(void **state)
{
    struct fixture f;
    (void)state;
    assert_int_equal(READ(&f, "--formats=x", "p"), EXIT_USAGE);
    assert_int_equal(READ(&f, "-x", "p"), EXIT_USAGE);
    assert_int_equal(READ(&f, "--", "--formats", "-x"), OPTIONS_GO_ON);
    assert_int_equal(f.count, 2);
    assert_string_equal(f.operands[0], "--formats");
    assert_int_equal(READ(&f, "-"), OPTIONS_GO_ON);
    assert_string_equal(f.operands[0], "-");
}

static void a_letter_stands_for_the_one_option_that_begins_with_it(void **state)
{
    struct fixture f;
    (void)state;
    assert_int_equal(READ(&f, "-f", "json", "-q", "p"), OPTIONS_GO_ON);
    assert_string_equal(f.format, "json");
    assert_string_equal(f.quiet, "");
    assert_int_equal(READ(&f, "p", "-f"), EXIT_USAGE);
    assert_int_equal(READ(&f, "-fjson", "p"), EXIT_USAGE);
    assert_int_equal(READ(&f, "-f", "json", "--format", "json", "p"), EXIT_USAGE);
}

static void operands_are_neither_too_few_nor_too_many(void **state)
{
    struct fixture f;
    (void)state;
    assert_int_equal(READ(&f, "--quiet"), EXIT_USAGE);
    assert_int_equal(READ(&f, "a", "b"), OPTIONS_GO_ON);
    assert_int_equal(READ(&f, "a", "b", "c"), EXIT_USAGE);
}

static void help_is_good_but_behind_two_dashes_an_operand(void **state)
{
    struct fixture f;
    (void)state;
    assert_int_equal(READ(&f, "--help"), EXIT_GOOD);
    assert_int_equal(READ(&f, "--", "--help"), OPTIONS_GO_ON);
}

static void a_format_is_text_json_or_left_out(void **state)
{
    bool is_json = true;
    (void)state;
    assert_true(format_parse(NULL, &is_json));
    assert_false(is_json);
    assert_true(format_parse("json", &is_json));
    assert_true(is_json);
    assert_true(format_parse("text", &is_json));
    assert_false(is_json);
    assert_false(format_parse("JSON", &is_json));
    assert_false(format_parse("", &is_json));
}

static int count_arguments(int argc, char **argv)
{
    return argv[0][0] == 'g' ? 40 + argc : 0;
}

static void a_subcommand_runs_with_its_own_arguments_and_an_unknown_one_does_not(void **state)
{
    const struct subcommand table[] = {{.name = "go", .help = "goes", .run = count_arguments}};
    char tool[] = "tool", go[] = "go", goes[] = "goes", help[] = "--help";
    char *known[] = {tool, go, help, NULL}, *unknown[] = {tool, goes, NULL}, *asked[] = {tool, help, NULL};
    (void)state;
    assert_int_equal(subcommand_run("tool", table, 1, 3, known), 42);
    assert_int_equal(subcommand_run("tool", table, 1, 2, unknown), EXIT_USAGE);
    assert_int_equal(subcommand_run("tool", table, 1, 1, known), EXIT_USAGE);
    assert_int_equal(subcommand_run("tool", table, 1, 2, asked), EXIT_GOOD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_stands_behind_a_space_or_a_sign_and_may_not_be_missing),
        cmocka_unit_test(a_flag_takes_no_value_and_is_given_once),
        cmocka_unit_test(an_unknown_option_is_refused_and_behind_two_dashes_an_operand),
        cmocka_unit_test(a_letter_stands_for_the_one_option_that_begins_with_it),
        cmocka_unit_test(operands_are_neither_too_few_nor_too_many),
        cmocka_unit_test(help_is_good_but_behind_two_dashes_an_operand),
        cmocka_unit_test(a_format_is_text_json_or_left_out),
        cmocka_unit_test(a_subcommand_runs_with_its_own_arguments_and_an_unknown_one_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
