/* SPDX-License-Identifier: Apache-2.0 */
#include "utf8.h"

#define EACH_BYTE(byte) (0x0101010101010101u * (uint64_t)(byte))

/* The length of a leading run of ASCII without NUL, rounded down to 8 bytes. In
 * a byte below 0x80, subtracting one sets the top bit only for 0 (or after the
 * borrow of a 0 below it), so one mask finds both NUL and non-ASCII. */
static size_t ascii_run(const char *at, size_t size)
{
    size_t i = 0;

    for (; size - i >= 32; i += 32) {
        uint64_t w[4];

        memcpy(w, at + i, sizeof w);
        if ((((w[0] - EACH_BYTE(1)) | w[0] | (w[1] - EACH_BYTE(1)) | w[1] | (w[2] - EACH_BYTE(1)) | w[2] |
              (w[3] - EACH_BYTE(1)) | w[3]) &
             EACH_BYTE(0x80)) != 0)
            break;
    }
    for (; size - i >= 8; i += 8) {
        uint64_t w;

        memcpy(&w, at + i, sizeof w);
        if ((((w - EACH_BYTE(1)) | w) & EACH_BYTE(0x80)) != 0)
            break;
    }
    return i;
}

static bool is_tail(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

/* The length of one character, 0 when there is none. RFC 3629 section 4. */
static size_t character(const uint8_t *at, size_t left)
{
    uint8_t lead = at[0];

    if (lead > 0 && lead < 0x80)
        return 1;
    if (lead >= 0xc2 && lead <= 0xdf)
        return left >= 2 && is_tail(at[1]) ? 2 : 0;
    if (lead >= 0xe0 && lead <= 0xef) {
        uint8_t low = lead == 0xe0 ? 0xa0 : 0x80;
        uint8_t high = lead == 0xed ? 0x9f : 0xbf;

        return left >= 3 && at[1] >= low && at[1] <= high && is_tail(at[2]) ? 3 : 0;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        uint8_t low = lead == 0xf0 ? 0x90 : 0x80;
        uint8_t high = lead == 0xf4 ? 0x8f : 0xbf;

        return left >= 4 && at[1] >= low && at[1] <= high && is_tail(at[2]) && is_tail(at[3]) ? 4 : 0;
    }
    return 0;
}

bool utf8_is_text(struct view v)
{
    size_t i = 0;

    while (i < v.size) {
        size_t step = ascii_run(v.data + i, v.size - i);

        if (step == 0)
            step = character((const uint8_t *)v.data + i, v.size - i);
        if (step == 0)
            return false;
        i += step;
    }
    return true;
}
