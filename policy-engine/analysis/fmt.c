/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt.h"

#include "document.h"
#include "fmt_write.h"
#include "layout.h"

#include <stdlib.h>

/* The same but for the order of keys, whose values are quoted or plain as they were: `42`
 * in a test's token is a number, `"42"` a string. */
static bool is_same_tree(const struct node *a, const struct node *b)
{
    if (a->kind != b->kind || a->count != b->count)
        return false;
    if (a->kind == NODE_SCALAR)
        return view_equals(a->text, b->text) && a->is_plain == b->is_plain;
    for (size_t i = 0; i < a->count; i++) {
        const struct node *other = a->kind == NODE_LIST ? b->items[i] : node_get(b, a->keys[i]->text);
        if (!other || !is_same_tree(a->items[i], other))
            return false;
    }
    return true;
}

static bool is_same_document(const struct document *a, const struct document *b)
{
    bool is_same = a->count == b->count;
    for (size_t i = 0; is_same && i < a->count; i++)
        is_same = is_same_tree(a->roots[i], b->roots[i]);
    return is_same;
}

static int compare_texts(const void *a, const void *b)
{
    return view_compare(*(const struct view *)a, *(const struct view *)b);
}

/* The texts of a sheet's comments in byte order, for order may change with that of keys. */
static enum err comment_texts(const struct sheet *sheet, struct arena *arena, struct view **out, size_t *count)
{
    *count = 0;
    for (const struct comment *comment = sheet->all.first; comment; comment = comment->next)
        ++*count;
    *out = arena_take_array(arena, *count + 1, sizeof **out);
    if (!*out)
        return ERR_NO_MEMORY;
    size_t at = 0;
    for (const struct comment *comment = sheet->all.first; comment; comment = comment->next)
        (*out)[at++] = comment->text;
    qsort(*out, *count, sizeof **out, compare_texts);
    return ERR_NONE;
}

static enum err check_comments(const struct sheet *before, const struct sheet *after, struct arena *arena)
{
    struct view *a, *b;
    size_t a_count, b_count;
    TRY(comment_texts(before, arena, &a, &a_count));
    TRY(comment_texts(after, arena, &b, &b_count));
    for (size_t i = 0; i < a_count && a_count == b_count; i++)
        if (!view_equals(a[i], b[i]))
            return ERR_UNSUPPORTED;
    return a_count == b_count ? ERR_NONE : ERR_UNSUPPORTED;
}

/* What is given out has been read again: the same tree, the same comments, and nothing
 * more to do. Whatever the writer gets wrong ends here. */
static enum err check_result(const struct document *document, const struct sheet *sheet, struct view result,
                             struct arena *arena)
{
    struct diag_list unused;
    struct document again = {0};
    struct sheet written;
    struct view twice;
    diag_list_init(&unused, arena);
    enum err err = document_parse(VIEW("formatted"), result, arena, &unused, &again);
    if (err != ERR_NONE)
        return err == ERR_NO_MEMORY ? err : ERR_UNSUPPORTED;
    if (!is_same_document(document, &again))
        return ERR_UNSUPPORTED;
    TRY(layout_read(result, arena, &written));
    TRY(check_comments(sheet, &written, arena));
    TRY(fmt_write(&written, arena, &twice));
    return view_equals(result, twice) ? ERR_NONE : ERR_UNSUPPORTED;
}

enum err fmt(struct view file, struct view text, struct arena *arena, struct diag_list *diags, struct view *out)
{
    struct document document = {0};
    struct sheet sheet;
    struct view result = {0};
    TRY(document_parse(file, text, arena, diags, &document));
    enum err err = layout_read(text, arena, &sheet);
    if (err == ERR_NONE)
        err = fmt_write(&sheet, arena, &result);
    if (err == ERR_NONE)
        err = check_result(&document, &sheet, result, arena);
    if (err != ERR_NONE)
        return err == ERR_NO_MEMORY ? err : ERR_UNSUPPORTED;
    *out = result;
    return ERR_NONE;
}
