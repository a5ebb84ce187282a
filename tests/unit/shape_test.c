/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "shape.h"

static const struct field FIELDS[] = {
    FIELD_SEEN("one", TEXT, "One."),
    FIELD_SEEN("many", MANY(TEXT), "Many."),
    FIELD_SEEN("either", EITHER(TEXT, LIST(BOOL)), "Either."),
    FIELD_SEEN("entries", NAMED(DURATION), "Entries."),
};
static const struct block BLOCK_OF_ALL = BLOCK("all", "all of them", FIELDS);
static const struct shape BLOCK_SHAPE = {.kind = SHAPE_BLOCK, .block = &BLOCK_OF_ALL};

static const struct shape *shape_of(struct view key)
{
    const struct field *field = block_field(&BLOCK_OF_ALL, key);
    assert_non_null(field);
    return field->shape;
}

static void a_block_knows_its_keys_and_no_others(void **state)
{
    (void)state;
    assert_ptr_equal(block_field(&BLOCK_OF_ALL, VIEW("one")), &FIELDS[0]);
    assert_ptr_equal(block_field(&BLOCK_OF_ALL, VIEW("entries")), &FIELDS[3]);
    assert_null(block_field(&BLOCK_OF_ALL, VIEW("on")));
    assert_null(block_field(&BLOCK_OF_ALL, VIEW("ones")));
    assert_null(block_field(&BLOCK_OF_ALL, VIEW("One")));
    assert_null(block_field(&BLOCK_OF_ALL, VIEW("")));
}

static void each_kind_of_node_has_the_shapes_that_take_it(void **state)
{
    (void)state;
    const struct shape list = {.kind = SHAPE_LIST, .of = TEXT}, entries = {.kind = SHAPE_ENTRIES, .of = TEXT};
    const struct shape *const by_kind[] = {[NODE_SCALAR] = TEXT, [NODE_LIST] = &list, [NODE_MAP] = &BLOCK_SHAPE};
    for (unsigned is = NODE_SCALAR; is <= NODE_MAP; is++)
        for (unsigned kind = NODE_SCALAR; kind <= NODE_MAP; kind++)
            assert_ptr_equal(shape_for(by_kind[is], (enum node_kind)kind), is == kind ? by_kind[is] : NULL);
    assert_ptr_equal(shape_for(&entries, NODE_MAP), &entries);
    assert_null(shape_for(&entries, NODE_SCALAR));
    assert_null(shape_for(NULL, NODE_SCALAR));
    assert_null(shape_for(ANYTHING, NODE_SCALAR));
}

static void one_or_many_is_itself_for_a_list_and_its_element_for_a_scalar(void **state)
{
    (void)state;
    const struct shape *many = shape_of(VIEW("many"));
    assert_ptr_equal(shape_for(many, NODE_LIST), many);
    assert_ptr_equal(shape_for(many, NODE_SCALAR), TEXT);
    assert_null(shape_for(many, NODE_MAP));
}

static void of_two_shapes_the_one_that_takes_the_node_is_meant(void **state)
{
    (void)state;
    const struct shape *either = shape_of(VIEW("either"));
    assert_ptr_equal(shape_for(either, NODE_SCALAR), TEXT);
    assert_ptr_equal(shape_for(either, NODE_LIST), either->other);
    assert_null(shape_for(either, NODE_MAP));
}

static void below_a_block_stands_what_its_key_takes(void **state)
{
    (void)state;
    assert_ptr_equal(shape_below(&BLOCK_SHAPE, NODE_MAP, VIEW("one")), TEXT);
    assert_ptr_equal(shape_below(&BLOCK_SHAPE, NODE_MAP, VIEW("many")), shape_of(VIEW("many")));
    assert_null(shape_below(&BLOCK_SHAPE, NODE_MAP, VIEW("ones")));
    assert_null(shape_below(TEXT, NODE_MAP, VIEW("one")));
    assert_null(shape_below(NULL, NODE_MAP, VIEW("one")));
}

static void below_entries_every_key_takes_the_same(void **state)
{
    (void)state;
    const struct shape *entries = shape_of(VIEW("entries"));
    assert_ptr_equal(shape_below(entries, NODE_MAP, VIEW("whatever")), DURATION);
    assert_ptr_equal(shape_below(entries, NODE_MAP, VIEW("one")), DURATION);
}

static void an_element_of_a_list_is_of_its_shape_and_elsewhere_of_a_matrix(void **state)
{
    (void)state;
    assert_ptr_equal(shape_below(shape_of(VIEW("many")), NODE_LIST, VIEW("")), TEXT);
    assert_ptr_equal(shape_below(BOOL, NODE_LIST, VIEW("")), BOOL);
    assert_null(shape_below(NULL, NODE_LIST, VIEW("")));
}

static bool block_is_sound(const struct block *block)
{
    bool is_sound = block->name != NULL && block->what != NULL && block->least <= block->count;
    for (size_t i = 0; i < block->count; i++) {
        const struct field *field = &block->fields[i];
        is_sound = is_sound && block_field(block, field->name) == field && field->shape != NULL &&
                   field->about != NULL && (!field->beside || block_field(block, view_of(field->beside)));
    }
    return is_sound;
}

static void the_keys_of_a_document_are_unique_and_have_a_shape_and_a_sentence(void **state)
{
    (void)state;
    const struct field twice[] = {FIELD_SEEN("a", TEXT, "A."), FIELD_SEEN("a", TEXT, "A.")};
    const struct field shapeless[] = {FIELD_SEEN("a", NULL, "A.")};
    const struct block again = BLOCK("again", "a block", twice), bare = BLOCK("bare", "a block", shapeless);
    assert_true(block_is_sound(&load_document_block));
    assert_true(block_is_sound(&BLOCK_OF_ALL));
    assert_false(block_is_sound(&again));
    assert_false(block_is_sound(&bare));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_knows_its_keys_and_no_others),
        cmocka_unit_test(each_kind_of_node_has_the_shapes_that_take_it),
        cmocka_unit_test(one_or_many_is_itself_for_a_list_and_its_element_for_a_scalar),
        cmocka_unit_test(of_two_shapes_the_one_that_takes_the_node_is_meant),
        cmocka_unit_test(below_a_block_stands_what_its_key_takes),
        cmocka_unit_test(below_entries_every_key_takes_the_same),
        cmocka_unit_test(an_element_of_a_list_is_of_its_shape_and_elsewhere_of_a_matrix),
        cmocka_unit_test(the_keys_of_a_document_are_unique_and_have_a_shape_and_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
