/* SPDX-License-Identifier: Apache-2.0 */
#include "jwks.h"

#include <stdlib.h>

#include <openssl/evp.h>

#include "digest.h"
#include "json.h"

enum { SCRATCH_FACTOR = 64 }; /* tree bytes per text byte, at most */

struct jwks {
    struct view issuer;
    bool is_available;
    uint64_t generation;
    uint32_t algorithms;
    struct jwk *keys;
    size_t count;
};

struct jwks_sets {
    struct arena arena;
    struct jwks *sets;
    size_t count;
    char digest[2 * SHA256_BYTES];
};

/* One document being read. */
struct reading {
    const struct jwks_source *source;
    struct diag_list *diags;
    struct arena *arena; /* of the sets */
    struct jwks *out;
};

static struct span span_at(const struct jwks_source *source, const char *at)
{
    struct span span = {.file = source->file, .text = source->text};
    const char *start = source->text.data;
    if (at == NULL || start == NULL || (uintptr_t)at < (uintptr_t)start ||
        (uintptr_t)at > (uintptr_t)start + source->text.size)
        return span;
    span.line = 1;
    span.column = 1;
    for (const char *p = start; p < at; p++) {
        if (*p == '\n') {
            span.line++;
            span.column = 1;
        } else if (((uint8_t)*p & 0xc0) != 0x80) {
            span.column++;
        }
    }
    span.end_column = span.column + 1;
    return span;
}

/* Where a key stands: its first name, unless that was unescaped to another place. */
static struct span span_of(const struct reading *r, const struct json *key)
{
    return span_at(r->source, key->kind == JSON_OBJECT && key->count > 0 ? key->names[0].data : NULL);
}

static void warn_left_out(const struct reading *r, const struct json *key, size_t index, const char *why)
{
    struct arena *arena = r->diags->arena;
    struct diag diag = {
        .severity = DIAG_WARNING,
        .code = VIEW("W0701"),
        .span = span_of(r, key),
        .path = arena_print(arena, "keys[%zu]", index),
        .message = arena_print(arena, "the key is left out: %s", why),
    };
    diag_add(r->diags, &diag);
}

/* ---- sets ---- */

static bool is_repeated(const struct json *keys, size_t index)
{
    const struct json *kid = json_get(&keys->items[index], VIEW("kid"));
    for (size_t i = 0; kid != NULL && kid->kind == JSON_STRING && i < index; i++) {
        const struct json *other = json_get(&keys->items[i], VIEW("kid"));
        if (other != NULL && other->kind == JSON_STRING && view_equals(other->text, kid->text))
            return true;
    }
    return false;
}

static bool check_keys(const struct reading *r, const struct json *keys)
{
    size_t errors = r->diags->errors;
    for (size_t i = 0; i < keys->count; i++) {
        const struct json *key = &keys->items[i];
        struct span span = span_of(r, key);
        if (key->kind != JSON_OBJECT)
            diag_error(r->diags, "E0702", &span, "keys[%zu] is not an object", i);
        else if (jwk_has_secret(key))
            diag_error(r->diags, "E0703", &span,
                       "keys[%zu] is a private or symmetric key; a key set must hold public keys only", i);
        else if (is_repeated(keys, i))
            diag_error(r->diags, "E0704", &span, "keys[%zu] has the kid of an earlier key", i);
    }
    return r->diags->errors == errors;
}

static enum err keep_keys(struct reading *r, const struct json *keys)
{
    r->out->keys = arena_take_array(r->arena, keys->count, sizeof *r->out->keys);
    if (r->out->keys == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < keys->count; i++) {
        struct jwk key = {0};
        if (!jwk_is_for_verifying(&keys->items[i]))
            continue;
        const char *why = jwk_read(&keys->items[i], &key);
        if (why != NULL) {
            warn_left_out(r, &keys->items[i], i, why);
            continue;
        }
        struct jwk *kept = &r->out->keys[r->out->count++]; /* from here on freed with the sets */
        *kept = (struct jwk){.kid = arena_copy(r->arena, key.kid),
                             .alg = arena_copy(r->arena, key.alg),
                             .type = key.type,
                             .key = key.key};
        if (view_is_present(kept->kid) != view_is_present(key.kid) ||
            view_is_present(kept->alg) != view_is_present(key.alg))
            return ERR_NO_MEMORY;
    }
    return ERR_NONE;
}

static enum err read_set(struct reading *r, const struct json *root)
{
    struct span file = {.file = r->source->file};
    const struct json *keys = json_get(root, VIEW("keys"));
    if (keys == NULL || keys->kind != JSON_ARRAY || keys->count > JWKS_KEYS_MAX) {
        diag_error(r->diags, "E0702", &file, "not a key set: `keys` must be an array of at most %d keys",
                   JWKS_KEYS_MAX);
        return ERR_INVALID;
    }
    if (!check_keys(r, keys))
        return ERR_INVALID;
    TRY(keep_keys(r, keys));
    if (r->out->count == 0) {
        struct diag diag = {.severity = DIAG_WARNING,
                            .code = VIEW("W0702"),
                            .span = file,
                            .message = VIEW("no key of the set can verify a token")};
        diag_add(r->diags, &diag);
    }
    return ERR_NONE;
}

static enum err read_document(struct reading *r)
{
    struct view text = r->source->text;
    struct span file = {.file = r->source->file};
    if (text.size > JWKS_BYTES_MAX) {
        diag_error(r->diags, "E0701", &file, "the key set is over %d bytes", JWKS_BYTES_MAX);
        return ERR_INVALID;
    }
    struct arena scratch AUTO(arena_free) = {0};
    arena_init(&scratch, text.size * SCRATCH_FACTOR + 64 * 1024);
    struct json root = {0};
    size_t offset = 0;
    enum err e = json_parse_located(text, &scratch, &root, &offset);
    if (e != ERR_NONE) {
        struct span span = span_at(r->source, text.data + offset);
        diag_error(r->diags, "E0701", &span, "%s",
                   e == ERR_MALFORMED ? "this is not strict JSON in UTF-8" : err_text(e));
        return ERR_INVALID;
    }
    return read_set(r, &root);
}

static enum err add_set(struct jwks_sets *sets, const struct jwks_source *source, struct diag_list *diags)
{
    if (jwks_sets_find(sets, source->issuer) != NULL) {
        struct span file = {.file = source->file};
        diag_error(diags, "E0705", &file, "a second key set for the issuer %.*s", VIEW_ARG(source->issuer));
        return ERR_INVALID;
    }
    struct jwks *set = &sets->sets[sets->count++];
    set->issuer = arena_copy(&sets->arena, source->issuer);
    set->generation = source->generation;
    set->algorithms = source->algorithms != 0 ? source->algorithms : JOSE_USUAL;
    set->is_available = view_is_present(source->text);
    if (!view_is_present(set->issuer))
        return ERR_NO_MEMORY;
    struct reading reading = {.source = source, .diags = diags, .arena = &sets->arena, .out = set};
    return set->is_available ? read_document(&reading) : ERR_NONE;
}

/* Over the digests of each issuer and document, so that no two lists of sources join to the same bytes. */
static enum err digest_sources(const struct jwks_source *sources, size_t count, struct jwks_sets *sets)
{
    enum { ENTRY = 1 + 2 * SHA256_BYTES };
    uint8_t all[SHA256_BYTES];
    char *entries = arena_take_array(&sets->arena, count + 1, ENTRY);
    if (entries == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        uint8_t *entry = (uint8_t *)entries + i * ENTRY;
        entry[0] = view_is_present(sources[i].text);
        TRY(sha256(sources[i].issuer, entry + 1));
        TRY(sha256(sources[i].text, entry + 1 + SHA256_BYTES));
    }
    TRY(sha256((struct view){entries, count * ENTRY}, all));
    hex_encode(all, sizeof all, sets->digest);
    return ERR_NONE;
}

static enum err build(const struct jwks_source *sources, size_t count, struct diag_list *diags, struct jwks_sets *sets)
{
    bool is_invalid = false;
    sets->sets = arena_take_array(&sets->arena, count, sizeof *sets->sets);
    if (sets->sets == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        enum err e = add_set(sets, &sources[i], diags);
        if (e != ERR_NONE && e != ERR_INVALID)
            return e;
        is_invalid |= e == ERR_INVALID;
    }
    return is_invalid ? ERR_INVALID : digest_sources(sources, count, sets);
}

enum err jwks_sets_build(const struct jwks_source *sources, size_t count, struct diag_list *diags,
                         struct jwks_sets **out)
{
    size_t ceiling = 64 * 1024;
    for (size_t i = 0; i < count; i++)
        ceiling += 32 * 1024 + sources[i].issuer.size;
    struct jwks_sets *sets = calloc(1, sizeof *sets);
    if (sets == NULL)
        return ERR_NO_MEMORY;
    arena_init(&sets->arena, ceiling + count * JWKS_KEYS_MAX * (sizeof(struct jwk) + 2 * JWK_KID_MAX));
    enum err e = build(sources, count, diags, sets);
    if (e != ERR_NONE) {
        jwks_sets_free(sets);
        return e;
    }
    *out = sets;
    return ERR_NONE;
}

void jwks_sets_free(struct jwks_sets *sets)
{
    if (sets == NULL)
        return;
    for (size_t i = 0; i < sets->count; i++)
        for (size_t k = 0; k < sets->sets[i].count; k++)
            EVP_PKEY_free(sets->sets[i].keys[k].key);
    arena_free(&sets->arena);
    free(sets);
}

const struct jwks *jwks_sets_find(const struct jwks_sets *sets, struct view issuer)
{
    for (size_t i = 0; i < sets->count; i++)
        if (view_equals(sets->sets[i].issuer, issuer))
            return &sets->sets[i];
    return NULL;
}

struct view jwks_sets_digest(const struct jwks_sets *sets)
{
    return (struct view){sets->digest, sizeof sets->digest};
}

bool jwks_is_available(const struct jwks *jwks)
{
    return jwks->is_available;
}

size_t jwks_count(const struct jwks *jwks)
{
    return jwks->count;
}

uint64_t jwks_generation(const struct jwks *jwks)
{
    return jwks->generation;
}

bool jwks_allows(const struct jwks *jwks, enum jose_algorithm algorithm)
{
    return (jwks->algorithms >> algorithm & 1) != 0;
}

const struct jwk *jwks_find(const struct jwks *jwks, struct view kid)
{
    for (size_t i = 0; i < jwks->count; i++)
        if (view_is_present(jwks->keys[i].kid) && view_equals(jwks->keys[i].kid, kid))
            return &jwks->keys[i];
    return NULL;
}

const struct jwk *jwks_find_only(const struct jwks *jwks, enum jwk_type type, struct view algorithm)
{
    const struct jwk *only = NULL;
    for (size_t i = 0; i < jwks->count; i++) {
        if (!jwk_is_for(&jwks->keys[i], type, algorithm))
            continue;
        if (only != NULL)
            return NULL;
        only = &jwks->keys[i];
    }
    return only;
}
