/* SPDX-License-Identifier: Apache-2.0 */
/* Callers: every workload that selectors tell apart, with no user, one that cannot be
 * judged, and every user that roles, claims, assurance and delegation tell apart. The
 * parts of a user are told apart on their own first, then together by what the rules
 * come to. */
#include "classes_caller.h"

#include "answer.h"
#include "factors.h"
#include "match.h"

struct leaf_signer {
    const struct inquiry *inquiry;
    struct signature *signature;
};

static void sign_leaf(void *context, const struct condition *leaf)
{
    struct leaf_signer *signer = context;
    if (leaf->kind == CONDITION_CLAIM)
        signature_put(signer->signature, match_condition(leaf, signer->inquiry->model, signer->inquiry->facts, false));
}

static void sign_assurance(const struct inquiry *inquiry, const struct rule *rule, const struct assurance *wanted,
                           struct signature *signature)
{
    struct assurance_result result =
        factors_check(wanted, inquiry->issuer, inquiry->facts, inquiry_workload(inquiry, rule));
    signature_put(signature, result.state);
    signature_put(signature, result.missing);
}

/* What of a rule depends on the caller: nothing more where it cannot match whatever the scene. */
static void sign_rule(const struct inquiry *inquiry, const struct rule *rule, struct signature *signature)
{
    struct rule_standing standing = interpret_rule(inquiry, rule);
    enum tri fits = tri_and(standing.parts.workload, standing.parts.user);
    fits = tri_and(fits, inquiry_delegation(inquiry, rule));
    if (rule->terms->purpose->is_demanded && rule->terms->purpose->is_claim)
        fits = tri_and(fits, inquiry_purpose(inquiry, rule));
    signature_put(signature, fits);
    if (fits == TRI_FALSE)
        return;
    struct leaf_signer signer = {.inquiry = inquiry, .signature = signature};
    classes_leaves(rule->when, sign_leaf, &signer);
    classes_leaves(rule->terms->unless, sign_leaf, &signer);
    if (rule->terms->assurance)
        sign_assurance(inquiry, rule, rule->terms->assurance, signature);
    if (rule->terms->unless_assurance)
        sign_assurance(inquiry, rule, rule->terms->unless_assurance, signature);
    signature_put(signature, answer_can_fill(inquiry, rule, standing.parts.found));
}

static enum err judge_caller(struct caller_search *search, const struct facts *facts)
{
    struct classes *classes = search->classes;
    struct arena scratch = classes_scratch(classes);
    struct inquiry inquiry;
    struct signature signature;
    struct decision ignored = {0};
    TRY(classes_count(classes));
    TRY(signature_init(&signature, search->signature_room, &scratch));
    enum reason reason = interpret_open(&inquiry, classes->model, facts, &scratch, &ignored);
    if (reason == REASON_INTERNAL)
        return ERR_NO_MEMORY;
    if (reason != REASON_NONE)
        return ERR_NONE;
    for (size_t i = 0; i < classes->selector_count; i++) {
        struct rule_standing standing = interpret_rule(&inquiry, classes->selectors[i]);
        signature_put(&signature, standing.parts.workload);
        signature_put(&signature, standing.parts.user);
        signature_put(&signature, inquiry_delegation(&inquiry, classes->selectors[i]));
    }
    const struct rule_subjects anybody = {.accepts_xfcc_text = true};
    const struct rule seen = {.subjects = &anybody};
    for (size_t i = 0; i < classes->level_count; i++)
        sign_assurance(&inquiry, &seen, classes->levels[i], &signature);
    const struct user_facts *user = &inquiry.facts->user;
    if (classes->counts_factors)
        signature_put(&signature, user->state == USER_KNOWN && factors_of(inquiry.issuer, user).count >= 2
                                      ? 1
                                      : 2 + (unsigned)user->state);
    for (size_t i = 0; i < search->rules->count; i++)
        sign_rule(&inquiry, search->rules->items[i], &signature);
    return class_set_add(&search->set, &signature, facts);
}

static enum err put_text_claim(struct arena *arena, const char *name, struct view text, const struct value **claims)
{
    struct view step = view_of(name);
    struct claim_path path = {.text = step, .steps = {.items = &step, .count = 1}};
    struct value value = {.kind = VALUE_STRING, .text = text};
    *claims = classes_put_value(arena, *claims, &path, 0, &value);
    return *claims ? ERR_NONE : ERR_NO_MEMORY;
}

static enum err put_methods(struct arena *arena, const struct sign_in *sign_in, const struct value **claims)
{
    struct view step = VIEW("amr");
    struct claim_path path = {.text = step, .steps = {.items = &step, .count = 1}};
    struct value *items = arena_take_array(arena, sign_in->amr_count + 1, sizeof *items);
    if (!items)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < sign_in->amr_count; i++)
        items[i] = (struct value){.kind = VALUE_STRING, .text = sign_in->amr[i]};
    struct value list = {.kind = VALUE_LIST, .items = items, .count = sign_in->amr_count};
    *claims = classes_put_value(arena, *claims, &path, 0, &list);
    return *claims ? ERR_NONE : ERR_NO_MEMORY;
}

static struct view text_claim(const struct value *claims, const char *name)
{
    const struct value *value = claims ? value_get(claims, view_of(name)) : NULL;
    return value ? value->text : (struct view){0};
}

/* A token of `issuer`: its claims say what its fields say. */
static enum err user_make(struct caller_search *search, const struct issuer *issuer, const struct value *claims,
                          const struct sign_in *sign_in, struct view subject, struct user_facts *out)
{
    struct arena *arena = search->classes->arena;
    *out = (struct user_facts){.state = USER_KNOWN,
                               .issuer = issuer->url,
                               .subject = subject,
                               .amr = sign_in->amr,
                               .amr_count = sign_in->amr_count,
                               .has_amr = sign_in->has_amr,
                               .acr = sign_in->acr,
                               .has_auth_time = sign_in->has_auth_time,
                               .auth_time = sign_in->has_auth_time ? CLASSES_NOW - sign_in->age : 0,
                               .issued_at = CLASSES_NOW,
                               .expires = CLASSES_NOW + 300,
                               .client = text_claim(claims, "azp")};
    if (!view_is_present(out->client))
        out->client = text_claim(claims, "client_id");
    TRY(put_text_claim(arena, "sub", subject, &claims));
    if (issuer->profile == PROFILE_KEYCLOAK)
        TRY(put_text_claim(arena, "sid", VIEW("s"), &claims));
    if (sign_in->has_amr)
        TRY(put_methods(arena, sign_in, &claims));
    if (view_is_present(sign_in->acr))
        TRY(put_text_claim(arena, "acr", sign_in->acr, &claims));
    out->claims = claims;
    return ERR_NONE;
}

/* The bindings and actors that the caller's workload allows for. */
static enum err judge_bound(struct caller_search *search, struct facts *facts)
{
    const struct user_facts plain = facts->user;
    bool is_proven = facts->workload.proof == PROOF_CERTIFICATE;
    for (unsigned bits = 0; bits < 8; bits++) {
        if ((bits & ~search->bindings) != 0 || ((bits & 3u) != 0 && !is_proven))
            continue;
        for (size_t depth = 0; depth <= FACTS_ACTORS_MAX; depth++) {
            if (!(search->depths >> depth & 1u))
                continue;
            for (int is_peer = 0; is_peer < (depth > 0 && facts->workload.proof != PROOF_NONE ? 2 : 1); is_peer++) {
                facts->user = plain;
                facts->user.is_bound_to_certificate = bits & 1u;
                facts->user.is_bound_to_workload = bits & 2u;
                facts->user.is_bound_by_dpop = bits & 4u;
                facts->user.actor_count = depth;
                for (size_t i = 0; i < depth; i++)
                    facts->user.actors[i] = i == 0 && is_peer ? facts->workload.spiffe_id : VIEW("spiffe://x/actor");
                TRY(judge_caller(search, facts));
            }
        }
    }
    facts->user = plain;
    return ERR_NONE;
}

static enum err judge_user(struct caller_search *search, const struct user_facts *user)
{
    for (size_t i = 0; i < search->workload_count; i++) {
        struct facts facts = *search->request;
        facts.workload = search->workloads[i];
        facts.user = *user;
        TRY(judge_bound(search, &facts));
    }
    return ERR_NONE;
}

/* An issuer's user with these claims and this subject, however he signed in. */
static enum err judge_identity(struct caller_search *search, size_t issuer, size_t claims, size_t subject,
                               struct class_set *set)
{
    struct classes *classes = search->classes;
    struct arena scratch = classes_scratch(classes);
    const struct sign_in none = {.has_auth_time = true, .age = 1};
    struct facts facts = *search->request;
    struct inquiry inquiry;
    struct signature signature;
    struct decision ignored = {0};
    TRY(classes_count(classes));
    TRY(signature_init(&signature, search->signature_room + 16, &scratch));
    TRY(user_make(search, &classes->model->issuers[issuer], search->claims[claims], &none,
                  search->subjects.items[subject], &facts.user));
    facts.workload = (struct workload_facts){
        .proof = PROOF_CERTIFICATE, .spiffe_id = VIEW("spiffe://x/x"), .trust_domain = VIEW("x")};
    if (interpret_open(&inquiry, classes->model, &facts, &scratch, &ignored) != REASON_NONE)
        return ERR_NO_MEMORY;
    /* How he signed in can be a claim, too: then nothing is the same before that is known. */
    size_t own[] = {issuer, search->sign_in_count > 0 || inquiry.facts->user.state != USER_KNOWN ? claims : 0,
                    search->sign_in_count > 0 || inquiry.facts->user.state != USER_KNOWN ? subject : 0};
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < 4; k++)
            signature_put(&signature, (unsigned)(own[i] >> 8 * k) & 0xff);
    for (size_t i = 0; i < classes->selector_count; i++)
        signature_put(&signature, interpret_rule(&inquiry, classes->selectors[i]).parts.user);
    for (size_t i = 0; i < search->rules->count; i++) {
        const struct rule *rule = search->rules->items[i];
        struct leaf_signer signer = {.inquiry = &inquiry, .signature = &signature};
        struct rule_standing standing = interpret_rule(&inquiry, rule);
        signature_put(&signature, standing.parts.user);
        signature_put(&signature, rule->terms->purpose->is_demanded && rule->terms->purpose->is_claim
                                      ? inquiry_purpose(&inquiry, rule)
                                      : 0);
        classes_leaves(rule->when, sign_leaf, &signer);
        classes_leaves(rule->terms->unless, sign_leaf, &signer);
        signature_put(&signature, answer_can_fill(&inquiry, rule, standing.parts.found));
    }
    /* Kept as what it was made of. */
    struct facts kept = {.now = (int64_t)issuer,
                         .metadata = search->claims[claims],
                         .user = {.subject = search->subjects.items[subject]}};
    /* An OAuth client can be a workload's: that is told apart later. */
    struct view client = facts.user.client;
    for (size_t i = 0; i < client.size; i++)
        signature_put(&signature, (unsigned char)client.data[i]);
    return class_set_add(set, &signature, &kept);
}

static enum err judge_users(struct caller_search *search)
{
    const struct model *model = search->classes->model;
    struct class_set identities;
    TRY(class_set_init(&identities, search->classes));
    for (size_t i = 0; i < model->issuer_count; i++)
        for (size_t c = 0; c < search->claim_count; c++)
            for (size_t s = 0; s < search->subjects.count; s++)
                TRY(judge_identity(search, i, c, s, &identities));
    for (size_t i = 0; i < identities.count; i++) {
        const struct facts *identity = &identities.items[i];
        size_t issuer = (size_t)identity->now;
        for (size_t w = 0; w < search->ways[issuer].count; w++) {
            struct user_facts user;
            TRY(user_make(search, &model->issuers[issuer], identity->metadata, &search->ways[issuer].items[w],
                          identity->user.subject, &user));
            TRY(judge_user(search, &user));
        }
    }
    return ERR_NONE;
}

static void find_bindings(struct caller_search *search, const struct assurance *wanted)
{
    if (wanted && wanted->bound != BINDING_NONE)
        search->bindings |= wanted->bound == BINDING_CERTIFICATE ? 1u : wanted->bound == BINDING_WORKLOAD ? 2u : 4u;
}

/* A peer's token is told from one that is handed on once more than a rule takes. */
static void find_depths(struct caller_search *search, const struct rule *rule)
{
    search->depths |= 3u; /* of the owner, of somebody who acts */
    if (rule->subjects->delegation == DELEGATION_PEER)
        search->depths |= 3u << rule->subjects->max_depth;
}

static enum err prepare(struct caller_search *search)
{
    struct classes *classes = search->classes;
    search->signature_room = classes->selector_count * 3 + classes->level_count * 2 + 1 + search->rules->count * 64;
    for (size_t i = 0; i < classes->level_count; i++)
        find_bindings(search, classes->levels[i]);
    for (size_t i = 0; i < search->rules->count; i++) {
        find_bindings(search, search->rules->items[i]->terms->assurance);
        find_bindings(search, search->rules->items[i]->terms->unless_assurance);
        find_depths(search, search->rules->items[i]);
    }
    for (size_t i = 0; i < classes->selector_count; i++)
        find_depths(search, classes->selectors[i]);
    TRY(class_set_init(&search->set, classes));
    TRY(callers_claims(search));
    TRY(callers_subjects(search));
    TRY(callers_sign_in(search));
    return callers_workloads(search);
}

enum err classes_callers(struct classes *classes, const struct facts *request, const struct class_rules *rules,
                         struct class_list *out)
{
    struct caller_search *search = arena_take(classes->arena, sizeof *search);
    if (!search)
        return ERR_NO_MEMORY;
    *search = (struct caller_search){.classes = classes, .rules = rules, .request = request};
    TRY(prepare(search));
    for (size_t i = 0; i < search->workload_count; i++) {
        struct facts facts = *request;
        facts.workload = search->workloads[i];
        TRY(judge_caller(search, &facts));
        facts.user.state = USER_UNKNOWN;
        TRY(judge_caller(search, &facts));
    }
    TRY(judge_users(search));
    *out = (struct class_list){.items = search->set.items, .count = search->set.count};
    return ERR_NONE;
}
