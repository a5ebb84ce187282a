/* SPDX-License-Identifier: Apache-2.0 */
#include "svid_report.h"

#include "bio_text.h"
#include "key_pair.h"
#include "spiffe_id.h"
#include "x509_path.h"

#include <openssl/x509v3.h>

struct bit_name {
    uint32_t bit;
    const char *name;
};

static const struct bit_name usages[] = {
    {KU_DIGITAL_SIGNATURE, "digitalSignature"},
    {KU_NON_REPUDIATION, "nonRepudiation"},
    {KU_KEY_ENCIPHERMENT, "keyEncipherment"},
    {KU_DATA_ENCIPHERMENT, "dataEncipherment"},
    {KU_KEY_AGREEMENT, "keyAgreement"},
    {KU_KEY_CERT_SIGN, "keyCertSign"},
    {KU_CRL_SIGN, "cRLSign"},
};
static const struct bit_name extended_usages[] = {
    {XKU_SSL_SERVER, "serverAuth"}, {XKU_SSL_CLIENT, "clientAuth"},      {XKU_SMIME, "emailProtection"},
    {XKU_CODE_SIGN, "codeSigning"}, {XKU_OCSP_SIGN, "OCSPSigning"},      {XKU_TIMESTAMP, "timeStamping"},
    {XKU_SGC, "serverGatedCrypto"}, {XKU_ANYEKU, "anyExtendedKeyUsage"},
};

/* ---- what stands in it ---- */

static struct view hex_print(const unsigned char *bytes, int size, struct arena *arena)
{
    char *text = arena_take(arena, 2 * (size_t)size + 1);
    if (!text)
        return (struct view){0};
    hex_encode(bytes, (size_t)size, text);
    return (struct view){.data = text, .size = 2 * (size_t)size};
}

static struct view bits_print(const struct bit_name *names, size_t count, uint32_t bits, struct arena *arena)
{
    struct view out = VIEW("none");
    bool is_first = true;
    for (size_t i = 0; i < count; i++) {
        if ((bits & names[i].bit) == 0)
            continue;
        out = is_first ? view_of(names[i].name) : arena_print(arena, "%.*s, %s", VIEW_ARG(out), names[i].name);
        is_first = false;
    }
    return out;
}

static struct view name_print(const X509_NAME *name, struct arena *arena)
{
    AUTO(bio_text_drop) BIO *bio = BIO_new(BIO_s_mem());
    if (!bio || X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) < 0)
        return (struct view){0};
    return bio_text_copy(bio, arena);
}

static struct view string_print(const ASN1_STRING *text, struct arena *arena)
{
    return arena_copy(arena,
                      (struct view){(const char *)ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text)});
}

/* The number of URI SANs. */
static size_t read_names(X509 *certificate, struct arena *arena, struct svid_report *out)
{
    size_t uris = 0;
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_URI && uris++ == 0)
            out->spiffe_id = string_print(name->d.uniformResourceIdentifier, arena);
        if (name->type == GEN_DNS && out->dns_count < SVID_REPORT_NAMES)
            out->dns[out->dns_count++] = string_print(name->d.dNSName, arena);
    }
    GENERAL_NAMES_free(names);
    return uris;
}

static void bytes_drop(unsigned char **bytes)
{
    OPENSSL_free(*bytes);
}

static enum err hash_hex(const unsigned char *der, int size, char out[2 * SHA256_BYTES])
{
    uint8_t hash[SHA256_BYTES];
    if (size <= 0)
        return ERR_MALFORMED;
    TRY(sha256((struct view){(const char *)der, (size_t)size}, hash));
    hex_encode(hash, sizeof hash, out);
    return ERR_NONE;
}

static enum err read_hashes(X509 *certificate, struct svid_report *out)
{
    AUTO(bytes_drop) unsigned char *der = NULL;
    AUTO(bytes_drop) unsigned char *spki = NULL;
    int size = i2d_X509(certificate, &der);
    TRY(hash_hex(der, size, out->sha256));
    size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &spki);
    return hash_hex(spki, size, out->spki_sha256);
}

static enum err read_fields(X509 *certificate, struct arena *arena, struct svid_report *out)
{
    uint32_t flags = X509_get_extension_flags(certificate);
    const ASN1_INTEGER *serial = X509_get0_serialNumber(certificate);
    const ASN1_OCTET_STRING *own = X509_get0_subject_key_id(certificate);
    const ASN1_OCTET_STRING *issuers = X509_get0_authority_key_id(certificate);
    const EVP_PKEY *key = X509_get0_pubkey(certificate);
    out->serial = hex_print(ASN1_STRING_get0_data(serial), ASN1_STRING_length(serial), arena);
    out->subject = name_print(X509_get_subject_name(certificate), arena);
    out->issuer = name_print(X509_get_issuer_name(certificate), arena);
    out->key = key ? key_pair_name(key, arena) : VIEW("unknown");
    if ((flags & EXFLAG_KUSAGE) != 0)
        out->key_usage = bits_print(usages, sizeof usages / sizeof usages[0], X509_get_key_usage(certificate), arena);
    if ((flags & EXFLAG_XKUSAGE) != 0)
        out->extended_key_usage = bits_print(extended_usages, sizeof extended_usages / sizeof extended_usages[0],
                                             X509_get_extended_key_usage(certificate), arena);
    if (own)
        out->subject_key_id = hex_print(ASN1_STRING_get0_data(own), ASN1_STRING_length(own), arena);
    if (issuers)
        out->authority_key_id = hex_print(ASN1_STRING_get0_data(issuers), ASN1_STRING_length(issuers), arena);
    out->is_self_issued = (flags & EXFLAG_SI) != 0;
    if (!x509_path_seconds(X509_get0_notBefore(certificate), &out->not_before) ||
        !x509_path_seconds(X509_get0_notAfter(certificate), &out->not_after))
        return ERR_MALFORMED;
    return read_hashes(certificate, out);
}

/* ---- what is wrong with it ---- */

static void find(struct svid_report *out, bool is_found, struct view sentence)
{
    if (is_found && out->finding_count < SVID_REPORT_FINDINGS)
        out->findings[out->finding_count++] = sentence;
}

static bool is_critical(X509 *certificate, int nid)
{
    int at = X509_get_ext_by_NID(certificate, nid, -1);
    return at >= 0 && X509_EXTENSION_get_critical(X509_get_ext(certificate, at)) == 1;
}

/* X509-SVID.md sections 2, 3.1, 4.1, 4.3, 4.4. */
static void judge_leaf(X509 *certificate, const struct spiffe_id *id, struct svid_report *out)
{
    uint32_t flags = X509_get_extension_flags(certificate), usage = X509_get_key_usage(certificate);
    bool has_usage = (flags & EXFLAG_KUSAGE) != 0;
    find(out, view_is_present(id->text) && view_is_empty(id->path),
         VIEW("the SPIFFE ID of a leaf has a path (X509-SVID 3.1)"));
    find(out, !has_usage, VIEW("key usage is missing (X509-SVID 4.3)"));
    find(out, has_usage && !is_critical(certificate, NID_key_usage), VIEW("key usage is not critical (X509-SVID 4.3)"));
    find(out, has_usage && (usage & KU_DIGITAL_SIGNATURE) == 0,
         VIEW("key usage lacks digitalSignature (X509-SVID 4.3)"));
    find(out, has_usage && (usage & (KU_KEY_CERT_SIGN | KU_CRL_SIGN)) != 0,
         VIEW("a leaf may have neither keyCertSign nor cRLSign (X509-SVID 4.3)"));
    find(out,
         (flags & EXFLAG_XKUSAGE) != 0 && (X509_get_extended_key_usage(certificate) &
                                           (XKU_SSL_SERVER | XKU_SSL_CLIENT)) != (XKU_SSL_SERVER | XKU_SSL_CLIENT),
         VIEW("extended key usage has not both serverAuth and clientAuth (X509-SVID 4.4)"));
    find(out, X509_get0_subject_key_id(certificate) == NULL,
         VIEW("subject key identifier is missing (RFC 5280 4.2.1.2)"));
}

/* X509-SVID.md sections 3.2, 4.1, 4.3; RFC 5280 section 4.2.1. */
static void judge_signing(X509 *certificate, const struct spiffe_id *id, struct svid_report *out)
{
    bool has_usage = (X509_get_extension_flags(certificate) & EXFLAG_KUSAGE) != 0;
    find(out, view_is_present(id->text) && !view_is_empty(id->path),
         VIEW("the SPIFFE ID of a signing certificate has no path (X509-SVID 3.2)"));
    find(out, !has_usage || (X509_get_key_usage(certificate) & KU_KEY_CERT_SIGN) == 0,
         VIEW("a signing certificate has keyCertSign (X509-SVID 4.3)"));
    find(out, has_usage && !is_critical(certificate, NID_key_usage), VIEW("key usage is not critical (X509-SVID 4.3)"));
    find(out, !is_critical(certificate, NID_basic_constraints),
         VIEW("basic constraints are not critical (RFC 5280 4.2.1.9)"));
}

static void judge(X509 *certificate, size_t uris, int64_t now, struct svid_report *out)
{
    struct spiffe_id id = {0};
    bool is_authority = out->kind == SVID_REPORT_SIGNING;
    bool is_id = view_is_present(out->spiffe_id) && spiffe_id_parse(out->spiffe_id, &id) == ERR_NONE;
    id = is_id ? id : (struct spiffe_id){0};
    find(out, uris > 1, VIEW("there is more than one URI SAN (X509-SVID 2)"));
    find(out, uris == 0 && !is_authority, VIEW("there is no URI SAN, so it names no workload (X509-SVID 2)"));
    find(out, uris > 0 && !is_id, VIEW("the URI SAN is no SPIFFE ID (SPIFFE-ID 2)"));
    find(out, X509_get_version(certificate) != X509_VERSION_3, VIEW("it is not of version 3"));
    find(out,
         X509_NAME_entry_count(X509_get_subject_name(certificate)) == 0 &&
             !is_critical(certificate, NID_subject_alt_name),
         VIEW("the subject is empty and the SAN not critical (RFC 5280 4.1.2.6)"));
    if (is_authority)
        judge_signing(certificate, &id, out);
    else
        judge_leaf(certificate, &id, out);
    find(out, now < out->not_before, VIEW("it is not valid yet"));
    find(out, now > out->not_after, VIEW("it has expired"));
}

enum err svid_report_make(X509 *certificate, int64_t now, struct arena *arena, struct svid_report *out)
{
    *out = (struct svid_report){0};
    if (X509_check_purpose(certificate, -1, 0) != 1) /* fills what the flags are read from */
        return ERR_MALFORMED;
    size_t uris = read_names(certificate, arena, out);
    bool is_authority = (X509_get_extension_flags(certificate) & EXFLAG_CA) != 0;
    out->kind = is_authority ? SVID_REPORT_SIGNING : uris > 0 ? SVID_REPORT_LEAF : SVID_REPORT_OTHER;
    TRY(read_fields(certificate, arena, out));
    judge(certificate, uris, now, out);
    return ERR_NONE;
}
