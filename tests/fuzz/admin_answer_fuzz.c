/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes are an HTTP answer whose body lies within them, or an error. */
#include "admin_client.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view bytes = {(const char *)data, size};
    struct admin_answer answer = {0};
    enum err err = admin_answer_parse(bytes, &answer);
    if (err == ERR_NONE && (answer.status < 100 || answer.status > 599 || answer.body.size > size))
        abort();
    return 0;
}
