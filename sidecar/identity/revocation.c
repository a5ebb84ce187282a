/* SPDX-License-Identifier: Apache-2.0 */
#include "revocation.h"

#include "revocation_list.h"

#include <stdlib.h>

/* What is compared on lookup: hashes are kept as bytes. */
struct kept {
    enum revocation_kind kind;
    struct view value;
    struct view issuer;
    int64_t issued_before; /* INT64_MAX: whenever */
    int64_t expires;       /* INT64_MAX: never */
};

struct kept_source {
    struct view file;
    uint64_t sequence;
};

struct revocations {
    struct arena arena;
    struct kept *entries; /* in the order of the sources */
    uint32_t *slots;      /* open addressing over entries: index + 1, or 0 */
    size_t count;
    size_t capacity; /* of slots: a power of two */
    size_t counts[REVOCATION_TOKEN + 1];
    uint64_t sequence;
    struct kept_source *sources;
    size_t source_count;
    char digest[2 * SHA256_BYTES];
};

enum { ARENA_CEILING = 512 * 1024 * 1024 };

/* Entries are the operator's, so nobody else can make them collide. */
static uint64_t hash_of(enum revocation_kind kind, struct view value, struct view issuer)
{
    const struct hash_key key = {.seed = {(uint64_t)kind, 0x1b873593cc9e2d51u}};
    uint64_t hash = keyed_hash(&key, value);
    return view_is_empty(issuer) ? hash : hash * 31 + keyed_hash(&key, issuer);
}

/* What a request shows. */
struct question {
    enum revocation_kind kind;
    struct view value;
    struct view issuer;
    int64_t issued_at;
    int64_t now;
};

static bool refuses(const struct kept *entry, const struct question *question)
{
    return entry->kind == question->kind && question->now < entry->expires &&
           question->issued_at < entry->issued_before && view_equals(entry->value, question->value) &&
           view_equals(entry->issuer, question->issuer);
}

static bool is_refused(const struct revocations *revocations, const struct question *question)
{
    if (revocations->counts[question->kind] == 0)
        return false;
    size_t mask = revocations->capacity - 1;
    size_t at = hash_of(question->kind, question->value, question->issuer) & mask;
    for (; revocations->slots[at] != 0; at = (at + 1) & mask) {
        if (refuses(&revocations->entries[revocations->slots[at] - 1], question))
            return true;
    }
    return false;
}

/* Each prefix that ends where a segment does, the trust domain's own ID and the
 * whole ID included. */
static bool is_refused_by_prefix(const struct revocations *revocations, const struct spiffe_id *id, int64_t now)
{
    if (revocations->counts[REVOCATION_SPIFFE_PREFIX] == 0)
        return false;
    size_t end = id->text.size - id->path.size;
    for (;;) {
        struct question question = {
            .kind = REVOCATION_SPIFFE_PREFIX, .value = view_slice(id->text, 0, end), .now = now};
        if (is_refused(revocations, &question))
            return true;
        if (end == id->text.size)
            return false;
        end = view_index_of(id->text, '/', end + 1);
    }
}

static struct view bytes_view(const uint8_t *bytes)
{
    return (struct view){.data = (const char *)bytes, .size = SHA256_BYTES};
}

/* One certificate's owner, by its ID, its certificate in both of its forms and its key. */
static bool is_refused_as(const struct revocations *revocations, const struct spiffe_id *id, const uint8_t *sha,
                          const uint8_t *twin, const uint8_t *spki, int64_t now)
{
    const struct question questions[] = {
        {.kind = REVOCATION_SPIFFE, .value = id->text, .now = now},
        {.kind = REVOCATION_CERTIFICATE, .value = bytes_view(sha), .now = now},
        {.kind = REVOCATION_CERTIFICATE, .value = bytes_view(twin), .now = now},
        {.kind = REVOCATION_SPKI, .value = bytes_view(spki), .now = now},
    };
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
        if (is_refused(revocations, &questions[i]))
            return true;
    }
    return is_refused_by_prefix(revocations, id, now);
}

bool revocations_has_caller(const struct revocations *revocations, const struct x509_svid *svid, int64_t now)
{
    if (revocations->count == 0)
        return false;
    if (is_refused_as(revocations, &svid->id, svid->sha256, svid->twin_sha256, svid->spki_sha256, now))
        return true;
    for (size_t i = 0; i < svid->proxy_count; i++) {
        const struct x509_svid_proxy *proxy = &svid->proxies[i];
        struct spiffe_id id;
        /* An ID that does not parse cannot have been verified: refused. */
        if (spiffe_id_parse(proxy->id, &id) != ERR_NONE ||
            is_refused_as(revocations, &id, proxy->sha256, proxy->twin_sha256, proxy->spki_sha256, now))
            return true;
    }
    return false;
}

bool revocations_has_token(const struct revocations *revocations, const struct revocation_token *token, int64_t now)
{
    if (revocations->count == 0)
        return false;
    struct question user = {
        .kind = REVOCATION_USER,
        .value = token->subject,
        .issuer = token->issuer,
        .issued_at = token->issued_at == 0 ? INT64_MIN : token->issued_at,
        .now = now,
    };
    if (is_refused(revocations, &user))
        return true;
    struct question jti = {.kind = REVOCATION_TOKEN, .value = token->id, .issuer = token->issuer, .now = now};
    return view_is_present(token->id) && is_refused(revocations, &jti);
}

/* The value as it is compared: digests as bytes. */
static enum err copy_value(struct arena *arena, const struct revocation_entry *entry, struct view *out)
{
    if (entry->kind != REVOCATION_CERTIFICATE && entry->kind != REVOCATION_SPKI) {
        *out = arena_copy(arena, entry->value);
        return view_is_present(*out) ? ERR_NONE : ERR_NO_MEMORY;
    }
    uint8_t *bytes = arena_take(arena, SHA256_BYTES);
    if (!bytes)
        return ERR_NO_MEMORY;
    *out = bytes_view(bytes);
    return hex_decode(entry->value, bytes, SHA256_BYTES) ? ERR_NONE : ERR_MALFORMED;
}

static enum err keep(struct revocations *revocations, const struct revocation_entry *entry)
{
    struct kept *kept = &revocations->entries[revocations->count];
    *kept = (struct kept){.kind = entry->kind,
                          .issued_before = entry->has_issued_before ? entry->issued_before : INT64_MAX,
                          .expires = entry->has_expires ? entry->expires : INT64_MAX};
    TRY(copy_value(&revocations->arena, entry, &kept->value));
    if (view_is_present(entry->issuer)) {
        kept->issuer = arena_copy(&revocations->arena, entry->issuer);
        if (!view_is_present(kept->issuer))
            return ERR_NO_MEMORY;
    }
    size_t mask = revocations->capacity - 1;
    size_t at = hash_of(kept->kind, kept->value, kept->issuer) & mask;
    while (revocations->slots[at] != 0)
        at = (at + 1) & mask;
    revocations->slots[at] = (uint32_t)++revocations->count;
    revocations->counts[kept->kind]++;
    return ERR_NONE;
}

static enum err keep_all(struct revocations *revocations, const struct revocation_list *lists, size_t count)
{
    size_t total = 0, capacity = 16;
    for (size_t i = 0; i < count; i++)
        total += lists[i].count;
    while (capacity < total * 2)
        capacity *= 2;
    revocations->capacity = capacity;
    revocations->entries = arena_take_array(&revocations->arena, total + 1, sizeof *revocations->entries);
    revocations->slots = arena_take_array(&revocations->arena, capacity, sizeof *revocations->slots);
    if (!revocations->entries || !revocations->slots || total >= UINT32_MAX)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        revocations->sequence = lists[i].sequence > revocations->sequence ? lists[i].sequence : revocations->sequence;
        for (size_t k = 0; k < lists[i].count; k++) {
            /* Those that have expired by this clock as well: it may be set back. */
            TRY(keep(revocations, &lists[i].entries[k]));
        }
    }
    return ERR_NONE;
}

static enum err keep_sources(struct revocations *revocations, const struct revocation_source *sources,
                             const struct revocation_list *lists, size_t count)
{
    revocations->sources = arena_take_array(&revocations->arena, count + 1, sizeof *revocations->sources);
    if (!revocations->sources)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        struct kept_source *kept = &revocations->sources[i];
        *kept = (struct kept_source){.file = arena_copy(&revocations->arena, sources[i].file),
                                     .sequence = lists[i].sequence};
        if (!view_is_present(kept->file))
            return ERR_NO_MEMORY;
    }
    revocations->source_count = count;
    return ERR_NONE;
}

/* SHA-256 over the SHA-256 of each source, so that no two sets read alike. */
static enum err digest_all(struct revocations *revocations, const struct revocation_source *sources, size_t count)
{
    uint8_t digest[SHA256_BYTES];
    uint8_t *parts = arena_take_array(&revocations->arena, count + 1, SHA256_BYTES);
    if (!parts)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        TRY(sha256(sources[i].text, parts + i * SHA256_BYTES));
    TRY(sha256((struct view){.data = (const char *)parts, .size = count * SHA256_BYTES}, digest));
    hex_encode(digest, sizeof digest, revocations->digest);
    return ERR_NONE;
}

/* Every file is read before one is refused, so that all findings are told. */
static enum err parse_all(const struct revocation_source *sources, size_t count, struct arena *arena,
                          struct diag_list *diags, struct revocation_list *lists)
{
    enum err worst = ERR_NONE;
    for (size_t i = 0; i < count; i++) {
        enum err e = revocation_list_parse(sources[i].file, sources[i].text, arena, diags, &lists[i]);
        if (e == ERR_NO_MEMORY)
            return e;
        worst = e == ERR_NONE ? worst : e;
    }
    return worst;
}

static enum err build(const struct revocation_source *sources, size_t count, struct diag_list *diags,
                      struct revocations *revocations)
{
    AUTO(arena_free) struct arena scratch;
    arena_init(&scratch, ARENA_CEILING);
    struct revocation_list *lists = arena_take_array(&scratch, count + 1, sizeof *lists);
    if (!lists)
        return ERR_NO_MEMORY;
    TRY(parse_all(sources, count, &scratch, diags, lists));
    TRY(keep_all(revocations, lists, count));
    TRY(keep_sources(revocations, sources, lists, count));
    return digest_all(revocations, sources, count);
}

enum err revocations_build(const struct revocation_source *sources, size_t count, struct diag_list *diags,
                           struct revocations **out)
{
    struct revocations *revocations = calloc(1, sizeof *revocations);
    if (!revocations)
        return ERR_NO_MEMORY;
    arena_init(&revocations->arena, ARENA_CEILING);
    enum err e = build(sources, count, diags, revocations);
    if (e != ERR_NONE) {
        revocations_free(revocations);
        return e;
    }
    *out = revocations;
    return ERR_NONE;
}

void revocations_free(struct revocations *revocations)
{
    if (!revocations)
        return;
    arena_free(&revocations->arena);
    free(revocations);
}

size_t revocations_count(const struct revocations *revocations)
{
    return revocations->count;
}

uint64_t revocations_sequence(const struct revocations *revocations)
{
    return revocations->sequence;
}

struct view revocations_digest(const struct revocations *revocations)
{
    return (struct view){.data = revocations->digest, .size = sizeof revocations->digest};
}

size_t revocations_source_count(const struct revocations *revocations)
{
    return revocations->source_count;
}

struct view revocations_source(const struct revocations *revocations, size_t i, uint64_t *sequence)
{
    *sequence = revocations->sources[i].sequence;
    return revocations->sources[i].file;
}

bool revocations_find_source(const struct revocations *revocations, struct view file, uint64_t *sequence)
{
    for (size_t i = 0; i < revocations->source_count; i++)
        if (view_equals(revocations->sources[i].file, file)) {
            *sequence = revocations->sources[i].sequence;
            return true;
        }
    return false;
}
