/* SPDX-License-Identifier: Apache-2.0 */
#include "deny_marks.h"

#include "digest.h"

#include <openssl/x509v3.h>

enum { SERIAL_ROOM = 64 }; /* RFC 5280 allows 20 */

static void bytes_drop(unsigned char **bytes)
{
    OPENSSL_free(*bytes);
}

static struct view string_view(const ASN1_STRING *string)
{
    return (struct view){.data = (const char *)ASN1_STRING_get0_data(string),
                         .size = (size_t)ASN1_STRING_length(string)};
}

enum err deny_marks_of_bytes(struct view bytes, uint8_t out[DENY_MARK_BYTES])
{
    uint8_t digest[SHA256_BYTES];
    TRY(sha256(bytes, digest));
    memcpy(out, digest, DENY_MARK_BYTES);
    return ERR_NONE;
}

enum err deny_marks_of_serial(const uint8_t issuer[DENY_MARK_BYTES], struct view serial, uint8_t out[DENY_MARK_BYTES])
{
    char room[DENY_MARK_BYTES + SERIAL_ROOM];
    while (serial.size > 0 && serial.data[0] == '\0')
        serial = view_slice(serial, 1, serial.size);
    if (serial.size > SERIAL_ROOM)
        return ERR_LIMIT;
    memcpy(room, issuer, DENY_MARK_BYTES);
    if (serial.size > 0)
        memcpy(room + DENY_MARK_BYTES, serial.data, serial.size);
    return deny_marks_of_bytes((struct view){.data = room, .size = DENY_MARK_BYTES + serial.size}, out);
}

static enum err mark_der(int size, const unsigned char *der, uint8_t out[DENY_MARK_BYTES])
{
    if (size < 0)
        return ERR_MALFORMED;
    return deny_marks_of_bytes((struct view){.data = (const char *)der, .size = (size_t)size}, out);
}

static enum err mark_key_id(X509 *certificate, uint8_t out[DENY_MARK_BYTES])
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    const ASN1_OCTET_STRING *id = X509_get0_subject_key_id(certificate);
    if (id)
        return deny_marks_of_bytes(string_view(id), out);
    if (X509_pubkey_digest(certificate, EVP_sha1(), hash, &size) != 1)
        return ERR_NO_MEMORY;
    return mark_der((int)size, hash, out);
}

enum err deny_marks_authority(X509 *certificate, struct deny_authority *out)
{
    AUTO(bytes_drop) unsigned char *spki = NULL;
    int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &spki);
    TRY(mark_der(size, spki, out->spki));
    return mark_key_id(certificate, out->key_id);
}

enum err deny_marks_serial(X509 *certificate, const struct deny_authority *issuer, struct deny_serial *out)
{
    AUTO(bytes_drop) unsigned char *name = NULL;
    const ASN1_OCTET_STRING *said = X509_get0_authority_key_id(certificate);
    struct view serial = string_view(X509_get0_serialNumber(certificate));
    uint8_t mark[DENY_MARK_BYTES];
    int size = i2d_X509_NAME(X509_get_issuer_name(certificate), &name);
    *out = (struct deny_serial){0};
    TRY(mark_der(size, name, mark));
    TRY(deny_marks_of_serial(mark, serial, out->by_name));
    if (said)
        TRY(deny_marks_of_bytes(string_view(said), mark));
    else if (issuer)
        memcpy(mark, issuer->key_id, sizeof mark);
    else
        return ERR_NONE;
    return deny_marks_of_serial(mark, serial, out->by_key);
}
