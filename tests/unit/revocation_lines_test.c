/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "revocation.h"
#include "revocation_lines.h"
#include "revocation_list.h"

#include <stdio.h>
#include <stdlib.h>

#define HEAD "bartizan-revocations v1\nsequence 7\n"
#define ALICE "spiffe://td/ns/a/sa/alice"
#define SHA "ab01000000000000000000000000000000000000000000000000000000000000"
#define NOW INT64_C(1800000000)

static const char every_text[] =
    HEAD "spiffe\t" ALICE "\texpires=2027-01-31T08:00:00Z\treason=left the company, \xc3\xa9\tauthor=ops\n"
         "spiffePrefix\tspiffe://td/ns/a\n"
         "certificateSha256\t" SHA "\n"
         "spkiSha256\t" SHA "\tcreated=2027-01-01T00:00:00Z\n"
         "serial\t00:ff:01\tissuer=keyId:17:8a:22\n"
         "serial\t1\tissuer=nameSha256:" SHA "\n"
         "authority\tspkiSha256:" SHA "\n"
         "authority\tkeyId:178A22\n"
         "user\tal ice=\"#\tissuer=https://sso.example/a=b\tissuedBefore=2027-01-15T08:00:00Z\n"
         "token\tj-1\tissuer=https://sso.example\n"
         "end\n";
static const struct view every = {.data = every_text, .size = sizeof every_text - 1};

static struct arena arena;
static struct diag_list diags;
static struct revocation_list list;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 4 * 1024 * 1024);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

/* Both readers say the same: the one of commands, and the one of the decider. */
static enum err parse(struct view text)
{
    struct revocations *revocations = NULL;
    const struct revocation_source source = {.file = VIEW("f.revocations"), .text = text};
    arena_reuse(&arena);
    diag_list_init(&diags, &arena);
    enum err built = revocations_build(&source, 1, &diags, &revocations);
    size_t count = revocations != NULL ? revocations_count(revocations) : 0;
    uint64_t sequence = revocations != NULL ? revocations_sequence(revocations) : 0;
    revocations_free(revocations);
    diag_list_init(&diags, &arena);
    enum err err = revocation_list_parse(VIEW("f.revocations"), text, &arena, &diags, &list);
    assert_int_equal(built, err);
    assert_int_equal(err == ERR_INVALID, diags.errors > 0);
    if (err == ERR_NONE)
        assert_true(count == list.count && sequence == list.sequence);
    return err;
}

static void lines_say_what_a_document_says(void **state)
{
    (void)state;
    struct revocation_list document;
    assert_int_equal(parse(every), ERR_NONE);
    assert_int_equal(list.sequence, 7);
    assert_int_equal(list.count, 10);
    assert_int_equal(revocation_lines_count(every), 13);
    struct view yaml = revocation_list_print(&list, &arena);
    assert_int_equal(revocation_list_parse(VIEW("f.yaml"), yaml, &arena, &diags, &document), ERR_NONE);
    assert_int_equal(document.count, list.count);
    for (size_t i = 0; i < list.count; i++) {
        assert_true(revocation_entry_matches(&list.entries[i], &document.entries[i]));
        assert_true(view_equals(list.entries[i].reason, document.entries[i].reason));
        assert_true(view_equals(list.entries[i].author, document.entries[i].author));
        assert_int_equal(list.entries[i].expires, document.entries[i].expires);
        assert_int_equal(list.entries[i].created, document.entries[i].created);
    }
}

static void lines_without_an_entry_are_a_list(void **state)
{
    (void)state;
    assert_int_equal(parse(VIEW(HEAD "end\n")), ERR_NONE);
    assert_int_equal(list.count, 0);
}

static void lines_cut_off_anywhere_are_refused_whole(void **state)
{
    (void)state;
    for (size_t size = 0; size < every.size; size++)
        assert_int_equal(parse(view_slice(every, 0, size)), ERR_INVALID);
}

/* A bit that turns is refused, or leaves a list: never half of one, and nothing is overrun. */
static void lines_with_any_byte_changed_are_whole_or_refused(void **state)
{
    (void)state;
    char *text = malloc(every.size);
    assert_non_null(text);
    for (size_t i = 0; i < every.size; i++) {
        static const unsigned char flips[] = {0x01, 0x08, 0x20, 0x80, 0xff};
        for (size_t k = 0; k < sizeof flips; k++) {
            memcpy(text, every.data, every.size);
            text[i] = (char)((unsigned char)text[i] ^ flips[k]);
            if (parse((struct view){.data = text, .size = every.size}) == ERR_NONE)
                assert_true(list.count >= 9 || !revocation_lines_is((struct view){text, every.size}));
        }
    }
    free(text);
}

static void lines_that_say_something_else_are_refused_with_their_place(void **state)
{
    (void)state;
    const struct {
        struct view text;
        uint32_t line;
    } bad[] = {
        {VIEW("bartizan-revocations v2\nsequence 7\nend\n"), 1},
        {VIEW("bartizan-revocations v1 \nsequence 7\nend\n"), 1},
        {VIEW("bartizan-revocations v1\r\nsequence 7\nend\n"), 1},
        {VIEW("bartizan-revocations v1\nend\n"), 2},
        {VIEW("bartizan-revocations v1\nsequence 07\nend\n"), 2},
        {VIEW("bartizan-revocations v1\nsequence -1\nend\n"), 2},
        {VIEW("bartizan-revocations v1\nsequence 99999999999999999999\nend\n"), 2},
        {VIEW(HEAD "end"), 3},
        {VIEW(HEAD "end\n\n"), 4},
        {VIEW(HEAD "end\nspiffe\t" ALICE "\nend\n"), 4},
        {VIEW(HEAD "\nend\n"), 3},
        {VIEW(HEAD "# comment\nend\n"), 3},
        {VIEW(HEAD "spiffe\nend\n"), 3},
        {VIEW(HEAD "spiffe\t\nend\n"), 3},
        {VIEW(HEAD "spiffe " ALICE "\nend\n"), 3},
        {VIEW(HEAD "spife\t" ALICE "\nend\n"), 3},
        {VIEW(HEAD "spiffe\t" ALICE "\r\nend\n"), 3},
        {VIEW(HEAD "spiffe\t" ALICE "\t\nend\n"), 3},
        {VIEW(HEAD "spiffe\t" ALICE "\nspiffe\tspiffe://td\nend\n"), 4},
        {VIEW(HEAD "spiffe\t" ALICE "\0\nend\n"), 3},
        {VIEW(HEAD "spiffe\t" ALICE "\texpires=tomorrow\nend\n"), 3},
        {VIEW(HEAD "spiffe\t" ALICE "\texpires\nend\n"), 3},
        {VIEW(HEAD "spiffe\t" ALICE "\treason=\nend\n"), 3},
        {VIEW(HEAD "spiffe\t" ALICE "\treason=a\treason=a\nend\n"), 3},
        {VIEW(HEAD "spiffe\t" ALICE "\texpires=2027-01-31T08:00:00Z\texpires=2027-01-31T08:00:00Z\nend\n"), 3},
        {VIEW(HEAD "spiffe\t" ALICE "\tissuer=https://a\nend\n"), 3},
        {VIEW(HEAD "spiffe\t" ALICE "\tissuedBefore=2027-01-31T08:00:00Z\nend\n"), 3},
        {VIEW(HEAD "spiffe\t" ALICE "\tnote=x\nend\n"), 3},
        {VIEW(HEAD "certificateSha256\tabcd\nend\n"), 3},
        {VIEW(HEAD "certificateSha256\tzz01000000000000000000000000000000000000000000000000000000000000\nend\n"), 3},
        {VIEW(HEAD "serial\t01\nend\n"), 3},
        {VIEW(HEAD "serial\t01\tissuer=178a\nend\n"), 3},
        {VIEW(HEAD "serial\t01\tissuer=keyId:\nend\n"), 3},
        {VIEW(HEAD "serial\t01\tissuer=keyId:17:8\nend\n"), 3},
        {VIEW(HEAD "serial\t01\tissuer=keyId::17\nend\n"), 3},
        {VIEW(HEAD "serial\t01\tissuer=spkiSha256:" SHA "\nend\n"), 3},
        {VIEW(HEAD "serial\t01\tissuer=nameSha256:ab\nend\n"), 3},
        {VIEW(HEAD "serial\t0x01\tissuer=keyId:17\nend\n"), 3},
        {VIEW(HEAD "authority\tnameSha256:" SHA "\nend\n"), 3},
        {VIEW(HEAD "authority\t" SHA "\nend\n"), 3},
        {VIEW(HEAD "user\talice\nend\n"), 3},
        {VIEW(HEAD "user\t\xff\tissuer=https://a\nend\n"), 3},
        {VIEW(HEAD "user\ta\xe2\x80\xae"
                   "b\tissuer=https://a\nend\n"),
         3},
        {VIEW(HEAD "token\tj\tissuer=https://a\tissuedBefore=2027-01-31T08:00:00Z\nend\n"), 3},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(parse(bad[i].text), ERR_INVALID);
        assert_int_equal(diags.items[0].span.line, bad[i].line);
    }
}

static void no_more_faults_are_told_than_help(void **state)
{
    (void)state;
    enum { MANY = 1000 };
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    fputs(HEAD, out);
    for (int i = 0; i < MANY; i++)
        fputs("nonsense\n", out);
    fputs("end\n", out);
    fclose(out);
    assert_int_equal(parse((struct view){.data = text, .size = size}), ERR_INVALID);
    assert_true(diags.errors >= 10 && diags.errors < MANY / 2);
    free(text);
}

static void an_entry_that_has_run_out_is_read_and_refuses_nobody(void **state)
{
    (void)state;
    struct revocations *revocations = NULL;
    struct x509_svid svid = {0};
    const struct revocation_source source = {
        .file = VIEW("f"), .text = VIEW(HEAD "spiffe\t" ALICE "\texpires=2027-01-15T08:00:00Z\nend\n")}; /* NOW */
    assert_int_equal(spiffe_id_parse(VIEW(ALICE), &svid.id), ERR_NONE);
    diag_list_init(&diags, &arena);
    assert_int_equal(revocations_build(&source, 1, &diags, &revocations), ERR_NONE);
    assert_false(revocations_has_caller(revocations, &svid, NOW));
    assert_true(revocations_has_caller(revocations, &svid, NOW - 1));
    revocations_free(revocations);
}

static void more_entries_than_there_is_room_for_are_refused(void **state)
{
    (void)state;
    enum { TOO_MANY = 4000001 };
    static const char row[] = "user\ta\tissuer=i\n";
    size_t size = sizeof HEAD - 1, row_size = sizeof row - 1;
    char *text = malloc(size + row_size * TOO_MANY + 5);
    struct revocations *revocations = NULL;
    assert_non_null(text);
    memcpy(text, HEAD, size);
    for (size_t i = 0; i < TOO_MANY; i++, size += row_size)
        memcpy(text + size, row, row_size);
    memcpy(text + size, "end\n", 4);
    const struct revocation_source source = {.file = VIEW("f"), .text = {.data = text, .size = size + 4}};
    diag_list_init(&diags, &arena);
    assert_int_equal(revocations_build(&source, 1, &diags, &revocations), ERR_INVALID);
    assert_int_equal(diags.errors, 1);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_say_what_a_document_says),
        cmocka_unit_test(lines_without_an_entry_are_a_list),
        cmocka_unit_test(lines_cut_off_anywhere_are_refused_whole),
        cmocka_unit_test(lines_with_any_byte_changed_are_whole_or_refused),
        cmocka_unit_test(lines_that_say_something_else_are_refused_with_their_place),
        cmocka_unit_test(no_more_faults_are_told_than_help),
        cmocka_unit_test(an_entry_that_has_run_out_is_read_and_refuses_nobody),
        cmocka_unit_test(more_entries_than_there_is_room_for_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
