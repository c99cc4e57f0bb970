/* SPDX-License-Identifier: Apache-2.0 */
/* A write handed on, or its outcome, from a peer: what is read is written the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "raft/forward_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct forward_message message;
    if (forward_decode(&message, data, len, NULL) == 0) {
        struct bytes *again = forward_encode(&message);
        if (again->len != len || memcmp(again->data, data, len) != 0) {
            abort();
        }
        bytes_unref(again);
    }
    return 0;
}
