/* SPDX-License-Identifier: Apache-2.0 */
#include "revocation.h"

#include "deny_table.h"
#include "revocation_lines.h"
#include "revocation_list.h"

#include <stdlib.h>

/* What an entry is found by: kinds, and the two ways to name an issuer or authority. */
enum probe {
    PROBE_SPIFFE = 0,
    PROBE_PREFIX,
    PROBE_CERTIFICATE,
    PROBE_SPKI,
    PROBE_USER,
    PROBE_TOKEN,
    PROBE_SERIAL_BY_KEY,
    PROBE_SERIAL_BY_NAME,
    PROBE_AUTHORITY_KEY,
    PROBE_AUTHORITY_ID,
    PROBES,
};

struct kept_source {
    struct view file;
    uint64_t sequence;
};

struct revocations {
    struct arena arena; /* sources */
    struct deny_table *table;
    size_t counts[PROBES];
    uint64_t depths; /* bit n: some prefix has n segments, the last bit: or more */
    uint64_t sequence;
    struct kept_source *sources;
    size_t source_count;
    char digest[2 * SHA256_BYTES];
};

enum { ARENA_CEILING = 512 * 1024 * 1024, DEPTHS = 64, ISSUER_SIZE_BYTES = 8 };

_Static_assert((int)DENY_PRINT_BYTES <= (int)DENY_MARK_BYTES && (int)DENY_MARK_BYTES <= (int)SHA256_BYTES,
               "prints are cut off digests");

/* ---- prints ---- */

static void print_of(enum probe probe, const uint8_t *digest, uint8_t out[DENY_PRINT_BYTES])
{
    memcpy(out, digest, DENY_PRINT_BYTES);
    out[DENY_PRINT_BYTES - 1] ^= (uint8_t)probe;
}

/* SHA-256 of the issuer's size, the issuer and the value. ERR_LIMIT: longer than any entry. */
static enum err digest_pair(struct view issuer, struct view value, uint8_t out[SHA256_BYTES])
{
    char room[ISSUER_SIZE_BYTES + 2 * REVOCATION_TEXT_MAX];
    if (issuer.size > REVOCATION_TEXT_MAX || value.size > REVOCATION_TEXT_MAX)
        return ERR_LIMIT;
    for (size_t i = 0; i < ISSUER_SIZE_BYTES; i++)
        room[i] = (char)((uint64_t)issuer.size >> 8 * i);
    size_t size = ISSUER_SIZE_BYTES;
    if (issuer.size > 0)
        memcpy(room + size, issuer.data, issuer.size);
    size += issuer.size;
    if (value.size > 0)
        memcpy(room + size, value.data, value.size);
    return sha256((struct view){.data = room, .size = size + value.size}, out);
}

static unsigned depth_of(struct view path)
{
    unsigned depth = 0;
    for (size_t at = view_index_of(path, '/', 0); at < path.size; at = view_index_of(path, '/', at + 1))
        depth++;
    return depth;
}

static unsigned depth_bit(unsigned depth)
{
    return depth < DEPTHS ? depth : DEPTHS - 1;
}

/* ---- asking ---- */

struct moment {
    int64_t now, issued_at;
};

static bool is_refused(const struct revocations *revocations, enum probe probe, const uint8_t *digest,
                       const struct moment *at)
{
    uint8_t print[DENY_PRINT_BYTES];
    if (revocations->counts[probe] == 0)
        return false;
    print_of(probe, digest, print);
    return deny_table_has(revocations->table, print, at->now, at->issued_at);
}

/* True also when it cannot be told. */
static bool is_text_refused(const struct revocations *revocations, enum probe probe, struct view text,
                            const struct moment *at)
{
    uint8_t digest[SHA256_BYTES];
    if (revocations->counts[probe] == 0)
        return false;
    return sha256(text, digest) != ERR_NONE || is_refused(revocations, probe, digest, at);
}

/* Each prefix that ends where a segment does, the trust domain's own ID and the whole ID included; only those of
 * as many segments as some entry has. */
static bool is_refused_by_prefix(const struct revocations *revocations, const struct spiffe_id *id,
                                 const struct moment *at)
{
    size_t end = id->text.size - id->path.size;
    for (unsigned depth = 0; revocations->depths != 0; depth++) {
        if ((revocations->depths >> depth_bit(depth) & 1) != 0 &&
            is_text_refused(revocations, PROBE_PREFIX, view_slice(id->text, 0, end), at))
            return true;
        if (end == id->text.size)
            return false;
        end = view_index_of(id->text, '/', end + 1);
    }
    return false;
}

/* One certificate's owner, by the certificate in both of its forms. */
struct owner {
    const struct spiffe_id *id;
    const uint8_t *sha256, *twin_sha256, *spki_sha256;
    const struct deny_serial *serial;
};

static bool is_owner_refused(const struct revocations *revocations, const struct owner *owner, const struct moment *at)
{
    return is_text_refused(revocations, PROBE_SPIFFE, owner->id->text, at) ||
           is_refused(revocations, PROBE_CERTIFICATE, owner->sha256, at) ||
           is_refused(revocations, PROBE_CERTIFICATE, owner->twin_sha256, at) ||
           is_refused(revocations, PROBE_SPKI, owner->spki_sha256, at) ||
           is_refused(revocations, PROBE_SERIAL_BY_KEY, owner->serial->by_key, at) ||
           is_refused(revocations, PROBE_SERIAL_BY_NAME, owner->serial->by_name, at) ||
           is_refused_by_prefix(revocations, owner->id, at);
}

static bool is_proxy_refused(const struct revocations *revocations, const struct x509_svid_proxy *proxy,
                             const struct moment *at)
{
    struct spiffe_id id;
    const struct owner owner = {.id = &id,
                                .sha256 = proxy->sha256,
                                .twin_sha256 = proxy->twin_sha256,
                                .spki_sha256 = proxy->spki_sha256,
                                .serial = &proxy->serial};
    /* An ID that does not parse cannot have been verified: refused. */
    return spiffe_id_parse(proxy->id, &id) != ERR_NONE || is_owner_refused(revocations, &owner, at);
}

bool revocations_has_caller(const struct revocations *revocations, const struct x509_svid *svid, int64_t now)
{
    const struct moment at = {.now = now};
    const struct owner owner = {.id = &svid->id,
                                .sha256 = svid->sha256,
                                .twin_sha256 = svid->twin_sha256,
                                .spki_sha256 = svid->spki_sha256,
                                .serial = &svid->serial};
    if (is_owner_refused(revocations, &owner, &at))
        return true;
    for (size_t i = 0; i < svid->authority_count; i++)
        if (is_refused(revocations, PROBE_AUTHORITY_KEY, svid->authorities[i].spki, &at) ||
            is_refused(revocations, PROBE_AUTHORITY_ID, svid->authorities[i].key_id, &at))
            return true;
    for (size_t i = 0; i < svid->proxy_count; i++)
        if (is_proxy_refused(revocations, &svid->proxies[i], &at))
            return true;
    return false;
}

static bool is_pair_refused(const struct revocations *revocations, enum probe probe, struct view issuer,
                            struct view value, const struct moment *at)
{
    uint8_t digest[SHA256_BYTES];
    if (revocations->counts[probe] == 0)
        return false;
    enum err err = digest_pair(issuer, value, digest);
    if (err == ERR_LIMIT) /* no entry is as long */
        return false;
    return err != ERR_NONE || is_refused(revocations, probe, digest, at);
}

bool revocations_has_token(const struct revocations *revocations, const struct revocation_token *token, int64_t now)
{
    const struct moment user = {.now = now, .issued_at = token->issued_at == 0 ? INT64_MIN : token->issued_at};
    const struct moment jti = {.now = now};
    return is_pair_refused(revocations, PROBE_USER, token->issuer, token->subject, &user) ||
           (view_is_present(token->id) && is_pair_refused(revocations, PROBE_TOKEN, token->issuer, token->id, &jti));
}

/* ---- building ---- */

/* The digest that an entry of octets is found by, and its probe. */
static enum err digest_octets(const struct revocation_entry *entry, enum probe *probe, uint8_t out[SHA256_BYTES])
{
    bool is_serial = entry->kind == REVOCATION_SERIAL;
    enum revocation_key key;
    struct revocation_octets octets, number;
    if (!revocation_key_parse(is_serial ? entry->issuer : entry->value, &key, &octets))
        return ERR_MALFORMED;
    if (key == REVOCATION_KEY_ID)
        TRY(deny_marks_of_bytes((struct view){(const char *)octets.bytes, octets.size}, out));
    else
        memcpy(out, octets.bytes, DENY_MARK_BYTES);
    bool is_id = key == REVOCATION_KEY_ID;
    *probe = is_serial ? is_id ? PROBE_SERIAL_BY_KEY : PROBE_SERIAL_BY_NAME
             : is_id   ? PROBE_AUTHORITY_ID
                       : PROBE_AUTHORITY_KEY;
    if (!is_serial)
        return ERR_NONE;
    if (!revocation_octets_parse(entry->value, &number))
        return ERR_MALFORMED;
    return deny_marks_of_serial(out, (struct view){(const char *)number.bytes, number.size}, out);
}

static enum err digest_entry(const struct revocation_entry *entry, enum probe *probe, uint8_t out[SHA256_BYTES])
{
    switch (entry->kind) {
    case REVOCATION_SPIFFE: *probe = PROBE_SPIFFE; return sha256(entry->value, out);
    case REVOCATION_SPIFFE_PREFIX: *probe = PROBE_PREFIX; return sha256(entry->value, out);
    case REVOCATION_CERTIFICATE:
    case REVOCATION_SPKI:
        *probe = entry->kind == REVOCATION_SPKI ? PROBE_SPKI : PROBE_CERTIFICATE;
        return hex_decode(entry->value, out, SHA256_BYTES) ? ERR_NONE : ERR_MALFORMED;
    case REVOCATION_USER: *probe = PROBE_USER; return digest_pair(entry->issuer, entry->value, out);
    case REVOCATION_TOKEN: *probe = PROBE_TOKEN; return digest_pair(entry->issuer, entry->value, out);
    case REVOCATION_SERIAL:
    case REVOCATION_AUTHORITY: return digest_octets(entry, probe, out);
    case REVOCATION_KINDS: break;
    }
    return ERR_MALFORMED;
}

/* Those that have expired by this clock as well: it may be set back. */
static enum err keep(void *context, const struct revocation_entry *entry)
{
    struct revocations *revocations = context;
    struct deny_row row = {.expires = entry->has_expires ? entry->expires : DENY_TABLE_ALWAYS,
                           .issued_before = entry->has_issued_before ? entry->issued_before : DENY_TABLE_ALWAYS};
    enum probe probe = PROBES;
    uint8_t digest[SHA256_BYTES];
    TRY(digest_entry(entry, &probe, digest));
    print_of(probe, digest, row.print);
    TRY(deny_table_add(revocations->table, &row));
    revocations->counts[probe]++;
    struct spiffe_id id;
    if (probe == PROBE_PREFIX && spiffe_id_parse(entry->value, &id) == ERR_NONE)
        revocations->depths |= (uint64_t)1 << depth_bit(depth_of(id.path));
    return ERR_NONE;
}

/* A source while it is read. */
struct part {
    struct revocation_list list; /* of a document; of lines the sequence alone */
    bool is_lines;
};

/* Lines go straight into the table. */
static enum err keep_part(struct revocations *revocations, const struct revocation_source *source, struct part *part,
                          struct diag_list *diags)
{
    if (part->is_lines) {
        const struct revocation_sink sink = {.take = keep, .context = revocations};
        return revocation_lines_parse(source->file, source->text, &sink, diags, &part->list.sequence);
    }
    for (size_t i = 0; i < part->list.count; i++)
        TRY(keep(revocations, &part->list.entries[i]));
    return ERR_NONE;
}

static enum err keep_sources(struct revocations *revocations, const struct revocation_source *sources,
                             const struct part *parts, size_t count)
{
    revocations->sources = arena_take_array(&revocations->arena, count + 1, sizeof *revocations->sources);
    if (!revocations->sources)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        struct kept_source *kept = &revocations->sources[i];
        *kept = (struct kept_source){.file = arena_copy(&revocations->arena, sources[i].file),
                                     .sequence = parts[i].list.sequence};
        if (!view_is_present(kept->file))
            return ERR_NO_MEMORY;
        if (kept->sequence > revocations->sequence)
            revocations->sequence = kept->sequence;
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

static enum err complain(const struct revocation_source *source, enum err err, struct diag_list *diags)
{
    if (err == ERR_LIMIT)
        diag_error(diags, "E1105", &(struct span){.file = source->file}, "more than %d entries in all",
                   (int)DENY_TABLE_ROWS_MAX);
    return err == ERR_LIMIT ? ERR_INVALID : err;
}

/* Every file is read before one is refused, so that all findings are told. *most is how many entries come. */
static enum err read_documents(const struct revocation_source *sources, size_t count, struct arena *arena,
                               struct diag_list *diags, struct part *parts, size_t *most)
{
    enum err worst = ERR_NONE;
    *most = 0;
    for (size_t i = 0; i < count; i++) {
        parts[i].is_lines = revocation_lines_is(sources[i].text);
        enum err e = parts[i].is_lines
                         ? ERR_NONE
                         : revocation_list_parse(sources[i].file, sources[i].text, arena, diags, &parts[i].list);
        if (e == ERR_NO_MEMORY)
            return e;
        if (e != ERR_NONE)
            parts[i].list.count = 0;
        worst = e == ERR_NONE ? worst : e;
        *most += parts[i].is_lines ? revocation_lines_count(sources[i].text) : parts[i].list.count;
    }
    return worst;
}

static enum err keep_all(struct revocations *revocations, const struct revocation_source *sources, size_t count,
                         struct part *parts, struct diag_list *diags)
{
    enum err worst = ERR_NONE;
    for (size_t i = 0; i < count; i++) {
        enum err e = complain(&sources[i], keep_part(revocations, &sources[i], &parts[i], diags), diags);
        if (e == ERR_NO_MEMORY)
            return e;
        worst = e == ERR_NONE ? worst : e;
    }
    TRY(worst);
    return deny_table_close(revocations->table);
}

static enum err build(const struct revocation_source *sources, size_t count, struct diag_list *diags,
                      struct revocations *revocations)
{
    AUTO(arena_free) struct arena scratch;
    arena_init(&scratch, ARENA_CEILING);
    struct part *parts = arena_take_array(&scratch, count + 1, sizeof *parts);
    size_t most = 0;
    if (!parts)
        return ERR_NO_MEMORY;
    enum err worst = read_documents(sources, count, &scratch, diags, parts, &most);
    if (worst == ERR_NO_MEMORY)
        return worst;
    TRY(deny_table_open(most < DENY_TABLE_ROWS_MAX ? most : DENY_TABLE_ROWS_MAX, &revocations->table));
    TRY(keep_all(revocations, sources, count, parts, diags));
    TRY(worst);
    TRY(keep_sources(revocations, sources, parts, count));
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
    deny_table_free(revocations->table);
    arena_free(&revocations->arena);
    free(revocations);
}

size_t revocations_count(const struct revocations *revocations)
{
    return deny_table_count(revocations->table);
}

size_t revocations_bytes(const struct revocations *revocations)
{
    return deny_table_bytes(revocations->table);
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
