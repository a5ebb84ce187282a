/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_mark.h"

#include "digest.h"
#include "small_folder.h"

struct fixture {
    struct small_folder folder;
    struct arena arena;
};

static int begin(void **state)
{
    static struct fixture f;
    f = (struct fixture){0};
    small_folder_make(&f.folder);
    arena_init(&f.arena, (size_t)1024 * 1024);
    *state = &f;
    return 0;
}

static int finish(void **state)
{
    struct fixture *f = *state;
    arena_free(&f->arena);
    small_folder_remove(&f->folder);
    return 0;
}

/* `body` with the checksum that it should have. */
static struct view summed(struct fixture *f, const char *body)
{
    uint8_t digest[SHA256_BYTES];
    char hex[2 * SHA256_BYTES];
    assert_int_equal(sha256(view_of(body), digest), ERR_NONE);
    hex_encode(digest, sizeof(digest), hex);
    return arena_print(&f->arena, "%ssha256 %.*s\n", body, (int)sizeof(hex), hex);
}

static enum err parse_mark(struct fixture *f, const char *body)
{
    uint64_t revision;
    return policy_mark_parse(summed(f, body), &revision);
}

static enum err parse_leave(struct fixture *f, const char *body)
{
    struct policy_leave leave;
    return policy_leave_parse(summed(f, body), &leave);
}

static void a_mark_is_read_as_it_was_written(void **state)
{
    struct fixture *f = *state;
    uint64_t revision = 7;
    assert_int_equal(policy_mark_read(f->folder.path, &revision), ERR_NOT_FOUND);
    assert_int_equal(policy_mark_write(f->folder.path, 42), ERR_NONE);
    assert_int_equal(policy_mark_read(f->folder.path, &revision), ERR_NONE);
    assert_int_equal(revision, 42);
    assert_int_equal(policy_mark_write(f->folder.path, 0), ERR_NONE); /* nobody has signed here */
    assert_int_equal(policy_mark_read(f->folder.path, &revision), ERR_NONE);
    assert_int_equal(revision, 0);
}

static void a_folder_that_is_not_there_has_no_mark(void **state)
{
    struct fixture *f = *state;
    uint64_t revision;
    const char *path = small_folder_path(&f->folder, "none");
    assert_int_equal(policy_mark_read(path, &revision), ERR_NOT_FOUND);
    assert_int_equal(policy_mark_write(path, 1), ERR_NOT_FOUND);
}

static void every_changed_byte_of_a_mark_is_seen(void **state)
{
    struct fixture *f = *state;
    struct view good = summed(f, "bartizan policy revision v1\nrevision 42\n");
    char copy[256];
    uint64_t revision;
    assert_int_equal(policy_mark_parse(good, &revision), ERR_NONE);
    for (size_t size = 0; size < good.size; size++)
        assert_int_equal(policy_mark_parse(view_slice(good, 0, size), &revision), ERR_MALFORMED);
    for (size_t at = 0; at < good.size; at++) {
        memcpy(copy, good.data, good.size);
        copy[at] = (char)(copy[at] ^ 1);
        assert_int_equal(policy_mark_parse((struct view){copy, good.size}, &revision), ERR_MALFORMED);
    }
}

static void a_right_checksum_does_not_make_a_mark(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(parse_mark(f, "bartizan policy revision v1\nrevision 42\n"), ERR_NONE);
    assert_int_equal(parse_mark(f, "bartizan policy revision v2\nrevision 42\n"), ERR_MALFORMED);
    assert_int_equal(parse_mark(f, "bartizan policy revision v1\nrevision 042\n"), ERR_MALFORMED);
    assert_int_equal(parse_mark(f, "bartizan policy revision v1\nrevision -1\n"), ERR_MALFORMED);
    assert_int_equal(parse_mark(f, "bartizan policy revision v1\nrevision 9223372036854775808\n"), ERR_MALFORMED);
    assert_int_equal(parse_mark(f, "bartizan policy revision v1\nrevision 42\nmore\n"), ERR_MALFORMED);
    assert_int_equal(parse_mark(f, "bartizan policy revision v1\n"), ERR_MALFORMED);
}

static void a_leave_is_read_as_it_was_written(void **state)
{
    struct fixture *f = *state;
    const struct policy_leave leave = {
        .revision = 41, .until = 2000, .author = VIEW("alice"), .reason = VIEW("42 l\xc3\xa4sst alle ein")};
    struct policy_leave read = {0};
    assert_int_equal(policy_leave_read(f->folder.path, &f->arena, &read), ERR_NOT_FOUND);
    assert_int_equal(policy_leave_write(f->folder.path, &leave), ERR_NONE);
    assert_int_equal(policy_leave_read(f->folder.path, &f->arena, &read), ERR_NONE);
    assert_int_equal(read.revision, 41);
    assert_int_equal(read.until, 2000);
    assert_true(view_equals(read.author, leave.author));
    assert_true(view_equals(read.reason, leave.reason));
}

static void a_leave_for_nothing_without_reason_or_with_two_lines_is_none(void **state)
{
    struct fixture *f = *state;
    const char *const head = "bartizan policy accept v1\n";
    const struct {
        const char *rest;
        enum err expected;
    } cases[] = {
        {"revision 41\nuntil 2000\nauthor a\nreason r\n", ERR_NONE},
        {"revision 0\nuntil 2000\nauthor a\nreason r\n", ERR_MALFORMED},
        {"revision 41\nuntil 2000\nauthor a\nreason \n", ERR_MALFORMED},
        {"revision 41\nuntil 2000\nauthor \nreason r\n", ERR_MALFORMED},
        {"revision 41\nuntil 2000\nauthor a\nreason r\x1b[2J\n", ERR_MALFORMED},
        {"revision 41\nuntil 2000\nreason r\nauthor a\n", ERR_MALFORMED},
        {"revision 41\nuntil 2000\nauthor a\nreason r\nreason r\n", ERR_MALFORMED},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(parse_leave(f, arena_print(&f->arena, "%s%s", head, cases[i].rest).data), cases[i].expected);
    const struct policy_leave forged = {
        .revision = 41, .until = 2000, .author = VIEW("a\nreason x"), .reason = VIEW("r")};
    assert_int_equal(policy_leave_write(f->folder.path, &forged), ERR_INVALID);
}

static void a_journal_is_known_by_its_segments(void **state)
{
    struct fixture *f = *state;
    assert_false(policy_mark_has_journal(f->folder.path));
    small_folder_put_bytes(&f->folder, "ship.position", "", 0);
    assert_false(policy_mark_has_journal(f->folder.path));
    small_folder_put_bytes(&f->folder, "00112233445566778899aabbccddeeff-00000000.bzj", "", 0);
    assert_true(policy_mark_has_journal(f->folder.path));
}

static void a_folder_that_cannot_be_looked_into_counts_as_one_with_a_journal(void **state)
{
    struct fixture *f = *state;
    small_folder_put_bytes(&f->folder, "file", "", 0);
    assert_true(policy_mark_has_journal(small_folder_path(&f->folder, "file")));
    assert_false(policy_mark_has_journal(small_folder_path(&f->folder, "none")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_mark_is_read_as_it_was_written, begin, finish),
        cmocka_unit_test_setup_teardown(a_folder_that_is_not_there_has_no_mark, begin, finish),
        cmocka_unit_test_setup_teardown(every_changed_byte_of_a_mark_is_seen, begin, finish),
        cmocka_unit_test_setup_teardown(a_right_checksum_does_not_make_a_mark, begin, finish),
        cmocka_unit_test_setup_teardown(a_leave_is_read_as_it_was_written, begin, finish),
        cmocka_unit_test_setup_teardown(a_leave_for_nothing_without_reason_or_with_two_lines_is_none, begin, finish),
        cmocka_unit_test_setup_teardown(a_journal_is_known_by_its_segments, begin, finish),
        cmocka_unit_test_setup_teardown(a_folder_that_cannot_be_looked_into_counts_as_one_with_a_journal, begin,
                                        finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
