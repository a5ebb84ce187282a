/* SPDX-License-Identifier: Apache-2.0 */
#include "match.h"

#include "query.h"

bool match_string(const struct string_list *list, struct view text)
{
    for (size_t i = 0; i < list->count; i++)
        if (view_equals(list->items[i], text))
            return true;
    return false;
}

bool match_host(const struct host_pattern *pattern, struct view host, uint16_t port)
{
    if (pattern->port != 0 && pattern->port != port)
        return false;
    if (!pattern->is_suffix)
        return view_equals(pattern->name, host);
    return host.size > pattern->name.size + 1 && view_ends_with(host, pattern->name) &&
           host.data[host.size - pattern->name.size - 1] == '.';
}

bool match_hosts(const struct host_pattern *patterns, size_t count, struct view host, uint16_t port)
{
    for (size_t i = 0; i < count; i++)
        if (match_host(&patterns[i], host, port))
            return true;
    return count == 0;
}

/* `*` is zero or more bytes. Linear in text times stars: the last star alone is
 * ever retried. */
static bool glob_segment(struct view glob, struct view text)
{
    size_t g = 0, t = 0, star = glob.size, retry = 0;
    while (t < text.size) {
        if (g < glob.size && glob.data[g] == '*') {
            star = g++;
            retry = t;
        } else if (g < glob.size && glob.data[g] == text.data[t]) {
            g++;
            t++;
        } else if (star < glob.size) {
            g = star + 1;
            t = ++retry;
        } else {
            return false;
        }
    }
    while (g < glob.size && glob.data[g] == '*')
        g++;
    return g == glob.size;
}

static const struct view scheme = {.data = "spiffe://", .size = 9};

bool match_spiffe(const struct spiffe_glob *glob, struct view spiffe_id)
{
    if (!view_starts_with(spiffe_id, scheme))
        return false;
    size_t end = view_index_of(spiffe_id, '/', scheme.size);
    if (view_is_present(glob->trust_domain) &&
        !view_equals(glob->trust_domain, view_slice(spiffe_id, scheme.size, end)))
        return false;
    for (size_t i = 0; i < glob->segments.count; i++) {
        if (end >= spiffe_id.size)
            return false;
        size_t next = view_index_of(spiffe_id, '/', end + 1);
        if (!glob_segment(glob->segments.items[i], view_slice(spiffe_id, end + 1, next)))
            return false;
        end = next;
    }
    return glob->has_rest || end >= spiffe_id.size;
}

bool match_service_account(struct view spiffe_id, struct service_account *out)
{
    static const struct view words[] = {{"ns", 2}, {NULL, 0}, {"sa", 2}, {NULL, 0}};
    struct view parts[4];
    size_t at = view_starts_with(spiffe_id, scheme) ? view_index_of(spiffe_id, '/', scheme.size) : spiffe_id.size;
    for (size_t i = 0; i < 4; i++) {
        if (at >= spiffe_id.size)
            return false;
        size_t next = view_index_of(spiffe_id, '/', at + 1);
        parts[i] = view_slice(spiffe_id, at + 1, next);
        if (words[i].data && !view_equals(words[i], parts[i]))
            return false;
        at = next;
    }
    if (at < spiffe_id.size)
        return false;
    *out = (struct service_account){.namespace = parts[1], .account = parts[3]};
    return true;
}

bool match_workload(const struct workload_selector *selector, const struct workload_facts *workload)
{
    if (workload->proof == PROOF_NONE || !view_is_present(workload->spiffe_id))
        return false;
    bool fits = selector->spiffe_count == 0;
    for (size_t i = 0; i < selector->spiffe_count && !fits; i++)
        fits = match_spiffe(&selector->spiffe[i], workload->spiffe_id);
    if (!fits || (selector->trust_domains.count > 0 && !match_string(&selector->trust_domains, workload->trust_domain)))
        return false;
    if (selector->namespaces.count == 0 && selector->service_account_count == 0)
        return true;
    struct service_account own;
    if (!match_service_account(workload->spiffe_id, &own))
        return false;
    if (selector->namespaces.count > 0 && !match_string(&selector->namespaces, own.namespace))
        return false;
    for (size_t i = 0; i < selector->service_account_count; i++)
        if (view_equals(selector->service_accounts[i].namespace, own.namespace) &&
            view_equals(selector->service_accounts[i].account, own.account))
            return true;
    return selector->service_account_count == 0;
}

enum tri match_user(const struct user_selector *selector, const struct model *model, const struct user_facts *user,
                    const struct issuer *issuer)
{
    if (user->state == USER_ABSENT)
        return TRI_FALSE;
    if (user->state != USER_KNOWN)
        return TRI_UNKNOWN;
    if (selector->issuer != issuer)
        return TRI_FALSE;
    if (selector->subjects.count > 0 && !match_string(&selector->subjects, user->subject))
        return TRI_FALSE;
    enum tri all = TRI_TRUE;
    for (size_t i = 0; i < selector->claim_count && all != TRI_FALSE; i++)
        all = tri_and(all, match_claim(&selector->claims[i], model, user));
    return all;
}

bool match_id(const struct id_pattern *pattern, struct view id)
{
    return pattern->is_prefix ? view_starts_with(id, pattern->text) : view_equals(id, pattern->text);
}

bool match_is_plain_id(struct view id)
{
    for (size_t i = 0; i < id.size; i++) {
        unsigned char c = (unsigned char)id.data[i];
        if (c < 0x20 || c == 0x7f || c == '\\')
            return false;
    }
    for (size_t from = 0; from <= id.size;) {
        size_t to = view_index_of(id, '/', from);
        struct view piece = view_slice(id, from, to);
        if (view_equals(piece, VIEW(".")) || view_equals(piece, VIEW("..")))
            return false;
        from = to + 1;
    }
    return true;
}

static struct address_fact address_unmapped(const struct address_fact *address)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    struct address_fact plain = *address;
    if (address->family == 6 && memcmp(address->bytes, mapped, sizeof mapped) == 0) {
        plain = (struct address_fact){.family = 4};
        memcpy(plain.bytes, address->bytes + sizeof mapped, 4);
    }
    return plain;
}

static bool cidr_holds(const struct cidr *cidr, const struct address_fact *address)
{
    size_t whole = cidr->bits / 8u, rest = cidr->bits % 8u;
    if (cidr->family != address->family || memcmp(cidr->bytes, address->bytes, whole) != 0)
        return false;
    return rest == 0 || ((cidr->bytes[whole] ^ address->bytes[whole]) >> (8 - rest)) == 0;
}

enum tri match_address(const struct cidr *cidrs, size_t count, const struct address_fact *address)
{
    if (address->family != 4 && address->family != 6)
        return TRI_UNKNOWN;
    struct address_fact plain = address_unmapped(address);
    for (size_t i = 0; i < count; i++)
        if (cidr_holds(&cidrs[i], &plain))
            return TRI_TRUE;
    return TRI_FALSE;
}

enum { DAY_MINUTES = 24 * 60, WEEK_MINUTES = 7 * DAY_MINUTES };

uint32_t match_week_minute(const struct time_zone *zone, int64_t now)
{
    int64_t local = now;
    if (__builtin_add_overflow(now, time_zone_offset(zone, now), &local))
        local = now;
    int64_t minute = local / 60 - (local % 60 < 0);
    /* 1970-01-01 was a Thursday, three days into the week. */
    return (uint32_t)(((minute % WEEK_MINUTES + 3 * DAY_MINUTES) % WEEK_MINUTES + WEEK_MINUTES) % WEEK_MINUTES);
}

bool match_time(const struct time_window *window, int64_t now)
{
    if ((window->has_from && now < window->from) || (window->has_until && now >= window->until))
        return false;
    if (window->days == 0 && !window->has_between)
        return true;
    uint32_t local = match_week_minute(window->zone, now), minute = local % DAY_MINUTES;
    if (window->days != 0 && !(window->days >> local / DAY_MINUTES & 1))
        return false;
    if (!window->has_between)
        return true;
    if (window->start < window->end)
        return minute >= window->start && minute < window->end;
    return minute >= window->start || minute < window->end;
}

/* A decimal integer in the canonical form; false when the text is anything else. */
static bool int_parse(struct view text, int64_t *out)
{
    bool is_negative = text.size > 0 && text.data[0] == '-';
    uint64_t magnitude = 0;
    if (!view_to_u64(view_slice(text, is_negative, text.size), &magnitude) || magnitude > INT64_MAX)
        return false;
    *out = is_negative ? -(int64_t)magnitude : (int64_t)magnitude;
    return true;
}

static bool contains(struct view text, struct view part)
{
    for (size_t i = 0; i + part.size <= text.size; i++)
        if (view_equals(view_slice(text, i, i + part.size), part))
            return true;
    return false;
}

static bool text_fits(enum value_test_kind kind, struct view text, struct view value)
{
    switch (kind) {
    case TEST_ANY_OF:
    case TEST_CONTAINS_ALL: return view_equals(text, value);
    case TEST_PREFIX: return view_starts_with(text, value);
    case TEST_SUFFIX: return view_ends_with(text, value);
    case TEST_CONTAINS: return contains(text, value);
    case TEST_PRESENT:
    case TEST_INT_RANGE: break;
    }
    return false;
}

static enum tri range_holds(const struct value_test *test, struct view text)
{
    int64_t number = 0;
    if (!int_parse(text, &number))
        return TRI_UNKNOWN;
    return tri_of(number >= test->range->low && number <= test->range->high);
}

enum tri match_text(const struct value_test *test, struct view text)
{
    if (test->kind == TEST_PRESENT)
        return tri_of(test->present);
    if (test->kind == TEST_INT_RANGE)
        return range_holds(test, text);
    size_t hits = 0;
    for (size_t i = 0; i < test->values.count; i++)
        hits += text_fits(test->kind, text, test->values.items[i]);
    return tri_of(test->kind == TEST_CONTAINS_ALL ? hits == test->values.count : hits > 0);
}

enum tri match_pair(const struct value_test *test, const struct pair *pair)
{
    if (test->kind == TEST_PRESENT)
        return tri_of((pair != NULL) == test->present);
    if (!pair)
        return TRI_FALSE;
    return pair->is_repeated ? TRI_UNKNOWN : match_text(test, pair->value);
}

enum tri match_query(const struct value_test *test, struct view name, const struct facts *facts)
{
    struct query_param param;
    query_find(facts->path, facts->is_raw_path, name, &param);
    if (test->kind == TEST_PRESENT)
        return tri_of((param.count > 0) == test->present);
    if (param.is_unknown)
        return TRI_UNKNOWN;
    return param.count == 0 ? TRI_FALSE : match_text(test, param.value);
}

static bool is_scalar(const struct value *value)
{
    return value->kind == VALUE_STRING || value->kind == VALUE_NUMBER || value->kind == VALUE_BOOL;
}

/* Returns false when `each` wants no more. `broken` is set when a step meets a
 * value that cannot have members. */
static bool walk_steps(const struct value *value, const struct string_list *steps, size_t step,
                       bool (*each)(void *context, const struct value *value), void *context, bool *broken)
{
    if (!value || value->kind == VALUE_ABSENT || value->kind == VALUE_NULL)
        return true;
    if (step == steps->count)
        return each(context, value);
    if (value->kind == VALUE_LIST) {
        for (size_t i = 0; i < value->count; i++)
            if (!walk_steps(&value->items[i], steps, step, each, context, broken))
                return false;
        return true;
    }
    if (value->kind != VALUE_MAP) {
        *broken = true;
        return true;
    }
    return walk_steps(value_get(value, steps->items[step]), steps, step + 1, each, context, broken);
}

bool match_walk(const struct claim_path *path, const struct value *root, bool tries_whole,
                bool (*each)(void *context, const struct value *value), void *context)
{
    bool broken = false;
    const struct value *whole = tries_whole && path->steps.count > 1 ? value_get(root, path->text) : NULL;
    if (whole) {
        if (whole->kind != VALUE_NULL && whole->kind != VALUE_ABSENT)
            each(context, whole);
    } else {
        walk_steps(root, &path->steps, 0, each, context, &broken);
    }
    return !broken;
}

bool match_is_scope(const struct claim_path *path)
{
    return view_equals(path->text, VIEW("scope")) || view_equals(path->text, VIEW("scp"));
}

static bool has_word(struct view text, struct view word)
{
    for (size_t from = 0; from <= text.size;) {
        size_t to = view_index_of(text, ' ', from);
        if (to > from && view_equals(view_slice(text, from, to), word))
            return true;
        from = to + 1;
    }
    return false;
}

static enum tri scalar_fits(const struct value_test *test, const struct value *value, struct view wanted, bool is_words)
{
    if (!is_scalar(value))
        return TRI_UNKNOWN;
    if (is_words && value->kind == VALUE_STRING && (test->kind == TEST_ANY_OF || test->kind == TEST_CONTAINS_ALL))
        return tri_of(has_word(value->text, wanted));
    return tri_of(text_fits(test->kind, value->text, wanted));
}

/* Some element of a list (or the scalar itself) fits `wanted`. */
static enum tri element_fits(const struct value_test *test, const struct value *value, struct view wanted,
                             bool is_words)
{
    if (value->kind != VALUE_LIST)
        return scalar_fits(test, value, wanted, is_words);
    enum tri any = TRI_FALSE;
    for (size_t i = 0; i < value->count && any != TRI_TRUE; i++)
        any = tri_or(any, scalar_fits(test, &value->items[i], wanted, false));
    return any;
}

static enum tri number_fits(const struct value_test *test, const struct value *value)
{
    if (value->kind == VALUE_NUMBER)
        return range_holds(test, value->text);
    if (value->kind != VALUE_LIST)
        return TRI_UNKNOWN;
    enum tri any = TRI_FALSE;
    for (size_t i = 0; i < value->count; i++)
        any = tri_or(any, value->items[i].kind == VALUE_NUMBER ? range_holds(test, value->items[i].text) : TRI_UNKNOWN);
    return any;
}

struct value_search {
    const struct value_test *test;
    bool is_words;
    uint32_t max_groups;
    bool found;
    enum tri any;
};

static bool value_tested(void *context, const struct value *value)
{
    struct value_search *search = context;
    const struct value_test *test = search->test;
    search->found = true;
    enum tri result = test->kind == TEST_CONTAINS_ALL ? TRI_TRUE : TRI_FALSE;
    if (value->kind == VALUE_LIST && value->count > search->max_groups)
        result = TRI_UNKNOWN;
    else if (test->kind == TEST_INT_RANGE)
        result = number_fits(test, value);
    else
        for (size_t i = 0; i < test->values.count; i++) {
            enum tri one = element_fits(test, value, test->values.items[i], search->is_words);
            result = test->kind == TEST_CONTAINS_ALL ? tri_and(result, one) : tri_or(result, one);
        }
    search->any = tri_or(search->any, result);
    return search->any != TRI_TRUE;
}

static bool value_seen(void *context, const struct value *value)
{
    (void)value;
    *(bool *)context = true;
    return false;
}

enum tri match_value(const struct claim_path *path, const struct value_test *test, const struct value *root,
                     bool tries_whole, uint32_t max_groups)
{
    if (test->kind == TEST_PRESENT) {
        bool is_present = false;
        (void)match_walk(path, root, tries_whole, value_seen, &is_present);
        return tri_of(is_present == test->present);
    }
    struct value_search search = {
        .test = test, .is_words = tries_whole && match_is_scope(path), .max_groups = max_groups};
    bool is_whole = match_walk(path, root, tries_whole, value_tested, &search);
    return is_whole ? search.any : tri_or(search.any, TRI_UNKNOWN);
}

enum tri match_claim(const struct claim_test *test, const struct model *model, const struct user_facts *user)
{
    if (user->state == USER_ABSENT)
        return TRI_FALSE;
    if (user->state != USER_KNOWN)
        return TRI_UNKNOWN;
    return match_value(&test->path, &test->test, user->claims, true, model->max_groups);
}

struct scalar_search {
    size_t count;
    struct view text;
};

static bool scalar_taken(void *context, const struct value *value)
{
    struct scalar_search *search = context;
    const struct value *one = value->kind == VALUE_LIST && value->count == 1 ? &value->items[0] : value;
    search->count += is_scalar(one) ? 1 : 2;
    search->text = one->text;
    return search->count < 2;
}

struct view match_scalar(const struct claim_path *path, const struct value *root)
{
    struct scalar_search search = {0};
    bool is_whole = match_walk(path, root, true, scalar_taken, &search);
    return is_whole && search.count == 1 ? search.text : (struct view){0};
}

static enum tri match_names(const struct condition *condition, struct view sni)
{
    for (size_t i = 0; i < condition->parts->name_count && view_is_present(sni); i++) {
        const struct host_pattern *pattern = &condition->parts->names[i];
        struct view tail = sni;
        if (pattern->is_suffix) {
            if (sni.size < pattern->name.size + 2 || sni.data[sni.size - pattern->name.size - 1] != '.')
                continue;
            tail = view_slice(sni, sni.size - pattern->name.size, sni.size);
        }
        if (view_equals_ignoring_case(pattern->name, tail))
            return TRI_TRUE;
    }
    return TRI_FALSE;
}

static const struct pair *pair_find(const struct pair *pairs, size_t count, struct view name)
{
    for (size_t i = 0; i < count; i++)
        if (view_equals(pairs[i].name, name))
            return &pairs[i];
    return NULL;
}

static enum tri match_leaf(const struct condition *condition, const struct model *model, const struct facts *facts,
                           bool claims_are_open)
{
    switch (condition->kind) {
    case CONDITION_TIME: return tri_of(match_time(condition->parts->time, facts->now));
    case CONDITION_SOURCE_IP:
        return match_address(condition->parts->cidrs, condition->parts->cidr_count, &facts->source_ip);
    case CONDITION_REMOTE_IP:
        return match_address(condition->parts->cidrs, condition->parts->cidr_count, &facts->remote_ip);
    case CONDITION_HEADER: return match_pair(&condition->test, facts_header(facts, condition->name));
    case CONDITION_QUERY: return match_query(&condition->test, condition->name, facts);
    case CONDITION_CLAIM: {
        struct claim_test claim = {.path = *condition->parts->path, .test = condition->test};
        return claims_are_open ? TRI_UNKNOWN : match_claim(&claim, model, &facts->user);
    }
    case CONDITION_CONTEXT:
        return match_pair(&condition->test, pair_find(facts->context, facts->context_count, condition->name));
    case CONDITION_METADATA:
        return match_value(condition->parts->path, &condition->test, value_get(facts->metadata, condition->name), false,
                           model->max_groups);
    case CONDITION_PORT:
        return facts->port == 0
                   ? TRI_UNKNOWN
                   : tri_of(facts->port >= condition->parts->port_low && facts->port <= condition->parts->port_high);
    case CONDITION_SNI: return match_names(condition, facts->sni);
    case CONDITION_ALL:
    case CONDITION_ANY:
    case CONDITION_NOT: break;
    }
    return TRI_UNKNOWN;
}

enum tri match_condition(const struct condition *condition, const struct model *model, const struct facts *facts,
                         bool claims_are_open)
{
    if (!condition)
        return TRI_TRUE;
    if (condition->kind == CONDITION_NOT)
        return tri_not(match_condition(&condition->children[0], model, facts, claims_are_open));
    if (condition->kind != CONDITION_ALL && condition->kind != CONDITION_ANY)
        return match_leaf(condition, model, facts, claims_are_open);
    bool is_all = condition->kind == CONDITION_ALL;
    enum tri result = is_all ? TRI_TRUE : TRI_FALSE;
    for (size_t i = 0; i < condition->child_count; i++) {
        enum tri one = match_condition(&condition->children[i], model, facts, claims_are_open);
        result = is_all ? tri_and(result, one) : tri_or(result, one);
    }
    return result;
}
