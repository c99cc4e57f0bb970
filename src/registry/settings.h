/* SPDX-License-Identifier: Apache-2.0 */
/* The replicated settings, as a table of numbers with bounds (registry/settings.def).
 */
#ifndef REGISTRY_SETTINGS_H
#define REGISTRY_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum setting {
#define X(SYMBOL, name, standard, min, max, unit) SETTING_##SYMBOL,
#include "registry/settings.def"
#undef X
    SETTING_COUNT,
};

/* One that is to be changed; SETTING_COUNT: there is none of the name that was given.
 */
struct setting_value {
    enum setting setting;
    uint64_t value;
};
#define SETTING_VALUES_MAX 64 /* in one command, and so for ever */

struct settings {
    uint64_t value[SETTING_COUNT];
};

void settings_init(struct settings *settings); /* every one at its default */

/* SETTING_COUNT if there is none of that name. */
enum setting setting_find(const char *name, size_t len);
const char *setting_name(enum setting setting);
/* The feature level from which on there is such a setting: 1, or that of its first
 * release. */
uint32_t setting_level(enum setting setting);
uint64_t setting_default(enum setting setting);
uint64_t setting_min(enum setting setting);
uint64_t setting_max(enum setting setting);
const char *setting_unit(enum setting setting); /* "bytes" */

/* People may change it: it follows from nothing else. */
bool setting_is_open(enum setting setting);

#endif
