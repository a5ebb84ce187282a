/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_space.h"

#include <stdlib.h>

#define BIT(dimension) ((uint64_t)1 << (dimension))
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- atoms --------------------------------------------------------------- */

/* A header or context value; absent without text. */
struct text_atom {
    const char *text;
    bool is_repeated;
};

static const struct text_atom x_a[] = {{NULL, false}, {"", false},   {"v", false},   {"v1", false}, {"v1x", false},
                                       {"w", false},  {"w1", false}, {"w1x", false}, {"v1", true}};
static const struct text_atom x_n[] = {{NULL, false}, {"", false},   {"0", false},  {"1", false}, {"10", false},
                                       {"11", false}, {"-1", false}, {"1x", false}, {"5", true}};
static const struct text_atom x_purpose[] = {{NULL, false}, {"", false}, {"p1", false}, {"p", false}, {"p1", true}};
static const struct text_atom x_model[] = {{NULL, false}, {"m1", false}, {"m2", false}, {"zzz", false},
                                           {"", false},   {"..", false}, {"m1", true}};
static const struct text_atom context[] = {{NULL, false}, {"r1", false}, {"r2", false}, {"", false}, {"r1", true}};

static const struct header_dimension {
    const char *name;
    const struct text_atom *atoms;
    size_t count;
} headers[] = {{"x-a", x_a, COUNT(x_a)},
               {"x-n", x_n, COUNT(x_n)},
               {"x-purpose", x_purpose, COUNT(x_purpose)},
               {"x-model", x_model, COUNT(x_model)}};
_Static_assert(COUNT(headers) == DIM_X_MODEL - DIM_X_A + 1, "a row per header");

/* Pieces of a query: absent, values, repeated, without a value, not decodable, in another writing. */
static const char *const query_q[] = {NULL, "q=v1", "q=v2", "q=v1&q=v1", "q", "q=a+b", "%zz=1&q=v1", "%71=v1"};
static const char *const query_n[] = {NULL, "n=0", "n=1", "n=10", "n=11", "n=1x", "n=5&n=5", "n=5;m"};
static const char *const query_op[] = {NULL, "op=list", "op=show", "op=drop", "op=lis", "op=dr%6Fp", "op=list;op=drop"};
static const char *const query_t[] = {NULL, "t=me", "%74=me", "t=a&t=b", "%zz=1"};

static const struct query_dimension {
    const char *const *atoms;
    size_t count;
} queries[] = {
    {query_q, COUNT(query_q)}, {query_n, COUNT(query_n)}, {query_op, COUNT(query_op)}, {query_t, COUNT(query_t)}};

#define TEXT(literal)                                                                                                  \
    {                                                                                                                  \
        .kind = VALUE_STRING, .text = { literal, sizeof(literal) - 1 }                                                 \
    }
#define NUMBER(literal)                                                                                                \
    {                                                                                                                  \
        .kind = VALUE_NUMBER, .text = { literal, sizeof(literal) - 1 }                                                 \
    }
#define LIST(array)                                                                                                    \
    {                                                                                                                  \
        .kind = VALUE_LIST, .items = (array), .count = COUNT(array)                                                    \
    }
#define MAP(name, value)                                                                                               \
    {                                                                                                                  \
        .kind = VALUE_MAP, .names = &(name), .items = &(value), .count = 1                                             \
    }

static const struct value one_g1[] = {TEXT("g1")}, one_g2[] = {TEXT("g2")}, one_g3[] = {TEXT("g3")};
static const struct value one_big[] = {TEXT("G1")}, g1_g2[] = {TEXT("g1"), TEXT("g2")};
static const struct value one_map[] = {{.kind = VALUE_MAP}}, g1_map[] = {TEXT("g1"), {.kind = VALUE_MAP}};
static const struct value many[] = {TEXT("g1"), TEXT("g1"), TEXT("g1"), TEXT("g1"), TEXT("g1")};
static const struct value one_r1[] = {TEXT("r1")}, one_r3[] = {TEXT("r3")}, one_read[] = {TEXT("s:read")};
static const struct value one_ad[] = {TEXT("ad")}, two_ad[] = {TEXT("ad"), TEXT("ad")}, one_3[] = {NUMBER("3")};
static const struct value p1_p2[] = {TEXT("p1"), TEXT("p2")}, one_pay[] = {TEXT("pay")};
static const struct value r1_list = LIST(one_r1), r3_list = LIST(one_r3), r2_text = TEXT("r2"), pay = TEXT("pay");
static const struct value see = TEXT("see"), pay_list = LIST(one_pay);
static const struct view roles_name = {"roles", 5}, type_name = {"type", 4};

static const struct value groups[] = {
    {.kind = VALUE_ABSENT}, {.kind = VALUE_NULL}, {.kind = VALUE_MAP}, TEXT("g1"),   TEXT("g2"),
    {.kind = VALUE_LIST},   LIST(one_g1),         LIST(one_g2),        LIST(one_g3), LIST(g1_g2),
    LIST(one_big),          LIST(one_map),        LIST(g1_map),        LIST(many)};
static const struct value roles[] = {
    {.kind = VALUE_ABSENT}, TEXT("r1"), LIST(one_r1), LIST(one_r3), {.kind = VALUE_MAP}};
static const struct value realm[] = {
    {.kind = VALUE_ABSENT}, TEXT("r1"), MAP(roles_name, r1_list), MAP(roles_name, r3_list), MAP(roles_name, r2_text)};
static const struct value dotted[] = {{.kind = VALUE_ABSENT}, LIST(one_r1), LIST(one_r3), {.kind = VALUE_NULL}};
static const struct value scope[] = {
    {.kind = VALUE_ABSENT},  TEXT(""),       TEXT("s:read"), TEXT("s:readx"), TEXT("s:read s:write"),
    TEXT("s:write  s:read"), LIST(one_read), NUMBER("5")};
static const struct value email[] = {{.kind = VALUE_ABSENT},
                                     {.kind = VALUE_NULL},
                                     TEXT("ada@ex"),
                                     TEXT("a"),
                                     TEXT("ad"),
                                     TEXT("ad\r\nx: y"),
                                     TEXT(""),
                                     NUMBER("5"),
                                     LIST(one_ad),
                                     LIST(two_ad)};
static const struct value purpose[] = {
    {.kind = VALUE_ABSENT}, TEXT("p1"), TEXT("p2"), TEXT("p3"), TEXT("p1 "), LIST(p1_p2)};
static const struct value level[] = {{.kind = VALUE_ABSENT}, NUMBER("1"),  NUMBER("2"), NUMBER("5"), NUMBER("6"),
                                     NUMBER("2.5"),          NUMBER("-3"), TEXT("3"),   LIST(one_3)};
static const struct value details[] = {
    {.kind = VALUE_ABSENT}, MAP(type_name, pay), MAP(type_name, see), TEXT("pay"), MAP(type_name, pay_list)};
static const struct value some_text[] = {{.kind = VALUE_ABSENT}, TEXT("s")};

static const struct claim_dimension {
    const char *name;
    const struct value *atoms;
    size_t count;
} claims[] = {
    {"groups", groups, COUNT(groups)},
    {"roles", roles, COUNT(roles)},
    {"realm", realm, COUNT(realm)},
    {"realm.roles", dotted, COUNT(dotted)},
    {"scope", scope, COUNT(scope)},
    {"email", email, COUNT(email)},
    {"purpose", purpose, COUNT(purpose)},
    {"level", level, COUNT(level)},
    {"details", details, COUNT(details)},
    {"sid", some_text, COUNT(some_text)},
    {"client_id", some_text, COUNT(some_text)},
};
_Static_assert(COUNT(claims) == DIM_CLIENT_ID - DIM_GROUPS + 1, "a row per claim");

static const struct view amr_pwd[] = {{"pwd", 3}}, amr_otp[] = {{"otp", 3}}, amr_both[] = {{"pwd", 3}, {"otp", 3}};
static const struct view amr_pins[] = {{"pwd", 3}, {"pin", 3}}, amr_hwk[] = {{"hwk", 3}}, amr_kba[] = {{"kba", 3}};
static const struct view amr_weak[] = {{"kba", 3}, {"otp", 3}}, amr_theirs[] = {{"theirs", 6}}, amr_x[] = {{"x", 1}};
static const struct view amr_mfa[] = {{"mfa", 3}}, amr_face[] = {{"face", 4}, {"hwk", 3}};
static const struct amr_atom {
    const struct view *items;
    size_t count;
    bool is_present;
} amr[] = {{NULL, 0, false},    {amr_pwd, 0, true},  {amr_pwd, 1, true}, {amr_otp, 1, true},  {amr_both, 2, true},
           {amr_pins, 2, true}, {amr_hwk, 1, true},  {amr_kba, 1, true}, {amr_weak, 2, true}, {amr_theirs, 1, true},
           {amr_mfa, 1, true},  {amr_face, 2, true}, {amr_x, 1, true}};
static const char *const acrs[] = {NULL, "low", "mfa", "phr", "phrh", "two", "strong", "none"};
static const char *const subjects[] = {"u1", "u2", "u3", "u\x7f"}, *const clients[] = {NULL, "app", "other"};

#define CALLER_X "spiffe://prod.ex/ns/a/sa/x"
#define CALLER_Y "spiffe://prod.ex/ns/b/sa/y"
static const char *const callers[] = {CALLER_X,
                                      NULL,
                                      CALLER_Y,
                                      "spiffe://prod.ex/ns/a/sa/y",
                                      "spiffe://prod.ex/ns/b/sa/x",
                                      "spiffe://prod.ex/ns/ab/sa/x",
                                      "spiffe://dev.ex/w",
                                      "spiffe://dev.ex/ns/a/sa/x",
                                      "spiffe://prod.ex/ns/b",
                                      "spiffe://prod.ex/ns/b/sa/y/z"};
/* The outermost first; the first SPACE_ACTORS_SILENT are enough for a policy that is silent on delegation. */
static const char *const actors[][FACTS_ACTORS_MAX] = {
    {NULL}, {CALLER_X}, {CALLER_Y}, {CALLER_X, CALLER_Y}, {CALLER_Y, CALLER_X, CALLER_X}};

static const char *const hosts[] = {"h.ex", "x.h.ex", "H.EX:8080", "p.ex:8080", "p.ex", "i.other", "fixed.h.ex", "ex"};
static const struct body_facts bodies[] = {
    {.state = BODY_ABSENT},
    {.state = BODY_UNREADABLE},
    {.state = BODY_READ},
    {.state = BODY_READ, .model = {"m1", 2}},
    {.state = BODY_READ, .model = {"m2", 2}},
    {.state = BODY_READ, .model = {"zzz", 3}},
    {.state = BODY_READ, .call = {"tools/call", 10}},
    {.state = BODY_READ, .call = {"tools/list", 10}},
    {.state = BODY_READ, .model = {"m1", 2}, .call = {"tools/call", 10}},
};
static const struct address_fact addresses[] = {
    {.family = 4, .bytes = {9, 255, 255, 255}},
    {.family = 4, .bytes = {10}},
    {.family = 4, .bytes = {10, 255, 255, 255}},
    {.family = 4, .bytes = {11}},
    {.family = 4, .bytes = {192, 0, 1, 255}},
    {.family = 4, .bytes = {192, 0, 2, 0}},
    {.family = 4, .bytes = {192, 0, 2, 127}},
    {.family = 4, .bytes = {192, 0, 2, 128}},
    {.family = 6, .bytes = {0x20, 1, 0x0d, 0xb8}},
    {.family = 6, .bytes = {0x20, 1, 0x0d, 0xb9}},
    {.family = 6, .bytes = {[10] = 0xff, [11] = 0xff, [12] = 10}},
    {.family = 6, .bytes = {[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2}},
    {.family = 0},
};
static const uint16_t ports[] = {0, 79, 80, 90, 91};
static const char *const snis[] = {NULL, "sni.ex", "a.SNI.ex", "xsni.ex", ".sni.ex", "other"};
static const struct view filter_name = {"f", 1}, key_name = {"k", 1};
static const struct value v1_text = TEXT("v1"), v2_text = TEXT("v2"), empty_map = {.kind = VALUE_MAP};
static const struct value v1_map = MAP(key_name, v1_text), v2_map = MAP(key_name, v2_text);
static const struct value map_map = MAP(key_name, empty_map);
static const struct value metadata[] = {{.kind = VALUE_ABSENT},
                                        MAP(filter_name, v1_map),
                                        MAP(filter_name, v2_map),
                                        MAP(filter_name, map_map),
                                        MAP(filter_name, v1_text)};

/* What is refused before any rule; the first is nothing. */
static const struct fault {
    enum reason request, workload, user;
    const char *method, *host, *path, *issuer;
} faults[] = {
    {0},
    {.method = "get"},
    {.host = "a..b"},
    {.host = "h.ex:0"},
    {.path = "/a/../b"},
    {.path = "m"},
    {.path = "/m/%7E#"},
    {.path = "/1/2/3/4/5/6/7"}, /* over maxSegments */
    {.issuer = "https://x"},
    {.request = REASON_REQUEST_HEADER},
    {.workload = REASON_CERTIFICATE_EXPIRED},
    {.user = REASON_TOKEN_SIGNATURE},
    {.workload = REASON_CERTIFICATE_REVOKED, .user = REASON_TOKEN_EXPIRED},
};

enum user_atom { USER_ATOM_NONE = 0, USER_ATOM_UNKNOWN, USER_ATOM_NO_KEYS, USER_ATOM_SSO, USER_ATOM_OTHER };
_Static_assert((int)USER_ATOM_SSO == (int)SPACE_NO_USERS, "known users come last");

/* ---- one dimension's atom into the request -------------------------------- */

/* Parts of the facts that are filled at once. */
enum part { PART_TARGET = 0, PART_LINE, PART_BODY, PART_CALLER, PART_USER, PART_CLAIMS, PART_HEADERS, PART_SCENE };

static enum part part_of(enum dimension dimension)
{
    if (dimension == DIM_PATH || (dimension >= DIM_QUERY_Q && dimension <= DIM_QUERY_T))
        return PART_TARGET;
    if (dimension == DIM_METHOD || dimension == DIM_HOST)
        return PART_LINE;
    if (dimension == DIM_BODY)
        return PART_BODY;
    if (dimension == DIM_CALLER || dimension == DIM_PROOF)
        return PART_CALLER;
    if (dimension < DIM_GROUPS)
        return PART_USER;
    return dimension < DIM_X_A ? PART_CLAIMS : dimension < DIM_NOW ? PART_HEADERS : PART_SCENE;
}

static size_t append(struct policy_space *space, size_t size, const char *text, size_t text_size)
{
    if (size + text_size > sizeof space->target)
        abort();
    memcpy(space->target + size, text, text_size);
    return size + text_size;
}

static void target_fill(struct policy_space *space)
{
    struct view path = space->paths[space->at[DIM_PATH]];
    size_t size = append(space, 0, path.data, path.size);
    bool has_query = false;
    for (size_t i = 0; i < COUNT(queries); i++) {
        const char *piece = queries[i].atoms[space->at[DIM_QUERY_Q + i]];
        if (!piece)
            continue;
        size = append(space, size, has_query ? "&" : "?", 1);
        size = append(space, size, piece, strlen(piece));
        has_query = true;
    }
    space->facts.path = (struct view){.data = space->target, .size = size};
}

static void caller_fill(struct policy_space *space)
{
    struct facts *facts = &space->facts;
    struct view id = view_of(callers[space->at[DIM_CALLER]]);
    facts->workload = (struct workload_facts){0};
    facts->workload_failure = view_is_present(id) ? REASON_NONE : REASON_CERTIFICATE_NONE;
    if (!view_is_present(id))
        return;
    facts->workload.proof = space->at[DIM_PROOF] == 0 ? PROOF_CERTIFICATE : PROOF_XFCC_TEXT;
    facts->workload.spiffe_id = id;
    facts->workload.trust_domain = view_slice(id, 9, view_index_of(id, '/', 9));
}

static void user_fill(struct policy_space *space)
{
    enum user_atom atom = (enum user_atom)space->at[DIM_USER];
    struct user_facts *user = &space->facts.user;
    *user = (struct user_facts){.state = atom == USER_ATOM_UNKNOWN ? USER_UNKNOWN : USER_ABSENT};
    space->facts.user_failure = atom == USER_ATOM_NO_KEYS ? REASON_KEYS_UNAVAILABLE : REASON_NONE;
    if (atom < USER_ATOM_SSO)
        return;
    user->state = USER_KNOWN;
    user->issuer = atom == USER_ATOM_SSO ? VIEW("https://sso.ex") : VIEW("https://other.ex");
    user->subject = view_of(subjects[space->at[DIM_SUBJECT]]);
    user->claims = &space->claim_map;
    user->amr = amr[space->at[DIM_AMR]].items;
    user->amr_count = amr[space->at[DIM_AMR]].count;
    user->has_amr = amr[space->at[DIM_AMR]].is_present;
    user->acr = view_of(acrs[space->at[DIM_ACR]]);
    user->has_auth_time = space->at[DIM_AGE] > 0;
    user->auth_time = space->facts.now - space->ages[space->at[DIM_AGE]];
    user->is_bound_to_certificate = space->at[DIM_BOUND] == 1;
    user->is_bound_to_workload = space->at[DIM_BOUND] == 2;
    user->is_bound_by_dpop = space->at[DIM_BOUND] == 3;
    user->client = view_of(clients[space->at[DIM_CLIENT]]);
    const char *const *acting = actors[space->at[DIM_ACTORS]];
    for (; user->actor_count < FACTS_ACTORS_MAX && acting[user->actor_count]; user->actor_count++)
        user->actors[user->actor_count] = view_of(acting[user->actor_count]);
}

static void claims_fill(struct policy_space *space)
{
    size_t count = 0;
    for (size_t i = 0; i < COUNT(claims); i++) {
        const struct value *value = &claims[i].atoms[space->at[DIM_GROUPS + i]];
        if (value->kind == VALUE_ABSENT)
            continue;
        space->claim_names[count] = view_of(claims[i].name);
        space->claim_values[count++] = *value;
    }
    space->claim_map =
        (struct value){.kind = VALUE_MAP, .items = space->claim_values, .names = space->claim_names, .count = count};
}

static void headers_fill(struct policy_space *space)
{
    size_t count = 0;
    for (size_t i = 0; i < COUNT(headers); i++) {
        const struct text_atom *atom = &headers[i].atoms[space->at[DIM_X_A + i]];
        if (atom->text)
            space->headers[count++] = (struct pair){view_of(headers[i].name), view_of(atom->text), atom->is_repeated};
    }
    space->facts.headers = space->headers;
    space->facts.header_count = count;
}

static void scene_fill(struct policy_space *space)
{
    struct facts *facts = &space->facts;
    const struct text_atom *route = &context[space->at[DIM_CONTEXT]];
    const struct value *of_filters = &metadata[space->at[DIM_METADATA]];
    /* The age of a login is counted from now. */
    facts->user.auth_time += space->policy.instants[space->at[DIM_NOW]] - facts->now;
    facts->now = space->policy.instants[space->at[DIM_NOW]];
    facts->source_ip = addresses[space->at[DIM_SOURCE_IP]];
    facts->remote_ip = addresses[space->at[DIM_REMOTE_IP]];
    facts->port = ports[space->at[DIM_PORT]];
    facts->sni = view_of(snis[space->at[DIM_SNI]]);
    space->route = (struct pair){VIEW("route"), view_of(route->text), route->is_repeated};
    facts->context = &space->route;
    facts->context_count = route->text != NULL;
    facts->metadata = of_filters->kind == VALUE_ABSENT ? NULL : of_filters;
    facts->decision_id = space->at[DIM_ID] == 0 ? (struct view){0} : VIEW("d-1");
}

static void part_fill(struct policy_space *space, enum part part)
{
    switch (part) {
    case PART_TARGET: target_fill(space); break;
    case PART_LINE:
        space->facts.method = space->methods[space->at[DIM_METHOD]];
        space->facts.host = view_of(hosts[space->at[DIM_HOST]]);
        break;
    case PART_BODY: space->facts.body = bodies[space->at[DIM_BODY]]; break;
    case PART_CALLER: caller_fill(space); break;
    case PART_USER: user_fill(space); break;
    case PART_CLAIMS: claims_fill(space); break;
    case PART_HEADERS: headers_fill(space); break;
    case PART_SCENE: scene_fill(space); break;
    }
}

void space_fill(struct policy_space *space, uint64_t dimensions)
{
    unsigned parts = 0;
    for (uint64_t rest = dimensions & ~BIT(DIM_FAULT); rest != 0; rest &= rest - 1)
        parts |= 1u << part_of((enum dimension)__builtin_ctzll(rest));
    for (; parts != 0; parts &= parts - 1)
        part_fill(space, (enum part)__builtin_ctz(parts));
}

void space_fault_fill(struct policy_space *space)
{
    const struct fault *fault = &faults[space->at[DIM_FAULT]];
    struct facts *facts = &space->facts;
    facts->request_failure = REASON_NONE;
    space_fill(space, BIT(DIM_PATH) | BIT(DIM_METHOD) | BIT(DIM_CALLER) | BIT(DIM_USER));
    if (space->at[DIM_FAULT] == 0)
        return;
    facts->request_failure = fault->request ? fault->request : REASON_NONE;
    facts->workload_failure = fault->workload ? fault->workload : facts->workload_failure;
    facts->user_failure = fault->user ? fault->user : facts->user_failure;
    facts->method = fault->method ? view_of(fault->method) : facts->method;
    facts->host = fault->host ? view_of(fault->host) : facts->host;
    facts->path = fault->path ? view_of(fault->path) : facts->path;
    if (fault->issuer)
        facts->user = (struct user_facts){.state = USER_KNOWN, .issuer = view_of(fault->issuer)};
}

/* ---- how many there are ----------------------------------------------------- */

void space_counts_fill(struct policy_space *space)
{
    static const size_t whole[DIMENSIONS] = {
        [DIM_HOST] = COUNT(hosts),
        [DIM_BODY] = COUNT(bodies),
        [DIM_CALLER] = COUNT(callers),
        [DIM_PROOF] = 2,
        [DIM_SUBJECT] = COUNT(subjects),
        [DIM_AMR] = COUNT(amr),
        [DIM_ACR] = COUNT(acrs),
        [DIM_BOUND] = 4,
        [DIM_CLIENT] = COUNT(clients),
        [DIM_ACTORS] = COUNT(actors),
        [DIM_SOURCE_IP] = COUNT(addresses),
        [DIM_REMOTE_IP] = COUNT(addresses),
        [DIM_PORT] = COUNT(ports),
        [DIM_SNI] = COUNT(snis),
        [DIM_CONTEXT] = COUNT(context),
        [DIM_METADATA] = COUNT(metadata),
        [DIM_ID] = 2,
    };
    for (size_t i = 0; i < DIMENSIONS; i++)
        space->counts[i] = whole[i];
    for (size_t i = 0; i < COUNT(queries); i++)
        space->counts[DIM_QUERY_Q + i] = queries[i].count;
    for (size_t i = 0; i < COUNT(claims); i++)
        space->counts[DIM_GROUPS + i] = claims[i].count;
    for (size_t i = 0; i < COUNT(headers); i++)
        space->counts[DIM_X_A + i] = headers[i].count;
    space->counts[DIM_FAULT] = COUNT(faults);
    space->counts[DIM_USER] = space->policy.has_other_issuer ? USER_ATOM_OTHER + 1 : USER_ATOM_SSO + 1;
}

bool space_has_caller(const struct policy_space *space)
{
    return callers[space->at[DIM_CALLER]] != NULL;
}

bool space_has_user(const struct policy_space *space)
{
    return space->at[DIM_USER] >= USER_ATOM_SSO;
}
