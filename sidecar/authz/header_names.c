/* SPDX-License-Identifier: Apache-2.0 */
#include "header_names.h"

#include <stdlib.h>

enum { FIRST_CAPACITY = 16 };

struct collection {
    struct header_names *names;
    size_t capacity;
    bool is_full;
};

/* Where `name` stands, or would. */
static size_t position(const struct header_names *names, struct view name)
{
    size_t low = 0, high = names->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (view_compare(names->items[middle], name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool header_names_has(const struct header_names *names, struct view name)
{
    size_t at = position(names, name);
    return at < names->count && view_equals(names->items[at], name);
}

static void collect(void *context, struct view name)
{
    struct collection *collection = context;
    struct header_names *names = collection->names;
    size_t at = position(names, name);
    if (collection->is_full || (at < names->count && view_equals(names->items[at], name)))
        return;
    if (names->count == collection->capacity) {
        size_t capacity = collection->capacity == 0 ? FIRST_CAPACITY : 2 * collection->capacity;
        struct view *items = reallocarray(names->items, capacity, sizeof(*items));
        if (items == NULL) {
            collection->is_full = true;
            return;
        }
        names->items = items;
        collection->capacity = capacity;
    }
    memmove(names->items + at + 1, names->items + at, (names->count - at) * sizeof(*names->items));
    names->items[at] = name;
    names->count++;
    names->sizes |= UINT64_C(1) << name.size % 64;
}

static enum err build(const struct policy *policy,
                      void (*each_header)(const struct policy *policy, void (*each)(void *context, struct view name),
                                          void *context),
                      struct header_names *out)
{
    *out = (struct header_names){0};
    struct collection collection = {.names = out};
    each_header(policy, collect, &collection);
    if (!collection.is_full)
        return ERR_NONE;
    header_names_free(out);
    return ERR_NO_MEMORY;
}

enum err header_names_build(const struct policy *policy, struct header_names *out)
{
    return build(policy, policy_headers, out);
}

enum err header_names_build_settable(const struct policy *policy, struct header_names *out)
{
    return build(policy, policy_settable_headers, out);
}

void header_names_free(struct header_names *names)
{
    free(names->items);
    *names = (struct header_names){0};
}
