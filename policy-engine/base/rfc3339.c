/* SPDX-License-Identifier: Apache-2.0 */
#include "rfc3339.h"

#include <stdio.h>
#include <time.h>

static bool take_number(struct view text, size_t at, size_t digits, int *out)
{
    uint64_t value;
    if (text.size < at + digits || !view_to_u64(view_slice(text, at, at + digits), &value))
        return false;
    *out = (int)value;
    return true;
}

/* The text with every digit as 0 tells its shape. */
static bool has_shape(struct view text, const char *shape)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i] >= '0' && text.data[i] <= '9' ? '0' : text.data[i];
        if (c != shape[i])
            return false;
    }
    return shape[text.size] == '\0';
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static bool is_date(const struct tm *parts, int year)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (parts->tm_mon < 0 || parts->tm_mon > 11 || parts->tm_mday < 1)
        return false;
    return parts->tm_mday <= days[parts->tm_mon] + (parts->tm_mon == 1 && is_leap(year));
}

/* "Z", "+hh:mm" or "-hh:mm" as seconds east of UTC. */
static bool take_offset(struct view zone, int64_t *out)
{
    int hours, minutes;
    *out = 0;
    if (view_equals(zone, VIEW("Z")))
        return true;
    if (!has_shape(zone, "+00:00") && !has_shape(zone, "-00:00"))
        return false;
    if (!take_number(zone, 1, 2, &hours) || !take_number(zone, 4, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *out = (int64_t)(hours * 3600 + minutes * 60) * (zone.data[0] == '-' ? -1 : 1);
    return true;
}

bool rfc3339_parse(struct view text, int64_t *out)
{
    struct tm parts = {0};
    int64_t offset;
    int year, month;
    if (text.size < 20 || !has_shape(view_slice(text, 0, 19), "0000-00-00T00:00:00"))
        return false;
    bool is_read = take_number(text, 0, 4, &year) && take_number(text, 5, 2, &month) &&
                   take_number(text, 8, 2, &parts.tm_mday) && take_number(text, 11, 2, &parts.tm_hour) &&
                   take_number(text, 14, 2, &parts.tm_min) && take_number(text, 17, 2, &parts.tm_sec) &&
                   take_offset(view_slice(text, 19, text.size), &offset);
    if (!is_read || parts.tm_hour > 23 || parts.tm_min > 59 || parts.tm_sec > 59)
        return false;
    parts.tm_mon = month - 1;
    parts.tm_year = year - 1900;
    if (!is_date(&parts, year))
        return false;
    *out = (int64_t)timegm(&parts) - offset;
    return true;
}

bool rfc3339_write(int64_t seconds, char out[RFC3339_BYTES])
{
    struct tm parts;
    time_t instant = (time_t)seconds;
    char text[64];
    if (!gmtime_r(&instant, &parts) || parts.tm_year < -1900 || parts.tm_year > 9999 - 1900)
        return false;
    (void)snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02dZ", parts.tm_year + 1900, parts.tm_mon + 1,
                   parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
    memcpy(out, text, RFC3339_BYTES);
    return true;
}
