/* SPDX-License-Identifier: Apache-2.0 */
/* With several jobs, worker w runs every seed whose place is w modulo the jobs, prints
 * nothing, and sends what came of each down a pipe. A worker that dies broke the seed
 * it was at; another one goes on behind it. Broken seeds run once more, alone and
 * aloud. */
#include "sim/runs.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

#define JOBS_MAX         16
#define AGAIN_EVERY      20 /* seeds: those run twice, and must give the same trace */
#define THIN_WRITES      3
#define SEED_SECONDS_MAX 600 /* real ones: it goes in circles */
#define READ_ALOUD_MAX   3   /* broken seeds that are run again to be read */

struct worker {
    pid_t pid;
    int from;
    uint64_t next; /* place of the seed it is at */
};

static void totals_add(struct runs_totals *totals, uint64_t seed,
                       const struct world_result *result)
{
    struct world_result *sum = &totals->sum;
    if (result->failed && totals->failures < RUNS_BROKEN_MAX) {
        totals->broken[totals->failures] = seed;
    }
    if (result->failed && totals->failures == 0) {
        memcpy(totals->reason, result->reason, sizeof totals->reason);
    }
    totals->runs++;
    totals->failures += result->failed;
    totals->thin += !result->failed && result->acknowledged < THIN_WRITES;
    sum->trace_hash += result->trace_hash;
    sum->acknowledged += result->acknowledged;
    sum->reads += result->reads;
    sum->leases += result->leases;
    sum->losses += result->losses;
    sum->runs += result->runs;
    sum->never += result->never;
    sum->unknown += result->unknown;
    sum->applied += result->applied;
    sum->crashes += result->crashes;
    sum->elections += result->elections;
    sum->wipes += result->wipes;
    sum->events += result->events;
    sum->virtual_us += result->virtual_us;
    sum->operations += result->operations;
    sum->frames += result->frames;
    sum->fault_count += result->fault_count;
    sum->history.operations += result->history.operations;
    sum->history.tasks += result->history.tasks;
    sum->history.gave_up += result->history.gave_up;
    for (size_t i = 0; i < FAULT_COUNT; i++) {
        sum->faults[i] += result->faults[i];
    }
}

/* --- one seed
 * ------------------------------------------------------------------------ */

static void run_seed(const struct world_options *options, struct world_result *result)
{
    world_run(options, result);
    if (options->seed % AGAIN_EVERY != 0 || result->failed || options->trace) {
        return;
    }
    struct world_result again;
    world_run(options, &again);
    if (again.trace_hash != result->trace_hash) {
        snprintf(result->reason, sizeof result->reason,
                 "seed %" PRIu64 ": two runs, two traces", options->seed);
        printf("BROKEN %s\n", result->reason);
        result->failed = true;
    }
}

static void run_hush(void)
{
    int nowhere = open("/dev/null", O_WRONLY);
    if (nowhere >= 0) {
        dup2(nowhere, STDOUT_FILENO);
        dup2(nowhere, STDERR_FILENO);
        close(nowhere);
    }
}

static bool run_read(int from, struct world_result *result)
{
    size_t len = 0;
    ssize_t got = 1;
    while (len < sizeof *result && got > 0) {
        got = read(from, (char *)result + len, sizeof *result - len);
        len += got > 0 ? (size_t)got : 0;
    }
    return len == sizeof *result;
}

static void run_write(int to, const struct world_result *result)
{
    size_t len = 0;
    while (len < sizeof *result) {
        ssize_t wrote = write(to, (const char *)result + len, sizeof *result - len);
        if (wrote <= 0) {
            exit(1);
        }
        len += (size_t)wrote;
    }
}

static pid_t run_fork(int ends[2])
{
    fflush(stdout);
    if (pipe(ends) != 0) {
        perror("pipe");
        exit(1);
    }
    pid_t child = fork();
    if (child < 0) {
        perror("fork");
        exit(1);
    }
    close(ends[child == 0 ? 0 : 1]);
    return child;
}

void runs_apart(const struct world_options *options, bool quiet,
                struct world_result *result)
{
    int ends[2];
    pid_t child = run_fork(ends);
    if (child == 0) {
        struct world_result mine;
        if (quiet) {
            run_hush();
        }
        run_seed(options, &mine);
        run_write(ends[1], &mine);
        exit(0);
    }
    bool whole = run_read(ends[0], result);
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    if (!whole) {
        *result = (struct world_result){.failed = true};
        snprintf(result->reason, sizeof result->reason,
                 "seed %" PRIu64 " (%zu nodes): the process ended, status %x",
                 options->seed, options->nodes, (unsigned)status);
        if (!quiet) {
            printf("BROKEN %s\n", result->reason);
        }
    }
}

/* --- many
 * ---------------------------------------------------------------------------- */

static void runs_alone(const struct runs_options *options, struct runs_totals *totals)
{
    struct world_options world = options->world;
    for (uint64_t i = 0; i < options->count; i++, world.seed++) {
        struct world_result result;
        run_seed(&world, &result);
        totals_add(totals, world.seed, &result);
        if (result.failed) {
            return;
        }
    }
}

/* Run the seeds from place `first` on, `step` apart, down the pipe. */
static void worker_live(const struct runs_options *options, uint64_t first,
                        uint32_t step, int to)
{
    struct world_options world = options->world;
    world.quiet = true;
    run_hush();
    for (uint64_t at = first; at < options->count; at += step) {
        struct world_result result;
        world.seed = options->world.seed + at;
        alarm(SEED_SECONDS_MAX);
        run_seed(&world, &result);
        run_write(to, &result);
        if (result.failed) { /* it is in the middle of something: begin afresh */
            exit(0);
        }
    }
    exit(0);
}

static void worker_start(const struct runs_options *options, struct worker *worker)
{
    int ends[2];
    worker->from = -1;
    worker->pid = 0;
    if (worker->next < options->count) {
        worker->pid = run_fork(ends);
        if (worker->pid == 0) {
            worker_live(options, worker->next, options->jobs, ends[1]);
        }
        worker->from = ends[0];
    }
}

static void worker_end(struct worker *worker)
{
    if (worker->pid > 0) {
        close(worker->from);
        waitpid(worker->pid, NULL, 0);
        worker->pid = 0;
        worker->from = -1;
    }
}

/* Something came from a worker, or it ended. */
static void worker_heard(const struct runs_options *options, struct worker *worker,
                         struct world_result *results, uint64_t *limit)
{
    struct world_result *result = &results[worker->next];
    if (!run_read(worker->from, result)) {
        *result = (struct world_result){.failed = true};
        snprintf(result->reason, sizeof result->reason,
                 "seed %" PRIu64 " (%zu nodes): the process ended",
                 options->world.seed + worker->next, options->world.nodes);
    }
    if (result->failed && !options->keep_going && worker->next < *limit) {
        *limit = worker->next; /* what is before it still counts, and nothing behind */
    }
    bool failed = result->failed;
    worker->next += options->jobs;
    if (failed || worker->next >= *limit) {
        worker_end(worker);
        if (worker->next < *limit) {
            worker_start(options, worker);
        }
    }
}

static void runs_dealt(const struct runs_options *options, struct world_result *results,
                       uint64_t *limit)
{
    struct worker workers[JOBS_MAX];
    struct pollfd waits[JOBS_MAX];
    bool more = true;
    for (uint32_t i = 0; i < options->jobs; i++) {
        workers[i] = (struct worker){.next = i};
        worker_start(options, &workers[i]);
    }
    while (more) {
        more = false;
        for (uint32_t i = 0; i < options->jobs; i++) {
            waits[i] = (struct pollfd){.fd = workers[i].from, .events = POLLIN};
            more |= workers[i].from >= 0;
        }
        if (more && poll(waits, options->jobs, -1) > 0) {
            for (uint32_t i = 0; i < options->jobs; i++) {
                if (waits[i].fd >= 0 && waits[i].revents != 0) {
                    worker_heard(options, &workers[i], results, limit);
                }
            }
        }
    }
}

static void runs_apart_all(const struct runs_options *options,
                           struct runs_totals *totals)
{
    uint64_t limit = options->count;
    struct world_result *results =
        mem_zalloc(((size_t)options->count + 1) * sizeof *results);
    runs_dealt(options, results, &limit);
    uint64_t aloud = 0;
    for (uint64_t i = 0; i < options->count && i <= limit; i++) {
        struct world_options world = options->world;
        world.seed += i;
        totals_add(totals, world.seed, &results[i]);
        if (results[i].failed && !options->silent && aloud++ < READ_ALOUD_MAX) {
            struct world_result again;
            runs_apart(&world, false, &again);
        }
    }
    mem_free(results);
}

void runs_run(const struct runs_options *options, struct runs_totals *totals)
{
    *totals = (struct runs_totals){0};
    assert(options->jobs >= 1 && options->jobs <= JOBS_MAX);
    if (options->jobs == 1 && !options->keep_going && !options->apart) {
        runs_alone(options, totals);
    } else {
        runs_apart_all(options, totals);
    }
}
