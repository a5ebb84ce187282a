/* SPDX-License-Identifier: Apache-2.0 */
#include "tz_rule.h"

enum { DAY = 86400, HOUR = 3600, OFFSET_HOURS_MAX = 24, TIME_HOURS_MAX = 167, TIME_DEFAULT = 2 * HOUR };

/* ---- reading --------------------------------------------------------------- */

struct reader {
    struct view text;
    size_t at;
};

static char next(const struct reader *reader)
{
    return reader->at < reader->text.size ? reader->text.data[reader->at] : '\0';
}

static bool take(struct reader *reader, char c)
{
    bool is_there = reader->at < reader->text.size && reader->text.data[reader->at] == c;
    reader->at += is_there;
    return is_there;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool take_name(struct reader *reader)
{
    bool is_quoted = take(reader, '<');
    size_t start = reader->at;
    while (is_letter(next(reader)) ||
           (is_quoted && (is_digit(next(reader)) || next(reader) == '+' || next(reader) == '-')))
        reader->at++;
    return reader->at - start >= 3 && (!is_quoted || take(reader, '>'));
}

/* One to three digits, at most `most`. */
static bool take_number(struct reader *reader, uint32_t most, uint32_t *out)
{
    size_t start = reader->at;
    *out = 0;
    while (reader->at - start < 3 && is_digit(next(reader)))
        *out = *out * 10 + (uint32_t)(reader->text.data[reader->at++] - '0');
    return reader->at > start && *out <= most;
}

static bool take_time(struct reader *reader, uint32_t most_hours, int32_t *out)
{
    uint32_t hours, minutes = 0, seconds = 0;
    bool is_negative = take(reader, '-');
    if (!is_negative)
        (void)take(reader, '+');
    if (!take_number(reader, most_hours, &hours))
        return false;
    if (take(reader, ':') && !take_number(reader, 59, &minutes))
        return false;
    if (take(reader, ':') && !take_number(reader, 59, &seconds))
        return false;
    int32_t total = (int32_t)(hours * HOUR + minutes * 60 + seconds);
    *out = is_negative ? -total : total;
    return true;
}

static bool take_date(struct reader *reader, struct tz_date *out)
{
    *out = (struct tz_date){.time = TIME_DEFAULT};
    if (take(reader, 'M')) {
        out->kind = TZ_DATE_MONTH;
        if (!take_number(reader, 12, &out->month) || out->month == 0 || !take(reader, '.') ||
            !take_number(reader, 5, &out->week) || out->week == 0 || !take(reader, '.') ||
            !take_number(reader, 6, &out->day))
            return false;
    } else {
        out->kind = take(reader, 'J') ? TZ_DATE_JULIAN : TZ_DATE_ORDINAL;
        if (!take_number(reader, 365, &out->day) || (out->kind == TZ_DATE_JULIAN && out->day == 0))
            return false;
    }
    return !take(reader, '/') || take_time(reader, TIME_HOURS_MAX, &out->time);
}

static bool take_rule(struct reader *reader, struct tz_rule *out)
{
    int32_t west;
    if (!take_name(reader) || !take_time(reader, OFFSET_HOURS_MAX, &west))
        return false;
    out->standard = -west;
    out->has_summer = reader->at < reader->text.size;
    if (!out->has_summer)
        return true;
    if (!take_name(reader))
        return false;
    out->summer = out->standard + HOUR;
    if (next(reader) != ',') {
        if (!take_time(reader, OFFSET_HOURS_MAX, &west))
            return false;
        out->summer = -west;
    }
    return take(reader, ',') && take_date(reader, &out->start) && take(reader, ',') && take_date(reader, &out->end);
}

enum err tz_rule_parse(struct view text, struct tz_rule *out)
{
    struct reader reader = {.text = text};
    *out = (struct tz_rule){0};
    return take_rule(&reader, out) && reader.at == text.size ? ERR_NONE : ERR_MALFORMED;
}

/* ---- the calendar ------------------------------------------------------------ */

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Days from 1970-01-01 to 1 January of `year`. */
static int64_t year_days(int64_t year)
{
    int64_t before = year - 1;
    return year * 365 + floor_div(before, 4) - floor_div(before, 100) + floor_div(before, 400) - 719527;
}

static const uint16_t MONTH_STARTS[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};

static int64_t month_start(int64_t year, uint32_t month)
{
    return MONTH_STARTS[month] + (month >= 2 && is_leap(year) ? 1 : 0);
}

/* The day of the year, from 0. */
static int64_t date_day(const struct tz_date *date, int64_t year)
{
    if (date->kind == TZ_DATE_ORDINAL)
        return date->day;
    if (date->kind == TZ_DATE_JULIAN)
        return date->day - 1 + (date->day >= 60 && is_leap(year) ? 1 : 0);
    int64_t first = month_start(year, date->month - 1), end = month_start(year, date->month);
    /* 1970-01-01 was a Thursday; 0 is Sunday. */
    int64_t weekday = ((year_days(year) + first + 4) % 7 + 7) % 7;
    int64_t day = first + (date->day - weekday + 7) % 7 + 7 * ((int64_t)date->week - 1);
    return day < end ? day : day - 7;
}

int64_t tz_rule_instant(const struct tz_date *date, int64_t year, int32_t offset)
{
    return (year_days(year) + date_day(date, year)) * DAY + date->time - offset;
}

int64_t tz_rule_year_start(int64_t year)
{
    return year_days(year) * DAY;
}

int64_t tz_rule_year(int64_t at)
{
    int64_t year = 1970 + floor_div(at, (int64_t)365 * DAY);
    while (tz_rule_year_start(year) > at)
        year--;
    while (tz_rule_year_start(year + 1) <= at)
        year++;
    return year;
}
