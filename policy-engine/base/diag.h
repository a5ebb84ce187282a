/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with a file, said so that a person can mend it: file, line,
 * column, caret, path in the document, and a hint. All findings of one load are
 * collected (capped), then printed together. */
#ifndef BARTIZAN_DIAG_H
#define BARTIZAN_DIAG_H

#include "arena.h"

#include <stdarg.h>
#include <stdio.h>

enum { DIAG_CAP = 50 }; /* findings kept; the rest are counted */

enum diag_severity { DIAG_ERROR = 0, DIAG_WARNING };

/* Where a node stands in its file. Lines and columns count from 1, columns in
 * characters (UTF-8 code points); 0 means the file as a whole. */
struct span {
    struct view file;
    struct view text; /* the whole text of the file, for the caret line; may be absent */
    uint32_t line;
    uint32_t column;
    uint32_t end_column; /* first column after the node on the same line */
};

struct diag {
    enum diag_severity severity;
    struct view code; /* stable: "E0214", "W0307" */
    struct span span;
    struct view path;    /* "spec.rules[2].subjects.user[0]"; may be absent */
    struct view message; /* one line, no final dot */
    struct view hint;    /* "did you mean `ml-operator`?"; may be absent */
};

struct diag_list {
    struct arena *arena; /* holds every message */
    struct diag items[DIAG_CAP];
    size_t count;   /* kept */
    size_t dropped; /* over the cap */
    size_t errors;  /* kept or dropped, of severity DIAG_ERROR */
};

void diag_list_init(struct diag_list *list, struct arena *arena);

/* Adds a finding; every view is copied into the list's arena. Of `span.text` only
 * the one line is kept. */
void diag_add(struct diag_list *list, const struct diag *diag);

/* The same with a printf message in place of diag->message. */
void diag_vadd(struct diag_list *list, const struct diag *diag, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

/* Adds an error with a printf message and no hint. */
void diag_error(struct diag_list *list, const char *code, const struct span *span, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Gives the findings from `first` on that stand in `file` their line of its `text`:
 * for those that were made of spans without text. */
void diag_list_locate(struct diag_list *list, size_t first, struct view file, struct view text);

/* Prints every finding with its caret line, in file order of discovery; control
 * bytes of the file's text are escaped. */
void diag_list_print(const struct diag_list *list, FILE *out);

/* The same as a JSON array of objects {severity, code, file, line, column, path, message, hint}. */
void diag_list_print_json(const struct diag_list *list, FILE *out);

/* The candidate nearest to `word` by edit distance of at most 2, or the absent view. */
struct view diag_nearest(struct view word, const struct view *candidates, size_t count);

#endif
