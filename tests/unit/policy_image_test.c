/* SPDX-License-Identifier: Apache-2.0 */
/* A policy written as a file and read again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "image_records.h"
#include "policy_image.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DIGEST = POLICY_IMAGE_DIGEST_BYTES, POLICIES = 3, SCRATCH = 1 << 20, PAGE_MAX = 1 << 17 };

static const char *const PATHS[POLICIES] = {"policy/training-data.yaml", "policy/inference-gateway.yaml",
                                            "policy/agent-on-behalf-of-user.yaml"};

struct fixture {
    struct arena arena;
    struct diag_list diags;
    struct policy *policies[POLICIES];
    struct view images[POLICIES];
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    if (fixture == NULL)
        return -1;
    arena_init(&fixture->arena, (size_t)1 << 30);
    diag_list_init(&fixture->diags, &fixture->arena);
    *state = fixture;
    for (size_t i = 0; i < POLICIES; i++)
        if (policy_read(PATHS[i], &fixture->diags, &fixture->policies[i]) != ERR_NONE ||
            policy_image_write(fixture->policies[i], &fixture->arena, &fixture->images[i]) != ERR_NONE)
            return -1;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < POLICIES; i++)
        policy_free(fixture->policies[i]);
    arena_free(&fixture->arena);
    free(fixture);
    return 0;
}

static struct policy *build(struct fixture *fixture, const char *text)
{
    struct policy *policy = NULL;
    struct policy_source source = {.name = VIEW("test.yaml"), .text = view_of(text)};
    enum err err = policy_build(&source, 1, &fixture->diags, &policy);
    diag_list_print(&fixture->diags, stderr);
    assert_int_equal(err, ERR_NONE);
    return policy;
}

static struct view write_image(struct fixture *fixture, const struct policy *policy)
{
    struct view image = {0};
    assert_int_equal(policy_image_write(policy, &fixture->arena, &image), ERR_NONE);
    return image;
}

static enum err read_image(struct fixture *fixture, struct view image, struct policy **out)
{
    *out = NULL;
    diag_list_init(&fixture->diags, &fixture->arena);
    return policy_image_read(VIEW("a.bzp"), image, &fixture->diags, out);
}

static struct policy *read_good(struct fixture *fixture, struct view image)
{
    struct policy *policy = NULL;
    enum err err = read_image(fixture, image, &policy);
    diag_list_print(&fixture->diags, stderr);
    assert_int_equal(err, ERR_NONE);
    return policy;
}

/* A copy that may be changed. */
static char *copy_of(struct fixture *fixture, struct view image)
{
    char *copy = arena_take(&fixture->arena, image.size + 1);
    assert_non_null(copy);
    memcpy(copy, image.data, image.size);
    return copy;
}

static void digest_mend(char *bytes, size_t size)
{
    assert_int_equal(EVP_Digest(bytes, size - DIGEST, (unsigned char *)bytes + size - DIGEST, NULL, EVP_sha256(), NULL),
                     1);
}

static void assert_message(const struct fixture *fixture, const char *part)
{
    assert_int_equal(fixture->diags.count, 1);
    if (strstr(fixture->diags.items[0].message.data, part) == NULL)
        fail_msg("\"%s\" is not in: %s", part, fixture->diags.items[0].message.data);
}

/* ---- there and back ------------------------------------------------------------------------------ */

static void a_policy_that_was_written_and_read_writes_the_same_bytes(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < POLICIES; i++) {
        struct policy *policy = read_good(fixture, fixture->images[i]);
        struct view again = write_image(fixture, policy);
        assert_int_equal(again.size, fixture->images[i].size);
        assert_memory_equal(again.data, fixture->images[i].data, again.size);
        policy_free(policy);
    }
}

static void count_failures(void *context, const struct policy_test_result *result)
{
    *(size_t *)context += !result->passed;
}

static void the_tests_of_a_policy_travel_in_its_file(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < POLICIES; i++) {
        struct policy *policy = read_good(fixture, fixture->images[i]);
        size_t failures = 0, cases = 0;
        while (policy_test_facts(policy, cases) != NULL)
            cases++;
        assert_true(cases > 0);
        assert_null(policy_test_facts(fixture->policies[i], cases));
        assert_int_equal(policy_test(policy, count_failures, &failures), 0);
        assert_int_equal(failures, 0);
        policy_free(policy);
    }
}

static void what_others_ask_of_a_policy_is_the_same_from_its_file(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < POLICIES; i++) {
        const struct policy *whole = fixture->policies[i];
        struct policy *policy = read_good(fixture, fixture->images[i]);
        assert_true(view_equals(policy_digest(policy), policy_digest(whole)));
        assert_int_equal(policy_rule_count(policy), policy_rule_count(whole));
        assert_int_equal(policy_reads_body(policy), policy_reads_body(whole));
        const struct policy_issuer *a = policy_issuer_at(policy, 0), *b = policy_issuer_at(whole, 0);
        assert_true(view_equals(a->url, b->url) && view_equals(a->name, b->name));
        assert_int_equal(a->audience_count, b->audience_count);
        assert_int_equal(a->clock_skew, b->clock_skew);
        assert_ptr_equal(policy_issuer(policy, b->url), a);
        policy_free(policy);
    }
}

static void the_bytes_may_be_freed_after_the_read(void **state)
{
    struct fixture *fixture = *state;
    char *bytes = malloc(fixture->images[0].size);
    size_t failures = 0;
    assert_non_null(bytes);
    memcpy(bytes, fixture->images[0].data, fixture->images[0].size);
    struct policy *policy = read_good(fixture, (struct view){.data = bytes, .size = fixture->images[0].size});
    memset(bytes, 0xff, fixture->images[0].size);
    free(bytes);
    assert_int_equal(policy_test(policy, count_failures, &failures), 0);
    policy_free(policy);
}

/* ---- the same bytes --------------------------------------------------------------------------------- */

static void the_same_documents_give_the_same_bytes(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < POLICIES; i++) {
        struct policy *policy = NULL;
        assert_int_equal(policy_read(PATHS[i], &fixture->diags, &policy), ERR_NONE);
        struct view again = write_image(fixture, policy);
        assert_int_equal(again.size, fixture->images[i].size);
        assert_memory_equal(again.data, fixture->images[i].data, again.size);
        policy_free(policy);
    }
}

static void another_process_writes_the_same_bytes(void **state)
{
    struct fixture *fixture = *state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct policy *policy = NULL;
        struct view image = {0};
        bool is_good = policy_read(PATHS[1], &fixture->diags, &policy) == ERR_NONE &&
                       policy_image_write(policy, &fixture->arena, &image) == ERR_NONE &&
                       write(ends[1], image.data + image.size - DIGEST, DIGEST) == DIGEST;
        _exit(is_good ? 0 : 1);
    }
    char digest[DIGEST];
    int status = 0;
    (void)close(ends[1]);
    assert_int_equal(read(ends[0], digest, sizeof digest), DIGEST);
    (void)close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_memory_equal(digest, fixture->images[1].data + fixture->images[1].size - DIGEST, DIGEST);
}

#define HEAD "apiVersion: bartizan.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: small}\nspec:\n"

/* Everything but the order in the text, the lines of which are in the file. */
static void what_is_written_in_another_way_has_the_same_digest_of_documents(void **state)
{
    struct fixture *fixture = *state;
    struct policy *a = build(fixture, HEAD "  rules:\n  - {allow: one, priority: 2}\n");
    struct policy *b = build(fixture, HEAD "  rules: # first\n  - {priority: 2, allow: \"one\"}\n");
    struct policy *c = build(fixture, HEAD "  rules:\n  - {allow: one, priority: 3}\n");
    struct policy_image_head heads[3];
    struct policy *all[] = {a, b, c};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(policy_image_head(write_image(fixture, all[i]), &heads[i]), ERR_NONE);
        policy_free(all[i]);
    }
    assert_memory_equal(heads[0].documents, heads[1].documents, DIGEST);
    assert_memory_not_equal(heads[0].documents, heads[2].documents, DIGEST);
}

/* ---- the head ------------------------------------------------------------------------------------------- */

static void the_head_says_what_the_file_is(void **state)
{
    struct fixture *fixture = *state;
    struct policy_image_head head;
    uint8_t layout[DIGEST];
    char hex[2 * DIGEST + 1];
    uint64_t at = 0;
    assert_int_equal(policy_image_head(fixture->images[1], &head), ERR_NONE);
    assert_int_equal(policy_image_layout(layout), ERR_NONE);
    assert_int_equal(head.major, POLICY_IMAGE_MAJOR);
    assert_int_equal(head.minor, POLICY_IMAGE_MINOR);
    assert_true(head.is_of_this_layout);
    assert_memory_equal(head.layout, layout, DIGEST);
    assert_int_equal(head.rule_count, policy_rule_count(fixture->policies[1]));
    for (size_t i = 0; i < DIGEST; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", head.documents[i]);
    assert_true(view_equals(view_of(hex), policy_digest(fixture->policies[1])));
    assert_true(head.section_count > 2 && view_is_present(head.release));
    assert_true(view_equals(head.sections[1].name, VIEW("text")));
    for (size_t i = 0; i < head.section_count; i++) {
        assert_true(i == 0 || head.sections[i].offset == at);
        at = head.sections[i].offset + head.sections[i].bytes;
        if (view_equals(head.sections[i].name, VIEW("rule")))
            assert_int_equal(head.sections[i].rows, head.rule_count);
    }
    assert_int_equal(at + DIGEST, fixture->images[1].size);
}

static void the_zones_that_a_policy_reads_are_in_the_head(void **state)
{
    struct fixture *fixture = *state;
    static const char *const zones[] = {"UTC", "Europe/Paris", "Europe/Rome"};
    struct policy_image_head heads[3];
    uint8_t nothing[DIGEST];
    assert_int_equal(EVP_Digest("", 0, nothing, NULL, EVP_sha256(), NULL), 1);
    for (size_t i = 0; i < 3; i++) {
        struct view text = arena_print(
            &fixture->arena, HEAD "  rules:\n  - {allow: a, when: {all: [{time: {tz: %s, days: [mon]}}, {port: 1}]}}\n",
            zones[i]);
        struct policy *policy = build(fixture, text.data);
        assert_int_equal(policy_image_head(write_image(fixture, policy), &heads[i]), ERR_NONE);
        policy_free(policy);
    }
    assert_memory_equal(heads[0].time_zones, nothing, DIGEST);
    assert_memory_not_equal(heads[0].time_zones, heads[1].time_zones, DIGEST);
    assert_memory_not_equal(heads[1].time_zones, heads[2].time_zones, DIGEST);
}

/* ---- refusals --------------------------------------------------------------------------------------------- */

/* Everything is refused by its head already; that reading one asks the head is seen on some. */
static void assert_refused_bytes(struct fixture *fixture, struct view changed, size_t number, const char *what)
{
    struct policy_image_head head;
    struct policy *policy;
    if (policy_image_head(changed, &head) == ERR_NONE)
        fail_msg("%s %zu is taken", what, number);
    if (number % 97 == 0)
        assert_int_equal(read_image(fixture, changed, &policy), ERR_INVALID);
}

static void every_truncation_is_refused(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < POLICIES; i++)
        for (size_t size = 0; size < fixture->images[i].size; size++)
            assert_refused_bytes(fixture, view_slice(fixture->images[i], 0, size), size, PATHS[i]);
}

static void every_flip_of_a_bit_is_refused(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < POLICIES; i++) {
        char *copy = copy_of(fixture, fixture->images[i]);
        struct view changed = {.data = copy, .size = fixture->images[i].size};
        for (size_t bit = 0; bit < 8 * changed.size; bit++) {
            copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
            assert_refused_bytes(fixture, changed, bit, PATHS[i]);
            copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
        }
    }
}

static void a_byte_more_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct policy *policy;
    struct view longer = {.data = copy_of(fixture, fixture->images[0]), .size = fixture->images[0].size + 1};
    assert_int_equal(read_image(fixture, longer, &policy), ERR_INVALID);
    assert_message(fixture, "not a whole compiled policy");
}

static void a_file_of_another_layout_is_refused_with_both_releases(void **state)
{
    struct fixture *fixture = *state;
    struct policy *policy;
    struct policy_image_head head;
    struct view changed = fixture->images[0];
    char *copy = copy_of(fixture, changed);
    copy[48] = (char)(copy[48] ^ 1);
    memcpy(copy + 144, "9.8.7", 6);
    digest_mend(copy, changed.size);
    changed.data = copy;
    assert_int_equal(read_image(fixture, changed, &policy), ERR_INVALID);
    assert_message(fixture, "compiled by release 9.8.7, layout ");
    assert_true(view_equals(fixture->diags.items[0].code, VIEW("E0603")));
    assert_non_null(strstr(fixture->diags.items[0].hint.data, "compile it again"));
    assert_int_equal(policy_image_head(changed, &head), ERR_NONE);
    assert_false(head.is_of_this_layout);
}

static void a_file_of_another_format_is_refused_with_its_number(void **state)
{
    struct fixture *fixture = *state;
    struct policy *policy;
    struct policy_image_head head;
    struct view changed = fixture->images[0];
    char *copy = copy_of(fixture, changed);
    copy[24] = 2;
    digest_mend(copy, changed.size);
    changed.data = copy;
    assert_int_equal(policy_image_head(changed, &head), ERR_UNSUPPORTED);
    assert_int_equal(read_image(fixture, changed, &policy), ERR_INVALID);
    assert_message(fixture, "a compiled policy of format 2");
}

static void a_digest_of_other_zones_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct policy *policy;
    struct view changed = fixture->images[0];
    char *copy = copy_of(fixture, changed);
    copy[112] = (char)(copy[112] ^ 1);
    digest_mend(copy, changed.size);
    changed.data = copy;
    assert_int_equal(read_image(fixture, changed, &policy), ERR_INVALID);
    assert_message(fixture, "its head speaks of other rules or time zones");
}

/* One more, carried on. */
static void increase(char *number)
{
    while (++*number == 0)
        number++;
}

/* The file with one byte more at the start or the end of its last section, which counts it or not. */
static struct view with_a_byte_more(struct fixture *fixture, struct view image, bool is_first, bool is_counted)
{
    struct policy_image_head head;
    assert_int_equal(policy_image_head(image, &head), ERR_NONE);
    const struct policy_image_section *last = &head.sections[head.section_count - 1];
    size_t entry = (size_t)(last->name.data - image.data), at = is_first ? last->offset : image.size - DIGEST;
    char *copy = arena_take(&fixture->arena, image.size + 1);
    assert_non_null(copy);
    memcpy(copy, image.data, at);
    copy[at] = 0;
    memcpy(copy + at + 1, image.data + at, image.size - at);
    if (is_counted)
        increase(copy + entry + 32);
    increase(copy + 32);
    digest_mend(copy, image.size + 1);
    return (struct view){.data = copy, .size = image.size + 1};
}

static void bytes_that_no_section_holds_are_refused(void **state)
{
    struct fixture *fixture = *state;
    struct policy *policy;
    struct view longer = with_a_byte_more(fixture, fixture->images[0], false, false);
    assert_int_equal(read_image(fixture, longer, &policy), ERR_INVALID);
    assert_message(fixture, "not a whole compiled policy");
}

static void bytes_of_a_section_that_no_row_holds_are_refused(void **state)
{
    struct fixture *fixture = *state;
    struct policy *policy;
    struct view longer = with_a_byte_more(fixture, fixture->images[0], false, true);
    assert_int_equal(read_image(fixture, longer, &policy), ERR_INVALID);
    assert_message(fixture, "the table is longer than its rows (policy");
}

static void a_number_that_is_not_in_its_shortest_form_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct policy *policy;
    struct policy_image_head head;
    struct view longer = with_a_byte_more(fixture, fixture->images[0], true, true);
    char *bytes = (char *)(uintptr_t)longer.data;
    assert_int_equal(policy_image_head(longer, &head), ERR_NONE);
    char *first = bytes + head.sections[head.section_count - 1].offset;
    first[0] = (char)(first[1] | 0x80); /* n, 0: as good as n for a reader that does not look */
    first[1] = 0;
    digest_mend(bytes, longer.size);
    assert_int_equal(read_image(fixture, longer, &policy), ERR_INVALID);
    assert_message(fixture, "not in its shortest form (");
}

/* ---- damage that its digest does not show ------------------------------------------------------------------ */

static void decide_all(const struct policy *policy, const struct policy *requests)
{
    const struct facts *facts;
    struct arena scratch;
    struct decision decision;
    static char memory[SCRATCH];
    for (size_t i = 0; (facts = policy_test_facts(requests, i)) != NULL; i++) {
        arena_init_fixed(&scratch, memory, SCRATCH);
        policy_decide(policy, facts, &scratch, &decision);
        arena_init_fixed(&scratch, memory, SCRATCH);
        policy_interpret(policy, facts, &scratch, &decision);
    }
}

/* What is refused says where; what is not decides without harm. */
static void a_flip_under_a_mended_digest_is_refused_or_decides(void **state)
{
    struct fixture *fixture = *state;
    size_t refused = 0, taken = 0;
    for (size_t i = 0; i < POLICIES; i++) {
        char *copy = copy_of(fixture, fixture->images[i]);
        struct view changed = {.data = copy, .size = fixture->images[i].size};
        for (size_t bit = 0; bit < 8 * (changed.size - DIGEST); bit += 37) {
            struct policy *policy;
            copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
            digest_mend(copy, changed.size);
            enum err err = read_image(fixture, changed, &policy);
            assert_true(err == ERR_NONE || (err == ERR_INVALID && fixture->diags.errors > 0));
            if (err == ERR_NONE && taken++ % 16 == 0)
                decide_all(policy, fixture->policies[i]);
            refused += err != ERR_NONE;
            policy_free(policy);
            copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
        }
    }
    assert_true(refused > 100 && taken > 100);
}

/* ---- files ------------------------------------------------------------------------------------------------ */

static enum err read_path(struct fixture *fixture, struct view bytes, struct policy **out)
{
    char path[] = P_tmpdir "/policy_image_test.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes.data, bytes.size), (ssize_t)bytes.size);
    (void)close(fd);
    diag_list_init(&fixture->diags, &fixture->arena);
    *out = NULL;
    enum err err = policy_read(path, &fixture->diags, out);
    (void)unlink(path);
    return err;
}

static void a_compiled_file_is_known_by_its_first_bytes(void **state)
{
    struct fixture *fixture = *state;
    struct policy *policy;
    assert_int_equal(read_path(fixture, fixture->images[2], &policy), ERR_NONE);
    assert_true(view_equals(policy_digest(policy), policy_digest(fixture->policies[2])));
    policy_free(policy);
    struct view part = view_slice(fixture->images[2], 0, fixture->images[2].size - 1);
    assert_int_equal(read_path(fixture, part, &policy), ERR_INVALID);
    assert_message(fixture, "not a whole compiled policy");
    part = view_slice(fixture->images[2], 1, fixture->images[2].size);
    assert_int_equal(read_path(fixture, part, &policy), ERR_INVALID);
    assert_true(view_starts_with(fixture->diags.items[0].code, VIEW("E01")));
}

static void a_compiled_policy_stands_alone(void **state)
{
    struct fixture *fixture = *state;
    struct policy *policy = NULL;
    const struct policy_source sources[] = {{.name = VIEW("a.bzp"), .text = fixture->images[2]},
                                            {.name = VIEW("b.yaml"), .text = VIEW(HEAD "  rules: [{allow: one}]\n")}};
    diag_list_init(&fixture->diags, &fixture->arena);
    assert_int_equal(policy_build(sources, 1, &fixture->diags, &policy), ERR_NONE);
    policy_free(policy);
    assert_int_equal(policy_build(&sources[1], 1, &fixture->diags, &policy), ERR_NONE);
    policy_free(policy);
    assert_int_equal(policy_build(sources, 2, &fixture->diags, &policy), ERR_INVALID);
    assert_message(fixture, "it stands alone");
}

/* 8 MiB is the limit of a document alone. */
static void a_compiled_file_may_be_larger_than_a_document(void **state)
{
    struct fixture *fixture = *state;
    struct policy *policy;
    size_t size = (size_t)9 << 20;
    char *bytes = arena_take(&fixture->arena, size);
    assert_non_null(bytes);
    memcpy(bytes, fixture->images[0].data, fixture->images[0].size);
    assert_int_equal(read_path(fixture, (struct view){.data = bytes, .size = size}, &policy), ERR_INVALID);
    assert_message(fixture, "not a whole compiled policy");
    bytes[0] = 'B';
    assert_int_equal(read_path(fixture, (struct view){.data = bytes, .size = size}, &policy), ERR_IO);
    assert_message(fixture, "larger than 8 MiB");
}

/* ---- the definitions ------------------------------------------------------------------------------------------ */

static bool is_owner(enum image_kind kind)
{
    return kind == IMAGE_SHARED || kind == IMAGE_LIST || kind == IMAGE_ONE || kind == IMAGE_OWN ||
           kind == IMAGE_PER_ISSUER || kind == IMAGE_INSIDE;
}

static void rows_are_owned_by_records_behind_them_alone(void **state)
{
    (void)state;
    for (unsigned i = 0; i < IMAGE_RECORDS; i++) {
        const struct image_record *record = image_record((enum image_record_id)i);
        for (uint32_t k = 0; k < record->field_count; k++) {
            const struct image_field *field = &record->fields[k];
            if (is_owner(field->kind) && (unsigned)field->record >= i &&
                ((unsigned)field->record > i || record->depth == 0))
                fail_msg("%s.%s", record->name, field->name);
        }
    }
}

static void references_lead_to_what_the_model_lists(void **state)
{
    (void)state;
    for (unsigned i = 0; i < IMAGE_RECORDS; i++) {
        const struct image_record *record = image_record((enum image_record_id)i);
        assert_true(!record->is_root || record->fields[0].kind == IMAGE_INDEX);
        for (uint32_t k = 0; k < record->field_count; k++) {
            enum image_kind kind = record->fields[k].kind;
            bool is_ref = kind == IMAGE_REF || kind == IMAGE_REF_OR_NONE || kind == IMAGE_REFS;
            if (is_ref && !image_record(record->fields[k].record)->is_root)
                fail_msg("%s.%s", record->name, record->fields[k].name);
        }
    }
}

/* Between two members of a struct, in the order of the definitions, is never more than padding. */
static void no_member_of_a_struct_is_left_out(void **state)
{
    (void)state;
    for (unsigned i = 0; i < IMAGE_RECORDS; i++) {
        const struct image_record *record = image_record((enum image_record_id)i);
        uint32_t end = 0;
        for (uint32_t k = 0; k < record->field_count; k++) {
            const struct image_field *field = &record->fields[k];
            bool is_counted = field->kind == IMAGE_COUNT && field->offset + field->size == end; /* with its list */
            if (!is_counted && (field->offset < end || field->offset - end >= sizeof(void *)))
                fail_msg("before %s.%s", record->name, field->name);
            end = field->offset + field->size;
            end += field->kind == IMAGE_TEXTS && field->count_offset == end ? field->count_size : 0;
        }
        if (record->size < end || record->size - end >= sizeof(void *))
            fail_msg("behind %s", record->name);
    }
}

/* ---- documentation ------------------------------------------------------------------------------------------ */

#define RECORDS_HEADING "## Records\n\n"

static void the_definitions_in_the_documentation_are_those_of_the_program(void **state)
{
    struct fixture *fixture = *state;
    char *text = NULL, *page = arena_take(&fixture->arena, PAGE_MAX);
    size_t size = 0;
    FILE *out = open_memstream(&text, &size), *file = fopen("../docs/compiled-policy.md", "rb");
    assert_non_null(out);
    assert_non_null(file);
    policy_image_print_layout(out);
    assert_int_equal(fclose(out), 0);
    size_t length = fread(page, 1, PAGE_MAX - 1, file);
    (void)fclose(file);
    const char *records = strstr(page, RECORDS_HEADING);
    assert_true(length < PAGE_MAX - 1 && records != NULL);
    if (strcmp(records + sizeof RECORDS_HEADING - 1, text) != 0)
        fail_msg("docs/compiled-policy.md has other records than the program: put those of "
                 "`policy_image_test --print-layout` behind its heading");
    free(text);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--print-layout") == 0) {
        policy_image_print_layout(stdout);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_policy_that_was_written_and_read_writes_the_same_bytes),
        cmocka_unit_test(the_tests_of_a_policy_travel_in_its_file),
        cmocka_unit_test(what_others_ask_of_a_policy_is_the_same_from_its_file),
        cmocka_unit_test(the_bytes_may_be_freed_after_the_read),
        cmocka_unit_test(the_same_documents_give_the_same_bytes),
        cmocka_unit_test(another_process_writes_the_same_bytes),
        cmocka_unit_test(what_is_written_in_another_way_has_the_same_digest_of_documents),
        cmocka_unit_test(the_head_says_what_the_file_is),
        cmocka_unit_test(the_zones_that_a_policy_reads_are_in_the_head),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_flip_of_a_bit_is_refused),
        cmocka_unit_test(a_byte_more_is_refused),
        cmocka_unit_test(a_file_of_another_layout_is_refused_with_both_releases),
        cmocka_unit_test(a_file_of_another_format_is_refused_with_its_number),
        cmocka_unit_test(a_digest_of_other_zones_is_refused),
        cmocka_unit_test(bytes_that_no_section_holds_are_refused),
        cmocka_unit_test(bytes_of_a_section_that_no_row_holds_are_refused),
        cmocka_unit_test(a_number_that_is_not_in_its_shortest_form_is_refused),
        cmocka_unit_test(a_flip_under_a_mended_digest_is_refused_or_decides),
        cmocka_unit_test(a_compiled_file_is_known_by_its_first_bytes),
        cmocka_unit_test(a_compiled_policy_stands_alone),
        cmocka_unit_test(a_compiled_file_may_be_larger_than_a_document),
        cmocka_unit_test(rows_are_owned_by_records_behind_them_alone),
        cmocka_unit_test(references_lead_to_what_the_model_lists),
        cmocka_unit_test(no_member_of_a_struct_is_left_out),
        cmocka_unit_test(the_definitions_in_the_documentation_are_those_of_the_program),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
