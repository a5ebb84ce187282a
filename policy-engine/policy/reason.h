/* SPDX-License-Identifier: Apache-2.0 */
/* Why an answer is what it is: one table, from which code, documentation,
 * metrics, status, records and response headers are made.
 *
 * A reason's name is stable: records keep it, metrics label it, tests name it.
 * Its family is what the client may be told apart by; the client never sees the
 * name. Columns: symbol, name, family, verdict, rpc code (google.rpc.Code in
 * CheckResponse.status), HTTP status, WWW-Authenticate form, and for the operator:
 * what it means, and what to do about it. docs/reasons.md is printed from it. */
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
    X(INTERNAL,                "internal",                 "internal",      DENY,      7, 503, WWW_NONE, "an internal error; the answer is the safe one", \
      "read the log of the time; out of memory is the usual cause. Report it with the record when it repeats") \
    X(NONE,                    "none",                     "none",          DENY,      7, 403, WWW_NONE, "no objection so far", \
      "nothing") \
    X(RULE,                    "rule",                     "rule",          ALLOW,     0, 200, WWW_NONE, "a rule allows it", \
      "nothing") \
    X(ASSURANCE,               "assurance_unmet",          "assurance",     CHALLENGE, 16, 401, WWW_STEP_UP, "a rule allows it once the user has proved more", \
      "nothing: the client follows the challenge; look at the rule's `assurance` when it cannot be met") \
    X(NO_USER,                 "no_user",                  "no_user",       DENY,      16, 401, WWW_BEARER, "a rule allows it for a user, and no token was sent", \
      "the client sends a token, or a rule is written that needs no user") \
    X(TOKEN_MALFORMED,         "token_malformed",          "invalid_token", DENY,      16, 401, WWW_INVALID_TOKEN, "the token is not a well-formed signed JWT", \
      "look at what the client sends in `authorization`: one signed JWT, in the compact form") \
    X(TOKEN_ALGORITHM,         "token_algorithm",          "invalid_token", DENY,      16, 401, WWW_INVALID_TOKEN, "the token's algorithm does not fit the issuer's key", \
      "compare the token's `alg` with the key of that `kid` in the issuer's key set") \
    X(TOKEN_TYPE,              "token_type",               "invalid_token", DENY,      16, 401, WWW_INVALID_TOKEN, "the token is of a type that is no credential here", \
      "the client sends the access token, not an ID or a refresh token; see `issuers.NAME.profile`") \
    X(TOKEN_KEY,               "token_key",                "invalid_token", DENY,      16, 401, WWW_INVALID_TOKEN, "the issuer has no key that the token names", \
      "see that the key set in force is the issuer's present one (`bartizan status`); a rotation may not have arrived") \
    X(TOKEN_SIGNATURE,         "token_signature",          "invalid_token", DENY,      16, 401, WWW_INVALID_TOKEN, "the token's signature does not verify", \
      "the token was changed on its way or is forged; when every token of an issuer is refused, its key set is another's") \
    X(TOKEN_ISSUER,            "token_issuer",             "invalid_token", DENY,      16, 401, WWW_INVALID_TOKEN, "the token's issuer is not one the policy and the configuration name", \
      "name the token's `iss` in the policy's `issuers` and in `tokens.issuers`, letter by letter") \
    X(TOKEN_AUDIENCE,          "token_audience",           "invalid_token", DENY,      16, 401, WWW_INVALID_TOKEN, "the token is for another audience", \
      "the client asks for a token for one of `issuers.NAME.audiences`") \
    X(TOKEN_EXPIRED,           "token_expired",            "invalid_token", DENY,      16, 401, WWW_INVALID_TOKEN, "the token has expired", \
      "the client renews its token; compare the clocks when a fresh one is refused") \
    X(TOKEN_NOT_YET_VALID,     "token_not_yet_valid",      "invalid_token", DENY,      16, 401, WWW_INVALID_TOKEN, "the token is not valid yet", \
      "compare this machine's clock with the issuer's") \
    X(TOKEN_LIFETIME,          "token_lifetime",           "invalid_token", DENY,      16, 401, WWW_INVALID_TOKEN, "the token lives longer than its issuer's entry permits", \
      "shorten the lifetime at the issuer, or raise `maxLifetime` of its entry") \
    X(TOKEN_CLAIMS,            "token_claims",             "invalid_token", DENY,      16, 401, WWW_INVALID_TOKEN, "a claim of the token is missing, of the wrong type or out of range", \
      "decode the token and compare `exp`, `iat`, `sub`, `aud`, `act` with docs/assurance.md") \
    X(TOKEN_REVOKED,           "token_revoked",            "invalid_token", DENY,      16, 401, WWW_INVALID_TOKEN, "the token, its subject or its issue time is revoked", \
      "`bartizan revoke list` shows the entry, who wrote it and why") \
    X(TOKEN_BINDING,           "token_binding_mismatch",   "binding",       DENY,      16, 401, WWW_INVALID_TOKEN, "the token is bound to another certificate, key or workload", \
      "the token belongs to another caller: find out how this one came by it") \
    X(TOKEN_NOT_BOUND,         "token_not_bound",          "binding",       DENY,      16, 401, WWW_INVALID_TOKEN, "the rule wants a token bound to the caller, and this one is not", \
      "the client asks for a token that is bound to its certificate or workload") \
    X(ASSURANCE_ISSUER,        "assurance_issuer",         "assurance_issuer", DENY,   7, 403, WWW_NONE, "the rule's assurance is met at another issuer only", \
      "the user signs in at the issuer that the rule's `assurance` names") \
    X(SCOPE,                   "insufficient_scope",       "scope",         DENY,      7, 403, WWW_INSUFFICIENT_SCOPE, "a condition on the user's claims is not met", \
      "grant the claim or the scope that the rule's condition names, if the user is to have it") \
    X(CERTIFICATE_NONE,        "certificate_none",         "certificate",   DENY,      7, 403, WWW_NONE, "the caller presented no certificate", \
      "see that the caller presents a certificate to Envoy, and that Envoy passes it on by the way `identity.sources` says (docs/identity.md)") \
    X(CERTIFICATE_MALFORMED,   "certificate_malformed",    "certificate",   DENY,      7, 403, WWW_NONE, "the caller's certificate cannot be read", \
      "look at the caller's certificate with `bartizan pki show`: one PEM block, version 3, each extension once") \
    X(CERTIFICATE_SPIFFE_ID,   "certificate_spiffe_id",    "certificate",   DENY,      7, 403, WWW_NONE, "the certificate does not name exactly one valid SPIFFE ID", \
      "have it issued with exactly one URI name, a SPIFFE ID in lower case with a path; `bartizan pki show` tells what it has") \
    X(CERTIFICATE_LEAF,        "certificate_leaf",         "certificate",   DENY,      7, 403, WWW_NONE, "the certificate breaks a rule for X.509-SVID leaves", \
      "`bartizan pki show` names the rule that it breaks: no CA, key usage critical with digitalSignature alone, clientAuth where there is extended key usage") \
    X(CERTIFICATE_DOMAIN,      "certificate_domain",       "certificate",   DENY,      7, 403, WWW_NONE, "no bundle is configured for the certificate's trust domain", \
      "add the trust domain with its bundle to `identity.trust_domains`, if its workloads are to be let in") \
    X(CERTIFICATE_UNTRUSTED,   "certificate_untrusted",    "certificate",   DENY,      7, 403, WWW_NONE, "the certificate does not chain to the bundle of its trust domain", \
      "compare issuer and bundle with `bartizan pki verify`: an intermediate may be missing from `Chain` or the bundle, or the authority was rotated or removed") \
    X(CERTIFICATE_EXPIRED,     "certificate_expired",      "certificate",   DENY,      7, 403, WWW_NONE, "the certificate or one of its chain has expired", \
      "see why the caller did not renew: its agent, or the clock; `bartizan status` tells when authorities of the bundle expire") \
    X(CERTIFICATE_NOT_YET_VALID, "certificate_not_yet_valid", "certificate", DENY,     7, 403, WWW_NONE, "the certificate is not valid yet", \
      "compare the clocks of this machine and of the issuer") \
    X(CERTIFICATE_KEY,         "certificate_key",          "certificate",   DENY,      7, 403, WWW_NONE, "the certificate's key or signature algorithm is not accepted", \
      "have it issued with P-256, P-384, P-521, Ed25519 or RSA of 2048 to 8192 bits, signed with SHA-2, by authorities of the same kinds") \
    X(CERTIFICATE_REVOKED,     "certificate_revoked",      "certificate",   DENY,      7, 403, WWW_NONE, "the caller's certificate is revoked, or the caller is on the deny list", \
      "`bartizan revoke list` shows the entry and who wrote it; else it stands on a revocation list of its authority") \
    X(CERTIFICATE_STATUS,      "certificate_status",       "unavailable",   DENY,      7, 503, WWW_NONE, "whether the certificate is revoked cannot be told: a revocation list is missing, has run out or is not its issuer's", \
      "bring the domain's revocation list up to date (`bartizan status` tells which ran out), or say what its lack means with `crl.missing` and `crl.expired`") \
    X(XFCC_MALFORMED,          "xfcc_malformed",           "certificate",   DENY,      7, 403, WWW_NONE, "x-forwarded-client-cert does not parse", \
      "see which proxy writes the header: Envoy's own form only, at most 8 elements; a client's text must not get through") \
    X(XFCC_HOPS,               "xfcc_hops",                "certificate",   DENY,      7, 403, WWW_NONE, "x-forwarded-client-cert does not have exactly the configured hops, each with its certificate", \
      "count the proxies in front and set `hops`; the first must be SANITIZE_SET, and each sends `cert: true`. Else a client wrote elements of its own") \
    X(XFCC_MISMATCH,           "xfcc_mismatch",            "certificate",   DENY,      7, 403, WWW_NONE, "x-forwarded-client-cert contradicts itself, the certificate or the peer of the connection", \
      "see that each proxy of `by` adds its own element with `Hash`, `Cert` and `By`, and that none only forwards the header. Else a certificate or a client forges it") \
    X(WORKLOAD,                "workload",                 "default",       DENY,      7, 403, WWW_NONE, "the closest rule is for other workloads", \
      "add the caller to the rule's subjects, if it is to be let in; `bartizan policy why-not` asks about a request") \
    X(USER,                    "user",                     "default",       DENY,      7, 403, WWW_NONE, "the closest rule is for other users", \
      "add the user or the role to the rule's subjects, if it is to be let in") \
    X(REQUEST_MALFORMED,       "request_malformed",        "request",       DENY,      7, 400, WWW_NONE, "the check request does not parse or contradicts itself", \
      "see that the asker is Envoy's ext_authz filter, version 3 of its API, with the settings of docs/configuration.md") \
    X(REQUEST_METHOD,          "request_method",           "request",       DENY,      7, 400, WWW_NONE, "the method is not canonical", \
      "the client sends a method in upper-case letters") \
    X(REQUEST_HOST,            "request_host",             "request",       DENY,      7, 400, WWW_NONE, "the host is not canonical", \
      "the client sends one host name in its plain form: no user part, no trailing dot, no comma") \
    X(REQUEST_PATH,            "request_path",             "request",       DENY,      7, 400, WWW_NONE, "the path is not canonical", \
      "the client sends a canonical path; when Envoy may normalise it, say so with `paths: envoy`") \
    X(REQUEST_PATH_LENGTH,     "request_path_length",      "request",       DENY,      7, 414, WWW_NONE, "the path is over its limits", \
      "the client shortens its path") \
    X(REQUEST_HEADER,          "request_header",           "request",       DENY,      7, 400, WWW_NONE, "a header is not canonical or repeats where it must not", \
      "find the client that sends the header twice, with control bytes or under a second spelling") \
    X(REQUEST_HEADER_SIZE,     "request_header_size",      "request",       DENY,      7, 431, WWW_NONE, "the headers are over their limits", \
      "the client sends less, or `limits.headers` and `limits.header_bytes` are raised") \
    X(REQUEST_SIZE,            "request_size",             "request",       DENY,      7, 400, WWW_NONE, "the check request is over its limit", \
      "the client sends less, or Envoy is told to pass a shorter body on") \
    X(REQUEST_BODY,            "request_body",             "request",       DENY,      7, 400, WWW_NONE, "the body that the policy depends on is partial or not readable", \
      "let Envoy pass the whole body on (`with_request_body`, `pack_as_bytes: true`) and the client name its content type") \
    X(RESOURCE_AMBIGUOUS,      "resource_ambiguous",       "request",       DENY,      7, 400, WWW_NONE, "the request names two different resources", \
      "the client names one resource: path, headers and body must say the same") \
    X(DEFAULT,                 "default",                  "default",       DENY,      7, 403, WWW_NONE, "no rule came near", \
      "write a rule, if the request is to be let in; `bartizan policy why-not` asks about a request") \
    X(DENY_RULE,               "deny_rule",                "deny_rule",     DENY,      7, 403, WWW_NONE, "a deny rule matched", \
      "nothing, unless the rule that the record names was not meant to match") \
    X(DELEGATION_ACTOR,        "delegation_actor_mismatch", "delegation",   DENY,      7, 403, WWW_NONE, "the token's actor is not the calling workload", \
      "the workload that the token names as its actor makes the call itself") \
    X(DELEGATION,              "delegation",               "delegation",    DENY,      7, 403, WWW_NONE, "the rule takes no such delegated token", \
      "write what the rule takes with `delegation`, if delegated tokens are to pass") \
    X(PURPOSE,                 "purpose",                  "purpose",       DENY,      7, 403, WWW_NONE, "the purpose is missing or not one the rule names", \
      "the client states one of the rule's purposes") \
    X(CONDITION,               "condition",                "default",       DENY,      7, 403, WWW_NONE, "a condition of the closest rule is not met", \
      "the record names the closest rule: compare its `when` with the request") \
    X(OBLIGATION,              "obligation_unfulfillable", "obligation",    DENY,      7, 403, WWW_NONE, "a value that the rule must pass on is missing or cannot stand in a header", \
      "see which claim the rule passes on: it is missing from the token or has bytes that no header carries") \
    X(INDETERMINATE,           "indeterminate",            "default",       DENY,      7, 403, WWW_NONE, "a fact that the closest rule reads cannot be judged", \
      "look at what the closest rule reads: a header or query name that repeats, a claim of another type, keys that are missing") \
    X(KEYS_UNAVAILABLE,        "keys-unavailable",         "unavailable",   DENY,      7, 503, WWW_NONE, "keys or bundles needed to judge the request are not there", \
      "`bartizan status` tells which bundle or key set is missing; see to the process that writes it") \
    X(POLICY_EXPIRED,          "policy-expired",           "unavailable",   DENY,      7, 503, WWW_NONE, "the signed policy in force is past the time it was signed for", \
      "have the policy signed anew; `bartizan policy accept` is the recorded way to go on meanwhile") \
    X(OVERLOAD,                "overload",                 "unavailable",   DENY,      7, 503, WWW_NONE, "too many requests wait for verification", \
      "add capacity or replicas; many new callers or tokens at once is the usual cause")
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
    struct view sentence; /* what it means */
    struct view advice;   /* what an operator does about it */
};

/* The row of `reason`; a value outside the table gives that of REASON_INTERNAL. */
const struct reason_info *reason_info(enum reason reason);

/* True when `name` is the reason's own name or its family's. */
bool reason_is_named(enum reason reason, struct view name);

/* True when what was sent, or what we judge it by, is at fault: credentials, the request, keys that are missing, an
 * internal error. False when a rule, or the lack of one, answered. */
bool reason_is_fault(enum reason reason);

/* True and *out when some reason has exactly this name. */
bool reason_parse(struct view name, enum reason *out);

/* "deny", "challenge", "allow". */
const char *verdict_text(enum verdict verdict);

#endif
