/* SPDX-License-Identifier: Apache-2.0 */
#include "tzif.h"

#include "tz_rule.h"

enum {
    HEADER = 44,
    TYPE_BYTES = 6,
    TYPES_MAX = 256,
    SHIFTS_MAX = 4096,
    RULE_YEARS = 404, /* one cycle, and a margin on either side */
    OFFSET_LEAST = -25 * 3600 + 1,
    OFFSET_MOST = 26 * 3600 - 1,
    YEAR = 366 * 86400,
};

/* Instants that a year can be counted for; the database begins before them only with
 * the "Big Bang" of some files, which stands for "always". */
#define INSTANT_LEAST (-((int64_t)1 << 38))
#define INSTANT_MOST ((int64_t)1 << 36)

/* The counts of one block, RFC 8536 section 3.1. */
struct counts {
    uint32_t ut_indicators, standard_indicators, leaps, shifts, types, chars;
};

static uint32_t number32(const char *bytes)
{
    const unsigned char *b = (const unsigned char *)bytes;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static int64_t number64(const char *bytes)
{
    return (int64_t)((uint64_t)number32(bytes) << 32 | number32(bytes + 4));
}

static enum err read_header(struct view bytes, struct counts *out)
{
    if (bytes.size < HEADER || !view_starts_with(bytes, VIEW("TZif")))
        return ERR_MALFORMED;
    if (bytes.data[4] < '2' || bytes.data[4] > '4')
        return ERR_UNSUPPORTED;
    const char *at = bytes.data + 20;
    *out = (struct counts){.ut_indicators = number32(at),
                           .standard_indicators = number32(at + 4),
                           .leaps = number32(at + 8),
                           .shifts = number32(at + 12),
                           .types = number32(at + 16),
                           .chars = number32(at + 20)};
    bool has_indicators = (out->ut_indicators == 0 || out->ut_indicators == out->types) &&
                          (out->standard_indicators == 0 || out->standard_indicators == out->types);
    if (out->types == 0 || out->chars == 0 || !has_indicators)
        return ERR_MALFORMED;
    if (out->types > TYPES_MAX || out->shifts > SHIFTS_MAX || out->chars > TZIF_BYTES_MAX ||
        out->leaps > TZIF_BYTES_MAX)
        return ERR_LIMIT;
    return ERR_NONE;
}

/* Bytes behind the header where a time takes `width`; no overflow within the limits. */
static size_t block_size(const struct counts *counts, size_t width)
{
    return counts->shifts * (width + 1) + counts->types * (size_t)TYPE_BYTES + counts->chars +
           counts->leaps * (width + 4) + counts->standard_indicators + counts->ut_indicators;
}

static enum err read_offset(const char *type, const struct counts *counts, int32_t *out)
{
    const unsigned char *flags = (const unsigned char *)type + 4;
    int64_t offset = (int32_t)number32(type);
    if (offset < OFFSET_LEAST || offset > OFFSET_MOST || flags[0] > 1 || flags[1] >= counts->chars)
        return ERR_MALFORMED;
    *out = (int32_t)offset;
    return ERR_NONE;
}

/* The file's own shifts. The first is the local time type 0, which holds before any. */
static enum err read_shifts(const char *block, const struct counts *counts, struct zone_shift *shifts)
{
    const char *types = block + counts->shifts * 9u;
    int32_t offsets[TYPES_MAX] = {0};
    for (size_t i = 0; i < counts->types; i++)
        TRY(read_offset(types + i * TYPE_BYTES, counts, &offsets[i]));
    shifts[0] = (struct zone_shift){.from = INT64_MIN, .offset = offsets[0]};
    for (size_t i = 0; i < counts->shifts; i++) {
        int64_t from = number64(block + i * 8);
        size_t type = (unsigned char)block[counts->shifts * 8u + i];
        if (type >= counts->types || (i > 0 && from <= shifts[i].from))
            return ERR_MALFORMED;
        shifts[i + 1] = (struct zone_shift){.from = from, .offset = offsets[type]};
    }
    return ERR_NONE;
}

/* Keeps the order where a year's end of summer and the next one's start change places. */
static void add_shift(struct time_zone *zone, struct zone_shift *shifts, struct zone_shift shift)
{
    size_t at = zone->count++;
    for (; at > 0 && shifts[at - 1].from > shift.from; at--)
        shifts[at] = shifts[at - 1];
    shifts[at] = shift;
}

/* What comes after the file's last shift, for one whole cycle. */
static enum err add_rule(const struct tz_rule *rule, struct time_zone *zone, struct zone_shift *shifts)
{
    int64_t last = zone->count > 1 ? shifts[zone->count - 1].from : 0;
    int32_t offset = shifts[zone->count - 1].offset;
    zone->repeats_from = INT64_MAX;
    if (offset != rule->standard && !(rule->has_summer && offset == rule->summer))
        return ERR_MALFORMED; /* RFC 8536 section 3.3: the footer agrees with the last shift */
    if (!rule->has_summer)
        return ERR_NONE;
    if (last < INSTANT_LEAST || last > INSTANT_MOST)
        return ERR_LIMIT;
    int64_t first = tz_rule_year(last);
    for (int64_t year = first; year < first + RULE_YEARS; year++) {
        int64_t start = tz_rule_instant(&rule->start, year, rule->standard);
        int64_t end = tz_rule_instant(&rule->end, year, rule->summer);
        struct zone_shift pair[] = {{start, rule->summer}, {end, rule->standard}};
        for (size_t i = 0; i < 2; i++)
            if (pair[i].from > last)
                add_shift(zone, shifts, pair[i]);
    }
    zone->repeats_from = last + YEAR + TIME_ZONE_CYCLE;
    return ERR_NONE;
}

enum err tzif_parse(struct view bytes, struct arena *arena, struct time_zone *out)
{
    struct counts counts;
    struct tz_rule rule;
    if (bytes.size > TZIF_BYTES_MAX)
        return ERR_LIMIT;
    TRY(read_header(bytes, &counts));
    bytes = view_slice(bytes, HEADER + block_size(&counts, 4), bytes.size);
    TRY(read_header(bytes, &counts));
    size_t size = block_size(&counts, 8);
    struct view block = view_slice(bytes, HEADER, HEADER + size), footer = view_slice(bytes, HEADER + size, bytes.size);
    if (block.size != size || footer.size < 2 || footer.data[0] != '\n' || footer.data[footer.size - 1] != '\n')
        return ERR_MALFORMED;
    if (counts.leaps > 0)
        return ERR_UNSUPPORTED;
    TRY(tz_rule_parse(view_slice(footer, 1, footer.size - 1), &rule));
    size_t room = 1 + counts.shifts + (rule.has_summer ? 2u * RULE_YEARS : 0);
    struct zone_shift *shifts = arena_take_array(arena, room, sizeof(*shifts));
    if (shifts == NULL)
        return ERR_NO_MEMORY;
    TRY(read_shifts(block.data, &counts, shifts));
    *out = (struct time_zone){.shifts = shifts, .count = 1 + counts.shifts};
    return add_rule(&rule, out, shifts);
}
