/* SPDX-License-Identifier: Apache-2.0 */
#include "exec/process.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

#define PROCESS_DEPTH 64 /* deeper ones come up when what is above them has died */

static uint64_t clock_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t process_boot_ms(void)
{
    return clock_ms(CLOCK_BOOTTIME);
}

uint64_t process_wall_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

/* After a file that could not be opened: is it this process that has no descriptor or
 * memory for it? Then nothing is known of what it would have told. */
static bool is_blind(void)
{
    return errno == EMFILE || errno == ENFILE || errno == ENOMEM;
}

/* A file of /proc, at most size - 1 bytes of it, terminated; its length or -1. */
static ssize_t read_proc(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    size_t len = 0;
    ssize_t got = 0;
    while (len < size - 1 && (got = read(fd, text + len, size - 1 - len)) > 0) {
        len += (size_t)got;
    }
    close(fd);
    text[len] = '\0';
    return got < 0 ? -1 : (ssize_t)len;
}

void process_boot_id(char id[PROCESS_BOOT_SIZE])
{
    if (read_proc("/proc/sys/kernel/random/boot_id", id, PROCESS_BOOT_SIZE) < 0) {
        id[0] = '\0';
    }
    id[strcspn(id, "\n")] = '\0';
}

uint64_t process_pid_namespace(void)
{
    struct stat status;
    return stat("/proc/self/ns/pid", &status) == 0 ? (uint64_t)status.st_ino : 0;
}

/* The fields behind the name, which may itself hold spaces and brackets. */
static bool parse_stat(const char *text, struct process *out)
{
    const char *at = strrchr(text, ')');
    char state = 0;
    int parent = 0;
    long threads = 0;
    if (at == NULL || sscanf(at + 1,
                             " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d "
                             "%*d %*d %*d %ld %*d %" SCNu64,
                             &state, &parent, &threads, &out->start_ticks) != 4) {
        return false;
    }
    out->parent = (pid_t)parent;
    /* A leader that has ended is a zombie while other threads of it go on. */
    out->alive = state != 'X' && (state != 'Z' || threads > 1);
    return true;
}

bool process_read(pid_t pid, struct process *out)
{
    char path[64];
    char text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    *out = (struct process){.pid = pid};
    return read_proc(path, text, sizeof text) > 0 && parse_stat(text, out);
}

/* A descriptor holds the process that is meant while it is looked at; or a negative
 * error number. */
static int open_pid(pid_t pid)
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    return pidfd >= 0 ? pidfd : -errno;
}

static void signal_held(int pidfd, pid_t pid, int signal)
{
    if (pidfd >= 0) {
        syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
    } else if (pidfd == -ENOSYS) {
        kill(pid, signal);
    }
}

static void close_held(int pidfd)
{
    if (pidfd >= 0) {
        close(pidfd);
    }
}

bool process_kill(pid_t pid, uint64_t start_ticks)
{
    if (pid <= 1) {
        return false;
    }
    int pidfd = open_pid(pid);
    struct process process;
    bool alive;
    if (process_read(pid, &process)) {
        alive = process.start_ticks == start_ticks && process.alive;
        if (alive) {
            signal_held(pidfd, pid, SIGKILL);
        }
    } else {
        alive = is_blind();
    }
    close_held(pidfd);
    return alive;
}

/* --- every process ------------------------------------------------------------------
 */

/* What /proc lists, in the order of its numbers. False: it cannot be listed. */
static bool each_process(void (*take)(void *ctx, pid_t pid), void *ctx)
{
    DIR *dir = opendir("/proc");
    if (dir == NULL) {
        return false;
    }
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        if (isdigit((unsigned char)entry->d_name[0])) {
            take(ctx, (pid_t)strtol(entry->d_name, NULL, 10));
        }
    }
    closedir(dir);
    return true;
}

/* --- descendants ---------------------------------------------------------------------
 */

struct below {
    pid_t root;
    int signal;
    size_t count;
    bool listed; /* the kernel lists children */
};

static void signal_children(struct below *below, pid_t parent, int depth);

/* It was listed as a child of `parent`. One that has another parent by now has come up,
 * to the root or to a reaper on the way, where it is listed too; or it is a stranger
 * that was given the number of one that has just ended. */
static void signal_one(struct below *below, pid_t parent, pid_t pid, int depth)
{
    struct process process;
    int pidfd = open_pid(pid);
    if (process_read(pid, &process) && process.alive &&
        (process.parent == parent || process.parent == below->root)) {
        below->count++;
        signal_held(pidfd, pid, below->signal);
    }
    close_held(pidfd);
    if (depth < PROCESS_DEPTH) {
        signal_children(below, pid, depth + 1);
    }
}

/* Each number as soon as it is read: a program that forks and exits, over and over, is
 * faster than any list. */
static void signal_listed(struct below *below, pid_t parent, const char *path,
                          int depth)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return;
    }
    below->listed = true;
    int pid = 0;
    while (fscanf(file, "%d", &pid) == 1) {
        signal_one(below, parent, (pid_t)pid, depth);
    }
    fclose(file);
}

static void signal_children(struct below *below, pid_t parent, int depth)
{
    char path[96];
    snprintf(path, sizeof path, "/proc/%d/task", (int)parent);
    DIR *dir = opendir(path);
    if (dir == NULL) {
        return;
    }
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        if (isdigit((unsigned char)entry->d_name[0])) {
            snprintf(path, sizeof path, "/proc/%d/task/%.20s/children", (int)parent,
                     entry->d_name);
            signal_listed(below, parent, path, depth);
        }
    }
    closedir(dir);
}

struct family {
    struct process *all;
    size_t count;
};

static void family_add(void *ctx, pid_t pid)
{
    struct family *family = ctx;
    struct process process;
    if (!process_read(pid, &process)) {
        return;
    }
    if ((family->count & (family->count + 1)) == 0) {
        family->all =
            mem_realloc(family->all, 2 * (family->count + 1) * sizeof *family->all);
    }
    family->all[family->count++] = process;
}

/* For a kernel that does not list children (CONFIG_PROC_CHILDREN). */
static void signal_family(struct below *below, pid_t root)
{
    struct family family = {0};
    each_process(family_add, &family);
    bool *below_root = mem_array(family.count + 1, sizeof *below_root);
    bool found = true;
    while (found) {
        found = false;
        for (size_t i = 0; i < family.count; i++) {
            bool child = family.all[i].parent == root;
            for (size_t j = 0; j < family.count && !child; j++) {
                child = below_root[j] && family.all[j].pid == family.all[i].parent;
            }
            if (child && !below_root[i]) {
                below_root[i] = true;
                found = true;
            }
        }
    }
    for (size_t i = 0; i < family.count; i++) {
        if (below_root[i] && family.all[i].alive) {
            below->count++;
            kill(family.all[i].pid, below->signal);
        }
    }
    mem_free(below_root);
    mem_free(family.all);
}

size_t process_signal_below(pid_t root, int signal)
{
    struct below below = {.root = root, .signal = signal};
    signal_children(&below, root, 0);
    if (!below.listed) {
        signal_family(&below, root);
    }
    return below.count;
}

/* --- the mark
 * -------------------------------------------------------------------------- */

uint64_t process_mark_limit(uint64_t mark)
{
    return UINT64_C(1) << 63 | mark >> 2; /* never RLIM_INFINITY */
}

struct marked {
    uint64_t limit;
    char variable[64];
    size_t count;
    bool blind; /* something could not be looked at */
};

/* "Max realtime timeout     9346828825867121486  9346828825867121486  us" */
static bool has_limit(struct marked *marked, pid_t pid)
{
    char path[64];
    char text[4096];
    snprintf(path, sizeof path, "/proc/%d/limits", (int)pid);
    if (read_proc(path, text, sizeof text) <= 0) {
        marked->blind = marked->blind || is_blind();
        return false;
    }
    const char *line = strstr(text, "Max realtime timeout");
    uint64_t soft = 0;
    uint64_t hard = 0;
    return line != NULL &&
           sscanf(line, "Max realtime timeout %" SCNu64 " %" SCNu64, &soft, &hard) ==
               2 &&
           hard == marked->limit;
}

static bool has_variable(pid_t pid, const char *variable)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    char text[16 * 1024];
    ssize_t len = read_proc(path, text, sizeof text);
    return len > 0 && memmem(text, (size_t)len, variable, strlen(variable)) != NULL;
}

static bool carries_mark(struct marked *marked, pid_t pid)
{
    return has_limit(marked, pid) || has_variable(pid, marked->variable);
}

static void kill_if_marked(void *ctx, pid_t pid)
{
    struct marked *marked = ctx;
    if (pid == getpid() || !carries_mark(marked, pid)) {
        return;
    }
    int pidfd = open_pid(pid);
    struct process process;
    if (process_read(pid, &process) && process.alive && carries_mark(marked, pid)) {
        signal_held(pidfd, pid, SIGKILL);
        marked->count++;
    }
    close_held(pidfd);
}

size_t process_kill_marked(uint64_t mark)
{
    struct marked marked = {.limit = process_mark_limit(mark)};
    snprintf(marked.variable, sizeof marked.variable,
             PROCESS_MARK_VARIABLE "=%016" PRIx64, mark);
    bool listed = each_process(kill_if_marked, &marked);
    return listed && !marked.blind ? marked.count : marked.count + 1;
}
