/* SPDX-License-Identifier: Apache-2.0 */
#include "revocation_file.h"

#include "document.h"
#include "folder_file.h"

#include <errno.h>
#include <sys/file.h>

enum { ARENA_CEILING = 512 * 1024 * 1024 };

static bool is_believed(const struct policy_seal *seal, const struct revocation_signing *signing)
{
    bool is_signed = policy_seal_is_signed_by(seal, signing->key);
    for (size_t i = 0; i < signing->trusted_count && !is_signed; i++)
        is_signed = policy_seal_is_signed_by(seal, signing->trusted[i]);
    return is_signed;
}

/* Signed, or not, as it is to be. */
static enum err open_envelope(const char *path, const struct revocation_signing *signing, struct diag_list *diags,
                              struct view *text)
{
    struct policy_seal seal;
    const char *fault = NULL;
    if (policy_seal_is_of_denial(*text) != (signing != NULL))
        fault = signing ? "this list is not signed: nothing is signed over it" : "this list is signed: it takes a key";
    else if (signing && policy_seal_parse_denial(*text, &seal) != ERR_NONE)
        fault = "its signature envelope is damaged, or of a version that this release does not know";
    else if (signing && !is_believed(&seal, signing))
        fault = "its signature is none of this key's, nor of a signer's";
    if (fault)
        diag_error(diags, "E1108", &(struct span){.file = view_of(path)}, "%s", fault);
    else if (signing)
        *text = seal.image;
    return fault ? ERR_INVALID : ERR_NONE;
}

struct place {
    int folder;
    const char *name, *path;
};

static enum err read_list(const struct place *place, const struct revocation_signing *signing, struct arena *arena,
                          struct diag_list *diags, struct revocation_list *out)
{
    struct view text;
    *out = (struct revocation_list){0};
    enum err err =
        folder_file_read(place->folder, place->name, (size_t)DOCUMENT_MAX + POLICY_SEAL_OVERHEAD, arena, &text);
    if (err == ERR_NOT_FOUND)
        return ERR_NONE;
    /* A text that is too long is refused by its parser, which says so with its place. */
    if (err != ERR_NONE && err != ERR_LIMIT)
        return err;
    TRY(open_envelope(place->path, signing, diags, &text));
    return revocation_list_parse(view_of(place->path), text, arena, diags, out);
}

enum err revocation_file_read(const char *path, struct arena *arena, struct diag_list *diags,
                              struct revocation_list *out)
{
    const char *name = NULL;
    *out = (struct revocation_list){0};
    AUTO(descriptor_close) int folder = -1;
    if (folder_file_open(path, &folder, &name) != ERR_NONE)
        return errno == ENOENT ? ERR_NONE : ERR_IO;
    return read_list(&(struct place){folder, name, path}, NULL, arena, diags, out);
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

enum err revocation_file_seal(struct view list, uint64_t sequence, const struct revocation_signing *signing,
                              struct arena *arena, struct view *out)
{
    const struct policy_seal seal = {.purpose = POLICY_SEAL_OF_DENIAL,
                                     .revision = sequence,
                                     .issued = signing->now,
                                     .expires = POLICY_SEAL_TIME_MAX,
                                     .image = list};
    if (sequence == 0 || sequence > POLICY_SEAL_REVISION_MAX)
        return ERR_LIMIT;
    return policy_seal_write(&seal, signing->key, arena, out);
}

static enum err edit_locked(const struct place *place, const struct revocation_edit *edit, struct arena *arena,
                            struct diag_list *diags, uint64_t *sequence)
{
    struct revocation_list old, new;
    struct view text;
    TRY(read_list(place, edit->signing, arena, diags, &old));
    TRY(apply(&old, edit, arena, &new));
    TRY(render(place->path, &new, arena, diags, &text));
    if (edit->signing)
        TRY(revocation_file_seal(text, new.sequence, edit->signing, arena, &text));
    TRY(folder_file_replace(place->folder, place->name, 0644, text));
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
    return edit_locked(&(struct place){folder, name, path}, edit, &arena, diags, sequence);
}
