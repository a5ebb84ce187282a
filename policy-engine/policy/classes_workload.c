/* SPDX-License-Identifier: Apache-2.0 */
/* Workloads: SPIFFE IDs of every trust domain, and in every place of the path every
 * class of segments that some selector tells apart. */
#include "classes_caller.h"
#include "match.h"

enum { PLACES_MAX = 16 };

struct workload_search {
    struct caller_search *search;
    struct pattern_list domains, places[PLACES_MAX];
    struct string_list segments[PLACES_MAX];
    size_t place_count;
    struct class_set set;
    bool is_deep; /* a selector has more segments than are looked at */
};

static void see_selector(struct workload_search *found, const struct workload_selector *selector)
{
    for (size_t i = 0; i < selector->spiffe_count; i++) {
        const struct spiffe_glob *glob = &selector->spiffe[i];
        if (view_is_present(glob->trust_domain))
            pattern_add(&found->domains, TEXT_EXACT, glob->trust_domain);
        if (glob->segments.count >= PLACES_MAX) {
            found->is_deep = true;
            continue;
        }
        for (size_t k = 0; k < glob->segments.count; k++)
            pattern_add(&found->places[k], TEXT_GLOB, glob->segments.items[k]);
        found->place_count = glob->segments.count > found->place_count ? glob->segments.count : found->place_count;
    }
    for (size_t i = 0; i < selector->trust_domains.count; i++)
        pattern_add(&found->domains, TEXT_EXACT, selector->trust_domains.items[i]);
    if (selector->namespaces.count + selector->service_account_count == 0)
        return;
    pattern_add(&found->places[0], TEXT_EXACT, VIEW("ns"));
    pattern_add(&found->places[2], TEXT_EXACT, VIEW("sa"));
    found->place_count = found->place_count < 4 ? 4 : found->place_count;
    for (size_t i = 0; i < selector->namespaces.count; i++)
        pattern_add(&found->places[1], TEXT_EXACT, selector->namespaces.items[i]);
    for (size_t i = 0; i < selector->service_account_count; i++) {
        pattern_add(&found->places[1], TEXT_EXACT, selector->service_accounts[i].namespace);
        pattern_add(&found->places[3], TEXT_EXACT, selector->service_accounts[i].account);
    }
}

static void see_rule(struct workload_search *found, const struct rule *rule)
{
    see_selector(found, rule->subjects->workload);
    for (size_t r = 0; r < rule->subjects->workload_role_count; r++)
        for (size_t h = 0; h < rule->subjects->workload_roles[r]->holder_count; h++) {
            const struct role *role = rule->subjects->workload_roles[r]->holders[h];
            for (size_t i = 0; i < role->workload_count; i++)
                see_selector(found, &role->workloads[i]);
        }
}

/* An OAuth client stands for one ID. */
static void see_client(struct workload_search *found, struct view id)
{
    struct view scheme = VIEW("spiffe://");
    size_t at = view_index_of(id, '/', scheme.size), place = 0;
    pattern_add(&found->domains, TEXT_EXACT, view_slice(id, scheme.size, at));
    while (at < id.size && place < PLACES_MAX) {
        size_t next = view_index_of(id, '/', at + 1);
        pattern_add(&found->places[place++], TEXT_EXACT, view_slice(id, at + 1, next));
        at = next;
    }
    found->is_deep = found->is_deep || at < id.size;
    found->place_count = place > found->place_count ? place : found->place_count;
}

static void sign_demand(const struct inquiry *inquiry, const struct rule *rule, struct signature *signature)
{
    bool holds = false;
    for (size_t i = 0; i < rule->subjects->workload_role_count; i++)
        holds = holds || interpret_role(inquiry, rule->subjects->workload_roles[i]) == TRI_TRUE;
    signature_put(signature, inquiry_workload_demand(inquiry, rule, holds));
}

static enum err judge_workload(struct workload_search *found, const struct workload_facts *workload)
{
    const struct caller_search *search = found->search;
    struct classes *classes = search->classes;
    struct arena scratch = classes_scratch(classes);
    struct facts facts = {.workload = *workload};
    struct inquiry inquiry = {.model = classes->model, .facts = &facts, .scratch = &scratch};
    struct signature signature;
    size_t room = search->rules->count + classes->selector_count + 2;
    TRY(classes_count(classes));
    for (size_t i = 0; i < classes->model->issuer_count; i++)
        room += classes->model->issuers[i].client_count;
    TRY(signature_init(&signature, room, &scratch));
    signature_put(&signature, workload->proof);
    for (size_t i = 0; i < classes->selector_count; i++)
        sign_demand(&inquiry, classes->selectors[i], &signature);
    for (size_t i = 0; i < search->rules->count; i++)
        sign_demand(&inquiry, search->rules->items[i], &signature);
    for (size_t i = 0; (search->bindings & 2u) != 0 && i < classes->model->issuer_count; i++)
        for (size_t k = 0; k < classes->model->issuers[i].client_count; k++)
            signature_put(&signature,
                          view_equals(classes->model->issuers[i].clients[k].spiffe_id, workload->spiffe_id));
    return class_set_add(&found->set, &signature, &facts);
}

/* Some rule believes an XFCC text: then callers of that kind are about. */
static bool accepts_text(const struct model *model)
{
    for (size_t i = 0; i < model->rule_count; i++)
        if (model->rules[i].effect == RULE_ALLOW && model->rules[i].subjects->accepts_xfcc_text)
            return true;
    return false;
}

static enum err judge_id(struct workload_search *found, struct view domain, struct view path)
{
    struct arena *arena = found->search->classes->arena;
    struct view id = arena_print(arena, "spiffe://%.*s%.*s", VIEW_ARG(domain), VIEW_ARG(path));
    if (!view_is_present(id))
        return ERR_NO_MEMORY;
    struct workload_facts workload = {
        .proof = PROOF_CERTIFICATE, .spiffe_id = id, .trust_domain = view_slice(id, 9, 9 + domain.size)};
    TRY(judge_workload(found, &workload));
    workload.proof = PROOF_XFCC_TEXT;
    return accepts_text(found->search->classes->model) ? judge_workload(found, &workload) : ERR_NONE;
}

static enum err grow_id(struct workload_search *found, struct view domain, struct view path, size_t place)
{
    if (place > 0)
        TRY(judge_id(found, domain, path));
    if (place == found->place_count)
        return ERR_NONE;
    for (size_t i = 0; i < found->segments[place].count; i++) {
        struct view longer = arena_print(found->search->classes->arena, "%.*s/%.*s", VIEW_ARG(path),
                                         VIEW_ARG(found->segments[place].items[i]));
        if (!view_is_present(longer))
            return ERR_NO_MEMORY;
        if (found->segments[place].items[i].size > 0)
            TRY(grow_id(found, domain, longer, place + 1));
    }
    return ERR_NONE;
}

static void see_all(struct workload_search *found)
{
    const struct caller_search *search = found->search;
    const struct classes *classes = search->classes;
    for (size_t i = 0; i < classes->selector_count; i++)
        see_rule(found, classes->selectors[i]);
    for (size_t i = 0; i < search->rules->count; i++)
        see_rule(found, search->rules->items[i]);
    for (size_t i = 0; (search->bindings & 2u) != 0 && i < classes->model->issuer_count; i++)
        for (size_t k = 0; k < classes->model->issuers[i].client_count; k++)
            see_client(found, classes->model->issuers[i].clients[k].spiffe_id);
}

static enum err split(struct workload_search *found, struct string_list *domains)
{
    struct classes *classes = found->search->classes;
    bool is_exhausted = found->domains.is_exhausted;
    TRY(classes_of_texts(classes, found->domains.items, found->domains.count, domains));
    for (size_t i = 0; i < found->place_count; i++) {
        pattern_add(&found->places[i], TEXT_UNDER, VIEW(""));
        is_exhausted = is_exhausted || found->places[i].is_exhausted;
        TRY(classes_of_texts(classes, found->places[i].items, found->places[i].count, &found->segments[i]));
    }
    return is_exhausted ? ERR_NO_MEMORY : ERR_NONE;
}

enum err callers_workloads(struct caller_search *search)
{
    struct classes *classes = search->classes;
    struct workload_search *found = arena_take(classes->arena, sizeof *found);
    const struct workload_facts nobody = {.proof = PROOF_NONE};
    struct string_list domains;
    if (!found)
        return ERR_NO_MEMORY;
    found->search = search;
    found->domains.arena = classes->arena;
    for (size_t i = 0; i < PLACES_MAX; i++)
        found->places[i].arena = classes->arena;
    TRY(class_set_init(&found->set, classes));
    see_all(found);
    if (found->is_deep || found->place_count >= PLACES_MAX)
        return classes_refuse(classes, "a SPIFFE ID pattern has too many segments");
    /* One more is an ID that is longer than any of them. */
    found->place_count++;
    pattern_add(&found->domains, TEXT_UNDER, VIEW(""));
    TRY(split(found, &domains));
    TRY(judge_workload(found, &nobody));
    for (size_t i = 0; i < domains.count; i++)
        if (domains.items[i].size > 0)
            TRY(grow_id(found, domains.items[i], VIEW(""), 0));
    struct workload_facts *workloads = arena_take_array(classes->arena, found->set.count, sizeof *workloads);
    if (!workloads)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < found->set.count; i++)
        workloads[i] = found->set.items[i].workload;
    search->workloads = workloads;
    search->workload_count = found->set.count;
    return ERR_NONE;
}
