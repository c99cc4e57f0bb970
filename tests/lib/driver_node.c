/* SPDX-License-Identifier: Apache-2.0 */
/* A node that is nothing but the driver of this machine: commands on standard input,
 * one a line, what the driver says on standard output, one JSON object a line.
 * tests/lib/driver.py talks to it. Moments are given as milliseconds from now.
 *
 *   start KEY=VALUE…   (no blanks in a value)      feed RUN MS
 *   stop RUN   kill RUN   forget RUN   descriptors   close
 *
 * End of input is an end without close(): as a kill would be, but for sanitizers. */
#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/mem.h"
#include "exec/exec.h"

struct tool {
    uv_loop_t loop;
    uv_pipe_t input;
    struct driver *driver;
    char line[8192];
    size_t len;
    char bytes[4096];
};

static void print_text(const char *text)
{
    putchar('"');
    for (const char *at = text; *at != '\0'; at++) {
        unsigned char c = (unsigned char)*at;
        if (c == '"' || c == '\\') {
            printf("\\%c", c);
        } else if (c < 0x20) {
            printf("\\u%04x", c);
        } else {
            putchar(c);
        }
    }
    putchar('"');
}

static void print_result(const struct driver_result *result)
{
    static const char *const names[] = {"",          "success",   "failed",
                                        "timed_out", "cancelled", "lost"};
    printf(", \"outcome\": \"%s\", \"exit_code\": %u, \"signal\": %u, \"changes\": %s, "
           "\"started_ms\": %" PRIu64 ", \"ended_ms\": %" PRIu64 ", \"text\": ",
           names[result->outcome], result->exit_code, result->signal,
           result->changes ? "true" : "false", result->started_ms, result->ended_ms);
    print_text(result->text);
    printf("%s", result->unable ? ", \"unable\": true" : "");
}

static void finish_line(void)
{
    puts("}");
    fflush(stdout);
}

static void found(void *owner, uint64_t run, enum driver_phase phase,
                  const struct driver_result *result)
{
    static const char *const names[] = {"", "claimed", "alive", "ended"};
    (void)owner;
    printf("{\"event\": \"found\", \"run\": %" PRIu64 ", \"phase\": \"%s\"", run,
           names[phase]);
    if (result != NULL) {
        print_result(result);
    }
    finish_line();
}

static void ready(void *owner)
{
    (void)owner;
    printf("{\"event\": \"ready\"");
    finish_line();
}

static void started(void *owner, uint64_t run, uint64_t wall_ms)
{
    (void)owner;
    printf("{\"event\": \"started\", \"run\": %" PRIu64 ", \"wall_ms\": %" PRIu64, run,
           wall_ms);
    finish_line();
}

static void ended(void *owner, uint64_t run, const struct driver_result *result)
{
    (void)owner;
    printf("{\"event\": \"ended\", \"run\": %" PRIu64, run);
    print_result(result);
    finish_line();
}

static void closed(void *ctx)
{
    struct tool *tool = ctx;
    printf("{\"event\": \"closed\"");
    finish_line();
    uv_close((uv_handle_t *)&tool->input, NULL);
}

static void print_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t count = 0;
    while (dir != NULL && readdir(dir) != NULL) {
        count++;
    }
    closedir(dir);
    printf("{\"event\": \"descriptors\", \"count\": %zu", count - 3);
    finish_line();
}

static uint64_t from_now(struct tool *tool, const char *ms)
{
    long long delta = strtoll(ms, NULL, 10);
    return (uint64_t)((long long)tool->driver->ops->now_ms(tool->driver) + delta);
}

static uint64_t number(const char *text)
{
    return strtoull(text, NULL, 10);
}

static void start_key(struct tool *tool, struct driver_spec *spec, const char *key,
                      const char *value)
{
    struct {
        const char *key;
        const char **text;
        uint32_t *small;
        uint64_t *big;
    } keys[] = {
        {"run", NULL, NULL, &spec->run},
        {"task", &spec->task, NULL, NULL},
        {"module", &spec->module, NULL, NULL},
        {"input", &spec->input, NULL, NULL},
        {"grace", NULL, &spec->grace_ms, NULL},
        {"tries", NULL, &spec->tries, NULL},
        {"limit", NULL, NULL, &spec->time_limit_ms},
        {"uid", NULL, &spec->uid, NULL},
        {"gid", NULL, &spec->gid, NULL},
        {"memory", NULL, NULL, &spec->limits.memory_bytes},
        {"cpu_percent", NULL, &spec->limits.cpu_percent, NULL},
        {"cpu_seconds", NULL, &spec->limits.cpu_seconds, NULL},
        {"files", NULL, &spec->limits.files_count, NULL},
        {"processes", NULL, &spec->limits.processes_count, NULL},
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (strcmp(keys[i].key, key) != 0) {
            continue;
        }
        if (keys[i].text != NULL) {
            *keys[i].text = value;
        } else if (keys[i].small != NULL) {
            *keys[i].small = (uint32_t)number(value);
        } else {
            *keys[i].big = number(value);
        }
        return;
    }
    if (strcmp(key, "deadline") == 0) {
        spec->deadline_ms = from_now(tool, value);
    } else if (strcmp(key, "inspect") == 0) {
        spec->inspect = number(value) != 0;
    } else {
        fprintf(stderr, "driver_node: no key %s\n", key);
        exit(2);
    }
}

static void start(struct tool *tool, char *rest)
{
    struct driver_spec spec = {
        .task = "task", .module = "", .input = "{}", .tries = 1, .grace_ms = 2000};
    char *save = NULL;
    for (char *word = strtok_r(rest, " ", &save); word != NULL;
         word = strtok_r(NULL, " ", &save)) {
        char *equals = strchr(word, '=');
        if (equals == NULL) {
            exit(2);
        }
        *equals = '\0';
        start_key(tool, &spec, word, equals + 1);
    }
    tool->driver->ops->start(tool->driver, &spec);
}

static void command(struct tool *tool, char *line)
{
    const struct driver_ops *ops = tool->driver->ops;
    char *rest = strchr(line, ' ');
    if (rest != NULL) {
        *rest++ = '\0';
    }
    if (strcmp(line, "start") == 0) {
        start(tool, rest);
    } else if (strcmp(line, "feed") == 0) {
        ops->feed(tool->driver, number(rest), from_now(tool, strchr(rest, ' ') + 1));
    } else if (strcmp(line, "stop") == 0) {
        ops->stop(tool->driver, number(rest));
    } else if (strcmp(line, "kill") == 0) {
        ops->kill(tool->driver, number(rest));
    } else if (strcmp(line, "forget") == 0) {
        ops->forget(tool->driver, number(rest));
    } else if (strcmp(line, "descriptors") == 0) {
        print_descriptors();
    } else if (strcmp(line, "close") == 0) {
        uv_read_stop((uv_stream_t *)&tool->input);
        ops->close(tool->driver, closed, tool);
    } else {
        fprintf(stderr, "driver_node: no command %s\n", line);
        exit(2);
    }
}

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *bytes)
{
    (void)suggested;
    struct tool *tool = handle->data;
    *bytes = uv_buf_init(tool->bytes, sizeof tool->bytes);
}

static void received(uv_stream_t *stream, ssize_t len, const uv_buf_t *bytes)
{
    struct tool *tool = stream->data;
    if (len < 0) {
        _Exit(0);
    }
    for (ssize_t i = 0; i < len; i++) {
        if (bytes->base[i] != '\n') {
            tool->line[tool->len++] = bytes->base[i];
            continue;
        }
        tool->line[tool->len] = '\0';
        tool->len = 0;
        command(tool, tool->line);
    }
}

static void option(struct exec_options *options, const char *key, const char *value)
{
    if (strcmp(key, "--data") == 0) {
        options->data_dir = value;
    } else if (strcmp(key, "--node") == 0) {
        options->node = number(value);
    } else if (strcmp(key, "--containment") == 0) {
        options->containment = (enum exec_containment)number(value);
    } else if (strcmp(key, "--log-bytes") == 0) {
        options->log_bytes = number(value);
    } else if (strcmp(key, "--keep-count") == 0) {
        options->keep.count = number(value);
    } else if (strcmp(key, "--keep-bytes") == 0) {
        options->keep.bytes = number(value);
    } else if (strcmp(key, "--cgroup") == 0) {
        options->cgroup = value;
    } else if (strcmp(key, "--program") == 0) {
        options->program = value;
    } else {
        fprintf(stderr, "driver_node: no option %s\n", key);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "supervise") == 0) {
        return exec_supervise(argc - 1, argv + 1);
    }
    static const struct driver_events events = {
        .found = found, .ready = ready, .started = started, .ended = ended};
    struct exec_options options = {.node = 7};
    for (int i = 1; i + 1 < argc; i += 2) {
        option(&options, argv[i], argv[i + 1]);
    }
    signal(SIGPIPE, SIG_IGN); /* as a node does */
    static struct tool tool;
    struct err err;
    uv_loop_init(&tool.loop);
    uv_pipe_init(&tool.loop, &tool.input, 0);
    tool.input.data = &tool;
    if (uv_pipe_open(&tool.input, 0) != 0 ||
        exec_new(&tool.driver, &tool.loop, &options, &err) != 0) {
        fprintf(stderr, "driver_node: %s\n", err.text);
        return 4;
    }
    tool.driver->ops->open(tool.driver, &events, &tool);
    uv_read_start((uv_stream_t *)&tool.input, give_room, received);
    uv_run(&tool.loop, UV_RUN_DEFAULT);
    uv_loop_close(&tool.loop);
    return 0;
}
