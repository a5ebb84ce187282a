/* SPDX-License-Identifier: Apache-2.0 */
#include "backoff.h"

int64_t backoff_next(struct backoff *backoff, uint32_t random)
{
    int64_t pause = backoff->pause > BACKOFF_LEAST ? backoff->pause : BACKOFF_LEAST;
    backoff->pause = pause * 2 < BACKOFF_MOST ? pause * 2 : BACKOFF_MOST;
    return pause - (int64_t)random % (pause / 5 + 1);
}
