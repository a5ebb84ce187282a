/* SPDX-License-Identifier: Apache-2.0 */
#include "junit.h"

#include "small_folder.h"

#include <string.h>

struct fixture {
    struct small_folder folder;
    struct arena arena;
    struct junit junit;
    char text[4096];
};

static int begin(void **state)
{
    static struct fixture f;
    f = (struct fixture){0};
    small_folder_make(&f.folder);
    arena_init(&f.arena, (size_t)1024 * 1024);
    *state = &f;
    return 0;
}

static int finish(void **state)
{
    struct fixture *f = *state;
    arena_free(&f->arena);
    small_folder_remove(&f->folder);
    return 0;
}

static void add(struct fixture *f, struct view name, bool passed)
{
    const struct policy_test_result result = {.name = name,
                                              .passed = passed,
                                              .expected = VIEW("allow"),
                                              .got = VIEW("deny"),
                                              .span = {.file = VIEW("p.yaml"), .line = 7}};
    junit_add(&f->junit, &result, &f->arena);
}

/* Writes the report and reads it back. */
static void report(struct fixture *f, size_t failures)
{
    const char *path = small_folder_path(&f->folder, "report");
    assert_true(junit_write(&f->junit, path, "suite", failures, &f->arena));
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    f->text[fread(f->text, 1, sizeof(f->text) - 1, file)] = '\0';
    assert_int_equal(fclose(file), 0);
}

static void a_failed_test_says_why_and_a_passed_one_does_not(void **state)
{
    struct fixture *f = *state;
    add(f, VIEW("good"), true);
    report(f, 0);
    assert_non_null(strstr(f->text, "name=\"good\" classname=\"suite\" file=\"p.yaml\" line=\"7\"/>"));
    assert_null(strstr(f->text, "<failure"));
    add(f, VIEW("bad"), false);
    report(f, 1);
    assert_non_null(strstr(f->text, "<testsuites tests=\"2\" failures=\"1\" errors=\"0\">"));
    assert_non_null(strstr(f->text, "<failure message=\"expected allow\">got deny</failure>"));
    assert_true(strstr(f->text, "\"good\"") < strstr(f->text, "\"bad\""));
}

static void what_xml_would_read_as_its_own_is_escaped(void **state)
{
    struct fixture *f = *state;
    add(f, VIEW("<a&\"b\">\x01\xef\xbf\xbf|\xef\xbf\xbd|"), true);
    report(f, 0);
    assert_non_null(strstr(f->text, "name=\"&lt;a&amp;&quot;b&quot;&gt;"));
    assert_null(strchr(f->text, '\x01'));
    assert_null(strstr(f->text, "\xef\xbf\xbf"));
}

static void an_exhausted_report_is_not_written_and_nor_is_one_without_a_folder(void **state)
{
    struct fixture *f = *state;
    struct arena none;
    char memory[8];
    const struct policy_test_result result = {.name = VIEW("a"), .passed = true};
    assert_false(junit_write(&f->junit, small_folder_path(&f->folder, "none/report"), "suite", 0, &f->arena));
    arena_init_fixed(&none, memory, sizeof(memory));
    junit_add(&f->junit, &result, &none);
    assert_true(f->junit.is_exhausted);
    assert_false(junit_write(&f->junit, small_folder_path(&f->folder, "report"), "suite", 0, &f->arena));
    assert_int_not_equal(access(small_folder_path(&f->folder, "report"), F_OK), 0);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_failed_test_says_why_and_a_passed_one_does_not),
        CASE(what_xml_would_read_as_its_own_is_escaped),
        CASE(an_exhausted_report_is_not_written_and_nor_is_one_without_a_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
