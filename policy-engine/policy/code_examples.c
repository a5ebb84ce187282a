/* SPDX-License-Identifier: Apache-2.0 */
#include "code_examples.h"

static const struct code_example EXAMPLES[CODE_COUNT] = {
#define E(symbol, wrong, right, how) [symbol] = {.mistake = (wrong), .mended = (right), .mend = (how)},
#include "code_examples.def"
#undef E
};

struct code_example code_example(enum code code)
{
    return EXAMPLES[code];
}
