/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rfc3339.h"
#include "x509_path.h"

#include <jansson.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* C2SP x509-limbo: the cases about path validation as such, without those of the
 * web's certificate rules. Names are not checked: a SPIFFE ID is no host name. */

#define LIMBO_TIME INT64_C(1704067200) /* 2024-01-01, when no case says another time */

/* Where we answer otherwise than limbo, and why that is right here. */
static const char *const differences[] = {
    "pathlen::validation-ignores-pathlen-in-leaf",  /* a leaf with CA:TRUE: never a caller here */
    "pathlen::max-chain-depth-1-self-issued",       /* OpenSSL counts self-issued authorities too: stricter */
    "rfc5280::aki::leaf-missing-aki",               /* accepted by rule: SPIFFE does not ask for it */
    "rfc5280::aki::cross-signed-root-missing-aki",  /* an anchor's form is not part of path validation */
    "rfc5280::ski::root-missing-ski",               /* the same */
    "rfc5280::nc::permitted-dns-match-noncritical", /* constraints hold whether or not they are critical */
    "rfc5280::nc::not-allowed-in-ee-noncritical",   /* without effect in a leaf */
    "rfc5280::nc::not-allowed-in-ee-critical",      /* the same */
    "rfc5280::nc::nc-permits-invalid-dns-san",      /* DNS names decide nothing here */
    "rfc5280::serial::too-long",                    /* refused by x509_svid, not by the path */
    "rfc5280::serial::zero",                        /* RFC 5280 section 4.1.2.2 asks readers to bear it */
    "rfc5280::serial::negative",                    /* the same */
};

static bool is_in_scope(const char *id)
{
    return strncmp(id, "rfc5280::", 9) == 0 || strncmp(id, "pathlen::", 9) == 0 ||
           strncmp(id, "pathological::", 14) == 0;
}

/* The certificate of a PEM text, or NULL: what does not parse is refused before. */
static X509 *read_certificate(const json_t *pem)
{
    BIO *bio = BIO_new_mem_buf(json_string_value(pem), (int)json_string_length(pem));
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return certificate;
}

static int64_t time_of(const json_t *test)
{
    const json_t *text = json_object_get(test, "validation_time");
    int64_t seconds = LIMBO_TIME;
    if (json_is_string(text)) {
        struct view instant = {.data = json_string_value(text), .size = json_string_length(text)};
        assert_true(rfc3339_parse(instant, &seconds));
    }
    return seconds;
}

static X509_STORE *store_of(const json_t *test)
{
    X509_STORE *store = x509_path_store_new();
    const json_t *trusted = json_object_get(test, "trusted_certs"), *depth = json_object_get(test, "max_chain_depth");
    assert_non_null(store);
    for (size_t i = 0; i < json_array_size(trusted); i++) {
        X509 *certificate = read_certificate(json_array_get(trusted, i));
        if (certificate)
            assert_int_equal(X509_STORE_add_cert(store, certificate), 1);
        X509_free(certificate);
    }
    if (json_is_integer(depth))
        X509_VERIFY_PARAM_set_depth(X509_STORE_get0_param(store), (int)json_integer_value(depth));
    return store;
}

static bool is_accepted(const json_t *test)
{
    const json_t *supplied = json_object_get(test, "untrusted_intermediates");
    STACK_OF(X509) *untrusted = sk_X509_new_null();
    for (size_t i = 0; i < json_array_size(supplied); i++) {
        X509 *certificate = read_certificate(json_array_get(supplied, i));
        if (certificate)
            assert_true(sk_X509_push(untrusted, certificate) > 0);
    }
    struct x509_path path = {.store = store_of(test),
                             .leaf = read_certificate(json_object_get(test, "peer_certificate")),
                             .untrusted = untrusted,
                             .purpose = X509_PURPOSE_SSL_SERVER,
                             .now = time_of(test)};
    struct x509_path_validity validity;
    bool is_good = path.leaf && x509_path_verify(&path, &validity) == REASON_NONE;
    X509_free(path.leaf);
    X509_STORE_free(path.store);
    sk_X509_pop_free(untrusted, X509_free);
    return is_good;
}

static bool is_known_difference(const char *id)
{
    for (size_t i = 0; i < sizeof differences / sizeof differences[0]; i++) {
        if (strcmp(differences[i], id) == 0)
            return true;
    }
    return false;
}

static json_t *read_limbo(void)
{
    const char *folder = getenv("BARTIZAN_VECTORS");
    char path[512];
    (void)snprintf(path, sizeof path, "%s/limbo/limbo-2023-12-02.json", folder ? folder : "../../shared/vectors");
    return json_load_file(path, 0, NULL);
}

static void path_validation_agrees_with_limbo_but_for_named_cases(void **state)
{
    (void)state;
    json_t *limbo = read_limbo();
    if (!limbo) {
        print_message("SKIPPED: no vectors in ../../shared/vectors/limbo; set BARTIZAN_VECTORS\n");
        skip();
    }
    const json_t *tests = json_object_get(limbo, "testcases");
    size_t seen = 0, wrong = 0, agreed = 0;
    for (size_t i = 0; i < json_array_size(tests); i++) {
        const json_t *test = json_array_get(tests, i);
        const char *id = json_string_value(json_object_get(test, "id"));
        if (!is_in_scope(id))
            continue;
        bool wants = strcmp(json_string_value(json_object_get(test, "expected_result")), "SUCCESS") == 0;
        bool agrees = is_accepted(test) == wants;
        seen++;
        agreed += agrees;
        if (agrees != is_known_difference(id))
            continue;
        print_message("%s: limbo says %s, and we %s\n", id, wants ? "accept" : "refuse", agrees ? "agree" : "do not");
        wrong++;
    }
    json_decref(limbo);
    print_message("limbo: %zu of %zu cases agree\n", agreed, seen);
    assert_int_equal(seen, 86);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(path_validation_agrees_with_limbo_but_for_named_cases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
