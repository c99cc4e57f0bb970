/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of `muster cluster recover` share. */
#ifndef CLI_RECOVER_H
#define CLI_RECOVER_H

#include "raft/recover.h"

/* Ask each other voter of the copy whether it runs; a line each. ERR_CONFLICT: a
 * majority of the voters does, or one of them knows a leader. */
int recover_ask(const struct recover_copy *copy, struct err *err);

/* Two folders in `parent` change places, and it is synced: after any crash each has the
 * one name or the other, where the file system can exchange. */
int recover_exchange(const char *parent, const char *a, const char *b, struct err *err);
/* One gets a name that nobody has. */
int recover_rename(const char *parent, const char *from, const char *to,
                   struct err *err);

#endif
