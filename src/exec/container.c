/* SPDX-License-Identifier: Apache-2.0 */
#include "exec/container.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONTAINER_FREEZE_TRIES 200 /* of a millisecond each */
#define CONTAINER_DEPTH        16  /* of the cgroups that a program makes in its own */

/* --- files of a cgroup --------------------------------------------------------------
 */

static bool write_file(const char *folder, const char *name, const char *text)
{
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path) {
        return false;
    }
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    close(fd);
    return written;
}

static bool read_file(const char *folder, const char *name, char *text, size_t size)
{
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path) {
        return false;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, text, size - 1) : -1;
    if (fd >= 0) {
        close(fd);
    }
    text[len > 0 ? len : 0] = '\0';
    return len >= 0;
}

static bool has_file(const char *folder, const char *name, int mode)
{
    char path[PATH_MAX];
    return (size_t)snprintf(path, sizeof path, "%s/%s", folder, name) < sizeof path &&
           access(path, mode) == 0;
}

/* --- where it would be ---------------------------------------------------------------
 */

/* Does the comma-separated list hold the word? */
static bool list_has(const char *list, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = list; (at = strstr(at, word)) != NULL; at += len) {
        if ((at == list || at[-1] == ',') &&
            (at[len] == '\0' || at[len] == ',' || at[len] == '\n')) {
            return true;
        }
    }
    return false;
}

/* "31 23 0:28 /root /mount/point options … - cgroup2 source super,options" */
static bool find_mount(const char *type, const char *option, char *root, char *point)
{
    FILE *file = fopen("/proc/self/mountinfo", "re");
    char line[8192];
    bool found = false;
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
        char *rest = strstr(line, " - ");
        char kind[64];
        char super[1024];
        if (rest == NULL || sscanf(rest, " - %63s %*s %1023s", kind, super) != 2 ||
            sscanf(line, "%*s %*s %*s %1023s %1023s", root, point) != 2) {
            continue;
        }
        found = strcmp(kind, type) == 0 && (option == NULL || list_has(super, option));
    }
    if (file != NULL) {
        fclose(file);
    }
    return found;
}

/* "0::/path" of v2, "6:freezer:/path" of v1 */
static bool find_own(const char *controller, char *path, size_t size)
{
    FILE *file = fopen("/proc/self/cgroup", "re");
    char line[PATH_MAX + 256];
    bool found = false;
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
        char *list = strchr(line, ':');
        char *own = list != NULL ? strchr(list + 1, ':') : NULL;
        if (own == NULL) {
            continue;
        }
        *own++ = '\0';
        own[strcspn(own, "\n")] = '\0';
        found = controller == NULL ? list[1] == '\0' : list_has(list + 1, controller);
        if (found) {
            found = (size_t)snprintf(path, size, "%s", own) < size;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return found;
}

/* The folder of the cgroup that this process is in. */
static bool own_folder(const char *type, const char *controller, char out[PATH_MAX])
{
    char root[1024];
    char point[1024];
    char own[PATH_MAX];
    if (!find_mount(type, controller, root, point) ||
        !find_own(controller, own, sizeof own)) {
        return false;
    }
    const char *below = own;
    size_t len = strcmp(root, "/") == 0 ? 0 : strlen(root);
    if (len > 0 && strncmp(own, root, len) == 0) { /* a part of the tree is mounted */
        below = own + len;
    }
    if (strcmp(below, "/") == 0) {
        below = "";
    }
    return (size_t)snprintf(out, PATH_MAX, "%s%s", point, below) < PATH_MAX;
}

/* --- limits --------------------------------------------------------------------------
 */

static void limit(const char *folder, const char *name, uint64_t value)
{
    if (value > 0) {
        char text[64];
        snprintf(text, sizeof text, "%" PRIu64, value);
        write_file(folder, name, text);
    }
}

/* Where the controllers are; else the program has rlimits alone. */
static void limit_all(const char *folder, const struct driver_limits *limits)
{
    limit(folder, "memory.max", limits->memory_bytes);
    limit(folder, "pids.max", limits->processes_count);
    if (limits->memory_bytes > 0) {
        write_file(folder, "memory.swap.max", "0");
        write_file(folder, "memory.oom.group", "1");
    }
    if (limits->cpu_percent > 0) {
        char text[64];
        snprintf(text, sizeof text, "%" PRIu64 " 100000",
                 (uint64_t)limits->cpu_percent * 1000);
        write_file(folder, "cpu.max", text);
    }
}

static bool limits_wanted(const struct driver_limits *limits)
{
    return limits->memory_bytes > 0 || limits->processes_count > 0 ||
           limits->cpu_percent > 0;
}

uint64_t container_starved(const struct container *container)
{
    char events[512];
    uint64_t count = 0;
    if (container->kind != EXEC_CONTAIN_CGROUP ||
        !read_file(container->path, "memory.events", events, sizeof events)) {
        return 0;
    }
    const char *line = strstr(events, "\noom_kill ");
    return line != NULL && sscanf(line, "\noom_kill %" SCNu64, &count) == 1 ? count : 0;
}

/* --- making --------------------------------------------------------------------------
 */

static bool make_folder(struct container *container, const char *parent, uint64_t mark)
{
    if ((size_t)snprintf(container->path, sizeof container->path,
                         "%s/muster-%016" PRIx64, parent,
                         mark) >= sizeof container->path ||
        mkdir(container->path, 0755) != 0) {
        container->path[0] = '\0';
        return false;
    }
    return true;
}

static bool make_cgroup(struct container *container, const struct files_order *order)
{
    char parent[PATH_MAX];
    if (order->cgroup[0] != '\0') {
        snprintf(parent, sizeof parent, "%s", order->cgroup);
    } else if (!own_folder("cgroup2", NULL, parent)) {
        return false;
    }
    if (limits_wanted(&order->limits)) { /* one by one: each may be missing */
        write_file(parent, "cgroup.subtree_control", "+memory");
        write_file(parent, "cgroup.subtree_control", "+pids");
        write_file(parent, "cgroup.subtree_control", "+cpu");
    }
    if (!make_folder(container, parent, order->mark)) {
        return false;
    }
    container->kind = EXEC_CONTAIN_CGROUP;
    if (!has_file(container->path, "cgroup.kill", W_OK) ||
        !has_file(container->path, "cgroup.procs", W_OK) ||
        !has_file(parent, "cgroup.procs", W_OK)) {
        container_remove(container);
        return false;
    }
    limit_all(container->path, &order->limits);
    return true;
}

static bool make_freezer(struct container *container, const struct files_order *order)
{
    char parent[PATH_MAX];
    if (!own_folder("cgroup", "freezer", parent) ||
        !make_folder(container, parent, order->mark)) {
        return false;
    }
    container->kind = EXEC_CONTAIN_FREEZER;
    if (!has_file(container->path, "freezer.state", W_OK) ||
        !has_file(container->path, "cgroup.procs", W_OK)) {
        container_remove(container);
        return false;
    }
    return true;
}

int container_make(struct container *container, const struct files_order *order,
                   struct err *err)
{
    *container = (struct container){.kind = EXEC_CONTAIN_WALK};
    bool made = order->containment == EXEC_CONTAIN_WALK;
    if (!made && order->containment != EXEC_CONTAIN_FREEZER) {
        made = make_cgroup(container, order);
    }
    if (!made && order->containment != EXEC_CONTAIN_CGROUP) {
        made = make_freezer(container, order);
    }
    if (made) {
        return 0;
    }
    *container = (struct container){.kind = EXEC_CONTAIN_WALK};
    return order->containment == EXEC_CONTAIN_BEST
               ? 0
               : err_set(err, ERR_UNSUPPORTED, "there is no cgroup to be had here");
}

int container_door(const struct container *container, int *fd, struct err *err)
{
    *fd = -1;
    if (container->path[0] == '\0') {
        return 0;
    }
    char path[PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/cgroup.procs", container->path);
    *fd = open(path, O_WRONLY | O_CLOEXEC);
    return *fd >= 0 ? 0 : err_set(err, ERR_IO, "%s: open: %s", path, strerror(errno));
}

/* --- ending --------------------------------------------------------------------------
 */

/* A signal to each process of one cgroup; how many there are, one more if that cannot
 * be known. */
static size_t signal_members(const char *folder, int signal)
{
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof path, "%s/cgroup.procs", folder) >= sizeof path) {
        return 0;
    }
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return errno == ENOENT || errno == ENODEV ? 0 : 1;
    }
    size_t count = 0;
    int pid = 0;
    while (fscanf(file, "%d", &pid) == 1) {
        count++;
        if (signal != 0 && pid > 1) {
            kill((pid_t)pid, signal);
        }
    }
    fclose(file);
    return count;
}

static size_t count_members(const char *folder)
{
    return signal_members(folder, 0);
}

static size_t kill_members(const char *folder)
{
    return signal_members(folder, SIGKILL);
}

/* A program can have frozen one of its own. */
static size_t thaw(const char *folder)
{
    write_file(folder, "freezer.state", "THAWED");
    return 0;
}

/* For the cgroup and for those in it; the sum of what `take` returns, one more if not
 * all of them could be listed. */
static size_t each_cgroup(const char *folder, int depth,
                          size_t (*take)(const char *folder))
{
    char path[PATH_MAX];
    size_t count = take(folder);
    DIR *dir = depth > 0 ? opendir(folder) : NULL;
    if (dir == NULL) {
        return count + (depth > 0 && errno != ENOENT);
    }
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.' &&
            (size_t)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) <
                sizeof path) {
            count += each_cgroup(path, depth - 1, take);
        }
    }
    closedir(dir);
    return count;
}

/* Nothing that is frozen forks. */
static void kill_frozen(const char *folder)
{
    char state[64] = "";
    write_file(folder, "freezer.state", "FROZEN");
    for (int i = 0; i < CONTAINER_FREEZE_TRIES; i++) {
        if (!read_file(folder, "freezer.state", state, sizeof state) ||
            strncmp(state, "FROZEN", 6) == 0) {
            break;
        }
        usleep(1000);
    }
    each_cgroup(folder, CONTAINER_DEPTH, kill_members);
    each_cgroup(folder, CONTAINER_DEPTH, thaw);
}

void container_kill(const struct container *container)
{
    if (container->path[0] == '\0') {
        return;
    }
    if (container->kind == EXEC_CONTAIN_CGROUP) {
        write_file(container->path, "cgroup.kill", "1");
    } else if (!container_is_empty(container)) {
        kill_frozen(container->path);
    }
}

bool container_is_empty(const struct container *container)
{
    char events[256];
    if (container->path[0] == '\0' || access(container->path, F_OK) != 0) {
        return true;
    }
    if (container->kind == EXEC_CONTAIN_CGROUP) {
        return read_file(container->path, "cgroup.events", events, sizeof events) &&
               strstr(events, "populated 0") != NULL;
    }
    return each_cgroup(container->path, CONTAINER_DEPTH, count_members) == 0;
}

static void remove_below(const char *folder, int depth)
{
    char path[PATH_MAX];
    DIR *dir = depth > 0 ? opendir(folder) : NULL;
    const struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.' &&
            (size_t)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) <
                sizeof path) {
            remove_below(path, depth - 1);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    rmdir(folder);
}

void container_remove(const struct container *container)
{
    if (container->path[0] != '\0') {
        remove_below(container->path, CONTAINER_DEPTH);
    }
}
