/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include "rfc3339.h"

enum {
    NAME_MAX_BYTES = 128,
    TEXT_MAX_BYTES = 4096,
    TEN_YEARS = 10 * 366 * 24 * 3600,
    CLAIM_STEPS_MAX = 8,
};

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool load_is_name(struct view text)
{
    if (text.size == 0 || text.size > NAME_MAX_BYTES || !is_alphanumeric(text.data[0]))
        return false;
    for (size_t i = 1; i < text.size; i++)
        if (!is_alphanumeric(text.data[i]) && memchr("._-", text.data[i], 3) == NULL)
            return false;
    return true;
}

/* Any scalar without control characters, of a length a person can have meant. */
static bool check_value(struct load *load, const struct node *node)
{
    if (!load_is(load, node, NODE_SCALAR, "the value"))
        return false;
    for (size_t i = 0; i < node->text.size; i++) {
        unsigned char c = (unsigned char)node->text.data[i];
        if (c >= 0x20 && c != 0x7f)
            continue;
        load_refuse(load, CODE_VALUE, node, NULL, "the value holds a control character");
        return false;
    }
    if (node->text.size > TEXT_MAX_BYTES) {
        load_refuse(load, CODE_LIMIT, node, NULL, "the value is longer than %d bytes", TEXT_MAX_BYTES);
        return false;
    }
    return true;
}

static bool read_value(struct load *load, const struct node *node, struct view *out)
{
    bool is_good = check_value(load, node);
    *out = is_good ? load_keep(load, node->text) : VIEW("");
    return is_good;
}

void load_check_text(struct load *load, const struct node *node)
{
    if (check_value(load, node) && node->text.size == 0)
        load_refuse(load, CODE_VALUE, node, NULL, "the value is empty");
}

void load_text(struct load *load, const struct node *node, void *out)
{
    struct view *text = out;
    if (read_value(load, node, text) && text->size == 0)
        load_refuse(load, CODE_VALUE, node, NULL, "the value is empty");
}

void load_name(struct load *load, const struct node *node, void *out)
{
    struct view *text = out;
    if (read_value(load, node, text) && !load_is_name(*text))
        load_refuse(load, CODE_NAME, node, code_title(CODE_NAME), "`%.*s` is not a name", VIEW_ARG(*text));
}

void load_bool(struct load *load, const struct node *node, void *out)
{
    bool *is_true = out;
    if (!load_is(load, node, NODE_SCALAR, "the value"))
        return;
    *is_true = view_equals(node->text, VIEW("true"));
    if (!*is_true && !view_equals(node->text, VIEW("false")))
        load_refuse(load, CODE_VALUE, node, "write true or false", "`%.*s` is neither true nor false",
                    VIEW_ARG(node->text));
}

bool load_duration_text(struct view text, uint32_t *out)
{
    static const struct {
        char unit;
        uint32_t seconds;
    } units[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};
    uint64_t total = 0;
    size_t at = 0, unit = 0;
    while (at < text.size) {
        size_t start = at;
        while (at < text.size && text.data[at] >= '0' && text.data[at] <= '9')
            at++;
        uint64_t number;
        if (at == text.size || at - start > 9 || !view_to_u64(view_slice(text, start, at), &number))
            return false;
        while (unit < 4 && units[unit].unit != text.data[at])
            unit++;
        if (unit == 4)
            return false;
        total += number * units[unit++].seconds; /* at most 4 * 10^9 * 86400 */
        at++;
    }
    if (text.size == 0 || total > TEN_YEARS)
        return false;
    *out = (uint32_t)total;
    return true;
}

void load_duration(struct load *load, const struct node *node, void *out)
{
    uint32_t *seconds = out;
    if (load_is(load, node, NODE_SCALAR, "a duration") && !load_duration_text(node->text, seconds))
        load_refuse(load, CODE_DURATION, node, "write digits and a unit: 30s, 5m, 8h, 1d, 1h30m; at most ten years",
                    "`%.*s` is not a duration", VIEW_ARG(node->text));
}

void load_views(struct load *load, const struct node *node, load_reader *read, struct string_list *out)
{
    const struct node *const *items;
    size_t count = load_elements(&node, &items);
    struct view *views = arena_take_array(load->passing, count, sizeof(*views));
    *out = (struct string_list){0};
    if (views == NULL) {
        load->is_exhausted = true;
        return;
    }
    for (size_t i = 0; i < count; i++)
        read(load, items[i], &views[i]);
    out->items = load_share(load, views, count, sizeof(*views));
    out->count = out->items != NULL ? count : 0;
}

static void read_list(struct load *load, const struct node *node, load_reader *read, struct string_list *out)
{
    load_views(load, node, read, out);
    if (out->count == 0 && !load->is_exhausted)
        load_refuse(load, CODE_EMPTY, node, "leave the key out to constrain nothing", "the list is empty");
}

static void read_any_value(struct load *load, const struct node *node, void *out)
{
    (void)read_value(load, node, out);
}

void load_texts(struct load *load, const struct node *node, void *out)
{
    read_list(load, node, load_text, out);
}

void load_values(struct load *load, const struct node *node, void *out)
{
    read_list(load, node, read_any_value, out);
}

bool load_number(struct load *load, const struct node *node, uint64_t least, uint64_t most, uint64_t *out)
{
    if (!load_is(load, node, NODE_SCALAR, "a number"))
        return false;
    if (view_to_u64(node->text, out) && *out >= least && *out <= most)
        return true;
    load_refuse(load, CODE_VALUE, node, NULL, "`%.*s` is not a number from %llu to %llu", VIEW_ARG(node->text),
                (unsigned long long)least, (unsigned long long)most);
    return false;
}

/* RFC 9110 section 5.1: a token. Pseudo headers are no headers here. */
void load_header_name(struct load *load, const struct node *node, void *out)
{
    struct view *name = out;
    char lower[NAME_MAX_BYTES];
    *name = VIEW("");
    if (!check_value(load, node))
        return;
    bool is_token = node->text.size > 0 && node->text.size <= NAME_MAX_BYTES;
    for (size_t i = 0; is_token && i < node->text.size; i++) {
        char c = node->text.data[i];
        is_token = is_alphanumeric(c) || memchr("!#$%&'*+-.^_`|~", c, 15) != NULL;
        lower[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
    }
    if (!is_token)
        load_refuse(load, CODE_HEADER, node, NULL, "`%.*s` is not a header name", VIEW_ARG(node->text));
    *name = load_keep(load, is_token ? (struct view){.data = lower, .size = node->text.size} : node->text);
}

void load_read_header(struct load *load, const struct node *node, void *out)
{
    const struct view *name = out;
    load_header_name(load, node, out);
    if (facts_is_hearsay(*name))
        load_refuse(load, CODE_HEADER_HEARSAY, node, "ask about sourceIP, hosts, paths, methods or metadata instead",
                    "`%.*s` is written by proxies or clients about a request: nothing is decided on it",
                    VIEW_ARG(*name));
}

void load_claim_text(struct load *load, const struct node *node, struct view text, struct claim_path *out)
{
    size_t count = 1;
    for (size_t i = 0; i < text.size; i++)
        count += text.data[i] == '.';
    if (text.size == 0 || text.size > 256 || count > CLAIM_STEPS_MAX) {
        load_refuse(load, CODE_VALUE, node, NULL, "a claim's name is 1 to 256 bytes of at most %d dotted steps",
                    CLAIM_STEPS_MAX);
        return;
    }
    struct view *steps = load_take(load, count, sizeof(*steps));
    *out = (struct claim_path){.text = load_keep(load, text)};
    if (steps == NULL || load->is_exhausted)
        return;
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        size_t end = view_index_of(out->text, '.', at);
        steps[i] = view_slice(out->text, at, end);
        at = end + 1;
        if (steps[i].size == 0) {
            load_refuse(load, CODE_VALUE, node, NULL, "the claim `%.*s` has an empty step", VIEW_ARG(text));
            return;
        }
    }
    out->steps = (struct string_list){.items = steps, .count = count};
}

void load_claim_path(struct load *load, const struct node *node, void *out)
{
    struct view text;
    if (read_value(load, node, &text))
        load_claim_text(load, node, text, out);
}

size_t load_word(struct load *load, const struct node *node, const char *what, const struct view *words, size_t count,
                 size_t otherwise)
{
    if (!load_is(load, node, NODE_SCALAR, what))
        return otherwise;
    for (size_t i = 0; i < count; i++)
        if (view_equals(words[i], node->text))
            return i;
    struct view near = diag_nearest(node->text, words, count);
    struct view hint = arena_print(load->scratch, "one of");
    for (size_t i = 0; i < count; i++)
        hint = arena_print(load->scratch, "%.*s%s %.*s", VIEW_ARG(hint), i > 0 ? "," : "", VIEW_ARG(words[i]));
    if (view_is_present(near))
        hint = arena_print(load->scratch, "did you mean `%.*s`?", VIEW_ARG(near));
    load_refuse(load, CODE_VALUE, node, hint.data, "`%.*s` is not %s", VIEW_ARG(node->text), what);
    return otherwise;
}

/* ---- time ------------------------------------------------------------------- */

static bool read_digits(struct view text, size_t at, size_t digits, unsigned most, unsigned *out)
{
    uint64_t number;
    if (at + digits > text.size || !view_to_u64(view_slice(text, at, at + digits), &number) || number > most)
        return false;
    *out = (unsigned)number;
    return true;
}

bool load_clock(struct view text, uint16_t *out)
{
    unsigned hour, minute;
    if (text.size != 5 || text.data[2] != ':' || !read_digits(text, 0, 2, 24, &hour) ||
        !read_digits(text, 3, 2, 59, &minute) || (hour == 24 && minute != 0))
        return false;
    *out = (uint16_t)(hour * 60 + minute);
    return true;
}

bool load_instant(struct view text, int64_t *out)
{
    return rfc3339_parse(text, out) && *out >= 0;
}

/* ---- hosts (S12) ------------------------------------------------------------- */

static bool is_host_byte(char c)
{
    return is_alphanumeric(c) || c == '-' || c == '.' || c == '_';
}

/* The part after the last colon that is a port; *name is what stands before. */
static bool split_port(struct view text, struct view *name, uint16_t *port)
{
    size_t colon = text.size;
    for (size_t i = text.size; i > 0 && text.data[i - 1] != ']'; i--)
        if (text.data[i - 1] == ':')
            colon = i - 1;
    *name = view_slice(text, 0, colon);
    *port = 0;
    if (colon == text.size)
        return true;
    uint64_t number;
    if (!view_to_u64(view_slice(text, colon + 1, text.size), &number) || number == 0 || number > 65535)
        return false;
    *port = (uint16_t)number;
    return true;
}

static bool is_host_name(struct view name)
{
    if (name.size > 2 && name.data[0] == '[' && name.data[name.size - 1] == ']') {
        for (size_t i = 1; i + 1 < name.size; i++)
            if (memchr("0123456789abcdefABCDEF:.", name.data[i], 24) == NULL)
                return false;
        return true;
    }
    if (name.size == 0 || name.size > 253 || name.data[0] == '.' || name.data[name.size - 1] == '.')
        return false;
    for (size_t i = 0; i < name.size; i++)
        if (!is_host_byte(name.data[i]) || (i > 0 && name.data[i] == '.' && name.data[i - 1] == '.'))
            return false;
    return true;
}

static void read_host(struct load *load, const struct node *node, void *out)
{
    struct host_pattern *host = out;
    struct view name;
    if (!read_value(load, node, &host->text))
        return;
    host->is_suffix = view_starts_with(host->text, VIEW("*."));
    struct view rest = view_slice(host->text, host->is_suffix ? 2 : 0, host->text.size);
    if (!split_port(rest, &name, &host->port) || !is_host_name(name)) {
        load_refuse(load, CODE_HOST, node, "write api.example, *.example, api.example:8443 or [2001:db8::1]",
                    "`%.*s` is not a host pattern", VIEW_ARG(node->text));
        return;
    }
    char *lower = arena_take_unset(load->passing, name.size);
    for (size_t i = 0; lower != NULL && i < name.size; i++)
        lower[i] = name.data[i] >= 'A' && name.data[i] <= 'Z' ? (char)(name.data[i] | 0x20) : name.data[i];
    load->is_exhausted = load->is_exhausted || lower == NULL;
    host->name = load_keep(load, (struct view){.data = lower, .size = lower != NULL ? name.size : 0});
}

void load_hosts(struct load *load, const struct node *node, void *out)
{
    struct host_list *hosts = out;
    hosts->items = load_array(load, node, sizeof(struct host_pattern), read_host, &hosts->count);
    if (hosts->count == 0 && !load->is_exhausted)
        load_refuse(load, CODE_EMPTY, node, "leave the key out to take any host", "the list is empty");
}
