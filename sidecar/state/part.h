/* SPDX-License-Identifier: Apache-2.0 */
/* The insides of a snapshot, for the files of this folder that build one. */
#ifndef BARTIZAN_PART_H
#define BARTIZAN_PART_H

#include "bundle_load.h"
#include "feed_stamp.h"
#include "file_set.h"
#include "snapshot.h"

#include <stdatomic.h>

/* One of the five things of a snapshot, shared by the snapshots it did not change between. */
struct part {
    atomic_uint references;
    void *thing;
    void (*release)(void *thing);
    uint8_t fingerprint[SHA256_BYTES]; /* of the texts it was built from */
};

/* The shadow comes last: nothing waits for it. */
enum part_kind { PART_POLICY = 0, PART_BUNDLES, PART_KEYS, PART_REVOCATIONS, PART_SHADOW, PART_COUNT };

struct snapshot_owner {
    struct snapshot snapshot; /* first: a snapshot is its owner */
    atomic_uint references;
    struct part *parts[PART_COUNT];
    struct domain_state *domains; /* in the configuration's order */
    struct source_state *issuers;
    uint8_t gate[SHA256_BYTES]; /* of policies alone: policy_gate.fingerprint of the one that judged */
    uint64_t floor;             /* and its floor */
};

/* What one build works with. */
struct builder {
    const struct config *config;
    const struct policy_compiler *compiler; /* NULL: none but policy_build */
    const struct snapshot_owner *previous;
    struct snapshot_owner *next;
    struct arena *arena; /* of the part that is built: its sources */
    struct diag_list *diags;
    struct file_set *files;
    struct feed_freshness feed;
    int64_t now;
    enum err domain_error; /* of the first trust domain that keeps what it had */
    bool is_later;         /* whoever builds does not wait for a compile elsewhere */
    bool is_under_way;     /* set: some policy is compiled elsewhere, and its part is as it was */
};

void part_drop(struct part *part); /* harmless on NULL */

/* Takes over the previous snapshot's part when its texts are the same. */
bool part_lend(struct builder *b, enum part_kind kind, const uint8_t fingerprint[SHA256_BYTES]);

/* An empty part of `next`; NULL: no memory. */
struct part *part_new(struct builder *b, enum part_kind kind, const uint8_t fingerprint[SHA256_BYTES],
                      void (*release)(void *));

/* The part of `from` in place of what `next` has. */
void part_share(struct builder *b, enum part_kind kind, const struct snapshot_owner *from);

#endif
