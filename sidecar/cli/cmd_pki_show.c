/* SPDX-License-Identifier: Apache-2.0 */
#include "bundle_print.h"
#include "cmd_pki.h"
#include "commands.h"
#include "json_print.h"
#include "rfc3339.h"
#include "svid_report.h"
#include "x509_svid.h"

#include <inttypes.h>
#include <stdlib.h>

enum { CERTIFICATES_MOST = TRUST_BUNDLE_AUTHORITIES_MAX };

struct certificates {
    struct arena arena;
    X509 *items[CERTIFICATES_MOST];
    size_t count;
};

static void certificates_free(struct certificates *certificates)
{
    for (size_t i = 0; i < certificates->count; i++)
        X509_free(certificates->items[i]);
    arena_free(&certificates->arena);
}

static int certificates_read(const char *path, struct certificates *out)
{
    arena_init(&out->arena, COMMAND_MEMORY);
    out->count = 0;
    return pki_read_certificates(path, &out->arena, out->items, CERTIFICATES_MOST, &out->count);
}

/* ---- pki show ---- */

static const char *kind_text(const struct svid_report *report)
{
    switch (report->kind) {
    case SVID_REPORT_LEAF: return "X.509-SVID";
    case SVID_REPORT_SIGNING: return report->is_self_issued ? "root" : "signing certificate";
    case SVID_REPORT_OTHER: break;
    }
    return "no SVID";
}

/* "4 d left", "expired 3 h ago" */
static struct view left_print(int64_t end, int64_t now, struct arena *arena)
{
    return end >= now ? arena_print(arena, "%.*s left", VIEW_ARG(age_print(end - now, arena)))
                      : arena_print(arena, "expired %.*s ago", VIEW_ARG(age_print(now - end, arena)));
}

static void show_text(const struct svid_report *report, int64_t now, struct arena *arena)
{
    printf("%s %.*s\n", kind_text(report), VIEW_ARG(text_print(report->spiffe_id, arena)));
    line_print("serial", report->serial, arena);
    line_print("subject", report->subject, arena);
    line_print("issuer", report->issuer, arena);
    line_print("key", report->key, arena);
    line_print("valid",
               arena_print(arena, "%.*s to %.*s, %.*s", VIEW_ARG(time_print(report->not_before, arena)),
                           VIEW_ARG(time_print(report->not_after, arena)),
                           VIEW_ARG(left_print(report->not_after, now, arena))),
               arena);
    line_print("key usage", report->key_usage, arena);
    line_print("ext. key usage", report->extended_key_usage, arena);
    for (size_t i = 0; i < report->dns_count; i++)
        line_print("dns", report->dns[i], arena);
    line_print("subject key id", report->subject_key_id, arena);
    line_print("authority key id", report->authority_key_id, arena);
    line_print("sha256", (struct view){report->sha256, sizeof report->sha256}, arena);
    line_print("spki sha256", (struct view){report->spki_sha256, sizeof report->spki_sha256}, arena);
    for (size_t i = 0; i < report->finding_count; i++)
        line_print("WRONG", report->findings[i], arena);
}

static json_t *views_json(const struct view *views, size_t count, struct arena *arena)
{
    json_t *out = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(out, json_of_view(views[i], arena));
    return out;
}

static json_t *report_json(const struct svid_report *report, struct arena *arena)
{
    return json_pack(
        "{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s#, s:s#, s:o}", "kind", kind_text(report),
        "spiffe_id", json_of_view(report->spiffe_id, arena), "serial", json_of_view(report->serial, arena), "subject",
        json_of_view(report->subject, arena), "issuer", json_of_view(report->issuer, arena), "key",
        json_of_view(report->key, arena), "not_before", json_of_view(time_print(report->not_before, arena), arena),
        "not_after", json_of_view(time_print(report->not_after, arena), arena), "key_usage",
        json_of_view(report->key_usage, arena), "extended_key_usage", json_of_view(report->extended_key_usage, arena),
        "dns", views_json(report->dns, report->dns_count, arena), "subject_key_id",
        json_of_view(report->subject_key_id, arena), "authority_key_id", json_of_view(report->authority_key_id, arena),
        "sha256", report->sha256, sizeof report->sha256, "spki_sha256", report->spki_sha256, sizeof report->spki_sha256,
        "findings", views_json(report->findings, report->finding_count, arena));
}

/* What a bundle says beside its certificates, and what of it no reader may use. */
static void show_facts(const struct pki_bundle *bundle, struct arena *arena)
{
    const struct bundle_facts *facts = &bundle->facts;
    struct view name = view_is_present(bundle->trust_domain) ? bundle->trust_domain : VIEW("(not named by the text)");
    if (!facts->is_document)
        return;
    printf("SPIFFE bundle of %.*s\n", VIEW_ARG(text_print(name, arena)));
    line_print("sequence", facts->has_sequence ? arena_print(arena, "%" PRIu64, facts->sequence) : VIEW("none"), arena);
    line_print("refresh hint",
               facts->has_refresh_hint ? arena_print(arena, "%" PRIu64 " s", facts->refresh_hint) : VIEW("none"),
               arena);
    line_print("authorities", arena_print(arena, "%zu", bundle->count), arena);
    if (facts->other_uses > 0)
        line_print("passed over", arena_print(arena, "%u elements for another kind of SVID", facts->other_uses), arena);
    if (facts->ignored > 0)
        line_print("WRONG", arena_print(arena, "%u elements that every reader must ignore", facts->ignored), arena);
    if (facts->extra_values > 0)
        line_print("WRONG", arena_print(arena, "%u x5c values behind a first one, ignored", facts->extra_values),
                   arena);
    if (facts->key_ids > 0)
        line_print("WRONG", arena_print(arena, "%u x509-svid elements with a kid, which none may have", facts->key_ids),
                   arena);
}

/* Of 64 bits: what JSON's readers may cut off is written as text. */
static json_t *number_json(bool is_there, uint64_t number)
{
    char digits[VIEW_U64_DIGITS];
    struct view text = view_of_u64(number, digits);
    if (!is_there)
        return json_null();
    return number <= INT64_MAX ? json_integer((json_int_t)number) : json_stringn(text.data, text.size);
}

static json_t *facts_json(const struct pki_bundle *bundle, json_t *certificates, struct arena *arena)
{
    const struct bundle_facts *facts = &bundle->facts;
    bool is_named = view_is_present(bundle->trust_domain);
    return json_pack("{s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:o}", "trust_domain",
                     is_named ? json_of_view(bundle->trust_domain, arena) : json_null(), "sequence",
                     number_json(facts->has_sequence, facts->sequence), "refresh_hint",
                     number_json(facts->has_refresh_hint, facts->refresh_hint), "other_uses",
                     (json_int_t)facts->other_uses, "ignored", (json_int_t)facts->ignored, "extra_values",
                     (json_int_t)facts->extra_values, "key_ids", (json_int_t)facts->key_ids, "certificates",
                     certificates);
}

/* The certificates of one bundle: printed, or into *out. */
static int show_certificates(const struct pki_bundle *bundle, int64_t now, struct arena *arena, json_t *out)
{
    for (size_t i = 0; i < bundle->count; i++) {
        struct svid_report report;
        if (svid_report_make(bundle->items[i], now, arena, &report) != ERR_NONE) {
            fprintf(stderr, "bartizan: certificate %zu has extensions that do not parse\n", i + 1);
            return EXIT_DATA;
        }
        if (out != NULL)
            json_array_append_new(out, report_json(&report, arena));
        else
            show_text(&report, now, arena);
    }
    return EXIT_GOOD;
}

static int show_text_of(const struct pki_bundles *bundles, int64_t now, struct arena *arena)
{
    int code = EXIT_GOOD;
    for (size_t i = 0; i < bundles->count && code == EXIT_GOOD; i++) {
        show_facts(&bundles->items[i], arena);
        code = show_certificates(&bundles->items[i], now, arena, NULL);
    }
    return code;
}

/* Of PEM a list of certificates, of a bundle document or map an object with its bundles. */
static int show_json_of(const struct pki_bundles *bundles, int64_t now, struct arena *arena)
{
    AUTO(json_drop) json_t *all = json_array();
    bool is_pem = !bundles->is_map && !bundles->items[0].facts.is_document;
    for (size_t i = 0; i < bundles->count; i++) {
        json_t *certificates = is_pem ? json_incref(all) : json_array();
        int code = show_certificates(&bundles->items[i], now, arena, certificates);
        if (is_pem)
            json_decref(certificates);
        else
            json_array_append_new(all, facts_json(&bundles->items[i], certificates, arena));
        if (code != EXIT_GOOD)
            return code;
    }
    json_print(is_pem ? json_incref(all) : json_pack("{s:O}", "bundles", all));
    return EXIT_GOOD;
}

static int show(const char *path, bool is_json)
{
    AUTO(arena_free) struct arena arena;
    AUTO(pki_bundles_free) struct pki_bundles *bundles = NULL;
    int64_t now = now_seconds();
    arena_init(&arena, COMMAND_MEMORY);
    int code = pki_read_bundles(path, &arena, &bundles);
    if (code == EXIT_GOOD)
        code = is_json ? show_json_of(bundles, now, &arena) : show_text_of(bundles, now, &arena);
    return code;
}

int cmd_pki_show(int argc, char **argv)
{
    const char *path = NULL, *format = NULL;
    size_t count = 0;
    bool is_json = false;
    const struct option_spec options[] = {{"format", "text|json", "how it is printed", &format}};
    const struct usage usage = {
        .line = "bartizan pki show FILE [--format text|json]",
        .summary = "Tells of every certificate in PEM text, in a SPIFFE bundle document or in a bundle map what it\n"
                   "is in SPIFFE's terms, and which rules of the X509-SVID standard it breaks; of a bundle also what\n"
                   "of it every reader must ignore. Verifies no signature.",
        .options = options,
        .option_count = 1,
        .operands_least = 1,
        .operands_most = 1};
    int code = options_read(&usage, argc, argv, &path, &count);
    if (code != OPTIONS_GO_ON)
        return code;
    if (!format_parse(format, &is_json))
        return usage_error(&usage, "`--format` is text or json, not `%s`", format);
    return show(path, is_json);
}

/* ---- pki verify ---- */

/* The domain's document in a map, in place of the map. */
static bool select_bundle(const char *path, struct arena *arena, struct trust_bundle_source *source)
{
    struct bundle_map map;
    struct bundle_document_error error = {.message = NULL};
    enum err err = bundle_map_parse(source->text, arena, &map, &error);
    if (err != ERR_NONE) {
        fprintf(stderr, "bartizan: %s:%u: %s\n", path, error.line, error.message ? error.message : err_text(err));
        return false;
    }
    const struct bundle_map_entry *entry = bundle_map_find(&map, source->trust_domain);
    source->is_left_out = entry == NULL;
    source->text = entry != NULL ? entry->document : (struct view){0};
    source->line = entry != NULL ? entry->line : 0;
    return true;
}

static int verify(struct certificates *certificates, const char *bundle, int64_t at)
{
    struct arena *arena = &certificates->arena;
    struct diag_list *diags = arena_take(arena, sizeof *diags);
    struct trust_bundles *bundles = NULL;
    struct svid_report report;
    struct x509_svid svid;
    struct spiffe_id id = {0};
    struct trust_bundle_source source = {.trust_domain = VIEW("unknown"), .file = view_of(bundle)};
    if (diags == NULL)
        return EXIT_IO;
    diag_list_init(diags, arena);
    enum err err = read_whole(bundle, PKI_FILE_MOST, arena, &source.text);
    if (err != ERR_NONE) {
        fprintf(stderr, "bartizan: %s: %s\n", bundle, err == ERR_IO ? "cannot be read" : err_text(err));
        return EXIT_IO;
    }
    /* A certificate without an ID is refused before any bundle is asked for. */
    if (svid_report_make(certificates->items[0], at, arena, &report) == ERR_NONE &&
        spiffe_id_parse(report.spiffe_id, &id) == ERR_NONE)
        source.trust_domain = id.trust_domain;
    if (bundle_map_is_meant(source.text) && !select_bundle(bundle, arena, &source))
        return EXIT_DATA;
    err = trust_bundles_build(&source, 1, diags, &bundles);
    if (err != ERR_NONE)
        return print_findings(diags, false, err);
    struct view chain = bundle_print_pem(certificates->items, certificates->count, arena);
    enum reason reason = x509_svid_verify((struct view){0}, chain, bundles, at, &svid);
    trust_bundles_free(bundles);
    if (reason != REASON_NONE) {
        const struct reason_info *info = reason_info(reason);
        printf("refused: %.*s: %.*s\n", VIEW_ARG(info->name), VIEW_ARG(info->sentence));
        printf("  do: %.*s\n", VIEW_ARG(info->advice));
        return EXIT_FAILED;
    }
    printf("good: %.*s until %.*s\n", VIEW_ARG(svid.id.text), VIEW_ARG(time_print(svid.not_after, arena)));
    return EXIT_GOOD;
}

int cmd_pki_verify(int argc, char **argv)
{
    const char *path = NULL, *bundle = NULL, *time = NULL;
    size_t count = 0;
    int64_t at = now_seconds();
    const struct option_spec options[] = {{"bundle", "FILE", "the bundle of its trust domain (required)", &bundle},
                                          {"at", "TIME", "an RFC 3339 time, instead of now", &time}};
    const struct usage usage = {
        .line = "bartizan pki verify NAME.pem --bundle FILE [--at TIME]",
        .summary = "Verifies an X.509-SVID, with the chain behind it in the same file, as a sidecar verifies a\n"
                   "caller; what was revoked is not known here. Exit status 0 when it is good, 1 with the reason\n"
                   "when it is refused.",
        .options = options,
        .option_count = 2,
        .operands_least = 1,
        .operands_most = 1};
    int code = options_read(&usage, argc, argv, &path, &count);
    if (code != OPTIONS_GO_ON)
        return code;
    if (bundle == NULL)
        return usage_error(&usage, "`--bundle` is missing");
    if (time != NULL && !rfc3339_parse(view_of(time), &at))
        return usage_error(&usage, "`--at` is an RFC 3339 time");
    AUTO(certificates_free) struct certificates certificates;
    code = certificates_read(path, &certificates);
    if (code != EXIT_GOOD)
        return code;
    if (certificates.count == 0) {
        fprintf(stderr, "bartizan: %s holds no certificate\n", path);
        return EXIT_DATA;
    }
    return verify(&certificates, bundle, at);
}

/* ---- pki list ---- */

struct row {
    struct svid_report report;
    bool is_revoked;
};

struct rows {
    struct authority *authority;
    struct row **items;
    size_t count, capacity, unreadable;
};

static void rows_free(struct rows *rows)
{
    free(rows->items);
}

static void add_row(void *context, X509 *certificate)
{
    struct rows *rows = context;
    struct arena *arena = &rows->authority->arena;
    if (rows->count == rows->capacity) {
        size_t capacity = rows->capacity ? 2 * rows->capacity : 64;
        struct row **items = realloc(rows->items, capacity * sizeof(struct row *));
        if (items == NULL) {
            rows->unreadable++;
            return;
        }
        rows->items = items;
        rows->capacity = capacity;
    }
    struct row *row = arena_take(arena, sizeof *row);
    if (row == NULL || svid_report_make(certificate, rows->authority->now, arena, &row->report) != ERR_NONE) {
        rows->unreadable++;
        return;
    }
    row->is_revoked = authority_has_revoked(rows->authority, certificate);
    rows->items[rows->count++] = row;
}

static int by_end(const void *a, const void *b)
{
    const struct row *x = *(struct row *const *)a, *y = *(struct row *const *)b;
    int order = (x->report.not_after > y->report.not_after) - (x->report.not_after < y->report.not_after);
    return order != 0 ? order : view_compare(x->report.serial, y->report.serial);
}

static const char *state_text(const struct row *row, int64_t now)
{
    return row->is_revoked ? "revoked" : row->report.not_after < now ? "expired" : "valid";
}

static void print_rows(const struct rows *rows, bool is_json)
{
    struct arena *arena = &rows->authority->arena;
    int64_t now = rows->authority->now;
    json_t *out = is_json ? json_array() : NULL;
    for (size_t i = 0; i < rows->count; i++) {
        const struct row *row = rows->items[i];
        const struct svid_report *report = &row->report;
        if (is_json)
            json_array_append_new(out,
                                  json_pack("{s:o, s:o, s:o, s:s}", "spiffe_id", json_of_view(report->spiffe_id, arena),
                                            "serial", json_of_view(report->serial, arena), "not_after",
                                            json_of_view(time_print(report->not_after, arena), arena), "state",
                                            state_text(row, now)));
        else
            printf("%-8s %.*s  %-17.*s  %.*s  %.*s\n", state_text(row, now),
                   VIEW_ARG(time_print(report->not_after, arena)), VIEW_ARG(left_print(report->not_after, now, arena)),
                   VIEW_ARG(report->serial), VIEW_ARG(text_print(report->spiffe_id, arena)));
    }
    if (is_json)
        json_print(out);
    else
        printf("%zu issued\n", rows->count);
}

/* Those that expire until `until` and have not been revoked. */
static void keep_expiring(struct rows *rows, int64_t until)
{
    size_t kept = 0;
    for (size_t i = 0; i < rows->count; i++)
        if (!rows->items[i]->is_revoked && rows->items[i]->report.not_after >= rows->authority->now &&
            rows->items[i]->report.not_after <= until)
            rows->items[kept++] = rows->items[i];
    rows->count = kept;
}

static int list(const char *dir, const char *within, const struct usage *usage, bool is_json)
{
    AUTO(authority_close) struct authority authority;
    AUTO(rows_free) struct rows rows = {.authority = &authority};
    int64_t until = INT64_MAX;
    enum err err = authority_open(dir, AUTHORITY_READS, now_seconds(), &authority);
    if (err != ERR_NONE)
        return pki_report(&authority, err);
    if (within != NULL && !time_or_duration_parse(view_of(within), authority.now, &until))
        return usage_error(usage, "`--within` is a duration like 12h, 7d or an RFC 3339 time");
    err = authority_each_issued(&authority, add_row, &rows, &rows.unreadable);
    if (err != ERR_NONE)
        return pki_report(&authority, err);
    if (within != NULL)
        keep_expiring(&rows, until);
    if (rows.count > 0)
        qsort(rows.items, rows.count, sizeof(struct row *), by_end);
    print_rows(&rows, is_json);
    if (rows.unreadable > 0)
        fprintf(stderr, "bartizan: %zu files of %s/issued cannot be read\n", rows.unreadable, dir);
    return rows.unreadable > 0 ? EXIT_DATA : EXIT_GOOD;
}

int cmd_pki_list(int argc, char **argv)
{
    const char *dir = NULL, *within = NULL, *format = NULL;
    size_t count = 0;
    bool is_json = false;
    const struct option_spec options[] = {
        {"dir", "DIR", "the folder of the authority (default " DEFAULT_PKI ")", &dir},
        {"within", "T", "only valid ones that expire within this time: 12h, 7d", &within},
        {"format", "text|json", "how they are printed", &format}};
    const struct usage usage = {.line = "bartizan pki list [--dir DIR] [--within T] [--format text|json]",
                                .summary = "Lists the SVIDs that were issued, the first to expire first.",
                                .options = options,
                                .option_count = 3};
    int code = options_read(&usage, argc, argv, NULL, &count);
    if (code != OPTIONS_GO_ON)
        return code;
    if (!format_parse(format, &is_json))
        return usage_error(&usage, "`--format` is text or json, not `%s`", format);
    return list(dir ? dir : DEFAULT_PKI, within, &usage, is_json);
}
