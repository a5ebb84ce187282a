/* SPDX-License-Identifier: Apache-2.0 */
#include "crl_issue.h"

#include <openssl/x509v3.h>

static const struct {
    struct view name;
    int code;
} reasons[] = {
    {{"unspecified", 11}, CRL_REASON_UNSPECIFIED},
    {{"keyCompromise", 13}, CRL_REASON_KEY_COMPROMISE},
    {{"cACompromise", 12}, CRL_REASON_CA_COMPROMISE},
    {{"affiliationChanged", 18}, CRL_REASON_AFFILIATION_CHANGED},
    {{"superseded", 10}, CRL_REASON_SUPERSEDED},
    {{"cessationOfOperation", 20}, CRL_REASON_CESSATION_OF_OPERATION},
    {{"privilegeWithdrawn", 18}, CRL_REASON_PRIVILEGE_WITHDRAWN},
};
enum { REASONS = sizeof reasons / sizeof reasons[0] };

bool crl_reason_parse(struct view text, int *out)
{
    for (size_t i = 0; i < REASONS; i++) {
        if (!view_equals(reasons[i].name, text))
            continue;
        *out = reasons[i].code;
        return true;
    }
    return false;
}

const char *crl_reason_text(int reason)
{
    for (size_t i = 0; i < REASONS; i++)
        if (reasons[i].code == reason)
            return reasons[i].name.data;
    return reasons[0].name.data;
}

void crl_drop(X509_CRL **list)
{
    X509_CRL_free(*list);
}

uint64_t crl_number(const X509_CRL *list)
{
    uint64_t number = 0;
    ASN1_INTEGER *value = X509_CRL_get_ext_d2i(list, NID_crl_number, NULL, NULL);
    bool is_good = value && ASN1_INTEGER_get_uint64(&number, value) == 1;
    ASN1_INTEGER_free(value);
    return is_good ? number : 0;
}

bool crl_has(X509_CRL *list, const ASN1_INTEGER *serial)
{
    X509_REVOKED *entry = NULL;
    return X509_CRL_get0_by_serial(list, &entry, serial) == 1;
}

/* ---- making it ---- */

static bool add_entry(X509_CRL *list, const ASN1_INTEGER *serial, int reason, int64_t now)
{
    X509_REVOKED *entry = X509_REVOKED_new();
    ASN1_TIME *when = ASN1_TIME_set(NULL, (time_t)now);
    ASN1_ENUMERATED *code = ASN1_ENUMERATED_new();
    bool is_good = entry && when && code && X509_REVOKED_set_serialNumber(entry, (ASN1_INTEGER *)serial) == 1 &&
                   X509_REVOKED_set_revocationDate(entry, when) == 1;
    /* RFC 5280 section 5.3.1: "unspecified" is said by leaving the extension out. */
    if (is_good && reason != CRL_REASON_UNSPECIFIED)
        is_good = ASN1_ENUMERATED_set(code, reason) == 1 &&
                  X509_REVOKED_add1_ext_i2d(entry, NID_crl_reason, code, 0, X509V3_ADD_DEFAULT) == 1;
    is_good = is_good && X509_CRL_add0_revoked(list, entry) == 1;
    if (!is_good)
        X509_REVOKED_free(entry);
    ASN1_TIME_free(when);
    ASN1_ENUMERATED_free(code);
    return is_good;
}

static bool keep_entries(X509_CRL *list, X509_CRL *previous)
{
    STACK_OF(X509_REVOKED) *entries = previous ? X509_CRL_get_REVOKED(previous) : NULL;
    for (int i = 0; i < sk_X509_REVOKED_num(entries); i++) {
        X509_REVOKED *copy = X509_REVOKED_dup(sk_X509_REVOKED_value(entries, i));
        if (!copy || X509_CRL_add0_revoked(list, copy) != 1) {
            X509_REVOKED_free(copy);
            return false;
        }
    }
    return true;
}

static bool set_times(X509_CRL *list, const struct crl_request *request)
{
    ASN1_TIME *last = ASN1_TIME_set(NULL, (time_t)request->now);
    ASN1_TIME *next = ASN1_TIME_set(NULL, (time_t)request->next_update);
    bool is_good =
        last && next && X509_CRL_set1_lastUpdate(list, last) == 1 && X509_CRL_set1_nextUpdate(list, next) == 1;
    ASN1_TIME_free(last);
    ASN1_TIME_free(next);
    return is_good;
}

static bool add_extensions(X509_CRL *list, X509 *issuer, uint64_t number)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, NULL, NULL, list, 0);
    ASN1_INTEGER *value = ASN1_INTEGER_new();
    X509_EXTENSION *key = X509V3_EXT_conf_nid(NULL, &context, NID_authority_key_identifier, "keyid:always");
    bool is_good = value && key && ASN1_INTEGER_set_uint64(value, number) == 1 &&
                   X509_CRL_add1_ext_i2d(list, NID_crl_number, value, 0, X509V3_ADD_DEFAULT) == 1 &&
                   X509_CRL_add_ext(list, key, -1) == 1;
    ASN1_INTEGER_free(value);
    X509_EXTENSION_free(key);
    return is_good;
}

static bool fill(X509_CRL *list, const struct crl_request *request, const struct certificate_issuer *issuer)
{
    uint64_t number = (request->previous ? crl_number(request->previous) : 0) + 1;
    return X509_CRL_set_version(list, X509_CRL_VERSION_2) == 1 &&
           X509_CRL_set_issuer_name(list, X509_get_subject_name(issuer->certificate)) == 1 &&
           set_times(list, request) && keep_entries(list, request->previous) &&
           (!request->serial || add_entry(list, request->serial, request->reason, request->now)) &&
           add_extensions(list, issuer->certificate, number) && X509_CRL_sort(list) == 1 &&
           X509_CRL_sign(list, issuer->key, EVP_sha256()) > 0;
}

enum err crl_issue(const struct crl_request *request, const struct certificate_issuer *issuer, X509_CRL **out)
{
    if (request->previous && request->serial && crl_has(request->previous, request->serial))
        return ERR_CONFLICT;
    X509_CRL *list = X509_CRL_new();
    if (!list || !fill(list, request, issuer)) {
        X509_CRL_free(list);
        return ERR_NO_MEMORY;
    }
    *out = list;
    return ERR_NONE;
}
