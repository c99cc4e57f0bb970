/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a run's folder; src/exec/README.md has them byte by byte.
 *
 * claim   made first, never twice: this machine has taken the run
 * order   what its supervisor is to do
 * record  who the supervisor is; made by it, or by a node that wants none to begin
 * result  how the run ended */
#ifndef EXEC_FILES_H
#define EXEC_FILES_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "exec/driver.h"
#include "exec/exec.h"
#include "exec/process.h"

#define FILES_MODE 0711 /* of a run's folder; whoever needs it puts that right */

#define FILES_CLAIM    "claim"
#define FILES_ORDER    "order"
#define FILES_RECORD   "record"
#define FILES_RESULT   "result"
#define FILES_INPUT    "input.json"
#define FILES_SOCKET   "socket"
#define FILES_LOG      "log"
#define FILES_ERRORS   "errors" /* what a supervisor says of itself */
#define FILES_REPORTED "reported"
#define FILES_PART     ".part" /* what is written before it gets its name */

struct files_claim {
    char boot[PROCESS_BOOT_SIZE];
    uint64_t pid_namespace;
    uint64_t node;
    uint64_t run;
    uint64_t mark; /* random: exec/process.h */
};

struct files_order {
    uint64_t run;
    uint64_t mark;
    const char *task;
    const char *program; /* absolute */
    const char *module;  /* absolute */
    const char *work;    /* absolute */
    const char *cgroup;  /* "": the supervisor's own */
    bool inspect;
    uint64_t deadline_ms;
    uint32_t grace_ms;
    uint32_t tries;
    uint64_t time_limit_ms;
    uint32_t uid, gid;
    struct driver_limits limits;
    uint64_t log_bytes;
    enum exec_containment containment;
};

struct files_record {
    uint64_t pid; /* 0: none may begin any more */
    uint64_t start_ticks;
    uint64_t guard; /* the process above it; 0: there is none */
    uint64_t guard_ticks;
    enum exec_containment containment;
    char cgroup[PATH_MAX]; /* of the run; "" none */
};

void files_put_claim(struct buf *buf, const struct files_claim *claim);
int files_get_claim(const struct buf *buf, struct files_claim *claim, struct err *err);
void files_put_order(struct buf *buf, const struct files_order *order);
/* Its texts are copies; files_order_close() frees them. */
int files_get_order(const struct buf *buf, struct files_order *order, struct err *err);
void files_order_close(struct files_order *order);
void files_put_record(struct buf *buf, const struct files_record *record);
int files_get_record(const struct buf *buf, struct files_record *record,
                     struct err *err);
void files_put_result(struct buf *buf, const struct driver_result *result);
int files_get_result(const struct buf *buf, struct driver_result *result,
                     struct err *err);

/* ERR_NOT_FOUND, ERR_UNAVAILABLE (no descriptor, no memory: another time), ERR_IO,
 * ERR_TOO_LARGE (over 64 KiB). `out` is initialised here. */
int files_read(int folder_fd, const char *name, struct buf *out, struct err *err);

/* A new file of that name, synced with its folder; ERR_EXISTS, ERR_FULL, ERR_IO. */
int files_create(int folder_fd, const char *name, const struct buf *data,
                 struct err *err);
/* As files_create(), without the syncs: a reader sees all of it or no such file. */
int files_link(int folder_fd, const char *name, const struct buf *data,
               struct err *err);

/* Room for a result, so that a disk that is full later has it. */
int files_reserve_result(int folder_fd, struct err *err);
/* Written in that room, synced, renamed, the folder synced. */
int files_write_result(int folder_fd, const struct driver_result *result,
                       struct err *err);
int files_read_result(int folder_fd, struct driver_result *result, struct err *err);
int files_read_claim(int folder_fd, struct files_claim *claim, struct err *err);
int files_read_record(int folder_fd, struct files_record *record, struct err *err);

#endif
