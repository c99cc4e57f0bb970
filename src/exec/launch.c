/* SPDX-License-Identifier: Apache-2.0 */
/* A run's start: the claim is on disk before anything else of it is done, and whoever
 * finds one starts nothing. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/id.h"
#include "base/mem.h"
#include "exec/files.h"
#include "exec/place.h"
#include "exec/starter.h"
#include "exec/tries.h"

#define LAUNCH_READY_MS 10000 /* an empty machine takes ten */

/* --- the module
 * ------------------------------------------------------------------------------ */

static bool has_terraform(const char *folder)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    bool found = false;
    while (dir != NULL && !found && (entry = readdir(dir)) != NULL) {
        size_t len = strlen(entry->d_name);
        found = len > 3 && strcmp(entry->d_name + len - 3, ".tf") == 0;
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return found;
}

static int judge(const char *folder, const char *program, bool inspect, struct err *err)
{
    if (has_terraform(folder)) {
        return err_set(err, ERR_UNSUPPORTED,
                       "the module %s is Terraform's (it has *.tf files), and this "
                       "muster has no terraform driver",
                       folder);
    }
    const char *name = inspect ? "plan" : "apply";
    struct stat status;
    if (stat(program, &status) != 0) {
        return err_set(err, ERR_UNSUPPORTED, "the module %s has no %s: %s", folder,
                       name,
                       inspect ? "only a module with an executable file of that name "
                                 "can be inspected"
                               : "a module is a folder with an executable file of that "
                                 "name");
    }
    if (!S_ISREG(status.st_mode) || access(program, X_OK) != 0) {
        return err_set(err, ERR_UNSUPPORTED,
                       "%s is not an executable file: chmod +x makes it one", program);
    }
    return 0;
}

int place_module(const struct driver_spec *spec, char **folder, char **program,
                 struct err *err)
{
    *program = NULL;
    *folder = realpath(spec->module, NULL); /* by malloc(), as all of ours */
    if (*folder == NULL) {
        return err_set(err, ERR_UNSUPPORTED,
                       "there is no module %.256s on this machine (%s): a module is a "
                       "folder with an executable file apply",
                       spec->module, strerror(errno));
    }
    *program = mem_printf("%s/%s", *folder, spec->inspect ? "plan" : "apply");
    return judge(*folder, *program, spec->inspect, err);
}

/* --- the folder
 * -------------------------------------------------------------------------------- */

/* Of another node's run that had this number: it is dead, that was seen to before any
 * run is started. */
static void remove_foreign(const struct place *place, uint64_t run)
{
    int folder_fd = place_folder(place, run);
    if (folder_fd < 0) {
        return;
    }
    bool foreign = place_is_foreign(place, folder_fd);
    close(folder_fd);
    if (foreign) {
        place_remove(place, run);
    }
}

/* A folder of its own, whose name is on disk. */
static int make_run_folder(const struct place *place, uint64_t run, struct err *err)
{
    char name[32];
    snprintf(name, sizeof name, "%" PRIu64, run);
    if (mkdirat(place->runs_fd, name, FILES_MODE) != 0 && errno != EEXIST) {
        return err_set(err, ERR_IO, "%s/%s: create: %s", place->runs, name,
                       strerror(errno));
    }
    int fd = place_folder(place, run);
    if (fd < 0 || fchmod(fd, FILES_MODE) != 0 || fsync(place->runs_fd) != 0) {
        int number = errno;
        if (fd >= 0) {
            close(fd);
        }
        return err_set(err, ERR_IO, "%s/%s: %s", place->runs, name, strerror(number));
    }
    return fd;
}

static int claim(const struct place *place, int folder_fd, uint64_t run, uint64_t *mark,
                 struct err *err)
{
    struct files_claim claim = {
        .pid_namespace = place->pid_namespace,
        .node = place->node,
        .run = run,
    };
    memcpy(claim.boot, place->boot, sizeof claim.boot);
    id_random(&claim.mark, sizeof claim.mark);
    *mark = claim.mark;
    struct buf data;
    buf_init(&data);
    files_put_claim(&data, &claim);
    int failed = files_create(folder_fd, FILES_CLAIM, &data, err);
    buf_close(&data);
    return failed;
}

/* Neither is needed after a crash of the machine: they are not synced. */
static int write_plain(int folder_fd, const char *name, const void *data, size_t len,
                       struct err *err)
{
    int fd = openat(folder_fd, name,
                    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    ssize_t written = fd >= 0 ? write(fd, data, len) : -1;
    int number = written < 0 ? errno : ENOSPC;
    if (fd >= 0) {
        close(fd);
    }
    return written == (ssize_t)len
               ? 0
               : err_set(err, ERR_IO, "%s: write: %s", name, strerror(number));
}

static int write_order(const struct place *place, int folder_fd,
                       const struct driver_spec *spec, struct files_order *order,
                       struct err *err)
{
    order->run = spec->run;
    order->task = spec->task;
    order->cgroup = place->cgroup;
    order->inspect = spec->inspect;
    order->deadline_ms = spec->deadline_ms;
    order->grace_ms = spec->grace_ms;
    order->tries = spec->tries;
    order->time_limit_ms = spec->time_limit_ms;
    order->uid = spec->uid;
    order->gid = spec->gid;
    order->limits = spec->limits;
    order->log_bytes = place->log_bytes;
    order->containment = place->containment;
    struct buf data;
    buf_init(&data);
    files_put_order(&data, order);
    int failed = write_plain(folder_fd, FILES_ORDER, data.data, data.len, err);
    buf_close(&data);
    const char *input = spec->input[0] != '\0' ? spec->input : "{}";
    if (failed == 0) {
        failed = write_plain(folder_fd, FILES_INPUT, input, strlen(input), err);
    }
    return failed;
}

/* A task's name is an identifier; whatever it is, it must not lead out of the folder.
 */
static int make_work(const struct place *place, const char *task, char **work,
                     struct err *err)
{
    if (task[0] == '\0' || task[0] == '.' || strchr(task, '/') != NULL) {
        return err_set(err, ERR_INVALID, "'%.64s' is not a task's name", task);
    }
    *work = mem_printf("%s/%s", place->work, task);
    if (mkdir(*work, 0700) != 0 && errno != EEXIST) {
        return err_set(err, ERR_IO, "%s: create: %s", *work, strerror(errno));
    }
    return 0;
}

/* Everything its supervisor reads. ERR_UNSUPPORTED, ERR_INVALID: it cannot be run;
 * else this machine cannot begin it. */
static int prepare(const struct place *place, int folder_fd,
                   const struct driver_spec *spec, uint64_t mark, struct err *err)
{
    char *module = NULL;
    char *program = NULL;
    char *work = NULL;
    int failed = files_reserve_result(folder_fd, err);
    if (failed == 0 && mkdirat(folder_fd, FILES_LOG, 0700) != 0) {
        failed = err_set(err, ERR_IO, FILES_LOG ": create: %s", strerror(errno));
    }
    if (failed == 0) {
        failed = place_module(spec, &module, &program, err);
    }
    if (failed == 0) {
        failed = make_work(place, spec->task, &work, err);
    }
    if (failed == 0) {
        struct files_order order = {
            .mark = mark, .program = program, .module = module, .work = work};
        failed = write_order(place, folder_fd, spec, &order, err);
    }
    mem_free(module);
    mem_free(program);
    mem_free(work);
    return failed;
}

/* --- the supervisor
 * -------------------------------------------------------------------------------- */

/* True: it listens. */
static bool wait_ready(int fd)
{
    uint64_t end_ms = process_boot_ms() + LAUNCH_READY_MS;
    for (;;) {
        uint64_t now_ms = process_boot_ms();
        struct pollfd poller = {.fd = fd, .events = POLLIN};
        int ready = now_ms < end_ms ? poll(&poller, 1, (int)(end_ms - now_ms)) : 0;
        if (ready == 0) {
            return false;
        }
        char byte;
        if (ready > 0) {
            return read(fd, &byte, 1) == 1;
        }
    }
}

/* What it said of itself, behind what is known here. */
static void add_errors(int folder_fd, struct err *err)
{
    struct buf errors;
    if (files_read(folder_fd, FILES_ERRORS, &errors, NULL) == 0 && errors.len > 0) {
        const char *end = memchr(errors.data, '\n', errors.len);
        size_t len =
            end != NULL ? (size_t)(end - (const char *)errors.data) : errors.len;
        char *line = mem_strndup((const char *)errors.data, len);
        size_t at = strlen(err->text);
        snprintf(err->text + at, sizeof err->text - at, ": %.200s", line);
        mem_free(line);
    }
    buf_close(&errors);
}

/* ERR_UNAVAILABLE: there is none. ERR_OUTCOME_UNKNOWN: it may have begun. */
static int start_supervisor(const struct place *place, uint64_t run, struct err *err)
{
    int ready[2];
    if (pipe2(ready, O_CLOEXEC) != 0) {
        return err_set(err, ERR_UNAVAILABLE, "no pipe: %s", strerror(errno));
    }
    enum starter_outcome outcome = starter_start(place->starter, run, ready[1]);
    int number = errno;
    close(ready[1]);
    int failed = 0;
    if (outcome == STARTER_NONE) {
        failed = err_set(err, ERR_UNAVAILABLE, "no supervisor: %s", strerror(number));
    } else if (!wait_ready(ready[0])) {
        failed = err_set(err, ERR_OUTCOME_UNKNOWN, "its supervisor did not start");
    }
    close(ready[0]);
    return failed;
}

/* --- all of it
 * ---------------------------------------------------------------------------------------
 */

static void end_now(struct place_launched *out, enum driver_outcome outcome,
                    const char *text)
{
    out->result.outcome = outcome;
    out->result.ended_ms = process_wall_ms();
    tries_copy_text(out->result.text, text, strlen(text));
}

/* Not the module's fault, and as it would be with any other. */
static void unable_now(struct place_launched *out, const char *text)
{
    end_now(out, DRIVER_LOST, text);
    out->result.unable = true;
}

/* What was claimed before: its result if it has one. */
static void claimed_before(int folder_fd, struct place_launched *out)
{
    if (files_read_result(folder_fd, &out->result, NULL) != 0) {
        end_now(out, DRIVER_LOST, "it was claimed before: it is never started again");
    }
}

/* False: nothing was started, and the result says why. */
static bool begin(const struct place *place, int folder_fd,
                  const struct driver_spec *spec, struct place_launched *out)
{
    struct err err = {.text = "its supervisor cannot be reached"};
    int failed = start_supervisor(place, spec->run, &err);
    if (failed == 0) {
        out->fd = place_connect(folder_fd);
    } else if (failed == ERR_UNAVAILABLE) {
        unable_now(out, err.text);
        return false;
    } else {
        add_errors(folder_fd, &err);
    }
    if (out->fd < 0) { /* it may have begun all the same: who looks next finds out */
        out->unsettled = true;
        out->result.unable = true;
        tries_copy_text(out->result.text, err.text, strlen(err.text));
    }
    return true;
}

static void launch_claimed(const struct place *place, int folder_fd,
                           const struct driver_spec *spec, bool cancelled,
                           struct place_launched *out)
{
    struct err err;
    int failed = cancelled ? 0 : prepare(place, folder_fd, spec, out->mark, &err);
    if (cancelled) {
        end_now(out, DRIVER_CANCELLED, "cancelled before it began");
    } else if (failed == ERR_UNSUPPORTED || failed == ERR_INVALID) {
        end_now(out, DRIVER_FAILED, err.text);
    } else if (failed != 0) {
        unable_now(out, err.text);
    } else if (process_boot_ms() >= spec->deadline_ms) {
        end_now(out, DRIVER_LOST, "the lease ran out before it began");
    } else if (begin(place, folder_fd, spec, out)) {
        return;
    }
    place_end_log(folder_fd);
    files_write_result(folder_fd, &out->result, NULL); /* else it is found as a claim */
}

void place_launch(const struct place *place, const struct driver_spec *spec,
                  bool cancelled, struct place_launched *out)
{
    *out = (struct place_launched){.fd = -1};
    struct err err;
    remove_foreign(place, spec->run);
    int folder_fd = make_run_folder(place, spec->run, &err);
    if (folder_fd < 0) {
        unable_now(out, err.text);
        return;
    }
    int failed = claim(place, folder_fd, spec->run, &out->mark, &err);
    if (failed == ERR_EXISTS) {
        claimed_before(folder_fd, out);
    } else if (failed != 0) {
        unable_now(out, err.text);
    } else {
        launch_claimed(place, folder_fd, spec, cancelled, out);
    }
    close(folder_fd);
}
