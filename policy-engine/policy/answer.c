/* SPDX-License-Identifier: Apache-2.0 */
#include "answer.h"

#include "match.h"

/* The value of a part, or the absent view. */
static struct view part_value(const struct inquiry *inquiry, const struct rule *rule,
                              const struct found_resource *found, const struct template_part *part)
{
    const struct user_facts *user = &inquiry->facts->user;
    bool has_user = user->state == USER_KNOWN;
    switch (part->kind) {
    case TEMPLATE_TEXT: return part->text;
    case TEMPLATE_USER_SUB: return has_user ? user->subject : (struct view){0};
    case TEMPLATE_USER_ISSUER: return has_user ? user->issuer : (struct view){0};
    case TEMPLATE_WORKLOAD_SPIFFE: return inquiry_workload(inquiry, rule);
    case TEMPLATE_RESOURCE_ID: return found && found->is_known ? found->id : (struct view){0};
    case TEMPLATE_CLAIM: return has_user ? match_scalar(&part->claim, user->claims) : (struct view){0};
    case TEMPLATE_DECISION_ID: return inquiry->facts->decision_id;
    }
    return (struct view){0};
}

/* [\x21-\x7e ]: what can stand in a header without changing it. */
static bool is_header_text(struct view value)
{
    for (size_t i = 0; i < value.size; i++)
        if (value.data[i] < 0x20 || value.data[i] > 0x7e)
            return false;
    return true;
}

static bool part_is_filled(const struct template_part *part, struct view value)
{
    return part->kind == TEMPLATE_TEXT || (value.size > 0 && is_header_text(value));
}

static const struct template_part *list_unfilled(const struct inquiry *inquiry, const struct rule *rule,
                                                 const struct found_resource *found,
                                                 const struct header_template *templates, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < templates[i].value.count; k++) {
            const struct template_part *part = &templates[i].value.parts[k];
            if (!part_is_filled(part, part_value(inquiry, rule, found, part)))
                return part;
        }
    return NULL;
}

const struct template_part *answer_unfilled(const struct inquiry *inquiry, const struct rule *rule,
                                            const struct found_resource *found)
{
    const struct obligation_set *set = rule->terms->obligations;
    const struct template_part *part =
        list_unfilled(inquiry, rule, found, set->request_headers, set->request_header_count);
    if (!part)
        part = list_unfilled(inquiry, rule, found, set->response_headers, set->response_header_count);
    if (!part)
        part = list_unfilled(inquiry, rule, found, set->metadata, set->metadata_count);
    if (!part)
        part = list_unfilled(inquiry, rule, found, set->query_params, set->query_param_count);
    return part;
}

bool answer_can_fill(const struct inquiry *inquiry, const struct rule *rule, const struct found_resource *found)
{
    return answer_unfilled(inquiry, rule, found) == NULL;
}

static struct view template_fill(const struct inquiry *inquiry, const struct rule *rule,
                                 const struct found_resource *found, const struct template *value)
{
    if (value->count == 0)
        return VIEW("");
    if (value->count == 1)
        return part_value(inquiry, rule, found, &value->parts[0]);
    size_t size = 0;
    for (size_t i = 0; i < value->count; i++)
        size += part_value(inquiry, rule, found, &value->parts[i]).size;
    char *text = arena_take(inquiry->scratch, size + 1);
    size_t at = 0;
    for (size_t i = 0; text && i < value->count; i++) {
        struct view part = part_value(inquiry, rule, found, &value->parts[i]);
        if (part.size > 0)
            memcpy(text + at, part.data, part.size);
        at += part.size;
    }
    return (struct view){.data = text, .size = text ? size : 0};
}

static enum err list_fill(const struct inquiry *inquiry, const struct rule *rule, const struct found_resource *found,
                          const struct header_template *templates, size_t count, const struct header_obligation **out)
{
    struct header_obligation *headers = NULL;
    if (count > 0 && !(headers = arena_take_array(inquiry->scratch, count, sizeof *headers)))
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        struct view value = template_fill(inquiry, rule, found, &templates[i].value);
        if (!view_is_present(value))
            return ERR_NO_MEMORY;
        headers[i] =
            (struct header_obligation){.action = templates[i].action, .name = templates[i].name, .value = value};
    }
    *out = headers;
    return ERR_NONE;
}

static bool sets_query(const struct obligation_set *set, struct view name)
{
    for (size_t i = 0; i < set->query_param_count; i++)
        if (view_equals(set->query_params[i].name, name))
            return true;
    return false;
}

/* Every parameter that some rule sets and this one does not, then the rule's own. */
static enum err query_removals(const struct inquiry *inquiry, const struct rule *rule, struct obligations *out)
{
    const struct obligation_set *set = rule->terms->obligations;
    const struct string_list *lists[] = {&inquiry->model->settable_queries, &set->remove_queries};
    size_t most = lists[0]->count + lists[1]->count;
    if (most == 0)
        return ERR_NONE;
    struct view *names = arena_take_array(inquiry->scratch, most, sizeof *names);
    if (!names)
        return ERR_NO_MEMORY;
    struct string_list list = {.items = names};
    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; k < lists[i]->count; k++)
            if (!sets_query(set, lists[i]->items[k]) && !match_string(&list, lists[i]->items[k]))
                names[list.count++] = lists[i]->items[k];
    out->remove_queries = list.items;
    out->remove_query_count = list.count;
    return ERR_NONE;
}

static enum err obligations_fill(const struct inquiry *inquiry, const struct rule *rule,
                                 const struct found_resource *found, struct obligations *out)
{
    const struct obligation_set *set = rule->terms->obligations;
    TRY(list_fill(inquiry, rule, found, set->request_headers, set->request_header_count, &out->request_headers));
    TRY(list_fill(inquiry, rule, found, set->response_headers, set->response_header_count, &out->response_headers));
    TRY(list_fill(inquiry, rule, found, set->metadata, set->metadata_count, &out->metadata));
    TRY(list_fill(inquiry, rule, found, set->query_params, set->query_param_count, &out->query_params));
    TRY(query_removals(inquiry, rule, out));
    out->query_param_count = set->query_param_count;
    out->request_header_count = set->request_header_count;
    out->response_header_count = set->response_header_count;
    out->metadata_count = set->metadata_count;
    out->has_max_stream = set->has_max_stream;
    out->max_stream = set->max_stream;
    out->max_stream_by_credentials = set->max_stream_by_credentials;
    return ERR_NONE;
}

static bool rule_sets(const struct rule *rule, struct view name)
{
    for (size_t i = 0; i < rule->terms->obligations->request_header_count; i++)
        if (view_equals(rule->terms->obligations->request_headers[i].name, name))
            return true;
    return false;
}

enum err answer_settable(const struct model *model, struct arena *arena, struct string_list *out)
{
    size_t most = 0, count = 0;
    for (size_t i = 0; i < model->rule_count; i++)
        most += model->rules[i].terms->obligations->request_header_count;
    struct view *names = arena_take_array(arena, most + 1, sizeof *names);
    if (!names)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < model->rule_count; i++)
        for (size_t k = 0; k < model->rules[i].terms->obligations->request_header_count; k++) {
            struct view name = model->rules[i].terms->obligations->request_headers[k].name;
            size_t at = 0;
            while (at < count && view_compare(names[at], name) < 0)
                at++;
            if (at < count && view_equals(names[at], name))
                continue;
            memmove(names + at + 1, names + at, (count - at) * sizeof *names);
            names[at] = name;
            count++;
        }
    *out = (struct string_list){.items = names, .count = count};
    return ERR_NONE;
}

enum err answer_removals(const struct rule *rule, const struct string_list *settable, struct arena *arena,
                         struct string_list *out)
{
    const struct string_list *own = &rule->terms->obligations->remove_headers;
    struct view *names = arena_take_array(arena, settable->count + own->count + 1, sizeof *names);
    if (!names)
        return ERR_NO_MEMORY;
    struct string_list list = {.items = names};
    for (size_t i = 0; i < settable->count; i++)
        if (!rule_sets(rule, settable->items[i]))
            names[list.count++] = settable->items[i];
    for (size_t i = 0; i < own->count; i++)
        if (!match_string(&list, own->items[i]) && !rule_sets(rule, own->items[i]))
            names[list.count++] = own->items[i];
    *out = list;
    return ERR_NONE;
}

void answer_refuse(enum reason reason, struct decision *out)
{
    out->verdict = VERDICT_DENY;
    out->reason = reason;
}

void answer_deny(const struct rule *rule, struct decision *out)
{
    answer_refuse(REASON_DENY_RULE, out);
    out->rule = rule->name;
    out->missing = rule->terms->reason;
    out->denial = rule->terms->obligations->denial;
}

void answer_challenge(const struct inquiry *inquiry, const struct rule *rule, const struct assurance *wanted,
                      struct decision *out)
{
    out->verdict = VERDICT_CHALLENGE;
    out->reason = REASON_ASSURANCE;
    out->rule = rule->name;
    const struct string_list *asked = &wanted->asked_of[inquiry->issuer->index];
    out->challenge = (struct challenge){.acr_values = asked->items,
                                        .acr_count = asked->count,
                                        .has_max_age = wanted->has_max_age,
                                        .max_age = wanted->max_age};
}

void answer_allow(const struct inquiry *inquiry, const struct rule *rule, const struct found_resource *found,
                  const struct string_list *removals, struct decision *out)
{
    if (obligations_fill(inquiry, rule, found, &out->obligations) != ERR_NONE) {
        out->obligations = (struct obligations){0};
        answer_refuse(REASON_INTERNAL, out);
        return;
    }
    out->obligations.remove_headers = removals->items;
    out->obligations.remove_header_count = removals->count;
    out->rule = rule->name;
    out->reason = REASON_RULE;
    out->verdict = VERDICT_ALLOW;
}

void answer_describe(const struct inquiry *inquiry, const struct found_resource *found, struct decision *out)
{
    if (!found && inquiry->resource_count > 0)
        found = &inquiry->resources[0];
    if (!found)
        return;
    out->resource_type = found->type->name;
    if (found->is_known)
        out->resource_id = found->id;
    for (size_t i = 0; found->entry && i < found->entry->label_count && i < DECISION_LABELS_MAX; i++) {
        out->resource_labels[i].name = found->entry->labels[i].key;
        out->resource_labels[i].value = found->entry->labels[i].value;
        out->resource_label_count = i + 1;
    }
}

void answer_purpose(const struct inquiry *inquiry, const struct rule *rule, struct decision *out)
{
    if (!rule->terms->purpose->is_demanded)
        return;
    const struct pair *header =
        rule->terms->purpose->is_claim ? NULL : facts_header(inquiry->facts, rule->terms->purpose->header);
    struct view value = header ? header->value : (struct view){0};
    if (rule->terms->purpose->is_claim && inquiry->facts->user.state == USER_KNOWN)
        value = match_scalar(&rule->terms->purpose->claim, inquiry->facts->user.claims);
    if (match_string(&rule->terms->purpose->values, value))
        out->purpose = value;
}
