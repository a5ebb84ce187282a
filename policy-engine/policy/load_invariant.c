/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

/* The map under `never` or `always`: an invariant without its name. */

static const struct view VERDICTS[] = {
    [VERDICT_DENY] = WORD("deny"), [VERDICT_CHALLENGE] = WORD("challenge"), [VERDICT_ALLOW] = WORD("allow")};

struct draft {
    struct invariant invariant;
    struct rule_draft selected, excluded;
};

static void read_verdict(struct load *load, const struct node *node, void *out)
{
    enum verdict *verdict = out;
    *verdict = (enum verdict)load_word(load, node, "an answer", VERDICTS, COUNT_OF(VERDICTS), VERDICT_DENY);
}

/* An invariant speaks of who somebody is, not of how that is known. */
static void read_who(struct load *load, const struct node *node, void *out)
{
    struct rule_draft *selector = out;
    const struct node *proof = node->kind == NODE_MAP ? node_get(node, VIEW("proof")) : NULL;
    if (proof != NULL)
        load_refuse(load, CODE_EFFECT, proof, "leave `proof` out", "an invariant holds however the caller is known");
    else
        load_subjects(load, node, selector);
}

static void read_excluded(struct load *load, const struct node *node, void *out)
{
    struct draft *draft = out;
    draft->invariant.has_excluded = true;
    read_who(load, node, &draft->excluded);
    const struct rule_subjects *who = &draft->excluded.subjects;
    if (who->workload_demand == WORKLOAD_UNCONSTRAINED && who->user_demand == USER_UNCONSTRAINED &&
        who->delegation == DELEGATION_UNCONSTRAINED)
        load_refuse(load, CODE_EMPTY, node, "leave the key out", "nobody is left when everybody is taken out");
}

/* `none` stands against every level of the document. */
static void take_levels(struct load *load, struct invariant *invariant)
{
    const struct names *names = &load->scope->assurances;
    const struct assurance **levels = load_take(load, names->count, sizeof(*levels));
    for (size_t i = 0; levels != NULL && i < names->count; i++)
        levels[i] = &load->assurances[names->definitions[i].index];
    invariant->levels = levels;
    invariant->level_count = levels != NULL ? names->count : 0;
}

static void read_level(struct load *load, const struct node *node, void *out)
{
    struct invariant *invariant = &((struct draft *)out)->invariant;
    size_t index;
    if (node->kind == NODE_SCALAR && view_equals(node->text, VIEW("none"))) {
        invariant->assurance = INVARIANT_NO_ASSURANCE;
        take_levels(load, invariant);
        return;
    }
    const struct assurance **level = load_take(load, 1, sizeof(*level));
    if (level == NULL || !names_find(load, &load->scope->assurances, node, CODE_UNKNOWN_ASSURANCE, "assurance", &index))
        return;
    level[0] = &load->assurances[index];
    invariant->assurance = INVARIANT_LEVEL;
    invariant->levels = level;
    invariant->level_count = 1;
}

static const struct view EVERYBODY[] = {WORD("any")};

static const struct field CLAIM_FIELDS[] = {
    FIELD_MUST("verdict", read_verdict, struct draft, invariant.verdict, ONE_WORD(VERDICTS),
               "The answer it speaks of."),
    FIELD("subjects", read_who, struct draft, selected, EITHER(ONE_WORD(EVERYBODY), KEYS(load_subjects_block)),
          "Only requests of these; `proof` has no place here."),
    FIELD_WHOLE("notSubjects", read_excluded, KEYS(load_subjects_block), "Not the requests of these."),
    FIELD("actions", load_action_names, struct draft, selected, MANY(NAME), "Only requests of these actions."),
    FIELD("resources", load_selector, struct draft, selected, KEYS(load_selector_block), "Only requests about these."),
    FIELD_WHOLE("assurance", read_level, NAME,
                "`none`: only requests without MFA (no user, fewer than two factors, or no level of the document met); "
                "a level: only those that meet it."),
};
static const struct block CLAIM = BLOCK("invariantClaim", "an invariant", CLAIM_FIELDS);

static void read_name(struct load *load, const struct node *node, void *out)
{
    load_name(load, node, &((struct invariant *)out)->name);
}

/* The selectors judge as a deny does: what cannot be judged stays open, and whether that
 * counts is the question's to say. */
static void read_claim(struct load *load, const struct node *node, struct invariant *invariant)
{
    struct draft draft = {.invariant = *invariant};
    load_rule_init(&draft.selected);
    load_rule_init(&draft.excluded);
    (void)load_map(load, node, &CLAIM, &draft);
    *invariant = draft.invariant;
    (void)(load_rule_keep(load, &draft.selected, &invariant->selected) &&
           load_rule_keep(load, &draft.excluded, &invariant->excluded));
}

static void read_never(struct load *load, const struct node *node, void *out)
{
    read_claim(load, node, out);
}

static void read_always(struct load *load, const struct node *node, void *out)
{
    ((struct invariant *)out)->is_always = true;
    read_claim(load, node, out);
}

static const struct field INVARIANT_FIELDS[] = {
    FIELD_WHOLE_MUST("name", read_name, NAME, "Unique in the document."),
    FIELD_ONE_OF("never", read_never, KEYS(CLAIM), "No request that it selects has the answer."),
    FIELD_ONE_OF("always", read_always, KEYS(CLAIM), "Every request that it selects has the answer."),
};
const struct block load_invariant_block = BLOCK("invariant", "an invariant", INVARIANT_FIELDS);

void load_invariants(struct load *load, const struct node *node)
{
    struct names names;
    if (!load_is(load, node, NODE_LIST, "invariants"))
        return;
    names_init(load, &names, node->count);
    for (size_t i = 0; i < node->count && !load->is_exhausted; i++) {
        const struct node *item = node->items[i];
        struct invariant *invariant = &load->invariants[load->model->invariant_count++];
        *invariant = (struct invariant){.span = load_position(load, item)};
        if (!load_map(load, item, &load_invariant_block, invariant))
            continue;
        const struct node *name = node_get(item, VIEW("name"));
        if (name != NULL && name->kind == NODE_SCALAR)
            (void)names_add(load, &names, name, "invariant", i);
        if ((node_get(item, VIEW("never")) == NULL) == (node_get(item, VIEW("always")) == NULL))
            load_refuse(load, CODE_MISSING_KEY, item, NULL, "an invariant says either `never` or `always`");
    }
}
