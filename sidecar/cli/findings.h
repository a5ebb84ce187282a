/* SPDX-License-Identifier: Apache-2.0 */
/* Every stable code that a finding about a policy can have, errors first, then lint's warnings. */
#ifndef BARTIZAN_FINDINGS_H
#define BARTIZAN_FINDINGS_H

#include "code_examples.h"

struct finding_kind {
    const char *code;    /* "E0214" */
    const char *meaning; /* one sentence */
    struct code_example example;
};

/* Static. */
const struct finding_kind *finding_kinds(size_t *count);

/* The kind of that code, whatever its case, or NULL. */
const struct finding_kind *finding_kind_find(struct view code);

#endif
