/* SPDX-License-Identifier: Apache-2.0 */
/* What `bartizan feed` leaves behind about itself, in `feed.json` of its folder: how
 * its streams stand, and when the Workload API last confirmed what it wrote.
 *
 * The decider holds the age of that against `workload_api.max_age`, by itself: also
 * a feed that has died or hangs makes its trust domains and key sets go stale, and
 * what is stale is as if it were not there. Ages are of CLOCK_BOOTTIME, which nobody
 * sets and which goes on while the machine sleeps; the boot's ID stands beside it,
 * since after a restart of the machine it counts from zero again. No stamp, one of
 * another boot or of a boot that is not known, one of the future: stale. */
#ifndef BARTIZAN_FEED_STAMP_H
#define BARTIZAN_FEED_STAMP_H

#include "config.h"

enum workload_kind { WORKLOAD_X509 = 0, WORKLOAD_JWT, WORKLOAD_KINDS };

enum feed_state {
    FEED_UNUSED = 0, /* nothing of the configuration needs this stream */
    FEED_WAITING,    /* not connected; tries again by itself */
    FEED_STREAMING,
    FEED_REFUSED, /* by an answer after which trying again does not help */
};

enum { FEED_BOOT_ID_MAX = 40, FEED_ERROR_MAX = 400, FEED_STAMP_BYTES_MAX = 16 * 1024 };

struct feed_stream_stamp {
    enum feed_state state;
    int64_t confirmed_ns; /* CLOCK_BOOTTIME of the last message that was taken; 0: none yet */
    int64_t confirmed_at; /* the same in unix seconds, for people */
    uint64_t messages;    /* taken since the feed started */
    uint64_t failures;    /* streams that broke, were refused or sent what was not taken, since then */
    int64_t error_at;     /* unix seconds of the last failure; 0: none */
    char error[FEED_ERROR_MAX];
};

struct feed_stamp {
    char boot_id[FEED_BOOT_ID_MAX]; /* empty where the system does not tell it: then nothing is ever fresh */
    struct feed_stream_stamp streams[WORKLOAD_KINDS];
};

/* "x509", "jwt" */
const char *workload_kind_text(enum workload_kind kind);
/* "unused", "waiting", "streaming", "refused" */
const char *feed_state_text(enum feed_state state);

/* ERR_MALFORMED for anything but what feed_stamp_print writes; ERR_NO_MEMORY. */
MUST_CHECK enum err feed_stamp_parse(struct view text, struct arena *arena, struct feed_stamp *out);
/* A JSON object on one line; absent when out of memory. */
struct view feed_stamp_print(const struct feed_stamp *stamp, struct arena *arena);

/* The file of `config`: ERR_NOT_FOUND, ERR_IO, ERR_MALFORMED and so on. */
MUST_CHECK enum err feed_stamp_read(const struct config *config, struct feed_stamp *out);
/* Writes it whole. ERR_IO, ERR_NO_MEMORY. */
MUST_CHECK enum err feed_stamp_write(const struct config *config, const struct feed_stamp *stamp);

/* The ID of this boot as a stamp has it, and CLOCK_BOOTTIME in ns. */
void feed_boot_id(char out[FEED_BOOT_ID_MAX]);
int64_t feed_clock_ns(void);

/* How long ago what the stream brought was confirmed. False: it was not since this boot, as far as is known. */
bool feed_stamp_age(const struct feed_stamp *stamp, enum workload_kind kind, const char *boot_id, int64_t now_ns,
                    int64_t *age_ns);

/* Nanoseconds for which what the stream brought can still be used; 0: it is stale. */
int64_t feed_stamp_left(const struct feed_stamp *stamp, enum workload_kind kind, const char *boot_id, int64_t now_ns,
                        int64_t max_age_ns);

/* How the files of `config` stand now. All zero where it needs none. */
struct feed_freshness {
    int64_t left_ns[WORKLOAD_KINDS]; /* of feed_stamp_left */
};
void feed_freshness_read(const struct config *config, struct feed_freshness *out);

#endif
