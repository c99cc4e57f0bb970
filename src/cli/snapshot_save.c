/* SPDX-License-Identifier: Apache-2.0 */
/* `muster snapshot save`: FILE.part is written, judged, synced and renamed, so that
 * FILE is whole or not there. FILE.part is locked while it is written: two saves at
 * once do not mix. A save that was killed leaves a FILE.part, which the next one takes
 * over. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/snapshot.h"

struct save {
    const char *path;
    char *part;
    int fd;
    uint64_t bytes;
};

static int failed(struct err *err, const char *path, const char *what)
{
    return err_set(err, ERR_IO, "%s: cannot be %s: %s", path, what, strerror(errno));
}

/* May FILE be written? Only an ordinary file is ever replaced, and only by force. */
static int judge_path(const char *path, bool force, struct err *err)
{
    struct stat there;
    if (strcmp(path, "-") == 0) {
        return err_set(err, ERR_INVALID, "'-' is no file: a snapshot needs a name");
    }
    if (lstat(path, &there) != 0) {
        return 0;
    }
    if (!S_ISREG(there.st_mode)) {
        return err_set(err, ERR_EXISTS, "%s: is there, and no ordinary file", path);
    }
    return force ? 0
                 : err_set(err, ERR_EXISTS, "%s: is there already; --force replaces it",
                           path);
}

static int open_part(struct save *save, struct err *err)
{
    struct stat ours;
    struct stat named;
    save->fd = open(save->part, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (save->fd < 0) {
        return failed(err, save->part, "opened");
    }
    if (flock(save->fd, LOCK_EX | LOCK_NB) != 0 || fstat(save->fd, &ours) != 0 ||
        stat(save->part, &named) != 0 || ours.st_ino != named.st_ino) {
        close(save->fd); /* and leave it there: it is another's */
        save->fd = -1;
        return err_set(err, ERR_BUSY, "%s: another save is writing it", save->part);
    }
    return 0;
}

static int save_begin(void *arg, struct err *err)
{
    struct save *save = arg;
    save->bytes = 0;
    if (ftruncate(save->fd, 0) != 0 || lseek(save->fd, 0, SEEK_SET) != 0) {
        return failed(err, save->part, "written");
    }
    return 0;
}

static int save_body(void *arg, const void *data, size_t len, struct err *err)
{
    struct save *save = arg;
    const char *at = data;
    while (len > 0) {
        ssize_t written = write(save->fd, at, len);
        if (written < 0 && errno != EINTR) {
            return failed(err, save->part, "written");
        }
        size_t done = written > 0 ? (size_t)written : 0;
        at += done;
        len -= done;
        save->bytes += done;
    }
    return 0;
}

static int sync_folder(const char *path, struct err *err)
{
    char *copy = mem_strdup(path);
    const char *folder = dirname(copy);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rv = fd >= 0 && fsync(fd) == 0 ? 0 : failed(err, folder, "synced");
    if (fd >= 0) {
        close(fd);
    }
    mem_free(copy);
    return rv;
}

static int keep(const struct save *save, bool force, struct err *err)
{
    struct restore *restore = NULL;
    struct restore_summary summary;
    if (snapshot_read(save->part, &restore, &summary, err) != 0) {
        return err_prefix(err, "what was answered is no whole snapshot");
    }
    restore_free(restore);
    if (fsync(save->fd) != 0) {
        return failed(err, save->part, "synced");
    }
    int rv = judge_path(save->path, force, err); /* again: it took its time */
    if (rv != 0) {
        return rv;
    }
    if (rename(save->part, save->path) != 0) {
        return failed(err, save->path, "put into place");
    }
    return sync_folder(save->path, err);
}

static int fetch(struct client *client, struct save *save,
                 const struct command_arguments *arguments, struct err *err)
{
    struct client_request request = {
        .path = "/v1/snapshot",
        .begin = save_begin,
        .on_body = save_body,
        .arg = save,
    };
    struct http_answer answer;
    http_answer_init(&answer);
    int code = client_ask(client, &request, &answer, err);
    if (code == CLI_EXIT_OK && keep(save, arguments->force, err) != 0) {
        code = CLI_EXIT_FAILED;
    }
    const char *index = http_answer_header(&answer, "X-Muster-Index");
    const char *known = http_answer_header(&answer, "X-Muster-Known-Leader");
    if (code == CLI_EXIT_OK && known != NULL && strcmp(known, "false") == 0) {
        fprintf(stderr, "warning: the node that gave it knows no leader: newer changes "
                        "may be missing\n");
    }
    if (code == CLI_EXIT_OK && arguments->json) {
        printf("{\"bytes\":%llu,\"index\":%llu}\n", (unsigned long long)save->bytes,
               index != NULL ? strtoull(index, NULL, 10) : 0);
    } else if (code == CLI_EXIT_OK) {
        printf("%s: %llu bytes, all changes up to number %s\n", save->path,
               (unsigned long long)save->bytes, index != NULL ? index : "?");
    }
    http_answer_close(&answer);
    return code;
}

int cli_snapshot_save(struct client *client, const struct command_arguments *arguments,
                      struct err *err)
{
    struct save save = {.path = arguments->values[0], .fd = -1};
    int code = CLI_EXIT_FAILED;
    if (judge_path(save.path, arguments->force, err) != 0) {
        return code;
    }
    save.part = mem_printf("%s.part", save.path);
    if (open_part(&save, err) == 0) {
        code = fetch(client, &save, arguments, err);
        if (code != CLI_EXIT_OK) {
            unlink(save.part); /* before the lock goes */
        }
        close(save.fd);
    }
    mem_free(save.part);
    return code;
}
