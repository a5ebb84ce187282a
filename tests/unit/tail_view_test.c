/* SPDX-License-Identifier: Apache-2.0 */
#include "tail_view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ARGUMENTS_MAX = 8 };

static enum err parse(const char *const *arguments, struct tail_options *out)
{
    char *argv[ARGUMENTS_MAX + 2] = {(char *)(uintptr_t) "tail"};
    int argc = 1;
    for (; arguments[argc - 1] != NULL; argc++)
        argv[argc] = (char *)(uintptr_t)arguments[argc - 1];
    return tail_view_parse_options(argc, argv, out);
}

#define PARSE(out, ...) parse((const char *const[]){__VA_ARGS__, NULL}, out)

struct fixture {
    struct tail_options options;
    struct tail_view *view;
    char *text;
    size_t size;
    FILE *out;
};

static void begin(struct fixture *f, struct tail_options options)
{
    *f = (struct fixture){.options = options};
    f->out = open_memstream(&f->text, &f->size);
    assert_non_null(f->out);
    assert_int_equal(tail_view_open(&f->options, f->out, &f->view), ERR_NONE);
}

static void finish(struct fixture *f)
{
    tail_view_close(f->view);
    assert_int_equal(fclose(f->out), 0);
    free(f->text);
}

static bool take(struct fixture *f, uint64_t sequence)
{
    static char buffer[JOURNAL_RECORD_MAX];
    struct audit_event event = {.kind = RECORD_DECISION,
                                .instance = VIEW("pod-1"),
                                .epoch = {1},
                                .sequence = sequence,
                                .decision = {.decision_id = VIEW("d"),
                                             .verdict = VERDICT_ALLOW,
                                             .enforced = VERDICT_ALLOW,
                                             .reason = REASON_RULE,
                                             .rule = VIEW("operators"),
                                             .resource_type = VIEW("model")}};
    return tail_view_take(f->view, (struct view){buffer, audit_event_write(&event, buffer)});
}

static size_t lines(struct fixture *f)
{
    size_t count = 0;
    assert_int_equal(fflush(f->out), 0);
    for (size_t i = 0; i < f->size; i++)
        count += f->text[i] == '\n';
    return count;
}

static void one_source_is_taken_and_none_or_both_refused(void **state)
{
    struct tail_options options;
    (void)state;
    assert_int_equal(PARSE(&options, "--journal", "j", "--from-start", "--no-follow"), ERR_NONE);
    assert_string_equal(options.journal, "j");
    assert_true(options.is_from_start && options.is_once);
    assert_int_equal(PARSE(&options, "--connect", "ipc://x"), ERR_NONE);
    assert_int_equal(PARSE(&options, "--summary"), ERR_INVALID);
    assert_int_equal(PARSE(&options, "--connect", "ipc://x", "--journal", "j"), ERR_INVALID);
    assert_int_equal(PARSE(&options, "--journal", "j", "more"), ERR_INVALID);
}

static void the_live_tap_has_neither_start_nor_end(void **state)
{
    struct tail_options options;
    (void)state;
    assert_int_equal(PARSE(&options, "--connect", "ipc://x", "--from-start"), ERR_INVALID);
    assert_int_equal(PARSE(&options, "--connect", "ipc://x", "--no-follow"), ERR_INVALID);
}

static void numbers_and_formats_are_taken_and_their_neighbours_refused(void **state)
{
    struct tail_options options;
    (void)state;
    assert_int_equal(PARSE(&options, "--journal=j", "--count=3", "--timeout=1000000000", "--format=json"), ERR_NONE);
    assert_int_equal(options.count, 3);
    assert_int_equal(options.timeout, 1000000000);
    assert_int_equal(options.format, TAIL_JSON);
    assert_int_equal(PARSE(&options, "--journal=j", "--timeout=1000000001"), ERR_INVALID);
    assert_int_equal(PARSE(&options, "--journal=j", "--count=-3"), ERR_INVALID);
    assert_int_equal(PARSE(&options, "--journal=j", "--count="), ERR_INVALID);
    assert_int_equal(PARSE(&options, "--journal=j", "--format=jsonl"), ERR_INVALID);
    assert_int_equal(PARSE(&options, "--journal=j", "--strange"), ERR_INVALID);
    assert_int_equal(PARSE(&options, "--journal"), ERR_INVALID);
}

static void the_count_ends_at_its_last_record_and_not_before(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, (struct tail_options){.journal = "j", .count = 2});
    assert_false(take(&f, 0));
    assert_false(take(&f, 0)); /* delivered again: neither shown nor counted */
    assert_true(take(&f, 1));
    assert_int_equal(lines(&f), 2);
    assert_true(tail_view_finish(f.view));
    finish(&f);
}

static void a_gap_makes_the_end_bad_but_with_a_topic_it_is_not_judged(void **state)
{
    struct fixture f;
    (void)state;
    for (int has_topic = 0; has_topic < 2; has_topic++) {
        begin(&f,
              (struct tail_options){.journal = "j", .topic = has_topic ? VIEW("v1.allow.model") : (struct view){0}});
        (void)take(&f, 0);
        (void)take(&f, 2);
        assert_int_equal(lines(&f), 2);
        assert_int_equal(tail_view_finish(f.view), has_topic == 1);
        finish(&f);
    }
}

static void another_topic_is_not_shown(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, (struct tail_options){.journal = "j", .topic = VIEW("v1.deny"), .count = 1});
    assert_false(take(&f, 0));
    assert_int_equal(lines(&f), 0);
    finish(&f);
}

static void a_record_that_does_not_parse_is_not_shown_and_makes_the_end_bad(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, (struct tail_options){.journal = "j", .count = 1});
    assert_false(tail_view_take(f.view, VIEW("\xff\xff")));
    assert_int_equal(lines(&f), 0);
    assert_false(tail_view_finish(f.view));
    finish(&f);
}

static void a_gap_names_its_run_and_a_single_record_only_itself(void **state)
{
    struct fixture f;
    struct sequence_gap gap = {.instance = VIEW("pod\n1"), .first = 3, .last = 5, .is_tail = true};
    (void)state;
    begin(&f, (struct tail_options){.journal = "j"});
    tail_view_print_gap(f.out, &gap);
    assert_int_equal(lines(&f), 1); /* the instance's own line end is escaped */
    assert_non_null(strstr(f.text, "sequence 3 to 5 of epoch 0000"));
    assert_non_null(strstr(f.text, "(its end;"));
    finish(&f);
    begin(&f, (struct tail_options){.journal = "j"});
    gap = (struct sequence_gap){.first = 3, .last = 3};
    tail_view_print_gap(f.out, &gap);
    assert_int_equal(lines(&f), 1);
    assert_non_null(strstr(f.text, "sequence 3 of epoch"));
    assert_null(strstr(f.text, "instance"));
    finish(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_source_is_taken_and_none_or_both_refused),
        cmocka_unit_test(the_live_tap_has_neither_start_nor_end),
        cmocka_unit_test(numbers_and_formats_are_taken_and_their_neighbours_refused),
        cmocka_unit_test(the_count_ends_at_its_last_record_and_not_before),
        cmocka_unit_test(a_gap_makes_the_end_bad_but_with_a_topic_it_is_not_judged),
        cmocka_unit_test(another_topic_is_not_shown),
        cmocka_unit_test(a_record_that_does_not_parse_is_not_shown_and_makes_the_end_bad),
        cmocka_unit_test(a_gap_names_its_run_and_a_single_record_only_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
