/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"
#include "policy_internal.h"
#include "rfc3339.h"
#include "test_case.h"

/* A scalar that stands nowhere in the file, said to stand where `place` does. */
static struct node scalar_at(const struct node *place, const char *text)
{
    return (struct node){.kind = NODE_SCALAR, .span = place->span, .text = view_of(text), .is_plain = true};
}

/* `given` with `now` behind its own keys, unless it says the time itself. */
static enum err with_now(const struct node *given, struct node *key, struct node *value, struct arena *arena,
                         struct node *out)
{
    *out = *given;
    if (given->kind != NODE_MAP || node_get(given, VIEW("now")) != NULL)
        return ERR_NONE;
    struct node **keys = arena_take_array(arena, given->count + 1, sizeof(*keys));
    struct node **items = arena_take_array(arena, given->count + 1, sizeof(*items));
    if (keys == NULL || items == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < given->count; i++) {
        keys[i] = given->keys[i];
        items[i] = given->items[i];
    }
    keys[given->count] = key;
    items[given->count] = value;
    out->keys = keys;
    out->items = items;
    out->count++;
    return ERR_NONE;
}

/* Reads the one test {name: request, given: .., expect: deny} by the loader of tests. */
static enum err load_request(const struct policy *policy, const struct node *given, int64_t now, struct load *load)
{
    char instant[RFC3339_BYTES + 1] = "";
    if (!rfc3339_write(now, instant))
        return ERR_LIMIT;
    struct node words[] = {scalar_at(given, "now"),     scalar_at(given, instant),  scalar_at(given, "name"),
                           scalar_at(given, "request"), scalar_at(given, "expect"), scalar_at(given, "deny"),
                           scalar_at(given, "given")};
    struct node complete;
    TRY(with_now(given, &words[0], &words[1], load->scratch, &complete));
    struct node *const keys[] = {&words[2], &words[4], &words[6]};
    struct node *const items[] = {&words[3], &words[5], &complete};
    struct node test = {.kind = NODE_MAP, .span = given->span, .keys = keys, .items = items, .count = 3};
    struct node *const tests[] = {&test};
    const struct node list = {.kind = NODE_LIST, .span = given->span, .items = tests, .count = 1};
    load->issuers = arena_take_array(load->arena, policy->model.issuer_count + 1, sizeof(*load->issuers));
    if (load->issuers == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < policy->model.issuer_count; i++)
        load->issuers[i] = policy->model.issuers[i];
    load_tests(load, &list);
    return load->is_exhausted ? ERR_NO_MEMORY : ERR_NONE;
}

enum err policy_given(const struct policy *policy, const struct policy_source *given, int64_t now, struct arena *arena,
                      struct diag_list *diags, const struct facts **out)
{
    struct document document = {0};
    struct model model = policy->model;
    size_t errors = diags->errors;
    TRY(document_parse(given->name, given->text, arena, diags, &document));
    struct load load = {.arena = arena, .scratch = arena, .passing = arena, .diags = diags, .model = &model};
    if (document.count != 1) {
        const struct span whole = {.file = given->name};
        diag_error(diags, code_text(CODE_TEST_GIVEN), document.count > 0 ? &document.roots[1]->span : &whole,
                   "a request is described by one document");
        return ERR_INVALID;
    }
    load.root = document.roots[0];
    TRY(load_request(policy, document.roots[0], now, &load));
    if (diags->errors == errors && load.test_count != 1)
        load_refuse(&load, CODE_TEST_GIVEN, document.roots[0], NULL, "this describes %zu requests, not one",
                    load.test_count);
    if (diags->errors > errors)
        return ERR_INVALID;
    *out = &load.tests->facts;
    return ERR_NONE;
}

enum err policy_eval_given(const struct policy *policy, const struct policy_source *given, int64_t now,
                           struct arena *arena, struct diag_list *diags, struct decision *out)
{
    const struct facts *facts = NULL;
    TRY(policy_given(policy, given, now, arena, diags, &facts));
    policy_decide(policy, facts, arena, out);
    return ERR_NONE;
}
