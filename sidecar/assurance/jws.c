/* SPDX-License-Identifier: Apache-2.0 */
#include "jws.h"

#include "base64url.h"
#include "json.h"
#include "signature.h"

/* Counted before anything is decoded or allocated: a text of dots costs one pass. */
static bool has_two_dots(struct view text, size_t *first, size_t *second)
{
    *first = view_index_of(text, '.', 0);
    *second = view_index_of(text, '.', *first + 1);
    return *second < text.size && view_index_of(text, '.', *second + 1) == text.size;
}

static bool decode(struct view part, struct arena *arena, struct view *out)
{
    uint8_t *bytes = arena_take(arena, part.size + 1);
    if (bytes == NULL || base64url_decode(part, bytes, part.size, &out->size) != ERR_NONE)
        return false;
    out->data = (const char *)bytes;
    return true;
}

static bool is_refused_parameter(struct view name)
{
    static const struct view REFUSED[] = {
        {"jku", 3}, {"x5u", 3}, {"jwk", 3}, {"x5c", 3}, {"crit", 4}, {"b64", 3}, {"zip", 3},
    };
    for (size_t i = 0; i < sizeof REFUSED / sizeof *REFUSED; i++)
        if (view_equals(REFUSED[i], name))
            return true;
    return false;
}

/* False when the parameter is there and no string; absent gives the absent view. */
static bool read_parameter(const struct json *header, struct view name, struct view *out)
{
    const struct json *member = json_get(header, name);
    *out = member != NULL ? member->text : (struct view){0};
    return member == NULL || member->kind == JSON_STRING;
}

static bool read_header(struct view text, struct arena *arena, struct jws *out)
{
    struct json header;
    if (json_parse(text, arena, &header) != ERR_NONE || header.kind != JSON_OBJECT)
        return false;
    for (size_t i = 0; i < header.count; i++)
        if (is_refused_parameter(header.names[i]))
            return false;
    return read_parameter(&header, VIEW("alg"), &out->algorithm) && view_is_present(out->algorithm) &&
           read_parameter(&header, VIEW("kid"), &out->kid) && read_parameter(&header, VIEW("typ"), &out->type);
}

enum reason jws_parse(struct view text, struct arena *arena, struct jws *out)
{
    size_t first, second;
    struct view header;
    struct jws jws = {0};
    if (text.size > JWS_BYTES_MAX || !has_two_dots(text, &first, &second) ||
        !decode(view_slice(text, 0, first), arena, &header) || !read_header(header, arena, &jws) ||
        !decode(view_slice(text, first + 1, second), arena, &jws.payload) ||
        !decode(view_slice(text, second + 1, text.size), arena, &jws.signature) || view_is_empty(jws.signature))
        return REASON_TOKEN_MALFORMED;
    jws.signed_text = view_slice(text, 0, second);
    *out = jws;
    return REASON_NONE;
}

bool jws_is_supported(const struct jws *jws)
{
    return signature_algorithm(jws->algorithm) != NULL;
}

enum reason jws_verify(const struct jws *jws, const struct jwks *jwks)
{
    const struct signature_algorithm *algorithm = signature_algorithm(jws->algorithm);
    if (algorithm == NULL || !jwks_allows(jwks, algorithm->number))
        return REASON_TOKEN_ALGORITHM;
    const struct jwk *key =
        view_is_present(jws->kid) ? jwks_find(jwks, jws->kid) : jwks_find_only(jwks, algorithm->type, jws->algorithm);
    if (key == NULL)
        return REASON_TOKEN_KEY;
    if (!jwk_is_for(key, algorithm->type, jws->algorithm))
        return REASON_TOKEN_ALGORITHM;
    return signature_verify(algorithm, key, jws->signed_text, jws->signature) ? REASON_NONE : REASON_TOKEN_SIGNATURE;
}
