/* SPDX-License-Identifier: Apache-2.0 */
#include "part.h"

#include <stdlib.h>

void part_drop(struct part *part)
{
    if (part == NULL || atomic_fetch_sub(&part->references, 1) != 1)
        return;
    if (part->thing != NULL)
        part->release(part->thing);
    free(part);
}

bool part_lend(struct builder *b, enum part_kind kind, const uint8_t fingerprint[SHA256_BYTES])
{
    struct part *old = b->previous != NULL ? b->previous->parts[kind] : NULL;
    if (old == NULL || memcmp(old->fingerprint, fingerprint, SHA256_BYTES) != 0)
        return false;
    part_share(b, kind, b->previous);
    return true;
}

struct part *part_new(struct builder *b, enum part_kind kind, const uint8_t fingerprint[SHA256_BYTES],
                      void (*release)(void *))
{
    struct part *part = calloc(1, sizeof(*part));
    if (part == NULL)
        return NULL;
    atomic_init(&part->references, 1);
    part->release = release;
    memcpy(part->fingerprint, fingerprint, SHA256_BYTES);
    b->next->parts[kind] = part;
    return part;
}

void part_share(struct builder *b, enum part_kind kind, const struct snapshot_owner *from)
{
    part_drop(b->next->parts[kind]);
    b->next->parts[kind] = from->parts[kind];
    if (b->next->parts[kind] != NULL)
        atomic_fetch_add(&b->next->parts[kind]->references, 1);
}
