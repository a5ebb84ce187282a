/* SPDX-License-Identifier: Apache-2.0 */
/* What `bartizan audit tail` takes and prints, whether the records come from a
 * journal folder or from the live tap. */
#ifndef BARTIZAN_TAIL_VIEW_H
#define BARTIZAN_TAIL_VIEW_H

#include "audit_event.h"
#include "sequence_check.h"

#include <stdio.h>

enum tail_format { TAIL_SENTENCE = 0, TAIL_JSON };

/* tail [--connect ENDPOINT | --journal DIR [--from-start] [--no-follow]] [--format sentence|json]
 *      [--count N] [--timeout SECONDS] [--topic PREFIX] [--summary] */
struct tail_options {
    const char *connect; /* ZeroMQ endpoint of a live tap */
    const char *journal; /* folder; exactly one of the two */
    bool is_from_start;
    bool is_once; /* --no-follow: ends where the journal ends now */
    enum tail_format format;
    uint64_t count;    /* ends after as many records; 0: no end */
    uint32_t timeout;  /* seconds; ends then; 0: no end */
    struct view topic; /* prefix of audit_event_topic; absent: all */
    bool is_summary;   /* "N records, M missing" at the end */
};

/* Reads the arguments behind the subcommand's name. ERR_INVALID with the fault
 * said on stderr. */
MUST_CHECK enum err tail_view_parse_options(int argc, char **argv, struct tail_options *out);

struct tail_view;

/* ERR_NO_MEMORY. `options` stays the caller's. */
MUST_CHECK enum err tail_view_open(const struct tail_options *options, FILE *out, struct tail_view **view);
void tail_view_close(struct tail_view *view);

/* Prints one record and counts it. True when no more is wanted. A record that
 * does not parse is said on stderr and counted as bad. */
bool tail_view_take(struct tail_view *view, struct view payload);

/* Counts a part of the journal that cannot be read. */
void tail_view_note_bad(struct tail_view *view, const char *what);

/* Prints the summary when asked for; true when nothing is missing or bad. With a
 * topic, sequences tell nothing and are not judged. */
bool tail_view_finish(struct tail_view *view);

/* Prints "missing: ..." for a gap; for sequence_check_report with a FILE as context. */
void tail_view_print_gap(void *context, const struct sequence_gap *gap);

#endif
