/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that make classes of requests share. */
#ifndef BARTIZAN_CLASSES_REQUEST_H
#define BARTIZAN_CLASSES_REQUEST_H

#include "classes.h"

struct operation_list {
    const struct operation **items;
    bool *is_wanted; /* the question is about it */
    size_t count;
};

struct found_path {
    struct view text;
    const bool *fits; /* by operation: segment by segment, a verb aside */
};

struct walk {
    struct classes *classes;
    struct operation_list operations;
    bool wants_all;         /* the question names no actions: unmatched requests count too */
    struct string_list ids; /* every class of resource ids */
    bool has_slash;         /* some operation takes %2F for data */
    struct table seen;
    struct view segments[PATH_SEGMENTS_MAX]; /* decoded */
    size_t deepest;
    struct found_path *paths;
    size_t path_count, path_room;
};

struct choices {
    struct string_list hosts, methods, calls, models, tools; /* an absent view is a choice */
    struct string_list queries;                              /* with their question mark */
    bool tests_queries;                                      /* all of them count wherever the request goes */
    struct class_list headers;                               /* those that name resources */
};

/* Fills the operations, ids and paths of a walk that has its classes and an empty table. */
enum err requests_paths(struct walk *walk) MUST_CHECK;

/* What operations, types and rules tell apart in a request besides its path. */
enum err requests_choices(struct walk *walk, struct choices *out) MUST_CHECK;

#endif
