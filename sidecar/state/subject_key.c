/* SPDX-License-Identifier: Apache-2.0 */
#include "subject_key.h"

#include "file_set.h"

#include <errno.h>

static struct view without_line_end(struct view text)
{
    while (!view_is_empty(text) && (text.data[text.size - 1] == '\n' || text.data[text.size - 1] == '\r'))
        text.size--;
    return text;
}

enum err subject_key_read(const struct config *config, struct arena *arena, struct diag_list *diags, struct view *out)
{
    const char *path = config->audit.subject_key;
    struct view text = {0};
    *out = text;
    if (path == NULL)
        return ERR_NONE;
    const struct span file = {.file = view_of(path)};
    enum err error = file_read(path, arena, &text);
    if (error != ERR_NONE) {
        diag_error(diags, "E0901", &file, "cannot be read: %s", error == ERR_IO ? strerror(errno) : err_text(error));
        return error;
    }
    text = without_line_end(text);
    if (text.size < SUBJECT_KEY_MIN || text.size > SUBJECT_KEY_MAX) {
        diag_error(diags, "E0904", &file, "the key for users has %zu bytes, where %d to %d bytes are possible",
                   text.size, (int)SUBJECT_KEY_MIN, (int)SUBJECT_KEY_MAX);
        return ERR_INVALID;
    }
    *out = text;
    return ERR_NONE;
}
