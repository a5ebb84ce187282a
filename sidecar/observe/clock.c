/* SPDX-License-Identifier: Apache-2.0 */
#include "clock.h"

int64_t clock_ns(clockid_t clock)
{
    struct timespec now = {0};
    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t clock_ms(clockid_t clock)
{
    return clock_ns(clock) / 1000000;
}
