/* SPDX-License-Identifier: Apache-2.0 */
/*   send with a key and a short wait ──answered──▶ done, refused
 *        ▲            └──504 that names the run──▶ ask for the run until it has ended
 *        └───────── the same, with the same key ◀──────────────┘
 *
 * The key is that run's, so the repetition is answered at once with what became of it,
 * by whichever node leads then. */
#include "cli/run_change.h"

#include <stdio.h>
#include <string.h>

#include "base/id.h"
#include "base/mem.h"
#include "cli/answer.h"
#include "cli/approve.h"
#include "cli/table.h"

#define WAIT_STEP "1s" /* a node that is lost is left soon */
#define RUN_PATH  "/v1/runs/"

/* It comes from a server: nothing but a run's path. */
static const char *run_location(const struct http_answer *answer)
{
    const char *path = http_answer_header(answer, "Location");
    size_t prefix = sizeof RUN_PATH - 1;
    return path != NULL && strncmp(path, RUN_PATH, prefix) == 0 &&
                   path[prefix] != '\0' &&
                   path[prefix + strspn(path + prefix, "0123456789")] == '\0'
               ? path
               : NULL;
}

/* Ask for the run until it has ended. */
static int wait_for_run(struct client *client, const char *run, struct err *err)
{
    char *path = mem_strdup(run);
    bool ended = false;
    int code = CLI_EXIT_OK;
    while (code == CLI_EXIT_OK && !ended) {
        struct client_request request = {.path = path};
        struct http_answer answer;
        json_t *root = NULL;
        code = answer_ask(client, &request, &answer, &root, err);
        const char *index = http_answer_header(&answer, "X-Muster-Index");
        ended =
            strcmp(answer_text(json_object_get(root, "run"), "state"), "ended") == 0;
        mem_free(path);
        path =
            mem_printf("%s?index=%s&wait=" WAIT_STEP, run, index != NULL ? index : "0");
        json_decref(root);
        http_answer_close(&answer);
    }
    mem_free(path);
    return code;
}

/* `request` with ?run=`mode`; the last answer, and its JSON, as answer_ask() has it. */
static int ask_with_run(struct client *client, const struct client_request *request,
                        const char *mode, struct http_answer *answer, json_t **root,
                        struct err *err)
{
    char key[ID_UUID_SIZE];
    char *path = mem_printf("%s?run=%s&wait=" WAIT_STEP, request->path, mode);
    struct client_request asked = *request;
    id_random_uuid(key);
    asked.path = path;
    asked.key = key;
    asked.names_run = true;
    int code = answer_ask(client, &asked, answer, root, err);
    while (code == CLI_EXIT_OK && answer->status == 504) {
        const char *run = run_location(answer);
        if (run == NULL) {
            err_set(err, ERR_OUTCOME_UNKNOWN, "the node names no run to wait for");
            code = CLI_EXIT_UNKNOWN;
            break;
        }
        code = wait_for_run(client, run, err);
        if (code == CLI_EXIT_OK) {
            json_decref(*root);
            http_answer_close(answer);
            code = answer_ask(client, &asked, answer, root, err);
        }
    }
    mem_free(path);
    return code;
}

/* The plan as its program printed it, then whether it would change anything. */
static void show_plan(FILE *out, const json_t *root, const char *name, bool *changes)
{
    const json_t *run = json_object_get(root, "run");
    run = run != NULL ? run : json_object_get(root, "inspect");
    const char *plan = answer_text(run, "plan");
    size_t len = strlen(plan);
    struct buf safe;
    buf_init(&safe);
    table_put_safe(&safe, name);
    *changes = json_is_true(json_object_get(run, "changes_present"));
    fprintf(out, "%s%s", plan, len > 0 && plan[len - 1] != '\n' ? "\n" : "");
    fprintf(out, "plan of task '%.*s': %s\n", (int)safe.len, (const char *)safe.data,
            *changes ? "there are changes" : "no changes");
    buf_close(&safe);
}

static int inspect(struct client *client, const struct command_arguments *arguments,
                   const struct client_request *request, const char *name,
                   struct err *err)
{
    struct http_answer answer;
    json_t *root = NULL;
    bool changes = false;
    bool asks = strcmp(arguments->run_mode, "ask") == 0;
    int code = ask_with_run(client, request, "inspect", &answer, &root, err);
    if (code == CLI_EXIT_OK && arguments->json && !asks) {
        answer_print(&answer);
    } else if (code == CLI_EXIT_OK) {
        show_plan(arguments->json ? stderr : stdout, root, name, &changes);
        fflush(stdout); /* before anything is asked */
    }
    json_decref(root);
    http_answer_close(&answer);
    return code;
}

static int run_now(struct client *client, const struct command_arguments *arguments,
                   const struct client_request *request, const char *name,
                   const char *said, struct err *err)
{
    struct http_answer answer;
    json_t *root = NULL;
    struct buf safe;
    buf_init(&safe);
    table_put_safe(&safe, name);
    int code = ask_with_run(client, request, "now", &answer, &root, err);
    const json_t *task = json_object_get(root, "task");
    bool disabled = json_is_false(json_object_get(task, "enabled"));
    if (code == CLI_EXIT_OK && arguments->json) {
        answer_print(&answer);
    } else if (code == CLI_EXIT_OK) {
        printf("task '%.*s' is %s, %s\n", (int)safe.len, (const char *)safe.data, said,
               disabled ? "and disabled: nothing was run" : "its run has succeeded");
    }
    buf_close(&safe);
    json_decref(root);
    http_answer_close(&answer);
    return code;
}

int run_change(struct client *client, const struct command_arguments *arguments,
               struct client_request *request, const char *name, const char *said,
               struct err *err)
{
    char *look = mem_printf("muster runs --task %s", name);
    const char *mode = arguments->run_mode;
    int code = CLI_EXIT_OK;
    request->look = look;
    if (strcmp(mode, "now") != 0) {
        code = inspect(client, arguments, request, name, err);
    }
    if (code == CLI_EXIT_OK && strcmp(mode, "ask") == 0) {
        code = approve(arguments, "do this for task", name, err);
    }
    if (code == CLI_EXIT_OK && strcmp(mode, "inspect") != 0) {
        code = run_now(client, arguments, request, name, said, err);
    }
    mem_free(look);
    return code;
}
