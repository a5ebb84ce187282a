/* SPDX-License-Identifier: Apache-2.0 */
#include "request_read.h"

#include "ext_authz.pb-c.h"
#include "json_print.h"
#include "pb_json.h"

enum err request_read(struct view file, struct view text, struct arena *arena, struct diag_list *diags,
                      struct view *out)
{
    json_error_t error;
    AUTO(json_drop) json_t *value = json_loadb(text.data, text.size, JSON_REJECT_DUPLICATES, &error);
    if (value == NULL && !view_starts_with(text, VIEW("{"))) { /* 0x7b would begin a group, which no message has */
        *out = text;
        return ERR_NONE;
    }
    struct span span = {.file = file, .text = text, .line = 1, .column = 1, .end_column = 2};
    if (value == NULL) {
        span.line = (uint32_t)error.line;
        span.column = error.column > 0 ? (uint32_t)error.column : 1;
        span.end_column = span.column + 1;
        diag_error(diags, "Q0001", &span, "not JSON: %s", error.text);
        return ERR_INVALID;
    }
    /* Length prefixes and tags add to the text less than its quotes and names take away, but for lists of empty maps.
     */
    size_t room = text.size * 4 + 64;
    struct pb_writer writer;
    char *buffer = arena_take(arena, room);
    if (buffer == NULL)
        return ERR_NO_MEMORY;
    pb_writer_init(&writer, buffer, room);
    struct pb_json json = {.arena = arena, .writer = &writer};
    if (!pb_json_write(&json, value, &envoy__service__auth__v3__check_request__descriptor)) {
        diag_add(diags, &(struct diag){
                            .code = VIEW("Q0002"), .span = {.file = file}, .path = json.path, .message = json.message});
        return ERR_INVALID;
    }
    *out = pb_writer_view(&writer);
    return view_is_present(*out) ? ERR_NONE : ERR_LIMIT;
}
