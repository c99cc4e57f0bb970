/* SPDX-License-Identifier: Apache-2.0 */
/* `muster task …` (spec/cts.md 1.6–1.9). */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/mem.h"
#include "cli/answer.h"
#include "cli/approve.h"
#include "cli/commands.h"
#include "cli/run_change.h"
#include "cli/table.h"
#include "text/name.h"

/* "/v1/tasks/NAME" to mem_free(); NULL: no task can have that name. */
static char *task_path(const char *name, struct err *err)
{
    size_t len = strlen(name);
    if (len > LIMIT_NAME_BYTES || !name_is_identifier(name, len)) {
        err_set(err, ERR_INVALID,
                "'%.128s' is no name of a task: a letter or underscore, then letters, "
                "digits, underscores, dashes, at most %d bytes",
                name, LIMIT_NAME_BYTES);
        return NULL;
    }
    struct buf path;
    buf_init(&path);
    buf_printf(&path, "/v1/tasks/");
    client_put_encoded(&path, name);
    buf_put_u8(&path, 0);
    return (char *)path.data;
}

/* --- list and show ------------------------------------------------------------- */

/* "services api, web"; what a condition waits for, in short. */
static void put_condition(struct table *table, const json_t *condition)
{
    static const char *const kinds[][2] = {
        {"services", "names"}, {"services", "regexp"}, {"catalog_services", "regexp"},
        {"consul_kv", "path"}, {"schedule", "cron"},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const json_t *kind = json_object_get(condition, kinds[i][0]);
        const json_t *value = json_object_get(kind, kinds[i][1]);
        if (value == NULL) {
            continue;
        }
        struct buf text;
        buf_init(&text);
        buf_printf(&text, "%s", kinds[i][0]);
        size_t count = json_is_array(value) ? json_array_size(value) : 1;
        for (size_t item = 0; item < count; item++) {
            const char *one = json_string_value(
                json_is_array(value) ? json_array_get(value, item) : value);
            buf_printf(&text, "%s%s", item > 0 ? ", " : " ", one != NULL ? one : "?");
        }
        buf_put_u8(&text, 0);
        table_put(table, (const char *)text.data);
        buf_close(&text);
        return;
    }
    table_put(table, NULL);
}

static void show_list(const json_t *root)
{
    struct table table;
    table_init(&table, 4, "NAME|ENABLED|CONDITION|MODULE");
    const json_t *tasks = json_object_get(root, "tasks");
    for (size_t i = 0; i < json_array_size(tasks); i++) {
        const json_t *task = json_array_get(tasks, i);
        table_put(&table, answer_text(task, "name"));
        table_put(&table, answer_yes(task, "enabled"));
        put_condition(&table, json_object_get(task, "condition"));
        table_put(&table, answer_text(task, "module"));
    }
    table_print(&table, stdout);
    table_close(&table);
}

int cli_task_list(struct client *client, const struct command_arguments *arguments,
                  struct err *err)
{
    return answer_show(client, "/v1/tasks", arguments->json, show_list, err);
}

/* A member as compact JSON, unless it is empty. */
static void put_value(struct table *table, const char *head, const json_t *task,
                      const char *key)
{
    const json_t *value = json_object_get(task, key);
    if (value == NULL || (json_is_object(value) && json_object_size(value) == 0) ||
        (json_is_array(value) && json_array_size(value) == 0) ||
        (json_is_string(value) && json_string_length(value) == 0)) {
        return;
    }
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    table_put(table, head);
    table_put(table, json_is_string(value) ? json_string_value(value) : text);
    free(text);
}

/* `etag` is "7" with its quotes, or NULL. */
static void show_task(const json_t *root, const char *etag)
{
    const json_t *task = json_object_get(root, "task");
    struct table table;
    table_init(&table, 2, NULL);
    put_value(&table, "name", task, "name");
    put_value(&table, "description", task, "description");
    table_put(&table, "enabled");
    table_put(&table, answer_yes(task, "enabled"));
    if (etag != NULL && strlen(etag) > 2) {
        char *revision = mem_strndup(etag + 1, strlen(etag) - 2);
        table_put(&table, "revision");
        table_put(&table, revision);
        mem_free(revision);
    }
    put_value(&table, "module", task, "module");
    put_value(&table, "version", task, "version");
    put_value(&table, "condition", task, "condition");
    put_value(&table, "buffer period", task, "buffer_period");
    put_value(&table, "module input", task, "module_input");
    put_value(&table, "providers", task, "providers");
    put_value(&table, "variables", task, "variables");
    table_print(&table, stdout);
    table_close(&table);
}

int cli_task_show(struct client *client, const struct command_arguments *arguments,
                  struct err *err)
{
    char *path = task_path(arguments->values[0], err);
    if (path == NULL) {
        return CLI_EXIT_USAGE;
    }
    struct client_request request = {.path = path};
    struct http_answer answer;
    json_t *root = NULL;
    int code = answer_ask(client, &request, &answer, &root, err);
    if (code == CLI_EXIT_OK && arguments->json) {
        answer_print(&answer);
    } else if (code == CLI_EXIT_OK) {
        show_task(root, http_answer_header(&answer, "ETag"));
    }
    json_decref(root);
    http_answer_close(&answer);
    mem_free(path);
    return code;
}

/* --- writes: each has a key, and may be repeated --------------------------------- */

/* Send a write of task `name`; `said` is what became of it then. */
static int task_write(struct client *client, const struct command_arguments *arguments,
                      struct client_request *request, const char *name,
                      const char *said, struct err *err)
{
    char key[ID_UUID_SIZE];
    if (arguments->run_mode != NULL) {
        return run_change(client, arguments, request, name, said, err);
    }
    char *look = mem_printf("muster task show %s", name);
    char *sentence = mem_printf("task '%s' is %s", name, said);
    id_random_uuid(key);
    request->key = key;
    request->look = look;
    int code = answer_change(client, request, arguments->json, sentence, err);
    mem_free(sentence);
    mem_free(look);
    return code;
}

/* --- create and update --------------------------------------------------------- */

static int read_file(const char *name, struct buf *out, struct err *err)
{
    bool input = strcmp(name, "-") == 0;
    FILE *file = input ? stdin : fopen(name, "rb");
    if (file == NULL) {
        return err_set(err, ERR_IO, "%s: cannot be opened: %s", name, strerror(errno));
    }
    size_t len = 0;
    do {
        buf_reserve(out, 64 * 1024);
        len = fread(out->data + out->len, 1, 64 * 1024, file);
        out->len += len;
    } while (len > 0 && out->len <= LIMIT_BODY_BYTES);
    int rv = 0;
    if (ferror(file)) {
        rv = err_set(err, ERR_IO, "%s: cannot be read: %s", name, strerror(errno));
    } else if (out->len > LIMIT_BODY_BYTES) {
        rv = err_set(err, ERR_TOO_LARGE,
                     "%s: has more than %d bytes, the most a task may", name,
                     LIMIT_BODY_BYTES);
    }
    if (!input) {
        fclose(file);
    }
    return rv;
}

/* {"task":T}, whether the file has that or T alone; the text stays as it is. The task's
 * name in `*name`, to mem_free(). */
static int read_task(const char *file, struct buf *body, char **name, struct err *err)
{
    struct buf text;
    buf_init(&text);
    int rv = read_file(file, &text, err);
    if (rv != 0) {
        buf_close(&text);
        return rv;
    }
    json_error_t at;
    json_t *root =
        json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, &at);
    const json_t *task = json_object_get(root, "task");
    bool bare = task == NULL;
    const char *found = json_string_value(json_object_get(bare ? root : task, "name"));
    if (root == NULL) {
        rv = err_set(err, ERR_INVALID, "%s:%d:%d: is no JSON: %.200s", file, at.line,
                     at.column, at.text);
    } else if (found == NULL) {
        rv = err_set(err, ERR_INVALID,
                     "%s: must hold an object like {\"task\":{\"name\":\"web\",…}}, or "
                     "the inner one",
                     file);
    } else {
        *name = mem_strdup(found);
        buf_printf(body, "%s", bare ? "{\"task\":" : "");
        buf_put(body, text.data, text.len);
        buf_printf(body, "%s", bare ? "}" : "");
    }
    json_decref(root);
    buf_close(&text);
    return rv;
}

int cli_task_create(struct client *client, const struct command_arguments *arguments,
                    struct err *err)
{
    struct buf body;
    char *name = NULL;
    buf_init(&body);
    int code = CLI_EXIT_FAILED;
    if (read_task(arguments->values[0], &body, &name, err) == 0) {
        struct client_request request = {
            .method = "POST",
            .path = "/v1/tasks",
            .body = body.data,
            .body_len = body.len,
        };
        code = task_write(client, arguments, &request, name, "created", err);
    }
    mem_free(name);
    buf_close(&body);
    return code;
}

/* An update creates nothing: without a revision it asks for any. */
static int task_update(struct client *client, const struct command_arguments *arguments,
                       const char *path, const struct buf *body, struct err *err)
{
    char *match = arguments->if_revision != NULL
                      ? mem_printf("\"%s\"", arguments->if_revision)
                      : mem_strdup("*");
    struct client_request request = {
        .method = arguments->merge ? "PATCH" : "PUT",
        .path = path,
        .type = arguments->merge ? "application/merge-patch+json" : NULL,
        .body = body->data,
        .body_len = body->len,
        .if_match = match,
    };
    int code =
        task_write(client, arguments, &request, arguments->values[0], "updated", err);
    mem_free(match);
    return code;
}

int cli_task_update(struct client *client, const struct command_arguments *arguments,
                    struct err *err)
{
    const char *file = arguments->values[1];
    char *path = task_path(arguments->values[0], err);
    if (path == NULL) {
        return CLI_EXIT_USAGE;
    }
    char *named = NULL;
    struct buf body;
    buf_init(&body);
    int rv = arguments->merge ? read_file(file, &body, err)
                              : read_task(file, &body, &named, err);
    int code =
        rv == 0 ? task_update(client, arguments, path, &body, err) : CLI_EXIT_FAILED;
    buf_close(&body);
    mem_free(named);
    mem_free(path);
    return code;
}

/* --- enable, disable, delete --------------------------------------------------- */

static int change(struct client *client, const struct command_arguments *arguments,
                  const char *method, const char *body, const char *said,
                  struct err *err)
{
    const char *name = arguments->values[0];
    char *path = task_path(name, err);
    if (path == NULL) {
        return CLI_EXIT_USAGE;
    }
    struct client_request request = {
        .method = method,
        .path = path,
        .body = body,
        .body_len = body != NULL ? strlen(body) : 0,
    };
    int code = task_write(client, arguments, &request, name, said, err);
    mem_free(path);
    return code;
}

int cli_task_enable(struct client *client, const struct command_arguments *arguments,
                    struct err *err)
{
    return change(client, arguments, "PATCH", "{\"enabled\":true}", "enabled", err);
}

int cli_task_disable(struct client *client, const struct command_arguments *arguments,
                     struct err *err)
{
    return change(client, arguments, "PATCH", "{\"enabled\":false}", "disabled", err);
}

int cli_task_delete(struct client *client, const struct command_arguments *arguments,
                    struct err *err)
{
    int code = approve(arguments, "delete task", arguments->values[0], err);
    return code != CLI_EXIT_OK
               ? code
               : change(client, arguments, "DELETE", NULL, "deleted", err);
}
