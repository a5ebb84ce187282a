/* SPDX-License-Identifier: Apache-2.0 */
/* How far a journal has been published: the file `ship.position` in its folder,
 * one line `v1 EPOCH SEQUENCE` (32 hex digits, decimal) of the last record sent. */
#ifndef BARTIZAN_SHIP_POSITION_H
#define BARTIZAN_SHIP_POSITION_H

#include "journal_reader.h"

/* ERR_NOT_FOUND when there is none; ERR_MALFORMED; ERR_IO. */
MUST_CHECK enum err ship_position_read(const char *folder, struct journal_position *out);

/* Whole or not at all: temporary file, fsync, rename. ERR_IO. */
MUST_CHECK enum err ship_position_write(const char *folder, const struct journal_position *position);

#endif
