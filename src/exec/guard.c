/* SPDX-License-Identifier: Apache-2.0 */
#include "exec/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exec/process.h"

#define GUARD_SLACK_MS 250 /* the supervisor is done by then, if it runs at all */
#define GUARD_AGAIN_US 2000

void guard_expect(struct guard *guard, uint64_t deadline_ms, uint32_t grace_ms)
{
    if (guard != NULL) {
        atomic_store(&guard->kill_ms, deadline_ms + grace_ms + GUARD_SLACK_MS);
    }
}

/* Until nothing is below it: then nothing of the run is. */
static _Noreturn void kill_all(int code)
{
    pid_t pid = 0;
    while (pid >= 0 || errno != ECHILD) {
        process_signal_below(getpid(), SIGKILL);
        usleep(GUARD_AGAIN_US);
        do {
            pid = waitpid(-1, NULL, WNOHANG);
        } while (pid > 0);
    }
    _exit(code);
}

static void reap(pid_t supervisor)
{
    int status = 0;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == supervisor) {
            kill_all(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
        }
    }
}

/* When to look at the clock next: the moment may have been moved by then. */
static void arm(int timer_fd, uint64_t at_ms)
{
    struct itimerspec spec = {0};
    if (at_ms < UINT64_MAX / 2) {
        spec.it_value.tv_sec = (time_t)(at_ms / 1000);
        spec.it_value.tv_nsec = (long)(at_ms % 1000) * 1000000;
    }
    timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

static _Noreturn void watch(const struct guard *guard, pid_t supervisor, int signal_fd)
{
    int timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    for (;;) {
        struct signalfd_siginfo info;
        while (read(signal_fd, &info, sizeof info) == sizeof info) {
            /* told below, by waitpid() */
        }
        reap(supervisor);
        uint64_t now_ms = process_boot_ms();
        uint64_t kill_ms = atomic_load(&guard->kill_ms);
        if (atomic_load(&guard->gone)) {
            kill_ms = UINT64_MAX; /* it writes the result, for as long as that takes */
        } else if (kill_ms != 0 && now_ms >= kill_ms) {
            kill_all(1);
        }
        arm(timer_fd, kill_ms != 0 ? kill_ms : now_ms + 1000);
        struct pollfd fds[] = {{.fd = signal_fd, .events = POLLIN},
                               {.fd = timer_fd, .events = POLLIN}};
        poll(fds, 2, -1);
    }
}

/* Nothing that ends others ends it, and it holds nothing open. */
static int settle(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    int null_fd = open("/dev/null", O_RDWR);
    dup2(null_fd, STDOUT_FILENO);
    syscall(SYS_close_range, STDERR_FILENO + 1, ~0u, 0);
    prctl(PR_SET_NAME, "muster-guard");
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    return signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
}

struct guard *guard_fork(void)
{
    void *page = mmap(NULL, sizeof(struct guard), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
        return NULL;
    }
    struct guard *guard = page;
    pid_t pid = fork();
    if (pid > 0) {
        watch(guard, pid, settle());
    }
    return pid == 0 ? guard : NULL;
}
