/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/install.h"

#include <assert.h>

#include "base/mem.h"
#include "raft/snapshot.h"

#define INSTALL_PIECE (64u * 1024) /* about a millisecond to decode */

static void install_read(void *owner, int result, size_t len);

static void install_next(struct install *install)
{
    store_snapshot_read(install->pin, install->offset, install->piece, INSTALL_PIECE,
                        install_read, install);
}

void install_close(struct install *install)
{
    if (install->pin == NULL) {
        return;
    }
    store_snapshot_unpin(install->pin);
    install->pin = NULL;
    snapshot_decoder_free(install->decoder);
    install->decoder = NULL;
    mem_free(install->piece);
    install->piece = NULL;
}

/* The piece that was read; *whole: it was the last. */
static int install_feed(struct install *install, int result, size_t len, bool *whole,
                        struct err *err)
{
    *whole = false;
    if (result != 0 || len == 0) {
        return err_set(err, result != 0 ? (enum err_code)result : ERR_CORRUPT,
                       "the snapshot that was just installed cannot be read at byte "
                       "%llu of its content",
                       (unsigned long long)install->offset);
    }
    result = snapshot_decoder_feed(install->decoder, install->piece, len, err);
    install->offset += len;
    *whole = install->offset == install->total;
    if (result == 0 && *whole) {
        struct snapshot_decoder *decoder = install->decoder;
        install->decoder = NULL; /* freed by what takes it */
        result = fsm_restore_decoded(install->fsm, decoder, err);
    }
    return result;
}

static void install_read(void *owner, int result, size_t len)
{
    struct install *install = owner;
    struct err err;
    bool whole = false;
    result = install_feed(install, result, len, &whole, &err);
    if (result == 0 && !whole) {
        install_next(install);
        return;
    }
    install_close(install);
    install->done(install->owner, result == 0 ? NULL : &err);
}

void install_start(struct install *install)
{
    struct snapshot_meta meta;
    assert(install->pin == NULL);
    install->pin = store_snapshot_pin(install->store, &meta, &install->total);
    assert(install->pin != NULL); /* it was just installed */
    install->decoder = snapshot_decoder_new();
    install->piece = mem_alloc(INSTALL_PIECE);
    install->offset = 0;
    install_next(install);
}
