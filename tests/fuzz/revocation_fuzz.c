/* SPDX-License-Identifier: Apache-2.0 */
#include "revocation.h"
#include "revocation_list.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* print then parse gives the same list. */
static void check(const struct revocation_list *list, struct arena *arena, struct diag_list *diags)
{
    struct revocation_list again;
    struct view text = revocation_list_print(list, arena);
    if (!view_is_present(text)) /* an instant past the year 9999, by its offset */
        return;
    if (revocation_list_parse(VIEW("g"), text, arena, diags, &again) != ERR_NONE || again.count != list->count)
        abort();
    for (size_t i = 0; i < list->count; i++) {
        if (!revocation_entry_matches(&list->entries[i], &again.entries[i]) ||
            !view_equals(list->entries[i].reason, again.entries[i].reason))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct diag_list diags;
    struct revocation_list list;
    struct revocations *revocations = NULL;
    struct view text = {.data = (const char *)data, .size = size};
    const struct revocation_source source = {.file = VIEW("f"), .text = text};
    arena_init(&arena, 16 * 1024 * 1024);
    diag_list_init(&diags, &arena);
    enum err e = revocation_list_parse(VIEW("f"), text, &arena, &diags, &list);
    enum err built = revocations_build(&source, 1, &diags, &revocations);
    if (e != built || (e == ERR_INVALID) != (diags.errors > 0))
        abort();
    if (e == ERR_NONE)
        check(&list, &arena, &diags);
    revocations_free(revocations);
    arena_free(&arena);
    return 0;
}
