/* SPDX-License-Identifier: Apache-2.0 */
#include "spiffe_id.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is accepted is its domain and path behind the scheme, and nothing else. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view text = {.data = (const char *)data, .size = size};
    struct spiffe_id id;
    if (spiffe_id_parse(text, &id) != ERR_NONE)
        return 0;
    if (!view_equals(id.text, text) || 9 + id.trust_domain.size + id.path.size != size)
        abort();
    if (!trust_domain_is_valid(id.trust_domain) || memchr(data, 0, size) != NULL || memchr(data, '%', size) != NULL)
        abort();
    return 0;
}
