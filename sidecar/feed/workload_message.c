/* SPDX-License-Identifier: Apache-2.0 */
#include "workload_message.h"

#include "pb_reader.h"
#include "spiffe_id.h"

#include <stdlib.h>

enum { X509_CRL_FIELD = 1, X509_BUNDLES_FIELD = 2, JWT_BUNDLES_FIELD = 1, ENTRY_KEY = 1, ENTRY_VALUE = 2 };

/* One reading. */
struct reading {
    uint32_t bundles_field, crl_field; /* 0: the message has none */
    struct workload_bundle *bundles;
    size_t bundle_count;
    struct view *crls;
    size_t crl_count;
    const char **why;
};

static enum err refuse(const struct reading *reading, enum err error, const char *phrase)
{
    *reading->why = phrase;
    return error;
}

static enum err read_entry(const struct reading *reading, struct view entry, struct view *key, struct view *value)
{
    struct pb_reader reader;
    struct pb_field field;
    pb_reader_init(&reader, entry);
    while (pb_reader_next(&reader, &field)) {
        if (field.number != ENTRY_KEY && field.number != ENTRY_VALUE)
            continue;
        struct view *part = field.number == ENTRY_KEY ? key : value;
        if (field.wire != PB_BYTES || view_is_present(*part))
            return refuse(reading, ERR_MALFORMED, "an entry of the map has a part of another type, or one twice");
        *part = field.bytes;
    }
    return reader.is_broken ? refuse(reading, ERR_MALFORMED, "an entry of the map is no protobuf message") : ERR_NONE;
}

static enum err add_bundle(struct reading *reading, struct view entry)
{
    struct view key = {0}, value = {0};
    struct spiffe_id id;
    TRY(read_entry(reading, entry, &key, &value));
    if (view_is_empty(key) || view_is_empty(value))
        return refuse(reading, ERR_MALFORMED, "a trust domain or its bundle is empty, which is mandatory");
    if (spiffe_id_parse(key, &id) != ERR_NONE || !view_is_empty(id.path))
        return refuse(reading, ERR_MALFORMED, "a key of the map is not the SPIFFE ID of a trust domain");
    if (reading->bundle_count == WORKLOAD_DOMAINS_MAX)
        return refuse(reading, ERR_LIMIT, "there are more than 1024 trust domains");
    reading->bundles[reading->bundle_count++] =
        (struct workload_bundle){.trust_domain = id.trust_domain, .bytes = value};
    return ERR_NONE;
}

static enum err add_crl(struct reading *reading, struct view crl)
{
    if (view_is_empty(crl))
        return refuse(reading, ERR_MALFORMED, "a revocation list is empty");
    if (reading->crl_count == WORKLOAD_CRLS_MAX)
        return refuse(reading, ERR_LIMIT, "there are more than 64 revocation lists");
    reading->crls[reading->crl_count++] = crl;
    return ERR_NONE;
}

static enum err read_fields(struct reading *reading, struct view bytes)
{
    struct pb_reader reader;
    struct pb_field field;
    pb_reader_init(&reader, bytes);
    while (pb_reader_next(&reader, &field)) {
        bool is_bundle = field.number == reading->bundles_field, is_crl = field.number == reading->crl_field;
        if (!is_bundle && !is_crl)
            continue;
        if (field.wire != PB_BYTES)
            return refuse(reading, ERR_MALFORMED, "a field of the message has another type");
        TRY(is_bundle ? add_bundle(reading, field.bytes) : add_crl(reading, field.bytes));
    }
    return reader.is_broken ? refuse(reading, ERR_MALFORMED, "the bytes are no protobuf message") : ERR_NONE;
}

static int by_domain(const void *a, const void *b)
{
    return view_compare(((const struct workload_bundle *)a)->trust_domain,
                        ((const struct workload_bundle *)b)->trust_domain);
}

static enum err check(const struct reading *reading)
{
    if (reading->bundle_count == 0)
        return refuse(reading, ERR_MALFORMED, "it names no trust domain, which is mandatory");
    qsort(reading->bundles, reading->bundle_count, sizeof reading->bundles[0], by_domain);
    for (size_t i = 1; i < reading->bundle_count; i++)
        if (by_domain(&reading->bundles[i - 1], &reading->bundles[i]) == 0)
            return refuse(reading, ERR_MALFORMED, "it names a trust domain twice");
    return ERR_NONE;
}

enum err workload_message_parse(enum workload_kind kind, struct view bytes, struct arena *arena,
                                struct workload_message *out, const char **why)
{
    bool is_x509 = kind == WORKLOAD_X509;
    struct reading reading = {.bundles_field = is_x509 ? X509_BUNDLES_FIELD : JWT_BUNDLES_FIELD,
                              .crl_field = is_x509 ? X509_CRL_FIELD : 0,
                              .bundles = arena_take_array(arena, WORKLOAD_DOMAINS_MAX, sizeof *reading.bundles),
                              .crls = arena_take_array(arena, WORKLOAD_CRLS_MAX, sizeof *reading.crls),
                              .why = why};
    *why = err_text(ERR_NO_MEMORY);
    if (reading.bundles == NULL || reading.crls == NULL)
        return ERR_NO_MEMORY;
    if (bytes.size > WORKLOAD_MESSAGE_BYTES_MAX)
        return refuse(&reading, ERR_LIMIT, "the message is over 4 MiB");
    TRY(read_fields(&reading, bytes));
    TRY(check(&reading));
    *out = (struct workload_message){.bundles = reading.bundles,
                                     .bundle_count = reading.bundle_count,
                                     .crls = reading.crls,
                                     .crl_count = reading.crl_count};
    return ERR_NONE;
}

struct view workload_message_find(const struct workload_message *message, struct view trust_domain)
{
    const struct workload_bundle wanted = {.trust_domain = trust_domain};
    const struct workload_bundle *found =
        message->bundle_count > 0 ? bsearch(&wanted, message->bundles, message->bundle_count, sizeof wanted, by_domain)
                                  : NULL;
    return found != NULL ? found->bytes : (struct view){0};
}
