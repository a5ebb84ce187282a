/* SPDX-License-Identifier: Apache-2.0 */
#include "authorization.h"

static bool is_alphanumeric(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* The leading letters and digits. Of the tchars of RFC 9110 no scheme in question has
 * others, and a longer name that holds them is another scheme all the same. */
static size_t scheme_size(struct view value)
{
    size_t size = 0;
    while (size < value.size &&
           (is_alphanumeric(value.data[size]) || value.data[size] == '-' || value.data[size] == '_'))
        size++;
    return size;
}

bool authorization_is_token(struct view text)
{
    size_t size = text.size;
    while (size > 0 && text.data[size - 1] == '=')
        size--;
    for (size_t i = 0; i < size; i++)
        if (!is_alphanumeric(text.data[i]) && memchr("-._~+/", text.data[i], 6) == NULL)
            return false;
    return size > 0;
}

enum reason authorization_parse(struct view value, struct view *token, bool *is_dpop)
{
    *token = (struct view){0};
    *is_dpop = false;
    if (value.size > 0 && (value.data[0] == ' ' || value.data[0] == '\t'))
        return REASON_TOKEN_MALFORMED;
    size_t size = scheme_size(value);
    struct view scheme = view_slice(value, 0, size);
    *is_dpop = view_equals_ignoring_case(scheme, VIEW("DPoP"));
    if (!*is_dpop && !view_equals_ignoring_case(scheme, VIEW("Bearer")))
        return REASON_NONE;
    struct view rest = view_slice(value, size + 1, value.size);
    if (size == value.size || value.data[size] != ' ' || view_is_empty(rest))
        return REASON_TOKEN_MALFORMED;
    *token = rest;
    return REASON_NONE;
}
