/* SPDX-License-Identifier: Apache-2.0 */
/* Requests: every set of operations that some request fits, with every resource that
 * it can name. */
#include "classes_request.h"
#include "match.h"

static bool can_stand_in_header(const struct found_resource *found)
{
    for (size_t i = 0; found && i < found->id.size; i++)
        if (found->id.data[i] < 0x20 || found->id.data[i] > 0x7e)
            return false;
    return found && found->is_known && found->id.size > 0;
}

struct leaf_signer {
    const struct inquiry *inquiry;
    struct signature *signature;
};

static void sign_leaf(void *context, const struct condition *leaf)
{
    const struct leaf_signer *signer = context;
    if (leaf->kind == CONDITION_QUERY)
        signature_put(signer->signature, match_condition(leaf, signer->inquiry->model, signer->inquiry->facts, false));
}

static void sign_rule(const struct inquiry *inquiry, const struct rule *rule, struct signature *signature)
{
    const struct found_resource *found;
    enum tri fits = rule->action_count == 0 ? TRI_TRUE : TRI_FALSE;
    for (size_t i = 0; i < rule->action_count; i++)
        fits = tri_or(fits, interpret_action(inquiry, rule->actions[i]));
    fits = tri_and(fits, inquiry_resource(inquiry, rule, &found));
    signature_put(signature, fits == TRI_FALSE ? 0 : fits + (can_stand_in_header(found) ? 4u : 0));
    struct leaf_signer signer = {.inquiry = inquiry, .signature = signature};
    if (fits == TRI_FALSE)
        return;
    classes_leaves(rule->when, sign_leaf, &signer);
    classes_leaves(rule->terms->unless, sign_leaf, &signer);
}

static enum err judge_request(struct class_set *set, const struct facts *facts)
{
    struct classes *classes = set->classes;
    struct arena scratch = classes_scratch(classes);
    struct signature signature;
    struct inquiry inquiry;
    struct decision ignored = {0};
    TRY(classes_count(classes));
    TRY(signature_init(&signature, classes->model->rule_count * 2 + 64, &scratch));
    enum reason reason = interpret_open(&inquiry, classes->model, facts, &scratch, &ignored);
    if (reason == REASON_INTERNAL)
        return ERR_NO_MEMORY;
    if (reason != REASON_NONE)
        return ERR_NONE;
    if (classes->about) {
        sign_rule(&inquiry, classes->about, &signature);
        if (signature.bytes[0] == 0)
            return ERR_NONE;
    }
    for (size_t i = 0; i < classes->model->rule_count; i++)
        sign_rule(&inquiry, &classes->model->rules[i], &signature);
    return class_set_add(set, &signature, facts);
}

static enum err judge_bodies(struct class_set *set, const struct choices *choices, const struct facts *start)
{
    struct facts facts = *start;
    for (size_t c = 0; c < choices->calls.count; c++)
        for (size_t m = 0; m < choices->models.count; m++)
            for (size_t t = 0; t < choices->tools.count; t++) {
                facts.body = (struct body_facts){.call = choices->calls.items[c],
                                                 .model = choices->models.items[m],
                                                 .tool = choices->tools.items[t]};
                facts.body.state = c + m + t > 0 ? BODY_READ : BODY_ABSENT;
                for (size_t h = 0; h < choices->headers.count; h++) {
                    facts.headers = choices->headers.items[h].headers;
                    facts.header_count = choices->headers.items[h].header_count;
                    TRY(judge_request(set, &facts));
                }
            }
    return ERR_NONE;
}

/* Where only the first choice differs from the rest by name: nothing here reads the others. */
static struct string_list only_first(struct string_list list, bool is_read)
{
    list.count = is_read ? list.count : 1;
    return list;
}

static bool type_reads(const struct resource_type *type, enum id_source_kind kind)
{
    for (size_t i = 0; i < type->id_count; i++)
        if (type->ids[i].kind == kind)
            return true;
    return false;
}

/* The choices that something reads of a request with this host, path and method. */
static struct choices choices_at(const struct walk *walk, const struct choices *all, const struct facts *facts,
                                 const struct found_path *path)
{
    const struct model *model = walk->classes->model;
    struct choices here = *all;
    char buffer[512];
    struct view host;
    uint16_t port;
    bool calls = false, queries = all->tests_queries, models = false, tools = false, headers = false;
    if (facts->host.size >= sizeof buffer || request_host_parse(facts->host, buffer, &host, &port) != REASON_NONE)
        return here;
    for (size_t i = 0; i < walk->operations.count; i++) {
        const struct operation *operation = walk->operations.items[i];
        if (!path->fits[i] || !match_hosts(operation->hosts, operation->host_count, host, port) ||
            (operation->methods.count > 0 && !match_string(&operation->methods, facts->method)))
            continue;
        calls = calls || view_is_present(operation->extras->call);
        queries = queries || operation->extras->query_count > 0;
    }
    for (size_t i = 0; i < model->type_count; i++) {
        const struct resource_type *type = &model->types[i];
        if (!match_hosts(type->hosts, type->host_count, host, port))
            continue;
        models = models || type_reads(type, ID_BODY_MODEL);
        tools = tools || type_reads(type, ID_BODY_TOOL);
        headers = headers || type_reads(type, ID_HEADER);
    }
    here.calls = only_first(all->calls, calls);
    here.queries = only_first(all->queries, queries);
    here.models = only_first(all->models, models);
    here.tools = only_first(all->tools, tools);
    here.headers.count = headers ? all->headers.count : 1;
    return here;
}

static enum err judge_path(struct class_set *set, const struct walk *walk, const struct choices *all,
                           const struct facts *start, const struct found_path *path)
{
    struct facts facts = *start;
    struct choices here = choices_at(walk, all, start, path);
    for (size_t i = 0; i < here.queries.count; i++) {
        struct view query = here.queries.items[i];
        facts.path = path->text;
        if (query.size > 0)
            facts.path = arena_print(set->classes->arena, "%.*s%.*s", VIEW_ARG(path->text), VIEW_ARG(query));
        if (!view_is_present(facts.path))
            return ERR_NO_MEMORY;
        TRY(judge_bodies(set, &here, &facts));
    }
    return ERR_NONE;
}

static enum err judge_all(struct class_set *set, const struct walk *walk, const struct choices *choices)
{
    for (size_t h = 0; h < choices->hosts.count; h++)
        for (size_t p = 0; p < walk->path_count; p++)
            for (size_t m = 0; m < choices->methods.count; m++) {
                struct facts facts = {.host = choices->hosts.items[h],
                                      .method = choices->methods.items[m],
                                      .is_raw_path = true,
                                      .now = CLASSES_NOW,
                                      .decision_id = VIEW("test"),
                                      .request_failure = REASON_NONE,
                                      .workload_failure = REASON_NONE,
                                      .user_failure = REASON_NONE};
                TRY(judge_path(set, walk, choices, &facts, &walk->paths[p]));
            }
    return ERR_NONE;
}

enum err classes_requests(struct classes *classes, struct class_list *out)
{
    struct walk *walk = arena_take(classes->arena, sizeof *walk);
    struct choices choices;
    struct class_set set;
    if (!walk)
        return ERR_NO_MEMORY;
    walk->classes = classes;
    table_init(&walk->seen, classes->arena);
    TRY(class_set_init(&set, classes));
    TRY(requests_paths(walk));
    TRY(requests_choices(walk, &choices));
    TRY(judge_all(&set, walk, &choices));
    *out = (struct class_list){.items = set.items, .count = set.count};
    return ERR_NONE;
}

enum err classes_rules(struct classes *classes, const struct facts *request, struct class_rules *out)
{
    const struct model *model = classes->model;
    const struct rule **rules = arena_take_array(classes->arena, model->rule_count + 1, sizeof(struct rule *));
    struct arena scratch = classes_scratch(classes);
    struct inquiry inquiry;
    struct decision ignored = {0};
    struct signature one;
    if (!rules || interpret_open(&inquiry, model, request, &scratch, &ignored) != REASON_NONE)
        return ERR_NO_MEMORY;
    TRY(signature_init(&one, 1, &scratch));
    *out = (struct class_rules){.items = rules};
    for (size_t i = 0; i < model->rule_count; i++) {
        one.size = 0;
        sign_rule(&inquiry, &model->rules[i], &one);
        if (one.bytes[0] != 0)
            rules[out->count++] = &model->rules[i];
    }
    return ERR_NONE;
}
