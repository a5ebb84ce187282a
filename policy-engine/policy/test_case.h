/* SPDX-License-Identifier: Apache-2.0 */
/* One case of a policy's `tests:` as facts and the expected answer.
 *
 * Facts are made as the sidecar makes them of a verified request: a token that
 * is over its time, for another audience or of an unknown issuer is a failure
 * here too, so that a test cannot pass on what production refuses. */
#ifndef BARTIZAN_TEST_CASE_H
#define BARTIZAN_TEST_CASE_H

#include "facts.h"
#include "model.h"

struct expectation {
    enum verdict verdict;
    bool is_default;    /* no rule decided */
    struct view rule;   /* absent: whichever */
    struct view reason; /* a reason's name or family; absent: whichever */
    bool has_acr_values, has_max_age, has_headers;
    struct string_list acr_values;
    uint32_t max_age;            /* seconds */
    const struct label *headers; /* request headers that an allow sets, name and value: all of them */
    size_t header_count;
};

struct test_case {
    struct view name;
    struct span span;
    struct facts facts;
    struct expectation expected;
};

#endif
