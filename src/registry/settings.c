/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/settings.h"

#include <string.h>

static const struct {
    const char *name;
    uint64_t standard;
    uint64_t min;
    uint64_t max;
    const char *unit;
} setting_rows[SETTING_COUNT] = {
#define X(SYMBOL, name, standard, min, max, unit) {#name, standard, min, max, unit},
#include "registry/settings.def"
#undef X
};

void settings_init(struct settings *settings)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        settings->value[i] = setting_rows[i].standard;
    }
}

enum setting setting_find(const char *name, size_t len)
{
    size_t i = 0;
    while (i < SETTING_COUNT && (strlen(setting_rows[i].name) != len ||
                                 memcmp(setting_rows[i].name, name, len) != 0)) {
        i++;
    }
    return (enum setting)i;
}

const char *setting_name(enum setting setting)
{
    return setting_rows[setting].name;
}

uint32_t setting_level(enum setting setting)
{
    return setting < SETTING_KEYS_MAX_COUNT   ? 1
           : setting < SETTING_RUNS_MAX_COUNT ? 2
                                              : 3;
}

uint64_t setting_default(enum setting setting)
{
    return setting_rows[setting].standard;
}

uint64_t setting_min(enum setting setting)
{
    return setting_rows[setting].min;
}

uint64_t setting_max(enum setting setting)
{
    return setting_rows[setting].max;
}

const char *setting_unit(enum setting setting)
{
    return setting_rows[setting].unit;
}

bool setting_is_open(enum setting setting)
{
    return setting != SETTING_VOTERS;
}
