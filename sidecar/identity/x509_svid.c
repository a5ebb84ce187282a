/* SPDX-License-Identifier: Apache-2.0 */
#include "x509_svid.h"

#include "pem.h"
#include "x509_key.h"
#include "x509_path.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

/* Decoding space of one text: as long as the text, which everything in it fits. */
struct scratch {
    char *text;
    uint8_t *der;
    size_t capacity;
};

static void scratch_free(struct scratch *scratch)
{
    free(scratch->text);
    free(scratch->der);
}

static void x509_drop(X509 **certificate)
{
    X509_free(*certificate);
}

static void stack_drop(STACK_OF(X509) * *certificates)
{
    sk_X509_pop_free(*certificates, X509_free);
}

static void names_drop(GENERAL_NAMES **names)
{
    GENERAL_NAMES_free(*names);
}

static void bytes_drop(unsigned char **bytes)
{
    OPENSSL_free(*bytes);
}

/* The text with its escapes undone, in `scratch`. */
static enum reason open_text(struct view encoded, struct scratch *scratch, struct view *out)
{
    if (encoded.size == 0 || encoded.size > SVID_CHAIN_BYTES_MAX)
        return REASON_CERTIFICATE_MALFORMED;
    scratch->text = malloc(encoded.size);
    scratch->der = malloc(encoded.size);
    scratch->capacity = encoded.size;
    if (!scratch->text || !scratch->der)
        return REASON_INTERNAL;
    size_t size = 0;
    if (!pem_unescape(encoded, scratch->text, &size))
        return REASON_CERTIFICATE_MALFORMED;
    *out = (struct view){.data = scratch->text, .size = size};
    return REASON_NONE;
}

/* Only the bytes that OpenSSL would write itself: otherwise one certificate had
 * several hashes, and a deny list by hash could be walked around. */
static bool is_canonical(X509 *certificate, struct view der)
{
    AUTO(bytes_drop) unsigned char *again = NULL;
    int size = i2d_X509(certificate, &again);
    return size >= 0 && view_equals(der, (struct view){.data = (const char *)again, .size = (size_t)size});
}

/* RFC 5280 section 4.2: readers disagree which instance counts. */
static bool has_sound_extensions(X509 *certificate)
{
    int count = X509_get_ext_count(certificate);
    for (int i = 0; i < count && count <= SVID_EXTENSIONS_MAX; i++) {
        const ASN1_OBJECT *object = X509_EXTENSION_get_object(X509_get_ext(certificate, i));
        if (X509_get_ext_by_OBJ(certificate, object, i) >= 0)
            return false;
    }
    return count <= SVID_EXTENSIONS_MAX;
}

static enum reason read_der(struct view der, X509 **out)
{
    const unsigned char *at = (const unsigned char *)der.data;
    AUTO(x509_drop) X509 *certificate = d2i_X509(NULL, &at, (long)der.size);
    if (!certificate || at != (const unsigned char *)der.data + der.size || !is_canonical(certificate, der) ||
        !has_sound_extensions(certificate))
        return REASON_CERTIFICATE_MALFORMED;
    /* Fills the extension cache; false for extensions that do not parse. */
    if (X509_check_purpose(certificate, -1, 0) != 1)
        return REASON_CERTIFICATE_MALFORMED;
    *out = certificate;
    certificate = NULL;
    return REASON_NONE;
}

/* The certificate that *text starts with, and its DER within `scratch`. */
static enum reason take_certificate(struct view *text, struct scratch *scratch, struct view *der, X509 **out)
{
    size_t size = 0;
    if (pem_take(text, VIEW("CERTIFICATE"), scratch->der, scratch->capacity, &size) != ERR_NONE)
        return REASON_CERTIFICATE_MALFORMED;
    *der = (struct view){.data = (const char *)scratch->der, .size = size};
    return read_der(*der, out);
}

/* The leaf's hash goes to `sha`. */
static enum reason read_leaf(struct view encoded, X509 **out, uint8_t sha[SHA256_BYTES])
{
    AUTO(scratch_free) struct scratch scratch = {0};
    struct view text, der;
    enum reason reason = open_text(encoded, &scratch, &text);
    if (reason == REASON_NONE)
        reason = take_certificate(&text, &scratch, &der, out);
    if (reason != REASON_NONE)
        return reason;
    if (text.size != 0)
        return REASON_CERTIFICATE_MALFORMED;
    return sha256(der, sha) == ERR_NONE ? REASON_NONE : REASON_INTERNAL;
}

static enum reason push(STACK_OF(X509) * stack, X509 *certificate)
{
    if (sk_X509_num(stack) >= SVID_CHAIN_MAX || sk_X509_push(stack, certificate) <= 0) {
        X509_free(certificate);
        return sk_X509_num(stack) >= SVID_CHAIN_MAX ? REASON_CERTIFICATE_UNTRUSTED : REASON_INTERNAL;
    }
    return REASON_NONE;
}

/* The first certificate of the chain is the leaf: compared with `sha` when the
 * leaf came by itself, else taken as the leaf. The rest goes to `untrusted`. */
static enum reason read_chain(struct view encoded, X509 **leaf, uint8_t sha[SHA256_BYTES], STACK_OF(X509) * untrusted)
{
    AUTO(scratch_free) struct scratch scratch = {0};
    struct view text, der;
    uint8_t first[SHA256_BYTES];
    AUTO(x509_drop) X509 *head = NULL;
    enum reason reason = open_text(encoded, &scratch, &text);
    if (reason == REASON_NONE)
        reason = take_certificate(&text, &scratch, &der, &head);
    if (reason != REASON_NONE)
        return reason;
    if (sha256(der, first) != ERR_NONE)
        return REASON_INTERNAL;
    if (*leaf && memcmp(first, sha, sizeof first) != 0)
        return REASON_XFCC_MISMATCH;
    if (!*leaf) {
        memcpy(sha, first, sizeof first);
        *leaf = head;
        head = NULL;
    }
    while (text.size > 0) {
        X509 *certificate = NULL;
        reason = take_certificate(&text, &scratch, &der, &certificate);
        if (reason == REASON_NONE)
            reason = push(untrusted, certificate);
        if (reason != REASON_NONE)
            return reason;
    }
    return REASON_NONE;
}

/* X509-SVID section 2: exactly one URI SAN among any number of other names. The
 * bytes are taken by their length: a NUL in them is a byte like any other, and no
 * SPIFFE ID has one. Names of other kinds and the subject are never looked at. */
static enum reason read_id(X509 *leaf, struct x509_svid *out)
{
    int position = -1;
    AUTO(names_drop) GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, &position, NULL);
    const ASN1_STRING *uri = NULL;
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_URI)
            continue;
        if (uri)
            return REASON_CERTIFICATE_SPIFFE_ID;
        uri = name->d.uniformResourceIdentifier;
    }
    if (!uri || ASN1_STRING_length(uri) <= 0 || ASN1_STRING_length(uri) > SPIFFE_ID_MAX)
        return REASON_CERTIFICATE_SPIFFE_ID;
    struct view text = {.data = out->id_text, .size = (size_t)ASN1_STRING_length(uri)};
    memcpy(out->id_text, ASN1_STRING_get0_data(uri), text.size);
    return spiffe_id_parse(text, &out->id) == ERR_NONE ? REASON_NONE : REASON_CERTIFICATE_SPIFFE_ID;
}

static enum reason hash_der(int size, unsigned char *der, uint8_t out[SHA256_BYTES])
{
    if (size < 0)
        return REASON_CERTIFICATE_MALFORMED;
    enum err e = sha256((struct view){.data = (const char *)der, .size = (size_t)size}, out);
    return e == ERR_NONE ? REASON_NONE : REASON_INTERNAL;
}

static enum reason read_rest(X509 *leaf, struct x509_svid *out)
{
    AUTO(bytes_drop) unsigned char *spki = NULL;
    int spki_size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &spki);
    enum reason reason = hash_der(spki_size, spki, out->spki_sha256);
    if (reason != REASON_NONE)
        return reason;
    const ASN1_INTEGER *serial = X509_get0_serialNumber(leaf);
    int size = ASN1_STRING_length(serial);
    /* A negative one would be taken for its positive counterpart. */
    if (size <= 0 || size > SVID_SERIAL_MAX || ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER)
        return REASON_CERTIFICATE_LEAF;
    memcpy(out->twin_sha256, out->sha256, sizeof out->twin_sha256);
    if (!x509_path_seconds(X509_get0_notBefore(leaf), &out->not_before) ||
        !x509_path_seconds(X509_get0_notAfter(leaf), &out->not_after))
        return REASON_CERTIFICATE_MALFORMED;
    return REASON_NONE;
}

/* X509-SVID section 4.3: present, critical, digitalSignature, and no authority's
 * bits. X509_get_key_usage answers "everything" where the extension is absent. */
static bool has_leaf_key_usage(X509 *leaf)
{
    int at = X509_get_ext_by_NID(leaf, NID_key_usage, -1);
    if (at < 0 || X509_EXTENSION_get_critical(X509_get_ext(leaf, at)) != 1)
        return false;
    uint32_t usage = X509_get_key_usage(leaf);
    return (usage & KU_DIGITAL_SIGNATURE) != 0 && (usage & (KU_KEY_CERT_SIGN | KU_CRL_SIGN)) == 0;
}

/* X509-SVID sections 3.1, 4.1 to 4.4 and 5.2. */
static enum reason check_leaf(X509 *leaf, const struct x509_svid *svid)
{
    uint32_t flags = X509_get_extension_flags(leaf);
    if (X509_get_version(leaf) != X509_VERSION_3 || (flags & (EXFLAG_CA | EXFLAG_PROXY)) != 0)
        return REASON_CERTIFICATE_LEAF;
    if (!has_leaf_key_usage(leaf) || view_is_empty(svid->id.path))
        return REASON_CERTIFICATE_LEAF;
    if ((flags & EXFLAG_XKUSAGE) != 0 && (X509_get_extended_key_usage(leaf) & XKU_SSL_CLIENT) == 0)
        return REASON_CERTIFICATE_LEAF;
    return REASON_NONE;
}

_Static_assert(SVID_AUTHORITIES_MAX == (SVID_PROXIES_MAX + 1) * X509_PATH_AUTHORITIES_MAX, "room for every path");

bool x509_svid_add_authority(struct x509_svid *svid, const struct deny_authority *authority)
{
    for (size_t i = 0; i < svid->authority_count; i++)
        if (memcmp(&svid->authorities[i], authority, sizeof *authority) == 0)
            return true;
    if (svid->authority_count == SVID_AUTHORITIES_MAX)
        return false;
    svid->authorities[svid->authority_count++] = *authority;
    return true;
}

/* What a deny list will be asked. */
static enum reason keep_marks(X509 *leaf, const struct x509_path_validity *path, struct x509_svid *out)
{
    for (size_t i = 0; i < path->authority_count; i++)
        if (!x509_svid_add_authority(out, &path->authorities[i]))
            return REASON_INTERNAL;
    const struct deny_authority *issuer = path->authority_count > 0 ? &path->authorities[0] : NULL;
    return deny_marks_serial(leaf, issuer, &out->serial) == ERR_NONE ? REASON_NONE : REASON_INTERNAL;
}

static enum reason check_path(X509 *leaf, STACK_OF(X509) * untrusted, const struct trust_bundle *bundle, int64_t now,
                              struct x509_svid *out)
{
    struct x509_path path = {.store = trust_bundle_store(bundle),
                             .leaf = leaf,
                             .untrusted = untrusted,
                             .purpose = X509_PURPOSE_SSL_CLIENT,
                             .now = now,
                             .crls = trust_bundle_crl_rule(bundle),
                             .lists = trust_bundle_crls(bundle),
                             .twin_sha256 = out->twin_sha256};
    struct x509_path_validity validity;
    enum reason reason = x509_path_verify(&path, &validity);
    if (reason != REASON_NONE)
        return reason;
    out->not_before = validity.not_before;
    out->not_after = validity.not_after;
    /* What a list said holds until it runs out: asked again then, whatever the cache keeps. */
    int64_t until = path.lists ? crl_set_until(path.lists, now) : INT64_MAX;
    if (until < out->not_after)
        out->not_after = until;
    out->bundle_generation = trust_bundle_generation(bundle);
    return keep_marks(leaf, &validity, out);
}

/* SPIFFE_Trust_Domain_and_Bundle section 3: the bundle of the ID's own trust
 * domain, and no other, may vouch for it. */
static enum reason check_trust(X509 *leaf, STACK_OF(X509) * untrusted, const struct trust_bundles *bundles, int64_t now,
                               struct x509_svid *out)
{
    const struct trust_bundle *bundle = trust_bundles_find(bundles, out->id.trust_domain);
    if (!bundle)
        return REASON_CERTIFICATE_DOMAIN;
    if (!trust_bundle_is_loaded(bundle))
        return REASON_KEYS_UNAVAILABLE;
    return check_path(leaf, untrusted, bundle, now, out);
}

static enum reason read_certificates(struct view leaf_text, struct view chain_text, X509 **leaf,
                                     STACK_OF(X509) * untrusted, struct x509_svid *out)
{
    enum reason reason = REASON_NONE;
    if (view_is_present(leaf_text))
        reason = read_leaf(leaf_text, leaf, out->sha256);
    if (reason == REASON_NONE && view_is_present(chain_text))
        reason = read_chain(chain_text, leaf, out->sha256, untrusted);
    return reason;
}

static enum reason verify(struct view leaf_text, struct view chain_text, const struct trust_bundles *bundles,
                          int64_t now, struct x509_svid *out)
{
    if (!view_is_present(leaf_text) && !view_is_present(chain_text))
        return REASON_CERTIFICATE_NONE;
    AUTO(x509_drop) X509 *leaf = NULL;
    AUTO(stack_drop) STACK_OF(X509) *untrusted = sk_X509_new_null();
    if (!untrusted)
        return REASON_INTERNAL;
    enum reason reason = read_certificates(leaf_text, chain_text, &leaf, untrusted, out);
    /* For the record, also where the chain is what was wrong. */
    enum reason id = leaf ? read_id(leaf, out) : REASON_CERTIFICATE_MALFORMED;
    if (reason == REASON_NONE)
        reason = id;
    if (reason == REASON_NONE)
        reason = read_rest(leaf, out);
    if (reason == REASON_NONE)
        reason = check_leaf(leaf, out);
    if (reason == REASON_NONE && !x509_key_is_accepted(leaf))
        reason = REASON_CERTIFICATE_KEY;
    if (reason == REASON_NONE)
        reason = check_trust(leaf, untrusted, bundles, now, out);
    return reason;
}

enum reason x509_svid_verify(struct view leaf, struct view chain, const struct trust_bundles *bundles, int64_t now,
                             struct x509_svid *out)
{
    memset(out, 0, sizeof *out);
    ERR_clear_error();
    enum reason reason = verify(leaf, chain, bundles, now, out);
    ERR_clear_error();
    return reason;
}

enum reason x509_svid_fingerprint(struct view leaf, uint8_t out[SHA256_BYTES])
{
    AUTO(x509_drop) X509 *certificate = NULL;
    ERR_clear_error();
    enum reason reason = read_leaf(leaf, &certificate, out);
    ERR_clear_error();
    return reason;
}

/* A view into `from->id_text`, as one into `to->id_text`. */
static struct view moved(struct view view, const struct x509_svid *from, struct x509_svid *to)
{
    return view_is_present(view) ? (struct view){.data = to->id_text + (view.data - from->id_text), .size = view.size}
                                 : view;
}

void x509_svid_copy(const struct x509_svid *from, struct x509_svid *to)
{
    *to = *from;
    to->id.text = moved(from->id.text, from, to);
    to->id.trust_domain = moved(from->id.trust_domain, from, to);
    to->id.path = moved(from->id.path, from, to);
}
