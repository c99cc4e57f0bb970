/* SPDX-License-Identifier: Apache-2.0 */
/*   the folder's copy, read ─▶ the others, asked ─▶ new folder beside it, whole
 *     ─▶ the two change places ─▶ the old one gets its name to be kept under
 *
 * Up to the exchange the node's folder is as it was; after it, it is the new cluster's
 * first node. What a run that was cut off leaves is a folder beside it, whose name no
 * node looks at: `raft.new-…`, unfinished, or the old one if only its name was missing.
 */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "cli/founding.h"
#include "cli/recover.h"
#include "cli/snapshot.h"

#define SKIP_MAX 64

struct recover_arguments {
    struct founding founding; /* first */
    bool dry_run;
    uint64_t skip[SKIP_MAX];
    size_t skip_count;
};

static const struct argp_option recover_options[] = {
    {"config", 'c', "FILE", 0,
     "The node's configuration (.json); repeatable, later files win", 0},
    {"dry-run", 'n', 0, 0, "Say what there is and what would be done; write nothing",
     0},
    {"skip-entry", 's', "INDEX", 0,
     "Leave out this entry of the log, which cannot be applied; repeatable", 0},
    {0},
};

static void take_skip(struct recover_arguments *arguments, const char *text,
                      struct argp_state *state)
{
    char *end = NULL;
    errno = 0;
    unsigned long long index = strtoull(text, &end, 10);
    if (errno != 0 || text[0] < '0' || text[0] > '9' || *end != '\0' || index == 0) {
        argp_error(state, "--skip-entry: '%s' is no index of an entry", text);
    }
    if (arguments->skip_count == SKIP_MAX) {
        argp_error(state, "--skip-entry is given more than %d times", SKIP_MAX);
    }
    arguments->skip[arguments->skip_count++] = index;
}

static error_t recover_option(int key, char *value, struct argp_state *state)
{
    struct recover_arguments *arguments = state->input;
    switch (key) {
    case 'c':
        founding_config(&arguments->founding, value);
        return 0;
    case 'n':
        arguments->dry_run = true;
        return 0;
    case 's':
        take_skip(arguments, value, state);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "too many arguments: '%s'", value);
        return 0;
    case ARGP_KEY_END:
        if (arguments->founding.files == 0) {
            argp_error(state, "--config FILE is needed");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* --- the copy ------------------------------------------------------------------------
 */

static void print_copy(const char *folder, const struct recover_copy *copy)
{
    printf("folder %s: node %s (%" PRIu64 ") of cluster %" PRIu64 ", term %" PRIu64 "\n"
           "last entry: index %" PRIu64 " of term %" PRIu64
           "; known as committed: %" PRIu64 "; snapshot: ",
           folder, copy->name, copy->node_id, copy->cluster_id, copy->term, copy->last,
           copy->last_term, copy->commit);
    if (copy->snapshot_index != 0) {
        printf("index %" PRIu64 " of term %" PRIu64 "\n", copy->snapshot_index,
               copy->snapshot_term);
    } else {
        printf("none\n");
    }
}

static void print_skipped(void *owner, const struct recover_skipped *skipped)
{
    (void)owner;
    printf("left out: entry %" PRIu64 " of term %" PRIu64 " (%zu bytes): %s\n",
           skipped->index, skipped->term, skipped->bytes, skipped->what);
}

static int check_name(const struct recover_copy *copy, const struct config *config,
                      struct err *err)
{
    if (strcmp(copy->name, config->node_name) == 0) {
        return 0;
    }
    return err_set(err, ERR_CONFLICT,
                   "the folder belongs to node \"%.128s\", but this one is configured "
                   "as \"%.128s\"",
                   copy->name, config->node_name);
}

/* --- the new cluster
 * ------------------------------------------------------------------
 */

static bool is_there(const char *parent, const char *name)
{
    struct stat status;
    char *path = mem_printf("%s/%s", parent, name);
    bool there = lstat(path, &status) == 0;
    mem_free(path);
    return there;
}

/* A name for the old folder that nobody has. */
static char *name_old(const char *parent, uint64_t cluster_id)
{
    char *name = mem_printf("raft.old-%" PRIu64, cluster_id);
    for (unsigned n = 2; is_there(parent, name); n++) {
        mem_free(name);
        name = mem_printf("raft.old-%" PRIu64 "-%u", cluster_id, n);
    }
    return name;
}

/* The old folder is `*kept`, the caller's, afterwards. */
static int put_in_place(const char *parent, const char *fresh, uint64_t old_cluster,
                        char **kept, struct err *err)
{
    int rv = recover_exchange(parent, "raft", fresh, err);
    if (rv == 0) {
        *kept = name_old(parent, old_cluster);
        rv = recover_rename(parent, fresh, *kept, err);
    }
    return rv;
}

static int found_cluster(struct recover_arguments *arguments, struct restore *restore,
                         const struct recover_copy *copy)
{
    const struct config *config = &arguments->founding.config;
    struct restore_target target = founding_target(&arguments->founding);
    char *fresh = mem_printf("raft.new-%" PRIu64, target.cluster_id);
    char *path = mem_printf("%s/%s", config->node_data_dir, fresh);
    char *kept = NULL;
    int rv = founding_write_folder(restore, path, &target, &arguments->founding.err);
    if (rv == 0) {
        rv = put_in_place(config->node_data_dir, fresh, copy->cluster_id, &kept,
                          &arguments->founding.err);
    }
    if (rv == 0) {
        printf("recovered: node %s, alone in the new cluster %" PRIu64
               "; its events go on with %" PRIu64 "\n"
               "the old folder is kept as %s/%s; start the node as always, the others "
               "with empty folders\n",
               target.name, target.cluster_id, restore_epoch(restore),
               config->node_data_dir, kept);
        founding_print_calm(restore);
    }
    mem_free(kept);
    mem_free(path);
    mem_free(fresh);
    return rv;
}

/* --- the command
 * ----------------------------------------------------------------------
 */

/* With the folder locked: no node runs in it. */
static int recover_locked(struct recover_arguments *arguments, struct disk *disk)
{
    struct recover_order order = {
        .skip = arguments->skip,
        .skip_count = arguments->skip_count,
        .skipped = print_skipped,
    };
    struct recover_copy copy;
    struct restore *restore = NULL;
    struct restore_summary summary;
    struct err *err = &arguments->founding.err;
    int rv = recover_read(disk, &order, &copy, &restore, &summary, err);
    if (copy.cluster_id != 0) {
        print_copy(disk->path, &copy);
    }
    if (rv == 0) {
        snapshot_print(&summary);
        rv = check_name(&copy, &arguments->founding.config, err);
    }
    if (rv == 0) {
        rv = recover_ask(&copy, err);
    }
    if (rv == 0 && arguments->dry_run) {
        printf("nothing was written\n");
    } else if (rv == 0) {
        rv = found_cluster(arguments, restore, &copy);
    }
    if (restore != NULL) {
        restore_free(restore);
    }
    return rv;
}

static int recover_run(struct founding *founding)
{
    struct recover_arguments *arguments = (struct recover_arguments *)(void *)founding;
    const char *parent = arguments->founding.config.node_data_dir;
    struct disk *disk = NULL;
    if (!is_there(parent, "raft")) {
        return err_set(&arguments->founding.err, ERR_NOT_FOUND,
                       "%s: no node has run in this folder", parent);
    }
    char *path = mem_printf("%s/raft", parent);
    int rv = disk_uv_open(&disk, NULL, path,
                          &arguments->founding.err); /* no jobs: no loop */
    mem_free(path);
    if (rv != 0) {
        return rv;
    }
    rv = disk_lock(disk, &arguments->founding.err);
    if (rv == 0) {
        rv = recover_locked(arguments, disk);
    }
    disk_uv_close(disk);
    return rv;
}

int cli_cluster_recover(int argc, char **argv)
{
    static const struct argp parser = {
        .options = recover_options,
        .parser = recover_option,
        .doc =
            "Make what a stopped node's data folder holds the first node of a NEW "
            "cluster, offline: for when the majority of the voters is lost for good. "
            "The folder's snapshot and its whole log are applied, also what is not "
            "known to be committed; the other voters are asked, and if a majority "
            "runs, or one knows a leader, nothing is done. Tasks and settings are as "
            "they were; event numbers leap by 2^32; the old members are forgotten, "
            "and the old folder is kept under another name. Of several folders take "
            "the one with the highest term of its last entry, and of those the one "
            "with the highest index: --dry-run prints them.\vAn entry that cannot be "
            "applied (a bug; every node has stopped at it) is named with what can be "
            "read of it; --skip-entry leaves it out. Exit codes: 0 recovered, or "
            "with --dry-run: could be; 1 not (the reason says why), 2 usage, 3 "
            "configuration.",
    };
    struct recover_arguments arguments = {.founding = {.failed = 0}};
    config_init(&arguments.founding.config);
    argp_err_exit_status = CLI_EXIT_USAGE;
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    return founding_run(&arguments.founding, "cluster recover", recover_run);
}
