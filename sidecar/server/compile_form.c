/* SPDX-License-Identifier: Apache-2.0 */
#include "compile_form.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint32_t ABSENT = UINT32_MAX;

/* ---- writing ---- */

static enum err write_bytes(int fd, const void *bytes, size_t size)
{
    const char *at = bytes;
    while (size > 0) {
        ssize_t n = write(fd, at, size);
        if (n < 0 && errno != EINTR)
            return ERR_IO;
        at += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
    return ERR_NONE;
}

static enum err write_number(int fd, uint32_t number)
{
    return write_bytes(fd, &number, sizeof(number));
}

static enum err write_text(int fd, struct view text)
{
    if (!view_is_present(text))
        return write_number(fd, ABSENT);
    if (text.size >= ABSENT)
        return ERR_LIMIT;
    TRY(write_number(fd, (uint32_t)text.size));
    return write_bytes(fd, text.data, text.size);
}

enum err compile_form_write_sources(int fd, const struct policy_source *sources, size_t count)
{
    TRY(write_number(fd, (uint32_t)count));
    for (size_t i = 0; i < count; i++) {
        TRY(write_text(fd, sources[i].name));
        TRY(write_text(fd, sources[i].text));
    }
    return ERR_NONE;
}

static enum err write_finding(int fd, const struct diag *diag)
{
    const uint32_t numbers[] = {diag->severity, diag->span.line, diag->span.column, diag->span.end_column};
    const struct view texts[] = {diag->code, diag->span.file, diag->path, diag->message, diag->hint};
    TRY(write_bytes(fd, numbers, sizeof(numbers)));
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        TRY(write_text(fd, texts[i]));
    return ERR_NONE;
}

enum err compile_form_write_result(int fd, const struct compile_result *result, const struct diag_list *diags)
{
    TRY(write_number(fd, result->error));
    TRY(write_number(fd, (uint32_t)diags->count));
    for (size_t i = 0; i < diags->count; i++)
        TRY(write_finding(fd, &diags->items[i]));
    return write_text(fd, result->image);
}

/* ---- reading ---- */

struct reading {
    struct view bytes;
    size_t at;
};

static enum err read_whole_file(int fd, struct arena *arena, struct reading *out)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return ERR_IO;
    size_t size = (size_t)status.st_size, filled = 0;
    char *bytes = arena_take(arena, size + 1);
    if (bytes == NULL)
        return ERR_NO_MEMORY;
    while (filled < size) {
        ssize_t n = pread(fd, bytes + filled, size - filled, (off_t)filled);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? ERR_IO : ERR_MALFORMED;
        filled += (size_t)n;
    }
    *out = (struct reading){.bytes = {.data = bytes, .size = size}};
    return ERR_NONE;
}

static enum err take_number(struct reading *reading, uint32_t *out)
{
    if (reading->bytes.size - reading->at < sizeof(*out))
        return ERR_MALFORMED;
    memcpy(out, reading->bytes.data + reading->at, sizeof(*out));
    reading->at += sizeof(*out);
    return ERR_NONE;
}

static enum err take_text(struct reading *reading, struct view *out)
{
    uint32_t size;
    *out = (struct view){0};
    TRY(take_number(reading, &size));
    if (size == ABSENT)
        return ERR_NONE;
    if (reading->bytes.size - reading->at < size)
        return ERR_MALFORMED;
    *out = view_slice(reading->bytes, reading->at, reading->at + size);
    reading->at += size;
    return ERR_NONE;
}

enum err compile_form_read_sources(int fd, struct arena *arena, struct policy_source **sources, size_t *count)
{
    struct reading reading;
    uint32_t number;
    TRY(read_whole_file(fd, arena, &reading));
    TRY(take_number(&reading, &number));
    if (number > reading.bytes.size / (2 * sizeof(uint32_t)))
        return ERR_MALFORMED;
    struct policy_source *list = arena_take_array(arena, number + 1, sizeof(*list));
    if (list == NULL)
        return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < number; i++) {
        TRY(take_text(&reading, &list[i].name));
        TRY(take_text(&reading, &list[i].text));
    }
    *sources = list;
    *count = number;
    return reading.at == reading.bytes.size ? ERR_NONE : ERR_MALFORMED;
}

static enum err take_finding(struct reading *reading, struct diag_list *diags)
{
    uint32_t severity;
    struct diag diag = {0};
    TRY(take_number(reading, &severity));
    TRY(take_number(reading, &diag.span.line));
    TRY(take_number(reading, &diag.span.column));
    TRY(take_number(reading, &diag.span.end_column));
    struct view *const texts[] = {&diag.code, &diag.span.file, &diag.path, &diag.message, &diag.hint};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        TRY(take_text(reading, texts[i]));
    diag.severity = severity == DIAG_WARNING ? DIAG_WARNING : DIAG_ERROR;
    diag_add(diags, &diag);
    return ERR_NONE;
}

enum err compile_form_read_result(int fd, struct arena *arena, struct diag_list *diags, struct compile_result *out)
{
    struct reading reading;
    uint32_t error, count;
    TRY(read_whole_file(fd, arena, &reading));
    TRY(take_number(&reading, &error));
    TRY(take_number(&reading, &count));
    if (error > ERR_INVALID || count > DIAG_CAP)
        return ERR_MALFORMED;
    for (uint32_t i = 0; i < count; i++)
        TRY(take_finding(&reading, diags));
    TRY(take_text(&reading, &out->image));
    out->error = (enum err)error;
    return reading.at == reading.bytes.size ? ERR_NONE : ERR_MALFORMED;
}
