/* SPDX-License-Identifier: Apache-2.0 */
#include "explain.h"

#include "answer.h"
#include "match.h"
#include "query.h"

enum { QUOTE_MAX = 128 }; /* bytes of a fact's value in a sentence */

/* ---- how far a rule came ------------------------------------------------- */

static bool condition_reads_claims(const struct condition *condition)
{
    if (!condition)
        return false;
    if (condition->kind == CONDITION_CLAIM)
        return true;
    for (size_t i = 0; i < condition->child_count; i++)
        if (condition_reads_claims(&condition->children[i]))
            return true;
    return false;
}

static bool templates_read_user(const struct header_template *templates, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < templates[i].value.count; k++) {
            enum template_kind kind = templates[i].value.parts[k].kind;
            if (kind == TEMPLATE_USER_SUB || kind == TEMPLATE_USER_ISSUER || kind == TEMPLATE_CLAIM)
                return true;
        }
    return false;
}

static bool needs_user(const struct rule *rule)
{
    const struct obligation_set *set = rule->terms->obligations;
    return rule->subjects->user_demand == USER_ANY || rule->subjects->user_demand == USER_ROLES ||
           rule->terms->assurance || rule->subjects->delegation == DELEGATION_ANY ||
           rule->subjects->delegation == DELEGATION_PEER ||
           (rule->terms->purpose->is_demanded && rule->terms->purpose->is_claim) ||
           condition_reads_claims(rule->when) || templates_read_user(set->request_headers, set->request_header_count) ||
           templates_read_user(set->response_headers, set->response_header_count) ||
           templates_read_user(set->metadata, set->metadata_count) ||
           templates_read_user(set->query_params, set->query_param_count);
}

/* Everything holds that does not depend on the user, who is not there or cannot
 * be judged. */
static bool lacks_only_user(const struct inquiry *inquiry, const struct rule *rule, const struct rule_parts *parts)
{
    return inquiry->facts->user.state != USER_KNOWN && needs_user(rule) && rule->subjects->user_demand != USER_NONE &&
           parts->operation == TRI_TRUE && parts->resource == TRI_TRUE && parts->workload == TRI_TRUE &&
           match_condition(rule->when, inquiry->model, inquiry->facts, true) != TRI_FALSE &&
           (rule->terms->purpose->is_claim || inquiry_purpose(inquiry, rule) == TRI_TRUE);
}

static enum reason user_reason(const struct inquiry *inquiry)
{
    return inquiry->facts->user.state == USER_UNKNOWN ? REASON_KEYS_UNAVAILABLE : REASON_USER;
}

static enum reason delegation_reason(const struct inquiry *inquiry, const struct rule *rule)
{
    const struct user_facts *user = &inquiry->facts->user;
    bool is_other = rule->subjects->delegation == DELEGATION_PEER && user->actor_count > 0 &&
                    !view_equals(user->actors[0], inquiry_workload(inquiry, rule));
    return is_other ? REASON_DELEGATION_ACTOR : REASON_DELEGATION;
}

/* A condition that other claims could mend is a matter of the user's scope. */
static enum reason condition_reason(const struct inquiry *inquiry, const struct rule *rule)
{
    bool is_mendable = match_condition(rule->when, inquiry->model, inquiry->facts, true) != TRI_FALSE;
    return is_mendable ? REASON_SCOPE : REASON_CONDITION;
}

/* The failed tests of a rule while they are collected. */
struct fails {
    struct explain_fail *items; /* EXPLAIN_FAILS_MAX */
    size_t count;
};

static void fail_add(struct fails *fails, enum explain_stage stage, enum reason reason)
{
    fails->items[fails->count++] = (struct explain_fail){.stage = stage, .reason = reason};
}

static void assurance_fails(const struct inquiry *inquiry, const struct rule *rule, struct fails *fails)
{
    struct assurance_result assurance = {.state = ASSURANCE_MET};
    if (rule->terms->assurance)
        assurance =
            factors_check(rule->terms->assurance, inquiry->issuer, inquiry->facts, inquiry_workload(inquiry, rule));
    if (assurance.state == ASSURANCE_NO_USER || assurance.state == ASSURANCE_KEYS)
        fail_add(fails, STAGE_USER, user_reason(inquiry));
    if (assurance.state == ASSURANCE_WRONG_ISSUER)
        fail_add(fails, STAGE_BINDING, REASON_ASSURANCE_ISSUER);
    if (assurance.state == ASSURANCE_NOT_BOUND)
        fail_add(fails, STAGE_BINDING, REASON_TOKEN_NOT_BOUND);
}

size_t explain_fails(const struct inquiry *inquiry, const struct rule *rule, const struct rule_parts *parts,
                     struct explain_fail *out)
{
    struct fails fails = {.items = out};
    bool is_nobody = inquiry->facts->workload.proof == PROOF_NONE;
    if (lacks_only_user(inquiry, rule, parts))
        fail_add(&fails, STAGE_ONLY_USER,
                 inquiry->facts->user.state == USER_UNKNOWN ? REASON_KEYS_UNAVAILABLE : REASON_NO_USER);
    if (parts->workload == TRI_FALSE)
        fail_add(&fails, STAGE_WORKLOAD, is_nobody ? REASON_CERTIFICATE_NONE : REASON_WORKLOAD);
    if (parts->user == TRI_FALSE || (parts->user == TRI_UNKNOWN && inquiry->facts->user.state == USER_UNKNOWN))
        fail_add(&fails, STAGE_USER, user_reason(inquiry));
    assurance_fails(inquiry, rule, &fails);
    if (inquiry_delegation(inquiry, rule) == TRI_FALSE)
        fail_add(&fails, STAGE_DELEGATION, delegation_reason(inquiry, rule));
    if (inquiry_purpose(inquiry, rule) == TRI_FALSE)
        fail_add(&fails, STAGE_PURPOSE, REASON_PURPOSE);
    if (inquiry_conditions(inquiry, rule) == TRI_FALSE)
        fail_add(&fails, STAGE_CONDITION, condition_reason(inquiry, rule));
    if (!answer_can_fill(inquiry, rule, parts->found))
        fail_add(&fails, STAGE_OBLIGATION, REASON_OBLIGATION);
    return fails.count;
}

void explain_consider(const struct inquiry *inquiry, const struct rule *rule, const struct rule_parts *parts,
                      struct nearest *nearest)
{
    struct explain_fail fails[EXPLAIN_FAILS_MAX] = {{.stage = STAGE_INDETERMINATE, .reason = REASON_INDETERMINATE}};
    if (rule->effect != RULE_ALLOW || parts->operation == TRI_FALSE || parts->resource == TRI_FALSE)
        return;
    (void)explain_fails(inquiry, rule, parts, fails);
    struct nearest own = {.stage = fails[0].stage, .reason = fails[0].reason, .rule = rule, .parts = *parts};
    if (!nearest->rule || own.stage > nearest->stage ||
        (own.stage == nearest->stage && view_compare(rule->name, nearest->rule->name) < 0))
        *nearest = own;
}

/* ---- words --------------------------------------------------------------- */

/* `value` cut to what a sentence bears. */
static struct view quoted(struct view value)
{
    return view_slice(value, 0, QUOTE_MAX);
}

static struct view joined(struct arena *arena, const struct string_list *list, const char *between)
{
    struct view text = VIEW("");
    for (size_t i = 0; i < list->count && view_is_present(text); i++)
        text = i == 0 ? list->items[0]
                      : arena_print(arena, "%.*s%s%.*s", VIEW_ARG(text), between, VIEW_ARG(list->items[i]));
    return text;
}

static struct view sentence_join(struct arena *arena, struct view text, struct view more)
{
    return view_is_empty(text) ? more : arena_print(arena, "%.*s; %.*s", VIEW_ARG(text), VIEW_ARG(more));
}

static struct view age_words(const struct inquiry *inquiry, const struct assurance *wanted)
{
    const struct user_facts *user = &inquiry->facts->user;
    long long age = 0;
    if (!user->has_auth_time)
        return arena_print(inquiry->scratch, "auth_time is absent, the rule allows %u s", wanted->max_age);
    if (__builtin_sub_overflow((long long)inquiry->facts->now, (long long)user->auth_time, &age) || age < 0)
        return VIEW("auth_time is in the future");
    return arena_print(inquiry->scratch, "auth_time is %lld s old, the rule allows %u s (+%u s clock skew)", age,
                       wanted->max_age, inquiry->issuer->clock_skew);
}

static struct view acr_words(const struct inquiry *inquiry, const struct assurance *wanted)
{
    struct view have = quoted(inquiry->facts->user.acr);
    const char *quote = view_is_present(have) ? "" : "absent";
    if (view_is_present(wanted->at_least))
        return arena_print(inquiry->scratch, "acr is %s%.*s, the rule wants at least %.*s", quote, VIEW_ARG(have),
                           VIEW_ARG(wanted->at_least));
    return arena_print(inquiry->scratch, "acr is %s%.*s, the rule wants %.*s", quote, VIEW_ARG(have),
                       VIEW_ARG(joined(inquiry->scratch, &wanted->acr, ", ")));
}

static struct view methods_words(const struct inquiry *inquiry, const struct assurance *wanted)
{
    struct string_list have = {.items = inquiry->facts->user.amr, .count = inquiry->facts->user.amr_count};
    if (have.count > 16)
        have.count = 16;
    const struct string_list *all = wanted->methods_all.count ? &wanted->methods_all : &wanted->methods_any;
    return arena_print(inquiry->scratch, "amr is [%.*s], the rule wants %s of %.*s",
                       VIEW_ARG(quoted(joined(inquiry->scratch, &have, ", "))),
                       wanted->methods_all.count ? "all" : "one", VIEW_ARG(joined(inquiry->scratch, all, ", ")));
}

struct view explain_assurance(const struct inquiry *inquiry, const struct assurance *wanted, unsigned missing)
{
    struct arena *arena = inquiry->scratch;
    struct view text = VIEW("");
    struct factors have = factors_of(inquiry->issuer, &inquiry->facts->user);
    if (missing & PART_FACTORS)
        text = inquiry->facts->user.has_amr || view_is_present(inquiry->facts->user.acr)
                   ? arena_print(arena, "%u factor%s proved, the rule wants %u", have.count, have.count == 1 ? "" : "s",
                                 wanted->factors)
                   : arena_print(arena, "amr and acr are absent, the rule wants %u factors", wanted->factors);
    if (missing & PART_METHODS)
        text = sentence_join(arena, text, methods_words(inquiry, wanted));
    if (missing & PART_PHISHING)
        text = sentence_join(arena, text, VIEW("the sign-in was not phishing resistant"));
    if (missing & PART_ACR)
        text = sentence_join(arena, text, acr_words(inquiry, wanted));
    if (missing & PART_AGE)
        text = sentence_join(arena, text, age_words(inquiry, wanted));
    return text;
}

/* The most frequent sentences, without the cost of printf. */
static struct view words_join(const struct inquiry *inquiry, struct view a, struct view b, struct view c, struct view d)
{
    const struct view parts[] = {a, b, c, d};
    return arena_join(inquiry->scratch, parts, sizeof parts / sizeof *parts);
}

static struct view role_names(const struct inquiry *inquiry, const struct role *const *roles, size_t count)
{
    struct view text = VIEW("");
    for (size_t i = 0; i < count && view_is_present(text); i++)
        text = i == 0 ? roles[0]->name : words_join(inquiry, text, VIEW(" or "), roles[i]->name, VIEW(""));
    return text;
}

static struct view workload_words(const struct inquiry *inquiry, const struct rule *rule)
{
    struct view caller = quoted(inquiry->facts->workload.spiffe_id);
    if (inquiry->facts->workload.proof == PROOF_NONE)
        return VIEW("no certificate was presented");
    if (!view_is_present(inquiry_workload(inquiry, rule)))
        return arena_print(inquiry->scratch, "%.*s is proved by xfcc-text only, the rule wants a certificate",
                           VIEW_ARG(caller));
    if (rule->subjects->workload_demand == WORKLOAD_ROLES)
        return words_join(inquiry, VIEW("workload role "),
                          role_names(inquiry, rule->subjects->workload_roles, rule->subjects->workload_role_count),
                          VIEW(" not held by "), caller);
    return arena_print(inquiry->scratch, "%.*s is not a workload that the rule names", VIEW_ARG(caller));
}

static struct view user_words(const struct inquiry *inquiry, const struct rule *rule)
{
    if (inquiry->facts->user.state == USER_UNKNOWN)
        return VIEW("the token cannot be judged: the keys of its issuer are unavailable");
    if (rule->subjects->user_demand == USER_NONE)
        return VIEW("a user is there, the rule takes none");
    if (inquiry->facts->user.state == USER_ABSENT)
        return VIEW("no user token was presented");
    return words_join(inquiry, VIEW("user role "),
                      role_names(inquiry, rule->subjects->user_roles, rule->subjects->user_role_count),
                      VIEW(" not held"), VIEW(""));
}

static const char *binding_name(enum binding bound)
{
    switch (bound) {
    case BINDING_WORKLOAD: return "the calling workload";
    case BINDING_CERTIFICATE: return "the caller's certificate";
    case BINDING_DPOP: return "a DPoP key";
    case BINDING_NONE: break;
    }
    return "nothing";
}

static struct view delegation_words(const struct inquiry *inquiry, const struct rule *rule)
{
    const struct user_facts *user = &inquiry->facts->user;
    struct view actor = user->actor_count > 0 ? quoted(user->actors[0]) : (struct view){0};
    if (rule->subjects->delegation == DELEGATION_NONE)
        return arena_print(inquiry->scratch, "the token is delegated to %.*s, the rule takes no delegated token",
                           VIEW_ARG(actor));
    if (user->actor_count == 0)
        return VIEW("the token is not delegated (no act), the rule wants one that is");
    if (delegation_reason(inquiry, rule) == REASON_DELEGATION_ACTOR)
        return arena_print(inquiry->scratch, "the token's actor is %.*s, the caller is %.*s", VIEW_ARG(actor),
                           VIEW_ARG(quoted(inquiry->facts->workload.spiffe_id)));
    return arena_print(inquiry->scratch, "the delegation is %zu levels deep, the rule allows %u", user->actor_count,
                       rule->subjects->max_depth);
}

static struct view purpose_words(const struct inquiry *inquiry, const struct rule *rule)
{
    const struct pair *header =
        rule->terms->purpose->is_claim ? NULL : facts_header(inquiry->facts, rule->terms->purpose->header);
    struct view have = header ? header->value : (struct view){0};
    if (rule->terms->purpose->is_claim && inquiry->facts->user.state == USER_KNOWN)
        have = match_scalar(&rule->terms->purpose->claim, inquiry->facts->user.claims);
    struct view wanted = joined(inquiry->scratch, &rule->terms->purpose->values, ", ");
    if (!view_is_present(have))
        return arena_print(inquiry->scratch, "purpose is absent; the rule allows %.*s", VIEW_ARG(wanted));
    return arena_print(inquiry->scratch, "purpose is \"%.*s\"; the rule allows %.*s", VIEW_ARG(quoted(have)),
                       VIEW_ARG(wanted));
}

/* The first leaf that, with its Kleene value, keeps the whole from being true. */
static const struct condition *failing_leaf(const struct inquiry *inquiry, const struct condition *condition)
{
    for (size_t i = 0; i < condition->child_count && condition->kind != CONDITION_NOT; i++) {
        const struct condition *child = &condition->children[i];
        if (match_condition(child, inquiry->model, inquiry->facts, false) != TRI_TRUE)
            return failing_leaf(inquiry, child);
    }
    return condition;
}

static const char *condition_noun(enum condition_kind kind)
{
    switch (kind) {
    case CONDITION_TIME: return "time";
    case CONDITION_SOURCE_IP: return "sourceIP";
    case CONDITION_REMOTE_IP: return "remoteIP";
    case CONDITION_HEADER: return "header ";
    case CONDITION_QUERY: return "query ";
    case CONDITION_CLAIM: return "claim ";
    case CONDITION_CONTEXT: return "context ";
    case CONDITION_METADATA: return "metadata ";
    case CONDITION_PORT: return "port";
    case CONDITION_SNI: return "sni";
    case CONDITION_ALL:
    case CONDITION_ANY:
    case CONDITION_NOT: break;
    }
    return "condition";
}

/* "claim change_ticket", "time", "header x-tenant" */
static struct view condition_subject(const struct inquiry *inquiry, const struct condition *condition)
{
    if (condition->kind == CONDITION_NOT)
        condition = &condition->children[0];
    struct view name = condition->kind == CONDITION_CLAIM ? condition->parts->path->text : condition->name;
    return arena_print(inquiry->scratch, "%s%.*s", condition_noun(condition->kind), VIEW_ARG(name));
}

/* "Tue 19:30 Europe/Paris"; absent where neither day nor clock is asked. */
static struct view local_time(const struct inquiry *inquiry, const struct time_window *window)
{
    static const char days[7][4] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    if (window->days == 0 && !window->has_between)
        return (struct view){0};
    uint32_t local = match_week_minute(window->zone, inquiry->facts->now), minute = local % 1440;
    struct view zone = window->zone ? window->zone->name : VIEW("UTC");
    return arena_print(inquiry->scratch, "%s %02u:%02u %.*s", days[local / 1440], minute / 60, minute % 60,
                       VIEW_ARG(zone));
}

static struct view query_value(const struct inquiry *inquiry, struct view name)
{
    struct query_param param;
    query_find(inquiry->facts->path, inquiry->facts->is_raw_path, name, &param);
    return arena_copy(inquiry->scratch, param.value);
}

static struct view condition_value(const struct inquiry *inquiry, const struct condition *condition)
{
    const struct pair *header = NULL;
    if (condition->kind == CONDITION_CLAIM && inquiry->facts->user.state == USER_KNOWN)
        return match_scalar(condition->parts->path, inquiry->facts->user.claims);
    if (condition->kind == CONDITION_HEADER)
        header = facts_header(inquiry->facts, condition->name);
    if (condition->kind == CONDITION_QUERY)
        return query_value(inquiry, condition->name);
    if (condition->kind == CONDITION_TIME)
        return local_time(inquiry, condition->parts->time);
    return header && !header->is_repeated ? header->value : (struct view){0};
}

struct view explain_condition(const struct inquiry *inquiry, const struct condition *condition)
{
    const struct condition *leaf = failing_leaf(inquiry, condition);
    struct view subject = condition_subject(inquiry, leaf), value = condition_value(inquiry, leaf);
    if (view_is_present(value))
        return arena_print(inquiry->scratch, "%.*s is \"%.*s\", which the rule's condition does not accept",
                           VIEW_ARG(subject), VIEW_ARG(quoted(value)));
    return arena_print(inquiry->scratch, "the rule's condition on %.*s is not met", VIEW_ARG(subject));
}

static const char *template_name(enum template_kind kind)
{
    switch (kind) {
    case TEMPLATE_USER_SUB: return "$user.sub";
    case TEMPLATE_USER_ISSUER: return "$user.issuer";
    case TEMPLATE_WORKLOAD_SPIFFE: return "$workload.spiffe";
    case TEMPLATE_RESOURCE_ID: return "$resource.id";
    case TEMPLATE_CLAIM: return "$claim.";
    case TEMPLATE_DECISION_ID: return "$decision.id";
    case TEMPLATE_TEXT: break;
    }
    return "a value";
}

static struct view obligation_words(const struct inquiry *inquiry, const struct nearest *nearest)
{
    const struct template_part *part = answer_unfilled(inquiry, nearest->rule, nearest->parts.found);
    return part ? arena_print(inquiry->scratch, "%s%.*s is absent or cannot stand in a header",
                              template_name(part->kind), VIEW_ARG(part->claim.text))
                : (struct view){0};
}

/* What could not be judged, by name. */
static struct view unjudged(const struct inquiry *inquiry, const struct nearest *nearest)
{
    const struct rule *rule = nearest->rule;
    if (nearest->parts.operation == TRI_UNKNOWN)
        return inquiry->slashes != 0 ? VIEW("path") : VIEW("query");
    if (nearest->parts.resource == TRI_UNKNOWN)
        return nearest->parts.found ? nearest->parts.found->type->name : VIEW("resource");
    if (nearest->parts.user == TRI_UNKNOWN)
        return VIEW("user");
    if (inquiry_purpose(inquiry, rule) == TRI_UNKNOWN)
        return VIEW("purpose");
    return rule->when ? condition_subject(inquiry, failing_leaf(inquiry, rule->when)) : VIEW("rule");
}

static void scopes_collect(const struct inquiry *inquiry, const struct condition *condition, struct view *text)
{
    bool is_scope = condition->kind == CONDITION_CLAIM && match_is_scope(condition->parts->path);
    for (size_t i = 0; is_scope && i < condition->test.values.count; i++)
        *text = text->size == 0 ? condition->test.values.items[i]
                                : arena_print(inquiry->scratch, "%.*s %.*s", VIEW_ARG(*text),
                                              VIEW_ARG(condition->test.values.items[i]));
    for (size_t i = 0; i < condition->child_count && condition->kind != CONDITION_NOT; i++)
        scopes_collect(inquiry, &condition->children[i], text);
}

struct view explain_words(const struct inquiry *inquiry, const struct nearest *nearest, struct decision *out)
{
    const struct rule *rule = nearest->rule;
    switch (nearest->stage) {
    case STAGE_FAR: break;
    case STAGE_WORKLOAD: return workload_words(inquiry, rule);
    case STAGE_USER:
    case STAGE_ONLY_USER: return user_words(inquiry, rule);
    case STAGE_BINDING:
        return nearest->reason == REASON_TOKEN_NOT_BOUND
                   ? arena_print(inquiry->scratch, "the token is not bound to %s",
                                 binding_name(rule->terms->assurance->bound))
                   : arena_print(inquiry->scratch, "issuer %.*s is not one that assurance %.*s names",
                                 VIEW_ARG(inquiry->issuer->name), VIEW_ARG(rule->terms->assurance->name));
    case STAGE_DELEGATION: return delegation_words(inquiry, rule);
    case STAGE_PURPOSE: return purpose_words(inquiry, rule);
    case STAGE_CONDITION:
        if (nearest->reason == REASON_SCOPE)
            scopes_collect(inquiry, rule->when, &out->scope);
        return explain_condition(inquiry, rule->when);
    case STAGE_OBLIGATION: return obligation_words(inquiry, nearest);
    case STAGE_INDETERMINATE:
        out->attribute = unjudged(inquiry, nearest);
        return arena_print(inquiry->scratch, "%.*s cannot be judged", VIEW_ARG(out->attribute));
    }
    return (struct view){0};
}

void explain_default(const struct inquiry *inquiry, const struct nearest *nearest, struct decision *out)
{
    answer_refuse(nearest->rule ? nearest->reason : REASON_DEFAULT, out);
    if (!nearest->rule)
        return;
    out->closest = nearest->rule->name;
    out->missing = explain_words(inquiry, nearest, out);
}
