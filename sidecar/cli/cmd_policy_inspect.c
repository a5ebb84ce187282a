/* SPDX-License-Identifier: Apache-2.0 */
/* `bartizan policy inspect`: what a compiled policy says of itself, and whether it would be taken. */
#include "cmd_policy_sealed.h"
#include "digest.h"
#include "json_print.h"
#include "model.h"
#include "policy_image.h"
#include "policy_seal.h"
#include "policy_session.h"

#include <errno.h>
#include <inttypes.h>

enum { FILE_BYTES_MOST = POLICY_IMAGE_BYTES_MAX + POLICY_SEAL_OVERHEAD, KEY_FILE_MAX = 16 * 1024 };

enum signature_state { UNSIGNED = 0, NOT_CHECKED, VERIFIED, DOES_NOT_VERIFY };
static const char *const signature_words[] = {"unsigned", "not checked", "verified", "does not verify"};

struct inspection {
    const char *path, *key;
    int64_t now;
    struct arena *arena;
    struct policy_seal seal;
    enum signature_state signature;
    struct policy_image_head head;
    struct policy *policy; /* NULL: of another layout */
};

static int complain(const char *path, const char *why)
{
    fprintf(stderr, "bartizan: %s: %s\n", path, why);
    return EXIT_DATA;
}

static int complain_io(const char *path, enum err err)
{
    fprintf(stderr, "bartizan: %s: %s\n", path, err == ERR_IO ? strerror(errno) : err_text(err));
    return exit_code_of(err);
}

/* ---- reading ---- */

static int check_signature(struct inspection *in)
{
    struct policy_key *key = NULL;
    struct view pem;
    in->signature = NOT_CHECKED;
    if (in->key == NULL)
        return EXIT_GOOD;
    enum err err = read_whole(in->key, KEY_FILE_MAX, in->arena, &pem);
    if (err != ERR_NONE)
        return complain_io(in->key, err);
    err = policy_key_read_public(pem, &key);
    if (err != ERR_NONE) {
        fprintf(stderr, "bartizan: %s: an Ed25519 public key in PEM is expected here\n", in->key);
        return EXIT_SIGNATURE;
    }
    in->signature = policy_seal_is_signed_by(&in->seal, key) ? VERIFIED : DOES_NOT_VERIFY;
    policy_key_free(key);
    return EXIT_GOOD;
}

static int open_envelope(struct inspection *in, struct view bytes, struct view *image)
{
    *image = bytes;
    if (!policy_seal_is(bytes))
        return EXIT_GOOD;
    enum err err = policy_seal_parse(bytes, &in->seal);
    if (err != ERR_NONE)
        return complain(in->path, err == ERR_UNSUPPORTED
                                      ? "its signature envelope is of a version that is not known here"
                                      : "its signature envelope is damaged");
    *image = in->seal.image;
    return check_signature(in);
}

static int read_file(struct inspection *in, struct diag_list *diags)
{
    struct view bytes, image;
    enum err err = read_whole(in->path, FILE_BYTES_MOST, in->arena, &bytes);
    if (err != ERR_NONE)
        return complain_io(in->path, err);
    int code = open_envelope(in, bytes, &image);
    if (code != EXIT_GOOD)
        return code;
    if (!policy_image_is(image))
        return complain(in->path, "this is no compiled policy");
    err = policy_image_head(image, &in->head);
    if (err != ERR_NONE)
        return complain(in->path, err == ERR_UNSUPPORTED ? "it is compiled in a format that is not known here"
                                                         : "the compiled policy is damaged");
    if (!in->head.is_of_this_layout)
        return EXIT_GOOD;
    err = policy_image_read(view_of(in->path), image, diags, &in->policy);
    return err == ERR_NONE ? EXIT_GOOD : print_findings(diags, false, err);
}

/* ---- printing ---- */

static struct view hex(const uint8_t *bytes, struct arena *arena)
{
    char *text = arena_take(arena, 2 * SHA256_BYTES);
    if (text == NULL)
        return (struct view){0};
    hex_encode(bytes, SHA256_BYTES, text);
    return (struct view){text, 2 * SHA256_BYTES};
}

static bool has_expired(const struct inspection *in)
{
    return in->signature != UNSIGNED && in->now >= in->seal.expires;
}

static void print_signature(const struct inspection *in)
{
    if (in->signature == UNSIGNED) {
        puts("  signature  none");
        return;
    }
    printf("  signature  by the key %.*s: %s\n", VIEW_ARG(hex(in->seal.key_id, in->arena)),
           in->signature == DOES_NOT_VERIFY ? "DOES NOT VERIFY" : signature_words[in->signature]);
    printf("  revision   %" PRIu64 "\n", in->seal.revision);
    printf("  issued     %.*s\n", VIEW_ARG(time_print(in->seal.issued, in->arena)));
    printf("  expires    %.*s%s\n", VIEW_ARG(time_print(in->seal.expires, in->arena)),
           has_expired(in) ? ", HAS EXPIRED" : "");
}

static void print_contents(const struct inspection *in)
{
    const struct model *model = policy_model(in->policy);
    for (size_t i = 0; i < model->issuer_count; i++)
        printf("  issuer     %.*s %.*s\n", VIEW_ARG(text_print(model->issuers[i].name, in->arena)),
               VIEW_ARG(text_print(model->issuers[i].url, in->arena)));
    for (size_t i = 0; i < model->role_count; i++)
        printf("  role       %.*s, of %s\n", VIEW_ARG(text_print(model->roles[i].name, in->arena)),
               model->roles[i].kind == ROLE_USER ? "users" : "workloads");
    printf("  has        %zu actions, %zu resource types, %zu resources, %zu assurances, %zu invariants\n",
           model->action_count, model->type_count, model->resource_count, model->assurance_count,
           model->invariant_count);
}

static void print_text(const struct inspection *in)
{
    const struct policy_image_head *head = &in->head;
    printf("%s: format %u.%u, compiled by release %.*s, %u rules\n", in->path, head->major, head->minor,
           VIEW_ARG(text_print(head->release, in->arena)), head->rule_count);
    print_signature(in);
    printf("  digest     %.*s\n", VIEW_ARG(hex(head->documents, in->arena)));
    printf("  image      %.*s\n", VIEW_ARG(hex(head->sha256, in->arena)));
    printf("  time zones %.*s\n", VIEW_ARG(hex(head->time_zones, in->arena)));
    printf("  layout     %.*s%s\n", VIEW_ARG(hex(head->layout, in->arena)),
           head->is_of_this_layout ? "" : ", OF ANOTHER RELEASE than " BARTIZAN_VERSION ": compile it anew");
    if (in->policy != NULL)
        print_contents(in);
    for (size_t i = 0; i < head->section_count; i++)
        printf("  section    %-20.*s %10u bytes %8u rows\n", VIEW_ARG(text_print(head->sections[i].name, in->arena)),
               head->sections[i].bytes, head->sections[i].rows);
}

static json_t *signature_json(const struct inspection *in)
{
    if (in->signature == UNSIGNED)
        return json_null();
    return json_pack("{s:I, s:o, s:o, s:o, s:b, s:s}", "revision", (json_int_t)in->seal.revision, "signer",
                     json_of_view(hex(in->seal.key_id, in->arena), in->arena), "issued",
                     json_of_view(time_print(in->seal.issued, in->arena), in->arena), "expires",
                     json_of_view(time_print(in->seal.expires, in->arena), in->arena), "expired", has_expired(in),
                     "state", signature_words[in->signature]);
}

static json_t *contents_json(const struct inspection *in)
{
    if (in->policy == NULL)
        return json_null();
    const struct model *model = policy_model(in->policy);
    json_t *issuers = json_array(), *roles = json_array();
    for (size_t i = 0; i < model->issuer_count; i++)
        json_array_append_new(issuers, json_pack("{s:o, s:o}", "name", json_of_view(model->issuers[i].name, in->arena),
                                                 "url", json_of_view(model->issuers[i].url, in->arena)));
    for (size_t i = 0; i < model->role_count; i++)
        json_array_append_new(roles, json_pack("{s:o, s:s}", "name", json_of_view(model->roles[i].name, in->arena),
                                               "of", model->roles[i].kind == ROLE_USER ? "users" : "workloads"));
    return json_pack("{s:o, s:o, s:I, s:I, s:I, s:I, s:I}", "issuers", issuers, "roles", roles, "actions",
                     (json_int_t)model->action_count, "resource_types", (json_int_t)model->type_count, "resources",
                     (json_int_t)model->resource_count, "assurances", (json_int_t)model->assurance_count, "invariants",
                     (json_int_t)model->invariant_count);
}

static void print_json(const struct inspection *in)
{
    const struct policy_image_head *head = &in->head;
    json_t *sections = json_array();
    for (size_t i = 0; i < head->section_count; i++)
        json_array_append_new(
            sections, json_pack("{s:o, s:I, s:I}", "name", json_of_view(head->sections[i].name, in->arena), "bytes",
                                (json_int_t)head->sections[i].bytes, "rows", (json_int_t)head->sections[i].rows));
    json_t *format = json_pack("[i, i]", (int)head->major, (int)head->minor);
    json_print(json_pack("{s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o}", "format", format, "release",
                         json_of_view(head->release, in->arena), "rules", (json_int_t)head->rule_count, "digest",
                         json_of_view(hex(head->documents, in->arena), in->arena), "image",
                         json_of_view(hex(head->sha256, in->arena), in->arena), "time_zones",
                         json_of_view(hex(head->time_zones, in->arena), in->arena), "layout",
                         json_of_view(hex(head->layout, in->arena), in->arena), "is_of_this_layout",
                         head->is_of_this_layout, "signature", signature_json(in), "contents", contents_json(in),
                         "sections", sections));
}

/* The worst of what is wrong with it. */
static int verdict(const struct inspection *in)
{
    if (in->key != NULL && in->signature != VERIFIED) {
        fprintf(stderr, "bartizan: %s: %s\n", in->path,
                in->signature == UNSIGNED ? "it is not signed" : "the signature does not verify with this key");
        return EXIT_SIGNATURE;
    }
    if (in->policy == NULL) {
        fprintf(stderr,
                "bartizan: %s: it was compiled by release %.*s, whose layout this release, " BARTIZAN_VERSION
                ", does not read: compile it anew\n",
                in->path, VIEW_ARG(text_print(in->head.release, in->arena)));
        return EXIT_DATA;
    }
    return has_expired(in) ? EXIT_FAILED : EXIT_GOOD;
}

static int inspect(struct inspection *in, bool is_json)
{
    struct diag_list *diags = arena_take(in->arena, sizeof *diags);
    if (diags == NULL)
        return EXIT_IO;
    diag_list_init(diags, in->arena);
    int code = read_file(in, diags);
    if (code == EXIT_GOOD) {
        if (is_json)
            print_json(in);
        else
            print_text(in);
        code = verdict(in);
    }
    policy_free(in->policy);
    return code;
}

int cmd_policy_inspect(int argc, char **argv)
{
    struct inspection in = {0};
    const char *format = NULL;
    size_t count = 0;
    bool is_json = false;
    const struct option_spec options[] = {
        {"key", "PUB.pem", "hold its signature against this Ed25519 public key", &in.key},
        {"format", "text|json", "how it is printed", &format},
    };
    const struct usage usage = {
        .line = "bartizan policy inspect FILE [--key PUB.pem] [--format text|json]",
        .summary = "What a compiled policy says of itself: who compiled and signed it, its revision, until when\n"
                   "it is good, what it holds. Exit status 0 when this release would take it now; 1 when it\n"
                   "has expired, 2 when it is damaged or of another release's layout, 4 when a file cannot\n"
                   "be read, 5 when it is not signed by PUB.pem. Nothing is believed without --key.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .operands_least = 1,
        .operands_most = 1};
    int code = options_read(&usage, argc, argv, &in.path, &count);
    if (code != OPTIONS_GO_ON)
        return code;
    if (!format_parse(format, &is_json))
        return usage_error(&usage, "`--format` is text or json, not `%s`", format);
    struct arena arena;
    arena_init(&arena, COMMAND_MEMORY);
    in.arena = &arena;
    in.now = now_seconds();
    code = inspect(&in, is_json);
    arena_free(&arena);
    return code;
}
