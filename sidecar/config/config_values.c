/* SPDX-License-Identifier: Apache-2.0 */
#include "config_reader.h"

#include "rfc3339.h"
#include "utf8.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdarg.h>
#include <sys/un.h>

enum { URL_MAX = 2048, SENTENCE_MAX = 500 };

void config_complain(const struct task *task, const char *code, struct view hint, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const struct diag diag = {.code = view_of(code), .span = task->node->span, .path = task->at.shown, .hint = hint};
    diag_vadd(task->reader->diags, &diag, format, arguments);
    va_end(arguments);
}

void *config_array(struct reader *reader, size_t count, size_t size)
{
    void *memory = arena_take_array(reader->arena, count ? count : 1, size);
    if (memory == NULL)
        reader->is_out_of_memory = true;
    return memory;
}

struct view config_print(struct reader *reader, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    struct view text = arena_vprint(reader->arena, format, arguments);
    va_end(arguments);
    if (!view_is_present(text))
        reader->is_out_of_memory = true;
    return text;
}

bool config_expect_text(const struct task *task)
{
    const struct node *node = task->node;
    if (node->kind == NODE_SCALAR && !view_is_empty(node->text))
        return true;
    config_complain(task, "C0104", (struct view){0}, "a value is expected here, not %s",
                    node->kind == NODE_MAP    ? "a map"
                    : node->kind == NODE_LIST ? "a list"
                                              : "nothing");
    return false;
}

static bool is_printable(struct view text, size_t most)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < 0x21 || text.data[i] > 0x7e)
            return false;
    return text.size <= most;
}

void config_read_constant(const struct task *task, void *target)
{
    (void)target;
    if (config_expect_text(task) && !view_equals(task->node->text, view_of(task->field->words)))
        config_complain(task, "C0003", (struct view){0}, "`%s` is expected here, not `%.*s`", task->field->words,
                        VIEW_ARG(task->node->text));
}

void config_read_text(const struct task *task, void *target)
{
    if (!config_expect_text(task))
        return;
    if (is_printable(task->node->text, 255))
        *(struct view *)target = arena_copy(task->reader->arena, task->node->text);
    else
        config_complain(task, "C0204", (struct view){0},
                        "a name has 1 to 255 printable ASCII characters without spaces");
}

void config_read_name(const struct task *task, void *target)
{
    struct view text = {0};
    config_read_text(task, &text);
    if (view_is_present(text))
        *(const char **)target = text.data;
}

void config_read_issuer_name(const struct task *task, void *target)
{
    if (!config_expect_text(task))
        return;
    if (is_printable(task->node->text, URL_MAX))
        *(struct view *)target = arena_copy(task->reader->arena, task->node->text);
    else
        config_complain(task, "C0208", (struct view){0}, "an issuer is a URL of at most %d printable ASCII characters",
                        URL_MAX);
}

static bool check_range(const struct task *task, uint64_t value)
{
    if (value >= task->field->low && value <= task->field->high)
        return true;
    config_complain(task, "C0202", (struct view){0}, "%" PRIu64 " is outside the range of %" PRIu64 " to %" PRIu64,
                    value, task->field->low, task->field->high);
    return false;
}

static bool expect_number(const struct task *task, uint64_t *value)
{
    if (!config_expect_text(task))
        return false;
    if (view_to_u64(task->node->text, value))
        return check_range(task, *value);
    config_complain(task, "C0201", (struct view){0}, "`%.*s` is not a whole number", VIEW_ARG(task->node->text));
    return false;
}

void config_read_number(const struct task *task, void *target)
{
    uint64_t value = 0;
    if (expect_number(task, &value))
        *(uint32_t *)target = (uint32_t)value;
}

void config_read_revision(const struct task *task, void *target)
{
    uint64_t value = 0;
    if (expect_number(task, &value))
        *(uint64_t *)target = value;
}

void config_read_time(const struct task *task, void *target)
{
    if (config_expect_text(task) && !rfc3339_parse(task->node->text, target))
        config_complain(task, "C0201", VIEW("write 2026-12-31T18:00:00Z"), "`%.*s` is not an RFC 3339 time",
                        VIEW_ARG(task->node->text));
}

void config_read_sentence(const struct task *task, void *target)
{
    if (!config_expect_text(task))
        return;
    if (task->node->text.size <= SENTENCE_MAX && utf8_is_line(task->node->text))
        *(struct view *)target = arena_copy(task->reader->arena, task->node->text);
    else
        config_complain(task, "C0204", (struct view){0}, "a sentence is one line of at most %d printable bytes",
                        SENTENCE_MAX);
}

/* size = number [ "KiB" / "MiB" / "GiB" ] */
static bool parse_size(struct view text, uint64_t *out)
{
    static const struct {
        struct view suffix;
        unsigned shift;
    } units[] = {{{"KiB", 3}, 10}, {{"MiB", 3}, 20}, {{"GiB", 3}, 30}};
    unsigned shift = 0;
    for (size_t i = 0; i < sizeof units / sizeof units[0] && shift == 0; i++) {
        if (view_ends_with(text, units[i].suffix)) {
            shift = units[i].shift;
            text = view_slice(text, 0, text.size - units[i].suffix.size);
        }
    }
    uint64_t number = 0;
    if (!view_to_u64(text, &number) || number > UINT64_MAX >> shift)
        return false;
    *out = number << shift;
    return true;
}

static bool expect_size(const struct task *task, uint64_t *size)
{
    if (!config_expect_text(task))
        return false;
    if (!parse_size(task->node->text, size)) {
        config_complain(task, "C0201", VIEW("write 65536, 64KiB, 256MiB or 1GiB"), "`%.*s` is not a size",
                        VIEW_ARG(task->node->text));
        return false;
    }
    return check_range(task, *size);
}

void config_read_size(const struct task *task, void *target)
{
    uint64_t size = 0;
    if (expect_size(task, &size))
        *(uint32_t *)target = (uint32_t)size;
}

void config_read_long_size(const struct task *task, void *target)
{
    uint64_t size = 0;
    if (expect_size(task, &size))
        *(uint64_t *)target = size;
}

void config_read_word(const struct task *task, void *target)
{
    if (!config_expect_text(task))
        return;
    enum { WORDS_MAX = 8 };
    struct view known[WORDS_MAX], rest = view_of(task->field->words), text = task->node->text;
    size_t count = 0;
    while (!view_is_empty(rest)) {
        size_t end = view_index_of(rest, '|', 0);
        struct view word = view_slice(rest, 0, end);
        rest = view_slice(rest, end + 1, rest.size);
        bool is_refused = view_starts_with(word, VIEW("("));
        if (is_refused)
            word = view_slice(word, 1, word.size);
        if (view_equals(word, text)) {
            if (is_refused)
                config_complain(task, "C0102", (struct view){0}, "`%.*s` is not supported in this version",
                                VIEW_ARG(word));
            else
                *(unsigned *)target = (unsigned)count;
            return;
        }
        if (!is_refused && count < WORDS_MAX)
            known[count++] = word;
    }
    struct view hint = diag_nearest(text, known, count);
    if (view_is_present(hint)) {
        hint = config_print(task->reader, "did you mean `%.*s`?", VIEW_ARG(hint));
    } else {
        hint = VIEW("it knows");
        for (size_t i = 0; i < count; i++)
            hint = config_print(task->reader, "%.*s%s`%.*s`", VIEW_ARG(hint), i ? ", " : " ", VIEW_ARG(known[i]));
    }
    config_complain(task, "C0203", hint, "`%.*s` is not a word of this key", VIEW_ARG(text));
}

void config_read_choice(const struct task *task, void *target)
{
    unsigned word = 0;
    config_read_word(task, &word);
    *(bool *)target = word == 1;
}

void config_read_mode(const struct task *task, void *target)
{
    if (!config_expect_text(task))
        return;
    struct view text = task->node->text;
    uint32_t mode = 0;
    bool is_octal = text.size == 4 && text.data[0] == '0';
    for (size_t i = 0; i < text.size && is_octal; i++) {
        is_octal = text.data[i] >= '0' && text.data[i] <= '7';
        mode = mode * 8 + (uint32_t)(text.data[i] - '0');
    }
    if (!is_octal)
        config_complain(task, "C0209", VIEW("write it as \"0660\""), "a mode is a 0 and three octal digits");
    else if ((mode & 0600) != 0600)
        config_complain(task, "C0209", (struct view){0}, "a mode under 0600 shuts out the sidecar itself");
    else
        *(uint32_t *)target = mode;
}

static const char *resolve(const struct task *task, struct view text)
{
    struct reader *reader = task->reader;
    if (memchr(text.data, '\0', text.size) != NULL || text.size > 4000) {
        config_complain(task, "C0204", (struct view){0}, "a path has no NUL and at most 4000 bytes");
        return NULL;
    }
    if (text.data[0] == '/' || view_is_empty(reader->folder))
        return config_print(reader, "%.*s", VIEW_ARG(text)).data;
    return config_print(reader, "%.*s%s%.*s", VIEW_ARG(reader->folder),
                        view_ends_with(reader->folder, VIEW("/")) ? "" : "/", VIEW_ARG(text))
        .data;
}

void config_read_path(const struct task *task, void *target)
{
    const char *path = config_expect_text(task) ? resolve(task, task->node->text) : NULL;
    if (path != NULL)
        *(const char **)target = path;
}

static void set_socket(const struct task *task, struct view text, const char **target)
{
    const char *path = resolve(task, text);
    if (path == NULL)
        return;
    enum { SOCKET_PATH_MAX = sizeof((struct sockaddr_un *)0)->sun_path - 1 };
    if (strlen(path) > SOCKET_PATH_MAX)
        config_complain(task, "C0204", (struct view){0}, "a unix socket's path has at most %d bytes, this one has %zu",
                        (int)SOCKET_PATH_MAX, strlen(path));
    else
        *target = path;
}

void config_read_socket(const struct task *task, void *target)
{
    if (config_expect_text(task))
        set_socket(task, task->node->text, target);
}

void config_read_url(const struct task *task, void *target)
{
    if (!config_expect_text(task))
        return;
    struct view text = task->node->text;
    bool is_url = is_printable(text, URL_MAX) && memchr(text.data, '"', text.size) == NULL &&
                  memchr(text.data, '\\', text.size) == NULL &&
                  (view_starts_with(text, VIEW("https://")) || view_starts_with(text, VIEW("http://")));
    if (is_url)
        *(struct view *)target = arena_copy(task->reader->arena, text);
    else
        config_complain(task, "C0208", (struct view){0},
                        "this is not an http or https URL of printable ASCII without quotes");
}

bool config_parse_address(struct reader *reader, struct view text, bool may_omit_host, const char **host,
                          uint16_t *port)
{
    size_t colon = text.size;
    while (colon > 0 && text.data[colon - 1] != ':')
        colon--;
    uint64_t number = 0;
    if (colon == 0 || !view_to_u64(view_slice(text, colon, text.size), &number) || number < 1 || number > 65535)
        return false;
    struct view name = view_slice(text, 0, colon - 1);
    bool is_bracketed = view_starts_with(name, VIEW("[")) && view_ends_with(name, VIEW("]"));
    if (is_bracketed)
        name = view_slice(name, 1, name.size - 1);
    char literal[INET6_ADDRSTRLEN];
    unsigned char bytes[16];
    if (name.size >= sizeof literal || memchr(text.data, '\0', text.size) != NULL)
        return false;
    memcpy(literal, name.data, name.size);
    literal[name.size] = '\0';
    if (!(may_omit_host && text.data[0] == ':') && inet_pton(is_bracketed ? AF_INET6 : AF_INET, literal, bytes) != 1)
        return false;
    *host = config_print(reader, "%s", literal).data;
    *port = (uint16_t)number;
    return *host != NULL;
}

static bool is_loopback(const char *host)
{
    return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

void config_read_listener_address(const struct task *task, void *target)
{
    struct listener_config *listener = target;
    if (!config_expect_text(task))
        return;
    struct view text = task->node->text;
    if (view_starts_with(text, VIEW("unix:"))) {
        struct view path = view_slice(text, view_starts_with(text, VIEW("unix:///")) ? 7 : 5, text.size);
        if (view_is_empty(path) || path.data[0] == '@' || view_starts_with(path, VIEW("//")))
            config_complain(task, "C0205", VIEW("write unix:///run/bartizan/check.sock"),
                            "a unix address names a path");
        else
            set_socket(task, path, &listener->path);
        return;
    }
    listener->kind = LISTENER_TCP;
    if (!config_parse_address(task->reader, text, false, &listener->host, &listener->port)) {
        config_complain(task, "C0205", VIEW("write unix:///run/bartizan/check.sock, 127.0.0.1:9191 or [::1]:9191"),
                        "`%.*s` is not an address to listen on", VIEW_ARG(text));
        return;
    }
    if (!is_loopback(listener->host))
        diag_add(task->reader->diags,
                 &(struct diag){.severity = DIAG_WARNING,
                                .code = VIEW("C0301"),
                                .span = task->node->span,
                                .path = task->at.shown,
                                .message = VIEW("whoever reaches this address can ask for decisions"),
                                .hint = VIEW("a sidecar listens on a unix socket or on 127.0.0.1")});
}

void config_read_admin(const struct task *task, void *target)
{
    struct config *config = target;
    if (config_expect_text(task) && !config_parse_address(task->reader, task->node->text, true,
                                                          &config->admin.address_host, &config->admin.address_port))
        config_complain(task, "C0205", VIEW("write :8282, 127.0.0.1:8282 or [::1]:8282"),
                        "`%.*s` is not an address to listen on", VIEW_ARG(task->node->text));
}

void config_read_endpoint(const struct task *task, void *target)
{
    if (!config_expect_text(task))
        return;
    struct view text = task->node->text;
    const char *host = NULL;
    uint16_t port = 0;
    struct view rest = view_slice(text, 6, text.size);
    if (view_starts_with(text, VIEW("ipc://")) && !view_is_empty(rest)) {
        const char *path = NULL;
        set_socket(task, rest, &path);
        if (path != NULL)
            *(const char **)target = config_print(task->reader, "ipc://%s", path).data;
    } else if (view_starts_with(text, VIEW("tcp://")) &&
               config_parse_address(task->reader, rest, false, &host, &port)) {
        *(const char **)target = config_print(task->reader, "%.*s", VIEW_ARG(text)).data;
    } else {
        config_complain(task, "C0205", VIEW("write ipc:///run/bartizan/tap or tcp://127.0.0.1:9192"),
                        "`%.*s` is not an endpoint to publish on", VIEW_ARG(text));
    }
}

void config_read_uids(const struct task *task, void *target)
{
    struct listener_config *listener = target;
    const struct node *list = task->node;
    if (list->kind != NODE_LIST || list->count == 0) {
        config_complain(task, "C0104", (struct view){0}, "a list of user ids is expected here");
        return;
    }
    uint32_t *uids = config_array(task->reader, list->count, sizeof *uids);
    if (uids == NULL)
        return;
    for (size_t i = 0; i < list->count; i++) {
        struct task item = *task;
        item.node = list->items[i];
        item.at.shown = config_print(task->reader, "%.*s[%zu]", VIEW_ARG(task->at.shown), i);
        config_read_number(&item, &uids[i]);
    }
    listener->allow_uids = uids;
    listener->allow_uid_count = list->count;
}
