/* SPDX-License-Identifier: Apache-2.0 */
/* What the two ways of `muster events` share. */
#ifndef CLI_EVENTS_H
#define CLI_EVENTS_H

#include "cli/client.h"
#include "cli/commands.h"

/* Append "?name=value" or "&name=value", encoded; nothing if `value` is NULL. */
void events_put_filter(struct buf *path, const char *name, const char *value);

/* `muster events --follow`: prints each event as it comes; returns only when it cannot
 * go on, an exit code and `err`. */
int events_follow(struct client *client, const struct command_arguments *arguments,
                  struct err *err);

#endif
