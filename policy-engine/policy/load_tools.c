/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

/* In the element that is being read, or else anywhere in what is open of the document. */
static struct view path_of(struct load *load, const struct node *place)
{
    const struct element *element = &load->element;
    struct view below = {0};
    if (element->block != NULL)
        below = place == element->key ? VIEW("") : node_path(element->item, place, load->scratch);
    if (!view_is_present(below))
        return node_path(load->root, place, load->scratch);
    struct view block = node_path(load->root, element->block, load->scratch);
    const char *dot = below.size > 0 && below.data[0] != '[' ? "." : "";
    if (element->key != NULL)
        return arena_print(load->scratch, "%.*s.%.*s%s%.*s", VIEW_ARG(block), VIEW_ARG(element->key->text), dot,
                           VIEW_ARG(below));
    return arena_print(load->scratch, "%.*s[%zu]%s%.*s", VIEW_ARG(block), element->index, dot, VIEW_ARG(below));
}

void load_refuse(struct load *load, enum code code, const struct node *node, const char *hint, const char *format, ...)
{
    va_list args;
    const struct node *place = node != NULL ? node : load->root;
    struct diag diag = {
        .severity = DIAG_ERROR, .code = view_of(code_text(code)), .span = place->span, .hint = view_of(hint)};
    if (load->diags->count < DIAG_CAP)
        diag.path = path_of(load, place);
    va_start(args, format);
    diag_vadd(load->diags, &diag, format, args);
    va_end(args);
}

void *load_take(struct load *load, size_t count, size_t size)
{
    void *memory = arena_take_words(load->arena, count > 0 ? count : 1, size);
    if (memory == NULL)
        load->is_exhausted = true;
    return memory;
}

enum { POOL_BLOCK = 8 * 1024, POOL_TEXT_MAX = 256 };

/* FNV-1a by words, as hash and place in the array of what is recent. */
static size_t recent_place(const void *bytes, size_t size)
{
    uint64_t hash = 0xcbf29ce484222325u ^ size;
    const char *at = bytes;
    for (; size >= 8; size -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        hash = (hash ^ word) * 0x100000001b3u;
        hash ^= hash >> 29;
    }
    for (; size > 0; size--)
        hash = (hash ^ (unsigned char)*at++) * 0x100000001b3u;
    hash ^= hash >> 29;
    return (size_t)(hash ^ hash >> 13) & (LOAD_RECENT - 1);
}

static bool is_recent(const struct recent *recent, const void *bytes, size_t size)
{
    return recent->bytes != NULL && recent->size == size && memcmp(recent->bytes, bytes, size) == 0;
}

static char *pool_take(struct load *load, size_t size)
{
    struct text_pool *pool = load->texts;
    if ((size_t)(pool->end - pool->next) < size) {
        pool->next = arena_take_unset(load->arena, POOL_BLOCK);
        pool->end = pool->next != NULL ? pool->next + POOL_BLOCK : NULL;
        if (pool->next == NULL)
            return NULL;
    }
    char *taken = pool->next;
    pool->next += size;
    return taken;
}

struct view load_keep(struct load *load, struct view text)
{
    if (text.size == 0)
        return VIEW("");
    bool is_pooled = load->texts != NULL && text.size < POOL_TEXT_MAX;
    struct recent *recent = is_pooled ? &load->texts->recent[recent_place(text.data, text.size)] : NULL;
    if (is_pooled && is_recent(recent, text.data, text.size))
        return (struct view){.data = recent->bytes, .size = text.size};
    char *kept = is_pooled ? pool_take(load, text.size + 1) : arena_take_unset(load->arena, text.size + 1);
    if (kept == NULL) {
        load->is_exhausted = true;
        return (struct view){0};
    }
    memcpy(kept, text.data, text.size);
    kept[text.size] = '\0';
    if (is_pooled)
        *recent = (struct recent){.bytes = kept, .size = text.size};
    return (struct view){.data = kept, .size = text.size};
}

const void *load_share(struct load *load, const void *items, size_t count, size_t size)
{
    size_t bytes = count * size; /* of an array that is there */
    struct recent *recent = load->lists != NULL ? &load->lists[recent_place(items, bytes)] : NULL;
    if (recent != NULL && is_recent(recent, items, bytes))
        return recent->bytes;
    void *kept = load_take(load, count, size);
    if (kept == NULL)
        return NULL;
    memcpy(kept, items, bytes);
    if (recent != NULL)
        *recent = (struct recent){.bytes = kept, .size = bytes};
    return kept;
}

/* Documents come file by file: the last one is nearly always it. */
static uint32_t file_index(struct load *load)
{
    size_t at = load->model->file_count;
    while (at > 0 && !view_equals(load->model->files[at - 1], load->file))
        at--;
    if (at > 0)
        return (uint32_t)(at - 1);
    load->files[load->model->file_count] = load->file;
    return (uint32_t)load->model->file_count++;
}

struct position load_position(struct load *load, const struct node *node)
{
    return (struct position){.file = file_index(load),
                             .line = node->span.line,
                             .column = node->span.column,
                             .end_column = node->span.end_column};
}

static const char *kind_text(enum node_kind kind)
{
    return kind == NODE_MAP ? "a map" : kind == NODE_LIST ? "a list" : "a single value";
}

bool load_is(struct load *load, const struct node *node, enum node_kind kind, const char *what)
{
    if (node->kind == kind)
        return true;
    load_refuse(load, CODE_TYPE, node, NULL, "%s must be %s, and this is %s", what, kind_text(kind),
                kind_text(node->kind));
    return false;
}

static void refuse_key(struct load *load, const struct node *key, const struct block *block)
{
    struct view *names = arena_take_array(load->scratch, block->count, sizeof(*names));
    if (names == NULL) {
        load->is_exhausted = true;
        return;
    }
    for (size_t i = 0; i < block->count; i++)
        names[i] = block->fields[i].name;
    struct view near = diag_nearest(key->text, names, block->count);
    struct view hint = {0};
    if (view_is_present(near))
        hint = arena_print(load->scratch, "did you mean `%.*s`?", VIEW_ARG(near));
    load_refuse(load, CODE_UNKNOWN_KEY, key, hint.data, "%s has no key `%.*s`", block->what, VIEW_ARG(key->text));
}

bool load_map(struct load *load, const struct node *node, const struct block *block, void *out)
{
    if (!load_is(load, node, NODE_MAP, block->what))
        return false;
    for (size_t i = 0; i < node->count; i++) {
        const struct field *field = block_field(block, node->keys[i]->text);
        if (field == NULL)
            refuse_key(load, node->keys[i], block);
        else if (field->read != NULL)
            field->read(load, node->items[i], out != NULL ? (char *)out + field->offset : NULL);
    }
    for (size_t i = 0; i < block->count; i++)
        if (block->fields[i].use == FIELD_REQUIRED && node_get(node, block->fields[i].name) == NULL)
            load_refuse(load, CODE_MISSING_KEY, node, NULL, "%s needs `%.*s`", block->what,
                        VIEW_ARG(block->fields[i].name));
    return true;
}

enum { FORGOTTEN_AT_ONCE = 8 * 1024 }; /* entries */

/* What was walked over is not read again: as the model grows, the tape shrinks. */
static void forget(struct load *load, struct document_walk *walk)
{
    if (walk->left > 0 && walk->next - walk->kept < FORGOTTEN_AT_ONCE)
        return;
    tape_forget(load->document->tape, walk->kept, walk->next);
    walk->kept = walk->next;
}

bool load_next(struct load *load, const struct node *block, struct document_walk *walk, const struct node **key,
               const struct node **item)
{
    struct node *next_key, *next_item;
    size_t index = block->count - walk->left;
    load->element = (struct element){0};
    arena_reuse(load->passing);
    forget(load, walk);
    if (load->is_exhausted || !document_walk_next(walk, load->passing, &next_key, &next_item)) {
        load->is_exhausted = load->is_exhausted || walk->left > 0;
        return false;
    }
    load->element = (struct element){.block = block, .key = next_key, .item = next_item, .index = index};
    *key = next_key;
    *item = next_item;
    return true;
}

size_t load_elements(const struct node *const *node, const struct node *const **items)
{
    if ((*node)->kind != NODE_LIST) {
        *items = node;
        return 1;
    }
    *items = (const struct node *const *)(*node)->items;
    return (*node)->count;
}

void *load_array(struct load *load, const struct node *node, size_t size, load_reader *read, size_t *count)
{
    const struct node *const *items;
    *count = load_elements(&node, &items);
    char *array = load_take(load, *count, size);
    if (array == NULL)
        *count = 0;
    for (size_t i = 0; i < *count; i++)
        read(load, items[i], array + i * size);
    return array;
}

/* ---- names ------------------------------------------------------------------ */

void names_init(struct load *load, struct names *names, size_t count)
{
    *names = (struct names){0};
    table_init(&names->table, load->names);
    names->definitions = arena_take_array(load->names, count, sizeof(*names->definitions));
    if (table_reserve(&names->table, count) != ERR_NONE || names->definitions == NULL)
        load->is_exhausted = true;
    names->names = names->table.entries;
}

static struct view definition_text(struct load *load, const char *before, const struct definition *definition,
                                   const char *after)
{
    struct view file = load->model->files[definition->file];
    return arena_print(load->scratch, "%s%.*s:%u:%u%s", before, VIEW_ARG(file), definition->line, definition->column,
                       after);
}

bool names_add(struct load *load, struct names *names, const struct node *key, const char *what, size_t index)
{
    if (!load_is_name(key->text))
        load_refuse(load, CODE_NAME, key, code_title(CODE_NAME), "`%.*s` cannot be the name of this %s",
                    VIEW_ARG(key->text), what);
    enum err err = table_put(&names->table, key->text, names->count);
    if (err == ERR_CONFLICT) {
        size_t at = 0;
        (void)table_find(&names->table, key->text, &at);
        struct view hint = definition_text(load, "the first is at ", &names->definitions[at], "");
        load_refuse(load, CODE_DUPLICATE, key, hint.data, "%s `%.*s` is defined twice", what, VIEW_ARG(key->text));
        return false;
    }
    if (err != ERR_NONE) {
        load->is_exhausted = true;
        return false;
    }
    struct position position = load_position(load, key);
    names->definitions[names->count++] = (struct definition){
        .index = (uint32_t)index, .file = position.file, .line = position.line, .column = position.column};
    return true;
}

enum err names_share(struct names *names, const struct names *from, size_t i)
{
    TRY(table_put(&names->table, from->names[i].key, names->count));
    names->definitions[names->count++] = from->definitions[i];
    return ERR_NONE;
}

/* diag_nearest over all names, some at a time. */
static struct view nearest_name(const struct names *names, struct view word)
{
    struct view near = {0}, some[64];
    for (size_t i = 0, count = 0; i < names->count; i++) {
        some[count++] = names->names[i].key;
        if (count < COUNT_OF(some) && i + 1 < names->count)
            continue;
        near = diag_nearest(word, some, count);
        some[0] = near;
        count = view_is_present(near);
    }
    return near;
}

bool names_find(struct load *load, const struct names *names, const struct node *reference, enum code code,
                const char *what, size_t *index)
{
    if (!load_is(load, reference, NODE_SCALAR, what))
        return false;
    size_t at;
    if (table_find(&names->table, reference->text, &at)) {
        *index = names->definitions[at].index;
        return true;
    }
    struct view near = nearest_name(names, reference->text);
    struct view hint = {0};
    if (view_is_present(near) && table_find(&names->table, near, &at)) {
        struct view said = arena_print(load->scratch, "did you mean `%.*s`? (defined at ", VIEW_ARG(near));
        hint = definition_text(load, view_bytes(said), &names->definitions[at], ")");
    } else if (names->count == 0) {
        hint = arena_print(load->scratch, "this document defines none");
    }
    load_refuse(load, code, reference, hint.data, "unknown %s `%.*s`", what, VIEW_ARG(reference->text));
    return false;
}
