/* SPDX-License-Identifier: Apache-2.0 */
#include "why_not.h"

#include "interpret.h"
#include "match.h"

#include <stdlib.h>

enum { LACKS_MAX = 32, QUOTE_MAX = 128 };

/* The lacks of one rule while they are collected. */
struct lacks {
    const struct inquiry *inquiry;
    const struct rule *rule;
    struct lack items[LACKS_MAX];
    size_t count;
};

static void lack_add(struct lacks *lacks, struct view what, struct view words)
{
    for (size_t i = 0; i < lacks->count; i++)
        if (view_equals(lacks->items[i].words, words))
            return;
    if (lacks->count < LACKS_MAX)
        lacks->items[lacks->count++] = (struct lack){.what = what, .words = words};
}

/* ---- resources ----------------------------------------------------------------------- */

static struct view text_add(struct arena *arena, struct view text, const char *between, struct view more)
{
    return view_is_empty(text) ? more : arena_print(arena, "%.*s%s%.*s", VIEW_ARG(text), between, VIEW_ARG(more));
}

static struct view label_words(struct arena *arena, struct view text, const struct label_test *tests, size_t count,
                               const char *is)
{
    for (size_t i = 0; i < count; i++) {
        struct view values = VIEW("");
        for (size_t k = 0; k < tests[i].values.count; k++)
            values = text_add(arena, values, " or ", tests[i].values.items[k]);
        text = text_add(arena, text, ", ",
                        arena_print(arena, "%.*s %s %.*s", VIEW_ARG(tests[i].key), is, VIEW_ARG(values)));
    }
    return text;
}

/* "type model, id fraud-*, tier is low or medium" */
static struct view wanted_resource(const struct inquiry *inquiry, const struct rule *rule)
{
    struct arena *arena = inquiry->scratch;
    struct view text = VIEW(""), ids = VIEW("");
    for (size_t i = 0; i < rule->resources->type_count; i++)
        text = text_add(arena, text, " or ", rule->resources->types[i]->name);
    text = arena_print(arena, "type %.*s", VIEW_ARG(text));
    for (size_t i = 0; i < rule->resources->id_count; i++)
        ids = text_add(arena, ids, " or ",
                       arena_print(arena, "%.*s%s", VIEW_ARG(rule->resources->ids[i].text),
                                   rule->resources->ids[i].is_prefix ? "*" : ""));
    if (rule->resources->id_count > 0)
        text = arena_print(arena, "%.*s, id %.*s", VIEW_ARG(text), VIEW_ARG(ids));
    text = label_words(arena, text, rule->resources->labels, rule->resources->label_count, "is");
    return label_words(arena, text, rule->resources->not_labels, rule->resources->not_label_count, "is not");
}

/* "model fraud-v3 [tier=high, data=pci]" */
static struct view found_words(const struct inquiry *inquiry, const struct found_resource *found)
{
    struct arena *arena = inquiry->scratch;
    struct view labels = VIEW("");
    if (!found->is_known)
        return arena_print(arena, "a %.*s whose id cannot be judged", VIEW_ARG(found->type->name));
    if (!found->entry)
        return arena_print(arena, "%.*s %.*s, which no entry of `resources` lists", VIEW_ARG(found->type->name),
                           VIEW_ARG(view_slice(found->id, 0, QUOTE_MAX)));
    for (size_t i = 0; i < found->entry->label_count; i++)
        labels = text_add(arena, labels, ", ",
                          arena_print(arena, "%.*s=%.*s", VIEW_ARG(found->entry->labels[i].key),
                                      VIEW_ARG(found->entry->labels[i].value)));
    return arena_print(arena, "%.*s %.*s [%.*s]", VIEW_ARG(found->type->name),
                       VIEW_ARG(view_slice(found->id, 0, QUOTE_MAX)), VIEW_ARG(labels));
}

static struct view resource_words(const struct inquiry *inquiry, const struct rule *rule)
{
    struct view wanted = wanted_resource(inquiry, rule), have = VIEW("");
    for (size_t i = 0; i < inquiry->resource_count; i++)
        have = text_add(inquiry->scratch, have, " and ", found_words(inquiry, &inquiry->resources[i]));
    if (inquiry->resource_count == 0)
        return arena_print(inquiry->scratch, "the request is on no host of a resource type; the rule is about %.*s",
                           VIEW_ARG(wanted));
    return arena_print(inquiry->scratch, "the request is about %.*s; the rule is about %.*s", VIEW_ARG(have),
                       VIEW_ARG(wanted));
}

/* ---- the rest -------------------------------------------------------------------------- */

static struct view stage_name(enum explain_stage stage)
{
    switch (stage) {
    case STAGE_WORKLOAD: return VIEW("workload");
    case STAGE_USER:
    case STAGE_ONLY_USER: return VIEW("user");
    case STAGE_BINDING: return VIEW("binding");
    case STAGE_DELEGATION: return VIEW("delegation");
    case STAGE_PURPOSE: return VIEW("purpose");
    case STAGE_CONDITION: return VIEW("condition");
    case STAGE_OBLIGATION: return VIEW("obligation");
    case STAGE_FAR:
    case STAGE_INDETERMINATE: break;
    }
    return VIEW("unjudged");
}

/* Every part of an `all` that is not met, not only the first. */
static void condition_lacks(struct lacks *lacks, const struct condition *condition)
{
    const struct inquiry *inquiry = lacks->inquiry;
    for (size_t i = 0; condition->kind == CONDITION_ALL && i < condition->child_count; i++)
        condition_lacks(lacks, &condition->children[i]);
    if (condition->kind != CONDITION_ALL &&
        match_condition(condition, inquiry->model, inquiry->facts, false) != TRI_TRUE)
        lack_add(lacks, VIEW("condition"), explain_condition(inquiry, condition));
}

static void fail_lacks(struct lacks *lacks, const struct rule_parts *parts)
{
    struct explain_fail fails[EXPLAIN_FAILS_MAX];
    size_t count = explain_fails(lacks->inquiry, lacks->rule, parts, fails);
    for (size_t i = 0; i < count; i++) {
        struct nearest at = {.stage = fails[i].stage, .reason = fails[i].reason, .rule = lacks->rule, .parts = *parts};
        struct decision unused = {0};
        if (fails[i].stage == STAGE_CONDITION)
            condition_lacks(lacks, lacks->rule->when);
        else
            lack_add(lacks, stage_name(fails[i].stage), explain_words(lacks->inquiry, &at, &unused));
    }
}

static void assurance_lacks(struct lacks *lacks)
{
    const struct inquiry *inquiry = lacks->inquiry;
    if (!lacks->rule->terms->assurance)
        return;
    struct assurance_result result = factors_check(lacks->rule->terms->assurance, inquiry->issuer, inquiry->facts,
                                                   inquiry_workload(inquiry, lacks->rule));
    if (result.state == ASSURANCE_UNMET)
        lack_add(lacks, VIEW("assurance"), explain_assurance(inquiry, lacks->rule->terms->assurance, result.missing));
}

/* What the rule reads and nobody can judge. */
static void unjudged_lacks(struct lacks *lacks, const struct rule_standing *standing)
{
    const struct rule_parts *parts = &standing->parts;
    bool is_unjudged = parts->operation == TRI_UNKNOWN || parts->resource == TRI_UNKNOWN ||
                       parts->user == TRI_UNKNOWN || inquiry_purpose(lacks->inquiry, lacks->rule) == TRI_UNKNOWN ||
                       inquiry_conditions(lacks->inquiry, lacks->rule) == TRI_UNKNOWN;
    bool is_said = parts->user == TRI_UNKNOWN && lacks->inquiry->facts->user.state == USER_UNKNOWN;
    if (!is_unjudged || is_said)
        return;
    struct nearest at = {.stage = STAGE_INDETERMINATE, .rule = lacks->rule, .parts = *parts};
    struct decision unused = {0};
    lack_add(lacks, VIEW("unjudged"), explain_words(lacks->inquiry, &at, &unused));
}

static enum err allow_lacks(const struct inquiry *inquiry, const struct rule_standing *standing, struct rule_view *out)
{
    struct lacks lacks = {.inquiry = inquiry, .rule = out->rule};
    if (standing->parts.resource == TRI_FALSE)
        lack_add(&lacks, VIEW("resource"), resource_words(inquiry, out->rule));
    fail_lacks(&lacks, &standing->parts);
    unjudged_lacks(&lacks, standing);
    assurance_lacks(&lacks);
    struct lack *kept = arena_take_array(inquiry->scratch, lacks.count + 1, sizeof *kept);
    if (!kept)
        return ERR_NO_MEMORY;
    memcpy(kept, lacks.items, lacks.count * sizeof *kept);
    out->lacks = kept;
    out->lack_count = lacks.count;
    return ERR_NONE;
}

static int by_priority_and_name(const void *a, const void *b)
{
    const struct rule *one = ((const struct rule_view *)a)->rule, *two = ((const struct rule_view *)b)->rule;
    if (one->priority != two->priority)
        return one->priority > two->priority ? -1 : 1;
    return view_compare(one->name, two->name);
}

enum err why_not(const struct model *model, const struct facts *facts, struct arena *arena, struct why_not *out)
{
    struct inquiry inquiry;
    struct decision unused = {0};
    struct rule_view *rules = arena_take_array(arena, model->rule_count + 1, sizeof *rules);
    *out = (struct why_not){.refused = REASON_INTERNAL, .rules = rules};
    if (!rules)
        return ERR_NO_MEMORY;
    out->refused = interpret_open(&inquiry, model, facts, arena, &unused);
    if (out->refused != REASON_NONE)
        return ERR_NONE;
    for (size_t i = 0; i < model->rule_count; i++) {
        const struct rule *rule = &model->rules[i];
        struct rule_standing standing = interpret_rule(&inquiry, rule);
        if (standing.parts.operation == TRI_FALSE) {
            out->other_count++;
            continue;
        }
        struct rule_view *view = &rules[out->rule_count++];
        *view = (struct rule_view){.rule = rule, .outcome = standing.result.outcome};
        if (rule->effect == RULE_ALLOW && view->outcome != OUTCOME_ALLOW)
            TRY(allow_lacks(&inquiry, &standing, view));
    }
    qsort(rules, out->rule_count, sizeof *rules, by_priority_and_name);
    return ERR_NONE;
}

const char *why_not_outcome(enum outcome outcome)
{
    switch (outcome) {
    case OUTCOME_ALLOW: return "allow";
    case OUTCOME_CHALLENGE: return "challenge";
    case OUTCOME_ASK: return "ask";
    case OUTCOME_DENY: return "deny";
    case OUTCOME_NONE: break;
    }
    return "none";
}
