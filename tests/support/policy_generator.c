/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_generator.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { NOW = 1767268800 /* 2026-01-01T12:00:00Z, a Thursday */, ACTIONS = 9, WORKLOAD_ROLES = 6, USER_ROLES = 6 };

struct random random_of(uint64_t seed)
{
    return (struct random){.state = seed * 0x9e3779b97f4a7c15u + 0x632be59bd9b4e019u};
}

/* splitmix64 */
static uint64_t random_next(struct random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint32_t random_below(struct random *random, uint32_t bound)
{
    return (uint32_t)(random_next(random) >> 33) % bound;
}

static bool chance(struct random *random, uint32_t percent)
{
    return random_below(random, 100) < percent;
}

#define PICK(random, array) ((array)[random_below((random), (uint32_t)(sizeof(array) / sizeof((array)[0])))])

/* ---- text ---------------------------------------------------------------- */

struct text {
    char *data;
    size_t size, room;
};

static void put(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text->data + text->size, text->room - text->size, format, args);
    va_end(args);
    if (size < 0 || (size_t)size >= text->room - text->size)
        abort();
    text->size += (size_t)size;
}

static const char *const workload_members[] = {
    "{spiffe: \"spiffe://prod.ex/ns/a/sa/x\"}",
    "{spiffe: \"spiffe://prod.ex/ns/a/sa/*\"}",
    "{spiffe: \"spiffe://prod.ex/ns/a*/sa/x\"}",
    "{spiffe: \"spiffe://prod.ex/ns/b/**\"}",
    "{spiffe: \"spiffe://prod.ex/**\"}",
    "{spiffe: [\"spiffe://prod.ex/ns/b/sa/y\", \"spiffe://dev.ex/w\"]}",
    "{trustDomain: prod.ex, namespace: [a, b]}",
    "{trustDomain: dev.ex}",
    "{namespace: ab}",
    "{serviceAccount: [a/x, b/y]}",
    "{namespace: [b], serviceAccount: [a/x, b/x]}",
};

static const char *const user_members[] = {
    "{issuer: sso, claims: {groups: {anyOf: [g1]}}}",
    "{issuer: sso, claims: {groups: {anyOf: [g2, g3]}}}",
    "{issuer: sso, claims: {roles: {anyOf: [r1]}, groups: {anyOf: [g1, g2]}}}",
    "{issuer: other, claims: {groups: {anyOf: [g1]}}}",
    "{issuer: sso, claims: {realm.roles: {anyOf: [r1, r2]}}}",
    "{issuer: sso, subject: [u1, u2]}",
    "{issuer: sso, claims: {email: {prefix: \"ad\"}}}",
    "{issuer: other, claims: {groups: {present: true}}}",
    "{issuer: sso, claims: {scope: {anyOf: [\"s:read\"]}}}",
    "{issuer: sso, claims: {groups: {containsAll: [g1, g2]}}}",
};

/* Operations of one action each. No two can read two ids out of one request. */
static const char *const actions[ACTIONS] = {
    "{http: [{methods: [POST], paths: [\"/m/{model}:go\", \"/n/{model}:go\"], body: openai}]}",
    "{http: [{methods: [GET, HEAD], paths: [\"/m/{model}\"], encodedSlash: data}]}",
    "{http: [{paths: [\"/m/{**}\"]}]}",
    "{http: [{methods: [GET], paths: [\"/m/{*}\", \"/m/m1\"], hosts: [\"*.ex\"]}]}",
    "{http: [{methods: [GET, POST], paths: [\"/m/{model}/d/{data}\"]}, {methods: [PUT], paths: [\"/d/{data}\"]}]}",
    "{http: [{methods: [POST], paths: [\"/rpc\"], body: mcp, call: tools/call}]}",
    ("{http: [{paths: [\"/x/y\"], query: {op: [list, show]}}, {paths: [\"/x/{*}\"], query: {op: drop, q: v1}}],"
     " grpc: [pkg.Svc/Get, pkg.Other/*]}"),
    "{grpc: [\"pkg.Svc/Ge*\"], http: [{paths: [\"/\", \"/m/\"]}]}",
    "{http: [{paths: [\"/d/{data}/{**}\"], hosts: [h.ex, \"p.ex:8080\"]}]}",
};

static const char *const assurances[] = {
    "{factors: 2, maxAge: 5m}",
    "{factors: 2, maxAge: 1h, bound: workload}",
    "{factors: 1}",
    "{phishingResistant: true, factors: 2, maxAge: 2m, bound: certificate}",
    "{acr: [mfa, phr], maxAge: 10m}",
    "{acr: {atLeast: mfa}, issuers: [sso]}",
    "{methods: {anyOf: [otp, hwk]}, maxAge: 1h, acr: [mfa], bound: dpop}",
    "{methods: {allOf: [pwd, otp]}, ask: [mfa]}",
};

enum { ASSURANCES = sizeof assurances / sizeof assurances[0] };

static const char *const leaves[] = {
    "{sourceIP: {in: [10.0.0.0/8, \"2001:db8::/32\"]}}",
    "{remoteIP: {in: [192.0.2.0/25]}}",
    "{header: {name: x-a, equals: v1}}",
    "{header: {name: x-a, present: false}}",
    "{header: {name: x-a, prefix: v}}",
    "{header: {name: x-n, intRange: [1, 10]}}",
    "{query: {name: q, equals: v1}}",
    "{query: {name: q, present: true}}",
    "{query: {name: n, intRange: [1, 10]}}",
    "{claim: {name: groups, anyOf: [g1, g2]}}",
    "{claim: {name: scope, containsAll: [\"s:read\", \"s:write\"]}}",
    "{claim: {name: level, intRange: [2, 5]}}",
    "{claim: {name: details.type, equals: pay}}",
    "{claim: {name: email, present: true}}",
    "{context: {name: route, equals: r1}}",
    "{metadata: {filter: f, path: [k], equals: v1}}",
    "{port: [80, 90]}",
    "{sni: [\"*.sni.ex\", sni.ex]}",
    "{time: {tz: UTC, days: [thu]}}",
    "{time: {tz: UTC, between: [\"11:59\", \"12:01\"]}}",
    "{time: {tz: UTC, between: [\"22:00\", \"06:00\"]}}",
    "{time: {tz: UTC, from: \"2026-01-01T12:00:00Z\"}}",
    "{time: {tz: UTC, until: \"2026-01-01T12:00:00Z\"}}",
    "{time: {tz: Europe/Paris, days: [sun]}}",
    "{time: {tz: Europe/Paris, between: [\"02:00\", \"03:00\"]}}",
    "{time: {tz: America/New_York, days: [mon-thu], between: [\"22:00\", \"07:00\"]}}",
};

static void put_condition(struct random *random, struct text *text, unsigned depth)
{
    if (depth < 3 && chance(random, 30)) {
        put(text, "{%s: [", chance(random, 50) ? "all" : "any");
        put_condition(random, text, depth + 1);
        put(text, ", ");
        put_condition(random, text, depth + 1);
        put(text, "]}");
    } else if (chance(random, 25)) {
        put(text, "{not: %s}", PICK(random, leaves));
    } else {
        put(text, "%s", PICK(random, leaves));
    }
}

/* True when the rule can be about a user: then an assurance makes sense. */
static bool put_subjects(struct random *random, struct text *text, bool is_deny)
{
    static const char *const workloads[] = {"any", "{namespace: a}", "{spiffe: \"spiffe://prod.ex/ns/*/sa/x\"}"};
    static const char *const delegations[] = {"none", "any", "{actor: peer, maxDepth: 1}",
                                              "{actor: peer, maxDepth: 2}"};
    bool has_workload = chance(random, 60), has_user = chance(random, 55);
    bool is_userless = false;
    if (!has_workload && !has_user && (is_deny || chance(random, 70)))
        return true;
    put(text, ", subjects: {");
    if (has_workload && chance(random, 70))
        put(text, "workload: [w%u, w%u], ", random_below(random, 3), 3 + random_below(random, WORKLOAD_ROLES - 3));
    else if (has_workload)
        put(text, "workload: %s, ", PICK(random, workloads));
    if (has_user && chance(random, 75))
        put(text, "user: [u%u], ", random_below(random, USER_ROLES));
    else if (has_user) {
        is_userless = chance(random, 40);
        put(text, "user: %s, ", is_userless ? "none" : "any");
    }
    if (chance(random, 25))
        put(text, "delegation: %s, ", PICK(random, delegations));
    if (!is_deny)
        put(text, "proof: %s", chance(random, 85) ? "certificate" : "xfcc-text");
    put(text, "}");
    return !is_userless;
}

static bool put_resources(struct random *random, struct text *text)
{
    static const char *const selectors[] = {
        "types: [model]",
        "types: [data, model]",
        "ids: [m1, \"m2*\"]",
        "ids: m1",
        "ids: [m2, m1, m2x, m1]",
        "ids: d1, types: [data, model]",
        "labels: {tier: high}",
        "labels: {tier: [low, high]}",
        "notLabels: {tier: high}",
        "labels: {kind: a}, types: [model]",
        "labels: {tier: low}, notLabels: {kind: [a, b]}",
        "types: [fixed]",
    };
    if (!chance(random, 40))
        return false;
    put(text, ", resources: {%s}", PICK(random, selectors));
    return true;
}

static void put_obligations(struct random *random, struct text *text, bool is_deny, bool has_resources)
{
    static const char *const levels[] = {"minimal", "summary", "full"};
    static const char *const sets[] = {
        "requestHeaders: {set: {x-user: $user.sub}}",
        "requestHeaders: {set: {x-caller: \"c=$workload.spiffe;$$\", x-k: fixed}, remove: [x-raw]}",
        "requestHeaders: {append: {x-purpose: $claim.purpose}}",
        "responseHeaders: {set: {x-id: \"$resource.id/$decision.id\"}}",
        "metadata: {class: $claim.email}, maxStream: 15m",
        "maxStream: credentials",
        "queryParams: {set: {t: \"$user.sub &\"}, remove: [n]}",
    };
    static const char *const denials[] = {"deny: {status: 404}", "deny: {body: no, grpcMessage: never}"};
    bool has_set = chance(random, is_deny ? 20 : 35), has_audit = chance(random, 50);
    if (!has_set && !has_audit)
        return;
    put(text, ", obligations: {");
    if (has_audit)
        put(text, "audit: %s%s", levels[has_resources ? 1 + random_below(random, 2) : random_below(random, 3)],
            has_set ? ", " : "");
    if (has_set)
        put(text, "%s", is_deny ? PICK(random, denials) : PICK(random, sets));
    put(text, "}");
}

void generate_rule(struct random *random, const char *name, bool is_deny, char *out, size_t size)
{
    static const char *const purposes[] = {"{from: claim.purpose, anyOf: [p1, p2]}",
                                           "{from: header.x-purpose, anyOf: [p1]}"};
    struct text text = {.data = out, .room = size};
    put(&text, "{%s: %s", is_deny ? "deny" : "allow", name);
    if (chance(random, 40))
        put(&text, ", priority: %u", random_below(random, 4));
    bool takes_user = put_subjects(random, &text, is_deny);
    if (chance(random, 85))
        put(&text, ", actions: [a%u, a%u]", random_below(random, 4), 4 + random_below(random, ACTIONS - 4));
    bool has_resources = put_resources(random, &text);
    if (takes_user && chance(random, is_deny ? 20 : 35))
        put(&text, ", %s: s%u", is_deny ? "unlessAssurance" : "assurance", random_below(random, ASSURANCES));
    if (!is_deny && chance(random, 15))
        put(&text, ", purpose: %s", PICK(random, purposes));
    if (chance(random, is_deny ? 60 : 30)) {
        put(&text, ", when: ");
        put_condition(random, &text, 1);
    }
    if (is_deny && chance(random, 30)) {
        put(&text, ", unless: ");
        put_condition(random, &text, 1);
    }
    put_obligations(random, &text, is_deny, has_resources);
    put(&text, "}");
}

static void put_roles(struct random *random, struct text *text)
{
    bool is_wide = chance(random, 25);
    put(text, "  roles:\n");
    for (unsigned i = 0; i < WORKLOAD_ROLES; i++) {
        put(text, "    w%u: {", i);
        if (i > 0 && chance(random, 30))
            put(text, "inherits: [w%u], ", random_below(random, i));
        put(text, "members: [{workload: %s}, {workload: %s}]}\n", PICK(random, workload_members),
            PICK(random, workload_members));
    }
    /* More roles than two words of a bit set hold. */
    for (unsigned i = 0; i < 130 && is_wide; i++)
        put(text, "    f%u: {members: [{workload: {namespace: f%u}}]}\n", i, i);
    for (unsigned i = 0; i < USER_ROLES; i++) {
        put(text, "    u%u: {", i);
        if (i > 0 && chance(random, 30))
            put(text, "inherits: [u%u], ", random_below(random, i));
        put(text, "members: [{user: %s}]}\n", PICK(random, user_members));
    }
}

static void put_head(struct random *random, struct text *text)
{
    put(text,
        "apiVersion: bartizan.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: generated}\nspec:\n"
        "  paths: %s\n  limits: {maxGroups: 4}\n  issuers:\n"
        "    sso: {url: \"https://sso.ex\", audiences: [aud], acrOrder: [low, mfa, phr], amrAliases: {theirs: [pwd, "
        "otp]},\n"
        "          stepUp: {twoFactors: [mfa], phishingResistant: [phr]}, clients: {app: "
        "\"spiffe://prod.ex/ns/a/sa/x\"}}\n"
        "    other: {url: \"https://other.ex\", audiences: [aud], profile: %s, trustMfaAssertion: true, clockSkew: "
        "10s,\n"
        "            stepUp: {twoFactors: [two], phishingResistant: [strong]}}\n",
        chance(random, 80) ? "strict" : "envoy", chance(random, 80) ? "generic" : "keycloak");
    put(text, "  assurance:\n");
    for (size_t i = 0; i < ASSURANCES; i++)
        put(text, "    s%zu: %s\n", i, assurances[i]);
    put_roles(random, text);
    put(text, "  actions:\n");
    for (size_t i = 0; i < ACTIONS; i++)
        put(text, "    a%zu: %s\n", i, actions[i]);
    put(text,
        "  resourceTypes:\n    model: {hosts: [\"*.ex\"], id: [path.model, body.model%s]}\n"
        "    data: {%sid: [path.data]}\n    fixed: {hosts: [fixed.h.ex, i.other], id: [\"=only\"]}\n",
        chance(random, 50) ? ", header.x-model" : "", chance(random, 50) ? "hosts: [h.ex], " : "");
    put(text, "  resources:\n    - {type: model, id: m1, labels: {tier: high, kind: a}}\n"
              "    - {type: model, id: \"m*\", labels: {tier: low}}\n"
              "    - {type: model, id: \"m2*\", labels: {tier: high, kind: b}}\n"
              "    - {type: model, id: \"m2\", labels: {kind: a}}\n"
              "    - {type: data, id: d1, labels: {tier: low}}\n    - {type: fixed, id: only, labels: {tier: high}}\n");
}

void generate_policy(struct random *random, struct generated_policy *out)
{
    struct text text = {.data = out->head, .room = sizeof out->head};
    put_head(random, &text);
    out->head_size = text.size;
    out->rule_count = 2 + random_below(random, GENERATED_RULES_MAX - 4);
    for (size_t i = 0; i < out->rule_count; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "r%02u-%zu", random_below(random, 100), i);
        generate_rule(random, name, chance(random, 25), out->rules[i], sizeof out->rules[i]);
    }
}

struct view generated_text(const struct generated_policy *policy, const size_t *order, char *buffer, size_t size)
{
    struct text text = {.data = buffer, .room = size};
    put(&text, "%.*s  rules:\n", (int)policy->head_size, policy->head);
    for (size_t i = 0; i < policy->rule_count; i++)
        put(&text, "    - %s\n", policy->rules[order ? order[i] : i]);
    return (struct view){.data = buffer, .size = text.size};
}

/* ---- requests ------------------------------------------------------------ */

struct claims_builder {
    struct random *random;
    struct arena *arena;
    struct value *items;
    struct view *names;
    size_t count;
};

enum { CLAIMS_MAX = 16 };

static void *take(struct arena *arena, size_t count, size_t size)
{
    void *memory = arena_take_array(arena, count, size);
    if (!memory)
        abort();
    return memory;
}

static struct value text_value(const char *text)
{
    return (struct value){.kind = VALUE_STRING, .text = view_of(text)};
}

static void claim_put(struct claims_builder *builder, const char *name, struct value value)
{
    builder->names[builder->count] = view_of(name);
    builder->items[builder->count++] = value;
}

/* A list of some of `pool`, or what a list is not. */
static struct value list_value(struct claims_builder *builder, const char *const *pool, uint32_t pool_count)
{
    uint32_t kind = random_below(builder->random, 20);
    if (kind == 0)
        return (struct value){.kind = VALUE_NULL};
    if (kind == 1)
        return (struct value){.kind = VALUE_MAP};
    if (kind == 2)
        return text_value(pool[random_below(builder->random, pool_count)]);
    size_t count = kind == 3 ? 4 + random_below(builder->random, 3) : random_below(builder->random, 4);
    struct value *items = take(builder->arena, count + 1, sizeof *items);
    for (size_t i = 0; i < count; i++)
        items[i] = text_value(pool[random_below(builder->random, pool_count)]);
    for (size_t i = 0; i < count && kind == 3; i++)
        items[i] = items[0]; /* over maxGroups without naming every group */
    if (kind == 4 && count > 0)
        items[0] = (struct value){.kind = VALUE_MAP};
    return (struct value){.kind = VALUE_LIST, .items = items, .count = count};
}

static struct value map_value(struct claims_builder *builder, const char *name, struct value value)
{
    struct value *item = take(builder->arena, 1, sizeof *item);
    struct view *names = take(builder->arena, 1, sizeof *names);
    *item = value;
    *names = view_of(name);
    return (struct value){.kind = VALUE_MAP, .items = item, .names = names, .count = 1};
}

static const struct value *generate_claims(struct random *random, struct arena *arena)
{
    static const char *const groups[] = {"g1", "g2", "g3", "g4", "G1"}, *const roles[] = {"r1", "r2", "r3"};
    static const char *const scopes[] = {"s:read", "s:read s:write", "s:readx", "s:write", "", "s:write  s:read"};
    static const char *const emails[] = {"ada@ex", "a", "ad", "bob@ex", "ad\r\nx: y", ""};
    static const char *const numbers[] = {"1", "2", "5", "6", "2.5", "-3"}, *const purposes[] = {"p1", "p2", "p3",
                                                                                                 "p1 "};
    struct claims_builder builder = {.random = random,
                                     .arena = arena,
                                     .items = take(arena, CLAIMS_MAX, sizeof(struct value)),
                                     .names = take(arena, CLAIMS_MAX, sizeof(struct view))};
    if (chance(random, 80))
        claim_put(&builder, "groups", list_value(&builder, groups, 5));
    if (chance(random, 60))
        claim_put(&builder, "roles", list_value(&builder, roles, 3));
    if (chance(random, 50))
        claim_put(&builder, "realm",
                  chance(random, 85) ? map_value(&builder, "roles", list_value(&builder, roles, 3)) : text_value("r1"));
    if (chance(random, 20))
        claim_put(&builder, "realm.roles", list_value(&builder, roles, 3));
    if (chance(random, 60))
        claim_put(&builder, "scope", text_value(PICK(random, scopes)));
    if (chance(random, 60))
        claim_put(&builder, "email", text_value(PICK(random, emails)));
    if (chance(random, 60))
        claim_put(&builder, "purpose", text_value(PICK(random, purposes)));
    if (chance(random, 50))
        claim_put(&builder, "level",
                  (struct value){.kind = chance(random, 80) ? VALUE_NUMBER : VALUE_STRING,
                                 .text = view_of(PICK(random, numbers))});
    if (chance(random, 40))
        claim_put(&builder, "details", map_value(&builder, "type", text_value(chance(random, 60) ? "pay" : "see")));
    if (chance(random, 50))
        claim_put(&builder, "sid", text_value("s"));
    struct value *map = take(arena, 1, sizeof *map);
    *map = (struct value){.kind = VALUE_MAP, .items = builder.items, .names = builder.names, .count = builder.count};
    return map;
}

static void generate_user(struct random *random, struct arena *arena, struct user_facts *user)
{
    static const char *const methods[] = {"pwd", "otp", "hwk", "pin", "kba", "mfa", "theirs", "face", "x"};
    static const char *const acrs[] = {"low", "mfa", "phr", "phrh", "two", "strong", "none"};
    static const int64_t ages[] = {0, 119, 120, 130, 131, 150, 151, 300, 330, 331, 3600, 3630, 3631, -5, -31};
    static const char *const actors[] = {"spiffe://prod.ex/ns/a/sa/x", "spiffe://prod.ex/ns/b/sa/y"};
    static const char *const subjects[] = {"u1", "u2", "u3", "u\x7f"};
    user->state = USER_KNOWN;
    user->issuer = view_of(chance(random, 80)   ? "https://sso.ex"
                           : chance(random, 95) ? "https://other.ex"
                                                : "https://x");
    user->subject = view_of(PICK(random, subjects));
    user->claims = generate_claims(random, arena);
    struct view *amr = take(arena, 4, sizeof *amr);
    user->has_amr = chance(random, 85);
    user->amr_count = user->has_amr ? random_below(random, 4) : 0;
    for (size_t i = 0; i < user->amr_count; i++)
        amr[i] = view_of(PICK(random, methods));
    user->amr = amr;
    if (chance(random, 70))
        user->acr = view_of(PICK(random, acrs));
    user->has_auth_time = chance(random, 85);
    user->auth_time = NOW - PICK(random, ages);
    user->client = chance(random, 30) ? view_of("app") : (struct view){0};
    user->actor_count = chance(random, 30) ? 1 + random_below(random, 3) : 0;
    for (size_t i = 0; i < user->actor_count; i++)
        user->actors[i] = view_of(PICK(random, actors));
    user->is_bound_to_certificate = chance(random, 30);
    user->is_bound_to_workload = chance(random, 30);
    user->is_bound_by_dpop = chance(random, 30);
}

static void generate_request(struct random *random, struct facts *out)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "HEAD"};
    static const char *const hosts[] = {"h.ex", "x.h.ex",  "H.EX:8080",  "p.ex:8080",
                                        "p.ex", "i.other", "fixed.h.ex", "ex"};
    static const char *const paths[] = {"/m/m1:go",
                                        "/m/m1",
                                        "/m/m2",
                                        "/m/m2x",
                                        "/m/zzz",
                                        "/m/m1/d/d1",
                                        "/m/m1/d/d2",
                                        "/d/d1",
                                        "/d/d1/x",
                                        "/d/d1/",
                                        "/n/m1:go",
                                        "/m/",
                                        "/m",
                                        "/",
                                        "/rpc",
                                        "/pkg.Svc/Get",
                                        "/pkg.Svc/Gex",
                                        "/pkg.Other/Any",
                                        "/m/org%2Fm",
                                        "/m/m%32",
                                        "/m/m1%3Ago",
                                        "/m/:go",
                                        "/x/y",
                                        "/m/org%2fm:go",
                                        "/m/m1/d/d%2F1",
                                        "/pkg.Svc/Get/x",
                                        "/m/x%3f?q",
                                        "/a/../b",
                                        "/m/m",
                                        "/x/y?op=list",
                                        "/x/y?op=drop&q=v1",
                                        "/x/y?op=drop&q=v1&q=v1",
                                        "/x/z?op=dr%6Fp&q=v1",
                                        "/x/y?op=list;op=drop",
                                        "/m/m1?q=v1&n=5",
                                        "/m/m1?q=v2&n=11",
                                        "/m/m2?q=v1&q=v2",
                                        "/d/d1?q=a+b&n=x",
                                        "/d/d1/x?%zz=1&q=v1",
                                        "/m/m1/d/d1?q&n=1",
                                        "/m/m1?t=me",
                                        "/m/m2?%74=me"};
    out->method = view_of(PICK(random, methods));
    out->host = view_of(PICK(random, hosts));
    out->path = view_of(PICK(random, paths));
    if (view_starts_with(out->path, VIEW("/pkg.")) || view_starts_with(out->path, VIEW("/rpc")) ||
        view_ends_with(out->path, VIEW(":go")))
        out->method = chance(random, 90) ? VIEW("POST") : out->method;
}

static void generate_body(struct random *random, struct body_facts *body)
{
    static const char *const models[] = {"m1", "m2", "zzz", "org/m"};
    if (chance(random, 60))
        return;
    body->state = chance(random, 85) ? BODY_READ : BODY_UNREADABLE;
    if (body->state != BODY_READ)
        return;
    if (chance(random, 60))
        body->model = view_of(PICK(random, models));
    if (chance(random, 50))
        body->call = view_of(chance(random, 70) ? "tools/call" : "tools/list");
}

static void generate_headers(struct random *random, struct arena *arena, struct facts *out)
{
    static const char *const values[] = {"v1", "v2", "w", ""}, *const numbers[] = {"0", "1", "10", "11", "x"};
    struct pair *headers = take(arena, 4, sizeof *headers);
    size_t count = 0;
    if (chance(random, 60))
        headers[count++] = (struct pair){VIEW("x-a"), view_of(PICK(random, values)), chance(random, 15)};
    if (chance(random, 50))
        headers[count++] = (struct pair){VIEW("x-n"), view_of(PICK(random, numbers)), false};
    if (chance(random, 50))
        headers[count++] = (struct pair){VIEW("x-purpose"), chance(random, 70) ? VIEW("p1") : VIEW("p"), false};
    if (chance(random, 15))
        headers[count++] =
            (struct pair){VIEW("x-model"), chance(random, 70) ? VIEW("m1") : VIEW("m2"), chance(random, 20)};
    out->headers = headers;
    out->header_count = count;
    struct pair *context = take(arena, 1, sizeof *context);
    *context = (struct pair){VIEW("route"), chance(random, 60) ? VIEW("r1") : VIEW("r2"), chance(random, 10)};
    out->context = context;
    out->context_count = chance(random, 60);
    struct claims_builder builder = {.random = random, .arena = arena};
    struct value *metadata = take(arena, 1, sizeof *metadata);
    *metadata = map_value(&builder, "f", map_value(&builder, "k", text_value(chance(random, 60) ? "v1" : "v2")));
    out->metadata = chance(random, 60) ? metadata : NULL;
}

static void generate_network(struct random *random, struct facts *out)
{
    static const uint8_t addresses[][4] = {{9, 255, 255, 255}, {10, 0, 0, 0},    {10, 255, 255, 255},
                                           {11, 0, 0, 0},      {192, 0, 2, 127}, {192, 0, 2, 128}};
    static const char *const names[] = {"sni.ex", "a.SNI.ex", "xsni.ex", "other"};
    static const uint16_t ports[] = {0, 79, 80, 90, 91};
    struct address_fact *all[] = {&out->source_ip, &out->remote_ip};
    for (size_t i = 0; i < 2; i++) {
        const uint8_t *bytes = PICK(random, addresses);
        uint32_t kind = random_below(random, 10);
        all[i]->family = kind == 0 ? 0 : kind < 3 ? 6 : 4;
        if (kind == 1)
            memcpy(all[i]->bytes, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
        memcpy(all[i]->bytes + (kind == 1 ? 12 : 0), bytes, 4);
        if (kind == 2)
            memcpy(all[i]->bytes, "\x20\x01\x0d\xb8", 4);
    }
    out->port = PICK(random, ports);
    if (chance(random, 70))
        out->sni = view_of(PICK(random, names));
}

void generate_facts(struct random *random, struct arena *arena, struct facts *out)
{
    static const char *const callers[] = {
        "spiffe://prod.ex/ns/a/sa/x", "spiffe://prod.ex/ns/a/sa/y",  "spiffe://prod.ex/ns/b/sa/y",
        "spiffe://prod.ex/ns/b/sa/x", "spiffe://prod.ex/ns/ab/sa/x", "spiffe://dev.ex/w",
        "spiffe://dev.ex/ns/a/sa/x",  "spiffe://prod.ex/ns/b",       "spiffe://prod.ex/ns/b/sa/y/z"};
    static const int64_t clocks[] = {
        0,       -1,       -60,
        59,      60,       86400,
        36000,   64800,    /* summer time in Paris: 01:00Z on 29 March and 25 October */ 7477200,
        7477199, 25621200, 25617600};
    *out = (struct facts){.request_failure = REASON_NONE, .workload_failure = REASON_NONE, .user_failure = REASON_NONE};
    out->is_raw_path = chance(random, 50);
    out->now = NOW + PICK(random, clocks);
    generate_request(random, out);
    generate_body(random, &out->body);
    generate_headers(random, arena, out);
    generate_network(random, out);
    if (chance(random, 85)) {
        out->workload.proof = chance(random, 85) ? PROOF_CERTIFICATE : PROOF_XFCC_TEXT;
        out->workload.spiffe_id = view_of(PICK(random, callers));
        out->workload.trust_domain =
            view_slice(out->workload.spiffe_id, 9, view_index_of(out->workload.spiffe_id, '/', 9));
    } else if (chance(random, 90)) {
        out->workload_failure = REASON_CERTIFICATE_NONE;
    } else {
        out->workload_failure = REASON_CERTIFICATE_EXPIRED;
    }
    uint32_t user = random_below(random, 20);
    if (user == 0)
        out->user_failure = REASON_TOKEN_SIGNATURE;
    else if (user == 1)
        out->user_failure = REASON_KEYS_UNAVAILABLE;
    else if (user < 4)
        out->user.state = USER_UNKNOWN;
    else if (user < 16)
        generate_user(random, arena, &out->user);
    if (chance(random, 50))
        out->decision_id = VIEW("d-1");
}
