/* SPDX-License-Identifier: Apache-2.0 */
/* A thread that makes policies (snapshot_build_policies), however long one takes, so that
 * whoever takes revocations, bundles and keys waits for none. One order at a time. */
#ifndef BARTIZAN_POLICY_LANE_H
#define BARTIZAN_POLICY_LANE_H

#include "snapshot.h"

struct policy_lane;

/* How an order ended. Its memory is the receiver's, for policy_outcome_free. */
struct policy_outcome {
    enum err error;                    /* ERR_NONE: both policies were taken, are as they were, or under way */
    struct snapshot_policies policies; /* .parts NULL: there was no memory */
    struct diag_list *diags;           /* NULL: there was no memory */
    struct arena arena;                /* of the findings */
};

void policy_outcome_free(struct policy_outcome *outcome); /* harmless on a zeroed one */

MUST_CHECK enum err policy_lane_open(const struct config *config, const struct policy_compiler *compiler,
                                     struct policy_lane **out);

/* Waits for the end of what is compiled in this process, never for what is compiled elsewhere. */
void policy_lane_close(struct policy_lane *lane); /* harmless on NULL */

/* Begins: the policies that are to follow those of `previous`, which is held meanwhile. Only when idle. */
void policy_lane_order(struct policy_lane *lane, struct snapshot *previous, int64_t now);

/* Readable when an order has ended that was not taken yet. */
int policy_lane_descriptor(const struct policy_lane *lane);

/* True with the order's end in *out. */
bool policy_lane_take(struct policy_lane *lane, struct policy_outcome *out);

#endif
