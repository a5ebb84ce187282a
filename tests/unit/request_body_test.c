/* SPDX-License-Identifier: Apache-2.0 */
#include "request_body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static max_align_t memory[4096];
static struct arena arena;
static struct body_facts facts;

static enum body_state read_body(const struct request_body *body)
{
    arena_init_fixed(&arena, memory, sizeof memory);
    request_body_read(body, &arena, &facts);
    if (facts.state != BODY_READ)
        assert_false(view_is_present(facts.model) || view_is_present(facts.tool) || view_is_present(facts.call));
    return facts.state;
}

static enum body_state read_json(const char *text)
{
    struct view bytes = view_of(text);

    return read_body(&(struct request_body){.bytes = bytes,
                                            .content_type = VIEW("application/json"),
                                            .path = VIEW("/v1/chat"),
                                            .size = (int64_t)bytes.size});
}

static enum body_state read_grpc(const char *path, struct view bytes)
{
    return read_body(&(struct request_body){
        .bytes = bytes, .content_type = VIEW("application/grpc"), .path = view_of(path), .size = (int64_t)bytes.size});
}

static void body_names_the_model_of_an_openai_request(void **state)
{
    (void)state;
    assert_int_equal(read_json("{\"model\":\"llama-3\",\"messages\":[{\"role\":\"user\",\"content\":\"hi!\"}]}"),
                     BODY_READ);
    assert_true(view_equals(facts.model, VIEW("llama-3")));
    assert_false(view_is_present(facts.call));
    assert_int_equal(read_json("{\"model\":\"ll\\u0061ma\"}"), BODY_READ);
    assert_true(view_equals(facts.model, VIEW("llama")));
    assert_int_equal(read_json("{\"messages\":[],\"nested\":{\"model\":\"x\"}}"), BODY_READ);
    assert_false(view_is_present(facts.model));
    assert_int_equal(read_json("{\"model\":null}"), BODY_READ);
    assert_false(view_is_present(facts.model));
    assert_int_equal(read_json("{\"model\":7}"), BODY_UNREADABLE);
    assert_int_equal(read_json("{\"model\":[\"a\"]}"), BODY_UNREADABLE);
    assert_int_equal(read_json("{\"model\":\"a\",\"model\":\"b\"}"), BODY_UNREADABLE);
}

static void body_names_the_tool_of_an_mcp_call(void **state)
{
    (void)state;
    assert_int_equal(
        read_json("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"delete\"}}"),
        BODY_READ);
    assert_true(view_equals(facts.call, VIEW("tools/call")));
    assert_true(view_equals(facts.tool, VIEW("delete")));
    assert_int_equal(read_json("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}"), BODY_READ);
    assert_true(view_equals(facts.call, VIEW("tools/list")));
    assert_false(view_is_present(facts.tool));
    assert_int_equal(read_json("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}"), BODY_READ);
    assert_int_equal(read_json("{\"jsonrpc\":\"2.0\",\"method\":\"tools/call\",\"params\":{}}"), BODY_UNREADABLE);
    assert_int_equal(read_json("{\"jsonrpc\":\"2.0\",\"method\":\"tools/call\",\"params\":[\"delete\"]}"),
                     BODY_UNREADABLE);
    assert_int_equal(read_json("{\"jsonrpc\":\"2.0\",\"method\":\"tools/call\",\"params\":{\"name\":1}}"),
                     BODY_UNREADABLE);
    assert_int_equal(read_json("{\"jsonrpc\":\"2.0\",\"method\":\"tools/call\"}"), BODY_UNREADABLE);
    assert_int_equal(read_json("{\"jsonrpc\":\"2.0\",\"method\":7}"), BODY_UNREADABLE);
    assert_int_equal(read_json("{\"jsonrpc\":\"1.0\",\"method\":\"x\"}"), BODY_UNREADABLE);
}

static void body_of_another_api_may_have_a_method_of_any_type(void **state)
{
    (void)state;
    assert_int_equal(read_json("{\"method\":7}"), BODY_READ);
    assert_false(view_is_present(facts.call));
    assert_int_equal(read_json("{\"method\":\"tools/call\",\"params\":{\"name\":\"t\"}}"), BODY_READ);
    assert_true(view_equals(facts.tool, VIEW("t")));
}

static void body_refuses_a_json_rpc_batch(void **state)
{
    (void)state;
    assert_int_equal(read_json("[{\"jsonrpc\":\"2.0\",\"method\":\"tools/call\",\"params\":{\"name\":\"t\"}}]"),
                     BODY_UNREADABLE);
}

#define CALL "{\"jsonrpc\":\"2.0\",\"method\":\"tools/call\",\"params\":{\"name\":\"a\"}"

static void body_refuses_names_that_a_reader_without_case_would_take(void **state)
{
    static const char bad[][96] = {
        "{\"Model\":\"secret\"}",
        "{\"model\":\"public\",\"MODEL\":\"secret\"}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"tools/list\",\"Method\":\"tools/call\"}",
        {CALL ",\"Params\":{\"name\":\"b\"}}"},
        {CALL ",\"param\xc5\xbf\":{\"name\":\"b\"}}"},
        "{\"method\":\"tools/call\",\"params\":{\"name\":\"a\",\"NAME\":\"b\"}}",
        "{\"JsonRpc\":\"2.0\"}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(read_json(bad[i]), BODY_UNREADABLE);
    assert_int_equal(read_json("{\"models\":\"a\",\"mode\":\"b\",\"m\xc3\xb6"
                               "del\":1}"),
                     BODY_READ);
}

static void body_refuses_json_that_is_not_whole(void **state)
{
    (void)state;
    assert_int_equal(read_json("{\"model\":\"a\""), BODY_UNREADABLE);
    assert_int_equal(read_json("{\"model\":\"a\"}{}"), BODY_UNREADABLE);
    assert_int_equal(read_json("\"model\""), BODY_UNREADABLE);
}

static void body_is_absent_only_when_there_is_none(void **state)
{
    struct request_body body = {.content_type = VIEW("application/json")};

    (void)state;
    assert_int_equal(read_body(&body), BODY_ABSENT);
    body.size = -1;
    assert_int_equal(read_body(&body), BODY_ABSENT);
    body.size = 9; /* there is one, and it did not reach us */
    assert_int_equal(read_body(&body), BODY_UNREADABLE);
    body = (struct request_body){.bytes = VIEW("{}"), .content_type = VIEW("text/plain")};
    assert_int_equal(read_body(&body), BODY_UNREADABLE); /* some server parses it all the same */
    body.content_type = (struct view){0};
    assert_int_equal(read_body(&body), BODY_UNREADABLE);
    body.content_type = VIEW("application/jsonx");
    assert_int_equal(read_body(&body), BODY_UNREADABLE);
}

static void body_knows_its_content_type_with_parameters_in_any_case(void **state)
{
    static const char *const types[] = {"application/json; charset=utf-8", "Application/JSON", "application/json ;x"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct request_body body = {.bytes = VIEW("{\"model\":\"a\"}"), .content_type = view_of(types[i])};

        assert_int_equal(read_body(&body), BODY_READ);
        assert_true(view_equals(facts.model, VIEW("a")));
    }
}

static void body_refuses_two_content_types(void **state)
{
    struct request_body body = {.bytes = VIEW("{\"model\":\"a\"}"), .content_type = VIEW("application/json")};

    (void)state;
    assert_int_equal(read_body(&body), BODY_READ);
    body.content_type = VIEW("text/plain,application/json");
    assert_int_equal(read_body(&body), BODY_UNREADABLE);
    body.content_type = VIEW("application/json; charset=utf-8,text/plain");
    assert_int_equal(read_body(&body), BODY_UNREADABLE);
}

static void body_refuses_what_is_partial_or_lossy(void **state)
{
    struct request_body body = {
        .bytes = VIEW("{\"model\":\"a\"}"), .content_type = VIEW("application/json"), .size = 13};

    (void)state;
    assert_int_equal(read_body(&body), BODY_READ);
    body.size = 14;
    assert_int_equal(read_body(&body), BODY_UNREADABLE);
    body.size = 13;
    body.is_partial = true;
    assert_int_equal(read_body(&body), BODY_UNREADABLE);
    body.is_partial = false;
    body.is_lossy = true; /* a string without `!` lost nothing */
    assert_int_equal(read_body(&body), BODY_READ);
    body.bytes = VIEW("{\"model\":\"!\"}");
    assert_int_equal(read_body(&body), BODY_UNREADABLE);
    body.is_lossy = false;
    assert_int_equal(read_body(&body), BODY_READ);
}

static void body_names_the_model_of_a_kserve_call(void **state)
{
    static const char infer[] = "/inference.GRPCInferenceService/ModelInfer";

    (void)state;
    assert_int_equal(read_grpc(infer, VIEW("\0\0\0\0\x0a\x0a\x05"
                                           "fraud\x12\x01"
                                           "1")),
                     BODY_READ);
    assert_true(view_equals(facts.model, VIEW("fraud")));
    assert_int_equal(read_grpc(infer, VIEW("\0\0\0\0\0")), BODY_READ);
    assert_false(view_is_present(facts.model));
    assert_int_equal(
        read_grpc("/inference.GRPCInferenceService/RepositoryModelLoad", VIEW("\0\0\0\0\x06\x0a\x01r\x12\x01m")),
        BODY_READ);
    assert_true(view_equals(facts.model, VIEW("m")));
    assert_int_equal(read_grpc("/inference.GRPCInferenceService/ServerLive", VIEW("\0\0\0\0\0")), BODY_READ);
    assert_int_equal(read_grpc("/inference.GRPCInferenceService2/ModelInfer", VIEW("\0\0\0\0\x03\x0a\x01m")),
                     BODY_UNREADABLE);
}

static void body_of_a_grpc_method_is_no_json(void **state)
{
    struct view bytes = VIEW("{\"model\":\"public\",\"modelName\":\"secret\"}");
    struct request_body body = {.bytes = bytes,
                                .content_type = VIEW("application/json"),
                                .path = VIEW("/inference.GRPCInferenceService/ModelInfer"),
                                .size = (int64_t)bytes.size};

    (void)state;
    assert_int_equal(read_body(&body), BODY_UNREADABLE);
    body.path = VIEW("/inference.GRPCInferenceServices/ModelInfer");
    assert_int_equal(read_body(&body), BODY_READ);
}

static void body_refuses_a_grpc_body_that_two_readers_could_read_differently(void **state)
{
    static const struct view bad[] = {
        {"\1\0\0\0\x03\x0a\x01m", 8},                       /* compressed */
        {"\0\0\0\0\x04\x0a\x01m", 8},                       /* cut off */
        {"\0\0\0\0\x02\x0a\x01m", 8},                       /* a length inside */
        {"\0\0\0\0\x03\x0a\x01m\0\0\0\0\x03\x0a\x01n", 16}, /* two messages */
        {"\0\0\0\0\x06\x0a\x01m\x0a\x01n", 11},             /* two names */
        {"\0\0\0\0\x02\x08\x01", 7},                        /* a name that is a number */
        {"\0\0\0\0\x04\x0a\x02m\0", 9},                     /* NUL */
        {"\0\0\0\0\x03\x0a\x01\xff", 8},                    /* not UTF-8 */
        {"\0\0\0\0", 4},
    };

    (void)state;
    assert_int_equal(read_grpc("/inference.GRPCInferenceService/ModelInfer", VIEW("\0\0\0\0\x03\x0a\x01m")), BODY_READ);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(read_grpc("/inference.GRPCInferenceService/ModelInfer", bad[i]), BODY_UNREADABLE);
}

static void body_over_the_arena_is_unreadable(void **state)
{
    struct request_body body = {.bytes = VIEW("{\"model\":\"a\"}"), .content_type = VIEW("application/json")};

    (void)state;
    arena_init_fixed(&arena, memory, 16);
    request_body_read(&body, &arena, &facts);
    assert_int_equal(facts.state, BODY_UNREADABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(body_names_the_model_of_an_openai_request),
        cmocka_unit_test(body_names_the_tool_of_an_mcp_call),
        cmocka_unit_test(body_of_another_api_may_have_a_method_of_any_type),
        cmocka_unit_test(body_refuses_a_json_rpc_batch),
        cmocka_unit_test(body_refuses_names_that_a_reader_without_case_would_take),
        cmocka_unit_test(body_refuses_json_that_is_not_whole),
        cmocka_unit_test(body_is_absent_only_when_there_is_none),
        cmocka_unit_test(body_knows_its_content_type_with_parameters_in_any_case),
        cmocka_unit_test(body_refuses_two_content_types),
        cmocka_unit_test(body_refuses_what_is_partial_or_lossy),
        cmocka_unit_test(body_names_the_model_of_a_kserve_call),
        cmocka_unit_test(body_of_a_grpc_method_is_no_json),
        cmocka_unit_test(body_refuses_a_grpc_body_that_two_readers_could_read_differently),
        cmocka_unit_test(body_over_the_arena_is_unreadable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
