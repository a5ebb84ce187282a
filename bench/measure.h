/* SPDX-License-Identifier: Apache-2.0 */
/* What the measuring programs share: a clock fine enough for one evaluation, and quantiles. */
#ifndef BARTIZAN_BENCH_MEASURE_H
#define BARTIZAN_BENCH_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#ifdef __x86_64__
#include <x86intrin.h>
#endif

/* Ends the program with exit code 2 and `what` on standard error unless `is_good`. */
void must(bool is_good, const char *what);

/* Monotonic, seconds. */
double seconds_now(void);

/* Monotonic; a tick is ns_per_tick() long. */
static inline uint64_t ticks_now(void)
{
#ifdef __x86_64__
    unsigned core;
    uint64_t ticks = __rdtscp(&core);
    _mm_lfence();
    return ticks;
#else
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
#endif
}

/* Takes 0.2 s. */
double ns_per_tick(void);

/* The median of two ticks_now in a row: what timing itself takes. */
double empty_ticks(void);

/* Sorts `numbers`, least first. */
void numbers_sort(double *numbers, size_t count);

/* The `q`-quantile, q in [0, 1], of `count` (at least 1) sorted numbers. */
double quantile(const double *sorted, size_t count, double q);

#endif
