/* SPDX-License-Identifier: Apache-2.0 */
/* The insides of a snapshot, for the files of this folder that build one. */
#ifndef BARTIZAN_PART_H
#define BARTIZAN_PART_H

#include "bundle_map.h"
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

/* The text of one trust domain or issuer: its own generation, so that verdicts
 * cached under an unchanged one stay. Zeroed first, since its bytes are digested. */
struct source_state {
    bool is_there;
    uint8_t fingerprint[SHA256_BYTES];
    uint64_t generation;
};

struct snapshot_owner {
    struct snapshot snapshot; /* first: a snapshot is its owner */
    atomic_uint references;
    struct part *parts[PART_COUNT];
    struct source_state *domains; /* in the configuration's order; behind the bundles of all the lists of all */
    struct source_state *issuers;
    uint64_t *sequences;        /* of each domain: the highest that was ever in force */
    uint8_t gate[SHA256_BYTES]; /* of policies alone: policy_gate.fingerprint of the one that judged */
    uint64_t floor;             /* and its floor */
};

/* A file that several domains may name: read once, so that all of them see one version of it. */
struct map_file {
    const char *path;
    struct view text; /* absent: it is not there */
    struct bundle_map map;
};

/* What one build works with. */
struct builder {
    const struct config *config;
    const struct policy_compiler *compiler; /* NULL: none but policy_build */
    const struct snapshot_owner *previous;
    struct snapshot_owner *next;
    struct arena *arena;   /* of the part that is built: its sources */
    struct map_file *maps; /* of the bundles, in that arena */
    size_t map_count;
    struct diag_list *diags;
    struct file_set *files;
    int64_t now;
    bool is_later;     /* whoever builds does not wait for a compile elsewhere */
    bool is_under_way; /* set: some policy is compiled elsewhere, and its part is as it was */
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
