/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as metadata: what parses is valid. */
#include "check_metadata.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static max_align_t memory[16384];
    struct view bytes = {.data = (const char *)data, .size = size};
    struct arena arena;
    struct value value;

    arena_init_fixed(&arena, memory, sizeof memory);
    if (check_metadata_parse(bytes, &arena, &value) == ERR_NONE && !check_metadata_is_valid(bytes))
        abort();
    return 0;
}
