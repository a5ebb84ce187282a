/* SPDX-License-Identifier: Apache-2.0 */
/* `bartizan policy eval` and `bartizan policy why-not`: one described request. */
#include "decision_print.h"
#include "policy_session.h"
#include "why_not.h"

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

/* ---- the commands ---- */

/* What both print; `has_rules` adds how every rule stands. */
struct wish {
    const char *path, *given;
    bool is_json, is_whole, has_rules;
};

static int print_answer(struct session *session, const struct facts *facts, const struct wish *wish)
{
    struct decision decision = {0};
    struct why_not why = {0};
    policy_decide(session->policy, facts, &session->arena, &decision);
    if (wish->has_rules && why_not(policy_model(session->policy), facts, &session->arena, &why) != ERR_NONE)
        return exit_code_of(ERR_NO_MEMORY);
    if (!wish->is_json) {
        decision_print(&decision, wish->is_whole, &session->arena);
        if (wish->has_rules)
            print_rules(&why, &decision, &session->arena);
        return EXIT_GOOD;
    }
    json_t *object = decision_json(&decision, &session->arena);
    if (wish->has_rules) {
        json_object_set_new(object, "rules", rules_json(&why, &decision, &session->arena));
        json_object_set_new(object, "other_rules", json_integer((json_int_t)why.other_count));
    }
    json_print(object);
    return EXIT_GOOD;
}

static int evaluate(const struct wish *wish)
{
    AUTO(session_close) struct session session = {0};
    const struct facts *facts = NULL;
    enum err err = session_open(&session, wish->path);
    int code = print_findings(&session.diags, wish->is_json && err != ERR_NONE, err);
    if (code == EXIT_GOOD)
        code = session_given(&session, wish->given, wish->is_json, &facts);
    return code == EXIT_GOOD ? print_answer(&session, facts, wish) : code;
}

int policy_eval_command(int argc, char **argv)
{
    const char *format = NULL, *explain = NULL;
    struct wish wish = {0};
    size_t count = 0;
    const struct option_spec options[] = {
        {"given", "FILE|-", "YAML or JSON with the keys of a test's `given`", &wish.given},
        {"explain", NULL, "also how every rule stands to it, and the obligations", &explain},
        {"format", "text|json", "how the decision is printed", &format},
    };
    const struct usage usage = {.line = "bartizan policy eval PATH --given FILE|- [--explain] [--format text|json]",
                                .summary = "Decides about one request that is described as in a policy's tests.\n"
                                           "Exit status 0 whatever the verdict.",
                                .options = options,
                                .option_count = 3,
                                .operands_least = 1,
                                .operands_most = 1};
    int code = options_read(&usage, argc, argv, &wish.path, &count);
    if (code != OPTIONS_GO_ON)
        return code;
    if (wish.given == NULL)
        return usage_error(&usage, "`--given` is missing");
    if (!format_parse(format, &wish.is_json))
        return usage_error(&usage, "`--format` is text or json, not `%s`", format);
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
