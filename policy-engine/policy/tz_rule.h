/* SPDX-License-Identifier: Apache-2.0 */
/* The yearly rule of a zone: the POSIX TZ string (IEEE Std 1003.1 section 8.3) as
 * RFC 8536 section 3.3 extends it.
 *
 *   TZ     = name offset [name [offset] "," date ["/" time] "," date ["/" time]]
 *   name   = 3*LETTER | "<" 3*(LETTER | DIGIT | "+" | "-") ">"
 *   offset = ["+" | "-"] hours [":" mm [":" ss]]       hours 0 to 24, west positive
 *   date   = "J" 1..365 | 0..365 | "M" 1..12 "." 1..5 "." 0..6
 *   time   = as offset, hours -167 to 167
 *
 * A zone with summer time must say when: the rules are not left to the reader. */
#ifndef BARTIZAN_TZ_RULE_H
#define BARTIZAN_TZ_RULE_H

#include "err.h"
#include "view.h"

enum tz_date_kind {
    TZ_DATE_MONTH = 0, /* the week-th `day` (0 Sunday) of `month`; week 5 is the last one */
    TZ_DATE_JULIAN,    /* day 1 to 365, 29 February not counted */
    TZ_DATE_ORDINAL,   /* day 0 to 365, 29 February counted */
};

struct tz_date {
    enum tz_date_kind kind;
    uint32_t month, week, day;
    int32_t time; /* seconds from midnight of that day, by the clock in force just before */
};

struct tz_rule {
    int32_t standard; /* local time less UTC, in seconds */
    int32_t summer;
    bool has_summer;
    struct tz_date start, end; /* of summer time */
};

/* ERR_MALFORMED when `text` is not the whole of one such string. */
MUST_CHECK enum err tz_rule_parse(struct view text, struct tz_rule *out);

/* Unix seconds of `date` in `year`, by a clock that stands `offset` ahead of UTC. */
int64_t tz_rule_instant(const struct tz_date *date, int64_t year, int32_t offset);

/* Unix seconds of 1 January, 00:00 UTC. */
int64_t tz_rule_year_start(int64_t year);

/* The year in UTC of an instant between the years -9999 and 9999. */
int64_t tz_rule_year(int64_t at);

#endif
