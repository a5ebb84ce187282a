/* SPDX-License-Identifier: Apache-2.0 */
#include "bundle_map.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

/* A map or a finding; each document is a part of the text and begins and ends as an object. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct bundle_map map = {0};
    struct bundle_document_error error = {0};
    struct view text = {.data = (const char *)data, .size = size};
    arena_init(&arena, 1024 * 1024);
    enum err e = bundle_map_parse(text, &arena, &map, &error);
    must((e == ERR_MALFORMED || e == ERR_LIMIT) == (error.message != NULL));
    for (size_t i = 0; e == ERR_NONE && i < map.count; i++) {
        struct view document = map.entries[i].document;
        must(document.data > text.data && document.data + document.size < text.data + text.size);
        must(document.data[0] == '{' && document.data[document.size - 1] == '}');
        must(bundle_map_find(&map, map.entries[i].trust_domain) == &map.entries[i]);
    }
    arena_free(&arena);
    return 0;
}
