/* SPDX-License-Identifier: Apache-2.0 */
#include "inquiry.h"

#include "answer.h"
#include "match.h"
#include "path_pattern.h"
#include "query.h"

/* A parameter that rules replace or take away must stand where Envoy finds it, which
 * compares names byte for byte: in another writing it would reach the upstream beside ours. */
static bool is_query_odd(const struct inquiry *inquiry)
{
    const struct string_list *touched = &inquiry->model->touched_queries;
    struct query_param param;
    for (size_t i = 0; i < touched->count; i++) {
        query_find(inquiry->facts->path, inquiry->facts->is_raw_path, touched->items[i], &param);
        if (param.is_odd)
            return true;
    }
    return false;
}

static enum reason path_open(struct inquiry *inquiry)
{
    const struct model *model = inquiry->model;
    struct request_path *path = &inquiry->path;
    enum reason reason = request_path_parse(inquiry->facts->path, model->path_mode, inquiry->facts->is_raw_path, path);
    if (reason != REASON_NONE)
        return reason;
    if (model->touched_queries.count > 0 && is_query_odd(inquiry))
        return REASON_REQUEST_PATH;
    if (path->path.size > model->max_path_bytes || path->segment_count > model->max_segments)
        return REASON_REQUEST_PATH_LENGTH;
    for (size_t i = 0; i < path->segment_count; i++) {
        struct view segment = path->segments[i];
        inquiry->segments[i] = segment;
        if (!path->has_escape || view_index_of(segment, '%', 0) == segment.size)
            continue;
        char *decoded = arena_take(inquiry->scratch, segment.size);
        if (!decoded)
            return REASON_INTERNAL;
        inquiry->segments[i] = (struct view){.data = decoded, .size = request_path_decode(segment, decoded)};
        if (view_index_of(inquiry->segments[i], '/', 0) < inquiry->segments[i].size)
            inquiry->slashes |= (uint64_t)1 << i;
    }
    return REASON_NONE;
}

static enum reason request_open(struct inquiry *inquiry)
{
    const struct facts *facts = inquiry->facts;
    enum reason reason = request_method_check(facts->method);
    if (reason != REASON_NONE)
        return reason;
    char *host = arena_take(inquiry->scratch, facts->host.size + 1);
    if (!host)
        return REASON_INTERNAL;
    reason = request_host_parse(facts->host, host, &inquiry->host, &inquiry->port);
    return reason == REASON_NONE ? path_open(inquiry) : reason;
}

/* Keycloak gives tokens to clients without a user, at its lowest acr: somebody is
 * there only with a session and a time of login, and without `client_id`. */
static bool is_nobody(const struct issuer *issuer, const struct user_facts *user)
{
    return issuer->profile == PROFILE_KEYCLOAK && (!user->has_auth_time || !value_get(user->claims, VIEW("sid")) ||
                                                   value_get(user->claims, VIEW("client_id")));
}

static enum reason user_state_set(struct inquiry *inquiry, enum user_state state)
{
    struct facts *copy = arena_take(inquiry->scratch, sizeof *copy);
    if (!copy)
        return REASON_INTERNAL;
    *copy = *inquiry->facts;
    copy->user = (struct user_facts){.state = state};
    inquiry->facts = copy;
    inquiry->issuer = NULL;
    return REASON_NONE;
}

static enum reason user_open(struct inquiry *inquiry)
{
    const struct user_facts *user = &inquiry->facts->user;
    if (inquiry->facts->user_failure == REASON_KEYS_UNAVAILABLE)
        return user_state_set(inquiry, USER_UNKNOWN);
    if (inquiry->facts->user_failure != REASON_NONE)
        return inquiry->facts->user_failure;
    if (user->state != USER_KNOWN)
        return REASON_NONE;
    if (user->actor_count > FACTS_ACTORS_MAX)
        return REASON_TOKEN_CLAIMS;
    for (size_t i = 0; i < inquiry->model->issuer_count && !inquiry->issuer; i++)
        if (view_equals(inquiry->model->issuers[i].url, user->issuer))
            inquiry->issuer = &inquiry->model->issuers[i];
    if (!inquiry->issuer)
        return REASON_TOKEN_ISSUER;
    return is_nobody(inquiry->issuer, user) ? user_state_set(inquiry, USER_ABSENT) : REASON_NONE;
}

enum reason inquiry_open(struct inquiry *inquiry, const struct model *model, const struct facts *facts,
                         struct arena *scratch)
{
    inquiry->model = model;
    inquiry->facts = facts;
    inquiry->scratch = scratch;
    inquiry->issuer = NULL;
    inquiry->slashes = 0;
    inquiry->resources = NULL;
    inquiry->resource_count = 0;
    inquiry->path.path = (struct view){0};
    inquiry->path.segment_count = 0;
    inquiry->host = (struct view){0};
    inquiry->port = 0;
    if (facts->request_failure != REASON_NONE)
        return facts->request_failure;
    /* No certificate is no caller, which some rules are content with. */
    bool is_nobody_there = facts->workload_failure == REASON_CERTIFICATE_NONE && facts->workload.proof == PROOF_NONE;
    if (facts->workload_failure != REASON_NONE && !is_nobody_there)
        return facts->workload_failure;
    enum reason reason = user_open(inquiry);
    return reason == REASON_NONE ? request_open(inquiry) : reason;
}

/* Every encoded slash stands inside a captured segment. */
static bool slashes_are_captured(const struct inquiry *inquiry, const struct operation *operation)
{
    if (!operation->encoded_slash_is_data || operation->kind != OPERATION_HTTP)
        return false;
    for (size_t i = 0; i < inquiry->path.segment_count; i++)
        if ((inquiry->slashes >> i & 1) &&
            (i >= operation->path->segment_count || operation->path->segments[i].kind != PATTERN_VARIABLE))
            return false;
    return true;
}

enum tri inquiry_operation(const struct inquiry *inquiry, const struct operation *operation)
{
    enum tri fits = TRI_TRUE;
    const struct body_facts *body = &inquiry->facts->body;
    if (inquiry->slashes != 0 && !slashes_are_captured(inquiry, operation))
        fits = TRI_UNKNOWN;
    for (size_t i = 0; i < operation->extras->query_count && fits != TRI_FALSE; i++)
        fits = tri_and(
            fits, match_query(&operation->extras->queries[i].test, operation->extras->queries[i].name, inquiry->facts));
    if (!view_is_present(operation->extras->call))
        return fits;
    if (body->state == BODY_READ)
        return tri_and(fits, tri_of(view_is_present(body->call) && view_equals(body->call, operation->extras->call)));
    return body->state == BODY_ABSENT ? TRI_FALSE : TRI_UNKNOWN;
}

static bool type_reads_body(const struct resource_type *type)
{
    for (size_t i = 0; i < type->id_count; i++)
        if (type->ids[i].kind == ID_BODY_MODEL || type->ids[i].kind == ID_BODY_TOOL)
            return true;
    return false;
}

bool inquiry_needs_body(const struct inquiry *inquiry, const struct operation *operation)
{
    if (view_is_present(operation->extras->call))
        return true;
    for (size_t i = 0; operation->body != BODY_PROTOCOL_NONE && i < inquiry->model->type_count; i++) {
        const struct resource_type *type = &inquiry->model->types[i];
        if (type_reads_body(type) && match_hosts(type->hosts, type->host_count, inquiry->host, inquiry->port))
            return true;
    }
    return false;
}

struct view inquiry_workload(const struct inquiry *inquiry, const struct rule *rule)
{
    const struct workload_facts *workload = &inquiry->facts->workload;
    bool is_accepted = workload->proof == PROOF_CERTIFICATE ||
                       (workload->proof == PROOF_XFCC_TEXT && rule->subjects->accepts_xfcc_text);
    return is_accepted ? workload->spiffe_id : (struct view){0};
}

enum tri inquiry_workload_demand(const struct inquiry *inquiry, const struct rule *rule, bool holds_role)
{
    bool is_there = view_is_present(inquiry_workload(inquiry, rule));
    switch (rule->subjects->workload_demand) {
    case WORKLOAD_UNCONSTRAINED: return TRI_TRUE;
    case WORKLOAD_ANY: return tri_of(is_there);
    case WORKLOAD_ROLES: return tri_of(is_there && holds_role);
    case WORKLOAD_SELECTED:
        return tri_of(is_there && match_workload(rule->subjects->workload, &inquiry->facts->workload));
    }
    return TRI_UNKNOWN;
}

static enum tri user_is_there(const struct inquiry *inquiry)
{
    switch (inquiry->facts->user.state) {
    case USER_ABSENT: return TRI_FALSE;
    case USER_KNOWN: return TRI_TRUE;
    case USER_UNKNOWN: break;
    }
    return TRI_UNKNOWN;
}

enum tri inquiry_user_demand(const struct inquiry *inquiry, const struct rule *rule, enum tri holds_role)
{
    switch (rule->subjects->user_demand) {
    case USER_UNCONSTRAINED: return TRI_TRUE;
    case USER_ANY: return user_is_there(inquiry);
    case USER_NONE: return tri_not(user_is_there(inquiry));
    case USER_ROLES: return holds_role;
    }
    return TRI_UNKNOWN;
}

/* An allow that is silent on users goes on when the token cannot be judged (S5):
 * its `delegation: none` is a default, not a look at the token. */
enum tri inquiry_delegation(const struct inquiry *inquiry, const struct rule *rule)
{
    const struct user_facts *user = &inquiry->facts->user;
    if (rule->subjects->delegation == DELEGATION_UNCONSTRAINED)
        return TRI_TRUE;
    if (user->state == USER_ABSENT)
        return tri_of(rule->subjects->delegation == DELEGATION_NONE);
    if (user->state != USER_KNOWN)
        return rule->effect == RULE_ALLOW && rule->subjects->delegation == DELEGATION_NONE ? TRI_TRUE : TRI_UNKNOWN;
    if (rule->subjects->delegation == DELEGATION_NONE)
        return tri_of(user->actor_count == 0);
    if (rule->subjects->delegation == DELEGATION_ANY)
        return tri_of(user->actor_count > 0);
    struct view workload = inquiry_workload(inquiry, rule);
    return tri_of(view_is_present(workload) && user->actor_count > 0 &&
                  user->actor_count <= rule->subjects->max_depth && view_equals(user->actors[0], workload));
}

enum tri inquiry_purpose(const struct inquiry *inquiry, const struct rule *rule)
{
    if (!rule->terms->purpose->is_demanded)
        return TRI_TRUE;
    struct value_test test = {.kind = TEST_ANY_OF, .values = rule->terms->purpose->values};
    if (!rule->terms->purpose->is_claim)
        return match_pair(&test, facts_header(inquiry->facts, rule->terms->purpose->header));
    struct claim_test claim = {.path = rule->terms->purpose->claim, .test = test};
    return match_claim(&claim, inquiry->model, &inquiry->facts->user);
}

enum tri inquiry_conditions(const struct inquiry *inquiry, const struct rule *rule)
{
    enum tri when = match_condition(rule->when, inquiry->model, inquiry->facts, false);
    if (!rule->terms->unless || when == TRI_FALSE)
        return when;
    return tri_and(when, tri_not(match_condition(rule->terms->unless, inquiry->model, inquiry->facts, false)));
}

static bool labels_fit(const struct rule *rule, const struct resource *entry)
{
    for (size_t i = 0; i < rule->resources->label_count; i++) {
        bool fits = false;
        for (size_t k = 0; k < entry->label_count; k++)
            fits = fits || (view_equals(entry->labels[k].key, rule->resources->labels[i].key) &&
                            match_string(&rule->resources->labels[i].values, entry->labels[k].value));
        if (!fits)
            return false;
    }
    for (size_t i = 0; i < rule->resources->not_label_count; i++)
        for (size_t k = 0; k < entry->label_count; k++)
            if (view_equals(entry->labels[k].key, rule->resources->not_labels[i].key) &&
                match_string(&rule->resources->not_labels[i].values, entry->labels[k].value))
                return false;
    return true;
}

static enum tri one_resource(const struct rule *rule, const struct found_resource *found)
{
    bool is_of_type = false;
    for (size_t i = 0; i < rule->resources->type_count && !is_of_type; i++)
        is_of_type = rule->resources->types[i] == found->type;
    if (!is_of_type)
        return TRI_FALSE;
    if (!found->is_known)
        return TRI_UNKNOWN;
    bool id_fits = rule->resources->id_count == 0;
    for (size_t i = 0; i < rule->resources->id_count && !id_fits; i++)
        id_fits = match_id(&rule->resources->ids[i], found->id);
    if (!id_fits || rule->resources->label_count + rule->resources->not_label_count == 0)
        return tri_of(id_fits);
    if (!found->entry)
        return rule->effect == RULE_DENY ? TRI_UNKNOWN : TRI_FALSE;
    return tri_of(labels_fit(rule, found->entry));
}

enum tri inquiry_resource(const struct inquiry *inquiry, const struct rule *rule, const struct found_resource **found)
{
    *found = NULL;
    if (!rule->has_resources) {
        if (inquiry->resource_count > 0 && inquiry->resources[0].is_known)
            *found = &inquiry->resources[0];
        return TRI_TRUE;
    }
    enum tri any = TRI_FALSE;
    for (size_t i = 0; i < inquiry->resource_count && any != TRI_TRUE; i++) {
        enum tri one = one_resource(rule, &inquiry->resources[i]);
        if (one > any)
            *found = &inquiry->resources[i];
        any = tri_or(any, one);
    }
    return any;
}

struct rule_result inquiry_outcome(const struct inquiry *inquiry, const struct rule *rule, enum tri match,
                                   const struct found_resource *found)
{
    struct rule_result result = {.outcome = OUTCOME_NONE, .assurance = {.state = ASSURANCE_MET}};
    bool is_allow = rule->effect == RULE_ALLOW;
    if (match == TRI_FALSE || (is_allow && match != TRI_TRUE))
        return result;
    const struct assurance *wanted = is_allow ? rule->terms->assurance : rule->terms->unless_assurance;
    if (wanted)
        result.assurance = factors_check(wanted, inquiry->issuer, inquiry->facts, inquiry_workload(inquiry, rule));
    enum assurance_state state = result.assurance.state;
    if (!is_allow) {
        bool is_lifted = wanted && state == ASSURANCE_MET;
        result.outcome = is_lifted ? OUTCOME_NONE : wanted && state == ASSURANCE_UNMET ? OUTCOME_ASK : OUTCOME_DENY;
    } else if ((state == ASSURANCE_MET || state == ASSURANCE_UNMET) && answer_can_fill(inquiry, rule, found)) {
        result.outcome = state == ASSURANCE_MET ? OUTCOME_ALLOW : OUTCOME_CHALLENGE;
    }
    return result;
}
