/* SPDX-License-Identifier: Apache-2.0 */
#include "factors.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define LIST(...)                                                                                                      \
    {                                                                                                                  \
        .items = (const struct view[]){__VA_ARGS__},                                                                   \
        .count = sizeof((const struct view[]){__VA_ARGS__}) / sizeof(struct view)                                      \
    }

enum { NOW = 1000000 };

static const struct amr_alias aliases[] = {{.theirs = {"ngcmfa", 6}, .ours = LIST({"pin", 3}, {"hwk", 3})}};
static const struct amr_class classes[] = {{.amr = {"totp", 4}, .factor = FACTOR_POSSESSION},
                                           {.amr = {"wia", 3}, .factor = FACTOR_POSSESSION}};
static const struct client_workload clients[] = {{.client = {"app", 3}, .spiffe_id = {"spiffe://d/w", 12}}};

static const struct issuer plain = {.clock_skew = 30};
static const struct issuer rich = {
    .clock_skew = 30,
    .amr_aliases = aliases,
    .amr_alias_count = 1,
    .amr_classes = classes,
    .amr_class_count = 2,
    .trusts_mfa_assertion = true,
    .acr_order = LIST({"low", 3}, {"mid", 3}, {"high", 4}),
    .step_up_two_factors = LIST({"mid", 3}),
    .step_up_phishing_resistant = LIST({"high", 4}),
    .phishing_resistant_acr = LIST({"key", 3}),
    .phishing_resistant_amr = LIST({"hwk", 3}),
    .clients = clients,
    .client_count = 1,
};

/* The factors of the space-separated methods `amr` and of `acr` (NULL: absent). */
static struct factors factors(const struct issuer *issuer, const char *amr, const char *acr)
{
    struct view methods[8], text = view_of(amr);
    struct user_facts user = {.state = USER_KNOWN, .amr = methods, .has_amr = true, .acr = view_of(acr)};
    for (size_t from = 0; from < text.size;) {
        size_t to = view_index_of(text, ' ', from);
        methods[user.amr_count++] = view_slice(text, from, to);
        from = to + 1;
    }
    return factors_of(issuer, &user);
}

static void two_factors_are_two_different_classes(void **state)
{
    (void)state;
    assert_int_equal(factors(&plain, "pwd otp", NULL).count, 2);
    assert_int_equal(factors(&plain, "pin hwk", NULL).count, 2);
    assert_int_equal(factors(&plain, "pwd otp face", NULL).count, 3);
    assert_int_equal(factors(&plain, "pwd pin", NULL).count, 1);
    assert_int_equal(factors(&plain, "otp sms", NULL).count, 1);
    assert_int_equal(factors(&plain, "fpt iris", NULL).count, 1);
    assert_int_equal(factors(&plain, "pwd", NULL).count, 1);
    assert_int_equal(factors(&plain, "", NULL).count, 0);
}

static void kba_and_wia_are_one_factor_that_is_never_added(void **state)
{
    (void)state;
    assert_int_equal(factors(&plain, "kba", NULL).count, 1);
    assert_int_equal(factors(&plain, "wia", NULL).count, 1);
    assert_int_equal(factors(&plain, "kba otp", NULL).count, 1);
    assert_int_equal(factors(&plain, "wia kba", NULL).count, 1);
    assert_int_equal(factors(&plain, "wia pwd", NULL).count, 1);
}

static void values_that_are_no_factors_count_nothing(void **state)
{
    (void)state;
    assert_int_equal(factors(&plain, "mca user geo rba", NULL).count, 0);
    assert_int_equal(factors(&plain, "pwd mca geo", NULL).count, 1);
    assert_int_equal(factors(&plain, "PWD OTP", NULL).count, 0);
    assert_int_equal(factors(&plain, "totp xmfa", NULL).count, 0);
}

static void mfa_alone_proves_two_only_where_it_is_trusted(void **state)
{
    (void)state;
    assert_int_equal(factors(&plain, "mfa", NULL).count, 0);
    assert_int_equal(factors(&plain, "pwd mfa", NULL).count, 1);
    assert_int_equal(factors(&rich, "mfa", NULL).count, 2);
    assert_int_equal(factors(&rich, "xmfa", NULL).count, 0);
}

static void an_answered_challenge_is_met_by_its_acr(void **state)
{
    (void)state;
    assert_int_equal(factors(&rich, "", "mid").count, 2);
    assert_false(factors(&rich, "", "mid").is_phishing_resistant);
    assert_int_equal(factors(&rich, "pwd", "high").count, 2);
    assert_true(factors(&rich, "pwd", "high").is_phishing_resistant);
    assert_true(factors(&rich, "", "key").is_phishing_resistant);
    assert_int_equal(factors(&rich, "", "low").count, 0);
    assert_int_equal(factors(&plain, "", "mid").count, 0);
    assert_true(factors(&plain, "", "phr").is_phishing_resistant);
    assert_int_equal(factors(&plain, "", "phrh").count, 2);
    assert_int_equal(factors(&plain, "", "PHR").count, 0);
}

static void an_amr_resists_phishing_only_where_the_issuer_says_so(void **state)
{
    (void)state;
    assert_false(factors(&plain, "hwk", NULL).is_phishing_resistant);
    assert_true(factors(&rich, "hwk", NULL).is_phishing_resistant);
    assert_false(factors(&rich, "swk", NULL).is_phishing_resistant);
}

static void an_issuer_has_aliases_and_classes_of_its_own(void **state)
{
    (void)state;
    assert_int_equal(factors(&rich, "ngcmfa", NULL).count, 2);
    assert_int_equal(factors(&plain, "ngcmfa", NULL).count, 0);
    assert_int_equal(factors(&rich, "pwd totp", NULL).count, 2);
    assert_int_equal(factors(&rich, "pwd wia", NULL).count, 2);
    struct view amr = VIEW("ngcmfa");
    struct user_facts user = {.amr = &amr, .amr_count = 1, .has_amr = true};
    assert_true(factors_has_method(&rich, &user, VIEW("hwk")));
    assert_true(factors_has_method(&rich, &user, VIEW("ngcmfa")));
    assert_false(factors_has_method(&rich, &user, VIEW("otp")));
    user.has_amr = false;
    assert_false(factors_has_method(&rich, &user, VIEW("hwk")));
}

static struct facts known_user(void)
{
    static const struct view amr[] = {{"pwd", 3}, {"otp", 3}};
    return (struct facts){.now = NOW,
                          .user = {.state = USER_KNOWN,
                                   .amr = amr,
                                   .amr_count = 2,
                                   .has_amr = true,
                                   .has_auth_time = true,
                                   .auth_time = NOW - 100}};
}

static void age_is_met_up_to_the_skew_and_never_by_a_missing_time(void **state)
{
    (void)state;
    struct assurance wanted = {.has_max_age = true, .max_age = 70};
    struct facts facts = known_user();
    assert_int_equal(factors_check(&wanted, &rich, &facts, (struct view){0}).state, ASSURANCE_MET);
    facts.now++;
    struct assurance_result late = factors_check(&wanted, &rich, &facts, (struct view){0});
    assert_int_equal(late.state, ASSURANCE_UNMET);
    assert_int_equal(late.missing, PART_AGE);
    facts = known_user();
    facts.user.has_auth_time = false;
    facts.user.issued_at = NOW;
    assert_int_equal(factors_check(&wanted, &rich, &facts, (struct view){0}).state, ASSURANCE_UNMET);
    facts = known_user();
    facts.user.auth_time = NOW + 30;
    assert_int_equal(factors_check(&wanted, &rich, &facts, (struct view){0}).state, ASSURANCE_MET);
    facts.user.auth_time = NOW + 31;
    assert_int_equal(factors_check(&wanted, &rich, &facts, (struct view){0}).state, ASSURANCE_UNMET);
    facts.user.auth_time = INT64_MIN;
    assert_int_equal(factors_check(&wanted, &rich, &facts, (struct view){0}).state, ASSURANCE_UNMET);
}

static void acr_is_compared_by_the_issuers_order_alone(void **state)
{
    (void)state;
    struct assurance wanted = {.at_least = VIEW("mid")};
    struct facts facts = known_user();
    const struct {
        struct view acr;
        enum assurance_state state;
    } cases[] = {{VIEW("low"), ASSURANCE_UNMET},
                 {VIEW("mid"), ASSURANCE_MET},
                 {VIEW("high"), ASSURANCE_MET},
                 {VIEW("zzz"), ASSURANCE_UNMET},
                 {{0}, ASSURANCE_UNMET}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        facts.user.acr = cases[i].acr;
        assert_int_equal(factors_check(&wanted, &rich, &facts, (struct view){0}).state, cases[i].state);
    }
    facts.user.acr = VIEW("mid");
    assert_int_equal(factors_check(&wanted, &plain, &facts, (struct view){0}).state, ASSURANCE_UNMET);
    wanted.at_least = VIEW("low");
    facts.user.acr = VIEW("low");
    assert_int_equal(factors_check(&wanted, &rich, &facts, (struct view){0}).state, ASSURANCE_MET);
    wanted.at_least = VIEW("high");
    assert_int_equal(factors_check(&wanted, &rich, &facts, (struct view){0}).state, ASSURANCE_UNMET);
    wanted.at_least = VIEW("zzz");
    assert_int_equal(factors_check(&wanted, &rich, &facts, (struct view){0}).state, ASSURANCE_UNMET);
}

static void an_acr_of_the_list_is_asked_byte_for_byte(void **state)
{
    (void)state;
    struct assurance wanted = {.acr = LIST({"mid", 3}, {"key", 3})};
    struct facts facts = known_user();
    static const struct view fit[] = {{"mid", 3}, {"key", 3}}, miss[] = {{"high", 4}, {"mi", 2}, {"", 0}, {NULL, 0}};
    for (size_t i = 0; i < sizeof fit / sizeof fit[0]; i++) {
        facts.user.acr = fit[i];
        assert_int_equal(factors_check(&wanted, &rich, &facts, (struct view){0}).state, ASSURANCE_MET);
    }
    for (size_t i = 0; i < sizeof miss / sizeof miss[0]; i++) {
        facts.user.acr = miss[i];
        struct assurance_result result = factors_check(&wanted, &rich, &facts, (struct view){0});
        assert_int_equal(result.state, ASSURANCE_UNMET);
        assert_int_equal(result.missing, PART_ACR);
    }
}

/* `any` and `all` against the methods of the token, aliases included. */
static unsigned methods_missing(struct string_list any, struct string_list all, struct string_list amr)
{
    struct assurance wanted = {.methods_any = any, .methods_all = all};
    struct facts facts = known_user();
    facts.user.amr = amr.items;
    facts.user.amr_count = amr.count;
    facts.user.has_amr = amr.items != NULL;
    struct assurance_result result = factors_check(&wanted, &rich, &facts, (struct view){0});
    assert_int_equal(result.state, result.missing == 0 ? ASSURANCE_MET : ASSURANCE_UNMET);
    return result.missing;
}

static void one_of_any_and_each_of_all_methods_are_needed(void **state)
{
    (void)state;
    struct string_list none = {0}, pwd = LIST({"pwd", 3}), both = LIST({"pwd", 3}, {"otp", 3});
    struct string_list theirs = LIST({"ngcmfa", 6}), pin = LIST({"pin", 3}, {"hwk", 3}), other = LIST({"sms", 3});
    assert_int_equal(methods_missing(both, none, pwd), 0);
    assert_int_equal(methods_missing(both, none, other), PART_METHODS);
    assert_int_equal(methods_missing(none, both, both), 0);
    assert_int_equal(methods_missing(none, both, pwd), PART_METHODS);
    assert_int_equal(methods_missing(pwd, both, both), 0);
    assert_int_equal(methods_missing(other, both, both), PART_METHODS);
    assert_int_equal(methods_missing(none, pin, theirs), 0);
    assert_int_equal(methods_missing(pwd, none, none), PART_METHODS);
}

static void every_part_that_is_missing_is_named(void **state)
{
    (void)state;
    struct assurance wanted = {.factors = 2,
                               .phishing_resistant = true,
                               .has_max_age = true,
                               .max_age = 60,
                               .acr = LIST({"mid", 3}),
                               .methods_any = LIST({"otp", 3})};
    struct facts facts = known_user();
    facts.user.has_amr = false;
    facts.user.has_auth_time = false;
    facts.user.acr = (struct view){0};
    assert_int_equal(factors_check(&wanted, &rich, &facts, (struct view){0}).missing,
                     PART_FACTORS | PART_METHODS | PART_PHISHING | PART_AGE | PART_ACR);
    struct view strong[] = {VIEW("pwd"), VIEW("hwk"), VIEW("otp")};
    facts.user.has_amr = true;
    facts.user.amr = strong;
    facts.user.amr_count = 3;
    assert_int_equal(factors_check(&wanted, &rich, &facts, (struct view){0}).missing, PART_AGE | PART_ACR);
}

static void an_issuer_is_one_of_those_that_are_named(void **state)
{
    (void)state;
    const struct issuer *const both[] = {&plain, &rich}, *const first[] = {&plain};
    struct assurance wanted = {.issuers = both, .issuer_count = 2};
    struct facts facts = known_user();
    assert_int_equal(factors_check(&wanted, &plain, &facts, (struct view){0}).state, ASSURANCE_MET);
    assert_int_equal(factors_check(&wanted, &rich, &facts, (struct view){0}).state, ASSURANCE_MET);
    wanted.issuers = first;
    wanted.issuer_count = 1;
    assert_int_equal(factors_check(&wanted, &rich, &facts, (struct view){0}).state, ASSURANCE_WRONG_ISSUER);
    wanted.bound = BINDING_CERTIFICATE;
    assert_int_equal(factors_check(&wanted, &plain, &facts, (struct view){0}).state, ASSURANCE_NOT_BOUND);
    facts.user.is_bound_to_certificate = true;
    assert_int_equal(factors_check(&wanted, &plain, &facts, (struct view){0}).state, ASSURANCE_MET);
}

static void binding_to_a_workload_is_met_by_cnf_actor_or_client(void **state)
{
    (void)state;
    struct assurance wanted = {.bound = BINDING_WORKLOAD};
    struct view caller = VIEW("spiffe://d/w");
    struct facts facts = known_user();
    assert_int_equal(factors_check(&wanted, &rich, &facts, caller).state, ASSURANCE_NOT_BOUND);
    facts.user.client = VIEW("app");
    assert_int_equal(factors_check(&wanted, &rich, &facts, caller).state, ASSURANCE_MET);
    assert_int_equal(factors_check(&wanted, &rich, &facts, VIEW("spiffe://d/x")).state, ASSURANCE_NOT_BOUND);
    assert_int_equal(factors_check(&wanted, &rich, &facts, (struct view){0}).state, ASSURANCE_NOT_BOUND);
    facts.user.client = (struct view){0};
    facts.user.actors[0] = caller;
    facts.user.actor_count = 1;
    assert_int_equal(factors_check(&wanted, &rich, &facts, caller).state, ASSURANCE_MET);
    facts.user.actor_count = 0;
    facts.user.is_bound_to_workload = true;
    assert_int_equal(factors_check(&wanted, &rich, &facts, caller).state, ASSURANCE_MET);
    wanted.bound = BINDING_CERTIFICATE;
    assert_int_equal(factors_check(&wanted, &rich, &facts, caller).state, ASSURANCE_NOT_BOUND);
    wanted.bound = BINDING_DPOP;
    facts.user.is_bound_by_dpop = true;
    assert_int_equal(factors_check(&wanted, &rich, &facts, caller).state, ASSURANCE_MET);
}

static void what_no_step_up_mends_is_no_challenge(void **state)
{
    (void)state;
    const struct issuer *const only[] = {&plain};
    struct assurance wanted = {.factors = 3, .issuers = only, .issuer_count = 1};
    struct facts facts = known_user();
    assert_int_equal(factors_check(&wanted, &rich, &facts, (struct view){0}).state, ASSURANCE_WRONG_ISSUER);
    assert_int_equal(factors_check(&wanted, &plain, &facts, (struct view){0}).state, ASSURANCE_UNMET);
    facts.user.state = USER_ABSENT;
    assert_int_equal(factors_check(&wanted, &plain, &facts, (struct view){0}).state, ASSURANCE_NO_USER);
    facts.user.state = USER_UNKNOWN;
    assert_int_equal(factors_check(&wanted, NULL, &facts, (struct view){0}).state, ASSURANCE_KEYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_factors_are_two_different_classes),
        cmocka_unit_test(kba_and_wia_are_one_factor_that_is_never_added),
        cmocka_unit_test(values_that_are_no_factors_count_nothing),
        cmocka_unit_test(mfa_alone_proves_two_only_where_it_is_trusted),
        cmocka_unit_test(an_answered_challenge_is_met_by_its_acr),
        cmocka_unit_test(an_amr_resists_phishing_only_where_the_issuer_says_so),
        cmocka_unit_test(an_issuer_has_aliases_and_classes_of_its_own),
        cmocka_unit_test(age_is_met_up_to_the_skew_and_never_by_a_missing_time),
        cmocka_unit_test(acr_is_compared_by_the_issuers_order_alone),
        cmocka_unit_test(an_acr_of_the_list_is_asked_byte_for_byte),
        cmocka_unit_test(one_of_any_and_each_of_all_methods_are_needed),
        cmocka_unit_test(every_part_that_is_missing_is_named),
        cmocka_unit_test(an_issuer_is_one_of_those_that_are_named),
        cmocka_unit_test(binding_to_a_workload_is_met_by_cnf_actor_or_client),
        cmocka_unit_test(what_no_step_up_mends_is_no_challenge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
