/* SPDX-License-Identifier: Apache-2.0 */
#include "json_print.h"

#include "cli.h"

json_t *json_of_view(struct view text, struct arena *arena)
{
    if (!view_is_present(text))
        return json_null();
    json_t *string = json_stringn(text.data, text.size);
    if (string != NULL)
        return string;
    struct view safe = text_print(text, arena);
    return json_stringn(safe.data ? safe.data : "", safe.size);
}

void json_print(json_t *value)
{
    json_dumpf(value, stdout, JSON_INDENT(2));
    fputc('\n', stdout);
    json_decref(value);
}

void json_print_line(json_t *value)
{
    json_dumpf(value, stdout, JSON_COMPACT);
    fputc('\n', stdout);
    json_decref(value);
}

void json_drop(json_t **value)
{
    json_decref(*value);
}
