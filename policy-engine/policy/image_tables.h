/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of a compiled policy, one way and the other, by the record definitions.
 *
 * A row is its record's fields one behind the other, each number as LEB128 in its
 * shortest form; what has a sign as 2n, or -2n - 1 below zero. The two text sections
 * come first: the length of every text, and the texts, each with a NUL behind it. */
#ifndef BARTIZAN_IMAGE_TABLES_H
#define BARTIZAN_IMAGE_TABLES_H

#include "image_records.h"
#include "policy_internal.h"

enum { IMAGE_SECTION_LENGTHS = 0, IMAGE_SECTION_TEXT, IMAGE_SECTION_RECORDS };
enum { IMAGE_SECTIONS_MAX = IMAGE_SECTION_RECORDS + IMAGE_RECORDS };

/* Of the text sections `rows` is the number of texts. */
struct image_section {
    struct view bytes;
    uint32_t rows;
};

/* Two text sections and one for each record that has rows, in that order. */
struct image_tables {
    struct image_section sections[IMAGE_SECTIONS_MAX];
    size_t count;
};

/* The name of section `index`, or the absent view past the last. */
struct view image_section_name(size_t index);

/* Where reading stopped, in words; static. */
struct image_fault {
    const char *record, *field; /* NULL: none */
    uint32_t row;
    const char *problem;
};

/* Equal rows are written once. ERR_UNSUPPORTED: a value that the definitions do not have; ERR_LIMIT, ERR_NO_MEMORY. */
MUST_CHECK enum err image_tables_write(const struct policy *policy, struct arena *arena, struct image_tables *out);

/* Fills policy->model and policy->tests, in policy->arena, which has a copy of what is used of `tables`. ERR_MALFORMED
 * and ERR_LIMIT: see `fault`. */
MUST_CHECK enum err image_tables_read(const struct image_tables *tables, struct policy *policy,
                                      struct image_fault *fault);

/* What the definitions do not say and deciding relies on. Of one row, which is read already but for references to its
 * own table: NULL, or the problem in words. */
const char *image_row_check(enum image_record_id id, const void *self);

/* And of all rows together. ERR_MALFORMED: see `fault`; ERR_NO_MEMORY. */
MUST_CHECK enum err image_check(const struct policy *policy, struct image_fault *fault);

#endif
