/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a key set. */
#include <stdlib.h>

#include "jwks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct diag_list diags;
    struct jwks_sets *sets = NULL;
    const struct jwks_source source = {
        .issuer = VIEW("i"), .file = VIEW("keys.json"), .text = {(const char *)data, size}};
    arena_init(&arena, 4 << 20);
    diag_list_init(&diags, &arena);
    enum err e = jwks_sets_build(&source, 1, &diags, &sets);
    if ((e == ERR_NONE) != (sets != NULL) || (e == ERR_INVALID && diags.errors == 0))
        abort();
    if (sets != NULL && jwks_count(jwks_sets_find(sets, VIEW("i"))) > JWKS_KEYS_MAX)
        abort();
    jwks_sets_free(sets);
    arena_free(&arena);
    return 0;
}
