/* SPDX-License-Identifier: Apache-2.0 */
#include "revocation_gate.h"

#include "file_set.h"
#include "revocation_file.h"
#include "revocation_mark.h"
#include "signing_keys.h"
#include "small_folder.h"

#define LIST(sequence) "bartizan-revocations v1\nsequence " sequence "\nspiffe\tspiffe://td/a\nend\n"

struct fixture {
    struct small_folder folder;
    struct arena arena;
    struct diag_list diags;
    struct config config;
    struct policy_key *key;
    char signer[160];
    const char *signers[1];
};

static int begin(void **state)
{
    static struct fixture f;
    f = (struct fixture){0};
    small_folder_make(&f.folder);
    arena_init(&f.arena, (size_t)4 * 1024 * 1024);
    diag_list_init(&f.diags, &f.arena);
    small_folder_put_bytes(&f.folder, "signer.pem", SIGNING_KEY_PUBLIC, strlen(SIGNING_KEY_PUBLIC));
    memcpy(f.signer, small_folder_path(&f.folder, "signer.pem"), sizeof(f.signer));
    f.signers[0] = f.signer;
    f.config.file = "config.yaml";
    f.config.identity.revocation_signers = f.signers;
    f.config.identity.revocation_signer_count = 1;
    f.config.audit.journal.path = f.folder.path;
    assert_int_equal(policy_key_read_private(view_of(SIGNING_KEY), &f.key), ERR_NONE);
    *state = &f;
    return 0;
}

static int finish(void **state)
{
    struct fixture *f = *state;
    policy_key_free(f->key);
    arena_free(&f->arena);
    small_folder_remove(&f->folder);
    return 0;
}

static struct view sealed(struct fixture *f, struct view list, uint64_t sequence)
{
    const struct revocation_signing signing = {.key = f->key, .now = 1000};
    struct view out = {0};
    assert_int_equal(revocation_file_seal(list, sequence, &signing, &f->arena, &out), ERR_NONE);
    return out;
}

static enum err pass(struct fixture *f, struct view text, struct view *list)
{
    AUTO(revocation_gate_close) struct revocation_gate gate = {0};
    uint64_t revision = 0;
    diag_list_init(&f->diags, &f->arena);
    TRY(revocation_gate_open(&f->config, &f->arena, &f->diags, &gate));
    return revocation_gate_pass(&gate, VIEW("f"), text, &f->diags, list, &revision);
}

static bool is_told(const struct fixture *f, const char *code)
{
    return f->diags.count == 1 && view_equals(f->diags.items[0].code, view_of(code));
}

static void a_list_of_a_signer_passes_and_one_of_nobody_does_not(void **state)
{
    struct fixture *f = *state;
    struct view list;
    assert_int_equal(pass(f, sealed(f, VIEW(LIST("7")), 7), &list), ERR_NONE);
    assert_true(view_equals(list, VIEW(LIST("7"))));
    assert_int_equal(f->diags.count, 0);
    assert_int_equal(pass(f, VIEW(LIST("7")), &list), ERR_INVALID);
    assert_true(is_told(f, "E1106"));
    small_folder_put_bytes(&f->folder, "signer.pem", OTHER_KEY_PUBLIC, strlen(OTHER_KEY_PUBLIC));
    assert_int_equal(pass(f, sealed(f, VIEW(LIST("7")), 7), &list), ERR_INVALID);
    assert_true(is_told(f, "E1108"));
}

static void without_signers_any_list_passes_and_a_signature_is_warned_of(void **state)
{
    struct fixture *f = *state;
    struct view list;
    f->config.identity.revocation_signer_count = 0;
    assert_int_equal(pass(f, VIEW(LIST("7")), &list), ERR_NONE);
    assert_int_equal(f->diags.count, 0);
    assert_int_equal(pass(f, sealed(f, VIEW(LIST("7")), 7), &list), ERR_NONE);
    assert_true(view_equals(list, VIEW(LIST("7"))));
    assert_true(is_told(f, "W1110") && f->diags.errors == 0);
}

static void a_byte_that_is_cut_off_or_changed_is_refused(void **state)
{
    struct fixture *f = *state;
    struct view list, whole = sealed(f, VIEW(LIST("7")), 7);
    char text[512];
    assert_true(whole.size < sizeof(text));
    for (size_t size = 0; size < whole.size; size++)
        assert_int_equal(pass(f, view_slice(whole, 0, size), &list), ERR_INVALID);
    for (size_t i = 0; i < whole.size; i++) {
        memcpy(text, whole.data, whole.size);
        text[i] = (char)(text[i] ^ 1);
        assert_int_equal(pass(f, (struct view){text, whole.size}, &list), ERR_INVALID);
    }
}

/* The same key may sign both: neither signature is good for the other. */
static void a_signature_of_a_policy_is_none_of_a_deny_list(void **state)
{
    struct fixture *f = *state;
    struct view list, policy;
    struct policy_seal parsed;
    const struct policy_seal seal = {.revision = 7, .issued = 1000, .expires = 2000, .image = VIEW(LIST("7"))};
    assert_int_equal(policy_seal_write(&seal, f->key, &f->arena, &policy), ERR_NONE);
    assert_int_equal(pass(f, policy, &list), ERR_INVALID);
    assert_true(is_told(f, "E1106"));
    char text[512];
    memcpy(text, policy.data, policy.size);
    memcpy(text, "bartizan denial", 15);
    assert_int_equal(pass(f, (struct view){text, policy.size}, &list), ERR_INVALID);
    assert_true(is_told(f, "E1108"));
    assert_int_equal(policy_seal_parse(sealed(f, VIEW(LIST("7")), 7), &parsed), ERR_MALFORMED);
}

static struct revocations *build(struct fixture *f, const struct revocation_source *sources, size_t count)
{
    struct revocations *out = NULL;
    assert_int_equal(revocations_build(sources, count, &f->diags, &out), ERR_NONE);
    return out;
}

static enum err remember(struct fixture *f, const struct revocation_source *sources, size_t count)
{
    AUTO(revocation_gate_close) struct revocation_gate gate = {0};
    struct revocations *revocations = build(f, sources, count);
    diag_list_init(&f->diags, &f->arena);
    enum err error = revocation_gate_open(&f->config, &f->arena, &f->diags, &gate);
    if (error == ERR_NONE)
        error = revocation_gate_remember(&gate, &f->config, revocations, &f->arena, &f->diags);
    revocations_free(revocations);
    return error;
}

static void an_envelope_of_another_sequence_than_its_list_is_refused(void **state)
{
    struct fixture *f = *state;
    const struct revocation_source source = {.file = VIEW("a"), .text = VIEW(LIST("7"))};
    struct revocations *revocations = build(f, &source, 1);
    assert_int_equal(revocation_gate_compare(revocations, 0, 7, &f->diags), ERR_NONE);
    assert_int_equal(revocation_gate_compare(revocations, 0, 0, &f->diags), ERR_NONE);
    assert_int_equal(revocation_gate_compare(revocations, 0, 8, &f->diags), ERR_INVALID);
    revocations_free(revocations);
}

static void each_list_that_was_in_force_is_known_after_a_restart(void **state)
{
    struct fixture *f = *state;
    const struct revocation_source both[] = {{VIEW("a"), VIEW(LIST("7"))}, {VIEW("b"), VIEW(LIST("12"))}};
    const struct revocation_source older[] = {{VIEW("a"), VIEW(LIST("6"))}, {VIEW("b"), VIEW(LIST("12"))}};
    const struct revocation_source newer[] = {{VIEW("a"), VIEW(LIST("8"))}, {VIEW("b"), VIEW(LIST("12"))}};
    const struct revocation_source one_newer = {VIEW("b"), VIEW(LIST("13"))};
    assert_int_equal(remember(f, both, 2), ERR_NONE); /* the first time */
    struct revocations *in_force = build(f, both, 2);
    assert_int_equal(revocation_mark_write(f->folder.path, in_force), ERR_NONE);
    revocations_free(in_force);
    assert_int_equal(remember(f, both, 2), ERR_NONE);
    assert_int_equal(remember(f, newer, 2), ERR_NONE);
    assert_int_equal(remember(f, older, 2), ERR_STALE); /* behind another list that is as high as before */
    assert_true(is_told(f, "E0903"));
    assert_int_equal(remember(f, &both[1], 1), ERR_STALE);  /* the other is gone */
    assert_int_equal(remember(f, &one_newer, 1), ERR_NONE); /* and may be */
    f->config.identity.revocation_signer_count = 0;
    assert_int_equal(remember(f, older, 2), ERR_NONE); /* where nobody signs nothing is remembered */
}

static void a_mark_that_is_not_as_it_was_written_lets_nothing_pass(void **state)
{
    struct fixture *f = *state;
    const struct revocation_source source = {VIEW("a"), VIEW(LIST("7"))};
    struct revocation_mark mark;
    struct revocations *in_force = build(f, &source, 1);
    assert_int_equal(revocation_mark_write(f->folder.path, in_force), ERR_NONE);
    revocations_free(in_force);
    assert_int_equal(revocation_mark_read(f->folder.path, &f->arena, &mark), ERR_NONE);
    assert_int_equal(mark.count, 1);
    assert_int_equal(mark.lists[0].sequence, 7);
    small_folder_put_bytes(&f->folder, REVOCATION_MARK_FILE, "bartizan deny lists v1\n", 23);
    assert_int_equal(remember(f, &source, 1), ERR_INVALID);
    assert_true(is_told(f, "E1109"));
}

/* Nor are there too many for the next start when the one that runs took them. */
static void as_many_lists_are_remembered_as_may_be_in_force(void **state)
{
    struct fixture *f = *state;
    struct revocation_source *sources = arena_take_array(&f->arena, FILE_SET_MAX, sizeof(*sources));
    struct revocation_mark mark;
    assert_non_null(sources);
    for (int i = 0; i < FILE_SET_MAX; i++)
        sources[i] = (struct revocation_source){arena_print(&f->arena, "%d", i), VIEW(LIST("9223372036854775807"))};
    struct revocations *in_force = build(f, sources, FILE_SET_MAX);
    assert_int_equal(revocation_mark_write(f->folder.path, in_force), ERR_NONE);
    revocations_free(in_force);
    assert_int_equal(revocation_mark_read(f->folder.path, &f->arena, &mark), ERR_NONE);
    assert_int_equal(mark.count, FILE_SET_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_list_of_a_signer_passes_and_one_of_nobody_does_not, begin, finish),
        cmocka_unit_test_setup_teardown(without_signers_any_list_passes_and_a_signature_is_warned_of, begin, finish),
        cmocka_unit_test_setup_teardown(a_byte_that_is_cut_off_or_changed_is_refused, begin, finish),
        cmocka_unit_test_setup_teardown(a_signature_of_a_policy_is_none_of_a_deny_list, begin, finish),
        cmocka_unit_test_setup_teardown(an_envelope_of_another_sequence_than_its_list_is_refused, begin, finish),
        cmocka_unit_test_setup_teardown(each_list_that_was_in_force_is_known_after_a_restart, begin, finish),
        cmocka_unit_test_setup_teardown(a_mark_that_is_not_as_it_was_written_lets_nothing_pass, begin, finish),
        cmocka_unit_test_setup_teardown(as_many_lists_are_remembered_as_may_be_in_force, begin, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
