/* SPDX-License-Identifier: Apache-2.0 */
#include "xfcc.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_within(struct view part, struct view text)
{
    return !view_is_present(part) || (part.data >= text.data && part.data + part.size <= text.data + text.size);
}

static void check(const struct xfcc_element *element, struct view text)
{
    const struct view parts[] = {element->by,    element->hash,    element->cert,
                                 element->chain, element->subject, element->uri};
    if (view_is_present(element->hash) && element->hash.size != 64)
        abort();
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (!is_within(parts[i], text))
            abort();
    }
}

/* Views stay within the text, and a text is refused or has elements. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view text = {.data = (const char *)data, .size = size};
    struct xfcc xfcc;
    if (xfcc_parse(text, &xfcc) != REASON_NONE)
        return 0;
    if (xfcc.count == 0 || xfcc.count > XFCC_ELEMENTS_MAX)
        abort();
    for (size_t i = 0; i < xfcc.count; i++)
        check(&xfcc.elements[i], text);
    return 0;
}
