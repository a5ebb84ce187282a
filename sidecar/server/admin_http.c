/* SPDX-License-Identifier: Apache-2.0 */
#include "admin_http.h"

#include "utf8.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECTIONS = 8, TIMEOUT_SECONDS = 30, MEMORY = 8 * 1024 };

/* One place to ask. */
struct admin_place {
    struct decider_state *state;
    bool shows_all; /* the unix socket */
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

static void write_stopping(struct decider_state *state, FILE *out)
{
    (void)state;
    (void)fputs("{\"error\": \"the decider is stopping\"}\n", out);
}

/* ---- POST /reload -------------------------------------------------------- */

/* What was refused, and what is in force all the same. */
static void compose_refusal(struct answer *answer, struct decider_state *state, const struct reload_result *result)
{
    FILE *out = open_memstream(&answer->bytes, &answer->size);
    answer->status = MHD_HTTP_CONFLICT;
    if (out == NULL)
        return;
    (void)fputs("{\"error\": ", out);
    utf8_print_json(view_of(result->message), out);
    (void)fprintf(out, ", \"diags\": %s, \"in_force\": ", result->diags);
    decider_state_write_generations(state, out);
    (void)fputs("}\n", out);
    (void)fclose(out);
}

static void reload(struct answer *answer, struct decider_state *state)
{
    struct reload_result *result = calloc(1, sizeof(*result));
    answer->type = json_type;
    if (result == NULL || atomic_load(&state->is_stopping) || reload_now(state->reload, result) != ERR_NONE) {
        answer->status = MHD_HTTP_SERVICE_UNAVAILABLE;
        compose(answer, state, write_stopping);
    } else if (result->error != ERR_NONE) {
        compose_refusal(answer, state, result);
    } else {
        compose(answer, state, decider_state_write_generations);
    }
    free(result);
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

static void respond(const struct admin_place *place, const char *path, const char *method, struct answer *answer)
{
    *answer = (struct answer){.status = MHD_HTTP_NOT_FOUND, .type = text_type};
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        const struct route *route = &routes[i];
        if (strcmp(path, route->path) != 0 || (route->is_private && !place->shows_all))
            continue;
        if (strcmp(method, route->method) != 0) {
            answer->status = MHD_HTTP_METHOD_NOT_ALLOWED;
            break;
        }
        *answer = (struct answer){.status = MHD_HTTP_OK, .type = route->type};
        if (route->write == write_ready && !decider_state_is_ready(place->state))
            answer->status = MHD_HTTP_SERVICE_UNAVAILABLE;
        if (route->write == NULL)
            reload(answer, place->state);
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
        *request = context;
        return MHD_YES;
    }
    if (*upload_size > 0) { /* a body has no meaning here */
        *upload_size = 0;
        return MHD_YES;
    }
    respond(context, url, method, &answer);
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

/* ---- start and stop ------------------------------------------------------ */

static enum err open_place(struct admin_place *place, struct decider_state *state, int fd, bool shows_all)
{
    if (fd < 0)
        return ERR_NONE;
    place->state = state;
    place->shows_all = shows_all;
    place->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ITC, 0, NULL, NULL,
                                     on_request, place, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
                                     (unsigned)CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)TIMEOUT_SECONDS,
                                     MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY, MHD_OPTION_END);
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

void admin_http_close(struct admin_http *admin)
{
    if (admin == NULL)
        return;
    if (admin->socket.daemon != NULL)
        MHD_stop_daemon(admin->socket.daemon);
    if (admin->address.daemon != NULL)
        MHD_stop_daemon(admin->address.daemon);
    free(admin);
}
