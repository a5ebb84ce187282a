/* SPDX-License-Identifier: Apache-2.0 */
#include "bundle_map.h"

#include "json.h"
#include "pem.h"
#include "spiffe_id.h"

/* Of the values of a text: base64 takes next to nothing, a text made of brackets all. */
enum { VALUES_BYTES_MAX = 64 * 1024 * 1024 };

_Static_assert((int)BUNDLE_MAP_DOMAINS_MAX == (int)JSON_MEMBERS_MAX, "as many as an object has members");

struct reading {
    struct view text;
    struct arena *arena; /* of the result */
    struct bundle_map *map;
    struct bundle_document_error *error;
    struct pem_place place; /* of the entry that was read last */
};

static enum err refuse(const struct reading *reading, const char *message, uint32_t line)
{
    *reading->error = (struct bundle_document_error){.message = message, .line = line};
    return ERR_MALFORMED;
}

static enum err read_values(const struct reading *reading, struct arena *values, struct json *out)
{
    size_t at = 0;
    enum err e = json_parse_located(reading->text, values, out, &at);
    if (e == ERR_NONE)
        return ERR_NONE;
    uint32_t line = pem_line(reading->text, at);
    if (e == ERR_MALFORMED)
        return refuse(reading, "not strict JSON, or an object has a name twice", line);
    (void)refuse(reading, "a bundle map has at most 256 trust domains and 16 levels", line);
    return ERR_LIMIT;
}

/* A name with `spiffe://` in front would leave its domain without a bundle, and nobody would be told. */
static enum err read_entry(struct reading *reading, struct view name, const struct json *value,
                           struct bundle_map_entry *out)
{
    if (value->kind != JSON_OBJECT)
        return refuse(reading, "a trust domain's value is not a bundle document", 0);
    uint32_t line = pem_place_move(&reading->place, reading->text, (size_t)(value->text.data - reading->text.data));
    if (!trust_domain_is_valid(name))
        return refuse(reading, "a key of `trust_domains` is not the name of a trust domain", line);
    *out = (struct bundle_map_entry){
        .trust_domain = arena_copy(reading->arena, name), .document = value->text, .line = line};
    return view_is_present(out->trust_domain) ? ERR_NONE : ERR_NO_MEMORY;
}

static enum err read_map(struct reading *reading, struct arena *values)
{
    struct json whole;
    TRY(read_values(reading, values, &whole));
    const struct json *domains = json_get(&whole, VIEW("trust_domains"));
    if (domains == NULL || domains->kind != JSON_OBJECT)
        return refuse(reading, "a bundle map is an object with an object `trust_domains`", 0);
    struct bundle_map_entry *entries = arena_take_array(reading->arena, domains->count + 1, sizeof *entries);
    if (entries == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < domains->count; i++)
        TRY(read_entry(reading, domains->names[i], &domains->items[i], &entries[i]));
    *reading->map = (struct bundle_map){.entries = entries, .count = domains->count};
    return ERR_NONE;
}

enum err bundle_map_parse(struct view text, struct arena *arena, struct bundle_map *out,
                          struct bundle_document_error *error)
{
    struct arena values;
    struct reading reading = {.text = text, .arena = arena, .map = out, .error = error};
    arena_init(&values, VALUES_BYTES_MAX);
    enum err e = read_map(&reading, &values);
    arena_free(&values);
    return e;
}

const struct bundle_map_entry *bundle_map_find(const struct bundle_map *map, struct view trust_domain)
{
    for (size_t i = 0; i < map->count; i++)
        if (view_equals(map->entries[i].trust_domain, trust_domain))
            return &map->entries[i];
    return NULL;
}

bool bundle_map_is_meant(struct view text)
{
    struct view start = pem_skip_space(text);
    size_t at = view_starts_with(start, VIEW("{")) ? view_index_of(start, '"', 0) : start.size;
    for (; at < start.size; at = view_index_of(start, '"', at + 1))
        if (view_starts_with(view_slice(start, at, start.size), VIEW("\"trust_domains\"")))
            return true;
    return false;
}
