/* SPDX-License-Identifier: Apache-2.0 */
#include "admin_http.h"

#include "utf8.h"

#include <microhttpd.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CONNECTIONS = 16, TIMEOUT_SECONDS = 30, MEMORY = 8 * 1024, STACK = 256 * 1024 };
enum { GRACE_PAUSE = 5, GRACE_MOST = 500 }; /* milliseconds */
enum { WAITING_MOST = CONNECTIONS / 2 /* reloads: whoever asks how we are finds a connection */ };

/* One place to ask. */
struct admin_place {
    struct decider_state *state;
    bool shows_all;      /* the unix socket */
    atomic_uint waiting; /* requests that wait for a reload */
    atomic_uint asked;   /* requests whose answers have not been sent */
    struct MHD_Daemon *daemon;
};

struct admin_http {
    struct admin_place socket, address;
};

/* An answer being written. */
struct answer {
    unsigned status;
    const char *type;
    char *bytes;
    size_t size;
};

static const char text_type[] = "text/plain; charset=utf-8";
static const char json_type[] = "application/json";
static const char metrics_type[] = "text/plain; version=0.0.4; charset=utf-8";

/* What `write` writes as the answer's bytes; 500 when there is no memory. */
static void compose(struct answer *answer, struct decider_state *state,
                    void (*write)(struct decider_state *state, FILE *out))
{
    FILE *out = open_memstream(&answer->bytes, &answer->size);
    if (out != NULL)
        write(state, out);
    if (out == NULL || fclose(out) != 0) {
        free(answer->bytes);
        *answer = (struct answer){.status = MHD_HTTP_INTERNAL_SERVER_ERROR, .type = text_type};
    }
}

static void write_ok(struct decider_state *state, FILE *out)
{
    (void)state;
    (void)fputs("ok\n", out);
}

static void write_ready(struct decider_state *state, FILE *out)
{
    if (decider_state_is_ready(state))
        (void)fputs("ready\n", out);
    else
        decider_state_write_reasons(state, out);
}

static void write_missing(struct decider_state *state, FILE *out)
{
    (void)state;
    (void)fputs("no such path, or not with this method\n", out);
}

/* ---- POST /reload -------------------------------------------------------- */

static void answer_error(struct answer *answer, unsigned status, const char *message)
{
    FILE *out = open_memstream(&answer->bytes, &answer->size);
    answer->status = status;
    if (out == NULL)
        return;
    (void)fprintf(out, "{\"error\": \"%s\"}\n", message);
    (void)fclose(out);
}

/* What is in force; before it, where some file was refused, what was wrong. */
static void answer_reload(struct answer *answer, struct decider_state *state, const struct reload_result *result)
{
    FILE *out = open_memstream(&answer->bytes, &answer->size);
    bool is_refused = result->error != ERR_NONE;
    answer->status = is_refused ? MHD_HTTP_CONFLICT : MHD_HTTP_OK;
    if (out == NULL)
        return;
    if (is_refused) {
        (void)fputs("{\"error\": ", out);
        utf8_print_json(view_of(result->message), out);
        (void)fprintf(out, ", \"diags\": %s, \"in_force\": ", result->diags);
    }
    decider_state_write_generations(state, result->is_under_way, out);
    (void)fputs(is_refused ? "}\n" : "", out);
    (void)fclose(out);
}

/* `wait` is the word behind ?wait=, or NULL. */
static void reload(struct answer *answer, struct decider_state *state, const char *wait)
{
    enum reload_wait until = wait != NULL ? RELOAD_FILES : RELOAD_ALL;
    struct reload_result *result = calloc(1, sizeof(*result));
    if (wait != NULL && strcmp(wait, "files") != 0)
        answer_error(answer, MHD_HTTP_BAD_REQUEST, "wait is `files`, or not there");
    else if (result == NULL || atomic_load(&state->is_stopping) || reload_now(state->reload, until, result) != ERR_NONE)
        answer_error(answer, MHD_HTTP_SERVICE_UNAVAILABLE, "the decider is stopping");
    else
        answer_reload(answer, state, result);
    free(result);
}

/* Those that wait for policies are limited: a revocation that does not finds a place. */
static void reload_at(struct answer *answer, struct admin_place *place, const char *wait)
{
    unsigned one = wait == NULL ? 1 : 0;
    answer->type = json_type;
    if (atomic_fetch_add(&place->waiting, one) < WAITING_MOST || one == 0)
        reload(answer, place->state, wait);
    else
        answer_error(answer, MHD_HTTP_SERVICE_UNAVAILABLE, "too many wait for a reload");
    atomic_fetch_sub(&place->waiting, one);
}

/* ---- requests ------------------------------------------------------------ */

struct route {
    const char *path;
    const char *method;
    bool is_private; /* on the unix socket only */
    const char *type;
    void (*write)(struct decider_state *state, FILE *out); /* NULL: reload */
};

static const struct route routes[] = {
    {"/healthz", "GET", false, text_type, write_ok},
    {"/readyz", "GET", false, text_type, write_ready},
    {"/metrics", "GET", false, metrics_type, decider_state_write_metrics},
    {"/status", "GET", true, json_type, decider_state_write_status},
    {"/reload", "POST", true, json_type, NULL},
};

struct request {
    const char *path, *method;
    const char *wait; /* of ?wait=; NULL: not there */
};

static void respond(struct admin_place *place, const struct request *request, struct answer *answer)
{
    *answer = (struct answer){.status = MHD_HTTP_NOT_FOUND, .type = text_type};
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        const struct route *route = &routes[i];
        if (strcmp(request->path, route->path) != 0 || (route->is_private && !place->shows_all))
            continue;
        if (strcmp(request->method, route->method) != 0) {
            answer->status = MHD_HTTP_METHOD_NOT_ALLOWED;
            break;
        }
        *answer = (struct answer){.status = MHD_HTTP_OK, .type = route->type};
        if (route->write == write_ready && !decider_state_is_ready(place->state))
            answer->status = MHD_HTTP_SERVICE_UNAVAILABLE;
        if (route->write == NULL)
            reload_at(answer, place, request->wait);
        else
            compose(answer, place->state, route->write);
        return;
    }
    compose(answer, place->state, write_missing);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *upload_size, void **request)
{
    struct answer answer;
    (void)version;
    (void)upload;
    if (*request == NULL) { /* headers only; the answer follows when the whole request is there */
        struct admin_place *place = context;
        *request = context;
        atomic_fetch_add(&place->asked, 1);
        return MHD_YES;
    }
    if (*upload_size > 0) { /* a body has no meaning here */
        *upload_size = 0;
        return MHD_YES;
    }
    const struct request asked = {
        .path = url, .method = method, .wait = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "wait")};
    respond(context, &asked, &answer);
    struct MHD_Response *response = MHD_create_response_from_buffer(answer.size, answer.bytes, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(answer.bytes);
        return MHD_NO;
    }
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer.type);
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    enum MHD_Result result = MHD_queue_response(connection, answer.status, response);
    MHD_destroy_response(response);
    return result;
}

static void on_completed(void *context, struct MHD_Connection *connection, void **request,
                         enum MHD_RequestTerminationCode code)
{
    struct admin_place *place = context;
    (void)connection;
    (void)code;
    if (*request != NULL)
        atomic_fetch_sub(&place->asked, 1);
}

/* ---- start and stop ------------------------------------------------------ */

static enum err open_place(struct admin_place *place, struct decider_state *state, int fd, bool shows_all)
{
    if (fd < 0)
        return ERR_NONE;
    place->state = state;
    place->shows_all = shows_all;
    /* A thread for each connection: one that waits for a reload keeps no other waiting. */
    place->daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL | MHD_USE_ITC, 0, NULL, NULL,
        on_request, place, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)TIMEOUT_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY,
        MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK, MHD_OPTION_NOTIFY_COMPLETED, on_completed, place, MHD_OPTION_END);
    return place->daemon != NULL ? ERR_NONE : ERR_IO;
}

enum err admin_http_open(const struct admin_http_config *config, struct admin_http **out)
{
    struct admin_http *admin = calloc(1, sizeof(*admin));
    if (admin == NULL)
        return ERR_NO_MEMORY;
    enum err result = open_place(&admin->socket, config->state, config->socket_fd, true);
    if (result == ERR_NONE)
        result = open_place(&admin->address, config->state, config->address_fd, false);
    if (result != ERR_NONE) {
        admin_http_close(admin);
        return result;
    }
    *out = admin;
    return ERR_NONE;
}

/* The library shuts connections whose answers are about to be written: whoever was asked is answered first. */
static void close_place(struct admin_place *place)
{
    const struct timespec pause = {.tv_nsec = GRACE_PAUSE * 1000000L};
    if (place->daemon == NULL)
        return;
    for (int waited = 0; atomic_load(&place->asked) > 0 && waited < GRACE_MOST; waited += GRACE_PAUSE)
        (void)nanosleep(&pause, NULL);
    MHD_stop_daemon(place->daemon);
}

void admin_http_close(struct admin_http *admin)
{
    if (admin == NULL)
        return;
    close_place(&admin->socket);
    close_place(&admin->address);
    free(admin);
}
