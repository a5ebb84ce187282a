/* SPDX-License-Identifier: Apache-2.0 */
/* `bartizan feed`: keeps the files of one folder at what a SPIFFE Workload API says.
 *
 * A stream for the X.509 bundles and, where an issuer's keys come from there, one for the JWT
 * bundles. Each message is the full state: what it does not name goes away. What a message
 * means is written first, that it was confirmed (feed_stamp.h) after it.
 *
 * A stream that says nothing is no proof that anybody is there, so that it is opened anew
 * after a fourth of `workload_api.max_age`, five minutes at most: the first message is the
 * full state again (SPIFFE_Workload_API.md section 4.3), and confirms it.
 *
 *   what happens                                   files            next attempt
 *   a good message                                 as it says       the backoff begins anew
 *   a message that is malformed, or refused        stay             the stream goes on; by the
 *                                                                   silence of good ones it ends
 *   a message that cannot be written               as far as it    asked for again after a second,
 *                                                  went            then by backoff.h
 *   no good message 10 s after opening             stay             backoff.h
 *   a stream with a good message ends              stay             at once, once a second at most
 *   PermissionDenied                               are taken away   backoff.h
 *   InvalidArgument, Unimplemented                 stay             after 5 minutes, told as an error
 *   any other end (Unavailable ..)                 stay             backoff.h
 * What stays goes stale by its age, which the decider judges. */
#ifndef BARTIZAN_FEED_H
#define BARTIZAN_FEED_H

#include "config.h"
#include "workload_endpoint.h"

struct feed_config {
    const struct config *config;
    const char *target; /* of workload_endpoint_parse */
    bool is_once;       /* end as soon as every stream has brought a good message */
    uint32_t seconds;   /* with is_once: give up after so many */
};

enum feed_end {
    FEED_FAILED = 0, /* the folder cannot be used; told */
    FEED_DONE,       /* is_once: all is there; else: SIGTERM or SIGINT */
    FEED_LATE,       /* is_once: not within the time */
    FEED_DENIED,     /* is_once: refused by an answer after which waiting does not help */
    FEED_BUSY,       /* another feed has the folder */
};

/* Runs until the end. The calling thread has SIGTERM and SIGINT blocked; the log tells what happens. */
enum feed_end feed_run(const struct feed_config *config);

#endif
