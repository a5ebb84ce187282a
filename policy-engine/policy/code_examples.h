/* SPDX-License-Identifier: Apache-2.0 */
/* What a finding's code looks like in a policy, and how to mend it. */
#ifndef BARTIZAN_CODE_EXAMPLES_H
#define BARTIZAN_CODE_EXAMPLES_H

#include "codes.h"

/* Blocks of a document or of its `spec`; NULL where a few lines cannot show it. Static. */
struct code_example {
    const char *mistake, *mended;
    const char *mend; /* a sentence or two */
};

struct code_example code_example(enum code code);

#endif
