/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the stamp of feed; what is taken is in range, and printed it is the same. */
#include "feed_stamp.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct feed_stamp stamp, again;
    arena_init(&arena, (size_t)4 << 20);
    struct view text = {.data = (const char *)data, .size = size};
    if (size <= FEED_STAMP_BYTES_MAX && feed_stamp_parse(text, &arena, &stamp) == ERR_NONE) {
        for (size_t i = 0; i < WORKLOAD_KINDS; i++)
            if (stamp.streams[i].confirmed_ns < 0 || stamp.streams[i].state > FEED_REFUSED)
                abort();
        struct view printed = feed_stamp_print(&stamp, &arena);
        if (!view_is_present(printed) || feed_stamp_parse(printed, &arena, &again) != ERR_NONE ||
            again.streams[0].confirmed_ns != stamp.streams[0].confirmed_ns)
            abort();
    }
    arena_free(&arena);
    return 0;
}
