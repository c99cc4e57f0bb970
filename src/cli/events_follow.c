/* SPDX-License-Identifier: Apache-2.0 */
/* `muster events --follow`: the event stream of whichever node has one (spec/muster.md
 * 6), one line an event, each flushed.
 *
 *   where is it now? ─▶ stream after N ──event──▶ printed, N is its number
 *                          ▲   └──bye, cut, lost, silent──┐
 *                          └──── the next node, after N ◀─┘
 *
 * Where it begins is asked for once, before: a stream that breaks off before its first
 * event then goes on from there, and not from a later now.
 *
 * What ends it: a signal, by whose default this process dies; output that nobody takes
 * any more (looked at with each heartbeat, too: it may be long until the next event);
 * no node within the timeout; a node's refusal. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/answer.h"
#include "cli/events.h"
#include "cli/lines.h"
#include "cli/table.h"

#define LINE_MAX_BYTES (4u * 1024 * 1024)

struct follow {
    const struct command_arguments *arguments;
    struct client_request request;
    struct buf path;
    struct lines lines;
    const char *from; /* `after` as it was given; NULL once there is a number */
    uint64_t after;   /* the last event that was told */
    bool headed;
};

/* --- what is printed ------------------------------------------------------------ */

static int output_failed(struct err *err)
{
    return err_set(err, ERR_IO, "the output cannot be written: %s", strerror(errno));
}

static int flush(struct err *err)
{
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : output_failed(err);
}

/* The reader of a pipe has gone: end as writing to it would. */
static int judge_output(struct err *err)
{
    struct pollfd out = {.fd = STDOUT_FILENO};
    if (poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0) {
        raise(SIGPIPE);
        errno = EPIPE; /* it is ignored here */
        return output_failed(err);
    }
    return 0;
}

/* No line knows how long those are that will follow: so most of them fit. */
static void print_row(const char *const cells[5])
{
    static const size_t widths[5] = {8, 24, 17, 16, 0};
    struct buf row;
    size_t blanks = 0;
    buf_init(&row);
    for (size_t i = 0; i < 5; i++) {
        const char *text = cells[i] != NULL && cells[i][0] != '\0' ? cells[i] : "-";
        buf_printf(&row, "%*s", (int)blanks, "");
        size_t width = table_put_safe(&row, text);
        blanks = (width < widths[i] ? widths[i] - width : 0) + 2;
    }
    printf("%.*s\n", (int)row.len, (const char *)row.data);
    buf_close(&row);
}

static void print_event(const json_t *event)
{
    char number[32];
    json_t *data = json_object_get(event, "data");
    char *text = json_dumps(data, JSON_COMPACT | JSON_ENCODE_ANY);
    snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT,
             answer_number(event, "index"));
    print_row((const char *const[]){number, answer_text(event, "time"),
                                    answer_text(event, "type"),
                                    answer_text(event, "task"), text});
    free(text);
}

static void print_gap(uint64_t after, uint64_t first)
{
    char text[96];
    snprintf(text, sizeof text, "{\"after\":%" PRIu64 ",\"first\":%" PRIu64 "}", after,
             first);
    print_row((const char *const[]){NULL, NULL, "gap", NULL, text});
}

/* --- what comes ----------------------------------------------------------------- */

/* Up to this number all has been told. */
static void follow_reached(struct follow *follow, uint64_t number)
{
    if (number >= follow->after) {
        follow->after = number;
        follow->from = NULL;
    }
}

static int follow_tell(struct follow *follow, const json_t *object, const char *line,
                       size_t len, struct err *err)
{
    uint64_t number = (uint64_t)answer_number(object, "index");
    uint64_t first = (uint64_t)answer_number(object, "first");
    bool gap = number == 0 && first > 0;
    if (!gap && number <= follow->after) { /* a heartbeat, or "bye", or "cut" */
        follow_reached(follow, (uint64_t)answer_number(object, "after"));
        return judge_output(err);
    }
    if (follow->arguments->json) {
        printf("%.*s\n", (int)len, line);
    } else if (gap) {
        print_gap((uint64_t)answer_number(object, "after"), first);
    } else {
        print_event(object);
    }
    follow_reached(follow, gap ? first - 1 : number);
    return flush(err);
}

static int follow_line(void *arg, const char *line, size_t len, struct err *err)
{
    struct follow *follow = arg;
    json_t *object = json_loadb(line, len, 0, NULL);
    if (!json_is_object(object)) {
        json_decref(object);
        return err_set(err, ERR_INVALID,
                       "what was answered is no event: is it a node "
                       "of muster?");
    }
    if (!follow->headed && !follow->arguments->json) {
        print_row((const char *const[]){"INDEX", "TIME", "TYPE", "TASK", "DATA"});
    }
    int rv = follow->headed ? 0 : flush(err);
    follow->headed = true;
    rv = rv == 0 ? follow_tell(follow, object, line, len, err) : rv;
    json_decref(object);
    return rv;
}

static int follow_body(void *arg, const void *data, size_t len, struct err *err)
{
    struct follow *follow = arg;
    return lines_feed(&follow->lines, data, len, err);
}

/* Before each node that is asked: from the last event on, and no half a line. */
static int follow_begin(void *arg, struct err *err)
{
    struct follow *follow = arg;
    char number[32];
    (void)err;
    snprintf(number, sizeof number, "%" PRIu64, follow->after);
    lines_reset(&follow->lines);
    buf_clear(&follow->path);
    buf_printf(&follow->path, "/v1/events/stream");
    events_put_filter(&follow->path, "after",
                      follow->from != NULL ? follow->from : number);
    events_put_filter(&follow->path, "task", follow->arguments->task);
    events_put_filter(&follow->path, "type", follow->arguments->type);
    buf_put_u8(&follow->path, 0);
    follow->request.path = (const char *)follow->path.data;
    return 0;
}

/* --- the command ---------------------------------------------------------------- */

/* The number of the newest event: what comes is what has a higher one. */
static int ask_now(struct client *client, uint64_t *now, struct err *err)
{
    struct client_request request = {.path = "/v1/events?limit=1"};
    json_t *root = NULL;
    int code = answer_ask(client, &request, NULL, &root, err);
    *now = (uint64_t)answer_number(root, "last");
    json_decref(root);
    return code;
}

int events_follow(struct client *client, const struct command_arguments *arguments,
                  struct err *err)
{
    struct follow follow = {.arguments = arguments, .from = arguments->after};
    if (arguments->limit != NULL) {
        err_set(err, ERR_INVALID, "--limit and --follow do not go together");
        return CLI_EXIT_USAGE;
    }
    if (follow.from != NULL) {
        follow.after = strtoull(follow.from, NULL, 10); /* the nodes judge it */
    } else {
        int code = ask_now(client, &follow.after, err);
        if (code != CLI_EXIT_OK) {
            return code;
        }
    }
    follow.request = (struct client_request){
        .accept = "application/x-ndjson",
        .begin = follow_begin,
        .on_body = follow_body,
        .arg = &follow,
        .endless = true,
    };
    struct http_answer answer;
    http_answer_init(&answer);
    buf_init(&follow.path);
    lines_init(&follow.lines);
    follow.lines.max = LINE_MAX_BYTES;
    follow.lines.on_line = follow_line;
    follow.lines.arg = &follow;
    int code = client_ask(client, &follow.request, &answer, err);
    lines_close(&follow.lines);
    buf_close(&follow.path);
    http_answer_close(&answer);
    return code;
}
