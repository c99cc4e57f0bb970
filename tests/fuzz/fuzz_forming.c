/* SPDX-License-Identifier: Apache-2.0 */
/* A forming frame from outside: refused, or encoded again to the bytes it came from. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "raft/forming_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct forming_message message;
    if (forming_decode(&message, data, size)) {
        struct bytes *again = forming_encode(&message);
        assert(again->len == size && memcmp(again->data, data, size) == 0);
        bytes_unref(again);
    }
    return 0;
}
