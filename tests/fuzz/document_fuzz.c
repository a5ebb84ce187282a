/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes give a tree or findings; every node of a tree knows its path. */
#include "document.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    static struct diag_list diags;
    struct document document = {0};
    arena_init(&arena, (size_t)64 << 20);
    diag_list_init(&diags, &arena);
    struct view text = {.data = (const char *)data, .size = size};
    enum err err = document_parse(VIEW("fuzz"), text, &arena, &diags, &document);
    assert((err == ERR_NONE) == (diags.errors == 0) || err == ERR_NO_MEMORY);
    for (size_t i = 0; i < document.count; i++) {
        const struct node *root = document.roots[i];
        for (size_t j = 0; j < root->count; j++)
            assert(view_is_present(node_path(root, root->items[j], &arena)));
    }
    static char printed[1 << 16];
    FILE *out = fmemopen(printed, sizeof(printed), "w");
    if (out != NULL) {
        diag_list_print(&diags, out);
        diag_list_print_json(&diags, out);
        (void)fclose(out);
    }
    arena_free(&arena);
    return 0;
}
