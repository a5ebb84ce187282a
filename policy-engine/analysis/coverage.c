/* SPDX-License-Identifier: Apache-2.0 */
#include "coverage.h"

#include "interpret.h"

enum { SCRATCH_MAX = 4 * 1024 * 1024 };

enum err coverage_init(struct coverage *coverage, const struct model *model, struct arena *arena)
{
    *coverage = (struct coverage){.model = model,
                                  .total = {[COVERAGE_RULES] = model->rule_count,
                                            [COVERAGE_ACTIONS] = model->action_count,
                                            [COVERAGE_RESOURCES] = model->resource_count,
                                            [COVERAGE_ROLES] = model->role_count,
                                            [COVERAGE_ASSURANCES] = model->assurance_count}};
    for (size_t part = 0; part < COVERAGE_PARTS; part++) {
        coverage->is_seen[part] = arena_take_array(arena, coverage->total[part] + 1, sizeof(bool));
        if (!coverage->is_seen[part])
            return ERR_NO_MEMORY;
    }
    return ERR_NONE;
}

static void see(struct coverage *coverage, enum coverage_part part, size_t index, bool is_seen)
{
    coverage->is_seen[part][index] = coverage->is_seen[part][index] || is_seen;
}

/* Everything but the assurance holds: then the rule asks for it. */
static bool asks_for_assurance(const struct inquiry *inquiry, const struct rule *rule)
{
    struct rule_terms terms = *rule->terms;
    struct rule bare = *rule;
    terms.assurance = terms.unless_assurance = NULL;
    bare.terms = &terms;
    enum outcome outcome = interpret_rule(inquiry, &bare).result.outcome;
    return outcome == OUTCOME_ALLOW || outcome == OUTCOME_DENY;
}

static void see_rules(struct coverage *coverage, const struct inquiry *inquiry)
{
    for (size_t i = 0; i < coverage->model->rule_count; i++) {
        const struct rule *rule = &coverage->model->rules[i];
        const struct assurance *wanted =
            rule->terms->assurance ? rule->terms->assurance : rule->terms->unless_assurance;
        if (wanted && !coverage->is_seen[COVERAGE_ASSURANCES][wanted->index])
            see(coverage, COVERAGE_ASSURANCES, wanted->index, asks_for_assurance(inquiry, rule));
    }
}

static void see_inquiry(struct coverage *coverage, const struct inquiry *inquiry)
{
    const struct model *model = coverage->model;
    for (size_t i = 0; i < model->action_count; i++)
        see(coverage, COVERAGE_ACTIONS, i, interpret_action(inquiry, &model->actions[i]) == TRI_TRUE);
    for (size_t i = 0; i < inquiry->resource_count; i++)
        if (inquiry->resources[i].entry)
            see(coverage, COVERAGE_RESOURCES, inquiry->resources[i].entry->index, true);
    for (size_t i = 0; i < model->role_count; i++)
        see(coverage, COVERAGE_ROLES, i, interpret_role(inquiry, &model->roles[i]) == TRI_TRUE);
    see_rules(coverage, inquiry);
}

enum err coverage_add(struct coverage *coverage, const struct facts *facts, const struct decision *decision)
{
    struct arena scratch;
    struct inquiry inquiry;
    struct decision unused = {0};
    for (size_t i = 0; i < coverage->model->rule_count; i++)
        see(coverage, COVERAGE_RULES, i,
            view_is_present(decision->rule) && view_equals(decision->rule, coverage->model->rules[i].name));
    arena_init(&scratch, SCRATCH_MAX);
    enum reason reason = interpret_open(&inquiry, coverage->model, facts, &scratch, &unused);
    if (reason == REASON_NONE)
        see_inquiry(coverage, &inquiry);
    arena_free(&scratch);
    return reason == REASON_INTERNAL ? ERR_NO_MEMORY : ERR_NONE;
}

const char *coverage_part_name(enum coverage_part part)
{
    switch (part) {
    case COVERAGE_RULES: return "rules";
    case COVERAGE_ACTIONS: return "actions";
    case COVERAGE_RESOURCES: return "resources";
    case COVERAGE_ROLES: return "roles";
    case COVERAGE_ASSURANCES: return "assurances";
    case COVERAGE_PARTS: break;
    }
    return "";
}

static struct view resource_name(const struct resource *resource, struct arena *arena)
{
    return arena_print(arena, "%.*s %.*s%s", VIEW_ARG(resource->type->name), VIEW_ARG(resource->id.text),
                       resource->id.is_prefix ? "*" : "");
}

struct view coverage_name(const struct coverage *coverage, enum coverage_part part, size_t index, struct arena *arena)
{
    const struct model *model = coverage->model;
    switch (part) {
    case COVERAGE_RULES: return model->rules[index].name;
    case COVERAGE_ACTIONS: return model->actions[index].name;
    case COVERAGE_ROLES: return model->roles[index].name;
    case COVERAGE_ASSURANCES: return model->assurances[index].name;
    case COVERAGE_RESOURCES: return resource_name(&model->resources[index], arena);
    case COVERAGE_PARTS: break;
    }
    return (struct view){0};
}

struct span coverage_span(const struct coverage *coverage, enum coverage_part part, size_t index)
{
    const struct model *model = coverage->model;
    switch (part) {
    case COVERAGE_ACTIONS: return model_span(model, model->actions[index].span);
    case COVERAGE_ROLES: return model_span(model, model->roles[index].span);
    case COVERAGE_ASSURANCES: return model_span(model, model->assurances[index].span);
    case COVERAGE_RESOURCES: return model_span(model, model->resources[index].span);
    case COVERAGE_RULES:
    case COVERAGE_PARTS: break;
    }
    return model_span(model, model->rules[index].span);
}

size_t coverage_seen(const struct coverage *coverage, enum coverage_part part)
{
    size_t seen = 0;
    for (size_t i = 0; i < coverage->total[part]; i++)
        seen += coverage->is_seen[part][i] ? 1 : 0;
    return seen;
}
