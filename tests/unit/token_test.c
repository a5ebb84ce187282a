/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "token.h"

#define WORKLOAD "spiffe://a.example/b"

static const uint8_t CERTIFICATE[SHA256_BYTES] = {1, 2, 3}, ANOTHER[SHA256_BYTES] = {1, 2, 4};

static const struct token BY_CERTIFICATE = {.has_confirmation = true, .has_x5t_s256 = true, .x5t_s256 = {1, 2, 3}};
static const struct token BY_WORKLOAD = {.has_confirmation = true,
                                         .confirmed_spiffe_id = {WORKLOAD, sizeof WORKLOAD - 1}};

/* The flags begin set: a judgement that leaves one standing shows. */
static struct user_facts user;

static enum reason check(const struct token *token, const uint8_t *certificate, struct view spiffe_id)
{
    user = (struct user_facts){.is_bound_to_certificate = true, .is_bound_to_workload = true, .is_bound_by_dpop = true};
    return token_check_binding(token, certificate, spiffe_id, &user);
}

static void assert_bound(bool to_certificate, bool to_workload)
{
    assert_int_equal(user.is_bound_to_certificate, to_certificate);
    assert_int_equal(user.is_bound_to_workload, to_workload);
    assert_false(user.is_bound_by_dpop);
}

static void a_token_without_confirmation_is_anyones_and_bound_to_none(void **state)
{
    (void)state;
    const struct token token = {0};
    assert_int_equal(check(&token, CERTIFICATE, VIEW(WORKLOAD)), REASON_NONE);
    assert_bound(false, false);
    assert_int_equal(check(&token, NULL, (struct view){0}), REASON_NONE);
    assert_bound(false, false);
}

/* RFC 8705 section 3. */
static void a_token_bound_to_a_certificate_fits_only_its_caller(void **state)
{
    (void)state;
    assert_int_equal(check(&BY_CERTIFICATE, CERTIFICATE, VIEW(WORKLOAD)), REASON_NONE);
    assert_bound(true, false);
    assert_int_equal(check(&BY_CERTIFICATE, ANOTHER, VIEW(WORKLOAD)), REASON_TOKEN_BINDING);
    assert_bound(false, false);
    assert_int_equal(check(&BY_CERTIFICATE, NULL, VIEW(WORKLOAD)), REASON_TOKEN_BINDING);
    assert_bound(false, false);
}

static void a_digest_that_differs_in_its_last_byte_does_not_fit(void **state)
{
    (void)state;
    uint8_t digest[SHA256_BYTES];
    memcpy(digest, CERTIFICATE, sizeof digest);
    assert_int_equal(check(&BY_CERTIFICATE, digest, VIEW(WORKLOAD)), REASON_NONE);
    digest[SHA256_BYTES - 1] ^= 1;
    assert_int_equal(check(&BY_CERTIFICATE, digest, VIEW(WORKLOAD)), REASON_TOKEN_BINDING);
}

static void a_token_bound_to_a_workload_fits_only_that_one(void **state)
{
    (void)state;
    assert_int_equal(check(&BY_WORKLOAD, NULL, VIEW(WORKLOAD)), REASON_NONE);
    assert_bound(false, true);
    assert_int_equal(check(&BY_WORKLOAD, CERTIFICATE, VIEW(WORKLOAD "c")), REASON_TOKEN_BINDING);
    assert_bound(false, false);
    assert_int_equal(check(&BY_WORKLOAD, CERTIFICATE, VIEW("spiffe://a.example/B")), REASON_TOKEN_BINDING);
    assert_int_equal(check(&BY_WORKLOAD, CERTIFICATE, (struct view){0}), REASON_TOKEN_BINDING);
}

static void an_empty_workload_name_fits_nobody(void **state)
{
    (void)state;
    struct token token = BY_WORKLOAD;
    assert_int_equal(check(&token, NULL, VIEW(WORKLOAD)), REASON_NONE);
    token.confirmed_spiffe_id = VIEW("");
    assert_int_equal(check(&token, NULL, VIEW("")), REASON_TOKEN_BINDING);
    assert_int_equal(check(&token, NULL, (struct view){0}), REASON_TOKEN_BINDING);
    assert_bound(false, false);
}

static void every_method_that_is_named_must_fit(void **state)
{
    (void)state;
    struct token token = BY_CERTIFICATE;
    token.confirmed_spiffe_id = VIEW(WORKLOAD);
    assert_int_equal(check(&token, CERTIFICATE, VIEW(WORKLOAD)), REASON_NONE);
    assert_bound(true, true);
    assert_int_equal(check(&token, CERTIFICATE, VIEW(WORKLOAD "c")), REASON_TOKEN_BINDING);
    assert_bound(false, false);
    assert_int_equal(check(&token, ANOTHER, VIEW(WORKLOAD)), REASON_TOKEN_BINDING);
    assert_bound(false, false);
}

/* RFC 7800 section 3.1: a confirmation that is not understood is no bearer token. */
static void a_confirmation_of_unknown_methods_fits_nobody(void **state)
{
    (void)state;
    const struct token token = {.has_confirmation = true};
    assert_int_equal(check(&token, CERTIFICATE, VIEW(WORKLOAD)), REASON_TOKEN_BINDING);
    assert_bound(false, false);
}

static void a_token_that_wants_a_dpop_proof_fits_nobody_even_with_the_certificate(void **state)
{
    (void)state;
    struct token token = BY_CERTIFICATE;
    assert_int_equal(check(&token, CERTIFICATE, VIEW(WORKLOAD)), REASON_NONE);
    token.has_jkt = true;
    assert_int_equal(check(&token, CERTIFICATE, VIEW(WORKLOAD)), REASON_TOKEN_BINDING);
    assert_bound(false, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_without_confirmation_is_anyones_and_bound_to_none),
        cmocka_unit_test(a_token_bound_to_a_certificate_fits_only_its_caller),
        cmocka_unit_test(a_digest_that_differs_in_its_last_byte_does_not_fit),
        cmocka_unit_test(a_token_bound_to_a_workload_fits_only_that_one),
        cmocka_unit_test(an_empty_workload_name_fits_nobody),
        cmocka_unit_test(every_method_that_is_named_must_fit),
        cmocka_unit_test(a_confirmation_of_unknown_methods_fits_nobody),
        cmocka_unit_test(a_token_that_wants_a_dpop_proof_fits_nobody_even_with_the_certificate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
