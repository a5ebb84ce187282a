/* SPDX-License-Identifier: Apache-2.0 */
/* One allocation, made at open, holds everything:
 *
 *   struct token_cache | slots | heads | owners | refusals | pages
 *
 * An entry is a run of whole pages: its struct token, the token's text, the claims.
 * A hand walks over the pages as a clock: an entry that was found since the hand
 * last passed is left once, another one makes room. Refusals stand apart, so that a
 * flood of bad tokens pushes out no good one. */
#include "token_cache.h"

#include <stdalign.h>
#include <stdlib.h>

enum {
    ENTRIES_DEFAULT = 1024,
    ENTRIES_MAX = 1 << 20,
    MEMORY_DEFAULT = 8 * 1024 * 1024,
    PAGE = 512,
    REFUSAL_TEXT = 2048,
    REFUSAL_SECONDS = 2,
    REFUSAL_SHARE = 32, /* one part in so many of the memory keeps refusals */
    NONE = 0,           /* of slot and page numbers, which count from 1 where they are kept */
};

struct slot {
    uint64_t hash;
    uint64_t epoch;
    struct token *token; /* NULL: free */
    struct view text;
    uint32_t next;       /* slot + 1 of the same head or of the free list */
    uint32_t first_page; /* index */
    uint32_t page_count;
    bool was_found; /* since the hand passed */
};

struct refusal {
    uint64_t hash;
    uint64_t epoch;
    int64_t since;
    enum reason reason; /* REASON_INTERNAL: empty */
    uint32_t size;
    char text[REFUSAL_TEXT];
};

struct token_cache {
    struct hash_key key;
    struct slot *slots;
    uint32_t *heads;  /* per hash: slot + 1 */
    uint32_t *owners; /* per page: slot + 1 */
    struct refusal *refusals;
    char *pages;
    uint32_t slot_count, page_count, refusal_count, head_mask;
    uint32_t free_slots; /* slot + 1 */
    uint32_t hand;       /* page */
};

/* ---- deep copy: one walk measures, then writes ---- */

struct sink {
    char *memory; /* NULL: only measure */
    size_t used;
};

static void *sink_take(struct sink *sink, size_t size, size_t alignment)
{
    sink->used = (sink->used + alignment - 1) & ~(alignment - 1);
    void *at = sink->memory != NULL ? sink->memory + sink->used : NULL;
    sink->used += size;
    return at;
}

static struct view copy_text(struct sink *sink, struct view text)
{
    char *copy = sink_take(sink, text.size, 1);
    if (!view_is_present(text) || copy == NULL)
        return (struct view){0};
    memcpy(copy, text.data, text.size);
    return (struct view){copy, text.size};
}

static const struct view *copy_texts(struct sink *sink, const struct view *texts, size_t count)
{
    struct view *copies = sink_take(sink, count * sizeof *copies, alignof(struct view));
    for (size_t i = 0; i < count; i++) {
        struct view copy = copy_text(sink, texts[i]);
        if (copies != NULL)
            copies[i] = copy;
    }
    return copies;
}

static struct value copy_value(struct sink *sink, const struct value *value)
{
    struct value copy = {.kind = value->kind, .text = copy_text(sink, value->text), .count = value->count};
    struct value *items = sink_take(sink, value->count * sizeof *items, alignof(struct value));
    for (size_t i = 0; i < value->count; i++) {
        struct value item = copy_value(sink, &value->items[i]); /* as deep as the token's JSON */
        if (items != NULL)
            items[i] = item;
    }
    copy.items = items;
    if (value->kind == VALUE_MAP)
        copy.names = copy_texts(sink, value->names, value->count);
    return copy;
}

static const struct value *copy_claims(struct sink *sink, const struct value *claims)
{
    if (claims == NULL)
        return NULL;
    struct value *copy = sink_take(sink, sizeof *copy, alignof(struct value));
    struct value value = copy_value(sink, claims);
    if (copy != NULL)
        *copy = value;
    return copy;
}

static void copy_token(struct sink *sink, const struct token *token, struct view text, struct slot *slot)
{
    struct token *copy = sink_take(sink, sizeof *copy, alignof(struct token));
    struct token filled = *token;
    struct user_facts *user = &filled.user;
    slot->text = copy_text(sink, text);
    filled.id = copy_text(sink, token->id);
    filled.confirmed_spiffe_id = copy_text(sink, token->confirmed_spiffe_id);
    user->issuer = copy_text(sink, user->issuer);
    user->subject = copy_text(sink, user->subject);
    user->acr = copy_text(sink, user->acr);
    user->client = copy_text(sink, user->client);
    for (size_t i = 0; i < user->actor_count; i++)
        user->actors[i] = copy_text(sink, user->actors[i]);
    user->amr = copy_texts(sink, user->amr, user->amr_count);
    user->claims = copy_claims(sink, user->claims);
    if (copy != NULL)
        *copy = filled;
    slot->token = copy;
}

/* ---- entries ---- */

static uint32_t *head_of(struct token_cache *cache, uint64_t hash)
{
    return &cache->heads[hash & cache->head_mask];
}

static struct slot *find_slot(struct token_cache *cache, uint64_t hash, struct view text)
{
    for (uint32_t at = *head_of(cache, hash); at != NONE; at = cache->slots[at - 1].next) {
        struct slot *slot = &cache->slots[at - 1];
        if (slot->hash == hash && view_equals(slot->text, text))
            return slot;
    }
    return NULL;
}

static void evict(struct token_cache *cache, struct slot *slot)
{
    uint32_t number = (uint32_t)(slot - cache->slots) + 1;
    uint32_t *link = head_of(cache, slot->hash);
    while (*link != number)
        link = &cache->slots[*link - 1].next;
    *link = slot->next;
    for (uint32_t i = 0; i < slot->page_count; i++)
        cache->owners[slot->first_page + i] = NONE;
    *slot = (struct slot){.next = cache->free_slots};
    cache->free_slots = number;
}

/* Empties `count` pages in a row and returns the first. The hand passes over an
 * entry that was found, and takes its mark: after one round nothing is spared. */
static uint32_t make_room(struct token_cache *cache, uint32_t count)
{
    uint32_t first = cache->hand + count <= cache->page_count ? cache->hand : 0, at = first;
    while (at < first + count) {
        struct slot *slot = cache->owners[at] != NONE ? &cache->slots[cache->owners[at] - 1] : NULL;
        if (slot == NULL) {
            at++;
        } else if (slot->was_found) {
            slot->was_found = false;
            first = slot->first_page + slot->page_count;
            first = first + count <= cache->page_count ? first : 0;
            at = first;
        } else {
            at = slot->first_page + slot->page_count;
            evict(cache, slot);
        }
    }
    cache->hand = first + count;
    return first;
}

/* Slots run out before pages where tokens are small: the hand frees one. */
static void make_slot(struct token_cache *cache)
{
    while (cache->free_slots == NONE) {
        uint32_t at = cache->hand < cache->page_count ? cache->hand : 0;
        struct slot *slot = cache->owners[at] != NONE ? &cache->slots[cache->owners[at] - 1] : NULL;
        cache->hand = slot != NULL ? slot->first_page + slot->page_count : at + 1;
        if (slot == NULL)
            continue;
        if (slot->was_found)
            slot->was_found = false;
        else
            evict(cache, slot);
    }
}

static void insert_token(struct token_cache *cache, uint64_t hash, struct view text, uint64_t epoch,
                         const struct token *token)
{
    struct sink sink = {0};
    struct slot measured = {0};
    copy_token(&sink, token, text, &measured);
    if (sink.used > (size_t)cache->page_count * PAGE / 4) /* one token never takes the cache for itself */
        return;
    uint32_t pages = (uint32_t)((sink.used + PAGE - 1) / PAGE);
    make_slot(cache);
    uint32_t first = make_room(cache, pages), number = cache->free_slots;
    struct slot *slot = &cache->slots[number - 1];
    cache->free_slots = slot->next;
    *slot = (struct slot){.hash = hash, .epoch = epoch, .first_page = first, .page_count = pages};
    sink = (struct sink){.memory = cache->pages + (size_t)first * PAGE};
    copy_token(&sink, token, text, slot);
    for (uint32_t i = 0; i < pages; i++)
        cache->owners[first + i] = number;
    uint32_t *head = head_of(cache, hash);
    slot->next = *head;
    *head = number;
}

/* ---- refusals ---- */

static struct refusal *refusal_of(struct token_cache *cache, uint64_t hash)
{
    return &cache->refusals[(hash >> 32) % cache->refusal_count];
}

static enum reason find_refusal(struct token_cache *cache, uint64_t hash, struct view text, uint64_t epoch, int64_t now)
{
    const struct refusal *kept = refusal_of(cache, hash);
    bool is_it = kept->reason != REASON_INTERNAL && kept->hash == hash && kept->epoch == epoch && now >= kept->since &&
                 now - kept->since < REFUSAL_SECONDS && view_equals((struct view){kept->text, kept->size}, text);
    return is_it ? kept->reason : REASON_NONE;
}

static void insert_refusal(struct token_cache *cache, uint64_t hash, struct view text, uint64_t epoch,
                           enum reason reason, int64_t now)
{
    if (text.size > REFUSAL_TEXT || reason == REASON_NONE || reason == REASON_INTERNAL)
        return;
    struct refusal *kept = refusal_of(cache, hash);
    *kept = (struct refusal){.hash = hash, .epoch = epoch, .since = now, .reason = reason, .size = (uint32_t)text.size};
    if (text.size > 0)
        memcpy(kept->text, text.data, text.size);
}

/* ---- the cache ---- */

static uint32_t power_of_two(uint32_t n)
{
    uint32_t power = 1;
    while (power < n)
        power *= 2;
    return power;
}

/* Where each part stands in one block of `memory` bytes; false when it is too small. */
static bool lay_out(struct sink *sink, struct token_cache *cache, size_t memory)
{
    (void)sink_take(sink, sizeof *cache, alignof(struct token_cache));
    cache->slots = sink_take(sink, cache->slot_count * sizeof *cache->slots, alignof(struct slot));
    cache->heads = sink_take(sink, ((size_t)cache->head_mask + 1) * sizeof *cache->heads, alignof(uint32_t));
    cache->refusals = sink_take(sink, cache->refusal_count * sizeof *cache->refusals, alignof(struct refusal));
    if (sink->used + 2 * PAGE > memory)
        return false;
    size_t pages = (memory - sink->used - PAGE) / (PAGE + sizeof *cache->owners);
    cache->page_count = pages < UINT32_MAX / 2 ? (uint32_t)pages : UINT32_MAX / 2;
    cache->owners = sink_take(sink, cache->page_count * sizeof *cache->owners, alignof(uint32_t));
    cache->pages = sink_take(sink, (size_t)cache->page_count * PAGE, alignof(max_align_t));
    return cache->page_count > 0;
}

enum err token_cache_open(const struct token_cache_config *config, const struct hash_key *key, struct token_cache **out)
{
    size_t memory = config->memory != 0 ? config->memory : MEMORY_DEFAULT;
    uint32_t entries = config->entries != 0 ? config->entries : ENTRIES_DEFAULT;
    if (entries > ENTRIES_MAX)
        return ERR_LIMIT;
    struct token_cache cache = {.key = *key, .slot_count = power_of_two(entries)};
    size_t refusals = memory / REFUSAL_SHARE / sizeof(struct refusal) + 1;
    cache.refusal_count = refusals < ENTRIES_MAX ? (uint32_t)refusals : ENTRIES_MAX;
    cache.head_mask = 2 * cache.slot_count - 1;
    struct token_cache measured = cache;
    struct sink sink = {0};
    if (!lay_out(&sink, &measured, memory))
        return ERR_LIMIT;
    sink = (struct sink){.memory = calloc(1, memory)};
    if (sink.memory == NULL)
        return ERR_NO_MEMORY;
    struct token_cache *opened = (struct token_cache *)(void *)sink.memory;
    (void)lay_out(&sink, &cache, memory);
    for (uint32_t i = 0; i < cache.slot_count; i++)
        cache.slots[i].next = i + 1 < cache.slot_count ? i + 2 : NONE;
    cache.free_slots = 1;
    *opened = cache;
    *out = opened;
    return ERR_NONE;
}

void token_cache_close(struct token_cache *cache)
{
    free(cache);
}

struct token *token_cache_find(struct token_cache *cache, struct view text, uint64_t epoch, int64_t now,
                               enum reason *refusal)
{
    uint64_t hash = keyed_hash(&cache->key, text);
    struct slot *slot = find_slot(cache, hash, text);
    *refusal = REASON_NONE;
    if (slot == NULL) {
        *refusal = find_refusal(cache, hash, text, epoch, now);
        return NULL;
    }
    if (slot->epoch != epoch || now < slot->token->usable_from || now >= slot->token->usable_until)
        return NULL;
    slot->was_found = true;
    return slot->token;
}

void token_cache_insert(struct token_cache *cache, struct view text, uint64_t epoch, const struct token *token,
                        enum reason refusal, int64_t now)
{
    uint64_t hash = keyed_hash(&cache->key, text);
    struct slot *old = find_slot(cache, hash, text);
    if (old != NULL)
        evict(cache, old);
    if (token != NULL)
        insert_token(cache, hash, text, epoch, token);
    else
        insert_refusal(cache, hash, text, epoch, refusal, now);
}
