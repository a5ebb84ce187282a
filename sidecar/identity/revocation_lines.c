/* SPDX-License-Identifier: Apache-2.0 */
#include "revocation_lines.h"

#include "rfc3339.h"
#include "utf8.h"

enum { FAULTS_MAX = 20 }; /* lines that are wrong, before the rest is not looked at any more */

static const struct view magic = {.data = "bartizan-revocations v", .size = 22};
static const struct view head = {.data = "bartizan-revocations v1", .size = 23};

struct reader {
    struct view file;
    struct view rest;
    uint32_t line; /* of the one taken last */
    struct diag_list *diags;
    const struct revocation_sink *sink;
};

static enum err refuse(const struct reader *reader, const char *message)
{
    diag_error(reader->diags, "E1104", &(struct span){.file = reader->file, .line = reader->line, .column = 1}, "%s",
               message);
    return ERR_INVALID;
}

bool revocation_lines_is(struct view text)
{
    return view_starts_with(text, magic);
}

size_t revocation_lines_count(struct view text)
{
    size_t count = 0;
    for (size_t at = view_index_of(text, '\n', 0); at < text.size; at = view_index_of(text, '\n', at + 1))
        count++;
    return count;
}

/* False for the end of the text, also where it does not end its line. */
static bool take_line(struct reader *reader, struct view *line)
{
    size_t end = view_index_of(reader->rest, '\n', 0);
    reader->line++;
    if (end == reader->rest.size)
        return false;
    *line = view_slice(reader->rest, 0, end);
    reader->rest = view_slice(reader->rest, end + 1, reader->rest.size);
    return true;
}

static struct view take_field(struct view *line)
{
    size_t end = view_index_of(*line, '\t', 0);
    struct view field = view_slice(*line, 0, end);
    *line = end < line->size ? view_slice(*line, end + 1, line->size) : (struct view){0};
    return field;
}

/* ---- one entry ---- */

static const char *read_kind(struct view name, enum revocation_kind *out)
{
    for (size_t i = 0; i < REVOCATION_KINDS; i++) {
        if (!view_equals(name, revocation_kind_keys[i]))
            continue;
        *out = (enum revocation_kind)i;
        return NULL;
    }
    return "a kind that no entry has: spiffe, spiffePrefix, certificateSha256, spkiSha256, serial, authority, user or "
           "token, then a tab";
}

static const char *read_text(struct view text, struct view *out)
{
    if (view_is_present(*out))
        return "a name that stands on this line twice";
    if (text.size > REVOCATION_TEXT_MAX || !utf8_is_line(text))
        return "1 to 2048 bytes of UTF-8 without control characters were expected";
    *out = text;
    return NULL;
}

static const char *read_instant(struct view text, bool *has, int64_t *out)
{
    if (*has)
        return "a name that stands on this line twice";
    *has = true;
    return rfc3339_parse(text, out) ? NULL : "an instant such as 2027-01-31T08:00:00Z was expected";
}

static const char *read_named(struct view field, struct revocation_entry *entry)
{
    size_t equals = view_index_of(field, '=', 0);
    struct view name = view_slice(field, 0, equals), text = view_slice(field, equals + 1, field.size);
    if (view_equals(name, VIEW("expires")))
        return read_instant(text, &entry->has_expires, &entry->expires);
    if (view_equals(name, VIEW("reason")))
        return read_text(text, &entry->reason);
    if (view_equals(name, VIEW("issuer")))
        return read_text(text, &entry->issuer);
    if (view_equals(name, VIEW("author")))
        return read_text(text, &entry->author);
    if (view_equals(name, VIEW("created")))
        return read_instant(text, &entry->has_created, &entry->created);
    if (view_equals(name, VIEW("issuedBefore")))
        return read_instant(text, &entry->has_issued_before, &entry->issued_before);
    return "a name that no entry has: issuer, issuedBefore, created, expires, reason or author, then =";
}

/* NULL, or what is wrong. */
static const char *read_entry(struct view line, struct revocation_entry *entry)
{
    const char *fault = read_kind(take_field(&line), &entry->kind);
    if (!fault)
        fault = read_text(take_field(&line), &entry->value);
    while (!fault && view_is_present(line))
        fault = read_named(take_field(&line), entry);
    return fault ? fault : revocation_entry_fault(entry);
}

/* ---- the file ---- */

static enum err read_head(struct reader *reader, uint64_t *sequence)
{
    struct view line, digits;
    char printed[VIEW_U64_DIGITS];
    if (!take_line(reader, &line) || !view_equals(line, head))
        return refuse(reader, "`bartizan-revocations v1` was expected: another version, or none");
    if (!take_line(reader, &line) || !view_starts_with(line, VIEW("sequence ")))
        return refuse(reader, "`sequence N` was expected");
    digits = view_slice(line, sizeof "sequence " - 1, line.size);
    if (!view_to_u64(digits, sequence) || !view_equals(digits, view_of_u64(*sequence, printed)))
        return refuse(reader, "a sequence is a whole number");
    return ERR_NONE;
}

static enum err read_entries(struct reader *reader)
{
    struct view line;
    int faults = 0;
    while (faults < FAULTS_MAX) {
        if (!take_line(reader, &line))
            return refuse(reader, "the file ends without `end`: it is not whole");
        if (view_equals(line, VIEW("end")))
            break;
        struct revocation_entry entry = {0};
        const char *fault = read_entry(line, &entry);
        if (fault) {
            (void)refuse(reader, fault);
            faults++;
        } else if (faults == 0) {
            TRY(reader->sink->take(reader->sink->context, &entry));
        }
    }
    if (faults > 0)
        return ERR_INVALID;
    reader->line++;
    return view_is_empty(reader->rest) ? ERR_NONE : refuse(reader, "text behind `end`");
}

enum err revocation_lines_parse(struct view file, struct view text, const struct revocation_sink *sink,
                                struct diag_list *diags, uint64_t *sequence)
{
    struct reader reader = {.file = file, .rest = text, .diags = diags, .sink = sink};
    TRY(read_head(&reader, sequence));
    return read_entries(&reader);
}
