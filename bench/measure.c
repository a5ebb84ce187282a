/* SPDX-License-Identifier: Apache-2.0 */
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>

void must(bool is_good, const char *what)
{
    if (is_good)
        return;
    (void)fprintf(stderr, "%s\n", what);
    exit(2);
}

double seconds_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

double ns_per_tick(void)
{
    double start = seconds_now();
    uint64_t from = ticks_now();
    while (seconds_now() - start < 0.2)
        continue;
    return (seconds_now() - start) * 1e9 / (double)(ticks_now() - from);
}

double empty_ticks(void)
{
    static double samples[1001];
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        uint64_t from = ticks_now();
        samples[i] = (double)(ticks_now() - from);
    }
    numbers_sort(samples, sizeof samples / sizeof *samples);
    return samples[500];
}

static int number_compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

void numbers_sort(double *numbers, size_t count)
{
    qsort(numbers, count, sizeof *numbers, number_compare);
}

double quantile(const double *sorted, size_t count, double q)
{
    return sorted[(size_t)(q * (double)(count - 1))];
}
