/* SPDX-License-Identifier: Apache-2.0 */
#include "check_response.h"
#include "ext_authz.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define EXT(name) Envoy__Service__Auth__V3__##name

static char buffer[CHECK_RESPONSE_BYTES_MAX];
static EXT(CheckResponse) * response;

static int forget(void **state)
{
    (void)state;
    if (response != NULL)
        envoy__service__auth__v3__check_response__free_unpacked(response, NULL);
    response = NULL;
    return 0;
}

static void read_response(const char *bytes, size_t size)
{
    (void)forget(NULL);
    assert_true(size > 0);
    response = envoy__service__auth__v3__check_response__unpack(NULL, size, (const uint8_t *)bytes);
    assert_non_null(response);
    assert_non_null(response->status);
}

static struct check_answer answer_of(const struct decision *decision)
{
    return (struct check_answer){
        .decision = decision, .decision_id = VIEW("01890a5d-ac96"), .challenge_scheme = VIEW("Bearer")};
}

static void write_answer(const struct check_answer *answer)
{
    read_response(buffer, check_response_write(answer, buffer, sizeof buffer));
}

static const EXT(HeaderValueOption) * find(EXT(HeaderValueOption) * *headers, size_t count, const char *name)
{
    const EXT(HeaderValueOption) *found = NULL;

    for (size_t i = 0; i < count; i++)
        if (strcmp(headers[i]->header->key, name) == 0) {
            assert_null(found); /* never twice */
            found = headers[i];
        }
    return found;
}

static const char *denied_header(const char *name)
{
    const EXT(HeaderValueOption) *option =
        find(response->denied_response->headers, response->denied_response->n_headers, name);

    return option != NULL ? option->header->value : NULL;
}

static const char *metadata(const char *name)
{
    const char *found = NULL;

    for (size_t i = 0; i < response->dynamic_metadata->n_fields; i++)
        if (strcmp(response->dynamic_metadata->fields[i]->key, name) == 0) {
            assert_null(found);
            assert_int_equal(response->dynamic_metadata->fields[i]->value->kind_case,
                             ENVOY__SERVICE__AUTH__V3__VALUE__KIND_STRING_VALUE);
            found = response->dynamic_metadata->fields[i]->value->string_value;
        }
    return found;
}

static void assert_is_denial(void)
{
    assert_true(response->status->code == 7 || response->status->code == 16);
    assert_int_equal(response->http_response_case,
                     ENVOY__SERVICE__AUTH__V3__CHECK_RESPONSE__HTTP_RESPONSE_DENIED_RESPONSE);
    assert_non_null(response->denied_response->status);
    assert_in_range(response->denied_response->status->code, 400, 599);
}

static void assert_is_static_denial(void)
{
    assert_is_denial();
    assert_int_equal(response->denied_response->status->code, 503);
    assert_int_equal(response->denied_response->n_headers, 0);
}

static void response_is_a_denial_for_every_reason_but_rule(void **state)
{
    (void)state;
    for (int reason = 0; reason < REASON_COUNT; reason++) {
        const struct reason_info *info = reason_info((enum reason)reason);
        struct decision decision = {.verdict = info->verdict, .reason = (enum reason)reason};
        struct check_answer answer = answer_of(&decision);

        write_answer(&answer);
        if (reason == REASON_RULE) {
            assert_int_equal(response->status->code, 0);
            continue;
        }
        assert_is_denial();
        assert_int_equal(response->status->code, info->rpc_code);
        assert_int_equal(response->denied_response->status->code, info->http_status);
        assert_string_equal(denied_header("x-bartizan-decision"), "01890a5d-ac96");
        assert_int_equal(denied_header("retry-after") != NULL, info->http_status == 503);
        assert_int_equal(denied_header("www-authenticate") != NULL, info->http_status == 401 || reason == REASON_SCOPE);
        assert_true(strlen(response->denied_response->body) > 0);
        assert_string_equal(metadata("decision_id"), "01890a5d-ac96");
    }
}

static void response_denies_where_verdict_and_reason_contradict(void **state)
{
    struct decision decisions[] = {
        {.verdict = VERDICT_ALLOW, .reason = REASON_INTERNAL},   {.verdict = VERDICT_ALLOW, .reason = REASON_NONE},
        {.verdict = VERDICT_DENY, .reason = REASON_RULE},        {.verdict = VERDICT_CHALLENGE, .reason = REASON_RULE},
        {.verdict = VERDICT_ALLOW, .reason = (enum reason)9999}, {0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof decisions / sizeof decisions[0]; i++) {
        struct check_answer answer = answer_of(&decisions[i]);

        write_answer(&answer);
        assert_is_denial();
    }
    write_answer(&(struct check_answer){.decision_id = VIEW("x")});
    assert_is_static_denial();
}

/* A view that may stand in a static initialiser. */
#define STATIC_VIEW(literal)                                                                                           \
    {                                                                                                                  \
        literal, sizeof(literal) - 1                                                                                   \
    }

static const struct header_obligation request_headers[] = {
    {HEADER_SET, STATIC_VIEW("x-user"), STATIC_VIEW("alice")},
    {HEADER_APPEND, STATIC_VIEW("x-groups"), STATIC_VIEW("blue")},
    {HEADER_SET, STATIC_VIEW("x-empty"), STATIC_VIEW("")},
};
static const struct header_obligation response_headers[] = {
    {HEADER_SET, STATIC_VIEW("cache-control"), STATIC_VIEW("no-store")}};
static const struct header_obligation metadata_members[] = {
    {HEADER_SET, STATIC_VIEW("tenant"), STATIC_VIEW("bl\xc3\xa5")},
    {HEADER_SET, STATIC_VIEW("decision_id"), STATIC_VIEW("forged")},
};

static struct decision usual_allow(const struct view *remove_headers, size_t count)
{
    return (struct decision){
        .verdict = VERDICT_ALLOW,
        .reason = REASON_RULE,
        .obligations = {.request_headers = request_headers,
                        .request_header_count = 3,
                        .remove_headers = remove_headers,
                        .remove_header_count = count,
                        .response_headers = response_headers,
                        .response_header_count = 1,
                        .metadata = metadata_members,
                        .metadata_count = 2},
    };
}

static void assert_header(const EXT(HeaderValueOption) * option, const char *value, bool is_append)
{
    assert_non_null(option);
    assert_string_equal(option->header->value, value);
    assert_int_equal(option->header->raw_value.len, 0);
    assert_non_null(option->append); /* for Envoys that read nothing else */
    assert_int_equal(option->append->value, is_append);
    assert_int_equal(
        option->append_action,
        is_append ? ENVOY__SERVICE__AUTH__V3__HEADER_VALUE_OPTION__HEADER_APPEND_ACTION__APPEND_IF_EXISTS_OR_ADD
                  : ENVOY__SERVICE__AUTH__V3__HEADER_VALUE_OPTION__HEADER_APPEND_ACTION__OVERWRITE_IF_EXISTS_OR_ADD);
    assert_int_equal(option->keep_empty_value, value[0] == '\0');
}

static void response_carries_the_obligations_of_an_allow(void **state)
{
    const struct view remove_headers[] = {VIEW("x-admin"), VIEW("x-user")};
    struct decision decision = usual_allow(remove_headers, 2);
    struct check_answer answer = answer_of(&decision);
    EXT(OkHttpResponse) * ok;

    (void)state;
    answer.stream_seconds = UINT32_MAX;
    write_answer(&answer);
    assert_int_equal(response->status->code, 0);
    assert_int_equal(response->http_response_case, ENVOY__SERVICE__AUTH__V3__CHECK_RESPONSE__HTTP_RESPONSE_OK_RESPONSE);
    ok = response->ok_response;
    assert_int_equal(ok->n_headers, 4);
    assert_header(find(ok->headers, ok->n_headers, "x-user"), "alice", false);
    assert_header(find(ok->headers, ok->n_headers, "x-groups"), "blue", true);
    assert_header(find(ok->headers, ok->n_headers, "x-empty"), "", false);
    assert_header(find(ok->headers, ok->n_headers, "x-envoy-upstream-stream-duration-ms"), "4294967295000", false);
    assert_int_equal(ok->n_headers_to_remove, 1); /* x-user is set, and Envoy would remove it last */
    assert_string_equal(ok->headers_to_remove[0], "x-admin");
    assert_int_equal(ok->n_response_headers_to_add, 2);
    assert_header(find(ok->response_headers_to_add, 2, "cache-control"), "no-store", false);
    assert_header(find(ok->response_headers_to_add, 2, "x-bartizan-decision"), "01890a5d-ac96", false);
    assert_string_equal(metadata("tenant"), "bl\xc3\xa5");
    assert_string_equal(metadata("decision_id"), "01890a5d-ac96");
}

static void response_sets_no_stream_duration_without_a_limit(void **state)
{
    struct decision decision = usual_allow(NULL, 0);
    struct check_answer answer = answer_of(&decision);

    (void)state;
    write_answer(&answer);
    assert_int_equal(response->ok_response->n_headers, 3);
    assert_null(find(response->ok_response->headers, 3, "x-envoy-upstream-stream-duration-ms"));
}

static void response_reports_a_refusal_as_an_allow_without_what_rules_can_set(void **state)
{
    const struct view settable[] = {VIEW("x-caller"), VIEW("x-role")};
    struct decision decisions[] = {{0}, {.reason = REASON_ASSURANCE}, {.verdict = VERDICT_ALLOW}};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct check_answer answer = answer_of(&decisions[i]);

        answer.is_report_only = true;
        answer.settable = settable;
        answer.settable_count = 2;
        answer.stream_seconds = 5;
        write_answer(&answer);
        assert_int_equal(response->status->code, 0);
        assert_int_equal(response->ok_response->n_headers, 0);
        assert_int_equal(response->ok_response->n_headers_to_remove, 2);
        assert_string_equal(response->ok_response->headers_to_remove[0], "x-caller");
        assert_int_equal(response->ok_response->n_response_headers_to_add, 1);
        assert_string_equal(response->ok_response->response_headers_to_add[0]->header->value, "01890a5d-ac96");
        assert_int_equal(response->dynamic_metadata->n_fields, 1);
    }
}

static void response_reports_a_true_allow_with_its_obligations(void **state)
{
    const struct view remove_headers[] = {VIEW("x-admin")};
    const struct view settable[] = {VIEW("x-caller"), VIEW("x-role")};
    struct decision decision = usual_allow(remove_headers, 1);
    struct check_answer answer = answer_of(&decision);

    (void)state;
    char enforced[sizeof buffer];
    size_t size = check_response_write(&answer, enforced, sizeof enforced);
    answer.is_report_only = true;
    answer.settable = settable;
    answer.settable_count = 2;
    assert_int_equal(check_response_write(&answer, buffer, sizeof buffer), size);
    assert_memory_equal(buffer, enforced, size);
}

static void response_encodes_the_query_parameters_that_it_sets(void **state)
{
    const struct header_obligation params[] = {{HEADER_SET, VIEW("who"), VIEW("alice & bob#1/%+")},
                                               {HEADER_SET, VIEW("a-._~9"), VIEW("")}};
    const struct view removed[] = {VIEW("who"), VIEW("debug")};
    struct decision decision = {
        .verdict = VERDICT_ALLOW,
        .reason = REASON_RULE,
        .obligations = {
            .query_params = params, .query_param_count = 2, .remove_queries = removed, .remove_query_count = 2}};
    struct check_answer answer = answer_of(&decision);
    EXT(OkHttpResponse) * ok;

    (void)state;
    write_answer(&answer);
    ok = response->ok_response;
    assert_int_equal(ok->n_query_parameters_to_set, 2);
    assert_string_equal(ok->query_parameters_to_set[0]->key, "who");
    assert_string_equal(ok->query_parameters_to_set[0]->value, "alice%20%26%20bob%231%2F%25%2B");
    assert_string_equal(ok->query_parameters_to_set[1]->key, "a-._~9");
    assert_string_equal(ok->query_parameters_to_set[1]->value, "");
    assert_int_equal(ok->n_query_parameters_to_remove, 1); /* who is set, and Envoy would remove it last */
    assert_string_equal(ok->query_parameters_to_remove[0], "debug");
    decision.verdict = VERDICT_DENY;
    decision.reason = REASON_DEFAULT;
    answer.is_report_only = true;
    answer.settable_queries = removed;
    answer.settable_query_count = 1;
    write_answer(&answer);
    assert_int_equal(response->ok_response->n_query_parameters_to_set, 0);
    assert_int_equal(response->ok_response->n_query_parameters_to_remove, 1);
    assert_string_equal(response->ok_response->query_parameters_to_remove[0], "who");
}

static void response_looks_as_the_deny_rule_says(void **state)
{
    struct decision decision = {.reason = REASON_DENY_RULE,
                                .denial = {451, VIEW("not in your region"), VIEW("not here")}};
    struct check_answer answer = answer_of(&decision);

    (void)state;
    write_answer(&answer);
    assert_int_equal(response->status->code, 7);
    assert_int_equal(response->denied_response->status->code, 451);
    assert_string_equal(response->denied_response->body, "not in your region");
    assert_null(denied_header("www-authenticate"));
    answer.is_grpc = true;
    write_answer(&answer);
    assert_string_equal(response->denied_response->body, "not here");
    decision.denial.grpc_message = (struct view){0};
    write_answer(&answer);
    assert_string_equal(response->denied_response->body, "not in your region");
    decision.denial = (struct denial){.status = 401};
    write_answer(&answer);
    assert_int_equal(response->denied_response->status->code, 401);
    assert_string_equal(denied_header("www-authenticate"), "Bearer");
    assert_string_equal(response->denied_response->body, "access is denied");
}

static void response_never_takes_a_status_that_looks_like_a_success(void **state)
{
    static const uint16_t statuses[] = {100, 200, 302, 399, 600, 999};

    (void)state;
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        struct decision decision = {.reason = REASON_DENY_RULE, .denial = {.status = statuses[i]}};
        struct check_answer answer = answer_of(&decision);

        write_answer(&answer);
        assert_int_equal(response->denied_response->status->code, 403);
    }
}

static void assert_obligation_denies(struct obligations obligations)
{
    struct decision decision = {.verdict = VERDICT_ALLOW, .reason = REASON_RULE, .obligations = obligations};
    struct check_answer answer = answer_of(&decision);

    write_answer(&answer);
    assert_is_static_denial();
}

static void response_never_lets_a_control_byte_or_a_routing_header_out(void **state)
{
    static const struct view values[] = {{"a\rb", 3}, {"a\nb", 3}, {"a\0b", 3}, {"\x7f", 1}, {"\xc3\xa9", 2}};
    static const struct view names[] = {{":path", 5}, {":method", 7}, {"host", 4}, {"X-User", 6}, {"", 0}, {"a b", 3}};

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        const struct header_obligation header = {HEADER_SET, VIEW("x-user"), values[i]};

        assert_obligation_denies((struct obligations){.request_headers = &header, .request_header_count = 1});
        assert_obligation_denies((struct obligations){.response_headers = &header, .response_header_count = 1});
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct header_obligation header = {HEADER_SET, names[i], VIEW("v")};

        assert_obligation_denies((struct obligations){.request_headers = &header, .request_header_count = 1});
        assert_obligation_denies((struct obligations){.response_headers = &header, .response_header_count = 1});
        assert_obligation_denies((struct obligations){.remove_headers = &names[i], .remove_header_count = 1});
    }
    static const struct view queries[] = {{"a b", 3}, {"", 0}, {"a=b", 3}, {"a&b", 3}, {"a%62", 4}};
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        const struct header_obligation param = {HEADER_SET, queries[i], VIEW("v")};

        assert_obligation_denies((struct obligations){.query_params = &param, .query_param_count = 1});
        assert_obligation_denies((struct obligations){.remove_queries = &queries[i], .remove_query_count = 1});
    }
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        const struct header_obligation param = {HEADER_SET, VIEW("q"), values[i]};

        assert_obligation_denies((struct obligations){.query_params = &param, .query_param_count = 1});
    }
    static char long_value[2049];
    memset(long_value, '&', sizeof long_value);
    const struct header_obligation longest = {HEADER_SET, VIEW("q"), {long_value, sizeof long_value}};
    assert_obligation_denies((struct obligations){.query_params = &longest, .query_param_count = 1});
    const struct header_obligation member = {HEADER_SET, VIEW("m"), VIEW("a\0")};
    assert_obligation_denies((struct obligations){.metadata = &member, .metadata_count = 1});
}

static void response_denies_without_a_printable_decision_id(void **state)
{
    struct decision decision = usual_allow(NULL, 0);
    struct check_answer answer = answer_of(&decision);

    (void)state;
    answer.decision_id = VIEW("a\r\nset-cookie: x");
    write_answer(&answer);
    assert_is_static_denial();
    answer.decision_id = (struct view){0};
    write_answer(&answer);
    assert_is_static_denial();
}

static void assert_challenge(const struct check_answer *answer, const char *expected)
{
    char text[1024];
    struct view challenge = check_response_challenge(answer, text, sizeof text);

    assert_true(view_is_present(challenge) == (expected != NULL));
    if (expected == NULL)
        return;
    if (!view_equals(challenge, view_of(expected)))
        fail_msg("%.*s", VIEW_ARG(challenge));
    write_answer(answer);
    assert_is_denial();
    assert_string_equal(denied_header("www-authenticate"), expected);
}

static void challenge_asks_for_what_the_rule_wants(void **state)
{
    const struct view acr[] = {VIEW("mfa"), VIEW("phr")};
    struct decision decision = {.verdict = VERDICT_CHALLENGE,
                                .reason = REASON_ASSURANCE,
                                .challenge = {.acr_values = acr, .acr_count = 1, .has_max_age = true, .max_age = 300}};
    struct check_answer answer = answer_of(&decision);

    (void)state;
    assert_challenge(
        &answer,
        "Bearer error=\"insufficient_user_authentication\", "
        "error_description=\"Stronger and recent authentication is required\", acr_values=\"mfa\", max_age=300");
    answer.challenge_scheme = VIEW("DPoP");
    decision.challenge.acr_count = 2;
    decision.challenge.has_max_age = false;
    assert_challenge(&answer, "DPoP error=\"insufficient_user_authentication\", "
                              "error_description=\"Stronger authentication is required\", acr_values=\"mfa phr\"");
    answer.challenge_scheme = VIEW("Basic realm=\"x\""); /* neither of ours */
    answer.resource_metadata = VIEW("https://api.example/.well-known/oauth-protected-resource");
    decision.challenge.acr_count = 0;
    decision.challenge.has_max_age = true;
    decision.challenge.max_age = 0;
    assert_challenge(&answer, "Bearer error=\"insufficient_user_authentication\", "
                              "error_description=\"More recent authentication is required\", max_age=0, "
                              "resource_metadata=\"https://api.example/.well-known/oauth-protected-resource\"");
}

static void challenge_follows_the_reason(void **state)
{
    struct decision decision = {.reason = REASON_NO_USER};
    struct check_answer answer = answer_of(&decision);

    (void)state;
    assert_challenge(&answer, "Bearer");
    answer.resource_metadata = VIEW("https://a/b");
    assert_challenge(&answer, "Bearer resource_metadata=\"https://a/b\"");
    answer.resource_metadata = (struct view){0};
    decision.reason = REASON_TOKEN_EXPIRED; /* never says which */
    assert_challenge(&answer, "Bearer error=\"invalid_token\"");
    decision.reason = REASON_SCOPE;
    assert_challenge(&answer, "Bearer error=\"insufficient_scope\"");
    decision.scope = VIEW("models:read models:write");
    assert_challenge(&answer, "Bearer error=\"insufficient_scope\", scope=\"models:read models:write\"");
    decision.reason = REASON_DENY_RULE;
    assert_challenge(&answer, NULL);
}

static void challenge_escapes_quotes_and_refuses_control_bytes(void **state)
{
    struct decision decision = {.reason = REASON_SCOPE, .scope = VIEW("a\"b\\c")};
    struct check_answer answer = answer_of(&decision);
    char text[256];

    (void)state;
    assert_challenge(&answer, "Bearer error=\"insufficient_scope\", scope=\"a\\\"b\\\\c\"");
    decision.scope = VIEW("a\r\nset-cookie: x");
    assert_false(view_is_present(check_response_challenge(&answer, text, sizeof text)));
    write_answer(&answer);
    assert_is_static_denial();
}

static void challenge_is_whole_or_absent_at_every_size(void **state)
{
    struct decision decision = {.reason = REASON_TOKEN_EXPIRED};
    struct check_answer answer = answer_of(&decision);
    const size_t whole = strlen("Bearer error=\"invalid_token\"");

    (void)state;
    for (size_t size = 0; size <= whole; size++) {
        char *block = malloc(size + 1);

        assert_non_null(block);
        assert_int_equal(view_is_present(check_response_challenge(&answer, block, size)), size == whole);
        free(block);
    }
}

static void response_is_never_empty_and_never_allows_by_accident(void **state)
{
    const struct view remove_headers[] = {VIEW("x-admin")};
    const struct view acr[] = {VIEW("mfa")};
    struct decision decisions[] = {
        usual_allow(remove_headers, 1),
        {.verdict = VERDICT_DENY, .reason = REASON_DEFAULT},
        {.verdict = VERDICT_CHALLENGE, .reason = REASON_ASSURANCE, .challenge = {.acr_values = acr, .acr_count = 1}},
        {0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof decisions / sizeof decisions[0]; i++) {
        struct check_answer answer = answer_of(&decisions[i]);
        size_t whole = check_response_write(&answer, buffer, sizeof buffer);

        for (size_t size = CHECK_RESPONSE_BYTES_MIN; size <= whole + 8; size++) {
            char *block = malloc(size);
            size_t written;

            assert_non_null(block);
            written = check_response_write(&answer, block, size);
            assert_in_range(written, 1, size);
            read_response(block, written);
            if (size < whole || decisions[i].verdict != VERDICT_ALLOW)
                assert_true(response->status->code == 7 || response->status->code == 16);
            else
                assert_int_equal(response->status->code, 0);
            free(block);
        }
    }
}

static void denial_is_a_503_with_an_explicit_status(void **state)
{
    struct view denial = check_response_denial();

    (void)state;
    read_response(denial.data, denial.size);
    assert_int_equal(response->status->code, 7);
    assert_is_static_denial();
    assert_string_equal(response->denied_response->body, "authorization is not available");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(response_is_a_denial_for_every_reason_but_rule, forget),
        cmocka_unit_test_teardown(response_denies_where_verdict_and_reason_contradict, forget),
        cmocka_unit_test_teardown(response_carries_the_obligations_of_an_allow, forget),
        cmocka_unit_test_teardown(response_sets_no_stream_duration_without_a_limit, forget),
        cmocka_unit_test_teardown(response_reports_a_refusal_as_an_allow_without_what_rules_can_set, forget),
        cmocka_unit_test_teardown(response_reports_a_true_allow_with_its_obligations, forget),
        cmocka_unit_test_teardown(response_encodes_the_query_parameters_that_it_sets, forget),
        cmocka_unit_test_teardown(response_looks_as_the_deny_rule_says, forget),
        cmocka_unit_test_teardown(response_never_takes_a_status_that_looks_like_a_success, forget),
        cmocka_unit_test_teardown(response_never_lets_a_control_byte_or_a_routing_header_out, forget),
        cmocka_unit_test_teardown(response_denies_without_a_printable_decision_id, forget),
        cmocka_unit_test_teardown(challenge_asks_for_what_the_rule_wants, forget),
        cmocka_unit_test_teardown(challenge_follows_the_reason, forget),
        cmocka_unit_test_teardown(challenge_escapes_quotes_and_refuses_control_bytes, forget),
        cmocka_unit_test_teardown(challenge_is_whole_or_absent_at_every_size, forget),
        cmocka_unit_test_teardown(response_is_never_empty_and_never_allows_by_accident, forget),
        cmocka_unit_test_teardown(denial_is_a_503_with_an_explicit_status, forget),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
