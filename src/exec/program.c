/* SPDX-License-Identifier: Apache-2.0 */
#include "exec/program.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"

#define PROGRAM_PATH        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define PROGRAM_ENVIRONMENT 10

/* Where it can end before its first instruction. */
enum stage {
    STAGE_BIND,
    STAGE_ENTER,
    STAGE_LIMIT,
    STAGE_FOLDER,
    STAGE_STREAMS,
    STAGE_USER,
    STAGE_INPUT,
    STAGE_EXECUTE,
};

static const char *const stage_names[] = {
    [STAGE_BIND] = "cannot be bound to its supervisor",
    [STAGE_ENTER] = "cannot enter its cgroup",
    [STAGE_LIMIT] = "cannot be limited",
    [STAGE_FOLDER] = "cannot enter its work folder",
    [STAGE_STREAMS] = "cannot have its output",
    [STAGE_USER] = "cannot become its user",
    [STAGE_INPUT] = "its user cannot read its input",
    [STAGE_EXECUTE] = "cannot be executed",
};

struct failure {
    int stage;
    int number;
};

/* What the child needs, made before the fork: after it nothing may be allocated. */
struct launch {
    const struct files_order *order;
    pid_t supervisor;
    int door_fd; /* of its cgroup, or -1 */
    int null_fd;
    int output_fd;
    int failure_fd;
    gid_t gid;
    uint64_t mark_limit;
    bool limit_memory; /* by rlimit: no cgroup does */
    bool limit_processes;
    char *input;
    char *environment[PROGRAM_ENVIRONMENT + 1];
};

/* --- the child
 * ------------------------------------------------------------------------ */

/* Of the thread that forked: when it is gone, so is this. It may be gone already. */
static bool bind_to(pid_t supervisor)
{
    return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == supervisor;
}

static bool set_limit(int what, uint64_t soft, uint64_t hard)
{
    struct rlimit limit;
    if (getrlimit((__rlimit_resource_t)what, &limit) != 0) {
        return false;
    }
    /* One that is lower than asked for stays: it cannot be raised without root. */
    limit.rlim_max = hard < limit.rlim_max ? hard : limit.rlim_max;
    limit.rlim_cur = soft < limit.rlim_max ? soft : limit.rlim_max;
    return setrlimit((__rlimit_resource_t)what, &limit) == 0;
}

static bool set_limits(const struct launch *launch)
{
    const struct driver_limits *limits = &launch->order->limits;
    bool set = set_limit(RLIMIT_RTTIME, launch->mark_limit, launch->mark_limit);
    if (launch->limit_memory && limits->memory_bytes > 0) {
        set = set && set_limit(RLIMIT_AS, limits->memory_bytes, limits->memory_bytes);
    }
    if (launch->limit_processes && limits->processes_count > 0) {
        set = set &&
              set_limit(RLIMIT_NPROC, limits->processes_count, limits->processes_count);
    }
    if (limits->cpu_seconds > 0) { /* SIGXCPU, and a second later SIGKILL */
        set = set && set_limit(RLIMIT_CPU, limits->cpu_seconds,
                               (uint64_t)limits->cpu_seconds + 1);
    }
    if (limits->files_count > 0) {
        set = set && set_limit(RLIMIT_NOFILE, limits->files_count, limits->files_count);
    }
    return set;
}

static bool set_user(const struct launch *launch)
{
    uid_t uid = launch->order->uid;
    return uid == 0 || (setgroups(1, &launch->gid) == 0 &&
                        setresgid(launch->gid, launch->gid, launch->gid) == 0 &&
                        setresuid(uid, uid, uid) == 0 &&
                        bind_to(launch->supervisor)); /* a change of user undoes it */
}

static bool set_streams(const struct launch *launch)
{
    return dup2(launch->null_fd, STDIN_FILENO) >= 0 &&
           dup2(launch->output_fd, STDOUT_FILENO) >= 0 &&
           dup2(launch->output_fd, STDERR_FILENO) >= 0 &&
           syscall(SYS_close_range, STDERR_FILENO + 1, ~0u, 4 /* close-on-exec */) == 0;
}

static void reset_signals(void)
{
    struct sigaction plain = {.sa_handler = SIG_DFL};
    for (int signal = 1; signal < NSIG; signal++) {
        sigaction(signal, &plain, NULL); /* two cannot be, and need not */
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool enter(const struct launch *launch)
{
    return launch->door_fd < 0 || write(launch->door_fd, "0", 1) == 1;
}

static enum stage prepare(const struct launch *launch)
{
    errno = 0;
    if (!bind_to(launch->supervisor)) {
        return STAGE_BIND;
    }
    if (setsid() < 0 || !enter(launch)) {
        return STAGE_ENTER;
    }
    if (!set_limits(launch)) {
        return STAGE_LIMIT;
    }
    if (chdir(launch->order->work) != 0) {
        return STAGE_FOLDER;
    }
    if (!set_user(launch)) {
        return STAGE_USER;
    }
    if (!set_streams(launch)) {
        return STAGE_STREAMS;
    }
    if (access(launch->input, R_OK) != 0) {
        return STAGE_INPUT;
    }
    umask(022);
    reset_signals();
    return STAGE_EXECUTE;
}

static _Noreturn void child(const struct launch *launch)
{
    struct failure failure = {.stage = (int)prepare(launch)};
    if (failure.stage == STAGE_EXECUTE) {
        char *argv[] = {(char *)(uintptr_t)launch->order->program, NULL};
        execve(launch->order->program, argv, launch->environment);
    }
    failure.number = errno;
    ssize_t written = write(launch->failure_fd, &failure, sizeof failure);
    (void)written; /* then all that is left to say is the exit code */
    _exit(127);
}

/* --- its supervisor
 * ---------------------------------------------------------------------- */

static void fill_environment(struct launch *launch, const char *folder)
{
    const struct files_order *order = launch->order;
    launch->input = mem_printf("%s/" FILES_INPUT, folder);
    char **at = launch->environment;
    *at++ = mem_strdup("PATH=" PROGRAM_PATH);
    *at++ = mem_strdup("LANG=C.UTF-8");
    *at++ = mem_printf("HOME=%s", order->work);
    *at++ = mem_printf("MUSTER_INPUT=%s", launch->input);
    *at++ = mem_printf("MUSTER_RUN=%" PRIu64, order->run);
    *at++ = mem_printf("MUSTER_FENCE=%" PRIu64, order->run);
    *at++ = mem_printf("MUSTER_TASK=%s", order->task);
    *at++ = mem_printf("MUSTER_MODULE=%s", order->module);
    *at++ = mem_printf(PROCESS_MARK_VARIABLE "=%016" PRIx64, order->mark);
    *at = NULL;
}

static void close_launch(struct launch *launch)
{
    int fds[] = {launch->door_fd, launch->null_fd, launch->output_fd,
                 launch->failure_fd};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    for (char **at = launch->environment; *at != NULL; at++) {
        mem_free(*at);
    }
    mem_free(launch->input);
}

/* The work folder and the input are its user's. */
static void give(const struct launch *launch)
{
    uid_t uid = launch->order->uid;
    if (uid != 0 && (chown(launch->order->work, uid, launch->gid) != 0 ||
                     chown(launch->input, uid, launch->gid) != 0)) {
        return; /* the program's user will find out, and it is said then */
    }
}

static gid_t group_of(const struct files_order *order)
{
    if (order->gid != 0 || order->uid == 0) {
        return order->gid;
    }
    const struct passwd *user = getpwuid(order->uid); /* never root's group */
    return user != NULL ? user->pw_gid : (gid_t)order->uid;
}

static bool limited_by(const struct container *container, const char *file)
{
    char path[PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/%s", container->path, file);
    return container->path[0] != '\0' && access(path, F_OK) == 0;
}

static int open_launch(struct launch *launch, struct program *program,
                       const struct container *container, struct err *err)
{
    int output[2];
    int failure[2];
    int failed = container_door(container, &launch->door_fd, err);
    if (failed != 0) {
        return failed;
    }
    launch->null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (launch->null_fd < 0 || pipe2(output, O_CLOEXEC) != 0) {
        return err_set(err, ERR_IO, "no pipe: %s", strerror(errno));
    }
    launch->output_fd = output[1];
    program->output_fd = output[0];
    if (pipe2(failure, O_CLOEXEC | O_NONBLOCK) != 0) {
        return err_set(err, ERR_IO, "no pipe: %s", strerror(errno));
    }
    launch->failure_fd = failure[1];
    program->begun_fd = failure[0];
    return 0;
}

static void close_program(struct program *program)
{
    if (program->output_fd >= 0) {
        close(program->output_fd);
    }
    if (program->begun_fd >= 0) {
        close(program->begun_fd);
    }
}

int program_start(struct program *program, const struct files_order *order,
                  const struct container *container, const char *folder,
                  struct err *err)
{
    *program = (struct program){.output_fd = -1, .begun_fd = -1};
    struct launch launch = {
        .order = order,
        .supervisor = getpid(),
        .door_fd = -1,
        .null_fd = -1,
        .output_fd = -1,
        .failure_fd = -1,
        .gid = group_of(order),
        .mark_limit = process_mark_limit(order->mark),
        .limit_memory = !limited_by(container, "memory.max"),
        .limit_processes = !limited_by(container, "pids.max"),
    };
    fill_environment(&launch, folder);
    int failed = open_launch(&launch, program, container, err);
    if (failed == 0) {
        give(&launch);
        program->pid = fork();
        if (program->pid == 0) {
            child(&launch);
        }
        if (program->pid < 0) {
            failed = err_set(err, ERR_IO, "no process: %s", strerror(errno));
        }
    }
    close_launch(&launch);
    if (failed != 0) {
        close_program(program);
    }
    return failed;
}

int program_begun(const struct program *program, const struct files_order *order,
                  bool *begun, struct err *err)
{
    struct failure failure;
    ssize_t got = read(program->begun_fd, &failure, sizeof failure);
    *begun = got == 0;
    if (got != (ssize_t)sizeof failure) {
        return 0;
    }
    if (failure.stage == STAGE_EXECUTE) {
        return err_set(err, ERR_INVALID, "%s cannot be executed: %s%s", order->program,
                       strerror(failure.number),
                       failure.number == ENOENT ? " (its first line names an "
                                                  "interpreter that is not there?)"
                                                : "");
    }
    return err_set(err, ERR_INVALID, "%s %s: %s", order->program,
                   stage_names[failure.stage], strerror(failure.number));
}
