/* SPDX-License-Identifier: Apache-2.0 */
/* Two sorted lists of members, walked side by side. Reading is one pass over either
 * text, whatever they hold. */
#include "registry/task_diff.h"

#include <string.h>

#define ENABLED        "enabled"
#define NAME_BYTES_MAX 64   /* of a member that is named */
#define DATA_BYTES_MAX 4096 /* of the whole: an event must stay small */

struct member {
    const char *name;
    size_t name_len;
    const char *value;
    size_t value_len;
};

struct reader {
    const char *at;
    const char *end;
    bool broken;        /* the text is not what this can read */
    bool over;          /* there is no member any more */
    struct member last; /* the current one */
};

/* Behind the string that begins at `at`; NULL: it does not end. */
static const char *skip_string(const char *at, const char *end)
{
    for (at++; at < end; at++) {
        if (*at == '\\') {
            at++;
        } else if (*at == '"') {
            return at + 1;
        }
    }
    return NULL;
}

/* Behind the value that begins at `at`: its comma, or the brace that closes the object.
 */
static const char *skip_value(const char *at, const char *end)
{
    size_t depth = 0;
    while (at != NULL && at < end) {
        char c = *at;
        if (depth == 0 && (c == ',' || c == '}')) {
            return at;
        }
        if (c == '"') {
            at = skip_string(at, end);
            continue;
        }
        depth += c == '{' || c == '[';
        depth -= (c == '}' || c == ']') && depth > 0;
        at++;
    }
    return NULL;
}

/* Lower-case letters and underscores: they need no escape in the event. */
static size_t plain_name_len(const char *at, const char *end)
{
    size_t len = 0;
    while (at + len < end && len <= NAME_BYTES_MAX &&
           ((at[len] >= 'a' && at[len] <= 'z') || at[len] == '_')) {
        len++;
    }
    return len;
}

static int name_compare(const struct member *a, const struct member *b)
{
    size_t common = a->name_len < b->name_len ? a->name_len : b->name_len;
    int order = common > 0 ? memcmp(a->name, b->name, common) : 0;
    return order != 0 ? order
                      : (a->name_len > b->name_len) - (a->name_len < b->name_len);
}

/* The next member, or the end; `at` stands at the brace or comma before it. */
static void reader_step(struct reader *reader)
{
    struct member before = reader->last;
    if (reader->broken || reader->over) {
        return;
    }
    const char *at = reader->at;
    const char *end = reader->end;
    reader->broken = true; /* until this member is read */
    if (at + 1 == end && *at == '}') {
        reader->over = true;
        reader->broken = false;
        return;
    }
    if (end - at < 4 || at[1] != '"') {
        return;
    }
    struct member member = {.name = at + 2};
    member.name_len = plain_name_len(member.name, end);
    at = member.name + member.name_len;
    if (member.name_len == 0 || member.name_len > NAME_BYTES_MAX || end - at < 2 ||
        at[0] != '"' || at[1] != ':') {
        return;
    }
    member.value = at + 2;
    at = skip_value(member.value, end);
    if (at == NULL || name_compare(&before, &member) >= 0) {
        return;
    }
    member.value_len = (size_t)(at - member.value);
    reader->broken = *at == '}' && at + 1 != end;
    reader->last = member;
    reader->at = at;
}

static void reader_init(struct reader *reader, const char *text, size_t len)
{
    *reader = (struct reader){
        .at = text,
        .end = text + len,
        .broken = len < 2 || text[0] != '{',
        .last = {.name = ""},
    };
    if (len == 2 && memcmp(text, "{}", 2) == 0) {
        reader->at = text + 1;
    }
    reader_step(reader);
}

static void put_name(struct buf *out, const char *name, size_t len)
{
    buf_printf(out, "%s\"%.*s\"", out->data[out->len - 1] == '[' ? "" : ",", (int)len,
               name);
}

/* `enabled` in its place, once the names from here on are behind it. */
static void put_enabled(struct buf *out, bool *due, const struct member *next)
{
    static const struct member enabled = {ENABLED, sizeof ENABLED - 1, "", 0};
    if (*due && (next == NULL || name_compare(&enabled, next) < 0)) {
        put_name(out, enabled.name, enabled.name_len);
        *due = false;
    }
}

/* Step over the lesser of the two members, or over both of one name, and name them if
 * they are not the same. */
static void diff_step(struct buf *out, struct reader *was, struct reader *is, bool *due)
{
    int order = was->over ? 1 : is->over ? -1 : name_compare(&was->last, &is->last);
    struct reader *first = order <= 0 ? was : is;
    struct member member = first->last;
    bool same = order == 0 && was->last.value_len == is->last.value_len &&
                memcmp(was->last.value, is->last.value, is->last.value_len) == 0;
    put_enabled(out, due, &member);
    if (!same) {
        put_name(out, member.name, member.name_len);
    }
    if (order <= 0) {
        reader_step(was);
    }
    if (order >= 0) {
        reader_step(is);
    }
}

/* False: one of the texts is not what this can read; `out` holds anything then. */
static bool diff_members(struct buf *out, const struct task *task,
                         const struct task_draft *draft)
{
    struct reader was;
    struct reader is;
    size_t start = out->len;
    bool due = task->enabled != draft->enabled;
    reader_init(&was, task->text, task->text_len);
    reader_init(&is, draft->text, draft->text_len);
    while (!was.broken && !is.broken && !(was.over && is.over) &&
           out->len - start < DATA_BYTES_MAX) {
        diff_step(out, &was, &is, &due);
    }
    put_enabled(out, &due, NULL);
    return was.over && is.over;
}

void task_diff_put(struct buf *out, const struct task *task,
                   const struct task_draft *draft)
{
    buf_printf(out, "{\"changed\":[");
    size_t start = out->len;
    if (!diff_members(out, task, draft)) {
        bool due = task->enabled != draft->enabled;
        out->len = start;
        put_enabled(out, &due, NULL);
        if (!task_text_equal(task, draft)) {
            put_name(out, "text", 4);
        }
    }
    buf_printf(out, "]}");
}
