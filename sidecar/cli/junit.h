/* SPDX-License-Identifier: Apache-2.0 */
/* Test results as JUnit XML, the form that CI systems read: one testsuite, one testcase a test. */
#ifndef BARTIZAN_JUNIT_H
#define BARTIZAN_JUNIT_H

#include "arena.h"
#include "policy.h"

struct junit_case;

struct junit { /* zeroed: empty */
    struct junit_case *first, *last;
    size_t count;
    bool is_exhausted; /* an allocation failed: nothing is written */
};

/* Takes a result; all of it is copied into `arena`. */
void junit_add(struct junit *junit, const struct policy_test_result *result, struct arena *arena);

/* Writes the whole report to `file` under the name `suite`. False: errno says why. */
bool junit_write(const struct junit *junit, const char *file, const char *suite, size_t failures, struct arena *arena);

#endif
