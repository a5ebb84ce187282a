/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include <arpa/inet.h>

enum { DEPTH_MAX = 4, CHILDREN_MAX = 64 };

/* While it is read: what only some kinds have is kept at the end. */
struct draft {
    struct condition condition;
    struct condition_parts parts;
};

static const struct condition_parts NO_PARTS;

/* ---- time ---------------------------------------------------------------------- */

static const struct view DAYS[] = {WORD("mon"), WORD("tue"), WORD("wed"), WORD("thu"),
                                   WORD("fri"), WORD("sat"), WORD("sun")};

static size_t day_of(struct view text)
{
    size_t day = 0;
    while (day < COUNT_OF(DAYS) && !view_equals(DAYS[day], text))
        day++;
    return day;
}

/* `fri` or `fri-sun`, which may run over the end of the week. */
static void read_day(struct load *load, const struct node *node, uint8_t *days)
{
    if (!load_is(load, node, NODE_SCALAR, "a day"))
        return;
    size_t dash = view_index_of(node->text, '-', 0);
    size_t from = day_of(view_slice(node->text, 0, dash));
    size_t to = dash < node->text.size ? day_of(view_slice(node->text, dash + 1, node->text.size)) : from;
    if (from == COUNT_OF(DAYS) || to == COUNT_OF(DAYS)) {
        load_refuse(load, CODE_TIME, node, "write mon, tue, wed, thu, fri, sat, sun or a range such as fri-sun",
                    "`%.*s` is not a day", VIEW_ARG(node->text));
        return;
    }
    for (size_t day = from;; day = (day + 1) % COUNT_OF(DAYS)) {
        *days = (uint8_t)(*days | 1u << day);
        if (day == to)
            return;
    }
}

static void read_days(struct load *load, const struct node *node, void *out)
{
    struct time_window *time = out;
    const struct node *const *items;
    size_t count = load_elements(&node, &items);
    for (size_t i = 0; i < count; i++)
        read_day(load, items[i], &time->days);
    if (count == 0)
        load_refuse(load, CODE_EMPTY, node, "leave the key out for every day", "the list is empty");
}

static void read_between(struct load *load, const struct node *node, void *out)
{
    struct time_window *time = out;
    time->has_between = true;
    if (!load_is(load, node, NODE_LIST, "between"))
        return;
    bool is_pair = node->count == 2 && node->items[0]->kind == NODE_SCALAR && node->items[1]->kind == NODE_SCALAR;
    if (!is_pair || !load_clock(node->items[0]->text, &time->start) || !load_clock(node->items[1]->text, &time->end) ||
        time->start == 24 * 60)
        load_refuse(load, CODE_TIME, node, "write [\"08:00\", \"18:00\"]", "between takes two times of the day");
    else if (time->start == time->end)
        load_refuse(load, CODE_TIME, node, "the end is exclusive; leave `between` out for the whole day",
                    "the times are the same");
    else if (time->start != 0)
        time->end %= 24 * 60; /* 24:00 is the next day's 00:00, to which the window wraps */
}

static void read_from(struct load *load, const struct node *node, void *out)
{
    struct time_window *time = out;
    time->has_from = true;
    if (load_is(load, node, NODE_SCALAR, "from") && !load_instant(node->text, &time->from))
        load_refuse(load, CODE_TIME, node, "write 2026-01-31T08:00:00Z", "`%.*s` is not an instant",
                    VIEW_ARG(node->text));
}

static void read_until(struct load *load, const struct node *node, void *out)
{
    struct time_window *time = out;
    time->has_until = true;
    if (load_is(load, node, NODE_SCALAR, "until") && !load_instant(node->text, &time->until))
        load_refuse(load, CODE_TIME, node, "write 2026-01-31T08:00:00Z", "`%.*s` is not an instant",
                    VIEW_ARG(node->text));
}

/* What time_zone_is_name takes. */
static const struct shape ZONE = {.title = "time zone", .pattern = "^[A-Z][A-Za-z0-9_+-]*(/[A-Z][A-Za-z0-9_+-]*)*$"};
static const struct shape DAY = {.title = "mon or mon-fri",
                                 .pattern = "^(mon|tue|wed|thu|fri|sat|sun)(-(mon|tue|wed|thu|fri|sat|sun))?$"};

static const struct field TIME_FIELDS[] = {
    FIELD("tz", load_zone, struct time_window, zone, &ZONE,
          "The time zone of days and between, such as Europe/Paris; UTC when left out."),
    FIELD_WHOLE("days", read_days, MANY(&DAY), "Days of the week; left out: every day."),
    FIELD_WHOLE("between", read_between, LIST_OF(CLOCK, 2, 2), "[start, end), which may wrap midnight."),
    FIELD_WHOLE("from", read_from, INSTANT, "Not before this instant."),
    FIELD_WHOLE("until", read_until, INSTANT, "Before this instant."),
};
static const struct block TIME = BLOCK_SOME("time", "time", TIME_FIELDS);

static void read_time(struct load *load, const struct node *node, void *out)
{
    struct draft *draft = out;
    struct time_window *time = load_take(load, 1, sizeof(*time));
    draft->condition.kind = CONDITION_TIME;
    draft->parts.time = time;
    if (time == NULL || !load_map(load, node, &TIME, time))
        return;
    if (node->count == (node_get(node, VIEW("tz")) != NULL ? 1u : 0u))
        load_refuse(load, CODE_EMPTY, node, "say days, between, from or until", "a time that is always");
    if (time->has_from && time->has_until && time->from >= time->until)
        load_refuse(load, CODE_TIME, node, NULL, "`until` is not after `from`");
}

/* ---- addresses and ports ---------------------------------------------------------- */

bool load_cidr(struct view text, struct cidr *out)
{
    char address[INET6_ADDRSTRLEN];
    uint64_t bits;
    size_t slash = view_index_of(text, '/', 0);
    if (slash >= sizeof(address))
        return false;
    memcpy(address, text.data, slash);
    address[slash] = '\0';
    out->family = memchr(address, ':', slash) != NULL ? 6 : 4;
    size_t width = out->family == 6 ? 128 : 32;
    if (inet_pton(out->family == 6 ? AF_INET6 : AF_INET, address, out->bytes) != 1)
        return false;
    bits = width;
    if (slash < text.size && (!view_to_u64(view_slice(text, slash + 1, text.size), &bits) || bits > width))
        return false;
    out->bits = (uint8_t)bits;
    return true;
}

/* Host bits that are set are a slip: 10.0.0.1/8 is one host or a whole network. */
static bool has_host_bits(const struct cidr *cidr)
{
    for (size_t bit = cidr->bits; bit < (cidr->family == 6 ? 128u : 32u); bit++)
        if (cidr->bytes[bit / 8] & 0x80u >> bit % 8)
            return true;
    return false;
}

static void read_cidr(struct load *load, const struct node *node, void *out)
{
    struct cidr *cidr = out;
    if (!load_is(load, node, NODE_SCALAR, "an address range"))
        return;
    if (!load_cidr(node->text, cidr))
        load_refuse(load, CODE_ADDRESS, node, "write 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32",
                    "`%.*s` is not an address range", VIEW_ARG(node->text));
    else if (has_host_bits(cidr))
        load_refuse(load, CODE_ADDRESS, node, "write the network's first address, or leave the length out for one host",
                    "`%.*s` has bits set behind its prefix", VIEW_ARG(node->text));
}

static void read_in(struct load *load, const struct node *node, void *out)
{
    struct draft *draft = out;
    size_t count;
    draft->parts.cidrs = load_array(load, node, sizeof(*draft->parts.cidrs), read_cidr, &count);
    draft->parts.cidr_count = (uint32_t)count;
    if (draft->parts.cidr_count == 0 && !load->is_exhausted)
        load_refuse(load, CODE_EMPTY, node, NULL, "the list is empty");
}

static const struct field ADDRESS_FIELDS[] = {
    FIELD_WHOLE_MUST("in", read_in, MANY(ADDRESS), "Addresses and ranges: 192.0.2.7, 10.0.0.0/8, 2001:db8::/32."),
};
static const struct block SOURCE_IP = BLOCK("sourceIP", "sourceIP", ADDRESS_FIELDS);
static const struct block REMOTE_IP = BLOCK("remoteIP", "remoteIP", ADDRESS_FIELDS);

static void read_source_ip(struct load *load, const struct node *node, void *out)
{
    ((struct draft *)out)->condition.kind = CONDITION_SOURCE_IP;
    (void)load_map(load, node, &SOURCE_IP, out);
}

static void read_remote_ip(struct load *load, const struct node *node, void *out)
{
    ((struct draft *)out)->condition.kind = CONDITION_REMOTE_IP;
    (void)load_map(load, node, &REMOTE_IP, out);
}

/* One port, or [low, high] inclusive. */
static void read_port(struct load *load, const struct node *node, void *out)
{
    struct draft *draft = out;
    const struct node *const *items;
    size_t count = load_elements(&node, &items);
    uint64_t low, high;
    draft->condition.kind = CONDITION_PORT;
    if (count != 1 && count != 2) {
        load_refuse(load, CODE_VALUE, node, "write 8443 or [8000, 8999]", "port takes one port or the ends of a range");
        return;
    }
    if (!load_number(load, items[0], 1, 65535, &low) || !load_number(load, items[count - 1], 1, 65535, &high))
        return;
    if (low > high)
        load_refuse(load, CODE_VALUE, node, "write [low, high]", "the range is empty");
    draft->parts.port_low = (uint16_t)low;
    draft->parts.port_high = (uint16_t)high;
}

static void read_sni(struct load *load, const struct node *node, void *out)
{
    struct draft *draft = out;
    struct host_list names = {0};
    draft->condition.kind = CONDITION_SNI;
    load_hosts(load, node, &names);
    draft->parts.names = names.items;
    draft->parts.name_count = (uint32_t)names.count;
    for (size_t i = 0; i < names.count; i++)
        if (names.items[i].port != 0)
            load_refuse(load, CODE_HOST, node, NULL, "a server name has no port");
}

/* ---- named values ----------------------------------------------------------------- */

static const struct shape INTEGER = {
    .kind = SHAPE_NUMBER, .title = "whole number", .least = -INT64_MAX, .most = INT64_MAX};
#define ONE_VALUE "It is this value, or one of these."
#define SOME_VALUE "It is one of these."
#define IS_PRESENT "Whether it is there."

static const struct field HEADER_FIELDS[] = {
    FIELD_SEEN_MUST("name", HEADER, "The header; its case means nothing."),
    FIELD_TEST("equals", TEST_ANY_OF, MANY(VALUE), ONE_VALUE),
    FIELD_TEST("anyOf", TEST_ANY_OF, MANY(VALUE), SOME_VALUE),
    FIELD_TEST("prefix", TEST_PREFIX, MANY(TEXT), "It begins with one of these."),
    FIELD_TEST("suffix", TEST_SUFFIX, MANY(TEXT), "It ends with one of these."),
    FIELD_TEST("contains", TEST_CONTAINS, MANY(TEXT), "It contains one of these."),
    FIELD_TEST("present", TEST_PRESENT, BOOL, IS_PRESENT),
    FIELD_TEST("intRange", TEST_INT_RANGE, LIST_OF(&INTEGER, 2, 2), "A whole number from low to high, both included."),
};
static const struct block HEADER_TEST = BLOCK("headerCondition", "header", HEADER_FIELDS);

static const struct field QUERY_FIELDS[] = {
    FIELD_SEEN_MUST("name", TEXT, "The parameter, decoded; given twice, it cannot be judged."),
    FIELD_TEST("equals", TEST_ANY_OF, MANY(VALUE), ONE_VALUE),
    FIELD_TEST("anyOf", TEST_ANY_OF, MANY(VALUE), SOME_VALUE),
    FIELD_TEST("prefix", TEST_PREFIX, MANY(TEXT), "It begins with one of these."),
    FIELD_TEST("suffix", TEST_SUFFIX, MANY(TEXT), "It ends with one of these."),
    FIELD_TEST("contains", TEST_CONTAINS, MANY(TEXT), "It contains one of these."),
    FIELD_TEST("present", TEST_PRESENT, BOOL, IS_PRESENT),
    FIELD_TEST("intRange", TEST_INT_RANGE, LIST_OF(&INTEGER, 2, 2), "A whole number from low to high, both included."),
};
static const struct block QUERY_TEST = BLOCK("queryCondition", "query", QUERY_FIELDS);

static const struct field CLAIM_FIELDS[] = {
    FIELD_SEEN_MUST("name", TEXT, "The claim, its steps set apart by dots."),
    FIELD_TEST("equals", TEST_ANY_OF, MANY(VALUE), ONE_VALUE),
    FIELD_TEST("anyOf", TEST_ANY_OF, MANY(VALUE), SOME_VALUE),
    FIELD_TEST("containsAll", TEST_CONTAINS_ALL, MANY(VALUE), "It holds all of these."),
    FIELD_TEST("prefix", TEST_PREFIX, MANY(TEXT), "It begins with one of these."),
    FIELD_TEST("present", TEST_PRESENT, BOOL, IS_PRESENT),
    FIELD_TEST("intRange", TEST_INT_RANGE, LIST_OF(&INTEGER, 2, 2), "A whole number from low to high, both included."),
};
static const struct block CLAIM_TEST = BLOCK("claimCondition", "claim", CLAIM_FIELDS);

static const struct field CONTEXT_FIELDS[] = {
    FIELD_SEEN_MUST("name", TEXT, "The context extension of the route."),
    FIELD_TEST("equals", TEST_ANY_OF, MANY(VALUE), ONE_VALUE),
    FIELD_TEST("anyOf", TEST_ANY_OF, MANY(VALUE), SOME_VALUE),
    FIELD_TEST("present", TEST_PRESENT, BOOL, IS_PRESENT),
};
static const struct block CONTEXT_TEST = BLOCK("contextCondition", "context", CONTEXT_FIELDS);

static const struct field METADATA_FIELDS[] = {
    FIELD_SEEN_MUST("filter", TEXT, "The Envoy filter that wrote it."),
    FIELD_SEEN_MUST("path", MANY(TEXT), "The keys that lead to it."),
    FIELD_TEST("equals", TEST_ANY_OF, MANY(VALUE), ONE_VALUE),
    FIELD_TEST("anyOf", TEST_ANY_OF, MANY(VALUE), SOME_VALUE),
    FIELD_TEST("present", TEST_PRESENT, BOOL, IS_PRESENT),
};
static const struct block METADATA_TEST = BLOCK("metadataCondition", "metadata", METADATA_FIELDS);

static void read_header(struct load *load, const struct node *node, void *out)
{
    struct draft *draft = out;
    draft->condition.kind = CONDITION_HEADER;
    load_value_test(load, node, &HEADER_TEST, &draft->condition.test);
    const struct node *name = node_get(node, VIEW("name"));
    if (name != NULL)
        load_read_header(load, name, &draft->condition.name);
}

/* A test of a value that any text names. */
static void read_named(struct load *load, const struct node *node, const struct block *block, struct draft *draft)
{
    load_value_test(load, node, block, &draft->condition.test);
    const struct node *name = node_get(node, VIEW("name"));
    if (name != NULL)
        load_text(load, name, &draft->condition.name);
}

static void read_query(struct load *load, const struct node *node, void *out)
{
    struct draft *draft = out;
    draft->condition.kind = CONDITION_QUERY;
    read_named(load, node, &QUERY_TEST, draft);
}

static void read_claim(struct load *load, const struct node *node, void *out)
{
    struct draft *draft = out;
    draft->condition.kind = CONDITION_CLAIM;
    load_value_test(load, node, &CLAIM_TEST, &draft->condition.test);
    const struct node *name = node_get(node, VIEW("name"));
    struct claim_path *path = load_take(load, 1, sizeof(*path));
    if (name != NULL && path != NULL)
        load_claim_path(load, name, path);
    draft->parts.path = path;
}

static void read_context(struct load *load, const struct node *node, void *out)
{
    struct draft *draft = out;
    draft->condition.kind = CONDITION_CONTEXT;
    read_named(load, node, &CONTEXT_TEST, draft);
}

/* Steps are a list here, so that a filter's keys may hold dots. */
static void read_metadata(struct load *load, const struct node *node, void *out)
{
    struct draft *draft = out;
    draft->condition.kind = CONDITION_METADATA;
    load_value_test(load, node, &METADATA_TEST, &draft->condition.test);
    const struct node *filter = node_get(node, VIEW("filter")), *path = node_get(node, VIEW("path"));
    if (filter == NULL || path == NULL)
        return;
    load_text(load, filter, &draft->condition.name);
    struct claim_path *steps = load_take(load, 1, sizeof(*steps));
    if (steps == NULL)
        return;
    load_texts(load, path, &steps->steps);
    for (size_t i = 0; i < steps->steps.count; i++)
        steps->text = arena_print(load->arena, i > 0 ? "%.*s.%.*s" : "%.*s%.*s", VIEW_ARG(steps->text),
                                  VIEW_ARG(steps->steps.items[i]));
    draft->parts.path = steps;
}

/* ---- trees ------------------------------------------------------------------------- */

static void read_condition(struct load *load, const struct node *node, unsigned depth, struct condition *out);

static void read_children(struct load *load, const struct node *node, unsigned depth, struct condition *out)
{
    if (!load_is(load, node, NODE_LIST, out->kind == CONDITION_ALL ? "all" : "any"))
        return;
    if (node->count == 0 || node->count > CHILDREN_MAX) {
        load_refuse(load, node->count == 0 ? CODE_EMPTY : CODE_LIMIT, node, NULL, "all and any take 1 to %d conditions",
                    CHILDREN_MAX);
        return;
    }
    struct condition *children = load_take(load, node->count, sizeof(*children));
    for (size_t i = 0; children != NULL && i < node->count; i++)
        read_condition(load, node->items[i], depth + 1, &children[i]);
    out->children = children;
    out->child_count = children != NULL ? (uint32_t)node->count : 0;
}

/* S8: a leaf only, which keeps the negation where a reader sees it. */
static void read_not(struct load *load, const struct node *node, unsigned depth, struct condition *out)
{
    struct condition *child = load_take(load, 1, sizeof(*child));
    if (child == NULL)
        return;
    read_condition(load, node, depth + 1, child);
    if (child->kind <= CONDITION_NOT && node->kind == NODE_MAP && node->count == 1)
        load_refuse(load, CODE_NOT_LEAF, node, "negate each leaf: not (a or b) is (not a) and (not b)",
                    "`not` stands only before a leaf");
    out->children = child;
    out->child_count = 1;
}

static const struct shape PORT = {.kind = SHAPE_NUMBER, .title = "port", .least = 1, .most = 65535};

/* A key without a reader is a tree; its tag says of which kind. */
static const struct field CONDITION_FIELDS[] = {
    {FIELD_ROW("all", NULL, 0, FIELD_CHOICE, LIST_OF(KEYS(load_condition_block), 1, CHILDREN_MAX),
               "Each of them holds."),
     .tag = CONDITION_ALL},
    {FIELD_ROW("any", NULL, 0, FIELD_CHOICE, LIST_OF(KEYS(load_condition_block), 1, CHILDREN_MAX),
               "One of them holds."),
     .tag = CONDITION_ANY},
    {FIELD_ROW("not", NULL, 0, FIELD_CHOICE, KEYS(load_condition_block), "The leaf does not hold."),
     .tag = CONDITION_NOT},
    FIELD_ONE_OF("time", read_time, KEYS(TIME), "When the request comes."),
    FIELD_ONE_OF("sourceIP", read_source_ip, KEYS(SOURCE_IP), "The address of the connection."),
    FIELD_ONE_OF("remoteIP", read_remote_ip, KEYS(REMOTE_IP), "The address that the proxy believes it comes from."),
    FIELD_ONE_OF("header", read_header, KEYS(HEADER_TEST), "A request header."),
    FIELD_ONE_OF("query", read_query, KEYS(QUERY_TEST), "A parameter of the query, percent-decoded."),
    FIELD_ONE_OF("claim", read_claim, KEYS(CLAIM_TEST), "A claim of the user's token."),
    FIELD_ONE_OF("context", read_context, KEYS(CONTEXT_TEST), "A context extension of the route."),
    FIELD_ONE_OF("metadata", read_metadata, KEYS(METADATA_TEST), "Dynamic metadata of an Envoy filter."),
    FIELD_ONE_OF("port", read_port, EITHER(&PORT, LIST_OF(&PORT, 1, 2)),
                 "The port that was connected to, or [low, high]."),
    FIELD_ONE_OF("sni", read_sni, MANY(HOST), "The server name of the TLS handshake."),
};
const struct block load_condition_block = BLOCK("condition", "a condition", CONDITION_FIELDS);

static void refuse_leaf(struct load *load, const struct node *key)
{
    struct view words[COUNT_OF(CONDITION_FIELDS)];
    for (size_t i = 0; i < COUNT_OF(CONDITION_FIELDS); i++)
        words[i] = CONDITION_FIELDS[i].name;
    struct view near = diag_nearest(key->text, words, COUNT_OF(CONDITION_FIELDS));
    struct view hint =
        VIEW("time, sourceIP, remoteIP, header, query, claim, context, metadata, port, sni; all, any, not");
    if (view_is_present(near))
        hint = arena_print(load->scratch, "did you mean `%.*s`?", VIEW_ARG(near));
    load_refuse(load, CODE_UNKNOWN_KEY, key, hint.data, "a condition has no key `%.*s`", VIEW_ARG(key->text));
}

static void read_map(struct load *load, const struct node *node, unsigned depth, struct draft *draft)
{
    if (node->count != 1) {
        load_refuse(load, CODE_CONDITION, node, "put several under `all` or `any`",
                    node->count == 0 ? "an empty condition" : "a condition is exactly one key");
        return;
    }
    if (depth > DEPTH_MAX) {
        load_refuse(load, CODE_DEPTH, node, NULL, "conditions nest at most %d deep", DEPTH_MAX);
        return;
    }
    const struct field *field = block_field(&load_condition_block, node->keys[0]->text);
    if (field == NULL) {
        refuse_leaf(load, node->keys[0]);
    } else if (field->read != NULL) {
        field->read(load, node->items[0], draft);
    } else {
        draft->condition.kind = (enum condition_kind)field->tag;
        if (draft->condition.kind == CONDITION_NOT)
            read_not(load, node->items[0], depth, &draft->condition);
        else
            read_children(load, node->items[0], depth, &draft->condition);
    }
}

static bool has_parts(enum condition_kind kind)
{
    return kind > CONDITION_NOT && kind != CONDITION_HEADER && kind != CONDITION_QUERY && kind != CONDITION_CONTEXT;
}

static void read_condition(struct load *load, const struct node *node, unsigned depth, struct condition *out)
{
    struct draft draft = {.condition = {.kind = CONDITION_ALL, .span = load_position(load, node), .parts = &NO_PARTS}};
    if (load_is(load, node, NODE_MAP, "a condition"))
        read_map(load, node, depth, &draft);
    *out = draft.condition;
    const struct condition_parts *kept =
        has_parts(out->kind) ? load_share(load, &draft.parts, 1, sizeof(draft.parts)) : NULL;
    if (kept != NULL)
        out->parts = kept;
}

void load_condition(struct load *load, const struct node *node, void *out)
{
    const struct condition **kept = out;
    struct condition *condition = load_take(load, 1, sizeof(*condition));
    if (condition == NULL)
        return;
    read_condition(load, node, 1, condition);
    *kept = condition;
}
