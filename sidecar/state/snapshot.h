/* SPDX-License-Identifier: Apache-2.0 */
/* One immutable generation of everything a decision reads from files: policy,
 * bundles, keys, revocations, and the policy that is tried beside the one in force.
 * Reference-counted; replaced whole, never changed. */
#ifndef BARTIZAN_SNAPSHOT_H
#define BARTIZAN_SNAPSHOT_H

#include "config.h"
#include "jwks.h"
#include "policy_compiler.h"
#include "policy_gate.h"
#include "revocation.h"
#include "trust_bundles.h"

struct snapshot {
    uint64_t generation; /* from 1 */
    const struct policy *policy;
    struct policy_standing standing; /* of the policy: whose signature, which revision, until when */
    const struct policy *shadow; /* of policy.shadow, never enforced; NULL: not configured, or refused at the start */
    const struct trust_bundles *bundles;
    const struct jwks_sets *keys;
    const struct revocations *revocations;
    uint64_t policy_generation, bundle_generation, key_generation, revocation_generation;
    uint64_t shadow_generation; /* 0 without one */
    int64_t built_at;           /* unix seconds */
    bool is_ready;              /* every file that feed owns is there, and none is stale */
};

/* Reads every file the configuration names. `compiler` makes policies of documents (NULL: policy_build).
 * `previous` (or NULL) lends what did not change, and refuses an older revocation list, one that went away, a bundle
 * of a lower spiffe_sequence, and a signed policy of a lower revision (ERR_STALE). Without `previous` the lowest
 * revision is the one beside the journal, which is only read here.
 *
 * Each of the five parts is taken or refused whole, of the bundles each trust domain
 * (bundle_load.h). Without `previous` an error
 * (ERR_INVALID, ERR_IO and so on, with diags) leaves *out untouched; a shadow that is
 * refused is no error then, since nothing is decided by it: diags tell it, and the
 * snapshot has none. With `previous` a refused part stays as it is there, the others
 * are taken: *out is set beside the error too, so that no mistake in a policy delays
 * a revocation. Only ERR_NO_MEMORY may leave it untouched then. */
MUST_CHECK enum err snapshot_build(const struct config *config, const struct policy_compiler *compiler,
                                   struct snapshot *previous, int64_t now, struct diag_list *diags,
                                   struct snapshot **out);

/* ---- in two steps: what may take long apart from what must not ---- */

struct snapshot_work {
    const struct config *config;
    const struct policy_compiler *compiler; /* as snapshot_build; its `rest` is called */
    struct snapshot *previous;              /* in force; never NULL */
    int64_t now;
    struct diag_list *diags;
};

struct snapshot_policies {
    struct snapshot *parts; /* none to decide by: its policies are for snapshot_build_rest. Owned by the receiver */
    size_t shadow_from;     /* findings from this one on are about the shadow */
    bool is_under_way;      /* some policy is compiled elsewhere, and is as in `previous` until a later call finds the
                               end of it. Files that changed meanwhile are ordered anew then: the newest counts */
};

/* The first step: both policies, read, let pass by the gate, compiled, each taken or refused as snapshot_build does.
 * On a thread at a time; nothing else waits for it. */
MUST_CHECK enum err snapshot_build_policies(const struct snapshot_work *work, struct snapshot_policies *out);

/* True when the policy of the first step may be taken now: signers, leaves and the revision in force are
 * those that it was judged by, and its time has not run out. Otherwise the first step is made again. */
bool snapshot_policies_hold(const struct snapshot_work *work, const struct snapshot *policies);

/* The second step: everything else from files, and the policies of the first step (NULL: as in `previous`). As
 * snapshot_build with `previous`. */
MUST_CHECK enum err snapshot_build_rest(const struct snapshot_work *work, const struct snapshot *policies,
                                        struct snapshot **out);

struct snapshot *snapshot_hold(struct snapshot *snapshot);
void snapshot_drop(struct snapshot *snapshot); /* harmless on NULL */

/* A file that feed owns and that is not there, or whose time has run out. */
struct missing_file {
    const char *what; /* "bundle" or "key set" */
    struct view of;   /* the trust domain or issuer */
    const char *path;
    bool is_stale; /* the Workload API has not confirmed it within workload_api.max_age */
};

/* Calls `each` for every one of them; `config` is the one it was built from. */
void snapshot_each_missing(const struct snapshot *snapshot, const struct config *config,
                           void (*each)(void *context, const struct missing_file *file), void *context);

#endif
