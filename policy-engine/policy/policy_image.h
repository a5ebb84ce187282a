/* SPDX-License-Identifier: Apache-2.0 */
/* A policy as a file: what policy_build made of its documents, ready to decide.
 *
 * One table of record definitions (image_records.def) says what every struct of the
 * model is in the file. From it come the writer, the reader and the documentation
 * (docs/compiled-policy.md), and its SHA-256 is the layout that a file carries: a
 * file of another layout is refused, never guessed at. The same documents with the
 * same time zone data give the same bytes, on every machine.
 *
 * Layout, little endian:
 *     0  24 bytes  "bartizan policy program\n"
 *    24  u16 u16   format: major, minor
 *    28  u32       number of sections
 *    32  u64       bytes of the whole file
 *    40  u32       number of rules
 *    44  u32       zero
 *    48  32 bytes  layout: SHA-256 of the record definitions
 *    80  32 bytes  SHA-256 of the documents' meaning: policy_digest
 *   112  32 bytes  SHA-256 of the time zones that the policy reads
 *   144  32 bytes  the release that compiled it, padded with NUL
 *   176  sections: {24 bytes name padded with NUL, u64 offset, u32 bytes, u32 rows} each
 *        the sections in that order, with nothing between them
 *   end  32 bytes  SHA-256 of every byte before */
#ifndef BARTIZAN_POLICY_IMAGE_H
#define BARTIZAN_POLICY_IMAGE_H

#include "policy.h"

enum {
    POLICY_IMAGE_MAJOR = 1,
    POLICY_IMAGE_MINOR = 0,
    POLICY_IMAGE_DIGEST_BYTES = 32,
    POLICY_IMAGE_RELEASE_BYTES = 32,
    POLICY_IMAGE_SECTIONS_MAX = 64,
    POLICY_IMAGE_START_BYTES = 24, /* by which policy_image_is knows it */
    POLICY_IMAGE_BYTES_MAX = 48 * 1024 * 1024,
};

/* What a file says of itself. Views borrow from the bytes. */
struct policy_image_head {
    uint16_t major, minor;
    struct view release;       /* "0.1.0" */
    const uint8_t *layout;     /* POLICY_IMAGE_DIGEST_BYTES each */
    const uint8_t *documents;  /* policy_digest, not as hex */
    const uint8_t *time_zones; /* of the data that was embedded; that of no bytes where no zone is named */
    const uint8_t *sha256;     /* of every byte before it: what a signature or an inventory names */
    bool is_of_this_layout;    /* this release reads it */
    uint32_t rule_count;
    size_t section_count;
    struct policy_image_section {
        struct view name;
        uint64_t offset;
        uint32_t bytes, rows;
    } sections[POLICY_IMAGE_SECTIONS_MAX];
};

/* True for bytes that begin as a compiled policy of some version does. */
bool policy_image_is(struct view bytes);

/* Reads the head of a file of any layout of this major format, and checks that the
 * file is whole (its length and its SHA-256). ERR_MALFORMED; ERR_UNSUPPORTED:
 * another major format; ERR_NO_MEMORY. */
MUST_CHECK enum err policy_image_head(struct view bytes, struct policy_image_head *out);

/* Writes `policy` into `arena` and proves that policy_image_read takes it. ERR_LIMIT:
 * it is larger than a file can be; ERR_NO_MEMORY. */
MUST_CHECK enum err policy_image_write(const struct policy *policy, struct arena *arena, struct view *out);

/* Makes a policy of `bytes`, which may be freed after. Every index, count, number and
 * text is checked, and all that deciding relies on, before anything is used: bytes
 * that are not what policy_image_write wrote are refused, or decide and explain
 * without harm. `name` is shown in messages. ERR_INVALID: see `diags`; ERR_NO_MEMORY. */
MUST_CHECK enum err policy_image_read(struct view name, struct view bytes, struct diag_list *diags,
                                      struct policy **out);

/* The SHA-256 of this release's record definitions. ERR_NO_MEMORY. */
MUST_CHECK enum err policy_image_layout(uint8_t out[POLICY_IMAGE_DIGEST_BYTES]);

/* The record definitions as the tables of docs/compiled-policy.md. */
void policy_image_print_layout(FILE *out);

#endif
