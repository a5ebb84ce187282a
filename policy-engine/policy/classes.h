/* SPDX-License-Identifier: Apache-2.0 */
/* Every request there is, up to what the rules of a policy can tell apart.
 *
 * Each condition of the language tests one thing against constants, so each
 * dimension (the request itself, the caller, the time, an address, a header ...)
 * falls into finitely many classes. A class is kept as one request of it, in facts
 * that have this dimension alone; classes_join puts one of each dimension together.
 * Requests that are refused before any rule are not among them (semantics S5b).
 *
 * What cannot be judged (a header that repeats, a token without keys) is a class of
 * its own. Nothing is guessed: what this cannot enumerate ends in ERR_LIMIT, with
 * the reason in words in classes->problem. */
#ifndef BARTIZAN_CLASSES_H
#define BARTIZAN_CLASSES_H

#include "classes_text.h"
#include "interpret.h"
#include "model.h"
#include "table.h"

enum {
    CLASSES_COMBINATIONS_MAX = 1000000, /* of all dimensions together, for one question */
    CLASSES_NOW = 1767268800,           /* 2026-01-01T12:00:00Z, a Thursday: what a test has unless it says otherwise */
    CLASSES_DIMENSIONS_MAX = 64,
};

struct class_list {
    const struct facts *items;
    size_t count;
};

/* What is asked of the classes: which rules and selectors must be told apart. */
struct classes {
    const struct model *model;
    struct arena *arena;      /* of the classes that are made */
    struct arena *lasting;    /* of what is found once for the whole policy */
    const struct rule *about; /* NULL: every request; else those that its actions and resources can be about */
    const struct rule *const *selectors; /* whose subjects are told apart, besides those of the rules */
    size_t selector_count;
    const struct assurance *const *levels; /* besides those of the rules */
    size_t level_count;
    bool counts_factors;        /* fewer than two factors is a class of its own */
    size_t looked_at;           /* candidates so far; at most CLASSES_COMBINATIONS_MAX */
    const char *problem;        /* ERR_LIMIT: why */
    void *memory;               /* passing, for one judgement */
    struct class_list instants; /* times that the policy's windows tell apart, once they are known */
};

/* The rules that one class of requests leaves in play. */
struct class_rules {
    const struct rule *const *items;
    size_t count;
};

/* The independent dimensions besides request and caller. */
struct class_scene {
    struct class_list dimensions[CLASSES_DIMENSIONS_MAX];
    size_t count;
};

/* A scratch arena for one judgement, over memory that the next one reuses. */
struct arena classes_scratch(struct classes *classes);

/* Method, host, path with query, body and the headers that name resources. */
MUST_CHECK enum err classes_requests(struct classes *classes, struct class_list *out);

/* The rules whose operations and resources `request` does not rule out. */
MUST_CHECK enum err classes_rules(struct classes *classes, const struct facts *request, struct class_rules *out);

/* Workload and user, as `rules` and the selectors can tell them apart at `request`. */
MUST_CHECK enum err classes_callers(struct classes *classes, const struct facts *request,
                                    const struct class_rules *rules, struct class_list *out);

/* Time, addresses, port, server name, headers, query parameters that no operation reads,
 * context and metadata. */
MUST_CHECK enum err classes_scenes(struct classes *classes, const struct class_rules *rules, struct class_scene *out);

/* One class of each dimension (`picks`) as one request; its lists live in `scratch`. */
MUST_CHECK enum err classes_join(const struct facts *request, const struct facts *caller,
                                 const struct class_scene *scene, const size_t *picks, struct arena *scratch,
                                 struct facts *out);

/* ---- shared by the files that make classes ---------------------------------------- */

/* Classes while they are collected: one of each signature. */
struct class_set {
    struct classes *classes;
    struct table seen;
    struct facts *items;
    size_t count, room;
};

/* What tells two candidates apart, written byte by byte. */
struct signature {
    unsigned char *bytes;
    size_t size, room;
};

enum err class_set_init(struct class_set *set, struct classes *classes) MUST_CHECK;

/* Adds `facts` unless one with the same signature is there. */
enum err class_set_add(struct class_set *set, const struct signature *signature, const struct facts *facts) MUST_CHECK;

enum err signature_init(struct signature *signature, size_t room, struct arena *arena) MUST_CHECK;
void signature_put(struct signature *signature, unsigned value);

/* Counts one candidate; ERR_LIMIT when there were too many. */
enum err classes_count(struct classes *classes) MUST_CHECK;

/* ERR_LIMIT, and why. */
enum err classes_refuse(struct classes *classes, const char *problem) MUST_CHECK;

/* text_classes, with its limit said in words. */
enum err classes_of_texts(struct classes *classes, const struct text_pattern *patterns, size_t count,
                          struct string_list *out) MUST_CHECK;

/* Text patterns while they are collected. */
struct pattern_list {
    struct arena *arena;
    struct text_pattern *items;
    size_t count, room;
    bool is_exhausted;
};

void pattern_add(struct pattern_list *list, enum text_pattern_kind kind, struct view text);

/* Those that a test on a header, claim or the like compares with. */
void pattern_add_test(struct pattern_list *list, const struct value_test *test);

/* The leaves of a condition (NULL: none) below and with `condition`. */
typedef void class_leaf(void *context, const struct condition *leaf);
void classes_leaves(const struct condition *condition, class_leaf *each, void *context);
void classes_rule_leaves(const struct class_rules *rules, class_leaf *each, void *context);

/* Tests on one value that a path leads to, and the values that they can tell apart. */
struct value_question {
    struct claim_path path;
    const struct value_test *const *tests;
    size_t test_count;
    bool is_template; /* whether it fills a template counts too */
    bool is_text;     /* can only be a string: a registered claim */
    bool is_claim;    /* match_claim's rules, else metadata's */
};

/* Values of which no two answer the question alike; VALUE_ABSENT is among them. */
enum err classes_values(struct classes *classes, const struct value_question *question, const struct value **out,
                        size_t *count) MUST_CHECK;

/* A map with `value` where `path` leads to; `map` may be NULL. NULL: out of memory. */
const struct value *classes_put_value(struct arena *arena, const struct value *map, const struct claim_path *path,
                                      size_t step, const struct value *value);

/* One octet of a target as it stands there, up to 3 bytes of `out`, and how many. RFC 3986: what stands
 * for itself, and of a path `:` of a verb; all else escaped. */
size_t classes_octet_write(unsigned char c, bool is_query, char *out);

/* A name or value as a query has it; the absent view when the arena is full. */
struct view classes_escaped(struct arena *arena, struct view text);

/* True for a query parameter that some operation reads: then it belongs to the request. */
bool classes_query_is_of_operation(const struct model *model, struct view name);

/* True when one path leads through the end of the other. */
bool classes_paths_cross(const struct claim_path *a, const struct claim_path *b);

#endif
