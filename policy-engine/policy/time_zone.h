/* SPDX-License-Identifier: Apache-2.0 */
/* The local time of a zone: which offset from UTC holds at an instant.
 *
 * A zone is a table of shifts that is read once (tzif.h) and then never changes, so
 * that a decision depends on nothing but the policy and the facts. Every instant has
 * exactly one local time: an hour that the clocks skip never comes, one that they
 * repeat comes twice. */
#ifndef BARTIZAN_TIME_ZONE_H
#define BARTIZAN_TIME_ZONE_H

#include "view.h"

/* The Gregorian calendar repeats itself, days of the week included, after 400 years;
 * and with it a zone whose summer time follows a yearly rule. */
#define TIME_ZONE_CYCLE ((int64_t)146097 * 86400)

struct zone_shift {
    int64_t from;   /* unix seconds */
    int32_t offset; /* local time less UTC from then on, in seconds; -25 h to 26 h */
};

struct time_zone {
    struct view name;
    const struct zone_shift *shifts; /* ascending; the first holds for whatever is before the second */
    size_t count;                    /* at least 1 */
    int64_t repeats_from;            /* from here on as one cycle earlier; INT64_MAX: the last shift holds for ever */
};

/* True for a name of the shape that all names of the IANA database have: parts of
 * letters, digits, `_`, `+`, `-` that begin with a capital letter, between slashes.
 * It can therefore not leave the folder that it is looked up in, nor name a file
 * there that is no zone of its own (localtime, posixrules, right/..). */
bool time_zone_is_name(struct view name);

/* The offset that holds at `at`, in seconds; NULL is UTC. */
int32_t time_zone_offset(const struct time_zone *zone, int64_t at);

#endif
