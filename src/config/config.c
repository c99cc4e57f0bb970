/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "config/source.h"
#include "text/duration.h"

#define CONFIG_PATH_MAX 128

/* --- the table ----------------------------------------------------------------- */

enum config_kind {
    CONFIG_TEXT,
    CONFIG_FLAG,
    CONFIG_COUNT,
    CONFIG_DURATION,
    CONFIG_LIST,
};

struct config_row {
    enum config_kind kind;
    size_t offset;
    const char *path;
    const char *standard_text;
    int64_t standard; /* FLAG, COUNT, DURATION */
    int64_t min;
    int64_t max;
    const char *meaning;
};

static const struct config_row config_rows[] = {
#define TEXT(member, path, standard, meaning)                                          \
    {CONFIG_TEXT, offsetof(struct config, member), path, standard, 0, 0, 0, meaning},
#define FLAG(member, path, standard, meaning)                                          \
    {CONFIG_FLAG, offsetof(struct config, member), path, NULL, standard, 0, 0, meaning},
#define COUNT(member, path, standard, min, max, meaning)                               \
    {CONFIG_COUNT, offsetof(struct config, member), path, NULL, standard, min, max,    \
     meaning},
#define DURATION(member, path, standard, min, max, meaning)                            \
    {CONFIG_DURATION, offsetof(struct config, member), path, NULL, standard, min, max, \
     meaning},
#define LIST(member, path, standard, meaning)                                          \
    {CONFIG_LIST, offsetof(struct config, member), path, standard, 0, 0, 0, meaning},
#define X(kind, member, path, ...) kind(member, path, __VA_ARGS__)
#include "config/config.def"
#undef X
#undef TEXT
#undef FLAG
#undef COUNT
#undef DURATION
#undef LIST
};

#define CONFIG_ROWS (sizeof config_rows / sizeof config_rows[0])

static void *config_member(struct config *config, const struct config_row *row)
{
    return (char *)config + row->offset;
}

static void config_list_clear(struct config_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        mem_free(list->items[i]);
    }
    mem_free(list->items);
    *list = (struct config_list){0};
}

static void config_set_standard(struct config *config, const struct config_row *row)
{
    void *member = config_member(config, row);
    switch (row->kind) {
    case CONFIG_TEXT:
        config_replace(member, row->standard_text);
        break;
    case CONFIG_FLAG:
        *(bool *)member = row->standard != 0;
        break;
    case CONFIG_COUNT:
        *(uint64_t *)member = (uint64_t)row->standard;
        break;
    case CONFIG_DURATION:
        *(int64_t *)member = row->standard;
        break;
    case CONFIG_LIST:
        break;
    }
}

void config_init(struct config *config)
{
    *config = (struct config){0};
    for (size_t i = 0; i < CONFIG_ROWS; i++) {
        config_set_standard(config, &config_rows[i]);
    }
}

void config_close(struct config *config)
{
    for (size_t i = 0; i < CONFIG_ROWS; i++) {
        void *member = config_member(config, &config_rows[i]);
        if (config_rows[i].kind == CONFIG_TEXT) {
            mem_free(*(char **)member);
        } else if (config_rows[i].kind == CONFIG_LIST) {
            config_list_clear(member);
        }
    }
    config_list_clear(&config->files);
    *config = (struct config){0};
}

void config_replace(char **member, const char *value)
{
    char *copy = mem_strdup(value);
    mem_free(*member);
    *member = copy;
}

/* --- reading ------------------------------------------------------------------- */

static int config_take_list(struct config_list *list, const struct source_value *value)
{
    config_list_clear(list);
    list->items = mem_array(value->count, sizeof *list->items);
    for (size_t i = 0; i < value->count; i++) {
        list->items[list->count++] = mem_strdup(value->items[i]);
    }
    return 0;
}

static int config_take_number(const struct config_row *row, int64_t *out,
                              int64_t number, const char *shown, struct err *err)
{
    if (number >= row->min && number <= row->max) {
        *out = number;
        return 0;
    }
    char min[DURATION_TEXT_SIZE];
    char max[DURATION_TEXT_SIZE];
    if (row->kind == CONFIG_DURATION) {
        duration_format(row->min, min);
        duration_format(row->max, max);
    } else {
        snprintf(min, sizeof min, "%" PRId64, row->min);
        snprintf(max, sizeof max, "%" PRId64, row->max);
    }
    return err_set(err, ERR_INVALID, "%s: must be from %s to %s, not %s", row->path,
                   min, max, shown);
}

static const char *config_kind_text(enum config_kind kind)
{
    switch (kind) {
    case CONFIG_TEXT:
        return "a string";
    case CONFIG_FLAG:
        return "true or false";
    case CONFIG_COUNT:
        return "a whole number";
    case CONFIG_DURATION:
        return "a duration such as \"5s\" or \"100ms\"";
    case CONFIG_LIST:
        return "a list of strings";
    }
    return "";
}

static int config_take(struct config *config, const struct config_row *row,
                       const struct source_value *value, struct err *err)
{
    void *member = config_member(config, row);
    int64_t number = 0;
    int rv = 0;
    if (row->kind == CONFIG_TEXT && value->kind == SOURCE_TEXT) {
        config_replace(member, value->text);
    } else if (row->kind == CONFIG_FLAG && value->kind == SOURCE_FLAG) {
        *(bool *)member = value->number != 0;
    } else if (row->kind == CONFIG_COUNT && value->kind == SOURCE_NUMBER) {
        rv = config_take_number(row, &number, value->number, value->text, err);
        *(uint64_t *)member = rv == 0 ? (uint64_t)number : *(uint64_t *)member;
    } else if (row->kind == CONFIG_DURATION && value->kind == SOURCE_TEXT) {
        rv = duration_parse(value->text, strlen(value->text), &number, err);
        if (rv != 0) {
            return err_prefix(err, "%s", row->path);
        }
        rv = config_take_number(row, member, number, value->text, err);
    } else if (row->kind == CONFIG_LIST && value->kind == SOURCE_LIST) {
        rv = config_take_list(member, value);
    } else {
        rv = err_set(err, ERR_INVALID, "%s: must be %s, not %s", row->path,
                     config_kind_text(row->kind), value->text);
    }
    return rv;
}

/* Edits that turn one word into the other. */
static size_t config_distance(const char *a, const char *b)
{
    size_t row[CONFIG_PATH_MAX];
    size_t b_len = strlen(b);
    if (b_len >= CONFIG_PATH_MAX) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= b_len; j++) {
        row[j] = j;
    }
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t above = row[j];
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            best = best < above + 1 ? best : above + 1;
            best = best < row[j - 1] + 1 ? best : row[j - 1] + 1;
            diagonal = above;
            row[j] = best;
        }
    }
    return row[b_len];
}

static int config_unknown(const char *path, struct err *err)
{
    char best[CONFIG_PATH_MAX] = "";
    size_t best_distance = SIZE_MAX;
    for (size_t i = 0; i < CONFIG_ROWS; i++) {
        const char *row = config_rows[i].path;
        const char *dot = strchr(row, '.');
        size_t block_len = dot != NULL ? (size_t)(dot - row) : 0;
        for (size_t len = strlen(row); len > 0; len = len > block_len ? block_len : 0) {
            char name[CONFIG_PATH_MAX];
            snprintf(name, sizeof name, "%.*s", (int)len, row);
            size_t distance = config_distance(path, name);
            if (distance < best_distance) {
                best_distance = distance;
                memcpy(best, name, sizeof best);
            }
        }
    }
    return err_set(err, ERR_INVALID, "%s: there is no such setting; the nearest is %s",
                   path, best);
}

static bool config_block(const char *path)
{
    size_t len = strlen(path);
    for (size_t i = 0; i < CONFIG_ROWS; i++) {
        if (strncmp(config_rows[i].path, path, len) == 0 &&
            config_rows[i].path[len] == '.') {
            return true;
        }
    }
    return false;
}

static int config_value(void *ctx, const char *path, const struct source_value *value,
                        struct err *err)
{
    struct config *config = ctx;
    for (size_t i = 0; i < CONFIG_ROWS; i++) {
        if (strcmp(config_rows[i].path, path) == 0) {
            config->origin[i] = (uint16_t)config->files.count;
            return config_take(config, &config_rows[i], value, err);
        }
    }
    if (config_block(path)) {
        return err_set(err, ERR_INVALID, "%s: must be a block {…}, not %s", path,
                       value->text);
    }
    return config_unknown(path, err);
}

int config_load(struct config *config, const char *path, struct err *err)
{
    struct config_list *files = &config->files;
    if (files->count == CONFIG_FILES_MAX) {
        return err_set(err, ERR_INVALID, "%s: more than %d files", path,
                       CONFIG_FILES_MAX);
    }
    files->items = mem_realloc(files->items, (files->count + 1) * sizeof *files->items);
    files->items[files->count++] = mem_strdup(path);
    int rv = source_read_json(path, config_block, config_value, config, err);
    return rv == 0 ? 0 : err_prefix(err, "%s", path);
}

const char *config_origin(const struct config *config, const char *path)
{
    for (size_t i = 0; i < CONFIG_ROWS; i++) {
        if (strcmp(config_rows[i].path, path) == 0 && config->origin[i] > 0) {
            return config->files.items[config->origin[i] - 1];
        }
    }
    return NULL;
}

/* --- describing ---------------------------------------------------------------- */

void config_describe(void (*line)(void *ctx, const char *text), void *ctx)
{
    for (size_t i = 0; i < CONFIG_ROWS; i++) {
        const struct config_row *row = &config_rows[i];
        char standard[DURATION_TEXT_SIZE] = "";
        if (row->kind == CONFIG_DURATION) {
            duration_format(row->standard, standard);
        } else if (row->kind == CONFIG_COUNT) {
            snprintf(standard, sizeof standard, "%" PRId64, row->standard);
        } else if (row->kind == CONFIG_FLAG) {
            snprintf(standard, sizeof standard, "%s", row->standard ? "true" : "false");
        }
        char *text = mem_printf(
            "%-32s %-16s %s", row->path,
            row->standard_text != NULL ? row->standard_text : standard, row->meaning);
        line(ctx, text);
        mem_free(text);
    }
}
