/* SPDX-License-Identifier: Apache-2.0 */
/* `muster task run`, `task logs`, `runs`, `run cancel` (spec/muster.md 7). */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/id.h"
#include "base/mem.h"
#include "cli/answer.h"
#include "cli/commands.h"
#include "cli/events.h"
#include "cli/table.h"

#define FOLLOW_PAUSE_MS 250
#define WAIT_STEP       "1s" /* a long poll's: a node that is lost is left soon */

static void put_path(struct buf *path, const char *format, const char *name)
{
    static const char mark[] = "%";
    const char *at = strstr(format, mark);
    buf_init(path);
    buf_put(path, format, (size_t)(at - format));
    client_put_encoded(path, name);
    buf_printf(path, "%s", at + 1);
}

/* Terminated, so that it can be one of a request. */
static const char *path_text(struct buf *path)
{
    buf_put_u8(path, 0);
    path->len--;
    return (const char *)path->data;
}

/* --- task run ------------------------------------------------------------------------
 */

static bool has_ended(const json_t *run)
{
    return strcmp(answer_text(run, "state"), "ended") == 0;
}

/* CLI_EXIT_OK: it succeeded. */
static int judge_end(const json_t *run, struct err *err)
{
    const char *outcome = answer_text(run, "outcome");
    const char *text = answer_text(run, "message");
    if (strcmp(outcome, "success") == 0) {
        return CLI_EXIT_OK;
    }
    err_set(err, ERR_CONFLICT,
            "run %" JSON_INTEGER_FORMAT " of task '%s' has ended: %s%s%.300s",
            answer_number(run, "id"), answer_text(run, "task"), outcome,
            text[0] != '\0' ? ": " : "", text);
    return CLI_EXIT_FAILED;
}

/* Ask until it has ended, whichever nodes come and go; the last answer in `*root`. */
static int wait_end(struct client *client, json_t **root, struct http_answer *answer,
                    struct err *err)
{
    int code = CLI_EXIT_OK;
    while (code == CLI_EXIT_OK && !has_ended(json_object_get(*root, "run"))) {
        const char *index = http_answer_header(answer, "X-Muster-Index");
        char *path =
            mem_printf("/v1/runs/%" JSON_INTEGER_FORMAT "?index=%s&wait=" WAIT_STEP,
                       answer_number(json_object_get(*root, "run"), "id"),
                       index != NULL ? index : "0");
        struct client_request request = {.path = path};
        json_decref(*root);
        http_answer_close(answer);
        code = answer_ask(client, &request, answer, root, err);
        mem_free(path);
    }
    return code;
}

static void show_run(const json_t *run)
{
    printf("run %" JSON_INTEGER_FORMAT " of task '%s' on %s: %s%s%s\n",
           answer_number(run, "id"), answer_text(run, "task"), answer_text(run, "node"),
           answer_text(run, "state"), has_ended(run) ? ", " : "",
           answer_text(run, "outcome"));
}

int cli_task_run(struct client *client, const struct command_arguments *arguments,
                 struct err *err)
{
    char key[ID_UUID_SIZE];
    char *look = mem_printf("muster runs --task %s", arguments->values[0]);
    struct buf path;
    put_path(&path, "/v1/tasks/%/run", arguments->values[0]);
    id_random_uuid(key);
    struct client_request request = {.method = "POST",
                                     .path = path_text(&path),
                                     .body = "{}",
                                     .body_len = 2,
                                     .key = key,
                                     .look = look};
    struct http_answer answer;
    json_t *root = NULL;
    int code = answer_ask(client, &request, &answer, &root, err);
    if (code == CLI_EXIT_OK && arguments->wait) {
        code = wait_end(client, &root, &answer, err);
    }
    const json_t *run = json_object_get(root, "run");
    if (code == CLI_EXIT_OK && arguments->json) {
        answer_print(&answer);
    } else if (code == CLI_EXIT_OK) {
        show_run(run);
    }
    if (code == CLI_EXIT_OK && arguments->wait) {
        code = judge_end(run, err);
    }
    json_decref(root);
    http_answer_close(&answer);
    buf_close(&path);
    mem_free(look);
    return code;
}

/* --- runs and run cancel -------------------------------------------------------------
 */

static void show_runs(const json_t *root)
{
    struct table table;
    table_init(&table, 8, "RUN|TASK|NODE|STATE|OUTCOME|CAUSE|PURPOSE|STARTED");
    const json_t *runs = json_object_get(root, "runs");
    for (size_t i = 0; i < json_array_size(runs); i++) {
        const json_t *run = json_array_get(runs, i);
        table_putf(&table, "%" JSON_INTEGER_FORMAT, answer_number(run, "id"));
        table_put(&table, answer_text(run, "task"));
        table_put(&table, answer_text(run, "node"));
        table_put(&table, answer_text(run, "state"));
        table_put(&table, answer_text(run, "outcome"));
        table_put(&table, answer_text(run, "cause"));
        table_put(&table, answer_text(run, "purpose"));
        table_put(&table, answer_text(run, "started"));
    }
    table_print(&table, stdout);
    table_close(&table);
}

int cli_runs(struct client *client, const struct command_arguments *arguments,
             struct err *err)
{
    struct buf path;
    buf_init(&path);
    buf_printf(&path, "/v1/runs");
    events_put_filter(&path, "task", arguments->task);
    events_put_filter(&path, "state", arguments->state);
    events_put_filter(&path, "node", arguments->node);
    int code = answer_show(client, path_text(&path), arguments->json, show_runs, err);
    buf_close(&path);
    return code;
}

/* What is stopping is not stopped twice: it needs no key, and may be sent again. */
int cli_run_cancel(struct client *client, const struct command_arguments *arguments,
                   struct err *err)
{
    struct buf path;
    put_path(&path, "/v1/runs/%/cancel", arguments->values[0]);
    char *look = mem_printf("muster runs");
    char *said = mem_printf("run %s is stopping", arguments->values[0]);
    struct client_request request = {.method = "POST",
                                     .path = path_text(&path),
                                     .body = "{}",
                                     .body_len = 2,
                                     .look = look};
    int code = answer_change(client, &request, arguments->json, said, err);
    buf_close(&path);
    mem_free(look);
    mem_free(said);
    return code;
}

/* --- task logs -----------------------------------------------------------------------
 */

/* The number of the task's newest run, to mem_free(). */
static char *newest_run(struct client *client, const char *task, int *code,
                        struct err *err)
{
    struct buf path;
    json_t *root = NULL;
    char *id = NULL;
    put_path(&path, "/v1/runs?task=%", task);
    struct client_request request = {.path = path_text(&path)};
    *code = answer_ask(client, &request, NULL, &root, err);
    json_int_t newest = 0;
    const json_t *runs = json_object_get(root, "runs");
    for (size_t i = 0; i < json_array_size(runs); i++) {
        json_int_t number = answer_number(json_array_get(runs, i), "id");
        newest = number > newest ? number : newest;
    }
    if (*code == CLI_EXIT_OK && newest == 0) {
        *code = CLI_EXIT_NOT_FOUND;
        err_set(err, ERR_NOT_FOUND, "no run of a task '%.128s' is kept", task);
    } else if (*code == CLI_EXIT_OK) {
        id = mem_printf("%" JSON_INTEGER_FORMAT, newest);
    }
    json_decref(root);
    buf_close(&path);
    return id;
}

static bool header_is(const struct http_answer *answer, const char *name,
                      const char *value)
{
    const char *text = http_answer_header(answer, name);
    return text != NULL && strcmp(text, value) == 0;
}

static int print_piece(const struct http_answer *answer, struct err *err)
{
    fwrite(answer->body.data, 1, answer->body.len, stdout);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        err_set(err, ERR_IO, "the output cannot be written: %s", strerror(errno));
        return CLI_EXIT_FAILED;
    }
    return CLI_EXIT_OK;
}

/* After a pause. Nobody reads any more: there is no use in going on. */
static bool output_gone(void)
{
    struct timespec pause = {.tv_nsec = FOLLOW_PAUSE_MS * 1000000L};
    struct pollfd out = {.fd = STDOUT_FILENO};
    nanosleep(&pause, NULL);
    return poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0;
}

/* Piece after piece, each from where the last one ended: another node goes on where one
 * is lost. */
static int show_log(struct client *client, const char *run, bool follow,
                    struct err *err)
{
    char *next = mem_strdup("0");
    bool more = true;
    int code = CLI_EXIT_OK;
    while (code == CLI_EXIT_OK && more) {
        struct http_answer answer;
        struct buf path;
        put_path(&path, "/v1/runs/%/log?after=", run);
        buf_printf(&path, "%s", next);
        struct client_request request = {.path = path_text(&path)};
        http_answer_init(&answer);
        code = client_ask(client, &request, &answer, err);
        const char *offset = http_answer_header(&answer, "X-Muster-Log-Next");
        if (code == CLI_EXIT_OK) {
            code = print_piece(&answer, err);
            mem_free(next);
            next = mem_strdup(offset != NULL ? offset : "0");
            more = follow && offset != NULL &&
                   !header_is(&answer, "X-Muster-Log-Ended", "true");
        }
        http_answer_close(&answer);
        buf_close(&path);
        if (more && code == CLI_EXIT_OK) {
            more = !output_gone();
        }
    }
    mem_free(next);
    return code;
}

int cli_task_logs(struct client *client, const struct command_arguments *arguments,
                  struct err *err)
{
    int code = CLI_EXIT_OK;
    char *run = NULL;
    if ((arguments->run != NULL) == (arguments->count > 0)) {
        err_set(err, ERR_INVALID, "give the name of a task, or --run ID; see --help");
        return CLI_EXIT_USAGE;
    }
    if (arguments->run != NULL) {
        run = mem_strdup(arguments->run);
    } else {
        run = newest_run(client, arguments->values[0], &code, err);
    }
    if (run != NULL) {
        code = show_log(client, run, arguments->follow, err);
    }
    mem_free(run);
    return code;
}
