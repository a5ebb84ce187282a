/* SPDX-License-Identifier: Apache-2.0 */
#include "check_metadata.h"

#include "pb_reader.h"
#include "utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* google.protobuf.Value, field numbers of its oneof. */
enum {
    VALUE_FIELD_NULL = 1,
    VALUE_FIELD_NUMBER,
    VALUE_FIELD_STRING,
    VALUE_FIELD_BOOL,
    VALUE_FIELD_STRUCT,
    VALUE_FIELD_LIST
};

enum { MAP_FIELD_ENTRY = 1, ENTRY_FIELD_KEY = 1, ENTRY_FIELD_VALUE = 2 };

struct entry {
    struct view name; /* present, maybe empty */
    struct view value;
};

/* One entry of a map<string, message>. The last of a repeated field wins, as for
 * scalars; a value in two pieces is refused rather than merged. */
static bool read_entry(struct view bytes, struct entry *out)
{
    struct pb_reader reader;
    struct pb_field field;

    *out = (struct entry){.name = VIEW("")};
    pb_reader_init(&reader, bytes);
    while (pb_reader_next(&reader, &field)) {
        if (field.number != ENTRY_FIELD_KEY && field.number != ENTRY_FIELD_VALUE)
            continue;
        if (field.wire != PB_BYTES)
            return false;
        if (field.number == ENTRY_FIELD_KEY) {
            if (!utf8_is_text(field.bytes))
                return false;
            out->name = field.bytes;
        } else {
            if (view_is_present(out->value))
                return false;
            out->value = field.bytes;
        }
    }
    return !reader.is_broken;
}

/* The oneof of a Value: the last member that is set. `kind` is 0 when none is. */
struct choice {
    uint32_t kind;
    struct pb_field field;
};

static bool read_choice(struct view bytes, struct choice *out)
{
    static const enum pb_wire wires[] = {
        [VALUE_FIELD_NULL] = PB_VARINT, [VALUE_FIELD_NUMBER] = PB_FIXED64, [VALUE_FIELD_STRING] = PB_BYTES,
        [VALUE_FIELD_BOOL] = PB_VARINT, [VALUE_FIELD_STRUCT] = PB_BYTES,   [VALUE_FIELD_LIST] = PB_BYTES,
    };
    struct pb_reader reader;
    struct pb_field field;

    *out = (struct choice){0};
    pb_reader_init(&reader, bytes);
    while (pb_reader_next(&reader, &field)) {
        if (field.number > VALUE_FIELD_LIST)
            continue;
        if (field.wire != wires[field.number] || out->kind != 0)
            return false; /* two members of a oneof: no encoder writes them */
        if (field.number == VALUE_FIELD_STRING && !utf8_is_text(field.bytes))
            return false;
        *out = (struct choice){.kind = field.number, .field = field};
    }
    return !reader.is_broken;
}

static bool is_value(struct view bytes, size_t depth);

/* A Struct, or a ListValue: field 1 repeats, and holds a map entry or a Value. */
static bool is_container(struct view bytes, bool is_map, size_t depth)
{
    struct pb_reader reader;
    struct pb_field field;

    if (depth == 0)
        return false;
    pb_reader_init(&reader, bytes);
    while (pb_reader_next(&reader, &field)) {
        struct entry entry = {0};

        if (field.number != MAP_FIELD_ENTRY)
            continue;
        if (field.wire != PB_BYTES || (is_map && !read_entry(field.bytes, &entry)))
            return false;
        if (!is_value(is_map ? entry.value : field.bytes, depth - 1))
            return false;
    }
    return !reader.is_broken;
}

static bool is_value(struct view bytes, size_t depth)
{
    struct choice choice;

    if (!read_choice(bytes, &choice))
        return false;
    if (choice.kind == VALUE_FIELD_STRUCT || choice.kind == VALUE_FIELD_LIST)
        return is_container(choice.field.bytes, choice.kind == VALUE_FIELD_STRUCT, depth);
    return true;
}

bool check_metadata_is_valid(struct view bytes)
{
    struct pb_reader reader;
    struct pb_field field;

    pb_reader_init(&reader, bytes);
    while (pb_reader_next(&reader, &field)) {
        struct entry entry;

        if (field.number != MAP_FIELD_ENTRY)
            continue; /* typed_filter_metadata among them: opaque to us */
        if (field.wire != PB_BYTES || !read_entry(field.bytes, &entry) ||
            !is_container(entry.value, true, CHECK_METADATA_DEPTH_MAX))
            return false;
    }
    return !reader.is_broken;
}

static enum err parse_number(uint64_t bits, struct arena *arena, struct value *out)
{
    double number;

    memcpy(&number, &bits, sizeof number);
    if (!isfinite(number))
        return ERR_MALFORMED;
    *out = (struct value){.kind = VALUE_NUMBER};
    if (number == 0)
        out->text = VIEW("0"); /* also for -0: one number, one text */
    else if (fabs(number) < 9007199254740992.0 && number == trunc(number))
        out->text = arena_print(arena, "%lld", (long long)number);
    else
        for (int digits = 15; digits <= 17; digits++) {
            out->text = arena_print(arena, "%.*g", digits, number);
            if (!view_is_present(out->text) || strtod(out->text.data, NULL) == number)
                break;
        }
    return view_is_present(out->text) ? ERR_NONE : ERR_NO_MEMORY;
}

enum container { CONTAINER_FILTERS, CONTAINER_STRUCT, CONTAINER_LIST };

static enum err parse_container(struct view bytes, enum container container, size_t depth, struct arena *arena,
                                struct value *out);

static enum err parse_value(struct view bytes, size_t depth, struct arena *arena, struct value *out)
{
    struct choice choice;

    if (!read_choice(bytes, &choice))
        return ERR_MALFORMED;
    *out = (struct value){.kind = VALUE_NULL};
    switch (choice.kind) {
    case VALUE_FIELD_NUMBER: return parse_number(choice.field.scalar, arena, out);
    case VALUE_FIELD_STRING: *out = (struct value){.kind = VALUE_STRING, .text = choice.field.bytes}; break;
    case VALUE_FIELD_BOOL:
        *out = (struct value){.kind = VALUE_BOOL, .text = choice.field.scalar != 0 ? VIEW("true") : VIEW("false")};
        break;
    case VALUE_FIELD_STRUCT: return parse_container(choice.field.bytes, CONTAINER_STRUCT, depth, arena, out);
    case VALUE_FIELD_LIST: return parse_container(choice.field.bytes, CONTAINER_LIST, depth, arena, out);
    default: break; /* null, or no member at all */
    }
    return ERR_NONE;
}

static enum err count_elements(struct view bytes, size_t *out)
{
    struct pb_reader reader;
    struct pb_field field;
    size_t count = 0;

    pb_reader_init(&reader, bytes);
    while (pb_reader_next(&reader, &field))
        count += field.number == MAP_FIELD_ENTRY;
    *out = count;
    if (reader.is_broken)
        return ERR_MALFORMED;
    return count > CHECK_METADATA_MEMBERS_MAX ? ERR_LIMIT : ERR_NONE;
}

static bool has_name(const struct view *names, size_t count, struct view name)
{
    for (size_t i = 0; i < count; i++)
        if (view_equals(names[i], name))
            return true;
    return false;
}

/* The value and, in a map, the name of one element. */
static enum err parse_element(struct view bytes, enum container container, size_t depth, struct arena *arena,
                              struct view *name, struct value *out)
{
    struct entry entry;

    if (container == CONTAINER_LIST)
        return parse_value(bytes, depth, arena, out);
    if (!read_entry(bytes, &entry))
        return ERR_MALFORMED;
    *name = entry.name;
    if (container == CONTAINER_FILTERS)
        return parse_container(entry.value, CONTAINER_STRUCT, depth, arena, out);
    return parse_value(entry.value, depth, arena, out);
}

static enum err parse_container(struct view bytes, enum container container, size_t depth, struct arena *arena,
                                struct value *out)
{
    bool is_map = container != CONTAINER_LIST;
    struct pb_reader reader;
    struct pb_field field;
    struct view *names;
    struct value *items;
    size_t count, filled = 0;

    if (depth == 0)
        return ERR_MALFORMED;
    TRY(count_elements(bytes, &count));
    names = arena_take_array(arena, count, sizeof *names);
    items = arena_take_array(arena, count, sizeof *items);
    if (count > 0 && (names == NULL || items == NULL))
        return ERR_NO_MEMORY;
    pb_reader_init(&reader, bytes);
    while (pb_reader_next(&reader, &field)) {
        struct view name = {0};

        if (field.number != MAP_FIELD_ENTRY)
            continue;
        if (field.wire != PB_BYTES)
            return ERR_MALFORMED;
        TRY(parse_element(field.bytes, container, depth - 1, arena, &name, &items[filled]));
        if (is_map && has_name(names, filled, name))
            return ERR_MALFORMED;
        names[filled++] = name;
    }
    *out = (struct value){
        .kind = is_map ? VALUE_MAP : VALUE_LIST, .items = items, .names = is_map ? names : NULL, .count = filled};
    return ERR_NONE;
}

enum err check_metadata_parse(struct view bytes, struct arena *arena, struct value *out)
{
    *out = (struct value){0};
    return parse_container(bytes, CONTAINER_FILTERS, CHECK_METADATA_DEPTH_MAX + 1, arena, out);
}
