/* SPDX-License-Identifier: Apache-2.0 */
/* A frame about leases, from outside: refused, or encoded again to the bytes it came
 * from. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "raft/lease_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lease_message message;
    if (lease_decode(&message, data, size, NULL) == 0) {
        struct bytes *again = lease_encode(&message);
        assert(again->len == size && memcmp(again->data, data, size) == 0);
        bytes_unref(again);
    }
    return 0;
}
