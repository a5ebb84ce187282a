/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as revocation lists; what is read is asked everything that can be asked. */
#include <stdlib.h>

#include "crl_set.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct diag_list diags;
    struct crl_set *set = NULL;
    X509_STORE *store = X509_STORE_new();
    arena_init(&arena, 1 << 20);
    diag_list_init(&diags, &arena);
    struct view text = {.data = (const char *)data, .size = size};
    enum err err = crl_set_build(VIEW("lists"), text, store, &diags, &set);
    if ((err == ERR_INVALID) != (diags.errors > 0))
        abort();
    if (err == ERR_NONE) {
        (void)crl_set_until(set, 0);
        (void)crl_set_is_older(set, set, 0);
        X509 *nobody = X509_new();
        (void)(nobody && crl_set_names(set, nobody));
        X509_free(nobody);
    }
    crl_set_free(set);
    X509_STORE_free(store);
    arena_free(&arena);
    return 0;
}
