/* SPDX-License-Identifier: Apache-2.0 */
/* `muster status`: three answers of one node, as a rule, on one page. */
#include <stdio.h>

#include "cli/answer.h"
#include "cli/cluster.h"
#include "cli/commands.h"
#include "cli/table.h"

enum { ASK_CLUSTER, ASK_STATUS, ASK_TASKS, ASK_COUNT };

static const struct {
    const char *key; /* in -o json */
    const char *path;
} asks[ASK_COUNT] = {
    [ASK_CLUSTER] = {"cluster", "/v1/cluster"},
    [ASK_STATUS] = {"status", "/v1/status"},
    [ASK_TASKS] = {"tasks", "/v1/status/tasks"},
};

static void show_summary(const json_t *cluster, const json_t *status)
{
    const json_t *members = json_object_get(cluster, "members");
    const json_t *summary = json_object_get(status, "task_summary");
    const json_t *states = json_object_get(summary, "status");
    const json_t *enabled = json_object_get(summary, "enabled");
    size_t reachable = 0;
    for (size_t i = 0; i < json_array_size(members); i++) {
        const json_t *member = json_array_get(members, i);
        reachable += json_is_true(json_object_get(member, "reachable")) ? 1 : 0;
    }
    struct table table;
    table_init(&table, 2, NULL);
    cluster_put_lead(&table, cluster);
    table_put(&table, "members");
    table_putf(&table, "%zu, %zu reachable from %s", json_array_size(members),
               reachable, answer_text(json_object_get(cluster, "node"), "name"));
    table_put(&table, "tasks");
    table_putf(&table,
               "%" JSON_INTEGER_FORMAT " enabled, %" JSON_INTEGER_FORMAT " disabled",
               answer_number(enabled, "true"), answer_number(enabled, "false"));
    table_put(&table, "status");
    table_putf(&table,
               "%" JSON_INTEGER_FORMAT " successful, %" JSON_INTEGER_FORMAT
               " errored, %" JSON_INTEGER_FORMAT " critical, %" JSON_INTEGER_FORMAT
               " unknown",
               answer_number(states, "successful"), answer_number(states, "errored"),
               answer_number(states, "critical"), answer_number(states, "unknown"));
    table_print(&table, stdout);
    table_close(&table);
}

static void show_tasks(json_t *tasks)
{
    struct table table;
    const char *name = NULL;
    json_t *task = NULL;
    if (json_object_size(tasks) == 0) {
        return;
    }
    putchar('\n');
    table_init(&table, 3, "TASK|STATUS|ENABLED");
    json_object_foreach(tasks, name, task)
    {
        table_put(&table, name);
        table_put(&table, answer_text(task, "status"));
        table_put(&table, answer_yes(task, "enabled"));
    }
    table_print(&table, stdout);
    table_close(&table);
}

/* {"cluster":…,"status":…,"tasks":…}, each as the server said it. */
static void print_json(const struct http_answer *answers)
{
    for (int i = 0; i < ASK_COUNT; i++) {
        printf("%s\"%s\":", i == 0 ? "{" : ",", asks[i].key);
        fwrite(answers[i].body.data, 1, answers[i].body.len, stdout);
    }
    puts("}");
}

int cli_status(struct client *client, const struct command_arguments *arguments,
               struct err *err)
{
    struct http_answer answers[ASK_COUNT];
    json_t *roots[ASK_COUNT] = {NULL};
    int code = CLI_EXIT_OK;
    for (int i = 0; i < ASK_COUNT; i++) {
        struct client_request request = {.path = asks[i].path};
        http_answer_init(&answers[i]);
        if (code == CLI_EXIT_OK) {
            code = answer_ask(client, &request, &answers[i], &roots[i], err);
        }
    }
    if (code == CLI_EXIT_OK && arguments->json) {
        print_json(answers);
    } else if (code == CLI_EXIT_OK) {
        show_summary(roots[ASK_CLUSTER], roots[ASK_STATUS]);
        show_tasks(roots[ASK_TASKS]);
    }
    for (int i = 0; i < ASK_COUNT; i++) {
        json_decref(roots[i]);
        http_answer_close(&answers[i]);
    }
    return code;
}
