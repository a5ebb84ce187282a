/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_status.h"

#include "rfc3339.h"
#include "utf8.h"

#include <inttypes.h>

enum { SHORT_ID = 8 }; /* bytes of a key id that tell signers apart */

static void write_time(const char *name, int64_t seconds, FILE *out)
{
    char text[RFC3339_BYTES];
    if (rfc3339_write(seconds, text))
        (void)fprintf(out, ", \"%s\": \"%.*s\"", name, RFC3339_BYTES, text);
    else
        (void)fprintf(out, ", \"%s\": null", name);
}

void policy_status_write(const struct policy_standing *standing, int64_t now, FILE *out)
{
    char signer[2 * POLICY_SEAL_KEY_ID_BYTES];
    (void)fprintf(out, ", \"compiled\": %s, \"signature\": ", standing->is_compiled ? "true" : "false");
    if (!standing->is_signed) {
        (void)fputs("null", out);
        return;
    }
    hex_encode(standing->signer, sizeof(standing->signer), signer);
    (void)fprintf(out, "{\"revision\": %" PRIu64 ", \"signer\": \"%.*s\"", standing->revision, (int)sizeof(signer),
                  signer);
    write_time("issued", standing->issued, out);
    write_time("expires", standing->expires, out);
    write_time("good_until", standing->good_until, out);
    (void)fprintf(out,
                  ", \"expired\": %s, \"override\": ", policy_standing_has_expired(standing, now) ? "true" : "false");
    if (standing->override[0] == '\0')
        (void)fputs("null", out);
    else
        utf8_print_json(view_of(standing->override), out);
    (void)fputc('}', out);
}

void policy_status_write_metrics(const struct policy_standing *standing, FILE *out)
{
    if (!standing->is_signed)
        return;
    (void)fprintf(
        out,
        "# HELP bartizan_policy_revision revision of the signed policy in force\n"
        "# TYPE bartizan_policy_revision gauge\nbartizan_policy_revision %" PRIu64
        "\n# HELP bartizan_policy_good_until_timestamp_seconds when the signed policy in force stops deciding, "
        "Unix time\n# TYPE bartizan_policy_good_until_timestamp_seconds gauge\n"
        "bartizan_policy_good_until_timestamp_seconds %" PRId64
        "\n# HELP bartizan_policy_override 1 when it is in force by an operator's leave\n"
        "# TYPE bartizan_policy_override gauge\nbartizan_policy_override %d\n",
        standing->revision, standing->good_until, standing->override[0] != '\0');
}

static struct view printed(const char *text, int size)
{
    return (struct view){.data = text, .size = size < POLICY_STANDING_TEXT ? (size_t)size : POLICY_STANDING_TEXT - 1};
}

struct view policy_status_text(const struct policy_standing *standing, char text[POLICY_STANDING_TEXT])
{
    char id[2 * SHORT_ID], when[RFC3339_BYTES];
    if (!standing->is_signed || !rfc3339_write(standing->good_until, when))
        return (struct view){0};
    hex_encode(standing->signer, SHORT_ID, id);
    int size = snprintf(text, POLICY_STANDING_TEXT, "revision %" PRIu64 ", signed by the key %.*s, good until %.*s",
                        standing->revision, (int)sizeof(id), id, RFC3339_BYTES, when);
    return printed(text, size);
}

struct view policy_status_objection(const struct policy_standing *standing, const struct config *config, int64_t now,
                                    char text[POLICY_STANDING_TEXT])
{
    char when[RFC3339_BYTES];
    if (!policy_standing_has_expired(standing, now) || !rfc3339_write(standing->good_until, when))
        return (struct view){0};
    int size = snprintf(text, POLICY_STANDING_TEXT, "the policy (revision %" PRIu64 ") has expired at %.*s: %s",
                        standing->revision, RFC3339_BYTES, when,
                        config->policy.enforcement == REPORT
                            ? "every check is allowed (enforcement: report) and recorded as one that would be denied"
                            : "every check is denied");
    return printed(text, size);
}
