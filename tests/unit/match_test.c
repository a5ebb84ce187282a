/* SPDX-License-Identifier: Apache-2.0 */
#include "match.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct host_pattern suffix_of(struct view name)
{
    return (struct host_pattern){.name = name, .is_suffix = true};
}

static void host_suffix_takes_one_or_more_labels_and_never_itself(void **state)
{
    (void)state;
    struct host_pattern pattern = suffix_of(VIEW("models.ex"));
    assert_true(match_host(&pattern, VIEW("eu.models.ex"), 0));
    assert_true(match_host(&pattern, VIEW("a.b.models.ex"), 80));
    assert_false(match_host(&pattern, VIEW("models.ex"), 0));
    assert_false(match_host(&pattern, VIEW("evilmodels.ex"), 0));
    assert_false(match_host(&pattern, VIEW("models.ex.evil"), 0));
    pattern.port = 80;
    assert_true(match_host(&pattern, VIEW("eu.models.ex"), 80));
    assert_false(match_host(&pattern, VIEW("eu.models.ex"), 0));
}

static bool spiffe(struct view domain, const struct view *segments, size_t count, bool has_rest, struct view id)
{
    struct spiffe_glob glob = {.trust_domain = domain, .segments = {segments, count}, .has_rest = has_rest};
    return match_spiffe(&glob, id);
}

static void spiffe_star_stays_inside_its_segment(void **state)
{
    (void)state;
    const struct view any[] = {VIEW("ns"), VIEW("a"), VIEW("sa"), VIEW("t-*")};
    assert_true(spiffe(VIEW("d"), any, 4, false, VIEW("spiffe://d/ns/a/sa/t-1")));
    assert_true(spiffe(VIEW("d"), any, 4, false, VIEW("spiffe://d/ns/a/sa/t-")));
    assert_false(spiffe(VIEW("d"), any, 4, false, VIEW("spiffe://d/ns/a/sa/t-1/x")));
    assert_false(spiffe(VIEW("d"), any, 4, false, VIEW("spiffe://d/ns/a/sa")));
    assert_false(spiffe(VIEW("d"), any, 4, false, VIEW("spiffe://e/ns/a/sa/t-1")));
    assert_false(spiffe(VIEW("d"), any, 4, false, VIEW("spiffe://dd/ns/a/sa/t-1")));
    const struct view literal[] = {VIEW("ns"), VIEW("a.b")};
    assert_true(spiffe(VIEW("td"), literal, 2, false, VIEW("spiffe://td/ns/a.b")));
    assert_false(spiffe(VIEW("td"), literal, 2, false, VIEW("spiffe://td/ns/aXb")));
    const struct view many[] = {VIEW("*a*b*c")};
    assert_true(spiffe(VIEW("d"), many, 1, false, VIEW("spiffe://d/xxaaabbabc")));
    assert_false(spiffe(VIEW("d"), many, 1, false, VIEW("spiffe://d/xxaaabbab")));
}

static void spiffe_rest_takes_zero_or_more_segments(void **state)
{
    (void)state;
    const struct view prefix[] = {VIEW("ns"), VIEW("b")};
    assert_true(spiffe(VIEW("d"), prefix, 2, true, VIEW("spiffe://d/ns/b")));
    assert_true(spiffe(VIEW("d"), prefix, 2, true, VIEW("spiffe://d/ns/b/sa/x")));
    assert_false(spiffe(VIEW("d"), prefix, 2, true, VIEW("spiffe://d/ns/bb/sa/x")));
    assert_false(spiffe(VIEW("d"), prefix, 2, true, VIEW("spiffe://d/ns")));
    assert_true(spiffe((struct view){0}, NULL, 0, true, VIEW("spiffe://other/x")));
    assert_false(spiffe((struct view){0}, NULL, 0, true, VIEW("http://other/x")));
}

static void service_account_is_exactly_four_segments(void **state)
{
    (void)state;
    struct service_account own;
    assert_true(match_service_account(VIEW("spiffe://d/ns/a/sa/b"), &own));
    assert_true(view_equals(own.namespace, VIEW("a")) && view_equals(own.account, VIEW("b")));
    assert_false(match_service_account(VIEW("spiffe://d/ns/a/sa/b/c"), &own));
    assert_false(match_service_account(VIEW("spiffe://d/ns/a/sb/b"), &own));
    assert_false(match_service_account(VIEW("spiffe://d/x/ns/a/sa/b"), &own));
    assert_false(match_service_account(VIEW("spiffe://d"), &own));
}

static void time_window_is_half_open_and_wraps_midnight(void **state)
{
    (void)state;
    enum { MONDAY = 1704067200 /* 2024-01-01T00:00:00Z */, HOUR = 3600, DAY = 86400 };
    struct time_window office = {.has_between = true, .start = 8 * 60, .end = 18 * 60};
    assert_true(match_time(&office, MONDAY + 8 * HOUR));
    assert_false(match_time(&office, MONDAY + 8 * HOUR - 1));
    assert_true(match_time(&office, MONDAY + 18 * HOUR - 1));
    assert_false(match_time(&office, MONDAY + 18 * HOUR));
    struct time_window night = {.has_between = true, .start = 22 * 60, .end = 6 * 60};
    assert_true(match_time(&night, MONDAY + 23 * HOUR));
    assert_true(match_time(&night, MONDAY + 5 * HOUR));
    assert_false(match_time(&night, MONDAY + 6 * HOUR));
    assert_false(match_time(&night, MONDAY + 21 * HOUR));
    struct time_window weekend = {.days = 1 << 4 | 1 << 5 | 1 << 6};
    assert_false(match_time(&weekend, MONDAY + 4 * DAY - 1));
    assert_true(match_time(&weekend, MONDAY + 4 * DAY));
    assert_true(match_time(&weekend, MONDAY + 7 * DAY - 1));
    assert_false(match_time(&weekend, MONDAY + 7 * DAY));
    struct time_window span = {.has_from = true, .from = 10, .has_until = true, .until = 20};
    assert_false(match_time(&span, 9));
    assert_true(match_time(&span, 10));
    assert_true(match_time(&span, 19));
    assert_false(match_time(&span, 20));
    struct time_window wednesday = {.days = 1 << 2};
    assert_true(match_time(&wednesday, -1)); /* 1969-12-31 */
}

static void address_is_compared_bit_by_bit_and_unmapped(void **state)
{
    (void)state;
    struct cidr range = {.family = 4, .bits = 25, .bytes = {192, 0, 2, 128}};
    struct address_fact address = {.family = 4, .bytes = {192, 0, 2, 128}};
    assert_int_equal(match_address(&range, 1, &address), TRI_TRUE);
    address.bytes[3] = 127;
    assert_int_equal(match_address(&range, 1, &address), TRI_FALSE);
    struct address_fact mapped = {.family = 6, .bytes = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 255}};
    assert_int_equal(match_address(&range, 1, &mapped), TRI_TRUE);
    struct address_fact unknown = {.family = 0};
    assert_int_equal(match_address(&range, 1, &unknown), TRI_UNKNOWN);
    struct cidr all = {.family = 6, .bits = 0};
    assert_int_equal(match_address(&all, 1, &mapped), TRI_FALSE);
    mapped.bytes[0] = 1;
    assert_int_equal(match_address(&all, 1, &mapped), TRI_TRUE);
    struct cidr host = {.family = 6, .bits = 128, .bytes = {1}};
    struct address_fact own = {.family = 6, .bytes = {1}};
    assert_int_equal(match_address(&host, 1, &own), TRI_TRUE);
    own.bytes[15] = 1;
    assert_int_equal(match_address(&host, 1, &own), TRI_FALSE);
}

static enum tri text_test(enum value_test_kind kind, struct view value, struct view text)
{
    struct value_test test = {.kind = kind, .values = {&value, 1}};
    return match_text(&test, text);
}

static void text_tests_compare_bytes(void **state)
{
    (void)state;
    assert_int_equal(text_test(TEST_ANY_OF, VIEW("admin"), VIEW("admin")), TRI_TRUE);
    assert_int_equal(text_test(TEST_ANY_OF, VIEW("admin"), VIEW("admin\0")), TRI_FALSE);
    assert_int_equal(text_test(TEST_ANY_OF, VIEW("admin"), VIEW("admin,admin")), TRI_FALSE);
    assert_int_equal(text_test(TEST_PREFIX, VIEW("CHG-"), VIEW("CHG-1")), TRI_TRUE);
    assert_int_equal(text_test(TEST_PREFIX, VIEW("CHG-"), VIEW("CHG")), TRI_FALSE);
    assert_int_equal(text_test(TEST_SUFFIX, VIEW(".ex"), VIEW("a.ex")), TRI_TRUE);
    assert_int_equal(text_test(TEST_SUFFIX, VIEW(".ex"), VIEW("a.exx")), TRI_FALSE);
    assert_int_equal(text_test(TEST_CONTAINS, VIEW("bc"), VIEW("abcd")), TRI_TRUE);
    assert_int_equal(text_test(TEST_CONTAINS, VIEW("bd"), VIEW("abcd")), TRI_FALSE);
}

static void int_range_takes_canonical_integers_only(void **state)
{
    (void)state;
    const struct int_range range = {-5, 5};
    struct value_test test = {.kind = TEST_INT_RANGE, .range = &range};
    assert_int_equal(match_text(&test, VIEW("-5")), TRI_TRUE);
    assert_int_equal(match_text(&test, VIEW("5")), TRI_TRUE);
    assert_int_equal(match_text(&test, VIEW("6")), TRI_FALSE);
    assert_int_equal(match_text(&test, VIEW("")), TRI_UNKNOWN);
    assert_int_equal(match_text(&test, VIEW("-")), TRI_UNKNOWN);
    assert_int_equal(match_text(&test, VIEW("4.5")), TRI_UNKNOWN);
    assert_int_equal(match_text(&test, VIEW(" 5")), TRI_UNKNOWN);
    assert_int_equal(match_text(&test, VIEW("99999999999999999999")), TRI_UNKNOWN);
}

/* ---- claims -------------------------------------------------------------- */

static const struct value elements[] = {{.kind = VALUE_STRING, .text = {"g1", 2}},
                                        {.kind = VALUE_NUMBER, .text = {"42", 2}}};
static const struct value mixed[] = {{.kind = VALUE_STRING, .text = {"g1", 2}}, {.kind = VALUE_MAP}};
static const struct view type_name[] = {{"type", 4}};
static const struct value pay[] = {{.kind = VALUE_STRING, .text = {"pay", 3}}};
static const struct value details[] = {{.kind = VALUE_MAP, .items = NULL, .count = 0},
                                       {.kind = VALUE_MAP, .items = pay, .names = type_name, .count = 1}};
static const struct value numbers[] = {{.kind = VALUE_NUMBER, .text = {"42", 2}},
                                       {.kind = VALUE_NUMBER, .text = {"9", 1}}};
static const struct value wrapped[] = {{.kind = VALUE_STRING, .text = {"one", 3}}};
static const struct value twice[] = {{.kind = VALUE_MAP, .items = pay, .names = type_name, .count = 1},
                                     {.kind = VALUE_MAP, .items = pay, .names = type_name, .count = 1}};
static const struct view names[] = {{"numbers", 7}, {"big", 3},   {"wrapped", 7},       {"twice", 5}, {"list", 4},
                                    {"mixed", 5},   {"scope", 5}, {"word", 4},          {"null", 4},  {"flag", 4},
                                    {"details", 7}, {"n", 1},     {"https://x/a.b", 13}};
static const struct value members[] = {
    {.kind = VALUE_LIST, .items = numbers, .count = 2},
    {.kind = VALUE_LIST, .items = numbers, .count = 1},
    {.kind = VALUE_LIST, .items = wrapped, .count = 1},
    {.kind = VALUE_LIST, .items = twice, .count = 2},
    {.kind = VALUE_LIST, .items = elements, .count = 2},
    {.kind = VALUE_LIST, .items = mixed, .count = 2},
    {.kind = VALUE_STRING, .text = {"a:r a:w", 7}},
    {.kind = VALUE_STRING, .text = {"a:r a:w", 7}},
    {.kind = VALUE_NULL},
    {.kind = VALUE_BOOL, .text = {"true", 4}},
    {.kind = VALUE_LIST, .items = details, .count = 2},
    {.kind = VALUE_NUMBER, .text = {"7", 1}},
    {.kind = VALUE_STRING, .text = {"dotted", 6}},
};
static const struct value claims = {
    .kind = VALUE_MAP, .items = members, .names = names, .count = sizeof members / sizeof members[0]};

static enum tri claim(const char *first, const char *second, enum value_test_kind kind, const char *wanted)
{
    const struct int_range range = {1, 9};
    struct view steps[2] = {view_of(first), view_of(second)}, value = view_of(wanted);
    char text[64];
    (void)snprintf(text, sizeof text, "%s%s%s", first, second ? "." : "", second ? second : "");
    struct claim_path path = {.text = view_of(text), .steps = {steps, second ? 2 : 1}};
    struct value_test test = {.kind = kind, .values = {&value, 1}, .present = true, .range = &range};
    return match_value(&path, &test, &claims, true, 2);
}

static void claim_of_a_list_matches_by_element(void **state)
{
    (void)state;
    assert_int_equal(claim("list", NULL, TEST_ANY_OF, "g1"), TRI_TRUE);
    assert_int_equal(claim("list", NULL, TEST_ANY_OF, "42"), TRI_TRUE);
    assert_int_equal(claim("list", NULL, TEST_ANY_OF, "g2"), TRI_FALSE);
    assert_int_equal(claim("mixed", NULL, TEST_ANY_OF, "g1"), TRI_TRUE);
    assert_int_equal(claim("mixed", NULL, TEST_ANY_OF, "g2"), TRI_UNKNOWN);
    assert_int_equal(claim("list", NULL, TEST_PREFIX, "g"), TRI_TRUE);
}

static void claim_that_is_absent_or_null_is_false_but_never_unknown(void **state)
{
    (void)state;
    assert_int_equal(claim("none", NULL, TEST_ANY_OF, "x"), TRI_FALSE);
    assert_int_equal(claim("null", NULL, TEST_ANY_OF, "null"), TRI_FALSE);
    assert_int_equal(claim("null", NULL, TEST_PRESENT, NULL), TRI_FALSE);
    assert_int_equal(claim("mixed", NULL, TEST_PRESENT, NULL), TRI_TRUE);
    assert_int_equal(claim("n", "x", TEST_PRESENT, NULL), TRI_FALSE);
}

static void claim_of_another_type_is_unknown(void **state)
{
    (void)state;
    assert_int_equal(claim("details", NULL, TEST_ANY_OF, "x"), TRI_UNKNOWN);
    assert_int_equal(claim("word", NULL, TEST_INT_RANGE, NULL), TRI_UNKNOWN);
    assert_int_equal(claim("n", NULL, TEST_INT_RANGE, NULL), TRI_TRUE);
    assert_int_equal(claim("n", "x", TEST_ANY_OF, "x"), TRI_UNKNOWN);
    assert_int_equal(claim("flag", NULL, TEST_ANY_OF, "true"), TRI_TRUE);
}

static void scope_is_words_and_other_strings_are_whole(void **state)
{
    (void)state;
    assert_int_equal(claim("scope", NULL, TEST_ANY_OF, "a:w"), TRI_TRUE);
    assert_int_equal(claim("scope", NULL, TEST_CONTAINS_ALL, "a:r"), TRI_TRUE);
    assert_int_equal(claim("scope", NULL, TEST_ANY_OF, "a:"), TRI_FALSE);
    assert_int_equal(claim("scope", NULL, TEST_ANY_OF, "a:r a:w"), TRI_FALSE);
    assert_int_equal(claim("word", NULL, TEST_ANY_OF, "a:w"), TRI_FALSE);
    assert_int_equal(claim("word", NULL, TEST_ANY_OF, "a:r a:w"), TRI_TRUE);
}

static void claim_path_steps_into_every_element(void **state)
{
    (void)state;
    assert_int_equal(claim("details", "type", TEST_ANY_OF, "pay"), TRI_TRUE);
    assert_int_equal(claim("details", "type", TEST_ANY_OF, "see"), TRI_FALSE);
}

static void claim_whose_whole_name_has_dots_is_tried_first(void **state)
{
    (void)state;
    struct view steps[2] = {VIEW("https://x/a"), VIEW("b")}, value = VIEW("dotted");
    struct claim_path path = {.text = VIEW("https://x/a.b"), .steps = {steps, 2}};
    struct value_test test = {.kind = TEST_ANY_OF, .values = {&value, 1}};
    assert_int_equal(match_value(&path, &test, &claims, true, 2), TRI_TRUE);
    assert_int_equal(match_value(&path, &test, &claims, false, 2), TRI_FALSE);
}

static void a_number_of_a_list_is_in_a_range_or_another_could_be(void **state)
{
    (void)state;
    assert_int_equal(claim("numbers", NULL, TEST_INT_RANGE, NULL), TRI_TRUE);
    assert_int_equal(claim("big", NULL, TEST_INT_RANGE, NULL), TRI_FALSE);
    assert_int_equal(claim("list", NULL, TEST_INT_RANGE, NULL), TRI_UNKNOWN);
    assert_int_equal(claim("wrapped", NULL, TEST_INT_RANGE, NULL), TRI_UNKNOWN);
}

static void only_whole_words_of_a_scope_are_looked_up(void **state)
{
    (void)state;
    assert_int_equal(claim("scope", NULL, TEST_PREFIX, "a:r a"), TRI_TRUE);
    assert_int_equal(claim("scope", NULL, TEST_PREFIX, "a:w"), TRI_FALSE);
}

static struct view scalar(const char *first, const char *second)
{
    struct view steps[2] = {view_of(first), view_of(second)};
    char text[64];
    (void)snprintf(text, sizeof text, "%s%s%s", first, second ? "." : "", second ? second : "");
    struct claim_path path = {.text = view_of(text), .steps = {steps, second ? 2 : 1}};
    return match_scalar(&path, &claims);
}

static void a_template_takes_a_single_value_or_none(void **state)
{
    (void)state;
    assert_true(view_equals(scalar("word", NULL), VIEW("a:r a:w")));
    assert_true(view_equals(scalar("n", NULL), VIEW("7")));
    assert_true(view_equals(scalar("flag", NULL), VIEW("true")));
    assert_true(view_equals(scalar("wrapped", NULL), VIEW("one")));
    assert_true(view_equals(scalar("details", "type"), VIEW("pay")));
    assert_false(view_is_present(scalar("twice", "type")));
    assert_false(view_is_present(scalar("list", NULL)));
    assert_false(view_is_present(scalar("null", NULL)));
    assert_false(view_is_present(scalar("none", NULL)));
    assert_false(view_is_present(scalar("details", NULL)));
    assert_false(view_is_present(scalar("n", "x")));
}

/* ---- pairs, selectors, leaves -------------------------------------------- */

static void a_pair_that_repeats_is_unknown_and_presence_is_always_known(void **state)
{
    (void)state;
    struct view value = VIEW("v");
    struct value_test is_v = {.kind = TEST_ANY_OF, .values = {&value, 1}},
                      is_there = {.kind = TEST_PRESENT, .present = true};
    struct value_test is_not_there = {.kind = TEST_PRESENT};
    const struct pair v = {VIEW("n"), VIEW("v"), false}, w = {VIEW("n"), VIEW("w"), false},
                      many = {VIEW("n"), VIEW("v"), true};
    const struct {
        const struct pair *pair;
        enum tri is_v, is_there;
    } cases[] = {{&v, TRI_TRUE, TRI_TRUE},
                 {&w, TRI_FALSE, TRI_TRUE},
                 {&many, TRI_UNKNOWN, TRI_TRUE},
                 {NULL, TRI_FALSE, TRI_FALSE}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(match_pair(&is_v, cases[i].pair), cases[i].is_v);
        assert_int_equal(match_pair(&is_there, cases[i].pair), cases[i].is_there);
        assert_int_equal(match_pair(&is_not_there, cases[i].pair), tri_not(cases[i].is_there));
    }
}

static bool selects(struct workload_selector selector, const char *id)
{
    struct view spiffe_id = view_of(id);
    struct workload_facts workload = {.proof = id ? PROOF_CERTIFICATE : PROOF_NONE, .spiffe_id = spiffe_id};
    if (id)
        workload.trust_domain = view_slice(spiffe_id, 9, view_index_of(spiffe_id, '/', 9));
    return match_workload(&selector, &workload);
}

static void a_workload_meets_every_part_of_its_selector(void **state)
{
    (void)state;
    struct view domain = VIEW("d"), spaces[] = {VIEW("a"), VIEW("b")}, segments[] = {VIEW("ns"), VIEW("a")};
    struct service_account accounts[] = {{VIEW("a"), VIEW("x")}, {VIEW("b"), VIEW("y")}};
    struct spiffe_glob globs[] = {{.trust_domain = VIEW("e")},
                                  {.trust_domain = VIEW("d"), .segments = {segments, 2}, .has_rest = true}};
    struct workload_selector any = {0}, by_domain = {.trust_domains = {&domain, 1}},
                             by_space = {.namespaces = {spaces, 2}};
    struct workload_selector by_account = {.service_accounts = accounts, .service_account_count = 2};
    struct workload_selector by_glob = {.spiffe = globs, .spiffe_count = 2}, by_all = by_account;
    by_all.trust_domains = by_domain.trust_domains;
    by_all.namespaces = (struct string_list){&spaces[1], 1};
    assert_true(selects(any, "spiffe://d/w"));
    assert_false(selects(any, NULL));
    assert_true(selects(by_domain, "spiffe://d/w"));
    assert_false(selects(by_domain, "spiffe://dd/w"));
    assert_true(selects(by_space, "spiffe://d/ns/b/sa/x"));
    assert_false(selects(by_space, "spiffe://d/ns/c/sa/x"));
    assert_false(selects(by_space, "spiffe://d/ns/b"));
    assert_true(selects(by_account, "spiffe://d/ns/b/sa/y"));
    assert_false(selects(by_account, "spiffe://d/ns/b/sa/x"));
    assert_false(selects(by_account, "spiffe://d/ns/a/sa/y"));
    assert_true(selects(by_glob, "spiffe://d/ns/a/sa/x"));
    assert_true(selects(by_glob, "spiffe://e"));
    assert_false(selects(by_glob, "spiffe://d/ns/b"));
    assert_true(selects(by_all, "spiffe://d/ns/b/sa/y"));
    assert_false(selects(by_all, "spiffe://e/ns/b/sa/y"));
    assert_false(selects(by_all, "spiffe://d/ns/a/sa/x"));
    struct workload_facts unnamed = {.proof = PROOF_CERTIFICATE};
    assert_false(match_workload(&any, &unnamed));
}

static void a_user_meets_issuer_subject_and_every_claim(void **state)
{
    (void)state;
    struct issuer own = {0}, other = {0};
    struct model model = {.max_groups = 8};
    struct view sub = VIEW("u"), g1 = VIEW("g1"), g2 = VIEW("g2"), steps[] = {VIEW("list"), VIEW("mixed")};
    struct claim_test tests[] = {
        {.path = {.text = steps[0], .steps = {&steps[0], 1}}, .test = {.kind = TEST_ANY_OF, .values = {&g1, 1}}},
        {.path = {.text = steps[1], .steps = {&steps[1], 1}}, .test = {.kind = TEST_ANY_OF, .values = {&g2, 1}}}};
    struct user_selector selector = {.issuer = &own, .subjects = {&sub, 1}};
    struct user_facts user = {.state = USER_KNOWN, .subject = VIEW("u"), .claims = &claims};
    assert_int_equal(match_user(&selector, &model, &user, &own), TRI_TRUE);
    assert_int_equal(match_user(&selector, &model, &user, &other), TRI_FALSE);
    user.subject = VIEW("v");
    assert_int_equal(match_user(&selector, &model, &user, &own), TRI_FALSE);
    selector.subjects.count = 0;
    assert_int_equal(match_user(&selector, &model, &user, &own), TRI_TRUE);
    selector.claims = tests;
    selector.claim_count = 1;
    assert_int_equal(match_user(&selector, &model, &user, &own), TRI_TRUE);
    selector.claim_count = 2; /* `mixed` holds a map beside g1 */
    assert_int_equal(match_user(&selector, &model, &user, &own), TRI_UNKNOWN);
    tests[0].test.values.items = &g2;
    assert_int_equal(match_user(&selector, &model, &user, &own), TRI_FALSE);
    user.state = USER_UNKNOWN;
    assert_int_equal(match_user(&selector, &model, &user, &own), TRI_UNKNOWN);
    user.state = USER_ABSENT;
    assert_int_equal(match_user(&selector, &model, &user, &own), TRI_FALSE);
}

static enum tri leaf(struct condition condition, const struct facts *facts)
{
    struct model model = {.max_groups = 8};
    return match_condition(&condition, &model, facts, false);
}

static void a_port_is_in_its_range_or_unknown(void **state)
{
    (void)state;
    struct condition range = {.kind = CONDITION_PORT,
                              .parts = &(struct condition_parts){.port_low = 80, .port_high = 90}};
    const struct {
        uint16_t port;
        enum tri expected;
    } cases[] = {{0, TRI_UNKNOWN}, {79, TRI_FALSE}, {80, TRI_TRUE}, {90, TRI_TRUE}, {91, TRI_FALSE}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(leaf(range, &(struct facts){.port = cases[i].port}), cases[i].expected);
    assert_int_equal(match_condition(NULL, NULL, NULL, false), TRI_TRUE);
}

static void a_server_name_is_compared_without_case_and_by_whole_labels(void **state)
{
    (void)state;
    struct host_pattern patterns[] = {{.name = VIEW("own.ex")}, suffix_of(VIEW("sub.ex"))};
    struct condition names_of = {.kind = CONDITION_SNI,
                                 .parts = &(struct condition_parts){.names = patterns, .name_count = 2}};
    static const char *const fit[] = {"own.ex", "OWN.ex", "a.sub.ex", "a.b.SUB.EX"};
    static const char *const miss[] = {"xown.ex", "a.own.ex", "own.ex.",   "sub.ex",
                                       ".sub.ex", "asub.ex",  "a.sub.exx", ""};
    for (size_t i = 0; i < sizeof fit / sizeof fit[0]; i++)
        assert_int_equal(leaf(names_of, &(struct facts){.sni = view_of(fit[i])}), TRI_TRUE);
    for (size_t i = 0; i < sizeof miss / sizeof miss[0]; i++)
        assert_int_equal(leaf(names_of, &(struct facts){.sni = view_of(miss[i])}), TRI_FALSE);
    assert_int_equal(leaf(names_of, &(struct facts){.port = 1}), TRI_FALSE);
}

static void leaves_read_the_fact_that_they_name(void **state)
{
    (void)state;
    struct view v = VIEW("v"), key = VIEW("k");
    const struct value_test is_v = {.kind = TEST_ANY_OF, .values = {&v, 1}};
    const struct pair pairs[] = {{VIEW("x"), VIEW("w"), false}, {VIEW("n"), VIEW("v"), false}};
    const struct value text = {.kind = VALUE_STRING, .text = {"v", 1}};
    const struct value map = {.kind = VALUE_MAP, .items = &text, .names = &key, .count = 1};
    const struct value of_filters = {.kind = VALUE_MAP, .items = &map, .names = &v, .count = 1};
    struct facts by_header = {.headers = pairs, .header_count = 2}, by_context = {.context = pairs, .context_count = 2};
    struct facts by_metadata = {.metadata = &of_filters}, by_query = {.path = VIEW("/?n=v")}, none = {.port = 1};
    struct condition condition = {.name = VIEW("n"), .test = is_v};
    const struct {
        enum condition_kind kind;
        const struct facts *facts;
    } cases[] = {{CONDITION_HEADER, &by_header}, {CONDITION_CONTEXT, &by_context}, {CONDITION_QUERY, &by_query}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        condition.kind = cases[i].kind;
        for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++)
            assert_int_equal(leaf(condition, cases[k].facts), tri_of(i == k));
        assert_int_equal(leaf(condition, &none), TRI_FALSE);
    }
    struct claim_path of_key = {.text = key, .steps = {&key, 1}};
    struct condition of_filter = {.kind = CONDITION_METADATA,
                                  .name = VIEW("v"),
                                  .test = is_v,
                                  .parts = &(struct condition_parts){.path = &of_key}};
    assert_int_equal(leaf(of_filter, &by_metadata), TRI_TRUE);
    assert_int_equal(leaf(of_filter, &none), TRI_FALSE);
    of_filter.name = VIEW("other");
    assert_int_equal(leaf(of_filter, &by_metadata), TRI_FALSE);
    struct address_fact inside = {.family = 4, .bytes = {10}}, outside = {.family = 4, .bytes = {11}};
    struct cidr ten = {.family = 4, .bytes = {10}, .bits = 8};
    struct condition by_source = {.kind = CONDITION_SOURCE_IP,
                                  .parts = &(struct condition_parts){.cidrs = &ten, .cidr_count = 1}},
                     by_remote = by_source;
    struct facts addressed = {.source_ip = inside, .remote_ip = outside};
    by_remote.kind = CONDITION_REMOTE_IP;
    assert_int_equal(leaf(by_source, &addressed), TRI_TRUE);
    assert_int_equal(leaf(by_remote, &addressed), TRI_FALSE);
}

static void claims_are_unknown_while_they_are_open(void **state)
{
    (void)state;
    struct model model = {.max_groups = 8};
    struct view step = VIEW("n"), seven = VIEW("7");
    struct claim_path path = {.text = step, .steps = {&step, 1}};
    struct condition condition = {.kind = CONDITION_CLAIM,
                                  .parts = &(struct condition_parts){.path = &path},
                                  .test = {.kind = TEST_ANY_OF, .values = {&seven, 1}}};
    struct condition not = {.kind = CONDITION_NOT, .children = &condition, .child_count = 1};
    struct facts facts = {.user = {.state = USER_KNOWN, .claims = &claims}};
    assert_int_equal(match_condition(&condition, &model, &facts, false), TRI_TRUE);
    assert_int_equal(match_condition(&condition, &model, &facts, true), TRI_UNKNOWN);
    assert_int_equal(match_condition(&not, &model, &facts, true), TRI_UNKNOWN);
    facts.user.state = USER_ABSENT;
    assert_int_equal(match_condition(&condition, &model, &facts, false), TRI_FALSE);
    facts.user.state = USER_UNKNOWN;
    assert_int_equal(match_condition(&condition, &model, &facts, false), TRI_UNKNOWN);
}

static void list_over_the_limit_is_unknown(void **state)
{
    (void)state;
    struct view step = VIEW("list"), value = VIEW("g1");
    struct claim_path path = {.text = step, .steps = {&step, 1}};
    struct value_test test = {.kind = TEST_ANY_OF, .values = {&value, 1}};
    assert_int_equal(match_value(&path, &test, &claims, true, 1), TRI_UNKNOWN);
    assert_int_equal(match_value(&path, &test, &claims, true, 2), TRI_TRUE);
}

static void conditions_are_kleene(void **state)
{
    (void)state;
    struct model model = {.max_groups = 8};
    struct facts facts = {.port = 0, .now = 0};
    struct condition unknown = {.kind = CONDITION_PORT,
                                .parts = &(struct condition_parts){.port_low = 1, .port_high = 2}};
    static const struct time_window always, later = {.has_from = true, .from = 1};
    struct condition yes = {.kind = CONDITION_TIME, .parts = &(struct condition_parts){.time = &always}};
    struct condition no = {.kind = CONDITION_TIME, .parts = &(struct condition_parts){.time = &later}};
    struct condition pairs[][2] = {{unknown, yes}, {unknown, no}, {yes, no}};
    enum tri all[] = {TRI_UNKNOWN, TRI_FALSE, TRI_FALSE}, any[] = {TRI_TRUE, TRI_UNKNOWN, TRI_TRUE};
    for (size_t i = 0; i < 3; i++) {
        struct condition both = {.kind = CONDITION_ALL, .children = pairs[i], .child_count = 2};
        assert_int_equal(match_condition(&both, &model, &facts, false), all[i]);
        both.kind = CONDITION_ANY;
        assert_int_equal(match_condition(&both, &model, &facts, false), any[i]);
    }
    struct condition not = {.kind = CONDITION_NOT, .children = &unknown, .child_count = 1};
    assert_int_equal(match_condition(&not, &model, &facts, false), TRI_UNKNOWN);
    not .children = &yes;
    assert_int_equal(match_condition(&not, &model, &facts, false), TRI_FALSE);
}

static void an_id_is_plain_unless_it_could_be_taken_for_a_path(void **state)
{
    static const struct view plain[] = {{"m", 1},   {"org/m", 5}, {"/models/m", 9}, {"a..b", 4},
                                        {"...", 3}, {"m/", 2},    {"s3://b/m", 8},  {"\xc3\xa9", 2}};
    static const struct view bad[] = {{".", 1},    {"..", 2},   {"../m", 4},  {"a/..", 4}, {"a/./b", 5},
                                      {"a\\b", 3}, {"a\0b", 3}, {"a\x1f", 2}, {"\x7f", 1}, {"/..", 3}};
    (void)state;
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        assert_true(match_is_plain_id(plain[i]));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(match_is_plain_id(bad[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_is_plain_unless_it_could_be_taken_for_a_path),
        cmocka_unit_test(host_suffix_takes_one_or_more_labels_and_never_itself),
        cmocka_unit_test(spiffe_star_stays_inside_its_segment),
        cmocka_unit_test(spiffe_rest_takes_zero_or_more_segments),
        cmocka_unit_test(service_account_is_exactly_four_segments),
        cmocka_unit_test(time_window_is_half_open_and_wraps_midnight),
        cmocka_unit_test(address_is_compared_bit_by_bit_and_unmapped),
        cmocka_unit_test(text_tests_compare_bytes),
        cmocka_unit_test(int_range_takes_canonical_integers_only),
        cmocka_unit_test(claim_of_a_list_matches_by_element),
        cmocka_unit_test(claim_that_is_absent_or_null_is_false_but_never_unknown),
        cmocka_unit_test(claim_of_another_type_is_unknown),
        cmocka_unit_test(scope_is_words_and_other_strings_are_whole),
        cmocka_unit_test(claim_path_steps_into_every_element),
        cmocka_unit_test(claim_whose_whole_name_has_dots_is_tried_first),
        cmocka_unit_test(a_number_of_a_list_is_in_a_range_or_another_could_be),
        cmocka_unit_test(only_whole_words_of_a_scope_are_looked_up),
        cmocka_unit_test(a_template_takes_a_single_value_or_none),
        cmocka_unit_test(a_pair_that_repeats_is_unknown_and_presence_is_always_known),
        cmocka_unit_test(a_workload_meets_every_part_of_its_selector),
        cmocka_unit_test(a_user_meets_issuer_subject_and_every_claim),
        cmocka_unit_test(a_port_is_in_its_range_or_unknown),
        cmocka_unit_test(a_server_name_is_compared_without_case_and_by_whole_labels),
        cmocka_unit_test(leaves_read_the_fact_that_they_name),
        cmocka_unit_test(claims_are_unknown_while_they_are_open),
        cmocka_unit_test(list_over_the_limit_is_unknown),
        cmocka_unit_test(conditions_are_kleene),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
