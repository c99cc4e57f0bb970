/* SPDX-License-Identifier: Apache-2.0 */
#include "json/task_view.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "json/jsontext.h"
#include "json/jsonvalue.h"
#include "registry/task.h"
#include "text/duration.h"

#define MS_NS 1000000

/* A stretch of a canonical text: one value. */
struct part {
    const char *at; /* NULL: there is no such value */
    size_t len;
};

static struct part member(struct part object, const char *key)
{
    struct part value = {0};
    if (object.at != NULL) {
        value.at = jsontext_member(object.at, object.len, key, &value.len);
    }
    return value;
}

/* NULL if it is no string. */
static char *string_of(struct part part)
{
    const struct jsonvalue *value = NULL;
    char *text = NULL;
    if (part.at != NULL &&
        jsontext_parse(part.at, part.len, JSONTEXT_WHOLE, &value, NULL) == 0 &&
        jsonvalue_is(value, JSONVALUE_STRING)) {
        text = mem_strndup(value->text, value->count);
    }
    jsonvalue_free(value);
    return text;
}

char *task_view_cron(const char *text, size_t len)
{
    struct part condition = member((struct part){text, len}, "condition");
    return string_of(member(member(condition, "schedule"), "cron"));
}

char *task_view_module(const char *text, size_t len)
{
    return string_of(member((struct part){text, len}, "module"));
}

bool task_view_put_warning(struct buf *out, const char *text, size_t len)
{
    static const char *const unwatched[] = {"services", "catalog_services",
                                            "consul_kv"};
    struct part condition = member((struct part){text, len}, "condition");
    for (size_t i = 0; i < sizeof unwatched / sizeof unwatched[0]; i++) {
        if (member(condition, unwatched[i]).at != NULL) {
            buf_printf(out,
                       "this version does not watch '%s': the task runs when it is "
                       "asked to",
                       unwatched[i]);
            return true;
        }
    }
    return false;
}

/* Rounded up: what was asked for has passed when a run begins. */
static uint64_t duration_ms(struct part part)
{
    char *text = string_of(part);
    int64_t ns = 0;
    if (text == NULL || duration_parse(text, strlen(text), &ns, NULL) != 0 || ns < 0) {
        ns = 0;
    }
    mem_free(text);
    return (uint64_t)(ns / MS_NS) + (ns % MS_NS > 0 ? 1 : 0);
}

struct due_times due_times(const struct task *task, uint64_t now_ms)
{
    struct part whole = {task->text, task->text_len};
    struct part buffer = member(whole, "buffer_period");
    struct part enabled = member(buffer, "enabled");
    if (enabled.at == NULL || enabled.at[0] != 't') {
        return (struct due_times){now_ms + DUE_SETTLE_MS, now_ms + DUE_SETTLE_MS};
    }
    uint64_t min_ms = duration_ms(member(buffer, "min"));
    uint64_t max_ms = duration_ms(member(buffer, "max"));
    return (struct due_times){
        .at_ms = now_ms + min_ms,
        .until_ms = now_ms + (max_ms > min_ms ? max_ms : min_ms),
    };
}
