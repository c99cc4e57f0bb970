/* SPDX-License-Identifier: Apache-2.0 */
/* `muster snapshot …`: copies of the state as files. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/snapshot.h"

#define PIECE_BYTES (64 * 1024)

static int feed_file(struct restore *restore, FILE *file, struct err *err)
{
    static char piece[PIECE_BYTES];
    int rv = 0;
    while (rv == 0) {
        size_t len = fread(piece, 1, sizeof piece, file);
        if (len == 0) {
            break;
        }
        rv = restore_feed(restore, piece, len, err);
    }
    if (rv == 0 && ferror(file)) {
        rv = err_set(err, ERR_IO, "cannot be read: %s", strerror(errno));
    }
    return rv;
}

int snapshot_read(const char *path, struct restore **out,
                  struct restore_summary *summary, struct err *err)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return err_set(err, ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
    }
    struct restore *restore = restore_new();
    int rv = feed_file(restore, file, err);
    fclose(file);
    if (rv == 0) {
        rv = restore_finish(restore, summary, err);
    }
    if (rv != 0) {
        restore_free(restore);
        return err_prefix(err, "%s", path);
    }
    *out = restore;
    return 0;
}

void snapshot_print(const struct restore_summary *summary)
{
    if (summary->bytes > 0) { /* else it is of no file */
        printf("bytes    %" PRIu64 "\n", summary->bytes);
    }
    printf("tasks    %" PRIu64 ", %" PRIu64 " enabled\n", summary->tasks,
           summary->enabled);
    printf("members  %" PRIu64 "\n", summary->members);
    if (summary->events > 0) {
        printf("events   %" PRIu64 ", %" PRIu64 " to %" PRIu64 "\n", summary->events,
               summary->first, summary->next - 1);
    } else {
        printf("events   0, the next is %" PRIu64 "\n", summary->next);
    }
    printf("digest   %016" PRIx64 "%016" PRIx64 "\n", summary->digest.high,
           summary->digest.low);
}
