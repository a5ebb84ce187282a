/* SPDX-License-Identifier: Apache-2.0 */
#include "admin_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct admin_answer answer;

static enum err parse(const char *text)
{
    answer = (struct admin_answer){0};
    return admin_answer_parse(view_of(text), &answer);
}

static void answer_has_status_and_body(void **state)
{
    (void)state;
    assert_int_equal(parse("HTTP/1.1 409 Conflict\r\nContent-Type: a\r\ncontent-length:  3\r\n\r\n{1}"), ERR_NONE);
    assert_int_equal(answer.status, 409);
    assert_true(view_equals(answer.body, VIEW("{1}")));
}

static void answer_may_have_no_length_and_no_body(void **state)
{
    (void)state;
    assert_int_equal(parse("HTTP/1.0 200\r\n\r\n"), ERR_NONE);
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.body.size, 0);
}

static void answer_shorter_or_longer_than_its_length_is_refused(void **state)
{
    (void)state;
    assert_int_equal(parse("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc"), ERR_MALFORMED);
    assert_int_equal(parse("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc"), ERR_MALFORMED);
    assert_int_equal(parse("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nabc"), ERR_MALFORMED);
}

static void answer_that_is_no_http_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "HTTP/1.1",
                                        "HTTP/2.0 200 OK\r\n\r\n",
                                        "HTTP/1.1 99 OK\r\n\r\n",
                                        "HTTP/1.1 2000 OK\r\n\r\n",
                                        "HTTP/1.1 600 OK\r\n\r\n",
                                        "HTTP/1.1 200 OK\r\n",
                                        "HTTP/1.1  200 OK\r\n\r\n",
                                        "{\"ready\": true}"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(parse(texts[i]), ERR_MALFORMED);
}

static void every_prefix_of_an_answer_is_refused(void **state)
{
    (void)state;
    const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
    for (size_t size = 0; size < sizeof text - 1; size++)
        assert_int_equal(admin_answer_parse((struct view){text, size}, &answer), ERR_MALFORMED);
    assert_int_equal(admin_answer_parse((struct view){text, sizeof text - 1}, &answer), ERR_NONE);
}

/* ---- against a socket ---- */

static char folder[] = "/tmp/bz-admin-XXXXXX";
static char path[64];
static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, (size_t)8 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    unlink(path);
    return 0;
}

/* A child that accepts one connection, reads the request's end and plays `part`. */
static pid_t serve(void (*part)(int fd))
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int listening = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(listening, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listening, 1), 0);
    pid_t child = fork();
    if (child == 0) {
        alarm(30);
        int fd = accept(listening, NULL, NULL);
        char request[512];
        size_t size = 0;
        while (size < sizeof request - 1 && (size < 4 || memcmp(request + size - 4, "\r\n\r\n", 4) != 0)) {
            ssize_t got = read(fd, request + size, 1);
            if (got != 1)
                _exit(1);
            size++;
        }
        part(fd);
        _exit(memcmp(request, "POST /reload HTTP/1.0\r\n", 23) == 0 ? 0 : 1);
    }
    close(listening);
    return child;
}

static void send_text(int fd, const char *text)
{
    if (write(fd, text, strlen(text)) < 0)
        _exit(1);
}

static void answer_in_pieces(int fd)
{
    send_text(fd, "HTTP/1.1 200 OK\r\nCont");
    send_text(fd, "ent-Length: 2\r\n\r\n{");
    send_text(fd, "}");
}

static void answer_without_end(int fd)
{
    char block[4096];
    memset(block, 'a', sizeof block);
    for (int i = 0; i < 1024; i++)
        if (send(fd, block, sizeof block, MSG_NOSIGNAL) < 0)
            return;
}

static void answer_nothing(int fd)
{
    char byte;
    while (read(fd, &byte, 1) > 0)
        continue;
}

static enum err ask(void (*part)(int fd), int timeout_ms, int *child_code)
{
    pid_t child = serve(part);
    enum err err = admin_request(path, "POST", "/reload", timeout_ms, &arena, &answer);
    int status = 0;
    waitpid(child, &status, 0);
    *child_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return err;
}

static void request_gets_an_answer_that_comes_in_pieces(void **state)
{
    (void)state;
    int code = 0;
    assert_int_equal(ask(answer_in_pieces, 10000, &code), ERR_NONE);
    assert_int_equal(code, 0);
    assert_true(view_equals(answer.body, VIEW("{}")));
}

static void request_stops_reading_an_answer_without_end(void **state)
{
    (void)state;
    int code = 0;
    assert_int_equal(ask(answer_without_end, 10000, &code), ERR_LIMIT);
}

static void request_gives_up_on_a_silent_peer(void **state)
{
    (void)state;
    int code = 0;
    assert_int_equal(ask(answer_nothing, 100, &code), ERR_IO);
}

static void request_to_nobody_is_not_found(void **state)
{
    (void)state;
    assert_int_equal(admin_request(path, "GET", "/status", 1000, &arena, &answer), ERR_NOT_FOUND);
}

static void request_to_a_socket_that_nobody_listens_to_is_not_found(void **state)
{
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    assert_int_equal(admin_request(path, "GET", "/status", 1000, &arena, &answer), ERR_NOT_FOUND);
}

static void request_to_a_path_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    char longer[200];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(admin_request(longer, "GET", "/status", 1000, &arena, &answer), ERR_IO);
}

#define ON_A_SOCKET(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answer_has_status_and_body),
        cmocka_unit_test(answer_may_have_no_length_and_no_body),
        cmocka_unit_test(answer_shorter_or_longer_than_its_length_is_refused),
        cmocka_unit_test(answer_that_is_no_http_is_refused),
        cmocka_unit_test(every_prefix_of_an_answer_is_refused),
        ON_A_SOCKET(request_gets_an_answer_that_comes_in_pieces),
        ON_A_SOCKET(request_stops_reading_an_answer_without_end),
        ON_A_SOCKET(request_gives_up_on_a_silent_peer),
        ON_A_SOCKET(request_to_nobody_is_not_found),
        ON_A_SOCKET(request_to_a_socket_that_nobody_listens_to_is_not_found),
        ON_A_SOCKET(request_to_a_path_that_does_not_fit_is_refused),
    };
    if (mkdtemp(folder) == NULL)
        return 1;
    snprintf(path, sizeof path, "%s/s", folder);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(folder);
    return failed;
}
