/* SPDX-License-Identifier: Apache-2.0 */
/* Writes a policy of one shape and the requests about it for the programs of peers/, so that one
 * generator feeds Bartizan and everything it is compared with.
 *
 *   policy_export SHAPE RULES FOLDER
 *
 *   FOLDER/policy/N.yaml   the policy
 *   FOLDER/rules.json      what the loader made of it, every name resolved. Roles and actions are
 *                          told by their place in their lists; a path is a list of segments, where
 *                          `{}` is any one segment and `{**}` the rest
 *   FOLDER/requests.jsonl  a request on each line: `given` as in a policy's tests, `expect`, and what
 *                          a router in front of a peer would have found: the actions that fit, the id
 *
 * Ends with an error at anything in a policy that rules.json has no word for. */
#include "measure.h"
#include "model.h"
#include "path_pattern.h"
#include "policy_shapes.h"

#include <jansson.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { REQUESTS = 256, SCRATCH = 1024 * 1024 };

static char scratch_memory[SCRATCH];

static json_t *text_json(struct view text)
{
    return json_stringn(text.data, text.size);
}

static json_t *texts_json(struct string_list list)
{
    json_t *array = json_array();
    for (size_t i = 0; i < list.count; i++)
        json_array_append_new(array, text_json(list.items[i]));
    return array;
}

static void text_set(json_t *object, struct view name, json_t *value)
{
    must(json_object_setn_new(object, name.data, name.size, value) == 0, "a name is not UTF-8");
}

/* ---- rules ------------------------------------------------------------------ */

static json_t *role_json(const struct role *role)
{
    json_t *workloads = json_array(), *users = json_array();
    must(role->held_count == 1, "a role inherits");
    for (size_t i = 0; i < role->workload_count; i++) {
        must(role->workloads[i].spiffe_count == 1, "a workload is not one SPIFFE ID");
        json_array_append_new(workloads, text_json(role->workloads[i].spiffe[0].text));
    }
    for (size_t i = 0; i < role->user_count; i++) {
        const struct user_selector *user = &role->users[i];
        must(user->subjects.count == 0 && user->claim_count == 1 && user->claims[0].test.kind == TEST_ANY_OF,
             "a user is not told by one claim");
        json_array_append_new(users, json_pack("{s:o, s:o, s:o}", "issuer", text_json(user->issuer->url), "claim",
                                               text_json(user->claims[0].path.text), "values",
                                               texts_json(user->claims[0].test.values)));
    }
    return json_pack("{s:o, s:o}", "workloads", workloads, "users", users);
}

static json_t *operation_json(const struct operation *operation)
{
    json_t *path = json_array();
    int item = -1;
    must(operation->kind == OPERATION_HTTP && operation->host_count == 0 && operation->extras->query_count == 0,
         "an operation is more than methods and a path");
    for (size_t i = 0; i < operation->path->segment_count; i++) {
        const struct pattern_segment *segment = &operation->path->segments[i];
        if (segment->kind == PATTERN_VARIABLE && view_equals(segment->text, VIEW("item")))
            item = (int)i;
        json_array_append_new(path, segment->kind == PATTERN_LITERAL ? text_json(segment->text)
                                    : segment->kind == PATTERN_REST  ? json_string("{**}")
                                                                     : json_string("{}"));
    }
    return json_pack("{s:o, s:o, s:i}", "methods", texts_json(operation->methods), "path", path, "id_at", item);
}

static json_t *action_json(const struct action *action)
{
    json_t *operations = json_array();
    for (size_t i = 0; i < action->operation_count; i++)
        json_array_append_new(operations, operation_json(&action->operations[i]));
    return operations;
}

static json_t *roles_of(const struct role *const *roles, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, json_integer((json_int_t)roles[i]->index));
    return array;
}

static void subjects_set(json_t *object, const struct rule *rule)
{
    must(rule->subjects->workload_demand != WORKLOAD_SELECTED && rule->subjects->user_demand != USER_ANY &&
             rule->subjects->user_demand != USER_NONE,
         "a rule's subjects are no roles");
    if (rule->subjects->workload_demand == WORKLOAD_ANY)
        json_object_set_new(object, "needs_workload", json_true());
    if (rule->subjects->workload_demand == WORKLOAD_ROLES)
        json_object_set_new(object, "workload",
                            roles_of(rule->subjects->workload_roles, rule->subjects->workload_role_count));
    if (rule->subjects->user_demand == USER_ROLES)
        json_object_set_new(object, "user", roles_of(rule->subjects->user_roles, rule->subjects->user_role_count));
}

static void resources_set(json_t *object, const struct rule *rule)
{
    json_t *ids = json_array(), *labels = json_object();
    must(rule->resources->not_label_count == 0, "a rule has notLabels");
    for (size_t i = 0; i < rule->resources->id_count; i++) {
        must(!rule->resources->ids[i].is_prefix, "a rule has a prefix of ids");
        json_array_append_new(ids, text_json(rule->resources->ids[i].text));
    }
    for (size_t i = 0; i < rule->resources->label_count; i++)
        text_set(labels, rule->resources->labels[i].key, texts_json(rule->resources->labels[i].values));
    if (rule->resources->id_count > 0)
        json_object_set(object, "ids", ids);
    if (rule->resources->label_count > 0)
        json_object_set(object, "labels", labels);
    json_decref(ids);
    json_decref(labels);
}

static json_t *rule_json(const struct rule *rule)
{
    json_t *object =
        json_pack("{s:o, s:s}", "name", text_json(rule->name), "effect", rule->effect == RULE_ALLOW ? "allow" : "deny");
    json_t *actions = json_array();
    must(rule->priority == 0 && !rule->terms->assurance && !rule->terms->unless && !rule->terms->unless_assurance &&
             !rule->terms->purpose->is_demanded,
         "a rule is about priority, assurance or purpose");
    for (size_t i = 0; i < rule->action_count; i++)
        json_array_append_new(actions, json_integer((json_int_t)rule->actions[i]->index));
    subjects_set(object, rule);
    if (rule->action_count > 0)
        json_object_set(object, "actions", actions);
    json_decref(actions);
    resources_set(object, rule);
    if (rule->when) {
        must(rule->when->kind == CONDITION_HEADER && rule->when->test.kind == TEST_ANY_OF,
             "a condition is no header that equals");
        json_object_set_new(object, "header",
                            json_pack("{s:o, s:o}", "name", text_json(rule->when->name), "values",
                                      texts_json(rule->when->test.values)));
    }
    return object;
}

/* Labels by id: the documents' catalogs say the same of an id that several have. */
static json_t *catalog_json(const struct model *model)
{
    json_t *catalog = json_object();
    for (size_t i = 0; i < model->resource_count; i++) {
        const struct resource *resource = &model->resources[i];
        json_t *labels = json_object(),
               *known = json_object_getn(catalog, resource->id.text.data, resource->id.text.size);
        must(!resource->id.is_prefix, "a catalog has a prefix of ids");
        for (size_t k = 0; k < resource->label_count; k++)
            text_set(labels, resource->labels[k].key, text_json(resource->labels[k].value));
        must(known == NULL || json_equal(known, labels), "two catalogs differ");
        text_set(catalog, resource->id.text, labels);
    }
    return catalog;
}

static void rules_write(const struct model *model, const char *folder)
{
    json_t *roles = json_array(), *actions = json_array(), *rules = json_array();
    char name[512];
    for (size_t i = 0; i < model->role_count; i++)
        json_array_append_new(roles, role_json(&model->roles[i]));
    for (size_t i = 0; i < model->action_count; i++)
        json_array_append_new(actions, action_json(&model->actions[i]));
    for (size_t i = 0; i < model->rule_count; i++)
        json_array_append_new(rules, rule_json(&model->rules[i]));
    json_t *whole = json_pack("{s:o, s:o, s:o, s:o}", "roles", roles, "actions", actions, "resources",
                              catalog_json(model), "rules", rules);
    (void)snprintf(name, sizeof name, "%s/rules.json", folder);
    must(whole != NULL && json_dump_file(whole, name, JSON_COMPACT) == 0, "rules.json cannot be written");
    json_decref(whole);
}

/* ---- requests ---------------------------------------------------------------- */

static json_t *value_json(const struct value *value)
{
    if (value->kind == VALUE_STRING)
        return text_json(value->text);
    must(value->kind == VALUE_LIST || value->kind == VALUE_MAP, "a claim is no text");
    json_t *out = value->kind == VALUE_LIST ? json_array() : json_object();
    for (size_t i = 0; i < value->count; i++)
        if (value->kind == VALUE_LIST)
            json_array_append_new(out, value_json(&value->items[i]));
        else
            text_set(out, value->names[i], value_json(&value->items[i]));
    return out;
}

static json_t *given_json(const struct facts *facts)
{
    json_t *headers = json_object();
    for (size_t i = 0; i < facts->header_count; i++)
        text_set(headers, facts->headers[i].name, text_json(facts->headers[i].value));
    json_t *given =
        json_pack("{s:o, s:o, s:o, s:o, s:o}", "method", text_json(facts->method), "host", text_json(facts->host),
                  "path", text_json(facts->path), "headers", headers, "workload", text_json(facts->workload.spiffe_id));
    if (facts->user.state == USER_KNOWN) {
        json_t *claims = value_json(facts->user.claims);
        json_object_set_new(claims, "iss", text_json(facts->user.issuer));
        json_object_set_new(given, "jwt", claims);
    }
    return given;
}

static bool operation_fits(const struct operation *operation, const struct facts *facts,
                           const struct request_path *path)
{
    bool is_method = operation->methods.count == 0;
    for (size_t i = 0; i < operation->methods.count; i++)
        is_method = is_method || view_equals(operation->methods.items[i], facts->method);
    return is_method && path_pattern_matches(operation->path, path->segments, path->segment_count, NULL);
}

static json_t *fitting_json(const struct model *model, const struct facts *facts)
{
    struct request_path path;
    json_t *fitting = json_array();
    must(request_path_parse(facts->path, model->path_mode, facts->is_raw_path, &path) == REASON_NONE,
         "a path is refused");
    for (size_t i = 0; i < model->action_count; i++)
        for (size_t k = 0; k < model->actions[i].operation_count; k++)
            if (operation_fits(&model->actions[i].operations[k], facts, &path)) {
                json_array_append_new(fitting, json_integer((json_int_t)i));
                break;
            }
    return fitting;
}

/* The aimed one must be allowed and the other refused, or the benchmark is not what it says. */
static void request_write(const struct policy *policy, const struct facts *facts, bool is_miss, FILE *out)
{
    struct decision decision;
    struct arena scratch;
    arena_init_fixed(&scratch, scratch_memory, SCRATCH);
    policy_decide(policy, facts, &scratch, &decision);
    must(decision.verdict == (is_miss ? VERDICT_DENY : VERDICT_ALLOW) && decision.reason != REASON_INTERNAL,
         "a request missed its rule");
    json_t *line = json_pack("{s:o, s:s, s:o}", "given", given_json(facts), "expect", is_miss ? "deny" : "allow",
                             "actions", fitting_json(policy_model(policy), facts));
    if (view_is_present(decision.resource_id))
        json_object_set_new(line, "resource", text_json(decision.resource_id));
    must(line != NULL && json_dumpf(line, out, JSON_COMPACT) == 0 && fputc('\n', out) != EOF,
         "a request cannot be written");
    json_decref(line);
}

static void requests_write(const struct policy_shape *shape, size_t rules, const struct policy *policy,
                           const char *folder)
{
    char name[512];
    uint64_t state = 0;
    struct arena arena;
    arena_init(&arena, (size_t)1 << 28);
    (void)snprintf(name, sizeof name, "%s/requests.jsonl", folder);
    FILE *out = fopen(name, "w");
    must(out != NULL, "requests.jsonl cannot be written");
    for (size_t i = 0; i < REQUESTS; i++) {
        size_t rule = policy_shape_pick(rules, &state);
        struct shape_part part = policy_shape_part(rules, rule);
        for (int kind = 0; kind < 2; kind++) {
            struct facts facts;
            shape->aim(&part, rule - part.first, kind == 1, &arena, &facts);
            request_write(policy, &facts, kind == 1, out);
        }
    }
    must(fclose(out) == 0, "requests.jsonl cannot be written");
    arena_free(&arena);
}

/* ---- policy --------------------------------------------------------------------- */

static void documents_write(const struct policy_shape *shape, size_t rules, const char *folder)
{
    for (size_t first = 0; first < rules; first += RULES_PER_DOCUMENT) {
        struct shape_part part = policy_shape_part(rules, first);
        struct view text = policy_shape_text(shape, &part);
        char name[544];
        (void)snprintf(name, sizeof name, "%s/%zu.yaml", folder, part.document);
        FILE *out = fopen(name, "w");
        must(view_is_present(text) && out != NULL && fwrite(text.data, 1, text.size, out) == text.size &&
                 fclose(out) == 0,
             "the policy cannot be written");
        free((void *)text.data);
    }
}

int main(int argc, char **argv)
{
    const struct policy_shape *shape = argc == 4 ? policy_shape_find(view_of(argv[1])) : NULL;
    size_t rules = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
    struct policy *policy = NULL;
    struct diag_list diags;
    struct arena arena;
    char folder[512];
    must(shape != NULL && rules > 0, "usage: policy_export SHAPE RULES FOLDER");
    (void)snprintf(folder, sizeof folder, "%s/policy", argv[3]);
    must(mkdir(folder, 0755) == 0, "FOLDER/policy cannot be made");
    documents_write(shape, rules, folder);
    arena_init(&arena, 1 << 24);
    diag_list_init(&diags, &arena);
    enum err err = policy_read(folder, &diags, &policy);
    diag_list_print(&diags, stderr);
    must(err == ERR_NONE, "the policy is refused");
    rules_write(policy_model(policy), argv[3]);
    requests_write(shape, rules, policy, argv[3]);
    policy_free(policy);
    arena_free(&arena);
    return 0;
}
