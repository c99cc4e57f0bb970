/* SPDX-License-Identifier: Apache-2.0 */
/* The folders of a node's runs, and what is done there: each function blocks, is called
 * in the pool, and touches nothing of the loop's. */
#ifndef EXEC_PLACE_H
#define EXEC_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "exec/driver.h"
#include "exec/exec.h"
#include "exec/process.h"

struct starter;

struct place {
    int runs_fd;
    char *runs; /* absolute */
    char *work; /* absolute */
    uint64_t node;
    uint64_t log_bytes;
    struct starter *starter;
    char *cgroup;
    enum exec_containment containment;
    char boot[PROCESS_BOOT_SIZE];
    uint64_t pid_namespace;
};

int place_open(struct place *place, const struct exec_options *options,
               struct err *err);
void place_close(struct place *place);

/* --- starting
 * ------------------------------------------------------------------------- */

struct place_launched {
    int fd;         /* connected to its supervisor; -1: none is */
    uint64_t mark;  /* of its claim; 0: it has none of this start */
    bool unsettled; /* it may be alive: place_settle() by force; result.text has why,
                     * and it is unable if that finds no end; else, without `fd`, it has
                     * ended as `result` says */
    struct driver_result result;
};

/* The claim, the files, the supervisor. `cancelled`: the claim, and a result that says
 * so. */
void place_launch(const struct place *place, const struct driver_spec *spec,
                  bool cancelled, struct place_launched *out);

/* Is there something at `module` that this can run? Its program, absolute, to be freed,
 * and its folder likewise; ERR_UNSUPPORTED and a sentence that says what is missing. */
int place_module(const struct driver_spec *spec, char **folder, char **program,
                 struct err *err);

/* --- finding out
 * ------------------------------------------------------------------------ */

enum place_finding {
    PLACE_NOTHING, /* this node never claimed it */
    PLACE_DEAD,    /* claimed, no result, nothing of it is left */
    PLACE_ALIVE,   /* `fd` is connected to its supervisor */
    PLACE_ENDED,   /* as `result` says */
    PLACE_AGAIN,   /* not known yet: something of it does not die, or is in between */
};

struct place_settled {
    enum place_finding finding;
    int fd;
    uint64_t mark;     /* in: as far as it is known, or 0; out: of its claim */
    uint32_t grace_ms; /* of one that is alive */
    bool foreign;      /* PLACE_NOTHING: another node claimed it, and it is dead */
    struct driver_result result;
};

/* What became of a run, of which `out->mark` is read and the rest set. With `force`, or
 * if no supervisor answers, what is left of it is killed first, and no supervisor of it
 * can begin any more. */
void place_settle(const struct place *place, uint64_t run, bool force,
                  struct place_settled *out);

/* Is the folder's claim another node's? The data folder holds what an identity that was
 * removed has left, and numbers of runs are those of a cluster. */
bool place_is_foreign(const struct place *place, int folder_fd);

/* Write the result of a run that has none: PLACE_DEAD becomes PLACE_ENDED. */
int place_conclude(const struct place *place, uint64_t run,
                   const struct driver_result *result, struct err *err);

/* --- keeping
 * ---------------------------------------------------------------------------- */

struct place_kept {
    uint64_t run;
    uint64_t bytes;
    uint64_t wall_ms; /* of its end */
};

struct place_list {
    uint64_t *open; /* runs that were not forgotten */
    size_t open_count;
    struct place_kept *kept; /* those that were, by id */
    size_t kept_count;
};

int place_scan(const struct place *place, struct place_list *list, struct err *err);
void place_list_close(struct place_list *list);

/* Is it there, and was reported? */
bool place_is_kept(const struct place *place, uint64_t run);
/* It was reported: what it takes now. False: there is no such folder. */
bool place_put_away(const struct place *place, uint64_t run, struct place_kept *kept);
void place_remove(const struct place *place, uint64_t run);

/* Of a run; -1 with errno, which says by place_has_none() whether there is none or it
 * cannot be known. */
int place_folder(const struct place *place, uint64_t run);
bool place_has_none(int number);
/* Nothing more comes into the log of a run that has ended. */
void place_end_log(int folder_fd);
/* To the supervisor that listens in that folder; -1 with errno. */
int place_connect(int folder_fd);

#endif
