/* SPDX-License-Identifier: Apache-2.0 */
#include "time_zone.h"

enum { NAME_BYTES_MAX = 64 };

static bool is_capital(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_name_byte(char c)
{
    return is_capital(c) || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '+' || c == '-';
}

bool time_zone_is_name(struct view name)
{
    if (name.size == 0 || name.size > NAME_BYTES_MAX || name.data[name.size - 1] == '/')
        return false;
    for (size_t i = 0; i < name.size; i++) {
        bool is_first = i == 0 || name.data[i - 1] == '/';
        if (is_first ? !is_capital(name.data[i]) : name.data[i] != '/' && !is_name_byte(name.data[i]))
            return false;
    }
    return true;
}

int32_t time_zone_offset(const struct time_zone *zone, int64_t at)
{
    if (zone == NULL)
        return 0;
    if (at >= zone->repeats_from) {
        int64_t past = at % TIME_ZONE_CYCLE - zone->repeats_from % TIME_ZONE_CYCLE; /* the instants may lie far apart */
        at = zone->repeats_from - TIME_ZONE_CYCLE + (past + TIME_ZONE_CYCLE) % TIME_ZONE_CYCLE;
    }
    size_t low = 0, high = zone->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (zone->shifts[middle].from <= at)
            low = middle;
        else
            high = middle;
    }
    return zone->shifts[low].offset;
}
