/* SPDX-License-Identifier: Apache-2.0 */
/* Time zones as the tz database has them: TZif bytes (RFC 8536) ⇄ "how far is local
 * time from UTC at this moment, and until when".
 *
 * A zone is what its file lists and, after the last entry, what the POSIX rule at the
 * file's end says for ever. Pure: text/zone_file.h reads files. */
#ifndef TEXT_ZONE_H
#define TEXT_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define ZONE_NAME_MAX       64
#define ZONE_FILE_BYTES_MAX 65536 /* the largest of the database has 4 KiB */

struct zone;

/* May it be a zone's name: "Europe/Berlin", "Etc/GMT+5"? Parts of letters, digits, '_',
 * '+' and '-', each of which begins with a letter or digit, with single slashes between
 * them: it never leads out of the folder that it is looked up in. "localtime", which is
 * another zone on each machine, is none. */
bool zone_name_sound(const char *name, size_t len);

/* Read the bytes of a TZif file of version 1 to 4. ERR_INVALID with the reason, also of
 * a zone that counts leap seconds (right/...): Unix time has none. The zone is the
 * caller's. */
int zone_parse(const void *data, size_t len, struct zone **out, struct err *err);
void zone_free(struct zone *zone); /* NULL is fine */

/* A stretch of time in which local time is UTC + `offset_s`. */
struct zone_span {
    int64_t from;      /* Unix seconds, INT64_MIN: since ever */
    int64_t until;     /* Unix seconds, the first that is not in it; INT64_MAX: never */
    int32_t offset_s;  /* to be added to UTC */
    int32_t earlier_s; /* the offset right before `from` */
};

/* The stretch that `at` (Unix seconds) is in. `zone` NULL is UTC. */
struct zone_span zone_span_at(const struct zone *zone, int64_t at);

#endif
