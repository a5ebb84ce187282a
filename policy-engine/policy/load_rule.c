/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include "facts.h"

enum { PRIORITY_MAX = 15 };

static const struct workload_selector NO_SELECTOR;
static const struct purpose NO_PURPOSE;
static const struct obligation_set NO_OBLIGATIONS = {.audit = AUDIT_SUMMARY};
static const struct rule_resources NO_RESOURCES;

void load_rule_init(struct rule_draft *draft)
{
    *draft = (struct rule_draft){.rule = {.effect = RULE_DENY},
                                 .subjects = {.accepts_xfcc_text = true, .workload = &NO_SELECTOR},
                                 .terms = {.purpose = &NO_PURPOSE, .obligations = &NO_OBLIGATIONS}};
}

bool load_rule_keep(struct load *load, const struct rule_draft *draft, struct rule *out)
{
    struct rule rule = draft->rule;
    rule.subjects = load_share(load, &draft->subjects, 1, sizeof(draft->subjects));
    rule.resources = &NO_RESOURCES;
    if (rule.has_resources)
        rule.resources = load_share(load, &draft->resources, 1, sizeof(draft->resources));
    rule.terms = load_share(load, &draft->terms, 1, sizeof(draft->terms));
    if (load->is_exhausted)
        return false;
    *out = rule;
    return true;
}

/* Names to pointers: the same three lines for roles, actions and types. */
static size_t find_each(struct load *load, const struct node *node, const struct names *names, enum code code,
                        const char *what, size_t *indices)
{
    const struct node *const *items;
    size_t count = load_elements(&node, &items), found = 0;
    for (size_t i = 0; i < count; i++)
        if (names_find(load, names, items[i], code, what, &indices[found]))
            found++;
    if (count == 0)
        load_refuse(load, CODE_EMPTY, node, "leave the key out to constrain nothing", "the list is empty");
    return found;
}

static size_t *take_indices(struct load *load, const struct node *node)
{
    const struct node *const *items;
    size_t *indices = arena_take_array(load->passing, load_elements(&node, &items), sizeof(*indices));
    if (indices == NULL)
        load->is_exhausted = true;
    return indices;
}

/* ---- subjects --------------------------------------------------------------------- */

static const struct role *const *read_roles(struct load *load, const struct node *node, enum role_kind kind,
                                            uint32_t *count)
{
    size_t *indices = take_indices(load, node);
    const struct node *const *items;
    const struct role **roles = arena_take_array(load->passing, load_elements(&node, &items), sizeof(*roles));
    *count = 0;
    if (indices == NULL || roles == NULL) {
        load->is_exhausted = true;
        return NULL;
    }
    *count = (uint32_t)find_each(load, node, &load->scope->roles, CODE_UNKNOWN_ROLE, "role", indices);
    for (size_t i = 0; i < *count; i++) {
        roles[i] = &load->roles[indices[i]];
        if (roles[i]->kind != kind)
            load_refuse(
                load, CODE_ROLE_MIXED, node, kind == ROLE_USER ? "name it under `workload`" : "name it under `user`",
                "the role `%.*s` is one of %s", VIEW_ARG(roles[i]->name), kind == ROLE_USER ? "workloads" : "users");
    }
    const struct role *const *kept = load_share(load, roles, *count, sizeof(*roles));
    *count = kept != NULL ? *count : 0;
    return kept;
}

static bool is_word(const struct node *node, const char *word)
{
    return node->kind == NODE_SCALAR && view_equals(node->text, view_of(word));
}

static void read_workload(struct load *load, const struct node *node, void *out)
{
    struct rule_draft *draft = out;
    if (is_word(node, "any")) {
        draft->subjects.workload_demand = WORKLOAD_ANY;
    } else if (node->kind == NODE_MAP) {
        struct workload_selector *workload = load_take(load, 1, sizeof(*workload));
        draft->subjects.workload_demand = WORKLOAD_SELECTED;
        if (workload == NULL)
            return;
        load_workload(load, node, workload);
        draft->subjects.workload = workload;
    } else {
        draft->subjects.workload_demand = WORKLOAD_ROLES;
        draft->subjects.workload_roles = read_roles(load, node, ROLE_WORKLOAD, &draft->subjects.workload_role_count);
    }
}

static void read_user(struct load *load, const struct node *node, void *out)
{
    struct rule_draft *draft = out;
    if (is_word(node, "any")) {
        draft->subjects.user_demand = USER_ANY;
    } else if (is_word(node, "none")) {
        draft->subjects.user_demand = USER_NONE;
    } else if (node->kind == NODE_MAP) {
        load_refuse(load, CODE_TYPE, node, "make it a role, and name the role here", "user takes any, none or roles");
    } else {
        draft->subjects.user_demand = USER_ROLES;
        draft->subjects.user_roles = read_roles(load, node, ROLE_USER, &draft->subjects.user_role_count);
    }
}

static void read_actor(struct load *load, const struct node *node, void *out)
{
    (void)out;
    if (!is_word(node, "peer"))
        load_refuse(load, CODE_VALUE, node, "write actor: peer", "the actor can only be the calling peer");
}

static void read_depth(struct load *load, const struct node *node, void *out)
{
    struct rule_draft *draft = out;
    uint64_t depth;
    if (load_number(load, node, 1, FACTS_ACTORS_MAX, &depth))
        draft->subjects.max_depth = (uint8_t)depth;
}

static const struct view ACTORS[] = {WORD("peer")};
static const struct view DELEGATIONS[] = {WORD("none"), WORD("any")};
static const struct view PROOFS[] = {WORD("certificate"), WORD("xfcc-text")};

static const struct field DELEGATION_FIELDS[] = {
    FIELD_WHOLE_MUST("actor", read_actor, ONE_WORD(ACTORS),
                     "peer: the last actor of the token is the calling workload."),
    FIELD_WHOLE("maxDepth", read_depth, NUMBER(1, FACTS_ACTORS_MAX), "How many actors at most."),
};
static const struct block DELEGATION = BLOCK("delegation", "delegation", DELEGATION_FIELDS);

static void read_delegation(struct load *load, const struct node *node, void *out)
{
    struct rule_draft *draft = out;
    if (node->kind == NODE_MAP) {
        draft->subjects.delegation = DELEGATION_PEER;
        draft->subjects.max_depth = FACTS_ACTORS_MAX;
        (void)load_map(load, node, &DELEGATION, draft);
        return;
    }
    size_t word = load_word(load, node, "a delegation", DELEGATIONS, COUNT_OF(DELEGATIONS), 0);
    draft->subjects.delegation = word == 0 ? DELEGATION_NONE : DELEGATION_ANY;
}

static void read_proof(struct load *load, const struct node *node, void *out)
{
    struct rule_draft *draft = out;
    bool is_text = load_word(load, node, "a proof", PROOFS, COUNT_OF(PROOFS), 0) == 1;
    if (draft->rule.effect == RULE_DENY && !is_text)
        load_refuse(load, CODE_EFFECT, node, "leave `proof` out", "a deny rule holds however the caller is known");
    draft->subjects.accepts_xfcc_text = is_text || draft->rule.effect == RULE_DENY;
}

static const struct view SUBJECT_WORDS[] = {WORD("any")};

static const struct field SUBJECT_FIELDS[] = {
    FIELD_WHOLE("workload", read_workload, EITHER(MANY(NAME), KEYS(load_workload_block)),
                "`any`, roles of workloads, or a workload as in a role."),
    FIELD_WHOLE("user", read_user, MANY(NAME), "`any`, `none`, or roles of users."),
    FIELD_WHOLE("delegation", read_delegation, EITHER(ONE_WORD(DELEGATIONS), KEYS(DELEGATION)),
                "Whether somebody acts for the user; an allow that is silent takes no delegated token."),
    FIELD_WHOLE("proof", read_proof, ONE_WORD(PROOFS),
                "xfcc-text: the proxy's word for the caller is enough; certificate, the default: it is not."),
};
const struct block load_subjects_block = BLOCK_SOME("subjects", "subjects", SUBJECT_FIELDS);

void load_subjects(struct load *load, const struct node *node, void *out)
{
    if (is_word(node, "any"))
        return;
    if (node->kind == NODE_MAP && node->count == 0)
        load_refuse(load, CODE_EMPTY, node, "write `subjects: any`", "subjects is empty");
    (void)load_map(load, node, &load_subjects_block, out);
}

/* ---- what it is about ---------------------------------------------------------------- */

void load_action_names(struct load *load, const struct node *node, void *out)
{
    struct rule_draft *draft = out;
    size_t *indices = take_indices(load, node);
    const struct node *const *items;
    const struct action **actions = arena_take_array(load->passing, load_elements(&node, &items), sizeof(*actions));
    if (indices == NULL || actions == NULL) {
        load->is_exhausted = true;
        return;
    }
    size_t count = find_each(load, node, &load->scope->actions, CODE_UNKNOWN_ACTION, "action", indices);
    for (size_t i = 0; i < count; i++)
        actions[i] = &load->actions[indices[i]];
    draft->rule.actions = load_share(load, actions, count, sizeof(*actions));
    draft->rule.action_count = draft->rule.actions != NULL ? (uint32_t)count : 0;
}

static void keep_types(struct load *load, const size_t *indices, size_t count, struct rule_draft *draft)
{
    const struct resource_type **types = arena_take_array(load->passing, count, sizeof(*types));
    if (types == NULL) {
        load->is_exhausted = true;
        return;
    }
    for (size_t i = 0; i < count; i++)
        types[i] = &load->types[indices[i]];
    draft->resources.types = load_share(load, types, count, sizeof(*types));
    draft->resources.type_count = draft->resources.types != NULL ? (uint32_t)count : 0;
}

static void read_types(struct load *load, const struct node *node, void *out)
{
    size_t *indices = take_indices(load, node);
    if (indices != NULL)
        keep_types(load, indices,
                   find_each(load, node, &load->scope->types, CODE_UNKNOWN_TYPE, "resource type", indices), out);
}

/* Blocks are local to their document: silent on types means all of its own. */
static void take_every_type(struct load *load, struct rule_draft *draft)
{
    const struct names *names = &load->scope->types;
    size_t *indices = arena_take_array(load->passing, names->count, sizeof(*indices));
    load->is_exhausted = load->is_exhausted || indices == NULL;
    for (size_t i = 0; indices != NULL && i < names->count; i++)
        indices[i] = names->definitions[i].index;
    if (indices != NULL)
        keep_types(load, indices, names->count, draft);
}

static void read_ids(struct load *load, const struct node *node, void *out)
{
    struct rule_draft *draft = out;
    size_t count;
    draft->resources.ids = load_array(load, node, sizeof(*draft->resources.ids), load_id_pattern, &count);
    draft->resources.id_count = (uint32_t)count;
    if (draft->resources.id_count == 0 && !load->is_exhausted)
        load_refuse(load, CODE_EMPTY, node, "leave the key out to take any id", "the list is empty");
}

static struct label_test *read_label_tests(struct load *load, const struct node *node, uint32_t *count)
{
    *count = 0;
    if (!load_is(load, node, NODE_MAP, "labels"))
        return NULL;
    struct label_test *tests = load_take(load, node->count, sizeof(*tests));
    for (size_t i = 0; tests != NULL && i < node->count; i++) {
        load_name(load, node->keys[i], &tests[i].key);
        load_texts(load, node->items[i], &tests[i].values);
    }
    *count = tests != NULL ? (uint32_t)node->count : 0;
    if (node->count == 0)
        load_refuse(load, CODE_EMPTY, node, "leave the key out to constrain nothing", "no labels are named");
    return tests;
}

static void read_labels(struct load *load, const struct node *node, void *out)
{
    struct rule_draft *draft = out;
    draft->resources.labels = read_label_tests(load, node, &draft->resources.label_count);
}

static void read_not_labels(struct load *load, const struct node *node, void *out)
{
    struct rule_draft *draft = out;
    draft->resources.not_labels = read_label_tests(load, node, &draft->resources.not_label_count);
}

static const struct shape ID_PATTERN = {.title = "literal or prefix*", .pattern = "^[^*]*\\*?$", .takes_numbers = true};

static const struct field RULE_RESOURCES_FIELDS[] = {
    FIELD_WHOLE("types", read_types, MANY(NAME), "Left out: every type of the document."),
    FIELD_WHOLE("ids", read_ids, MANY(&ID_PATTERN), "Literals and prefixes that end in `*`."),
    FIELD_WHOLE("labels", read_labels, NAMED(MANY(TEXT)), "Labels it must have, each with one of these values."),
    FIELD_WHOLE("notLabels", read_not_labels, NAMED(MANY(TEXT)), "Labels it must not have with one of these values."),
};
const struct block load_selector_block = BLOCK_SOME("ruleResources", "resources", RULE_RESOURCES_FIELDS);

void load_selector(struct load *load, const struct node *node, void *out)
{
    struct rule_draft *draft = out;
    draft->rule.has_resources = true;
    if (!load_map(load, node, &load_selector_block, draft))
        return;
    if (node->count == 0)
        load_refuse(load, CODE_EMPTY, node, "leave the key out to constrain nothing", "resources says nothing");
    if (node_get(node, VIEW("types")) == NULL)
        take_every_type(load, draft);
    if (draft->resources.type_count == 0 && load->scope->types.count == 0)
        load_refuse(load, CODE_UNKNOWN_TYPE, node, "say under `resourceTypes` where a request names its resource",
                    "a rule about resources in a document without resource types");
}

/* ---- conditions ------------------------------------------------------------------------ */

static void read_assurance(struct load *load, const struct node *node, void *out)
{
    const struct assurance **assurance = out;
    size_t index;
    if (names_find(load, &load->scope->assurances, node, CODE_UNKNOWN_ASSURANCE, "assurance", &index))
        *assurance = &load->assurances[index];
}

static void read_purpose_source(struct load *load, const struct node *node, void *out)
{
    struct purpose *purpose = out;
    if (!load_is(load, node, NODE_SCALAR, "from"))
        return;
    size_t dot = view_index_of(node->text, '.', 0);
    struct view from = view_slice(node->text, 0, dot);
    struct node name = *node; /* the same place, without the prefix */
    name.text = view_slice(node->text, dot + 1, node->text.size);
    purpose->is_claim = view_equals(from, VIEW("claim"));
    if (purpose->is_claim && name.text.size > 0)
        load_claim_text(load, node, name.text, &purpose->claim);
    else if (view_equals(from, VIEW("header")) && name.text.size > 0)
        load_read_header(load, &name, &purpose->header);
    else
        load_refuse(load, CODE_VALUE, node, "write claim.NAME or header.NAME", "`%.*s` is no place to find a purpose",
                    VIEW_ARG(node->text));
}

static const struct shape PURPOSE_SOURCE = {.title = "claim.NAME or header.NAME", .pattern = "^(claim|header)\\..+$"};

static const struct field PURPOSE_FIELDS[] = {
    FIELD_WHOLE_MUST("from", read_purpose_source, &PURPOSE_SOURCE, "Where a request says what it is for."),
    FIELD_MUST("anyOf", load_texts, struct purpose, values, MANY(TEXT), "What it may say."),
};
static const struct block PURPOSE = BLOCK("purpose", "purpose", PURPOSE_FIELDS);

static void read_purpose(struct load *load, const struct node *node, void *out)
{
    struct rule_draft *draft = out;
    struct purpose *purpose = load_take(load, 1, sizeof(*purpose));
    if (purpose == NULL)
        return;
    purpose->is_demanded = true;
    (void)load_map(load, node, &PURPOSE, purpose);
    draft->terms.purpose = purpose;
}

static void read_obligations(struct load *load, const struct node *node, void *out)
{
    struct rule_draft *draft = out;
    struct obligation_set *obligations = load_take(load, 1, sizeof(*obligations));
    if (obligations == NULL)
        return;
    *obligations = NO_OBLIGATIONS;
    load_obligations(load, node, obligations);
    draft->terms.obligations = obligations;
}

static void read_priority(struct load *load, const struct node *node, void *out)
{
    uint8_t *priority = out;
    uint64_t number;
    if (load_number(load, node, 0, PRIORITY_MAX, &number))
        *priority = (uint8_t)number;
}

/* ---- one rule ---------------------------------------------------------------------------- */

static const struct field RULE_FIELDS[] = {
    FIELD_ONE_OF("allow", NULL, NAME, "Begins a rule that allows, and names it."),
    FIELD_ONE_OF("deny", NULL, NAME, "Begins a rule that denies, and names it."),
    FIELD("priority", read_priority, struct rule_draft, rule.priority, NUMBER(0, PRIORITY_MAX),
          "The highest with a deciding rule decides; 0 when left out."),
    FIELD_WHOLE("subjects", load_subjects, EITHER(ONE_WORD(SUBJECT_WORDS), KEYS(load_subjects_block)), "Who asks."),
    FIELD_WHOLE("actions", load_action_names, MANY(NAME), "Left out: every request."),
    FIELD_WHOLE("resources", load_selector, KEYS(load_selector_block), "What it is about; left out: anything."),
    FIELD_BESIDE("allow", "assurance", read_assurance, struct rule_draft, terms.assurance, NAME,
                 "How sure one must be of the user; lacking it is a challenge."),
    {FIELD_ROW("purpose", read_purpose, 0, FIELD_OPTIONAL, KEYS(PURPOSE), "What the request is for."),
     .beside = "allow"},
    FIELD("when", load_condition, struct rule_draft, rule.when, KEYS(load_condition_block), "What else must hold."),
    FIELD_BESIDE("deny", "unless", load_condition, struct rule_draft, terms.unless, KEYS(load_condition_block),
                 "What lifts the denial."),
    FIELD_BESIDE("deny", "unlessAssurance", read_assurance, struct rule_draft, terms.unless_assurance, NAME,
                 "The assurance that lifts the denial; lacking it is a challenge."),
    FIELD_WHOLE("obligations", read_obligations, KEYS(load_obligation_block), "What goes with the answer."),
    FIELD("reason", load_text, struct rule_draft, terms.reason, TEXT, "Text for whoever reads the record."),
};
const struct block load_rule_block = BLOCK("rule", "a rule", RULE_FIELDS);

static void refuse_other_effect(struct load *load, const struct node *node, const struct rule_draft *draft)
{
    const char *effect = draft->rule.effect == RULE_ALLOW ? "allow" : "deny";
    for (size_t i = 0; i < node->count; i++) {
        const struct field *field = block_field(&load_rule_block, node->keys[i]->text);
        if (field != NULL && field->beside != NULL && strcmp(field->beside, effect) != 0)
            load_refuse(load, CODE_EFFECT, node->keys[i],
                        draft->rule.effect == RULE_ALLOW ? "an allow rule says what must hold under `when`"
                                                         : "a deny rule says `unlessAssurance`, and `when` or `unless`",
                        "`%.*s` belongs to %s rules", VIEW_ARG(node->keys[i]->text), field->beside);
    }
    const struct node *obligations = node_get(node, VIEW("obligations"));
    const struct node *denial = node_get(obligations, VIEW("deny"));
    if (draft->rule.effect == RULE_ALLOW && denial != NULL)
        load_refuse(load, CODE_EFFECT, denial, "a denial by default looks as its reason says",
                    "`deny` would never be carried out: an allow rule denies nothing");
    for (size_t i = 0; draft->rule.effect == RULE_DENY && obligations != NULL && obligations->kind == NODE_MAP &&
                       i < obligations->count;
         i++)
        if (!view_equals(obligations->keys[i]->text, VIEW("audit")) &&
            !view_equals(obligations->keys[i]->text, VIEW("deny")))
            load_refuse(load, CODE_EFFECT, obligations->keys[i], NULL,
                        "`%.*s` would never be carried out: a deny rule passes nothing on",
                        VIEW_ARG(obligations->keys[i]->text));
}

/* What only the whole rule shows. */
static void check_rule(struct load *load, const struct node *node, const struct rule_draft *draft)
{
    refuse_other_effect(load, node, draft);
    if (draft->rule.has_resources && draft->terms.obligations->audit == AUDIT_MINIMAL)
        load_refuse(load, CODE_AUDIT_MINIMAL, node_get(node, VIEW("obligations")), "leave `audit` out for a summary",
                    "the rule `%.*s` is about resources: audit minimal would forget which", VIEW_ARG(draft->rule.name));
    if (draft->terms.assurance != NULL && draft->subjects.user_demand == USER_NONE)
        load_refuse(load, CODE_CONFLICT, node_get(node, VIEW("assurance")), NULL,
                    "assurance about a user, in a rule for requests without one");
}

/* The key that names the rule and says what it does, or NULL and an error. */
static const struct node *head_of(struct load *load, const struct node *node, struct rule_draft *draft)
{
    const struct node *allow = node_get(node, VIEW("allow")), *deny = node_get(node, VIEW("deny"));
    if ((allow == NULL) == (deny == NULL)) {
        load_refuse(load, CODE_MISSING_KEY, node, "begin with `allow: NAME` or `deny: NAME`",
                    allow == NULL ? "a rule that neither allows nor denies" : "a rule that allows and denies");
        return NULL;
    }
    draft->rule.effect = allow != NULL ? RULE_ALLOW : RULE_DENY;
    return allow != NULL ? allow : deny;
}

/* A rule's name in the set: its document's before it. */
static struct view qualify(struct load *load, struct view name)
{
    const struct view parts[] = {load->document->name, VIEW("/"), name};
    struct view full = arena_join(load->passing, parts, COUNT_OF(parts));
    load->is_exhausted = load->is_exhausted || !view_is_present(full);
    return load_keep(load, full);
}

static void read_rule(struct load *load, const struct node *node)
{
    size_t index = load->model->rule_count;
    struct rule_draft draft;
    load_rule_init(&draft);
    draft.rule.index = (uint32_t)index;
    draft.terms.owner = load->document->owner;
    draft.rule.span = load_position(load, node);
    if (!load_is(load, node, NODE_MAP, "a rule"))
        return;
    const struct node *name = head_of(load, node, &draft);
    if (name != NULL && load_is(load, name, NODE_SCALAR, "a rule's name")) {
        (void)names_add(load, &load->scope->rules, name, "rule", index);
        draft.rule.name = qualify(load, name->text);
    }
    draft.subjects.delegation = draft.rule.effect == RULE_ALLOW ? DELEGATION_NONE : DELEGATION_UNCONSTRAINED;
    draft.subjects.accepts_xfcc_text = draft.rule.effect == RULE_DENY;
    (void)load_map(load, node, &load_rule_block, &draft);
    if (name != NULL)
        check_rule(load, node, &draft);
    if (load_rule_keep(load, &draft, &load->rules_made[index]))
        load->model->rule_count++;
}

void load_rules(struct load *load, const struct node *node)
{
    if (!load_is(load, node, NODE_LIST, "rules"))
        return;
    struct document_walk walk = document_walk(load->document->tape, node);
    const struct node *key, *item;
    while (load_next(load, node, &walk, &key, &item))
        read_rule(load, item);
}
