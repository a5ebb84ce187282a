/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_gate.h"

#include "signing_keys.h"
#include "small_folder.h"

enum { ISSUED = 1000, EXPIRES = 2000, NOW = 1500 };

struct fixture {
    struct small_folder folder;
    struct arena arena;
    struct diag_list diags;
    struct config config;
    char signer[160];
    const char *signers[1];
    struct policy_standing standing;
};

static int begin(void **state)
{
    static struct fixture f;
    f = (struct fixture){0};
    small_folder_make(&f.folder);
    arena_init(&f.arena, (size_t)1024 * 1024);
    diag_list_init(&f.diags, &f.arena);
    small_folder_put_bytes(&f.folder, "signer.pem", SIGNING_KEY_PUBLIC, strlen(SIGNING_KEY_PUBLIC));
    memcpy(f.signer, small_folder_path(&f.folder, "signer.pem"), sizeof(f.signer));
    f.signers[0] = f.signer;
    f.config.file = "config.yaml";
    f.config.policy.signers = f.signers;
    f.config.policy.signer_count = 1;
    f.config.audit.journal.path = f.folder.path;
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

static struct view sealed(struct fixture *f, uint64_t revision)
{
    struct policy_key *key = NULL;
    struct view out = {0};
    const struct policy_seal seal = {
        .revision = revision, .issued = ISSUED, .expires = EXPIRES, .image = VIEW("image")};
    assert_int_equal(policy_key_read_private(view_of(SIGNING_KEY), &key), ERR_NONE);
    assert_int_equal(policy_seal_write(&seal, key, &f->arena, &out), ERR_NONE);
    policy_key_free(key);
    return out;
}

/* The answer to revision `revision` at `now`, where `floor` is in force (0: at the start). */
static enum err judge(struct fixture *f, uint64_t revision, int64_t now, uint64_t floor)
{
    struct policy_gate gate = {0};
    struct view image;
    const struct policy_standing before = {.is_signed = true, .revision = floor};
    diag_list_init(&f->diags, &f->arena);
    enum err result = policy_gate_open(&f->config, floor > 0 ? &before : NULL, now, &f->arena, &f->diags, &gate);
    if (result == ERR_NONE)
        result = policy_gate_pass(&gate, VIEW("p"), sealed(f, revision), &f->diags, &image, &f->standing);
    if (result == ERR_NONE)
        assert_true(view_equals(image, VIEW("image")));
    policy_gate_close(&gate);
    return result;
}

static bool is_told(const struct fixture *f, const char *code)
{
    return f->diags.count > 0 && view_equals(f->diags.items[0].code, view_of(code));
}

static void leave(struct fixture *f, uint64_t revision, int64_t until)
{
    const struct policy_leave given = {
        .revision = revision, .until = until, .author = VIEW("alice"), .reason = VIEW("because")};
    assert_int_equal(policy_leave_write(f->folder.path, &given), ERR_NONE);
}

static void the_revision_in_force_and_every_higher_one_pass(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(judge(f, 42, NOW, 42), ERR_NONE);
    assert_int_equal(judge(f, 43, NOW, 42), ERR_NONE);
    assert_int_equal(f->standing.revision, 43);
    assert_int_equal(f->standing.good_until, EXPIRES);
    assert_string_equal(f->standing.override, "");
    assert_int_equal(judge(f, 41, NOW, 42), ERR_STALE);
    assert_true(is_told(f, "E0922"));
}

static void its_time_ends_with_the_second_that_is_signed(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(judge(f, 42, EXPIRES - 1, 42), ERR_NONE);
    assert_false(policy_standing_has_expired(&f->standing, EXPIRES - 1));
    assert_true(policy_standing_has_expired(&f->standing, EXPIRES));
    assert_int_equal(judge(f, 42, EXPIRES, 42), ERR_STALE);
    assert_true(is_told(f, "E0923"));
}

static void at_the_start_the_mark_beside_the_journal_is_the_floor(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(judge(f, 1, NOW, 0), ERR_NONE); /* a fresh folder */
    assert_int_equal(policy_mark_write(f->folder.path, 42), ERR_NONE);
    assert_int_equal(judge(f, 41, NOW, 0), ERR_STALE);
    assert_int_equal(judge(f, 42, NOW, 0), ERR_NONE);
}

static void a_mark_that_is_lost_lets_nothing_pass_without_leave(void **state)
{
    struct fixture *f = *state;
    small_folder_put_bytes(&f->folder, "00112233445566778899aabbccddeeff-00000000.bzj", "", 0);
    assert_int_equal(judge(f, 42, NOW, 0), ERR_STALE);
    assert_true(is_told(f, "E0924"));
    leave(f, 42, NOW + 1);
    assert_int_equal(judge(f, 42, NOW, 0), ERR_NONE);
    assert_int_equal(judge(f, 43, NOW, 0), ERR_STALE);
    assert_int_equal(judge(f, 42, NOW, 43), ERR_NONE); /* while it runs nothing is lost */
    small_folder_put_bytes(&f->folder, "policy.revision", "x", 1);
    assert_int_equal(judge(f, 43, NOW, 0), ERR_STALE);
}

static void leave_is_for_one_revision_and_for_a_time(void **state)
{
    struct fixture *f = *state;
    leave(f, 41, NOW + 10);
    assert_int_equal(judge(f, 41, NOW, 42), ERR_NONE);
    assert_non_null(strstr(f->standing.override, "although revision 42 was in force; by alice: because"));
    assert_int_equal(judge(f, 40, NOW, 42), ERR_STALE);
    assert_int_equal(judge(f, 41, NOW + 10, 42), ERR_STALE);
    leave(f, 42, EXPIRES + 10);
    assert_int_equal(judge(f, 42, EXPIRES, 42), ERR_NONE); /* its own time has run out */
    assert_int_equal(f->standing.good_until, EXPIRES + 10);
    assert_int_equal(judge(f, 42, NOW, 42), ERR_NONE); /* not yet, but it will */
    assert_non_null(strstr(f->standing.override, "although its time runs out at"));
    leave(f, 42, EXPIRES);
    assert_int_equal(judge(f, 42, NOW, 42), ERR_NONE);
    assert_string_equal(f->standing.override, ""); /* nothing is in its way */
}

static void the_configuration_gives_leave_likewise(void **state)
{
    struct fixture *f = *state;
    f->config.policy.accept.revision = 41;
    f->config.policy.accept.until = NOW + 1;
    f->config.policy.accept.reason = VIEW("the batch jobs");
    assert_int_equal(judge(f, 41, NOW, 42), ERR_NONE);
    assert_non_null(strstr(f->standing.override, "by policy.accept of config.yaml: the batch jobs"));
    assert_int_equal(judge(f, 41, NOW + 1, 42), ERR_STALE);
}

static void a_leave_changes_the_fingerprint_and_so_does_a_signer(void **state)
{
    struct fixture *f = *state;
    struct policy_gate gate = {0};
    uint8_t prints[3][SHA256_BYTES] = {{0}};
    for (size_t i = 0; i < 3; i++) {
        if (i == 1)
            leave(f, 41, NOW);
        if (i == 2)
            small_folder_put_bytes(&f->folder, "signer.pem", arena_print(&f->arena, "%s\n", SIGNING_KEY_PUBLIC).data,
                                   strlen(SIGNING_KEY_PUBLIC) + 1);
        assert_int_equal(policy_gate_open(&f->config, NULL, NOW, &f->arena, &f->diags, &gate), ERR_NONE);
        assert_int_equal(policy_gate_mix(&gate, prints[i]), ERR_NONE);
        policy_gate_close(&gate);
    }
    assert_memory_not_equal(prints[0], prints[1], SHA256_BYTES);
    assert_memory_not_equal(prints[1], prints[2], SHA256_BYTES);
}

static void without_signers_everything_passes_and_a_signature_is_noticed(void **state)
{
    struct fixture *f = *state;
    const struct policy_gate gate = {0};
    struct view image;
    assert_int_equal(policy_gate_pass(&gate, VIEW("p"), VIEW("kind: x\n"), &f->diags, &image, &f->standing), ERR_NONE);
    assert_false(view_is_present(image));
    assert_int_equal(f->standing.good_until, INT64_MAX);
    assert_int_equal(f->diags.count, 0);
    assert_int_equal(policy_gate_pass(&gate, VIEW("p"), sealed(f, 1), &f->diags, &image, &f->standing), ERR_NONE);
    assert_true(view_equals(image, VIEW("image")));
    assert_false(f->standing.is_signed);
    assert_true(is_told(f, "W0928"));
}

static void a_signer_that_is_no_key_is_an_error(void **state)
{
    struct fixture *f = *state;
    small_folder_put_bytes(&f->folder, "signer.pem", SIGNING_KEY, strlen(SIGNING_KEY));
    assert_int_equal(judge(f, 42, NOW, 42), ERR_INVALID);
    assert_true(is_told(f, "E0925"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_revision_in_force_and_every_higher_one_pass, begin, finish),
        cmocka_unit_test_setup_teardown(its_time_ends_with_the_second_that_is_signed, begin, finish),
        cmocka_unit_test_setup_teardown(at_the_start_the_mark_beside_the_journal_is_the_floor, begin, finish),
        cmocka_unit_test_setup_teardown(a_mark_that_is_lost_lets_nothing_pass_without_leave, begin, finish),
        cmocka_unit_test_setup_teardown(leave_is_for_one_revision_and_for_a_time, begin, finish),
        cmocka_unit_test_setup_teardown(the_configuration_gives_leave_likewise, begin, finish),
        cmocka_unit_test_setup_teardown(a_leave_changes_the_fingerprint_and_so_does_a_signer, begin, finish),
        cmocka_unit_test_setup_teardown(without_signers_everything_passes_and_a_signature_is_noticed, begin, finish),
        cmocka_unit_test_setup_teardown(a_signer_that_is_no_key_is_an_error, begin, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
