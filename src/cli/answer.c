/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/answer.h"

#include <stdio.h>
#include <string.h>

#include "cli/table.h"

/* What the server did although something is amiss. */
static void warn(const struct http_answer *answer)
{
    const char *warning = http_answer_header(answer, "X-Muster-Warning");
    if (warning != NULL) {
        struct buf safe;
        buf_init(&safe);
        table_put_safe(&safe, warning);
        fprintf(stderr, "warning: %.*s\n", (int)safe.len, (const char *)safe.data);
        buf_close(&safe);
    }
}

int answer_ask(struct client *client, const struct client_request *request,
               struct http_answer *answer, json_t **root, struct err *err)
{
    struct http_answer own = {0};
    struct http_answer *used = answer != NULL ? answer : &own;
    http_answer_init(used);
    *root = NULL;
    int code = client_ask(client, request, used, err);
    if (code == CLI_EXIT_OK) {
        warn(used);
        *root = json_loadb((const char *)used->body.data, used->body.len, 0, NULL);
        if (!json_is_object(*root)) {
            json_decref(*root);
            *root = NULL;
            code = CLI_EXIT_FAILED;
            err_set(err, ERR_INVALID,
                    "%s answered %d with something that is no JSON object: is it a "
                    "node of muster?",
                    client->nodes.items[client->nodes.preferred].address, used->status);
        }
    }
    if (answer == NULL) {
        http_answer_close(&own);
    }
    return code;
}

int answer_show(struct client *client, const char *path, bool json,
                void (*show)(const json_t *root), struct err *err)
{
    struct client_request request = {.path = path};
    struct http_answer answer;
    json_t *root = NULL;
    int code = answer_ask(client, &request, &answer, &root, err);
    if (code == CLI_EXIT_OK && json) {
        answer_print(&answer);
    } else if (code == CLI_EXIT_OK) {
        show(root);
    }
    json_decref(root);
    http_answer_close(&answer);
    return code;
}

int answer_change(struct client *client, const struct client_request *request,
                  bool json, const char *said, struct err *err)
{
    struct http_answer answer;
    json_t *root = NULL;
    int code = answer_ask(client, request, &answer, &root, err);
    if (code == CLI_EXIT_OK && json) {
        answer_print(&answer);
    } else if (code == CLI_EXIT_OK) {
        struct buf safe;
        buf_init(&safe);
        table_put_safe(&safe, said);
        printf("%.*s\n", (int)safe.len, (const char *)safe.data);
        buf_close(&safe);
    }
    json_decref(root);
    http_answer_close(&answer);
    return code;
}

void answer_print(const struct http_answer *answer)
{
    size_t len = answer->body.len;
    fwrite(answer->body.data, 1, len, stdout);
    if (len == 0 || answer->body.data[len - 1] != '\n') {
        putchar('\n');
    }
}

const char *answer_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

const char *answer_yes(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key)) ? "yes" : "no";
}

json_int_t answer_number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}
