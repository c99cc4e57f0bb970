/* SPDX-License-Identifier: Apache-2.0 */
/* A frame about the read index, from outside: refused, or encoded again to the bytes it
 * came from. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "raft/read_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct read_message message;
    if (read_decode(&message, data, size, NULL) == 0) {
        struct bytes *again = read_encode(&message);
        assert(again->len == size && memcmp(again->data, data, size) == 0);
        bytes_unref(again);
    }
    return 0;
}
