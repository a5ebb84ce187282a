/* SPDX-License-Identifier: Apache-2.0 */
#include "layout.h"

#include <yaml.h>

struct link {
    struct link *next;
    struct entry *entry;
};

struct reader {
    yaml_parser_t parser;
    yaml_event_t event;
    bool has_event;
    struct view text;
    struct arena *arena;
    size_t *bytes; /* libyaml counts characters: the byte of each, and of the end */
    size_t characters;
    size_t *lines; /* the byte at which each line begins */
    size_t line_count;
    struct link *entries; /* all of them, in the order of their starts */
    struct link **entry_end;
    size_t entry_count;
};

static enum err measure(struct reader *reader)
{
    struct view text = reader->text;
    size_t breaks = 0;
    for (size_t i = 0; i < text.size; i++)
        breaks += text.data[i] == '\n';
    reader->bytes = arena_take_array(reader->arena, text.size + 1, sizeof *reader->bytes);
    reader->lines = arena_take_array(reader->arena, breaks + 1, sizeof *reader->lines);
    if (!reader->bytes || !reader->lines)
        return ERR_NO_MEMORY;
    reader->line_count = 1;
    for (size_t i = 0; i < text.size; i++) {
        if (((unsigned char)text.data[i] & 0xc0) != 0x80)
            reader->bytes[reader->characters++] = i;
        if (text.data[i] == '\n')
            reader->lines[reader->line_count++] = i + 1;
    }
    reader->bytes[reader->characters] = text.size;
    return ERR_NONE;
}

/* The line, from 0, that byte `at` stands on. */
static size_t line_of(const struct reader *reader, size_t at)
{
    size_t low = 0, high = reader->line_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (reader->lines[middle] <= at)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static struct place place_of(const struct reader *reader, yaml_mark_t mark)
{
    size_t index = mark.index < reader->characters ? mark.index : reader->characters;
    size_t at = reader->bytes[index];
    return (struct place){.at = at, .line = (uint32_t)line_of(reader, at), .column = (uint32_t)mark.column};
}

/* True when the line above the one that holds byte `at` has nothing on it. */
static bool has_blank_above(const struct reader *reader, size_t at)
{
    size_t line = line_of(reader, at);
    if (line == 0)
        return false;
    for (size_t i = reader->lines[line - 1]; i + 1 < reader->lines[line]; i++)
        if (reader->text.data[i] != ' ' && reader->text.data[i] != '\t' && reader->text.data[i] != '\r')
            return false;
    return true;
}

/* ---- the tree ------------------------------------------------------------------------ */

static enum err next_event(struct reader *reader)
{
    if (reader->has_event)
        yaml_event_delete(&reader->event);
    reader->has_event = yaml_parser_parse(&reader->parser, &reader->event) != 0;
    return reader->has_event ? ERR_NONE : ERR_MALFORMED;
}

static struct entry *take_entry(struct reader *reader, struct layout *container)
{
    struct entry *entry = arena_take(reader->arena, sizeof *entry);
    struct link *link = arena_take(reader->arena, sizeof *link);
    if (!entry || !link)
        return NULL;
    entry->container = container;
    entry->start = place_of(reader, reader->event.start_mark);
    entry->has_blank_before = has_blank_above(reader, entry->start.at);
    if (container->owner && container->owner->start.at == entry->start.at)
        entry->has_blank_before = false; /* it is the outer entry's */
    link->entry = entry;
    *reader->entry_end = link;
    reader->entry_end = &link->next;
    reader->entry_count++;
    return entry;
}

static enum err read_layout(struct reader *reader, struct entry *owner, struct layout **out);

static enum err read_entries(struct reader *reader, struct layout *layout)
{
    struct link *first = NULL, **last = &first;
    yaml_event_type_t end = layout->kind == NODE_MAP ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;
    TRY(next_event(reader));
    while (reader->event.type != end) {
        struct entry *entry = take_entry(reader, layout);
        struct link *link = arena_take(reader->arena, sizeof *link);
        if (!entry || !link)
            return ERR_NO_MEMORY;
        link->entry = entry;
        *last = link;
        last = &link->next;
        layout->count++;
        if (layout->kind == NODE_MAP) {
            TRY(read_layout(reader, entry, &entry->key));
            TRY(next_event(reader));
        }
        TRY(read_layout(reader, entry, &entry->value));
        TRY(next_event(reader));
    }
    layout->entries = arena_take_array(reader->arena, layout->count + 1, sizeof(struct entry *));
    if (!layout->entries)
        return ERR_NO_MEMORY;
    for (size_t i = 0; first && i < layout->count; i++, first = first->next)
        layout->entries[i] = first->entry;
    layout->end = place_of(reader, reader->event.end_mark);
    return ERR_NONE;
}

static enum err read_scalar(struct reader *reader, struct layout *layout)
{
    yaml_scalar_style_t style = reader->event.data.scalar.style;
    struct view text = {.data = (const char *)reader->event.data.scalar.value,
                        .size = reader->event.data.scalar.length};
    layout->kind = NODE_SCALAR;
    layout->is_plain = style == YAML_PLAIN_SCALAR_STYLE;
    layout->is_block_scalar = style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE;
    layout->source = view_slice(reader->text, layout->start.at, layout->end.at);
    layout->text = text.size > 0 ? arena_copy(reader->arena, text) : VIEW("");
    return view_is_present(layout->text) ? ERR_NONE : ERR_NO_MEMORY;
}

static enum err read_layout(struct reader *reader, struct entry *owner, struct layout **out)
{
    struct layout *layout = arena_take(reader->arena, sizeof *layout);
    if (!layout)
        return ERR_NO_MEMORY;
    *out = layout;
    layout->owner = owner;
    layout->start = place_of(reader, reader->event.start_mark);
    layout->end = place_of(reader, reader->event.end_mark);
    if (reader->event.type == YAML_SCALAR_EVENT)
        return read_scalar(reader, layout);
    if (reader->event.type == YAML_SEQUENCE_START_EVENT) {
        layout->kind = NODE_LIST;
        layout->is_flow = reader->event.data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
        return read_entries(reader, layout);
    }
    if (reader->event.type != YAML_MAPPING_START_EVENT)
        return ERR_MALFORMED;
    layout->kind = NODE_MAP;
    layout->is_flow = reader->event.data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
    return read_entries(reader, layout);
}

static enum err read_roots(struct reader *reader, struct sheet *out)
{
    struct layout *roots[256];
    do {
        TRY(next_event(reader));
        if (reader->event.type != YAML_DOCUMENT_START_EVENT)
            continue;
        if (out->count == sizeof roots / sizeof roots[0])
            return ERR_LIMIT;
        TRY(next_event(reader));
        TRY(read_layout(reader, NULL, &roots[out->count]));
        out->count++;
    } while (reader->event.type != YAML_STREAM_END_EVENT);
    out->roots = arena_take_array(reader->arena, out->count + 1, sizeof(struct layout *));
    if (!out->roots)
        return ERR_NO_MEMORY;
    memcpy(out->roots, roots, out->count * sizeof(struct layout *));
    return ERR_NONE;
}

/* ---- comments ------------------------------------------------------------------------ */

static void append(struct comments *list, struct comment *comment)
{
    comment->next = NULL;
    if (list->last)
        list->last->next = comment;
    else
        list->first = comment;
    list->last = comment;
}

/* What lies between two tokens is blank, or a comment up to the end of its line. */
static enum err scan_gap(const struct reader *reader, size_t from, size_t to, struct comments *out)
{
    struct view text = reader->text;
    for (size_t at = from; at < to; at++) {
        if (text.data[at] != '#')
            continue;
        struct comment *comment = arena_take(reader->arena, sizeof *comment);
        size_t end = view_index_of(text, '\n', at), line = line_of(reader, at);
        if (!comment)
            return ERR_NO_MEMORY;
        comment->place =
            (struct place){.at = at, .line = (uint32_t)line, .column = (uint32_t)(at - reader->lines[line])};
        comment->has_blank_before = has_blank_above(reader, at);
        size_t last = end;
        while (last > at && (text.data[last - 1] == ' ' || text.data[last - 1] == '\t' || text.data[last - 1] == '\r'))
            last--;
        comment->text = view_slice(text, at, last);
        append(out, comment);
        at = end;
    }
    return ERR_NONE;
}

static enum err scan_tokens(struct reader *reader, yaml_parser_t *scanner, struct comments *out)
{
    size_t at = 0;
    bool is_end = false;
    while (!is_end) {
        yaml_token_t token;
        if (yaml_parser_scan(scanner, &token) == 0)
            return ERR_MALFORMED;
        struct place start = place_of(reader, token.start_mark), end = place_of(reader, token.end_mark);
        is_end = token.type == YAML_STREAM_END_TOKEN;
        yaml_token_delete(&token);
        if (start.at > at)
            TRY(scan_gap(reader, at, start.at, out));
        at = end.at > at ? end.at : at;
    }
    return scan_gap(reader, at, reader->text.size, out);
}

static enum err find_comments(struct reader *reader, struct comments *out)
{
    yaml_parser_t scanner;
    if (yaml_parser_initialize(&scanner) == 0)
        return ERR_NO_MEMORY;
    yaml_parser_set_encoding(&scanner, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&scanner, (const unsigned char *)reader->text.data, reader->text.size);
    enum err err = scan_tokens(reader, &scanner, out);
    yaml_parser_delete(&scanner);
    return err;
}

/* ---- which entry a comment belongs to ------------------------------------------------- */

static bool is_alone_on_line(struct view text, size_t at)
{
    while (at > 0 && (text.data[at - 1] == ' ' || text.data[at - 1] == '\t'))
        at--;
    return at == 0 || text.data[at - 1] == '\n';
}

/* The entry whose line a comment ends: for one behind a flow collection, the entry that holds it all. */
static struct entry *entry_on_line(struct entry *last, const struct comment *comment)
{
    while (last && last->container->is_flow && last->container->end.at <= comment->place.at)
        last = last->container->owner;
    if (!last || last->trail)
        return NULL;
    bool is_on_line = last->start.line == comment->place.line || last->value->end.line == comment->place.line;
    return is_on_line ? last : NULL;
}

static bool is_inside(const struct entry *entry, const struct layout *container)
{
    while (entry && entry->container != container)
        entry = entry->container->owner;
    return entry != NULL;
}

/* The innermost flow collection around a comment, or NULL. */
static struct layout *flow_around(struct entry *last, const struct comment *comment)
{
    struct layout *around = last ? last->value : NULL;
    while (around) {
        if (around->is_flow && around->start.at < comment->place.at && comment->place.at < around->end.at)
            return around;
        struct entry *outer = around == last->value ? last : around->owner;
        around = outer ? outer->container : NULL;
    }
    return NULL;
}

/* The block that a comment stands at the end of: indented like it, before what is outside of it. */
static struct layout *block_above(struct entry *last, const struct entry *next, const struct comment *comment)
{
    for (struct entry *entry = last; entry; entry = entry->container->owner) {
        struct layout *block = entry->container;
        bool is_here = !block->is_flow && block->start.column <= comment->place.column;
        if (is_here || !block->owner)
            return next && is_inside(next, block) ? NULL : block;
    }
    return NULL;
}

static void settle(struct view text, struct entry *last, struct entry *next, struct comment *comment,
                   struct layout *end)
{
    struct entry *own = is_alone_on_line(text, comment->place.at) ? NULL : entry_on_line(last, comment);
    struct layout *flow = flow_around(last, comment), *block = NULL;
    if (own) {
        own->trail = comment;
        return;
    }
    if (flow)
        block = next && is_inside(next, flow) ? NULL : flow;
    else if (!next || comment->place.column > next->container->start.column)
        block = block_above(last, next, comment);
    if (block)
        append(&block->tail, comment);
    else if (next)
        append(&next->lead, comment);
    else
        append(&end->tail, comment);
}

static enum err settle_all(struct reader *reader, const struct comments *found, struct sheet *out)
{
    struct link *next = reader->entries;
    struct entry *last = NULL;
    for (struct comment *comment = found->first, *after; comment; comment = after) {
        struct comment *copy = arena_take(reader->arena, sizeof *copy);
        after = comment->next;
        if (!copy)
            return ERR_NO_MEMORY;
        *copy = *comment;
        append(&out->all, copy);
        comment->next = NULL;
        while (next && next->entry->start.at <= comment->place.at) {
            last = next->entry;
            next = next->next;
        }
        settle(reader->text, last, next ? next->entry : NULL, comment, out->roots[out->count - 1]);
    }
    return ERR_NONE;
}

static enum err read_sheet(struct reader *reader, struct sheet *out)
{
    struct comments found = {0};
    TRY(measure(reader));
    TRY(read_roots(reader, out));
    if (out->count == 0)
        return ERR_MALFORMED;
    TRY(find_comments(reader, &found));
    return settle_all(reader, &found, out);
}

enum err layout_read(struct view text, struct arena *arena, struct sheet *out)
{
    struct reader reader = {.text = text, .arena = arena};
    *out = (struct sheet){0};
    reader.entry_end = &reader.entries;
    if (yaml_parser_initialize(&reader.parser) == 0)
        return ERR_NO_MEMORY;
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text.data, text.size);
    enum err err = read_sheet(&reader, out);
    if (reader.has_event)
        yaml_event_delete(&reader.event);
    yaml_parser_delete(&reader.parser);
    return err;
}
