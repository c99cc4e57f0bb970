/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/founding.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/id.h"
#include "cli/cli.h"
#include "raft/disk.h"

void founding_config(struct founding *founding, const char *file)
{
    founding->files++;
    if (founding->failed == 0) {
        founding->failed = config_load(&founding->config, file, &founding->err);
    }
}

/* ERR_INVALID: its port is left to the system. */
static int find_peer_address(const struct config *config, const char **out,
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

int founding_run(struct founding *founding, const char *name,
                 int (*run)(struct founding *founding))
{
    int code = CLI_EXIT_CONFIG;
    if (founding->failed == 0) {
        founding->failed = config_check(&founding->config, &founding->err);
    }
    if (founding->failed == 0) {
        founding->failed = find_peer_address(&founding->config, &founding->peer_address,
                                             &founding->err);
    }
    if (founding->failed == 0) {
        founding->failed = run(founding);
        code = CLI_EXIT_FAILED;
    }
    if (founding->failed != 0) {
        fflush(stdout);
        fprintf(stderr, "muster %s: %s\n", name, founding->err.text);
    }
    config_close(&founding->config);
    return founding->failed == 0 ? CLI_EXIT_OK : code;
}

struct restore_target founding_target(const struct founding *founding)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (struct restore_target){
        .node_id = id_random_63(),
        .cluster_id = id_random_63(),
        .wall_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000,
        .name = founding->config.node_name,
        .peer_address = founding->peer_address,
        .api_address = founding->config.listen_advertise_address,
    };
}

void founding_print_calm(const struct restore *restore)
{
    uint64_t calm_ms = restore_calm_ms(restore);
    if (calm_ms > 0) {
        printf("no run begins in its first %" PRIu64
               " s: runs that may still be alive, "
               "on whatever machine, end by then\n",
               (calm_ms + 999) / 1000);
    }
}

int founding_write_folder(struct restore *restore, const char *path,
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
