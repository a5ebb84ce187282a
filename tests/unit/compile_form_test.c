/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* memfd_create */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "compile_form.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static struct arena arena;
static struct diag_list *diags;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 24);
    diags = arena_take(&arena, sizeof *diags);
    assert_non_null(diags);
    diag_list_init(diags, &arena);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static int new_file(void)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void sources_come_back_as_they_were(void **state)
{
    const struct policy_source sources[] = {{VIEW("a.yaml"), VIEW("kind: x\n")}, {VIEW("b"), VIEW("")}};
    struct policy_source *got;
    size_t count;
    int fd = new_file();
    (void)state;
    assert_int_equal(compile_form_write_sources(fd, sources, 2), ERR_NONE);
    assert_int_equal(compile_form_read_sources(fd, &arena, &got, &count), ERR_NONE);
    assert_int_equal(count, 2);
    for (size_t i = 0; i < count; i++) {
        assert_true(view_equals(got[i].name, sources[i].name));
        assert_true(view_is_present(got[i].text) && view_equals(got[i].text, sources[i].text));
    }
    (void)close(fd);
}

static void add_findings(void)
{
    struct span span = {.file = VIEW("p.yaml"), .line = 3, .column = 5, .end_column = 9};
    diag_add(diags, &(struct diag){.severity = DIAG_WARNING,
                                   .code = VIEW("W0001"),
                                   .span = span,
                                   .path = VIEW("spec.rules[0]"),
                                   .message = VIEW("odd"),
                                   .hint = VIEW("mend it")});
    diag_error(diags, "E0001", &span, "broken");
}

static void a_result_comes_back_with_its_findings_and_its_image(void **state)
{
    struct compile_result result = {.error = ERR_NONE, .image = VIEW("image\0bytes")}, got;
    int fd = new_file();
    (void)state;
    add_findings();
    assert_int_equal(compile_form_write_result(fd, &result, diags), ERR_NONE);
    diag_list_init(diags, &arena);
    assert_int_equal(compile_form_read_result(fd, &arena, diags, &got), ERR_NONE);
    assert_int_equal(got.error, ERR_NONE);
    assert_true(view_equals(got.image, result.image));
    assert_int_equal(diags->count, 2);
    assert_int_equal(diags->errors, 1);
    const struct diag *first = &diags->items[0];
    assert_int_equal(first->severity, DIAG_WARNING);
    assert_int_equal(first->span.line, 3);
    assert_int_equal(first->span.end_column, 9);
    assert_string_equal(first->code.data, "W0001");
    assert_string_equal(first->path.data, "spec.rules[0]");
    assert_string_equal(first->hint.data, "mend it");
    assert_false(view_is_present(diags->items[1].hint));
    (void)close(fd);
}

/* What is cut or lengthened anywhere is no result: a process that died while it wrote left none. */
static void every_prefix_of_a_result_is_none(void **state)
{
    const struct compile_result result = {.error = ERR_INVALID};
    struct compile_result got;
    int fd = new_file();
    (void)state;
    add_findings();
    assert_int_equal(compile_form_write_result(fd, &result, diags), ERR_NONE);
    off_t size = lseek(fd, 0, SEEK_END);
    for (off_t cut = size - 1; cut >= 0; cut--) {
        assert_int_equal(ftruncate(fd, cut), 0);
        assert_int_equal(compile_form_read_result(fd, &arena, diags, &got), ERR_MALFORMED);
    }
    assert_int_equal(ftruncate(fd, size + 1), 0);
    assert_int_equal(compile_form_read_result(fd, &arena, diags, &got), ERR_MALFORMED);
    (void)close(fd);
}

static void numbers_that_cannot_be_are_refused(void **state)
{
    static const uint32_t bad[][3] = {
        {ERR_INVALID + 1, 0, UINT32_MAX}, {ERR_NONE, DIAG_CAP + 1, UINT32_MAX}, {ERR_NONE, 0, 1}};
    static const uint32_t good[3] = {ERR_NONE, 0, UINT32_MAX};
    struct compile_result got;
    struct policy_source *sources;
    size_t count;
    int fd = new_file();
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(pwrite(fd, bad[i], sizeof bad[i], 0), sizeof bad[i]);
        assert_int_equal(compile_form_read_result(fd, &arena, diags, &got), ERR_MALFORMED);
    }
    assert_int_equal(pwrite(fd, good, sizeof good, 0), sizeof good);
    assert_int_equal(compile_form_read_result(fd, &arena, diags, &got), ERR_NONE);
    assert_int_equal(pwrite(fd, &(uint32_t){UINT32_MAX}, 4, 0), 4);
    assert_int_equal(compile_form_read_sources(fd, &arena, &sources, &count), ERR_MALFORMED);
    (void)close(fd);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(sources_come_back_as_they_were),
        CASE(a_result_comes_back_with_its_findings_and_its_image),
        CASE(every_prefix_of_a_result_is_none),
        CASE(numbers_that_cannot_be_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
