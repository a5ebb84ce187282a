/* SPDX-License-Identifier: Apache-2.0 */
/* Tables that no compiler writes: each is one step from a good policy, and refused with what is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "image_tables.h"
#include "path_pattern.h"
#include "test_case.h"

#include <stdio.h>
#include <stdlib.h>

/* Everything that a check asks about is in it. */
static const char POLICY[] =
    "apiVersion: bartizan.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: all}\nspec:\n"
    "  issuers:\n"
    "    sso: {url: \"https://sso\", audiences: [a], stepUp: {twoFactors: [mfa]}}\n"
    "  assurance:\n"
    "    strong: {factors: 2, maxAge: 5m}\n"
    "  roles:\n"
    "    app: {members: [{workload: {namespace: shop}}]}\n"
    "    shop: {inherits: [app], members: [{workload: {spiffe: \"spiffe://a.example/ns/x/sa/*\"}}]}\n"
    "    staff: {members: [{user: {issuer: sso, claims: {groups: {anyOf: [staff]}}}}]}\n"
    "    stall: {inherits: [app, shop], members: [{workload: {namespace: stall}}]}\n"
    "    store: {inherits: [stall], members: [{workload: {namespace: store}}]}\n"
    "  actions:\n"
    "    read: {http: [{methods: [GET], paths: [\"/v1/{item}:read\", \"/v2/{item}/{**}\"], query: {v: one}}]}\n"
    "    call: {grpc: [a.B/C]}\n"
    "  resourceTypes:\n"
    "    item: {hosts: [api.example], id: [path.item, header.x-item]}\n"
    "    fixed: {hosts: [fixed.example], id: [\"=one\"]}\n"
    "  resources:\n"
    "    - {type: item, id: one, labels: {tier: low}}\n"
    "  rules:\n"
    "    - allow: first\n"
    "      subjects: {workload: [shop], user: [staff], delegation: {actor: peer, maxDepth: 1}}\n"
    "      actions: [read]\n"
    "      resources: {labels: {tier: low}}\n"
    "      assurance: strong\n"
    "      purpose: {from: claim.purpose, anyOf: [care]}\n"
    "      when: {all: [{sourceIP: {in: [10.0.0.0/8]}}, {time: {tz: Europe/Paris, days: [mon]}},\n"
    "                   {not: {header: {name: x-a, equals: b}}}, {claim: {name: c, prefix: d}},\n"
    "                   {header: {name: x-b, present: true}}, {query: {name: n, intRange: [1, 2]}},\n"
    "                   {time: {tz: Asia/Tokyo, days: [mon]}}]}\n"
    "      obligations: {requestHeaders: {set: {x-user: \"u-$claim.name\"}, remove: [x-gone]}}\n"
    "    - deny: second\n"
    "      actions: [call]\n"
    "      unless: {port: [1]}\n"
    "      obligations: {deny: {status: 451}}\n"
    "  invariants:\n"
    "    - {name: never-call, never: {verdict: allow, actions: [call]}}\n"
    "  tests:\n"
    "    - name: one\n"
    "      given: {path: /v1/one, jwt: {iss: \"https://sso\", sub: u, groups: [staff], level: 2, admin: true}}\n"
    "      expect: deny\n";

struct fixture {
    struct arena arena;
    struct diag_list diags;
    struct policy *policy; /* to be changed, and thrown away */
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    struct policy_source source = {.name = VIEW("all.yaml"), .text = view_of(POLICY)};
    if (fixture == NULL)
        return -1;
    arena_init(&fixture->arena, (size_t)1 << 26);
    diag_list_init(&fixture->diags, &fixture->arena);
    *state = fixture;
    enum err err = policy_build(&source, 1, &fixture->diags, &fixture->policy);
    diag_list_print(&fixture->diags, stderr);
    return err == ERR_NONE ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    policy_free(fixture->policy);
    arena_free(&fixture->arena);
    free(fixture);
    return 0;
}

static enum err write_and_read(struct fixture *fixture, struct image_fault *fault)
{
    struct image_tables tables;
    assert_int_equal(image_tables_write(fixture->policy, &fixture->arena, &tables), ERR_NONE);
    struct policy *read = policy_open();
    assert_non_null(read);
    enum err err = image_tables_read(&tables, read, fault);
    if (err == ERR_NONE)
        err = image_check(read, fault);
    policy_free(read);
    return err;
}

static void assert_refused(void **state, const char *record, const char *problem)
{
    struct image_fault fault = {0};
    assert_int_equal(write_and_read(*state, &fault), ERR_MALFORMED);
    assert_string_equal(fault.record, record);
    if (strstr(fault.problem, problem) == NULL)
        fail_msg("\"%s\" is not in: %s", problem, fault.problem);
}

/* The model of a test's own policy, which it may change. */
static struct model *model_of(void **state)
{
    return &((struct fixture *)*state)->policy->model;
}

#define STRUCT(type, pointer) ((struct type *)(uintptr_t)(pointer))

static struct rule *rule_of(void **state, size_t i)
{
    return STRUCT(rule, &model_of(state)->rules[i]);
}

static struct condition *leaf_of(void **state, size_t i)
{
    return STRUCT(condition, &rule_of(state, 0)->when->children[i]);
}

static struct rule_subjects *subjects_of(void **state, size_t i)
{
    return STRUCT(rule_subjects, rule_of(state, i)->subjects);
}

static struct rule_resources *resources_of(void **state, size_t i)
{
    return STRUCT(rule_resources, rule_of(state, i)->resources);
}

static struct rule_terms *terms_of(void **state, size_t i)
{
    return STRUCT(rule_terms, rule_of(state, i)->terms);
}

static struct condition_parts *parts_of(void **state, size_t i)
{
    return STRUCT(condition_parts, leaf_of(state, i)->parts);
}

static struct operation *operation_of(void **state, size_t i)
{
    return STRUCT(operation, &model_of(state)->actions[0].operations[i]);
}

static void the_policy_itself_is_taken(void **state)
{
    struct image_fault fault = {0};
    assert_int_equal(write_and_read(*state, &fault), ERR_NONE);
}

static void an_issuer_without_an_audience_is_refused(void **state)
{
    STRUCT(issuer, model_of(state)->issuers)->audiences.count = 0;
    assert_refused(state, "issuer", "an audience");
}

static void a_role_of_users_with_workloads_is_refused(void **state)
{
    STRUCT(role, model_of(state)->roles)->kind = ROLE_USER;
    assert_refused(state, "role", "members of the other kind");
}

static void a_role_that_holds_more_than_it_inherits_is_refused(void **state)
{
    struct role *roles = STRUCT(role, model_of(state)->roles);
    roles[1].inherit_count = 0;
    assert_refused(state, "role", "holds other roles");
}

static void a_role_that_inherits_itself_is_refused(void **state)
{
    struct role *roles = STRUCT(role, model_of(state)->roles);
    roles[0].inherits = roles[1].inherits;
    roles[0].inherit_count = 1;
    assert_refused(state, "role", "holds other roles");
}

static void a_role_that_does_not_know_its_holders_is_refused(void **state)
{
    STRUCT(role, model_of(state)->roles)->holder_count = 1;
    assert_refused(state, "role", "is held by other roles");
}

static void a_role_that_names_a_holder_too_many_is_refused(void **state)
{
    struct role *role = STRUCT(role, model_of(state)->roles);
    const struct role **holders =
        arena_take_array(&((struct fixture *)*state)->arena, role->holder_count + 1, sizeof *holders);
    assert_non_null(holders);
    memcpy(holders, role->holders, role->holder_count * sizeof *holders);
    holders[role->holder_count++] = role;
    role->holders = holders;
    assert_refused(state, "role", "is held by other roles");
}

static void a_rule_with_a_role_of_the_other_kind_is_refused(void **state)
{
    subjects_of(state, 0)->workload_roles = subjects_of(state, 0)->user_roles;
    assert_refused(state, "rule_subjects", "a role of users where one of workloads stands");
}

static void a_rule_that_demands_roles_and_lists_none_is_refused(void **state)
{
    subjects_of(state, 0)->user_role_count = 0;
    assert_refused(state, "rule_subjects", "do not fit together");
}

static void a_delegation_to_a_peer_of_no_depth_is_refused(void **state)
{
    subjects_of(state, 0)->max_depth = 0;
    assert_refused(state, "rule_subjects", "do not fit together");
}

static void an_allow_with_unless_is_refused(void **state)
{
    terms_of(state, 0)->unless = rule_of(state, 0)->when;
    assert_refused(state, "rule", "belongs to the other kind");
}

static void a_deny_with_an_assurance_is_refused(void **state)
{
    terms_of(state, 1)->assurance = terms_of(state, 0)->assurance;
    assert_refused(state, "rule", "belongs to the other kind");
}

static void a_deny_with_a_purpose_is_refused(void **state)
{
    terms_of(state, 1)->purpose = terms_of(state, 0)->purpose;
    assert_refused(state, "rule", "belongs to the other kind");
}

static void a_purpose_without_a_value_is_refused(void **state)
{
    STRUCT(purpose, terms_of(state, 0)->purpose)->values.count = 0;
    assert_refused(state, "purpose", "a value");
}

static void a_rule_about_resources_of_no_type_is_refused(void **state)
{
    resources_of(state, 0)->type_count = 0;
    assert_refused(state, "rule", "of no type");
}

static void labels_of_a_rule_about_no_resources_are_refused(void **state)
{
    resources_of(state, 0)->type_count = 0;
    rule_of(state, 0)->has_resources = false;
    assert_refused(state, "rule", "of a type and no resources");
}

static void two_rules_of_one_name_are_refused(void **state)
{
    rule_of(state, 1)->name = rule_of(state, 0)->name;
    assert_refused(state, "rule", "a name of its own");
}

static void a_condition_of_no_parts_is_refused(void **state)
{
    STRUCT(condition, rule_of(state, 0)->when)->child_count = 0;
    assert_refused(state, "condition", "no parts");
}

static void not_of_more_than_a_leaf_is_refused(void **state)
{
    leaf_of(state, 2)->children = rule_of(state, 0)->when;
    leaf_of(state, 2)->child_count = 0;
    assert_refused(state, "condition", "no single leaf");
}

static void a_leaf_with_parts_is_refused(void **state)
{
    leaf_of(state, 0)->children = leaf_of(state, 3);
    leaf_of(state, 0)->child_count = 1;
    assert_refused(state, "condition", "a leaf with parts");
}

static void a_time_that_is_not_there_is_refused(void **state)
{
    parts_of(state, 1)->time = NULL;
    assert_refused(state, "condition", "on the time");
}

static void a_claim_without_its_name_is_refused(void **state)
{
    parts_of(state, 3)->path = NULL;
    assert_refused(state, "condition", "without its name");
}

static void a_condition_on_a_header_with_capitals_or_without_its_name_is_refused(void **state)
{
    leaf_of(state, 4)->name = VIEW("X-B");
    assert_refused(state, "condition", "without its name");
    leaf_of(state, 4)->name = (struct view){0};
    assert_refused(state, "condition", "without its name");
}

static void a_test_of_a_number_without_its_range_is_refused(void **state)
{
    leaf_of(state, 5)->test.range = NULL;
    assert_refused(state, "condition", "a value");
}

static void a_test_without_a_value_is_refused(void **state)
{
    leaf_of(state, 3)->test.values.count = 0;
    assert_refused(state, "condition", "a value");
}

static const struct condition_parts no_parts;

/* Each level is one row above the last. */
static void conditions_that_nest_too_deep_are_refused(void **state)
{
    struct condition levels[4] = {0};
    const struct condition *inside = terms_of(state, 1)->unless;
    for (size_t i = 0; i < 4; i++) {
        levels[i] = (struct condition){.kind = CONDITION_ALL, .children = inside, .child_count = 1, .parts = &no_parts};
        inside = &levels[i];
    }
    terms_of(state, 1)->unless = &levels[2];
    struct image_fault fault = {0};
    assert_int_equal(write_and_read(*state, &fault), ERR_NONE);
    terms_of(state, 1)->unless = &levels[3];
    assert_refused(state, "condition", "too deep");
}

/* A thousand times a thousand times the same leaf: few bytes, and very much to evaluate. */
static void sharing_that_multiplies_is_refused(void **state)
{
    enum { WIDTH = 1000, LEVELS = 3 };
    static struct condition rows[LEVELS][WIDTH];
    const struct condition *inside = terms_of(state, 1)->unless;
    size_t count = 1;
    for (size_t level = 0; level < LEVELS; level++) {
        for (size_t i = 0; i < WIDTH; i++)
            rows[level][i] = (struct condition){
                .kind = CONDITION_ALL, .children = inside, .child_count = (uint32_t)count, .parts = &no_parts};
        inside = rows[level];
        count = WIDTH;
    }
    STRUCT(condition, terms_of(state, 1)->unless)->span = (struct position){0};
    terms_of(state, 1)->unless = &rows[LEVELS - 1][0];
    struct image_fault fault = {0};
    assert_int_equal(write_and_read(*state, &fault), ERR_NONE); /* a million */
    struct model *model = model_of(state);
    struct rule *many = arena_take_array(&((struct fixture *)*state)->arena, 102, sizeof *many);
    assert_non_null(many);
    for (uint32_t i = 0; i < 102; i++) {
        many[i] = model->rules[i == 0 ? 0 : 1];
        many[i].index = i;
        many[i].name = arena_print(&((struct fixture *)*state)->arena, "rule-%u", i);
    }
    model->rules = many;
    model->rule_count = 102; /* and a hundred times that */
    assert_refused(state, "model", "with what is shared written out");
}

/* `count` copies of a pointer or struct, in the fixture's memory. */
static void *copies_of(void **state, const void *item, size_t size, size_t count)
{
    char *copies = arena_take_array(&((struct fixture *)*state)->arena, count, size);
    assert_non_null(copies);
    for (size_t i = 0; i < count; i++)
        memcpy(copies + i * size, item, size);
    return copies;
}

static void more_operations_times_sources_than_can_be_tested_are_refused(void **state)
{
    enum { SIDE = 1 << 13 }; /* the limit is its square; the other action and type have one each */
    struct action *action = STRUCT(action, model_of(state)->actions);
    struct resource_type *type = STRUCT(resource_type, model_of(state)->types);
    struct image_fault fault = {0};
    action->operations = copies_of(state, action->operations, sizeof *action->operations, SIDE);
    type->ids = copies_of(state, &type->ids[1], sizeof *type->ids, SIDE);
    action->operation_count = SIDE - 1;
    type->id_count = SIDE - 1;
    assert_int_equal(write_and_read(*state, &fault), ERR_NONE);
    action->operation_count = SIDE;
    assert_refused(state, "action", "more operations");
    action->operation_count = SIDE - 1;
    type->id_count = SIDE;
    assert_refused(state, "action", "more operations");
}

static void more_rules_times_actions_and_roles_than_can_be_listed_are_refused(void **state)
{
    enum { SIDE = 1 << 12 }; /* the limit is its square, and a little of it the other rule's */
    struct rule *rule = rule_of(state, 0);
    struct rule_subjects *subjects = subjects_of(state, 0);
    struct image_fault fault = {0};
    rule->actions = copies_of(state, rule->actions, sizeof *rule->actions, SIDE);
    subjects->workload_roles = copies_of(state, subjects->workload_roles, sizeof *subjects->workload_roles, SIDE);
    rule->action_count = SIDE - 1;
    subjects->workload_role_count = SIDE - 3; /* and one role of users */
    assert_int_equal(write_and_read(*state, &fault), ERR_NONE);
    subjects->workload_role_count = SIDE - 2;
    assert_refused(state, "rule", "more rules, actions and roles");
}

static void a_prefix_longer_than_its_address_is_refused(void **state)
{
    STRUCT(cidr, parts_of(state, 0)->cidrs)->bits = 33;
    assert_refused(state, "cidr", "longer than an address");
}

static void an_address_of_no_family_is_refused(void **state)
{
    STRUCT(cidr, parts_of(state, 0)->cidrs)->family = 5;
    assert_refused(state, "cidr", "unknown family");
}

static void shifts_out_of_order_are_refused(void **state)
{
    struct zone_shift *shifts = STRUCT(zone_shift, parts_of(state, 1)->time->zone->shifts);
    shifts[1].from = shifts[2].from + 1;
    assert_refused(state, "time_zone", "out of order");
}

static void an_offset_of_days_is_refused(void **state)
{
    STRUCT(zone_shift, parts_of(state, 1)->time->zone->shifts)->offset = 27 * 3600;
    assert_refused(state, "time_zone", "too large");
}

static void a_cycle_from_the_beginning_of_time_is_refused(void **state)
{
    STRUCT(time_zone, parts_of(state, 1)->time->zone)->repeats_from = INT64_MIN;
    assert_refused(state, "time_zone", "cannot be");
}

static void a_zone_of_no_shifts_is_refused(void **state)
{
    STRUCT(time_zone, parts_of(state, 1)->time->zone)->count = 0;
    assert_refused(state, "time_zone", "a shift");
}

static void an_http_operation_without_a_path_is_refused(void **state)
{
    operation_of(state, 0)->path = NULL;
    assert_refused(state, "operation", "neither a path nor a gRPC name");
}

static void an_operation_with_a_path_and_a_grpc_name_is_refused(void **state)
{
    operation_of(state, 0)->grpc = model_of(state)->actions[1].operations[0].grpc;
    assert_refused(state, "operation", "neither a path nor a gRPC name, or both");
}

static void a_grpc_method_without_its_name_is_refused(void **state)
{
    STRUCT(grpc_name, model_of(state)->actions[1].operations[0].grpc)->method = (struct view){0};
    assert_refused(state, "grpc_name", "without its service or name");
}

static void a_path_of_no_segments_is_refused(void **state)
{
    STRUCT(path_pattern, operation_of(state, 0)->path)->segment_count = 0;
    assert_refused(state, "path_pattern", "no or too many segments");
}

static void a_path_with_another_number_of_variables_is_refused(void **state)
{
    STRUCT(path_pattern, operation_of(state, 0)->path)->variable_count = 2;
    assert_refused(state, "path_pattern", "another number of variables");
    STRUCT(path_pattern, operation_of(state, 0)->path)->variable_count = 0;
    assert_refused(state, "path_pattern", "another number of variables");
}

static void the_rest_of_a_path_before_its_end_is_refused(void **state)
{
    struct pattern_segment *segments = STRUCT(pattern_segment, operation_of(state, 1)->path->segments);
    segments[0] = (struct pattern_segment){.kind = PATTERN_REST};
    assert_refused(state, "path_pattern", "not the last segment");
}

static void a_variable_without_a_name_is_refused(void **state)
{
    STRUCT(pattern_segment, operation_of(state, 0)->path->segments)[1].text = (struct view){0};
    assert_refused(state, "path_pattern", "without its text");
}

static void a_verb_behind_a_literal_is_refused(void **state)
{
    struct path_pattern *path = STRUCT(path_pattern, operation_of(state, 0)->path);
    path->segment_count = 1;
    path->variable_count = 0;
    assert_refused(state, "path_pattern", "a verb where it cannot have one");
}

static void a_verb_that_no_segment_can_have_is_refused(void **state)
{
    STRUCT(path_pattern, operation_of(state, 0)->path)->verb = VIEW("re ad");
    assert_refused(state, "path_pattern", "a verb where it cannot have one");
    STRUCT(path_pattern, operation_of(state, 0)->path)->verb = VIEW("re:ad");
    assert_refused(state, "path_pattern", "a verb where it cannot have one");
}

static void a_parameter_with_a_test_of_another_kind_is_refused(void **state)
{
    STRUCT(query_test, operation_of(state, 0)->extras->queries)->test.kind = TEST_PREFIX;
    assert_refused(state, "query_test", "a value");
}

static void a_parameter_without_a_value_is_refused(void **state)
{
    STRUCT(query_test, operation_of(state, 0)->extras->queries)->test.values.count = 0;
    assert_refused(state, "query_test", "a value");
}

static void a_type_without_a_source_of_ids_is_refused(void **state)
{
    STRUCT(resource_type, model_of(state)->types)->id_count = 0;
    assert_refused(state, "resource_type", "a source of ids");
}

static void a_literal_id_beside_another_is_refused(void **state)
{
    STRUCT(id_source, model_of(state)->types[0].ids)[1].kind = ID_LITERAL;
    assert_refused(state, "resource_type", "not the only one");
}

static void more_labels_than_a_decision_shows_are_refused(void **state)
{
    static const struct label labels[DECISION_LABELS_MAX + 1];
    struct resource *resource = STRUCT(resource, model_of(state)->resources);
    resource->labels = labels;
    resource->label_count = DECISION_LABELS_MAX + 1;
    assert_refused(state, "resource", "too many labels");
}

static void a_line_end_in_a_header_is_refused(void **state)
{
    const struct header_template *header = terms_of(state, 0)->obligations->request_headers;
    STRUCT(template_part, header->value.parts)->text = VIEW("u\r\nx: y");
    assert_refused(state, "template_part", "cannot stand in a header");
}

static void a_text_that_is_not_there_is_refused(void **state)
{
    const struct header_template *header = terms_of(state, 0)->obligations->request_headers;
    STRUCT(template_part, header->value.parts)->text = (struct view){0};
    assert_refused(state, "template_part", "cannot stand in a header");
}

static void a_header_with_capitals_is_refused(void **state)
{
    STRUCT(header_template, terms_of(state, 0)->obligations->request_headers)->name = VIEW("X-User");
    assert_refused(state, "obligation_set", "not in lower case");
}

static void a_header_with_a_space_is_refused(void **state)
{
    STRUCT(header_template, terms_of(state, 0)->obligations->request_headers)->name = VIEW("x user");
    assert_refused(state, "header_template", "no header or parameter");
}

static void a_denial_that_looks_like_a_success_is_refused(void **state)
{
    STRUCT(obligation_set, terms_of(state, 1)->obligations)->denial.status = 200;
    assert_refused(state, "denial", "none of a refusal");
}

static void an_invariant_on_a_level_without_one_is_refused(void **state)
{
    STRUCT(invariant, model_of(state)->invariants)->assurance = INVARIANT_LEVEL;
    assert_refused(state, "invariant", "its level");
}

static void a_claim_with_members_that_is_no_map_is_refused(void **state)
{
    const struct facts *facts = &((struct fixture *)*state)->policy->tests[0].facts;
    STRUCT(value, facts->user.claims)->kind = VALUE_STRING;
    assert_refused(state, "value", "do not fit its kind");
}

static void a_claim_without_its_text_is_refused(void **state)
{
    const struct facts *facts = &((struct fixture *)*state)->policy->tests[0].facts;
    STRUCT(value, facts->user.claims->items)->text = (struct view){0};
    assert_refused(state, "value", "without its text");
}

static void a_spiffe_pattern_without_its_text_is_refused(void **state)
{
    STRUCT(spiffe_glob, model_of(state)->roles[1].workloads->spiffe)->text = (struct view){0};
    assert_refused(state, "spiffe_glob", "without its text");
}

static void an_id_without_its_text_is_refused(void **state)
{
    STRUCT(resource, model_of(state)->resources)->id.text = (struct view){0};
    assert_refused(state, "id_pattern", "without its text");
}

static void a_host_without_its_name_is_refused(void **state)
{
    STRUCT(host_pattern, model_of(state)->types[0].hosts)->name = (struct view){0};
    assert_refused(state, "host_pattern", "without its name");
}

static void a_service_account_without_its_namespace_is_refused(void **state)
{
    static const struct service_account account = {.account = {.data = "x", .size = 1}};
    struct workload_selector *selector = STRUCT(workload_selector, model_of(state)->roles[0].workloads);
    selector->service_accounts = &account;
    selector->service_account_count = 1;
    assert_refused(state, "service_account", "without its namespace");
}

static void a_known_user_without_a_subject_is_refused(void **state)
{
    STRUCT(test_case, ((struct fixture *)*state)->policy->tests)->facts.user.subject = (struct view){0};
    assert_refused(state, "user_facts", "without a subject");
}

/* The writer looks too: what the definitions do not have is not written as something else. */
static void a_value_that_the_definitions_lack_is_not_written(void **state)
{
    struct fixture *fixture = *state;
    struct image_tables tables;
    rule_of(state, 0)->priority = 16;
    assert_int_equal(image_tables_write(fixture->policy, &fixture->arena, &tables), ERR_UNSUPPORTED);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(the_policy_itself_is_taken),
        CASE(an_issuer_without_an_audience_is_refused),
        CASE(a_role_of_users_with_workloads_is_refused),
        CASE(a_role_that_holds_more_than_it_inherits_is_refused),
        CASE(a_role_that_inherits_itself_is_refused),
        CASE(a_role_that_does_not_know_its_holders_is_refused),
        CASE(a_role_that_names_a_holder_too_many_is_refused),
        CASE(a_rule_with_a_role_of_the_other_kind_is_refused),
        CASE(a_rule_that_demands_roles_and_lists_none_is_refused),
        CASE(a_delegation_to_a_peer_of_no_depth_is_refused),
        CASE(an_allow_with_unless_is_refused),
        CASE(a_deny_with_an_assurance_is_refused),
        CASE(a_deny_with_a_purpose_is_refused),
        CASE(a_purpose_without_a_value_is_refused),
        CASE(a_rule_about_resources_of_no_type_is_refused),
        CASE(labels_of_a_rule_about_no_resources_are_refused),
        CASE(two_rules_of_one_name_are_refused),
        CASE(a_condition_of_no_parts_is_refused),
        CASE(not_of_more_than_a_leaf_is_refused),
        CASE(a_leaf_with_parts_is_refused),
        CASE(a_time_that_is_not_there_is_refused),
        CASE(a_claim_without_its_name_is_refused),
        CASE(a_condition_on_a_header_with_capitals_or_without_its_name_is_refused),
        CASE(a_test_without_a_value_is_refused),
        CASE(a_test_of_a_number_without_its_range_is_refused),
        CASE(conditions_that_nest_too_deep_are_refused),
        CASE(sharing_that_multiplies_is_refused),
        CASE(more_operations_times_sources_than_can_be_tested_are_refused),
        CASE(more_rules_times_actions_and_roles_than_can_be_listed_are_refused),
        CASE(a_prefix_longer_than_its_address_is_refused),
        CASE(an_address_of_no_family_is_refused),
        CASE(shifts_out_of_order_are_refused),
        CASE(an_offset_of_days_is_refused),
        CASE(a_cycle_from_the_beginning_of_time_is_refused),
        CASE(a_zone_of_no_shifts_is_refused),
        CASE(an_http_operation_without_a_path_is_refused),
        CASE(an_operation_with_a_path_and_a_grpc_name_is_refused),
        CASE(a_grpc_method_without_its_name_is_refused),
        CASE(a_path_of_no_segments_is_refused),
        CASE(a_path_with_another_number_of_variables_is_refused),
        CASE(the_rest_of_a_path_before_its_end_is_refused),
        CASE(a_variable_without_a_name_is_refused),
        CASE(a_verb_behind_a_literal_is_refused),
        CASE(a_verb_that_no_segment_can_have_is_refused),
        CASE(a_parameter_with_a_test_of_another_kind_is_refused),
        CASE(a_parameter_without_a_value_is_refused),
        CASE(a_type_without_a_source_of_ids_is_refused),
        CASE(a_literal_id_beside_another_is_refused),
        CASE(more_labels_than_a_decision_shows_are_refused),
        CASE(a_line_end_in_a_header_is_refused),
        CASE(a_text_that_is_not_there_is_refused),
        CASE(a_header_with_capitals_is_refused),
        CASE(a_header_with_a_space_is_refused),
        CASE(a_denial_that_looks_like_a_success_is_refused),
        CASE(an_invariant_on_a_level_without_one_is_refused),
        CASE(a_claim_with_members_that_is_no_map_is_refused),
        CASE(a_claim_without_its_text_is_refused),
        CASE(a_spiffe_pattern_without_its_text_is_refused),
        CASE(an_id_without_its_text_is_refused),
        CASE(a_host_without_its_name_is_refused),
        CASE(a_service_account_without_its_namespace_is_refused),
        CASE(a_known_user_without_a_subject_is_refused),
        CASE(a_value_that_the_definitions_lack_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
