/* SPDX-License-Identifier: Apache-2.0 */
#include "jwks.h"

#include <stdlib.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "base64url.h"
#include "digest.h"
#include "json.h"

enum {
    RSA_BITS_MIN = 2048,
    RSA_BITS_MAX = 8192,
    RSA_EXPONENT_BITS_MAX = 64, /* what OpenSSL verifies with at every modulus size */
    NUMBER_BYTES_MAX = RSA_BITS_MAX / 8 + 1,
    COORDINATE_BYTES_MAX = 66,
    ED25519_BYTES = 32,
    SCRATCH_FACTOR = 64, /* tree bytes per text byte, at most */
};

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

/* ---- keys ---- */

static bool read_number(const struct json *key, struct view name, uint8_t *out, size_t capacity, size_t *size)
{
    const struct json *member = json_get(key, name);
    return member != NULL && member->kind == JSON_STRING &&
           base64url_decode(member->text, out, capacity, size) == ERR_NONE && *size > 0;
}

static EVP_PKEY *key_from(const char *type, OSSL_PARAM *params)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (context == NULL || params == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(context);
    return key;
}

/* CVE-2017-15361: primes made as k * M + (65537^a mod M), so that n modulo every small
 * prime is a power of 65537. By chance that is so for one modulus in many millions. */
static bool has_roca_shape(const BIGNUM *n)
{
    static const uint8_t PRIMES[] = {3,   5,   7,   11,  13,  17,  19,  23,  29,  31,  37,  41,  43,
                                     47,  53,  59,  61,  67,  71,  73,  79,  83,  89,  97,  101, 103,
                                     107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167};
    for (size_t i = 0; i < sizeof PRIMES; i++) {
        BN_ULONG prime = PRIMES[i], residue = BN_mod_word(n, prime), power = 1;
        do
            power = power * 65537 % prime;
        while (power != residue && power != 1);
        if (power != residue)
            return false;
    }
    return true;
}

static bool is_good_rsa(const BIGNUM *n, const BIGNUM *e)
{
    return n != NULL && e != NULL && BN_num_bits(n) >= RSA_BITS_MIN && BN_num_bits(n) <= RSA_BITS_MAX && BN_is_odd(n) &&
           BN_is_odd(e) && !BN_is_one(e) && BN_num_bits(e) <= RSA_EXPONENT_BITS_MAX && !has_roca_shape(n);
}

static EVP_PKEY *rsa_from(const BIGNUM *n, const BIGNUM *e)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    if (builder != NULL && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) == 1) {
        OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
        key = key_from("RSA", params);
        OSSL_PARAM_free(params);
    }
    OSSL_PARAM_BLD_free(builder);
    return key;
}

static const char *read_rsa(const struct json *json, struct jwk *out)
{
    uint8_t modulus[NUMBER_BYTES_MAX], exponent[NUMBER_BYTES_MAX];
    size_t modulus_size, exponent_size;
    if (!read_number(json, VIEW("n"), modulus, sizeof modulus, &modulus_size) ||
        !read_number(json, VIEW("e"), exponent, sizeof exponent, &exponent_size))
        return "`n` or `e` is missing or malformed";
    BIGNUM *n = BN_bin2bn(modulus, (int)modulus_size, NULL), *e = BN_bin2bn(exponent, (int)exponent_size, NULL);
    bool is_good = is_good_rsa(n, e);
    out->type = JWK_RSA;
    out->key = is_good ? rsa_from(n, e) : NULL;
    BN_free(n);
    BN_free(e);
    if (!is_good)
        return "an RSA key needs 2048 to 8192 bits, an odd exponent above 1 and no ROCA weakness (CVE-2017-15361)";
    return out->key != NULL ? NULL : "OpenSSL does not take the key";
}

/* RFC 7518 section 6.2.1.1. */
struct curve {
    struct view name;
    enum jwk_type type;
    const char *group; /* OpenSSL's name */
    size_t size;       /* bytes of a coordinate */
};

static const struct curve *find_curve(struct view name)
{
    static const struct curve CURVES[] = {
        {{"P-256", 5}, JWK_EC_P256, "prime256v1", 32},
        {{"P-384", 5}, JWK_EC_P384, "secp384r1", 48},
        {{"P-521", 5}, JWK_EC_P521, "secp521r1", COORDINATE_BYTES_MAX},
    };
    for (size_t i = 0; i < sizeof CURVES / sizeof *CURVES; i++)
        if (view_equals(CURVES[i].name, name))
            return &CURVES[i];
    return NULL;
}

/* The member `crv`; absent when there is none. */
static struct view curve_name(const struct json *json)
{
    const struct json *curve = json_get(json, VIEW("crv"));
    return curve != NULL && curve->kind == JSON_STRING ? curve->text : (struct view){0};
}

static const char *read_ec(const struct json *json, struct jwk *out)
{
    struct view name = curve_name(json);
    const struct curve *curve = find_curve(name);
    if (curve == NULL)
        return view_is_present(name) ? "the curve is not supported" : "`crv` is missing";
    uint8_t point[1 + 2 * COORDINATE_BYTES_MAX] = {POINT_CONVERSION_UNCOMPRESSED};
    size_t x, y;
    /* RFC 7518 section 6.2.1.2: the full size of a coordinate, leading zeros included. */
    if (!read_number(json, VIEW("x"), point + 1, curve->size, &x) || x != curve->size ||
        !read_number(json, VIEW("y"), point + 1 + curve->size, curve->size, &y) || y != curve->size)
        return "`x` or `y` is missing or malformed";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)(uintptr_t)curve->group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * curve->size),
        OSSL_PARAM_construct_end(),
    };
    out->type = curve->type;
    out->key = key_from("EC", params); /* refuses a point off the curve */
    return out->key != NULL ? NULL : "the point is not on the curve";
}

/* RFC 8037 section 2. */
static const char *read_okp(const struct json *json, struct jwk *out)
{
    uint8_t point[ED25519_BYTES];
    size_t size;
    struct view name = curve_name(json);
    if (!view_equals(name, VIEW("Ed25519")))
        return view_is_present(name) ? "the curve is not supported" : "`crv` is missing";
    if (!read_number(json, VIEW("x"), point, sizeof point, &size) || size != sizeof point)
        return "`x` is missing or malformed";
    out->type = JWK_ED25519;
    out->key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, point, sizeof point);
    return out->key != NULL ? NULL : "OpenSSL does not take the key";
}

/* False for keys of another purpose, e.g. the `enc` key that Keycloak publishes beside. */
static bool is_for_verifying(const struct json *key)
{
    const struct json *use = json_get(key, VIEW("use")), *operations = json_get(key, VIEW("key_ops"));
    if (use != NULL && (use->kind != JSON_STRING || !view_equals(use->text, VIEW("sig"))))
        return false;
    if (operations == NULL)
        return true;
    for (size_t i = 0; operations->kind == JSON_ARRAY && i < operations->count; i++)
        if (operations->items[i].kind == JSON_STRING && view_equals(operations->items[i].text, VIEW("verify")))
            return true;
    return false;
}

/* A member of 1 to JWK_KID_MAX bytes, or the absent view where it is absent. */
static bool read_short_text(const struct json *key, struct view name, struct view *out)
{
    const struct json *member = json_get(key, name);
    *out = member != NULL ? member->text : (struct view){0};
    return member == NULL || (member->kind == JSON_STRING && out->size > 0 && out->size <= JWK_KID_MAX);
}

/* NULL and *out, or why the key is left out. */
static const char *read_key(const struct json *json, struct jwk *out)
{
    const struct json *kty = json_get(json, VIEW("kty"));
    if (kty == NULL || kty->kind != JSON_STRING)
        return "`kty` is missing";
    if (!read_short_text(json, VIEW("kid"), &out->kid))
        return "`kid` is not a string of 1 to 256 bytes";
    if (!read_short_text(json, VIEW("alg"), &out->alg))
        return "`alg` is not a string of 1 to 256 bytes";
    if (view_equals(kty->text, VIEW("RSA")))
        return read_rsa(json, out);
    if (view_equals(kty->text, VIEW("EC")))
        return read_ec(json, out);
    if (view_equals(kty->text, VIEW("OKP")))
        return read_okp(json, out);
    return "its `kty` is not supported";
}

/* ---- sets ---- */

/* RFC 7518 sections 6.2.2, 6.3.2 and 6.4: members that are secret. */
static bool has_secret(const struct json *key)
{
    static const struct view SECRET[] = {
        {"d", 1}, {"p", 1}, {"q", 1}, {"dp", 2}, {"dq", 2}, {"qi", 2}, {"oth", 3}, {"k", 1},
    };
    for (size_t i = 0; i < sizeof SECRET / sizeof *SECRET; i++)
        if (json_get(key, SECRET[i]) != NULL)
            return true;
    return false;
}

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
        else if (has_secret(key))
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
        if (!is_for_verifying(&keys->items[i]))
            continue;
        const char *why = read_key(&keys->items[i], &key);
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

bool jwk_is_for(const struct jwk *jwk, enum jwk_type type, struct view algorithm)
{
    return jwk->type == type && (!view_is_present(jwk->alg) || view_equals(jwk->alg, algorithm));
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
