/* SPDX-License-Identifier: Apache-2.0 */
/* `muster snapshot …`: copies of the state as files. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/id.h"
#include "cli/cli.h"
#include "cli/snapshot.h"
#include "raft/disk.h"

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

int snapshot_peer_address(const struct config *config, const char **out,
                          struct err *err)
{
    const char *address = config->listen_advertise_peer[0] != '\0'
                              ? config->listen_advertise_peer
                              : config->listen_peer;
    if (config->cluster_expect == 1) {
        *out = "";
        return 0;
    }
    *out = address;
    size_t len = strlen(address);
    if (strcmp(address + len - 2, ":0") == 0) {
        return err_set(
            err, ERR_INVALID,
            "listen.peer: '%.64s' has no port by which the others could find "
            "the first node",
            address);
    }
    return 0;
}

struct restore_target snapshot_target(const struct config *config,
                                      const char *peer_address)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (struct restore_target){
        .node_id = id_random_63(),
        .cluster_id = id_random_63(),
        .wall_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000,
        .name = config->node_name,
        .peer_address = peer_address,
        .api_address = config->listen_advertise_address,
    };
}

int snapshot_write_folder(struct restore *restore, const char *path,
                          struct restore_target *target, struct err *err)
{
    int rv = disk_uv_open(&target->disk, NULL, path, err); /* no jobs: no loop */
    if (rv != 0) {
        return rv;
    }
    rv = disk_lock(target->disk, err);
    if (rv == 0) {
        rv = restore_write(restore, target, err);
    }
    disk_uv_close(target->disk);
    return rv;
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
