/* SPDX-License-Identifier: Apache-2.0 */
#include "facts.h"

const struct value *value_get(const struct value *map, struct view name)
{
    if (!map || map->kind != VALUE_MAP)
        return NULL;
    for (size_t i = 0; i < map->count; i++)
        if (view_equals(map->names[i], name))
            return &map->items[i];
    return NULL;
}

const struct pair *facts_header(const struct facts *facts, struct view name)
{
    for (size_t i = 0; i < facts->header_count; i++)
        if (view_equals(facts->headers[i].name, name))
            return &facts->headers[i];
    return NULL;
}
