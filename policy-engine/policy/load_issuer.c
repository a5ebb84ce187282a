/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

enum { SKEW_DEFAULT = 30, SKEW_MAX = 60 };

static const struct view PROFILES[] = {
    [PROFILE_GENERIC] = WORD("generic"), [PROFILE_KEYCLOAK] = WORD("keycloak"), [PROFILE_ENTRA] = WORD("entra"),
    [PROFILE_OKTA] = WORD("okta"),       [PROFILE_AUTH0] = WORD("auth0"),       [PROFILE_COGNITO] = WORD("cognito"),
    [PROFILE_GOOGLE] = WORD("google"),
};

static void read_profile(struct load *load, const struct node *node, void *out)
{
    enum issuer_profile *profile = out;
    *profile = (enum issuer_profile)load_word(load, node, "a profile", PROFILES, COUNT_OF(PROFILES), PROFILE_GENERIC);
}

static void read_aliases(struct load *load, const struct node *node, void *out)
{
    struct issuer *issuer = out;
    if (!load_is(load, node, NODE_MAP, "amrAliases"))
        return;
    struct amr_alias *aliases = load_take(load, node->count, sizeof(*aliases));
    for (size_t i = 0; aliases != NULL && i < node->count; i++) {
        load_text(load, node->keys[i], &aliases[i].theirs);
        load_texts(load, node->items[i], &aliases[i].ours);
    }
    issuer->amr_aliases = aliases;
    issuer->amr_alias_count = aliases != NULL ? node->count : 0;
}

static const struct view CLASSES[] = {WORD("knowledge"), WORD("possession"), WORD("inherence")};

static void read_classes(struct load *load, const struct node *node, void *out)
{
    struct issuer *issuer = out;
    if (!load_is(load, node, NODE_MAP, "amrClasses"))
        return;
    struct amr_class *entries = load_take(load, node->count, sizeof(*entries));
    for (size_t i = 0; entries != NULL && i < node->count; i++) {
        load_text(load, node->keys[i], &entries[i].amr);
        size_t class = load_word(load, node->items[i], "a class of factors", CLASSES, COUNT_OF(CLASSES), 0);
        entries[i].factor = (enum factor_class)(class + FACTOR_KNOWLEDGE);
    }
    issuer->amr_classes = entries;
    issuer->amr_class_count = entries != NULL ? node->count : 0;
}

static void read_clients(struct load *load, const struct node *node, void *out)
{
    struct issuer *issuer = out;
    if (!load_is(load, node, NODE_MAP, "clients"))
        return;
    struct client_workload *clients = load_take(load, node->count, sizeof(*clients));
    for (size_t i = 0; clients != NULL && i < node->count; i++) {
        struct view *id = &clients[i].spiffe_id;
        load_text(load, node->keys[i], &clients[i].client);
        load_text(load, node->items[i], id);
        if (!view_starts_with(*id, VIEW("spiffe://")) || view_index_of(*id, '*', 0) < id->size)
            load_refuse(load, CODE_SPIFFE, node->items[i], "a client is one workload: no pattern",
                        "`%.*s` is not a SPIFFE ID", VIEW_ARG(*id));
    }
    issuer->clients = clients;
    issuer->client_count = clients != NULL ? node->count : 0;
}

static const struct field STEP_UP_FIELDS[] = {
    FIELD("twoFactors", load_texts, struct issuer, step_up_two_factors, MANY(TEXT),
          "The acr values to ask for when a second factor is missing."),
    FIELD("phishingResistant", load_texts, struct issuer, step_up_phishing_resistant, MANY(TEXT),
          "The acr values to ask for when a phishing-resistant login is missing."),
};
static const struct block STEP_UP = BLOCK("stepUp", "stepUp", STEP_UP_FIELDS);

static void read_step_up(struct load *load, const struct node *node, void *out)
{
    (void)load_map(load, node, &STEP_UP, out);
}

static const struct field RESISTANT_FIELDS[] = {
    FIELD("acr", load_texts, struct issuer, phishing_resistant_acr, MANY(TEXT), "Values of acr that say so."),
    FIELD("amr", load_texts, struct issuer, phishing_resistant_amr, MANY(TEXT), "Values of amr that say so."),
};
static const struct block RESISTANT = BLOCK("phishingResistant", "phishingResistant", RESISTANT_FIELDS);

static void read_phishing_resistant(struct load *load, const struct node *node, void *out)
{
    (void)load_map(load, node, &RESISTANT, out);
}

static void read_skew(struct load *load, const struct node *node, void *out)
{
    uint32_t *skew = out;
    load_duration(load, node, skew);
    if (*skew > SKEW_MAX)
        load_refuse(load, CODE_DURATION, node, "clocks that are further apart want mending",
                    "clockSkew is at most 60s");
}

/* An issuer identifier: `iss` is compared byte for byte, so a fragment or white
 * space can only be a slip. OpenID Connect Core section 2. */
static void read_url(struct load *load, const struct node *node, void *out)
{
    struct view *url = out;
    load_text(load, node, url);
    bool is_url = view_starts_with(*url, VIEW("https://")) || view_starts_with(*url, VIEW("http://")) ||
                  view_starts_with(*url, VIEW("spiffe://")) || view_equals(*url, VIEW("accounts.google.com"));
    for (size_t i = 0; i < url->size; i++)
        is_url = is_url && url->data[i] > 0x20 && url->data[i] != '#';
    if (!is_url && node->kind == NODE_SCALAR)
        load_refuse(load, CODE_ISSUER, node, "it must equal the token's `iss` byte for byte",
                    "`%.*s` is not an issuer's URL", VIEW_ARG(*url));
}

static const struct shape ISSUER_URL = {.title = "issuer URL",
                                        .pattern = "^((https?|spiffe)://[^#\\s]*|accounts\\.google\\.com)$"};

static const struct field ISSUER_FIELDS[] = {
    FIELD_MUST("url", read_url, struct issuer, url, &ISSUER_URL, "Equals the token's `iss` byte for byte."),
    FIELD_MUST("audiences", load_texts, struct issuer, audiences, MANY(TEXT),
               "One of them must be in the token's `aud`."),
    FIELD("profile", read_profile, struct issuer, profile, ONE_WORD(PROFILES),
          "What its claims mean; generic when left out."),
    FIELD_WHOLE("amrAliases", read_aliases, ENTRIES(MANY(TEXT)), "Its names of methods, in ours (RFC 8176)."),
    FIELD("acrOrder", load_texts, struct issuer, acr_order, MANY(TEXT), "Its acr values, lowest first."),
    FIELD("trustMfaAssertion", load_bool, struct issuer, trusts_mfa_assertion, BOOL,
          "Take its word `mfa` for two factors; false when left out."),
    FIELD("clockSkew", read_skew, struct issuer, clock_skew, DURATION, "At most 60s; 30s when left out."),
    FIELD("maxLifetime", load_duration, struct issuer, max_lifetime, DURATION,
          "The most that lies between iat and exp."),
    FIELD_WHOLE("stepUp", read_step_up, KEYS(STEP_UP), "What to ask it for in a challenge."),
    FIELD_WHOLE("amrClasses", read_classes, ENTRIES(ONE_WORD(CLASSES)), "What kind of factor a method of its own is."),
    FIELD_WHOLE("phishingResistant", read_phishing_resistant, KEYS(RESISTANT),
                "What it says when a login could not have been phished."),
    FIELD_WHOLE("clients", read_clients, ENTRIES(SPIFFE_ID), "Which workload an OAuth client of its runs as."),
};
const struct block load_issuer_block = BLOCK("issuer", "an issuer", ISSUER_FIELDS);

/* True when two nodes say the same, however they are written. */
static bool says_same(const struct node *a, const struct node *b)
{
    if (a->kind != b->kind || a->count != b->count)
        return false;
    if (a->kind == NODE_SCALAR)
        return view_equals(a->text, b->text);
    for (size_t i = 0; i < a->count; i++) {
        const struct node *other = a->kind == NODE_MAP ? node_get(b, a->keys[i]->text) : b->items[i];
        if (other == NULL || !says_same(a->items[i], other))
            return false;
    }
    return true;
}

static void refuse_repeats(struct load *load, const struct node *node, const struct string_list *list, const char *what)
{
    for (size_t i = 0; i < list->count; i++)
        for (size_t j = 0; j < i; j++)
            if (view_equals(list->items[i], list->items[j]))
                load_refuse(load, CODE_ISSUER, node, NULL, "%s names `%.*s` twice", what, VIEW_ARG(list->items[i]));
}

static void read_issuer(struct load *load, const struct node *key, const struct node *node)
{
    struct model *model = load->model;
    size_t index = model->issuer_count;
    struct issuer *issuer = &load->issuers[index];
    *issuer = (struct issuer){.index = index,
                              .name = load_keep(load, key->text),
                              .span = load_position(load, key),
                              .clock_skew = SKEW_DEFAULT};
    if (!load_map(load, node, &load_issuer_block, issuer))
        return;
    refuse_repeats(load, node, &issuer->acr_order, "acrOrder");
    size_t same = 0;
    while (same < index && !view_equals(load->issuers[same].url, issuer->url))
        same++;
    bool is_known = same < index && says_same(load->issuer_nodes[same], node);
    if (same < index && !is_known)
        load_refuse(load, CODE_CONFLICT, key, "one URL means one thing in the whole set",
                    "the issuer `%.*s` has the URL of `%.*s` and says something else", VIEW_ARG(issuer->name),
                    VIEW_ARG(load->issuers[same].name));
    if (!is_known) {
        load->issuer_nodes[index] = node;
        model->issuer_count++;
    }
    (void)names_add(load, &load->scope->issuers, key, "issuer", is_known ? same : index);
}

void load_issuers(struct load *load, const struct node *node)
{
    if (!load_is(load, node, NODE_MAP, "issuers"))
        return;
    for (size_t i = 0; i < node->count && !load->is_exhausted; i++)
        read_issuer(load, node->keys[i], node->items[i]);
}

/* ---- assurance ------------------------------------------------------------------ */

static void read_factors(struct load *load, const struct node *node, void *out)
{
    uint32_t *factors = out;
    uint64_t number;
    if (load_number(load, node, 1, 3, &number))
        *factors = (uint32_t)number;
}

static const struct field METHODS_FIELDS[] = {
    {FIELD_ROW("anyOf", load_texts, offsetof(struct assurance, methods_any), FIELD_CHOICE, MANY(TEXT),
               "One of these methods was used.")},
    {FIELD_ROW("allOf", load_texts, offsetof(struct assurance, methods_all), FIELD_CHOICE, MANY(TEXT),
               "All of these methods were used.")},
};
static const struct block METHODS = BLOCK("methods", "methods", METHODS_FIELDS);

static void read_methods(struct load *load, const struct node *node, void *out)
{
    if (load_map(load, node, &METHODS, out) && node->count != 1)
        load_refuse(load, CODE_CONFLICT, node, NULL, "methods takes one of anyOf and allOf");
}

static void read_max_age(struct load *load, const struct node *node, void *out)
{
    struct assurance *assurance = out;
    assurance->has_max_age = true;
    load_duration(load, node, &assurance->max_age);
}

static const struct field ACR_FIELDS[] = {FIELD_MUST("atLeast", load_text, struct assurance, at_least, TEXT,
                                                     "This acr or one that the issuer ranks above it in acrOrder.")};
static const struct block ACR = BLOCK("acr", "acr", ACR_FIELDS);

static void read_acr(struct load *load, const struct node *node, void *out)
{
    struct assurance *assurance = out;
    if (node->kind == NODE_MAP)
        (void)load_map(load, node, &ACR, assurance);
    else
        load_texts(load, node, &assurance->acr);
}

static const struct view BINDINGS[] = {[BINDING_NONE] = WORD("none"),
                                       [BINDING_WORKLOAD] = WORD("workload"),
                                       [BINDING_CERTIFICATE] = WORD("certificate"),
                                       [BINDING_DPOP] = WORD("dpop")};

static void read_bound(struct load *load, const struct node *node, void *out)
{
    enum binding *bound = out;
    *bound = (enum binding)load_word(load, node, "a binding", BINDINGS, COUNT_OF(BINDINGS), BINDING_NONE);
}

static void read_issuer_names(struct load *load, const struct node *node, void *out)
{
    struct assurance *assurance = out;
    const struct node *const *items;
    size_t count = load_elements(&node, &items), index;
    const struct issuer **issuers = load_take(load, count, sizeof(*issuers));
    for (size_t i = 0; issuers != NULL && i < count; i++)
        if (names_find(load, &load->scope->issuers, items[i], CODE_UNKNOWN_ISSUER, "issuer", &index))
            issuers[assurance->issuer_count++] = &load->issuers[index];
    assurance->issuers = issuers;
    if (count == 0)
        load_refuse(load, CODE_EMPTY, node, "leave the key out to take every issuer", "the list is empty");
}

static const struct field ASSURANCE_FIELDS[] = {
    FIELD("factors", read_factors, struct assurance, factors, NUMBER(1, 3), "How many kinds of factors."),
    FIELD_WHOLE("methods", read_methods, KEYS(METHODS), "Which methods of authentication."),
    FIELD("phishingResistant", load_bool, struct assurance, phishing_resistant, BOOL,
          "A login that cannot be phished."),
    FIELD_WHOLE("maxAge", read_max_age, DURATION, "How long ago the user may have logged in."),
    FIELD_WHOLE("acr", read_acr, EITHER(MANY(TEXT), KEYS(ACR)), "One of these acr values, or at least that one."),
    FIELD("bound", read_bound, struct assurance, bound, ONE_WORD(BINDINGS), "What the token must be bound to."),
    FIELD_WHOLE("issuers", read_issuer_names, MANY(NAME), "Left out: every issuer of the document."),
    FIELD("ask", load_texts, struct assurance, ask, MANY(TEXT), "The acr values that a challenge asks for."),
};
const struct block load_assurance_block = BLOCK_SOME("assurance", "an assurance", ASSURANCE_FIELDS);

/* Blocks are local to their document: an assurance that names no issuer means
 * every issuer of its own. */
static void take_every_issuer(struct load *load, struct assurance *assurance)
{
    const struct names *names = &load->scope->issuers;
    const struct issuer **issuers = load_take(load, names->count, sizeof(*issuers));
    if (issuers == NULL)
        return;
    for (size_t i = 0; i < names->count; i++)
        issuers[i] = &load->issuers[names->definitions[i].index];
    assurance->issuers = issuers;
    assurance->issuer_count = names->count;
}

/* The acr and what the issuer ranks above it; empty when it ranks it nowhere. */
static struct string_list from_acr(const struct issuer *issuer, struct view least)
{
    for (size_t i = 0; i < issuer->acr_order.count; i++)
        if (view_equals(issuer->acr_order.items[i], least))
            return (struct string_list){.items = issuer->acr_order.items + i, .count = issuer->acr_order.count - i};
    return (struct string_list){0};
}

static struct string_list asked_of(const struct assurance *assurance, const struct issuer *issuer)
{
    if (assurance->ask.count > 0)
        return assurance->ask;
    if (assurance->acr.count > 0)
        return assurance->acr;
    if (view_is_present(assurance->at_least))
        return from_acr(issuer, assurance->at_least);
    if (assurance->phishing_resistant)
        return issuer->step_up_phishing_resistant;
    if (assurance->factors > 0 || assurance->methods_any.count > 0 || assurance->methods_all.count > 0)
        return issuer->step_up_two_factors;
    return (struct string_list){0};
}

/* Challenges must be answerable: what can fail on factors, methods or phishing
 * resistance must have a value to ask for, or the user goes round in a loop. */
static void check_answerable(struct load *load, const struct node *key, const struct assurance *assurance,
                             const struct issuer *issuer)
{
    bool can_fail = assurance->factors > 0 || assurance->methods_any.count > 0 || assurance->methods_all.count > 0 ||
                    assurance->phishing_resistant;
    if (view_is_present(assurance->at_least) && from_acr(issuer, assurance->at_least).count == 0) {
        load_refuse(load, CODE_ACR_ORDER, key, "list the acr values in the issuer's acrOrder, lowest first",
                    "the assurance `%.*s` wants at least `%.*s`, which the issuer `%.*s` does not rank",
                    VIEW_ARG(assurance->name), VIEW_ARG(assurance->at_least), VIEW_ARG(issuer->name));
    } else if (can_fail && assurance->asked_of[issuer->index].count == 0) {
        load_refuse(load, CODE_UNANSWERABLE, key,
                    assurance->phishing_resistant ? "give the issuer stepUp.phishingResistant, or the assurance `ask`"
                                                  : "give the issuer stepUp.twoFactors, or the assurance `ask`",
                    "a challenge for `%.*s` could not be answered at the issuer `%.*s`", VIEW_ARG(assurance->name),
                    VIEW_ARG(issuer->name));
    }
}

static void read_assurance(struct load *load, const struct node *key, const struct node *node,
                           struct assurance *assurance)
{
    if (!load_map(load, node, &load_assurance_block, assurance))
        return;
    if (node->count == 0)
        load_refuse(load, CODE_EMPTY, node, "say factors, methods, phishingResistant, maxAge, acr or bound",
                    "the assurance `%.*s` asks for nothing", VIEW_ARG(assurance->name));
    struct string_list *asked = load_take(load, load->issuer_room, sizeof(*asked));
    const struct names *issuers = &load->scope->issuers;
    if (node_get(node, VIEW("issuers")) == NULL)
        take_every_issuer(load, assurance);
    if (asked == NULL || load->is_exhausted)
        return;
    assurance->asked_of = asked;
    if (issuers->count == 0)
        load_refuse(load, CODE_UNANSWERABLE, key, "name the identity provider under `issuers`",
                    "the assurance `%.*s` without any issuer", VIEW_ARG(assurance->name));
    for (size_t i = 0; i < assurance->issuer_count; i++) {
        const struct issuer *issuer = assurance->issuers[i];
        asked[issuer->index] = asked_of(assurance, issuer);
        check_answerable(load, key, assurance, issuer);
    }
}

void load_assurances(struct load *load, const struct node *node)
{
    if (!load_is(load, node, NODE_MAP, "assurance"))
        return;
    for (size_t i = 0; i < node->count && !load->is_exhausted; i++) {
        size_t index = load->model->assurance_count;
        struct assurance *assurance = &load->assurances[index];
        if (!names_add(load, &load->scope->assurances, node->keys[i], "assurance", index))
            continue;
        *assurance = (struct assurance){
            .index = index, .name = load_keep(load, node->keys[i]->text), .span = load_position(load, node->keys[i])};
        load->model->assurance_count++;
        read_assurance(load, node->keys[i], node->items[i], assurance);
    }
}
