/* SPDX-License-Identifier: Apache-2.0 */
#include "bio_text.h"

#include <limits.h>

BIO *bio_text_read(struct view text)
{
    return text.size <= INT_MAX ? BIO_new_mem_buf(text.data, (int)text.size) : NULL;
}

struct view bio_text_copy(BIO *bio, struct arena *arena)
{
    char *bytes = NULL;
    long size = bio ? BIO_get_mem_data(bio, &bytes) : -1;
    return size >= 0 ? arena_copy(arena, (struct view){size > 0 ? bytes : "", (size_t)size}) : (struct view){0};
}

void bio_text_drop(BIO **bio)
{
    BIO_free_all(*bio);
}
