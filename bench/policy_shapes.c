/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_shapes.h"

enum { NOW = 1800000000, GROUPS = 8, TEMPLATE_DEPTH = 4, DENIES = 9, LABELLED = 2 };

#define HOST "api.example"
/* A view of a literal where only a constant will do. */
#define WORD(literal)                                                                                                  \
    {                                                                                                                  \
        .data = "" literal, .size = sizeof(literal) - 1                                                                \
    }

/* ---- what all shapes share ------------------------------------------------ */

static void head_write(const struct shape_part *part, const char *name, FILE *out)
{
    (void)fprintf(out,
                  "apiVersion: bartizan.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: %s-%zu}\nspec:\n"
                  "  issuers:\n    sso: {url: \"https://sso.example\", audiences: [api]}\n",
                  name, part->document);
}

static void roles_write(const struct shape_part *part, size_t count, FILE *out)
{
    (void)fprintf(out, "  roles:\n");
    for (size_t k = 0; k < count; k++)
        (void)fprintf(out,
                      "    w%zu: {members: [{workload: {spiffe: \"spiffe://prod.example/ns/d%zu-%zu/sa/app\"}}]}\n", k,
                      part->document, k);
}

static void caller_aim(const struct shape_part *part, size_t role, struct arena *arena, struct facts *out)
{
    out->workload.proof = PROOF_CERTIFICATE;
    out->workload.trust_domain = VIEW("prod.example");
    out->workload.spiffe_id = arena_print(arena, "spiffe://prod.example/ns/d%zu-%zu/sa/app", part->document, role);
}

static void request_aim(struct view method, struct view path, struct facts *out)
{
    static const struct pair headers[] = {
        {.name = WORD("accept"), .value = WORD("application/json")},
        {.name = WORD("user-agent"), .value = WORD("bench/1")},
        {.name = WORD("x-flag"), .value = WORD("off")},
        {.name = WORD("x-tenant"), .value = WORD("blue")},
    };
    *out = (struct facts){.method = method, .host = VIEW(HOST), .path = path, .is_raw_path = true, .now = NOW};
    out->request_failure = out->workload_failure = out->user_failure = REASON_NONE;
    out->headers = headers;
    out->header_count = sizeof headers / sizeof *headers;
}

/* A token of GROUPS groups, `group` the fifth of them. */
static void user_aim(struct view group, struct arena *arena, struct facts *out)
{
    struct value *groups = arena_take_array(arena, GROUPS, sizeof *groups);
    struct value *members = arena_take_array(arena, 2, sizeof *members);
    struct view *names = arena_take_array(arena, 2, sizeof *names);
    struct value *claims = arena_take(arena, sizeof *claims);
    if (!groups || !members || !names || !claims)
        return;
    for (size_t i = 0; i < GROUPS; i++)
        groups[i] = (struct value){.kind = VALUE_STRING, .text = arena_print(arena, "other-%zu", i)};
    groups[4].text = group;
    names[0] = VIEW("groups");
    members[0] = (struct value){.kind = VALUE_LIST, .items = groups, .count = GROUPS};
    names[1] = VIEW("sub");
    members[1] = (struct value){.kind = VALUE_STRING, .text = VIEW("alice")};
    *claims = (struct value){.kind = VALUE_MAP, .items = members, .names = names, .count = 2};
    out->user = (struct user_facts){.state = USER_KNOWN,
                                    .issuer = VIEW("https://sso.example"),
                                    .subject = VIEW("alice"),
                                    .claims = claims,
                                    .issued_at = NOW - 60,
                                    .expires = NOW + 600};
}

/* ---- many roles ------------------------------------------------------------ */

/* Workload roles of one document, and as many user roles. */
static size_t role_count(const struct shape_part *part)
{
    size_t all = part->rules >= 100000 ? 1000 : part->rules >= 10000 ? 500 : part->rules >= 1000 ? 100 : 20;
    size_t documents = (part->rules + RULES_PER_DOCUMENT - 1) / RULES_PER_DOCUMENT;
    return all / documents / 2;
}

static size_t action_count(const struct shape_part *part)
{
    return part->count / 4 + 1;
}

static size_t item_count(const struct shape_part *part)
{
    return part->count / 5 + 2;
}

static void items_write(const struct shape_part *part, FILE *out)
{
    (void)fprintf(out, "  resourceTypes:\n    item: {hosts: [%s], id: [path.item]}\n  resources:\n", HOST);
    for (size_t k = 0; k < item_count(part); k++)
        (void)fprintf(out, "    - {type: item, id: x%zu, labels: {tier: %s}}\n", k, k % 2 == 0 ? "low" : "high");
}

static void many_roles_write(const struct shape_part *part, FILE *out)
{
    size_t roles = role_count(part), actions = action_count(part);
    head_write(part, "many-roles", out);
    roles_write(part, roles, out);
    for (size_t k = 0; k < roles; k++)
        (void)fprintf(out, "    u%zu: {members: [{user: {issuer: sso, claims: {groups: {anyOf: [g%zu-%zu]}}}}]}\n", k,
                      part->document, k);
    (void)fprintf(out, "  actions:\n");
    for (size_t k = 0; k < actions; k++)
        (void)fprintf(out, "    a%zu: {http: [{methods: [GET, POST], paths: [\"/d%zu/s%zu/{item}\"]}]}\n", k,
                      part->document, k);
    items_write(part, out);
    (void)fprintf(out, "  rules:\n");
    for (size_t j = 0; j < part->count; j++) {
        const char *who = j % 2 == 0 ? "workload: [w" : "workload: any, user: [u";
        char kind = j % 2 == 0 ? 'w' : 'u';
        (void)fprintf(out, "    - {allow: r%zu, subjects: {%s%zu, %c%zu]}, actions: [a%zu, a%zu]%s}\n", part->first + j,
                      who, j / 2 % roles, kind, (j / 2 + 3) % roles, j % actions, (13 * j + 5) % actions,
                      j % 4 < LABELLED ? ", resources: {labels: {tier: [low]}}" : "");
    }
}

static void many_roles_aim(const struct shape_part *part, size_t j, bool is_miss, struct arena *arena,
                           struct facts *out)
{
    size_t roles = role_count(part), role = j / 2 % roles;
    bool is_method = is_miss && j / 2 % 2 == 0, is_caller = is_miss && !is_method;
    struct view path =
        arena_print(arena, "/d%zu/s%zu/x%zu", part->document, j % action_count(part), 2 * (j % (item_count(part) / 2)));
    request_aim(is_method ? VIEW("DELETE") : VIEW("POST"), path, out);
    caller_aim(part, j % 2 == 0 && !is_caller ? role : 1000000, arena, out);
    user_aim(j % 2 == 1 && !is_caller ? arena_print(arena, "g%zu-%zu", part->document, role) : VIEW("nobody"), arena,
             out);
}

/* ---- many resources under one role ------------------------------------------ */

static void many_resources_write(const struct shape_part *part, FILE *out)
{
    head_write(part, "many-resources", out);
    roles_write(part, 1, out);
    (void)fprintf(out, "  actions:\n    read: {http: [{methods: [GET], paths: [\"/d%zu/{item}\"]}]}\n", part->document);
    (void)fprintf(out, "    write: {http: [{methods: [POST], paths: [\"/d%zu/{item}\"]}]}\n", part->document);
    (void)fprintf(out, "  resourceTypes:\n    item: {hosts: [%s], id: [path.item]}\n  rules:\n", HOST);
    for (size_t j = 0; j < part->count; j++)
        (void)fprintf(out,
                      "    - {allow: r%zu, subjects: {workload: [w0]}, actions: [%s], resources: {ids: [item-%zu]}}\n",
                      part->first + j, j % 2 == 0 ? "read" : "write", j);
}

static void many_resources_aim(const struct shape_part *part, size_t j, bool is_miss, struct arena *arena,
                               struct facts *out)
{
    struct view path = arena_print(arena, "/d%zu/item-%zu%s", part->document, j, is_miss ? "-not" : "");
    request_aim(j % 2 == 0 ? VIEW("GET") : VIEW("POST"), path, out);
    caller_aim(part, 0, arena, out);
}

/* ---- many overlapping templates ---------------------------------------------- */

enum { TEMPLATE_ROLES = 10 };

/* The smallest number of literals whose templates of TEMPLATE_DEPTH segments are enough. */
static size_t alphabet(const struct shape_part *part)
{
    size_t n = 1;
    while ((n + 1) * (n + 1) * (n + 1) * (n + 1) < part->count)
        n++;
    return n;
}

/* Segment `at` of template j: alphabet(part) is a variable, else a literal. */
static size_t template_digit(const struct shape_part *part, size_t j, size_t at)
{
    for (size_t i = 0; i < at; i++)
        j /= alphabet(part) + 1;
    return j % (alphabet(part) + 1);
}

static void templates_write(const struct shape_part *part, FILE *out)
{
    head_write(part, "templates", out);
    roles_write(part, TEMPLATE_ROLES, out);
    (void)fprintf(out, "  actions:\n");
    for (size_t j = 0; j < part->count; j++) {
        (void)fprintf(out, "    a%zu: {http: [{methods: [GET], paths: [\"/d%zu", j, part->document);
        for (size_t at = 0; at < TEMPLATE_DEPTH; at++) {
            size_t digit = template_digit(part, j, at);
            (void)fprintf(out, digit == alphabet(part) ? "/{v%zu}" : "/s%zu", digit == alphabet(part) ? at : digit);
        }
        (void)fprintf(out, "/{item}\"]}]}\n");
    }
    (void)fprintf(out, "  resourceTypes:\n    item: {hosts: [%s], id: [path.item]}\n  rules:\n", HOST);
    for (size_t j = 0; j < part->count; j++)
        (void)fprintf(out, "    - {allow: r%zu, subjects: {workload: [w%zu]}, actions: [a%zu]}\n", part->first + j,
                      j % TEMPLATE_ROLES, j);
}

static void templates_aim(const struct shape_part *part, size_t j, bool is_miss, struct arena *arena, struct facts *out)
{
    size_t digits[TEMPLATE_DEPTH];
    for (size_t at = 0; at < TEMPLATE_DEPTH; at++) {
        digits[at] = template_digit(part, j, at);
        if (digits[at] == alphabet(part))
            digits[at] = (j + at) % alphabet(part);
    }
    struct view path = arena_print(arena, "/d%zu/s%zu/s%zu/s%zu/s%zu/thing", part->document, digits[0], digits[1],
                                   digits[2], digits[3]);
    request_aim(VIEW("GET"), path, out);
    caller_aim(part, is_miss ? TEMPLATE_ROLES : j % TEMPLATE_ROLES, arena, out);
}

/* ---- deny-heavy -------------------------------------------------------------- */

/* Nine denies with a condition and one allow for each pair of a role and an action. */
enum { DENY_ROLES = 20 };

static void denies_write(const struct shape_part *part, FILE *out)
{
    size_t actions = part->count / (DENIES + 1) + 1;
    head_write(part, "denies", out);
    roles_write(part, DENY_ROLES, out);
    (void)fprintf(out, "  actions:\n");
    for (size_t k = 0; k < actions; k++)
        (void)fprintf(out, "    a%zu: {http: [{methods: [GET], paths: [\"/d%zu/s%zu/{**}\"]}]}\n", k, part->document,
                      k);
    (void)fprintf(out, "  rules:\n");
    for (size_t j = 0; j < part->count; j++) {
        size_t k = j / (DENIES + 1);
        if (j % (DENIES + 1) == 0)
            (void)fprintf(out, "    - {allow: r%zu, subjects: {workload: [w%zu]}, actions: [a%zu]}\n", part->first + j,
                          k % DENY_ROLES, k);
        else
            (void)fprintf(out,
                          "    - {deny: r%zu, subjects: {workload: [w%zu]}, actions: [a%zu], "
                          "when: {header: {name: x-flag, equals: v%zu}}}\n",
                          part->first + j, k % DENY_ROLES, k, j);
    }
}

static void denies_aim(const struct shape_part *part, size_t j, bool is_miss, struct arena *arena, struct facts *out)
{
    size_t k = j / (DENIES + 1);
    request_aim(VIEW("GET"), arena_print(arena, "/d%zu/s%zu/a/b", part->document, k), out);
    caller_aim(part, (is_miss ? k + 1 : k) % DENY_ROLES, arena, out);
}

/* ---- the worst --------------------------------------------------------------- */

/* Every rule is about every request, and only a header tells them apart. */
static void worst_write(const struct shape_part *part, FILE *out)
{
    head_write(part, "worst", out);
    (void)fprintf(out, "  rules:\n");
    for (size_t j = 0; j < part->count; j++)
        (void)fprintf(out, "    - {allow: r%zu, subjects: any, when: {header: {name: x-tenant, equals: %s%zu}}}\n",
                      part->first + j, "t", part->first + j);
}

static void worst_aim(const struct shape_part *part, size_t j, bool is_miss, struct arena *arena, struct facts *out)
{
    struct pair *tenant = arena_take(arena, sizeof *tenant);
    request_aim(VIEW("GET"), VIEW("/anything"), out);
    caller_aim(part, 0, arena, out);
    if (!tenant)
        return;
    *tenant = (struct pair){.name = VIEW("x-tenant"),
                            .value = arena_print(arena, is_miss ? "u%zu" : "t%zu", part->first + j)};
    out->headers = tenant;
    out->header_count = 1;
}

/* ---- all ----------------------------------------------------------------------- */

static const struct policy_shape SHAPES[] = {
    {.name = "roles", .write = many_roles_write, .aim = many_roles_aim},
    {.name = "resources", .write = many_resources_write, .aim = many_resources_aim},
    {.name = "templates", .write = templates_write, .aim = templates_aim},
    {.name = "denies", .write = denies_write, .aim = denies_aim},
    {.name = "worst", .write = worst_write, .aim = worst_aim},
};

const struct policy_shape *policy_shape_find(struct view name)
{
    for (size_t i = 0; i < sizeof SHAPES / sizeof *SHAPES; i++)
        if (view_equals(name, view_of(SHAPES[i].name)))
            return &SHAPES[i];
    return NULL;
}

struct shape_part policy_shape_part(size_t rules, size_t rule)
{
    size_t document = rule / RULES_PER_DOCUMENT, first = document * RULES_PER_DOCUMENT;
    size_t rest = rules - first;
    return (struct shape_part){.rules = rules,
                               .first = first,
                               .count = rest < RULES_PER_DOCUMENT ? rest : RULES_PER_DOCUMENT,
                               .document = document};
}

struct view policy_shape_text(const struct policy_shape *shape, const struct shape_part *part)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return (struct view){0};
    shape->write(part, out);
    return fclose(out) == 0 ? (struct view){.data = text, .size = size} : (struct view){0};
}

size_t policy_shape_pick(size_t rules, uint64_t *state)
{
    if (*state == 0)
        *state = 0x9e3779b97f4a7c15u;
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(*state >> 33) % rules;
}
