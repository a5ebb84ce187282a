/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_space.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define READS(dimension) ((uint64_t)1 << (dimension))
#define CALLER_READS (READS(DIM_CALLER) | READS(DIM_PROOF))
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { NOW = 1767268800 /* 2026-01-01T12:00:00Z, a Thursday */, HOUR = 3600, DAY = 24 * HOUR };

/* What else a phrase may need, besides dimensions. */
static const uint64_t NEEDS_OTHER = (uint64_t)1 << 60, NEEDS_TYPES = (uint64_t)1 << 61;
static const uint64_t CAPTURES_MODEL = (uint64_t)1 << 62, CAPTURES_DATA = (uint64_t)1 << 63;
_Static_assert(DIMENSIONS < 60, "the bits of dimensions and needs are apart");

struct phrase {
    const char *text;
    uint64_t reads;
};

/* ---- vocabulary ---------------------------------------------------------- */

static const struct action_phrase {
    const char *text;
    uint64_t reads;
    const char *methods[4];
    const char *paths[10];
} action_phrases[] = {
    {"{http: [{methods: [POST], paths: [\"/m/{model}:go\", \"/n/{model}:go\"], body: openai}]}",
     0,
     {"POST"},
     {"/m/$:go", "/n/$:go", "/m/:go", "/m/m1%3Ago", "/m/m1:gox", "/n/m1"}},
    {"{http: [{methods: [GET, HEAD], paths: [\"/m/{model}\"], encodedSlash: data}]}",
     0,
     {"GET", "HEAD"},
     {"/m/$", "/m/", "/m/org%2Fm", "/m/m%32", "/m/m1/"}},
    {"{http: [{paths: [\"/m/{**}\"]}]}", 0, {NULL}, {"/m", "/m/", "/m/zzz", "/m/zzz/y", "/m/zzz/y/z", "/m/org%2Fm"}},
    {"{http: [{methods: [GET], paths: [\"/m/{*}\", \"/m/m1\"], hosts: [\"*.ex\"]}]}",
     READS(DIM_HOST),
     {"GET"},
     {"/m/m1", "/m/zzz", "/m/", "/m"}},
    {"{http: [{methods: [GET, POST], paths: [\"/m/{model}/d/{data}\"]}, {methods: [PUT], paths: [\"/d/{data}\"]}]}",
     0,
     {"GET", "POST", "PUT"},
     {"/m/$/d/&", "/d/&", "/m/m1/d/d%2F1", "/m/m1/d/", "/m/m1/d"}},
    {"{http: [{methods: [POST], paths: [\"/rpc\"], body: mcp, call: tools/call}]}",
     READS(DIM_BODY),
     {"POST"},
     {"/rpc", "/rpcx"}},
    {"{http: [{paths: [\"/x/y\"], query: {op: [list, show]}}, {paths: [\"/x/{*}\"], query: {op: drop, q: v1}}]}",
     READS(DIM_QUERY_OP) | READS(DIM_QUERY_Q),
     {NULL},
     {"/x/y", "/x/z", "/x/", "/x"}},
    {"{grpc: [pkg.Svc/Get, pkg.Other/*]}",
     0,
     {"POST"},
     {"/pkg.Svc/Get", "/pkg.Svc/Gex", "/pkg.Svc/Get/x", "/pkg.Other/Any", "/pkg.Other/", "/pkg.Other"}},
    {"{grpc: [\"pkg.Svc/Ge*\"], http: [{paths: [\"/\", \"/m/\"]}]}",
     0,
     {"POST"},
     {"/pkg.Svc/Get", "/pkg.Svc/Ge", "/pkg.Svc/G", "/pkg.Svc/", "/", "/m/", "/m"}},
    {"{http: [{paths: [\"/d/{data}/{**}\"], hosts: [h.ex, \"p.ex:8080\"]}]}",
     READS(DIM_HOST),
     {NULL},
     {"/d/&", "/d/&/x", "/d/&/", "/d/d1/x/y", "/d/"}},
};

static const struct phrase workload_members[] = {
    {"{spiffe: \"spiffe://prod.ex/ns/a/sa/x\"}", CALLER_READS},
    {"{spiffe: \"spiffe://prod.ex/ns/a/sa/*\"}", CALLER_READS},
    {"{spiffe: \"spiffe://prod.ex/ns/a*/sa/x\"}", CALLER_READS},
    {"{spiffe: \"spiffe://prod.ex/ns/b/**\"}", CALLER_READS},
    {"{spiffe: \"spiffe://prod.ex/**\"}", CALLER_READS},
    {"{spiffe: [\"spiffe://prod.ex/ns/b/sa/y\", \"spiffe://dev.ex/w\"]}", CALLER_READS},
    {"{spiffe: [\"spiffe://prod.ex/ns/b/sa/y\", \"spiffe://dev.ex/**\"]}", CALLER_READS},
    {"{spiffe: [\"spiffe://dev.ex/**\", \"spiffe://prod.ex/ns/a/**\"]}", CALLER_READS},
    {"{spiffe: [\"spiffe://prod.ex/ns/b/sa/y\", \"spiffe://prod.ex/ns/a/*/x\"]}", CALLER_READS},
    {"{trustDomain: prod.ex, namespace: [a, b]}", CALLER_READS},
    {"{trustDomain: dev.ex}", CALLER_READS},
    {"{namespace: ab}", CALLER_READS},
    {"{serviceAccount: [a/x, b/y]}", CALLER_READS},
    {"{namespace: [b], serviceAccount: [a/x, b/x]}", CALLER_READS},
};

static const struct phrase user_members[] = {
    {"{issuer: sso, claims: {groups: {anyOf: [g1]}}}", READS(DIM_GROUPS)},
    {"{issuer: sso, claims: {groups: {anyOf: [g2, g3]}}}", READS(DIM_GROUPS)},
    {"{issuer: sso, claims: {roles: {anyOf: [r1]}, groups: {anyOf: [g1, g2]}}}", READS(DIM_ROLES) | READS(DIM_GROUPS)},
    {"{issuer: other, claims: {groups: {anyOf: [g1]}}}", READS(DIM_GROUPS) | NEEDS_OTHER},
    {"{issuer: sso, claims: {realm.roles: {anyOf: [r1, r2]}}}", READS(DIM_REALM) | READS(DIM_DOTTED)},
    {"{issuer: sso, subject: [u1, u2]}", READS(DIM_SUBJECT)},
    {"{issuer: sso, claims: {email: {prefix: \"ad\"}}}", READS(DIM_EMAIL)},
    {"{issuer: other, claims: {groups: {present: true}}}", READS(DIM_GROUPS) | NEEDS_OTHER},
    {"{issuer: sso, claims: {scope: {anyOf: [\"s:read\"]}}}", READS(DIM_SCOPE)},
    {"{issuer: sso, claims: {groups: {containsAll: [g1, g2]}}}", READS(DIM_GROUPS)},
};

static const struct assurance_phrase {
    struct phrase phrase;
    uint32_t max_age; /* 0: none */
} assurances[] = {
    {{"{factors: 2, maxAge: 5m}", READS(DIM_AMR) | READS(DIM_ACR) | READS(DIM_AGE)}, 300},
    {{"{factors: 2, maxAge: 1h, bound: workload}", READS(DIM_AMR) | READS(DIM_ACR) | READS(DIM_AGE) | READS(DIM_BOUND) |
                                                       READS(DIM_CLIENT) | READS(DIM_ACTORS) | CALLER_READS},
     3600},
    {{"{factors: 1}", READS(DIM_AMR) | READS(DIM_ACR)}, 0},
    {{"{phishingResistant: true, factors: 2, maxAge: 2m, bound: certificate}",
      READS(DIM_AMR) | READS(DIM_ACR) | READS(DIM_AGE) | READS(DIM_BOUND)},
     120},
    {{"{acr: [mfa, phr], maxAge: 10m}", READS(DIM_ACR) | READS(DIM_AGE)}, 600},
    {{"{acr: {atLeast: mfa}, issuers: [sso]}", READS(DIM_ACR)}, 0},
    {{"{methods: {anyOf: [otp, hwk]}, maxAge: 1h, acr: [mfa], bound: dpop}",
      READS(DIM_AMR) | READS(DIM_ACR) | READS(DIM_AGE) | READS(DIM_BOUND)},
     3600},
    {{"{methods: {allOf: [pwd, otp]}, ask: [mfa]}", READS(DIM_AMR)}, 0},
};

static const struct phrase leaves[] = {
    {"{sourceIP: {in: [10.0.0.0/8, \"2001:db8::/32\"]}}", READS(DIM_SOURCE_IP)},
    {"{remoteIP: {in: [192.0.2.0/25]}}", READS(DIM_REMOTE_IP)},
    {"{header: {name: x-a, equals: v1}}", READS(DIM_X_A)},
    {"{header: {name: x-a, present: false}}", READS(DIM_X_A)},
    {"{header: {name: x-a, prefix: v}}", READS(DIM_X_A)},
    {"{header: {name: x-a, suffix: \"1\"}}", READS(DIM_X_A)},
    {"{header: {name: x-a, contains: \"1x\"}}", READS(DIM_X_A)},
    {"{header: {name: x-n, intRange: [1, 10]}}", READS(DIM_X_N)},
    {"{query: {name: q, equals: v1}}", READS(DIM_QUERY_Q)},
    {"{query: {name: q, present: true}}", READS(DIM_QUERY_Q)},
    {"{query: {name: n, intRange: [1, 10]}}", READS(DIM_QUERY_N)},
    {"{claim: {name: groups, anyOf: [g1, g2]}}", READS(DIM_GROUPS)},
    {"{claim: {name: scope, containsAll: [\"s:read\", \"s:write\"]}}", READS(DIM_SCOPE)},
    {"{claim: {name: level, intRange: [2, 5]}}", READS(DIM_LEVEL)},
    {"{claim: {name: details.type, equals: pay}}", READS(DIM_DETAILS)},
    {"{claim: {name: email, present: true}}", READS(DIM_EMAIL)},
    {"{context: {name: route, equals: r1}}", READS(DIM_CONTEXT)},
    {"{metadata: {filter: f, path: [k], equals: v1}}", READS(DIM_METADATA)},
    {"{port: [80, 90]}", READS(DIM_PORT)},
    {"{sni: [\"*.sni.ex\", sni.ex]}", READS(DIM_SNI)},
};

/* One condition on the time a policy: its instants are the edges of both its day and its clock. */
static const struct time_phrase {
    const char *text;
    int64_t instants[SPACE_INSTANTS_MAX]; /* from NOW, the first 0; up to the next 0 */
} times[] = {
    {"{time: {tz: UTC, days: [thu]}}", {0, 12 * HOUR - 1, 12 * HOUR, -12 * HOUR, -12 * HOUR - 1}},
    {"{time: {tz: UTC, between: [\"11:59\", \"12:01\"]}}", {0, -60, -61, 59, 60, DAY}},
    {"{time: {tz: UTC, between: [\"22:00\", \"06:00\"]}}",
     {0, 10 * HOUR - 1, 10 * HOUR, 18 * HOUR - 1, 18 * HOUR, 12 * HOUR}},
    {"{time: {tz: UTC, from: \"2026-01-01T12:00:00Z\"}}", {0, -1, 1}},
    {"{time: {tz: UTC, until: \"2026-01-01T12:00:00Z\"}}", {0, -1, 1}},
    /* midnight in Paris, and the ends of its summer time */
    {"{time: {tz: Europe/Paris, days: [sun]}}", {0, 59 * HOUR - 1, 59 * HOUR, 83 * HOUR - 1, 83 * HOUR, 7477200}},
    {"{time: {tz: Europe/Paris, between: [\"02:00\", \"03:00\"]}}",
     {0, 13 * HOUR - 1, 13 * HOUR, 14 * HOUR - 1, 14 * HOUR, 7477199, 7477200, 25617599, 25617600, 25621199, 25621200}},
    {"{time: {tz: America/New_York, days: [mon-thu], between: [\"22:00\", \"07:00\"]}}",
     {0, 15 * HOUR - 1, 15 * HOUR, 17 * HOUR - 1, 17 * HOUR, -HOUR, 39 * HOUR, 10, -1, -7 * HOUR}},
};

static const struct phrase workload_demands[] = {{"any", CALLER_READS},
                                                 {"{namespace: a}", CALLER_READS},
                                                 {"{spiffe: \"spiffe://prod.ex/ns/*/sa/x\"}", CALLER_READS}};
static const struct phrase delegations[] = {{"none", READS(DIM_ACTORS)},
                                            {"any", READS(DIM_ACTORS)},
                                            {"{actor: peer, maxDepth: 1}", READS(DIM_ACTORS) | CALLER_READS},
                                            {"{actor: peer, maxDepth: 2}", READS(DIM_ACTORS) | CALLER_READS}};
static const struct phrase selectors[] = {
    {"types: [model]", CAPTURES_MODEL},
    {"types: [data, model]", CAPTURES_MODEL | CAPTURES_DATA},
    {"ids: [m1, \"m2*\"]", NEEDS_TYPES},
    {"ids: m1", NEEDS_TYPES},
    {"ids: [m2, m1, m2x, m1]", NEEDS_TYPES},
    {"ids: d1, types: [data]", CAPTURES_DATA},
    {"labels: {tier: high}", NEEDS_TYPES},
    {"labels: {tier: [low, high]}", NEEDS_TYPES},
    {"notLabels: {tier: high}", NEEDS_TYPES},
    {"labels: {kind: a}, types: [model]", CAPTURES_MODEL},
    {"labels: {tier: low}, notLabels: {kind: [a, b]}", NEEDS_TYPES},
    {"types: [fixed]", NEEDS_TYPES | READS(DIM_HOST)},
};
static const struct phrase purposes[] = {{"{from: claim.purpose, anyOf: [p1, p2]}", READS(DIM_PURPOSE)},
                                         {"{from: header.x-purpose, anyOf: [p1]}", READS(DIM_X_PURPOSE)}};
static const struct phrase sets[] = {
    {"requestHeaders: {set: {x-user: $user.sub}}", READS(DIM_SUBJECT)},
    {"requestHeaders: {set: {x-caller: \"c=$workload.spiffe;$$\", x-k: fixed}, remove: [x-raw]}", CALLER_READS},
    {"requestHeaders: {append: {x-why: $claim.purpose}}", READS(DIM_PURPOSE)},
    {"responseHeaders: {set: {x-id: \"$resource.id/$decision.id\"}}", READS(DIM_ID)},
    {"metadata: {class: $claim.email}, maxStream: 15m", READS(DIM_EMAIL)},
    {"maxStream: credentials", 0},
    {"queryParams: {set: {t: \"$user.sub &\"}, remove: [n]}",
     READS(DIM_SUBJECT) | READS(DIM_QUERY_T) | READS(DIM_QUERY_N)},
};
static const struct phrase denials[] = {{"deny: {status: 404}", 0}, {"deny: {body: no, grpcMessage: never}", 0}};

/* What a policy looks at is made of these. */
static const uint64_t interests[] = {
    CALLER_READS,
    CALLER_READS | READS(DIM_ACTORS),
    READS(DIM_SUBJECT),
    READS(DIM_GROUPS),
    READS(DIM_GROUPS) | READS(DIM_ROLES),
    READS(DIM_REALM) | READS(DIM_DOTTED),
    READS(DIM_SCOPE),
    READS(DIM_EMAIL),
    READS(DIM_PURPOSE),
    READS(DIM_LEVEL),
    READS(DIM_DETAILS),
    READS(DIM_AMR),
    READS(DIM_AMR) | READS(DIM_ACR),
    READS(DIM_ACR),
    READS(DIM_ACR) | READS(DIM_AGE),
    READS(DIM_AMR) | READS(DIM_ACR) | READS(DIM_AGE),
    READS(DIM_AMR) | READS(DIM_ACR) | READS(DIM_AGE) | READS(DIM_BOUND),
    READS(DIM_AMR) | READS(DIM_ACR) | READS(DIM_AGE) | READS(DIM_BOUND) | READS(DIM_CLIENT) | READS(DIM_ACTORS) |
        CALLER_READS,
    READS(DIM_ACTORS),
    READS(DIM_X_A),
    READS(DIM_X_N),
    READS(DIM_X_PURPOSE),
    READS(DIM_X_MODEL),
    READS(DIM_BODY),
    READS(DIM_HOST),
    READS(DIM_QUERY_Q),
    READS(DIM_QUERY_N),
    READS(DIM_QUERY_OP) | READS(DIM_QUERY_Q),
    READS(DIM_SUBJECT) | READS(DIM_QUERY_T) | READS(DIM_QUERY_N),
    READS(DIM_NOW),
    READS(DIM_SOURCE_IP),
    READS(DIM_REMOTE_IP),
    READS(DIM_PORT),
    READS(DIM_SNI),
    READS(DIM_CONTEXT),
    READS(DIM_METADATA),
    READS(DIM_ID),
};

const char *space_action_path(unsigned index, size_t i)
{
    return i < COUNT(action_phrases[0].paths) ? action_phrases[index].paths[i] : NULL;
}

const char *space_action_method(unsigned index, size_t i)
{
    return i < COUNT(action_phrases[0].methods) ? action_phrases[index].methods[i] : NULL;
}

/* ---- a policy while it is written ---------------------------------------- */

enum { WORKLOAD_ROLES = 3, USER_ROLES = 3 };

struct draft {
    struct random *random;
    FILE *file;
    struct space_policy *policy;
    uint64_t active;                                 /* what the policy may look at */
    unsigned workload_roles, user_roles, assurances; /* bit per one that it defines */
    uint64_t user_role_reads[USER_ROLES];
    const struct time_phrase *time; /* NULL: none */
};

static bool chance(const struct draft *draft, uint32_t percent)
{
    return random_below(draft->random, 100) < percent;
}

static void say(const struct draft *draft, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(const struct draft *draft, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (vfprintf(draft->file, format, args) < 0)
        abort();
    va_end(args);
}

/* One of the phrases that look at nothing else than the policy may; NULL when there is none. */
static const struct phrase *pick(const struct draft *draft, const struct phrase *phrases, size_t count)
{
    size_t fitting[64], fits = 0;
    for (size_t i = 0; i < count; i++)
        if ((phrases[i].reads & ~draft->active) == 0)
            fitting[fits++] = i;
    if (fits == 0)
        return NULL;
    return &phrases[fitting[random_below(draft->random, (uint32_t)fits)]];
}

#define PICK(draft, phrases) pick((draft), (phrases), COUNT(phrases))

/* `before`, the phrase and `after`, when there is a phrase; what it looks at is noted. */
static bool say_phrase(const struct draft *draft, const char *before, const struct phrase *phrase, const char *after)
{
    if (!phrase)
        return false;
    say(draft, "%s%s%s", before, phrase->text, after);
    draft->policy->reads |= phrase->reads;
    return true;
}

static unsigned pick_bit(const struct draft *draft, unsigned bits)
{
    unsigned skip = random_below(draft->random, (uint32_t)__builtin_popcount(bits));
    while (skip-- > 0)
        bits &= bits - 1;
    return (unsigned)__builtin_ctz(bits);
}

/* One or two of `bits`: "[a1, a4]". Returns those that were said. */
static unsigned say_list(const struct draft *draft, const char *before, char letter, unsigned bits)
{
    unsigned first = pick_bit(draft, bits), rest = bits & ~(1u << first), second = first;
    say(draft, "%s[%c%u", before, letter, first);
    if (rest != 0 && chance(draft, 50)) {
        second = pick_bit(draft, rest);
        say(draft, ", %c%u", letter, second);
    }
    say(draft, "]");
    return 1u << first | 1u << second;
}

static void say_leaf(const struct draft *draft)
{
    const struct phrase *leaf = PICK(draft, leaves);
    if (draft->time && (!leaf || chance(draft, 40))) {
        say(draft, "%s", draft->time->text);
        draft->policy->reads |= READS(DIM_NOW);
    } else {
        (void)say_phrase(draft, "", leaf, "");
    }
}

static void say_condition(const struct draft *draft, unsigned depth)
{
    if (depth < 3 && chance(draft, 30)) {
        say(draft, "{%s: [", chance(draft, 50) ? "all" : "any");
        say_condition(draft, depth + 1);
        say(draft, ", ");
        say_condition(draft, depth + 1);
        say(draft, "]}");
    } else if (chance(draft, 25)) {
        say(draft, "{not: ");
        say_leaf(draft);
        say(draft, "}");
    } else {
        say_leaf(draft);
    }
}

/* True when the rule can be about a user: then an assurance makes sense. */
static bool say_subjects(const struct draft *draft, bool is_deny)
{
    bool has_workload = chance(draft, 60), is_userless = false, is_empty = is_deny;
    say(draft, ", subjects: {");
    if (has_workload && draft->workload_roles != 0 && chance(draft, 65)) {
        (void)say_list(draft, "workload: ", 'w', draft->workload_roles);
        say(draft, ", ");
        draft->policy->reads |= CALLER_READS;
        is_empty = false;
    } else if (has_workload && say_phrase(draft, "workload: ", PICK(draft, workload_demands), ", ")) {
        is_empty = false;
    }
    if (draft->user_roles != 0 && chance(draft, 55)) {
        unsigned said = say_list(draft, "user: ", 'u', draft->user_roles);
        say(draft, ", ");
        for (unsigned i = 0; i < USER_ROLES; i++)
            draft->policy->reads |= said >> i & 1 ? draft->user_role_reads[i] : 0;
    } else if (is_empty || chance(draft, 30)) {
        is_userless = chance(draft, 40);
        say(draft, "user: %s, ", is_userless ? "none" : "any");
    }
    if (chance(draft, 30))
        (void)say_phrase(draft, "delegation: ", PICK(draft, delegations), ", ");
    say(draft, is_deny ? "}" : chance(draft, 75) ? "proof: certificate}" : "proof: xfcc-text}");
    return !is_userless;
}

static void say_obligations(const struct draft *draft, bool is_deny, bool has_resources)
{
    static const char *const levels[] = {"minimal", "summary", "full"};
    const struct phrase *set = is_deny ? PICK(draft, denials) : PICK(draft, sets);
    bool has_set = chance(draft, is_deny ? 20 : 35), has_audit = chance(draft, 40);
    uint32_t lowest = has_resources ? 1 : 0;
    if (!has_set && !has_audit)
        return;
    say(draft, ", obligations: {");
    if (has_audit)
        say(draft, "audit: %s%s", levels[lowest + random_below(draft->random, 3 - lowest)], has_set ? ", " : "");
    if (has_set)
        (void)say_phrase(draft, "", set, "");
    say(draft, "}");
}

static void say_rule(const struct draft *draft, size_t number, bool is_deny)
{
    bool has_conditions = draft->time || PICK(draft, leaves);
    say(draft, "    - {%s: r%02u-%zu", is_deny ? "deny" : "allow", random_below(draft->random, 100), number);
    if (chance(draft, 40))
        say(draft, ", priority: %u", random_below(draft->random, 3));
    bool takes_user = !chance(draft, 80) || say_subjects(draft, is_deny);
    if (chance(draft, 75))
        (void)say_list(draft, ", actions: ", 'a', draft->policy->actions);
    bool has_resources = chance(draft, 40) && say_phrase(draft, ", resources: {", PICK(draft, selectors), "}");
    if (takes_user && draft->assurances != 0 && chance(draft, is_deny ? 35 : 60)) {
        unsigned assurance = pick_bit(draft, draft->assurances);
        say(draft, ", %s: s%u", is_deny ? "unlessAssurance" : "assurance", assurance);
        draft->policy->reads |= assurances[assurance].phrase.reads;
    }
    if (!is_deny && chance(draft, 40))
        (void)say_phrase(draft, ", purpose: ", PICK(draft, purposes), "");
    if (has_conditions && chance(draft, is_deny ? 75 : 40)) {
        say(draft, ", when: ");
        say_condition(draft, 1);
    }
    if (has_conditions && is_deny && chance(draft, 30)) {
        say(draft, ", unless: ");
        say_condition(draft, 1);
    }
    say_obligations(draft, is_deny, has_resources);
    say(draft, "}\n");
}

/* ---- what rules name ----------------------------------------------------- */

static void say_issuers(const struct draft *draft)
{
    say(draft, "  issuers:\n    sso: {url: \"https://sso.ex\", audiences: [aud], acrOrder: [low, mfa, phr],\n"
               "          amrAliases: {theirs: [pwd, otp]}, stepUp: {twoFactors: [mfa], phishingResistant: [phr]},\n"
               "          clients: {app: \"spiffe://prod.ex/ns/a/sa/x\"}}\n");
    if (draft->policy->has_other_issuer)
        say(draft,
            "    other: {url: \"https://other.ex\", audiences: [aud], profile: %s, trustMfaAssertion: true,\n"
            "            clockSkew: 10s, stepUp: {twoFactors: [two], phishingResistant: [strong]}}\n",
            draft->policy->is_keycloak ? "keycloak" : "generic");
}

static void say_assurances(struct draft *draft)
{
    for (unsigned i = 0; i < COUNT(assurances); i++) {
        if ((assurances[i].phrase.reads & ~draft->active) != 0 || __builtin_popcount(draft->assurances) == 2 ||
            !chance(draft, 60))
            continue;
        say(draft, "%s    s%u: %s\n", draft->assurances == 0 ? "  assurance:\n" : "", i, assurances[i].phrase.text);
        draft->assurances |= 1u << i;
        if (assurances[i].max_age != 0)
            draft->policy->max_ages[draft->policy->max_age_count++] = assurances[i].max_age;
    }
}

static void say_roles(struct draft *draft)
{
    const char *before = "  roles:\n";
    for (unsigned i = 0; i < WORKLOAD_ROLES && (draft->active & READS(DIM_CALLER)); i++, before = "") {
        say(draft, "%s    w%u: {", before, i);
        if (i > 0 && chance(draft, 30))
            say(draft, "inherits: [w%u], ", random_below(draft->random, i));
        say(draft, "members: [{workload: %s}", PICK(draft, workload_members)->text);
        if (chance(draft, 50))
            say(draft, ", {workload: %s}", PICK(draft, workload_members)->text);
        say(draft, "]}\n");
        draft->workload_roles |= 1u << i;
    }
    for (unsigned i = 0; i < USER_ROLES && PICK(draft, user_members); i++, before = "") {
        const struct phrase *member = PICK(draft, user_members);
        draft->user_role_reads[i] = member->reads;
        say(draft, "%s    u%u: {", before, i);
        if (i > 0 && chance(draft, 30)) {
            say(draft, "inherits: [u0], ");
            draft->user_role_reads[0] |= member->reads; /* whoever holds this one holds that one */
        }
        say(draft, "members: [{user: %s}]}\n", member->text);
        draft->user_roles |= 1u << i;
    }
}

static void say_actions(struct draft *draft)
{
    unsigned possible = 0;
    for (unsigned i = 0; i < COUNT(action_phrases); i++)
        if ((action_phrases[i].reads & ~draft->active) == 0)
            possible |= 1u << i;
    for (unsigned wanted = 1 + (unsigned)chance(draft, 50); wanted > 0 && possible != 0; wanted--) {
        unsigned action = pick_bit(draft, possible);
        possible &= ~(1u << action);
        draft->policy->actions |= 1u << action;
        draft->policy->reads |= action_phrases[action].reads;
    }
    say(draft, "  actions:\n");
    for (unsigned i = 0; i < COUNT(action_phrases); i++)
        if (draft->policy->actions >> i & 1)
            say(draft, "    a%u: %s\n", i, action_phrases[i].text);
}

static void say_resources(struct draft *draft)
{
    bool reads_host = draft->active & READS(DIM_HOST), reads_body = draft->active & READS(DIM_BODY);
    bool reads_header = draft->active & READS(DIM_X_MODEL);
    uint64_t captured = 0;
    for (unsigned i = 0; i < COUNT(action_phrases); i++)
        if (draft->policy->actions >> i & 1)
            captured |= (strstr(action_phrases[i].text, "{model}") ? CAPTURES_MODEL : 0) |
                        (strstr(action_phrases[i].text, "{data}") ? CAPTURES_DATA : 0);
    if ((captured == 0 && !reads_host) || !chance(draft, 70))
        return;
    draft->active |= captured | NEEDS_TYPES;
    draft->policy->has_types = true;
    say(draft, "  resourceTypes:\n");
    if (captured & CAPTURES_MODEL)
        say(draft, "    model: {%sid: [path.model%s%s]}\n", reads_host ? "hosts: [\"*.ex\"], " : "",
            reads_body ? ", body.model" : "", reads_header ? ", header.x-model" : "");
    if (captured & CAPTURES_DATA)
        say(draft, "    data: {%sid: [path.data]}\n", reads_host && chance(draft, 50) ? "hosts: [h.ex], " : "");
    if (reads_host)
        say(draft, "    fixed: {hosts: [fixed.h.ex, i.other], id: [\"=only\"]}\n");
    say(draft, "  resources:\n");
    if (captured & CAPTURES_MODEL)
        say(draft, "    - {type: model, id: m1, labels: {tier: high, kind: a}}\n"
                   "    - {type: model, id: \"m*\", labels: {tier: low}}\n"
                   "    - {type: model, id: \"m2*\", labels: {tier: high, kind: b}}\n"
                   "    - {type: model, id: \"m2\", labels: {kind: a}}\n");
    if (captured & CAPTURES_DATA)
        say(draft, "    - {type: data, id: d1, labels: {tier: low}}\n");
    if (reads_host)
        say(draft, "    - {type: fixed, id: only, labels: {tier: high}}\n");
    /* Which resource it is, is part of every answer. */
    draft->policy->reads |= draft->active & READS(DIM_HOST);
    if (captured & CAPTURES_MODEL)
        draft->policy->reads |= draft->active & (READS(DIM_BODY) | READS(DIM_X_MODEL));
}

static void choose_interests(struct draft *draft)
{
    struct space_policy *policy = draft->policy;
    for (uint32_t wanted = 1 + random_below(draft->random, 4); wanted > 0; wanted--)
        draft->active |= interests[random_below(draft->random, COUNT(interests))];
    policy->has_other_issuer = chance(draft, 35);
    policy->is_keycloak = policy->has_other_issuer && chance(draft, 30);
    policy->is_raw_path = chance(draft, 50);
    draft->active |= policy->has_other_issuer ? NEEDS_OTHER : 0;
    if (policy->is_keycloak)
        policy->reads |= READS(DIM_SID) | READS(DIM_CLIENT_ID) | READS(DIM_AGE);
    policy->instant_count = 1;
    policy->instants[0] = NOW;
    if (!(draft->active & READS(DIM_NOW)))
        return;
    draft->time = &times[random_below(draft->random, COUNT(times))];
    while (policy->instant_count < SPACE_INSTANTS_MAX && draft->time->instants[policy->instant_count] != 0) {
        policy->instants[policy->instant_count] = NOW + draft->time->instants[policy->instant_count];
        policy->instant_count++;
    }
}

void space_policy_generate(struct random *random, struct space_policy *out)
{
    *out = (struct space_policy){0};
    struct draft draft = {.random = random, .file = fmemopen(out->text, sizeof out->text, "w"), .policy = out};
    if (!draft.file)
        abort();
    choose_interests(&draft);
    say(&draft,
        "apiVersion: bartizan.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: generated}\nspec:\n"
        "  paths: %s\n  limits: {maxGroups: 4, maxSegments: 6}\n",
        chance(&draft, 80) ? "strict" : "envoy");
    say_issuers(&draft);
    say_assurances(&draft);
    say_roles(&draft);
    say_actions(&draft);
    say_resources(&draft);
    say(&draft, "  rules:\n");
    size_t rules = 1 + random_below(random, 5);
    for (size_t i = 0; i < rules; i++)
        say_rule(&draft, i, i > 0 && chance(&draft, 35));
    long size = ftell(draft.file);
    if (size <= 0 || fclose(draft.file) != 0)
        abort();
    out->text_size = (size_t)size;
}
