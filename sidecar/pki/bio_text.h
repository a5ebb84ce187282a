/* SPDX-License-Identifier: Apache-2.0 */
/* Text to and from OpenSSL's readers and writers. */
#ifndef BARTIZAN_BIO_TEXT_H
#define BARTIZAN_BIO_TEXT_H

#include "arena.h"

#include <openssl/bio.h>

/* Reads `text`, which is borrowed; NULL when it is too long or memory is short. */
BIO *bio_text_read(struct view text);

/* What was written into a BIO in memory, as a copy in `arena`; absent for a NULL one and when it does not fit. */
struct view bio_text_copy(BIO *bio, struct arena *arena);

void bio_text_drop(BIO **bio); /* for AUTO */

#endif
