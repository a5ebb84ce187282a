/* SPDX-License-Identifier: Apache-2.0 */
#include "certificate_issue.h"

#include "spiffe_id.h"

#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>

enum { SERIAL_BYTES = 20 };

void certificate_drop(X509 **certificate)
{
    X509_free(*certificate);
}

/* ---- what may be asked for ---- */

static bool is_label(struct view label)
{
    if (label.size == 0 || label.size > 63 || label.data[0] == '-' || label.data[label.size - 1] == '-')
        return false;
    for (size_t i = 0; i < label.size; i++) {
        char c = label.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return true;
}

bool certificate_dns_is_valid(struct view name)
{
    if (name.size > CERTIFICATE_DNS_BYTES)
        return false;
    if (view_starts_with(name, VIEW("*.")))
        name = view_slice(name, 2, name.size);
    size_t from = 0;
    while (from <= name.size) {
        size_t dot = view_index_of(name, '.', from);
        if (!is_label(view_slice(name, from, dot)))
            return false;
        from = dot + 1;
    }
    return true;
}

static enum err check_request(const struct certificate_request *request, const struct certificate_issuer *issuer)
{
    struct spiffe_id id;
    TRY(spiffe_id_parse(request->spiffe_id, &id));
    if (view_is_empty(id.path) == (request->kind == CERTIFICATE_SVID) || request->dns_count > CERTIFICATE_DNS_MAX)
        return ERR_MALFORMED;
    for (size_t i = 0; i < request->dns_count; i++)
        if (!certificate_dns_is_valid(request->dns[i]))
            return ERR_MALFORMED;
    if (request->not_after <= request->now)
        return ERR_LIMIT;
    time_t end = (time_t)request->not_after;
    bool outlives = issuer->certificate && X509_cmp_time(X509_get0_notAfter(issuer->certificate), &end) <= 0;
    return outlives ? ERR_LIMIT : ERR_NONE;
}

/* ---- making it ---- */

static bool set_serial(X509 *certificate)
{
    unsigned char bytes[SERIAL_BYTES];
    if (RAND_bytes(bytes, sizeof bytes) != 1)
        return false;
    bytes[0] = (unsigned char)((bytes[0] & 0x7f) | 0x40); /* positive, and 20 bytes long */
    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool is_good = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
    BN_free(number);
    return is_good;
}

/* An authority is told from another by its name: it has a part of its key's hash. */
static bool set_subject(X509 *certificate, const struct certificate_request *request)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    char text[64];
    X509_NAME *name = X509_get_subject_name(certificate);
    if (X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, (const unsigned char *)"Bartizan PKI", -1, -1, 0) != 1)
        return false;
    if (request->kind == CERTIFICATE_SVID)
        return true;
    if (X509_pubkey_digest(certificate, EVP_sha256(), hash, &size) != 1 || size < 4)
        return false;
    snprintf(text, sizeof text, "%s %02x%02x%02x%02x", request->kind == CERTIFICATE_ROOT ? "Root" : "Intermediate",
             hash[0], hash[1], hash[2], hash[3]);
    return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)text, -1, -1, 0) == 1;
}

static bool add_extension(X509 *certificate, X509V3_CTX *context, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, context, nid, value);
    bool is_good = extension && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return is_good;
}

static bool add_name(GENERAL_NAMES *names, int kind, struct view text)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *value = ASN1_IA5STRING_new();
    if (!name || !value || ASN1_STRING_set(value, text.data, (int)text.size) != 1 ||
        sk_GENERAL_NAME_push(names, name) <= 0) {
        GENERAL_NAME_free(name);
        ASN1_IA5STRING_free(value);
        return false;
    }
    GENERAL_NAME_set0_value(name, kind, value);
    return true;
}

static bool add_names(X509 *certificate, const struct certificate_request *request)
{
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    bool is_good = names && add_name(names, GEN_URI, request->spiffe_id);
    for (size_t i = 0; is_good && i < request->dns_count; i++)
        is_good = add_name(names, GEN_DNS, request->dns[i]);
    is_good = is_good && X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1;
    GENERAL_NAMES_free(names);
    return is_good;
}

static bool add_extensions(X509 *certificate, const struct certificate_request *request, X509 *issuer)
{
    static const char *const constraints[] = {
        [CERTIFICATE_SVID] = "critical,CA:FALSE",
        [CERTIFICATE_ROOT] = "critical,CA:TRUE",
        [CERTIFICATE_INTERMEDIATE] = "critical,CA:TRUE,pathlen:0",
    };
    bool is_leaf = request->kind == CERTIFICATE_SVID;
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer ? issuer : certificate, certificate, NULL, NULL, 0);
    return add_extension(certificate, &context, NID_basic_constraints, constraints[request->kind]) &&
           add_extension(certificate, &context, NID_key_usage,
                         is_leaf ? "critical,digitalSignature" : "critical,keyCertSign,cRLSign") &&
           (!is_leaf || add_extension(certificate, &context, NID_ext_key_usage, "serverAuth,clientAuth")) &&
           add_extension(certificate, &context, NID_subject_key_identifier, "hash") &&
           (!issuer || add_extension(certificate, &context, NID_authority_key_identifier, "keyid:always")) &&
           add_names(certificate, request);
}

static bool fill(X509 *certificate, const struct certificate_request *request, const struct certificate_issuer *issuer)
{
    time_t from = (time_t)(request->now - CERTIFICATE_BACKDATE), until = (time_t)request->not_after;
    return X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
           X509_set_pubkey(certificate, request->key) == 1 && set_subject(certificate, request) &&
           X509_set_issuer_name(certificate,
                                X509_get_subject_name(issuer->certificate ? issuer->certificate : certificate)) == 1 &&
           ASN1_TIME_set(X509_getm_notBefore(certificate), from) &&
           ASN1_TIME_set(X509_getm_notAfter(certificate), until) &&
           add_extensions(certificate, request, issuer->certificate) &&
           X509_sign(certificate, issuer->key ? issuer->key : request->key, EVP_sha256()) > 0;
}

enum err certificate_issue(const struct certificate_request *request, const struct certificate_issuer *issuer,
                           X509 **out)
{
    TRY(check_request(request, issuer));
    X509 *certificate = X509_new();
    if (!certificate || !fill(certificate, request, issuer)) {
        X509_free(certificate);
        return ERR_NO_MEMORY;
    }
    *out = certificate;
    return ERR_NONE;
}
