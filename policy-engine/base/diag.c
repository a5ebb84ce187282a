/* SPDX-License-Identifier: Apache-2.0 */
#include "diag.h"

#include "utf8.h"

enum {
    LINE_SHOWN = 160, /* code points of a long line that are printed, around the caret */
    LINE_BEFORE = 80,
    WORD_MAX = 64, /* longer words are not compared */
    DISTANCE_MAX = 2,
    MESSAGE_MAX = 1024,
};
#define BAD_BYTE UINT32_MAX

void diag_list_init(struct diag_list *list, struct arena *arena)
{
    *list = (struct diag_list){.arena = arena};
}

/* Line `number`, counted from 1, without its line break; absent past the end. */
static struct view line_of(struct view text, uint32_t number)
{
    size_t start = 0;
    if (!view_is_present(text) || number == 0)
        return (struct view){0};
    for (uint32_t line = 1; line < number; line++) {
        start = view_index_of(text, '\n', start) + 1;
        if (start > text.size)
            return (struct view){0};
    }
    struct view line = view_slice(text, start, view_index_of(text, '\n', start));
    return line.size > 0 && line.data[line.size - 1] == '\r' ? view_slice(line, 0, line.size - 1) : line;
}

void diag_add(struct diag_list *list, const struct diag *diag)
{
    if (diag->severity == DIAG_ERROR)
        list->errors++;
    if (list->count == DIAG_CAP) {
        list->dropped++;
        return;
    }
    struct diag *kept = &list->items[list->count++];
    *kept = *diag;
    kept->code = arena_copy(list->arena, diag->code);
    kept->span.file = arena_copy(list->arena, diag->span.file);
    kept->span.text = arena_copy(list->arena, line_of(diag->span.text, diag->span.line));
    kept->path = arena_copy(list->arena, diag->path);
    kept->message = arena_copy(list->arena, diag->message);
    kept->hint = arena_copy(list->arena, diag->hint);
}

void diag_vadd(struct diag_list *list, const struct diag *diag, const char *format, va_list args)
{
    char message[MESSAGE_MAX];
    struct diag whole = *diag;
    int size = vsnprintf(message, sizeof(message), format, args);
    whole.message.data = message;
    whole.message.size = size < 0 ? 0 : (size_t)size < sizeof(message) ? (size_t)size : sizeof(message) - 1;
    diag_add(list, &whole);
}

void diag_error(struct diag_list *list, const char *code, const struct span *span, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    diag_vadd(list, &(struct diag){.severity = DIAG_ERROR, .code = view_of(code), .span = *span}, format, args);
    va_end(args);
}

void diag_list_locate(struct diag_list *list, size_t first, struct view file, struct view text)
{
    for (size_t i = first; i < list->count; i++) {
        struct span *span = &list->items[i].span;
        if (!view_is_present(span->text) && view_equals(span->file, file))
            span->text = arena_copy(list->arena, line_of(text, span->line));
    }
}

/* ---- text from a file, made safe for a terminal ---------------------------- */

/* The code point at `at` and its length in bytes; BAD_BYTE and 1 when none begins there. */
static uint32_t code_point(struct view v, size_t at, size_t *length)
{
    uint32_t code;
    *length = utf8_decode(v, at, &code);
    if (*length > 0)
        return code;
    *length = 1;
    return BAD_BYTE;
}

static void put_code_point(FILE *out, struct view v, size_t at, size_t *length)
{
    uint32_t c = code_point(v, at, length);
    if (c == BAD_BYTE || (utf8_is_hidden(c) && c < 0x80))
        fprintf(out, "\\x%02x", (unsigned)(unsigned char)v.data[at]);
    else if (utf8_is_hidden(c))
        fprintf(out, "\\u{%04x}", (unsigned)c);
    else
        fwrite(v.data + at, 1, *length, out);
}

static void put_text(FILE *out, struct view v)
{
    size_t length;
    for (size_t at = 0; at < v.size; at += length)
        put_code_point(out, v, at, &length);
}

/* The part of a line that is shown: code points [first, first + LINE_SHOWN). */
static void put_line(FILE *out, struct view line, uint32_t first)
{
    size_t length;
    uint32_t column = 1;
    for (size_t at = 0; at < line.size && column < first + LINE_SHOWN; at += length, column++) {
        code_point(line, at, &length);
        if (column >= first && line.data[at] == '\t')
            fputc('\t', out);
        else if (column >= first)
            put_code_point(out, line, at, &length);
    }
}

/* Columns that put_code_point takes. */
static int shown_width(uint32_t c)
{
    if (c == BAD_BYTE || (utf8_is_hidden(c) && c < 0x80))
        return sizeof "\\x00" - 1;
    if (utf8_is_hidden(c))
        return c < 0x10000 ? sizeof "\\u{0000}" - 1 : sizeof "\\u{00000}" - 1;
    return 1;
}

/* Spaces up to `column`, a caret under each column up to `end_column`. A tab stays
 * a tab, and what is printed escaped is as wide as its escape. */
static void put_marks(FILE *out, const struct span *span, uint32_t first)
{
    struct view line = span->text;
    uint32_t column = 1, marks = 0;
    size_t length;
    for (size_t at = 0; at < line.size && column < first + LINE_SHOWN && column < span->end_column;
         at += length, column++) {
        uint32_t c = code_point(line, at, &length);
        int width = c == '\t' ? 1 : shown_width(c);
        for (int i = 0; column >= first && i < width; i++) {
            marks += column >= span->column;
            fputc(column >= span->column ? '^' : c == '\t' ? '\t' : ' ', out);
        }
    }
    if (marks == 0)
        fputc('^', out);
}

static void put_caret(FILE *out, const struct diag *diag)
{
    const struct span *span = &diag->span;
    uint32_t first = span->column > LINE_BEFORE ? span->column - LINE_BEFORE : 1;
    int margin = fprintf(out, "%u ", span->line);
    fputs("| ", out);
    put_line(out, span->text, first);
    fprintf(out, "\n%*s| ", margin, "");
    put_marks(out, span, first);
    if (view_is_present(diag->hint)) {
        fputc(' ', out);
        put_text(out, diag->hint);
    }
    fputc('\n', out);
}

static void put_diag(FILE *out, const struct diag *diag)
{
    fprintf(out, "%s[%.*s]: ", diag->severity == DIAG_ERROR ? "error" : "warning", VIEW_ARG(diag->code));
    put_text(out, diag->message);
    fputc('\n', out);
    bool has_line = diag->span.line > 0;
    if (view_is_present(diag->span.file)) {
        fputs("  --> ", out);
        put_text(out, diag->span.file);
        if (has_line)
            fprintf(out, ":%u:%u", diag->span.line, diag->span.column);
        if (view_is_present(diag->path) && diag->path.size > 0) {
            fputs("   ", out);
            put_text(out, diag->path);
        }
        fputc('\n', out);
    }
    if (has_line && view_is_present(diag->span.text)) {
        put_caret(out, diag);
    } else if (view_is_present(diag->hint)) {
        fputs("   = help: ", out);
        put_text(out, diag->hint);
        fputc('\n', out);
    }
}

void diag_list_print(const struct diag_list *list, FILE *out)
{
    for (size_t i = 0; i < list->count; i++)
        put_diag(out, &list->items[i]);
    if (list->dropped > 0)
        fprintf(out, "and %zu more\n", list->dropped);
}

static void put_json(FILE *out, const char *name, struct view v)
{
    fprintf(out, "\"%s\":", name);
    if (!view_is_present(v)) {
        fputs("null", out);
        return;
    }
    utf8_print_json(v, out);
}

void diag_list_print_json(const struct diag_list *list, FILE *out)
{
    fputc('[', out);
    for (size_t i = 0; i < list->count; i++) {
        const struct diag *diag = &list->items[i];
        fprintf(out, "%s{\"severity\":\"%s\",", i > 0 ? "," : "", diag->severity == DIAG_ERROR ? "error" : "warning");
        put_json(out, "code", diag->code);
        fputc(',', out);
        put_json(out, "file", diag->span.file);
        fprintf(out, ",\"line\":%u,\"column\":%u,", diag->span.line, diag->span.column);
        put_json(out, "path", diag->path);
        fputc(',', out);
        put_json(out, "message", diag->message);
        fputc(',', out);
        put_json(out, "hint", diag->hint);
        fputc('}', out);
    }
    fputs("]\n", out);
}

/* ---- did you mean ----------------------------------------------------------- */

/* Levenshtein distance of two words of at most WORD_MAX bytes. */
static size_t distance(struct view a, struct view b)
{
    size_t row[WORD_MAX + 1];
    for (size_t j = 0; j <= b.size; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.size; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.size; j++) {
            size_t change = diagonal + (a.data[i - 1] != b.data[j - 1]);
            size_t step = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = change < step ? change : step;
        }
    }
    return row[b.size];
}

struct view diag_nearest(struct view word, const struct view *candidates, size_t count)
{
    struct view best = {0};
    size_t best_distance = DISTANCE_MAX + 1;
    if (word.size > WORD_MAX || word.size == 0)
        return best;
    for (size_t i = 0; i < count; i++) {
        size_t longer = candidates[i].size > word.size ? candidates[i].size : word.size;
        if (candidates[i].size > WORD_MAX || longer <= DISTANCE_MAX) /* every two-letter word is near every other */
            continue;
        size_t d = distance(word, candidates[i]);
        if (d < best_distance) {
            best = candidates[i];
            best_distance = d;
        }
    }
    return best;
}
