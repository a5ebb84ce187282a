/* SPDX-License-Identifier: Apache-2.0 */
/* The dimensions that only conditions read, each on its own: time, addresses, port,
 * server name, headers, context and metadata. */
#include "classes.h"
#include "match.h"

struct scene_search {
    struct classes *classes;
    const struct class_rules *rules;
    const struct condition *leaves[CLASSES_DIMENSIONS_MAX * 4];
    size_t leaf_count;
    bool is_over;
    struct class_scene *out;
};

static void see_leaf(void *context, const struct condition *leaf)
{
    struct scene_search *search = context;
    bool is_query = leaf->kind == CONDITION_QUERY;
    if (leaf->kind == CONDITION_CLAIM ||
        (is_query && classes_query_is_of_operation(search->classes->model, leaf->name)))
        return; /* they belong to the caller and to the request */
    if (search->leaf_count == sizeof search->leaves / sizeof search->leaves[0])
        search->is_over = true;
    else
        search->leaves[search->leaf_count++] = leaf;
}

static enum err dimension_add(struct scene_search *search, const struct class_set *set)
{
    if (search->out->count == CLASSES_DIMENSIONS_MAX)
        return classes_refuse(search->classes, "too many different things are tested");
    search->out->dimensions[search->out->count++] = (struct class_list){.items = set->items, .count = set->count};
    return ERR_NONE;
}

/* Adds what all leaves of this kind (and name) make of `facts`. */
static enum err judge(struct scene_search *search, struct class_set *set, enum condition_kind kind, struct view name,
                      const struct facts *facts)
{
    struct arena scratch = classes_scratch(search->classes);
    struct signature signature;
    TRY(classes_count(search->classes));
    TRY(signature_init(&signature, search->leaf_count + search->rules->count, &scratch));
    for (size_t i = 0; i < search->leaf_count; i++)
        if (search->leaves[i]->kind == kind && view_equals(search->leaves[i]->name, name))
            signature_put(&signature, match_condition(search->leaves[i], search->classes->model, facts, false));
    for (size_t i = 0; kind == CONDITION_HEADER && i < search->rules->count; i++) {
        const struct rule *rule = search->rules->items[i];
        struct value_test test = {.kind = TEST_ANY_OF, .values = rule->terms->purpose->values};
        if (rule->terms->purpose->is_demanded && !rule->terms->purpose->is_claim &&
            view_equals(rule->terms->purpose->header, name))
            signature_put(&signature, match_pair(&test, facts_header(facts, name)));
    }
    return class_set_add(set, &signature, facts);
}

static bool has_kind(const struct scene_search *search, enum condition_kind kind)
{
    for (size_t i = 0; i < search->leaf_count; i++)
        if (search->leaves[i]->kind == kind)
            return true;
    return false;
}

/* ---- time ------------------------------------------------------------------------------ */

enum { QUARTER = 15 * 60, YEAR = 366 * 86400, BOUNDS_MAX = 64 };

static int64_t *bound_add(int64_t *end, int64_t at, const int64_t *first, size_t room)
{
    for (const int64_t *i = first; i < end; i++)
        if (*i == at)
            return end;
    if ((size_t)(end - first) < room)
        *end++ = at;
    return end;
}

/* A year from `begin` on, at every quarter and the minutes at which windows begin and
 * end in it: whatever the zone, its offset is a multiple of a quarter. */
static enum err judge_year(struct scene_search *search, struct class_set *set, int64_t begin)
{
    int64_t minutes[BOUNDS_MAX] = {0};
    int64_t *end = minutes + 1;
    for (size_t i = 0; i < search->leaf_count; i++) {
        const struct time_window *time = search->leaves[i]->parts->time;
        if (search->leaves[i]->kind != CONDITION_TIME || !time->has_between)
            continue;
        end = bound_add(end, time->start % 15, minutes, BOUNDS_MAX);
        end = bound_add(end, time->end % 15, minutes, BOUNDS_MAX);
    }
    struct facts facts = {.now = begin};
    TRY(judge(search, set, CONDITION_TIME, (struct view){0}, &facts));
    int64_t first = begin - begin % QUARTER;
    for (int64_t at = first; at < first + YEAR; at += QUARTER)
        for (const int64_t *minute = minutes; minute < end; minute++) {
            facts.now = at + *minute * 60;
            search->classes->looked_at--; /* a year of quarters is no size of the policy */
            if (facts.now > begin)
                TRY(judge(search, set, CONDITION_TIME, (struct view){0}, &facts));
            else
                search->classes->looked_at++;
        }
    return ERR_NONE;
}

/* Of all windows of the policy together: the rules of one request only join some. */
static enum err find_instants(struct scene_search *search)
{
    struct class_set set;
    int64_t bounds[BOUNDS_MAX + 1] = {CLASSES_NOW};
    int64_t *end = bounds + 1;
    TRY(class_set_init(&set, search->classes));
    for (size_t i = 0; i < search->leaf_count; i++) {
        const struct time_window *time = search->leaves[i]->parts->time;
        if (search->leaves[i]->kind == CONDITION_TIME && time->has_from) {
            end = bound_add(end, time->from, bounds, BOUNDS_MAX);
            end = bound_add(end, time->from > YEAR ? time->from - YEAR : 1, bounds, BOUNDS_MAX);
        }
        if (search->leaves[i]->kind == CONDITION_TIME && time->has_until) {
            end = bound_add(end, time->until, bounds, BOUNDS_MAX);
            end = bound_add(end, time->until > YEAR ? time->until - YEAR : 1, bounds, BOUNDS_MAX);
        }
    }
    if (end - bounds >= BOUNDS_MAX)
        return classes_refuse(search->classes, "too many dates are named");
    for (const int64_t *begin = bounds; begin < end; begin++)
        TRY(judge_year(search, &set, *begin));
    search->classes->instants = (struct class_list){.items = set.items, .count = set.count};
    return ERR_NONE;
}

static void see_time(void *context, const struct condition *leaf)
{
    if (leaf->kind == CONDITION_TIME)
        see_leaf(context, leaf);
}

static enum err find_all_instants(struct classes *classes)
{
    struct scene_search *search = arena_take(classes->lasting, sizeof *search);
    struct arena *own = classes->arena;
    struct class_rules none = {0};
    if (!search)
        return ERR_NO_MEMORY;
    *search = (struct scene_search){.classes = classes, .rules = &none};
    for (size_t i = 0; i < classes->model->rule_count; i++) {
        classes_leaves(classes->model->rules[i].when, see_time, search);
        classes_leaves(classes->model->rules[i].terms->unless, see_time, search);
    }
    if (search->is_over)
        return classes_refuse(classes, "too many time windows");
    classes->arena = classes->lasting;
    enum err err = find_instants(search);
    classes->arena = own;
    return err;
}

static enum err find_times(struct scene_search *search)
{
    struct class_set set;
    if (!has_kind(search, CONDITION_TIME))
        return ERR_NONE;
    if (search->classes->instants.count == 0)
        TRY(find_all_instants(search->classes));
    TRY(class_set_init(&set, search->classes));
    for (size_t i = 0; i < search->classes->instants.count; i++)
        TRY(judge(search, &set, CONDITION_TIME, (struct view){0}, &search->classes->instants.items[i]));
    return dimension_add(search, &set);
}

/* ---- addresses, ports, names ---------------------------------------------------------------- */

static enum err judge_address(struct scene_search *search, struct class_set *set, enum condition_kind kind,
                              const struct address_fact *address)
{
    struct facts facts = {0};
    if (kind == CONDITION_SOURCE_IP)
        facts.source_ip = *address;
    else
        facts.remote_ip = *address;
    return judge(search, set, kind, (struct view){0}, &facts);
}

/* The first address of the range, and the one after its last; false where that is none. */
static bool address_after(const struct cidr *cidr, struct address_fact *out)
{
    size_t size = cidr->family == 4 ? 4 : 16;
    *out = (struct address_fact){.family = cidr->family};
    memcpy(out->bytes, cidr->bytes, sizeof out->bytes);
    for (size_t bit = cidr->bits; bit-- > 0;) {
        uint8_t mask = (uint8_t)(0x80u >> bit % 8);
        out->bytes[bit / 8] ^= mask;
        if (out->bytes[bit / 8] & mask)
            return size > 0;
    }
    return false;
}

static enum err find_addresses(struct scene_search *search, enum condition_kind kind)
{
    struct class_set set;
    static const struct address_fact starts[] = {{.family = 0}, {.family = 4}, {.family = 6}};
    if (!has_kind(search, kind))
        return ERR_NONE;
    TRY(class_set_init(&set, search->classes));
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++)
        TRY(judge_address(search, &set, kind, &starts[i]));
    for (size_t i = 0; i < search->leaf_count; i++)
        for (size_t k = 0; search->leaves[i]->kind == kind && k < search->leaves[i]->parts->cidr_count; k++) {
            const struct cidr *cidr = &search->leaves[i]->parts->cidrs[k];
            struct address_fact address = {.family = cidr->family};
            memcpy(address.bytes, cidr->bytes, sizeof address.bytes);
            TRY(judge_address(search, &set, kind, &address));
            if (address_after(cidr, &address))
                TRY(judge_address(search, &set, kind, &address));
        }
    return dimension_add(search, &set);
}

static enum err judge_port(struct scene_search *search, struct class_set *set, unsigned port)
{
    struct facts facts = {.port = (uint16_t)port};
    return port > UINT16_MAX ? ERR_NONE : judge(search, set, CONDITION_PORT, (struct view){0}, &facts);
}

static enum err find_ports(struct scene_search *search)
{
    struct class_set set;
    if (!has_kind(search, CONDITION_PORT))
        return ERR_NONE;
    TRY(class_set_init(&set, search->classes));
    TRY(judge_port(search, &set, 0));
    TRY(judge_port(search, &set, 1));
    for (size_t i = 0; i < search->leaf_count; i++)
        if (search->leaves[i]->kind == CONDITION_PORT) {
            TRY(judge_port(search, &set, search->leaves[i]->parts->port_low));
            TRY(judge_port(search, &set, search->leaves[i]->parts->port_high + 1u));
        }
    return dimension_add(search, &set);
}

static enum err find_names(struct scene_search *search)
{
    struct class_set set;
    struct pattern_list patterns = {.arena = search->classes->arena};
    struct string_list names;
    struct facts facts = {0};
    if (!has_kind(search, CONDITION_SNI))
        return ERR_NONE;
    TRY(class_set_init(&set, search->classes));
    pattern_add(&patterns, TEXT_UNDER, VIEW(""));
    for (size_t i = 0; i < search->leaf_count; i++)
        for (size_t k = 0; search->leaves[i]->kind == CONDITION_SNI && k < search->leaves[i]->parts->name_count; k++) {
            const struct host_pattern *name = &search->leaves[i]->parts->names[k];
            pattern_add(&patterns, name->is_suffix ? TEXT_UNDER : TEXT_EXACT,
                        name->is_suffix ? arena_print(patterns.arena, ".%.*s", VIEW_ARG(name->name)) : name->name);
        }
    if (patterns.is_exhausted)
        return ERR_NO_MEMORY;
    TRY(judge(search, &set, CONDITION_SNI, (struct view){0}, &facts));
    TRY(classes_of_texts(search->classes, patterns.items, patterns.count, &names));
    for (size_t i = 0; i < names.count; i++) {
        facts.sni = names.items[i];
        if (names.items[i].size > 0)
            TRY(judge(search, &set, CONDITION_SNI, (struct view){0}, &facts));
    }
    return dimension_add(search, &set);
}

/* ---- headers and context --------------------------------------------------------------------- */

static enum err judge_pair(struct scene_search *search, struct class_set *set, enum condition_kind kind,
                           struct view name, struct view value, bool is_repeated)
{
    struct pair *pair = arena_take(search->classes->arena, sizeof *pair);
    struct facts facts = {0};
    if (!pair)
        return ERR_NO_MEMORY;
    *pair = (struct pair){.name = name, .value = value, .is_repeated = is_repeated};
    if (kind == CONDITION_HEADER) {
        facts.headers = pair;
        facts.header_count = 1;
    } else {
        facts.context = pair;
        facts.context_count = 1;
    }
    return judge(search, set, kind, name, &facts);
}

static enum err find_pair(struct scene_search *search, enum condition_kind kind, struct view name)
{
    struct class_set set;
    struct pattern_list patterns = {.arena = search->classes->arena};
    struct string_list values;
    const struct facts none = {0};
    TRY(class_set_init(&set, search->classes));
    pattern_add(&patterns, TEXT_UNDER, VIEW(""));
    for (size_t i = 0; i < search->leaf_count; i++)
        if (search->leaves[i]->kind == kind && view_equals(search->leaves[i]->name, name))
            pattern_add_test(&patterns, &search->leaves[i]->test);
    for (size_t i = 0; kind == CONDITION_HEADER && i < search->rules->count; i++) {
        const struct rule *rule = search->rules->items[i];
        for (size_t k = 0; rule->terms->purpose->is_demanded && !rule->terms->purpose->is_claim &&
                           k < rule->terms->purpose->values.count && view_equals(rule->terms->purpose->header, name);
             k++)
            pattern_add(&patterns, TEXT_EXACT, rule->terms->purpose->values.items[k]);
    }
    if (patterns.is_exhausted)
        return ERR_NO_MEMORY;
    TRY(judge(search, &set, kind, name, &none));
    TRY(classes_of_texts(search->classes, patterns.items, patterns.count, &values));
    for (size_t i = values.count; i-- > 0;)
        TRY(judge_pair(search, &set, kind, name, values.items[i], false));
    TRY(judge_pair(search, &set, kind, name, VIEW("x"), true));
    return dimension_add(search, &set);
}

/* ---- query parameters ----------------------------------------------------------------------- */

static enum err judge_query(struct scene_search *search, struct class_set *set, struct view name, struct view path)
{
    struct facts facts = {.path = path, .is_raw_path = true};
    return judge(search, set, CONDITION_QUERY, name, &facts);
}

/* Absent, with each class of values, and twice. */
static enum err find_query(struct scene_search *search, struct view name)
{
    struct arena *arena = search->classes->arena;
    struct class_set set;
    struct pattern_list patterns = {.arena = arena};
    struct string_list values;
    struct view key = classes_escaped(arena, name);
    TRY(class_set_init(&set, search->classes));
    pattern_add(&patterns, TEXT_UNDER, VIEW(""));
    for (size_t i = 0; i < search->leaf_count; i++)
        if (search->leaves[i]->kind == CONDITION_QUERY && view_equals(search->leaves[i]->name, name))
            pattern_add_test(&patterns, &search->leaves[i]->test);
    if (patterns.is_exhausted)
        return ERR_NO_MEMORY;
    TRY(judge_query(search, &set, name, (struct view){0}));
    TRY(classes_of_texts(search->classes, patterns.items, patterns.count, &values));
    for (size_t i = values.count; i-- > 0;) {
        struct view value = classes_escaped(arena, values.items[i]);
        TRY(judge_query(search, &set, name, arena_print(arena, "/?%.*s=%.*s", VIEW_ARG(key), VIEW_ARG(value))));
    }
    TRY(judge_query(search, &set, name, arena_print(arena, "/?%.*s=x&%.*s=x", VIEW_ARG(key), VIEW_ARG(key))));
    return dimension_add(search, &set);
}

static bool is_first(const struct scene_search *search, size_t leaf)
{
    for (size_t i = 0; i < leaf; i++)
        if (search->leaves[i]->kind == search->leaves[leaf]->kind &&
            view_equals(search->leaves[i]->name, search->leaves[leaf]->name))
            return false;
    return true;
}

/* A header that a leaf tests, or an earlier rule takes its purpose from. */
static bool is_header_seen(const struct scene_search *search, size_t rule)
{
    struct view name = search->rules->items[rule]->terms->purpose->header;
    for (size_t i = 0; i < search->leaf_count; i++)
        if (search->leaves[i]->kind == CONDITION_HEADER && view_equals(search->leaves[i]->name, name))
            return true;
    for (size_t i = 0; i < rule; i++)
        if (search->rules->items[i]->terms->purpose->is_demanded &&
            !search->rules->items[i]->terms->purpose->is_claim &&
            view_equals(search->rules->items[i]->terms->purpose->header, name))
            return true;
    return false;
}

static enum err find_pairs(struct scene_search *search)
{
    for (size_t i = 0; i < search->leaf_count; i++) {
        enum condition_kind kind = search->leaves[i]->kind;
        if ((kind == CONDITION_HEADER || kind == CONDITION_CONTEXT) && is_first(search, i))
            TRY(find_pair(search, kind, search->leaves[i]->name));
        if (kind == CONDITION_QUERY && is_first(search, i))
            TRY(find_query(search, search->leaves[i]->name));
    }
    for (size_t i = 0; i < search->rules->count; i++) {
        const struct rule *rule = search->rules->items[i];
        if (rule->terms->purpose->is_demanded && !rule->terms->purpose->is_claim && !is_header_seen(search, i))
            TRY(find_pair(search, CONDITION_HEADER, rule->terms->purpose->header));
    }
    return ERR_NONE;
}

/* ---- metadata ----------------------------------------------------------------------------------- */

static bool same_place(const struct condition *a, const struct condition *b)
{
    return a->kind == CONDITION_METADATA && b->kind == CONDITION_METADATA && view_equals(a->name, b->name) &&
           classes_paths_cross(a->parts->path, b->parts->path);
}

/* Metadata of one filter that leads to `value`. */
static const struct value *filter_make(struct arena *arena, const struct condition *leaf, const struct value *value)
{
    const struct claim_path top = {.text = leaf->name, .steps = {.items = &leaf->name, .count = 1}};
    const struct value *below = classes_put_value(arena, NULL, leaf->parts->path, 0, value);
    return below ? classes_put_value(arena, NULL, &top, 0, below) : NULL;
}

static enum err find_place(struct scene_search *search, size_t leaf)
{
    const struct condition *first = search->leaves[leaf];
    const struct value_test *tests[CLASSES_DIMENSIONS_MAX];
    struct value_question question = {.path = *first->parts->path, .tests = tests};
    const struct value *values;
    struct class_set set;
    size_t count;
    TRY(class_set_init(&set, search->classes));
    for (size_t i = 0; i < search->leaf_count; i++) {
        const struct condition *other = search->leaves[i];
        if (other != first && other->kind == CONDITION_METADATA && view_equals(other->name, first->name) &&
            !(same_place(first, other) && other->parts->path->steps.count == first->parts->path->steps.count))
            return classes_refuse(search->classes, "rules read two places of one filter's metadata");
        if (same_place(first, other) && question.test_count < CLASSES_DIMENSIONS_MAX)
            tests[question.test_count++] = &other->test;
    }
    TRY(classes_values(search->classes, &question, &values, &count));
    for (size_t i = 0; i < count; i++) {
        struct facts facts = {0};
        if (values[i].kind != VALUE_ABSENT) {
            facts.metadata = filter_make(search->classes->arena, first, &values[i]);
            if (!facts.metadata)
                return ERR_NO_MEMORY;
        }
        TRY(judge(search, &set, CONDITION_METADATA, first->name, &facts));
    }
    return dimension_add(search, &set);
}

static enum err find_metadata(struct scene_search *search)
{
    for (size_t i = 0; i < search->leaf_count; i++)
        if (search->leaves[i]->kind == CONDITION_METADATA && is_first(search, i))
            TRY(find_place(search, i));
    return ERR_NONE;
}

/* ---- all ------------------------------------------------------------------------------------------ */

static bool is_known(enum condition_kind kind)
{
    return kind == CONDITION_TIME || kind == CONDITION_SOURCE_IP || kind == CONDITION_REMOTE_IP ||
           kind == CONDITION_HEADER || kind == CONDITION_CONTEXT || kind == CONDITION_METADATA ||
           kind == CONDITION_PORT || kind == CONDITION_SNI || kind == CONDITION_QUERY;
}

enum err classes_scenes(struct classes *classes, const struct class_rules *rules, struct class_scene *out)
{
    struct scene_search *search = arena_take(classes->arena, sizeof *search);
    if (!search)
        return ERR_NO_MEMORY;
    *search = (struct scene_search){.classes = classes, .rules = rules, .out = out};
    *out = (struct class_scene){0};
    classes_rule_leaves(rules, see_leaf, search);
    if (search->is_over)
        return classes_refuse(classes, "too many different things are tested");
    for (size_t i = 0; i < search->leaf_count; i++)
        if (!is_known(search->leaves[i]->kind))
            return classes_refuse(classes, "a kind of condition has no classes yet");
    TRY(find_times(search));
    TRY(find_addresses(search, CONDITION_SOURCE_IP));
    TRY(find_addresses(search, CONDITION_REMOTE_IP));
    TRY(find_ports(search));
    TRY(find_names(search));
    TRY(find_pairs(search));
    return find_metadata(search);
}
