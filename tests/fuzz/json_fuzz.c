/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as JSON, and as base64url. */
#include <stdlib.h>

#include "base64url.h"
#include "json.h"

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void walk(const struct json *value, unsigned depth)
{
    unsigned char sum = 0;
    must(depth <= JSON_DEPTH_MAX + 1);
    must(value->count == 0 || value->items != NULL);
    must((value->kind >= JSON_NUMBER) == view_is_present(value->text));
    if (value->kind >= JSON_ARRAY)
        must(value->text.data[0] == "[{"[value->kind == JSON_OBJECT] &&
             value->text.data[value->text.size - 1] == "]}"[value->kind == JSON_OBJECT]);
    for (size_t i = 0; i < value->text.size; i++) {
        must(value->text.data[i] != '\0');
        sum = (unsigned char)(sum + (unsigned char)value->text.data[i]);
    }
    for (size_t i = 0; i < value->count; i++) {
        if (value->kind == JSON_OBJECT)
            must(json_get(value, value->names[i]) == &value->items[i]);
        walk(&value->items[i], depth + 1);
    }
    (void)sum;
}

/* One text per value: what decodes encodes to itself. */
static void try_base64url(struct view text)
{
    static uint8_t bytes[4096];
    static char again[6000];
    size_t size = 0;
    if (base64url_decode(text, bytes, sizeof bytes, &size) != ERR_NONE)
        return;
    struct view back = {again, base64url_encode(bytes, size, again)};
    must(view_equals(back, text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct json value;
    struct view text = {(const char *)data, size};
    size_t offset = 0;
    arena_init(&arena, 1 << 20);
    if (json_parse_located(text, &arena, &value, &offset) == ERR_NONE)
        walk(&value, 1);
    must(offset <= size);
    try_base64url(text);
    arena_free(&arena);
    return 0;
}
