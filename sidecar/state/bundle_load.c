/* SPDX-License-Identifier: Apache-2.0 */
#include "bundle_load.h"

#include "bundle_map.h"

#include <stdlib.h>

/* A file that several domains may name: read once, so that all of them see one version of it. */
struct map_file {
    const char *path;
    enum err error;   /* why it is not taken */
    struct view text; /* absent: it is not there */
    struct bundle_map map;
};

/* The load of one domain. */
struct job {
    const struct trust_domain_config *domain;
    const struct domain_state *before; /* NULL at the start */
    struct domain_state *state;
    struct trust_bundle_source source;
    struct trust_bundle *bundle; /* a reference of its own; NULL: none yet */
    enum err error;              /* why it is not taken */
};

struct work {
    struct bundle_load *load;
    struct job *jobs;
    size_t count;
    struct map_file *maps;
    size_t map_count;
};

/* ---- reading ------------------------------------------------------------- */

static enum err parse_map(const struct bundle_load *load, struct map_file *file)
{
    struct bundle_document_error error = {0};
    enum err e = bundle_map_parse(file->text, load->reader.arena, &file->map, &error);
    if (e != ERR_MALFORMED && e != ERR_LIMIT)
        return e;
    struct span span = {.file = view_of(file->path), .line = error.line};
    diag_error(load->reader.diags, "E0911", &span, "%s", error.message);
    return ERR_INVALID;
}

/* The map at `path`, which is read when the first domain names it. */
static const struct map_file *read_map(struct work *work, const char *path)
{
    for (size_t i = 0; i < work->map_count; i++)
        if (strcmp(work->maps[i].path, path) == 0)
            return &work->maps[i];
    struct map_file *file = &work->maps[work->map_count++];
    file->path = path;
    file->error = source_file_read(&work->load->reader, path, true, &file->text);
    if (file->error == ERR_NONE && view_is_present(file->text))
        file->error = parse_map(work->load, file);
    return file;
}

/* The domain's document in its map. One that is left out is trusted no more; its state is that of an empty text, which
 * no document has. */
static enum err read_map_entry(struct work *work, struct job *job, const struct source_state *before)
{
    const struct source_reader *reader = &work->load->reader;
    const struct map_file *file = read_map(work, job->domain->bundle);
    TRY(file->error);
    if (!view_is_present(file->text) && !job->domain->is_owned_by_feed)
        return source_file_complain(reader, job->domain->bundle, ERR_NOT_FOUND);
    const struct bundle_map_entry *entry = bundle_map_find(&file->map, job->domain->name);
    struct trust_bundle_source *source = &job->source;
    source->is_left_out = view_is_present(file->text) && entry == NULL;
    source->text = entry != NULL ? entry->document : (struct view){0};
    source->line = entry != NULL ? entry->line : 0;
    return source_file_mark(reader, source->is_left_out ? VIEW("") : source->text, before, &job->state->text);
}

static enum err read_bundle(struct work *work, struct job *job)
{
    const struct source_reader *reader = &work->load->reader;
    const struct source_state *before = job->before != NULL ? &job->before->text : NULL;
    job->source.trust_domain = job->domain->name;
    job->source.file = view_of(job->domain->bundle);
    job->state->text.is_stale = job->domain->is_from_workload_api && work->load->feed.left_ns[WORKLOAD_X509] == 0;
    if (job->state->text.is_stale)
        return source_file_mark(reader, (struct view){0}, before, &job->state->text);
    if (job->domain->is_map)
        return read_map_entry(work, job, before);
    TRY(source_file_read(reader, job->domain->bundle, job->domain->is_owned_by_feed, &job->source.text));
    return source_file_mark(reader, job->source.text, before, &job->state->text);
}

/* A change to bundle or lists makes what rested on them be judged again. */
static enum err read_domain(struct work *work, struct job *job)
{
    const struct source_reader *reader = &work->load->reader;
    const struct trust_domain_config *domain = job->domain;
    struct trust_bundle_source *source = &job->source;
    TRY(read_bundle(work, job));
    source->generation = job->state->text.generation;
    if (domain->crl == NULL)
        return ERR_NONE;
    source->has_crls = true;
    source->crl_file = view_of(domain->crl);
    source->crls = (struct x509_path_crls){.accepts_missing = domain->accepts_missing_crl,
                                           .accepts_expired = domain->accepts_expired_crl};
    TRY(source_file_read(reader, domain->crl, domain->crl_is_from_workload_api, &source->crl_text));
    struct source_state *lists = &job->state->lists;
    TRY(source_file_mark(reader, source->crl_text, job->before != NULL ? &job->before->lists : NULL, lists));
    if (lists->generation > source->generation)
        source->generation = lists->generation;
    return ERR_NONE;
}

/* ---- judging ------------------------------------------------------------- */

static struct trust_bundle *bundle_before(const struct bundle_load *load, const struct job *job)
{
    return load->before != NULL ? trust_bundles_find(load->before, job->domain->name) : NULL;
}

/* An older list would make a certificate good again that a newer one has revoked. Each message of the Workload API is
 * the full state, of which nothing older is kept. */
static enum err check_lists(const struct bundle_load *load, const struct job *job)
{
    const struct trust_bundle *before = bundle_before(load, job);
    if (before == NULL || job->domain->crl == NULL || job->domain->crl_is_from_workload_api ||
        !crl_set_is_older(trust_bundle_crls(job->bundle), trust_bundle_crls(before), load->now))
        return ERR_NONE;
    struct span span = {.file = view_of(job->domain->crl)};
    diag_error(load->reader.diags, "E0906", &span,
               "a list that is in force is gone or would be replaced by an older one");
    return ERR_STALE;
}

/* An older bundle would trust an authority again that a newer one has dropped. Leaving a map trusts nobody. */
static enum err check_sequence(const struct bundle_load *load, const struct job *job)
{
    uint64_t sequence = trust_bundle_facts(job->bundle)->sequence, *floor = &job->state->floor;
    if (!trust_bundle_is_loaded(job->bundle) || trust_bundle_is_left_out(job->bundle))
        return ERR_NONE;
    if (sequence < *floor) {
        struct span span = {.file = view_of(job->domain->bundle), .line = job->source.line};
        diag_error(load->reader.diags, "E0905", &span,
                   "spiffe_sequence %llu of `%.*s` is older than %llu, which was in force",
                   (unsigned long long)sequence, VIEW_ARG(job->domain->name), (unsigned long long)*floor);
        return ERR_STALE;
    }
    *floor = sequence;
    return ERR_NONE;
}

static bool is_unchanged(const struct job *job)
{
    return job->before != NULL && source_file_is_same(&job->before->text, &job->state->text) &&
           source_file_is_same(&job->before->lists, &job->state->lists);
}

/* A refresh that changes no authority leaves what was verified by them known. */
static void keep_generation(const struct bundle_load *load, struct job *job)
{
    const struct trust_bundle *before = bundle_before(load, job);
    if (job->before == NULL || before == NULL ||
        memcmp(trust_bundle_digest(before), trust_bundle_digest(job->bundle), SHA256_BYTES) != 0)
        return;
    trust_bundle_keep_generation(job->bundle, trust_bundle_generation(before));
    job->state->text.generation = job->before->text.generation;
    job->state->lists.generation = job->before->lists.generation;
}

static enum err build_domain(const struct bundle_load *load, struct job *job)
{
    if (job->before != NULL)
        job->state->floor = job->before->floor;
    if (is_unchanged(job)) {
        job->bundle = trust_bundle_hold(bundle_before(load, job));
        return ERR_NONE;
    }
    TRY(trust_bundle_build(&job->source, load->reader.diags, &job->bundle));
    keep_generation(load, job);
    TRY(check_lists(load, job));
    return check_sequence(load, job);
}

/* One broken document refuses its whole map. */
static void refuse_siblings(struct work *work, const struct job *broken)
{
    for (size_t i = 0; i < work->count && broken->domain->is_map; i++) {
        struct job *job = &work->jobs[i];
        if (job->error == ERR_NONE && job->domain->is_map && strcmp(job->domain->bundle, broken->domain->bundle) == 0)
            job->error = broken->error;
    }
}

/* What was in force in place of what is refused. */
static void fall_back(const struct bundle_load *load, struct job *job)
{
    trust_bundle_drop(job->bundle);
    memcpy(job->state, job->before, sizeof *job->state);
    job->bundle = trust_bundle_hold(bundle_before(load, job));
}

/* The first error; ERR_NO_MEMORY before any. */
static enum err run_jobs(struct work *work)
{
    enum err first = ERR_NONE;
    for (size_t i = 0; i < work->count; i++) {
        struct job *job = &work->jobs[i];
        job->error = read_domain(work, job);
        if (job->error == ERR_NONE)
            job->error = build_domain(work->load, job);
        if (job->error == ERR_NO_MEMORY)
            return ERR_NO_MEMORY;
        first = first == ERR_NONE ? job->error : first;
    }
    for (size_t i = 0; i < work->count; i++)
        if (work->jobs[i].error != ERR_NONE)
            refuse_siblings(work, &work->jobs[i]);
    for (size_t i = 0; i < work->count && work->load->before != NULL; i++)
        if (work->jobs[i].error != ERR_NONE)
            fall_back(work->load, &work->jobs[i]);
    return first;
}

/* ---- what is told -------------------------------------------------------- */

static bool is_configured(const struct config *config, const char *map, struct view name)
{
    for (size_t i = 0; i < config->identity.domain_count; i++) {
        const struct trust_domain_config *domain = &config->identity.domains[i];
        if (domain->is_map && strcmp(domain->bundle, map) == 0 && view_equals(domain->name, name))
            return true;
    }
    return false;
}

static void warn(const struct bundle_load *load, const char *code, struct span span, struct view message)
{
    const struct diag diag = {.severity = DIAG_WARNING, .code = view_of(code), .span = span, .message = message};
    diag_add(load->reader.diags, &diag);
}

/* Whom the configuration does not name is not trusted, which is right, and may not be what is meant. */
static enum err note_passed_over(const struct work *work, const struct map_file *file, struct trust_bundles *bundles)
{
    const struct bundle_load *load = work->load;
    for (size_t i = 0; file->error == ERR_NONE && i < file->map.count; i++) {
        const struct bundle_map_entry *entry = &file->map.entries[i];
        if (is_configured(load->config, file->path, entry->trust_domain))
            continue;
        TRY(trust_bundles_pass_over(bundles, entry->trust_domain));
        if (load->before != NULL && trust_bundles_has_passed_over(load->before, entry->trust_domain))
            continue;
        warn(load, "W0908", (struct span){.file = view_of(file->path), .line = entry->line},
             arena_print(load->reader.arena, "`%.*s` of this map is no trust domain of the configuration: passed over",
                         VIEW_ARG(entry->trust_domain)));
    }
    return ERR_NONE;
}

/* Section 6.4 of the standard advises against it: who issues for one domain issues for the other. */
static void warn_shared(void *context, const struct trust_bundle *a, const struct trust_bundle *b)
{
    const struct bundle_load *load = context;
    if (trust_bundle_generation(a) != load->reader.generation && trust_bundle_generation(b) != load->reader.generation)
        return; /* told when it came */
    warn(load, "W0909", (struct span){.file = view_of(load->config->file)},
         arena_print(load->reader.arena,
                     "`%.*s` and `%.*s` have an authority of the same key: whoever holds it can issue for both",
                     VIEW_ARG(trust_bundle_name(a)), VIEW_ARG(trust_bundle_name(b))));
}

/* ---- the whole ----------------------------------------------------------- */

static enum err fingerprint(const struct work *work, const struct trust_bundles *bundles)
{
    struct bundle_load *load = work->load;
    uint8_t pair[2 * SHA256_BYTES];
    size_t size = work->count * sizeof(struct domain_state);
    TRY(sha256((struct view){.data = (const char *)load->states, .size = size}, pair));
    TRY(trust_bundles_passed_over_digest(bundles, pair + SHA256_BYTES));
    return sha256((struct view){.data = (const char *)pair, .size = sizeof pair}, load->fingerprint);
}

/* Every reference goes to the set. */
static enum err join(struct work *work, struct trust_bundles **out)
{
    struct trust_bundle **items = arena_take_array(work->load->reader.arena, work->count + 1, sizeof(*items));
    struct trust_bundles *bundles = NULL;
    if (items == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < work->count; i++) {
        items[i] = work->jobs[i].bundle;
        work->jobs[i].bundle = NULL;
    }
    TRY(trust_bundles_join(items, work->count, work->load->reader.diags, &bundles));
    enum err e = ERR_NONE;
    for (size_t i = 0; i < work->map_count && e == ERR_NONE; i++)
        e = note_passed_over(work, &work->maps[i], bundles);
    if (e == ERR_NONE)
        e = trust_bundles_each_shared(bundles, warn_shared, work->load);
    if (e == ERR_NONE)
        e = fingerprint(work, bundles);
    if (e != ERR_NONE) {
        trust_bundles_free(bundles);
        return e;
    }
    *out = bundles;
    return ERR_NONE;
}

static void work_close(struct work *work)
{
    for (size_t i = 0; i < work->count; i++)
        trust_bundle_drop(work->jobs[i].bundle);
}

enum err bundle_load_build(struct bundle_load *load, struct trust_bundles **out)
{
    size_t count = load->config->identity.domain_count;
    AUTO(work_close) struct work work = {.load = load};
    work.jobs = arena_take_array(load->reader.arena, count + 1, sizeof(*work.jobs));
    work.maps = arena_take_array(load->reader.arena, count + 1, sizeof(*work.maps));
    if (work.jobs == NULL || work.maps == NULL)
        return ERR_NO_MEMORY;
    work.count = count;
    for (size_t i = 0; i < count; i++)
        work.jobs[i] = (struct job){.domain = &load->config->identity.domains[i],
                                    .before = load->before_states != NULL ? &load->before_states[i] : NULL,
                                    .state = &load->states[i]};
    enum err first = run_jobs(&work);
    if (first == ERR_NO_MEMORY || (first != ERR_NONE && load->before == NULL))
        return first;
    TRY(join(&work, out));
    return first;
}
