/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "catalog.h"
#include "path_pattern.h"

static void every_path_of_a_catalog_is_a_template(void **state)
{
    size_t count;
    const struct catalog_entry *entries = catalog_entries(&count);
    struct arena arena;
    (void)state;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < count; i++) {
        struct path_pattern pattern;
        const char *problem = NULL;
        if (entries[i].kind == OPERATION_HTTP)
            assert_int_equal(path_pattern_parse(entries[i].path, &arena, &pattern, &problem), ERR_NONE);
        else
            assert_true(entries[i].service.size > 0 && entries[i].call.size > 0);
        assert_int_equal(request_method_check(entries[i].method), REASON_NONE);
    }
    arena_free(&arena);
}

static void the_entries_of_an_operation_stand_together(void **state)
{
    size_t count, found;
    const struct catalog_entry *entries = catalog_entries(&count);
    (void)state;
    for (size_t i = 0; i < count; i++) {
        const struct catalog_entry *first = catalog_find(entries[i].name, &found);
        assert_non_null(first);
        assert_true(&entries[i] >= first && &entries[i] < first + found);
    }
}

/* True when some entry of the operation is this method and path, or this service and method. */
static bool has(const char *operation, const char *method, const char *path)
{
    size_t count;
    const struct catalog_entry *entries = catalog_find(view_of(operation), &count);
    for (size_t i = 0; entries != NULL && i < count; i++) {
        bool is_grpc = entries[i].kind == OPERATION_GRPC;
        struct view a = is_grpc ? entries[i].service : entries[i].method;
        struct view b = is_grpc ? entries[i].call : entries[i].path;
        if (view_equals(a, view_of(method)) && view_equals(b, view_of(path)))
            return true;
    }
    return false;
}

static void the_catalogs_have_what_people_serve(void **state)
{
    assert_true(has("mlflow.registry-transition", "POST", "/api/2.0/mlflow/model-versions/transition-stage"));
    assert_true(has("mlflow.registry-transition", "POST", "/ajax-api/2.0/mlflow/registered-models/alias"));
    assert_false(has("mlflow.registry-write", "POST", "/api/2.0/mlflow/model-versions/transition-stage"));
    assert_true(has("mlflow.registry-read", "GET", "/api/2.0/mlflow/registered-models/get"));
    assert_false(has("mlflow.registry-read", "DELETE", "/api/2.0/mlflow/registered-models/delete"));
    assert_true(has("mlflow.tracking-write", "POST", "/api/2.0/mlflow/runs/log-batch"));
    assert_true(has("mlflow.artifacts-read", "GET", "/api/2.0/mlflow-artifacts/artifacts/{artifact}/{**}"));
    static const char *const inference = "inference.GRPCInferenceService";
    (void)state;
    assert_true(has("kserve-v1.predict", "POST", "/v1/models/{model}:predict"));
    assert_true(has("kserve-v1.explain", "POST", "/v1/models/{model}:explain"));
    assert_true(has("kserve-v1.list", "GET", "/v1/models"));
    assert_true(has("kserve-v1.ready", "GET", "/v1/models/{model}"));
    assert_true(has("kserve-v2.infer", "POST", "/v2/models/{model}/infer"));
    assert_true(has("kserve-v2.infer", "POST", "/v2/models/{model}/versions/{version}/infer"));
    assert_true(has("kserve-v2.infer", inference, "ModelInfer"));
    assert_true(has("kserve-v2.infer", inference, "ModelStreamInfer"));
    assert_true(has("kserve-v2.metadata", "GET", "/v2/models/{model}"));
    assert_true(has("kserve-v2.ready", inference, "ModelReady"));
    assert_true(has("kserve-v2.health", "GET", "/v2/health/live"));
    assert_true(has("kserve-v2.health", "GET", "/v2/health/ready"));
    assert_true(has("kserve-v2.health", inference, "ServerLive"));
    assert_true(has("kserve-v2.health", inference, "ServerReady"));
    assert_true(has("kserve-v2.repository", "POST", "/v2/repository/index"));
    assert_true(has("kserve-v2.repository", "POST", "/v2/repository/models/{model}/load"));
    assert_true(has("kserve-v2.repository", "POST", "/v2/repository/models/{model}/unload"));
    assert_true(has("kserve-v2.repository", inference, "RepositoryModelLoad"));
    assert_true(has("openai.chat", "POST", "/v1/chat/completions"));
    assert_true(has("openai.completions", "POST", "/v1/completions"));
    assert_true(has("openai.embeddings", "POST", "/v1/embeddings"));
    assert_true(has("openai.responses", "POST", "/v1/responses"));
    assert_true(has("openai.models", "GET", "/v1/models"));
    assert_true(has("mcp.tools-call", "POST", "/mcp"));
    assert_true(has("grpc.health", "grpc.health.v1.Health", "Check"));
    assert_true(has("grpc.health", "grpc.health.v1.Health", "Watch"));
    assert_true(has("mcp.session", "DELETE", "/mcp"));
    assert_true(has("kserve-v2.generate", "POST", "/v2/models/{model}/versions/{version}/generate_stream"));
    assert_false(has("kserve-v1.predict", "GET", "/v1/models/{model}:predict"));
}

static void an_operation_that_no_catalog_has_is_not_found(void **state)
{
    size_t count = 7;
    (void)state;
    assert_null(catalog_find(VIEW("kserve-v1"), &count));
    assert_int_equal(count, 0);
    assert_null(catalog_find(VIEW("kserve-v1.predict "), &count));
    assert_null(catalog_find(VIEW(""), &count));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_path_of_a_catalog_is_a_template),
        cmocka_unit_test(the_entries_of_an_operation_stand_together),
        cmocka_unit_test(the_catalogs_have_what_people_serve),
        cmocka_unit_test(an_operation_that_no_catalog_has_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
