/* SPDX-License-Identifier: Apache-2.0 */
/* The first step of a snapshot: what is made apart from the rest, and when it may be taken. */
#include "policy_image.h"
#include "policy_mark.h"
#include "policy_seal.h"
#include "snapshot.h"

#include "signing_keys.h"
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { EXPIRES_AFTER = 1000 };

struct fixture {
    struct world world;
    struct arena arena;
    struct diag_list diags;
    char signer[WORLD_PATH_MAX + 16], other[WORLD_PATH_MAX + 16];
    const char *signers[1];
    struct snapshot *current;
    struct snapshot_policies policies;
};

/* The world's documents, compiled and signed as revision `revision`, where they stood. */
static void sign(struct fixture *f, uint64_t revision)
{
    static struct view image; /* the same documents each time */
    struct policy_key *key = NULL;
    struct view sealed = {0};
    static struct arena kept;
    if (!view_is_present(image)) {
        char *text = world_read(f->world.policy);
        const struct policy_source source = {.name = VIEW("p.yaml"), .text = view_of(text)};
        struct policy *policy = NULL;
        arena_init(&kept, 4 * 1024 * 1024);
        assert_int_equal(policy_build(&source, 1, &f->diags, &policy), ERR_NONE);
        assert_int_equal(policy_image_write(policy, &kept, &image), ERR_NONE);
        policy_free(policy);
        free(text);
    }
    const struct policy_seal seal = {
        .revision = revision, .issued = WORLD_NOW - 1, .expires = WORLD_NOW + EXPIRES_AFTER, .image = image};
    assert_int_equal(policy_key_read_private(view_of(SIGNING_KEY), &key), ERR_NONE);
    assert_int_equal(policy_seal_write(&seal, key, &f->arena, &sealed), ERR_NONE);
    policy_key_free(key);
    FILE *file = fopen(f->world.policy, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(sealed.data, 1, sealed.size, file), sealed.size);
    assert_int_equal(fclose(file), 0);
}

static struct snapshot_work work_at(struct fixture *f, int64_t now)
{
    return (struct snapshot_work){.config = &f->world.config, .previous = f->current, .now = now, .diags = &f->diags};
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    world_make(&f->world);
    arena_init(&f->arena, 32 * 1024 * 1024);
    diag_list_init(&f->diags, &f->arena);
    (void)snprintf(f->signer, sizeof(f->signer), "%s/signer.pem", f->world.folder);
    (void)snprintf(f->other, sizeof(f->other), "%s/other.yaml", f->world.folder);
    world_write(f->signer, SIGNING_KEY_PUBLIC);
    f->signers[0] = f->signer;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    snapshot_drop(f->policies.parts);
    snapshot_drop(f->current);
    (void)unlink(f->signer);
    (void)unlink(f->other);
    world_remove(&f->world);
    arena_free(&f->arena);
    free(f);
    return 0;
}

/* Revision 1 is in force, and revision 2 was made. */
static void make_second(struct fixture *f)
{
    f->world.config.policy.signers = f->signers;
    f->world.config.policy.signer_count = 1;
    sign(f, 1);
    assert_int_equal(snapshot_build(&f->world.config, NULL, NULL, WORLD_NOW, &f->diags, &f->current), ERR_NONE);
    sign(f, 2);
    const struct snapshot_work work = work_at(f, WORLD_NOW);
    assert_int_equal(snapshot_build_policies(&work, &f->policies), ERR_NONE);
    assert_false(f->policies.is_under_way);
}

static bool holds_at(struct fixture *f, int64_t now)
{
    const struct snapshot_work work = work_at(f, now);
    return snapshot_policies_hold(&work, f->policies.parts);
}

static void what_was_made_is_taken_with_its_standing(void **state)
{
    struct fixture *f = *state;
    struct snapshot *next = NULL;
    make_second(f);
    assert_true(holds_at(f, WORLD_NOW));
    const struct snapshot_work work = work_at(f, WORLD_NOW + 1);
    assert_int_equal(snapshot_build_rest(&work, f->policies.parts, &next), ERR_NONE);
    assert_int_equal(next->standing.revision, 2);
    assert_int_equal(next->policy_generation, 2);
    assert_int_equal(next->bundle_generation, 1);
    assert_int_equal(next->generation, 2);
    snapshot_drop(next);
    assert_int_equal(snapshot_build_rest(&work, NULL, &next), ERR_NONE); /* without it */
    assert_int_equal(next->standing.revision, 1);
    assert_int_equal(next->policy_generation, 1);
    snapshot_drop(next);
}

static void what_has_expired_meanwhile_may_not_be_taken(void **state)
{
    struct fixture *f = *state;
    make_second(f);
    assert_true(holds_at(f, WORLD_NOW + EXPIRES_AFTER - 1));
    assert_false(holds_at(f, WORLD_NOW + EXPIRES_AFTER));
}

static void what_is_signed_by_a_key_that_was_replaced_meanwhile_may_not_be_taken(void **state)
{
    struct fixture *f = *state;
    make_second(f);
    world_write(f->signer, OTHER_KEY_PUBLIC);
    assert_false(holds_at(f, WORLD_NOW));
    (void)unlink(f->signer);
    assert_false(holds_at(f, WORLD_NOW));
    world_write(f->signer, SIGNING_KEY_PUBLIC);
    assert_true(holds_at(f, WORLD_NOW));
}

static void what_was_judged_before_another_leave_may_not_be_taken(void **state)
{
    struct fixture *f = *state;
    make_second(f);
    const struct policy_leave leave = {
        .revision = 1, .until = WORLD_NOW + 100, .author = VIEW("a"), .reason = VIEW("r")};
    assert_true(mkdir(f->world.journal, 0700) == 0 || access(f->world.journal, W_OK) == 0);
    assert_int_equal(policy_leave_write(f->world.journal, &leave), ERR_NONE);
    assert_false(holds_at(f, WORLD_NOW));
}

static void what_follows_another_revision_may_not_be_taken(void **state)
{
    struct fixture *f = *state;
    struct snapshot *next = NULL;
    make_second(f);
    struct snapshot *second = f->policies.parts;
    sign(f, 3);
    const struct snapshot_work work = work_at(f, WORLD_NOW);
    assert_int_equal(snapshot_build_policies(&work, &f->policies), ERR_NONE);
    assert_int_equal(snapshot_build_rest(&work, f->policies.parts, &next), ERR_NONE);
    snapshot_drop(f->current);
    snapshot_drop(f->policies.parts);
    f->current = next;
    f->policies.parts = second;
    assert_int_equal(f->current->standing.revision, 3);
    assert_false(holds_at(f, WORLD_NOW));
}

/* Whatever their names and order: a compiled policy is whole. */
static void a_compiled_policy_beside_documents_is_refused_by_its_name(void **state)
{
    struct fixture *f = *state;
    struct snapshot *next = NULL;
    char folder[WORLD_PATH_MAX + 16], first[WORLD_PATH_MAX + 32], second[WORLD_PATH_MAX + 32];
    (void)snprintf(folder, sizeof(folder), "%s/both", f->world.folder);
    (void)snprintf(first, sizeof(first), "%s/a.yaml", folder);
    (void)snprintf(second, sizeof(second), "%s/b.yaml", folder);
    char *text = world_read(f->world.policy);
    assert_int_equal(mkdir(folder, 0700), 0);
    world_write(first, text);
    free(text);
    sign(f, 1);
    assert_int_equal(rename(f->world.policy, second), 0);
    f->world.config.policy.path = folder;
    assert_int_equal(snapshot_build(&f->world.config, NULL, NULL, WORLD_NOW, &f->diags, &next), ERR_INVALID);
    const struct diag *last = &f->diags.items[f->diags.count - 1];
    assert_true(view_equals(last->code, VIEW("E0927")) && view_ends_with(last->span.file, VIEW("/b.yaml")));
    assert_int_equal(unlink(first) | unlink(second) | rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_made_is_taken_with_its_standing, setup, teardown),
        cmocka_unit_test_setup_teardown(what_has_expired_meanwhile_may_not_be_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_signed_by_a_key_that_was_replaced_meanwhile_may_not_be_taken, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_was_judged_before_another_leave_may_not_be_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(what_follows_another_revision_may_not_be_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(a_compiled_policy_beside_documents_is_refused_by_its_name, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
