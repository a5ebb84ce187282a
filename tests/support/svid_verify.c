/* SPDX-License-Identifier: Apache-2.0 */
/* Verifies X.509-SVIDs for tests/judges: JSON Lines in and out.
 *   {"chain": [PEM...], "bundles": {DOMAIN: [PEM...]}, "time": UNIX}  ->  {"reason": NAME, "id": ID}
 * The reason is "none" for an accepted one, "bundle" where the bundle itself is refused. */
#include "x509_svid.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

enum { DOMAINS_MAX = 8 };

/* The texts one behind the other; freed by free(). */
static char *join(const json_t *texts)
{
    size_t i, size = 0;
    json_t *text;
    char *out = calloc(1, 1);
    json_array_foreach(texts, i, text)
    {
        size_t more = json_string_length(text);
        out = realloc(out, size + more + 1);
        if (!out)
            abort();
        memcpy(out + size, json_string_value(text), more + 1);
        size += more;
    }
    return out;
}

static enum err build(const json_t *bundles, struct diag_list *diags, struct trust_bundles **out)
{
    struct trust_bundle_source sources[DOMAINS_MAX];
    char *texts[DOMAINS_MAX];
    size_t count = 0;
    const char *name;
    json_t *list;
    json_object_foreach((json_t *)(uintptr_t)bundles, name, list)
    {
        if (count == DOMAINS_MAX)
            abort();
        texts[count] = json_array_size(list) > 0 ? join(list) : strdup("{\"keys\": []}");
        sources[count] = (struct trust_bundle_source){
            .trust_domain = view_of(name), .file = VIEW("bundle"), .text = view_of(texts[count]), .generation = 1};
        count++;
    }
    enum err result = trust_bundles_build(sources, count, diags, out);
    for (size_t i = 0; i < count; i++)
        free(texts[i]);
    return result;
}

static void answer(const json_t *question)
{
    struct arena arena;
    struct diag_list diags;
    struct trust_bundles *bundles = NULL;
    struct x509_svid svid = {0};
    struct view name = VIEW("bundle");
    arena_init(&arena, 1024 * 1024);
    diag_list_init(&diags, &arena);
    if (build(json_object_get(question, "bundles"), &diags, &bundles) == ERR_NONE) {
        char *chain = join(json_object_get(question, "chain"));
        int64_t now = json_integer_value(json_object_get(question, "time"));
        name = reason_info(x509_svid_verify((struct view){0}, view_of(chain), bundles, now, &svid))->name;
        free(chain);
        trust_bundles_free(bundles);
    }
    json_t *out = json_pack("{s:s%}", "reason", name.data, name.size);
    if (view_is_present(svid.id.text))
        (void)json_object_set_new(out, "id", json_stringn(svid.id.text.data, svid.id.text.size));
    if (json_dumpf(out, stdout, JSON_COMPACT) != 0)
        abort();
    (void)putchar('\n');
    json_decref(out);
    arena_free(&arena);
}

int main(void)
{
    json_error_t fault;
    json_t *question;
    while ((question = json_loadf(stdin, JSON_DISABLE_EOF_CHECK, &fault)) != NULL) {
        answer(question);
        json_decref(question);
    }
    return feof(stdin) ? 0 : 1;
}
