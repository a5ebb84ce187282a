/* SPDX-License-Identifier: Apache-2.0 */
#include "image_tables.h"
#include "path_pattern.h"
#include "test_case.h"

#define REASON_WORD(symbol, name, ...) name,
#define REASON_WORDS REASON_TABLE(REASON_WORD)

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

/* ---- the struct and its record have the same members ---------------------------------------- */

/* One value a member, in order: a member that the record lacks has none, which -Wmissing-field-initializers
 * tells, and a line too much is one too many. */
#define PROBE_INDEX(...) 0,
#define PROBE_NUM(...) 0,
#define PROBE_TIME(...) 0,
#define PROBE_FLAG(...) 0,
#define PROBE_CHOICE(...) 0,
#define PROBE_TEXT(...) {0},
#define PROBE_TEXTS(...) {0},
#define PROBE_VIEWS(...) 0,
#define PROBE_NAMES(...) 0,
#define PROBE_TEXT_ARRAY(...) {{0}},
#define PROBE_BYTES(...) {0},
#define PROBE_INSIDE(...) {0},
#define PROBE_SHARED(...) {0},
#define PROBE_COUNT(...) 0,
#define PROBE_LIST(...) 0,
#define PROBE_ONE(...) 0,
#define PROBE_OWN(...) 0,
#define PROBE_REF(...) 0,
#define PROBE_REF_OR_NONE(...) 0,
#define PROBE_REFS(...) 0,
#define PROBE_PER_ISSUER(...) 0,
#define PROBE_SKIP(member, ...) __VA_ARGS__,

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-braces"
#pragma GCC diagnostic error "-Wmissing-field-initializers"
#define RECORD(roots, depth) static const struct SELF JOIN(probe_, SELF) __attribute__((unused)) = {
#define FIELD(kind, ...) PROBE_##kind(__VA_ARGS__)
#define END                                                                                                            \
    }                                                                                                                  \
    ;
#include "image_records.def"
#undef RECORD
#undef FIELD
#undef END
#pragma GCC diagnostic pop

/* ---- the table --------------------------------------------------------------------------------- */

#define SIZE_OF(member) sizeof(((struct SELF *)NULL)->member)
#define AT(member) .offset = offsetof(struct SELF, member), .size = SIZE_OF(member)
#define COUNTED(count_) .count_offset = offsetof(struct SELF, count_), .count_size = SIZE_OF(count_)
#define OF(record_) .record = IMAGE_ID(record_)
#define KIND(kind_) .kind = IMAGE_##kind_

#define DEFINE_INDEX(member) {.name = #member, KIND(INDEX), AT(member)},
#define DEFINE_NUM(member, least_, most_) {.name = #member, KIND(NUM), AT(member), .least = (least_), .most = (most_)},
#define DEFINE_TIME(member) {.name = #member, KIND(TIME), AT(member)},
#define DEFINE_FLAG(member) {.name = #member, KIND(FLAG), AT(member), .most = 1},
#define DEFINE_CHOICE(member, ...)                                                                                     \
    {.name = #member,                                                                                                  \
     KIND(CHOICE),                                                                                                     \
     AT(member),                                                                                                       \
     .words = (const char *const[]){__VA_ARGS__},                                                                      \
     .most = sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *) - 1},
#define DEFINE_TEXT(member) {.name = #member, KIND(TEXT), AT(member)},
/* NOLINTNEXTLINE(bugprone-macro-parentheses): offsetof takes no parentheses */
#define DEFINE_TEXTS(member) {.name = #member, KIND(TEXTS), AT(member.items), COUNTED(member.count)},
#define DEFINE_VIEWS(member, count_) {.name = #member, KIND(TEXTS), AT(member), COUNTED(count_)},
#define DEFINE_NAMES(member, count_) {.name = #member, KIND(NAMES), AT(member), COUNTED(count_)},
#define DEFINE_TEXT_ARRAY(member) {.name = #member, KIND(TEXT_ARRAY), AT(member)},
#define DEFINE_BYTES(member) {.name = #member, KIND(BYTES), AT(member)},
#define DEFINE_INSIDE(member, record_) {.name = #member, KIND(INSIDE), AT(member), OF(record_)},
#define DEFINE_SHARED(member, record_) {.name = #member, KIND(SHARED), AT(member), OF(record_)},
#define DEFINE_LIST(member, count_, record_) {.name = #member, KIND(LIST), AT(member), COUNTED(count_), OF(record_)},
#define DEFINE_COUNT(member) {.name = #member, KIND(COUNT), AT(member)},
#define DEFINE_ONE(member, record_) {.name = #member, KIND(ONE), AT(member), OF(record_)},
#define DEFINE_OWN(member, record_) {.name = #member, KIND(OWN), AT(member), OF(record_)},
#define DEFINE_REF(member, record_) {.name = #member, KIND(REF), AT(member), OF(record_)},
#define DEFINE_REF_OR_NONE(member, record_) {.name = #member, KIND(REF_OR_NONE), AT(member), OF(record_)},
#define DEFINE_REFS(member, count_, record_) {.name = #member, KIND(REFS), AT(member), COUNTED(count_), OF(record_)},
#define DEFINE_PER_ISSUER(member, record_) {.name = #member, KIND(PER_ISSUER), AT(member), OF(record_)},
#define DEFINE_SKIP(member, ...) {.name = #member, KIND(SKIP), AT(member)},

#define RECORD(roots, depth) static const struct image_field JOIN(fields_, SELF)[] = {
#define FIELD(kind, ...) DEFINE_##kind(__VA_ARGS__)
#define END                                                                                                            \
    }                                                                                                                  \
    ;
#include "image_records.def"
#undef RECORD
#undef FIELD
#undef END

#define TEXT_OF_(self) #self
#define TEXT_OF(self) TEXT_OF_(self)

static const struct image_record RECORDS[] = {
#define RECORD(roots, depth_)                                                                                          \
    {.name = TEXT_OF(SELF),                                                                                            \
     .fields = JOIN(fields_, SELF),                                                                                    \
     .field_count = sizeof JOIN(fields_, SELF) / sizeof *JOIN(fields_, SELF),                                          \
     .size = sizeof(struct SELF),                                                                                      \
     .is_root = (roots),                                                                                               \
     .depth = (depth_)},
#define FIELD(...)
#define END
#include "image_records.def"
#undef RECORD
#undef FIELD
#undef END
};

const struct image_record *image_record(enum image_record_id id)
{
    return &RECORDS[id];
}

bool image_record_has_rows(enum image_record_id id)
{
    for (size_t i = 0; i < IMAGE_RECORDS; i++)
        for (uint32_t k = 0; k < RECORDS[i].field_count; k++) {
            const struct image_field *field = &RECORDS[i].fields[k];
            bool is_row = field->kind == IMAGE_SHARED || field->kind == IMAGE_LIST || field->kind == IMAGE_OWN ||
                          field->kind == IMAGE_ONE || field->kind == IMAGE_PER_ISSUER;
            if (is_row && field->record == id)
                return true;
        }
    return id == IMAGE_RECORD_policy;
}

uint64_t image_number_at(const char *self, uint32_t offset, uint32_t size)
{
    uint8_t byte;
    uint16_t half;
    uint32_t word;
    uint64_t wide;
    switch (size) {
    case sizeof byte: memcpy(&byte, self + offset, sizeof byte); return byte;
    case sizeof half: memcpy(&half, self + offset, sizeof half); return half;
    case sizeof word: memcpy(&word, self + offset, sizeof word); return word;
    default: memcpy(&wide, self + offset, sizeof wide); return wide;
    }
}

struct view image_section_name(size_t index)
{
    static const struct view texts[] = {{"text-lengths", 12}, {"text", 4}};
    if (index < IMAGE_SECTION_RECORDS)
        return texts[index];
    size_t at = IMAGE_SECTION_RECORDS;
    for (size_t i = 0; i < IMAGE_RECORDS; i++)
        if (image_record_has_rows((enum image_record_id)i) && at++ == index)
            return view_of(RECORDS[i].name);
    return (struct view){0};
}

/* ---- in words --------------------------------------------------------------------------------------- */

static const char *kind_text(enum image_kind kind)
{
    switch (kind) {
    case IMAGE_INDEX: return "the row's number; not stored";
    case IMAGE_NUM: return "number";
    case IMAGE_TIME: return "number with a sign";
    case IMAGE_FLAG: return "flag";
    case IMAGE_CHOICE: return "one of";
    case IMAGE_TEXT: return "text or none";
    case IMAGE_TEXTS: return "texts";
    case IMAGE_NAMES: return "texts or none, as many as";
    case IMAGE_TEXT_ARRAY: return "texts or none, always";
    case IMAGE_BYTES: return "bytes,";
    case IMAGE_INSIDE: return "the fields of";
    case IMAGE_SHARED: return "a row of";
    case IMAGE_COUNT: return "how many; stored with them";
    case IMAGE_LIST: return "rows of";
    case IMAGE_ONE: return "a row of";
    case IMAGE_OWN: return "a row or none of";
    case IMAGE_REF: return "reference to";
    case IMAGE_REF_OR_NONE: return "reference or none to";
    case IMAGE_REFS: return "references to";
    case IMAGE_PER_ISSUER: return "for each issuer, a row of";
    case IMAGE_SKIP: break;
    }
    return "not stored: made anew";
}

static void number_print(uint64_t most, FILE *out)
{
    if (most == UINT32_MAX)
        (void)fprintf(out, "2^32 - 1");
    else
        (void)fprintf(out, "%llu", (unsigned long long)most);
}

/* Long lists of words are said once. */
static bool has_words_of(const struct image_field *field, const struct image_field *other)
{
    bool is_same = field->kind == IMAGE_CHOICE && other->kind == IMAGE_CHOICE && field->most == other->most;
    for (size_t i = 0; is_same && i <= field->most; i++)
        is_same = view_equals(view_of(field->words[i]), view_of(other->words[i]));
    return is_same;
}

static void field_print(const struct image_field *field, bool is_said, FILE *out)
{
    (void)fprintf(out, "| `%s` | %s", field->name, kind_text(field->kind));
    switch (field->kind) {
    case IMAGE_NUM:
        (void)fprintf(out, " %llu to ", (unsigned long long)field->least);
        number_print(field->most, out);
        break;
    case IMAGE_CHOICE:
        if (is_said) {
            (void)fprintf(out, " the words of the field before");
            break;
        }
        for (size_t i = 0; i <= field->most; i++)
            (void)fprintf(out, "%s `%s`", i == 0 ? "" : ",", field->words[i]);
        break;
    case IMAGE_NAMES: (void)fprintf(out, " there are items"); break;
    case IMAGE_TEXT_ARRAY: (void)fprintf(out, " %zu", field->size / sizeof(struct view)); break;
    case IMAGE_BYTES: (void)fprintf(out, " %u of them", field->size); break;
    case IMAGE_INSIDE:
    case IMAGE_SHARED:
    case IMAGE_LIST:
    case IMAGE_ONE:
    case IMAGE_OWN:
    case IMAGE_REF:
    case IMAGE_REF_OR_NONE:
    case IMAGE_REFS:
    case IMAGE_PER_ISSUER: (void)fprintf(out, " %s", RECORDS[field->record].name); break;
    case IMAGE_INDEX:
    case IMAGE_COUNT:
    case IMAGE_TIME:
    case IMAGE_FLAG:
    case IMAGE_TEXT:
    case IMAGE_TEXTS:
    case IMAGE_SKIP: break;
    }
    (void)fprintf(out, " |\n");
}

void image_records_print(FILE *out)
{
    for (size_t i = 0; i < IMAGE_RECORDS; i++) {
        const struct image_record *record = &RECORDS[i];
        (void)fprintf(out, "%s### %s\n\n", i == 0 ? "" : "\n", record->name);
        if (record->depth > 0)
            (void)fprintf(out, "Rows nest in each other at most %u deep.\n\n", record->depth);
        (void)fprintf(out, "| field | what is stored |\n|---|---|\n");
        for (uint32_t k = 0; k < record->field_count; k++)
            field_print(&record->fields[k], k > 0 && has_words_of(&record->fields[k], &record->fields[k - 1]), out);
    }
}
