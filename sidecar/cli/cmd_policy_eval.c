/* SPDX-License-Identifier: Apache-2.0 */
/* `bartizan policy eval` and `bartizan policy why-not`: described requests. */
#include "decision_print.h"
#include "policy_session.h"
#include "why_not.h"

#include <errno.h>
#include <stdlib.h>

/* ---- how the rules stand ---- */

static bool is_closest(const struct decision *decision, const struct rule *rule)
{
    return view_equals(rule->name, decision->closest) && view_is_present(decision->closest);
}

static const char *standing_words(const struct rule_view *view, const struct decision *decision)
{
    bool is_deciding = view_is_present(decision->rule) && view_equals(view->rule->name, decision->rule);
    switch (view->outcome) {
    case OUTCOME_ALLOW: return is_deciding ? "decides" : "holds, and another rule decides";
    case OUTCOME_CHALLENGE: return is_deciding ? "decides, and lacks assurance" : "lacks assurance";
    case OUTCOME_ASK: return "denies until the user has proved more";
    case OUTCOME_DENY: return is_deciding ? "decides" : "matches, and another rule decides";
    case OUTCOME_NONE: break;
    }
    if (view->rule->effect == RULE_DENY)
        return "does not deny this";
    return is_closest(decision, view->rule) ? "came closest" : "does not allow this";
}

static void print_rule(const struct rule_view *view, const struct decision *decision, struct arena *arena)
{
    const struct rule *rule = view->rule;
    printf("%s %.*s (priority %u): %s\n", rule->effect == RULE_ALLOW ? "allow" : "deny",
           VIEW_ARG(text_print(rule->name, arena)), rule->priority, standing_words(view, decision));
    for (size_t i = 0; i < view->lack_count; i++)
        printf("  %-12.*s %.*s\n", VIEW_ARG(view->lacks[i].what), VIEW_ARG(text_print(view->lacks[i].words, arena)));
}

/* The closest first: it is what most people came for. */
static void print_rules(const struct why_not *why, const struct decision *decision, struct arena *arena)
{
    if (why->refused != REASON_NONE) {
        printf("no rule was asked: %.*s\n", VIEW_ARG(reason_info(why->refused)->sentence));
        return;
    }
    if (why->rule_count == 0)
        printf("no rule is about this request\n");
    for (size_t i = 0; i < why->rule_count; i++)
        if (is_closest(decision, why->rules[i].rule))
            print_rule(&why->rules[i], decision, arena);
    for (size_t i = 0; i < why->rule_count; i++)
        if (!is_closest(decision, why->rules[i].rule))
            print_rule(&why->rules[i], decision, arena);
    if (why->other_count > 0)
        printf("%zu rule%s about other actions\n", why->other_count, why->other_count == 1 ? " is" : "s are");
}

static json_t *rule_json(const struct rule_view *view, const struct decision *decision, struct arena *arena)
{
    json_t *lacks = json_array();
    for (size_t i = 0; i < view->lack_count; i++)
        json_array_append_new(lacks, json_pack("{s:o, s:o}", "what", json_of_view(view->lacks[i].what, arena), "detail",
                                               json_of_view(view->lacks[i].words, arena)));
    return json_pack("{s:o, s:s, s:i, s:s, s:b, s:o}", "rule", json_of_view(view->rule->name, arena), "effect",
                     view->rule->effect == RULE_ALLOW ? "allow" : "deny", "priority", (int)view->rule->priority,
                     "outcome", why_not_outcome(view->outcome), "closest", is_closest(decision, view->rule), "lacks",
                     lacks);
}

static json_t *rules_json(const struct why_not *why, const struct decision *decision, struct arena *arena)
{
    json_t *list = json_array();
    for (size_t i = 0; i < why->rule_count; i++)
        json_array_append_new(list, rule_json(&why->rules[i], decision, arena));
    return list;
}

/* ---- one request ---- */

/* What is asked; `has_rules` adds how every rule stands. */
struct wish {
    const char *path, *given, *requests;
    bool is_json, is_whole, has_rules;
};

/* The decision about `facts`, as JSON where `object` is not NULL, else printed as text. */
static int answer(struct session *session, const struct facts *facts, const struct wish *wish, struct arena *arena,
                  json_t **object)
{
    struct decision decision = {0};
    struct why_not why = {0};
    policy_decide(session->policy, facts, arena, &decision);
    if (wish->has_rules && why_not(policy_model(session->policy), facts, arena, &why) != ERR_NONE)
        return exit_code_of(ERR_NO_MEMORY);
    if (object == NULL) {
        decision_print(&decision, wish->is_whole, arena);
        if (wish->has_rules)
            print_rules(&why, &decision, arena);
        return EXIT_GOOD;
    }
    *object = decision_json(&decision, arena);
    if (wish->has_rules) {
        json_object_set_new(*object, "rules", rules_json(&why, &decision, arena));
        json_object_set_new(*object, "other_rules", json_integer((json_int_t)why.other_count));
    }
    return EXIT_GOOD;
}

static int answer_one(struct session *session, const struct wish *wish)
{
    const struct facts *facts = NULL;
    json_t *object = NULL;
    int code = session_given(session, wish->given, wish->is_json, &facts);
    if (code == EXIT_GOOD)
        code = answer(session, facts, wish, &session->arena, wish->is_json ? &object : NULL);
    if (object != NULL)
        json_print(object);
    return code;
}

/* ---- many requests ---- */

enum { LINE_MAX_BYTES = 1024 * 1024 };

static void close_stream(FILE **stream)
{
    if (*stream != NULL && *stream != stdin)
        (void)fclose(*stream);
}

static void free_line(char **line)
{
    free(*line);
}

/* Each line has memory of its own: a file of any length is read in what its longest line takes. */
static int answer_line(struct session *session, const struct wish *wish, const struct policy_source *line, int64_t now)
{
    AUTO(arena_free) struct arena arena;
    const struct facts *facts = NULL;
    json_t *object = NULL;
    arena_init(&arena, COMMAND_MEMORY);
    enum err err = policy_given(session->policy, line, now, &arena, &session->diags, &facts);
    if (err != ERR_NONE)
        return print_findings(&session->diags, false, err);
    int code = answer(session, facts, wish, &arena, &object);
    if (object != NULL)
        json_print_line(object);
    return code;
}

static int answer_lines(struct session *session, const struct wish *wish)
{
    bool is_stdin = strcmp(wish->requests, "-") == 0;
    AUTO(close_stream) FILE *stream = is_stdin ? stdin : fopen(wish->requests, "re");
    AUTO(free_line) char *text = NULL;
    size_t room = 0, number = 0;
    ssize_t size = 0;
    int64_t now = now_seconds();
    int code = EXIT_GOOD;
    while (stream != NULL && code == EXIT_GOOD && (size = getline(&text, &room, stream)) >= 0) {
        char name[256];
        snprintf(name, sizeof(name), "%s (line %zu)", wish->requests, ++number);
        if (size > LINE_MAX_BYTES) {
            fprintf(stderr, "bartizan: %s: %s\n", name, err_text(ERR_LIMIT));
            return exit_code_of(ERR_LIMIT);
        }
        const struct policy_source line = {.name = view_of(name), .text = {.data = text, .size = (size_t)size}};
        code = answer_line(session, wish, &line, now);
    }
    /* Without memory for a line the stream is at no error, nor at its end. */
    if (stream == NULL || (size < 0 && !feof(stream))) {
        fprintf(stderr, "bartizan: %s: %s\n", wish->requests, strerror(errno));
        return exit_code_of(ERR_IO);
    }
    return code;
}

/* ---- the commands ---- */

static int evaluate(const struct wish *wish)
{
    AUTO(session_close) struct session session = {0};
    enum err err = session_open(&session, wish->path);
    int code = print_findings(&session.diags, wish->is_json && err != ERR_NONE, err);
    if (code != EXIT_GOOD)
        return code;
    return wish->requests != NULL ? answer_lines(&session, wish) : answer_one(&session, wish);
}

int policy_eval_command(int argc, char **argv)
{
    const char *format = NULL, *explain = NULL;
    struct wish wish = {0};
    size_t count = 0;
    const struct option_spec options[] = {
        {"given", "FILE|-", "YAML or JSON with the keys of a test's `given`", &wish.given},
        {"requests", "FILE|-", "many of them, a JSON object a line; a line of JSON answers each", &wish.requests},
        {"explain", NULL, "also how every rule stands to it, and the obligations", &explain},
        {"format", "text|json", "how the decision is printed; JSON for many requests", &format},
    };
    const struct usage usage = {.line = "bartizan policy eval PATH --given FILE|- [--explain] [--format text|json]\n"
                                        "       bartizan policy eval PATH --requests FILE|- [--explain]",
                                .summary =
                                    "Decides about one request that is described as in a policy's tests, or about\n"
                                    "many, in their order, up to the first line that describes none.\n"
                                    "Exit status 0 whatever the verdicts.",
                                .options = options,
                                .option_count = 4,
                                .operands_least = 1,
                                .operands_most = 1};
    int code = options_read(&usage, argc, argv, &wish.path, &count);
    if (code != OPTIONS_GO_ON)
        return code;
    if ((wish.given == NULL) == (wish.requests == NULL))
        return usage_error(&usage, "one of `--given` and `--requests` is needed");
    if (!format_parse(format, &wish.is_json))
        return usage_error(&usage, "`--format` is text or json, not `%s`", format);
    if (wish.requests != NULL && format != NULL && !wish.is_json)
        return usage_error(&usage, "`--requests` prints JSON");
    wish.is_whole = wish.has_rules = explain != NULL;
    return evaluate(&wish);
}

int policy_why_not_command(int argc, char **argv)
{
    const char *format = NULL;
    struct wish wish = {.has_rules = true};
    size_t count = 0;
    const struct option_spec options[] = {
        {"given", "FILE|-", "YAML or JSON with the keys of a test's `given`", &wish.given},
        {"format", "text|json", "how the answer is printed", &format},
    };
    const struct usage usage = {.line = "bartizan policy why-not PATH --given FILE|- [--format text|json]",
                                .summary = "Tells which rule came closest to allowing one described request, and for\n"
                                           "each allow rule about its action everything that is missing or wrong.\n"
                                           "Exit status 0 whatever the verdict.",
                                .options = options,
                                .option_count = 2,
                                .operands_least = 1,
                                .operands_most = 1};
    int code = options_read(&usage, argc, argv, &wish.path, &count);
    if (code != OPTIONS_GO_ON)
        return code;
    if (wish.given == NULL)
        return usage_error(&usage, "`--given` is missing");
    if (!format_parse(format, &wish.is_json))
        return usage_error(&usage, "`--format` is text or json, not `%s`", format);
    return evaluate(&wish);
}
