/* SPDX-License-Identifier: Apache-2.0 */
#include "trust_bundles.h"

#include "spiffe_id.h"

#include <openssl/err.h>
#include <stdlib.h>

/* Zeroed, so that its bytes can be digested. */
struct domain_name {
    char text[TRUST_DOMAIN_MAX];
    size_t size;
};

struct trust_bundles {
    struct trust_bundle **items; /* in order of name */
    size_t count;
    char digest[2 * SHA256_BYTES];
    struct domain_name *passed_over;
    size_t passed_over_count;
};

static int by_name(const void *a, const void *b)
{
    return view_compare(trust_bundle_name(*(struct trust_bundle *const *)a),
                        trust_bundle_name(*(struct trust_bundle *const *)b));
}

static enum err check_names(const struct trust_bundles *bundles, struct diag_list *diags)
{
    for (size_t i = 1; i < bundles->count; i++) {
        struct view name = trust_bundle_name(bundles->items[i]);
        if (!view_equals(name, trust_bundle_name(bundles->items[i - 1])))
            continue;
        diag_error(diags, "E1006", &(struct span){0}, "trust domain %.*s is named twice", VIEW_ARG(name));
        return ERR_INVALID;
    }
    return ERR_NONE;
}

static enum err digest_all(struct trust_bundles *bundles)
{
    uint8_t digest[SHA256_BYTES], *parts = calloc(bundles->count + 1, SHA256_BYTES);
    if (!parts)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < bundles->count; i++)
        memcpy(parts + i * SHA256_BYTES, trust_bundle_digest(bundles->items[i]), SHA256_BYTES);
    enum err e = sha256((struct view){.data = (const char *)parts, .size = bundles->count * SHA256_BYTES}, digest);
    free(parts);
    hex_encode(digest, sizeof digest, bundles->digest);
    return e;
}

/* Of references that are the set's own. */
static enum err finish(struct trust_bundles *bundles, struct diag_list *diags)
{
    if (bundles->count > 0)
        qsort(bundles->items, bundles->count, sizeof(struct trust_bundle *), by_name);
    TRY(check_names(bundles, diags));
    return digest_all(bundles);
}

static struct trust_bundles *make_room(size_t count)
{
    struct trust_bundles *bundles = calloc(1, sizeof *bundles);
    if (bundles)
        bundles->items = calloc(count + 1, sizeof(struct trust_bundle *));
    if (bundles && bundles->items)
        return bundles;
    free(bundles);
    return NULL;
}

enum err trust_bundles_join(struct trust_bundle *const *items, size_t count, struct diag_list *diags,
                            struct trust_bundles **out)
{
    struct trust_bundles *bundles = make_room(count);
    for (size_t i = 0; i < count && !bundles; i++)
        trust_bundle_drop(items[i]);
    if (!bundles)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        bundles->items[i] = items[i];
    bundles->count = count;
    enum err e = finish(bundles, diags);
    if (e != ERR_NONE) {
        trust_bundles_free(bundles);
        return e;
    }
    *out = bundles;
    return ERR_NONE;
}

/* Every source is tried, so that one load names everything that is wrong. */
static enum err build_each(const struct trust_bundle_source *sources, size_t count, struct diag_list *diags,
                           struct trust_bundles *bundles)
{
    enum err worst = ERR_NONE;
    for (size_t i = 0; i < count; i++) {
        enum err e = trust_bundle_build(&sources[i], diags, &bundles->items[bundles->count]);
        if (e == ERR_NO_MEMORY)
            return e;
        bundles->count += e == ERR_NONE ? 1 : 0;
        worst = e == ERR_NONE ? worst : e;
    }
    TRY(worst);
    return finish(bundles, diags);
}

enum err trust_bundles_build(const struct trust_bundle_source *sources, size_t count, struct diag_list *diags,
                             struct trust_bundles **out)
{
    struct trust_bundles *bundles = make_room(count);
    if (!bundles)
        return ERR_NO_MEMORY;
    enum err e = build_each(sources, count, diags, bundles);
    if (e != ERR_NONE) {
        trust_bundles_free(bundles);
        return e;
    }
    *out = bundles;
    return ERR_NONE;
}

void trust_bundles_free(struct trust_bundles *bundles)
{
    if (!bundles)
        return;
    for (size_t i = 0; i < bundles->count; i++)
        trust_bundle_drop(bundles->items[i]);
    free(bundles->items);
    free(bundles->passed_over);
    free(bundles);
}

struct trust_bundle *trust_bundles_find(const struct trust_bundles *bundles, struct view trust_domain)
{
    size_t low = 0, high = bundles->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = view_compare(trust_domain, trust_bundle_name(bundles->items[middle]));
        if (order == 0)
            return bundles->items[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

struct view trust_bundles_digest(const struct trust_bundles *bundles)
{
    return (struct view){.data = bundles->digest, .size = sizeof bundles->digest};
}

void trust_bundles_each(const struct trust_bundles *bundles,
                        void (*each)(void *context, struct view trust_domain, const struct trust_bundle *bundle),
                        void *context)
{
    for (size_t i = 0; i < bundles->count; i++)
        each(context, trust_bundle_name(bundles->items[i]), bundles->items[i]);
}

/* ---- keys that domains share --------------------------------------------- */

struct authority_key {
    uint8_t digest[SHA256_BYTES]; /* of its SubjectPublicKeyInfo */
    size_t owner;                 /* index of its domain */
};

static int by_key(const void *a, const void *b)
{
    const struct authority_key *x = a, *y = b;
    int order = memcmp(x->digest, y->digest, SHA256_BYTES);
    return order != 0 ? order : (x->owner > y->owner) - (x->owner < y->owner);
}

static enum err digest_key(X509 *certificate, uint8_t out[SHA256_BYTES])
{
    unsigned char *der = NULL;
    int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    if (size < 0)
        return ERR_NO_MEMORY;
    enum err e = sha256((struct view){.data = (const char *)der, .size = (size_t)size}, out);
    OPENSSL_free(der);
    return e;
}

static size_t count_authorities(const struct trust_bundles *bundles)
{
    size_t count = 0;
    for (size_t i = 0; i < bundles->count; i++)
        count += trust_bundle_count(bundles->items[i]);
    return count;
}

static enum err collect_keys(const struct trust_bundles *bundles, struct authority_key *keys)
{
    for (size_t i = 0; i < bundles->count; i++)
        for (size_t k = 0; k < trust_bundle_count(bundles->items[i]); k++, keys++) {
            keys->owner = i;
            TRY(digest_key(trust_bundle_authority(bundles->items[i], k), keys->digest));
        }
    return ERR_NONE;
}

enum err trust_bundles_each_shared(const struct trust_bundles *bundles,
                                   void (*each)(void *context, const struct trust_bundle *a,
                                                const struct trust_bundle *b),
                                   void *context)
{
    size_t count = count_authorities(bundles);
    struct authority_key *keys = calloc(count + 1, sizeof *keys);
    if (!keys)
        return ERR_NO_MEMORY;
    enum err e = collect_keys(bundles, keys);
    qsort(keys, count, sizeof *keys, by_key);
    for (size_t i = 1; e == ERR_NONE && i < count; i++)
        if (keys[i].owner != keys[i - 1].owner && memcmp(keys[i].digest, keys[i - 1].digest, SHA256_BYTES) == 0)
            each(context, bundles->items[keys[i - 1].owner], bundles->items[keys[i].owner]);
    free(keys);
    return e;
}

/* ---- domains of a map that are passed over ------------------------------- */

struct view trust_bundles_passed_over(const struct trust_bundles *bundles, size_t i)
{
    if (i >= bundles->passed_over_count)
        return (struct view){0};
    return (struct view){.data = bundles->passed_over[i].text, .size = bundles->passed_over[i].size};
}

bool trust_bundles_has_passed_over(const struct trust_bundles *bundles, struct view trust_domain)
{
    for (size_t i = 0; i < bundles->passed_over_count; i++)
        if (view_equals(trust_bundles_passed_over(bundles, i), trust_domain))
            return true;
    return false;
}

enum err trust_bundles_pass_over(struct trust_bundles *bundles, struct view trust_domain)
{
    size_t count = bundles->passed_over_count;
    if (trust_domain.size > TRUST_DOMAIN_MAX)
        return ERR_LIMIT;
    if (trust_bundles_has_passed_over(bundles, trust_domain))
        return ERR_NONE;
    struct domain_name *names = realloc(bundles->passed_over, (count + 1) * sizeof *names);
    if (!names)
        return ERR_NO_MEMORY;
    bundles->passed_over = names;
    memset(&names[count], 0, sizeof names[count]);
    memcpy(names[count].text, trust_domain.data, trust_domain.size);
    names[count].size = trust_domain.size;
    bundles->passed_over_count++;
    return ERR_NONE;
}

enum err trust_bundles_passed_over_digest(const struct trust_bundles *bundles, uint8_t out[SHA256_BYTES])
{
    size_t size = bundles->passed_over_count * sizeof(struct domain_name);
    return sha256((struct view){.data = size > 0 ? (const char *)bundles->passed_over : "", .size = size}, out);
}
