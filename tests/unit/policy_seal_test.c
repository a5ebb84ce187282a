/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "policy_seal.h"
#include "signing_keys.h"

static const char public_p256[] = "-----BEGIN PUBLIC KEY-----\n"
                                  "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEH9TBFW92BUlANG9gZBAaiHlu4OpU\n"
                                  "NlaJIuZyFIstCVsQuY+29f15hJZHk5GDwc2FyikU5gZnFADNqxl8Yr2vVQ==\n"
                                  "-----END PUBLIC KEY-----\n";

struct fixture {
    struct arena arena;
    struct policy_key *private_key, *public_key, *other_key;
    struct view sealed;
};

static int begin(void **state)
{
    static struct fixture f;
    f = (struct fixture){0};
    arena_init(&f.arena, (size_t)1024 * 1024);
    assert_int_equal(policy_key_read_private(view_of(SIGNING_KEY), &f.private_key), ERR_NONE);
    assert_int_equal(policy_key_read_public(view_of(SIGNING_KEY_PUBLIC), &f.public_key), ERR_NONE);
    assert_int_equal(policy_key_read_public(view_of(OTHER_KEY_PUBLIC), &f.other_key), ERR_NONE);
    const struct policy_seal seal = {.revision = 42, .issued = 1000, .expires = 2000, .image = VIEW("an image")};
    assert_int_equal(policy_seal_write(&seal, f.private_key, &f.arena, &f.sealed), ERR_NONE);
    *state = &f;
    return 0;
}

static int finish(void **state)
{
    struct fixture *f = *state;
    policy_key_free(f->private_key);
    policy_key_free(f->public_key);
    policy_key_free(f->other_key);
    arena_free(&f->arena);
    return 0;
}

/* Parses and verifies, as whoever loads a policy does. */
static bool is_taken(struct view bytes, const struct policy_key *key)
{
    struct policy_seal seal;
    return policy_seal_parse(bytes, &seal) == ERR_NONE && policy_seal_is_signed_by(&seal, key);
}

static void what_was_sealed_is_read_back(void **state)
{
    struct fixture *f = *state;
    struct policy_seal seal;
    assert_true(policy_seal_is(f->sealed));
    assert_int_equal(f->sealed.size, POLICY_SEAL_OVERHEAD + 8);
    assert_int_equal(policy_seal_parse(f->sealed, &seal), ERR_NONE);
    assert_int_equal(seal.revision, 42);
    assert_int_equal(seal.issued, 1000);
    assert_int_equal(seal.expires, 2000);
    assert_true(view_equals(seal.image, VIEW("an image")));
    assert_memory_equal(seal.key_id, policy_key_id(f->private_key), POLICY_SEAL_KEY_ID_BYTES);
    assert_memory_equal(policy_key_id(f->public_key), policy_key_id(f->private_key), POLICY_SEAL_KEY_ID_BYTES);
    assert_true(policy_seal_is_signed_by(&seal, f->public_key));
}

/* Little endian, at the offsets of the documentation: each byte of a number is another one. */
static void numbers_are_written_and_read_whole(void **state)
{
    enum { IMAGE = 0x10203 };
    struct fixture *f = *state;
    static char image[IMAGE];
    static const char head[] = "\x08\x07\x06\x05\x04\x03\x02\x01"
                               "\x05\x04\x03\x02\x01\0\0\0"
                               "\x06\x05\x04\x03\x02\0\0\0";
    const struct policy_seal whole = {.revision = 0x0102030405060708,
                                      .issued = 0x0102030405,
                                      .expires = 0x0203040506,
                                      .image = {.data = image, .size = sizeof image}};
    struct policy_seal seal;
    struct view sealed;
    assert_int_equal(policy_seal_write(&whole, f->private_key, &f->arena, &sealed), ERR_NONE);
    assert_memory_equal(sealed.data + 32, head, sizeof head - 1);
    assert_memory_equal(sealed.data + 88, "\x03\x02\x01\0\0\0\0\0", 8);
    assert_int_equal(policy_seal_parse(sealed, &seal), ERR_NONE);
    assert_true(seal.revision == whole.revision && seal.issued == whole.issued && seal.expires == whole.expires);
    assert_int_equal(seal.image.size, IMAGE);
}

/* Also where a signer has signed it. */
static void sizes_that_are_not_those_of_the_bytes_are_refused(void **state)
{
    static const size_t places[] = {24, 88}; /* of the header, of the image */
    struct fixture *f = *state;
    struct policy_seal seal;
    char *copy = malloc(f->sealed.size);
    memcpy(copy, f->sealed.data, f->sealed.size);
    struct view bytes = {copy, f->sealed.size};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        for (int by = -1; by <= 1; by++) {
            char was = copy[places[i]];
            copy[places[i]] = (char)(was + by);
            assert_int_equal(policy_seal_parse(bytes, &seal), by == 0 ? ERR_NONE : ERR_MALFORMED);
            copy[places[i]] = was;
        }
    free(copy);
}

static void another_signer_is_refused(void **state)
{
    struct fixture *f = *state;
    assert_true(is_taken(f->sealed, f->public_key));
    assert_false(is_taken(f->sealed, f->other_key));
}

/* The id alone is a claim: with it, the other key's envelope is still not this key's. */
static void a_key_id_put_on_anothers_signature_is_refused(void **state)
{
    struct fixture *f = *state;
    char *copy = malloc(f->sealed.size);
    memcpy(copy, f->sealed.data, f->sealed.size);
    memcpy(copy + 56, policy_key_id(f->other_key), POLICY_SEAL_KEY_ID_BYTES);
    assert_false(is_taken((struct view){copy, f->sealed.size}, f->other_key));
    free(copy);
}

/* Also where a signer has signed it: what has no meaning yet must not pass unseen. */
static void bytes_without_meaning_are_zero_or_no_envelope(void **state)
{
    struct fixture *f = *state;
    struct policy_seal seal;
    char *copy = malloc(f->sealed.size);
    memcpy(copy, f->sealed.data, f->sealed.size);
    struct view bytes = {copy, f->sealed.size};
    assert_int_equal(policy_seal_parse(bytes, &seal), ERR_NONE);
    for (size_t at = 28; at < POLICY_SEAL_HEADER_BYTES; at++) {
        if (at == 32)
            at = 96;
        copy[at] = 1;
        assert_int_equal(policy_seal_parse(bytes, &seal), ERR_MALFORMED);
        copy[at] = (char)0x80;
        assert_int_equal(policy_seal_parse(bytes, &seal), ERR_MALFORMED);
        copy[at] = 0;
    }
    free(copy);
}

static void a_signature_that_verifies_under_another_keys_name_is_refused(void **state)
{
    struct fixture *f = *state;
    struct policy_seal seal;
    assert_int_equal(policy_seal_parse(f->sealed, &seal), ERR_NONE);
    assert_true(policy_seal_is_signed_by(&seal, f->public_key));
    memcpy(seal.key_id, policy_key_id(f->other_key), POLICY_SEAL_KEY_ID_BYTES);
    assert_false(policy_seal_is_signed_by(&seal, f->public_key));
    memset(seal.key_id, 0, POLICY_SEAL_KEY_ID_BYTES);
    assert_false(policy_seal_is_signed_by(&seal, f->public_key));
    memset(seal.key_id, 0xff, POLICY_SEAL_KEY_ID_BYTES);
    assert_false(policy_seal_is_signed_by(&seal, f->public_key));
}

static void every_flipped_bit_is_refused(void **state)
{
    struct fixture *f = *state;
    char *copy = malloc(f->sealed.size);
    memcpy(copy, f->sealed.data, f->sealed.size);
    struct view bytes = {copy, f->sealed.size};
    assert_true(is_taken(bytes, f->public_key));
    for (size_t bit = 0; bit < 8 * bytes.size; bit++) {
        copy[bit / 8] = (char)(copy[bit / 8] ^ (1 << bit % 8));
        assert_false(is_taken(bytes, f->public_key));
        copy[bit / 8] = (char)(copy[bit / 8] ^ (1 << bit % 8));
    }
    assert_true(is_taken(bytes, f->public_key));
    free(copy);
}

static void every_truncation_and_every_byte_more_is_refused(void **state)
{
    struct fixture *f = *state;
    char *copy = calloc(1, f->sealed.size + 1);
    memcpy(copy, f->sealed.data, f->sealed.size);
    for (size_t size = 0; size <= f->sealed.size + 1; size++)
        assert_int_equal(is_taken((struct view){copy, size}, f->public_key), size == f->sealed.size);
    free(copy);
}

static void another_version_is_told_from_rubbish(void **state)
{
    (void)state;
    struct policy_seal seal;
    char other[256] = "bartizan policy seal v2\n";
    assert_int_equal(policy_seal_parse((struct view){other, sizeof(other)}, &seal), ERR_UNSUPPORTED);
    assert_true(policy_seal_is((struct view){other, sizeof(other)}));
    assert_int_equal(policy_seal_parse(VIEW("bartizan policy seal v"), &seal), ERR_MALFORMED);
    assert_int_equal(policy_seal_parse(VIEW("apiVersion: bartizan.dev/v1alpha1\n"), &seal), ERR_MALFORMED);
    assert_false(policy_seal_is(VIEW("bartizan policy")));
}

static void numbers_outside_their_range_are_not_sealed(void **state)
{
    struct fixture *f = *state;
    struct view out;
    const struct policy_seal good = {.revision = 1, .issued = 0, .expires = 1, .image = VIEW("x")};
    assert_int_equal(policy_seal_write(&good, f->private_key, &f->arena, &out), ERR_NONE);
    struct policy_seal bad[] = {good, good, good, good, good, good};
    bad[0].revision = 0;
    bad[1].revision = (uint64_t)INT64_MAX + 1;
    bad[2].issued = -1;
    bad[3].expires = 0;
    bad[4].expires = POLICY_SEAL_TIME_MAX + 1;
    bad[5].image = VIEW("");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(policy_seal_write(&bad[i], f->private_key, &f->arena, &out), ERR_INVALID);
    assert_int_equal(policy_seal_write(&good, f->public_key, &f->arena, &out), ERR_INVALID);
}

static enum err read_public(const char *pem)
{
    struct policy_key *key = NULL;
    enum err result = policy_key_read_public(view_of(pem), &key);
    policy_key_free(key);
    return result;
}

static void only_one_ed25519_key_in_pem_is_a_key(void **state)
{
    struct fixture *f = *state;
    struct policy_key *key = NULL;
    assert_int_equal(read_public(SIGNING_KEY_PUBLIC), ERR_NONE);
    assert_int_equal(read_public(public_p256), ERR_UNSUPPORTED);
    assert_int_equal(read_public(SIGNING_KEY), ERR_MALFORMED);
    assert_int_equal(read_public(""), ERR_MALFORMED);
    assert_int_equal(policy_key_read_private(view_of(SIGNING_KEY_PUBLIC), &key), ERR_MALFORMED);
    struct view twice = arena_print(&f->arena, "%s%s", SIGNING_KEY_PUBLIC, OTHER_KEY_PUBLIC);
    struct view before = arena_print(&f->arena, "ours:\n%s", SIGNING_KEY_PUBLIC);
    struct view spaced = arena_print(&f->arena, "%s\n \n", SIGNING_KEY_PUBLIC);
    assert_int_equal(read_public(twice.data), ERR_MALFORMED);
    assert_int_equal(read_public(before.data), ERR_MALFORMED);
    assert_int_equal(read_public(spaced.data), ERR_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_sealed_is_read_back, begin, finish),
        cmocka_unit_test_setup_teardown(numbers_are_written_and_read_whole, begin, finish),
        cmocka_unit_test_setup_teardown(sizes_that_are_not_those_of_the_bytes_are_refused, begin, finish),
        cmocka_unit_test_setup_teardown(another_signer_is_refused, begin, finish),
        cmocka_unit_test_setup_teardown(a_key_id_put_on_anothers_signature_is_refused, begin, finish),
        cmocka_unit_test_setup_teardown(bytes_without_meaning_are_zero_or_no_envelope, begin, finish),
        cmocka_unit_test_setup_teardown(a_signature_that_verifies_under_another_keys_name_is_refused, begin, finish),
        cmocka_unit_test_setup_teardown(every_flipped_bit_is_refused, begin, finish),
        cmocka_unit_test_setup_teardown(every_truncation_and_every_byte_more_is_refused, begin, finish),
        cmocka_unit_test_setup_teardown(another_version_is_told_from_rubbish, begin, finish),
        cmocka_unit_test_setup_teardown(numbers_outside_their_range_are_not_sealed, begin, finish),
        cmocka_unit_test_setup_teardown(only_one_ed25519_key_in_pem_is_a_key, begin, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
