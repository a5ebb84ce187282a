/* SPDX-License-Identifier: Apache-2.0 */
#include "deny_table.h"

#include <stdlib.h>
#include <string.h>

enum { INDEX_BITS_MAX = 24, ROWS_PER_BUCKET = 8, SORTED_BY_INSERTION = 32 };

/* Bytes only, so that an array has no gaps. */
struct packed {
    uint8_t print[DENY_PRINT_BYTES];
    uint8_t expires[4], issued_before[4]; /* little endian */
};
_Static_assert(sizeof(struct packed) == 23, "an entry and its share of the index fit in 24 bytes");

struct deny_table {
    struct packed *rows;
    uint32_t *index; /* of the first row of each bucket, and one past the last; NULL until closed */
    size_t count, most;
    unsigned bits; /* of a print that name its bucket */
};

/* ---- rows ---- */

/* Later than can be said is always: that refuses more, not less. */
static void pack_time(int64_t time, uint8_t out[4])
{
    uint32_t value = time < 0 ? 0 : time >= UINT32_MAX ? UINT32_MAX : (uint32_t)time;
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(value >> 8 * i);
}

static int64_t unpack_time(const uint8_t in[4])
{
    uint32_t value = (uint32_t)in[0] | (uint32_t)in[1] << 8 | (uint32_t)in[2] << 16 | (uint32_t)in[3] << 24;
    return value == UINT32_MAX ? DENY_TABLE_ALWAYS : (int64_t)value;
}

static size_t bucket_of(const uint8_t print[DENY_PRINT_BYTES], unsigned bits)
{
    uint32_t head = (uint32_t)print[0] << 24 | (uint32_t)print[1] << 16 | (uint32_t)print[2] << 8 | (uint32_t)print[3];
    return bits == 0 ? 0 : head >> (32 - bits);
}

static int by_print(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct packed));
}

/* ---- building ---- */

enum err deny_table_open(size_t most, struct deny_table **out)
{
    if (most > DENY_TABLE_ROWS_MAX)
        return ERR_LIMIT;
    struct deny_table *table = calloc(1, sizeof *table);
    struct packed *rows = malloc((most + 1) * sizeof *rows);
    if (!table || !rows) {
        free(table);
        free(rows);
        return ERR_NO_MEMORY;
    }
    *table = (struct deny_table){.rows = rows, .most = most};
    *out = table;
    return ERR_NONE;
}

void deny_table_free(struct deny_table *table)
{
    if (!table)
        return;
    free(table->rows);
    free(table->index);
    free(table);
}

enum err deny_table_add(struct deny_table *table, const struct deny_row *row)
{
    if (table->count == table->most)
        return ERR_LIMIT;
    struct packed *packed = &table->rows[table->count++];
    memcpy(packed->print, row->print, sizeof packed->print);
    pack_time(row->expires, packed->expires);
    pack_time(row->issued_before, packed->issued_before);
    return ERR_NONE;
}

static void sort(struct packed *rows, size_t count)
{
    if (count > SORTED_BY_INSERTION) {
        qsort(rows, count, sizeof *rows, by_print);
        return;
    }
    for (size_t i = 1; i < count; i++) {
        struct packed row = rows[i];
        size_t at = i;
        for (; at > 0 && by_print(&rows[at - 1], &row) > 0; at--)
            rows[at] = rows[at - 1];
        rows[at] = row;
    }
}

/* Counts into index[bucket + 1], whose sums are where the buckets begin. */
static void count_buckets(struct deny_table *table, size_t buckets)
{
    for (size_t i = 0; i < table->count; i++)
        table->index[bucket_of(table->rows[i].print, table->bits) + 1]++;
    for (size_t i = 0; i < buckets; i++)
        table->index[i + 1] += table->index[i];
}

/* Each row to its bucket: index[bucket] moves to the bucket's end, which is where the next begins. */
static void spread(struct deny_table *table, size_t buckets, struct packed *to)
{
    for (size_t i = 0; i < table->count; i++)
        to[table->index[bucket_of(table->rows[i].print, table->bits)]++] = table->rows[i];
    memmove(table->index + 1, table->index, buckets * sizeof *table->index);
    table->index[0] = 0;
    for (size_t i = 0; i < buckets; i++)
        sort(to + table->index[i], table->index[i + 1] - table->index[i]);
}

enum err deny_table_close(struct deny_table *table)
{
    unsigned bits = 0;
    while (bits < INDEX_BITS_MAX && (size_t)ROWS_PER_BUCKET << (bits + 1) <= table->count)
        bits++;
    size_t buckets = (size_t)1 << bits;
    table->bits = bits;
    table->index = calloc(buckets + 1, sizeof *table->index);
    struct packed *rows = malloc((table->count + 1) * sizeof *rows);
    if (!table->index || !rows) {
        free(rows);
        return ERR_NO_MEMORY;
    }
    count_buckets(table, buckets);
    spread(table, buckets, rows);
    free(table->rows);
    table->rows = rows;
    return ERR_NONE;
}

/* ---- asking ---- */

static size_t first_of(const struct deny_table *table, const uint8_t print[DENY_PRINT_BYTES], size_t from, size_t to)
{
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (memcmp(table->rows[middle].print, print, DENY_PRINT_BYTES) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

bool deny_table_has(const struct deny_table *table, const uint8_t print[DENY_PRINT_BYTES], int64_t now,
                    int64_t issued_at)
{
    size_t bucket = bucket_of(print, table->bits), end = table->index[bucket + 1];
    size_t at = first_of(table, print, table->index[bucket], end);
    for (; at < end && memcmp(table->rows[at].print, print, DENY_PRINT_BYTES) == 0; at++) {
        const struct packed *row = &table->rows[at];
        if (now < unpack_time(row->expires) && issued_at < unpack_time(row->issued_before))
            return true;
    }
    return false;
}

size_t deny_table_count(const struct deny_table *table)
{
    return table->count;
}

size_t deny_table_bytes(const struct deny_table *table)
{
    return sizeof *table + (table->count + 1) * sizeof *table->rows +
           (((size_t)1 << table->bits) + 1) * sizeof *table->index;
}
