/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt_write.h"

#include "fmt.h"
#include "shape.h"

#include <stdlib.h>

/* Text that grows. */
struct writer {
    struct arena *arena;
    char *data;
    size_t size, room;
    enum err err;
};

static void put(struct writer *writer, struct view text)
{
    if (writer->err != ERR_NONE)
        return;
    if (text.size > writer->room - writer->size) {
        size_t room = (writer->size + text.size) * 2 + 256;
        char *more = arena_take(writer->arena, room);
        if (!more) {
            writer->err = ERR_NO_MEMORY;
            return;
        }
        if (writer->size > 0)
            memcpy(more, writer->data, writer->size);
        writer->data = more;
        writer->room = room;
    }
    if (text.size > 0)
        memcpy(writer->data + writer->size, text.data, text.size);
    writer->size += text.size;
}

static void put_indent(struct writer *writer, size_t indent)
{
    for (size_t i = 0; i < indent; i++)
        put(writer, VIEW(" "));
}

/* ---- the order of keys -------------------------------------------------------------------- */

static size_t rank_of(const struct block *block, const struct entry *entry)
{
    const struct field *field = entry->key ? block_field(block, entry->key->text) : NULL;
    return field ? (size_t)(field - block->fields) : block->count;
}

/* Insertion keeps what has one rank as it was; a map of the language has few keys. */
static void sort(struct layout *map, const struct block *block)
{
    for (size_t i = 1; i < map->count; i++)
        for (size_t k = i; k > 0 && rank_of(block, map->entries[k]) < rank_of(block, map->entries[k - 1]); k--) {
            struct entry *swapped = map->entries[k];
            map->entries[k] = map->entries[k - 1];
            map->entries[k - 1] = swapped;
        }
}

static void order(struct layout *layout, const struct shape *whole)
{
    const struct shape *shape = shape_for(whole, layout->kind);
    for (size_t i = 0; i < layout->count; i++) {
        const struct entry *entry = layout->entries[i];
        order(entry->value, shape_below(whole, layout->kind, entry->key ? entry->key->text : (struct view){0}));
    }
    if (layout->kind == NODE_MAP && shape && shape->kind == SHAPE_BLOCK)
        sort(layout, shape->block);
}

/* ---- scalars ----------------------------------------------------------------------------------- */

static void put_escaped(struct writer *writer, struct view text)
{
    put(writer, VIEW("\""));
    for (size_t i = 0; i < text.size; i++) {
        struct view rest = view_slice(text, i, text.size);
        unsigned char byte = (unsigned char)text.data[i];
        if (byte == '"' || byte == '\\')
            put(writer, VIEW("\\"));
        if (byte == '\n') {
            put(writer, VIEW("\\n"));
        } else if (byte < 0x20 || byte == 0x7f) {
            char hex[4] = {'\\', 'x', "0123456789abcdef"[byte >> 4], "0123456789abcdef"[byte & 15]};
            put(writer, (struct view){.data = hex, .size = sizeof hex});
        } else if (view_starts_with(rest, VIEW("\xc2\x85"))) {
            put(writer, VIEW("\\N"));
            i++;
        } else if (view_starts_with(rest, VIEW("\xe2\x80\xa8")) || view_starts_with(rest, VIEW("\xe2\x80\xa9"))) {
            put(writer, text.data[i + 2] == '\xa8' ? VIEW("\\L") : VIEW("\\P"));
            i += 2;
        } else {
            put(writer, view_slice(text, i, i + 1));
        }
    }
    put(writer, VIEW("\""));
}

static bool is_one_line(struct view text)
{
    return view_index_of(text, '\n', 0) == text.size && view_index_of(text, '\r', 0) == text.size;
}

/* As it was written, where that is one line; else what it means on one line. */
static void put_scalar(struct writer *writer, const struct layout *scalar)
{
    if (scalar->is_block_scalar || (scalar->is_plain && !is_one_line(scalar->text)))
        writer->err = writer->err == ERR_NONE ? ERR_UNSUPPORTED : writer->err;
    else if (is_one_line(scalar->source))
        put(writer, scalar->source);
    else if (scalar->is_plain)
        put(writer, scalar->text);
    else
        put_escaped(writer, scalar->text);
}

static size_t blanks_at(struct view line)
{
    size_t blanks = 0;
    while (blanks < line.size && line.data[blanks] == ' ')
        blanks++;
    return blanks;
}

static struct view line_at(struct view text, size_t from)
{
    struct view line = view_slice(text, from, view_index_of(text, '\n', from));
    return view_ends_with(line, VIEW("\r")) ? view_slice(line, 0, line.size - 1) : line;
}

/* `|` or `>` and its lines, moved to `indent`. One that says its own indentation, or keeps
 * the empty lines behind it, would have to be counted anew: not done. */
static void put_block_scalar(struct writer *writer, const struct layout *scalar, size_t indent)
{
    struct view source = scalar->source, header = line_at(source, 0);
    size_t mark = view_index_of(header, '#', 0), own = SIZE_MAX, empty = 0;
    for (size_t i = 0; i < mark; i++)
        if ((header.data[i] >= '0' && header.data[i] <= '9') || header.data[i] == '+')
            writer->err = writer->err == ERR_NONE ? ERR_UNSUPPORTED : writer->err;
    while (header.size > 0 && header.data[header.size - 1] == ' ')
        header.size--;
    put(writer, header);
    for (size_t at = view_index_of(source, '\n', 0) + 1; at < source.size; at = view_index_of(source, '\n', at) + 1) {
        struct view line = line_at(source, at);
        size_t blanks = blanks_at(line);
        if (blanks == line.size) {
            empty++;
            continue;
        }
        own = own == SIZE_MAX ? blanks : own;
        for (; empty > 0; empty--)
            put(writer, VIEW("\n"));
        put(writer, VIEW("\n"));
        put_indent(writer, indent);
        put(writer, view_slice(line, own, line.size));
    }
}

/* ---- flow -------------------------------------------------------------------------------------- */

static bool has_comments(const struct layout *layout)
{
    bool any = layout->tail.first != NULL;
    for (size_t i = 0; i < layout->count && !any; i++) {
        const struct entry *entry = layout->entries[i];
        any = entry->lead.first || entry->trail || has_comments(entry->value);
    }
    return any;
}

static void put_flow(struct writer *writer, const struct layout *layout)
{
    if (layout->kind == NODE_SCALAR) {
        put_scalar(writer, layout);
        return;
    }
    put(writer, layout->kind == NODE_MAP ? VIEW("{") : VIEW("["));
    for (size_t i = 0; i < layout->count; i++) {
        const struct entry *entry = layout->entries[i];
        if (i > 0)
            put(writer, VIEW(", "));
        if (layout->kind == NODE_MAP) {
            put_scalar(writer, entry->key);
            put(writer, VIEW(": "));
        }
        put_flow(writer, entry->value);
    }
    put(writer, layout->kind == NODE_MAP ? VIEW("}") : VIEW("]"));
}

static size_t characters_since(const struct writer *writer, size_t from)
{
    size_t count = 0;
    for (size_t i = from; i < writer->size; i++)
        count += ((unsigned char)writer->data[i] & 0xc0) != 0x80;
    return count;
}

/* Writes a collection as flow behind what stands on the line, when it is one and fits. */
static bool put_fitting_flow(struct writer *writer, const struct layout *layout, size_t line_start)
{
    if (layout->kind == NODE_SCALAR || (layout->count > 0 && !layout->is_flow) || has_comments(layout))
        return false;
    size_t before = writer->size;
    put(writer, VIEW(" "));
    put_flow(writer, layout);
    if (layout->count == 0 || characters_since(writer, line_start) <= FMT_WIDTH)
        return true;
    writer->size = before;
    return false;
}

/* ---- blocks ------------------------------------------------------------------------------------- */

static void put_comments(struct writer *writer, const struct comments *comments, size_t indent, bool is_first)
{
    for (const struct comment *comment = comments->first; comment; comment = comment->next) {
        if (comment->has_blank_before && !is_first)
            put(writer, VIEW("\n"));
        put_indent(writer, indent);
        put(writer, comment->text);
        put(writer, VIEW("\n"));
        is_first = false;
    }
}

static void put_trail(struct writer *writer, const struct comment *trail)
{
    if (trail) {
        put(writer, VIEW(" "));
        put(writer, trail->text);
    }
    put(writer, VIEW("\n"));
}

static void put_block(struct writer *writer, const struct layout *layout, size_t indent, bool is_inline);

/* Comments of the first entry of a block that begins on the line of its `-` go above that line. */
static void put_leads(struct writer *writer, const struct entry *entry, size_t indent, bool is_first)
{
    put_comments(writer, &entry->lead, indent, is_first);
    if (entry->has_blank_before && (!is_first || entry->lead.first))
        put(writer, VIEW("\n"));
}

/* True when the value is written as a block below its key or behind its `-`. */
static bool is_block(const struct entry *entry, size_t indent, struct arena *arena)
{
    struct writer trial = {.arena = arena};
    if (entry->value->kind == NODE_SCALAR)
        return false;
    put_indent(&trial, indent);
    if (entry->key) {
        put_scalar(&trial, entry->key);
        put(&trial, VIEW(":"));
    } else {
        put(&trial, VIEW("-"));
    }
    return !put_fitting_flow(&trial, entry->value, 0);
}

static void put_inner_leads(struct writer *writer, const struct entry *entry, size_t indent)
{
    if (entry->key || !is_block(entry, indent, writer->arena))
        return;
    struct comments trail = {.first = entry->trail, .last = entry->trail};
    put_comments(writer, &trail, indent, true);
    const struct entry *first = entry->value->count > 0 ? entry->value->entries[0] : NULL;
    if (!first)
        return;
    put_comments(writer, &first->lead, indent, true);
    put_inner_leads(writer, first, indent + 2);
}

static void put_value(struct writer *writer, const struct entry *entry, size_t indent, size_t line_start)
{
    const struct layout *value = entry->value;
    if (value->kind == NODE_SCALAR) {
        if (value->source.size > 0)
            put(writer, VIEW(" "));
        if (value->is_block_scalar)
            put_block_scalar(writer, value, indent + 2);
        else
            put_scalar(writer, value);
        put_trail(writer, entry->trail);
    } else if (put_fitting_flow(writer, value, line_start)) {
        put_trail(writer, entry->trail);
    } else if (entry->key) {
        put_trail(writer, entry->trail);
        put_block(writer, value, indent + 2, false);
    } else {
        put(writer, VIEW(" "));
        put_block(writer, value, indent + 2, true);
    }
}

/* `is_inline`: the first entry goes on where the line is. */
static void put_block(struct writer *writer, const struct layout *layout, size_t indent, bool is_inline)
{
    for (size_t i = 0; i < layout->count; i++) {
        const struct entry *entry = layout->entries[i];
        bool is_begun = is_inline && i == 0;
        if (!is_begun) {
            put_leads(writer, entry, indent, i == 0);
            put_inner_leads(writer, entry, indent);
            put_indent(writer, indent);
        }
        size_t line_start = writer->size - indent;
        if (entry->key) {
            put_scalar(writer, entry->key);
            put(writer, VIEW(":"));
        } else {
            put(writer, VIEW("-"));
        }
        put_value(writer, entry, indent, line_start);
    }
    put_comments(writer, &layout->tail, indent, layout->count == 0);
}

enum err fmt_write(const struct sheet *sheet, struct arena *arena, struct view *out)
{
    static const struct shape document = {.kind = SHAPE_BLOCK, .block = &load_document_block};
    struct writer writer = {.arena = arena};
    for (size_t i = 0; i < sheet->count; i++) {
        struct layout *root = sheet->roots[i];
        if (root->kind == NODE_SCALAR || root->count == 0)
            return ERR_UNSUPPORTED;
        order(root, &document);
        if (i > 0)
            put(&writer, VIEW("---\n"));
        put_block(&writer, root, 0, false);
    }
    *out = (struct view){.data = writer.data, .size = writer.size};
    return writer.err;
}
