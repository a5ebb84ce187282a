/* SPDX-License-Identifier: Apache-2.0 */
#include "check_metadata.h"
#include "pb_writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static max_align_t memory[8192];
static struct arena arena;
static struct value value;
static char buffer[64 * 1024];
static struct pb_writer writer;

static enum err parse(struct view bytes)
{
    enum err e;

    arena_init_fixed(&arena, memory, sizeof memory);
    e = check_metadata_parse(bytes, &arena, &value);
    assert_true(e != ERR_NONE || check_metadata_is_valid(bytes));
    return e;
}

/* One filter `f` whose Struct the caller fills before `end`. */
struct marks {
    size_t filter, fields;
};

static struct marks begin(void)
{
    struct marks marks;

    pb_writer_init(&writer, buffer, sizeof buffer);
    marks.filter = pb_writer_open(&writer, 1);
    pb_writer_bytes(&writer, 1, VIEW("f"));
    marks.fields = pb_writer_open(&writer, 2);
    return marks;
}

static enum err end(struct marks marks)
{
    pb_writer_close(&writer, marks.fields);
    pb_writer_close(&writer, marks.filter);
    return parse(pb_writer_view(&writer));
}

static void put_member(struct view name, uint32_t kind, struct view text, uint64_t number)
{
    size_t member = pb_writer_open(&writer, 1), inner;

    pb_writer_bytes(&writer, 1, name);
    inner = pb_writer_open(&writer, 2);
    if (kind == 2)
        pb_writer_fixed64(&writer, kind, number);
    else if (kind == 1 || kind == 4)
        pb_writer_varint(&writer, kind, number);
    else if (kind != 0)
        pb_writer_bytes(&writer, kind, text);
    pb_writer_close(&writer, inner);
    pb_writer_close(&writer, member);
}

static void put_number(double number)
{
    uint64_t bits;

    memcpy(&bits, &number, sizeof bits);
    put_member(VIEW("n"), 2, (struct view){0}, bits);
}

static void metadata_gives_every_kind_of_value(void **state)
{
    struct marks marks = begin();

    (void)state;
    put_member(VIEW("none"), 0, (struct view){0}, 0);
    put_member(VIEW("null"), 1, (struct view){0}, 0);
    put_member(VIEW("text"), 3, VIEW("bl\xc3\xa5"), 0);
    put_member(VIEW("yes"), 4, (struct view){0}, 1);
    put_member(VIEW("map"), 5, VIEW("\x0a\x09\x0a\x01k\x12\x04\x1a\x02hi"), 0);
    put_member(VIEW("list"), 6,
               VIEW("\x0a\x03\x1a\x01"
                    "a\x0a\x02\x20\x00"),
               0);
    assert_int_equal(end(marks), ERR_NONE);
    assert_int_equal(value.kind, VALUE_MAP);
    assert_int_equal(value.count, 1);
    assert_true(view_equals(value.names[0], VIEW("f")));
    const struct value *items = value.items[0].items;
    assert_int_equal(value.items[0].count, 6);
    assert_int_equal(items[0].kind, VALUE_NULL);
    assert_int_equal(items[1].kind, VALUE_NULL);
    assert_true(items[2].kind == VALUE_STRING && view_equals(items[2].text, VIEW("bl\xc3\xa5")));
    assert_true(items[3].kind == VALUE_BOOL && view_equals(items[3].text, VIEW("true")));
    assert_true(items[4].kind == VALUE_MAP && view_equals(items[4].items[0].text, VIEW("hi")));
    assert_true(items[5].kind == VALUE_LIST && items[5].count == 2);
    assert_true(view_equals(items[5].items[1].text, VIEW("false")));
}

static void metadata_gives_numbers_as_the_shortest_decimal(void **state)
{
    static const struct {
        double number;
        const char *text;
    } cases[] = {{42, "42"},
                 {-7, "-7"},
                 {0, "0"},
                 {-0.0, "0"},
                 {0.1, "0.1"},
                 {1.5, "1.5"},
                 {1e300, "1e+300"},
                 {9007199254740991.0, "9007199254740991"},
                 {1.0 / 3, "0.3333333333333333"}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct marks marks = begin();

        put_number(cases[i].number);
        assert_int_equal(end(marks), ERR_NONE);
        assert_int_equal(value.items[0].items[0].kind, VALUE_NUMBER);
        if (!view_equals(value.items[0].items[0].text, view_of(cases[i].text)))
            fail_msg("%s read %.*s", cases[i].text, VIEW_ARG(value.items[0].items[0].text));
    }
}

static void metadata_refuses_numbers_that_json_has_not(void **state)
{
    static const uint64_t bits[] = {0x7ff0000000000000u, 0xfff0000000000000u, 0x7ff8000000000000u};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct marks marks = begin();

        put_member(VIEW("n"), 2, (struct view){0}, bits[i]);
        assert_int_equal(end(marks), ERR_MALFORMED);
    }
}

static void metadata_refuses_a_name_twice(void **state)
{
    (void)state;
    for (int is_same = 0; is_same < 2; is_same++) {
        struct marks marks = begin();

        put_member(VIEW("a"), 4, (struct view){0}, 1);
        put_member(is_same ? VIEW("a") : VIEW("b"), 4, (struct view){0}, 0);
        assert_int_equal(end(marks), is_same ? ERR_MALFORMED : ERR_NONE);
    }
}

static void metadata_takes_256_members_and_not_257(void **state)
{
    static const char digits[] = "0123456789abcdef";

    (void)state;
    for (unsigned count = CHECK_METADATA_MEMBERS_MAX; count <= CHECK_METADATA_MEMBERS_MAX + 1; count++) {
        struct marks marks = begin();

        for (unsigned i = 0; i < count; i++) {
            char name[3] = {digits[i >> 8], digits[i >> 4 & 15], digits[i & 15]};

            put_member((struct view){.data = name, .size = 3}, 4, (struct view){0}, 1);
        }
        assert_int_equal(end(marks), count == CHECK_METADATA_MEMBERS_MAX ? ERR_NONE : ERR_LIMIT);
    }
}

static void metadata_takes_16_levels_and_not_17(void **state)
{
    (void)state;
    for (size_t levels = CHECK_METADATA_DEPTH_MAX; levels <= CHECK_METADATA_DEPTH_MAX + 1; levels++) {
        struct marks marks = begin(); /* the filter's Struct is the first level */
        size_t open[64], count = 0;

        open[count++] = pb_writer_open(&writer, 1);
        open[count++] = pb_writer_open(&writer, 2);
        for (size_t level = 2; level <= levels; level++) {
            open[count++] = pb_writer_open(&writer, 6); /* list_value ... */
            if (level < levels)
                open[count++] = pb_writer_open(&writer, 1); /* ... of one Value */
        }
        while (count > 0)
            pb_writer_close(&writer, open[--count]);
        assert_int_equal(end(marks), levels == CHECK_METADATA_DEPTH_MAX ? ERR_NONE : ERR_MALFORMED);
        assert_int_equal(check_metadata_is_valid(pb_writer_view(&writer)), levels == CHECK_METADATA_DEPTH_MAX);
    }
}

static void metadata_refuses_what_is_malformed(void **state)
{
    static const struct view bad[] = {
        {"\x0a\x05x", 3},                                           /* cut off */
        {"\x08\x01", 2},                                            /* a number for an entry */
        {"\x0a\x03\x0a\x01\xff", 5},                                /* a filter's name that is no text */
        {"\x0a\x02\x10\x01", 4},                                    /* a number for a Struct */
        {"\x0a\x04\x12\x00\x12\x00", 6},                            /* two Structs */
        {"\x0a\x0c\x12\x0a\x0a\x08\x12\x06\x1a\x01y\x1a\x01z", 14}, /* two members of a Value */
        {"\x0a\x09\x12\x07\x0a\x05\x12\x03\x1a\x01\xff", 11},       /* a string that is none */
    };

    (void)state;
    assert_int_equal(parse((struct view){0}), ERR_NONE);
    assert_int_equal(parse(VIEW("\x0a\x09\x12\x07\x0a\x05\x12\x03\x1a\x01y")), ERR_NONE);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(parse(bad[i]), ERR_MALFORMED);
        assert_false(check_metadata_is_valid(bad[i]));
    }
}

static void metadata_over_the_arena_is_an_error(void **state)
{
    struct marks marks = begin();

    (void)state;
    put_member(VIEW("a"), 3, VIEW("b"), 0);
    assert_int_equal(end(marks), ERR_NONE);
    arena_init_fixed(&arena, memory, 64);
    assert_int_equal(check_metadata_parse(pb_writer_view(&writer), &arena, &value), ERR_NO_MEMORY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metadata_gives_every_kind_of_value),
        cmocka_unit_test(metadata_gives_numbers_as_the_shortest_decimal),
        cmocka_unit_test(metadata_refuses_numbers_that_json_has_not),
        cmocka_unit_test(metadata_refuses_a_name_twice),
        cmocka_unit_test(metadata_takes_256_members_and_not_257),
        cmocka_unit_test(metadata_takes_16_levels_and_not_17),
        cmocka_unit_test(metadata_refuses_what_is_malformed),
        cmocka_unit_test(metadata_over_the_arena_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
