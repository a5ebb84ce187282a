/* SPDX-License-Identifier: Apache-2.0 */
/* Paths grow segment by segment; a prefix that leaves the same operations open with the
 * same captures as one before it is not followed again. */
#include "classes_request.h"
#include "path_pattern.h"

/* ---- what there is ------------------------------------------------------------------- */

static bool is_wanted(const struct classes *classes, const struct action *action)
{
    const struct rule *about = classes->about;
    for (size_t i = 0; about && i < about->action_count; i++)
        if (about->actions[i] == action)
            return true;
    return !about || about->action_count == 0;
}

static enum err operations_list(struct walk *walk)
{
    const struct model *model = walk->classes->model;
    struct operation_list *list = &walk->operations;
    size_t room = 0;
    for (size_t a = 0; a < model->action_count; a++)
        room += model->actions[a].operation_count;
    list->items = arena_take_array(walk->classes->arena, room + 1, sizeof(struct operation *));
    list->is_wanted = arena_take_array(walk->classes->arena, room + 1, sizeof(bool));
    if (!list->items || !list->is_wanted)
        return ERR_NO_MEMORY;
    for (size_t a = 0; a < model->action_count; a++)
        for (size_t i = 0; i < model->actions[a].operation_count; i++) {
            const struct operation *operation = &model->actions[a].operations[i];
            size_t segments = operation->kind == OPERATION_GRPC ? 2 : operation->path->segment_count;
            list->is_wanted[list->count] = is_wanted(walk->classes, &model->actions[a]);
            list->items[list->count++] = operation;
            walk->deepest = segments > walk->deepest ? segments : walk->deepest;
            walk->has_slash = walk->has_slash || operation->encoded_slash_is_data;
        }
    /* One more shows what a rest takes, and what nothing does. */
    walk->deepest = walk->deepest + 2 < PATH_SEGMENTS_MAX ? walk->deepest + 2 : PATH_SEGMENTS_MAX;
    walk->wants_all = !walk->classes->about || walk->classes->about->action_count == 0;
    return ERR_NONE;
}

static void ids_of_rule(struct pattern_list *patterns, const struct rule *rule)
{
    for (size_t i = 0; i < rule->resources->id_count; i++)
        pattern_add(patterns, rule->resources->ids[i].is_prefix ? TEXT_PREFIX : TEXT_EXACT,
                    rule->resources->ids[i].text);
}

static bool set_has_id(const struct header_template *templates, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < templates[i].value.count; k++)
            if (templates[i].value.parts[k].kind == TEMPLATE_RESOURCE_ID)
                return true;
    return false;
}

static bool templates_have_id(const struct model *model)
{
    for (size_t i = 0; i < model->rule_count; i++) {
        const struct obligation_set *set = model->rules[i].terms->obligations;
        if (set_has_id(set->request_headers, set->request_header_count) ||
            set_has_id(set->response_headers, set->response_header_count) ||
            set_has_id(set->metadata, set->metadata_count) || set_has_id(set->query_params, set->query_param_count))
            return true;
    }
    return false;
}

/* Also one with a byte that no header can hold, where an id goes into one. */
static enum err ids_list(struct walk *walk)
{
    struct classes *classes = walk->classes;
    const struct model *model = classes->model;
    struct pattern_list patterns = {.arena = classes->arena};
    struct string_list texts;
    pattern_add(&patterns, TEXT_UNDER, VIEW(""));
    for (size_t i = 0; i < model->resource_count; i++)
        pattern_add(&patterns, model->resources[i].id.is_prefix ? TEXT_PREFIX : TEXT_EXACT,
                    model->resources[i].id.text);
    for (size_t i = 0; i < model->rule_count; i++)
        ids_of_rule(&patterns, &model->rules[i]);
    if (classes->about)
        ids_of_rule(&patterns, classes->about);
    if (patterns.is_exhausted)
        return ERR_NO_MEMORY;
    TRY(classes_of_texts(classes, patterns.items, patterns.count, &texts));
    struct view *items = arena_take_array(classes->arena, texts.count * 2 + 2, sizeof *items);
    if (!items)
        return ERR_NO_MEMORY;
    size_t count = 0;
    for (size_t i = 0; i < texts.count; i++) {
        if (texts.items[i].size == 0)
            continue;
        items[count++] = texts.items[i];
        if (templates_have_id(model))
            items[count++] = arena_print(classes->arena, "%.*s\xc3\xa9", VIEW_ARG(texts.items[i]));
    }
    walk->ids = (struct string_list){.items = items, .count = count};
    return ERR_NONE;
}

/* ---- paths ------------------------------------------------------------------------------ */

static bool rest_begins(const struct operation *operation, size_t depth)
{
    const struct path_pattern *path = operation->path;
    return operation->kind == OPERATION_HTTP && depth + 1 >= path->segment_count &&
           path->segments[path->segment_count - 1].kind == PATTERN_REST;
}

static bool segment_fits(const struct operation *operation, size_t i, struct view segment)
{
    if (operation->kind == OPERATION_GRPC) {
        if (i == 0)
            return view_equals(operation->grpc->service, segment);
        return i == 1 && (operation->grpc->method_is_prefix
                              ? segment.size > 0 && view_starts_with(segment, operation->grpc->method)
                              : view_equals(operation->grpc->method, segment));
    }
    const struct path_pattern *path = operation->path;
    if (i >= path->segment_count)
        return path->segments[path->segment_count - 1].kind == PATTERN_REST;
    if (path->segments[i].kind == PATTERN_LITERAL)
        return view_equals(path->segments[i].text, segment);
    return path->segments[i].kind == PATTERN_REST || segment.size > 0;
}

/* Could still fit, as far as the first `depth` segments say. A verb is left to the
 * evaluator: that keeps more open than is, never less. */
static bool is_open(const struct walk *walk, size_t operation, size_t depth)
{
    for (size_t i = 0; i < depth; i++)
        if (!segment_fits(walk->operations.items[operation], i, walk->segments[i]))
            return false;
    return true;
}

/* A segment whose text is the id of some type's resources. */
static bool names_resource(const struct walk *walk, const struct operation *operation, size_t i)
{
    const struct model *model = walk->classes->model;
    if (operation->kind != OPERATION_HTTP || i >= operation->path->segment_count ||
        operation->path->segments[i].kind != PATTERN_VARIABLE)
        return false;
    for (size_t t = 0; t < model->type_count; t++)
        for (size_t k = 0; k < model->types[t].id_count; k++)
            if (model->types[t].ids[k].kind == ID_PATH &&
                view_equals(model->types[t].ids[k].name, operation->path->segments[i].text))
                return true;
    return false;
}

static bool has_verb_at(const struct operation *operation, size_t i)
{
    return operation->kind == OPERATION_HTTP && i + 1 == operation->path->segment_count &&
           view_is_present(operation->path->verb);
}

/* True for the first prefix that leaves what this one leaves. */
static enum err is_new(struct walk *walk, size_t depth, bool *out)
{
    struct arena scratch = classes_scratch(walk->classes);
    struct signature key;
    size_t room = walk->operations.count + 1;
    for (size_t i = 0; i < depth; i++)
        room += walk->segments[i].size + 2;
    TRY(signature_init(&key, room, &scratch));
    for (size_t i = 0; i < walk->operations.count; i++)
        signature_put(&key, is_open(walk, i, depth) ? 1 + rest_begins(walk->operations.items[i], depth) : 0);
    signature_put(&key, (unsigned)depth);
    for (size_t i = 0; i < depth; i++) {
        bool is_captured = i + 1 == depth; /* a verb may yet be told from it */
        for (size_t k = 0; k < walk->operations.count && !is_captured; k++)
            is_captured = names_resource(walk, walk->operations.items[k], i) && is_open(walk, k, depth);
        for (size_t k = 0; is_captured && k < walk->segments[i].size; k++)
            signature_put(&key, (unsigned char)walk->segments[i].data[k]);
        signature_put(&key, '/');
    }
    struct view text = arena_copy(walk->classes->arena, (struct view){(const char *)key.bytes, key.size});
    if (!view_is_present(text))
        return ERR_NO_MEMORY;
    enum err err = table_put(&walk->seen, text, 0);
    *out = err == ERR_NONE;
    return err == ERR_CONFLICT ? ERR_NONE : err;
}

static bool is_complete(const struct operation *operation, size_t depth)
{
    if (operation->kind == OPERATION_GRPC)
        return depth == 2;
    return depth == operation->path->segment_count || rest_begins(operation, depth);
}

static enum err path_add(struct walk *walk, size_t depth)
{
    size_t size = 0, room = 1;
    bool *fits = arena_take_array(walk->classes->arena, walk->operations.count + 1, sizeof *fits);
    for (size_t i = 0; fits && i < walk->operations.count; i++)
        fits[i] = is_open(walk, i, depth) && is_complete(walk->operations.items[i], depth);
    for (size_t i = 0; i < depth; i++)
        room += 1 + 3 * walk->segments[i].size;
    char *path = arena_take(walk->classes->arena, room);
    if (!path || !fits)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < depth; i++) {
        path[size++] = '/';
        for (size_t k = 0; k < walk->segments[i].size; k++)
            size += classes_octet_write((unsigned char)walk->segments[i].data[k], false, path + size);
    }
    if (walk->path_count == walk->path_room) {
        size_t more = walk->path_room > 0 ? walk->path_room * 2 : 64;
        struct found_path *paths = arena_take_array(walk->classes->arena, more, sizeof *paths);
        if (!paths)
            return ERR_NO_MEMORY;
        if (walk->path_count > 0)
            memcpy(paths, walk->paths, walk->path_count * sizeof *paths);
        walk->paths = paths;
        walk->path_room = more;
    }
    walk->paths[walk->path_count++] = (struct found_path){.text = {.data = path, .size = size}, .fits = fits};
    return classes_count(walk->classes);
}

static void patterns_at(const struct walk *walk, size_t depth, struct pattern_list *out)
{
    pattern_add(out, TEXT_UNDER, VIEW(""));
    for (size_t i = 0; i < walk->operations.count; i++) {
        const struct operation *operation = walk->operations.items[i];
        if (!is_open(walk, i, depth))
            continue;
        if (operation->kind == OPERATION_GRPC && depth < 2)
            pattern_add(out, depth == 1 && operation->grpc->method_is_prefix ? TEXT_PREFIX : TEXT_EXACT,
                        depth == 0 ? operation->grpc->service : operation->grpc->method);
        else if (operation->kind == OPERATION_HTTP && depth < operation->path->segment_count &&
                 operation->path->segments[depth].kind == PATTERN_LITERAL)
            pattern_add(out, TEXT_EXACT, operation->path->segments[depth].text);
        if (has_verb_at(operation, depth))
            pattern_add(out, TEXT_UNDER, arena_print(out->arena, ":%.*s", VIEW_ARG(operation->path->verb)));
    }
}

static enum err walk_on(struct walk *walk, size_t depth);

static enum err walk_into(struct walk *walk, size_t depth, struct view segment)
{
    if (!view_is_present(segment))
        return ERR_NO_MEMORY;
    walk->segments[depth] = segment;
    return walk_on(walk, depth + 1);
}

/* Every class of ids, as it stands and before every verb. */
static enum err walk_ids(struct walk *walk, size_t depth)
{
    struct arena *arena = walk->classes->arena;
    bool captures = false;
    for (size_t i = 0; i < walk->operations.count && !captures; i++)
        captures = names_resource(walk, walk->operations.items[i], depth) && is_open(walk, i, depth);
    for (size_t i = 0; captures && i < walk->ids.count; i++) {
        struct view id = walk->ids.items[i];
        TRY(walk_into(walk, depth, id));
        for (size_t k = 0; k < walk->operations.count; k++)
            if (has_verb_at(walk->operations.items[k], depth) && is_open(walk, k, depth))
                TRY(walk_into(
                    walk, depth,
                    arena_print(arena, "%.*s:%.*s", VIEW_ARG(id), VIEW_ARG(walk->operations.items[k]->path->verb))));
    }
    return ERR_NONE;
}

static enum err walk_on(struct walk *walk, size_t depth)
{
    bool is_first = true, is_needed = walk->wants_all, is_dead = true;
    struct pattern_list patterns = {.arena = walk->classes->arena};
    struct string_list texts;
    for (size_t i = 0; i < walk->operations.count; i++) {
        bool is_alive = is_open(walk, i, depth);
        is_dead = is_dead && !is_alive;
        is_needed = is_needed || (is_alive && walk->operations.is_wanted[i]);
    }
    TRY(classes_count(walk->classes));
    if (depth > 0)
        TRY(is_new(walk, depth, &is_first));
    if (!is_first || !is_needed)
        return ERR_NONE;
    if (depth > 0)
        TRY(path_add(walk, depth));
    if (depth >= walk->deepest || (depth > 0 && (is_dead || walk->segments[depth - 1].size == 0)))
        return ERR_NONE;
    patterns_at(walk, depth, &patterns);
    if (patterns.is_exhausted)
        return ERR_NO_MEMORY;
    TRY(classes_of_texts(walk->classes, patterns.items, patterns.count, &texts));
    for (size_t i = 0; i < texts.count; i++)
        TRY(walk_into(walk, depth, texts.items[i]));
    /* An encoded slash, which is data for some operations and nothing to judge for others. */
    if (walk->has_slash)
        TRY(walk_into(walk, depth, VIEW("x/x")));
    return walk_ids(walk, depth);
}

enum err requests_paths(struct walk *walk)
{
    TRY(operations_list(walk));
    TRY(ids_list(walk));
    return walk_on(walk, 0);
}
