/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes: refused, or formatted to what is formatted already. */
#include "fmt.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct diag_list diags;
    struct view text = {.data = (const char *)data, .size = size}, once = {0}, twice = {0};
    arena_init(&arena, (size_t)256 * 1024 * 1024);
    diag_list_init(&diags, &arena);
    if (size > 0 && size < 65536 && fmt(VIEW("fuzz.yaml"), text, &arena, &diags, &once) == ERR_NONE &&
        (fmt(VIEW("again.yaml"), once, &arena, &diags, &twice) != ERR_NONE || !view_equals(once, twice)))
        abort();
    arena_free(&arena);
    return 0;
}
