/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_digest.h"

#include "shape.h"

#include <endian.h>
#include <openssl/evp.h>

enum {
    BUFFER = 16 * 1024, /* a node gives a few bytes, and each update of the hash costs as much as a hundred */
    PAIRS_MAX = 64,     /* more than any block has keys */
};

/* A pair of a block's map: `rank` is its place in the block's table. */
struct ranked {
    const struct shape *shape;
    uint32_t rank, entry;
};

struct hasher {
    const struct tape *tape;
    EVP_MD_CTX *context;
    bool is_good;
    size_t used;
    unsigned char bytes[BUFFER];
    size_t depth; /* blocks in which the node stands that is put */
    struct ranked pairs[DOCUMENT_DEPTH_MAX][PAIRS_MAX];
};

static void flush(struct hasher *hasher)
{
    hasher->is_good = hasher->is_good && EVP_DigestUpdate(hasher->context, hasher->bytes, hasher->used) == 1;
    hasher->used = 0;
}

static void put(struct hasher *hasher, const void *bytes, size_t size)
{
    if (size > BUFFER - hasher->used)
        flush(hasher);
    if (size > BUFFER) {
        hasher->is_good = hasher->is_good && EVP_DigestUpdate(hasher->context, bytes, size) == 1;
        return;
    }
    memcpy(hasher->bytes + hasher->used, bytes, size);
    hasher->used += size;
}

/* A kind and a size of 8 bytes, the least significant first. */
static void put_head(struct hasher *hasher, unsigned kind, uint64_t size)
{
    const uint64_t bytes = htole64(size);
    unsigned char head[1 + sizeof bytes] = {(unsigned char)"slm"[kind]};
    memcpy(head + 1, &bytes, sizeof bytes);
    put(hasher, head, sizeof head);
}

static void put_scalar(struct hasher *hasher, size_t entry)
{
    struct view text = tape_text(hasher->tape, entry);
    put_head(hasher, NODE_SCALAR, text.size);
    put(hasher, text.data, text.size);
}

static void put_node(struct hasher *hasher, size_t entry, const struct shape *shape);

/* Of a block in the order of its table, whatever the order of the file. */
static void put_block(struct hasher *hasher, size_t entry, const struct block *block)
{
    struct ranked *pairs = hasher->pairs[hasher->depth];
    size_t count = hasher->tape->entries[entry].size, key = entry + 1;
    for (size_t i = 0; i < count && i < PAIRS_MAX; i++) {
        const struct field *field = block_field(block, tape_text(hasher->tape, key));
        struct ranked pair = {.rank = (uint32_t)(field ? (size_t)(field - block->fields) : block->count),
                              .entry = (uint32_t)key,
                              .shape = field ? field->shape : NULL};
        size_t at = i;
        for (; at > 0 && pairs[at - 1].rank > pair.rank; at--)
            pairs[at] = pairs[at - 1];
        pairs[at] = pair;
        key = tape_after(hasher->tape, key + 1);
    }
    hasher->depth++;
    for (size_t i = 0; i < count && i < PAIRS_MAX; i++) {
        put_scalar(hasher, pairs[i].entry);
        put_node(hasher, pairs[i].entry + 1, pairs[i].shape);
    }
    hasher->depth--;
}

static void put_pairs(struct hasher *hasher, size_t entry, const struct shape *shape)
{
    const struct shape *part = shape_for(shape, NODE_MAP);
    if (part && part->kind == SHAPE_BLOCK && part->block) {
        put_block(hasher, entry, part->block);
        return;
    }
    size_t count = hasher->tape->entries[entry].size, key = entry + 1;
    for (size_t i = 0; i < count; i++) {
        put_scalar(hasher, key);
        put_node(hasher, key + 1, part && part->kind == SHAPE_ENTRIES ? part->of : NULL);
        key = tape_after(hasher->tape, key + 1);
    }
}

static void put_node(struct hasher *hasher, size_t entry, const struct shape *shape)
{
    struct tape_entry it = hasher->tape->entries[entry];
    uint64_t size = it.size;
    if (it.kind == NODE_SCALAR) {
        put_scalar(hasher, entry);
        return;
    }
    put_head(hasher, it.kind, size);
    if (it.kind == NODE_MAP) {
        put_pairs(hasher, entry, shape);
        return;
    }
    const struct shape *below = shape_below(shape, NODE_LIST, (struct view){0});
    for (size_t i = 0, at = entry + 1; i < size; i++, at = tape_after(hasher->tape, at))
        put_node(hasher, at, below);
}

static void put_documents(struct hasher *hasher, const struct tape *tapes, size_t count)
{
    static const struct shape document = {.kind = SHAPE_BLOCK, .block = &load_document_block};
    for (size_t i = 0; i < count; i++) {
        hasher->tape = &tapes[i];
        for (size_t entry = 0; entry < tapes[i].count; entry = tape_after(&tapes[i], entry))
            put_node(hasher, entry, &document);
    }
    flush(hasher);
}

enum err policy_digest_make(const struct tape *tapes, size_t count, char hex[POLICY_DIGEST_HEX])
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    struct hasher hasher;
    hasher.used = hasher.depth = 0;
    hasher.context = EVP_MD_CTX_new();
    hasher.is_good = hasher.context != NULL && EVP_DigestInit_ex(hasher.context, EVP_sha256(), NULL) == 1;
    if (hasher.is_good)
        put_documents(&hasher, tapes, count);
    hasher.is_good = hasher.is_good && EVP_DigestFinal_ex(hasher.context, bytes, NULL) == 1;
    EVP_MD_CTX_free(hasher.context);
    for (size_t i = 0; hasher.is_good && i < POLICY_DIGEST_HEX / 2; i++) {
        hex[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
    return hasher.is_good ? ERR_NONE : ERR_NO_MEMORY;
}
