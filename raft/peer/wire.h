/* SPDX-License-Identifier: Apache-2.0 */
/* Frames and hellos ⇄ bytes (raft/README.md, "The wire between nodes"): pure. */
#ifndef RAFT_PEER_WIRE_H
#define RAFT_PEER_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "raft/link.h"

#define WIRE_HEAD_BYTES 8 /* u32 length of the body, u32 CRC32C of it */
#define WIRE_HELLO_BYTES                                                               \
    4096 /* the longest first frame; that of protocol 1 is shorter */
#define WIRE_VERSION_MAX 64

/* The head of a frame with this body. */
void wire_head(const uint8_t *body, size_t len, uint8_t head[WIRE_HEAD_BYTES]);

/* Look for a whole frame with a body of at most `max` bytes at the start of `data`.
 * 1: *body and *body_len (borrowed); the frame takes WIRE_HEAD_BYTES more. 0: more
 * bytes are needed. ERR_CORRUPT: no frame can come. */
int wire_frame(const uint8_t *data, size_t len, size_t max, const uint8_t **body,
               size_t *body_len, struct err *err);

/* The body of a hello frame, one reference. Its texts must be as wire_hello_decode()
 * wants them. */
struct bytes *wire_hello_encode(const struct hello *hello);

/* Fill `out` from a body; its strings are in `*strings`, which the caller frees, also
 * after an error. A hello of another protocol has nothing but that number: its strings
 * are NULL. ERR_CORRUPT. */
int wire_hello_decode(struct hello *out, char **strings, const uint8_t *body,
                      size_t len, struct err *err);

#endif
