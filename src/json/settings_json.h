/* SPDX-License-Identifier: Apache-2.0 */
/* The replicated settings ⇄ JSON (GET and PUT /v1/settings, spec/muster.md 7). */
#ifndef JSON_SETTINGS_JSON_H
#define JSON_SETTINGS_JSON_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "registry/registry.h"
#include "text/zone.h"

/* Append {"name":{"value":…,"default":…,"min":…,"max":…,"unit":"…","writable":…},…}, in
 * the order of settings.def, and schedule_zone last, without min and max; without those
 * that the cluster's feature level does not have yet. */
void settings_json_put(struct buf *out, const struct registry *registry);

/* What is to be changed: numbers, or the zone. */
struct settings_change {
    struct setting_value values[SETTING_VALUES_MAX];
    size_t count;
    char zone[ZONE_NAME_MAX + 1]; /* "": not this one */
};

/* Read an object of names and new values. ERR_INVALID names the one that is wrong, and
 * what would be right, also of schedule_zone beside others: it is a command of its own,
 * and what is asked for together is done together; ERR_TOO_LARGE as jsontext_parse().
 */
int settings_json_read(const void *body, size_t len, struct settings_change *out,
                       struct err *err);

#endif
