/* SPDX-License-Identifier: Apache-2.0 */
/* A run's files and what is said on its socket: another release wrote them, or a disk
 * damaged them. */
#include <stddef.h>
#include <stdint.h>

#include "exec/files.h"
#include "exec/talk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_frames(struct buf *received)
{
    uint8_t kind = 0;
    int len;
    struct cursor payload;
    while ((len = talk_frame(received, &kind, &payload)) > 0) {
        struct talk_state state;
        struct driver_result result;
        bool on_disk;
        struct cursor same = payload;
        talk_get_state(&payload, &state);
        talk_get_result(&same, &on_disk, &result);
        talk_drop(received, (size_t)len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf bytes;
    buf_init(&bytes);
    buf_put(&bytes, data, size);
    struct files_claim claim;
    struct files_order order;
    struct files_record record;
    struct driver_result result;
    files_get_claim(&bytes, &claim, NULL);
    files_get_record(&bytes, &record, NULL);
    files_get_result(&bytes, &result, NULL);
    if (files_get_order(&bytes, &order, NULL) == 0) {
        files_order_close(&order);
    }
    read_frames(&bytes);
    buf_close(&bytes);
    return 0;
}
