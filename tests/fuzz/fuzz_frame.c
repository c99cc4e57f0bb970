/* SPDX-License-Identifier: Apache-2.0 */
/* What comes from a peer, to the parser. Twice: as frames of a stream, and, with the
 * checksum made right, as the body of one. Nothing may be read beyond what is there; a
 * hello that is accepted is written again as it came. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "raft/peer/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_at_hello(const uint8_t *body, size_t len)
{
    struct hello hello;
    char *strings = NULL;
    struct err err;
    if (wire_hello_decode(&hello, &strings, body, len, &err) != 0) {
        assert(err.code == ERR_CORRUPT);
    } else if (hello.protocol == LINK_PROTOCOL) {
        assert(hello.node_id != 0);
        struct bytes *again = wire_hello_encode(&hello);
        assert(again->len == len && memcmp(again->data, body, len) == 0);
        bytes_unref(again);
    } else {
        assert(hello.name == NULL && hello.node_id == 0);
    }
    mem_free(strings);
}

static void look_at_stream(const uint8_t *data, size_t size)
{
    size_t at = 0;
    for (;;) {
        const uint8_t *body = NULL;
        size_t len = 0;
        struct err err;
        int rv = wire_frame(data + at, size - at, LIMIT_FRAME_BYTES, &body, &len, &err);
        if (rv <= 0) {
            return;
        }
        assert(len > 0 && body == data + at + WIRE_HEAD_BYTES);
        at += WIRE_HEAD_BYTES + len;
        assert(at <= size);
        look_at_hello(body, len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    look_at_stream(data, size);
    look_at_hello(data, size);
    if (size > 0) {
        uint8_t *frame = mem_alloc(WIRE_HEAD_BYTES + size);
        wire_head(data, size, frame);
        memcpy(frame + WIRE_HEAD_BYTES, data, size);
        look_at_stream(frame, WIRE_HEAD_BYTES + size);
        mem_free(frame);
    }
    return 0;
}
