/* SPDX-License-Identifier: Apache-2.0 */
/* The SidecarConfig file: one YAML document, every key known, every default here. */
#ifndef BARTIZAN_CONFIG_H
#define BARTIZAN_CONFIG_H

#include "diag.h"

enum { LISTENERS_MAX = 8 };

enum listener_kind { LISTENER_UNIX = 0, LISTENER_TCP };

struct listener_config {
    enum listener_kind kind;
    const char *path; /* LISTENER_UNIX: absolute path */
    const char *host; /* LISTENER_TCP: IPv4 or IPv6 literal */
    uint16_t port;
    uint32_t mode;              /* of the socket file, octal; default 0660 */
    const char *group;          /* group of the socket file; NULL: unchanged */
    const uint32_t *allow_uids; /* peers accepted on a unix socket; none: every uid that the mode admits */
    size_t allow_uid_count;
};

enum identity_source_kind { SOURCE_CERTIFICATE = 0, SOURCE_XFCC, SOURCE_XFCC_TEXT };

struct identity_source {
    enum identity_source_kind kind;
    uint32_t hops;         /* but for SOURCE_CERTIFICATE: trusted proxies in front, 0 to 7 */
    const struct view *by; /* likewise: their SPIFFE IDs, exactly `hops` of them */
    size_t by_count;
    bool accepts_missing_hash; /* SOURCE_XFCC_TEXT */
};

enum { IDENTITY_SOURCES_MAX = 2 };

struct trust_domain_config {
    struct view name;
    const char *bundle;    /* file; PEM or SPIFFE bundle document */
    bool is_map;           /* it is a SPIFFE bundle map, of which the domain's entry counts */
    bool is_owned_by_feed; /* another process writes it: it may be missing */
    const char *crl;       /* file with its revocation lists; NULL: none are looked at */
    bool accepts_missing_crl, accepts_expired_crl;
    bool is_from_workload_api;     /* `bundle` is feed's bundle map */
    bool crl_is_from_workload_api; /* `crl` is feed's as well */
};

struct issuer_config {
    struct view url;
    const char *keys_file;
    bool is_owned_by_feed;
    uint32_t algorithms;      /* 1 << enum jose_algorithm for each; 0: JOSE_USUAL */
    struct view workload_api; /* the trust domain whose JWT bundle the keys are; absent: they do not come from there */
};

enum enforcement { ENFORCE = 0, REPORT };
enum journal_mode { JOURNAL_BATCH = 0 };

struct config {
    const char *file;                        /* the configuration's own path */
    const struct listener_config *listeners; /* default: unix:///run/bartizan/check.sock */
    size_t listener_count;
    struct {
        struct identity_source sources[IDENTITY_SOURCES_MAX]; /* the operator's order; default: certificate;
                                                                 SOURCE_XFCC_TEXT stands alone */
        size_t source_count;
        const struct trust_domain_config *domains;
        size_t domain_count;
        const char *const *revocations; /* folders of deny lists; the first is where `revoke` writes */
        size_t revocation_count;
        const char *const *revocation_signers; /* PEM files with Ed25519 public keys; none: any list is taken */
        size_t revocation_signer_count;
    } identity;
    struct {
        const struct issuer_config *issuers;
        size_t issuer_count;
        struct view resource_metadata; /* RFC 9728 URL for WWW-Authenticate; absent: not sent */
    } tokens;
    struct {
        struct view endpoint;       /* of workload_endpoint_parse; absent: SPIFFE_ENDPOINT_SOCKET says it */
        const char *folder;         /* feed's; default /var/lib/bartizan/feed */
        const char *stamp;          /* feed.json in it */
        uint32_t max_age;           /* seconds for which what was not confirmed is used; default 1 h */
        bool is_separate;           /* feed is no child of `serve` */
        bool needs_x509, needs_jwt; /* some trust domain, some issuer comes from there */
    } workload_api;
    struct {
        const char *path;   /* file or folder */
        const char *shadow; /* likewise: judged beside it, never enforced; NULL: none */
        enum enforcement enforcement;
        const struct view *platform_owners; /* whose documents may have rules of priority 8 to 15; default: nobody's */
        size_t platform_owner_count;
        struct {
            uint64_t child_above; /* bytes of text above which a process of its own compiles; default 1 MiB */
            uint64_t memory;      /* bytes that such a process may take; default 512 MiB */
            uint32_t seconds;     /* of CPU time; default 60 */
        } compile;
        const char *const *signers; /* PEM files with Ed25519 public keys; none: any policy is taken */
        size_t signer_count;
        struct {
            uint64_t revision;  /* 0: none */
            int64_t until;      /* unix seconds: from then on it says nothing */
            struct view reason; /* for the record */
        } accept;               /* the operator's leave for a revision that is older, or whose time has run out */
    } policy;
    struct {
        struct {
            const char *path; /* folder */
            enum journal_mode mode;
            uint64_t max_bytes; /* default 256 MiB */
        } journal;
        struct {
            const char *bind; /* ZeroMQ endpoint of the live tap; NULL: ship is not run */
        } tap;
        const char *subject_key; /* file with the HMAC key for subjects; NULL: subjects are plain */
    } audit;
    struct {
        const char *address_host; /* "" every address; NULL: no HTTP endpoint */
        uint16_t address_port;    /* health, readiness and metrics; nothing that shows state */
        const char *socket;       /* unix socket for status and reload; default /run/bartizan/admin.sock */
    } admin;
    struct {
        uint32_t headers;       /* default 100 */
        uint32_t header_bytes;  /* default 64 KiB */
        uint32_t request_bytes; /* default 1 MiB */
        uint32_t connections;   /* default 64 */
        uint32_t streams;       /* default 256 */
        uint32_t queue;         /* parked checks, default 1024 */
        uint64_t caller_cache;  /* bytes, default 4 MiB */
        uint64_t token_cache;   /* bytes, default 4 MiB */
    } limits;
    struct view instance; /* name in records: `instance:`, else the host name */
};

/* Reads `text` (named `file`). Relative paths are taken from the folder of `file`.
 * Sizes are written 65536, 64KiB, 256MiB. Everything lives in `arena`.
 * ERR_INVALID with diags: unknown keys come with the nearest known one. */
MUST_CHECK enum err config_parse(const char *file, struct view text, struct arena *arena, struct diag_list *diags,
                                 struct config *out);

/* Reads the file itself. ERR_IO or ERR_INVALID with diags. */
MUST_CHECK enum err config_read(const char *file, struct arena *arena, struct diag_list *diags, struct config *out);

/* True in the weaker mode: SOURCE_XFCC_TEXT is the source. */
static inline bool config_believes_text(const struct config *config)
{
    return config->identity.source_count > 0 && config->identity.sources[0].kind == SOURCE_XFCC_TEXT;
}

/* One key of the configuration, for the reference manual and for hints. */
struct config_key {
    const char *path;     /* "audit.journal.path" */
    const char *meaning;  /* one sentence */
    const char *fallback; /* the default as written, or "" */
};
const struct config_key *config_keys(size_t *count);

#endif
