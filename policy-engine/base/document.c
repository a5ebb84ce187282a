/* SPDX-License-Identifier: Apache-2.0 */
#include "document.h"

#include "table.h"

#include <yaml.h>

/* clang-format off */
enum document_code {
#define X(symbol, code, title) symbol,
#include "document_codes.def"
#undef X
};
static const char *const CODES[] = {
#define X(symbol, code, title) [symbol] = (code),
#include "document_codes.def"
#undef X
};
/* clang-format on */

enum { TABLE_FROM = 16 }; /* maps of more keys look for duplicates in a table */

struct reader {
    yaml_parser_t parser;
    yaml_event_t event;
    bool has_event;
    struct view file;
    struct view text;
    struct arena *arena;
    struct diag_list *diags;
};

/* A list that grows while its end is not known yet. */
struct link {
    struct link *next;
    struct node *key;
    struct node *value;
};

static void close_reader(struct reader *reader)
{
    if (reader->has_event)
        yaml_event_delete(&reader->event);
    yaml_parser_delete(&reader->parser);
}

static struct span span_of(const struct reader *reader, yaml_mark_t from, yaml_mark_t to)
{
    uint32_t column = (uint32_t)from.column + 1;
    uint32_t end = to.line == from.line && to.column > from.column ? (uint32_t)to.column + 1 : column + 1;
    return (struct span){.file = reader->file,
                         .text = reader->text,
                         .line = (uint32_t)from.line + 1,
                         .column = column,
                         .end_column = end};
}

static void refuse(struct reader *reader, enum document_code code, const char *message, const char *hint)
{
    struct diag diag = {.code = view_of(CODES[code]),
                        .span = span_of(reader, reader->event.start_mark, reader->event.end_mark),
                        .message = view_of(message),
                        .hint = view_of(hint)};
    diag_add(reader->diags, &diag);
}

static enum err refuse_file(const struct reader *reader, enum document_code code, uint32_t line, const char *message)
{
    struct span span = {.file = reader->file, .text = reader->text, .line = line, .column = line, .end_column = line};
    span.column = span.end_column = line > 0 ? 1 : 0;
    diag_error(reader->diags, CODES[code], &span, "%s", message);
    return ERR_INVALID;
}

/* libyaml's own complaint, with the place it names. */
static enum err refuse_syntax(struct reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    if (parser->error == YAML_MEMORY_ERROR)
        return ERR_NO_MEMORY;
    if (parser->error == YAML_READER_ERROR) {
        uint32_t line = 1;
        for (size_t i = 0; i < parser->problem_offset && i < reader->text.size; i++)
            line += reader->text.data[i] == '\n';
        return refuse_file(reader, DOCUMENT_ENCODING, line, parser->problem);
    }
    struct span span = span_of(reader, parser->problem_mark, parser->problem_mark);
    if (parser->context != NULL)
        diag_error(reader->diags, CODES[DOCUMENT_SYNTAX], &span, "%s, %s", parser->problem, parser->context);
    else
        diag_error(reader->diags, CODES[DOCUMENT_SYNTAX], &span, "%s", parser->problem);
    return ERR_INVALID;
}

static enum err next_event(struct reader *reader)
{
    if (reader->has_event)
        yaml_event_delete(&reader->event);
    reader->has_event = false;
    if (yaml_parser_parse(&reader->parser, &reader->event) == 0)
        return refuse_syntax(reader);
    reader->has_event = true;
    return ERR_NONE;
}

static void check_decoration(struct reader *reader, const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor != NULL)
        refuse(reader, DOCUMENT_ANCHOR, "anchors are not accepted", "write the value where it is used");
    if (tag != NULL)
        refuse(reader, DOCUMENT_TAG, "tags are not accepted", "remove the tag: the field knows its type");
}

static struct node *take_node(struct reader *reader, enum node_kind kind)
{
    struct node *node = arena_take(reader->arena, sizeof(*node));
    if (node != NULL) {
        node->kind = kind;
        node->span = span_of(reader, reader->event.start_mark, reader->event.end_mark);
    }
    return node;
}

static enum err read_scalar(struct reader *reader, struct node **out)
{
    struct node *node = take_node(reader, NODE_SCALAR);
    if (node == NULL)
        return ERR_NO_MEMORY;
    *out = node;
    if (reader->event.type == YAML_ALIAS_EVENT) {
        refuse(reader, DOCUMENT_ANCHOR, "aliases are not accepted", "write the value where it is used");
        node->text = VIEW("");
        return ERR_NONE;
    }
    check_decoration(reader, reader->event.data.scalar.anchor, reader->event.data.scalar.tag);
    struct view text = {.data = (const char *)reader->event.data.scalar.value,
                        .size = reader->event.data.scalar.length};
    if (text.size > 0 && view_index_of(text, '\0', 0) < text.size)
        refuse(reader, DOCUMENT_ENCODING, "NUL is not accepted", NULL);
    node->text = text.size > 0 ? arena_copy(reader->arena, text) : VIEW("");
    node->is_plain = reader->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return view_is_present(node->text) ? ERR_NONE : ERR_NO_MEMORY;
}

static enum err read_node(struct reader *reader, unsigned depth, struct node **out);

/* The chain as arrays of the node. */
static enum err keep_links(struct reader *reader, struct node *node, const struct link *first, size_t count)
{
    struct node **items = arena_take_array(reader->arena, count, sizeof(struct node *));
    struct node **keys = arena_take_array(reader->arena, node->kind == NODE_MAP ? count : 0, sizeof(struct node *));
    if (items == NULL || keys == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++, first = first->next) {
        items[i] = first->value;
        if (node->kind == NODE_MAP)
            keys[i] = first->key;
    }
    node->items = items;
    node->keys = node->kind == NODE_MAP ? keys : NULL;
    node->count = count;
    return ERR_NONE;
}

static void refuse_duplicate(struct reader *reader, const struct node *key, const struct node *earlier)
{
    struct view message = arena_print(reader->diags->arena, "the key `%.*s` occurs twice", VIEW_ARG(key->text));
    struct view hint = arena_print(reader->diags->arena, "the first is on line %u", earlier->span.line);
    struct diag diag = {
        .code = view_of(CODES[DOCUMENT_DUPLICATE]), .span = key->span, .message = message, .hint = hint};
    diag_add(reader->diags, &diag);
}

static enum err check_duplicates(struct reader *reader, const struct node *map)
{
    struct table table;
    table_init(&table, reader->arena);
    for (size_t i = 0; i < map->count; i++) {
        size_t earlier = 0;
        if (map->count > TABLE_FROM) {
            enum err err = table_put(&table, map->keys[i]->text, i);
            if (err == ERR_NO_MEMORY)
                return err;
            if (err == ERR_NONE || !table_find(&table, map->keys[i]->text, &earlier))
                continue;
        } else {
            while (earlier < i && !view_equals(map->keys[earlier]->text, map->keys[i]->text))
                earlier++;
            if (earlier == i)
                continue;
        }
        refuse_duplicate(reader, map->keys[i], map->keys[earlier]);
    }
    return ERR_NONE;
}

static enum err read_list(struct reader *reader, unsigned depth, struct node *node)
{
    struct link *first = NULL, **last = &first;
    size_t count = 0;
    TRY(next_event(reader));
    while (reader->event.type != YAML_SEQUENCE_END_EVENT) {
        struct link *link = arena_take(reader->arena, sizeof(*link));
        if (link == NULL)
            return ERR_NO_MEMORY;
        TRY(read_node(reader, depth + 1, &link->value));
        *last = link;
        last = &link->next;
        count++;
        TRY(next_event(reader));
    }
    return keep_links(reader, node, first, count);
}

static enum err read_key(struct reader *reader, struct node **out)
{
    if (reader->event.type != YAML_SCALAR_EVENT && reader->event.type != YAML_ALIAS_EVENT) {
        refuse(reader, DOCUMENT_KEY, "a key must be a scalar", NULL);
        return ERR_INVALID;
    }
    TRY(read_scalar(reader, out));
    if ((*out)->is_plain && view_equals((*out)->text, VIEW("<<")))
        refuse(reader, DOCUMENT_MERGE, "merge keys are not accepted", "write the keys out where they are used");
    return ERR_NONE;
}

static enum err read_map(struct reader *reader, unsigned depth, struct node *node)
{
    struct link *first = NULL, **last = &first;
    size_t count = 0;
    TRY(next_event(reader));
    while (reader->event.type != YAML_MAPPING_END_EVENT) {
        struct link *link = arena_take(reader->arena, sizeof(*link));
        if (link == NULL)
            return ERR_NO_MEMORY;
        TRY(read_key(reader, &link->key));
        TRY(next_event(reader));
        TRY(read_node(reader, depth + 1, &link->value));
        *last = link;
        last = &link->next;
        count++;
        TRY(next_event(reader));
    }
    TRY(keep_links(reader, node, first, count));
    return check_duplicates(reader, node);
}

/* The node that the current event begins, up to its last event. */
static enum err read_node(struct reader *reader, unsigned depth, struct node **out)
{
    bool is_list = reader->event.type == YAML_SEQUENCE_START_EVENT;
    if (!is_list && reader->event.type != YAML_MAPPING_START_EVENT)
        return read_scalar(reader, out);
    if (depth >= DOCUMENT_DEPTH_MAX) {
        refuse(reader, DOCUMENT_DEPTH, "the document nests more than 32 levels", NULL);
        return ERR_INVALID;
    }
    if (is_list)
        check_decoration(reader, reader->event.data.sequence_start.anchor, reader->event.data.sequence_start.tag);
    else
        check_decoration(reader, reader->event.data.mapping_start.anchor, reader->event.data.mapping_start.tag);
    struct node *node = take_node(reader, is_list ? NODE_LIST : NODE_MAP);
    if (node == NULL)
        return ERR_NO_MEMORY;
    TRY(is_list ? read_list(reader, depth, node) : read_map(reader, depth, node));
    struct span whole = span_of(reader, reader->event.start_mark, reader->event.end_mark);
    if (whole.line == node->span.line && whole.end_column > node->span.end_column)
        node->span.end_column = whole.end_column; /* a flow collection on one line */
    *out = node;
    return ERR_NONE;
}

static enum err read_stream(struct reader *reader, struct document *out)
{
    struct link *first = NULL, **last = &first;
    struct node stream = {.kind = NODE_LIST};
    size_t count = 0;
    do {
        TRY(next_event(reader));
        if (reader->event.type != YAML_DOCUMENT_START_EVENT)
            continue;
        if (reader->event.data.document_start.version_directive != NULL ||
            reader->event.data.document_start.tag_directives.start !=
                reader->event.data.document_start.tag_directives.end)
            refuse(reader, DOCUMENT_TAG, "directives are not accepted", "remove the line that begins with %");
        struct link *link = arena_take(reader->arena, sizeof(*link));
        if (link == NULL)
            return ERR_NO_MEMORY;
        TRY(next_event(reader));
        TRY(read_node(reader, 0, &link->value));
        *last = link;
        last = &link->next;
        count++;
    } while (reader->event.type != YAML_STREAM_END_EVENT);
    TRY(keep_links(reader, &stream, first, count));
    *out = (struct document){.roots = stream.items, .count = count};
    return ERR_NONE;
}

/* libyaml would guess an encoding from these and skip a mark in mid-text. */
static enum err check_encoding(const struct reader *reader)
{
    struct view text = reader->text;
    if (view_starts_with(text, VIEW("\xff\xfe")) || view_starts_with(text, VIEW("\xfe\xff")))
        return refuse_file(reader, DOCUMENT_ENCODING, 0, "UTF-16 is not accepted: save the file as UTF-8");
    uint32_t line = 1;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '\0')
            return refuse_file(reader, DOCUMENT_ENCODING, line, "NUL is not accepted");
        if (text.data[i] == '\xef' && view_starts_with(view_slice(text, i, text.size), VIEW("\xef\xbb\xbf")))
            return refuse_file(reader, DOCUMENT_ENCODING, line, "a byte order mark is not accepted");
        line += text.data[i] == '\n';
    }
    return ERR_NONE;
}

enum err document_parse(struct view file, struct view text, struct arena *arena, struct diag_list *diags,
                        struct document *out)
{
    struct reader reader = {.file = arena_copy(arena, file), .arena = arena, .diags = diags};
    size_t errors = diags->errors;
    if (text.size > DOCUMENT_MAX)
        return refuse_file(&reader, DOCUMENT_SIZE, 0, "the file is larger than 8 MiB");
    reader.text = text.size > 0 ? arena_copy(arena, text) : VIEW("");
    if (!view_is_present(reader.text))
        return ERR_NO_MEMORY;
    TRY(check_encoding(&reader));
    if (yaml_parser_initialize(&reader.parser) == 0)
        return ERR_NO_MEMORY;
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)reader.text.data, reader.text.size);
    struct document document = {0};
    enum err err = read_stream(&reader, &document);
    close_reader(&reader);
    TRY(err);
    if (diags->errors > errors)
        return ERR_INVALID;
    *out = document;
    return ERR_NONE;
}

const struct node *node_get(const struct node *node, struct view key)
{
    if (node == NULL || node->kind != NODE_MAP)
        return NULL;
    for (size_t i = 0; i < node->count; i++)
        if (view_equals(node->keys[i]->text, key))
            return node->items[i];
    return NULL;
}

/* ---- where a node stands ----------------------------------------------------- */

static bool find_path(const struct node *from, const struct node *wanted, struct view path, struct arena *scratch,
                      struct view *out)
{
    if (from == wanted) {
        *out = path;
        return true;
    }
    for (size_t i = 0; from->kind == NODE_MAP && i < from->count; i++) {
        bool is_hit = from->keys[i] == wanted || from->items[i] == wanted;
        if (!is_hit && from->items[i]->kind == NODE_SCALAR)
            continue;
        struct view name = from->keys[i]->text;
        struct view step =
            arena_print(scratch, path.size > 0 ? "%.*s.%.*s" : "%.*s%.*s", VIEW_ARG(path), VIEW_ARG(name));
        if (find_path(is_hit ? wanted : from->items[i], wanted, step, scratch, out))
            return true;
    }
    for (size_t i = 0; from->kind == NODE_LIST && i < from->count; i++) {
        if (from->items[i] != wanted && from->items[i]->kind == NODE_SCALAR)
            continue;
        struct view step = arena_print(scratch, "%.*s[%zu]", VIEW_ARG(path), i);
        if (find_path(from->items[i], wanted, step, scratch, out))
            return true;
    }
    return false;
}

struct view node_path(const struct node *root, const struct node *node, struct arena *arena)
{
    struct arena scratch;
    struct view found = {0};
    arena_init(&scratch, (size_t)DOCUMENT_MAX * 16);
    if (find_path(root, node, VIEW(""), &scratch, &found))
        found = arena_copy(arena, found);
    arena_free(&scratch);
    return found;
}
