/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include "test_case.h"

enum { CASES_MAX = 256 }; /* of one matrix */

/* ---- expect ------------------------------------------------------------------------------------ */

static const struct view VERDICTS[] = {
    [VERDICT_DENY] = WORD("deny"), [VERDICT_CHALLENGE] = WORD("challenge"), [VERDICT_ALLOW] = WORD("allow")};

/* RULE of this document, or DOCUMENT/RULE of any. */
static bool find_rule(struct load *load, const struct node *node, size_t *index)
{
    size_t slash = node->kind == NODE_SCALAR ? view_index_of(node->text, '/', 0) : 0, at;
    if (node->kind != NODE_SCALAR || slash == node->text.size)
        return names_find(load, &load->scope->rules, node, CODE_TEST_EXPECT, "rule", index);
    struct view of = view_slice(node->text, 0, slash), name = view_slice(node->text, slash + 1, node->text.size);
    const struct set_document *document = load_document(load, DOCUMENT_POLICY, of);
    if (document != NULL && table_find(&document->scope.rules.table, name, &at)) {
        *index = document->scope.rules.indices[at];
        return true;
    }
    load_refuse(load, CODE_TEST_EXPECT, node, "write RULE, or DOCUMENT/RULE",
                document != NULL ? "the policy `%.*s` has no rule `%.*s`" : "the set has no policy `%.*s`, nor `%.*s`",
                VIEW_ARG(of), VIEW_ARG(name));
    return false;
}

static void read_rule_name(struct load *load, const struct node *node, void *out)
{
    struct expectation *expected = out;
    size_t index;
    expected->is_default = node->kind == NODE_SCALAR && view_equals(node->text, VIEW("default"));
    if (!expected->is_default && find_rule(load, node, &index))
        expected->rule = load->rules_made[index].name;
}

static void read_reason(struct load *load, const struct node *node, void *out)
{
    struct expectation *expected = out;
    bool is_known = false;
    load_text(load, node, &expected->reason);
    for (size_t i = 0; i < REASON_COUNT; i++)
        is_known = is_known || reason_is_named((enum reason)i, expected->reason);
    if (!is_known)
        load_refuse(load, CODE_TEST_EXPECT, node, NULL, "`%.*s` is not a reason", VIEW_ARG(expected->reason));
}

/* A list, or one string of words as the header has them. */
static void read_acr_values(struct load *load, const struct node *node, void *out)
{
    struct expectation *expected = out;
    expected->has_acr_values = true;
    if (node->kind != NODE_SCALAR) {
        load_texts(load, node, &expected->acr_values);
        return;
    }
    struct view text = load_keep(load, node->text);
    struct view *words = load_take(load, text.size / 2 + 1, sizeof(*words));
    size_t count = 0;
    for (size_t at = 0; words != NULL && at < text.size;) {
        size_t end = view_index_of(text, ' ', at);
        if (end > at)
            words[count++] = view_slice(text, at, end);
        at = end + 1;
    }
    expected->acr_values = (struct string_list){.items = words, .count = count};
}

static void read_max_age(struct load *load, const struct node *node, void *out)
{
    struct expectation *expected = out;
    uint64_t seconds;
    expected->has_max_age = true;
    if (node->kind == NODE_SCALAR && view_to_u64(node->text, &seconds) && seconds <= UINT32_MAX)
        expected->max_age = (uint32_t)seconds;
    else
        load_duration(load, node, &expected->max_age);
}

static void read_expected_headers(struct load *load, const struct node *node, void *out)
{
    struct expectation *expected = out;
    if (!load_is(load, node, NODE_MAP, "requestHeaders"))
        return;
    struct label *headers = load_take(load, node->count, sizeof(*headers));
    for (size_t i = 0; headers != NULL && i < node->count; i++) {
        load_header_name(load, node->keys[i], &headers[i].key);
        load_text(load, node->items[i], &headers[i].value);
    }
    expected->has_headers = true;
    expected->headers = headers;
    expected->header_count = headers != NULL ? node->count : 0;
}

static const struct field EXPECTED_OBLIGATION_FIELDS[] = {
    FIELD_WHOLE("requestHeaders", read_expected_headers, ENTRIES_OF(HEADER, TEXT),
                "Headers that the upstream must be given."),
    FIELD_LATER("responseHeaders"),
    FIELD_LATER("metadata"),
    FIELD_LATER("audit"),
    FIELD_LATER("maxStream"),
};
static const struct block EXPECTED_OBLIGATIONS =
    BLOCK("expectedObligations", "obligations", EXPECTED_OBLIGATION_FIELDS);

static void read_expected_obligations(struct load *load, const struct node *node, void *out)
{
    (void)load_map(load, node, &EXPECTED_OBLIGATIONS, out);
}

static const struct shape SECONDS = {.kind = SHAPE_NUMBER, .title = "seconds", .most = UINT32_MAX};

static const struct field EXPECT_FIELDS[] = {
    FIELD_ONE_OF("allow", read_rule_name, NAME, "The rule that must allow."),
    FIELD_ONE_OF("deny", read_rule_name, NAME, "The rule that must deny; `default` when none does."),
    FIELD_ONE_OF("challenge", read_rule_name, NAME, "The rule that must challenge."),
    FIELD_WHOLE("reason", read_reason, TEXT, "The reason that must be given."),
    {FIELD_ROW("acr_values", read_acr_values, 0, FIELD_OPTIONAL, MANY(TEXT),
               "What must be asked for; one text of words, or a list."),
     .beside = "challenge"},
    {FIELD_ROW("max_age", read_max_age, 0, FIELD_OPTIONAL, EITHER(&SECONDS, DURATION),
               "The age that must be asked for."),
     .beside = "challenge"},
    {FIELD_ROW("obligations", read_expected_obligations, 0, FIELD_OPTIONAL, KEYS(EXPECTED_OBLIGATIONS),
               "What must go with the answer.")},
};
static const struct block EXPECT = BLOCK("expect", "expect", EXPECT_FIELDS);

static void read_expect(struct load *load, const struct node *node, struct expectation *expected)
{
    if (node->kind == NODE_SCALAR) {
        expected->verdict = (enum verdict)load_word(load, node, "an answer", VERDICTS, COUNT_OF(VERDICTS), 0);
        return;
    }
    if (!load_map(load, node, &EXPECT, expected))
        return;
    size_t verdicts = 0;
    for (size_t i = 0; i < COUNT_OF(VERDICTS); i++) {
        if (node_get(node, VERDICTS[i]) == NULL)
            continue;
        expected->verdict = (enum verdict)i;
        verdicts++;
    }
    if (verdicts != 1)
        load_refuse(load, CODE_TEST_EXPECT, node, NULL, "expect takes one of allow, deny, challenge");
    else if (expected->verdict != VERDICT_CHALLENGE && (expected->has_acr_values || expected->has_max_age))
        load_refuse(load, CODE_TEST_EXPECT, node, NULL, "acr_values and max_age belong to a challenge");
    else if (expected->verdict != VERDICT_DENY && expected->is_default)
        load_refuse(load, CODE_TEST_EXPECT, node, NULL, "only a denial is by default");
    else if (expected->verdict != VERDICT_ALLOW && expected->has_headers)
        load_refuse(load, CODE_TEST_EXPECT, node, NULL, "obligations belong to an allow");
}

/* ---- tests ---------------------------------------------------------------------------------------- */

static struct test_case *take_case(struct load *load)
{
    if (load->test_count == load->test_room) {
        size_t room = load->test_room > 0 ? load->test_room * 2 : 16;
        struct test_case *more = load_take(load, room, sizeof(*more));
        if (more == NULL)
            return NULL;
        if (load->test_count > 0)
            memcpy(more, load->tests, load->test_count * sizeof(*more));
        load->tests = more;
        load->test_room = room;
    }
    return &load->tests[load->test_count++];
}

/* The case that takes element `picks[i]` of each key that has a list, as a map of
 * its own, and its name: "name [host=a, method=GET]". */
static struct node *pick(struct load *load, const struct node *given, const size_t *picks, struct view *name)
{
    struct node *map = arena_take(load->scratch, sizeof(*map));
    struct node **items = arena_take_array(load->scratch, given->count, sizeof(*items));
    if (map == NULL || items == NULL) {
        load->is_exhausted = true;
        return NULL;
    }
    bool is_first = true;
    for (size_t i = 0; i < given->count; i++) {
        items[i] = given->items[i];
        if (items[i]->kind != NODE_LIST)
            continue;
        items[i] = items[i]->items[picks[i]];
        struct view shown =
            items[i]->kind == NODE_SCALAR ? items[i]->text : arena_print(load->scratch, "#%zu", picks[i] + 1);
        *name = arena_print(load->arena, is_first ? "%.*s [%.*s=%.*s" : "%.*s, %.*s=%.*s", VIEW_ARG(*name),
                            VIEW_ARG(given->keys[i]->text), VIEW_ARG(shown));
        is_first = false;
    }
    if (!is_first)
        *name = arena_print(load->arena, "%.*s]", VIEW_ARG(*name));
    *map = *given;
    map->items = items;
    return map;
}

/* The next combination of picks; false after the last. */
static bool advance(const struct node *given, size_t *picks)
{
    for (size_t i = 0; i < given->count; i++) {
        if (given->items[i]->kind != NODE_LIST)
            continue;
        if (++picks[i] < given->items[i]->count)
            return true;
        picks[i] = 0;
    }
    return false;
}

/* How many cases the matrix has; an empty list has none. */
static size_t count_cases(const struct node *given)
{
    size_t cases = 1;
    for (size_t i = 0; i < given->count && cases <= CASES_MAX; i++)
        cases *= given->items[i]->kind == NODE_LIST ? given->items[i]->count : 1;
    return cases;
}

static void read_matrix(struct load *load, const struct node *given, const struct test_case *common)
{
    size_t *picks = arena_take_array(load->scratch, given->count, sizeof(*picks)), cases = count_cases(given);
    if (cases == 0 || cases > CASES_MAX) {
        load_refuse(load, cases == 0 ? CODE_EMPTY : CODE_LIMIT, given, NULL, "a test has 1 to %d cases", CASES_MAX);
        return;
    }
    if (picks == NULL) {
        load->is_exhausted = true;
        return;
    }
    size_t errors = load->diags->errors;
    do {
        struct test_case *test = take_case(load);
        if (test == NULL)
            return;
        *test = *common;
        const struct node *one = pick(load, given, picks, &test->name);
        if (one != NULL)
            load_given(load, one, given, &test->facts);
    } while (load->diags->errors == errors && !load->is_exhausted && advance(given, picks));
}

struct test_head {
    struct test_case *test;
    const struct node *given;
};

static void read_test_name(struct load *load, const struct node *node, void *out)
{
    load_text(load, node, &((struct test_head *)out)->test->name);
}

static void keep_given(struct load *load, const struct node *node, void *out)
{
    if (load_is(load, node, NODE_MAP, "given"))
        ((struct test_head *)out)->given = node;
}

static void read_test_expect(struct load *load, const struct node *node, void *out)
{
    read_expect(load, node, &((struct test_head *)out)->test->expected);
}

static const struct field TEST_FIELDS[] = {
    FIELD_WHOLE_MUST("name", read_test_name, TEXT, "A sentence that says what holds."),
    FIELD_WHOLE_MUST("given", keep_given, KEYS(load_given_block),
                     "The request; a list directly under one of its keys makes a case of each element."),
    FIELD_WHOLE_MUST("expect", read_test_expect, EITHER(ONE_WORD(VERDICTS), KEYS(EXPECT)), "The answer."),
};
const struct block load_test_block = BLOCK("test", "a test", TEST_FIELDS);

void load_tests(struct load *load, const struct node *node)
{
    if (!load_is(load, node, NODE_LIST, "tests"))
        return;
    for (size_t i = 0; i < node->count && !load->is_exhausted; i++) {
        struct test_case common = {.span = load_span(load, node->items[i])};
        struct test_head head = {.test = &common};
        if (load_map(load, node->items[i], &load_test_block, &head) && head.given != NULL)
            read_matrix(load, head.given, &common);
    }
}
