/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include "spiffe_id.h"

enum { SPIFFE_SEGMENTS_MAX = 32 };

/* ---- value tests -------------------------------------------------------------- */

/* [low, high], decimals with an optional sign. */
static bool read_integer(struct load *load, const struct node *node, int64_t *out)
{
    if (!load_is(load, node, NODE_SCALAR, "a bound"))
        return false;
    bool is_negative = view_starts_with(node->text, VIEW("-"));
    uint64_t magnitude;
    if (view_to_u64(view_slice(node->text, is_negative, node->text.size), &magnitude) && magnitude <= INT64_MAX) {
        *out = is_negative ? -(int64_t)magnitude : (int64_t)magnitude;
        return true;
    }
    load_refuse(load, CODE_VALUE, node, NULL, "`%.*s` is not a whole number", VIEW_ARG(node->text));
    return false;
}

static void read_range(struct load *load, const struct node *node, struct value_test *out)
{
    if (!load_is(load, node, NODE_LIST, "intRange"))
        return;
    if (node->count != 2) {
        load_refuse(load, CODE_VALUE, node, "write [low, high]", "intRange takes two bounds");
        return;
    }
    struct int_range range;
    if (!read_integer(load, node->items[0], &range.low) || !read_integer(load, node->items[1], &range.high))
        return;
    if (range.low > range.high)
        load_refuse(load, CODE_VALUE, node, "write [low, high]", "the range is empty");
    out->range = load_share(load, &range, 1, sizeof(range));
}

static void read_test(struct load *load, const struct node *node, enum value_test_kind kind, struct value_test *out)
{
    out->kind = kind;
    if (kind == TEST_PRESENT) {
        load_bool(load, node, &out->present);
        return;
    }
    if (kind == TEST_INT_RANGE) {
        read_range(load, node, out);
        return;
    }
    load_values(load, node, &out->values);
    const struct node *const *items;
    size_t count = load_elements(&node, &items);
    bool is_part = kind == TEST_PREFIX || kind == TEST_SUFFIX || kind == TEST_CONTAINS;
    for (size_t i = 0; is_part && i < count; i++)
        if (items[i]->kind == NODE_SCALAR && items[i]->text.size == 0)
            load_refuse(load, CODE_VALUE, items[i], "every value begins with it; use `present: true`",
                        "an empty text to look for");
}

void load_value_test(struct load *load, const struct node *map, const struct block *block, struct value_test *out)
{
    const struct node *seen = NULL;
    if (!load_map(load, map, block, NULL))
        return;
    for (size_t i = 0; i < map->count; i++) {
        const struct node *key = map->keys[i];
        const struct field *field = block_field(block, key->text);
        if (field == NULL || field->use != FIELD_CHOICE)
            continue;
        if (seen != NULL)
            load_refuse(load, CODE_CONFLICT, key, "write two conditions under `all`",
                        "`%.*s` beside `%.*s`: one test each", VIEW_ARG(key->text), VIEW_ARG(seen->text));
        seen = key;
        read_test(load, map->items[i], (enum value_test_kind)field->tag, out);
    }
    if (seen == NULL)
        load_refuse(load, CODE_MISSING_KEY, map, "equals, anyOf, prefix or present: one of them",
                    "%s says nothing about the value", block->what);
}

/* ---- workloads ---------------------------------------------------------------- */

/* SPIFFE-ID section 2.2 segments: [A-Za-z0-9._-], not `.` or `..`; and `*` of ours. */
static bool is_segment_glob(struct view text)
{
    if (text.size == 0 || view_equals(text, VIEW(".")) || view_equals(text, VIEW("..")))
        return false;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                        c == '-' || c == '_';
        if (!is_plain && c != '*')
            return false;
        if (c == '*' && i > 0 && text.data[i - 1] == '*')
            return false;
    }
    return true;
}

static bool read_segments(struct load *load, const struct node *node, struct view path, struct spiffe_glob *out)
{
    struct view *segments = load_take(load, SPIFFE_SEGMENTS_MAX, sizeof(*segments));
    size_t count = 0;
    for (size_t at = 0; segments != NULL && at < path.size;) {
        size_t end = view_index_of(path, '/', at + 1);
        struct view segment = view_slice(path, at + 1, end);
        at = end;
        if (view_equals(segment, VIEW("**")) && at == path.size) {
            out->has_rest = true;
            break;
        }
        if (!is_segment_glob(segment) || count == SPIFFE_SEGMENTS_MAX) {
            load_refuse(load, CODE_SPIFFE, node,
                        "segments are A-Z a-z 0-9 . _ -, with `*` inside one and `**` as the last",
                        "`%.*s` cannot be a path segment of a SPIFFE ID", VIEW_ARG(segment));
            return false;
        }
        segments[count++] = segment;
    }
    out->segments = (struct string_list){.items = segments, .count = count};
    return true;
}

static void read_spiffe(struct load *load, const struct node *node, void *out)
{
    struct spiffe_glob *glob = out;
    load_text(load, node, &glob->text);
    if (node->kind != NODE_SCALAR)
        return;
    struct view scheme = VIEW("spiffe://");
    if (!view_starts_with(glob->text, scheme) || glob->text.size > SPIFFE_ID_MAX) {
        load_refuse(load, CODE_SPIFFE, node, "write spiffe://trust-domain/path", "`%.*s` is not a SPIFFE ID pattern",
                    VIEW_ARG(node->text));
        return;
    }
    size_t slash = view_index_of(glob->text, '/', scheme.size);
    struct view domain = view_slice(glob->text, scheme.size, slash);
    if (!view_equals(domain, VIEW("*"))) {
        glob->trust_domain = domain;
        if (!trust_domain_is_valid(domain)) {
            bool has_star = domain.size > 0 && view_index_of(domain, '*', 0) < domain.size;
            load_refuse(load, CODE_SPIFFE, node,
                        has_star
                            ? "anybody can register a domain that ends or begins like yours: write it out, or `*` alone"
                            : "lower-case letters, digits, `.`, `-`, `_`",
                        "`%.*s` is not a literal trust domain", VIEW_ARG(domain));
        }
    }
    read_segments(load, node, view_slice(glob->text, slash, glob->text.size), glob);
}

static void read_trust_domain(struct load *load, const struct node *node, void *out)
{
    struct view *domain = out;
    load_text(load, node, domain);
    if (node->kind == NODE_SCALAR && domain->size > 0 && !trust_domain_is_valid(*domain))
        load_refuse(load, CODE_SPIFFE, node, "lower-case letters, digits, `.`, `-`, `_`; no pattern",
                    "`%.*s` is not a trust domain", VIEW_ARG(*domain));
}

static void read_plain_segment(struct load *load, const struct node *node, void *out)
{
    struct view *text = out;
    load_text(load, node, text);
    if (text->size > 0 && (!is_segment_glob(*text) || view_index_of(*text, '*', 0) < text->size))
        load_refuse(load, CODE_SPIFFE, node, "use `spiffe` for a pattern", "`%.*s` is not a namespace",
                    VIEW_ARG(*text));
}

static void read_service_account(struct load *load, const struct node *node, void *out)
{
    struct service_account *account = out;
    struct view text;
    load_text(load, node, &text);
    size_t slash = view_index_of(text, '/', 0);
    account->namespace = view_slice(text, 0, slash);
    account->account = view_slice(text, slash + 1, text.size);
    if (text.size > 0 && (!is_segment_glob(account->namespace) || !is_segment_glob(account->account) ||
                          view_index_of(text, '*', 0) < text.size))
        load_refuse(load, CODE_SPIFFE, node, "write namespace/account", "`%.*s` is not a service account",
                    VIEW_ARG(text));
}

static void read_spiffes(struct load *load, const struct node *node, void *out)
{
    struct workload_selector *workload = out;
    workload->spiffe = load_array(load, node, sizeof(*workload->spiffe), read_spiffe, &workload->spiffe_count);
}

static void read_domains(struct load *load, const struct node *node, void *out)
{
    struct string_list *list = out;
    list->items = load_array(load, node, sizeof(struct view), read_trust_domain, &list->count);
}

static void read_namespaces(struct load *load, const struct node *node, void *out)
{
    struct string_list *list = out;
    list->items = load_array(load, node, sizeof(struct view), read_plain_segment, &list->count);
}

static void read_accounts(struct load *load, const struct node *node, void *out)
{
    struct workload_selector *workload = out;
    workload->service_accounts = load_array(load, node, sizeof(*workload->service_accounts), read_service_account,
                                            &workload->service_account_count);
}

static const struct shape SPIFFE_GLOB = {.title = "SPIFFE ID pattern",
                                         .pattern = "^spiffe://([a-z0-9._-]{1,255}|\\*)(/[A-Za-z0-9._*-]+)*$"};
static const struct shape TRUST_DOMAIN = {
    .title = "trust domain", .pattern = "^[a-z0-9._-]{1,255}$", .takes_numbers = true};
static const struct shape SEGMENT = {.title = "namespace", .pattern = "^[A-Za-z0-9._-]+$", .takes_numbers = true};
static const struct shape ACCOUNT = {.title = "namespace/account", .pattern = "^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$"};

static const struct field WORKLOAD_FIELDS[] = {
    FIELD_WHOLE("spiffe", read_spiffes, MANY(&SPIFFE_GLOB),
                "`*` stays inside a segment, `**` stands last for the rest."),
    FIELD("trustDomain", read_domains, struct workload_selector, trust_domains, MANY(&TRUST_DOMAIN),
          "Of its SPIFFE ID."),
    FIELD("namespace", read_namespaces, struct workload_selector, namespaces, MANY(&SEGMENT),
          "Of an ID like spiffe://domain/ns/NAMESPACE/sa/ACCOUNT."),
    FIELD_WHOLE("serviceAccount", read_accounts, MANY(&ACCOUNT), "Of such an ID, as namespace/account."),
};
const struct block load_workload_block = BLOCK_SOME("workload", "a workload", WORKLOAD_FIELDS);

void load_workload(struct load *load, const struct node *node, void *out)
{
    if (!load_map(load, node, &load_workload_block, out))
        return;
    for (size_t i = 0; i < node->count; i++)
        if (node->items[i]->kind == NODE_LIST && node->items[i]->count == 0)
            load_refuse(load, CODE_EMPTY, node->items[i], "leave the key out to constrain nothing",
                        "the list is empty");
    if (node->count == 0)
        load_refuse(load, CODE_EMPTY, node, "for every workload write `workload: any` in the rule",
                    "a workload that says nothing");
}

/* ---- users -------------------------------------------------------------------- */

static void read_user_issuer(struct load *load, const struct node *node, void *out)
{
    struct user_selector *user = out;
    size_t index;
    if (names_find(load, &load->scope->issuers, node, CODE_UNKNOWN_ISSUER, "issuer", &index))
        user->issuer = &load->issuers[index];
}

static const struct field USER_CLAIM_FIELDS[] = {
    FIELD_TEST("equals", TEST_ANY_OF, MANY(VALUE), "It is, or holds, this value or one of these."),
    FIELD_TEST("anyOf", TEST_ANY_OF, MANY(VALUE), "It is, or holds, one of these."),
    FIELD_TEST("containsAll", TEST_CONTAINS_ALL, MANY(VALUE), "It holds all of these."),
    FIELD_TEST("prefix", TEST_PREFIX, MANY(TEXT), "It begins with one of these."),
    FIELD_TEST("present", TEST_PRESENT, BOOL, "Whether it is there."),
};
static const struct block USER_CLAIM = BLOCK("userClaim", "the test of a claim", USER_CLAIM_FIELDS);

static void read_claims(struct load *load, const struct node *node, void *out)
{
    struct user_selector *user = out;
    if (!load_is(load, node, NODE_MAP, "claims"))
        return;
    struct claim_test *claims = load_take(load, node->count, sizeof(*claims));
    for (size_t i = 0; claims != NULL && i < node->count; i++) {
        load_claim_path(load, node->keys[i], &claims[i].path);
        load_value_test(load, node->items[i], &USER_CLAIM, &claims[i].test);
    }
    user->claims = claims;
    user->claim_count = claims != NULL ? node->count : 0;
    if (node->count == 0)
        load_refuse(load, CODE_EMPTY, node, "leave the key out to constrain nothing", "claims is empty");
}

static const struct field USER_FIELDS[] = {
    FIELD_WHOLE_MUST("issuer", read_user_issuer, NAME, "One of `issuers`."),
    FIELD("subject", load_texts, struct user_selector, subjects, MANY(TEXT), "The token's `sub`."),
    FIELD_WHOLE("claims", read_claims, ENTRIES(KEYS(USER_CLAIM)),
                "Tests of its claims, by dotted name; all must hold."),
};
static const struct block USER = BLOCK("user", "a user", USER_FIELDS);

static void read_user(struct load *load, const struct node *node, void *out)
{
    (void)load_map(load, node, &USER, out);
}

/* ---- roles -------------------------------------------------------------------- */

/* How many members of the list begin with `key`. */
static size_t count_members(const struct node *list, struct view key)
{
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++)
        count += node_get(list->items[i], key) != NULL;
    return count;
}

static void read_members(struct load *load, const struct node *node, void *out)
{
    struct role *role = out;
    if (!load_is(load, node, NODE_LIST, "members"))
        return;
    size_t workloads = count_members(node, VIEW("workload")), users = count_members(node, VIEW("user"));
    struct workload_selector *workload = load_take(load, workloads, sizeof(*workload));
    struct user_selector *user = load_take(load, users, sizeof(*user));
    if (workload == NULL || user == NULL)
        return;
    role->workloads = workload;
    role->users = user;
    for (size_t i = 0; i < node->count; i++) {
        const struct node *item = node->items[i], *value = node_get(item, VIEW("workload"));
        if (item->kind == NODE_MAP && item->count == 1 && value != NULL) {
            load_workload(load, value, &workload[role->workload_count++]);
        } else if (item->kind == NODE_MAP && item->count == 1 && (value = node_get(item, VIEW("user"))) != NULL) {
            read_user(load, value, &user[role->user_count++]);
        } else {
            load_refuse(load, CODE_TYPE, item, "write {workload: ...} or {user: ...}",
                        "a member is one workload or one user");
        }
    }
    if (role->workload_count > 0 && role->user_count > 0)
        load_refuse(load, CODE_ROLE_MIXED, node, "make two roles, and name both in the rule: it wants both",
                    "the role `%.*s` has workloads and users", VIEW_ARG(role->name));
    role->kind = role->user_count > 0 ? ROLE_USER : ROLE_WORKLOAD;
}

static void read_inherits(struct load *load, const struct node *node, void *out)
{
    struct role *role = out;
    const struct node *const *items;
    size_t count = load_elements(&node, &items);
    const struct role **inherits = load_take(load, count, sizeof(*inherits));
    for (size_t i = 0; inherits != NULL && i < count; i++) {
        size_t index;
        if (!names_find(load, &load->scope->roles, items[i], CODE_UNKNOWN_ROLE, "role", &index))
            continue;
        if (index < load->scope->first_role)
            load_refuse(load, CODE_IMPORT, items[i], "who holds a role is for its own document to say",
                        "`%.*s` is imported: a role inherits roles of its own document", VIEW_ARG(items[i]->text));
        else
            inherits[role->inherit_count++] = &load->roles[index];
    }
    role->inherits = inherits;
}

static const struct field MEMBER_FIELDS[] = {
    FIELD_ONE_OF("workload", NULL, KEYS(load_workload_block), "A workload, by what its SPIFFE ID must be."),
    FIELD_ONE_OF("user", NULL, KEYS(USER), "A user, by what the token must say."),
};
static const struct block MEMBER = BLOCK("member", "a member", MEMBER_FIELDS);

static const struct field ROLE_FIELDS[] = {
    FIELD_WHOLE("inherits", read_inherits, MANY_OR_NONE(NAME), "Roles that its members hold as well."),
    FIELD_SEEN("description", TEXT, "For people."),
    FIELD_WHOLE("members", read_members, LIST(KEYS(MEMBER)), "All workloads, or all users; one of them is enough."),
};
const struct block load_role_block = BLOCK("role", "a role", ROLE_FIELDS);

static void read_role(struct load *load, const struct node *node, struct role *role)
{
    struct view description;
    if (!load_map(load, node, &load_role_block, role))
        return;
    if (node_get(node, VIEW("description")) != NULL)
        load_text(load, node_get(node, VIEW("description")), &description);
    if (node_get(node, VIEW("members")) == NULL && node_get(node, VIEW("inherits")) == NULL)
        load_refuse(load, CODE_EMPTY, node, NULL, "the role `%.*s` has no members", VIEW_ARG(role->name));
}

/* A role without members of its own is of the kind of what it inherits. Returns
 * true when some kind became known. */
static bool settle_kind(struct role *role)
{
    if (role->workload_count + role->user_count > 0 || role->inherit_count == 0 ||
        role->kind == role->inherits[0]->kind)
        return false;
    role->kind = role->inherits[0]->kind;
    return true;
}

static void check_kinds(struct load *load, const struct node *node, struct role *roles, size_t count)
{
    bool has_changed = true;
    for (size_t round = 0; has_changed && round <= count; round++) {
        has_changed = false;
        for (size_t i = 0; i < count; i++)
            has_changed = settle_kind(&roles[i]) || has_changed;
    }
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < roles[i].inherit_count; j++)
            if (roles[i].inherits[j]->kind != roles[i].kind)
                load_refuse(load, CODE_ROLE_MIXED, node->items[i], NULL, "the role `%.*s` of %s inherits `%.*s` of %s",
                            VIEW_ARG(roles[i].name), roles[i].kind == ROLE_USER ? "users" : "workloads",
                            VIEW_ARG(roles[i].inherits[j]->name), roles[i].kind == ROLE_USER ? "workloads" : "users");
}

/* S7: the roles that a member of `role` holds, breadth first. `stamps` tells what
 * was seen in this walk. True when the role reaches itself by inheriting. */
static bool close_role(struct load *load, struct role *role, const struct role **queue, size_t *stamps)
{
    size_t head = 0, tail = 0;
    bool is_cycle = false;
    queue[tail++] = role;
    stamps[role->index] = role->index + 1;
    while (head < tail) {
        const struct role *held = queue[head++];
        for (size_t i = 0; i < held->inherit_count; i++) {
            const struct role *next = held->inherits[i];
            is_cycle = is_cycle || next == role;
            if (stamps[next->index] == role->index + 1)
                continue;
            stamps[next->index] = role->index + 1;
            queue[tail++] = next;
        }
    }
    const struct role **kept = load_take(load, tail, sizeof(*kept));
    if (kept == NULL)
        return false;
    memcpy(kept, queue, tail * sizeof(*kept));
    role->held = kept;
    role->held_count = tail;
    return is_cycle;
}

/* The other way round: who holds each role. */
static void close_holders(struct load *load, struct role *roles, size_t count)
{
    size_t first = load->model->role_count - count;
    size_t *counts = arena_take_array(load->scratch, count, sizeof(*counts));
    const struct role ***holders = arena_take_array(load->scratch, count, sizeof(*holders));
    if (counts == NULL || holders == NULL) {
        load->is_exhausted = true;
        return;
    }
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < roles[i].held_count; j++)
            counts[roles[i].held[j]->index - first]++;
    for (size_t i = 0; i < count; i++)
        roles[i].holders = holders[i] = load_take(load, counts[i], sizeof(**holders));
    for (size_t i = 0; i < count && !load->is_exhausted; i++)
        for (size_t j = 0; j < roles[i].held_count; j++) {
            struct role *held = &roles[roles[i].held[j]->index - first];
            holders[held->index - first][held->holder_count++] = &roles[i];
        }
}

static bool holds(const struct role *role, const struct role *other)
{
    for (size_t i = 0; i < role->held_count; i++)
        if (role->held[i] == other)
            return true;
    return false;
}

/* True when a role before this one is in the same circle, of which it was told already. */
static bool is_told(const struct role *roles, const struct role *role)
{
    for (const struct role *other = roles; other < role; other++)
        if (holds(other, role) && holds(role, other))
            return true;
    return false;
}

static void close_roles(struct load *load, const struct node *node, struct role *roles, size_t count)
{
    const struct role **queue = arena_take_array(load->scratch, count, sizeof(*queue));
    size_t *stamps = arena_take_array(load->scratch, load->model->role_count, sizeof(*stamps));
    if (queue == NULL || stamps == NULL)
        load->is_exhausted = true;
    for (size_t i = 0; i < count && !load->is_exhausted; i++)
        if (close_role(load, &roles[i], queue, stamps) && !is_told(roles, &roles[i]))
            load_refuse(load, CODE_ROLE_CYCLE, node->keys[i], "take one `inherits` out of the circle",
                        "the role `%.*s` inherits itself", VIEW_ARG(roles[i].name));
    if (!load->is_exhausted)
        close_holders(load, roles, count);
}

void load_roles(struct load *load, const struct node *node)
{
    size_t first = load->scope->first_role = load->model->role_count;
    if (!load_is(load, node, NODE_MAP, "roles"))
        return;
    struct role *roles = &load->roles[first];
    for (size_t i = 0; i < node->count && !load->is_exhausted; i++) {
        (void)names_add(load, &load->scope->roles, node->keys[i], "role", first + i);
        roles[i] = (struct role){.index = first + i,
                                 .name = load_keep(load, node->keys[i]->text),
                                 .span = load_position(load, node->keys[i])};
    }
    load->model->role_count += node->count;
    for (size_t i = 0; i < node->count && !load->is_exhausted; i++)
        read_role(load, node->items[i], &roles[i]);
    check_kinds(load, node, roles, node->count);
    close_roles(load, node, roles, node->count);
}
