/* SPDX-License-Identifier: Apache-2.0 */
/* JSON merge patches (RFC 7386) of a task: the patched object is written out as text
 * and read like any task that comes from outside, so that no rule stands twice. Members
 * are walked side by side in the order of their names. */
#include <string.h>

#include "base/mem.h"
#include "json/jsontext.h"
#include "json/jsonvalue.h"
#include "json/task_json.h"
#include "json/task_rules.h"
#include "json/task_schema.h"

static void put_key(struct buf *out, const struct jsonvalue *member, bool *first)
{
    buf_printf(out, "%s", *first ? "" : ",");
    *first = false;
    jsontext_put_string(out, member->key, member->key_len);
    buf_put_u8(out, ':');
}

/* A value as it is, nulls in it included. */
static void put_value(struct buf *out, const struct jsonvalue *value)
{
    bool object = value->type == JSONVALUE_OBJECT;
    bool first = true;
    switch (value->type) {
    case JSONVALUE_NULL:
        buf_put_literal(out, "null");
        return;
    case JSONVALUE_FALSE:
    case JSONVALUE_TRUE:
        jsontext_put_bool(out, value->type == JSONVALUE_TRUE);
        return;
    case JSONVALUE_NUMBER: /* no field of a task is one: it is refused as such */
        buf_printf(out, "%.17g", value->number);
        return;
    case JSONVALUE_STRING:
        jsontext_put_string(out, value->text, value->count);
        return;
    case JSONVALUE_ARRAY:
    case JSONVALUE_OBJECT:
        break;
    }
    buf_put_u8(out, object ? '{' : '[');
    for (const struct jsonvalue *at = jsonvalue_first(value); at != NULL;
         at = at->next) {
        if (object) {
            put_key(out, at, &first);
        } else {
            buf_printf(out, "%s", first ? "" : ",");
            first = false;
        }
        put_value(out, at);
    }
    buf_put_u8(out, object ? '}' : ']');
}

static int key_order(const struct jsonvalue *a, const struct jsonvalue *b)
{
    return strcmp(a->key, b->key);
}

static void put_patched(struct buf *out, const struct jsonvalue *target,
                        const struct jsonvalue *patch);

/* `patch` is an object; a target that is none counts as an empty one. */
static void put_patched_object(struct buf *out, const struct jsonvalue *target,
                               const struct jsonvalue *patch)
{
    target = jsonvalue_is(target, JSONVALUE_OBJECT) ? target : NULL;
    size_t old_count = jsonvalue_count(target);
    size_t new_count = jsonvalue_count(patch);
    const struct jsonvalue **olds = jsonvalue_by_key(target);
    const struct jsonvalue **news = jsonvalue_by_key(patch);
    bool first = true;
    size_t i = 0;
    size_t k = 0;
    buf_put_u8(out, '{');
    while (i < old_count || k < new_count) {
        int order = i == old_count   ? 1
                    : k == new_count ? -1
                                     : key_order(olds[i], news[k]);
        if (order < 0) { /* the patch does not name it */
            put_key(out, olds[i], &first);
            put_value(out, olds[i++]);
            continue;
        }
        const struct jsonvalue *old = order == 0 ? olds[i++] : NULL;
        const struct jsonvalue *new = news[k++];
        if (!jsonvalue_is(new, JSONVALUE_NULL)) {
            put_key(out, new, &first);
            put_patched(out, old, new);
        }
    }
    buf_put_u8(out, '}');
    mem_free(olds);
    mem_free(news);
}

static void put_patched(struct buf *out, const struct jsonvalue *target,
                        const struct jsonvalue *patch)
{
    if (jsonvalue_is(patch, JSONVALUE_OBJECT)) {
        put_patched_object(out, target, patch);
    } else {
        put_value(out, patch);
    }
}

/* What is wrong with the patch, whatever the task. */
static int check_form(const struct jsonvalue *patch, struct err *err)
{
    if (!jsonvalue_is(patch, JSONVALUE_OBJECT)) {
        return err_set(err, ERR_INVALID, "a merge patch of a task must be an object");
    }
    if (jsonvalue_get(patch, "name") != NULL) {
        return err_set(err, ERR_INVALID,
                       "a merge patch cannot change 'name': it is what the path names");
    }
    return 0;
}

/* The text that the patch makes of `base` → `out`. */
static int merge_text(const struct buf *base, const struct jsonvalue *patch,
                      struct buf *out, char **name, struct err *err)
{
    const struct jsonvalue *task;
    int rc = jsontext_parse(base->data, base->len, JSONTEXT_WHOLE, &task, err);
    if (rc == 0) {
        *name = mem_strdup(task_rules_text(task, "name"));
        put_patched(out, task, patch);
    }
    jsonvalue_free(task);
    return rc;
}

int task_json_merge(const struct buf *base, const void *patch, size_t len,
                    const struct task_defaults *defaults, struct task_json *out,
                    struct err *err)
{
    const struct jsonvalue *root;
    *out = (struct task_json){0};
    int rc = jsontext_parse(patch, len, JSONTEXT_WHOLE, &root, err);
    if (rc != 0) {
        return rc;
    }
    rc = check_form(root, err);
    if (rc == 0 && base != NULL) {
        struct buf merged;
        char *name = NULL;
        buf_init(&merged);
        rc = merge_text(base, root, &merged, &name, err);
        if (rc == 0) {
            rc = task_json_create_bare(merged.data, merged.len, defaults, out, err);
        }
        if (out->name == NULL) { /* it does not fit the schema */
            out->name = name;
            name = NULL;
        }
        mem_free(name);
        buf_close(&merged);
    }
    jsonvalue_free(root);
    return rc;
}
