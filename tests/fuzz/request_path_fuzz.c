/* SPDX-License-Identifier: Apache-2.0 */
#include "request_path.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is accepted is made of its own segments, decodes to no more bytes, and is
 * accepted by the laxer mode too. */
static void check_path(struct view target)
{
    struct request_path strict, envoy;
    if (request_path_parse(target, PATH_STRICT, false, &strict) != REASON_NONE)
        return;
    assert(request_path_parse(target, PATH_ENVOY, true, &envoy) == REASON_NONE);
    size_t bytes = 0;
    for (size_t i = 0; i < strict.segment_count; i++) {
        char decoded[PATH_SEGMENT_BYTES_MAX];
        size_t decoded_size = request_path_decode(strict.segments[i], decoded);
        assert(decoded_size <= strict.segments[i].size);
        assert(decoded_size == 0 || !memchr(decoded, '\0', decoded_size));
        bytes += 1 + strict.segments[i].size;
    }
    assert(bytes == strict.path.size);
}

static void check_host(struct view host)
{
    char *buffer = malloc(host.size + 1);
    struct view name, again_name;
    uint16_t port = 0, again_port = 0;
    if (!buffer)
        return;
    if (request_host_parse(host, buffer, &name, &port) == REASON_NONE) {
        char again[256];
        assert(name.size > 0 && name.size < sizeof again);
        assert(request_host_parse(name, again, &again_name, &again_port) == REASON_NONE);
        assert(view_equals(name, again_name) && again_port == 0);
    }
    free(buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view input = {.data = (const char *)data, .size = size};
    check_path(input);
    check_host(input);
    if (request_method_check(input) == REASON_NONE)
        assert(size > 0 && size <= 32);
    return 0;
}
