/* SPDX-License-Identifier: Apache-2.0 */
#include "path_pattern.h"

static enum err refuse(const char **problem, const char *text)
{
    *problem = text;
    return ERR_MALFORMED;
}

static bool is_name_byte(char c, bool is_first)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || (!is_first && c >= '0' && c <= '9');
}

static bool is_verb_byte(char c)
{
    return is_name_byte(c, false) || c == '-' || c == '.';
}

size_t path_pattern_variable(const struct path_pattern *pattern, struct view name)
{
    size_t index = 0;
    for (size_t i = 0; i < pattern->segment_count; i++) {
        if (pattern->segments[i].kind != PATTERN_VARIABLE)
            continue;
        if (view_equals(pattern->segments[i].text, name))
            return index;
        index++;
    }
    return pattern->variable_count;
}

static enum err verb_parse(struct view suffix, bool is_last, struct path_pattern *out, const char **problem)
{
    if (suffix.data[0] != ':' || suffix.size == 1)
        return refuse(problem, "after a variable only `:verb` may follow in the same segment");
    if (!is_last)
        return refuse(problem, "a `:verb` suffix stands on the last segment only");
    for (size_t i = 1; i < suffix.size; i++)
        if (!is_verb_byte(suffix.data[i]))
            return refuse(problem, "a verb is made of letters, digits, `_`, `-` and `.`");
    out->verb = view_slice(suffix, 1, suffix.size);
    return ERR_NONE;
}

static enum err name_parse(struct view name, const struct path_pattern *out, struct pattern_segment *segment,
                           const char **problem)
{
    for (size_t i = 0; i < name.size; i++)
        if (!is_name_byte(name.data[i], i == 0))
            return refuse(problem, "a variable is a letter or `_`, then letters, digits and `_`");
    if (path_pattern_variable(out, name) != out->variable_count)
        return refuse(problem, "two variables have the same name");
    if (out->variable_count == PATTERN_VARIABLES_MAX)
        return refuse(problem, "at most 8 variables");
    segment->kind = PATTERN_VARIABLE;
    segment->text = name;
    return ERR_NONE;
}

static enum err operator_parse(struct view text, bool is_last, struct path_pattern *out,
                               struct pattern_segment *segment, const char **problem)
{
    size_t close = view_index_of(text, '}', 0);
    if (close == text.size)
        return refuse(problem, "a `{` is not closed");
    struct view name = view_slice(text, 1, close);
    struct view suffix = view_slice(text, close + 1, text.size);
    if (name.size == 0)
        return refuse(problem, "`{}` names nothing; write `{*}`, `{**}` or `{name}`");
    bool is_any = view_equals(name, VIEW("*")), is_rest = view_equals(name, VIEW("**"));
    if ((is_any || is_rest) && suffix.size != 0)
        return refuse(problem, "a suffix needs a named variable");
    if (is_rest && !is_last)
        return refuse(problem, "`{**}` stands last only");
    if (is_any || is_rest) {
        segment->kind = is_any ? PATTERN_ANY : PATTERN_REST;
        return ERR_NONE;
    }
    TRY(name_parse(name, out, segment, problem));
    return suffix.size == 0 ? ERR_NONE : verb_parse(suffix, is_last, out, problem);
}

/* The same canonical form is asked of a literal as of a request: otherwise the
 * pattern would be a path that no request can ever have. */
static enum err literal_parse(struct view text, bool is_last, struct arena *arena, struct pattern_segment *segment,
                              const char **problem)
{
    if (text.size == 0 && !is_last)
        return refuse(problem, "`//` is never a canonical path");
    if (view_index_of(text, '{', 0) != text.size || view_index_of(text, '}', 0) != text.size)
        return refuse(problem, "`{` and `}` enclose a whole segment");
    if (view_index_of(text, '*', 0) != text.size)
        return refuse(problem, "`*` is written `{*}` or `{**}`");
    struct request_path path;
    char target[PATH_SEGMENT_BYTES_MAX + 1];
    if (text.size > PATH_SEGMENT_BYTES_MAX)
        return refuse(problem, "a segment is over 255 bytes");
    target[0] = '/';
    if (text.size > 0)
        memcpy(target + 1, text.data, text.size);
    struct view whole = {.data = target, .size = text.size + 1};
    if (request_path_parse(whole, PATH_STRICT, true, &path) != REASON_NONE || path.has_encoded_slash ||
        view_is_present(path.query))
        return refuse(problem, "a literal segment is not canonical: no request could have it");
    segment->kind = PATTERN_LITERAL;
    segment->text = text;
    if (view_index_of(text, '%', 0) == text.size)
        return ERR_NONE;
    char *decoded = arena_take(arena, text.size + 1);
    if (!decoded)
        return ERR_NO_MEMORY;
    segment->text = (struct view){.data = decoded, .size = request_path_decode(text, decoded)};
    return ERR_NONE;
}

enum err path_pattern_parse(struct view text, struct arena *arena, struct path_pattern *out, const char **problem)
{
    *problem = "out of memory";
    if (text.size == 0 || text.data[0] != '/')
        return refuse(problem, "a path begins with `/`");
    if (text.size > PATTERN_BYTES_MAX) {
        *problem = "a path template is over 1024 bytes";
        return ERR_LIMIT;
    }
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++)
        count += text.data[i] == '/';
    if (count > PATH_SEGMENTS_MAX) {
        *problem = "a path template has more than 64 segments";
        return ERR_LIMIT;
    }
    struct pattern_segment *segments = arena_take_words(arena, count, sizeof *segments);
    struct path_pattern pattern = {.text = text, .segments = segments};
    if (!segments)
        return ERR_NO_MEMORY;
    for (size_t from = 1; pattern.segment_count < count; pattern.segment_count++) {
        size_t to = view_index_of(text, '/', from);
        struct view part = view_slice(text, from, to);
        bool is_last = pattern.segment_count + 1 == count;
        struct pattern_segment *segment = &segments[pattern.segment_count];
        if (part.size > 0 && part.data[0] == '{')
            TRY(operator_parse(part, is_last, &pattern, segment, problem));
        else
            TRY(literal_parse(part, is_last, arena, segment, problem));
        pattern.variable_count += segment->kind == PATTERN_VARIABLE;
        from = to + 1;
    }
    *out = pattern;
    *problem = NULL;
    return ERR_NONE;
}

/* Takes `:verb` off the end of `segment`; something must be left for the variable. */
static bool verb_strip(struct view verb, struct view *segment)
{
    if (!view_is_present(verb))
        return true;
    if (segment->size < verb.size + 2 || !view_ends_with(*segment, verb) ||
        segment->data[segment->size - verb.size - 1] != ':')
        return false;
    segment->size -= verb.size + 1;
    return true;
}

bool path_pattern_matches(const struct path_pattern *pattern, const struct view *segments, size_t count,
                          struct pattern_captures *captures)
{
    size_t variable = 0;
    for (size_t i = 0; i < pattern->segment_count; i++) {
        const struct pattern_segment *want = &pattern->segments[i];
        if (want->kind == PATTERN_REST)
            return true;
        if (i == count)
            return false;
        struct view have = segments[i];
        if (i + 1 == pattern->segment_count && !verb_strip(pattern->verb, &have))
            return false;
        if (want->kind == PATTERN_LITERAL ? !view_equals(want->text, have) : have.size == 0)
            return false;
        if (want->kind == PATTERN_VARIABLE && captures)
            captures->values[variable] = have;
        variable += want->kind == PATTERN_VARIABLE;
    }
    return count == pattern->segment_count;
}

static bool segments_overlap(const struct path_pattern *a, size_t i, const struct path_pattern *b)
{
    const struct pattern_segment *x = &a->segments[i], *y = &b->segments[i];
    if (x->kind != PATTERN_LITERAL && y->kind != PATTERN_LITERAL)
        return true;
    if (x->kind == PATTERN_LITERAL && y->kind == PATTERN_LITERAL)
        return view_equals(x->text, y->text);
    struct view literal = x->kind == PATTERN_LITERAL ? x->text : y->text;
    const struct path_pattern *open = x->kind == PATTERN_LITERAL ? b : a;
    if (i + 1 == open->segment_count && !verb_strip(open->verb, &literal))
        return false;
    return literal.size > 0;
}

bool path_pattern_overlaps(const struct path_pattern *a, const struct path_pattern *b)
{
    for (size_t i = 0;; i++) {
        bool a_ends = i == a->segment_count, b_ends = i == b->segment_count;
        if ((!a_ends && a->segments[i].kind == PATTERN_REST) || (!b_ends && b->segments[i].kind == PATTERN_REST))
            return true;
        if (a_ends || b_ends)
            break;
        if (!segments_overlap(a, i, b))
            return false;
    }
    if (a->segment_count != b->segment_count)
        return false;
    /* A verb holds no colon, so no segment ends in two different ones. */
    return !view_is_present(a->verb) || !view_is_present(b->verb) || view_equals(a->verb, b->verb);
}
