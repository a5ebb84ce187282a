/* SPDX-License-Identifier: Apache-2.0 */
/* The first line is a name, the rest a target: what is found is text, within its room,
 * and looking twice finds the same. */
#include "query.h"

#include "utf8.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct query_param param, raw;
    struct view input = {.data = (const char *)data, .size = size};
    size_t line = view_index_of(input, '\n', 0);
    struct view name = view_slice(input, 0, line), target = view_slice(input, line + 1, size);
    query_find(target, false, name, &param);
    query_find(target, true, name, &raw);
    if (param.value.size > QUERY_VALUE_MAX || !utf8_is_text(param.value))
        abort();
    if (view_is_present(param.value) != (param.count == 1 && !param.is_unknown))
        abort();
    /* Raw bytes tell more, never something else. */
    if (view_is_present(param.value) && !view_equals(param.value, raw.value))
        abort();
    return 0;
}
