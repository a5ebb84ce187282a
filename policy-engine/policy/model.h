/* SPDX-License-Identifier: Apache-2.0 */
/* A set of policy documents as typed, resolved, plain structs.
 *
 * The loader writes it once, the interpreter reads it as it stands and the
 * compiler turns it into a program. Everything lives in one arena; nothing is
 * changed after the load. Names are resolved: a reference is a pointer, and the
 * struct that it points to says its own `index` in the model's array. Every list
 * keeps file order. Language v1alpha1: docs/policy-language.md.
 *
 * What the loader guarantees, so that no reader checks it again: references are
 * never dangling, roles have no cycle and members of one kind, header names are
 * lower case, rule names are unique in the set, a challenge is answerable. */
#ifndef BARTIZAN_MODEL_H
#define BARTIZAN_MODEL_H

#include "decision.h"
#include "diag.h"
#include "request_path.h"
#include "time_zone.h"

struct path_pattern; /* path_pattern.h */

/* An enum that takes one byte of a struct: a policy has many. */
#define SMALL __attribute__((packed))

struct string_list {
    const struct view *items;
    size_t count;
};

/* A struct span that says its file by number: a policy has many. */
struct position {
    uint32_t file; /* index in model.files */
    uint32_t line;
    uint32_t column;
    uint32_t end_column;
};

/* ---- issuers ------------------------------------------------------------- */

/* What a factor is: RFC 8176 values are classed by the engine; an issuer's
 * amrClasses override that. Knowledge, possession and inherence are told apart
 * when factors are counted; UNKNOWN_CLASS is an override nobody can write. */
enum factor_class { FACTOR_UNKNOWN_CLASS = 0, FACTOR_KNOWLEDGE, FACTOR_POSSESSION, FACTOR_INHERENCE };

struct amr_alias { /* the issuer says `theirs` and means all of `ours` */
    struct view theirs;
    struct string_list ours;
};

struct amr_class {
    struct view amr;
    enum factor_class factor;
};

struct client_workload { /* an OAuth client that is a workload: `azp` maps to its SPIFFE ID */
    struct view client;
    struct view spiffe_id;
};

enum issuer_profile {
    PROFILE_GENERIC = 0,
    PROFILE_KEYCLOAK,
    PROFILE_ENTRA,
    PROFILE_OKTA,
    PROFILE_AUTH0,
    PROFILE_COGNITO,
    PROFILE_GOOGLE,
};

struct issuer {
    size_t index;
    struct view name;
    struct position span;
    struct view url; /* unique in the set */
    struct string_list audiences;
    enum issuer_profile profile;
    const struct amr_alias *amr_aliases;
    size_t amr_alias_count;
    struct string_list acr_order;                  /* lowest first; empty when the issuer ranks none */
    bool trusts_mfa_assertion;                     /* amr `mfa` alone proves two factors of unknown class */
    uint32_t clock_skew;                           /* seconds, 0 to 60 */
    uint32_t max_lifetime;                         /* seconds; 0: unlimited */
    struct string_list step_up_two_factors;        /* acr values that ask for, and prove, two factors */
    struct string_list step_up_phishing_resistant; /* the same, and phishing resistant */
    const struct amr_class *amr_classes;
    size_t amr_class_count;
    struct string_list phishing_resistant_acr; /* besides step_up_phishing_resistant, `phr`, `phrh` */
    struct string_list phishing_resistant_amr; /* the only amr values that count as phishing resistant */
    const struct client_workload *clients;
    size_t client_count;
};

/* ---- assurance ----------------------------------------------------------- */

enum binding { BINDING_NONE = 0, BINDING_WORKLOAD, BINDING_CERTIFICATE, BINDING_DPOP };

struct assurance {
    size_t index;
    struct view name;
    struct position span;
    uint32_t factors;               /* 0: not asked; 1 to 3 */
    struct string_list methods_any; /* one of these amr values; empty: not asked */
    struct string_list methods_all; /* all of these; empty: not asked */
    bool phishing_resistant;
    bool has_max_age;
    uint32_t max_age;       /* seconds */
    struct string_list acr; /* one of these; empty: not asked */
    struct view at_least;   /* this acr or one above it in the issuer's acr_order; absent: not asked */
    enum binding bound;
    const struct issuer *const *issuers; /* whose tokens can meet it: as written, else all of its document's */
    size_t issuer_count;
    struct string_list ask; /* as written; empty when not */
    /* What a challenge asks of a user of model.issuers[i]: `ask`, else `acr`, else
     * at_least and what stands above it, else the issuer's stepUp. model.issuer_count
     * elements; an empty list asks by max_age alone (or is not one of `issuers`). */
    const struct string_list *asked_of;
};

/* ---- tests on values ----------------------------------------------------- */

enum SMALL value_test_kind {
    TEST_ANY_OF = 0,   /* equals, anyOf: is one of `values`; of a list claim: some element is */
    TEST_CONTAINS_ALL, /* claim: every one of `values` is an element */
    TEST_PREFIX,       /* begins with one of `values`; of a list claim: some element does */
    TEST_SUFFIX,       /* header */
    TEST_CONTAINS,     /* header: some of `values` is a substring */
    TEST_PRESENT,      /* is there (`present` true) or not (false); never U */
    TEST_INT_RANGE,    /* a decimal in `range` */
};

struct int_range { /* [low, high] */
    int64_t low, high;
};

struct value_test {
    enum value_test_kind kind;
    bool present;
    struct string_list values;     /* at least 1 where the kind has them */
    const struct int_range *range; /* INT_RANGE; else NULL */
};

/* A dotted claim name: tried first as one top-level name, then step by step into
 * objects and into every element of an array. */
struct claim_path {
    struct view text;         /* the whole name */
    struct string_list steps; /* at least 1 */
};

struct claim_test {
    struct claim_path path;
    struct value_test test;
};

/* ---- subjects ------------------------------------------------------------ */

/* `spiffe://domain/seg/se*g/` and then `**`. A segment without `*` is literal; one
 * with it matches within one path segment only (`*` is zero or more bytes). */
struct spiffe_glob {
    struct view text;
    struct view trust_domain; /* literal; absent: any trust domain (written `*`) */
    struct string_list segments;
    bool has_rest; /* ends in `**`: zero or more further segments */
};

struct service_account { /* of an ID of the shape /ns/NS/sa/SA */
    struct view namespace;
    struct view account;
};

/* AND over the lists that are not empty, OR inside each. */
struct workload_selector {
    const struct spiffe_glob *spiffe;
    size_t spiffe_count;
    struct string_list trust_domains;
    struct string_list namespaces;
    const struct service_account *service_accounts;
    size_t service_account_count;
};

struct user_selector {
    const struct issuer *issuer; /* never NULL */
    struct string_list subjects; /* empty: any */
    const struct claim_test *claims;
    size_t claim_count; /* all must hold */
};

enum role_kind { ROLE_WORKLOAD = 0, ROLE_USER };

struct role {
    size_t index;
    struct view name;
    struct position span;
    enum role_kind kind;
    const struct workload_selector *workloads; /* ROLE_WORKLOAD: own members, one must match */
    size_t workload_count;
    const struct user_selector *users; /* ROLE_USER */
    size_t user_count;
    const struct role *const *inherits; /* as written */
    size_t inherit_count;
    const struct role *const *held; /* what a member of this role holds: itself and all it inherits, transitively */
    size_t held_count;
    const struct role *const *holders; /* the other way: itself and every role that inherits it, transitively */
    size_t holder_count;
};

/* ---- actions ------------------------------------------------------------- */

struct host_pattern {
    struct view text;
    struct view name; /* lower case, without a leading `*.` */
    bool is_suffix;   /* written `*.name`: one or more labels under it */
    uint16_t port;    /* 0: any */
};

enum SMALL body_protocol { BODY_PROTOCOL_NONE = 0, BODY_PROTOCOL_OPENAI, BODY_PROTOCOL_MCP, BODY_PROTOCOL_KSERVE };

/* A query parameter that an operation wants. */
struct query_test {
    struct view name;
    struct value_test test; /* TEST_ANY_OF */
};

enum SMALL operation_kind { OPERATION_HTTP = 0, OPERATION_GRPC };

/* The path is /service/method, compared byte for byte. */
struct grpc_name {
    struct view service;
    struct view method;
    bool method_is_prefix; /* written `Svc/Pre*`, or `Svc/` and a star: then method is empty and present */
};

/* What few operations want. */
struct operation_extras {
    const struct query_test *queries; /* all of them hold */
    struct view call;                 /* JSON-RPC method it must be; absent: any */
    uint32_t query_count;
};

/* One thing a request can be. A catalog's or policy's entry with several paths
 * gives several operations. */
struct operation {
    enum operation_kind kind;
    enum body_protocol body;    /* how the body names the resource */
    bool encoded_slash_is_data; /* %2F may stand inside a captured segment */
    uint32_t host_count;        /* 0: any */
    struct view name;           /* "kserve-v1.predict", or the action's own name */
    struct position span;       /* the `uses` element or the entry */
    struct string_list methods; /* upper case; empty: any. gRPC: POST */
    const struct host_pattern *hosts;
    const struct path_pattern *path;       /* OPERATION_HTTP; else NULL */
    const struct grpc_name *grpc;          /* OPERATION_GRPC; else NULL */
    const struct operation_extras *extras; /* never NULL */
};

struct action {
    uint32_t index;
    uint32_t operation_count;
    struct view name;
    struct position span;
    const struct operation *operations; /* any of them */
};

/* ---- resources ----------------------------------------------------------- */

enum id_source_kind { ID_PATH = 0, ID_BODY_MODEL, ID_BODY_TOOL, ID_HEADER, ID_LITERAL };

struct id_source {
    enum id_source_kind kind;
    struct view name; /* ID_PATH: the variable; ID_HEADER: lower case; ID_LITERAL: the id */
};

struct resource_type {
    size_t index;
    struct view name;
    struct position span;
    const struct host_pattern *hosts; /* empty: every host */
    size_t host_count;
    const struct id_source *ids; /* at least 1; ID_LITERAL stands alone */
    size_t id_count;
};

struct label {
    struct view key;
    struct view value;
};

struct id_pattern {
    struct view text; /* the literal, or what stands before the final `*` */
    bool is_prefix;
};

struct resource { /* catalog entry; the longest matching one of its type supplies all labels */
    uint32_t index;
    uint32_t label_count; /* at most DECISION_LABELS_MAX, keys unique */
    struct position span;
    const struct resource_type *type;
    struct id_pattern id; /* unique within its type */
    const struct label *labels;
};

/* ---- conditions ---------------------------------------------------------- */

enum SMALL condition_kind {
    CONDITION_ALL = 0, /* children; Kleene AND */
    CONDITION_ANY,     /* children; Kleene OR */
    CONDITION_NOT,     /* one child, a leaf */
    CONDITION_TIME,
    CONDITION_SOURCE_IP,
    CONDITION_REMOTE_IP,
    CONDITION_HEADER,
    CONDITION_QUERY,
    CONDITION_CLAIM,
    CONDITION_CONTEXT,
    CONDITION_METADATA,
    CONDITION_PORT,
    CONDITION_SNI,
};

struct time_window {              /* every part that is there must hold */
    const struct time_zone *zone; /* of days and between; NULL: UTC */
    uint8_t days;                 /* bit 0 Monday .. bit 6 Sunday; 0: any */
    bool has_between;
    uint16_t start, end; /* minutes of the day, [start, end); end <= start wraps midnight */
    bool has_from, has_until;
    int64_t from, until; /* unix seconds, [from, until) */
};

struct cidr {
    uint8_t family; /* 4, 6 */
    uint8_t bits;   /* prefix length; host bits of `bytes` are zero */
    uint8_t bytes[16];
};

/* What only some kinds have. */
struct condition_parts {
    const struct time_window *time;   /* TIME; else NULL */
    const struct claim_path *path;    /* CLAIM; METADATA: the steps inside the filter's value (no top-level try) */
    const struct cidr *cidrs;         /* SOURCE_IP, REMOTE_IP: in any of them */
    const struct host_pattern *names; /* SNI: any of them, port 0 */
    uint32_t cidr_count, name_count;
    uint16_t port_low, port_high; /* PORT: inclusive */
};

struct condition {
    enum condition_kind kind;
    uint32_t child_count;
    struct position span;
    struct view name;                    /* HEADER (lower case), QUERY, CONTEXT: its name; METADATA: the filter */
    struct value_test test;              /* HEADER, QUERY, CLAIM, CONTEXT, METADATA */
    const struct condition *children;    /* ALL, ANY: at least 1; NOT: exactly 1 */
    const struct condition_parts *parts; /* never NULL */
};

/* ---- obligations --------------------------------------------------------- */

enum template_kind {
    TEMPLATE_TEXT = 0,
    TEMPLATE_USER_SUB,
    TEMPLATE_USER_ISSUER,
    TEMPLATE_WORKLOAD_SPIFFE,
    TEMPLATE_RESOURCE_ID,
    TEMPLATE_CLAIM,
    TEMPLATE_DECISION_ID,
};

struct template_part {
    enum template_kind kind;
    struct view text;        /* TEMPLATE_TEXT: bytes [\x20-\x7e] */
    struct claim_path claim; /* TEMPLATE_CLAIM */
};

struct template
{ /* parts joined; none gives the empty value */
    const struct template_part *parts;
    size_t count;
};

struct header_template {
    enum header_action action;
    struct view name; /* lower case; metadata: as written */
    struct template value;
};

struct obligation_set {
    const struct header_template *request_headers; /* set, then append */
    size_t request_header_count;
    struct string_list remove_headers; /* lower case */
    const struct header_template *response_headers;
    size_t response_header_count;
    const struct header_template *metadata;
    size_t metadata_count;
    const struct header_template *query_params;
    size_t query_param_count;
    struct string_list remove_queries;
    struct denial denial;   /* deny */
    enum audit_level audit; /* AUDIT_SUMMARY unless written */
    bool has_max_stream;
    uint32_t max_stream; /* seconds */
    bool max_stream_by_credentials;
};

/* ---- rules --------------------------------------------------------------- */

enum SMALL rule_effect { RULE_DENY = 0, RULE_ALLOW };

enum { PLATFORM_PRIORITY = 8 };

enum SMALL workload_demand {
    WORKLOAD_UNCONSTRAINED = 0,
    WORKLOAD_ANY,      /* there is one */
    WORKLOAD_ROLES,    /* it holds one of workload_roles */
    WORKLOAD_SELECTED, /* it matches `workload` */
};

enum SMALL user_demand {
    USER_UNCONSTRAINED = 0,
    USER_ANY,   /* there is one */
    USER_NONE,  /* there is none */
    USER_ROLES, /* holds one of user_roles */
};

enum SMALL delegation_demand {
    DELEGATION_UNCONSTRAINED = 0, /* does not look: a deny that is silent */
    DELEGATION_NONE,              /* no `act`: an allow that is silent */
    DELEGATION_ANY,               /* some `act` */
    DELEGATION_PEER,              /* the outermost actor is the calling workload, at most max_depth levels */
};

struct label_test {
    struct view key;
    struct string_list values; /* any of them */
};

/* Where a request says what it is for, and what it may say. */
struct purpose {
    bool is_demanded; /* allow */
    bool is_claim;    /* else a header */
    struct claim_path claim;
    struct view header; /* lower case */
    struct string_list values;
};

/* Who asks. */
struct rule_subjects {
    enum workload_demand workload_demand;
    enum user_demand user_demand;
    enum delegation_demand delegation;
    uint8_t max_depth;      /* DELEGATION_PEER: 1 to FACTS_ACTORS_MAX */
    bool accepts_xfcc_text; /* workload demands are met by PROOF_XFCC_TEXT too; a deny that is silent accepts it */
    uint32_t workload_role_count, user_role_count;
    const struct role *const *workload_roles;
    const struct role *const *user_roles;
    const struct workload_selector *workload; /* never NULL; empty unless WORKLOAD_SELECTED */
};

/* What a request is about. */
struct rule_resources {
    uint32_t type_count, id_count, label_count, not_label_count;
    const struct resource_type *const *types; /* the types it can be about: never empty when has_resources */
    const struct id_pattern *ids;             /* any of them; 0: any */
    const struct label_test *labels;          /* all of them hold */
    const struct label_test *not_labels;      /* none of them holds */
};

/* What most rules leave out, and what the rules of one document have in common. */
struct rule_terms {
    struct view owner;                        /* metadata.owner of its document; absent when it has none */
    struct view reason;                       /* the operator's own text; absent without */
    const struct assurance *assurance;        /* allow; NULL: none */
    const struct purpose *purpose;            /* never NULL */
    const struct condition *unless;           /* deny; NULL: never */
    const struct assurance *unless_assurance; /* deny; NULL: no */
    const struct obligation_set *obligations; /* never NULL */
};

/* Its parts are shared with other rules that say the same. */
struct rule {
    uint32_t index;
    uint32_t action_count;
    enum rule_effect effect;
    uint8_t priority; /* 0 to 15, higher first; from PLATFORM_PRIORITY on the platform's own */
    bool has_resources;
    struct view name; /* DOCUMENT/RULE */
    struct position span;
    const struct rule_subjects *subjects;   /* never NULL */
    const struct action *const *actions;    /* any of them; 0: every request */
    const struct rule_resources *resources; /* never NULL; empty unless has_resources */
    const struct condition *when;           /* NULL: always */
    const struct rule_terms *terms;         /* never NULL */
};

/* ---- invariants ---------------------------------------------------------- */

enum invariant_assurance {
    INVARIANT_ANY_ASSURANCE = 0,
    INVARIANT_NO_ASSURANCE, /* no user, fewer than two factors, or none of `levels` met */
    INVARIANT_LEVEL,        /* levels[0] is met */
};

struct invariant {
    struct view name;
    struct position span;
    bool is_always; /* each selected request gets the verdict; else none does */
    enum verdict verdict;
    struct rule selected; /* its subjects, actions and resources; judged as a deny's: what cannot be judged is U */
    bool has_excluded;
    struct rule excluded; /* subjects of whom it does not speak */
    enum invariant_assurance assurance;
    const struct assurance *const *levels; /* INVARIANT_LEVEL: one; INVARIANT_NO_ASSURANCE: the document's */
    size_t level_count;
};

struct model {
    const struct view *files; /* the names of the files it was read from */
    size_t file_count;
    enum path_mode path_mode;
    uint32_t max_groups; /* most elements of a list claim; over it the claim is U */
    uint32_t max_segments;
    uint32_t max_path_bytes;
    const struct issuer *issuers;
    size_t issuer_count;
    const struct assurance *assurances;
    size_t assurance_count;
    const struct role *roles;
    size_t role_count;
    const struct action *actions;
    size_t action_count;
    const struct resource_type *types;
    size_t type_count;
    const struct resource *resources;
    size_t resource_count;
    const struct rule *rules;
    size_t rule_count;
    const struct invariant *invariants;
    size_t invariant_count;
    struct string_list settable_queries; /* parameters that some rule sets; each once, as are: */
    struct string_list touched_queries;  /* those that some rule sets or removes */
    bool reads_body;                     /* some type has ID_BODY_*, or some operation a call */
};

/* Without the file's text: diag_list_locate finds the line. */
static inline struct span model_span(const struct model *model, struct position position)
{
    return (struct span){.file = position.file < model->file_count ? model->files[position.file] : (struct view){0},
                         .line = position.line,
                         .column = position.column,
                         .end_column = position.end_column};
}

#endif
