/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"
#include "commands.h"
#include "decision_print.h"
#include "options.h"
#include "policy.h"

#include <errno.h>

enum { GIVEN_MAX = 1024 * 1024 };

static void drop_policy(struct policy **policy)
{
    policy_free(*policy);
}

/* What every subcommand begins with: a policy that was read, or its findings printed. */
struct session {
    struct arena arena;
    struct diag_list diags;
    struct policy *policy;
};

static void session_close(struct session *session)
{
    drop_policy(&session->policy);
    arena_free(&session->arena);
}

static enum err session_open(struct session *session, const char *path)
{
    arena_init(&session->arena, COMMAND_MEMORY);
    diag_list_init(&session->diags, &session->arena);
    return policy_read(path, &session->diags, &session->policy);
}

/* ---- policy check ---- */

static int check(int argc, char **argv)
{
    const char *format = NULL, *path = NULL;
    size_t count = 0;
    bool is_json = false;
    const struct option_spec options[] = {{"format", "text|json", "how findings are printed", &format}};
    const struct usage usage = {
        .line = "bartizan policy check PATH [--format text|json]",
        .summary = "Reads a policy file, or every *.yaml of a folder, and prints every finding with its place.\n"
                   "Exit status 0 when a sidecar would take it (warnings are printed all the same), 2 when not.",
        .options = options,
        .option_count = 1,
        .operands_least = 1,
        .operands_most = 1};
    int code = options_read(&usage, argc, argv, &path, &count);
    if (code != OPTIONS_GO_ON)
        return code;
    if (!format_parse(format, &is_json))
        return usage_error(&usage, "`--format` is text or json, not `%s`", format);
    AUTO(session_close) struct session session = {0};
    enum err err = session_open(&session, path);
    code = print_findings(&session.diags, is_json, err);
    if (err == ERR_NONE && !is_json)
        printf("%s: %zu rules, digest %.*s\n", path, policy_rule_count(session.policy),
               VIEW_ARG(policy_digest(session.policy)));
    return code;
}

/* ---- policy test ---- */

struct test_run {
    struct arena *arena;
    struct view wanted; /* part of a name; empty: every test */
    json_t *results;    /* NULL: text */
    size_t passed, failed;
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

static int run_tests(struct session *session, const char *wanted, bool is_json)
{
    struct test_run run = {
        .arena = &session->arena, .wanted = view_of(wanted), .results = is_json ? json_array() : NULL};
    policy_test(session->policy, take_result, &run);
    if (is_json)
        json_print(json_pack("{s:o, s:I, s:I}", "tests", run.results, "passed", (json_int_t)run.passed, "failed",
                             (json_int_t)run.failed));
    else
        printf("%zu passed, %zu failed\n", run.passed, run.failed);
    if (run.passed + run.failed == 0) {
        fputs(wanted ? "bartizan: no test has that in its name\n" : "bartizan: the policy has no tests\n", stderr);
        return wanted ? EXIT_USAGE : EXIT_GOOD;
    }
    return run.failed > 0 ? EXIT_FAILED : EXIT_GOOD;
}

static int test(int argc, char **argv)
{
    const char *format = NULL, *wanted = NULL, *path = NULL;
    size_t count = 0;
    bool is_json = false;
    const struct option_spec options[] = {
        {"format", "text|json", "how results are printed", &format},
        {"run", "SUBSTRING", "only tests with this in their name", &wanted},
    };
    const struct usage usage = {.line = "bartizan policy test PATH [--run SUBSTRING] [--format text|json]",
                                .summary = "Runs the tests that stand in a policy, by the compiled program and by the\n"
                                           "reference interpreter. Exit status 1 when one fails.",
                                .options = options,
                                .option_count = 2,
                                .operands_least = 1,
                                .operands_most = 1};
    int code = options_read(&usage, argc, argv, &path, &count);
    if (code != OPTIONS_GO_ON)
        return code;
    if (!format_parse(format, &is_json))
        return usage_error(&usage, "`--format` is text or json, not `%s`", format);
    AUTO(session_close) struct session session = {0};
    enum err err = session_open(&session, path);
    code = print_findings(&session.diags, is_json && err != ERR_NONE, err);
    return code == EXIT_GOOD ? run_tests(&session, wanted, is_json) : code;
}

/* ---- policy eval ---- */

static int evaluate(struct session *session, const char *file, bool is_whole, bool is_json)
{
    struct policy_source given = {.name = view_of(file)};
    struct decision decision = {0};
    enum err err = read_whole(file, GIVEN_MAX, &session->arena, &given.text);
    if (err != ERR_NONE) {
        fprintf(stderr, "bartizan: %s: %s\n", file, err == ERR_IO ? strerror(errno) : err_text(err));
        return exit_code_of(err);
    }
    err = policy_eval_given(session->policy, &given, now_seconds(), &session->arena, &session->diags, &decision);
    if (err != ERR_NONE)
        return print_findings(&session->diags, is_json, err);
    if (is_json)
        json_print(decision_json(&decision, &session->arena));
    else
        decision_print(&decision, is_whole, &session->arena);
    return EXIT_GOOD;
}

static int eval(int argc, char **argv)
{
    const char *format = NULL, *given = NULL, *explain = NULL, *path = NULL;
    size_t count = 0;
    bool is_json = false;
    const struct option_spec options[] = {
        {"given", "FILE|-", "YAML or JSON with the keys of a test's `given`", &given},
        {"explain", NULL, "also what the request was found to be, and the obligations", &explain},
        {"format", "text|json", "how the decision is printed", &format},
    };
    const struct usage usage = {.line = "bartizan policy eval PATH --given FILE|- [--explain] [--format text|json]",
                                .summary = "Decides about one request that is described as in a policy's tests.\n"
                                           "Exit status 0 whatever the verdict.",
                                .options = options,
                                .option_count = 3,
                                .operands_least = 1,
                                .operands_most = 1};
    int code = options_read(&usage, argc, argv, &path, &count);
    if (code != OPTIONS_GO_ON)
        return code;
    if (given == NULL)
        return usage_error(&usage, "`--given` is missing");
    if (!format_parse(format, &is_json))
        return usage_error(&usage, "`--format` is text or json, not `%s`", format);
    AUTO(session_close) struct session session = {0};
    enum err err = session_open(&session, path);
    code = print_findings(&session.diags, is_json && err != ERR_NONE, err);
    return code == EXIT_GOOD ? evaluate(&session, given, explain != NULL, is_json) : code;
}

int cmd_policy(int argc, char **argv)
{
    static const struct subcommand table[] = {
        {"check", "find every error of a policy", check},
        {"test", "run the tests that stand in a policy", test},
        {"eval", "decide about one described request", eval},
    };
    return subcommand_run("bartizan policy", table, sizeof table / sizeof table[0], argc, argv);
}
