/* SPDX-License-Identifier: Apache-2.0 */
/* A snapshot from outside: refused with a reason, or restored to a registry that writes
 * those very bytes.
 *
 * A fuzzer does not find checksums, so the input is read as a list of records without
 * them (u8 kind, u16 length, body) and the right ones are put in; an input that begins
 * with 0xff is taken as it is after that byte. The first byte also decides in which
 * pieces it is fed. */
#include <assert.h>
#include <isa-l.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/map.h"
#include "raft/snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int collect(void *ctx, const void *data, size_t len)
{
    buf_put(ctx, data, len);
    return 0;
}

static void records_of(const uint8_t *data, size_t size, struct buf *out)
{
    struct cursor cursor;
    cursor_init(&cursor, data, size);
    while (cursor_left(&cursor) >= 3) {
        uint8_t kind = cursor_u8(&cursor);
        size_t len = cursor_u16(&cursor);
        size_t left = cursor_left(&cursor);
        const uint8_t *body = cursor_bytes(&cursor, len < left ? len : left);
        size_t start = out->len;
        buf_put_u8(out, kind);
        buf_put_blob(out, body, len < left ? len : left);
        buf_put_u32(out, crc32_iscsi(out->data + start, (int)(out->len - start), 0));
    }
}

static struct registry *restored(const struct buf *bytes, size_t piece)
{
    struct snapshot_decoder *decoder = snapshot_decoder_new();
    struct err err = {.code = ERR_NONE};
    for (size_t at = 0; at < bytes->len; at += piece) {
        size_t left = bytes->len - at;
        if (snapshot_decoder_feed(decoder, bytes->data + at,
                                  piece < left ? piece : left, &err) != 0) {
            assert(err.code == ERR_CORRUPT || err.code == ERR_UNSUPPORTED);
            assert(err.text[0] != '\0');
            snapshot_decoder_free(decoder);
            return NULL;
        }
    }
    return snapshot_decoder_finish(decoder, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct buf bytes;
    struct buf again;
    buf_init(&bytes);
    buf_init(&again);
    if (data[0] == 0xff) {
        buf_put(&bytes, data + 1, size - 1);
    } else {
        records_of(data + 1, size - 1, &bytes);
    }
    struct registry *registry = restored(&bytes, (size_t)data[0] * 7 + 1);
    if (registry != NULL) {
        int rv = snapshot_encode(registry, collect, &again);
        assert(rv == 0);
        assert(again.len == bytes.len);
        assert(memcmp(again.data, bytes.data, bytes.len) == 0);
        (void)event_log_after(registry_events(registry), 0);
        registry_free(registry);
    }
    buf_close(&bytes);
    buf_close(&again);
    map_reap(SIZE_MAX);
    return 0;
}
