/* SPDX-License-Identifier: Apache-2.0 */
#include "checked_text.h"

#include "digest.h"
#include "folder_file.h"

#include <errno.h>
#include <fcntl.h>

enum { BODY_MAX = 128 * 1024 };

_Static_assert((int)CHECKED_TEXT_SUM == 7 + 2 * (int)SHA256_BYTES + 1, "the digits of a SHA-256");

static bool write_checksum(struct view body, char out[CHECKED_TEXT_SUM])
{
    uint8_t digest[SHA256_BYTES];
    if (sha256(body, digest) != ERR_NONE)
        return false;
    memcpy(out, "sha256 ", 7);
    hex_encode(digest, sizeof(digest), out + 7);
    out[CHECKED_TEXT_SUM - 1] = '\n';
    return true;
}

bool checked_text_take_body(struct view text, struct view head, struct view *body)
{
    char line[CHECKED_TEXT_SUM];
    if (text.size <= CHECKED_TEXT_SUM)
        return false;
    struct view all = view_slice(text, 0, text.size - CHECKED_TEXT_SUM);
    if (!write_checksum(all, line) || !view_ends_with(text, (struct view){line, sizeof(line)}) ||
        !view_starts_with(all, head))
        return false;
    *body = view_slice(all, head.size, all.size);
    return true;
}

bool checked_text_take_line(struct view *rest, struct view key, struct view *value)
{
    size_t end = view_index_of(*rest, '\n', 0);
    if (end == rest->size || !view_starts_with(*rest, key))
        return false;
    *value = view_slice(*rest, key.size, end);
    *rest = view_slice(*rest, end + 1, rest->size);
    return true;
}

bool checked_text_take_number(struct view *rest, struct view key, uint64_t *out)
{
    char digits[VIEW_U64_DIGITS];
    struct view value;
    return checked_text_take_line(rest, key, &value) && view_to_u64(value, out) && *out <= INT64_MAX &&
           view_equals(value, view_of_u64(*out, digits));
}

enum err checked_text_folder(const char *path, int *out)
{
    *out = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*out >= 0)
        return ERR_NONE;
    return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
}

enum err checked_text_write(int folder, const char *name, mode_t mode, struct view body)
{
    char sum[CHECKED_TEXT_SUM];
    AUTO(arena_free) struct arena arena;
    arena_init(&arena, 2 * BODY_MAX);
    if (body.size > BODY_MAX)
        return ERR_LIMIT;
    if (!write_checksum(body, sum))
        return ERR_NO_MEMORY;
    const struct view parts[] = {body, {sum, sizeof(sum)}};
    struct view text = arena_join(&arena, parts, 2);
    return view_is_present(text) ? folder_file_replace(folder, name, mode, text) : ERR_NO_MEMORY;
}
