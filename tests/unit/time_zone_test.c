/* SPDX-License-Identifier: Apache-2.0 */
/* Zone files, yearly rules and local times; the C library is the oracle. */
#include "match.h"
#include "tz_rule.h"
#include "tzif.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

enum { HOUR = 3600, DAY = 86400 };

static char memory[1 << 20], file[TZIF_BYTES_MAX + 2];

static enum err parse(struct view bytes, struct time_zone *out)
{
    struct arena arena;
    arena_init_fixed(&arena, memory, sizeof memory);
    return tzif_parse(bytes, &arena, out);
}

/* ---- files of our own ---------------------------------------------------------- */

struct writer {
    char bytes[512];
    size_t size;
};

static void put(struct writer *writer, uint64_t number, size_t width)
{
    for (size_t i = width; i-- > 0;)
        writer->bytes[writer->size++] = (char)(i < sizeof(number) ? number >> 8 * i & 0xff : 0);
}

static void put_text(struct writer *writer, struct view text)
{
    memcpy(writer->bytes + writer->size, text.data, text.size);
    writer->size += text.size;
}

struct sketch {
    char version;
    uint32_t leaps, indicators;
    int64_t shifts[2];
    size_t shift_count;
    uint8_t second_type; /* of the second shift; the first goes to type 1 */
    int32_t offsets[2];  /* of types 0 and 1 */
    const char *footer;
};

static void put_block(struct writer *writer, const struct sketch *sketch, size_t width)
{
    const uint32_t counts[] = {0, sketch->indicators, sketch->leaps, (uint32_t)sketch->shift_count, 2, 4};
    put_text(writer, VIEW("TZif"));
    put(writer, (unsigned char)sketch->version, 1);
    put(writer, 0, 15 - 8);
    put(writer, 0, 8);
    for (size_t i = 0; i < 6; i++)
        put(writer, counts[i], 4);
    for (size_t i = 0; i < sketch->shift_count; i++)
        put(writer, (uint64_t)sketch->shifts[i], width);
    for (size_t i = 0; i < sketch->shift_count; i++)
        put(writer, i == 0 ? 1 : sketch->second_type, 1);
    for (size_t i = 0; i < 2; i++) {
        put(writer, (uint32_t)sketch->offsets[i], 4);
        put(writer, i, 1);
        put(writer, 0, 1);
    }
    put_text(writer, VIEW("XYZ"));
    put(writer, 0, 1);
    put(writer, 0, sketch->leaps * (width + 4));
    put(writer, 0, sketch->indicators);
}

static struct view write_file(const struct sketch *sketch, struct writer *writer)
{
    writer->size = 0;
    put_block(writer, sketch, 4);
    put_block(writer, sketch, 8);
    put_text(writer, VIEW("\n"));
    put_text(writer, view_of(sketch->footer));
    put_text(writer, VIEW("\n"));
    return (struct view){.data = writer->bytes, .size = writer->size};
}

static enum err parse_sketch(const struct sketch *sketch, struct time_zone *out)
{
    static struct writer writer;
    return parse(write_file(sketch, &writer), out);
}

#define PARIS "CET-1CEST,M3.5.0,M10.5.0/3"
static const struct sketch paris = {.version = '2', .offsets = {HOUR, 2 * HOUR}, .footer = PARIS};

/* ---- the tests ------------------------------------------------------------------- */

static void names_of_zones_cannot_leave_their_folder(void **state)
{
    (void)state;
    const char *good[] = {"Europe/Paris", "America/Argentina/Buenos_Aires", "Etc/GMT+1", "America/Port-au-Prince",
                          "EST5EDT"};
    const char *bad[] = {"",      "/etc/passwd", "../Europe/Paris", "Europe/../Paris", "Europe//Paris", "Europe/",
                         "paris", "localtime",   "right/UTC",       "Europe/.Paris",   "Europe\\Paris", "Zone.tab",
                         "A B",   "-A",          "Europe/Paris\n",  "\xc3\x89tats"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (!time_zone_is_name(view_of(good[i])))
            fail_msg("%s is refused", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (time_zone_is_name(view_of(bad[i])))
            fail_msg("%s is taken", bad[i]);
    assert_false(time_zone_is_name(VIEW("A\0B")));
}

static void rules_are_read_whole_or_not_at_all(void **state)
{
    (void)state;
    struct tz_rule rule;
    const char *bad[] = {"",
                         "CET",
                         "CE-1",
                         "CET-25",
                         "CET-1CEST",
                         "CET-1CEST,M3.5.0",
                         "CET-1CEST,M13.5.0,M10.5.0",
                         "CET-1CEST,M3.0.0,M10.5.0",
                         "CET-1CEST,M3.5.7,M10.5.0",
                         "CET-1CEST,J0,J365",
                         "CET-1CEST,J1,366",
                         "CET-1CEST,M3.5.0/168,M10.5.0",
                         "CET-1:60",
                         "CET-1CEST,M3.5.0,M10.5.0/3 ",
                         "<+0-1",
                         "CET-"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (tz_rule_parse(view_of(bad[i]), &rule) == ERR_NONE)
            fail_msg("%s is taken", bad[i]);
    assert_int_equal(tz_rule_parse(VIEW("<+0530>-5:30"), &rule), ERR_NONE);
    assert_int_equal(rule.standard, 19800);
    assert_false(rule.has_summer);
    assert_int_equal(tz_rule_parse(VIEW("IST-1GMT0,M10.5.0,M3.5.0/-1:30:15"), &rule), ERR_NONE);
    assert_int_equal(rule.summer, 0);
    assert_int_equal(rule.end.time, -(HOUR + 30 * 60 + 15));
}

static void a_rule_finds_its_days_in_the_calendar(void **state)
{
    (void)state;
    const struct tz_date last_sunday = {.month = 3, .week = 5, .day = 0}, second = {.month = 2, .week = 2, .day = 4};
    const struct tz_date julian = {.kind = TZ_DATE_JULIAN, .day = 60}, ordinal = {TZ_DATE_ORDINAL, 0, 0, 59, 0};
    assert_int_equal(tz_rule_instant(&last_sunday, 2026, 0), 1774742400); /* 2026-03-29 */
    assert_int_equal(tz_rule_instant(&second, 2024, HOUR), 1707350400 - HOUR);
    assert_int_equal(tz_rule_instant(&julian, 2024, 0), 1709251200);  /* 1 March in every year */
    assert_int_equal(tz_rule_instant(&ordinal, 2024, 0), 1709164800); /* 29 February */
    assert_int_equal(tz_rule_year(1704067199), 2023);
    assert_int_equal(tz_rule_year(1704067200), 2024);
    assert_int_equal(tz_rule_year(-1), 1969);
}

static void a_skipped_hour_never_comes_and_a_repeated_one_comes_twice(void **state)
{
    (void)state;
    struct time_zone zone;
    assert_int_equal(parse_sketch(&paris, &zone), ERR_NONE);
    struct time_window two = {.zone = &zone, .has_between = true, .start = 120, .end = 180};
    int64_t spring = 1774746000, autumn = 1792890000; /* 2026-03-29T01:00Z, 2026-10-25T01:00Z */
    unsigned in_spring = 0, in_autumn = 0;
    for (int64_t at = -12 * HOUR; at < 12 * HOUR; at += 60) {
        in_spring += match_time(&two, spring + at);
        in_autumn += match_time(&two, autumn + at);
    }
    assert_int_equal(in_spring, 0);
    assert_int_equal(in_autumn, 120);
    assert_true(match_time(&two, autumn - HOUR));
    assert_false(match_time(&two, autumn - HOUR - 1));
    assert_true(match_time(&two, autumn + HOUR - 1));
    assert_false(match_time(&two, autumn + HOUR));
}

static void days_are_those_of_the_zone(void **state)
{
    (void)state;
    struct time_zone zone;
    assert_int_equal(parse_sketch(&paris, &zone), ERR_NONE);
    struct time_window saturday = {.zone = &zone, .days = 1 << 5}, night = saturday;
    int64_t midnight = 1798844400; /* 2027-01-01T23:00Z, Saturday 00:00 in Paris */
    assert_false(match_time(&saturday, midnight - 1));
    assert_true(match_time(&saturday, midnight));
    assert_true(match_time(&saturday, midnight + DAY - 1));
    assert_false(match_time(&saturday, midnight + DAY));
    night.has_between = true;
    night.start = 22 * 60;
    night.end = 6 * 60;
    assert_true(match_time(&night, midnight + 5 * HOUR));
    assert_false(match_time(&night, midnight - HOUR));
    assert_false(match_time(&night, midnight + DAY + HOUR));
}

static void summer_time_all_year_long_leaves_no_gap(void **state)
{
    (void)state;
    struct time_zone zone;
    struct sketch all_year = {
        .version = '3', .offsets = {-3 * HOUR, -4 * HOUR}, .footer = "EST5EDT,0/0,J365/25", .shift_count = 0};
    all_year.offsets[0] = -4 * HOUR;
    assert_int_equal(parse_sketch(&all_year, &zone), ERR_NONE);
    for (int64_t at = 0; at < (int64_t)800 * 365 * DAY; at += 6 * HOUR + 7)
        assert_int_equal(time_zone_offset(&zone, at), -4 * HOUR);
}

static void a_rule_holds_for_ever(void **state)
{
    (void)state;
    struct time_zone zone;
    assert_int_equal(parse_sketch(&paris, &zone), ERR_NONE);
    for (int64_t at = 1774742400; at < 1774742400 + 366 * (int64_t)DAY; at += 40000)
        for (int64_t cycle = 1; cycle < 20; cycle++)
            assert_int_equal(time_zone_offset(&zone, at), time_zone_offset(&zone, at + cycle * TIME_ZONE_CYCLE));
    (void)time_zone_offset(&zone, INT64_MAX);
    (void)time_zone_offset(&zone, INT64_MIN);
}

static void damaged_files_are_refused(void **state)
{
    (void)state;
    static struct writer writer;
    struct time_zone zone;
    struct sketch good = {
        .version = '2', .shifts = {100, 200}, .shift_count = 2, .offsets = {0, HOUR}, .footer = "XYZ0"};
    struct view bytes = write_file(&good, &writer);
    assert_int_equal(parse(bytes, &zone), ERR_NONE);
    assert_int_equal(time_zone_offset(&zone, 99), 0);
    assert_int_equal(time_zone_offset(&zone, 100), HOUR);
    assert_int_equal(time_zone_offset(&zone, 200), 0);
    for (size_t size = 0; size < bytes.size; size++)
        assert_int_not_equal(parse(view_slice(bytes, 0, size), &zone), ERR_NONE);
    writer.bytes[writer.size] = '\n';
    assert_int_not_equal(parse((struct view){writer.bytes, writer.size + 1}, &zone), ERR_NONE);
}

static void files_that_do_not_hold_together_are_refused(void **state)
{
    (void)state;
    struct time_zone zone;
    const struct sketch good = {
        .version = '2', .shifts = {100, 200}, .shift_count = 2, .offsets = {0, HOUR}, .footer = "XYZ0"};
    struct sketch bad = good;
    bad.version = 0;
    assert_int_equal(parse_sketch(&bad, &zone), ERR_UNSUPPORTED);
    bad = good;
    bad.leaps = 1;
    assert_int_equal(parse_sketch(&bad, &zone), ERR_UNSUPPORTED);
    bad = good;
    bad.indicators = 1; /* neither none nor one a type */
    assert_int_equal(parse_sketch(&bad, &zone), ERR_MALFORMED);
    bad = good;
    bad.shifts[1] = 100;
    assert_int_equal(parse_sketch(&bad, &zone), ERR_MALFORMED);
    bad = good;
    bad.second_type = 2;
    assert_int_equal(parse_sketch(&bad, &zone), ERR_MALFORMED);
    bad = good;
    bad.offsets[1] = 27 * HOUR;
    assert_int_equal(parse_sketch(&bad, &zone), ERR_MALFORMED);
    bad = good;
    bad.footer = "XYZ-1"; /* the last shift says otherwise */
    assert_int_equal(parse_sketch(&bad, &zone), ERR_MALFORMED);
    bad = good;
    bad.footer = "";
    assert_int_equal(parse_sketch(&bad, &zone), ERR_MALFORMED);
}

static struct view read_zone(const char *name)
{
    char path[256];
    (void)snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", name);
    FILE *stream = fopen(path, "rb");
    if (stream == NULL)
        return (struct view){0};
    size_t size = fread(file, 1, sizeof file, stream);
    (void)fclose(stream);
    return (struct view){.data = file, .size = size};
}

static void compare_zone(const char *name)
{
    struct time_zone zone;
    if (parse(read_zone(name), &zone) != ERR_NONE)
        fail_msg("%s is refused", name);
    assert_true(time_zone_is_name(view_of(name)));
    assert_int_equal(setenv("TZ", name, 1), 0);
    tzset();
    /* Every 11 days and a bit from 1970 to 2110, then years apart. */
    for (int64_t at = 0; at < (int64_t)150000000000; at += at < 4418064000 ? 979999 : 31536000 + 1234567) {
        time_t moment = (time_t)at;
        struct tm local;
        assert_non_null(localtime_r(&moment, &local));
        if (time_zone_offset(&zone, at) != local.tm_gmtoff)
            fail_msg("%s at %lld: %d, the C library says %ld", name, (long long)at, time_zone_offset(&zone, at),
                     local.tm_gmtoff);
    }
}

static void every_zone_of_this_machine_agrees_with_the_c_library(void **state)
{
    (void)state;
    char line[512];
    size_t zones = 0;
    FILE *table = fopen("/usr/share/zoneinfo/tzdata.zi", "r");
    while (table != NULL && fgets(line, sizeof line, table) != NULL) {
        char name[64];
        if (sscanf(line, "Z %63s", name) != 1 && sscanf(line, "L %*s %63s", name) != 1)
            continue;
        if (read_zone(name).data == NULL)
            continue; /* an old alias that this machine leaves out */
        compare_zone(name);
        zones++;
    }
    if (table == NULL) {
        print_message("SKIPPED: this machine has no /usr/share/zoneinfo/tzdata.zi\n");
        skip();
    }
    (void)fclose(table);
    print_message("%zu zones\n", zones);
    assert_true(zones > 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_zones_cannot_leave_their_folder),
        cmocka_unit_test(rules_are_read_whole_or_not_at_all),
        cmocka_unit_test(a_rule_finds_its_days_in_the_calendar),
        cmocka_unit_test(a_skipped_hour_never_comes_and_a_repeated_one_comes_twice),
        cmocka_unit_test(days_are_those_of_the_zone),
        cmocka_unit_test(summer_time_all_year_long_leaves_no_gap),
        cmocka_unit_test(a_rule_holds_for_ever),
        cmocka_unit_test(damaged_files_are_refused),
        cmocka_unit_test(files_that_do_not_hold_together_are_refused),
        cmocka_unit_test(every_zone_of_this_machine_agrees_with_the_c_library),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
