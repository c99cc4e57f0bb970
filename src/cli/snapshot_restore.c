/* SPDX-License-Identifier: Apache-2.0 */
#include <argp.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "cli/founding.h"
#include "cli/snapshot.h"
#include "raft/disk.h"

struct restore_arguments {
    struct founding founding; /* first */
    const char *path;
};

static const struct argp_option restore_options[] = {
    {"config", 'c', "FILE", 0,
     "The node's configuration (.json); repeatable, later files win", 0},
    {0},
};

static error_t restore_option(int key, char *value, struct argp_state *state)
{
    struct restore_arguments *arguments = state->input;
    switch (key) {
    case 'c':
        founding_config(&arguments->founding, value);
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->path != NULL) {
            argp_error(state, "one SNAPSHOT at a time: '%s'", value);
        }
        arguments->path = value;
        return 0;
    case ARGP_KEY_END:
        if (arguments->path == NULL || arguments->founding.files == 0) {
            argp_error(state, "SNAPSHOT and --config FILE are needed");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* May it be there? Whose `raft` is beside them, restore_write() judges, and says so
 * better: a node has made the two others. */
static bool known_name(const char *name, bool raft)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
           strcmp(name, "raft") == 0 ||
           (raft && (strcmp(name, "runs") == 0 || strcmp(name, "work") == 0));
}

/* The folder of everything: not there, or nothing in it but what a restore that was cut
 * off has left in `raft`, which restore_write() judges. */
static int check_data_dir(const char *path, struct err *err)
{
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return errno == ENOENT ? 0
                               : err_set(err, ERR_IO, "%s: cannot be opened: %s", path,
                                         strerror(errno));
    }
    int rv = 0;
    const struct dirent *entry = NULL;
    bool raft = faccessat(dirfd(folder), "raft", F_OK, 0) == 0;
    while (rv == 0 && (entry = readdir(folder)) != NULL) {
        const char *name = entry->d_name;
        if (!known_name(name, raft)) {
            rv = err_set(err, ERR_EXISTS, "the folder %s is not empty: %s is in it",
                         path, name);
        }
    }
    closedir(folder);
    return rv;
}

static int write_node(struct restore *restore, const struct config *config,
                      struct restore_target *target, struct err *err)
{
    int rv = check_data_dir(config->node_data_dir, err);
    if (rv == 0) {
        rv = disk_uv_make_folders(config->node_data_dir, err);
    }
    if (rv != 0) {
        return rv;
    }
    char *path = mem_printf("%s/raft", config->node_data_dir);
    rv = founding_write_folder(restore, path, target, err);
    mem_free(path);
    return rv;
}

static int restore_run(struct founding *founding)
{
    struct restore_arguments *arguments = (struct restore_arguments *)(void *)founding;
    struct restore *restore = NULL;
    struct restore_summary summary;
    struct restore_target target = founding_target(founding);
    int rv =
        snapshot_read(arguments->path, &restore, &summary, &arguments->founding.err);
    if (rv != 0) {
        return rv;
    }
    rv = write_node(restore, &arguments->founding.config, &target,
                    &arguments->founding.err);
    if (rv == 0) {
        snapshot_print(&summary);
        printf("restored into %s: node %s, alone in the new cluster %" PRIu64 "\n"
               "its events go on with %" PRIu64 "; start it as always\n",
               arguments->founding.config.node_data_dir, target.name, target.cluster_id,
               restore_epoch(restore));
        founding_print_calm(restore);
    }
    restore_free(restore);
    return rv;
}

int cli_snapshot_restore(int argc, char **argv)
{
    static const struct argp parser = {
        .options = restore_options,
        .parser = restore_option,
        .args_doc = "SNAPSHOT",
        .doc = "Make a saved snapshot the first node of a NEW cluster, offline: the "
               "data folder of the configuration, which must not exist or be empty. "
               "Tasks and settings are as they were; event numbers leap by 2^32; the "
               "old members are forgotten. Started as always the node leads alone, and "
               "blank nodes that find it join it. Every other node of the old cluster "
               "must be off for good, with its data folder put away.\vA restore that "
               "was cut off leaves a folder that no node starts from: run it again. "
               "Exit codes: 0 restored, 1 not (the reason says why), 2 usage, 3 "
               "configuration.",
    };
    struct restore_arguments arguments = {.founding = {.failed = 0}};
    config_init(&arguments.founding.config);
    argp_err_exit_status = CLI_EXIT_USAGE;
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    return founding_run(&arguments.founding, "snapshot restore", restore_run);
}
