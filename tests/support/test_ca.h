/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate authority for tests and benchmarks: makes roots, intermediates
 * and leaves, right by default and wrong on demand. A failure inside aborts. */
#ifndef BARTIZAN_TEST_CA_H
#define BARTIZAN_TEST_CA_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A certificate and its private key. */
struct test_cert {
    X509 *x509;
    EVP_PKEY *key;
};

enum { TEST_CERT_SANS_MAX = 8, TEST_CERT_EXTENSIONS_MAX = 2 };

enum test_key { TEST_KEY_P256 = 0, TEST_KEY_P384, TEST_KEY_P521, TEST_KEY_RSA, TEST_KEY_ED25519, TEST_KEY_SECP256K1 };

/* One SAN. `kind` is GEN_URI, GEN_DNS, GEN_EMAIL or GEN_IPADD; bytes are taken as they are. */
struct test_san {
    int kind;
    const char *bytes;
    size_t size; /* 0: strlen(bytes) */
};

/* One more extension, in OpenSSL's text form. */
struct test_extension {
    int nid;
    const char *value; /* NULL: none */
};

/* Zero means what a good X.509-SVID has. */
struct test_cert_options {
    const char *uri;                          /* a URI SAN; NULL: none */
    struct test_san sans[TEST_CERT_SANS_MAX]; /* more SANs, after `uri` */
    size_t san_count;
    const char *common_name;  /* NULL: none, but intermediates get one of their own */
    bool has_empty_subject;   /* no RDN at all */
    bool is_san_not_critical; /* with an empty subject SAN is critical unless this */
    int64_t not_before;       /* unix seconds; 0: TEST_NOT_BEFORE */
    int64_t not_after;        /* unix seconds; 0: TEST_NOT_AFTER */
    enum test_key key_type;
    int rsa_bits;                   /* 0: 2048 */
    EVP_PKEY *key;                  /* use this key instead; borrowed */
    const char *digest;             /* "SHA256" when NULL; none for Ed25519 issuers */
    const char *basic_constraints;  /* OpenSSL text; NULL: by kind; "": extension left out */
    const char *key_usage;          /* the same */
    const char *extended_key_usage; /* the same; leaves have both, authorities none */
    const char *name_constraints;   /* NULL or "": none */
    bool has_no_key_ids;            /* neither SKI nor AKI */
    const char *extra_oid;          /* an extension unknown to everyone, ASN.1 NULL inside */
    bool is_extra_critical;
    struct test_extension extensions[TEST_CERT_EXTENSIONS_MAX];
    const char *serial; /* decimal, with a sign; NULL: the next one */
};

#define TEST_NOW INT64_C(1800000000) /* 2027-01-15T08:00:00Z */
#define TEST_NOT_BEFORE (TEST_NOW - 3600)
#define TEST_NOT_AFTER (TEST_NOW + 3600)

/* A self-signed authority. `options` may be NULL. Freed by test_cert_free. */
struct test_cert test_ca_root(const struct test_cert_options *options);
/* An authority signed by `issuer`. */
struct test_cert test_ca_intermediate(const struct test_cert *issuer, const struct test_cert_options *options);
/* A leaf signed by `issuer`; by itself when `issuer` is NULL. */
struct test_cert test_ca_leaf(const struct test_cert *issuer, const struct test_cert_options *options);
/* The usual leaf: `uri` and defaults. */
struct test_cert test_ca_svid(const struct test_cert *issuer, const char *uri);

void test_cert_free(struct test_cert *cert);

/* NUL-terminated text, freed by free(). Several certificates stand one behind the other. */
char *test_cert_pem(const struct test_cert *const *certs, size_t count);
char *test_cert_pem_one(const struct test_cert *cert);
/* The same with Envoy's escapes: %0A %20 %2B %2F %3D. */
char *test_cert_urlencoded(const struct test_cert *const *certs, size_t count);
char *test_cert_urlencoded_one(const struct test_cert *cert);
/* Lower-case hex SHA-256 of the DER; 64 characters and NUL, freed by free(). */
char *test_cert_hash(const struct test_cert *cert);

#endif
