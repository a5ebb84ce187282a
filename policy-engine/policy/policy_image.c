/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_image.h"

#include "codes.h"
#include "image_tables.h"
#include "program.h"
#include "table.h"

#include <openssl/evp.h>
#include <stdlib.h>

enum {
    MAGIC_BYTES = POLICY_IMAGE_START_BYTES,
    AT_MAJOR = 24,
    AT_MINOR = 26,
    AT_SECTION_COUNT = 28,
    AT_LENGTH = 32,
    AT_RULES = 40,
    AT_ZERO = 44,
    AT_LAYOUT = 48,
    AT_DOCUMENTS = 80,
    AT_TIME_ZONES = 112,
    AT_RELEASE = 144,
    AT_SECTIONS = 176,
    NAME_BYTES = 24,
    SECTION_BYTES = 40,
    DIGEST = POLICY_IMAGE_DIGEST_BYTES,
    WRITE_MAX = 1024 * 1024 * 1024,
};

static const char MAGIC[MAGIC_BYTES] = {'b', 'a', 'r', 't', 'i', 'z', 'a', 'n', ' ', 'p', 'o', 'l',
                                        'i', 'c', 'y', ' ', 'p', 'r', 'o', 'g', 'r', 'a', 'm', '\n'};

_Static_assert(sizeof BARTIZAN_VERSION <= POLICY_IMAGE_RELEASE_BYTES, "a release fits in the head");
_Static_assert((int)IMAGE_SECTIONS_MAX <= (int)POLICY_IMAGE_SECTIONS_MAX, "so do all sections");

/* ---- numbers and digests ------------------------------------------------------------------------- */

static void put_le(char *out, uint64_t number, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out[i] = (char)(number >> 8 * i & 0xff);
}

static uint64_t get_le(struct view bytes, size_t at, size_t size)
{
    uint64_t number = 0;
    for (size_t i = 0; i < size; i++)
        number |= (uint64_t)(unsigned char)bytes.data[at + i] << 8 * i;
    return number;
}

static enum err digest_of(struct view bytes, uint8_t out[DIGEST])
{
    bool is_good = EVP_Digest(bytes.data, bytes.size, out, NULL, EVP_sha256(), NULL) == 1;
    return is_good ? ERR_NONE : ERR_NO_MEMORY;
}

enum err policy_image_layout(uint8_t out[POLICY_IMAGE_DIGEST_BYTES])
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (stream == NULL)
        return ERR_NO_MEMORY;
    image_records_print(stream);
    enum err err = fclose(stream) == 0 ? digest_of((struct view){.data = text, .size = size}, out) : ERR_NO_MEMORY;
    free(text);
    return err;
}

void policy_image_print_layout(FILE *out)
{
    image_records_print(out);
}

static int hex_value(char digit)
{
    return digit >= 'a' ? digit - 'a' + 10 : digit - '0';
}

/* ---- time zones -------------------------------------------------------------------------------------- */

struct zone_set {
    struct table table;
    const struct time_zone **items;
    size_t count;
};

/* The zones of a condition's leaves, each name once. */
static enum err zones_collect(const struct condition *condition, struct arena *arena, struct zone_set *set)
{
    const struct time_zone *zone = condition->parts->time != NULL ? condition->parts->time->zone : NULL;
    for (size_t i = 0; i < condition->child_count; i++)
        TRY(zones_collect(&condition->children[i], arena, set));
    if (zone == NULL)
        return ERR_NONE;
    enum err err = table_put(&set->table, zone->name, 0);
    if (err != ERR_NONE)
        return err == ERR_CONFLICT ? ERR_NONE : err;
    const struct time_zone **items = arena_take_array(arena, set->count + 1, sizeof *items);
    if (items == NULL)
        return ERR_NO_MEMORY;
    if (set->count > 0)
        memcpy(items, set->items, set->count * sizeof *items);
    items[set->count++] = zone;
    set->items = items;
    return ERR_NONE;
}

static int zone_compare(const void *left, const void *right)
{
    const struct time_zone *const *a = left, *const *b = right;
    return view_compare((*a)->name, (*b)->name);
}

static bool digest_number(EVP_MD_CTX *context, int64_t number)
{
    char bytes[8];
    put_le(bytes, (uint64_t)number, sizeof bytes);
    return EVP_DigestUpdate(context, bytes, sizeof bytes) == 1;
}

static bool digest_zone(EVP_MD_CTX *context, const struct time_zone *zone)
{
    bool is_good = digest_number(context, (int64_t)zone->name.size) &&
                   EVP_DigestUpdate(context, zone->name.data, zone->name.size) == 1 &&
                   digest_number(context, zone->repeats_from) && digest_number(context, (int64_t)zone->count);
    for (size_t i = 0; is_good && i < zone->count; i++)
        is_good = digest_number(context, zone->shifts[i].from) && digest_number(context, zone->shifts[i].offset);
    return is_good;
}

static enum err zones_digest(const struct model *model, struct arena *arena, uint8_t out[DIGEST])
{
    struct zone_set set = {.count = 0};
    table_init(&set.table, arena);
    for (size_t i = 0; i < model->rule_count; i++) {
        const struct rule *rule = &model->rules[i];
        if (rule->when != NULL)
            TRY(zones_collect(rule->when, arena, &set));
        if (rule->terms->unless != NULL)
            TRY(zones_collect(rule->terms->unless, arena, &set));
    }
    if (set.count > 0)
        qsort(set.items, set.count, sizeof(const struct time_zone *), zone_compare);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool is_good = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; is_good && i < set.count; i++)
        is_good = digest_zone(context, set.items[i]);
    is_good = is_good && EVP_DigestFinal_ex(context, out, NULL) == 1;
    EVP_MD_CTX_free(context);
    return is_good ? ERR_NONE : ERR_NO_MEMORY;
}

/* ---- the head ------------------------------------------------------------------------------------------ */

bool policy_image_is(struct view bytes)
{
    return view_starts_with(bytes, (struct view){.data = MAGIC, .size = MAGIC_BYTES});
}

/* Text padded with NUL to `room` bytes. */
static bool get_padded(struct view bytes, size_t at, size_t room, struct view *out)
{
    struct view padded = view_slice(bytes, at, at + room);
    if (padded.size != room || room == 0)
        return false;
    *out = view_slice(padded, 0, view_index_of(padded, '\0', 0));
    for (size_t i = out->size; i < room; i++)
        if (padded.data[i] != '\0')
            return false;
    for (size_t i = 0; i < out->size; i++)
        if (out->data[i] < 0x21 || out->data[i] > 0x7e)
            return false;
    return out->size > 0 && out->size < room;
}

static bool get_sections(struct view bytes, struct policy_image_head *out)
{
    uint64_t at = AT_SECTIONS + out->section_count * SECTION_BYTES;
    for (size_t i = 0; i < out->section_count; i++) {
        struct policy_image_section *section = &out->sections[i];
        size_t entry = AT_SECTIONS + i * SECTION_BYTES;
        section->offset = get_le(bytes, entry + NAME_BYTES, 8);
        section->bytes = (uint32_t)get_le(bytes, entry + NAME_BYTES + 8, 4);
        section->rows = (uint32_t)get_le(bytes, entry + NAME_BYTES + 12, 4);
        if (!get_padded(bytes, entry, NAME_BYTES, &section->name) || section->offset != at)
            return false;
        at += section->bytes;
    }
    return at + DIGEST == bytes.size;
}

enum err policy_image_head(struct view bytes, struct policy_image_head *out)
{
    uint8_t digest[DIGEST], layout[DIGEST];
    if (!policy_image_is(bytes) || bytes.size < AT_SECTIONS + DIGEST)
        return ERR_MALFORMED;
    *out = (struct policy_image_head){.major = (uint16_t)get_le(bytes, AT_MAJOR, 2),
                                      .minor = (uint16_t)get_le(bytes, AT_MINOR, 2),
                                      .section_count = get_le(bytes, AT_SECTION_COUNT, 4),
                                      .rule_count = (uint32_t)get_le(bytes, AT_RULES, 4)};
    if (out->major != POLICY_IMAGE_MAJOR)
        return ERR_UNSUPPORTED;
    if (get_le(bytes, AT_LENGTH, 8) != bytes.size || get_le(bytes, AT_ZERO, 4) != 0 ||
        out->section_count > POLICY_IMAGE_SECTIONS_MAX ||
        bytes.size < AT_SECTIONS + out->section_count * SECTION_BYTES + DIGEST || !get_sections(bytes, out) ||
        !get_padded(bytes, AT_RELEASE, POLICY_IMAGE_RELEASE_BYTES, &out->release))
        return ERR_MALFORMED;
    const uint8_t *start = (const uint8_t *)bytes.data;
    out->layout = start + AT_LAYOUT;
    out->documents = start + AT_DOCUMENTS;
    out->time_zones = start + AT_TIME_ZONES;
    out->sha256 = start + bytes.size - DIGEST;
    TRY(digest_of(view_slice(bytes, 0, bytes.size - DIGEST), digest));
    if (memcmp(digest, out->sha256, DIGEST) != 0)
        return ERR_MALFORMED;
    TRY(policy_image_layout(layout));
    out->is_of_this_layout = memcmp(layout, out->layout, DIGEST) == 0;
    return ERR_NONE;
}

/* ---- writing --------------------------------------------------------------------------------------------- */

static enum err put_head(const struct policy *policy, const struct image_tables *tables, struct arena *work,
                         uint64_t size, char *out)
{
    uint64_t at = AT_SECTIONS + tables->count * SECTION_BYTES;
    memcpy(out, MAGIC, MAGIC_BYTES);
    put_le(out + AT_MAJOR, POLICY_IMAGE_MAJOR, 2);
    put_le(out + AT_MINOR, POLICY_IMAGE_MINOR, 2);
    put_le(out + AT_SECTION_COUNT, tables->count, 4);
    put_le(out + AT_LENGTH, size, 8);
    put_le(out + AT_RULES, policy->model.rule_count, 4);
    TRY(policy_image_layout((uint8_t *)out + AT_LAYOUT));
    for (size_t i = 0; i < DIGEST; i++)
        out[AT_DOCUMENTS + i] = (char)(hex_value(policy->digest[2 * i]) << 4 | hex_value(policy->digest[2 * i + 1]));
    TRY(zones_digest(&policy->model, work, (uint8_t *)out + AT_TIME_ZONES));
    memcpy(out + AT_RELEASE, BARTIZAN_VERSION, sizeof BARTIZAN_VERSION - 1);
    for (size_t i = 0; i < tables->count; i++) {
        const struct image_section *section = &tables->sections[i];
        char *entry = out + AT_SECTIONS + i * SECTION_BYTES;
        struct view name = image_section_name(i);
        memcpy(entry, name.data, name.size);
        put_le(entry + NAME_BYTES, at, 8);
        put_le(entry + NAME_BYTES + 8, section->bytes.size, 4);
        put_le(entry + NAME_BYTES + 12, section->rows, 4);
        memcpy(out + at, section->bytes.data, section->bytes.size);
        at += section->bytes.size;
    }
    return ERR_NONE;
}

/* What was written is read as a stranger would, so that no file is ever made that is refused later. */
static enum err prove(struct view image)
{
    struct arena arena;
    struct diag_list diags;
    struct policy *policy = NULL;
    arena_init(&arena, 1 << 20);
    diag_list_init(&diags, &arena);
    enum err err = policy_image_read(VIEW("image"), image, &diags, &policy);
    policy_free(policy);
    arena_free(&arena);
    return err == ERR_INVALID ? ERR_LIMIT : err;
}

static enum err write_image(const struct policy *policy, struct arena *work, struct arena *arena, struct view *out)
{
    struct image_tables tables;
    TRY(image_tables_write(policy, work, &tables));
    uint64_t size = AT_SECTIONS + tables.count * SECTION_BYTES + DIGEST;
    for (size_t i = 0; i < tables.count; i++)
        size += tables.sections[i].bytes.size;
    if (size > POLICY_IMAGE_BYTES_MAX)
        return ERR_LIMIT;
    char *bytes = arena_take(arena, size);
    if (bytes == NULL)
        return ERR_NO_MEMORY;
    TRY(put_head(policy, &tables, work, size, bytes));
    *out = (struct view){.data = bytes, .size = size};
    return digest_of(view_slice(*out, 0, size - DIGEST), (uint8_t *)bytes + size - DIGEST);
}

enum err policy_image_write(const struct policy *policy, struct arena *arena, struct view *out)
{
    struct arena work;
    struct view image = {0};
    arena_init(&work, WRITE_MAX);
    enum err err = write_image(policy, &work, arena, &image);
    arena_free(&work);
    if (err == ERR_NONE)
        err = prove(image);
    if (err == ERR_NONE)
        *out = image;
    return err;
}

/* ---- reading ----------------------------------------------------------------------------------------------- */

static enum err refuse(struct diag_list *diags, struct view name, enum code code, struct view message, const char *hint)
{
    struct diag diag = {.severity = DIAG_ERROR,
                        .code = view_of(code_text(code)),
                        .span = {.file = name},
                        .message = message,
                        .hint = view_of(hint)};
    diag_add(diags, &diag);
    return ERR_INVALID;
}

static const char *const AGAIN = "compile it again from its documents";

static enum err refuse_head(struct diag_list *diags, struct view name, struct view bytes, enum err err)
{
    if (err == ERR_UNSUPPORTED)
        return refuse(diags, name, CODE_IMAGE_LAYOUT,
                      arena_print(diags->arena, "a compiled policy of format %u; this release (%s) reads %d",
                                  (unsigned)get_le(bytes, AT_MAJOR, 2), BARTIZAN_VERSION, POLICY_IMAGE_MAJOR),
                      AGAIN);
    return refuse(diags, name, CODE_IMAGE,
                  arena_print(diags->arena, "not a whole compiled policy: %s",
                              policy_image_is(bytes) ? "it is cut off, or was changed after it was written"
                                                     : "it does not begin as one"),
                  "fetch or copy it again");
}

static struct view short_hex(struct arena *arena, const uint8_t *digest)
{
    return arena_print(arena, "%02x%02x%02x%02x%02x%02x", digest[0], digest[1], digest[2], digest[3], digest[4],
                       digest[5]);
}

static enum err refuse_layout(struct diag_list *diags, struct view name, const struct policy_image_head *head)
{
    uint8_t own[DIGEST];
    TRY(policy_image_layout(own));
    return refuse(diags, name, CODE_IMAGE_LAYOUT,
                  arena_print(diags->arena,
                              "compiled by release %.*s, layout %.*s; this release (%s) reads layout %.*s",
                              VIEW_ARG(head->release), VIEW_ARG(short_hex(diags->arena, head->layout)),
                              BARTIZAN_VERSION, VIEW_ARG(short_hex(diags->arena, own))),
                  AGAIN);
}

static enum err refuse_fault(struct diag_list *diags, struct view name, const struct image_fault *fault)
{
    const char *problem = fault->problem != NULL ? fault->problem : "its tables do not fit together";
    struct view place = VIEW("");
    if (fault->record != NULL)
        place = arena_print(diags->arena, " (%s, row %u%s%s)", fault->record, fault->row,
                            fault->field != NULL ? ", " : "", fault->field != NULL ? fault->field : "");
    return refuse(diags, name, CODE_IMAGE,
                  arena_print(diags->arena, "no compiler wrote this policy: %s%.*s", problem, VIEW_ARG(place)), AGAIN);
}

static bool tables_of(struct view bytes, const struct policy_image_head *head, struct image_tables *out)
{
    out->count = head->section_count;
    for (size_t i = 0; i < head->section_count; i++) {
        const struct policy_image_section *section = &head->sections[i];
        if (!view_equals(section->name, image_section_name(i)))
            return false;
        out->sections[i] = (struct image_section){
            .bytes = view_slice(bytes, section->offset, section->offset + section->bytes), .rows = section->rows};
    }
    return !view_is_present(image_section_name(head->section_count));
}

/* The head's own figures are those of what it stands before. */
static enum err head_fits(const struct policy_image_head *head, const struct policy *policy, struct image_fault *fault)
{
    struct arena work;
    uint8_t zones[DIGEST] = {0};
    arena_init(&work, WRITE_MAX);
    enum err err = zones_digest(&policy->model, &work, zones);
    arena_free(&work);
    TRY(err);
    if (head->rule_count == policy->model.rule_count && memcmp(zones, head->time_zones, DIGEST) == 0)
        return ERR_NONE;
    *fault = (struct image_fault){.problem = "its head speaks of other rules or time zones"};
    return ERR_MALFORMED;
}

static enum err fill(const struct policy_image_head *head, struct view bytes, struct diag_list *diags,
                     struct policy *policy, struct image_fault *fault)
{
    struct image_tables tables;
    if (!tables_of(bytes, head, &tables))
        return ERR_MALFORMED;
    TRY(image_tables_read(&tables, policy, fault));
    TRY(image_check(policy, fault));
    TRY(head_fits(head, policy, fault));
    for (size_t i = 0; i < DIGEST; i++) {
        policy->digest[2 * i] = "0123456789abcdef"[head->documents[i] >> 4];
        policy->digest[2 * i + 1] = "0123456789abcdef"[head->documents[i] & 15];
    }
    TRY(policy_issuers_make(policy));
    return program_build(&policy->model, &policy->arena, diags, &policy->program);
}

enum err policy_image_read(struct view name, struct view bytes, struct diag_list *diags, struct policy **out)
{
    struct policy_image_head head;
    struct image_fault fault = {0};
    enum err err = policy_image_head(bytes, &head);
    if (err == ERR_NO_MEMORY)
        return err;
    if (err != ERR_NONE)
        return refuse_head(diags, name, bytes, err);
    if (!head.is_of_this_layout)
        return refuse_layout(diags, name, &head);
    struct policy *policy = policy_open();
    if (policy == NULL)
        return ERR_NO_MEMORY;
    err = fill(&head, bytes, diags, policy, &fault);
    if (err == ERR_NONE) {
        *out = policy;
        return ERR_NONE;
    }
    policy_free(policy);
    return err == ERR_MALFORMED || err == ERR_LIMIT ? refuse_fault(diags, name, &fault) : err;
}
