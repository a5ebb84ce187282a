/* SPDX-License-Identifier: Apache-2.0 */
/* From YAML documents to the typed model: the tools that every loader shares.
 *
 * A loader reads one node into one struct, adds a finding for whatever is wrong
 * and goes on, so that all errors come at once; whether the model may be used is
 * decided at the end by the number of findings. Nodes live in a passing arena:
 * every string that stays goes through load_keep. Maps are read by field tables,
 * which is how an unknown key cannot be ignored. */
#ifndef BARTIZAN_LOAD_H
#define BARTIZAN_LOAD_H

#include "codes.h"
#include "document.h"
#include "facts.h"
#include "model.h"
#include "shape.h"
#include "table.h"

struct test_case;
struct expectation;

/* A time zone that was read already. */
struct zone_node {
    const struct time_zone *zone;
    const struct zone_node *next;
};

/* What a name stands for, and where it was written. */
struct definition {
    uint32_t index; /* in the model's array */
    uint32_t file, line, column;
};

/* The names that one block of one document defines. */
struct names {
    const struct table_entry *names; /* those of `table`, or some of them */
    struct definition *definitions;  /* as many */
    size_t count;
    struct table table; /* name -> its number */
};

/* What one document can refer to: blocks are local to their document. */
struct scope {
    struct names issuers, assurances, roles, actions, types; /* imported ones first */
    size_t imported[5];                                      /* how many of each were */
    struct names rules;                                      /* its own, without its name before them */
    size_t first_role;                                       /* of its own, in the model's array */
};

/* What a document holds, and whether its names are known yet. */
enum document_kind { DOCUMENT_POLICY = 0, DOCUMENT_ROLES, DOCUMENT_RESOURCES, DOCUMENT_OPERATIONS, DOCUMENT_ISSUERS };
enum document_state { DOCUMENT_UNREAD = 0, DOCUMENT_READING, DOCUMENT_READ };

struct set_document {
    struct tape *tape;       /* of its file: until every document of that was read */
    const struct node *root; /* with the long blocks closed */
    bool is_known;           /* a map of a kind that this version reads */
    enum document_kind kind;
    struct view name;  /* metadata.name; absent when it has none */
    struct view owner; /* metadata.owner, kept for its rules; likewise */
    enum document_state state;
    struct scope scope;
};

/* What stands in a closed node. */
struct element {
    const struct node *block; /* NULL: none */
    const struct node *key;   /* NULL in a list */
    const struct node *item;
    size_t index;
};

/* What was kept last, by hash: much of a policy says the same again. */
enum { LOAD_RECENT = 1024 };

struct recent {
    const void *bytes;
    size_t size;
};

/* Texts stand close together, each with a NUL behind it. */
struct text_pool {
    char *next, *end;
    struct recent recent[LOAD_RECENT];
};

struct load {
    struct arena *arena;   /* the model's */
    struct arena *scratch; /* nodes and tables; gone after the load */
    struct diag_list *diags;
    const struct node *root; /* of the document being read */
    struct arena *passing;   /* gone with the next element of a long block */
    struct arena *names;     /* of the document being read */
    struct arena own_names; /* of a policy, which no other document can refer to: gone with it unless there are tests */
    bool has_tests;         /* some document of the set */
    struct element element; /* being read, of a long block of that document */
    struct scope *scope;    /* of the document being read */
    struct view file;       /* its name, kept */
    const struct zone_node *zones;
    struct table resource_ids; /* type and id of what is listed: a type can be shared */
    bool is_exhausted;         /* an allocation failed: the result is useless */

    struct set_document *documents; /* of the whole set, in file order */
    size_t document_count;
    struct set_document *document; /* that is being read */

    bool has_paths, has_limits; /* some document said so already */
    struct text_pool *texts;    /* of the model; NULL: each text by itself */
    struct recent *lists;       /* LOAD_RECENT of them; NULL: none is shared */
    struct model *model;
    struct view *files; /* the model's: as many as there are documents have room */
    size_t issuer_room;
    struct issuer *issuers; /* the model's arrays while they fill */
    struct assurance *assurances;
    struct role *roles;
    struct action *actions;
    struct resource_type *types;
    struct resource *resources;
    struct rule *rules_made;
    struct invariant *invariants;
    const struct node **issuer_nodes; /* issuers: where each was written, to compare with a second one */
    struct test_case *tests;
    size_t test_count, test_room;
};

/* ---- findings ---- */

/* An error at `node` (NULL: the document as a whole). `hint` may be NULL. */
void load_refuse(struct load *load, enum code code, const struct node *node, const char *hint, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* ---- memory ---- */

/* `count` zeroed elements of the model's arena, or NULL and is_exhausted. */
void *load_take(struct load *load, size_t count, size_t size);

/* A copy of `count` elements of `size` bytes in the model's arena, or the same as kept
 * before; NULL when exhausted. Pointers in them must be equal to count as the same. */
const void *load_share(struct load *load, const void *items, size_t count, size_t size);

/* The text of a scalar, kept; absent only when exhausted. */
struct view load_keep(struct load *load, struct view text);

/* Where the node stands, as the model says it. */
struct position load_position(struct load *load, const struct node *node);

/* ---- shapes ---- */

/* True when `node` is of that kind; else an error that says what `what` should be. */
bool load_is(struct load *load, const struct node *node, enum node_kind kind, const char *what);

/* Reads a map by its table into *out; unknown, unsupported and missing keys are
 * errors. False when it is no map. */
bool load_map(struct load *load, const struct node *node, const struct block *block, void *out);

/* The next element or pair of a long block, from document_walk; each is gone with the next. */
bool load_next(struct load *load, const struct node *block, struct document_walk *walk, const struct node **key,
               const struct node **item);

/* The elements of a list, or the scalar or map itself as a list of one. */
size_t load_elements(const struct node *const *node, const struct node *const **items);

/* Reads each element into an array of `size`-byte structs. Returns it; *count. */
void *load_array(struct load *load, const struct node *node, size_t size, load_reader *read, size_t *count);

/* ---- scalars: the readers' *out is what the comment names ---- */

void load_check_text(struct load *load, const struct node *node);          /* as load_text, and keeps nothing */
void load_text(struct load *load, const struct node *node, void *out);     /* struct view, not empty */
void load_name(struct load *load, const struct node *node, void *out);     /* struct view, CODE_NAME */
void load_bool(struct load *load, const struct node *node, void *out);     /* bool */
void load_duration(struct load *load, const struct node *node, void *out); /* uint32_t seconds, up to 10 years */
/* Each element as a struct view, by a reader of those; equal lists are the same. */
void load_views(struct load *load, const struct node *node, load_reader *read, struct string_list *out);

void load_texts(struct load *load, const struct node *node,
                void *out); /* struct string_list, one or a list, none empty */
void load_values(struct load *load, const struct node *node, void *out);      /* the same; a value may be empty */
void load_header_name(struct load *load, const struct node *node, void *out); /* struct view, lower case */
void load_read_header(struct load *load, const struct node *node, void *out); /* likewise, one that is a fact */
void load_claim_path(struct load *load, const struct node *node, void *out);  /* struct claim_path */
void load_hosts(struct load *load, const struct node *node, void *out);       /* struct host_list */
void load_id_pattern(struct load *load, const struct node *node, void *out);  /* struct id_pattern */
bool load_number(struct load *load, const struct node *node, uint64_t least, uint64_t most, uint64_t *out);
bool load_is_name(struct view text);

/* The steps of a dotted name; an empty step is an error at `node`. */
void load_claim_text(struct load *load, const struct node *node, struct view text, struct claim_path *out);

struct host_list {
    const struct host_pattern *items;
    size_t count;
};

/* A word of a closed vocabulary: its index, or an error with a hint and `otherwise`. */
size_t load_word(struct load *load, const struct node *node, const char *what, const struct view *words, size_t count,
                 size_t otherwise);

/* hh:mm to minutes, up to 24:00. */
bool load_clock(struct view text, uint16_t *out);

/* An IPv4 or IPv6 address, with a prefix length or as wide as it is. */
bool load_cidr(struct view text, struct cidr *out);

/* RFC 3339 in UTC or with an offset, whole seconds, not before 1970. */
bool load_instant(struct view text, int64_t *out);

/* digits unit, descending units. */
bool load_duration_text(struct view text, uint32_t *out);

/* ---- names ---- */

/* Room for `count` names. */
void names_init(struct load *load, struct names *names, size_t count);

/* Adds the name at `key`; a second one is an error that says where the first is. */
bool names_add(struct load *load, struct names *names, const struct node *key, const char *what, size_t index);

/* The same for one that another document defined. */
enum err names_share(struct names *names, const struct names *from, size_t i);

/* True and *index, or an error with the nearest name and where it is defined. */
bool names_find(struct load *load, const struct names *names, const struct node *reference, enum code code,
                const char *what, size_t *index);

/* ---- documents and imports ---- */

extern const struct view load_document_kinds[5]; /* by enum document_kind */
extern const struct block load_import_block;

/* The document of this kind and name, or NULL. */
struct set_document *load_document(const struct load *load, enum document_kind kind, struct view name);

/* Finds what every document of the set is. */
void load_survey(struct load *load, struct tape *tapes, size_t count);

/* The names that the document being read can refer to: room for its own, and those
 * that its `imports` bring in. `read` reads a document that was not read yet. */
void load_scope(struct load *load, const struct node *spec, void (*read)(struct load *, struct set_document *));

/* A rule while it is read, without what it points to: that is behind it. */
struct rule_draft {
    struct rule rule;
    struct rule_subjects subjects;
    struct rule_resources resources;
    struct rule_terms terms;
};

/* One that demands nothing and does nothing: where every rule begins. */
void load_rule_init(struct rule_draft *draft);

/* The rule, with parts that are kept; false when exhausted. */
bool load_rule_keep(struct load *load, const struct rule_draft *draft, struct rule *out);

/* ---- the blocks; each fills its part of `load` from the map or list `node` ---- */

extern const struct block load_issuer_block, load_assurance_block, load_role_block, load_action_block, load_type_block,
    load_resource_block, load_rule_block, load_test_block, load_given_block, load_workload_block, load_condition_block,
    load_obligation_block, load_subjects_block, load_selector_block, load_invariant_block;

void load_issuers(struct load *load, const struct node *node);
void load_assurances(struct load *load, const struct node *node);
void load_roles(struct load *load, const struct node *node);
void load_actions(struct load *load, const struct node *node);
void load_types(struct load *load, const struct node *node);
void load_resources(struct load *load, const struct node *node);
void load_rules(struct load *load, const struct node *node);
void load_invariants(struct load *load, const struct node *node);
/* After every other block of every document: a test may name a rule of any. */
void load_tests(struct load *load, const struct node *node);

/* The `given` of one case of a test into *facts, as the sidecar would fill it.
 * Findings about all of it stand at `whole`, the block that it is a case of. */
void load_given(struct load *load, const struct node *node, const struct node *whole, struct facts *facts);

/* WORKLOAD of the language into a struct workload_selector. */
void load_workload(struct load *load, const struct node *node, void *out);

/* `subjects`, `actions` and `resources` of a rule into a struct rule_draft. */
void load_subjects(struct load *load, const struct node *node, void *out);
void load_action_names(struct load *load, const struct node *node, void *out);
void load_selector(struct load *load, const struct node *node, void *out);

/* COND into a const struct condition *. */
void load_condition(struct load *load, const struct node *node, void *out);

/* A zone's name into a const struct time_zone *, NULL for UTC. */
void load_zone(struct load *load, const struct node *node, void *out);

/* An obligations block into a struct obligation_set. */
void load_obligations(struct load *load, const struct node *node, void *out);

/* Parts of it that tests expect as well: an enum audit_level, the stream's members of a
 * struct obligation_set, a struct denial. */
void load_audit(struct load *load, const struct node *node, void *out);
void load_max_stream(struct load *load, const struct node *node, void *out);
void load_denial(struct load *load, const struct node *node, void *out);
extern const struct shape load_audit_shape, load_max_stream_shape;
extern const struct block load_denial_block;

/* The `expect` of a test. */
void load_expect(struct load *load, const struct node *node, struct expectation *expected);
extern const struct shape load_expect_shape;

/* The one value test (equals, anyOf, prefix ...) of a map into *out, by a table whose
 * FIELD_TEST rows are the tests it takes; its other keys are the caller's. */
void load_value_test(struct load *load, const struct node *map, const struct block *block, struct value_test *out);

/* Loads the documents of a set of files into *model. ERR_INVALID: see diags. The test
 * cases are in *tests. Drops each tape when its last document was read. */
MUST_CHECK enum err load_documents(struct tape *tapes, size_t count, struct arena *arena, struct arena *scratch,
                                   struct diag_list *diags, struct model *model, const struct test_case **tests,
                                   size_t *test_count);

#endif
