/* SPDX-License-Identifier: Apache-2.0 */
#include "json/input_json.h"

#include "base/mem.h"
#include "json/jsontext.h"
#include "json/jsonvalue.h"

static void put_variable(struct buf *out, const struct jsonvalue *variable)
{
    const struct jsonvalue *value = NULL;
    struct err err;
    if (jsontext_parse(variable->text, variable->count, JSONTEXT_WHOLE, &value, &err) ==
        0) {
        buf_put(out, variable->text, variable->count);
        jsonvalue_free(value);
    } else {
        jsontext_put_string(out, variable->text, variable->count);
    }
}

static void put_variables(struct buf *out, const struct jsonvalue *variables)
{
    const struct jsonvalue *variable = jsonvalue_first(variables);
    buf_put_literal(out, "{");
    for (const char *comma = ""; variable != NULL; variable = variable->next) {
        buf_printf(out, "%s", comma);
        comma = ",";
        jsontext_put_string(out, variable->key, variable->key_len);
        buf_put_literal(out, ":");
        put_variable(out, variable);
    }
    buf_put_literal(out, "}");
}

static int input_put(struct input_json *out, const struct jsonvalue *task,
                     struct err *err)
{
    const struct jsonvalue *module = jsonvalue_get(task, "module");
    const struct jsonvalue *name = jsonvalue_get(task, "name");
    if (!jsonvalue_is(module, JSONVALUE_STRING) ||
        !jsonvalue_is(name, JSONVALUE_STRING)) {
        return err_set(err, ERR_INVALID, "its task has no module or no name");
    }
    out->module = mem_strndup(module->text, module->count);
    buf_put_literal(&out->text, "{\"catalog_services\":{},\"consul_kv\":{},"
                                "\"services\":[],\"task\":");
    jsontext_put_string(&out->text, name->text, name->count);
    buf_put_literal(&out->text, ",\"variables\":");
    put_variables(&out->text, jsonvalue_get(task, "variables"));
    buf_put_literal(&out->text, "}");
    buf_put_u8(&out->text, 0);
    return 0;
}

int input_json_make(struct input_json *out, const char *text, size_t len,
                    struct err *err)
{
    const struct jsonvalue *task = NULL;
    out->module = NULL;
    buf_init(&out->text);
    int rv = jsontext_parse(text, len, JSONTEXT_WHOLE, &task, err);
    if (rv == 0) {
        rv = input_put(out, task, err);
        jsonvalue_free(task);
    }
    return rv;
}

void input_json_close(struct input_json *input)
{
    mem_free(input->module);
    buf_close(&input->text);
}
