/* SPDX-License-Identifier: Apache-2.0 */
#include "jose_algorithm.h"

static const struct view NAMES[JOSE_ALGORITHM_COUNT] = {
#define JOSE_NAME(symbol, name) [JOSE_##symbol] = {(name), sizeof(name) - 1},
    JOSE_ALGORITHMS(JOSE_NAME)
#undef JOSE_NAME
};

bool jose_algorithm_find(struct view name, enum jose_algorithm *out)
{
    for (size_t i = 0; i < JOSE_ALGORITHM_COUNT; i++) {
        if (view_equals(NAMES[i], name)) {
            *out = (enum jose_algorithm)i;
            return true;
        }
    }
    return false;
}

struct view jose_algorithm_name(enum jose_algorithm algorithm)
{
    return NAMES[algorithm];
}
