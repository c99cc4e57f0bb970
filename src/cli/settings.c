/* SPDX-License-Identifier: Apache-2.0 */
/* `muster settings [NAME=VALUE...]` (spec/muster.md 7). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/answer.h"
#include "cli/commands.h"
#include "cli/table.h"

static void show_settings(const json_t *root)
{
    struct table table;
    const char *name = NULL;
    json_t *setting = NULL;
    table_init(&table, 5, "NAME|VALUE|DEFAULT|MAY BE|UNIT");
    json_object_foreach(json_object_get(root, "settings"), name, setting)
    {
        bool fixed = json_is_false(json_object_get(setting, "writable"));
        table_put(&table, name);
        if (json_is_string(json_object_get(setting, "value"))) {
            table_put(&table, answer_text(setting, "value"));
            table_put(&table, answer_text(setting, "default"));
            table_put(&table, "a name");
            table_put(&table, answer_text(setting, "unit"));
            continue;
        }
        table_putf(&table, "%" JSON_INTEGER_FORMAT, answer_number(setting, "value"));
        table_putf(&table, "%" JSON_INTEGER_FORMAT, answer_number(setting, "default"));
        if (fixed) {
            table_put(&table, NULL);
        } else {
            table_putf(&table, "%" JSON_INTEGER_FORMAT " to %" JSON_INTEGER_FORMAT,
                       answer_number(setting, "min"), answer_number(setting, "max"));
        }
        table_put(&table, answer_text(setting, "unit"));
    }
    table_print(&table, stdout);
    table_close(&table);
}

/* The one setting that is a text. */
static bool is_zone(const char *name, const char *value)
{
    return strcmp(name, "schedule_zone") == 0 && value[0] != '\0';
}

/* {"name":value,…}; CLI_EXIT_USAGE: one is no NAME=NUMBER. The nodes judge the rest. */
static int put_values(struct buf *body, const struct command_arguments *arguments,
                      struct err *err)
{
    json_t *object = json_object();
    int code = CLI_EXIT_OK;
    for (size_t i = 0; i < arguments->count && code == CLI_EXIT_OK; i++) {
        const char *text = arguments->values[i];
        size_t name_len = strcspn(text, "=");
        const char *value = text + name_len + (text[name_len] == '=' ? 1 : 0);
        size_t digits = strspn(value, "0123456789");
        char name[128];
        snprintf(name, sizeof name, "%.*s", (int)(name_len < 127 ? name_len : 127),
                 text);
        bool zone = is_zone(name, value);
        if (!zone &&
            (name_len == 0 || digits == 0 || digits > 18 || value[digits] != '\0')) {
            code = CLI_EXIT_USAGE;
            err_set(err, ERR_INVALID,
                    "'%.100s' must be NAME=NUMBER, such as events_max_count=50000",
                    text);
        } else if (json_object_get(object, name) != NULL) {
            code = CLI_EXIT_USAGE;
            err_set(err, ERR_INVALID, "'%.100s' is given twice", name);
        } else {
            json_object_set_new(object, name,
                                zone ? json_string(value)
                                     : json_integer(strtoll(value, NULL, 10)));
        }
    }
    char *text = json_dumps(object, JSON_COMPACT);
    buf_printf(body, "%s", text);
    free(text);
    json_decref(object);
    return code;
}

int cli_settings(struct client *client, const struct command_arguments *arguments,
                 struct err *err)
{
    if (arguments->count == 0) {
        return answer_show(client, "/v1/settings", arguments->json, show_settings, err);
    }
    struct buf body;
    struct http_answer answer;
    json_t *root = NULL;
    buf_init(&body);
    http_answer_init(&answer);
    int code = put_values(&body, arguments, err);
    if (code == CLI_EXIT_OK) {
        struct client_request request = {
            .method = "PUT",
            .path = "/v1/settings",
            .body = body.data,
            .body_len = body.len,
            .look = "muster settings",
        };
        code = answer_ask(client, &request, &answer, &root, err);
    }
    if (code == CLI_EXIT_OK && arguments->json) {
        answer_print(&answer);
    } else if (code == CLI_EXIT_OK) {
        show_settings(root);
    }
    json_decref(root);
    http_answer_close(&answer);
    buf_close(&body);
    return code;
}
