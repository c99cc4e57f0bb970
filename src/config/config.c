/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "config/source.h"
#include "text/duration.h"

#define MS_NS 1000000

/* --- the table
 * -------------------------------------------------------------------------- */

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

static void config_set_text(char **member, const char *value)
{
    char *copy = mem_strdup(value);
    mem_free(*member);
    *member = copy;
}

static void config_set_standard(struct config *config, const struct config_row *row)
{
    void *member = config_member(config, row);
    switch (row->kind) {
    case CONFIG_TEXT:
        config_set_text(member, row->standard_text);
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
    *config = (struct config){0};
}

/* --- reading
 * ---------------------------------------------------------------------------- */

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
        config_set_text(member, value->text);
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
    size_t row[128];
    size_t b_len = strlen(b);
    if (b_len >= 128) {
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
    size_t best = 0;
    for (size_t i = 1; i < CONFIG_ROWS; i++) {
        if (config_distance(path, config_rows[i].path) <
            config_distance(path, config_rows[best].path)) {
            best = i;
        }
    }
    return err_set(err, ERR_INVALID, "%s: there is no such setting; the nearest is %s",
                   path, config_rows[best].path);
}

struct config_loading {
    struct config *config;
};

static int config_value(void *ctx, const char *path, const struct source_value *value,
                        struct err *err)
{
    struct config_loading *loading = ctx;
    for (size_t i = 0; i < CONFIG_ROWS; i++) {
        if (strcmp(config_rows[i].path, path) == 0) {
            return config_take(loading->config, &config_rows[i], value, err);
        }
    }
    return config_unknown(path, err);
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

int config_load(struct config *config, const char *path, struct err *err)
{
    struct config_loading loading = {config};
    int rv = source_read_json(path, config_block, config_value, &loading, err);
    return rv == 0 ? 0 : err_prefix(err, "%s", path);
}

/* --- judging the whole
 * --------------------------------------------------------------------- */

static bool address_split(const char *address, size_t *host_len)
{
    const char *colon = strrchr(address, ':');
    if (colon == NULL || colon == address || colon[1] == '\0' ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1) || strlen(colon + 1) > 5 ||
        strlen(address) >= LIMIT_ADDRESS_BYTES) {
        return false;
    }
    *host_len = (size_t)(colon - address);
    bool bracketed = address[0] == '[' && address[*host_len - 1] == ']';
    return bracketed || memchr(address, ':', *host_len) == NULL;
}

bool config_loopback(const char *address)
{
    size_t len = 0;
    if (!address_split(address, &len)) {
        return false;
    }
    return (len == 9 && strncasecmp(address, "localhost", 9) == 0) ||
           (len == 5 && memcmp(address, "[::1]", 5) == 0) ||
           (len > 4 && memcmp(address, "127.", 4) == 0 &&
            strspn(address, "0123456789.") >= len);
}

static bool address_wildcard(const char *address)
{
    return strncmp(address, "0.0.0.0:", 8) == 0 || strncmp(address, "[::]:", 5) == 0;
}

static int check_listener(const char *key, const char *address,
                          const char *advertise_key, const char *advertise,
                          bool insecure, struct err *err)
{
    size_t len = 0;
    if (!address_split(address, &len)) {
        return err_set(
            err, ERR_INVALID,
            "%s: must be host:port, such as 127.0.0.1:8558 or [::1]:8558, not "
            "'%s'",
            key, address);
    }
    if (advertise[0] != '\0' && !address_split(advertise, &len)) {
        return err_set(err, ERR_INVALID, "%s: must be host:port, not '%s'",
                       advertise_key, advertise);
    }
    if (address_wildcard(address) && advertise[0] == '\0') {
        return err_set(
            err, ERR_INVALID,
            "%s: '%s' is every address of this machine; %s must name the one "
            "that others reach it by",
            key, address, advertise_key);
    }
    if (!config_loopback(address) && !insecure) {
        return err_set(
            err, ERR_INVALID,
            "%s: '%s' is not a loopback address, and this listener has neither "
            "TLS nor credentials: set listen.insecure = true to allow it in a "
            "network you trust",
            key, address);
    }
    return 0;
}

static int check_cluster(const struct config *config, struct err *err)
{
    uint64_t expect = config->cluster_expect;
    if (expect != 1 && expect != 3 && expect != 5) {
        return err_set(err, ERR_INVALID,
                       "cluster.expect: must be 1, 3 or 5, not %" PRIu64, expect);
    }
    if (config->cluster_peers.count != expect - 1) {
        return err_set(err, ERR_INVALID,
                       "cluster.peers: has %zu addresses, must have %" PRIu64
                       ": the others of cluster.expect = %" PRIu64,
                       config->cluster_peers.count, expect - 1, expect);
    }
    for (size_t i = 0; i < config->cluster_peers.count; i++) {
        size_t len = 0;
        const char *peer = config->cluster_peers.items[i];
        if (!address_split(peer, &len)) {
            return err_set(err, ERR_INVALID,
                           "cluster.peers: '%s' must be host:port, such as "
                           "10.0.0.2:8658",
                           peer);
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(peer, config->cluster_peers.items[j]) == 0) {
                return err_set(err, ERR_INVALID, "cluster.peers: '%s' is there twice",
                               peer);
            }
        }
    }
    if (config->cluster_heartbeat > config->cluster_election_timeout / 3) {
        return err_set(err, ERR_INVALID,
                       "cluster.heartbeat: must be at most a third of "
                       "cluster.election_timeout (%" PRId64 " ms), not %" PRId64 " ms",
                       config->cluster_election_timeout / MS_NS,
                       config->cluster_heartbeat / MS_NS);
    }
    return 0;
}

static int check_names(struct config *config, struct err *err)
{
    if (config->node_name[0] == '\0') {
        char host[LIMIT_NAME_BYTES + 1] = "";
        gethostname(host, sizeof host - 1);
        config_set_text(&config->node_name, config->id[0] != '\0' ? config->id : host);
    }
    size_t len = strlen(config->node_name);
    if (len == 0 || len > LIMIT_NAME_BYTES ||
        strspn(config->node_name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789._-") != len) {
        return err_set(
            err, ERR_INVALID,
            "node.name: must be 1 to %d letters, digits, '.', '_' or '-', not "
            "'%.64s'",
            LIMIT_NAME_BYTES, config->node_name);
    }
    static const char *const levels[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERR"};
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        if (strcasecmp(config->log_level, levels[i]) == 0) {
            return 0;
        }
    }
    return err_set(err, ERR_INVALID,
                   "log_level: must be TRACE, DEBUG, INFO, WARN or ERR, not '%.64s'",
                   config->log_level);
}

/* CTS's `port` names the API's port alone. */
static void config_apply_port(struct config *config)
{
    size_t len = 0;
    if (config->port != 0 && address_split(config->listen_address, &len)) {
        char *address =
            mem_printf("%.*s:%" PRIu64, (int)len, config->listen_address, config->port);
        mem_free(config->listen_address);
        config->listen_address = address;
    }
}

int config_check(struct config *config, struct err *err)
{
    config_apply_port(config);
    int rv = check_names(config, err);
    if (rv == 0) {
        rv = check_cluster(config, err);
    }
    if (rv == 0) {
        rv = check_listener(
            "listen.address", config->listen_address, "listen.advertise_address",
            config->listen_advertise_address, config->listen_insecure, err);
    }
    if (rv == 0 && config->cluster_expect > 1) {
        rv =
            check_listener("listen.peer", config->listen_peer, "listen.advertise_peer",
                           config->listen_advertise_peer, config->listen_insecure, err);
    }
    if (rv == 0 && config->buffer_period_min > config->buffer_period_max) {
        config->buffer_period_max = config->buffer_period_min; /* spec/cts.md 5.1 */
    }
    return rv;
}

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
