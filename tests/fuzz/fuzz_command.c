/* SPDX-License-Identifier: Apache-2.0 */
/* A batch from outside: either nothing changes, or it is applied and every command in
 * it, encoded again, gives the bytes it came from. What was applied can be snapshotted
 * and restored. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/limits.h"
#include "base/map.h"
#include "base/mem.h"
#include "raft/command.h"
#include "raft/fsm.h"
#include "raft/snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int feed(void *ctx, const void *data, size_t len)
{
    return snapshot_decoder_feed(ctx, data, len, NULL);
}

static void check_bytes(const uint8_t *data, size_t size)
{
    struct cursor cursor;
    struct batch_header header;
    struct command command;
    struct buf again;
    cursor_init(&cursor, data, size);
    buf_init(&again);
    int rv = batch_open(&cursor, &header, NULL);
    assert(rv == 0);
    batch_begin(&again, &header);
    for (uint32_t i = 0; i < header.count; i++) {
        rv = batch_next(&cursor, &command, NULL);
        assert(rv == 0);
        rv = command_encode(&again, &command, COMMAND_LEVEL, NULL);
        assert(rv == 0);
    }
    assert(again.len == size && memcmp(again.data, data, size) == 0);
    buf_close(&again);
}

static void check_snapshot(const struct registry *registry)
{
    struct snapshot_decoder *decoder = snapshot_decoder_new();
    int rv = snapshot_encode(registry, feed, decoder);
    assert(rv == 0);
    struct registry *restored = snapshot_decoder_finish(decoder, NULL);
    assert(restored != NULL);
    assert(digest_equal(registry_digest(registry), registry_digest(restored)));
    registry_free(restored);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fsm *fsm = fsm_new();
    struct digest before = registry_digest(fsm_registry(fsm));
    struct err err = {.code = ERR_NONE};
    size_t count = 0;
    int rv = fsm_apply(fsm, data, size, NULL, 0, &count, &err);
    if (rv == 0) {
        assert(count >= 1 && count <= LIMIT_BATCH_COMMANDS);
        check_bytes(data, size);
        check_snapshot(fsm_registry(fsm));
    } else {
        assert(rv == ERR_CORRUPT || rv == ERR_UNSUPPORTED);
        assert((int)err.code == rv && err.text[0] != '\0');
        assert(digest_equal(before, registry_digest(fsm_registry(fsm))));
    }
    fsm_free(fsm);
    map_reap(SIZE_MAX);
    return 0;
}
