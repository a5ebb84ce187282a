/* SPDX-License-Identifier: Apache-2.0 */
/* The classes into which a list of text patterns splits all texts.
 *
 * Every subset of the patterns that some text fits exactly gets one such text, the
 * shortest: the patterns run side by side as one automaton (subset construction),
 * over the bytes that they name and one that none of them does. */
#ifndef BARTIZAN_CLASSES_TEXT_H
#define BARTIZAN_CLASSES_TEXT_H

#include "arena.h"
#include "model.h"

enum text_pattern_kind {
    TEXT_EXACT = 0,
    TEXT_PREFIX,
    TEXT_SUFFIX,
    TEXT_CONTAINS,
    TEXT_GLOB,  /* `*` is zero or more bytes */
    TEXT_UNDER, /* one or more bytes before `text` */
};

struct text_pattern {
    enum text_pattern_kind kind;
    struct view text;
};

/* One text of each class, the shortest first. ERR_NO_MEMORY; ERR_LIMIT when there
 * are too many states to look at. */
MUST_CHECK enum err text_classes(const struct text_pattern *patterns, size_t count, struct arena *arena,
                                 struct string_list *out);

#endif
