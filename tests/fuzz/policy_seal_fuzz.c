/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_seal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is taken is made of its parts without a gap, is in range, and is signed by nobody here. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct policy_key *key;
    static const char pem[] = "-----BEGIN PUBLIC KEY-----\n"
                              "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
                              "-----END PUBLIC KEY-----\n"; /* RFC 8032 section 7.1, test 1 */
    struct view bytes = {.data = (const char *)data, .size = size};
    struct policy_seal seal;
    struct policy_key *other = NULL;
    if (key == NULL && policy_key_read_public(view_of(pem), &key) != ERR_NONE)
        abort();
    if (policy_key_read_public(bytes, &other) == ERR_NONE)
        policy_key_free(other);
    if (policy_seal_parse(bytes, &seal) != ERR_NONE)
        return 0;
    if (!policy_seal_is(bytes) || seal.image.data != bytes.data + POLICY_SEAL_HEADER_BYTES ||
        seal.image.size + POLICY_SEAL_OVERHEAD != size || seal.covered.size + seal.signature.size != size)
        abort();
    if (seal.revision == 0 || seal.issued < 0 || seal.expires <= seal.issued || view_is_empty(seal.image))
        abort();
    if (policy_seal_is_signed_by(&seal, key))
        abort();
    return 0;
}
