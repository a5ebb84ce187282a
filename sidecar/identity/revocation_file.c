/* SPDX-License-Identifier: Apache-2.0 */
#include "revocation_file.h"

#include "document.h"
#include "folder_file.h"

#include <errno.h>
#include <sys/file.h>

enum { ARENA_CEILING = 512 * 1024 * 1024 };

static enum err read_list(int folder, const char *name, const char *path, struct arena *arena, struct diag_list *diags,
                          struct revocation_list *out)
{
    struct view text;
    *out = (struct revocation_list){0};
    enum err err = folder_file_read(folder, name, DOCUMENT_MAX, arena, &text);
    if (err == ERR_NOT_FOUND)
        return ERR_NONE;
    /* A text that is too long is refused by its parser, which says so with its place. */
    return err == ERR_NONE || err == ERR_LIMIT ? revocation_list_parse(view_of(path), text, arena, diags, out) : err;
}

enum err revocation_file_read(const char *path, struct arena *arena, struct diag_list *diags,
                              struct revocation_list *out)
{
    const char *name = NULL;
    *out = (struct revocation_list){0};
    AUTO(descriptor_close) int folder = -1;
    if (folder_file_open(path, &folder, &name) != ERR_NONE)
        return errno == ENOENT ? ERR_NONE : ERR_IO;
    return read_list(folder, name, path, arena, diags, out);
}

/* Index of the entry that refuses the same, or list->count. */
static size_t find(const struct revocation_list *list, const struct revocation_entry *entry)
{
    size_t at = 0;
    while (at < list->count && !revocation_entry_matches(&list->entries[at], entry))
        at++;
    return at;
}

static enum err apply(const struct revocation_list *old, const struct revocation_edit *edit, struct arena *arena,
                      struct revocation_list *out)
{
    if (edit->expected_sequence != 0 && edit->expected_sequence != old->sequence)
        return ERR_STALE;
    bool is_addition = edit->kind == REVOCATION_ADD;
    size_t at = find(old, &edit->entry);
    if (is_addition && at != old->count)
        return ERR_CONFLICT;
    if (!is_addition && at == old->count)
        return ERR_NOT_FOUND;
    if (is_addition && old->count >= REVOCATION_ENTRIES_MAX)
        return ERR_LIMIT;
    struct revocation_entry *entries = arena_take_array(arena, old->count + 1, sizeof *entries);
    if (!entries)
        return ERR_NO_MEMORY;
    size_t count = 0;
    for (size_t i = 0; i < old->count; i++) {
        if (is_addition || i != at)
            entries[count++] = old->entries[i];
    }
    if (is_addition)
        entries[count++] = edit->entry;
    uint64_t base = old->sequence > edit->floor ? old->sequence : edit->floor;
    if (base == UINT64_MAX)
        return ERR_LIMIT;
    *out = (struct revocation_list){.sequence = base + 1, .entries = entries, .count = count};
    return ERR_NONE;
}

/* The file is only replaced by a text that reads back as what was meant. */
static enum err render(const char *path, const struct revocation_list *list, struct arena *arena,
                       struct diag_list *diags, struct view *out)
{
    struct revocation_list again;
    *out = revocation_list_print(list, arena);
    if (!view_is_present(*out))
        return ERR_NO_MEMORY;
    TRY(revocation_list_parse(view_of(path), *out, arena, diags, &again));
    bool is_same = again.count == list->count && again.sequence == list->sequence;
    for (size_t i = 0; is_same && i < list->count; i++)
        is_same = revocation_entry_matches(&again.entries[i], &list->entries[i]);
    return is_same ? ERR_NONE : ERR_INVALID;
}

static enum err edit_locked(int folder, const char *name, const char *path, const struct revocation_edit *edit,
                            struct arena *arena, struct diag_list *diags, uint64_t *sequence)
{
    struct revocation_list old, new;
    struct view text;
    TRY(read_list(folder, name, path, arena, diags, &old));
    TRY(apply(&old, edit, arena, &new));
    TRY(render(path, &new, arena, diags, &text));
    TRY(folder_file_replace(folder, name, 0644, text));
    *sequence = new.sequence;
    return ERR_NONE;
}

enum err revocation_file_edit(const char *path, const struct revocation_edit *edit, struct diag_list *diags,
                              uint64_t *sequence)
{
    const char *name = NULL;
    AUTO(arena_free) struct arena arena;
    arena_init(&arena, ARENA_CEILING);
    AUTO(descriptor_close) int folder = -1;
    TRY(folder_file_open(path, &folder, &name));
    if (flock(folder, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK ? ERR_CONFLICT : ERR_IO;
    return edit_locked(folder, name, path, edit, &arena, diags, sequence);
}
