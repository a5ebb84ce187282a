/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include "test_case.h"

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
        *index = document->scope.rules.definitions[at].index;
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

/* ---- obligations ---------------------------------------------------------------------------------- */

/* Pairs that the answer must have, names read by `read_name`. */
static void read_pairs(struct load *load, const struct node *node, load_reader *read_name, struct label_list *out)
{
    if (!load_is(load, node, NODE_MAP, "the value"))
        return;
    struct label *pairs = load_take(load, node->count, sizeof(*pairs));
    for (size_t i = 0; pairs != NULL && i < node->count; i++) {
        read_name(load, node->keys[i], &pairs[i].key);
        load_text(load, node->items[i], &pairs[i].value);
    }
    *out = (struct label_list){.items = pairs, .count = pairs != NULL ? node->count : 0};
}

static void read_headers(struct load *load, const struct node *node, void *out)
{
    read_pairs(load, node, load_header_name, out);
}

static void read_names_and_values(struct load *load, const struct node *node, void *out)
{
    read_pairs(load, node, load_text, out);
}

static void read_removed_headers(struct load *load, const struct node *node, void *out)
{
    struct string_list *list = out;
    load_views(load, node, load_header_name, list);
    if (list->count == 0 && !load->is_exhausted)
        load_refuse(load, CODE_EMPTY, node, "leave the key out to expect nothing", "the list is empty");
}

static void read_audit(struct load *load, const struct node *node, void *out)
{
    struct expected_obligations *expected = out;
    expected->has_audit = true;
    load_audit(load, node, &expected->audit);
}

static void read_max_stream(struct load *load, const struct node *node, void *out)
{
    struct expected_obligations *expected = out;
    struct obligation_set set = {0};
    load_max_stream(load, node, &set);
    expected->has_max_stream = set.has_max_stream;
    expected->max_stream = set.max_stream;
    expected->max_stream_by_credentials = set.max_stream_by_credentials;
}

#define OBLIGATION(key, reader, member, like, says) FIELD(key, reader, struct expected_obligations, member, like, says)

static const struct field OBLIGATION_FIELDS[] = {
    OBLIGATION("requestHeaders", read_headers, request_headers, ENTRIES_OF(HEADER, TEXT),
               "Headers that the upstream must be given; with `allow`."),
    OBLIGATION("removeRequestHeaders", read_removed_headers, removed_headers, MANY(HEADER),
               "Headers of the caller's that must be taken away; with `allow`."),
    OBLIGATION("responseHeaders", read_headers, response_headers, ENTRIES_OF(HEADER, TEXT),
               "Headers that the caller must be given; with `allow`."),
    OBLIGATION("queryParams", read_names_and_values, query_params, ENTRIES(TEXT),
               "Query parameters that must be set, not encoded; with `allow`."),
    OBLIGATION("removeQueryParams", load_texts, removed_queries, MANY(TEXT),
               "Query parameters of the caller's that must be taken away; with `allow`."),
    OBLIGATION("metadata", read_names_and_values, metadata, ENTRIES(TEXT),
               "Dynamic metadata that must be given; with `allow`."),
    FIELD_WHOLE("audit", read_audit, &load_audit_shape, "How much the record must keep; with any answer."),
    FIELD_WHOLE("maxStream", read_max_stream, &load_max_stream_shape,
                "How long the answer must be let stream; with `allow`."),
    OBLIGATION("deny", load_denial, denial, KEYS(load_denial_block),
               "How the denial must look; `status` also of one by default; with `deny`."),
};
static const struct block OBLIGATIONS = BLOCK("expectedObligations", "obligations", OBLIGATION_FIELDS);

static void read_obligations(struct load *load, const struct node *node, void *out)
{
    (void)load_map(load, node, &OBLIGATIONS, out);
}

/* Each belongs to one answer, but `audit`, which every answer has. */
static void check_obligations(struct load *load, const struct node *node, enum verdict verdict)
{
    for (size_t i = 0; node != NULL && node->kind == NODE_MAP && i < node->count; i++) {
        struct view key = node->keys[i]->text;
        bool is_deny = view_equals(key, VIEW("deny"));
        if (view_equals(key, VIEW("audit")) || verdict == (is_deny ? VERDICT_DENY : VERDICT_ALLOW))
            continue;
        load_refuse(load, CODE_TEST_EXPECT, node->keys[i], NULL, "`%.*s` belongs to %s", VIEW_ARG(key),
                    is_deny ? "a denial" : "an allow");
    }
}

/* ---- the answer ------------------------------------------------------------------------------------ */

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
    FIELD("obligations", read_obligations, struct expectation, obligations, KEYS(OBLIGATIONS),
          "What must go with the answer."),
};
static const struct block EXPECT = BLOCK("expect", "expect", EXPECT_FIELDS);

const struct shape load_expect_shape = {.kind = SHAPE_EITHER, .of = ONE_WORD(VERDICTS), .other = KEYS(EXPECT)};

void load_expect(struct load *load, const struct node *node, struct expectation *expected)
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
    else
        check_obligations(load, node_get(node, VIEW("obligations")), expected->verdict);
}
