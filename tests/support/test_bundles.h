/* SPDX-License-Identifier: Apache-2.0 */
/* Trust bundles out of the test authority's certificates. Failures abort. */
#ifndef BARTIZAN_TEST_BUNDLES_H
#define BARTIZAN_TEST_BUNDLES_H

#include "test_ca.h"
#include "trust_bundles.h"

enum { TEST_BUNDLE_AUTHORITIES_MAX = 4 };

struct test_bundle {
    const char *trust_domain;
    const struct test_cert *authorities[TEST_BUNDLE_AUTHORITIES_MAX]; /* until the first NULL */
    bool is_absent;                                                   /* its text is not there yet */
    uint64_t generation;
};

/* Freed by trust_bundles_free. */
struct trust_bundles *test_bundles(const struct test_bundle *bundles, size_t count);
struct trust_bundles *test_bundles_one(const char *trust_domain, const struct test_cert *authority);

#endif
