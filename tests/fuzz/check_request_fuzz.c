/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes: a request or a reason, the one that protobuf-c's reading justifies. */
#include "check_request_oracle.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *difference = check_request_oracle_disagreement((struct view){.data = (const char *)data, .size = size});

    if (difference != NULL) {
        fprintf(stderr, "%s\n", difference);
        abort();
    }
    return 0;
}
