/* SPDX-License-Identifier: Apache-2.0 */
#include "revocation_watch.h"

#include "revocation_mark.h"
#include "small_folder.h"

#define LIST(sequence) "bartizan-revocations v1\nsequence " sequence "\nend\n"

struct fixture {
    struct small_folder folder;
    struct arena arena;
    struct diag_list diags;
    struct config config;
    struct revocation_watch watch;
};

static int begin(void **state)
{
    static struct fixture f;
    f = (struct fixture){0};
    small_folder_make(&f.folder);
    arena_init(&f.arena, (size_t)4 * 1024 * 1024);
    diag_list_init(&f.diags, &f.arena);
    f.config.identity.revocation_signer_count = 1;
    f.config.audit.journal.path = f.folder.path;
    f.watch.config = &f.config;
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

/* One list is in force, in its `generation`. */
static enum err mark(struct fixture *f, uint64_t generation, struct view list)
{
    const struct revocation_source source = {.file = VIEW("a"), .text = list};
    struct revocations *revocations = NULL;
    assert_int_equal(revocations_build(&source, 1, &f->diags, &revocations), ERR_NONE);
    const struct snapshot snapshot = {.revocations = revocations, .revocation_generation = generation};
    enum err error = revocation_watch_mark(&f->watch, &snapshot);
    revocations_free(revocations);
    return error;
}

static uint64_t kept(struct fixture *f)
{
    struct revocation_mark kept;
    assert_int_equal(revocation_mark_read(f->folder.path, &f->arena, &kept), ERR_NONE);
    assert_int_equal(kept.count, 1);
    return kept.lists[0].sequence;
}

static void a_sequence_that_rose_before_the_lock_was_had_is_not_lowered(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(mark(f, 1, VIEW(LIST("8"))), ERR_NONE);
    f->watch = (struct revocation_watch){.config = &f->config};
    assert_int_equal(mark(f, 1, VIEW(LIST("7"))), ERR_STALE);
    assert_int_equal(kept(f), 8);
    assert_int_equal(mark(f, 1, VIEW(LIST("8"))), ERR_NONE);
    assert_int_equal(mark(f, 2, VIEW(LIST("9"))), ERR_NONE);
    assert_int_equal(kept(f), 9);
}

static void what_cannot_be_kept_is_kept_by_a_later_call(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(mark(f, 1, VIEW(LIST("7"))), ERR_NONE);
    f->config.audit.journal.path = "/nonexistent";
    assert_int_equal(mark(f, 2, VIEW(LIST("8"))), ERR_NOT_FOUND);
    f->config.audit.journal.path = f->folder.path;
    assert_int_equal(kept(f), 7);
    assert_int_equal(mark(f, 2, VIEW(LIST("8"))), ERR_NONE);
    assert_int_equal(kept(f), 8);
}

static void a_mark_that_is_damaged_is_not_written_over_at_the_start(void **state)
{
    struct fixture *f = *state;
    small_folder_put_bytes(&f->folder, REVOCATION_MARK_FILE, "bartizan deny lists v1\n", 23);
    assert_int_equal(mark(f, 1, VIEW(LIST("7"))), ERR_MALFORMED);
    assert_int_equal(mark(f, 1, VIEW(LIST("7"))), ERR_MALFORMED);
}

static void where_nobody_signs_nothing_is_kept(void **state)
{
    struct fixture *f = *state;
    struct revocation_mark none;
    f->config.identity.revocation_signer_count = 0;
    assert_int_equal(mark(f, 1, VIEW(LIST("7"))), ERR_NONE);
    assert_int_equal(revocation_mark_read(f->folder.path, &f->arena, &none), ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_sequence_that_rose_before_the_lock_was_had_is_not_lowered, begin, finish),
        cmocka_unit_test_setup_teardown(what_cannot_be_kept_is_kept_by_a_later_call, begin, finish),
        cmocka_unit_test_setup_teardown(a_mark_that_is_damaged_is_not_written_over_at_the_start, begin, finish),
        cmocka_unit_test_setup_teardown(where_nobody_signs_nothing_is_kept, begin, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
