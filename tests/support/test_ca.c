/* SPDX-License-Identifier: Apache-2.0 */
#include "test_ca.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum role { ROLE_AUTHORITY = 0, ROLE_LEAF };

static void must(int ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "test_ca: %s failed\n", what);
    ERR_print_errors_fp(stderr);
    abort();
}

static EVP_PKEY *make_key(const struct test_cert_options *options)
{
    if (options->key) {
        must(EVP_PKEY_up_ref(options->key), "key reference");
        return options->key;
    }
    EVP_PKEY *key = NULL;
    switch (options->key_type) {
    case TEST_KEY_P256: key = EVP_EC_gen("P-256"); break;
    case TEST_KEY_P384: key = EVP_EC_gen("P-384"); break;
    case TEST_KEY_P521: key = EVP_EC_gen("P-521"); break;
    case TEST_KEY_SECP256K1: key = EVP_EC_gen("secp256k1"); break;
    case TEST_KEY_RSA: key = EVP_RSA_gen((unsigned int)(options->rsa_bits ? options->rsa_bits : 2048)); break;
    case TEST_KEY_ED25519: key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"); break;
    }
    must(key != NULL, "key generation");
    return key;
}

static void add_extension(X509 *x509, X509 *issuer, int nid, const char *value)
{
    if (!value || !*value)
        return;
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, x509, NULL, NULL, 0);
    X509V3_set_ctx_nodb(&context);
    X509_EXTENSION *extension = X509V3_EXT_nconf_nid(NULL, &context, nid, value);
    must(extension != NULL, value);
    must(X509_add_ext(x509, extension, -1), "X509_add_ext");
    X509_EXTENSION_free(extension);
}

static void add_san(GENERAL_NAMES *names, const struct test_san *san)
{
    size_t size = san->size ? san->size : strlen(san->bytes);
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_STRING *text = ASN1_STRING_type_new(san->kind == GEN_IPADD ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
    must(name && text && ASN1_STRING_set(text, san->bytes, (int)size), "SAN");
    GENERAL_NAME_set0_value(name, san->kind, text);
    must(sk_GENERAL_NAME_push(names, name) > 0, "SAN");
}

static void add_sans(X509 *x509, const struct test_cert_options *options)
{
    if (!options->uri && options->san_count == 0)
        return;
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    must(names != NULL, "SAN");
    if (options->uri)
        add_san(names, &(struct test_san){.kind = GEN_URI, .bytes = options->uri});
    for (size_t i = 0; i < options->san_count; i++)
        add_san(names, &options->sans[i]);
    int is_critical = options->has_empty_subject && !options->is_san_not_critical;
    must(X509_add1_ext_i2d(x509, NID_subject_alt_name, names, is_critical, X509V3_ADD_APPEND) > 0, "SAN");
    sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
}

static void add_unknown(X509 *x509, const struct test_cert_options *options)
{
    if (!options->extra_oid)
        return;
    ASN1_OBJECT *object = OBJ_txt2obj(options->extra_oid, 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    must(object && value && ASN1_OCTET_STRING_set(value, (const unsigned char *)"\x05\x00", 2), "extension");
    X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(NULL, object, options->is_extra_critical, value);
    must(extension && X509_add_ext(x509, extension, -1), "extension");
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(object);
}

static void set_subject(X509 *x509, const struct test_cert_options *options, enum role role)
{
    X509_NAME *name = X509_get_subject_name(x509);
    if (options->has_empty_subject)
        return;
    const char *organisation = role == ROLE_LEAF ? "Test" : "Test Authority";
    must(X509_NAME_add_entry_by_txt(name, "C", MBSTRING_ASC, (const unsigned char *)"US", -1, -1, 0), "subject");
    must(X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, (const unsigned char *)organisation, -1, -1, 0),
         "subject");
    if (options->common_name)
        must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)options->common_name, -1, -1,
                                        0),
             "subject");
}

static const char *or_default(const char *value, const char *fallback)
{
    return value ? value : fallback;
}

static void add_extensions(X509 *x509, X509 *issuer, const struct test_cert_options *options, enum role role)
{
    bool is_leaf = role == ROLE_LEAF;
    add_extension(x509, issuer, NID_basic_constraints,
                  or_default(options->basic_constraints, is_leaf ? "critical,CA:FALSE" : "critical,CA:TRUE"));
    add_extension(x509, issuer, NID_key_usage,
                  or_default(options->key_usage, is_leaf ? "critical,digitalSignature,keyEncipherment,keyAgreement"
                                                         : "critical,keyCertSign,cRLSign"));
    add_extension(x509, issuer, NID_ext_key_usage,
                  or_default(options->extended_key_usage, is_leaf ? "serverAuth,clientAuth" : ""));
    add_extension(x509, issuer, NID_name_constraints, options->name_constraints);
    if (!options->has_no_key_ids) {
        add_extension(x509, issuer, NID_subject_key_identifier, "hash");
        if (X509_get0_subject_key_id(issuer))
            add_extension(x509, issuer, NID_authority_key_identifier, "keyid:always");
    }
    for (size_t i = 0; i < TEST_CERT_EXTENSIONS_MAX; i++)
        add_extension(x509, issuer, options->extensions[i].nid, options->extensions[i].value);
    add_sans(x509, options);
    add_unknown(x509, options);
}

static void set_serial(X509 *x509, const char *decimal, long next)
{
    BIGNUM *number = NULL;
    if (!decimal) {
        must(ASN1_INTEGER_set(X509_get_serialNumber(x509), next), "serial");
        return;
    }
    must(BN_dec2bn(&number, decimal) > 0 && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509)) != NULL, "serial");
    BN_free(number);
}

static struct test_cert make(const struct test_cert *issuer, const struct test_cert_options *wanted, enum role role)
{
    static long next_serial = 1000;
    struct test_cert_options options = wanted ? *wanted : (struct test_cert_options){0};
    char name[32];
    (void)snprintf(name, sizeof name, "Intermediate %ld", next_serial);
    if (issuer && role == ROLE_AUTHORITY && !options.common_name)
        options.common_name = name;
    struct test_cert cert = {.x509 = X509_new(), .key = make_key(&options)};
    must(cert.x509 != NULL, "X509_new");
    X509 *signer = issuer ? issuer->x509 : cert.x509;
    EVP_PKEY *signer_key = issuer ? issuer->key : cert.key;
    must(X509_set_version(cert.x509, X509_VERSION_3), "version");
    set_serial(cert.x509, options.serial, next_serial++);
    must(ASN1_TIME_set(X509_getm_notBefore(cert.x509),
                       (time_t)(options.not_before ? options.not_before : TEST_NOT_BEFORE)) != NULL,
         "notBefore");
    must(ASN1_TIME_set(X509_getm_notAfter(cert.x509),
                       (time_t)(options.not_after ? options.not_after : TEST_NOT_AFTER)) != NULL,
         "notAfter");
    set_subject(cert.x509, &options, role);
    must(X509_set_issuer_name(cert.x509, X509_get_subject_name(signer)), "issuer");
    must(X509_set_pubkey(cert.x509, cert.key), "public key");
    add_extensions(cert.x509, signer, &options, role);
    bool is_ed25519 = EVP_PKEY_get_id(signer_key) == EVP_PKEY_ED25519;
    const EVP_MD *digest = is_ed25519 ? NULL : EVP_get_digestbyname(or_default(options.digest, "SHA256"));
    must(X509_sign(cert.x509, signer_key, digest) > 0, "signature");
    return cert;
}

struct test_cert test_ca_root(const struct test_cert_options *options)
{
    return make(NULL, options, ROLE_AUTHORITY);
}

struct test_cert test_ca_intermediate(const struct test_cert *issuer, const struct test_cert_options *options)
{
    return make(issuer, options, ROLE_AUTHORITY);
}

struct test_cert test_ca_leaf(const struct test_cert *issuer, const struct test_cert_options *options)
{
    return make(issuer, options, ROLE_LEAF);
}

struct test_cert test_ca_svid(const struct test_cert *issuer, const char *uri)
{
    return make(issuer, &(struct test_cert_options){.uri = uri}, ROLE_LEAF);
}

void test_cert_free(struct test_cert *cert)
{
    X509_free(cert->x509);
    EVP_PKEY_free(cert->key);
    *cert = (struct test_cert){0};
}

char *test_cert_pem(const struct test_cert *const *certs, size_t count)
{
    BIO *bio = BIO_new(BIO_s_mem());
    must(bio != NULL, "BIO");
    for (size_t i = 0; i < count; i++)
        must(PEM_write_bio_X509(bio, certs[i]->x509), "PEM");
    char *bytes = NULL;
    long size = BIO_get_mem_data(bio, &bytes);
    char *text = malloc((size_t)size + 1);
    must(text != NULL, "malloc");
    memcpy(text, bytes, (size_t)size);
    text[size] = '\0';
    BIO_free(bio);
    return text;
}

char *test_cert_pem_one(const struct test_cert *cert)
{
    return test_cert_pem(&cert, 1);
}

char *test_cert_urlencoded(const struct test_cert *const *certs, size_t count)
{
    char *pem = test_cert_pem(certs, count);
    char *text = malloc(strlen(pem) * 3 + 1);
    must(text != NULL, "malloc");
    char *end = text;
    for (const char *c = pem; *c; c++) {
        if (strchr("\n +/=", *c))
            end += sprintf(end, "%%%02X", (unsigned int)(unsigned char)*c);
        else
            *end++ = *c;
    }
    *end = '\0';
    free(pem);
    return text;
}

char *test_cert_urlencoded_one(const struct test_cert *cert)
{
    return test_cert_urlencoded(&cert, 1);
}

char *test_cert_hash(const struct test_cert *cert)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    must(X509_digest(cert->x509, EVP_sha256(), digest, &size) && size == 32, "digest");
    char *text = malloc(65);
    must(text != NULL, "malloc");
    for (unsigned int i = 0; i < size; i++)
        sprintf(text + (size_t)i * 2, "%02x", digest[i]);
    return text;
}
