/* SPDX-License-Identifier: Apache-2.0 */
/* `muster events` (spec/muster.md 6). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/answer.h"
#include "cli/commands.h"
#include "cli/events.h"
#include "cli/table.h"

void events_put_filter(struct buf *path, const char *name, const char *value)
{
    if (value != NULL) {
        bool first = memchr(path->data, '?', path->len) == NULL;
        buf_printf(path, "%c%s=", first ? '?' : '&', name);
        client_put_encoded(path, value);
    }
}

static void show_events(const json_t *root)
{
    struct table table;
    table_init(&table, 5, "INDEX|TIME|TYPE|TASK|DATA");
    const json_t *events = json_object_get(root, "events");
    for (size_t i = 0; i < json_array_size(events); i++) {
        const json_t *event = json_array_get(events, i);
        const json_t *task = json_object_get(event, "task");
        char *data =
            json_dumps(json_object_get(event, "data"), JSON_COMPACT | JSON_ENCODE_ANY);
        table_putf(&table, "%" JSON_INTEGER_FORMAT, answer_number(event, "index"));
        table_put(&table, answer_text(event, "time"));
        table_put(&table, answer_text(event, "type"));
        table_put(&table, json_string_value(task));
        table_put(&table, data);
        free(data);
    }
    table_print(&table, stdout);
    table_close(&table);
    json_int_t next = answer_number(root, "next");
    if (next < answer_number(root, "last")) {
        fprintf(stderr, "there are more: --after %" JSON_INTEGER_FORMAT "\n", next);
    }
}

int cli_events(struct client *client, const struct command_arguments *arguments,
               struct err *err)
{
    if (arguments->follow) {
        return events_follow(client, arguments, err);
    }
    struct buf path;
    buf_init(&path);
    buf_printf(&path, "/v1/events");
    events_put_filter(&path, "after", arguments->after);
    events_put_filter(&path, "limit", arguments->limit);
    events_put_filter(&path, "task", arguments->task);
    events_put_filter(&path, "type", arguments->type);
    buf_put_u8(&path, 0);
    int code =
        answer_show(client, (const char *)path.data, arguments->json, show_events, err);
    buf_close(&path);
    return code;
}
