/* SPDX-License-Identifier: Apache-2.0 */
#include "x509_path.h"

#include "crl_set.h"
#include "err.h"
#include "x509_key.h"
#include "x509_twin.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <time.h>

static void context_free(X509_STORE_CTX **context)
{
    X509_STORE_CTX_free(*context);
}

/* X509_STRICT wants more than path validation does. Exactly these go by. */
static bool is_forgiven(int error, int depth, int anchor_depth)
{
    if (error == X509_V_ERR_MISSING_AUTHORITY_KEY_IDENTIFIER)
        return depth == 0;
    if (error == X509_V_ERR_MISSING_SUBJECT_KEY_IDENTIFIER || error == X509_V_ERR_CA_CERT_MISSING_KEY_USAGE)
        return depth == anchor_depth && depth > 0;
    return false;
}

/* What is wrong with a revocation list, as against with a certificate. */
static bool is_about_list(int error)
{
    switch (error) {
    case X509_V_ERR_UNABLE_TO_GET_CRL:
    case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
    case X509_V_ERR_UNABLE_TO_DECRYPT_CRL_SIGNATURE:
    case X509_V_ERR_CRL_SIGNATURE_FAILURE:
    case X509_V_ERR_CRL_NOT_YET_VALID:
    case X509_V_ERR_CRL_HAS_EXPIRED:
    case X509_V_ERR_ERROR_IN_CRL_LAST_UPDATE_FIELD:
    case X509_V_ERR_ERROR_IN_CRL_NEXT_UPDATE_FIELD:
    case X509_V_ERR_KEYUSAGE_NO_CRL_SIGN:
    case X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION:
    case X509_V_ERR_DIFFERENT_CRL_SCOPE:
    case X509_V_ERR_CRL_PATH_VALIDATION_ERROR: return true;
    default: return false;
    }
}

/* OpenSSL asks for the anchor's own list too. The bundle is what says that an anchor is good, and who stands above
 * it may be unknown; an anchor that a list names is revoked all the same (crl_set_names). */
static bool is_forgiven_list(int error, int depth, int anchor_depth, const struct x509_path *path, X509 *certificate)
{
    if (depth == anchor_depth)
        return is_about_list(error);
    if (!path->crls)
        return false;
    /* One of another key is no list of the issuer; what it says of a name and serial is heard all the same. */
    if (error == X509_V_ERR_UNABLE_TO_GET_CRL)
        return path->crls->accepts_missing && !crl_set_names(path->lists, certificate);
    return error == X509_V_ERR_CRL_HAS_EXPIRED && path->crls->accepts_expired;
}

static int on_error(int ok, X509_STORE_CTX *context)
{
    if (ok)
        return 1;
    int anchor_depth = sk_X509_num(X509_STORE_CTX_get0_chain(context)) - 1;
    int error = X509_STORE_CTX_get_error(context), depth = X509_STORE_CTX_get_error_depth(context);
    if (!is_forgiven(error, depth, anchor_depth) &&
        !is_forgiven_list(error, depth, anchor_depth, X509_STORE_CTX_get_app_data(context),
                          X509_STORE_CTX_get_current_cert(context)))
        return 0;
    X509_STORE_CTX_set_error(context, X509_V_OK);
    return 1;
}

X509_STORE *x509_path_store_new(void)
{
    X509_STORE *store = X509_STORE_new();
    if (!store)
        return NULL;
    X509_VERIFY_PARAM *param = X509_STORE_get0_param(store);
    X509_VERIFY_PARAM_set_depth(param, X509_PATH_DEPTH);
    X509_VERIFY_PARAM_set_auth_level(param, 2);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    X509_STORE_set_verify_cb(store, on_error);
    /* RFC 5280 section 6.1.1 (c): without the any-policy in it OpenSSL takes the initial set for an empty one. */
    if (X509_VERIFY_PARAM_add0_policy(param, OBJ_nid2obj(NID_any_policy)) != 1 ||
        X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_X509_STRICT | X509_V_FLAG_POLICY_CHECK) !=
            1) {
        X509_STORE_free(store);
        return NULL;
    }
    return store;
}

bool x509_path_seconds(const ASN1_TIME *time, int64_t *out)
{
    struct tm parts;
    if (ASN1_TIME_to_tm(time, &parts) != 1)
        return false;
    *out = (int64_t)timegm(&parts);
    return true;
}

/* What a certificate error means, and to whom. */
static enum reason reason_of(int error, int depth)
{
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED: return REASON_CERTIFICATE_EXPIRED;
    case X509_V_ERR_CERT_NOT_YET_VALID: return REASON_CERTIFICATE_NOT_YET_VALID;
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
    case X509_V_ERR_CA_MD_TOO_WEAK:
    case X509_V_ERR_EC_KEY_EXPLICIT_PARAMS: return REASON_CERTIFICATE_KEY;
    case X509_V_ERR_INVALID_PURPOSE:
    case X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION:
    case X509_V_ERR_EMPTY_SUBJECT_SAN_NOT_CRITICAL:
    case X509_V_ERR_EMPTY_SUBJECT_ALT_NAME:
    case X509_V_ERR_AUTHORITY_KEY_IDENTIFIER_CRITICAL:
    case X509_V_ERR_SUBJECT_KEY_IDENTIFIER_CRITICAL:
        return depth == 0 ? REASON_CERTIFICATE_LEAF : REASON_CERTIFICATE_UNTRUSTED;
    case X509_V_ERR_CERT_REVOKED: return REASON_CERTIFICATE_REVOKED;
    case X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD:
    case X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD: return REASON_CERTIFICATE_MALFORMED;
    case X509_V_ERR_OUT_OF_MEM: return REASON_INTERNAL;
    default: return is_about_list(error) ? REASON_CERTIFICATE_STATUS : REASON_CERTIFICATE_UNTRUSTED;
    }
}

/* What OpenSSL lets pass: an authority without basic constraints but with
 * keyCertSign counts for it as one of a kind (X509_check_ca gives 3 to 5). */
static bool is_authority(X509 *authority)
{
    return X509_check_ca(authority) == 1;
}

static bool keep_authority(X509 *authority, struct x509_path_validity *out)
{
    return out->authority_count < X509_PATH_AUTHORITIES_MAX &&
           deny_marks_authority(authority, &out->authorities[out->authority_count++]) == ERR_NONE;
}

static enum reason check_path(STACK_OF(X509) * chain, struct x509_path_validity *out)
{
    *out = (struct x509_path_validity){.not_before = INT64_MIN, .not_after = INT64_MAX};
    for (int i = 0; i < sk_X509_num(chain); i++) {
        X509 *certificate = sk_X509_value(chain, i);
        int64_t from, until;
        if (i > 0 && !is_authority(certificate))
            return REASON_CERTIFICATE_UNTRUSTED;
        if (!x509_key_is_accepted(certificate))
            return REASON_CERTIFICATE_KEY;
        if (!x509_path_seconds(X509_get0_notBefore(certificate), &from) ||
            !x509_path_seconds(X509_get0_notAfter(certificate), &until))
            return REASON_CERTIFICATE_MALFORMED;
        if (i > 0 && !keep_authority(certificate, out))
            return REASON_INTERNAL;
        out->not_before = from > out->not_before ? from : out->not_before;
        out->not_after = until < out->not_after ? until : out->not_after;
    }
    return REASON_NONE;
}

/* The path as OpenSSL judges it, with these flags more; the chain is in `context`. */
static enum reason walk(const struct x509_path *path, unsigned long flags, X509_STORE_CTX *context)
{
    if (!context || X509_STORE_CTX_init(context, path->store, path->leaf, path->untrusted) != 1 ||
        X509_STORE_CTX_set_purpose(context, path->purpose) != 1)
        return REASON_INTERNAL;
    if (X509_STORE_CTX_set_app_data(context, (void *)(uintptr_t)path) != 1)
        return REASON_INTERNAL;
    X509_STORE_CTX_set_flags(context, flags);
    X509_STORE_CTX_set_time(context, 0, (time_t)path->now);
    int verdict = X509_verify_cert(context);
    if (verdict < 0)
        return REASON_INTERNAL;
    return verdict == 1 ? REASON_NONE
                        : reason_of(X509_STORE_CTX_get_error(context), X509_STORE_CTX_get_error_depth(context));
}

/* OpenSSL asks the lists before it checks a certificate's signature, and each time hashes them whole to check theirs: a
 * forged certificate must not cost that. */
static enum reason walk_unlisted(const struct x509_path *path)
{
    AUTO(context_free) X509_STORE_CTX *context = X509_STORE_CTX_new();
    return walk(path, 0, context);
}

static enum reason verify(const struct x509_path *path, struct x509_path_validity *out)
{
    for (int i = 0; path->untrusted && i < sk_X509_num(path->untrusted); i++) {
        if (!x509_key_is_accepted(sk_X509_value(path->untrusted, i)))
            return REASON_CERTIFICATE_KEY;
    }
    enum reason reason = path->crls ? walk_unlisted(path) : REASON_NONE;
    if (reason != REASON_NONE)
        return reason;
    AUTO(context_free) X509_STORE_CTX *context = X509_STORE_CTX_new();
    reason = walk(path, path->crls ? X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL : 0, context);
    if (reason != REASON_NONE)
        return reason;
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(context);
    /* For an anchor OpenSSL finds only lists that its own key could have signed, not those of who issued it. */
    if (path->crls && crl_set_names(path->lists, sk_X509_value(chain, sk_X509_num(chain) - 1)))
        return REASON_CERTIFICATE_REVOKED;
    if (path->twin_sha256 && sk_X509_num(chain) > 1 &&
        x509_twin_sha256(path->leaf, sk_X509_value(chain, 1), path->twin_sha256) != ERR_NONE)
        return REASON_INTERNAL;
    return check_path(chain, out);
}

enum reason x509_path_verify(const struct x509_path *path, struct x509_path_validity *out)
{
    ERR_clear_error();
    enum reason reason = verify(path, out);
    ERR_clear_error();
    return reason;
}
