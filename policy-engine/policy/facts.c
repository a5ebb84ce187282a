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

bool facts_is_hearsay(struct view name)
{
    static const struct view names[] = {
        {.data = "connection", .size = 10}, {.data = "forwarded", .size = 9},
        {.data = "host", .size = 4},        {.data = "x-http-method-override", .size = 22},
        {.data = "x-real-ip", .size = 9},   {.data = "x-rewrite-url", .size = 13},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (view_equals(names[i], name))
            return true;
    return view_starts_with(name, VIEW("x-forwarded-")) || view_starts_with(name, VIEW("x-envoy-")) ||
           view_starts_with(name, VIEW("x-original-"));
}
