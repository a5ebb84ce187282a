/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_mark.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is taken lies in the text and is in range. The checksum is of the bytes, so that hardly anything is. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view text = {.data = (const char *)data, .size = size};
    struct policy_leave leave;
    uint64_t revision = 0;
    if (policy_mark_parse(text, &revision) == ERR_NONE && revision > INT64_MAX)
        abort();
    if (policy_leave_parse(text, &leave) != ERR_NONE)
        return 0;
    if (leave.revision == 0 || leave.until < 0 || leave.author.data < text.data ||
        leave.reason.data + leave.reason.size > text.data + text.size || leave.reason.size > POLICY_LEAVE_TEXT_MAX)
        abort();
    return 0;
}
