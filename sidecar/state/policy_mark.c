/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_mark.h"

#include "digest.h"
#include "folder_file.h"
#include "utf8.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

enum { TEXT_MAX = 2048, CHECKSUM_LINE = 7 + 2 * SHA256_BYTES + 1, MARK_MODE = 0640, LEAVE_MODE = 0644 };

static const char mark_head[] = "bartizan policy revision v1\n";
static const char leave_head[] = "bartizan policy accept v1\n";

/* ---- text ---------------------------------------------------------------- */

static bool write_checksum(struct view body, char out[CHECKSUM_LINE])
{
    uint8_t digest[SHA256_BYTES];
    if (sha256(body, digest) != ERR_NONE)
        return false;
    memcpy(out, "sha256 ", 7);
    hex_encode(digest, sizeof(digest), out + 7);
    out[CHECKSUM_LINE - 1] = '\n';
    return true;
}

/* What stands before a checksum that is its own. */
static bool take_body(struct view text, struct view *body)
{
    char line[CHECKSUM_LINE];
    if (text.size <= CHECKSUM_LINE)
        return false;
    *body = view_slice(text, 0, text.size - CHECKSUM_LINE);
    return write_checksum(*body, line) && view_ends_with(text, (struct view){line, sizeof(line)});
}

static bool take_head(struct view *rest, struct view head)
{
    bool is_there = view_starts_with(*rest, head);
    *rest = is_there ? view_slice(*rest, head.size, rest->size) : *rest;
    return is_there;
}

/* Takes the line `key` VALUE from *rest. */
static bool take_line(struct view *rest, struct view key, struct view *value)
{
    size_t end = view_index_of(*rest, '\n', 0);
    if (end == rest->size || !view_starts_with(*rest, key))
        return false;
    *value = view_slice(*rest, key.size, end);
    *rest = view_slice(*rest, end + 1, rest->size);
    return true;
}

/* Decimal, as printed: one way to write a number. */
static bool take_number(struct view *rest, struct view key, uint64_t *out)
{
    char digits[VIEW_U64_DIGITS];
    struct view value;
    return take_line(rest, key, &value) && view_to_u64(value, out) && *out <= INT64_MAX &&
           view_equals(value, view_of_u64(*out, digits));
}

static bool is_text(struct view text)
{
    return text.size <= POLICY_LEAVE_TEXT_MAX && utf8_is_line(text);
}

enum err policy_mark_parse(struct view text, uint64_t *revision)
{
    struct view body;
    bool is_good = take_body(text, &body) && take_head(&body, view_of(mark_head)) &&
                   take_number(&body, VIEW("revision "), revision) && view_is_empty(body);
    return is_good ? ERR_NONE : ERR_MALFORMED;
}

enum err policy_leave_parse(struct view text, struct policy_leave *out)
{
    struct view body;
    struct policy_leave leave = {0};
    uint64_t until = 0;
    bool is_good = take_body(text, &body) && take_head(&body, view_of(leave_head)) &&
                   take_number(&body, VIEW("revision "), &leave.revision) &&
                   take_number(&body, VIEW("until "), &until) && take_line(&body, VIEW("author "), &leave.author) &&
                   take_line(&body, VIEW("reason "), &leave.reason) && view_is_empty(body) && leave.revision > 0 &&
                   is_text(leave.author) && is_text(leave.reason);
    if (!is_good)
        return ERR_MALFORMED;
    leave.until = (int64_t)until;
    *out = leave;
    return ERR_NONE;
}

/* ---- files --------------------------------------------------------------- */

static enum err open_folder(const char *path, int *out)
{
    *out = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*out >= 0)
        return ERR_NONE;
    return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
}

enum err policy_mark_read(const char *folder, uint64_t *revision)
{
    AUTO(descriptor_close) int fd = -1;
    char room[TEXT_MAX + 64];
    struct arena arena;
    struct view text;
    arena_init_fixed(&arena, room, sizeof(room));
    TRY(open_folder(folder, &fd));
    TRY(folder_file_read(fd, POLICY_MARK_FILE, CHECKSUM_LINE + 128, &arena, &text));
    return policy_mark_parse(text, revision);
}

enum err policy_leave_read(const char *folder, struct arena *arena, struct policy_leave *out)
{
    AUTO(descriptor_close) int fd = -1;
    struct view text;
    TRY(open_folder(folder, &fd));
    TRY(folder_file_read(fd, POLICY_LEAVE_FILE, TEXT_MAX, arena, &text));
    return policy_leave_parse(text, out);
}

/* `size` bytes are in `text`, and as much room as a checksum wants. */
static enum err replace(int folder, const char *name, mode_t mode, char *text, size_t size)
{
    if (!write_checksum((struct view){text, size}, text + size))
        return ERR_NO_MEMORY;
    return folder_file_replace(folder, name, mode, (struct view){text, size + CHECKSUM_LINE});
}

enum err policy_mark_write(const char *folder, uint64_t revision)
{
    AUTO(descriptor_close) int fd = -1;
    char text[TEXT_MAX];
    TRY(open_folder(folder, &fd));
    int size = snprintf(text, sizeof(text), "%srevision %" PRIu64 "\n", mark_head, revision);
    return replace(fd, POLICY_MARK_FILE, MARK_MODE, text, (size_t)size);
}

enum err policy_leave_write(const char *folder, const struct policy_leave *leave)
{
    AUTO(descriptor_close) int fd = -1;
    char text[TEXT_MAX];
    if (!is_text(leave->author) || !is_text(leave->reason) || leave->revision == 0 || leave->revision > INT64_MAX ||
        leave->until < 0)
        return ERR_INVALID;
    TRY(open_folder(folder, &fd));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK ? ERR_CONFLICT : ERR_IO;
    int size = snprintf(text, sizeof(text), "%srevision %" PRIu64 "\nuntil %" PRId64 "\nauthor %.*s\nreason %.*s\n",
                        leave_head, leave->revision, leave->until, VIEW_ARG(leave->author), VIEW_ARG(leave->reason));
    return replace(fd, POLICY_LEAVE_FILE, LEAVE_MODE, text, (size_t)size);
}

bool policy_mark_has_journal(const char *folder)
{
    DIR *entries = opendir(folder);
    bool is_found = false;
    if (entries == NULL)
        return errno != ENOENT;
    errno = 0;
    for (const struct dirent *entry; !is_found && (entry = readdir(entries)) != NULL;)
        is_found = view_ends_with(view_of(entry->d_name), VIEW(".bzj"));
    is_found = is_found || errno != 0;
    (void)closedir(entries);
    return is_found;
}
