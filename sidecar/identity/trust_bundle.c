/* SPDX-License-Identifier: Apache-2.0 */
#include "trust_bundle.h"

#include "bundle_document.h"
#include "digest.h"
#include "pem.h"
#include "spiffe_id.h"
#include "x509_path.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdlib.h>

struct trust_bundle {
    atomic_uint references;
    char name[TRUST_DOMAIN_MAX];
    size_t name_size;
    X509_STORE *store;
    STACK_OF(X509) * authorities; /* in order of the text */
    uint64_t generation;
    struct bundle_facts facts;
    int64_t expires;
    bool is_loaded, is_left_out;
    struct crl_set *crls; /* NULL: none are configured */
    struct x509_path_crls crl_rule;
    uint8_t digest[SHA256_BYTES];
};

/* One load: what is read from, and where findings go. */
struct load {
    const struct trust_bundle_source *source;
    struct diag_list *diags;
    struct trust_bundle *bundle;
    uint32_t line; /* in the text, of what is read; 0: none */
};

/* A finding, with the trust domain that it is about and its line in the file, of which the text may be a part. */
static enum err refuse(const struct load *load, const char *code, const char *message, const char *hint)
{
    const struct trust_bundle_source *source = load->source;
    uint32_t line = load->line > 0 && source->line > 0 ? source->line + load->line - 1 : load->line + source->line;
    diag_add(load->diags, &(struct diag){.code = view_of(code),
                                         .span = {.file = source->file, .line = line},
                                         .path = source->trust_domain,
                                         .message = view_of(message),
                                         .hint = view_of(hint)});
    return ERR_INVALID;
}

/* X509-SVID section 3.2. A leaf in a store with PARTIAL_CHAIN would vouch for
 * itself. The check also fills the certificate's extension cache while one
 * thread owns it: verifying threads then take no lock for it. */
static bool is_authority(X509 *certificate)
{
    bool is_signer = (X509_get_extension_flags(certificate) & EXFLAG_KUSAGE) == 0 ||
                     (X509_get_key_usage(certificate) & KU_KEY_CERT_SIGN) != 0;
    return X509_check_purpose(certificate, -1, 0) == 1 && X509_check_ca(certificate) == 1 && is_signer;
}

/* Nobody verifies an anchor's signature, so that a damaged one would only show by whom it does not let in. An
 * intermediate's is another's to verify. */
static bool is_intact(X509 *certificate)
{
    return X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) != 0 ||
           X509_verify(certificate, X509_get0_pubkey(certificate)) == 1;
}

static enum err add_authority(const struct load *load, X509 *certificate)
{
    struct trust_bundle *bundle = load->bundle;
    int64_t until;
    if (!is_authority(certificate))
        return refuse(
            load, "E1003", "a certificate of the bundle is no certificate authority",
            "a bundle holds authorities (basicConstraints CA:TRUE, keyCertSign), never a workload's own SVID");
    if (!is_intact(certificate))
        return refuse(load, "E1007", "a root's own signature does not verify: it is damaged",
                      "take the bundle from its source again");
    if (!x509_path_seconds(X509_get0_notAfter(certificate), &until))
        return refuse(load, "E1002", "an authority's validity cannot be read", NULL);
    if (sk_X509_num(bundle->authorities) >= TRUST_BUNDLE_AUTHORITIES_MAX)
        return refuse(load, "E1004", "the bundle holds more than 256 authorities", NULL);
    if (X509_STORE_add_cert(bundle->store, certificate) != 1 || X509_up_ref(certificate) != 1)
        return ERR_NO_MEMORY;
    if (sk_X509_push(bundle->authorities, certificate) <= 0) {
        X509_free(certificate);
        return ERR_NO_MEMORY;
    }
    bundle->expires = until < bundle->expires ? until : bundle->expires;
    return ERR_NONE;
}

static enum err take_der(void *context, struct view der, uint32_t line)
{
    struct load *load = context;
    load->line = line;
    const unsigned char *at = (const unsigned char *)der.data;
    X509 *certificate = der.size <= LONG_MAX ? d2i_X509(NULL, &at, (long)der.size) : NULL;
    if (!certificate || at != (const unsigned char *)der.data + der.size) {
        X509_free(certificate);
        return refuse(load, "E1002", "a certificate of the bundle cannot be read", NULL);
    }
    enum err e = add_authority(load, certificate);
    X509_free(certificate);
    return e;
}

static enum err read_text(struct load *load)
{
    struct bundle_document_error error = {0};
    enum err e = bundle_document_read(load->source->text, take_der, load, &load->bundle->facts, &error);
    if (e == ERR_NONE || e == ERR_INVALID || e == ERR_NO_MEMORY)
        return e;
    load->line = error.line;
    return refuse(load, "E1001", error.message,
                  "PEM blocks labelled CERTIFICATE with nothing between them, or a SPIFFE bundle document");
}

static enum err load_bundle(struct load *load)
{
    struct trust_bundle *bundle = load->bundle;
    const struct trust_bundle_source *source = load->source;
    if (!trust_domain_is_valid(source->trust_domain))
        return refuse(load, "E1005", "the trust domain's name is not valid", "lower-case letters, digits, . - _ only");
    memcpy(bundle->name, source->trust_domain.data, source->trust_domain.size);
    bundle->name_size = source->trust_domain.size;
    bundle->generation = source->generation;
    bundle->expires = INT64_MAX;
    bundle->store = x509_path_store_new();
    bundle->authorities = sk_X509_new_null();
    if (!bundle->store || !bundle->authorities)
        return ERR_NO_MEMORY;
    bundle->crl_rule = source->crls;
    if (source->has_crls)
        TRY(crl_set_build(source->crl_file, source->crl_text, bundle->store, load->diags, &bundle->crls));
    bundle->is_left_out = source->is_left_out;
    bundle->is_loaded = source->is_left_out || view_is_present(source->text);
    return view_is_present(source->text) ? read_text(load) : ERR_NONE;
}

/* Digest input: the SHA-256 of each part, so that no two sets read alike. */
struct parts {
    uint8_t *bytes;
    size_t size;
};

static enum err parts_add(struct parts *parts, struct view part)
{
    TRY(sha256(part, parts->bytes + parts->size));
    parts->size += SHA256_BYTES;
    return ERR_NONE;
}

static enum err digest_crls(const struct trust_bundle *bundle, struct parts *parts)
{
    const struct x509_path_crls *rule = &bundle->crl_rule;
    const char rules[] = {bundle->crls ? '1' : '0', rule->accepts_missing ? '1' : '0',
                          rule->accepts_expired ? '1' : '0'};
    TRY(parts_add(parts, (struct view){.data = rules, .size = sizeof rules}));
    for (size_t i = 0; bundle->crls && i < crl_set_count(bundle->crls); i++) {
        unsigned char *der = NULL;
        int size = crl_set_der(bundle->crls, i, &der);
        if (size < 0)
            return ERR_NO_MEMORY;
        enum err e = parts_add(parts, (struct view){.data = (const char *)der, .size = (size_t)size});
        OPENSSL_free(der);
        TRY(e);
    }
    return ERR_NONE;
}

static enum err digest_parts(const struct trust_bundle *bundle, struct parts *parts)
{
    int count = sk_X509_num(bundle->authorities);
    TRY(parts_add(parts, trust_bundle_name(bundle)));
    TRY(parts_add(parts, bundle->is_loaded ? VIEW("loaded") : VIEW("absent")));
    for (int i = 0; i < count; i++) {
        unsigned char *der = NULL;
        int size = i2d_X509(sk_X509_value(bundle->authorities, i), &der);
        if (size < 0)
            return ERR_NO_MEMORY;
        enum err e = parts_add(parts, (struct view){.data = (const char *)der, .size = (size_t)size});
        OPENSSL_free(der);
        TRY(e);
    }
    return digest_crls(bundle, parts);
}

static enum err digest_bundle(struct trust_bundle *bundle)
{
    size_t count = 3 + (size_t)sk_X509_num(bundle->authorities) + (bundle->crls ? crl_set_count(bundle->crls) : 0);
    struct parts parts = {.bytes = calloc(count, SHA256_BYTES)};
    if (!parts.bytes)
        return ERR_NO_MEMORY;
    enum err e = digest_parts(bundle, &parts);
    if (e == ERR_NONE)
        e = sha256((struct view){.data = (const char *)parts.bytes, .size = parts.size}, bundle->digest);
    free(parts.bytes);
    return e;
}

enum err trust_bundle_build(const struct trust_bundle_source *source, struct diag_list *diags,
                            struct trust_bundle **out)
{
    struct load load = {.source = source, .diags = diags, .bundle = calloc(1, sizeof *load.bundle)};
    if (!load.bundle)
        return ERR_NO_MEMORY;
    atomic_init(&load.bundle->references, 1);
    enum err e = load_bundle(&load);
    if (e == ERR_NONE)
        e = digest_bundle(load.bundle);
    ERR_clear_error();
    if (e != ERR_NONE) {
        trust_bundle_drop(load.bundle);
        return e;
    }
    *out = load.bundle;
    return ERR_NONE;
}

void trust_bundle_keep_generation(struct trust_bundle *bundle, uint64_t generation)
{
    bundle->generation = generation;
}

struct trust_bundle *trust_bundle_hold(struct trust_bundle *bundle)
{
    atomic_fetch_add(&bundle->references, 1);
    return bundle;
}

void trust_bundle_drop(struct trust_bundle *bundle)
{
    if (!bundle || atomic_fetch_sub(&bundle->references, 1) != 1)
        return;
    X509_STORE_free(bundle->store);
    sk_X509_pop_free(bundle->authorities, X509_free);
    crl_set_free(bundle->crls);
    free(bundle);
}

struct view trust_bundle_name(const struct trust_bundle *bundle)
{
    return (struct view){.data = bundle->name, .size = bundle->name_size};
}

X509_STORE *trust_bundle_store(const struct trust_bundle *bundle)
{
    return bundle->store;
}

const struct crl_set *trust_bundle_crls(const struct trust_bundle *bundle)
{
    return bundle->crls;
}

const struct x509_path_crls *trust_bundle_crl_rule(const struct trust_bundle *bundle)
{
    return bundle->crls ? &bundle->crl_rule : NULL;
}

size_t trust_bundle_count(const struct trust_bundle *bundle)
{
    return (size_t)sk_X509_num(bundle->authorities);
}

X509 *trust_bundle_authority(const struct trust_bundle *bundle, size_t i)
{
    return sk_X509_value(bundle->authorities, (int)i);
}

uint64_t trust_bundle_generation(const struct trust_bundle *bundle)
{
    return bundle->generation;
}

int64_t trust_bundle_expires(const struct trust_bundle *bundle)
{
    return bundle->expires;
}

const struct bundle_facts *trust_bundle_facts(const struct trust_bundle *bundle)
{
    return &bundle->facts;
}

bool trust_bundle_is_loaded(const struct trust_bundle *bundle)
{
    return bundle->is_loaded;
}

bool trust_bundle_is_left_out(const struct trust_bundle *bundle)
{
    return bundle->is_left_out;
}

const uint8_t *trust_bundle_digest(const struct trust_bundle *bundle)
{
    return bundle->digest;
}
