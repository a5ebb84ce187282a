/* SPDX-License-Identifier: Apache-2.0 */
/* Builds the next snapshot when a file changed, on a thread of its own.
 *
 * The snapshot in force is not touched until the next one stands whole. A file that is
 * refused leaves its part of the snapshot as it was and is told of; the others are
 * taken. Policies are made by a thread of their own (policy_lane.h): one that is not
 * made within RELOAD_GRACE_MS comes with a snapshot of its own, and whatever else
 * changed is taken meanwhile. Of a policy that changes while it is made the newest counts.
 * This is the one part below floor 5 that reads the clock: files change when they change. */
#ifndef BARTIZAN_RELOAD_H
#define BARTIZAN_RELOAD_H

#include "snapshot.h"

struct reload;

enum {
    RELOAD_MESSAGE_MAX = 1024,
    RELOAD_FILE_MAX = 512,
    RELOAD_DIAGS_MAX = 64 * 1024,
    RELOAD_GRACE_MS = 100, /* files that are written together are taken together */
};

/* How one attempt ended. */
struct reload_outcome {
    struct snapshot *snapshot;        /* in force from now on, owned by the receiver; NULL: nothing could be taken */
    enum err error;                   /* ERR_NONE: every file was taken; else some part stays as it was */
    int64_t at;                       /* unix seconds */
    bool is_under_way;                /* a policy is still being made: an earlier refusal may stand */
    bool is_of_shadow;                /* the first finding is about the shadow policy */
    char file[RELOAD_FILE_MAX];       /* of a refusal: where the first finding is; may be empty */
    char message[RELOAD_MESSAGE_MAX]; /* of a refusal: the first finding, "file:line:column: text" */
};

struct reload_config {
    const struct config *config;
    const struct policy_compiler *compiler; /* as snapshot_build */
    struct snapshot *initial;               /* in force now; held for as long as it is compared with */
    uint32_t poll_milliseconds;             /* how often to look without being told; 10000 in service */
    /* Called on the reload's thread for each attempt that found something: files
     * that changed nothing are passed over in silence, unless asked for. */
    void (*deliver)(void *context, const struct reload_outcome *outcome);
    void *context;
};

MUST_CHECK enum err reload_open(const struct reload_config *config, struct reload **out);

/* From here on nobody waits: reload_now says ERR_STALE. Harmless on NULL. */
void reload_end(struct reload *reload);

/* Ends it, and waits for what is compiled in this process. Harmless on NULL. */
void reload_close(struct reload *reload);

/* What a forced reload answers; the caller's memory. */
struct reload_result {
    enum err error;      /* ERR_NONE: every file was taken */
    uint64_t generation; /* in force after it */
    bool is_under_way;   /* RELOAD_FILES alone: a policy is still being made */
    char message[RELOAD_MESSAGE_MAX];
    char diags[RELOAD_DIAGS_MAX]; /* what diag_list_print_json writes, or "[]" */
};

enum reload_wait {
    RELOAD_ALL = 0, /* until the policies were taken or refused too */
    RELOAD_FILES,   /* until everything else was; for that no policy is waited for longer than RELOAD_GRACE_MS */
};

/* Reads everything again and waits for the end: the outcome has been delivered
 * when this returns. ERR_STALE: the reload is closing. From any thread. */
MUST_CHECK enum err reload_now(struct reload *reload, enum reload_wait wait, struct reload_result *result);

/* Asks for the same without waiting; may be called from a signal's handling thread. */
void reload_request(struct reload *reload);

/* Since when a policy has been in the making, unix seconds; 0: none is. From any thread. */
int64_t reload_under_way_since(struct reload *reload);

#endif
