/* SPDX-License-Identifier: Apache-2.0 */
/* Does a path lie in one of some folders? Asked of what strangers name, before it is
 * used: by its text and by what the file system makes of it now, of which both must
 * agree. A file system changes: whoever uses the path asks again. */
#ifndef BASE_PATH_H
#define BASE_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct path_folders {
    const char *const *items; /* borrowed; relative ones start at the working folder */
    size_t count;
};

/* 0: `path` is one of the folders or in one. A path begins with "/", or with "./" or
 * "../" and then starts at the process's working folder: what has another form could
 * be read as the address of something elsewhere. ".." and doubled slashes are taken out
 * by the text; symbolic links are followed, in what there is of the path (all of it
 * need not be there) and of the folder. ERR_INVALID: it is not, and why. */
int path_inside(const char *path, const struct path_folders *folders, struct err *err);

#endif
