/* SPDX-License-Identifier: Apache-2.0 */
/* A SPIFFE bundle map: the bundle documents of many trust domains in one file
 * (SPIFFE_Trust_Domain_and_Bundle.md section 5.1 and appendix B.1).
 *
 *   {"trust_domains": {NAME: DOCUMENT, ...}, ...}
 *
 * `trust_domains` must be there and may be empty; members beside it are ignored. JSON is
 * read strictly (json.h), so that a domain named twice, escaped or not, is refused. */
#ifndef BARTIZAN_BUNDLE_MAP_H
#define BARTIZAN_BUNDLE_MAP_H

#include "arena.h"
#include "bundle_document.h"

enum { BUNDLE_MAP_DOMAINS_MAX = 256 };

struct bundle_map_entry {
    struct view trust_domain; /* its name, without `spiffe://` */
    struct view document;     /* as it stands in the text: an object, not looked into */
    uint32_t line;            /* in which it begins, from 1 */
};

struct bundle_map {
    const struct bundle_map_entry *entries; /* in order of the text */
    size_t count;                           /* at most BUNDLE_MAP_DOMAINS_MAX */
};

/* Names live in `arena`, documents borrow from `text`. ERR_MALFORMED: no JSON object with
 * an object `trust_domains`, a name that is none of a trust domain or stands twice, a
 * document that is no object; ERR_LIMIT: more domains or deeper than is read; both with
 * *error. ERR_NO_MEMORY. */
MUST_CHECK enum err bundle_map_parse(struct view text, struct arena *arena, struct bundle_map *out,
                                     struct bundle_document_error *error);

/* True for a text that means to be one: an object with the name `trust_domains` somewhere. For tools that take
 * either form; a decider is told. */
bool bundle_map_is_meant(struct view text);

/* The entry of `trust_domain`, or NULL: the map says that nobody of it is trusted. */
const struct bundle_map_entry *bundle_map_find(const struct bundle_map *map, struct view trust_domain);

#endif
