/* SPDX-License-Identifier: Apache-2.0 */
#include "classes.h"

enum { SCRATCH_MAX = 256 * 1024 };

struct arena classes_scratch(struct classes *classes)
{
    struct arena scratch;
    if (!classes->memory)
        classes->memory = arena_take(classes->arena, SCRATCH_MAX);
    arena_init_fixed(&scratch, classes->memory, classes->memory ? SCRATCH_MAX : 0);
    return scratch;
}

enum err classes_refuse(struct classes *classes, const char *problem)
{
    classes->problem = problem;
    return ERR_LIMIT;
}

enum err classes_count(struct classes *classes)
{
    if (classes->looked_at == CLASSES_COMBINATIONS_MAX)
        return classes_refuse(classes, "there are too many classes of requests");
    classes->looked_at++;
    return ERR_NONE;
}

enum err classes_of_texts(struct classes *classes, const struct text_pattern *patterns, size_t count,
                          struct string_list *out)
{
    enum err err = text_classes(patterns, count, classes->arena, out);
    return err == ERR_LIMIT ? classes_refuse(classes, "too many texts are compared in one place") : err;
}

/* ---- signatures ------------------------------------------------------------------- */

enum err signature_init(struct signature *signature, size_t room, struct arena *arena)
{
    *signature = (struct signature){.bytes = arena_take(arena, room + 1), .room = room};
    return signature->bytes ? ERR_NONE : ERR_NO_MEMORY;
}

void signature_put(struct signature *signature, unsigned value)
{
    if (signature->size < signature->room)
        signature->bytes[signature->size] = (unsigned char)value;
    signature->size++;
}

enum err class_set_init(struct class_set *set, struct classes *classes)
{
    *set = (struct class_set){.classes = classes};
    table_init(&set->seen, classes->arena);
    return ERR_NONE;
}

static enum err class_set_grow(struct class_set *set)
{
    size_t room = set->room > 0 ? set->room * 2 : 16;
    struct facts *items = arena_take_array(set->classes->arena, room, sizeof *items);
    if (!items)
        return ERR_NO_MEMORY;
    if (set->count > 0)
        memcpy(items, set->items, set->count * sizeof *items);
    set->items = items;
    set->room = room;
    return ERR_NONE;
}

enum err class_set_add(struct class_set *set, const struct signature *signature, const struct facts *facts)
{
    /* A signature that is cut off could hide a difference. */
    if (signature->size > signature->room)
        return classes_refuse(set->classes, "the rules are too many to be told apart");
    size_t ignored;
    struct view key = {.data = (const char *)signature->bytes, .size = signature->size};
    if (table_find(&set->seen, key, &ignored))
        return ERR_NONE;
    key = arena_copy(set->classes->arena, key);
    if (!view_is_present(key))
        return ERR_NO_MEMORY;
    TRY(table_put(&set->seen, key, set->count));
    if (set->count == set->room)
        TRY(class_set_grow(set));
    set->items[set->count++] = *facts;
    return ERR_NONE;
}

/* ---- targets ------------------------------------------------------------------------- */

static bool is_plain(unsigned char c, bool is_query)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr(is_query ? "-._~" : "-._~:@=$&+,", c));
}

size_t classes_octet_write(unsigned char c, bool is_query, char *out)
{
    static const char hex[] = "0123456789ABCDEF";
    if (is_plain(c, is_query)) {
        out[0] = (char)c;
        return 1;
    }
    out[0] = '%';
    out[1] = hex[c >> 4];
    out[2] = hex[c & 15];
    return 3;
}

struct view classes_escaped(struct arena *arena, struct view text)
{
    char *out = arena_take(arena, text.size * 3 + 1);
    size_t size = 0;
    for (size_t i = 0; out && i < text.size; i++)
        size += classes_octet_write((unsigned char)text.data[i], true, out + size);
    return (struct view){.data = out, .size = out ? size : 0};
}

/* ---- patterns ------------------------------------------------------------------------ */

void pattern_add(struct pattern_list *list, enum text_pattern_kind kind, struct view text)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].kind == kind && view_equals(list->items[i].text, text))
            return;
    if (list->count == list->room) {
        size_t room = list->room > 0 ? list->room * 2 : 16;
        struct text_pattern *items = arena_take_array(list->arena, room, sizeof *items);
        if (!items) {
            list->is_exhausted = true;
            return;
        }
        if (list->count > 0)
            memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
        list->room = room;
    }
    list->items[list->count++] = (struct text_pattern){.kind = kind, .text = text};
}

static void number_add(struct pattern_list *list, int64_t number)
{
    struct view text = arena_print(list->arena, "%lld", (long long)number);
    if (!view_is_present(text))
        list->is_exhausted = true;
    pattern_add(list, TEXT_EXACT, text);
}

void pattern_add_test(struct pattern_list *list, const struct value_test *test)
{
    static const enum text_pattern_kind kinds[] = {
        [TEST_ANY_OF] = TEXT_EXACT,  [TEST_CONTAINS_ALL] = TEXT_EXACT, [TEST_PREFIX] = TEXT_PREFIX,
        [TEST_SUFFIX] = TEXT_SUFFIX, [TEST_CONTAINS] = TEXT_CONTAINS,
    };
    if (test->kind == TEST_PRESENT)
        return;
    if (test->kind == TEST_INT_RANGE) {
        /* Every interval between bounds begins with one of these. */
        number_add(list, test->range->low);
        if (test->range->low > INT64_MIN + 1)
            number_add(list, test->range->low - 1);
        if (test->range->high < INT64_MAX)
            number_add(list, test->range->high + 1);
        return;
    }
    for (size_t i = 0; i < test->values.count; i++)
        pattern_add(list, kinds[test->kind], test->values.items[i]);
}

/* ---- conditions ------------------------------------------------------------------------ */

void classes_leaves(const struct condition *condition, class_leaf *each, void *context)
{
    if (!condition)
        return;
    if (condition->child_count == 0)
        each(context, condition);
    for (size_t i = 0; i < condition->child_count; i++)
        classes_leaves(&condition->children[i], each, context);
}

void classes_rule_leaves(const struct class_rules *rules, class_leaf *each, void *context)
{
    for (size_t i = 0; i < rules->count; i++) {
        classes_leaves(rules->items[i]->when, each, context);
        classes_leaves(rules->items[i]->terms->unless, each, context);
    }
}

/* ---- joining ------------------------------------------------------------------------------ */

static const struct pair *pairs_join(const struct pair *a, size_t a_count, const struct pair *b, size_t b_count,
                                     struct arena *scratch)
{
    struct pair *pairs = arena_take_array(scratch, a_count + b_count + 1, sizeof *pairs);
    if (!pairs)
        return NULL;
    if (a_count > 0)
        memcpy(pairs, a, a_count * sizeof *pairs);
    if (b_count > 0)
        memcpy(pairs + a_count, b, b_count * sizeof *pairs);
    return pairs;
}

/* Metadata of two filters: the members of both. */
static const struct value *members_join(const struct value *a, const struct value *b, struct arena *scratch)
{
    if (!a || !b)
        return a ? a : b;
    struct value *map = arena_take(scratch, sizeof *map), *items;
    struct view *names = arena_take_array(scratch, a->count + b->count, sizeof *names);
    items = arena_take_array(scratch, a->count + b->count, sizeof *items);
    if (!map || !names || !items)
        return NULL;
    for (size_t i = 0; i < a->count + b->count; i++) {
        names[i] = i < a->count ? a->names[i] : b->names[i - a->count];
        items[i] = i < a->count ? a->items[i] : b->items[i - a->count];
    }
    *map = (struct value){.kind = VALUE_MAP, .items = items, .names = names, .count = a->count + b->count};
    return map;
}

static enum err scene_join(const struct facts *one, struct arena *scratch, struct facts *out)
{
    out->now = one->now != 0 ? one->now : out->now;
    out->source_ip = one->source_ip.family != 0 ? one->source_ip : out->source_ip;
    out->remote_ip = one->remote_ip.family != 0 ? one->remote_ip : out->remote_ip;
    out->port = one->port != 0 ? one->port : out->port;
    out->sni = view_is_present(one->sni) ? one->sni : out->sni;
    if (one->header_count > 0) {
        out->headers = pairs_join(out->headers, out->header_count, one->headers, one->header_count, scratch);
        out->header_count += one->header_count;
    }
    if (one->context_count > 0) {
        out->context = pairs_join(out->context, out->context_count, one->context, one->context_count, scratch);
        out->context_count += one->context_count;
    }
    if (view_is_present(one->path)) {
        bool has_query = view_index_of(out->path, '?', 0) < out->path.size;
        struct view query = view_slice(one->path, view_index_of(one->path, '?', 0) + 1, one->path.size);
        out->path = arena_print(scratch, "%.*s%c%.*s", VIEW_ARG(out->path), has_query ? '&' : '?', VIEW_ARG(query));
    }
    if (one->metadata)
        out->metadata = members_join(out->metadata, one->metadata, scratch);
    bool is_whole = (out->header_count == 0 || out->headers) && (out->context_count == 0 || out->context) &&
                    (!one->metadata || out->metadata) && view_is_present(out->path);
    return is_whole ? ERR_NONE : ERR_NO_MEMORY;
}

/* A caller's times are those of CLASSES_NOW: they move with the time of the request. */
static void times_move(struct user_facts *user, int64_t distance)
{
    user->auth_time += user->has_auth_time ? distance : 0;
    user->issued_at += distance;
    user->expires += distance;
}

enum err classes_join(const struct facts *request, const struct facts *caller, const struct class_scene *scene,
                      const size_t *picks, struct arena *scratch, struct facts *out)
{
    *out = *request;
    out->workload = caller->workload;
    out->user = caller->user;
    for (size_t i = 0; i < scene->count; i++)
        TRY(scene_join(&scene->dimensions[i].items[picks[i]], scratch, out));
    if (out->user.state == USER_KNOWN)
        times_move(&out->user, out->now - CLASSES_NOW);
    return ERR_NONE;
}
