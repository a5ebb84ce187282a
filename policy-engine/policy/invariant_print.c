/* SPDX-License-Identifier: Apache-2.0 */
/* A request in words and as a test. YAML flow style, every text in double quotes: what
 * a policy compares with may hold anything. */
#include "invariant.h"

#include "classes.h"
#include "rfc3339.h"

/* Text while it grows; absent when memory ran out. */
struct page {
    struct arena *arena;
    struct view text;
};

static void put(struct page *page, struct view more)
{
    page->text = arena_print(page->arena, "%.*s%.*s", VIEW_ARG(page->text), VIEW_ARG(more));
}

static void put_word(struct page *page, const char *word)
{
    put(page, view_of(word));
}

/* YAML 1.2.2 section 5.7: the escapes of a double-quoted scalar. */
static void put_quoted(struct page *page, struct view text)
{
    put_word(page, "\"");
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        char escape[8];
        if (c < 0x20 || c == 0x7f) {
            (void)snprintf(escape, sizeof escape, "\\x%02x", c);
            put_word(page, escape);
        } else if (c == '"' || c == '\\') {
            put(page, (struct view){.data = c == '"' ? "\\\"" : "\\\\", .size = 2});
        } else {
            put(page, view_slice(text, i, i + 1));
        }
    }
    put_word(page, "\"");
}

static void put_key(struct page *page, const char *key)
{
    put_word(page, ", ");
    put_word(page, key);
    put_word(page, ": ");
}

static void put_text(struct page *page, const char *key, struct view text)
{
    if (!view_is_present(text))
        return;
    put_key(page, key);
    put_quoted(page, text);
}

static void put_value(struct page *page, const struct value *value)
{
    switch (value->kind) {
    case VALUE_STRING: put_quoted(page, value->text); return;
    case VALUE_NUMBER:
    case VALUE_BOOL: put(page, value->text); return;
    case VALUE_ABSENT:
    case VALUE_NULL: put_word(page, "null"); return;
    case VALUE_LIST:
    case VALUE_MAP: break;
    }
    put_word(page, value->kind == VALUE_LIST ? "[" : "{");
    for (size_t i = 0; i < value->count; i++) {
        if (i > 0)
            put_word(page, ", ");
        if (value->kind == VALUE_MAP) {
            put_quoted(page, value->names[i]);
            put_word(page, ": ");
        }
        put_value(page, &value->items[i]);
    }
    put_word(page, value->kind == VALUE_LIST ? "]" : "}");
}

static void put_pairs(struct page *page, const char *key, const struct pair *pairs, size_t count)
{
    if (count == 0)
        return;
    put_key(page, key);
    for (size_t i = 0; i < count; i++) {
        put_word(page, i == 0 ? "{" : ", ");
        put_quoted(page, pairs[i].name);
        put_word(page, pairs[i].is_repeated ? ": [" : ": ");
        put_quoted(page, pairs[i].value);
        if (!pairs[i].is_repeated)
            continue;
        put_word(page, ", ");
        put_quoted(page, pairs[i].value);
        put_word(page, "]");
    }
    put_word(page, "}");
}

static void put_address(struct page *page, const char *key, const struct address_fact *address)
{
    const uint8_t *b = address->bytes;
    if (address->family == 0)
        return;
    put_key(page, key);
    if (address->family == 4) {
        put(page, arena_print(page->arena, "%u.%u.%u.%u", b[0], b[1], b[2], b[3]));
        return;
    }
    for (size_t i = 0; i < 16; i += 2)
        put(page, arena_print(page->arena, "%s%x", i == 0 ? "\"" : ":", (unsigned)b[i] << 8 | b[i + 1]));
    put_word(page, "\"");
}

static void put_instant(struct page *page, int64_t now)
{
    char instant[RFC3339_BYTES + 1] = "";
    if (rfc3339_write(now, instant))
        put_quoted(page, view_of(instant));
}

/* ---- the token -------------------------------------------------------------------------- */

static void put_actors(struct page *page, const struct user_facts *user)
{
    if (user->actor_count == 0)
        return;
    for (size_t i = 0; i < user->actor_count; i++) {
        put_word(page, ", act: {sub: ");
        put_quoted(page, user->actors[i]);
    }
    for (size_t i = 0; i < user->actor_count; i++)
        put_word(page, "}");
}

static void put_token(struct page *page, const struct facts *facts)
{
    const struct user_facts *user = &facts->user;
    if (user->state == USER_UNKNOWN)
        put_word(page, ", token: unjudgeable");
    if (user->state != USER_KNOWN)
        return;
    if (user->is_bound_by_dpop)
        put_word(page, ", dpop: valid");
    put_word(page, ", jwt: {iss: ");
    put_quoted(page, user->issuer);
    if (user->has_auth_time)
        put(page, arena_print(page->arena, ", auth_time: \"-%llds\"", (long long)(facts->now - user->auth_time)));
    if (user->is_bound_to_certificate || user->is_bound_to_workload) {
        put_key(page, "cnf");
        put_word(page, !user->is_bound_to_workload      ? "certificate"
                       : !user->is_bound_to_certificate ? "workload"
                                                        : "peer");
    }
    put_actors(page, user);
    for (size_t i = 0; user->claims && i < user->claims->count; i++) {
        put_word(page, ", ");
        put_quoted(page, user->claims->names[i]);
        put_word(page, ": ");
        put_value(page, &user->claims->items[i]);
    }
    put_word(page, "}");
}

/* ---- a test ---------------------------------------------------------------------------------- */

static void put_body(struct page *page, const struct body_facts *body)
{
    if (body->state != BODY_READ)
        return;
    struct page inner = {.arena = page->arena, .text = VIEW("")};
    put_text(&inner, "model", body->model);
    put_text(&inner, "tool", body->tool);
    put_text(&inner, "call", body->call);
    put_word(page, ", body: {");
    put(page, view_slice(inner.text, 2, inner.text.size));
    put_word(page, "}");
}

static void put_answer(struct page *page, const struct decision *decision)
{
    put_word(page, "{");
    put_word(page, verdict_text(decision->verdict));
    put_word(page, ": ");
    if (view_is_present(decision->rule))
        put_quoted(page, decision->rule);
    else
        put_word(page, "default");
    put_word(page, "}");
}

struct view invariant_test(struct view name, const struct facts *facts, const struct decision *decision,
                           struct arena *arena)
{
    struct page page = {.arena = arena, .text = VIEW("- {name: ")};
    put_quoted(&page, name);
    put_word(&page, ", given: {method: ");
    put(&page, facts->method);
    put_text(&page, "host", facts->host);
    put_text(&page, "path", facts->path);
    put_pairs(&page, "headers", facts->headers, facts->header_count);
    put_body(&page, &facts->body);
    if (facts->workload.proof != PROOF_NONE)
        put_text(&page, "workload", facts->workload.spiffe_id);
    if (facts->workload.proof == PROOF_XFCC_TEXT)
        put_word(&page, ", proof: xfcc-text");
    put_token(&page, facts);
    if (facts->now != CLASSES_NOW) {
        put_key(&page, "now");
        put_instant(&page, facts->now);
    }
    put_address(&page, "sourceIP", &facts->source_ip);
    put_address(&page, "remoteIP", &facts->remote_ip);
    if (facts->port != 0)
        put(&page, arena_print(arena, ", port: %u", facts->port));
    put_text(&page, "sni", facts->sni);
    put_pairs(&page, "context", facts->context, facts->context_count);
    if (facts->metadata) {
        put_key(&page, "metadata");
        put_value(&page, facts->metadata);
    }
    put_word(&page, "}, expect: ");
    put_answer(&page, decision);
    put_word(&page, "}");
    return page.text;
}

/* ---- a sentence ----------------------------------------------------------------------------------- */

static void say_user(struct page *page, const struct facts *facts)
{
    const struct user_facts *user = &facts->user;
    if (user->state != USER_KNOWN) {
        put_word(page, user->state == USER_ABSENT ? ", no user" : ", a token that cannot be judged");
        return;
    }
    put_word(page, ", user");
    for (size_t i = 0; user->claims && i < user->claims->count; i++) {
        put_word(page, i > 0 ? ", " : " ");
        put(page, user->claims->names[i]);
        put_word(page, " ");
        put_value(page, &user->claims->items[i]);
    }
    if (user->has_auth_time)
        put(page, arena_print(page->arena, ", signed in %lld s ago", (long long)(facts->now - user->auth_time)));
    if (user->actor_count > 0)
        put(page, arena_print(page->arena, ", by %.*s", VIEW_ARG(user->actors[0])));
}

struct view invariant_sentence(const struct facts *facts, struct arena *arena)
{
    struct page page = {.arena = arena, .text = VIEW("")};
    put(&page,
        arena_print(arena, "%.*s %.*s%.*s as ", VIEW_ARG(facts->method), VIEW_ARG(facts->host), VIEW_ARG(facts->path)));
    put(&page, facts->workload.proof == PROOF_NONE ? VIEW("nobody") : facts->workload.spiffe_id);
    say_user(&page, facts);
    if (facts->now != CLASSES_NOW) {
        put_word(&page, ", ");
        put_instant(&page, facts->now);
    }
    if (facts->header_count + facts->context_count > 0 || facts->metadata || facts->port != 0 ||
        facts->source_ip.family != 0 || facts->remote_ip.family != 0 || view_is_present(facts->sni))
        put_word(&page, ", with what else the test gives");
    return page.text;
}
