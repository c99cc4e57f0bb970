/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/recover.h"

static int fail(struct err *err, const char *parent, const char *what)
{
    return err_set(err, ERR_IO, "%s: %s: %s", parent, what, strerror(errno));
}

static int sync_and_close(int folder, const char *parent, struct err *err)
{
    int rv = fsync(folder) == 0 ? 0 : fail(err, parent, "sync");
    close(folder);
    return rv;
}

static int open_folder(const char *parent, int *out, struct err *err)
{
    *out = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *out >= 0 ? 0 : fail(err, parent, "open");
}

/* Where the file system cannot exchange. Cut off between the first two steps it leaves
 * nothing of the name `a`, and both folders under others: whoever starts a node then
 * has a blank one, which forms no cluster of several alone, and puts the folder back.
 */
static int exchange_in_steps(int folder, const char *parent, const char *a,
                             const char *b, struct err *err)
{
    char *aside = mem_printf("%s.aside", b);
    int rv = 0;
    if (renameat(folder, a, folder, aside) != 0 ||
        renameat(folder, b, folder, a) != 0 ||
        renameat(folder, aside, folder, b) != 0) {
        rv = fail(err, parent, "rename");
    }
    mem_free(aside);
    return rv;
}

int recover_exchange(const char *parent, const char *a, const char *b, struct err *err)
{
    int folder = -1;
    int rv = open_folder(parent, &folder, err);
    if (rv != 0) {
        return rv;
    }
    if (renameat2(folder, a, folder, b, RENAME_EXCHANGE) != 0) {
        bool lacks = errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP;
        rv = lacks ? exchange_in_steps(folder, parent, a, b, err)
                   : fail(err, parent, "exchange");
    }
    if (rv != 0) {
        close(folder);
        return rv;
    }
    return sync_and_close(folder, parent, err);
}

int recover_rename(const char *parent, const char *from, const char *to,
                   struct err *err)
{
    int folder = -1;
    int rv = open_folder(parent, &folder, err);
    if (rv != 0) {
        return rv;
    }
    if (renameat(folder, from, folder, to) != 0) {
        rv = fail(err, parent, "rename");
        close(folder);
        return rv;
    }
    return sync_and_close(folder, parent, err);
}
