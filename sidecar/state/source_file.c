/* SPDX-License-Identifier: Apache-2.0 */
#include "source_file.h"

#include "file_set.h"

#include <errno.h>

enum err source_file_complain(const struct source_reader *reader, const char *path, enum err error)
{
    struct span span = {.file = view_of(path)};
    diag_error(reader->diags, "E0901", &span, "cannot be read: %s",
               error == ERR_IO ? strerror(errno) : err_text(error));
    return error;
}

enum err source_file_read(const struct source_reader *reader, const char *path, bool may_be_missing, struct view *text)
{
    *text = (struct view){0};
    enum err error = file_read(path, reader->arena, text);
    if (error == ERR_NONE || (error == ERR_NOT_FOUND && may_be_missing))
        return ERR_NONE;
    return source_file_complain(reader, path, error);
}

bool source_file_is_same(const struct source_state *a, const struct source_state *b)
{
    return a->is_there == b->is_there && a->is_stale == b->is_stale &&
           memcmp(a->fingerprint, b->fingerprint, SHA256_BYTES) == 0;
}

enum err source_file_mark(const struct source_reader *reader, struct view text, const struct source_state *before,
                          struct source_state *state)
{
    state->is_there = view_is_present(text);
    if (state->is_there)
        TRY(sha256(text, state->fingerprint));
    state->generation = before != NULL && source_file_is_same(before, state) ? before->generation : reader->generation;
    return ERR_NONE;
}
