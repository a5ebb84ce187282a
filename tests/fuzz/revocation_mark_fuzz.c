/* SPDX-License-Identifier: Apache-2.0 */
#include "revocation_mark.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is taken has a line for each list. The checksum is of the bytes, so that hardly anything is. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct revocation_mark mark;
    arena_init(&arena, 1024 * 1024);
    if (revocation_mark_parse((struct view){(const char *)data, size}, &arena, &mark) == ERR_NONE &&
        mark.count * sizeof "list 0 " > size)
        abort();
    arena_free(&arena);
    return 0;
}
