/* SPDX-License-Identifier: Apache-2.0 */
/* A frame with state digests, from outside: refused, or kept and encoded again to the
 * bytes it came from; judging what was said ends, whatever it is. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "raft/digest_watch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct membership members = {.count = 2, .rows = {{.id = 1}, {.id = 2}}};
    struct digest_watch watch;
    struct digest_finding finding;
    members.rows[0].voter = members.rows[1].voter = true;
    digest_watch_init(&watch, 1, 1);
    digest_watch_note(&watch, 3, (struct digest){1, 2});
    if (digest_watch_hear(&watch, 2, &members, data, size, NULL) == 0) {
        struct digest_watch other = {.own = watch.others[0]};
        struct bytes *again = digest_watch_encode(&other);
        assert(again->len == size && memcmp(again->data, data, size) == 0);
        bytes_unref(again);
    }
    digest_watch_judge(&watch, &members, &finding);
    assert(finding.verdict != DIGEST_DIFFERENT);
    return 0;
}
