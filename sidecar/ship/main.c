/* SPDX-License-Identifier: Apache-2.0 */
/* bartizan-ship: everything that speaks ZeroMQ, in a process of its own. */
#include "clock.h"
#include "log.h"
#include "shipper.h"
#include "tail_view.h"
#include "tap.h"

#include <errno.h>
#include <getopt.h>
#include <unistd.h>

/* As in `bartizan` (sidecar/cli/commands.h). */
enum { EXIT_GOOD = 0, EXIT_FAILED = 1, EXIT_DATA = 2, EXIT_USAGE = 3, EXIT_IO = 4 };

enum { WAIT_MS = 100 };

static volatile sig_atomic_t stop;

static void on_signal(int signal_number)
{
    (void)signal_number;
    stop = 1;
}

static void watch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct sigaction ignored = {.sa_handler = SIG_IGN};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGHUP, &ignored, NULL);
    sigaction(SIGPIPE, &ignored, NULL);
}

static void print_usage(FILE *out)
{
    fputs("usage: bartizan-ship publish --journal DIR --bind ENDPOINT --instance NAME\n"
          "       bartizan-ship tail --connect ENDPOINT [--format sentence|json] [--count N]\n"
          "                          [--timeout SECONDS] [--topic PREFIX] [--summary]\n"
          "ENDPOINT is ipc://PATH or tcp://127.0.0.1:PORT. Started by `bartizan serve` and\n"
          "`bartizan audit tail`.\n",
          out);
}

static int usage(void)
{
    print_usage(stderr);
    return EXIT_USAGE;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (view_equals(view_of(argv[i]), VIEW("--help")))
            return true;
    return false;
}

/* --- publish --- */

static bool read_publish_options(int argc, char **argv, struct shipper_config *out)
{
    static const struct option known[] = {
        {"journal", required_argument, NULL, 'j'},
        {"bind", required_argument, NULL, 'b'},
        {"instance", required_argument, NULL, 'i'},
        {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 'j': out->journal = optarg; break;
        case 'b': out->bind = optarg; break;
        case 'i': out->instance = view_of(optarg); break;
        default: return false;
        }
    }
    return optind == argc && out->journal != NULL && out->bind != NULL && view_is_present(out->instance);
}

static int publish(int argc, char **argv)
{
    struct shipper_config config = {0};
    struct shipper *shipper = NULL;
    if (!read_publish_options(argc, argv, &config))
        return usage();
    enum err error = shipper_open(&config, &shipper);
    if (error != ERR_NONE)
        return error == ERR_INVALID ? EXIT_DATA : EXIT_IO;
    log_line(LOG_INFO, log_say("publishing"), log_text("journal", view_of(config.journal)),
             log_text("endpoint", view_of(config.bind)));
    shipper_run(shipper, &stop);
    shipper_close(shipper);
    return EXIT_GOOD;
}

/* --- tail --- */

/* True when the wanted records came, or as many as there are until a signal. */
static bool follow(struct tap *tap, const struct tail_options *options, struct tail_view *view)
{
    int64_t end = options->timeout > 0 ? clock_ms(CLOCK_MONOTONIC) + (int64_t)options->timeout * 1000 : INT64_MAX;
    bool was_ready = false;
    while (stop == 0 && clock_ms(CLOCK_MONOTONIC) < end) {
        struct view record;
        enum err error = tap_next(tap, WAIT_MS, &record);
        if (!was_ready && tap_is_ready(tap)) {
            was_ready = true;
            fprintf(stderr, "ready: subscribed to %s\n", options->connect);
        }
        if (error == ERR_NONE && tail_view_take(view, record))
            return true;
        if (error == ERR_MALFORMED)
            tail_view_note_bad(view, "a message is not of the tap's form");
        if (error == ERR_IO)
            return false;
    }
    return options->count == 0;
}

static int tail(int argc, char **argv)
{
    struct tail_options options;
    struct tail_view *view = NULL;
    struct tap *tap = NULL;
    if (tail_view_parse_options(argc, argv, &options) != ERR_NONE || options.connect == NULL)
        return usage();
    if (tap_open(options.connect, options.topic, &tap) != ERR_NONE) {
        fprintf(stderr, "audit tail: %s: %s\n", options.connect, strerror(errno));
        return EXIT_IO;
    }
    if (tail_view_open(&options, stdout, &view) != ERR_NONE) {
        tap_close(tap);
        return EXIT_IO;
    }
    bool is_complete = follow(tap, &options, view);
    bool is_whole = tail_view_finish(view);
    tail_view_close(view);
    tap_close(tap);
    return is_complete && is_whole ? EXIT_GOOD : EXIT_FAILED;
}

int main(int argc, char **argv)
{
    watch_signals();
    if (argc < 2)
        return usage();
    if (asks_for_help(argc, argv)) {
        print_usage(stdout);
        return EXIT_GOOD;
    }
    if (view_equals(view_of(argv[1]), VIEW("publish")))
        return publish(argc - 1, argv + 1);
    if (view_equals(view_of(argv[1]), VIEW("tail")))
        return tail(argc - 1, argv + 1);
    return usage();
}
