/* SPDX-License-Identifier: Apache-2.0 */
/* What an evaluation finds where there is more of it than it has room for at hand: nodes of the trie,
 * actions, lists of rules. Both evaluators answer (policy_case.h). */
#include "policy_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { DEPTH = 6, TEMPLATES = 1 << DEPTH, ROLES = 70, WORDS = 41 };

static char spec[60000], given[512];
static size_t spec_size;

static void put(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void put(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int size = vsnprintf(spec + spec_size, sizeof spec - spec_size, format, args);
    va_end(args);
    assert_true(size >= 0 && (size_t)size < sizeof spec - spec_size);
    spec_size += (size_t)size;
}

static struct decision ask(const char *path, const char *namespace)
{
    struct decision out;
    (void)snprintf(given, sizeof given,
                   "{method: GET, host: h.ex, path: \"%s\", workload: \"spiffe://d.ex/ns/%s/sa/a\"}", path, namespace);
    policy_case(spec, given, &out);
    return out;
}

static void allows(const char *path, const char *namespace, const char *rule)
{
    struct decision out = ask(path, namespace);
    if (out.verdict != VERDICT_ALLOW || !policy_case_rule_is(out.rule, rule))
        fail_msg("%s of %s: %s by %.*s, not by %s", path, namespace, verdict_text(out.verdict), VIEW_ARG(out.rule),
                 rule);
}

static void denies(const char *path, const char *namespace, const char *closest)
{
    struct decision out = ask(path, namespace);
    assert_int_equal(out.verdict, VERDICT_DENY);
    if (!policy_case_rule_is(out.closest, closest))
        fail_msg("%s of %s: closest is %.*s, not %s", path, namespace, VIEW_ARG(out.closest), closest);
}

/* Roles r0 and on, each of the namespace of its name, and `all`, which holds them. */
static void put_roles(size_t count)
{
    spec_size = 0;
    put("  roles:\n    all: {members: [{workload: {namespace: all}}], inherits: [");
    for (size_t i = 0; i < count; i++)
        put("%sr%zu", i == 0 ? "" : ", ", i);
    put("]}\n");
    for (size_t i = 0; i < count; i++)
        put("    r%zu: {members: [{workload: {namespace: r%zu}}]}\n", i, i);
}

/* Template i has a variable where bit k of i is set, else the segment `s`; its rule is for role i. */
static void put_templates(void)
{
    put_roles(TEMPLATES);
    put("  actions:\n");
    for (size_t i = 0; i < TEMPLATES; i++) {
        put("    a%zu: {http: [{methods: [GET], paths: [\"", i);
        for (size_t k = 0; k < DEPTH; k++)
            put(i >> k & 1 ? "/{v%zu}" : "/s", k);
        put("\"]}]}\n");
    }
    put("  rules:\n");
    for (size_t i = 0; i < TEMPLATES; i++)
        put("    - {allow: ok-%02zu, subjects: {workload: [r%zu]}, actions: [a%zu]}\n", i, i, i);
}

static void every_template_that_fits_a_request_is_found(void **state)
{
    (void)state;
    char namespace[8], rule[8];
    put_templates();
    for (size_t i = 0; i < TEMPLATES; i += i % 16 == 15 ? 1 : 3) {
        (void)snprintf(namespace, sizeof namespace, "r%zu", i);
        (void)snprintf(rule, sizeof rule, "ok-%02zu", i);
        allows("/s/s/s/s/s/s", namespace, rule);
    }
    allows("/s/s/s/s/s/x", "r63", "ok-63");
    denies("/s/s/s/s/s/x", "r31", "ok-32");
    denies("/x/s/s/s/s/s/", "r63", "");
}

static void of_many_rules_the_first_by_name_decides_and_explains(void **state)
{
    (void)state;
    put_templates();
    allows("/s/s/s/s/s/s", "all", "ok-00");
    allows("/x/s/s/s/s/s", "all", "ok-01");
    allows("/s/s/s/s/s/x", "all", "ok-32");
    denies("/s/s/s/s/s/s", "nobody", "ok-00");
    denies("/s/s/s/s/s/x", "nobody", "ok-32");
}

static void a_role_is_found_among_the_many_of_one_action(void **state)
{
    (void)state;
    char namespace[8], rule[8];
    put_roles(ROLES);
    put("  actions:\n    read: {http: [{methods: [GET], paths: [\"/m\"]}]}\n  rules:\n");
    put("    - {deny: no, actions: [read], when: {header: {name: x-off, equals: \"1\"}}}\n");
    for (size_t i = 0; i < ROLES; i += 2)
        put("    - {allow: ok-%02zu, subjects: {workload: [r%zu, r%zu]}, actions: [read]}\n", i, i, i + 1 - i % 4);
    for (size_t i = 0; i < ROLES; i += 6) {
        (void)snprintf(namespace, sizeof namespace, "r%zu", i);
        (void)snprintf(rule, sizeof rule, "ok-%02zu", i);
        allows("/m", namespace, rule);
    }
    allows("/m", "r1", "ok-00");
    allows("/m", "r5", "ok-04");
    denies("/m", "r3", "ok-00");
    allows("/m", "all", "ok-00");
    denies("/m", "nobody", "ok-00");
}

/* Nodes with 1 to WORDS literal children: all are found, and nothing beside them. */
static void a_literal_segment_is_found_among_its_siblings(void **state)
{
    (void)state;
    static const size_t counts[] = {1, 2, 3, 7, 8, 9, 16, 17, 33, WORDS};
    char path[32];
    put_roles(1);
    put("  actions:\n    read: {http: [{methods: [GET], paths: [/end");
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
        for (size_t i = 0; i < counts[c]; i++)
            put(", /n%zu/w%zu", counts[c], i * 7);
    put("]}]}\n  rules:\n    - {allow: ok, actions: [read]}\n");
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
        for (size_t i = 0; i <= counts[c]; i += 1 + i % 5) {
            (void)snprintf(path, sizeof path, "/n%zu/w%zu", counts[c], i * 7);
            if (i < counts[c])
                allows(path, "r0", "ok");
            else
                denies(path, "r0", "");
        }
    denies("/n8/end", "r0", "");
    denies("/n8", "r0", "");
    denies("/w0", "r0", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(every_template_that_fits_a_request_is_found, policy_case_close),
        cmocka_unit_test_teardown(of_many_rules_the_first_by_name_decides_and_explains, policy_case_close),
        cmocka_unit_test_teardown(a_role_is_found_among_the_many_of_one_action, policy_case_close),
        cmocka_unit_test_teardown(a_literal_segment_is_found_among_its_siblings, policy_case_close),
    };
    return cmocka_run_group_tests_name("evaluation", tests, NULL, NULL);
}
