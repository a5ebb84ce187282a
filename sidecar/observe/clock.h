/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks as numbers. */
#ifndef BARTIZAN_CLOCK_H
#define BARTIZAN_CLOCK_H

#include <stdint.h>
#include <time.h>

int64_t clock_ns(clockid_t clock);
int64_t clock_ms(clockid_t clock);

#endif
