/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_mark.h"

#include "checked_text.h"
#include "folder_file.h"
#include "utf8.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

enum { TEXT_MAX = 2048, MARK_MODE = 0640, LEAVE_MODE = 0644 };

static const char mark_head[] = "bartizan policy revision v1\n";
static const char leave_head[] = "bartizan policy accept v1\n";

static bool is_text(struct view text)
{
    return text.size <= POLICY_LEAVE_TEXT_MAX && utf8_is_line(text);
}

enum err policy_mark_parse(struct view text, uint64_t *revision)
{
    struct view body;
    bool is_good = checked_text_take_body(text, view_of(mark_head), &body) &&
                   checked_text_take_number(&body, VIEW("revision "), revision) && view_is_empty(body);
    return is_good ? ERR_NONE : ERR_MALFORMED;
}

enum err policy_leave_parse(struct view text, struct policy_leave *out)
{
    struct view body;
    struct policy_leave leave = {0};
    uint64_t until = 0;
    bool is_good = checked_text_take_body(text, view_of(leave_head), &body) &&
                   checked_text_take_number(&body, VIEW("revision "), &leave.revision) &&
                   checked_text_take_number(&body, VIEW("until "), &until) &&
                   checked_text_take_line(&body, VIEW("author "), &leave.author) &&
                   checked_text_take_line(&body, VIEW("reason "), &leave.reason) && view_is_empty(body) &&
                   leave.revision > 0 && is_text(leave.author) && is_text(leave.reason);
    if (!is_good)
        return ERR_MALFORMED;
    leave.until = (int64_t)until;
    *out = leave;
    return ERR_NONE;
}

enum err policy_mark_read(const char *folder, uint64_t *revision)
{
    AUTO(descriptor_close) int fd = -1;
    char room[TEXT_MAX + 64];
    struct arena arena;
    struct view text;
    arena_init_fixed(&arena, room, sizeof(room));
    TRY(checked_text_folder(folder, &fd));
    TRY(folder_file_read(fd, POLICY_MARK_FILE, CHECKED_TEXT_SUM + 128, &arena, &text));
    return policy_mark_parse(text, revision);
}

enum err policy_leave_read(const char *folder, struct arena *arena, struct policy_leave *out)
{
    AUTO(descriptor_close) int fd = -1;
    struct view text;
    TRY(checked_text_folder(folder, &fd));
    TRY(folder_file_read(fd, POLICY_LEAVE_FILE, TEXT_MAX, arena, &text));
    return policy_leave_parse(text, out);
}

enum err policy_mark_write(const char *folder, uint64_t revision)
{
    AUTO(descriptor_close) int fd = -1;
    char text[TEXT_MAX];
    TRY(checked_text_folder(folder, &fd));
    int size = snprintf(text, sizeof(text), "%srevision %" PRIu64 "\n", mark_head, revision);
    return checked_text_write(fd, POLICY_MARK_FILE, MARK_MODE, (struct view){text, (size_t)size});
}

enum err policy_leave_write(const char *folder, const struct policy_leave *leave)
{
    AUTO(descriptor_close) int fd = -1;
    char text[TEXT_MAX];
    if (!is_text(leave->author) || !is_text(leave->reason) || leave->revision == 0 || leave->revision > INT64_MAX ||
        leave->until < 0)
        return ERR_INVALID;
    TRY(checked_text_folder(folder, &fd));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK ? ERR_CONFLICT : ERR_IO;
    int size = snprintf(text, sizeof(text), "%srevision %" PRIu64 "\nuntil %" PRId64 "\nauthor %.*s\nreason %.*s\n",
                        leave_head, leave->revision, leave->until, VIEW_ARG(leave->author), VIEW_ARG(leave->reason));
    return checked_text_write(fd, POLICY_LEAVE_FILE, LEAVE_MODE, (struct view){text, (size_t)size});
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
