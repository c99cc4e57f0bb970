/* SPDX-License-Identifier: Apache-2.0 */
/* The replicated settings, as a table of numbers with bounds (registry/settings.def).
 */
#ifndef REGISTRY_SETTINGS_H
#define REGISTRY_SETTINGS_H

#include <stddef.h>
#include <stdint.h>

enum setting {
#define X(SYMBOL, name, standard, min, max) SETTING_##SYMBOL,
#include "registry/settings.def"
#undef X
    SETTING_COUNT,
};

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

#endif
