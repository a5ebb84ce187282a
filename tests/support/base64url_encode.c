/* SPDX-License-Identifier: Apache-2.0 */
#include "base64url_encode.h"

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t base64url_encode(const uint8_t *bytes, size_t size, char *out)
{
    char *start = out;
    size_t i = 0;
    for (; size - i >= 3; i += 3) {
        *out++ = ALPHABET[bytes[i] >> 2];
        *out++ = ALPHABET[(bytes[i] << 4 | bytes[i + 1] >> 4) & 63];
        *out++ = ALPHABET[(bytes[i + 1] << 2 | bytes[i + 2] >> 6) & 63];
        *out++ = ALPHABET[bytes[i + 2] & 63];
    }
    if (size - i > 0) {
        unsigned first = bytes[i], second = size - i == 2 ? bytes[i + 1] : 0U;
        *out++ = ALPHABET[first >> 2];
        *out++ = ALPHABET[(first << 4 | second >> 4) & 63];
        if (size - i == 2)
            *out++ = ALPHABET[(second << 2) & 63];
    }
    return (size_t)(out - start);
}
