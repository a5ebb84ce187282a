/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes are a request in bytes, a request in JSON that protobuf-c can read, or findings. */
#include "request_read.h"

#include "ext_authz.pb-c.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    static struct diag_list diags;
    struct view text = {(const char *)data, size}, bytes = {0};
    arena_init(&arena, (size_t)64 << 20);
    diag_list_init(&diags, &arena);
    enum err err = request_read(VIEW("request.json"), text, &arena, &diags, &bytes);
    if ((err == ERR_INVALID) != (diags.errors > 0))
        abort();
    if (err == ERR_NONE && bytes.data != text.data) {
        Envoy__Service__Auth__V3__CheckRequest *request =
            envoy__service__auth__v3__check_request__unpack(NULL, bytes.size, (const uint8_t *)bytes.data);
        if (request == NULL)
            abort();
        envoy__service__auth__v3__check_request__free_unpacked(request, NULL);
    }
    arena_free(&arena);
    return 0;
}
