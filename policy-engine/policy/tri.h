/* SPDX-License-Identifier: Apache-2.0 */
/* Kleene's three truth values (policy semantics S2): false, cannot be judged, true. */
#ifndef BARTIZAN_TRI_H
#define BARTIZAN_TRI_H

#include <stdbool.h>

enum tri { TRI_FALSE = 0, TRI_UNKNOWN = 1, TRI_TRUE = 2 };

static inline enum tri tri_of(bool is_true)
{
    return is_true ? TRI_TRUE : TRI_FALSE;
}

static inline enum tri tri_and(enum tri a, enum tri b)
{
    return a < b ? a : b;
}

static inline enum tri tri_or(enum tri a, enum tri b)
{
    return a > b ? a : b;
}

static inline enum tri tri_not(enum tri a)
{
    return a == TRI_TRUE ? TRI_FALSE : a == TRI_FALSE ? TRI_TRUE : TRI_UNKNOWN;
}

#endif
