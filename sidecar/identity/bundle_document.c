/* SPDX-License-Identifier: Apache-2.0 */
#include "bundle_document.h"

#include "json.h"
#include "pem.h"
#include "trust_bundle.h"

#include <stdlib.h>

enum { VALUES_BYTES_MAX = 64 * 1024 * 1024 /* a document of nothing but brackets */ };

/* One reading. `der` is as long as the text, which every certificate fits. */
struct reading {
    struct view text;
    bundle_document_take *take;
    void *context;
    uint8_t *der;
    size_t der_capacity;
    struct bundle_facts *facts;
    struct bundle_document_error *error;
    struct pem_place place; /* of what was looked at last */
};

static enum err refuse(struct bundle_document_error *error, const char *message, uint32_t line)
{
    *error = (struct bundle_document_error){.message = message, .line = line};
    return ERR_MALFORMED;
}

static enum err read_pem(struct reading *reading)
{
    struct view rest = pem_skip_space(reading->text);
    if (rest.size == 0)
        return refuse(reading->error, "the bundle is empty", 0);
    while (rest.size > 0) {
        size_t size = 0;
        uint32_t line = pem_place_move(&reading->place, reading->text, reading->text.size - rest.size);
        if (pem_take(&rest, VIEW("CERTIFICATE"), reading->der, reading->der_capacity, &size) != ERR_NONE)
            return refuse(reading->error, "not a PEM block of a certificate", line);
        TRY(reading->take(reading->context, (struct view){.data = (const char *)reading->der, .size = size}, line));
        rest = pem_skip_space(rest);
    }
    return ERR_NONE;
}

static bool is_text(const struct json *value, struct view text)
{
    return value != NULL && value->kind == JSON_STRING && view_equals(value->text, text);
}

/* Section 4.2.1: an unknown kind of key is ignored. */
static bool has_known_type(const struct json *key)
{
    const struct json *type = json_get(key, VIEW("kty"));
    return is_text(type, VIEW("EC")) || is_text(type, VIEW("RSA")) || is_text(type, VIEW("OKP"));
}

static enum err read_certificate(const struct reading *reading, const struct json *value, uint32_t line)
{
    size_t size = 0;
    if (value->kind != JSON_STRING ||
        pem_base64_decode(value->text, reading->der, reading->der_capacity, &size) != ERR_NONE)
        return refuse(reading->error, "an x5c value is not base64", line);
    return reading->take(reading->context, (struct view){.data = (const char *)reading->der, .size = size}, line);
}

/* An element without `use: x509-svid` or without a first x5c value is ignored. */
static enum err read_key(struct reading *reading, const struct json *key)
{
    struct bundle_facts *facts = reading->facts;
    const struct json *use = json_get(key, VIEW("use")), *values = json_get(key, VIEW("x5c"));
    if (use == NULL || use->kind != JSON_STRING || !has_known_type(key)) {
        facts->ignored++;
        return ERR_NONE;
    }
    if (!view_equals(use->text, VIEW("x509-svid"))) {
        facts->other_uses++;
        return ERR_NONE;
    }
    uint32_t line = pem_place_move(&reading->place, reading->text, (size_t)(key->text.data - reading->text.data));
    if (values != NULL && values->kind != JSON_ARRAY)
        return refuse(reading->error, "an x5c is no list", line);
    if (values == NULL || values->count == 0) {
        facts->ignored++;
        return ERR_NONE;
    }
    facts->extra_values += (uint32_t)(values->count - 1);
    facts->key_ids += json_get(key, VIEW("kid")) != NULL ? 1 : 0;
    return read_certificate(reading, &values->items[0], line);
}

/* A whole number of at least 64 bits (section 4.1.1), where there is one. */
static bool read_number(const struct json *set, struct view name, bool *is_there, uint64_t *out)
{
    const struct json *value = json_get(set, name);
    *is_there = value != NULL;
    return value == NULL || json_to_u64(value, out);
}

static enum err read_set(struct reading *reading, const struct json *set)
{
    struct bundle_facts *facts = reading->facts;
    const struct json *keys = json_get(set, VIEW("keys"));
    facts->is_document = true;
    if (keys == NULL || keys->kind != JSON_ARRAY)
        return refuse(reading->error, "a SPIFFE bundle document is a JSON object with a list `keys`", 0);
    if (!read_number(set, VIEW("spiffe_sequence"), &facts->has_sequence, &facts->sequence))
        return refuse(reading->error, "spiffe_sequence is not a whole number of 64 bits", 0);
    if (!read_number(set, VIEW("spiffe_refresh_hint"), &facts->has_refresh_hint, &facts->refresh_hint))
        return refuse(reading->error, "spiffe_refresh_hint is not a whole number of seconds", 0);
    for (size_t i = 0; i < keys->count; i++)
        TRY(read_key(reading, &keys->items[i]));
    return ERR_NONE;
}

static enum err read_json(struct reading *reading)
{
    struct arena values;
    struct json set;
    size_t at = 0;
    arena_init(&values, VALUES_BYTES_MAX);
    enum err e = json_parse_located(reading->text, &values, &set, &at);
    if (e == ERR_NONE) {
        e = read_set(reading, &set);
    } else {
        uint32_t line = pem_line(reading->text, at);
        enum err kind = e == ERR_MALFORMED ? ERR_MALFORMED : ERR_LIMIT;
        (void)refuse(reading->error,
                     kind == ERR_LIMIT ? "a bundle document has at most 16 levels and 256 members of an object"
                                       : "not strict JSON, or an object has a name twice",
                     line);
        e = kind;
    }
    arena_free(&values);
    return e;
}

enum err bundle_document_read(struct view text, bundle_document_take *take, void *context, struct bundle_facts *facts,
                              struct bundle_document_error *error)
{
    *facts = (struct bundle_facts){0};
    if (text.size > TRUST_BUNDLE_BYTES_MAX) {
        *error = (struct bundle_document_error){.message = "the bundle is over 1 MiB"};
        return ERR_LIMIT;
    }
    struct reading reading = {.text = text,
                              .take = take,
                              .context = context,
                              .der = malloc(text.size + 1),
                              .der_capacity = text.size,
                              .facts = facts,
                              .error = error};
    if (!reading.der)
        return ERR_NO_MEMORY;
    struct view start = pem_skip_space(text);
    bool is_json = start.size > 0 && (start.data[0] == '{' || start.data[0] == '[');
    enum err e = is_json ? read_json(&reading) : read_pem(&reading);
    free(reading.der);
    return e;
}
