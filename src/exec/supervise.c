/* SPDX-License-Identifier: Apache-2.0 */
/* The command `supervise FOLDER`: what stands between a node that has claimed a run and
 * the run's first process.
 *
 * In this order: a guard is above it (exec/guard.h); no descriptor of the node is left;
 * the folder is what it should be, of this boot; the socket listens; the *record* is
 * linked into place, or, if there is one, nothing is done: whoever makes it decides
 * whether a supervisor begins, ever. Then the node is told by a byte on standard
 * output, and the run's deadline is looked at before anything of it is started. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "exec/exec.h"
#include "exec/files.h"
#include "exec/process.h"
#include "exec/starter.h"
#include "exec/supervisor.h"

static void close_descriptors(void)
{
    syscall(SYS_close_range, STDERR_FILENO + 1, ~0u, 0);
}

/* What would end it is not for it; a terminal's keys do not reach a session without
 * one. */
static int open_signals(void)
{
    static const int ignored[] = {SIGINT,  SIGQUIT, SIGHUP, SIGPIPE,
                                  SIGUSR1, SIGUSR2, SIGTSTP};
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++) {
        signal(ignored[i], SIG_IGN);
    }
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_SETMASK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* The claim and the order, which must be of one run and of this boot. */
static int read_folder(struct supervisor *supervisor, struct err *err)
{
    struct files_claim claim;
    int failed = files_read_claim(supervisor->folder_fd, &claim, err);
    if (failed != 0) {
        return failed;
    }
    struct buf data;
    failed = files_read(supervisor->folder_fd, FILES_ORDER, &data, err);
    if (failed == 0) {
        failed = files_get_order(&data, &supervisor->order, err);
    }
    buf_close(&data);
    if (failed != 0) {
        return failed;
    }
    char boot[PROCESS_BOOT_SIZE];
    process_boot_id(boot);
    if (claim.run != supervisor->order.run || claim.mark != supervisor->order.mark ||
        strcmp(claim.boot, boot) != 0) {
        files_order_close(&supervisor->order);
        return err_set(err, ERR_CONFLICT, "the claim is another one's");
    }
    return 0;
}

static int open_log(struct supervisor *supervisor, struct err *err)
{
    mkdirat(supervisor->folder_fd, FILES_LOG, 0700); /* it may be there */
    int fd = openat(supervisor->folder_fd, FILES_LOG,
                    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return err_set(err, ERR_IO, "%s: %s", FILES_LOG, strerror(errno));
    }
    return runlog_writer_open(&supervisor->log, fd, supervisor->order.log_bytes, err);
}

/* Now no other supervisor of this run begins, and a node that finds this one dead knows
 * what to kill. */
static int make_record(struct supervisor *supervisor, struct err *err)
{
    struct files_record record = {.pid = (uint64_t)getpid(),
                                  .containment = supervisor->container.kind};
    struct process self;
    if (!process_read(getpid(), &self)) {
        return err_set(err, ERR_IO, "there is no /proc");
    }
    record.start_ticks = self.start_ticks;
    struct process guard;
    if (supervisor->guard != NULL && process_read(self.parent, &guard)) {
        record.guard = (uint64_t)guard.pid;
        record.guard_ticks = guard.start_ticks;
    }
    snprintf(record.cgroup, sizeof record.cgroup, "%s", supervisor->container.path);
    struct buf data;
    buf_init(&data);
    files_put_record(&data, &record);
    int failed = files_link(supervisor->folder_fd, FILES_RECORD, &data, err);
    buf_close(&data);
    return failed;
}

static int open_all(struct supervisor *supervisor, struct err *err)
{
    supervisor->signal_fd = open_signals();
    supervisor->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (supervisor->signal_fd < 0 || supervisor->timer_fd < 0 ||
        prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
        return err_set(err, ERR_IO, "no supervisor: %s", strerror(errno));
    }
    int failed = open_log(supervisor, err);
    if (failed == 0) {
        failed = links_open(&supervisor->links, FILES_SOCKET, err);
    }
    return failed;
}

/* The node waits for this byte, or for the end of the pipe. */
static void tell_ready(void)
{
    ssize_t written = write(STDOUT_FILENO, "1", 1);
    (void)written; /* nobody waits any more */
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        dup2(fd, STDOUT_FILENO);
        close(fd);
    }
}

static void arrange(struct supervisor *supervisor)
{
    uint64_t now_ms = process_boot_ms();
    const struct files_order *order = &supervisor->order;
    supervisor->state = SUPERVISOR_WAITING;
    supervisor->wait_until_ms = now_ms;
    supervisor->deadline_ms = order->deadline_ms;
    supervisor->limit_at_ms =
        order->time_limit_ms > 0 ? now_ms + order->time_limit_ms : UINT64_MAX;
    supervisor->tries.allowed = order->inspect || order->tries < 1 ? 1 : order->tries;
    supervisor->program.begun_fd = -1;
}

/* What is of no use any more, or nobody's business: the input has the variables. */
static void clean(struct supervisor *supervisor)
{
    static const char *const names[] = {FILES_SOCKET, FILES_ORDER, FILES_INPUT};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        unlinkat(supervisor->folder_fd, names[i], 0);
    }
    struct stat status;
    if (fstat(STDERR_FILENO, &status) == 0 && S_ISREG(status.st_mode) &&
        status.st_size == 0) {
        unlinkat(supervisor->folder_fd, FILES_ERRORS, 0);
    }
}

static void close_all(struct supervisor *supervisor)
{
    links_close(&supervisor->links);
    files_order_close(&supervisor->order);
    close(supervisor->signal_fd);
    close(supervisor->timer_fd);
    close(supervisor->folder_fd);
}

static int refuse(const struct err *err)
{
    fprintf(stderr, "muster supervise: %s\n", err->text);
    return 1;
}

static int supervise(struct supervisor *supervisor)
{
    struct err err;
    if (read_folder(supervisor, &err) != 0) {
        return refuse(&err);
    }
    if (open_all(supervisor, &err) != 0) {
        return refuse(&err);
    }
    int uncontained = container_make(&supervisor->container, &supervisor->order, &err);
    struct err other;
    if (make_record(supervisor, &other) != 0) {
        container_remove(&supervisor->container);
        unlinkat(supervisor->folder_fd, FILES_SOCKET, 0);
        return refuse(&other);
    }
    tell_ready();
    arrange(supervisor);
    if (uncontained != 0) {
        supervisor_refuse(supervisor, err.text);
    }
    supervisor_run(supervisor);
    clean(supervisor);
    close_all(supervisor);
    return 0;
}

/* All of it, in the process that is to be the supervisor. */
static int supervise_folder(char *folder)
{
    close_descriptors();
    static struct supervisor supervisor;
    supervisor.guard = guard_fork(); /* one there is not is done without */
    supervisor.folder = folder;
    supervisor.folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (supervisor.folder_fd < 0 || fchdir(supervisor.folder_fd) != 0) {
        struct err err;
        err_set(&err, ERR_IO, "%s: %s", folder, strerror(errno));
        return refuse(&err);
    }
    umask(077);
    return supervise(&supervisor);
}

int exec_supervise(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], STARTER_OPTION) == 0) {
        close_descriptors();
        return starter_serve(argc, argv, supervise_folder);
    }
    if (argc != 2 || argv[1][0] == '-') {
        fprintf(stderr, "Usage: muster supervise FOLDER\n\n"
                        "Carry out the run that a node has claimed in FOLDER. A node "
                        "starts it; it is of no use to anybody else.\n");
        return 2;
    }
    return supervise_folder(argv[1]);
}
