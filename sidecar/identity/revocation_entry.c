/* SPDX-License-Identifier: Apache-2.0 */
#include "revocation_entry.h"

#include "digest.h"
#include "spiffe_id.h"

const struct view revocation_kind_keys[REVOCATION_KINDS] = {
    [REVOCATION_SPIFFE] = {.data = "spiffe", .size = 6},
    [REVOCATION_SPIFFE_PREFIX] = {.data = "spiffePrefix", .size = 12},
    [REVOCATION_CERTIFICATE] = {.data = "certificateSha256", .size = 17},
    [REVOCATION_SPKI] = {.data = "spkiSha256", .size = 10},
    [REVOCATION_USER] = {.data = "user", .size = 4},
    [REVOCATION_TOKEN] = {.data = "token", .size = 5},
    [REVOCATION_SERIAL] = {.data = "serial", .size = 6},
    [REVOCATION_AUTHORITY] = {.data = "authority", .size = 9},
};

/* ---- octets ---- */

bool revocation_octets_parse(struct view text, struct revocation_octets *out)
{
    char room[2 * REVOCATION_OCTETS_MAX];
    size_t at = sizeof room;
    bool is_parted = view_index_of(text, ':', 0) < text.size;
    out->size = 0;
    for (size_t i = 1; i <= text.size; i++) { /* from the end, where pairs begin */
        char c = text.data[text.size - i];
        bool is_between = is_parted && i % 3 == 0;
        if (is_between ? c != ':' || i == text.size : at == 0)
            return false;
        if (!is_between)
            room[--at] = c;
    }
    if (at % 2 != 0)
        room[--at] = '0';
    struct view digits = {.data = room + at, .size = sizeof room - at};
    out->size = digits.size / 2;
    return out->size > 0 && hex_decode(digits, out->bytes, out->size);
}

bool revocation_key_parse(struct view text, enum revocation_key *key, struct revocation_octets *out)
{
    static const struct view names[] = {[REVOCATION_KEY_ID] = {.data = "keyId:", .size = 6},
                                        [REVOCATION_KEY_SPKI] = {.data = "spkiSha256:", .size = 11},
                                        [REVOCATION_KEY_NAME] = {.data = "nameSha256:", .size = 11}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!view_starts_with(text, names[i]))
            continue;
        *key = (enum revocation_key)i;
        return revocation_octets_parse(view_slice(text, names[i].size, text.size), out) &&
               (i == REVOCATION_KEY_ID || out->size == SHA256_BYTES);
    }
    return false;
}

/* ---- faults ---- */

static bool is_text(struct view text)
{
    return text.size > 0 && text.size <= REVOCATION_TEXT_MAX;
}

static const char *id_fault(const struct revocation_entry *entry)
{
    struct spiffe_id id;
    if (spiffe_id_parse(entry->value, &id) != ERR_NONE)
        return "not a SPIFFE ID";
    if (entry->kind == REVOCATION_SPIFFE && view_is_empty(id.path))
        return "no workload has the ID of a trust domain; use spiffePrefix for the whole domain";
    return NULL;
}

static const char *digest_fault(const struct revocation_entry *entry)
{
    uint8_t digest[SHA256_BYTES];
    return hex_decode(entry->value, digest, sizeof digest) ? NULL : "a SHA-256 is 64 hex digits";
}

static const char *serial_fault(const struct revocation_entry *entry)
{
    enum revocation_key key;
    struct revocation_octets octets;
    if (!revocation_key_parse(entry->issuer, &key, &octets) || key == REVOCATION_KEY_SPKI)
        return "the issuer of a serial number is keyId:HEX or nameSha256:HEX";
    return revocation_octets_parse(entry->value, &octets) ? NULL : "a serial number is hex digits";
}

static const char *authority_fault(const struct revocation_entry *entry)
{
    enum revocation_key key;
    struct revocation_octets octets;
    bool is_good = revocation_key_parse(entry->value, &key, &octets) && key != REVOCATION_KEY_NAME;
    return is_good ? NULL : "an authority is spkiSha256:HEX or keyId:HEX";
}

const char *revocation_entry_fault(const struct revocation_entry *entry)
{
    bool has_issuer = false;
    const char *fault = NULL;
    switch (entry->kind) {
    case REVOCATION_SPIFFE:
    case REVOCATION_SPIFFE_PREFIX: fault = id_fault(entry); break;
    case REVOCATION_CERTIFICATE:
    case REVOCATION_SPKI: fault = digest_fault(entry); break;
    case REVOCATION_USER:
    case REVOCATION_TOKEN: has_issuer = true; break;
    case REVOCATION_SERIAL:
        has_issuer = true;
        fault = serial_fault(entry);
        break;
    case REVOCATION_AUTHORITY: fault = authority_fault(entry); break;
    case REVOCATION_KINDS:
    default: return "a kind that no entry has";
    }
    if (fault)
        return fault;
    if (!is_text(entry->value) || (has_issuer && !is_text(entry->issuer)))
        return "a text of 1 to 2048 bytes was expected";
    if (!has_issuer && view_is_present(entry->issuer))
        return "only a user, a token and a serial number have an issuer";
    return entry->has_issued_before && entry->kind != REVOCATION_USER ? "issuedBefore goes with a user" : NULL;
}

/* ---- the same ---- */

static bool is_same_key(struct view a, struct view b)
{
    struct revocation_octets x, y;
    enum revocation_key p, q;
    return revocation_key_parse(a, &p, &x) && revocation_key_parse(b, &q, &y) && p == q && x.size == y.size &&
           memcmp(x.bytes, y.bytes, x.size) == 0;
}

static bool is_same_serial(struct view a, struct view b)
{
    struct revocation_octets x, y;
    if (!revocation_octets_parse(a, &x) || !revocation_octets_parse(b, &y))
        return false;
    size_t i = 0, k = 0;
    while (i < x.size && x.bytes[i] == 0)
        i++;
    while (k < y.size && y.bytes[k] == 0)
        k++;
    return x.size - i == y.size - k && memcmp(x.bytes + i, y.bytes + k, x.size - i) == 0;
}

bool revocation_entry_matches(const struct revocation_entry *a, const struct revocation_entry *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case REVOCATION_CERTIFICATE:
    case REVOCATION_SPKI: return view_equals_ignoring_case(a->value, b->value);
    case REVOCATION_SERIAL: return is_same_serial(a->value, b->value) && is_same_key(a->issuer, b->issuer);
    case REVOCATION_AUTHORITY: return is_same_key(a->value, b->value);
    case REVOCATION_SPIFFE:
    case REVOCATION_SPIFFE_PREFIX:
    case REVOCATION_USER:
    case REVOCATION_TOKEN:
    case REVOCATION_KINDS: break;
    }
    if (!view_equals(a->value, b->value) || !view_equals(a->issuer, b->issuer))
        return false;
    return a->has_issued_before == b->has_issued_before &&
           (!a->has_issued_before || a->issued_before == b->issued_before);
}
