/* SPDX-License-Identifier: Apache-2.0 */
#include "base64url.h"

enum { NO_DIGIT = 128 };

/* The value of each byte, or NO_DIGIT. */
/* clang-format off */
static const uint8_t DIGIT[256] = {
    128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
    128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
    128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 62, 128, 128,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 128, 128, 128, 128, 128, 128,
    128, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 128, 128, 128, 128, 63,
    128, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 128, 128, 128, 128, 128,
    128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
    128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
    128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
    128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
    128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
    128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
    128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
    128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
};
/* clang-format on */

/* Bytes behind the last whole group of four characters, or -1 for a length of 1 mod 4. */
static int tail_bytes(size_t characters)
{
    static const int BYTES[4] = {0, -1, 1, 2};
    return BYTES[characters % 4];
}

enum err base64url_decode(struct view text, uint8_t *out, size_t capacity, size_t *size)
{
    const uint8_t *in = (const uint8_t *)text.data;
    size_t groups = text.size / 4;
    int tail = tail_bytes(text.size);
    if (tail < 0)
        return ERR_MALFORMED;
    if (groups * 3 + (size_t)tail > capacity)
        return ERR_LIMIT;
    unsigned wrong = 0;
    for (size_t i = 0; i < groups; i++, in += 4, out += 3) {
        unsigned a = DIGIT[in[0]], b = DIGIT[in[1]], c = DIGIT[in[2]], d = DIGIT[in[3]];
        wrong |= a | b | c | d;
        out[0] = (uint8_t)(a << 2 | b >> 4);
        out[1] = (uint8_t)(b << 4 | c >> 2);
        out[2] = (uint8_t)(c << 6 | d);
    }
    if (tail > 0) {
        unsigned a = DIGIT[in[0]], b = DIGIT[in[1]], c = tail == 2 ? DIGIT[in[2]] : 0;
        wrong |= a | b | c;
        out[0] = (uint8_t)(a << 2 | b >> 4);
        if (tail == 2)
            out[1] = (uint8_t)(b << 4 | c >> 2);
        /* Bits that no byte takes must be zero: one text per value (RFC 4648 section 3.5). */
        if (((tail == 2 ? c & 3 : b & 15)) != 0)
            return ERR_MALFORMED;
    }
    if (wrong & NO_DIGIT)
        return ERR_MALFORMED;
    *size = groups * 3 + (size_t)tail;
    return ERR_NONE;
}

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
