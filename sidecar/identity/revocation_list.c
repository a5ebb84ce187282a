/* SPDX-License-Identifier: Apache-2.0 */
#include "revocation_list.h"

#include "document.h"
#include "revocation_lines.h"
#include "rfc3339.h"

#include <stdio.h>
#include <stdlib.h>

static enum err refuse(struct diag_list *diags, const struct node *node, const char *message)
{
    diag_error(diags, "E1101", &node->span, "%s", message);
    return ERR_INVALID;
}

static enum err refuse_key(struct diag_list *diags, const struct node *key, const struct view *known, size_t count)
{
    struct view nearest = diag_nearest(key->text, known, count);
    char hint[64] = "";
    if (view_is_present(nearest))
        (void)snprintf(hint, sizeof hint, "did you mean `%.*s`?", VIEW_ARG(nearest));
    diag_add(diags, &(struct diag){.code = VIEW("E1102"),
                                   .span = key->span,
                                   .message = VIEW("a key that a RevocationList does not have"),
                                   .hint = hint[0] ? view_of(hint) : (struct view){0}});
    return ERR_INVALID;
}

static enum err check_keys(const struct node *map, const struct view *known, size_t count, struct diag_list *diags)
{
    if (map->kind != NODE_MAP)
        return refuse(diags, map, "a map was expected");
    for (size_t i = 0; i < map->count; i++) {
        bool is_known = false;
        for (size_t k = 0; k < count && !is_known; k++)
            is_known = view_equals(map->keys[i]->text, known[k]);
        if (!is_known)
            return refuse_key(diags, map->keys[i], known, count);
    }
    return ERR_NONE;
}

/* A text of 1 to REVOCATION_TEXT_MAX bytes; absent when the key is. */
static enum err read_text(const struct node *map, struct view key, struct diag_list *diags, struct view *out)
{
    const struct node *node = node_get(map, key);
    *out = (struct view){0};
    if (!node)
        return ERR_NONE;
    if (node->kind != NODE_SCALAR || node->text.size == 0 || node->text.size > REVOCATION_TEXT_MAX)
        return refuse(diags, node, "a text of 1 to 2048 bytes was expected");
    *out = node->text;
    return ERR_NONE;
}

static enum err read_instant(const struct node *map, struct view key, struct diag_list *diags, bool *has, int64_t *out)
{
    const struct node *node = node_get(map, key);
    *has = node != NULL;
    *out = 0;
    if (!node)
        return ERR_NONE;
    if (node->kind != NODE_SCALAR || !rfc3339_parse(node->text, out))
        return refuse(diags, node, "an instant such as 2027-01-31T08:00:00Z was expected");
    return ERR_NONE;
}

/* What a kind says of a value beside who issued it. */
static const char *value_key(enum revocation_kind kind)
{
    return kind == REVOCATION_USER ? "subject" : kind == REVOCATION_TOKEN ? "id" : "number";
}

static bool has_issuer(enum revocation_kind kind)
{
    return kind == REVOCATION_USER || kind == REVOCATION_TOKEN || kind == REVOCATION_SERIAL;
}

static enum err read_issued(const struct node *node, struct diag_list *diags, struct revocation_entry *entry)
{
    const struct view key = view_of(value_key(entry->kind));
    const struct view known[] = {VIEW("issuer"), key, VIEW("issuedBefore")};
    TRY(check_keys(node, known, entry->kind == REVOCATION_USER ? 3 : 2, diags));
    TRY(read_text(node, VIEW("issuer"), diags, &entry->issuer));
    TRY(read_text(node, key, diags, &entry->value));
    if (entry->kind == REVOCATION_USER)
        TRY(read_instant(node, VIEW("issuedBefore"), diags, &entry->has_issued_before, &entry->issued_before));
    if (view_is_present(entry->issuer) && view_is_present(entry->value))
        return ERR_NONE;
    return refuse(diags, node,
                  entry->kind == REVOCATION_USER    ? "a user is an issuer and a subject"
                  : entry->kind == REVOCATION_TOKEN ? "a token is an issuer and an id"
                                                    : "a serial is an issuer and a number");
}

static enum err read_value(const struct node *node, struct diag_list *diags, struct revocation_entry *entry)
{
    if (has_issuer(entry->kind))
        TRY(read_issued(node, diags, entry));
    else if (node->kind != NODE_SCALAR)
        return refuse(diags, node, "a text was expected");
    else
        entry->value = node->text;
    const char *fault = revocation_entry_fault(entry);
    return fault ? refuse(diags, node, fault) : ERR_NONE;
}

static enum err read_entry(const struct node *node, struct diag_list *diags, struct revocation_entry *entry)
{
    struct view known[REVOCATION_KINDS + 4] = {VIEW("reason"), VIEW("author"), VIEW("created"), VIEW("expires")};
    const struct node *value = NULL;
    for (size_t i = 0; i < REVOCATION_KINDS; i++)
        known[4 + i] = revocation_kind_keys[i];
    TRY(check_keys(node, known, REVOCATION_KINDS + 4, diags));
    for (size_t i = 0; i < REVOCATION_KINDS; i++) {
        const struct node *found = node_get(node, known[4 + i]);
        if (found && value)
            return refuse(diags, found, "an entry refuses one thing; write a second entry");
        if (found)
            entry->kind = (enum revocation_kind)i;
        value = found ? found : value;
    }
    if (!value)
        return refuse(diags, node,
                      "an entry names what it refuses: spiffe, spiffePrefix, certificateSha256, "
                      "spkiSha256, serial, authority, user or token");
    TRY(read_value(value, diags, entry));
    TRY(read_text(node, VIEW("reason"), diags, &entry->reason));
    TRY(read_text(node, VIEW("author"), diags, &entry->author));
    TRY(read_instant(node, VIEW("created"), diags, &entry->has_created, &entry->created));
    return read_instant(node, VIEW("expires"), diags, &entry->has_expires, &entry->expires);
}

static enum err read_sequence(const struct node *root, struct diag_list *diags, uint64_t *out)
{
    const struct node *metadata = node_get(root, VIEW("metadata"));
    if (!metadata)
        return refuse(diags, root, "metadata.sequence is missing");
    const struct view known[] = {VIEW("sequence")};
    TRY(check_keys(metadata, known, 1, diags));
    const struct node *sequence = node_get(metadata, VIEW("sequence"));
    if (!sequence || sequence->kind != NODE_SCALAR || !view_to_u64(sequence->text, out))
        return refuse(diags, metadata, "metadata.sequence is a whole number");
    return ERR_NONE;
}

static enum err read_entries(const struct node *list, struct arena *arena, struct diag_list *diags,
                             struct revocation_list *out)
{
    if (!list)
        return ERR_NONE;
    if (list->kind != NODE_LIST)
        return refuse(diags, list, "entries is a list");
    if (list->count > REVOCATION_ENTRIES_MAX)
        return refuse(diags, list, "more than 100000 entries");
    struct revocation_entry *entries = arena_take_array(arena, list->count + 1, sizeof *entries);
    if (!entries)
        return ERR_NO_MEMORY;
    enum err worst = ERR_NONE;
    for (size_t i = 0; i < list->count; i++) {
        if (read_entry(list->items[i], diags, &entries[i]) != ERR_NONE)
            worst = ERR_INVALID;
    }
    out->entries = entries;
    out->count = list->count;
    return worst;
}

static enum err expect_text(const struct node *root, struct view key, struct view value, struct diag_list *diags)
{
    const struct node *node = node_get(root, key);
    if (node && node->kind == NODE_SCALAR && view_equals(node->text, value))
        return ERR_NONE;
    diag_error(diags, "E1103", node ? &node->span : &root->span, "%.*s must be %.*s", VIEW_ARG(key), VIEW_ARG(value));
    return ERR_INVALID;
}

/* ---- lines ---- */

struct row_keeper {
    struct revocation_entry *entries;
    size_t count, most;
};

static enum err keep_row(void *context, const struct revocation_entry *entry)
{
    struct row_keeper *keeper = context;
    if (keeper->count == keeper->most)
        return ERR_LIMIT;
    keeper->entries[keeper->count++] = *entry;
    return ERR_NONE;
}

static enum err parse_lines(struct view file, struct view text, struct arena *arena, struct diag_list *diags,
                            struct revocation_list *out)
{
    struct row_keeper keeper = {.most = revocation_lines_count(text)};
    const struct revocation_sink sink = {.take = keep_row, .context = &keeper};
    keeper.entries = arena_take_array(arena, keeper.most + 1, sizeof *keeper.entries);
    if (!keeper.entries)
        return ERR_NO_MEMORY;
    TRY(revocation_lines_parse(file, text, &sink, diags, &out->sequence));
    out->entries = keeper.entries;
    out->count = keeper.count;
    return ERR_NONE;
}

/* ---- a document ---- */

static enum err parse_document(struct view file, struct view text, struct arena *arena, struct diag_list *diags,
                               struct revocation_list *out)
{
    const struct view known[] = {VIEW("apiVersion"), VIEW("kind"), VIEW("metadata"), VIEW("entries")};
    struct document document;
    TRY(document_parse(file, text, arena, diags, &document));
    if (document.count != 1) {
        diag_error(diags, "E1103", &(struct span){.file = file}, "a file holds exactly one RevocationList");
        return ERR_INVALID;
    }
    const struct node *root = document.roots[0];
    TRY(check_keys(root, known, 4, diags));
    TRY(expect_text(root, VIEW("apiVersion"), VIEW("bartizan.dev/v1alpha1"), diags));
    TRY(expect_text(root, VIEW("kind"), VIEW("RevocationList"), diags));
    TRY(read_sequence(root, diags, &out->sequence));
    return read_entries(node_get(root, VIEW("entries")), arena, diags, out);
}

enum err revocation_list_parse(struct view file, struct view text, struct arena *arena, struct diag_list *diags,
                               struct revocation_list *out)
{
    *out = (struct revocation_list){0};
    return revocation_lines_is(text) ? parse_lines(file, text, arena, diags, out)
                                     : parse_document(file, text, arena, diags, out);
}

/* YAML 1.1 section 5.7: a double-quoted scalar can hold everything printable. */
static void print_quoted(FILE *out, struct view text)
{
    fputc('"', out);
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            fprintf(out, "\\x%02X", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

static void print_text(FILE *out, const char *key, struct view text)
{
    if (!view_is_present(text))
        return;
    fprintf(out, ", %s: ", key);
    print_quoted(out, text);
}

static bool print_instant(FILE *out, const char *key, bool has, int64_t instant)
{
    char text[RFC3339_BYTES];
    if (!has)
        return true;
    if (!rfc3339_write(instant, text))
        return false;
    fprintf(out, ", %s: \"%.*s\"", key, RFC3339_BYTES, text);
    return true;
}

static bool print_entry(FILE *out, const struct revocation_entry *entry)
{
    bool is_printable = true;
    fprintf(out, "  - {%.*s: ", VIEW_ARG(revocation_kind_keys[entry->kind]));
    if (has_issuer(entry->kind)) {
        fputs("{issuer: ", out);
        print_quoted(out, entry->issuer);
        print_text(out, value_key(entry->kind), entry->value);
        is_printable = print_instant(out, "issuedBefore", entry->has_issued_before, entry->issued_before);
        fputc('}', out);
    } else {
        print_quoted(out, entry->value);
    }
    print_text(out, "reason", entry->reason);
    print_text(out, "author", entry->author);
    is_printable = print_instant(out, "created", entry->has_created, entry->created) && is_printable;
    is_printable = print_instant(out, "expires", entry->has_expires, entry->expires) && is_printable;
    fputs("}\n", out);
    return is_printable;
}

struct view revocation_list_print(const struct revocation_list *list, struct arena *arena)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return (struct view){0};
    bool is_printable = true;
    fprintf(out, "apiVersion: bartizan.dev/v1alpha1\nkind: RevocationList\nmetadata: {sequence: %llu}\n",
            (unsigned long long)list->sequence);
    fputs(list->count > 0 ? "entries:\n" : "entries: []\n", out);
    for (size_t i = 0; i < list->count; i++)
        is_printable = print_entry(out, &list->entries[i]) && is_printable;
    bool is_whole = fclose(out) == 0 && is_printable;
    struct view copy = is_whole ? arena_copy(arena, (struct view){.data = text, .size = size}) : (struct view){0};
    free(text);
    return copy;
}
