/* SPDX-License-Identifier: Apache-2.0 */
#include "bundle_status.h"

#include "rfc3339.h"
#include "utf8.h"

#include <inttypes.h>

struct list {
    FILE *out;
    bool has_items;
};

static void write_time(const char *name, int64_t seconds, FILE *out)
{
    char text[RFC3339_BYTES];
    if (seconds != INT64_MAX && rfc3339_write(seconds, text))
        (void)fprintf(out, ", \"%s\": \"%.*s\"", name, RFC3339_BYTES, text);
    else
        (void)fprintf(out, ", \"%s\": null", name);
}

static void write_number(const char *name, bool is_there, uint64_t number, FILE *out)
{
    if (is_there)
        (void)fprintf(out, ", \"%s\": %" PRIu64, name, number);
    else
        (void)fprintf(out, ", \"%s\": null", name);
}

static const char *state_of(const struct trust_bundle *bundle)
{
    if (trust_bundle_is_left_out(bundle))
        return "left-out";
    return trust_bundle_is_loaded(bundle) ? "loaded" : "missing";
}

static void write_domain(void *context, struct view name, const struct trust_bundle *bundle)
{
    struct list *list = context;
    FILE *out = list->out;
    const struct bundle_facts *facts = trust_bundle_facts(bundle);
    const struct crl_set *lists = trust_bundle_crls(bundle);
    (void)fputs(list->has_items ? ", {\"name\": " : "{\"name\": ", out);
    list->has_items = true;
    utf8_print_json(name, out);
    (void)fprintf(out, ", \"state\": \"%s\", \"authorities\": %zu", state_of(bundle), trust_bundle_count(bundle));
    write_time("expires", trust_bundle_expires(bundle), out);
    write_number("sequence", facts->has_sequence, facts->sequence, out);
    write_number("refresh_hint_seconds", facts->has_refresh_hint, facts->refresh_hint, out);
    write_number("ignored", true, facts->ignored + facts->extra_values, out);
    if (lists != NULL) {
        write_number("revocation_lists", true, crl_set_count(lists), out);
        write_time("next_update", crl_set_expires(lists), out);
    }
    (void)fputc('}', out);
}

void bundle_status_write(const struct trust_bundles *bundles, FILE *out)
{
    struct list list = {.out = out};
    (void)fputc('[', out);
    trust_bundles_each(bundles, write_domain, &list);
    (void)fputc(']', out);
}
