/* SPDX-License-Identifier: Apache-2.0 */
#include "json/jsontext.h"

#include <stdint.h>
#include <string.h>

#include "json/jsonscan.h"
#include "json/jsonvalue.h"
#include "text/jsonpiece.h"

int jsontext_check(const void *data, size_t len, enum jsontext_reader reader,
                   struct err *err)
{
    size_t values = 0;
    return jsonscan_check(data, len, reader, &values, err);
}

int jsontext_parse(const void *data, size_t len, enum jsontext_reader reader,
                   const struct jsonvalue **out, struct err *err)
{
    size_t values = 0;
    *out = NULL;
    int rc = jsonscan_check(data, len, reader, &values, err);
    if (rc != 0) {
        return rc;
    }
    *out = jsonvalue_build(data, len, values, err);
    return *out != NULL ? 0 : ERR_INVALID;
}

void jsontext_put_string(struct buf *out, const char *text, size_t len)
{
    jsonpiece_put_string(out, text, len);
}

void jsontext_put_text(struct buf *out, const char *text)
{
    jsontext_put_string(out, text, strlen(text));
}

void jsontext_put_key(struct buf *out, const char *key)
{
    uint8_t before = out->len > 0 ? out->data[out->len - 1] : '{';
    if (before != '{' && before != '[') {
        buf_put_u8(out, ',');
    }
    buf_put_u8(out, '"');
    buf_put(out, key, strlen(key));
    buf_put(out, "\":", 2);
}

void jsontext_put_bool(struct buf *out, bool value)
{
    buf_put(out, value ? "true" : "false", value ? 4 : 5);
}

const char *jsontext_member(const char *object, size_t object_len, const char *key,
                            size_t *len)
{
    return jsonpiece_member(object, object_len, key, len);
}
