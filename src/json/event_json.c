/* SPDX-License-Identifier: Apache-2.0 */
#include "json/event_json.h"

#include <string.h>

#include "json/jsontext.h"
#include "text/rfc3339.h"

void event_json_put(struct buf *out, const struct event *event)
{
    char time[RFC3339_TEXT_SIZE];
    const char *type = event_type_name(event->type);
    buf_printf(out, "{\"index\":%llu,\"time\":\"%s\",\"type\":\"%s\"",
               (unsigned long long)event->seq, rfc3339_format_ms(event->wall_ms, time),
               type != NULL ? type : "");
    if (event->task[0] != '\0') {
        jsontext_put_key(out, "task");
        jsontext_put_text(out, event->task);
    }
    jsontext_put_key(out, "actor");
    jsontext_put_text(out, event->actor);
    jsontext_put_key(out, "request_id");
    jsontext_put_text(out, event->request_id);
    jsontext_put_key(out, "data");
    buf_put(out, event->data, strlen(event->data));
    buf_put_u8(out, '}');
}

void event_json_put_marker(struct buf *out, const char *type, uint64_t after,
                           uint64_t first)
{
    buf_printf(out, "{\"type\":\"%s\",\"after\":%llu", type, (unsigned long long)after);
    if (first != 0) {
        buf_printf(out, ",\"first\":%llu", (unsigned long long)first);
    }
    buf_put_u8(out, '}');
}
