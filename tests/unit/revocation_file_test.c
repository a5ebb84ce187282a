/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "revocation_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define ALICE "spiffe://td/ns/a/sa/alice"

static char folder[256];
static char path[512];
static struct arena arena;
static struct diag_list diags;

static int set_up(void **state)
{
    (void)state;
    const char *base = getenv("TMPDIR");
    (void)snprintf(folder, sizeof folder, "%s/revocation_file_test.XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    (void)snprintf(path, sizeof path, "%s/list.yaml", folder);
    arena_init(&arena, 4 * 1024 * 1024);
    diag_list_init(&diags, &arena);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    (void)unlink(path);
    return rmdir(folder); /* fails when a temporary file was left behind */
}

static int no_file(void **state)
{
    (void)state;
    (void)unlink(path);
    return 0;
}

static enum err edit(enum revocation_edit_kind kind, struct revocation_entry entry, uint64_t *sequence)
{
    return revocation_file_edit(path, &(struct revocation_edit){.kind = kind, .entry = entry}, &diags, sequence);
}

static const struct revocation_entry alice = {.kind = REVOCATION_SPIFFE, .value = {ALICE, sizeof ALICE - 1}};

static void file_that_is_not_there_is_an_empty_list(void **state)
{
    (void)state;
    struct revocation_list list;
    assert_int_equal(revocation_file_read(path, &arena, &diags, &list), ERR_NONE);
    assert_int_equal(list.count, 0);
    assert_int_equal(list.sequence, 0);
}

static void file_takes_and_gives_back_an_entry(void **state)
{
    (void)state;
    uint64_t sequence = 0;
    struct revocation_list list;
    struct stat status;
    assert_int_equal(edit(REVOCATION_ADD, alice, &sequence), ERR_NONE);
    assert_int_equal(sequence, 1);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0644);
    assert_int_equal(edit(REVOCATION_ADD, alice, &sequence), ERR_CONFLICT);
    assert_int_equal(edit(REVOCATION_REMOVE, alice, &sequence), ERR_NONE);
    assert_int_equal(sequence, 2);
    assert_int_equal(edit(REVOCATION_REMOVE, alice, &sequence), ERR_NOT_FOUND);
    assert_int_equal(revocation_file_read(path, &arena, &diags, &list), ERR_NONE);
    assert_int_equal(list.sequence, 2);
    assert_int_equal(list.count, 0);
}

/* print then parse gives the same, whatever the texts hold. */
static void file_keeps_every_field_through_yaml(void **state)
{
    (void)state;
    uint64_t sequence;
    struct revocation_list list;
    const struct revocation_entry user = {
        .kind = REVOCATION_USER,
        .issuer = VIEW("https://sso.example/a\"b\\c#d: {e}"),
        .value = VIEW("al\tice\n- {spiffe: x}\x01\x7f \xc3\xa9"),
        .has_issued_before = true,
        .issued_before = 1800000000,
        .reason = VIEW("no # comment, 'really': [\"yes\"]"),
        .author = VIEW("&anchor *alias !tag"),
        .has_created = true,
        .created = 1799999999,
        .has_expires = true,
        .expires = 1800000001,
    };
    const struct revocation_entry token = {.kind = REVOCATION_TOKEN, .issuer = VIEW("i"), .value = VIEW("1e3")};
    assert_int_equal(edit(REVOCATION_ADD, user, &sequence), ERR_NONE);
    assert_int_equal(edit(REVOCATION_ADD, token, &sequence), ERR_NONE);
    assert_int_equal(edit(REVOCATION_ADD, alice, &sequence), ERR_NONE);
    assert_int_equal(revocation_file_read(path, &arena, &diags, &list), ERR_NONE);
    assert_int_equal(list.count, 3);
    const struct revocation_entry *read = &list.entries[0];
    assert_true(revocation_entry_matches(read, &user));
    assert_true(view_equals(read->reason, user.reason));
    assert_true(view_equals(read->author, user.author));
    assert_int_equal(read->created, user.created);
    assert_int_equal(read->expires, user.expires);
    assert_true(revocation_entry_matches(&list.entries[1], &token));
    assert_true(revocation_entry_matches(&list.entries[2], &alice));
}

static void file_is_not_touched_by_an_entry_that_is_not_valid(void **state)
{
    (void)state;
    uint64_t sequence = 0;
    struct revocation_list list;
    const struct revocation_entry bad[] = {
        {.kind = REVOCATION_SPIFFE, .value = VIEW("spiffe://td")},
        {.kind = REVOCATION_SPKI, .value = VIEW("ab")},
        {.kind = REVOCATION_USER, .issuer = VIEW("i"), .value = VIEW("")},
        {.kind = REVOCATION_USER, .issuer = VIEW("i"), .value = VIEW("\xff")},
        {.kind = REVOCATION_USER, .issuer = VIEW("i"), .value = VIEW("a\0b")},
    };
    assert_int_equal(edit(REVOCATION_ADD, alice, &sequence), ERR_NONE);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(edit(REVOCATION_ADD, bad[i], &sequence), ERR_INVALID);
    assert_int_equal(revocation_file_read(path, &arena, &diags, &list), ERR_NONE);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.sequence, 1);
}

static void file_that_does_not_parse_is_left_alone(void **state)
{
    (void)state;
    uint64_t sequence;
    char text[16] = {0};
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("kind: [", file);
    fclose(file);
    assert_int_equal(edit(REVOCATION_ADD, alice, &sequence), ERR_INVALID);
    file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fread(text, 1, sizeof text, file), 7);
    fclose(file);
}

static void file_of_another_sequence_than_expected_is_stale(void **state)
{
    (void)state;
    uint64_t sequence = 0;
    struct revocation_edit first = {.entry = alice, .floor = 41};
    assert_int_equal(revocation_file_edit(path, &first, &diags, &sequence), ERR_NONE);
    assert_int_equal(sequence, 42);
    struct revocation_edit next = {.kind = REVOCATION_REMOVE, .entry = alice, .expected_sequence = 41};
    assert_int_equal(revocation_file_edit(path, &next, &diags, &sequence), ERR_STALE);
    next.expected_sequence = 42;
    assert_int_equal(revocation_file_edit(path, &next, &diags, &sequence), ERR_NONE);
    assert_int_equal(sequence, 43);
}

static void file_is_written_by_one_at_a_time(void **state)
{
    (void)state;
    uint64_t sequence;
    int other = open(folder, O_RDONLY | O_DIRECTORY);
    assert_int_equal(flock(other, LOCK_EX), 0);
    assert_int_equal(edit(REVOCATION_ADD, alice, &sequence), ERR_CONFLICT);
    close(other);
    assert_int_equal(edit(REVOCATION_ADD, alice, &sequence), ERR_NONE);
}

static void file_in_a_folder_that_is_not_there_is_an_error(void **state)
{
    (void)state;
    uint64_t sequence;
    struct revocation_edit add = {.entry = alice};
    char missing[512];
    (void)snprintf(missing, sizeof missing, "%s/none/list.yaml", folder);
    assert_int_equal(revocation_file_edit(missing, &add, &diags, &sequence), ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(file_that_is_not_there_is_an_empty_list, no_file),
        cmocka_unit_test_setup(file_takes_and_gives_back_an_entry, no_file),
        cmocka_unit_test_setup(file_keeps_every_field_through_yaml, no_file),
        cmocka_unit_test_setup(file_is_not_touched_by_an_entry_that_is_not_valid, no_file),
        cmocka_unit_test_setup(file_that_does_not_parse_is_left_alone, no_file),
        cmocka_unit_test_setup(file_of_another_sequence_than_expected_is_stale, no_file),
        cmocka_unit_test_setup(file_is_written_by_one_at_a_time, no_file),
        cmocka_unit_test_setup(file_in_a_folder_that_is_not_there_is_an_error, no_file),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
