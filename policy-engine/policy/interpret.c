/* SPDX-License-Identifier: Apache-2.0 */
/* The reference interpreter: semantics S1 to S12 over the model as it stands, rule
 * by rule, without index, order or shortcut. It is kept as plain as it can be, for
 * the compiled program is judged by it. */
#include "interpret.h"
#include "answer.h"
#include "explain.h"
#include "inquiry.h"
#include "match.h"
#include "path_pattern.h"
#include "policy_internal.h"

static bool grpc_fits(const struct inquiry *inquiry, const struct operation *operation)
{
    if (inquiry->path.segment_count != 2 || !view_equals(inquiry->segments[0], operation->grpc->service))
        return false;
    struct view method = inquiry->segments[1];
    if (operation->grpc->method_is_prefix)
        return method.size > 0 && view_starts_with(method, operation->grpc->method);
    return view_equals(method, operation->grpc->method);
}

static bool path_fits(const struct inquiry *inquiry, const struct operation *operation,
                      struct pattern_captures *captures)
{
    if (operation->methods.count > 0 && !match_string(&operation->methods, inquiry->facts->method))
        return false;
    if (!match_hosts(operation->hosts, operation->host_count, inquiry->host, inquiry->port))
        return false;
    if (operation->kind == OPERATION_GRPC)
        return grpc_fits(inquiry, operation);
    return path_pattern_matches(operation->path, inquiry->segments, inquiry->path.segment_count, captures);
}

static enum tri operation_fits(const struct inquiry *inquiry, const struct operation *operation)
{
    return path_fits(inquiry, operation, NULL) ? inquiry_operation(inquiry, operation) : TRI_FALSE;
}

enum tri interpret_action(const struct inquiry *inquiry, const struct action *action)
{
    enum tri any = TRI_FALSE;
    for (size_t i = 0; i < action->operation_count; i++)
        any = tri_or(any, operation_fits(inquiry, &action->operations[i]));
    return any;
}

static enum tri actions_fit(const struct inquiry *inquiry, const struct rule *rule)
{
    enum tri any = rule->action_count == 0 ? TRI_TRUE : TRI_FALSE;
    for (size_t i = 0; i < rule->action_count; i++)
        any = tri_or(any, interpret_action(inquiry, rule->actions[i]));
    return any;
}

/* ---- what S5b asks of operations and bodies ------------------------------ */

static enum reason operations_check(const struct inquiry *inquiry, struct decision *out)
{
    bool slash_is_data = inquiry->slashes == 0, is_unreadable = false;
    for (size_t a = 0; a < inquiry->model->action_count; a++)
        for (size_t i = 0; i < inquiry->model->actions[a].operation_count; i++) {
            const struct operation *operation = &inquiry->model->actions[a].operations[i];
            if (!path_fits(inquiry, operation, NULL))
                continue;
            is_unreadable = is_unreadable ||
                            (inquiry->facts->body.state == BODY_UNREADABLE && inquiry_needs_body(inquiry, operation));
            bool fits = inquiry_operation(inquiry, operation) == TRI_TRUE;
            slash_is_data = slash_is_data || fits;
            if (fits && !view_is_present(out->action))
                out->action = inquiry->model->actions[a].name;
        }
    if (is_unreadable)
        return REASON_REQUEST_BODY;
    return slash_is_data ? REASON_NONE : REASON_REQUEST_PATH;
}

/* ---- resources (S11) ----------------------------------------------------- */

struct id_search {
    struct view id;
    bool is_found;
    bool is_unknown;
    bool is_ambiguous;
};

static void id_add(struct id_search *search, struct view id)
{
    if (!view_is_present(id))
        return;
    if (!match_is_plain_id(id)) {
        search->is_unknown = true;
        return;
    }
    if (search->is_found && !view_equals(search->id, id))
        search->is_ambiguous = true;
    search->is_found = true;
    search->id = id;
}

static void path_ids(const struct inquiry *inquiry, struct view variable, struct id_search *search)
{
    for (size_t a = 0; a < inquiry->model->action_count; a++)
        for (size_t i = 0; i < inquiry->model->actions[a].operation_count; i++) {
            const struct operation *operation = &inquiry->model->actions[a].operations[i];
            struct pattern_captures captures;
            if (operation->kind != OPERATION_HTTP || !path_fits(inquiry, operation, &captures) ||
                inquiry_operation(inquiry, operation) != TRI_TRUE)
                continue;
            size_t index = path_pattern_variable(operation->path, variable);
            if (index < operation->path->variable_count)
                id_add(search, captures.values[index]);
        }
}

static void source_ids(const struct inquiry *inquiry, const struct id_source *source, struct id_search *search)
{
    const struct body_facts *body = &inquiry->facts->body;
    const struct pair *header = NULL;
    switch (source->kind) {
    case ID_PATH: path_ids(inquiry, source->name, search); break;
    case ID_BODY_MODEL: id_add(search, body->state == BODY_READ ? body->model : (struct view){0}); break;
    case ID_BODY_TOOL: id_add(search, body->state == BODY_READ ? body->tool : (struct view){0}); break;
    case ID_LITERAL: id_add(search, source->name); break;
    case ID_HEADER:
        header = facts_header(inquiry->facts, source->name);
        search->is_unknown = search->is_unknown || (header && header->is_repeated);
        id_add(search, header && !header->is_repeated ? header->value : (struct view){0});
        break;
    }
}

static const struct resource *entry_find(const struct model *model, const struct resource_type *type, struct view id)
{
    const struct resource *best = NULL;
    for (size_t i = 0; i < model->resource_count; i++) {
        const struct resource *entry = &model->resources[i];
        if (entry->type != type || !match_id(&entry->id, id))
            continue;
        if (!best || entry->id.text.size > best->id.text.size ||
            (entry->id.text.size == best->id.text.size && !entry->id.is_prefix))
            best = entry;
    }
    return best;
}

static enum reason resources_find(struct inquiry *inquiry)
{
    const struct model *model = inquiry->model;
    struct found_resource *list = arena_take_array(inquiry->scratch, model->type_count + 1, sizeof *list);
    size_t known = 0, on_host = 0;
    bool is_ambiguous = false;
    if (!list)
        return REASON_INTERNAL;
    for (int pass = 0; pass < 2 && known == 0; pass++)
        for (size_t t = 0; t < model->type_count; t++) {
            const struct resource_type *type = &model->types[t];
            if (!match_hosts(type->hosts, type->host_count, inquiry->host, inquiry->port))
                continue;
            struct id_search search = {0};
            for (size_t i = 0; i < type->id_count; i++)
                source_ids(inquiry, &type->ids[i], &search);
            is_ambiguous = is_ambiguous || search.is_ambiguous;
            /* The second pass is for a request on the type's host that names nothing. */
            if (pass == 0 && !search.is_found && !search.is_unknown)
                continue;
            bool is_known = search.is_found && !search.is_unknown;
            list[on_host++] = (struct found_resource){.type = type,
                                                      .is_known = is_known,
                                                      .id = is_known ? search.id : (struct view){0},
                                                      .entry = is_known ? entry_find(model, type, search.id) : NULL};
            known = on_host;
        }
    inquiry->resources = list;
    inquiry->resource_count = on_host;
    return is_ambiguous ? REASON_RESOURCE_AMBIGUOUS : REASON_NONE;
}

/* ---- roles (S7) ---------------------------------------------------------- */

static bool holds_workload_role(const struct inquiry *inquiry, const struct role *role)
{
    for (size_t h = 0; h < role->holder_count; h++)
        for (size_t i = 0; i < role->holders[h]->workload_count; i++)
            if (match_workload(&role->holders[h]->workloads[i], &inquiry->facts->workload))
                return true;
    return false;
}

static enum tri holds_user_role(const struct inquiry *inquiry, const struct role *role)
{
    enum tri any = TRI_FALSE;
    for (size_t h = 0; h < role->holder_count; h++)
        for (size_t i = 0; i < role->holders[h]->user_count; i++)
            any = tri_or(
                any, match_user(&role->holders[h]->users[i], inquiry->model, &inquiry->facts->user, inquiry->issuer));
    return any;
}

static enum tri holds_some_user_role(const struct inquiry *inquiry, const struct rule *rule)
{
    enum tri any = TRI_FALSE;
    for (size_t i = 0; i < rule->subjects->user_role_count; i++)
        any = tri_or(any, holds_user_role(inquiry, rule->subjects->user_roles[i]));
    return any;
}

static bool holds_some_workload_role(const struct inquiry *inquiry, const struct rule *rule)
{
    bool any = false;
    for (size_t i = 0; i < rule->subjects->workload_role_count; i++)
        any = any || holds_workload_role(inquiry, rule->subjects->workload_roles[i]);
    return any;
}

enum tri interpret_role(const struct inquiry *inquiry, const struct role *role)
{
    return role->kind == ROLE_USER ? holds_user_role(inquiry, role) : tri_of(holds_workload_role(inquiry, role));
}

/* ---- rules --------------------------------------------------------------- */

struct rule_standing interpret_rule(const struct inquiry *inquiry, const struct rule *rule)
{
    struct rule_standing own = {0};
    own.parts.operation = actions_fit(inquiry, rule);
    own.parts.resource = inquiry_resource(inquiry, rule, &own.parts.found);
    own.parts.workload = inquiry_workload_demand(inquiry, rule, holds_some_workload_role(inquiry, rule));
    own.parts.user = inquiry_user_demand(inquiry, rule, holds_some_user_role(inquiry, rule));
    enum tri match = tri_and(own.parts.operation, own.parts.resource);
    match = tri_and(match, own.parts.workload);
    match = tri_and(match, own.parts.user);
    match = tri_and(match, inquiry_delegation(inquiry, rule));
    match = tri_and(match, inquiry_purpose(inquiry, rule));
    match = tri_and(match, inquiry_conditions(inquiry, rule));
    own.result = inquiry_outcome(inquiry, rule, match, own.parts.found);
    return own;
}

static int missing_facts(const struct rule_standing *own)
{
    return __builtin_popcount(own->result.assurance.missing);
}

/* The rule of this tier and outcome that decides: of challenges the one that asks
 * for the fewest missing facts, then the smallest name. rule_count when none. */
static size_t tier_find(const struct model *model, const struct rule_standing *all, uint32_t tier, enum outcome outcome)
{
    size_t best = model->rule_count;
    for (size_t i = 0; i < model->rule_count; i++) {
        if (model->rules[i].priority != tier || all[i].result.outcome != outcome)
            continue;
        int fewer = best == model->rule_count || outcome != OUTCOME_CHALLENGE
                        ? 0
                        : missing_facts(&all[i]) - missing_facts(&all[best]);
        if (best == model->rule_count || fewer < 0 ||
            (fewer == 0 && view_compare(model->rules[i].name, model->rules[best].name) < 0))
            best = i;
    }
    return best;
}

/* One more than the highest priority. */
static uint32_t tiers_end(const struct model *model)
{
    uint32_t end = 0;
    for (size_t i = 0; i < model->rule_count; i++)
        end = model->rules[i].priority >= end ? model->rules[i].priority + 1u : end;
    return end;
}

/* What S3 and S4 choose. */
struct choice {
    enum outcome outcome;
    size_t rule;
};

static struct choice choose(const struct model *model, const struct rule_standing *all)
{
    size_t none = model->rule_count, asking = none;
    for (uint32_t tier = tiers_end(model); tier-- > 0;) {
        size_t deny = tier_find(model, all, tier, OUTCOME_DENY), ask = tier_find(model, all, tier, OUTCOME_ASK);
        size_t allow = tier_find(model, all, tier, OUTCOME_ALLOW);
        size_t challenge = tier_find(model, all, tier, OUTCOME_CHALLENGE);
        if (asking == none && ask != none && deny != none &&
            view_compare(model->rules[ask].name, model->rules[deny].name) < 0)
            deny = ask;
        if (deny != none)
            return (struct choice){.outcome = OUTCOME_DENY, .rule = asking != none ? asking : deny};
        asking = asking != none ? asking : ask;
        if (asking != none && (allow != none || challenge != none))
            return (struct choice){.outcome = OUTCOME_ASK, .rule = asking};
        if (allow != none)
            return (struct choice){.outcome = OUTCOME_ALLOW, .rule = allow};
        if (challenge != none)
            return (struct choice){.outcome = OUTCOME_CHALLENGE, .rule = challenge};
    }
    return (struct choice){.outcome = asking != none ? OUTCOME_DENY : OUTCOME_NONE, .rule = asking};
}

static void allow(const struct inquiry *inquiry, const struct rule *rule, const struct found_resource *found,
                  struct decision *out)
{
    struct string_list settable, removals;
    if (answer_settable(inquiry->model, inquiry->scratch, &settable) != ERR_NONE ||
        answer_removals(rule, &settable, inquiry->scratch, &removals) != ERR_NONE) {
        answer_refuse(REASON_INTERNAL, out);
        return;
    }
    answer_allow(inquiry, rule, found, &removals, out);
}

static void default_deny(const struct inquiry *inquiry, const struct rule_standing *all, struct decision *out)
{
    struct nearest nearest = {0};
    for (size_t i = 0; i < inquiry->model->rule_count; i++)
        explain_consider(inquiry, &inquiry->model->rules[i], &all[i].parts, &nearest);
    answer_describe(inquiry, nearest.rule ? nearest.parts.found : NULL, out);
    explain_default(inquiry, &nearest, out);
    out->audit = AUDIT_SUMMARY;
}

static void answer(const struct inquiry *inquiry, const struct rule_standing *all, struct decision *out)
{
    const struct model *model = inquiry->model;
    struct choice choice = choose(model, all);
    if (choice.outcome == OUTCOME_NONE) {
        default_deny(inquiry, all, out);
        return;
    }
    const struct rule *rule = &model->rules[choice.rule];
    const struct rule_standing *own = &all[choice.rule];
    for (size_t i = 0; i < model->rule_count; i++)
        if (all[i].result.outcome != OUTCOME_NONE && model->rules[i].terms->obligations->audit > out->audit)
            out->audit = model->rules[i].terms->obligations->audit;
    answer_describe(inquiry, own->parts.found, out);
    answer_purpose(inquiry, rule, out);
    if (choice.outcome == OUTCOME_DENY) {
        answer_deny(rule, out);
    } else if (choice.outcome == OUTCOME_ALLOW) {
        allow(inquiry, rule, own->parts.found, out);
    } else {
        const struct assurance *wanted =
            rule->effect == RULE_ALLOW ? rule->terms->assurance : rule->terms->unless_assurance;
        answer_challenge(inquiry, rule, wanted, out);
        out->missing = explain_assurance(inquiry, wanted, own->result.assurance.missing);
    }
}

enum reason interpret_open(struct inquiry *inquiry, const struct model *model, const struct facts *facts,
                           struct arena *scratch, struct decision *out)
{
    enum reason reason = inquiry_open(inquiry, model, facts, scratch);
    out->path = inquiry->path.path;
    if (reason == REASON_NONE)
        reason = operations_check(inquiry, out);
    if (reason == REASON_NONE)
        reason = resources_find(inquiry);
    return reason;
}

void policy_interpret(const struct policy *policy, const struct facts *facts, struct arena *scratch,
                      struct decision *out)
{
    *out = (struct decision){0};
    struct inquiry inquiry;
    enum reason reason = interpret_open(&inquiry, &policy->model, facts, scratch, out);
    struct rule_standing *all = arena_take_array(scratch, policy->model.rule_count + 1, sizeof *all);
    if (reason == REASON_NONE && !all)
        reason = REASON_INTERNAL;
    if (reason != REASON_NONE) {
        answer_refuse(reason, out);
        out->audit = AUDIT_SUMMARY;
        return;
    }
    for (size_t i = 0; i < policy->model.rule_count; i++)
        all[i] = interpret_rule(&inquiry, &policy->model.rules[i]);
    answer(&inquiry, all, out);
    out->candidate_tests = (uint32_t)policy->model.rule_count;
}
