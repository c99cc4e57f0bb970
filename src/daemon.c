/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#include "api/server.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "control/control.h"
#include "control/place.h"
#include "exec/exec.h"
#include "raft/clock_uv.h"
#include "raft/disk.h"
#include "raft/node.h"
#include "raft/peer.h"
#include "run/runner.h"

#define DAEMON_DRAIN_MS 5000 /* what requests under way have, when all goes well */
#define MS_NS           1000000
#define OWN_FILES       256 /* descriptors of log, peers, loop; never for clients */

struct daemon {
    const struct config *config;
    uv_loop_t loop;
    uv_signal_t signals[2];
    struct disk *disk;
    struct clock *clock;
    struct link *link;
    struct api *api;      /* NULL when it is gone */
    bool api_stopping;    /* api_gone() will come */
    bool waiting_for_api; /* and is what the part waits for */
    struct clock_timer drain_over;
    struct node *node;
    struct runner *runner;
    struct control *control;
    struct place_now place_now; /* whom a run goes to that a client asks for */
    size_t running;             /* parts started; parts[running - 1] is the last */
    bool stopping;
    bool retiring; /* serve_retired() will come */
    int exit_code;
};

/* A part starts at once; it stops later, and then calls daemon_part_stopped(). */
struct daemon_part {
    const char *name;
    int (*start)(struct daemon *daemon, struct err *err);
    void (*stop)(struct daemon *daemon);
};

static void daemon_part_stopped(void *owner);

/* --- the parts ------------------------------------------------------------------- */

static int disk_start(struct daemon *daemon, struct err *err)
{
    int rv = disk_uv_make_folders(daemon->config->node_data_dir, err);
    if (rv != 0) {
        return rv;
    }
    char *path = mem_printf("%s/raft", daemon->config->node_data_dir);
    rv = disk_uv_open(&daemon->disk, &daemon->loop, path, err);
    mem_free(path);
    if (rv != 0) {
        return rv;
    }
    rv = disk_lock(daemon->disk, err);
    if (rv != 0) {
        disk_uv_close(daemon->disk);
    }
    return rv;
}

static void disk_stop(struct daemon *daemon)
{
    disk_uv_close(daemon->disk);
    daemon_part_stopped(daemon);
}

static int clock_start(struct daemon *daemon, struct err *err)
{
    (void)err;
    daemon->clock = clock_uv_new(&daemon->loop);
    return 0;
}

static void clock_stop(struct daemon *daemon)
{
    clock_uv_close(daemon->clock, daemon_part_stopped, daemon);
}

static int link_start(struct daemon *daemon, struct err *err)
{
    if (daemon->config->cluster_expect == 1) {
        return 0;
    }
    struct peer_options options = {.listen = daemon->config->listen_peer};
    daemon->link = peer_new(&daemon->loop, daemon->clock, &options, err);
    return daemon->link != NULL ? 0 : (int)err->code;
}

/* The node has stopped it by now, if it ever started. */
static void link_stop(struct daemon *daemon)
{
    if (daemon->link != NULL) {
        peer_free(daemon->link);
    }
    daemon_part_stopped(daemon);
}

/* A node whose clients took all descriptors could not go on: its log needs one each 16
 * MiB. */
static uint32_t daemon_connections(const struct config *config)
{
    struct rlimit files;
    uint64_t wanted = (uint64_t)config->limits_connections;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY) {
        return (uint32_t)wanted;
    }
    uint64_t own = files.rlim_cur > 2 * OWN_FILES ? OWN_FILES : files.rlim_cur / 2;
    if (wanted > files.rlim_cur - own) {
        log_warn("limits.connections is %llu, but the process may open %llu files "
                 "(ulimit -n): %llu connections at once",
                 (unsigned long long)wanted, (unsigned long long)files.rlim_cur,
                 (unsigned long long)(files.rlim_cur - own));
        wanted = files.rlim_cur - own;
    }
    return (uint32_t)wanted;
}

static int api_part_start(struct daemon *daemon, struct err *err)
{
    const struct config *config = daemon->config;
    struct token tokens[TOKENS_MAX];
    size_t token_count = 0;
    if (config_tokens(config, tokens, &token_count, err) != 0) {
        return (int)err->code;
    }
    char *runs = mem_printf("%s/runs", config->node_data_dir);
    struct api_options options = {
        .loop = &daemon->loop,
        .clock = daemon->clock,
        .runs = runs,
        .place = control_place_now,
        .place_owner = &daemon->place_now,
        .listen = config->listen_address,
        .version = MUSTER_VERSION,
        .cluster_name = config->cluster_name,
        .task_defaults =
            {
                .buffer_enabled = config->buffer_period_enabled,
                .buffer_min_ns = config->buffer_period_min,
                .buffer_max_ns = config->buffer_period_max,
            },
        .hosts = (const char *const *)config->listen_hosts.items,
        .host_count = config->listen_hosts.count,
        .max_connections = daemon_connections(config),
        .max_connections_address = (uint32_t)config->limits_connections_per_address,
        .trusted_proxies = (const char *const *)config->limits_trusted_proxies.items,
        .trusted_proxy_count = config->limits_trusted_proxies.count,
        .modules = (const char *const *)config->modules.items,
        .module_count = config->modules.count,
        .tokens = tokens,
        .token_count = token_count,
    };
    int rv = api_start(&daemon->api, &options, err);
    mem_free(runs);
    return rv;
}

static void api_gone(void *owner);

/* After serve_stop() this only waits for what that began. */
static void api_part_stop(struct daemon *daemon)
{
    daemon->waiting_for_api = true;
    if (daemon->api == NULL) {
        daemon_part_stopped(daemon);
    } else if (!daemon->api_stopping) {
        daemon->api_stopping = true;
        api_stop(daemon->api, 0, api_gone, daemon);
    }
}

static void node_failed(void *owner, const struct err *err)
{
    (void)owner;
    log_error("this node cannot go on: %s", err->text);
    _exit(DAEMON_EXIT_FAILED); /* at once: what memory says is not what the disk says */
}

static const char *advertised(const char *configured, const char *bound)
{
    return configured[0] != '\0' ? configured : bound;
}

static int node_part_start(struct daemon *daemon, struct err *err)
{
    const struct config *config = daemon->config;
    struct node_options options = {
        .disk = daemon->disk,
        .clock = daemon->clock,
        .link = daemon->link,
        .name = config->node_name,
        .peer_address = daemon->link != NULL ? advertised(config->listen_advertise_peer,
                                                          peer_address(daemon->link))
                                             : "",
        .api_address =
            advertised(config->listen_advertise_address, api_address(daemon->api)),
        .version = MUSTER_VERSION,
        .expect = (uint32_t)config->cluster_expect,
        .peers = (const char *const *)config->cluster_peers.items,
        .peer_count = config->cluster_peers.count,
        .election_timeout_ms = (uint32_t)(config->cluster_election_timeout / MS_NS),
        .heartbeat_ms = (uint32_t)(config->cluster_heartbeat / MS_NS),
        .notice_ms = (uint64_t)config->listen_drain / MS_NS,
        .forward_writes = strcmp(config->cluster_follower_writes, "forward") == 0,
        .replace_after_ms = (uint32_t)(config->cluster_replace_after / MS_NS),
        .owner = daemon,
        .failed = node_failed,
    };
    int rv = node_start(&daemon->node, &options, err);
    daemon->place_now.node = daemon->node;
    return rv;
}

static void node_part_stop(struct daemon *daemon)
{
    node_stop(daemon->node, daemon_part_stopped, daemon);
}

/* The driver goes with the runner; the runs that are alive stay alive. */
static int runner_part_start(struct daemon *daemon, struct err *err)
{
    const struct config *config = daemon->config;
    struct node_status status;
    node_status(daemon->node, &status);
    struct exec_options exec = {
        .data_dir = config->node_data_dir,
        .node = status.id,
        .log_bytes = config->runs_log_bytes,
        .cgroup = config->runs_cgroup,
        .keep =
            {
                .bytes = config->runs_keep_bytes,
                .age_ms = (uint64_t)config->runs_keep_age / MS_NS,
                .count = config->runs_keep_count,
            },
    };
    struct runner_options options = {
        .clock = daemon->clock,
        .node = daemon->node,
        .modules = {(const char *const *)config->modules.items, config->modules.count},
        .idle = !config->runs_enabled,
        .limits =
            {
                .memory_bytes = config->runs_memory_bytes,
                .cpu_percent = (uint32_t)config->runs_cpu_percent,
                .cpu_seconds = (uint32_t)config->runs_cpu_seconds,
                .files_count = (uint32_t)config->runs_files,
                .processes_count = (uint32_t)config->runs_processes,
            },
    };
    int rv = config_user(config, &options.uid, &options.gid, err);
    if (rv == 0) {
        rv = exec_new(&options.driver, &daemon->loop, &exec, err);
    }
    if (rv == 0) {
        daemon->runner = runner_new(&options);
    }
    return rv;
}

static void runner_part_stop(struct daemon *daemon)
{
    runner_stop(daemon->runner, daemon_part_stopped, daemon);
}

static int control_part_start(struct daemon *daemon, struct err *err)
{
    (void)err;
    daemon->control = control_new(daemon->clock, daemon->node);
    return 0;
}

static void control_part_stop(struct daemon *daemon)
{
    control_free(daemon->control);
    daemon_part_stopped(daemon);
}

static int serve_start(struct daemon *daemon, struct err *err)
{
    int rv = api_serve(daemon->api, daemon->node, err);
    if (rv == 0) {
        printf("ready api=%s peer=%s\n", api_address(daemon->api),
               daemon->link != NULL ? peer_address(daemon->link) : "-");
        fflush(stdout);
    }
    return rv;
}

/* The writes that still have no outcome get one when the node stops: to wait for all of
 * them here could be for ever. */
static void serve_stopped(struct daemon *daemon)
{
    clock_timer_stop(daemon->clock, &daemon->drain_over);
    daemon_part_stopped(daemon);
}

static void serve_drain_over(struct clock_timer *timer)
{
    serve_stopped(timer->owner);
}

static void api_gone(void *owner)
{
    struct daemon *daemon = owner;
    daemon->api = NULL;
    if (daemon->waiting_for_api) {
        daemon_part_stopped(daemon);
    } else if (clock_timer_active(&daemon->drain_over)) {
        serve_stopped(daemon);
    }
}

static void serve_stop_api(struct daemon *daemon)
{
    daemon->api_stopping = true;
    daemon->drain_over =
        (struct clock_timer){.fire = serve_drain_over, .owner = daemon};
    clock_timer_start(daemon->clock, &daemon->drain_over,
                      clock_now_ms(daemon->clock) + DAEMON_DRAIN_MS);
    api_stop(daemon->api, DAEMON_DRAIN_MS, api_gone, daemon);
}

static void serve_retired(void *owner)
{
    struct daemon *daemon = owner;
    daemon->retiring = false;
    serve_stop_api(daemon);
}

/* Nobody has to wait for an election, and no request comes to a node that has gone: the
 * lead is given away, and balancers notice that this node is no longer ready. */
static void serve_stop(struct daemon *daemon)
{
    daemon->retiring = true;
    api_leave(daemon->api);
    runner_retire(daemon->runner);
    node_retire(daemon->node, api_watched(daemon->api), serve_retired, daemon);
}

static const struct daemon_part parts[] = {
    {"disk", disk_start, disk_stop},
    {"clock", clock_start, clock_stop},
    {"peer link", link_start, link_stop},
    {"api", api_part_start, api_part_stop},
    {"node", node_part_start, node_part_stop},
    {"runs", runner_part_start, runner_part_stop},
    {"control", control_part_start, control_part_stop},
    {"serving", serve_start, serve_stop},
};

#define PART_COUNT (sizeof parts / sizeof parts[0])

/* --- from start to stop ---------------------------------------------------------- */

static void signal_handle_close(uv_signal_t *signal)
{
    if (!uv_is_closing((uv_handle_t *)signal)) {
        uv_close((uv_handle_t *)signal, NULL);
    }
}

static void daemon_part_stopped(void *owner)
{
    struct daemon *daemon = owner;
    daemon->running--;
    if (daemon->running > 0) {
        log_debug("stopping: %s", parts[daemon->running - 1].name);
        parts[daemon->running - 1].stop(daemon);
        return;
    }
    signal_handle_close(&daemon->signals[0]);
    signal_handle_close(&daemon->signals[1]);
}

static void daemon_stop(struct daemon *daemon)
{
    daemon->stopping = true;
    if (daemon->running > 0) {
        parts[daemon->running - 1].stop(daemon);
    } else {
        signal_handle_close(&daemon->signals[0]);
        signal_handle_close(&daemon->signals[1]);
    }
}

static void daemon_signal(uv_signal_t *handle, int number)
{
    struct daemon *daemon = handle->data;
    if (daemon->retiring) {
        log_info("second signal: not waiting for balancers");
        daemon->retiring = false; /* the next one does not wait at all */
        node_retire_now(daemon->node);
        return;
    }
    if (daemon->stopping) {
        log_warn("second signal: ending at once");
        _exit(128 + number);
    }
    log_info("signal %d: stopping", number);
    daemon_stop(daemon);
}

static void daemon_watch_signals(struct daemon *daemon)
{
    static const int numbers[] = {SIGTERM, SIGINT};
    for (size_t i = 0; i < 2; i++) {
        uv_signal_init(&daemon->loop, &daemon->signals[i]);
        daemon->signals[i].data = daemon;
        uv_signal_start(&daemon->signals[i], daemon_signal, numbers[i]);
    }
}

static void daemon_prepare_process(void)
{
    signal(SIGPIPE, SIG_IGN);
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

static void daemon_warn(const struct config *config)
{
    if (!config->listen_insecure) {
        return;
    }
    if (config->access_tokens.count == 0) {
        log_warn("listen.insecure is set and there are no access.tokens: whoever "
                 "reaches %s can change every task",
                 config->listen_address);
    } else {
        log_warn("listen.insecure is set: tokens and tasks go to and from %s, and "
                 "between the nodes, as anybody on the way can read them",
                 config->listen_address);
    }
}

int daemon_run(const struct config *config)
{
    struct daemon daemon = {.config = config};
    struct err err;
    daemon_prepare_process();
    uv_loop_init(&daemon.loop);
    daemon_watch_signals(&daemon);
    daemon_warn(config);
    while (daemon.running < PART_COUNT) {
        if (parts[daemon.running].start(&daemon, &err) != 0) {
            log_error("cannot start: %s: %s", parts[daemon.running].name, err.text);
            daemon.exit_code = DAEMON_EXIT_CANNOT_START;
            daemon_stop(&daemon);
            break;
        }
        daemon.running++;
    }
    uv_run(&daemon.loop, UV_RUN_DEFAULT);
    while (uv_loop_close(&daemon.loop) == UV_EBUSY) {
        uv_run(&daemon.loop, UV_RUN_ONCE);
    }
    map_reap(SIZE_MAX);
    if (daemon.exit_code == 0) {
        log_info("stopped");
    }
    return daemon.exit_code;
}
