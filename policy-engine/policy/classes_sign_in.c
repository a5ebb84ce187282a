/* SPDX-License-Identifier: Apache-2.0 */
/* Ways to sign in: sets of methods, an acr and an age, as far as assurance levels and
 * tests on these claims tell them apart. Each level is just met and just unmet. */
#include "classes_caller.h"
#include "factors.h"
#include "match.h"

enum { METHODS_MAX = 12 };

struct sign_in_search {
    struct caller_search *search;
    const struct issuer *issuer;
    const struct assurance **levels; /* of rules and of the question */
    size_t level_count;
    uint32_t most_factors;
    bool wants_factors, wants_resistance, wants_rank;
    struct string_list methods, acrs; /* an absent acr is a choice */
    const int64_t *ages;              /* below 0: no auth_time */
    size_t age_count;
    struct class_set set; /* user facts of each */
};

static void see_level(struct sign_in_search *found, const struct assurance *level)
{
    if (!level)
        return;
    found->levels[found->level_count++] = level;
    found->wants_factors = found->wants_factors || level->factors > 0;
    found->most_factors = level->factors > found->most_factors ? level->factors : found->most_factors;
    found->wants_resistance = found->wants_resistance || level->phishing_resistant;
    found->wants_rank = found->wants_rank || view_is_present(level->at_least);
}

static enum err see_levels(struct sign_in_search *found)
{
    const struct caller_search *search = found->search;
    size_t room = search->rules->count * 2 + search->classes->level_count + 1;
    found->levels = arena_take_array(search->classes->arena, room, sizeof(struct assurance *));
    if (!found->levels)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < search->rules->count; i++) {
        see_level(found, search->rules->items[i]->terms->assurance);
        see_level(found, search->rules->items[i]->terms->unless_assurance);
    }
    for (size_t i = 0; i < search->classes->level_count; i++)
        see_level(found, search->classes->levels[i]);
    if (search->classes->counts_factors) {
        found->wants_factors = true;
        found->most_factors = found->most_factors > 2 ? found->most_factors : 2;
    }
    return ERR_NONE;
}

/* ---- methods ------------------------------------------------------------------------- */

static void add_factor(const struct sign_in_search *found, enum factor_class factor, struct pattern_list *out)
{
    static const char *const known[] = {"pwd", "pin", "otp",  "hwk",  "swk",    "sms",
                                        "tel", "fpt", "face", "iris", "retina", "vbm"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (factors_class(found->issuer, view_of(known[i])) == factor) {
            pattern_add(out, TEXT_EXACT, view_of(known[i]));
            return;
        }
    for (size_t i = 0; i < found->issuer->amr_class_count; i++)
        if (found->issuer->amr_classes[i].factor == factor) {
            pattern_add(out, TEXT_EXACT, found->issuer->amr_classes[i].amr);
            return;
        }
}

static void add_list(const struct string_list *list, struct pattern_list *out)
{
    for (size_t i = 0; i < list->count; i++)
        pattern_add(out, TEXT_EXACT, list->items[i]);
}

static bool add_tests(const struct sign_in_search *found, const char *name, struct pattern_list *out)
{
    bool is_tested = false;
    for (size_t i = 0; i < found->search->sign_in_count; i++) {
        const struct value_question *question = &found->search->sign_in[i];
        if (!view_equals(question->path.text, view_of(name)))
            continue;
        is_tested = true;
        for (size_t k = 0; k < question->test_count; k++)
            pattern_add_test(out, question->tests[k]);
    }
    return is_tested;
}

static enum err texts_of(struct sign_in_search *found, struct pattern_list *patterns, bool starts_absent,
                         struct string_list *out)
{
    struct classes *classes = found->search->classes;
    struct string_list texts;
    if (patterns->is_exhausted)
        return ERR_NO_MEMORY;
    TRY(classes_of_texts(classes, patterns->items, patterns->count, &texts));
    struct view *items = arena_take_array(classes->arena, texts.count + 1, sizeof *items);
    if (!items)
        return ERR_NO_MEMORY;
    size_t count = starts_absent;
    for (size_t i = 0; i < texts.count; i++)
        if (texts.items[i].size > 0)
            items[count++] = texts.items[i];
    *out = (struct string_list){.items = items, .count = count};
    return ERR_NONE;
}

static enum err find_methods(struct sign_in_search *found)
{
    struct pattern_list patterns = {.arena = found->search->classes->arena};
    if (found->wants_factors) {
        add_factor(found, FACTOR_KNOWLEDGE, &patterns);
        add_factor(found, FACTOR_POSSESSION, &patterns);
    }
    if (found->most_factors > 2)
        add_factor(found, FACTOR_INHERENCE, &patterns);
    if (found->wants_resistance)
        add_list(&found->issuer->phishing_resistant_amr, &patterns);
    for (size_t i = 0; i < found->level_count; i++) {
        add_list(&found->levels[i]->methods_any, &patterns);
        add_list(&found->levels[i]->methods_all, &patterns);
    }
    if (found->wants_factors && found->issuer->trusts_mfa_assertion)
        pattern_add(&patterns, TEXT_EXACT, VIEW("mfa"));
    if (add_tests(found, "amr", &patterns))
        pattern_add(&patterns, TEXT_UNDER, VIEW(""));
    TRY(texts_of(found, &patterns, false, &found->methods));
    if (found->methods.count > METHODS_MAX)
        return classes_refuse(found->search->classes, "too many methods are told apart");
    return ERR_NONE;
}

static enum err find_acrs(struct sign_in_search *found)
{
    struct pattern_list patterns = {.arena = found->search->classes->arena};
    const struct issuer *issuer = found->issuer;
    if (found->wants_factors || found->wants_resistance) {
        add_list(&issuer->step_up_two_factors, &patterns);
        add_list(&issuer->step_up_phishing_resistant, &patterns);
        add_list(&issuer->phishing_resistant_acr, &patterns);
        pattern_add(&patterns, TEXT_EXACT, VIEW("phr"));
    }
    if (found->wants_rank)
        add_list(&issuer->acr_order, &patterns);
    for (size_t i = 0; i < found->level_count; i++)
        add_list(&found->levels[i]->acr, &patterns);
    if (add_tests(found, "acr", &patterns) || patterns.count > 0)
        pattern_add(&patterns, TEXT_UNDER, VIEW(""));
    return texts_of(found, &patterns, true, &found->acrs);
}

static enum err find_ages(struct sign_in_search *found)
{
    int64_t *ages = arena_take_array(found->search->classes->arena, found->level_count * 2 + 2, sizeof *ages);
    size_t count = 0;
    if (!ages)
        return ERR_NO_MEMORY;
    ages[count++] = 1;
    ages[count++] = -1;
    for (size_t i = 0; i < found->level_count; i++)
        if (found->levels[i]->has_max_age) {
            int64_t most = (int64_t)found->levels[i]->max_age + found->issuer->clock_skew;
            ages[count++] = most;
            ages[count++] = most + 1;
        }
    found->ages = ages;
    found->age_count = count;
    return ERR_NONE;
}

/* ---- together -------------------------------------------------------------------------- */

static enum err sign_claims(const struct sign_in_search *found, const struct sign_in *way, struct signature *signature,
                            struct arena *scratch)
{
    struct value *items = arena_take_array(scratch, way->amr_count + 1, sizeof *items);
    if (!items)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < way->amr_count; i++)
        items[i] = (struct value){.kind = VALUE_STRING, .text = way->amr[i]};
    const struct view names[] = {{"amr", 3}, {"acr", 3}};
    const struct value values[] = {
        {.kind = way->has_amr ? VALUE_LIST : VALUE_ABSENT, .items = items, .count = way->amr_count},
        {.kind = view_is_present(way->acr) ? VALUE_STRING : VALUE_ABSENT, .text = way->acr}};
    const struct value claims = {.kind = VALUE_MAP, .names = names, .items = values, .count = 2};
    for (size_t i = 0; i < found->search->sign_in_count; i++) {
        const struct value_question *question = &found->search->sign_in[i];
        for (size_t k = 0; k < question->test_count; k++)
            signature_put(signature, match_value(&question->path, question->tests[k], &claims, true,
                                                 found->search->classes->model->max_groups));
        signature_put(signature, question->is_template && view_is_present(match_scalar(&question->path, &claims)));
    }
    return ERR_NONE;
}

static enum err judge_way(struct sign_in_search *found, const struct sign_in *way)
{
    struct classes *classes = found->search->classes;
    struct arena scratch = classes_scratch(classes);
    struct signature signature;
    size_t room = found->level_count * 2 + 2;
    for (size_t i = 0; i < found->search->sign_in_count; i++)
        room += found->search->sign_in[i].test_count + 1;
    TRY(classes_count(classes));
    TRY(signature_init(&signature, room, &scratch));
    struct facts facts = {.now = CLASSES_NOW,
                          .user = {.state = USER_KNOWN,
                                   .amr = way->amr,
                                   .amr_count = way->amr_count,
                                   .has_amr = way->has_amr,
                                   .acr = way->acr,
                                   .has_auth_time = way->has_auth_time,
                                   .auth_time = CLASSES_NOW - way->age,
                                   .issued_at = way->age,
                                   .is_bound_to_certificate = true,
                                   .is_bound_to_workload = true,
                                   .is_bound_by_dpop = true}};
    for (size_t i = 0; i < found->level_count; i++) {
        struct assurance_result result = factors_check(found->levels[i], found->issuer, &facts, VIEW("spiffe://x/x"));
        signature_put(&signature, result.state);
        signature_put(&signature, result.missing);
    }
    if (classes->counts_factors)
        signature_put(&signature, factors_of(found->issuer, &facts.user).count >= 2);
    TRY(sign_claims(found, way, &signature, &scratch));
    return class_set_add(&found->set, &signature, &facts);
}

static enum err judge_methods(struct sign_in_search *found, struct sign_in *way)
{
    for (size_t a = 0; a < found->acrs.count; a++)
        for (size_t t = 0; t < found->age_count; t++) {
            way->acr = found->acrs.items[a];
            way->has_auth_time = found->ages[t] >= 0;
            way->age = way->has_auth_time ? found->ages[t] : 0;
            TRY(judge_way(found, way));
        }
    return ERR_NONE;
}

static enum err judge_all(struct sign_in_search *found)
{
    struct sign_in way = {0};
    TRY(judge_methods(found, &way));
    for (size_t mask = 0; mask < (size_t)1 << found->methods.count; mask++) {
        struct view *amr = arena_take_array(found->search->classes->arena, found->methods.count + 1, sizeof *amr);
        if (!amr)
            return ERR_NO_MEMORY;
        way = (struct sign_in){.amr = amr, .has_amr = true};
        for (size_t i = 0; i < found->methods.count; i++)
            if (mask >> i & 1)
                amr[way.amr_count++] = found->methods.items[i];
        TRY(judge_methods(found, &way));
    }
    return ERR_NONE;
}

static enum err one_issuer(struct caller_search *search, const struct issuer *issuer, struct sign_in_list *out)
{
    struct sign_in_search found = {.search = search, .issuer = issuer};
    TRY(class_set_init(&found.set, search->classes));
    TRY(see_levels(&found));
    TRY(find_methods(&found));
    TRY(find_acrs(&found));
    TRY(find_ages(&found));
    TRY(judge_all(&found));
    struct sign_in *ways = arena_take_array(search->classes->arena, found.set.count, sizeof *ways);
    if (!ways)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < found.set.count; i++) {
        const struct user_facts *user = &found.set.items[i].user;
        ways[i] = (struct sign_in){.amr = user->amr,
                                   .amr_count = user->amr_count,
                                   .has_amr = user->has_amr,
                                   .acr = user->acr,
                                   .has_auth_time = user->has_auth_time,
                                   .age = user->issued_at};
    }
    *out = (struct sign_in_list){.items = ways, .count = found.set.count};
    return ERR_NONE;
}

enum err callers_sign_in(struct caller_search *search)
{
    const struct model *model = search->classes->model;
    struct sign_in_list *ways = arena_take_array(search->classes->arena, model->issuer_count + 1, sizeof *ways);
    if (!ways)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < model->issuer_count; i++)
        TRY(one_issuer(search, &model->issuers[i], &ways[i]));
    search->ways = ways;
    return ERR_NONE;
}
