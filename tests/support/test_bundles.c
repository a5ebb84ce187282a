/* SPDX-License-Identifier: Apache-2.0 */
#include "test_bundles.h"

#include <stdio.h>
#include <stdlib.h>

enum { BUNDLES_MAX = 8 };

struct trust_bundles *test_bundles(const struct test_bundle *bundles, size_t count)
{
    struct arena arena;
    struct diag_list diags;
    struct trust_bundle_source sources[BUNDLES_MAX];
    char *texts[BUNDLES_MAX] = {0};
    struct trust_bundles *out = NULL;
    arena_init(&arena, 1024 * 1024);
    diag_list_init(&diags, &arena);
    for (size_t i = 0; i < count && i < BUNDLES_MAX; i++) {
        size_t authorities = 0;
        while (authorities < TEST_BUNDLE_AUTHORITIES_MAX && bundles[i].authorities[authorities])
            authorities++;
        /* A domain without authorities is a document without keys: empty PEM text is an error. */
        texts[i] = authorities ? test_cert_pem(bundles[i].authorities, authorities) : strdup("{\"keys\":[]}");
        sources[i] = (struct trust_bundle_source){.trust_domain = view_of(bundles[i].trust_domain),
                                                  .file = VIEW("test"),
                                                  .text = view_of(bundles[i].is_absent ? NULL : texts[i]),
                                                  .generation = bundles[i].generation};
    }
    if (trust_bundles_build(sources, count, &diags, &out) != ERR_NONE) {
        diag_list_print(&diags, stderr);
        abort();
    }
    for (size_t i = 0; i < BUNDLES_MAX; i++)
        free(texts[i]);
    arena_free(&arena);
    return out;
}

struct trust_bundles *test_bundles_one(const char *trust_domain, const struct test_cert *authority)
{
    return test_bundles(
        &(struct test_bundle){.trust_domain = trust_domain, .authorities = {authority}, .generation = 1}, 1);
}
