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

static enum err refuse(struct diag_list *diags, struct view file, uint32_t line, const char *code, const char *message)
{
    diag_add(diags, &(struct diag){.code = view_of(code),
                                   .span = {.file = file, .line = line},
                                   .message = view_of(message),
                                   .hint = VIEW("PEM blocks labelled X509 CRL with nothing between them, or one list "
                                                "in DER")});
    return ERR_INVALID;
}

/* ---- reading ---- */

/* Sorted now: the first look-up would sort it under a lock. */
static X509_CRL *parse(struct view der)
{
    const unsigned char *at = (const unsigned char *)der.data;
    X509_CRL *list = d2i_X509_CRL(NULL, &at, (long)der.size);
    int64_t seconds;
    const ASN1_TIME *next = list ? X509_CRL_get0_nextUpdate(list) : NULL;
    bool is_good = list && at == (const unsigned char *)der.data + der.size && X509_CRL_sort(list) == 1 &&
                   x509_path_seconds(X509_CRL_get0_lastUpdate(list), &seconds) &&
                   (!next || x509_path_seconds(next, &seconds));
    if (is_good)
        return list;
    X509_CRL_free(list);
    return NULL;
}

static enum err add(struct crl_set *set, X509_STORE *store, X509_CRL *list)
{
    if (X509_STORE_add_crl(store, list) == 1 && sk_X509_CRL_push(set->lists, list) > 0)
        return ERR_NONE;
    X509_CRL_free(list);
    return ERR_NO_MEMORY;
}

static enum err read_pem(struct view file, struct view text, X509_STORE *store, struct diag_list *diags, uint8_t *der,
                         struct crl_set *set)
{
    struct view rest = pem_skip_space(text);
    while (rest.size > 0) {
        size_t size = 0, at = text.size - rest.size;
        X509_CRL *list = NULL;
        if (sk_X509_CRL_num(set->lists) >= CRL_SET_LISTS_MAX)
            return refuse(diags, file, pem_line(text, at), "E1011", "there are more than 64 revocation lists");
        if (pem_take(&rest, VIEW("X509 CRL"), der, text.size, &size) == ERR_NONE)
            list = parse((struct view){.data = (const char *)der, .size = size});
        if (!list)
            return refuse(diags, file, pem_line(text, at), "E1010", "not a revocation list in PEM");
        TRY(add(set, store, list));
        rest = pem_skip_space(rest);
    }
    return ERR_NONE;
}

static enum err read_text(struct view file, struct view text, X509_STORE *store, struct diag_list *diags,
                          struct crl_set *set)
{
    if (text.size > CRL_SET_BYTES_MAX)
        return refuse(diags, file, 0, "E1011", "the file is longer than 8 MiB");
    if (text.size > 0 && text.data[0] == '0') { /* SEQUENCE; no PEM begins with a digit */
        X509_CRL *list = parse(text);
        return list ? add(set, store, list) : refuse(diags, file, 0, "E1010", "not a revocation list in DER");
    }
    uint8_t *der = malloc(text.size + 1);
    if (!der)
        return ERR_NO_MEMORY;
    enum err err = read_pem(file, text, store, diags, der, set);
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
    enum err err = set->lists ? read_text(file, text, store, diags, set) : ERR_NO_MEMORY;
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

int64_t crl_set_until(const struct crl_set *set, int64_t now)
{
    int64_t until = INT64_MAX;
    for (int i = 0; i < sk_X509_CRL_num(set->lists); i++) {
        int64_t next = next_update(sk_X509_CRL_value(set->lists, i));
        if (next > now && next < until)
            until = next;
    }
    return until;
}

int64_t crl_set_expires(const struct crl_set *set)
{
    return crl_set_until(set, INT64_MIN);
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
