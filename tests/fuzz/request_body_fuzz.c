/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a body: what is read of it is text from it, and what cannot be read names nothing. The
 * first byte chooses the protocol and whether the body is whole. */
#include "request_body.h"
#include "utf8.h"

#include <stdlib.h>

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static max_align_t memory[4096];
    struct arena arena;
    struct body_facts facts;
    struct request_body body = {.content_type = VIEW("application/json")};

    if (size == 0)
        return 0;
    body.bytes = (struct view){.data = (const char *)data + 1, .size = size - 1};
    body.size = (int64_t)body.bytes.size;
    if (data[0] & 1) {
        body.content_type = VIEW("application/grpc");
        body.path = data[0] & 2 ? VIEW("/inference.GRPCInferenceService/ModelInfer")
                                : VIEW("/inference.GRPCInferenceService/RepositoryModelLoad");
    }
    body.is_partial = (data[0] & 4) != 0;
    body.is_lossy = (data[0] & 8) != 0;
    arena_init_fixed(&arena, memory, sizeof memory);
    request_body_read(&body, &arena, &facts);
    require(utf8_is_text(facts.model) && utf8_is_text(facts.tool) && utf8_is_text(facts.call));
    if (facts.state != BODY_READ)
        require(!view_is_present(facts.model) && !view_is_present(facts.tool) && !view_is_present(facts.call));
    if (body.is_partial)
        require(facts.state == BODY_UNREADABLE);
    return 0;
}
