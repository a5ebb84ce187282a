/* SPDX-License-Identifier: Apache-2.0 */
#include "image_tables.h"
#include "utf8.h"

/* Rows that stand for many: equal ones are stored once, so that few bytes could name very much. Counted as if each
 * were written out, a policy is at most this large. */
#define WEIGHT_MAX ((uint64_t)1 << 26)

struct rows {
    char *items;       /* one more than `count` structs */
    uint32_t count;    /* in the file */
    uint32_t done;     /* read */
    uint64_t *weights; /* of all rows before each: one more than `count` */
    uint8_t *depths;   /* of a record whose rows nest */
};

struct reader {
    const uint8_t *at, *end;
    struct arena *arena;
    struct arena *work; /* gone after the read */
    const struct view *texts;
    uint32_t text_count;
    struct rows records[IMAGE_RECORDS];
    struct image_fault *fault;
    const char *problem; /* the first */
    bool is_exhausted;
};

/* The row being read. */
struct row {
    enum image_record_id id;
    uint64_t weight;
    uint8_t depth;
};

static void fail(struct reader *r, const char *problem)
{
    if (r->problem == NULL)
        r->problem = problem;
}

static void *take(struct reader *r, size_t count, size_t size)
{
    void *memory = arena_take_array(r->arena, count, size);
    if (memory == NULL) {
        r->is_exhausted = true;
        fail(r, "it needs more memory than a policy may take");
    }
    return memory;
}

/* ---- numbers ------------------------------------------------------------------------------------ */

static uint64_t take_number(struct reader *r)
{
    uint64_t number = 0;
    for (unsigned shift = 0; r->at < r->end && shift < 64; shift += 7) {
        uint8_t byte = *r->at++;
        if ((byte == 0 && shift > 0) || (shift == 63 && byte > 1))
            break;
        number |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return number;
    }
    fail(r, "a number is cut off or not in its shortest form");
    return 0;
}

static uint64_t take_number_within(struct reader *r, uint64_t least, uint64_t most)
{
    uint64_t number = take_number(r);
    if (number >= least && number <= most)
        return number;
    fail(r, "a number outside its range");
    return least;
}

/* How many of what takes at least a byte each. */
static uint64_t take_count(struct reader *r)
{
    uint64_t count = take_number(r);
    if (count <= (size_t)(r->end - r->at))
        return count;
    fail(r, "a count beyond the end of the table");
    return 0;
}

static void put_number(char *self, uint32_t offset, uint32_t size, uint64_t number)
{
    uint8_t byte = (uint8_t)number;
    uint16_t half = (uint16_t)number;
    uint32_t word = (uint32_t)number;
    switch (size) {
    case sizeof byte: memcpy(self + offset, &byte, sizeof byte); break;
    case sizeof half: memcpy(self + offset, &half, sizeof half); break;
    case sizeof word: memcpy(self + offset, &word, sizeof word); break;
    default: memcpy(self + offset, &number, sizeof number); break;
    }
}

static void put_pointer(char *self, const struct image_field *field, const void *pointer)
{
    memcpy(self + field->offset, &pointer, sizeof pointer);
}

static void put_count(char *self, const struct image_field *field, uint64_t count)
{
    put_number(self, field->count_offset, field->count_size, count);
}

static void read_time(struct reader *r, char *self, const struct image_field *field)
{
    uint64_t number = take_number(r);
    int64_t time = (int64_t)(number >> 1 ^ (0 - (number & 1)));
    if (field->size == sizeof(int32_t) && (time < INT32_MIN || time > INT32_MAX))
        fail(r, "a number outside its range");
    put_number(self, field->offset, field->size, (uint64_t)time);
}

/* ---- texts -------------------------------------------------------------------------------------- */

static struct view text_at(struct reader *r, uint64_t number)
{
    if (number < r->text_count)
        return r->texts[number];
    fail(r, "a text that the file does not have");
    return (struct view){0};
}

static void read_text(struct reader *r, char *self, size_t offset)
{
    uint64_t number = take_number(r);
    struct view text = {0};
    if (number != 0)
        text = text_at(r, number - 1);
    memcpy(self + offset, &text, sizeof text);
}

static void read_texts(struct reader *r, char *self, const struct image_field *field, uint64_t count)
{
    struct view *items = take(r, count, sizeof *items);
    for (uint64_t i = 0; i < count && items != NULL && r->problem == NULL; i++)
        items[i] = text_at(r, take_number(r));
    put_pointer(self, field, items);
}

static void read_counted_texts(struct reader *r, char *self, const struct image_field *field, struct row *row)
{
    uint64_t count = take_count(r);
    row->weight += count;
    put_count(self, field, count);
    if (count > 0)
        read_texts(r, self, field, count);
    else
        put_pointer(self, field, r->texts); /* of none, but there */
}

static void read_names(struct reader *r, char *self, const struct image_field *field)
{
    uint64_t count = image_number_at(self, field->count_offset, field->count_size);
    if (take_number_within(r, 0, 1) == 0)
        return;
    if (count > (size_t)(r->end - r->at))
        fail(r, "a count beyond the end of the table");
    else
        read_texts(r, self, field, count);
}

static enum err texts_open(struct reader *r, const struct image_section *lengths, const struct image_section *text)
{
    char *copy = arena_take(r->arena, text->bytes.size + 1);
    if (lengths->rows > lengths->bytes.size) {
        fail(r, "more texts than lengths");
        return ERR_MALFORMED;
    }
    struct view *views = arena_take_array(r->arena, (size_t)lengths->rows + 1, sizeof *views);
    if (copy == NULL || views == NULL)
        return ERR_NO_MEMORY;
    r->fault->record = "text";
    memcpy(copy, text->bytes.data, text->bytes.size);
    r->at = (const uint8_t *)lengths->bytes.data;
    r->end = r->at + lengths->bytes.size;
    size_t used = 0;
    for (uint32_t i = 0; i < lengths->rows && r->problem == NULL; i++) {
        uint64_t size = take_number(r);
        if (size >= text->bytes.size - used || copy[used + size] != '\0')
            fail(r, "a text that does not end where its length says");
        else if (!utf8_is_text(views[i] = (struct view){.data = copy + used, .size = size}))
            fail(r, "a text that is not UTF-8, or holds a NUL");
        used += size + 1;
    }
    if (r->problem == NULL && (r->at != r->end || used != text->bytes.size || text->rows != lengths->rows))
        fail(r, "the texts and their lengths do not fit together");
    r->texts = views;
    r->text_count = lengths->rows;
    if (r->problem == NULL)
        r->fault->record = NULL;
    return r->problem == NULL ? ERR_NONE : ERR_MALFORMED;
}

/* ---- rows ----------------------------------------------------------------------------------------- */

/* `count` rows that are read already, as a part of `row`. Without a problem first + count <= done. */
static const char *rows_take(struct reader *r, enum image_record_id id, uint64_t first, uint64_t count, struct row *row)
{
    const struct rows *rows = &r->records[id];
    if (count > rows->done || first > rows->done - count) {
        fail(r, "a row that its table does not have, or has only behind");
        return rows->items;
    }
    row->weight += rows->weights[first + count] - rows->weights[first];
    if (row->weight > WEIGHT_MAX)
        fail(r, "more than a policy may hold, with what is shared written out");
    for (uint64_t i = first; id == row->id && i < first + count && r->problem == NULL; i++)
        row->depth = rows->depths[i] >= row->depth ? (uint8_t)(rows->depths[i] + 1) : row->depth;
    return rows->items + first * image_record(id)->size;
}

static void read_list(struct reader *r, char *self, const struct image_field *field, struct row *row)
{
    uint64_t count = take_number(r), first = count > 0 ? take_number(r) : 0;
    if (image_record(field->record)->is_root && (first != 0 || count != r->records[field->record].count))
        fail(r, "a list of the model that is not its whole table");
    put_count(self, field, count);
    put_pointer(self, field, rows_take(r, field->record, first, count, row));
}

static const char *ref_at(struct reader *r, const struct image_field *field, uint64_t number)
{
    const struct rows *rows = &r->records[field->record];
    if (number >= rows->count)
        fail(r, "a reference to a row that its table does not have");
    return rows->items + (number < rows->count ? number : 0) * image_record(field->record)->size;
}

static void read_refs(struct reader *r, char *self, const struct image_field *field, struct row *row)
{
    uint64_t count = take_count(r);
    const char **items = take(r, count, sizeof *items);
    row->weight += count;
    for (uint64_t i = 0; i < count && items != NULL && r->problem == NULL; i++)
        items[i] = ref_at(r, field, take_number(r));
    put_pointer(self, field, items);
    put_count(self, field, count);
}

static void read_per_issuer(struct reader *r, char *self, const struct image_field *field, struct row *row)
{
    uint32_t count = r->records[IMAGE_RECORD_issuer].count;
    put_pointer(self, field, rows_take(r, field->record, take_number(r), count, row));
}

static void read_own(struct reader *r, char *self, const struct image_field *field, struct row *row)
{
    uint64_t number = take_number(r);
    put_pointer(self, field, number == 0 ? NULL : rows_take(r, field->record, number - 1, 1, row));
}

static void read_bytes(struct reader *r, char *self, const struct image_field *field)
{
    if (field->size > (size_t)(r->end - r->at)) {
        fail(r, "the table is cut off");
        return;
    }
    memcpy(self + field->offset, r->at, field->size);
    r->at += field->size;
}

static void read_record(struct reader *r, enum image_record_id id, char *self, struct row *row);

static void read_field(struct reader *r, const struct image_field *field, char *self, struct row *row)
{
    uint64_t number;
    switch (field->kind) {
    case IMAGE_INDEX:
    case IMAGE_COUNT:
    case IMAGE_SKIP: return;
    case IMAGE_NUM:
    case IMAGE_FLAG:
    case IMAGE_CHOICE:
        number = take_number_within(r, field->least, field->most);
        put_number(self, field->offset, field->size, number);
        return;
    case IMAGE_TIME: read_time(r, self, field); return;
    case IMAGE_TEXT: read_text(r, self, field->offset); return;
    case IMAGE_TEXTS: read_counted_texts(r, self, field, row); return;
    case IMAGE_NAMES: read_names(r, self, field); return;
    case IMAGE_TEXT_ARRAY:
        for (uint32_t at = 0; at < field->size; at += (uint32_t)sizeof(struct view))
            read_text(r, self, field->offset + at);
        return;
    case IMAGE_BYTES: read_bytes(r, self, field); return;
    case IMAGE_INSIDE: read_record(r, field->record, self + field->offset, row); return;
    case IMAGE_SHARED:
        memcpy(self + field->offset, rows_take(r, field->record, take_number(r), 1, row), field->size);
        return;
    case IMAGE_LIST: read_list(r, self, field, row); return;
    case IMAGE_ONE: put_pointer(self, field, rows_take(r, field->record, take_number(r), 1, row)); return;
    case IMAGE_OWN: read_own(r, self, field, row); return;
    case IMAGE_REF: put_pointer(self, field, ref_at(r, field, take_number(r))); return;
    case IMAGE_REF_OR_NONE:
        number = take_number(r);
        put_pointer(self, field, number == 0 ? NULL : ref_at(r, field, number - 1));
        return;
    case IMAGE_REFS: read_refs(r, self, field, row); return;
    case IMAGE_PER_ISSUER: read_per_issuer(r, self, field, row); return;
    }
}

static void read_record(struct reader *r, enum image_record_id id, char *self, struct row *row)
{
    const struct image_record *record = image_record(id);
    const char *name = NULL;
    for (uint32_t i = 0; i < record->field_count && r->problem == NULL; i++) {
        name = record->fields[i].name;
        read_field(r, &record->fields[i], self, row);
    }
    if (r->problem == NULL) {
        r->problem = image_row_check(id, self);
        name = NULL;
    }
    if (r->problem != NULL && r->fault->record == NULL)
        *r->fault = (struct image_fault){.record = record->name, .field = name};
}

/* ---- tables ---------------------------------------------------------------------------------------- */

static enum err rows_open(struct reader *r, enum image_record_id id, const struct image_section *section)
{
    const struct image_record *record = image_record(id);
    struct rows *rows = &r->records[id];
    if (section->rows > section->bytes.size) {
        *r->fault = (struct image_fault){.record = record->name};
        fail(r, "more rows than bytes");
        return ERR_MALFORMED;
    }
    rows->count = section->rows;
    rows->items = arena_take_array(r->arena, (size_t)rows->count + 1, record->size);
    rows->weights = arena_take_array(r->work, (size_t)rows->count + 1, sizeof *rows->weights);
    if (record->depth > 0)
        rows->depths = arena_take_array(r->work, (size_t)rows->count + 1, sizeof *rows->depths);
    bool has_depths = record->depth == 0 || rows->depths != NULL;
    return rows->items != NULL && rows->weights != NULL && has_depths ? ERR_NONE : ERR_NO_MEMORY;
}

static void rows_read(struct reader *r, enum image_record_id id, const struct image_section *section)
{
    const struct image_record *record = image_record(id);
    const struct image_field *index = record->is_root ? record->fields : NULL;
    struct rows *rows = &r->records[id];
    r->at = (const uint8_t *)section->bytes.data;
    r->end = r->at + section->bytes.size;
    for (; rows->done < rows->count && r->problem == NULL; rows->done += r->problem == NULL) {
        struct row row = {.id = id, .weight = 1, .depth = 1};
        char *self = rows->items + (size_t)rows->done * record->size;
        read_record(r, id, self, &row);
        if (index != NULL)
            put_number(self, index->offset, index->size, rows->done);
        rows->weights[rows->done + 1] = rows->weights[rows->done] + row.weight;
        if (rows->depths != NULL)
            rows->depths[rows->done] = row.depth;
        if (record->depth > 0 && row.depth > record->depth)
            fail(r, "rows nest too deep");
    }
    if (r->problem == NULL && r->at != r->end)
        fail(r, "the table is longer than its rows");
    if (r->problem != NULL && r->fault->record == NULL)
        r->fault->record = record->name;
    r->fault->row = rows->done;
}

static enum err tables_read(struct reader *r, const struct image_tables *tables, struct policy *policy)
{
    size_t at = IMAGE_SECTION_RECORDS;
    TRY(texts_open(r, &tables->sections[IMAGE_SECTION_LENGTHS], &tables->sections[IMAGE_SECTION_TEXT]));
    for (size_t i = 0; i < IMAGE_RECORDS; i++)
        if (image_record_has_rows((enum image_record_id)i))
            TRY(rows_open(r, (enum image_record_id)i, &tables->sections[at++]));
    at = IMAGE_SECTION_RECORDS;
    for (size_t i = 0; i < IMAGE_RECORDS && r->problem == NULL; i++)
        if (image_record_has_rows((enum image_record_id)i))
            rows_read(r, (enum image_record_id)i, &tables->sections[at++]);
    if (r->problem == NULL && r->records[IMAGE_RECORD_policy].count != 1)
        fail(r, "there is not exactly one policy");
    if (r->problem != NULL)
        return r->is_exhausted ? ERR_NO_MEMORY : ERR_MALFORMED;
    const struct policy *read = (const struct policy *)(const void *)r->records[IMAGE_RECORD_policy].items;
    policy->model = read->model;
    policy->tests = read->tests;
    policy->test_count = read->test_count;
    return ERR_NONE;
}

enum err image_tables_read(const struct image_tables *tables, struct policy *policy, struct image_fault *fault)
{
    struct arena work;
    arena_init(&work, SIZE_MAX);
    *fault = (struct image_fault){0};
    struct reader *r = arena_take(&work, sizeof *r);
    if (r == NULL)
        return ERR_NO_MEMORY;
    r->arena = &policy->arena;
    r->work = &work;
    r->fault = fault;
    enum err err = tables_read(r, tables, policy);
    fault->problem = r->problem;
    arena_free(&work);
    return err;
}
