/* SPDX-License-Identifier: Apache-2.0 */
/* Millions of refusals in at most 24 bytes each, the index included: 120 bits of a
 * SHA-256, and two times. The texts are not kept.
 *
 * Nobody is overlooked: equal texts have equal prints. Who is refused without being on
 * the list has a print in common with an entry: for n entries and q texts asked about,
 * odds of n * q / 2^120, which is 10^-18 for a million entries and 10^12 callers. Whoever
 * wants it so has to find a second preimage of 120 bits.
 *
 * Rows are sorted by their print, and an index leads to the 8 to 16 that share its first
 * bits. Within those it is a binary search, so that texts chosen to fall together cost
 * no more than a logarithm. */
#ifndef BARTIZAN_DENY_TABLE_H
#define BARTIZAN_DENY_TABLE_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DENY_PRINT_BYTES = 15, DENY_TABLE_ROWS_MAX = 4 * 1000 * 1000 };

#define DENY_TABLE_ALWAYS INT64_MAX

struct deny_row {
    uint8_t print[DENY_PRINT_BYTES];
    int64_t expires;       /* unix seconds; holds before it; DENY_TABLE_ALWAYS. Past the year 2105 it is always */
    int64_t issued_before; /* only what was issued before it; DENY_TABLE_ALWAYS: whatever its age, and the same */
};

struct deny_table;

/* An empty table for at most `most` rows. ERR_LIMIT: more than DENY_TABLE_ROWS_MAX. */
MUST_CHECK enum err deny_table_open(size_t most, struct deny_table **out);
void deny_table_free(struct deny_table *table); /* harmless on NULL */

/* Before deny_table_close. ERR_LIMIT: there are `most` already. Equal prints may come more than once. */
MUST_CHECK enum err deny_table_add(struct deny_table *table, const struct deny_row *row);

/* No more rows come: from now on it can be asked, from any thread. ERR_NO_MEMORY. */
MUST_CHECK enum err deny_table_close(struct deny_table *table);

/* True when a row of this print holds at `now` for something issued at `issued_at`. */
bool deny_table_has(const struct deny_table *table, const uint8_t print[DENY_PRINT_BYTES], int64_t now,
                    int64_t issued_at);

size_t deny_table_count(const struct deny_table *table);
size_t deny_table_bytes(const struct deny_table *table); /* of memory, for a closed one */

#endif
