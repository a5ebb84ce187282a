/* SPDX-License-Identifier: Apache-2.0 */
/* A compiled time zone file, RFC 8536 (TZif) version 2 to 4.
 *
 * The version 1 block is passed over. Refused: version 1 files; leap seconds (unix
 * seconds have none); a file that does not say how it goes on after its last shift. */
#ifndef BARTIZAN_TZIF_H
#define BARTIZAN_TZIF_H

#include "arena.h"
#include "time_zone.h"

enum { TZIF_BYTES_MAX = 65536 };

/* `bytes` as a zone in `arena`; out->name is the caller's to fill. ERR_MALFORMED,
 * ERR_UNSUPPORTED (version, leap seconds), ERR_LIMIT, ERR_NO_MEMORY. */
MUST_CHECK enum err tzif_parse(struct view bytes, struct arena *arena, struct time_zone *out);

#endif
