/* SPDX-License-Identifier: Apache-2.0 */
/* `bartizan policy test`: the tests that stand in a policy, their coverage, and a report for CI. */
#include "coverage.h"
#include "json_print.h"
#include "junit.h"
#include "policy_session.h"

#include <errno.h>

struct test_run {
    struct arena *arena;
    struct view wanted;        /* part of a name; empty: every test */
    json_t *results;           /* NULL: text */
    struct junit *junit;       /* NULL: no report */
    struct coverage *coverage; /* NULL: not asked for */
    size_t passed, failed;
    enum err err;
};

static bool is_wanted(const struct test_run *run, struct view name)
{
    return view_is_empty(run->wanted) ||
           (name.size > 0 && memmem(name.data, name.size, run->wanted.data, run->wanted.size) != NULL);
}

static void print_result(const struct test_run *run, const struct policy_test_result *result)
{
    if (result->passed)
        return;
    struct arena *arena = run->arena;
    printf("FAILED %.*s\n  --> %.*s:%u:%u\n", VIEW_ARG(text_print(result->name, arena)),
           VIEW_ARG(text_print(result->span.file, arena)), result->span.line, result->span.column);
    line_print("expected", result->expected, arena);
    line_print("got", result->got, arena);
}

static void take_result(void *context, const struct policy_test_result *result)
{
    struct test_run *run = context;
    if (!is_wanted(run, result->name))
        return;
    run->passed += result->passed ? 1 : 0;
    run->failed += result->passed ? 0 : 1;
    if (run->junit != NULL)
        junit_add(run->junit, result, run->arena);
    if (run->coverage != NULL && run->err == ERR_NONE)
        run->err = coverage_add(run->coverage, result->facts, result->decision);
    if (run->results == NULL) {
        print_result(run, result);
        return;
    }
    json_array_append_new(run->results, json_pack("{s:o, s:b, s:o, s:o, s:o, s:i, s:i}", "name",
                                                  json_of_view(result->name, run->arena), "passed", result->passed,
                                                  "expected", json_of_view(result->expected, run->arena), "got",
                                                  json_of_view(result->got, run->arena), "file",
                                                  json_of_view(result->span.file, run->arena), "line",
                                                  (int)result->span.line, "column", (int)result->span.column));
}

/* ---- coverage ---- */

static void print_coverage(const struct coverage *coverage, struct arena *arena)
{
    for (size_t at = 0; at < COVERAGE_PARTS; at++) {
        enum coverage_part part = (enum coverage_part)at;
        printf("%s: %zu of %zu exercised\n", coverage_part_name(part), coverage_seen(coverage, part),
               coverage->total[part]);
        for (size_t i = 0; i < coverage->total[part]; i++) {
            struct span span = coverage_span(coverage, part, i);
            if (!coverage->is_seen[part][i])
                printf("  never %.*s  (%.*s:%u)\n",
                       VIEW_ARG(text_print(coverage_name(coverage, part, i, arena), arena)),
                       VIEW_ARG(text_print(span.file, arena)), span.line);
        }
    }
}

static json_t *coverage_json(const struct coverage *coverage, struct arena *arena)
{
    json_t *object = json_object();
    for (size_t at = 0; at < COVERAGE_PARTS; at++) {
        enum coverage_part part = (enum coverage_part)at;
        json_t *never = json_array();
        for (size_t i = 0; i < coverage->total[part]; i++) {
            struct span span = coverage_span(coverage, part, i);
            if (!coverage->is_seen[part][i])
                json_array_append_new(never, json_pack("{s:o, s:o, s:i}", "name",
                                                       json_of_view(coverage_name(coverage, part, i, arena), arena),
                                                       "file", json_of_view(span.file, arena), "line", (int)span.line));
        }
        json_object_set_new(object, coverage_part_name(part),
                            json_pack("{s:I, s:I, s:o}", "total", (json_int_t)coverage->total[part], "exercised",
                                      (json_int_t)coverage_seen(coverage, part), "never", never));
    }
    return object;
}

/* ---- the run ---- */

struct test_wish {
    const char *path, *wanted, *junit, *coverage;
    bool is_json;
};

static void print_run(const struct test_run *run)
{
    if (run->results == NULL) {
        printf("%zu passed, %zu failed\n", run->passed, run->failed);
        if (run->coverage != NULL)
            print_coverage(run->coverage, run->arena);
        return;
    }
    json_t *object = json_pack("{s:o, s:I, s:I}", "tests", run->results, "passed", (json_int_t)run->passed, "failed",
                               (json_int_t)run->failed);
    if (run->coverage != NULL)
        json_object_set_new(object, "coverage", coverage_json(run->coverage, run->arena));
    json_print(object);
}

static int run_tests(struct session *session, const struct test_wish *wish)
{
    struct coverage coverage = {0};
    struct junit junit = {0};
    struct test_run run = {.arena = &session->arena,
                           .wanted = view_of(wish->wanted),
                           .results = wish->is_json ? json_array() : NULL,
                           .junit = wish->junit != NULL ? &junit : NULL,
                           .coverage = wish->coverage != NULL ? &coverage : NULL};
    if (run.coverage != NULL)
        run.err = coverage_init(&coverage, policy_model(session->policy), &session->arena);
    policy_test(session->policy, take_result, &run);
    print_run(&run);
    if (run.err != ERR_NONE) {
        fprintf(stderr, "bartizan: %s\n", err_text(run.err));
        return exit_code_of(run.err);
    }
    if (run.junit != NULL && !junit_write(&junit, wish->junit, wish->path, run.failed, &session->arena)) {
        fprintf(stderr, "bartizan: %s: %s\n", wish->junit, strerror(errno));
        return EXIT_IO;
    }
    if (run.passed + run.failed == 0) {
        fputs(wish->wanted ? "bartizan: no test has that in its name\n" : "bartizan: the policy has no tests\n",
              stderr);
        return wish->wanted ? EXIT_USAGE : EXIT_GOOD;
    }
    return run.failed > 0 ? EXIT_FAILED : EXIT_GOOD;
}

int policy_test_command(int argc, char **argv)
{
    const char *format = NULL;
    struct test_wish wish = {0};
    size_t count = 0;
    const struct option_spec options[] = {
        {"run", "SUBSTRING", "only tests with this in their name", &wish.wanted},
        {"coverage", NULL, "also what of the policy no test that ran exercised", &wish.coverage},
        {"junit", "FILE", "also write the results to FILE as JUnit XML", &wish.junit},
        {"format", "text|json", "how results are printed", &format},
    };
    const struct usage usage = {
        .line = "bartizan policy test PATH [--run SUBSTRING] [--coverage] [--junit FILE] [--format ..]",
        .summary = "Runs the tests that stand in a policy, by the compiled program and by the\n"
                   "reference interpreter. Exit status 0 when all pass, 1 when one fails, 2 when the\n"
                   "policy does not compile, 3 when no test has SUBSTRING in its name, 4 when FILE\n"
                   "cannot be written. Coverage changes no exit status.",
        .options = options,
        .option_count = 4,
        .operands_least = 1,
        .operands_most = 1};
    int code = options_read(&usage, argc, argv, &wish.path, &count);
    if (code != OPTIONS_GO_ON)
        return code;
    if (!format_parse(format, &wish.is_json))
        return usage_error(&usage, "`--format` is text or json, not `%s`", format);
    AUTO(session_close) struct session session = {0};
    enum err err = session_open(&session, wish.path);
    code = print_findings(&session.diags, wish.is_json && err != ERR_NONE, err);
    return code == EXIT_GOOD ? run_tests(&session, &wish) : code;
}
