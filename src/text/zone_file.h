/* SPDX-License-Identifier: Apache-2.0 */
/* Time zones by name, from the files of this machine's tz database (package tzdata).
 *
 * The one file of text/ that reads anything: who checks a schedule at the door and who
 * computes its next time both need it, and this is the lowest folder that both may see
 * and that knows what a zone is. It is never called by apply: the moment that was
 * computed is what is replicated. */
#ifndef TEXT_ZONE_FILE_H
#define TEXT_ZONE_FILE_H

#include <stddef.h>

#include "base/err.h"
#include "text/zone.h"

#define ZONE_FOLDER "/usr/share/zoneinfo"

/* Read zone `name` (terminated). It takes one small file from the disk, without waiting
 * for anything else: keep what it returns. `*out` is the caller's, zone_free() it;
 * NULL, with 0, for "UTC", which needs no file. ERR_INVALID: the name is not sound, or
 * the file is not; ERR_NOT_FOUND: no such zone here. */
int zone_load(const char *name, struct zone **out, struct err *err);

#endif
