/* SPDX-License-Identifier: Apache-2.0 */
/* The deny lists that `bartizan revoke` reads and the one it writes, and the decider
 * that is to take them. */
#ifndef BARTIZAN_REVOKE_SESSION_H
#define BARTIZAN_REVOKE_SESSION_H

#include "cli.h"
#include "file_set.h"
#include "revocation_file.h"
#include "revocation_gate.h"

/* Where, as written; NULL where not given. */
struct revoke_places {
    const char *config, *dir, *admin;
    const char *key;   /* signs the list that is written, which then is another file */
    bool only_reads;   /* no key is asked for where lists are signed */
    bool makes_folder; /* of the configuration, where it is missing; never --dir, which may be a slip of the pen */
};

struct revoke_session {
    struct arena arena;
    struct diag_list diags;
    struct config config;          /* its revocations are the one of --dir when that is given */
    const char *own_dir[1];        /* where --dir is kept */
    const char *file;              /* the list that this command writes */
    struct file_set *files;        /* every list of every folder */
    struct revocation_list *lists; /* the same, read */
    uint64_t highest;              /* sequence over all lists */
    struct revocation_gate gate;   /* of the configuration */
    struct policy_key *key;        /* NULL: what is written is not signed */
    int64_t now;
};

/* Reads every list of every folder. EXIT_GOOD, or what is wrong was printed: a set that
 * the decider would refuse is not written to. */
int revoke_session_open(struct revoke_session *session, const struct revoke_places *places);
void revoke_session_close(struct revoke_session *session);

/* Prints the findings, or `what` and `err`; the exit code. */
int revoke_report(const struct revoke_session *session, const char *what, enum err err);

/* The entry that refuses the same as `wanted`, in the session's own file or in any, with
 * the position of its list; or NULL. */
const struct revocation_entry *revoke_find(const struct revoke_session *session, const struct revocation_entry *wanted,
                                           bool only_own, size_t *list);

/* Edits the session's own file, waiting for another writer for a moment. Errors of revocation_file_edit. */
MUST_CHECK enum err revoke_edit(struct revoke_session *session, const struct revocation_edit *edit, uint64_t *sequence);

/* What was done, for the sentence that says so. */
struct revoke_deed {
    const char *verb; /* "revoked" */
    const struct revocation_entry *entry;
    uint64_t sequence;
    int64_t started_ms; /* CLOCK_MONOTONIC */
};

/* Returns once the decider has the list of `deed` in force, or says why it has not. The exit code. */
int revoke_enforce(struct revoke_session *session, const struct revoke_deed *deed);

/* Who says so: `given`, else whom the shell says you are. */
struct view revoke_author(const char *given, struct arena *arena);

/* Adds `entry`, unless one that lasts as long is there, and returns as revoke_enforce does. */
int revoke_add(struct revoke_session *session, const struct revocation_entry *entry);

/* "spiffe://td/a", "https://issuer#subject", "certificate 60a2..." */
struct view revoke_entry_text(const struct revocation_entry *entry, struct arena *arena);

#endif
