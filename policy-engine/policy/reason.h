/* SPDX-License-Identifier: Apache-2.0 */
/* Why an answer is what it is: one table, from which code, documentation,
 * metrics, status, records and response headers are made.
 *
 * A reason's name is stable: records keep it, metrics label it, tests name it.
 * Its family is what the client may be told apart by; the client never sees the
 * name. Columns: symbol, name, family, verdict, rpc code (google.rpc.Code in
 * CheckResponse.status), HTTP status, WWW-Authenticate form, sentence for the
 * operator. */
#ifndef BARTIZAN_REASON_H
#define BARTIZAN_REASON_H

#include "view.h"

/* Zero is DENY: zeroed memory never allows. */
enum verdict { VERDICT_DENY = 0, VERDICT_CHALLENGE = 1, VERDICT_ALLOW = 2 };
_Static_assert(VERDICT_DENY == 0, "zero means deny");

enum www_authenticate {
    WWW_NONE = 0,
    WWW_BEARER,             /* RFC 6750 section 3: no token was sent */
    WWW_INVALID_TOKEN,      /* RFC 6750 section 3.1 */
    WWW_INSUFFICIENT_SCOPE, /* RFC 6750 section 3.1 */
    WWW_STEP_UP,            /* RFC 9470 section 3 */
};

/* clang-format off */
#define REASON_TABLE(X) \
    X(INTERNAL,                "internal",                 "internal",      DENY,      7, 503, WWW_NONE, "an internal error; the answer is the safe one") \
    X(NONE,                    "none",                     "none",          DENY,      7, 403, WWW_NONE, "no objection so far") \
    X(RULE,                    "rule",                     "rule",          ALLOW,     0, 200, WWW_NONE, "a rule allows it") \
    X(ASSURANCE,               "assurance_unmet",          "assurance",     CHALLENGE, 16, 401, WWW_STEP_UP, "a rule allows it once the user has proved more") \
    X(NO_USER,                 "no_user",                  "no_user",       DENY,      16, 401, WWW_BEARER, "a rule allows it for a user, and no token was sent") \
    X(TOKEN_MALFORMED,         "token_malformed",          "invalid_token", DENY,      16, 401, WWW_INVALID_TOKEN, "the token is not a well-formed signed JWT") \
    X(TOKEN_ALGORITHM,         "token_algorithm",          "invalid_token", DENY,      16, 401, WWW_INVALID_TOKEN, "the token's algorithm does not fit the issuer's key") \
    X(TOKEN_TYPE,              "token_type",               "invalid_token", DENY,      16, 401, WWW_INVALID_TOKEN, "the token is of a type that is no credential here") \
    X(TOKEN_KEY,               "token_key",                "invalid_token", DENY,      16, 401, WWW_INVALID_TOKEN, "the issuer has no key that the token names") \
    X(TOKEN_SIGNATURE,         "token_signature",          "invalid_token", DENY,      16, 401, WWW_INVALID_TOKEN, "the token's signature does not verify") \
    X(TOKEN_ISSUER,            "token_issuer",             "invalid_token", DENY,      16, 401, WWW_INVALID_TOKEN, "the token's issuer is not one the policy and the configuration name") \
    X(TOKEN_AUDIENCE,          "token_audience",           "invalid_token", DENY,      16, 401, WWW_INVALID_TOKEN, "the token is for another audience") \
    X(TOKEN_EXPIRED,           "token_expired",            "invalid_token", DENY,      16, 401, WWW_INVALID_TOKEN, "the token has expired") \
    X(TOKEN_NOT_YET_VALID,     "token_not_yet_valid",      "invalid_token", DENY,      16, 401, WWW_INVALID_TOKEN, "the token is not valid yet") \
    X(TOKEN_LIFETIME,          "token_lifetime",           "invalid_token", DENY,      16, 401, WWW_INVALID_TOKEN, "the token lives longer than its issuer's entry permits") \
    X(TOKEN_CLAIMS,            "token_claims",             "invalid_token", DENY,      16, 401, WWW_INVALID_TOKEN, "a claim of the token is missing, of the wrong type or out of range") \
    X(TOKEN_REVOKED,           "token_revoked",            "invalid_token", DENY,      16, 401, WWW_INVALID_TOKEN, "the token, its subject or its issue time is revoked") \
    X(TOKEN_BINDING,           "token_binding_mismatch",   "binding",       DENY,      16, 401, WWW_INVALID_TOKEN, "the token is bound to another certificate, key or workload") \
    X(TOKEN_NOT_BOUND,         "token_not_bound",          "binding",       DENY,      16, 401, WWW_INVALID_TOKEN, "the rule wants a token bound to the caller, and this one is not") \
    X(ASSURANCE_ISSUER,        "assurance_issuer",         "assurance_issuer", DENY,   7, 403, WWW_NONE, "the rule's assurance is met at another issuer only") \
    X(SCOPE,                   "insufficient_scope",       "scope",         DENY,      7, 403, WWW_INSUFFICIENT_SCOPE, "a condition on the user's claims is not met") \
    X(CERTIFICATE_NONE,        "certificate_none",         "certificate",   DENY,      7, 403, WWW_NONE, "the caller presented no certificate") \
    X(CERTIFICATE_MALFORMED,   "certificate_malformed",    "certificate",   DENY,      7, 403, WWW_NONE, "the caller's certificate cannot be read") \
    X(CERTIFICATE_SPIFFE_ID,   "certificate_spiffe_id",    "certificate",   DENY,      7, 403, WWW_NONE, "the certificate does not name exactly one valid SPIFFE ID") \
    X(CERTIFICATE_LEAF,        "certificate_leaf",         "certificate",   DENY,      7, 403, WWW_NONE, "the certificate breaks a rule for X.509-SVID leaves") \
    X(CERTIFICATE_DOMAIN,      "certificate_domain",       "certificate",   DENY,      7, 403, WWW_NONE, "no bundle is configured for the certificate's trust domain") \
    X(CERTIFICATE_UNTRUSTED,   "certificate_untrusted",    "certificate",   DENY,      7, 403, WWW_NONE, "the certificate does not chain to the bundle of its trust domain") \
    X(CERTIFICATE_EXPIRED,     "certificate_expired",      "certificate",   DENY,      7, 403, WWW_NONE, "the certificate or one of its chain has expired") \
    X(CERTIFICATE_NOT_YET_VALID, "certificate_not_yet_valid", "certificate", DENY,     7, 403, WWW_NONE, "the certificate is not valid yet") \
    X(CERTIFICATE_KEY,         "certificate_key",          "certificate",   DENY,      7, 403, WWW_NONE, "the certificate's key or signature algorithm is not accepted") \
    X(CERTIFICATE_REVOKED,     "certificate_revoked",      "certificate",   DENY,      7, 403, WWW_NONE, "the caller's certificate is revoked, or the caller is on the deny list") \
    X(CERTIFICATE_STATUS,      "certificate_status",       "unavailable",   DENY,      7, 503, WWW_NONE, "whether the certificate is revoked cannot be told: a revocation list is missing, has run out or is not its issuer's") \
    X(XFCC_MALFORMED,          "xfcc_malformed",           "certificate",   DENY,      7, 403, WWW_NONE, "x-forwarded-client-cert does not parse") \
    X(XFCC_HOPS,               "xfcc_hops",                "certificate",   DENY,      7, 403, WWW_NONE, "x-forwarded-client-cert does not have exactly the configured hops") \
    X(XFCC_MISMATCH,           "xfcc_mismatch",            "certificate",   DENY,      7, 403, WWW_NONE, "x-forwarded-client-cert contradicts itself or the certificate") \
    X(WORKLOAD,                "workload",                 "default",       DENY,      7, 403, WWW_NONE, "the closest rule is for other workloads") \
    X(USER,                    "user",                     "default",       DENY,      7, 403, WWW_NONE, "the closest rule is for other users") \
    X(REQUEST_MALFORMED,       "request_malformed",        "request",       DENY,      7, 400, WWW_NONE, "the check request does not parse or contradicts itself") \
    X(REQUEST_METHOD,          "request_method",           "request",       DENY,      7, 400, WWW_NONE, "the method is not canonical") \
    X(REQUEST_HOST,            "request_host",             "request",       DENY,      7, 400, WWW_NONE, "the host is not canonical") \
    X(REQUEST_PATH,            "request_path",             "request",       DENY,      7, 400, WWW_NONE, "the path is not canonical") \
    X(REQUEST_PATH_LENGTH,     "request_path_length",      "request",       DENY,      7, 414, WWW_NONE, "the path is over its limits") \
    X(REQUEST_HEADER,          "request_header",           "request",       DENY,      7, 400, WWW_NONE, "a header is not canonical or repeats where it must not") \
    X(REQUEST_HEADER_SIZE,     "request_header_size",      "request",       DENY,      7, 431, WWW_NONE, "the headers are over their limits") \
    X(REQUEST_SIZE,            "request_size",             "request",       DENY,      7, 400, WWW_NONE, "the check request is over its limit") \
    X(REQUEST_BODY,            "request_body",             "request",       DENY,      7, 400, WWW_NONE, "the body that the policy depends on is partial or not readable") \
    X(RESOURCE_AMBIGUOUS,      "resource_ambiguous",       "request",       DENY,      7, 400, WWW_NONE, "the request names two different resources") \
    X(DEFAULT,                 "default",                  "default",       DENY,      7, 403, WWW_NONE, "no rule came near") \
    X(DENY_RULE,               "deny_rule",                "deny_rule",     DENY,      7, 403, WWW_NONE, "a deny rule matched") \
    X(DELEGATION_ACTOR,        "delegation_actor_mismatch", "delegation",   DENY,      7, 403, WWW_NONE, "the token's actor is not the calling workload") \
    X(DELEGATION,              "delegation",               "delegation",    DENY,      7, 403, WWW_NONE, "the rule takes no such delegated token") \
    X(PURPOSE,                 "purpose",                  "purpose",       DENY,      7, 403, WWW_NONE, "the purpose is missing or not one the rule names") \
    X(CONDITION,               "condition",                "default",       DENY,      7, 403, WWW_NONE, "a condition of the closest rule is not met") \
    X(OBLIGATION,              "obligation_unfulfillable", "obligation",    DENY,      7, 403, WWW_NONE, "a value that the rule must pass on is missing or cannot stand in a header") \
    X(INDETERMINATE,           "indeterminate",            "default",       DENY,      7, 403, WWW_NONE, "a fact that the closest rule reads cannot be judged") \
    X(KEYS_UNAVAILABLE,        "keys-unavailable",         "unavailable",   DENY,      7, 503, WWW_NONE, "keys or bundles needed to judge the request are not there") \
    X(POLICY_EXPIRED,          "policy-expired",           "unavailable",   DENY,      7, 503, WWW_NONE, "the signed policy in force is past the time it was signed for") \
    X(OVERLOAD,                "overload",                 "unavailable",   DENY,      7, 503, WWW_NONE, "too many requests wait for verification")
/* clang-format on */

enum reason {
#define REASON_ENUM(symbol, ...) REASON_##symbol,
    REASON_TABLE(REASON_ENUM)
#undef REASON_ENUM
        REASON_COUNT
};

/* REASON_INTERNAL is zero: a reason nobody set denies.
 * REASON_NONE is what a step returns that has no objection. */
_Static_assert(REASON_INTERNAL == 0, "a reason nobody set is an internal error");

struct reason_info {
    struct view name;
    struct view family;
    enum verdict verdict;
    int rpc_code;    /* google.rpc.Code */
    int http_status; /* 200, or 400 to 503 */
    enum www_authenticate www;
    struct view sentence;
};

/* The row of `reason`; a value outside the table gives that of REASON_INTERNAL. */
const struct reason_info *reason_info(enum reason reason);

/* True when `name` is the reason's own name or its family's. */
bool reason_is_named(enum reason reason, struct view name);

/* True and *out when some reason has exactly this name. */
bool reason_parse(struct view name, enum reason *out);

/* "deny", "challenge", "allow". */
const char *verdict_text(enum verdict verdict);

#endif
