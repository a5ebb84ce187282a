/* SPDX-License-Identifier: Apache-2.0 */
#include "crl_set.h"

#include "pem.h"
#include "x509_path.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

struct crl_set {
    STACK_OF(X509_CRL) * lists; /* in order of the text */
};

/* One reading. */
struct reading {
    struct view file, text;
    X509_STORE *store;
    struct diag_list *diags;
    struct crl_set *set;
};

static const char form_hint[] = "PEM blocks labelled X509 CRL with nothing between them, or one list in DER";

/* SEQUENCE; no PEM begins with a digit. */
static bool is_der(struct view text)
{
    return text.size > 0 && text.data[0] == '0';
}

static enum err refuse(const struct reading *reading, uint32_t line, const char *code, const char *message,
                       const char *hint)
{
    diag_add(reading->diags, &(struct diag){.code = view_of(code),
                                            .span = {.file = reading->file, .line = line},
                                            .message = view_of(message),
                                            .hint = view_of(hint)});
    return ERR_INVALID;
}

static uint32_t line_of(const struct reading *reading, size_t at)
{
    return is_der(reading->text) ? 0 : pem_line(reading->text, at);
}

/* ---- reading ---- */

/* The first look-up sorts the entries, under a lock: done here. X509_CRL_sort would take what was signed for changed:
 * encoded anew for each check of the signature, in an order that its issuer may not have signed. */
static bool sort(X509_CRL *list)
{
    X509_REVOKED *entry = NULL;
    ASN1_INTEGER *any = ASN1_INTEGER_new();
    if (!any)
        return false;
    (void)X509_CRL_get0_by_serial(list, &entry, any);
    ASN1_INTEGER_free(any);
    return true;
}

static X509_CRL *parse(struct view der)
{
    const unsigned char *at = (const unsigned char *)der.data;
    X509_CRL *list = d2i_X509_CRL(NULL, &at, (long)der.size);
    int64_t seconds;
    const ASN1_TIME *next = list ? X509_CRL_get0_nextUpdate(list) : NULL;
    bool is_good = list && at == (const unsigned char *)der.data + der.size && sort(list) &&
                   x509_path_seconds(X509_CRL_get0_lastUpdate(list), &seconds) &&
                   (!next || x509_path_seconds(next, &seconds));
    if (is_good)
        return list;
    X509_CRL_free(list);
    return NULL;
}

/* OpenSSL passes over any other, as if the issuer had no list; whom it names would be good where none has to be. */
static bool is_complete(const X509_CRL *list)
{
    int critical = -1;
    ISSUING_DIST_POINT *scope = X509_CRL_get_ext_d2i(list, NID_issuing_distribution_point, &critical, NULL);
    bool is_whole = scope ? scope->indirectCRL <= 0 && !scope->onlysomereasons &&
                                (scope->onlyuser > 0) + (scope->onlyCA > 0) + (scope->onlyattr > 0) <= 1
                          : critical == -1;
    ISSUING_DIST_POINT_free(scope);
    return is_whole && X509_CRL_get_ext_by_NID(list, NID_delta_crl, -1) < 0;
}

/* Takes over `list`; NULL where none could be read at `at`. */
static enum err add(const struct reading *reading, size_t at, X509_CRL *list)
{
    if (!list)
        return refuse(reading, line_of(reading, at), "E1010", "not a revocation list", form_hint);
    if (!is_complete(list)) {
        X509_CRL_free(list);
        return refuse(reading, line_of(reading, at), "E1012",
                      "a delta list, an indirect one or one for some reasons only", "its authority's complete list");
    }
    if (X509_STORE_add_crl(reading->store, list) == 1 && sk_X509_CRL_push(reading->set->lists, list) > 0)
        return ERR_NONE;
    X509_CRL_free(list);
    return ERR_NO_MEMORY;
}

static enum err read_pem(const struct reading *reading, uint8_t *der)
{
    struct view text = reading->text, rest = pem_skip_space(text);
    while (rest.size > 0) {
        size_t size = 0, at = text.size - rest.size;
        if (sk_X509_CRL_num(reading->set->lists) >= CRL_SET_LISTS_MAX)
            return refuse(reading, line_of(reading, at), "E1011", "there are more than 64 revocation lists", form_hint);
        bool is_block = pem_take(&rest, VIEW("X509 CRL"), der, text.size, &size) == ERR_NONE;
        TRY(add(reading, at, is_block ? parse((struct view){.data = (const char *)der, .size = size}) : NULL));
        rest = pem_skip_space(rest);
    }
    return ERR_NONE;
}

static enum err read_text(const struct reading *reading)
{
    if (reading->text.size > CRL_SET_BYTES_MAX)
        return refuse(reading, 0, "E1011", "the file is longer than 8 MiB", form_hint);
    if (is_der(reading->text))
        return add(reading, 0, parse(reading->text));
    uint8_t *der = malloc(reading->text.size + 1);
    if (!der)
        return ERR_NO_MEMORY;
    enum err err = read_pem(reading, der);
    free(der);
    return err;
}

enum err crl_set_build(struct view file, struct view text, X509_STORE *store, struct diag_list *diags,
                       struct crl_set **out)
{
    struct crl_set *set = calloc(1, sizeof *set);
    if (!set)
        return ERR_NO_MEMORY;
    set->lists = sk_X509_CRL_new_null();
    const struct reading reading = {.file = file, .text = text, .store = store, .diags = diags, .set = set};
    enum err err = set->lists ? read_text(&reading) : ERR_NO_MEMORY;
    ERR_clear_error();
    if (err != ERR_NONE) {
        crl_set_free(set);
        return err;
    }
    *out = set;
    return ERR_NONE;
}

void crl_set_free(struct crl_set *set)
{
    if (!set)
        return;
    sk_X509_CRL_pop_free(set->lists, X509_CRL_free);
    free(set);
}

/* ---- asking ---- */

size_t crl_set_count(const struct crl_set *set)
{
    return (size_t)sk_X509_CRL_num(set->lists);
}

bool crl_set_names(const struct crl_set *set, X509 *certificate)
{
    for (int i = 0; i < sk_X509_CRL_num(set->lists); i++) {
        X509_REVOKED *entry = NULL;
        if (X509_CRL_get0_by_cert(sk_X509_CRL_value(set->lists, i), &entry, certificate) == 1)
            return true;
    }
    return false;
}

/* INT64_MAX for a list that never runs out. */
static int64_t next_update(const X509_CRL *list)
{
    int64_t seconds = INT64_MAX;
    const ASN1_TIME *next = X509_CRL_get0_nextUpdate(list);
    return next && x509_path_seconds(next, &seconds) ? seconds : INT64_MAX;
}

/* A list of the future takes over from the one of its issuer that is in force. */
int64_t crl_set_until(const struct crl_set *set, int64_t now)
{
    int64_t until = INT64_MAX;
    for (int i = 0; i < sk_X509_CRL_num(set->lists); i++) {
        const X509_CRL *list = sk_X509_CRL_value(set->lists, i);
        int64_t from = INT64_MAX, next = next_update(list);
        (void)x509_path_seconds(X509_CRL_get0_lastUpdate(list), &from);
        if (from > now && from < until)
            until = from;
        if (next > now && next < until)
            until = next;
    }
    return until;
}

int64_t crl_set_expires(const struct crl_set *set)
{
    int64_t first = INT64_MAX;
    for (int i = 0; i < sk_X509_CRL_num(set->lists); i++) {
        int64_t next = next_update(sk_X509_CRL_value(set->lists, i));
        first = next < first ? next : first;
    }
    return first;
}

int crl_set_der(const struct crl_set *set, size_t index, unsigned char **out)
{
    *out = NULL;
    return i2d_X509_CRL(sk_X509_CRL_value(set->lists, (int)index), out);
}

/* Same issuer, and the same key of it where both say which. */
static bool is_successor(const X509_CRL *list, const X509_CRL *before)
{
    if (X509_NAME_cmp(X509_CRL_get_issuer(list), X509_CRL_get_issuer(before)) != 0)
        return false;
    AUTHORITY_KEYID *a = X509_CRL_get_ext_d2i(list, NID_authority_key_identifier, NULL, NULL);
    AUTHORITY_KEYID *b = X509_CRL_get_ext_d2i(before, NID_authority_key_identifier, NULL, NULL);
    bool is_same = !a || !b || !a->keyid || !b->keyid || ASN1_OCTET_STRING_cmp(a->keyid, b->keyid) == 0;
    AUTHORITY_KEYID_free(a);
    AUTHORITY_KEYID_free(b);
    return is_same;
}

static bool is_lower(const X509_CRL *list, const X509_CRL *before)
{
    ASN1_INTEGER *a = X509_CRL_get_ext_d2i(list, NID_crl_number, NULL, NULL);
    ASN1_INTEGER *b = X509_CRL_get_ext_d2i(before, NID_crl_number, NULL, NULL);
    int64_t from = 0, from_before = 0;
    (void)x509_path_seconds(X509_CRL_get0_lastUpdate(list), &from);
    (void)x509_path_seconds(X509_CRL_get0_lastUpdate(before), &from_before);
    bool is_older = a && b ? ASN1_INTEGER_cmp(a, b) < 0 : from < from_before;
    ASN1_INTEGER_free(a);
    ASN1_INTEGER_free(b);
    return is_older;
}

bool crl_set_is_older(const struct crl_set *set, const struct crl_set *before, int64_t now)
{
    for (int i = 0; i < sk_X509_CRL_num(before->lists); i++) {
        const X509_CRL *old = sk_X509_CRL_value(before->lists, i);
        bool is_there = false;
        if (next_update(old) <= now)
            continue;
        for (int k = 0; !is_there && k < sk_X509_CRL_num(set->lists); k++) {
            const X509_CRL *list = sk_X509_CRL_value(set->lists, k);
            is_there = is_successor(list, old) && !is_lower(list, old);
        }
        if (!is_there)
            return true;
    }
    return false;
}
