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

struct label_list {
    const struct label *items; /* name and value */
    size_t count;
};

/* What must be among the obligations of the answer: others may be there as well. */
struct expected_obligations {
    struct label_list request_headers, response_headers, query_params, metadata;
    struct string_list removed_headers, removed_queries;
    bool has_audit, has_max_stream, max_stream_by_credentials;
    enum audit_level audit;
    uint32_t max_stream;  /* seconds */
    struct denial denial; /* zeroed: however it looks */
};

struct expectation {
    enum verdict verdict;
    bool is_default;    /* no rule decided */
    struct view rule;   /* absent: whichever */
    struct view reason; /* a reason's name or family; absent: whichever */
    bool has_acr_values, has_max_age;
    struct string_list acr_values;
    uint32_t max_age; /* seconds */
    struct expected_obligations obligations;
};

struct test_case {
    struct view name;
    struct span span;
    struct facts facts;
    struct expectation expected;
};

/* What is expected, and what was answered, in words. */
struct view expectation_words(const struct expectation *expected, struct arena *arena);
struct view expectation_answer(const struct decision *decision, struct arena *arena);

bool expectation_is_met(const struct expectation *expected, const struct decision *decision);

#endif
