/* SPDX-License-Identifier: Apache-2.0 */
/* What must hold between the settings, whichever files they came from. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/address.h"
#include "base/limits.h"
#include "base/mem.h"
#include "config/config.h"

#define MS_NS 1000000

static int bad(const struct config *config, const char *path, struct err *err,
               const char *format, ...) __attribute__((format(printf, 4, 5)));

/* "file: path: sentence"; without the file when the value came from none. */
static int bad(const struct config *config, const char *path, struct err *err,
               const char *format, ...)
{
    va_list args;
    va_start(args, format);
    err_setv(err, ERR_INVALID, format, args);
    va_end(args);
    err_prefix(err, "%s", path);
    const char *file = config_origin(config, path);
    return file != NULL ? err_prefix(err, "%s", file) : (int)ERR_INVALID;
}

/* --- addresses ----------------------------------------------------------------- */

/* "host:port", and which host. */
static bool host_of(const char *address, char host[LIMIT_ADDRESS_BYTES])
{
    const char *port = NULL;
    return address_split(address, host, &port);
}

enum address_kind { ADDRESS_OTHER, ADDRESS_LOOPBACK, ADDRESS_EVERY };

static enum address_kind address_kind_four(uint32_t number)
{
    if (number == INADDR_ANY) {
        return ADDRESS_EVERY;
    }
    return number >> 24 == 127 ? ADDRESS_LOOPBACK : ADDRESS_OTHER;
}

/* As bind() will understand it: "0" and "127.1" are numbers too. */
static enum address_kind address_kind(const char *host)
{
    if (strcasecmp(host, "localhost") == 0) {
        return ADDRESS_LOOPBACK;
    }
    struct in_addr four;
    if (inet_aton(host, &four) != 0) {
        return address_kind_four(ntohl(four.s_addr));
    }
    struct in6_addr six;
    if (inet_pton(AF_INET6, host, &six) != 1) {
        return ADDRESS_OTHER;
    }
    if (IN6_IS_ADDR_V4MAPPED(&six)) {
        memcpy(&four, &six.s6_addr[12], sizeof four);
        return address_kind_four(ntohl(four.s_addr));
    }
    if (IN6_IS_ADDR_UNSPECIFIED(&six)) {
        return ADDRESS_EVERY;
    }
    return IN6_IS_ADDR_LOOPBACK(&six) ? ADDRESS_LOOPBACK : ADDRESS_OTHER;
}

bool config_loopback(const char *address)
{
    char host[LIMIT_ADDRESS_BYTES];
    return host_of(address, host) && address_kind(host) == ADDRESS_LOOPBACK;
}

/* --- the checks ---------------------------------------------------------------- */

struct listener {
    const char *path;
    const char *address;
    const char *advertise_path;
    const char *advertise;
    const char *example;
};

static int check_advertised(const struct config *config,
                            const struct listener *listener, struct err *err)
{
    char host[LIMIT_ADDRESS_BYTES];
    if (!host_of(listener->advertise, host)) {
        return bad(config, listener->advertise_path, err,
                   "must be host:port, such as %s, not '%.64s'", listener->example,
                   listener->advertise);
    }
    size_t len = strlen(listener->advertise);
    bool no_port = strcmp(listener->advertise + len - 2, ":0") == 0;
    if (no_port || address_kind(host) == ADDRESS_EVERY) {
        return bad(config, listener->advertise_path, err,
                   "others must be able to connect to it: it needs one address and "
                   "one port, not '%.64s'",
                   listener->advertise);
    }
    return 0;
}

static int check_listener(const struct config *config, const struct listener *listener,
                          struct err *err)
{
    char host[LIMIT_ADDRESS_BYTES];
    if (!host_of(listener->address, host)) {
        return bad(config, listener->path, err,
                   "must be host:port, such as %s or [::1]:8558, not '%.64s'",
                   listener->example, listener->address);
    }
    if (listener->advertise[0] != '\0') {
        int rv = check_advertised(config, listener, err);
        if (rv != 0) {
            return rv;
        }
    } else if (address_kind(host) == ADDRESS_EVERY) {
        return bad(config, listener->path, err,
                   "'%.64s' is every address of this machine: set %s to the one that "
                   "others reach it by",
                   listener->address, listener->advertise_path);
    }
    if (address_kind(host) != ADDRESS_LOOPBACK && !config->listen_insecure) {
        return bad(config, listener->path, err,
                   "'%.64s' is not a loopback address, and there is no TLS: what goes "
                   "over the network can be read there. Set listen.insecure to true to "
                   "allow that in a network you trust",
                   listener->address);
    }
    return 0;
}

static int check_listeners(const struct config *config, struct err *err)
{
    struct listener api = {"listen.address", config->listen_address,
                           "listen.advertise_address", config->listen_advertise_address,
                           "127.0.0.1:8558"};
    struct listener peer = {"listen.peer", config->listen_peer, "listen.advertise_peer",
                            config->listen_advertise_peer, "127.0.0.1:8658"};
    int rv = check_listener(config, &api, err);
    if (rv != 0 || config->cluster_expect == 1) {
        return rv;
    }
    rv = check_listener(config, &peer, err);
    if (rv == 0 && strcmp(config->listen_address, config->listen_peer) == 0 &&
        strcmp(strrchr(config->listen_peer, ':'), ":0") != 0) {
        rv = bad(config, "listen.peer", err, "'%.64s' is listen.address as well",
                 config->listen_peer);
    }
    return rv;
}

static int check_peer(const struct config *config, size_t at, struct err *err)
{
    char host[LIMIT_ADDRESS_BYTES];
    const char *path = "cluster.peers";
    const char *peer = config->cluster_peers.items[at];
    if (!host_of(peer, host)) {
        return bad(config, path, err,
                   "'%.64s' must be host:port, such as 10.0.0.2:8658", peer);
    }
    const char *self = config->listen_advertise_peer[0] != '\0'
                           ? config->listen_advertise_peer
                           : config->listen_peer;
    if (strcmp(peer, self) == 0) {
        return bad(config, path, err,
                   "'%.64s' is this node itself: only the others are named", peer);
    }
    for (size_t i = 0; i < at; i++) {
        if (strcmp(peer, config->cluster_peers.items[i]) == 0) {
            return bad(config, path, err, "'%.64s' is there twice", peer);
        }
    }
    return 0;
}

static int check_cluster(const struct config *config, struct err *err)
{
    uint64_t expect = config->cluster_expect;
    if (expect != 1 && expect != 3 && expect != 5) {
        return bad(config, "cluster.expect", err, "must be 1, 3 or 5, not %" PRIu64,
                   expect);
    }
    size_t count = config->cluster_peers.count;
    if (count != expect - 1) {
        if (config_origin(config, "cluster.peers") == NULL) {
            return bad(config, "cluster.expect", err,
                       "is %" PRIu64 ", so cluster.peers must name %" PRIu64
                       " others; it is not given",
                       expect, expect - 1);
        }
        return bad(config, "cluster.peers", err,
                   "must name %" PRIu64 " others, for cluster.expect is %" PRIu64
                   "; it names %zu",
                   expect - 1, expect, count);
    }
    for (size_t i = 0; i < count; i++) {
        int rv = check_peer(config, i, err);
        if (rv != 0) {
            return rv;
        }
    }
    int64_t third = config->cluster_election_timeout / 3;
    if (config->cluster_heartbeat > third) {
        bool given = config_origin(config, "cluster.heartbeat") != NULL;
        return bad(config, given ? "cluster.heartbeat" : "cluster.election_timeout",
                   err,
                   "cluster.heartbeat must be at most a third of "
                   "cluster.election_timeout: %" PRId64 " ms, not %" PRId64 " ms",
                   third / MS_NS, config->cluster_heartbeat / MS_NS);
    }
    return 0;
}

static int check_follower_writes(const struct config *config, struct err *err)
{
    const char *word = config->cluster_follower_writes;
    if (strcmp(word, "reject") == 0 || strcmp(word, "forward") == 0) {
        return 0;
    }
    return bad(config, "cluster.follower_writes", err,
               "must be reject or forward, not '%.64s'", word);
}

static int check_name(struct config *config, struct err *err)
{
    const char *path = "node.name";
    if (config->node_name[0] == '\0' && config->id[0] != '\0') {
        path = "id";
        config_replace(&config->node_name, config->id);
    } else if (config->node_name[0] == '\0') {
        char host[LIMIT_NAME_BYTES + 1] = "";
        gethostname(host, sizeof host - 1);
        config_replace(&config->node_name, host);
    }
    size_t len = strlen(config->node_name);
    if (len == 0 || len > LIMIT_NAME_BYTES ||
        strspn(config->node_name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789._-") != len) {
        return bad(config, path, err,
                   "must be 1 to %d letters, digits, '.', '_' or '-', not '%.64s'",
                   LIMIT_NAME_BYTES, config->node_name);
    }
    return 0;
}

static int check_texts(const struct config *config, struct err *err)
{
    if (config->node_data_dir[0] == '\0') {
        return bad(config, "node.data_dir", err, "must be the path of a folder");
    }
    for (const char *at = config->cluster_name; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || *at == 127) {
            return bad(config, "cluster.name", err, "must have no control characters");
        }
    }
    size_t len = strlen(config->cluster_name);
    if (len == 0 || len > LIMIT_NAME_BYTES) {
        return bad(config, "cluster.name", err, "must have 1 to %d bytes, not %zu",
                   LIMIT_NAME_BYTES, len);
    }
    static const char *const levels[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERR"};
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        if (strcasecmp(config->log_level, levels[i]) == 0) {
            return 0;
        }
    }
    return bad(config, "log_level", err,
               "must be TRACE, DEBUG, INFO, WARN or ERR, not '%.64s'",
               config->log_level);
}

static int check_proxies(const struct config *config, struct err *err)
{
    const struct config_list *proxies = &config->limits_trusted_proxies;
    for (size_t i = 0; i < proxies->count; i++) {
        struct in6_addr number;
        if (inet_pton(AF_INET, proxies->items[i], &number) != 1 &&
            inet_pton(AF_INET6, proxies->items[i], &number) != 1) {
            return bad(config, "limits.trusted_proxies", err,
                       "'%.64s' must be an IP address, such as 10.0.0.9",
                       proxies->items[i]);
        }
    }
    return 0;
}

/* A folder may come later: what is checked is what a task names. */
static int check_modules(const struct config *config, struct err *err)
{
    if (config->modules.count > CONFIG_MODULES_MAX) {
        return bad(config, "modules", err, "there are %zu folders; at most %d are read",
                   config->modules.count, CONFIG_MODULES_MAX);
    }
    for (size_t i = 0; i < config->modules.count; i++) {
        if (config->modules.items[i][0] == '\0') {
            return bad(config, "modules", err, "folder %zu must be the path of one",
                       i + 1);
        }
    }
    return 0;
}

int config_tokens(const struct config *config, struct token tokens[TOKENS_MAX],
                  size_t *count, struct err *err)
{
    const char *path = "access.tokens";
    *count = config->access_tokens.count;
    if (*count > TOKENS_MAX) {
        return bad(config, path, err, "there are %zu tokens; at most %d are read",
                   *count, TOKENS_MAX);
    }
    for (size_t i = 0; i < *count; i++) {
        struct err why;
        if (token_parse(&tokens[i], config->access_tokens.items[i], &why) != 0) {
            return bad(config, path, err, "token %zu: %s", i + 1, why.text);
        }
        for (size_t other = 0; other < i; other++) {
            if (strcmp(tokens[i].name, tokens[other].name) == 0 ||
                memcmp(tokens[i].digest, tokens[other].digest, TOKEN_DIGEST_BYTES) ==
                    0) {
                return bad(config, path, err,
                           "'%s' and '%s' have the same name or the same digest",
                           tokens[other].name, tokens[i].name);
            }
        }
    }
    return 0;
}

int config_user(const struct config *config, uint32_t *uid, uint32_t *gid,
                struct err *err)
{
    *uid = 0;
    *gid = 0;
    if (config->runs_user[0] == '\0') {
        return 0;
    }
    const struct passwd *user = getpwnam(config->runs_user);
    if (user == NULL) {
        return bad(config, "runs.user", err, "there is no user '%s' on this machine",
                   config->runs_user);
    }
    if (user->pw_uid == 0 || user->pw_gid == 0) {
        return bad(config, "runs.user", err, "'%s' is root, or of its group",
                   config->runs_user);
    }
    if (geteuid() != 0) {
        return bad(config, "runs.user", err,
                   "only a node that is root can run modules as somebody else");
    }
    *uid = user->pw_uid;
    *gid = user->pw_gid;
    return 0;
}

static int check_tokens(const struct config *config, struct err *err)
{
    struct token tokens[TOKENS_MAX];
    size_t count = 0;
    return config_tokens(config, tokens, &count, err);
}

/* CTS's `port` names the API's port alone. */
static void apply_port(struct config *config)
{
    const char *colon = strrchr(config->listen_address, ':');
    if (config->port != 0 && colon != NULL) {
        char *address =
            mem_printf("%.*s:%" PRIu64, (int)(colon - config->listen_address),
                       config->listen_address, config->port);
        mem_free(config->listen_address);
        config->listen_address = address;
    }
}

int config_check(struct config *config, struct err *err)
{
    apply_port(config);
    int rv = check_name(config, err);
    if (rv == 0) {
        rv = check_texts(config, err);
    }
    if (rv == 0) {
        rv = check_cluster(config, err);
    }
    if (rv == 0) {
        rv = check_follower_writes(config, err);
    }
    if (rv == 0) {
        rv = check_listeners(config, err);
    }
    if (rv == 0) {
        rv = check_proxies(config, err);
    }
    if (rv == 0) {
        rv = check_tokens(config, err);
    }
    if (rv == 0) {
        rv = check_modules(config, err);
    }
    if (rv == 0 && config->buffer_period_min > config->buffer_period_max) {
        config->buffer_period_max = config->buffer_period_min; /* spec/cts.md 5.1 */
    }
    return rv;
}
