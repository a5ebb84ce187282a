/* SPDX-License-Identifier: Apache-2.0 */
#include "lint.h"

#include "lint_covers.h"
#include "match.h"

#include <stdarg.h>

enum { MESSAGE_MAX = 1024 };

static const char *const CODES[LINT_CODES] = {
#define X(symbol, code, sentence) [symbol] = (code),
#include "lint_codes.def"
#undef X
};

const char *lint_code_text(enum lint_code code)
{
    return CODES[code];
}

static void warn(struct diag_list *diags, enum lint_code code, struct span span, struct view hint, const char *format,
                 ...) __attribute__((format(printf, 5, 6)));

static void warn(struct diag_list *diags, enum lint_code code, struct span span, struct view hint, const char *format,
                 ...)
{
    char message[MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    size_t kept = size < 0 ? 0 : (size_t)size < sizeof(message) ? (size_t)size : sizeof(message) - 1;
    struct diag diag = {.severity = DIAG_WARNING,
                        .code = view_of(CODES[code]),
                        .span = span,
                        .message = {.data = message, .size = kept},
                        .hint = hint};
    diag_add(diags, &diag);
}

/* ---- tokens that work from anywhere ----------------------------------------------------- */

static void stolen_tokens(const struct model *model, struct diag_list *diags)
{
    for (size_t i = 0; i < model->rule_count; i++) {
        const struct rule *rule = &model->rules[i];
        bool is_for_users = rule->subjects->user_demand == USER_ANY || rule->subjects->user_demand == USER_ROLES ||
                            rule->terms->assurance;
        bool is_bound = rule->terms->assurance && rule->terms->assurance->bound != BINDING_NONE;
        bool is_delegated = rule->subjects->delegation == DELEGATION_PEER; /* the actor is the caller */
        if (rule->effect == RULE_ALLOW && is_for_users && rule->subjects->workload_demand == WORKLOAD_UNCONSTRAINED &&
            !is_bound && !is_delegated)
            warn(diags, LINT_STOLEN_TOKEN, model_span(model, rule->span),
                 VIEW("say which workload may carry it, or demand an assurance with `bound: workload`"),
                 "`%.*s` allows users alone: a stolen token works from any pod", VIEW_ARG(rule->name));
    }
}

/* ---- denies that somebody slips by leaving something out ---------------------------------- */

/* What a condition comes to when one value is left out and the others are whatever they are. */
enum without { WITHOUT_OPEN = 0, WITHOUT_FALSE, WITHOUT_TRUE };

static bool is_same_value(const struct condition *a, const struct condition *b)
{
    if (a->kind != b->kind)
        return false;
    return a->kind == CONDITION_CLAIM ? view_equals(a->parts->path->text, b->parts->path->text)
                                      : view_equals(a->name, b->name);
}

static enum without without(const struct condition *condition, const struct condition *left_out)
{
    bool is_any = condition->kind == CONDITION_ANY, has_true = false, has_false = false;
    if (condition->kind == CONDITION_NOT) {
        enum without one = without(&condition->children[0], left_out);
        return one == WITHOUT_OPEN ? one : one == WITHOUT_TRUE ? WITHOUT_FALSE : WITHOUT_TRUE;
    }
    if (is_same_value(condition, left_out))
        return condition->test.kind == TEST_PRESENT && !condition->test.present ? WITHOUT_TRUE : WITHOUT_FALSE;
    for (size_t i = 0; i < condition->child_count; i++) {
        enum without one = without(&condition->children[i], left_out);
        has_true = has_true || one == WITHOUT_TRUE;
        has_false = has_false || one == WITHOUT_FALSE;
    }
    if (is_any)
        return has_true ? WITHOUT_TRUE : has_false ? WITHOUT_FALSE : WITHOUT_OPEN;
    return has_false ? WITHOUT_FALSE : has_true ? WITHOUT_TRUE : WITHOUT_OPEN;
}

static bool reads_claims(const struct condition *condition)
{
    if (!condition)
        return false;
    if (condition->kind == CONDITION_CLAIM)
        return true;
    for (size_t i = 0; i < condition->child_count; i++)
        if (reads_claims(&condition->children[i]))
            return true;
    return false;
}

static bool share_an_action(const struct rule *a, const struct rule *b)
{
    if (a->action_count == 0 || b->action_count == 0)
        return true;
    for (size_t i = 0; i < a->action_count; i++)
        for (size_t k = 0; k < b->action_count; k++)
            if (a->actions[i] == b->actions[k])
                return true;
    return false;
}

/* An allow for what `deny` is about that goes on without a token; NULL when there is none. */
static const struct rule *open_allow(const struct model *model, const struct rule *deny)
{
    for (size_t i = 0; i < model->rule_count; i++) {
        const struct rule *rule = &model->rules[i];
        bool is_open = rule->subjects->user_demand == USER_UNCONSTRAINED || rule->subjects->user_demand == USER_NONE;
        bool wants_token = rule->terms->assurance || rule->subjects->delegation == DELEGATION_ANY ||
                           rule->subjects->delegation == DELEGATION_PEER ||
                           (rule->terms->purpose->is_demanded && rule->terms->purpose->is_claim) ||
                           reads_claims(rule->when);
        if (rule->effect == RULE_ALLOW && is_open && !wants_token && share_an_action(deny, rule))
            return rule;
    }
    return NULL;
}

/* A client writes its headers; its issuer writes the claims, but the client may send no token. */
static void slipped_values(const struct model *model, const struct rule *deny, const struct condition *condition,
                           struct diag_list *diags)
{
    for (size_t i = 0; i < condition->child_count && condition->kind != CONDITION_NOT; i++)
        slipped_values(model, deny, &condition->children[i], diags);
    bool is_header = condition->kind == CONDITION_HEADER;
    bool is_claim = condition->kind == CONDITION_CLAIM && deny->subjects->user_demand == USER_UNCONSTRAINED &&
                    open_allow(model, deny) != NULL;
    if ((!is_header && !is_claim) || condition->test.kind == TEST_PRESENT ||
        without(deny->when, condition) != WITHOUT_FALSE)
        return;
    struct view name = is_header ? condition->name : condition->parts->path->text;
    struct view hint = arena_print(diags->arena, "add `any: [.., {%s: {name: %.*s, present: false}}]`",
                                   is_header ? "header" : "claim", VIEW_ARG(name));
    warn(diags, LINT_SLIPPED_VALUE, model_span(model, condition->span), hint,
         "`%.*s` does not deny who leaves %s %.*s out", VIEW_ARG(deny->name), is_header ? "header" : "claim",
         VIEW_ARG(name));
}

static void slipped_denies(const struct model *model, struct diag_list *diags)
{
    for (size_t i = 0; i < model->rule_count; i++) {
        const struct rule *rule = &model->rules[i];
        const struct rule *open = rule->effect == RULE_DENY ? open_allow(model, rule) : NULL;
        if (rule->effect == RULE_DENY && rule->when)
            slipped_values(model, rule, rule->when, diags);
        if (open && rule->subjects->user_demand == USER_ROLES)
            warn(diags, LINT_SLIPPED_USER, model_span(model, rule->span), VIEW("let that allow demand `user: any`"),
                 "`%.*s` does not deny who sends no token, and `%.*s` allows without one", VIEW_ARG(rule->name),
                 VIEW_ARG(open->name));
    }
}

/* ---- what a proxy's word is enough for ------------------------------------------------------ */

static bool is_among(const struct string_list *list, struct view value)
{
    for (size_t i = 0; i < list->count; i++)
        if (view_equals(list->items[i], value))
            return true;
    return false;
}

static bool share_a_value(const struct string_list *a, const struct string_list *b)
{
    for (size_t i = 0; i < a->count; i++)
        if (is_among(b, a->items[i]))
            return true;
    return false;
}

/* No resource is selected by both: they ask one label for different values. */
static bool are_apart(const struct rule_resources *a, const struct rule_resources *b)
{
    for (size_t i = 0; i < a->label_count; i++)
        for (size_t k = 0; k < b->label_count; k++)
            if (view_equals(a->labels[i].key, b->labels[k].key) &&
                !share_a_value(&a->labels[i].values, &b->labels[k].values))
                return true;
    return false;
}

/* A rule, `rule` itself perhaps, that wants an assurance for what `rule` allows; NULL when there is none. */
static const struct rule *guard_of(const struct model *model, const struct rule *rule)
{
    for (size_t i = 0; i < model->rule_count; i++) {
        const struct rule *other = &model->rules[i];
        if ((other->terms->assurance || other->terms->unless_assurance) && share_an_action(rule, other) &&
            !are_apart(rule->resources, other->resources))
            return other;
    }
    return NULL;
}

static void believed_callers(const struct model *model, struct diag_list *diags)
{
    for (size_t i = 0; i < model->rule_count; i++) {
        const struct rule *rule = &model->rules[i];
        bool is_weak = rule->effect == RULE_ALLOW && rule->subjects->accepts_xfcc_text;
        const struct rule *guard = is_weak ? guard_of(model, rule) : NULL;
        if (guard)
            warn(diags, LINT_BELIEVED_CALLER, model_span(model, rule->span),
                 VIEW("leave `proof` out, and let the proxies send the certificate"),
                 "`%.*s` takes a proxy's word for the caller, where `%.*s` asks for an assurance", VIEW_ARG(rule->name),
                 VIEW_ARG(guard->name));
    }
}

/* ---- what nothing uses -------------------------------------------------------------------- */

static bool names_role(const struct model *model, const struct role *role)
{
    bool is_named = false;
    for (size_t i = 0; i < model->rule_count; i++) {
        const struct rule *rule = &model->rules[i];
        for (size_t k = 0; k < rule->subjects->workload_role_count; k++)
            is_named = is_named || rule->subjects->workload_roles[k] == role;
        for (size_t k = 0; k < rule->subjects->user_role_count; k++)
            is_named = is_named || rule->subjects->user_roles[k] == role;
    }
    return is_named;
}

static void roles(const struct model *model, struct diag_list *diags)
{
    for (size_t i = 0; i < model->role_count; i++) {
        const struct role *role = &model->roles[i];
        bool is_used = false;
        size_t members = 0;
        for (size_t k = 0; k < role->held_count; k++)
            is_used = is_used || names_role(model, role->held[k]);
        for (size_t k = 0; k < role->holder_count; k++)
            members += role->holders[k]->workload_count + role->holders[k]->user_count;
        if (!is_used)
            warn(diags, LINT_ROLE_UNUSED, model_span(model, role->span),
                 VIEW("name it in a rule's `subjects`, or remove it"), "role `%.*s` is never used",
                 VIEW_ARG(role->name));
        if (members == 0)
            warn(diags, LINT_ROLE_EMPTY, model_span(model, role->span), VIEW("give it `members`"),
                 "role `%.*s` has no members: nobody can hold it", VIEW_ARG(role->name));
    }
}

static void assurances(const struct model *model, struct diag_list *diags)
{
    for (size_t i = 0; i < model->assurance_count; i++) {
        const struct assurance *assurance = &model->assurances[i];
        bool is_used = false;
        for (size_t k = 0; k < model->rule_count; k++)
            is_used = is_used || model->rules[k].terms->assurance == assurance ||
                      model->rules[k].terms->unless_assurance == assurance;
        if (!is_used)
            warn(diags, LINT_ASSURANCE_UNUSED, model_span(model, assurance->span),
                 VIEW("demand it in a rule, or remove it"), "assurance `%.*s` is never demanded",
                 VIEW_ARG(assurance->name));
    }
}

/* A rule without `actions` reads the ids of its resources out of any action's path. */
static bool is_action_used(const struct model *model, const struct action *action)
{
    bool is_used = false;
    for (size_t i = 0; i < model->rule_count; i++) {
        const struct rule *rule = &model->rules[i];
        is_used = is_used || (rule->action_count == 0 && rule->has_resources);
        for (size_t k = 0; k < rule->action_count; k++)
            is_used = is_used || rule->actions[k] == action;
    }
    return is_used;
}

static void actions(const struct model *model, struct diag_list *diags)
{
    for (size_t i = 0; i < model->action_count; i++)
        if (!is_action_used(model, &model->actions[i]))
            warn(diags, LINT_ACTION_UNUSED, model_span(model, model->actions[i].span),
                 VIEW("name it in a rule's `actions`, or remove it"), "action `%.*s` is never used",
                 VIEW_ARG(model->actions[i].name));
}

/* ---- resources ------------------------------------------------------------------------------ */

static bool label_holds(const struct label_test *test, const struct resource *resource)
{
    for (size_t i = 0; i < resource->label_count; i++)
        if (view_equals(resource->labels[i].key, test->key))
            return match_string(&test->values, resource->labels[i].value);
    return false;
}

/* Two id patterns have an id in common. */
static bool ids_meet(const struct id_pattern *a, const struct id_pattern *b)
{
    if (a->is_prefix && b->is_prefix)
        return view_starts_with(a->text, b->text) || view_starts_with(b->text, a->text);
    return a->is_prefix ? match_id(a, b->text) : match_id(b, a->text);
}

static bool selects(const struct rule *rule, const struct resource *resource)
{
    bool has_type = false, has_id = rule->resources->id_count == 0;
    for (size_t i = 0; i < rule->resources->type_count; i++)
        has_type = has_type || rule->resources->types[i] == resource->type;
    for (size_t i = 0; i < rule->resources->id_count; i++)
        has_id = has_id || ids_meet(&rule->resources->ids[i], &resource->id);
    bool fits = rule->has_resources && has_type && has_id;
    for (size_t i = 0; i < rule->resources->label_count; i++)
        fits = fits && label_holds(&rule->resources->labels[i], resource);
    for (size_t i = 0; i < rule->resources->not_label_count; i++)
        fits = fits && !label_holds(&rule->resources->not_labels[i], resource);
    return fits;
}

/* Labels of `outer` that `inner`, which lies inside it, does not say anything of. */
static struct view dropped_labels(const struct resource *outer, const struct resource *inner, struct arena *arena)
{
    struct view text = VIEW("");
    for (size_t i = 0; i < outer->label_count; i++) {
        bool is_said = false;
        for (size_t k = 0; k < inner->label_count; k++)
            is_said = is_said || view_equals(inner->labels[k].key, outer->labels[i].key);
        if (!is_said)
            text =
                arena_print(arena, "%.*s%s%.*s", VIEW_ARG(text), text.size ? ", " : "", VIEW_ARG(outer->labels[i].key));
    }
    return text;
}

/* The entry that would supply the labels if `inner` were not there. */
static const struct resource *outer_of(const struct model *model, const struct resource *inner)
{
    const struct resource *best = NULL;
    for (size_t i = 0; i < model->resource_count; i++) {
        const struct resource *outer = &model->resources[i];
        if (outer == inner || outer->type != inner->type || !outer->id.is_prefix ||
            !view_starts_with(inner->id.text, outer->id.text))
            continue;
        if (!best || outer->id.text.size > best->id.text.size)
            best = outer;
    }
    return best;
}

static void resources(const struct model *model, struct diag_list *diags)
{
    for (size_t i = 0; i < model->resource_count; i++) {
        const struct resource *resource = &model->resources[i], *outer = outer_of(model, resource);
        bool is_selected = false;
        for (size_t k = 0; k < model->rule_count; k++)
            is_selected = is_selected || selects(&model->rules[k], resource);
        const char *star = resource->id.is_prefix ? "*" : "";
        bool is_everything = resource->id.is_prefix && resource->id.text.size == 0; /* makes every id known */
        if (!is_selected && !is_everything)
            warn(diags, LINT_RESOURCE_UNUSED, model_span(model, resource->span),
                 VIEW("select it in a rule's `resources`, or remove it"), "no rule selects %.*s `%.*s%s`",
                 VIEW_ARG(resource->type->name), VIEW_ARG(resource->id.text), star);
        struct view dropped = outer ? dropped_labels(outer, resource, diags->arena) : (struct view){0};
        if (dropped.size > 0)
            warn(diags, LINT_RESOURCE_OVERLAP, model_span(model, resource->span),
                 VIEW("the longest match supplies all labels: repeat them"),
                 "`%.*s%s` lies inside `%.*s*` (line %u) and does not have its labels: %.*s",
                 VIEW_ARG(resource->id.text), star, VIEW_ARG(outer->id.text), outer->span.line, VIEW_ARG(dropped));
    }
}

/* ---- rules that never decide ------------------------------------------------------------------ */

static void rules(const struct model *model, struct diag_list *diags)
{
    for (size_t i = 0; i < model->rule_count; i++) {
        const struct rule *narrow = &model->rules[i], *broad = NULL;
        for (size_t k = 0; k < model->rule_count && !broad; k++)
            broad = lint_covers(&model->rules[k], narrow) ? &model->rules[k] : NULL;
        if (broad)
            warn(diags, LINT_RULE_NEVER, model_span(model, narrow->span),
                 VIEW("remove it, narrow the other, or give it a higher priority"),
                 "`%.*s` can never decide: `%.*s` always decides before it", VIEW_ARG(narrow->name),
                 VIEW_ARG(broad->name));
    }
}

void lint(const struct model *model, struct diag_list *diags)
{
    stolen_tokens(model, diags);
    slipped_denies(model, diags);
    believed_callers(model, diags);
    roles(model, diags);
    assurances(model, diags);
    actions(model, diags);
    resources(model, diags);
    rules(model, diags);
}
