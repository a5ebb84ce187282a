/* SPDX-License-Identifier: Apache-2.0 */
/* What stands between a policy file and being in force: whose signature it needs, the
 * revision below which none is taken, and the time after which it is no longer good.
 * docs/signed-policies.md tells operators; docs/adr/ the reasons. */
#ifndef BARTIZAN_POLICY_GATE_H
#define BARTIZAN_POLICY_GATE_H

#include "config.h"
#include "digest.h"
#include "policy_mark.h"
#include "policy_seal.h"
#include "signers.h"

enum { POLICY_OVERRIDE_MAX = 1400 };

/* What a policy in force stands on; all zero but good_until for one that nobody signed. */
struct policy_standing {
    bool is_compiled;
    bool is_signed;          /* by a key of policy.signers; what follows is true then */
    uint64_t revision;       /* from 1 */
    int64_t issued, expires; /* unix seconds, as signed */
    int64_t good_until;      /* first second at which it must not decide: expires, or later by leave; INT64_MAX */
    uint8_t signer[POLICY_SEAL_KEY_ID_BYTES];
    char override[POLICY_OVERRIDE_MAX]; /* in words, what was overridden by whom; empty: nothing was */
};

/* True from the first second on at which nothing may be decided by it. */
static inline bool policy_standing_has_expired(const struct policy_standing *standing, int64_t now)
{
    return now >= standing->good_until;
}

/* One load's judgement. Zeroed, it lets every policy pass. */
struct policy_gate {
    struct signers signers;        /* none: signatures are not asked for */
    bool is_of_shadow;             /* they never are, whatever policy.signers says: nothing is decided by it */
    uint64_t floor;                /* the lowest revision that is taken */
    bool is_floor_lost;            /* it is not known: nothing is taken without leave */
    struct policy_leave leaves[2]; /* of the configuration, of `bartizan policy accept`; revision 0: none */
    int64_t now;
    uint8_t fingerprint[SHA256_BYTES]; /* of all that stands in files of the above */
};

/* Reads policy.signers and the leaves; `before` (or NULL at the start) is what is in
 * force, and instead of it the mark beside the journal is read. Errors come with a
 * diag. What was allocated is freed by policy_gate_close, also after an error. */
MUST_CHECK enum err policy_gate_open(const struct config *config, const struct policy_standing *before, int64_t now,
                                     struct arena *arena, struct diag_list *diags, struct policy_gate *out);
void policy_gate_close(struct policy_gate *gate); /* for AUTO; harmless on a zeroed one */

/* Mixes what the gate read into the fingerprint of the policy's files: either may change. */
MUST_CHECK enum err policy_gate_mix(const struct policy_gate *gate, uint8_t fingerprint[SHA256_BYTES]);

/* Judges the file of a policy. Taken: *out, and in *image the compiled policy, or the
 * absent view when the text is one of YAML. ERR_INVALID (no envelope, or none of this version; signed by nobody
 * that is configured), ERR_STALE (an older revision, or its time has run out), with a diag. */
MUST_CHECK enum err policy_gate_pass(const struct policy_gate *gate, struct view file, struct view text,
                                     struct diag_list *diags, struct view *image, struct policy_standing *out);

#endif
