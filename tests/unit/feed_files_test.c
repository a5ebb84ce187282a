/* SPDX-License-Identifier: Apache-2.0 */
#include "feed_files.h"

#include "bundle_map.h"
#include "small_folder.h"
#include "test_ca.h"
#include "trust_bundles.h"

#include <openssl/x509.h>

static struct arena arena;
static struct small_folder folder;

static int begin(void **state)
{
    (void)state;
    arena_init(&arena, (size_t)16 << 20);
    small_folder_make(&folder);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    arena_free(&arena);
    small_folder_remove(&folder);
    return 0;
}

/* The DER of `certificates`, one behind the other. */
static struct view der_of(const struct test_cert *certificates, size_t count)
{
    unsigned char *bytes = arena_take(&arena, (size_t)1 << 16), *at = bytes;
    for (size_t i = 0; i < count; i++)
        assert_true(i2d_X509(certificates[i].x509, &at) > 0);
    return (struct view){.data = (const char *)bytes, .size = (size_t)(at - bytes)};
}

static enum err build(struct view der, struct diag_list *diags, struct feed_files *files)
{
    static struct trust_domain_config domain;
    domain = (struct trust_domain_config){.name = VIEW("a"), .is_map = true, .is_from_workload_api = true};
    domain.bundle = arena_print(&arena, "%s/bundles.json", folder.path).data;
    static struct config config;
    config = (struct config){.identity = {.domains = &domain, .domain_count = 1}, .workload_api.needs_x509 = true};
    struct workload_bundle bundle = {.trust_domain = VIEW("a"), .bytes = der};
    struct workload_message message = {.bundles = &bundle, .bundle_count = 1};
    diag_list_init(diags, &arena);
    return feed_files_build(&config, WORKLOAD_X509, &message, &arena, diags, files);
}

/* How many authorities the decider takes out of the map. */
static size_t authorities_of(struct view text)
{
    struct bundle_map map;
    struct bundle_document_error error;
    struct diag_list diags;
    struct trust_bundles *bundles = NULL;
    diag_list_init(&diags, &arena);
    assert_int_equal(bundle_map_parse(text, &arena, &map, &error), ERR_NONE);
    assert_int_equal(map.count, 1);
    struct trust_bundle_source source = {.trust_domain = VIEW("a"), .file = VIEW("f"), .text = map.entries[0].document};
    assert_int_equal(trust_bundles_build(&source, 1, &diags, &bundles), ERR_NONE);
    size_t count = trust_bundle_count(trust_bundles_find(bundles, VIEW("a")));
    trust_bundles_free(bundles);
    return count;
}

static void authorities_of_every_type_of_key_reach_the_decider_and_any_other_is_told(void **state)
{
    (void)state;
    static const enum test_key types[] = {TEST_KEY_P256, TEST_KEY_P384,    TEST_KEY_P521,
                                          TEST_KEY_RSA,  TEST_KEY_ED25519, TEST_KEY_SECP256K1};
    enum { TYPES = sizeof types / sizeof types[0] };
    struct test_cert roots[TYPES];
    struct diag_list diags;
    struct feed_files files;
    for (size_t i = 0; i < TYPES; i++)
        roots[i] = test_ca_root(&(struct test_cert_options){.key_type = types[i]});
    assert_int_equal(build(der_of(roots, TYPES - 1), &diags, &files), ERR_NONE);
    assert_int_equal(diags.count, 0);
    assert_int_equal(files.count, 1);
    assert_int_equal(authorities_of(files.items[0].text), TYPES - 1);
    assert_int_equal(build(der_of(roots, TYPES), &diags, &files), ERR_NONE);
    assert_int_equal(authorities_of(files.items[0].text), TYPES - 1);
    assert_int_equal(diags.count, 1);
    assert_int_equal(diags.errors, 0);
    for (size_t i = 0; i < TYPES; i++)
        test_cert_free(&roots[i]);
}

static void concatenated_certificates_end_with_the_last_one(void **state)
{
    (void)state;
    struct test_cert root = test_ca_root(NULL);
    struct diag_list diags;
    struct feed_files files;
    struct view whole = der_of(&root, 1);
    for (size_t i = 1; i < whole.size; i += 7)
        assert_int_equal(build(view_slice(whole, 0, i), &diags, &files), ERR_INVALID);
    char *longer = arena_take(&arena, whole.size + 1);
    memcpy(longer, whole.data, whole.size);
    for (int byte = 0; byte < 256; byte += 5) {
        longer[whole.size] = (char)byte;
        assert_int_equal(build((struct view){longer, whole.size + 1}, &diags, &files), ERR_INVALID);
        assert_true(diags.errors > 0);
    }
    test_cert_free(&root);
}

static void a_file_with_the_same_text_is_left_alone_and_one_without_goes_away(void **state)
{
    (void)state;
    const char *path = arena_print(&arena, "%s/f", folder.path).data, *failed = NULL;
    struct feed_file file = {.path = path, .text = VIEW("one")};
    struct feed_files files = {.items = &file, .count = 1};
    static const size_t changed[] = {1, 0};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(feed_files_write(&files, &arena, &failed), ERR_NONE);
        assert_int_equal(files.changed, changed[i]);
    }
    file.text = VIEW("");
    assert_int_equal(feed_files_write(&files, &arena, &failed), ERR_NONE);
    assert_int_equal(files.changed, 1);
    assert_int_equal(access(path, F_OK), 0);
    file.text = (struct view){0};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(feed_files_write(&files, &arena, &failed), ERR_NONE);
        assert_int_equal(files.changed, changed[i]);
        assert_int_not_equal(access(path, F_OK), 0);
    }
    file = (struct feed_file){.path = "/nowhere/f", .text = VIEW("one")};
    assert_int_equal(feed_files_write(&files, &arena, &failed), ERR_IO);
    assert_string_equal(failed, "/nowhere/f");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(authorities_of_every_type_of_key_reach_the_decider_and_any_other_is_told, begin,
                                        finish),
        cmocka_unit_test_setup_teardown(concatenated_certificates_end_with_the_last_one, begin, finish),
        cmocka_unit_test_setup_teardown(a_file_with_the_same_text_is_left_alone_and_one_without_goes_away, begin,
                                        finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
