/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever audit_event_parse takes, protobuf-c takes and reads the same from; every
 * view of it can be printed; and written again it parses to the same words. */
#include "audit_event_oracle.h"

#include <stdlib.h>

static bool is_plain(struct view text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (((unsigned char)text.data[i] < 0x20 && text.data[i] != '\n') || text.data[i] == 0x7f)
            return false;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char again[JOURNAL_RECORD_MAX];
    struct view bytes = {(const char *)data, size};
    struct audit_event event, second;
    struct arena arena;
    if (audit_event_compare(bytes) == ORACLE_DISAGREES)
        abort();
    if (audit_event_parse(bytes, &event) != ERR_NONE)
        return 0;
    arena_init(&arena, (size_t)1 << 28);
    struct view sentence = audit_event_sentence(&event, &arena);
    if (!is_plain(sentence) || !is_plain(audit_event_json(&event, &arena)) ||
        !is_plain(audit_event_explanation(&event, &arena)))
        abort();
    struct view written = {again, audit_event_write(&event, again)};
    if (audit_event_parse(written, &second) != ERR_NONE)
        abort();
    /* A reason that this build does not know is not written back. */
    bool is_same = second.is_cut || view_equals(audit_event_sentence(&second, &arena), sentence) ||
                   event.decision.reason == REASON_INTERNAL || event.change.what == 0;
    arena_free(&arena);
    if (!is_same)
        abort();
    return 0;
}
