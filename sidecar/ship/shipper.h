/* SPDX-License-Identifier: Apache-2.0 */
/* Publishes a journal as it grows: the live tap, a ZeroMQ XPUB socket that any SUB
 * may dial.
 *
 * A message has three frames: `topic | position | record`. The topic is that of
 * audit_event_topic (`v1.VERDICT.RESOURCE_TYPE.RULE`), a record that does not parse
 * goes as `v1.unknown`; the position is a bartizan.audit.v1.Position; the record is
 * the journal's own bytes, a bartizan.audit.v1.Record. Beside them, whenever a
 * subscription arrives, one frame `hello`: who subscribes to its topic first and to
 * `hello` second knows by it that nothing published from now on passes it by.
 *
 * Best effort, and it never slows anyone: ZeroMQ drops for a subscriber that is
 * slow (4,096 messages behind) or not there. Sequences show what is missing; the
 * journal has it. Sent at least once: the position is kept in the journal's folder
 * each second and at the end, and a restart goes on from there. */
#ifndef BARTIZAN_SHIPPER_H
#define BARTIZAN_SHIPPER_H

#include "err.h"
#include "view.h"

#include <signal.h>

struct shipper;

struct shipper_config {
    const char *journal;  /* folder; may be missing still */
    const char *bind;     /* ipc://PATH, or tcp:// on a loopback address: the tap has no authentication */
    struct view instance; /* for positions, where a record names none; borrowed */
};

/* Binds. ERR_INVALID: the endpoint is not one of those above; ERR_IO: it cannot be
 * bound; both are logged. The socket file of ipc:// is for owner and group. */
MUST_CHECK enum err shipper_open(const struct shipper_config *config, struct shipper **out);

/* Publishes until *stop is set, then what is there, and returns. Looks at the
 * journal after 1 ms, and while nothing comes ever more rarely, up to 50 ms. */
void shipper_run(struct shipper *shipper, const volatile sig_atomic_t *stop);

/* Saves the position and closes; waits at most half a second for subscribers. */
void shipper_close(struct shipper *shipper);

#endif
