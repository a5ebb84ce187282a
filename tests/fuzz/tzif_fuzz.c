/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes give a zone whose shifts ascend and stay within a day or so, or an error. */
#include "tzif.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct time_zone *zone)
{
    if (zone->count == 0)
        abort();
    for (size_t i = 0; i < zone->count; i++)
        if (abs(zone->shifts[i].offset) >= 26 * 3600 || (i > 0 && zone->shifts[i].from < zone->shifts[i - 1].from))
            abort();
    const int64_t instants[] = {INT64_MIN, -1, 0, zone->repeats_from - 1, zone->repeats_from, INT64_MAX};
    for (size_t i = 0; i < sizeof instants / sizeof instants[0]; i++)
        (void)time_zone_offset(zone, instants[i]);
    int64_t cycle_before = zone->repeats_from - TIME_ZONE_CYCLE;
    if (zone->repeats_from != INT64_MAX &&
        time_zone_offset(zone, zone->repeats_from) != time_zone_offset(zone, cycle_before))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char memory[1 << 20];
    struct arena arena;
    struct time_zone zone;
    arena_init_fixed(&arena, memory, sizeof memory);
    if (tzif_parse((struct view){.data = (const char *)data, .size = size}, &arena, &zone) == ERR_NONE)
        check(&zone);
    return 0;
}
