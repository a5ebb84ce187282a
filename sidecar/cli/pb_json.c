/* SPDX-License-Identifier: Apache-2.0 */
#include "pb_json.h"

#include "base64url.h"
#include "rfc3339.h"

#include <stdarg.h>

static bool write_message(struct pb_json *json, const json_t *value, const ProtobufCMessageDescriptor *type);

static bool refuse(struct pb_json *json, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool refuse(struct pb_json *json, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    json->message = arena_copy(json->arena, view_of(text));
    return false;
}

/* Puts `name` before the path of what was refused below it. */
static bool below(struct pb_json *json, bool is_good, const char *name)
{
    if (!is_good)
        json->path =
            arena_print(json->arena, "%s%s%.*s", name, view_is_empty(json->path) ? "" : ".", VIEW_ARG(json->path));
    return is_good;
}

/* rawBody and raw_body name the same field. */
static const ProtobufCFieldDescriptor *field_find(const ProtobufCMessageDescriptor *type, const char *name)
{
    char snake[128];
    size_t size = 0;
    for (const char *c = name; *c != '\0' && size < sizeof snake - 2; c++) {
        if (*c >= 'A' && *c <= 'Z')
            snake[size++] = '_';
        snake[size++] = *c >= 'A' && *c <= 'Z' ? (char)(*c | 0x20) : *c;
    }
    snake[size] = '\0';
    return protobuf_c_message_descriptor_get_field_by_name(type, snake);
}

static bool write_bytes(struct pb_json *json, uint32_t number, const json_t *value)
{
    struct view text = {json_string_value(value), json_string_length(value)};
    char *plain = json_is_string(value) ? arena_take(json->arena, text.size + 1) : NULL;
    uint8_t *bytes = plain ? arena_take(json->arena, text.size + 1) : NULL;
    if (bytes == NULL)
        return refuse(json, "base64 is expected");
    for (size_t i = 0; i < 2 && text.size % 4 == 0 && view_ends_with(text, VIEW("=")); i++)
        text.size -= text.size > 1 && text.data[text.size - 2] == '=' ? 2 : 1;
    for (size_t i = 0; i < text.size; i++)
        plain[i] = text.data[i] == '+' ? '-' : text.data[i] == '/' ? '_' : text.data[i];
    size_t size = 0;
    if (base64url_decode((struct view){plain, text.size}, bytes, text.size + 1, &size) != ERR_NONE)
        return refuse(json, "this is not base64");
    pb_writer_bytes(json->writer, number, (struct view){(const char *)bytes, size});
    return true;
}

/* A number, or a string of digits as 64-bit integers have it. */
static bool read_integer(struct pb_json *json, const json_t *value, int64_t least, uint64_t most, int64_t *out)
{
    struct view text = {json_string_value(value), json_string_length(value)};
    bool is_negative = view_starts_with(text, VIEW("-"));
    uint64_t number = 0;
    if (json_is_string(value)) {
        if (!view_to_u64(view_slice(text, is_negative ? 1 : 0, text.size), &number) || number > (uint64_t)INT64_MAX)
            return refuse(json, "a whole number is expected");
        *out = is_negative ? -(int64_t)number : (int64_t)number;
    } else if (json_is_integer(value)) {
        *out = json_integer_value(value);
    } else {
        return refuse(json, "a whole number is expected");
    }
    if (*out < least || (*out > 0 && (uint64_t)*out > most))
        return refuse(json, "the number is out of range");
    return true;
}

static bool write_number(struct pb_json *json, const ProtobufCFieldDescriptor *field, const json_t *value)
{
    int64_t number = 0;
    bool is_signed = field->type == PROTOBUF_C_TYPE_INT32 || field->type == PROTOBUF_C_TYPE_INT64;
    bool is_short = field->type == PROTOBUF_C_TYPE_INT32 || field->type == PROTOBUF_C_TYPE_UINT32;
    int64_t least = !is_signed ? 0 : is_short ? INT32_MIN : INT64_MIN;
    uint64_t most = !is_short ? INT64_MAX : is_signed ? INT32_MAX : UINT32_MAX;
    if (!read_integer(json, value, least, most, &number))
        return false;
    pb_writer_int64(json->writer, field->id, number);
    return true;
}

static bool write_enum(struct pb_json *json, const ProtobufCFieldDescriptor *field, const json_t *value)
{
    int64_t number = 0;
    if (json_is_string(value)) {
        const ProtobufCEnumValue *known =
            protobuf_c_enum_descriptor_get_value_by_name(field->descriptor, json_string_value(value));
        if (known == NULL)
            return refuse(json, "an unknown word for this enumeration");
        number = known->value;
    } else if (!read_integer(json, value, INT32_MIN, INT32_MAX, &number)) {
        return false;
    }
    pb_writer_int64(json->writer, field->id, number);
    return true;
}

static bool write_scalar(struct pb_json *json, const ProtobufCFieldDescriptor *field, const json_t *value)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        if (!json_is_string(value))
            return refuse(json, "a string is expected");
        pb_writer_bytes(json->writer, field->id, (struct view){json_string_value(value), json_string_length(value)});
        return true;
    case PROTOBUF_C_TYPE_BYTES: return write_bytes(json, field->id, value);
    case PROTOBUF_C_TYPE_BOOL:
        if (!json_is_boolean(value))
            return refuse(json, "true or false is expected");
        pb_writer_varint(json->writer, field->id, json_is_true(value));
        return true;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64: return write_number(json, field, value);
    case PROTOBUF_C_TYPE_ENUM: return write_enum(json, field, value);
    case PROTOBUF_C_TYPE_MESSAGE: {
        size_t mark = pb_writer_open(json->writer, field->id);
        bool is_good = write_message(json, value, field->descriptor);
        pb_writer_close(json->writer, mark);
        return is_good;
    }
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_SFIXED64: break;
    }
    return refuse(json, "a field of a type that no request has");
}

/* map<string, V> is a repeated message of key 1 and value 2. */
static bool write_map(struct pb_json *json, const ProtobufCFieldDescriptor *field, const json_t *map)
{
    const ProtobufCMessageDescriptor *entry = field->descriptor;
    const ProtobufCFieldDescriptor *value_field = protobuf_c_message_descriptor_get_field(entry, 2);
    const char *key;
    const json_t *value;
    if (value_field == NULL)
        return refuse(json, "a list is expected");
    for (void *at = json_object_iter((json_t *)(uintptr_t)map); at;
         at = json_object_iter_next((json_t *)(uintptr_t)map, at)) {
        key = json_object_iter_key(at);
        value = json_object_iter_value(at);
        size_t mark = pb_writer_open(json->writer, field->id);
        pb_writer_bytes(json->writer, 1, view_of(key));
        bool is_good = below(json, write_scalar(json, value_field, value), key);
        pb_writer_close(json->writer, mark);
        if (!is_good)
            return false;
    }
    return true;
}

static bool write_field(struct pb_json *json, const ProtobufCFieldDescriptor *field, const json_t *value)
{
    if (field->label != PROTOBUF_C_LABEL_REPEATED)
        return write_scalar(json, field, value);
    if (json_is_object(value) && field->type == PROTOBUF_C_TYPE_MESSAGE)
        return write_map(json, field, value);
    if (!json_is_array(value))
        return refuse(json, "a list or map is expected");
    for (size_t i = 0; i < json_array_size(value); i++)
        if (!write_scalar(json, field, json_array_get(value, i)))
            return false;
    return true;
}

/* google.protobuf.Value: the kind of the JSON value chooses the field. */
static bool write_value(struct pb_json *json, const json_t *value, const ProtobufCMessageDescriptor *type)
{
    double number = json_number_value(value);
    uint64_t bits = 0;
    memcpy(&bits, &number, sizeof bits);
    switch (json_typeof(value)) {
    case JSON_NULL: pb_writer_varint(json->writer, 1, 0); return true;
    case JSON_INTEGER:
    case JSON_REAL: pb_writer_fixed64(json->writer, 2, bits); return true;
    case JSON_STRING: return write_scalar(json, protobuf_c_message_descriptor_get_field(type, 3), value);
    case JSON_TRUE:
    case JSON_FALSE: return write_scalar(json, protobuf_c_message_descriptor_get_field(type, 4), value);
    case JSON_OBJECT: return write_scalar(json, protobuf_c_message_descriptor_get_field(type, 5), value);
    case JSON_ARRAY: return write_scalar(json, protobuf_c_message_descriptor_get_field(type, 6), value);
    }
    return refuse(json, "no JSON value");
}

static bool write_timestamp(struct pb_json *json, const json_t *value)
{
    struct view text = {json_string_value(value), json_string_length(value)};
    int64_t seconds = 0;
    if (!rfc3339_parse(text, &seconds))
        return refuse(json, "an RFC 3339 time of whole seconds is expected");
    pb_writer_int64(json->writer, 1, seconds);
    return true;
}

static bool write_fields(struct pb_json *json, const json_t *value, const ProtobufCMessageDescriptor *type)
{
    uint32_t seen[32];
    size_t seen_count = 0;
    if (!json_is_object(value))
        return refuse(json, "a map is expected");
    for (void *at = json_object_iter((json_t *)(uintptr_t)value); at;
         at = json_object_iter_next((json_t *)(uintptr_t)value, at)) {
        const char *key = json_object_iter_key(at);
        const json_t *member = json_object_iter_value(at);
        const ProtobufCFieldDescriptor *field = field_find(type, key);
        if (field == NULL)
            return below(json, refuse(json, "unknown field of %s", type->short_name), key);
        for (size_t i = 0; i < seen_count; i++)
            if (seen[i] == field->id)
                return below(json, refuse(json, "the field is given twice"), key);
        if (seen_count < sizeof seen / sizeof seen[0])
            seen[seen_count++] = field->id;
        if (!json_is_null(member) && !below(json, write_field(json, field, member), key))
            return false;
    }
    return true;
}

static bool write_message(struct pb_json *json, const json_t *value, const ProtobufCMessageDescriptor *type)
{
    struct view name = view_of(type->short_name);
    if (view_equals(name, VIEW("Timestamp")) && json_is_string(value))
        return write_timestamp(json, value);
    if (view_equals(name, VIEW("BoolValue")) && json_is_boolean(value))
        return write_scalar(json, protobuf_c_message_descriptor_get_field(type, 1), value);
    if (view_equals(name, VIEW("Struct")) && json_is_object(value))
        return write_map(json, protobuf_c_message_descriptor_get_field(type, 1), value);
    if (view_equals(name, VIEW("ListValue")) && json_is_array(value))
        return write_field(json, protobuf_c_message_descriptor_get_field(type, 1), value);
    if (view_equals(name, VIEW("Value")))
        return write_value(json, value, type);
    return write_fields(json, value, type);
}

bool pb_json_write(struct pb_json *json, const json_t *value, const ProtobufCMessageDescriptor *type)
{
    json->path = json->message = (struct view){0};
    return write_message(json, value, type);
}
