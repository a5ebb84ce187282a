/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot.h"

#include "feed_stamp.h"
#include "revocation_file.h"
#include "signing_keys.h"
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct world world;
    struct arena arena;
    struct diag_list diags;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    world_make(&f->world);
    arena_init(&f->arena, 4 * 1024 * 1024);
    diag_list_init(&f->diags, &f->arena);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    world_remove(&f->world);
    arena_free(&f->arena);
    free(f);
    return 0;
}

static enum err build(struct fixture *f, struct snapshot *previous, struct snapshot **out)
{
    return snapshot_build(&f->world.config, NULL, previous, WORLD_NOW, &f->diags, out);
}

/* The last finding of this code, or NULL. */
static const struct diag *finding(const struct fixture *f, const char *code)
{
    for (size_t i = f->diags.count; i > 0; i--)
        if (view_equals(f->diags.items[i - 1].code, view_of(code)))
            return &f->diags.items[i - 1];
    return NULL;
}

static void write_revocations(const struct fixture *f, int sequence, const char *caller)
{
    char entry[512];
    (void)snprintf(entry, sizeof(entry),
                   "  - {spiffe: \"%s\", reason: test, author: test, created: \"2026-01-01T00:00:00Z\"}\n", caller);
    world_write_revocations(&f->world, "list.yaml", sequence, entry);
}

static void all_files_together_are_one_snapshot(void **state)
{
    struct fixture *f = *state;
    struct snapshot *snapshot = NULL;
    assert_int_equal(build(f, NULL, &snapshot), ERR_NONE);
    assert_int_equal(snapshot->generation, 1);
    assert_true(snapshot->is_ready);
    assert_int_equal(policy_rule_count(snapshot->policy), 5);
    assert_int_equal(trust_bundle_count(trust_bundles_find(snapshot->bundles, VIEW("prod.example"))), 1);
    assert_true(jwks_is_available(jwks_sets_find(snapshot->keys, VIEW("https://sso.example"))));
    assert_int_equal(revocations_count(snapshot->revocations), 0);
    snapshot_drop(snapshot);
}

static void what_did_not_change_keeps_its_generation_and_is_shared(void **state)
{
    struct fixture *f = *state;
    struct snapshot *first = NULL, *second = NULL;
    assert_int_equal(build(f, NULL, &first), ERR_NONE);
    world_replace_authority(&f->world);
    assert_int_equal(build(f, first, &second), ERR_NONE);
    assert_int_equal(second->generation, 2);
    assert_int_equal(second->bundle_generation, 2);
    assert_int_equal(second->policy_generation, 1);
    assert_int_equal(second->key_generation, 1);
    assert_int_equal(second->revocation_generation, 1);
    assert_ptr_equal(second->policy, first->policy);
    assert_ptr_not_equal(second->bundles, first->bundles);
    assert_int_equal(trust_bundle_generation(trust_bundles_find(second->bundles, VIEW("prod.example"))), 2);
    snapshot_drop(first); /* the shared policy stays with the second */
    assert_int_equal(policy_rule_count(second->policy), 5);
    snapshot_drop(second);
}

static void every_bad_file_is_named_and_none_is_taken(void **state)
{
    struct fixture *f = *state;
    struct snapshot *snapshot = NULL;
    world_write(f->world.policy, "kind: [\n");
    world_write(f->world.bundle, "no certificate\n");
    world_write(f->world.keys, "{");
    assert_int_not_equal(build(f, NULL, &snapshot), ERR_NONE);
    assert_null(snapshot);
    assert_true(f->diags.errors >= 3);
}

static void an_issuer_that_only_one_of_policy_and_configuration_names_is_a_warning(void **state)
{
    struct fixture *f = *state;
    struct snapshot *first = NULL, *second = NULL;
    assert_int_equal(build(f, NULL, &first), ERR_NONE);
    assert_int_equal(f->diags.count, 0);
    snapshot_drop(first);
    f->world.issuer_config.url = VIEW("https://sso.example/");
    assert_int_equal(build(f, NULL, &first), ERR_NONE);
    assert_int_equal(f->diags.errors, 0);
    assert_int_equal(f->diags.count, 2);
    assert_true(view_equals(f->diags.items[0].code, VIEW("W0905")));
    assert_true(view_equals(f->diags.items[1].code, VIEW("W0906")));
    assert_int_equal(build(f, first, &second), ERR_NONE);
    assert_int_equal(f->diags.count, 2); /* told once for a policy */
    snapshot_drop(first);
    snapshot_drop(second);
}

static void a_missing_file_of_the_operator_is_an_error(void **state)
{
    struct fixture *f = *state;
    struct snapshot *snapshot = NULL;
    assert_int_equal(unlink(f->world.bundle), 0);
    assert_int_equal(build(f, NULL, &snapshot), ERR_NOT_FOUND);
    assert_null(snapshot);
    assert_int_equal(f->diags.errors, 1);
}

static void a_missing_file_of_feed_is_not_ready_until_it_is_there(void **state)
{
    struct fixture *f = *state;
    struct snapshot *first = NULL, *second = NULL, *third = NULL;
    char *keys = world_read(f->world.keys);
    f->world.issuer_config.is_owned_by_feed = true;
    assert_int_equal(unlink(f->world.keys), 0);
    assert_int_equal(build(f, NULL, &first), ERR_NONE);
    assert_false(first->is_ready);
    assert_false(jwks_is_available(jwks_sets_find(first->keys, VIEW("https://sso.example"))));
    assert_int_equal(build(f, first, &second), ERR_NONE);
    assert_false(second->is_ready); /* lent, and still missing */
    assert_int_equal(second->key_generation, 1);
    world_write(f->world.keys, keys);
    assert_int_equal(build(f, second, &third), ERR_NONE);
    assert_true(third->is_ready);
    assert_int_equal(third->key_generation, 3);
    free(keys);
    snapshot_drop(first);
    snapshot_drop(second);
    snapshot_drop(third);
}

static void take_missing(void *context, const struct missing_file *file)
{
    assert_null(*(const char **)context); /* one */
    *(const char **)context = file->path;
}

static void a_file_of_feed_that_is_taken_away_is_trusted_no_longer(void **state)
{
    struct fixture *f = *state;
    struct snapshot *first = NULL, *second = NULL;
    const char *missing = NULL;
    f->world.domain.is_owned_by_feed = true;
    assert_int_equal(build(f, NULL, &first), ERR_NONE);
    assert_true(first->is_ready);
    snapshot_each_missing(first, &f->world.config, take_missing, &missing);
    assert_null(missing);
    assert_int_equal(unlink(f->world.bundle), 0);
    assert_int_equal(build(f, first, &second), ERR_NONE);
    assert_false(second->is_ready);
    assert_false(trust_bundle_is_loaded(trust_bundles_find(second->bundles, VIEW("prod.example"))));
    snapshot_each_missing(second, &f->world.config, take_missing, &missing);
    assert_string_equal(missing, f->world.bundle);
    snapshot_drop(first);
    snapshot_drop(second);
}

static void an_older_revocation_sequence_is_refused(void **state)
{
    struct fixture *f = *state;
    struct snapshot *first = NULL, *second = NULL;
    write_revocations(f, 7, WORLD_WEB);
    assert_int_equal(build(f, NULL, &first), ERR_NONE);
    assert_int_equal(revocations_sequence(first->revocations), 7);
    write_revocations(f, 6, WORLD_CONSOLE);
    assert_int_equal(build(f, first, &second), ERR_STALE);
    assert_ptr_equal(second->revocations, first->revocations);
    snapshot_drop(second);
    write_revocations(f, 8, WORLD_CONSOLE);
    assert_int_equal(build(f, first, &second), ERR_NONE);
    assert_int_equal(second->revocation_generation, 2);
    snapshot_drop(first);
    snapshot_drop(second);
}

/* A list of `sequence` in an envelope that says `signed_as`. */
static void sign_list(struct fixture *f, const char *path, int sequence, uint64_t signed_as)
{
    struct policy_key *key = NULL;
    struct view list = arena_print(&f->arena, "bartizan-revocations v1\nsequence %d\nend\n", sequence), sealed = {0};
    assert_int_equal(policy_key_read_private(VIEW(SIGNING_KEY), &key), ERR_NONE);
    const struct revocation_signing signing = {.key = key, .now = WORLD_NOW};
    assert_int_equal(revocation_file_seal(list, signed_as, &signing, &f->arena, &sealed), ERR_NONE);
    policy_key_free(key);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(sealed.data, 1, sealed.size, file), sealed.size);
    assert_int_equal(fclose(file), 0);
}

static void a_signed_list_is_judged_anew_when_it_or_its_signers_change(void **state)
{
    struct fixture *f = *state;
    char signer[WORLD_PATH_MAX + 16], list[WORLD_PATH_MAX + 32];
    const char *const signers[] = {signer};
    struct snapshot *first = NULL, *second = NULL;
    (void)snprintf(signer, sizeof(signer), "%s/signer.pem", f->world.folder);
    (void)snprintf(list, sizeof(list), "%s/a.revocations", f->world.revocations);
    f->world.config.identity.revocation_signers = signers;
    f->world.config.identity.revocation_signer_count = 1;
    world_write(signer, SIGNING_KEY_PUBLIC);
    sign_list(f, list, 7, 7);
    assert_int_equal(build(f, NULL, &first), ERR_NONE);
    sign_list(f, list, 8, 9);
    assert_int_equal(build(f, first, &second), ERR_INVALID);
    assert_non_null(finding(f, "E1107"));
    assert_ptr_equal(second->revocations, first->revocations);
    snapshot_drop(second);
    sign_list(f, list, 7, 7);
    world_write(signer, OTHER_KEY_PUBLIC); /* with the list as it was */
    assert_int_equal(build(f, first, &second), ERR_INVALID);
    assert_non_null(finding(f, "E1108"));
    assert_ptr_equal(second->revocations, first->revocations);
    snapshot_drop(second);
    snapshot_drop(first);
}

static void each_list_keeps_its_own_sequence(void **state)
{
    struct fixture *f = *state;
    struct snapshot *first = NULL, *second = NULL;
    world_write_revocations(&f->world, "a.yaml", 10, NULL);
    world_write_revocations(&f->world, "b.yaml", 5, NULL);
    assert_int_equal(build(f, NULL, &first), ERR_NONE);
    world_write_revocations(&f->world, "b.yaml", 4, NULL); /* behind a.yaml, which has not gone back */
    assert_int_equal(build(f, first, &second), ERR_STALE);
    assert_ptr_equal(second->revocations, first->revocations);
    snapshot_drop(second);
    world_write_revocations(&f->world, "b.yaml", 6, NULL);
    assert_int_equal(build(f, first, &second), ERR_NONE);
    snapshot_drop(first);
    snapshot_drop(second);
}

static void a_list_goes_away_only_together_with_a_newer_one(void **state)
{
    struct fixture *f = *state;
    struct snapshot *first = NULL, *second = NULL;
    char path[WORLD_PATH_MAX + 32];
    world_write_revocations(&f->world, "a.yaml", 10, NULL);
    world_write_revocations(&f->world, "b.yaml", 5, NULL);
    assert_int_equal(build(f, NULL, &first), ERR_NONE);
    (void)snprintf(path, sizeof(path), "%s/b.yaml", f->world.revocations);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(build(f, first, &second), ERR_STALE);
    assert_ptr_equal(second->revocations, first->revocations);
    snapshot_drop(second);
    world_write_revocations(&f->world, "a.yaml", 11, NULL);
    assert_int_equal(build(f, first, &second), ERR_NONE);
    assert_int_equal(revocations_sequence(second->revocations), 11);
    snapshot_drop(first);
    snapshot_drop(second);
}

static void a_mistake_in_one_file_delays_nothing_in_another(void **state)
{
    struct fixture *f = *state;
    struct snapshot *first = NULL, *second = NULL, *third = NULL;
    char *policy = world_read(f->world.policy);
    assert_int_equal(build(f, NULL, &first), ERR_NONE);
    world_write(f->world.policy, "kind: [\n");
    world_write(f->world.keys, "{");
    world_replace_authority(&f->world);
    write_revocations(f, 1, WORLD_WEB);
    assert_int_equal(build(f, first, &second), ERR_INVALID);
    assert_true(f->diags.errors >= 2);
    assert_int_equal(second->generation, 2);
    assert_ptr_equal(second->policy, first->policy);
    assert_ptr_equal(second->keys, first->keys);
    assert_int_equal(second->policy_generation, 1);
    assert_int_equal(second->key_generation, 1);
    assert_int_equal(second->bundle_generation, 2);
    assert_int_equal(second->revocation_generation, 2);
    assert_int_equal(revocations_count(second->revocations), 1);
    assert_true(second->is_ready);
    snapshot_drop(first); /* what was kept lives on */
    world_write(f->world.policy, policy);
    char *keys = world_issuer_keys(f->world.issuer);
    world_write(f->world.keys, keys);
    assert_int_equal(build(f, second, &third), ERR_NONE);
    assert_ptr_equal(third->policy, second->policy);
    assert_ptr_equal(third->keys, second->keys); /* the text that it was built from */
    snapshot_drop(second);
    snapshot_drop(third);
    free(policy);
    free(keys);
}

static void a_policy_that_takes_all_memory_for_sources_delays_no_revocation(void **state)
{
    /* Large ones, each half of the one before, and the rest: with the names between them they leave no block. */
    enum { FILES = 32, WHOLE = 11, HALVED = 19, FILE_BYTES = 16 * 1024 * 1024, NAME_BYTES = 17 * 1024, REST = 16200 };
    struct fixture *f = *state;
    struct snapshot *first = NULL, *second = NULL;
    char folder[WORLD_PATH_MAX], path[WORLD_PATH_MAX + 32];
    assert_int_equal(build(f, NULL, &first), ERR_NONE);
    (void)snprintf(folder, sizeof(folder), "%.200s/policies", f->world.folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    for (int i = 0; i < FILES; i++) {
        (void)snprintf(path, sizeof(path), "%s/%02d.yaml", folder, i);
        world_write(path, "");
        off_t size = i < WHOLE ? FILE_BYTES : FILE_BYTES >> (i - WHOLE + 1);
        assert_int_equal(truncate(path, i < HALVED ? size - NAME_BYTES : REST), 0);
    }
    f->world.config.policy.path = folder;
    write_revocations(f, 1, WORLD_WEB);
    assert_int_not_equal(build(f, first, &second), ERR_NONE);
    assert_ptr_equal(second->policy, first->policy);
    assert_int_equal(revocations_count(second->revocations), 1);
    for (int i = 0; i < FILES; i++) {
        (void)snprintf(path, sizeof(path), "%s/%02d.yaml", folder, i);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(rmdir(folder), 0);
    snapshot_drop(first);
    snapshot_drop(second);
}

/* What is in the bundle file as a SPIFFE bundle document of this sequence; freed by free(). */
static char *bundle_document(const struct fixture *f, int sequence)
{
    char *pem = world_read(f->world.bundle), *out = calloc(1, strlen(pem) + 256);
    char *body = strstr(pem, "-----\n") + strlen("-----\n"), *end = strstr(body, "-----END");
    int size = sprintf(
        out, "{\"spiffe_sequence\": %d, \"keys\": [{\"kty\": \"EC\", \"use\": \"x509-svid\", \"x5c\": [\"", sequence);
    for (; body < end; body++)
        if (*body != '\n')
            out[size++] = *body;
    (void)strcpy(out + size, "\"]}]}\n");
    free(pem);
    return out;
}

static void write_bundle_document(const struct fixture *f, int sequence)
{
    char *document = bundle_document(f, sequence);
    world_write(f->world.bundle, document);
    free(document);
}

/* Two domains of one bundle map, beside the bundle file. */
struct mapped {
    char map[WORLD_PATH_MAX + 16];
    struct trust_domain_config domains[2];
    char *document; /* of sequence 7 */
};

static void use_map(struct fixture *f, struct mapped *m)
{
    static const char *const names[] = {"prod.example", "partner.example"};
    memset(m, 0, sizeof *m);
    (void)snprintf(m->map, sizeof m->map, "%s/map.json", f->world.folder);
    for (size_t i = 0; i < 2; i++)
        m->domains[i] = (struct trust_domain_config){.name = view_of(names[i]), .bundle = m->map, .is_map = true};
    m->document = bundle_document(f, 7);
    f->world.config.identity.domains = m->domains;
    f->world.config.identity.domain_count = 2;
}

/* The first `@` of `form` is the one document, the second the other. */
static void write_map(const struct mapped *m, const char *form, const char *prod, const char *partner)
{
    const char *documents[] = {prod, partner};
    char *text = calloc(1, strlen(form) + strlen(prod) + strlen(partner) + 1);
    size_t size = 0, next = 0;
    for (; *form != '\0'; form++) {
        if (*form != '@')
            text[size++] = *form;
        else
            size += (size_t)sprintf(text + size, "%s", documents[next++]);
    }
    world_write(m->map, text);
    free(text);
}

#define BOTH "{\"trust_domains\": {\"prod.example\": @,\n\"partner.example\": @}}"
#define PROD_ONLY "{\"trust_domains\": {\"prod.example\": @}}"

static const struct trust_bundle *domain_of(const struct snapshot *snapshot, struct view name)
{
    return trust_bundles_find(snapshot->bundles, name);
}

static void each_domain_of_a_map_has_its_own_bundle_and_generation(void **state)
{
    struct fixture *f = *state;
    struct mapped m;
    struct snapshot *first = NULL, *second = NULL;
    use_map(f, &m);
    write_map(&m, BOTH, m.document, m.document);
    assert_int_equal(build(f, NULL, &first), ERR_NONE);
    assert_true(first->is_ready);
    assert_int_equal(trust_bundle_count(domain_of(first, VIEW("prod.example"))), 1);
    assert_int_equal(trust_bundle_facts(domain_of(first, VIEW("partner.example")))->sequence, 7);
    write_map(&m, BOTH, m.document, "{\"spiffe_sequence\": 8, \"keys\": []}");
    assert_int_equal(build(f, first, &second), ERR_NONE);
    assert_int_equal(second->bundle_generation, 2);
    assert_int_equal(trust_bundle_generation(domain_of(second, VIEW("prod.example"))), 1);
    assert_int_equal(trust_bundle_generation(domain_of(second, VIEW("partner.example"))), 2);
    assert_int_equal(trust_bundle_count(domain_of(second, VIEW("partner.example"))), 0);
    snapshot_drop(first);
    snapshot_drop(second);
    free(m.document);
}

static void a_domain_that_leaves_its_map_is_trusted_no_more_and_comes_back_with_no_older_sequence(void **state)
{
    struct fixture *f = *state;
    struct mapped m;
    struct snapshot *first = NULL, *second = NULL, *third = NULL;
    use_map(f, &m);
    write_map(&m, BOTH, m.document, m.document);
    assert_int_equal(build(f, NULL, &first), ERR_NONE);
    write_map(&m, PROD_ONLY, m.document, "");
    assert_int_equal(build(f, first, &second), ERR_NONE);
    const struct trust_bundle *partner = domain_of(second, VIEW("partner.example"));
    assert_true(second->is_ready && trust_bundle_is_loaded(partner) && trust_bundle_is_left_out(partner));
    assert_int_equal(trust_bundle_count(partner), 0);
    assert_int_equal(trust_bundle_generation(partner), 2);
    assert_false(trust_bundle_is_left_out(domain_of(second, VIEW("prod.example"))));
    char *older = bundle_document(f, 6);
    write_map(&m, BOTH, m.document, older);
    assert_int_equal(build(f, second, &third), ERR_STALE);
    assert_int_equal(trust_bundle_count(domain_of(third, VIEW("partner.example"))), 0);
    snapshot_drop(third);
    write_map(&m, BOTH, m.document, m.document);
    assert_int_equal(build(f, second, &third), ERR_NONE);
    assert_int_equal(trust_bundle_count(domain_of(third, VIEW("partner.example"))), 1);
    snapshot_drop(first);
    snapshot_drop(second);
    snapshot_drop(third);
    free(older);
    free(m.document);
}

static void a_map_that_is_not_there_yet_is_no_judgement_and_of_the_operator_an_error(void **state)
{
    struct fixture *f = *state;
    struct mapped m;
    struct snapshot *first = NULL, *second = NULL;
    use_map(f, &m);
    assert_int_equal(build(f, NULL, &first), ERR_NOT_FOUND);
    m.domains[0].is_owned_by_feed = m.domains[1].is_owned_by_feed = true;
    assert_int_equal(build(f, NULL, &first), ERR_NONE);
    assert_false(first->is_ready);
    assert_false(trust_bundle_is_loaded(domain_of(first, VIEW("prod.example"))));
    write_map(&m, PROD_ONLY, m.document, "");
    assert_int_equal(build(f, first, &second), ERR_NONE);
    assert_true(second->is_ready);
    snapshot_drop(first);
    snapshot_drop(second);
    free(m.document);
}

static void a_map_is_taken_whole_or_not_at_all(void **state)
{
    struct fixture *f = *state;
    struct mapped m;
    struct snapshot *first = NULL, *second = NULL;
    use_map(f, &m);
    write_map(&m, BOTH, m.document, m.document);
    assert_int_equal(build(f, NULL, &first), ERR_NONE);
    write_map(&m, BOTH, "{\"spiffe_sequence\": 8, \"keys\": []}", "{\"keys\": 7}");
    assert_int_equal(build(f, first, &second), ERR_INVALID);
    assert_int_equal(finding(f, "E1001")->span.line, 2);
    assert_int_equal(trust_bundle_count(domain_of(second, VIEW("prod.example"))), 1);
    snapshot_drop(second);
    write_map(&m, "{\"trust_domains\": {\"prod.example\": @, \"prod.example\": @}}", m.document, m.document);
    assert_int_equal(build(f, first, &second), ERR_INVALID);
    assert_non_null(finding(f, "E0911"));
    snapshot_drop(first);
    snapshot_drop(second);
    free(m.document);
}

/* A partner's mistake keeps no removal in one's own domain from being enforced. */
static void what_is_wrong_with_one_domain_keeps_no_other_from_changing(void **state)
{
    struct fixture *f = *state;
    struct mapped m;
    struct snapshot *first = NULL, *second = NULL, *third = NULL;
    use_map(f, &m);
    m.domains[0].is_map = false;
    m.domains[0].bundle = f->world.bundle;
    write_bundle_document(f, 7);
    write_map(&m, "{\"trust_domains\": {\"partner.example\": @}}", m.document, "");
    assert_int_equal(build(f, NULL, &first), ERR_NONE);
    world_write(f->world.bundle, "{\"spiffe_sequence\": 8, \"keys\": []}");
    world_write(m.map, "{");
    assert_int_equal(build(f, first, &second), ERR_INVALID);
    assert_int_equal(trust_bundle_count(domain_of(second, VIEW("prod.example"))), 0);
    assert_int_equal(trust_bundle_count(domain_of(second, VIEW("partner.example"))), 1);
    assert_int_equal(trust_bundle_generation(domain_of(second, VIEW("partner.example"))), 1);
    assert_int_equal(second->bundle_generation, 2);
    world_write(f->world.bundle, "{\"spiffe_sequence\": 6, \"keys\": []}"); /* and the other way round */
    write_map(&m, "{\"trust_domains\": {}}", "", "");
    assert_int_equal(build(f, second, &third), ERR_STALE);
    assert_int_equal(trust_bundle_facts(domain_of(third, VIEW("prod.example")))->sequence, 8);
    assert_true(trust_bundle_is_left_out(domain_of(third, VIEW("partner.example"))));
    snapshot_drop(first);
    snapshot_drop(second);
    snapshot_drop(third);
    free(m.document);
}

static void a_refresh_with_the_same_authorities_keeps_the_generation_and_the_new_sequence(void **state)
{
    struct fixture *f = *state;
    struct snapshot *first = NULL, *second = NULL, *third = NULL;
    char *older = bundle_document(f, 7), *newer = bundle_document(f, 8);
    world_write(f->world.bundle, older);
    assert_int_equal(build(f, NULL, &first), ERR_NONE);
    world_write(f->world.bundle, newer);
    assert_int_equal(build(f, first, &second), ERR_NONE);
    const struct trust_bundle *bundle = domain_of(second, VIEW("prod.example"));
    assert_int_equal(trust_bundle_facts(bundle)->sequence, 8);
    assert_int_equal(trust_bundle_generation(bundle), 1);
    world_write(f->world.bundle, older);
    assert_int_equal(build(f, second, &third), ERR_STALE);
    snapshot_drop(first);
    snapshot_drop(second);
    snapshot_drop(third);
    free(older);
    free(newer);
}

/* SPIFFE_Trust_Domain_and_Bundle.md section 6.4. */
static void an_authority_of_two_domains_is_a_warning(void **state)
{
    struct fixture *f = *state;
    struct mapped m;
    struct snapshot *first = NULL, *second = NULL;
    use_map(f, &m);
    write_map(&m, BOTH, m.document, m.document);
    assert_int_equal(build(f, NULL, &first), ERR_NONE);
    assert_int_equal(f->diags.count, 1);
    assert_non_null(finding(f, "W0909"));
    world_replace_authority(&f->world);
    char *other = bundle_document(f, 8);
    write_map(&m, BOTH, m.document, other);
    assert_int_equal(build(f, first, &second), ERR_NONE);
    assert_int_equal(f->diags.count, 1);
    snapshot_drop(first);
    snapshot_drop(second);
    free(other);
    free(m.document);
}

static void a_domain_of_a_map_that_the_configuration_does_not_name_is_a_warning(void **state)
{
    struct fixture *f = *state;
    struct mapped m;
    struct snapshot *snapshot = NULL;
    use_map(f, &m);
    f->world.config.identity.domain_count = 1;
    write_map(&m, BOTH, m.document, m.document);
    assert_int_equal(build(f, NULL, &snapshot), ERR_NONE);
    assert_int_equal(f->diags.count, 1);
    assert_true(view_equals(f->diags.items[0].code, VIEW("W0908")));
    assert_int_equal(f->diags.items[0].span.line, 3);
    assert_null(domain_of(snapshot, VIEW("partner.example")));
    snapshot_drop(snapshot);
    free(m.document);
}

static void an_older_bundle_sequence_is_refused(void **state)
{
    struct fixture *f = *state;
    struct snapshot *first = NULL, *second = NULL, *third = NULL;
    write_bundle_document(f, 7);
    assert_int_equal(build(f, NULL, &first), ERR_NONE);
    assert_int_equal(trust_bundle_facts(trust_bundles_find(first->bundles, VIEW("prod.example")))->sequence, 7);
    world_replace_authority(&f->world);
    write_bundle_document(f, 6);
    assert_int_equal(build(f, first, &second), ERR_STALE);
    assert_ptr_equal(second->bundles, first->bundles);
    world_replace_authority(&f->world); /* PEM has no sequence, which is below any */
    assert_int_equal(build(f, second, &third), ERR_STALE);
    snapshot_drop(third);
    write_bundle_document(f, 8);
    assert_int_equal(build(f, second, &third), ERR_NONE);
    assert_int_equal(third->bundle_generation, 3);
    snapshot_drop(first);
    snapshot_drop(second);
    snapshot_drop(third);
}

static void the_absence_of_a_bundle_does_not_forget_its_sequence(void **state)
{
    struct fixture *f = *state;
    struct snapshot *first = NULL, *second = NULL, *third = NULL;
    f->world.domain.is_owned_by_feed = true;
    write_bundle_document(f, 7);
    assert_int_equal(build(f, NULL, &first), ERR_NONE);
    assert_int_equal(unlink(f->world.bundle), 0);
    assert_int_equal(build(f, first, &second), ERR_NONE);
    assert_false(second->is_ready);
    world_replace_authority(&f->world);
    write_bundle_document(f, 6);
    assert_int_equal(build(f, second, &third), ERR_STALE);
    assert_false(third->is_ready);
    snapshot_drop(first);
    snapshot_drop(second);
    snapshot_drop(third);
}

static void the_loss_of_the_revocation_file_is_not_an_amnesty(void **state)
{
    struct fixture *f = *state;
    struct snapshot *first = NULL, *second = NULL;
    char path[WORLD_PATH_MAX + 16];
    write_revocations(f, 7, WORLD_WEB);
    assert_int_equal(build(f, NULL, &first), ERR_NONE);
    (void)snprintf(path, sizeof(path), "%s/list.yaml", f->world.revocations);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(build(f, first, &second), ERR_STALE);
    assert_ptr_equal(second->revocations, first->revocations);
    snapshot_drop(second);
    assert_int_equal(rmdir(f->world.revocations), 0);
    assert_int_equal(build(f, first, &second), ERR_NOT_FOUND);
    assert_ptr_equal(second->revocations, first->revocations);
    snapshot_drop(second);
    snapshot_drop(first);
}

static void an_empty_policy_is_refused(void **state)
{
    struct fixture *f = *state;
    struct snapshot *snapshot = NULL;
    world_write(f->world.policy, "");
    assert_int_not_equal(build(f, NULL, &snapshot), ERR_NONE);
    assert_null(snapshot);
}

/* ---- the shadow ---------------------------------------------------------- */

static void configure_shadow(struct fixture *f, char path[WORLD_PATH_MAX])
{
    (void)snprintf(path, WORLD_PATH_MAX, "%.200s/shadow.yaml", f->world.folder);
    f->world.config.policy.shadow = path;
    char *text = world_read(f->world.policy);
    world_write(path, text);
    free(text);
}

static void a_shadow_has_a_generation_of_its_own(void **state)
{
    struct fixture *f = *state;
    struct snapshot *first = NULL, *second = NULL;
    char path[WORLD_PATH_MAX];
    assert_int_equal(build(f, NULL, &first), ERR_NONE);
    assert_null(first->shadow); /* not configured */
    assert_int_equal(first->shadow_generation, 0);
    snapshot_drop(first);
    configure_shadow(f, path);
    assert_int_equal(build(f, NULL, &first), ERR_NONE);
    assert_non_null(first->shadow);
    assert_ptr_not_equal(first->shadow, first->policy);
    assert_int_equal(first->shadow_generation, 1);
    char *text = world_read(f->world.policy);
    text[strlen(text) - 1] = ' '; /* another text, the same policy */
    world_write(path, text);
    free(text);
    assert_int_equal(build(f, first, &second), ERR_NONE);
    assert_int_equal(second->shadow_generation, 2);
    assert_int_equal(second->policy_generation, 1);
    assert_ptr_equal(second->policy, first->policy);
    snapshot_drop(first);
    snapshot_drop(second);
}

static void a_broken_shadow_stays_as_it_was_and_keeps_nothing_else_back(void **state)
{
    struct fixture *f = *state;
    struct snapshot *first = NULL, *second = NULL, *third = NULL;
    char path[WORLD_PATH_MAX];
    configure_shadow(f, path);
    assert_int_equal(build(f, NULL, &first), ERR_NONE);
    world_write(path, "no: policy\n");
    write_revocations(f, 1, WORLD_WEB);
    assert_int_equal(build(f, first, &second), ERR_INVALID);
    assert_ptr_equal(second->shadow, first->shadow);
    assert_int_equal(second->shadow_generation, 1);
    assert_int_equal(second->revocation_generation, 2);
    assert_int_equal(unlink(path), 0); /* gone is broken too */
    assert_int_equal(build(f, second, &third), ERR_NOT_FOUND);
    assert_ptr_equal(third->shadow, first->shadow);
    snapshot_drop(first);
    snapshot_drop(second);
    snapshot_drop(third);
}

static void a_broken_policy_keeps_no_shadow_back(void **state)
{
    struct fixture *f = *state;
    struct snapshot *first = NULL, *second = NULL;
    char path[WORLD_PATH_MAX];
    configure_shadow(f, path);
    assert_int_equal(build(f, NULL, &first), ERR_NONE);
    char *text = world_read(path);
    text[strlen(text) - 1] = ' ';
    world_write(path, text);
    free(text);
    world_write(f->world.policy, "no: policy\n");
    assert_int_equal(build(f, first, &second), ERR_INVALID);
    assert_ptr_equal(second->policy, first->policy);
    assert_int_equal(second->shadow_generation, 2);
    snapshot_drop(first);
    snapshot_drop(second);
}

static void a_broken_shadow_does_not_keep_it_from_starting(void **state)
{
    struct fixture *f = *state;
    struct snapshot *first = NULL, *second = NULL, *third = NULL;
    char path[WORLD_PATH_MAX];
    configure_shadow(f, path);
    char *good = world_read(path);
    world_write(path, "no: policy\n");
    assert_int_equal(build(f, NULL, &first), ERR_NONE);
    assert_true(f->diags.errors > 0); /* and is told all the same */
    assert_non_null(first->policy);
    assert_null(first->shadow);
    assert_int_equal(first->shadow_generation, 0);
    assert_int_equal(build(f, first, &second), ERR_INVALID);
    assert_null(second->shadow);
    world_write(path, good);
    assert_int_equal(build(f, second, &third), ERR_NONE);
    assert_non_null(third->shadow);
    assert_int_equal(third->shadow_generation, 3);
    free(good);
    snapshot_drop(first);
    snapshot_drop(second);
    snapshot_drop(third);
}

static void an_issuer_of_the_shadow_alone_is_a_warning(void **state)
{
    struct fixture *f = *state;
    struct snapshot *first = NULL, *second = NULL;
    char path[WORLD_PATH_MAX];
    configure_shadow(f, path);
    assert_int_equal(build(f, NULL, &first), ERR_NONE);
    assert_int_equal(f->diags.count, 0);
    char *text = world_read(path), *url = strstr(text, "https://sso.example");
    assert_non_null(url);
    memcpy(url, "https://sso.another", strlen("https://sso.another"));
    world_write(path, text);
    free(text);
    assert_int_equal(build(f, first, &second), ERR_NONE);
    assert_int_equal(f->diags.errors, 0);
    assert_int_equal(f->diags.count, 1);
    assert_true(view_equals(f->diags.items[0].code, VIEW("W0907")));
    snapshot_drop(first);
    snapshot_drop(second);
}

static bool has_keys(const struct fixture *f, const struct snapshot *snapshot)
{
    const struct jwks *keys = jwks_sets_find(snapshot->keys, f->world.issuer_config.url);
    return keys != NULL && jwks_is_available(keys);
}

static void keys_of_the_workload_api_are_as_good_as_gone_when_it_has_not_confirmed_them(void **state)
{
    struct fixture *f = *state;
    char path[WORLD_PATH_MAX + 16];
    struct snapshot *first = NULL, *second = NULL;
    struct feed_stamp stamp = {.streams[WORKLOAD_JWT].confirmed_ns = feed_clock_ns()};
    (void)snprintf(path, sizeof(path), "%s/feed.json", f->world.folder);
    f->world.issuer_config.workload_api = VIEW("prod.example");
    f->world.issuer_config.is_owned_by_feed = f->world.config.workload_api.needs_jwt = true;
    f->world.config.workload_api.stamp = path;
    f->world.config.workload_api.max_age = 3600;
    feed_boot_id(stamp.boot_id);
    assert_int_equal(feed_stamp_write(&f->world.config, &stamp), ERR_NONE);
    assert_int_equal(build(f, NULL, &first), ERR_NONE);
    assert_true(first->is_ready && has_keys(f, first));
    f->world.config.workload_api.max_age = 0;
    assert_int_equal(build(f, first, &second), ERR_NONE);
    assert_false(second->is_ready || has_keys(f, second));
    snapshot_drop(second);
    assert_int_equal(unlink(path), 0);
    f->world.config.workload_api.max_age = 3600;
    assert_int_equal(build(f, first, &second), ERR_NONE);
    assert_false(second->is_ready || has_keys(f, second));
    snapshot_drop(second);
    snapshot_drop(first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_files_together_are_one_snapshot, setup, teardown),
        cmocka_unit_test_setup_teardown(what_did_not_change_keeps_its_generation_and_is_shared, setup, teardown),
        cmocka_unit_test_setup_teardown(every_bad_file_is_named_and_none_is_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(an_issuer_that_only_one_of_policy_and_configuration_names_is_a_warning, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_missing_file_of_the_operator_is_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(a_missing_file_of_feed_is_not_ready_until_it_is_there, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_of_feed_that_is_taken_away_is_trusted_no_longer, setup, teardown),
        cmocka_unit_test_setup_teardown(an_older_revocation_sequence_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(the_loss_of_the_revocation_file_is_not_an_amnesty, setup, teardown),
        cmocka_unit_test_setup_teardown(a_signed_list_is_judged_anew_when_it_or_its_signers_change, setup, teardown),
        cmocka_unit_test_setup_teardown(each_list_keeps_its_own_sequence, setup, teardown),
        cmocka_unit_test_setup_teardown(a_list_goes_away_only_together_with_a_newer_one, setup, teardown),
        cmocka_unit_test_setup_teardown(a_mistake_in_one_file_delays_nothing_in_another, setup, teardown),
        cmocka_unit_test_setup_teardown(a_policy_that_takes_all_memory_for_sources_delays_no_revocation, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_older_bundle_sequence_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(each_domain_of_a_map_has_its_own_bundle_and_generation, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_domain_that_leaves_its_map_is_trusted_no_more_and_comes_back_with_no_older_sequence, setup, teardown),
        cmocka_unit_test_setup_teardown(a_map_that_is_not_there_yet_is_no_judgement_and_of_the_operator_an_error, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_map_is_taken_whole_or_not_at_all, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_wrong_with_one_domain_keeps_no_other_from_changing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refresh_with_the_same_authorities_keeps_the_generation_and_the_new_sequence,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(an_authority_of_two_domains_is_a_warning, setup, teardown),
        cmocka_unit_test_setup_teardown(a_domain_of_a_map_that_the_configuration_does_not_name_is_a_warning, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_absence_of_a_bundle_does_not_forget_its_sequence, setup, teardown),
        cmocka_unit_test_setup_teardown(an_empty_policy_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_shadow_has_a_generation_of_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(a_broken_shadow_stays_as_it_was_and_keeps_nothing_else_back, setup, teardown),
        cmocka_unit_test_setup_teardown(a_broken_policy_keeps_no_shadow_back, setup, teardown),
        cmocka_unit_test_setup_teardown(a_broken_shadow_does_not_keep_it_from_starting, setup, teardown),
        cmocka_unit_test_setup_teardown(an_issuer_of_the_shadow_alone_is_a_warning, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_of_the_workload_api_are_as_good_as_gone_when_it_has_not_confirmed_them,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
