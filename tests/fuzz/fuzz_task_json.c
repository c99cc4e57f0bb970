/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of POST, PUT and PATCH. Beyond not crashing: a task that is accepted has a
 * text that is JSON, is accepted again and gives itself, with `enabled` in its place.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "json/jsontext.h"
#include "json/jsonvalue.h"
#include "json/task_json.h"
#include "text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_spliced(const struct task_draft *draft)
{
    struct task *task = task_new(draft, 1, 1);
    struct buf out;
    buf_init(&out);
    task_json_put(&out, task);
    size_t len;
    const char *enabled =
        jsontext_member((const char *)out.data, out.len, "enabled", &len);
    assert(enabled != NULL && len == (draft->enabled ? 4 : 5));
    assert(jsontext_check(out.data, out.len, JSONTEXT_WHOLE, NULL) == 0 ||
           out.len > draft->text_len); /* `enabled` may carry it over the limit */
    buf_close(&out);
    task_unref(task);
}

static void check_accepted(const struct task_json *first)
{
    assert(utf8_valid((const char *)first->text.data, first->text.len));
    struct task_json second;
    int rc = task_json_create_bare(first->text.data, first->text.len,
                                   &task_defaults_standard, &second, NULL);
    assert(rc == 0);
    assert(first->text.len == second.text.len);
    assert(memcmp(first->text.data, second.text.data, first->text.len) == 0);
    assert(first->draft.enabled_at == second.draft.enabled_at);
    task_json_close(&second);
    check_spliced(&first->draft);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err;
    struct task_json task;
    const struct jsonvalue *value;
    bool enabled;
    if (task_json_create(data, size, &task_defaults_standard, &task, &err) == 0) {
        check_accepted(&task);
    } else {
        assert(err.text[0] != '\0');
    }
    task_json_close(&task);
    if (task_json_create_bare(data, size, &task_defaults_standard, &task, &err) == 0) {
        check_accepted(&task);
    }
    task_json_close(&task);
    task_json_patch(data, size, &enabled, &err);
    if (jsontext_parse(data, size, JSONTEXT_WHOLE, &value, &err) == 0) {
        assert(jsontext_check(data, size, JSONTEXT_STREAM, NULL) == 0);
        jsonvalue_free(value);
    }
    return 0;
}
