/* SPDX-License-Identifier: Apache-2.0 */
/* The record definitions of a compiled policy: image_records.def as a table. */
#ifndef BARTIZAN_IMAGE_RECORDS_H
#define BARTIZAN_IMAGE_RECORDS_H

#include "view.h"

#include <stdio.h>

enum image_kind {
    IMAGE_INDEX = 0,
    IMAGE_NUM,
    IMAGE_TIME,
    IMAGE_FLAG,
    IMAGE_CHOICE,
    IMAGE_TEXT,
    IMAGE_TEXTS, /* also VIEWS: the two members of a string_list are found like those of any list */
    IMAGE_NAMES,
    IMAGE_TEXT_ARRAY,
    IMAGE_BYTES,
    IMAGE_INSIDE,
    IMAGE_SHARED,
    IMAGE_COUNT,
    IMAGE_LIST,
    IMAGE_ONE,
    IMAGE_OWN,
    IMAGE_REF,
    IMAGE_REF_OR_NONE,
    IMAGE_REFS,
    IMAGE_PER_ISSUER,
    IMAGE_SKIP,
};

enum image_record_id {
#define IMAGE_ID_(self) IMAGE_RECORD_##self
#define IMAGE_ID(self) IMAGE_ID_(self)
#define RECORD(roots, depth) IMAGE_ID(SELF),
#define FIELD(...)
#define END
#include "image_records.def"
#undef END
#undef FIELD
#undef RECORD
    IMAGE_RECORDS
};

struct image_field {
    const char *name;
    enum image_kind kind;
    uint32_t offset, size;             /* in the struct */
    uint32_t count_offset, count_size; /* of the member that counts */
    enum image_record_id record;
    uint64_t least, most;     /* NUM, FLAG, CHOICE */
    const char *const *words; /* CHOICE: most + 1 of them */
};

struct image_record {
    const char *name; /* of the struct */
    const struct image_field *fields;
    uint32_t field_count;
    uint32_t size; /* of the struct */
    bool is_root;
    uint8_t depth;
};

/* Static. */
const struct image_record *image_record(enum image_record_id id);

/* False for a record that is only ever inside others: it has no section. */
bool image_record_has_rows(enum image_record_id id);

/* The member of `size` bytes, 1, 2, 4 or 8, of a struct, as it is without a sign. */
uint64_t image_number_at(const char *self, uint32_t offset, uint32_t size);

/* The definitions as tables of Markdown: what the layout's digest is of. */
void image_records_print(FILE *out);

#endif
