/* SPDX-License-Identifier: Apache-2.0 */
/* A small question, or its answer, from a peer: what is read is written the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "raft/request_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct request_message message;
    if (request_decode(&message, data, len, NULL) == 0) {
        struct bytes *again = request_encode(&message);
        if (again->len != len || memcmp(again->data, data, len) != 0) {
            abort();
        }
        bytes_unref(again);
    }
    return 0;
}
