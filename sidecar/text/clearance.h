/* SPDX-License-Identifier: Apache-2.0 */
/* "Not revoked", kept beside a verified caller or token, so that a warm request compares
 * one number with the deny list's generation instead of asking the list.
 *
 * It can miss no revocation. A list never changes under its generation, and a generation
 * is never used twice; so the same question under the same generation can be answered
 * otherwise only for another time. An entry holds while now < expires: with time it
 * only ends, and a clock that is set back, which makes it hold again, ends the clearance.
 * What is asked about is written once, when it was verified, with no clearance. */
#ifndef BARTIZAN_CLEARANCE_H
#define BARTIZAN_CLEARANCE_H

#include <stdbool.h>
#include <stdint.h>

/* Zero: none. */
struct clearance {
    uint64_t generation; /* of the deny list that was asked; they count from 1 */
    int64_t since;       /* unix seconds: when it was asked */
};

static inline bool clearance_holds(const struct clearance *clearance, uint64_t generation, int64_t now)
{
    return generation != 0 && clearance->generation == generation && now >= clearance->since;
}

#endif
