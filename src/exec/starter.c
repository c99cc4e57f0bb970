/* SPDX-License-Identifier: Apache-2.0 */
/* A question is one packet, a run's id with a descriptor, and is answered by one, an
 * error number that is 0 if it forked. One question is under way at a time.
 *
 * What can go wrong: the starter is killed before it answers, or frozen. Then the node
 * does not know whether it forked. It kills the starter, so that nothing comes of the
 * question later, and treats the run as one whose supervisor may have begun. */
#include "exec/starter.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "exec/files.h"

#define STARTER_PATIENCE_S 10
/* More than any free chunk's bin of equal ones, less than what malloc() maps. */
#define STARTER_SORTS_BYTES (64 * 1024)
/* Where a supervisor writes its folder, for whoever lists processes: as long as what
 * comes behind `runs/`. */
#define STARTER_ROOM "--------------------"

struct starter {
    pthread_mutex_t mutex; /* for all of it */
    char *program;
    char *runs;
    pid_t pid; /* 0: none */
    int fd;
};

/* --- a packet with a descriptor
 * ---------------------------------------------------------------------- */

union control {
    struct cmsghdr header; /* aligned as it has to be */
    char bytes[CMSG_SPACE(sizeof(int))];
};

static bool send_question(int socket_fd, uint64_t run, int fd)
{
    union control control = {0};
    struct iovec piece = {.iov_base = &run, .iov_len = sizeof run};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control.bytes};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    ssize_t sent;
    do {
        sent = sendmsg(socket_fd, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)sizeof run;
}

/* False: nobody asks any more. */
static bool take_question(int socket_fd, uint64_t *run, int *fd)
{
    union control control = {0};
    struct iovec piece = {.iov_base = run, .iov_len = sizeof *run};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control.bytes};
    ssize_t got;
    do {
        got = recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (got != (ssize_t)sizeof *run || header == NULL ||
        header->cmsg_type != SCM_RIGHTS) {
        return false;
    }
    memcpy(fd, CMSG_DATA(header), sizeof *fd);
    return true;
}

/* --- the node's side
 * -------------------------------------------------------------------------------- */

struct starter *starter_new(const char *program, const char *runs)
{
    struct starter *starter = mem_zalloc(sizeof *starter);
    pthread_mutex_init(&starter->mutex, NULL);
    starter->program = mem_strdup(program);
    starter->runs = mem_strdup(runs);
    starter->fd = -1;
    return starter;
}

static void end_process(struct starter *starter)
{
    if (starter->pid != 0) {
        close(starter->fd);
        kill(starter->pid, SIGKILL);
        waitpid(starter->pid, NULL, 0);
    }
    starter->pid = 0;
    starter->fd = -1;
}

void starter_free(struct starter *starter)
{
    if (starter == NULL) {
        return;
    }
    end_process(starter);
    pthread_mutex_destroy(&starter->mutex);
    mem_free(starter->program);
    mem_free(starter->runs);
    mem_free(starter);
}

/* A session of its own, no signal that the node's mask or handlers know of, no
 * environment. */
static int execute(const struct starter *starter, int socket_fd, pid_t *pid)
{
    char name[] = "muster";
    char verb[] = "supervise";
    char option[] = STARTER_OPTION;
    char room[] = STARTER_ROOM;
    char path[] = "PATH=/usr/bin:/bin";
    char *argv[] = {name, verb, option, starter->runs, room, NULL};
    char *environment[] = {path, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&actions, socket_fd, STDIN_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
                                              POSIX_SPAWN_SETSIGDEF);
    int number =
        posix_spawn(pid, starter->program, &actions, &attributes, argv, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return number;
}

/* False with errno: there is no process. */
static bool begin_process(struct starter *starter)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return false;
    }
    struct timeval patience = {.tv_sec = STARTER_PATIENCE_S};
    setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    int number = execute(starter, pair[1], &starter->pid);
    close(pair[1]);
    if (number != 0) {
        close(pair[0]);
        starter->pid = 0;
        errno = number;
        return false;
    }
    starter->fd = pair[0];
    return true;
}

/* Is it still there? One that has ended has closed its end. */
static bool is_gone(const struct starter *starter)
{
    char byte;
    return recv(starter->fd, &byte, sizeof byte, MSG_DONTWAIT | MSG_PEEK) == 0;
}

static enum starter_outcome ask(struct starter *starter, uint64_t run, int ready_fd)
{
    if (starter->pid != 0 && is_gone(starter)) {
        end_process(starter);
    }
    if (starter->pid == 0 && !begin_process(starter)) {
        return STARTER_NONE;
    }
    int32_t number = 0;
    ssize_t got = -1;
    if (send_question(starter->fd, run, ready_fd)) {
        do {
            got = recv(starter->fd, &number, sizeof number, 0);
        } while (got < 0 && errno == EINTR);
    }
    if (got != (ssize_t)sizeof number) {
        end_process(starter);
        return STARTER_SILENT;
    }
    errno = number;
    return number == 0 ? STARTER_FORKED : STARTER_NONE;
}

enum starter_outcome starter_start(struct starter *starter, uint64_t run, int ready_fd)
{
    pthread_mutex_lock(&starter->mutex);
    enum starter_outcome outcome = ask(starter, run, ready_fd);
    int number = errno;
    pthread_mutex_unlock(&starter->mutex);
    errno = number;
    return outcome;
}

/* --- the process
 * -----------------------------------------------------------------------------------
 */

/* So that a list of processes shows `muster supervise FOLDER`, as if it had been
 * executed. The words lie behind one another in memory, the last of them is room. */
static void show(char **argv, int argc, const char *folder)
{
    const char *end = argv[argc - 1] + strlen(argv[argc - 1]);
    size_t size = (size_t)(end - argv[1]);
    size_t len = strlen(folder);
    memset(argv[1], 0, size);
    memcpy(argv[1], folder, len < size ? len : size - 1);
    prctl(PR_SET_NAME, "muster-run");
}

/* The descriptors of a supervisor: nothing, the node's pipe, a file for what it says.
 */
static void arrange(const char *folder, int ready_fd)
{
    char *errors = mem_printf("%s/" FILES_ERRORS, folder);
    int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int errors_fd = open(errors, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    dup2(null_fd, STDIN_FILENO);
    dup2(ready_fd, STDOUT_FILENO);
    dup2(errors_fd >= 0 ? errors_fd : null_fd, STDERR_FILENO);
    mem_free(errors); /* the rest is closed by who supervises */
}

static _Noreturn void become(int argc, char **argv, uint64_t run, int ready_fd,
                             int (*supervise)(char *folder))
{
    setsid();
    signal(SIGCHLD, SIG_DFL);
    char *folder = mem_printf("%s/%" PRIu64, argv[2], run);
    arrange(folder, ready_fd);
    show(argv, argc, folder);
    int code = supervise(folder);
    mem_free(folder);
    _exit(code); /* libraries it never called have nothing to put in order */
}

/* Free chunks that loading has left are given back or sorted now, once: a fork whose
 * first allocation did it would copy all their pages. */
static void settle_heap(void)
{
    malloc_trim(0);
    mem_free(mem_alloc(STARTER_SORTS_BYTES));
}

int starter_serve(int argc, char **argv, int (*supervise)(char *folder))
{
    signal(SIGCHLD, SIG_IGN); /* nobody waits for them */
    prctl(PR_SET_NAME, "muster-starter");
    settle_heap();
    uint64_t run;
    int ready_fd;
    while (take_question(STDIN_FILENO, &run, &ready_fd)) {
        pid_t pid = fork();
        if (pid == 0) {
            become(argc, argv, run, ready_fd, supervise);
        }
        int32_t number = pid < 0 ? errno : 0;
        close(ready_fd);
        if (send(STDIN_FILENO, &number, sizeof number, MSG_NOSIGNAL) < 0) {
            return 1;
        }
    }
    return 0;
}
