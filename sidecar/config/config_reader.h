/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of config: how one key is described and its value read. */
#ifndef BARTIZAN_CONFIG_READER_H
#define BARTIZAN_CONFIG_READER_H

#include "config.h"
#include "document.h"

struct reader {
    struct arena *arena;
    struct diag_list *diags;
    struct view folder; /* of the configuration file; relative paths start there */
    bool is_out_of_memory;
};

/* Where the reading stands: in the schema ("listeners[].mode") and in this file ("listeners[1].mode"). */
struct place {
    struct view schema;
    struct view shown;
};

struct field;
struct task {
    struct reader *reader;
    const struct field *field;
    struct place at;
    const struct node *node;
};

/* Reads task->node into `target`, the member that the field names. A value that is
 * refused is reported, and `target` keeps what it had. */
typedef void read_value(const struct task *task, void *target);

struct field {
    const char *path; /* schema path: `[]` stands for a list's elements, `{}` for a map's values */
    read_value *read; /* NULL: a key of the design that this version does not have */
    size_t offset;    /* of the target in the struct of its scope */
    uint64_t low, high;
    const char *words; /* config_read_word: the words, separated by `|`; the enum counts from 0. A word in parentheses
                          is refused */
    const char *fallback; /* as it would be written; "" for none */
};

/* Reports an error at `node`. `hint` may be absent. */
void config_complain(const struct task *task, const char *code, struct view hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Arena memory, or NULL with the reader marked. */
void *config_array(struct reader *reader, size_t count, size_t size);
/* printf into the arena; the absent view with the reader marked. */
struct view config_print(struct reader *reader, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* True when the node is a scalar with some text; else reported. */
bool config_expect_text(const struct task *task);
/* Reports that `key` is missing in the map, unless `is_there`. */
void config_expect_key(const struct task *task, bool is_there, const char *key);

/* Reads a map, the struct of whose scope is at `target`, by the fields directly below task->at.schema. */
void config_read_map(const struct task *task, char *target);
/* Sets what the fields below `prefix` say in their absence. */
void config_set_fallbacks(struct reader *reader, struct view prefix, char *target);
void config_set_default_listener(struct reader *reader, struct config *config);

read_value config_read_constant;         /* nothing; the text is exactly `words` */
read_value config_read_name;             /* const char * */
read_value config_read_text;             /* struct view */
read_value config_read_number;           /* uint32_t in [low, high] */
read_value config_read_size;             /* uint32_t in [low, high]: 65536, 64KiB */
read_value config_read_long_size;        /* uint64_t, the same */
read_value config_read_revision;         /* uint64_t in [low, high] */
read_value config_read_time;             /* int64_t, unix seconds: RFC 3339 */
read_value config_read_sentence;         /* struct view, printable UTF-8 on one line */
read_value config_read_word;             /* an enum */
read_value config_read_choice;           /* bool: the second of its two words */
read_value config_read_mode;             /* uint32_t, octal permissions */
read_value config_read_path;             /* const char *, made absolute */
read_value config_read_socket;           /* const char *, a path that fits a unix socket address */
read_value config_read_url;              /* struct view, can stand in a quoted string of a header */
read_value config_read_endpoint;         /* const char *, ipc://PATH or tcp://ADDRESS:PORT */
read_value config_read_uids;             /* struct listener_config, allow_uids */
read_value config_read_admin;            /* struct config, admin.address */
read_value config_read_listener_address; /* struct listener_config */
read_value config_read_issuer_name;      /* struct view */

read_value config_read_duration;          /* uint32_t in [low, high], seconds: 90s, 15m, 1h, 7d */
read_value config_read_trust_domain;      /* struct view */
read_value config_read_workload_endpoint; /* struct view */
read_value config_read_crl_origin;        /* struct trust_domain_config */

/* Gives what comes from the Workload API its files in the folder of feed. */
void config_place_feed(const struct task *root, struct config *config);

/* Lists and maps of struct config, and what is inside of them. */
read_value config_read_listeners, config_read_sources, config_read_domains, config_read_issuers,
    config_read_revocations, config_read_revocation_signers, config_read_token_sources, config_read_platform_owners,
    config_read_signers;
read_value config_read_xfcc, config_read_xfcc_text, config_read_by;     /* struct identity_source */
read_value config_read_keys, config_read_algorithms;                    /* struct issuer_config */
read_value config_read_bundle, config_read_bundle_map, config_read_crl; /* struct trust_domain_config */

/* "127.0.0.1:80", "[::1]:80", and with `may_omit_host` ":80": true, or false. */
bool config_parse_address(struct reader *reader, struct view text, bool may_omit_host, const char **host,
                          uint16_t *port);

#endif
