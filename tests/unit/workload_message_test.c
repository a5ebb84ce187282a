/* SPDX-License-Identifier: Apache-2.0 */
#include "workload_message.h"

#include "pb_writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static char room[1 << 18];
static struct pb_writer writer;
static struct arena arena;

static int begin(void **state)
{
    (void)state;
    pb_writer_init(&writer, room, sizeof room);
    arena_init(&arena, (size_t)4 << 20);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static void put(uint32_t field, const char *key, const char *value)
{
    size_t mark = pb_writer_open(&writer, field);
    pb_writer_bytes(&writer, 1, view_of(key));
    pb_writer_bytes(&writer, 2, view_of(value));
    pb_writer_close(&writer, mark);
}

static enum err parse(enum workload_kind kind, struct workload_message *out)
{
    const char *why = NULL;
    struct view bytes = pb_writer_view(&writer);
    assert_true(view_is_present(bytes));
    enum err result = workload_message_parse(kind, bytes, &arena, out, &why);
    if (result != ERR_NONE)
        assert_non_null(why);
    return result;
}

static void bundles_are_found_by_trust_domain_and_lists_are_kept_in_order(void **state)
{
    (void)state;
    struct workload_message message;
    pb_writer_bytes(&writer, 1, VIEW("first"));
    put(2, "spiffe://b.example", "B");
    put(2, "spiffe://a.example", "A");
    pb_writer_bytes(&writer, 1, VIEW("second"));
    assert_int_equal(parse(WORKLOAD_X509, &message), ERR_NONE);
    assert_int_equal(message.bundle_count, 2);
    assert_true(view_equals(workload_message_find(&message, VIEW("a.example")), VIEW("A")));
    assert_true(view_equals(workload_message_find(&message, VIEW("b.example")), VIEW("B")));
    assert_false(view_is_present(workload_message_find(&message, VIEW("c.example"))));
    assert_int_equal(message.crl_count, 2);
    assert_true(view_equals(message.crls[0], VIEW("first")));
    assert_true(view_equals(message.crls[1], VIEW("second")));
}

static void the_bundles_of_a_jwt_answer_are_its_field_1_and_it_has_no_lists(void **state)
{
    (void)state;
    struct workload_message message;
    put(1, "spiffe://a.example", "{}");
    pb_writer_bytes(&writer, 2, VIEW("unknown here"));
    assert_int_equal(parse(WORKLOAD_JWT, &message), ERR_NONE);
    assert_int_equal(message.bundle_count, 1);
    assert_int_equal(message.crl_count, 0);
    assert_int_equal(parse(WORKLOAD_X509, &message), ERR_MALFORMED);
}

static void unknown_fields_are_passed_over_also_in_an_entry(void **state)
{
    (void)state;
    struct workload_message message;
    pb_writer_varint(&writer, 9, 1);
    size_t mark = pb_writer_open(&writer, 2);
    pb_writer_varint(&writer, 3, 7);
    pb_writer_bytes(&writer, 2, VIEW("A"));
    pb_writer_bytes(&writer, 1, VIEW("spiffe://a"));
    pb_writer_close(&writer, mark);
    assert_int_equal(parse(WORKLOAD_X509, &message), ERR_NONE);
    assert_true(view_equals(workload_message_find(&message, VIEW("a")), VIEW("A")));
}

static void a_key_is_the_id_of_a_trust_domain_and_nothing_else(void **state)
{
    (void)state;
    static const char *const keys[] = {"",           "a",          "spiffe://",    "spiffe://a/",  "spiffe://a/b",
                                       "spiffe://A", "SPIFFE://a", "spiffe://a?b", "spiffe://a:1", " spiffe://a",
                                       "https://a"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct workload_message message;
        pb_writer_init(&writer, room, sizeof room);
        put(2, "spiffe://good", "A");
        put(2, keys[i], "A");
        assert_int_equal(parse(WORKLOAD_X509, &message), ERR_MALFORMED);
    }
}

static void what_is_mandatory_is_not_empty(void **state)
{
    (void)state;
    struct workload_message message;
    assert_int_equal(parse(WORKLOAD_X509, &message), ERR_MALFORMED);
    put(2, "spiffe://a", "");
    assert_int_equal(parse(WORKLOAD_X509, &message), ERR_MALFORMED);
    pb_writer_init(&writer, room, sizeof room);
    put(2, "spiffe://a", "A");
    assert_int_equal(parse(WORKLOAD_X509, &message), ERR_NONE);
    pb_writer_bytes(&writer, 1, VIEW(""));
    assert_int_equal(parse(WORKLOAD_X509, &message), ERR_MALFORMED);
}

static void a_domain_or_a_part_of_an_entry_twice_is_refused(void **state)
{
    (void)state;
    struct workload_message message;
    put(2, "spiffe://a", "A");
    put(2, "spiffe://b", "B");
    assert_int_equal(parse(WORKLOAD_X509, &message), ERR_NONE);
    put(2, "spiffe://a", "A");
    assert_int_equal(parse(WORKLOAD_X509, &message), ERR_MALFORMED);
    pb_writer_init(&writer, room, sizeof room);
    size_t mark = pb_writer_open(&writer, 2);
    pb_writer_bytes(&writer, 1, VIEW("spiffe://a"));
    pb_writer_bytes(&writer, 2, VIEW("A"));
    pb_writer_bytes(&writer, 2, VIEW("A"));
    pb_writer_close(&writer, mark);
    assert_int_equal(parse(WORKLOAD_X509, &message), ERR_MALFORMED);
}

static void there_are_limits_and_what_is_at_them_is_taken(void **state)
{
    (void)state;
    struct workload_message message;
    for (size_t i = 0; i <= WORKLOAD_DOMAINS_MAX; i++) {
        if (i == WORKLOAD_DOMAINS_MAX)
            assert_int_equal(parse(WORKLOAD_X509, &message), ERR_NONE);
        put(2, arena_print(&arena, "spiffe://d%zu", i).data, "A");
    }
    assert_int_equal(parse(WORKLOAD_X509, &message), ERR_LIMIT);
    pb_writer_init(&writer, room, sizeof room);
    put(2, "spiffe://a", "A");
    for (size_t i = 0; i < WORKLOAD_CRLS_MAX; i++)
        pb_writer_bytes(&writer, 1, VIEW("list"));
    assert_int_equal(parse(WORKLOAD_X509, &message), ERR_NONE);
    pb_writer_bytes(&writer, 1, VIEW("list"));
    assert_int_equal(parse(WORKLOAD_X509, &message), ERR_LIMIT);
}

static void every_prefix_of_a_message_is_refused_or_names_fewer_domains(void **state)
{
    (void)state;
    struct workload_message message;
    put(2, "spiffe://a", "A");
    put(2, "spiffe://b", "B");
    struct view whole = pb_writer_view(&writer);
    for (size_t i = 0; i < whole.size; i++) {
        const char *why = NULL;
        if (workload_message_parse(WORKLOAD_X509, view_slice(whole, 0, i), &arena, &message, &why) == ERR_NONE)
            assert_int_equal(message.bundle_count, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bundles_are_found_by_trust_domain_and_lists_are_kept_in_order, begin, finish),
        cmocka_unit_test_setup_teardown(the_bundles_of_a_jwt_answer_are_its_field_1_and_it_has_no_lists, begin, finish),
        cmocka_unit_test_setup_teardown(unknown_fields_are_passed_over_also_in_an_entry, begin, finish),
        cmocka_unit_test_setup_teardown(a_key_is_the_id_of_a_trust_domain_and_nothing_else, begin, finish),
        cmocka_unit_test_setup_teardown(what_is_mandatory_is_not_empty, begin, finish),
        cmocka_unit_test_setup_teardown(a_domain_or_a_part_of_an_entry_twice_is_refused, begin, finish),
        cmocka_unit_test_setup_teardown(there_are_limits_and_what_is_at_them_is_taken, begin, finish),
        cmocka_unit_test_setup_teardown(every_prefix_of_a_message_is_refused_or_names_fewer_domains, begin, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
