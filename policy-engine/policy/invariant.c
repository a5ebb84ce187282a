/* SPDX-License-Identifier: Apache-2.0 */
#include "invariant.h"

#include "classes.h"
#include "codes.h"
#include "factors.h"

#include <stdlib.h>

enum { MEMORY_MAX = 512 * 1024 * 1024, SCRATCH_MAX = 256 * 1024 };

/* One invariant under check. */
struct check {
    const struct policy *policy;
    const struct invariant *invariant;
    struct classes classes;
    void *memory; /* SCRATCH_MAX, for one decision */
    size_t combinations;
    bool is_violated;
    struct facts witness;         /* when is_violated; lives as long as both arenas */
    struct arena *arena, passing; /* of the invariant, of one request */
};

static bool is_restriction(const struct invariant *invariant)
{
    return invariant->is_always ? invariant->verdict == VERDICT_DENY : invariant->verdict != VERDICT_DENY;
}

/* ---- what is selected ------------------------------------------------------------- */

static enum tri selector_fits(const struct inquiry *inquiry, const struct rule *selector)
{
    struct rule_standing standing = interpret_rule(inquiry, selector);
    enum tri fits = tri_and(standing.parts.operation, standing.parts.resource);
    fits = tri_and(fits, tri_and(standing.parts.workload, standing.parts.user));
    return tri_and(fits, inquiry_delegation(inquiry, selector));
}

static bool meets(const struct inquiry *inquiry, const struct assurance *level)
{
    struct view workload = inquiry->facts->workload.spiffe_id;
    return factors_check(level, inquiry->issuer, inquiry->facts, workload).state == ASSURANCE_MET;
}

/* Without MFA: no user, fewer than two factors, or no level of the document met. */
static enum tri lacks_assurance(const struct inquiry *inquiry, const struct invariant *invariant)
{
    const struct user_facts *user = &inquiry->facts->user;
    if (user->state != USER_KNOWN)
        return user->state == USER_ABSENT ? TRI_TRUE : TRI_UNKNOWN;
    bool meets_one = false;
    for (size_t i = 0; i < invariant->level_count; i++)
        meets_one = meets_one || meets(inquiry, invariant->levels[i]);
    return tri_of(!meets_one || factors_of(inquiry->issuer, user).count < 2);
}

static enum tri assurance_fits(const struct inquiry *inquiry, const struct invariant *invariant)
{
    switch (invariant->assurance) {
    case INVARIANT_ANY_ASSURANCE: return TRI_TRUE;
    case INVARIANT_NO_ASSURANCE: return lacks_assurance(inquiry, invariant);
    case INVARIANT_LEVEL: break;
    }
    if (inquiry->facts->user.state == USER_UNKNOWN)
        return TRI_UNKNOWN;
    return tri_of(meets(inquiry, invariant->levels[0]));
}

/* F where the request is refused before any rule. */
static enum err select_request(struct check *check, const struct facts *facts, enum tri *out)
{
    const struct invariant *invariant = check->invariant;
    struct arena scratch;
    struct inquiry inquiry;
    struct decision ignored = {0};
    arena_init_fixed(&scratch, check->memory, SCRATCH_MAX);
    enum reason reason = interpret_open(&inquiry, &check->policy->model, facts, &scratch, &ignored);
    *out = TRI_FALSE;
    if (reason != REASON_NONE)
        return reason == REASON_INTERNAL ? ERR_NO_MEMORY : ERR_NONE;
    *out = tri_and(selector_fits(&inquiry, &invariant->selected), assurance_fits(&inquiry, invariant));
    if (invariant->has_excluded)
        *out = tri_and(*out, tri_not(selector_fits(&inquiry, &invariant->excluded)));
    return ERR_NONE;
}

static bool counts(const struct check *check, enum tri selected)
{
    return selected == TRI_TRUE || (selected == TRI_UNKNOWN && is_restriction(check->invariant));
}

/* ---- every combination -------------------------------------------------------------- */

static bool advance(const struct class_scene *scene, size_t *picks)
{
    for (size_t i = 0; i < scene->count; i++) {
        if (++picks[i] < scene->dimensions[i].count)
            return true;
        picks[i] = 0;
    }
    return false;
}

static enum err count_combination(struct check *check)
{
    if (check->combinations == CLASSES_COMBINATIONS_MAX)
        return classes_refuse(&check->classes, "there are more than 1000000 combinations of classes");
    check->combinations++;
    return ERR_NONE;
}

static enum err keep_witness(struct check *check, const struct facts *request, const struct facts *caller,
                             const struct class_scene *scene, const size_t *picks)
{
    check->is_violated = true;
    return classes_join(request, caller, scene, picks, check->arena, &check->witness);
}

static enum err decide_caller(struct check *check, const struct facts *request, const struct facts *caller,
                              const struct class_scene *scene)
{
    size_t picks[CLASSES_DIMENSIONS_MAX] = {0};
    do {
        struct arena scratch;
        struct facts facts;
        struct decision decision;
        TRY(count_combination(check));
        arena_init_fixed(&scratch, check->memory, SCRATCH_MAX);
        TRY(classes_join(request, caller, scene, picks, &scratch, &facts));
        policy_decide(check->policy, &facts, &scratch, &decision);
        if (decision.reason == REASON_INTERNAL)
            return ERR_NO_MEMORY;
        if ((decision.verdict == check->invariant->verdict) != check->invariant->is_always)
            return keep_witness(check, request, caller, scene, picks);
    } while (advance(scene, picks));
    return ERR_NONE;
}

static enum err decide_request(struct check *check, const struct facts *request)
{
    struct class_rules rules;
    struct class_list callers;
    struct class_scene *scene = arena_take(check->classes.arena, sizeof *scene);
    if (!scene)
        return ERR_NO_MEMORY;
    TRY(classes_rules(&check->classes, request, &rules));
    TRY(classes_callers(&check->classes, request, &rules, &callers));
    TRY(classes_scenes(&check->classes, &rules, scene));
    for (size_t i = 0; i < callers.count && !check->is_violated; i++) {
        enum tri selected;
        TRY(select_request(check, &callers.items[i], &selected));
        if (counts(check, selected))
            TRY(decide_caller(check, request, &callers.items[i], scene));
    }
    return ERR_NONE;
}

static enum err decide_all(struct check *check)
{
    struct class_list requests;
    TRY(classes_requests(&check->classes, &requests));
    check->classes.arena = &check->passing;
    for (size_t i = 0; i < requests.count && !check->is_violated; i++) {
        arena_free(&check->passing);
        arena_init(&check->passing, MEMORY_MAX);
        TRY(decide_request(check, &requests.items[i]));
    }
    return ERR_NONE;
}

/* ---- what is said ---------------------------------------------------------------------- */

static void report(const struct check *check, struct diag_list *diags)
{
    const struct invariant *invariant = check->invariant;
    struct arena scratch;
    struct decision decision;
    arena_init_fixed(&scratch, check->memory, SCRATCH_MAX);
    policy_decide(check->policy, &check->witness, &scratch, &decision);
    struct view rule = decision.rule, by = VIEW("");
    if (view_is_present(rule))
        by = arena_print(check->arena, " by rule `%.*s`", VIEW_ARG(rule));
    struct view message =
        arena_print(check->arena, "invariant `%.*s` violated%.*s: %.*s -> %s%s", VIEW_ARG(invariant->name),
                    VIEW_ARG(by), VIEW_ARG(invariant_sentence(&check->witness, check->arena)),
                    verdict_text(decision.verdict), view_is_present(rule) ? "" : " by default");
    struct view test = invariant_test(arena_print(check->arena, "violates %.*s", VIEW_ARG(invariant->name)),
                                      &check->witness, &decision, check->arena);
    struct diag diag = {.severity = DIAG_ERROR,
                        .code = view_of(code_text(CODE_INVARIANT)),
                        .span = model_span(&check->policy->model, invariant->span),
                        .message = message,
                        .hint = arena_print(check->arena, "under tests: %.*s", VIEW_ARG(test))};
    diag_add(diags, &diag);
}

static enum err check_one(const struct policy *policy, const struct invariant *invariant, struct arena *arena,
                          struct diag_list *diags)
{
    const struct rule *const selectors[] = {&invariant->selected, &invariant->excluded};
    struct check check = {.policy = policy,
                          .invariant = invariant,
                          .arena = arena,
                          .memory = arena_take(arena, SCRATCH_MAX),
                          .classes = {.model = &policy->model,
                                      .arena = arena,
                                      .lasting = arena,
                                      .about = &invariant->selected,
                                      .selectors = selectors,
                                      .selector_count = 1 + (size_t)invariant->has_excluded,
                                      .levels = invariant->levels,
                                      .level_count = invariant->level_count,
                                      .counts_factors = invariant->assurance == INVARIANT_NO_ASSURANCE}};
    arena_init(&check.passing, MEMORY_MAX);
    enum err err = check.memory ? decide_all(&check) : ERR_NO_MEMORY;
    struct span span = model_span(&policy->model, invariant->span);
    if (err == ERR_LIMIT || err == ERR_NO_MEMORY)
        diag_error(diags, code_text(CODE_INVARIANT_SIZE), &span, "the invariant `%.*s` was not checked: %s",
                   VIEW_ARG(invariant->name), err == ERR_LIMIT ? check.classes.problem : "it does not fit into memory");
    else if (err == ERR_NONE && check.is_violated)
        report(&check, diags);
    arena_free(&check.passing);
    return err == ERR_LIMIT || err == ERR_NO_MEMORY ? ERR_NONE : err;
}

enum err invariants_check(const struct policy *policy, struct diag_list *diags)
{
    size_t errors = diags->errors;
    for (size_t i = 0; i < policy->model.invariant_count; i++) {
        struct arena arena;
        arena_init(&arena, MEMORY_MAX);
        enum err err = check_one(policy, &policy->model.invariants[i], &arena, diags);
        arena_free(&arena);
        TRY(err);
    }
    return diags->errors > errors ? ERR_INVALID : ERR_NONE;
}
