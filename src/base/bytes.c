/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bytes.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

struct bytes *bytes_new(const void *data, size_t len)
{
    struct bytes *bytes = mem_alloc(sizeof *bytes + len);
    bytes->refs = 1;
    bytes->len = len;
    if (data != NULL && len > 0) {
        memcpy(bytes->data, data, len);
    }
    return bytes;
}

struct bytes *bytes_ref(struct bytes *bytes)
{
    assert(bytes->refs > 0 && bytes->refs < UINT32_MAX);
    bytes->refs++;
    return bytes;
}

void bytes_unref(struct bytes *bytes)
{
    if (bytes == NULL) {
        return;
    }
    assert(bytes->refs > 0);
    if (--bytes->refs == 0) {
        mem_free(bytes);
    }
}
