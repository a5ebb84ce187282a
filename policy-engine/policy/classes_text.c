/* SPDX-License-Identifier: Apache-2.0 */
#include "classes_text.h"

#include "table.h"

enum { STATES_MAX = 32768, ANY_BYTES = 256, ONE_BYTE = 257 };

/* All patterns, one after another: element i is a byte, ANY_BYTES or ONE_BYTE; each
 * pattern ends in a place of its own, where `ends` is set. */
struct automaton {
    const uint16_t *elements;
    const bool *ends;
    size_t places; /* elements and ends */
    size_t bytes;  /* of a set of places */
};

struct state {
    const unsigned char *places; /* a set, a bit each */
    struct view text;            /* the shortest that leads here */
};

static bool set_has(const unsigned char *set, size_t i)
{
    return set[i / 8] >> i % 8 & 1;
}

/* With what stands behind an ANY_BYTES that may be nothing. */
static void set_add(const struct automaton *automaton, unsigned char *set, size_t i)
{
    set[i / 8] |= (unsigned char)(1u << i % 8);
    for (; !automaton->ends[i] && automaton->elements[i] == ANY_BYTES; i++)
        set[(i + 1) / 8] |= (unsigned char)(1u << (i + 1) % 8);
}

static size_t pattern_write(const struct text_pattern *pattern, uint16_t *elements)
{
    size_t count = 0;
    bool opens = pattern->kind == TEXT_SUFFIX || pattern->kind == TEXT_CONTAINS || pattern->kind == TEXT_UNDER;
    if (pattern->kind == TEXT_UNDER)
        elements[count++] = ONE_BYTE;
    if (opens)
        elements[count++] = ANY_BYTES;
    for (size_t i = 0; i < pattern->text.size; i++) {
        unsigned char c = (unsigned char)pattern->text.data[i];
        elements[count++] = pattern->kind == TEXT_GLOB && c == '*' ? ANY_BYTES : c;
    }
    if (pattern->kind == TEXT_PREFIX || pattern->kind == TEXT_CONTAINS)
        elements[count++] = ANY_BYTES;
    return count;
}

static enum err automaton_build(const struct text_pattern *patterns, size_t count, struct arena *arena,
                                struct automaton *out, unsigned char **start)
{
    size_t room = 0, at = 0;
    for (size_t i = 0; i < count; i++)
        room += patterns[i].text.size + 4;
    uint16_t *elements = arena_take_array(arena, room + 1, sizeof *elements);
    bool *ends = arena_take_array(arena, room + 1, sizeof *ends);
    *start = arena_take_array(arena, room / 8 + 1, 1);
    size_t *begins = arena_take_array(arena, count + 1, sizeof *begins);
    if (!elements || !ends || !*start || !begins)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        begins[i] = at;
        at += pattern_write(&patterns[i], elements + at);
        ends[at++] = true;
    }
    *out = (struct automaton){.elements = elements, .ends = ends, .places = at, .bytes = at / 8 + 1};
    for (size_t i = 0; i < count; i++)
        set_add(out, *start, begins[i]);
    return ERR_NONE;
}

/* The bytes that patterns name, and before them one that none does. False: there is no such one. */
static bool alphabet_of(const struct automaton *automaton, unsigned char *out, size_t *count)
{
    static const char unnamed[] = "xyzwvutsrqponmlkjihgfedcba0123456789XYZWVUTSRQPONMLKJIHGFEDCBA-_";
    bool is_named[256] = {false};
    *count = 1;
    for (size_t i = 0; i < automaton->places; i++)
        if (!automaton->ends[i] && automaton->elements[i] < 256 && !is_named[automaton->elements[i]]) {
            is_named[automaton->elements[i]] = true;
            out[(*count)++] = (unsigned char)automaton->elements[i];
        }
    for (size_t i = 0; i + 1 < sizeof unnamed; i++)
        if (!is_named[(unsigned char)unnamed[i]]) {
            out[0] = (unsigned char)unnamed[i];
            return true;
        }
    return false;
}

/* Where `byte` leads from `from`. */
static const unsigned char *step(const struct automaton *automaton, const unsigned char *from, unsigned char byte,
                                 struct arena *arena)
{
    unsigned char *to = arena_take(arena, automaton->bytes);
    for (size_t i = 0; to && i < automaton->places; i++) {
        if (!set_has(from, i) || automaton->ends[i])
            continue;
        uint16_t element = automaton->elements[i];
        if (element == ANY_BYTES)
            set_add(automaton, to, i);
        else if (element == ONE_BYTE || element == byte)
            set_add(automaton, to, i + 1);
    }
    return to;
}

/* The ends that a set holds: which patterns fit. */
static struct view fits_of(const struct automaton *automaton, const unsigned char *set, struct arena *arena)
{
    unsigned char *fits = arena_take(arena, automaton->bytes);
    for (size_t i = 0; fits && i < automaton->places; i++)
        if (automaton->ends[i] && set_has(set, i))
            fits[i / 8] |= (unsigned char)(1u << i % 8);
    return (struct view){.data = (const char *)fits, .size = fits ? automaton->bytes : 0};
}

struct search {
    struct automaton automaton;
    struct arena *arena;
    struct table seen, classes;
    struct state *states;
    struct view *texts; /* as many as there are states, at most */
    size_t state_count, text_count, room;
};

static enum err room_make(struct search *search)
{
    if (search->state_count < search->room)
        return ERR_NONE;
    if (search->room >= STATES_MAX)
        return ERR_LIMIT;
    size_t room = search->room > 0 ? search->room * 2 : 64;
    struct state *states = arena_take_array(search->arena, room, sizeof *states);
    struct view *texts = arena_take_array(search->arena, room, sizeof *texts);
    if (!states || !texts)
        return ERR_NO_MEMORY;
    if (search->room > 0) {
        memcpy(states, search->states, search->state_count * sizeof *states);
        memcpy(texts, search->texts, search->text_count * sizeof *texts);
    }
    search->states = states;
    search->texts = texts;
    search->room = room;
    return ERR_NONE;
}

static enum err state_add(struct search *search, const unsigned char *places, struct view text)
{
    if (!places || !view_is_present(text))
        return ERR_NO_MEMORY;
    struct view key = {.data = (const char *)places, .size = search->automaton.bytes};
    enum err err = table_put(&search->seen, key, 0);
    if (err == ERR_CONFLICT)
        return ERR_NONE;
    TRY(err);
    TRY(room_make(search));
    search->states[search->state_count++] = (struct state){.places = places, .text = text};
    struct view fits = fits_of(&search->automaton, places, search->arena);
    if (!view_is_present(fits))
        return ERR_NO_MEMORY;
    err = table_put(&search->classes, fits, 0);
    if (err == ERR_NONE)
        search->texts[search->text_count++] = text;
    return err == ERR_CONFLICT ? ERR_NONE : err;
}

enum err text_classes(const struct text_pattern *patterns, size_t count, struct arena *arena, struct string_list *out)
{
    struct search search = {.arena = arena};
    unsigned char alphabet[257], *start;
    size_t letters;
    TRY(automaton_build(patterns, count, arena, &search.automaton, &start));
    table_init(&search.seen, arena);
    table_init(&search.classes, arena);
    if (!alphabet_of(&search.automaton, alphabet, &letters))
        return ERR_LIMIT;
    TRY(state_add(&search, start, VIEW("")));
    for (size_t i = 0; i < search.state_count; i++)
        for (size_t k = 0; k < letters; k++) {
            struct view text = search.states[i].text;
            char *longer = arena_take(arena, text.size + 1);
            if (!longer)
                return ERR_NO_MEMORY;
            if (text.size > 0)
                memcpy(longer, text.data, text.size);
            longer[text.size] = (char)alphabet[k];
            TRY(state_add(&search, step(&search.automaton, search.states[i].places, alphabet[k], arena),
                          (struct view){.data = longer, .size = text.size + 1}));
        }
    *out = (struct string_list){.items = search.texts, .count = search.text_count};
    return ERR_NONE;
}
