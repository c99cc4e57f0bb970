/* SPDX-License-Identifier: Apache-2.0 */
/* Durations, cron lines, regular expressions, names, quoting. What is read as a
 * duration is printed as one that reads the same; what is quoted is UTF-8. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "json/jsontext.h"
#include "text/cron.h"
#include "text/duration.h"
#include "text/name.h"
#include "text/quote.h"
#include "text/regexp.h"
#include "text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct err err;
    int64_t ns;
    if (duration_parse(text, size, &ns, &err) == 0) {
        char printed[DURATION_TEXT_SIZE];
        int64_t again;
        duration_format(ns, printed);
        assert(duration_parse(printed, strlen(printed), &again, NULL) == 0);
        assert(again == ns);
    }
    cron_check(text, size, &err);
    regexp_check(text, size, &err);
    if (name_is_identifier(text, size)) {
        assert(utf8_valid(text, size));
    }
    char *quoted = quote_text(text, size);
    assert(utf8_valid(quoted, strlen(quoted)));
    mem_free(quoted);
    struct buf out;
    buf_init(&out);
    jsontext_put_string(&out, text, size);
    assert(utf8_valid((const char *)out.data, out.len));
    size_t len;
    jsontext_member(text, size, "name", &len);
    buf_close(&out);
    return 0;
}
