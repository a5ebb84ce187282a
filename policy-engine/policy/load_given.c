/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

enum {
    NOW_DEFAULT = 1767268800, /* 2026-01-01T12:00:00Z, a Thursday */
    TOKEN_LIFETIME = 300,
    VALUE_DEPTH_MAX = 16,
};

/* A `given` block while it becomes facts. */
struct given {
    struct facts *facts;
    int64_t now;
    bool has_certificate, is_certificate_invalid, is_certificate_none;
    size_t proof; /* of PROOFS */
    const struct node *jwt;
    size_t token; /* of TOKENS */
    size_t dpop;  /* of DPOPS */
};

/* ---- values ------------------------------------------------------------------------ */

/* -?(0|[1-9][0-9]*)(\.[0-9]+)?, RFC 8259 section 6 without exponents. */
static bool is_number(struct view text)
{
    size_t at = view_starts_with(text, VIEW("-")), start = at;
    while (at < text.size && text.data[at] >= '0' && text.data[at] <= '9')
        at++;
    if (at == start || (text.data[start] == '0' && at - start > 1))
        return false;
    if (at == text.size)
        return true;
    start = ++at;
    while (at < text.size && text.data[at] >= '0' && text.data[at] <= '9')
        at++;
    return text.data[start - 1] == '.' && at > start && at == text.size;
}

static enum value_kind scalar_kind(const struct node *node)
{
    if (!node->is_plain)
        return VALUE_STRING;
    if (view_equals(node->text, VIEW("true")) || view_equals(node->text, VIEW("false")))
        return VALUE_BOOL;
    if (view_equals(node->text, VIEW("null")) || view_equals(node->text, VIEW("~")) || node->text.size == 0)
        return VALUE_NULL;
    return is_number(node->text) ? VALUE_NUMBER : VALUE_STRING;
}

/* What JSON would have: an unquoted true, 42 or null is no string. */
static void read_value(struct load *load, const struct node *node, unsigned depth, struct value *out)
{
    *out = (struct value){0};
    if (node->kind == NODE_SCALAR) {
        out->kind = scalar_kind(node);
        if (out->kind != VALUE_NULL)
            out->text = load_keep(load, node->text);
        return;
    }
    if (depth == VALUE_DEPTH_MAX) {
        load_refuse(load, CODE_LIMIT, node, NULL, "values nest at most %d deep", VALUE_DEPTH_MAX);
        return;
    }
    struct value *items = load_take(load, node->count, sizeof(*items));
    struct view *names = node->kind == NODE_MAP ? load_take(load, node->count, sizeof(*names)) : NULL;
    if (items == NULL || load->is_exhausted)
        return;
    for (size_t i = 0; i < node->count; i++) {
        read_value(load, node->items[i], depth + 1, &items[i]);
        if (names != NULL)
            names[i] = load_keep(load, node->keys[i]->text);
    }
    *out = (struct value){
        .kind = node->kind == NODE_MAP ? VALUE_MAP : VALUE_LIST, .items = items, .names = names, .count = node->count};
}

/* ---- request ------------------------------------------------------------------------ */

static void read_grpc(struct load *load, const struct node *node, void *out)
{
    struct given *given = out;
    struct view name;
    load_text(load, node, &name);
    given->facts->method = VIEW("POST");
    given->facts->path = arena_print(load->arena, "/%.*s", VIEW_ARG(name));
    if (!view_is_present(given->facts->path))
        load->is_exhausted = true;
}

static void read_method(struct load *load, const struct node *node, void *out)
{
    load_text(load, node, &((struct given *)out)->facts->method);
}

static void read_path(struct load *load, const struct node *node, void *out)
{
    load_text(load, node, &((struct given *)out)->facts->path);
}

static void read_host(struct load *load, const struct node *node, void *out)
{
    load_text(load, node, &((struct given *)out)->facts->host);
}

static void read_sni(struct load *load, const struct node *node, void *out)
{
    load_text(load, node, &((struct given *)out)->facts->sni);
}

/* name: value, or name: [first, second] for a header that repeats. */
static const struct pair *read_pairs(struct load *load, const struct node *node, bool are_headers, size_t *count)
{
    *count = 0;
    if (!load_is(load, node, NODE_MAP, "the value"))
        return NULL;
    struct pair *pairs = load_take(load, node->count, sizeof(*pairs));
    for (size_t i = 0; pairs != NULL && i < node->count; i++) {
        const struct node *value = node->items[i];
        if (are_headers)
            load_header_name(load, node->keys[i], &pairs[i].name);
        else
            load_text(load, node->keys[i], &pairs[i].name);
        pairs[i].is_repeated = value->kind == NODE_LIST && value->count > 1;
        if (value->kind == NODE_LIST && value->count > 0)
            value = value->items[0];
        if (load_is(load, value, NODE_SCALAR, "a value"))
            pairs[i].value = load_keep(load, value->text);
    }
    *count = pairs != NULL ? node->count : 0;
    return pairs;
}

static void read_headers(struct load *load, const struct node *node, void *out)
{
    struct facts *facts = ((struct given *)out)->facts;
    facts->headers = read_pairs(load, node, true, &facts->header_count);
}

static void read_context(struct load *load, const struct node *node, void *out)
{
    struct facts *facts = ((struct given *)out)->facts;
    facts->context = read_pairs(load, node, false, &facts->context_count);
}

static void read_metadata(struct load *load, const struct node *node, void *out)
{
    struct value *value = load_take(load, 1, sizeof(*value));
    if (value == NULL || !load_is(load, node, NODE_MAP, "metadata"))
        return;
    read_value(load, node, 0, value);
    ((struct given *)out)->facts->metadata = value;
}

static const struct field BODY_FIELDS[] = {
    FIELD("model", load_text, struct body_facts, model, TEXT, "The model that it names."),
    FIELD("tool", load_text, struct body_facts, tool, TEXT, "The tool that it names."),
    FIELD("call", load_text, struct body_facts, call, TEXT, "Its JSON-RPC method."),
};
static const struct block BODY = BLOCK("givenBody", "body", BODY_FIELDS);
static const struct view BODY_STATES[] = {WORD("unreadable")};

static void read_body(struct load *load, const struct node *node, void *out)
{
    struct body_facts *body = &((struct given *)out)->facts->body;
    if (node->kind == NODE_SCALAR && view_equals(node->text, BODY_STATES[0])) {
        body->state = BODY_UNREADABLE;
        return;
    }
    body->state = BODY_READ;
    (void)load_map(load, node, &BODY, body);
}

static void read_address(struct load *load, const struct node *node, struct address_fact *out)
{
    struct cidr cidr = {0};
    if (!load_is(load, node, NODE_SCALAR, "an address"))
        return;
    if (!load_cidr(node->text, &cidr) || view_index_of(node->text, '/', 0) < node->text.size)
        load_refuse(load, CODE_ADDRESS, node, NULL, "`%.*s` is not an address", VIEW_ARG(node->text));
    out->family = cidr.family;
    memcpy(out->bytes, cidr.bytes, sizeof(out->bytes));
}

static void read_source_ip(struct load *load, const struct node *node, void *out)
{
    read_address(load, node, &((struct given *)out)->facts->source_ip);
}

static void read_remote_ip(struct load *load, const struct node *node, void *out)
{
    read_address(load, node, &((struct given *)out)->facts->remote_ip);
}

static void read_port(struct load *load, const struct node *node, void *out)
{
    uint64_t port;
    if (load_number(load, node, 1, 65535, &port))
        ((struct given *)out)->facts->port = (uint16_t)port;
}

/* ---- caller ---------------------------------------------------------------------------- */

static void read_workload(struct load *load, const struct node *node, void *out)
{
    struct workload_facts *workload = &((struct given *)out)->facts->workload;
    struct view scheme = VIEW("spiffe://"), id;
    load_text(load, node, &id);
    size_t slash = view_index_of(id, '/', scheme.size);
    if (!view_starts_with(id, scheme) || slash == scheme.size || view_index_of(id, '*', 0) < id.size) {
        load_refuse(load, CODE_TEST_GIVEN, node, "write spiffe://trust-domain/path", "`%.*s` is not a SPIFFE ID",
                    VIEW_ARG(id));
        return;
    }
    *workload = (struct workload_facts){
        .proof = PROOF_CERTIFICATE, .spiffe_id = id, .trust_domain = view_slice(id, scheme.size, slash)};
}

static const struct view CERTIFICATES[] = {WORD("valid"), WORD("none"), WORD("invalid")};

static void read_certificate(struct load *load, const struct node *node, void *out)
{
    struct given *given = out;
    size_t word = load_word(load, node, "the state of a certificate", CERTIFICATES, COUNT_OF(CERTIFICATES), 0);
    given->has_certificate = true;
    given->is_certificate_none = word == 1;
    given->is_certificate_invalid = word == 2;
}

static const struct view TOKENS[] = {WORD("valid"), WORD("invalid"), WORD("unjudgeable")};
static const struct view DPOPS[] = {WORD("none"), WORD("valid"), WORD("invalid")};

static void read_token(struct load *load, const struct node *node, void *out)
{
    ((struct given *)out)->token = load_word(load, node, "the state of a token", TOKENS, COUNT_OF(TOKENS), 0);
}

static void read_dpop(struct load *load, const struct node *node, void *out)
{
    ((struct given *)out)->dpop = load_word(load, node, "the state of a proof", DPOPS, COUNT_OF(DPOPS), 0);
}

static const struct view PROOFS[] = {WORD("certificate"), WORD("xfcc-text")};

static void read_proof(struct load *load, const struct node *node, void *out)
{
    ((struct given *)out)->proof = load_word(load, node, "a proof", PROOFS, COUNT_OF(PROOFS), 0);
}

static void keep_jwt(struct load *load, const struct node *node, void *out)
{
    if (load_is(load, node, NODE_MAP, "jwt"))
        ((struct given *)out)->jwt = node;
}

/* ---- token -------------------------------------------------------------------------------- */

/* "-20m" and "+1h" are relative to now; else an instant or unix seconds. */
static bool read_time(struct view text, int64_t now, int64_t *out)
{
    uint32_t distance;
    uint64_t seconds;
    bool is_before = view_starts_with(text, VIEW("-"));
    if ((is_before || view_starts_with(text, VIEW("+"))) &&
        load_duration_text(view_slice(text, 1, text.size), &distance)) {
        *out = is_before ? now - distance : now + distance;
        return true;
    }
    if (view_to_u64(text, &seconds) && seconds <= (uint64_t)1 << 53) {
        *out = (int64_t)seconds;
        return true;
    }
    return load_instant(text, out);
}

static bool time_claim(struct load *load, const struct given *given, const char *name, int64_t *out)
{
    const struct node *node = node_get(given->jwt, view_of(name));
    if (node == NULL)
        return false;
    if (node->kind == NODE_SCALAR && read_time(node->text, given->now, out))
        return true;
    load_refuse(load, CODE_TEST_GIVEN, node, "write \"-20m\", 2026-01-01T11:40:00Z or unix seconds", "%s is not a time",
                name);
    return false;
}

static struct view text_claim(struct load *load, const struct node *map, const char *name)
{
    const struct node *node = node_get(map, view_of(name));
    return node != NULL && node->kind == NODE_SCALAR ? load_keep(load, node->text) : (struct view){0};
}

/* The claim set: as written, times as numbers, `cnf: peer` as the object it stands for. */
static const struct value *read_claims(struct load *load, const struct given *given)
{
    static const char *const times[] = {"auth_time", "iat", "exp", "nbf"};
    struct value *claims = load_take(load, 1, sizeof(*claims));
    if (claims == NULL)
        return NULL;
    read_value(load, given->jwt, 0, claims);
    struct value *items = load_take(load, claims->count, sizeof(*items));
    if (items == NULL || claims->names == NULL)
        return NULL;
    for (size_t i = 0; i < claims->count; i++) {
        int64_t at;
        items[i] = claims->items[i];
        for (size_t j = 0; j < COUNT_OF(times); j++)
            if (view_equals(claims->names[i], view_of(times[j])) && time_claim(load, given, times[j], &at))
                items[i] =
                    (struct value){.kind = VALUE_NUMBER, .text = arena_print(load->arena, "%lld", (long long)at)};
        if (view_equals(claims->names[i], VIEW("cnf")))
            items[i] = (struct value){.kind = VALUE_MAP};
    }
    claims->items = items;
    return claims;
}

static const struct issuer *issuer_of(const struct load *load, struct view url)
{
    for (size_t i = 0; i < load->model->issuer_count; i++)
        if (view_equals(load->issuers[i].url, url))
            return &load->issuers[i];
    return NULL;
}

/* Silent on `aud` means the right one. */
static bool has_audience(const struct issuer *issuer, const struct node *aud)
{
    const struct node *const *items;
    size_t count = aud != NULL ? load_elements(&aud, &items) : 0;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < issuer->audiences.count; j++)
            if (view_equals(items[i]->text, issuer->audiences.items[j]))
                return true;
    return aud == NULL;
}

static enum reason check_times(struct load *load, const struct given *given, const struct issuer *issuer,
                               struct user_facts *user)
{
    int64_t not_before, skew = issuer->clock_skew, lifetime = issuer->max_lifetime;
    if (!time_claim(load, given, "exp", &user->expires))
        user->expires = given->now + (lifetime > 0 && lifetime < TOKEN_LIFETIME ? lifetime : TOKEN_LIFETIME);
    if (!time_claim(load, given, "iat", &user->issued_at))
        user->issued_at = given->now;
    user->has_auth_time = time_claim(load, given, "auth_time", &user->auth_time);
    if (user->expires + skew <= given->now)
        return REASON_TOKEN_EXPIRED;
    if (time_claim(load, given, "nbf", &not_before) && not_before - skew > given->now)
        return REASON_TOKEN_NOT_YET_VALID;
    if (lifetime > 0 && user->expires - user->issued_at > lifetime)
        return REASON_TOKEN_LIFETIME;
    return user->has_auth_time && user->auth_time - skew > given->now ? REASON_TOKEN_CLAIMS : REASON_NONE;
}

static enum reason read_amr(struct load *load, const struct given *given, struct user_facts *user)
{
    const struct node *amr = node_get(given->jwt, VIEW("amr"));
    if (amr == NULL)
        return REASON_NONE;
    struct view *values = load_take(load, amr->count, sizeof(*values));
    if (amr->kind != NODE_LIST || values == NULL)
        return REASON_TOKEN_CLAIMS;
    for (size_t i = 0; i < amr->count; i++)
        values[i] = load_keep(load, amr->items[i]->text);
    user->amr = values;
    user->amr_count = amr->count;
    user->has_amr = true;
    return REASON_NONE;
}

static enum reason read_actors(struct load *load, const struct given *given, struct user_facts *user)
{
    for (const struct node *act = node_get(given->jwt, VIEW("act")); act != NULL; act = node_get(act, VIEW("act"))) {
        struct view sub = text_claim(load, act, "sub");
        if (sub.size == 0 || user->actor_count == FACTS_ACTORS_MAX)
            return REASON_TOKEN_CLAIMS;
        user->actors[user->actor_count++] = sub;
    }
    return REASON_NONE;
}

static bool cnf_is(const struct node *cnf, const char *word)
{
    return cnf != NULL && cnf->kind == NODE_SCALAR && view_equals(cnf->text, view_of(word));
}

/* `cnf: peer` names the caller's certificate and SPIFFE ID, `certificate` and `workload`
 * one of them, `cnf: other` somebody else's. */
static enum reason read_binding(struct load *load, const struct given *given, struct user_facts *user)
{
    const struct node *cnf = node_get(given->jwt, VIEW("cnf"));
    bool is_certificate = cnf_is(cnf, "peer") || cnf_is(cnf, "certificate");
    bool is_workload = cnf_is(cnf, "peer") || cnf_is(cnf, "workload");
    bool is_peer = is_certificate || is_workload, is_other = cnf_is(cnf, "other");
    if (cnf != NULL && !is_peer && !is_other)
        load_refuse(load, CODE_TEST_GIVEN, cnf, "write cnf: peer, certificate, workload or other",
                    "a test binds a token to the peer or to another");
    if (is_other || given->dpop == 2 || (is_peer && given->facts->workload.proof != PROOF_CERTIFICATE))
        return REASON_TOKEN_BINDING;
    user->is_bound_to_certificate = is_certificate;
    user->is_bound_to_workload = is_workload;
    user->is_bound_by_dpop = given->dpop == 1;
    return REASON_NONE;
}

static enum reason read_user(struct load *load, const struct given *given, struct user_facts *user)
{
    user->issuer = text_claim(load, given->jwt, "iss");
    user->subject = text_claim(load, given->jwt, "sub");
    user->acr = text_claim(load, given->jwt, "acr");
    user->client = text_claim(load, given->jwt, "azp");
    if (!view_is_present(user->client))
        user->client = text_claim(load, given->jwt, "client_id");
    user->claims = read_claims(load, given);
    const struct issuer *issuer = issuer_of(load, user->issuer);
    if (issuer == NULL)
        return REASON_TOKEN_ISSUER;
    enum reason reasons[] = {
        has_audience(issuer, node_get(given->jwt, VIEW("aud"))) ? REASON_NONE : REASON_TOKEN_AUDIENCE,
        check_times(load, given, issuer, user),
        user->subject.size > 0 && user->subject.size <= 255 ? REASON_NONE : REASON_TOKEN_CLAIMS,
        read_amr(load, given, user),
        read_actors(load, given, user),
        read_binding(load, given, user),
    };
    for (size_t i = 0; i < COUNT_OF(reasons); i++)
        if (reasons[i] != REASON_NONE)
            return reasons[i];
    user->state = USER_KNOWN;
    return REASON_NONE;
}

/* ---- given ----------------------------------------------------------------------------------- */

static const struct shape REPEATED = {.kind = SHAPE_LIST, .of = VALUE};

/* In a test each of these may also be a list: a case of each element. */
static const struct field GIVEN_FIELDS[] = {
    FIELD_WHOLE("method", read_method, TEXT, "GET when left out."),
    FIELD_WHOLE("host", read_host, TEXT, "localhost when left out."),
    FIELD_ONE_OF("path", read_path, TEXT, "The path and query, as on the wire."),
    FIELD_ONE_OF("grpc", read_grpc, TEXT, "pkg.Service/Method, for a gRPC call."),
    FIELD_WHOLE("headers", read_headers, ENTRIES_OF(HEADER, EITHER(VALUE, &REPEATED)),
                "A list is a header that repeats."),
    FIELD_WHOLE("body", read_body, EITHER(ONE_WORD(BODY_STATES), KEYS(BODY)), "What was read out of the body."),
    FIELD_WHOLE("workload", read_workload, SPIFFE_ID, "Whose certificate the caller has."),
    FIELD_WHOLE("certificate", read_certificate, ONE_WORD(CERTIFICATES), "What the caller's certificate is worth."),
    FIELD_WHOLE("proof", read_proof, ONE_WORD(PROOFS), "xfcc-text: the proxy's word for the caller is all there is."),
    FIELD_WHOLE("jwt", keep_jwt, ENTRIES(ANYTHING),
                "The token's claims; `auth_time`, `iat`, `exp`, `nbf` may be relative to now; `cnf: peer`, "
                "`certificate`, `workload` or `other`."),
    FIELD_WHOLE("token", read_token, ONE_WORD(TOKENS), "What the token is worth; unjudgeable: no keys of its issuer."),
    FIELD_WHOLE("dpop", read_dpop, ONE_WORD(DPOPS), "What the proof of possession is worth."),
    FIELD_SEEN("now", INSTANT, "2026-01-01T12:00:00Z, a Thursday, when left out."),
    FIELD_WHOLE("sourceIP", read_source_ip, ADDRESS, "The address of the connection."),
    FIELD_WHOLE("remoteIP", read_remote_ip, ADDRESS, "The address that the proxy believes the request comes from."),
    FIELD_WHOLE("port", read_port, NUMBER(1, 65535), "The port that was connected to."),
    FIELD_WHOLE("sni", read_sni, TEXT, "The server name of the TLS handshake."),
    FIELD_WHOLE("context", read_context, ENTRIES(EITHER(VALUE, &REPEATED)), "Context extensions of the route."),
    FIELD_WHOLE("metadata", read_metadata, ENTRIES(ANYTHING), "Dynamic metadata: filter, then its keys."),
};
const struct block load_given_block = {
    .name = "given", .what = "given", .fields = GIVEN_FIELDS, .count = COUNT_OF(GIVEN_FIELDS), .is_matrix = true};

static void settle_caller(struct load *load, const struct node *node, const struct given *given)
{
    struct facts *facts = given->facts;
    bool has_workload = facts->workload.proof != PROOF_NONE;
    if (given->is_certificate_none && has_workload)
        load_refuse(load, CODE_TEST_GIVEN, node, "leave one of them out",
                    "a workload without a certificate has no identity");
    if (given->has_certificate && !given->is_certificate_none && !given->is_certificate_invalid && !has_workload)
        load_refuse(load, CODE_TEST_GIVEN, node, "say whose by `workload`", "a valid certificate of nobody");
    if (given->proof == 1 && (!has_workload || given->has_certificate))
        load_refuse(load, CODE_TEST_GIVEN, node, "say whose by `workload` alone", "a proxy's word without a caller");
    if (given->proof == 1)
        facts->workload.proof = PROOF_XFCC_TEXT;
    if (!given->is_certificate_invalid)
        return;
    facts->workload = (struct workload_facts){0};
    facts->workload_failure = REASON_CERTIFICATE_UNTRUSTED;
}

void load_given(struct load *load, const struct node *node, const struct node *whole, struct facts *facts)
{
    struct given given = {.facts = facts, .now = NOW_DEFAULT};
    *facts = (struct facts){.request_failure = REASON_NONE,
                            .workload_failure = REASON_NONE,
                            .user_failure = REASON_NONE,
                            .method = VIEW("GET"),
                            .host = VIEW("localhost"),
                            .is_raw_path = true,
                            .decision_id = VIEW("test")};
    if (!load_map(load, node, &load_given_block, &given))
        return;
    const struct node *now = node_get(node, VIEW("now"));
    if (now != NULL && (now->kind != NODE_SCALAR || !load_instant(now->text, &given.now)))
        load_refuse(load, CODE_TIME, now, "write 2026-01-31T08:00:00Z", "now is not an instant");
    facts->now = given.now;
    if ((node_get(node, VIEW("path")) == NULL) == (node_get(node, VIEW("grpc")) == NULL))
        load_refuse(load, CODE_TEST_GIVEN, whole, NULL, "a test gives either `path` or `grpc`");
    settle_caller(load, whole, &given);
    if (given.token == 2)
        facts->user.state = USER_UNKNOWN;
    else if (given.token == 1)
        facts->user_failure = REASON_TOKEN_SIGNATURE;
    else if (given.jwt != NULL)
        facts->user_failure = read_user(load, &given, &facts->user);
    if (facts->user_failure != REASON_NONE)
        facts->user = (struct user_facts){0};
}
