/* SPDX-License-Identifier: Apache-2.0 */
/* Claims and metadata: a list can hold any choice of elements, so the values that a
 * question tells apart are found among the subsets of one element of each class. */
#include "classes.h"
#include "match.h"

enum { ELEMENTS_MAX = 14 };

struct value_search {
    struct classes *classes;
    const struct value_question *question;
    struct class_set set; /* claims of each */
};

static bool has_range(const struct value_question *question)
{
    for (size_t i = 0; i < question->test_count; i++)
        if (question->tests[i]->kind == TEST_INT_RANGE)
            return true;
    return false;
}

static bool is_integer(struct view text)
{
    uint64_t number;
    return view_to_u64(view_slice(text, view_starts_with(text, VIEW("-")), text.size), &number) &&
           (text.size == 1 || text.data[0] != '0');
}

/* Absent, cannot stand in a header, or can. */
static unsigned template_answer(const struct claim_path *path, const struct value *root)
{
    struct view text = match_scalar(path, root);
    if (!view_is_present(text) || text.size == 0)
        return 0;
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < 0x20 || text.data[i] > 0x7e)
            return 1;
    return 2;
}

/* Whether two elements answer alike shows in each alone: of a list, a test asks whether
 * some element fits, and containsAll which of its values are among them. */
static enum err element_sign(struct classes *classes, const struct value_question *question,
                             const struct value *element, struct signature *out, struct arena *scratch)
{
    size_t room = question->test_count + 1;
    for (size_t i = 0; i < question->test_count; i++)
        room += question->tests[i]->values.count;
    TRY(signature_init(out, room, scratch));
    const struct value *root = classes_put_value(scratch, NULL, &question->path, 0, element);
    if (!root)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < question->test_count; i++) {
        const struct value_test *test = question->tests[i];
        for (size_t k = 0; test->kind == TEST_CONTAINS_ALL && k < test->values.count; k++)
            signature_put(out, element->kind == VALUE_MAP ? 2 : view_equals(test->values.items[k], element->text));
        signature_put(out, match_value(&question->path, test, root, question->is_claim, classes->model->max_groups));
    }
    if (question->is_template)
        signature_put(out, template_answer(&question->path, root));
    return ERR_NONE;
}

static enum err element_add(struct class_set *set, const struct value_question *question, const struct value *element)
{
    struct arena scratch = classes_scratch(set->classes);
    struct signature signature;
    struct value *kept = arena_take(set->classes->arena, sizeof *kept);
    if (!kept)
        return ERR_NO_MEMORY;
    *kept = *element;
    TRY(element_sign(set->classes, question, element, &signature, &scratch));
    struct facts facts = {.metadata = kept};
    return class_set_add(set, &signature, &facts);
}

static bool compares_with_empty(const struct pattern_list *patterns)
{
    for (size_t i = 0; i < patterns->count; i++)
        if (patterns->items[i].text.size == 0 && patterns->items[i].kind != TEXT_UNDER)
            return true;
    return false;
}

/* One element of each class, and one that no test on values can judge. */
static enum err elements_of(struct classes *classes, const struct value_question *question, struct class_set *set)
{
    struct pattern_list patterns = {.arena = classes->arena};
    struct string_list texts;
    TRY(class_set_init(set, classes));
    pattern_add(&patterns, TEXT_UNDER, VIEW("")); /* anything that is not empty */
    for (size_t i = 0; i < question->test_count; i++)
        pattern_add_test(&patterns, question->tests[i]);
    if (patterns.is_exhausted)
        return ERR_NO_MEMORY;
    TRY(classes_of_texts(classes, patterns.items, patterns.count, &texts));
    for (size_t i = 0; i < texts.count; i++) {
        struct value text = {.kind = VALUE_STRING, .text = texts.items[i]};
        struct value number = {.kind = VALUE_NUMBER, .text = texts.items[i]};
        if (text.text.size == 0 && !compares_with_empty(&patterns))
            continue;
        TRY(element_add(set, question, &text));
        if (has_range(question) && !question->is_text && is_integer(number.text))
            TRY(element_add(set, question, &number));
    }
    static const struct value accented = {.kind = VALUE_STRING, .text = {.data = "\xc3\xa9", .size = 2}};
    static const struct value odd = {.kind = VALUE_MAP};
    if (question->is_template)
        TRY(element_add(set, question, &accented));
    return question->is_text ? ERR_NONE : element_add(set, question, &odd);
}

const struct value *classes_put_value(struct arena *arena, const struct value *map, const struct claim_path *path,
                                      size_t step, const struct value *value)
{
    if (step == path->steps.count)
        return value;
    size_t count = map ? map->count : 0;
    struct value *out = arena_take(arena, sizeof *out), *items = arena_take_array(arena, count + 1, sizeof *items);
    struct view *names = arena_take_array(arena, count + 1, sizeof *names);
    if (!out || !items || !names)
        return NULL;
    size_t at = count;
    for (size_t i = 0; i < count; i++) {
        items[i] = map->items[i];
        names[i] = map->names[i];
        at = view_equals(names[i], path->steps.items[step]) ? i : at;
    }
    const struct value *below = classes_put_value(arena, at < count ? &map->items[at] : NULL, path, step + 1, value);
    if (!below)
        return NULL;
    names[at] = path->steps.items[step];
    items[at] = *below;
    *out = (struct value){.kind = VALUE_MAP, .items = items, .names = names, .count = at < count ? count : count + 1};
    return out;
}

bool classes_paths_cross(const struct claim_path *a, const struct claim_path *b)
{
    size_t shorter = a->steps.count < b->steps.count ? a->steps.count : b->steps.count;
    for (size_t i = 0; i < shorter; i++)
        if (!view_equals(a->steps.items[i], b->steps.items[i]))
            return false;
    return true;
}

static enum err candidate_add(struct value_search *search, const struct value *value)
{
    const struct value_question *question = search->question;
    struct classes *classes = search->classes;
    struct arena scratch = classes_scratch(classes);
    struct signature signature;
    TRY(classes_count(classes));
    const struct value *root =
        value->kind == VALUE_ABSENT ? NULL : classes_put_value(&scratch, NULL, &question->path, 0, value);
    if (value->kind != VALUE_ABSENT && !root)
        return ERR_NO_MEMORY;
    TRY(signature_init(&signature, question->test_count + 2, &scratch));
    for (size_t i = 0; i < question->test_count; i++)
        signature_put(&signature, match_value(&question->path, question->tests[i], root, question->is_claim,
                                              classes->model->max_groups));
    if (question->is_template)
        signature_put(&signature, template_answer(&question->path, root));
    /* The value itself is what the caller is after; facts carry it. */
    struct facts facts = {.metadata = value};
    return class_set_add(&search->set, &signature, &facts);
}

/* The list of the elements in `mask`; of one element that element. */
static const struct value *subset_of(struct arena *arena, const struct class_set *elements, size_t mask)
{
    struct value *list = arena_take(arena, sizeof *list);
    struct value *items = arena_take_array(arena, elements->count + 1, sizeof *items);
    if (!list || !items)
        return NULL;
    size_t taken = 0;
    for (size_t i = 0; i < elements->count; i++)
        if (mask >> i & 1)
            items[taken++] = *elements->items[i].metadata;
    *list = taken == 1 ? items[0] : (struct value){.kind = VALUE_LIST, .items = items, .count = taken};
    return list;
}

enum err classes_values(struct classes *classes, const struct value_question *question, const struct value **out,
                        size_t *count)
{
    static const struct value absent;
    struct value_search search = {.classes = classes, .question = question};
    struct class_set elements;
    TRY(class_set_init(&search.set, classes));
    TRY(elements_of(classes, question, &elements));
    if (!question->is_text && elements.count > ELEMENTS_MAX)
        return classes_refuse(classes, "one claim is compared with too many values");
    TRY(candidate_add(&search, &absent));
    size_t last = question->is_text ? elements.count : (size_t)1 << elements.count;
    for (size_t i = 0; i < last; i++) {
        const struct value *value =
            question->is_text ? elements.items[i].metadata : subset_of(classes->arena, &elements, i);
        if (!value)
            return ERR_NO_MEMORY;
        TRY(candidate_add(&search, value));
    }
    struct value *values = arena_take_array(classes->arena, search.set.count + 1, sizeof *values);
    if (!values)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < search.set.count; i++)
        values[i] = *search.set.items[i].metadata;
    *out = values;
    *count = search.set.count;
    return ERR_NONE;
}
