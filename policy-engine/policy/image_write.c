/* SPDX-License-Identifier: Apache-2.0 */
#include "image_tables.h"
#include "table.h"

struct buffer {
    char *data;
    size_t size, room;
};

struct rows {
    struct buffer bytes;
    uint32_t count;
    struct table known; /* the bytes of rows that were written together -> the first's number */
};

struct writer {
    struct arena *arena;
    enum err err; /* the first */
    struct rows records[IMAGE_RECORDS];
    struct buffer lengths, text;
    struct table texts;
    struct table places; /* structs in memory that are written */
    uint32_t text_count;
    size_t issuer_count;
    struct buffer stack; /* rows that are not finished: those inside on top */
};

static void fail(struct writer *w, enum err err)
{
    if (w->err == ERR_NONE)
        w->err = err;
}

static void put(struct writer *w, struct buffer *buffer, const char *bytes, size_t size)
{
    if (size > buffer->room - buffer->size) {
        size_t room = buffer->room == 0 ? 256 : buffer->room;
        while (room - buffer->size < size && room <= SIZE_MAX / 4)
            room *= 2;
        char *data = arena_take(w->arena, room);
        if (data == NULL) {
            fail(w, ERR_NO_MEMORY);
            return;
        }
        if (buffer->size > 0)
            memcpy(data, buffer->data, buffer->size);
        buffer->data = data;
        buffer->room = room;
    }
    if (size > 0)
        memcpy(buffer->data + buffer->size, bytes, size);
    buffer->size += size;
}

static void put_number(struct writer *w, struct buffer *buffer, uint64_t number)
{
    char bytes[10];
    size_t size = 0;
    do {
        bytes[size++] = (char)((number & 0x7f) | (number > 0x7f ? 0x80 : 0));
        number >>= 7;
    } while (number > 0);
    put(w, buffer, bytes, size);
}

/* ---- members of structs ------------------------------------------------------------------- */

static uint64_t count_at(const char *self, const struct image_field *field)
{
    return image_number_at(self, field->count_offset, field->count_size);
}

static const char *pointer_at(const char *self, const struct image_field *field)
{
    const char *pointer;
    memcpy(&pointer, self + field->offset, sizeof pointer);
    return pointer;
}

/* ---- fields ---------------------------------------------------------------------------------- */

static uint32_t text_number(struct writer *w, struct view text)
{
    size_t number = w->text_count;
    if (table_find(&w->texts, text, &number))
        return (uint32_t)number;
    enum err err = table_put(&w->texts, text, number);
    if (err != ERR_NONE)
        fail(w, err);
    if (w->text_count == UINT32_MAX - 1)
        fail(w, ERR_LIMIT);
    put_number(w, &w->lengths, text.size);
    put(w, &w->text, text.data, text.size);
    put(w, &w->text, "", 1);
    return w->text_count++;
}

static void write_text(struct writer *w, const char *self, size_t offset)
{
    struct view text;
    memcpy(&text, self + offset, sizeof text);
    put_number(w, &w->stack, view_is_present(text) ? 1 + (uint64_t)text_number(w, text) : 0);
}

/* The elements of a list of texts are never absent. */
static void write_texts(struct writer *w, const char *items, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        struct view text;
        memcpy(&text, items + i * sizeof text, sizeof text);
        put_number(w, &w->stack, text_number(w, view_is_present(text) ? text : VIEW("")));
    }
}

static void write_record(struct writer *w, const struct image_record *record, const char *self);

/* Writes `count` structs one behind the other on the stack, and from there as rows, unless the same are written
 * already. Returns the number of the first. */
static uint32_t rows_number(struct writer *w, enum image_record_id id, const char *items, uint64_t count)
{
    const struct image_record *record = image_record(id);
    struct rows *rows = &w->records[id];
    size_t start = w->stack.size, first = rows->count;
    for (uint64_t i = 0; i < count; i++)
        write_record(w, record, items + i * record->size);
    struct view bytes = {.data = w->stack.data + start, .size = w->stack.size - start};
    w->stack.size = start;
    if (w->err != ERR_NONE)
        return 0;
    if (!record->is_root && table_find(&rows->known, bytes, &first))
        return (uint32_t)first;
    first = rows->count; /* what it owns was written meanwhile */
    if (count > UINT32_MAX - 1 - rows->count) {
        fail(w, ERR_LIMIT);
        return 0;
    }
    put(w, &rows->bytes, bytes.data, bytes.size);
    rows->count += (uint32_t)count;
    enum err err = record->is_root ? ERR_NONE : table_put(&rows->known, arena_copy(w->arena, bytes), first);
    if (err != ERR_NONE)
        fail(w, err);
    return (uint32_t)first;
}

/* The same, of structs that others may point to as well: those are written once, however much they hold. */
static uint32_t known_rows_number(struct writer *w, enum image_record_id id, const char *items, uint64_t count)
{
    struct {
        const char *items;
        uint64_t count, id;
    } place = {.items = items, .count = count, .id = id};
    struct view key = {.data = (const char *)&place, .size = sizeof place};
    size_t number = 0;
    if (table_find(&w->places, key, &number))
        return (uint32_t)number;
    number = rows_number(w, id, items, count);
    enum err err = table_put(&w->places, arena_copy(w->arena, key), number);
    if (err != ERR_NONE)
        fail(w, err);
    return (uint32_t)number;
}

static void write_list(struct writer *w, const char *self, const struct image_field *field)
{
    uint64_t count = count_at(self, field);
    put_number(w, &w->stack, count);
    if (count > 0)
        put_number(w, &w->stack, known_rows_number(w, field->record, pointer_at(self, field), count));
}

static uint64_t row_number(const struct image_field *field, const char *target)
{
    const struct image_field *index = image_record(field->record)->fields;
    return image_number_at(target, index->offset, index->size);
}

static void write_refs(struct writer *w, const char *self, const struct image_field *field)
{
    uint64_t count = count_at(self, field);
    const char *items = pointer_at(self, field);
    put_number(w, &w->stack, count);
    for (uint64_t i = 0; i < count; i++) {
        const char *target;
        memcpy(&target, items + i * sizeof target, sizeof target);
        put_number(w, &w->stack, row_number(field, target));
    }
}

static void write_number(struct writer *w, const char *self, const struct image_field *field)
{
    uint64_t number = image_number_at(self, field->offset, field->size);
    if (number < field->least || number > field->most)
        fail(w, ERR_UNSUPPORTED);
    put_number(w, &w->stack, number);
}

static void write_time(struct writer *w, const char *self, const struct image_field *field)
{
    uint64_t number = image_number_at(self, field->offset, field->size);
    int64_t time = field->size == sizeof(int32_t) ? (int32_t)number : (int64_t)number;
    put_number(w, &w->stack, time < 0 ? ~((uint64_t)time << 1) : (uint64_t)time << 1);
}

static void write_names(struct writer *w, const char *self, const struct image_field *field)
{
    const char *names = pointer_at(self, field);
    put_number(w, &w->stack, names != NULL);
    if (names != NULL)
        write_texts(w, names, count_at(self, field));
}

static void write_field(struct writer *w, const char *self, const struct image_field *field)
{
    const char *target;
    switch (field->kind) {
    case IMAGE_INDEX:
    case IMAGE_COUNT:
    case IMAGE_SKIP: return;
    case IMAGE_NUM:
    case IMAGE_FLAG:
    case IMAGE_CHOICE: write_number(w, self, field); return;
    case IMAGE_TIME: write_time(w, self, field); return;
    case IMAGE_TEXT: write_text(w, self, field->offset); return;
    case IMAGE_TEXTS:
        put_number(w, &w->stack, count_at(self, field));
        write_texts(w, pointer_at(self, field), count_at(self, field));
        return;
    case IMAGE_NAMES: write_names(w, self, field); return;
    case IMAGE_TEXT_ARRAY:
        for (uint32_t at = 0; at < field->size; at += (uint32_t)sizeof(struct view))
            write_text(w, self, field->offset + at);
        return;
    case IMAGE_BYTES: put(w, &w->stack, self + field->offset, field->size); return;
    case IMAGE_INSIDE: write_record(w, image_record(field->record), self + field->offset); return;
    case IMAGE_SHARED: put_number(w, &w->stack, rows_number(w, field->record, self + field->offset, 1)); return;
    case IMAGE_LIST: write_list(w, self, field); return;
    case IMAGE_ONE: put_number(w, &w->stack, known_rows_number(w, field->record, pointer_at(self, field), 1)); return;
    case IMAGE_OWN:
        target = pointer_at(self, field);
        put_number(w, &w->stack, target == NULL ? 0 : 1 + (uint64_t)known_rows_number(w, field->record, target, 1));
        return;
    case IMAGE_REF: put_number(w, &w->stack, row_number(field, pointer_at(self, field))); return;
    case IMAGE_REF_OR_NONE:
        target = pointer_at(self, field);
        put_number(w, &w->stack, target == NULL ? 0 : 1 + row_number(field, target));
        return;
    case IMAGE_REFS: write_refs(w, self, field); return;
    case IMAGE_PER_ISSUER:
        target = w->issuer_count > 0 ? pointer_at(self, field) : NULL;
        put_number(w, &w->stack, target == NULL ? 0 : rows_number(w, field->record, target, w->issuer_count));
        return;
    }
}

static void write_record(struct writer *w, const struct image_record *record, const char *self)
{
    for (uint32_t i = 0; i < record->field_count && w->err == ERR_NONE; i++)
        write_field(w, self, &record->fields[i]);
}

static struct image_section section_of(const struct buffer *bytes, uint32_t rows)
{
    return (struct image_section){.bytes = {.data = bytes->size > 0 ? bytes->data : "", .size = bytes->size},
                                  .rows = rows};
}

enum err image_tables_write(const struct policy *policy, struct arena *arena, struct image_tables *out)
{
    struct writer *w = arena_take(arena, sizeof *w);
    if (w == NULL)
        return ERR_NO_MEMORY;
    w->arena = arena;
    w->issuer_count = policy->model.issuer_count;
    table_init(&w->texts, arena);
    table_init(&w->places, arena);
    for (size_t i = 0; i < IMAGE_RECORDS; i++)
        table_init(&w->records[i].known, arena);
    (void)rows_number(w, IMAGE_RECORD_policy, (const char *)policy, 1);
    *out = (struct image_tables){.count = IMAGE_SECTION_RECORDS};
    out->sections[IMAGE_SECTION_LENGTHS] = section_of(&w->lengths, w->text_count);
    out->sections[IMAGE_SECTION_TEXT] = section_of(&w->text, w->text_count);
    for (size_t i = 0; i < IMAGE_RECORDS; i++)
        if (image_record_has_rows((enum image_record_id)i))
            out->sections[out->count++] = section_of(&w->records[i].bytes, w->records[i].count);
    return w->err;
}
