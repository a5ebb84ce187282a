/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes are a configuration or an error with at least one finding. */
#include "config.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    static struct diag_list diags;
    struct config config = {0};
    arena_init(&arena, (size_t)64 << 20);
    diag_list_init(&diags, &arena);
    enum err err = config_parse("dir/config.yaml", (struct view){(const char *)data, size}, &arena, &diags, &config);
    if ((err == ERR_NONE) != (diags.errors == 0) && err != ERR_NO_MEMORY)
        abort();
    if (err == ERR_NONE && (config.listener_count == 0 || config.policy.path == NULL || config.admin.socket == NULL))
        abort();
    arena_free(&arena);
    return 0;
}
