/* SPDX-License-Identifier: Apache-2.0 */
#include "trust_bundles.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A bundle or a finding, never both and never neither. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct diag_list diags;
    struct trust_bundles *bundles = NULL;
    struct trust_bundle_source source = {
        .trust_domain = VIEW("td"), .file = VIEW("f"), .text = {.data = (const char *)data, .size = size}};
    arena_init(&arena, 1024 * 1024);
    diag_list_init(&diags, &arena);
    enum err e = trust_bundles_build(&source, 1, &diags, &bundles);
    if ((e == ERR_NONE) != (bundles != NULL) || (e == ERR_NONE) != (diags.errors == 0))
        abort();
    trust_bundles_free(bundles);
    arena_free(&arena);
    return 0;
}
