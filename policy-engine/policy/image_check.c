/* SPDX-License-Identifier: Apache-2.0 */
#include "image_tables.h"
#include "path_pattern.h"
#include "table.h"
#include "test_case.h"

enum {
    ROUTES_MAX = 1 << 22,        /* operations under all actions */
    CAPTURE_TESTS_MAX = 1 << 26, /* operations, times the sources of ids */
    LISTED_MAX = 1 << 24,        /* rules, each under every action and role of it */
    OFFSET_MAX = 26 * 3600,
};
#define INSTANT_MAX ((int64_t)1 << 40)

/* ---- single structs ------------------------------------------------------------------------ */

static bool is_within(struct view text, char least, char most)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < least || text.data[i] > most)
            return false;
    return true;
}

/* What can be the name of a header or parameter, or of a value of metadata. */
static bool is_name(struct view text)
{
    return text.size > 0 && is_within(text, 0x21, 0x7e);
}

static bool is_lower(struct view text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] >= 'A' && text.data[i] <= 'Z')
            return false;
    return is_name(text);
}

static const char *check_issuer(const struct issuer *issuer)
{
    bool is_good = view_is_present(issuer->name) && view_is_present(issuer->url) && issuer->audiences.count > 0;
    return is_good ? NULL : "an issuer lacks its name, its URL or an audience";
}

static bool has_values(const struct value_test *test)
{
    if (test->kind == TEST_INT_RANGE)
        return test->range != NULL;
    return test->kind == TEST_PRESENT || test->values.count > 0;
}

static const char *check_claim_test(const struct claim_test *claim)
{
    bool is_good = has_values(&claim->test) && claim->path.steps.count > 0 && view_is_present(claim->path.text);
    return is_good ? NULL : "a test of a claim without its name or a value";
}

static const char *check_spiffe_glob(const struct spiffe_glob *glob)
{
    return view_is_present(glob->text) ? NULL : "a pattern without its text";
}

static const char *check_id_pattern(const struct id_pattern *pattern)
{
    return view_is_present(pattern->text) ? NULL : "a pattern without its text";
}

static const char *check_host_pattern(const struct host_pattern *pattern)
{
    return view_is_present(pattern->name) ? NULL : "a host without its name";
}

static const char *check_service_account(const struct service_account *account)
{
    bool is_good = view_is_present(account->namespace) && view_is_present(account->account);
    return is_good ? NULL : "a service account without its namespace or name";
}

static const char *check_user_facts(const struct user_facts *user)
{
    bool is_good = user->state != USER_KNOWN || (view_is_present(user->subject) && view_is_present(user->issuer));
    return is_good ? NULL : "a known user without a subject or an issuer";
}

static const char *check_query_test(const struct query_test *query)
{
    bool is_good = view_is_present(query->name) && query->test.kind == TEST_ANY_OF && query->test.values.count > 0;
    return is_good ? NULL : "a test of a parameter without its name or a value";
}

static const char *check_role(const struct role *role)
{
    bool is_good = view_is_present(role->name) &&
                   (role->kind == ROLE_WORKLOAD ? role->user_count == 0 : role->workload_count == 0);
    return is_good ? NULL : "a role without a name, or with members of the other kind";
}

static const char *check_path_pattern(const struct path_pattern *path)
{
    size_t variables = 0, last = path->segment_count - 1;
    if (path->segment_count == 0 || path->segment_count > PATH_SEGMENTS_MAX || !view_is_present(path->text))
        return "a path of no or too many segments";
    for (size_t i = 0; i <= last; i++) {
        const struct pattern_segment *segment = &path->segments[i];
        bool has_text = segment->kind == PATTERN_LITERAL || segment->kind == PATTERN_VARIABLE;
        if (has_text != view_is_present(segment->text))
            return "a literal or variable of a path without its text";
        if (segment->kind == PATTERN_REST && i < last)
            return "{**} is not the last segment of its path";
        variables += segment->kind == PATTERN_VARIABLE;
    }
    if (variables != path->variable_count)
        return "a path has another number of variables than it says";
    bool is_good =
        !view_is_present(path->verb) || (path->segments[last].kind == PATTERN_VARIABLE && path->verb.size > 0 &&
                                         is_name(path->verb) && view_index_of(path->verb, ':', 0) == path->verb.size);
    return is_good ? NULL : "a path has a verb where it cannot have one";
}

static const char *check_grpc_name(const struct grpc_name *name)
{
    bool is_good = view_is_present(name->service) && view_is_present(name->method);
    return is_good ? NULL : "a gRPC method without its service or name";
}

static const char *check_operation(const struct operation *operation)
{
    bool is_grpc = operation->kind == OPERATION_GRPC;
    bool is_good = is_grpc == (operation->path == NULL) && is_grpc == (operation->grpc != NULL);
    return is_good ? NULL : "an operation has neither a path nor a gRPC name, or both";
}

static const char *check_resource_type(const struct resource_type *type)
{
    for (size_t i = 0; i < type->id_count; i++) {
        enum id_source_kind kind = type->ids[i].kind;
        bool has_name = kind == ID_PATH || kind == ID_HEADER || kind == ID_LITERAL;
        if ((has_name && !view_is_present(type->ids[i].name)) || (kind == ID_LITERAL && type->id_count > 1))
            return "a source of ids without its name, or a literal that is not the only one";
    }
    return type->id_count > 0 && view_is_present(type->name) ? NULL
                                                             : "a resource type without a name or a source of ids";
}

static const char *check_resource(const struct resource *resource)
{
    bool is_good = view_is_present(resource->id.text) && resource->label_count <= DECISION_LABELS_MAX;
    return is_good ? NULL : "a resource without an id, or with too many labels";
}

static const char *check_time_zone(const struct time_zone *zone)
{
    if (!time_zone_is_name(zone->name) || zone->count == 0)
        return "a time zone without a name or a shift";
    for (size_t i = 0; i < zone->count; i++)
        if (zone->shifts[i].offset < -OFFSET_MAX || zone->shifts[i].offset > OFFSET_MAX ||
            (i > 0 && zone->shifts[i].from < zone->shifts[i - 1].from))
            return "the shifts of a time zone are out of order, or one is too large";
    bool is_good =
        zone->repeats_from == INT64_MAX || (zone->repeats_from > -INSTANT_MAX && zone->repeats_from < INSTANT_MAX);
    return is_good ? NULL : "a time zone repeats itself from an instant that cannot be";
}

static const char *check_cidr(const struct cidr *cidr)
{
    bool is_good = (cidr->family == 4 && cidr->bits <= 32) || cidr->family == 6;
    return is_good ? NULL : "a range of addresses of an unknown family, or longer than an address";
}

static const char *check_condition(const struct condition *condition)
{
    bool has_test = true, has_name = view_is_present(condition->name);
    bool has_path = condition->parts->path != NULL && condition->parts->path->steps.count > 0;
    if ((condition->kind == CONDITION_TIME) != (condition->parts->time != NULL))
        return "a condition on the time without one, or with one another";
    switch (condition->kind) {
    case CONDITION_ALL:
    case CONDITION_ANY: return condition->child_count > 0 ? NULL : "a condition of no parts";
    case CONDITION_NOT:
        return condition->child_count == 1 && condition->children[0].kind > CONDITION_NOT ? NULL
                                                                                          : "`not` of no single leaf";
    case CONDITION_CLAIM: has_name = has_path && view_is_present(condition->parts->path->text); break;
    case CONDITION_METADATA: has_name = has_name && has_path; break;
    case CONDITION_HEADER: has_name = has_name && is_lower(condition->name); break;
    case CONDITION_QUERY:
    case CONDITION_CONTEXT: break;
    case CONDITION_TIME:
    case CONDITION_SOURCE_IP:
    case CONDITION_REMOTE_IP:
    case CONDITION_PORT:
    case CONDITION_SNI: has_test = false; break;
    }
    if (condition->child_count > 0)
        return "a leaf with parts";
    return !has_test || (has_name && has_values(&condition->test)) ? NULL : "a condition without its name or a value";
}

static const char *check_template_part(const struct template_part *part)
{
    if (part->kind == TEMPLATE_TEXT)
        return view_is_present(part->text) && is_within(part->text, 0x20, 0x7e)
                   ? NULL
                   : "a text that cannot stand in a header";
    bool is_good = part->kind != TEMPLATE_CLAIM || (part->claim.steps.count > 0 && view_is_present(part->claim.text));
    return is_good ? NULL : "a template of a claim without its name";
}

static const char *check_header_template(const struct header_template *header)
{
    return is_name(header->name) ? NULL : "a name that no header or parameter can have";
}

static bool are_lower(const struct header_template *headers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!is_lower(headers[i].name))
            return false;
    return true;
}

static const char *check_obligation_set(const struct obligation_set *set)
{
    bool is_good = are_lower(set->request_headers, set->request_header_count) &&
                   are_lower(set->response_headers, set->response_header_count);
    for (size_t i = 0; i < set->remove_headers.count; i++)
        is_good = is_good && is_lower(set->remove_headers.items[i]);
    for (size_t i = 0; i < set->remove_queries.count; i++)
        is_good = is_good && is_name(set->remove_queries.items[i]);
    return is_good ? NULL : "the name of a header is not in lower case, or none at all";
}

static const char *check_denial(const struct denial *denial)
{
    return denial->status == 0 || denial->status >= 400 ? NULL : "the status of a denial is none of a refusal";
}

static const char *check_purpose(const struct purpose *purpose)
{
    if (!purpose->is_demanded)
        return NULL;
    bool has_name = purpose->is_claim ? purpose->claim.steps.count > 0 && view_is_present(purpose->claim.text)
                                      : is_lower(purpose->header);
    return has_name && purpose->values.count > 0 ? NULL : "a purpose without its name or a value";
}

static const char *check_rule_subjects(const struct rule_subjects *subjects)
{
    for (size_t i = 0; i < subjects->workload_role_count; i++)
        if (subjects->workload_roles[i]->kind != ROLE_WORKLOAD)
            return "a role of users where one of workloads stands";
    for (size_t i = 0; i < subjects->user_role_count; i++)
        if (subjects->user_roles[i]->kind != ROLE_USER)
            return "a role of workloads where one of users stands";
    bool is_good = (subjects->workload_demand == WORKLOAD_ROLES) == (subjects->workload_role_count > 0) &&
                   (subjects->user_demand == USER_ROLES) == (subjects->user_role_count > 0) &&
                   (subjects->delegation != DELEGATION_PEER || subjects->max_depth > 0);
    return is_good ? NULL : "what a rule demands of the caller and what it lists do not fit together";
}

static const char *check_rule(const struct rule *rule)
{
    if (rule->has_resources != (rule->resources->type_count > 0) ||
        (!rule->has_resources &&
         rule->resources->id_count + rule->resources->label_count + rule->resources->not_label_count > 0))
        return "a rule about resources of no type, or of a type and no resources";
    bool is_foreign = rule->effect == RULE_ALLOW ? rule->terms->unless != NULL || rule->terms->unless_assurance != NULL
                                                 : rule->terms->assurance != NULL || rule->terms->purpose->is_demanded;
    return is_foreign ? "a rule has what belongs to the other kind" : NULL;
}

static const char *check_invariant(const struct invariant *invariant)
{
    bool is_good = invariant->assurance != INVARIANT_LEVEL || invariant->level_count == 1;
    return is_good && view_is_present(invariant->name) ? NULL : "an invariant without a name or its level";
}

static const char *check_value(const struct value *value)
{
    bool is_map = value->kind == VALUE_MAP, is_list = value->kind == VALUE_LIST;
    bool is_text = value->kind == VALUE_BOOL || value->kind == VALUE_NUMBER || value->kind == VALUE_STRING;
    bool has_names = value->names != NULL;
    if ((has_names && !is_map) || (is_map && value->count > 0 && !has_names) ||
        (!is_map && !is_list && value->count > 0))
        return "a value whose members do not fit its kind";
    return is_text == view_is_present(value->text) ? NULL : "a value without its text, or with one";
}

const char *image_row_check(enum image_record_id id, const void *self)
{
#define CHECK(record)                                                                                                  \
    case IMAGE_RECORD_##record: return check_##record(self)
    switch ((int)id) {
        CHECK(issuer);
        CHECK(claim_test);
        CHECK(query_test);
        CHECK(spiffe_glob);
        CHECK(id_pattern);
        CHECK(host_pattern);
        CHECK(service_account);
        CHECK(user_facts);
        CHECK(role);
        CHECK(path_pattern);
        CHECK(grpc_name);
        CHECK(operation);
        CHECK(resource_type);
        CHECK(resource);
        CHECK(time_zone);
        CHECK(cidr);
        CHECK(condition);
        CHECK(template_part);
        CHECK(header_template);
        CHECK(obligation_set);
        CHECK(denial);
        CHECK(purpose);
        CHECK(rule_subjects);
        CHECK(rule);
        CHECK(invariant);
        CHECK(value);
    default: return NULL;
    }
#undef CHECK
}

/* ---- rows together ----------------------------------------------------------------------------- */

struct check {
    const struct model *model;
    struct arena work;
    struct image_fault *fault;
};

static enum err refuse(const struct check *check, enum image_record_id id, size_t row, const char *problem)
{
    *check->fault = (struct image_fault){.record = image_record(id)->name, .row = (uint32_t)row, .problem = problem};
    return ERR_MALFORMED;
}

/* What a role holds is exactly what it can reach by inheriting, each once. `stamps` tells what this walk saw. */
static bool holds_its_closure(const struct role *role, const struct role **queue, size_t *stamps)
{
    size_t head = 0, tail = 0, stamp = role->index + 1;
    for (queue[tail++] = role, stamps[role->index] = stamp; head < tail; head++)
        for (size_t i = 0; i < queue[head]->inherit_count; i++) {
            const struct role *next = queue[head]->inherits[i];
            if (next == role || next->kind != role->kind)
                return false;
            if (stamps[next->index] != stamp)
                queue[tail++] = next;
            stamps[next->index] = stamp;
        }
    for (size_t i = 0; i < role->held_count; i++) {
        size_t *seen = &stamps[role->held[i]->index];
        if (*seen != stamp)
            return false;
        *seen = 0;
    }
    return tail == role->held_count;
}

/* Whoever holds a role is among its holders, and nobody else: both lists are in the model's order. */
static bool holders_fit(const struct model *model, size_t *seen)
{
    memset(seen, 0, model->role_count * sizeof *seen);
    for (size_t i = 0; i < model->role_count; i++)
        for (size_t k = 0; k < model->roles[i].held_count; k++) {
            const struct role *held = model->roles[i].held[k];
            size_t at = seen[held->index]++;
            if (at >= held->holder_count || held->holders[at] != &model->roles[i])
                return false;
        }
    for (size_t i = 0; i < model->role_count; i++)
        if (seen[i] != model->roles[i].holder_count)
            return false;
    return true;
}

static enum err check_roles(struct check *check)
{
    const struct model *model = check->model;
    size_t *stamps = arena_take_array(&check->work, model->role_count + 1, sizeof *stamps);
    const struct role **queue = arena_take_array(&check->work, model->role_count + 1, sizeof *queue);
    if (stamps == NULL || queue == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < model->role_count; i++)
        if (!holds_its_closure(&model->roles[i], queue, stamps))
            return refuse(check, IMAGE_RECORD_role, i, "a role holds other roles than it inherits");
    if (!holders_fit(model, stamps))
        return refuse(check, IMAGE_RECORD_role, 0, "a role is held by other roles than hold it");
    return ERR_NONE;
}

/* How much the index over the model can become. */
static enum err check_sizes(const struct check *check)
{
    const struct model *model = check->model;
    uint64_t routes = 0, sources = 0, listed = 0;
    for (size_t i = 0; i < model->action_count; i++)
        routes += model->actions[i].operation_count;
    for (size_t i = 0; i < model->type_count; i++)
        sources += model->types[i].id_count;
    if (routes > ROUTES_MAX || routes * sources > CAPTURE_TESTS_MAX)
        return refuse(check, IMAGE_RECORD_action, 0, "more operations than a policy may have");
    for (size_t i = 0; i < model->rule_count; i++) {
        uint64_t roles =
            (uint64_t)model->rules[i].subjects->workload_role_count + model->rules[i].subjects->user_role_count + 1;
        listed += ((uint64_t)model->rules[i].action_count + 1) * roles;
        if (listed > LISTED_MAX)
            return refuse(check, IMAGE_RECORD_rule, i, "more rules, actions and roles than a policy may have");
    }
    return ERR_NONE;
}

static enum err check_names(struct check *check)
{
    struct table names;
    table_init(&names, &check->work);
    for (size_t i = 0; i < check->model->rule_count; i++) {
        struct view name = check->model->rules[i].name;
        enum err err = view_is_present(name) ? table_put(&names, name, i) : ERR_CONFLICT;
        if (err == ERR_CONFLICT)
            return refuse(check, IMAGE_RECORD_rule, i, "a rule without a name of its own");
        TRY(err);
    }
    return ERR_NONE;
}

enum err image_check(const struct policy *policy, struct image_fault *fault)
{
    struct check check = {.model = &policy->model, .fault = fault};
    arena_init(&check.work, SIZE_MAX);
    enum err err = check_sizes(&check);
    if (err == ERR_NONE)
        err = check_roles(&check);
    if (err == ERR_NONE)
        err = check_names(&check);
    arena_free(&check.work);
    return err;
}
