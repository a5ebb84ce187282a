/* SPDX-License-Identifier: Apache-2.0 */
#include "revocation_mark.h"

#include "checked_text.h"
#include "file_set.h"
#include "folder_file.h"

enum { LINE_MAX_BYTES = 5 + VIEW_U64_DIGITS + 1 + 2 * SHA256_BYTES + 1, MARK_MODE = 0640 };
enum { TEXT_MAX = 64 + (int)FILE_SET_MAX * LINE_MAX_BYTES };

static const struct view head = {.data = "bartizan deny lists v1\n", .size = 23};

/* "SEQUENCE HEX" */
static bool read_list(struct view value, struct revocation_mark_list *out)
{
    char digits[VIEW_U64_DIGITS], hex[2 * SHA256_BYTES];
    size_t space = view_index_of(value, ' ', 0);
    struct view number = view_slice(value, 0, space), path = view_slice(value, space + 1, value.size);
    if (!view_to_u64(number, &out->sequence) || !view_equals(number, view_of_u64(out->sequence, digits)) ||
        !hex_decode(path, out->path_sha256, SHA256_BYTES))
        return false;
    hex_encode(out->path_sha256, SHA256_BYTES, hex);
    return view_equals(path, (struct view){hex, sizeof(hex)});
}

enum err revocation_mark_parse(struct view text, struct arena *arena, struct revocation_mark *out)
{
    struct view body, value;
    size_t count = 0;
    if (text.size > TEXT_MAX + CHECKED_TEXT_SUM || !checked_text_take_body(text, head, &body))
        return ERR_MALFORMED;
    struct revocation_mark_list *lists = arena_take_array(arena, FILE_SET_MAX, sizeof(*lists));
    if (lists == NULL)
        return ERR_NO_MEMORY;
    for (; !view_is_empty(body); count++)
        if (count == FILE_SET_MAX || !checked_text_take_line(&body, VIEW("list "), &value) ||
            !read_list(value, &lists[count]))
            return ERR_MALFORMED;
    *out = (struct revocation_mark){.lists = lists, .count = count};
    return ERR_NONE;
}

enum err revocation_mark_read(const char *folder, struct arena *arena, struct revocation_mark *out)
{
    AUTO(descriptor_close) int fd = -1;
    struct view text;
    TRY(checked_text_folder(folder, &fd));
    TRY(folder_file_read(fd, REVOCATION_MARK_FILE, TEXT_MAX + CHECKED_TEXT_SUM, arena, &text));
    return revocation_mark_parse(text, arena, out);
}

static bool print_list(struct arena *arena, const struct revocations *revocations, size_t i, struct view *line)
{
    uint8_t digest[SHA256_BYTES];
    char hex[2 * SHA256_BYTES];
    uint64_t sequence;
    if (sha256(revocations_source(revocations, i, &sequence), digest) != ERR_NONE)
        return false;
    hex_encode(digest, sizeof(digest), hex);
    *line = arena_print(arena, "list %llu %.*s\n", (unsigned long long)sequence, (int)sizeof(hex), hex);
    return view_is_present(*line);
}

enum err revocation_mark_write(const char *folder, const struct revocations *revocations)
{
    AUTO(descriptor_close) int fd = -1;
    AUTO(arena_free) struct arena arena;
    size_t count = revocations_source_count(revocations);
    arena_init(&arena, (size_t)4 * TEXT_MAX);
    struct view *lines = arena_take_array(&arena, count + 1, sizeof(*lines));
    if (count > FILE_SET_MAX)
        return ERR_LIMIT;
    if (lines == NULL)
        return ERR_NO_MEMORY;
    lines[0] = head;
    for (size_t i = 0; i < count; i++)
        if (!print_list(&arena, revocations, i, &lines[i + 1]))
            return ERR_NO_MEMORY;
    struct view body = arena_join(&arena, lines, count + 1);
    if (!view_is_present(body))
        return ERR_NO_MEMORY;
    TRY(checked_text_folder(folder, &fd));
    return checked_text_write(fd, REVOCATION_MARK_FILE, MARK_MODE, body);
}

/* True and *sequence for the list that was marked, where it is one of those in force. */
static bool find(const struct revocation_mark_list *list, const struct revocations *revocations, struct view *file,
                 uint64_t *sequence)
{
    uint8_t digest[SHA256_BYTES];
    for (size_t i = 0; i < revocations_source_count(revocations); i++) {
        *file = revocations_source(revocations, i, sequence);
        if (sha256(*file, digest) == ERR_NONE && memcmp(digest, list->path_sha256, SHA256_BYTES) == 0)
            return true;
    }
    return false;
}

enum err revocation_mark_check(const struct revocation_mark *mark, const struct revocations *revocations,
                               struct diag_list *diags)
{
    uint64_t highest = 0, sequence = 0;
    struct view file = {0};
    for (size_t i = 0; i < mark->count; i++)
        highest = mark->lists[i].sequence > highest ? mark->lists[i].sequence : highest;
    bool is_newer = revocations_sequence(revocations) > highest;
    for (size_t i = 0; i < mark->count; i++) {
        bool is_there = find(&mark->lists[i], revocations, &file, &sequence);
        if (is_there ? sequence >= mark->lists[i].sequence : is_newer)
            continue;
        if (is_there)
            diag_error(diags, "E0903", &(struct span){.file = file},
                       "sequence %llu is older than %llu, which was in force before the restart",
                       (unsigned long long)sequence, (unsigned long long)mark->lists[i].sequence);
        else
            diag_error(diags, "E0903", &(struct span){0},
                       "a deny list of sequence %llu was in force before the restart, and its file is gone",
                       (unsigned long long)mark->lists[i].sequence);
        return ERR_STALE;
    }
    return ERR_NONE;
}
