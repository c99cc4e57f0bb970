/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"

#define GOLDEN_LINE 32

static void golden_write(const char *path, const uint8_t *data, size_t len)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (size_t i = 0; i < len; i++) {
        fprintf(file, "%02x%s", data[i],
                i + 1 == len || (i + 1) % GOLDEN_LINE == 0 ? "\n" : "");
    }
    fclose(file);
}

void golden_check(const char *name, const void *data, size_t len)
{
    const uint8_t *bytes = data;
    char *path = mem_printf("tests/golden/%s", name);
    FILE *file = fopen(path, "r");
    if (file == NULL && getenv("MUSTER_GOLDEN_WRITE") != NULL) {
        golden_write(path, bytes, len);
        mem_free(path);
        return;
    }
    if (file == NULL) {
        fail_msg("no %s: MUSTER_GOLDEN_WRITE=1 makes it", path);
        return;
    }
    unsigned byte = 0;
    size_t at = 0;
    while (fscanf(file, "%2x", &byte) == 1) {
        if (at >= len || bytes[at] != byte) {
            fail_msg("%s: byte %zu was %02x for ever, now it is another", path, at,
                     byte);
        }
        at++;
    }
    fclose(file);
    if (at != len) {
        fail_msg("%s: %zu bytes for ever, now %zu", path, at, len);
    }
    mem_free(path);
}
