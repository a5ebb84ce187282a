/* SPDX-License-Identifier: Apache-2.0 */
/* The indexes of a program against the reference interpreter: many templates over a small alphabet, and every path
 * over it; many roles and ids, and every caller and id. What is found shows in the answers, for each action, role
 * and id has rules of its own. */
#include "decision_compare.h"
#include "policy.h"
#include "policy_generator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { POLICIES = 150, ACTIONS_MAX = 24, SEGMENTS_MAX = 3, TEXT_MAX = 65536, SCRATCH = 262144 };

static char text_buffer[TEXT_MAX];
static size_t text_size;
static char scratch_memory[2][SCRATCH];

static void put(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void put(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text_buffer + text_size, sizeof text_buffer - text_size, format, args);
    va_end(args);
    assert_true(size >= 0 && (size_t)size < sizeof text_buffer - text_size);
    text_size += (size_t)size;
}

static void put_head(void)
{
    text_size = 0;
    put("apiVersion: bartizan.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: generated}\nspec:\n  actions:\n");
}

/* NULL where an operation pair can read two ids out of one request. */
static struct policy *build(void)
{
    struct arena arena;
    struct diag_list diags;
    struct policy *policy = NULL;
    struct policy_source source = {.name = VIEW("generated.yaml"), .text = {text_buffer, text_size}};
    arena_init(&arena, 1 << 24);
    diag_list_init(&diags, &arena);
    if (policy_build(&source, 1, &diags, &policy) != ERR_NONE && !view_equals(diags.items[0].code, VIEW("E0417"))) {
        diag_list_print(&diags, stderr);
        fail_msg("a generated policy does not build:\n%.*s", (int)text_size, text_buffer);
    }
    arena_free(&arena);
    return policy;
}

static void put_template(struct random *random)
{
    static const char *const words[] = {"a", "b", "a:go", "{*}", "{*}", "{item}"};
    uint32_t count = 1 + random_below(random, SEGMENTS_MAX);
    bool has_item = false;
    put("\"");
    for (uint32_t i = 0; i < count; i++) {
        const char *word = words[random_below(random, 6)];
        if (word[1] == 'i') {
            word = has_item ? "{*}" : word;
            has_item = true;
        }
        put("/%s", word);
        if (i + 1 < count)
            continue;
        uint32_t end = random_below(random, 6);
        if (end == 0)
            put("/{**}");
        else if (end == 1)
            put("/");
        else if (end == 2 && word[1] == 'i')
            put(random_below(random, 2) == 0 ? ":go" : ":stop");
    }
    put("\"");
}

static void put_operation(struct random *random)
{
    static const char *const methods[] = {"", "", "methods: [GET], ", "methods: [GET, POST], "};
    static const char *const hosts[] = {"", "", "hosts: [h.ex], ", "hosts: [\"*.ex\", i.other], "};
    static const char *const queries[] = {"", "", "", ", query: {q: v}"};
    put("{%s%spaths: [", methods[random_below(random, 4)], hosts[random_below(random, 4)]);
    put_template(random);
    if (random_below(random, 3) == 0) {
        put(", ");
        put_template(random);
    }
    put("]%s}", queries[random_below(random, 4)]);
}

/* `actions` actions, each with an allow and some with a deny of lower priority, named by chance. */
static void put_policy(struct random *random, uint32_t actions)
{
    bool has_types = random_below(random, 2) == 0, captures = false;
    put_head();
    size_t from = text_size;
    for (uint32_t i = 0; i < actions; i++) {
        put("    a%u: {", i);
        if (random_below(random, 8) == 0)
            put("grpc: [%s]", random_below(random, 2) == 0 ? "a/b" : "\"a/*\"");
        else {
            put("http: [");
            put_operation(random);
            put("]");
        }
        put("}\n");
    }
    text_buffer[text_size] = '\0';
    captures = strstr(text_buffer + from, "{item}") != NULL;
    if (has_types && captures)
        put("  resourceTypes: {thing: {id: [path.item]}}\n");
    put("  rules:\n");
    for (uint32_t i = 0; i < actions; i++) {
        put("    - {allow: r%02u-%u, priority: %u, actions: [a%u]}\n", random_below(random, 100), i,
            random_below(random, 3), i);
        if (random_below(random, 4) == 0)
            put("    - {deny: d%02u-%u, priority: %u, actions: [a%u]}\n", random_below(random, 100), i,
                random_below(random, 3), i);
    }
}

static struct facts facts_of(struct view method, struct view host, struct view path)
{
    return (struct facts){.request_failure = REASON_NONE,
                          .workload_failure = REASON_NONE,
                          .user_failure = REASON_NONE,
                          .method = method,
                          .host = host,
                          .path = path};
}

static enum verdict compare_facts(const struct policy *policy, const struct facts *facts)
{
    struct decision compiled, interpreted;
    struct arena scratch[2];
    arena_init_fixed(&scratch[0], scratch_memory[0], SCRATCH);
    arena_init_fixed(&scratch[1], scratch_memory[1], SCRATCH);
    policy_decide(policy, facts, &scratch[0], &compiled);
    policy_interpret(policy, facts, &scratch[1], &interpreted);
    const char *what = decisions_differ(&compiled, &interpreted);
    if (what)
        fail_msg("%s differs for %.*s %.*s%.*s by %.*s: %.*s and %.*s\n%.*s", what, VIEW_ARG(facts->method),
                 VIEW_ARG(facts->host), VIEW_ARG(facts->path), VIEW_ARG(facts->workload.spiffe_id),
                 VIEW_ARG(compiled.rule), VIEW_ARG(interpreted.rule), (int)text_size, text_buffer);
    assert_int_not_equal(compiled.reason, REASON_INTERNAL);
    return compiled.verdict;
}

static bool compare(const struct policy *policy, struct view method, struct view host, struct view path)
{
    struct facts facts = facts_of(method, host, path);
    return compare_facts(policy, &facts) == VERDICT_ALLOW;
}

/* Every path of up to SEGMENTS_MAX words, a last empty segment among them; returns how many are allowed. */
static size_t compare_paths(const struct policy *policy, char *path, size_t size, size_t depth)
{
    static const char *const words[] = {"", "a", "b", "c", "a:go", "c:go", "c:stop", ":go", "a.b"};
    size_t allowed = 0;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        int more = snprintf(path + size, 16, "/%s", words[i]);
        struct view whole = {.data = path, .size = size + (size_t)more};
        char with_query[64];
        (void)snprintf(with_query, sizeof with_query, "%s?q=v", path);
        allowed += compare(policy, VIEW("GET"), VIEW("h.ex"), whole);
        allowed += compare(policy, VIEW("POST"), VIEW("x.ex"), whole);
        allowed += compare(policy, VIEW("GET"), VIEW("i.other"), view_of(with_query));
        if (i > 0 && depth < SEGMENTS_MAX)
            allowed += compare_paths(policy, path, size + (size_t)more, depth + 1);
    }
    return allowed;
}

static void every_path_leads_to_the_operations_that_fit_it(void **state)
{
    (void)state;
    size_t built = 0, allowed = 0;
    for (uint64_t seed = 1; seed <= POLICIES; seed++) {
        struct random random = random_of(seed);
        char path[64];
        put_policy(&random, 1 + random_below(&random, ACTIONS_MAX));
        struct policy *policy = build();
        if (!policy)
            continue;
        built++;
        allowed += compare_paths(policy, path, 0, 1);
        policy_free(policy);
    }
    assert_in_range(built, POLICIES / 2, POLICIES);
    assert_true(allowed > 10000);
}

enum { DEPTH = 7 };

/* One action for each way to write DEPTH segments as a literal or as any; `first` has the first rule by name. */
static void put_deep(unsigned first)
{
    put_head();
    for (unsigned i = 0; i < 1u << DEPTH; i++) {
        put("    a%u: {http: [{paths: [\"", i);
        for (unsigned d = 0; d < DEPTH; d++)
            put(i >> d & 1 ? "/{*}" : "/a");
        put("\"]}]}\n");
    }
    put("  rules:\n");
    for (unsigned i = 0; i < 1u << DEPTH; i++)
        put("    - {allow: r%03u, actions: [a%u]}\n", (i - first) % (1u << DEPTH), i);
}

/* What is found at first is held in place; there can be more of it. */
static void more_operations_than_are_expected_all_count(void **state)
{
    (void)state;
    put_deep(37);
    struct policy *policy = build();
    assert_non_null(policy);
    for (unsigned i = 0; i < 1u << DEPTH; i++) {
        char path[4 * DEPTH];
        for (unsigned d = 0; d < DEPTH; d++)
            memcpy(path + 2 * d, i >> d & 1 ? "/b" : "/a", 2);
        assert_true(compare(policy, VIEW("GET"), VIEW("h.ex"), (struct view){path, 2 * DEPTH}));
        assert_false(compare(policy, VIEW("GET"), VIEW("h.ex"), (struct view){path, 2 * DEPTH - 2}));
    }
    policy_free(policy);
}

/* ---- roles and ids --------------------------------------------------------- */

enum { CROWDS = 40, NAMES = 12, ROLES_MAX = 90, USER_ROLES = 30, RULES_MAX = 120 };

/* Workloads of namespace n0 to n11 and users of group n0 to n11 hold about a third of all roles each. */
static uint32_t put_roles(struct random *random)
{
    uint32_t roles = 1 + random_below(random, ROLES_MAX);
    put("  roles:\n");
    for (uint32_t i = 0; i < roles + USER_ROLES; i++) {
        bool is_user = i >= roles;
        put("    %c%u: {members: [{%s", is_user ? 'u' : 'w', is_user ? i - roles : i,
            is_user ? "user: {issuer: sso, claims: {groups: {anyOf: [none" : "workload: {namespace: [none");
        for (uint32_t k = 0; k < NAMES; k++)
            if (random_below(random, 3) == 0)
                put(", n%u", k);
        put("%s}]}\n", is_user ? "]}}}" : "]}");
    }
    return roles;
}

static void put_crowd_rule(struct random *random, uint32_t number, uint32_t roles)
{
    static const char *const actions[] = {"",
                                          ", actions: [get]",
                                          ", actions: [get]",
                                          ", actions: [get, put]",
                                          ", actions: [get, get]",
                                          ", actions: [put, get, put, put]"};
    put("    - {%s: r%02u-%u, priority: %u", random_below(random, 4) == 0 ? "deny" : "allow", random_below(random, 100),
        number, random_below(random, 3));
    uint32_t kind = random_below(random, 6);
    if (kind < 3)
        put(", subjects: {workload: [w%u, w%u]}", random_below(random, roles), roles);
    else if (kind < 5)
        put(", subjects: {user: [u%u, u%u]}", random_below(random, USER_ROLES), USER_ROLES);
    put("%s", actions[random_below(random, sizeof actions / sizeof *actions)]);
    if (random_below(random, 2) == 0)
        put(", resources: {ids: [m%u, m%u]}", random_below(random, NAMES), NAMES);
    put("}\n");
}

static void put_crowd(struct random *random)
{
    text_size = 0;
    put("apiVersion: bartizan.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: generated}\nspec:\n"
        "  issuers: {sso: {url: \"https://sso.ex\", audiences: [a]}}\n  actions:\n"
        "    get: {http: [{methods: [GET], paths: [\"/m/{model}\"]}]}\n    put: {http: [{methods: [PUT], paths: "
        "[\"/m/{model}\"]}]}\n  resourceTypes: {model: {id: [path.model]}}\n");
    uint32_t roles = put_roles(random), rules = 1 + random_below(random, RULES_MAX);
    put("    w%u: {members: [{workload: {namespace: nobody}}]}\n    u%u: {members: [{user: {issuer: sso, subject: "
        "nobody}}]}\n",
        roles, USER_ROLES);
    put("  rules:\n");
    for (uint32_t i = 0; i < rules; i++)
        put_crowd_rule(random, i, roles);
}

enum { CROWD_REQUESTS = (NAMES + 1) * (NAMES + 1) * (NAMES + 2) };

/* One request by its number, below CROWD_REQUESTS, and what it points to. */
struct crowd_request {
    char spiffe_id[64], path[32], group[32];
    struct value text, groups, claims;
    struct view claim;
    struct facts facts;
};

static void crowd_request(uint32_t number, struct crowd_request *out)
{
    uint32_t space = number % (NAMES + 1), id = number / (NAMES + 1) % (NAMES + 1);
    uint32_t group = number / (NAMES + 1) / (NAMES + 1);
    (void)snprintf(out->spiffe_id, sizeof out->spiffe_id, "spiffe://d.ex/ns/n%u/sa/x", space);
    (void)snprintf(out->path, sizeof out->path, "/m/m%u", id);
    (void)snprintf(out->group, sizeof out->group, "n%u", group);
    out->text = (struct value){.kind = VALUE_STRING, .text = view_of(out->group)};
    out->groups = (struct value){.kind = VALUE_LIST, .items = &out->text, .count = 1};
    out->claim = VIEW("groups");
    out->claims = (struct value){.kind = VALUE_MAP, .items = &out->groups, .names = &out->claim, .count = 1};
    out->facts = facts_of(number % 5 == 0 ? VIEW("PUT") : VIEW("GET"), VIEW("h.ex"), view_of(out->path));
    out->facts.workload = (struct workload_facts){
        .proof = PROOF_CERTIFICATE, .spiffe_id = view_of(out->spiffe_id), .trust_domain = VIEW("d.ex")};
    if (group == NAMES)
        out->facts.user.state = USER_UNKNOWN;
    else if (group < NAMES)
        out->facts.user = (struct user_facts){
            .state = USER_KNOWN, .issuer = VIEW("https://sso.ex"), .subject = VIEW("s"), .claims = &out->claims};
}

static void every_caller_and_id_meets_its_rules(void **state)
{
    size_t verdicts[3] = {0};
    (void)state;
    for (uint64_t seed = 1; seed <= CROWDS; seed++) {
        struct random random = random_of(seed);
        put_crowd(&random);
        struct policy *policy = build();
        assert_non_null(policy);
        for (uint32_t i = 0; i < CROWD_REQUESTS; i++) {
            struct crowd_request request;
            crowd_request(i, &request);
            verdicts[compare_facts(policy, &request.facts)]++;
        }
        policy_free(policy);
    }
    assert_true(verdicts[VERDICT_ALLOW] > 1000 && verdicts[VERDICT_DENY] > 1000);
}

/* With `size` bytes to work in: the same verdict by the same rule, or a denial for an internal error.
 * True for the latter. */
static bool decide_within(const struct policy *policy, const struct facts *facts, size_t size)
{
    struct decision whole, out;
    struct arena scratch;
    arena_init_fixed(&scratch, scratch_memory[0], SCRATCH);
    policy_decide(policy, facts, &scratch, &whole);
    arena_init_fixed(&scratch, scratch_memory[1], size);
    policy_decide(policy, facts, &scratch, &out);
    bool is_refused = out.reason == REASON_INTERNAL && out.verdict == VERDICT_DENY;
    assert_true(is_refused ||
                (out.verdict == whole.verdict && out.reason == whole.reason && view_equals(out.rule, whole.rule)));
    return is_refused;
}

static void a_crowd_that_there_is_no_memory_for_is_refused(void **state)
{
    size_t refused = 0, answered = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= CROWDS; seed++) {
        struct random random = random_of(seed);
        put_crowd(&random);
        struct policy *policy = build();
        for (uint32_t i = 0; i < CROWD_REQUESTS; i += 97) {
            struct crowd_request request;
            crowd_request(i, &request);
            for (size_t size = 0; size < 6144; size += 128) {
                bool is_refused = decide_within(policy, &request.facts, size);
                refused += is_refused;
                answered += !is_refused;
            }
        }
        policy_free(policy);
    }
    for (unsigned first = 0; first < 1u << DEPTH; first += 9) {
        put_deep(first);
        struct policy *policy = build();
        struct facts facts = facts_of(VIEW("GET"), VIEW("h.ex"), VIEW("/a/a/a/a/a/a/a"));
        for (size_t size = 0; size < 16384; size += 64)
            (void)decide_within(policy, &facts, size);
        policy_free(policy);
    }
    assert_true(refused > 1000 && answered > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_path_leads_to_the_operations_that_fit_it),
        cmocka_unit_test(more_operations_than_are_expected_all_count),
        cmocka_unit_test(every_caller_and_id_meets_its_rules),
        cmocka_unit_test(a_crowd_that_there_is_no_memory_for_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
