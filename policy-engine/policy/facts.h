/* SPDX-License-Identifier: Apache-2.0 */
/* Everything an evaluation may read, and nothing else.
 *
 * A `struct facts` is filled by the caller (the sidecar from a verified request,
 * `policy test` from YAML) and only borrowed by the engine. The engine knows no
 * gRPC, JSON or X.509: it gets views, numbers and claim trees. A zeroed struct
 * denies: its failures read REASON_INTERNAL.
 *
 * Three states (policy semantics S2): absent is known to be absent; unknown is
 * what cannot be judged (unparseable, over a limit, repeated, keys unavailable). */
#ifndef BARTIZAN_FACTS_H
#define BARTIZAN_FACTS_H

#include "reason.h"

/* A JSON value as the engine sees it. Numbers keep canonical decimal text, so a
 * claim 42 equals "42"; booleans are "true" or "false". */
enum value_kind { VALUE_ABSENT = 0, VALUE_NULL, VALUE_BOOL, VALUE_NUMBER, VALUE_STRING, VALUE_LIST, VALUE_MAP };

struct value {
    enum value_kind kind;
    struct view text;          /* BOOL, NUMBER, STRING */
    const struct value *items; /* LIST: elements; MAP: member values */
    const struct view *names;  /* MAP: member names, unique, same order as items */
    size_t count;              /* elements or members */
};

/* A header, query parameter or context extension. Header names are lower case. */
struct pair {
    struct view name;
    struct view value;
    bool is_repeated; /* the name occurs more than once: its value is unknown (U) */
};

enum proof {
    PROOF_NONE = 0,    /* no caller identity */
    PROOF_CERTIFICATE, /* an X.509-SVID verified here */
    PROOF_XFCC_TEXT,   /* the weaker mode: URI and Hash of an XFCC element, believed */
};

struct workload_facts {
    enum proof proof;
    struct view spiffe_id;    /* canonical; absent when proof is PROOF_NONE */
    struct view trust_domain; /* a part of spiffe_id */
};

enum user_state {
    USER_ABSENT = 0, /* no token was sent */
    USER_KNOWN,      /* a token verified; the fields below hold */
    USER_UNKNOWN,    /* a token that cannot be judged: keys unavailable (S5) */
};

enum { FACTS_ACTORS_MAX = 4 }; /* levels of `act`; deeper tokens are refused */

struct user_facts {
    enum user_state state;
    struct view issuer;         /* `iss`, the URL */
    struct view subject;        /* `sub` */
    const struct value *claims; /* the whole claim set, VALUE_MAP */
    const struct view *amr;     /* RFC 8176 values as the token has them */
    size_t amr_count;
    bool has_amr;    /* false: the claim is absent, which is not "no factors" */
    struct view acr; /* absent when the claim is */
    bool has_auth_time;
    int64_t auth_time;                    /* unix seconds */
    int64_t issued_at;                    /* unix seconds; 0 when absent */
    int64_t expires;                      /* unix seconds */
    struct view client;                   /* `azp`, else `client_id`; absent when neither */
    struct view actors[FACTS_ACTORS_MAX]; /* `act.sub`, outermost first */
    size_t actor_count;
    /* Which binding the token carries and that was found to fit this caller. A
     * binding that does not fit never gets here: it is a `user_failure`. */
    bool is_bound_to_certificate; /* cnf.x5t#S256 equals the caller's certificate */
    bool is_bound_to_workload;    /* cnf names the caller's SPIFFE ID (act.sub and client: the engine looks) */
    bool is_bound_by_dpop;        /* cnf.jkt, with a proof that verified */
};

/* What the request's body says, where the policy looks at it. */
enum body_state {
    BODY_ABSENT = 0, /* no body reached us */
    BODY_READ,       /* the fields below are what it says */
    BODY_UNREADABLE, /* partial, or not what its protocol says */
};

struct body_facts {
    enum body_state state;
    struct view model; /* absent when it names none */
    struct view tool;
    struct view call; /* JSON-RPC method */
};

struct address_fact {
    uint8_t family; /* 0 unknown, 4, 6 */
    uint8_t bytes[16];
};

struct facts {
    /* What was found wrong before any rule, REASON_NONE each when nothing was
     * (S5b). A workload failure outranks a user failure; a request failure both. */
    enum reason request_failure;
    enum reason workload_failure;
    enum reason user_failure;

    struct view method; /* as received */
    struct view host;   /* as received, port included */
    struct view path;   /* as received, query included; the engine refuses what is not canonical */
    bool is_raw_path;   /* the path was checked to be the raw bytes (header_map :path), so `!` is data */

    const struct pair *headers; /* without pseudo headers; names lower case */
    size_t header_count;

    struct workload_facts workload;
    struct user_facts user;
    struct body_facts body;

    struct address_fact source_ip; /* the physical peer */
    struct address_fact remote_ip; /* behind trusted proxies; unknown unless configured */
    uint16_t port;                 /* destination port, 0 unknown */
    struct view sni;               /* absent when unknown */
    const struct pair *context;    /* ext_authz context_extensions */
    size_t context_count;
    const struct value *metadata; /* filter metadata by filter name, VALUE_MAP or NULL */

    int64_t now;             /* unix seconds, sampled once */
    struct view decision_id; /* for $decision.id; absent outside the sidecar */
};

/* The member `name` of a map, or NULL. */
const struct value *value_get(const struct value *map, struct view name);

/* True for a header that proxies and clients write about the request (x-forwarded-*,
 * x-original-*, x-envoy-*, forwarded and their like): never believed, so never among
 * the facts. `host` is `:authority`, and what `connection` said is done by then. */
bool facts_is_hearsay(struct view name);

/* The header called `name` (lower case), or NULL. */
const struct pair *facts_header(const struct facts *facts, struct view name);

#endif
