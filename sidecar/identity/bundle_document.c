/* SPDX-License-Identifier: Apache-2.0 */
#include "bundle_document.h"

#include "pem.h"
#include "trust_bundle.h"

#include <jansson.h>
#include <stdlib.h>

/* One reading. `der` is as long as the text, which every certificate fits. */
struct reading {
    struct view text;
    enum err (*take)(void *context, struct view der);
    void *context;
    uint8_t *der;
    size_t der_capacity;
    struct bundle_document_error *error;
};

static enum err refuse(struct bundle_document_error *error, const char *message, uint32_t line)
{
    *error = (struct bundle_document_error){.message = message, .line = line};
    return ERR_MALFORMED;
}

static enum err read_pem(const struct reading *reading)
{
    struct view rest = pem_skip_space(reading->text);
    if (rest.size == 0)
        return refuse(reading->error, "the bundle is empty", 0);
    while (rest.size > 0) {
        size_t size = 0, at = reading->text.size - rest.size;
        if (pem_take(&rest, VIEW("CERTIFICATE"), reading->der, reading->der_capacity, &size) != ERR_NONE)
            return refuse(reading->error, "not a PEM block of a certificate", pem_line(reading->text, at));
        TRY(reading->take(reading->context, (struct view){.data = (const char *)reading->der, .size = size}));
        rest = pem_skip_space(rest);
    }
    return ERR_NONE;
}

static struct view string_view(const json_t *string)
{
    return (struct view){.data = json_string_value(string), .size = json_string_length(string)};
}

/* An element without `use: x509-svid` or without a first x5c value is ignored. */
static enum err read_key(const struct reading *reading, const json_t *key)
{
    const json_t *use = json_object_get(key, "use"), *type = json_object_get(key, "kty");
    if (!json_is_string(use) || !view_equals(string_view(use), VIEW("x509-svid")) || !json_is_string(type))
        return ERR_NONE;
    const json_t *certificate = json_array_get(json_object_get(key, "x5c"), 0);
    if (!certificate)
        return ERR_NONE;
    size_t size = 0;
    if (!json_is_string(certificate) ||
        pem_base64_decode(string_view(certificate), reading->der, reading->der_capacity, &size) != ERR_NONE)
        return refuse(reading->error, "an x5c value is not base64", 0);
    return reading->take(reading->context, (struct view){.data = (const char *)reading->der, .size = size});
}

static enum err read_set(const struct reading *reading, const json_t *set, uint64_t *sequence)
{
    const json_t *keys = json_object_get(set, "keys"), *number = json_object_get(set, "spiffe_sequence");
    if (!json_is_array(keys))
        return refuse(reading->error, "a SPIFFE bundle document has a list `keys`", 0);
    if (number && (!json_is_integer(number) || json_integer_value(number) < 0))
        return refuse(reading->error, "spiffe_sequence is not a whole number", 0);
    *sequence = number ? (uint64_t)json_integer_value(number) : 0;
    for (size_t i = 0; i < json_array_size(keys); i++)
        TRY(read_key(reading, json_array_get(keys, i)));
    return ERR_NONE;
}

static enum err read_json(const struct reading *reading, uint64_t *sequence)
{
    json_error_t fault;
    json_t *set = json_loadb(reading->text.data, reading->text.size, JSON_REJECT_DUPLICATES, &fault);
    if (!set)
        return refuse(reading->error, "not a JSON document, or one with a name twice",
                      fault.line > 0 ? (uint32_t)fault.line : 0);
    enum err e = json_is_object(set) ? read_set(reading, set, sequence)
                                     : refuse(reading->error, "a SPIFFE bundle document is a JSON object", 0);
    json_decref(set);
    return e;
}

enum err bundle_document_read(struct view text, enum err (*take)(void *context, struct view der), void *context,
                              uint64_t *sequence, struct bundle_document_error *error)
{
    *sequence = 0;
    if (text.size > TRUST_BUNDLE_BYTES_MAX) {
        *error = (struct bundle_document_error){.message = "the bundle is over 1 MiB"};
        return ERR_LIMIT;
    }
    struct reading reading = {.text = text,
                              .take = take,
                              .context = context,
                              .der = malloc(text.size + 1),
                              .der_capacity = text.size,
                              .error = error};
    if (!reading.der)
        return ERR_NO_MEMORY;
    struct view start = pem_skip_space(text);
    bool is_json = start.size > 0 && (start.data[0] == '{' || start.data[0] == '[');
    enum err e = is_json ? read_json(&reading, sequence) : read_pem(&reading);
    free(reading.der);
    return e;
}
