/* SPDX-License-Identifier: Apache-2.0 */
#include "tape.h"

#include "table.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
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

enum {
    TABLE_FROM = 16, /* maps of more keys look for duplicates in a table */
    ROOM_LEAST = 64,
    BYTES_A_NODE = 4, /* of a dense text */
    TABLE_CEILING = 1 << 30,
    SPARE_MAX = 4096, /* entries behind the last */
};

_Static_assert(sizeof(struct tape_entry) == 16, "a node is 16 bytes");
/* An escape of two bytes can stand for a character of three. */
_Static_assert(DOCUMENT_MAX * 4 < 1 << 26, "at and size have room for every text");

struct reader {
    yaml_parser_t parser;
    yaml_event_t event;
    bool has_memory; /* the event */
    bool is_ascii;
    size_t characters, bytes; /* of the text: the same place; libyaml counts characters */
    struct tape tape;
    struct diag_list *diags;
};

static void close_reader(struct reader *reader)
{
    if (reader->has_memory)
        yaml_event_delete(&reader->event);
    yaml_parser_delete(&reader->parser);
}

/* ---- findings ----------------------------------------------------------------- */

static struct span span_of(const struct reader *reader, yaml_mark_t from, yaml_mark_t to)
{
    uint32_t column = (uint32_t)from.column + 1;
    uint32_t end = to.line == from.line && to.column > from.column ? (uint32_t)to.column + 1 : column + 1;
    return (struct span){.file = reader->tape.file,
                         .text = reader->tape.text,
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
    struct span span = {.file = reader->tape.file, .text = reader->tape.text, .line = line};
    span.column = span.end_column = line > 0 ? 1 : 0;
    diag_error(reader->diags, CODES[code], &span, "%s", message);
    return ERR_INVALID;
}

/* The line that byte `at` stands on. */
static uint32_t line_at(struct view text, size_t at)
{
    uint32_t line = 1;
    for (size_t i = 0; i < at && i < text.size; i++)
        line += text.data[i] == '\n';
    return line;
}

/* libyaml's own complaint, with the place it names. */
static enum err refuse_syntax(struct reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    if (parser->error == YAML_MEMORY_ERROR)
        return ERR_NO_MEMORY;
    if (parser->error == YAML_READER_ERROR)
        return refuse_file(reader, DOCUMENT_ENCODING, line_at(reader->tape.text, parser->problem_offset),
                           parser->problem);
    struct span span = span_of(reader, parser->problem_mark, parser->problem_mark);
    if (parser->context != NULL)
        diag_error(reader->diags, CODES[DOCUMENT_SYNTAX], &span, "%s, %s", parser->problem, parser->context);
    else
        diag_error(reader->diags, CODES[DOCUMENT_SYNTAX], &span, "%s", parser->problem);
    return ERR_INVALID;
}

static void check_decoration(struct reader *reader, const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor != NULL)
        refuse(reader, DOCUMENT_ANCHOR, "anchors are not accepted", "write the value where it is used");
    if (tag != NULL)
        refuse(reader, DOCUMENT_TAG, "tags are not accepted", "remove the tag: the field knows its type");
}

static void refuse_duplicate(struct reader *reader, size_t key, size_t earlier)
{
    struct view text = tape_text(&reader->tape, key);
    struct view message = arena_print(reader->diags->arena, "the key `%.*s` occurs twice", VIEW_ARG(text));
    struct view hint =
        arena_print(reader->diags->arena, "the first is on line %u", tape_span(&reader->tape, earlier).line);
    struct diag diag = {.code = view_of(CODES[DOCUMENT_DUPLICATE]),
                        .span = tape_span(&reader->tape, key),
                        .message = message,
                        .hint = hint};
    diag_add(reader->diags, &diag);
}

/* ---- entries -------------------------------------------------------------------- */

/* Half of all events begin or end a list or map: there is nothing to be deleted. */
static bool has_memory(const yaml_event_t *event)
{
    if (event->type == YAML_SEQUENCE_START_EVENT)
        return event->data.sequence_start.anchor != NULL || event->data.sequence_start.tag != NULL;
    if (event->type == YAML_MAPPING_START_EVENT)
        return event->data.mapping_start.anchor != NULL || event->data.mapping_start.tag != NULL;
    return event->type != YAML_SEQUENCE_END_EVENT && event->type != YAML_MAPPING_END_EVENT;
}

static enum err next_event(struct reader *reader)
{
    if (reader->has_memory)
        yaml_event_delete(&reader->event);
    reader->has_memory = false;
    if (yaml_parser_parse(&reader->parser, &reader->event) == 0)
        return refuse_syntax(reader);
    reader->has_memory = has_memory(&reader->event);
    return ERR_NONE;
}

/* Columns up to the end on the same line: at least one. */
static size_t width_of(const yaml_event_t *event)
{
    const yaml_mark_t *from = &event->start_mark, *to = &event->end_mark;
    return to->line == from->line && to->column > from->column ? to->column - from->column : 1;
}

static void entry_set_width(struct tape_entry *entry, size_t width)
{
    entry->width = width & 0xffff;
    entry->wide = width >> 16 & 0x1ff;
}

static enum err make_room(struct tape *tape)
{
    size_t room = tape->room != 0 ? tape->room * 2 : ROOM_LEAST + tape->text.size / BYTES_A_NODE;
    struct tape_entry *entries = arena_take_unset(&tape->memory, room * sizeof(*entries));
    if (entries == NULL)
        return ERR_NO_MEMORY;
    if (tape->count > 0)
        memcpy(entries, tape->entries, tape->count * sizeof(*entries));
    tape->entries = entries;
    tape->room = room;
    return ERR_NONE;
}

/* The entry of the current event, whose value stands at `at`. */
static enum err push(struct reader *reader, enum node_kind kind, bool is_plain, size_t at, size_t size)
{
    struct tape *tape = &reader->tape;
    const yaml_mark_t *start = &reader->event.start_mark;
    size_t width = width_of(&reader->event);
    if (tape->count == tape->room)
        TRY(make_room(tape));
    tape->entries[tape->count++] = (struct tape_entry){.at = at & 0x3ffffff,
                                                       .size = size & 0x3ffffff,
                                                       .kind = (unsigned)kind & 3,
                                                       .is_plain = is_plain,
                                                       .wide = width >> 16 & 0x1ff,
                                                       .line = (start->line + 1) & 0xffffff,
                                                       .column = (start->column + 1) & 0xffffff,
                                                       .width = width & 0xffff};
    return ERR_NONE;
}

/* The byte at which the current event begins; events come in the order of the text. */
static size_t event_start(struct reader *reader)
{
    struct view text = reader->tape.text;
    size_t wanted = reader->event.start_mark.index;
    if (reader->is_ascii)
        return wanted;
    while (reader->characters < wanted && reader->bytes < text.size) {
        reader->bytes++;
        while (reader->bytes < text.size && ((unsigned char)text.data[reader->bytes] & 0xc0) == 0x80)
            reader->bytes++;
        reader->characters++;
    }
    return reader->bytes;
}

static enum err write_text(struct tape *tape, struct view value, size_t *at)
{
    if (tape->written_room - tape->written_size < value.size) {
        size_t room = (tape->written_room + value.size) * 2;
        char *written = realloc(tape->written, room);
        if (written == NULL)
            return ERR_NO_MEMORY;
        tape->written = written;
        tape->written_room = room;
    }
    memcpy(tape->written + tape->written_size, value.data, value.size);
    *at = tape->text.size + tape->written_size;
    tape->written_size += value.size;
    return ERR_NONE;
}

/* The bytes of the value: in the text, behind the quote if there is one, or else written aside. */
static enum err place_text(struct reader *reader, struct view value, size_t *at)
{
    struct view text = reader->tape.text;
    size_t start = event_start(reader) + (reader->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? 0 : 1);
    *at = 0;
    if (value.size == 0)
        return ERR_NONE;
    if (start < text.size && text.size - start >= value.size &&
        memcmp(text.data + start, value.data, value.size) == 0) {
        *at = start;
        return ERR_NONE;
    }
    return write_text(&reader->tape, value, at);
}

static enum err read_scalar(struct reader *reader)
{
    const yaml_event_t *event = &reader->event;
    if (event->type == YAML_ALIAS_EVENT) {
        refuse(reader, DOCUMENT_ANCHOR, "aliases are not accepted", "write the value where it is used");
        return push(reader, NODE_SCALAR, false, 0, 0);
    }
    check_decoration(reader, event->data.scalar.anchor, event->data.scalar.tag);
    struct view text = {.data = (const char *)event->data.scalar.value, .size = event->data.scalar.length};
    bool has_escapes = event->data.scalar.style == YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    size_t at;
    if (has_escapes && view_index_of(text, '\0', 0) < text.size) /* the file itself has none */
        refuse(reader, DOCUMENT_ENCODING, "NUL is not accepted", NULL);
    TRY(place_text(reader, text, &at));
    return push(reader, NODE_SCALAR, event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE, at, text.size);
}

static enum err read_node(struct reader *reader, unsigned depth);

static enum err read_list(struct reader *reader, unsigned depth, size_t *count)
{
    TRY(next_event(reader));
    while (reader->event.type != YAML_SEQUENCE_END_EVENT) {
        TRY(read_node(reader, depth + 1));
        (*count)++;
        TRY(next_event(reader));
    }
    return ERR_NONE;
}

/* ---- maps -------------------------------------------------------------------------- */

static enum err check_many_keys(struct reader *reader, size_t key, size_t count)
{
    struct table table;
    struct arena arena;
    enum err err = ERR_NONE;
    arena_init(&arena, TABLE_CEILING);
    table_init(&table, &arena);
    err = table_reserve(&table, count);
    for (size_t i = 0; i < count && err != ERR_NO_MEMORY; i++) {
        struct view text = tape_text(&reader->tape, key);
        size_t earlier;
        err = table_put(&table, text, key);
        if (err == ERR_CONFLICT && table_find(&table, text, &earlier))
            refuse_duplicate(reader, key, earlier);
        key = tape_after(&reader->tape, key + 1);
    }
    arena_free(&arena);
    return err == ERR_NO_MEMORY ? err : ERR_NONE;
}

static void check_few_keys(struct reader *reader, const size_t *keys, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        size_t earlier = 0;
        struct view text = tape_text(&reader->tape, keys[i]);
        while (earlier < i && !view_equals(tape_text(&reader->tape, keys[earlier]), text))
            earlier++;
        if (earlier < i)
            refuse_duplicate(reader, keys[i], keys[earlier]);
    }
}

static enum err read_key(struct reader *reader)
{
    size_t key = reader->tape.count;
    if (reader->event.type != YAML_SCALAR_EVENT && reader->event.type != YAML_ALIAS_EVENT) {
        refuse(reader, DOCUMENT_KEY, "a key must be a scalar", NULL);
        return ERR_INVALID;
    }
    TRY(read_scalar(reader));
    if (reader->tape.entries[key].is_plain && view_equals(tape_text(&reader->tape, key), VIEW("<<")))
        refuse(reader, DOCUMENT_MERGE, "merge keys are not accepted", "write the keys out where they are used");
    return ERR_NONE;
}

static enum err read_map(struct reader *reader, unsigned depth, size_t *count)
{
    size_t first = reader->tape.count, keys[TABLE_FROM];
    TRY(next_event(reader));
    while (reader->event.type != YAML_MAPPING_END_EVENT) {
        if (*count < TABLE_FROM)
            keys[*count] = reader->tape.count;
        TRY(read_key(reader));
        TRY(next_event(reader));
        TRY(read_node(reader, depth + 1));
        (*count)++;
        TRY(next_event(reader));
    }
    if (*count > TABLE_FROM)
        return check_many_keys(reader, first, *count);
    check_few_keys(reader, keys, *count);
    return ERR_NONE;
}

/* The node that the current event begins, up to its last event. */
static enum err read_node(struct reader *reader, unsigned depth)
{
    bool is_list = reader->event.type == YAML_SEQUENCE_START_EVENT;
    size_t entry = reader->tape.count, count = 0;
    if (!is_list && reader->event.type != YAML_MAPPING_START_EVENT)
        return read_scalar(reader);
    if (depth >= DOCUMENT_DEPTH_MAX) {
        refuse(reader, DOCUMENT_DEPTH, "the document nests more than 32 levels", NULL);
        return ERR_INVALID;
    }
    if (is_list)
        check_decoration(reader, reader->event.data.sequence_start.anchor, reader->event.data.sequence_start.tag);
    else
        check_decoration(reader, reader->event.data.mapping_start.anchor, reader->event.data.mapping_start.tag);
    TRY(push(reader, is_list ? NODE_LIST : NODE_MAP, false, 0, 0));
    TRY(is_list ? read_list(reader, depth, &count) : read_map(reader, depth, &count));
    struct tape_entry *made = &reader->tape.entries[entry];
    made->at = reader->tape.count & 0x3ffffff;
    made->size = count & 0x3ffffff;
    const yaml_mark_t *start = &reader->event.start_mark;
    size_t width = start->column + 1 + width_of(&reader->event) - made->column;
    if (start->line + 1 == made->line && start->column + 1 >= made->column &&
        width > ((size_t)made->wide << 16 | made->width))
        entry_set_width(made, width); /* a flow collection on one line */
    return ERR_NONE;
}

/* ---- the text ------------------------------------------------------------------------ */

static enum err read_stream(struct reader *reader)
{
    do {
        TRY(next_event(reader));
        if (reader->event.type != YAML_DOCUMENT_START_EVENT)
            continue;
        if (reader->event.data.document_start.version_directive != NULL ||
            reader->event.data.document_start.tag_directives.start !=
                reader->event.data.document_start.tag_directives.end)
            refuse(reader, DOCUMENT_TAG, "directives are not accepted", "remove the line that begins with %");
        TRY(next_event(reader));
        TRY(read_node(reader, 0));
        reader->tape.root_count++;
    } while (reader->event.type != YAML_STREAM_END_EVENT);
    return ERR_NONE;
}

static size_t byte_order_mark(struct view text)
{
    size_t at = view_index_of(text, '\xef', 0);
    while (at < text.size && !view_starts_with(view_slice(text, at, text.size), VIEW("\xef\xbb\xbf")))
        at = view_index_of(text, '\xef', at + 1);
    return at;
}

static bool is_ascii(struct view text)
{
    uint64_t bits = 0, word;
    size_t at = 0;
    for (; text.size - at >= sizeof word; at += sizeof word) {
        memcpy(&word, text.data + at, sizeof word);
        bits |= word;
    }
    for (; at < text.size; at++)
        bits |= (unsigned char)text.data[at];
    return (bits & 0x8080808080808080u) == 0;
}

/* libyaml would guess an encoding from these and skip a mark in mid-text. */
static enum err check_encoding(struct reader *reader)
{
    struct view text = reader->tape.text;
    if (view_starts_with(text, VIEW("\xff\xfe")) || view_starts_with(text, VIEW("\xfe\xff")))
        return refuse_file(reader, DOCUMENT_ENCODING, 0, "UTF-16 is not accepted: save the file as UTF-8");
    reader->is_ascii = is_ascii(text);
    size_t zero = view_index_of(text, '\0', 0), mark = reader->is_ascii ? text.size : byte_order_mark(text);
    if (zero < mark)
        return refuse_file(reader, DOCUMENT_ENCODING, line_at(text, zero), "NUL is not accepted");
    if (mark < text.size)
        return refuse_file(reader, DOCUMENT_ENCODING, line_at(text, mark), "a byte order mark is not accepted");
    return ERR_NONE;
}

static enum err read_text(struct reader *reader)
{
    struct view text = reader->tape.text;
    if (text.size > DOCUMENT_MAX)
        return refuse_file(reader, DOCUMENT_SIZE, 0, "the file is larger than 8 MiB");
    TRY(check_encoding(reader));
    if (yaml_parser_initialize(&reader->parser) == 0)
        return ERR_NO_MEMORY;
    yaml_parser_set_encoding(&reader->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader->parser, (const unsigned char *)text.data, text.size);
    enum err err = read_stream(reader);
    close_reader(reader);
    return err;
}

void tape_forget(struct tape *tape, size_t from, size_t to)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t first = ((uintptr_t)(tape->entries + from) + page - 1) / page * page;
    uintptr_t end = (uintptr_t)(tape->entries + to) / page * page;
    if (first < end)
        (void)madvise((void *)first, end - first, MADV_DONTNEED);
}

enum err tape_read(struct view file, struct view text, struct diag_list *diags, struct tape *out)
{
    size_t errors = diags->errors;
    struct reader reader = {.diags = diags, .tape = {.file = file, .text = text.size > 0 ? text : VIEW("")}};
    arena_init(&reader.tape.memory, SIZE_MAX);
    enum err err = read_text(&reader);
    if (err == ERR_NONE && diags->errors > errors)
        err = ERR_INVALID;
    *out = (struct tape){0};
    if (err == ERR_NONE)
        *out = reader.tape;
    else
        tape_free(&reader.tape);
    if (out->room - out->count > SPARE_MAX) /* large pages of which a part was written */
        tape_forget(out, out->count, out->room);
    return err;
}

void tape_drop(struct tape *tape)
{
    arena_free(&tape->memory);
    tape->entries = NULL;
    tape->count = tape->room = tape->root_count = 0;
}

void tape_free(struct tape *tape)
{
    tape_drop(tape);
    free(tape->written);
    *tape = (struct tape){0};
}
