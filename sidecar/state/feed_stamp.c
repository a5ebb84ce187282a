/* SPDX-License-Identifier: Apache-2.0 */
#include "feed_stamp.h"

#include "folder_file.h"
#include "json.h"
#include "rfc3339.h"
#include "utf8.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

enum { STAMP_MODE = 0640, STAMP_MEMORY = 256 * 1024 };

#define NANOSECONDS INT64_C(1000000000)

static const char *const kinds[WORKLOAD_KINDS] = {"x509", "jwt"};
static const char *const states[] = {"unused", "waiting", "streaming", "refused"};
enum { STATES = sizeof states / sizeof states[0] };

const char *workload_kind_text(enum workload_kind kind)
{
    return kinds[kind];
}

const char *feed_state_text(enum feed_state state)
{
    return states[state];
}

/* ---- text ---------------------------------------------------------------- */

static bool read_number(const struct json *object, struct view name, uint64_t *out)
{
    const struct json *member = json_get(object, name);
    return member != NULL && member->kind == JSON_NUMBER && view_to_u64(member->text, out) && *out <= INT64_MAX;
}

static bool read_signed(const struct json *object, struct view name, int64_t *out)
{
    uint64_t number = 0;
    bool is_good = read_number(object, name, &number);
    *out = (int64_t)number;
    return is_good;
}

static bool read_string(const struct json *object, struct view name, char *out, size_t size)
{
    const struct json *member = json_get(object, name);
    if (member == NULL || member->kind != JSON_STRING || member->text.size >= size)
        return false;
    memcpy(out, view_bytes(member->text), member->text.size);
    out[member->text.size] = '\0';
    return true;
}

static bool read_stream(const struct json *object, struct feed_stream_stamp *out)
{
    char state[16];
    if (!read_string(object, VIEW("state"), state, sizeof state))
        return false;
    size_t i = 0;
    while (i < STATES && strcmp(states[i], state) != 0)
        i++;
    out->state = (enum feed_state)i;
    return i < STATES && read_signed(object, VIEW("confirmed_boottime_ns"), &out->confirmed_ns) &&
           read_signed(object, VIEW("confirmed_at"), &out->confirmed_at) &&
           read_number(object, VIEW("messages"), &out->messages) &&
           read_number(object, VIEW("failures"), &out->failures) &&
           read_signed(object, VIEW("error_at"), &out->error_at) &&
           read_string(object, VIEW("error"), out->error, sizeof out->error);
}

enum err feed_stamp_parse(struct view text, struct arena *arena, struct feed_stamp *out)
{
    struct json root = {0};
    struct feed_stamp stamp = {0};
    TRY(json_parse(text, arena, &root));
    if (!read_string(&root, VIEW("boot_id"), stamp.boot_id, sizeof stamp.boot_id))
        return ERR_MALFORMED;
    for (size_t i = 0; i < WORKLOAD_KINDS; i++)
        if (!read_stream(json_get(&root, view_of(kinds[i])), &stamp.streams[i]))
            return ERR_MALFORMED;
    *out = stamp;
    return ERR_NONE;
}

static void print_stream(const struct feed_stream_stamp *stream, FILE *out)
{
    (void)fprintf(out,
                  "{\"state\": \"%s\", \"confirmed_boottime_ns\": %" PRId64 ", \"confirmed_at\": %" PRId64
                  ", \"messages\": %" PRIu64 ", \"failures\": %" PRIu64 ", \"error_at\": %" PRId64 ", \"error\": ",
                  states[stream->state], stream->confirmed_ns, stream->confirmed_at, stream->messages, stream->failures,
                  stream->error_at);
    utf8_print_json(view_of(stream->error), out);
    (void)fputc('}', out);
}

struct view feed_stamp_print(const struct feed_stamp *stamp, struct arena *arena)
{
    char *text = arena_take(arena, FEED_STAMP_BYTES_MAX);
    FILE *out = text != NULL ? fmemopen(text, FEED_STAMP_BYTES_MAX, "w") : NULL;
    if (out == NULL)
        return (struct view){0};
    (void)fputs("{\"boot_id\": ", out);
    utf8_print_json(view_of(stamp->boot_id), out);
    for (size_t i = 0; i < WORKLOAD_KINDS; i++) {
        (void)fprintf(out, ", \"%s\": ", kinds[i]);
        print_stream(&stamp->streams[i], out);
    }
    (void)fputs("}\n", out);
    long size = ftell(out);
    bool is_whole = ferror(out) == 0 && size > 0 && size < FEED_STAMP_BYTES_MAX;
    is_whole = fclose(out) == 0 && is_whole;
    return is_whole ? (struct view){.data = text, .size = (size_t)size} : (struct view){0};
}

/* ---- file ---------------------------------------------------------------- */

enum err feed_stamp_read(const struct config *config, struct feed_stamp *out)
{
    AUTO(arena_free) struct arena arena;
    struct view text = {0};
    arena_init(&arena, STAMP_MEMORY);
    TRY(folder_file_read(AT_FDCWD, config->workload_api.stamp, FEED_STAMP_BYTES_MAX, &arena, &text));
    return feed_stamp_parse(text, &arena, out);
}

enum err feed_stamp_write(const struct config *config, const struct feed_stamp *stamp)
{
    AUTO(arena_free) struct arena arena;
    AUTO(descriptor_close) int folder = -1;
    const char *name = NULL;
    arena_init(&arena, STAMP_MEMORY);
    struct view text = feed_stamp_print(stamp, &arena);
    if (!view_is_present(text))
        return ERR_NO_MEMORY;
    TRY(folder_file_open(config->workload_api.stamp, &folder, &name));
    return folder_file_replace(folder, name, STAMP_MODE, text);
}

/* ---- age ----------------------------------------------------------------- */

void feed_boot_id(char out[FEED_BOOT_ID_MAX])
{
    out[0] = '\0';
    FILE *in = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (in == NULL)
        return;
    if (fgets(out, FEED_BOOT_ID_MAX, in) != NULL)
        out[view_index_of(view_of(out), '\n', 0)] = '\0';
    (void)fclose(in);
}

int64_t feed_clock_ns(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * NANOSECONDS + now.tv_nsec;
}

bool feed_stamp_age(const struct feed_stamp *stamp, enum workload_kind kind, const char *boot_id, int64_t now_ns,
                    int64_t *age_ns)
{
    int64_t confirmed = stamp->streams[kind].confirmed_ns;
    /* Two boots of which neither tells its ID may be two. */
    if (confirmed <= 0 || confirmed > now_ns || boot_id[0] == '\0' || strcmp(stamp->boot_id, boot_id) != 0)
        return false;
    *age_ns = now_ns - confirmed;
    return true;
}

int64_t feed_stamp_left(const struct feed_stamp *stamp, enum workload_kind kind, const char *boot_id, int64_t now_ns,
                        int64_t max_age_ns)
{
    int64_t age = 0;
    return feed_stamp_age(stamp, kind, boot_id, now_ns, &age) && age < max_age_ns ? max_age_ns - age : 0;
}

void feed_freshness_read(const struct config *config, struct feed_freshness *out)
{
    struct feed_stamp stamp;
    char boot_id[FEED_BOOT_ID_MAX];
    *out = (struct feed_freshness){0};
    if (!config->workload_api.needs_x509 && !config->workload_api.needs_jwt)
        return;
    if (feed_stamp_read(config, &stamp) != ERR_NONE)
        return;
    feed_boot_id(boot_id);
    for (size_t i = 0; i < WORKLOAD_KINDS; i++)
        out->left_ns[i] = feed_stamp_left(&stamp, (enum workload_kind)i, boot_id, feed_clock_ns(),
                                          (int64_t)config->workload_api.max_age * NANOSECONDS);
}
