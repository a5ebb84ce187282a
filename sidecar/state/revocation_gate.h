/* SPDX-License-Identifier: Apache-2.0 */
/* What stands between a deny list's file and being in force: whose signature it needs
 * (identity.revocation_signers), and the sequence below which none is taken.
 *
 * A signed list is a list of either form in an envelope of policy_seal.h whose revision is the list's
 * sequence. It does not run out, whatever the envelope says: what it denies, it denies until a newer one comes. */
#ifndef BARTIZAN_REVOCATION_GATE_H
#define BARTIZAN_REVOCATION_GATE_H

#include "config.h"
#include "revocation.h"
#include "signers.h"

/* One load's judgement. Zeroed, it lets every list pass. */
struct revocation_gate {
    struct signers signers; /* none: signatures are not asked for */
};

/* Reads the signers. Errors come with a diag. What was allocated is freed by revocation_gate_close, also after an
 * error. */
MUST_CHECK enum err revocation_gate_open(const struct config *config, struct arena *arena, struct diag_list *diags,
                                         struct revocation_gate *out);
void revocation_gate_close(struct revocation_gate *gate); /* for AUTO; harmless on a zeroed one */

/* Mixes the signers into the fingerprint of the lists' files: either may change. */
MUST_CHECK enum err revocation_gate_mix(const struct revocation_gate *gate, uint8_t fingerprint[SHA256_BYTES]);

/* The list in `text`, out of its envelope where it has one; *revision is what was signed, 0 without an envelope.
 * ERR_INVALID with a diag: not signed, by nobody that is configured, or damaged. */
MUST_CHECK enum err revocation_gate_pass(const struct revocation_gate *gate, struct view file, struct view text,
                                         struct diag_list *diags, struct view *list, uint64_t *revision);

/* ERR_INVALID with a diag: the envelope of source `i` says another sequence than its list. */
MUST_CHECK enum err revocation_gate_compare(const struct revocations *revocations, size_t i, uint64_t revision,
                                            struct diag_list *diags);

/* At the start, where nothing is in force yet: against the mark beside the journal, which is only read here. ERR_STALE
 * with a diag for an older list or one that is gone; ERR_INVALID with a diag for a mark that is damaged. */
MUST_CHECK enum err revocation_gate_remember(const struct revocation_gate *gate, const struct config *config,
                                             const struct revocations *revocations, struct arena *arena,
                                             struct diag_list *diags);

#endif
