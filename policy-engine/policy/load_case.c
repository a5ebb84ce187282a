/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include "test_case.h"

enum { CASES_MAX = 256 }; /* of one matrix */

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
    load_expect(load, node, &((struct test_head *)out)->test->expected);
}

static const struct field TEST_FIELDS[] = {
    FIELD_WHOLE_MUST("name", read_test_name, TEXT, "A sentence that says what holds."),
    FIELD_WHOLE_MUST("given", keep_given, KEYS(load_given_block),
                     "The request; a list directly under one of its keys makes a case of each element."),
    FIELD_WHOLE_MUST("expect", read_test_expect, &load_expect_shape, "The answer."),
};
const struct block load_test_block = BLOCK("test", "a test", TEST_FIELDS);

void load_tests(struct load *load, const struct node *node)
{
    if (!load_is(load, node, NODE_LIST, "tests"))
        return;
    for (size_t i = 0; i < node->count && !load->is_exhausted; i++) {
        struct test_case common = {.span = node->items[i]->span};
        common.span.file = load->file;
        common.span.text = (struct view){0};
        struct test_head head = {.test = &common};
        if (load_map(load, node->items[i], &load_test_block, &head) && head.given != NULL)
            read_matrix(load, head.given, &common);
    }
}
