/* SPDX-License-Identifier: Apache-2.0 */
/* The claims and subjects that a caller can come with. */
#include "classes_caller.h"

/* ---- what the rules and selectors read ------------------------------------------------ */

struct ask {
    struct claim_path path;
    const struct value_test **tests;
    size_t count, room;
    bool is_template;
};

struct questions {
    struct caller_search *search;
    struct ask *items;
    size_t count, room;
    enum err err;
};

static struct ask *ask_about(struct questions *questions, const struct claim_path *path)
{
    struct arena *arena = questions->search->classes->arena;
    for (size_t i = 0; i < questions->count; i++)
        if (view_equals(questions->items[i].path.text, path->text))
            return &questions->items[i];
    if (questions->count == questions->room) {
        size_t room = questions->room * 2 + 8;
        struct ask *items = arena_take_array(arena, room, sizeof *items);
        if (!items) {
            questions->err = ERR_NO_MEMORY;
            return NULL;
        }
        if (questions->count > 0)
            memcpy(items, questions->items, questions->count * sizeof *items);
        questions->items = items;
        questions->room = room;
    }
    questions->items[questions->count] = (struct ask){.path = *path};
    return &questions->items[questions->count++];
}

static void ask(struct questions *questions, const struct claim_path *path, const struct value_test *test)
{
    struct ask *ask = ask_about(questions, path);
    if (!ask)
        return;
    if (ask->count == ask->room) {
        size_t room = ask->room * 2 + 4;
        const struct value_test **tests =
            arena_take_array(questions->search->classes->arena, room, sizeof(struct value_test *));
        if (!tests) {
            questions->err = ERR_NO_MEMORY;
            return;
        }
        if (ask->count > 0)
            memcpy(tests, ask->tests, ask->count * sizeof(struct value_test *));
        ask->tests = tests;
        ask->room = room;
    }
    ask->tests[ask->count++] = test;
}

static void ask_leaf(void *context, const struct condition *leaf)
{
    if (leaf->kind == CONDITION_CLAIM)
        ask(context, leaf->parts->path, &leaf->test);
}

static void ask_roles(struct questions *questions, const struct rule *rule)
{
    for (size_t r = 0; r < rule->subjects->user_role_count; r++)
        for (size_t h = 0; h < rule->subjects->user_roles[r]->holder_count; h++) {
            const struct role *role = rule->subjects->user_roles[r]->holders[h];
            for (size_t u = 0; u < role->user_count; u++)
                for (size_t c = 0; c < role->users[u].claim_count; c++)
                    ask(questions, &role->users[u].claims[c].path, &role->users[u].claims[c].test);
        }
}

static void ask_templates(struct questions *questions, const struct header_template *templates, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < templates[i].value.count; k++) {
            const struct template_part *part = &templates[i].value.parts[k];
            struct ask *ask = part->kind == TEMPLATE_CLAIM ? ask_about(questions, &part->claim) : NULL;
            if (ask)
                ask->is_template = true;
            questions->search->emits_subject = questions->search->emits_subject || part->kind == TEMPLATE_USER_SUB;
        }
}

static void ask_purpose(struct questions *questions, const struct rule *rule)
{
    struct value_test *test = arena_take(questions->search->classes->arena, sizeof *test);
    if (!test) {
        questions->err = ERR_NO_MEMORY;
        return;
    }
    *test = (struct value_test){.kind = TEST_ANY_OF, .values = rule->terms->purpose->values};
    ask(questions, &rule->terms->purpose->claim, test);
}

static void ask_all(struct questions *questions)
{
    const struct caller_search *search = questions->search;
    for (size_t i = 0; i < search->classes->selector_count; i++)
        ask_roles(questions, search->classes->selectors[i]);
    for (size_t i = 0; i < search->rules->count; i++) {
        const struct rule *rule = search->rules->items[i];
        const struct obligation_set *set = rule->terms->obligations;
        ask_roles(questions, rule);
        ask_templates(questions, set->request_headers, set->request_header_count);
        ask_templates(questions, set->response_headers, set->response_header_count);
        ask_templates(questions, set->metadata, set->metadata_count);
        ask_templates(questions, set->query_params, set->query_param_count);
        if (rule->terms->purpose->is_demanded && rule->terms->purpose->is_claim)
            ask_purpose(questions, rule);
    }
    classes_rule_leaves(search->rules, ask_leaf, questions);
}

/* ---- claims ------------------------------------------------------------------------------- */

static bool is_one_of(struct view text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (view_equals(text, view_of(words[i])))
            return true;
    return false;
}

/* What a token says of itself hangs together with the rest of it. */
static const char *const REGISTERED[] = {"iss", "aud", "exp", "iat", "nbf", "auth_time", "cnf", "act", "sid"};
static const char *const TEXTS[] = {"sub", "azp", "client_id"};

static enum err check_paths(const struct questions *questions)
{
    struct classes *classes = questions->search->classes;
    for (size_t i = 0; i < questions->count; i++) {
        struct view first = questions->items[i].path.steps.items[0];
        if (is_one_of(first, REGISTERED, sizeof REGISTERED / sizeof REGISTERED[0]))
            return classes_refuse(classes,
                                  "a rule reads iss, aud, exp, iat, nbf, auth_time, cnf, act or sid as a claim");
        for (size_t k = 0; k < i; k++)
            if (classes_paths_cross(&questions->items[i].path, &questions->items[k].path))
                return classes_refuse(classes, "rules read a claim and what stands below it");
    }
    return ERR_NONE;
}

/* Every combination of the claims so far with every value of one more. */
static enum err multiply_claims(struct caller_search *search, const struct claim_path *path, const struct value *values,
                                size_t count)
{
    struct arena *arena = search->classes->arena;
    const struct value **claims = arena_take_array(arena, search->claim_count * count + 1, sizeof(struct value *));
    size_t at = 0;
    if (!claims)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < search->claim_count; i++)
        for (size_t k = 0; k < count; k++) {
            TRY(classes_count(search->classes));
            claims[at] = values[k].kind == VALUE_ABSENT
                             ? search->claims[i]
                             : classes_put_value(arena, search->claims[i], path, 0, &values[k]);
            if (values[k].kind != VALUE_ABSENT && !claims[at])
                return ERR_NO_MEMORY;
            at++;
        }
    search->claims = claims;
    search->claim_count = at;
    return ERR_NONE;
}

static bool is_sign_in(struct view name)
{
    return view_equals(name, VIEW("amr")) || view_equals(name, VIEW("acr"));
}

enum err callers_claims(struct caller_search *search)
{
    struct questions questions = {.search = search};
    ask_all(&questions);
    TRY(questions.err);
    TRY(check_paths(&questions));
    search->claims = arena_take_array(search->classes->arena, 1, sizeof(struct value *));
    search->sign_in = arena_take_array(search->classes->arena, questions.count + 1, sizeof *search->sign_in);
    if (!search->claims || !search->sign_in)
        return ERR_NO_MEMORY;
    search->claim_count = 1; /* none at all */
    for (size_t i = 0; i < questions.count; i++) {
        struct ask *ask = &questions.items[i];
        struct view first = ask->path.steps.items[0];
        struct value_question question = {.path = ask->path,
                                          .tests = ask->tests,
                                          .test_count = ask->count,
                                          .is_template = ask->is_template,
                                          .is_text = is_one_of(first, TEXTS, sizeof TEXTS / sizeof TEXTS[0]),
                                          .is_claim = true};
        const struct value *values;
        size_t count;
        if (is_sign_in(first) || view_equals(first, VIEW("sub"))) {
            if (ask->path.steps.count > 1)
                return classes_refuse(search->classes, "a rule reads a part of sub, amr or acr");
            search->emits_subject = search->emits_subject || (ask->is_template && view_equals(first, VIEW("sub")));
            search->sign_in[search->sign_in_count++] = question;
            continue;
        }
        TRY(classes_values(search->classes, &question, &values, &count));
        TRY(multiply_claims(search, &ask->path, values, count));
    }
    return ERR_NONE;
}

/* ---- subjects ----------------------------------------------------------------------------- */

static void subjects_of(struct pattern_list *patterns, const struct rule *rule)
{
    for (size_t r = 0; r < rule->subjects->user_role_count; r++)
        for (size_t h = 0; h < rule->subjects->user_roles[r]->holder_count; h++) {
            const struct role *role = rule->subjects->user_roles[r]->holders[h];
            for (size_t u = 0; u < role->user_count; u++)
                for (size_t i = 0; i < role->users[u].subjects.count; i++)
                    pattern_add(patterns, TEXT_EXACT, role->users[u].subjects.items[i]);
        }
}

enum err callers_subjects(struct caller_search *search)
{
    struct classes *classes = search->classes;
    struct pattern_list patterns = {.arena = classes->arena};
    struct string_list texts;
    pattern_add(&patterns, TEXT_UNDER, VIEW(""));
    for (size_t i = 0; i < classes->selector_count; i++)
        subjects_of(&patterns, classes->selectors[i]);
    for (size_t i = 0; i < search->rules->count; i++)
        subjects_of(&patterns, search->rules->items[i]);
    for (size_t i = 0; i < search->sign_in_count; i++)
        for (size_t k = 0; view_equals(search->sign_in[i].path.text, VIEW("sub")) && k < search->sign_in[i].test_count;
             k++)
            pattern_add_test(&patterns, search->sign_in[i].tests[k]);
    if (patterns.is_exhausted)
        return ERR_NO_MEMORY;
    TRY(classes_of_texts(classes, patterns.items, patterns.count, &texts));
    struct view *subjects = arena_take_array(classes->arena, texts.count + 2, sizeof *subjects);
    if (!subjects)
        return ERR_NO_MEMORY;
    size_t count = 0;
    for (size_t i = 0; i < texts.count; i++)
        if (texts.items[i].size > 0)
            subjects[count++] = texts.items[i];
    if (search->emits_subject)
        subjects[count++] = VIEW("\xc3\xa9");
    search->subjects = (struct string_list){.items = subjects, .count = count};
    return ERR_NONE;
}
