/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHOWN_MAX 256

/* Take out ".", ".." and doubled slashes of an absolute path, by its text. */
static void normalize(char *path)
{
    size_t len = 0; /* of what is done: whole parts, each with its slash in front */
    const char *at = path;
    while (*at != '\0') {
        at += strspn(at, "/");
        size_t part = strcspn(at, "/");
        if (part == 2 && at[0] == '.' && at[1] == '.') {
            while (len > 0 && path[--len] != '/') {
            }
        } else if (part > 0 && !(part == 1 && at[0] == '.')) {
            path[len++] = '/';
            memmove(path + len, at, part);
            len += part;
        }
        at += part;
    }
    if (len == 0) {
        path[len++] = '/';
    }
    path[len] = '\0';
}

/* An absolute path, otherwise as it was given. False: too long. */
static bool absolute(const char *path, char out[PATH_MAX])
{
    char here[PATH_MAX];
    if (path[0] == '/') {
        here[0] = '\0';
    } else if (getcwd(here, sizeof here) == NULL) {
        return false;
    }
    int len = snprintf(out, PATH_MAX, "%s/%s", here, path);
    return len > 0 && len < PATH_MAX;
}

/* Follow the links in as much of the path as there is; the rest stays as it is. False:
 * that cannot be told (a loop of links, a folder that may not be entered). */
static bool follow(const char *path, char out[PATH_MAX])
{
    char head[PATH_MAX];
    snprintf(head, sizeof head, "%s", path);
    size_t len = strlen(head);
    while (realpath(len > 0 ? head : "/", out) == NULL) {
        /* What is there and cannot be followed is not what is not there. */
        if (len == 0 || faccessat(AT_FDCWD, head, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
            (errno != ENOENT && errno != ENOTDIR)) {
            return false;
        }
        while (len > 0 && head[--len] != '/') {
        }
        head[len] = '\0';
    }
    size_t done = strlen(out);
    int more = snprintf(out + done, PATH_MAX - done, "%s", path + len);
    normalize(out);
    return more >= 0 && (size_t)more < PATH_MAX - done;
}

/* Both are normal. */
static bool begins(const char *path, const char *folder)
{
    size_t len = strlen(folder);
    return strcmp(folder, "/") == 0 ||
           (strncmp(path, folder, len) == 0 && (path[len] == '/' || path[len] == '\0'));
}

struct place {
    char text[PATH_MAX]; /* by its text alone */
    char real[PATH_MAX]; /* with links followed */
};

static bool place_of(const char *path, struct place *place)
{
    char whole[PATH_MAX];
    if (!absolute(path, whole) || !follow(whole, place->real)) {
        return false;
    }
    memcpy(place->text, whole, sizeof whole);
    normalize(place->text);
    return true;
}

static bool is_path(const char *text)
{
    if (text[0] == '.') {
        text += text[1] == '.' ? 2 : 1;
        return text[0] == '/' || text[0] == '\0';
    }
    return text[0] == '/';
}

int path_inside(const char *path, const struct path_folders *folders, struct err *err)
{
    if (!is_path(path)) {
        return err_set(err, ERR_INVALID,
                       "'%.*s' is no path: it must begin with /, ./ or ../", SHOWN_MAX,
                       path);
    }
    struct place place;
    if (!place_of(path, &place)) {
        return err_set(err, ERR_INVALID, "where '%.*s' leads cannot be told", SHOWN_MAX,
                       path);
    }
    for (size_t i = 0; i < folders->count; i++) {
        struct place folder;
        if (place_of(folders->items[i], &folder) && begins(place.real, folder.real) &&
            (begins(place.text, folder.text) || begins(place.text, folder.real))) {
            return 0;
        }
    }
    return err_set(err, ERR_INVALID, "'%.*s' is in none of the folders of `modules`",
                   SHOWN_MAX, path);
}
