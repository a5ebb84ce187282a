/* SPDX-License-Identifier: Apache-2.0 */
#include "junit.h"

#include "cli.h"

#include <errno.h>

struct junit_case {
    struct junit_case *next;
    struct view name, expected, got, file;
    uint32_t line;
    bool passed;
};

void junit_add(struct junit *junit, const struct policy_test_result *result, struct arena *arena)
{
    struct junit_case *own = arena_take(arena, sizeof *own);
    if (own == NULL) {
        junit->is_exhausted = true;
        return;
    }
    *own = (struct junit_case){.name = arena_copy(arena, result->name),
                               .expected = arena_copy(arena, result->expected),
                               .got = arena_copy(arena, result->got),
                               .file = arena_copy(arena, result->span.file),
                               .line = result->span.line,
                               .passed = result->passed};
    if (junit->last != NULL)
        junit->last->next = own;
    else
        junit->first = own;
    junit->last = own;
    junit->count++;
}

/* XML 1.0 section 2.2 has no control characters at all: they are escaped as for a terminal first.
 * U+FFFE and U+FFFF are no characters of it either. */
static void put(FILE *out, struct view text, struct arena *arena)
{
    struct view safe = text_print(text, arena);
    for (size_t i = 0; i < safe.size; i++) {
        bool is_no_character = view_starts_with(view_slice(safe, i, i + 3), VIEW("\xef\xbf\xbe")) ||
                               view_starts_with(view_slice(safe, i, i + 3), VIEW("\xef\xbf\xbf"));
        if (is_no_character) {
            fputc('?', out);
            i += 2;
            continue;
        }
        switch (safe.data[i]) {
        case '&': fputs("&amp;", out); break;
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '"': fputs("&quot;", out); break;
        default: fputc(safe.data[i], out); break;
        }
    }
}

static void put_case(FILE *out, const struct junit_case *own, const char *suite, struct arena *arena)
{
    fputs("    <testcase name=\"", out);
    put(out, own->name, arena);
    fputs("\" classname=\"", out);
    put(out, view_of(suite), arena);
    fputs("\" file=\"", out);
    put(out, own->file, arena);
    fprintf(out, "\" line=\"%u\"%s>\n", own->line, own->passed ? "/" : "");
    if (own->passed)
        return;
    fputs("      <failure message=\"expected ", out);
    put(out, own->expected, arena);
    fputs("\">got ", out);
    put(out, own->got, arena);
    fputs("</failure>\n    </testcase>\n", out);
}

bool junit_write(const struct junit *junit, const char *file, const char *suite, size_t failures, struct arena *arena)
{
    errno = ENOMEM;
    FILE *out = junit->is_exhausted ? NULL : fopen(file, "we");
    if (out == NULL)
        return false;
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", out);
    fprintf(out, "<testsuites tests=\"%zu\" failures=\"%zu\" errors=\"0\">\n  <testsuite name=\"", junit->count,
            failures);
    put(out, view_of(suite), arena);
    fprintf(out, "\" tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"0\">\n", junit->count, failures);
    for (const struct junit_case *own = junit->first; own != NULL; own = own->next)
        put_case(out, own, suite, arena);
    fputs("  </testsuite>\n</testsuites>\n", out);
    bool is_good = !ferror(out);
    return fclose(out) == 0 && is_good;
}
