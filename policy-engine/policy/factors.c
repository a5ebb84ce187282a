/* SPDX-License-Identifier: Apache-2.0 */
#include "factors.h"

#include "match.h"

struct amr_row {
    struct view amr;
    enum factor_class factor;
};

#define ROW(text, class)                                                                                               \
    {                                                                                                                  \
        {text, sizeof(text) - 1}, class                                                                                \
    }
static const struct amr_row registry[] = {
    ROW("pwd", FACTOR_KNOWLEDGE),  ROW("pin", FACTOR_KNOWLEDGE),  ROW("kba", FACTOR_KNOWLEDGE),
    ROW("wia", FACTOR_KNOWLEDGE),  ROW("otp", FACTOR_POSSESSION), ROW("hwk", FACTOR_POSSESSION),
    ROW("swk", FACTOR_POSSESSION), ROW("pop", FACTOR_POSSESSION), ROW("sc", FACTOR_POSSESSION),
    ROW("sms", FACTOR_POSSESSION), ROW("tel", FACTOR_POSSESSION), ROW("face", FACTOR_INHERENCE),
    ROW("fpt", FACTOR_INHERENCE),  ROW("iris", FACTOR_INHERENCE), ROW("retina", FACTOR_INHERENCE),
    ROW("vbm", FACTOR_INHERENCE),
};

enum factor_class factors_class(const struct issuer *issuer, struct view amr)
{
    for (size_t i = 0; issuer && i < issuer->amr_class_count; i++)
        if (view_equals(issuer->amr_classes[i].amr, amr))
            return issuer->amr_classes[i].factor;
    for (size_t i = 0; i < sizeof registry / sizeof registry[0]; i++)
        if (view_equals(registry[i].amr, amr))
            return registry[i].factor;
    return FACTOR_UNKNOWN_CLASS;
}

static bool is_classed_by_issuer(const struct issuer *issuer, struct view amr)
{
    for (size_t i = 0; i < issuer->amr_class_count; i++)
        if (view_equals(issuer->amr_classes[i].amr, amr))
            return true;
    return false;
}

/* What the methods seen so far prove. */
struct proof_sum {
    unsigned classes;  /* bit per enum factor_class */
    bool is_asserted;  /* a trusted `mfa` */
    bool stands_alone; /* kba or wia */
    bool is_phishing_resistant;
};

static void method_add(const struct issuer *issuer, struct view amr, struct proof_sum *sum)
{
    if (match_string(&issuer->phishing_resistant_amr, amr))
        sum->is_phishing_resistant = true;
    if (view_equals(amr, VIEW("mfa")) && issuer->trusts_mfa_assertion)
        sum->is_asserted = true;
    bool is_weak = view_equals(amr, VIEW("kba")) || view_equals(amr, VIEW("wia"));
    if (is_weak && !is_classed_by_issuer(issuer, amr)) {
        sum->stands_alone = true;
        return;
    }
    enum factor_class factor = factors_class(issuer, amr);
    if (factor != FACTOR_UNKNOWN_CLASS)
        sum->classes |= 1u << factor;
}

static const struct amr_alias *alias_of(const struct issuer *issuer, struct view amr)
{
    for (size_t i = 0; i < issuer->amr_alias_count; i++)
        if (view_equals(issuer->amr_aliases[i].theirs, amr))
            return &issuer->amr_aliases[i];
    return NULL;
}

static bool acr_is_phishing_resistant(const struct issuer *issuer, struct view acr)
{
    return view_equals(acr, VIEW("phr")) || view_equals(acr, VIEW("phrh")) ||
           match_string(&issuer->step_up_phishing_resistant, acr) || match_string(&issuer->phishing_resistant_acr, acr);
}

struct factors factors_of(const struct issuer *issuer, const struct user_facts *user)
{
    struct proof_sum sum = {0};
    for (size_t i = 0; user->has_amr && i < user->amr_count; i++) {
        method_add(issuer, user->amr[i], &sum);
        const struct amr_alias *alias = alias_of(issuer, user->amr[i]);
        for (size_t k = 0; alias && k < alias->ours.count; k++)
            method_add(issuer, alias->ours.items[k], &sum);
    }
    struct factors out = {.is_phishing_resistant = sum.is_phishing_resistant};
    out.count = (uint32_t)__builtin_popcount(sum.classes);
    if (sum.stands_alone && out.count == 0)
        out.count = 1;
    bool proves_two = sum.is_asserted;
    if (view_is_present(user->acr)) {
        bool resists = acr_is_phishing_resistant(issuer, user->acr);
        out.is_phishing_resistant = out.is_phishing_resistant || resists;
        proves_two = proves_two || resists || match_string(&issuer->step_up_two_factors, user->acr);
    }
    if (proves_two && out.count < 2)
        out.count = 2;
    return out;
}

bool factors_has_method(const struct issuer *issuer, const struct user_facts *user, struct view amr)
{
    for (size_t i = 0; user->has_amr && i < user->amr_count; i++) {
        const struct amr_alias *alias = alias_of(issuer, user->amr[i]);
        if (view_equals(user->amr[i], amr) || (alias && match_string(&alias->ours, amr)))
            return true;
    }
    return false;
}

static size_t rank_of(const struct string_list *order, struct view acr)
{
    size_t i = 0;
    while (i < order->count && !view_equals(order->items[i], acr))
        i++;
    return i;
}

/* An acr that the issuer does not rank stands below all that it does. */
static bool acr_reaches(const struct issuer *issuer, struct view acr, struct view least)
{
    size_t have = rank_of(&issuer->acr_order, acr), want = rank_of(&issuer->acr_order, least);
    return want < issuer->acr_order.count && have < issuer->acr_order.count && have >= want;
}

static bool methods_fit(const struct assurance *wanted, const struct issuer *issuer, const struct user_facts *user)
{
    bool any = wanted->methods_any.count == 0;
    for (size_t i = 0; i < wanted->methods_any.count && !any; i++)
        any = factors_has_method(issuer, user, wanted->methods_any.items[i]);
    for (size_t i = 0; i < wanted->methods_all.count && any; i++)
        any = factors_has_method(issuer, user, wanted->methods_all.items[i]);
    return any;
}

/* auth_time is not replaced by iat: a refresh makes a new token, not a new login. */
static bool age_fits(const struct assurance *wanted, const struct issuer *issuer, const struct facts *facts)
{
    int64_t age = 0;
    if (!facts->user.has_auth_time || __builtin_sub_overflow(facts->now, facts->user.auth_time, &age))
        return false;
    int64_t skew = issuer->clock_skew;
    return age >= -skew && age <= (int64_t)wanted->max_age + skew;
}

static bool binding_fits(enum binding bound, const struct issuer *issuer, const struct user_facts *user,
                         struct view workload)
{
    switch (bound) {
    case BINDING_NONE: return true;
    case BINDING_CERTIFICATE: return user->is_bound_to_certificate;
    case BINDING_DPOP: return user->is_bound_by_dpop;
    case BINDING_WORKLOAD: break;
    }
    if (bound != BINDING_WORKLOAD || !view_is_present(workload))
        return false;
    if (user->is_bound_to_workload || (user->actor_count > 0 && view_equals(user->actors[0], workload)))
        return true;
    for (size_t i = 0; view_is_present(user->client) && i < issuer->client_count; i++)
        if (view_equals(issuer->clients[i].client, user->client) && view_equals(issuer->clients[i].spiffe_id, workload))
            return true;
    return false;
}

static bool issuer_fits(const struct assurance *wanted, const struct issuer *issuer)
{
    for (size_t i = 0; i < wanted->issuer_count; i++)
        if (wanted->issuers[i] == issuer)
            return true;
    return wanted->issuer_count == 0;
}

static unsigned missing_parts(const struct assurance *wanted, const struct issuer *issuer, const struct facts *facts)
{
    const struct user_facts *user = &facts->user;
    struct factors have = factors_of(issuer, user);
    unsigned missing = 0;
    if (have.count < wanted->factors)
        missing |= PART_FACTORS;
    if (!methods_fit(wanted, issuer, user))
        missing |= PART_METHODS;
    if (wanted->phishing_resistant && !have.is_phishing_resistant)
        missing |= PART_PHISHING;
    if (wanted->has_max_age && !age_fits(wanted, issuer, facts))
        missing |= PART_AGE;
    bool has_acr = view_is_present(user->acr);
    if ((wanted->acr.count > 0 && !(has_acr && match_string(&wanted->acr, user->acr))) ||
        (view_is_present(wanted->at_least) && !(has_acr && acr_reaches(issuer, user->acr, wanted->at_least))))
        missing |= PART_ACR;
    return missing;
}

struct assurance_result factors_check(const struct assurance *wanted, const struct issuer *issuer,
                                      const struct facts *facts, struct view workload)
{
    if (facts->user.state == USER_ABSENT)
        return (struct assurance_result){.state = ASSURANCE_NO_USER};
    if (facts->user.state != USER_KNOWN || !issuer)
        return (struct assurance_result){.state = ASSURANCE_KEYS};
    if (!issuer_fits(wanted, issuer))
        return (struct assurance_result){.state = ASSURANCE_WRONG_ISSUER};
    if (!binding_fits(wanted->bound, issuer, &facts->user, workload))
        return (struct assurance_result){.state = ASSURANCE_NOT_BOUND};
    unsigned missing = missing_parts(wanted, issuer, facts);
    return (struct assurance_result){.state = missing ? ASSURANCE_UNMET : ASSURANCE_MET, .missing = missing};
}
