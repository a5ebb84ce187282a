/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_schema.h"

#include "shape.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { BLOCKS_MAX = 128 };

/* The blocks that the language reaches from a document, each once, in the order of first use. */
struct reached {
    const struct block *blocks[BLOCKS_MAX];
    size_t count;
};

static void reach_block(struct reached *reached, const struct block *block);

static void reach_shape(struct reached *reached, const struct shape *shape)
{
    if (shape == NULL)
        return;
    if (shape->kind == SHAPE_BLOCK)
        reach_block(reached, shape->block);
    for (size_t i = 0; shape->blocks != NULL && i < shape->word_count; i++)
        reach_block(reached, shape->blocks[i]);
    reach_shape(reached, shape->of);
    reach_shape(reached, shape->other);
}

static void reach_block(struct reached *reached, const struct block *block)
{
    for (size_t i = 0; i < reached->count; i++)
        if (reached->blocks[i] == block)
            return;
    if (reached->count == BLOCKS_MAX)
        return;
    reached->blocks[reached->count++] = block;
    for (size_t i = 0; i < block->count; i++)
        reach_shape(reached, block->fields[i].shape);
}

/* ---- JSON Schema ---- */

static json_t *shape_json(const struct shape *shape);

static json_t *view_json(struct view text)
{
    return json_stringn(text.data, text.size);
}

static json_t *text_json(const struct shape *shape)
{
    json_t *schema = shape->takes_numbers
                         ? json_pack("{s:[s,s,s], s:i}", "type", "string", "number", "boolean", "minLength", 1)
                         : json_pack("{s:s, s:i}", "type", "string", "minLength", 1);
    if (shape->pattern != NULL)
        json_object_set_new(schema, "pattern", json_string(shape->pattern));
    return schema;
}

/* Scalars are text to the loader: a number in quotes is the same number. */
static json_t *number_json(const struct shape *shape)
{
    json_t *schema = json_pack("{s:[s,s], s:s}", "type", "integer", "string", "pattern",
                               shape->least < 0 ? "^-?[0-9]{1,19}$" : "^[0-9]{1,19}$");
    if (shape->least > -INT64_MAX)
        json_object_set_new(schema, "minimum", json_integer(shape->least));
    if (shape->most < INT64_MAX)
        json_object_set_new(schema, "maximum", json_integer(shape->most));
    return schema;
}

static json_t *words_json(const struct shape *shape)
{
    json_t *words = json_array();
    for (size_t i = 0; i < shape->word_count; i++)
        json_array_append_new(words, view_json(shape->words[i]));
    return json_pack("{s:o}", "enum", words);
}

static json_t *list_json(const struct shape *of, int64_t least, int64_t most)
{
    json_t *schema = json_pack("{s:s, s:o}", "type", "array", "items", shape_json(of));
    if (least > 0)
        json_object_set_new(schema, "minItems", json_integer(least));
    if (most > 0)
        json_object_set_new(schema, "maxItems", json_integer(most));
    return schema;
}

static json_t *entries_json(const struct shape *shape)
{
    json_t *schema = json_pack("{s:s, s:o}", "type", "object", "additionalProperties", shape_json(shape->of));
    if (shape->other != NULL && shape->other->pattern != NULL)
        json_object_set_new(schema, "propertyNames", json_pack("{s:s}", "pattern", shape->other->pattern));
    return schema;
}

static json_t *reference_json(const struct block *block)
{
    char path[64];
    snprintf(path, sizeof path, "#/$defs/%s", block->name);
    return json_pack("{s:s}", "$ref", path);
}

static json_t *shape_json(const struct shape *shape)
{
    switch (shape->kind) {
    case SHAPE_TEXT: return text_json(shape);
    case SHAPE_VALUE: return json_pack("{s:[s,s,s,s]}", "type", "string", "number", "boolean", "null");
    case SHAPE_BOOL: return json_pack("{s:[b,b,s,s]}", "enum", 1, 0, "true", "false");
    case SHAPE_NUMBER: return number_json(shape);
    case SHAPE_WORDS: return words_json(shape);
    case SHAPE_MANY:
        return json_pack("{s:[o,o]}", "anyOf", shape_json(shape->of), list_json(shape->of, shape->least, 0));
    case SHAPE_LIST: return list_json(shape->of, shape->least, shape->most);
    case SHAPE_ENTRIES: return entries_json(shape);
    case SHAPE_BLOCK:
        return shape->blocks != NULL ? json_pack("{s:s}", "type", "object") : reference_json(shape->block);
    case SHAPE_EITHER: return json_pack("{s:[o,o]}", "anyOf", shape_json(shape->of), shape_json(shape->other));
    case SHAPE_ANYTHING: break;
    }
    return json_object();
}

static void add_field(const struct block *block, const struct field *field, json_t *properties)
{
    json_t *schema = shape_json(field->shape);
    if (block->is_matrix)
        schema = json_pack("{s:[O,o]}", "anyOf", schema,
                           json_pack("{s:s, s:o, s:i}", "type", "array", "items", schema, "minItems", 1));
    json_object_set_new(schema, "description", json_string(field->about));
    json_object_setn_new(properties, field->name.data, field->name.size, schema);
}

/* For each word: if it stands under the key that decides, `name` has the keys of its block. */
static json_t *by_word_json(const struct shape *shape, struct view name)
{
    json_t *all = json_array();
    for (size_t i = 0; i < shape->word_count; i++) {
        json_t *then = json_object();
        json_object_setn_new(then, name.data, name.size, reference_json(shape->blocks[i]));
        json_array_append_new(all, json_pack("{s:{s:{s:{s:o}}}, s:{s:o}}", "if", "properties", shape->title, "const",
                                             view_json(shape->words[i]), "then", "properties", then));
    }
    return all;
}

/* Says again that the key is one, for validators that want it said beside `required`. */
static json_t *choice_json(const struct field *field)
{
    json_t *properties = json_object();
    json_object_setn_new(properties, field->name.data, field->name.size, json_true());
    return json_pack("{s:o, s:[o]}", "properties", properties, "required", view_json(field->name));
}

static json_t *block_json(const struct block *block)
{
    json_t *schema = json_pack("{s:s, s:b}", "type", "object", "additionalProperties", 0);
    json_t *properties = json_object(), *required = json_array(), *choices = json_array(), *beside = json_object();
    for (size_t i = 0; i < block->count; i++) {
        const struct field *field = &block->fields[i];
        add_field(block, field, properties);
        if (field->use == FIELD_REQUIRED)
            json_array_append_new(required, view_json(field->name));
        if (field->use == FIELD_CHOICE)
            json_array_append_new(choices, choice_json(field));
        if (field->shape->blocks != NULL)
            json_object_set_new(schema, "allOf", by_word_json(field->shape, field->name));
        if (field->beside != NULL)
            json_object_setn_new(beside, field->name.data, field->name.size, json_pack("[s]", field->beside));
    }
    json_object_set_new(schema, "properties", properties);
    if (block->least > 0)
        json_object_set_new(schema, "minProperties", json_integer((json_int_t)block->least));
    if (json_array_size(required) > 0)
        json_object_set(schema, "required", required);
    if (json_array_size(choices) > 0)
        json_object_set(schema, "oneOf", choices);
    if (json_object_size(beside) > 0)
        json_object_set(schema, "dependentRequired", beside);
    json_decref(required);
    json_decref(choices);
    json_decref(beside);
    return schema;
}

json_t *policy_schema_build(void)
{
    struct reached reached = {0};
    json_t *definitions = json_object();
    reach_block(&reached, &load_document_block);
    for (size_t i = 0; i < reached.count; i++)
        json_object_set_new(definitions, reached.blocks[i]->name, block_json(reached.blocks[i]));
    return json_pack("{s:s, s:s, s:s, s:o}", "$schema", "https://json-schema.org/draft/2020-12/schema", "title",
                     "Bartizan access policy, v1alpha1", "$ref", "#/$defs/document", "$defs", definitions);
}

/* ---- reference ---- */

/* Renderers make anchors of lower case. */
static void print_link(const char *name)
{
    printf("[%s](#", name);
    for (const char *c = name; *c != '\0'; c++)
        putchar(*c >= 'A' && *c <= 'Z' ? *c | 0x20 : *c);
    putchar(')');
}

static void print_blocks(const struct shape *shape)
{
    if (shape->blocks == NULL) {
        print_link(shape->block->name);
        return;
    }
    for (size_t i = 0; i < shape->word_count; i++) {
        printf("%s", i > 0 ? ", " : "");
        print_link(shape->blocks[i]->name);
    }
    printf(" by `%s`", shape->title);
}

static void print_shape(const struct shape *shape)
{
    switch (shape->kind) {
    case SHAPE_NUMBER:
        printf("%s", shape->title);
        if (shape->least > -INT64_MAX)
            printf(" %" PRId64 " to %" PRId64, shape->least, shape->most);
        break;
    case SHAPE_WORDS:
        for (size_t i = 0; i < shape->word_count; i++)
            printf("%s`%.*s`", i > 0 ? ", " : "", VIEW_ARG(shape->words[i]));
        break;
    case SHAPE_MANY:
        print_shape(shape->of);
        printf(", or a list");
        break;
    case SHAPE_LIST:
        printf("list of ");
        print_shape(shape->of);
        break;
    case SHAPE_ENTRIES:
        printf("map of %s to ", shape->other != NULL ? shape->other->title : "text");
        print_shape(shape->of);
        break;
    case SHAPE_BLOCK: print_blocks(shape); break;
    case SHAPE_EITHER:
        print_shape(shape->of);
        printf("; or ");
        print_shape(shape->other);
        break;
    case SHAPE_TEXT:
    case SHAPE_VALUE:
    case SHAPE_BOOL:
    case SHAPE_ANYTHING: printf("%s", shape->title); break;
    }
}

static void print_field(const struct field *field)
{
    printf("| `%.*s` | ", VIEW_ARG(field->name));
    print_shape(field->shape);
    printf(" | %s%s", field->use == FIELD_REQUIRED ? "**Required.** " : "", field->about);
    if (field->beside != NULL)
        printf(" Only beside `%s`.", field->beside);
    puts(" |");
}

static void print_choices(const struct block *block)
{
    size_t printed = 0;
    for (size_t i = 0; i < block->count; i++)
        if (block->fields[i].use == FIELD_CHOICE)
            printf("%s`%.*s`", printed++ > 0 ? ", " : "\nExactly one of ", VIEW_ARG(block->fields[i].name));
    if (printed > 0)
        puts(".");
    if (block->least > 0)
        puts("\nAt least one key.");
    if (block->is_matrix)
        puts("\nUnder `tests`, each key also takes a list: a case of each element.");
}

void policy_schema_print_keys(void)
{
    struct reached reached = {0};
    reach_block(&reached, &load_document_block);
    puts("# Every key of the policy language\n\n"
         "Made by `bartizan policy schema --format markdown` from the tables by which the loader reads; what it means\n"
         "is told in [policy-language.md](policy-language.md). For an editor: `bartizan policy schema "
         ">policy.schema.json`,\n"
         "and `# yaml-language-server: $schema=policy.schema.json` as the first line of a policy.");
    for (size_t i = 0; i < reached.count; i++) {
        printf("\n## %s\n", reached.blocks[i]->name);
        print_choices(reached.blocks[i]);
        puts("\n| key | takes | |\n|---|---|---|");
        for (size_t j = 0; j < reached.blocks[i]->count; j++)
            print_field(&reached.blocks[i]->fields[j]);
    }
}
